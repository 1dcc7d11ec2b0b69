"""Learning-rate policies: the factor on the initial rate, by how far the training is.

Each does what its name says. The reference's `plateau` watches a constant and its `cosine`
climbs back to the full rate in the second half; ours do neither.
"""

import math
from dataclasses import dataclass
from typing import Literal

from ganvas.clock import Clock, Duration

Policy = Literal["linear", "step", "plateau", "cosine", "constant"]

STEP_FACTOR = 0.1
PLATEAU_FACTOR, PLATEAU_PATIENCE, PLATEAU_THRESHOLD = 0.2, 5, 0.01


@dataclass
class Plateau:
    """Lower the rate fivefold when the generators' loss, averaged over an epoch, has not
    fallen by 1 % for more than five epochs in a row."""

    factor: float = 1.0
    best: float = math.inf
    waited: int = 0

    def epoch_ended(self, loss: float) -> None:
        if loss < self.best * (1 - PLATEAU_THRESHOLD):
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited > PLATEAU_PATIENCE:
            self.factor, self.waited = self.factor * PLATEAU_FACTOR, 0


def linear(done: float, constant: float, decay: float) -> float:
    """1 - max(0, e + 1 - constant) / (decay + 1), where `e` is the number of whole periods done.

    The formula of pytorch-CycleGAN-and-pix2pix since July 2025: with 100 + 100 epochs the 100th
    runs at the full rate, the 101st at 100/101 of it and the last at 1/101.
    """
    return max(0.0, 1 - max(0.0, done + 1 - constant) / (decay + 1))


def rate_factor(
    policy: Policy,
    clock: Clock,
    duration: Duration,
    decay: Duration,
    decay_every: Duration,
    plateau: Plateau,
) -> float:
    """The factor on the learning rate for the next step.

    Epochs and iterations count whole, as in the reference; kimg and time run on smoothly.
    `decay` is the part at the end in which `linear` falls; `decay_every` is the period of
    `step`. `cosine` goes once from 1 to 0 over the whole duration (Loshchilov and Hutter 2017,
    without restarts), by the same whole periods.
    """
    done = clock.read(duration.unit)
    if duration.unit in ("ep", "it"):
        done = math.floor(done + 1e-9)
    if policy == "linear":
        if duration.unit in ("ep", "it"):
            return linear(done, duration.amount - decay.amount, decay.amount)
        return min(1.0, max(0.0, (duration.amount - done) / decay.amount))
    if policy == "cosine":
        return (1 + math.cos(math.pi * min(done / duration.amount, 1.0))) / 2
    if policy == "step":
        return STEP_FACTOR ** math.floor(clock.read(decay_every.unit) / decay_every.amount + 1e-9)
    if policy == "plateau":
        return plateau.factor
    return 1.0
