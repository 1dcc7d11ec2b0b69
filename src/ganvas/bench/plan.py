"""What a bench compares: rows of methods and options, on which data, by which metrics, and in
which tables that is shown."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ganvas.errors import InputError, did_you_mean

HELD_BY_PEOPLE = {"fooled"}
"""Metrics that are read where a study was held, and never computed."""
TO_PHOTO, TO_LABELS = "labels-to-photo", "photo-to-labels"
TO_LETTER = {"A": {TO_PHOTO: "AtoB", TO_LABELS: "BtoA"}, "B": {TO_PHOTO: "BtoA", TO_LABELS: "AtoB"}}
"""By the domain of the label maps: the direction in the words of the data's folders."""
WAYS = ("AtoB", "BtoA")
BUILT_IN = ("cyclegan-paper",)
JUDGED = ("count", "split", "paired", "palette", "extractor", "seed")
"""Options of an evaluation that a bench may set."""


@dataclass(frozen=True)
class Row:
    """A method with the options that make it this row."""

    name: str
    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: str | None = None
    """Another source than the bench's: pairs, for a method that wants such."""


@dataclass(frozen=True)
class Published:
    """What a paper says of the same rows, as it writes it, and the set that it holds for."""

    of: str
    values: Mapping[str, Sequence[str]]
    unconfirmed: frozenset[str] = frozenset()
    """Rows whose figures are from one memory, not checked against the paper."""


@dataclass(frozen=True)
class Table:
    """Rows by metrics, in one direction where rows translate."""

    title: str
    metrics: tuple[str, ...]
    rows: tuple[str, ...]
    direction: str | None = None
    """AtoB, BtoA, labels-to-photo, photo-to-labels, or the name of a domain."""
    published: Published | None = None


@dataclass(frozen=True)
class Special:
    """What is otherwise on one source."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    judged: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """A bench, checked: no training can fail for what is written here but by its options."""

    title: str
    rows: tuple[Row, ...]
    metrics: tuple[str, ...]
    data: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of all rows, as far as their methods have them."""
    said: Mapping[str, Any] = field(default_factory=dict)
    """What the command line sets for all rows, whatever is said elsewhere."""
    judged: Mapping[str, Any] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    labels: str | None = None
    """The domain of the label maps; left out, it is found where classes are scored."""
    special: Mapping[str, Special] = field(default_factory=dict)

    @property
    def computed(self) -> tuple[str, ...]:
        """All metrics that an evaluation computes, of tables too."""
        named = [*self.metrics, *(metric for table in self.tables for metric in table.metrics)]
        return tuple(m for m in dict.fromkeys(named) if m not in HELD_BY_PEOPLE)

    @property
    def directions(self) -> tuple[str, ...]:
        """The ways in which methods of one direction are trained: those of the tables, where these
        name them by the data's letters."""
        named = [table.direction for table in self.tables]
        ways = [way for way in WAYS if way in named]
        return tuple(ways) if named and set(named) <= set(WAYS) else WAYS

    def named(self, names: Sequence[str]) -> list[str]:
        """The rows of these names, however they are written; all where there is no name.

        Raises:
            InputError: there is none of a name.
        """
        known = [row.name for row in self.rows]
        by_slug = {slug(name): name for name in known}
        for name in names:
            if slug(name) not in by_slug:
                raise InputError(
                    f"--only {name}: there is no such row{did_you_mean(name, known)}; there is "
                    f"{', '.join(known)}"
                )
        return [by_slug[slug(name)] for name in names] or known


def slug(text: str) -> str:
    """A name that a file can have: `BiGAN/ALI` -> `bigan-ali`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "row"


def figure_in(text: str) -> float:
    """The number of a figure such as `26.8 ± 2.8`; NaN where it begins with none."""
    match = re.match(r"\s*(-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.,])", text)
    return float(match[1]) if match else math.nan
