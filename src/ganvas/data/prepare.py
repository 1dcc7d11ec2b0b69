"""The deterministic half of preparation: a decoded picture to the size that crops are cut from.

The names are those of pytorch-CycleGAN-and-pix2pix's `--preprocess`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

from ganvas.config import Preprocess, Settings
from ganvas.pictures import Alpha, Picture, as_type

Box = tuple[float, float, float, float]
BICUBIC, NEAREST = Image.Resampling.BICUBIC, Image.Resampling.NEAREST


@dataclass(frozen=True)
class Preparation:
    """How every picture of a run comes to size. Sizes are (width, height)."""

    preprocess: Preprocess
    size: tuple[int, int]
    load_size: tuple[int, int]
    stride: int
    alpha: Alpha = "white"
    quick: bool = False
    """Whether PyTorch resizes what it can."""

    @classmethod
    def of(cls, config: Settings, stride: int) -> "Preparation":
        return cls(
            config.preprocess,
            config.width_height,
            config.load_width_height,
            stride,
            config.alpha,
            config.resizing == "torch",
        )

    @property
    def crops(self) -> bool:
        return self.preprocess not in ("scale_width", "none")

    def resized(self, size: tuple[int, int]) -> tuple[int, int]:
        """What a picture of that size is resized to.

        One that is smaller than the crop is enlarged, in its own shape, until the crop fits.
        """
        width, height = float(size[0]), float(size[1])
        if self.preprocess == "resize_and_crop":
            width, height = self.load_size
        elif self.preprocess == "center_crop":
            return self.size
        elif self.preprocess in ("scale_width", "scale_width_and_crop"):
            width, height = self.load_size[0], height * self.load_size[0] / width
        if self.crops:
            factor = max(self.size[0] / width, self.size[1] / height, 1.0)
            return (
                max(round(width * factor), self.size[0]),
                max(round(height * factor), self.size[1]),
            )
        step = self.stride
        return max(round(width / step), 1) * step, max(round(height / step), 1) * step

    def enlarges(self, size: tuple[int, int]) -> bool:
        """Whether a picture of that size is smaller than the crop, where none is meant to be."""
        return self.preprocess == "crop" and (size[0] < self.size[0] or size[1] < self.size[1])

    def training(
        self, picture: Picture, channels: int, resample: Image.Resampling = BICUBIC
    ) -> np.ndarray:
        """(h, w, channels), from which crops of the size are cut: in the file's own type and
        values."""
        values = picture.with_channels(channels, self.alpha)
        if self.preprocess == "center_crop":
            return resized(values, self.size, self.middle_box(picture.size), resample)
        return self.whole(values, self.resized(picture.size), resample)

    def whole(
        self, values: np.ndarray, size: tuple[int, int], resample: Image.Resampling
    ) -> np.ndarray:
        """All of (H, W, C) at that size."""
        rgb = values.dtype == np.uint8 and values.shape[2] == 3
        if self.quick and rgb and resample == BICUBIC:
            return quickly_resized(values, size)
        return resized(values, size, None, resample)

    def middle_box(self, size: tuple[int, int]) -> Box:
        """The part of a picture that is left when it is scaled, in its own shape, until it covers
        the load size, and cut to the size: left, upper, right, lower."""
        factor = max(wanted / length for wanted, length in zip(self.load_size, size, strict=True))
        width, height = (
            min(wanted / factor, length) for wanted, length in zip(self.size, size, strict=True)
        )
        left, top = (size[0] - width) / 2, (size[1] - height) / 2
        return left, top, left + width, top + height

    def fixed(
        self, picture: Picture, channels: int, resample: Image.Resampling = BICUBIC
    ) -> np.ndarray:
        """(height, width, channels) without chance, for previews: the middle at its size."""
        if self.preprocess == "resize_and_crop":
            values = picture.with_channels(channels, self.alpha)
            return self.whole(values, self.size, resample)
        values = self.training(picture, channels, resample)
        return self.middle(values) if self.crops else values

    def middle(self, values: np.ndarray) -> np.ndarray:
        (width, height), (h, w) = self.size, values.shape[:2]
        top, left = (h - height) // 2, (w - width) // 2
        return values[top : top + height, left : left + width]


def resized(
    values: np.ndarray,
    size: tuple[int, int],
    box: Box | None = None,
    resample: Image.Resampling = BICUBIC,
) -> np.ndarray:
    """(H, W, C) at another size (width, height), by Pillow's filter, of the same type and within
    the values that were there. Label maps want NEAREST, which mixes no colours."""
    if box is None and size == (values.shape[1], values.shape[0]):
        return values
    kind, deep = values.dtype, values.dtype != np.uint8
    if deep:
        values = values.astype(np.float32)
    step = 3 if values.shape[2] == 3 and not deep else 1
    bands = []
    for at in range(0, values.shape[2], step):
        band = np.ascontiguousarray(values[:, :, at : at + step])
        image = Image.fromarray(band if step == 3 else band[:, :, 0])
        found = np.asarray(image.resize(size, resample, box=box))
        found = found.reshape(size[1], size[0], step)
        # The filter swings over at edges; 8 bits cut that off by themselves.
        bands.append(as_type(found.clip(band.min(), band.max()), kind) if deep else found)
    return bands[0] if len(bands) == 1 else np.concatenate(bands, 2)


def quickly_resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 (H, W, 3) at another size (width, height), by PyTorch's form of Pillow's bicubic
    filter: its weights have 16 bits and not 22."""
    if size == (values.shape[1], values.shape[0]):
        return values
    given = torch.from_numpy(values if values.flags.writeable else values.copy())
    found = interpolate(
        given.permute(2, 0, 1)[None], size=size[::-1], mode="bicubic", antialias=True
    )
    return found[0].permute(1, 2, 0).numpy()
