"""A line of losses, as the users of a method's best-known implementation read and parse it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ganvas.clock import Clock, Duration


@dataclass(frozen=True)
class Place:
    """Where in its epochs a training stands behind a step."""

    epoch: int
    """Counted from 1."""
    epochs: int | None
    """Epochs in all; None where the duration is a time."""
    images: int
    """Of this epoch."""
    batch: int
    """Of this epoch, counted from 1."""
    batches: int

    @classmethod
    def of(cls, clock: Clock, batch_size: int, span: Duration) -> "Place":
        size = clock.epoch_size
        epoch, before = divmod(max(clock.images - 1, 0), size)
        per_unit = {"ep": 1.0, "it": batch_size / size, "kimg": 1000 / size}
        epochs = None if span.is_time else math.ceil(span.amount * per_unit[span.unit] - 1e-9)
        batch, batches = before // batch_size + 1, math.ceil(size / batch_size)
        return cls(epoch + 1, epochs, before + 1, batch, batches)


def cyclegan_line(entry: dict[str, Any], place: Place) -> str:
    """`(epoch: 1, iters: 100, time: 0.896, data: 1.052) D_A: 0.384 G_A: 0.232 `: what
    pytorch-CycleGAN-and-pix2pix wrote until 2025; `iters` are images of this epoch."""
    step = entry["time"]["step_seconds"]
    share = entry["time"]["data_share"]
    data = step * share / (1 - share) if share < 1 else 0.0
    head = f"(epoch: {place.epoch}, iters: {place.images}, time: {step:.3f}, data: {data:.3f}) "
    return head + "".join(f"{name}: {value:.3f} " for name, value in entry["losses"].items())


def dcgan_line(entry: dict[str, Any], place: Place) -> str:
    """`[0/5][50/1583]  Loss_D: 0.8523  Loss_G: 3.0321  D(x): 0.7342  D(G(z)): 0.3120 / 0.0612`
    with tabs between: PyTorch's DCGAN tutorial. Epochs and batches count from 0; a player that
    did not move has a dash, scores that are no probabilities are left out, penalties follow."""
    values = {name: f"{value:.4f}" for name, value in entry["losses"].items()}
    own = ("D", "G", "D(x)", "D(G(z))_1", "D(G(z))_2")
    d, g, real, first, second = (values.pop(name, "-") for name in own)
    epochs = "?" if place.epochs is None else place.epochs
    probabilities = [f"D(x): {real}", f"D(G(z)): {first} / {second}"]
    parts = [
        f"[{place.epoch - 1}/{epochs}][{place.batch - 1}/{place.batches}]",
        f"Loss_D: {d}",
        f"Loss_G: {g}",
        *(probabilities if {real, first, second} != {"-"} else []),
        *(f"{name}: {value}" for name, value in values.items()),
    ]
    return "\t".join(parts)


def stylegan_line(entry: dict[str, Any], place: Place) -> str:
    """`tick 3 kimg 480.0 lod 3.00 minibatch 128 time 1d 02h 03m sec/tick 61.2 sec/kimg 0.38
    maintenance 1.5 gpumem 4.2`, in columns: the published training loop's, with losses after it.

    A line's seconds are those since the line before; maintenance is what went into previews and
    snapshots."""
    time = entry["time"]
    speed = time["pictures_per_second"]
    fields = [
        ("tick", f"{entry['tick']:<5d}"),
        ("kimg", f"{entry['images'] / 1000:<8.1f}"),
        ("lod", f"{entry.get('lod', 0.0):<5.2f}"),
        ("minibatch", f"{entry['batch_size']:<4d}"),
        ("time", f"{spoken(time['seconds']):<12}"),
        ("sec/tick", f"{time['busy']:<7.1f}"),
        ("sec/kimg", f"{1000 / speed if speed else 0.0:<7.2f}"),
        ("maintenance", f"{time['maintenance']:<6.1f}"),
        ("gpumem", f"{time['memory']:<4.1f}"),
        *((name, f"{value:.3f}") for name, value in entry["losses"].items()),
    ]
    return " ".join(f"{name} {value}" for name, value in fields)


def spoken(seconds: float) -> str:
    """The two or three largest units: 12s, 3m 04s, 1h 02m 03s, 1d 02h 03m."""
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    d, h = divmod(hours, 24)
    if d:
        return f"{d}d {h:02d}h {m:02d}m"
    if h:
        return f"{h}h {m:02d}m {s:02d}s"
    return f"{m}m {s:02d}s" if m else f"{s}s"


Line = Callable[[dict[str, Any], Place], str]
LINES: dict[str, Line] = {
    "cyclegan": cyclegan_line,
    "dcgan": dcgan_line,
    "stylegan": stylegan_line,
}
