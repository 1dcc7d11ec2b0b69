"""What is true of pix2pix alone; test_golden.py holds its numbers against the reference's."""

from pathlib import Path
from typing import Any

import pytest
import torch
from making import noise
from PIL import Image
from torch import Tensor

import ganvas
from ganvas.cli import main
from ganvas.errors import InputError
from ganvas.losses.objectives import OBJECTIVES
from ganvas.methods.pix2pix import Config, Pix2Pix

SMALL = {"size": 32, "ngf": 4, "ndf": 4, "n_downs": 5, "n_layers": 2}


def make(channels: tuple[int, int] = (3, 3), **changes) -> Pix2Pix:
    torch.manual_seed(0)
    return Pix2Pix(Config.from_mapping(SMALL | changes), dict(zip("AB", channels, strict=True)))


def batch_of(channels: tuple[int, int] = (3, 3), count: int = 2) -> dict[str, Tensor]:
    return {
        domain: torch.rand(count, c, 32, 32) * 2 - 1
        for domain, c in zip("AB", channels, strict=True)
    }


def test_the_defaults_are_those_of_the_paper():
    c = Config()
    assert (c.generator, c.n_downs, c.dropout, c.norm) == ("unet", 8, True, "batch")
    assert (c.discriminator, c.n_layers, c.ngf, c.ndf) == ("patch", 3, 64, 64)
    assert (c.objective, c.lambda_L1, c.lr, c.beta1, c.beta2) == ("vanilla", 100, 2e-4, 0.5, 0.999)
    assert (c.batch_size, c.size, c.load_width_height) == (1, "256", (286, 286))


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_channels_of_x_and_y_may_differ_and_d_sees_both(direction):
    method = make((1, 3), direction=direction)
    losses = method.step(batch_of((1, 3)))
    assert all(loss.isfinite() for loss in losses.values())
    assert next(method.D.parameters()).shape[1] == 4
    x = torch.zeros(1, 1 if direction == "AtoB" else 3, 32, 32)
    assert method.translate(x, direction).shape[1] == (3 if direction == "AtoB" else 1)


def test_d_judges_a_picture_beside_the_one_that_it_was_made_of():
    """The same picture beside another x is another case to D."""
    method, seen = make(), []
    hook = method.D.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    batch = batch_of()
    method.step(batch)
    hook.remove()
    fake, real, again = seen
    assert all(pair[:, :3].equal(batch["A"]) for pair in seen)
    assert real[:, 3:].equal(batch["B"])
    assert fake[:, 3:].equal(again[:, 3:])
    assert not fake[:, 3:].equal(batch["B"])


def test_d_descends_at_half_of_what_is_logged():
    batch = batch_of()
    method = make(dropout=False)
    with torch.no_grad():
        fake = torch.cat([batch["A"], method.G(batch["A"])], 1)
    real = torch.cat([batch["A"], batch["B"]], 1)
    judge = OBJECTIVES["vanilla"].discriminator
    loss = judge(method.D(real), method.D(fake)) / 2
    wanted = torch.autograd.grad(loss, list(method.D.parameters()))
    method = make(dropout=False)
    losses = method.step(batch)
    torch.testing.assert_close(losses["D_real"] + losses["D_fake"], 2 * loss.detach())
    for parameter, gradient in zip(method.D.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, ["G_GAN", "G_L1", "D_real", "D_fake"]),
        ({"objective": "lsgan"}, ["G_GAN", "G_L1", "D_real", "D_fake"]),
        ({"objective": "rpgan"}, ["G_GAN", "G_L1", "D"]),
        ({"gp": 10, "drift": 1}, ["G_GAN", "G_L1", "D_real", "D_fake", "D_drift", "D_gp"]),
    ],
)
def test_losses_bear_the_references_names_in_its_order(changes, names):
    assert list(make(**changes).step(batch_of())) == names


def test_dropout_is_noise_in_training_and_off_in_use():
    method, x = make(n_downs=6, size=64), torch.rand(2, 3, 64, 64)
    assert not method.notes
    with torch.no_grad():
        assert not method.G(x).equal(method.G(x))
        method.eval()
        assert method.G(x).equal(method.G(x))
    assert make(n_downs=5).notes == ["--n-downs 5: so small a unet has no layer with dropout"]
    assert not make(n_downs=5, dropout=False).notes


def test_in_use_a_picture_is_normalised_by_itself_as_in_training_on_one():
    method, x = make(dropout=False), batch_of(count=3)["A"]
    method.step(batch_of())
    with torch.no_grad():
        alone = torch.cat([method.G(one[None]) for one in x])
        method.eval()
        torch.testing.assert_close(method.G(x), alone, rtol=1e-4, atol=1e-5)
    others: list[dict[str, Any]] = [{"statistics": "running"}, {"batch_size": 2}]
    for changes in others:
        running = make(dropout=False, **changes)
        running.load_state_dict(method.state_dict())
        running.eval()
        with torch.no_grad():
            assert not torch.allclose(running.G(x), alone, atol=1e-3)


def test_it_learns_one_direction():
    method = make(direction="BtoA").eval()
    x = batch_of()["A"]
    assert method.translate(x[:, :, :31, :20], "BtoA").shape == (2, 3, 31, 20)
    with pytest.raises(InputError, match=r"^--direction AtoB: this run has learnt BtoA only"):
        method.translate(x)


def test_previews_show_input_translation_and_truth_in_letters_of_the_data():
    batch = batch_of()
    shown = make(direction="BtoA").eval().preview(batch)
    assert list(shown) == ["real_B", "fake_A", "real_A"]
    assert shown["real_B"].equal(batch["B"])
    assert shown["real_A"].equal(batch["A"])


def test_sizes_that_a_unet_cannot_take_are_refused():
    with pytest.raises(InputError, match=r"--size 300: a unet .* multiples of 256; .* 256x256"):
        Config.from_mapping({"size": 300})
    with pytest.raises(InputError, match=r"--lambda-L1 -1.0: must be at least 0"):
        Config.from_mapping({"lambda_L1": -1})


def test_a_training_on_pairs_learns_them(tmp_path: Path):
    """Of colours and their opposites, through the public face."""
    (tmp_path / "pairs" / "train").mkdir(parents=True)
    colours = ((200, 40, 40), (40, 200, 40), (40, 40, 200), (200, 200, 40))
    for i, colour in enumerate(colours):
        picture = Image.new("RGB", (64, 32), colour)
        picture.paste(tuple(255 - c for c in colour), (32, 0, 64, 32))
        picture.putpixel((3, 3), (0, 0, 0))
        picture.save(tmp_path / "pairs" / "train" / f"{i}.png")
    run = ganvas.train(
        "pix2pix",
        **SMALL,
        data=tmp_path / "pairs",
        out=tmp_path / "run",
        lr=0.005,
        duration="150it",
        tensorboard=False,
        device="cpu",
        threads=1,
        quiet=True,
    )
    method = ganvas.load(run)
    for colour in colours:
        answer = method.translate(Image.new("RGB", (32, 32), colour))
        found = answer.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
        assert found == pytest.approx([255 - c for c in colour], abs=40)


def test_of_pictures_side_by_side_one_half_is_translated(tmp_path: Path):
    (tmp_path / "pairs" / "train").mkdir(parents=True)
    for i in range(2):
        noise(i, 32, 64, 3).save(tmp_path / "pairs" / "train" / f"{i}.png")
    settings = SMALL | {"data": tmp_path / "pairs", "out": tmp_path / "run", "duration": "2it"}
    fast = {"tensorboard": False, "device": "cpu", "threads": 1, "quiet": True}
    run = ganvas.train("pix2pix", **settings, **fast, direction="BtoA")
    out = tmp_path / "out"
    inputs = [str(run.path), str(tmp_path / "pairs" / "train"), "--out", str(out)]
    assert main(["translate", *inputs, "--direction", "BtoA", "--side-by-side"]) == 0
    method = ganvas.load(run)
    for i in range(2):
        whole = Image.open(tmp_path / "pairs" / "train" / f"{i}.png")
        wanted = method.translate(whole.crop((32, 0, 64, 32)), "BtoA")
        assert Image.open(out / f"{i}.png").tobytes() == wanted.tobytes()
    noise(3, 32, 31, 3).save(tmp_path / "narrow.png")
    inputs = [str(run.path), str(tmp_path / "narrow.png"), "--out", str(out)]
    assert main(["translate", *inputs, "--direction", "BtoA", "--side-by-side"]) == 2
