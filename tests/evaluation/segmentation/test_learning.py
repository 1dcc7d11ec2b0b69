"""The segmentation network learns from real pairs, always the same, once."""

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from farms import FARM, QUICK, SIDE, farm, pairs_of_farms, write_farms
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ganvas.errors import InputError
from ganvas.evaluation.palette import VOID
from ganvas.evaluation.segmentation.learning import (
    SegmentationSettings,
    batches,
    class_weights,
    network_for,
    weighted_loss,
)
from ganvas.evaluation.segmentation.network import SegmentationNetwork, shrink_for
from ganvas.evaluation.segmentation.scores import SegmentationScorer


def test_it_sees_the_classes_of_photos_that_it_has_not_learnt_from(farms: Path):
    pairs = pairs_of_farms(farms)
    bounds = SegmentationScorer(pairs, network_for(pairs, QUICK)).bounds_of("BtoA")
    assert bounds["upper_bound"]["pixel_accuracy"] > 0.9
    assert bounds["chance"]["pixel_accuracy"] < bounds["upper_bound"]["pixel_accuracy"] - 0.2


def test_the_same_pairs_and_settings_give_the_same_network(farms: Path, tmp_path: Path):
    pairs, brief = pairs_of_farms(farms), replace(QUICK, duration="3it")
    hashes = [network_for(pairs, brief, cache=tmp_path / name).hash for name in "ab"]
    assert hashes[0] == hashes[1]
    other = network_for(pairs, replace(brief, seed=1), cache=tmp_path / "a")
    assert other.hash != hashes[0]


def test_its_training_disturbs_no_other_chance(farms: Path):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with torch.no_grad():
        network_for(pairs_of_farms(farms), replace(QUICK, duration="2it"))
    assert torch.equal(torch.get_rng_state(), before)


def test_it_is_trained_once_and_kept(farms: Path, own_cache: Path):
    pairs, brief = pairs_of_farms(farms), replace(QUICK, duration="2it")
    seen: list[float] = []
    first = network_for(pairs, brief, on_progress=seen.append)
    assert seen == [0.5, 1.0]
    again = network_for(pairs, brief, on_progress=seen.append)
    assert seen == [0.5, 1.0]
    assert again.hash == first.hash
    x = torch.rand(1, 3, SIDE, SIDE)
    assert torch.equal(first.network(x), again.network(x))
    (folder,) = own_cache.iterdir()
    described = json.loads((folder / "model.json").read_text())
    assert described["hash"] == first.hash
    assert (described["pairs"], described["iterations"]) == (24, 2)


def test_what_is_kept_and_damaged_is_trained_anew(farms: Path, own_cache: Path):
    pairs, brief = pairs_of_farms(farms), replace(QUICK, duration="2it")
    first = network_for(pairs, brief)
    (folder,) = own_cache.iterdir()
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    seen: list[float] = []
    assert network_for(pairs, brief, on_progress=seen.append).hash == first.hash
    assert seen


def test_other_pictures_make_another_network(farms: Path, tmp_path: Path, own_cache: Path):
    brief = replace(QUICK, duration="1it")
    network_for(pairs_of_farms(farms), brief)
    network_for(pairs_of_farms(write_farms(tmp_path / "fewer", train=20)), brief)
    network_for(pairs_of_farms(farms, size=16, load_size=16, n_downs=5, generator="resnet"), brief)
    assert len(list(own_cache.iterdir())) == 3


def test_a_cache_that_cannot_be_written_to_is_done_without(farms: Path, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    brief = replace(QUICK, duration="1it")
    assert network_for(pairs_of_farms(farms), brief, cache=tmp_path / "file").hash


def test_it_learns_from_so_many_pairs_at_most(farms: Path):
    trained = network_for(pairs_of_farms(farms), replace(QUICK, duration="1ep", max_pairs=8))
    assert trained.described["pairs"] == 8
    assert trained.described["iterations"] == 2
    assert "trained on 8 pairs in 2 steps" in trained.told
    assert trained.hash[:12] in trained.told


def test_without_training_pairs_there_is_no_network(tmp_path: Path):
    """Pictures of one name are pairs, and here only the held-out ones have one name."""
    for part, name in (("trainA", "x"), ("trainB", "y"), ("testA", "z"), ("testB", "z")):
        (tmp_path / part).mkdir()
        labels, photo = farm(5)
        picture = Image.fromarray(photo if part[-1] == "A" else labels)
        picture.save(tmp_path / part / f"{name}.png")
    pairs = pairs_of_farms(tmp_path)
    with pytest.raises(InputError, match="has no training pairs"):
        network_for(pairs, QUICK)


@pytest.mark.parametrize(
    "wrong", [{"duration": "soon"}, {"width": 0}, {"lr": 0.0}, {"balance": -1.0}, {"seed": -1}]
)
def test_settings_that_no_training_can_have_are_refused(wrong: dict):
    with pytest.raises(InputError):
        SegmentationSettings(**wrong)


@settings(max_examples=25)
@given(
    st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 2, 4]), st.sampled_from([1, 3, 5])
)
def test_it_takes_pictures_of_any_size(height: int, width: int, shrink: int, channels: int):
    network = SegmentationNetwork(channels, 7, width=2, shrink=shrink).eval()
    x = torch.rand(1, channels, height, width)
    assert network(x).shape == (1, 7, height, width)
    assert network.classes(x).shape == (1, height, width)


def test_larger_pictures_are_shrunk_inside():
    assert [shrink_for((side, 2 * side)) for side in (64, 96, 128, 192, 256, 512)] == [
        1, 1, 2, 2, 4, 8,
    ]  # fmt: skip


@pytest.mark.parametrize("flip", [False, True])
def test_photo_and_classes_are_cropped_and_flipped_alike(flip: bool):
    chance = torch.Generator().manual_seed(0)
    truths = torch.randint(0, 200, (5, 12, 14), generator=chance, dtype=torch.uint8)
    examples = [(truth[None].expand(3, -1, -1), truth) for truth in truths]
    drawing = SegmentationSettings(batch_size=4, flip=flip)
    seen = list(islice(batches(examples, (8, 6), drawing), 10))
    for photos, classes in seen:
        assert photos.shape == (4, 3, 6, 8)
        assert torch.equal(photos[:, 0], classes)
    rows = {tuple(row) for _, classes in seen for picture in classes for row in picture.tolist()}
    whole = {tuple(row[i : i + 8]) for t in truths for row in t.tolist() for i in range(7)}
    assert (rows <= whole) != flip


def test_rare_classes_weigh_more_and_absent_ones_nothing():
    truth = torch.zeros(10, 10, dtype=torch.uint8)
    truth[0, :4] = 2
    truth[1, :] = VOID
    weights = class_weights([truth], 4, 1.0)
    assert weights[2] / weights[0] == pytest.approx(86 / 4)
    assert weights[1] == weights[3] == 0
    assert torch.equal(class_weights([truth], 4, 0.0) > 0, weights > 0)


def test_pixels_without_a_class_teach_nothing():
    scores = torch.randn(1, 3, 4, 4, requires_grad=True)
    truths = torch.full((1, 4, 4), VOID)
    loss = weighted_loss(scores, truths, torch.ones(3))
    loss.backward()
    assert loss == 0
    assert scores.grad is not None
    assert not scores.grad.any()


def test_pictures_that_differ_in_size_are_learnt_from_where_they_are_seen_whole(tmp_path: Path):
    folder = write_farms(tmp_path / "mixed", train=6, test=2)
    write_farms(tmp_path / "more", train=6, test=2, side=48)
    for part in ("train", "test"):
        for file in (tmp_path / "more" / part).iterdir():
            file.rename(folder / part / f"larger{file.name}")
    pairs = pairs_of_farms(folder, preprocess="none", generator="resnet")
    trained = network_for(pairs, replace(QUICK, duration="2it"))
    bounds = SegmentationScorer(pairs, trained).bounds_of("BtoA")
    assert bounds["chance"] is None
    assert np.isfinite(bounds["upper_bound"]["pixel_accuracy"])


def test_the_palette_is_found_and_the_side_of_the_labels(farms: Path):
    pairs = pairs_of_farms(farms)
    assert (pairs.labels, pairs.to_photo, pairs.part) == ("B", "BtoA", "test")
    assert set(pairs.palette.colours) == set(FARM.colours)
