"""Pictures into w, w+ and z: `ganvas project`, and what stands behind it."""

import json
import shlex
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import tifffile
import torch
from making import noise
from PIL import Image
from styled_runs import styled_run

import ganvas
from ganvas.cli import main
from ganvas.errors import InputError
from ganvas.inference.distances import lpips_network
from ganvas.inference.generate import generator_of
from ganvas.inference.load import load
from ganvas.inference.project import noise_at, prepared, rate_at
from ganvas.methods.dcgan import DCGAN
from ganvas.methods.dcgan import Config as DCGANConfig
from ganvas.methods.generator import Generator
from ganvas.methods.styled import Styled
from ganvas.pictures import Picture

SIDE = 16


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return styled_run(tmp_path_factory.mktemp("rgb"))


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return styled_run(tmp_path_factory.mktemp("pets"), channels=1, classes=("cats", "dogs"))


@pytest.fixture(scope="module")
def method(run: Path) -> Styled:
    found = load(run, "cpu")
    assert isinstance(found, Styled)
    return found


@pytest.fixture
def face(tmp_path: Path) -> Path:
    noise(5, 20, 30, 3).save(tmp_path / "face.png")
    return tmp_path / "face.png"


def project(run: Path, out: Path, *pictures: Path, options: str = "") -> int:
    given = shlex.split(options)
    steps = [] if "--steps" in given else ["--steps", "3"]
    words = [*map(str, pictures), "--out", str(out), "--device", "cpu", *steps, *given]
    return main(["project", str(run), *words])


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


# What is found


@pytest.mark.parametrize("loss", ["perceptual", "pixel"])
def test_a_picture_of_the_generator_itself_is_found_again(method, loss):
    x = method.generate_tensor([3])[0]
    found = ganvas.project(method, x, loss=loss, steps=150)
    assert found.losses[-1] < found.losses[0] / 100
    assert float((found.tensor - x).abs().mean()) < 0.01
    assert found.code.shape == (1, 6, 8)
    assert (found.code == found.code[:, :1]).all()
    torch.testing.assert_close(method.render_styles(found.code)[0], found.tensor)


def test_w_plus_has_a_style_for_each_layer_and_comes_nearer(method):
    torch.manual_seed(0)
    x = torch.rand(3, SIDE, SIDE) * 2 - 1
    one, each = (ganvas.project(method, x, space=space, steps=150) for space in ("w", "w+"))
    assert (each.code[:, 0] != each.code[:, 1]).any()
    assert each.losses[-1] < one.losses[-1]


def test_a_latent_is_found_where_there_are_no_styles():
    torch.manual_seed(0)
    method = DCGAN(DCGANConfig(size="16", ngf=4, ndf=4, nz=8), {"pictures": 3})
    for p in method.G.parameters():
        p.data *= 10
    method.requires_grad_(False).eval()
    x = method.generate_tensor([3])[0]
    found = ganvas.project(method, x, steps=300)
    assert found.aim.space == "z"
    assert found.code.shape == (1, 8)
    assert float(found.code.norm()) <= 8**0.5 + 1e-4
    assert found.losses[-1] < found.losses[0] / 3
    torch.testing.assert_close(method.render(found.code, None)[0], found.tensor)


def test_it_is_repeatable_to_the_bit_and_goes_by_the_seed(method):
    x = method.generate_tensor([3])[0]
    one, same, other = (ganvas.project(method, x, steps=5, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.code, same.code)
    assert one.losses == same.losses
    assert not torch.equal(one.code, other.code)


def test_it_begins_with_the_mean_of_w(method):
    x = method.generate_tensor([3])[0]
    start = ganvas.project(method, x, steps=1).path[0][0]
    mean = method.styles(method.latents(range(4000)), None)[:, 0].mean(0)
    torch.testing.assert_close(start, mean, rtol=0, atol=0.1)


def test_fitted_noise_is_normal_and_comes_nearer(method):
    torch.manual_seed(0)
    x = torch.rand(3, SIDE, SIDE) * 2 - 1
    plain, fitted = (ganvas.project(method, x, steps=80, fit_noise=fit) for fit in (False, True))
    assert not plain.saved.noise
    assert fitted.losses[-1] < plain.losses[-1]
    for made, kept in zip(fitted.saved.noise, method.kept_noise(), strict=True):
        assert made.shape == kept.shape
        assert float(made.mean()) == pytest.approx(0, abs=1e-5)
        assert float(made.square().mean()) == pytest.approx(1, abs=1e-4)
    torch.testing.assert_close(
        method.render_styles(fitted.code, fitted.saved.noise)[0], fitted.tensor
    )


def test_a_class_is_aimed_at_by_name(pets):
    method = generator_of(load(pets, "cpu"))
    x = method.generate_tensor([3], "dogs")[0]
    dog = ganvas.project(method, x, "dogs", steps=1).path[0]
    cat, first = (ganvas.project(method, x, label, steps=1).path[0] for label in ("cats", None))
    assert not torch.equal(dog, cat)
    assert torch.equal(cat, first)
    with pytest.raises(InputError, match="--class emu: there is no such class"):
        ganvas.project(method, x, "emu", steps=1)


def test_the_rate_rises_stays_and_falls_as_the_paper_says():
    assert [rate_at(t) for t in (0.025, 0.05, 0.4, 0.75)] == pytest.approx([0.5, 1, 1, 1])
    assert rate_at(0.875) == pytest.approx(0.5)
    assert rate_at(1) == pytest.approx(0)
    assert [noise_at(t) for t in (0, 0.375, 0.75, 1)] == [1, 0.25, 0, 0]


def test_each_step_is_told(method):
    losses: list[float] = []
    found = ganvas.project(method, torch.zeros(3, SIDE, SIDE), steps=4, on_step=losses.append)
    assert losses == found.losses[:-1]
    assert len(found.path) == 5


# Pictures


def test_a_picture_is_prepared_as_those_of_the_training_were(method):
    picture = Picture(np.asarray(noise(1, 20, 30, 3)))
    x, notes = prepared(method, picture)
    assert x.shape == (3, SIDE, SIDE)
    assert notes == ["is 30x20: its middle, 20x20, is taken and scaled to 16x16"]
    whole, notes = prepared(method, Picture(np.asarray(noise(1, 16, 16, 3))))
    assert notes == []
    torch.testing.assert_close(
        method.scales["pictures"].unit(np.asarray(noise(1, 16, 16, 3))), whole
    )
    assert prepared(method, Picture(np.asarray(noise(1, 32, 32, 3))))[1] == [
        "is 32x32 and scaled to 16x16"
    ]


@pytest.mark.parametrize(("channels", "ending"), [(1, "png"), (4, "tif")])
def test_deep_pictures_come_back_in_their_type_and_range(tmp_path, channels, ending):
    run = styled_run(tmp_path, "uint16", channels)
    method = load(run, "cpu")
    assert isinstance(method, Styled)
    (own,) = method.generate_arrays([3])
    own = np.minimum(own, method.scales["pictures"].ends()[1]).astype(np.uint16)
    np.save(tmp_path / "own.npy", own)
    assert project(run, tmp_path / "out", tmp_path / "own.npy", options="--steps 20") == 0
    assert names(tmp_path / "out") == sorted(
        [f"own-target.{ending}", "own.mp4", "own.npz", f"own.{ending}"]
    )
    found, target = (
        np.asarray(Image.open(path)) if ending == "png" else tifffile.imread(path)
        for path in (tmp_path / "out" / f"own{end}.{ending}" for end in ("", "-target"))
    )
    assert found.dtype == target.dtype == np.uint16
    assert abs(target.reshape(own.shape).astype(int) - own).max() <= 1
    with np.load(tmp_path / "out" / "own.npz", allow_pickle=False) as file:
        made = method.render_styles(torch.from_numpy(file["w"]))[0]
        assert file["losses"][-1] < file["losses"][0] * 0.8
    expected = method.scales["pictures"].values(made).astype(int)
    assert abs(found.reshape(own.shape).astype(int) - expected).max() <= 2


@pytest.mark.parametrize("kind", ["PIL", "array", "tensor"])
def test_pictures_of_three_kinds_are_taken(method, kind):
    image = noise(2, SIDE, SIDE, 3)
    x = method.scales["pictures"].unit(np.asarray(image))
    given: Any = {"PIL": image, "array": np.asarray(image), "tensor": x}[kind]
    found = ganvas.project(method, given, steps=1)
    assert torch.equal(found.target, x)
    assert found.picture.size == (SIDE, SIDE)
    assert found.array.dtype == np.uint8


# Files


def test_it_writes_picture_target_code_and_film(run, tmp_path, face, capsys):
    assert project(run, tmp_path / "out", face) == 0
    assert names(tmp_path / "out") == ["face-target.png", "face.mp4", "face.npz", "face.png"]
    with np.load(tmp_path / "out" / "face.npz", allow_pickle=False) as file:
        assert file["w"].shape == (1, 6, 8)
        assert len(file["losses"]) == 4
        about = json.loads(str(file["about"]))
    assert about["steps"] == 3
    assert about["space"] == "w"
    assert about["loss"] == "perceptual"
    assert about["picture"] == "face.png"
    with av.open(str(tmp_path / "out" / "face.mp4")) as film:
        frames = [frame.to_image() for frame in film.decode(video=0)]
    assert len(frames) == 4 + 30
    assert frames[0].size == (256, 128)
    said = capsys.readouterr()
    assert "1 picture in " in said.out
    assert f"{face}: is 30x20: its middle, 20x20, is taken" in said.err


def test_what_is_saved_makes_the_same_picture_again(run, tmp_path, face):
    for name, options in (("w", ""), ("w+", "--in w+"), ("z", "--in z"), ("n", "--fit-noise")):
        out = tmp_path / name
        assert project(run, out, face, options=f"--no-film {options}") == 0
        again = ["--from", str(out / "face.npz"), "--out", str(out / "again"), "--device", "cpu"]
        assert main(["generate", str(run), *again]) == 0
        with Image.open(out / "face.png") as one, Image.open(out / "again" / "face.png") as other:
            assert abs(np.asarray(one).astype(int) - np.asarray(other)).max() <= 1


def test_two_calls_write_the_same_bytes(run, tmp_path, face):
    for out in ("a", "b"):
        assert project(run, tmp_path / out, face, options="--no-film") == 0
    for name in names(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_several_pictures_follow_one_another(run, tmp_path):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    noise(1, SIDE, SIDE, 3).save(tmp_path / "in" / "a.png")
    noise(2, SIDE, SIDE, 3).save(tmp_path / "in" / "sub" / "b.png")
    (tmp_path / "in" / "bad.png").write_bytes(b"")
    assert project(run, tmp_path / "no", tmp_path / "in", options="--no-film") == 2
    assert not (tmp_path / "no").exists()
    options = "--no-film --max-bad 1"
    assert project(run, tmp_path / "out", tmp_path / "in", options=options) == 0
    assert [n for n in names(tmp_path / "out") if n.endswith("npz")] == ["a.npz", "sub/b.npz"]


def test_nothing_is_written_over(run, tmp_path, face, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "face.npz").write_bytes(b"mine")
    assert project(run, tmp_path / "out", face) == 2
    assert "face.npz exists and is not overwritten" in capsys.readouterr().err
    assert names(tmp_path / "out") == ["face.npz"]


def test_pictures_of_one_name_are_refused(run, tmp_path, face, capsys):
    Image.open(face).save(tmp_path / "face.bmp")
    assert project(run, tmp_path / "out", face, tmp_path / "face.bmp") == 2
    assert "would both be written to" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--steps 0", "--steps 0: must be at least 1"),
        ("--lr 0", "--lr 0: must be above 0"),
        ("--seed -1", "--seed -1: must be from 0 to below 2^32"),
        ("--class cats", "--class cats: this run was trained without classes"),
        ("--no-film --fps 3", "--fps 3: is for the film"),
        ("--fps 0", "--fps 0: a mp4 wants 1 to 240"),
        ("--in z --fit-noise", "--fit-noise: goes with styles"),
        ("--loss lpips", "--loss lpips: wants the weights of torchvision's VGG16"),
        ("--lpips-weights x.pth", "--lpips-weights x.pth: is for --loss lpips"),
        ("--loss lpips --lpips-weights x.pth", "x.pth: cannot be read"),
    ],
)
def test_what_cannot_be_is_refused(run, tmp_path, face, capsys, options, said):
    assert project(run, tmp_path / "out", face, options=options) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_runs_and_pictures_that_do_not_fit_are_refused(tiny_run, run, tmp_path, face, capsys):
    assert project(tiny_run, tmp_path / "out", face) == 2
    assert "makes pictures from pictures and not from noise" in capsys.readouterr().err
    np.save(tmp_path / "five.npy", np.zeros((16, 16, 5), np.uint8))
    assert project(run, tmp_path / "out", tmp_path / "five.npy") == 2
    assert "five.npy: has 5 channels and not 3" in capsys.readouterr().err
    assert project(run, tmp_path / "out") == 2
    assert "name at least one picture" in capsys.readouterr().err


def test_a_run_without_a_discriminator_is_projected_by_pixels(run):
    method = generator_of(load(run, "cpu"))
    method.drop("D")
    x = method.generate_tensor([3])[0]
    assert ganvas.project(method, x, steps=1).aim.loss == "pixel"
    with pytest.raises(InputError, match="--loss perceptual: this run has no discriminator"):
        ganvas.project(method, x, steps=1, loss="perceptual")


def test_a_method_without_styles_has_no_w():
    method: Generator = DCGAN(DCGANConfig(size="16", ngf=2, ndf=2), {"pictures": 3})
    with pytest.raises(InputError, match="--in w: dcgan has no styles; take z"):
        ganvas.project(method, torch.zeros(3, 16, 16), space="w")


# LPIPS


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of VGG16's shape, drawn by chance."""
    torch.manual_seed(0)
    shapes, inputs, at = {}, 3, 0
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            shapes[at], inputs, at = (width, inputs, 3, 3), width, at + 2
        at += 1
    kept = {f"features.{n}.weight": torch.randn(s) / (9 * s[1]) ** 0.5 for n, s in shapes.items()}
    kept |= {f"features.{n}.bias": torch.zeros(s[0]) for n, s in shapes.items()}
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save(kept | {"classifier.0.bias": torch.zeros(1)}, path)
    return path


def test_lpips_takes_the_weights_that_are_named(vgg):
    network = lpips_network(vgg)
    kept = torch.load(vgg, weights_only=True)
    convolutions = [p for p in network.get_submodule("net").parameters() if p.ndim == 4]
    named = [kept[name] for name in kept if name.startswith("features") and kept[name].ndim == 4]
    assert len(convolutions) == 13
    for one, other in zip(convolutions, named, strict=True):
        assert torch.equal(one, other)


def test_lpips_guides_a_projection(method, vgg):
    x = method.generate_tensor([3])[0]
    found = ganvas.project(method, x, loss="lpips", lpips_weights=str(vgg), steps=12)
    assert found.losses[-1] < found.losses[0] * 0.8


@pytest.mark.parametrize("lack", ["features.28.weight", "features.0.bias"])
def test_weights_that_are_not_whole_are_refused(tmp_path, vgg, lack):
    kept = torch.load(vgg, weights_only=True)
    del kept[lack]
    torch.save(kept, tmp_path / "less.pth")
    with pytest.raises(InputError, match=f"lacks {lack}, so it is not the state dict"):
        lpips_network(tmp_path / "less.pth")


def test_weights_of_another_shape_are_refused(tmp_path, vgg):
    kept = torch.load(vgg, weights_only=True)
    kept["features.0.weight"] = torch.zeros(64, 1, 3, 3)
    torch.save(kept, tmp_path / "grey.pth")
    with pytest.raises(InputError, match=r"its features\.0\.weight has another shape"):
        lpips_network(tmp_path / "grey.pth")


def test_files_that_are_no_weights_are_refused(tmp_path):
    for content in (b"", b"text", b"PK\x03\x04"):
        (tmp_path / "x.pth").write_bytes(content)
        with pytest.raises(InputError, match="is not the state dict of torchvision's vgg16"):
            lpips_network(tmp_path / "x.pth")


def test_lpips_sees_no_more_than_three_channels(tmp_path, vgg):
    method = generator_of(load(styled_run(tmp_path, "uint16", 4), "cpu"))
    x = method.generate_tensor([0])[0]
    with pytest.raises(InputError, match="sees grey and RGB, and this run's pictures have 4"):
        ganvas.project(method, x, loss="lpips", lpips_weights=str(vgg), steps=1)
