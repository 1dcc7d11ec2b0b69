"""From a file's bytes to a picture, upright and whole, or one sentence that says why not."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from PIL import Image, ImageOps, UnidentifiedImageError

from ganvas.data.sources import Entry, Half
from ganvas.errors import InputError
from ganvas.pictures import check_depth

HEAD = 4096
"""So many bytes of a file are looked at for its depth."""


class BadPicture(InputError):
    """A file that cannot be used as a picture; the message names it."""


def decode(content: bytes, name: str) -> Image.Image:
    """The picture in these bytes, decoded whole, with its EXIF orientation applied.

    Raises:
        BadPicture: empty, truncated, no picture, too large, or of a depth that would be lost.
    """
    if not content:
        raise BadPicture(f"{name}: is empty (0 bytes)")
    with no_warnings():
        try:
            image = Image.open(io.BytesIO(content))
            check_depth(image, name, content[:HEAD])
            image.load()
            return ImageOps.exif_transpose(image)
        except UnidentifiedImageError:
            found = "is text and no" if is_text(content) else "is no"
            raise BadPicture(f"{name}: {found} picture that can be read") from None
        except InputError as error:
            raise BadPicture(str(error)) from None
        except Image.DecompressionBombError as error:
            raise BadPicture(
                f"{name}: claims too many pixels, as decompression bombs do; scale it down if it "
                f"is honest ({error})"
            ) from None
        except Exception as error:
            # Pillow has no error of its own for damage: its decoders raise what they meet.
            reason = " ".join(str(error).split()) or type(error).__name__
            raise BadPicture(f"{name}: is damaged or cut short ({reason})") from None


def decode_entry(entry: Entry, content: bytes) -> Image.Image:
    """The picture of an entry that these bytes were read from: of a `Half`, that half of it.

    Raises:
        BadPicture: as `decode` does, or it has no two halves of one size, side by side.
    """
    picture = decode(content, entry.name)
    if not isinstance(entry, Half):
        return picture
    width, height = picture.size
    if width <= height:
        raise BadPicture(
            f"{entry.name}: is {width}x{height} and no wider than high, so not A and B side by side"
        )
    if width % 2:
        raise BadPicture(
            f"{entry.name}: is {width} pixels wide, which gives no two halves of one width"
        )
    left, right = (0, 0, width // 2, height), (width // 2, 0, width, height)
    return picture.crop(left if entry.domain == "A" else right)


def is_text(content: bytes) -> bool:
    """Whether a file begins like text: a web page, say, that was saved in place of a picture."""
    return all(byte >= 32 or byte in b"\t\n\r\f" for byte in content[:64])


_lock, _inside, _filters = Lock(), 0, warnings.catch_warnings(action="ignore")


@contextmanager
def no_warnings() -> Iterator[None]:
    """Pillow warns of files that it reads all the same; what it cannot read it raises.

    Counted over threads: with a `catch_warnings` each, the filters of one would stay behind when
    another ends first.
    """
    global _inside, _filters
    with _lock:
        if _inside == 0:
            _filters = warnings.catch_warnings(action="ignore")
            _filters.__enter__()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _filters.__exit__(None, None, None)
