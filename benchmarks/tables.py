"""What a case is asked for, and the tables that it answers with."""

import os
import platform
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.turns import Measured

GIB = 2**30


@dataclass(frozen=True)
class Options:
    """How to measure, for all cases; one without a choice to make ignores it."""

    rounds: int | None = None
    """None: the case's own."""
    threads: int = 1
    device: str = "cpu"
    precision: str = "fp32"
    """Of ganvas; a yardstick computes in float32, with TF32 where a GPU has that."""
    batch_size: int | None = None
    """None: the case's own."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """More settings of ganvas, which its yardsticks do not have."""


@dataclass(frozen=True)
class Table:
    """A heading, the names of columns, and rows of cells as they are shown. Tables of one heading
    that follow one another are shown as one."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    figures: dict[str, Any] = field(default_factory=dict)
    """The numbers behind it, for files."""

    def markdown(self) -> str:
        head = [self.head, ["---"] * len(self.head)]
        return f"### {self.title}\n\n{in_cells(head)}\n{self.lines()}"

    def lines(self) -> str:
        """The rows alone: those of a table that has been begun."""
        return in_cells(self.rows)


def in_cells(rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


Case = Callable[[Options], Iterable[Table]]


def with_spread(values: Sequence[float], form: str = "{:.3g}") -> str:
    """`1.21 (1.18 to 1.25)`: the median, the least and the most."""
    shown = [form.format(value) for value in (median(values), min(values), max(values))]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


def ratios(slow: Measured, fast: Measured) -> list[float]:
    """Round by round, how often `fast` works while `slow` does once."""
    return [a / b for a, b in zip(slow.seconds, fast.seconds, strict=True)]


def gib(found: Measured) -> str:
    return f"{found.peak / GIB:.2f}" if found.peak else "unknown"


def where(options: Options) -> dict[str, str]:
    """Hardware, versions and command."""
    words = ["python", "-m", "benchmarks", *sys.argv[1:]]
    gpu = torch.cuda.get_device_name() if options.device.startswith("cuda") else ""
    return {
        "hardware": gpu or f"{processor()}, {os.cpu_count()} threads, {options.threads} used",
        "versions": f"torch {torch.__version__}, Python {platform.python_version()}",
        "command": shlex.join(words),
    }


def processor() -> str:
    """The processor's name."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def as_json(tables: Sequence[Table], options: Options) -> dict[str, Any]:
    return {**where(options), "options": asdict(options), "tables": [asdict(t) for t in tables]}
