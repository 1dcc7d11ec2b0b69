"""Learning-rate policies: each does what its name says."""

import pytest
import torch

from ganvas.clock import Clock, Duration
from ganvas.config import Settings
from ganvas.schedules import Schedule


def rates(steps: int, epoch_size: int = 1, loss: float = 1.0, **settings) -> list[float]:
    """The factor before each of so many steps of one picture."""
    schedule, clock, factors = Settings(**settings).schedule, Clock(epoch_size), []
    for _ in range(steps):
        factors.append(schedule.factor(clock))
        before = clock.copy()
        clock.tick(1)
        schedule.saw({"G": torch.tensor(loss), "D": torch.tensor(9.0)}, before, clock)
    return factors


def test_two_and_two_epochs_run_at_the_references_rates():
    """Measured there: 2e-4, 2e-4, 1.33e-4, 0.667e-4 (cyclegan reference, section 1.3)."""
    found = [2e-4 * f for f in rates(4, duration="4ep", decay="2ep")]
    assert found == pytest.approx([2e-4, 2e-4, 2e-4 * 2 / 3, 2e-4 / 3])


def test_within_an_epoch_the_rate_stands_still():
    assert rates(8, epoch_size=2, duration="4ep", decay="2ep")[4:] == pytest.approx(
        [2 / 3, 2 / 3, 1 / 3, 1 / 3]
    )


def test_the_default_is_the_papers_hundred_and_hundred_epochs():
    factors = rates(200)
    assert factors[:100] == [1.0] * 100
    assert factors[100] == pytest.approx(100 / 101)
    assert factors[-1] == pytest.approx(1 / 101)


def test_by_kimg_and_by_time_it_falls_smoothly_to_zero():
    schedule = Settings(duration="10min", decay="5min").schedule
    at = [schedule.factor(Clock(1, seconds=60 * minute)) for minute in (0, 5, 7.5, 10)]
    assert at == pytest.approx([1, 1, 0.5, 0])


def test_cosine_never_climbs():
    factors = rates(30, duration="30ep", lr_policy="cosine")
    assert factors[0] == 1.0
    assert factors == sorted(factors, reverse=True)
    assert factors[15] == pytest.approx(0.5)
    assert factors[-1] < 0.01


def test_step_is_a_tenth_at_each_period():
    factors = rates(6, duration="6ep", decay_every="2ep", lr_policy="step")
    assert factors == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_plateau_waits_while_the_loss_falls():
    schedule = Schedule("plateau", Duration(20, "ep"), Duration(1, "ep"), Duration(1, "ep"))
    clock = Clock(1)
    for epoch in range(20):
        before = clock.copy()
        clock.tick(1)
        schedule.saw({"G": torch.tensor(0.9**epoch)}, before, clock)
    assert schedule.factor(clock) == 1.0


def test_plateau_is_a_fifth_after_more_than_five_epochs_without_progress():
    factors = rates(14, duration="14ep", lr_policy="plateau")
    assert factors[6] == 1.0
    assert factors[7] == pytest.approx(0.2)
    assert factors[13] == pytest.approx(0.04)


def test_constant_is_constant():
    assert set(rates(9, duration="9ep", lr_policy="constant")) == {1.0}
