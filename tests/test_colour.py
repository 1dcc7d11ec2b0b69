"""sRGB and Lab: known values, and there and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganvas.colour import lab_to_rgb, rgb_to_lab

# CIE L*a*b* of sRGB's corners under D65, as published by Bruce Lindbloom.
KNOWN = {
    (1, 1, 1): (100, 0, 0),
    (0, 0, 0): (0, 0, 0),
    (1, 0, 0): (53.24, 80.09, 67.20),
    (0, 1, 0): (87.73, -86.18, 83.18),
    (0, 0, 1): (32.30, 79.19, -107.86),
    (0.5, 0.5, 0.5): (53.39, 0, 0),
}


@pytest.mark.parametrize("rgb", KNOWN)
def test_known_colours_have_their_published_lab(rgb):
    assert rgb_to_lab(np.array(rgb, float)) == pytest.approx(KNOWN[rgb], abs=0.03)


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_any_colour_comes_back(rgb):
    shares = np.array(rgb) / 255
    assert lab_to_rgb(rgb_to_lab(shares)) == pytest.approx(shares, abs=1e-6)


def test_all_of_srgb_lies_within_the_references_scaling():
    steps = np.linspace(0, 1, 18)
    lab = rgb_to_lab(np.stack(np.meshgrid(steps, steps, steps), -1))
    assert 0 <= lab[..., 0].min() <= lab[..., 0].max() <= 100.0001
    assert np.abs(lab[..., 1:]).max() < 110
