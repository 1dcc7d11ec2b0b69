"""Pages that need no network and no other file: their templates, style and scripts."""

import shlex
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

NAMED = 12
STILL = 300
"""Points of a curve that is drawn without the script."""


def rendered(template: str, contents: dict[str, Any]) -> str:
    """A template of this folder, filled in; `file(NAME)` in it puts in a style or script as it
    lies here."""
    return templates().get_template(template).render(contents)


@cache
def templates() -> jinja2.Environment:
    """The folder's templates. One for all pages: to compile a template takes longer than to fill
    it in, and often as long as the rest of a small training."""
    loader = jinja2.PackageLoader("ganvas.runs.page", "")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    environment.filters |= {"plain": plain, "few": few, "still": still}
    environment.filters |= {"shell": lambda value: shlex.quote(str(value))}
    environment.globals["file"] = lambda name: Markup(loader.get_source(environment, name)[0])
    return environment


def plain(value: Any) -> str:
    """A setting or a figure as a person would write it."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(plain, value))
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def few(value: Any) -> str:
    """As `plain`, but of many things the first ones and how many more there are."""
    if not isinstance(value, dict | list) or len(value) <= NAMED:
        return plain(value) if value or value in (0, False) else "none"
    first = list(value.items() if isinstance(value, dict) else value)[:NAMED]
    shown = plain(dict(first) if isinstance(value, dict) else first)
    return f"{shown} … and {len(value) - NAMED:,} more"


def still(panel: dict[str, Any], xs: list[float]) -> dict[str, Any]:
    """A chart without its script: of each curve the colour and the points, in 600 by 220, and the
    ends of the axis of values."""
    lists = [
        curve["on"]["images"]["y"] if "on" in curve else curve["y"] for curve in panel["curves"]
    ]
    known = [[(x, y) for x, y in zip(xs, ys, strict=True) if y is not None] for ys in lists]
    values = [y for points in known for _, y in points] or [0.0]
    low, high = panel["bounds"] or (min(values), max(values))
    wide, tall = (xs[-1] - xs[0]) or 1, (high - low) or 1

    def place(x: float, y: float) -> str:
        return f"{(x - xs[0]) / wide * 600:.1f},{216 - (y - low) / tall * 212:.1f}"

    lines = [
        (curve["tone"], " ".join(place(*point) for point in points[:: len(points) // STILL + 1]))
        for curve, points in zip(panel["curves"], known, strict=True)
    ]
    return {"low": low, "high": high, "lines": lines}
