"""SimGAN as a baseline: Shrivastava et al. 2017, "Learning from Simulated and Unsupervised Images
through Adversarial Training", with the networks and training of CycleGAN, as CycleGAN's paper
(Zhu et al. 2017, section 5.1.2) compares itself with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ganvas.errors import InputError
from ganvas.losses import total
from ganvas.losses.reconstruction import l1
from ganvas.methods.adversarial import ObjectiveName
from ganvas.methods.base import Batch, frozen
from ganvas.methods.translator import OneWay, TranslatorSettings
from ganvas.networks.init import init_weights
from ganvas.networks.pool import ImagePool


@dataclass(kw_only=True)
class Config(TranslatorSettings):
    """SimGAN"""

    lambda_reg: float = 10.0
    """lambda of SimGAN's eq. 1, the weight of |x - G(x)|_1; CycleGAN's code: 10. 0: none."""
    objective: ObjectiveName = "lsgan"
    """The adversarial loss (CycleGAN, section 4: lsgan, least squares)."""
    pool_size: int = 50
    """Generated pictures that the discriminator's history holds (SimGAN, section 2.3; CycleGAN:
    50); 0: none."""

    def check(self) -> None:
        super().check()
        for name in ("lambda_reg", "pool_size"):
            self.at_least(name, 0)


class SimGAN(OneWay):
    """G: X -> Y, SimGAN's refiner R, judged by D, and held to its own input: |x - G(x)|_1."""

    name = "simgan"
    Config = Config
    domains = ("A", "B")
    data = "unpaired"
    dialect = "cyclegan"
    baseline = True

    def __init__(
        self, config: Config, channels: Mapping[str, int], classes: Sequence[str] = ()
    ) -> None:
        super().__init__(config, channels, classes)
        self.config: Config = config
        c = config
        x, y = (self.channels[domain] for domain in c.x_and_y)
        if x != y and c.lambda_reg > 0:
            raise InputError(
                f"--lambda-reg {c.lambda_reg:g}: |x - G(x)| wants equal channels, but A has "
                f"{self.channels['A']} and B has {self.channels['B']}; set it to 0, or give "
                "--channels-A and --channels-B the same number"
            )
        self.G = c.make_generator(x, y)
        self.D = c.make_discriminator(y)
        for network in (self.G, self.D):
            init_weights(network, c.init_type, c.init_gain)
        self.pool = ImagePool(c.pool_size)
        self.player("G", self.G, lr=c.lr, betas=(c.beta1, c.beta2))
        self.player("D", self.D, lr=c.rate_D, betas=(c.beta1, c.beta2))
        if c.ema:
            self.average(G=self.G)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        G, D, c = self.G, self.D, self.config
        x, y = (batch[domain] for domain in c.x_and_y)
        turn, losses, judged = self.whose_turn(), {}, {}

        with torch.set_grad_enabled("G" in turn):
            y_ = G(x)

        # max over D, on a history of refined pictures, at half the pace  (SimGAN, eq. 2, section
        # 2.3; CycleGAN, section 4)
        if "D" in turn:
            old = self.pool(y_.detach())
            judged["D"] = self.discriminator_loss("D", D(y), D(old)) / 2
            for name, penalty in self.penalties(D, y, old).items():
                judged[f"D_{name}"] = penalty / 2
            self.descend("D", total(judged))
            self.clip(D)

        # min over G:  L_real(G; x) + lambda L_reg(G; x)  (SimGAN, eq. 1)
        if "G" in turn:
            with frozen(D):
                losses["G_GAN"] = self.generator_loss(D(y_), lambda: D(y))
                if c.lambda_reg > 0:
                    # |G(x) - x|_1  (SimGAN, eq. 3, of pixels)
                    losses["G_reg"] = c.lambda_reg * l1(y_, x)
                self.descend("G", total(losses))

        return {name: loss.detach() for name, loss in (losses | judged).items()}
