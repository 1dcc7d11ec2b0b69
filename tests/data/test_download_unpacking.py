"""Archives of strangers: good ones come out whole, malicious ones do no harm."""

import gzip
import io
import os
import re
import shutil
import stat
import string
import struct
import tarfile
import zipfile
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganvas.data.unpacking import BadArchive, Limits, Names, kind_of, unpack
from ganvas.errors import InputError

Usage = namedtuple("Usage", "total used free")
GOOD = {"trainA/1.png": b"one", "trainA/2.png": b"", "trainB/deep/1.png": b"x" * 3_000_000}
SMALL = Limits(files=3, total=10_000, ratio=20, ratio_from=1_000)


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.filename = name  # as it is: the constructor takes backslashes for slashes, say
            info.compress_type = method
            archive.writestr(info, data)
    return content.getvalue()


def tarred(files: dict[str, bytes], *others: tarfile.TarInfo, format: int = tarfile.PAX_FORMAT):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", format=format) as archive:
        for name, data in files.items():
            archive.addfile(described(name, size=len(data)), io.BytesIO(data))
        for info in others:
            archive.addfile(info)
    return content.getvalue()


def described(name: str, **values: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in values.items():
        setattr(info, key, value)
    return info


MAKERS: dict[str, Callable[[dict[str, bytes]], bytes]] = {"zip": zipped, "tar.gz": tarred}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where archives are unpacked, with nothing around it but the archive."""
    return tmp_path / "in" / "place"


def out_of(content: bytes, place: Path, limits: Limits | None = None) -> dict[str, bytes]:
    """The files that an archive unpacks to."""
    place.parent.mkdir(parents=True, exist_ok=True)
    archive = place.with_name("archive")
    archive.write_bytes(content)
    counts: list[int] = []
    count = unpack(archive, "the set", place, counts.append, limits)
    files = {p.relative_to(place).as_posix(): p.read_bytes() for p in place.rglob("*.*")}
    assert count == len(files) == max(counts, default=0)
    return files


@pytest.fixture
def refused(place: Path) -> Callable[..., str]:
    """Why an archive is not unpacked; nothing comes to lie outside of its place."""

    def why(content: bytes, limits: Limits | None = None) -> str:
        with pytest.raises(BadArchive) as caught:
            out_of(content, place, limits)
        around = {p.name for p in (*place.parent.iterdir(), *place.parent.parent.iterdir())}
        assert around <= {"in", "archive", "place"}
        assert str(caught.value).startswith("the set: ")
        return str(caught.value)

    return why


# Good ones


@pytest.mark.parametrize("kind", MAKERS)
def test_what_was_packed_comes_out(place: Path, kind: str):
    content = MAKERS[kind](GOOD)
    assert kind_of(content) == kind
    assert out_of(content, place) == GOOD


NAMES = st.text(string.ascii_letters + string.digits + " -_äß:", min_size=1, max_size=9)


@given(
    st.sampled_from(sorted(MAKERS)),
    st.dictionaries(
        NAMES.map(lambda n: f"n{n}.png".lower()), st.binary(max_size=2000), min_size=1, max_size=9
    ),
)
def test_whatever_was_packed_comes_out(tmp_path_factory, kind: str, files: dict[str, bytes]):
    expected = {f"a/{name}": data for name, data in files.items()}
    assert out_of(MAKERS[kind](expected), tmp_path_factory.mktemp("in") / "place") == expected


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zips_may_be_packed_in_other_ways(place: Path, method: int):
    assert out_of(zipped(GOOD, method), place) == GOOD


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tars_may_be_of_any_format_and_hold_folders(place: Path, format: int):
    long = "/".join(["trainA" * 5] * 5) + "/1.png"
    files = {"./trainA/1.png": b"one", long: b"two"}
    folder = described("./trainA/", type=tarfile.DIRTYPE)
    assert out_of(tarred(files, folder, format=format), place) == {
        "trainA/1.png": b"one",
        long: b"two",
    }


def test_what_is_written_has_the_users_own_permissions(place: Path):
    info = described("1.sh", mode=0o4777, uid=0)
    out_of(tarred({}, info), place)
    mode = (place / "1.sh").stat().st_mode
    (place / "2.sh").touch()
    assert mode == (place / "2.sh").stat().st_mode


def test_names_that_windows_cannot_write_are_written_otherwise_there():
    names = Names(windows=True)
    assert str(names.place("2009-12-06 06:58:39.jpg")) == "2009-12-06 06_58_39.jpg"
    assert names.problem("2009-12-06 06:58:39.jpg", False) is None
    assert "is there twice" in str(names.problem("2009-12-06 06_58:39.jpg", False))


# Names that lead elsewhere, or onto each other


BAD_NAMES = {
    "../1.png": "leads out of the folder",
    "a/../../1.png": "leads out of the folder",
    "a/..": "leads out of the folder",
    "/etc/1.png": "is a path of its own",
    "//host/share/1.png": "is a path of its own",
    "C:/1.png": "is a path of its own",
    "c:1.png": "is a path of its own",
    "a\\..\\1.png": "holds a backslash",
    "..\\1.png": "holds a backslash",
    "\\\\host\\1.png": "holds a backslash",
    "a/1\n.png": "holds letters that cannot be read",
    "a\x1b[31m.png": "holds letters that cannot be read",
    "./.": "is no name",
    "a/" * 40 + "1.png": "lies in more than 32 folders",
}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_leads_elsewhere_is_refused(refused, place: Path, kind: str, name: str):
    assert BAD_NAMES[name] in refused(MAKERS[kind]({name: b"harm"}))
    assert not list(place.rglob("*.*"))


def test_a_name_that_ends_early_for_a_library_in_c_is_refused(refused):
    content = zipped({"1.pngX.exe": b"harm"}).replace(b"1.pngX", b"1.png\0")
    assert "holds letters that cannot be read" in refused(content)


@given(st.text("./\\aC:\0", max_size=12))
def test_whatever_a_name_is_it_stays_in_the_folder_or_is_refused(name: str):
    names = Names()
    if names.problem(name, False) is None:
        whole = os.path.normpath(os.path.join("/in/folder", *names.place(name).parts))
        assert whole.startswith("/in/folder/")


CLASHES = {
    "twice": (["a/1.png", "a/1.png"], "'a/1.png' is there twice"),
    "twice in other words": (["a/1.png", "./a//1.png"], "is there twice"),
    "a file and a folder": (["a", "a/1.png"], "'a/1.png' is there twice"),
    "a folder and a file": (["a/1.png", "a"], "'a' is there twice"),
    "capitals": (["a/1.png", "a/1.PNG"], "is the same as 'a/1.png' where capitals do not count"),
    "capitals of folders": (["a/1.png", "A/2.png"], "is the same as 'a' where capitals"),
    "other letters": (["\u00e9.png", "e\u0301.png"], "where capitals do not count"),
    "sharp s": (["stra\u00dfe.png", "STRASSE.png"], "where capitals do not count"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("clash", CLASHES)
def test_names_that_fall_onto_each_other_are_refused(refused, kind: str, clash: str):
    names, wanted = CLASHES[clash]
    content = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(content, "w") as archive:
            for name in names:
                archive.writestr(name, name)
    else:
        with tarfile.open(fileobj=content, mode="w:gz") as archive:
            for name in names:
                archive.addfile(described(name, size=1), io.BytesIO(b"x"))
    assert wanted in refused(content.getvalue())


# What is no plain file


LINKS = {
    "a symbolic link": (described("a", type=tarfile.SYMTYPE, linkname="/etc"), "is a link"),
    "a hard link": (described("a", type=tarfile.LNKTYPE, linkname="trainA/1.png"), "is a link"),
    "a character device": (described("a", type=tarfile.CHRTYPE), "is a device"),
    "a block device": (described("a", type=tarfile.BLKTYPE), "is a device"),
    "a pipe": (described("a", type=tarfile.FIFOTYPE), "is a device, or no plain file"),
    "a file with holes": (
        described("a", pax_headers={"GNU.sparse.size": "999999999999", "GNU.sparse.map": "0,0"}),
        "is a device, or no plain file",
    ),
    "something unknown": (described("a", type=b"Z"), "is a device, or no plain file"),
}


@pytest.mark.parametrize("what", LINKS)
def test_a_tar_may_hold_plain_files_only(refused, place: Path, what: str):
    info, wanted = LINKS[what]
    content = tarred({"trainA/1.png": b"one"}, info)
    assert wanted in refused(content)
    assert not (place / "a").is_symlink()


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [(stat.S_IFLNK, "'a' is a link"), (stat.S_IFIFO, "'a' is a device"), (stat.S_IFCHR, "device")],
)
def test_a_zip_may_hold_plain_files_only(refused, place: Path, mode: int, wanted: str):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        info = zipfile.ZipInfo("a")
        info.create_system, info.external_attr = 3, (mode | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
        archive.writestr("1.png", "one")
    assert wanted in refused(content.getvalue())
    assert list(place.iterdir()) == []


def test_an_encrypted_member_is_refused(refused):
    content = bytearray(zipped({"1.png": b"one"}))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + offset] |= 1
    assert "'1.png' is encrypted" in refused(bytes(content))


# Bombs, and what claims to be smaller than it is


@pytest.mark.parametrize("kind", MAKERS)
def test_more_files_than_may_be_are_refused(refused, kind: str):
    files = {f"{i}.png": b"" for i in range(4)}
    assert "holds more than 3 files" in refused(MAKERS[kind](files), SMALL)


@pytest.mark.parametrize("kind", MAKERS)
def test_more_bytes_than_may_be_are_refused(refused, kind: str):
    files = {f"{i}.png": os.urandom(6_000) for i in range(2)}
    assert re.search(r"unpacks to (12\.0|more than 10\.0) kB", refused(MAKERS[kind](files), SMALL))


@pytest.mark.parametrize("kind", MAKERS)
def test_a_bomb_is_refused(refused, place: Path, kind: str):
    limits = Limits(ratio=20, ratio_from=100_000)
    why = refused(MAKERS[kind]({"1.png": bytes(50_000_000)}), limits)
    assert "as bombs do" in why
    assert sum(p.stat().st_size for p in place.rglob("*.*")) < 3_000_000


def test_small_flat_pictures_are_no_bombs(place: Path):
    files = {"1.bmp": bytes(196_608), "2.bmp": bytes(196_608)}
    assert out_of(zipped(files), place) == files


def test_a_zip_whose_members_lie_over_each_other_is_a_bomb(refused):
    """One stretch of bytes, named many times: each by itself has an honest ratio."""
    content, names = zipped({"0.png": os.urandom(4_000)}, zipfile.ZIP_STORED), range(1, 100)
    directory = content.index(b"PK\x01\x02")
    end = content.index(b"PK\x05\x06")
    entry = content[directory:end]
    entries = entry + b"".join(entry.replace(b"0.png", b"%05d" % i) for i in names)
    header = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 100, 100, len(entries), directory, 0)
    limits = Limits(ratio=20, ratio_from=1_000)
    why = refused(content[:directory] + entries + header, limits)
    assert "as bombs do" in why or "damaged" in why


def sizes_said(content: bytes, size: int) -> bytes:
    """A zip of one file whose headers say that it unpacks to so many bytes."""
    changed = bytearray(content)
    for magic, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", changed, content.index(magic) + offset, size)
    return bytes(changed)


@pytest.mark.parametrize("size", [10, 5_000])
def test_a_size_that_is_not_so_is_damage(refused, place: Path, size: int):
    assert "damaged or cut short" in refused(sizes_said(zipped({"1.png": bytes(1000)}), size))
    assert all(p.stat().st_size <= size for p in place.rglob("*.*"))


def test_a_tar_header_that_wants_much_memory_is_refused(refused):
    header = described("PaxHeader", type=tarfile.XHDTYPE, size=50 << 20).tobuf()
    content = gzip.compress(header + bytes(50 << 20), 1)
    assert "a header is too long" in refused(content)


def test_a_disk_that_would_fill_up_is_no_fault_of_the_archive(
    place: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 65 << 20))
    with pytest.raises(InputError, match=r"but the pictures take 3\.0 MB") as caught:
        out_of(zipped(GOOD), place)
    assert not isinstance(caught.value, BadArchive)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_disk_that_is_full_stops_it(place: Path, kind: str, monkeypatch: pytest.MonkeyPatch):
    left = iter([68 << 20, 67 << 20])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, next(left, 1 << 20)))
    with pytest.raises(InputError, match="the disk is full; make room") as caught:
        out_of(MAKERS[kind](GOOD), place)
    assert not isinstance(caught.value, BadArchive)


# Damage


@given(st.sampled_from(sorted(MAKERS)), st.floats(0.01, 0.99))
def test_half_an_archive_is_said(tmp_path_factory, kind: str, share: float):
    content = MAKERS[kind]({f"{i}.png": os.urandom(900) for i in range(9)})
    with pytest.raises(BadArchive, match=r"is damaged or cut short .*; fetch it again"):
        out_of(content[: int(len(content) * share)], tmp_path_factory.mktemp("in") / "place")


@given(st.sampled_from(sorted(MAKERS)), st.data())
def test_damaged_bytes_are_said_or_harmless(tmp_path_factory, kind: str, data):
    """A byte that no checksum covers, such as a date, may change; pictures may not."""
    files = {f"{i}.png": bytes([i]) * 700 for i in range(3)}
    content = bytearray(MAKERS[kind](files))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    try:
        found = out_of(bytes(content), tmp_path_factory.mktemp("in") / "place")
    except InputError:
        return
    assert all(value in files.values() for value in found.values())
    assert len(found) == 3


def test_a_tar_whose_header_is_damaged_in_the_middle_does_not_end_there(refused):
    plain = bytearray(gzip.decompress(tarred({"1.png": b"one", "2.png": b"two"})))
    plain[1024 + 5] ^= 1
    assert "a header is damaged" in refused(gzip.compress(bytes(plain)))


def test_a_tar_gz_with_something_behind_it_is_damaged(refused):
    assert "damaged or cut short" in refused(tarred({"1.png": b"one"}) + b"more")


@pytest.mark.parametrize("kind", MAKERS)
def test_an_archive_of_folders_alone_is_refused(refused, kind: str):
    folders = {"zip": zipped({"a/": b""}), "tar.gz": tarred({}, described("a", type=b"5"))}
    assert "it holds no files" in refused(folders[kind])


def test_gzipped_text_is_no_tar(refused):
    assert "damaged or cut short" in refused(gzip.compress(b"hello" * 999))
