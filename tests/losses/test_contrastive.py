"""PatchNCE against sums written out one by one."""

import math

import pytest
import torch

from ganvas.losses.contrastive import patch_nce


def unit(*shape: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape, dtype=torch.float64), dim=-1)


def test_it_is_the_papers_sum_over_the_places_of_each_picture():
    torch.manual_seed(0)
    q, k = unit(2, 5, 3), unit(2, 5, 3)
    terms = []
    for n in range(2):
        for s in range(5):
            alike = [math.exp(float(q[n, s] @ k[n, other]) / 0.07) for other in range(5)]
            terms.append(-math.log(alike[s] / sum(alike)))
    assert float(patch_nce(q, k)) == pytest.approx(sum(terms) / 10)


def test_it_is_what_the_published_code_computes():
    """Which has the positive beside all, and -10 in its place among the negatives."""
    torch.manual_seed(0)
    q, k = unit(2, 6, 4), unit(2, 6, 4)
    own = (q * k).sum(-1, keepdim=True)
    others = (q @ k.transpose(1, 2)).masked_fill(torch.eye(6, dtype=torch.bool), -10.0)
    logits = torch.cat([own, others], 2) / 0.3
    wanted = -logits.log_softmax(2)[:, :, 0].mean()
    torch.testing.assert_close(patch_nce(q, k, 0.3), wanted)


def test_pictures_of_a_batch_are_no_negatives_of_each_other():
    torch.manual_seed(0)
    q, k = unit(2, 5, 3), unit(2, 5, 3)
    alone = torch.stack([patch_nce(q[n : n + 1], k[n : n + 1]) for n in range(2)]).mean()
    torch.testing.assert_close(patch_nce(q, k), alone)


def test_features_that_all_agree_cost_the_logarithm_of_their_number():
    alike = unit(1, 1, 4).expand(1, 7, 4)
    assert float(patch_nce(alike, alike)) == pytest.approx(math.log(7))


def test_it_is_float32_under_autocast():
    torch.manual_seed(0)
    q, k = unit(2, 5, 3).float(), unit(2, 5, 3).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = patch_nce(q, k)
    assert found.equal(patch_nce(q, k))
