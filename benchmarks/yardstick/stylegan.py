"""StyleGAN (Karras, Laine and Aila 2019) at its full size, as its PyTorch versions usually compute
it: resampling, convolution and blur one after the other."""

from collections.abc import Mapping as Batch
from copy import deepcopy
from itertools import pairwise
from math import floor, log2, sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-8


class Dense(nn.Module):
    """(N, inputs) to (N, outputs), with an equalised learning rate."""

    def __init__(
        self, inputs: int, outputs: int, gain: float = sqrt(2), lr_mul: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_mul)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale, self.lr_mul = gain / sqrt(inputs) * lr_mul, lr_mul

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias * self.lr_mul)


class Conv(nn.Module):
    """(N, inputs, H, W) to (N, outputs, H, W), with an equalised learning rate."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        gain: float = sqrt(2),
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale, self.padding = gain / sqrt(inputs * kernel**2), kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


class Blur(nn.Module):
    """[1, 2, 1] x [1, 2, 1] / 16 on each channel."""

    kernel: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        tap = torch.tensor([1.0, 2.0, 1.0]) / 4
        kernel = (tap[:, None] * tap).repeat(channels, 1, 1, 1)
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.kernel, padding=1, groups=x.shape[1])


class Mapping(nn.Module):
    """Latents z (N, nz) to styles w (N, nw)."""

    def __init__(self, nz: int, nw: int, width: int, layers: int, lr_mul: float) -> None:
        super().__init__()
        widths = [nz, *[width] * (layers - 1), nw]
        self.layers = nn.ModuleList(
            Dense(widths[n], widths[n + 1], lr_mul=lr_mul) for n in range(layers)
        )

    def forward(self, z: Tensor) -> Tensor:
        w = z * torch.rsqrt(z.square().mean(1, keepdim=True) + EPSILON)
        for layer in self.layers:
            w = F.leaky_relu(layer(w), 0.2)
        return w


class Epilogue(nn.Module):
    """Noise, bias, leaky ReLU, instance norm, style."""

    def __init__(self, channels: int, nw: int) -> None:
        super().__init__()
        self.noise_weight = nn.Parameter(torch.zeros(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.norm = nn.InstanceNorm2d(channels, eps=EPSILON)
        self.style = Dense(nw, 2 * channels, gain=1.0)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        n, c, height, width = x.shape
        noise = torch.randn(n, 1, height, width, device=x.device)
        x = x + noise * self.noise_weight.view(1, -1, 1, 1)
        x = self.norm(F.leaky_relu(x + self.bias.view(1, -1, 1, 1), 0.2))
        scale, shift = self.style(w).view(n, 2, c, 1, 1).unbind(1)
        return x * (scale + 1) + shift


class Constant(nn.Module):
    """What all pictures begin with."""

    def __init__(self, channels: int, nw: int) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.ones(1, channels, 4, 4))
        self.epilogue = Epilogue(channels, nw)

    def forward(self, w: Tensor) -> Tensor:
        return self.epilogue(self.constant.repeat(len(w), 1, 1, 1), w)


class Layer(nn.Module):
    """A convolution, to twice the size where it says up, and the epilogue."""

    def __init__(self, inputs: int, outputs: int, nw: int, up: bool) -> None:
        super().__init__()
        self.conv = Conv(inputs, outputs, bias=False)
        self.blur = Blur(outputs) if up else None
        self.epilogue = Epilogue(outputs, nw)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        if self.blur is None:
            return self.epilogue(self.conv(x), w)
        return self.epilogue(self.blur(self.conv(F.interpolate(x, scale_factor=2.0))), w)


class Generator(nn.Module):
    """Styles (N, layers, nw) to pictures (N, channels, size, size)."""

    w_avg: Tensor

    def __init__(self, widths: list[int], mapping: Mapping, nw: int, channels: int) -> None:
        super().__init__()
        self.mapping = mapping
        self.register_buffer("w_avg", torch.zeros(nw))
        self.first = Constant(widths[0], nw)
        layers = [Layer(widths[0], widths[0], nw, up=False)]
        for before, after in pairwise(widths):
            layers += [Layer(before, after, nw, up=True), Layer(after, after, nw, up=False)]
        self.layers = nn.ModuleList(layers)
        self.to_rgb = nn.ModuleDict({str(len(widths) - 1): Conv(widths[-1], channels, 1, 1.0)})

    def forward(self, styles: Tensor) -> Tensor:
        x = self.first(styles[:, 0])
        for n, layer in enumerate(self.layers, 1):
            x = layer(x, styles[:, n])
        for layer in self.to_rgb.values():
            x = layer(x)
        return x


class Block(nn.Module):
    """Features (N, inputs, H, W) to (N, outputs, H / 2, W / 2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv, self.down = Conv(inputs, inputs), Conv(inputs, outputs)
        self.blur = Blur(inputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blur(F.leaky_relu(self.conv(x), 0.2))
        return F.leaky_relu(F.avg_pool2d(self.down(x), 2), 0.2)


class Discriminator(nn.Module):
    """Pictures (N, channels, size, size) to scores (N, 1). N is a multiple of the group."""

    def __init__(self, widths: list[int], dense: int, channels: int, group: int) -> None:
        super().__init__()
        self.group = group
        self.from_rgb = nn.ModuleDict({str(len(widths) - 1): Conv(channels, widths[-1], 1)})
        self.blocks = nn.ModuleList(Block(after, before) for before, after in pairwise(widths))
        self.conv = Conv(widths[0] + 1, widths[0])
        self.dense = Dense(16 * widths[0], dense)
        self.score = Dense(dense, 1, gain=1.0)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.from_rgb.values():
            x = F.leaky_relu(layer(x), 0.2)
        for block in reversed(self.blocks):
            x = block(x)
        n, c, height, width = x.shape
        groups = x.view(self.group, -1, c, height, width)
        spread = (groups - groups.mean(0)).square().mean(0).add(EPSILON).sqrt().mean((1, 2, 3))
        x = torch.cat([x, spread.repeat(self.group).view(n, 1, 1, 1).repeat(1, 1, 4, 4)], 1)
        x = F.leaky_relu(self.conv(x), 0.2)
        return self.score(F.leaky_relu(self.dense(x.flatten(1)), 0.2))


class StyleGAN(nn.Module):
    """G: z -> w -> picture, judged by D; logistic losses, R1, mixed styles, averaged weights."""

    def __init__(
        self,
        size: int = 64,
        channels: int = 3,
        nz: int = 512,
        nw: int = 512,
        mapping_layers: int = 8,
        mapping_fmaps: int = 512,
        fmap_base: int = 8192,
        fmap_max: int = 512,
        mbstd_group: int = 4,
        style_mixing_prob: float = 0.9,
        r1_gamma: float = 10.0,
        half_life: float = 10_000.0,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.0, 0.99),
    ) -> None:
        super().__init__()
        last = int(log2(size)) - 2
        dense, *widths = (min(fmap_base // 2**n, fmap_max) for n in range(last + 2))
        mapping = Mapping(nz, nw, mapping_fmaps, mapping_layers, lr_mul=0.01)
        self.G = Generator(widths, mapping, nw, channels)
        self.D = Discriminator(widths, dense, channels, mbstd_group)
        self.averaged = deepcopy(self.G).requires_grad_(False)
        self.nz, self.styles = nz, 2 * len(widths)
        self.mixing, self.gamma, self.half_life = style_mixing_prob, r1_gamma, half_life
        self.optimizer_G = torch.optim.Adam(self.G.parameters(), lr=lr, betas=betas)
        self.optimizer_D = torch.optim.Adam(self.D.parameters(), lr=lr, betas=betas)

    def step(self, batch: Batch[str, Tensor]) -> dict[str, Tensor]:
        """Losses: D, D_r1 and G."""
        x = batch["pictures"]
        self.D.requires_grad_(True)
        self.optimizer_D.zero_grad()
        with torch.no_grad():
            fake = self.drawn(len(x))
        x = x.detach().requires_grad_()
        real = self.D(x)
        loss_D = F.softplus(self.D(fake)).mean() + F.softplus(-real).mean()
        (gradients,) = torch.autograd.grad(real.sum(), x, create_graph=True)
        penalty = self.gamma / 2 * gradients.square().sum((1, 2, 3)).mean()
        (loss_D + penalty).backward()
        self.optimizer_D.step()

        self.D.requires_grad_(False)
        self.optimizer_G.zero_grad()
        loss_G = F.softplus(-self.D(self.drawn(len(x)))).mean()
        loss_G.backward()
        self.optimizer_G.step()
        self.follow(0.5 ** (len(x) / self.half_life))
        losses = {"D": loss_D, "D_r1": penalty, "G": loss_G}
        return {name: loss.detach() for name, loss in losses.items()}

    def drawn(self, count: int) -> Tensor:
        z, other = torch.randn(2, count, self.nz, device=self.G.w_avg.device)
        w = self.G.mapping(z)
        with torch.no_grad():
            self.G.w_avg.copy_(w.mean(0).lerp(self.G.w_avg, 0.995))
        styles = w.unsqueeze(1).repeat(1, self.styles, 1)
        mixes, place = torch.rand(2, device="cpu").tolist()
        if mixes < self.mixing:
            start = 1 + floor(place * (self.styles - 1))
            second = self.G.mapping(other).unsqueeze(1).repeat(1, self.styles, 1)
            styles = torch.cat([styles[:, :start], second[:, start:]], 1)
        return self.G(styles)

    @torch.no_grad()
    def follow(self, beta: float) -> None:
        """Move the averaged weights by 1 - beta towards the generator's."""
        for mean, now in zip(self.averaged.parameters(), self.G.parameters(), strict=True):
            mean.lerp_(now, 1 - beta)
        self.averaged.w_avg.copy_(self.G.w_avg)
