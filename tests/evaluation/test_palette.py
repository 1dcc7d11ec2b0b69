"""Palettes: said by name, file or list, and label maps read back by them."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ganvas.data.decode import decode
from ganvas.data.samples.streets import PALETTE, draw
from ganvas.errors import InputError
from ganvas.evaluation.palette import KNOWN, VOID, Palette, read_palette

RGB = Palette(((0, 0, 0), (255, 0, 0), (0, 0, 255)), ("ground", "roof", "water"))


def test_a_pixel_belongs_to_the_nearest_colour():
    values = np.array([[[200, 40, 30], [10, 20, 10], [60, 0, 190]]], np.uint8)
    assert RGB.classes(values).tolist() == [[1, 0, 2]]


def test_a_pixel_nearest_to_a_void_colour_belongs_to_no_class():
    palette = Palette(RGB.colours, RGB.names, void=((255, 255, 255),))
    assert palette.classes(np.array([[[250, 250, 240], [250, 9, 9]]], np.uint8)).tolist() == [
        [VOID, 1]
    ]


def test_grey_label_maps_have_classes_too():
    palette = Palette(((0, 0, 0), (128, 128, 128), (255, 255, 255)))
    assert palette.classes(np.array([[[3], [120], [250]]], np.uint8)).tolist() == [[0, 1, 2]]


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=2, max_size=40, unique=True))
def test_every_colour_is_its_own_class(colours: list[tuple[int, int, int]]):
    palette = Palette(tuple(colours))
    everywhere = np.arange(len(colours), dtype=np.uint8)[None]
    assert np.array_equal(palette.classes(palette.paint(everywhere)), everywhere)


@given(st.integers(0, 2**32 - 1), st.integers(2, 20))
def test_the_nearest_colour_is_that_of_exact_arithmetic(seed: int, count: int):
    rng = np.random.default_rng(seed)
    colours = np.unique(rng.integers(0, 256, (count, 3)), axis=0)
    if len(colours) < 2:
        return
    pixels = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    found = Palette(tuple(map(tuple, colours.tolist()))).classes(pixels)
    apart = ((pixels[:, :, None].astype(np.int64) - colours) ** 2).sum(-1)
    assert np.array_equal(found, apart.argmin(-1))


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("suffix", ["PNG", "BMP", "WEBP"])
def test_red_and_blue_keep_their_places_from_the_file_to_the_class(name: str, suffix: str):
    """GcGAN's evaluation reads files as BGR and compares them with RGB colours, the truth and the
    answer alike: a perfect answer still scores 1, and only the classes themselves show it."""
    palette = KNOWN[name]
    colours = np.array([palette.colours], np.uint8)
    file = io.BytesIO()
    Image.fromarray(colours).save(file, suffix, lossless=True)
    values = decode(file.getvalue(), name).with_channels(3)
    in_order = list(range(len(palette.colours)))
    assert palette.classes(values)[0].tolist() == in_order
    assert palette.classes(values[:, :, ::-1])[0].tolist() != in_order


def test_the_streets_palette_is_that_of_the_set():
    labels, _ = draw(3, 64, 64)
    assert np.array_equal(KNOWN["streets"].paint(KNOWN["streets"].classes(labels)), labels)
    assert KNOWN["streets"].names == tuple(PALETTE)


def test_the_known_palettes_have_the_classes_of_their_sets():
    assert {name: len(palette.colours) for name, palette in KNOWN.items()} == {
        "streets": 7,
        "cmp-facades": 12,
        "cityscapes": 19,
    }


def test_the_facades_palette_is_that_of_the_sets_own_page(shared: Path):
    page = (shared / "data" / "README.md").read_text()
    told = page.split("label ids 1 to 12: ")[1].split(".")[0]
    words = [entry.strip().rsplit(" ", 1) for entry in told.split(";")]
    facades = KNOWN["cmp-facades"]
    assert [(name, tuple(map(int, rgb.split(",")))) for name, rgb in words] == list(
        zip(facades.names, facades.colours, strict=True)
    )


LINES = "# of a farm\nopen field 90 160 40\nroof 255 0 0  # red\n\nvoid 0 0 0\nvoid 1 1 1\n"
AS_JSON = {"open field": [90, 160, 40], "roof": [255, 0, 0], "void": [[0, 0, 0], [1, 1, 1]]}


@pytest.mark.parametrize("content", [LINES, json.dumps(AS_JSON)], ids=["lines", "json"])
def test_a_palette_is_read_from_a_file(tmp_path: Path, content: str):
    (tmp_path / "farm").write_text(content)
    palette = read_palette(str(tmp_path / "farm"))
    assert palette.names == ("open field", "roof")
    assert palette.colours == ((90, 160, 40), (255, 0, 0))
    assert palette.void == ((0, 0, 0), (1, 1, 1))


def test_a_palette_is_read_from_a_list():
    palette = read_palette("0,0,170; 0,0,255;0,85,255")
    assert palette.colours == ((0, 0, 170), (0, 0, 255), (0, 85, 255))
    assert palette.names == ("#0000aa", "#0000ff", "#0055ff")


def test_a_list_in_json_needs_no_names(tmp_path: Path):
    (tmp_path / "colours.json").write_text("[[0, 0, 0], [255, 255, 255]]")
    assert read_palette(str(tmp_path / "colours.json")).names == ("#000000", "#ffffff")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("# one\nroad 1\n", "line 2: wants `name r g b`"),
        ("road 1 2\n", "'road 1 2' wants a colour of three whole numbers"),
        ("road 1 2 x\nsky 0 0 0", "'road' wants a colour of three whole numbers"),
        ("road 1 2 3\n", "colours of classes: 1; wants 2 to 254"),
        ("", "colours of classes: 0"),
        ("road 1 2 3\nsky 1 2 3\n", "the colour 1,2,3 is there twice"),
        ("road 1 2 3\nroad 4 5 6\n", "a name of its own for each class"),
        ("road 1 2 300\nsky 0 0 0\n", "(1, 2, 300) is no colour"),
        ("{", "is not JSON"),
        ('{"road": 3, "sky": [0, 0, 0]}', "'road' wants a colour"),
    ],
)
def test_a_file_that_is_no_palette_is_refused_with_a_reason(
    tmp_path: Path, content: str, sentence: str
):
    (tmp_path / "palette.txt").write_text(content)
    with pytest.raises(InputError) as refused:
        read_palette(str(tmp_path / "palette.txt"))
    assert sentence in str(refused.value)
    assert "palette.txt" in str(refused.value)


def test_a_palette_that_is_not_known_is_refused_with_those_that_are():
    with pytest.raises(InputError, match="did you mean 'cityscapes'"):
        read_palette("cityscape")
