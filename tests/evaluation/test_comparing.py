"""Pictures compared as pictures: against scikit-image, pytorch-msssim, SciPy and closed forms."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_msssim import ms_ssim as their_ms_ssim
from scipy.stats import wasserstein_distance
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from ganvas.evaluation.pairs import l1, psnr
from ganvas.evaluation.path_length import (
    along_the_sphere,
    path_lengths,
    straight,
    without_outliers,
)
from ganvas.evaluation.sliced_wasserstein import (
    laplacian_pyramid,
    patch_distance,
    patches,
    sliced_wasserstein,
    wasserstein,
)
from ganvas.evaluation.ssim import likeness, ms_ssim, scales, ssim


def smooth(seed: int, count: int, channels: int, size: int) -> Tensor:
    """Pictures in [0, 1] that are no mere noise."""
    chance = torch.Generator().manual_seed(seed)
    small = torch.rand(count, channels, size // 8, size // 8, generator=chance, dtype=torch.float64)
    x = torch.nn.functional.interpolate(small, (size, size), mode="bilinear")
    return (x + 0.1 * torch.rand(x.shape, generator=chance, dtype=torch.float64)).clamp(0, 1)


def spoilt(x: Tensor, amount: float = 0.1) -> Tensor:
    chance = torch.Generator().manual_seed(9)
    return (x + amount * torch.randn(x.shape, generator=chance, dtype=x.dtype)).clamp(0, 1)


# Pairs


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_ssim_is_what_scikit_image_says(channels):
    x = smooth(0, 2, channels, 40)
    y = spoilt(x)
    for a, b, found in zip(x.numpy(), y.numpy(), ssim(x, y), strict=True):
        expected: Any = structural_similarity(
            a,
            b,
            channel_axis=0,
            data_range=1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert float(found) == pytest.approx(float(expected), rel=1e-10)


def test_psnr_is_what_scikit_image_says():
    x = smooth(0, 2, 3, 32)
    y = spoilt(x)
    for a, b, found in zip(x.numpy(), y.numpy(), psnr(x, y), strict=True):
        expected = peak_signal_noise_ratio(a, b, data_range=1)
        assert float(found) == pytest.approx(expected, rel=1e-10)


def test_equal_pictures_are_as_near_as_can_be():
    x = smooth(0, 2, 3, 32)
    assert l1(x, x).tolist() == [0, 0]
    assert psnr(x, x).tolist() == [100, 100]
    assert ssim(x, x) == pytest.approx(1)
    assert ms_ssim(x, x) == pytest.approx(1)


def test_ms_ssim_is_what_pytorch_msssim_says():
    x = smooth(0, 2, 3, 192)
    y = spoilt(x)
    expected = their_ms_ssim(x, y, data_range=1, size_average=False)
    assert ms_ssim(x, y) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("side", "count"), [(7, 1), (21, 1), (22, 2), (64, 3), (176, 5), (999, 5)])
def test_small_pictures_have_fewer_scales(side, count):
    assert scales((side, side + 3)) == count
    x = torch.rand(1, 1, side, side + 3, generator=torch.Generator().manual_seed(0))
    assert 0 <= float(ms_ssim(x, 1 - x)) < 0.5


def test_copies_are_more_alike_than_different_pictures():
    x = smooth(0, 12, 1, 32)
    copies = x[:1].repeat(12, 1, 1, 1)
    assert float(likeness(copies).mean()) == pytest.approx(1)
    assert float(likeness(x).mean()) < 0.9


def test_likeness_is_within_classes_where_there_are_such():
    x = torch.cat([torch.zeros(4, 1, 16, 16), torch.ones(4, 1, 16, 16)])
    labels = torch.tensor([0] * 4 + [1] * 4)
    assert float(likeness(x, labels).min()) == pytest.approx(1)
    assert float(likeness(x).min()) < 0.1


# Sliced Wasserstein


@pytest.mark.parametrize("counts", [(40, 40), (40, 60), (7, 11)])
def test_wasserstein_on_the_line_is_what_scipy_says(counts):
    chance = torch.Generator().manual_seed(0)
    x, y = (torch.randn(3, n, generator=chance, dtype=torch.float64) for n in counts)
    expected = [wasserstein_distance(a, b) for a, b in zip(x, y, strict=True)]
    assert wasserstein(x, y).numpy() == pytest.approx(np.array(expected), rel=1e-12)


def test_a_set_that_was_moved_is_as_far_as_directions_see_the_way():
    # In two dimensions |w.v| is on average 2/pi of |v|.
    x = torch.rand(50, 2, generator=torch.Generator().manual_seed(0))
    moved = x + torch.tensor([3.0, 4.0])
    assert sliced_wasserstein(x, moved, 20_000) == pytest.approx(5 * 2 / math.pi, rel=0.01)
    assert sliced_wasserstein(x, x) == 0


def test_a_pyramid_adds_up_to_its_picture():
    x = smooth(0, 1, 3, 64).float()
    levels = laplacian_pyramid(x)
    assert [level.shape[2] for level in levels] == [64, 32, 16]
    flat = torch.full((1, 3, 64, 64), 0.7)
    fine = laplacian_pyramid(flat)[:-1]
    assert all(level.abs().max() < 1e-6 for level in fine)


@pytest.mark.parametrize("size", [(16, 16), (28, 28), (33, 47), (64, 20)])
def test_patches_are_cut_from_pictures_of_any_size(size):
    x = torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(0))
    for level in patches(x, 5, torch.Generator().manual_seed(0)):
        assert level.shape == (10, 1, 7, 7)


def test_stripes_of_a_pixel_are_seen_in_the_finest_level():
    x = smooth(0, 40, 3, 64).float()
    y = smooth(1, 40, 3, 64).float()
    striped = y + 0.3 * (torch.arange(64) % 2 - 0.5)

    def apart(z: Tensor) -> list[float]:
        cut = [patches(p, 8, torch.Generator().manual_seed(0)) for p in (x, z)]
        return [patch_distance(a, b, 64) for a, b in zip(*cut, strict=True)]

    plain, worse = apart(y), apart(striped)
    assert worse[0] > 2 * plain[0]
    assert worse[-1] < 2 * plain[-1]


# Path length


def squared_distance(x: Tensor, y: Tensor) -> Tensor:
    return (x - y).square().flatten(1).sum(1)


def test_the_path_length_of_a_linear_generator_on_straight_ways_is_the_squared_way():
    chance = torch.Generator().manual_seed(0)
    A = torch.randn(6, 12, generator=chance, dtype=torch.float64)
    a, b = torch.randn(2, 30, 6, generator=chance, dtype=torch.float64)
    t = torch.rand(30, generator=chance, dtype=torch.float64)
    found = path_lengths(lambda z: z @ A, squared_distance, a, b, straight, t)
    assert found.numpy() == pytest.approx(((b - a) @ A).square().sum(1).numpy(), rel=1e-6)


def test_the_path_length_of_the_identity_on_a_sphere_is_the_squared_angle():
    chance = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 30, 8, generator=chance, dtype=torch.float64)
    a, b = (z / z.norm(dim=1, keepdim=True) for z in (a, b))
    angle = (a * b).sum(1).acos()
    found = path_lengths(
        lambda z: z, squared_distance, a, b, along_the_sphere, torch.zeros(30).double()
    )
    assert found.numpy() == pytest.approx((angle**2).numpy(), rel=1e-6)


def test_a_way_on_the_sphere_begins_and_ends_where_it_should():
    chance = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 5, 8, generator=chance, dtype=torch.float64)
    assert torch.allclose(along_the_sphere(a, b, torch.zeros(5).double()), a)
    assert torch.allclose(along_the_sphere(a, b, torch.ones(5).double()), b)


def test_the_shortest_and_the_longest_hundredth_are_left_out():
    lengths = torch.cat([torch.arange(1000.0), torch.tensor([1e9])]).double()
    kept = without_outliers(lengths)
    assert (kept.min(), kept.max()) == (10, 990)
