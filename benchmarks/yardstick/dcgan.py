"""DCGAN (Radford, Metz and Chintala 2016) as PyTorch's tutorial computes it."""

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn


class Generator(nn.Module):
    """Latents (N, nz, 1, 1) to pictures (N, channels, 64, 64) in [-1, 1]."""

    def __init__(self, nz: int, width: int, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ConvTranspose2d(nz, 8 * width, 4, 1, 0, bias=False)]
        widths = [8 * width, 4 * width, 2 * width, width, channels]
        for before, after in pairwise(widths):
            layers += [nn.BatchNorm2d(before), nn.ReLU(True)]
            layers.append(nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False))
        self.main = nn.Sequential(*layers, nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.main(z)


class Discriminator(nn.Module):
    """Pictures (N, channels, 64, 64) to probabilities (N, 1, 1, 1)."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1, bias=False)]
        layers.append(nn.LeakyReLU(0.2, True))
        for before in (width, 2 * width, 4 * width):
            layers.append(nn.Conv2d(before, 2 * before, 4, 2, 1, bias=False))
            layers += [nn.BatchNorm2d(2 * before), nn.LeakyReLU(0.2, True)]
        layers.append(nn.Conv2d(8 * width, 1, 4, 1, 0, bias=False))
        self.main = nn.Sequential(*layers, nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return self.main(x)


class DCGAN(nn.Module):
    """G: z -> picture of 64x64, judged by D."""

    def __init__(
        self,
        channels: int = 3,
        nz: int = 100,
        ngf: int = 64,
        ndf: int = 64,
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
    ) -> None:
        super().__init__()
        self.nz = nz
        self.G, self.D = Generator(nz, ngf, channels), Discriminator(ndf, channels)
        self.loss = nn.BCELoss()
        self.optimizer_G = torch.optim.Adam(self.G.parameters(), lr=lr, betas=betas)
        self.optimizer_D = torch.optim.Adam(self.D.parameters(), lr=lr, betas=betas)

    def step(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Losses and D's mean probabilities by the tutorial's names."""
        x = batch["pictures"]
        ones, zeros = x.new_ones(len(x)), x.new_zeros(len(x))

        self.D.zero_grad()
        real = self.D(x).view(-1)
        loss_real = self.loss(real, ones)
        loss_real.backward()
        z = torch.randn(len(x), self.nz, 1, 1, device=x.device).to(x)
        pictures = self.G(z)
        fake = self.D(pictures.detach()).view(-1)
        loss_fake = self.loss(fake, zeros)
        loss_fake.backward()
        self.optimizer_D.step()

        self.G.zero_grad()
        # D is not frozen here: the tutorial computes its gradients too, and throws them away.
        again = self.D(pictures).view(-1)
        loss_G = self.loss(again, ones)
        loss_G.backward()
        self.optimizer_G.step()

        told = {"Loss_D": loss_real + loss_fake, "Loss_G": loss_G, "D(x)": real.mean()}
        told |= {"D(G(z))_1": fake.mean(), "D(G(z))_2": again.mean()}
        return {name: value.detach() for name, value in told.items()}
