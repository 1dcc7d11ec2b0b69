"""CycleGAN's ablations; test_golden.py holds its numbers against the reference's."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from kinds import in_float64
from making import noise
from torch import Tensor

import ganvas
from ganvas.errors import InputError
from ganvas.methods.cyclegan import Config, CycleGAN
from ganvas.training import settings_of

SMALL = {"size": 16, "ngf": 4, "ndf": 4, "n_blocks": 1, "n_layers": 1}
PRESETS = Config.presets


def make(**changes) -> CycleGAN:
    torch.manual_seed(0)
    return CycleGAN(Config.from_mapping(SMALL | changes), {"A": 3, "B": 3})


def batch_of(count: int = 2) -> dict[str, Tensor]:
    return {domain: torch.rand(count, 3, 16, 16) * 2 - 1 for domain in "AB"}


def test_presets_are_the_papers_ablations():
    weights = {
        name: tuple(kept[f"lambda_{of}"] for of in ("GAN", "A", "B", "identity"))
        for name, kept in PRESETS.items()
    }
    assert weights == {
        "cycle-alone": (0, 10, 10, 0),
        "gan-alone": (1, 0, 0, 0),
        "gan-forward": (1, 10, 0, 0),
        "gan-backward": (1, 0, 10, 0),
    }
    config = settings_of("cyclegan", SMALL | {"preset": "gan-forward", "lambda_A": 5})
    assert isinstance(config, Config)
    assert (config.lambda_GAN, config.lambda_A, config.lambda_B) == (1, 5, 0)
    with pytest.raises(InputError, match=r"--preset gan: must be one of cycle-alone, gan-alone"):
        settings_of("cyclegan", {"preset": "gan"})


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        (PRESETS["cycle-alone"], ["cycle_A", "cycle_B"]),
        (PRESETS["gan-alone"], ["D_A", "G_A", "D_B", "G_B"]),
        (PRESETS["gan-forward"], ["D_A", "G_A", "cycle_A", "D_B", "G_B"]),
        (PRESETS["gan-backward"], ["D_A", "G_A", "D_B", "G_B", "cycle_B"]),
        ({"lambda_A": 0}, ["D_A", "G_A", "idt_A", "D_B", "G_B", "cycle_B"]),
        ({"lambda_GAN": 0, "lambda_B": 0}, ["cycle_A", "idt_B"]),
    ],
)
def test_what_weighs_nothing_is_not_in_the_losses(changes, names):
    assert list(make(**changes).step(batch_of())) == names


@pytest.mark.parametrize(
    ("preset", "generators", "discriminators"),
    [
        # G(x), F(y); F(G(x)), G(F(y)).  For G: D_Y(G(x)), D_X(F(y)); for D: both on both.
        ("cycle-alone", 4, 0),
        ("gan-alone", 2, 6),
        ("gan-forward", 3, 6),
        ("gan-backward", 3, 6),
    ],
)
def test_what_weighs_nothing_is_not_computed(preset, generators, discriminators):
    method, calls = make(**PRESETS[preset]), []
    for name in ("G_A", "G_B", "D_A", "D_B"):
        method.get_submodule(name).register_forward_hook(lambda *_, name=name: calls.append(name))
    method.step(batch_of())
    assert sum(name.startswith("G") for name in calls) == generators
    assert sum(name.startswith("D") for name in calls) == discriminators


def test_of_one_cycle_alone_the_other_translation_is_not_made():
    method, calls = make(lambda_GAN=0, lambda_B=0, lambda_identity=0), []
    for name in ("G_A", "G_B"):
        method.get_submodule(name).register_forward_hook(lambda *_, name=name: calls.append(name))
    method.step(batch_of())
    assert calls == ["G_A", "G_B"]


@pytest.mark.parametrize(
    ("gan", "a", "b"), [(0.0, 10.0, 10.0), (1.0, 0.0, 0.0), (1.0, 10.0, 0.0), (0.5, 0.0, 3.0)]
)
def test_a_step_is_that_of_the_weighted_sum(gan, a, b):
    changes = {"lambda_GAN": gan, "lambda_A": a, "lambda_B": b, "lambda_identity": 0}
    method, batch = in_float64(make(**changes), batch_of())
    G, F, D_X, D_Y = (deepcopy(n) for n in (method.G_A, method.G_B, method.D_B, method.D_A))
    x, y = batch["A"], batch["B"]
    losses = method.step(batch)

    y_, x_ = G(x), F(y)
    loss = a * (F(y_) - x).abs().mean() + b * (G(x_) - y).abs().mean()
    if gan:
        loss = loss + gan * (((D_Y(y_) - 1) ** 2).mean() + ((D_X(x_) - 1) ** 2).mean())
    weights = [*G.parameters(), *F.parameters()]
    wanted = torch.autograd.grad(loss, weights)
    ours = [*method.G_A.parameters(), *method.G_B.parameters()]
    for parameter, gradient in zip(ours, wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    found = sum(value for name, value in losses.items() if not name.startswith("D"))
    torch.testing.assert_close(found, loss.detach())
    if gan:
        # D's own loss is not weighed: it would be another rate of its optimizer at most.
        judged = (((D_Y(y) - 1) ** 2).mean() + (D_Y(y_.detach()) ** 2).mean()) / 2
        torch.testing.assert_close(losses["D_A"], judged.detach())


def test_without_an_adversarial_loss_there_are_no_discriminators():
    method = make(lambda_GAN=0)
    assert list(method.networks()) == ["G_A", "G_B"]
    assert list(method.players) == ["G"]
    for _ in range(3):
        method.step(batch_of())
    assert method.descents == {"G": 3}
    assert not any(name.startswith("D") for name in method.vitals)
    with_them = make()
    for name, network in method.networks().items():
        assert list(network.state_dict()) == list(with_them.get_submodule(name).state_dict())


def test_what_is_for_discriminators_is_said_to_be_idle_without_them():
    (note,) = make(lambda_GAN=0, d_steps="1/2").notes
    assert note.startswith("--d-steps and --n-layers and --ndf: without effect, for --lambda-GAN")
    assert not make(d_steps="1/2").notes
    # Nor is anything else said of discriminators that are not there.
    (note,) = make(lambda_GAN=0, objective="wgan", n_layers=3, ndf=64, size=32).notes
    assert note.startswith("--objective: without effect, for --lambda-GAN is 0")
    (note,) = make(lambda_GAN=0, real_label=0.9, penalty_every=2, n_layers=3, ndf=64, size=32).notes
    assert note.startswith("--penalty-every and --real-label: without effect, for --lambda-GAN")
    with pytest.raises(InputError, match="--warmup 3it: trains discriminators first"):
        make(lambda_GAN=0, warmup="3it")


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"n_downs": 6}, "--n-downs: without effect, for --generator is resnet, which halves"),
        ({"discriminator": "pixel"}, "--n-layers: without effect, for --discriminator is pixel"),
        ({"init_type": "kaiming", "init_gain": 1}, "--init-gain: without effect, for --init-type"),
        (
            {"generator": "unet", "n_downs": 5, "size": 32, "n_blocks": 2},
            "--n-blocks: without effect, for --generator is unet, which has no such blocks",
        ),
        (
            {"generator": "unet", "n_downs": 5, "size": 32, "n_blocks": 9, "dropout": True},
            "--n-downs 5: so small a unet has no layer with dropout",
        ),
    ],
)
def test_what_no_network_has_is_said_to_be_idle(changes, note):
    (said,) = make(**changes).notes
    assert said.startswith(note)
    # Batch norm's weights are drawn by the gain.
    assert not make(init_type="kaiming", init_gain=1, norm="batch").notes


def test_something_must_be_learnt():
    with pytest.raises(InputError, match=r"--lambda-GAN 0: .* there is nothing to learn"):
        make(lambda_GAN=0, lambda_A=0, lambda_B=0)
    with pytest.raises(InputError, match=r"--lambda-GAN -1.0: must be at least 0"):
        make(lambda_GAN=-1)


def test_a_cycle_alone_is_trained_resumed_and_used(tmp_path: Path):
    for n, part in enumerate(("trainA", "trainB")):
        (tmp_path / "data" / part).mkdir(parents=True)
        for i in range(3):
            noise(3 * n + i, 16, 16, 3).save(tmp_path / "data" / part / f"{i}.png")
    run = ganvas.train(
        "cyclegan",
        **SMALL,
        preset="cycle-alone",
        data=tmp_path / "data",
        out=tmp_path / "run",
        duration="150it",
        log_every="20it",
        tensorboard=False,
        device="cpu",
        threads=1,
        quiet=True,
    )
    ganvas.resume(run.path, duration="160it", quiet=True)
    method = ganvas.load(run)
    x = torch.rand(1, 3, 16, 16)
    assert method.translate(x).shape == x.shape
    lines = [json.loads(line) for line in (run.path / "log.jsonl").read_text().splitlines()]
    assert len(lines) >= 8
    assert not [said for line in lines for said in line["diagnosis"] if "D_" in said]
