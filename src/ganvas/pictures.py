"""Pictures as tensors and back: modes, alpha, ranges. Files are read in `data`, not here.

The rules, for training and translation alike:
- a grey picture is one channel; where the network wants three it is repeated;
- a colour picture is three; where the network wants one it is taken to luma (ITU-R 601);
- palettes, CMYK, YCbCr and Lab become RGB;
- alpha is laid over white for the network; a translation gets its input's alpha back;
- more than 8 bits a channel are refused, never squeezed in silence.
"""

import re

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganvas.errors import InputError

DEEP_MODES = {"I", "F", "I;16", "I;16L", "I;16B", "I;16N"}


def check_depth(image: Image.Image, name: str, head: bytes = b"") -> None:
    """Refuse what would lose information: more than 8 bits a channel, more than one frame.

    `head` is the beginning of the file: Pillow reads some 16-bit files as 8 bits without a word.

    Raises:
        InputError: names the picture and what is deep or many about it.
    """
    deep = image.mode in DEEP_MODES
    if head.startswith(b"\x89PNG"):
        deep = deep or head[24] == 16
    if (tags := getattr(image, "tag_v2", None)) is not None:
        deep = deep or max(tags.get(258, (8,))) > 8
    if pnm := re.match(rb"P[2356]\s+\d+\s+\d+\s+(\d+)", re.sub(rb"#[^\n]*", b"", head)):
        deep = deep or int(pnm[1]) > 255
    if deep:
        raise InputError(
            f"{name}: has more than 8 bits a channel (mode {image.mode}), which would be lost; "
            "convert it to 8 bits first"
        )
    # A camera's MPO is a JPEG, behind whose picture lie a thumbnail or the other eye's view.
    if image.format != "MPO" and (frames := getattr(image, "n_frames", 1)) > 1:
        raise InputError(f"{name}: holds {frames} frames; split it into single pictures")


def split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The picture as L or RGB laid over white, and its alpha (mode L) if it had any."""
    if image.mode in ("1", "L") and not image.has_transparency_data:
        return image.convert("L"), None
    if not image.has_transparency_data:
        return image.convert("RGB"), None
    grey = image.mode in ("1", "L", "LA", "La")
    layered = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    flat = Image.alpha_composite(white, layered)
    return flat.convert("L" if grey else "RGB"), layered.getchannel("A")


def to_uint8(image: Image.Image, channels: int) -> Tensor:
    """An L or RGB picture as uint8 (channels, H, W), channels 1 or 3."""
    pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    return torch.from_numpy(pixels.copy()).reshape(*pixels.shape[:2], channels).permute(2, 0, 1)


def to_unit(pixels: Tensor) -> Tensor:
    """uint8 0..255 to float32 [-1, 1]."""
    return pixels.float().div_(127.5).sub_(1)


def from_unit(x: Tensor) -> Tensor:
    """float [-1, 1] to uint8, rounded to nearest (the reference truncates)."""
    return x.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def to_image(pixels: Tensor) -> Image.Image:
    """uint8 (1 or 3, H, W) to a picture of mode L or RGB."""
    array = pixels.cpu().permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def grid(rows: list[list[Tensor]]) -> Image.Image:
    """Pictures in [-1, 1], each (C, H, W) of one size, side by side, as RGB: grey ones repeated,
    of two channels the first, of more than three the first three."""
    pictures = [[from_unit(as_rgb(p)).cpu() for p in row] for row in rows]
    return to_image(torch.cat([torch.cat(row, 2) for row in pictures], 1))


def as_rgb(picture: Tensor) -> Tensor:
    """(C, H, W) with any C to (3, H, W), to look at."""
    return picture[: 3 if len(picture) >= 3 else 1].expand(3, -1, -1)
