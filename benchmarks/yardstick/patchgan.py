"""The PatchGAN discriminator of pix2pix and CycleGAN (Isola et al. 2017, appendix 6.1.2)."""

from torch import Tensor, nn


class PatchGAN(nn.Module):
    """Pictures (N, channels, H, W) to scores (N, 1, h, w)."""

    def __init__(self, channels: int, width: int, n_layers: int, norm: type[nn.Module]) -> None:
        super().__init__()
        bias = norm is nn.InstanceNorm2d
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2, True)]
        before = width
        for n in range(1, n_layers + 1):
            after, stride = width * min(2**n, 8), 2 if n < n_layers else 1
            layers.append(nn.Conv2d(before, after, 4, stride, 1, bias=bias))
            layers += [norm(after), nn.LeakyReLU(0.2, True)]
            before = after
        self.model = nn.Sequential(*layers, nn.Conv2d(before, 1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


def adversarial(objective: str) -> nn.Module:
    """A loss of scores and of labels as large: CycleGAN's squares, or cross entropy."""
    return nn.MSELoss() if objective == "lsgan" else nn.BCEWithLogitsLoss()
