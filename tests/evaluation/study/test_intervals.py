"""Intervals hold what they promise."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganvas.evaluation.study.intervals import CLUSTERED, WILSON, interval, student, wilson

TRIALS = 40


def test_wilson_at_its_ends_and_in_the_middle():
    z2 = 1.959963984540054**2
    assert wilson(0, 40) == pytest.approx((0, z2 / (40 + z2)), abs=1e-12)
    assert wilson(1, 40) == pytest.approx((40 / (40 + z2), 1), abs=1e-12)
    half = sqrt(z2) / 2 / sqrt(40 + z2)
    assert wilson(0.5, 40) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-12)


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.7062), (2, 4.30265), (3, 3.18245), (4, 2.77645), (9, 2.26216), (24, 2.0639)],
)
def test_students_quantiles_are_those_of_the_tables(freedom: int, quantile: float):
    assert student(freedom) == pytest.approx(quantile, rel=1e-5)


def test_students_quantile_tends_to_the_normal_one():
    assert student(100_000) == pytest.approx(1.95996, rel=1e-4)


@given(st.lists(st.integers(0, TRIALS), min_size=1, max_size=30))
def test_an_interval_contains_its_share_and_lies_between_0_and_1(fooled: list[int]):
    (low, high), name = interval(fooled, TRIALS)
    share = sum(fooled) / (TRIALS * len(fooled))
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1
    assert high - low > 0.005
    assert name == (WILSON if len(fooled) == 1 else CLUSTERED)


def test_participants_who_differ_widen_the_interval():
    alike, _ = interval([20, 20, 20, 20, 20], TRIALS)
    apart, _ = interval([5, 35, 10, 30, 20], TRIALS)
    assert apart[1] - apart[0] > 2 * (alike[1] - alike[0])


def test_nobody_fooled_by_anything_is_no_certainty():
    (low, high), _ = interval([0, 0, 0], TRIALS)
    assert low == 0
    assert 0.03 < high < 0.2


RATES = (0.02, 0.25, 0.5)
CASES = [
    *((1, rate, 0.0) for rate in RATES),
    *((people, rate, 0.0) for people in (2, 3, 5, 25) for rate in RATES),
    *((people, rate, 0.02) for people in (2, 3, 5, 25) for rate in RATES),
    *((people, rate, 0.1) for people in (2, 3, 5, 25) for rate in (0.25, 0.5)),
]


@pytest.mark.parametrize(("people", "rate", "spread"), CASES)
def test_intervals_contain_the_true_rate_as_often_as_they_say(
    people: int, rate: float, spread: float
):
    """Participants' own rates are beta-distributed: `spread` is the correlation of two trials of
    one of them. (No interval holds for rates near 0 that a few odd participants make up.)"""
    chance, rounds = np.random.default_rng(0), 600
    within = 1 / spread - 1 if spread else 0
    shape = rounds, people
    own = chance.beta(rate * within, (1 - rate) * within, shape) if spread else np.full(shape, rate)
    fooled = chance.binomial(TRIALS, own)
    ends = [interval(row.tolist(), TRIALS)[0] for row in fooled]
    # 600 rounds of 95 % give 93.2 % or more in 97 of 100 seeds.
    assert np.mean([low <= rate <= high for low, high in ends]) > 0.93
