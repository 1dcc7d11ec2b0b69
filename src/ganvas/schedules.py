"""Learning-rate policies: the factor on the initial rate, by how far the training is.

Each does what its name says. The reference's `plateau` watches a constant and its `cosine`
climbs back to the full rate in the second half; ours do neither.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ganvas.clock import Clock, Duration

if TYPE_CHECKING:
    from torch import Tensor

Policy = Literal["linear", "step", "plateau", "cosine", "constant"]

STEP_FACTOR = 0.1
PLATEAU_FACTOR, PLATEAU_PATIENCE, PLATEAU_THRESHOLD = 0.2, 5, 0.01


def linear(done: float, constant: float, decay: float) -> float:
    """1 - max(0, e + 1 - constant) / (decay + 1), where `e` is the number of whole periods done.

    The formula of pytorch-CycleGAN-and-pix2pix since July 2025: with 100 + 100 epochs the 100th
    runs at the full rate, the 101st at 100/101 of it and the last at 1/101.
    """
    return max(0.0, 1 - max(0.0, done + 1 - constant) / (decay + 1))


def annealed(start: float, end: float, done: float) -> float:
    """From start to end along half a cosine, `done` being how far: 0 to 1  (as Loshchilov and
    Hutter 2017 lower a rate)."""
    # (1 - cos(pi done)) / 2, exact also where it is tiny.
    return start + (end - start) * math.sin(math.pi * done / 2) ** 2


class Schedule:
    """A policy over a training. Epochs and iterations count whole, as in the reference; kimg and
    time run on smoothly.

    linear: constant, then falling over the last `decay`. step: a tenth every `decay_every`.
    cosine: once from 1 to 0 over the whole duration (Loshchilov and Hutter 2017, without
    restarts). plateau: a fifth when the generators' loss, averaged over an epoch, has not fallen
    by 1 % for more than five epochs in a row.
    """

    def __init__(
        self, policy: Policy, duration: Duration, decay: Duration, decay_every: Duration
    ) -> None:
        self.policy = policy
        self.duration, self.decay, self.decay_every = duration, decay, decay_every
        self.plateau = Plateau()

    def factor(self, clock: Clock) -> float:
        """The factor on the learning rate for the step that the clock stands before."""
        whole = self.duration.unit in ("ep", "it")
        done = clock.read(self.duration.unit)
        done = math.floor(done + 1e-9) if whole else done
        length, decay = self.duration.amount, self.decay.amount
        match self.policy:
            case "linear" if whole:
                return linear(done, length - decay, decay)
            case "linear":
                return min(1.0, max(0.0, (length - done) / decay))
            case "cosine":
                return (1 + math.cos(math.pi * min(done / length, 1.0))) / 2
            case "step":
                return STEP_FACTOR ** self.decay_every.times_in(clock)
            case "plateau":
                return self.plateau.factor
            case _:
                return 1.0

    def saw(self, losses: "dict[str, Tensor]", before: Clock, after: Clock) -> None:
        """Take note of a step's losses; those of discriminators begin with D."""
        if self.policy != "plateau":
            return
        import torch  # settings, which name the policies, are read without it

        own = [loss for name, loss in losses.items() if not name.startswith("D")]
        if own:  # the generators may stand still in a step
            self.plateau.add(float(torch.stack(own).sum()))
        if Duration(1, "ep").passed_between(before, after):
            self.plateau.epoch_ended()


@dataclass
class Plateau:
    """Where the plateau policy stands."""

    factor: float = 1.0
    best: float = math.inf
    waited: int = 0
    total: float = 0.0
    steps: int = 0

    def add(self, loss: float) -> None:
        self.total, self.steps = self.total + loss, self.steps + 1

    def epoch_ended(self) -> None:
        if not self.steps:
            return
        mean = self.total / self.steps
        self.total, self.steps = 0.0, 0
        if mean < self.best * (1 - PLATEAU_THRESHOLD):
            self.best, self.waited = mean, 0
            return
        self.waited += 1
        if self.waited > PLATEAU_PATIENCE:
            self.factor, self.waited = self.factor * PLATEAU_FACTOR, 0
