"""How far a training is, and how far it shall go: images shown to the discriminator, and
epochs, iterations, kimg, minutes and hours as other ways to say it."""

import math
import re
from dataclasses import asdict, dataclass

from ganvas.errors import InputError

UNITS = ("ep", "it", "kimg", "min", "h", "tick")


@dataclass(slots=True)
class Clock:
    """Where a training stands. Counted in images; the rest follows, but for the seconds."""

    epoch_size: int
    """Images in one epoch."""
    images: int = 0
    iterations: int = 0
    seconds: float = 0.0
    """Time spent training, interruptions left out."""
    latest: int = 0
    """Images of the iteration done last."""
    ticks: int = 0
    """Ticks ended, where a method has such."""

    def tick(self, images: int) -> None:
        """One iteration on that many images is done."""
        self.images += images
        self.latest = images
        self.iterations += 1

    @property
    def epoch(self) -> float:
        """Epochs done, with a fraction."""
        return self.images / self.epoch_size

    @property
    def label(self) -> str:
        """The clock as a file name that sorts: `000012.400kimg`."""
        return f"{self.images // 1000:06d}.{self.images % 1000:03d}kimg"

    def read(self, unit: str) -> float:
        return {
            "ep": self.epoch,
            "it": float(self.iterations),
            "kimg": self.images / 1000,
            "min": self.seconds / 60,
            "h": self.seconds / 3600,
            "tick": float(self.ticks),
        }[unit]

    def copy(self) -> "Clock":
        return Clock(**asdict(self))


@dataclass(frozen=True, slots=True)
class Duration:
    """A span of training: a number and a unit, such as `200ep` or `90min`."""

    amount: float
    unit: str

    @classmethod
    def parse(cls, text: str, option: str = "duration") -> "Duration":
        """Read `200ep`, `50000it`, `25000kimg`, `90min` or `2h`.

        Raises:
            InputError: the text is no positive number with one of these units.
        """
        match = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([a-z]+)\s*", str(text).lower())
        if match is None or match[2] not in UNITS or float(match[1]) <= 0:
            raise InputError(
                f"--{option} {text}: wants a number above 0 and a unit, one of 200ep, 50000it, "
                "25000kimg, 90min, 2h"
            )
        return cls(float(match[1]), match[2])

    def __str__(self) -> str:
        return f"{self.amount:g}{self.unit}"

    def __mul__(self, factor: float) -> "Duration":
        return Duration(self.amount * factor, self.unit)

    @property
    def is_time(self) -> bool:
        return self.unit in ("min", "h")

    def reached(self, clock: Clock) -> bool:
        # A hair's breadth, so that 3 epochs of 7 images are 21 images and not 22.
        return clock.read(self.unit) >= self.amount - 1e-9

    def fraction(self, clock: Clock) -> float:
        """How much of this span has passed, 0 to 1."""
        return min(clock.read(self.unit) / self.amount, 1.0)

    def times_in(self, clock: Clock) -> int:
        """How many whole times this span has passed."""
        return math.floor(clock.read(self.unit) / self.amount + 1e-9)

    def passed_between(self, before: Clock, after: Clock) -> bool:
        """Whether a multiple of this span lies in (before, after]."""
        return self.times_in(after) > self.times_in(before)
