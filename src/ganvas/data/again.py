"""Pictures that were read before the training began, and are decoded anew each time: by the
quickest decoder that is known to give the same."""

import imagecodecs
import numpy as np

from ganvas.data.decode import PNG, decode_entry
from ganvas.data.png import read_plain_png
from ganvas.data.survey import Seen
from ganvas.errors import InputError
from ganvas.pictures import Picture

SOI, SOS = b"\xff\xd8", b"\xff\xda"
JPEG = SOI + b"\xff"
SEGMENTS = frozenset(bytes([0xFF, kind]) for kind in [*range(0xC0, 0xD0), *range(0xDA, 0xFF)])
"""Markers, SOS among them, behind which the length of their segment stands (ITU-T T.81, B.1.1)."""
TURNED = (b"Exif", b"eXIf", b"Orientation")
"""What may say that a picture is to be turned."""


def read_again(seen: Seen) -> Picture:
    """A picture that could be read before the training began.

    Raises:
        InputError: it has gone or changed since.
    """
    entry = seen.entry
    try:
        content = entry.read()
        # Damage that came since is for the decoder that finds it.
        known = imagecodecs.deflate_crc32(content) == seen.check
        return decode_entry(entry, content, quickly if known else None)
    except (OSError, RuntimeError, KeyError, InputError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{entry.name}: can no longer be read ({reason}); put it back") from None


def quickly(content: bytes) -> Picture | None:
    """The picture in bytes that are known to be sound, where it is a plain one: 8 bits, grey or
    RGB, as it lies. Both decoders are libjpeg-turbo, or libpng, and give the same values; this one
    writes them where they are wanted, in one go."""
    try:
        if content.startswith(JPEG):
            head = head_of_jpeg(content)
            turned = any(mark in head for mark in TURNED)
            values = None if turned else imagecodecs.jpeg8_decode(content)
        elif content.startswith(PNG):
            values = read_plain_png(content)
        else:
            return None
    except RuntimeError:
        return None
    if values is None:
        return None
    values = values[:, :, None] if values.ndim == 2 else values
    plain = values.dtype == np.uint8 and values.shape[2] in (1, 3)
    return Picture(values) if plain else None


def head_of_jpeg(content: bytes) -> bytes:
    """What stands before its first scan; all where that is not found where it should be."""
    at = len(SOI)
    while (marker := content[at : at + 2]) in SEGMENTS:
        if marker == SOS:
            return content[:at]
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return content
