"""Path length: how far pictures move when latents move a little (Karras et al. 2019, section 4.1).

With LPIPS on VGG16 as the distance it is the paper's perceptual path length.
"""

from collections.abc import Callable

import torch
from torch import Tensor

EPSILON = 1e-4
OUTLIERS = 0.01
"""The part of the shortest, and of the longest, that is left out, as in the authors' code."""

Way = Callable[[Tensor, Tensor, Tensor], Tensor]


def path_lengths(
    pictures: Callable[[Tensor], Tensor],
    distance: Callable[[Tensor, Tensor], Tensor],
    a: Tensor,
    b: Tensor,
    way: Way,
    t: Tensor,
    epsilon: float = EPSILON,
) -> Tensor:
    """d(G(way(t)), G(way(t + epsilon))) / epsilon^2 of each pair of latents a and b (N, ...) at t
    (N,): (N,). `pictures` makes pictures of latents, `distance` of two batches gives (N,)."""
    ends = torch.cat([way(a, b, t), way(a, b, t + epsilon)])
    return distance(*pictures(ends).chunk(2)).double() / epsilon**2


def without_outliers(lengths: Tensor) -> Tensor:
    """The lengths between the 1st and the 99th percentile, these included."""
    low, high = (
        torch.quantile(lengths, part, interpolation=side)
        for part, side in ((OUTLIERS, "lower"), (1 - OUTLIERS, "higher"))
    )
    return lengths[(lengths >= low) & (lengths <= high)]


def along_the_sphere(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """From a (N, nz) at t = 0 to b at t = 1: their directions by an arc, their lengths evenly."""
    t = t[:, None]
    lengths = torch.lerp(a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True), t)
    p, q = a / a.norm(dim=1, keepdim=True), b / b.norm(dim=1, keepdim=True)
    cosine = (p * q).sum(1, keepdim=True).clamp(-1, 1)
    across = q - cosine * p
    across = across / across.norm(dim=1, keepdim=True).clamp(min=1e-12)
    angle = t * cosine.acos()
    return lengths * (p * angle.cos() + across * angle.sin())


def straight(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """From a (N, ...) at t = 0 to b at t = 1."""
    return torch.lerp(a, b, t.view(-1, *[1] * (a.ndim - 1)))
