"""Where whole fields are kept: in memory, or in a file that vanishes with its last user."""

import errno
import tempfile
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ganvas.errors import InputError
from ganvas.inference.tiles.fields import Field, Held, Window

FLOAT = 4
"""Bytes of a float32."""


class Keep(Held, Protocol):
    """Takes a field's windows one by one, and gives any window of the whole."""

    def write(self, window: Window, values: Tensor) -> None: ...


class InMemory:
    """A field as one array (H, W, C), so that windows are read as channels_last."""

    def __init__(self, field: Field, device: torch.device) -> None:
        self.values = np.empty((field.height, field.width, field.channels), np.float32)
        self.device = device

    def read(self, window: Window) -> Tensor:
        return as_tensor(self.values[slices(window)].copy(), self.device)

    def write(self, window: Window, values: Tensor) -> None:
        self.values[slices(window)] = as_array(values)

    def close(self) -> None:
        self.values = np.empty(0, np.float32)


class OnDisk:
    """A field as a file of (H, W, C), of which no part stays in memory.

    The file has no name where the system allows it, so that not even a kill leaves it behind.
    Read and written row by row, not mapped: mapped pages count as the process's own.
    """

    def __init__(self, field: Field, device: torch.device, folder: Path) -> None:
        self.width, self.channels = field.width, field.channels
        self.device, self.folder = device, folder
        self.file = tempfile.TemporaryFile(prefix="ganvas-", dir=folder, buffering=0)  # noqa: SIM115

    def read(self, window: Window) -> Tensor:
        values = np.empty((*window.shape, self.channels), np.float32)
        for place, row in self.rows(window, values):
            self.file.seek(place)
            while row:
                count = self.file.readinto(row)
                if not count:
                    raise OSError(errno.EIO, "a scratch file has become shorter")
                row = row[count:]
        return as_tensor(values, self.device)

    def write(self, window: Window, values: Tensor) -> None:
        try:
            for place, row in self.rows(window, as_array(values)):
                self.file.seek(place)
                while row:
                    row = row[self.file.write(row) :]
        except OSError as error:
            raise InputError(
                f"{self.folder}: what a picture's tiles leave there cannot be written "
                f"({error.strerror}); let TMPDIR name a folder with more room"
            ) from None

    def rows(self, window: Window, values: np.ndarray) -> list[tuple[int, memoryview]]:
        """Each row of the window: where it begins in the file, and its bytes."""
        wide = self.width * self.channels * FLOAT
        first = window.rows.start * wide + window.columns.start * self.channels * FLOAT
        return [(first + i * wide, memoryview(row).cast("B")) for i, row in enumerate(values)]

    def close(self) -> None:
        self.file.close()


def slices(window: Window) -> tuple[slice, slice]:
    return slice(*window.rows), slice(*window.columns)


def as_array(values: Tensor) -> np.ndarray:
    """(1, C, h, w) as a contiguous array (h, w, C)."""
    return np.ascontiguousarray(values[0].permute(1, 2, 0).cpu().numpy())


def as_tensor(values: np.ndarray, device: torch.device) -> Tensor:
    """An array (h, w, C) as (1, C, h, w), channels_last without a copy."""
    return torch.from_numpy(values).permute(2, 0, 1)[None].to(device)
