"""sample:streets draws labels and photos of the same street, and only by its seed."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from ganvas.data.samples import sample_entries
from ganvas.data.samples.streets import PALETTE, draw

COLOURS = np.array(list(PALETTE.values()), int)


@pytest.fixture(scope="module")
def scenes():
    return [draw(seed, 64, 64) for seed in range(50)]


def squared_distances(picture):
    """(H, W, classes) from each pixel's colour to the palette's."""
    return ((picture[:, :, None].astype(int) - COLOURS) ** 2).sum(-1)


def test_a_seed_draws_the_same_bytes_again(scenes):
    labels, photo = draw(7, 64, 64)
    assert np.array_equal(labels, scenes[7][0])
    assert np.array_equal(photo, scenes[7][1])


def test_a_scene_does_not_depend_on_what_was_drawn_before():
    first = draw(3, 48, 48)
    draw(4, 80, 32)
    again = draw(3, 48, 48)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_other_seeds_draw_other_scenes(scenes):
    assert len({labels.tobytes() for labels, _ in scenes}) == len(scenes)
    assert len({photo.tobytes() for _, photo in scenes}) == len(scenes)


def test_the_colours_of_classes_are_far_apart():
    apart = np.sqrt(((COLOURS[:, None] - COLOURS) ** 2).sum(-1))
    assert apart[~np.eye(len(COLOURS), dtype=bool)].min() >= 100


def test_every_pixel_of_the_labels_has_the_colour_of_a_class(scenes):
    for labels, _ in scenes:
        assert squared_distances(labels).min(-1).max() == 0


def test_every_class_is_seen_in_most_scenes(scenes):
    seen = [(squared_distances(labels) == 0).any((0, 1)) for labels, _ in scenes]
    assert (np.mean(seen, 0) > 0.7).all(), dict(zip(PALETTE, np.mean(seen, 0), strict=True))


def test_no_class_fills_most_of_the_pictures(scenes):
    share = np.mean([(squared_distances(labels) == 0).mean((0, 1)) for labels, _ in scenes], 0)
    assert share.max() < 0.5
    assert share.min() > 0.01


@pytest.mark.parametrize(
    ("width", "height"), [(32, 32), (33, 47), (128, 64), (32, 128), (256, 32), (200, 150)]
)
def test_any_size_from_32_can_be_drawn(width, height):
    for seed in range(3):
        for picture in draw(seed, width, height):
            assert picture.shape == (height, width, 3)
            assert picture.dtype == np.uint8
            assert picture.flags.c_contiguous


@pytest.mark.parametrize("seed", range(5))
def test_a_seed_shows_the_same_street_at_every_resolution(seed):
    small, large = draw(seed, 64, 64), draw(seed, 192, 192)
    assert (small[0] == large[0][1::3, 1::3]).all(-1).mean() > 0.95
    shrunk = large[1].reshape(64, 3, 64, 3, 3).mean((1, 3))
    assert np.abs(shrunk - small[1]).mean() < 12


def test_colours_alone_do_not_give_the_labels_away(scenes):
    right = [
        squared_distances(photo).argmin(-1) == squared_distances(labels).argmin(-1)
        for labels, photo in scenes
    ]
    assert np.mean(right) < 0.45


def test_a_table_of_the_photos_colours_does_not_give_the_labels_away(scenes):
    classes = np.stack([squared_distances(labels).argmin(-1) for labels, _ in scenes])
    bins = np.stack([photo for _, photo in scenes]) // 16 @ np.array([256, 16, 1])
    counts = np.zeros((4096, len(PALETTE)))
    np.add.at(counts, (bins, classes), 1)
    # even on the scenes that it was made from
    assert (counts.argmax(-1)[bins] == classes).mean() < 0.75


def test_labels_and_photo_show_the_same_edges(scenes):
    def steps(picture):
        return np.abs(np.diff(picture.astype(int), axis=1)).sum(-1)

    on_edges, elsewhere = [], []
    for labels, photo in scenes:
        edge = steps(labels) > 0
        on_edges.append(steps(photo)[edge].mean())
        elsewhere.append(steps(photo)[~edge].mean())
    assert np.mean(on_edges) > 2 * np.mean(elsewhere)


@pytest.mark.parametrize(("seed", "width", "height"), [(-1, 64, 64), (0, 31, 64), (0, 64, 31)])
def test_what_cannot_be_drawn_is_refused(seed, width, height):
    with pytest.raises(ValueError, match="32x32"):
        draw(seed, width, height)


def test_the_set_shows_the_scenes_that_it_always_did():
    drawn = {
        entry.name: np.asarray(Image.open(io.BytesIO(entry.read())))
        for entry in sample_entries("streets", (48, 32), count=2, seed=1)
    }
    labels = b"".join(picture.tobytes() for name, picture in drawn.items() if "A/" in name)
    assert hashlib.sha256(labels).hexdigest() == (
        "06a28aeb9231fbca4c8612d8c583f48b0995f1de3ad0545a780dbae0002e9330"
    )
    # photos by their mean colours: another machine's rounding may move a pixel
    photos = {name: picture.mean((0, 1)) for name, picture in drawn.items() if "B/" in name}
    assert photos == {
        "testB/0000.png": pytest.approx([74.05, 64.93, 64.58], abs=0.1),
        "trainB/0000.png": pytest.approx([111.99, 114.37, 118.38], abs=0.1),
        "trainB/0001.png": pytest.approx([93.52, 83.36, 76.59], abs=0.1),
    }
