"""The schedule of a training that ends with other numbers than it begins with: rates, Adam's beta2,
gammas and the average's half-life go from the ones to the others along a cosine (R3GAN: Huang et
al. 2024)."""

from dataclasses import dataclass
from typing import NamedTuple

from ganvas.clock import Clock, Duration
from ganvas.config import HAIR, option_name
from ganvas.errors import InputError
from ganvas.methods.generator import GeneratorSettings
from ganvas.schedules import annealed

LR_PART, GAMMA_PART = 1 / 4, 1 / 10
"""The published ends, as parts of the beginnings: 0.0002 to 0.00005, and gammas to a tenth."""


class Annealed(NamedTuple):
    """The numbers of one step."""

    lr: float
    lr_D: float
    beta2: float
    r1_gamma: float
    r2_gamma: float


@dataclass(kw_only=True)
class AnnealingSettings(GeneratorSettings):
    """What changes in the course of the training"""

    anneal: str | None = None
    """How long the numbers below take from their beginnings to their ends, along a cosine, such as
    20000kimg; from then on they stay. --ema is such an end: the half-life rises to it from 0. Left
    out: the whole duration."""
    lr_end: float | None = None
    """What --lr comes to; --lr-D comes to the same part of it. Left out: a quarter (as published:
    0.0002 to 0.00005)."""
    beta2_end: float = 0.99
    """What --beta2 comes to."""
    r1_gamma_end: float | None = None
    """What --r1-gamma comes to. Left out: a tenth (as published); the same number: it stays."""
    r2_gamma_end: float | None = None
    """What --r2-gamma comes to. Left out: a tenth (as published); the same number: it stays."""
    beta2: float = 0.9
    """Adam's decay of the second moment, at the beginning."""
    ema_rampup: float = 0.0

    def check(self) -> None:
        super().check()
        if self.ema_rampup:
            raise InputError(
                f"--ema-rampup {self.ema_rampup:g}: is without effect here, for the average "
                "comes to its half-life along the schedule; leave it out"
            )
        if self.anneal_span.unit == "tick":
            raise InputError(f"--anneal {self.anneal}: is not counted in ticks; take kimg")
        for name in ("beta2", "beta2_end"):
            self.below_one(name)
        if self.lr_end is not None:
            self.above_zero("lr_end")
        for name in ("r1_gamma", "r2_gamma"):
            if (end := getattr(self, f"{name}_end")) is None:
                continue
            self.at_least(f"{name}_end", 0)
            if end and not getattr(self, name):
                raise InputError(
                    f"--{option_name(name)}-end {end:g}: there is none at the beginning; give "
                    f"--{option_name(name)} too"
                )

    @property
    def anneal_span(self) -> Duration:
        return Duration.parse(self.anneal, "anneal") if self.anneal else self.span

    def annealed_at(self, clock: Clock) -> Annealed:
        """The numbers of the step that the clock stands before."""
        done = self.anneal_span.fraction(clock)
        lr_end = self.lr * LR_PART if self.lr_end is None else self.lr_end
        lr = annealed(self.lr, lr_end, done)
        gammas = []
        for name in ("r1_gamma", "r2_gamma"):
            start, end = getattr(self, name), getattr(self, f"{name}_end")
            gammas.append(annealed(start, start * GAMMA_PART if end is None else end, done))
        beta2 = annealed(self.beta2, self.beta2_end, done)
        return Annealed(lr, self.rate_D * (lr / self.lr), beta2, *gammas)

    def half_life_at(self, whole: float, clock: Clock) -> float:
        return max(annealed(0, whole, self.anneal_span.fraction(clock)), HAIR)
