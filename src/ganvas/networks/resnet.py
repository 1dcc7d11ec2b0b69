"""The residual generator of Johnson et al. 2016 as CycleGAN uses it: c7s1-64, d128, d256,
R256 x n, u128, u64, c7s1-3 (CycleGAN, appendix 7.2)."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from torch import Tensor, nn

from ganvas.networks.convolution import Conv2d
from ganvas.networks.dropout import Dropout
from ganvas.networks.norms import Norm, needs_bias, norm_layer
from ganvas.networks.resampling import BlurDown, BlurUp

Antialias = Literal["none", "down", "up", "both"]


def mirrored(inputs: int, outputs: int, size: int, bias: bool = True) -> Conv2d:
    """A convolution that keeps the size, with mirrored pixels around: what is around is not kept
    for the backward, as a layer of its own would."""
    return Conv2d(inputs, outputs, size, padding=size // 2, bias=bias, padding_mode="reflect")


class ResidualBlock(nn.Module):
    """x + f(x) with two reflection-padded 3x3 convolutions, (N, C, H, W) in and out."""

    def __init__(self, channels: int, norm: Norm, dropout: bool) -> None:
        super().__init__()
        norm_of, bias = norm_layer(norm), needs_bias(norm)
        # What pads has a place of its own in published weights, and dropout too: keys equal theirs.
        self.conv_block = nn.Sequential(
            nn.Identity(),
            mirrored(channels, channels, 3, bias),
            norm_of(channels),
            nn.ReLU(inplace=True),
            *([Dropout(0.5)] if dropout else []),
            nn.Identity(),
            mirrored(channels, channels, 3, bias),
            norm_of(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class ResnetGenerator(nn.Module):
    """Pictures (N, in, H, W) in [-1, 1] to pictures (N, out, H, W) in [-1, 1].

    Height and width must be multiples of `stride`. State-dict keys are those of
    pytorch-CycleGAN-and-pix2pix's `resnet_9blocks`. `antialias` says where a filter halves or
    doubles in place of a strided convolution; with `both` it is the generator of CUT (Park et al.
    2020), whose keys it has.
    """

    stride = 4
    smallest = 8

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        n_blocks: int = 9,
        norm: Norm = "instance",
        dropout: bool = False,
        antialias: Antialias = "none",
    ) -> None:
        super().__init__()
        norm_of, bias = norm_layer(norm), needs_bias(norm)

        def normed(conv: nn.Module, channels: int) -> list[nn.Module]:
            return [conv, norm_of(channels), nn.ReLU(inplace=True)]

        def halved(n: int) -> list[nn.Module]:
            if antialias in ("down", "both"):
                conv = Conv2d(n, 2 * n, 3, padding=1, bias=bias)
                return [*normed(conv, 2 * n), BlurDown(2 * n)]
            return normed(Conv2d(n, 2 * n, 3, stride=2, padding=1, bias=bias), 2 * n)

        def doubled(n: int) -> list[nn.Module]:
            if antialias in ("up", "both"):
                conv = Conv2d(2 * n, n, 3, padding=1, bias=bias)
                return [BlurUp(2 * n), *normed(conv, n)]
            conv = nn.ConvTranspose2d(2 * n, n, 3, 2, 1, output_padding=1, bias=bias)
            return normed(conv, n)

        w = width
        self.model = nn.Sequential(
            nn.ReflectionPad2d(3),
            *normed(Conv2d(in_channels, w, 7, bias=bias), w),
            *halved(w),
            *halved(2 * w),
            *(ResidualBlock(4 * w, norm, dropout) for _ in range(n_blocks)),
            *doubled(2 * w),
            *doubled(w),
            nn.Identity(),
            mirrored(w, out_channels, 7),
            nn.Tanh(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)

    def features(self, x: Tensor, layers: Sequence[int]) -> list[Tensor]:
        """What these layers of `model`, in rising order, make of pictures (N, in, H, W): each
        (N, C, h, w). No layer behind the last of them is run.

        Of a layer whose values the next one rectifies in place, these are what is answered, as by
        CUT's code.
        """
        found = []
        for place, layer in enumerate(self.model[: layers[-1] + 1]):
            x = layer(x)
            if place in layers:
                found.append(x)
        return found

    def widths(self, layers: Sequence[int]) -> list[int]:
        """How many channels each of these layers of `model` answers with."""
        convolutions = [
            (place, layer)
            for place, layer in enumerate(self.model)
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
        ]
        into = convolutions[0][1].in_channels
        return [
            ([into] + [conv.out_channels for place, conv in convolutions if place <= layer])[-1]
            for layer in layers
        ]

    @property
    def encoder(self) -> list[int]:
        """The layers of `model` in which the parts of the encoder begin: the padded picture, the
        convolution of each halving, each residual block."""
        convolutions = [i for i, layer in enumerate(self.model) if isinstance(layer, nn.Conv2d)]
        blocks = [i for i, layer in enumerate(self.model) if isinstance(layer, ResidualBlock)]
        return [0, *convolutions[1:3], *blocks]


def placed_as(own: Mapping[str, Tensor], weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a resnet under the keys of `own`, where only one of the two has dropout, which
    moves the second convolution of a block; others as they are."""
    shift = second_convolution(own) - second_convolution(weights)

    def moved(match: re.Match[str]) -> str:
        place = int(match[1])
        return f"conv_block.{place + shift if place > 4 else place}."

    return {re.sub(r"conv_block\.(\d+)\.", moved, key): t for key, t in weights.items()}


def second_convolution(weights: Mapping[str, Tensor]) -> int:
    """Its place in a block: 6 with dropout, 5 without."""
    six = (t for key, t in weights.items() if key.endswith("conv_block.6.weight"))
    return 6 if any(t.ndim == 4 for t in six) else 5
