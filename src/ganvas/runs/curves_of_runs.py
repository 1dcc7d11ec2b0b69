"""The charts of several runs on one axis: losses of equal names, and metrics that compare."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ganvas.runs.curves import (
    POINTS,
    Panel,
    evaluated,
    means,
    panel_of_metric,
    spread,
    thinned,
    union,
)
from ganvas.runs.evaluations import Series
from ganvas.runs.reading import Row, mapping, numbers

AXES = {"images": ("images",), "time": ("time", "seconds")}
LEAST_POINTS = 150


class Logged(NamedTuple):
    """What a run's curves are made of."""

    name: str
    tone: int
    log: Sequence[Row]
    series: Sequence[Series]

    def times(self) -> tuple[list[float], list[float]] | None:
        """Images and seconds of its log; None where a line lacks one."""
        images, seconds = (numbers(self.log, *keys) for keys in AXES.values())
        whole = images and len(images) == len(seconds) and seconds == sorted(seconds)
        return (images, seconds) if whole else None

    def losses(self) -> list[str]:
        return list(dict.fromkeys(name for row in self.log for name in mapping(row, "losses")))


def curves_of_runs(runs: Sequence[Logged]) -> Row:
    """Axes and panels as of one run, but each curve has points of its own `on` each axis: at equal
    images runs are not equally old. The time is there where every run that is drawn has it."""
    shared, metrics = shared_losses(runs), drawn_metrics(runs)
    names = {run.name for having in shared.values() for run in having}
    names |= {run.name for group in metrics for run, _ in group}
    alone = {loss for run in runs for loss in run.losses()} - shared.keys()
    runs = [run for run in runs if run.name in names]
    timed = {run.name: run.times() for run in runs}
    axes = [axis for axis in AXES if axis == "images" or all(timed.values())]
    most = max(POINTS // max(len(runs), 1), LEAST_POINTS)
    buckets = {run.name: thinned(run.log, most) for run in runs}

    def at(run: Logged, images: float, axis: str) -> float:
        known = timed[run.name]
        return (
            images
            if axis == "images" or known is None
            else round(float(np.interp(images, *known)), 3)
        )

    xs = {
        axis: {run.name: [numbers(b[-1:], *keys)[0] for b in buckets[run.name]] for run in runs}
        for axis, keys in AXES.items()
        if axis in axes
    }
    judged = {
        axis: [at(run, x, axis) for group in metrics for run, s in group for x in s.points]
        for axis in axes
    }
    whole = {axis: union([*xs[axis].values(), judged[axis]]) for axis in axes}

    def logged(run: Logged, loss: str) -> Row:
        ys, gaps = means(buckets[run.name], "losses", loss)
        on = {axis: spread(ys, gaps, xs[axis][run.name], whole[axis]) for axis in axes}
        return {"name": run.name, "tone": run.tone, "on": on}

    def measured(run: Logged, series: Series) -> Row:
        on = {
            axis: evaluated(
                {at(run, x, axis): e for x, e in series.points.items()}, series.best, whole[axis]
            )
            for axis in axes
        }
        return {"name": run.name, "tone": run.tone, "on": on}

    panels = [
        panel_of_metric("", [s for _, s in group], [measured(*each) for each in group])
        for group in metrics
    ]
    told_apart(panels, metrics)
    for loss, having in shared.items():
        panel = Panel(loss, "", small=True)
        panels.append(panel.of([logged(run, loss) for run in having]))
    return {
        "axes": {axis: found for axis, found in whole.items() if found},
        "panels": panels if whole["images"] else [],
        "only_in_one": sorted(alone),
    }


def shared_losses(runs: Sequence[Logged]) -> dict[str, list[Logged]]:
    """The losses that two runs or more have, and those runs."""
    names = dict.fromkeys(name for run in runs for name in run.losses())
    found = {name: [run for run in runs if name in run.losses()] for name in names}
    return {name: having for name, having in found.items() if len(having) > 1}


def drawn_metrics(runs: Sequence[Logged]) -> list[list[tuple[Logged, Series]]]:
    """Of what compares, that of which two runs or more have values, and one has a curve."""
    return [
        group
        for group in comparable(runs)
        if len(group) > 1 and any(len(series.points) > 1 for _, series in group)
    ]


def comparable(runs: Sequence[Logged]) -> list[list[tuple[Logged, Series]]]:
    """The series that may stand in one chart; of one run one each, unless weights differ."""
    found: dict[object, list[tuple[Logged, Series]]] = {}
    for run in runs:
        seen: set[object] = set()
        for series in run.series:
            weights = series.weights if series.identity in seen else ""
            seen.add(series.identity)
            found.setdefault((series.identity, weights), []).append((run, series))
    return list(found.values())


def told_apart(panels: list[Row], groups: Sequence[Sequence[tuple[Logged, Series]]]) -> None:
    """Give panels of one title what tells them apart: charts are found by their titles."""
    for panel, group in zip(panels, groups, strict=True):
        series = group[0][1]
        panel["title"] = f"{series.metric}, {series.direction}".removesuffix(", ")
    titles = [panel["title"] for panel in panels]
    for panel, group in zip(panels, groups, strict=True):
        if titles.count(panel["title"]) > 1:
            of = dict(group[0][1].essentials) | {"weights": group[0][1].weights}
            said = [f"{of['fake']} generated"] * bool(of["fake"]) + [of["split"], of["weights"]]
            panel["title"] += f" ({', '.join(filter(None, said))})"
    seen: dict[str, int] = {}
    for panel in panels:
        count = seen[panel["title"]] = seen.get(panel["title"], 0) + 1
        panel["title"] += f" ({count})" if count > 1 else ""


def values_of_runs(runs: Sequence[Logged]) -> Row:
    """Of each run and loss the values, and the images and seconds at which they were logged."""
    found: Row = {}
    for run in runs:
        buckets = thinned(run.log, POINTS)
        ends = [bucket[-1] for bucket in buckets]
        known = run.times()
        found[run.name] = {
            "images": numbers(ends, "images"),
            "seconds": numbers(ends, "time", "seconds") if known else None,
            "losses": {name: means(buckets, "losses", name)[0] for name in run.losses()},
        }
    return found
