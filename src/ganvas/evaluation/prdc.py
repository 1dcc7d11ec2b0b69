"""How much of what is generated looks real, and how much of what is real is generated: precision
and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020)."""

from collections.abc import Iterator

import torch
from torch import Tensor

AT_ONCE = 2048
"""Rows of a table of distances."""


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> tuple[float, float]:
    """The part of the generated features (N, d) that lie as near to some real one as that one's
    k-th neighbour of its kind, and the other way round. Wants as many of each kind."""
    return within(fake, real, radii(real, k)), within(real, fake, radii(fake, k))


def density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> tuple[float, float]:
    """Density: in how many real features' neighbourhoods a generated one lies on average, by k;
    above 1 where they crowd. Coverage: the part of the real ones that have a generated one in
    their neighbourhood."""
    reach = radii(real, k)
    hits, nearest = 0.0, torch.full((len(real),), torch.inf, dtype=torch.float64)
    for rows in distances(fake, real):
        hits += float((rows <= reach).double().sum())
        nearest = torch.minimum(nearest, rows.min(0).values)
    return hits / (k * len(fake)), float((nearest <= reach).double().mean())


def distances(x: Tensor, y: Tensor) -> Iterator[Tensor]:
    """The Euclidean distances between features (N, d) and (M, d), a few rows (n, M) at a time."""
    for rows in x.split(AT_ONCE):
        yield torch.cdist(rows.double(), y.double()).cpu()


def radii(x: Tensor, k: int) -> Tensor:
    """Each feature's distance to its k-th neighbour, (N,)."""
    if len(x) <= k:
        raise ValueError(f"neighbourhoods of {k} want more than {k} pictures of each kind")
    # The nearest of all is the feature itself.
    return torch.cat([rows.kthvalue(k + 1).values for rows in distances(x, x)])


def within(x: Tensor, y: Tensor, reach: Tensor) -> float:
    """The part of x (N, d) that lie within the reach (M,) of one of y (M, d)."""
    hits = [(rows <= reach).any(1).double() for rows in distances(x, y)]
    return float(torch.cat(hits).mean())
