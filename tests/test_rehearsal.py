"""Dry runs: what a training would take, from a few of its steps."""

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from making import noise

from ganvas.cli import main
from ganvas.loop import Nobody
from ganvas.methods.dcgan import DCGAN
from ganvas.rehearsal import Rehearsal, roughly
from ganvas.training import dry_run, settings_of

GROWING: dict[str, Any] = {
    "size": 16,
    "lod_initial_resolution": 4,
    "lod_training_kimg": 0.008,
    "lod_transition_kimg": 0.009,
    "minibatch_dict": "4:4,8:3,16:2",
    "fmap_max": 4,
    "nz": 4,
    "nw": 4,
    "mapping_layers": 1,
    "previews": 2,
    "device": "cpu",
    "threads": 1,
    "duration": "0.06kimg",
}
SMALL: dict[str, Any] = {"size": 16, "ngf": 4, "ndf": 4, "nz": 4, "batch_size": 2, "threads": 1}


class Listener(Nobody):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def shown(self, line: str) -> None:
        self.lines.append(line)

    def said(self, text: str) -> None:
        self.lines.append(f"note: {text}")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for i in range(5):
        noise(i, 16, 16, 3).save(folder / f"{i}.png")
    return folder


def rehearsed(method: str, pictures: Path, **settings: Any) -> tuple[Rehearsal, list[str]]:
    listener = Listener()
    config = settings_of(method, {"device": "cpu", "data": pictures} | settings)
    return dry_run(method, config, listener), listener.lines


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock by which each step takes a second."""
    ticks = itertools.count()
    monkeypatch.setattr(
        "ganvas.rehearsal.time", SimpleNamespace(perf_counter=lambda: float(next(ticks)))
    )


def test_a_training_that_grows_is_measured_at_each_size_and_while_it_fades(pictures):
    found, lines = rehearsed("stylegan", pictures, **GROWING)
    names = ["4x4", "8x8, fading in", "8x8", "16x16, fading in", "16x16"]
    assert [part.name for part in found.parts] == names
    assert [part.batch for part in found.parts] == [4, 3, 3, 2, 2]
    config = settings_of("stylegan", GROWING)
    assert found.steps == config.steps_to(60)
    assert all(part.step_seconds > 0 for part in found.parts)
    assert found.seconds == pytest.approx(sum(p.steps * p.step_seconds for p in found.parts))
    text = "\n".join(lines)
    assert all(f"{name}: " in text for name in names)
    assert f"--duration 0.06kimg: about {roughly(found.seconds)} on cpu" in text
    assert "nothing was written" in text


def test_stages_that_are_not_reached_are_not_measured(pictures):
    found, _ = rehearsed("stylegan", pictures, **GROWING | {"duration": "3it"})
    assert [(part.name, part.steps) for part in found.parts] == [("4x4", 3)]
    found, _ = rehearsed("stylegan", pictures, **GROWING | {"duration": "4it"})
    assert [part.steps for part in found.parts] == [3, 1]


def test_memory_is_estimated_and_measured_and_networks_counted(pictures):
    found, lines = rehearsed("dcgan", pictures, **SMALL, duration="4it")
    assert found.parameters.keys() == {"G", "D"}
    assert found.estimated > 16 * sum(found.parameters.values())
    assert found.measured is None or found.measured > 4 * sum(found.parameters.values())
    assert any("memory: " in line and "GiB estimated" in line for line in lines)


def test_more_memory_than_is_free_is_said(pictures, monkeypatch):
    monkeypatch.setattr("ganvas.rehearsal.free_on", lambda device: 10.0)
    _, lines = rehearsed("dcgan", pictures, **SMALL, duration="4it")
    assert any("more memory than is free" in line for line in lines)


@pytest.mark.usefixtures("seconds")
@pytest.mark.parametrize(
    ("duration", "steps"), [("7it", 7), ("3ep", 8), ("0.02kimg", 10), ("1h", 3600), ("90min", 5400)]
)
def test_a_forecast_is_steps_times_what_one_takes(pictures, duration, steps):
    found, lines = rehearsed("dcgan", pictures, **SMALL, duration=duration)
    assert (found.steps, found.seconds, found.images) == (steps, steps, 2 * steps)
    if found.seconds >= 3600:
        assert f"about {2 * steps:,} images, {steps:,} steps" in "\n".join(lines)


@pytest.mark.usefixtures("seconds")
def test_so_much_time_is_spread_over_the_stages(pictures):
    found, _ = rehearsed("stylegan", pictures, **GROWING | {"duration": "1min"})
    assert [part.steps for part in found.parts] == [3, 2, 3, 4, 48]


def test_steps_of_all_kinds_count_as_often_as_they_come(pictures, monkeypatch):
    # A kind is told from the others by what it takes: G's steps 5 s, D's 1 s, with R1 3 s.
    now = [0.0]
    monkeypatch.setattr("ganvas.rehearsal.time", SimpleNamespace(perf_counter=lambda: now[0]))
    whole = DCGAN.step

    def step(self, batch):
        losses = whole(self, batch)
        now[0] += 5 * ("G" in losses) + (3 if "D_r1" in losses else 1 if "D" in losses else 0)
        return losses

    monkeypatch.setattr(DCGAN, "step", step)
    settings = SMALL | {"d_steps": "4", "r1_gamma": 1, "penalty_every": 3, "duration": "24it"}
    found, _ = rehearsed("dcgan", pictures, **settings)
    assert found.seconds == pytest.approx(24 * 1 + 8 * 2 + 6 * 5)
    found, _ = rehearsed("dcgan", pictures, **settings | {"warmup": "4it"})
    assert found.seconds == pytest.approx(24 * 1 + 8 * 2 + 5 * 5)


def test_a_dry_run_of_the_command_line_writes_nothing(pictures, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    argv = ["train", "stylegan", "--data", str(pictures), "--dry-run"]
    for name, value in GROWING.items():
        argv += [f"--{name.replace('_', '-')}", str(value)]
    assert main(argv) == 0
    said = capsys.readouterr().out
    assert "16x16, fading in: " in said
    assert "nothing was written" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0412, "0.041 s"),
        (59.7, "1 min"),
        (125, "2 min 5 s"),
        (1200, "20 min"),
        (3599, "1 h"),
        (7500, "2 h 5 min"),
        (86399, "1 d"),
        (3 * 86400 + 4 * 3600, "3 d 4 h"),
    ],
)
def test_a_time_is_said_as_people_say_it(seconds, text):
    assert roughly(seconds) == text
