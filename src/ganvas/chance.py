"""Chance in a step that may be given a part of a batch only: draws for each picture are made for
the whole batch, and a part takes its own. So what a picture meets does not depend on how many parts
there are.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Part:
    """The part of the batch that a step is given: its number, how many there are, and the pictures
    in each."""

    index: int = 0
    count: int = 1
    pictures: int = 1

    @cached_property
    def own(self) -> torch.Generator | None:
        """Chance that no other part has; None, the default one, where there is no other."""
        if self.count == 1:
            return None
        seed = random.Random(f"{torch.initial_seed()}/{self.index}").getrandbits(63)
        return torch.Generator().manual_seed(seed)


PART: ContextVar[Part] = ContextVar("PART", default=Part())  # noqa: B039


@contextmanager
def dealt(index: int, count: int, pictures: int) -> Iterator[None]:
    """Steps in here are given that part of a batch, behind `torch.manual_seed` with a seed that
    all parts share."""
    token = PART.set(Part(index, count, pictures))
    try:
        yield
    finally:
        PART.reset(token)


def parts() -> int:
    """How many parts the batch is dealt out to."""
    return PART.get().count


def own() -> torch.Generator | None:
    """For draws that no other part makes: None, the default generator, where there is no other."""
    return PART.get().own


def part_of(whole: Tensor, dim: int = 0) -> Tensor:
    """Of what belongs to the whole batch, along `dim`, what belongs to this part. Where it is that
    of several batches, one after the other, so is what is given back."""
    part = PART.get()
    if part.count == 1:
        return whole
    dealt_out = whole.unflatten(dim, (-1, part.count, part.pictures))
    return dealt_out.select(dim + 1, part.index).flatten(dim, dim + 1)


def randn(*size: int, dim: int = 0, device: torch.device | str | None = None) -> Tensor:
    """`torch.randn`, where pictures are counted along `dim`."""
    return part_of(torch.randn(for_all(size, dim), device=device), dim)


def rand(
    *size: int,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """`torch.rand`, where pictures are counted along the first axis."""
    return part_of(torch.rand(for_all(size), dtype=dtype, device=device))


def for_all(size: tuple[int, ...], dim: int = 0) -> list[int]:
    """The size that it has for the whole batch."""
    return [length * parts() if axis == dim else length for axis, length in enumerate(size)]
