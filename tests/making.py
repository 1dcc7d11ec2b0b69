"""Pictures made for tests."""

from pathlib import Path

import numpy as np
from PIL import Image

COUNTS = {"trainA": 6, "trainB": 5, "testA": 2, "testB": 2}


def noise(seed: int, *shape: int) -> Image.Image:
    """Chance as a picture of shape (height, width[, channels]); the same for the same seed."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def write_unpaired(folder: Path) -> Path:
    """trainA, trainB, testA and testB with 6, 5, 2 and 2 coloured 40x40 PNG files."""
    for part, (name, count) in enumerate(COUNTS.items()):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            noise(100 * part + i, 40, 40, 3).save(folder / name / f"{i}.png")
    return folder
