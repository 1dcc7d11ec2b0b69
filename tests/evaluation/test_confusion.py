"""The three scores of segmentation, by their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganvas.evaluation.confusion import Confusion, confusion_of
from ganvas.evaluation.palette import VOID

TRUTH = np.array([[0, 0, 0, 0], [1, 1, 2, VOID]], np.uint8)
TAKEN = np.array([[0, 0, 1, 2], [1, 0, 2, 1]], np.uint8)


def test_the_scores_are_those_computed_by_hand():
    """Class 0: 2 of 4 right, union 5; class 1: 1 of 2, union 3; class 2: 1 of 1, union 2."""
    found = confusion_of([(TRUTH, TAKEN)], 3)
    assert found.pixel_accuracy == pytest.approx(4 / 7)
    assert found.class_accuracy == pytest.approx((2 / 4 + 1 / 2 + 1) / 3)
    assert found.class_iou == pytest.approx((2 / 5 + 1 / 3 + 1 / 2) / 3)


def test_pixels_without_a_true_class_count_nowhere():
    other = TAKEN.copy()
    other[TRUTH == VOID] = 0
    assert confusion_of([(TRUTH, TAKEN)], 3).means() == confusion_of([(TRUTH, other)], 3).means()


def test_what_is_taken_for_void_is_wrong():
    given_up = np.full_like(TRUTH, VOID)
    assert confusion_of([(TRUTH, given_up)], 3).means() == {
        "pixel_accuracy": 0,
        "class_accuracy": 0,
        "class_iou": 0,
    }


def test_a_class_that_the_truth_lacks_is_left_out_of_the_means():
    right = confusion_of([(TRUTH, TRUTH)], 5)
    assert right.means() == {"pixel_accuracy": 1, "class_accuracy": 1, "class_iou": 1}
    named = right.per_class("abcde")
    assert named["d"] == {"accuracy": None, "iou": None, "pixels": 0}
    assert named["a"] == {"accuracy": 1, "iou": 1, "pixels": 4}


def test_to_see_an_absent_class_costs_the_class_that_is_there():
    taken = TRUTH.copy()
    taken[0, 0] = 4
    found = confusion_of([(TRUTH, taken)], 5)
    assert found.class_iou == pytest.approx((3 / 4 + 1 + 1) / 3)


def test_without_pixels_there_is_no_score():
    empty = confusion_of([(np.full((2, 2), VOID, np.uint8), np.zeros((2, 2), np.uint8))], 3)
    assert np.isnan(list(empty.means().values())).all()


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ValueError, match="differ in size"):
        Confusion.empty(3).add(TRUTH, TAKEN[:, :3])
    for truth, taken in ((TRUTH, TAKEN + np.uint8(3)), (TRUTH % VOID + 3, TAKEN)):
        with pytest.raises(ValueError, match="there are 3 classes"):
            Confusion.empty(3).add(truth, taken)


@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_the_scores_are_shares_and_do_not_depend_on_the_order(seed: int, classes: int):
    rng = np.random.default_rng(seed)
    shape = (3, 4, 5)
    truths = rng.integers(0, classes, shape, dtype=np.uint8)
    taken = rng.integers(0, classes, shape, dtype=np.uint8)
    pairs = list(zip(truths, taken, strict=True))
    found = confusion_of(pairs, classes).means()
    assert found == confusion_of(pairs[::-1], classes).means()
    assert all(0 <= value <= 1 for value in found.values())
    assert found["class_iou"] <= found["class_accuracy"] + 1e-12
    assert found["pixel_accuracy"] == pytest.approx((truths == taken).mean())
