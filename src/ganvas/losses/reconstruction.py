"""How far one picture is from another."""

from torch import Tensor

from ganvas.losses import full


def l1(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference: a scalar."""
    return (full(a) - full(b)).abs().mean()


def mse(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared difference: a scalar."""
    return (full(a) - full(b)).square().mean()
