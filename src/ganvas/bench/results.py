"""What the runs of a bench come to: of each row and metric the mean over seeds and its spread."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ganvas.bench.jobs import Job
from ganvas.bench.plan import TO_LETTER, Plan, Table, figure_in
from ganvas.runs.evaluations import Evaluation, Series, read_series, with_error

UNKNOWN = "unknown"
"""The direction of a table in words of labels and photos, where the label maps were not found."""
BOUNDS = {"upper bound": "Real answers", "chance": "Real answers to other inputs"}
"""What evaluations say beside a score, and the rows that show it."""


@dataclass(frozen=True)
class Score:
    """One run's value, and what makes values comparable with it."""

    seed: int
    evaluation: Evaluation
    identity: tuple[Any, ...]
    metric: str
    better: str


@dataclass(frozen=True)
class Cell:
    """A row's values by one metric."""

    scores: Sequence[Score] = ()
    wanted: int = 1
    """Seeds that there should be."""
    comparable: bool = True
    """Whether they were found as most of the column were."""

    @property
    def values(self) -> list[float]:
        return [score.evaluation.value for score in self.scores]

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.values) if self.scores else None

    @property
    def spread(self) -> float | None:
        """The standard deviation over seeds (over n - 1); None of a single one."""
        return statistics.stdev(self.values) if len(self.scores) > 1 else None

    def shown(self) -> str:
        if self.mean is None:
            return "–"
        alone = self.scores[0].evaluation if len(self.scores) == 1 else None
        # A study of one run says its own interval.
        interval = alone is not None and alone.low is not None
        text = alone.shown() if alone and interval else with_error(self.mean, self.spread)
        if len(self.scores) < self.wanted:
            text += f" (n = {len(self.scores)})"
        return text + (" ‡" if not self.comparable else "")


@dataclass(frozen=True)
class Found:
    """A table, filled in."""

    table: Table
    data: str
    direction: str
    """In the words of the data's folders; empty of rows that make pictures from noise, UNKNOWN
    where that is not known."""
    cells: Mapping[str, Sequence[Cell]]
    """By row, a cell for each metric."""
    bounds: Mapping[str, Sequence[float | None]]
    """What true answers score, and those to other inputs."""
    better: Sequence[str]
    names: Sequence[str]
    """What the metrics are called, with what they were measured by."""
    notes: Sequence[str] = ()
    agreement: Sequence[str] = ()
    """Whether rows stand in the order of the published ones."""

    @property
    def empty(self) -> bool:
        return not any(cell.scores for cells in self.cells.values() for cell in cells)


@dataclass
class Scores:
    """All values of a bench's runs."""

    plan: Plan
    jobs: Sequence[Job]
    series: dict[str, list[Series]] = field(default_factory=dict)
    """By the job's name: the evaluations of its finished training, in order."""
    tasks: dict[str, str] = field(default_factory=dict)
    """By source: the domain of the label maps, where an evaluation has found it."""

    @classmethod
    def read(cls, plan: Plan, jobs: Sequence[Job], runs: Mapping[str, Path]) -> "Scores":
        found = cls(plan, jobs)
        for job in jobs:
            if job.name not in runs:
                continue
            found.series[job.name] = finished(read_series(runs[job.name] / "metrics.jsonl", []))
            for series in found.series[job.name]:
                task = (series.last.provenance or {}).get("task")
                if task in ("labels -> photo", "photo -> labels"):
                    label_first = (task == "labels -> photo") == (series.direction == "AtoB")
                    found.tasks[job.data] = "A" if label_first else "B"
        return found

    def tables(self) -> list[Found]:
        """Every table of the plan, for every source; those in whose direction nothing was found
        are empty."""
        found = []
        for data in self.plan.data:
            for table in self.plan.tables or self.own_tables(data):
                found += [self.fill(each, data) for each in self.in_directions(table, data)]
        return found

    def own_tables(self, data: str) -> list[Table]:
        """Where a plan has none: all rows by all metrics, one for each direction."""
        rows = tuple(row.name for row in self.plan.rows)
        return [
            Table(way or "Results", self.plan.metrics, rows, way or None)
            for way in self.ways(data, rows)
        ]

    def in_directions(self, table: Table, data: str) -> list[Table]:
        """A table; where its rows translate and it names no direction, one for each."""
        ways = self.ways(data, table.rows)
        if table.direction is not None or ways == [""]:
            return [table]
        return [
            replace(table, title=f"{table.title}, {way}" if way else table.title, direction=way)
            for way in ways
        ]

    def ways(self, data: str, rows: Sequence[str]) -> list[str]:
        """The directions in which anything was measured of these rows; an empty one of rows that
        make pictures from noise, or where nothing was."""
        mine = [job.name for job in self.jobs if job.data == data and job.row in rows]
        return sorted({s.direction for name in mine for s in self.series.get(name, ())} or {""})

    def way_of(self, table: Table, data: str) -> str:
        """The direction in the words of the data's folders; UNKNOWN where it is in words of label
        maps that nobody has found. Where they were found is nobody's to say otherwise."""
        direction, labels = table.direction or "", self.tasks.get(data) or self.plan.labels
        if direction not in TO_LETTER["A"]:
            return direction
        return TO_LETTER[labels][direction] if labels else UNKNOWN

    def fill(self, table: Table, data: str) -> Found:
        way = self.way_of(table, data)
        columns = [self.column(table, data, way, metric) for metric in table.metrics]
        cells = {row: [column[row] for column in columns] for row in table.rows}
        notes = [
            f"{metric}: ‡ was found in another way (other pictures, counts or extractor) than the "
            "others, and may not be compared with them"
            for metric, column in zip(table.metrics, columns, strict=True)
            if any(not cell.comparable for cell in column.values())
        ]
        firsts = [first_of(column) for column in columns]
        bounds = {
            title: [bound_in(first, name) for first in firsts] for name, title in BOUNDS.items()
        }
        known_bounds = {k: v for k, v in bounds.items() if any(x is not None for x in v)}
        better = [first.better if first else "" for first in firsts]
        names = [
            first.metric if first else metric
            for first, metric in zip(firsts, table.metrics, strict=True)
        ]
        agreement = agreement_of(table, cells, better)
        return Found(table, data, way, cells, known_bounds, better, names, notes, agreement)

    def column(self, table: Table, data: str, way: str, metric: str) -> dict[str, Cell]:
        """A cell for each row."""
        scores: dict[str, list[Score]] = {row: [] for row in table.rows}
        for job in self.jobs:
            if job.data != data or job.row not in scores:
                continue
            for series in self.series.get(job.name, ()):
                if series.key == metric and series.direction == way:
                    score = Score(
                        job.seed, series.last, series.identity, series.metric, series.better
                    )
                    # Of several evaluations the newest stands.
                    same = [s for s in scores[job.row] if s.seed == job.seed]
                    if not same or (same[0].evaluation.date <= score.evaluation.date):
                        scores[job.row] = [s for s in scores[job.row] if s not in same] + [score]
        counted = Counter(s.identity for found in scores.values() for s in found)
        usual = counted.most_common(1)[0][0] if counted else None
        return {
            row: Cell(found, len(self.plan.seeds), all(s.identity == usual for s in found))
            for row, found in scores.items()
        }


def finished(series: Sequence[Series]) -> list[Series]:
    """Those that judge what a training ended with: not what was measured while it ran, nor later of
    an earlier snapshot."""
    judged = [each for each in series if not in_training(each.last)]
    end = max((each.last.images or 0 for each in judged), default=0)
    return [each for each in judged if (each.last.images or 0) == end]


def in_training(evaluation: Evaluation) -> bool:
    return (evaluation.provenance or {}).get("when") == "training"


def first_of(column: Mapping[str, Cell]) -> Score | None:
    return next(
        (cell.scores[0] for cell in column.values() if cell.scores and cell.comparable), None
    )


def bound_in(score: Score | None, name: str) -> float | None:
    value = (score.evaluation.details or {}).get(name) if score else None
    return float(value) if isinstance(value, int | float) else None


def agreement_of(
    table: Table, cells: Mapping[str, Sequence[Cell]], better: Sequence[str]
) -> list[str]:
    """Of each metric in how many pairs of rows the better one is the paper's, and which are not; a
    difference within the spreads of both counts for neither."""
    if table.published is None:
        return []
    said = []
    for i, metric in enumerate(table.metrics):
        sign = -1 if better[i] == "lower" else 1
        rows = [
            (row, cells[row][i], sign * figure_in(table.published.values[row][i]))
            for row in table.rows
            if row in table.published.values
            and cells[row][i].mean is not None
            and cells[row][i].comparable
        ]
        alike, tied, apart = 0, 0, []
        for j, (one, a, published_a) in enumerate(rows):
            for other, b, published_b in rows[j + 1 :]:
                if published_a == published_b:
                    continue
                assert a.mean is not None
                assert b.mean is not None
                gap = sign * (a.mean - b.mean)
                if abs(gap) <= (a.spread or 0) + (b.spread or 0):
                    tied += 1
                elif (gap > 0) == (published_a > published_b):
                    alike += 1
                else:
                    above, below = (one, other) if gap > 0 else (other, one)
                    apart.append(f"{above} above {below}")
        if not rows or not (alike or tied or apart):
            continue
        count = alike + tied + len(apart)
        text = f"{metric}: {alike} of {count} pairs of rows stand as published"
        text += f", {tied} within their spreads" if tied else ""
        text += f", {len(apart)} the other way round: {'; '.join(apart)}" if apart else ""
        if all(cell.spread is None for _, cell, _ in rows):
            text += " (of one seed each: nothing says how far chance goes)"
        said.append(text)
    return said
