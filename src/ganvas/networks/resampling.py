"""Halving and doubling with a binomial filter, so that no frequency folds into another
(Zhang 2019, "Making Convolutional Networks Shift-Invariant Again"), as CUT's networks do it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def binomial(channels: int, row: list[float], gain: float = 1.0) -> Tensor:
    """The outer product of a row with itself, summing to `gain`, once for each channel:
    (channels, 1, k, k)."""
    kernel = torch.tensor(row)[:, None] * torch.tensor(row)
    return (kernel * gain / kernel.sum()).expand(channels, 1, -1, -1).clone()


class BlurDown(nn.Module):
    """(N, C, H, W) to (N, C, H / 2, W / 2): 1 2 1 in each direction, edges reflected."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        # Kept with the weights, under the name that published files have.
        self.filt: Tensor
        self.register_buffer("filt", binomial(channels, [1, 2, 1]))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (1, 1, 1, 1), "reflect"), self.filt, stride=2, groups=x.shape[1])


class BlurUp(nn.Module):
    """(N, C, H, W) to (N, C, 2 H, 2 W): 1 3 3 1 in each direction, edges repeated."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.filt: Tensor
        self.register_buffer("filt", binomial(channels, [1, 3, 3, 1], gain=4))

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (1, 1, 1, 1), "replicate")
        return F.conv_transpose2d(x, self.filt, stride=2, padding=3, groups=x.shape[1])
