"""What metrics.jsonl holds, as far as it can be read: series of values that may be compared."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from ganvas.runs.reading import Row, mapping, number, read_lines

ESSENTIALS = {
    "split": "split",
    "real": "count of real pictures",
    "fake": "count of generated pictures",
    "extractor": "extractor",
    "preparation": "preparation",
    "quantisation": "quantisation",
    "truncation": "truncation",
    "data": "real pictures",
    "pairing": "pairing of the study",
    "protocol": "protocol of the study",
}
"""What values must have in common to be compared, besides their name and direction, in words."""
VALUE = (
    "key",
    "metric",
    "value",
    "better",
    "error",
    "low",
    "high",
    "direction",
    "details",
    "notes",
)
BESIDE = frozenset([*VALUE, "date", "images"])
"""What of a row without `provenance` does not say where its value comes from."""
HASH_SHOWN = 8


@dataclass(frozen=True)
class Evaluation:
    """One value, and where it comes from."""

    value: float
    error: float | None = None
    """The standard error."""
    low: float | None = None
    high: float | None = None
    """The ends of an interval, where there is one instead."""
    images: float | None = None
    """The clock of what was judged."""
    date: str = ""
    notes: tuple[str, ...] = ()
    details: Row | None = None
    provenance: Row | None = None

    def shown(self) -> str:
        """The value with its error or interval, in as many digits as mean something."""
        if self.low is not None and self.high is not None:
            return f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g})"
        return with_error(self.value, self.error)


@dataclass(frozen=True)
class Series:
    """Evaluations of one run that may stand in one curve, by their clock."""

    key: str
    metric: str
    direction: str
    better: str
    """lower, higher, or nothing where the rows do not say."""
    essentials: tuple[tuple[str, str], ...]
    weights: str
    evaluations: tuple[Evaluation, ...]

    @property
    def identity(self) -> tuple[Any, ...]:
        """Equal for values that may be compared, also between runs."""
        return self.metric, self.direction, self.essentials

    @property
    def last(self) -> Evaluation:
        return self.evaluations[-1]

    @property
    def best(self) -> Evaluation | None:
        """The first one of the best value; None where it is not known which way is better."""
        if self.better not in ("lower", "higher"):
            return None
        sign = 1 if self.better == "lower" else -1
        return min(self.points.values() or self.evaluations, key=lambda e: sign * e.value)

    @property
    def points(self) -> dict[float, Evaluation]:
        """By images shown; of several at one clock the last that was written."""
        return {e.images: e for e in self.evaluations if e.images is not None}

    def until(self, images: float) -> "Series | None":
        """What was known of a run when it had shown so many images."""
        kept = tuple(e for e in self.evaluations if (e.images or 0) <= images)
        return replace(self, evaluations=kept) if kept else None


def read_series(path: Path, missing: list[str]) -> list[Series]:
    """The series of a metrics.jsonl, in the order in which they began; what cannot be read is
    counted in `missing`."""
    rows = read_lines(path)
    found: dict[tuple[Any, ...], list[tuple[Row, Evaluation]]] = {}
    damaged = 0
    for row in rows:
        evaluation = evaluation_of(row)
        if evaluation is None:
            damaged += 1
            continue
        origin = evaluation.provenance or {}
        identity = (
            str(row["metric"]),
            str(row.get("direction") or ""),
            tuple(essentials_of(origin).items()),
            str(origin.get("weights") or ""),
        )
        found.setdefault(identity, []).append((row, evaluation))
    if damaged:
        missing.append(f"Cut off or damaged lines of metrics.jsonl, left out here: {damaged}.")
    return [
        Series(
            key=str(members[-1][0].get("key") or metric),
            metric=metric,
            direction=direction,
            better=str(members[-1][0].get("better") or ""),
            essentials=essentials,
            weights=weights,
            evaluations=tuple(sorted((e for _, e in members), key=by_clock)),
        )
        for (metric, direction, essentials, weights), members in found.items()
    ]


def evaluation_of(row: Any) -> Evaluation | None:
    """A row's value; None where it has no name or no finite value."""
    value = number(row, "value")
    if value is None or not isinstance(row.get("metric"), str):
        return None
    origin = mapping(row, "provenance")
    if not origin:  # a row that says all of it beside the value
        origin = {key: item for key, item in row.items() if key not in BESIDE}
    notes = row.get("notes")
    return Evaluation(
        value=value,
        error=number(row, "error"),
        low=number(row, "low"),
        high=number(row, "high"),
        images=number(row, "images"),
        date=str(row.get("date") or ""),
        notes=tuple(map(str, notes)) if isinstance(notes, list) else (),
        details=mapping(row, "details"),
        provenance=origin,
    )


def by_clock(evaluation: Evaluation) -> tuple[bool, float]:
    return evaluation.images is not None, evaluation.images or 0


def essentials_of(origin: Row) -> dict[str, str]:
    """What a value depends on and another must share, as text; empty where it is not said."""
    extractor, data, counts = origin.get("extractor"), origin.get("data"), mapping(origin, "counts")
    if isinstance(extractor, dict):
        extractor = extractor.get("sha256") or extractor.get("recipe") or str(extractor)
    if isinstance(data, dict):
        data = data.get("fingerprint") or data.get("source")
    found = {name: origin.get(name) for name in ESSENTIALS} | {"extractor": extractor, "data": data}
    if counts:  # as a study has them
        found |= {"real": counts.get("real"), "fake": counts.get("generated")}
    if protocol := mapping(origin, "protocol"):
        found["protocol"] = sha256(json.dumps(protocol, sort_keys=True).encode()).hexdigest()
    return {name: "" if value is None else text_of(value) for name, value in found.items()}


def text_of(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def families(series: Iterable[Series]) -> dict[str, list[Series]]:
    """The series of each formula, by its key; one formula may have several names."""
    found: dict[str, list[Series]] = {}
    for each in series:
        found.setdefault(each.key, []).append(each)
    return found


def names_within(family: Sequence[Series]) -> list[str]:
    """What tells the series of one family apart: their directions, and whatever else differs."""
    columns = {"": [s.metric for s in family]}
    columns |= {name: [dict(s.essentials)[name] for s in family] for name in ESSENTIALS}
    columns["weights"] = [s.weights for s in family]
    names = [[s.direction] if s.direction else [] for s in family]
    for name, values in columns.items():
        if len(set(values)) > 1:
            for parts, value in zip(names, values, strict=True):
                parts.append(f"{SHORT.get(name, name)} {shortened(value) or 'not said'}".strip())
    return [", ".join(parts) for parts in names]


SHORT = {"real": "real", "fake": "generated", "data": "pictures"}


def shortened(text: str) -> str:
    """Hashes by their beginning, all else as it is."""
    hexadecimal = len(text) >= 32 and not set(text) - set("0123456789abcdef")
    return text[:HASH_SHOWN] if hexadecimal else text


def differences(one: Series, other: Series) -> list[str]:
    """Why values of two series may not be compared, in words; nothing where they may."""
    found = []
    if one.metric != other.metric:
        found.append(f"{one.metric} is not {other.metric}")
    a, b = dict(one.essentials), dict(other.essentials)
    for name, words in ESSENTIALS.items():
        # The hash of an extractor is a part of the metric's name.
        if a[name] != b[name] and not (name == "extractor" and found):
            values = (shortened(x[name]) or "not said" for x in (a, b))
            found.append(f"{words}: {' and '.join(values)}")
    return found


def with_error(value: float, error: float | None) -> str:
    """The value in as many digits as its error leaves a meaning."""
    if error is None or not math.isfinite(error):
        return f"{value:.4g}"
    if error <= 0:
        return f"{value:.4g} ± 0"
    # Two digits of the error, and the value to the same place.
    places = max(0, 1 - math.floor(math.log10(error)))
    if places > 6:
        return f"{value:.3g} ± {error:.1g}"
    return f"{value:.{places}f} ± {error:.{places}f}"
