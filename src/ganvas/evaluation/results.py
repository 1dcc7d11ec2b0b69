"""What an evaluation found, and where each number comes from."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ganvas.runs.evaluations import with_error

Better = Literal["lower", "higher", ""]


@dataclass(frozen=True)
class Result:
    """One number, and all that it depends on."""

    key: str
    """What was asked for: fd."""
    metric: str
    """What it is called: FD-own@1a2b3c4d. Equal names may be compared, others never."""
    value: float
    better: Better
    error: float | None = None
    """The standard error, where the formula gives one."""
    direction: str | None = None
    """AtoB, BtoA or the target's name, of what translates."""
    details: dict[str, Any] = field(default_factory=dict)
    """What the formula says besides: values of single scales, the same of real pictures."""
    notes: list[str] = field(default_factory=list)
    """Why the number should be taken with care."""
    provenance: dict[str, Any] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """A line of metrics.jsonl."""
        content = asdict(self)
        about = content.pop("provenance")
        first = {name: about.pop(name) for name in ("date", "images") if name in about}
        return first | content | {"provenance": about}

    def shown(self) -> str:
        """The value, with its error, in as many digits as mean something."""
        return with_error(self.value, self.error)


def append(results: Sequence[Result], path: Path) -> None:
    """Add a line for each to a metrics.jsonl."""
    # A kill may have left a line without its end.
    whole = not path.exists() or path.read_bytes()[-1:] in (b"", b"\n")
    with open(path, "a", encoding="utf-8") as file:
        file.write("" if whole else "\n")
        file.writelines(json.dumps(result.row(), allow_nan=False) + "\n" for result in results)


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a metrics.jsonl, oldest first, without lines that a kill cut short; none where
    there is no such file."""
    rows = []
    for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows
