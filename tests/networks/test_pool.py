"""The history of generated pictures."""

import torch

from ganvas.networks.pool import ImagePool


def picture(value: float) -> torch.Tensor:
    return torch.full((1, 3, 2, 2), value)


def test_without_a_size_everything_passes_through():
    new = picture(0.5)
    assert ImagePool(0)(new) is new


def test_until_it_is_full_it_returns_what_it_is_given_and_keeps_it():
    pool = ImagePool(3)
    for value in (1.0, 2.0, 3.0):
        assert torch.equal(pool(picture(value)), picture(value))
    assert pool.images[:, 0, 0, 0].tolist() == [1, 2, 3]


def test_when_full_half_of_what_it_returns_is_old_and_replaced():
    torch.manual_seed(0)
    pool = ImagePool(10)
    pool(torch.zeros(10, 3, 2, 2))
    returned = torch.cat([pool(picture(float(k))) for k in range(1, 401)])[:, 0, 0, 0]
    fresh = (returned == torch.arange(1, 401)).float().mean()
    assert 0.42 < fresh < 0.58
    assert len(pool.images) == 10
    # What was returned from the history is gone from it: nothing comes back twice.
    old = returned[returned != torch.arange(1, 401)]
    assert len(old[old > 0].unique()) == len(old[old > 0])


def test_what_it_holds_is_state_but_no_weight():
    pool = ImagePool(2)
    pool(picture(1.0))
    assert not pool.state_dict()
    assert dict(pool.named_buffers())["images"].shape == (1, 3, 2, 2)
