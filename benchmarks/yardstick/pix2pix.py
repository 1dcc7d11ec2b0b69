"""pix2pix (Isola, Zhu, Zhou and Efros 2017) as it is usually computed."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from benchmarks.yardstick.patchgan import PatchGAN, adversarial


class Level(nn.Module):
    """One level of a U-Net around the levels `below`: it halves, and doubles again.

    All but the outermost give their input and their answer, one behind the other. The first
    activation changes that input in place, as it does in the published network.
    """

    def __init__(
        self,
        outer: int,
        inner: int,
        below: "Level | None",
        inputs: int | None = None,
        dropout: bool = False,
    ) -> None:
        super().__init__()
        self.outermost = inputs is not None
        down = nn.Conv2d(inputs or outer, inner, 4, 2, 1, bias=False)
        width = inner if below is None else 2 * inner
        up = nn.ConvTranspose2d(width, outer, 4, 2, 1, bias=self.outermost)
        if self.outermost:
            layers = [down, below, nn.ReLU(True), up, nn.Tanh()]
        else:
            between = [] if below is None else [nn.BatchNorm2d(inner), below]
            layers = [nn.LeakyReLU(0.2, True), down, *between, nn.ReLU(True), up]
            layers += [nn.BatchNorm2d(outer), *([nn.Dropout(0.5)] if dropout else [])]
        self.model = nn.Sequential(*(layer for layer in layers if layer is not None))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class Unet(nn.Module):
    """Pictures (N, inputs, H, W), halved n_downs times, to pictures in [-1, 1]."""

    def __init__(self, inputs: int, outputs: int, width: int, n_downs: int, dropout: bool) -> None:
        super().__init__()
        level = Level(8 * width, 8 * width, None)
        for _ in range(n_downs - 5):
            level = Level(8 * width, 8 * width, level, dropout=dropout)
        for outer in (4 * width, 2 * width, width):
            level = Level(outer, 2 * outer, level)
        self.model = Level(outputs, width, level, inputs=inputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class Pix2Pix(nn.Module):
    """G: A -> B, judged by D beside its input."""

    def __init__(
        self,
        channels: tuple[int, int] = (3, 3),
        ngf: int = 64,
        ndf: int = 64,
        n_downs: int = 8,
        n_layers: int = 3,
        dropout: bool = True,
        lambda_L1: float = 100.0,
        objective: str = "vanilla",
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
    ) -> None:
        super().__init__()
        self.G = Unet(*channels, ngf, n_downs, dropout)
        self.D = PatchGAN(sum(channels), ndf, n_layers, nn.BatchNorm2d)
        self.lambda_L1 = lambda_L1
        self.adversarial, self.l1 = adversarial(objective), nn.L1Loss()
        self.optimizer_G = torch.optim.Adam(self.G.parameters(), lr=lr, betas=betas)
        self.optimizer_D = torch.optim.Adam(self.D.parameters(), lr=lr, betas=betas)

    def step(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Losses by the published names."""
        a, b = batch["A"], batch["B"]
        fake = self.G(a)

        self.D.requires_grad_(True)
        self.optimizer_D.zero_grad()
        judged = self.towards(self.D(torch.cat([a, fake], 1).detach()), 0)
        believed = self.towards(self.D(torch.cat([a, b], 1)), 1)
        ((judged + believed) * 0.5).backward()
        self.optimizer_D.step()

        self.D.requires_grad_(False)
        self.optimizer_G.zero_grad()
        fooled = self.towards(self.D(torch.cat([a, fake], 1)), 1)
        far = self.l1(fake, b) * self.lambda_L1
        (fooled + far).backward()
        self.optimizer_G.step()
        losses = {"G_GAN": fooled, "G_L1": far, "D_real": believed, "D_fake": judged}
        return {name: loss.detach() for name, loss in losses.items()}

    def towards(self, scores: Tensor, label: float) -> Tensor:
        return self.adversarial(scores, scores.new_full((), label).expand_as(scores))
