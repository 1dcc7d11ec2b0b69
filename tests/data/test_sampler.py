"""Samples: number k follows from seed and k alone, and every picture gets its turn."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ganvas.config import Settings
from ganvas.data.layouts import Layout
from ganvas.data.sampler import EndlessBatches, unpaired_draws
from ganvas.data.sources import Entry
from ganvas.data.unpaired import Unpaired
from ganvas.errors import InputError

seeds = st.integers(-(2**40), 2**40)
numbers = st.integers(0, 10**9)
counts = st.tuples(st.integers(1, 40), st.integers(1, 40))


def indices(seed: int, ks: Iterable[int], sizes: tuple[int, int], serial: bool = False):
    """Which pictures samples take: (of A, of B)."""
    draws = [unpaired_draws(seed, k, sizes, serial=serial, flip=True) for k in ks]
    return [a.index for a, _ in draws], [b.index for _, b in draws]


@given(seeds, numbers, counts, st.booleans(), st.booleans())
def test_a_sample_is_a_function_of_seed_and_number(seed, k, sizes, serial, flip):
    first = unpaired_draws(seed, k, sizes, serial=serial, flip=flip)
    unpaired_draws(seed, k + 1, sizes, serial=serial, flip=flip)
    assert unpaired_draws(seed, k, sizes, serial=serial, flip=flip) == first


@given(seeds, numbers, counts)
def test_indices_and_places_of_crops_lie_inside(seed, k, sizes):
    for draw, size in zip(
        unpaired_draws(seed, k, sizes, serial=False, flip=True), sizes, strict=True
    ):
        assert 0 <= draw.index < size
        assert 0 <= draw.left < 1
        assert 0 <= draw.top < 1


@given(seeds, st.integers(0, 1000), counts)
def test_an_epoch_takes_every_picture_of_a(seed, epoch, sizes):
    length = max(sizes)
    taken, _ = indices(seed, range(epoch * length, (epoch + 1) * length), sizes)
    times = [taken.count(i) for i in range(sizes[0])]
    assert min(times) == length // sizes[0]  # once, where A is the larger domain
    assert max(times) == -(-length // sizes[0])


def test_epochs_differ_in_their_order_and_in_their_pairs():
    one, two = (indices(0, range(start, start + 30), (30, 30)) for start in (0, 30))
    assert one[0] != two[0]
    assert len(set(zip(*one, strict=True)) & set(zip(*two, strict=True))) < 10


def test_b_is_drawn_at_random_and_all_of_it_in_time():
    _, taken = indices(0, range(600), (30, 20))
    assert set(taken) == set(range(20))
    assert sorted(taken[:20]) != list(range(20))


def test_seeds_differ():
    assert indices(0, range(30), (30, 30)) != indices(1, range(30), (30, 30))


@given(seeds, counts)
def test_serial_batches_go_by_the_names(seed, sizes):
    ks = range(2 * max(sizes))
    places = [k % max(sizes) for k in ks]
    assert indices(seed, ks, sizes, serial=True) == tuple([p % n for p in places] for n in sizes)


def test_flips_come_half_of_the_time_or_never():
    draws = [unpaired_draws(0, k, (9, 9), serial=False, flip=True)[0] for k in range(400)]
    assert 150 < sum(draw.flip for draw in draws) < 250
    still = [unpaired_draws(0, k, (9, 9), serial=False, flip=False)[0] for k in range(400)]
    assert not any(draw.flip for draw in still)
    assert [(d.left, d.top) for d in draws[:1]] == [(d.left, d.top) for d in still[:1]]


@given(st.integers(1, 9), st.integers(0, 1000))
def test_batches_count_on_from_any_sample(batch_size, start):
    first = list(islice(EndlessBatches(lambda k: batch_size, start), 5))
    assert [k for batch in first for k in batch] == list(range(start, start + 5 * batch_size))
    assert {len(batch) for batch in first} == {batch_size}


# Of pictures whose colours are coordinates, a crop tells where it was taken.


@dataclass(frozen=True)
class Made:
    name: str
    content: bytes

    def read(self) -> bytes:
        return self.content


def made(name: str, width: int, height: int) -> Made:
    y, x = np.indices((height, width)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.stack([x, y, np.full_like(x, len(name))], 2)).save(file, "PNG")
    return Made(name, file.getvalue())


class InFours(Settings):
    stride = 4  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]


def data_of(sizes: Iterable[tuple[int, int]] = ((40, 30), (19, 50)), **settings) -> Unpaired:
    parts: dict[str, list[Entry]] = {
        f"train{domain}": [made(f"{domain}{i}", *size) for i, size in enumerate(sizes)]
        for domain in "AB"
    }
    settings = {"size": "16", "preprocess": "crop"} | settings
    return Unpaired(InFours.from_mapping(settings), Layout("unpaired", parts))


@given(st.integers(0, 10**6))
def test_crops_lie_inside_their_picture_and_flip_whole(k):
    for domain, crop in data_of()[k].items():
        assert crop.shape == (3, 16, 16), domain
        x, y = crop[0].int(), crop[1].int()
        step = x[0, 1] - x[0, 0]
        assert abs(int(step)) == 1
        assert torch.equal(x, x[0, 0] + step * torch.arange(16).expand(16, 16))
        assert torch.equal(y, y[0, 0] + torch.arange(16)[:, None].expand(16, 16))


def test_crops_reach_every_edge():
    data = data_of([(20, 20)])
    crops = [data[k]["A"] for k in range(300)]
    assert {int(c[0].min()) for c in crops} == set(range(5))
    assert {int(c[1].min()) for c in crops} == set(range(5))


def test_memory_and_files_give_the_same_samples():
    kept, read = data_of(cache="memory"), data_of(cache="none")
    assert kept.in_memory
    assert not read.in_memory
    for k in range(20):
        for domain in "AB":
            assert torch.equal(kept[k][domain], read[k][domain])


def test_batches_begin_anywhere_and_are_the_same_as_those_counted_through():
    data = data_of(batch_size=3)
    through = list(islice(data.batches(0), 4))
    for batch, later in zip(through[2:], data.batches(6), strict=False):
        assert all(torch.equal(batch[d], later[d]) for d in "AB")
    assert through[0]["A"].shape == (3, 3, 16, 16)


def test_max_pictures_takes_the_first():
    data = data_of(max_pictures=1)
    assert [part.seen[0].entry.name for part in data.parts.values()] == ["A0", "B0"]
    assert data.epoch_size == 1


def test_pictures_that_do_not_go_into_one_batch_are_refused_before_training():
    with pytest.raises(InputError, match=r"^--batch-size 2: .*take --batch-size 1, or a --pre"):
        data_of(preprocess="none", batch_size=2)
    assert data_of([(40, 30), (41, 31)], preprocess="none", batch_size=2).epoch_size == 2


def test_pictures_change_the_fingerprint_and_their_order_does_too():
    prints = [
        data_of(sizes).fingerprints["trainA"]
        for sizes in ([(20, 20), (21, 20)], [(21, 20), (20, 20)], [(20, 20), (21, 21)])
    ]
    assert all(one != other for one, other in pairwise(prints))
    assert prints[0] == data_of([(20, 20), (21, 20)]).fingerprints["trainA"]
