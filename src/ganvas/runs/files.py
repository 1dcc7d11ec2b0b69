"""Files that are whole or not there: written beside, flushed to disk, renamed into place."""

import os
import shutil
from pathlib import Path


def write_whole(path: Path, content: bytes | str) -> None:
    """Replace a file in one step: a kill at any instant leaves the old one or the new one."""
    beside = path.with_name(f".{path.name}.writing")
    write_flushed(beside, content)
    os.replace(beside, path)


def write_flushed(path: Path, content: bytes | str) -> None:
    data = content.encode() if isinstance(content, str) else content
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_folder(new: Path, place: Path) -> None:
    """Put a finished folder in place of another.

    Folders cannot be swapped in one step everywhere. Between the two renames the old one is
    called `.NAME.previous`, and `present_folder` finds it there.
    """
    previous = previous_of(place)
    if place.exists():
        shutil.rmtree(previous, ignore_errors=True)
        os.rename(place, previous)
    os.rename(new, place)
    shutil.rmtree(previous, ignore_errors=True)


def present_folder(place: Path) -> Path | None:
    """The folder, or what a kill in the middle of `replace_folder` left of it."""
    return next((path for path in (place, previous_of(place)) if path.is_dir()), None)


def previous_of(place: Path) -> Path:
    return place.with_name(f".{place.name}.previous")
