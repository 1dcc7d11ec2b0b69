"""CycleGAN: Zhu, Park, Isola and Efros 2017, "Unpaired Image-to-Image Translation using
Cycle-Consistent Adversarial Networks", as pytorch-CycleGAN-and-pix2pix computes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from ganvas.errors import InputError
from ganvas.losses import named, total
from ganvas.losses.reconstruction import l1
from ganvas.methods.adversarial import ObjectiveName
from ganvas.methods.base import Batch, Direction, frozen
from ganvas.methods.translator import Translator, TranslatorSettings
from ganvas.networks.init import init_weights
from ganvas.networks.pool import ImagePool

Preset = Literal["cycle-alone", "gan-alone", "gan-forward", "gan-backward"]
JUDGING = (
    *("objective", "real_label", "fake_label", "generator_label"),
    *("discriminator", "ndf", "n_layers", "pool_size", "lr_D", "d_steps"),
    *("gp", "gp_target", "gp_at", "r1_gamma", "r2_gamma", "penalty_every", "drift", "clip"),
)
"""Settings of discriminators only."""
LOGGED = ("D_A", "G_A", "cycle_A", "idt_A", "D_B", "G_B", "cycle_B", "idt_B")
"""The order in which the reference prints them."""


@dataclass(kw_only=True)
class Config(TranslatorSettings):
    """CycleGAN"""

    preset: Preset | None = None
    """The paper's ablations (section 5.1.4), for what is left out: cycle-alone, gan-alone,
    gan-forward (with the cycle of x only), gan-backward (with that of y only)."""
    lambda_GAN: float = 1.0
    """Weight of L_GAN in eq. 3, there 1; 0: no discriminators."""
    lambda_A: float = 10.0
    """lambda of eq. 3 for x -> G(x) -> F(G(x)); paper: 10."""
    lambda_B: float = 10.0
    """lambda of eq. 3 for y -> F(y) -> G(F(y)); paper: 10."""
    lambda_identity: float = 0.5
    """Weight of the identity loss (section 5.2), as a part of lambda_A and lambda_B; 0: none."""
    objective: ObjectiveName = "lsgan"
    """The adversarial loss (section 4: lsgan, least squares)."""
    pool_size: int = 50
    """Generated pictures that the discriminators' history holds (section 4: 50); 0: none."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        name: {"lambda_GAN": gan, "lambda_A": a, "lambda_B": b, "lambda_identity": 0.0}
        for name, gan, a, b in (
            ("cycle-alone", 0.0, 10.0, 10.0),
            ("gan-alone", 1.0, 0.0, 0.0),
            ("gan-forward", 1.0, 10.0, 0.0),
            ("gan-backward", 1.0, 0.0, 10.0),
        )
    }

    def check(self) -> None:
        super().check()
        for name in ("lambda_GAN", "lambda_A", "lambda_B", "lambda_identity", "pool_size"):
            self.at_least(name, 0)
        if not (self.lambda_GAN or self.lambda_A or self.lambda_B):
            raise InputError(
                "--lambda-GAN 0: with --lambda-A 0 and --lambda-B 0 there is nothing to learn; "
                "give one of them a weight"
            )
        if self.warmup_span is not None and not self.lambda_GAN:
            raise InputError(
                f"--warmup {self.warmup}: trains discriminators first, and with --lambda-GAN 0 "
                "there are none; leave it out"
            )

    @property
    def idle(self) -> dict[str, str]:
        nobody = "--lambda-GAN is 0 and there are no discriminators"
        return super().idle | (dict.fromkeys(JUDGING, nobody) if not self.lambda_GAN else {})


class CycleGAN(Translator):
    """G: X -> Y and F: Y -> X, judged by D_Y and D_X, bound by F(G(x)) = x and G(F(y)) = y.

    Networks bear the reference's names: G_A is the paper's G, G_B its F, D_A judges domain B and
    is the paper's D_Y, D_B its D_X.
    """

    name = "cyclegan"
    Config = Config
    domains = ("A", "B")
    data = "unpaired"
    dialect = "cyclegan"

    def __init__(
        self, config: Config, channels: Mapping[str, int], classes: Sequence[str] = ()
    ) -> None:
        super().__init__(config, channels, classes)
        self.config: Config = config
        c = config
        x, y = (self.channels[domain] for domain in c.x_and_y)
        if x != y and c.lambda_identity > 0:
            raise InputError(
                f"--lambda-identity {c.lambda_identity:g}: the identity loss wants equal channels, "
                f"but A has {self.channels['A']} and B has {self.channels['B']}; set it to 0, or "
                "give --channels-A and --channels-B the same number"
            )

        self.G_A = c.make_generator(x, y)
        self.G_B = c.make_generator(y, x)
        # Nobody is asked without L_GAN.
        self.D_A = c.make_discriminator(y) if c.lambda_GAN > 0 else nn.Identity()
        self.D_B = c.make_discriminator(x) if c.lambda_GAN > 0 else nn.Identity()
        for network in (self.G_A, self.G_B, self.D_A, self.D_B):
            init_weights(network, c.init_type, c.init_gain)
        self.pool_x, self.pool_y = ImagePool(c.pool_size), ImagePool(c.pool_size)
        betas = (c.beta1, c.beta2)
        self.player("G", self.G_A, self.G_B, lr=c.lr, betas=betas)
        if c.lambda_GAN > 0:
            self.player("D", self.D_A, self.D_B, lr=c.rate_D, betas=betas)
        if c.ema:
            self.average(G_A=self.G_A, G_B=self.G_B)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        G, F, D_X, D_Y, c = self.G_A, self.G_B, self.D_B, self.D_A, self.config
        x, y = (batch[domain] for domain in c.x_and_y)
        turn, losses = self.whose_turn(), {}

        # min over G, F:  L_GAN(G, D_Y) + L_GAN(F, D_X) + lambda L_cyc(G, F)  (eq. 3); terms of
        # other pictures are gathered by themselves, and nothing is computed that weighs nothing
        if "G" in turn:
            with frozen(D_X, D_Y):
                y_ = G(x) if c.lambda_GAN > 0 or c.lambda_A > 0 else x.new_empty(0)
                if c.lambda_GAN > 0:
                    losses["G_A"] = c.lambda_GAN * self.generator_loss(D_Y(y_), lambda: D_Y(y))
                # |F(G(x)) - x|_1  (eq. 2)
                if c.lambda_A > 0:
                    losses["cycle_A"] = c.lambda_A * l1(F(y_), x)
                self.gather("G", named(losses, "G_A", "cycle_A"))

                x_ = F(y) if c.lambda_GAN > 0 or c.lambda_B > 0 else y.new_empty(0)
                if c.lambda_GAN > 0:
                    losses["G_B"] = c.lambda_GAN * self.generator_loss(D_X(x_), lambda: D_X(x))
                # |G(F(y)) - y|_1
                if c.lambda_B > 0:
                    losses["cycle_B"] = c.lambda_B * l1(G(x_), y)
                self.gather("G", named(losses, "G_B", "cycle_B"))

                # |G(y) - y|_1 and |F(x) - x|_1  (section 5.2)
                if c.lambda_identity > 0 and c.lambda_B > 0:
                    losses["idt_A"] = c.lambda_identity * c.lambda_B * l1(G(y), y)
                    self.gather("G", named(losses, "idt_A"))
                if c.lambda_identity > 0 and c.lambda_A > 0:
                    losses["idt_B"] = c.lambda_identity * c.lambda_A * l1(F(x), x)
                    self.gather("G", named(losses, "idt_B"))
                self.descend("G")
        else:
            with torch.no_grad():
                y_, x_ = G(x), F(y)

        # max over D_X, D_Y, on a history of generated pictures, at half the pace  (section 4)
        if "D" in turn:
            y_, x_ = self.pool_y(y_.detach()), self.pool_x(x_.detach())
            judged = {"D_A": self.discriminator_loss("D_A", D_Y(y), D_Y(y_)) / 2}
            judged["D_B"] = self.discriminator_loss("D_B", D_X(x), D_X(x_)) / 2
            for name, D, real, fake in (("D_A", D_Y, y, y_), ("D_B", D_X, x, x_)):
                for term, penalty in self.penalties(D, real, fake).items():
                    judged[f"{name}_{term}"] = penalty / 2
            self.descend("D", total(judged))
            self.clip(D_X, D_Y)
            losses |= judged

        order = [name for name in LOGGED if name in losses]
        order += [name for name in losses if name not in LOGGED]
        return {name: losses[name].detach() for name in order}

    def descents_at(self, step: int) -> dict[str, int]:
        return super().descents_at(step) if self.config.lambda_GAN > 0 else {"G": step}

    @torch.inference_mode()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        G, F, (X, Y) = self.best("G_A"), self.best("G_B"), self.config.x_and_y
        x, y = batch[X], batch[Y]
        y_, x_ = G(x), F(y)
        forth = {f"real_{X}": x, f"fake_{Y}": y_, f"rec_{X}": F(y_)}
        back = {f"real_{Y}": y, f"fake_{X}": x_, f"rec_{Y}": G(x_)}
        if x.shape[1] == y.shape[1]:
            forth[f"idt_{Y}"], back[f"idt_{X}"] = F(x), G(y)
        return forth | back

    def translator(self, direction: Direction) -> nn.Module:
        name = "G_A" if direction == self.config.direction else "G_B"
        if name not in self.networks():
            other = "BtoA" if direction == "AtoB" else "AtoB"
            raise InputError(
                f"--direction {direction}: this run was imported without {name}, which translates "
                f"that way; import it too, or take --direction {other}"
            )
        return self.best(name)
