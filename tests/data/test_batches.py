"""Batches are what the plain way makes of each picture: cut, repeated, mirrored, stacked."""

import io
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganvas.config import Settings
from ganvas.data import parts, training_set
from ganvas.data.opening import open_training_set
from ganvas.data.sampler import Draw
from ganvas.data.training_set import TrainingSet, one_ahead
from ganvas.errors import InputError

LENGTHS = ((50, 40), (41, 43), (36, 60), (64, 38))


def bytes_as(form: str, array: np.ndarray) -> bytes:
    file = io.BytesIO()
    if form == "npy":
        np.save(file, array)
    else:
        Image.fromarray(array if array.shape[2] > 1 else array[:, :, 0]).save(file, form)
    return file.getvalue()


@dataclass(frozen=True)
class Kind:
    channels: int
    dtype: str
    form: str

    def fill(self, folder: Path, sizes: Sequence[tuple[int, int]]) -> None:
        chance = np.random.default_rng(len(folder.name))
        folder.mkdir(parents=True)
        for i, (width, height) in enumerate(sizes):
            values = chance.integers(0, 256, (height, width, self.channels)).astype(self.dtype)
            name = f"{i}.{self.form.lower()}"
            (folder / name).write_bytes(bytes_as(self.form, values))


KINDS = {
    "grey": Kind(1, "uint8", "PNG"),
    "colour": Kind(3, "uint8", "PNG"),
    "jpeg": Kind(3, "uint8", "JPEG"),
    "bands": Kind(8, "uint8", "npy"),
    "deep": Kind(1, "uint16", "npy"),
    "floats": Kind(3, "float32", "npy"),
}


def plain(data: TrainingSet, kept: TrainingSet, domain: str, draw: Draw) -> Tensor:
    """One picture, step by step, from what is kept of it whole."""
    part = kept.parts[domain]
    pixels = part.seen[draw.index].pixels
    assert pixels is not None
    if data.preparation.crops:
        (width, height), (_, h, w) = data.preparation.size, pixels.shape
        top, left = int(draw.top * (h - height + 1)), int(draw.left * (w - width + 1))
        pixels = pixels[:, top : top + height, left : left + width]
    pixels = pixels.expand(part.channels, -1, -1)
    return pixels.flip(2) if draw.flip else pixels


@pytest.fixture
def folder_of(tmp_path: Path) -> Callable[..., Path]:
    def fill(kind: Kind, sizes: Sequence[tuple[int, int]] = LENGTHS) -> Path:
        for domain in "AB":
            kind.fill(tmp_path / f"train{domain}", sizes)
        return tmp_path

    return fill


def opened(method_data: str, folder: Path, **settings: Any) -> TrainingSet:
    given = {"size": 32, "load_size": 36, "batch_size": 3, "workers": 0, "data": folder}
    return open_training_set(method_data, Settings.from_mapping(given | settings))


@pytest.mark.parametrize("cache", ["memory", "none"])
@pytest.mark.parametrize("wanted", ["unpaired", "paired"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_batch_is_its_pictures_cut_mirrored_and_stacked(folder_of, kind, wanted, cache):
    folder = folder_of(kind)
    kept, data = (opened(wanted, folder, cache=c) for c in ("memory", cache))
    flips = set()
    for n, batch in enumerate(islice(data.batches(0), 3)):
        draws = [data.draws(k) for k in range(3 * n, 3 * n + 3)]
        for domain in "AB":
            one_by_one = torch.stack([plain(data, kept, domain, d[domain]) for d in draws])
            assert batch[domain].dtype == (torch.uint8 if kind.dtype == "uint8" else torch.float32)
            assert batch[domain].is_contiguous()
            assert batch[domain].equal(one_by_one)
        flips |= {d["A"].flip for d in draws}
    assert flips == {True, False}


def test_whole_pictures_of_many_sizes_come_one_by_one(folder_of):
    folder = folder_of(KINDS["colour"])
    settings = {"preprocess": "none", "batch_size": 1, "cache": "none"}
    data = opened("unpaired", folder, **settings)
    kept = opened("unpaired", folder, **settings | {"cache": "memory"})
    shapes = set()
    for k, batch in enumerate(islice(data.batches(0), 6)):
        wanted = plain(data, kept, "A", data.draws(k)["A"])
        assert batch["A"].equal(wanted[None])
        shapes.add(wanted.shape)
    assert len(shapes) == 4


def test_grey_pictures_among_colour_are_repeated(folder_of):
    folder = folder_of(KINDS["colour"], LENGTHS[:2])
    (folder / "trainA" / "grey.png").write_bytes(
        bytes_as("PNG", np.arange(40 * 40, dtype=np.uint8).reshape(40, 40, 1))
    )
    kept, read = (opened("unpaired", folder, cache=cache) for cache in ("memory", "none"))
    for one, other in zip(kept.batches(0), islice(read.batches(0), 4), strict=False):
        assert one["A"].shape == (3, 3, 32, 32)
        assert one["A"].equal(other["A"])


@pytest.mark.parametrize("kind", ["colour", "deep"])
def test_of_a_set_that_is_too_large_those_are_kept_that_fit(monkeypatch, folder_of, kind):
    folder = folder_of(KINDS[kind])
    taken = 36 * 36 * (3 if kind == "colour" else 4)
    whole = opened("unpaired", folder)
    assert (whole.in_memory, whole.kept) == (True, 8)
    monkeypatch.setattr(parts, "free_memory", lambda: 4 * 2.5 * taken)
    some = opened("unpaired", folder)
    assert (some.in_memory, some.kept) == (False, 4)
    for one, other in zip(whole.batches(0), islice(some.batches(0), 4), strict=False):
        assert all(one[d].equal(other[d]) for d in "AB")


def test_workers_give_the_batches_that_one_process_gives(folder_of):
    folder = folder_of(KINDS["jpeg"])
    alone, helped = (opened("unpaired", folder, cache="none", workers=n) for n in (0, 2))
    for one, other in zip(islice(alone.batches(6), 3), helped.batches(6), strict=False):
        assert all(one[d].equal(other[d]) for d in "AB")


def test_what_is_made_one_ahead_is_the_same_and_made_while_the_one_before_is_used():
    begun = [threading.Event() for _ in range(5)]

    def made() -> Iterator[int]:
        for n, event in enumerate(begun):
            event.set()
            yield n

    for k, n in enumerate(islice(one_ahead(made()), 4)):
        assert n == k
        assert begun[k + 1].wait(10)


def test_batches_for_a_gpu_are_those_for_a_cpu(folder_of, monkeypatch):
    monkeypatch.setattr(training_set, "pinning", lambda: dict)
    data = opened("unpaired", folder_of(KINDS["colour"]))
    for one, other in zip(data.batches(3), islice(data.batches(3, pinned=True), 5), strict=False):
        assert all(one[d].equal(other[d]) for d in "AB")


def test_what_ends_the_making_is_met_where_it_is_due_and_leaves_no_thread():
    def made() -> Iterator[int]:
        yield 0
        raise InputError("a.png: can no longer be read")

    threads = threading.active_count()
    coming = one_ahead(made())
    assert next(coming) == 0
    with pytest.raises(InputError, match=r"^a.png: can"):
        next(coming)
    assert threading.active_count() == threads


def test_who_stops_early_leaves_no_thread():
    threads = threading.active_count()
    coming = one_ahead(iter(range(9)))
    assert [next(coming), next(coming)] == [0, 1]
    coming.close()
    assert threading.active_count() == threads
