"""Plain PNGs are what Pillow makes of them, however their rows are filtered and packed."""

import io
import zlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from ganvas.data import png
from ganvas.data.png import read_plain_png

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB = 0, 2
Chunk = tuple[bytes, bytes]


def header(width: int, height: int, colour: int = RGB) -> bytes:
    """An IHDR of 8 bits."""
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return size + bytes([8, colour, 0, 0, 0])


def file_of(*chunks: Chunk) -> bytes:
    parts = [SIGNATURE]
    for kind, data in chunks:
        check = zlib.crc32(kind + data).to_bytes(4, "big")
        parts += [len(data).to_bytes(4, "big"), kind, data, check]
    return b"".join(parts)


def rows_of(width: int, height: int, channels: int, seed: int) -> bytes:
    """Rows of chance, of which any bytes are right, with filters of all five types."""
    chance = np.random.default_rng(seed)
    rows = chance.integers(0, 256, (height, 1 + channels * width), np.uint8)
    rows[:, 0] = chance.integers(0, 5, height)
    return rows.tobytes()


def by_pillow(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    colour=st.sampled_from([GREY, RGB]),
    seed=st.integers(0, 99),
    level=st.integers(0, 9),
    pieces=st.integers(1, 4),
)
@example(size=(160, 140), colour=RGB, seed=1, level=6, pieces=2).via("more than one stored block")
@example(size=(65534, 1), colour=GREY, seed=1, level=6, pieces=1).via("one block to the byte")
def test_any_filters_and_packing_give_pillows_values(
    size: tuple[int, int], colour: int, seed: int, level: int, pieces: int
):
    packed = zlib.compress(rows_of(*size, 3 if colour == RGB else 1, seed), level)
    step = -(-len(packed) // pieces)
    data = [(b"IDAT", packed[at : at + step]) for at in range(0, len(packed), step)]
    content = file_of((b"IHDR", header(*size, colour)), *data, (b"IEND", b""))
    found = read_plain_png(content)
    assert found is not None
    assert found.dtype == np.uint8
    assert np.array_equal(found, by_pillow(content))


def small(*more: Chunk, packed: bytes | None = None) -> bytes:
    """A picture of 5x4 with these chunks between its values and its end."""
    data = zlib.compress(rows_of(5, 4, 3, 0)) if packed is None else packed
    return file_of((b"IHDR", header(5, 4)), (b"IDAT", data), *more, (b"IEND", b""))


@pytest.mark.parametrize("kind", sorted(png.SPECIAL))
def test_a_chunk_that_may_change_what_is_seen_is_for_pillow(kind):
    assert read_plain_png(small()) is not None
    assert read_plain_png(small((kind, b"anything"))) is None


def test_such_a_word_among_the_values_or_behind_the_end_says_nothing():
    values = np.frombuffer(b"eXIftEXt", np.uint8).repeat(3).reshape(2, 4, 3)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG", compress_level=0)
    content = file.getvalue() + file_of((b"eXIf", b"none"))[8:]
    found = read_plain_png(content)
    assert found is not None
    assert np.array_equal(found, values)


@pytest.fixture
def asked(monkeypatch) -> list[bytes]:
    """The rows of all pictures that are stored anew from here on."""
    found, plainly = [], png.stored
    monkeypatch.setattr(png, "stored", lambda head, rows: found.append(rows) or plainly(head, rows))
    return found


def test_what_would_take_much_memory_is_left_to_libpng(monkeypatch, asked):
    content, size = small(), 4 * 16
    for most, count in ((size, 1), (size - 1, 0)):
        asked.clear()
        monkeypatch.setattr(png, "LARGE", most)
        found = read_plain_png(content)
        assert found is not None
        assert np.array_equal(found, by_pillow(content))
        assert len(asked) == count


def test_what_is_interlaced_is_left_to_libpng(asked):
    passes = [(1, 1), (1, 1), (1, 1), (3, 1), (2, 2), (5, 2)]  # Adam7's, of 5x4
    rows = b"".join(rows_of(*size, 3, seed) for seed, size in enumerate(passes))
    content = file_of(
        (b"IHDR", header(5, 4)[:-1] + b"\1"), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    )
    found = read_plain_png(content)
    assert found is not None
    assert np.array_equal(found, by_pillow(content))
    assert not asked


@pytest.mark.parametrize(
    "packed",
    [
        zlib.compress(rows_of(5, 4, 3, 0))[:-1],
        zlib.compress(rows_of(5, 4, 3, 0))[:-1] + b"?",
        zlib.compress(rows_of(5, 5, 3, 0)),
        b"",
        zlib.compress(b"\5" * 64),
    ],
    ids=["cut short", "sum is wrong", "too much", "nothing", "no such filter"],
)
def test_damage_is_told_and_never_made_up_for(packed):
    with pytest.raises(RuntimeError):
        read_plain_png(small(packed=packed))


def test_too_few_rows_are_for_pillow_to_refuse():
    assert read_plain_png(small(packed=zlib.compress(rows_of(5, 3, 3, 0)))) is None


@pytest.mark.parametrize("content", [b"", SIGNATURE, small()[:20], SIGNATURE + bytes(40)], ids=len)
def test_what_has_no_header_is_no_plain_png(content):
    assert read_plain_png(content) is None
