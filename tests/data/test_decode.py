"""Decoding: pictures come out upright, whole and at their depth, or with one sentence."""

import io
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ganvas.data.bad import BadPicture
from ganvas.data.decode import decode

CHANCE = np.random.default_rng(0)
PIXELS = CHANCE.integers(0, 256, (12, 20, 3), dtype=np.uint8)
SMOOTH = np.indices((12, 20)).sum(0)[:, :, None].repeat(3, 2).astype(np.uint8) * 8


def file_of(image: Image.Image, suffix: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, suffix, **options)
    return file.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_file(width: int, height: int, depth: int, colour: int, lines: bytes) -> bytes:
    """A PNG made by hand: Pillow cannot write 16-bit colour, nor lie about a size."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, data) for kind, data in chunks)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_formats_without_loss_come_back_exactly(kind):
    image = decode(file_of(Image.fromarray(PIXELS), kind), "a")
    assert np.array_equal(image.values, PIXELS)


def test_webp_without_loss_comes_back_exactly():
    image = decode(file_of(Image.fromarray(PIXELS), "WEBP", lossless=True), "a")
    assert np.array_equal(image.values, PIXELS)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_formats_with_loss_come_back_nearly(kind):
    image = decode(file_of(Image.fromarray(SMOOTH), kind, quality=95), "a")
    assert np.abs(image.values.astype(int) - SMOOTH).mean() < 4


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "JPEG"])
def test_grey_pictures_stay_grey(kind):
    assert decode(file_of(Image.fromarray(SMOOTH[:, :, 0]), kind), "a").kind == "L"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_pictures_are_turned_upright(kind, orientation):
    upright = np.zeros((12, 20, 3), np.uint8)
    upright[:6, :10] = 255  # the upper left is white
    turns = Image.Transpose
    undo = {
        2: turns.FLIP_LEFT_RIGHT,
        3: turns.ROTATE_180,
        4: turns.FLIP_TOP_BOTTOM,
        5: turns.TRANSPOSE,
        6: turns.ROTATE_90,
        7: turns.TRANSVERSE,
        8: turns.ROTATE_270,
    }
    stored = Image.fromarray(upright)
    if orientation > 1:
        stored = stored.transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decode(file_of(stored, kind, exif=exif), "a")
    assert image.size == (20, 12)
    seen = image.values.astype(int)
    assert seen[1:5, 1:9].min() > 200
    assert max(seen[8:].max(), seen[:, 12:].max()) < 60


def test_alpha_is_laid_over_white_or_black_or_is_a_channel():
    image = Image.new("RGBA", (2, 1), (0, 10, 0, 0))
    image.putpixel((1, 0), (200, 0, 0, 255))
    picture = decode(file_of(image, "PNG"), "a")
    assert picture.kind == "RGBA"
    assert picture.flat("white")[0].tolist() == [[255, 255, 255], [200, 0, 0]]
    assert picture.flat("black")[0].tolist() == [[0, 0, 0], [200, 0, 0]]
    assert picture.flat("channel")[0].tolist() == [[0, 10, 0, 0], [200, 0, 0, 255]]
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[0, 255]]


def test_grey_with_alpha_stays_grey_over_white():
    picture = decode(file_of(Image.new("LA", (2, 2), (40, 0)), "PNG"), "a")
    assert (picture.kind, picture.flat().shape, picture.flat().min()) == ("LA", (2, 2, 1), 255)


def test_a_palette_becomes_its_colours_and_its_transparent_entry_white():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    opaque = decode(file_of(image, "PNG"), "a")
    assert opaque.values[0].tolist() == [[10, 20, 30], [200, 100, 50]]
    assert opaque.alpha is None
    clear = decode(file_of(image, "PNG", transparency=0), "a")
    assert clear.flat()[0].tolist() == [[255, 255, 255], [200, 100, 50]]


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(kind):
    picture = decode(file_of(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), kind), "a")
    red = picture.values[4, 4].tolist()
    assert picture.mode == "CMYK"
    assert red[0] > 230
    assert max(red[1:]) < 30


def test_lab_becomes_rgb():
    assert decode(file_of(Image.new("LAB", (4, 4), (128, 0, 0)), "TIFF"), "a").channels == 3


def test_one_bit_pictures_are_black_and_white():
    picture = decode(file_of(Image.new("1", (4, 4), 1), "PNG"), "a")
    assert (picture.dtype, np.unique(picture.values).tolist()) == (np.uint8, [255])


DEEP_PNM = {
    "grey.pgm": b"P5 2 1 65535\n" + b"abcd",
    "colour.ppm": b"P6 1 1 65535\n" + b"abcdef",
    "plain.pgm": b"P2 2 1 1023 7 1000",
    "remarks.ppm": b"P6 # a remark\n1 # and\n# more\n1 65535\n" + b"abcdef",
}


@pytest.mark.parametrize("name", DEEP_PNM)
def test_deep_portable_maps_are_refused_and_never_squeezed(name):
    with pytest.raises(BadPicture, match=r"^\S+: has 1[06] bits a channel, .*PNG, TIFF and NPY"):
        decode(DEEP_PNM[name], name)


def halved(kind: str) -> bytes:
    whole = file_of(Image.fromarray(CHANCE.integers(0, 256, (64, 64, 3), dtype=np.uint8)), kind)
    return whole[: len(whole) // 2]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF", "PPM"])
def test_a_truncated_picture_is_refused_and_never_filled_with_grey(kind):
    with pytest.raises(BadPicture, match=r"^half: is (damaged|no picture)"):
        decode(halved(kind), "half")


def test_a_changed_byte_in_a_png_is_noticed():
    whole = bytearray(file_of(Image.fromarray(PIXELS), "PNG"))
    whole[len(whole) // 2] ^= 1
    with pytest.raises(BadPicture, match="is damaged"):
        decode(bytes(whole), "a")


def test_an_empty_file_is_called_empty():
    with pytest.raises(BadPicture, match=r"^x\.png: is empty \(0 bytes\)$"):
        decode(b"", "x.png")


def test_text_is_called_text():
    with pytest.raises(BadPicture, match=r"^x\.jpg: is text and no picture"):
        decode(b"<!DOCTYPE html>\n<title>404</title>", "x.jpg")


def test_other_bytes_are_called_no_picture():
    with pytest.raises(BadPicture, match=r"^x\.jpg: is no picture that can be read$"):
        decode(b"\0\1\2\3" * 99, "x.jpg")


def test_a_decompression_bomb_is_refused_before_it_takes_memory():
    bomb = png_file(60_000, 60_000, 8, 2, b"\0")
    with pytest.raises(BadPicture, match=r"^x: claims too many pixels.*3600000000"):
        decode(bomb, "x")


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_animations_and_pages_are_refused_by_their_number(kind):
    frames = [Image.fromarray(CHANCE.integers(0, 256, (8, 8, 3), dtype=np.uint8)) for _ in "abc"]
    several = file_of(frames[0], kind, save_all=True, append_images=frames[1:])
    with pytest.raises(BadPicture, match=r"^x: holds 3 frames; split it"):
        decode(several, "x")


def test_of_a_cameras_mpo_the_picture_is_taken():
    frames = [Image.new("RGB", (20, 12), colour) for colour in ("white", "black")]
    content = file_of(frames[0], "MPO", save_all=True, append_images=frames[1:])
    image = decode(content, "x.jpg")
    assert image.size == (20, 12)
    assert image.values.min() > 250


def picture_or_sentence(content: bytes) -> bool:
    """Whether that is what these bytes end as; any other exception passes through."""
    try:
        return decode(content, "x").flat().shape[2] in (1, 2, 3)
    except BadPicture as bad:
        return str(bad).startswith("x: ") and "\n" not in str(bad)


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(["JPEG", "PNG", "BMP", "WEBP", "TIFF", "PPM"]),
    st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=4),
    st.floats(0.01, 1),
)
def test_whatever_is_damaged_ends_as_a_picture_or_a_sentence(kind, changes, length):
    exif = Image.Exif()
    exif[0x0112] = 6
    content = bytearray(file_of(Image.fromarray(SMOOTH), kind, exif=exif))
    for place, value in changes:
        content[int(place * len(content))] = value
    assert picture_or_sentence(bytes(content[: int(length * len(content))]))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_end_as_a_picture_or_a_sentence(content):
    for head in (
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"P6 ",
        b"BM",
        b"II*\0",
        b"\xff\xd8\xff",
        b"\x93NUMPY",
        b"PK\x03\x04",
    ):
        assert picture_or_sentence(head + content)


def test_decoding_in_threads_leaves_the_filters_of_warnings_as_they_were():
    content = file_of(Image.fromarray(PIXELS), "PNG")
    before = list(warnings.filters)

    def work() -> None:
        for _ in range(50):
            decode(content, "x")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before


def test_a_limit_of_pillow_is_none_of_ours_and_stays_as_it_was(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    assert decode(file_of(Image.fromarray(PIXELS), "PNG"), "x").size == (20, 12)
    assert Image.MAX_IMAGE_PIXELS == 20
