"""The charts of a log: which curves go together, and their points."""

import math
import re
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from ganvas.runs.reading import Row, mapping, numbers

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
TONES = {"D": 0, "D_A": 0, "D_B": 1, "G": 2, "G_A": 2, "G_B": 3}
"""Colours of players and their networks, the same in every chart; there are eight."""


def curves_of(log: Sequence[Row]) -> Row:
    """The usable x axes and the panels; a point is the mean of as many lines as POINTS asks for.

    Where a curve has no value, `gaps` has the points at which it was there and not finite; at
    the others nothing was logged, as of a player that did not move.
    """
    step = math.ceil(len(log) / POINTS) or 1
    buckets = [log[i : i + step] for i in range(0, len(log), step)]
    ends = [bucket[-1] for bucket in buckets]
    axes = {"images": ["images"], "epochs": ["epoch"], "time": ["time", "seconds"]}
    axes = {axis: numbers(ends, *keys) for axis, keys in axes.items()}

    def curve(name: str, tone: int, *keys: str) -> Row:
        means = [statistics.fmean(v) if (v := numbers(b, *keys)) else None for b in buckets]
        said = [any(keys[-1] in mapping(row, keys[0]) for row in b) for b in buckets]
        ys = [None if mean is None else float(f"{mean:.5g}") for mean in means]
        gaps = [i for i, y in enumerate(ys) if y is None and said[i]]
        return {"name": name, "tone": tone, "y": ys, "gaps": gaps}

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
