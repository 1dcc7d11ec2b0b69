"""The option that says which way to translate."""

from typing import Annotated

from cyclopts import Parameter

Direction = Annotated[str | None, Parameter(name=["--direction", "--to"])]
"""AtoB, BtoA, or the domain to translate into; its second name is for the last of these."""
