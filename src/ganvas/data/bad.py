"""Files that cannot be used as pictures."""

from ganvas.errors import InputError

LARGE, MOST_PACKED = 512 * 2**20, 300
"""A file of which more bytes come than this is suspicious where it packs them so many times."""


class BadPicture(InputError):
    """A file that cannot be used as a picture; the message names it."""


def refuse_bomb(pixels: int, bytes_a_pixel: int, length: int) -> None:
    """Refuse a file of that length which claims to be so large as no honest one is.

    Raises:
        BadPicture: it does.
    """
    wanted = pixels * bytes_a_pixel
    if wanted > LARGE and wanted > MOST_PACKED * length:
        raise BadPicture(
            f"claims too many pixels, as decompression bombs do ({pixels} in {length} bytes); "
            "scale it down if it is honest"
        )
