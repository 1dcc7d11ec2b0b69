"""Latents through a trained generator, and the way from one to the next."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice

import torch
from PIL import Image
from torch import Tensor

from ganvas.errors import InputError
from ganvas.methods.base import Method
from ganvas.methods.generator import Generator
from ganvas.pictures import as_rgb, from_unit, to_image

MOST = 1_000_000
STRAIGHT = 1e-6


def seeds_of(text: str, option: str = "seeds") -> list[int]:
    """`0-3,7,20-22` as numbers, in the order given.

    Raises:
        InputError: it says something else.
    """
    ranges = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,99})\s*(?:-\s*([0-9]{1,99})\s*)?", part)
        if match is None:
            raise InputError(
                f"--{option} {text}: wants numbers and ranges, such as 0-15 or 0-3,7,20"
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise InputError(f"--{option} {text}: {part.strip()} ends before it begins")
        if last >= 2**32:
            raise InputError(f"--{option} {text}: seeds go up to 2^32 - 1")
        ranges.append(range(first, last + 1))
    if sum(r.stop - r.start for r in ranges) > MOST:
        raise InputError(f"--{option} {text}: are more than {MOST:,}; take them in several calls")
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
