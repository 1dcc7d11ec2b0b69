"""DCGAN: networks of every size, its chance, its classes, and what a training of it leaves."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from making import noise
from PIL import Image

import ganvas
from ganvas.cli import main
from ganvas.errors import InputError
from ganvas.losses.penalties import r1
from ganvas.methods.dcgan import DCGAN, Config, DiscriminatorNetwork, GeneratorNetwork, sizes

TINY: dict[str, Any] = {
    "size": 16,
    "ngf": 4,
    "ndf": 4,
    "nz": 4,
    "batch_size": 4,
    "duration": "3it",
    "previews": 5,
    "tensorboard": False,
    "device": "cpu",
    "threads": 1,
}
lengths = st.integers(16, 512)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classes")
    for part, name in enumerate(("cat", "dog")):
        (folder / name).mkdir()
        for i in range(4):
            noise(10 * part + i, 20, 24, 3).save(folder / name / f"{i}.png")
    return folder


def networks(size: tuple[int, int], channels: int = 3, classes: int = 0):
    with torch.device("meta"):
        G = GeneratorNetwork(5, 2, channels, size, classes)
        D = DiscriminatorNetwork(2, channels, size, "batch", classes)
    return G, D


@settings(max_examples=15)
@given(lengths, lengths, st.integers(1, 32))
def test_any_size_from_16_to_512_and_any_channels(height, width, channels):
    G, D = networks((height, width), channels)
    pictures = G(torch.empty(2, 5, device="meta"))
    assert pictures.shape == (2, channels, height, width)
    assert D(pictures).shape == (2, 1)


@given(lengths, lengths)
def test_sizes_are_halved_until_the_shorter_side_is_4_to_7(height, width):
    chain = sizes((height, width))
    assert 4 <= min(chain[-1]) <= 7
    for large, small in pairwise(chain):
        assert small == (large[0] // 2, large[1] // 2)


@pytest.mark.parametrize(
    ("size", "widths"),
    [
        (16, [64, 128]),
        (64, [64, 128, 256, 512]),
        (128, [64, 128, 256, 512, 1024]),
        (512, [64, 128, 256, 512, 1024, 1024, 1024]),
    ],
)
def test_each_halving_of_the_size_doubles_the_channels_up_to_1024(size, widths):
    with torch.device("meta"):
        G = GeneratorNetwork(100, 64, 3, (size, size))
        D = DiscriminatorNetwork(64, 3, (size, size), "batch")
    convolutions = [m for m in D.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [*widths, 1]
    convolutions = [m for m in G.modules() if isinstance(m, torch.nn.ConvTranspose2d)]
    assert [m.out_channels for m in convolutions] == [*widths[::-1], 3]


def test_pictures_lie_between_minus_one_and_one():
    method = DCGAN(Config(size="16", ngf=4, ndf=4), {"pictures": 3}).eval()
    x = method.generate_tensor(range(5))
    assert x.shape == (5, 3, 16, 16)
    assert x.abs().max() <= 1


def test_seven_channels_train_and_come_out_as_a_tensor():
    method = DCGAN(Config(size="20x16", ngf=4, ndf=4), {"pictures": 7})
    losses = method.step({"pictures": torch.rand(3, 7, 16, 20) * 2 - 1})
    assert all(loss.isfinite() for loss in losses.values())
    assert method.eval().generate_tensor([0]).shape == (1, 7, 16, 20)
    assert method.generate_arrays([0])[0].shape == (16, 20, 7)
    with pytest.raises(InputError, match="PIL has no pictures of uint8 with 7 channels"):
        method.generate([0])


def test_a_class_changes_the_picture_and_a_seed_does_too():
    torch.manual_seed(0)
    method = DCGAN(Config(size="16", ngf=4, ndf=4, conditional=True), {"pictures": 3}, ("a", "b"))
    method.eval()
    a, b = (method.generate_tensor([3], label) for label in ("a", "b"))
    assert not torch.allclose(a, b)
    assert torch.equal(method.generate_tensor([3]), b)  # seed 3 modulo 2 classes
    assert not torch.allclose(method.generate_tensor([5], "b"), b)


def test_it_learns_to_tell_classes_apart():
    """Class a is black, class b is white: after a few steps so are the generated ones."""
    torch.manual_seed(0)
    config = Config(size="16", ngf=8, ndf=8, nz=4, conditional=True, lr=0.002)
    method = DCGAN(config, {"pictures": 1}, ("a", "b"))
    labels = torch.arange(16) % 2
    for _ in range(60):
        x = (labels * 2.0 - 1).view(-1, 1, 1, 1).expand(-1, 1, 16, 16) * 0.8
        method.step({"pictures": x + 0.1 * torch.randn(16, 1, 16, 16), "labels": labels})
    method.eval()
    a, b = (method.generate_tensor(range(8), label).mean() for label in ("a", "b"))
    assert a < -0.4 < 0.4 < b


def test_a_training_leaves_what_the_tutorial_ends_with(classes, tmp_path):
    run = ganvas.train("dcgan", **TINY, data=classes, out=tmp_path / "run", log_every="1it")
    with Image.open(run.path / "reals.png") as real:
        assert real.size == (3 * 16, 2 * 16)
        assert real.info["columns"] == "real"
    (first, *_, last) = sorted(run.samples.glob("*.png"))
    with Image.open(last) as fake:
        assert fake.size == (3 * 16, 2 * 16)
        assert (fake.info["columns"], fake.info["rows"], fake.info["across"]) == ("fake", "2", "3")
        shown = fake.crop((16, 0, 32, 16))
    (seed_one,) = ganvas.load(run).generate([1])
    assert seed_one.tobytes() == shown.tobytes()
    assert first.read_bytes() != last.read_bytes()
    lines = (run.path / "loss_log.txt").read_text().splitlines()[1:]
    assert lines[0].split("\t")[0] == "[0/2][0/2]"
    assert lines[2].split("\t")[0] == "[1/2][0/2]"
    names = [part.split(":")[0] for part in lines[0].split("\t")[1:]]
    assert names == ["Loss_D", "Loss_G", "D(x)", "D(G(z))"]


def test_labels_that_are_not_used_are_said(classes, tmp_path, capsys):
    argv = ["--data", str(classes), "--size", "16", "--ngf", "4", "--ndf", "4", "--dry-run"]
    assert main(["train", "dcgan", *argv]) == 0
    assert "2 class folders: their names are not used; --conditional" in capsys.readouterr().out
    assert main(["train", "dcgan", *argv, "--conditional"]) == 0
    assert "--conditional learns" not in capsys.readouterr().out


def test_a_snapshot_knows_its_classes(classes, tmp_path):
    run = ganvas.train("dcgan", **TINY, data=classes, out=tmp_path / "run", conditional=True)
    description = json.loads((run.snapshots / "latest" / "model.json").read_text())
    assert description["classes"] == ["cat", "dog"]
    method = ganvas.load(run)
    assert len(method.generate(seeds=range(3), label="dog")) == 3
    with pytest.raises(InputError, match=r"--class dgo: .*did you mean 'dog'"):
        method.generate(label="dgo")


def test_a_translator_does_not_generate_nor_the_other_way_round(classes, tiny_run, tmp_path):
    run = ganvas.train("dcgan", **TINY, data=classes, out=tmp_path / "run")
    with pytest.raises(InputError, match="dcgan makes pictures from noise: use generate"):
        ganvas.load(run).translate(Image.new("RGB", (16, 16)))
    with pytest.raises(InputError, match="cyclegan makes pictures from pictures: use translate"):
        ganvas.load(tiny_run).generate()


@pytest.mark.parametrize(
    ("given_settings", "sentence"),
    [
        ({"objective": "wgan"}, "bounds its discriminators by nothing"),
        ({"objective": "wgan", "gp": 10}, "with batch norm in a discriminator"),
        ({"r1_gamma": 10}, "with batch norm in a discriminator"),
        ({"gp_target": 5, "penalty_every": 16}, "--gp-target and --penalty-every: without effect"),
        ({"objective": "wgan", "gp": 10, "norm_D": "layer"}, None),
        ({"objective": "wgan", "clip": 0.01}, None),
    ],
)
def test_what_bodes_ill_is_said_beforehand(given_settings, sentence):
    notes = DCGAN(Config(size="16", ngf=2, ndf=2, **given_settings), {"pictures": 3}).notes
    assert sentence in notes[0] if sentence else not notes


@pytest.mark.parametrize("objective", ["lsgan", "wgan", "hinge", "rpgan"])
def test_scores_that_are_no_probabilities_are_not_shown_as_such(objective):
    method = DCGAN(Config(size="16", ngf=2, ndf=2, objective=objective), {"pictures": 3})
    assert method.step({"pictures": torch.rand(2, 3, 16, 16)}).keys() == {"D", "G"}


@pytest.mark.parametrize("seeds", [3, [], [-1], [2**32], [True], [0.5], ["1"]])
def test_seeds_that_are_none_are_refused(seeds):
    method = DCGAN(Config(size="16", ngf=2, ndf=2), {"pictures": 3}).eval()
    with pytest.raises(InputError, match="wants whole numbers from 0"):
        method.generate(seeds)


def test_seeds_may_come_from_numpy_and_no_two_give_one_latent():
    method = DCGAN(Config(size="16", ngf=2, ndf=2), {"pictures": 3}).eval()
    assert len(method.generate(np.arange(3))) == 3
    z = method.latents([0, 1, 2**16, 2**31, 2**32 - 1])
    assert len({tuple(row.tolist()) for row in z}) == 5


def test_what_training_draws_is_not_what_previews_show():
    method = DCGAN(Config(size="16", ngf=2, ndf=2), {"pictures": 3})
    for seed in range(3):
        torch.manual_seed(seed)
        shared = np.intersect1d(torch.randn(method.nz).numpy(), method.latents([seed]).numpy())
        assert len(shared) == 0


def test_the_average_is_what_generates():
    method = DCGAN(Config(size="16", ngf=2, ndf=2, ema="1kimg"), {"pictures": 3})
    before = method.eval().generate_tensor([0])
    for p in method.G.parameters():
        p.data.add_(1)
    assert torch.equal(method.generate_tensor([0]), before)


def test_an_average_takes_over_running_statistics():
    method = DCGAN(Config(size="16", ngf=2, ndf=2, ema="1kimg"), {"pictures": 3})
    method.step({"pictures": torch.rand(2, 3, 16, 16)})
    method.update_averages(0.99)
    own, kept = (dict(n.named_buffers()) for n in (method.G, method.averages["G"]))
    assert own.keys() == kept.keys()
    assert all(torch.equal(own[key], kept[key]) for key in own)
    assert not torch.equal(
        own["main.1.running_mean"], torch.zeros(own["main.1.running_mean"].shape)
    )


def test_labels_reach_the_penalty():
    """Of a conditional discriminator the gradients at pictures of a class are penalised."""
    torch.manual_seed(0)
    config = Config(size="16", ngf=4, ndf=4, conditional=True, norm_D="none", r1_gamma=2)
    method = DCGAN(config, {"pictures": 3}, ("a", "b"))
    x, labels = torch.rand(4, 3, 16, 16), torch.tensor([0, 1, 1, 0])
    one_hot = torch.eye(2)[labels]
    wanted = 2 * r1(lambda pictures: method.D(pictures, one_hot), x)
    others = 2 * r1(lambda pictures: method.D(pictures, 0 * one_hot), x)
    found = method.step({"pictures": x, "labels": labels})["D_r1"]
    torch.testing.assert_close(found, wanted.detach())
    assert not torch.isclose(found, others.detach())
