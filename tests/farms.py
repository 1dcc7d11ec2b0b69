"""A tiny set of label maps and photos whose classes are easy to see, and translators of it."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ganvas.evaluation.palette import Palette
from ganvas.evaluation.segmentation.learning import SegmentationSettings
from ganvas.evaluation.segmentation.pairs import LabelPairs, open_label_pairs
from ganvas.methods.base import Direction
from ganvas.methods.pix2pix import Config, Pix2Pix
from ganvas.scales import Scale

FARM = Palette(((20, 160, 40), (210, 30, 60), (30, 60, 220)), ("field", "roof", "pond"))
LOOKS = np.array([[120, 150, 60], [170, 90, 80], [60, 70, 110]])
SIDE = 32
QUICK = SegmentationSettings(duration="40it", width=8, batch_size=4, lr=0.02)


def farm(seed: int, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """A label map and a noisy photo of it, uint8 (side, side, 3)."""
    rng = np.random.default_rng(seed)
    classes = np.zeros((side, side), np.uint8)
    for _ in range(5):
        top, left = rng.integers(0, side - 8, 2)
        height, width = rng.integers(6, 16, 2)
        classes[top : top + height, left : left + width] = rng.integers(3)
    noise = rng.integers(-20, 21, (side, side, 3)) + rng.integers(-15, 16)
    return FARM.paint(classes), (LOOKS[classes] + noise).clip(0, 255).astype(np.uint8)


def write_farms(folder: Path, train: int = 24, test: int = 8, side: int = SIDE) -> Path:
    """Pairs side by side, photos left (A), label maps right (B)."""
    for part, count, first in (("train", train, 0), ("test", test, 1000)):
        (folder / part).mkdir(parents=True)
        for i in range(count):
            labels, photo = farm(first + i, side)
            Image.fromarray(np.hstack([photo, labels])).save(folder / part / f"{i:03d}.png")
    return folder


def config_of(**changed: object) -> Config:
    settings = {"size": SIDE, "load_size": SIDE, "n_downs": 5, "ngf": 2, "ndf": 2, "n_layers": 1}
    return Config.from_mapping(settings | changed)


def pairs_of_farms(folder: Path, **changed: object) -> LabelPairs:
    scales = {"A": Scale(3), "B": Scale(3)}
    return open_label_pairs(str(folder), config_of(**changed), scales)


class By(nn.Module):
    """What a function makes of label maps or photos, (N, 3, H, W) in [-1, 1]."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.one(picture) for picture in x])

    def one(self, x: Tensor) -> Tensor:
        scale = Scale(3)
        return scale.unit(self.function(scale.values(x)).astype(np.uint8))


class Painter(Pix2Pix):
    """A translator that does what it is told to."""

    def __init__(self, function, **changed: object) -> None:
        super().__init__(config_of(**changed), {"A": 3, "B": 3})
        self.by = By(function)

    def translator(self, direction: Direction) -> nn.Module:
        return self.by


def photo_of(labels: np.ndarray) -> np.ndarray:
    return LOOKS[FARM.classes(labels)]


def labels_of(photo: np.ndarray) -> np.ndarray:
    looks = Palette(tuple(map(tuple, LOOKS.tolist())))
    return FARM.paint(looks.classes(photo))
