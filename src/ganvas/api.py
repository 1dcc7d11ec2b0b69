"""The command line's words for Python."""

from typing import Any

from ganvas import training
from ganvas.inference.load import load
from ganvas.methods import method_class
from ganvas.runs.directory import Run
from ganvas.training import resume

__all__ = ["Run", "load", "resume", "train"]


def train(method: str, **settings: Any) -> Run:
    """Train: `train("cyclegan", data="horse2zebra", size=128, duration="2h")`.

    The settings are the command line's options with underscores; `ganvas methods METHOD` lists
    them.

    Raises:
        InputError: a setting, the data or the run directory does not allow it.
    """
    config = method_class(method).Config.from_mapping(settings)
    return training.train(method, config)
