"""`ganvas translate` through a network that changes nothing: every kind of file comes back as the
file it was, to one step of its type."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from making import noise
from PIL import Image

from ganvas.cli import main
from ganvas.data.decode import decode
from ganvas.data.encode import encode
from ganvas.inference.jobs import ending
from ganvas.methods.cyclegan import Config, CycleGAN
from ganvas.networks.resnet import ResnetGenerator
from ganvas.pictures import Picture
from ganvas.scales import Scale

CHANCE = np.random.default_rng(0)


class Same(ResnetGenerator):
    """A perfect translator between equal domains."""

    def forward(self, x):
        return x


@pytest.fixture
def run_of(tiny_run: Path, tmp_path: Path, monkeypatch) -> Callable[[Scale], Path]:
    """A run, of whose domains that is the scale, whose networks change nothing."""

    def make(scale: Scale) -> Path:
        run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
        place = run / "snapshots" / "latest" / "model.json"
        told = json.loads(place.read_text())
        told["channels"] = dict.fromkeys("AB", scale.channels)
        told["pictures"] = dict.fromkeys("AB", scale.described())
        place.write_text(json.dumps(told))
        return run

    # The weights are those of RGB; the networks that use them are not asked.
    monkeypatch.setattr("ganvas.inference.load.load_weights", lambda method, *rest: None)
    monkeypatch.setattr(CycleGAN, "translator", lambda self, direction: Same(1, 1, 4, 1))
    return make


def translated(run: Path, source: Path, out: Path, *options: str) -> Path:
    assert main(["translate", str(run), str(source), "--out", str(out), *options]) == 0
    (found,) = out.iterdir()
    return found


def values_of(dtype: str, channels: int) -> np.ndarray:
    shape = (37, 43, channels)
    if dtype.startswith("float"):
        return (CHANCE.normal(size=shape) * 50).astype(dtype)
    limits = np.iinfo(dtype)
    low, high = max(limits.min, -(2**22)), min(limits.max, 2**22)
    return CHANCE.integers(low, high, shape, dtype=dtype, endpoint=True)


def scale_of(values: np.ndarray) -> Scale:
    low, high = (tuple(map(float, f(values, axis=(0, 1)))) for f in (np.min, np.max))
    return Scale(values.shape[2], str(values.dtype), low, high)


KINDS = [
    *[(".png", dtype, channels) for dtype in ("uint8", "uint16") for channels in (1, 3)],
    *[
        (suffix, dtype, channels)
        for suffix in (".tif", ".npy", ".npz")
        for dtype in ("uint8", "uint16", "int16", "int32", "float16", "float32", "float64")
        for channels in (1, 2, 3, 4, 32)
    ],
    *[(suffix, "uint8", 3) for suffix in (".bmp", ".webp", ".ppm")],
    (".pgm", "uint8", 1),
]


@pytest.mark.parametrize(("suffix", "dtype", "channels"), KINDS)
def test_what_goes_in_comes_out(suffix, dtype, channels, run_of, tmp_path):
    picture = Picture(values_of(dtype, channels))
    source = tmp_path / f"picture{suffix}"
    source.write_bytes(encode(picture, suffix))
    plain = dtype in ("uint8", "uint16")
    run = run_of(Scale(channels) if plain else scale_of(picture.values))
    result = translated(run, source, tmp_path / "out")
    assert result.name == source.name
    found = decode(result.read_bytes(), "found")
    assert found.dtype == picture.dtype
    assert found.values.shape == picture.values.shape
    apart = np.abs(found.values.astype(float) - picture.values.astype(float)).max()
    if picture.dtype.kind == "f":
        reach = np.abs(picture.values).max().astype(float)
        assert apart <= reach * (2**-23 + np.finfo(picture.dtype).eps)
    else:
        assert apart == 0


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_alpha_comes_back_or_is_left_out(dtype, channels, suffix, run_of, tmp_path):
    alpha = values_of(dtype, 1)[:, :, 0]
    alpha[:5] = np.iinfo(dtype).max
    picture = Picture(values_of(dtype, channels), alpha)
    source = tmp_path / f"picture{suffix}"
    source.write_bytes(encode(picture, suffix))
    run = run_of(Scale(channels))
    kept = decode(translated(run, source, tmp_path / "kept").read_bytes(), "kept")
    assert kept.alpha is not None
    assert np.array_equal(kept.alpha, alpha)
    assert np.array_equal(kept.values[:5], picture.values[:5])
    dropped = translated(run, source, tmp_path / "dropped", "--alpha", "drop")
    found = decode(dropped.read_bytes(), "dropped")
    assert found.alpha is None
    assert np.array_equal(found.values, picture.flat())


def test_pages_stay_pages_and_channels_first_stays_first(run_of, tmp_path):
    picture = Picture(values_of("uint16", 5), planes=True)
    run = run_of(Scale(5))
    for suffix in (".tif", ".npy"):
        source = tmp_path / f"picture{suffix}"
        source.write_bytes(encode(picture, suffix))
        found = decode(translated(run, source, tmp_path / f"out{suffix}").read_bytes(), "x")
        assert found.planes
        assert np.array_equal(found.values, picture.values)


@pytest.mark.parametrize("format", ["png", "tif", "npy", "npz"])
def test_the_format_can_be_chosen(format, run_of, tmp_path):
    source = tmp_path / "picture.bmp"
    picture = Picture(values_of("uint8", 3))
    source.write_bytes(encode(picture, ".bmp"))
    result = translated(run_of(Scale(3)), source, tmp_path / "out", "--format", format)
    assert result.name == f"picture.{format}"
    assert np.array_equal(decode(result.read_bytes(), "x").values, picture.values)


def test_values_that_no_training_picture_had_are_cut_off_and_said(run_of, tmp_path, capsys):
    source = tmp_path / "hot.tif"
    values = np.full((20, 20, 1), 100, np.uint16)
    values[0, 0] = 60000
    source.write_bytes(encode(Picture(values), ".tif"))
    run = run_of(Scale(1, "uint16", (0.0,), (4095.0,)))
    found = decode(translated(run, source, tmp_path / "out").read_bytes(), "x")
    assert found.values.max() == 4095
    assert found.values[5, 5] == 100
    said = " ".join(capsys.readouterr().err.split())
    assert "hot.tif: 0.25 % of its values lie outside of 0 to 4095" in said


@pytest.mark.parametrize(
    ("suffix", "scale", "result"),
    [
        (".jpg", Scale(3), ".jpg"),
        (".PNG", Scale(1), ".PNG"),
        (".pgm", Scale(3), ".ppm"),
        (".jpg", Scale(1, "uint16", (0.0,), (9.0,)), ".png"),
        (".png", Scale(3, "float32", (0.0,) * 3, (1.0,) * 3), ".tif"),
        (".jpg", Scale(5), ".tif"),
        (".npz", Scale(5), ".npz"),
    ],
)
def test_a_result_that_its_inputs_format_cannot_hold_gets_the_nearest(suffix, scale, result):
    assert ending(suffix, scale) == result


def test_arrays_of_any_type_pass_in_python():
    class Unchanged(CycleGAN):
        def translator(self, direction):
            return Same(1, 1, 4, 1)

    config = Config.from_mapping({"size": 32, "ngf": 4, "ndf": 4, "n_blocks": 1})
    method = Unchanged(config, {"A": 5, "B": 5}).eval()
    for dtype in ("uint8", "uint16"):
        array = values_of(dtype, 5)
        answer = method.translate(array)
        assert answer.dtype == array.dtype
        assert np.array_equal(answer, array)
    grey = Unchanged(config, {"A": 1, "B": 1}).eval()
    deep = values_of("uint16", 1)[:, :, 0]
    assert np.array_equal(grey.translate(deep), deep)
    picture = grey.translate(Image.fromarray(deep))
    assert isinstance(picture, Image.Image)
    assert np.array_equal(np.asarray(picture), deep)
    clear = values_of("uint16", 2)
    assert np.array_equal(grey.translate(clear)[:, :, 1], clear[:, :, 1])


@pytest.mark.parametrize("source", ["clear.png", "deep.tif"])
def test_tiles_make_the_same_file(source, tiny_run, tmp_path, capsys):
    """Chance stands for a translation: 61x47 is a multiple of nothing."""
    values = CHANCE.integers(0, 65536, (47, 61, 3), dtype=np.uint16)
    alpha = None if source.endswith("tif") else CHANCE.integers(0, 256, (47, 61), dtype=np.uint8)
    picture = Picture(values if alpha is None else (values // 256).astype(np.uint8), alpha)
    (tmp_path / source).write_bytes(encode(picture, Path(source).suffix))
    whole = translated(tiny_run, tmp_path / source, tmp_path / "whole")
    tiles = translated(tiny_run, tmp_path / source, tmp_path / "tiles", "--tile", "16")
    whole, tiles = (decode(path.read_bytes(), "x") for path in (whole, tiles))
    assert whole.values.std() > 0
    step = 1 if alpha is not None else 65535 * 5e-5  # 1e-4 in [-1, 1]
    assert np.abs(whole.values.astype(float) - tiles.values).max() <= step
    if alpha is not None:
        assert tiles.alpha is not None
        assert np.array_equal(tiles.alpha, alpha)


def test_a_picture_that_memory_does_not_hold_goes_in_tiles_unasked(
    tiny_run, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("ganvas.inference.translate.free_memory", lambda: 5e5)
    noise(0, 130, 150, 3).save(tmp_path / "large.png")
    result = translated(tiny_run, tmp_path / "large.png", tmp_path / "out")
    assert "large.png: too large for the memory that is free; in tiles of" in " ".join(
        capsys.readouterr().err.split()
    )
    monkeypatch.undo()
    whole = translated(tiny_run, tmp_path / "large.png", tmp_path / "whole")
    apart = np.asarray(Image.open(result)).astype(int) - np.asarray(Image.open(whole))
    assert np.abs(apart).max() <= 1


def test_what_does_not_fit_is_named_before_anything_is_translated(tiny_run, tmp_path, capsys):
    folder = tmp_path / "mixed"
    folder.mkdir()
    noise(0, 20, 20, 3).save(folder / "a.png")
    for name, channels in (("b.npy", 5), ("c.tif", 3)):
        values = np.zeros((20, 20, channels), np.float32)
        (folder / name).write_bytes(encode(Picture(values), Path(name).suffix))
    out = tmp_path / "out"
    assert main(["translate", str(tiny_run), str(folder), "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert "b.npy: has 5 channels and not 3" in said
    assert "c.tif: values of float32" in said
    assert not out.exists()
    command = ["translate", str(tiny_run), str(folder), "--out", str(out), "--max-bad", "2"]
    assert main(command) == 0
    assert [path.name for path in out.iterdir()] == ["a.png"]


def test_the_depth_of_the_result_can_be_chosen(run_of, tmp_path):
    picture = Picture(values_of("uint16", 3))
    source = tmp_path / "deep.png"
    source.write_bytes(encode(picture, ".png"))
    run = run_of(Scale(3))
    shallow = decode(translated(run, source, tmp_path / "8", "--depth", "8").read_bytes(), "x")
    assert shallow.dtype == np.uint8
    assert np.abs(shallow.values - picture.values / 257).max() <= 0.51
    plain = tmp_path / "plain.jpg"
    noise(0, 20, 20, 3).save(plain)
    deep = translated(run, plain, tmp_path / "16", "--depth", "16")
    assert deep.name == "plain.png"
    assert decode(deep.read_bytes(), "x").dtype == np.uint16


def test_rgb_for_a_grey_deep_run_is_held_against_its_range_too(run_of, tmp_path, capsys):
    source = tmp_path / "bright.tif"
    values = np.full((20, 20, 3), 3000, np.uint16)
    values[:4] = 60000
    source.write_bytes(encode(Picture(values), ".tif"))
    run = run_of(Scale(1, "uint16", (0.0,), (4095.0,)))
    translated(run, source, tmp_path / "out")
    assert "20 % of its values lie outside of 0 to 4095" in " ".join(
        capsys.readouterr().err.split()
    )


def test_values_of_another_kind_are_refused_and_of_another_type_said(run_of, tmp_path, capsys):
    run = run_of(Scale(1, "uint16", (100.0,), (4095.0,)))
    floats = tmp_path / "floats.tif"
    floats.write_bytes(encode(Picture(np.full((20, 20, 1), 0.5, np.float32)), ".tif"))
    assert main(["translate", str(run), str(floats), "--out", str(tmp_path / "out")]) == 2
    assert "floats.tif: 100 % of its values lie outside of 100 to 4095" in capsys.readouterr().err
    bytes_ = tmp_path / "bytes.png"
    bytes_.write_bytes(encode(Picture(np.full((20, 20, 1), 200, np.uint8)), ".png"))
    translated(run, bytes_, tmp_path / "said")
    assert "its values are uint8, and those that the run was trained on uint16" in " ".join(
        capsys.readouterr().err.split()
    )
