"""Numbers on the command line, read as strictly as settings: cyclopts would take 1.5 for 2."""

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter, Token

from ganvas.config import coerce


def strictly(kind: Any, tokens: Sequence[Token]) -> Any:
    """An option's value by the rules of `Settings`.

    Raises:
        InputError: it is no number of that kind.
    """
    return coerce(tokens[0].value, kind, (tokens[0].keyword or "").lstrip("-"))


Whole = Annotated[int, Parameter(converter=strictly)]
MaybeWhole = Annotated[int | None, Parameter(converter=strictly)]
Number = Annotated[float, Parameter(converter=strictly)]
MaybeNumber = Annotated[float | None, Parameter(converter=strictly)]
