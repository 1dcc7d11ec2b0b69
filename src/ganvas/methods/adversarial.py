"""Generators against discriminators: any objective and any penalty, in any method."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import floor
from typing import Literal

from torch import Tensor, nn

from ganvas.config import Settings, option_name
from ganvas.errors import InputError
from ganvas.losses import total
from ganvas.losses.objectives import OBJECTIVES, Objective
from ganvas.losses.penalties import clip_weights, drift, gradient_penalty, lazy_weight, r1, r2
from ganvas.methods.base import Method
from ganvas.networks.norms import hold_statistics

ObjectiveName = Literal[
    "lsgan",
    "vanilla",
    "vanilla-saturating",
    "wgan",
    "hinge",
    "logistic",
    "logistic-saturating",
    "rpgan",
]
SCORES_COMPARED = 128
MOST_STEPS = 1000


@dataclass(kw_only=True)
class AdversarialSettings(Settings):
    """Objective and penalties"""

    objective: ObjectiveName = "vanilla"
    """The adversarial loss."""
    real_label: float = 1.0
    """What discriminators shall say of real pictures, with lsgan (there b) and vanilla;
    0.9 is one-sided label smoothing (Salimans et al. 2016)."""
    fake_label: float = 0.0
    """What they shall say of generated pictures, with lsgan (there a) and vanilla."""
    generator_label: float = 1.0
    """What generators want them to say, with lsgan (there c) and vanilla."""
    gp: float = 0.0
    """Weight of the gradient penalty: lambda of WGAN-GP, there 10; 0: none."""
    gp_target: float = 1.0
    """The norm that the gradient penalty pulls gradients towards."""
    gp_at: Literal["mixed", "real", "fake"] = "mixed"
    """The pictures that it looks at: points between real and generated ones, or only these."""
    r1_gamma: float = 0.0
    """Weight of R1, the gradients at real pictures (Mescheder et al. 2018), such as 10; 0: none."""
    r2_gamma: float = 0.0
    """Weight of R2, the gradients at generated pictures; 0: none."""
    penalty_every: int = 1
    """Apply gp, R1 and R2 at every so many-th step of the discriminators only, and so many times
    as strong (StyleGAN2's lazy regularisation: 16)."""
    drift: float = 0.0
    """Weight of the squared scores of real pictures, epsilon of ProGAN, there 0.001; 0: none."""
    clip: float | None = None
    """Bound on the discriminators' weights, c of the first WGAN, there 0.01. Left out: none."""
    d_steps: str = "1"
    """Steps of the discriminators for one of the generators, such as 5; 1/2 or 0.5 gives the
    generators two for one. Each step has pictures of its own."""
    lr: float = 0.0002
    """Learning rate of Adam."""
    lr_D: float | None = None
    """The discriminators' learning rate (Heusel et al. 2017). Left out: that of --lr."""

    def check(self) -> None:
        super().check()
        for name in ("gp", "r1_gamma", "r2_gamma", "drift"):
            self.at_least(name, 0)
        self.at_least("penalty_every", 1)
        for name in ("gp_target", "clip", "lr", "lr_D"):
            if getattr(self, name) is not None:
                self.above_zero(name)
        has = OBJECTIVES[self.objective].labels
        for name in ("real_label", "fake_label", "generator_label"):
            default = type(self).__dataclass_fields__[name].default
            if name not in has and getattr(self, name) != default:
                able = ", ".join(key for key, o in OBJECTIVES.items() if name in o.labels)
                raise InputError(
                    f"--{option_name(name)}: the {self.objective} objective has no such label; "
                    f"these have: {able}"
                )
        if self.objective.startswith("vanilla"):
            for name in ("real_label", "fake_label", "generator_label"):
                if not 0 <= getattr(self, name) <= 1:
                    raise InputError(
                        f"--{option_name(name)} {getattr(self, name):g}: must be from 0 to 1, as "
                        "cross entropy wants; lsgan takes any number"
                    )
        _ = self.pace  # refuses what is no number

    def check_whole(self, sizes: set[tuple[int, int]]) -> None:
        option = f"--objective {self.objective}" if self.objective == "rpgan" else ""
        if self.gp and self.gp_at == "mixed":
            option = "--gp-at mixed"
        if option and len(sizes) > 1:
            shown = " and ".join(f"{w}x{h}" for w, h in sorted(sizes)[:: len(sizes) - 1])
            raise InputError(
                f"{option}: compares real with generated pictures, which --preprocess "
                f"{self.preprocess} leaves of different sizes (such as {shown}); take a "
                "--preprocess that crops"
            )

    @property
    def idle(self) -> dict[str, str]:
        """Settings that do nothing beside the others as they are, and why."""
        penalised = self.gp or self.r1_gamma or self.r2_gamma
        names = (
            *(() if self.gp else ("gp_target", "gp_at")),
            *(() if penalised else ("penalty_every",)),
        )
        return dict.fromkeys(names, "the penalty itself is 0")

    @property
    def rate_D(self) -> float:
        """The learning rate that the discriminators begin with."""
        return self.lr if self.lr_D is None else self.lr_D

    @property
    def bound(self) -> float | None:
        """The bound on the discriminators' weights."""
        return self.clip

    @property
    def pace(self) -> Fraction:
        """Steps of the discriminators for one of the generators."""
        try:
            pace = Fraction(self.d_steps.replace(" ", ""))
        except (ValueError, ZeroDivisionError):
            pace = Fraction(0)
        if not Fraction(1, MOST_STEPS) <= pace <= MOST_STEPS:
            raise InputError(
                f"--d-steps {self.d_steps}: wants a number such as 5, or a part such as 1/2, from "
                f"1/{MOST_STEPS} to {MOST_STEPS}"
            )
        return pace.limit_denominator(MOST_STEPS)


class Adversarial(Method):
    """A method with generators, the player G, and discriminators, the player D.

    A step asks `whose_turn` first. Scores are raw, (N, 1) or (N, 1, h, w).
    """

    def __init__(
        self, config: AdversarialSettings, channels: Mapping[str, int], classes: Sequence[str] = ()
    ) -> None:
        super().__init__(config, channels, classes)
        self.rules = config
        self.objective = with_labels(OBJECTIVES[config.objective], config)
        self.gammas = {"r1": config.r1_gamma, "r2": config.r2_gamma}
        """The weights of R1 and R2 in the next step: a method's own schedule may change them."""

    def whose_turn(self) -> frozenset[str]:
        """Begin a step: the players that move in it, by --warmup and then by --d-steps."""
        self.vitals = {}
        self.gathering.clear()  # of a step that was broken off
        step, self.steps = self.steps, self.steps + 1
        if self.warmup_steps:
            hold_statistics(self.players["G"], held=step < self.warmup_steps)
        return self.turn_at(step)

    def turn_at(self, step: int) -> frozenset[str]:
        """The players that move in the step behind so many others."""
        now, then = self.descents_at(step), self.descents_at(step + 1)
        return frozenset(player for player in now if then[player] > now[player])

    def descents_at(self, step: int) -> dict[str, int]:
        """How often each player has moved behind so many steps."""
        pace, alone = self.rules.pace, min(step, self.warmup_steps)
        together = step - alone
        return {
            "D": alone + floor(together * min(pace, Fraction(1))),
            "G": floor(together * min(1 / pace, Fraction(1))),
        }

    def work_at(self, step: int) -> Hashable:
        """The players that move, and whether D's penalties are due."""
        c, turn = self.rules, self.turn_at(step)
        penalised = "D" in turn and self.penalised
        due = penalised and lazy_weight(self.descents_at(step)["D"], c.penalty_every) > 0
        return turn, bool(due)

    def stand_at(self, step: int) -> None:
        super().stand_at(step)
        self.descents = self.descents_at(step)

    def settled(self, real: Tensor) -> Tensor:
        """The scores of real pictures, whose own part of D's loss is gathered now, so that what
        they were computed from is let go before generated pictures are judged. Where the objective
        compares the two, they are as they were."""
        if self.objective.parts is None:
            return real
        terms = {"real": self.objective.parts[0](real)}
        if self.rules.drift:
            terms["drift"] = self.rules.drift * drift(real)
        self.gather("D", terms)
        return real.detach()

    def generator_loss(self, fake: Tensor, real: Callable[[], Tensor]) -> Tensor:
        """Of the scores of generated pictures; those of real ones are asked for only where the
        objective compares the two."""
        scores = (fake, real()) if self.objective.relativistic else (fake,)
        return self.objective.generator(*scores)

    def discriminator_loss(self, name: str, real: Tensor, fake: Tensor) -> Tensor:
        """Of the scores of real and of generated pictures; `name` is the discriminator's."""
        return total(self.discriminator_terms(name, real, fake))

    def discriminator_terms(self, name: str, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """What `discriminator_loss` is the sum of: NAME_real and NAME_fake, or NAME alone where
        the objective compares the two; and NAME_drift where --drift asks for it."""
        self.vitals |= {f"{name} real": real.detach().float().mean()}
        self.vitals |= {f"{name} fake": fake.detach().float().mean()}
        self.vitals |= {f"{name} order": order(real.detach(), fake.detach())}
        if self.objective.parts is None:
            terms = {name: self.objective.discriminator(real, fake)}
        else:
            of_real, of_fake = self.objective.parts
            terms = {f"{name}_real": of_real(real), f"{name}_fake": of_fake(fake)}
        if self.rules.drift:
            terms[f"{name}_drift"] = self.rules.drift * drift(real)
        return terms

    def penalties(
        self, D: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, part: float = 1.0
    ) -> dict[str, Tensor]:
        """The terms on D's gradients that this step has, by name, times their weights. Pictures are
        at that `part` of their full size: `input_gradients` says what it does."""
        c = self.rules
        lazy = lazy_weight(self.descents["D"], c.penalty_every)
        terms: dict[str, tuple[float, Callable[[], Tensor]]] = {
            "gp": (c.gp, lambda: gradient_penalty(D, real, fake, c.gp_target, c.gp_at, part)),
            "r1": (self.gammas["r1"], lambda: r1(D, real, part)),
            "r2": (self.gammas["r2"], lambda: r2(D, fake, part)),
        }
        return {name: lazy * w * term() for name, (w, term) in terms.items() if lazy and w}

    def clip(self, *discriminators: nn.Module) -> None:
        """Bound the discriminators' weights, after their step, where --clip says so."""
        if self.rules.bound is not None:
            clip_weights(self.rules.bound, *discriminators)

    def compilable(self) -> list[nn.Module]:
        if not self.penalised:
            return super().compilable()
        return [n for player, networks in self.players.items() if player != "D" for n in networks]

    @property
    def penalised(self) -> bool:
        """Whether a penalty on gradients goes through the discriminators."""
        return bool(self.rules.gp or self.rules.r1_gamma or self.rules.r2_gamma)

    @property
    def notes(self) -> list[str]:
        c, found = self.rules, []
        if c.compile and self.penalised:
            found.append(
                "--compile: takes the generators only, for a penalty on gradients goes through the "
                "discriminators, and torch.compile has no double backward"
            )
        free = not (c.gp or c.bound or c.r1_gamma or c.r2_gamma)
        if c.objective == "wgan" and free and "D" in self.players:
            found.append(
                "--objective wgan alone bounds its discriminators by nothing, and they will run "
                "away: add --gp 10 (WGAN-GP), or --clip 0.01 (the first WGAN)"
            )
        discriminators = nn.ModuleList(self.players.get("D", ()))
        if self.penalised and any(isinstance(m, nn.BatchNorm2d) for m in discriminators.modules()):
            found.append(
                "a penalty on gradients with batch norm in a discriminator: there, what one "
                "picture gets depends on the others; the paper of WGAN-GP takes layer norm"
            )
        reasons: dict[str, list[str]] = {}
        for name in sorted({*c.idle} & {*c.changed()}):
            reasons.setdefault(c.idle[name], []).append(f"--{option_name(name)}")
        for why, names in reasons.items():
            found.append(f"{' and '.join(names)}: without effect, for {why}")
        return found


def with_labels(objective: Objective, config: AdversarialSettings) -> Objective:
    """The objective with its labels as set."""

    def given(*names: str) -> dict[str, float]:
        return {name: getattr(config, name) for name in names if name in objective.labels}

    parts = objective.parts and (
        partial(objective.parts[0], **given("real_label")),
        partial(objective.parts[1], **given("fake_label")),
    )
    return objective._replace(
        generator=partial(objective.generator, **given("generator_label")),
        discriminator=partial(objective.discriminator, **given("real_label", "fake_label")),
        parts=parts,
    )


def order(real: Tensor, fake: Tensor) -> Tensor:
    """How often a real score is above a generated one: 1 where a discriminator tells all apart,
    1/2 where it guesses. Of at most so many scores each."""
    r, f = (s.flatten()[:: max(1, s.numel() // SCORES_COMPARED)].float() for s in (real, fake))
    difference = r[:, None] - f[None, :]
    return (difference.sign().mean() + 1) / 2
