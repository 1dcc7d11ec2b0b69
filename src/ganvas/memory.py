"""How much memory a training's step takes, counted without taking it.

The step is done with torch's fake tensors, which have shapes and no values, and what operations
make is added up for as long as something holds it.
"""

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.optim import Optimizer
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ganvas.allocator import give_back
from ganvas.clock import Clock
from ganvas.config import Settings
from ganvas.data.parts import free_memory
from ganvas.engine import settle_autograd
from ganvas.methods.base import Method
from ganvas.networks.convolution import counted_as_pytorchs
from ganvas.networks.scratch import counted

MOST_STEPS = 32
"""If a player has not moved in so many steps, its part is not counted."""


class Copies(TorchFunctionMode):
    """Lets tensors without values be copied with their module, as averages begin."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is not Tensor.__deepcopy__:
            return func(*args, **(kwargs or {}))
        x, memo = args
        return memo.setdefault(id(x), x.detach().clone())


class Tally(TorchDispatchMode):
    """Counts the bytes of tensors that operations make."""

    def __init__(self) -> None:
        super().__init__()
        self.held = self.most = 0
        self.known: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            # Python asks for a value, which no shape has: 0 will do to count by.
            return 0.0 if args[0].is_floating_point() else 0
        result = func(*args, **(kwargs or {}))
        for x in tree_leaves(result):
            if isinstance(x, Tensor):
                self.saw(x.untyped_storage())
        return result

    def saw(self, storage: torch.UntypedStorage) -> None:
        if storage not in self.known:
            self.known.add(storage)
            self.held += storage.nbytes()
            self.most = max(self.most, self.held)
            weakref.finalize(storage, self.freed, storage.nbytes())

    def freed(self, count: int) -> None:
        self.held -= count


def step_memory(
    kind: type[Method],
    config: Settings,
    channels: Mapping[str, int],
    classes: Sequence[str] = (),
    images: int = 0,
) -> int:
    """The most bytes that tensors take at once in the step behind so many images: weights,
    averages, gradients, Adam's moments, pictures, and what backward passes need, those of
    penalties too. In float32. What libraries take for themselves is not in it, nor is the space
    between tensors.

    Raises:
        InputError: there are no such networks.
    """
    clock = Clock(1)
    clock.images = images
    count, (width, height) = config.batch_size_at(images), config.width_height
    with no_values(), Tally() as tally, counting(config):
        with Copies():
            method = kind(config, channels, classes)
        for optimizer in method.optimizers.values():
            fill(optimizer)
        method.plan(clock)
        batch = {name: torch.empty(count, c, height, width) for name, c in channels.items()}
        if classes:
            batch["labels"] = torch.zeros(count, dtype=torch.long)
        for _ in range(MOST_STEPS):
            method.step(batch)
            if all(method.descents.values()):
                break
    return tally.most


@contextmanager
def no_values() -> Iterator[None]:
    """Nothing is computed meanwhile: tensors have shapes, and no values."""
    settle_autograd()
    with FakeTensorMode():
        yield


@contextmanager
def counting(config: Settings) -> Iterator[None]:
    """Count the convolutions that a training with these settings has, with their buffers."""
    elsewhere = config.device not in ("auto", "cpu") or (
        config.device == "auto" and (torch.cuda.is_available() or torch.backends.mps.is_available())
    )
    buffers = counted.set({})
    plain = counted_as_pytorchs.set(elsewhere or config.precision != "fp32" or config.compile)
    try:
        yield
    finally:
        counted.reset(buffers)
        counted_as_pytorchs.reset(plain)


def fill(optimizer: Optimizer) -> None:
    """Let it hold gradients and moments, as it does behind its first step."""
    for p in weights_of(optimizer):
        p.grad = torch.empty_like(p)
    optimizer.step()


def held_by(method: Method) -> int:
    """Bytes of a method's weights, averages and buffers."""
    return sum(x.nbytes for x in (*method.parameters(), *method.buffers()))


def weights_of(optimizer: Optimizer) -> Iterable[Tensor]:
    return (p for group in optimizer.param_groups for p in group["params"])


def free_on(device: torch.device) -> float:
    """Bytes of that device's memory that nothing uses now; with a CPU the computer's."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    return free_memory()


class Peak:
    """The most memory that this process has taken since it was made: on a GPU by tensors, on a CPU
    by all, above what it had then."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        give_back()
        with suppress(OSError):
            # Linux then counts its peak anew; elsewhere there is no such file.
            Path("/proc/self/clear_refs").write_text("5")
        self.before = resident("VmRSS")

    def read(self) -> int | None:
        """Bytes; None where the system does not tell."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        most = resident("VmHWM") if self.device.type == "cpu" else None
        return None if most is None or self.before is None else max(most - self.before, 0)


def resident(name: str) -> int | None:
    """Bytes of memory that Linux says this process has (VmRSS), or has had at the most (VmHWM)."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    return None
