"""What is true of DualGAN alone."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import ganvas
from ganvas.errors import InputError
from ganvas.methods.dualgan import Config, DualGAN

SMALL = {"size": 32, "ngf": 4, "ndf": 4, "n_downs": 5, "n_layers": 2, "d_steps": "1"}


def make(channels: tuple[int, int] = (3, 3), **changes) -> DualGAN:
    torch.manual_seed(0)
    return DualGAN(Config.from_mapping(SMALL | changes), dict(zip("AB", channels, strict=True)))


def batch_of(channels: tuple[int, int] = (3, 3), count: int = 2, size: int = 32):
    return {
        domain: torch.rand(count, c, size, size) * 2 - 1
        for domain, c in zip("AB", channels, strict=True)
    }


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_the_defaults_are_those_of_the_paper_and_where_it_is_silent_of_the_code():
    c = Config()
    assert (c.objective, c.bound, c.lambda_A, c.lambda_B) == ("wgan", 0.01, 500, 500)
    assert (c.lr, c.rms_decay, c.lr_policy, c.d_steps) == (5e-5, 0.9, "constant", "2")
    assert (c.generator, c.n_downs, c.dropout, c.norm) == ("unet", 8, True, "batch")
    assert (c.discriminator, c.n_layers, c.ngf, c.ndf) == ("patch", 3, 64, 64)
    assert (c.batch_size, c.size, c.duration) == (1, "256", "100ep")


def test_the_networks_are_those_of_pix2pix():
    with torch.device("meta"):
        method = DualGAN(Config(), {"A": 3, "B": 3})
    assert count(method.G_A) == count(method.G_B) == 54_413_955
    norms = 2 * (128 + 256 + 512)
    kernels = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512)
    assert count(method.D_A) == count(method.D_B) == kernels + norms + 64 + 1 == 2_765_633


class ByHand:
    """RMSProp as its authors have it: r = a r + (1 - a) g^2, w = w - lr g / sqrt(r)."""

    def __init__(self, *networks: nn.Module, lr: float, alpha: float) -> None:
        self.weights = [p for network in networks for p in network.parameters()]
        self.lr, self.alpha = lr, alpha
        self.mean = [torch.zeros_like(p) for p in self.weights]

    @torch.no_grad()
    def step(self, loss: Tensor) -> list[Tensor]:
        gradients = list(torch.autograd.grad(loss, self.weights))
        for p, g, r in zip(self.weights, gradients, self.mean, strict=True):
            r.mul_(self.alpha).add_((1 - self.alpha) * g**2)
            p.sub_(self.lr * g / (r.sqrt() + 1e-8))
        return gradients


def test_two_steps_are_what_the_formulas_say():
    method = make(lr=0.001, lambda_A=30, lambda_B=20)
    G_A, G_B, D_A, D_B = copy.deepcopy([method.G_A, method.G_B, method.D_A, method.D_B])
    critics = ByHand(D_A, D_B, lr=0.001, alpha=0.9)
    generators = ByHand(G_A, G_B, lr=0.001, alpha=0.9)
    for _ in range(2):
        batch = batch_of()
        u, v = batch["A"], batch["B"]
        losses = method.step(batch)

        with torch.no_grad():
            v_, u_ = G_A(u), G_B(v)
        l_A = D_A(v_).mean() - D_A(v).mean()
        l_B = D_B(u_).mean() - D_B(u).mean()
        wanted = critics.step(l_A + l_B)
        same(losses["D_A"], l_A)
        same(losses["D_B"], l_B)
        for p, g in zip(parameters(method.D_A, method.D_B), wanted, strict=True):
            torch.testing.assert_close(p.grad, g, rtol=1e-3, atol=1e-6)
        for p in parameters(D_A, D_B):
            p.data.clamp_(-0.01, 0.01)

        v_, u_ = G_A(u), G_B(v)
        recon_A = 30 * (u - G_B(v_)).abs().mean()
        recon_B = 20 * (v - G_A(u_)).abs().mean()
        wanted = generators.step(recon_A + recon_B - D_B(u_).mean() - D_A(v_).mean())
        for name, loss in {"recon_A": recon_A, "recon_B": recon_B}.items():
            same(losses[name], loss)
        same(losses["G_A"], -D_A(v_).mean())
        same(losses["G_B"], -D_B(u_).mean())
        for p, g in zip(parameters(method.G_A, method.G_B), wanted, strict=True):
            torch.testing.assert_close(p.grad, g, rtol=1e-2, atol=1e-3)
        mine, theirs = parameters(method.G_A, method.D_A), parameters(G_A, D_A)
        for p, q in zip(mine, theirs, strict=True):
            torch.testing.assert_close(p, q, rtol=1e-3, atol=2e-4)


def same(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted.detach(), rtol=1e-3, atol=1e-5)


def parameters(*networks: nn.Module) -> list[nn.Parameter]:
    return [p for network in networks for p in network.parameters()]


@pytest.mark.parametrize(
    ("changes", "bound"),
    [
        ({}, 0.01),
        ({"clip": 0.1}, 0.1),
        ({"gp": 10}, None),
        ({"r1_gamma": 1}, None),
        ({"gp": 10, "clip": 0.1}, 0.1),
        ({"objective": "lsgan"}, None),
    ],
)
def test_critics_are_clipped_where_nothing_else_bounds_them(changes, bound):
    method = make(**changes)
    method.step(batch_of())
    largest = max(float(p.detach().abs().max()) for p in parameters(method.D_A, method.D_B))
    assert method.config.bound == bound
    assert (largest <= (bound or 0) * (1 + 1e-6)) == (bound is not None)
    assert not any("wgan alone" in note for note in method.notes)


def test_critics_move_twice_for_one_move_of_the_generators():
    method = make(d_steps=Config().d_steps)
    moved = [sorted(method.step(batch_of())) for _ in range(4)]
    assert [any(name.startswith("G") for name in names) for names in moved] == [0, 1, 0, 1]
    assert method.descents == {"D": 4, "G": 2}


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_moves_neither_weights_nor_mean_squares(poison):
    method = make()
    for _ in range(2):
        method.step(batch_of())
    before = copy.deepcopy((method.state_dict(), method.optimizers["G"].state_dict()["state"]))
    weight = next(method.G_A.parameters())
    method.descend("G", (weight * poison).sum())
    after = (method.state_dict(), method.optimizers["G"].state_dict()["state"])
    assert all(torch.equal(x, after[0][key]) for key, x in before[0].items())
    for index, moments in before[1].items():
        assert all(torch.equal(x, after[1][index][name]) for name, x in moments.items())
    assert method.skipped_steps() == 1


def test_dropout_is_noise_in_training_and_off_in_use():
    method, x = make(n_downs=6, size=64), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert not method.G_A(x).equal(method.G_A(x))
        method.eval()
        assert method.G_A(x).equal(method.G_A(x))


def test_in_use_a_picture_is_normalised_by_itself_as_in_training_on_one():
    method, x = make(), batch_of(count=3)["A"]
    method.step(batch_of())
    with torch.no_grad():
        alone = torch.cat([method.G_A(one[None]) for one in x])
        method.eval()
        torch.testing.assert_close(method.G_A(x), alone, rtol=1e-4, atol=1e-5)
        running = make(batch_size=2).eval()
        running.load_state_dict(method.state_dict())
        assert not torch.allclose(running.G_A(x), alone, atol=1e-3)


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_channels_may_differ_and_both_directions_are_learnt(direction):
    method = make((1, 3), direction=direction)
    losses = method.step(batch_of((1, 3)))
    assert all(loss.isfinite() for loss in losses.values())
    method.eval()
    assert method.translate(torch.zeros(1, 1, 40, 33), "AtoB").shape == (1, 3, 40, 33)
    assert method.translate(torch.zeros(1, 3, 8, 70), "BtoA").shape == (1, 1, 8, 70)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beta1": 0.9}, r"^--beta1: is Adam's, and dualgan learns by RMSProp"),
        ({"rms_decay": 1}, r"^--rms-decay 1: must be from 0 to below 1"),
        ({"lambda_B": -1}, r"^--lambda-B -1.0: must be at least 0"),
        ({"size": 300}, r"^--size 300: a unet .* multiples of 256"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        Config.from_mapping(changes)


def test_it_learns_to_reconstruct_through_the_public_face(tmp_path: Path):
    for part, colour in (("trainA", (220, 40, 40)), ("trainB", (40, 40, 220))):
        (tmp_path / part).mkdir()
        for i in range(3):
            shade = tuple(min(c + 8 * i, 255) for c in colour)
            Image.new("RGB", (32, 32), shade).save(tmp_path / part / f"{i}.png")
    run = ganvas.train(
        "dualgan",
        **SMALL,
        data=tmp_path,
        out=tmp_path / "run",
        lr=0.002,
        duration="30it",
        preview_every="1000it",
        snapshot_every="1000it",
        tensorboard=False,
        device="cpu",
        threads=1,
        quiet=True,
    )
    method, red = ganvas.load(run), Image.new("RGB", (40, 30), (225, 45, 45))
    there = method.translate(red)
    back = method.translate(there, "BtoA")
    assert there.size == back.size == red.size
    assert np.abs(np.asarray(back).mean((0, 1)) - (225, 45, 45)).max() < 60
