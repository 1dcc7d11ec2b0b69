"""Decoding a sound file anew gives what it gave at first, by whichever decoder."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganvas.data import again
from ganvas.data.again import quickly, read_again
from ganvas.data.decode import decode
from ganvas.data.sources import FileEntry
from ganvas.data.survey import look
from ganvas.errors import InputError
from ganvas.pictures import Picture

VALUES = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
COLOUR = Image.fromarray(VALUES).resize((75, 53), Image.Resampling.BICUBIC)
TURNED = Image.Exif()
TURNED[274] = 3


def file(image: Image.Image, kind: str, **options: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [
        *[("RGB", "JPEG", {"subsampling": way}) for way in ("4:4:4", "4:2:2", "4:2:0")],
        ("RGB", "JPEG", {"progressive": True, "quality": 30}),
        ("RGB", "JPEG", {"restart_marker_rows": 1}),
        ("RGB", "JPEG", {"keep_rgb": True}),
        ("L", "JPEG", {}),
        ("RGB", "PNG", {}),
        ("L", "PNG", {}),
    ],
    ids=str,
)
def test_plain_files_are_decoded_quickly_and_alike(mode: str, kind: str, options: dict):
    content = file(COLOUR.convert(mode), kind, **options)
    found = quickly(content)
    assert found is not None
    first = decode(content, "x")
    assert np.array_equal(found.values, first.values)
    assert (found.kind, found.alpha) == (first.kind, first.alpha)


@pytest.mark.parametrize(
    "content",
    [
        file(COLOUR, "JPEG", exif=TURNED),
        file(COLOUR.convert("CMYK"), "JPEG"),
        file(COLOUR, "PNG", exif=TURNED),
        file(COLOUR, "PNG", transparency=(0, 0, 0)),
        file(COLOUR.quantize(), "PNG"),
        file(COLOUR.convert("RGBA"), "PNG"),
        file(COLOUR.convert("1"), "PNG"),
        file(COLOUR, "BMP"),
    ],
    ids=["turned", "cmyk", "turned png", "clear", "palette", "alpha", "1 bit", "bmp"],
)
def test_others_are_left_to_the_decoder_that_knows_them(content: bytes):
    assert quickly(content) is None


JPEG = file(COLOUR, "JPEG")


def test_whatever_stands_before_the_first_scan_may_turn_a_jpeg():
    said = b"\xff\xda tiff:Orientation=3"
    segment = b"\xff\xe1" + (2 + len(said)).to_bytes(2, "big") + said
    assert quickly(JPEG[:2] + segment + JPEG[2:]) is None
    assert quickly(JPEG + segment) is not None


@pytest.mark.parametrize("filling", [b"\xff", b"\xff\xff"])
def test_filling_between_segments_hides_nothing(filling):
    turned = file(COLOUR, "JPEG", exif=TURNED)
    assert quickly(turned[:2] + filling + turned[2:]) is None
    found = quickly(JPEG[:2] + filling + JPEG[2:])
    assert found is not None
    assert np.array_equal(found.values, decode(JPEG, "x").values)


@pytest.mark.parametrize("length", [2, 3, 4, 5, 6, 20])
def test_a_jpeg_of_which_only_the_beginning_is_there_is_for_pillow_to_refuse(length):
    assert quickly(JPEG[:length]) is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_file_that_is_as_it_was_is_decoded_quickly(tmp_path, monkeypatch, kind):
    (tmp_path / "a").write_bytes(file(COLOUR, kind))
    seen = look(FileEntry(tmp_path, "a"))
    monkeypatch.setattr(again, "quickly", lambda content: Picture(VALUES))
    assert np.array_equal(read_again(seen).values, VALUES)


def test_a_file_that_was_cut_short_since_is_refused(tmp_path):
    whole = file(COLOUR, "JPEG", quality=95)
    (tmp_path / "a.jpg").write_bytes(whole)
    seen = look(FileEntry(tmp_path, "a.jpg"))
    assert read_again(seen).size == (75, 53)
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"^a.jpg: can no longer be read \(.*\); put it back"):
        read_again(seen)


def test_a_file_that_changed_since_is_decoded_as_it_is_now(tmp_path):
    (tmp_path / "a.jpg").write_bytes(file(COLOUR, "JPEG", exif=TURNED))
    seen = replace(look(FileEntry(tmp_path, "a.jpg")), check=0)
    turned = decode(file(COLOUR, "JPEG", exif=TURNED), "a.jpg")
    assert np.array_equal(read_again(seen).values, turned.values)
