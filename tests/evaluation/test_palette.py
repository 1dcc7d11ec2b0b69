"""Label maps read back by their colours."""

import numpy as np
import pytest
from PIL import Image

from ganvas.evaluation.palette import classes_by_colour, pixel_accuracy

PALETTE = [(0, 0, 0), (255, 0, 0), (0, 0, 255)]


def test_a_pixel_belongs_to_the_nearest_colour():
    picture = Image.fromarray(np.array([[[200, 40, 30], [10, 20, 10], [60, 0, 190]]], np.uint8))
    assert classes_by_colour(picture, PALETTE).tolist() == [[1, 0, 2]]


def test_accuracy_is_the_part_of_all_pixels_that_are_right():
    truth = Image.new("RGB", (4, 4), (255, 0, 0))
    half = truth.copy()
    half.paste((0, 0, 250), (0, 0, 4, 2))
    assert pixel_accuracy([truth, half], [truth, truth], PALETTE) == pytest.approx(0.75)
