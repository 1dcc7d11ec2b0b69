"""What a source holds, what is wrong with it, and what to train on it: `ganvas data check`."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import PurePosixPath

from ganvas.config import Settings
from ganvas.data.layouts import (
    Layout,
    beside_folders,
    pairs_by_name,
    recognise,
    shared_shape,
    side_by_side,
)
from ganvas.data.parts import check_types, common_channels, ends_of
from ganvas.data.sources import files_in, is_picture, open_source
from ganvas.data.suggest import Trains, halves, suggested, trained_by, why_pairs
from ganvas.data.survey import Seen, converted, first_names, look_at_all, said
from ganvas.errors import InputError
from ganvas.pictures import counted
from ganvas.scales import scale_for

HELD_OUT = ("test", "val")
FEW = 100
"""Training parts with fewer pictures get a warning."""
SHOWN = 3
PARTS_SHOWN = 20
PROVENANCE = "SOURCE.json"
"""What `ganvas data download` leaves beside pictures."""


@dataclass(frozen=True)
class Findings:
    """What `check` found. `problems` want mending; `notes` are good to know."""

    source: str
    layout: Layout
    parts: dict[str, list[Seen]]
    problems: list[str]
    notes: list[str]
    suggestions: list[str]

    def lines(self) -> list[str]:
        """All of it for a terminal: problems begin with `!`, notes with `-`."""
        count = sum(len(seen) for seen in self.parts.values())
        lines = [f"{self.source}: {self.layout.kind}, {count} pictures", ""]
        lines += [f"  {line}" for line in table(self.parts)]
        if not self.problems:
            lines += ["", "nothing is wrong with it"]
        for title, mark, sentences in (
            ("problems", "!", self.problems),
            ("good to know", "-", self.notes),
            ("to train on it", "", self.suggestions),
        ):
            if sentences:
                lines += ["", title, *(f"  {mark} {s}" if mark else f"  {s}" for s in sentences)]
        return lines


def check(
    source: str,
    size: tuple[int, int] | None = None,
    on_picture: Callable[[], object] | None = None,
    methods: Mapping[str, Trains] | None = None,
) -> Findings:
    """Read every picture of a source. `size` is what the network shall see, (width, height), left
    out, the default of the method suggested; `on_picture` is called after each picture;
    `methods` are those to choose a suggestion from.

    Raises:
        InputError: there is no such source, or no picture in it.
    """
    # A sample is drawn at whatever size is asked for: here at its own, to be quick.
    entries = open_source(source)
    layout = recognise(entries)
    parts = {
        name: list(look_at_all(found, on_picture=on_picture))
        for name, found in layout.parts.items()
    }
    good = {name: [s for s in seen if not s.problem] for name, seen in parts.items()}
    pairs = why_pairs(source, layout, good)
    takes = trained_by(methods or {}, layout, bool(pairs))
    usual = next(iter(takes.values())).Config() if takes else Settings()
    wanted = size or usual.width_height
    bad = [s for seen in parts.values() for s in seen if s.problem]
    training = training_parts(layout, good)

    problems = [s.problem for s in bad]
    for name, seen in good.items():
        problems += said(name, seen, "of one flat colour", [s for s in seen if s.flat])
        problems += mixed(name, seen)
    problems += duplicates(good)
    problems += outside(layout, [entry.name for entry in entries])
    notes = []
    for name, seen in good.items():
        notes += converted(name, seen, 1 if all(s.grey for s in seen) else 3)
        notes += deep(name, seen)
    if not source.startswith("sample:"):
        shown = halves(good) if pairs and layout.kind != "unpaired" else good
        notes += small(layout, [s for seen in shown.values() for s in seen], wanted)
    notes += shapes(layout, good, training)
    notes += partners(source, layout)
    notes += tiny(layout, training)
    if layout.kind == "unlabelled" and (loose := beside_folders(layout)):
        notes.append(
            f"{loose[0].name} lies beside folders, so that these are not taken for classes"
        )
    notes += no_pictures(files_in(source))
    if any(list(mixed(name, seen)) for name, seen in training.items()):
        suggestions = ["mend what does not go together, as named above, first"]
    else:
        suggestions = suggested(
            takes, methods or {}, source, layout, parts, training, min(wanted), pairs
        )
    return Findings(source, layout, parts, problems, notes, suggestions)


def mixed(name: str, seen: Sequence[Seen]) -> Iterator[str]:
    """Types and channels that do not go together in one training."""
    if not seen:
        return
    try:
        check_types(name, seen)
        channels = common_channels(name, seen)
        low, high = ends_of(seen, channels)
        scale_for(seen[0].dtype, channels, low, high, None)
    except InputError as error:
        yield str(error)


def deep(name: str, seen: Sequence[Seen]) -> Iterator[str]:
    """Which values there are, where 0 to 255 does not go without saying."""
    if not seen or (seen[0].dtype == "uint8" and seen[0].channels in (1, 3)):
        return
    low, high = min(min(s.low) for s in seen), max(max(s.high) for s in seen)
    yield f"{name}: {seen[0].dtype}, {counted(seen[0].channels)}, values from {low:g} to {high:g}"
    if odd := [s for s in seen if s.channels > min(s.size)]:
        yield (
            f"{name}: {first_names(odd, 1)} has more channels ({odd[0].channels}) than pixels one "
            "way; of TIFFs pages are channels, so the axes may be meant otherwise"
        )


def training_parts(layout: Layout, good: dict[str, list[Seen]]) -> dict[str, list[Seen]]:
    """The parts that a method would train on."""
    if layout.kind not in ("unpaired", "paired"):
        return good
    return {name: seen for name, seen in good.items() if not name.startswith(HELD_OUT)}


def small(layout: Layout, pictures: Sequence[Seen], size: tuple[int, int]) -> Iterator[str]:
    few = sum(s.size[0] < size[0] or s.size[1] < size[1] for s in pictures)
    if few:
        or_else = " or --preprocess is none or scale_width" * (layout.kind == "unpaired")
        how_many = f"all {few}" if few == len(pictures) else f"{few} of {len(pictures)}"
        yield (
            f"{how_many} pictures are smaller than {times(size)} and would be enlarged, "
            f"unless --size is lower{or_else}"
        )


def tiny(layout: Layout, training: dict[str, list[Seen]]) -> Iterator[str]:
    """Warn of few pictures; of classes and loose pictures all are trained on together."""
    counts = {name: len(seen) for name, seen in training.items()}
    if layout.kind != "unpaired":
        counts = {"in all": sum(counts.values())}
    for name, count in counts.items():
        if 0 < count < FEW:
            yield f"{name}: {pictures_of(count)}; with fewer than {FEW}, networks learn by heart"


def pictures_of(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"


def table(parts: dict[str, list[Seen]]) -> list[str]:
    """A line for each part under a heading, in columns."""
    rows = [["part", "pictures", "width x height", "mode"]]
    shown = list(parts.items())[:PARTS_SHOWN]
    for name, seen in shown:
        good = [s for s in seen if not s.problem]
        modes = by_count(Counter(s.mode for s in good))
        rows.append([name or "(top)", str(len(seen)), sizes(good), modes])
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [
        f"{part:<{widths[0]}}  {count:>{widths[1]}}  {size:<{widths[2]}}  {mode}".rstrip()
        for part, count, size, mode in rows
    ]
    return lines + ([f"and {len(parts) - len(shown)} more"] if len(parts) > len(shown) else [])


def sizes(good: Sequence[Seen]) -> str:
    """`256x256`, or `30x20 to 400x300, mostly 256x256 (12)`."""
    found = Counter(s.size for s in good)
    if len(found) < 2:
        return "".join(times(size) for size in found)
    ordered = sorted(found, key=lambda size: (size[0] * size[1], size))
    common, count = found.most_common(1)[0]
    mostly = f", mostly {times(common)} ({count})" if count > 1 else ""
    return f"{times(ordered[0])} to {times(ordered[-1])}{mostly}"


def times(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def by_count(found: Counter[str]) -> str:
    """`RGB`, or `RGB 1330, L 4`."""
    if len(found) < 2:
        return "".join(found)
    return ", ".join(f"{name} {count}" for name, count in found.most_common())


def duplicates(good: dict[str, list[Seen]]) -> Iterator[str]:
    """Files of equal bytes, within a part, and between two parts."""
    places: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for part, seen in good.items():
        for s in seen:
            places[s.digest][part].append(s.entry.name)
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for same in places.values():
        for part, names in same.items():
            if len(names) > 1:
                found[part, part].append(" = ".join(names[:2]))
        for part, other in combinations(same, 2):
            found[part, other].append(f"{same[part][0]} = {same[other][0]}")
    for (part, other), pairs in found.items():
        count = pictures_of(len(pairs))
        if part == other:
            yield f"{part} holds {count} more than once ({listed(pairs)})"
            continue
        leak = part.startswith(HELD_OUT) != other.startswith(HELD_OUT)
        proof = ", so that it tests what was trained on" if leak else ""
        yield f"{part} shares {count} with {other}{proof} ({listed(pairs)})"


def listed(texts: Sequence[str]) -> str:
    more = len(texts) - SHOWN
    return ", ".join(texts[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def outside(layout: Layout, names: Sequence[str]) -> Iterator[str]:
    """Pictures beside the parts' folders, which no training sees."""
    inside = {entry.name for entries in layout.parts.values() for entry in entries}
    left = [name for name in names if name not in inside]
    if left:
        verb = "lies" if len(left) == 1 else "lie"
        yield (
            f"{pictures_of(len(left))} {verb} outside of {', '.join(layout.parts)} and "
            f"would not be seen ({listed(left)})"
        )


def shapes(
    layout: Layout, good: dict[str, list[Seen]], training: dict[str, list[Seen]]
) -> Iterator[str]:
    """Of pairs, whether they lie side by side; of others, whether all have one shape."""
    if layout.kind == "paired":
        pictures = [s for seen in good.values() for s in seen]
        odd = [s for s in pictures if not side_by_side(s.size)]
        if pictures and not odd:
            yield "all pictures are twice as wide as high, as A and B side by side are"
        elif odd:
            yield (
                f"{len(odd)} of {len(pictures)} pictures are not twice as wide as high, so not A "
                f"and B side by side ({first_names(odd)})"
            )
    elif (pictures := [s for seen in training.values() for s in seen]) and not shared_shape(
        [s.size for s in pictures]
    ):
        what_happens = "takes the middle of each"
        if layout.kind == "unpaired":
            what_happens = "squeezes each to --size, scale_width_and_crop keeps its shape"
        ratios = sorted(s.size[0] / s.size[1] for s in pictures)
        yield (
            f"width / height goes from {ratios[0]:.2f} to {ratios[-1]:.2f}; the default "
            f"--preprocess {what_happens}"
        )


def partners(source: str, layout: Layout) -> Iterator[str]:
    """Of two folders that share most of their names, who would be left out of pairs."""
    if layout.kind != "unpaired" or source.startswith("sample:"):
        return
    found, alone = pairs_by_name(layout, "train")
    if len(found) > len(alone) > 0:
        yield (
            f"trainA and trainB share {len(found)} names; as pairs, {pictures_of(len(alone))} "
            f"would have no partner ({listed(alone)})"
        )


def no_pictures(names: Iterable[str]) -> Iterator[str]:
    """Files left aside for their ending."""
    seen = [PurePosixPath(name) for name in names if not is_picture(name)]
    other = Counter(
        path.suffix.lower() or "without ending"
        for path in seen
        if path.name != PROVENANCE
        and not any(part.startswith((".", "__MACOSX")) for part in path.parts)
    )
    if other:
        yield (
            "left aside, since pictures do not end so: "
            + ", ".join(f"{count} {ending}" for ending, count in other.most_common())
        )
