"""Label maps read back by their colours."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

Colour = tuple[int, int, int]


def classes_by_colour(picture: Image.Image, palette: Sequence[Colour]) -> np.ndarray:
    """The index of the nearest palette colour (Euclidean, RGB) of each pixel: (H, W) int."""
    pixels = np.asarray(picture.convert("RGB")).astype(np.int32)
    distances = [((pixels - np.array(colour)) ** 2).sum(-1) for colour in palette]
    return np.stack(distances).argmin(0)


def pixel_accuracy(
    pictures: Sequence[Image.Image], truths: Sequence[Image.Image], palette: Sequence[Colour]
) -> float:
    """Part of all pixels whose nearest palette colour is that of the true label map, 0 to 1.

    The paper's per-pixel accuracy of photo -> labels (CycleGAN, section 5.1.1). Each picture must
    have its truth's size.
    """
    right = total = 0
    for picture, truth in zip(pictures, truths, strict=True):
        hits = classes_by_colour(picture, palette) == classes_by_colour(truth, palette)
        right, total = right + int(hits.sum()), total + hits.size
    return right / total
