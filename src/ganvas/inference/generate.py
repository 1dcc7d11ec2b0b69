"""Seeds through a trained generator: files, a grid, or the frames of a film."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ganvas.errors import InputError
from ganvas.inference.film import FPS, Format, film_format, write_film
from ganvas.inference.jobs import ending
from ganvas.inference.translate import save
from ganvas.methods.base import Method
from ganvas.methods.generator import AT_ONCE, Generator
from ganvas.pictures import Picture, as_rgb, from_pil, from_unit, grid, to_image
from ganvas.runs.samples import square

MOST = 1_000_000
STRAIGHT = 1e-6


def seeds_of(text: str) -> list[int]:
    """`0-3,7,20-22` as numbers, in the order given.

    Raises:
        InputError: it says something else.
    """
    ranges = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,99})\s*(?:-\s*([0-9]{1,99})\s*)?", part)
        if match is None:
            raise InputError(f"--seeds {text}: wants numbers and ranges, such as 0-15 or 0-3,7,20")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise InputError(f"--seeds {text}: {part.strip()} ends before it begins")
        if last >= 2**32:
            raise InputError(f"--seeds {text}: seeds go up to 2^32 - 1")
        ranges.append(range(first, last + 1))
    if sum(r.stop - r.start for r in ranges) > MOST:
        raise InputError(f"--seeds {text}: are more than {MOST:,}; take them in several calls")
    return list(chain.from_iterable(ranges))


def generator_of(method: Method) -> Generator:
    """The method, if it makes pictures from noise.

    Raises:
        InputError: it does not.
    """
    if not isinstance(method, Generator):
        raise InputError(
            f"{method.name} makes pictures from pictures and not from noise; `ganvas translate` "
            "uses it"
        )
    return method


@dataclass(frozen=True)
class Making:
    """Pictures of seeds, into a folder that holds none of them yet.

    Each way of making them returns how many there are and where, and raises InputError, before
    anything is computed or written, where it would overwrite a file or there is no such class.
    """

    method: Generator
    seeds: list[int]
    out: Path
    label: str | None = None
    at_once: int = AT_ONCE
    watch: Callable[[Iterable[Tensor], float], Iterable[Tensor]] = lambda made, count: made
    """Passes pictures on, `count` in all: progress."""
    format: str | None = None
    """What files are written as."""

    def files(self) -> tuple[int, Path]:
        """seed0000.png and so on, one a seed; .tif where PNG does not hold the pictures."""
        seeds, scale = list(dict.fromkeys(self.seeds)), self.method.scales["pictures"]
        suffix = ending(".png", scale, self.format)
        targets = [self.out / f"seed{seed:04d}{suffix}" for seed in seeds]
        labels = self.ready(targets, seeds)
        for x, target in zip(
            self.made(self.latents(seeds), labels, len(seeds)), targets, strict=True
        ):
            save(Picture(scale.values(x)), target)
        return len(seeds), self.out

    def grid(self) -> tuple[int, Path]:
        """grid.png, all of them in a square."""
        target, count = self.out / "grid.png", len(self.seeds)
        labels = self.ready([target], self.seeds)
        cells = [x.cpu() for x in self.made(self.latents(self.seeds), labels, count)]
        save(from_pil(grid(square(cells))), target)
        return count, target

    def film(self, steps: int, format: Format | None = None, fps: int = FPS) -> tuple[int, Path]:
        """film.mp4 or film.gif: `steps` frames from each seed to the next, and back to the first,
        all of the class that the first seed shows."""
        if len(set(self.seeds)) < 2:
            raise InputError("--seeds: a film goes from seed to seed and wants at least two")
        target = self.out / f"film.{film_format(format, fps)}"
        labels = self.ready([target], self.seeds[:1])
        count = steps * len(self.seeds)
        labels = None if labels is None else labels.expand(count)
        frames = self.made(loop(self.method.latents(self.seeds), steps), labels, count)
        write_film(target, map(as_image, frames), fps)
        return count, target

    def ready(self, targets: list[Path], seeds: list[int]) -> Tensor | None:
        """Labels for the seeds; refuses what stands against writing the targets."""
        if there := [target for target in targets if target.exists()]:
            raise InputError(
                f"--out {self.out}: {there[0]} exists and is not overwritten; choose another --out"
            )
        labels = self.method.labels(seeds, self.label)
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise InputError(f"--out {self.out}: is a file; name a folder to write into") from None
        except OSError as error:
            raise InputError(f"--out {self.out}: cannot be made ({error.strerror})") from None
        return labels

    def latents(self, seeds: list[int]) -> Iterator[Tensor]:
        return (self.method.latents([seed])[0] for seed in seeds)

    def made(
        self, latents: Iterator[Tensor], labels: Tensor | None, count: int
    ) -> Iterable[Tensor]:
        return self.watch(pictures(self.method, latents, labels, self.at_once), count)


def as_image(x: Tensor) -> Image.Image:
    """(C, H, W) in [-1, 1] to a picture to look at, of mode L or RGB."""
    return to_image(from_unit(x if len(x) in (1, 3) else as_rgb(x)))


def pictures(
    method: Generator, latents: Iterable[Tensor], labels: Tensor | None, at_once: int
) -> Iterator[Tensor]:
    """Latents (nz,), and a label for each, to pictures (C, H, W) in [-1, 1], one after the other;
    `at_once` are computed together and held."""
    device, latents, done = next(method.parameters()).device, iter(latents), 0
    while few := list(islice(latents, at_once)):
        y = None if labels is None else labels[done : done + len(few)]
        yield from method.render(torch.stack(few).to(device), y, at_once)
        done += len(few)


def loop(z: Tensor, steps: int) -> Iterator[Tensor]:
    """Latents (nz,): `steps` from each of z (N, nz) to the next, and from the last to the first.

    Number k * steps is z[k] itself, and the first follows the last as any follows the one before.
    """
    z = z.cpu()
    for a, b in zip(z, z.roll(-1, 0), strict=True):
        yield from (slerp(a, b, step / steps) for step in range(steps))


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """From a (nz,) at t = 0 to b at t = 1 at an even angular speed (Shoemake 1985; White 2016,
    "Sampling Generative Networks").

    In nz dimensions a Gaussian lies near a sphere of radius sqrt(nz). The straight line between
    two of its points passes much nearer to the origin, by sqrt(1/2) in the middle, where the
    network has hardly seen a latent; the arc stays where they are.
    """
    p, q = a.double(), b.double()
    angle = torch.acos((p @ q / (p.norm() * q.norm())).clamp(-1, 1))
    if angle.sin() < STRAIGHT:  # the same direction, or the opposite one: there is no one arc
        return torch.lerp(p, q, t).to(a)
    return ((((1 - t) * angle).sin() * p + (t * angle).sin() * q) / angle.sin()).to(a)
