"""`ganvas methods [METHOD]`."""

import inspect


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
            about = inspect.cleandoc(inspect.getmodule(method_class(name)).__doc__ or "")
            print(f"{name:<12} {' '.join(about.split())}")
        return
    group = ""
    for option in options_of(method_class(method).Config):
        if option.group != group:
            group = option.group
            print(f"\n{group}")
        print(f"  --{option_name(option.name):<18} {option.default!s:<16} {option.help}")
