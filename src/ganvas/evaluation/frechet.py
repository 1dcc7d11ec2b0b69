"""The Frechet distance of two sets of features, each taken for a Gaussian (Heusel et al. 2017,
eq. 6; Dowson and Landau 1982). On Inception's features it is the FID."""

import torch
from torch import Tensor


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """|m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^(1/2)) of features (N, d) and (M, d).

    Computed in float64, and without a matrix root of a product that is not symmetric, which is
    where other implementations lose digits, or meet complex numbers.
    """
    if min(len(x), len(y)) < 2:
        raise ValueError("a covariance wants at least 2 pictures of each kind")
    x, y = x.double(), y.double()
    means = (x.mean(0) - y.mean(0)).square().sum()
    a, b = centred(x), centred(y)
    traces = a.square().sum() + b.square().sum()
    return float(means + traces - 2 * root_trace(a, b))


def centred(x: Tensor) -> Tensor:
    """(N, d) to A with A^T A the unbiased covariance."""
    return (x - x.mean(0)) / (len(x) - 1) ** 0.5


def root_trace(a: Tensor, b: Tensor) -> Tensor:
    """tr((A^T A B^T B)^(1/2)), the nuclear norm of A B^T: from that itself where pictures are
    fewer than features, and else from R B^T B R with R the root of A^T A."""
    if min(len(a), len(b)) < a.shape[1]:
        return torch.linalg.svdvals(a @ b.T).sum()
    values, vectors = torch.linalg.eigh(a.T @ a)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return torch.linalg.eigvalsh(root @ (b.T @ b) @ root).clamp(min=0).sqrt().sum()
