"""Zip and tar.gz archives of strangers, unpacked so that they can do no harm.

What an archive says of itself is checked before anything is written, and not believed while it is:
bytes are counted as they come out.
"""

import gzip
import lzma
import os
import re
import shutil
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Literal, cast

from ganvas.data.part_file import RESERVE, faults_of_disk, spoken_size
from ganvas.errors import InputError

CHUNK = 1 << 20
BLOCK = 512
DEEPEST = 32
BY_HAND = "unpack it yourself, if you trust it"
ZIP, ZIP_END, GZIP = b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b"
END, MANY = struct.Struct("<4s6xH10x"), 0xFFFF
"""The record that ends a zip: its magic and how many members it counts; of too many, this one."""
OTHERS = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"7z\xbc\xaf": "7z", b"Rar!": "rar"}
PAGES = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--")
NOT_ON_WINDOWS = str.maketrans(dict.fromkeys('<>:"|?*', "_"))
DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)
"""What the libraries raise over bytes that are no archive."""


class BadArchive(InputError):
    """An archive that is not unpacked: what it holds would do harm, or it is damaged."""


@dataclass(frozen=True)
class Limits:
    """What an archive may grow to."""

    files: int = 1_000_000
    total: int = 100 * 10**9
    """Bytes in all."""
    ratio: int = 100
    """Bytes out for each byte in, of each file of a zip and of whole archives."""
    ratio_from: int = 50 * 10**6
    """The ratio counts from so many bytes out: small flat pictures are honest."""


@dataclass(frozen=True)
class Member:
    """One thing in an archive, as it says of itself."""

    name: str
    is_folder: bool
    size: int
    packed: int | None
    """Bytes that it takes in the archive, where that is known."""
    open: Callable[[], IO[bytes]]


def kind_of(head: bytes) -> Literal["zip", "tar.gz"] | None:
    """What a file is by its first bytes, whatever its name says."""
    return "zip" if head.startswith(ZIP) else "tar.gz" if head.startswith(GZIP) else None


def complaint(head: bytes) -> str | None:
    """Why a file that begins so is not unpacked."""
    if kind_of(head):
        return None
    if not head:
        return "sent an empty file"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(PAGES):
        return "sent a web page in place of an archive"
    for magic, kind in OTHERS.items():
        if head.startswith(magic):
            return f"sent a {kind} archive; zip and tar.gz can be unpacked"
    return "sent what is neither a zip nor a tar.gz"


def unpack(
    archive: Path,
    name: str,
    folder: Path,
    on_file: Callable[[int], object],
    limits: Limits | None = None,
) -> int:
    """Unpack into a folder that is made for it: how many files it held. `name` is what messages
    call the archive; `on_file` is told how many files are there.

    Raises:
        BadArchive: it is damaged, or holds what does harm; part of it may have been written.
        InputError: the disk is full.
    """
    unpacking = Unpacking(archive, name, folder, limits or Limits())
    with open(archive, "rb") as file:
        kind = kind_of(file.read(BLOCK))
    with faults_of_disk(folder):
        folder.mkdir(parents=True)
    with unpacking.damage_said():
        members = unpacking.in_zip() if kind == "zip" else unpacking.in_tar()
        for member in members:
            unpacking.take(member)
            on_file(unpacking.files)
    if not unpacking.files:
        raise unpacking.refuse("it holds no files")
    return unpacking.files


class Unpacking:
    """One archive on its way into a folder."""

    def __init__(self, archive: Path, name: str, folder: Path, limits: Limits) -> None:
        self.archive, self.name, self.folder, self.limits = archive, name, folder, limits
        self.packed = archive.stat().st_size
        self.names = Names()
        self.members, self.files, self.bytes = 0, 0, 0

    def refuse(self, why: str, mend: str = "take it from elsewhere") -> BadArchive:
        return BadArchive(f"{self.name}: is not unpacked, since {why}; {mend}")

    @contextmanager
    def damage_said(self) -> Iterator[None]:
        try:
            yield
        except DAMAGE as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise BadArchive(
                f"{self.name}: the archive is damaged or cut short ({reason}); fetch it again"
            ) from None

    def in_zip(self) -> Iterator[Member]:
        """The members of a zip, all of them checked before the first is given."""
        with zipfile.ZipFile(self.archive) as file:
            infos = file.infolist()
            self.see_directory(file)
            for info in infos:
                self.see_zipped(info)
            members = [
                Member(
                    info.orig_filename,
                    info.is_dir(),
                    info.file_size,
                    info.compress_size,
                    lambda info=info: file.open(info),
                )
                for info in infos
            ]
            for member in members:
                self.see(member)
            claimed = sum(member.size for member in members)
            if claimed > self.limits.total:
                raise self.refuse(f"it unpacks to {spoken_size(claimed)}", BY_HAND)
            if claimed + RESERVE > (free := shutil.disk_usage(self.folder).free):
                raise InputError(
                    f"{self.folder.parent}: has {spoken_size(free)} free, but the pictures take "
                    f"{spoken_size(claimed)}; make room, and the same command goes on"
                )
            yield from members

    def see_directory(self, file: zipfile.ZipFile) -> None:
        """Compare what zipfile found with what the archive counts: it ends early over damage."""
        with open(self.archive, "rb") as end:
            end.seek(-END.size - len(file.comment), os.SEEK_END)
            magic, counted = END.unpack(end.read(END.size))
        if magic != ZIP_END or counted not in (len(file.filelist) & MANY, MANY):
            raise zipfile.BadZipFile("its directory is damaged")

    def see_zipped(self, info: zipfile.ZipInfo) -> None:
        mode = info.external_attr >> 16
        if stat.S_ISLNK(mode):
            raise self.refuse(f"{info.filename!r} is a link")
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise self.refuse(f"{info.filename!r} is a device")
        if info.flag_bits & 0x41:
            raise self.refuse(f"{info.filename!r} is encrypted")
        if info.is_dir() and info.file_size:
            raise zipfile.BadZipFile(f"{info.filename!r} is a folder with bytes of its own")

    def in_tar(self) -> Iterator[Member]:
        """The members of a tar.gz, each checked before it is given."""
        with gzip.open(self.archive) as unzipped:
            stream = Stream(cast("IO[bytes]", unzipped), self)
            with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r:") as file:
                while (info := file.next()) is not None:
                    file.members.clear()  # pyright: ignore  # or all of them stay in memory
                    yield self.see_tarred(info, file)
            # tarfile takes a header that it cannot read for the end.
            if stream.last.strip(b"\0"):
                raise tarfile.ReadError("a header is damaged")
            while stream.read(CHUNK):  # to the checksum, which is the last
                pass

    def see_tarred(self, info: tarfile.TarInfo, file: tarfile.TarFile) -> Member:
        if info.islnk() or info.issym():
            raise self.refuse(f"{info.name!r} is a link")
        if not (info.isdir() or info.isreg()) or info.issparse():
            raise self.refuse(f"{info.name!r} is a device, or no plain file")
        member = Member(
            info.name,
            info.isdir(),
            info.size,
            None,
            lambda: cast("IO[bytes]", file.extractfile(info)),
        )
        self.see(member)
        return member

    def see(self, member: Member) -> None:
        """Refuse a member for what it says of itself."""
        if problem := self.names.problem(member.name, member.is_folder):
            raise self.refuse(f"{member.name!r} {problem}")
        self.members += 1
        if self.members > self.limits.files:
            raise self.refuse(f"it holds more than {self.limits.files:,} files", BY_HAND)
        self.see_ratio(repr(member.name), member.size, member.packed)

    def see_ratio(self, name: str, size: int, packed: int | None) -> None:
        most = self.limits.ratio_from
        if packed is not None and size > max(most, packed * self.limits.ratio):
            raise self.refuse(
                f"{name} takes {spoken_size(packed)} and unpacks to {spoken_size(size)} or more, "
                "as bombs do",
                BY_HAND,
            )

    def count(self, size: int) -> None:
        """Take note of bytes that came out."""
        self.bytes += size
        if self.bytes > self.limits.total:
            raise self.refuse(f"it unpacks to more than {spoken_size(self.limits.total)}", BY_HAND)
        self.see_ratio("all of it", self.bytes, self.packed)
        if shutil.disk_usage(self.folder).free < RESERVE:
            raise InputError(
                f"{self.folder.parent}: the disk is full; make room, and the same command goes on"
            )

    def take(self, member: Member) -> None:
        """Write a member into the folder."""
        path = self.folder / self.names.place(member.name)
        if member.is_folder:
            with faults_of_disk(path):
                path.mkdir(parents=True, exist_ok=True)
            return
        came = 0
        with ExitStack() as stack:
            with faults_of_disk(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                out = stack.enter_context(open(path, "xb"))
            source = stack.enter_context(member.open())
            while chunk := source.read(CHUNK):
                came += len(chunk)
                self.see_ratio(repr(member.name), came, member.packed)
                if member.packed is not None:  # of a tar all bytes are counted as they are read
                    self.count(len(chunk))
                with faults_of_disk(path):
                    out.write(chunk)
                    out.flush()  # what the disk says of it shall not be taken for damage
        if came != member.size:
            raise EOFError(f"{member.name} ends after {came} of {member.size} bytes")
        self.files += 1


class Names:
    """The names of an archive, and why one of them cannot be taken."""

    def __init__(self, windows: bool = os.name == "nt") -> None:
        self.windows = windows
        self.taken: dict[str, tuple[str, bool]] = {}
        """For a path as disks without case see it: as it is, and whether it is a folder."""

    def place(self, name: str) -> PurePosixPath:
        """Where in the folder that name goes."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if self.windows:
            parts = [part.translate(NOT_ON_WINDOWS) for part in parts]
        return PurePosixPath(*parts)

    def problem(self, name: str, is_folder: bool) -> str | None:
        """What is wrong with a name, by itself and beside those that were asked for before."""
        if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
            return "holds letters that cannot be read"
        if "\\" in name:
            return "holds a backslash"
        if name.startswith("/") or re.match("[A-Za-z]:", name):
            return "is a path of its own"
        if ".." in name.split("/"):
            return "leads out of the folder"
        path = self.place(name)
        if not path.parts:
            return None if is_folder else "is no name"
        if len(path.parts) > DEEPEST:
            return f"lies in more than {DEEPEST} folders"
        for at in range(1, len(path.parts) + 1):
            inner = path.parts[:at] != path.parts
            if problem := self.clash("/".join(path.parts[:at]), inner or is_folder):
                return problem
        return None

    def clash(self, path: str, is_folder: bool) -> str | None:
        key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
        if key not in self.taken:
            self.taken[key] = (path, is_folder)
            return None
        before, was_folder = self.taken[key]
        if before != path:
            return f"is the same as {before!r} where capitals do not count"
        return None if was_folder and is_folder else "is there twice"


class Stream:
    """Unzipped bytes as tarfile wants them: forwards only, counted, never many at once."""

    def __init__(self, unzipped: IO[bytes], unpacking: Unpacking) -> None:
        self.unzipped, self.unpacking, self.at = unzipped, unpacking, 0
        self.last = b""
        """What the last header was read from."""

    def tell(self) -> int:
        return self.at

    def seek(self, to: int) -> int:
        if to < self.at:
            raise tarfile.ReadError("it leads back")
        while self.at < to and self.read(min(CHUNK, to - self.at)):
            pass
        return self.at

    def read(self, size: int) -> bytes:
        if not 0 <= size <= CHUNK:
            raise tarfile.ReadError("a header is too long")
        chunk = self.unzipped.read(size)
        self.at += len(chunk)
        self.unpacking.count(len(chunk))
        if size == BLOCK:
            self.last = chunk
        return chunk
