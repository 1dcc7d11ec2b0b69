"""Distances between pictures by sizes and by features, and the regularity of noise."""

import pytest
import torch
from torch import nn

from ganvas.losses.perceptual import (
    feature_distance,
    features,
    noise_regularity,
    pixel_distance,
    pyramid,
)


@pytest.mark.parametrize(
    ("size", "count"), [((4, 4), 1), ((32, 32), 4), ((24, 48), 3), ((7, 9), 1)]
)
def test_a_pyramid_goes_down_to_four_pixels(size, count):
    x = torch.randn(1, 2, *size)
    levels = list(pyramid(x))
    assert len(levels) == count
    assert levels[0] is x
    for level in levels:
        torch.testing.assert_close(level.mean(), x.mean())


def test_pixels_that_differ_by_a_constant_are_that_far_apart():
    x = torch.randn(1, 3, 16, 16)
    assert float(pixel_distance(list(pyramid(x)), list(pyramid(x + 0.25)))) == pytest.approx(0.25)


def test_fine_noise_is_nearer_than_a_shift_of_the_whole():
    x = torch.zeros(1, 1, 32, 32)
    checks = (torch.arange(32)[:, None] + torch.arange(32)) % 2 * 2.0 - 1
    flat = torch.ones(32, 32)
    near, far = (
        float(pixel_distance(list(pyramid(x)), list(pyramid(x + shift))))
        for shift in (checks, flat)
    )
    assert near == pytest.approx(far / 4)


def test_features_are_compared_by_direction_and_not_by_strength():
    a = torch.randn(1, 5, 3, 3)
    assert float(feature_distance([a], [7 * a])) == pytest.approx(0, abs=1e-6)
    assert float(feature_distance([a], [-a])) == pytest.approx(4, abs=1e-5)


def test_features_are_those_of_convolutions_with_more_than_one_place():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, 1, 1), nn.ReLU(), nn.Conv2d(4, 1, 8), nn.Flatten())
    x = torch.randn(1, 3, 8, 8)
    (found,) = features(network, network, x)
    assert torch.equal(found, network[0](x))
    assert not network[0]._forward_hooks


def test_noise_is_regular_where_neighbours_are_alike():
    torch.manual_seed(0)
    noise = torch.randn(1, 1, 64, 64)
    stripes = torch.ones(1, 1, 64, 64) * (torch.arange(64) % 2 * 2.0 - 1)
    assert float(noise_regularity([noise])) < 0.2
    # Down they are all alike; to the right each is the opposite; smaller sizes are all 0.
    assert float(noise_regularity([stripes])) == pytest.approx(2)


def test_smaller_sizes_of_noise_count_by_the_papers_formula():
    torch.manual_seed(1)
    n = torch.randn(1, 1, 16, 16) + 0.3
    half = nn.functional.avg_pool2d(n, 2) * 2
    expected = sum((m * m.roll(1, axis)).mean() ** 2 for m in (n, half) for axis in (2, 3))
    torch.testing.assert_close(noise_regularity([n, torch.randn(1, 1, 4, 4)]), expected)


def test_maps_that_are_too_small_cost_nothing():
    assert float(noise_regularity([torch.ones(1, 1, 4, 4)])) == 0
