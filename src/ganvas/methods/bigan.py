"""BiGAN/ALI as a baseline: Donahue et al. 2017, "Adversarial Feature Learning", and Dumoulin et al.
2017, "Adversarially Learned Inference", made conditional, as CycleGAN's paper (Zhu et al. 2017,
section 5.1.2) compares itself with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganvas.losses import full, total
from ganvas.methods.adversarial import AdversarialSettings, ObjectiveName
from ganvas.methods.base import Batch, Direction, frozen
from ganvas.methods.translator import Translator, TranslatorSettings
from ganvas.networks.init import init_weights
from ganvas.networks.pool import ImagePool


@dataclass(kw_only=True)
class Config(TranslatorSettings):
    """BiGAN/ALI"""

    objective: ObjectiveName = "lsgan"
    """The adversarial loss (CycleGAN, section 4: lsgan, least squares)."""
    pool_size: int = 50
    """Pairs that each of the discriminator's two histories holds (CycleGAN: 50); 0: none."""

    def check(self) -> None:
        super().check()
        self.at_least("pool_size", 0)

    def shaped_by(self, player: str) -> tuple[str, ...]:
        # E is a generator too, the other way.
        return super().shaped_by("G" if player == "E" else player)


class BiGAN(Translator):
    """G: X -> Y and E: Y -> X, both against one D, which tells pairs (x, G(x)) from (E(y), y).

    D says real of the first and fake of the second; G wants the opposite of its pairs, E of its
    own. Where D cannot tell them, both have one distribution of pairs, so that E undoes G. Nothing
    else holds a translation to its picture.
    """

    name = "bigan"
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
        self.G = c.make_generator(x, y)
        self.E = c.make_generator(y, x)
        self.D = c.make_discriminator(x + y)
        for network in (self.G, self.E, self.D):
            init_weights(network, c.init_type, c.init_gain)
        self.pool_G, self.pool_E = ImagePool(c.pool_size), ImagePool(c.pool_size)
        self.player("G", self.G, self.E, lr=c.lr, betas=(c.beta1, c.beta2))
        self.player("D", self.D, lr=c.rate_D, betas=(c.beta1, c.beta2))
        if c.ema:
            self.average(G=self.G, E=self.E)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        G, E, D, c = self.G, self.E, self.D, self.config
        x, y = (batch[domain] for domain in c.x_and_y)
        turn, losses, judged = self.whose_turn(), {}, {}

        with torch.set_grad_enabled("G" in turn):
            of_G, of_E = torch.cat([x, G(x)], 1), torch.cat([E(y), y], 1)

        # max over D:  E[log D(x, G(x))] + E[log(1 - D(E(y), y))]  (BiGAN, eq. 2; ALI, eq. 1), on
        # histories of both pairs, at half the pace
        if "D" in turn:
            real, fake = self.pool_G(of_G.detach()), self.pool_E(of_E.detach())
            judged["D"] = self.discriminator_loss("D", D(real), D(fake)) / 2
            for name, penalty in self.penalties(D, real, fake).items():
                judged[f"D_{name}"] = penalty / 2
            self.descend("D", total(judged))
            self.clip(D)

        # min over G, E of the same, with the labels exchanged  (ALI, section 2.2)
        if "G" in turn:
            with frozen(D):
                r, f = D(of_G), D(of_E)
                # An objective that compares the two has each generator move its own scores only.
                losses["G"] = self.generator_loss(mirrored(r, c), lambda: mirrored(f.detach(), c))
                losses["E"] = self.generator_loss(f, r.detach)
                self.descend("G", total(losses))

        return {name: loss.detach() for name, loss in (losses | judged).items()}

    @torch.inference_mode()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        G, E, (X, Y) = self.best("G"), self.best("E"), self.config.x_and_y
        x, y = batch[X], batch[Y]
        return {f"real_{X}": x, f"fake_{Y}": G(x), f"real_{Y}": y, f"fake_{X}": E(y)}

    def translator(self, direction: Direction) -> nn.Module:
        return self.best("G" if direction == self.config.direction else "E")


def mirrored(scores: Tensor, c: AdversarialSettings) -> Tensor:
    """Scores as they would be if D called real what it calls fake: what is pulled up in them goes
    down in D's.

    Every objective but lsgan knows its two sides by the sign: s becomes -s. With lsgan the labels
    a and b change places: s becomes a + b - s.
    """
    return c.fake_label + c.real_label - full(scores) if c.objective == "lsgan" else -scores
