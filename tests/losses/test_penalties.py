"""Penalties against discriminators whose gradients are known by hand, and finite differences."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.autograd import gradcheck
from torch.func import functional_call

from ganvas.losses.objectives import OBJECTIVES
from ganvas.losses.penalties import (
    Discriminator,
    Where,
    clip_weights,
    drift,
    gradient_penalty,
    input_gradients,
    lazy_weight,
    mixed,
    r1,
    r2,
)
from ganvas.networks.patchgan import PatchDiscriminator

PENALTIES: dict[str, Callable[[Discriminator, Tensor, Tensor], Tensor]] = {
    "gp": gradient_penalty,
    "gp at real": partial(gradient_penalty, at="real"),
    "gp at fake": partial(gradient_penalty, at="fake"),
    "gp towards 3": partial(gradient_penalty, target=3.0),
    "r1": lambda D, real, fake: r1(D, real),
    "r2": lambda D, real, fake: r2(D, fake),
}
EVERY_PENALTY = pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)
AT = pytest.mark.parametrize("at", ["mixed", "real", "fake"])


class Linear(nn.Module):
    """D(x) = <w, x> + 3: its gradient is w everywhere."""

    def __init__(self, w: Tensor) -> None:
        super().__init__()
        self.w = nn.Parameter(w)

    def forward(self, x: Tensor) -> Tensor:
        return (self.w * x).sum((1, 2, 3))[:, None] + 3


class Quadratic(nn.Module):
    """D(x) = a |x|^2 / 2: its gradient is a x. It keeps what it has seen."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a))
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.detach())
        return self.a * x.square().sum((1, 2, 3))[:, None] / 2


def smooth(patches: bool = True) -> nn.Module:
    """A small discriminator with as many derivatives as one likes."""
    net = [nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Conv2d(3, 1, 3)]
    return nn.Sequential(*net) if patches else nn.Sequential(*net, nn.Flatten(), nn.Linear(4, 1))


def pictures(n: int, channels: int = 2, size: int = 6) -> tuple[Tensor, Tensor]:
    """Real and generated ones in [-1, 1]."""
    generator = torch.Generator().manual_seed(0)
    real, fake = 2 * torch.rand(2, n, channels, size, size, generator=generator) - 1
    return real, fake


def norms(x: Tensor) -> Tensor:
    return x.flatten(1).square().sum(1).sqrt()


def flat_gradients(loss: Tensor, network: nn.Module) -> Tensor:
    """By all parameters, in one vector; 0 by those that the loss does not know."""
    found = torch.autograd.grad(loss, list(network.parameters()), materialize_grads=True)
    return torch.cat([g.flatten() for g in found])


@AT
@pytest.mark.parametrize("target", [0.5, 1.0, 750.0])
def test_a_linear_discriminator_is_penalised_for_the_norm_of_its_weight(at: Where, target):
    real, fake = pictures(3)
    D = Linear(torch.randn(2, 6, 6, generator=torch.Generator().manual_seed(1)))
    w, length = D.w.detach(), D.w.detach().norm()

    penalty = gradient_penalty(D, real, fake, target, at)
    torch.testing.assert_close(penalty.detach(), (length - target) ** 2 / target**2)
    (by_w,) = torch.autograd.grad(penalty, D.w)
    torch.testing.assert_close(by_w, 2 * (length - target) / target**2 * w / length)


def test_r1_and_r2_of_a_linear_discriminator_are_half_its_weights_square():
    real, fake = pictures(3)
    D = Linear(torch.randn(2, 6, 6, generator=torch.Generator().manual_seed(1)))
    for penalty in (r1(D, real), r2(D, fake)):
        torch.testing.assert_close(penalty.detach(), D.w.detach().square().sum() / 2)
        torch.testing.assert_close(torch.autograd.grad(penalty, D.w)[0], D.w.detach())


def test_a_quadratic_discriminator_is_penalised_where_the_pictures_are():
    (real, fake), a = pictures(3), 0.7
    D = Quadratic(a)
    torch.testing.assert_close(input_gradients(D, real).detach(), a * real)
    for penalty, x in ((r1(D, real), real), (r2(D, fake), fake)):
        torch.testing.assert_close(penalty.detach(), a**2 / 2 * norms(x).square().mean())
        by_a = torch.autograd.grad(penalty, D.a)[0]
        torch.testing.assert_close(by_a, a * norms(x).square().mean())
    at_real = gradient_penalty(D, real, fake, 2.0, at="real")
    at_fake = gradient_penalty(D, real, fake, 2.0, at="fake")
    for penalty, x in ((at_real, real), (at_fake, fake)):
        torch.testing.assert_close(penalty.detach(), (a * norms(x) - 2).square().mean() / 4)
        by_a = torch.autograd.grad(penalty, D.a)[0]
        torch.testing.assert_close(by_a, (2 * (a * norms(x) - 2) * norms(x)).mean() / 4)


def test_only_the_mixed_penalty_wants_as_many_real_pictures_as_generated_ones():
    real, fake = pictures(3)
    assert gradient_penalty(Quadratic(1.0), real[:2], fake, at="real").isfinite()
    assert gradient_penalty(Quadratic(1.0), real[:2], fake, at="fake").isfinite()
    with pytest.raises(RuntimeError, match="size"):
        gradient_penalty(Quadratic(1.0), real[:2], fake)


def test_the_mixed_penalty_looks_at_one_point_of_each_line_between_pictures():
    D, (real, fake) = Quadratic(1.0), pictures(5)
    penalty = gradient_penalty(D, real, fake)
    (x,) = D.seen
    along = ((x - real) / (fake - real)).flatten(1)
    u = along.median(1, keepdim=True).values
    assert ((u > 0) & (u < 1)).all()
    assert len(u.unique()) == 5
    torch.testing.assert_close(x, torch.lerp(real, fake, u[:, :, None, None]))
    torch.testing.assert_close(penalty.detach(), (norms(x) - 1).square().mean())


def test_mixtures_are_uniform_and_follow_from_the_seed():
    real, fake = torch.zeros(4000, 1, 1, 1), torch.ones(4000, 1, 1, 1)
    torch.manual_seed(3)
    u = mixed(real, fake).flatten()
    shares = torch.histc(u, bins=4, min=0, max=1) / 4000
    torch.testing.assert_close(shares, torch.full((4,), 0.25), rtol=0, atol=0.03)
    assert not mixed(real, fake).flatten().equal(u)
    torch.manual_seed(3)
    assert mixed(real, fake).flatten().equal(u)


@EVERY_PENALTY
def test_a_score_given_for_many_patches_is_penalised_as_if_given_once(penalty):
    def patched(x: Tensor) -> Tensor:
        return D(x)[:, :, None, None].expand(-1, 1, 3, 5)

    D, (real, fake) = Quadratic(0.7), pictures(3)
    torch.manual_seed(0)
    once = penalty(D, real, fake)
    torch.manual_seed(0)
    torch.testing.assert_close(penalty(patched, real, fake), once)


def test_a_pictures_score_is_the_mean_over_its_patches():
    D, (x, _) = nn.Conv2d(2, 1, 1), pictures(3)
    wanted = D.weight.detach().expand(3, 2, 6, 6) / 36
    torch.testing.assert_close(input_gradients(D, x).detach(), wanted)


@EVERY_PENALTY
@pytest.mark.parametrize("kind", ["smooth", "one score", "PatchGAN"])
def test_second_derivatives_are_those_of_finite_differences(penalty, kind):
    torch.manual_seed(0)
    D, (real, fake) = {
        "smooth": (smooth(), pictures(2)),
        "one score": (smooth(patches=False), pictures(2)),
        "PatchGAN": (PatchDiscriminator(2, 2, 1), pictures(2, size=12)),
    }[kind]
    names, parameters = zip(*D.double().named_parameters(), strict=True)

    def of(*values: Tensor) -> Tensor:
        torch.manual_seed(1)
        weights = dict(zip(names, values, strict=True))
        return penalty(lambda x: functional_call(D, weights, x), real.double(), fake.double())

    assert gradcheck(of, parameters, fast_mode=True, atol=1e-8)


@pytest.mark.parametrize("penalty", [r1, lambda D, x: gradient_penalty(D, x, x, at="real")])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("n", [1, 3])
def test_second_derivatives_of_a_patchgan_are_right_in_every_memory_format(penalty, layout, n):
    torch.manual_seed(0)
    D, (x, _) = PatchDiscriminator(3, 4, 2), pictures(n, channels=3, size=24)
    exact = deepcopy(D).double()
    D.to(memory_format=layout)
    found = flat_gradients(penalty(D, x.contiguous(memory_format=layout)), D)
    wanted = flat_gradients(penalty(exact, x.double()), exact)
    assert (found - wanted).norm() < 1e-4 * wanted.norm()


@EVERY_PENALTY
def test_penalties_are_float32_inside_autocast(penalty):
    torch.manual_seed(0)
    D, (real, fake) = smooth(patches=False), pictures(2)
    real, fake = real.bfloat16(), fake.bfloat16()
    torch.manual_seed(1)
    wanted = penalty(D, real.float(), fake.float())
    torch.manual_seed(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert D(real).dtype == torch.bfloat16
        found = penalty(D, real, fake)
    assert found.dtype == torch.float32
    assert found.isfinite()
    assert found.equal(wanted)
    assert flat_gradients(found, D).equal(flat_gradients(wanted, D))


@EVERY_PENALTY
def test_penalties_move_the_discriminator_and_not_the_generator(penalty):
    torch.manual_seed(0)
    (real, z), G, D = pictures(2), nn.Conv2d(2, 2, 1), smooth()
    fake = G(z)
    penalty(D, real, fake).backward()
    assert all(p.grad is None for p in G.parameters())
    assert not real.requires_grad
    moved = [p.grad is not None and bool(p.grad.any()) for p in D.parameters()]
    assert moved == [True, True, True, False]  # the last bias shifts all scores alike


@pytest.mark.parametrize("target", [1.0, 750.0])
def test_a_discriminator_that_says_the_same_of_all_has_finite_gradients(target):
    D, (real, fake) = Linear(torch.zeros(2, 6, 6)), pictures(2)
    penalty = gradient_penalty(D, real, fake, target)
    assert penalty.item() == pytest.approx(1)
    assert torch.autograd.grad(penalty, D.w)[0].equal(torch.zeros(2, 6, 6))


@pytest.mark.parametrize("shape", [(2, 1), (1, 1, 1, 2)])
def test_drift_is_the_mean_square_of_scores(shape):
    scores = torch.tensor([3.0, -1.0]).reshape(shape).requires_grad_()
    penalty = drift(scores)
    assert penalty.item() == pytest.approx(5)
    assert torch.autograd.grad(penalty, scores)[0].flatten().tolist() == [3.0, -1.0]
    assert drift(scores.bfloat16()).dtype == torch.float32


def test_clipping_bounds_the_weights_of_all_networks_and_leaves_small_ones():
    networks = [nn.Linear(2, 1), nn.Conv2d(1, 1, 1)]
    with torch.no_grad():
        networks[0].weight.copy_(torch.tensor([[-0.5, 0.004]]))
        networks[0].bias.fill_(0.02)
        networks[1].weight.fill_(-0.003)
        networks[1].bias.fill_(7)
    clip_weights(0.01, *networks)
    clipped = torch.cat([p.detach().flatten() for net in networks for p in net.parameters()])
    torch.testing.assert_close(clipped, torch.tensor([-0.01, 0.004, 0.01, -0.003, 0.01]))
    assert all(p.requires_grad and p.is_leaf for net in networks for p in net.parameters())


@given(every=st.integers(1, 64), begin=st.integers(0, 10**6))
def test_a_lazy_penalty_weighs_as_much_as_one_in_each_descent(every, begin):
    weights = [lazy_weight(count, every) for count in range(begin, begin + every)]
    assert sum(weights) == every
    assert sum(w != 0 for w in weights) == 1
    assert lazy_weight(0, every) == every


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("penalty", ["gp", "r1", "r2", "drift"])
def test_every_penalty_reaches_the_discriminator_with_every_objective(name, penalty):
    torch.manual_seed(0)
    D, (real, fake) = PatchDiscriminator(3, 4, 2), pictures(2, channels=3, size=24)

    def step(weight: float) -> Tensor:
        real_scores, fake_scores = D(real), D(fake)
        loss = OBJECTIVES[name].discriminator(real_scores, fake_scores)
        term = drift(real_scores) if penalty == "drift" else PENALTIES[penalty](D, real, fake)
        return flat_gradients(loss + weight * term, D)

    without, with_it = step(0), step(10)
    assert with_it.isfinite().all()
    assert (with_it - without).norm() > 1e-3 * without.norm()
