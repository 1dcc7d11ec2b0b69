"""Device, precision and threads: where and how numbers are computed."""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from ganvas.errors import InputError
from ganvas.pictures import to_unit

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Engine:
    device: torch.device
    precision: str

    @classmethod
    def start(
        cls, device: str = "auto", precision: str = "fp32", threads: int | None = None
    ) -> "Engine":
        """Take that device.

        Raises:
            InputError: it is not there, or cannot compute in that precision, or several
                processes were started.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise InputError("training in several processes is not there yet: start one process")
        if threads is not None:
            torch.set_num_threads(threads)
        found = torch.device(best_device() if device == "auto" else checked(device))
        if precision == "bf16" and found.type == "cuda" and not torch.cuda.is_bf16_supported():
            raise InputError(f"--precision bf16: {torch.cuda.get_device_name(found)} has none")
        return cls(found, precision)

    def place(self, network: Network) -> Network:
        """Move a network here. On GPUs to channels_last, which their convolutions want."""
        if self.device.type == "cuda":
            network.to(memory_format=torch.channels_last)
        return network.to(self.device)

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

    @property
    def description(self) -> str:
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        threads = torch.get_num_threads()
        return f"{self.device.type}, {threads} thread{'s' * (threads > 1)}"


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


def seed_step(seed: int, iteration: int) -> None:
    """Let all chance of a step follow from its number, so that resuming needs only a counter."""
    torch.manual_seed((seed * 1_000_003 + iteration + 1) % 2**63)
