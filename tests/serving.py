"""A server on this machine that gives files as badly as a test wants."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

TAG = '"one"'


@dataclass
class Server:
    """What is served, and what was asked for. `answers` are taken one after the other, the last
    again and again."""

    url: str = ""
    answers: list[Callable[["Request"], None]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    """The headers of each request, and its path as `path`."""

    def serves(self, *answers: Callable[["Request"], None]) -> str:
        """Answer so from now on: the address of a zip."""
        self.answers = list(answers)
        return f"{self.url}/set.zip"


class Request(BaseHTTPRequestHandler):
    """One request; the answers write what they like to it."""

    def do_GET(self) -> None:
        server: Server = self.server.told  # pyright: ignore[reportAttributeAccessIssue]
        server.asked.append({key.lower(): value for key, value in self.headers.items()})
        server.asked[-1]["path"] = self.path
        answer = server.answers[0] if len(server.answers) == 1 else server.answers.pop(0)
        answer(self)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def begin(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def start_of_range(self) -> int | None:
        found = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        return int(found[1]) if found else None


Answer = Callable[[Request], None]


def file(content: bytes, tag: str | None = TAG, most: int | None = None, **more: object) -> Answer:
    """The file as good servers give it, ranges too; `most` bytes of the answer are sent before
    the connection closes."""

    def answer(request: Request) -> None:
        start = request.start_of_range()
        if request.headers["If-Range"] not in (None, tag, more.get("Last_Modified")):
            start = None
        if start is not None and start >= len(content):
            request.begin(416, Content_Range=f"bytes */{len(content)}")
            return
        rest = content[start or 0 :]
        headers = {"ETag": tag, "Content_Length": len(rest)} | more
        if start is not None:
            headers["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        request.begin(200 if start is None else 206, **headers)
        request.wfile.write(rest[:most])

    return answer


def whole(content: bytes, most: int | None = None, **headers: object) -> Answer:
    """The file from its beginning, whatever is asked for."""

    def answer(request: Request) -> None:
        request.begin(200, **headers)
        request.wfile.write(content[:most])

    return answer


def status(code: int, **headers: object) -> Answer:
    return lambda request: request.begin(code, Content_Length=0, **headers)


def chunked(content: bytes, end: bool = True) -> Answer:
    """The file in pieces whose sum is not said; without its end if so wished."""

    def answer(request: Request) -> None:
        request.protocol_version = "HTTP/1.1"
        request.begin(200, Transfer_Encoding="chunked")
        for at in range(0, len(content), 1000):
            piece = content[at : at + 1000]
            request.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        request.wfile.write(b"0\r\n\r\n" if end else b"")

    return answer


@contextmanager
def serving() -> Iterator[Server]:
    """A server while the block lasts."""
    told = Server()
    with ThreadingHTTPServer(("127.0.0.1", 0), Request) as http:
        http.daemon_threads = True
        http.block_on_close = False
        http.told = told  # pyright: ignore[reportAttributeAccessIssue]
        told.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield told
        finally:
            http.shutdown()
            thread.join()
