"""What changes in the course of an R3GAN's training follows from the clock alone."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganvas.clock import Clock
from ganvas.errors import InputError
from ganvas.methods.annealing import Annealed
from ganvas.methods.r3gan import Config
from ganvas.schedules import annealed

PUBLISHED = Config.from_mapping({"preset": "ffhq64"} | dict(Config.presets["ffhq64"]))


def at(kimg: float, config: Config = PUBLISHED) -> Annealed:
    return config.annealed_at(clock(kimg))


def clock(kimg: float) -> Clock:
    return Clock(70_000, images=round(kimg * 1000), iterations=round(kimg * 4))


def test_numbers_go_from_the_published_beginnings_to_the_published_ends():
    assert at(0) == (2e-4, 2e-4, 0.9, 2, 2)
    assert at(10_000) == pytest.approx((1.25e-4, 1.25e-4, 0.945, 1.1, 1.1))
    assert at(20_000) == pytest.approx((5e-5, 5e-5, 0.99, 0.2, 0.2))
    assert at(90_000) == at(20_000)


@pytest.mark.parametrize(
    ("preset", "gamma", "end", "half_life", "kimg"),
    [
        ("cifar10", 0.05, 0.005, 5_000_000, 20_000),
        ("ffhq64", 2, 0.2, 500_000, 20_000),
        ("ffhq256", 150, 15, 500_000, 20_000),
        ("imagenet32", 0.5, 0.05, 50_000_000, 200_000),
        ("imagenet64", 1, 0.1, 50_000_000, 200_000),
    ],
)
def test_published_presets_have_the_published_schedules(preset, gamma, end, half_life, kimg):
    config = Config.from_mapping(dict(Config.presets[preset]))
    start, last, before = (at(k, config) for k in (0, kimg, kimg * 0.999))
    assert (start.r1_gamma, start.r2_gamma) == (gamma, gamma)
    assert (last.r1_gamma, last.r2_gamma) == pytest.approx((end, end))
    assert before.r1_gamma > last.r1_gamma
    assert config.ema is not None
    whole = 1000 * float(config.ema.removesuffix("kimg"))
    assert config.half_life_at(whole, clock(kimg)) == pytest.approx(half_life)
    assert config.half_life_at(whole, clock(kimg / 2)) == pytest.approx(half_life / 2)


@given(kimg=st.floats(0, 30_000))
def test_it_is_a_cosine(kimg: float):
    left = (1 + math.cos(math.pi * min(round(kimg * 1000) / 20e6, 1))) / 2
    found = at(kimg)
    assert found.lr == pytest.approx(5e-5 + 1.5e-4 * left)
    assert found.beta2 == pytest.approx(0.99 - 0.09 * left)
    assert found.r1_gamma == pytest.approx(0.2 + 1.8 * left)
    half_life = PUBLISHED.half_life_at(500_000, clock(kimg))
    assert half_life == pytest.approx(500_000 * (1 - left), rel=1e-5, abs=1e-3)


@given(start=st.floats(-9, 9), end=st.floats(-9, 9), done=st.floats(0, 1))
def test_it_stays_between_its_ends(start: float, end: float, done: float):
    low, high = sorted((start, end))
    assert low - 1e-12 <= annealed(start, end, done) <= high + 1e-12


def test_the_average_is_a_copy_at_first_and_never_divides_by_nothing():
    for images in (0, 1, 256):
        half_life = PUBLISHED.half_life_at(500_000, Clock(70_000, images=images))
        assert half_life > 0
        assert 0.5 ** (256 / half_life) < 1e-9


def changed(**changes: Any) -> Config:
    return Config.from_mapping({"duration": "100kimg"} | changes)


def test_a_schedule_is_as_long_as_the_training_unless_it_is_told_otherwise():
    assert at(100, changed()).beta2 == 0.99
    assert at(50, changed(anneal="50kimg")).beta2 == 0.99
    assert at(100, changed(anneal="200kimg")).beta2 == pytest.approx(0.945)
    assert changed(duration="2ep").annealed_at(Clock(50, images=50)).beta2 == pytest.approx(0.945)
    assert changed(duration="8it").annealed_at(Clock(50, iterations=8)).beta2 == 0.99
    assert changed(duration="2h").annealed_at(Clock(50, seconds=3600)).beta2 == pytest.approx(0.945)


def test_ends_may_be_chosen_and_the_discriminators_rate_keeps_its_ratio():
    config = changed(
        lr=0.001, lr_D=0.004, lr_end=0.0001, beta2=0.5, beta2_end=0.7, r1_gamma=3, r1_gamma_end=3,
        r2_gamma=5, r2_gamma_end=0,
    )  # fmt: skip
    assert at(100, config) == pytest.approx((0.0001, 0.0004, 0.7, 3, 0))
    assert at(50, config) == pytest.approx((0.00055, 0.0022, 0.6, 3, 2.5))


def test_without_a_penalty_there_is_none_later():
    assert at(70, changed(r1_gamma=0)).r1_gamma == 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"anneal": "5tick"}, "--anneal 5tick: is not counted in ticks"),
        ({"anneal": "soon"}, "--anneal soon: wants a number above 0 and a unit"),
        ({"lr_end": 0}, "--lr-end 0: must be above 0"),
        ({"beta2": 1}, "--beta2 1: must be from 0 to below 1"),
        ({"beta2_end": 1}, "--beta2-end 1: must be from 0 to below 1"),
        ({"r1_gamma_end": -1}, "--r1-gamma-end -1.0: must be at least 0"),
        ({"r2_gamma": 0, "r2_gamma_end": 1}, "--r2-gamma-end 1: there is none at the beginning"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(changes, told):
    with pytest.raises(InputError, match=f"^{told}"):
        changed(**changes)
