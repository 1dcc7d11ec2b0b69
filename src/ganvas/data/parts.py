"""A domain's pictures, all read and found alike: their scale, and their pixels where these fit into
memory."""

import hashlib
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ganvas.data.prepare import Preparation
from ganvas.data.sources import Entry, InLab
from ganvas.data.survey import (
    Row,
    Seen,
    converted,
    first_names,
    look_at_rows,
    said,
    unequal,
)
from ganvas.errors import InputError
from ganvas.pictures import counted, from_unit, opaque
from ganvas.scales import LAB, Scale, scale_for

READERS: ContextVar[int] = ContextVar("READERS", default=1)
"""How many on this machine read pictures at the same time, and keep them, each for itself."""


@dataclass(frozen=True)
class Wanted:
    """What the settings say of one domain's pictures; left out, they are as they are."""

    channels: int | None = None
    """1 grey, 3 RGB, or as many as there are."""
    range: str | None = None
    """What becomes -1 and 1: see `scales.range_of`."""


@dataclass
class Part:
    """The pictures of one part that can be used, read and checked."""

    seen: list[Seen]
    scale: Scale
    fingerprint: str
    """SHA-256 over the names and contents of all files."""
    in_memory: bool
    """Whether the pixels of all are kept; else those of the first, as many as fit."""
    notes: list[str] = field(default_factory=list)
    """What a user should know: pictures skipped, enlarged, made colour or grey."""

    @property
    def channels(self) -> int:
        return self.scale.channels

    def tensor(self, values: np.ndarray) -> Tensor:
        """Prepared values (h, w, C) as (C, h, w): uint8 where that holds them whole, else float32
        in [-1, 1]."""
        return to_tensor(values, self.scale)


def to_tensor(values: np.ndarray, scale: Scale) -> Tensor:
    if not scale.is_bytes:
        return scale.unit(values)
    if values.dtype != np.uint8:
        return from_unit(scale.unit(values))
    return torch.from_numpy(values.transpose(2, 0, 1).copy())


def read_parts(
    names: Sequence[str],
    rows: Sequence[Row],
    preparation: Preparation,
    *,
    wanted: Sequence[Wanted],
    max_bad: int = 0,
    cache: Literal["auto", "memory", "none"] = "auto",
    on_picture: Callable[[], object] | None = None,
) -> list[Part]:
    """Read and check all pictures of a part; of several parts, whose pictures go together row by
    row. `wanted` is what the settings say of each part.

    Raises:
        InputError: more than `max_bad` rows have a picture that cannot be used, or pictures that
            differ in size, or none is left.
    """
    share = free_memory() / READERS.get() / 4 * len(names)
    budget = {"memory": float("inf"), "none": 0.0, "auto": share}[cache]
    good: list[tuple[Seen, ...]] = []
    bad: list[str] = []
    total, hashes = 0, [hashlib.sha256() for _ in names]
    channels = [want.channels for want in wanted]
    for row in look_at_rows(rows, preparation, channels, on_picture):
        for seen, known in zip(row, hashes, strict=True):
            known.update(f"{seen.entry.name}\0{seen.digest}\n".encode())
        if problem := problem_of(row):
            bad.append(problem)
            continue
        total += sum(map(bytes_of, row, wanted))
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
    if not in_memory and not hasattr(os, "fork"):
        # Workers that are not forked would each be sent what is kept.
        good = [tuple(map(without_pixels, row)) for row in good]
    columns = list(map(list, zip(*good, strict=True)))
    parts = [
        part_of(name, seen, want, preparation, known.hexdigest(), in_memory)
        for name, seen, want, known in zip(names, columns, wanted, hashes, strict=True)
    ]
    parts[0].notes[:0] = [f"skipped {problem}" for problem in bad]
    return parts


def part_of(
    name: str,
    seen: list[Seen],
    want: Wanted,
    preparation: Preparation,
    fingerprint: str,
    in_memory: bool,
) -> Part:
    """One part, its pictures scaled.

    Raises:
        InputError: they differ in type or channels, or not as is wanted.
    """
    check_types(name, seen)
    channels = want.channels or common_channels(name, seen)
    low, high = ends_of(seen, channels)
    try:
        scale = fixed_scale(seen[0].entry) or scale_for(
            seen[0].dtype, channels, low, high, want.range
        )
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    notes = notes_on(name, seen, preparation, channels) + scaling(name, seen, scale, low, high)
    seen = [scaled(s, scale) for s in seen]
    return Part(seen, scale, fingerprint, in_memory, notes)


def scaled(seen: Seen, scale: Scale) -> Seen:
    """With its pixels as the training wants them."""
    if seen.pixels is None:
        return seen
    values = seen.pixels.permute(1, 2, 0).numpy()
    if values.shape[2] == scale.channels - 1:
        # Alpha, taken as a channel, of a picture that has none.
        full = np.full_like(values[:, :, :1], opaque(np.empty(0, seen.dtype)))
        values = np.concatenate([values, full], 2)
    return replace(seen, pixels=to_tensor(values, scale))


def fixed_scale(entry: Entry) -> Scale | None:
    """The scale that follows from what is taken of a picture; None where it follows from values."""
    return LAB[entry.space] if isinstance(entry, InLab) else None


def check_types(name: str, seen: Sequence[Seen]) -> None:
    """Refuse pictures whose values do not mean the same."""
    found = Counter(s.dtype for s in seen)
    if len(found) > 1:
        (most, _), (odd, count) = found.most_common()[0], found.most_common()[-1]
        names = first_names([s for s in seen if s.dtype == odd])
        verb = "is" if count == 1 else "are"
        raise InputError(
            f"{name}: most pictures are {most}, but {count} of {len(seen)} {verb} {odd} ({names}); "
            "convert them, so that equal values mean the same"
        )


def common_channels(name: str, seen: Sequence[Seen]) -> int:
    """As many channels as all have; 3 where some are grey and some RGB."""
    found = Counter(s.channels for s in seen)
    if set(found) <= {1, 3}:
        return max(found)
    # Alpha, taken as a channel, is full where a picture has none.
    without = {s.channels + 1 for s in seen if not s.clear}
    having = {s.channels for s in seen if s.clear}
    if len(found) == 2 and len(having) == 1 and without == having:
        return max(found)
    if len(found) > 1:
        (most, _), (odd, count) = found.most_common()[0], found.most_common()[-1]
        names = first_names([s for s in seen if s.channels == odd])
        verb = "has" if count == 1 else "have"
        raise InputError(
            f"{name}: most pictures have {most} channels, but {count} of {len(seen)} {verb} {odd} "
            f"({names}); remove or convert them"
        )
    return max(found)


def ends_as(
    ends: tuple[float, ...], channels: int, seen: Seen, extreme: Callable[..., float]
) -> tuple[float, ...]:
    """One picture's ends for so many channels."""
    if len(ends) == channels:
        return ends
    if len(ends) == channels - 1:
        return (*ends, opaque(np.empty(0, seen.dtype)))
    return (extreme(ends),) * channels


def ends_of(seen: Sequence[Seen], channels: int) -> tuple[list[float], list[float]]:
    """The least and the greatest value of each channel in all pictures."""
    low, high = [math.inf] * channels, [-math.inf] * channels
    for s in seen:
        # Grey that is repeated counts for each; of colour that is taken to grey luma lies within.
        own_low, own_high = ends_as(s.low, channels, s, min), ends_as(s.high, channels, s, max)
        low = list(map(min, low, own_low))
        high = list(map(max, high, own_high))
    return low, high


def problem_of(row: Sequence[Seen]) -> str:
    """Why a row cannot be used; empty where it can."""
    for seen in row:
        if seen.problem:
            return seen.problem
    return unequal([(seen.entry.name, seen.size) for seen in row])


def bytes_of(seen: Seen, want: Wanted) -> int:
    """What its pixels take once they are scaled: float32, unless they stay 8 bits."""
    if seen.pixels is None:
        return 0
    whole = seen.dtype == "uint8" and want.range in (None, "type")
    return seen.pixels.numel() * (1 if whole else 4)


def without_pixels(seen: Seen) -> Seen:
    return replace(seen, pixels=None)


def notes_on(name: str, good: list[Seen], preparation: Preparation, channels: int) -> list[str]:
    """What is done to pictures that a user might not expect."""
    width, height = preparation.size
    small = [s for s in good if preparation.enlarges(s.size)]
    return [
        *said(name, good, f"smaller than the {width}x{height} crop, enlarged until it fits", small),
        *converted(name, good, channels, preparation.alpha),
        *said(name, good, "of one flat colour", [s for s in good if s.flat]),
    ]


def scaling(
    name: str, seen: Sequence[Seen], scale: Scale, low: Sequence[float], high: Sequence[float]
) -> list[str]:
    """How values become [-1, 1], where that is not plain; and whether some are cut off."""
    if scale.space or (scale.is_bytes and scale.channels in (1, 3)):
        return []
    what = f"{scale.dtype}, {counted(scale.channels)}"
    notes = [f"{name}: {what}; values {scale.ends_told()} become -1 to 1"]
    bottom, top = scale.ends()
    if any(a < b for a, b in zip(low, bottom, strict=True)) or any(
        a > b for a, b in zip(high, top, strict=True)
    ):
        notes.append(
            f"{name}: its values go from {min(low):g} to {max(high):g}, and those beyond the range "
            "given are cut off"
        )
    return notes


@contextmanager
def memory_shared(readers: int) -> Iterator[None]:
    """So many on this machine read here at the same time, none of which sees what the others are
    about to take."""
    token = READERS.set(readers)
    try:
        yield
    finally:
        READERS.reset(token)


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
