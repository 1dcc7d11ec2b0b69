"""Downloads from servers that break off, lie, change their files or lead elsewhere."""

import io
import json
import re
import shutil
import time
import urllib.request
import zipfile
from collections import namedtuple
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from threading import Event

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import Answer, Request, Server, chunked, file, serving, status, whole

from ganvas.data.fetching import (
    Broken,
    Patience,
    Redirects,
    Unavailable,
    Watcher,
    address,
    fetch,
)
from ganvas.data.part_file import Part, spoken_size
from ganvas.data.unpacking import complaint
from ganvas.errors import InputError

QUICK = Patience(timeout=5, tries=3, pause=0)
NEW = '"two"'
OLD_DATE, NEW_DATE = "Mon, 03 Sep 2018 08:58:00 GMT", "Tue, 04 Sep 2018 08:58:00 GMT"
Usage = namedtuple("Usage", "total used free")


def zipped(size: int, letter: bytes = b"x") -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("1.png", letter * size)
    return content.getvalue()


CONTENT, OTHER = zipped(50_000), zipped(50_000, b"y")
HALF = 20_000


class Told(Watcher):
    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.began: list[tuple[int, int | None]] = []
        self.bytes = 0

    def said(self, sentence: str) -> None:
        self.sentences.append(sentence)

    def receiving(self, have: int, total: int | None) -> None:
        self.began.append((have, total))

    def received(self, count: int) -> None:
        self.bytes += count


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the environment stands between a test and its server."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.asked.clear()
    return running


class Download:
    """One file from that server, in as many calls as a test makes."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.path, self.told = server, folder / "set.part", Told()

    def __call__(self, *answers: Answer, patience: Patience = QUICK) -> bytes:
        """What is there after a call that the server answers so."""
        url = self.server.serves(*answers)
        part = Part.found(self.path, "set")
        with part.locked():
            fetch(url, part, complaint, self.told, patience)
        return self.path.read_bytes()

    def begun(self, *answers: Answer) -> None:
        """Let a first call end in the middle."""
        with pytest.raises(Broken):
            self(*answers, patience=Patience(timeout=5, tries=1, pause=0))
        assert 0 < self.path.stat().st_size < len(CONTENT)

    @property
    def ranges(self) -> list[str | None]:
        return [asked.get("range") for asked in self.server.asked]


@pytest.fixture
def download(server: Server, tmp_path: Path) -> Download:
    return Download(server, tmp_path)


# What comes


@pytest.mark.parametrize(
    "answer",
    [file(CONTENT), whole(CONTENT), whole(CONTENT, Content_Length="many"), chunked(CONTENT)],
    ids=["with its length", "without its length", "with nonsense for a length", "in chunks"],
)
def test_a_file_comes_whole(download: Download, answer: Answer):
    assert download(answer) == CONTENT
    assert download.told.bytes == len(CONTENT)
    assert download.told.sentences == []


def test_the_watcher_knows_how_much_there_is_to_come(download: Download):
    download(file(CONTENT, most=HALF), file(CONTENT))
    assert download.told.began == [(0, len(CONTENT)), (HALF, len(CONTENT))]


def test_what_is_whole_is_not_asked_for_again(download: Download):
    download(file(CONTENT))
    download.server.asked.clear()
    assert download(status(404)) == CONTENT
    assert download.server.asked == []


def test_redirects_are_followed_and_the_rest_is_asked_for_behind_them(download: Download):
    def moved(request: Request) -> None:
        request.begin(302, Location="/elsewhere.zip", Content_Length=0)

    assert download(moved, file(CONTENT, most=HALF), moved, file(CONTENT)) == CONTENT
    assert download.ranges == [None, None, f"bytes={HALF}-", f"bytes={HALF}-"]


def test_letters_that_addresses_do_not_have_are_escaped(download: Download):
    part = Part.found(download.path, "set")
    url = download.server.serves(file(CONTENT)).replace("set", "größe 1%20")
    with part.locked():
        fetch(address(url), part, complaint, download.told, QUICK)
    assert download.server.asked[0]["path"] == "/gr%C3%B6%C3%9Fe%201%20.zip"


# Going on


def test_a_connection_that_dies_is_gone_on_with_at_once(download: Download):
    assert download(file(CONTENT, most=HALF), file(CONTENT)) == CONTENT
    assert download.ranges == [None, f"bytes={HALF}-"]
    assert download.server.asked[1]["if-range"] == '"one"'
    assert download.told.sentences == ["goes on after 20.0 kB"]


def test_another_call_goes_on_where_the_first_stopped(download: Download):
    download.begun(file(CONTENT, most=HALF))
    assert download(file(CONTENT)) == CONTENT
    assert download.ranges == [None, f"bytes={HALF}-"]


@given(st.lists(st.integers(1, len(CONTENT)), max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_wherever_it_dies_the_whole_comes_together(
    running: Server, tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
):
    download = Download(running, tmp_path_factory.mktemp("cuts"))
    answers = [file(CONTENT, most=cut) for cut in cuts]
    patience = Patience(timeout=5, tries=len(cuts) + 1, pause=0)
    assert download(*answers, file(CONTENT), patience=patience) == CONTENT


def test_chunks_without_an_end_are_no_whole_file(download: Download):
    with pytest.raises(Broken, match="broke off"):
        download(chunked(CONTENT, end=False))
    assert download(chunked(CONTENT)) == CONTENT


@pytest.mark.parametrize("tag", [None, 'W/"weak"'])
def test_without_a_strong_tag_the_date_says_whether_it_is_the_same_file(
    download: Download, tag: str | None
):
    download.begun(file(CONTENT, tag, HALF, Last_Modified=OLD_DATE))
    assert download(file(CONTENT, tag, Last_Modified=OLD_DATE)) == CONTENT
    assert download.server.asked[1]["if-range"] == OLD_DATE


def test_with_neither_tag_nor_date_the_length_must_be_the_same(download: Download):
    download.begun(file(CONTENT, None, HALF))
    assert download(file(CONTENT, None)) == CONTENT
    assert download.ranges == [None, f"bytes={HALF}-"]


def test_without_tag_date_and_length_it_starts_anew(download: Download):
    download.begun(chunked(CONTENT[:HALF], end=False))
    assert download(file(CONTENT, None)) == CONTENT
    assert download.ranges == [None, None]


def test_a_server_that_knows_no_ranges_sends_all_again_which_is_said(download: Download):
    download.begun(file(CONTENT, most=HALF))
    assert download(whole(CONTENT, Content_Length=len(CONTENT))) == CONTENT
    assert download.told.sentences == ["starts anew: 127.0.0.1 did not send the missing part alone"]


# A file that changes meanwhile


CHANGED = {
    "its tag": (file(CONTENT, most=HALF), file(OTHER, NEW)),
    "its date": (
        file(CONTENT, None, HALF, Last_Modified=OLD_DATE),
        file(OTHER, None, Last_Modified=NEW_DATE),
    ),
}


@pytest.mark.parametrize("by", CHANGED)
def test_a_file_that_changed_starts_anew_which_is_said(download: Download, by: str):
    before, after = CHANGED[by]
    download.begun(before)
    assert download(after) == OTHER
    assert download.told.sentences == ["starts anew: the server's file is another one than before"]


def partial(content: bytes, place: str, **headers: object) -> Answer:
    """206 with that Content-Range, whatever was asked for."""

    def answer(request: Request) -> None:
        request.begin(206, Content_Range=place, Content_Length=len(content), **headers)
        request.wfile.write(content)

    return answer


WRONG_PARTS = {
    "from elsewhere": partial(CONTENT[100:], f"bytes 100-{len(CONTENT) - 1}/{len(CONTENT)}"),
    "of another length": partial(CONTENT[HALF:], f"bytes {HALF}-{len(CONTENT) - 1}/999999"),
    "without a place": partial(CONTENT[HALF:], "the rest"),
    "of another version": partial(
        OTHER[HALF:], f"bytes {HALF}-{len(OTHER) - 1}/{len(OTHER)}", ETag=NEW
    ),
}


@pytest.mark.parametrize("wrong", WRONG_PARTS)
def test_a_part_that_is_not_the_missing_one_is_not_taken(download: Download, wrong: str):
    download.begun(file(CONTENT, most=HALF))
    assert download(WRONG_PARTS[wrong], file(CONTENT)) == CONTENT
    assert download.ranges == [None, f"bytes={HALF}-", None]


def test_a_part_that_nobody_asked_for_is_not_taken(download: Download):
    with pytest.raises(Broken, match="answered with another part than was asked for"):
        download(partial(CONTENT, f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"))
    assert not download.path.exists()


def test_a_length_that_was_too_large_is_set_right_by_a_server_that_has_nothing_more(
    download: Download,
):
    download.begun(whole(CONTENT[:HALF], Content_Length=len(CONTENT), ETag='"one"'))
    assert download(file(CONTENT[:HALF])) == CONTENT[:HALF]


def test_a_file_that_became_shorter_starts_anew(download: Download):
    download.begun(file(CONTENT, most=HALF))
    short = zipped(100)
    assert download(file(short), file(short)) == short


def test_a_length_that_is_always_too_large_is_said_in_the_end(download: Download):
    with pytest.raises(Broken, match=r"closed the connection after 50\.1 kB of 60\.0 kB"):
        download(whole(CONTENT, Content_Length=60_000))
    assert len(download.server.asked) == QUICK.tries


def test_no_more_is_taken_than_the_length_says(download: Download):
    assert download(whole(CONTENT, Content_Length=HALF)) == CONTENT[:HALF]


def test_more_than_was_said_in_chunks_is_not_kept(download: Download):
    download.begun(file(CONTENT, most=HALF))

    def too_much(request: Request) -> None:
        place = f"bytes {HALF}-{len(CONTENT) - 1}/{len(CONTENT)}"
        request.begin(206, Content_Range=place, ETag='"one"')
        request.wfile.write(CONTENT)

    assert download(too_much, file(CONTENT)) == CONTENT
    assert download.ranges == [None, f"bytes={HALF}-", None]


# What is no file


@pytest.mark.parametrize(
    ("answer", "wanted", "tries"),
    [
        (status(404), "answered 404 Not Found", 1),
        (status(403), "answered 403 Forbidden", 1),
        (status(500), "answered 500 Internal Server Error", 3),
        (status(503), "answered 503 Service Unavailable", 3),
        (status(429), "answered 429 Too Many Requests", 3),
        (
            status(302, Location="file:///etc/passwd"),
            "redirects to file:///etc/passwd, which is",
            1,
        ),
        (status(302, Location="ftp://a/set.zip"), "redirects to ftp://a/set.zip, which is no", 1),
        (status(301), "redirects to nowhere, which is no http or https address", 1),
        (status(302, Location="/set.zip"), "redirects in a circle", None),
        (status(416), "has no such part of the file", 3),
        (whole(b"<!DOCTYPE html><p>sorry", Content_Type="application/zip"), "sent a web page", 1),
        (whole(b"\n <HTML>", Content_Length=8), "sent a web page in place of an archive", 1),
        (status(200), "sent an empty file", 1),
        (whole(b""), "sent an empty file", 1),
        (whole(b"BZh91AY&SY" + bytes(99)), "sent a bzip2 archive; zip and tar.gz can be", 1),
        (whole(b"Rar!" + bytes(99)), "sent a rar archive; zip and tar.gz can be unpacked", 1),
        (whole(bytes(999)), "sent what is neither a zip nor a tar.gz", 1),
        (whole(CONTENT, most=0, Content_Length=len(CONTENT)), "the connection after 0 bytes", 3),
        (whole(CONTENT, most=3, Content_Length=len(CONTENT)), "the connection after 3 bytes", 3),
        (lambda request: request.wfile.write(b"nonsense\r\n\r\n"), "broke off (nonsense)", 3),
        (lambda request: None, "broke off (Remote end closed connection without response)", 3),
    ],
)
def test_what_is_no_archive_is_said_and_leaves_nothing(
    download: Download, answer: Answer, wanted: str, tries: int | None
):
    with pytest.raises(Unavailable) as caught:
        download(answer)
    assert wanted in str(caught.value)
    assert tries in (None, len(download.server.asked))
    assert list(download.path.parent.iterdir()) == []


def test_a_server_that_recovers_is_asked_again(download: Download):
    assert download(status(500), status(503), file(CONTENT)) == CONTENT


def test_tries_wait_longer_and_longer(download: Download, monkeypatch: pytest.MonkeyPatch):
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    with pytest.raises(Broken):
        download(status(500), patience=Patience(tries=4, pause=1))
    assert waited == [1, 2, 4]


def test_a_server_that_stalls_is_left_and_what_it_sent_is_kept(download: Download):
    done = Event()

    def stalls(request: Request) -> None:
        request.begin(200, Content_Length=len(CONTENT), ETag='"one"')
        request.wfile.write(CONTENT[:HALF])
        done.wait(10)

    try:
        assert download(stalls, file(CONTENT), patience=Patience(0.2, 2, 0)) == CONTENT
    finally:
        done.set()
    assert download.ranges == [None, f"bytes={HALF}-"]


def test_a_server_that_never_answers_is_left(download: Download):
    done = Event()

    def waits(request: Request) -> None:
        done.wait(10)

    try:
        with pytest.raises(Broken, match=re.escape("sent nothing for 0.1 s")):
            download(waits, patience=Patience(0.1, 2, 0))
    finally:
        done.set()


def test_a_port_where_nobody_listens_is_said(tmp_path: Path):
    with serving() as gone:
        url = gone.url
    part = Part.found(tmp_path / "set.part", "set")
    with part.locked(), pytest.raises(Broken, match="cannot be reached"):
        fetch(f"{url}/set.zip", part, complaint, Watcher(), Patience(1, 1, 0))


def test_a_name_that_nobody_knows_is_said_without_further_tries(tmp_path: Path):
    part = Part.found(tmp_path / "set.part", "set")
    with part.locked(), pytest.raises(Unavailable, match="its name is not known"):
        fetch("http://nobody.invalid/set.zip", part, complaint, Watcher(), Patience(5, 9, 60))


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://a/b.zip", "http://", "set.zip", "http://a:b/", "https://[/x"],
)
def test_only_http_and_https_are_spoken(url: str):
    with pytest.raises(InputError, match="is no http or https address"):
        address(url)


def test_a_users_name_in_an_address_is_refused_rather_than_lost():
    with pytest.raises(InputError, match="holds a user's name"):
        address("https://me:secret@host/set.zip")


# The disk, and others that use it


def test_a_disk_without_room_for_archive_and_pictures_is_said_before_anything_comes(
    download: Download, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 99_999))
    with pytest.raises(InputError, match=r"has 100\.0 kB free, but .* take 100\.2 kB at least"):
        download(file(CONTENT))
    assert list(download.path.parent.iterdir()) == []


def test_a_disk_that_fills_up_stops_the_download_and_keeps_what_came(
    download: Download, monkeypatch: pytest.MonkeyPatch
):
    download.begun(file(CONTENT, most=HALF))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 999_999))
    with pytest.raises(InputError, match="the disk is full; make room, and the same command goes"):
        download(file(CONTENT))
    assert download.path.stat().st_size == HALF


def test_a_second_process_waits_for_the_first(tmp_path: Path):
    with (
        Part.found(tmp_path / "set.part", "set").locked(),
        pytest.raises(InputError, match="another process is downloading into it"),
        Part.found(tmp_path / "set.part", "set").locked(),
    ):
        pass


def test_a_part_of_somebody_else_is_left_alone(download: Download):
    download.path.write_bytes(b"mine")
    with pytest.raises(InputError, match="no download of ours made it; rename it"):
        download(file(CONTENT))
    assert download.path.read_bytes() == b"mine"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": 1}'])
def test_a_damaged_note_of_what_has_come_is_said(download: Download, text: str):
    download.begun(file(CONTENT, most=HALF))
    note = download.path.with_name("set.part.json")
    assert json.loads(note.read_text())["total"] == len(CONTENT)
    note.write_text(text)
    with pytest.raises(
        InputError, match=re.escape(f"cannot be read; remove it and {download.path}")
    ):
        download(file(CONTENT))


@pytest.mark.parametrize(
    ("count", "wanted"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (116_867_962, "116.9 MB"),
        (8 * 10**9, "8.0 GB"),
    ],
)
def test_sizes_are_spoken_in_powers_of_1000(count: int, wanted: str):
    assert spoken_size(count) == wanted


def test_no_redirect_leads_from_an_encrypted_address_to_one_that_is_not():
    with pytest.raises(Unavailable, match=r"redirects to http://a/set\.zip, which is not enc"):
        Redirects().redirect_request(
            urllib.request.Request("https://a/set.zip"),
            io.BytesIO(),
            302,
            "Found",
            Message(),
            "http://a/set.zip",
        )
