"""`ganvas study`, as a user calls it."""

import json
import os
import signal
import socket
from pathlib import Path
from random import Random
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from killing import in_a_process, killed_when

from ganvas.cli import main
from ganvas.evaluation.study.answers import Answers


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def answers_at(url: str) -> bool:
    try:
        with urlopen(f"{url}/api/study", timeout=5) as answer:
            return answer.status == 200
    except (URLError, OSError):
        return False


def study(run: Path, port: int) -> int:
    # Where the tests run in the background, Ctrl-C would be ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(run.parent)
    options = ["--trials", "3", "--practice", "1", "--catch", "0", "--seconds", "0.05"]
    return main(["study", str(run), *options, "--port", str(port), "--device", "cpu"])


def test_a_study_is_held_answered_ended_and_summed_up(
    tiny_run_copy: Path, capfd: pytest.CaptureFixture[str]
):
    from web.test_study import driver

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    done: list[dict] = []

    def answered() -> bool:
        if answers_at(url):
            done.append(driver().take_part(url, Random(0)))
        return bool(done)

    child = in_a_process(study, tiny_run_copy, port)
    assert killed_when(child, answered, signal.SIGINT) == 0
    (path,) = (tiny_run_copy / "study").glob("*.jsonl")
    about = Answers(path).about
    assert (about["method"], about["direction"], about["split"]) == ("cyclegan", "AtoB", "test")
    assert about["pictures"] == {"real": 2, "generated": 2}
    assert (about["snapshot"], about["weights"]) == ("latest", "as trained")
    row = json.loads((tiny_run_copy / "metrics.jsonl").read_text())
    assert row["metric"] == "fooled"
    assert row["details"]["fooled"] == done[0]["fooled"]

    assert main(["study", str(tiny_run_copy), "--summary"]) == 0
    out = capfd.readouterr().out
    assert "1 participant of 3 trials" in out
    assert f"fooled: {row['value']:.1f} %" in out
    snapshot = str(tiny_run_copy / "snapshots" / "latest")
    assert main(["study", snapshot, "--summary"]) == 0


def test_answers_outlive_a_kill(tiny_run_copy: Path):
    from web.test_study import driver

    port = free_port()
    url = f"http://127.0.0.1:{port}"

    def answered() -> bool:
        if not answers_at(url):
            return False
        begun = driver().post(url, "begin")["session"]
        driver().post(url, "trial", session=begun)
        told = {"reaction_ms": 5, "shown_ms": [1, 1], "answer": "first", "trial": 0}
        driver().post(url, "answer", session=begun, **told)
        return True

    assert killed_when(in_a_process(study, tiny_run_copy, port), answered) == -signal.SIGKILL
    (found,) = Answers.all(tiny_run_copy)
    assert [row.get("answer") for row in found.rows] == [None, "first"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("study nowhere", "nowhere: there is no such run"),
        ("study {run} --summary", "has no study yet"),
        ("study {run} --trials 0", "--trials 0"),
        ("study {run} --trials 1.5", "--trials 1.5"),
        ("study {run} --seconds 0", "--seconds 0"),
        ("study {run} --pictures 0", "--pictures 0"),
        ("study {run} --max-missed 2", "--max-missed 2"),
        ("study {run} --data nowhere --port 0", "--data nowhere"),
        ("study {run} --truncation 0.7 --port 0", "--truncation 0.7"),
        ("study {run} --port 99999", "--port 99999"),
        ("study {run} --device none --port 0", "--device none"),
        ("study {loose} --summary", "lies in no run directory"),
    ],
)
def test_what_cannot_be_is_said(
    tiny_run_copy: Path, capsys: pytest.CaptureFixture[str], words: str, named: str
):
    loose = (tiny_run_copy / "snapshots" / "latest").rename(tiny_run_copy.parent / "loose")
    if "{loose}" not in words:
        loose.rename(tiny_run_copy / "snapshots" / "latest")
    argv = [word.format(run=tiny_run_copy, loose=loose) for word in words.split()]
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1
    assert not (tiny_run_copy / "metrics.jsonl").exists()


def test_a_second_server_on_a_run_is_refused(tiny_run_copy: Path):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    seen: list[int] = []

    def refused() -> bool:
        if answers_at(url):
            # Of a process of its own: locks are a process's.
            second = in_a_process(study, tiny_run_copy, free_port())
            seen.append(os.waitstatus_to_exitcode(os.waitpid(second, 0)[1]))
        return bool(seen)

    child = in_a_process(study, tiny_run_copy, port)
    killed_when(child, refused, signal.SIGINT)
    assert seen == [2]
