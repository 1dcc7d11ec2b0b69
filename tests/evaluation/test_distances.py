"""Distances of sets of features: against closed forms, brute force, and torch-fidelity."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from ganvas.evaluation.frechet import frechet_distance
from ganvas.evaluation.inception_score import inception_score
from ganvas.evaluation.kernel import kernel_distance
from ganvas.evaluation.prdc import density_coverage, precision_recall


def features(seed: int, count: int, width: int, shift: float = 0.0) -> Tensor:
    """Correlated, of another covariance for each seed."""
    chance = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=chance, dtype=torch.float64) / width**0.5
    x = torch.randn(count, width, generator=chance, dtype=torch.float64)
    return x @ mixing + shift


def with_moments(mean: Tensor, covariance: Tensor, count: int = 200) -> Tensor:
    """Features whose mean and unbiased covariance are exactly these."""
    x = torch.randn(count, len(mean), dtype=torch.float64, generator=torch.Generator())
    x = x - x.mean(0)
    inverse = torch.linalg.inv(torch.linalg.cholesky(x.T @ x / (count - 1)))
    return x @ inverse.T @ torch.linalg.cholesky(covariance).T + mean


# Frechet


@given(
    st.lists(st.floats(0.1, 5), min_size=2, max_size=6),
    st.floats(0.1, 5),
    st.floats(-3, 3),
)
def test_frechet_is_that_of_gaussians_whose_covariances_commute(variances, other, shift):
    a = torch.tensor(variances, dtype=torch.float64)
    b = torch.full_like(a, other)
    zero = torch.zeros_like(a)
    x, y = with_moments(zero, a.diag()), with_moments(zero + shift, b.diag())
    expected = len(a) * shift**2 + float((a.sqrt() - b.sqrt()).square().sum())
    assert frechet_distance(x, y) == pytest.approx(expected, abs=1e-9)


def test_frechet_is_that_of_gaussians_whose_covariances_do_not_commute():
    # For 2x2, tr sqrt(M) = sqrt(tr M + 2 sqrt(det M)).
    a = torch.tensor([[2.0, 1.0], [1.0, 3.0]], dtype=torch.float64)
    b = torch.tensor([[5.0, -2.0], [-2.0, 1.0]], dtype=torch.float64)
    product = a @ b
    root = math.sqrt(float(product.trace()) + 2 * math.sqrt(float(torch.linalg.det(product))))
    zero = torch.zeros(2, dtype=torch.float64)
    expected = float(a.trace() + b.trace()) - 2 * root
    found = frechet_distance(with_moments(zero, a), with_moments(zero, b))
    assert found == pytest.approx(expected, rel=1e-10)


def test_frechet_is_what_torch_fidelity_says():
    x, y = features(0, 300, 40), features(1, 250, 40, 0.3)
    a, b = (fid_features_to_statistics(z) for z in (x, y))
    expected = fid_statistics_to_metric(a, b, False)["frechet_inception_distance"]
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-10)


def test_frechet_is_the_same_by_either_form():
    # A column of zeros more turns as many pictures as features into fewer.
    x, y = features(0, 60, 60), features(1, 60, 60, 0.3)
    wide = [torch.cat([z, torch.zeros(60, 1, dtype=torch.float64)], 1) for z in (x, y)]
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(*wide), rel=1e-6)


@pytest.mark.parametrize("count", [20, 200])
def test_frechet_of_a_set_to_itself_is_zero(count):
    x = features(0, count, 50)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)


# Kernel


def test_kernel_distance_is_what_torch_fidelity_says_of_one_subset_of_all():
    x, y = features(0, 120, 30), features(1, 120, 30, 0.2)
    told = kid_features_to_metric(x, y, kid_subsets=1, kid_subset_size=120, verbose=False)
    found, _ = kernel_distance(x, y)
    assert found == pytest.approx(told["kernel_inception_distance_mean"], rel=1e-12)


def test_kernel_distance_takes_sets_of_different_sizes():
    x, y = features(0, 33, 8), features(1, 57, 8, 0.2)

    def k(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / 8 + 1) ** 3

    xx, yy = (float(k(z, z).sum() - k(z, z).trace()) / (len(z) * (len(z) - 1)) for z in (x, y))
    assert kernel_distance(x, y)[0] == pytest.approx(xx + yy - 2 * float(k(x, y).mean()), rel=1e-9)


@pytest.mark.parametrize("shift", [0.1, 0.5])
def test_the_error_of_a_kernel_distance_is_how_far_draws_lie_apart(shift):
    draws = []
    for seed in range(40):
        chance = torch.Generator().manual_seed(seed)
        x = torch.randn(100, 8, generator=chance)
        draws.append(kernel_distance(x, torch.randn(100, 8, generator=chance) + shift))
    values, errors = np.array(draws).T
    assert 0.7 < np.sqrt((errors**2).mean()) / values.std() < 1.8


def test_a_kernel_distance_of_like_sets_is_zero_within_its_error():
    chance = torch.Generator().manual_seed(3)
    value, error = kernel_distance(*torch.randn(2, 400, 16, generator=chance))
    assert abs(value) < 3 * error


# Precision and recall, density and coverage


def test_precision_and_recall_are_what_torch_fidelity_says():
    real, fake = features(0, 150, 6).float(), features(0, 150, 6, 0.8).float()
    told = prc_features_to_metric(fake, real, verbose=False)
    precision, recall = precision_recall(real, fake)
    assert precision == pytest.approx(told["precision"], rel=1e-6)
    assert recall == pytest.approx(told["recall"], rel=1e-6)
    assert 0 < precision < 1


def test_density_and_coverage_are_what_counting_says():
    real, fake = features(0, 40, 3), features(1, 50, 3, 0.3)
    apart = [[float((r - f).norm()) for f in fake] for r in real]
    reach = [sorted(float((r - s).norm()) for s in real)[5] for r in real]
    hits = sum(apart[i][j] <= reach[i] for i in range(40) for j in range(50))
    covered = sum(min(apart[i]) <= reach[i] for i in range(40))
    density, coverage = density_coverage(real, fake)
    assert density == pytest.approx(hits / (5 * 50))
    assert coverage == pytest.approx(covered / 40)


def test_what_is_generated_once_and_again_is_precise_and_recalls_nothing():
    real = features(0, 100, 4)
    fake = real[:1] + 1e-3 * torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
    assert precision_recall(real, fake)[0] == 1
    assert precision_recall(real, fake)[1] < 0.05
    assert density_coverage(real, fake)[1] < 0.1


def test_neighbourhoods_want_more_pictures_than_neighbours():
    with pytest.raises(ValueError, match="more than 3"):
        precision_recall(torch.randn(3, 2), torch.randn(3, 2))


# Inception score


def test_the_inception_score_is_what_torch_fidelity_says():
    logits = 3 * torch.randn(230, 10, generator=torch.Generator().manual_seed(0))
    told = isc_features_to_metric(logits)
    value, error = inception_score(logits)
    assert value == pytest.approx(told["inception_score_mean"], rel=1e-12)
    # They give the deviation of ten parts, by n; an error is that by n - 1 and the root of n.
    assert error == pytest.approx(told["inception_score_std"] / 3, rel=1e-9)


def test_the_inception_score_of_sure_answers_is_the_number_of_classes():
    logits = 1e3 * torch.eye(5).repeat(40, 1)
    assert inception_score(logits, splits=1)[0] == pytest.approx(5)
    assert inception_score(torch.zeros(50, 5))[0] == pytest.approx(1)
