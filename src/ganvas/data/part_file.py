"""A file that is on its way: what has come of it, and what it is a part of."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields
from email.message import Message
from pathlib import Path
from typing import IO, Any

from ganvas.errors import InputError

RESERVE = 64 << 20
"""Bytes of the disk that stay free."""


@dataclass
class Part:
    """What has come lies in `path`; a JSON file beside it says what it is of."""

    path: Path
    name: str
    """What is fetched, as the user calls it: only a part of that name is gone on with."""
    url: str = ""
    etag: str = ""
    modified: str = ""
    total: int | None = None
    """Bytes of the whole, where that is known."""
    refused: bool = False
    """Whether the whole is there, and was not what had been expected."""

    @classmethod
    def found(cls, path: Path, name: str) -> "Part":
        """What an earlier call left at that path, or the beginning of something new.

        Raises:
            InputError: the file there is none of ours.
        """
        part = cls(path, name)
        try:
            known = json.loads(part.beside.read_text())
            return cls(path, **{f.name: known[f.name] for f in fields(cls) if f.name != "path"})
        except FileNotFoundError:
            if not part.have:
                return part
            raise InputError(
                f"{path}: exists, and no download of ours made it; rename it, or choose another "
                "folder"
            ) from None
        except (OSError, ValueError, TypeError, KeyError):
            raise InputError(f"{part.beside}: cannot be read; remove it and {path}") from None

    @property
    def beside(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    @property
    def have(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def validator(self) -> str:
        """What a server knows the file's version by; weak tags do not promise equal bytes."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified

    def save(self) -> None:
        """Say beside the part what it is of, in one step."""
        known = {key: value for key, value in asdict(self).items() if key != "path"}
        writing = self.beside.with_name(f"{self.beside.name}.writing")
        with faults_of_disk(self.beside):
            writing.write_text(json.dumps(known, indent=1))
            os.replace(writing, self.beside)

    def begin(self, url: str = "", headers: Message | None = None) -> None:
        """Empty it, for what comes from that address."""
        self.url, self.etag, self.modified, self.total, self.refused = url, "", "", None, False
        if headers is not None:
            self.etag, self.modified = headers["ETag"] or "", headers["Last-Modified"] or ""
            self.total = length_of(headers)
        with faults_of_disk(self.path):
            os.truncate(self.path, 0)
        self.save()

    def write(self, chunk: bytes) -> None:
        """Append to it.

        Raises:
            InputError: the disk is full.
        """
        if shutil.disk_usage(self.path.parent).free < RESERVE:
            raise InputError(
                f"{self.path.parent}: the disk is full; make room, and the same command goes on "
                "where it stopped"
            )
        with faults_of_disk(self.path), open(self.path, "ab") as file:
            file.write(chunk)

    def sha256(self) -> str:
        with open(self.path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def drop(self) -> None:
        for path in (self.path, self.beside):
            path.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from it; a killed holder's lock is gone with it.

        Raises:
            InputError: another process has it, or its folder cannot be written to.
        """
        with ExitStack() as stack:
            with faults_of_disk(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context(open(self.path, "ab"))
            if not lock(file):
                raise InputError(f"{self.path}: another process is downloading into it")
            try:
                yield
            finally:
                if not self.have:
                    self.drop()


def lock(file: IO[Any]) -> bool:
    """Take the file's lock, or say that another process has it."""
    try:
        import fcntl
    except ImportError:  # Windows has no flock
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def faults_of_disk(path: Path) -> Iterator[None]:
    """Say what cannot be written, and why."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None


def length_of(headers: Message) -> int | None:
    """What Content-Length says; None where it says nothing that can be used."""
    text = (headers["Content-Length"] or "").strip()
    plain = text.isascii() and text.isdigit() and not headers["Transfer-Encoding"]
    return int(text) if plain else None


def spoken_size(count: int) -> str:
    """`116.9 MB`, in powers of 1000."""
    if count < 1000:
        return f"{count} bytes"
    size, units = count / 1000, ["kB", "MB", "GB", "TB"]
    while size >= 999.95 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.1f} {units[0]}"
