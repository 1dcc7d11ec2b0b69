"""Objectives against closed forms."""

import math

import pytest
import torch

from ganvas.losses.objectives import OBJECTIVES
from ganvas.losses.reconstruction import l1

SHAPES = [(4, 1), (2, 1, 3, 5)]


@pytest.mark.parametrize("shape", SHAPES)
def test_lsgan_is_the_squared_distance_to_one_and_zero(shape):
    real, fake = torch.full(shape, 0.7), torch.full(shape, 0.2)
    assert OBJECTIVES["lsgan"].generator(fake).item() == pytest.approx(0.64)
    assert OBJECTIVES["lsgan"].discriminator(real, fake).item() == pytest.approx(0.09 + 0.04)


@pytest.mark.parametrize("shape", SHAPES)
def test_vanilla_is_the_cross_entropy_of_the_sigmoid(shape):
    real, fake = torch.full(shape, 1.3), torch.full(shape, -0.4)

    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    assert OBJECTIVES["vanilla"].generator(fake).item() == pytest.approx(-math.log(sigmoid(-0.4)))
    wanted = -math.log(sigmoid(1.3)) - math.log(1 - sigmoid(-0.4))
    assert OBJECTIVES["vanilla"].discriminator(real, fake).item() == pytest.approx(wanted)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_generators_are_driven_towards_higher_scores_and_discriminators_apart(name):
    fake = torch.zeros(3, 1, requires_grad=True)
    OBJECTIVES[name].generator(fake).backward()
    assert fake.grad is not None
    assert (fake.grad < 0).all()
    real, fake = torch.zeros(3, 1, requires_grad=True), torch.full((3, 1), 0.5, requires_grad=True)
    OBJECTIVES[name].discriminator(real, fake).backward()
    assert real.grad is not None
    assert fake.grad is not None
    assert (real.grad < 0).all()
    assert (fake.grad > 0).all()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_of_half_precision_scores_are_float32(name):
    half = torch.randn(4, 1).bfloat16()
    assert OBJECTIVES[name].generator(half).dtype == torch.float32
    assert OBJECTIVES[name].discriminator(half, half).dtype == torch.float32
    assert l1(half, half).dtype == torch.float32
