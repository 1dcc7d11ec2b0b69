"""R3GAN's networks: Huang, Gokaslan, Kuleshov and Tompkin 2024, "The GAN is dead; long live the
GAN! A Modern GAN Baseline": residual blocks with nothing between them but changes of the size.

No normalisation, no styles, no noise. What keeps the depth in hand is how weights begin: the last
convolution of each block as 0, so that a block is the identity, and the two before it smaller the
more blocks there are (Zhang et al. 2019, "Fixup Initialization").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import gcd, sqrt

import torch
from torch import Tensor, nn

from ganvas.networks.equalized import LRELU_SLOPE, blur, downscaled, lrelu, upscaled

HE_GAIN = sqrt(2 / (1 + LRELU_SLOPE**2))
"""What keeps the variance through a leaky ReLU (He et al. 2015)."""


@dataclass(frozen=True)
class Stages:
    """What G's and D's networks have in common, from the smallest size to the whole picture's."""

    base: tuple[int, int]
    """(height, width) of the smallest size; each one after it is twice the one before."""
    widths: Sequence[int]
    """Channels between the blocks, at each size."""
    blocks: int
    """Residual blocks at each size."""
    expansion: int
    """So many times as many channels inside of a block as between them."""
    group: int
    """Channels of a group of the 3x3 convolutions."""

    @property
    def depth(self) -> int:
        """Residual blocks in all: L."""
        return len(self.widths) * self.blocks

    def block(self, width: int) -> "ResidualBlock":
        hidden = width * self.expansion
        # Widths that are no multiple of it have smaller groups.
        return ResidualBlock(width, hidden, hidden // gcd(hidden, self.group), self.depth)

    def blocks_of(self, width: int) -> list[nn.Module]:
        return [self.block(width) for _ in range(self.blocks)]


class ResidualBlock(nn.Module):
    """x + W3 lrelu(W2 lrelu(W1 x + b1) + b2), (N, C, H, W) to the same: 1x1 to more channels, 3x3
    in groups, 1x1 back. W3 begins as 0, W1 and W2 by a gain of L^(-1/4), L being the number of
    blocks of the network (`depth`)."""

    def __init__(self, width: int, hidden: int, groups: int, depth: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(width, hidden, 1)
        self.mix = nn.Conv2d(hidden, hidden, 3, padding=1, groups=groups)
        self.reduce = nn.Conv2d(hidden, width, 1, bias=False)
        for layer in (self.expand, self.mix):
            begin(layer, HE_GAIN * depth**-0.25)
        nn.init.zeros_(self.reduce.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.reduce(lrelu(self.mix(lrelu(self.expand(x)))))


class Resampling(nn.Module):
    """Channels by a 1x1 convolution, where they change, and twice or half the size by the filter
    [1, 3, 3, 1] each way, which is [1, 2, 1] convolved with the [1, 1] of squares; with zeros
    around. The two commute: the convolution is where there are fewer pixels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = None if inputs == outputs else linear_conv(inputs, outputs)


class Up(Resampling):
    """(N, C, H, W) to (N, C', 2 H, 2 W)."""

    def forward(self, x: Tensor) -> Tensor:
        return blur(upscaled(x if self.conv is None else self.conv(x)))


class Down(Resampling):
    """(N, C, H, W) to (N, C', H / 2, W / 2)."""

    def forward(self, x: Tensor) -> Tensor:
        x = downscaled(blur(x))
        return x if self.conv is None else self.conv(x)


class GeneratorNetwork(nn.Module):
    """Latents (N, nz) and one-hot labels (N, classes) to pictures (N, C, H, W); trained into
    [-1, 1], and not held there.

    A label becomes a vector as long as z, laid beside it. The first features are a learnt pattern
    for each channel, times what a linear layer makes of z.
    """

    def __init__(self, stages: Stages, nz: int, channels: int, classes: int = 0) -> None:
        super().__init__()
        first, last = stages.widths[0], stages.widths[-1]
        self.label = nn.Parameter(torch.randn(classes, nz)) if classes else None
        self.linear = nn.Linear(2 * nz if classes else nz, first, bias=False)
        self.basis = nn.Parameter(torch.randn(first, *stages.base))
        layers = stages.blocks_of(first)
        for before, width in pairwise(stages.widths):
            layers += [Up(before, width), *stages.blocks_of(width)]
        self.layers = nn.Sequential(*layers)
        self.to_rgb = linear_conv(last, channels)
        begin(self.linear)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.label is not None and labels is not None:
            z = torch.cat([z, labels @ self.label], 1)
        x = self.basis * self.linear(z)[:, :, None, None]
        return self.to_rgb(self.layers(x))

    @property
    def segments(self) -> list[nn.Module]:
        """What keeps its inputs by itself: the blocks."""
        return list(self.layers)


class DiscriminatorNetwork(nn.Module):
    """Pictures (N, C, H, W) and one-hot labels (N, classes) to raw scores (N, 1): the mirror of
    the generator.

    The last features are summed up by a learnt pattern for each channel, and go through a linear
    layer: to the score, or with classes to a vector v of the same length, whose score is its
    projection on the label's, v . e(y) / sqrt(length)  (Miyato and Koyama 2018).
    """

    def __init__(self, stages: Stages, channels: int, classes: int = 0) -> None:
        super().__init__()
        first, last = stages.widths[0], stages.widths[-1]
        self.from_rgb = linear_conv(channels, last)
        layers = stages.blocks_of(last)
        for before, width in pairwise(reversed(stages.widths)):
            layers += [Down(before, width), *stages.blocks_of(width)]
        self.layers = nn.Sequential(*layers)
        area = stages.base[0] * stages.base[1]
        self.basis = nn.Parameter(torch.randn(first, *stages.base) / sqrt(area))
        self.linear = nn.Linear(first, first if classes else 1, bias=False)
        self.label = nn.Parameter(torch.randn(classes, first)) if classes else None
        begin(self.linear)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.layers(self.from_rgb(x))
        scores = self.linear((x * self.basis).sum((2, 3)))
        if self.label is None or labels is None:
            return scores
        return (scores * (labels @ self.label)).sum(1, keepdim=True) / sqrt(scores.shape[1])

    @property
    def segments(self) -> list[nn.Module]:
        """What keeps its inputs by itself: the blocks."""
        return list(self.layers)


def linear_conv(inputs: int, outputs: int) -> nn.Conv2d:
    """A 1x1 convolution that no activation follows."""
    conv = nn.Conv2d(inputs, outputs, 1, bias=False)
    begin(conv)
    return conv


def begin(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> None:
    """Weights N(0, gain^2 / fan in), biases 0, in place."""
    nn.init.normal_(layer.weight, 0.0, gain / sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
