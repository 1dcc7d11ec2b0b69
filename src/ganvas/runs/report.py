"""The report of a run: one page that needs no network, no other file and no ganvas."""

import json
import math
import re
import shlex
import statistics
from collections.abc import Sequence
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import yaml

from ganvas.runs.report_pictures import show_pictures

Row = dict[str, Any]

POINTS = 1500  # per curve; more than a screen is wide
NAMED = 12
CLASSES_NAMED = 6


def write_report(run: Path) -> Path:
    """Write `RUN/report.html` from whatever the run holds so far and return its path.

    What is missing or cut off (settings, log, previews, snapshots) is said on the page.
    Raises NotADirectoryError where `run` is no folder.
    """
    run = Path(run)
    if not run.is_dir():
        raise NotADirectoryError(f"{run} is no run directory")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    environment.filters |= {"plain": _plain, "few": _few}
    environment.filters |= {"shell": lambda value: shlex.quote(str(value))}
    source = resources.files("ganvas.runs").joinpath("report.html.jinja").read_text("utf-8")
    page = environment.from_string(source).render(_contents(run))
    beside = run / "report.html.tmp"
    beside.write_text(page, encoding="utf-8", errors="replace")
    return beside.replace(run / "report.html")


def _contents(run: Path) -> Row:
    missing: list[str] = []
    log = _read_log(run / "log.jsonl", missing)
    config = _read_config(run / "config.yaml", missing)
    pictures = show_pictures(run, missing)
    snapshots = sorted(path.name for path in (run / "snapshots").glob("[!.]*/"))
    if not snapshots:
        missing.append("No snapshot yet, so there is nothing to resume or to use.")
    last = log[-1] if log else None
    return pictures | {
        "run_name": run.resolve().name,
        "config": config,
        "trained_on": _trained_on(config),
        "missing": missing,
        "log_lines": len(log),
        "now": {key: _number(last, key) for key in ("images", "iterations", "epoch")},
        "seconds": _number(last, "time", "seconds"),
        "speed": _speed(log),
        "skipped": _skipped(log),
        "skipped_at": _skipped_at(log),
        "not_finite": _not_finite(log),
        "diagnosis": _diagnosis(log),
        "curves": _curves(log),
        "metrics": _read_lines(run / "metrics.jsonl"),
        "snapshots": snapshots,
        "written": datetime.now().astimezone().isoformat(" ", "seconds"),
    }


def _plain(value: Any) -> str:
    """A setting or a figure as a person would write it."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _few(value: Any) -> str:
    """As `_plain`, but of many things the first ones and how many more there are."""
    if not isinstance(value, dict | list) or len(value) <= NAMED:
        return _plain(value) if value or value in (0, False) else "none"
    first = list(value.items() if isinstance(value, dict) else value)[:NAMED]
    shown = _plain(dict(first) if isinstance(value, dict) else first)
    return f"{shown} … and {len(value) - NAMED:,} more"


def _trained_on(config: Row) -> str:
    """How many pictures of what, in words; empty where the record does not say."""
    settings, provenance = config["settings"], config["provenance"]
    counts = {str(part): n for part, n in _mapping(provenance, "pictures").items()}
    counts = {part: n for part, n in counts.items() if isinstance(n, int)}
    splits = [re.fullmatch(r"(train|val|test)([A-Z]?)", part) for part in counts]
    if all(splits):
        domains = {part[5:]: n for part, n in counts.items() if part.startswith("train")}
    else:  # folders of one domain: classes, or all pictures together
        domains = {"": sum(counts.values())}
    most = settings.get("max_pictures")
    most = most if isinstance(most, int) else math.inf
    amounts = {domain: f"{min(n, most):,} pictures" for domain, n in domains.items() if n}
    words = " and ".join(n + (f" of {domain}" if domain else "") for domain, n in amounts.items())
    classes = provenance.get("classes")
    if not words or not isinstance(classes, list) or not classes:
        return words
    named = ", ".join(map(str, classes[:CLASSES_NAMED]))
    named += " …" if len(classes) > CLASSES_NAMED else ""
    return f"{words} of {len(classes):,} class{'es' if len(classes) > 1 else ''} ({named})"


def _read_config(path: Path, missing: list[str]) -> Row:
    try:
        config = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        config = None
    if not isinstance(config, dict):
        missing.append("config.yaml is missing or cannot be read, so the settings are not known.")
        config = {}
    return config | {key: _mapping(config, key) for key in ("settings", "provenance", "networks")}


def _read_lines(path: Path) -> list[Any]:
    """What a JSON Lines file holds, line by line; None where a line cannot be read."""
    lines = path.read_text("utf-8", errors="replace").split("\n") if path.is_file() else []
    rows: list[Any] = []
    for line in filter(str.strip, lines):
        try:
            rows.append(json.loads(line))
        except (ValueError, RecursionError):
            rows.append(None)
    return rows


def _read_log(path: Path, missing: list[str]) -> list[Row]:
    rows = _read_lines(path)
    whole: list[Row] = [row for row in rows if _number(row, "images") is not None]
    log: list[Row] = []
    for row in whole:
        # A run that was killed and resumed logs the steps since its snapshot a second time.
        while log and log[-1]["images"] >= row["images"]:
            log.pop()
        log.append(row)
    if damaged := len(rows) - len(whole):
        missing.append(f"Cut off or damaged lines of log.jsonl, left out here: {damaged}.")
    if not log:
        missing.append("Nothing is logged yet, so there are no curves and no timings.")
    return log


def _mapping(parent: Row, key: str) -> Row:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _number(value: Any, *keys: str) -> float | None:
    """The number that is found under the keys; None where there is none or it is not finite."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and abs(value) < 1e300 else None


def _numbers(log: Sequence[Row], *keys: str) -> list[float]:
    return [value for row in log if (value := _number(row, *keys)) is not None]


# What the log says


def _speed(log: Sequence[Row]) -> Row:
    """Of each timing the median, the least, the greatest and the last value."""
    keys = ("pictures_per_second", "data_share", "step_seconds")
    values = {key: _numbers(log, "time", key) for key in keys}
    return {k: (statistics.median(v), min(v), max(v), v[-1]) for k, v in values.items() if v}


def _skipped(log: Sequence[Row]) -> float:
    """Steps skipped in all: the log counts them up, also over resumes."""
    return max([0, *_numbers(log, "skipped")])


def _skipped_at(log: Sequence[Row]) -> list[tuple[str, int]]:
    """Each player that has skipped a step, and the last one that it skipped; the latest first."""
    last = _mapping(log[-1], "skipped_at") if log else {}
    found = {player: step for player in last if (step := _number(last, player)) is not None}
    return sorted(((p, int(step)) for p, step in found.items()), key=lambda item: -item[1])


def _not_finite(log: Sequence[Row]) -> dict[str, int]:
    """Per loss, in how many lines of the log it was not finite."""
    losses = [_mapping(row, "losses") for row in log]
    bad = [name for row in losses for name in row if _number(row, name) is None]
    return {name: bad.count(name) for name in sorted(set(bad))}


def _diagnosis(log: Sequence[Row]) -> list[Row]:
    """Every remark once, with its latest figures, the latest first; `current` where the last line
    still has it."""
    remarks: dict[str, Row] = {}
    for row in log:
        sentences = row.get("diagnosis")
        for text in map(str, sentences if isinstance(sentences, list) else []):
            without_figures = re.sub(r"\d[\d.,]*", "#", text)
            remark = remarks.setdefault(without_figures, {"first": row["images"]})
            remark |= {"text": text, "last": row["images"], "current": row is log[-1]}
    return sorted(remarks.values(), key=lambda remark: -remark["last"])


class Panel(NamedTuple):
    """A chart: its title, the names that go there, and how it is drawn."""

    title: str
    names: str
    """A pattern; of those of one group, the first that fits a name has it."""
    note: str = ""
    bounds: tuple[float, float] | None = None
    mark: tuple[float, str] | None = None
    """A value worth a line of its own, and what it means."""
    small: bool = False
    strip: str = ""
    """The end of names that the title says already."""
    steady: bool = False
    """Never smoothed."""

    def of(self, curves: Sequence[Row]) -> Row:
        about = self._asdict() | {"curves": curves}
        return {key: value for key, value in about.items() if key not in ("names", "strip")}


PANELS = {
    "losses": (
        Panel("Adversarial losses", r"[GD](_(?!L1|L2|(.+_)?(gp|r1|r2)$).*)?"),
        Panel(
            "Scores, as probabilities of being real",
            r"D\w*\(.+\)\w*",
            note="D(x) of real pictures; D(G(z)) of generated ones, before (1) and after (2) "
            "a step of G",
            bounds=(0, 1),
            mark=(0.5, "undecided"),
        ),
        Panel(
            "Penalties",
            r"D(_.+)?_(gp|r1|r2)",
            note="of discriminators, times their weights",
            small=True,
        ),
        Panel("Other losses", r".*"),
    ),
    "vitals": (
        Panel(
            "How often discriminators are right",
            r".* order",
            note="how often a real picture scores higher",
            bounds=(0, 1),
            mark=(0.5, "guessing"),
            small=True,
            strip=" order",
        ),
        Panel(
            "Mean scores", r".* (real|fake)", note="of real and of generated pictures", small=True
        ),
        Panel(
            "Gradient norms", r".* gradient", note="of each player", small=True, strip=" gradient"
        ),
        Panel("Other figures", r".*", small=True),
    ),
}
STEADY = (
    (Panel("Learning rate", "learning rate", small=True, steady=True), ("lr",)),
    (
        Panel("Pictures per second", "pictures per second", small=True, steady=True),
        ("time", "pictures_per_second"),
    ),
)
TONES = {"D": 0, "D_A": 0, "D_B": 1, "G": 2, "G_A": 2, "G_B": 3}
"""Colours of players and their networks, the same in every chart; there are eight."""


def _curves(log: Sequence[Row]) -> Row:
    """The usable x axes and the panels; a point is the mean of as many lines as POINTS asks for.

    Where a curve has no value, `gaps` has the points at which it was there and not finite; at
    the others nothing was logged, as of a player that did not move.
    """
    step = math.ceil(len(log) / POINTS) or 1
    buckets = [log[i : i + step] for i in range(0, len(log), step)]
    ends = [bucket[-1] for bucket in buckets]
    axes = {"images": ["images"], "epochs": ["epoch"], "time": ["time", "seconds"]}
    axes = {axis: _numbers(ends, *keys) for axis, keys in axes.items()}

    def curve(name: str, tone: int, *keys: str) -> Row:
        means = [statistics.fmean(v) if (v := _numbers(b, *keys)) else None for b in buckets]
        said = [any(keys[-1] in _mapping(row, keys[0]) for row in b) for b in buckets]
        ys = [None if mean is None else float(f"{mean:.5g}") for mean in means]
        gaps = [i for i, y in enumerate(ys) if y is None and said[i]]
        return {"name": name, "tone": tone, "y": ys, "gaps": gaps}

    panels: list[Row] = []
    for group, kinds in PANELS.items():
        names = {name for row in log for name in _mapping(row, group)}
        for panel in kinds:
            here = sorted((n for n in names if re.fullmatch(panel.names, n, re.S)), key=_place)
            names -= set(here)
            shown = {name: name.removesuffix(panel.strip) for name in here}
            curves = [curve(shown[n], tone, group, n) for n, tone in _tones(here).items()]
            panels.append(panel._replace(title=_title(panel, here)).of(curves))
    panels += [panel.of([curve(panel.names, 7, *keys)]) for panel, keys in STEADY]
    return {
        "axes": {k: x for k, x in axes.items() if x and len(x) == len(ends) and x == sorted(x)},
        "panels": [p for p in panels if any(set(c["y"]) - {None} for c in p["curves"])],
        "lines_per_point": step,
    }


def _place(name: str) -> tuple[str, bool, str]:
    """Sorts names by network, what is said of real pictures before what of generated ones."""
    return re.split(r"[ (]", name)[0], " fake" in name or "(G(" in name, name


def _tones(names: Sequence[str]) -> dict[str, int]:
    """The colour of each curve of a chart: its player's, unless a player has several curves."""
    players = [re.sub(r" (order|gradient)$|_(gp|r1|r2)$", "", name) for name in names]
    if len(set(players)) == len(names) and set(players) <= set(TONES):
        return {name: TONES[player] for name, player in zip(names, players, strict=True)}
    return {name: (i + 4) % 8 for i, name in enumerate(names)}


def _title(panel: Panel, names: Sequence[str]) -> str:
    kinds = {name.split("_")[0] for name in names}
    if panel.title == "Other losses" and kinds and kinds <= {"cycle", "idt"}:
        return "Cycle and identity losses" if "idt" in kinds else "Cycle losses"
    return panel.title
