"""CycleGAN (Zhu, Park, Isola and Efros 2017) as it is usually computed."""

import random
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from benchmarks.yardstick.patchgan import PatchGAN, adversarial


class Block(nn.Module):
    """A residual block (N, width, H, W): x + f(x)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            nn.InstanceNorm2d(width),
            nn.ReLU(True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            nn.InstanceNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class Resnet(nn.Module):
    """c7s1-w, d2w, d4w, R4w x n, u2w, uw, c7s1-outputs (appendix 7.2): pictures in [-1, 1]."""

    def __init__(self, inputs: int, outputs: int, width: int, n_blocks: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(inputs, width, 7)]
        layers += [nn.InstanceNorm2d(width), nn.ReLU(True)]
        for w in (width, 2 * width):
            layers.append(nn.Conv2d(w, 2 * w, 3, 2, 1))
            layers += [nn.InstanceNorm2d(2 * w), nn.ReLU(True)]
        layers += [Block(4 * width) for _ in range(n_blocks)]
        for w in (4 * width, 2 * width):
            layers.append(nn.ConvTranspose2d(w, w // 2, 3, 2, 1, output_padding=1))
            layers += [nn.InstanceNorm2d(w // 2), nn.ReLU(True)]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, outputs, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class Pool:
    """The history of generated pictures (section 4; Shrivastava et al. 2017, section 2.3)."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.pictures: list[Tensor] = []

    def __call__(self, batch: Tensor) -> Tensor:
        """Of each picture of (N, C, H, W) itself, or half the time an old one in its place."""
        if not self.size:
            return batch
        shown = []
        for picture in batch:
            if len(self.pictures) < self.size:
                self.pictures.append(picture)
                shown.append(picture)
            elif random.random() > 0.5:
                place = random.randrange(self.size)
                shown.append(self.pictures[place].clone())
                self.pictures[place] = picture
            else:
                shown.append(picture)
        return torch.stack(shown)


class CycleGAN(nn.Module):
    """G_A: A -> B, G_B: B -> A; D_A judges pictures of B, D_B those of A."""

    def __init__(
        self,
        channels: tuple[int, int] = (3, 3),
        ngf: int = 64,
        ndf: int = 64,
        n_blocks: int = 9,
        n_layers: int = 3,
        lambda_A: float = 10.0,
        lambda_B: float = 10.0,
        lambda_identity: float = 0.5,
        objective: str = "lsgan",
        pool_size: int = 50,
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
    ) -> None:
        super().__init__()
        a, b = channels
        self.G_A, self.G_B = Resnet(a, b, ngf, n_blocks), Resnet(b, a, ngf, n_blocks)
        self.D_A = PatchGAN(b, ndf, n_layers, nn.InstanceNorm2d)
        self.D_B = PatchGAN(a, ndf, n_layers, nn.InstanceNorm2d)
        self.lambdas = lambda_A, lambda_B, lambda_identity
        self.adversarial, self.l1 = adversarial(objective), nn.L1Loss()
        self.pool_A, self.pool_B = Pool(pool_size), Pool(pool_size)
        self.generators = [*self.G_A.parameters(), *self.G_B.parameters()]
        self.discriminators = [*self.D_A.parameters(), *self.D_B.parameters()]
        self.optimizer_G = torch.optim.Adam(self.generators, lr=lr, betas=betas)
        self.optimizer_D = torch.optim.Adam(self.discriminators, lr=lr, betas=betas)

    def step(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Losses by the published names, weighted as they are added."""
        a, b = batch["A"], batch["B"]
        lambda_A, lambda_B, identity = self.lambdas
        fake_B, fake_A = self.G_A(a), self.G_B(b)
        rec_A, rec_B = self.G_B(fake_B), self.G_A(fake_A)

        self.D_A.requires_grad_(False)
        self.D_B.requires_grad_(False)
        self.optimizer_G.zero_grad()
        losses: dict[str, Tensor] = {}
        if identity:
            losses["idt_A"] = self.l1(self.G_A(b), b) * lambda_B * identity
            losses["idt_B"] = self.l1(self.G_B(a), a) * lambda_A * identity
        losses["G_A"] = self.towards(self.D_A(fake_B), 1)
        losses["G_B"] = self.towards(self.D_B(fake_A), 1)
        losses["cycle_A"] = self.l1(rec_A, a) * lambda_A
        losses["cycle_B"] = self.l1(rec_B, b) * lambda_B
        torch.stack(list(losses.values())).sum().backward()
        self.optimizer_G.step()

        self.D_A.requires_grad_(True)
        self.D_B.requires_grad_(True)
        self.optimizer_D.zero_grad()
        losses["D_A"] = self.judged(self.D_A, b, self.pool_B(fake_B.detach()))
        losses["D_A"].backward()
        losses["D_B"] = self.judged(self.D_B, a, self.pool_A(fake_A.detach()))
        losses["D_B"].backward()
        self.optimizer_D.step()
        return {name: loss.detach() for name, loss in losses.items()}

    def judged(self, D: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        return (self.towards(D(real), 1) + self.towards(D(fake), 0)) * 0.5

    def towards(self, scores: Tensor, label: float) -> Tensor:
        return self.adversarial(scores, scores.new_full((), label).expand_as(scores))
