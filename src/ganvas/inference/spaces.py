"""Where a projection looks for its answer: among latents z, or among styles w."""

from math import sqrt
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ganvas.errors import InputError
from ganvas.inference.distances import Distance
from ganvas.methods.generator import Generator
from ganvas.methods.styled import Styled

Space = Literal["z", "w", "w+"]
SAMPLES = 10_000
"""Latents that the mean and the deviation of w are taken from (Karras et al. 2020, appendix D)."""
TRIED = 64
"""Latents among which a search in z begins."""


class InZ:
    """One latent (1, nz), held within the radius sqrt(nz), near which N(0, I) lies.

    It begins with the nearest of a few that are drawn: no latent is the mean of all pictures.
    """

    space: Space = "z"

    def __init__(self, method: Generator, labels: Tensor | None, seed: int) -> None:
        self.method, self.labels, self.seed = method, labels, seed
        self.deviation = sqrt(method.nz)

    @torch.no_grad()
    def start(self, distance: Distance) -> Tensor:
        z = drawn(self.method, self.seed, TRIED)
        apart = [distance(self.picture(row[None], [])).item() for row in z]
        return z[int(np.argmin(apart))][None].clone()

    def picture(self, code: Tensor, noise: list[Tensor]) -> Tensor:
        """(1, C, H, W)."""
        return self.method.synthesise(code, self.labels)

    def hold(self, code: Tensor) -> None:
        """Bring a code that has moved back to where codes may be."""
        code.mul_((self.deviation / code.norm()).clamp(max=1))

    def whole(self, code: Tensor) -> Tensor:
        """A code as it is kept."""
        return code


class InW:
    """One style (1, 1, nw) for all layers, or of w+ one for each, (1, layers, nw).

    It begins with the mean of w, mu = E f(z); `deviation` is sigma, sigma^2 = E |f(z) - mu|^2.
    """

    def __init__(self, method: Styled, space: Space, labels: Tensor | None, seed: int) -> None:
        self.method, self.space = method, space
        z = drawn(method, seed, SAMPLES)
        with torch.no_grad():
            w = method.styles(z, None if labels is None else labels.expand(len(z)))[:, 0]
            self.mean = w.mean(0)
            self.deviation = (w - self.mean).square().sum(1).mean().sqrt().item()

    def start(self, distance: Distance) -> Tensor:
        return self.mean.repeat(1, self.method.layers if self.space == "w+" else 1, 1)

    def picture(self, code: Tensor, noise: list[Tensor]) -> Tensor:
        return self.method.pictures_of(self.whole(code), noise or "const")

    def hold(self, code: Tensor) -> None:
        pass

    def whole(self, code: Tensor) -> Tensor:
        return code.expand(-1, self.method.layers, -1)


def drawn(method: Generator, seed: int, count: int) -> Tensor:
    """So many latents (count, nz) at once, which follow from the seed."""
    rows = np.random.RandomState(seed).randn(count, method.nz)
    return torch.from_numpy(rows).float().to(next(method.parameters()).device)


def space_of(
    method: Generator, wanted: Space | None, labels: Tensor | None, seed: int
) -> InZ | InW:
    """The space to look in: left open, w where there are styles, else z.

    Raises:
        InputError: the method has no styles.
    """
    styled = isinstance(method, Styled)
    if styled and wanted != "z":
        return InW(method, wanted or "w", labels, seed)
    if not styled and wanted not in (None, "z"):
        raise InputError(f"--in {wanted}: {method.name} has no styles; take z")
    return InZ(method, labels, seed)
