"""Where pictures come from: a folder, a zip, or a built-in sample; one `Entry` a picture."""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol
from zipfile import BadZipFile, ZipFile

from ganvas.data.samples import SAMPLES, sample_entries
from ganvas.errors import InputError, did_you_mean

FLAT = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".pbm", ".pnm")
SUFFIXES = frozenset([*FLAT, ".tif", ".tiff", ".npy", ".npz"])


class Entry(Protocol):
    """One picture of a source: its name within it, and its file's bytes."""

    @property
    def name(self) -> str: ...

    def read(self) -> bytes: ...


@dataclass(frozen=True)
class FileEntry:
    root: Path
    name: str

    def read(self) -> bytes:
        return (self.root / self.name).read_bytes()


@dataclass(frozen=True)
class ZipEntry:
    archive: Path
    name: str

    def read(self) -> bytes:
        return opened_zip(self.archive, os.getpid()).read(self.name)


@dataclass(frozen=True)
class Half:
    """One half of a picture that shows A and B side by side, A on the left."""

    whole: Entry
    domain: Literal["A", "B"]

    @property
    def name(self) -> str:
        return self.whole.name

    def read(self) -> bytes:
        """The bytes of the whole."""
        return self.whole.read()


@dataclass(frozen=True)
class InLab:
    """What a colour picture's L*a*b* has of lightness, or of colour."""

    whole: Entry
    space: Literal["lightness", "chroma"]

    @property
    def name(self) -> str:
        return self.whole.name

    def read(self) -> bytes:
        """The bytes of the whole."""
        return self.whole.read()


@lru_cache(maxsize=8)
def opened_zip(archive: Path, process: int) -> ZipFile:
    """One open archive a process: a file position shared by forked workers would mix them up."""
    return ZipFile(archive)


def is_picture(name: str) -> bool:
    """By its ending; hidden files and macOS's resource forks are none."""
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not any(
        part.startswith((".", "__MACOSX")) for part in path.parts
    )


def located(source: str) -> str:
    """The source by its absolute path; samples have none."""
    if not source or source.startswith("sample:"):
        return source
    return str(Path(source).expanduser().absolute())


def open_source(source: str, size: tuple[int, int] | None = None) -> list[Entry]:
    """All pictures of a source, sorted by name. `size` is what a sample is drawn at.

    Raises:
        InputError: there is no such folder, zip or sample, or no picture in it.
    """
    if not source:
        raise InputError(f"--data: is missing; give a folder, a zip, or {samples()}")
    if source.startswith("sample:"):
        name = source.removeprefix("sample:")
        if name not in SAMPLES:
            raise InputError(
                f"--data {source}: there is no sample {name!r}{did_you_mean(name, list(SAMPLES))}; "
                f"there is {', '.join(SAMPLES)}"
            )
        return list(sample_entries(name, size or SAMPLES[name].size))
    path = Path(source).expanduser()
    kind = FileEntry if path.is_dir() else ZipEntry
    entries: list[Entry] = [kind(path, name) for name in files_in(source) if is_picture(name)]
    if not entries:
        raise InputError(
            f"--data {source}: holds no pictures, nor do its folders; pictures end in "
            f"{' '.join(sorted(SUFFIXES))}"
        )
    return entries


def samples() -> str:
    *first, last = (f"sample:{name}" for name in SAMPLES)
    return f"{', '.join(first)} or {last}"


def files_in(source: str) -> list[str]:
    """Names of all files in a folder or zip, pictures or not, sorted; a sample has none.

    Raises:
        InputError: there is no such folder or zip, or it cannot be read.
    """
    if source.startswith("sample:"):
        return []
    path = Path(source).expanduser()
    if path.is_dir():
        return files_below(path)
    if not path.exists():
        raise InputError(f"--data {source}: there is no such folder or zip")
    try:
        infos = opened_zip(path, os.getpid()).infolist()
    except BadZipFile:
        raise InputError(
            f"--data {source}: is neither a folder nor a whole zip; give one of these, or "
            f"{samples()}"
        ) from None
    except OSError as error:
        raise InputError(f"--data {source}: cannot be read ({error.strerror})") from None
    return sorted({info.filename for info in infos if not info.is_dir()})


def files_below(root: Path) -> list[str]:
    """Names of all files under a folder, with forward slashes, sorted; links are followed.

    Raises:
        InputError: a folder in it cannot be read.
    """
    names = []
    for folder, folders, files in os.walk(root, onerror=refuse, followlinks=True):
        names += [(Path(folder) / file).relative_to(root).as_posix() for file in files]
        folders[:] = [name for name in folders if not leads_back(Path(folder) / name)]
    return sorted(names)


def refuse(error: OSError) -> None:
    raise InputError(f"{error.filename}: cannot be read ({error.strerror})") from None


def leads_back(folder: Path) -> bool:
    """Whether it is a link to a folder above itself, which would never end."""
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())
