"""StarGAN's networks: one generator for all domains, and a discriminator that also names the domain
(Choi et al. 2018, tables 4 and 5)."""

import torch
from torch import Tensor, nn

from ganvas.networks.convolution import Conv2d, ConvTranspose2d
from ganvas.networks.norms import InstanceNorm2d

SLOPE = 0.01


class ResidualBlock(nn.Module):
    """x + f(x) with two zero-padded 3x3 convolutions, (N, C, H, W) in and out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            Conv2d(channels, channels, 3, 1, 1, bias=False),
            InstanceNorm2d(channels, affine=True),
            nn.ReLU(inplace=True),
            Conv2d(channels, channels, 3, 1, 1, bias=False),
            InstanceNorm2d(channels, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.main(x)


class StarGenerator(nn.Module):
    """Pictures (N, C, H, W) in [-1, 1] and targets c (N, domains), one-hot, to pictures of these
    domains. Height and width must be multiples of `stride`.

    c goes in as planes beside the picture. All padding is by zeros: instance norm takes away what
    is constant, and so what a plane adds, but for the edges, where zeros lie beside it.
    """

    stride = 4
    smallest = 8

    def __init__(self, channels: int, domains: int, width: int = 64, n_blocks: int = 6) -> None:
        super().__init__()
        self.channels = channels

        def normed(conv: nn.Module, count: int) -> list[nn.Module]:
            return [conv, InstanceNorm2d(count, affine=True), nn.ReLU(inplace=True)]

        w = width
        self.main = nn.Sequential(
            *normed(Conv2d(channels + domains, w, 7, 1, 3, bias=False), w),
            *normed(Conv2d(w, 2 * w, 4, 2, 1, bias=False), 2 * w),
            *normed(Conv2d(2 * w, 4 * w, 4, 2, 1, bias=False), 4 * w),
            *(ResidualBlock(4 * w) for _ in range(n_blocks)),
            *normed(ConvTranspose2d(4 * w, 2 * w, 4, 2, 1, bias=False), 2 * w),
            *normed(ConvTranspose2d(2 * w, w, 4, 2, 1, bias=False), w),
            Conv2d(w, channels, 7, 1, 3, bias=False),
            nn.Tanh(),
        )

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        return self.main(beside(x, c))


def beside(x: Tensor, c: Tensor) -> Tensor:
    """Pictures (N, C, H, W) with a plane for each number of c, (N, domains) or (1, domains)."""
    planes = c.to(x)[:, :, None, None].expand(len(x), -1, *x.shape[2:])
    return torch.cat([x, planes], 1)


class Towards(nn.Module):
    """G with its target fixed: pictures (N, C, H, W) to pictures of one domain."""

    def __init__(self, G: StarGenerator, target: int, domains: int) -> None:
        super().__init__()
        self.G = G
        c = torch.zeros(1, domains, device=next(G.parameters()).device)
        c[0, target] = 1
        self.register_buffer("c", c, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.G(x, self.get_buffer("c"))


class StarDiscriminator(nn.Module):
    """Pictures (N, C, H, W) to raw scores for patches (N, 1, h, w); `both` gives logits for their
    domains, (N, domains), too. `size` is (height, width)."""

    def __init__(
        self, channels: int, domains: int, size: tuple[int, int], width: int = 64, n_layers: int = 6
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before, after = channels, width
        for _ in range(n_layers):
            layers += [Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(SLOPE)]
            before, after = after, 2 * after
        self.main = nn.Sequential(*layers)
        self.conv1 = Conv2d(before, 1, 3, 1, 1, bias=False)
        left = (size[0] >> n_layers, size[1] >> n_layers)
        self.conv2 = Conv2d(before, domains, left, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv1(self.main(x))

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """D_src (N, 1, h, w) and D_cls (N, domains), both raw."""
        h = self.main(x)
        return self.conv1(h), self.conv2(h).flatten(1)
