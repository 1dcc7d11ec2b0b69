"""pix2pix: Isola, Zhu, Zhou and Efros 2017, "Image-to-Image Translation with Conditional
Adversarial Networks", as pytorch-CycleGAN-and-pix2pix computes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ganvas.colour import lab_to_rgb
from ganvas.config import option_name
from ganvas.errors import InputError
from ganvas.losses import total
from ganvas.losses.reconstruction import l1
from ganvas.methods.adversarial import ObjectiveName
from ganvas.methods.base import Batch, frozen
from ganvas.methods.translator import OneWay, TranslatorSettings
from ganvas.networks.init import init_weights
from ganvas.networks.norms import Norm, use_own_statistics
from ganvas.scales import LAB


@dataclass(kw_only=True)
class Config(TranslatorSettings):
    """pix2pix"""

    lambda_L1: float = 100.0
    """lambda of eq. 4: the weight of |y - G(x)|_1; paper: 100. 0: none."""
    objective: ObjectiveName = "vanilla"
    """The adversarial loss (eq. 1: vanilla; section 3.3: non-saturating)."""
    colorization: bool = False
    """Learn colour from lightness: of colour pictures, A is L and B is a and b of CIE L*a*b*."""
    generator: Literal["resnet", "unet"] = "unet"
    dropout: bool = True
    norm: Norm = "batch"
    statistics: Literal["own", "running"] | None = None
    """What batch norms of a trained generator go by: own, those of the picture itself (section
    3.3); running, averages over the training. Left out: what is nearer to the training, own at
    batch size 1 and running at others."""

    def check(self) -> None:
        super().check()
        self.at_least("lambda_L1", 0)
        if self.colorization:
            self.check_colorization()

    def check_colorization(self) -> None:
        """Refuse settings of pictures that colorization takes apart by its own rule."""
        given = {f"{n}_{d}": getattr(self, f"{n}_{d}") for n in ("channels", "range") for d in "AB"}
        own = {"channels_A": 1, "channels_B": 2}
        others = [n for n, value in given.items() if value not in (None, own.get(n))]
        others += ["alpha"] * (self.alpha != "white")
        if others:
            raise InputError(
                f"--{option_name(others[0])}: is without effect with --colorization, which takes "
                "lightness and colour as CIE L*a*b* has them; leave it out"
            )
        if self.direction != "AtoB":
            raise InputError(
                "--direction BtoA: with --colorization lightness is A and colour is B; leave it out"
            )

    @property
    def colorizes(self) -> bool:
        return self.colorization

    def shaped_by(self, player: str) -> tuple[str, ...]:
        return (*super().shaped_by(player), "colorization")

    @property
    def own_statistics(self) -> bool:
        """Whether a trained generator normalises each picture by itself."""
        return (self.statistics or ("own" if self.batch_size == 1 else "running")) == "own"


class Pix2Pix(OneWay):
    """G: (x, z) -> y, judged by D beside its input, and held to the y that belongs to x.

    z is dropout (section 3.1). In use it is off, so that a picture has one translation, where the
    paper leaves it on. Trained with batch size 1, batch norms go by a picture's own statistics in
    use too, as in the paper; with another, by running ones.
    """

    name = "pix2pix"
    Config = Config
    domains = ("A", "B")
    data = "paired"
    dialect = "cyclegan"

    def __init__(
        self, config: Config, channels: Mapping[str, int], classes: Sequence[str] = ()
    ) -> None:
        super().__init__(config, channels, classes)
        self.config: Config = config
        c = config
        x, y = (self.channels[domain] for domain in c.x_and_y)
        self.G = c.make_generator(x, y)
        self.D = c.make_discriminator(x + y)
        for network in (self.G, self.D):
            init_weights(network, c.init_type, c.init_gain)
        if c.own_statistics:
            use_own_statistics(self.G)
        self.player("G", self.G, lr=c.lr, betas=(c.beta1, c.beta2))
        self.player("D", self.D, lr=c.rate_D, betas=(c.beta1, c.beta2))
        if c.ema:
            self.average(G=self.G)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        G, D, c = self.G, self.D, self.config
        x, y = (batch[domain] for domain in c.x_and_y)
        turn, losses, judged = self.whose_turn(), {}, {}

        y_ = G(x)
        real, fake = torch.cat([x, y], 1), torch.cat([x, y_], 1)

        # max over D:  E[log D(x, y)] + E[log(1 - D(x, G(x, z)))]  (eq. 1), at half the pace
        # (section 3.3)
        if "D" in turn:
            # Fakes first, as in the reference: batch norm remembers the order.
            of_fake, of_real = D(fake.detach()), D(real)
            judged = self.discriminator_terms("D", of_real, of_fake)
            penalties = self.penalties(D, real, fake.detach())
            judged |= {f"D_{name}": penalty for name, penalty in penalties.items()}
            self.descend("D", total(judged) / 2)
            self.clip(D)

        # min over G:  L_cGAN(G, D) + lambda L_L1(G)  (eq. 4)
        if "G" in turn:
            with frozen(D):
                losses["G_GAN"] = self.generator_loss(D(fake), lambda: D(real))
                # |y - G(x, z)|_1  (eq. 3)
                losses["G_L1"] = c.lambda_L1 * l1(y_, y)
                self.descend("G", total(losses))

        return {name: loss.detach() for name, loss in (losses | judged).items()}

    @torch.inference_mode()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        X, Y = self.config.x_and_y
        x, y, y_ = batch[X], batch[Y], self.best("G")(batch[X])
        if self.config.colorization:
            y, y_ = coloured(x, y), coloured(x, y_)
        return {f"real_{X}": x, f"fake_{Y}": y_, f"real_{Y}": y}


def coloured(lightness: Tensor, chroma: Tensor) -> Tensor:
    """L (N, 1, H, W) and ab (N, 2, H, W) in [-1, 1] as RGB (N, 3, H, W) in [-1, 1]."""
    parts = [
        np.stack([LAB[space].values(x) for x in batch])
        for space, batch in (("lightness", lightness), ("chroma", chroma))
    ]
    rgb = lab_to_rgb(np.concatenate(parts, -1)) * 2 - 1
    return torch.from_numpy(rgb.transpose(0, 3, 1, 2)).to(lightness)
