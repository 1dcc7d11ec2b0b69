"""Training batches beside the transforms of pytorch-CycleGAN-and-pix2pix.

GANVAS_PICTURES names a folder of photographs to take; without it the scenes of `sample:streets` are
drawn.
"""

import io
import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.tables import Options, Table, ratios, with_spread
from benchmarks.turns import Measured, Side, Turn, alternate
from ganvas.config import Settings
from ganvas.data.opening import open_training_set
from ganvas.data.sources import open_source
from ganvas.engine import Engine
from ganvas.errors import InputError

ROUNDS = 9
COUNT = 16
"""Pictures of each domain."""
SHOWN = 32
"""Pictures in a turn."""
LOAD, CROP = 286, 256
HEAD = (
    "pictures",
    "batch",
    "--resizing",
    "ganvas, pictures a second",
    "transforms, pictures a second",
    "times as many",
)


def transformed(image: Image.Image) -> Tensor:
    """float32 (3, 256, 256) in [-1, 1]: what torchvision 0.29 does for the reference's Resize,
    RandomCrop, RandomHorizontalFlip, ToTensor and Normalize (base_dataset.py, get_transform)."""
    image = image.resize((LOAD, LOAD), Image.Resampling.BICUBIC)
    left, top = random.randrange(LOAD - CROP + 1), random.randrange(LOAD - CROP + 1)
    image = image.crop((left, top, left + CROP, top + CROP))
    if random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = torch.from_numpy(np.array(image, np.uint8, copy=True))
    x = pixels.permute(2, 0, 1).contiguous().to(torch.float32).div(255).clone()
    half = torch.as_tensor((0.5, 0.5, 0.5)).view(-1, 1, 1)
    return x.sub_(half).div_(half)


def reference(folder: str, batch_size: int, decoding: bool) -> Turn:
    """The reference's batches, with nothing of a loader around them."""

    def opened(path: Path) -> Image.Image:
        return Image.open(path).convert("RGB")

    paths = {name: sorted(Path(folder, f"train{name}").iterdir()) for name in "AB"}
    if decoding:
        ways = {name: [partial(opened, p) for p in paths[name]] for name in "AB"}
    else:
        kept = {name: [opened(p) for p in paths[name]] for name in "AB"}
        ways = {name: [partial(as_it_is, image) for image in kept[name]] for name in "AB"}

    def turn() -> None:
        for _ in range(SHOWN // 2 // batch_size):
            for domain in "AB":
                chosen = random.choices(ways[domain], k=batch_size)
                torch.stack([transformed(way()) for way in chosen])

    return turn


def as_it_is(image: Image.Image) -> Image.Image:
    return image


def ours(folder: str, batch_size: int, decoding: bool, resizing: str) -> Turn:
    """The batches that a training of CycleGAN is given."""
    given: dict[str, Any] = {
        "data": folder,
        "size": CROP,
        "load_size": LOAD,
        "batch_size": batch_size,
        "cache": "none" if decoding else "memory",
        "workers": 0,
        "resizing": resizing,
        "flip": True,
    }
    config = Settings.from_mapping(given)
    batches = open_training_set("unpaired", config).batches(0)
    engine = Engine.start("cpu")

    def turn() -> None:
        for batch in islice(batches, SHOWN // 2 // batch_size):
            engine.place_batch(batch)

    return turn


@contextmanager
def written(size: int, kind: str) -> Iterator[str]:
    """A folder with trainA/ and trainB/, of square pictures of that size."""
    source = os.environ.get("GANVAS_PICTURES") or "sample:streets"
    entries = open_source(source, (size, size))
    with TemporaryDirectory() as folder:
        for domain, step in (("A", 1), ("B", -1)):
            place = Path(folder, f"train{domain}")
            place.mkdir()
            for i, entry in enumerate(entries[::step][:COUNT]):
                image = Image.open(io.BytesIO(entry.read())).convert("RGB")
                image = image.resize((size, size), Image.Resampling.LANCZOS)
                image.save(place / f"{i}.{kind}", quality=92)
        yield folder


def compared(
    options: Options, size: int, kind: str, decoding: bool
) -> Iterator[tuple[int, dict[str, Measured]]]:
    """Of each batch size, the turns of the reference, and of ours by each way of resizing."""
    if options.batch_size is not None and SHOWN // 2 % options.batch_size:
        raise InputError(f"--batch-size {options.batch_size}: must divide {SHOWN // 2} here")
    ways = ("pillow", "torch") if decoding else ("pillow",)
    with written(size, kind) as folder:
        for batch_size in (1, 16) if options.batch_size is None else (options.batch_size,):
            arguments = {"folder": folder, "batch_size": batch_size, "decoding": decoding}
            sides = [Side(way, ours, arguments | {"resizing": way}) for way in ways]
            sides.append(Side("transforms", reference, arguments))
            yield batch_size, alternate(sides, options.rounds or ROUNDS, threads=options.threads)


def table_of(title: str, options: Options, kinds: Sequence[str], decoding: bool) -> Table:
    rows, figures = [], {}
    for size in (256, 512):
        for kind in kinds:
            for batch_size, found in compared(options, size, kind, decoding):
                what = f"{size}x{size}" + (f", {kind}" if decoding else "")
                rows += rows_of((what, str(batch_size)), found)
                seconds = {side: m.seconds for side, m in found.items()}
                figures[f"{what}, batch {batch_size}"] = seconds | {"pictures": SHOWN}
    return Table(title, HEAD, rows, figures)


def rows_of(begin: tuple[str, str], found: dict[str, Measured]) -> list[tuple[str, ...]]:
    theirs = found["transforms"]
    return [
        (*begin, way, pace(side), pace(theirs), with_spread(ratios(theirs, side), "{:.2f}"))
        for way, side in found.items()
        if side is not theirs
    ]


def pace(side: Measured) -> str:
    """Pictures a second."""
    return with_spread([SHOWN / seconds for seconds in side.seconds], "{:.0f}")


def in_memory(options: Options) -> Iterator[Table]:
    """Batches of 256x256 crops of pictures in memory, on one core."""
    yield table_of("Batches of pictures in memory", options, ["png"], decoding=False)


def decoding(options: Options) -> Iterator[Table]:
    """Batches of 256x256 crops of files that are decoded every time, on one core."""
    yield table_of("Batches of files decoded each time", options, ["jpg", "png"], decoding=True)
