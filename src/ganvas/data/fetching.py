"""Files over HTTP that go on where they stopped, in the same call or in a later one.

Only http and https are spoken, also after redirects.
"""

import http.client
import re
import shutil
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from ganvas.data.part_file import Part, length_of, spoken_size
from ganvas.errors import InputError

CHUNK = 1 << 18
HEAD = 512
"""So many bytes are looked at before any is kept."""
PROGRESS = 1 << 20
"""A try that brought so many bytes does not count as failed."""
BUSY = {408, 425, 429}
"""Answers, beside those of 500 and above, that may be others the next time."""


class Unavailable(Exception):
    """An address does not give the file; the message says what it did instead."""


class Broken(Unavailable):
    """The same, where another try may help."""


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for."""

    timeout: float = 30.0
    """Seconds without a byte."""
    tries: int = 5
    """One after the other without progress."""
    pause: float = 1.0
    """Seconds before the second try; twice as many before each further one."""


class Watcher:
    """What is told of a download while it runs; this one shows nothing."""

    def said(self, sentence: str) -> None:
        """Something that the user might not expect."""

    def receiving(self, have: int, total: int | None) -> None:
        """A transfer begins with so many bytes there, of so many if that is known."""

    def received(self, count: int) -> None:
        """So many bytes more."""

    def unpacked(self, files: int) -> None:
        """So many files are unpacked."""


Complaint = Callable[[bytes], str | None]
"""Says of a file's first bytes why it is not what is wanted."""


def address(url: str) -> str:
    """The address as it is sent: letters that addresses do not have are escaped.

    Raises:
        InputError: it is none of http or https.
    """
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        parts, known = urlsplit(""), False
    if not known or any(ord(letter) < 32 for letter in url):
        raise InputError(f"{url}: is no http or https address")
    if "@" in parts.netloc:
        raise InputError(f"{url}: holds a user's name, which is not sent; give it without")
    return quote(url, safe="%/:=&?~#+!$,;'@()*[]")


def fetch(url: str, part: Part, complaint: Complaint, watcher: Watcher, patience: Patience) -> None:
    """Bring what is missing of a file.

    Raises:
        Unavailable: the address does not give it; what has come is kept.
        InputError: the disk is full.
    """
    failures = 0
    while part.total is None or part.have != part.total:
        before = part.have
        try:
            receive(url, part, complaint, watcher, patience)
        except Broken:
            failures = 0 if part.have - before >= PROGRESS else failures + 1
            if failures >= patience.tries:
                raise
            time.sleep(patience.pause * 2 ** max(failures - 1, 0))
        else:
            part.total = part.have
            part.save()


def receive(
    url: str, part: Part, complaint: Complaint, watcher: Watcher, patience: Patience
) -> None:
    """One request, and all that the server sends in answer to it."""
    request = Request(url, headers=headers_for(part, url))
    with faults_named(part, patience), opener().open(request, timeout=patience.timeout) as answer:
        if answer.status == 206:
            see_that_it_goes_on(answer.headers, part)
            watcher.said(f"goes on after {spoken_size(part.have)}")
        else:
            if part.have:
                watcher.said(f"starts anew: {why_anew(answer.headers, part, url)}")
            part.begin(url, answer.headers)
        keep(answer, part, complaint, watcher)


def headers_for(part: Part, url: str) -> dict[str, str]:
    """The headers of a request for what is missing."""
    headers = {"User-Agent": "ganvas", "Accept": "*/*", "Accept-Encoding": "identity"}
    if part.have and (part.validator or (part.url == url and part.total)):
        headers["Range"] = f"bytes={part.have}-"
        if part.validator:
            headers["If-Range"] = part.validator
    return headers


def keep(
    answer: http.client.HTTPResponse, part: Part, complaint: Complaint, watcher: Watcher
) -> None:
    """Write what comes, and see that it is all."""
    see_that_it_fits(part)
    watcher.receiving(part.have, part.total)
    coming, least = chunks(answer), HEAD if part.total is None else min(HEAD, part.total)
    if not part.have:
        head = b""
        while len(head) < HEAD and (more := next(coming, b"")):
            head += more
        if part.total is not None and len(head) < least:
            raise Broken(f"closed the connection after {spoken_size(len(head))}")
        if problem := complaint(head):
            part.begin()
            raise Unavailable(problem)
        part.write(head)
        watcher.received(len(head))
    for chunk in coming:
        part.write(chunk)
        watcher.received(len(chunk))
    if part.total is None or part.have == part.total:
        return
    came, total = spoken_size(part.have), spoken_size(part.total)
    if part.have > part.total:
        part.begin()
        raise Broken(f"sent more than the {total} that it had said")
    raise Broken(f"closed the connection after {came} of {total}")


def see_that_it_fits(part: Part) -> None:
    if part.total is None:
        return
    folder = part.path.parent
    # Pictures are compressed already: unpacked they take what the archive takes, or more.
    need, free = 2 * part.total - part.have, shutil.disk_usage(folder).free
    if need > free:
        raise InputError(
            f"{folder}: has {spoken_size(free)} free, but the rest of the archive and its pictures "
            f"take {spoken_size(need)} at least; make room, or choose another disk"
        )


def chunks(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """What an answer brings, as it comes, and no more than its Content-Length."""
    left = length_of(answer.headers)
    while left is None or left > 0:
        chunk = answer.read1(CHUNK if left is None else min(CHUNK, left))
        if not chunk:
            return
        left = None if left is None else left - len(chunk)
        yield chunk


def see_that_it_goes_on(headers: Message, part: Part) -> None:
    """Compare a partial answer with the part.

    Raises:
        Broken: it is not the rest of it; the next try starts anew.
    """
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", (headers["Content-Range"] or "").strip())
    wanted = found is not None and part.have > 0 and int(found[1]) == part.have
    if found is None or not wanted or changed(headers, part, found[2]):
        part.begin()
        raise Broken("answered with another part than was asked for")
    if found[2] != "*":
        part.total = int(found[2])
        part.save()


def changed(headers: Message, part: Part, total: str) -> bool:
    """Whether these are the headers of another version of the file. `total` is its length, `*`
    where it is not said."""
    known = (part.etag, part.modified, "" if part.total is None else str(part.total))
    now = (headers["ETag"], headers["Last-Modified"], total.removeprefix("*"))
    return any(old and new and old != new for old, new in zip(known, now, strict=True))


def why_anew(headers: Message, part: Part, url: str) -> str:
    """Why a server sends the whole file, though only its end is missing."""
    length = length_of(headers)
    if changed(headers, part, "*" if length is None else str(length)):
        return "the server's file is another one than before"
    return f"{urlsplit(url).hostname} did not send the missing part alone"


def opener() -> OpenerDirector:
    """What opens http and https addresses and no others, through the proxies of the environment."""
    director = OpenerDirector()
    for handler in (
        ProxyHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        HTTPDefaultErrorHandler(),
        Redirects(),
        HTTPErrorProcessor(),
        UnknownHandler(),
    ):
        director.add_handler(handler)
    return director


class Redirects(HTTPRedirectHandler):
    """Those to http and https, but none that leaves https."""

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https"):
            fp.close()
            raise Unavailable(elsewhere(newurl))
        if req.type == "https" and scheme == "http":
            fp.close()
            raise Unavailable(f"redirects to {newurl}, which is not encrypted")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def elsewhere(target: str) -> str:
    return f"redirects to {target}, which is no http or https address"


@contextmanager
def faults_named(part: Part, patience: Patience) -> Iterator[None]:
    """Say in a few words what went wrong with a server, and whether another try may help."""
    try:
        yield
    except HTTPError as error:
        error.close()
        if not whole_already(error, part):
            raise refusal(error, part) from None
    except URLError as error:
        raise out_of_reach(error.reason, patience) from None
    except TimeoutError:
        raise Broken(f"sent nothing for {patience.timeout:g} s") from None
    except (http.client.HTTPException, OSError) as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise Broken(f"broke off ({words})") from None


def whole_already(error: HTTPError, part: Part) -> bool:
    """Whether a server that has nothing after our part says that it is the whole."""
    said = (error.headers["Content-Range"] or "").replace(" ", "")
    return error.code == 416 and part.have > 0 and said == f"bytes*/{part.have}"


def refusal(error: HTTPError, part: Part) -> Unavailable:
    """What an answer means that is no file."""
    if error.code == 416:
        part.begin()
        return Broken("has no such part of the file")
    if error.code // 100 == 3:
        circle = "infinite loop" in str(error.msg)
        target = error.headers["Location"] or "nowhere"
        return Unavailable("redirects in a circle" if circle else elsewhere(target))
    kind = Broken if error.code in BUSY or error.code >= 500 else Unavailable
    return kind(f"answered {error.code} {error.reason}".strip())


def out_of_reach(reason: Any, patience: Patience) -> Unavailable:
    """What it means that a server did not answer at all."""
    if isinstance(reason, socket.gaierror):
        return Unavailable("its name is not known; is there a network?")
    if isinstance(reason, ssl.SSLCertVerificationError):
        return Unavailable(f"its certificate cannot be trusted ({reason.verify_message})")
    if isinstance(reason, ssl.SSLError):
        return Unavailable(f"cannot be reached by https ({reason.reason or reason})")
    if isinstance(reason, TimeoutError):
        return Broken(f"did not answer within {patience.timeout:g} s")
    words = reason.strerror if isinstance(reason, OSError) else ""
    return Broken(f"cannot be reached ({words or reason})")
