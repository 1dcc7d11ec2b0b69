"""How unlike one picture is to another, by sizes and by a network's features."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganvas.losses import full

SMALLEST = 4
"""Shorter sides of a pyramid's smallest pictures."""
REGULAR = 8
"""Shorter sides of the smallest maps whose noise is held to be noise."""
EPSILON = 1e-8


def pyramid(x: Tensor, smallest: int = SMALLEST) -> Iterator[Tensor]:
    """Pictures (N, C, H, W), and their means of 2x2, of 4x4 ..., down to that shorter side."""
    yield x
    while min(x.shape[2:]) >= 2 * smallest:
        x = F.avg_pool2d(x, 2)
        yield x


def pixel_distance(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of two pyramids, the mean over their sizes: a scalar."""
    return torch.stack([(full(x) - full(y)).abs().mean() for x, y in zip(a, b, strict=True)]).mean()


def feature_distance(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """Features (N, C, h, w) of several layers, brought to unit length at each place, by their
    squared difference: the mean over places and layers, a scalar (Zhang et al. 2018, eq. 1, with
    all channels weighted alike)."""
    apart = [(unit(x) - unit(y)).square().sum(1).mean() for x, y in zip(a, b, strict=True)]
    return torch.stack(apart).mean()


def unit(x: Tensor) -> Tensor:
    return full(x) / (full(x).square().sum(1, keepdim=True) + EPSILON).sqrt()


@contextmanager
def convolutions(network: nn.Module) -> Iterator[list[Tensor]]:
    """What the network's convolutions answer while it is called in here, (N, C, h, w) each."""
    seen: list[Tensor] = []

    def keep(module: nn.Module, given: object, answer: Tensor) -> None:
        seen.append(answer)

    hooks = [m.register_forward_hook(keep) for m in network.modules() if is_convolution(m)]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def is_convolution(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    return isinstance(weight, Tensor) and weight.ndim == 4


def features(network: Callable[[Tensor], Tensor], of: nn.Module, x: Tensor) -> list[Tensor]:
    """What the convolutions in `of` answer when `network`, which passes through it, sees x; those
    of a single place, which are scores, are left out."""
    with convolutions(of) as seen:
        network(x)
    return [f for f in seen if f[0, 0].numel() > 1]


def noise_regularity(noise: Sequence[Tensor]) -> Tensor:
    """How much maps (1, 1, h, w) of noise are like themselves moved by a pixel, down or to the
    right, at all sizes down to 8: a scalar, about 0 of N(0, 1)  (Karras et al. 2020, appendix D).

    Smaller sizes are means of 2x2, doubled so that their variance stays: 2 to the fourth a size
    where its products are squared. Maps below 8 count nothing.
    """
    found = [
        (n * n.roll(1, axis)).mean().square() * 16**level
        for whole in noise
        if min(whole.shape[2:]) >= REGULAR
        for level, n in enumerate(pyramid(whole, REGULAR))
        for axis in (2, 3)
    ]
    return torch.stack(found).sum() if found else torch.zeros(())
