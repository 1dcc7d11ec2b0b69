"""Files, folders and globs through a trained translator."""

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ganvas.data.decode import BadPicture, decode
from ganvas.data.sources import SUFFIXES, files_below, is_picture
from ganvas.errors import InputError
from ganvas.methods.base import Direction, Method, Translator

WITHOUT_ALPHA = (".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm")
GREY_ONLY = (".pgm", ".pbm")


@dataclass(frozen=True)
class Job:
    """One picture to translate, and where the result goes."""

    source: Path
    target: Path


def plan(inputs: list[str], out: Path) -> list[Job]:
    """A job for every picture in these files, folders and globs; subfolders are kept.

    Raises:
        InputError: an input is not there or holds no picture, or two would get one name.
    """
    jobs = [Job(source, out / name) for text in inputs for source, name in pictures_in(text)]
    sources: dict[Path, Path] = {}
    for job in jobs:
        other = sources.setdefault(job.target, job.source)
        if other.resolve() != job.source.resolve():
            raise InputError(
                f"{job.source} and {other} would both be written to {job.target}; translate them "
                "in two calls with different --out"
            )
        if job.target.exists():
            raise InputError(
                f"--out {out}: {job.target} exists and is not overwritten; choose another --out"
            )
    return [Job(source, target) for target, source in sources.items()]


def pictures_in(text: str) -> list[tuple[Path, Path]]:
    """(file, name to keep) of every picture that an INPUT means."""
    path = Path(text).expanduser()
    if path.is_dir():
        found = [(path / name, Path(name)) for name in files_below(path) if is_picture(name)]
        if not found:
            raise InputError(f"{text}: holds no pictures ({', '.join(sorted(SUFFIXES))})")
        return found
    if path.is_file():
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


def translate_all(
    method: Method, jobs: list[Job], direction: Direction, max_bad: int = 0
) -> Iterator[tuple[Job, str]]:
    """Translate one after the other; yields each job with "" or why it was left out.

    Raises:
        InputError: more than `max_bad` pictures cannot be read, or the method is no translator.
    """
    if not isinstance(method, Translator):
        raise InputError(f"{method.name} makes pictures from noise: use `ganvas generate`")
    bad = 0
    for job in jobs:
        try:
            image = decode(job.source.read_bytes(), str(job.source))
        except BadPicture as problem:
            bad += 1
            if bad > max_bad:
                raise InputError(f"{problem}; skip such pictures with --max-bad") from None
            yield job, str(problem)
            continue
        save(method.translate(image, direction), job.target)
        yield job, ""


def save(image: Image.Image, target: Path) -> None:
    """Write in the format that the name says, as well as that format can."""
    suffix = target.suffix.lower()
    if image.mode in ("LA", "RGBA") and suffix in WITHOUT_ALPHA:
        image = image.convert(image.mode[:-1])
    if image.mode != "L" and suffix in GREY_ONLY:
        target = target.with_suffix(".ppm")
    options = {".jpg": {"quality": 95, "subsampling": 0}, ".webp": {"lossless": True}}
    target.parent.mkdir(parents=True, exist_ok=True)
    image.save(target, **options.get(suffix.replace("jpeg", "jpg"), {}))
