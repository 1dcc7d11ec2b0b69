"""Preparation: whatever the picture's size, what comes out fits the crop or the network."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ganvas.config import Preprocess, Settings
from ganvas.data.prepare import Preparation
from ganvas.pictures import Picture, from_pil

MODES = get_args(Preprocess)
CROPPING = [mode for mode in MODES if mode not in ("scale_width", "none")]

lengths = st.integers(1, 5000)
sizes = st.tuples(lengths, lengths)
wanted = st.tuples(st.integers(1, 1024), st.integers(1, 1024))
strides = st.sampled_from([1, 4, 128, 256])


def prepared(mode, size=(32, 32), load_size=(36, 36), stride=4) -> Preparation:
    return Preparation(mode, size, load_size, stride)


@given(st.sampled_from(CROPPING), sizes, wanted, wanted, strides)
def test_a_crop_always_fits(mode, picture, size, load_size, stride):
    width, height = Preparation(mode, size, load_size, stride).resized(picture)
    assert width >= size[0]
    assert height >= size[1]


@given(st.sampled_from(["scale_width", "none"]), sizes, wanted, wanted, strides)
def test_without_a_crop_sizes_are_multiples_of_the_stride(mode, picture, size, load, stride):
    width, height = Preparation(mode, size, load, stride).resized(picture)
    assert width >= stride
    assert height >= stride
    assert width % stride == height % stride == 0


@given(sizes, wanted)
def test_resize_and_crop_makes_all_pictures_equally_large(picture, load_size):
    preparation = Preparation("resize_and_crop", (1, 1), load_size, 4)
    assert preparation.resized(picture) == load_size


@given(sizes)
def test_crop_leaves_a_picture_as_it_is_where_the_crop_fits(picture):
    preparation = Preparation("crop", (32, 32), (36, 36), 4)
    fits = min(picture) >= 32
    assert preparation.enlarges(picture) is not fits
    assert (preparation.resized(picture) == picture) is fits


@given(st.integers(32, 500), st.integers(32, 500))
def test_scale_width_and_crop_keeps_the_shape(width, height):
    preparation = Preparation("scale_width_and_crop", (32, 32), (64, 64), 4)
    new_width, new_height = preparation.resized((width, height))
    assert new_width / new_height == pytest.approx(width / height, rel=0.05)
    assert new_width == 64 or new_height == 32


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("channels", [1, 3])
def test_training_pixels_are_bytes_of_the_size_that_was_told(mode, channels):
    preparation = prepared(mode)
    pixels = preparation.training(from_pil(Image.new("RGB", (50, 41), "red")), channels)
    width, height = preparation.resized((50, 41))
    assert pixels.dtype == np.uint8
    assert pixels.shape == (height, width, channels)


@pytest.mark.parametrize("mode", CROPPING)
@pytest.mark.parametrize("size", [(50, 41), (7, 90), (32, 32)])
def test_fixed_pictures_have_the_networks_size(mode, size):
    pixels = prepared(mode, size=(32, 24)).fixed(from_pil(Image.new("RGB", size)), 3)
    assert pixels.shape == (24, 32, 3)


@pytest.mark.parametrize("mode", ["scale_width", "none"])
def test_fixed_pictures_without_a_crop_are_those_trained_on(mode):
    picture = from_pil(Image.new("RGB", (50, 41)))
    preparation = prepared(mode)
    assert np.array_equal(preparation.fixed(picture, 3), preparation.training(picture, 3))


def test_fixed_pictures_show_the_middle():
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[15:25, 15:25] = 255
    fixed = prepared("crop", size=(10, 10)).fixed(Picture(pixels), 3)
    assert fixed.min() == 255


@given(st.integers(1, 300), st.integers(1, 300))
def test_center_crop_shows_the_middle_in_its_own_shape(width, height):
    size, load_size = (24, 16), (30, 20)
    left, top, right, bottom = Preparation("center_crop", size, load_size, 1).middle_box(
        (width, height)
    )
    assert left + right == pytest.approx(width)
    assert top + bottom == pytest.approx(height)
    assert min(left, top) >= -1e-9
    assert (right - left) / (bottom - top) == pytest.approx(24 / 16)


def test_center_crop_of_a_picture_of_the_size_is_the_picture():
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    preparation = prepared("center_crop", size=(32, 24), load_size=(32, 24))
    assert np.array_equal(preparation.training(Picture(pixels), 3), pixels)


def test_alpha_is_laid_over_white_before_a_picture_is_resized():
    clear = from_pil(Image.new("RGBA", (20, 20), (0, 0, 0, 0)))
    assert prepared("resize_and_crop").training(clear, 3).min() == 255


def test_the_load_size_is_286_over_256_of_the_size_unless_it_is_given():
    assert Preparation.of(Settings(size="256x128"), 4).load_size == (286, 143)
    assert Preparation.of(Settings(size="64", preprocess="center_crop"), 4).load_size == (64, 64)
    assert Preparation.of(Settings(size="256", load_size="300x280"), 4).load_size == (300, 280)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32, np.float64])
def test_deep_values_stay_what_they_are_and_within_what_was_there(mode, dtype):
    values = np.random.default_rng(0).integers(100, 4000, (50, 41, 5)).astype(dtype)
    found = prepared(mode).training(Picture(values), 5)
    assert found.dtype == dtype
    assert found.shape[2] == 5
    assert values.min() <= found.min() <= found.max() <= values.max()


def test_many_channels_are_resized_each_by_itself():
    values = np.random.default_rng(0).integers(0, 256, (30, 30, 7), dtype=np.uint8)
    found = prepared("resize_and_crop").training(Picture(values), 7)
    assert found.dtype == np.uint8
    for band in range(7):
        alone = prepared("resize_and_crop").training(Picture(values[:, :, band : band + 1]), 1)
        assert np.array_equal(found[:, :, band], alone[:, :, 0])


def test_deep_pictures_of_the_size_are_not_touched():
    values = np.random.default_rng(0).integers(0, 65536, (32, 32, 2)).astype(np.uint16)
    assert np.array_equal(prepared("none").training(Picture(values), 2), values)


@pytest.mark.parametrize("size", [(40, 30), (13, 57)])
def test_torch_resizes_rgb_within_two_levels_of_pillow(size):
    values = np.random.default_rng(1).integers(0, 256, (9, 11, 3), np.uint8)
    photo = np.asarray(Image.fromarray(values).resize((64, 48), Image.Resampling.BICUBIC))
    ours, quick = (
        Preparation("resize_and_crop", (8, 8), size, 1, quick=quick).training(Picture(photo), 3)
        for quick in (False, True)
    )
    assert quick.shape == ours.shape == (*size[::-1], 3)
    apart = np.abs(quick.astype(int) - ours)
    assert apart.max() <= 2
    assert 0 < np.mean(apart > 0) < 0.05


@pytest.mark.parametrize("kind", ["grey", "deep", "middle"])
def test_what_torch_cannot_resize_alike_pillow_does(kind):
    values = np.random.default_rng(1).integers(0, 256, (30, 40, 1 if kind == "grey" else 3))
    picture = Picture(values.astype(np.uint16 if kind == "deep" else np.uint8))
    mode = "center_crop" if kind == "middle" else "resize_and_crop"
    ours, quick = (
        Preparation(mode, (8, 8), (20, 22), 1, quick=quick).training(picture, values.shape[2])
        for quick in (False, True)
    )
    assert np.array_equal(ours, quick)


def test_resizing_is_chosen_by_a_setting():
    for name, quick in (("pillow", False), ("torch", True)):
        config = Settings.from_mapping({"resizing": name})
        assert Preparation.of(config, 1).quick is quick
