"""From a picture to a file's bytes, in the format that its name says, and without loss where that
format can."""

import io

import imagecodecs
import numpy as np
from PIL import Image

from ganvas.data.arrays import write_npy, write_npz
from ganvas.data.tiff import write_tiff
from ganvas.errors import InputError
from ganvas.pictures import Picture, to_pil

ARRAYS = (".npy", ".npz")
TIFFS = (".tif", ".tiff")
GREY_ONLY = (".pgm", ".pbm")
WITHOUT_ALPHA = (".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm")


def holds(suffix: str, dtype: np.dtype | str, channels: int) -> bool:
    """Whether files that end so hold values of that type and so many channels."""
    if suffix in ARRAYS + TIFFS:
        return True
    kind = np.dtype(dtype)
    if suffix in GREY_ONLY and channels != 1:
        return False
    return channels in (1, 3) and (kind == np.uint8 or (suffix == ".png" and kind == np.uint16))


def fitting(suffix: str, dtype: np.dtype | str, channels: int) -> str:
    """The ending itself where such files hold that, else the nearest that does."""
    if holds(suffix, dtype, channels):
        return suffix
    if suffix in GREY_ONLY and holds(".ppm", dtype, channels):
        return ".ppm"
    return next(s for s in (".png", ".tif") if holds(s, dtype, channels))


def encode(picture: Picture, suffix: str) -> bytes:
    """The bytes of a file that ends so. Alpha is left out where the format has none.

    Raises:
        InputError: the format does not hold this type, or so many channels.
    """
    suffix = suffix.lower()
    if not holds(suffix, picture.dtype, picture.channels):
        raise InputError(
            f"{suffix} does not hold {picture.dtype} with {picture.channels} channels; "
            f"{fitting(suffix, picture.dtype, picture.channels)} does"
        )
    if suffix in ARRAYS:
        return write_npy(picture) if suffix == ".npy" else write_npz(picture)
    if suffix in TIFFS:
        return write_tiff(picture)
    if picture.dtype == np.uint16:
        values = picture.flat("channel")
        grey = values.shape[2] == 1
        return bytes(
            imagecodecs.png_encode(np.ascontiguousarray(values[:, :, 0] if grey else values))
        )
    if suffix in WITHOUT_ALPHA and picture.alpha is not None:
        picture = Picture(picture.values)
    file = io.BytesIO()
    options = {".jpg": {"quality": 95, "subsampling": 0}, ".webp": {"lossless": True}}
    kind = Image.registered_extensions()[suffix]
    try:
        to_pil(picture).save(file, kind, **options.get(suffix.replace("jpeg", "jpg"), {}))
    except (OSError, ValueError) as error:
        width, height = picture.size
        raise InputError(
            f"{width}x{height} cannot be written as {suffix} ({error}); .png and .tif hold it"
        ) from None
    return file.getvalue()
