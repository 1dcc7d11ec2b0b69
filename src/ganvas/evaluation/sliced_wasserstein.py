"""The sliced Wasserstein distance (Rabin et al. 2011), and that of ProGAN on patches at each scale
(Karras et al. 2018, section 5)."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

PATCH = 7
SMALLEST = 16
"""Levels of a pyramid are at least so wide and high."""
BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
AT_ONCE = 128


def sliced_wasserstein(x: Tensor, y: Tensor, directions: int = 512, seed: int = 0) -> float:
    """The mean over random directions of the Wasserstein-1 distance between the projections of x
    (N, ...) and of y (M, ...)."""
    x, y = x.flatten(1).float(), y.flatten(1).float()
    chance = torch.Generator().manual_seed(seed)
    total = 0.0
    for first in range(0, directions, AT_ONCE):
        w = torch.randn(x.shape[1], min(AT_ONCE, directions - first), generator=chance)
        w = (w / w.norm(dim=0)).to(x)
        total += float(wasserstein(w.T @ x.T, w.T @ y.T).double().sum())
    return total / directions


def wasserstein(x: Tensor, y: Tensor) -> Tensor:
    """The Wasserstein-1 distance on the line between the rows of x (K, N) and of y (K, M): (K,),
    the area between their quantile functions."""
    x, y = ascending(x), ascending(y)
    n, m = x.shape[1], y.shape[1]
    if n == m:
        return (x - y).abs().mean(1)
    # Both are constant between the levels i/n and j/m; in whole numbers, so that equal ones meet.
    levels = torch.cat([torch.arange(n + 1) * m, torch.arange(m + 1) * n]).unique()
    widths, at = (levels.diff().double() / (n * m)).to(x), levels[:-1].to(x.device)
    return ((x[:, at // m] - y[:, at // n]).abs() * widths).sum(1)


def ascending(x: Tensor) -> Tensor:
    """Each row (K, N) in order: on a CPU by NumPy, which is several times as fast."""
    return x.sort(1).values if x.is_cuda else torch.from_numpy(np.sort(x.cpu().numpy(), 1)).to(x)


def laplacian_pyramid(x: Tensor) -> list[Tensor]:
    """Pictures (N, C, H, W) as what each scale adds to the next coarser one, the finest first; the
    last is what is left (Burt and Adelson 1983)."""
    levels = [x]
    while min(levels[-1].shape[2:]) // 2 >= SMALLEST:
        levels.append(smooth(levels[-1])[:, :, ::2, ::2])
    fine = [a - enlarged(b, a) for a, b in pairwise(levels)]
    return [*fine, levels[-1]]


def smooth(x: Tensor, gain: float = 1.0) -> Tensor:
    kernel = torch.tensor(BINOMIAL).to(x) * gain**0.5
    weight = (kernel[:, None] * kernel).expand(x.shape[1], 1, 5, 5)
    return F.conv2d(F.pad(x, (2, 2, 2, 2), "reflect"), weight, groups=x.shape[1])


def enlarged(x: Tensor, like: Tensor) -> Tensor:
    """Twice as wide and high, as `like` is: zeros between the pixels, smoothed."""
    spread = torch.zeros_like(like)
    spread[:, :, ::2, ::2] = x
    return smooth(spread, 4.0)


def patches(x: Tensor, count: int, chance: torch.Generator) -> list[Tensor]:
    """So many 7x7 patches of each picture (N, C, H, W), at random places of each level of its
    pyramid: (N * count, C, 7, 7) a level, the finest first."""
    return [torch.cat(list(cut(level, count, chance))) for level in laplacian_pyramid(x)]


def cut(x: Tensor, count: int, chance: torch.Generator) -> Iterator[Tensor]:
    rows, columns = (length - PATCH + 1 for length in x.shape[2:])
    places = torch.rand(len(x), count, 2, generator=chance)
    step = torch.arange(PATCH)
    for picture, place in zip(x, places, strict=True):
        top, left = (place[:, 0] * rows).long(), (place[:, 1] * columns).long()
        found = picture[:, (top[:, None] + step)[:, :, None], (left[:, None] + step)[:, None, :]]
        yield found.transpose(0, 1)


def patch_distance(x: Tensor, y: Tensor, directions: int = 512, seed: int = 0) -> float:
    """The sliced Wasserstein distance between patches (N, C, 7, 7) of one level, whose channels
    are first brought to mean 0 and deviation 1, each set by its own, as in ProGAN."""
    return sliced_wasserstein(standardised(x), standardised(y), directions, seed)


def standardised(x: Tensor) -> Tensor:
    mean, deviation = x.mean((0, 2, 3), keepdim=True), x.std((0, 2, 3), keepdim=True)
    return (x - mean) / deviation.clamp(min=1e-8)
