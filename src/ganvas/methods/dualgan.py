"""DualGAN: Yi, Zhang, Tan and Gong 2017, "DualGAN: Unsupervised Dual Learning for Image-to-Image
Translation"; settings that the paper leaves open are those of its code (duxingren14/DualGAN)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ganvas.config import option_name
from ganvas.errors import InputError
from ganvas.losses import total
from ganvas.losses.reconstruction import l1
from ganvas.methods.adversarial import ObjectiveName
from ganvas.methods.base import Batch, Direction, frozen
from ganvas.methods.translator import Translator, TranslatorSettings
from ganvas.networks.init import init_weights
from ganvas.networks.norms import Norm, use_own_statistics
from ganvas.schedules import Policy

CLIPPED = 0.01


@dataclass(kw_only=True)
class Config(TranslatorSettings):
    """DualGAN"""

    lambda_A: float = 500.0
    """lambda_U of eq. 3, the weight of |u - G_B(G_A(u))|_1; paper: 100 to 1000, code: 500."""
    lambda_B: float = 500.0
    """lambda_V of eq. 3, the weight of |v - G_A(G_B(v))|_1; as lambda-A."""
    objective: ObjectiveName = "wgan"
    """The adversarial loss (eq. 1 to 3: wgan)."""
    clip: float | None = None
    """Bound on the discriminators' weights, c of algorithm 1. Left out: 0.01 with wgan where no
    penalty bounds them, else none."""
    lr: float = 0.00005
    """Learning rate of RMSProp (section 3.3)."""
    rms_decay: float = 0.9
    """RMSProp's decay of the mean square (code: 0.9)."""
    d_steps: str = "2"
    generator: Literal["resnet", "unet"] = "unet"
    dropout: bool = True
    norm: Norm = "batch"
    lr_policy: Policy = "constant"
    duration: str = "100ep"

    def check(self) -> None:
        super().check()
        for name in ("lambda_A", "lambda_B"):
            self.at_least(name, 0)
        self.below_one("rms_decay")
        if idle := sorted({"beta1", "beta2"} & set(self.changed())):
            raise InputError(
                f"--{option_name(idle[0])}: is Adam's, and dualgan learns by RMSProp; its decay "
                "is --rms-decay"
            )

    @property
    def bound(self) -> float | None:
        free = self.objective == "wgan" and not (self.gp or self.r1_gamma or self.r2_gamma)
        return CLIPPED if self.clip is None and free else self.clip


class DualGAN(Translator):
    """G_A: U -> V and G_B: V -> U, judged by D_A and D_B, each the other's way back.

    D_A judges V, to which G_A leads, as in CycleGAN's code. z and z', the noise, are dropout
    (section 3.2). In use it is off, so that a picture has one translation, where the paper leaves
    it on. Trained with batch size 1, batch norms go by a picture's own statistics in use too, and
    so are the code's norms; with another, by running ones.
    """

    name = "dualgan"
    Config = Config
    domains = ("A", "B")
    data = "unpaired"
    dialect = "cyclegan"
    published_keys = False

    def __init__(
        self, config: Config, channels: Mapping[str, int], classes: Sequence[str] = ()
    ) -> None:
        super().__init__(config, channels, classes)
        self.config: Config = config
        c = config
        u, v = (self.channels[domain] for domain in c.x_and_y)
        self.G_A = c.make_generator(u, v)
        self.G_B = c.make_generator(v, u)
        self.D_A = c.make_discriminator(v)
        self.D_B = c.make_discriminator(u)
        for network in (self.G_A, self.G_B, self.D_A, self.D_B):
            init_weights(network, c.init_type, c.init_gain)
        if c.batch_size == 1:
            use_own_statistics(self)
        self.rmsprop_player("G", self.G_A, self.G_B, lr=c.lr, alpha=c.rms_decay)
        self.rmsprop_player("D", self.D_A, self.D_B, lr=c.rate_D, alpha=c.rms_decay)
        if c.ema:
            self.average(G_A=self.G_A, G_B=self.G_B)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        G_A, G_B, D_A, D_B, c = self.G_A, self.G_B, self.D_A, self.D_B, self.config
        u, v = (batch[domain] for domain in c.x_and_y)
        turn, losses, judged = self.whose_turn(), {}, {}

        with torch.set_grad_enabled("G" in turn):
            v_, u_ = G_A(u), G_B(v)

        # min over D_A, D_B:  D_A(G_A(u, z)) - D_A(v) + D_B(G_B(v, z')) - D_B(u)  (eq. 1, 2),
        # weights clipped  (algorithm 1)
        if "D" in turn:
            for name, D, real, fake in (("D_A", D_A, v, v_), ("D_B", D_B, u, u_)):
                judged[name] = self.discriminator_loss(name, D(real), D(fake.detach()))
                for term, penalty in self.penalties(D, real, fake.detach()).items():
                    judged[f"{name}_{term}"] = penalty
            self.descend("D", total(judged))
            self.clip(D_A, D_B)

        # min over G_A, G_B:  lambda_U |u - G_B(G_A(u, z), z')| + lambda_V |v - G_A(G_B(v, z'), z)|
        #                     - D_B(G_B(v, z')) - D_A(G_A(u, z))  (eq. 3)
        if "G" in turn:
            with frozen(D_A, D_B):
                losses["G_A"] = self.generator_loss(D_A(v_), lambda: D_A(v))
                losses["G_B"] = self.generator_loss(D_B(u_), lambda: D_B(u))
                losses["recon_A"] = c.lambda_A * l1(G_B(v_), u)
                losses["recon_B"] = c.lambda_B * l1(G_A(u_), v)
                self.descend("G", total(losses))

        return {name: loss.detach() for name, loss in (losses | judged).items()}

    @torch.inference_mode()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        G_A, G_B, (U, V) = self.best("G_A"), self.best("G_B"), self.config.x_and_y
        u, v = batch[U], batch[V]
        v_, u_ = G_A(u), G_B(v)
        forth = {f"real_{U}": u, f"fake_{V}": v_, f"rec_{U}": G_B(v_)}
        return forth | {f"real_{V}": v, f"fake_{U}": u_, f"rec_{V}": G_A(u_)}

    def translator(self, direction: Direction) -> nn.Module:
        return self.best("G_A" if direction == self.config.direction else "G_B")
