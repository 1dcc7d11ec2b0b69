"""A bench from its YAML file: what may stand there, and one sentence on what may not."""

import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from ganvas.bench.plan import (
    BUILT_IN,
    HELD_BY_PEOPLE,
    JUDGED,
    Plan,
    Published,
    Row,
    Special,
    Table,
    figure_in,
    slug,
)
from ganvas.errors import InputError, did_you_mean
from ganvas.evaluation.metrics import METRICS
from ganvas.methods import METHODS


def read_plan(name: str) -> Plan:
    """A built-in bench by its name, or a YAML file's.

    Raises:
        InputError: there is none, or it says what no bench can be.
    """
    return plan_of(content_of(name), name)


def content_of(name: str, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """What a bench's file holds, over what it extends; `above` are the files that extend it."""
    if name in BUILT_IN:
        text = files("ganvas.bench").joinpath(f"{name.replace('-', '_')}.yaml").read_text("utf-8")
    else:
        path = Path(name).expanduser()
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is no text"
            raise InputError(
                f"{name}: is no built-in bench ({', '.join(BUILT_IN)})"
                f"{did_you_mean(name, list(BUILT_IN))} and no file that can be "
                f"read ({reason})"
            ) from None
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that there is not
        raise InputError(f"{name}: is not YAML ({' '.join(str(error).split())})") from None
    top = mapping_of(content, name, "")
    base = top.pop("extends", None)
    if base is None:
        return top
    if not isinstance(base, str):
        raise InputError(f"{name}: extends: {base}: wants the name of one bench or file")
    if base in BUILT_IN:
        return over(content_of(base), top)
    here = Path(name).expanduser()
    below, passed = here.parent / base, (*above, here.resolve())
    if below.resolve() in passed:
        raise InputError(f"{name}: extends: {base}: is this file itself, or extends it")
    return over(content_of(str(below), passed), top)


def over(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """One mapping over another, and so in mappings within; all else takes the place of what was
    there."""
    merged = dict(base)
    for name, value in top.items():
        below = merged.get(name)
        both = isinstance(value, dict) and isinstance(below, dict)
        merged[name] = over(below, value) if both and isinstance(below, dict) else value
    return merged


KEYS = ("title", "data", "seeds", "duration", "settings", "rows", "metrics", "judged", "tables")
KEYS += ("labels", "for")


def plan_of(content: Any, source: str) -> Plan:
    """A plan from what its file holds.

    Raises:
        InputError: names the place and the mend.
    """
    top = mapping_of(content, source, "")
    known(top, KEYS, source)
    rows = tuple(
        row_of(name, about, source)
        for name, about in mapping_of(top.get("rows"), source, "rows: ").items()
    )
    if not rows:
        raise InputError(f"{source}: rows: there are none; write them as `NAME: {{method: ...}}`")
    slugs = [slug(row.name) for row in rows]
    if twice := [row.name for row in rows if slugs.count(slug(row.name)) > 1]:
        raise InputError(f"{source}: rows: {twice[0]} and another have the same name")
    metrics = metrics_of(top.get("metrics", []), source, "metrics")
    names = [row.name for row in rows]
    tables = tuple(
        table_of(about, names, metrics, source, f"tables: {i + 1}")
        for i, about in enumerate(list_of(top.get("tables", [])))
    )
    if not metrics and not tables:
        raise InputError(f"{source}: metrics: there are none; `ganvas evaluate --help` names them")
    labels = top.get("labels")
    if labels not in (None, "A", "B"):
        raise InputError(f"{source}: labels: {labels}: must be A or B")
    special = {
        where: special_of(about, names, source, f"for: {where}: ")
        for where, about in mapping_of(top.get("for") or {}, source, "for: ").items()
    }
    return Plan(
        title=str(top.get("title") or Path(source).stem),
        rows=rows,
        metrics=metrics,
        data=tuple(dict.fromkeys(map(str, list_of(top.get("data"))))),
        seeds=seeds_of(top.get("seeds", 1), f"{source}: seeds: "),
        settings=settings_in(top.get("settings") or {}, source, "settings: ")
        | ({} if top.get("duration") is None else {"duration": str(top["duration"])}),
        judged=judged_in(top.get("judged") or {}, source, "judged: "),
        tables=tables,
        labels=labels,
        special=special,
    )


def row_of(name: str, about: Any, source: str) -> Row:
    given = mapping_of(about, source, f"rows: {name}: ")
    method = given.pop("method", None)
    if not isinstance(method, str) or method not in METHODS:
        near = did_you_mean(str(method), list(METHODS))
        raise InputError(
            f"{source}: rows: {name}: "
            + (f"there is no method {method!r}{near}" if method else "method: is missing")
        )
    given = options_in(given, source, f"rows: {name}: ")
    data = given.pop("data", None)
    return Row(name, method, given, None if data is None else str(data))


def table_of(
    about: Any, rows: Sequence[str], metrics: Sequence[str], source: str, place: str
) -> Table:
    given = mapping_of(about, source, f"{place}: ")
    known(given, ("title", "direction", "metrics", "rows", "published"), f"{source}: {place}")
    named = given.get("rows")
    chosen = [str(row) for row in list_of(rows if named is None else named)]
    for row in chosen:
        if row not in rows:
            raise InputError(
                f"{source}: {place}: rows: there is no row {row!r}{did_you_mean(row, list(rows))}"
            )
    own = metrics_of(given.get("metrics", list(metrics)), source, f"{place}: metrics")
    if not own:
        raise InputError(f"{source}: {place}: metrics: there are none")
    direction = given.get("direction")
    published = given.get("published")
    return Table(
        title=str(given.get("title") or place),
        metrics=own,
        rows=tuple(chosen),
        direction=None if direction is None else str(direction),
        published=None
        if published is None
        else published_of(published, chosen, own, source, f"{place}: published: "),
    )


def published_of(
    about: Any, rows: Sequence[str], metrics: Sequence[str], source: str, place: str
) -> Published:
    given = mapping_of(about, source, place)
    known(given, ("of", "values", "unconfirmed"), f"{source}: {place}".removesuffix(": "))
    values = {}
    for row, figures in mapping_of(given.get("values") or {}, source, f"{place}values: ").items():
        if row not in rows:
            raise InputError(f"{source}: {place}values: there is no row {row!r} in this table")
        texts = [str(figure) for figure in list_of(figures)]
        if len(texts) != len(metrics) or any(math.isnan(figure_in(text)) for text in texts):
            raise InputError(
                f"{source}: {place}values: {row}: wants {len(metrics)} numbers, for "
                f"{', '.join(metrics)}"
            )
        values[str(row)] = texts
    of = given.get("of")
    if not of:
        raise InputError(f"{source}: {place}of: is missing; say what the figures hold for")
    unconfirmed = [str(row) for row in list_of(given.get("unconfirmed"))]
    for row in unconfirmed:
        if row not in values:
            raise InputError(f"{source}: {place}unconfirmed: there are no values of {row!r}")
    return Published(str(of), values, frozenset(unconfirmed))


def special_of(about: Any, rows: Sequence[str], source: str, place: str) -> Special:
    given = mapping_of(about, source, place)
    known(given, ("settings", "rows", "judged"), f"{source}: {place}".removesuffix(": "))
    own = {}
    for name, more in mapping_of(given.get("rows") or {}, source, f"{place}rows: ").items():
        if name not in rows:
            raise InputError(f"{source}: {place}rows: there is no row {name!r}")
        own[name] = options_in(more, source, f"{place}rows: {name}: ")
    return Special(
        settings_in(given.get("settings") or {}, source, f"{place}settings: "),
        own,
        judged_in(given.get("judged") or {}, source, f"{place}judged: "),
    )


OWN = {
    "seed": "say `seeds` for all rows",
    "out": "run directories are the bench's own",
    "direction": "a method of one direction is trained once for each",
    "method": "it is the row's",
    "device": "say --device",
    "threads": "say --threads",
}
"""Settings that a bench has in its own hands."""


def settings_in(about: Any, source: str, place: str) -> dict[str, Any]:
    """Settings of all rows, by their names in Python."""
    given = options_in(about, source, place)
    if "data" in given:
        raise InputError(f"{source}: {place}data: cannot be set here; it is no setting of all rows")
    return given


def options_in(about: Any, source: str, place: str) -> dict[str, Any]:
    """Options of one row, by their names in Python.

    Raises:
        InputError: one is none of a row's.
    """
    given = {k.replace("-", "_"): v for k, v in mapping_of(about, source, place).items()}
    for name, mend in OWN.items():
        if name in given:
            raise InputError(f"{source}: {place}{name}: cannot be set here; {mend}")
    return given


def judged_in(about: Any, source: str, place: str) -> dict[str, Any]:
    given = mapping_of(about, source, place)
    known(given, JUDGED, f"{source}: {place}".removesuffix(": "))
    return dict(given)


def metrics_of(value: Any, source: str, place: str) -> tuple[str, ...]:
    names = [str(name) for name in list_of(value)]
    for name in names:
        if name not in METRICS and name not in HELD_BY_PEOPLE:
            near = did_you_mean(name, [*METRICS, *HELD_BY_PEOPLE])
            raise InputError(f"{source}: {place}: there is no metric {name!r}{near}")
    return tuple(dict.fromkeys(names))


def seeds_of(value: Any, place: str) -> tuple[int, ...]:
    """`3` is seeds 0, 1 and 2; a list is those seeds."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return tuple(range(value))
    if isinstance(value, list) and value and all(type(s) is int and s >= 0 for s in value):
        return tuple(dict.fromkeys(value))
    raise InputError(f"{place}{value}: wants how many, such as 3, or a list such as [0, 7]")


def mapping_of(value: Any, source: str, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{source}: {place}wants lines of the form `name: value`")
    return {str(key): item for key, item in value.items()}


def list_of(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def known(given: Mapping[str, Any], keys: Sequence[str], place: str) -> None:
    for name in given:
        if name not in keys:
            near = did_you_mean(name, list(keys))
            raise InputError(
                f"{place}: there is no {name!r} here{near}; there is {', '.join(keys)}"
            )
