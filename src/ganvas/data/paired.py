"""Pairs of A and B: pictures that show both side by side, or two folders matched by name."""

from collections.abc import Sequence

from ganvas.config import Settings
from ganvas.data.layouts import (
    Layout,
    Pair,
    found_in,
    one_domain,
    pairs_by_name,
    require_domains,
    side_by_side,
)
from ganvas.data.sampler import Draw, plain_draw
from ganvas.data.sources import Entry, Half, InLab
from ganvas.data.survey import first_names, said
from ganvas.data.training_set import Reading, TrainingSet
from ganvas.errors import InputError

SHOWN = 5


class Paired(TrainingSet):
    """Sample k is `{"A": ..., "B": ...}`: a pair by the epoch's order, both with the same crop and
    flip."""

    domains = ("A", "B")
    layouts = ("paired", "unpaired", "unlabelled")
    pairs = True

    def __init__(self, config: Settings, layout: Layout, reading: Reading | None = None) -> None:
        if not config.colorizes:
            check_layout(layout, config.data)
        self.training, alone = pairs_of(layout, "train", config)
        check_partners(self.training, alone, config)
        self.said_first = [f"left out {sentence}" for sentence in alone]
        self.held_out: list[Pair] = []
        for part in ("test", "val", "valid", "validation"):
            if not self.held_out:
                self.held_out, alone = pairs_of(layout, part, config)
                if alone:
                    self.said_first.append(f"not shown in previews: {few(alone)}")
        super().__init__(config, layout, reading)
        if layout.kind != "unpaired" and not config.colorizes:
            self.check_shapes()

    def pictures_of(self, domain: str) -> list[Entry]:
        return [pair[self.domains.index(domain)] for pair in self.training]

    def name_of(self, domain: str) -> str:
        if self.config.colorizes:
            return f"pictures ({'lightness' if domain == 'A' else 'colour'})"
        whole = {"unpaired": "", "paired": "train", "unlabelled": "pictures"}[self.layout.kind]
        return f"{whole} ({domain})" if whole else f"train{domain}"

    def shown_of(self, domain: str) -> list[Entry]:
        shown = [pair[self.domains.index(domain)] for pair in self.held_out]
        return shown or super().shown_of(domain)

    @property
    def epoch_size(self) -> int:
        return len(self.parts["A"].seen)

    def draws(self, k: int) -> dict[str, Draw]:
        c = self.config
        draw = plain_draw(c.seed, k, self.epoch_size, serial=c.serial_batches, flip=c.flip)
        return dict.fromkeys(self.domains, draw)

    @property
    def notes(self) -> list[str]:
        return [*self.said_first, *super().notes]

    def check_shapes(self) -> None:
        """Say which pictures may not show A and B side by side; refuse them where no folder name
        says that they do."""
        seen = self.parts["A"].seen
        odd = [s for s in seen if not side_by_side((2 * s.size[0], s.size[1]))]
        if odd and self.layout.kind == "unlabelled":
            raise InputError(
                f"--data {self.config.data}: {len(odd)} of {len(seen)} pictures are not twice as "
                f"wide as high, as A and B side by side are ({first_names(odd)}); if they show "
                "both all the same, put them into a folder train/"
            )
        what = "not twice as wide as high, and cut in the middle all the same"
        self.said_first += said("train", seen, what, odd)


def pairs_of(layout: Layout, part: str, config: Settings) -> tuple[list[Pair], list[str]]:
    """The pairs in train, val or test, and why other pictures are in none."""
    if config.colorizes:
        by_class = one_domain(layout, config.data) if part == "train" else {"": layout.part(part)}
        entries = [entry for found in by_class.values() for entry in found]
        return [(InLab(e, "lightness"), InLab(e, "chroma")) for e in entries], []
    if layout.kind == "unpaired":
        return pairs_by_name(layout, part)
    held = "pictures" if layout.kind == "unlabelled" and part == "train" else part
    return [(Half(entry, "A"), Half(entry, "B")) for entry in layout.part(held)], []


def check_layout(layout: Layout, source: str) -> None:
    """Refuse what holds no pairs.

    Raises:
        InputError: says what was found and what is wanted.
    """
    if layout.kind == "labelled":
        raise InputError(
            f"--data {source}: looks labelled ({found_in(layout)} pictures), but this method wants "
            "pairs: A and B side by side in train/, or the folders trainA/ and trainB/ with equal "
            f"names; `ganvas data check {source}` says more"
        )
    if layout.kind == "unpaired":
        require_domains(layout, Paired.domains, source)
        if source.startswith("sample:"):
            raise InputError(
                f"--data {source}: equal names in trainA and trainB show different things here, so "
                "they are no pairs; a method for unpaired pictures learns from them, as cyclegan, "
                "and sample:street-pairs has pairs"
            )


def check_partners(pairs: Sequence[Pair], alone: Sequence[str], config: Settings) -> None:
    """Refuse folders in which pictures have no partner, but for --max-bad.

    Raises:
        InputError: names the first few.
    """
    rule = "pairs are pictures of one name in trainA/ and trainB/, whatever their endings"
    if not pairs:
        raise InputError(f"--data {config.data}: there are no pairs ({few(alone, 2)}); {rule}")
    if len(alone) > config.max_bad:
        who = "1 picture belongs" if len(alone) == 1 else f"{len(alone)} pictures belong"
        raise InputError(
            f"--data {config.data}: {who} to no pair ({few(alone)}); {rule}. Rename or remove what "
            f"has no partner, or leave it out with --max-bad {len(alone)}"
        )


def few(sentences: Sequence[str], count: int = SHOWN) -> str:
    more = len(sentences) - count
    return "; ".join(sentences[:count]) + (f"; and {more} more" if more > 0 else "")
