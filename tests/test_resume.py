"""Resume is exact: a run that was stopped, however, ends as one that never was, bit for bit.

Every method is stopped and killed at steps that are known, through snapshots on the disk and
processes that begin anew: what a method owns is whole in them. What does not know the method, files
half written and moments by chance, is shown on a few whose state is of different kinds (`FEW`).
"""

import os
import random
import signal
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from killing import differences, everything, in_a_process, killed_when, wait_for
from PIL import Image
from resuming import (
    FEW,
    OWN,
    SHARED,
    at_step,
    command,
    resume,
    resume_by_command,
    train,
    write_pictures,
)

import ganvas
from ganvas.cli import main
from ganvas.errors import INTERRUPTED
from ganvas.methods import METHODS

SETTINGS = SHARED | OWN["cyclegan"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def straight_end(pictures: Path, tmp_path_factory) -> Callable[[str], dict[str, Any]]:
    """All that a run of a method leaves that nothing disturbed, trained when first asked for."""

    @cache
    def end(method: str) -> dict[str, Any]:
        run = tmp_path_factory.mktemp("straight") / "run"
        assert wait_for(in_a_process(train, method, pictures, run)) == 0
        return everything(run)

    return end


@pytest.fixture(params=list(METHODS))
def never_stopped(request: pytest.FixtureRequest, straight_end):
    """The method's name and all that a run of it leaves that nothing disturbed."""
    return request.param, straight_end(request.param)


def by(*methods: str) -> pytest.MarkDecorator:
    """These methods alone stand for all."""
    return pytest.mark.parametrize("never_stopped", methods, indirect=True)


def logged(run: Path, lines: int) -> Callable[[], bool]:
    log = run / "log.jsonl"
    return lambda: log.exists() and log.read_bytes().count(b"\n") >= lines


def assert_as_if_never_stopped(straight: dict[str, Any], run: Path) -> None:
    """Equal to the bit; where it was stopped, one more preview was written."""
    found = everything(run)
    found["samples"] = {n: p for n, p in found["samples"].items() if n in straight["samples"]}
    assert not differences(straight, found)


STOPS = [
    (3, signal.SIGTERM, INTERRUPTED),
    (8, signal.SIGKILL, -signal.SIGKILL),  # what was done since step 5 is lost
    (12, signal.SIGINT, INTERRUPTED),
    (18, signal.SIGKILL, -signal.SIGKILL),
]


def test_stopped_and_killed_again_and_again_it_ends_as_if_it_never_was(
    never_stopped, pictures, tmp_path
):
    """Which also says that two runs with one seed are equal."""
    method, straight = never_stopped
    run = tmp_path / "run"
    work: tuple[Any, ...] = (train, method, pictures, run)
    for step, number, status in STOPS:
        assert wait_for(in_a_process(at_step, step, number, *work)) == status
        assert everything(run)["clock"] < straight["clock"]
        work = (resume, run)
    assert wait_for(in_a_process(*work)) == 0
    assert_as_if_never_stopped(straight, run)


@by(*FEW)
def test_another_seed_is_another_run(never_stopped, pictures, tmp_path):
    method, straight = never_stopped
    assert wait_for(in_a_process(lambda: train(method, pictures, tmp_path / "r", seed=1))) == 0
    assert differences(straight["weights"], everything(tmp_path / "r")["weights"])


@by("cyclegan", "stylegan")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_is_stopped_by_a_signal(never_stopped, pictures, tmp_path, number):
    method, straight = never_stopped
    run = tmp_path / "run"
    child = in_a_process(command, method, pictures, run)
    assert killed_when(child, logged(run, 2), number) == 130
    assert everything(run)["clock"] < straight["clock"]
    assert wait_for(in_a_process(resume_by_command, run)) == 0
    assert_as_if_never_stopped(straight, run)


@by(*FEW)
@pytest.mark.parametrize("moment", range(3))
def test_killed_at_random_moments_again_and_again(never_stopped, pictures, tmp_path, moment):
    method, straight = never_stopped
    run, chance = tmp_path / "run", random.Random(f"{method} {moment}")
    child = in_a_process(train, method, pictures, run)
    status = killed_when(child, lambda: chance.random() < 0.002)
    kills = 0
    while status != 0:
        assert status == -signal.SIGKILL
        kills += 1
        if not (run / "config.yaml").exists():  # killed before the run had begun
            child = in_a_process(train, method, pictures, run)
        else:
            child = in_a_process(resume, run)
        odds = 0.002 if kills < 4 else 0.0
        status = killed_when(child, lambda odds=odds: chance.random() < odds)
    assert_as_if_never_stopped(straight, run)


@by("dcgan", "stylegan")
@pytest.mark.parametrize(
    "trace",
    [
        "snapshots/.latest.writing",
        "snapshots/.latest.writing/state.pt",
        "snapshots/.latest.previous",
    ],
)
def test_killed_in_the_middle_of_a_save(never_stopped, pictures, tmp_path, trace):
    method, straight = never_stopped
    for attempt in range(40):  # some moments are short, and may pass unseen
        run = tmp_path / f"run{attempt}"
        child = in_a_process(train, method, pictures, run)
        if killed_when(child, (run / trace).exists) == -signal.SIGKILL:
            break
    else:
        pytest.fail(f"{trace} was never seen")
    assert wait_for(in_a_process(resume, run)) == 0
    assert_as_if_never_stopped(straight, run)


@by("cyclegan", "dcgan")
def test_killed_between_the_two_renames_of_a_save(never_stopped, pictures, tmp_path):
    method, straight = never_stopped
    run = tmp_path / "run"
    child = in_a_process(train, method, pictures, run)
    assert killed_when(child, logged(run, 3), signal.SIGTERM) == 130
    (run / "snapshots" / "latest").rename(run / "snapshots" / ".latest.previous")
    (run / "snapshots" / ".latest.writing").mkdir()
    assert wait_for(in_a_process(resume, run)) == 0
    assert_as_if_never_stopped(straight, run)


@by("cyclegan", "stargan", "stylegan")
def test_killed_before_the_first_snapshot_it_begins_anew(never_stopped, pictures, tmp_path):
    method, straight = never_stopped
    run = tmp_path / "run"
    child = in_a_process(train, method, pictures, run)
    killed_when(child, lambda: (run / "samples").exists())
    assert wait_for(in_a_process(resume, run)) == 0
    assert_as_if_never_stopped(straight, run)


@pytest.fixture(scope="module")
def begun_end(pictures: Path, tmp_path_factory):
    """The settings of a run to begin with, and all that a run leaves that began with it and was
    never stopped; trained when first asked for."""

    @cache
    def end(method: str) -> tuple[dict[str, Any], dict[str, Any]]:
        folder = tmp_path_factory.mktemp("begun")
        source, settings = folder / "source", {"warmup": "7it", "duration": "10it"}
        short = {"duration": "2it", "seed": 3}
        assert wait_for(in_a_process(lambda: train(method, pictures, source, **short))) == 0
        settings["init"] = str(source)
        child = in_a_process(lambda: train(method, pictures, folder / "run", **settings))
        assert wait_for(child) == 0
        return settings, everything(folder / "run")

    return end


@pytest.fixture(params=list(METHODS))
def begun_with(request: pytest.FixtureRequest, begun_end):
    return request.param, *begun_end(request.param)


def test_stopped_in_its_warmup_and_the_weights_that_it_began_with_are_gone(
    begun_with, pictures, tmp_path
):
    method, settings, straight = begun_with
    run, source = tmp_path / "run", Path(settings["init"])
    begin = partial(train, method, pictures, run, **settings)
    assert wait_for(in_a_process(at_step, 3, signal.SIGTERM, begin)) == INTERRUPTED
    assert everything(run)["state"]["clock"]["iterations"] == 4
    source.rename(tmp_path / "elsewhere")
    try:
        assert wait_for(in_a_process(resume, run)) == 0
    finally:
        (tmp_path / "elsewhere").rename(source)
    assert_as_if_never_stopped(straight, run)


@pytest.mark.parametrize("begun_with", ["cyclegan", "dcgan"], indirect=True)
@pytest.mark.parametrize("trace", ["config.yaml", "samples", "snapshots", "snapshots/latest"])
def test_killed_at_its_beginning_it_begins_with_the_same_weights(
    begun_with, pictures, tmp_path, trace
):
    method, settings, straight = begun_with
    run = tmp_path / "run"
    child = in_a_process(lambda: train(method, pictures, run, **settings))
    assert killed_when(child, (run / trace).exists) == -signal.SIGKILL
    assert wait_for(in_a_process(resume, run)) == 0
    assert_as_if_never_stopped(straight, run)
    assert not (run / "snapshots" / "000000.000kimg").exists()


@by("cyclegan", "dcgan", "pix2pix", "stargan")
def test_decoding_in_workers_changes_nothing(never_stopped, pictures, tmp_path):
    """One method of each kind of training set."""
    method, straight = never_stopped
    run = tmp_path / "run"
    child = in_a_process(lambda: train(method, pictures, run, cache="none", workers=2))
    assert killed_when(child, logged(run, 3), signal.SIGTERM) == 130
    assert wait_for(in_a_process(resume, run)) == 0
    found = everything(run)
    for what in ("weights", "state", "log"):
        assert not differences(straight[what], found[what])


@by("dcgan")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_group_spares_the_workers(never_stopped, pictures, tmp_path, number):
    """As a terminal's Ctrl-C and a cluster's scheduler send it."""
    method, straight = never_stopped
    run = tmp_path / "run"

    def alone() -> int:
        os.setpgrp()
        return train(method, pictures, run, cache="none", workers=2)

    child = in_a_process(alone)
    due = logged(run, 2)
    while not due():
        time.sleep(0.001)
    os.killpg(child, number)
    assert wait_for(child) == 130
    assert wait_for(in_a_process(resume, run)) == 0
    assert not differences(straight["weights"], everything(run)["weights"])


@by("dcgan")
def test_right_after_a_kill_the_run_is_free_though_workers_linger(
    never_stopped, pictures, tmp_path
):
    method, straight = never_stopped
    run = tmp_path / "run"
    child = in_a_process(lambda: train(method, pictures, run, cache="none", workers=2))
    assert killed_when(child, logged(run, 2)) == -signal.SIGKILL
    assert wait_for(in_a_process(resume, run)) == 0
    assert not differences(straight["weights"], everything(run)["weights"])


def test_a_numbered_snapshot_that_a_kill_prevented_is_made_up_for(pictures, tmp_path):
    settings: dict[str, Any] = SETTINGS | {"data": pictures, "out": tmp_path / "run"}
    settings |= {"duration": "5it", "snapshot_every": "5it"}
    run = ganvas.train("cyclegan", **settings)
    (numbered,) = run.numbered_snapshots()
    numbered.rename(run.snapshots / f".{numbered.name}.writing")
    ganvas.resume(run.path, duration="6it")
    assert numbered in run.numbered_snapshots()
    assert not list(run.snapshots.glob(".*.writing"))


def test_a_finished_run_goes_on_when_it_is_given_more_time(pictures, tmp_path):
    longer = SETTINGS | {"data": pictures, "lr_policy": "constant", "snapshot_every": "1ep"}
    straight = ganvas.train("cyclegan", **longer | {"out": tmp_path / "a", "duration": "4ep"})
    run = ganvas.train("cyclegan", **longer | {"out": tmp_path / "b", "duration": "2ep"})
    ganvas.resume(run.path, duration="4ep")
    for where in ("weights", "state", "log"):
        assert not differences(everything(straight.path)[where], everything(run.path)[where])
    assert run.record["settings"]["duration"] == "4ep"


def test_resuming_a_finished_run_changes_nothing(pictures, tmp_path):
    run = ganvas.train(
        "cyclegan", **SETTINGS | {"data": pictures, "out": tmp_path / "r", "duration": "1ep"}
    )
    before = everything(run.path)
    ganvas.resume(run.path)
    assert not differences(before, everything(run.path))


def test_a_duration_that_is_over_already_is_refused_and_not_written(pictures, tmp_path, capsys):
    out = tmp_path / "run"
    run = ganvas.train("cyclegan", **SETTINGS | {"data": pictures, "out": out, "duration": "2ep"})
    assert main(["resume", str(out), "--duration", "1ep"]) == 2
    assert "give a longer one" in capsys.readouterr().err
    assert run.record["settings"]["duration"] == "2ep"
    ganvas.resume(run)
    assert "this run is finished" in capsys.readouterr().out


def test_other_pictures_are_refused(pictures, tmp_path, capsys):
    out = tmp_path / "run"
    ganvas.train("cyclegan", **SETTINGS | {"data": pictures, "out": out, "duration": "1ep"})
    other = tmp_path / "other"
    for part in ("trainA", "trainB"):
        (other / part).mkdir(parents=True)
        Image.new("RGB", (40, 40), "red").save(other / part / "0.png")
    assert main(["resume", str(out), "--data", str(other), "--duration", "2ep"]) == 2
    assert "are not those that this run was trained on" in capsys.readouterr().err


def test_pictures_may_move(pictures, tmp_path):
    import shutil

    data = tmp_path / "here"
    shutil.copytree(pictures, data)
    out = tmp_path / "run"
    ganvas.train("cyclegan", **SETTINGS | {"data": data, "out": out, "duration": "1ep"})
    data.rename(tmp_path / "there")
    assert main(["resume", str(out), "--data", str(tmp_path / "there"), "--duration", "2ep"]) == 0


def test_it_goes_on_from_any_folder(pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(pictures.parent)
    out = tmp_path / "run"
    settings: dict[str, Any] = SETTINGS | {"out": out, "duration": "1ep"}
    ganvas.train("cyclegan", **settings, data=pictures.name)
    monkeypatch.chdir(tmp_path)
    assert main(["resume", "run", "--duration", "2ep"]) == 0


def test_only_one_process_trains_in_a_run(pictures, tmp_path):
    out = tmp_path / "run"
    run = ganvas.train("cyclegan", **SETTINGS | {"data": pictures, "out": out, "duration": "1ep"})
    with run.locked():
        child = in_a_process(lambda: main(["resume", str(out), "--duration", "2ep"]))
        assert wait_for(child) == 2
    assert wait_for(in_a_process(lambda: main(["resume", str(out), "--duration", "2ep"]))) == 0


def test_a_state_of_another_version_is_refused_plainly(pictures, tmp_path, capsys):
    out = tmp_path / "run"
    run = ganvas.train("cyclegan", **SETTINGS | {"data": pictures, "out": out, "duration": "1ep"})
    path = run.snapshots / "latest" / "state.pt"
    state = torch.load(path, weights_only=True)
    torch.save(state | {"format": 1}, path)
    assert main(["resume", str(out), "--duration", "2ep"]) == 2
    assert "was trained by another version of ganvas" in capsys.readouterr().err
