"""Layers whose learning rate is equalised at run time, and the resampling between sizes
(Karras et al. 2018, "Progressive Growing of GANs", section 4.1; Karras et al. 2019).

A weight is stored as N(0, 1 / lr_mul^2) and used times gain / sqrt(fan in) * lr_mul, so that all
layers learn equally fast however many inputs they have, and those with a smaller lr_mul slower.
"""

from math import sqrt
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LRELU_SLOPE = 0.2
LRELU_GAIN = sqrt(2)
"""Gain of the layers that a leaky ReLU follows; the activation itself has none."""
EPSILON = 1e-8
Resample = Literal["up", "down"]


def lrelu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, LRELU_SLOPE)


class EqualizedLinear(nn.Module):
    """(N, in) to (N, out), with a bias."""

    def __init__(
        self, inputs: int, outputs: int, gain: float = LRELU_GAIN, lr_mul: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_mul)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale, self.lr_mul = gain / sqrt(inputs) * lr_mul, lr_mul

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias * self.lr_mul)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[1]}, {self.weight.shape[0]}, lr_mul={self.lr_mul:g}"


class EqualizedConv2d(nn.Module):
    """(N, in, H, W) to (N, out, H, W) with zero padding, or to twice or half that size.

    `up` is what nearest-neighbour doubling and the convolution give, `down` what the convolution
    and the mean of 2x2 boxes give, each in one convolution of stride 2: its 4x4 kernel is the sum
    of the 3x3 kernel at four places. That is equal but for rounding, and has 4/9 of the products.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        gain: float = LRELU_GAIN,
        bias: bool = True,
        resample: Resample | None = None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale, self.padding = gain / sqrt(inputs * kernel**2), kernel // 2
        self.resample = resample

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight * self.scale
        if self.resample == "up":
            # A transposed convolution turns its kernel around.
            weight = widened(weight).flip(2, 3).transpose(0, 1)
            return F.conv_transpose2d(x, weight, self.bias, stride=2, padding=self.padding)
        if self.resample == "down":
            return F.conv2d(x, widened(weight) / 4, self.bias, stride=2, padding=self.padding)
        return F.conv2d(x, weight, self.bias, padding=self.padding)

    def extra_repr(self) -> str:
        outputs, inputs, kernel, _ = self.weight.shape
        after = f", {self.resample}" if self.resample else ""
        return f"{inputs}, {outputs}, {kernel}x{kernel}{after}, bias={self.bias is not None}"


def widened(kernel: Tensor) -> Tensor:
    """A kernel (..., k, k) summed at the four places in (..., k + 1, k + 1)."""
    k = F.pad(kernel, (1, 1, 1, 1))
    return k[..., 1:, 1:] + k[..., 1:, :-1] + k[..., :-1, 1:] + k[..., :-1, :-1]


def upscaled(x: Tensor, factor: int = 2) -> Tensor:
    """Pictures (N, C, H, W) so many times as large: each pixel becomes a square."""
    return x if factor == 1 else F.interpolate(x, scale_factor=factor, mode="nearest")


def downscaled(x: Tensor, factor: int = 2) -> Tensor:
    """Pictures (N, C, H, W) at a whole part of their size: the mean of each square."""
    return x if factor == 1 else F.avg_pool2d(x, factor)


def blur(x: Tensor) -> Tensor:
    """[1, 2, 1] x [1, 2, 1] / 16 on each channel of (N, C, H, W), with zeros around."""
    if x.device.type == "cpu":
        # Sums of neighbours, twice each way: half the time of a depthwise convolution there.
        x = F.pad(x, (1, 1, 1, 1))
        for _ in range(2):
            x = x[..., :-1] + x[..., 1:]
            x = x[..., :-1, :] + x[..., 1:, :]
        return x / 16
    tap = torch.tensor([1.0, 2.0, 1.0], dtype=x.dtype, device=x.device) / 4
    kernel = (tap[:, None] * tap).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(x, kernel, padding=1, groups=x.shape[1])


def pixel_norm(x: Tensor) -> Tensor:
    """Vectors (N, C) brought to a mean square of 1."""
    return x * (x.square().mean(1, keepdim=True) + EPSILON).rsqrt()


def minibatch_deviation(x: Tensor, group: int) -> Tensor:
    """One more channel on (N, C, H, W): how much pictures of a group differ, on average over all
    their values. Groups have the most pictures, up to `group`, that divide the batch."""
    n, c, h, w = x.shape
    size = next(g for g in range(min(group, n), 0, -1) if n % g == 0)
    groups = x.reshape(size, n // size, c, h, w)
    groups = groups.float() if x.dtype.itemsize < 4 else groups
    deviation = (groups.var(0, unbiased=False) + EPSILON).sqrt().mean((1, 2, 3))
    channel = deviation.repeat(size).view(n, 1, 1, 1).expand(n, 1, h, w)
    return torch.cat([x, channel.to(x.dtype)], 1)
