"""DCGAN: Radford, Metz and Chintala 2016, "Unsupervised Representation Learning with Deep
Convolutional Generative Adversarial Networks", as PyTorch's tutorial computes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from ganvas import chance
from ganvas.errors import InputError
from ganvas.losses import total
from ganvas.methods.base import Batch, frozen
from ganvas.methods.generator import Generator, GeneratorSettings
from ganvas.networks.convolution import Conv2d, ConvTranspose2d
from ganvas.networks.init import init_weights
from ganvas.networks.norms import BatchNorm2d, CriticNorm, norm_layer

SMALLEST = 16
WIDEST = 1024


@dataclass(kw_only=True)
class Config(GeneratorSettings):
    """DCGAN"""

    nz: int = 100
    """Numbers in a latent z (section 4: 100)."""
    ngf: int = 64
    """Channels of the generator in front of its last layer; they double towards the latent."""
    ndf: int = 64
    """Channels of the discriminator's first layer; they double towards the score."""
    norm_D: CriticNorm = "batch"
    """Normalisation in the discriminator; with --gp, layer is that of WGAN-GP."""
    beta1: float = 0.5
    """Adam's decay of the first moment (section 4)."""
    beta2: float = 0.999
    """Adam's decay of the second moment (tutorial)."""
    size: str = "64"
    batch_size: int = 128
    duration: str = "5ep"
    flip: bool = False
    previews: int = 64
    log_every: str = "50it"

    def check(self) -> None:
        super().check()
        for name in ("nz", "ngf", "ndf"):
            self.at_least(name, 1)
        for name in ("beta1", "beta2"):
            self.below_one(name)
        self.check_size(*self.width_height, f"--size {self.size}")

    def check_size(self, width: int, height: int, what: str) -> None:
        if min(width, height) < SMALLEST:
            raise InputError(f"{what}: dcgan wants at least {SMALLEST} pixels each way")

    def shaped_by(self, player: str) -> tuple[str, ...]:
        own = ("nz", "ngf") if player == "G" else ("ndf", "norm_D")
        return (*own, "size", "conditional")


def sizes(size: tuple[int, int]) -> list[tuple[int, int]]:
    """(height, width) at each layer of a discriminator: halved, rounding down, until the shorter
    side is 4 to 7. A generator passes them the other way round; 64 is 64, 32, 16, 8, 4."""
    found = [size]
    while min(found[-1]) >= 8:
        found.append((found[-1][0] // 2, found[-1][1] // 2))
    return found


class GeneratorNetwork(nn.Module):
    """Latents (N, nz) and one-hot labels (N, classes) to pictures (N, C, H, W) in [-1, 1].

    The paper's figure 1 at any size: each doubling of the size halves the channels. `size` is
    (height, width); an odd one comes from a transposed convolution that pads one pixel more.
    """

    def __init__(
        self, nz: int, width: int, channels: int, size: tuple[int, int], classes: int = 0
    ) -> None:
        super().__init__()
        steps = sizes(size)[::-1]
        widths = [min(width * 2**n, max(WIDEST, width)) for n in range(len(steps) - 1)][::-1]
        layers: list[nn.Module] = [
            ConvTranspose2d(nz + classes, widths[0], steps[0], 1, 0, bias=False)
        ]
        for n, (small, large) in enumerate(pairwise(steps)):
            odd = (large[0] - 2 * small[0], large[1] - 2 * small[1])
            after = widths[n + 1] if n + 1 < len(widths) else channels
            layers += [
                BatchNorm2d(widths[n]),
                nn.ReLU(True),
                ConvTranspose2d(widths[n], after, 4, 2, 1, odd, bias=False),
            ]
        self.main = nn.Sequential(*layers, nn.Tanh())

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        z = z if labels is None else torch.cat([z, labels], 1)
        return self.main(z[:, :, None, None])


class DiscriminatorNetwork(nn.Module):
    """Pictures (N, C, H, W) and one-hot labels (N, classes) to raw scores (N, 1).

    The mirror of the generator: strided convolutions and leaky ReLU, no norm on the first layer.
    """

    def __init__(
        self, width: int, channels: int, size: tuple[int, int], norm: CriticNorm, classes: int = 0
    ) -> None:
        super().__init__()
        steps, bias = sizes(size), norm in ("instance", "none")
        widths = [min(width * 2**n, max(WIDEST, width)) for n in range(len(steps) - 1)]
        layers: list[nn.Module] = [
            Conv2d(channels + classes, widths[0], 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, True),
        ]
        for before, after in pairwise(widths):
            layers += [
                Conv2d(before, after, 4, 2, 1, bias=bias),
                norm_layer(norm)(after),
                nn.LeakyReLU(0.2, True),
            ]
        self.main = nn.Sequential(*layers, Conv2d(widths[-1], 1, steps[-1], 1, 0, bias=False))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is not None:
            planes = labels[:, :, None, None].expand(-1, -1, *x.shape[2:])
            x = torch.cat([x, planes.to(x)], 1)
        return self.main(x).flatten(1)


class DCGAN(Generator):
    """G: z -> picture, judged by D.

    Sizes from 16 on, also rectangular; 64 is the paper's and the tutorial's, whose state-dict
    keys ours are. Channels stop doubling at 1024, where the paper's 64x64 network begins with
    them: its rule would give 4096 at 512 pixels. D answers with raw scores; the tutorial's
    sigmoid is part of the vanilla objective.
    """

    name = "dcgan"
    Config = Config
    dialect = "dcgan"

    def __init__(
        self, config: Config, channels: Mapping[str, int], classes: Sequence[str] = ()
    ) -> None:
        super().__init__(config, channels, classes)
        self.config: Config = config
        c, depth = config, self.channels["pictures"]
        width, height = c.width_height
        size = (height, width)
        self.nz = c.nz
        self.G = GeneratorNetwork(c.nz, c.ngf, depth, size, len(self.classes))
        self.D = DiscriminatorNetwork(c.ndf, depth, size, c.norm_D, len(self.classes))
        for network in (self.G, self.D):
            init_weights(network, "normal", 0.02)
        self.player("G", self.G, lr=c.lr, betas=(c.beta1, c.beta2))
        self.player("D", self.D, lr=c.rate_D, betas=(c.beta1, c.beta2))
        if c.ema:
            self.average(G=self.G)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        x, y = batch["pictures"], self.one_hot(batch.get("labels"))
        G, D = partial(self.G, labels=y), partial(self.D, labels=y)
        turn, losses = self.whose_turn(), {}
        with torch.set_grad_enabled("G" in turn):
            x_ = G(chance.randn(len(x), self.nz, device=x.device))

        # max over D:  log D(x) + log(1 - D(G(z)))
        if "D" in turn:
            real, fake = self.settled(D(x)), D(x_.detach())
            losses["D"] = self.discriminator_loss("D", real, fake)
            penalties = self.penalties(D, x, x_.detach())
            losses |= {f"D_{name}": penalty for name, penalty in penalties.items()}
            self.descend("D", total(losses))
            self.clip(self.D)
            if self.speaks_of_probability:
                losses |= {"D(x)": mean_sigmoid(real), "D(G(z))_1": mean_sigmoid(fake)}

        # max over G:  log D(G(z))
        if "G" in turn:
            with frozen(self.D):
                fake = D(x_)
                losses["G"] = self.generator_loss(fake, lambda: D(x))
                self.descend("G", losses["G"])
            if self.speaks_of_probability:
                losses["D(G(z))_2"] = mean_sigmoid(fake)

        return {name: loss.detach() for name, loss in losses.items()}

    @property
    def speaks_of_probability(self) -> bool:
        """Whether the objective makes a score's sigmoid D's belief that a picture is real."""
        return self.config.objective.startswith(("vanilla", "logistic"))

    def synthesise(self, z: Tensor, labels: Tensor | None) -> Tensor:
        return self.best("G")(z, self.one_hot(labels))


def mean_sigmoid(scores: Tensor) -> Tensor:
    """The tutorial's D(x): the mean of what a sigmoid makes of raw scores."""
    return scores.detach().float().sigmoid().mean()
