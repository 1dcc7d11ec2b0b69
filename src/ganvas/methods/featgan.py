"""Feature loss + GAN: the baseline of CycleGAN's paper (Zhu et al. 2017, section 5.1.2) that holds
a translation to its input by a network's features, where SimGAN does by its pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ganvas.errors import InputError
from ganvas.losses import total
from ganvas.losses.reconstruction import l1
from ganvas.methods.adversarial import ObjectiveName
from ganvas.methods.base import Batch, frozen
from ganvas.methods.translator import OneWay, TranslatorSettings
from ganvas.networks.init import init_weights
from ganvas.networks.pool import ImagePool
from ganvas.networks.vgg import SEED, VggFeatures

VGG_SIZE = 224
VGG_CHANNELS = {1, 3}
"""Those of the pictures that it can see."""
SMALL_WIDTHS = (16, 32, 64, 128)
"""A quarter of VGG's."""
RANDOM = f"random features, not VGG's: its layers at a quarter of the channels, seed {SEED}"


@dataclass(kw_only=True)
class Config(TranslatorSettings):
    """Feature loss + GAN"""

    lambda_feature: float = 10.0
    """Weight of |phi(x) - phi(G(x))|_1 (CycleGAN's code: 10)."""
    features: str | None = None
    """The file of VGG-16's weights, as torchvision has them (vgg16-397923af.pth), for phi. Left
    out: random features of a small network with the same layers, which is not VGG."""
    feature_size: int | None = None
    """What pictures are scaled to, each way, for phi. Left out: 224 with --features, else they are
    left as they are."""
    objective: ObjectiveName = "lsgan"
    """The adversarial loss (CycleGAN, section 4: lsgan, least squares)."""
    pool_size: int = 50
    """Generated pictures that the discriminator's history holds (CycleGAN, section 4: 50); 0:
    none."""

    def check(self) -> None:
        super().check()
        self.above_zero("lambda_feature")
        self.at_least("pool_size", 0)
        if self.feature_size is not None:
            self.at_least("feature_size", VggFeatures.smallest)


class FeatGAN(OneWay):
    """G: X -> Y, judged by D, and held to its input by features phi: |phi(x) - phi(G(x))|_1.

    phi is VGG-16 up to relu4_2, or a small network of its kind with random weights. Nobody trains
    it; snapshots keep it, so that only the beginning of a training needs its file.
    """

    name = "featgan"
    Config = Config
    domains = ("A", "B")
    data = "unpaired"
    dialect = "cyclegan"
    baseline = True
    borrowed: ClassVar[Mapping[str, str]] = {"phi": "features"}

    def __init__(
        self, config: Config, channels: Mapping[str, int], classes: Sequence[str] = ()
    ) -> None:
        super().__init__(config, channels, classes)
        self.config: Config = config
        c = config
        x, y = (self.channels[domain] for domain in c.x_and_y)
        self.G = c.make_generator(x, y)
        self.D = c.make_discriminator(y)
        for network in (self.G, self.D):
            init_weights(network, c.init_type, c.init_gain)
        self.phi = make_features(c, self.channels)
        self.fixed = {} if c.features else {"phi": {"weights": RANDOM}}
        self.pool = ImagePool(c.pool_size)
        self.player("G", self.G, lr=c.lr, betas=(c.beta1, c.beta2))
        self.player("D", self.D, lr=c.rate_D, betas=(c.beta1, c.beta2))
        if c.ema:
            self.average(G=self.G)

    def features(self, x: Tensor) -> Tensor:
        """phi of pictures (N, C, H, W) in [-1, 1], scaled as the settings say."""
        size = self.config.feature_size or (VGG_SIZE if self.config.features else None)
        if size is not None:
            # Corners on corners, as the code's Lua layer scales.
            x = F.interpolate(x, (size, size), mode="bilinear", align_corners=True)
        return self.phi(x)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        G, D, phi, c = self.G, self.D, self.features, self.config
        x, y = (batch[domain] for domain in c.x_and_y)
        turn, losses, judged = self.whose_turn(), {}, {}

        with torch.set_grad_enabled("G" in turn):
            y_ = G(x)

        # max over D, on a history of generated pictures, at half the pace  (CycleGAN, section 4)
        if "D" in turn:
            old = self.pool(y_.detach())
            judged["D"] = self.discriminator_loss("D", D(y), D(old)) / 2
            for name, penalty in self.penalties(D, y, old).items():
                judged[f"D_{name}"] = penalty / 2
            self.descend("D", total(judged))
            self.clip(D)

        # min over G:  L_GAN(G, D) + lambda |phi(x) - phi(G(x))|_1  (CycleGAN, section 5.1.2)
        if "G" in turn:
            with torch.no_grad():
                of_x = phi(x)
            with frozen(D):
                losses["G_GAN"] = self.generator_loss(D(y_), lambda: D(y))
                losses["G_feature"] = c.lambda_feature * l1(phi(y_), of_x)
                self.descend("G", total(losses))

        return {name: loss.detach() for name, loss in (losses | judged).items()}

    @property
    def notes(self) -> list[str]:
        said = f"the feature loss goes by {RANDOM}"
        if {*self.channels.values()} <= VGG_CHANNELS:
            said += "; --features vgg16-397923af.pth takes VGG's, as the paper does"
        return [*([] if self.config.features else [said]), *super().notes]


def make_features(c: Config, channels: Mapping[str, int]) -> VggFeatures:
    """phi for pictures of so many channels in A and B.

    Raises:
        InputError: it cannot see both.
    """
    a, b = (channels[domain] for domain in "AB")
    if c.features:
        if not {a, b} <= VGG_CHANNELS:
            raise InputError(
                f"--features {c.features}: VGG sees grey and RGB pictures, but A has {a} channels "
                f"and B has {b}; leave it out for random features, or give --channels-A and "
                "--channels-B"
            )
        return VggFeatures()
    if a != b and 1 not in (a, b):
        raise InputError(
            f"the feature loss wants equal channels, or grey pictures, but A has {a} and B has "
            f"{b}; give --channels-A and --channels-B the same number"
        )
    return VggFeatures(max(a, b), SMALL_WIDTHS, normalises=False)
