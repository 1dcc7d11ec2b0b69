"""What participants are shown."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganvas.errors import InputError
from ganvas.evaluation.study.protocol import Protocol, allowed_misses, plan, seen_twice

PROTOCOLS = st.builds(
    Protocol,
    trials=st.integers(1, 50),
    practice=st.integers(0, 12),
    catch=st.integers(0, 8),
    seed=st.integers(0, 2**32 - 1),
)


def test_the_papers_protocol_is_the_default():
    protocol = Protocol()
    assert (protocol.practice, protocol.trials, protocol.seconds) == (10, 40, 1.0)
    kinds = Counter(trial.kind for trial in plan(protocol, 0, 100, 100, same=False))
    assert kinds == {"practice": 10, "scored": 40, "catch": 4}


@given(PROTOCOLS, st.integers(0, 500), st.integers(1, 80), st.booleans())
def test_the_real_picture_comes_first_half_of_the_time_in_every_kind(
    protocol: Protocol, participant: int, count: int, same: bool
):
    trials = plan(protocol, participant, count, count, same)
    for kind in ("practice", "scored", "catch"):
        firsts = [trial.real_first for trial in trials if trial.kind == kind]
        assert abs(2 * sum(firsts) - len(firsts)) <= len(firsts) % 2


@given(PROTOCOLS, st.integers(0, 500), st.integers(1, 80), st.integers(1, 80))
def test_no_picture_is_shown_oftener_than_it_has_to_be(
    protocol: Protocol, participant: int, reals: int, fakes: int
):
    trials = plan(protocol, participant, reals, fakes, same=False)
    real = Counter(trial.real for trial in trials)
    fake = Counter(trial.fake for trial in trials if trial.kind != "catch")
    assert max(real.values()) == -(-protocol.length // reals)
    assert max(fake.values()) == -(-(protocol.practice + protocol.trials) // fakes)
    assert set(real) <= set(range(reals))
    assert set(fake) <= set(range(fakes))


@given(PROTOCOLS, st.integers(0, 500), st.integers(1, 80))
def test_pairs_stay_together(protocol: Protocol, participant: int, count: int):
    trials = plan(protocol, participant, count, count, same=True)
    assert all(trial.real == trial.fake for trial in trials)


def test_a_plan_follows_from_seed_and_participant_alone():
    protocol = Protocol(seed=3)
    first = plan(protocol, 5, 60, 70, same=False)
    assert plan(protocol, 5, 60, 70, same=False) == first
    assert plan(protocol, 6, 60, 70, same=False) != first
    assert plan(Protocol(seed=4), 5, 60, 70, same=False) != first


def test_practice_comes_first_and_catch_trials_anywhere_after_it():
    places = Counter()
    for participant in range(200):
        kinds = [trial.kind for trial in plan(Protocol(), participant, 60, 60, same=False)]
        assert kinds[:10] == ["practice"] * 10
        places.update(i for i, kind in enumerate(kinds) if kind == "catch")
    assert set(places) == set(range(10, 54))


def test_whether_the_real_picture_comes_first_does_not_follow_from_the_trial_before():
    pairs = Counter()
    for participant in range(300):
        order = [trial.real_first for trial in plan(Protocol(), participant, 60, 60, same=False)]
        pairs.update(pairwise(order[10:]))
    total = sum(pairs.values())
    # Exact halves make a change a little likelier than no change, by 1 in 40.
    assert all(abs(count / total - 0.25) < 0.015 for count in pairs.values())


def test_too_few_pictures_are_counted():
    assert seen_twice(Protocol(), 54, 50, same=False) == 0
    assert seen_twice(Protocol(), 53, 50, same=False) == 1
    assert seen_twice(Protocol(), 54, 25, same=False) == 25


def test_a_share_of_the_catch_trials_may_be_missed():
    assert [allowed_misses(4, share) for share in (0, 0.24, 0.25, 0.5, 1)] == [0, 0, 1, 2, 4]
    assert allowed_misses(10, 0.3) == 3
    assert allowed_misses(0, 0.25) == 0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"trials": 0}, "--trials 0"),
        ({"practice": -1}, "--practice -1"),
        ({"catch": 1001}, "--catch 1001"),
        ({"seconds": 0.0}, "--seconds 0"),
        ({"seconds": float("nan")}, "--seconds nan"),
        ({"seed": -1}, "--seed -1"),
    ],
)
def test_a_protocol_that_cannot_be_is_refused(changes: dict, named: str):
    with pytest.raises(InputError, match=named):
        Protocol(**changes)
