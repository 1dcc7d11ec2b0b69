"""The real pictures that a method is judged by."""

from collections.abc import Iterator, Mapping, Sequence

import torch

from ganvas.config import Settings
from ganvas.data.held_out import Reader, Row, Split, Splits
from ganvas.pictures import to_unit
from ganvas.scales import Scale

HELD = 2**29
"""Bytes of them that are kept for the next call."""
Batch = tuple[list[int], Row]
"""Places, and the pictures of each domain that stand there."""


class RealPictures:
    """The first pictures of a split, read once where they fit into memory."""

    def __init__(
        self,
        config: Settings,
        scales: Mapping[str, Scale],
        splits: Splits,
        split: Split,
        device: torch.device,
        at_once: int,
    ) -> None:
        self.splits, self.split = splits, split
        self.reader = Reader(config, scales)
        self.device, self.at_once = device, at_once
        self.held: dict[tuple[str, ...], list[tuple[int, Row]]] = {}
        self.prints: dict[tuple[str, ...], str] = {}

    @property
    def labels(self) -> Sequence[str]:
        """The class of each, where their folders name classes."""
        return self.split.labels

    @property
    def learnt_from(self) -> Split:
        """The pictures that were trained on; where there are none, these."""
        return self.splits.all.get("train", self.split)

    def batches(self, domains: tuple[str, ...], of: str | None = None) -> Iterator[Batch]:
        """The pictures at the same places of these domains, or those `of` one class, (N, C, H, W)
        in [-1, 1] on the device; pictures of one batch have one size."""
        rows: list[tuple[int, Row]] = []
        for place, row in self.rows(domains):
            if of is not None and self.split.labels[place] != of:
                continue
            full = len(rows) == self.at_once
            if rows and (full or [x.shape for x in row] != [x.shape for x in rows[0][1]]):
                yield self.stacked(rows)
                rows = []
            rows.append((place, row))
        if rows:
            yield self.stacked(rows)

    def rows(self, domains: tuple[str, ...]) -> Iterator[tuple[int, Row]]:
        """`Reader.rows`."""
        if domains in self.held:
            yield from self.held[domains]
            return
        kept, size = [], 0
        for found in self.reader.rows(self.split, domains):
            size += sum(x.nbytes for x in found[1])
            if size <= HELD:
                kept.append(found)
            yield found
        if size <= HELD:
            self.held[domains] = kept

    def stacked(self, rows: list[tuple[int, Row]]) -> Batch:
        columns = zip(*(row for _, row in rows), strict=True)
        moved = tuple(to_unit(torch.stack(column).to(self.device)) for column in columns)
        return [place for place, _ in rows], moved

    def fingerprint(self, domains: tuple[str, ...]) -> str:
        """SHA-256 over names and contents of these domains' files."""
        if domains not in self.prints:
            self.prints[domains] = self.reader.fingerprint(self.split, domains)
        return self.prints[domains]
