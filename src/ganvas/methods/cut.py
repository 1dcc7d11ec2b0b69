"""CUT and FastCUT: Park, Efros, Zhang and Zhu 2020, "Contrastive Learning for Unpaired
Image-to-Image Translation", as contrastive-unpaired-translation computes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganvas.clock import Duration
from ganvas.errors import InputError
from ganvas.losses import full, total
from ganvas.losses.contrastive import patch_nce
from ganvas.methods.adversarial import ObjectiveName
from ganvas.methods.base import Batch, frozen
from ganvas.methods.translator import OneWay, TranslatorSettings
from ganvas.networks.init import Init, init_weights
from ganvas.networks.patchgan import PatchDiscriminator
from ganvas.networks.resnet import Antialias, ResnetGenerator

LOGGED = ("G_GAN", "D_real", "D_fake", "D", "G", "NCE", "NCE_Y")
"""The order in which the published code prints them."""
EPSILON = 1e-7


@dataclass(kw_only=True)
class Config(TranslatorSettings):
    """CUT"""

    lambda_GAN: float = 1.0
    """Weight of the adversarial loss of G."""
    lambda_NCE: float = 1.0
    """Weight of PatchNCE: lambda_X, and lambda_Y with nce-idt (eq. 5); 0: none."""
    nce_idt: bool = True
    """PatchNCE of y and G(y) too, lambda_Y of eq. 5; each of the two then counts half."""
    nce_layers: str | None = None
    """Layers of G whose features PatchNCE compares, such as 0,4,8,12,16. Left out: the padded
    input, the convolutions of both halvings, the first and the fifth (or last) residual block."""
    nce_T: float = 0.07
    """Temperature, tau of eq. 2."""
    num_patches: int = 256
    """Places sampled of each layer, at least 2: one is the positive, the others of its picture are
    negatives (section 3.2: all; code: 256)."""
    netF_nc: int = 256
    """Units in both layers of the MLPs H_l that features go through (section 3.2)."""
    flip_equivariance: bool = False
    """Mirror the pictures of every other step, drawn by chance, in front of G, and the features of
    what it answers back (FastCUT)."""
    antialias_D: bool = True
    """A patch discriminator halves with a filter in place of strided convolutions."""
    objective: ObjectiveName = "lsgan"
    """The adversarial loss (eq. 1; section 4: lsgan, least squares)."""
    antialias: Antialias = "both"
    duration: str = "400ep"
    init_type: Init = "xavier"

    equal_channels = True
    """Whether A and B must have as many channels."""

    def check(self) -> None:
        if self.generator != "resnet":
            raise InputError(
                f"--generator {self.generator}: PatchNCE looks into the encoder of a resnet; take "
                "--generator resnet"
            )
        super().check()
        for name in ("lambda_GAN", "lambda_NCE"):
            self.at_least(name, 0)
        if not (self.lambda_GAN or self.lambda_NCE):
            raise InputError(
                "--lambda-GAN 0: with --lambda-NCE 0 there is nothing to learn; give one of them "
                "a weight"
            )
        # Of one place alone the positive has no negatives, and the loss is 0.
        self.at_least("num_patches", 2)
        self.at_least("netF_nc", 1)
        self.above_zero("nce_T")

    @property
    def idle(self) -> dict[str, str]:
        found = super().idle
        if self.discriminator == "pixel":
            found["antialias_D"] = "--discriminator is pixel"
        if not self.lambda_NCE:
            names = ("nce_idt", "nce_layers", "nce_T", "num_patches", "netF_nc")
            found |= dict.fromkeys(names, "--lambda-NCE is 0")
        return found

    def make_discriminator(self, channels: int) -> nn.Module:
        if self.discriminator == "patch":
            return PatchDiscriminator(
                channels, self.ndf, self.n_layers, self.norm, self.antialias_D
            )
        return super().make_discriminator(channels)

    def layers_of(self, G: ResnetGenerator) -> list[int]:
        """The layers of G whose features are compared.

        Raises:
            InputError: G has no such layers.
        """
        picture, down, down_again, *blocks = G.encoder
        if self.nce_layers is None:
            fifth = blocks[:5][-1]
            return sorted({picture, down, down_again, blocks[0], fifth})
        texts = [text.strip() for text in self.nce_layers.split(",")]
        layers = [int(text) for text in texts if text.isdecimal()]
        if len(layers) < len(texts) or layers != sorted(set(layers)) or layers[-1] > blocks[-1]:
            raise InputError(
                f"--nce-layers {self.nce_layers}: wants rising numbers from 0 to {blocks[-1]}, the "
                "last layer of this generator's encoder, with commas between"
            )
        return layers

    def shaped_by(self, player: str) -> tuple[str, ...]:
        if player == "F":
            return (*super().shaped_by("G"), "nce_layers", "netF_nc")
        own = ("antialias_D",) if player == "D" and self.discriminator == "patch" else ()
        return (*super().shaped_by(player), *own)


class PatchMLPs(nn.Module):
    """H_l of section 3.2: features of each layer l, at sampled places, to unit vectors.

    An MLP of two layers for each, under the keys of the published `netF`.
    """

    def __init__(self, channels: Sequence[int], width: int = 256) -> None:
        super().__init__()
        for i, into in enumerate(channels):
            layers = (nn.Linear(into, width), nn.ReLU(), nn.Linear(width, width))
            self.add_module(f"mlp_{i}", nn.Sequential(*layers))

    def forward(self, features: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
        """Of each layer's features (N, C, h, w), those at places (S) of h * w: (N, S, width)."""
        layers = zip(self.children(), features, places, strict=True)
        return [unit(H(f.flatten(2)[:, :, at].transpose(1, 2))) for H, f, at in layers]


def unit(x: Tensor) -> Tensor:
    """Vectors along the last axis, brought to length 1, in float32 or better."""
    x = full(x)
    return x / (torch.linalg.vector_norm(x, dim=-1, keepdim=True) + EPSILON)


class CUT(OneWay):
    """G: X -> Y, judged by D, where each place of G(x) shall tell of what was at that place of x.

    H, the published code's F, are the MLPs that features of G's encoder go through.
    """

    name = "cut"
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
        if x != y:
            raise InputError(
                f"{self.name}: G looks at what it has made as at what it is given, which wants "
                f"equal channels, but A has {self.channels['A']} and B has {self.channels['B']}; "
                "give --channels-A and --channels-B the same number"
            )
        self.G = ResnetGenerator(x, y, c.ngf, c.n_blocks, c.norm, c.dropout, c.antialias)
        self.layers = c.layers_of(self.G)
        self.F = PatchMLPs(self.G.widths(self.layers), c.netF_nc)
        self.D = c.make_discriminator(y)
        for network in (self.G, self.F, self.D):
            init_weights(network, c.init_type, c.init_gain)
        # One Adam over G and F does what the published two do, which have the same rates.
        self.player("G", self.G, self.F, lr=c.lr, betas=(c.beta1, c.beta2))
        self.player("D", self.D, lr=c.rate_D, betas=(c.beta1, c.beta2))
        if c.ema:
            self.average(G=self.G)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        G, D, c = self.G, self.D, self.config
        x, y = (batch[domain] for domain in c.x_and_y)
        turn, losses, judged = self.whose_turn(), {}, {}

        mirrored = self.mirrored()
        given = torch.cat([x, y]) if c.nce_idt and c.lambda_NCE > 0 else x
        with torch.set_grad_enabled("G" in turn):
            made = G(given.flip(3) if mirrored else given)
        y_, idt = made[: len(x)], made[len(x) :]

        # max over D:  E[log D(y)] + E[log(1 - D(G(x)))]  (eq. 1), at half the pace
        if "D" in turn:
            # Fakes first, as in the published code: batch norm remembers the order.
            of_fake, of_real = D(y_.detach()), D(y)
            judged = self.discriminator_terms("D", of_real, of_fake)
            for name, penalty in self.penalties(D, y, y_.detach()).items():
                judged[f"D_{name}"] = penalty
            self.descend("D", total(judged) / 2)
            self.clip(D)

        # min over G, H:  L_GAN + lambda_X L_PatchNCE(X) + lambda_Y L_PatchNCE(Y)  (eq. 5)
        if "G" in turn:
            with frozen(D):
                losses["G_GAN"] = c.lambda_GAN * self.generator_loss(D(y_), lambda: D(y))
                losses["G"] = losses["G_GAN"]
                if c.lambda_NCE > 0:
                    nce = losses["NCE"] = c.lambda_NCE * self.nce(x, y_, mirrored)
                    if c.nce_idt:
                        losses["NCE_Y"] = c.lambda_NCE * self.nce(y, idt, mirrored)
                        nce = (nce + losses["NCE_Y"]) / 2
                    losses["G"] = losses["G_GAN"] + nce
                self.descend("G", losses["G"])

        losses |= judged
        order = [name for name in LOGGED if name in losses]
        order += [name for name in losses if name not in LOGGED]
        return {name: losses[name].detach() for name in order}

    def mirrored(self) -> bool:
        """Draw whether the pictures of this step are mirrored in front of G."""
        return self.config.flip_equivariance and bool(torch.rand(()) < 0.5)

    def nce(self, x: Tensor, y_: Tensor, mirrored: bool = False) -> Tensor:
        """L_PatchNCE(G, H, X), the mean over layers (eq. 3), of pictures x and what G has made of
        them, `mirrored` or not: a scalar."""
        G, H, c = self.G, self.F, self.config
        of_y_ = [f.flip(3) if mirrored else f for f in G.features(y_, self.layers)]
        places = [torch.randperm(f[0, 0].numel(), device=f.device)[: c.num_patches] for f in of_y_]
        q = H(of_y_, places)
        # Behind q: autocast keeps the weights that it has rounded, and here without gradients.
        with torch.no_grad():
            k = H(G.features(x, self.layers), places)
        terms = [patch_nce(*of_layer, c.nce_T) for of_layer in zip(q, k, strict=True)]
        return torch.stack(terms).mean()

    @torch.inference_mode()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        G, (X, Y) = self.best("G"), self.config.x_and_y
        x, y = batch[X], batch[Y]
        shown = {f"real_{X}": x, f"fake_{Y}": G(x), f"real_{Y}": y}
        return shown | ({f"idt_{Y}": G(y)} if self.config.nce_idt else {})


@dataclass(kw_only=True)
class FastConfig(Config):
    """FastCUT"""

    lambda_NCE: float = 10.0
    nce_idt: bool = False
    flip_equivariance: bool = True
    duration: str = "200ep"
    decay: str | None = None
    """The part at the end in which linear lowers the rate. Left out: a quarter of the duration."""

    @property
    def decay_span(self) -> Duration:
        return super().decay_span if self.decay else self.span * 0.25


class FastCUT(CUT):
    """CUT without the identity, with a weight of ten and mirrored pictures in its place."""

    name = "fastcut"
    Config = FastConfig
