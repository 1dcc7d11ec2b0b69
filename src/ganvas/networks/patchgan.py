"""Discriminators that judge patches: the 70x70 PatchGAN and its 1x1 sibling
(Isola et al. 2017, appendix 6.1.2)."""

from torch import Tensor, nn

from ganvas.networks.convolution import Conv2d
from ganvas.networks.norms import Norm, needs_bias, norm_layer
from ganvas.networks.resampling import BlurDown


def smallest_patched(n_layers: int) -> int:
    """The least height and width for which a PatchGAN still gives a score behind every norm."""
    return 2**n_layers * 3


class PatchDiscriminator(nn.Module):
    """Pictures (N, in, H, W) to scores (N, 1, h, w), one for each overlapping patch.

    C64-C128-C256-C512 and a last convolution to one channel for `n_layers=3` (the published
    `basic`, patches of 70x70). No norm on the first layer; no sigmoid at the end. With `antialias`
    a filter halves, behind a convolution of stride 1: the discriminator of CUT (Park et al. 2020),
    whose keys it has.
    """

    def __init__(
        self,
        in_channels: int = 3,
        width: int = 64,
        n_layers: int = 3,
        norm: Norm = "instance",
        antialias: bool = False,
    ) -> None:
        super().__init__()
        norm_of, bias = norm_layer(norm), needs_bias(norm)
        stride = 1 if antialias else 2

        def halved(channels: int) -> list[nn.Module]:
            return [BlurDown(channels)] if antialias else []

        layers: list[nn.Module] = [
            Conv2d(in_channels, width, 4, stride, 1),
            nn.LeakyReLU(0.2, True),
            *halved(width),
        ]
        before = width
        for n in range(1, n_layers + 1):
            after, halves = width * min(2**n, 8), n < n_layers
            layers += [
                Conv2d(before, after, 4, stride if halves else 1, 1, bias=bias),
                norm_of(after),
                nn.LeakyReLU(0.2, True),
                *(halved(after) if halves else []),
            ]
            before = after
        self.model = nn.Sequential(*layers, Conv2d(before, 1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class PixelDiscriminator(nn.Module):
    """Pictures (N, in, H, W) to scores (N, 1, H, W), one for each pixel by itself."""

    def __init__(self, in_channels: int = 3, width: int = 64, norm: Norm = "instance") -> None:
        super().__init__()
        bias = needs_bias(norm)
        self.net = nn.Sequential(
            Conv2d(in_channels, width, 1),
            nn.LeakyReLU(0.2, True),
            Conv2d(width, 2 * width, 1, bias=bias),
            norm_layer(norm)(2 * width),
            nn.LeakyReLU(0.2, True),
            Conv2d(2 * width, 1, 1, bias=bias),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)
