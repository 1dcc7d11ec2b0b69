"""How far pictures are from those that they should be: of each pair, (N, C, H, W) with values in
[0, 1], the ends of the data's own range, to (N,)."""

from torch import Tensor

EQUAL = 1e-10
"""A mean squared difference that is as good as none: 100 dB."""


def l1(x: Tensor, y: Tensor) -> Tensor:
    """The mean absolute difference, as a part of the range."""
    return (x - y).abs().flatten(1).mean(1)


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """The peak signal-to-noise ratio in dB, the peak being the range; at most 100."""
    return -10 * (x - y).square().flatten(1).mean(1).clamp(min=EQUAL).log10()
