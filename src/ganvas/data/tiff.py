"""TIFF at any depth and with any number of channels: in each pixel, in planes, or as pages."""

import io
import logging
from dataclasses import replace
from typing import Any

import numpy as np
from tifffile import PHOTOMETRIC, SAMPLEFORMAT, TiffFile, TiffPage, TiffPageSeries, imwrite

from ganvas.data.bad import BadPicture, refuse_bomb
from ganvas.pictures import TYPES, Picture, as_type, opaque, upright

MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
CHANNEL_AXES = "CSQIZTPR"
"""What tifffile calls axes that can count channels, a stack's depths and times among them."""
PLAIN = (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.RGB)
LARGEST = 2**32 - 2**25
"""An ordinary TIFF has room for so many bytes, and what it says of them."""
ALPHA = (1, 2)
"""Extra samples that are alpha, and not a channel that the file does not name."""

# It tells of every oddity that it reads all the same; what it cannot read it raises.
logging.getLogger("tifffile").addHandler(logging.NullHandler())
logging.getLogger("tifffile").propagate = False


def is_tiff(content: bytes) -> bool:
    return content.startswith(MARKS)


def read_tiff(content: bytes) -> Picture | None:
    """The picture; None where it is one of those that Pillow reads without loss: a page of up to
    8 bits, grey or in colour, perhaps with alpha.

    Raises:
        BadPicture: there are several pictures in it, or its values are of no picture's type.
    """
    with TiffFile(io.BytesIO(content)) as file:
        page = file.pages[0]
        if not isinstance(page, TiffPage):
            raise BadPicture("has no first page")
        extra = tuple(int(sample) for sample in page.extrasamples)
        if len(file.pages) == 1 and page.bitspersample <= 8 and known(page, extra):
            return None
        # The same picture at lower resolutions, as slide scanners add, is none of its own.
        others = [series for series in file.series[1:] if not is_smaller_copy(series)]
        if others:
            raise BadPicture(f"holds {1 + len(others)} pictures of different kinds; split it")
        series = file.series[0]
        if series.dtype is None or series.dtype.name not in TYPES:
            raise BadPicture(f"has values of {series.dtype}; pictures are of integers or floats")
        refuse_bomb(series.size, series.dtype.itemsize, len(content))
        if page.photometric not in PLAIN:
            kind = getattr(page.photometric, "name", page.photometric)
            raise BadPicture(f"is {kind} of {series.dtype}, which is not read; convert it to RGB")
        picture = arranged(series.asarray(), series.axes, extra)
        if page.photometric == PHOTOMETRIC.MINISWHITE and picture.dtype.kind == "u":
            picture = replace(picture, values=np.iinfo(picture.dtype).max - picture.values)
        return turned(picture, page)


def is_smaller_copy(series: TiffPageSeries) -> bool:
    return all(getattr(page, "is_reduced", False) for page in series.pages)


def known(page: TiffPage, extra: tuple[int, ...]) -> bool:
    """Whether the values are plain bytes or bits, and the channels grey or colours, and perhaps
    alpha, and no others."""
    grey = page.photometric in (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE)
    alone = not grey or page.samplesperpixel - len(extra) == 1
    named = all(sample in ALPHA for sample in extra)
    return page.sampleformat == SAMPLEFORMAT.UINT and page.samplesperpixel <= 4 and alone and named


def arranged(array: np.ndarray, axes: str, extra: tuple[int, ...]) -> Picture:
    """An array whose axes tifffile has named as (H, W, C)."""
    kept = [i for i, n in enumerate(array.shape) if n > 1 or axes[i] in "YX"]
    array, axes = array.reshape([array.shape[i] for i in kept]), "".join(axes[i] for i in kept)
    others = axes.replace("Y", "").replace("X", "")
    if len(others) > 1 or (others and others not in CHANNEL_AXES) or set("YX") - set(axes):
        sizes = dict(zip(axes, array.shape, strict=True))
        if len(others) == 2 and "S" in others:
            frames = sizes[others.replace("S", "")]
            raise BadPicture(f"holds {frames} frames; split it into single pictures")
        listed = " x ".join(f"{axis} {n}" for axis, n in sizes.items())
        raise BadPicture(f"is a stack ({listed}); split it until one axis of channels is left")
    if not array.size:
        raise BadPicture("has no pixel")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if not others:
        return Picture(array[:, :, None])
    planes = axes.index(others) == 0
    values = np.moveaxis(array, axes.index(others), 2)
    has_alpha = others == "S" and len(extra) == 1 and extra[0] in ALPHA
    if has_alpha and values.shape[2] in (2, 4):
        colours, alpha = values[:, :, :-1], values[:, :, -1]
        return Picture(unmultiplied(colours, alpha) if extra[0] == 1 else colours, alpha)
    return Picture(values, planes=planes)


def unmultiplied(values: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours that were multiplied by alpha, as they were before."""
    full = opaque(values)
    share = np.maximum(alpha[:, :, None].astype(np.float64), 1e-9 * full) / full
    return as_type((values / share).clip(0, full), values.dtype)


def turned(picture: Picture, page: TiffPage) -> Picture:
    """Upright, by the tag that cameras and scanners leave."""
    tag = page.tags.get(274)
    turn = int(tag.value) if tag is not None else 1
    if turn not in range(2, 9):
        return picture
    alpha = picture.alpha
    if alpha is not None:
        alpha = upright(alpha[:, :, None], turn)[:, :, 0]
    return replace(picture, values=upright(picture.values, turn), alpha=alpha)


def write_tiff(picture: Picture) -> bytes:
    """With as many channels as there are: RGB as such, others as grey planes or samples."""
    values = np.ascontiguousarray(picture.flat("channel"))
    channels, options = picture.channels, {}
    if picture.planes and picture.alpha is None and channels > 1:
        values = np.ascontiguousarray(np.moveaxis(values, 2, 0))
        options: dict[str, Any] = {"photometric": "minisblack"}
    elif channels == 3:
        options = {"photometric": "rgb", "planarconfig": "contig"}
    elif values.shape[2] == 1:
        values, options = values[:, :, 0], {"photometric": "minisblack"}
    else:
        options = {"photometric": "minisblack", "planarconfig": "contig"}
    if picture.alpha is not None:
        options["extrasamples"] = ["unassalpha"]
    file = io.BytesIO()
    # What compression saves is not known before.
    imwrite(file, values, compression="zlib", bigtiff=values.nbytes > LARGEST, **options)
    return file.getvalue()
