"""The segmentation score among the metrics of `ganvas evaluate`."""

import json
from pathlib import Path
from typing import Any

import pytest

import ganvas
from ganvas.cli import main
from ganvas.errors import InputError
from ganvas.evaluation import evaluate as module
from ganvas.evaluation.segmentation.learning import SegmentationSettings
from ganvas.evaluation.segmentation.scores import segmentation_scores
from ganvas.methods.translator import Translator
from ganvas.runs.directory import Run

KEYS = ("pixel-accuracy", "class-accuracy", "class-iou")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    settings: dict[str, Any] = {"size": 32, "load_size": 32, "ngf": 4, "ndf": 4, "n_blocks": 1}
    settings |= {"duration": "1it", "tensorboard": False, "device": "cpu", "threads": 1}
    out = tmp_path_factory.mktemp("streets") / "run"
    return ganvas.train("cyclegan", quiet=True, data="sample:streets", out=out, **settings)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> SegmentationSettings:
    """A network that has hardly learnt, for tests that do not look at what it has learnt."""
    settings = SegmentationSettings(duration="2it", batch_size=2)
    monkeypatch.setattr(module, "SegmentationSettings", lambda: settings)
    return settings


def test_label_maps_are_judged_by_their_colours_alone(run):
    results = ganvas.evaluate(run, metrics=KEYS, direction="BtoA", device="cpu", quiet=True)
    assert [(r.key, r.metric) for r in results] == [(k, k.replace("-", " ")) for k in KEYS]
    assert results[0].details["upper bound"] == 1
    assert results[0].provenance["extractor"]["recipe"] == "nearest class colour"
    assert "road" in results[2].details
    rows = (run.path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(rows[-1])["key"] == "class-iou"


def test_photos_are_judged_by_the_network_that_the_name_tells(run, short):
    results = ganvas.evaluate(run, metrics=KEYS, device="cpu", quiet=True)
    method = ganvas.load(run, device="cpu")
    assert isinstance(method, Translator)
    found = segmentation_scores(method, "sample:streets", "AtoB", network=short)
    there = [r for r in results if r.direction == "AtoB"]
    assert [r.value for r in there] == [
        found[name] for name in ("pixel_accuracy", "class_accuracy", "class_iou")
    ]
    told = found["provenance"]["network"]["hash"]
    assert {r.provenance["extractor"]["sha256"] for r in there} == {told}
    assert {r.metric.split("@")[1] for r in there} == {told[:8]}


def test_a_palette_asks_for_it(run, short, capsys):
    argv = ["evaluate", str(run.path), "--palette", "streets", "--count", "8", "--device", "cpu"]
    assert main([*argv, "--extractor", "random"]) == 0
    out = capsys.readouterr().out
    assert all(key.replace("-", " ") in out for key in KEYS)


def test_without_label_maps_it_is_refused(tmp_path: Path, tiny_run: Path):
    with pytest.raises(InputError, match=r"--data .*"):
        ganvas.evaluate(tiny_run, metrics=["class-iou"], device="cpu", quiet=True)
