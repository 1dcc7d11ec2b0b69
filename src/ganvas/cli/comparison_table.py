"""Runs side by side as tables for a terminal."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ganvas.progress import spoken

Row = dict[str, Any]
ARROWS = {"lower": "↓", "higher": "↑"}
HEAD = 26
"""Columns of the screen for what a line is about."""
FACTS = (
    ("method", "method"),
    ("data", "data"),
    ("snapshot", "snapshot"),
    ("images", "pictures shown"),
    ("epochs", "epochs"),
    ("seconds", "training time"),
    ("pictures_per_second", "pictures per second"),
    ("parameters", "parameters"),
    ("device", "trained on"),
)


def tables_of(comparison: Row) -> Group:
    """What `Comparison.told` gives, to print: runs, settings that differ, metrics, and notes."""
    runs, groups = comparison["runs"], comparison["groups"]
    names = [run["name"] for run in runs]
    facts = [(title, [fact(run, key) for run in runs]) for key, title in FACTS]
    parts: list[Any] = [table("Runs", names, facts)]
    settings = [
        (row["name"], [setting(row["values"], name) for name in names])
        for row in comparison["settings"]
    ]
    parts.append(
        table("Settings that differ", names, settings) if settings else Text("No setting differs.")
    )
    if comparison["metrics"]:
        heads = [*names, *(f"{len(group['runs'])} seeds" for group in groups)]
        kinds = [(row["metric"], row["direction"]) for row in comparison["metrics"]]
        rows = [
            metric(row, kinds.count(kind) == 1, names, groups)
            for row, kind in zip(comparison["metrics"], kinds, strict=True)
        ]
        parts.append(table("Metrics, the last value of each", heads, rows))
    parts += [Text(line) for line in said(comparison)]
    return Group(*parts)


def table(title: str, names: Sequence[str], rows: Iterable[tuple[Any, Sequence[Any]]]) -> Table:
    made = Table(title=Text(title), box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    rows = list(rows)
    heads = [line for head, _ in rows for line in str(head).splitlines()]
    made.add_column("", overflow="fold", width=min(HEAD, max(map(len, heads), default=0)))
    for name in names:
        made.add_column(Text(name), overflow="fold")
    for head, cells in rows:
        made.add_row(
            *(cell if isinstance(cell, Text) else Text(str(cell)) for cell in (head, *cells))
        )
    return made


def fact(run: Row, key: str) -> str:
    value = run[key]
    if value is None:
        return "–"
    if key == "seconds":
        return spoken(value)
    if key in ("epochs", "pictures_per_second"):
        return f"{value:.4g}"
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)


def setting(values: Row, name: str) -> str:
    """A value as the command line would say it; a dash where the method has no such setting."""
    if name not in values:
        return "–"
    words = {True: "yes", False: "no", None: "none"}
    value = values[name]
    return words[value] if isinstance(value, bool) or value is None else str(value)


def metric(row: Row, alone: bool, names: Sequence[str], groups: Sequence[Row]) -> tuple[Text, Any]:
    """A line; where there are several of one metric also how its values were found."""
    head = Text("† " if row["not_comparable"] else "")
    head.append(
        " ".join(filter(None, [row["metric"], row["direction"], ARROWS.get(row["better"])]))
    )
    if not alone:
        counts = f"{row['of']['fake']} generated" if row["of"]["fake"] else ""
        of = ", ".join(filter(None, [counts, row["of"]["split"], row["weights"]]))
        head.append(f"\n{of}", "dim")
    cells = [found(row, name) for name in names]
    for group in groups:
        mine = next((g for g in row["groups"] if g["runs"][0] in group["runs"]), None)
        cells.append(Text(spread(mine) if mine else "–"))
    return head, cells


def found(row: Row, name: str) -> Text:
    """The last value, and below it the best where that is another; bold where it is ahead."""
    run = row["runs"].get(name)
    if run is None:
        return Text("–")
    last, best = run["last"], run["best"]
    clocks = {each["last"]["images"] for each in row["runs"].values()}
    cell = Text()
    cell.append(last["shown"], "bold" if row["ahead"]["last"] == name else "")
    if len(clocks) > 1:
        cell.append(clock(last), "dim")
    if best and best["value"] != last["value"]:
        cell.append("\nbest ")
        cell.append(best["shown"], "bold" if row["ahead"]["best"] == name else "")
        cell.append(clock(best), "dim")
    return cell


def clock(value: Row) -> str:
    return f" at {value['images'] / 1000:g} kimg" if value["images"] is not None else ""


def spread(group: Row) -> str:
    last, best = group["last"], group["best"]
    shown = last["shown"] if last else "–"
    if best and last and best["mean"] != last["mean"]:
        shown += f"\nbest {best['shown']}"
    return shown


def said(comparison: Row) -> Iterable[str]:
    for group in comparison["groups"]:
        yield (f"{len(group['runs'])} seeds: {', '.join(group['runs'])}; mean ± standard deviation")
    for row in comparison["metrics"]:
        if row["not_comparable"]:
            of = f"{row['metric']} {row['direction'] or ''}".strip()
            yield (
                f"† {of} of {', '.join(row['runs'])}: not comparable with the line above ("
                f"{'; '.join(row['not_comparable'])})"
            )
    for note in comparison["notes"]:
        yield f"note: {note}"
