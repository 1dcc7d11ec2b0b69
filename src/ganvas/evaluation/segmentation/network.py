"""A small network that says which class each pixel of a photo shows."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas.networks.norms import BatchNorm2d

HALVINGS = 4


class Double(nn.Sequential):
    """Two convolutions 3x3, each with batch norm and ReLU."""

    def __init__(self, before: int, after: int) -> None:
        layers: list[nn.Module] = []
        for channels in (before, after):
            layers += [nn.Conv2d(channels, after, 3, 1, 1, bias=False), BatchNorm2d(after)]
            layers.append(nn.ReLU())
        super().__init__(*layers)


class SegmentationNetwork(nn.Module):
    """Photos (N, channels, H, W) in [-1, 1] to scores of classes (N, classes, H, W), any size.

    A U-Net (Ronneberger et al. 2015) of four halvings. Blocks of `shrink` x `shrink` pixels are
    channels inside of it, so that large pictures cost no more than small ones, and are pixels again
    at its end: Shi et al. 2016, "sub-pixel convolution".
    """

    def __init__(self, channels: int, classes: int, width: int = 16, shrink: int = 1) -> None:
        super().__init__()
        self.shrink = shrink
        widths = [width * factor for factor in (1, 2, 4, 8, 8)]
        self.first = Double(channels * shrink**2, width)
        self.down = nn.ModuleList(Double(widths[i], widths[i + 1]) for i in range(HALVINGS))
        self.up = nn.ModuleList(
            Double(widths[i + 1] + widths[i], widths[i]) for i in reversed(range(HALVINGS))
        )
        self.last = nn.Conv2d(width, classes * shrink**2, 1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        step = self.shrink * 2**HALVINGS
        x = functional.pad(x, (0, -width % step, 0, -height % step), "replicate")
        x = self.first(functional.pixel_unshuffle(x, self.shrink))
        levels = [x]
        for down in self.down:
            levels.append(x := down(functional.max_pool2d(x, 2)))
        levels.pop()
        for up in self.up:
            x = up(torch.cat([functional.interpolate(x, scale_factor=2.0), levels.pop()], 1))
        return functional.pixel_shuffle(self.last(x), self.shrink)[:, :, :height, :width]

    @torch.no_grad()
    def classes(self, x: Tensor) -> Tensor:
        """The class of each pixel: uint8 (N, H, W)."""
        return self(x).argmax(1).to(torch.uint8)


def shrink_for(size: tuple[int, int]) -> int:
    """1 up to 96 pixels on the short side, 2 up to 192, 4 up to 384 ..."""
    shrink = 1
    while min(size) / shrink > 96:
        shrink *= 2
    return shrink
