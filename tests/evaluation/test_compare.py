"""Runs side by side, as plain data."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from measured import metric_row, write_metrics

import ganvas
from ganvas.errors import InputError
from ganvas.evaluation.compare import compare

DEFAULTS = {"data": "digits", "lr": 0.0002, "seed": 0, "workers": None, "keep": 5, "out": "x"}


def make_run(
    path: Path, method: str = "dcgan", prints: str = "ab", logged: int = 3, **settings: Any
) -> Path:
    """A run that has logged every 100 pictures, a second each."""
    (path / "snapshots" / "latest").mkdir(parents=True)
    config = {
        "method": method,
        "settings": DEFAULTS | settings,
        "changed": ["data", *settings],
        "provenance": {"data_fingerprint": {"pictures": prints}, "device": "cpu"},
        "networks": {"G": {"parameters": 700}, "D": {"parameters": 300}},
    }
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    lines = [
        {"images": 100 * i, "iterations": i, "epoch": i / 10, "losses": {"G": 1.0 * i, "D": 0.5}}
        | {"time": {"seconds": 1.0 * i, "pictures_per_second": 100.0}}
        for i in range(1, logged + 1)
    ]
    (path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def keep_best(run: Path, images: int) -> Path:
    best = run / "snapshots" / "best"
    best.mkdir()
    clock = {"images": images}
    (best / "model.json").write_text(json.dumps({"format": 1, "clock": clock}))
    return best


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Three that differ in their seeds, and one that differs in its rate."""
    seeds = [make_run(tmp_path / f"s{seed}", seed=seed) for seed in range(3)]
    return [*seeds, make_run(tmp_path / "fast", lr=0.001)]


def metrics(paths: list[Path]) -> list[dict[str, Any]]:
    return compare(paths).told()["metrics"]


def test_only_settings_that_differ_are_told_and_never_out(runs: list[Path]) -> None:
    told = {row["name"]: row["values"] for row in compare(runs).told()["settings"]}
    assert told == {
        "lr": {"s0": 0.0002, "s1": 0.0002, "s2": 0.0002, "fast": 0.001},
        "seed": {"s0": 0, "s1": 1, "s2": 2, "fast": 0},
    }


def test_a_setting_of_one_method_alone_is_told_where_it_was_changed(tmp_path: Path) -> None:
    a = make_run(tmp_path / "a", "dcgan", nz=64)
    b = make_run(tmp_path / "b", "stylegan")
    about = yaml.safe_load((b / "config.yaml").read_text())
    about["settings"]["mixing"] = 0.9  # at its default
    (b / "config.yaml").write_text(yaml.safe_dump(about))
    told = {row["name"]: row["values"] for row in compare([a, b]).told()["settings"]}
    assert told == {"nz": {"a": 64}}


def test_each_run_says_how_far_it_is_and_how_large(runs: list[Path]) -> None:
    told = compare(runs).told()["runs"][0]
    assert (told["images"], told["epochs"], told["seconds"]) == (300, 0.3, 3.0)
    assert (told["method"], told["parameters"], told["snapshot"]) == ("dcgan", 1000, "latest")


def test_runs_that_differ_in_their_seeds_have_a_mean_and_a_deviation(runs: list[Path]) -> None:
    for run, value in zip(runs, (1.0, 2.0, 3.0, 0.5), strict=True):
        write_metrics(run, metric_row(value + 1, 100), metric_row(value, 300))
    comparison = compare(runs).told()
    assert comparison["groups"] == [{"runs": ["s0", "s1", "s2"], "seeds": [0, 1, 2]}]
    (row,) = comparison["metrics"]
    assert {name: run["last"]["value"] for name, run in row["runs"].items()} == {
        "s0": 1.0, "s1": 2.0, "s2": 3.0, "fast": 0.5,
    }  # fmt: skip
    (group,) = row["groups"]
    assert (group["n"], group["last"]["mean"], group["last"]["deviation"]) == (3, 2.0, 1.0)
    assert row["ahead"] == {"last": "fast", "best": "fast"}


def test_where_pictures_and_logs_lie_does_not_part_a_group(tmp_path: Path) -> None:
    a = make_run(tmp_path / "a", seed=1)
    b = make_run(tmp_path / "b", seed=2, data="elsewhere/digits", workers=3, keep=0)
    assert compare([a, b]).told()["groups"][0]["runs"] == ["a", "b"]


@pytest.mark.parametrize("change", [{"lr": 0.1}, {"method": "stylegan"}, {"prints": "cd"}])
def test_what_was_trained_otherwise_is_no_group(tmp_path: Path, change: dict[str, Any]) -> None:
    a, b = make_run(tmp_path / "a", seed=1), make_run(tmp_path / "b", **{"seed": 2, **change})
    assert compare([a, b]).told()["groups"] == []


def test_of_two_runs_with_one_seed_one_counts_and_it_is_said(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    told = compare(runs).told()
    assert told["groups"] == [{"runs": ["a", "c"], "seeds": [1, 2]}]
    assert any(note.startswith("b: left out of the spread") for note in told["notes"])


def test_seeds_that_have_not_come_equally_far_are_named(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / f"s{n}", seed=n, logged=n) for n in (3, 4)]
    assert "s3, s4: differ in their seeds only, but" in compare(runs).told()["notes"][0]


def test_values_found_otherwise_stand_apart_with_the_reason(runs: list[Path]) -> None:
    for run in runs[:3]:
        write_metrics(run, metric_row(1.0))
    write_metrics(runs[3], metric_row(0.5, fake=1000))
    together, apart = metrics(runs)
    assert list(together["runs"]) == ["s0", "s1", "s2"]
    assert together["not_comparable"] == []
    assert list(apart["runs"]) == ["fast"]
    assert apart["not_comparable"] == ["count of generated pictures: 200 and 1000"]
    assert apart["ahead"] == {"last": None, "best": None}


def test_metrics_of_other_names_are_never_compared(runs: list[Path]) -> None:
    write_metrics(runs[0], metric_row(1.0))
    write_metrics(runs[1], metric_row(2.0, metric="FD-own@99999999"))
    first, second = metrics(runs)
    assert first["not_comparable"] == []
    assert second["not_comparable"] == ["FD-own@1a2b3c4d is not FD-own@99999999"]


def test_an_average_and_weights_as_trained_compare_between_runs_but_not_within(
    runs: list[Path],
) -> None:
    raw: dict[str, Any] = {"weights": "as trained"}
    write_metrics(runs[0], metric_row(1.0), metric_row(3.0, **raw))
    write_metrics(runs[1], metric_row(2.0, **raw))
    first, second = metrics(runs)
    assert {n: (r["last"]["value"], r["weights"]) for n, r in first["runs"].items()} == {
        "s0": (1.0, "average"),
        "s1": (2.0, "as trained"),
    }
    assert first["weights"] is None
    assert list(second["runs"]) == ["s0"]


def test_a_snapshot_is_the_run_as_it_was_then(runs: list[Path]) -> None:
    write_metrics(runs[0], metric_row(5.0, 100), metric_row(2.0, 200), metric_row(9.0, 300))
    comparison = compare([runs[0], keep_best(runs[0], 200)]).told()
    assert [(run["name"], run["images"]) for run in comparison["runs"]] == [
        ("s0", 300),
        ("s0/best", 200),
    ]
    assert {n: r["last"]["value"] for n, r in comparison["metrics"][0]["runs"].items()} == {
        "s0": 9.0,
        "s0/best": 2.0,
    }
    assert comparison["curves"]["s0/best"]["images"] == [100, 200]


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / place / "run", seed=n) for n, place in enumerate(("x", "y"))]
    assert [run["name"] for run in compare(runs).told()["runs"]] == ["x/run", "y/run"]


def test_other_pictures_and_what_cannot_be_read_are_noted(tmp_path: Path) -> None:
    a, b = make_run(tmp_path / "a"), make_run(tmp_path / "b", prints="cd")
    (b / "log.jsonl").unlink()
    notes = compare([a, b]).told()["notes"]
    assert "b was trained on other pictures than a" in notes
    assert any(note.startswith("b: Nothing is logged yet") for note in notes)


def test_curves_of_equal_names_share_an_axis(runs: list[Path]) -> None:
    make_run(runs[0].parent / "long", logged=5)
    curves = compare([runs[0], runs[0].parent / "long"]).curves()
    assert curves["axes"] == {"images": [100, 200, 300, 400, 500], "time": [1, 2, 3, 4, 5]}
    panel = next(p for p in curves["panels"] if p["title"] == "G")
    drawn = {curve["name"]: curve["on"]["images"]["y"] for curve in panel["curves"]}
    assert drawn == {"s0": [1, 2, 3, None, None], "long": [1, 2, 3, 4, 5]}


def test_metrics_that_compare_are_drawn_at_the_time_of_their_clock(runs: list[Path]) -> None:
    for run in runs[:2]:
        write_metrics(run, metric_row(5.0, 150), metric_row(2.0, 300))
    curves = compare(runs[:2]).curves()
    panel = curves["panels"][0]
    assert panel["title"] == "FD-own@1a2b3c4d"
    points = panel["curves"][0]["on"]["time"]
    assert {x: y for x, y in zip(curves["axes"]["time"], points["y"], strict=True) if y} == {
        1.5: 5.0,
        3.0: 2.0,
    }
    assert curves["axes"]["time"][points["best"]] == 3.0


def test_seeds_of_a_group_have_one_colour(runs: list[Path]) -> None:
    assert compare(runs).tones() == {"s0": 0, "s1": 0, "s2": 0, "fast": 1}


def test_it_is_plain_data_in_python_too(runs: list[Path]) -> None:
    write_metrics(runs[0], metric_row(1.0))
    told = ganvas.compare(runs)
    assert json.loads(json.dumps(told, allow_nan=False)) == told


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["s0"], "at least two"),
        (["s0", "nowhere"], "there is no such run"),
        (["s0", "s0"], "is the same as"),
        (["s0", "."], "neither a run directory nor a snapshot"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    runs: list[Path], names: list[str], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        compare([runs[0].parent / name for name in names])
