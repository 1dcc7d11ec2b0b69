"""Sides for `benchmarks.turns`, which their processes import from here."""

import os
from pathlib import Path

from benchmarks.turns import Turn


def writes(name: str, log: Path) -> Turn:
    """A turn that adds the name to a log."""

    def turn() -> None:
        with log.open("a") as file:
            file.write(name)

    return turn


def takes(count: int) -> Turn:
    """A turn that fills so many bytes and lets them go."""
    return lambda: bytearray(os.urandom(1)) * count


def fails(when: str) -> Turn:
    """An error while it builds, or in its turn."""
    if when == "build":
        raise ValueError("no such thing")

    def turn() -> None:
        raise ValueError("it does not work")

    return turn


def dies() -> Turn:
    """A turn that takes its process with it."""
    return lambda: os._exit(3)
