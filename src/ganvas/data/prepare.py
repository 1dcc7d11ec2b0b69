"""The deterministic half of preparation: a decoded picture to the size that crops are cut from.

The names are those of pytorch-CycleGAN-and-pix2pix's `--preprocess`.
"""

from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from ganvas.config import Preprocess, Settings
from ganvas.pictures import split_alpha, to_uint8


@dataclass(frozen=True)
class Preparation:
    """How every picture of a run comes to size. Sizes are (width, height)."""

    preprocess: Preprocess
    size: tuple[int, int]
    load_size: tuple[int, int]
    stride: int

    @classmethod
    def of(cls, config: Settings, stride: int) -> "Preparation":
        return cls(config.preprocess, config.width_height, config.load_width_height, stride)

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

    def training(self, image: Image.Image, channels: int) -> Tensor:
        """uint8 (channels, h, w), from which crops of the size are cut."""
        flat, _ = split_alpha(image)
        if self.preprocess == "center_crop":
            middle = self.middle_box(image.size)
            cut = flat.resize(self.size, Image.Resampling.BICUBIC, box=middle)
            return to_uint8(cut, channels)
        return to_uint8(resize(flat, self.resized(image.size)), channels)

    def middle_box(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """The part of a picture that is left when it is scaled, in its own shape, until it covers
        the load size, and cut to the size: left, upper, right, lower."""
        factor = max(wanted / length for wanted, length in zip(self.load_size, size, strict=True))
        width, height = (
            min(wanted / factor, length) for wanted, length in zip(self.size, size, strict=True)
        )
        left, top = (size[0] - width) / 2, (size[1] - height) / 2
        return left, top, left + width, top + height

    def fixed(self, image: Image.Image, channels: int) -> Tensor:
        """uint8 (channels, height, width) without chance, for previews: the middle at its size."""
        pixels = self.training(image, channels)
        if not self.crops:
            return pixels
        if self.preprocess == "resize_and_crop":
            return to_uint8(resize(split_alpha(image)[0], self.size), channels)
        return self.middle(pixels)

    def middle(self, pixels: Tensor) -> Tensor:
        (width, height), (_, h, w) = self.size, pixels.shape
        top, left = (h - height) // 2, (w - width) // 2
        return pixels[:, top : top + height, left : left + width]


def resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)
