"""What a source holds, what is wrong with it, and what to train on it: `ganvas data check`."""

import math
import shlex
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import PurePosixPath
from typing import Literal, Protocol

from ganvas.config import Settings, option_name
from ganvas.data.layouts import SHARED_SHAPE, Layout, beside_folders, recognise, side_by_side
from ganvas.data.opening import KINDS
from ganvas.data.sources import files_in, is_picture, open_source
from ganvas.data.survey import Seen, converted, first_names, look_at_all, said

HELD_OUT = ("test", "val")
FEW = 100
"""Training parts with fewer pictures get a warning."""
SMALLEST_SUGGESTED = 32
MANY, STEPS_SUGGESTED, MOST_EPOCHS = 50_000, 3_000, 1_000
"""Sets of one domain with fewer pictures are to be seen more often than the default says, in so
many steps."""
LONGEST_SHAPE = 4
SHOWN = 3
PARTS_SHOWN = 20


class Trains(Protocol):
    """What is asked of a method to suggest it: seen without knowing its room."""

    @property
    def data(self) -> Literal["unpaired", "pictures"]: ...

    @property
    def domains(self) -> tuple[str, ...]: ...

    @property
    def Config(self) -> type[Settings]: ...


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
    takes = trained_by(methods or {}, layout, good)
    usual = next(iter(takes.values())).Config() if takes else Settings()
    wanted = size or usual.width_height
    bad = [s for seen in parts.values() for s in seen if s.problem]
    training = training_parts(layout, good)

    problems = [s.problem for s in bad]
    for name, seen in good.items():
        problems += said(name, seen, "of one flat colour", [s for s in seen if s.flat])
    problems += duplicates(good)
    problems += outside(layout, [entry.name for entry in entries])
    notes = []
    for name, seen in good.items():
        notes += converted(name, seen, 1 if all(s.grey for s in seen) else 3)
    if not source.startswith("sample:"):
        notes += small(layout, [s for seen in good.values() for s in seen], wanted)
    notes += shapes(layout, good, training)
    notes += tiny(layout, training)
    if layout.kind == "unlabelled" and (loose := beside_folders(layout)):
        notes.append(
            f"{loose[0].name} lies beside folders, so that these are not taken for classes"
        )
    notes += no_pictures(files_in(source))
    suggestions = suggested(takes, methods or {}, source, layout, parts, training, min(wanted))
    return Findings(source, layout, parts, problems, notes, suggestions)


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
        modes = counted(Counter(s.mode for s in good))
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


def counted(found: Counter[str]) -> str:
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


def shared_shape(sizes: Sequence[tuple[int, int]]) -> float | None:
    """The width / height of all; None where they differ."""
    ratios = [width / height for width, height in sizes]
    return statistics.median(ratios) if max(ratios) / min(ratios) < SHARED_SHAPE else None


def no_pictures(names: Iterable[str]) -> Iterator[str]:
    """Files left aside for their ending."""
    seen = [PurePosixPath(name) for name in names if not is_picture(name)]
    other = Counter(
        path.suffix.lower() or "without ending"
        for path in seen
        if not any(part.startswith((".", "__MACOSX")) for part in path.parts)
    )
    if other:
        yield (
            "left aside, since pictures do not end so: "
            + ", ".join(f"{count} {ending}" for ending, count in other.most_common())
        )


def trained_by(
    methods: Mapping[str, Trains], layout: Layout, good: dict[str, list[Seen]]
) -> dict[str, Trains]:
    """The methods for these pictures. Of train/, val/ and test/, pictures that are no pairs side
    by side are of one domain."""
    pictures = [s for seen in good.values() for s in seen]
    pairs = layout.kind == "paired" and all(side_by_side(s.size) for s in pictures)
    return {
        name: kind
        for name, kind in methods.items()
        if layout.kind in KINDS[kind.data].layouts and not (pairs and kind.data == "pictures")
    }


def suggested(
    takes: Mapping[str, Trains],
    methods: Mapping[str, Trains],
    source: str,
    layout: Layout,
    parts: dict[str, list[Seen]],
    training: dict[str, list[Seen]],
    most: int,
) -> list[str]:
    """A command for every method that trains on this layout, with its reasons."""
    if methods and not takes:
        wanted = "; ".join(f"{name} wants {wants(kind)}" for name, kind in methods.items())
        return [f"no method here trains on {layout.kind} pictures yet: {wanted}"]
    if not any(training.values()):
        return ["none of the training pictures can be used"]
    lines = []
    for name, kind in takes.items():
        domains = [f"train{domain}" for domain in kind.domains]
        if empty := [
            part for part in domains if layout.kind == "unpaired" and not training.get(part)
        ]:
            lines.append(f"{name} wants pictures in {' and '.join(f'{p}/' for p in empty)} first")
            continue
        lines += command(name, kind, source, parts, training, most)
    if layout.kind == "labelled" and takes:
        lines.append(f"  --conditional learns the {len(training)} classes too")
    return lines


def wants(kind: Trains) -> str:
    """What a method trains on, and the folders where these have names."""
    if kind.data == "pictures":
        return "pictures of one domain, in class folders or not"
    return f"unpaired ones ({', '.join(f'train{domain}/' for domain in kind.domains)})"


def command(
    method: str,
    kind: Trains,
    source: str,
    parts: dict[str, list[Seen]],
    training: dict[str, list[Seen]],
    most: int,
) -> list[str]:
    config, pictures = kind.Config, [s.size for seen in training.values() for s in seen]
    options = {"data": shlex.quote(source), "size": suggested_size(pictures, config().stride, most)}
    reasons = []
    grey = {name: all(s.grey for s in seen) for name, seen in training.items()}
    if len(set(grey.values())) > 1 and hasattr(config, "lambda_identity"):
        options["lambda_identity"] = "0"
        part = next(name for name, is_grey in grey.items() if is_grey)
        reasons.append(
            f"--lambda-identity 0: only {part} is grey; --channels-A 3 --channels-B 3 would "
            "keep the identity loss"
        )
    bad = [sum(bool(s.problem) for s in parts[name]) for name in training]
    if bad := max(bad) if kind.data == "unpaired" else sum(bad):
        options["max_bad"] = str(bad)
        reasons.append(f"--max-bad {bad}: skips what cannot be read; better mend or remove it")
    count = len(pictures)
    if kind.data == "pictures" and count < MANY:
        epochs = math.ceil(STEPS_SUGGESTED * config().batch_size / count / 10) * 10
        options["duration"] = f"{min(epochs, MOST_EPOCHS)}ep"
        reasons.append("--duration: the default of 5 epochs is meant for larger sets")
    text = " ".join(f"--{option_name(name)} {value}" for name, value in options.items())
    return [f"ganvas train {method} {text}", *(f"  {reason}" for reason in reasons)]


def suggested_size(pictures: Sequence[tuple[int, int]], stride: int, most: int) -> str:
    """A --size near the typical smaller side, and of the pictures' shape if they share one."""
    side = min(int(statistics.median(min(size) for size in pictures)), most)
    side = max(side // stride * stride, -(-SMALLEST_SUGGESTED // stride) * stride)
    shape = shared_shape(pictures) or 1
    longer = round(side * max(shape, 1 / shape) / stride) * stride
    if longer == side or max(shape, 1 / shape) > LONGEST_SHAPE:
        return f"{side}"
    return f"{longer}x{side}" if shape > 1 else f"{side}x{longer}"
