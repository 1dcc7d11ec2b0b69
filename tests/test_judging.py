"""Judging while training: rows in metrics.jsonl, the best networks kept, an end on a plateau."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

import ganvas
from ganvas import loop
from ganvas.cli import main
from ganvas.data.held_out import Reader, open_splits
from ganvas.data.opening import open_training_set
from ganvas.errors import InputError
from ganvas.evaluation import own
from ganvas.evaluation.results import Result, append
from ganvas.evaluation.study.pictures import gather
from ganvas.methods import method_class
from ganvas.runs.directory import Run

SMALL: dict[str, Any] = {
    "size": 16,
    "ngf": 4,
    "ndf": 4,
    "nz": 4,
    "batch_size": 4,
    "duration": "12it",
    "log_every": "12it",
    "preview_every": "12it",
    "snapshot_every": "12it",
    "previews": 2,
    "tensorboard": False,
    "device": "cpu",
    "threads": 1,
    "eval_every": "3it",
    "eval_metrics": "swd",
    "eval_count": 8,
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, chance = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for i in range(20):
        pixels = chance.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


@pytest.fixture(autouse=True)
def quick_extractor(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it is that judges does not matter here, nor how well it sees."""
    monkeypatch.setattr(own, "STEPS", 2)


def train(pictures: Path, out: Path, **changes: Any) -> Run:
    return ganvas.train("dcgan", quiet=True, data=pictures, out=out, **SMALL | changes)


def rows(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]


def clock_of(snapshot: Path) -> int:
    return json.loads((snapshot / "model.json").read_text())["clock"]["images"]


def names(run: Run) -> list[str]:
    return sorted(p.name for p in run.snapshots.glob("best*"))


def test_networks_are_judged_before_the_first_step_and_at_each_interval(pictures, tmp_path):
    run = train(pictures, tmp_path / "run")
    assert [row["images"] for row in rows(run)] == [0, 12, 24, 36, 48]
    assert {row["key"] for row in rows(run)} == {"swd"}
    assert {row["provenance"]["when"] for row in rows(run)} == {"training"}


def test_the_best_networks_are_those_of_the_best_value(pictures, tmp_path):
    run = train(pictures, tmp_path / "run")
    best = min(rows(run), key=lambda row: row["value"])
    assert clock_of(run.snapshots / "best") == best["images"]
    assert names(run) == ["best"]
    value = ganvas.evaluate(
        run.snapshots / "best", metrics=["swd"], count=8, device="cpu", quiet=True
    )[0].value
    assert value == pytest.approx(best["value"])


def test_for_some_metrics_more_is_better(pictures, tmp_path):
    settings = {"eval_metrics": "coverage,swd", "best_by": "coverage", "duration": "6it"}
    run = train(pictures, tmp_path / "run", **settings)
    found = [row for row in rows(run) if row["key"] == "coverage"]
    assert clock_of(run.snapshots / "best") == max(found, key=lambda row: row["value"])["images"]


def test_several_of_the_best_are_kept(pictures, tmp_path):
    run = train(pictures, tmp_path / "run", keep_best=2)
    ranked = sorted(rows(run), key=lambda row: row["value"])
    labels = [f"{row['images'] // 1000:06d}.{row['images'] % 1000:03d}kimg" for row in ranked]
    assert names(run) == sorted(["best", *(f"best-{label}" for label in labels[:2])])
    assert clock_of(run.snapshots / "best") == ranked[0]["images"]


def test_a_training_that_finds_nothing_better_ends_by_patience(pictures, tmp_path):
    still = {"lr": 1e-30, "patience": 2, "duration": "60it"}
    run = train(pictures, tmp_path / "run", **still)
    # The first evaluation is the best; two more are not better.
    assert [row["images"] for row in rows(run)] == [0, 12, 24]
    assert clock_of(run.snapshots / "latest") == 24
    assert clock_of(run.snapshots / "best") == 0


def test_a_training_that_ended_by_patience_goes_on_when_it_is_lengthened(pictures, tmp_path):
    still = {"lr": 1e-30, "patience": 1, "duration": "30it"}
    run = train(pictures, tmp_path / "run", **still)
    assert clock_of(run.snapshots / "latest") == 12
    ganvas.resume(run, quiet=True)
    assert clock_of(run.snapshots / "latest") == 12
    ganvas.resume(run, duration="31it", quiet=True)
    assert clock_of(run.snapshots / "latest") == 24


def test_a_judged_training_has_the_weights_of_one_that_is_not(pictures, tmp_path):
    judged = train(pictures, tmp_path / "judged", eval_metrics="kd,swd,ms-ssim")
    alone = train(pictures, tmp_path / "alone", eval_every=None, eval_metrics=None, eval_count=500)
    a, b = (load_file(run.snapshots / "latest" / "model.safetensors") for run in (judged, alone))
    assert all(a[key].equal(b[key]) for key in b)


def test_resuming_drops_what_will_be_found_again_and_nothing_else(pictures, tmp_path):
    run = train(pictures, tmp_path / "run")
    ganvas.evaluate(run, metrics=["swd"], count=8, device="cpu", quiet=True)
    before = rows(run)
    later = [row | {"images": 60} for row in before if row["images"] == 48]
    with open(run.path / "metrics.jsonl", "a") as file:
        file.writelines(json.dumps(row) + "\n" for row in later)
        file.write("what somebody wrote\n")
    ganvas.resume(run, duration="13it", quiet=True)
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines[: len(before)]] == before
    # Of the lines behind, that of the training goes, and the user's stay.
    assert [json.loads(line)["provenance"].get("when") for line in lines[len(before) : -1]] == [
        None
    ]
    assert lines[-1] == "what somebody wrote"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"eval_every": None}, "wants --eval-every too"),
        ({"eval_metrics": "swdd"}, "there is no such metric"),
        ({"best_by": "fd"}, "--best-by fd: is not measured"),
        ({"eval_metrics": "l1"}, "makes pictures from noise"),
        ({"hold_out": 20}, "20 pictures to train on"),
        ({"keep_best": 0}, "must be at least 1"),
        ({"eval_metrics": "ms-ssim,swd", "best_by": "ms-ssim"}, "neither more nor less"),
        ({"eval_metrics": "foo"}, "--eval-metrics foo"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(pictures, tmp_path, changes, said):
    with pytest.raises(InputError, match=said):
        train(pictures, tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_pictures_held_out_are_not_trained_on_and_are_judged_by(pictures, tmp_path):
    config = method_class("dcgan").Config(data=str(pictures), size="16", hold_out=6)
    trained_on = {
        seen.entry.name for seen in open_training_set("pictures", config).parts["pictures"].seen
    }
    splits = open_splits(config, "pictures")
    held = {entry.name for entry in splits.get().entries["pictures"]}
    assert splits.get().name == "held-out"
    assert (len(held), len(trained_on)) == (6, 14)
    assert not held & trained_on
    run = train(pictures, tmp_path / "run", hold_out=6, duration="3it")
    assert {row["provenance"]["split"] for row in rows(run)} == {"held-out"}
    assert {row["provenance"]["real"] for row in rows(run)} == {6}


def test_more_held_out_are_those_before_and_others(pictures):
    def held(count: int) -> set[str]:
        config = method_class("dcgan").Config(data=str(pictures), size="16", hold_out=count)
        return {e.name for e in open_splits(config, "pictures").get().entries["pictures"]}

    assert held(3) < held(7)


def test_of_pairs_both_are_held_out(tmp_path):
    chance = np.random.default_rng(0)
    for part in ("trainA", "trainB"):
        (tmp_path / part).mkdir()
        for i in range(9):
            pixels = chance.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / part / f"{i}.png")
    config = method_class("pix2pix").Config(data=str(tmp_path), size="32", n_downs=5, hold_out=4)
    split = open_splits(config, "paired").get()
    held = [[Path(e.name).name for e in split.entries[domain]] for domain in "AB"]
    assert held[0] == held[1]
    assert len(set(held[0])) == 4
    assert open_training_set("paired", config).epoch_size == 5


def test_while_steps_are_skipped_nothing_is_judged(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "refuse_if_diverged", lambda training: 1)
    run = train(pictures, tmp_path / "run")
    assert [row["images"] for row in rows(run)] == [0]
    assert clock_of(run.snapshots / "best") == 0


def test_a_rehearsal_judges_nothing(pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path / "cache"))
    argv = ["train", "dcgan", "--data", str(pictures), "--out", str(tmp_path / "run"), "--dry-run"]
    for name, value in (SMALL | {"eval_metrics": "kd"}).items():
        option = name.replace("_", "-")
        argv += [f"--no-{option}"] if value is False else [f"--{option}", str(value)]
    assert main(argv) == 0
    assert "evaluations" in capsys.readouterr().out
    assert not (tmp_path / "cache").exists()
    assert not (tmp_path / "run").exists()


def test_other_pictures_are_judged_by_whole(pictures, tmp_path):
    run = train(pictures, tmp_path / "run", hold_out=15, duration="3it")
    for i, name in enumerate(sorted(pictures.iterdir())[:10]):
        (tmp_path / "others").mkdir(exist_ok=True)
        (tmp_path / "others" / f"{i}.png").write_bytes(name.read_bytes())
    found = ganvas.evaluate(
        run, data=tmp_path / "others", metrics=["swd"], count=10, device="cpu", quiet=True
    )[0]
    assert (found.provenance["split"], found.provenance["real"]) == ("train", 10)


@pytest.mark.parametrize("classes", [False, True])
def test_what_is_called_trained_on_was(pictures, tmp_path, classes):
    if classes:
        for i, name in enumerate(sorted(pictures.iterdir())):
            (tmp_path / f"kind{i % 3}").mkdir(exist_ok=True)
            (tmp_path / f"kind{i % 3}" / name.name).write_bytes(name.read_bytes())
    source = tmp_path if classes else pictures
    config = method_class("dcgan").Config(data=str(source), size="16", max_pictures=7)
    seen = open_training_set("pictures", config).parts["pictures"].seen
    split = open_splits(config, "pictures").get()
    assert {e.name for e in split.entries["pictures"]} == {s.entry.name for s in seen}


def test_a_study_shows_held_out_pictures(pictures, tmp_path):
    run = train(pictures, tmp_path / "run", hold_out=6, duration="3it")
    found = gather(ganvas.load(run, device="cpu"), str(pictures), None, 10)
    assert (found.split, len(found.real)) == ("held-out", 6)
    assert not [note for note in found.notes if "trained on" in note]


def test_a_line_that_a_kill_cut_off_takes_no_other_with_it(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"images": 99, "key": "fd", "met')
    append([Result("swd", "SWD", 1.0, "lower")], path)
    assert json.loads(path.read_text().splitlines()[-1])["value"] == 1.0


def test_other_preparations_have_other_names(pictures):
    def rule(**settings: Any) -> str:
        config = method_class("dcgan").Config(data=str(pictures), size="16", **settings)
        return Reader(config, {}).rule

    told = [rule(), rule(alpha="black"), rule(load_size="20"), rule(preprocess="crop")]
    assert len(set(told)) == len(told)


@pytest.mark.parametrize(
    ("method", "option"), [("dcgan", {"palette": "streets"}), ("cyclegan", {"truncation": 0.5})]
)
def test_options_of_other_methods_are_refused(pictures, tmp_path, tiny_run, method, option):
    run = train(pictures, tmp_path / "run", duration="3it") if method == "dcgan" else tiny_run
    with pytest.raises(InputError, match=f"--{next(iter(option))}"):
        ganvas.evaluate(run, device="cpu", quiet=True, **option)
