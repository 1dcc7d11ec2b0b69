"""Device, precision, threads and processes: where and how numbers are computed. No other file knows
how processes find and tell one another; they are started by whoever sets the variables that
torchrun sets."""

import atexit
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import islice
from types import MethodType
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ganvas import chance
from ganvas.allocator import keep_freed, set_apart
from ganvas.errors import InputError
from ganvas.pictures import to_unit

Network = TypeVar("Network", bound=nn.Module)
Answer = TypeVar("Answer")
MOST_COMPILED = 64
"""Times that torch.compile may compile one kind of network."""
BUCKET = 2**25
"""Bytes of tensors that are averaged together."""
PATIENCE = timedelta(days=1)
"""How long processes wait for one that evaluates; one that has ended is noticed at once."""


@dataclass(frozen=True)
class Processes:
    """Those that work together: the number of this one, and how many there are.

    All of them must call each method here, in the same order, but for `first` and `share`.
    """

    index: int = 0
    count: int = 1

    @classmethod
    def join(cls) -> "Processes":
        """Meet those that were started together, or be alone.

        Raises:
            InputError: it is not said where the others are, or they are not there.
        """
        index, count = place_among()
        if count > 1:
            _ = group()
        return cls(index, count)

    @property
    def first(self) -> bool:
        """Whether this one writes and speaks for all."""
        return self.index == 0

    def share(self, size: int) -> AbstractContextManager[None]:
        """A step in here is given this process's part of a batch of that size."""
        return chance.dealt(self.index, self.count, size // self.count)

    @torch.no_grad()
    def average(self, tensors: Sequence[Tensor]) -> None:
        """Make each tensor its mean over all processes, in place."""
        if self.count == 1:
            return
        for few in buckets(tensors):
            flat = torch.cat([t.reshape(-1) for t in few])
            with others_heard():
                dist.all_reduce(flat, group=group())
            parts = (flat / self.count).split([t.numel() for t in few])
            for tensor, mean in zip(few, parts, strict=True):
                tensor.copy_(mean.view(tensor.shape))

    def joined(self, x: Tensor) -> Tensor:
        """The values (N, ...) of all processes, one behind the other."""
        if self.count == 1:
            return x
        found = [torch.empty_like(x) for _ in range(self.count)]
        with others_heard():
            dist.all_gather(found, x.contiguous(), group=group())
        return torch.cat(found)

    @torch.no_grad()
    def begin_alike(self, tensors: Sequence[Tensor]) -> None:
        """Make each tensor that of the first process, in place."""
        if self.count == 1:
            return
        for few in buckets(tensors):
            flat = torch.cat([t.reshape(-1) for t in few])
            with others_heard():
                dist.broadcast(flat, 0, group=group())
            for tensor, theirs in zip(few, flat.split([t.numel() for t in few]), strict=True):
                tensor.copy_(theirs.view(tensor.shape))

    def agree(self, stop: bool, seconds: float) -> tuple[bool, float]:
        """Whether any process was asked to stop, and the time by the first one's clock."""
        if self.count == 1:
            return stop, seconds
        told = torch.tensor([float(stop), seconds if self.first else 0.0], dtype=torch.float64)
        with others_heard():
            dist.all_reduce(told, dist.ReduceOp.MAX, group=group())
        return bool(told[0]), float(told[1])

    def first_does(self, work: Callable[[], Answer]) -> Answer:
        """What comes of it in the first process, told to all; so is its error."""
        if self.count == 1:
            return work()
        told: list[Any] = [None, None]
        if self.first:
            try:
                told[0] = work()
            except Exception as error:
                told[1] = error
        with others_heard():
            dist.broadcast_object_list(told, 0, group=group())
        if told[1] is not None:
            raise told[1]
        return told[0]

    def gathered(self, own: Answer) -> list[Answer]:
        """What each process has, in their order; the first alone learns it."""
        if self.count == 1:
            return [own]
        found: list[Any] | None = [None] * self.count if self.first else None
        with others_heard():
            dist.gather_object(own, found, 0, group=group())
        return found or []

    def on_this_machine(self) -> int:
        """How many of them share this one's memory and cores."""
        return self.known_to_all(socket.gethostname()).count(socket.gethostname())

    def shared_out(self, work: Iterable[Callable[[], Answer]]) -> Iterator[Answer]:
        """What comes of these pieces of work, in their order, each of which one process does; the
        first alone learns it. All go through the same pieces, and to their end.

        Raises:
            Exception: what one of them met, in all.
        """
        remaining = iter(work)
        while True:
            pieces: list[Callable[[], Answer]] = []
            own: Any = None
            error: Exception | None = None
            try:
                pieces = list(islice(remaining, self.count))
                if self.index < len(pieces):
                    own = pieces[self.index]()
            except Exception as met:
                error = met
            told = self.known_to_all((error, len(pieces)))
            for met, _ in told:
                if met is not None:
                    raise met
            if any(count != len(pieces) for _, count in told):
                raise InputError(
                    "processes have different work to do; give all machines the same pictures"
                )
            if not pieces:
                return
            yield from self.gathered(own)[: len(pieces)]

    def known_to_all(self, own: Answer) -> list[Answer]:
        """What each process has, in their order."""
        if self.count == 1:
            return [own]
        found: list[Any] = [None] * self.count
        with others_heard():
            dist.all_gather_object(found, own, group=group())
        return found

    def refuse_unlike(self, own: object, sentence: str) -> None:
        """Go on when all are here.

        Raises:
            InputError: not all have the same; it says that sentence.
        """
        found = self.known_to_all(own)
        if any(other != found[0] for other in found):
            raise InputError(sentence)


ALONE = Processes()


@contextmanager
def others_heard() -> Iterator[None]:
    """The end of another process is told in words; the one that met an error says what it was."""
    try:
        yield
    except RuntimeError as error:
        raise InputError(
            "another process has ended, and with it all of them; `ganvas resume` goes on from the "
            "last snapshot of a training, and --skip-existing with a translation"
        ) from error


def buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Tensors of one type each, together about as large as is quick to send."""
    kinds: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for tensor in tensors:
        few = kinds.setdefault((tensor.dtype, tensor.device), [])
        few.append(tensor)
        if sum(t.nbytes for t in few) >= BUCKET:
            yield kinds.pop((tensor.dtype, tensor.device))
    yield from kinds.values()


def place_among() -> tuple[int, int]:
    """The number of this process, and how many were started together: RANK and WORLD_SIZE.

    Raises:
        InputError: they are no such numbers.
    """
    index, count = (os.environ.get(n, d) for n, d in (("RANK", "0"), ("WORLD_SIZE", "1")))
    if not (index.isdecimal() and count.isdecimal() and int(index) < max(int(count), 1)):
        raise InputError(
            f"RANK={index} WORLD_SIZE={count}: want a process's number, from 0, and how many there "
            "are; torchrun sets them"
        )
    return int(index), max(int(count), 1)


@cache
def meeting() -> Any:
    """Where processes leave word for one another: at MASTER_ADDR and MASTER_PORT.

    Raises:
        InputError: nobody is there.
    """
    needed = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
    if missing := [name for name in needed if name not in os.environ]:
        raise InputError(
            f"{' and '.join(missing)}: not set, though WORLD_SIZE is; start processes with "
            "torchrun, or set what it sets"
        )
    try:
        return next(dist.rendezvous("env://"))[0]  # pyright: ignore[reportPrivateImportUsage]
    except (RuntimeError, ValueError) as error:
        where = ":".join(os.environ[name] for name in ("MASTER_ADDR", "MASTER_PORT"))
        raise InputError(
            f"MASTER_ADDR:MASTER_PORT {where}: not all processes have met there "
            f"({str(error).splitlines()[0]})"
        ) from None


@cache
def group() -> Any:
    """All processes, who are met here at the first call.

    Raises:
        InputError: they are not there.
    """
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    if dist.is_initialized():  # by the launcher, which may not have thought of CPUs
        return dist.new_group(backend=backend, timeout=PATIENCE)
    (index, count), store = place_among(), meeting()
    try:
        dist.init_process_group(
            backend, store=store, rank=index, world_size=count, timeout=PATIENCE
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{count} processes were started, and do not find one another ({reason})"
        ) from None
    atexit.register(part)
    return dist.group.WORLD


def part() -> None:
    """Leave the others, at the end of all."""
    if dist.is_initialized():
        dist.destroy_process_group()


@contextmanager
def one_voice() -> Iterator[bool]:
    """Whether this process says how all end: it is the first that comes here, and the others wait
    until it has left."""
    index = 0
    try:
        index, count = place_among()
        if count == 1:
            yield True
            return
        store = meeting()
        speaks = store.add("ganvas/speaks", 1) == 1
        if not speaks:
            store.wait(["ganvas/spoken"], timedelta(seconds=10))
    except InputError:
        yield index == 0  # they have not met
        return
    except RuntimeError:
        yield False  # the one that kept the word has left, having spoken
        return
    yield speaks
    if speaks:
        store.set("ganvas/spoken", "1")


@dataclass(frozen=True)
class Engine:
    device: torch.device
    precision: str
    processes: Processes = ALONE

    @classmethod
    def start(
        cls,
        device: str = "auto",
        precision: str = "fp32",
        threads: int | None = None,
        together: bool = False,
    ) -> "Engine":
        """Take that device; `together` with the other processes that were started, each its own.

        Raises:
            InputError: it is not there, or cannot compute in that precision, or the other
                processes are not there.
        """
        if threads is not None:
            torch.set_num_threads(threads)
        name, processes = best_device() if device == "auto" else device, ALONE
        if together and (processes := Processes.join()).count > 1:
            name = own_device(name, processes)
        found = torch.device(checked(name))
        if found.type == "cpu":
            keep_freed()
        if precision == "bf16" and found.type == "cuda" and not torch.cuda.is_bf16_supported():
            raise InputError(f"--precision bf16: {torch.cuda.get_device_name(found)} has none")
        return cls(found, precision, processes)

    def tune(self) -> None:
        """Get ready for many steps on pictures of one size: on a GPU in TF32, in which PyTorch's
        convolutions there are by default, by the kernels that are found to be the fastest."""
        if self.device.type == "cuda":
            torch.set_float32_matmul_precision("high")
            torch.backends.cudnn.benchmark = True

    @contextmanager
    def first_step(self, is_first: bool = True) -> Iterator[None]:
        """Around the first step, which makes what lasts, as an optimiser's moments: on the CPU that
        lies by itself, and leaves no holes in the memory that steps take again and again."""
        apart = is_first and self.device.type == "cpu" and set_apart()
        try:
            yield
        finally:
            if apart:
                keep_freed()

    def place(self, network: Network) -> Network:
        """Move a network here. On GPUs to channels_last, which their convolutions want."""
        if self.device.type == "cuda":
            network.to(memory_format=torch.channels_last)
        return network.to(self.device)

    def compile(self, networks: Iterable[nn.Module]) -> None:
        """Let calls of these networks in training go through torch.compile; in inference mode, as
        previews make them, they stay as they are. Keys, weights and copies stay too.

        Raises:
            InputError: what it compiles with is not there.
        """
        self.refuse_no_compiler()
        settle_autograd()
        # Each network, with gradients and without, is one.
        torch._dynamo.config.recompile_limit = MOST_COMPILED
        for network in networks:
            network.forward = MethodType(compiled_in_training(type(network)), network)

    def refuse_no_compiler(self) -> None:
        """Raise InputError where torch.compile would find nothing to compile with."""
        # Slow to import, and seldom asked for.
        from torch._inductor.cpp_builder import get_cpp_compiler
        from torch._inductor.exc import InvalidCxxCompiler
        from torch.utils._triton import has_triton

        if self.device.type == "cuda":
            if not has_triton():
                raise InputError("--compile: wants triton on a GPU; install it, or leave it out")
            return
        try:
            get_cpp_compiler()
        except InvalidCxxCompiler:
            raise InputError(
                "--compile: wants a C++ compiler on the CPU, and there is none; install g++, name "
                "one in the variable CXX, or leave it out"
            ) from None

    def place_batch(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Move a batch here and scale its uint8 pictures to [-1, 1]; labels stay as they are."""
        moved = {name: x.to(self.device, non_blocking=True) for name, x in batch.items()}
        scaled = {name: to_unit(x) for name, x in moved.items()}
        if self.device.type != "cuda":
            return scaled
        return {
            name: x.to(memory_format=torch.channels_last) if x.ndim == 4 else x
            for name, x in scaled.items()
        }

    def autocast(self) -> AbstractContextManager[object]:
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def wait(self) -> None:
        """Until everything asked for is computed, so that a clock reads true."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def memory(self) -> float:
        """The most memory that tensors have taken on a GPU, in gigabytes; 0 elsewhere."""
        if self.device.type != "cuda":
            return 0.0
        return round(torch.cuda.max_memory_allocated(self.device) / 1e9, 3)

    @property
    def description(self) -> str:
        count = self.processes.count
        among = f", {count} processes" if count > 1 else ""
        if self.device.type == "cuda":
            return f"{torch.cuda.get_device_name(self.device)}{among}"
        threads = torch.get_num_threads()
        return f"{self.device.type}, {threads} thread{'s' * (threads > 1)}{among}"


@cache
def compiled_in_training(kind: type[nn.Module]) -> Callable[..., Any]:
    """The forward of networks of that kind."""
    compiled = torch.compile(kind.forward)

    def forward(self: nn.Module, *given: Any, **named: Any) -> Any:
        call = compiled if torch.is_grad_enabled() else kind.forward
        return call(self, *given, **named)

    return forward


def best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def checked(device: str) -> str:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise InputError(
            f"--device {device}: is not there; this machine has {best_device()}"
        ) from None
    return device


def own_device(name: str, processes: Processes) -> str:
    """The device of this process: a GPU that no other has, or the CPU.

    Raises:
        InputError: there are fewer GPUs than processes, or one was named for all.
    """
    if name == "cpu" or not torch.cuda.is_available():
        return name
    if name != "cuda":
        raise InputError(
            f"--device {name}: several processes work on CUDA GPUs, each on its own, or on the "
            "CPU; take --device cuda or --device cpu"
        )
    # Some launchers show each process its own GPU only.
    shown = torch.cuda.device_count()
    own = int(os.environ["LOCAL_RANK"]) if shown > 1 else 0
    known = str(torch.cuda.get_device_properties(own).uuid) if own < shown else ""
    found: list[Any] = [None] * processes.count
    with others_heard():
        dist.all_gather_object(found, (socket.gethostname(), known), group=group())
    there = {gpu for gpu in found if gpu[1]}
    if len(there) < processes.count:
        raise InputError(
            f"--device cuda: wants a GPU for each process, and {processes.count} processes have "
            f"{len(there)}; start as many as there are GPUs, or take --device cpu"
        )
    torch.cuda.set_device(own)
    return f"cuda:{own}"


def seed_step(seed: int, iteration: int) -> None:
    """Let all chance of a step follow from its number, so that resuming needs only a counter."""
    torch.manual_seed((seed * 1_000_003 + iteration + 1) % 2**63)


def settle_autograd() -> None:
    """Let autograd count the GPUs before something pretends that there are some.

    Exporters, torch.compile and tensors without values make a machine seem to have them. A first
    backward after that would start a thread for each, and no process forked from this one could
    train any more.
    """
    torch.ones((), requires_grad=True).backward()
