"""Studies made for tests."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np

from ganvas.evaluation.study.answers import Answers
from ganvas.evaluation.study.pictures import Pictures, Shown
from ganvas.evaluation.study.protocol import Protocol
from ganvas.web.study import Server, Study

SHORT = Protocol(trials=4, practice=2, catch=2, seconds=0.05)


def some_pictures(count: int = 12, size: int = 8) -> Pictures:
    """Flat real pictures and noisy generated ones, so that a compressed file would tell."""
    chance = np.random.default_rng(0)
    flat = [np.full((size, size, 3), 10 * i, np.uint8) for i in range(count)]
    noisy = [chance.integers(0, 256, (size, size, 3), np.uint8) for _ in range(count)]
    real = [Shown(f"testB/{i}.png", pixels) for i, pixels in enumerate(flat)]
    fake = [Shown(f"testA/{i}.png", pixels) for i, pixels in enumerate(noisy)]
    return Pictures(real, fake, "random", "test")


def about(protocol: Protocol = SHORT, **changes: Any) -> dict[str, Any]:
    """What a study's file begins with."""
    return {
        "method": "cyclegan",
        "direction": "AtoB",
        "snapshot": "latest",
        "images": 1000,
        "weights": "average",
        "weights_sha256": "ab",
        "data": "pictures",
        "split": "test",
        "pictures": {"real": 12, "generated": 12},
        "pictures_sha256": "cd",
        "truncation": None,
        "pairing": "random",
        "size": [32, 32],
        "protocol": protocol.described(),
        "date": "today",
        "versions": {"ganvas": "0"},
        **changes,
    }


@contextmanager
def held(run: Path, protocol: Protocol = SHORT, host: str = "127.0.0.1") -> Iterator[Server]:
    """A study that is open while the block lasts."""
    with Server(host, 0) as server:
        server.study = Study(Answers.open(run, about(protocol)), some_pictures())
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(
    server: Server, path: str, content: Any = None, **headers: str
) -> tuple[int, dict[str, Any] | bytes, dict[str, str]]:
    """Status, content and headers of what the server answers; with content it is a POST."""
    body = (
        content if content is None or isinstance(content, bytes) else json.dumps(content).encode()
    )
    given = {"Content-Type": "application/json"} if body is not None else {}
    request = Request(server.url + path, body, given | headers)
    try:
        with urlopen(request, timeout=30) as answer:
            status, found, told = answer.status, answer.read(), dict(answer.headers)
    except HTTPError as error:
        with error:
            status, found, told = error.code, error.read(), dict(error.headers)
    kind = told.get("Content-Type", "")
    return status, json.loads(found) if kind == "application/json" else found, told


def post(server: Server, what: str, **content: Any) -> dict[str, Any]:
    """What `/api/WHAT` answers."""
    status, found, _ = ask(server, f"/api/{what}", content)
    assert status == 200, found
    assert isinstance(found, dict)
    return found


def answer_as(server: Server, session: str, at: int, said: str = "first") -> dict[str, Any]:
    """Answer the trial that is due."""
    times = {"reaction_ms": 432.1, "shown_ms": [1000, 1000]}
    return post(server, "answer", session=session, trial=at, answer=said, **times)
