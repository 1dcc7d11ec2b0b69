"""The command line's words for Python."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from ganvas import training
from ganvas.engine import ALONE, Engine, Processes
from ganvas.errors import InputError, did_you_mean
from ganvas.evaluation import compare as comparing
from ganvas.evaluation.choosing import Options
from ganvas.evaluation.evaluate import evaluate as judge
from ganvas.evaluation.results import Result, append
from ganvas.inference import export as exporting
from ganvas.inference import load as loading
from ganvas.inference import project as projection
from ganvas.inference.export import Exported, Format
from ganvas.inference.generate import generator_of
from ganvas.inference.project import Aim, Projection
from ganvas.methods.base import Direction, Method, TwoWay
from ganvas.methods.generator import Generator
from ganvas.pictures import from_array, from_pil
from ganvas.progress import Bar
from ganvas.runs.directory import Run, is_run
from ganvas.runs.snapshots import read_description, snapshot_folder
from ganvas.weights import importing

__all__ = [
    "Result",
    "Run",
    "compare",
    "evaluate",
    "export",
    "import_weights",
    "load",
    "project",
    "resume",
    "train",
]


def train(method: str, *, quiet: bool = False, **settings: Any) -> Run:
    """Train: `train("cyclegan", data="horse2zebra", size=128, duration="2h")`.

    The settings are the command line's options with underscores; `ganvas methods METHOD` lists
    them. `init` may also be a Run, or a list of weights files. What the command line would
    print is printed, unless `quiet`.

    Raises:
        InputError: a setting, the data or the run directory does not allow it.
    """
    if settings.get("init") is not None:
        settings["init"] = source_of(settings["init"])
    if quiet:
        return training.train(method, training.settings_of(method, settings))
    with Bar() as bar:
        return training.train(method, training.settings_of(method, settings, bar.said), bar)


def source_of(init: Any) -> str:
    """What `--init` would say."""
    if isinstance(init, Run):
        return str(init.path)
    return ",".join(map(str, init)) if isinstance(init, list | tuple) else str(init)


def resume(
    run: Run | Path | str,
    *,
    duration: str | None = None,
    data: str | None = None,
    device: str | None = None,
    workers: int | None = None,
    resume_kimg: float | None = None,
    quiet: bool = False,
) -> Run:
    """Go on exactly where a run stopped; `duration` lengthens it, `data` says where its pictures
    are now. `resume_kimg` sets the clock to so many thousands of images instead, and with it the
    schedule.

    Raises:
        InputError: it is no run, or its pictures are not those it was trained on.
    """
    path = run.path if isinstance(run, Run) else run
    if quiet:
        return training.resume(path, duration, data, device, workers, None, resume_kimg)
    with Bar() as bar:
        return training.resume(path, duration, data, device, workers, bar, resume_kimg)


def import_weights(
    files: Sequence[Path | str],
    out: Path | str,
    *,
    method: str | None = None,
    direction: TwoWay | None = None,
    size: str | int | None = None,
    quiet: bool = False,
) -> Run:
    """Make a run of weights of other projects, as `ganvas import` does:
    `import_weights(["latest_net_G_A.pth", "latest_net_G_B.pth"], "runs/zebras")`.

    Raises:
        InputError: a file cannot be read or recognised, or they do not belong together.
    """
    done = importing.import_weights(files, out, method, direction, size)
    if not quiet:
        print("\n".join(done.lines()))
    return done.run


def load(path: Run | Path | str, device: str = "auto") -> Method:
    """A trained method, ready for use: `load("runs/zebras").translate(picture)`, or
    `load("runs/digits").generate(seeds=range(16))`.

    `path` is a run directory (its newest snapshot), a snapshot, or a snapshot's weights file.

    Raises:
        InputError: there is nothing there that can be loaded.
    """
    return loading.load(path.path if isinstance(path, Run) else path, device)


def project(
    method: Method,
    picture: Image.Image | np.ndarray | Tensor,
    label: str | None = None,
    *,
    on_step: Callable[[float], object] = lambda loss: None,
    **aim: Any,
) -> Projection:
    """Find the style, or the latent, whose picture is nearest: `project(method, picture).code`.

    A PIL picture or an array (H, W, C) is brought to size as training pictures were; a tensor
    (C, H, W) in [-1, 1] is taken as it is. `aim` is `ganvas project`'s options: `space` (its
    --in), `loss`, `lpips_weights`, `steps`, `lr`, `fit_noise`, `seed`. `on_step` is told the loss
    of each step.

    Raises:
        InputError: the method makes no pictures from noise, or an option, the class or the picture
            does not fit it.
    """
    maker = generator_of(method)
    if unknown := aim.keys() - Aim.__dataclass_fields__.keys():
        raise InputError(f"project: has no option {sorted(unknown)[0]}")
    return projection.project(maker, aimed_at(maker, picture), Aim(**aim), label, on_step)


def aimed_at(method: Generator, picture: Image.Image | np.ndarray | Tensor) -> Tensor:
    """A target (C, H, W) in [-1, 1]."""
    wanted = method.scales["pictures"].channels
    if isinstance(picture, Tensor):
        height, width = method.config.width_height[::-1]
        if picture.shape != (wanted, height, width):
            raise InputError(
                f"project: a tensor of shape {tuple(picture.shape)}, and this run wants "
                f"({wanted}, {height}, {width})"
            )
        return picture.float()
    array = isinstance(picture, np.ndarray)
    given = from_array(picture, wanted) if array else from_pil(picture)
    return projection.prepared(method, given)[0]


def evaluate(
    run: Run | Path | str,
    *,
    data: Path | str | None = None,
    device: str = "auto",
    threads: int | None = None,
    quiet: bool = False,
    together: bool = False,
    **options: Any,
) -> list[Result]:
    """Judge a trained method by real pictures: `evaluate("runs/digits", metrics=["fd", "swd"])`.

    `run` as for `load`; results are also added to its metrics.jsonl. `data` are other pictures
    than those of the run. The options are the command line's, with underscores. `together` with
    the other processes that were started, which all call it, each makes its share.

    Raises:
        InputError: the run, the pictures or an option does not allow it.
    """
    path = Path(run.path if isinstance(run, Run) else run).expanduser()
    known = [field.name for field in fields(Options)]
    for name in options:
        if name not in known:
            raise InputError(f"evaluate: there is no option {name!r}{did_you_mean(name, known)}")
    wanted = Options(**options)
    Engine.start(device, threads=threads)
    method = loading.load(path, device, together)
    processes = Processes.join() if together else ALONE
    folder = snapshot_folder(path)
    clock = read_description(folder).get("clock", {})
    about = {"images": clock.get("images", 0), "snapshot": folder.name}
    say = (lambda text: None) if quiet else print
    source = None if data is None else str(data)
    results = judge(method, data=source, options=wanted, about=about, say=say, processes=processes)
    if (home := run_of(folder)) is not None:
        processes.first_does(lambda: append(results, home / "metrics.jsonl"))
    return results


def compare(runs: Sequence[Run | Path | str]) -> dict[str, Any]:
    """Runs side by side, as `ganvas compare --json` prints them: plain data, whose parts
    docs/compare.md lists.

    A snapshot in a run is the run as it was then: `compare(["runs/a", "runs/b/snapshots/best"])`.

    Raises:
        InputError: there are fewer than two, one is no run, or one is named twice.
    """
    paths = [run.path if isinstance(run, Run) else run for run in runs]
    return comparing.compare(paths).told()


def run_of(snapshot: Path) -> Path | None:
    """The run directory that a snapshot lies in."""
    home = snapshot.absolute().parent.parent
    return home if is_run(home) else None


def export(
    run: Run | Path | str,
    *,
    out: Path | str,
    format: Format = "onnx",
    direction: Direction | None = None,
) -> Exported:
    """Write a trained network for use without ganvas: `export("runs/zebras", out="zebras.onnx")`.

    `run` as for `load`; `out` is a file for onnx (.onnx) and torch (.pt2), and for safetensors a
    folder. Without a direction the one that was learnt; AtoB where both were, and both as
    safetensors. Of many domains it is the one to translate into.

    Raises:
        InputError: the target is there or has a wrong name, a package is missing, there is
            nothing to load or no such direction, or the file does not compute what the run does.
    """
    return exporting.export(run.path if isinstance(run, Run) else run, out, format, direction)
