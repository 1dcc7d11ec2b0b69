"""Pictures in files to what they were projected to: pictures, codes and films."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ganvas.data.decode import decode_entry
from ganvas.data.survey import Seen
from ganvas.errors import InputError
from ganvas.inference.film import film_format, write_film
from ganvas.inference.jobs import Job, ending, pictures_in, unfit, usable
from ganvas.inference.project import Aim, Projection, prepared, project
from ganvas.inference.saved import Saved
from ganvas.inference.translate import save
from ganvas.methods.generator import AT_ONCE, Generator
from ganvas.methods.styled import Styled
from ganvas.pictures import Picture, grid

FRAMES = 300
"""A film of the way has so many frames at most ..."""
HELD = 1.0
"""... and shows the last one for so many seconds more."""


@dataclass(frozen=True)
class Task:
    """One picture to project, and the files that it becomes."""

    source: Path
    picture: Path
    target: Path
    code: Path
    film: Path | None

    @property
    def files(self) -> list[Path]:
        return [f for f in (self.picture, self.target, self.code, self.film) if f is not None]


def tasks(method: Generator, inputs: list[str], out: Path, fps: int | None) -> list[Task]:
    """A task for every picture in these files, folders and globs; subfolders are kept. Films are
    left out where no frames a second are named.

    Raises:
        InputError: an input is not there or holds no picture, two would get one name, a film
            cannot be made so, or a file is there already.
    """
    suffix = ending(".png", method.scales["pictures"])
    kind = None if fps is None else film_format(None, fps)
    found: dict[Path, Task] = {}
    for source, name in (each for text in inputs for each in pictures_in(text)):
        stem = out / name.with_suffix("")
        task = Task(
            source,
            picture=stem.with_name(f"{stem.name}{suffix}"),
            target=stem.with_name(f"{stem.name}-target{suffix}"),
            code=stem.with_name(f"{stem.name}.npz"),
            film=None if kind is None else stem.with_name(f"{stem.name}.{kind}"),
        )
        other = found.setdefault(stem, task).source
        if other.resolve() != source.resolve():
            raise InputError(
                f"{source} and {other} would both be written to {task.picture}; project them in "
                "two calls with different --out"
            )
        if there := [file for file in task.files if file.exists()]:
            raise InputError(
                f"--out {out}: {there[0]} exists and is not overwritten; choose another --out"
            )
    return list(found.values())


def readable(
    method: Generator, todo: list[Task], max_bad: int
) -> tuple[list[Task], dict[Path, str]]:
    """The tasks whose pictures can be read and fit, and why others do not: all are read once,
    before the first is projected.

    Raises:
        InputError: there are more than `max_bad` of these.
    """
    scale, alpha = method.scales["pictures"], method.config.alpha

    def misfit(seen: Seen, job: Job) -> str:
        problem = unfit(scale, alpha, seen)
        return f"{job.source}: {problem}" if problem else ""

    jobs = [Job(task.source, task.picture) for task in todo]
    _, bad = usable(jobs, max_bad, None, misfit)
    return [task for task in todo if task.source not in bad], bad


def project_all(
    method: Generator,
    todo: list[Task],
    aim: Aim,
    label: str | None,
    fps: int | None,
    say: Callable[[str], object],
    on_step: Callable[[str, float], object],
) -> Iterator[tuple[Task, Projection]]:
    """Project one after the other, and yield each when its files are written. `on_step` is told
    the picture's name and the loss of each step."""
    for task in todo:
        entry = Job(task.source, task.picture).entry(None)
        try:
            target, notes = prepared(method, decode_entry(entry, entry.read()))
            for note in notes:
                say(f"{task.source}: {note}")
            name = task.source.name
            found = project(method, target, aim, label, lambda loss, n=name: on_step(n, loss))
        except InputError as error:
            # What the options are at fault for names no picture.
            told = str(error) if str(error).startswith("--") else f"{task.source}: {error}"
            raise InputError(told) from None
        save(Picture(found.array), task.picture)
        save(Picture(found.scale.values(found.target)), task.target)
        found.save(task.code, method=method.name, picture=task.source.name)
        if task.film is not None and fps is not None:
            write_film(task.film, frames(method, found, fps), fps)
        yield task, found


@torch.no_grad()
def frames(method: Generator, found: Projection, fps: int) -> Iterator[Image.Image]:
    """The target beside the picture of the code, from the first step to the last; noise that was
    fitted is as it was at last."""
    count, last = min(FRAMES, len(found.path)), len(found.path) - 1
    shown = [found.path[round(n * last / max(count - 1, 1))] for n in range(count)]
    image = None
    for at in range(0, count, AT_ONCE):
        for x in pictures_of(method, torch.stack(shown[at : at + AT_ONCE]), found.saved):
            image = grid([[found.target, x.cpu()]])
            yield image
    if image is not None:
        yield from [image] * round(HELD * fps)


def pictures_of(method: Generator, codes: Tensor, saved: Saved) -> Tensor:
    """Latents (N, nz), or styles (N, layers or 1, nw), to pictures (N, C, H, W), with the label or
    the noise of what was found."""
    device = next(method.parameters()).device
    codes = codes.to(device)
    if saved.kind == "w":
        assert isinstance(method, Styled)
        noise = [n.to(device) for n in saved.noise] or "const"
        return method.render_styles(codes.expand(-1, method.layers, -1), noise)
    labels = None if saved.label is None else torch.full([len(codes)], saved.label, device=device)
    return method.render(codes, labels)
