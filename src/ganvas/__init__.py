"""ganvas trains, judges and ships generative adversarial networks."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganvas.api import (
        Result,
        Run,
        compare,
        evaluate,
        export,
        import_weights,
        load,
        project,
        resume,
        train,
    )

__all__ = [
    "Result",
    "Run",
    "compare",
    "evaluate",
    "export",
    "import_weights",
    "load",
    "project",
    "resume",
    "train",
]


def __getattr__(name: str) -> Any:
    # Imported on first use: torch takes seconds, and `ganvas --help` shall not wait for it.
    if name not in __all__:
        raise AttributeError(f"module 'ganvas' has no attribute {name!r}")
    from ganvas import api

    return getattr(api, name)
