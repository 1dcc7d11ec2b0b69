"""Adversarial losses: each a pair of functions of scores, for the generator and for the
discriminator. Scores are raw (no sigmoid), of any shape."""

from collections.abc import Callable
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from ganvas.losses import full


class Objective(NamedTuple):
    """How the scores of generated and real pictures become losses (scalars)."""

    generator: Callable[[Tensor], Tensor]
    """Of the scores of generated pictures."""
    discriminator: Callable[[Tensor, Tensor], Tensor]
    """Of the scores of real and of generated pictures: the sum of both halves."""


def lsgan_generator(fake: Tensor) -> Tensor:
    """E[(D(G(z)) - 1)^2]  (Mao et al. 2017, eq. 9, without its factor 1/2, as in CycleGAN)."""
    return (full(fake) - 1).square().mean()


def lsgan_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E[(D(x) - 1)^2] + E[D(G(z))^2]  (Mao et al. 2017, eq. 9)."""
    return (full(real) - 1).square().mean() + full(fake).square().mean()


def vanilla_generator(fake: Tensor) -> Tensor:
    """-E[log sigmoid(D(G(z)))], non-saturating  (Goodfellow et al. 2014, section 3)."""
    return F.softplus(-full(fake)).mean()


def vanilla_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-E[log sigmoid(D(x))] - E[log(1 - sigmoid(D(G(z))))]  (Goodfellow et al. 2014, eq. 1)."""
    return F.softplus(-full(real)).mean() + F.softplus(full(fake)).mean()


OBJECTIVES: dict[str, Objective] = {
    "lsgan": Objective(lsgan_generator, lsgan_discriminator),
    "vanilla": Objective(vanilla_generator, vanilla_discriminator),
}
