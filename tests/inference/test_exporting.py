"""Networks for use without ganvas: `ganvas export`, and that the files compute what runs do."""

import json
import logging
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from making import noise
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

import ganvas
from ganvas.cli import main
from ganvas.clock import Clock
from ganvas.errors import InputError
from ganvas.inference.exported import extension, networks_in_use
from ganvas.inference.load import load
from ganvas.methods import method_class
from ganvas.methods.generator import Generator
from ganvas.methods.translator import pad_to, padded
from ganvas.networks.norms import BatchNorm2d
from ganvas.networks.resnet import ResnetGenerator
from ganvas.networks.stylegan import Leveled
from ganvas.runs.describe import describe_model
from ganvas.runs.directory import Run
from ganvas.runs.snapshots import write_latest
from ganvas.scales import Scale

Answer = Callable[..., Tensor]
SMALL = {"size": 32, "ngf": 4, "ndf": 4}
STYLES = {"size": 32, "fmap_max": 8, "nz": 8, "nw": 8, "mapping_layers": 2, "mapping_fmaps": 8}
KINDS: dict[str, tuple[str, dict[str, Any], dict[str, int]]] = {
    "resnet": ("cyclegan", {"n_blocks": 1, "lambda_identity": 0}, {"A": 1, "B": 3}),
    "plain resnet": ("cyclegan", {"n_blocks": 1, "norm": "none"}, {"A": 3, "B": 3}),
    "unet by itself": ("pix2pix", {"n_downs": 5, "direction": "BtoA"}, {"A": 3, "B": 3}),
    "unet by the training": ("pix2pix", {"n_downs": 5, "batch_size": 2}, {"A": 3, "B": 3}),
    "latents": ("dcgan", {"nz": 5, "size": "31x17", "ema": "1kimg"}, {"pictures": 1}),
    "styles": ("stylegan", STYLES | {"ema": "1kimg"}, {"pictures": 3}),
    "styles of a fade": (
        "stylegan",
        STYLES | {"size": "20x12", "conditional": True, "ema": None},
        {"pictures": 1},
    ),
    "styles added up": ("stylegan", STYLES | {"structure": "skip"}, {"pictures": 3}),
    "residual blocks": (
        "r3gan",
        {"widths": "8,8,4", "cardinality": 2, "nz": 5, "size": "20x12", "ema": "1kimg"},
        {"pictures": 1},
    ),
    "residual blocks and classes": (
        "r3gan",
        {"widths": "8", "cardinality": 4, "nz": 5, "size": 16, "conditional": True},
        {"pictures": 3},
    ),
    "classes": ("dcgan", {"nz": 5, "conditional": True}, {"pictures": 3}),
}
UNBOUNDED = [kind for kind, (name, *_) in KINDS.items() if name in ("stylegan", "r3gan")]
"""Whose networks may answer beyond [-1, 1]."""
BOTH = ("onnx", "torch")
ENDING = {"onnx": ".onnx", "torch": ".pt2"}


def snapshot_of(kind: str, folder: Path) -> Path:
    """A snapshot of such networks, with weights and running statistics by chance."""
    name, changes, channels = KINDS[kind]
    cls = method_class(name)
    torch.manual_seed(0)
    whole = changes if name in ("stylegan", "r3gan") else SMALL | changes
    method = cls(cls.Config.from_mapping(whole), channels, ("cat", "dog", "emu"))
    for key, parameter in method.named_parameters():
        if name == "r3gan":
            # Blocks begin as the identity: these do something.
            parameter.data.add_(torch.randn_like(parameter) * 0.1)
            parameter.data.mul_(1.5 if "to_rgb" in key else 1)
        elif name == "stylegan":
            # Noise counts, and most of a picture is within [-1, 1], as behind a training.
            parameter.data.add_(torch.randn_like(parameter) * ("noise_weight" in key))
            parameter.data.mul_(0.2 if "to_rgb" in key else 1)
        else:
            parameter.data.mul_(4)
    for layer in method.modules():
        if isinstance(layer, Leveled):
            layer.set_lod(1.5 if kind == "styles of a fade" else 0)
        if isinstance(layer, BatchNorm2d):
            layer.get_buffer("running_mean").normal_(0, 0.1)
            layer.get_buffer("running_var").uniform_(0.5, 2)
    description = describe_model(method, Clock(10, 25, 25, 90.0))
    return write_latest(Run(folder), method.state_dict(), description, {})


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("snapshots")
    return {kind: snapshot_of(kind, folder / kind.replace(" ", "-")) for kind in KINDS}


@pytest.fixture(scope="module")
def files(snapshots, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """The file of a kind of networks in a format, written when first asked for."""
    folder = tmp_path_factory.mktemp("exported")

    def file(kind: str, format: str) -> Path:
        path = folder / f"{kind}{ENDING[format]}"
        if not path.exists():
            command = ["export", str(snapshots[kind]), "--format", format, "--out", str(path)]
            assert main(command) == 0
        return path

    return file


def answer_of(path: Path) -> Answer:
    """What the file computes, by the runtime that it is for."""
    if path.suffix == ".pt2":
        return torch.export.load(path).module()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return lambda *inputs: torch.from_numpy(
        session.run(None, dict(zip(names, (x.numpy() for x in inputs), strict=True)))[0]
    )


def values(seed: int, *shape: int) -> Tensor:
    """Pictures as in files: whole numbers from 0 to 255, float32."""
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape)).float()


def in_files(x: Tensor) -> Tensor:
    return (x + 1) * 127.5


# What the files compute


@pytest.mark.parametrize(
    ("kind", "direction", "format"),
    [
        ("resnet", "AtoB", "onnx"),
        ("resnet", "AtoB", "torch"),
        ("unet by itself", "BtoA", "onnx"),
        ("unet by itself", "BtoA", "torch"),
        ("unet by the training", "AtoB", "onnx"),
    ],
)
def test_a_file_translates_any_size_as_the_run_does(kind, direction, format, files, snapshots):
    method, answer = load(snapshots[kind], "cpu"), answer_of(files(kind, format))
    for n, shape in enumerate([(1, 32, 32), (2, 33, 47), (3, 64, 20), (1, 17, 9)]):
        pictures = values(n, shape[0], method.channels[direction[0]], *shape[1:])
        expected = in_files(method.translate(pictures / 127.5 - 1, direction))
        assert expected.std() > 5
        torch.testing.assert_close(answer(pictures), expected, atol=0.05, rtol=0)


@pytest.mark.parametrize("format", BOTH)
def test_a_file_extends_and_cuts_as_the_run_does(format, files, snapshots):
    method, answer = (
        load(snapshots["plain resnet"], "cpu"),
        answer_of(files("plain resnet", format)),
    )

    @settings(max_examples=25)
    @given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40))
    def same(count, height, width):
        pictures = values(height, count, 3, height, width)
        expected = in_files(method.translate(pictures / 127.5 - 1))
        torch.testing.assert_close(answer(pictures), expected, atol=0.001, rtol=0)

    same()


@pytest.mark.parametrize("format", BOTH)
def test_a_file_makes_the_pictures_of_latents_and_classes(format, files, snapshots):
    for kind in ("latents", "classes"):
        method, answer = load(snapshots[kind], "cpu"), answer_of(files(kind, format))
        assert isinstance(method, Generator)
        for seeds in (range(1), range(4, 9)):
            z, labels = method.latents(seeds), method.labels(list(seeds))
            made = answer(z) if labels is None else answer(z, labels)
            expected = in_files(method.render(z, labels))
            torch.testing.assert_close(made, expected, atol=0.001, rtol=0)


@pytest.mark.parametrize("format", BOTH)
@pytest.mark.parametrize("kind", UNBOUNDED)
def test_a_file_makes_pictures_of_the_full_size_within_their_type(kind, format, files, snapshots):
    """Also of a run that still grows; and where the network answers beyond [-1, 1]."""
    method, answer = load(snapshots[kind], "cpu"), answer_of(files(kind, format))
    assert isinstance(method, Generator)
    for seeds in (range(1), range(4, 9)):
        z, labels = method.latents(seeds), method.labels(list(seeds))
        made = answer(z) if labels is None else answer(z, labels)
        x = in_files(method.render(z, labels))
        assert made.shape[2:] == method.config.width_height[::-1]
        within = float(((x > 0) & (x < 255)).float().mean())
        assert within > 0.3
        assert within < 1 or kind == "styles of a fade"
        torch.testing.assert_close(made, x.clamp(0, 255), atol=0.02, rtol=0)


@given(st.integers(1, 100), st.sampled_from([(1, 1), (4, 8), (32, 32), (6, 9)]))
def test_rows_are_those_that_padding_makes(length, network):
    stride, smallest = network
    x = torch.arange(float(length)).reshape(1, 1, 1, length)
    extended = pad_to(x, 1, padded(length, stride, smallest))
    rows = extension(length, stride, smallest, torch.device("cpu"))
    assert torch.equal(x.index_select(3, rows), extended)


def test_the_code_in_the_docs_does_what_the_run_does(files, snapshots, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for format in BOTH:
        shutil.copy(files("plain resnet", format), f"zebras{ENDING[format]}")
    noise(0, 20, 30, 3).save("horse.jpg")
    text = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
    by_onnx, by_torch, *_ = (part.split("```")[0] for part in text.split("```python")[1:])
    found: dict[str, Any] = {}
    exec(by_onnx + by_torch, found)
    with Image.open("horse.jpg") as horse, Image.open("zebra.png") as zebra:
        expected = np.asarray(load(snapshots["plain resnet"], "cpu").translate(horse)).astype(int)
        assert abs(np.asarray(zebra) - expected).max() <= 1
    assert abs(found["made"][0].permute(1, 2, 0).numpy() - expected).max() <= 1


# What the files say


def test_an_onnx_file_is_valid_and_says_what_it_is(files):
    model = onnx.load(files("resnet", "onnx"))
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(files("resnet", "onnx"))
    (taken,), (given_back,) = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.shape) == ("pictures", ["batch", 1, "height", "width"])
    assert (given_back.name, given_back.shape) == ("translated", ["batch", 3, "height", "width"])
    said = session.get_modelmeta().custom_metadata_map
    assert (said.pop("method"), said.pop("direction")) == ("cyclegan", "AtoB")
    assert said.pop("ganvas")
    assert {name: json.loads(text) for name, text in said.items()} == {
        "channels": {"A": 1, "B": 3},
        "low": {"A": [0], "B": [0, 0, 0]},
        "high": {"A": [255], "B": [255, 255, 255]},
        "dtype": {"A": "uint8", "B": "uint8"},
        "space": {"A": "", "B": ""},
        "stride": 4,
    }


def test_a_generators_file_says_its_classes(files):
    session = onnxruntime.InferenceSession(files("classes", "onnx"))
    shapes = {value.name: value.shape for value in session.get_inputs()}
    assert shapes == {"z": ["batch", 5], "labels": ["batch"]}
    said = session.get_modelmeta().custom_metadata_map
    assert json.loads(said["classes"]) == ["cat", "dog", "emu"]


def test_a_program_needs_no_ganvas_and_says_what_it_is(files, monkeypatch):
    path, about = files("unet by itself", "torch"), {"ganvas.json": ""}
    for module in [name for name in sys.modules if name.split(".")[0] == "ganvas"]:
        monkeypatch.setitem(sys.modules, module, None)
    program = torch.export.load(path, extra_files=about).module()
    assert program(values(0, 2, 3, 40, 50)).shape == (2, 3, 40, 50)
    assert json.loads(about["ganvas.json"])["direction"] == "BtoA"


@pytest.mark.parametrize("format", BOTH)
@pytest.mark.parametrize("kind", ["resnet", "latents", "styles"])
def test_a_file_holds_only_what_is_used_and_no_path_of_this_machine(kind, format, files, snapshots):
    path = files(kind, format)
    if format == "torch":
        with zipfile.ZipFile(path) as archive:
            content = b"".join(archive.read(name) for name in archive.namelist())
    else:
        content = path.read_bytes()
    for place in (ganvas.__file__, torch.__file__, str(snapshots[kind])):
        assert str(Path(place).parent).encode() not in content
    assert (b"averages" in content) == (kind in ("latents", "styles"))
    assert not any(name in content for name in (b"D.main", b"D_A", b"G_B", b"from_rgb"))


# Weights and the card


@pytest.fixture(scope="module")
def card(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run's weights."""
    folder = tmp_path_factory.mktemp("hub") / "tiny"
    assert main(["export", str(tiny_run), "--format", "safetensors", "--out", str(folder)]) == 0
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_weights_bear_the_published_keys_one_file_a_network(card, tiny_run):
    weights = {"G_A.safetensors", "G_B.safetensors"}
    assert names(card) == weights | {"README.md", "config.json", "samples.png"}
    method = load(tiny_run, "cpu")
    for name in ("G_A", "G_B"):
        published = ResnetGenerator(3, 3, 4, 1).state_dict().keys()
        found = load_file(card / f"{name}.safetensors")
        assert found.keys() == published
        for key, tensor in method.get_submodule(name).state_dict().items():
            assert torch.equal(found[key], tensor)


def test_the_card_says_what_the_run_says_and_leaves_the_licence_to_the_user(card, tiny_run):
    text = (card / "README.md").read_text()
    record = Run(tiny_run).record
    for digest in record["provenance"]["data_fingerprint"].values():
        assert digest in text
    assert "6 in trainA" in text
    assert "`--n-blocks 1`" in text
    assert "| pictures shown | 2 " in text
    head = text.split("---")[1].splitlines()
    assert "pipeline_tag: image-to-image" in head
    assert not [line for line in head if line.startswith("license:")]
    assert "Not stated." in text.split("## Licence")[1]
    assert "FID" not in text


def test_no_file_of_the_folder_says_where_the_data_lay(card, tiny_run):
    for path in card.iterdir():
        assert str(tiny_run.parent).encode() not in path.read_bytes()


def test_what_a_training_began_with_is_on_the_card_without_its_place(tiny_run, tmp_path):
    settings = {"device": "cpu", "duration": "1it", "tensorboard": False, "quiet": True}
    data = Run(tiny_run).record["settings"]["data"]
    run = ganvas.train("cyclegan", data=data, out=tmp_path / "new", init=tiny_run, **settings)
    done = ganvas.export(run, out=tmp_path / "hub", format="safetensors")
    text = (done.path / "README.md").read_text()
    (file,) = run.record["provenance"]["init"]["files"].values()
    assert f"| begun with | `model.safetensors`, SHA-256 `{file}` |" in text
    for path in done.path.iterdir():
        assert str(tiny_run).encode() not in path.read_bytes()


def test_the_folder_shows_the_newest_preview(card, tiny_run):
    newest = max((tiny_run / "samples").iterdir())
    assert (card / "samples.png").read_bytes() == newest.read_bytes()


def test_the_code_on_the_card_does_what_the_run_does(card, tiny_run, tmp_path, monkeypatch):
    here = Path(shutil.copytree(card, tmp_path / "here"))
    picture = noise(0, 20, 30, 3)
    picture.save(here / "picture.png")
    monkeypatch.chdir(here)
    exec((here / "README.md").read_text().split("```python")[1].split("```")[0], {})
    method = load(tiny_run, "cpu")
    for direction in ("AtoB", "BtoA"):
        with Image.open(here / f"{direction}.png") as made:
            expected = np.asarray(method.translate(picture, direction))
            assert np.array_equal(np.asarray(made), expected)


@pytest.mark.parametrize("kind", ["latents", "styles"])
def test_the_code_on_a_generators_card_does_what_the_run_does(
    kind, snapshots, tmp_path, monkeypatch
):
    done = ganvas.export(snapshots[kind], out=tmp_path / "hub", format="safetensors")
    assert names(done.path) == {"G.safetensors", "README.md", "config.json"}
    monkeypatch.chdir(done.path)
    text = Path("README.md").read_text()
    assert "| averages |" in text
    assert ("those of the published code" in text) == (kind == "latents")
    exec(text.split("```python")[1].split("```")[0], {})
    with Image.open("seed0000.png") as made:
        method = load(snapshots[kind], "cpu")
        assert isinstance(method, Generator)
        expected = method.generate([0])[0]
        assert np.array_equal(np.asarray(made), np.asarray(expected))


def test_an_earlier_snapshot_shows_the_preview_of_its_time(tiny_run_copy, tmp_path):
    early = tiny_run_copy / "snapshots" / "000000.001kimg"
    ganvas.export(early, out=tmp_path / "hub", format="safetensors")
    of_its_time = tiny_run_copy / "samples" / "000000.001kimg.png"
    assert (tmp_path / "hub" / "samples.png").read_bytes() == of_its_time.read_bytes()


def test_one_direction_alone_is_one_network(tiny_run, tmp_path):
    done = ganvas.export(
        Run(tiny_run), out=tmp_path / "hub", format="safetensors", direction="BtoA"
    )
    assert done.directions == ("BtoA",)
    assert {path.stem for path in done.path.glob("*.safetensors")} == {"G_B"}


def test_only_networks_that_make_pictures_are_in_use(snapshots):
    method = load(snapshots["latents"], "cpu")
    assert isinstance(method, Generator)
    assert networks_in_use(method) == {"G": method.averages["G"]}


# The command


def test_the_command_says_what_it_wrote_and_checked_and_nothing_else(
    snapshots, tmp_path, capfd: pytest.CaptureFixture[str]
):
    out = tmp_path / "new" / "translator.onnx"
    assert main(["export", str(snapshots["plain resnet"]), "--out", str(out)]) == 0
    said = capfd.readouterr()
    assert said.err == ""
    assert said.out.startswith(f"{out}: 0.")
    assert " MB, AtoB\nchecked against PyTorch with 1x3x32x32, 3x3x33x31, " in said.out
    assert names(out.parent) == {"translator.onnx"}
    assert logging.root.manager.disable == logging.NOTSET


@pytest.mark.parametrize("format", BOTH)
def test_what_computes_something_else_is_refused_and_not_left(
    format, snapshots, tmp_path, monkeypatch, capsys
):
    def edges(length, stride, smallest, device):
        size = (length + stride - 1) // stride * stride
        return torch.arange(size, device=device).clamp(max=length - 1)

    monkeypatch.setattr("ganvas.inference.exported.extension", edges)
    out = tmp_path / f"wrong{ENDING[format]}"
    command = ["export", str(snapshots["plain resnet"]), "--format", format, "--out", str(out)]
    assert main(command) == 2
    assert "is not written, since its network answers otherwise" in capsys.readouterr().err
    assert not names(tmp_path)


def test_an_exporters_error_comes_through_and_nothing_is_left(snapshots, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("no such operator")

    monkeypatch.setattr("torch.export.export", fail)
    with pytest.raises(RuntimeError, match="no such operator"):
        ganvas.export(snapshots["resnet"], out=tmp_path / "x.pt2", format="torch")
    assert not names(tmp_path)


def test_weights_that_have_diverged_are_refused(snapshots, tmp_path):
    method = load(snapshots["latents"], "cpu")
    for parameter in method.averages.parameters():
        parameter.fill_(torch.nan)
    description = describe_model(method, Clock(10, 25, 25, 90.0))
    place = write_latest(Run(tmp_path / "run"), method.state_dict(), description, {})
    with pytest.raises(InputError, match="its training has diverged"):
        ganvas.export(place, out=tmp_path / "x.pt2", format="torch")
    assert names(tmp_path) == {"run"}


WRONG = {
    "there.onnx": "--out there.onnx: exists and is not overwritten",
    "full --format safetensors": "--out full: exists and is not overwritten",
    "there.onnx --format safetensors": "--out there.onnx: exists and is not overwritten",
    "new.bin": "--out new.bin: wants a name that ends in .onnx",
    "new.onnx --format torch": "--out new.onnx: wants a name that ends in .pt2",
    "there.onnx/new.onnx": "--out there.onnx/new.onnx: cannot be written",
    "new.onnx --direction AtoB": "--direction AtoB: dcgan makes pictures from noise",
}


@pytest.mark.parametrize("options", WRONG)
def test_a_wrong_call_is_said_in_one_sentence_and_writes_nothing(
    options, snapshots, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("there.onnx").write_bytes(b"there")
    Path("full").mkdir()
    Path("full/file").write_bytes(b"there")
    out, *more = options.split()
    assert main(["export", str(snapshots["latents"]), "--out", out, *more]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"ganvas: {WRONG[options]}")
    assert said.count("\n") == 1
    assert names(Path()) == {"there.onnx", "full"}
    assert Path("there.onnx").read_bytes() == b"there"


def test_a_direction_that_was_not_learnt_is_said(snapshots, tmp_path):
    with pytest.raises(InputError, match="this run has learnt BtoA only"):
        ganvas.export(snapshots["unet by itself"], out=tmp_path / "x.onnx", direction="AtoB")


def test_without_the_extra_onnx_it_says_how_to_get_it(snapshots, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert main(["export", str(snapshots["latents"]), "--out", str(tmp_path / "x.onnx")]) == 2
    said = capsys.readouterr().err
    assert 'the package onnxscript is not there; pip install "ganvas[onnx]"' in said


def test_an_empty_folder_is_filled(snapshots, tmp_path):
    (tmp_path / "hub").mkdir()
    ganvas.export(snapshots["latents"], out=tmp_path / "hub", format="safetensors")
    assert "G.safetensors" in names(tmp_path / "hub")


@pytest.mark.parametrize("format", BOTH)
def test_deep_pictures_of_many_channels_go_in_and_out_in_their_own_values(format, tmp_path):
    torch.manual_seed(0)
    kind = method_class("cyclegan")
    settings = SMALL | {"n_blocks": 1, "lambda_identity": 0}
    method = kind(kind.Config.from_mapping(settings), {"A": 5, "B": 2})
    method.scales = {
        "A": Scale(5, "uint16", (100.0,) * 5, (4000.0,) * 5),
        "B": Scale(2, "float32", (-1.0, 0.0), (3.0, 7.0)),
    }
    description = describe_model(method, Clock(10, 25, 25, 90.0))
    snapshot = write_latest(Run(tmp_path / "run"), method.state_dict(), description, {})
    file = tmp_path / f"deep{ENDING[format]}"
    ganvas.export(snapshot, out=file, format=format)
    pixels = np.random.default_rng(0).integers(0, 5000, (21, 30, 5)).astype(np.uint16)
    x = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
    answer = answer_of(file)(x)[0].permute(1, 2, 0).numpy()
    wanted = load(snapshot, "cpu").translate(pixels)
    assert wanted.dtype == np.float32
    assert np.abs(answer - wanted).max() < 1e-3


def test_the_card_of_deep_pictures_keeps_their_values(tmp_path, monkeypatch):
    torch.manual_seed(0)
    kind = method_class("cyclegan")
    method = kind(kind.Config.from_mapping(SMALL | {"n_blocks": 1}), {"A": 1, "B": 1})
    method.scales = dict.fromkeys("AB", Scale(1, "uint16", (100.0,), (4000.0,)))
    description = describe_model(method, Clock(10, 25, 25, 90.0))
    snapshot = write_latest(Run(tmp_path / "run"), method.state_dict(), description, {})
    ganvas.export(snapshot, out=tmp_path / "card", format="safetensors")
    monkeypatch.chdir(tmp_path / "card")
    text = Path("README.md").read_text()
    assert "| values of A | uint16; 100 to 4000 become -1 to 1 |" in text
    pixels = np.random.default_rng(0).integers(100, 4000, (32, 32)).astype(np.uint16)
    Image.fromarray(pixels).save("picture.png")
    exec(text.split("```python")[1].split("```")[0], {})
    wanted = load(snapshot, "cpu").translate(pixels)
    assert np.array_equal(np.asarray(Image.open("AtoB.png")), wanted)


def test_the_card_of_imported_weights_claims_no_training(shared, tmp_path):
    files = [shared / "golden" / "cyclegan_lsgan" / f"latest_net_G_{name}.pth" for name in "AB"]
    ganvas.import_weights(files, tmp_path / "run")
    ganvas.export(tmp_path / "run", out=tmp_path / "card", format="safetensors")
    text = (tmp_path / "card" / "README.md").read_text()
    assert "Trained by another project, and imported into ganvas." in text
    assert "| imported as G_A | `latest_net_G_A.pth`, SHA-256 `" in text
    assert "pictures shown" not in text
