"""Sides take turns in processes of their own."""

from pathlib import Path

import pytest
from sides import dies, fails, takes, writes

from benchmarks.turns import Measured, Side, alternate


def test_sides_take_turns_and_warm_up_is_not_counted(tmp_path: Path):
    log = tmp_path / "log"
    sides = [Side(name, writes, {"name": name, "log": log}) for name in "AB"]
    found = alternate(sides, rounds=3, warm_up=1)
    assert log.read_text() == "ABABABAB"
    assert [len(found[name].seconds) for name in "AB"] == [3, 3]


def test_the_memory_that_a_side_takes_is_its_own():
    large, small = 200 * 2**20, 2**20
    sides = [Side("large", takes, {"count": large}), Side("small", takes, {"count": small})]
    found = alternate(sides, rounds=1, warm_up=0)
    assert 0.95 * large < found["large"].peak < 1.3 * large
    assert found["small"].peak < 0.2 * large


@pytest.mark.parametrize(
    ("when", "told"), [("build", "no such thing"), ("turn", "it does not work")]
)
def test_a_sides_error_is_told_with_its_name(when: str, told: str):
    with pytest.raises(RuntimeError, match=f"(?s)^broken: .*{told}"):
        alternate([Side("broken", fails, {"when": when})], rounds=1)


def test_a_process_that_ends_is_told():
    with pytest.raises(RuntimeError, match="mortal: its process ended with exit code 3"):
        alternate([Side("mortal", dies, {})], rounds=1)


def test_the_median_and_the_spread():
    found = Measured((3.0, 1.0, 2.0), peak=0)
    assert (found.median, found.spread) == (2.0, (1.0, 3.0))
