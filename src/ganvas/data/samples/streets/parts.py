"""The set's parts: which scene each of their pictures shows, and which side of it."""

from functools import lru_cache

import numpy as np

from ganvas.data.samples.streets.colours import Array
from ganvas.data.samples.streets.drawing import draw

PARTS = {"trainA": 400, "trainB": 400, "testA": 50, "testB": 50}
SIDE_BY_SIDE = {"train": 400, "test": 50}
# Scenes of different parts never meet: each part draws from seeds of its own.
FIRST_SEEDS = {"trainA": 0, "trainB": 1_000_000, "testA": 2_000_000, "testB": 2_000_000}
# The labels of trainB's photos belong to no part: only what judges may see them.
FIRST_SEEDS["pairsA"] = FIRST_SEEDS["trainB"]
# The pairs that show both are of trainB's and of the test parts' scenes.
FIRST_SEEDS |= {"train": FIRST_SEEDS["trainB"], "test": FIRST_SEEDS["testA"]}
PAIRS = {"train": ("pairsA", "trainB"), "test": ("testA", "testB")}
SEEDS_A_SET = 10_000_000


def draw_part(part: str, index: int, seed: int, width: int, height: int) -> Array:
    """The labels (A) or the photo (B) of a part's scene: (height, width, 3) uint8; of `train` and
    `test` both side by side, (height, 2 * width, 3)."""
    labels, photo = drawn(seed * SEEDS_A_SET + FIRST_SEEDS[part] + index, width, height)
    if part in SIDE_BY_SIDE:
        return np.concatenate([labels, photo], 1)
    return labels if part.endswith("A") else photo


@lru_cache(maxsize=1)
def drawn(seed: int, width: int, height: int) -> tuple[Array, Array]:
    """A scene's labels and photo; testA and testB ask for the same scene."""
    return draw(seed, width, height)
