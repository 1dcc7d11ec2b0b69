"""Pictures to judge by: those that were kept out of training, where there are such."""

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from torch import Tensor

from ganvas.config import Settings
from ganvas.data.bad import BadPicture
from ganvas.data.decode import decode_entry
from ganvas.data.layouts import (
    Layout,
    in_turn,
    one_domain,
    recognise,
    require_domains,
    split_off,
)
from ganvas.data.paired import check_layout, pairs_of
from ganvas.data.parts import to_tensor
from ganvas.data.prepare import Preparation
from ganvas.data.sources import Entry, open_source
from ganvas.errors import InputError
from ganvas.scales import Scale

Row = tuple[Tensor, ...]
HELD = "held-out"
PARTS = {"test": ("test",), "val": ("val", "valid", "validation"), HELD: (), "train": ("train",)}
"""What folders of a split are called; those in front are rather judged by."""


@dataclass(frozen=True)
class Split:
    """The pictures of one split by domain, in an order of chance that is always the same, so that
    the first N are as good as any."""

    name: str
    """test, val, held-out or train."""
    entries: Mapping[str, Sequence[Entry]]
    labels: Sequence[str] = ()
    """The class of each picture, where their folders name classes."""
    paired: bool = False
    """Whether the pictures of both domains at the same place belong together."""

    def first(self, count: int) -> "Split":
        kept = {domain: found[:count] for domain, found in self.entries.items()}
        return Split(self.name, kept, self.labels[:count], self.paired)


@dataclass(frozen=True)
class Splits:
    """All splits that a source has."""

    source: str
    all: dict[str, Split] = field(default_factory=dict)

    def get(self, name: str | None = None) -> Split:
        """That split; left out, what --hold-out has held out, else test, val or train.

        Raises:
            InputError: there is none of that name.
        """
        if name is None:
            chosen = (HELD, *PARTS)
            return next(self.all[split] for split in chosen if split in self.all)
        if name not in self.all:
            raise InputError(
                f"--split {name}: {self.source} has none; there is {', '.join(self.all)}"
            )
        return self.all[name]


def open_splits(config: Settings, kind: str, paired: bool = False) -> Splits:
    """The splits of the settings' source, for a method that trains on that kind of data; `paired`
    takes unpaired pictures of equal names for pairs.

    Raises:
        InputError: there are no pictures, or they lie otherwise than is wanted.
    """
    if not config.data:
        raise InputError("--data: this run was imported and has no pictures of its own; name some")
    layout = recognise(open_source(config.data, config.load_width_height))
    # What shows A and B side by side is pairs, whoever trained on its halves.
    whole_pairs = layout.kind == "paired"
    kind = "paired" if (paired or whole_pairs) and kind == "unpaired" else kind
    find = {"unpaired": unpaired, "paired": pairs}.get(kind, pictures)
    held = None
    if config.hold_out:
        layout, held = split_off(layout, config.hold_out, config.data)
    found = {}
    for name, folders in PARTS.items():
        split = next(filter(None, (find(layout, folder, config) for folder in folders)), None)
        if name == HELD and held is not None:
            split = find(held, "train", replace(config, max_pictures=None))
        if split is not None:
            found[name] = mixed(name, *split, paired=kind == "paired")
    if not found:
        raise InputError(f"--data {config.data}: there are no pictures to judge by")
    return Splits(config.data, found)


Found = tuple[dict[str, list[Entry]], list[str]] | None


def unpaired(layout: Layout, part: str, config: Settings) -> Found:
    require_domains(layout, ("A", "B"), config.data)
    most = config.max_pictures if part == "train" else None
    found = {domain: layout.part(part + domain)[:most] for domain in "AB"}
    return (found, []) if all(found.values()) else None


def pairs(layout: Layout, part: str, config: Settings) -> Found:
    if not config.colorizes:
        check_layout(layout, config.data)
    rows, _ = pairs_of(layout, part, config)
    rows = rows[: config.max_pictures] if part == "train" else rows
    return ({d: [row[i] for row in rows] for i, d in enumerate("AB")}, []) if rows else None


def pictures(layout: Layout, part: str, config: Settings) -> Found:
    if part == "train":
        by_class = in_turn(one_domain(layout, config.data), config.max_pictures)
    elif layout.kind == "paired":
        by_class = classes_in(layout, part)
    else:
        return None
    entries = [entry for found in by_class.values() for entry in found]
    names = [name for name, found in by_class.items() for _ in found]
    return ({"pictures": entries}, names if len(by_class) > 1 else []) if entries else None


def classes_in(layout: Layout, part: str) -> dict[str, list[Entry]]:
    """The pictures of test/ or val/ by the folders in it, as `one_domain` has those of train/."""
    above = len(PurePosixPath(layout.prefix).parts) + 1
    found: dict[str, list[Entry]] = {}
    for entry in layout.part(part):
        inner = PurePosixPath(entry.name).parts[above:]
        found.setdefault(inner[0] if len(inner) > 1 else "", []).append(entry)
    return {"": layout.part(part)} if "" in found else dict(sorted(found.items()))


def mixed(name: str, entries: dict[str, list[Entry]], labels: list[str], paired: bool) -> Split:
    orders = {}
    for domain, found in entries.items():
        orders[domain] = list(range(len(found)))
        random.Random(f"judge/{name}/{'' if paired else domain}").shuffle(orders[domain])
    shuffled = {domain: [found[i] for i in orders[domain]] for domain, found in entries.items()}
    return Split(name, shuffled, [labels[i] for i in orders["pictures"]] if labels else [], paired)


@dataclass
class Reader:
    """Reads pictures as the run prepares them for its previews: nothing by chance, no mirroring."""

    config: Settings
    scales: Mapping[str, Scale]
    skipped: list[str] = field(default_factory=list)
    """Sentences on pictures that cannot be used; there are --max-bad at most."""

    def __post_init__(self) -> None:
        self.preparation = Preparation.of(self.config, self.config.stride)

    def rows(self, split: Split, domains: Sequence[str]) -> Iterator[tuple[int, Row]]:
        """The pictures of these domains that stand at the same place, and the place: (C, h, w),
        uint8 where that holds them whole, else float32 in [-1, 1].

        Raises:
            InputError: more than --max-bad cannot be read, or are of another kind than the run's.
        """
        columns = [split.entries[domain] for domain in domains]
        for place, entries in enumerate(zip(*columns, strict=True)):
            try:
                row = tuple(map(self.read, domains, entries))
            except InputError as error:
                if str(error) not in self.skipped:
                    self.skipped.append(str(error))
                if len(self.skipped) > self.config.max_bad:
                    raise
                continue
            yield place, row

    def read(self, domain: str, entry: Entry) -> Tensor:
        scale = self.scales[domain]
        try:
            picture = decode_entry(entry, content_of(entry))
            return to_tensor(self.preparation.fixed(picture, scale.channels), scale)
        except BadPicture:
            raise
        except InputError as error:
            raise InputError(f"{entry.name}: {error}") from None

    def fingerprint(self, split: Split, domains: Sequence[str]) -> str:
        """SHA-256 over names and contents of these files, in their order."""
        known = hashlib.sha256()
        for domain in domains:
            for entry in split.entries[domain]:
                digest = hashlib.sha256(content_of(entry)).hexdigest()
                known.update(f"{entry.name}\0{digest}\n".encode())
        return known.hexdigest()

    @property
    def rule(self) -> str:
        """How pictures come to size, in words."""
        p = self.preparation
        told = p.preprocess
        if p.preprocess != "none":
            told += " {}x{}".format(*(p.size if p.crops else p.load_size))
        if p.preprocess in ("center_crop", "scale_width_and_crop") and p.load_size != p.size:
            told += " of {}x{}".format(*p.load_size)
        return told if p.alpha == "white" else f"{told}, over {p.alpha}"


def content_of(entry: Entry) -> bytes:
    try:
        return entry.read()
    except (OSError, RuntimeError, KeyError, EOFError) as error:
        raise BadPicture(f"{entry.name}: cannot be read ({error})") from None
