"""From a file's bytes to a picture, upright, whole and at its own depth, or one sentence that says
why not."""

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

import imagecodecs
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ganvas.colour import rgb_to_lab
from ganvas.data.arrays import read_npy, read_npz
from ganvas.data.bad import BadPicture, refuse_bomb
from ganvas.data.sources import Entry, Half, InLab
from ganvas.data.tiff import is_tiff, read_tiff
from ganvas.errors import InputError
from ganvas.pictures import Picture, as_rgb_shares, from_pil, upright

PNG, NPY, ZIP = b"\x89PNG\r\n\x1a\n", b"\x93NUMPY", b"PK\x03\x04"
HEAD = 4096
"""So many bytes of a file are looked at for its depth."""
ORIENTATION = 274
"""EXIF's tag."""


def decode(content: bytes, name: str) -> Picture:
    """The picture in these bytes, decoded whole, with its EXIF orientation applied.

    Raises:
        BadPicture: empty, truncated, no picture, too large, or of a kind that would lose something.
    """
    if not content:
        raise BadPicture(f"{name}: is empty (0 bytes)")
    with no_warnings():
        try:
            picture = read(content)
        except UnidentifiedImageError:
            found = "is text and no" if is_text(content) else "is no"
            raise BadPicture(f"{name}: {found} picture that can be read") from None
        except BadPicture as bad:
            raise BadPicture(f"{name}: {bad}") from None
        except InputError as error:
            raise BadPicture(f"{name}: {error}") from None
        except Exception as error:
            # The decoders have no error of their own for damage: they raise what they meet.
            reason = " ".join(str(error).split()) or type(error).__name__
            raise BadPicture(f"{name}: is damaged or cut short ({reason})") from None
    values = picture.values
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        count = int((~np.isfinite(values)).sum())
        raise BadPicture(f"{name}: holds {count} values that are not finite; fill them first")
    if values.dtype.kind == "f" and picture.alpha is not None:
        both = (values, picture.alpha)
        if min(v.min() for v in both) < 0 or max(v.max() for v in both) > 1:
            raise BadPicture(
                f"{name}: has alpha, but floats that are not from 0 to 1, so that white and opaque "
                "are not known; bring them to 0 to 1, or leave alpha out"
            )
    return picture


def read(content: bytes) -> Picture:
    """By what the bytes say they are, and not by the file's ending."""
    if content.startswith(NPY):
        return read_npy(content)
    if content.startswith(ZIP):
        return read_npz(content)
    if is_tiff(content) and (picture := read_tiff(content)) is not None:
        return picture
    if content.startswith(PNG) and content[24:25] == b"\x10":
        return read_deep_png(content)
    head = re.sub(rb"#[^\n]*", b"", content[:HEAD])
    if (pnm := re.match(rb"P[2356]\s+\d+\s+\d+\s+(\d+)", head)) and int(pnm[1]) > 255:
        raise BadPicture(
            f"has {int(pnm[1]).bit_length()} bits a channel, which would be lost; more than 8 are "
            "read from PNG, TIFF and NPY: convert it"
        )
    return from_pil(read_shallow(content))


def read_shallow(content: bytes) -> Image.Image:
    """What Pillow reads without loss: 8 bits a channel and fewer."""
    image = Image.open(io.BytesIO(content))
    refuse_bomb(image.width * image.height, len(image.getbands()), len(content))
    # A camera's MPO is a JPEG, behind whose picture lie a thumbnail or the other eye's view.
    if image.format != "MPO" and (frames := getattr(image, "n_frames", 1)) > 1:
        raise BadPicture(f"holds {frames} frames; split it into single pictures")
    image.load()
    return ImageOps.exif_transpose(image)


def read_deep_png(content: bytes) -> Picture:
    """16 bits a channel: grey, RGB, and either with alpha."""
    header = Image.open(io.BytesIO(content))
    refuse_bomb(header.width * header.height, 8, len(content))
    values = imagecodecs.png_decode(content)
    values = values[:, :, None] if values.ndim == 2 else values
    values = upright(values, header.getexif().get(ORIENTATION, 1))
    alpha = None
    if values.shape[2] in (2, 4):
        values, alpha = values[:, :, :-1], values[:, :, -1]
    return Picture(values, alpha)


def decode_entry(
    entry: Entry, content: bytes, quickly: Callable[[bytes], Picture | None] | None = None
) -> Picture:
    """The picture of an entry that these bytes were read from: of a `Half`, that half of it; of an
    `InLab`, that part of its colours. `quickly` is asked first, and may not know.

    Raises:
        BadPicture: as `decode` does, or it has no such part.
    """
    picture = (quickly(content) if quickly else None) or decode(content, entry.name)
    if isinstance(entry, Half):
        return half_of(picture, entry)
    if isinstance(entry, InLab):
        if picture.channels != 3:
            raise BadPicture(
                f"{entry.name}: has {picture.channels} channels, but colorization learns from RGB"
            )
        try:
            lab = rgb_to_lab(as_rgb_shares(picture)).astype(np.float32)
        except InputError as error:
            raise BadPicture(f"{entry.name}: {error}") from None
        return Picture(lab[:, :, :1] if entry.space == "lightness" else lab[:, :, 1:])
    return picture


def half_of(picture: Picture, entry: Half) -> Picture:
    """The left half for A, the right one for B."""
    width, height = picture.size
    if width <= height:
        raise BadPicture(
            f"{entry.name}: is {width}x{height} and no wider than high, so not A and B side by side"
        )
    if width % 2:
        raise BadPicture(
            f"{entry.name}: is {width} pixels wide, which gives no two halves of one width"
        )
    left = 0 if entry.domain == "A" else width // 2
    return picture.cut(left, 0, left + width // 2, height)


def is_text(content: bytes) -> bool:
    """Whether a file begins like text: a web page, say, that was saved in place of a picture."""
    return all(byte >= 32 or byte in b"\t\n\r\f" for byte in content[:64])


_lock, _inside = Lock(), 0
_filters, _most = warnings.catch_warnings(action="ignore"), Image.MAX_IMAGE_PIXELS


@contextmanager
def no_warnings() -> Iterator[None]:
    """Pillow warns of files that it reads all the same; what it cannot read it raises. Nor does
    its own limit of pixels hold here: `refuse_bomb` knows the file's length.

    Counted over threads: with a `catch_warnings` each, the filters of one would stay behind when
    another ends first.
    """
    global _inside, _filters, _most
    with _lock:
        if _inside == 0:
            _filters = warnings.catch_warnings(action="ignore")
            _filters.__enter__()
            _most, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                Image.MAX_IMAGE_PIXELS = _most
                _filters.__exit__(None, None, None)
