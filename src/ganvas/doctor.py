"""What a training's pictures say about its health, in plain sentences with what to try."""

import re
from itertools import pairwise

import torch
from torch import Tensor

COLLAPSED = 0.1
"""Translations that differ from one another by less than this part of what real pictures do."""
INVERTED = -0.5
"""Correlation of a translation with its input below which dark and light have changed places."""
COPIED = 0.02
"""Mean difference, of a range of 2, below which a translation is its input."""
ENOUGH = 3
"""Pictures from which on something can be said."""


def diagnose(pictures: dict[str, Tensor]) -> list[str]:
    """Sentences on a preview: `real_X`, `fake_Y` ... (N, C, H, W) in [-1, 1], by name.

    A pair `real_X`, `fake_Y` that follow each other are an input and its translation.
    """
    found = []
    for name, following in pairwise(pictures):
        if re.match(r"real_", name) and re.match(r"fake_", following):
            source, target = name.removeprefix("real_"), following.removeprefix("fake_")
            real = pictures.get(f"real_{target}")
            found += on_translation(source, target, pictures[name], pictures[following], real)
    return found


def on_translation(
    source: str, target: str, x: Tensor, y: Tensor, real: Tensor | None
) -> list[str]:
    """What is wrong with translations `y` of inputs `x`, beside `real` pictures of the target."""
    if len(x) < ENOUGH:
        return []
    way = f"{source} -> {target}"
    if real is not None and variety(y) < COLLAPSED * variety(real):
        return [
            f"{way}: all inputs give nearly the same picture (collapse); go back to an earlier "
            "snapshot, raise the cycle weights (--lambda-A, --lambda-B) or lower --lr"
        ]
    a, b = grey(x), grey(y)
    if a.shape != b.shape:
        return []
    if (a - b).abs().mean() < COPIED:
        return [
            f"{way}: translations are copies of their inputs; lower --lambda-identity, or give it "
            "more time"
        ]
    if torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1] < INVERTED:
        return [
            f"{way}: light and dark have changed places (colour inversion); it seldom mends "
            "itself: start again with another --seed, or raise --lambda-identity"
        ]
    return []


def variety(pictures: Tensor) -> float:
    """How much pictures differ from one another: the mean standard deviation of a pixel."""
    return float(pictures.float().std(0).mean())


def grey(pictures: Tensor) -> Tensor:
    return pictures.float().mean(1)
