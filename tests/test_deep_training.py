"""Training on pictures of every depth and any number of channels, from files to files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import noise

import ganvas
from ganvas.cli import main
from ganvas.config import Settings
from ganvas.data.decode import decode
from ganvas.data.encode import encode
from ganvas.data.opening import open_training_set
from ganvas.errors import InputError
from ganvas.methods.generator import Generator
from ganvas.pictures import Picture
from ganvas.scales import Scale

CHANCE = np.random.default_rng(0)


def fill(folder: Path, suffix: str, channels: int, low: float, high: float, dtype: str) -> None:
    """Six pictures of 40x36 with values from low to high, both of which there are."""
    folder.mkdir(parents=True)
    for i in range(6):
        values = CHANCE.uniform(low, high, (36, 40, channels))
        values[0, :, :], values[1, :, :] = low, high
        (folder / f"{i}{suffix}").write_bytes(encode(Picture(values.astype(dtype)), suffix))


@pytest.fixture
def deep_folder(tmp_path: Path) -> Path:
    """A: 16-bit TIFF of 5 channels, from 100 to 4000. B: NPY floats of 2, from -1 to 3."""
    fill(tmp_path / "deep" / "trainA", ".tif", 5, 100, 4000, "uint16")
    fill(tmp_path / "deep" / "trainB", ".npy", 2, -1, 3, "float32")
    return tmp_path / "deep"


def test_unequal_deep_domains_train_and_translate(deep_folder, tiny_settings, tmp_path, capsys):
    settings = tiny_settings | {"lambda_identity": 0, "data": deep_folder, "out": tmp_path / "run"}
    run = ganvas.train("cyclegan", **settings)
    said = capsys.readouterr().out
    assert "trainA: uint16, 5 channels; values 100 to 4000 become -1 to 1" in said
    assert "trainB: float32, 2 channels; values -1 to 3 become -1 to 1" in said
    told = json.loads((run.path / "snapshots/latest/model.json").read_text())["pictures"]
    assert Scale.from_description(told["A"]) == Scale(5, "uint16", (100.0,) * 5, (4000.0,) * 5)
    out = tmp_path / "out"
    assert main(["translate", str(run.path), str(deep_folder / "trainA"), "--out", str(out)]) == 0
    found = decode((out / "0.tif").read_bytes(), "x")
    assert (found.dtype, found.values.shape) == (np.float32, (36, 40, 2))
    assert -1 <= found.values.min() < found.values.max() <= 3
    back = tmp_path / "back"
    assert (
        main(["translate", str(run.path), str(out), "--out", str(back), "--direction", "BtoA"]) == 0
    )
    found = decode((back / "0.tif").read_bytes(), "x")
    assert (found.dtype, found.values.shape) == (np.uint16, (36, 40, 5))
    assert 100 <= found.values.min() < found.values.max() <= 4000


@pytest.mark.parametrize("size", [32, 40])
def test_16_bits_may_go_by_the_ends_of_their_type(deep_folder, tiny_settings, tmp_path, size):
    fill(tmp_path / "folder", ".tif", 3, 0, 65535, "uint16")
    settings = tiny_settings | {"range": "type", "size": size, "load_size": size}
    for name in ("n_blocks", "pool_size", "n_layers", "lambda_identity"):
        settings.pop(name, None)
    run = ganvas.train(
        "dcgan", quiet=True, **settings, data=tmp_path / "folder", out=tmp_path / "r"
    )
    method = ganvas.load(run)
    assert isinstance(method, Generator)
    assert method.scales["pictures"].by_type
    assert method.generate_arrays([0])[0].dtype == np.uint16


def test_the_identity_loss_says_that_it_wants_equal_channels(deep_folder, tiny_settings, tmp_path):
    with pytest.raises(InputError, match=r"^--lambda-identity 0.5: .*A has 5 and B has 2; set it"):
        ganvas.train("cyclegan", quiet=True, **tiny_settings, data=deep_folder)


def test_a_deep_training_resumes_exactly(deep_folder, tiny_settings, tmp_path):
    settings = tiny_settings | {"lambda_identity": 0, "data": deep_folder}
    whole = ganvas.train("cyclegan", quiet=True, **settings, out=tmp_path / "whole")
    parted = settings | {"duration": "1it", "lr_policy": "constant"}
    run = ganvas.train("cyclegan", quiet=True, **parted, out=tmp_path / "parted")
    run = ganvas.resume(run, quiet=True, duration="2it")
    constant = settings | {"lr_policy": "constant"}
    whole = ganvas.train("cyclegan", quiet=True, **constant, out=tmp_path / "constant")
    files = [r.path / "snapshots/latest/model.safetensors" for r in (run, whole)]
    assert files[0].read_bytes() == files[1].read_bytes()


def opened(folder: Path, **settings: Any):
    given = {"size": 32, "load_size": 32, "flip": False, "data": folder}
    kind = "pictures" if not (folder / "trainA").exists() else "unpaired"
    return open_training_set(kind, Settings.from_mapping(given | settings))


def test_pictures_decoded_each_time_are_those_kept_in_memory(deep_folder):
    kept, anew = (opened(deep_folder, cache=c, load_size=36) for c in ("memory", "none"))
    for k in range(8):
        assert all(kept[k][domain].equal(anew[k][domain]) for domain in "AB")
        assert kept[k]["A"].shape == (5, 32, 32)
        assert kept[k]["A"].abs().max() <= 1


def test_a_generator_learns_satellites_and_writes_them(tmp_path, tiny_settings):
    fill(tmp_path / "bands", ".tif", 12, 0, 10000, "uint16")
    settings = {"size": 16, "ngf": 4, "ndf": 4, "nz": 4, "batch_size": 2, "duration": "2it"}
    run = ganvas.train(
        "dcgan", quiet=True, data=tmp_path / "bands", out=tmp_path / "run", device="cpu", **settings
    )
    method = ganvas.load(run)
    assert isinstance(method, Generator)
    out = tmp_path / "out"
    assert main(["generate", str(run.path), "--seeds", "0-1", "--out", str(out)]) == 0
    found = decode((out / "seed0001.tif").read_bytes(), "x")
    assert np.array_equal(found.values, method.generate_arrays([1])[0])
    assert (found.dtype, found.channels) == (np.uint16, 12)
    arrays = tmp_path / "arrays"
    command = ["generate", str(run.path), "--seeds", "0", "--out", str(arrays)]
    assert main([*command, "--format", "npy"]) == 0
    assert np.load(arrays / "seed0000.npy").shape == (16, 16, 12)
    assert main([*command, "--format", "png"]) == 2


@pytest.mark.parametrize(
    ("alpha", "channels", "value"), [("white", 3, 1), ("black", 3, -1), ("channel", 4, None)]
)
def test_alpha_is_composited_or_learnt_as_asked(tmp_path, alpha, channels, value):
    (tmp_path / "clear").mkdir()
    for i in range(3):
        picture = noise(i, 32, 32, 3)
        if i:
            picture.putalpha(0)
        picture.save(tmp_path / "clear" / f"{i}.png")
    data = opened(tmp_path / "clear", alpha=alpha, serial_batches=True)
    assert data.channels == {"pictures": channels}
    x = data.parts["pictures"].seen[1].pixels
    assert x is not None
    if value is None:
        opaque = data.parts["pictures"].seen[0].pixels
        assert opaque is not None
        assert (int(x[3].max()), int(opaque[3].min())) == (0, 255)
    else:
        assert x.unique().tolist() == [255 if value == 1 else 0]


def test_types_that_differ_within_a_domain_are_refused_by_name(tmp_path):
    fill(tmp_path / "mixed", ".tif", 1, 0, 255, "uint8")
    odd = np.zeros((36, 40, 1), np.uint16)
    (tmp_path / "mixed" / "odd.tif").write_bytes(encode(Picture(odd), ".tif"))
    with pytest.raises(InputError, match=r"most pictures are uint8, but 1 of 7 is uint16 \(odd"):
        opened(tmp_path / "mixed")


def test_channels_that_differ_within_a_domain_are_refused_by_name(tmp_path):
    fill(tmp_path / "mixed", ".tif", 5, 0, 255, "uint8")
    odd = np.zeros((36, 40, 4), np.uint8)
    (tmp_path / "mixed" / "odd.tif").write_bytes(encode(Picture(odd), ".tif"))
    with pytest.raises(InputError, match=r"most pictures have 5 channels, but 1 of 7 has 4 \(odd"):
        opened(tmp_path / "mixed")


def test_a_given_range_is_kept_and_what_lies_beyond_is_cut_off_and_said(tmp_path):
    fill(tmp_path / "scans", ".tif", 1, 0, 5000, "uint16")

    class Ranged(Settings):
        def range_of(self, domain: str) -> str:
            return "0:4095"

    config = Ranged.from_mapping({"data": tmp_path / "scans", "size": 32})
    data = open_training_set("pictures", config)
    assert data.scales["pictures"] == Scale(1, "uint16", (0.0,), (4095.0,))
    assert any("go from 0 to 5000, and those beyond the range given" in n for n in data.notes)


def test_pairs_may_differ_in_depth(tmp_path, tiny_settings):
    fill(tmp_path / "pairs" / "trainA", ".npy", 2, -5, 5, "float64")
    fill(tmp_path / "pairs" / "trainB", ".png", 1, 0, 60000, "uint16")
    settings = {n: v for n, v in tiny_settings.items() if n != "n_blocks"}
    run = ganvas.train(
        "pix2pix",
        quiet=True,
        **settings | {"n_downs": 5, "data": tmp_path / "pairs"},
        out=tmp_path / "run",
    )
    answer = ganvas.load(run).translate(np.zeros((20, 20, 2)))
    assert (answer.dtype, answer.shape) == (np.uint16, (20, 20, 1))


def test_colour_is_learnt_from_lightness(tmp_path, tiny_settings, capsys):
    """Dark is blue and bright is yellow: G need only look at the lightness."""
    (tmp_path / "photos").mkdir()
    for i in range(6):
        values = np.zeros((32, 32, 3), np.uint8)
        values[...] = (20, 30, 160)
        values[(np.indices((32, 32)).sum(0) + 3 * i) % 16 < 8] = (230, 220, 60)
        (tmp_path / "photos" / f"{i}.png").write_bytes(encode(Picture(values), ".png"))
    settings = tiny_settings | {"ngf": 8, "duration": "120it", "generator": "resnet", "lr": 0.002}
    run = ganvas.train(
        "pix2pix",
        colorization=True,
        norm="instance",
        dropout=False,
        **settings,
        data=tmp_path / "photos",
        out=tmp_path / "run",
    )
    assert ganvas.load(run).channels == {"A": 1, "B": 2}
    grey = tmp_path / "grey"
    grey.mkdir()
    truth = decode((tmp_path / "photos" / "2.png").read_bytes(), "x")
    (grey / "2.png").write_bytes(encode(Picture(truth.with_channels(1)), ".png"))
    out = tmp_path / "out"
    assert main(["translate", str(run.path), str(grey), "--out", str(out)]) == 0
    found = decode((out / "2.png").read_bytes(), "x").values.astype(int)
    assert found.shape == (32, 32, 3)
    assert np.abs(found - truth.values).mean() < 30
    blue, yellow = found[truth.values[..., 2] == 160], found[truth.values[..., 2] == 60]
    assert (blue[:, 2] > blue[:, 0]).mean() > 0.9
    assert (yellow[:, 0] > yellow[:, 2]).mean() > 0.9


def test_grey_pictures_teach_no_colour(tmp_path, tiny_settings):
    (tmp_path / "grey").mkdir()
    noise(0, 40, 40).save(tmp_path / "grey" / "0.png")
    with pytest.raises(InputError, match="has 1 channels, but colorization learns from RGB"):
        ganvas.train("pix2pix", quiet=True, colorization=True, data=tmp_path / "grey", size=256)


def test_the_check_tells_depth_and_channels_and_what_to_train(deep_folder, capsys):
    (deep_folder / "trainA" / "odd.tif").write_bytes(
        encode(Picture(np.zeros((36, 40, 5), np.uint8)), ".tif")
    )
    assert main(["data", "check", str(deep_folder)]) == 0
    said = capsys.readouterr().out
    assert "uint16 x 5" in said
    assert "! trainA: most pictures are uint16, but 1 of 7 is uint8 (trainA/odd.tif)" in said
    assert "trainB: float32, 2 channels, values from -1 to 3" in said
    assert "mend what does not go together, as named above, first" in said
    (deep_folder / "trainA" / "odd.tif").unlink()
    assert main(["data", "check", str(deep_folder)]) == 0
    said = capsys.readouterr().out
    assert "--lambda-identity 0: trainA has 5 channels, trainB has 2 channels" in said


def test_grey_with_and_without_alpha_as_a_channel_is_the_same_in_memory_and_decoded(tmp_path):
    (tmp_path / "mixed").mkdir()
    for i in range(4):
        picture = noise(i, 32, 32)
        if i % 2:
            picture.putalpha(noise(9 + i, 32, 32))
        picture.save(tmp_path / "mixed" / f"{i}.png")
    kept, anew = (
        opened(tmp_path / "mixed", alpha="channel", cache=c, serial_batches=True)
        for c in ("memory", "none")
    )
    for k in range(4):
        assert kept[k]["pictures"].equal(anew[k]["pictures"])
    assert kept[0]["pictures"][1].unique().tolist() == [255]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"channels_A": 3}, "--channels-A: is without effect with --colorization"),
        ({"range_A": "0:50"}, "--range-A: is without effect with --colorization"),
        ({"alpha": "black"}, "--alpha: is without effect with --colorization"),
    ],
)
def test_colorization_refuses_what_it_would_not_heed(setting, said):
    with pytest.raises(InputError, match=said):
        ganvas.train("pix2pix", quiet=True, colorization=True, data="nowhere", **setting)


def test_floats_beyond_1_teach_no_colour(tmp_path):
    fill(tmp_path / "floats", ".tif", 3, 0, 255, "float32")
    with pytest.raises(InputError, match="has values from 0 to 255; as colours, floats go from 0"):
        ganvas.train("pix2pix", quiet=True, colorization=True, data=tmp_path / "floats", size=256)


@pytest.mark.parametrize("dtype", ["int32", "float64"])
def test_values_that_float32_blurs_are_refused_by_training_and_check(tmp_path, dtype, capsys):
    fill(tmp_path / "far", ".tif", 1, 10**9, 10**9 + 99, dtype)
    with pytest.raises(InputError, match=r"in which networks compute|compute in float32"):
        opened(tmp_path / "far")
    assert main(["data", "check", str(tmp_path / "far")]) == 0
    assert "float32" in capsys.readouterr().out
