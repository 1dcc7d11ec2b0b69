"""Runs side by side, as plain data: what was set otherwise, how far each is, what was measured."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ganvas.config import EvaluationSettings, WatchSettings
from ganvas.errors import InputError
from ganvas.runs.curves_of_runs import Logged, curves_of_runs, values_of_runs
from ganvas.runs.directory import Run, is_run
from ganvas.runs.evaluations import Evaluation, Series, differences, read_series, with_error
from ganvas.runs.reading import Row, mapping, number, numbers, read_config, read_log
from ganvas.runs.snapshots import read_description, snapshot_folder

WATCHING = {f.name for kind in (WatchSettings, EvaluationSettings) for f in fields(kind)}
MACHINERY = {*WATCHING, "device", "workers", "threads", "cache", "max_bad"} - {"patience"}
"""Settings that change nothing of what is trained."""


@dataclass
class Side:
    """One run, or a run as it was at one of its snapshots."""

    given: Path
    run: Path
    snapshot: Path | None
    """The folder of what is used of it; None where there is none yet."""
    until: float | None = None
    """The clock of a snapshot that was named."""
    name: str = ""
    config: Row = field(default_factory=dict)
    log: list[Row] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path | str) -> "Side":
        """What a run directory, a snapshot in one, or a snapshot's weights file names.

        Raises:
            InputError: it is none of these.
        """
        given = Path(path).expanduser()
        if is_run(given):
            side = cls(given, given, Run(given).snapshot())
        else:
            folder = snapshot_folder(given)
            run = folder.absolute().parents[1]
            if not is_run(run):
                raise InputError(
                    f"{path}: lies in no run directory, which has the log and settings"
                )
            side = cls(given, run, folder)
            if folder.name != "latest":
                side.until = number(read_description(folder), "clock", "images")
        side.read()
        return side

    def read(self) -> None:
        self.config = read_config(self.run / "config.yaml", self.missing)
        self.log = read_log(self.run / "log.jsonl", self.missing)
        self.series = read_series(self.run / "metrics.jsonl", self.missing)
        if self.snapshot is None:
            self.missing.append("No snapshot yet, so there is nothing to use.")
        if self.until is not None:
            until = self.until
            self.log = [row for row in self.log if row["images"] <= until]
            self.series = [cut for s in self.series if (cut := s.until(until)) is not None]

    @property
    def settings(self) -> Row:
        return self.config["settings"]

    @property
    def data(self) -> Any:
        """What tells the pictures that it was trained on."""
        return mapping(self.config["provenance"], "data_fingerprint") or self.settings.get("data")

    def told(self) -> Row:
        networks, origin = self.config["networks"], self.config["provenance"]
        parameters = {name: number(about, "parameters") for name, about in networks.items()}
        speeds = numbers(self.log, "time", "pictures_per_second")
        last = self.log[-1] if self.log else {}
        images = number(last, "images")
        return {
            "name": self.name,
            "run": str(self.run),
            "snapshot": self.snapshot.name if self.snapshot else None,
            "method": self.config.get("method"),
            "data": self.settings.get("data"),
            "images": self.until if images is None else images,
            "iterations": number(last, "iterations"),
            "epochs": number(last, "epoch"),
            "seconds": number(last, "time", "seconds"),
            "pictures_per_second": statistics.median(speeds) if speeds else None,
            "parameters": sum(n for n in parameters.values() if n is not None) or None,
            "networks": parameters,
            "device": origin.get("device"),
            "started": origin.get("started"),
            "versions": {key: origin.get(key) for key in ("ganvas", "torch", "python")},
            "settings": self.settings,
            "missing": self.missing,
        }


@dataclass(frozen=True)
class Comparison:
    """Sides in the order in which they were named, and which of them differ in their seeds only."""

    sides: tuple[Side, ...]
    groups: tuple[tuple[Side, ...], ...]
    notes: tuple[str, ...]

    def told(self) -> Row:
        """All of it as plain data, for JSON."""
        return {
            "runs": [side.told() for side in self.sides],
            "groups": [group_told(group) for group in self.groups],
            "settings": settings_that_differ(self.sides),
            "metrics": list(metrics_of(self)),
            "notes": list(self.notes),
            "curves": values_of_runs(self.logged()),
        }

    def curves(self) -> Row:
        """The charts, for the page."""
        return curves_of_runs(self.logged())

    def tones(self) -> dict[str, int]:
        """A colour for each run; those that differ in their seeds only have one."""
        group_of = {s.name: i for i, group in enumerate(self.groups) for s in group}
        kinds = [group_of.get(side.name, side.name) for side in self.sides]
        colours = {kind: i % 8 for i, kind in enumerate(dict.fromkeys(kinds))}
        return {side.name: colours[kind] for side, kind in zip(self.sides, kinds, strict=True)}

    def logged(self) -> list[Logged]:
        tones = self.tones()
        return [Logged(s.name, tones[s.name], s.log, s.series) for s in self.sides]


def compare(paths: Sequence[Path | str]) -> Comparison:
    """Read what these runs, or snapshots in them, have written down.

    Raises:
        InputError: there are fewer than two, one is no run, or one is named twice.
    """
    if len(paths) < 2:
        raise InputError("compare: name at least two runs, or snapshots of runs")
    sides = [Side.open(path) for path in paths]
    for i, side in enumerate(sides):
        same = [
            s for s in sides[:i] if (s.run.resolve(), s.until) == (side.run.resolve(), side.until)
        ]
        if same:
            raise InputError(f"{side.given}: is the same as {same[0].given}; name another")
    for side, name in zip(sides, names_of(sides), strict=True):
        side.name = name
    groups, notes = groups_of(sides)
    return Comparison(tuple(sides), tuple(groups), (*notes, *notes_on(sides)))


def names_of(sides: Sequence[Side]) -> list[str]:
    """The runs' names, with as many folders in front as tell them apart, and the snapshot where
    one was named."""
    paths = [side.run.resolve().parts for side in sides]
    depth, names = 0, [""] * len(sides)
    while depth == 0 or len(set(names)) < len(set(paths)):
        depth += 1
        names = ["/".join(parts[-depth:]) for parts in paths]
    ends = [f"/{s.snapshot.name}" if s.until is not None and s.snapshot else "" for s in sides]
    return [name + end for name, end in zip(names, ends, strict=True)]


def settings_that_differ(sides: Sequence[Side]) -> list[Row]:
    """Each setting that is not the same in all, with its value in those that have it.

    A setting that only some of the methods have is told where it is not at its default.
    """
    names = dict.fromkeys(name for side in sides for name in side.settings)
    found = []
    for name in names:
        values = {s.name: s.settings[name] for s in sides if name in s.settings}
        differ = any(value != next(iter(values.values())) for value in values.values())
        changed = any(name in (s.config.get("changed") or ()) for s in sides)
        if name != "out" and (differ or (len(values) < len(sides) and changed)):
            found.append({"name": name, "values": values, "matters": name not in MACHINERY})
    return sorted(found, key=lambda row: (not row["matters"], row["name"] == "seed"))


def groups_of(sides: Sequence[Side]) -> tuple[list[tuple[Side, ...]], list[str]]:
    """Sides of one method that differ in their seeds and in what changes nothing only, and what is
    to be said of them."""
    alike: dict[str, list[Side]] = {}
    for side in sides:
        kept = {k: v for k, v in side.settings.items() if k not in {*MACHINERY, "seed", "data"}}
        snapshot = side.snapshot.name if side.until is not None and side.snapshot else ""
        key = repr((side.config.get("method"), side.data, snapshot, sorted(kept.items(), key=str)))
        if side.settings:
            alike.setdefault(key, []).append(side)
    groups, notes = [], []
    for members in alike.values():
        by_seed = {str(side.settings.get("seed")): side for side in reversed(members)}
        group = tuple(side for side in members if side in by_seed.values())
        twice = [side.name for side in members if side not in by_seed.values()]
        if twice and len(group) > 1:
            notes.append(
                f"{', '.join(twice)}: left out of the spread, for another run has the same seed "
                "and settings"
            )
        if len(group) < 2:
            continue
        groups.append(group)
        if len({side.told()["images"] for side in group}) > 1:
            names = ", ".join(side.name for side in group)
            notes.append(f"{names}: differ in their seeds only, but have not come equally far")
    return groups, notes


def notes_on(sides: Sequence[Side]) -> Iterator[str]:
    """What stands against comparing these runs, in sentences."""
    for side in sides:
        for sentence in side.missing:
            yield f"{side.name}: {sentence}"
    first = sides[0]
    others = [side.name for side in sides[1:] if side.data != first.data]
    if others:
        verb = "was" if len(others) == 1 else "were"
        yield f"{', '.join(others)} {verb} trained on other pictures than {first.name}"


def group_told(group: Sequence[Side]) -> Row:
    return {
        "runs": [side.name for side in group],
        "seeds": [side.settings.get("seed") for side in group],
    }


def metrics_of(comparison: Comparison) -> Iterator[Row]:
    """A row for each set of values that may be compared, in the order of the metrics' names."""
    rows: dict[tuple[Any, ...], dict[str, Series]] = {}
    for side in comparison.sides:
        seen: dict[Any, Series] = {}
        for series in side.series:
            # Of averaged weights and of those as trained: two things of one run.
            both = seen.setdefault(series.identity, series) is not series
            key = (series.key, series.direction, series.identity, series.weights if both else "")
            rows.setdefault(key, {})[side.name] = series
    order = list(dict.fromkeys(key[:2] for key in rows))
    for key in order:
        family = [found for k, found in rows.items() if k[:2] == key]
        family.sort(key=lambda found: -len(found))
        for found in family:
            yield row_of(comparison, found, why_apart(family[0], found))


def why_apart(first: dict[str, Series], found: dict[str, Series]) -> list[str]:
    """Why the values of these runs may not be compared with those of the first."""
    if found is first or not found.keys() - first.keys():
        return []
    return differences(next(iter(first.values())), next(iter(found.values())))


def row_of(comparison: Comparison, found: dict[str, Series], apart: list[str]) -> Row:
    one = next(iter(found.values()))
    weights = {series.weights for series in found.values()}
    runs = {name: value_of(series) for name, series in found.items()}
    groups = []
    for group in comparison.groups:
        members = [side.name for side in group if side.name in found]
        if len(members) > 1:
            spreads = {which: spread_of([runs[m][which] for m in members]) for which in BOTH}
            groups.append({"runs": members, "n": len(members), **spreads})
    return {
        "key": one.key,
        "metric": one.metric,
        "direction": one.direction or None,
        "better": one.better or None,
        "of": dict(one.essentials),
        "weights": weights.pop() if len(weights) == 1 else None,
        "runs": runs,
        "groups": groups,
        "ahead": {which: ahead(runs, which, one.better) for which in BOTH},
        "not_comparable": apart,
    }


BOTH = ("last", "best")


def value_of(series: Series) -> Row:
    return {
        "last": told(series.last),
        "best": told(series.best) if series.best else None,
        "evaluations": len(series.evaluations),
        "weights": series.weights or None,
        "notes": list(series.last.notes),
        "provenance": series.last.provenance,
    }


def told(evaluation: Evaluation) -> Row:
    names = ("value", "error", "low", "high", "images")
    return {name: getattr(evaluation, name) for name in names} | {
        "date": evaluation.date or None,
        "shown": evaluation.shown(),
    }


def spread_of(values: Sequence[Row | None]) -> Row | None:
    """Mean and standard deviation (of a sample, over n - 1); None where a value is not known."""
    known = [value["value"] for value in values if value is not None]
    if len(known) < len(values):
        return None
    mean, deviation = statistics.fmean(known), statistics.stdev(known)
    return {"mean": mean, "deviation": deviation, "shown": with_error(mean, deviation)}


def ahead(runs: Row, which: str, better: str) -> str | None:
    """The run with the best of these values, where there are two and a better one."""
    known = {name: run[which]["value"] for name, run in runs.items() if run[which] is not None}
    if len(known) < 2 or better not in ("lower", "higher"):
        return None
    best = (min if better == "lower" else max)(known.values())
    winners = [name for name, value in known.items() if value == best]
    return winners[0] if len(winners) == 1 else None
