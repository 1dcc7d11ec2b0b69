"""Plain PNGs, inflated by libdeflate: libpng is then given bytes that are stored and no longer
compressed, and only undoes the filters of their rows (PNG, third edition, W3C 2025, section 9)."""

from collections.abc import Iterator

import imagecodecs
import numpy as np

SIGNATURE, HEAD = 8, 33
"""So many bytes are the signature, and that with the IHDR."""
CHANNELS = {0: 1, 2: 3}
"""Of grey and of RGB."""
SPECIAL = frozenset(
    [b"eXIf", b"iTXt", b"zTXt", b"tEXt", b"tRNS", b"sBIT", b"acTL", b"fcTL", b"fdAT"]
)
"""Chunks that may say that a picture is to be turned, or that its values are not what they seem."""
END = b"\0\0\0\0IEND\xaeB`\x82"
BLOCK = 2**16 - 1
"""So many bytes a stored block holds at most (RFC 1951, section 3.2.4)."""
LARGE = 2**26
"""Above so many bytes inflated, what is saved is not worth memory for them twice over."""


def read_plain_png(content: bytes) -> np.ndarray | None:
    """uint8 (H, W) or (H, W, 3) of a PNG of 8 bits, grey or RGB, upright; None of any other.

    Raises:
        RuntimeError: it is damaged.
    """
    if len(content) < HEAD or content[12:16] != b"IHDR":
        return None
    depth, colour, interlaced = content[24], content[25], content[28]
    if depth != 8 or colour not in CHANNELS:
        return None
    packed = []
    for kind, data in chunks(content):
        if kind in SPECIAL:
            return None
        if kind == b"IDAT":
            packed.append(data)
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    size = height * (1 + CHANNELS[colour] * width)
    if interlaced or size > LARGE:
        return imagecodecs.png_decode(content)
    rows = imagecodecs.deflate_decode(b"".join(packed), out=size)
    return imagecodecs.png_decode(stored(content[:HEAD], rows)) if len(rows) == size else None


def chunks(content: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """The type and data of each chunk up to IEND."""
    at, kind, view = SIGNATURE, b"", memoryview(content)
    while kind != b"IEND" and at < len(content):
        length, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        yield kind, view[at + 8 : at + 8 + length]
        at += 12 + length


def stored(head: bytes, rows: bytes | bytearray) -> bytes:
    """The PNG that begins so and has these filtered rows, as a zlib stream of stored blocks
    (RFC 1950 and 1951)."""
    view = memoryview(rows)
    stream: list[bytes | memoryview] = [b"IDAT\x78\x01"]
    for at in range(0, len(rows), BLOCK):
        length = min(BLOCK, len(rows) - at)
        last = at + length == len(rows)
        stream.append(
            bytes([last]) + length.to_bytes(2, "little") + (length ^ BLOCK).to_bytes(2, "little")
        )
        stream.append(view[at : at + length])
    stream.append(imagecodecs.deflate_adler32(rows).to_bytes(4, "big"))
    length, check = sum(map(len, stream)) - len(b"IDAT"), 0
    for piece in stream:
        # Any buffer will do, whatever its type hints say.
        check = imagecodecs.deflate_crc32(piece, check)  # pyright: ignore[reportArgumentType]
    return b"".join((head, length.to_bytes(4, "big"), *stream, check.to_bytes(4, "big"), END))
