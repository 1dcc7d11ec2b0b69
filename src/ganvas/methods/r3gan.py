"""R3GAN: Huang, Gokaslan, Kuleshov and Tompkin 2024, "The GAN is dead; long live the GAN! A Modern
GAN Baseline"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from ganvas import chance
from ganvas.clock import Clock
from ganvas.errors import InputError
from ganvas.losses import total
from ganvas.methods.adversarial import ObjectiveName
from ganvas.methods.annealing import AnnealingSettings
from ganvas.methods.base import Batch, frozen
from ganvas.methods.generator import DoubledSizes, Generator
from ganvas.networks.r3gan import DiscriminatorNetwork, GeneratorNetwork, Stages
from ganvas.networks.stylegan import halvings

Preset = Literal["tiny", "small", "cifar10", "ffhq64", "ffhq256", "imagenet32", "imagenet64"]
GROUP = 16
"""Channels of a group in the published networks of 768 channels."""


@dataclass(kw_only=True)
class Config(DoubledSizes, AnnealingSettings):
    """R3GAN"""

    preset: Preset | None = None
    """Settings that go together, for what is left out: tiny (32x32, minutes on a CPU), small
    (64x64), and the published ones: cifar10, ffhq64, ffhq256, imagenet32, imagenet64."""
    nz: int = 64
    """Numbers in a latent z."""
    widths: str = "768,768,768,768"
    """Channels at each size, from the smallest on, with commas between; sizes beyond these have
    half as many as the one before."""
    n_blocks: int = 2
    """Residual blocks at each size."""
    expansion: int = 2
    """So many times as many channels inside of a block as between blocks."""
    cardinality: int | None = None
    """Groups of the 3x3 convolutions where there are the most channels; groups have as many
    channels elsewhere. Left out: groups have 16 channels, which are 96 of them at 768."""
    beta1: float = 0.0
    """Adam's decay of the first moment."""
    objective: ObjectiveName = "rpgan"
    r1_gamma: float = 2.0
    r2_gamma: float = 2.0
    lr: float = 0.0002
    size: str = "64"
    batch_size: int = 256
    duration: str = "20000kimg"
    ema: str | None = "500kimg"
    previews: int = 64

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "tiny": {
            "size": "32",
            "widths": "128,64,32,16",
            "n_blocks": 1,
            "batch_size": 16,
            "lr": 0.001,
            "r1_gamma": 1.0,
            "r2_gamma": 1.0,
            "ema": "1.5kimg",
            "duration": "60kimg",
        },
        "small": {
            "size": "64",
            "widths": "256,256,256,256",
            "batch_size": 64,
            "lr": 0.0005,
            "ema": "20kimg",
            "duration": "1500kimg",
        },
        "cifar10": {
            "size": "32",
            "batch_size": 512,
            "r1_gamma": 0.05,
            "r2_gamma": 0.05,
            "ema": "5000kimg",
            "anneal": "20000kimg",
            "duration": "250000kimg",
        },
        "ffhq64": {"size": "64"},
        "ffhq256": {"size": "256", "r1_gamma": 150.0, "r2_gamma": 150.0},
        "imagenet32": {
            "size": "32",
            "widths": "1536,1536,1536,1536",
            "cardinality": 96,
            "batch_size": 4096,
            "r1_gamma": 0.5,
            "r2_gamma": 0.5,
            "ema": "50000kimg",
            "duration": "200000kimg",
        },
        "imagenet64": {
            "size": "64",
            "widths": "1536,1536,1536,1536,1536",
            "cardinality": 96,
            "batch_size": 4096,
            "r1_gamma": 1.0,
            "r2_gamma": 1.0,
            "ema": "50000kimg",
            "duration": "200000kimg",
        },
    }

    def check(self) -> None:
        super().check()
        for name in ("nz", "n_blocks", "expansion"):
            self.at_least(name, 1)
        if self.cardinality is not None:
            self.at_least("cardinality", 1)
        self.below_one("beta1")
        self.check_size(*self.width_height, f"--size {self.size}")
        _ = self.network_stages  # refuses widths that are none

    @property
    def network_stages(self) -> Stages:
        """The sizes that networks go through, and what they have at each."""
        width, height = self.width_height
        base, doublings = halvings((height, width))
        try:
            widths = [int(text) for text in self.widths.split(",")]
        except ValueError:
            widths = [0]
        if min(widths) < 1:
            raise InputError(
                f"--widths {self.widths}: wants whole numbers above 0 with commas between, such as "
                "768,768,768,768"
            )
        while len(widths) <= doublings:
            widths.append(max(widths[-1] // 2, 1))
        widths = widths[: doublings + 1]
        most = self.expansion * max(widths)
        if self.cardinality and most % self.cardinality:
            raise InputError(
                f"--cardinality {self.cardinality}: must divide {most}, the most channels that a "
                "3x3 convolution has; leave it out, for groups of 16 channels"
            )
        group = most // self.cardinality if self.cardinality else GROUP
        return Stages(base, widths, self.n_blocks, self.expansion, group)

    def shaped_by(self, player: str) -> tuple[str, ...]:
        own = ("nz",) if player == "G" else ()
        return (*own, "widths", "n_blocks", "expansion", "cardinality", "size", "conditional")


class R3GAN(Generator):
    """G: z -> picture, judged by D: plain residual networks, and a loss that needs no more.

    D is to score a real picture above a generated one, G the other way round; R1 and R2 at every
    step make that converge. The published training also augments what D sees, by a probability
    that rises from 0; that is not here.
    """

    name = "r3gan"
    Config = Config
    dialect = "dcgan"
    published_keys = False

    def __init__(
        self, config: Config, channels: Mapping[str, int], classes: Sequence[str] = ()
    ) -> None:
        super().__init__(config, channels, classes)
        self.config: Config = config
        c, depth, count = config, self.channels["pictures"], len(self.classes)
        self.nz = c.nz
        self.G = GeneratorNetwork(c.network_stages, c.nz, depth, count)
        self.D = DiscriminatorNetwork(c.network_stages, depth, count)
        self.player("G", self.G, lr=c.lr, betas=(c.beta1, c.beta2))
        self.player("D", self.D, lr=c.rate_D, betas=(c.beta1, c.beta2))
        if c.ema:
            self.average(G=self.G)

    def plan(self, clock: Clock) -> None:
        now = self.config.annealed_at(clock)
        for player, rate in {"G": now.lr, "D": now.lr_D}.items():
            for group in self.optimizers[player].param_groups:
                group["initial_lr"] = rate
                group["betas"] = (self.config.beta1, now.beta2)
        self.gammas = {"r1": now.r1_gamma, "r2": now.r2_gamma}

    def step(self, batch: Batch) -> dict[str, Tensor]:
        D, x, y = self.D, batch["pictures"], self.one_hot(batch.get("labels"))
        turn, losses = self.whose_turn(), {}

        # min over D:  softplus(-(D(x) - D(G(z)))) + gamma/2 (|grad D(x)|^2 + |grad D(G(z))|^2)
        if "D" in turn:
            with torch.no_grad():
                x_ = self.drawn(len(x), y)
            losses["D"] = self.discriminator_loss("D", D(x, y), D(x_, y))
            penalties = self.penalties(partial(D, labels=y), x, x_)
            losses |= {f"D_{name}": penalty for name, penalty in penalties.items()}
            self.descend("D", total(losses))
            self.clip(D)

        # min over G:  softplus(-(D(G(z)) - D(x)))
        if "G" in turn:
            x_ = self.drawn(len(x), y)
            with frozen(D):
                losses["G"] = self.generator_loss(D(x_, y), lambda: D(x, y))
                self.descend("G", losses["G"])

        return {name: loss.detach() for name, loss in losses.items()}

    def drawn(self, count: int, labels: Tensor | None) -> Tensor:
        """So many pictures G(z) of new latents."""
        return self.G(chance.randn(count, self.nz, device=self.G.basis.device), labels)

    def progress(self) -> dict[str, float]:
        _, beta2 = self.optimizers["D"].param_groups[0]["betas"]
        gammas = {f"{name}_gamma": gamma for name, gamma in self.gammas.items()}
        return {name: float(f"{v:.6g}") for name, v in ({"beta2": beta2} | gammas).items()}

    def training_state(self) -> dict[str, Any]:
        return super().training_state() | {"gammas": dict(self.gammas)}

    def load_training_state(self, state: dict[str, Any]) -> None:
        super().load_training_state(state)
        self.gammas = dict(state["gammas"])

    def synthesise(self, z: Tensor, labels: Tensor | None) -> Tensor:
        return self.best("G")(z, self.one_hot(labels))
