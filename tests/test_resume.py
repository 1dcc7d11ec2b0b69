"""Resume is exact: a run that was stopped, however, ends as one that never was, bit for bit."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from killing import differences, everything, in_a_process, killed_when, wait_for
from PIL import Image

import ganvas
from ganvas.cli import main
from ganvas.methods import METHODS, method_class

SHARED: dict[str, Any] = {
    "batch_size": 2,
    "duration": "9ep",
    "ema": "0.02kimg",
    "log_every": "3it",
    "preview_every": "7it",
    "previews": 2,
    "snapshot_every": "5it",
    "keep": 2,
    "tensorboard": False,
    "device": "cpu",
    "threads": 1,
}
OWN: dict[str, dict[str, Any]] = {
    "bigan": {
        "size": 32,
        "load_size": 36,
        "ngf": 4,
        "ndf": 4,
        "n_blocks": 1,
        "n_layers": 2,
        "pool_size": 3,
        "d_steps": "3/2",
    },
    "cogan": {
        "size": 16,
        "ngf": 4,
        "ndf": 4,
        "nz": 4,
        "own_G": 2,
        "d_steps": "2/3",
        "search_steps": 2,
        "search_starts": 2,
    },
    "cut": {
        "size": 32,
        "load_size": 36,
        "ngf": 4,
        "ndf": 4,
        "n_blocks": 1,
        "n_layers": 2,
        "netF_nc": 8,
        "num_patches": 20,
        "d_steps": "3/2",
    },
    "cyclegan": {
        "size": 32,
        "load_size": 36,
        "ngf": 4,
        "ndf": 4,
        "n_blocks": 1,
        "n_layers": 2,
        "pool_size": 3,
    },
    "dcgan": {
        "size": 16,
        "ngf": 4,
        "ndf": 4,
        "nz": 4,
        "flip": True,
        "conditional": True,
        "r1_gamma": 1,
        "penalty_every": 2,
        "d_steps": "3/2",
        "eval_every": "4it",
        "eval_metrics": "swd",
        "eval_count": 4,
        "keep_best": 2,
    },
    "discogan": {
        "size": 32,
        "load_size": 36,
        "ngf": 4,
        "ndf": 4,
        "gan_curriculum": 8,
    },
    "dualgan": {
        "size": 64,
        "load_size": 68,
        "ngf": 4,
        "ndf": 4,
        "n_downs": 6,
        "n_layers": 2,
        "d_steps": "3/2",
    },
    "fastcut": {
        "size": 32,
        "load_size": 36,
        "ngf": 4,
        "ndf": 4,
        "n_blocks": 1,
        "n_layers": 2,
        "netF_nc": 8,
        "direction": "BtoA",
        "gp": 1,
    },
    "featgan": {
        "size": 32,
        "load_size": 36,
        "ngf": 4,
        "ndf": 4,
        "n_blocks": 1,
        "n_layers": 2,
        "pool_size": 3,
        "d_steps": "1/2",
    },
    "pix2pix": {
        "size": 64,
        "load_size": 68,
        "ngf": 4,
        "ndf": 4,
        "n_downs": 6,
        "n_layers": 2,
        "direction": "BtoA",
        "d_steps": "2/3",
        "gp": 1,
    },
    "r3gan": {
        "size": 16,
        "widths": "4,4",
        "n_blocks": 1,
        "cardinality": 2,
        "nz": 4,
        "conditional": True,
        "anneal": "0.031kimg",
        "penalty_every": 2,
        "d_steps": "3/2",
    },
    "simgan": {
        "size": 32,
        "load_size": 36,
        "ngf": 4,
        "ndf": 4,
        "n_blocks": 1,
        "n_layers": 2,
        "pool_size": 3,
        "direction": "BtoA",
    },
    "stargan": {
        "size": 16,
        "ngf": 4,
        "ndf": 4,
        "n_blocks": 1,
        "n_layers": 2,
        "flip": True,
        "d_steps": "3/2",
        "penalty_every": 2,
        "eval_every": "4it",
        "eval_metrics": "swd",
        "eval_count": 4,
    },
    "stylegan": {
        "size": 16,
        "lod_initial_resolution": 4,
        "lod_training_kimg": 0.009,
        "lod_transition_kimg": 0.011,
        "minibatch_dict": "4:3,8:2,16:1",
        "lr_dict": "16:0.002",
        "tick_kimg_dict": "4:0.005,8:0.004",
        "tick_kimg": 0.003,
        "preview_every": "2tick",
        "fmap_max": 4,
        "nz": 4,
        "nw": 4,
        "mapping_layers": 2,
        "mapping_fmaps": 4,
        "conditional": True,
        "r1_gamma": 1,
        "penalty_every": 2,
    },
}
"""Five pictures in batches of two: epochs end in mid-batch, the pool is full after two steps; the
turns of players and of penalties do not fall together with log lines and snapshots. StyleGAN grows
twice in these steps, and is stopped in the midst of fading too: batch and rate change at size 8 and
16, and optimizers begin anew where fading begins and ends. R3GAN's schedule ends in mid-training.
DCGAN is judged while it trains."""
SETTINGS = SHARED | OWN["cyclegan"]
FOLDERS = {"unpaired": "", "paired": "pairs", "pictures": "classes", "domains": "classes"}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    chance = np.random.default_rng(0)
    for part, count in (("trainA", 5), ("trainB", 4), ("testA", 2), ("testB", 2)):
        (folder / part).mkdir()
        for i in range(count):
            pixels = chance.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / part / f"{i}.png")
    classes = folder / "classes"
    for name, part in (("cat", "trainA"), ("dog", "testA")):
        (classes / name).mkdir(parents=True)
        for i, path in enumerate(sorted((folder / part).glob("*.png"))[:3]):
            (classes / name / f"{i}.png").write_bytes(path.read_bytes())
    (folder / "pairs" / "train").mkdir(parents=True)
    for i in range(5):
        pixels = chance.integers(0, 256, (40, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "pairs" / "train" / f"{i}.png")
    return folder


@pytest.fixture(scope="module", params=list(METHODS))
def never_stopped(request: pytest.FixtureRequest, pictures: Path, tmp_path_factory):
    """The method's name and all that a run of it leaves that nothing disturbed."""
    run = tmp_path_factory.mktemp("straight") / "run"
    child = in_a_process(train, request.param, pictures, run)
    assert wait_for(child) == 0
    return request.param, everything(run)


def train(method: str, data: Path, out: Path, **changes) -> int:
    data = data / FOLDERS[method_class(method).data]
    options = SHARED | OWN[method] | {"data": data, "out": out} | changes
    argv = ["train", method]
    for name, value in options.items():
        option = name.replace("_", "-")
        switch = {True: [f"--{option}"], False: [f"--no-{option}"]}
        argv += switch[value] if isinstance(value, bool) else [f"--{option}", str(value)]
    return main(argv)


def resume(run: Path) -> int:
    return main(["resume", str(run)])


def logged(run: Path, lines: int) -> Callable[[], bool]:
    log = run / "log.jsonl"
    return lambda: log.exists() and log.read_bytes().count(b"\n") >= lines


def assert_as_if_never_stopped(straight: dict[str, Any], run: Path) -> None:
    """Equal to the bit; where it was stopped, one more preview was written."""
    found = everything(run)
    found["samples"] = {n: p for n, p in found["samples"].items() if n in straight["samples"]}
    assert not differences(straight, found)


def test_two_runs_with_one_seed_are_equal(never_stopped, pictures, tmp_path):
    method, straight = never_stopped
    assert wait_for(in_a_process(train, method, pictures, tmp_path / "run")) == 0
    assert_as_if_never_stopped(straight, tmp_path / "run")


def test_another_seed_is_another_run(never_stopped, pictures, tmp_path):
    method, straight = never_stopped
    assert wait_for(in_a_process(lambda: train(method, pictures, tmp_path / "r", seed=1))) == 0
    assert differences(straight["weights"], everything(tmp_path / "r")["weights"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal(never_stopped, pictures, tmp_path, number):
    method, straight = never_stopped
    run = tmp_path / "run"
    child = in_a_process(train, method, pictures, run)
    assert killed_when(child, logged(run, 2), number) == 130
    assert everything(run)["clock"] < straight["clock"]
    assert wait_for(in_a_process(resume, run)) == 0
    assert_as_if_never_stopped(straight, run)


@pytest.mark.parametrize("moment", range(6))
def test_killed_at_random_moments_again_and_again(never_stopped, pictures, tmp_path, moment):
    method, straight = never_stopped
    run, chance = tmp_path / "run", random.Random(moment)
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


def test_killed_between_the_two_renames_of_a_save(never_stopped, pictures, tmp_path):
    method, straight = never_stopped
    run = tmp_path / "run"
    child = in_a_process(train, method, pictures, run)
    assert killed_when(child, logged(run, 3), signal.SIGTERM) == 130
    (run / "snapshots" / "latest").rename(run / "snapshots" / ".latest.previous")
    (run / "snapshots" / ".latest.writing").mkdir()
    assert wait_for(in_a_process(resume, run)) == 0
    assert_as_if_never_stopped(straight, run)


def test_killed_before_the_first_snapshot_it_begins_anew(never_stopped, pictures, tmp_path):
    method, straight = never_stopped
    run = tmp_path / "run"
    child = in_a_process(train, method, pictures, run)
    killed_when(child, lambda: (run / "samples").exists())
    assert wait_for(in_a_process(resume, run)) == 0
    assert_as_if_never_stopped(straight, run)


@pytest.fixture(scope="module", params=list(METHODS))
def begun_with(request: pytest.FixtureRequest, pictures: Path, tmp_path_factory):
    """A run to begin with, and all that a run leaves that began with it and was never stopped."""
    folder, method = tmp_path_factory.mktemp("begun"), request.param
    source, settings = folder / "source", {"warmup": "9it"}
    short = {"duration": "2it", "seed": 3}
    assert wait_for(in_a_process(lambda: train(method, pictures, source, **short))) == 0
    settings["init"] = str(source)
    child = in_a_process(lambda: train(method, pictures, folder / "run", **settings))
    assert wait_for(child) == 0
    return method, settings, everything(folder / "run")


def test_stopped_in_its_warmup_and_the_weights_that_it_began_with_are_gone(
    begun_with, pictures, tmp_path
):
    method, settings, straight = begun_with
    run, source = tmp_path / "run", Path(settings["init"])
    child = in_a_process(lambda: train(method, pictures, run, **settings))
    assert killed_when(child, logged(run, 1), signal.SIGTERM) == 130
    assert everything(run)["state"]["clock"]["iterations"] < 9
    source.rename(tmp_path / "elsewhere")
    try:
        assert wait_for(in_a_process(resume, run)) == 0
    finally:
        (tmp_path / "elsewhere").rename(source)
    assert_as_if_never_stopped(straight, run)


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


def test_decoding_in_workers_changes_nothing(never_stopped, pictures, tmp_path):
    method, straight = never_stopped
    run = tmp_path / "run"
    child = in_a_process(lambda: train(method, pictures, run, cache="none", workers=2))
    assert killed_when(child, logged(run, 3), signal.SIGTERM) == 130
    assert wait_for(in_a_process(resume, run)) == 0
    found = everything(run)
    for what in ("weights", "state", "log"):
        assert not differences(straight[what], found[what])


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
