"""Memory that is written to and read, and used again: what is allocated for a moment between values
that stay leaves holes that nothing fits into."""

import threading
from collections.abc import Sequence
from contextvars import ContextVar
from math import prod

import torch
from torch import Tensor
from torch._guards import detect_fake_mode

Buffers = dict[tuple[str, torch.dtype], Tensor]
own = threading.local()
counted: ContextVar[Buffers | None] = ContextVar("counted", default=None)
"""The buffers of what is only counted: tensors with shapes and no values."""


def scratch(name: str, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Memory of that shape on the CPU, of this thread, until it is asked for by that name again."""
    if only_counted():
        buffers = counted.get()
        buffers = {} if buffers is None else buffers
    else:
        buffers = own.__dict__.setdefault("buffers", {})
    size = prod(shape)
    kept = buffers.get((name, dtype))
    if kept is None or kept.numel() < size:
        buffers.pop((name, dtype), None)
        # What inference mode makes can be written to in no other.
        with torch.inference_mode(False):
            kept = buffers[name, dtype] = torch.empty(size, dtype=dtype)
    return kept[:size].view(*shape)


def only_counted() -> bool:
    """Whether tensors have shapes and no values just now: then nothing made now is to be kept."""
    return detect_fake_mode() is not None
