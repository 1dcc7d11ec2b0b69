"""Trainings that grow, as a user has them: resumed anywhere, in ticks, and used before they end."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from killing import differences, everything
from making import noise
from PIL import Image

import ganvas
from ganvas.cli import main
from ganvas.errors import InputError
from ganvas.inference.load import load
from ganvas.loop import Nobody, Training
from ganvas.methods.stylegan import StyleGAN
from ganvas.runs.directory import Run
from ganvas.training import prepare, settings_of

SETTINGS: dict[str, Any] = {
    "size": 16,
    "lod_initial_resolution": 4,
    "lod_training_kimg": 0.008,
    "lod_transition_kimg": 0.009,
    "minibatch_dict": "4:4,8:3,16:2",
    "lr_dict": "8:0.002",
    "tick_kimg_dict": "4:0.005,8:0.004",
    "tick_kimg": 0.006,
    "preview_every": "2tick",
    "snapshot_every": "3tick",
    "fmap_max": 4,
    "nz": 4,
    "nw": 4,
    "mapping_layers": 1,
    "ema": "0.01kimg",
    "r1_gamma": 1,
    "previews": 2,
    "tensorboard": False,
    "device": "cpu",
    "threads": 1,
}
STEPS = 15
# Images behind each step: 4 8 12 | 15 18 21 24 27 | 29 ...; fading begins behind 8 and 25, ends at
# 17 and 34.


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for i in range(5):
        noise(i, 16, 16, 3).save(folder / f"{i}.png")
    return folder


def train(pictures: Path, out: Path, **changes: Any):
    return ganvas.train(
        "stylegan", quiet=True, **SETTINGS | {"data": pictures, "out": out} | changes
    )


@pytest.fixture(scope="module")
def straight(pictures: Path, tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("straight") / "run"
    return train(pictures, out, duration=f"{STEPS}it")


def entries(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 6, 8, 9, 10, 12])
def test_it_goes_on_exactly_wherever_it_stood(pictures, straight, tmp_path, steps):
    """In the midst of fading, before and behind steps that forget moments or change the batch."""
    run = train(pictures, tmp_path / "run", duration=f"{steps}it")
    ganvas.resume(run, duration=f"{STEPS}it", quiet=True)
    for where in ("weights", "state", "clock"):
        assert not differences(everything(straight.path)[where], everything(run.path)[where])


def test_the_log_tells_the_size_and_the_batch(pictures, tmp_path):
    run = train(pictures, tmp_path / "run", duration=f"{STEPS}it", log_every="1it")
    found = [(e["images"], e["batch_size"], e["lod"]) for e in entries(run.path)]
    # Sizes are those that each step was taken at.
    assert [images for images, _, _ in found[:7]] == [4, 8, 12, 15, 18, 21, 24]
    assert [batch for _, batch, _ in found] == [4] * 3 + [3] * 5 + [2] * 7
    assert [lod for _, _, lod in found[:4]] == [2, 2, 2, pytest.approx(2 - 4 / 9, abs=1e-5)]
    assert found[-1][2] == 0


def test_lines_previews_and_snapshots_come_in_ticks(straight):
    logged = [e["tick"] for e in entries(straight.path)]
    ticks = logged[:-1]  # the last line is that of the end, in the midst of a tick
    assert ticks == list(range(1, len(logged)))
    assert len(ticks) >= 5
    text = (straight.path / "loss_log.txt").read_text()
    lines = re.findall(
        r"^tick (\d+) +kimg (\S+) +lod (\S+) +minibatch (\d+) +time (\S.*?) +sec/tick (\S+) +"
        r"sec/kimg (\S+) +maintenance (\S+) +gpumem (\S+)",
        text,
        re.MULTILINE,
    )
    assert [int(line[0]) for line in lines] == logged
    samples = len(list((straight.path / "samples").glob("*.png")))
    assert len(ticks) // 2 <= samples <= len(ticks) // 2 + 2
    assert len(straight.numbered_snapshots()) == ticks[-1] // 3


def test_a_snapshot_of_the_midst_makes_pictures_of_the_full_size(pictures, tmp_path):
    run = train(pictures, tmp_path / "run", duration="4it")
    method = ganvas.load(run, "cpu")
    assert [picture.size for picture in method.generate([1, 2])] == [(16, 16)] * 2
    assert method.progress()["lod"] == pytest.approx(2 - 4 / 9, abs=1e-5)


def test_pictures_are_generated_with_truncation_and_noise(straight, tmp_path):
    def made(name: str, *options: str) -> bytes:
        argv = ["generate", str(straight.path), "--seeds", "3", "--out", str(tmp_path / name)]
        assert main([*argv, "--device", "cpu", *options]) == 0
        return Image.open(tmp_path / name / "seed0003.png").tobytes()

    plain = made("plain")
    assert made("const", "--noise-mode", "const", "--truncation", "1") == plain
    assert made("short", "--trunc", "0.2", "--truncation-cutoff", "3") != plain


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--truncation-cutoff", "3"], "--truncation-cutoff 3: is without effect"),
        (["--truncation", "x"], "--truncation x: must be a number"),
    ],
)
def test_choices_that_do_not_go_together_are_refused(straight, tmp_path, capsys, options, said):
    argv = ["generate", str(straight.path), "--out", str(tmp_path / "out"), *options]
    assert main(argv) == 2
    assert said in capsys.readouterr().err


def test_a_run_may_be_told_where_it_stands(pictures, tmp_path, capsys):
    run = train(pictures, tmp_path / "run", duration="2it", log_every="1it")
    argv = ["resume", str(run.path), "--resume-kimg", "0.03", "--duration", "0.04kimg"]
    assert main(argv) == 0
    found = [(e["images"], e["batch_size"]) for e in entries(run.path)]
    assert found[:4] == [(4, 4), (8, 4), (32, 2), (34, 2)]
    assert main(["resume", str(run.path), "--resume-kimg", "-1"]) == 2
    assert "--resume-kimg -1: wants thousands of images" in capsys.readouterr().err


def test_the_published_names_of_options_are_known(pictures, tmp_path):
    argv = ["train", "stylegan", "--data", str(pictures), "--out", str(tmp_path / "run")]
    argv += ["--size", "16", "--preset", "tiny", "--fmap_max", "4", "--total_kimg", "0.004"]
    argv += ["--G_smoothing_kimg", "3", "--image_snapshot_ticks", "2", "--minibatch_base", "2"]
    argv += ["--network_snapshot_ticks", "5", "--no-mirror_augment", "--no-tensorboard"]
    assert main(argv) == 0
    settings = ganvas.Run.open(tmp_path / "run").record["settings"]
    wanted = {"duration": "0.004kimg", "ema": "3kimg", "preview_every": "2tick"}
    wanted |= {"batch_size": 2, "snapshot_every": "5tick", "flip": False}
    assert {name: settings[name] for name in wanted} == wanted


def begun(pictures: Path, source: Run, **changes: Any) -> Training:
    """A training as it stands before its first step, begun with that run."""
    schedule = {"tensorboard": False, "device": "cpu", "duration": "9it", "ema": "0.01kimg"}
    given = schedule | {"data": str(pictures), "init": str(source.path)} | changes
    return prepare("stylegan", settings_of("stylegan", given), Nobody(), Run("unused"))


@pytest.mark.parametrize(("first", "lod"), [(4, 2), (8, 1), (16, 0)])
def test_a_training_begun_with_a_grown_run_grows_anew(pictures, straight, first, lod):
    source = load(straight.path, "cpu")
    assert source.progress() == {"lod": 0}
    training = begun(pictures, straight, lod_initial_resolution=first)
    method = training.method
    assert isinstance(method, StyleGAN)
    assert method.progress() == {"lod": lod}
    assert method.network.lod == method.D.lod == lod
    assert training.clock.images == training.clock.ticks == 0
    wanted = source.best("G").state_dict() | {"kept_lod": torch.tensor(float(lod))}
    for network in (method.G, method.averages["G"]):
        for key, value in network.state_dict().items():
            torch.testing.assert_close(value, wanted[key], msg=key)


def test_it_takes_the_architecture_and_neither_schedule_nor_batch(pictures, straight):
    config = begun(pictures, straight).config
    source = straight.record["settings"]
    shape = ("size", "structure", "nz", "nw", "mapping_layers", "mapping_fmaps", "fmap_max")
    assert {name: getattr(config, name) for name in shape} == {name: source[name] for name in shape}
    assert config.batch_size_at(0) == 128
    # A sample's own preset is a suggestion.
    given = {"data": "sample:shapes", "init": str(straight.path)}
    assert settings_of("stylegan", given).size == "16"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"structure": "skip"}, "--structure skip here, growing in the snapshot"),
        ({"mbstd_group": 1}, "--mbstd-group 1 here, 4 in the snapshot"),
        ({"mapping_lr_mul": 0.1}, "--mapping-lr-mul 0.1 here, 0.01 in the snapshot"),
        ({"preset": "tiny"}, "--size 32 here, 16 in the snapshot"),
    ],
)
def test_an_architecture_that_does_not_fit_is_refused(pictures, straight, changes, said):
    with pytest.raises(InputError, match=said):
        begun(pictures, straight, **changes)


def test_a_warmup_counts_the_steps_that_the_schedule_gives_it(pictures, straight, tmp_path):
    """12 images are three batches of 4, 15 one of 3 more."""
    run = train(
        pictures,
        tmp_path / "run",
        init=straight,
        warmup="0.015kimg",
        duration="6it",
        log_every="1it",
    )
    assert ["G" in e["losses"] for e in entries(run.path)] == [False] * 4 + [True] * 2
    # Stopped in the midst of the warm-up, it goes on to the bit.
    short = train(
        pictures,
        tmp_path / "short",
        init=straight,
        warmup="0.012kimg",
        duration="5it",
    )
    stopped = train(
        pictures, tmp_path / "stopped", init=straight, warmup="0.012kimg", duration="4it"
    )
    ganvas.resume(stopped, duration="5it", quiet=True)
    for where in ("weights", "state", "clock"):
        assert not differences(everything(short.path)[where], everything(stopped.path)[where])


@pytest.mark.parametrize("option", ["resume-run-id", "resume-snapshot", "resume-kimg"])
def test_resuming_is_not_an_option_of_training(option, capsys):
    assert main(["train", "stylegan", "--data", "x", f"--{option}", "3"]) == 2
    assert "ganvas resume RUN" in capsys.readouterr().err


def test_a_preset_gives_what_is_left_out():
    config = settings_of("stylegan", {"preset": "tiny", "nz": 7})
    assert (config.size, config.span.unit) == ("32", "kimg")
    assert getattr(config, "nz", None) == 7
    assert settings_of("stylegan", {"data": "sample:shapes"}).size == "32"
    assert settings_of("stylegan", {"data": "sample:shapes", "preset": "small"}).size == "64"


def test_ticks_are_refused_where_there_are_none(capsys):
    assert main(["train", "dcgan", "--data", "x", "--log-every", "1tick"]) == 2
    assert "--log-every 1tick: this method has no ticks" in capsys.readouterr().err
