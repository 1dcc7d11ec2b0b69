"""The log of a run: JSON lines, lines of text as a method's users know them, TensorBoard."""

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganvas.clock import Clock
from ganvas.runs.lines import LINES, Place


@dataclass
class Meter:
    """Means of scalars between two log lines, summed on the device so that no step waits.

    A step need not have all of them: each mean is over the steps that had it."""

    sums: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @torch.no_grad()
    def add(self, scalars: dict[str, Tensor]) -> None:
        for name, scalar in scalars.items():
            self.sums[name] = self.sums[name] + scalar if name in self.sums else scalar.clone()
            self.counts[name] = self.counts.get(name, 0) + 1

    def means(self) -> dict[str, float]:
        if not self.sums:
            return {}
        sums = torch.stack(list(self.sums.values())).tolist()
        return {name: s / self.counts[name] for name, s in zip(self.sums, sums, strict=True)}

    def to(self, device: torch.device) -> "Meter":
        """Where the next scalars come from: sums that were saved lie on the CPU."""
        self.sums = {name: total.to(device) for name, total in self.sums.items()}
        return self

    def clear(self) -> None:
        self.sums, self.counts = {}, {}


@dataclass
class Stopwatch:
    """Where the time between two log lines went, in seconds."""

    data: float = 0.0
    step: float = 0.0
    images: int = 0
    steps: int = 0
    since: float = 0.0
    """The training time at which it was started."""

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Time that passes here is spent on waiting for data."""
        start = time.perf_counter()
        yield
        self.data += time.perf_counter() - start

    @contextmanager
    def stepping(self, images: int, steps: int = 1) -> Iterator[None]:
        """Time that passes here is spent on a step."""
        start = time.perf_counter()
        yield
        self.step += time.perf_counter() - start
        self.images, self.steps = self.images + images, self.steps + steps

    def report(self, seconds: float) -> dict[str, float]:
        """`seconds` is the training time so far."""
        busy = self.data + self.step
        return {
            "seconds": round(seconds, 3),
            "pictures_per_second": round(self.images / busy, 3) if busy else 0.0,
            "data_share": round(self.data / busy, 5) if busy else 0.0,
            "step_seconds": round(self.step / max(self.steps, 1), 5),
            "busy": round(busy, 3),
            "maintenance": round(max(seconds - self.since - busy, 0.0), 3),
        }


class Log:
    """log.jsonl, loss_log.txt and TensorBoard events, appended to together."""

    def __init__(self, folder: Path, tensorboard: bool, dialect: str = "cyclegan") -> None:
        self.files = {name: folder / name for name in ("log.jsonl", "loss_log.txt")}
        self.folder, self.wants_tensorboard = folder, tensorboard
        self.line = LINES[dialect]
        self.tensorboard = None

    def begin(self, clock: Clock) -> None:
        """Open the files, at the start of a session; what TensorBoard has from later is void."""
        if self.wants_tensorboard:
            self.tensorboard = tensorboard_writer(self.folder, clock.images)
        text = self.files["loss_log.txt"]
        if not text.exists() or not text.stat().st_size:
            stamp = time.strftime("%c")
            header = f"================ Training Loss ({stamp}) ================\n"
            self.files["loss_log.txt"].write_text(header)
            self.files["log.jsonl"].touch()

    def write(self, entry: dict[str, Any], place: Place) -> None:
        """Append one entry."""
        clean = {k: finite(v) if isinstance(v, float) else v for k, v in entry.items()}
        for group in ("losses", "vitals"):
            clean[group] = {name: finite(value) for name, value in entry[group].items()}
        append(self.files["log.jsonl"], json.dumps(clean) + "\n")
        append(self.files["loss_log.txt"], self.line(entry, place) + "\n")
        if self.tensorboard is not None:
            for name, value in entry["losses"].items():
                self.tensorboard.add_scalar(f"loss/{name}", value, entry["images"])
            self.tensorboard.add_scalar("learning_rate", entry["lr"], entry["images"])
            for name in ("pictures_per_second", "data_share"):
                self.tensorboard.add_scalar(f"time/{name}", entry["time"][name], entry["images"])
            self.tensorboard.flush()

    def picture(self, image: Image.Image, clock: Clock) -> None:
        """A preview grid, for TensorBoard."""
        if self.tensorboard is not None:
            pixels = np.asarray(image)
            self.tensorboard.add_image("preview", pixels, clock.images, dataformats="HWC")

    def position(self) -> dict[str, int]:
        """Where each file ends now, so that resuming can go back to here."""
        return {name: path.stat().st_size for name, path in self.files.items() if path.exists()}

    def rewind(self, position: dict[str, int]) -> None:
        """Drop what was logged after that position: it will be computed again."""
        for name, path in self.files.items():
            if path.exists() and path.stat().st_size > position.get(name, 0):
                with open(path, "rb+") as file:
                    file.truncate(position.get(name, 0))

    def close(self) -> None:
        if self.tensorboard is not None:
            self.tensorboard.close()


def append(path: Path, text: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def finite(value: float) -> float | None:
    """JSON knows no NaN."""
    return value if math.isfinite(value) else None


def tensorboard_writer(folder: Path, images: int):
    """A writer of events, or None where the tensorboard package is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=images + 1 if images else None)
