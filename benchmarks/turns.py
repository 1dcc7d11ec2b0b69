"""Sides that are measured in turn, A B A B, each in a process of its own that waits while the
others work: what slows the machine for a while slows all sides alike."""

import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from statistics import median
from typing import Any

Turn = Callable[[], object]
"""One unit of work, measured whole. What it leaves running on a GPU is waited for."""


@dataclass(frozen=True)
class Side:
    """What is measured: the turn that `build(**arguments)` gives in the side's own process."""

    name: str
    build: Callable[..., Turn]
    """A function of a module, so that its name says where it is."""
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Measured:
    """Seconds of each turn behind the warm-up, and the most memory that the side took in them."""

    seconds: tuple[float, ...]
    peak: int
    """Bytes above those before `build`: on a GPU of tensors, else of the process; 0 where the
    system does not tell."""

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the most seconds."""
        return min(self.seconds), max(self.seconds)


def alternate(
    sides: Sequence[Side], rounds: int, warm_up: int = 1, threads: int | None = None
) -> dict[str, Measured]:
    """Every side's turn in each round, in their order: what came of it, by name. `threads` are
    PyTorch's, in each process.

    Raises:
        RuntimeError: a side met an error, which it tells, or its process ended.
    """
    context, found = multiprocessing.get_context("spawn"), {side.name: [] for side in sides}
    peaks = dict.fromkeys(found, 0)
    with ExitStack() as stack:
        at_work = []
        for side in sides:
            ours, theirs = context.Pipe()
            process = context.Process(target=work, args=(theirs, side, threads), daemon=True)
            process.start()
            theirs.close()
            stack.callback(end, process, ours)
            at_work.append((side, process, ours))
            _ = answer(side, process, ours)  # built before the next one begins
        for n in range(warm_up + rounds):
            for side, process, ours in at_work:
                ours.send(n < warm_up)
                seconds, peaks[side.name] = answer(side, process, ours)
                if n >= warm_up:
                    found[side.name].append(seconds)
    return {name: Measured(tuple(seconds), peaks[name]) for name, seconds in found.items()}


def answer(side: Side, process: SpawnProcess, ours: Connection) -> tuple[float, int]:
    try:
        failed, told = ours.recv()
    except (EOFError, ConnectionResetError):
        process.join()
        raise RuntimeError(
            f"{side.name}: its process ended with exit code {process.exitcode}"
        ) from None
    if failed:
        raise RuntimeError(f"{side.name}: {told}")
    return told


def end(process: SpawnProcess, ours: Connection) -> None:
    ours.close()  # which ends the wait of one that is idle
    process.join(10)
    if process.is_alive():
        process.kill()
        process.join()


def work(theirs: Connection, side: Side, threads: int | None) -> None:
    """The life of a side's process: build, then a turn whenever it is asked for."""
    try:
        if threads is not None:
            set_threads(threads)
        before = resident("VmRSS")
        turn = side.build(**side.arguments)
        begin_peak()
        theirs.send((False, (0.0, 0)))
        while True:
            warms_up = theirs.recv()
            start = time.perf_counter()
            _ = turn()
            wait_for_gpu()
            theirs.send((False, (time.perf_counter() - start, peak_above(before))))
            if warms_up:
                begin_peak()  # libraries that try kernels out take memory for that once
    except EOFError:
        return
    except BaseException:
        with suppress(OSError):
            theirs.send((True, traceback.format_exc()))


def set_threads(threads: int) -> None:
    import torch

    os.environ["OMP_NUM_THREADS"] = str(threads)  # of what it starts
    torch.set_num_threads(threads)


def wait_for_gpu() -> None:
    if (torch := sys.modules.get("torch")) and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def begin_peak() -> None:
    """Count the most memory anew from here on."""
    if (torch := sys.modules.get("torch")) and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_above(before: int) -> int:
    if (torch := sys.modules.get("torch")) and torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated()
    return max(resident("VmHWM") - before, 0)


def resident(key: str) -> int:
    """Bytes, as Linux counts them: VmRSS now, VmHWM at most; 0 elsewhere."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1]) * 1024
    return 0
