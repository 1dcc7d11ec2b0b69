"""Built-in sets, drawn on the spot: nothing is downloaded, and equal seeds draw equal pictures."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganvas.data.samples import shapes, streets
from ganvas.errors import InputError


@dataclass(frozen=True)
class Sample:
    """A built-in set: its parts, how their pictures are drawn, and what it shows."""

    parts: dict[str, int]
    """How many pictures each folder holds: a domain's part, or a class."""
    draw: Callable[[str, int, int, int, int], np.ndarray]
    """(part, index, seed, width, height) -> (height, width, 3) uint8; twice as wide where it shows
    two side by side."""
    size: tuple[int, int]
    smallest: int
    """The least width and height that it can be drawn at."""
    about: str
    pairs: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Names under which train and test are drawn as A and B of the same things."""
    suggests: dict[str, dict[str, Any]] = field(default_factory=dict)
    """For a method's name, the settings that suit this set on a laptop."""


CONTRASTIVE: dict[str, Any] = {
    "size": "64",
    "n_blocks": 3,
    "ngf": 16,
    "ndf": 16,
    "netF_nc": 64,
    "num_patches": 128,
    "lr": 0.0005,
    "batch_size": 1,
    "ema": "0.5kimg",
    "duration": "5min",
}
SAMPLES: dict[str, Sample] = {
    "streets": Sample(
        parts=streets.PARTS,
        draw=streets.draw_part,
        size=(128, 128),
        smallest=32,
        about="label maps (A) and pictures (B) of street scenes",
        pairs=streets.PAIRS,
        suggests={
            "bigan": {
                "size": "64",
                "n_blocks": 3,
                "ngf": 24,
                "ndf": 32,
                "lr": 0.0005,
                "batch_size": 1,
                "ema": "0.5kimg",
                "duration": "5min",
            },
            "cogan": {
                "size": "64",
                "ngf": 8,
                "ndf": 8,
                "own_G": 2,
                "batch_size": 16,
                "lr": 0.0005,
                "search_starts": 2,
                "ema": "2kimg",
                "duration": "5min",
            },
            "cyclegan": {
                "size": "64",
                "n_blocks": 3,
                "ngf": 16,
                "ndf": 24,
                "lambda_identity": 0.0,
                "lr": 0.0005,
                "batch_size": 1,
                "ema": "0.5kimg",
                "duration": "5min",
            },
            "cut": CONTRASTIVE,
            "fastcut": CONTRASTIVE,
            "discogan": {
                "ngf": 24,
                "ndf": 24,
                "batch_size": 4,
                "lr": 0.0005,
                "gan_curriculum": 500,
                "ema": "0.5kimg",
                "duration": "5min",
            },
            "dualgan": {
                "size": "64",
                "n_downs": 6,
                "ngf": 16,
                "ndf": 24,
                "lr": 0.0002,
                "ema": "0.5kimg",
                "duration": "5min",
            },
            "featgan": {
                "size": "64",
                "n_blocks": 3,
                "ngf": 32,
                "ndf": 40,
                "lr": 0.0005,
                "batch_size": 1,
                "ema": "0.5kimg",
                "duration": "5min",
            },
            "simgan": {
                "size": "64",
                "n_blocks": 3,
                "ngf": 36,
                "ndf": 40,
                "lr": 0.0005,
                "batch_size": 1,
                "ema": "0.5kimg",
                "duration": "5min",
            },
        },
    ),
    "street-pairs": Sample(
        parts=streets.SIDE_BY_SIDE,
        draw=streets.draw_part,
        size=(128, 128),
        smallest=32,
        about="the scenes of streets' photos, label map and picture side by side",
        pairs=streets.PAIRS,
        suggests={
            "pix2pix": {
                "size": "64",
                "generator": "resnet",
                "n_blocks": 3,
                "ngf": 16,
                "ndf": 24,
                "norm": "instance",
                "dropout": False,
                "lr": 0.0005,
                "batch_size": 1,
                "ema": "0.5kimg",
                "duration": "5min",
            }
        },
    ),
    "shapes": Sample(
        parts=shapes.PARTS,
        draw=shapes.draw,
        size=(64, 64),
        smallest=shapes.SMALLEST,
        about="coloured shapes with textures in five classes",
        suggests={
            "dcgan": {
                "size": "32",
                "ngf": 32,
                "ndf": 32,
                "conditional": True,
                "lr": 0.0005,
                "batch_size": 64,
                "duration": "40ep",
                "ema": "2kimg",
            },
            "stargan": {
                "size": "32",
                "ngf": 16,
                "ndf": 24,
                "n_blocks": 2,
                "lambda_cls": 2.0,
                "d_steps": "1",
                "lr": 0.001,
                "batch_size": 8,
                "ema": "1kimg",
                "duration": "10min",
            },
            "stylegan": {"preset": "tiny"},
            "r3gan": {"preset": "tiny"},
        },
    ),
}


@dataclass(frozen=True)
class SampleEntry:
    """One picture of a sample, drawn when it is read."""

    sample: str
    part: str
    index: int
    width: int
    height: int
    seed: int = 0

    @property
    def name(self) -> str:
        return f"{self.part}/{self.index:04d}.png"

    def read(self) -> bytes:
        draw = SAMPLES[self.sample].draw
        file = io.BytesIO()
        picture = draw(self.part, self.index, self.seed, self.width, self.height)
        Image.fromarray(picture).save(file, "PNG")
        return file.getvalue()


def suggested(source: str, method: str) -> dict[str, Any]:
    """The settings that suit a built-in set for that method; none for other sources."""
    sample = SAMPLES.get(source.removeprefix("sample:")) if source.startswith("sample:") else None
    return dict(sample.suggests.get(method, {})) if sample else {}


def sample_entries(
    name: str, size: tuple[int, int], count: int | None = None, seed: int = 0
) -> Iterator[SampleEntry]:
    """The pictures of a sample, sorted by name: `count` in each training part or class, and
    an eighth of it in each test part.

    A size below the sample's smallest is drawn larger: training brings it to size.
    """
    sample = SAMPLES[name]
    width, height = (max(length, sample.smallest) for length in size)
    for part, full in sorted(sample.parts.items()):
        wanted = full if count is None else count
        if part.startswith("test") and count is not None:
            wanted = max(1, count // 8)
        for index in range(wanted):
            yield SampleEntry(name, part, index, width, height, seed)


def sample_pairs(
    name: str, part: str, size: tuple[int, int]
) -> list[tuple[SampleEntry, SampleEntry]]:
    """A and B of the same things, of train or test; none where the sample has no such."""
    sample = SAMPLES[name]
    width, height = (max(length, sample.smallest) for length in size)
    if part not in sample.pairs:
        return []
    a, b = sample.pairs[part]
    return [
        (SampleEntry(name, a, i, width, height), SampleEntry(name, b, i, width, height))
        for i in range(sample.parts.get(b, sample.parts.get(part, 0)))
    ]


def write_sample(
    name: str, folder: Path, size: tuple[int, int], count: int | None = None, seed: int = 0
) -> int:
    """Write a sample as PNG files into a folder for each of its parts: how many were written.

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
