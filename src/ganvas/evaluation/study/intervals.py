"""95 % intervals of a share: of one participant's trials, and of several participants'."""

import math
from collections.abc import Sequence
from functools import cache
from statistics import NormalDist, fmean, variance

LEVEL = 0.95
WILSON = "Wilson over trials"
CLUSTERED = "Wilson over trials by their effective number, t over participants"

Interval = tuple[float, float]


def wilson(share: float, trials: float, quantile: float | None = None) -> Interval:
    """Wilson's score interval (1927) of a share, from 0 to 1, of so many independent trials."""
    z = NormalDist().inv_cdf((1 + LEVEL) / 2) if quantile is None else quantile
    widened = 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / widened
    half = z / widened * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    # Rounding would leave 1e-17 where 0 is meant.
    low = 0.0 if share == 0 else max(middle - half, 0.0)
    high = 1.0 if share == 1 else min(middle + half, 1.0)
    return low, high


def interval(fooled: Sequence[int], trials: int) -> tuple[Interval, str]:
    """The interval of the share of all trials in which participants were fooled, `fooled` of
    `trials` by each, and its name.

    One participant's trials go into Wilson's interval as they are, and it says nothing of other
    people. Of several, trials of one are more alike than trials of many: the number of trials is
    divided by the design effect, the variance between participants over that of as many
    independent trials (Kish 1965), at least 1; and the quantile is Student's t for one degree of
    freedom less than there are participants (as Korn and Graubard 1998 do with exact intervals).
    That keeps its level with few participants, where the bootstrap over participants does not,
    and with shares near 0, where the t interval does not.
    """
    people = len(fooled)
    shares = [count / trials for count in fooled]
    share, independent = fmean(shares), trials * people
    if people == 1:
        return wilson(share, independent), WILSON
    alone = share * (1 - share) / independent
    effect = variance(shares) / people / alone if alone else 1.0
    return wilson(share, independent / max(effect, 1.0), student(people - 1)), CLUSTERED


@cache
def student(freedom: int) -> float:
    """The quantile of Student's t within whose two ends LEVEL lies."""
    low, high = 0.0, 1.0
    while within(high, freedom) < LEVEL:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle, freedom) < LEVEL else (low, middle)
    return high


def within(t: float, freedom: int) -> float:
    """The probability that Student's t lies between -t and t (Abramowitz and Stegun 26.7.3 and
    26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    odd = freedom % 2
    term = total = math.cos(angle) if odd else 1.0
    for k in range(2 + odd, freedom - 1, 2):
        term *= math.cos(angle) ** 2 * (k - 1) / k
        total += term
    if not odd:
        return math.sin(angle) * total
    return 2 / math.pi * (angle + (math.sin(angle) * total if freedom > 1 else 0.0))
