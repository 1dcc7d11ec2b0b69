"""Networks that keep what they are given for the backward, and compute the rest of it again there
(Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost")."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from contextvars import copy_context
from itertools import groupby
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ganvas.networks.norms import Tracking


def keep_inputs_only(networks: Iterable[nn.Module]) -> None:
    """Let each call of these networks whose gradient is asked for keep its inputs only. Their keys,
    their numbers and the chance that they draw stay the same, and so it is with their copies.

    A network with `segments` does so in each of these: a module whole, an `nn.Sequential` in the
    runs of layers between those that have layers of their own.
    """
    for network in networks:
        for part in getattr(network, "segments", [network]):
            runs = isinstance(part, nn.Sequential) and part is not network
            # Bound to the module: a deep copy of it has a forward of its own.
            part.forward = MethodType(called_in_runs if runs else called_whole, part)


def called_whole(self: nn.Module, *given: Any, **named: Any) -> Any:
    return computed_again([self], MethodType(type(self).forward, self), *given, **named)


def called_in_runs(self: nn.Sequential, x: Tensor) -> Tensor:
    for nested, layers in groupby(self, lambda layer: any(True for _ in layer.children())):
        run = list(layers)
        x = through(run, x) if nested else computed_again(run, through, run, x)
    return x


def through(layers: Iterable[nn.Module], x: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x


def computed_again(
    owners: Sequence[nn.Module], call: Callable[..., Any], *given: Any, **named: Any
) -> Any:
    """What the call answers; for the backward it is made again, with the owners as they are now."""
    if not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return call(*given, **named)
    before = AsBefore(owners)
    # A GPU's backward has a thread of its own, which does not know what part of a batch this is.
    run = copy_context().run
    return checkpoint(
        run, call, *given, use_reentrant=False, context_fn=lambda: (nullcontext(), before), **named
    )


class AsBefore:
    """In here modules ask for the gradients that they asked for when this was made, and their
    running statistics, which have seen the pictures once, stand still."""

    def __init__(self, owners: Sequence[nn.Module]) -> None:
        self.parameters = [p for owner in owners for p in owner.parameters()]
        self.asked = [p.requires_grad for p in self.parameters]
        modules = (m for owner in owners for m in owner.modules())
        self.keepers = [m for m in modules if isinstance(m, Tracking)]

    def __enter__(self) -> None:
        self.now = [p.requires_grad for p in self.parameters], [k.held for k in self.keepers]
        self.set(self.asked, [True] * len(self.keepers))

    def __exit__(self, *error: object) -> None:
        self.set(*self.now)

    def set(self, asked: Sequence[bool], held: Sequence[bool]) -> None:
        for parameter, wanted in zip(self.parameters, asked, strict=True):
            if parameter.requires_grad != wanted:
                parameter.requires_grad_(wanted)
        for keeper, still in zip(self.keepers, held, strict=True):
            keeper.held = still
