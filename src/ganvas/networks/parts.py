"""A batch part by part: what is worked on takes less memory, and fits the processor's caches."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from ganvas.networks.scratch import only_counted

Part = TypeVar("Part")
Gradients = tuple[Tensor | None, Tensor | None]
"""Those by pictures and by kernels, where asked for."""
Backward = Callable[[Tensor, Tensor, Tensor, Sequence[bool]], Gradients]
"""Of what was given (N, ...), kernels, the gradient by answers, and which gradients are asked for:
those gradients."""


def each(parts: Iterable[Part]) -> Iterator[Part]:
    """All parts; where only shapes count the first alone, for one takes what another takes."""
    for part in parts:
        yield part
        if only_counted():
            return


def spans(length: int, most: int) -> Iterator[slice]:
    """A length in pieces of at most so many, and of one at least. Where only shapes count the first
    alone, so that a batch of any size can be counted."""
    most = max(most, 1)
    return (slice(n, min(n + most, length)) for n in each(range(0, length, most)))


def gradients_in_parts(
    gradients: Backward,
    given: Tensor,
    w: Tensor,
    by_answer: Tensor,
    asked: Sequence[bool],
    most: int,
) -> Gradients:
    """The gradients of a batch, of at most so many pictures at once, unless they are differentiated
    again."""
    if len(given) <= max(most, 1) or torch.is_grad_enabled():
        return gradients(given, w, by_answer, asked)
    by_given = torch.empty_like(given) if asked[0] else None
    by_w = torch.zeros_like(w) if asked[1] else None
    for few in spans(len(given), most):
        found = gradients(given[few], w, by_answer[few], asked)
        if by_given is not None and found[0] is not None:
            by_given[few] = found[0]
        if by_w is not None and found[1] is not None:
            by_w += found[1]
    return by_given, by_w
