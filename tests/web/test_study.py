"""The study's server, as a browser or a script meets it."""

import importlib.util
import io
import json
import threading
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from PIL import Image
from studying import SHORT, about, answer_as, ask, held, post, some_pictures

from ganvas.errors import InputError
from ganvas.evaluation.study.answers import Answers, tally
from ganvas.evaluation.study.protocol import Protocol, plan
from ganvas.web.study import HEADERS, Server, Study

ROOT = Path(__file__).parents[2]


def answers_in(run: Path) -> list[dict[str, Any]]:
    (path,) = (run / "study").glob("*.jsonl")
    return [row for row in map(json.loads, path.read_text().splitlines()) if "trial" in row]


def picture(server: Server, address: str) -> np.ndarray:
    status, content, headers = ask(server, address)
    assert (status, headers["Content-Type"]) == (200, "image/png")
    assert isinstance(content, bytes)
    return np.asarray(Image.open(io.BytesIO(content)))


def test_a_whole_session_is_kept_as_it_was(tmp_path: Path):
    pictures = some_pictures()
    with held(tmp_path) as server:
        session = post(server, "begin", name="Ann")["session"]
        for at, trial in enumerate(plan(SHORT, 0, 12, 12, same=False)):
            due = post(server, "trial", session=session)
            assert (due["at"], due["total"]) == (at, SHORT.length)
            assert due["practice"] == (trial.kind == "practice")
            shown = {place: picture(server, due[place]) for place in ("first", "second")}
            assert np.array_equal(shown[trial.right], pictures.real[trial.real].pixels)
            feedback = answer_as(server, session, at, "first")
            told = {"right": trial.right == "first", "real": trial.right}
            assert feedback == (told if trial.kind == "practice" else {})
            row = answers_in(tmp_path)[at]
            assert (row["trial"], row["kind"], row["real_was"]) == (at, trial.kind, trial.right)
            assert row["right"] == (trial.right == "first")
            assert (row["reaction_ms"], row["shown_ms"]) == (432.1, [1000, 1000])
            assert row["real"] == pictures.real[trial.real].name
            other = "shuffled" if trial.kind == "catch" else pictures.fake[trial.fake].name
            assert row["generated"] == other
        done = post(server, "trial", session=session)
    # Halves: first is right in half of the scored trials, and in one of the two catch trials.
    assert done == {"done": True, "fooled": 2, "of": 4, "low": 15, "high": 85}
    summary = json.loads((tmp_path / "study" / "summary.json").read_text())
    assert summary[0]["details"]["inattentive"] == 1
    assert Answers.all(tmp_path)[0].rows[0]["name"] == "Ann"


def test_a_catch_trial_shows_a_real_picture_and_a_spoiled_one(tmp_path: Path):
    protocol = Protocol(trials=1, practice=0, catch=6, seconds=0.05)
    trials = plan(protocol, 0, 12, 12, same=False)
    with held(tmp_path, protocol) as server:
        session = post(server, "begin")["session"]
        for at, trial in enumerate(trials):
            due = post(server, "trial", session=session)
            first, second = (picture(server, due[place]) for place in ("first", "second"))
            if trial.kind == "catch":
                real = some_pictures().real[trial.real].pixels
                assert np.array_equal(np.sort(first.reshape(-1, 3), 0), real.reshape(-1, 3))
                assert np.array_equal(np.sort(second.reshape(-1, 3), 0), real.reshape(-1, 3))
            answer_as(server, session, at)


def test_nothing_that_a_browser_gets_tells_the_pictures_apart(tmp_path: Path):
    lengths, addresses = set(), []
    with held(tmp_path) as server:
        for _ in range(2):
            session = post(server, "begin")["session"]
            for at in range(SHORT.length):
                due = post(server, "trial", session=session)
                assert set(due) == {"at", "total", "practice", "first", "second"}
                for place in ("first", "second"):
                    addresses.append(due[place])
                    _, content, headers = ask(server, due[place])
                    assert isinstance(content, bytes)
                    lengths.add((len(content), headers["Content-Length"]))
                    assert not {"ETag", "Last-Modified"} & headers.keys()
                answer_as(server, session, at)
    assert len(lengths) == 1
    assert len(set(addresses)) == len(addresses)
    assert {len(address) for address in addresses} == {len("/picture/") + 16}


def test_pictures_are_gone_when_their_trial_is_answered(tmp_path: Path):
    with held(tmp_path) as server:
        session = post(server, "begin")["session"]
        due = post(server, "trial", session=session)
        assert ask(server, due["first"])[0] == 200
        answer_as(server, session, 0)
        assert ask(server, due["first"])[0] == 404


def test_a_page_that_is_loaded_again_goes_on_where_it_was(tmp_path: Path):
    with held(tmp_path) as server:
        session = post(server, "begin")["session"]
        post(server, "trial", session=session)
        answer_as(server, session, 0)
        first = post(server, "trial", session=session)
        assert post(server, "where", session=session) == {"at": 1, "total": SHORT.length}
        assert post(server, "trial", session=session) == first
        answer_as(server, session, 1)
    assert [row["looks"] for row in answers_in(tmp_path)] == [1, 2]


def test_answers_that_are_not_due_are_refused_and_not_kept(tmp_path: Path):
    with held(tmp_path) as server:
        session = post(server, "begin")["session"]
        given = {"session": session, "answer": "first", "reaction_ms": 1, "shown_ms": [1, 1]}

        def status(**changes: Any) -> tuple[int, str]:
            code, found, _ = ask(server, "/api/answer", given | {"trial": 0} | changes)
            assert isinstance(found, dict)
            return code, found.get("error", "")

        assert status() == (409, "trial 0: has not been shown yet")
        post(server, "trial", session=session)
        assert status(trial=1) == (409, "trial 1: is not due; 0 is due")
        assert status(trial=None)[0] == 409
        assert status(trial=False)[0] == 409
        assert status(session="nobody")[0] == 404
        assert status(session=["x"])[0] == 404
        for wrong in ({"answer": "third"}, {"answer": None}, {"reaction_ms": -1}):
            assert status(**wrong)[0] == 400
        for wrong in ({"reaction_ms": "1"}, {"reaction_ms": True}, {"reaction_ms": float("nan")}):
            assert status(**wrong)[0] == 400
        for wrong in ({"shown_ms": [1]}, {"shown_ms": 1}, {"shown_ms": [1, None]}):
            assert status(**wrong)[0] == 400
        assert status()[0] == 200
        assert status() == (409, "trial 0: is answered already; 1 is due")
    assert len(answers_in(tmp_path)) == 1


def test_an_answer_that_comes_too_soon_is_kept_and_marked(tmp_path: Path):
    protocol = Protocol(trials=1, practice=0, catch=0, seconds=60)
    with held(tmp_path, protocol) as server:
        session = post(server, "begin")["session"]
        post(server, "trial", session=session)
        answer_as(server, session, 0)
    (row,) = answers_in(tmp_path)
    assert row["early"]


@pytest.mark.parametrize(
    ("path", "content", "headers", "status"),
    [
        ("/nowhere", None, {}, 404),
        ("/../study.py", None, {}, 404),
        ("/study.py", None, {}, 404),
        ("/picture/", None, {}, 404),
        ("/api/nothing", {}, {}, 404),
        ("/api/begin", b"{", {}, 400),
        ("/api/begin", b"[" * 4000, {}, 400),
        ("/api/begin", [], {}, 400),
        ("/api/begin", {"name": 3}, {}, 400),
        ("/api/begin", {"name": "x" * 5000}, {}, 413),
        ("/api/begin", {}, {"Content-Type": "text/plain"}, 415),
        ("/api/begin", {}, {"Host": "elsewhere.example:80"}, 403),
        ("/", None, {"Host": "elsewhere.example"}, 403),
    ],
)
def test_what_no_page_of_ours_sends_is_refused(
    tmp_path: Path, path: str, content: Any, headers: dict[str, str], status: int
):
    with held(tmp_path) as server:
        assert ask(server, path, content, **headers)[0] == status
        assert ask(server, "/")[0] == 200
    assert Answers.all(tmp_path)[0].rows == []


def test_every_answer_carries_the_headers_that_keep_the_page_to_itself(tmp_path: Path):
    with held(tmp_path) as server:
        for path in ("/", "/study.js", "/study.css", "/api/study", "/nowhere"):
            _, content, told = ask(server, path)
            assert {name: told[name] for name in HEADERS} == HEADERS
            assert "Python" not in told["Server"]
            if isinstance(content, bytes):
                assert b"http" not in content


def test_names_are_cut_and_cleaned(tmp_path: Path):
    with held(tmp_path) as server:
        post(server, "begin", name="  A\nn\x00n " + "x" * 90)
    assert Answers.all(tmp_path)[0].rows[0]["name"] == "Ann " + "x" * 36


def test_several_take_part_at_once(tmp_path: Path):
    failed: list[BaseException] = []
    with held(tmp_path) as server:

        def take_part(number: int) -> None:
            try:
                driver().take_part(server.url, Random(number))
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=take_part, args=(i,)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failed
    found = tally(Answers.all(tmp_path)[0], keep_inattentive=True)
    assert [p.number for p in found.counted] == list(range(6))


def test_the_study_goes_on_after_a_restart(tmp_path: Path):
    with held(tmp_path) as server:
        session = post(server, "begin")["session"]
        post(server, "trial", session=session)
        answer_as(server, session, 0)
    with held(tmp_path) as server:
        assert ask(server, "/api/where", {"session": session})[0] == 404
        driver().take_part(server.url, Random(0))
    found = tally(Answers.all(tmp_path)[0], keep_inattentive=True)
    assert [p.state == "unfinished" for p in found.participants] == [True, False]


def driver():
    """examples/study_at_random.py."""
    spec = importlib.util.spec_from_file_location("d", ROOT / "examples" / "study_at_random.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("people", [1, 5])
def test_of_those_who_answer_by_chance_the_interval_contains_one_half(tmp_path: Path, people: int):
    with held(tmp_path, Protocol(seconds=0.05)) as server:
        for number in range(people):
            driver().take_part(server.url, Random(f"0 {number}"))
    found = tally(Answers.all(tmp_path)[0], keep_inattentive=True)
    result = found.result()
    assert [len(p.answers) for p in found.counted] == [54] * people
    assert result["low"] < 50 < result["high"]
    assert all(row["early"] is not None for row in answers_in(tmp_path))


def test_a_study_says_how_it_is_held(tmp_path: Path):
    with Server("127.0.0.1", 0) as server:
        study = Study(Answers.open(tmp_path, about()), some_pictures(size=16))
        assert study.about() == {
            "practice": 2,
            "test": 6,
            "seconds": 0.05,
            "enlarge": "smooth",
            "width": 16,
            "height": 16,
        }
        assert server.local


def test_other_machines_are_let_in_only_where_asked_for(tmp_path: Path):
    with held(tmp_path, host="0.0.0.0") as server:
        assert not server.local
        address = f"http://127.0.0.1:{server.server_address[1]}"
        assert driver().post(address, "begin")["session"]


def test_a_port_that_is_taken_is_refused(tmp_path: Path):
    with held(tmp_path) as server:
        port = int(server.server_address[1])
        with pytest.raises(InputError, match=f"--port {port}: cannot be listened on"):
            Server("127.0.0.1", port)
    with pytest.raises(InputError, match="--port 70000"):
        Server("127.0.0.1", 70000)
    with pytest.raises(InputError, match="--host 300"):
        Server("300.0.0.1", 0)
