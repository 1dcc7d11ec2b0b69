"""Built-in sets, drawn on the spot: nothing is downloaded, and equal seeds draw equal pictures."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image

from ganvas.data.samples import streets
from ganvas.errors import InputError


@dataclass(frozen=True)
class Sample:
    """A built-in set: the sizes of its parts and what it shows."""

    train: int
    test: int
    size: tuple[int, int]
    smallest: int
    """The least width and height that it can be drawn at."""
    about: str


SAMPLES = {
    "streets": Sample(400, 50, (128, 128), 32, "label maps (A) and pictures (B) of street scenes"),
}
# Scenes of different parts never meet: each part draws from seeds of its own.
FIRST_SEEDS = {"trainA": 0, "trainB": 1_000_000, "testA": 2_000_000, "testB": 2_000_000}
SEEDS_A_SET = 10_000_000


@dataclass(frozen=True)
class SampleEntry:
    """One picture of a sample, drawn when it is read."""

    part: str
    index: int
    width: int
    height: int
    seed: int = 0

    @property
    def name(self) -> str:
        return f"{self.part}/{self.index:04d}.png"

    def read(self) -> bytes:
        seed = self.seed * SEEDS_A_SET + FIRST_SEEDS[self.part] + self.index
        labels, photo = drawn(seed, self.width, self.height)
        file = io.BytesIO()
        Image.fromarray(labels if self.part.endswith("A") else photo).save(file, "PNG")
        return file.getvalue()


@lru_cache(maxsize=1)
def drawn(seed: int, width: int, height: int):
    """A scene's labels and photo; testA and testB ask for the same scene."""
    return streets.draw(seed, width, height)


def sample_entries(
    name: str, size: tuple[int, int], count: int | None = None, seed: int = 0
) -> Iterator[SampleEntry]:
    """The pictures of a sample: unpaired training sets, and test sets paired by name.

    A size below the sample's smallest is drawn larger: training brings it to size.
    """
    sample = SAMPLES[name]
    width, height = (max(length, sample.smallest) for length in size)
    for part in ("testA", "testB", "trainA", "trainB"):
        full = sample.train if part.startswith("train") else sample.test
        wanted = full if count is None else count
        if part.startswith("test") and count is not None:
            wanted = max(1, count // 8)
        for index in range(wanted):
            yield SampleEntry(part, index, width, height, seed)


def write_sample(
    name: str, folder: Path, size: tuple[int, int], count: int | None = None, seed: int = 0
) -> int:
    """Write a sample as PNG files into `folder/trainA` and so on: how many were written.

    Raises:
        InputError: a number is below what can be drawn, or the folder cannot be written to.
    """
    least = SAMPLES[name].smallest
    if min(size) < least:
        raise InputError(
            f"--size {size[0]}x{size[1]}: {name} wants at least {least} pixels each way"
        )
    for option, value, lowest in (("count", count, 1), ("seed", seed, 0)):
        if value is not None and value < lowest:
            raise InputError(f"--{option} {value}: must be at least {lowest}")
    written = 0
    for entry in sample_entries(name, size, count, seed):
        path = folder / entry.name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(entry.read())
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from None
        written += 1
    return written
