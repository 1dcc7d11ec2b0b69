"""Pairs of label maps and photos, read as a training reads them."""

import io
from pathlib import Path

import numpy as np
import pytest
from farms import FARM, SIDE, config_of, farm, pairs_of_farms, write_farms
from PIL import Image

from ganvas.data.samples import sample_pairs
from ganvas.data.samples.streets import draw
from ganvas.errors import InputError
from ganvas.evaluation.palette import KNOWN, Palette
from ganvas.evaluation.segmentation.pairs import open_label_pairs
from ganvas.methods.pix2pix import Pix2Pix
from ganvas.scales import Scale

SCALES = {"A": Scale(3), "B": Scale(3)}


@pytest.mark.parametrize(
    "changed",
    [
        {"size": 32, "load_size": 40},
        {"size": "64x32", "load_size": "64x32"},
        {"preprocess": "center_crop", "load_size": 48},
        {"preprocess": "crop"},
        {"preprocess": "scale_width", "load_size": 64},
        {"preprocess": "scale_width_and_crop", "load_size": 64},
        {"preprocess": "none"},
    ],
    ids=lambda c: " ".join(map(str, c.values())),
)
def test_the_truth_lies_where_the_picture_does(tmp_path: Path, changed: dict):
    pairs = pairs_of_farms(write_farms(tmp_path / "set", 3, 3, side=50), **changed)
    for pair in pairs.test:
        seen = pairs.read_test(pair)
        assert seen.label.shape[1:] == seen.photo.shape[1:] == seen.truth.shape
        again = pairs.palette.classes(seen.label.permute(1, 2, 0).numpy())
        assert (again == seen.truth).mean() > 0.95
    photo, truth = pairs.read_training(pairs.train[0])
    assert photo.shape[1:] == truth.shape


def test_truth_has_no_colours_in_between(farms: Path):
    """Halved by a filter, red beside green is a brown; halved without, it stays either."""
    pairs = pairs_of_farms(farms, size=SIDE, load_size=SIDE)
    small = pairs_of_farms(farms, size="32x32", load_size="37x37")
    whole = {c for pair in pairs.test for c in np.unique(pairs.read_test(pair).truth)}
    assert {c for pair in small.test for c in np.unique(small.read_test(pair).truth)} <= whole


def test_pairs_by_name_are_read_as_pairs_side_by_side_are(farms: Path, tmp_path: Path):
    for part, first in (("train", 0), ("test", 1000)):
        for i in range(4):
            for domain, picture in zip("BA", farm(first + i), strict=True):
                folder = tmp_path / "folders" / f"{part}{domain}"
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(picture).save(folder / f"{i:03d}.png")
    beside, folders = pairs_of_farms(farms), pairs_of_farms(tmp_path / "folders")
    one, other = (p.read_test(p.test[2]) for p in (beside, folders))
    assert np.array_equal(one.photo, other.photo)
    assert np.array_equal(one.label, other.label)
    assert folders.labels == "B"


def test_the_pairs_of_streets_show_the_same_street():
    for part, first in (("train", 1_000_000), ("test", 2_000_000)):
        pairs = sample_pairs("streets", part, (40, 40))
        assert len(pairs) == {"train": 400, "test": 50}[part]
        shown = [np.asarray(Image.open(io.BytesIO(entry.read()))) for entry in pairs[7]]
        assert all(map(np.array_equal, shown, draw(first + 7, 40, 40)))


def test_streets_are_pairs_though_their_folders_are_not():
    config = config_of(size=32, load_size=32)
    pairs = open_label_pairs("sample:streets", config, SCALES)
    assert (pairs.labels, pairs.palette) == ("A", KNOWN["streets"])


@pytest.mark.parametrize(
    ("source", "sentence"),
    [("sample:shapes", "has no pairs; sample:streets has"), ("sample:street", "did you mean")],
)
def test_samples_without_pairs_are_refused(source: str, sentence: str):
    with pytest.raises(InputError, match=sentence):
        open_label_pairs(source, config_of(), SCALES)


def test_a_set_with_no_pairs_held_out_is_refused(tmp_path: Path):
    folder = write_farms(tmp_path / "set", train=3, test=0)
    with pytest.raises(InputError, match=r"no pairs that are held out \(train: 3"):
        pairs_of_farms(folder)


def test_lightness_and_colour_are_no_label_maps(farms: Path):
    config = Pix2Pix.Config.from_mapping({"colorization": True})
    with pytest.raises(InputError, match="are no label maps"):
        open_label_pairs(str(farms), config, SCALES)


def test_label_maps_of_16_bits_are_refused(tmp_path: Path):
    for part in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / part).mkdir()
        values = np.full((32, 32), 700, np.uint16)
        Image.fromarray(values).save(tmp_path / part / "0.png")
    with pytest.raises(InputError, match="of 8 bits, grey or RGB"):
        open_label_pairs(str(tmp_path), config_of(), SCALES)
    with pytest.raises(InputError, match=r"trainB/0.png: is uint16 x 1"):
        open_label_pairs(str(tmp_path), config_of(), SCALES, FARM, "B")


def test_a_pair_of_two_sizes_is_named(tmp_path: Path):
    for part in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / part).mkdir()
        labels, photo = farm(1, 40 if part == "testA" else SIDE)
        Image.fromarray(photo if part[-1] == "A" else labels).save(tmp_path / part / "0.png")
    pairs = pairs_of_farms(tmp_path)
    with pytest.raises(InputError, match=r"testA/0.png is 40x40.*one size"):
        pairs.read_test(pairs.test[0])


def test_a_palette_may_say_what_is_not_scored(farms: Path):
    palette = Palette(FARM.colours[:2], FARM.names[:2], void=FARM.colours[2:])
    pairs = open_label_pairs(str(farms), config_of(), SCALES, palette)
    truths = [pairs.read_test(pair).truth for pair in pairs.test]
    assert {int(c) for truth in truths for c in np.unique(truth)} == {0, 1, 255}
