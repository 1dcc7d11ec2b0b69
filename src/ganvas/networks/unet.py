"""The U-Net generator of pix2pix (Isola et al. 2017, appendix 6.1.1)."""

import torch
from torch import Tensor, nn

from ganvas.networks.convolution import Conv2d, ConvTranspose2d
from ganvas.networks.dropout import Dropout
from ganvas.networks.norms import Norm, needs_bias, norm_layer


class Level(nn.Module):
    """One step down, what lies below, one step up; the input is concatenated to the output.

    The nesting, odd to look at, gives the state-dict keys of published weights.
    """

    def __init__(
        self,
        outer: int,
        inner: int,
        below: nn.Module | None,
        norm: Norm,
        dropout: bool = False,
    ) -> None:
        super().__init__()
        norm_of, bias = norm_layer(norm), needs_bias(norm)
        down = [nn.LeakyReLU(0.2), Conv2d(outer, inner, 4, 2, 1, bias=bias)]
        up_in = inner if below is None else 2 * inner
        up = [nn.ReLU(), ConvTranspose2d(up_in, outer, 4, 2, 1, bias=bias), norm_of(outer)]
        middle = [] if below is None else [norm_of(inner), below]
        self.model = nn.Sequential(*down, *middle, *up, *([Dropout(0.5)] if dropout else []))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.model(x)], 1)


class OutermostLevel(nn.Module):
    """The level that meets the pictures: no norms, no concatenation, tanh."""

    def __init__(
        self, in_channels: int, out_channels: int, inner: int, below: nn.Module, bias: bool
    ) -> None:
        super().__init__()
        self.model = nn.Sequential(
            Conv2d(in_channels, inner, 4, 2, 1, bias=bias),
            below,
            nn.ReLU(),
            ConvTranspose2d(2 * inner, out_channels, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class UnetGenerator(nn.Module):
    """Pictures (N, in, H, W) in [-1, 1] to pictures (N, out, H, W) in [-1, 1].

    Height and width must be multiples of 2^n_downs: `n_downs=8` is the published `unet_256`,
    7 is `unet_128`. Dropout falls on the 512-wide middle levels only.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        n_downs: int = 8,
        norm: Norm = "instance",
        dropout: bool = False,
    ) -> None:
        super().__init__()
        w = width
        level = Level(8 * w, 8 * w, None, norm)
        for _ in range(n_downs - 5):
            level = Level(8 * w, 8 * w, level, norm, dropout)
        for outer, inner in ((4 * w, 8 * w), (2 * w, 4 * w), (w, 2 * w)):
            level = Level(outer, inner, level, norm)
        self.model = OutermostLevel(in_channels, out_channels, w, level, needs_bias(norm))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)

    @property
    def segments(self) -> list[nn.Module]:
        """What keeps its inputs by itself: the way down and the way up at each level."""
        levels = (m for m in self.modules() if isinstance(m, Level | OutermostLevel))
        return [level.model for level in levels]
