"""What a picture meets by chance does not depend on how many parts its batch is dealt out to."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ganvas import chance
from ganvas.networks.dropout import Dropout
from ganvas.networks.pool import ImagePool


def dealt_out(count: int, work: Callable[[int], Tensor], dim: int = 0, pictures: int = 2) -> Tensor:
    """What comes of it in each part, laid together; `work` is told the part's number."""
    found = []
    for index in range(count):
        torch.manual_seed(5)
        with chance.dealt(index, count, pictures):
            found.append(work(index))
    return torch.cat(found, dim)


@pytest.mark.parametrize("count", [2, 3])
def test_noise_is_dealt_out_with_the_pictures(count):
    for draw, plain in ((chance.randn, torch.randn), (chance.rand, torch.rand)):
        torch.manual_seed(5)
        whole = plain(2 * count, 3)
        assert torch.equal(dealt_out(count, lambda index, draw=draw: draw(2, 3)), whole)


def test_pictures_may_be_counted_along_another_axis():
    torch.manual_seed(5)
    whole = torch.randn(2, 6, 4)
    assert torch.equal(dealt_out(3, lambda index: chance.randn(2, 2, 4, dim=1), dim=1), whole)


def test_of_two_batches_laid_together_a_part_has_its_own_of_each():
    x, y = torch.arange(6), torch.arange(6) + 10
    with chance.dealt(1, 3, 2):
        assert chance.part_of(torch.cat([x, y])).tolist() == [2, 3, 12, 13]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_dropout_falls_as_it_would_on_the_whole_batch(layout):
    layer, x = Dropout(0.5), torch.rand(4, 3, 5, 5).contiguous(memory_format=layout)
    torch.manual_seed(5)
    whole = torch.nn.functional.dropout(x, 0.5)
    assert torch.equal(dealt_out(2, lambda index: layer(x[2 * index : 2 * index + 2])), whole)
    assert torch.equal(layer.eval()(x), x)


def test_outside_of_a_part_all_is_as_torch_draws_it():
    torch.manual_seed(5)
    theirs = torch.randn(2, 3), torch.rand(2), torch.nn.functional.dropout(torch.ones(9), 0.5)
    torch.manual_seed(5)
    ours = chance.randn(2, 3), chance.rand(2), Dropout(0.5)(torch.ones(9))
    assert all(map(torch.equal, theirs, ours))


def test_parts_draw_differently_from_their_own_histories_and_alike_from_all_else():
    pools, picks = [ImagePool(8), ImagePool(8)], []
    for index, pool in enumerate(pools):
        pool.images = torch.arange(4.0).view(4, 1, 1, 1)  # as many as each of two parts holds
        torch.manual_seed(5)
        with chance.dealt(index, 2, 6):
            picks.append(pool(-torch.ones(6, 1, 1, 1)).flatten().tolist())
            picks.append(chance.for_all((6,)) + torch.rand(2).tolist())
    assert len(pools[0].images) == 4
    assert picks[0] != picks[2]
    assert picks[1] == picks[3]
