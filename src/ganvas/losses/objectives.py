"""Adversarial losses: each a pair of functions of scores, for the generator and for the
discriminator. Scores are raw (no sigmoid), of any shape, (N, 1) or (N, 1, h, w); losses are
scalars in float32 or better, and all are there to be minimised."""

from collections.abc import Callable
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from ganvas.losses import full


class Objective(NamedTuple):
    """How the scores of generated and real pictures become losses (scalars)."""

    generator: Callable[..., Tensor]
    """Of the scores of generated pictures: generator(fake); or generator(fake, real)."""
    discriminator: Callable[..., Tensor]
    """Of the scores of real and of generated pictures: the sum of both halves."""
    relativistic: bool = False
    """Whether the generator's half wants the scores of real pictures as well."""
    labels: tuple[str, ...] = ()
    """Keywords that can be given: generator_label to the generator's half, real_label and
    fake_label to the discriminator's."""
    parts: tuple[Callable[..., Tensor], Callable[..., Tensor]] | None = None
    """What the discriminator's half is the sum of: of the scores of real pictures, which takes
    real_label, and of generated ones, which takes fake_label. None where it compares the two."""


def lsgan_generator(fake: Tensor, generator_label: float = 1.0) -> Tensor:
    """E[(D(G(z)) - c)^2]  (Mao et al. 2017, eq. 2, without its factor 1/2, as in CycleGAN)."""
    return (full(fake) - generator_label).square().mean()


def lsgan_real(real: Tensor, real_label: float = 1.0) -> Tensor:
    """E[(D(x) - b)^2]."""
    return (full(real) - real_label).square().mean()


def lsgan_fake(fake: Tensor, fake_label: float = 0.0) -> Tensor:
    """E[(D(G(z)) - a)^2]."""
    return (full(fake) - fake_label).square().mean()


def lsgan_discriminator(
    real: Tensor, fake: Tensor, real_label: float = 1.0, fake_label: float = 0.0
) -> Tensor:
    """E[(D(x) - b)^2] + E[(D(G(z)) - a)^2]  (Mao et al. 2017, eq. 2): b is the real label, a
    the fake one."""
    return lsgan_real(real, real_label) + lsgan_fake(fake, fake_label)


def cross_entropy(scores: Tensor, label: float) -> Tensor:
    """-E[t log sigmoid(s) + (1 - t) log(1 - sigmoid(s))] for the label t in [0, 1]."""
    s = full(scores)
    # Exact at both ends, where the usual form, softplus(-s) + (1 - t) s, cancels at t = 0.
    return (label * F.softplus(-s) + (1 - label) * F.softplus(s)).mean()


def vanilla_generator(fake: Tensor, generator_label: float = 1.0) -> Tensor:
    """-E[log sigmoid(D(G(z)))], non-saturating  (Goodfellow et al. 2014, section 3)."""
    return cross_entropy(fake, generator_label)


def vanilla_real(real: Tensor, real_label: float = 1.0) -> Tensor:
    """-E[log sigmoid(D(x))]."""
    return cross_entropy(real, real_label)


def vanilla_fake(fake: Tensor, fake_label: float = 0.0) -> Tensor:
    """-E[log(1 - sigmoid(D(G(z))))]."""
    return cross_entropy(fake, fake_label)


def vanilla_discriminator(
    real: Tensor, fake: Tensor, real_label: float = 1.0, fake_label: float = 0.0
) -> Tensor:
    """-E[log sigmoid(D(x))] - E[log(1 - sigmoid(D(G(z))))]  (Goodfellow et al. 2014, eq. 1).

    A real label of 0.9 is one-sided label smoothing (Salimans et al. 2016, section 3.4)."""
    return vanilla_real(real, real_label) + vanilla_fake(fake, fake_label)


def logistic_generator(fake: Tensor) -> Tensor:
    """E[softplus(-D(G(z)))]: vanilla's without a label."""
    return F.softplus(-full(fake)).mean()


def saturating_generator(fake: Tensor) -> Tensor:
    """E[log(1 - sigmoid(D(G(z))))] = -E[softplus(D(G(z)))]: the game's own zero-sum half, whose
    gradient fades where D is sure  (Goodfellow et al. 2014, eq. 1)."""
    return -F.softplus(full(fake)).mean()


def logistic_real(real: Tensor) -> Tensor:
    """E[softplus(-D(x))]."""
    return F.softplus(-full(real)).mean()


def logistic_fake(fake: Tensor) -> Tensor:
    """E[softplus(D(G(z)))]."""
    return F.softplus(full(fake)).mean()


def logistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E[softplus(-D(x))] + E[softplus(D(G(z)))]: vanilla's without labels."""
    return logistic_real(real) + logistic_fake(fake)


def wgan_generator(fake: Tensor) -> Tensor:
    """-E[D(G(z))]  (Arjovsky et al. 2017, algorithm 1)."""
    return -full(fake).mean()


def wgan_real(real: Tensor) -> Tensor:
    """-E[D(x)]."""
    return -full(real).mean()


def wgan_fake(fake: Tensor) -> Tensor:
    """E[D(G(z))]."""
    return full(fake).mean()


def wgan_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E[D(G(z))] - E[D(x)]  (Arjovsky et al. 2017, algorithm 1): it has no minimum unless D's
    slope is bounded, by `gradient_penalty` or `clip_weights`."""
    return wgan_fake(fake) + wgan_real(real)


def hinge_real(real: Tensor) -> Tensor:
    """E[max(0, 1 - D(x))]."""
    return F.relu(1 - full(real)).mean()


def hinge_fake(fake: Tensor) -> Tensor:
    """E[max(0, 1 + D(G(z)))]."""
    return F.relu(1 + full(fake)).mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]  (Lim and Ye 2017; Miyato et al. 2018, eq. 16).

    Its generator's half is wgan's (eq. 17)."""
    return hinge_real(real) + hinge_fake(fake)


def rpgan_generator(fake: Tensor, real: Tensor) -> Tensor:
    """E[softplus(D(x) - D(G(z)))], the i-th real picture with the i-th generated one
    (Jolicoeur-Martineau 2019; R3GAN, Huang et al. 2024, eq. 2)."""
    return F.softplus(full(real) - full(fake)).mean()


def rpgan_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E[softplus(D(G(z)) - D(x))], the i-th real picture with the i-th generated one
    (Jolicoeur-Martineau 2019; R3GAN, Huang et al. 2024, eq. 2)."""
    return F.softplus(full(fake) - full(real)).mean()


OBJECTIVES: dict[str, Objective] = {
    "lsgan": Objective(
        lsgan_generator,
        lsgan_discriminator,
        labels=("real_label", "fake_label", "generator_label"),
        parts=(lsgan_real, lsgan_fake),
    ),
    "vanilla": Objective(
        vanilla_generator,
        vanilla_discriminator,
        labels=("real_label", "fake_label", "generator_label"),
        parts=(vanilla_real, vanilla_fake),
    ),
    "vanilla-saturating": Objective(
        saturating_generator,
        vanilla_discriminator,
        labels=("real_label", "fake_label"),
        parts=(vanilla_real, vanilla_fake),
    ),
    "wgan": Objective(wgan_generator, wgan_discriminator, parts=(wgan_real, wgan_fake)),
    "hinge": Objective(wgan_generator, hinge_discriminator, parts=(hinge_real, hinge_fake)),
    "logistic": Objective(
        logistic_generator, logistic_discriminator, parts=(logistic_real, logistic_fake)
    ),
    "logistic-saturating": Objective(
        saturating_generator, logistic_discriminator, parts=(logistic_real, logistic_fake)
    ),
    "rpgan": Objective(rpgan_generator, rpgan_discriminator, relativistic=True),
}
