"""Pictures at their own depth, and grids of tensors to look at. Files are read in `data`.

The rules, for training and translation alike:
- a grey picture is one channel; where the network wants three it is repeated;
- a colour picture is three; where the network wants one it is taken to luma (ITU-R 601);
- any other number of channels is taken as it is, and never turned into another;
- palettes, CMYK, YCbCr and Lab become RGB;
- alpha is laid over white or black for the network, or is one channel more, as the settings say;
  a translation gets its input's alpha back;
- the type of the values, 8 or 16 bits or floats, stays what it is in the file.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganvas.errors import InputError

Alpha = Literal["white", "black", "channel"]
DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
"""What PIL calls pictures of more than 8 bits."""
STRIP = 256
"""So many rows are laid over white at a time."""
PIECE = 2**18
"""So many values go through all three operations of `to_unit` while the cache has them."""
LUMA = (0.299, 0.587, 0.114)
TYPES = frozenset(
    [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
    + ["float16", "float32", "float64"]
)
"""The types of values that pictures have."""


@dataclass(frozen=True)
class Picture:
    """Values (H, W, C) as a file has them, upright."""

    values: np.ndarray
    alpha: np.ndarray | None = None
    """(H, W), of the same type: 0 is clear; opaque is the type's largest value, of floats 1."""
    mode: str = ""
    """What the file calls it, where that says more than the values: CMYK, P ..."""
    planes: bool = False
    """Whether the file holds its channels one after the other, as pages or as a first axis."""
    key: str = ""
    """The name of the array in an .npz."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.values.shape[1], self.values.shape[0]

    @property
    def channels(self) -> int:
        return self.values.shape[2]

    @property
    def dtype(self) -> np.dtype:
        return self.values.dtype

    @property
    def kind(self) -> str:
        """`RGB`, `L`, `RGBA`, or `uint16 x 4`."""
        if self.mode:
            return self.mode
        letters = {1: "L", 3: "RGB"}.get(self.channels)
        if letters is None or self.dtype != np.uint8:
            extra = " + alpha" if self.alpha is not None else ""
            return f"{self.dtype} x {self.channels}{extra}"
        return letters + ("A" if self.alpha is not None else "")

    def cut(self, left: int, upper: int, right: int, lower: int) -> "Picture":
        box = slice(upper, lower), slice(left, right)
        alpha = None if self.alpha is None else self.alpha[box]
        return replace(self, values=self.values[box], alpha=alpha)

    def stretched(self, width: int, height: int) -> "Picture":
        """An empty picture of this kind and that size."""
        values = np.zeros((height, width, self.channels), self.dtype)
        alpha = None if self.alpha is None else np.zeros((height, width), self.dtype)
        return replace(self, values=values, alpha=alpha)

    def put(self, top: int, left: int, part: "Picture") -> None:
        """Lay a picture of the same kind onto this one."""
        width, height = part.size
        box = slice(top, top + height), slice(left, left + width)
        self.values[box] = part.values
        if self.alpha is not None and part.alpha is not None:
            self.alpha[box] = part.alpha

    def with_channels(self, channels: int, alpha: Alpha = "white") -> np.ndarray:
        """(H, W, channels), alpha treated as the settings say.

        Raises:
            InputError: there is no rule that leads to so many channels.
        """
        values = self.flat(alpha)
        here = values.shape[2]
        if here == channels:
            return values
        if here == 1 and channels == 3:
            return values.repeat(3, 2)
        if here == 3 and channels == 1:
            return luma(values)
        if alpha == "channel" and self.alpha is None and here == channels - 1:
            return np.concatenate([values, np.full_like(values[..., :1], opaque(values))], 2)
        raise InputError(
            f"has {counted(here)} and not {channels}; only grey and RGB are turned into one another"
        )

    def flat(self, alpha: Alpha = "white") -> np.ndarray:
        """(H, W, C) without alpha: laid over white or black, or as one channel more."""
        if self.alpha is None:
            return self.values
        if alpha == "channel":
            return np.concatenate([self.values, self.alpha[:, :, None]], 2)
        return laid_over(self.values, self.alpha, white=alpha == "white")


def counted(channels: int) -> str:
    return "1 channel" if channels == 1 else f"{channels} channels"


def opaque(values: np.ndarray) -> float:
    """The alpha of what covers all, and white."""
    return 1 if values.dtype.kind == "f" else int(np.iinfo(values.dtype).max)


def laid_over(values: np.ndarray, alpha: np.ndarray, white: bool) -> np.ndarray:
    """(H, W, C) by alpha (H, W) over white or black, of the same type, rounded."""
    full, laid = opaque(values), np.empty_like(values)
    # A few rows at a time: in float64 a large picture takes many times its own memory.
    for rows in (slice(top, top + STRIP) for top in range(0, len(values), STRIP)):
        share = alpha[rows, :, None].astype(np.float64) / full
        mixed = values[rows] * share + (full * (1 - share) if white else 0)
        laid[rows] = as_type(mixed, values.dtype)
    return laid


def luma(values: np.ndarray) -> np.ndarray:
    """(H, W, 3) to (H, W, 1), of the same type."""
    if values.dtype == np.uint8:
        return np.asarray(Image.fromarray(np.ascontiguousarray(values)).convert("L"))[:, :, None]
    return as_type((values.astype(np.float64) @ np.array(LUMA))[:, :, None], values.dtype)


def as_type(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Floats as values of that type: of integers the nearest, cut off at the type's ends."""
    if dtype.kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.rint(values).clip(limits.min, limits.max).astype(dtype)


def upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """(H, W, C) as it is meant to be seen, by EXIF's numbers from 1 to 8."""
    if orientation >= 5:
        values = values.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values[::-1] if orientation in (3, 4, 7, 8) else values


def as_rgb_shares(picture: Picture) -> np.ndarray:
    """float64 (H, W, 3) from 0, black, to 1, white; alpha is laid over white.

    Raises:
        InputError: it is neither grey nor RGB, or of floats that go further.
    """
    shares = picture.with_channels(3) / opaque(picture.values)
    if shares.min() < 0 or shares.max() > 1:
        raise InputError(
            f"has values from {shares.min():g} to {shares.max():g}; as colours, floats go from 0 "
            "to 1: bring them there"
        )
    return shares


def from_shares(shares: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Shares, from 0 to 1, as values of that type."""
    return as_type(shares * opaque(np.empty(0, dtype)), dtype)


def with_alpha_of(picture: Picture, values: np.ndarray) -> Picture:
    """These values as a picture of the same kind as another, with its alpha."""
    alpha = picture.alpha
    if alpha is not None and alpha.dtype != values.dtype:
        alpha = from_shares(alpha / opaque(alpha), values.dtype)
    return Picture(values, alpha, planes=picture.planes, key=picture.key)


def from_array(array: np.ndarray, channels: int | None = None) -> Picture:
    """(H, W) or (H, W, C) of a type that pictures have. Where `channels` are wanted, one channel
    more than 1 or 3 of them is alpha.

    Raises:
        InputError: another shape or type.
    """
    if array.dtype.name not in TYPES or array.ndim not in (2, 3) or not array.size:
        raise InputError(
            f"array of {array.dtype} {array.shape}: wants integers or floats (H, W) or (H, W, C)"
        )
    values = array if array.ndim == 3 else array[:, :, None]
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    here = values.shape[2]
    if channels != here and here in (2, 4) and values.dtype.kind == "u":
        return Picture(values[:, :, :-1], values[:, :, -1])
    return Picture(values)


def from_pil(image: Image.Image) -> Picture:
    """A PIL picture of any mode; palettes, CMYK, YCbCr and Lab as RGB."""
    if image.mode in DEEP_MODES:
        array = np.asarray(image)
        return Picture(array.astype(array.dtype.newbyteorder("="), copy=False)[:, :, None])
    mode = "" if image.mode in ("L", "RGB", "LA", "RGBA") else image.mode
    grey = image.mode in ("1", "L", "LA", "La")
    if not image.has_transparency_data:
        array = np.asarray(image.convert("L" if grey else "RGB"))
        return Picture(array[:, :, None] if grey else array, mode=mode)
    array = np.asarray(image.convert("RGBA"))
    return Picture(array[:, :, : 1 if grey else 3], array[:, :, 3], mode=mode)


def to_pil(picture: Picture) -> Image.Image:
    """A picture as PIL has them: 8 bits grey or RGB, with alpha or without, or 16 bits or floats
    with one channel.

    Raises:
        InputError: PIL has no such pictures.
    """
    values = picture.values if picture.alpha is None else picture.flat("channel")
    deep = values.dtype != np.uint8
    if picture.channels not in ((1,) if deep else (1, 3)) or (deep and picture.alpha is not None):
        raise InputError(
            f"PIL has no pictures of {values.dtype} with {counted(values.shape[2])}: give an "
            "array, which comes back as one"
        )
    if values.dtype.kind == "f" or values.dtype.itemsize > 2:
        kind = np.float32 if values.dtype.kind == "f" else np.int32
        return Image.fromarray(np.ascontiguousarray(values[:, :, 0], dtype=kind))
    return Image.fromarray(
        np.ascontiguousarray(values[:, :, 0] if values.shape[2] == 1 else values)
    )


def to_unit(pixels: Tensor) -> Tensor:
    """uint8 0..255 to float32 [-1, 1]; what is float already stays."""
    if pixels.dtype != torch.uint8:
        return pixels
    if pixels.device.type != "cpu" or pixels.numel() <= 2 * PIECE:
        return pixels.float().div_(127.5).sub_(1)
    x = torch.empty_like(pixels, dtype=torch.float32)
    count = max(PIECE * len(pixels) // pixels.numel(), 1)
    for part, given in zip(x.split(count), pixels.split(count), strict=True):
        part.copy_(given).div_(127.5).sub_(1)
    return x


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
