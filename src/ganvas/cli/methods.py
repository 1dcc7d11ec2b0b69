"""`ganvas methods [METHOD]`."""

import ast
from importlib.abc import InspectLoader
from importlib.util import find_spec
from typing import Any, Literal, get_args, get_origin


def methods(method: str | None = None, /) -> None:
    """List the methods, or every option of one with its default and meaning.

    Parameters
    ----------
    method
        The method whose options to list.
    """
    from ganvas.config import option_name, options_of
    from ganvas.methods import METHODS, method_class

    if method is None:
        for name in METHODS:
            print(f"{name:<12} {' '.join(about(METHODS[name]).split())}")
        return
    group = ""
    for option in options_of(method_class(method).Config):
        if option.group != group:
            group = option.group
            print(f"\n{group}")
        choices = [str(c) for c in get_args(option.kind)] if is_choice(option.kind) else []
        among = f" One of {', '.join(choices)}." if choices else ""
        print(f"  --{option_name(option.name):<18} {option.default!s:<16} {option.help}{among}")


def about(place: str) -> str:
    """The docstring of the module in `module:Class`, read, for PyTorch would take seconds."""
    module = place.partition(":")[0]
    spec = find_spec(module)
    assert spec is not None
    assert isinstance(spec.loader, InspectLoader)
    return ast.get_docstring(ast.parse(spec.loader.get_source(module) or "")) or ""


def is_choice(kind: Any) -> bool:
    return get_origin(kind) is Literal
