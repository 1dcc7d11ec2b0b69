"""StyleGAN's nine losses by their names, of pictures (Karras et al. 2019; `training/loss.py` of the
published code has the names, weights and defaults).

Each is the mean over the batch, a scalar. Discriminators' losses (D_...) leave no gradient in the
generator. `ganvas.losses.objectives` and `ganvas.losses.penalties` have their parts.
"""

from torch import Tensor

from ganvas.losses.objectives import (
    hinge_discriminator,
    logistic_discriminator,
    logistic_generator,
    saturating_generator,
    wgan_discriminator,
    wgan_generator,
)
from ganvas.losses.penalties import Discriminator, drift, gradient_penalty, r1, r2


def G_wgan(D: Discriminator, fake: Tensor) -> Tensor:
    """-E[D(G(z))]; D_hinge's other half as well."""
    return wgan_generator(D(fake))


def D_wgan(D: Discriminator, real: Tensor, fake: Tensor, wgan_epsilon: float = 0.001) -> Tensor:
    """E[D(G(z))] - E[D(x)] + epsilon E[D(x)^2]."""
    real_scores = D(real)
    loss = wgan_discriminator(real_scores, D(fake.detach()))
    return loss + wgan_epsilon * drift(real_scores)


def D_wgan_gp(
    D: Discriminator,
    real: Tensor,
    fake: Tensor,
    wgan_lambda: float = 10.0,
    wgan_epsilon: float = 0.001,
    wgan_target: float = 1.0,
) -> Tensor:
    """D_wgan + lambda / target^2 E[(|grad D(x^)| - target)^2], x^ between real and generated."""
    penalty = gradient_penalty(D, real, fake, wgan_target)
    return D_wgan(D, real, fake, wgan_epsilon) + wgan_lambda * penalty


def D_hinge(D: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
    """E[max(0, 1 + D(G(z)))] + E[max(0, 1 - D(x))]."""
    return hinge_discriminator(D(real), D(fake.detach()))


def D_hinge_gp(
    D: Discriminator,
    real: Tensor,
    fake: Tensor,
    wgan_lambda: float = 10.0,
    wgan_target: float = 1.0,
) -> Tensor:
    """D_hinge + lambda / target^2 E[(|grad D(x^)| - target)^2], x^ between real and generated."""
    penalty = gradient_penalty(D, real, fake, wgan_target)
    return D_hinge(D, real, fake) + wgan_lambda * penalty


def G_logistic_saturating(D: Discriminator, fake: Tensor) -> Tensor:
    """-E[softplus(D(G(z)))]."""
    return saturating_generator(D(fake))


def G_logistic_nonsaturating(D: Discriminator, fake: Tensor) -> Tensor:
    """E[softplus(-D(G(z)))]."""
    return logistic_generator(D(fake))


def D_logistic(D: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
    """E[softplus(D(G(z)))] + E[softplus(-D(x))]."""
    return logistic_discriminator(D(real), D(fake.detach()))


def D_logistic_simplegp(
    D: Discriminator, real: Tensor, fake: Tensor, r1_gamma: float = 10.0, r2_gamma: float = 0.0
) -> Tensor:
    """D_logistic + r1_gamma / 2 E[|grad D(x)|^2] + r2_gamma / 2 E[|grad D(G(z))|^2]; a penalty
    whose gamma is 0 is not computed."""
    loss = D_logistic(D, real, fake)
    if r1_gamma != 0:
        loss = loss + r1_gamma * r1(D, real)
    if r2_gamma != 0:
        loss = loss + r2_gamma * r2(D, fake)
    return loss
