"""What a participant is shown, in which order: a pure function of the seed and their number."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from random import Random
from typing import Any, Literal

from ganvas.errors import InputError

Kind = Literal["practice", "scored", "catch"]
Place = Literal["first", "second"]
Enlarge = Literal["smooth", "nearest"]
MOST_TRIALS = 1000
LONGEST = 60.0


@dataclass(frozen=True)
class Protocol:
    """How a study is held. The defaults are the papers', but for the catch trials, which they did
    without."""

    trials: int = 40
    practice: int = 10
    catch: int = 4
    """Trials whose other picture is a real one with its pixels in random order: whoever looks gets
    them right. They stand among the scored ones and are not scored."""
    seconds: float = 1.0
    """How long each picture is shown."""
    seed: int = 0
    enlarge: Enlarge = "smooth"
    """How small pictures are enlarged, the real and the generated alike."""

    def __post_init__(self) -> None:
        for name, least in (("trials", 1), ("practice", 0), ("catch", 0)):
            if not least <= getattr(self, name) <= MOST_TRIALS:
                raise InputError(
                    f"--{name} {getattr(self, name)}: must be from {least} to {MOST_TRIALS}"
                )
        if not 0 < self.seconds <= LONGEST:
            raise InputError(
                f"--seconds {self.seconds:g}: must be above 0 and at most {LONGEST:g}; the papers "
                "took 1"
            )
        if not 0 <= self.seed < 2**32:
            raise InputError(f"--seed {self.seed}: must be from 0 to below 2^32")

    @property
    def length(self) -> int:
        """Trials of all kinds."""
        return self.practice + self.trials + self.catch

    def described(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Trial:
    """One question. `real` and `fake` are places in the lists of pictures; of a catch trial `fake`
    is the real picture whose pixels are shuffled, `real` itself."""

    kind: Kind
    real: int
    fake: int
    real_first: bool

    @property
    def right(self) -> Place:
        """Where the real picture is."""
        return "first" if self.real_first else "second"


def plan(protocol: Protocol, participant: int, reals: int, fakes: int, same: bool) -> list[Trial]:
    """A participant's trials: the practice, then scored and catch trials in random order.

    The real picture comes first in half of each kind's trials. No picture is shown twice where
    there are enough, and none more than once oftener than another. With `same`, `fakes` equal
    `reals` and a real picture is shown with the generated one of its own number.
    """
    chance = Random(f"{protocol.seed} {participant}")
    some_real, some_fake = deck(reals, chance), deck(fakes, chance)

    def of_kind(kind: Kind, count: int) -> list[Trial]:
        found = []
        for real_first in halves(count, chance):
            real = next(some_real)
            fake = real if same or kind == "catch" else next(some_fake)
            found.append(Trial(kind, real, fake, real_first))
        return found

    practice = of_kind("practice", protocol.practice)
    rest = [*of_kind("scored", protocol.trials), *of_kind("catch", protocol.catch)]
    chance.shuffle(rest)
    return practice + rest


def deck(count: int, chance: Random) -> Iterator[int]:
    """0 to count - 1 shuffled, and when all are out shuffled again, without end."""
    while True:
        yield from chance.sample(range(count), count)


def halves(count: int, chance: Random) -> list[bool]:
    """As many true as false in random order; of an odd number the last by chance."""
    found = [i % 2 == 0 for i in range(count - count % 2)]
    found += [chance.random() < 0.5] * (count % 2)
    chance.shuffle(found)
    return found


def seen_twice(protocol: Protocol, reals: int, fakes: int, same: bool) -> int:
    """How many pictures a participant sees more than once, in the study's own first plan."""
    trials = plan(protocol, 0, reals, fakes, same)
    shown = Counter(("real", trial.real) for trial in trials)
    shown += Counter(("fake", trial.fake) for trial in trials if trial.kind != "catch")
    return sum(times > 1 for times in shown.values())


def allowed_misses(catch: int, share: float) -> int:
    """Catch trials that an attentive participant may miss."""
    return math.floor(catch * share + 1e-9)
