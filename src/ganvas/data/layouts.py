"""Layouts of picture sets, recognised from folder names and shapes, never configured."""

import hashlib
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice, zip_longest
from pathlib import PurePosixPath
from typing import Literal

from ganvas.data.sources import Entry, Half
from ganvas.errors import InputError

Pair = tuple[Entry, Entry]
"""A and B of one thing."""
Kind = Literal["unpaired", "paired", "labelled", "unlabelled"]

DOMAIN_FOLDERS = {"traina", "trainb", "testa", "testb", "vala", "valb"}
SPLIT_FOLDERS = {"train", "val", "valid", "validation", "test"}
ASIDE = {"testA", "testB", "valA", "valB", "val", "valid", "validation", "test"}
"""Parts that nothing is trained on."""
APART = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
"""Folders of pairs side by side, and what those of their halves would be called."""
SHARED_SHAPE = 1.02
"""Pictures whose width to height differ by less have one shape."""


@dataclass(frozen=True)
class Layout:
    """What kind of set it is, and the pictures of each part: `trainA`, `test`, a class ..."""

    kind: Kind
    parts: dict[str, list[Entry]] = field(default_factory=dict)
    prefix: str = ""
    """Folders above the parts, where the pictures are not at the top."""

    def part(self, name: str) -> list[Entry]:
        return self.parts.get(name, [])

    @property
    def counts(self) -> dict[str, int]:
        return {name: len(entries) for name, entries in self.parts.items()}


def recognise(entries: Sequence[Entry]) -> Layout:
    """The layout of these pictures (DESIGN: unpaired, paired, labelled, unlabelled)."""
    prefix = common_folders([entry.name for entry in entries])
    parts: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        inner = PurePosixPath(entry.name).relative_to(prefix or ".").parts
        parts[inner[0] if len(inner) > 1 else ""].append(entry)
    folders = {name.lower() for name in parts if name}
    if folders & {"traina", "trainb"}:
        return Layout("unpaired", renamed(parts, DOMAIN_FOLDERS, canonical), prefix)
    if "train" in folders and folders <= SPLIT_FOLDERS:
        return Layout("paired", renamed(parts, SPLIT_FOLDERS, str.lower), prefix)
    if len(folders) > 1 and "" not in parts:
        return Layout("labelled", dict(sorted(parts.items())), prefix)
    return Layout("unlabelled", {"pictures": list(entries)}, prefix)


def split_off(layout: Layout, count: int, source: str) -> tuple[Layout, Layout]:
    """The layout without `count` pictures of each domain, and these alone. Names choose them, as
    good as by chance: the same ones every time, and of pairs by name both.

    Raises:
        InputError: that leaves nothing to train on.
    """
    names = [name for name in layout.parts if name not in ASIDE]
    domains = [[name] for name in names] if layout.kind == "unpaired" else [names]
    kept, held = dict(layout.parts), {}
    for group in domains:
        entries = [entry for name in group for entry in layout.part(name)]
        if count >= len(entries) > 0:
            raise InputError(
                f"--hold-out {count}: {source} has {len(entries)} pictures to train on in "
                f"{' and '.join(name or 'its folder' for name in group)}, and all would be held "
                "out; give fewer"
            )
        above = len(PurePosixPath(layout.prefix).parts)
        below = above + (layout.kind == "unpaired")
        taken = {e.name for e in sorted(entries, key=lambda e: place_of(e, below))[:count]}
        for name in group:
            held[name] = [e for e in layout.part(name) if e.name in taken]
            kept[name] = [e for e in layout.part(name) if e.name not in taken]
    return replace(layout, parts=kept), replace(layout, parts=held)


def taken_apart(layout: Layout) -> Layout:
    """Pairs side by side as two domains: of `train`, `trainA` and `trainB` are the halves, and so
    on. Other layouts as they are."""
    if layout.kind != "paired":
        return layout
    parts: dict[str, list[Entry]] = defaultdict(list)
    for part, folder in APART.items():
        for entry in layout.part(part):
            parts[folder + "A"].append(Half(entry, "A"))
            parts[folder + "B"].append(Half(entry, "B"))
    return replace(layout, kind="unpaired", parts=dict(parts))


def place_of(entry: Entry, below: int) -> tuple[str, str]:
    """Where a picture stands in an order as good as chance's, by its path below so many folders."""
    path = PurePosixPath(*PurePosixPath(entry.name).parts[below:]).with_suffix("")
    return hashlib.sha256(str(path).encode()).hexdigest(), str(path)


def renamed(
    parts: dict[str, list[Entry]], folders: set[str], name_of: Callable[[str], str]
) -> dict[str, list[Entry]]:
    """These folders' pictures under their usual names: `Train` and `train` are one part."""
    together: dict[str, list[Entry]] = defaultdict(list)
    for folder in sorted(parts):
        if folder.lower() in folders:
            together[name_of(folder)] += parts[folder]
    return dict(sorted(together.items()))


def canonical(folder: str) -> str:
    """`TRAINa` -> `trainA`."""
    return folder[:-1].lower() + folder[-1].upper()


def common_folders(names: list[str]) -> str:
    """The folders that all names begin with, unless these are parts of a layout themselves."""
    shared: list[str] = []
    for parts in zip(*(PurePosixPath(name).parent.parts for name in names), strict=False):
        if len(set(parts)) > 1 or parts[0].lower() in DOMAIN_FOLDERS | SPLIT_FOLDERS:
            break
        shared.append(parts[0])
    return "/".join(shared)


def require_domains(layout: Layout, domains: Sequence[str], source: str) -> None:
    """Refuse what does not have a folder of pictures for each domain.

    Raises:
        InputError: says what was found and what is wanted.
    """
    if layout.kind != "unpaired":
        folders = " and ".join(f"train{domain}/" for domain in domains)
        raise InputError(
            f"--data {source}: looks {layout.kind} ({found_in(layout)} pictures), but this method "
            f"wants the folders {folders}; `ganvas data check {source}` says more"
        )
    for domain in domains:
        if not layout.part(f"train{domain}"):
            raise InputError(
                f"--data {source}: there are no pictures in train{domain}/ (found "
                f"{found_in(layout)})"
            )


def pairs_by_name(layout: Layout, part: str) -> tuple[list[Pair], list[str]]:
    """The pictures of one name in PARTA and PARTB, by name, and a sentence on each that is in no
    pair. The name is the path below these folders, without its ending."""
    alone: list[str] = []
    a, b = (by_name(layout, f"{part}{domain}", alone) for domain in "AB")
    for one, other, folder in ((a, b, f"{part}B"), (b, a, f"{part}A")):
        alone += [
            f"{entry.name}: no picture in {folder} has that name"
            for name, entry in one.items()
            if name not in other
        ]
    return [(a[name], b[name]) for name in sorted(a.keys() & b.keys())], alone


def by_name(layout: Layout, part: str, alone: list[str]) -> dict[str, Entry]:
    """A part's pictures by their names without ending; those whose name is taken go to `alone`."""
    named: dict[str, Entry] = {}
    for entry in layout.part(part):
        inner = PurePosixPath(entry.name).relative_to(layout.prefix or ".").parts[1:]
        first = named.setdefault(str(PurePosixPath(*inner).with_suffix("")), entry)
        if first is not entry:
            alone.append(f"{entry.name}: has the name of {first.name}")
    return named


def side_by_side(size: tuple[int, int]) -> bool:
    """Whether a picture of that width and height may show two squares side by side."""
    return 1 / SHARED_SHAPE < size[0] / (2 * size[1]) < SHARED_SHAPE


def shared_shape(sizes: Sequence[tuple[int, int]]) -> float | None:
    """The width / height of all; None where they differ."""
    ratios = [width / height for width, height in sizes]
    return statistics.median(ratios) if max(ratios) / min(ratios) < SHARED_SHAPE else None


def one_domain(layout: Layout, source: str) -> dict[str, list[Entry]]:
    """Pictures of one domain by class; a single class where no folders tell them apart. Of
    train/, val/ and test/ only train/ is taken.

    Raises:
        InputError: there are two domains.
    """
    if layout.kind == "unpaired":
        first = next(part for part in layout.parts if part.startswith("train"))
        mend = f"name it, as in --data {PurePosixPath(source, layout.prefix, first)}"
        if source.startswith("sample:") or source.lower().endswith(".zip"):
            mend = "write it to a folder, and name one of the folders in that"
        raise InputError(
            f"--data {source}: holds two domains ({found_in(layout)} pictures), but this method "
            f"learns one; {mend}"
        )
    if layout.kind != "paired":
        return layout.parts
    entries = layout.part("train")
    above = len(PurePosixPath(layout.prefix).parts) + 1
    by_class: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        inner = PurePosixPath(entry.name).parts[above:]
        by_class[inner[0] if len(inner) > 1 else ""].append(entry)
    return {"": entries} if "" in by_class else dict(sorted(by_class.items()))


def in_turn(by_class: dict[str, list[Entry]], most: int | None) -> dict[str, list[Entry]]:
    """So many pictures at most, of all classes in turn, each class's first ones first."""
    chosen = filter(None, chain.from_iterable(zip_longest(*by_class.values())))
    kept = {entry.name for entry in islice(chosen, most)}
    return {name: [e for e in found if e.name in kept] for name, found in by_class.items()}


def beside_folders(layout: Layout) -> list[Entry]:
    """Pictures that lie beside at least two folders of pictures."""
    depth = len(PurePosixPath(layout.prefix).parts)
    inner = {
        entry.name: PurePosixPath(entry.name).parts[depth:]
        for entries in layout.parts.values()
        for entry in entries
    }
    folders = {parts[0] for parts in inner.values() if len(parts) > 1}
    entries = [entry for found in layout.parts.values() for entry in found]
    return [e for e in entries if len(inner[e.name]) == 1] if len(folders) > 1 else []


def found_in(layout: Layout) -> str:
    return ", ".join(f"{n or '(top)'}: {c}" for n, c in list(layout.counts.items())[:6])
