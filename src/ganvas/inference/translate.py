"""Files, folders and globs through a trained translator."""

import glob
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from ganvas.data.decode import decode_entry
from ganvas.data.sources import SUFFIXES, Entry, FileEntry, Half, files_below, is_picture
from ganvas.data.survey import look_at_all
from ganvas.errors import InputError
from ganvas.methods.base import Direction, Method
from ganvas.methods.translator import Translator
from ganvas.runs.files import write_whole

WITHOUT_ALPHA = (".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm")
SHOWN = 5


@dataclass(frozen=True)
class Job:
    """One picture to translate, and where the result goes."""

    source: Path
    target: Path

    def entry(self, half: Literal["A", "B"] | None) -> Entry:
        """The picture; where it shows A and B side by side, one of them."""
        whole = FileEntry(Path(), str(self.source))
        return Half(whole, half) if half else whole


def plan(inputs: list[str], out: Path, channels: int = 3, skip_existing: bool = False) -> list[Job]:
    """A job for every picture in these files, folders and globs; subfolders are kept.

    `channels` is how many the results have: a colour picture cannot be a .pgm and becomes a .ppm.

    Raises:
        InputError: an input is not there or holds no picture, two would get one name, or a
            result is there already (`skip_existing` leaves such pictures out instead).
    """
    jobs = [
        Job(source, out / (name.with_suffix(".ppm") if is_grey_only(name, channels) else name))
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


def is_grey_only(name: Path, channels: int) -> bool:
    return channels == 3 and name.suffix.lower() in (".pgm", ".pbm")


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


def unreadable(
    jobs: list[Job], max_bad: int = 0, half: Literal["A", "B"] | None = None
) -> dict[Path, str]:
    """Why pictures cannot be used, by file: all are read once, before anything is translated.
    `half` says which of two that lie side by side is meant.

    Raises:
        InputError: there are more than `max_bad`.
    """
    seen_all = look_at_all([job.entry(half) for job in jobs])
    bad = {
        job.source: seen.problem for job, seen in zip(jobs, seen_all, strict=True) if seen.problem
    }
    if len(bad) > max_bad:
        listed = "; ".join(list(bad.values())[:SHOWN]) + ("; ..." if len(bad) > SHOWN else "")
        raise InputError(
            f"{len(bad)} of {len(jobs)} pictures cannot be used: {listed}. Mend or remove them, or "
            f"leave them out with --max-bad {len(bad)}"
        )
    return bad


def translate_all(
    method: Translator,
    jobs: list[Job],
    direction: Direction,
    half: Literal["A", "B"] | None = None,
) -> Iterator[Job]:
    """Translate one after the other, and yield each when its result is written."""
    for job in jobs:
        entry = job.entry(half)
        image = decode_entry(entry, entry.read())
        save(method.translate(image, direction), job.target)
        yield job


def translator_of(method: Method) -> Translator:
    """The method, if it translates.

    Raises:
        InputError: it makes pictures from noise.
    """
    if not isinstance(method, Translator):
        raise InputError(
            f"{method.name} makes pictures from noise and does not translate; `ganvas generate` "
            "uses it"
        )
    return method


def save(image: Image.Image, target: Path) -> None:
    """Write in the format that the name says, as well as that format can."""
    suffix = target.suffix.lower()
    if image.mode in ("LA", "RGBA") and suffix in WITHOUT_ALPHA:
        image = image.convert(image.mode[:-1])
    file = io.BytesIO()
    options = {".jpg": {"quality": 95, "subsampling": 0}, ".webp": {"lossless": True}}
    kind = Image.registered_extensions()[suffix]
    image.save(file, kind, **options.get(suffix.replace("jpeg", "jpg"), {}))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, file.getvalue())
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror})") from None
