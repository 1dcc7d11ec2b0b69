"""sample:shapes draws shapes that can be told apart and seen, and only by their numbers."""

import io
import pickle
from colorsys import rgb_to_hsv

import numpy as np
import pytest
from PIL import Image

from ganvas.cli import main
from ganvas.cli.data import sample
from ganvas.data.layouts import recognise
from ganvas.data.samples import SAMPLES, sample_entries, write_sample
from ganvas.data.samples.shapes import OUTLINES, TEXTURES, draw
from ganvas.data.sources import open_source
from ganvas.errors import InputError

KINDS = list(OUTLINES)
LUMA = np.array([0.299, 0.587, 0.114])


@pytest.fixture(scope="module")
def pictures():
    """(5, 60, 32, 32, 3): of each class."""
    return np.array([[draw(kind, i, 0, 32, 32) for i in range(60)] for kind in KINDS])


def ground(picture):
    """(3,) mean colour of the border."""
    picture = picture.astype(float)
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]]).mean(0)


def mask(picture):
    """(H, W): what is no background, as one sees it from the colours alone."""
    far = np.linalg.norm(picture - ground(picture), axis=-1)
    return far > 0.4 * far.max()


def each(pictures):
    return pictures.reshape(-1, *pictures.shape[2:])


# Only by its numbers


def test_equal_numbers_draw_the_same_bytes_whatever_was_drawn_before(pictures):
    draw("ring", 3, 8, 48, 20)
    for number, kind in enumerate(KINDS):
        assert np.array_equal(draw(kind, 7, 0, 32, 32), pictures[number, 7])


def test_other_seeds_classes_and_indices_draw_other_pictures(pictures):
    others = [draw(kind, i, seed, 32, 32) for kind in KINDS for i in range(5) for seed in (1, 2)]
    everything = [*each(pictures), *others]
    assert len({picture.tobytes() for picture in everything}) == len(everything)


def test_pictures_of_one_number_in_several_classes_have_colours_of_their_own(pictures):
    grounds = np.array([ground(picture) for picture in pictures[:, 0]])
    apart = np.abs(grounds[:, None] - grounds).max(-1)
    assert apart[~np.eye(5, dtype=bool)].min() > 2


@pytest.mark.parametrize(
    ("width", "height"), [(16, 16), (17, 31), (64, 64), (128, 16), (20, 90), (256, 200)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_any_size_from_16_can_be_drawn(kind, width, height):
    picture = draw(kind, 0, 0, width, height)
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous


@pytest.mark.parametrize(
    ("index", "seed", "width", "height"), [(-1, 0, 32, 32), (0, -1, 32, 32), (0, 0, 15, 32)]
)
def test_what_cannot_be_drawn_is_refused(index, seed, width, height):
    with pytest.raises(ValueError, match="16x16"):
        draw("star", index, seed, width, height)


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_picture_is_the_large_one_shrunk_so_that_no_edge_is_a_staircase(kind):
    for index in range(10):
        small, large = draw(kind, index, 0, 32, 32), draw(kind, index, 0, 128, 128)
        shrunk = large.reshape(32, 4, 32, 4, 3).mean((1, 3))
        assert np.abs(shrunk - small).mean() < 2
        assert np.abs(shrunk - small).max() < 60


@pytest.mark.parametrize("kind", KINDS)
def test_a_longer_side_adds_ground_at_both_ends_of_the_same_shape(kind):
    square = draw(kind, 2, 0, 32, 32)
    assert np.abs(draw(kind, 2, 0, 64, 32)[:, 16:48].astype(int) - square).max() <= 1
    assert np.abs(draw(kind, 2, 0, 32, 64)[16:48].astype(int) - square).max() <= 1


# What they show


def test_classes_can_be_told_apart_by_the_masks_of_their_shapes(pictures):
    masks = np.array([[mask(picture) for picture in row] for row in pictures], float)
    seen, held_out = masks[:, :40], masks[:, 40:]
    far = ((held_out[:, :, None] - seen.mean(1)) ** 2).sum((3, 4))
    right = far.argmin(-1) == np.arange(5)[:, None]
    assert right.mean() > 0.75
    assert right.mean(1).min() > 0.5, dict(zip(KINDS, right.mean(1), strict=True))


def test_a_shape_fills_a_good_part_of_the_picture_and_is_not_cut_off(pictures):
    for picture in each(pictures):
        shape = mask(picture)
        assert 0.1 < shape.mean() < 0.7
        assert not shape[[0, -1]].any()
        assert not shape[:, [0, -1]].any()


def test_every_shape_stands_out_from_its_ground(pictures):
    for picture in each(pictures):
        shape, light = mask(picture), picture @ LUMA
        assert abs(light[shape].mean() - light[~shape].mean()) > 60


def test_every_shape_has_a_texture_and_every_ground_is_calm(pictures):
    for picture in each(pictures):
        shape, light = mask(picture), picture @ LUMA
        assert light[shape].std() > 7
        assert light[[0, -1]].std() < light[shape].std() + 8


def test_three_textures_of_four_have_steps_within_the_shape(pictures):
    steps = []
    for picture in each(pictures):
        shape = mask(picture)
        deep = shape[4:-4, 4:-4] & shape[8:, 4:-4] & shape[:-8, 4:-4]
        deep &= shape[4:-4, 8:] & shape[4:-4, :-8]
        across = np.abs(np.diff(picture @ LUMA, axis=1))[4:-4, 4:-3]
        steps.append(across[deep].max(initial=0) > 15)
    assert 0.6 < np.mean(steps) < 0.85


@pytest.mark.parametrize("texture", TEXTURES)
def test_a_texture_shows_both_tones(texture):
    at = (np.arange(32) - 15.5) / 32
    share = np.broadcast_to(texture(at, at[:, None], 0.17, 1 / 32), (32, 32))
    assert share.min() == 0
    assert share.max() == 1
    assert 0.2 < share.mean() < 0.8


def test_shapes_have_all_hues_and_strong_colours(pictures):
    colours = [picture[mask(picture)].mean(0) / 255 for picture in each(pictures)]
    hues, saturations, _ = np.transpose([rgb_to_hsv(*colour) for colour in colours])
    assert np.histogram(hues, 6, (0, 1))[0].min() > 0.05 * len(hues)
    assert np.median(saturations) > 0.5


def test_grounds_are_muted_and_of_both_kinds_light_and_dark(pictures):
    grounds = np.array([ground(picture) for picture in each(pictures)])
    assert np.ptp(grounds, 1).max() < 60
    light = grounds @ LUMA > 128
    assert 0.2 < light.mean() < 0.8


# As a set


def test_shapes_are_recognised_as_labelled_and_streets_as_unpaired():
    shapes, streets = (recognise(open_source(f"sample:{name}")) for name in ("shapes", "streets"))
    assert shapes.kind == "labelled"
    assert shapes.counts == dict.fromkeys(KINDS, 400)
    assert streets.kind == "unpaired"
    assert streets.counts == {"testA": 50, "testB": 50, "trainA": 400, "trainB": 400}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_listed_sorted_by_name(name):
    names = [entry.name for entry in open_source(f"sample:{name}")]
    assert names == sorted(names)


def test_the_count_is_that_of_each_class():
    names = [entry.name for entry in sample_entries("shapes", (16, 16), count=2)]
    assert names == [f"{kind}/000{i}.png" for kind in sorted(KINDS) for i in range(2)]


def test_an_entry_reads_its_own_picture_also_in_another_process():
    for entry in sample_entries("shapes", (24, 16), count=2, seed=5):
        data = pickle.loads(pickle.dumps(entry)).read()
        drawn = draw(entry.part, entry.index, 5, 24, 16)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), drawn)


def test_the_command_writes_class_folders(tmp_path, capsys):
    folder = tmp_path / "set"
    assert main(["data", "sample", "shapes", str(folder), "--size", "32", "--count", "2"]) == 0
    assert capsys.readouterr().out == f"10 pictures in {folder}\n"
    assert sorted(path.name for path in folder.iterdir()) == sorted(KINDS)
    with Image.open(folder / "star" / "0001.png") as picture:
        assert picture.size == (32, 32)
    assert recognise(open_source(str(folder))).kind == "labelled"


def test_a_size_below_the_smallest_is_refused_when_written(tmp_path):
    with pytest.raises(InputError, match="shapes wants at least 16 pixels"):
        write_sample("shapes", tmp_path, (32, 15))


def test_the_commands_help_says_every_sample_its_size_and_its_count():
    told = " ".join((sample.__doc__ or "").split())
    for name, about in SAMPLES.items():
        assert f"{about.size[0]} for {name}" in told
        assert f"left out: {max(about.parts.values())}" in told
