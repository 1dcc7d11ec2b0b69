"""`ganvas evaluate`, and what stands behind it: which numbers, and where they come from."""

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from making import noise
from torch import Tensor

import ganvas
from ganvas.cli import main
from ganvas.data.held_out import Reader, open_splits
from ganvas.errors import InputError
from ganvas.evaluation import own
from ganvas.evaluation.choosing import Options
from ganvas.evaluation.evaluate import Judge, evaluate
from ganvas.evaluation.gallery import quantised
from ganvas.evaluation.metrics import METRICS
from ganvas.evaluation.results import Result, read
from ganvas.inference.load import load
from ganvas.methods import method_class
from ganvas.methods.generator import Generator
from ganvas.methods.translator import Translator
from ganvas.scales import Scale

TINY: dict[str, Any] = {
    "size": 16,
    "ngf": 4,
    "ndf": 4,
    "nz": 8,
    "batch_size": 4,
    "duration": "2it",
    "tensorboard": False,
    "device": "cpu",
    "threads": 1,
    "quiet": True,
}
QUICK = "--extractor random --device cpu --threads 1"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 16x16 pictures of three classes: 9, 9 and 18."""
    folder = tmp_path_factory.mktemp("dcgan")
    for part, count in enumerate((9, 9, 18)):
        (folder / "data" / f"kind{part}").mkdir(parents=True)
        for i in range(count):
            noise(100 * part + i, 16, 16, 3).save(folder / "data" / f"kind{part}" / f"{i}.png")
    return ganvas.train(
        "dcgan", data=folder / "data", out=folder / "run", conditional=True, **TINY
    ).path


@pytest.fixture
def judged(run: Path) -> Generator:
    method = load(run)
    assert isinstance(method, Generator)
    return method


@pytest.fixture(autouse=True)
def quick_extractors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "STEPS", 2)


def options(**given: Any) -> Options:
    return Options(**{"extractor": "random", "count": 24, **given})


def found(results: list[Result]) -> dict[str, Result]:
    return {result.key: result for result in results}


class Copying(Generator):
    """A generator that knows the real pictures by heart."""

    name = "copying"
    nz = 4

    def __init__(self, config: Any, pictures: Tensor) -> None:
        super().__init__(config, {"pictures": pictures.shape[1]}, ())
        self.pictures = torch.nn.Parameter(pictures)
        self.shown = 0

    def synthesise(self, z: Tensor, labels: Tensor | None) -> Tensor:
        self.shown += len(z)
        return self.pictures[self.shown - len(z) : self.shown]


@pytest.fixture
def copying(run: Path) -> Copying:
    method = load(run)
    config = method_class("dcgan").Config.from_mapping({"data": method.config.data, "size": 16})
    reader = Reader(config, method.scales)
    split = open_splits(config, "pictures").get().first(24)
    pixels = torch.stack([row[0] for _, row in reader.rows(split, ["pictures"])])
    return Copying(config, pixels.float() / 127.5 - 1)


# Values


def test_a_generator_that_copies_has_nothing_to_wish_for(copying):
    results = found(evaluate(copying, options=options()))
    assert results["fd"].value == pytest.approx(0, abs=1e-5)
    assert results["precision"].value == results["recall"].value == 1
    assert results["coverage"].value == 1
    assert results["swd"].value < 40
    alike = results["ms-ssim"]
    assert alike.value == pytest.approx(alike.details["of real pictures"], abs=1e-5)


def test_the_path_length_of_a_generator_that_ignores_its_latents_is_zero(copying):
    copying.synthesise = lambda z, labels: copying.pictures[:1].expand(len(z), -1, -1, -1)
    results = evaluate(copying, options=options(metrics=["pl-zfull", "pl-zend"]))
    assert [r.value for r in results] == [0, 0]
    assert [r.metric for r in results] == ["PL-zfull-random@seed0", "PL-zend-random@seed0"]


def test_pairs_are_compared_in_the_data_s_own_range(tiny_run):
    method = load(tiny_run)
    assert isinstance(method, Translator)
    method.translator = lambda direction: torch.nn.Identity()
    source = method.config.data
    results = found(
        evaluate(
            method,
            options=options(metrics=["l1", "psnr", "cycle", "identity"], paired=True),
        )[:4]
    )
    config = method.config
    reader, split = Reader(config, method.scales), open_splits(config, "unpaired", True).get()
    assert split.name == "test"
    rows = [tuple(x.double() / 255 for x in row) for _, row in reader.rows(split, "AB")]
    expected = np.mean([float((a - b).abs().mean()) for a, b in rows])
    assert results["l1"].value == pytest.approx(expected, rel=1e-6)
    decibel = [-10 * np.log10(float((a - b).square().mean())) for a, b in rows]
    assert results["psnr"].value == pytest.approx(np.mean(decibel), rel=1e-6)
    assert results["cycle"].value == results["identity"].value == 0
    assert results["l1"].provenance["data"]["source"] == source


def test_classes_are_asked_for_as_often_as_the_data_has_them(judged, monkeypatch):
    asked: list[int] = []
    render = judged.render

    def watched(z: Tensor, labels: Tensor, at_once: int) -> Tensor:
        asked.extend(labels.tolist())
        return render(z, labels, at_once)

    monkeypatch.setattr(judged, "render", watched)
    evaluate(judged, options=options(metrics=["swd"], count=36))
    assert [asked.count(label) for label in range(3)] == [9, 9, 18]


@pytest.mark.parametrize(
    ("scale", "x", "expected"),
    [
        (Scale(1), 0.001, 1 / 255),
        (Scale(1, "uint16"), 0.5, 49151 / 32767.5 - 1),
        (Scale(1, "float32", (0.0,), (9.0,)), 0.1234, 0.1234),
        (Scale(1), 1.7, 1.0),
    ],
)
def test_what_is_judged_is_what_a_file_would_hold(scale, x, expected):
    assert float(quantised(torch.full((1, 1, 1, 1), x), scale)) == pytest.approx(expected, abs=1e-6)


# Of every kind


def test_deep_pictures_of_many_channels_are_judged(tmp_path):
    (tmp_path / "data").mkdir()
    for i in range(12):
        values = np.random.default_rng(i).integers(0, 4096, (16, 16, 5), dtype=np.uint16)
        np.save(tmp_path / "data" / f"{i}.npy", values)
    run = ganvas.train("dcgan", data=tmp_path / "data", out=tmp_path / "run", **TINY)
    results = ganvas.evaluate(run, count=12, quiet=True)
    assert {r.provenance["quantisation"] for r in results} == {"uint16"}
    assert len(results) == 8


def test_pairs_are_judged_as_pairs(tmp_path, tiny_settings, capsys):
    data = write(tmp_path / "data", "train", "test", size=(32, 64, 3))
    settings = tiny_settings | {"n_downs": 5, "load_size": 32, "direction": "BtoA", "quiet": True}
    del settings["n_blocks"]
    run = ganvas.train("pix2pix", data=data, out=tmp_path / "run", **settings)
    results = found(ganvas.evaluate(run, extractor="random"))
    assert list(results) == ["l1", "psnr", "ssim", "fd", "kd", "swd"]
    assert {r.direction for r in results.values()} == {"BtoA"}
    said = capsys.readouterr().out
    assert "lpips: left out" in said
    assert "vgg16" in said


def test_styles_have_paths_in_w(tmp_path):
    data = write(tmp_path / "data", "")
    tiny: dict[str, Any] = {"nz": 8, "nw": 8, "mapping_fmaps": 8, "mapping_layers": 2}
    tiny |= {"fmap_base": 32, "fmap_max": 8, "size": 16, "duration": "8it", "batch_size": 2}
    tiny["preset"] = "tiny"
    tiny |= {name: TINY[name] for name in ("tensorboard", "device", "threads", "quiet")}
    run = ganvas.train("stylegan", data=data, out=tmp_path / "run", **tiny)
    wanted = ["pl-wfull", "pl-wend", "pl-zfull", "swd"]
    given = {"extractor": "random", "metrics": wanted, "count": 8, "quiet": True}
    results = ganvas.evaluate(run, truncation=0.5, **given)
    assert [r.key for r in results] == wanted
    assert all(r.value > 0 for r in results)
    assert [r.provenance["truncation"] for r in results] == [None, None, None, 0.5]
    assert [r.provenance["quantisation"] for r in results] == ["none", "none", "none", "uint8"]


# A judge that is asked again


def test_a_judge_reads_real_pictures_once_and_follows_the_method(judged, monkeypatch):
    judge = Judge(judged, None, options())
    first = judge(judged)
    monkeypatch.setattr(Reader, "rows", lambda *a: pytest.fail("reads the real pictures again"))
    again = judge(judged)
    assert [r.value for r in first] == [r.value for r in again]
    with torch.no_grad():
        for weight in judged.parameters():
            weight.mul_(-2)
    assert found(judge(judged))["fd"].value != found(first)["fd"].value


def test_judging_leaves_training_as_it_is(judged):
    judged.train()
    before, generator = [p.clone() for p in judged.state_dict().values()], torch.get_rng_state()
    Judge(judged, None, options(extractor="own"))(judged)
    assert judged.training
    after = judged.state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert torch.equal(generator, torch.get_rng_state())


def test_slow_extractors_see_the_real_pictures_once_for_all_judges(judged, monkeypatch):
    from ganvas.evaluation import choosing
    from ganvas.evaluation.extractors import random_extractor

    seen: list[int] = []

    def slow(*given: Any) -> Any:
        extractor = random_extractor(3, (16, 16), 5)

        class Slow:
            slow, name, about = True, extractor.name, extractor.about

            def __call__(self, x: Tensor) -> Any:
                seen.append(len(x))
                return extractor(x)

        return Slow()

    monkeypatch.setattr(choosing, "random_extractor", slow)
    values = [evaluate(judged, options=options(metrics=["fd"]))[0].value for _ in range(2)]
    assert values[0] == values[1]
    assert sum(seen) == 24 * 3


# Names and provenance


def test_every_result_says_where_it_comes_from(judged):
    for result in evaluate(judged, options=options(), about={"snapshot": "latest", "images": 8}):
        o = result.provenance
        assert (o["snapshot"], o["images"], o["split"]) == ("latest", 8, "train")
        assert (o["real"], o["fake"], o["seed"], o["mirror"]) == (24, 24, 0, False)
        assert o["weights"] == "as trained"
        assert o["preparation"] == "center_crop 16x16"
        assert o["quantisation"] == "uint8"
        assert len(o["data"]["fingerprint"]) == 64
        assert set(o["versions"]) == {"ganvas", "torch", "python"}
        looks = METRICS[result.key].by
        assert bool(looks) == ("random@seed0" in result.metric)
        assert bool(looks) == (o["extractor"] is not None)
        if looks:
            assert len(o["extractor"]["sha256"]) == 64
            assert "32x32" in o["extractor"]["resize"]
        assert not result.metric.startswith(("FID", "KID"))
        json.dumps(result.row(), allow_nan=False)


def test_too_few_pictures_are_said(judged):
    results = found(evaluate(judged, options=options()))
    assert any("singular" in note for note in results["fd"].notes)
    assert all(any("24 pictures only" in n for n in r.notes) for r in results.values())
    assert all(any("trained on" in n for n in r.notes) for r in results.values())


def test_other_seeds_make_other_pictures(judged):
    zero, again, one = (
        evaluate(judged, options=options(metrics=["fd"], seed=seed))[0].value for seed in (0, 0, 1)
    )
    assert zero == again != one


def test_averaged_weights_are_said(tmp_path, run):
    data = load(run).config.data
    averaged = ganvas.train("dcgan", data=data, out=tmp_path / "run", ema="1kimg", **TINY)
    result = ganvas.evaluate(averaged, metrics=["swd"], extractor="random", count=8, quiet=True)
    assert result[0].provenance["weights"] == "average"


# The data


def write(folder: Path, *parts: str, count: int = 6, size: tuple[int, ...] = (16, 16, 3)) -> Path:
    for n, part in enumerate(parts):
        (folder / part).mkdir(parents=True)
        for i in range(count):
            noise(50 * n + i, *size).save(folder / part / f"{i}.png")
    return folder


def test_held_out_pictures_are_taken_where_there_are_such(judged, tmp_path):
    data = write(tmp_path / "data", "train/x", "train/y", "val/x", "test/x", "test/y")
    config = method_class("dcgan").Config.from_mapping({"data": str(data), "size": 16})
    splits = open_splits(config, "pictures")
    assert list(splits.all) == ["test", "val", "train"]
    assert sorted(splits.get().labels) == ["x"] * 6 + ["y"] * 6
    assert splits.get("val").labels == []
    result = evaluate(judged, data=str(data), options=options(metrics=["swd"]))[0]
    assert result.provenance["split"] == "test"
    with pytest.raises(InputError, match="--split other"):
        splits.get("other")


def test_pairs_stay_together_in_their_order_of_chance(tmp_path):
    data = write(tmp_path / "data", "train", "test", size=(8, 16, 3))
    config = method_class("pix2pix").Config.from_mapping({"data": str(data)})
    split = open_splits(config, "paired").get()
    names = [[entry.name for entry in split.entries[domain]] for domain in "AB"]
    assert names[0] == names[1] != sorted(names[0])


def test_as_many_unreadable_pictures_as_the_run_allows_are_left_out(judged, tmp_path):
    data = write(tmp_path / "data", "")
    (data / "3.png").write_bytes(b"torn")
    with pytest.raises(InputError, match=r"3\.png"):
        evaluate(judged, data=str(data), options=options(metrics=["swd"]))
    judged.config.max_bad = 1
    result = evaluate(judged, data=str(data), options=options(metrics=["swd"]))[0]
    assert result.provenance["real"] == 5
    assert "3.png" in result.provenance["skipped"][0]


# The command


def test_the_command_prints_a_table_and_adds_lines_to_the_run(run, tmp_path, capsys):
    here = Path(shutil.copytree(run, tmp_path / "run"))
    assert main(["evaluate", str(here), *shlex.split(f"--count 24 {QUICK}")]) == 0
    said = capsys.readouterr().out
    assert "FD-random@seed0" in said
    assert "lower is better" in said
    assert "weights:    latest at 0.008 kimg" in said
    assert "--inception" in said
    rows = read(here / "metrics.jsonl")
    assert [row["key"] for row in rows] == [
        *("fd", "kd", "precision", "recall", "density", "coverage", "swd", "ms-ssim")
    ]
    assert rows[1]["error"] > 0
    assert rows[0]["images"] == 8
    more = f"--metrics swd --count 8 {QUICK} --json {tmp_path / 'found.json'}"
    assert main(["evaluate", str(here / "snapshots" / "latest"), *shlex.split(more)]) == 0
    assert len(read(here / "metrics.jsonl")) == 9
    assert json.loads((tmp_path / "found.json").read_text())[0]["key"] == "swd"
    assert main(["report", str(here)]) == 0
    assert "FD-random@seed0" in (here / "report.html").read_text()


def test_a_translator_is_judged_in_all_directions_that_it_has_learnt(tiny_run_copy, capsys):
    assert main(["evaluate", str(tiny_run_copy), *shlex.split(f"--metrics swd,cycle {QUICK}")]) == 0
    rows = read(tiny_run_copy / "metrics.jsonl")
    assert [(r["direction"], r["key"]) for r in rows] == [
        ("AtoB", "swd"),
        ("AtoB", "cycle"),
        ("BtoA", "swd"),
        ("BtoA", "cycle"),
    ]
    assert rows[0]["provenance"]["split"] == "test"
    one = f"--metrics identity --direction BtoA {QUICK}"
    assert main(["evaluate", str(tiny_run_copy), *shlex.split(one)]) == 0
    assert [r["direction"] for r in read(tiny_run_copy / "metrics.jsonl")[4:]] == ["BtoA"]


WRONG = {
    "--metrics presicion": "did you mean 'precision'",
    "--metrics fid": "--inception",
    "--metrics ppl-zfull": "vgg16-397923af.pth",
    "--metrics pl-wend": "take pl-zend",
    "--metrics ssim": "is for what translates",
    "--metrics ,": "there is no such metric",
    "--inception nowhere.pth": "there is no such file",
    "--extractor rnadom": "did you mean 'random'",
    "--extractor inception": "--inception",
    "--count 3": "at least 4",
    "--count 4.5": "whole number",
    "--seed -1": "--seed",
    "--direction AtoB": "makes pictures from noise",
    "--split test": "--split test",
    "--data nowhere": "no such folder",
    "--truncation 0.5": "has none",
    "--metrics density --count 5 --extractor random": "more than 5 pictures",
    "--paired": "is for what translates",
}


@pytest.mark.parametrize("given", WRONG)
def test_what_cannot_be_is_said_in_a_sentence(given, run, capsys):
    before = read(run / "metrics.jsonl")
    assert main(["evaluate", str(run), *shlex.split(given)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("ganvas: ")
    assert WRONG[given] in said
    assert "Traceback" not in said
    assert read(run / "metrics.jsonl") == before


def test_what_so_few_pictures_cannot_tell_is_left_out_and_said(tiny_run_copy, capsys):
    assert main(["evaluate", str(tiny_run_copy), *shlex.split(QUICK)]) == 0
    rows = read(tiny_run_copy / "metrics.jsonl")
    assert [row["key"] for row in rows] == ["fd", "swd", "cycle", "identity"] * 2
    assert "kd: left out, for a kernel distance wants at least 4" in capsys.readouterr().out


def test_pairs_are_not_guessed_at(tiny_run, capsys):
    assert main(["evaluate", str(tiny_run), "--metrics", "ssim"]) == 2
    assert "--paired" in capsys.readouterr().err


def test_python_names_options_that_it_does_not_know(run):
    with pytest.raises(InputError, match="did you mean 'metrics'"):
        ganvas.evaluate(run, metric=["fd"])
