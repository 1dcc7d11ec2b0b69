"""The study's server: a page, its pictures, and its answers. Nothing but the standard library.

Everything is checked here and not believed: which session it is, whether its trial is the one that
is due, and how long it took. What a browser is told names no kind, no file and no number of a
picture, and each picture's file has as many bytes as any other.
"""

import io
import ipaddress
import json
import math
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from random import Random
from socketserver import TCPServer
from threading import RLock
from typing import Any

import numpy as np
from PIL import Image

from ganvas.errors import InputError
from ganvas.evaluation.study.answers import Answers, Row, now, tally, write_summary
from ganvas.evaluation.study.intervals import interval
from ganvas.evaluation.study.pictures import Pictures
from ganvas.evaluation.study.protocol import Protocol, Trial, plan

PAGES = {
    "/": ("study.html", "text/html; charset=utf-8"),
    "/study.js": ("study.js", "text/javascript; charset=utf-8"),
    "/study.css": ("study.css", "text/css; charset=utf-8"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
LOCAL_NAMES = {"localhost", "127.0.0.1", "::1"}
LONGEST_BODY = 4096
LONGEST_NAME = 40
QUIET_SECONDS = 30


class Refused(Exception):
    """A request that is not answered as asked, with the status that says why."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass
class Session:
    """One participant at their place."""

    number: int
    trials: list[Trial]
    at: int = 0
    asked: float | None = None
    """When the trial's pictures were first asked for, on this machine's clock; None: not yet."""
    looks: int = 0
    """How often they were."""
    shown: dict[str, np.ndarray] = field(default_factory=dict)
    """The trial's two pictures by the ids that the browser has of them."""


class Study:
    """Participants, their places and their answers. Any number may take part at once."""

    def __init__(self, answers: Answers, pictures: Pictures, *counting: Any) -> None:
        """`counting` says who counts: see `tally`."""
        self.answers, self.pictures, self.counting = answers, pictures, counting
        self.protocol: Protocol = answers.protocol
        self.sessions: dict[str, Session] = {}
        self.lock = RLock()

    def about(self) -> Row:
        """What the page says before anyone begins."""
        width, height = self.pictures.size
        p = self.protocol
        return {
            "practice": p.practice,
            "test": p.trials + p.catch,
            "seconds": p.seconds,
            "enlarge": p.enlarge,
            "width": width,
            "height": height,
        }

    def begin(self, name: str) -> Row:
        """A new participant."""
        name = "".join(c for c in name if c.isprintable()).strip()[:LONGEST_NAME]
        counts = len(self.pictures.real), len(self.pictures.fake)
        with self.lock:
            number = self.answers.participants
            trials = plan(self.protocol, number, *counts, self.pictures.same)
            self.answers.append({"participant": number, "name": name, "began": now()})
            token = secrets.token_urlsafe(18)
            self.sessions[token] = Session(number, trials)
        return {"session": token}

    def session(self, token: Any) -> Session:
        found = self.sessions.get(token) if isinstance(token, str) else None
        if found is None:
            raise Refused(HTTPStatus.NOT_FOUND, "there is no such session; begin anew")
        return found

    def where(self, token: Any) -> Row:
        """How far a session is."""
        with self.lock:
            session = self.session(token)
            return {"at": session.at, "total": len(session.trials)}

    def trial(self, token: Any) -> Row:
        """The trial that is due: where its pictures are to be had. After the last, the result."""
        with self.lock:
            session = self.session(token)
            if session.at == len(session.trials):
                return {"done": True, **self.own_result(session)}
            if session.asked is None:
                session.asked = time.monotonic()
                session.shown = {secrets.token_urlsafe(12): x for x in self.both(session)}
            session.looks += 1
            first, second = (f"/picture/{name}" for name in session.shown)
            practice = session.trials[session.at].kind == "practice"
            counted = {"at": session.at, "total": len(session.trials), "practice": practice}
            return counted | {"first": first, "second": second}

    def both(self, session: Session) -> list[np.ndarray]:
        """The trial's pictures in the order in which they are shown."""
        trial, p = session.trials[session.at], self.pictures
        real = p.real[trial.real].pixels
        if trial.kind == "catch":
            chance = Random(f"{self.protocol.seed} {session.number} {session.at}")
            other = p.spoiled(trial.fake, chance)
        else:
            other = p.fake[trial.fake].pixels
        return [real, other] if trial.real_first else [other, real]

    def answer(self, token: Any, at: Any, said: Any, reaction: Any, shown: Any) -> Row:
        """Take an answer to the trial that is due, and keep it with its times."""
        if said not in ("first", "second"):
            raise Refused(HTTPStatus.BAD_REQUEST, "answer: must be first or second")
        times = shown if isinstance(shown, list) and len(shown) == 2 else [None]
        if not all(map(is_time, (reaction, *times))):
            raise Refused(
                HTTPStatus.BAD_REQUEST, "reaction_ms and shown_ms: want milliseconds, one and two"
            )
        with self.lock:
            session = self.session(token)
            if at != session.at or isinstance(at, bool):
                when = "answered already" if is_time(at) and at < session.at else "not due"
                raise Refused(HTTPStatus.CONFLICT, f"trial {at}: is {when}; {session.at} is due")
            if session.asked is None:
                raise Refused(HTTPStatus.CONFLICT, f"trial {at}: has not been shown yet")
            trial, took = session.trials[session.at], time.monotonic() - session.asked
            right = said == trial.right
            self.answers.append(
                {
                    "participant": session.number,
                    "trial": at,
                    "kind": trial.kind,
                    "real_was": trial.right,
                    "answer": said,
                    "right": right,
                    "reaction_ms": round(reaction, 1),
                    "shown_ms": [round(x, 1) for x in shown],
                    # By the server's clock: nobody has seen both pictures before that.
                    "early": took < 2 * self.protocol.seconds,
                    "looks": session.looks,
                    **self.names(trial),
                    "date": now(),
                }
            )
            session.at, session.asked, session.looks, session.shown = session.at + 1, None, 0, {}
            if session.at == len(session.trials):
                write_summary(self.answers.path.parents[1], *self.counting)
        return {"right": right, "real": trial.right} if trial.kind == "practice" else {}

    def names(self, trial: Trial) -> Row:
        """What the two pictures are."""
        real = self.pictures.real[trial.real].name
        other = "shuffled" if trial.kind == "catch" else self.pictures.fake[trial.fake].name
        return {"real": real, "generated": other}

    def own_result(self, session: Session) -> Row:
        """A participant's own figures."""
        found = next(p for p in tally(self.answers).participants if p.number == session.number)
        (low, high), _ = interval([found.fooled], self.protocol.trials)
        return {
            "fooled": found.fooled,
            "of": self.protocol.trials,
            "low": round(100 * low),
            "high": round(100 * high),
        }

    def picture(self, name: str) -> bytes:
        """A picture of a trial that is due, as PNG."""
        with self.lock:
            found = next((s.shown[name] for s in self.sessions.values() if name in s.shown), None)
        if found is None:
            raise Refused(HTTPStatus.NOT_FOUND, "there is no such picture now")
        return as_png(found)


def is_time(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and 0 <= value < 1e9
    )


def as_png(pixels: np.ndarray) -> bytes:
    """uint8 (H, W, 3) as a PNG without compression: all of one size have as many bytes, so that
    their length tells nothing."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "ganvas", ""
    timeout = QUIET_SECONDS

    @property
    def own(self) -> "Server":
        assert isinstance(self.server, Server)
        return self.server

    def do_GET(self) -> None:
        self.respond(self.get)

    def do_POST(self) -> None:
        self.respond(self.post)

    def respond(self, work: Callable[[], tuple[bytes, str]]) -> None:
        try:
            self.check_host()
            content, kind = work()
            status = HTTPStatus.OK
        except Refused as refusal:
            content, kind = as_json({"error": str(refusal)})
            status = refusal.status
            # What was sent along may not have been read.
            self.close_connection = True
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def check_host(self) -> None:
        """Of this machine alone: a page elsewhere may not reach us by a name of its own."""
        name = (self.headers["Host"] or "").rsplit(":", 1)[0].strip("[]")
        if self.own.local and name not in LOCAL_NAMES:
            raise Refused(HTTPStatus.FORBIDDEN, "this study is for this machine only")

    def get(self) -> tuple[bytes, str]:
        path = self.path.partition("?")[0]
        if path in PAGES:
            name, kind = PAGES[path]
            return resources.files("ganvas.web").joinpath(name).read_bytes(), kind
        study = self.own.study_ready()
        if path == "/api/study":
            return as_json(study.about())
        if path.startswith("/picture/"):
            return study.picture(path.removeprefix("/picture/")), "image/png"
        raise Refused(HTTPStatus.NOT_FOUND, "there is no such page")

    def post(self) -> tuple[bytes, str]:
        body, study = self.body(), self.own.study_ready()
        token = body.get("session")
        if self.path == "/api/begin":
            name = body.get("name", "")
            if not isinstance(name, str):
                raise Refused(HTTPStatus.BAD_REQUEST, "name: must be text")
            return as_json(study.begin(name))
        if self.path == "/api/where":
            return as_json(study.where(token))
        if self.path == "/api/trial":
            return as_json(study.trial(token))
        if self.path == "/api/answer":
            given = (body.get(key) for key in ("trial", "answer", "reaction_ms", "shown_ms"))
            return as_json(study.answer(token, *given))
        raise Refused(HTTPStatus.NOT_FOUND, "there is no such page")

    def body(self) -> Row:
        # Pages elsewhere cannot send this type without asking first.
        if self.headers.get_content_type() != "application/json":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "wants application/json")
        length = self.headers["Content-Length"] or ""
        if not length.isdecimal() or int(length) > LONGEST_BODY:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"wants {LONGEST_BODY} bytes at most"
            )
        try:
            body = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "wants a JSON object")
        return body

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: who visits is nobody's business."""


def as_json(content: Row) -> tuple[bytes, str]:
    return json.dumps(content).encode(), "application/json"


class Server(ThreadingHTTPServer):
    """Bound to its address at once, so that a port that is taken shows before pictures are made."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int) -> None:
        if not 0 <= port < 2**16:
            raise InputError(f"--port {port}: must be from 0, any that is free, to 65535")
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.study: Study | None = None
        try:
            super().__init__((host, port), Handler)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(
                f"--host {host} --port {port}: cannot be listened on ({reason}); take another "
                "--port, or 0 for any that is free"
            ) from None

    def server_bind(self) -> None:
        # HTTPServer's own would look the name up, which may take long where there is no network.
        TCPServer.server_bind(self)

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(str(self.server_address[0])).is_loopback

    @property
    def url(self) -> str:
        host = str(self.server_address[0])
        if ipaddress.ip_address(host).is_unspecified:
            host = socket.gethostname()
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_address[1]}"

    def study_ready(self) -> Study:
        if self.study is None:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "pictures are still being made")
        return self.study
