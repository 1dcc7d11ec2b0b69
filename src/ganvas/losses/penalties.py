"""Penalties on a discriminator: on its gradients by the pixels, on its scores, on its weights.

D is any callable from pictures (N, C, H, W) to raw scores, (N, 1) or (N, 1, h, w). A picture's
score is the mean of its patches' scores: the number that the objectives average, and StyleGAN's
where there is one score a picture. pytorch-CycleGAN-and-pix2pix has a `cal_gradient_penalty`, which
it never calls, that sums over the patches: a norm h * w times as large, so that one weight would
mean something else at every number of patches.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from ganvas import chance
from ganvas.losses import full

Discriminator = Callable[[Tensor], Tensor]
"""Pictures (N, C, H, W) to raw scores, (N, 1) or (N, 1, h, w)."""
Where = Literal["mixed", "real", "fake"]
"""Pictures at which a gradient penalty is taken."""


def input_gradients(D: Discriminator, x: Tensor, part: float = 1.0) -> Tensor:
    """The gradient of each picture's score by its pixels, (N, C, H, W), itself differentiable by
    D's parameters. Nothing flows back to where x came from.

    `part` is for pictures x at a part of their full size, by which a network that grows is trained:
    1/k where a pixel stands for k x k equal ones. The gradient by all of these is that by their
    mean over k * k, for each: its norm is 1/k of that by x. The answer is multiplied by `part`, so
    that penalties are those of full pictures at any size.

    It is the gradient of the batch's sum of scores: each picture's own, but for what couples
    pictures inside D (batch norm, minibatch deviation). In float32 also under autocast.
    """
    with torch.autocast(x.device.type, enabled=False):
        x = full(x).detach().requires_grad_()
        scores = D(x).flatten(1).mean(1)
        gradients = torch.autograd.grad(scores.sum(), x, create_graph=True)[0]
        return gradients if part == 1 else gradients * part


def mixed(real: Tensor, fake: Tensor) -> Tensor:
    """A point drawn uniformly from the line between each pair of pictures, (N, C, H, W)."""
    real, fake = full(real), full(fake)
    u = chance.rand(len(real), 1, 1, 1, dtype=real.dtype, device=real.device)
    return torch.lerp(real, fake, u)


def gradient_penalty(
    D: Discriminator,
    real: Tensor,
    fake: Tensor,
    target: float = 1.0,
    at: Where = "mixed",
    part: float = 1.0,
) -> Tensor:
    """E[(|grad D(x^)| - target)^2] / target^2, a scalar; the norm is over C, H, W and target above
    0  (Gulrajani et al. 2017, eq. 3; with a target, Karras et al. 2018).

    x^ lies between real and generated pictures, of which there must be as many of the one as of
    the other, or it is one of the two.
    """
    x = mixed(real, fake) if at == "mixed" else {"real": real, "fake": fake}[at]
    # vector_norm has a gradient, of 0, also where the norm is 0; a square root has none there.
    norms = torch.linalg.vector_norm(input_gradients(D, x, part), dim=(1, 2, 3))
    return (norms - target).square().mean() / target**2


def r1(D: Discriminator, real: Tensor, part: float = 1.0) -> Tensor:
    """E[|grad D(x)|^2] / 2, a scalar: times gamma it is R1  (Mescheder et al. 2018, eq. 9)."""
    return input_gradients(D, real, part).square().sum((1, 2, 3)).mean() / 2


def r2(D: Discriminator, fake: Tensor, part: float = 1.0) -> Tensor:
    """E[|grad D(G(z))|^2] / 2, a scalar: times gamma it is R2  (Mescheder et al. 2018, eq. 10)."""
    return r1(D, fake, part)


def drift(real_scores: Tensor) -> Tensor:
    """E[D(x)^2], a scalar: keeps scores from wandering off  (Karras et al. 2018, appendix A.1)."""
    return full(real_scores).square().mean()


@torch.no_grad()
def clip_weights(bound: float, *networks: nn.Module) -> None:
    """Clamp all parameters into [-bound, bound], in place  (Arjovsky et al. 2017, algorithm 1)."""
    for network in networks:
        for parameter in network.parameters():
            parameter.clamp_(-bound, bound)


def lazy_weight(count: int, every: int) -> float:
    """What a penalty is weighted with in the count-th descent, from 0, when it is taken in every
    `every`-th only: `every`, or 0 where none is due  (Karras et al. 2020, section 3.1)."""
    return float(every) if count % every == 0 else 0.0
