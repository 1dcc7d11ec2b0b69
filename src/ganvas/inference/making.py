"""Pictures into files: one each, a grid, a mixing grid, or a film."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from ganvas.errors import InputError
from ganvas.inference.film import FPS, Format, film_format, write_film
from ganvas.inference.generate import as_image
from ganvas.inference.jobs import ending
from ganvas.inference.styles import Style, mixing_grid
from ganvas.inference.translate import save
from ganvas.methods.generator import AT_ONCE
from ganvas.methods.styled import Styled
from ganvas.pictures import Picture, from_pil, grid
from ganvas.runs.samples import square
from ganvas.scales import Scale


class Subjects(Protocol):
    """What pictures are to be made of."""

    @property
    def names(self) -> list[str]:
        """What the files of each are called."""
        ...

    def pictures(self, at_once: int) -> Iterator[Tensor]:
        """(C, H, W) in [-1, 1], one after the other."""
        ...

    def film(self, steps: int, at_once: int) -> Iterator[Tensor]:
        """`steps` frames from each to the next, and back to the first."""
        ...


@dataclass(frozen=True)
class Making:
    """Makes pictures of subjects, and writes them into `out`.

    Pictures are computed `at_once` at a time. Nothing is overwritten. Each way of writing returns
    how many pictures it was and where they are, and raises an InputError where one of its files is
    there already, or `out` is a file.
    """

    out: Path
    at_once: int = AT_ONCE
    watch: Callable[[Iterable[Tensor], float], Iterable[Tensor]] = lambda made, count: made
    """Passes pictures on, `count` in all: progress."""

    def files(
        self, subjects: Subjects, scale: Scale, format: str | None = None
    ) -> tuple[int, Path]:
        """seed0000.png and so on, one each; .tif where PNG does not hold the pictures, or in the
        format that is named."""
        suffix, names = ending(".png", scale, format), subjects.names
        targets = [self.out / f"{name}{suffix}" for name in names]
        self.ready(*targets)
        made = self.watch(subjects.pictures(self.at_once), len(names))
        for x, target in zip(made, targets, strict=True):
            save(Picture(scale.values(x)), target)
        return len(names), self.out

    def grid(self, subjects: Subjects) -> tuple[int, Path]:
        """grid.png, all of them in a square."""
        target, count = self.out / "grid.png", len(subjects.names)
        self.ready(target)
        made = self.watch(subjects.pictures(self.at_once), count)
        save(from_pil(grid(square([x.cpu() for x in made]))), target)
        return count, target

    def mixing(
        self, method: Styled, rows: list[Style], columns: list[Style], layers: list[int]
    ) -> tuple[int, Path]:
        """mixing.png: the columns' pictures above, the rows' on the left, and in each cell the
        row's style with those layers of the column's."""
        target = self.out / "mixing.png"
        self.ready(target)
        count, made = mixing_grid(method, rows, columns, layers, self.at_once)
        cells = [x.cpu() for x in self.watch(made, count)]
        cells, across = [torch.ones_like(cells[0]), *cells], len(columns) + 1
        lines = [cells[at : at + across] for at in range(0, len(cells), across)]
        save(from_pil(grid(lines)), target)
        return count, target

    def film(
        self, subjects: Subjects, steps: int, format: Format | None = None, fps: int = FPS
    ) -> tuple[int, Path]:
        """film.mp4 or film.gif: `steps` frames from each subject to the next, and back to the
        first."""
        if len(set(subjects.names)) < 2:
            raise InputError("a film goes from one to the next and wants at least two")
        target = self.out / f"film.{film_format(format, fps)}"
        self.ready(target)
        count = steps * len(subjects.names)
        frames = self.watch(subjects.film(steps, self.at_once), count)
        write_film(target, map(as_image, frames), fps)
        return count, target

    def ready(self, *targets: Path) -> None:
        """Make the folder; refuses what stands against writing the targets."""
        if there := [target for target in targets if target.exists()]:
            raise InputError(
                f"--out {self.out}: {there[0]} exists and is not overwritten; choose another --out"
            )
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise InputError(f"--out {self.out}: is a file; name a folder to write into") from None
        except OSError as error:
            raise InputError(f"--out {self.out}: cannot be made ({error.strerror})") from None
