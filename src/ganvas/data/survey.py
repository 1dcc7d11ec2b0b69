"""Read every picture once, before training: what it is, and whether it is sound."""

import hashlib
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from zipfile import BadZipFile

import imagecodecs
import torch
from torch import Tensor

from ganvas.data.bad import BadPicture
from ganvas.data.decode import decode_entry
from ganvas.data.prepare import Preparation
from ganvas.data.sources import Entry
from ganvas.errors import InputError
from ganvas.pictures import Alpha

Row = tuple[Entry, ...]
"""Pictures that are used together: one alone, or both of a pair."""


@dataclass(frozen=True)
class Seen:
    """What reading one picture told."""

    entry: Entry
    digest: str = ""
    """SHA-256 of the file."""
    check: int = 0
    """CRC-32 of the file, which is found in a tenth of the time."""
    size: tuple[int, int] = (0, 0)
    """Width and height, upright."""
    mode: str = ""
    """L, RGB, RGBA, P, uint16 x 4 ..."""
    channels: int = 0
    dtype: str = "uint8"
    clear: bool = False
    """It has alpha."""
    low: tuple[float, ...] = ()
    """The least value of each channel."""
    high: tuple[float, ...] = ()
    problem: str = ""
    """Why it cannot be used; empty where it can."""
    pixels: Tensor | None = None
    """(C, h, w), prepared for training, as `Part.tensor` gives it."""

    @property
    def grey(self) -> bool:
        return self.channels == 1

    @property
    def flat(self) -> bool:
        """Whether all pixels are equal."""
        return self.low == self.high


def look(entry: Entry, preparation: Preparation | None = None, channels: int | None = None) -> Seen:
    """Read one picture; with a preparation, keep what it makes of it, not yet scaled."""
    try:
        content = entry.read()
    except (OSError, RuntimeError, KeyError, EOFError, BadZipFile, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        return Seen(entry, problem=f"{entry.name}: cannot be read ({reason})")
    digest = hashlib.sha256(content).hexdigest()
    try:
        picture = decode_entry(entry, content)
        alpha = "white" if preparation is None else preparation.alpha
        flat = picture.flat(alpha)
        pixels = None
        if preparation is not None:
            values = preparation.training(picture, channels or flat.shape[2])
            pixels = torch.from_numpy(values.transpose(2, 0, 1).copy())
    except BadPicture as bad:
        return Seen(entry, digest, problem=str(bad))
    except InputError as error:
        return Seen(entry, digest, problem=f"{entry.name}: {error}")
    # Row by row first: both axes at once take a hundred times as long.
    low, high = flat.min(0).min(0).tolist(), flat.max(0).max(0).tolist()
    return Seen(
        entry,
        digest,
        imagecodecs.deflate_crc32(content),
        picture.size,
        picture.kind,
        flat.shape[2],
        str(flat.dtype),
        picture.alpha is not None,
        tuple(map(float, low)),
        tuple(map(float, high)),
        pixels=pixels,
    )


def look_at_all(
    entries: Sequence[Entry],
    on_picture: Callable[[], object] | None = None,
    workers: int | None = None,
) -> Iterator[Seen]:
    """`look` at each, in order, on all cores or so many."""
    rows = [(entry,) for entry in entries]
    for (seen,) in look_at_rows(rows, None, [None], on_picture, workers):
        yield seen


def look_at_rows(
    rows: Sequence[Row],
    preparation: Preparation | None,
    channels: Sequence[int | None],
    on_picture: Callable[[], object] | None = None,
    workers: int | None = None,
) -> Iterator[tuple[Seen, ...]]:
    """`look` at the pictures of each row, in order, on all cores; a few rows ahead of whoever takes
    them. `channels` are those of a row's pictures."""

    def look_at(row: Row) -> tuple[Seen, ...]:
        return tuple(look(e, preparation, c) for e, c in zip(row, channels, strict=True))

    workers = workers or min(os.cpu_count() or 1, 8)
    with ThreadPoolExecutor(workers) as pool:
        remaining = iter(rows)
        tasks = [pool.submit(look_at, row) for row in islice(remaining, 4 * workers)]
        while tasks:
            seen = tasks.pop(0).result()
            tasks += [pool.submit(look_at, row) for row in islice(remaining, 1)]
            for _ in seen:
                if on_picture is not None:
                    on_picture()
            yield seen


def unequal(sizes: Sequence[tuple[str, tuple[int, int]]]) -> str:
    """A sentence where not all of these names have one size; empty where they have."""
    if len({size for _, size in sizes}) < 2:
        return ""
    listed = ", ".join(f"{name} is {width}x{height}" for name, (width, height) in sizes)
    return f"{listed}: the pictures of a pair want one size"


def converted(name: str, good: list[Seen], channels: int, alpha: Alpha = "white") -> list[str]:
    """What decoding to so many channels changes."""
    clear = "its alpha taken for a channel" if alpha == "channel" else f"laid over {alpha}"
    found = {
        "grey, repeated to RGB": [s for s in good if s.grey and channels == 3],
        "in colour, taken to grey": [s for s in good if s.channels == 3 and channels == 1],
        "not RGB (CMYK or alike), converted without a colour profile": [
            s for s in good if s.mode in ("CMYK", "YCbCr", "LAB", "HSV")
        ],
        f"not opaque, {clear}": [s for s in good if s.clear],
    }
    return [note for what, pictures in found.items() for note in said(name, good, what, pictures)]


def said(name: str, good: list[Seen], what: str, pictures: list[Seen]) -> list[str]:
    """`trainA: 2 of 9 pictures are ... (trainA/1.png, trainA/7.png)`; nothing where none is."""
    if not pictures:
        return []
    if len(pictures) == len(good):
        return [f"{name}: all {len(good)} pictures are {what}"]
    verb = "is" if len(pictures) == 1 else "are"
    return [
        f"{name}: {len(pictures)} of {len(good)} pictures {verb} {what} ({first_names(pictures)})"
    ]


def first_names(pictures: Sequence[Seen], count: int = 3) -> str:
    """`trainA/1.png, trainA/2.png and 40 more`."""
    names = ", ".join(seen.entry.name for seen in pictures[:count])
    return names if len(pictures) <= count else f"{names} and {len(pictures) - count} more"
