"""`ganvas data download`: published sets and archives at any address, as a user meets them."""

import hashlib
import io
import json
import re
import shlex
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from making import noise
from serving import Server, file, serving, status, whole

from ganvas.cli import download as command
from ganvas.cli import main
from ganvas.data import published as known
from ganvas.data.downloads import Hashes
from ganvas.data.fetching import Patience
from ganvas.data.published import PUBLISHED, REFUSED, Published


def png(seed: int, width: int = 40) -> bytes:
    content = io.BytesIO()
    noise(seed, 40, width, 3).save(content, "PNG")
    return content.getvalue()


FILES = {"trainA/1.png": png(1), "trainA/2.png": png(2), "trainB/1.png": png(3)}
PAIRS = {"train/1.png": png(4, 80), "val/1.png": png(5, 80)}


def zipped(files: dict[str, bytes], top: str = "tiny/") -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(top + name), data)
    return content.getvalue()


def tarred(files: dict[str, bytes], top: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(top + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return content.getvalue()


CONTENT, OTHER = zipped(FILES), zipped(FILES | {"trainB/2.png": png(6)})
HALF = len(CONTENT) // 2
SHA256 = hashlib.sha256(CONTENT).hexdigest()
TINY = Published("cyclegan/datasets/tiny.zip", "tiny pictures", other="pix2pix-tiny")
TINY_PAIRS = Published(
    "pix2pix/datasets/tiny.tar.gz", "tiny pairs", train="pix2pix --direction BtoA"
)


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def server(running: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server in place of the world's, that has the sets `tiny` and `pix2pix-tiny`; the test's
    folder is the current one, and holds the user's data."""
    running.asked.clear()
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(known, "HOST", running.url.removeprefix("http://"))
    monkeypatch.setattr(known, "BEFORE", dict.fromkeys(known.BEFORE, f"{running.url}/before/"))
    monkeypatch.setitem(PUBLISHED, "tiny", TINY)
    monkeypatch.setitem(PUBLISHED, "pix2pix-tiny", TINY_PAIRS)
    monkeypatch.setattr(command, "PATIENCE", Patience(timeout=5, tries=2, pause=0))
    monkeypatch.chdir(tmp_path)
    return running


@pytest.fixture
def download(server: Server, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple]:
    """(status, printed, complained) of a command, to which the server answers so."""

    def run(words: str, *answers) -> tuple[int, str, str]:
        server.serves(*(answers or [file(CONTENT)]))
        status = main(["data", "download", *shlex.split(words)])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return status, printed.out, printed.err

    return run


def files_in(folder: str) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and not path.name.startswith("SOURCE")
    }


def here() -> set[str]:
    """What lies in the current folder, but for the user's data."""
    return {path.name for path in Path().iterdir()} - {"home"}


# A set


def test_a_set_becomes_a_folder_that_can_be_trained_on(download, capsys):
    done, printed, _ = download("tiny sets/pictures")
    assert done == 0
    assert files_in("sets/pictures") == FILES
    assert here() == {"sets"}
    assert [p.name for p in Path("sets").iterdir()] == ["pictures"]
    assert "3 pictures in sets/pictures (trainA 2, trainB 1)" in printed
    commands = [shlex.split(line) for line in printed.splitlines() if line.startswith("ganvas ")]
    assert commands[0] == shlex.split("ganvas data check sets/pictures")
    assert commands[1] == shlex.split(
        "ganvas train cyclegan --data sets/pictures --out runs/pictures"
    )
    assert main(commands[0][1:]) == 0
    assert "sets/pictures: unpaired, 3 pictures" in capsys.readouterr().out
    tiny = "--size 32 --ngf 4 --ndf 4 --n-blocks 1 --n-layers 2 --device cpu --dry-run"
    assert main([*commands[1][1:], *tiny.split()]) == 0


def test_pairs_come_with_the_command_that_suits_them(download):
    done, printed, _ = download("pix2pix-tiny pairs", file(tarred(PAIRS, "./tiny/")))
    assert done == 0
    assert files_in("pairs") == PAIRS
    assert "ganvas train pix2pix --data pairs --direction BtoA --out runs/pairs" in printed


def test_a_set_of_two_layouts_says_which_one_it_is(download):
    _, _, complained = download("tiny pictures")
    assert "note: tiny is trainA and trainB; pix2pix-tiny is pairs side by side" in complained


def test_where_it_is_from_is_written_into_it(download, server):
    download("tiny pictures")
    source = json.loads(Path("pictures/SOURCE.json").read_text())
    assert source["name"] == "tiny"
    assert source["url"] == f"{server.url}/cyclegan/datasets/tiny.zip"
    assert (source["size"], source["sha256"]) == (len(CONTENT), SHA256)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", source["date"])


def test_what_the_archive_says_of_itself_is_kept_beside_that(download):
    download("tiny pictures", file(zipped(FILES | {"SOURCE.json": b"theirs"})))
    assert Path("pictures/SOURCE.json").read_bytes() == b"theirs"
    assert json.loads(Path("pictures/SOURCE-2.json").read_text())["name"] == "tiny"


@pytest.mark.parametrize(
    ("top", "beside", "wanted"),
    [
        ("tiny/", {}, ""),
        ("Tiny/", {}, ""),
        ("", {}, ""),
        ("tiny/", {"__MACOSX/tiny/._1.png": b"x"}, ""),
        ("other/", {}, "other/"),
    ],
)
def test_the_folder_of_the_sets_own_name_is_left_out(download, top: str, beside, wanted: str):
    content = zipped({top + name: data for name, data in FILES.items()} | beside, "")
    download("tiny pictures", file(content))
    assert files_in("pictures") == {wanted + name: data for name, data in FILES.items()}


def test_an_archive_at_any_address_will_do(download, server):
    done, printed, _ = download(f"{server.url}/cats.tar.gz?x=1 cats", file(tarred(FILES, "cats/")))
    assert done == 0
    assert files_in("cats") == FILES
    assert "ganvas train cyclegan --data cats --out runs/cats" in printed


def test_commands_quote_a_folder_with_a_space(download):
    _, printed, _ = download("tiny 'my pictures'")
    line = next(line for line in printed.splitlines() if line.startswith("ganvas train"))
    words = ["ganvas", "train", "cyclegan", "--data", "my pictures", "--out", "runs/my pictures"]
    assert shlex.split(line) == words


def test_other_counts_than_were_known_are_said(download, monkeypatch):
    counts = {"trainA": 2, "trainB": 7, "testA": 1}
    monkeypatch.setitem(PUBLISHED, "tiny", replace(TINY, counts=counts))
    _, _, complained = download("tiny pictures")
    assert "note: pictures in trainB: 1, but 7 were known" in complained
    assert "note: pictures in testA: 0, but 1 were known" in complained
    assert "trainA:" not in complained


def test_an_archive_without_pictures_says_so_and_names_no_method(download):
    done, printed, complained = download("tiny texts", file(zipped({"1.txt": b"one"})))
    assert done == 0
    assert "note: it holds no pictures" in complained
    assert "ganvas train" not in printed


# Where it comes from


def test_addresses_are_tried_in_turn(download, server):
    done, printed, complained = download("tiny pictures", status(404), file(CONTENT))
    assert done == 0
    assert [asked["path"] for asked in server.asked] == [
        "/cyclegan/datasets/tiny.zip",
        "/before/tiny.zip",
    ]
    assert "tiny.zip: cannot be reached by https (" in complained
    assert "tiny.zip: answered 404 Not Found; the next address is tried" in complained
    assert f"from {server.url}/before/tiny.zip" in printed


def test_mirrors_are_tried_first(download, server):
    mirrors = f"--mirror {server.url}/one.zip --mirror {server.url}/two.zip"
    assert download(f"tiny pictures {mirrors}", status(404), file(CONTENT))[0] == 0
    assert [asked["path"] for asked in server.asked] == ["/one.zip", "/two.zip"]


def test_a_web_page_of_one_address_does_not_keep_another_from_being_tried(download):
    page = whole(b"<!doctype html><title>moved</title>")
    done, _, complained = download("tiny pictures", page, file(CONTENT))
    assert done == 0
    assert "sent a web page in place of an archive; the next address is tried" in complained


def test_when_nobody_has_it_all_are_named_and_nothing_is_left(download, server):
    done, _, complained = download("tiny pictures", status(500))
    assert done == 2
    last = complained.splitlines()[-1]
    assert last.startswith("ganvas: tiny: cannot be had: https://127.0.0.1")
    assert last.count("(answered 500 Internal Server Error)") == 2
    assert last.endswith(". try again later, or name another address with --mirror")
    assert here() == set()


def test_what_has_come_is_kept_and_gone_on_with_in_another_call(download, server):
    done, _, complained = download("tiny pictures", file(CONTENT, most=HALF), status(500))
    assert done == 2
    assert "are kept, and the same command goes on with them later" in complained
    assert Path("pictures.part").stat().st_size == HALF
    server.asked.clear()
    done, _, complained = download("tiny pictures")
    assert done == 0
    assert server.asked[0]["range"] == f"bytes={HALF}-"
    assert files_in("pictures") == FILES
    assert here() == {"pictures"}


def test_an_interruption_keeps_what_has_come(download, monkeypatch):
    received = command.Shown.received

    def interrupted(shown: command.Shown, count: int) -> None:
        received(shown, count)
        raise KeyboardInterrupt

    monkeypatch.setattr(command.Shown, "received", interrupted)
    done, _, complained = download("tiny pictures", file(CONTENT))
    assert done == 130
    assert complained.endswith("ganvas: stopped; the same command goes on where it was\n")
    assert here() == {"pictures.part", "pictures.part.json"}
    monkeypatch.setattr(command.Shown, "received", received)
    assert download("tiny pictures")[0] == 0
    assert here() == {"pictures"}


def test_a_part_of_another_set_is_not_gone_on_with_which_is_said(download, server):
    download("tiny pictures", file(CONTENT, most=HALF), status(500))
    content = tarred(PAIRS, "tiny/")
    done, _, complained = download("pix2pix-tiny pictures", file(content))
    assert done == 0
    assert "note: starts anew: what is there is a part of tiny" in complained
    assert files_in("pictures") == PAIRS


# Whether it is what it was


def test_the_same_again_is_said_to_be_so(download):
    _, first, _ = download("tiny one")
    _, second, _ = download("tiny two")
    assert f"SHA-256 {SHA256}, kept, to compare the next download with" in first
    assert re.search(rf"SHA-256 {SHA256}, as downloaded on \d{{4}}-\d\d-\d\d\n", second)


def test_another_file_than_before_is_refused_with_both_hashes(download):
    download("tiny one")
    done, _, complained = download("tiny two", file(OTHER))
    assert done == 2
    assert f"SHA-256 {hashlib.sha256(OTHER).hexdigest()} from http://" in complained
    assert f"but {SHA256} as downloaded on 2" in complained
    assert "--accept-changed takes it as it is" in complained
    assert not Path("two").exists()


def test_a_change_may_be_accepted_without_another_download(download, server):
    download("tiny one")
    download("tiny two", file(OTHER))
    server.asked.clear()
    done, printed, complained = download("tiny two --accept-changed", status(404))
    assert (done, server.asked) == (0, [])
    assert "is not what it was" in complained
    assert len(files_in("two")) == 4
    _, printed, _ = download("tiny three", file(OTHER))
    assert "as downloaded on" in printed


def test_what_was_refused_is_fetched_anew(download):
    download("tiny one")
    download("tiny two", file(OTHER))
    done, _, complained = download("tiny two", file(CONTENT))
    assert done == 0
    assert "starts anew: what is there was another file than expected" in complained
    assert files_in("two") == FILES


def test_a_hash_that_is_known_of_a_set_counts_from_the_first_download(download, monkeypatch):
    monkeypatch.setitem(PUBLISHED, "tiny", replace(TINY, sha256=SHA256, size=len(CONTENT)))
    done, _, complained = download("tiny two", file(OTHER))
    assert done == 2
    assert f"but {SHA256} as TensorFlow Datasets keeps it" in complained
    _, printed, _ = download("tiny two")
    assert f"SHA-256 {SHA256}, as TensorFlow Datasets keeps it" in printed


def test_hashes_are_kept_for_each_name_and_address(download, server):
    download("tiny one")
    url = f"{server.url}/x.zip"
    assert download(f"{url} two", file(OTHER))[0] == 0
    entries = json.loads(Path("home/ganvas/downloads.json").read_text())
    assert entries.keys() == {"tiny", url}
    assert entries["tiny"]["sha256"] == SHA256
    assert entries["tiny"]["size"] == len(CONTENT)


@pytest.mark.parametrize("text", ["", "[1]", '{"tiny": 1}', '{"tiny": {}}', "\0"])
def test_damaged_hashes_stop_a_download_before_it_begins(download, server, text: str):
    path = Path("home/ganvas/downloads.json")
    path.parent.mkdir(parents=True)
    path.write_text(text)
    done, _, complained = download("tiny one")
    assert (done, server.asked) == (2, [])
    assert "downloads.json: cannot be read" in complained
    assert "mend or remove it" in complained


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="wants a folder that nobody writes to")
def test_hashes_that_cannot_be_kept_are_said_and_no_more(download, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", "/proc/nowhere")
    done, _, complained = download("tiny one")
    assert done == 0
    assert "downloads.json: cannot be written (" in complained
    assert "; the next download cannot be compared with this one" in complained


def test_hashes_lie_in_the_users_data_folder(monkeypatch):
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert Hashes.of_user().path == Path("/home/me/.local/share/ganvas/downloads.json")


# The folder


def test_a_folder_that_is_there_and_empty_is_used(download):
    Path("pictures").mkdir()
    assert download("tiny pictures")[0] == 0
    assert files_in("pictures") == FILES


def test_a_link_to_an_empty_folder_is_followed(download):
    Path("disk").mkdir()
    Path("pictures").symlink_to("disk")
    assert download("tiny pictures")[0] == 0
    assert Path("pictures").is_symlink()
    assert files_in("disk") == FILES


@pytest.mark.parametrize(
    ("folder", "wanted"),
    [
        ("pictures", "pictures: exists and is not empty; choose another folder"),
        ("file", "file: exists and is not empty; choose another folder"),
        ("file/below", "file, which is a file"),
        ("other", "other.part: exists, and no download of ours made it; rename it"),
    ],
)
def test_nothing_that_a_user_made_is_overwritten(download, server, folder: str, wanted: str):
    Path("pictures").mkdir()
    mine = [Path("pictures/mine.txt"), Path("file"), Path("other.part")]
    for path in mine:
        path.write_text("mine")
    done, _, complained = download(f"tiny {folder}")
    assert (done, server.asked) == (2, [])
    assert wanted in complained
    assert [path.read_text() for path in mine] == ["mine"] * 3
    assert here() == {"pictures", "file", "other.part"}


@pytest.mark.parametrize("folder", [".", "../empty"])
def test_the_current_folder_is_not_replaced_under_the_users_feet(
    download, server, folder: str, monkeypatch
):
    Path("empty").mkdir()
    monkeypatch.chdir("empty")
    done, _, complained = download(f"tiny {folder}")
    assert (done, server.asked) == (2, [])
    assert f"ganvas: {folder}: cannot be replaced; name a new folder in it" in complained


@pytest.mark.parametrize("name", ["../harm.png", "/harm.png", "a\\harm.png", "tiny/../../harm.png"])
def test_a_malicious_archive_leaves_nothing_behind(download, name: str):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for member in ("trainA/1.png", name):
            archive.writestr(member, FILES["trainA/1.png"])
    done, _, complained = download("tiny sets/pictures", file(content.getvalue()))
    assert done == 2
    assert "tiny: is not unpacked, since " in complained
    assert list(Path("sets").iterdir()) == []
    assert not list(Path().rglob("harm.png"))
    assert not Path("home").exists()


def test_a_damaged_archive_is_fetched_again_by_the_next_call(download, server):
    cut = file(CONTENT[:HALF])
    done, _, complained = download("tiny pictures", cut)
    assert done == 2
    assert "the archive is damaged or cut short" in complained
    assert here() == set()
    assert download("tiny pictures")[0] == 0


def test_an_interrupted_unpacking_leaves_no_half_set_and_needs_no_second_download(
    download, server, monkeypatch
):
    unpacked = command.Shown.unpacked

    def interrupted(shown: command.Shown, files: int) -> None:
        unpacked(shown, files)
        if files == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(command.Shown, "unpacked", interrupted)
    assert download("tiny pictures")[0] == 130
    assert here() == {"pictures.part", "pictures.part.json"}
    monkeypatch.setattr(command.Shown, "unpacked", unpacked)
    server.asked.clear()
    assert download("tiny pictures", status(404))[0] == 0
    assert server.asked == []
    assert files_in("pictures") == FILES


def test_what_a_killed_unpacking_left_is_cleared_away(download):
    Path(".pictures.ganvas-unpacking/all/trainA").mkdir(parents=True)
    Path(".pictures.ganvas-unpacking/all/trainA/old.png").write_bytes(b"old")
    assert download("tiny pictures")[0] == 0
    assert files_in("pictures") == FILES
    assert here() == {"pictures"}


# Names


def test_every_set_is_listed_with_what_is_known_of_it(download, server):
    done, printed, _ = download("--list")
    assert (done, server.asked) == (0, [])
    assert download("")[1] == printed
    lines = {line.split()[0]: line for line in printed.splitlines()}
    assert lines.keys() == {"name", *PUBLISHED, *REFUSED}
    assert "116.9 MB" in lines["horse2zebra"]
    assert "1067 + 1334, 120 + 140 to test" in lines["horse2zebra"]
    assert "not to be had: its licence" in lines["cityscapes"]


@pytest.mark.parametrize("name", [name for name in PUBLISHED if "tiny" not in name])
def test_what_is_known_of_a_set_holds_together(name: str):
    it = PUBLISHED[name]
    assert [url.split(":")[0] for url in it.addresses[:2]] == ["https", "http"]
    assert all(url.endswith(it.file.rsplit("/", 1)[-1]) for url in it.addresses)
    assert it.sha256 == "" or (re.fullmatch("[0-9a-f]{64}", it.sha256) and it.size)
    assert it.other == "" or PUBLISHED[it.other].other == name
    assert it.other == "" or PUBLISHED[it.other].layout != it.layout


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (
            "cityscapes x",
            "cityscapes: its licence lets nobody hand it on; register at https://www.",
        ),
        ("tinny x", "there is no published set 'tinny' (did you mean 'tiny'?); `ganvas data"),
        ("tiny", "DIR: is missing; name a folder to unpack into, as in `ganvas data download tiny"),
        ("file:///etc/passwd x", "file:///etc/passwd: is no http or https address"),
        ("tiny x --mirror elsewhere", "elsewhere: is no http or https address"),
    ],
)
def test_what_cannot_be_had_is_said_at_once(download, server, words: str, wanted: str):
    done, _, complained = download(words)
    assert (done, server.asked, here()) == (2, [], set())
    assert complained.startswith(f"ganvas: {wanted}")
