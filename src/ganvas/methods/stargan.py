"""StarGAN: Choi, Choi, Kim, Ha, Kim and Choo 2018, "StarGAN: Unified Generative Adversarial
Networks for Multi-Domain Image-to-Image Translation", as yunjey/stargan computes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ganvas import chance
from ganvas.config import Preprocess
from ganvas.errors import InputError, did_you_mean
from ganvas.losses import full, total
from ganvas.losses.reconstruction import l1
from ganvas.methods.adversarial import AdversarialSettings, ObjectiveName
from ganvas.methods.base import Batch, Direction, frozen
from ganvas.methods.translator import Translator
from ganvas.networks.stargan import StarDiscriminator, StarGenerator, Towards
from ganvas.scales import range_of

MOST_LAYERS = 6


@dataclass(kw_only=True)
class Config(AdversarialSettings):
    """StarGAN"""

    lambda_cls: float = 1.0
    """lambda_cls of eq. 5 and 6: the weight of naming the domain; paper: 1. 0: none."""
    lambda_rec: float = 10.0
    """lambda_rec of eq. 6: the weight of the way back, |x - G(G(x, c), c')|_1; paper: 10."""
    ngf: int = 64
    """Channels of the generator's first layer."""
    n_blocks: int = 6
    """Residual blocks of the generator (table 4: 6)."""
    ndf: int = 64
    """Channels of the discriminator's first layer; they double in each."""
    n_layers: int | None = None
    """Halvings in the discriminator (table 5: 6, at 128 pixels). Left out: 6, and below 128 pixels
    as many as leave 2."""
    channels: int | None = None
    """1 takes pictures as grey, 3 as RGB; of others it must be what they have. Left out: as they
    are."""
    range: str | None = None
    """Values that become -1 and 1: LOW:HIGH such as 0:4095, for each channel where they differ
    (0:4095,-1:1); measured; type, the ends of an integer type. Left out: type for 8 bits, else
    measured."""
    beta1: float = 0.5
    """Adam's decay of the first moment (section 5.3)."""
    beta2: float = 0.999
    """Adam's decay of the second moment (as beta1)."""
    objective: ObjectiveName = "wgan"
    """The adversarial loss (eq. 8: wgan, with --gp 10)."""
    gp: float = 10.0
    d_steps: str = "5"
    lr: float = 0.0001
    size: str = "128"
    preprocess: Preprocess = "center_crop"
    batch_size: int = 16
    duration: str = "200000it"

    def check(self) -> None:
        super().check()
        for name in ("lambda_cls", "lambda_rec"):
            self.at_least(name, 0)
        for name in ("ngf", "ndf", "n_blocks"):
            self.at_least(name, 1)
        for name in ("n_layers", "channels"):
            if getattr(self, name) is not None:
                self.at_least(name, 1)
        for name in ("beta1", "beta2"):
            self.below_one(name)
        if self.range is not None:
            range_of(self.range, "range")
        if self.batch_size < 2:
            raise InputError(
                f"--batch-size {self.batch_size}: stargan's targets are the domains of the batch "
                "in another order, of one picture always its own; take 2 or more"
            )
        if self.preprocess in ("none", "scale_width"):
            raise InputError(
                f"--preprocess {self.preprocess}: keeps pictures of different sizes, but what "
                "names the domain sees one; take center_crop"
            )
        self.check_size(*self.width_height, f"--size {self.size}")

    def check_size(self, width: int, height: int, what: str) -> None:
        step = self.stride
        if width % step or height % step:
            near = "x".join(str(max(round(n / step), 2) * step) for n in (width, height))
            raise InputError(f"{what}: stargan wants multiples of {step}; the nearest is {near}")
        least = max(StarGenerator.smallest, 2 ** (self.n_layers or 1))
        if min(width, height) < least:
            fewer = ", or fewer --n-layers" if least > StarGenerator.smallest else ""
            raise InputError(
                f"{what}: is too small for these networks, which want at least {least} pixels each "
                f"way; take a larger size{fewer}"
            )

    def channels_of(self, domain: str) -> int | None:
        return self.channels

    def range_of(self, domain: str) -> str | None:
        return self.range

    def shaped_by(self, player: str) -> tuple[str, ...]:
        return ("ngf", "n_blocks") if player == "G" else ("ndf", "n_layers", "size")

    @property
    def halvings(self) -> int:
        """Those of the discriminator."""
        short = min(self.width_height)
        return self.n_layers or min(MOST_LAYERS, short.bit_length() - 2)

    @property
    def stride(self) -> int:
        return StarGenerator.stride

    @property
    def smallest_translated(self) -> int:
        return StarGenerator.smallest


class StarGAN(Translator):
    """G: (x, c) -> picture of domain c, from any domain to any. D judges pictures, and names their
    domains.

    A direction is the name of the target; there is no difference between the domains it starts
    from, which G is not told.
    """

    name = "stargan"
    Config = Config
    domains = ("pictures",)
    data = "domains"
    dialect = "cyclegan"
    published_keys = False

    def __init__(
        self, config: Config, channels: Mapping[str, int], classes: Sequence[str] = ()
    ) -> None:
        super().__init__(config, channels, classes)
        self.config: Config = config
        if len(self.classes) < 2:
            raise InputError(
                "stargan: wants a folder of pictures for each domain, two at least, and no picture "
                "beside these folders; `ganvas data check` says what is there"
            )
        c, depth, count = config, self.channels["pictures"], len(self.classes)
        width, height = c.width_height
        self.G = StarGenerator(depth, count, c.ngf, c.n_blocks)
        self.D = StarDiscriminator(depth, count, (height, width), c.ndf, c.halvings)
        self.player("G", self.G, lr=c.lr, betas=(c.beta1, c.beta2))
        self.player("D", self.D, lr=c.rate_D, betas=(c.beta1, c.beta2))
        if c.ema:
            self.average(G=self.G)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        G, D, c = self.G, self.D, self.config
        # The paper's c' and c: the domain that a picture is of, and the one it shall be of.
        x, origin = batch["pictures"], batch["labels"]
        target = chance.part_of(shuffled(self.joined(origin)))
        turn, losses, judged = self.whose_turn(), {}, {}

        with torch.set_grad_enabled("G" in turn):
            x_ = G(x, self.one_hot(target))

        # min over D:  -L_adv + lambda_cls L_cls^r  (eq. 5, 8)
        if "D" in turn:
            of_real, named = D.both(x)
            judged = self.discriminator_terms("D", of_real, D(x_.detach()))
            # E[-log D_cls(c' | x)]  (eq. 2)
            judged["D_cls"] = c.lambda_cls * cross_entropy(named, origin)
            penalties = self.penalties(D, x, x_.detach())
            judged |= {f"D_{name}": penalty for name, penalty in penalties.items()}
            self.descend("D", total(judged))
            self.clip(D)

        # min over G:  L_adv + lambda_cls L_cls^f + lambda_rec L_rec  (eq. 6)
        if "G" in turn:
            with frozen(D):
                of_fake, named = D.both(x_)
                losses["G_GAN"] = self.generator_loss(of_fake, lambda: D(x))
                # E[-log D_cls(c | G(x, c))]  (eq. 3)
                losses["G_cls"] = c.lambda_cls * cross_entropy(named, target)
                # E[|x - G(G(x, c), c')|_1]  (eq. 4)
                losses["G_rec"] = c.lambda_rec * l1(G(x_, self.one_hot(origin)), x)
                self.descend("G", total(losses))

        return {name: loss.detach() for name, loss in (losses | judged).items()}

    def one_hot(self, labels: Tensor) -> Tensor:
        """Domains (N,) as c of G: (N, domains)."""
        return F.one_hot(labels, len(self.classes)).float()

    @torch.inference_mode()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        x = batch["pictures"]
        made = {f"fake_{'_'.join(d.split())}": self.translator(d)(x) for d in self.classes}
        return {"real": x} | made

    @property
    def ways(self) -> tuple[Direction, ...]:
        return self.classes

    def ends(self, direction: Direction) -> tuple[str, str]:
        return "pictures", "pictures"

    def way(self, wanted: Direction | None, left_out: Direction = "") -> Direction:
        if wanted is None:
            raise InputError(
                f"--direction: say which domain to translate into, of {', '.join(self.ways)}, as "
                f"in --direction {self.ways[0]}"
            )
        if wanted not in self.ways:
            near = did_you_mean(wanted, list(self.ways))
            raise InputError(
                f"--direction {wanted}: there is no such domain{near}; there are "
                f"{', '.join(self.ways)}"
            )
        return wanted

    def translator(self, direction: Direction) -> Towards:
        target, G = self.ways.index(self.way(direction)), self.best("G")
        assert isinstance(G, StarGenerator)
        return Towards(G, target, len(self.ways))


def shuffled(labels: Tensor) -> Tensor:
    """A batch's domains (N,) in an order of chance: the targets, as often as they are met."""
    return labels[torch.randperm(len(labels), device=labels.device)]


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """E[-log softmax(logits)[label]] of logits (N, domains) and labels (N,), a scalar."""
    return F.cross_entropy(full(logits), labels)
