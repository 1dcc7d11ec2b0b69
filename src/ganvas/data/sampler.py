"""Sample k of a run as a pure function of (seed, k): which pictures, which crop, which flip.

So a training's position in the data is one number, and neither workers nor restarts matter.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Draw:
    """What chance decided for one picture: numbers in [0, 1) for the crop, and the flip."""

    index: int
    left: float
    top: float
    flip: bool


@lru_cache(maxsize=4)
def permutation(seed: int, epoch: int, length: int) -> list[int]:
    """The order of an epoch."""
    order = list(range(length))
    random.Random(f"{seed}/order/{epoch}").shuffle(order)
    return order


def unpaired_draws(
    seed: int, k: int, sizes: tuple[int, int], *, serial: bool, flip: bool
) -> tuple[Draw, Draw]:
    """Sample k: A by the epoch's shuffled order, B at random, each with its own crop and flip.

    An epoch has as many samples as the larger domain; the smaller one is repeated in it
    (pytorch-CycleGAN-and-pix2pix, unaligned data). `serial` takes both at the same place.
    """
    epoch, place = divmod(k, max(sizes))
    chance = random.Random(f"{seed}/sample/{k}")
    first = place if serial else permutation(seed, epoch, max(sizes))[place]
    second = place if serial else chance.randrange(sizes[1])
    draws = [
        Draw(index % size, chance.random(), chance.random(), flip and chance.random() < 0.5)
        for index, size in zip((first, second), sizes, strict=True)
    ]
    return draws[0], draws[1]


def plain_draw(seed: int, k: int, size: int, *, serial: bool, flip: bool) -> Draw:
    """Sample k of one domain: by the epoch's shuffled order, or by that of the names."""
    epoch, place = divmod(k, size)
    chance = random.Random(f"{seed}/sample/{k}")
    index = place if serial else permutation(seed, epoch, size)[place]
    return Draw(index, chance.random(), chance.random(), flip and chance.random() < 0.5)


class EndlessBatches:
    """Batches of sample numbers from a given sample on, without end: a batch sampler.

    `batch_size` says how many there are in the batch that begins with a sample, so that it may
    change in a training, and the batches still follow from where they start. Of each it gives the
    `part` that is named by its number and by how many equal ones there are."""

    def __init__(
        self, batch_size: Callable[[int], int], start: int, part: tuple[int, int] = (0, 1)
    ) -> None:
        self.batch_size = batch_size
        self.start = start
        self.part = part

    def __iter__(self) -> Iterator[list[int]]:
        k, (index, count) = self.start, self.part
        while True:
            size = self.batch_size(k)
            each = size // count
            yield list(range(k + index * each, k + (index + 1) * each))
            k += size
