"""Files of every depth and any number of channels: what is written is read, value for value."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ganvas.data.bad import BadPicture
from ganvas.data.decode import decode
from ganvas.data.encode import encode, fitting, holds
from ganvas.errors import InputError
from ganvas.pictures import Picture

CHANCE = np.random.default_rng(0)
INTEGERS = ["uint8", "uint16", "uint32", "int8", "int16", "int32"]
FLOATS = ["float16", "float32", "float64"]


def values_of(dtype: str, *shape: int) -> np.ndarray:
    if dtype.startswith("float"):
        return CHANCE.normal(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    return CHANCE.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


def tiff(array: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def same(found: Picture, wanted: Picture) -> bool:
    pairs = [(found.values, wanted.values)]
    if wanted.alpha is not None and found.alpha is not None:
        pairs.append((found.alpha, wanted.alpha))
    alike = all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)
    return alike and (found.alpha is None) == (wanted.alpha is None)


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".npz"])
@pytest.mark.parametrize("dtype", INTEGERS + FLOATS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 32])
@pytest.mark.parametrize("planes", [False, True], ids=["samples", "planes"])
def test_any_type_and_number_of_channels_comes_back(suffix, dtype, channels, planes):
    picture = Picture(values_of(dtype, 40, 37, channels), planes=planes and channels > 1)
    found = decode(encode(picture, suffix), "a")
    assert same(found, picture)
    assert found.planes == picture.planes


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_grey_and_colour_come_back_with_their_alpha(suffix, dtype, channels):
    picture = Picture(values_of(dtype, 12, 20, channels), values_of(dtype, 12, 20))
    assert same(decode(encode(picture, suffix), "a"), picture)


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]), st.booleans())
def test_png_of_16_bits_comes_back_at_any_size(width, height, channels, clear):
    alpha = values_of("uint16", height, width) if clear else None
    picture = Picture(values_of("uint16", height, width, channels), alpha)
    assert same(decode(encode(picture, ".png"), "a"), picture)


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "zstd", "packbits"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_tiff_is_read_however_it_is_packed(compression, byteorder):
    array = values_of("uint16", 30, 21, 3)
    options = {"photometric": "rgb", "compression": compression, "byteorder": byteorder}
    assert same(decode(tiff(array, **options), "a"), Picture(array))


def test_pages_are_channels():
    pages = values_of("uint8", 6, 20, 12)
    found = decode(tiff(pages, photometric="minisblack"), "a")
    assert found.planes
    assert same(found, Picture(np.moveaxis(pages, 0, 2)))


@pytest.mark.parametrize("axes", ["CYX", "ZYX", "TYX"])
def test_stacks_of_microscopes_are_channels(axes):
    stack = values_of("uint16", 4, 20, 12)
    found = decode(tiff(stack, imagej=True, metadata={"axes": axes}), "a")
    assert same(found, Picture(np.moveaxis(stack, 0, 2)))


def test_near_infrared_beside_rgb_is_a_channel_and_no_alpha():
    array = values_of("uint8", 9, 8, 4)
    found = decode(tiff(array, photometric="rgb", extrasamples=["unspecified"]), "a")
    assert same(found, Picture(array))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_alpha_that_was_multiplied_into_the_colours_is_taken_out(dtype):
    top = np.iinfo(dtype).max
    array = np.full((4, 4, 4), [top // 4, top // 2, 0, top // 2], dtype)
    found = decode(tiff(array, photometric="rgb", extrasamples=["assocalpha"]), "a")
    assert found.alpha is not None
    colour = found.values[0, 0].astype(int)
    assert abs(colour - [top // 2, top, 0]).max() <= 3


def test_white_that_is_zero_is_turned_round():
    array = values_of("uint16", 9, 8)
    found = decode(tiff(array, photometric="miniswhite"), "a")
    assert np.array_equal(found.values[:, :, 0], 65535 - array)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_tiffs_are_turned_upright(orientation):
    upright = np.zeros((12, 20), np.uint16)
    upright[:6, :10] = 60000
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    content = tiff(np.ascontiguousarray(stored), extratags=[(274, "H", 1, orientation, True)])
    assert np.array_equal(decode(content, "a").values[:, :, 0], upright)


def test_a_picture_with_smaller_copies_of_itself_is_one_picture():
    array, file = values_of("uint16", 64, 64), io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(array, subifds=1)
        writer.write(array[::2, ::2], subfiletype=1)
    assert same(decode(file.getvalue(), "a"), Picture(array[:, :, None]))


def two_kinds() -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(values_of("uint16", 8, 8))
        writer.write(values_of("uint16", 9, 7))
    return file.getvalue()


WRONG = {
    "colour pages": (tiff(values_of("uint8", 3, 8, 8, 3), photometric="rgb"), "holds 3 frames"),
    "two sizes": (two_kinds(), "holds 2 pictures of different kinds; split it"),
    "a stack of stacks": (
        tiff(values_of("uint8", 2, 3, 8, 8), imagej=True, metadata={"axes": "ZCYX"}),
        "is a stack .Z 2 x C 3 x Y 8 x X 8.; split it until one axis",
    ),
    "complex numbers": (npy(np.zeros((4, 4), complex)), "is an array of complex128"),
    "four axes": (npy(np.zeros((2, 4, 4, 3))), r"is an array \(2, 4, 4, 3\); pictures are"),
    "no pixel": (npy(np.zeros((0, 4))), r"is an array \(0, 4\)"),
    "not a number": (npy(np.full((4, 4), np.nan)), "holds 16 values that are not finite"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_single_picture_is_refused_with_the_reason(what):
    content, said = WRONG[what]
    with pytest.raises(BadPicture, match=f"^x: {said}"):
        decode(content, "x")


def test_of_an_npz_the_only_picture_is_taken_and_its_name_kept():
    file, array = io.BytesIO(), values_of("float32", 9, 8, 3)
    np.savez(file, scan=array, pixel_size=np.float64(0.3))
    picture = decode(file.getvalue(), "a")
    assert np.array_equal(picture.values, array)
    with np.load(io.BytesIO(encode(picture, ".npz"))) as arrays:
        assert arrays.files == ["scan"]


def test_of_an_npz_with_two_pictures_none_is_guessed():
    file = io.BytesIO()
    np.savez(file, scan=np.zeros((4, 4)), mask=np.zeros((4, 4)))
    with pytest.raises(BadPicture, match=r"holds 2 arrays .*\(scan, mask\); one is wanted"):
        decode(file.getvalue(), "x")


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".npz", ".png"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_truncated_deep_picture_is_refused(suffix, part):
    whole = encode(Picture(values_of("uint16", 64, 64, 3)), suffix)
    with pytest.raises(BadPicture, match=r"^x: is (damaged|no picture)"):
        decode(whole[: int(part * len(whole))], "x")


@given(
    st.sampled_from([".tif", ".npy", ".npz", ".png"]),
    st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=4),
    st.floats(0.01, 1),
)
def test_damaged_deep_files_end_as_a_picture_or_a_sentence(suffix, changes, length):
    content = bytearray(encode(Picture(values_of("uint16", 6, 5, 3)), suffix))
    for place, value in changes:
        content[int(place * len(content))] = value
    assert picture_or_sentence(bytes(content[: int(length * len(content))]))


def picture_or_sentence(content: bytes) -> bool:
    """Whether that is what these bytes end as; any other exception passes through."""
    try:
        return decode(content, "x").values.size > 0
    except BadPicture as bad:
        return str(bad).startswith("x: ") and "\n" not in str(bad)


def test_a_tiff_that_claims_too_much_is_refused_before_it_takes_memory():
    content = bytearray(tiff(np.zeros((4, 4), np.uint16), metadata=None))
    with tifffile.TiffFile(io.BytesIO(bytes(content))) as file:
        tags = file.pages[0].tags  # pyright: ignore[reportAttributeAccessIssue]
        places = [tags["ImageWidth"].valueoffset, tags["ImageLength"].valueoffset]
    for place in places:
        struct.pack_into("<I", content, place, 60_000)
    with pytest.raises(BadPicture, match="claims too many pixels"):
        decode(bytes(content), "x")


def test_a_png_of_16_bits_with_a_changed_byte_is_noticed():
    whole = bytearray(encode(Picture(values_of("uint16", 20, 20, 3)), ".png"))
    whole[len(whole) // 2] ^= 1
    with pytest.raises(BadPicture, match="is damaged"):
        decode(bytes(whole), "x")


def test_pillow_reads_the_same_16_bit_grey():
    array = values_of("uint16", 9, 8)
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    assert np.array_equal(decode(file.getvalue(), "a").values[:, :, 0], array)


def test_orientation_in_a_deep_png_is_applied():
    array = values_of("uint16", 6, 9, 3)
    content = encode(Picture(array), ".png")
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0"[6:]
    chunk = b"eXIf" + exif
    chunk = struct.pack(">I", len(exif)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    turned = content[:33] + chunk + content[33:]
    assert np.array_equal(decode(turned, "a").values, array[::-1, ::-1])


@given(
    st.sampled_from([".png", ".jpg", ".webp", ".bmp", ".ppm", ".pgm", ".tif", ".npy", ".npz"]),
    st.sampled_from(INTEGERS + FLOATS),
    st.integers(1, 33),
)
def test_the_nearest_format_always_holds_it_and_is_the_same_where_it_can_be(
    suffix, dtype, channels
):
    found = fitting(suffix, dtype, channels)
    assert holds(found, dtype, channels)
    assert (found == suffix) == holds(suffix, dtype, channels)


@pytest.mark.parametrize(
    ("suffix", "dtype", "channels", "better"),
    [(".jpg", "uint16", 3, ".png"), (".png", "float32", 1, ".tif"), (".bmp", "uint8", 7, ".tif")],
)
def test_a_format_that_cannot_hold_it_is_refused_with_one_that_can(suffix, dtype, channels, better):
    with pytest.raises(InputError, match=rf"^{suffix} does not hold {dtype} .*; {better} does"):
        encode(Picture(values_of(dtype, 4, 4, channels)), suffix)


@pytest.mark.parametrize("photometric", ["cielab", "separated"])
def test_deep_colours_that_are_not_rgb_are_refused_and_not_taken_for_it(photometric):
    channels = 4 if photometric == "separated" else 3
    content = tiff(values_of("uint16", 9, 8, channels), photometric=photometric)
    with pytest.raises(BadPicture, match=r"^x: is (CIELAB|SEPARATED) of uint16, which is not read"):
        decode(content, "x")


def test_floats_with_alpha_that_are_not_from_0_to_1_are_refused():
    array = np.full((4, 4, 4), 200, np.float32)
    content = tiff(array, photometric="rgb", extrasamples=["unassalpha"])
    with pytest.raises(BadPicture, match="has alpha, but floats that are not from 0 to 1"):
        decode(content, "x")


def test_white_that_is_zero_keeps_its_alpha():
    array = values_of("uint16", 9, 8, 2)
    options = {"photometric": "miniswhite", "planarconfig": "contig"}
    found = decode(tiff(array, extrasamples=["unassalpha"], **options), "a")
    assert found.alpha is not None
    assert np.array_equal(found.values[:, :, 0], 65535 - array[:, :, 0])


def test_an_npz_that_unpacks_to_hundreds_of_times_its_size_is_refused():
    file = io.BytesIO()
    np.savez_compressed(file, scan=np.zeros((24_000, 24_000), np.uint8))
    with pytest.raises(BadPicture, match="claims too many pixels"):
        decode(file.getvalue(), "x")


def test_large_tiffs_are_written_as_bigtiff(monkeypatch):
    monkeypatch.setattr("ganvas.data.tiff.LARGEST", 100)
    picture = Picture(values_of("uint16", 12, 20, 3))
    content = encode(picture, ".tif")
    assert content.startswith(b"II+\0")
    assert same(decode(content, "a"), picture)


def test_a_size_that_a_format_has_no_room_for_is_said():
    with pytest.raises(InputError, match=r"^17000x4 cannot be written as \.webp"):
        encode(Picture(np.zeros((4, 17000, 3), np.uint8)), ".webp")


def test_an_array_of_objects_is_called_so():
    with pytest.raises(BadPicture, match=r"^x: holds Python objects; save an array of numbers"):
        decode(npy(np.array([[1, None]], object)), "x")
