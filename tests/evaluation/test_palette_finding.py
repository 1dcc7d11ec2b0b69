"""Palettes found in label maps, and label maps told from photographs."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ganvas.data.samples.streets import draw
from ganvas.errors import InputError
from ganvas.evaluation.palette import KNOWN, Palette
from ganvas.evaluation.palette_finding import Domain, label_side, palette_in

Sides = dict[Domain, list[np.ndarray]]

OWN = Palette(((30, 60, 90), (200, 30, 30), (40, 200, 220), (250, 250, 10)))


def as_jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality, subsampling=0)
    return np.asarray(Image.open(file))


def areas(palette: Palette, seed: int, side: int = 48) -> np.ndarray:
    """A label map of rectangles."""
    rng = np.random.default_rng(seed)
    classes = np.zeros((side, side), np.uint8)
    for _ in range(12):
        top, left = rng.integers(0, side - 8, 2)
        height, width = rng.integers(8, 24, 2)
        classes[top : top + height, left : left + width] = rng.integers(len(palette.colours))
    return palette.paint(classes)


MAPS = [areas(OWN, seed) for seed in range(12)]
SCENES = [draw(seed, 64, 64) for seed in range(12)]


def test_colours_of_files_without_loss_are_found_exactly():
    found = palette_in(MAPS)
    assert found is not None
    assert set(found.colours) == set(OWN.colours)
    assert found.origin == "found in 12 label pictures"


@pytest.mark.parametrize("quality", [75, 90])
def test_colours_are_found_in_spite_of_jpeg(quality: int):
    found = palette_in([as_jpeg(picture, quality) for picture in MAPS])
    assert found is not None
    assert len(found.colours) == len(OWN.colours)
    apart = np.abs(np.array(found.colours)[:, None] - np.array(OWN.colours)).max(-1)
    assert apart.min(0).max() <= 6


def test_colours_are_found_in_spite_of_a_filter():
    blurred = [
        np.asarray(Image.fromarray(m).resize((70, 70), Image.Resampling.BICUBIC)) for m in MAPS
    ]
    found = palette_in(blurred)
    assert found is not None
    assert len(found.colours) == len(OWN.colours)


def test_a_known_palette_is_recognised_and_has_its_names():
    assert palette_in([labels for labels, _ in SCENES]) == KNOWN["streets"]
    assert palette_in([as_jpeg(labels, 75) for labels, _ in SCENES]) == KNOWN["streets"]


def test_photos_and_noise_have_no_palette():
    rng = np.random.default_rng(0)
    assert palette_in([photo for _, photo in SCENES]) is None
    assert palette_in([rng.integers(0, 256, (48, 48, 3), dtype=np.uint8)]) is None


def test_a_flat_picture_has_no_palette():
    assert palette_in([np.full((32, 32, 3), 7, np.uint8)]) is None
    assert palette_in([np.full((1, 1, 3), 7, np.uint8)]) is None


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_whatever_the_picture_a_palette_is_found_or_not(seed: int, blocks: int):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (blocks, blocks, 3), dtype=np.uint8)
    found = palette_in([small.repeat(9, 0).repeat(9, 1)])
    assert found is None or len(found.colours) <= blocks**2


def test_the_side_of_the_label_maps_is_seen_on_either_side():
    photos, labels = [p for _, p in SCENES], [m for m, _ in SCENES]
    assert label_side({"A": photos, "B": labels}, None, "set") == ("B", KNOWN["streets"])
    assert label_side({"A": labels, "B": photos}, None, "set") == ("A", KNOWN["streets"])


def test_a_palette_that_is_given_says_the_side_too():
    photos = [p for _, p in SCENES]
    assert label_side({"A": photos, "B": MAPS}, OWN, "set") == ("B", OWN)


def test_two_sides_of_label_maps_are_told_apart_by_option_only():
    both: Sides = {"A": MAPS, "B": [labels for labels, _ in SCENES]}
    with pytest.raises(InputError, match="--labels A or --labels B"):
        label_side(both, None, "set")
    assert label_side(both, None, "set", "B") == ("B", KNOWN["streets"])


def test_pictures_without_label_maps_are_refused():
    photos = [p for _, p in SCENES]
    with pytest.raises(InputError, match=r"found no palette.*--palette"):
        label_side({"A": photos, "B": photos}, None, "set")


def test_a_palette_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match=r"only .* % of the pixels of A.*void"):
        label_side({"A": MAPS}, KNOWN["cmp-facades"], "set")


def test_a_palette_with_red_and_blue_exchanged_is_refused_and_said():
    with pytest.raises(InputError, match="its red and blue seem to be exchanged"):
        label_side({"A": MAPS}, OWN.reversed(), "set")


def test_the_facades_palette_is_found_in_its_jpegs(shared: Path):
    files = sorted((shared / "data" / "facades" / "train").glob("*.jpg"))[::44]
    pictures = [np.asarray(Image.open(file)) for file in files]
    halves: Sides = {"A": [p[:, :256] for p in pictures], "B": [p[:, 256:] for p in pictures]}
    assert label_side(halves, None, "facades") == ("B", KNOWN["cmp-facades"])
