"""Path lengths of a trained generator, in z and in w."""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

from ganvas.errors import InputError
from ganvas.evaluation.path_length import (
    along_the_sphere,
    path_lengths,
    straight,
    without_outliers,
)
from ganvas.methods.generator import Generator

SEEDS_APART = 1_000_000
"""Evaluations of other seeds have other latents."""
JUDGED_AT = 256
"""Larger pictures are made smaller by a whole number first, as in the authors' code."""

Distance = Callable[[Tensor, Tensor], Tensor]


@runtime_checkable
class Styled(Protocol):
    """What has styles between latents and pictures."""

    def styles(self, z: Tensor, labels: Tensor | None) -> Tensor: ...

    def pictures_of(self, styles: Tensor, noise: Any = "const") -> Tensor: ...


@torch.no_grad()
def lengths_of(
    method: Generator, where: str, distance: Distance, pairs: int, seed: int, at_once: int
) -> Tensor:
    """Path lengths of that many pairs of latents, outliers left out, `where` being zfull, zend,
    wfull or wend: (n,). Latents are those of the seeds that pictures are made of; truncation is
    left out, and the noise is the same for all.

    Raises:
        InputError: the method has no styles.
    """
    space, end = where[0], where[1:]
    if space == "w" and not isinstance(method, Styled):
        raise InputError(f"--metrics pl-{where}: {method.name} has no styles; take pl-z{end}")
    first = seed * SEEDS_APART
    device, found = next(method.parameters()).device, []
    chance = torch.Generator().manual_seed(seed)
    for start in range(0, pairs, at_once):
        seeds = range(first + 2 * start, first + 2 * min(start + at_once, pairs))
        z, labels = method.latents(seeds), method.labels(seeds[::2])
        a, b = z[::2], z[1::2]
        t = torch.rand(len(a), generator=chance) * (end == "full")
        if space == "w":
            assert isinstance(method, Styled)
            a, b = method.styles(a, labels), method.styles(b, labels)
        pictures = partial(pictures_at, method, space, labels)
        way = straight if space == "w" else along_the_sphere
        found.append(path_lengths(pictures, distance, a, b, way, t.to(device)))
    return without_outliers(torch.cat(found).cpu())


def pictures_at(method: Generator, space: str, labels: Tensor | None, places: Tensor) -> Tensor:
    """Pictures of latents or of styles, twice as many as there are labels."""
    twice = None if labels is None else torch.cat([labels, labels])
    twice = None if labels is None else torch.cat([labels, labels])
    if isinstance(method, Styled):
        styles = places if space == "w" else method.styles(places, twice)
        return smaller(method.pictures_of(styles))
    return smaller(method.synthesise(places, twice))


def smaller(x: Tensor) -> Tensor:
    factor = max(1, min(x.shape[2:]) // JUDGED_AT)
    return F.avg_pool2d(x.float(), factor) if factor > 1 else x.float()
