"""Objectives, penalties and reconstruction terms: short functions of tensors."""

from collections.abc import Mapping
from functools import reduce
from operator import add

from torch import Tensor


def full(x: Tensor) -> Tensor:
    """At least float32: losses are never computed in the halves that autocast makes."""
    return x.float() if x.dtype.itemsize < 4 else x


def named(terms: Mapping[str, Tensor], *names: str) -> dict[str, Tensor]:
    """The terms of these names, as far as they are there."""
    return {name: terms[name] for name in names if name in terms}


def total(terms: Mapping[str, Tensor]) -> Tensor:
    """The sum of a loss's terms, in their order."""
    return reduce(add, terms.values())
