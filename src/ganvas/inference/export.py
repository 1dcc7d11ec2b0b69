"""From a snapshot to files that need no ganvas: ONNX, torch.export, and plain weights."""

import json
import logging
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor

from ganvas.engine import settle_autograd
from ganvas.errors import InputError
from ganvas.inference.card import write_card
from ganvas.inference.exported import Subject, generating, translating
from ganvas.inference.load import load, snapshot_folder
from ganvas.methods.base import Direction, Method
from ganvas.methods.generator import Generator
from ganvas.methods.translator import Translator

Format = Literal["onnx", "torch", "safetensors"]
ENDINGS = {"onnx": ".onnx", "torch": ".pt2"}
ABOUT = "ganvas.json"
PACKAGES = ("onnx", "onnxruntime", "onnxscript")
INSTALL = 'pip install "ganvas[onnx]"'
FURTHEST = 1e-3
"""How far an exported network's answer may lie from the method's own, in [-1, 1]."""


@dataclass(frozen=True)
class Exported:
    """What was written, and how it was checked."""

    path: Path
    directions: tuple[Direction, ...] = ()
    """Of a translator those that it holds."""
    checked: tuple[tuple[int, ...], ...] = ()
    """Shapes of the (first) inputs that it was held against PyTorch with."""
    difference: float | None = None
    """The largest difference there, in [-1, 1]; None of weights, which are copied."""


def export(
    path: Path | str,
    out: Path | str,
    format: Format = "onnx",
    direction: Direction | None = None,
) -> Exported:
    """Write a trained network for use elsewhere; `out` is a file for onnx (.onnx) and torch
    (.pt2), and a folder for safetensors.

    Without a direction the one that was learnt; AtoB where both were, and all as safetensors. Of
    many domains one must be said, but for safetensors.

    Raises:
        InputError: the target is there or has a wrong name, a package is missing, the method
            has not learnt that direction, or the file does not compute what the method does:
            then it is not left behind.
    """
    target = Path(out).expanduser()
    check_target(target, format)
    folder = snapshot_folder(Path(path).expanduser())
    method = load(folder, "cpu")
    if isinstance(method, Translator) and method.by_search:
        raise InputError(
            f"--format {format}: {method.name} translates by a search for a picture's latent, and "
            "has no network to export that would do it; `ganvas translate` does"
        )
    directions = directions_of(method, direction, one=format != "safetensors")
    if format == "safetensors":
        with written(target) as beside:
            write_card(method, directions, folder, beside, target.name)
        return Exported(target, directions)
    subject = subject_of(method, directions)
    settle_autograd()
    with written(target) as beside, quiet():
        answer = (write_onnx if format == "onnx" else write_torch)(subject, beside)
        difference = furthest(subject, answer)
        if not difference <= FURTHEST:
            raise InputError(
                f"--out {target}: is not written, since its network answers otherwise than the "
                f"run's, by up to {difference:.2g} in [-1, 1] (at most {FURTHEST:g} is rounding); "
                "please report it, and take another --format"
            )
    shapes = tuple(tuple(inputs[0].shape) for inputs in subject.trials)
    return Exported(target, directions, shapes, difference)


def check_target(target: Path, format: str) -> None:
    """Refuse, before anything is loaded, what cannot be written."""
    if format not in (*ENDINGS, "safetensors"):
        raise InputError(f"--format {format}: must be onnx, torch or safetensors")
    empty = format == "safetensors" and target.is_dir() and not any(target.iterdir())
    if target.exists() and not empty:
        raise InputError(f"--out {target}: exists and is not overwritten; choose another --out")
    ending = ENDINGS.get(format, "")
    if ending and target.suffix != ending:
        raise InputError(f"--out {target}: wants a name that ends in {ending} (--format {format})")
    lacking = [name for name in PACKAGES if find_spec(name) is None]
    if format == "onnx" and lacking:
        raise InputError(
            f"--format onnx: the package {lacking[0]} is not there; {INSTALL}, or take "
            "--format torch"
        )


def directions_of(method: Method, wanted: Direction | None, one: bool) -> tuple[Direction, ...]:
    """The directions to export, or the `one`, of a translator; none of a generator."""
    if not isinstance(method, Translator):
        if wanted is not None:
            raise InputError(
                f"--direction {wanted}: {method.name} makes pictures from noise; leave it out"
            )
        return ()
    if wanted is not None:
        method.translator(method.way(wanted))
        return (wanted,)
    learnt = method.directions
    return (method.way(None, learnt[0]),) if one and learnt else learnt


def subject_of(method: Method, directions: tuple[Direction, ...]) -> Subject:
    if isinstance(method, Translator):
        return translating(method, directions[0])
    return generating(cast(Generator, method))


@contextmanager
def written(target: Path) -> Iterator[Path]:
    """A place beside the target, which becomes the target when all went well."""
    beside = target.with_name(f".{target.name}.writing")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove(beside)
        try:
            yield beside
            if target.is_dir():
                target.rmdir()
            os.replace(beside, target)
        finally:
            remove(beside)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"--out {target}: cannot be written ({reason})") from None


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Without the exporters' warnings, which are for those who write exporters."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def texts(about: dict[str, Any]) -> dict[str, str]:
    """Values as ONNX keeps them: text as it is, others as JSON."""
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in about.items()}


def write_onnx(subject: Subject, place: Path) -> Callable[..., Tensor]:
    """Write the file, and give what answers as it does: onnxruntime on the CPU."""
    import onnxruntime

    program = torch.onnx.export(
        subject.module,
        subject.traced,
        dynamo=True,
        dynamic_shapes=tuple(subject.inputs.values()),
        input_names=list(subject.inputs),
        output_names=[subject.output],
        verbose=False,
    )
    program = cast(torch.onnx.ONNXProgram, program)
    (output,) = program.model.graph.outputs
    for axis, name in subject.axes.items():
        # As it is in fact, and not the formula of a padding that is cut away again.
        cast(Any, output.shape)[axis] = name
    program.model.metadata_props.update(texts(subject.about))
    for node in program.model.graph.all_nodes():
        # Where in the source each node comes from, with the paths of this machine.
        node.metadata_props.clear()
    program.save(place, external_data=False)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(place, options, providers=["CPUExecutionProvider"])

    def answer(*inputs: Tensor) -> Tensor:
        arrays = (x.numpy() for x in inputs)
        (output,) = session.run(None, dict(zip(subject.inputs, arrays, strict=True)))
        return torch.from_numpy(output)

    return answer


def write_torch(subject: Subject, place: Path) -> Callable[..., Tensor]:
    """Write the file, and give the program that is read back from it."""
    from torch.fx.experimental import _config as tracing

    shapes = tuple(
        dict.fromkeys(axes, torch.export.Dim.DYNAMIC) for axes in subject.inputs.values()
    )
    # Otherwise a size that is not 1 while tracing would be held never to be.
    with cast(Any, tracing).patch(backed_size_oblivious=True):
        program = torch.export.export(subject.module, subject.traced, dynamic_shapes=shapes)
    program.example_inputs = None
    for part in program.graph_module.modules():
        for node in part.graph.nodes if isinstance(part, torch.fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)
    with open(place, "wb") as file:
        torch.export.save(program, file, extra_files={ABOUT: json.dumps(subject.about, indent=1)})
    with open(place, "rb") as file:
        return torch.export.load(file).module()


@torch.no_grad()
def furthest(subject: Subject, answer: Callable[..., Tensor]) -> float:
    """The largest difference of answers, in [-1, 1], over all trials."""
    unbounded = subject.module.target.unbounded
    apart = [
        (unbounded(answer(*inputs)) - subject.truth(*inputs)).abs().max()
        for inputs in subject.trials
    ]
    return float(torch.stack(apart).max())
