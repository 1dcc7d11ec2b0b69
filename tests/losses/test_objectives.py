"""Objectives against closed forms, worked out by hand for one score, and finite differences."""

import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ganvas.losses.objectives import OBJECTIVES
from ganvas.losses.reconstruction import l1

SHAPES = [(4, 1), (2, 1, 3, 5)]
NAMES = pytest.mark.parametrize("name", OBJECTIVES)


def sigmoid(s: float) -> float:
    return 1 / (1 + math.exp(-s))


def softplus(s: float) -> float:
    return math.log(1 + math.exp(s))


class Closed(NamedTuple):
    """An objective of a real score r and a generated one f, and its derivatives."""

    generator: Callable[[float, float], float]
    generator_by_fake: Callable[[float, float], float]
    discriminator: Callable[[float, float], float]
    discriminator_by_real: Callable[[float, float], float]
    discriminator_by_fake: Callable[[float, float], float]


VANILLA_D = (
    lambda r, f: -math.log(sigmoid(r)) - math.log(1 - sigmoid(f)),
    lambda r, f: sigmoid(r) - 1,
    lambda r, f: sigmoid(f),
)
NON_SATURATING = (lambda r, f: -math.log(sigmoid(f)), lambda r, f: sigmoid(f) - 1)
SATURATING = (lambda r, f: math.log(1 - sigmoid(f)), lambda r, f: -sigmoid(f))
WGAN = (lambda r, f: -f, lambda r, f: -1.0)

CLOSED = {
    "lsgan": Closed(
        lambda r, f: (f - 1) ** 2,
        lambda r, f: 2 * (f - 1),
        lambda r, f: (r - 1) ** 2 + f**2,
        lambda r, f: 2 * (r - 1),
        lambda r, f: 2 * f,
    ),
    "vanilla": Closed(*NON_SATURATING, *VANILLA_D),
    "vanilla-saturating": Closed(*SATURATING, *VANILLA_D),
    "wgan": Closed(*WGAN, lambda r, f: f - r, lambda r, f: -1.0, lambda r, f: 1.0),
    "hinge": Closed(
        *WGAN,
        lambda r, f: max(0, 1 - r) + max(0, 1 + f),
        lambda r, f: -1.0 if r < 1 else 0.0,
        lambda r, f: 1.0 if f > -1 else 0.0,
    ),
    "logistic": Closed(*NON_SATURATING, *VANILLA_D),
    "logistic-saturating": Closed(*SATURATING, *VANILLA_D),
    "rpgan": Closed(
        lambda r, f: softplus(r - f),
        lambda r, f: sigmoid(f - r) - 1,
        lambda r, f: softplus(f - r),
        lambda r, f: sigmoid(r - f) - 1,
        lambda r, f: sigmoid(f - r),
    ),
}


def generator_loss(name: str, fake: Tensor, real: Tensor, **labels: float) -> Tensor:
    objective = OBJECTIVES[name]
    scores = (fake, real) if objective.relativistic else (fake,)
    return objective.generator(*scores, **labels)


def gradients(loss: Tensor, *scores: Tensor) -> tuple[Tensor, ...]:
    """The loss's gradients by these scores, 0 by those that it does not look at."""
    return torch.autograd.grad(loss, scores, materialize_grads=True)


def scores_of(
    shape: tuple[int, ...], seed: int = 0, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """Real and generated scores on both sides of every bend, and not too near to one."""
    noise = 2 * torch.randn(2, *shape, generator=torch.Generator().manual_seed(seed)).to(dtype)
    near = (noise.abs() - 1).abs() < 0.05
    real, fake = torch.where(near, 1.5 * noise, noise)
    return real.requires_grad_(), fake.requires_grad_()


def test_the_catalogue_is_whole():
    assert set(OBJECTIVES) == set(CLOSED)
    assert [name for name, o in OBJECTIVES.items() if o.relativistic] == ["rpgan"]


@NAMES
@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_are_those_of_the_closed_form(name, shape):
    closed, (real, fake) = CLOSED[name], scores_of(shape)
    pairs = list(zip(real.flatten().tolist(), fake.flatten().tolist(), strict=True))

    def mean(of: Callable[[float, float], float]) -> float:
        return sum(of(r, f) for r, f in pairs) / len(pairs)

    def each(of: Callable[[float, float], float]) -> Tensor:
        return torch.tensor([of(r, f) / len(pairs) for r, f in pairs]).reshape(shape)

    loss = generator_loss(name, fake, real)
    assert loss.shape == ()
    assert loss.item() == pytest.approx(mean(closed.generator), rel=1e-5)
    torch.testing.assert_close(gradients(loss, fake)[0], each(closed.generator_by_fake))

    loss = OBJECTIVES[name].discriminator(real, fake)
    assert loss.shape == ()
    assert loss.item() == pytest.approx(mean(closed.discriminator), rel=1e-5)
    by_real, by_fake = gradients(loss, real, fake)
    torch.testing.assert_close(by_real, each(closed.discriminator_by_real))
    torch.testing.assert_close(by_fake, each(closed.discriminator_by_fake))


@NAMES
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_those_of_finite_differences(name, shape):
    real, fake = scores_of(shape, dtype=torch.float64)
    assert torch.autograd.gradcheck(partial(generator_loss, name), (fake, real.detach()))
    assert torch.autograd.gradcheck(OBJECTIVES[name].discriminator, (real, fake))


@given(label=st.floats(0, 1), real=st.floats(-8, 8), fake=st.floats(-8, 8))
@pytest.mark.parametrize("name", ["lsgan", "vanilla", "vanilla-saturating"])
def test_each_label_is_where_its_half_wants_the_scores(name, label, real, fake):
    """A half's gradient is the distance to the label: of the score for least squares (twice), of
    its sigmoid for cross entropy."""
    real, fake = torch.tensor([[real]]).requires_grad_(), torch.tensor([[fake]]).requires_grad_()
    objective = OBJECTIVES[name]

    def distance(score: Tensor, target: float) -> Tensor:
        squares = name == "lsgan"
        return (2 * (score - target) if squares else torch.sigmoid(score) - target).detach()

    def close(gradient: Tensor, wanted: Tensor) -> None:
        torch.testing.assert_close(gradient, wanted, rtol=1e-5, atol=1e-6)

    by_real, by_fake = gradients(objective.discriminator(real, fake, real_label=label), real, fake)
    close(by_real, distance(real, label))
    close(by_fake, distance(fake, 0))
    by_real, by_fake = gradients(objective.discriminator(real, fake, fake_label=label), real, fake)
    close(by_real, distance(real, 1))
    close(by_fake, distance(fake, label))
    if "generator_label" in objective.labels:
        (by_fake,) = gradients(objective.generator(fake, generator_label=label), fake)
        close(by_fake, distance(fake, label))


@NAMES
def test_the_labels_named_are_the_keywords_taken(name):
    objective = OBJECTIVES[name]
    halves = (objective.discriminator, objective.generator)
    keywords = [word for half in halves for word in inspect.signature(half).parameters]
    assert tuple(word for word in keywords if word not in ("real", "fake")) == objective.labels


@NAMES
def test_the_parts_of_a_discriminators_half_take_one_label_each_and_add_up(name):
    objective, (real, fake) = OBJECTIVES[name], scores_of((4, 1))
    assert (objective.parts is None) == objective.relativistic
    if objective.parts is None:
        return
    labels = {"real_label": 0.8, "fake_label": 0.1} if objective.labels else {}
    parts = [
        part(scores, **({word: labels[word]} if labels else {}))
        for part, scores, word in zip(objective.parts, (real, fake), labels or "rf", strict=True)
    ]
    assert objective.discriminator(real, fake, **labels).equal(parts[0] + parts[1])
    assert gradients(parts[0], fake)[0].count_nonzero() == 0


@given(real=st.floats(-200, 200, width=32), fake=st.floats(-200, 200, width=32))
def test_vanilla_with_hard_labels_is_softplus_to_the_bit(real, fake):
    real, fake = torch.tensor([[real]]).requires_grad_(), torch.tensor([[fake]]).requires_grad_()
    pairs = [
        (OBJECTIVES["vanilla"].generator(fake), F.softplus(-fake).mean()),
        (
            OBJECTIVES["vanilla"].discriminator(real, fake),
            F.softplus(-real).mean() + F.softplus(fake).mean(),
        ),
    ]
    for loss, wanted in pairs:
        assert loss.equal(wanted)
        assert gradients(loss, fake)[0].equal(gradients(wanted, fake)[0])


def test_rpgan_pairs_the_ith_real_score_with_the_ith_generated_one():
    real, fake = torch.tensor([[50.0], [-50.0]]), torch.tensor([[40.0], [-60.0]])
    paired = OBJECTIVES["rpgan"].discriminator(real, fake)
    crossed = OBJECTIVES["rpgan"].discriminator(real, fake.flip(0))
    assert paired.item() == pytest.approx(softplus(-10))
    assert crossed.item() == pytest.approx(90 / 2)  # one pair is 110 apart, the other -90


@NAMES
def test_generators_are_driven_towards_higher_scores_and_discriminators_apart(name):
    real, fake = torch.zeros(3, 1, requires_grad=True), torch.full((3, 1), 0.5, requires_grad=True)
    (by_fake,) = gradients(generator_loss(name, fake, real), fake)
    assert (by_fake < 0).all()
    by_real, by_fake = gradients(OBJECTIVES[name].discriminator(real, fake), real, fake)
    assert (by_real < 0).all()
    assert (by_fake > 0).all()


@NAMES
@given(real=st.floats(-1e4, 1e4, width=32), fake=st.floats(-1e4, 1e4, width=32))
def test_far_scores_give_finite_losses_and_gradients(name, real, fake):
    real, fake = torch.tensor([[real]]).requires_grad_(), torch.tensor([[fake]]).requires_grad_()
    for loss in (generator_loss(name, fake, real), OBJECTIVES[name].discriminator(real, fake)):
        assert loss.isfinite()
        assert all(g.isfinite() for g in gradients(loss, real, fake))


@NAMES
@pytest.mark.parametrize("shape", SHAPES)
def test_losses_of_half_precision_scores_are_float32(name, shape):
    real, fake = (s.detach().bfloat16() for s in scores_of(shape))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        of_halves = generator_loss(name, fake, real), OBJECTIVES[name].discriminator(real, fake)
        assert l1(real, fake).dtype == torch.float32
    real, fake = real.float(), fake.float()
    wanted = generator_loss(name, fake, real), OBJECTIVES[name].discriminator(real, fake)
    for loss, exact in zip(of_halves, wanted, strict=True):
        assert loss.dtype == torch.float32
        assert loss.equal(exact)
