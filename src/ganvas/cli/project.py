"""`ganvas project RUN PICTURE... --out DIR`."""

import time
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ganvas.cli.numbers import MaybeWhole, Number, Whole


def project(
    run: Path,
    /,
    *pictures: str,
    out: Path,
    space: Annotated[Literal["z", "w", "w+"] | None, Parameter(name="--in")] = None,
    loss: Literal["perceptual", "pixel", "lpips"] | None = None,
    lpips_weights: Path | None = None,
    steps: Whole = 1000,
    lr: Number = 0.1,
    fit_noise: bool = False,
    label: Annotated[str | None, Parameter(name="--class")] = None,
    seed: Whole = 0,
    film: bool = True,
    fps: MaybeWhole = None,
    device: str = "auto",
    max_bad: Whole = 0,
) -> None:
    """Find the style, or the latent, whose picture is nearest to yours.

    Parameters
    ----------
    run
        A run that makes pictures from noise, a snapshot in it, or a weights file.
    pictures
        Files, folders (with their subfolders) and globs.
    out
        The folder to write into: of face.jpg face.png, face-target.png, face.npz, face.mp4.
    space
        w, one style for all layers, where left out; w+, a style for each, which comes nearer and
        mixes less well; z, a latent, for methods without styles.
    loss
        perceptual, features of the run's own discriminator and pixels, where left out; pixel;
        lpips, which wants --lpips-weights.
    lpips_weights
        torchvision's VGG16 as a file (a state dict), for lpips (extra `metrics`).
    steps
        More come nearer.
    lr
        The highest rate of Adam.
    fit_noise
        Fit the noise of each layer too.
    label
        The class of the picture, where the run has classes; the first where left out.
    seed
        The same seed finds the same.
    film
        A film of the way there, the target on its left: mp4 where the package av is there (extra
        `video`), else gif.
    fps
        Its frames a second; 30 where left out. It has 300 of them at most, and holds the last.
    device
        cpu, cuda, mps; auto takes the fastest that is there.
    max_bad
        Leave out up to so many pictures that cannot be read, and say which.
    """
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    from ganvas.bars import Watched
    from ganvas.errors import InputError
    from ganvas.inference.film import FPS
    from ganvas.inference.generate import generator_of
    from ganvas.inference.load import load
    from ganvas.inference.project import Aim
    from ganvas.inference.projecting import project_all, readable, tasks

    if not pictures:
        raise InputError("project: name at least one picture, folder or glob after the run")
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: is a file; name a folder to write into")
    if fps is not None and not film:
        raise InputError(f"--fps {fps}: is for the film, which --no-film leaves out")
    weights = None if lpips_weights is None else str(lpips_weights)
    aim = Aim(space, loss, steps, lr, seed, fit_noise, weights)
    method = generator_of(load(run, device))
    speed = (FPS if fps is None else fps) if film else None
    found, bad = readable(method, tasks(method, list(pictures), out, speed), max_bad)
    started = time.perf_counter()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Watched(*columns, TimeRemainingColumn(), TextColumn("{task.fields[loss]}")) as progress:
        say = partial(progress.console.print, markup=False, highlight=False, soft_wrap=True)
        bar = progress.add_task("", total=steps * len(found), loss="")

        def on_step(name: str, loss: float) -> None:
            progress.update(bar, advance=1, description=escape(name), loss=f"loss {loss:.4f}")

        for task, done in project_all(method, found, aim, label, speed, say, on_step):
            say(f"{task.source}: loss {done.losses[0]:.4f} at first, {done.losses[-1]:.4f} at last")
    for problem in bad.values():
        print(f"left out: {problem}")
    seconds = time.perf_counter() - started
    print(f"{len(found)} picture{'s' * (len(found) != 1)} in {seconds:.1f} s, in {out}")
