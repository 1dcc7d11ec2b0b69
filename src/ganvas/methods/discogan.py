"""DiscoGAN: Kim, Cha, Kim, Lee and Kim 2017, "Learning to Discover Cross-Domain Relations with
Generative Adversarial Networks", as the authors' code (SKTBrain/DiscoGAN) computes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from ganvas.config import Preprocess
from ganvas.errors import InputError
from ganvas.losses import full, total
from ganvas.losses.reconstruction import mse
from ganvas.methods.base import Batch, Direction, frozen
from ganvas.methods.translator import TranslationSettings, Translator
from ganvas.networks.convolution import Conv2d, ConvTranspose2d
from ganvas.networks.norms import BatchNorm2d, use_own_statistics
from ganvas.schedules import Policy

SMALLEST = 32
FEWEST = 3
"""Halvings that there are at least."""
CORE = 4
"""The least side of the maps between a generator's two halves."""


@dataclass(kw_only=True)
class Config(TranslationSettings):
    """DiscoGAN"""

    starting_rate: float = 0.01
    """Part of the reconstruction in the generators' loss at the beginning (code: 0.01)."""
    default_rate: float = 0.5
    """The same later (code: 0.5)."""
    gan_curriculum: int = 10000
    """Steps for which the starting rate holds (code: 10000); 0: it never does."""
    lambda_gan: float = 0.1
    """Weight of what the discriminators say, in the other part of that loss (code: 0.1)."""
    lambda_fm: float = 0.9
    """Weight of the difference of the discriminators' mean features there (code: 0.9); 0: none."""
    weight_decay: float = 0.00001
    """Adam's decay of all weights, as a part of their gradients (code: 1e-5)."""
    d_steps: str = "1/2"
    size: str = "64"
    batch_size: int = 64
    preprocess: Preprocess = "center_crop"
    flip: bool = False
    lr_policy: Policy = "constant"

    def check(self) -> None:
        super().check()
        for name in ("gan_curriculum", "lambda_gan", "lambda_fm", "weight_decay"):
            self.at_least(name, 0)
        for name in ("starting_rate", "default_rate"):
            if not 0 <= getattr(self, name) <= 1:
                option = name.replace("_", "-")
                raise InputError(f"--{option} {getattr(self, name):g}: must be from 0 to 1")
        self.check_crop()

    def check_size(self, width: int, height: int, what: str) -> None:
        least = max(SMALLEST, self.smallest_translated)
        if min(width, height) < least:
            raise InputError(f"{what}: discogan wants at least {least} pixels each way")
        step = max(self.stride, 2**FEWEST)
        if width % step or height % step:
            near = "x".join(str(max(round(n / 32), 1) * 32) for n in (width, height))
            raise InputError(
                f"{what}: discogan's generators halve {step.bit_length() - 1} times and want "
                f"multiples of {step}; take one of 32, such as {near}"
            )

    def check_whole(self, sizes: set[tuple[int, int]]) -> None:
        super().check_whole(sizes)
        if self.lambda_fm and len(sizes) > 1:
            raise InputError(
                f"--lambda-fm {self.lambda_fm:g}: compares features of real and generated "
                f"pictures place by place, which --preprocess {self.preprocess} leaves of "
                "different sizes; take a --preprocess that crops, or 0"
            )

    def shaped_by(self, player: str) -> tuple[str, ...]:
        return ("ngf" if player == "G" else "ndf", "size")

    @property
    def idle(self) -> dict[str, str]:
        never = {"starting_rate": "--gan-curriculum is 0"} if not self.gan_curriculum else {}
        return super().idle | never

    @property
    def halvings(self) -> int:
        """How often all networks halve: as often as both sides of --size can be halved, down to 4
        at the least."""
        most = (min(self.width_height) // CORE).bit_length() - 1
        return max(
            n for n in range(max(most, 0) + 1) if not any(s % 2**n for s in self.width_height)
        )

    @property
    def size_step(self) -> int:
        return 32

    @property
    def stride(self) -> int:
        return 2**self.halvings

    @property
    def smallest_translated(self) -> int:
        return CORE * self.stride


def widths(width: int, halvings: int) -> list[int]:
    """Channels behind each halving: doubled, to 8 times the first at most."""
    return [width * min(2**n, 8) for n in range(halvings)]


class GeneratorNetwork(nn.Module):
    """Pictures (N, in, H, W) in [-1, 1] to pictures (N, out, H, W) in [-1, 1], by way of maps of
    H / 2^halvings: 4x4 for the published 64x64, with 4 halvings."""

    def __init__(self, in_channels: int, out_channels: int, width: int, halvings: int) -> None:
        super().__init__()
        behind = widths(width, halvings)
        layers: list[nn.Module] = []
        for n, (before, after) in enumerate(pairwise([in_channels, *behind])):
            layers += [Conv2d(before, after, 4, 2, 1, bias=False)]
            layers += [BatchNorm2d(after)] if n else []
            layers += [nn.LeakyReLU(0.2, True)]
        for before, after in pairwise(behind[::-1]):
            layers += [ConvTranspose2d(before, after, 4, 2, 1, bias=False)]
            layers += [BatchNorm2d(after), nn.ReLU(True)]
        layers += [ConvTranspose2d(behind[0], out_channels, 4, 2, 1, bias=False)]
        self.model = nn.Sequential(*layers, nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class DiscriminatorNetwork(nn.Module):
    """Pictures (N, C, H, W) to raw scores (N, 1, h, w): one where the last maps are 4x4, as for
    the published 64x64, and else one for each 4x4 of them."""

    def __init__(self, channels: int, width: int, halvings: int) -> None:
        super().__init__()
        behind = widths(width, halvings)
        first = Conv2d(channels, width, 4, 2, 1, bias=False)
        self.first = nn.Sequential(first, nn.LeakyReLU(0.2, True))
        self.layers = nn.ModuleList(
            nn.Sequential(
                Conv2d(before, after, 4, 2, 1, bias=False),
                BatchNorm2d(after),
                nn.LeakyReLU(0.2, True),
            )
            for before, after in pairwise(behind)
        )
        self.last = Conv2d(behind[-1], 1, CORE, 1, 0, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.judge(x)[0]

    def judge(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The scores, and the features (N, C, h, w) of all layers between the first and the
        last."""
        x, features = self.first(x), []
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return self.last(x), features


def feature_matching(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """The squared difference of two batches' mean features (N, C, h, w), its mean over channels
    and places, summed over layers: a scalar  (code; after Salimans et al. 2016, section 3.1)."""
    apart = (
        (full(r).mean(0) - full(f).mean(0)).square().mean() for r, f in zip(real, fake, strict=True)
    )
    return torch.stack(list(apart)).sum()


class DiscoGAN(Translator):
    """G_AB: A -> B and G_BA: B -> A, judged by D_B and D_A, each the other's way back.

    Networks bear CycleGAN's names: G_A is the paper's G_AB, G_B its G_BA, D_A judges domain B and
    is the paper's D_B, D_B its D_A.
    """

    name = "discogan"
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
        x, y = (self.channels[domain] for domain in c.x_and_y)
        # With torch's own initial weights, as the code leaves them.
        self.G_A = GeneratorNetwork(x, y, c.ngf, c.halvings)
        self.G_B = GeneratorNetwork(y, x, c.ngf, c.halvings)
        self.D_A = DiscriminatorNetwork(y, c.ndf, c.halvings)
        self.D_B = DiscriminatorNetwork(x, c.ndf, c.halvings)
        if c.batch_size == 1:
            use_own_statistics(self)
        adam = {"betas": (c.beta1, c.beta2), "weight_decay": c.weight_decay}
        self.player("G", self.G_A, self.G_B, lr=c.lr, **adam)
        self.player("D", self.D_A, self.D_B, lr=c.rate_D, **adam)
        if c.ema:
            self.average(G_A=self.G_A, G_B=self.G_B)

    @property
    def rate(self) -> float:
        """The reconstruction's part in the next step."""
        c, behind = self.config, self.steps - self.warmup_steps
        return c.starting_rate if behind < c.gan_curriculum else c.default_rate

    def step(self, batch: Batch) -> dict[str, Tensor]:
        G_AB, G_BA, D_B, D_A, c = self.G_A, self.G_B, self.D_A, self.D_B, self.config
        x_A, x_B = (batch[domain] for domain in c.x_and_y)
        rate, turn, losses, judged = self.rate, self.whose_turn(), {}, {}

        with torch.set_grad_enabled("G" in turn):
            x_AB, x_BA = G_AB(x_A), G_BA(x_B)  # eq. 1

        # min over D_A, D_B:  L_D = L_D_A + L_D_B  (eq. 6, 8), each halved as in the code
        if "D" in turn:
            for name, D, real, fake in (("D_A", D_B, x_B, x_AB), ("D_B", D_A, x_A, x_BA)):
                judged[name] = self.discriminator_loss(name, D(real), D(fake.detach())) / 2
                for term, penalty in self.penalties(D, real, fake.detach()).items():
                    judged[f"{name}_{term}"] = penalty / 2
            self.descend("D", total(judged))
            self.clip(D_A, D_B)

        # min over G_AB, G_BA:  L_G = L_G_AB + L_G_BA  (eq. 5, 7)
        if "G" in turn:
            with frozen(D_A, D_B):
                scores_B, features_B = D_B.judge(x_AB)
                scores_A, features_A = D_A.judge(x_BA)
                losses["G_A"] = self.generator_loss(scores_B, lambda: D_B(x_B))  # eq. 4
                losses["G_B"] = self.generator_loss(scores_A, lambda: D_A(x_A))
                if c.lambda_fm > 0:
                    losses["fm_A"] = feature_matching(D_B.judge(x_B)[1], features_B)
                    losses["fm_B"] = feature_matching(D_A.judge(x_A)[1], features_A)
                # d(G_BA(G_AB(x_A)), x_A)  (eq. 2, 3), of pixels in [0, 1] as in the code
                losses["recon_A"] = mse(G_BA(x_AB), x_A) / 4
                losses["recon_B"] = mse(G_AB(x_BA), x_B) / 4
                fm = {i: c.lambda_fm * losses[f"fm_{i}"] if c.lambda_fm > 0 else 0.0 for i in "AB"}
                L_G_AB, L_G_BA = (
                    (1 - rate) * (c.lambda_gan * losses[f"G_{i}"] + fm[i])
                    + rate * losses[f"recon_{i}"]
                    for i in "AB"
                )
                self.descend("G", L_G_AB + L_G_BA)

        return {name: loss.detach() for name, loss in (losses | judged).items()}

    def progress(self) -> dict[str, float]:
        return {"rate": self.rate}

    @torch.inference_mode()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        G_AB, G_BA, (A, B) = self.best("G_A"), self.best("G_B"), self.config.x_and_y
        x_A, x_B = batch[A], batch[B]
        x_AB, x_BA = G_AB(x_A), G_BA(x_B)
        forth = {f"real_{A}": x_A, f"fake_{B}": x_AB, f"rec_{A}": G_BA(x_AB)}
        return forth | {f"real_{B}": x_B, f"fake_{A}": x_BA, f"rec_{B}": G_AB(x_BA)}

    def translator(self, direction: Direction) -> nn.Module:
        return self.best("G_A" if direction == self.config.direction else "G_B")

    @property
    def notes(self) -> list[str]:
        c, found = self.config, super().notes
        if c.batch_size == 1 and c.lambda_fm:
            found.append(
                "--batch-size 1: compares the features of single pictures, where discogan means "
                "means over a batch; take more, such as the published 64, or --lambda-fm 0"
            )
        return found
