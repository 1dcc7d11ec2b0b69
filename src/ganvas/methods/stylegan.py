"""StyleGAN: Karras, Laine and Aila 2019, "A Style-Based Generator Architecture for Generative
Adversarial Networks", as the authors' code computes it."""

from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, floor, sqrt
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from ganvas import chance
from ganvas.clock import Clock
from ganvas.errors import InputError
from ganvas.losses import total
from ganvas.methods.adversarial import ObjectiveName
from ganvas.methods.base import Batch, frozen
from ganvas.methods.growing import FIRST, GrowingSettings
from ganvas.methods.styled import Styled
from ganvas.networks.equalized import downscaled, upscaled
from ganvas.networks.stylegan import (
    DiscriminatorNetwork,
    GeneratorNetwork,
    Leveled,
    Mapping,
    Noise,
)

Preset = Literal["tiny", "small", "paper256", "paper1024", "auto"]


@dataclass(kw_only=True)
class Config(GrowingSettings):
    """StyleGAN"""

    preset: Preset | None = None
    """Settings that go together, for what is left out: tiny (32x32, minutes on a CPU), small
    (64x64), paper256, paper1024; auto goes by the pictures' size and by the memory that is free."""
    nz: int = 512
    """Numbers in a latent z."""
    nw: int = 512
    """Numbers in a style w."""
    mapping_layers: int = 8
    """Layers of the network from z to w (section 4.2)."""
    mapping_fmaps: int = 512
    """Width of its layers in between."""
    mapping_lr_mul: float = 0.01
    """Its learning rate, as a part of the others' (appendix C)."""
    fmap_base: int = 8192
    """Channels at resolution r are twice this by r, so half as many with each doubling ..."""
    fmap_max: int = 512
    """... and at most these."""
    style_mixing_prob: float = 0.9
    """How often a batch has the styles of two latents, the second from a random layer on (section
    3.1)."""
    w_avg_beta: float = 0.995
    """How much the running mean of w keeps at each step; truncation goes by it."""
    mbstd_group: int = 4
    """Pictures that the discriminator compares with one another (minibatch standard deviation); 1:
    it does not."""
    beta1: float = 0.0
    """Adam's decay of the first moment."""
    beta2: float = 0.99
    """Adam's decay of the second moment."""
    objective: ObjectiveName = "logistic"
    r1_gamma: float = 10.0
    size: str = "256"
    duration: str = "25000kimg"
    ema: str | None = "10kimg"
    ema_rampup: float = 0.0
    previews: int = 32
    log_every: str = "1tick"
    preview_every: str | None = "1tick"
    snapshot_every: str | None = "10tick"

    presets: ClassVar[Map[str, Map[str, Any]]] = {
        "tiny": {
            "size": "32",
            "fmap_base": 256,
            "fmap_max": 64,
            "nz": 64,
            "nw": 64,
            "mapping_fmaps": 64,
            "mapping_layers": 4,
            "lod_training_kimg": 6.0,
            "lod_transition_kimg": 6.0,
            "batch_size": 16,
            "lr": 0.002,
            "r1_gamma": 1.0,
            "ema": "1kimg",
            "duration": "60kimg",
            "tick_kimg": 2.0,
            "tick_kimg_dict": "none",
        },
        "small": {
            "size": "64",
            "fmap_base": 2048,
            "fmap_max": 256,
            "nz": 256,
            "nw": 256,
            "mapping_fmaps": 256,
            "lod_training_kimg": 100.0,
            "lod_transition_kimg": 100.0,
            "batch_size": 32,
            "lr": 0.002,
            "ema": "5kimg",
            "duration": "1500kimg",
            "tick_kimg": 20.0,
            "tick_kimg_dict": "none",
        },
        "paper256": {"size": "256"},
        "paper1024": {"size": "1024"},
    }

    def check(self) -> None:
        super().check()
        for name in ("nz", "nw", "mapping_fmaps", "fmap_base", "fmap_max", "mbstd_group"):
            self.at_least(name, 1)
        self.at_least("mapping_layers", 1)
        self.above_zero("mapping_lr_mul")
        for name in ("beta1", "beta2", "w_avg_beta"):
            self.below_one(name)
        if not 0 <= self.style_mixing_prob <= 1:
            raise InputError(f"--style-mixing-prob {self.style_mixing_prob:g}: must be from 0 to 1")

    @classmethod
    def suits(cls, width: int, height: int, batch_size: int | None = None) -> dict[str, Any]:
        """The rule of StyleGAN2-ADA's `auto` for one GPU, whose side is here the root of the area.

        It is one for networks that have their full size from the start, so these do not grow.
        """
        side = round(sqrt(width * height))
        batch = batch_size or max(min(4096 // side, 32), 1)
        return {
            "size": f"{width}" if width == height else f"{width}x{height}",
            "batch_size": batch,
            "r1_gamma": round(0.0002 * width * height / batch, 6),
            "ema": f"{batch * 10 / 32:g}kimg",
            "ema_rampup": 0.05,
            "lr": 0.002 if side >= 1024 else 0.0025,
            "fmap_base": 16384 if side >= 512 else 8192,
            "mapping_layers": 2,
            "mbstd_group": min(batch, 4),
            "structure": "skip",
            "minibatch_dict": "none",
            "lr_dict": "none",
            "tick_kimg": 4.0,
            "tick_kimg_dict": "none",
            "preview_every": "5tick",
            "snapshot_every": "50tick",
        }

    def shaped_by(self, player: str) -> tuple[str, ...]:
        mapping = ("nz", "nw", "mapping_layers", "mapping_fmaps", "mapping_lr_mul")
        own = mapping if player == "G" else ("mbstd_group",)
        return (*own, "fmap_base", "fmap_max", "structure", "size", "conditional")


class StyleGAN(Styled):
    """G: z -> w -> picture, a style at each layer, judged by D.

    Both grow: they work at the size that `lod` says, on real pictures brought to it, where the
    authors' code enlarges all to the full size and brings them back inside D.
    """

    name = "stylegan"
    Config = Config
    dialect = "stylegan"
    published_keys = False

    def __init__(
        self, config: Config, channels: Map[str, int], classes: Sequence[str] = ()
    ) -> None:
        super().__init__(config, channels, classes)
        self.config: Config = config
        c, depth, kinds = config, self.channels["pictures"], len(self.classes)
        self.nz = c.nz
        pyramid = replace(c.pyramid, fmap_base=c.fmap_base, fmap_max=c.fmap_max)
        mapping = Mapping(c.nz, c.nw, kinds, c.mapping_layers, c.mapping_fmaps, c.mapping_lr_mul)
        self.G = GeneratorNetwork(pyramid, mapping, c.nw, depth, c.structure)
        self.D = DiscriminatorNetwork(pyramid, depth, c.structure, kinds, c.mbstd_group)
        self.player("G", self.G, lr=c.lr, betas=(c.beta1, c.beta2))
        self.player("D", self.D, lr=c.rate_D, betas=(c.beta1, c.beta2))
        if c.ema:
            self.average(G=self.G)
        self.set_lod(c.lod_at(0))

    def plan(self, clock: Clock) -> None:
        old, new = self.lod, self.config.lod_at(clock.images)
        passed = (floor(old), ceil(old)) != (floor(new), ceil(new))
        if passed and self.config.reset_opt_for_new_lod:
            for optimizer in self.optimizers.values():
                optimizer.state.clear()
        self.set_lod(new)
        for player, rate in self.config.rates_at(clock.images).items():
            for group in self.optimizers[player].param_groups:
                group["initial_lr"] = rate

    def step(self, batch: Batch) -> dict[str, Tensor]:
        D, x, y = self.D, self.shown(batch["pictures"]), self.one_hot(batch.get("labels"))
        turn, losses = self.whose_turn(), {}

        # max over D:  -softplus(-D(x)) - softplus(D(G(z))) - gamma/2 |grad D(x)|^2
        if "D" in turn:
            with torch.no_grad():
                x_ = self.drawn(len(x), y)
            losses["D"] = self.discriminator_loss("D", D(x, y), D(x_, y))
            penalties = self.penalties(partial(D, labels=y), x, x_, self.part)
            losses |= {f"D_{name}": penalty for name, penalty in penalties.items()}
            self.descend("D", total(losses))
            self.clip(D)

        # max over G:  -softplus(-D(G(z)))
        if "G" in turn:
            x_ = self.drawn(len(x), y)
            with frozen(D):
                losses["G"] = self.generator_loss(D(x_, y), lambda: D(x, y))
                self.descend("G", losses["G"])

        return {name: loss.detach() for name, loss in losses.items()}

    def drawn(self, count: int, labels: Tensor | None) -> Tensor:
        """So many pictures G(z) of the current size, of styles that are mixed now and then."""
        G, c = self.G, self.config
        z = chance.randn(2, count, c.nz, dim=1, device=G.w_avg.device)
        w = G.mapping(z[0], labels)
        G.track(w, c.w_avg_beta)
        styles = w[:, None].expand(-1, G.pyramid.layers, -1)
        # One draw for the whole batch, on the CPU, so that no step waits for the device.
        mixes, place = torch.rand(2, device="cpu").tolist()
        if mixes < c.style_mixing_prob:
            used = 2 * (G.stage + 1)
            crossover = 1 + floor(place * (used - 1))
            other = G.mapping(z[1], labels)[:, None].expand(-1, G.pyramid.layers - crossover, -1)
            styles = torch.cat([styles[:, :crossover], other], 1)
        return G(styles)

    def shown(self, x: Tensor) -> Tensor:
        """Real pictures at the current size, faded as generated ones are."""
        x = downscaled(x, round(1 / self.part))
        return torch.lerp(x, upscaled(downscaled(x)), self.G.fade) if self.G.fade else x

    @property
    def lod(self) -> float:
        """The level of detail: 0 at the full size, and 1 more for each halving."""
        return self.G.lod

    @property
    def part(self) -> float:
        """The current size as a part of the full one: r / R."""
        return 0.5 ** floor(self.lod)

    def set_lod(self, lod: float) -> None:
        for network in (self.G, self.D, *self.averages.values()):
            assert isinstance(network, Leveled)
            network.set_lod(lod)

    def progress(self) -> dict[str, float]:
        return {"lod": round(self.lod, 6)}

    @property
    def notes(self) -> list[str]:
        c, found = self.config, super().notes
        first = FIRST * 2 ** (self.G.pyramid.last - c.first_lod if c.grows else self.G.pyramid.last)
        reached = [r for r in self.resolutions if r >= first]
        sizes = {r: int(c.tables["minibatch_dict"].get(r, c.batch_size)) for r in reached}
        if len(set(sizes.values())) > 1:
            told = ", ".join(f"{size} at {r}" for r, size in sizes.items())
            found.append(f"--minibatch-dict: batch sizes by resolution are {told}")
        return found

    @property
    def resolutions(self) -> list[int]:
        """Those of all stages, as tables by resolution name them."""
        return [FIRST * 2**stage for stage in range(self.G.pyramid.last + 1)]

    def styles(self, z: Tensor, labels: Tensor | None) -> Tensor:
        w = self.network.mapping(z, self.one_hot(labels))
        return w[:, None].expand(-1, self.network.pyramid.layers, -1)

    def pictures_of(self, styles: Tensor, noise: Noise = "const") -> Tensor:
        x = self.network(styles, noise)
        return upscaled(x, self.network.pyramid.size(self.network.pyramid.last)[0] // x.shape[2])

    def truncated(self, styles: Tensor, psi: float, cutoff: int) -> Tensor:
        return self.network.truncated(styles, psi, cutoff)

    def kept_noise(self) -> list[Tensor]:
        G = self.network
        return [G.epilogue(layer).noise for layer in range(self.layers)]

    @property
    def layers(self) -> int:
        return self.network.pyramid.layers

    @property
    def network(self) -> GeneratorNetwork:
        """The generator to use."""
        G = self.best("G")
        assert isinstance(G, GeneratorNetwork)
        return G
