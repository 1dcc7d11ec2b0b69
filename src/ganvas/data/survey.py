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

from ganvas.data.decode import BadPicture, decode
from ganvas.data.prepare import Preparation
from ganvas.data.sources import Entry
from ganvas.errors import InputError
from ganvas.pictures import split_alpha

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
        image = decode(content, entry.name)
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
    entries: Sequence[Entry],
    preparation: Preparation | None = None,
    channels: int | None = None,
    on_picture: Callable[[], object] | None = None,
) -> Iterator[Seen]:
    """`look` at each, in order, on all cores; a few ahead of whoever takes them."""
    workers = min(os.cpu_count() or 1, 8)
    with ThreadPoolExecutor(workers) as pool:
        remaining = iter(entries)
        tasks = [
            pool.submit(look, e, preparation, channels) for e in islice(remaining, 4 * workers)
        ]
        while tasks:
            seen = tasks.pop(0).result()
            tasks += [pool.submit(look, e, preparation, channels) for e in islice(remaining, 1)]
            if on_picture is not None:
                on_picture()
            yield seen


def read_part(
    name: str,
    entries: Sequence[Entry],
    preparation: Preparation,
    *,
    channels: int | None = None,
    max_bad: int = 0,
    cache: Literal["auto", "memory", "none"] = "auto",
    on_picture: Callable[[], object] | None = None,
) -> Part:
    """Read and check all pictures of a part, as `channels` (1 grey, 3 RGB) where that is given.

    Raises:
        InputError: more than `max_bad` pictures cannot be used, or none is left.
    """
    budget = {"memory": float("inf"), "none": 0.0, "auto": free_memory() / 4}[cache]
    good: list[Seen] = []
    bad: list[Seen] = []
    total, hashes = 0, hashlib.sha256()
    for seen in look_at_all(entries, preparation, channels, on_picture):
        hashes.update(f"{seen.entry.name}\0{seen.digest}\n".encode())
        if seen.problem or seen.pixels is None:
            bad.append(seen)
            continue
        total += seen.pixels.nbytes
        if total > budget:
            seen = without_pixels(seen)
        good.append(seen)
    if len(bad) > max_bad:
        listed = "; ".join(seen.problem for seen in bad[:5])
        more = f"; and {len(bad) - 5} more" if len(bad) > 5 else ""
        allowed = f" (--max-bad {max_bad} allows {max_bad})" if max_bad else ""
        raise InputError(
            f"{len(bad)} of {len(entries)} pictures in {name} cannot be used{allowed}: "
            f"{listed}{more}. Mend or remove them, or skip them with --max-bad {len(bad)}"
        )
    if not good:
        raise InputError(f"{name}: none of its {len(entries)} pictures can be used")
    in_memory = total <= budget
    if not in_memory:
        good = [without_pixels(seen) for seen in good]
    kept = channels or (1 if all(seen.grey for seen in good) else 3)
    notes = [f"skipped {seen.problem}" for seen in bad]
    notes += notes_on(name, good, preparation, kept)
    return Part(good, kept, hashes.hexdigest(), in_memory, notes)


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
