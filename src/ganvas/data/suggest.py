"""What to train on pictures, and why: the commands that `ganvas data check` ends with."""

import math
import shlex
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, Protocol

from ganvas.config import Settings, option_name
from ganvas.data.layouts import Layout, pairs_by_name, shared_shape, side_by_side
from ganvas.data.opening import KINDS
from ganvas.data.survey import Seen

SMALLEST_SUGGESTED = 32
FEWEST_DOWNS = 5
"""A unet has no fewer halvings."""
LONGEST_SHAPE = 4
MANY, STEPS_SUGGESTED, MOST_EPOCHS = 50_000, 3_000, 1_000
"""Sets of one domain with fewer pictures are to be seen more often than the default says, in so
many steps."""


class Trains(Protocol):
    """What is asked of a method to suggest it: seen without knowing its room."""

    @property
    def data(self) -> Literal["unpaired", "paired", "pictures", "domains"]: ...

    @property
    def domains(self) -> tuple[str, ...]: ...

    @property
    def baseline(self) -> bool: ...

    @property
    def Config(self) -> type[Settings]: ...


def why_pairs(source: str, layout: Layout, good: dict[str, list[Seen]]) -> str:
    """What says that these pictures are pairs; empty where nothing does."""
    if layout.kind == "unpaired":
        found, alone = pairs_by_name(layout, "train")
        if found and not alone and not source.startswith("sample:"):
            return f"if equal names show the same thing: trainA and trainB share all {len(found)}"
    elif layout.kind in ("paired", "unlabelled"):
        pictures = [s for seen in good.values() for s in seen]
        if pictures and all(side_by_side(s.size) for s in pictures):
            return "if pictures show A and B side by side: all are twice as wide as high"
    return ""


def trained_by(methods: Mapping[str, Trains], layout: Layout, pairs: bool) -> dict[str, Trains]:
    """The methods for these pictures, baselines left out. Of train/, val/ and test/, pictures that
    are no pairs side by side are of one domain."""
    unfit = "paired" if not pairs else "pictures" if layout.kind == "paired" else ""
    return {
        name: kind
        for name, kind in methods.items()
        if layout.kind in KINDS[kind.data].layouts and kind.data != unfit and not kind.baseline
    }


def suggested(
    takes: Mapping[str, Trains],
    methods: Mapping[str, Trains],
    source: str,
    layout: Layout,
    parts: dict[str, list[Seen]],
    training: dict[str, list[Seen]],
    most: int,
    pairs: str,
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
        paired = kind.data == "paired"
        shown = halves(training) if paired and layout.kind != "unpaired" else training
        lines += command(name, kind, source, parts, shown, most)
        lines += [f"  {pairs}"] * paired
    if layout.kind == "paired" and pairs and (apart := by_halves(methods)):
        lines.append(f"  without their pairs, from the halves, learn {', '.join(apart)}")
    if layout.kind == "labelled" and takes:
        lines.append(f"  --conditional learns the {len(training)} classes too")
    return lines


def by_halves(methods: Mapping[str, Trains]) -> list[str]:
    """Methods for unpaired pictures, which learn from the halves of pairs too."""
    return [n for n, kind in methods.items() if kind.data == "unpaired" and not kind.baseline]


def wants(kind: Trains) -> str:
    """What a method trains on, and the folders where these have names."""
    if kind.data == "pictures":
        return "pictures of one domain, in class folders or not"
    if kind.data == "domains":
        return "a folder of pictures for each of its domains"
    if kind.data == "paired":
        return "pairs (side by side in train, or of one name in trainA and trainB)"
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
    settings, reasons, options = config(), [], {"data": shlex.quote(source)}
    side = typical_side(pictures, most)
    if hasattr(config, "n_downs") and side < settings.stride:
        options["n_downs"] = str(max(side.bit_length() - 1, FEWEST_DOWNS))
        settings = config.from_mapping({"n_downs": options["n_downs"]})
    options["size"] = suggested_size(pictures, settings.size_step, most)
    channels = {name: max(s.channels for s in seen) for name, seen in training.items() if seen}
    if len(set(channels.values())) > 1 and hasattr(config, "lambda_identity"):
        options["lambda_identity"] = "0"
        reasons.append(f"--lambda-identity 0: {unequal_channels(channels)}")
    if len(set(channels.values())) > 1 and getattr(config, "equal_channels", False):
        if set(channels.values()) != {1, 3}:
            each = " and ".join(f"{name} has {count}" for name, count in channels.items())
            return [f"{method} wants as many channels in all parts, but {each}"]
        options |= {f"channels_{domain}": "3" for domain in kind.domains}
        reasons.append(f"--channels-A 3 --channels-B 3: {method} wants equal channels")
    bad = [sum(bool(s.problem) for s in parts[name]) for name in training]
    if bad := max(bad) if kind.data == "unpaired" else sum(bad):
        options["max_bad"] = str(bad)
        reasons.append(f"--max-bad {bad}: skips what cannot be read; better mend or remove it")
    count = len(pictures)
    if kind.data == "pictures" and count < MANY and settings.span.unit == "ep":
        epochs = math.ceil(STEPS_SUGGESTED * settings.batch_size / count / 10) * 10
        options["duration"] = f"{min(epochs, MOST_EPOCHS)}ep"
        reasons.append("--duration: the default of 5 epochs is meant for larger sets")
    text = " ".join(f"--{option_name(name)} {value}" for name, value in options.items())
    return [f"ganvas train {method} {text}", *(f"  {reason}" for reason in reasons)]


def unequal_channels(channels: Mapping[str, int]) -> str:
    """Why there is no identity loss between these parts."""
    if set(channels.values()) == {1, 3}:
        part = next(name for name, count in channels.items() if count == 1)
        return f"only {part} is grey; --channels-A 3 --channels-B 3 would keep the identity loss"
    each = ", ".join(f"{name} has {count} channels" for name, count in channels.items())
    return f"{each}, and the identity loss wants equal ones"


def halves(parts: dict[str, list[Seen]]) -> dict[str, list[Seen]]:
    """The same pictures at the size of one of two that lie side by side."""
    return {
        name: [replace(s, size=(s.size[0] // 2, s.size[1])) for s in seen]
        for name, seen in parts.items()
    }


def typical_side(pictures: Sequence[tuple[int, int]], most: int) -> int:
    """The smaller side of most pictures, where that is not above `most`."""
    return min(int(statistics.median(min(size) for size in pictures)), most)


def suggested_size(pictures: Sequence[tuple[int, int]], stride: int, most: int) -> str:
    """A --size near the typical smaller side, and of the pictures' shape if they share one."""
    side = typical_side(pictures, most)
    side = max(side // stride * stride, -(-SMALLEST_SUGGESTED // stride) * stride)
    shape = shared_shape(pictures) or 1
    longer = round(side * max(shape, 1 / shape) / stride) * stride
    if longer == side or max(shape, 1 / shape) > LONGEST_SHAPE:
        return f"{side}"
    return f"{longer}x{side}" if shape > 1 else f"{side}x{longer}"
