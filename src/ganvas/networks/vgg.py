"""VGG-16 up to relu4_2 (Simonyan and Zisserman 2015), fixed: features, not a player."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VGG_WIDTHS = (64, 128, 256, 512)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the channels, in [0, 1], as torchvision's weights want them."""
DEPTHS = (2, 2, 3, 2)
"""3x3 convolutions of each width; between widths a pooling of 2x2."""
SEED = 0


class FixedConvolution(nn.Module):
    """A 3x3 convolution whose weights are kept, moved and saved, and never trained: buffers."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight: Tensor
        self.bias: Tensor
        self.register_buffer("weight", weight)
        self.register_buffer("bias", torch.zeros(len(weight)))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, padding=1)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[1]}, {self.weight.shape[0]}"


class VggFeatures(nn.Module):
    """Pictures (N, C, H, W) in [-1, 1] to what relu4_2 answers, (N, widths[3], H / 8, W / 8).

    Begins with He's random weights, always the same ones, and no biases. State dicts have the keys
    and shapes of torchvision's vgg16, which `normalises` its inputs and has `VGG_WIDTHS`. A picture
    of one channel is taken for one of `channels` equal ones.
    """

    smallest = 8

    def __init__(
        self, channels: int = 3, widths: Sequence[int] = VGG_WIDTHS, normalises: bool = True
    ) -> None:
        super().__init__()
        self.channels, self.normalises = channels, normalises
        chance = torch.Generator().manual_seed(SEED)
        layers: list[nn.Module] = []
        into = channels
        for width, depth in zip(widths, DEPTHS, strict=True):
            layers += [nn.MaxPool2d(2)] if layers else []
            for _ in range(depth):
                # Values keep their size through the layers (He et al. 2015, eq. 10).
                weight = torch.randn(width, into, 3, 3, generator=chance) * (2 / (9 * into)) ** 0.5
                layers += [FixedConvolution(weight), nn.ReLU()]
                into = width
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        x = x.expand(-1, self.channels, -1, -1)
        if self.normalises:
            mean, std = (x.new_tensor(values)[:, None, None] for values in (MEAN, STD))
            x = ((x + 1) / 2 - mean) / std
        return self.features(x)
