"""`ganvas bench` as a user has it: trained once, gone on with, failures said, all on one page."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from making import noise
from runs.test_report import Page

from ganvas.cli import main
from ganvas.errors import InputError
from ganvas.runs.directory import Run

TINY = {"size": 32, "ngf": 2, "ndf": 2, "n_blocks": 1, "n_layers": 2, "previews": 1}
PLAN: dict[str, Any] = {
    "title": "Two and a half methods",
    "duration": "2it",
    "settings": TINY,
    "rows": {
        "CycleGAN": {"method": "cyclegan", "lambda_identity": 0},
        "Pairs": {"method": "pix2pix", "generator": "resnet"},
    },
    "metrics": ["l1", "cycle"],
    "tables": [{"title": "There", "direction": "AtoB"}],
}


def write_pairs(folder: Path) -> Path:
    for part, count in (("train", 4), ("test", 4)):
        (folder / part).mkdir(parents=True)
        for i in range(count):
            noise(i, 32, 64, 3).save(folder / part / f"{i}.png")
    return folder


def write_plan(place: Path, **changes: Any) -> Path:
    place.write_text(yaml.safe_dump(PLAN | changes, sort_keys=False))
    return place


def bench(plan: Path, data: Path, out: Path, *words: str) -> int:
    given = ["bench", str(plan), "--data", str(data), "--out", str(out), "--threads", "1"]
    return main([*given, "--device", "cpu", *words])


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `pairs`, `plan.yaml` and `out`, the finished bench."""
    here = tmp_path_factory.mktemp("bench")
    plan = write_plan(here / "plan.yaml")
    assert bench(plan, write_pairs(here / "pairs"), here / "out", "--jobs", "2") == 0
    return here


def wait_until_free(run: Run, give_up: float) -> None:
    """Until no process trains in it."""
    while time.monotonic() < give_up:
        try:
            with run.locked():
                return
        except InputError:
            time.sleep(0.05)
    pytest.fail("a training has outlived its bench")


def test_it_leaves_runs_and_tables(done: Path):
    out = done / "out"
    assert sorted(path.name for path in (out / "runs").iterdir()) == [
        "cyclegan-seed0", "pairs-atob-seed0"
    ]  # fmt: skip
    told = json.loads((out / "bench.json").read_text())
    (table,) = told["tables"]
    assert table["direction"] == "AtoB"
    for row in ("CycleGAN", "Pairs"):
        lines = out / "runs" / f"{'cyclegan' if row == 'CycleGAN' else 'pairs-atob'}-seed0"
        rows = [json.loads(x) for x in (lines / "metrics.jsonl").read_text().splitlines()]
        (l1,) = [r["value"] for r in rows if r["key"] == "l1"]
        assert table["rows"][row][0]["mean"] == l1
    assert table["rows"]["Pairs"][1]["mean"] is None  # one direction makes no cycle
    text = (out / "bench.md").read_text()
    assert text.startswith("# Two and a half methods\n")
    assert "| Pairs | " in text


def test_the_page_shows_the_same_inputs_through_every_row(done: Path):
    page = Page(done / "out" / "bench.html")
    targets = [a[key] or "" for _, a in page.elements for key in ("src", "href") if key in a]
    assert all(target.startswith(("data:", "#")) for target in targets)
    shown = [image["alt"] or "" for image in page.of("img")]
    for column in ("Real A", "CycleGAN", "Pairs", "Real B"):
        assert sum(alt.endswith(f": {column}") for alt in shown) == (4 if column == "Pairs" else 8)


def test_what_is_finished_is_not_repeated(done: Path, capsys: pytest.CaptureFixture[str]):
    weights = sorted((done / "out" / "runs").rglob("model.safetensors"))
    before = [path.stat().st_mtime_ns for path in weights]
    assert bench(done / "plan.yaml", done / "pairs", done / "out", "--pictures", "0") == 0
    assert "2 of 2 trainings there already" in capsys.readouterr().out
    assert [path.stat().st_mtime_ns for path in weights] == before


def test_a_bench_of_other_trainings_is_refused(done: Path, capsys: pytest.CaptureFixture[str]):
    before = sorted((done / "out" / "jobs").iterdir())
    told = [path.read_text() for path in before]
    words = ("--duration", "3it")
    assert bench(done / "plan.yaml", done / "pairs", done / "out", *words) == 2
    assert "was begun as another training (duration 2it, and now 3it)" in capsys.readouterr().err
    assert [path.read_text() for path in before] == told
    (done / "other").mkdir(exist_ok=True)
    (done / "other" / "mine.txt").write_text("mine")
    assert bench(done / "plan.yaml", done / "pairs", done / "other") == 2
    assert "exists and is no bench" in capsys.readouterr().err


def test_a_dry_run_lists_commands_and_trains_nothing(
    done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    assert bench(done / "plan.yaml", done / "pairs", out, "--dry-run", "--seeds", "2") == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split(":")[0] for line in lines if ": ganvas train " in line]
    assert names == [
        "cyclegan-seed0", "pairs-atob-seed0", "cyclegan-seed1", "pairs-atob-seed1"
    ]  # fmt: skip
    assert not out.exists()


def test_rows_that_are_not_chosen_keep_their_values(done: Path, capsys: pytest.CaptureFixture[str]):
    before = (done / "out" / "bench.md").read_text()
    words = ("--only", "pairs", "--pictures", "0")
    assert bench(done / "plan.yaml", done / "pairs", done / "out", *words) == 0
    assert "1 of 1 training there already" in capsys.readouterr().out
    assert (done / "out" / "bench.md").read_text() == before


def test_a_row_that_fails_is_said_and_stops_no_other(
    done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Sets without pairs: pix2pix cannot learn from them."""
    for part in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / "set" / part).mkdir(parents=True)
        for i in range(4):
            noise(i, 32, 32, 3).save(tmp_path / "set" / part / f"{part}{i}.png")
    plan = write_plan(tmp_path / "plan.yaml", metrics=["cycle"])
    assert bench(plan, tmp_path / "set", tmp_path / "out", "--pictures", "0") == 2
    printed = capsys.readouterr()
    assert "1 of 2 trainings failed (pairs-atob-seed0: --data" in printed.err
    assert "there are no pairs" in printed.err
    text = (tmp_path / "out" / "bench.md").read_text()
    assert "## Failed" in text
    assert "| CycleGAN | 0." in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_bench_that_is_stopped_leaves_snapshots_and_no_process_and_is_gone_on_with(
    done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int
):
    """The shell has Ctrl-C ignored in what it begins in the background: trainings stop all the
    same."""
    plan = write_plan(
        tmp_path / "plan.yaml",
        rows={"CycleGAN": PLAN["rows"]["CycleGAN"]},
        duration="100000it",
        settings=TINY | {"log_every": "1it"},
        metrics=["cycle"],
    )
    words = ["bench", plan, "--data", done / "pairs", "--out", tmp_path / "out", "--threads", "1"]
    command = [sys.executable, "-m", "ganvas", *map(str, words), "--device", "cpu"]
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN) if number != signal.SIGINT else None
    try:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    finally:
        if ignored is not None:
            signal.signal(signal.SIGINT, ignored)
    run = tmp_path / "out" / "runs" / "cyclegan-seed0"
    log, give_up = run / "log.jsonl", time.monotonic() + 120

    def logged() -> str:
        return log.read_text() if log.exists() else ""

    while "\n" not in logged() and time.monotonic() < give_up:
        assert process.poll() is None
        time.sleep(0.05)
    assert main([*map(str, words), "--device", "cpu"]) == 2
    assert "another bench is at work in it" in capsys.readouterr().err
    os.kill(process.pid, number)
    said = process.communicate(timeout=120)[1].decode()
    assert process.returncode == (-number if number == signal.SIGKILL else 130)
    assert number == signal.SIGKILL or "the same command goes on" in said
    assert "Traceback" not in said
    if number == signal.SIGKILL:  # nobody has waited for the training
        wait_until_free(Run(run), give_up)
    assert (run / "snapshots" / "latest" / "model.safetensors").is_file()
    assert not (tmp_path / "out" / "done" / "cyclegan-seed0.json").exists()
    # The run itself has been asked to be shorter; going on with it, it is finished.
    record = yaml.safe_load((run / "config.yaml").read_text())
    record["settings"]["duration"] = "1it"
    (run / "config.yaml").write_text(yaml.safe_dump(record))
    assert main([*map(str, words), "--device", "cpu", "--pictures", "0"]) == 0
    assert (tmp_path / "out" / "done" / "cyclegan-seed0.json").is_file()
