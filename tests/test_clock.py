"""Durations and the clock: epochs, iterations, kimg and time say the same thing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganvas.clock import UNITS, Clock, Duration
from ganvas.errors import InputError


@pytest.mark.parametrize("text", ["200ep", "50000it", "25000kimg", "90min", "2h", "0.5kimg", ".5h"])
def test_a_number_and_a_unit_are_a_duration(text):
    assert str(Duration.parse(text)) == text.replace(".5h", "0.5h")


@pytest.mark.parametrize("text", ["", "5", "ep", "5 parsecs", "-3ep", "0it", "1e3it", "nanh"])
def test_anything_else_is_refused_with_what_is_wanted(text):
    with pytest.raises(InputError, match="number above 0 and a unit"):
        Duration.parse(text)


def ticked(steps: int, batch: int, epoch_size: int) -> Clock:
    clock = Clock(epoch_size)
    for _ in range(steps):
        clock.tick(batch)
    return clock


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 13), st.integers(1, 20))
def test_an_interval_fires_once_for_each_multiple_whatever_the_batch_size(
    steps, batch, epoch_size, every
):
    """The reference fires only where its counter is an exact multiple, and so rarely or never."""
    span = Duration(every / 1000, "kimg")
    clock, fired = Clock(epoch_size), 0
    for _ in range(steps):
        before = clock.copy()
        clock.tick(batch)
        fired += span.passed_between(before, clock)
    assert (fired == clock.images // every) if batch <= every else (fired <= steps)


@given(st.integers(1, 50), st.integers(1, 50))
def test_so_many_epochs_are_so_many_epochs_of_pictures(epochs, epoch_size):
    clock, steps = Clock(epoch_size), 0
    while not Duration(epochs, "ep").reached(clock):
        clock.tick(1)
        steps += 1
    assert steps == epochs * epoch_size


def test_every_unit_reads_the_same_clock():
    clock = ticked(30, 4, 60)
    clock.seconds, clock.ticks = 1800.0, 7
    assert {unit: clock.read(unit) for unit in UNITS} == {
        "ep": 2.0,
        "it": 30.0,
        "kimg": 0.12,
        "min": 30.0,
        "h": 0.5,
        "tick": 7.0,
    }


def test_labels_sort_by_name_as_by_time():
    labels = [Clock(1, images=n).label for n in (0, 1, 999, 1000, 12_400, 400_000, 1_000_000)]
    assert labels == sorted(labels)
    assert labels[4] == "000012.400kimg"
