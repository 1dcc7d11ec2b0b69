"""Read every picture of a part once, before training: what it is, whether it is sound, and its
pixels where they fit into memory."""

import hashlib
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal
from zipfile import BadZipFile

from torch import Tensor

from ganvas.data.decode import BadPicture, decode_entry
from ganvas.data.prepare import Preparation
from ganvas.data.sources import Entry
from ganvas.errors import InputError
from ganvas.pictures import split_alpha

Row = tuple[Entry, ...]
"""Pictures that are used together: one alone, or both of a pair."""
GREY_MODES = ("1", "L", "LA", "La")


@dataclass(frozen=True)
class Seen:
    """What reading one picture told."""

    entry: Entry
    digest: str = ""
    """SHA-256 of the file."""
    size: tuple[int, int] = (0, 0)
    """Width and height, upright."""
    mode: str = ""
    """Pillow's name: L, RGB, RGBA, P ..."""
    grey: bool = False
    flat: bool = False
    """All pixels are equal."""
    problem: str = ""
    """Why it cannot be used; empty where it can."""
    pixels: Tensor | None = None
    """uint8 (1 or 3, h, w), prepared for training."""


@dataclass
class Part:
    """The pictures of one part that can be used, read and checked."""

    seen: list[Seen]
    channels: int
    fingerprint: str
    """SHA-256 over the names and contents of all files."""
    in_memory: bool
    notes: list[str] = field(default_factory=list)
    """What a user should know: pictures skipped, enlarged, made colour or grey."""


def look(entry: Entry, preparation: Preparation | None = None, channels: int | None = None) -> Seen:
    """Read one picture; with a preparation, keep its prepared pixels."""
    try:
        content = entry.read()
    except (OSError, RuntimeError, KeyError, EOFError, BadZipFile, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        return Seen(entry, problem=f"{entry.name}: cannot be read ({reason})")
    digest = hashlib.sha256(content).hexdigest()
    try:
        image = decode_entry(entry, content)
    except BadPicture as bad:
        return Seen(entry, digest, problem=str(bad))
    grey = image.mode in GREY_MODES
    pixels = None
    if preparation is not None:
        pixels = preparation.training(image, channels or (1 if grey else 3))
    extrema = split_alpha(image)[0].getextrema()
    pairs = extrema if isinstance(extrema[0], tuple) else (extrema,)
    flat = all(low == high for low, high in pairs)  # pyright: ignore[reportGeneralTypeIssues]
    return Seen(entry, digest, image.size, image.mode, grey, flat, pixels=pixels)


def look_at_all(
    entries: Sequence[Entry], on_picture: Callable[[], object] | None = None
) -> Iterator[Seen]:
    """`look` at each, in order, on all cores."""
    for (seen,) in look_at_rows([(entry,) for entry in entries], None, [None], on_picture):
        yield seen


def look_at_rows(
    rows: Sequence[Row],
    preparation: Preparation | None,
    channels: Sequence[int | None],
    on_picture: Callable[[], object] | None = None,
) -> Iterator[tuple[Seen, ...]]:
    """`look` at the pictures of each row, in order, on all cores; a few rows ahead of whoever takes
    them. `channels` are those of a row's pictures."""

    def look_at(row: Row) -> tuple[Seen, ...]:
        return tuple(look(e, preparation, c) for e, c in zip(row, channels, strict=True))

    workers = min(os.cpu_count() or 1, 8)
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


def read_parts(
    names: Sequence[str],
    rows: Sequence[Row],
    preparation: Preparation,
    *,
    channels: Sequence[int | None],
    max_bad: int = 0,
    cache: Literal["auto", "memory", "none"] = "auto",
    on_picture: Callable[[], object] | None = None,
) -> list[Part]:
    """Read and check all pictures of a part; of several parts, whose pictures go together row by
    row. `channels` are what each part is taken with: 1 grey, 3 RGB, None as it is.

    Raises:
        InputError: more than `max_bad` rows have a picture that cannot be used, or pictures that
            differ in size, or none is left.
    """
    share = free_memory() / 4 * len(names)
    budget = {"memory": float("inf"), "none": 0.0, "auto": share}[cache]
    good: list[tuple[Seen, ...]] = []
    bad: list[str] = []
    total, hashes = 0, [hashlib.sha256() for _ in names]
    for row in look_at_rows(rows, preparation, channels, on_picture):
        for seen, known in zip(row, hashes, strict=True):
            known.update(f"{seen.entry.name}\0{seen.digest}\n".encode())
        if problem := problem_of(row):
            bad.append(problem)
            continue
        total += sum(seen.pixels.nbytes for seen in row if seen.pixels is not None)
        good.append(row if total <= budget else tuple(map(without_pixels, row)))
    what = f"{'pictures' if len(names) == 1 else 'pairs'} in {' and '.join(names)}"
    if len(bad) > max_bad:
        listed = "; ".join(bad[:5])
        more = f"; and {len(bad) - 5} more" if len(bad) > 5 else ""
        allowed = f" (--max-bad {max_bad} allows {max_bad})" if max_bad else ""
        raise InputError(
            f"{len(bad)} of {len(rows)} {what} cannot be used{allowed}: {listed}{more}. Mend or "
            f"remove them, or skip them with --max-bad {len(bad)}"
        )
    if not good:
        raise InputError(f"none of the {len(rows)} {what} can be used")
    in_memory = total <= budget
    if not in_memory:
        good = [tuple(map(without_pixels, row)) for row in good]
    parts = []
    for name, taken, known, seen in zip(
        names, channels, hashes, map(list, zip(*good, strict=True)), strict=True
    ):
        kept = taken or (1 if all(s.grey for s in seen) else 3)
        notes = notes_on(name, seen, preparation, kept)
        parts.append(Part(seen, kept, known.hexdigest(), in_memory, notes))
    parts[0].notes[:0] = [f"skipped {problem}" for problem in bad]
    return parts


def problem_of(row: Sequence[Seen]) -> str:
    """Why a row cannot be used; empty where it can."""
    for seen in row:
        if seen.problem:
            return seen.problem
    return unequal([(seen.entry.name, seen.size) for seen in row])


def unequal(sizes: Sequence[tuple[str, tuple[int, int]]]) -> str:
    """A sentence where not all of these names have one size; empty where they have."""
    if len({size for _, size in sizes}) < 2:
        return ""
    listed = ", ".join(f"{name} is {width}x{height}" for name, (width, height) in sizes)
    return f"{listed}: the pictures of a pair want one size"


def without_pixels(seen: Seen) -> Seen:
    return Seen(seen.entry, seen.digest, seen.size, seen.mode, seen.grey, seen.flat)


def notes_on(name: str, good: list[Seen], preparation: Preparation, channels: int) -> list[str]:
    """What is done to pictures that a user might not expect."""
    width, height = preparation.size
    small = [s for s in good if preparation.enlarges(s.size)]
    return [
        *said(name, good, f"smaller than the {width}x{height} crop, enlarged until it fits", small),
        *converted(name, good, channels),
        *said(name, good, "of one flat colour", [s for s in good if s.flat]),
    ]


def converted(name: str, good: list[Seen], channels: int) -> list[str]:
    """What decoding to grey or RGB changes."""
    found = {
        "grey, repeated to RGB": [s for s in good if s.grey and channels == 3],
        "in colour, taken to grey": [s for s in good if not s.grey and channels == 1],
        "not RGB (CMYK or alike), converted without a colour profile": [
            s for s in good if s.mode in ("CMYK", "YCbCr", "LAB", "HSV")
        ],
        "not opaque, laid over white": [s for s in good if s.mode in ("RGBA", "LA", "PA")],
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


def free_memory() -> float:
    """Bytes of memory that nothing uses now; 4 GiB where the system does not tell."""
    try:
        with open("/proc/meminfo") as lines:
            for line in lines:
                if line.startswith("MemAvailable"):
                    return float(line.split()[1]) * 1024
    except OSError:
        pass
    return 4 * 2.0**30
