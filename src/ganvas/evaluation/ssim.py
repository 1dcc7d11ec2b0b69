"""Structural similarity (Wang et al. 2004), at several scales (Wang et al. 2003), and how alike
generated pictures are by it (Odena et al. 2017)."""

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""The weights of five scales, the finest first (Wang et al. 2003, section 3.2)."""


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """The mean similarity of each pair of pictures (N, C, H, W) with values in [0, 1]: (N,), 1 of
    equal ones. Where a side is shorter than the window of 11, the window is made to fit."""
    return terms(x, y)[0].mean(1)


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """The same over scales, each half of the one before, as far as windows fit: five from 176
    pixels on, and of fewer the first ones' weights, brought to a sum of 1."""
    weights = torch.tensor(SCALES[: scales(x.shape[2:])], dtype=x.dtype, device=x.device)
    # All five are taken as published, though they add up to 1.0001.
    weights = weights if len(weights) == len(SCALES) else weights / weights.sum()
    factors = []
    for scale in range(len(weights)):
        whole, contrast = terms(x, y)
        last = scale == len(weights) - 1
        # A negative similarity has no broken power.
        factors.append((whole if last else contrast).clamp(min=0))
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    powers = torch.stack(factors, -1) ** weights
    return powers.prod(-1).mean(1)


def scales(size: tuple[int, ...]) -> int:
    """How many scales pictures of that size have."""
    found = 1
    while found < len(SCALES) and min(size) >= WINDOW * 2**found:
        found += 1
    return found


def terms(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM, and its part without the means, of each picture and channel: (N, C)."""
    window = gaussian(min(WINDOW, *(length - 1 + length % 2 for length in x.shape[2:]))).to(x)
    c1, c2 = K1**2, K2**2
    m_x, m_y = local(x, window), local(y, window)
    v_x, v_y = local(x * x, window) - m_x**2, local(y * y, window) - m_y**2
    covariance = local(x * y, window) - m_x * m_y
    contrast = (2 * covariance + c2) / (v_x + v_y + c2)
    whole = (2 * m_x * m_y + c1) / (m_x**2 + m_y**2 + c1) * contrast
    return whole.mean((2, 3)), contrast.mean((2, 3))


def gaussian(length: int) -> Tensor:
    at = torch.arange(length, dtype=torch.float64) - length // 2
    window = torch.exp(-(at**2) / (2 * SIGMA**2))
    return window / window.sum()


def local(x: Tensor, window: Tensor) -> Tensor:
    """Weighted means under the window, where it lies within the picture."""
    channels, length = x.shape[1], len(window)
    column = window.view(1, 1, length, 1).expand(channels, -1, -1, -1)
    row = window.view(1, 1, 1, length).expand(channels, -1, -1, -1)
    return F.conv2d(F.conv2d(x, column, groups=channels), row, groups=channels)


def likeness(x: Tensor, labels: Tensor | None = None, pairs: int = 500, seed: int = 0) -> Tensor:
    """MS-SSIM of pairs of different pictures (N, C, H, W) in [0, 1], drawn at random, of one class
    where there are labels (N,): (pairs,)."""
    chance = torch.Generator().manual_seed(seed)
    first = torch.randint(len(x), (pairs,), generator=chance)
    ranks = torch.rand(pairs, generator=chance)
    kinds = torch.zeros(len(x), dtype=torch.long) if labels is None else labels.cpu()
    chosen = []
    for i, rank in zip(first.tolist(), ranks.tolist(), strict=True):
        others = (kinds == kinds[i]).nonzero()[:, 0]
        others = others[others != i]
        if len(others):
            chosen.append((i, int(others[int(rank * len(others))])))
    if not chosen:
        raise ValueError("likeness wants at least two pictures of a class")
    a, b = torch.tensor(chosen, device=x.device).unbind(1)
    # In float64 variances lose no digits to their squares.
    halves = zip(a.split(64), b.split(64), strict=True)
    return torch.cat([ms_ssim(x[i].double(), x[j].double()) for i, j in halves])
