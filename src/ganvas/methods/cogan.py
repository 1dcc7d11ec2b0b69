"""CoGAN: Liu and Tuzel 2016, "Coupled Generative Adversarial Networks", by the settings of
its code's PyTorch part (mingyuliutw/CoGAN), with the layers of its network for faces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganvas import chance
from ganvas.clock import Duration
from ganvas.config import option_name
from ganvas.errors import InputError
from ganvas.losses import full, total
from ganvas.methods.base import Batch, Direction, frozen
from ganvas.methods.generator import DoubledSizes
from ganvas.methods.translator import TranslationSettings, Translator
from ganvas.networks.convolution import ConvTranspose2d
from ganvas.networks.norms import BatchNorm2d, use_own_statistics
from ganvas.networks.stylegan import halvings
from ganvas.schedules import Policy

WIDEST = 1024
AT_ONCE = 64
"""Latents that are searched for at once."""


@dataclass(kw_only=True)
class Config(DoubledSizes, TranslationSettings):
    """CoGAN"""

    nz: int = 100
    """Numbers in a latent z (code: 100)."""
    ngf: int = 32
    """Channels of the generators in front of their last layer; they double towards the latent, to
    1024."""
    ndf: int = 32
    """Channels of the discriminators' first layer; they double towards the score, to 1024."""
    own_G: int = 1
    """Layers, counted from the last, that each generator has for itself; those before are one
    for both (code: 1)."""
    own_D: int = 1
    """Layers, counted from the first, that each discriminator has for itself; those behind are one
    for both (code: 1)."""
    weight_decay: float = 0.0005
    """Adam's decay of all weights, as a part of their gradients (code: 5e-4)."""
    search_steps: int = 100
    """Steps of the search for the latent of a picture that is to be translated."""
    search_lr: float = 0.1
    """Learning rate of Adam in that search."""
    search_starts: int = 4
    """Latents that it begins from; the one that comes nearest is taken."""
    size: str = "128"
    batch_size: int = 64
    lr_policy: Policy = "constant"

    def check(self) -> None:
        super().check()
        for name in ("nz", "own_G", "own_D", "search_steps", "search_starts"):
            self.at_least(name, 1)
        self.at_least("weight_decay", 0)
        self.above_zero("search_lr")
        if self.preprocess in ("none", "scale_width"):
            raise InputError(
                f"--preprocess {self.preprocess}: keeps pictures of different sizes, but cogan's "
                "generators make one; take resize_and_crop"
            )
        self.check_crop()
        _, doublings = halvings(self.width_height)
        for name, most in (("own_G", doublings + 1), ("own_D", doublings + 2)):
            if getattr(self, name) > most:
                raise InputError(
                    f"--{option_name(name)} {getattr(self, name)}: must be at most {most} at "
                    f"--size {self.size}, so that a layer is left for both to share"
                )

    def interval(self, name: str) -> Duration:
        """Previews search too, and so come less often where nothing is said."""
        seldom = name == "preview_every" and self.preview_every is None
        return self.span * (1 / 10) if seldom else super().interval(name)

    def shaped_by(self, player: str) -> tuple[str, ...]:
        own = ("nz", "ngf", "own_G") if player == "G" else ("ndf", "own_D")
        return (*own, "size")


def generator_layers(
    nz: int, width: int, channels: int, size: tuple[int, int]
) -> list[nn.Sequential]:
    """Latents (N, nz, 1, 1) to pictures (N, C, H, W) in [-1, 1], layer by layer: to a small size,
    doublings of it, and a last convolution."""
    base, doublings = halvings(size)
    widths = [min(width * 2**n, max(WIDEST, width)) for n in range(doublings + 1)][::-1]

    def normed(layer: nn.Module, after: int) -> nn.Sequential:
        return nn.Sequential(layer, BatchNorm2d(after, affine=False), nn.PReLU())

    first = normed(ConvTranspose2d(nz, widths[0], base), widths[0])
    doubling = [normed(ConvTranspose2d(a, b, 4, 2, 1), b) for a, b in pairwise(widths)]
    last = nn.Sequential(nn.Conv2d(widths[-1], channels, 3, 1, 1), nn.Tanh())
    return [first, *doubling, last]


def discriminator_layers(width: int, channels: int, size: tuple[int, int]) -> list[nn.Sequential]:
    """Pictures (N, C, H, W) to raw scores (N, 1, 1, 1), layer by layer: halved once more than a
    generator doubles, all places together, and a score."""
    base, doublings = halvings(size)
    widths = [min(width * 2**n, max(WIDEST, width)) for n in range(doublings + 1)]
    halving = [
        nn.Sequential(nn.Conv2d(before, after, kernel, 2, kernel // 2), nn.PReLU())
        for (before, after), kernel in zip(
            pairwise([channels, *widths]), [5, 5, 5, *[3] * doublings], strict=False
        )
    ]
    rest, wide = ((base[0] + 1) // 2, (base[1] + 1) // 2), 2 * widths[-1]
    together = nn.Sequential(nn.Conv2d(widths[-1], wide, rest), nn.PReLU())
    return [*halving, together, nn.Sequential(nn.Conv2d(wide, 1, 1))]


def draw_weights(*networks: nn.Module) -> None:
    """Xavier's uniform with a gain of sqrt(2), biases of 0.1  (code)."""
    for network in networks:
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(layer.weight, gain=2**0.5)
                assert layer.bias is not None
                nn.init.constant_(layer.bias, 0.1)


class Search(nn.Module):
    """Pictures (N, C, H, W) in [-1, 1] of one domain to pictures (N, C', H, W) of the other.

    Not a network: each picture's latent z is searched for, by Adam from a few starts, so that the
    squared distance of the source's picture of z is small, and the target's picture of z is the
    answer. Pictures are brought to the generators' size and answers back. Each picture has the same
    starts, so that the answer depends on it alone.
    """

    def __init__(
        self, shared: nn.Module, source: nn.Module, target: nn.Module, config: Config
    ) -> None:
        super().__init__()
        self.shared, self.source, self.target = shared, source, target
        self.config = config

    def forward(self, x: Tensor) -> Tensor:
        return self.render(self.find(x), x)[1]

    def render(self, z: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """The pictures of z in both domains, at the size of x."""
        maps = self.shared(z[:, :, None, None])
        own = (self.source(maps), self.target(maps))
        near, far = (resized(picture, (x.shape[2], x.shape[3])) for picture in own)
        return near, far

    def find(self, x: Tensor) -> Tensor:
        """The latents (N, nz) of pictures, also where gradients are switched off around it."""
        width, height = self.config.width_height
        at_once = max(1, AT_ONCE // self.config.search_starts)
        precise = torch.autocast(x.device.type, enabled=False)
        with torch.inference_mode(False), torch.enable_grad(), precise:
            # A copy, for what was made in inference mode bears no gradients.
            wanted = resized(full(x).clone(), (height, width))
            return torch.cat([self.nearest(few) for few in wanted.split(at_once)])

    def nearest(self, wanted: Tensor) -> Tensor:
        """The latents (N, nz) whose pictures are nearest to these, of the generators' size."""
        c, n = self.config, len(wanted)
        starts = torch.randn(c.search_starts, c.nz, generator=torch.Generator().manual_seed(c.seed))
        z = starts.to(wanted.device).repeat(n, 1).requires_grad_()
        x = wanted.repeat_interleave(c.search_starts, 0)
        adam = torch.optim.Adam([z], lr=c.search_lr)
        for _ in range(c.search_steps):
            # By z alone: nothing is left at the networks' weights.
            (z.grad,) = torch.autograd.grad(self.distances(z, x).sum(), z)
            adam.step()
        with torch.no_grad():
            best = self.distances(z, x).view(n, c.search_starts).argmin(1)
            return z.view(n, c.search_starts, c.nz)[torch.arange(n, device=z.device), best]

    def distances(self, z: Tensor, x: Tensor) -> Tensor:
        """Mean squared difference of each picture (N, C, H, W) and the source's of z: (N,)."""
        return (self.source(self.shared(z[:, :, None, None])) - x).square().mean((1, 2, 3))


def resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Pictures (N, C, H, W) at another (height, width): bilinear, by areas where they shrink."""
    if x.shape[2:] == size:
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=False, antialias=True)


class CoGAN(Translator):
    """g_1 and g_2 make a pair of pictures of one z, judged by f_1 and f_2. First layers of the
    generators and last ones of the discriminators are shared, which is all that ties the domains.

    G_A is what g_1 has for itself and D_A what f_1 has, of the domain that --direction begins in;
    G_B and D_B those of the other. There is no network from picture to picture: see `Search`.
    """

    name = "cogan"
    Config = Config
    domains = ("A", "B")
    data = "unpaired"
    dialect = "cyclegan"
    published_keys = False
    baseline = True
    by_search = True

    def __init__(
        self, config: Config, channels: Mapping[str, int], classes: Sequence[str] = ()
    ) -> None:
        super().__init__(config, channels, classes)
        self.config: Config = config
        c = config
        width, height = c.width_height
        size = (height, width)
        first, second = (self.channels[domain] for domain in c.x_and_y)
        g_1, g_2 = (generator_layers(c.nz, c.ngf, count, size) for count in (first, second))
        f_1, f_2 = (discriminator_layers(c.ndf, count, size) for count in (first, second))
        self.shared_G = nn.Sequential(*g_1[: -c.own_G])
        self.G_A, self.G_B = nn.Sequential(*g_1[-c.own_G :]), nn.Sequential(*g_2[-c.own_G :])
        self.D_A, self.D_B = nn.Sequential(*f_1[: c.own_D]), nn.Sequential(*f_2[: c.own_D])
        self.shared_D = nn.Sequential(*f_1[c.own_D :])
        generators = (self.shared_G, self.G_A, self.G_B)
        discriminators = (self.D_A, self.D_B, self.shared_D)
        draw_weights(*generators, *discriminators)
        if c.batch_size == 1:
            use_own_statistics(self)
        adam = {"betas": (c.beta1, c.beta2), "weight_decay": c.weight_decay}
        self.player("G", *generators, lr=c.lr, **adam)
        self.player("D", *discriminators, lr=c.rate_D, **adam)
        if c.ema:
            self.average(shared_G=self.shared_G, G_A=self.G_A, G_B=self.G_B)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        c, shared_D = self.config, self.shared_D
        x_1, x_2 = (batch[domain] for domain in c.x_and_y)
        turn, losses, judged = self.whose_turn(), {}, {}

        def f_1(x: Tensor) -> Tensor:
            return shared_D(self.D_A(x))

        def f_2(x: Tensor) -> Tensor:
            return shared_D(self.D_B(x))

        def g_1_and_g_2() -> tuple[Tensor, Tensor]:
            z = chance.randn(len(x_1), c.nz, 1, 1, device=x_1.device)
            maps = self.shared_G(z)
            return self.G_A(maps), self.G_B(maps)

        # max over f_1, f_2:  V(f_1, f_2, g_1, g_2)  (eq. 2, there with the other sign), the mean
        # over both domains as in the code
        if "D" in turn:
            with torch.no_grad():
                fake_1, fake_2 = g_1_and_g_2()
            for name, f, x, fake in (("D_A", f_1, x_1, fake_1), ("D_B", f_2, x_2, fake_2)):
                judged[name] = self.discriminator_loss(name, f(x), f(fake))
                for term, penalty in self.penalties(f, x, fake).items():
                    judged[f"{name}_{term}"] = penalty
            self.descend("D", total(judged) / 2)
            self.clip(self.D_A, self.D_B, shared_D)

        # min over g_1, g_2, on a z of their own as in the code
        if "G" in turn:
            fake_1, fake_2 = g_1_and_g_2()
            with frozen(self.D_A, self.D_B, shared_D):
                losses["G_A"] = self.generator_loss(f_1(fake_1), lambda: f_1(x_1))
                losses["G_B"] = self.generator_loss(f_2(fake_2), lambda: f_2(x_2))
                self.descend("G", total(losses) / 2)

        return {name: loss.detach() for name, loss in (losses | judged).items()}

    @torch.inference_mode()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        """Pictures, what comes of the latents found for them, and pairs of latents that stay."""
        c, (X, Y) = self.config, self.config.x_and_y
        shown: dict[str, Tensor] = {}
        back: Direction = "BtoA" if c.direction == "AtoB" else "AtoB"
        for source, target, search in (
            (X, Y, self.search(c.direction)),
            (Y, X, self.search(back)),
        ):
            x = batch[source]
            near, far = search.render(search.find(x), x)
            shown |= {f"real_{source}": x, f"fake_{target}": far, f"rec_{source}": near}
        z = torch.randn(len(batch[X]), c.nz, 1, 1, generator=torch.Generator().manual_seed(c.seed))
        maps = self.best("shared_G")(z.to(batch[X].device))
        pairs = {X: self.best("G_A")(maps), Y: self.best("G_B")(maps)}
        return shown | {f"pair_{domain}": pairs[domain] for domain in (X, Y)}

    def translator(self, direction: Direction) -> nn.Module:
        return self.search(direction)

    def search(self, direction: Direction) -> Search:
        names = ("G_A", "G_B") if direction == self.config.direction else ("G_B", "G_A")
        source, target = (self.best(name) for name in names)
        return Search(self.best("shared_G"), source, target, self.config)

    @property
    def notes(self) -> list[str]:
        c = self.config
        return [
            "cogan has no network from picture to picture: to translate is to search for each "
            f"picture's latent, {c.search_steps} steps from {c.search_starts} starts, and takes "
            "accordingly long, previews and evaluations too",
            *super().notes,
        ]
