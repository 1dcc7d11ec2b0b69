"""In which order a network's fields are computed, which of them are kept, and where."""

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as with_default
from itertools import pairwise
from math import sqrt
from typing import Literal

from ganvas.inference.tiles.fields import (
    Added,
    Convolved,
    Field,
    Normalised,
    Pointwise,
    Span,
    Upconvolved,
    Window,
)
from ganvas.inference.tiles.held import FLOAT

WORTH_KEEPING = 15.0
"""Multiplications that a value must take to be kept and not computed again, in widths of the first
layer. Of a resnet this keeps what lies at a quarter of the resolution, of a unet all but its first
layer: 192 and 128 bytes for each pixel of the picture at width 64, for 12 % and 1 % more
arithmetic than untiled."""


@dataclass
class Pass:
    """One walk over all windows of a field."""

    field: Field
    side: int
    """The longest side of a window, in the field's pixels."""
    norms: list[Normalised]
    """Those that wait for this field's statistics."""
    cost: float
    """Arithmetic, in multiplications."""
    keep: Literal["memory", "disk"] | None = None
    done_with: list[Field] = with_default(default_factory=list)
    """Kept fields that nobody reads afterwards."""

    @property
    def bytes(self) -> int:
        return self.field.values * FLOAT


def passes_to(output: Field, tile: int, memory: float) -> list[Pass]:
    """The passes that lead to the output, which is the last one's field.

    Args:
        tile: side of windows at the picture's resolution; with more channels they are smaller.
        memory: bytes of kept fields that may lie in memory at a time.
    """
    order = in_order(output)
    waiting: dict[Field, list[Normalised]] = {}
    for field in order:
        if isinstance(field, Normalised):
            waiting.setdefault(field.parents[0], []).append(field)
    costs, kept = costs_and_kept(order)
    width = width_of(order)
    passes = [
        Pass(field, side_of(field, kept, tile, width), waiting.get(field, []), costs[field])
        for field in order
        if field in kept or field in waiting or field is output
    ]
    last = {source: walk for walk in passes for source in sources_of(walk.field, kept)}
    for source, walk in last.items():
        walk.done_with.append(source)
    place(passes, kept, memory)
    return passes


def place(passes: list[Pass], kept: set[Field], memory: float) -> None:
    """Keep fields in memory as long as there is room for one more, and on disk otherwise."""
    there: dict[Field, int] = {}
    for walk in passes:
        if walk.field in kept:
            walk.keep = "memory" if sum(there.values()) + walk.bytes <= memory else "disk"
            if walk.keep == "memory":
                there[walk.field] = walk.bytes
        for field in walk.done_with:
            there.pop(field, None)


def most_on_disk(passes: list[Pass]) -> int:
    """Bytes that lie on disk at a time, at most."""
    there: dict[Field, int] = {}
    most = 0
    for walk in passes:
        if walk.keep == "disk":
            there[walk.field] = walk.bytes
        most = max(most, sum(there.values()))
        for field in walk.done_with:
            there.pop(field, None)
    return most


def in_order(output: Field) -> list[Field]:
    """All fields that lead to this one, each after its parents, as the network computes them."""
    found: dict[Field, None] = {}
    # No recursion: networks may be deeper than Python allows.
    waiting = [output]
    while waiting:
        field = waiting[-1]
        missing = [parent for parent in field.parents if parent not in found]
        if missing:
            waiting.append(missing[0])
        else:
            found[waiting.pop()] = None
    return list(found)


def costs_and_kept(order: list[Field]) -> tuple[dict[Field, float], set[Field]]:
    """What it takes to compute each field from those that are kept, and which are."""
    width = width_of(order)
    given_away = [order[-1]]
    while isinstance(given_away[-1], Pointwise):
        given_away.append(given_away[-1].parents[0])
    costs: dict[Field, float] = {}
    kept: set[Field] = set()
    for field in order:
        parents = {p: costs[p] for p in field.parents if p not in kept}
        costs[field] = field.per_value * field.values + sum(parents.values())
        if field in given_away:
            # Each pixel of these is computed once, at the very end.
            continue
        dear = costs[field] >= WORTH_KEEPING * width * field.values
        # A sum that is not kept would leave two fields to be kept for it.
        if isinstance(field, Added) or dear:
            kept.add(field)
    return costs, kept


def side_of(field: Field, kept: set[Field], tile: int, width: int) -> int:
    """How long a window's sides may be, so that neither it nor any that it is computed from has
    longer ones than a tile, or more values than a tile of the first layer, but for its halo."""
    through = [field, *read_through(field, kept)]
    sides = (tile * min(1.0, sqrt(width / f.channels)) * f.scale for f in through)
    return max(1, int(min(sides) / field.scale))


def width_of(order: list[Field]) -> int:
    """The channels of the first convolution."""
    layers = (f.channels for f in order if isinstance(f, Convolved | Upconvolved))
    return next(layers, order[0].channels)


def read_through(field: Field, kept: set[Field]) -> list[Field]:
    """The fields that this one is computed from, back to those that are kept."""
    found: dict[Field, None] = {}

    def visit(child: Field) -> None:
        for parent in child.parents:
            if parent not in found:
                found[parent] = None
                if parent not in kept:
                    visit(parent)

    visit(field)
    return list(found)


def sources_of(field: Field, kept: set[Field]) -> list[Field]:
    return [source for source in read_through(field, kept) if source in kept]


def windows_of(whole: Window, side: int) -> Iterator[Window]:
    rows, columns = (cut(span, side) for span in whole)
    return (Window(row, column) for row in rows for column in columns)


def cut(span: Span, side: int) -> list[Span]:
    """The span in as few pieces as may be that are no longer than `side`, near equal ones."""
    count = -(-span.length // side)
    edges = [span.start + span.length * i // count for i in range(count + 1)]
    return [Span(*edge) for edge in pairwise(edges)]
