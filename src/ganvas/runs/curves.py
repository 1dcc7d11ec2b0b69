"""The charts of a log: which curves go together, and their points."""

import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ganvas.runs.evaluations import Evaluation, Series, families, names_within
from ganvas.runs.reading import Row, mapping, numbers

SHARES = {"precision", "recall", "coverage"}
SHARES |= {"pixel-accuracy", "class-accuracy", "class-iou"}
"""Metrics that are parts of a whole."""
POINTS = 1500
"""Of a curve; more than a screen is wide."""


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
TONES = {"D": 0, "D_A": 0, "D_B": 1, "G": 2, "G_A": 2, "G_B": 3, "E": 3}
"""Colours of players and their networks, the same in every chart; there are eight."""


def curves_of(log: Sequence[Row], series: Sequence[Series] = ()) -> Row:
    """The usable x axes and the panels; a point is the mean of as many lines as POINTS asks for.

    Where a curve has no value, `gaps` has the points at which it was there and not finite; at
    the others nothing was logged, as of a player that did not move.
    """
    buckets = thinned(log, POINTS)
    ends = [bucket[-1] for bucket in buckets]
    axes = {"images": ["images"], "epochs": ["epoch"], "time": ["time", "seconds"]}
    axes = {axis: numbers(ends, *keys) for axis, keys in axes.items()}
    axes = {k: x for k, x in axes.items() if x and len(x) == len(ends) and x == sorted(x)}
    # Where all is evaluated once, before a line is logged or without any, there is no curve.
    series = [s for s in series if len(s.points) > 1]
    xs = axes.get("images", [])
    all_xs = union([xs, *(s.points for s in series)])

    def curve(name: str, tone: int, *keys: str) -> Row:
        ys, gaps = means(buckets, *keys)
        return {"name": name, "tone": tone} | spread(ys, gaps, xs, all_xs)

    panels: list[Row] = []
    for group, kinds in PANELS.items():
        names = {name for row in log for name in mapping(row, group)}
        for panel in kinds:
            here = sorted((n for n in names if re.fullmatch(panel.names, n, re.S)), key=_place)
            names -= set(here)
            shown = {name: name.removesuffix(panel.strip) for name in here}
            curves = [curve(shown[n], tone, group, n) for n, tone in _tones(here).items()]
            panels.append(panel._replace(title=_title(panel, here)).of(curves))
    panels += [panel.of([curve(panel.names, 7, *keys)]) for panel, keys in STEADY]
    panels = [p for p in panels if any(set(c["y"]) - {None} for c in p["curves"])]
    return {
        "axes": {k: list(np.interp(all_xs, xs, x)) if k != "images" else x for k, x in axes.items()}
        | ({"images": all_xs} if all_xs else {}),
        "panels": metric_panels(series, all_xs) + panels,
        "lines_per_point": len(buckets[0]) if buckets else 1,
    }


def metric_panels(series: Sequence[Series], xs: Sequence[float]) -> list[Row]:
    """A panel for each metric, with a curve for each direction and each way of judging."""
    panels = []
    for key, family in families(series).items():
        curves = [
            {"name": name, "tone": (i + 4) % 8} | evaluated(each.points, each.best, xs)
            for i, (name, each) in enumerate(zip(names_within(family), family, strict=True))
        ]
        panels.append(panel_of_metric(key, family, curves))
    return panels


def panel_of_metric(key: str, family: Sequence[Series], curves: Sequence[Row]) -> Row:
    metrics = {each.metric for each in family}
    title = metrics.pop() if len(metrics) == 1 else key
    if len(family) == 1 and family[0].direction:
        title += f", {family[0].direction}"
    better = "".join({each.better for each in family})
    note = f"{better} is better; a ring marks the best" if better in ("lower", "higher") else ""
    bounds = (0.0, 1.0) if key in SHARES else None
    return Panel(title, "", note=note, small=True, steady=True, bounds=bounds).of(curves)


def evaluated(
    points: Mapping[float, Evaluation], best: Evaluation | None, xs: Sequence[float]
) -> Row:
    """A curve of evaluations on an axis that has all of their places."""
    place = {x: i for i, x in enumerate(xs)}
    ys: list[float | None] = [None] * len(xs)
    errors: list[float | None] = [None] * len(xs)
    for x, evaluation in points.items():
        ys[place[x]], errors[place[x]] = _figures(evaluation.value), evaluation.error
    at = [x for x, evaluation in points.items() if evaluation is best]
    curve: Row = {"y": ys, "gaps": [], "best": place[at[0]] if at else None}
    return curve | ({"errors": errors} if set(errors) - {None} else {})


def thinned(log: Sequence[Row], most: int) -> list[Sequence[Row]]:
    """Lines that become one point each, so that there are no more points than that."""
    step = math.ceil(len(log) / most) or 1
    return [log[i : i + step] for i in range(0, len(log), step)]


def means(buckets: Sequence[Sequence[Row]], *keys: str) -> tuple[list[float | None], list[int]]:
    """Of each bucket the mean of what is found under the keys, and where it was not finite."""
    found = [statistics.fmean(v) if (v := numbers(b, *keys)) else None for b in buckets]
    said = [any(keys[-1] in mapping(row, keys[0]) for row in b) for b in buckets]
    ys = [None if mean is None else _figures(mean) for mean in found]
    return ys, [i for i, y in enumerate(ys) if y is None and said[i]]


def union(axes: Iterable[Iterable[float]]) -> list[float]:
    """Every x that one of them has."""
    return sorted({x for xs in axes for x in xs})


def spread(
    ys: Sequence[float | None], gaps: Sequence[int], xs: Sequence[float], onto: Sequence[float]
) -> Row:
    """A curve over `xs` on an axis that has those and others: nothing was logged there."""
    place = {x: i for i, x in enumerate(onto)}
    found: list[float | None] = [None] * len(onto)
    for x, y in zip(xs, ys, strict=True):
        found[place[x]] = y
    return {"y": found, "gaps": [place[xs[i]] for i in gaps]}


def _figures(value: float) -> float:
    return float(f"{value:.5g}")


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
