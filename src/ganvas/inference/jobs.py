"""What a call of `ganvas translate` is to do: which pictures, where their results go, and whether
they can be used at all."""

import glob
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np

from ganvas.data.encode import fitting, holds
from ganvas.data.sources import SUFFIXES, Entry, FileEntry, Half, files_below, is_picture
from ganvas.data.survey import Seen, look_at_all
from ganvas.engine import ALONE, Processes
from ganvas.errors import InputError
from ganvas.methods.base import Direction
from ganvas.methods.translator import Translator
from ganvas.pictures import Alpha, counted
from ganvas.scales import Scale

SHOWN = 5
LARGE = 16 * 2**20
"""Files of more bytes are decoded one at a time."""


@dataclass(frozen=True)
class Job:
    """One picture to translate, and where the result goes."""

    source: Path
    target: Path
    size: tuple[int, int] = (0, 0)
    """Width and height, once it has been looked at."""

    def entry(self, half: Literal["A", "B"] | None) -> Entry:
        """The picture; where it shows A and B side by side, one of them."""
        whole = FileEntry(Path(), str(self.source))
        return Half(whole, half) if half else whole


def plan(
    inputs: list[str],
    out: Path,
    results: Scale,
    skip_existing: bool = False,
    format: str | None = None,
    depth: np.dtype | None = None,
) -> list[Job]:
    """A job for every picture in these files, folders and globs; subfolders are kept.

    `results` are what the translations hold. They are written in their source's format, where
    that holds them, else in the nearest that does, or in the one that is named.

    Raises:
        InputError: an input is not there or holds no picture, two would get one name, or a
            result is there already (`skip_existing` leaves such pictures out instead).
    """
    jobs = [
        Job(source, out / name.with_suffix(ending(name.suffix, results, format, depth)))
        for text in inputs
        for source, name in pictures_in(text)
    ]
    sources: dict[Path, Path] = {}
    for job in jobs:
        other = sources.setdefault(job.target, job.source)
        if other.resolve() != job.source.resolve():
            raise InputError(
                f"{job.source} and {other} would both be written to {job.target}; translate them "
                "in two calls with different --out"
            )
        if job.target.exists() and not skip_existing:
            raise InputError(
                f"--out {out}: {job.target} exists and is not overwritten; choose another --out, "
                "or leave such pictures out with --skip-existing"
            )
    return [Job(source, target) for target, source in sources.items() if not target.exists()]


def depth_of(bits: str | None, results: Scale) -> np.dtype | None:
    """The type that is asked for, as bits.

    Raises:
        InputError: the results have a type of their own.
    """
    if bits is None:
        return None
    if not results.by_type and not results.space:
        raise InputError(
            f"--depth {bits}: these results have values of their own ({results.dtype}, "
            f"{results.ends_told()}); leave it out"
        )
    return np.dtype(f"uint{bits}")


def ending(
    suffix: str,
    results: Scale,
    format: str | None = None,
    depth: np.dtype | None = None,
) -> str:
    """What the translation of a file that ends so ends in.

    Raises:
        InputError: a format is named that does not hold the results.
    """
    follows = results.by_type or results.space
    # Where the values' type follows the input's, .png and .tif hold whatever they held before.
    dtype = str(depth or "uint8") if follows else results.dtype
    if format is None:
        return fitting_case(suffix, dtype, results.channels)
    if not holds(f".{format}", dtype, results.channels):
        raise InputError(
            f"--format {format}: does not hold {dtype} with {counted(results.channels)}; "
            f"{fitting(f'.{format}', dtype, results.channels).removeprefix('.')} does"
        )
    return f".{format}"


def fitting_case(suffix: str, dtype: str, channels: int) -> str:
    """The suffix as it is written, where it fits: .PNG stays .PNG."""
    found = fitting(suffix.lower(), dtype, channels)
    return suffix if found == suffix.lower() else found


def pictures_in(text: str) -> list[tuple[Path, Path]]:
    """(file, name to keep) of every picture that an INPUT means."""
    path = Path(text).expanduser()
    if path.is_dir():
        found = [(path / name, Path(name)) for name in files_below(path) if is_picture(name)]
        if not found:
            raise InputError(f"{text}: holds no pictures ({', '.join(sorted(SUFFIXES))})")
        return found
    if path.is_file():
        if not is_picture(path.name):
            raise InputError(f"{text}: is none of {' '.join(sorted(SUFFIXES))}; convert it first")
        return [(path, Path(path.name))]
    matches = sorted(glob.glob(str(path), recursive=True))
    if not matches:
        raise InputError(f"{text}: there is no such file, folder or match")
    root = Path(fixed_part(str(path)))
    found = []
    for match in map(Path, matches):
        if match.is_file() and is_picture(match.name):
            found.append((match, match.relative_to(root)))
    if not found:
        raise InputError(f"{text}: matches no pictures ({', '.join(sorted(SUFFIXES))})")
    return found


def fixed_part(pattern: str) -> str:
    """The folders in front of a glob's first wildcard."""
    before = pattern[: min(pattern.find(c) for c in "*?[" if c in pattern)]
    return os.path.dirname(before) or "."


def results_of(method: Translator, direction: Direction) -> Scale:
    """What translations hold, as files count channels: without alpha, and of colour all three."""
    scale = method.scales[method.ends(direction)[1]]
    if scale.space:
        return replace(scale, channels=3)
    clear = method.config.alpha == "channel" and scale.channels in (2, 4)
    return replace(scale, channels=scale.channels - 1) if clear else scale


def misfit(
    method: Translator, direction: Direction, seen: Seen, job: Job, depth: np.dtype | None
) -> str:
    """Why a picture that can be read cannot be translated; empty where it can."""
    given, results = method.scales[method.ends(direction)[0]], results_of(method, direction)
    if problem := unfit(given, method.config.alpha, seen):
        return f"{job.source}: {problem}"
    try:
        asked = np.dtype(depth or seen.dtype)
        dtype = asked if results.space else results.type_for(asked)
    except InputError as error:
        return f"{job.source}: {error}"
    if not holds(job.target.suffix.lower(), dtype, results.channels):
        return (
            f"{job.source}: its translation is {dtype}, which {job.target.suffix} does not hold; "
            "--format png or tif does, or --depth 8"
        )
    return ""


def unfit(scale: Scale, alpha: Alpha, seen: Seen) -> str:
    """Why a picture does not go into a domain of that scale; empty where it does."""
    here, wanted = seen.channels, 3 if scale.space else scale.channels
    alike = {here, wanted} <= {1, 3} or here == wanted
    if not alike and not (alpha == "channel" and here == wanted - 1):
        return f"has {counted(here)} and not {wanted}"
    try:
        scale.ends(seen.dtype)
    except InputError as error:
        return str(error)
    return ""


def usable(
    jobs: list[Job],
    max_bad: int = 0,
    half: Literal["A", "B"] | None = None,
    misfit: Callable[[Seen, Job], str] = lambda seen, job: "",
    processes: Processes = ALONE,
) -> tuple[list[Job], dict[Path, str]]:
    """The jobs whose pictures can be used, with their sizes, and by file why others cannot: all
    are read once, before anything is made of them; where there are several processes, by each its
    share. `half` says which of two that lie side by side is meant; `misfit` why one is of no use.

    Raises:
        InputError: there are more than `max_bad`, or the processes have different jobs.
    """
    processes.refuse_unlike(
        [str(job.source) for job in jobs],
        "the processes see different pictures there; give all machines the same files",
    )
    share = jobs[processes.index :: processes.count]
    # Large ones one after the other: several at once may be more than memory holds.
    large = any(job.source.stat().st_size > LARGE for job in share)
    seen_all = look_at_all([job.entry(half) for job in share], workers=1 if large else None)
    own = {
        job.source: (seen.size, seen.problem or misfit(seen, job))
        for job, seen in zip(share, seen_all, strict=True)
    }
    found = dict(chain.from_iterable(part.items() for part in processes.known_to_all(own)))
    bad = {job.source: problem for job in jobs if (problem := found[job.source][1])}
    if len(bad) > max_bad:
        listed = "; ".join(list(bad.values())[:SHOWN]) + ("; ..." if len(bad) > SHOWN else "")
        raise InputError(
            f"{len(bad)} of {len(jobs)} pictures cannot be used: {listed}. Mend or remove them, or "
            f"leave them out with --max-bad {len(bad)}"
        )
    good = [replace(job, size=found[job.source][0]) for job in jobs if job.source not in bad]
    return good, bad
