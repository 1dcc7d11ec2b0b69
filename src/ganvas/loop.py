"""The loop: batch -> step -> average -> log -> preview -> snapshot. It knows no method."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from ganvas.clock import Clock, Duration
from ganvas.config import Settings
from ganvas.data.unpaired import Unpaired
from ganvas.engine import Engine, seed_step
from ganvas.errors import Diverged, InputError
from ganvas.methods.base import Method
from ganvas.runs.describe import describe_model
from ganvas.runs.directory import Run
from ganvas.runs.log import Log, Meter, Stopwatch
from ganvas.runs.report import write_report
from ganvas.runs.samples import write_sample
from ganvas.runs.snapshots import drop_old, keep_latest_as, write_latest
from ganvas.schedules import Plateau, rate_factor

MAX_SKIPPED_IN_A_ROW = 20
EMA_RAMP = 0.05
"""The average's half-life grows to this part of the images seen (Karras et al. 2020, ADA)."""


class Watcher(Protocol):
    """Who looks on while a training runs: the command line's progress bar, or nobody."""

    def reading(self, pictures: int) -> Callable[[], object]:
        """Pictures are about to be read; the answer is called once for each."""
        ...

    def beginning(self, training: "Training") -> None: ...

    def stepped(self, training: "Training") -> None: ...

    def logged(self, training: "Training", entry: dict[str, Any]) -> None: ...

    def said(self, text: str) -> None: ...


class Nobody:
    def reading(self, pictures: int) -> Callable[[], object]:
        return lambda: None

    def beginning(self, training: "Training") -> None: ...

    def stepped(self, training: "Training") -> None: ...

    def logged(self, training: "Training", entry: dict[str, Any]) -> None: ...

    def said(self, text: str) -> None: ...


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop, and a snapshot was written."""


@dataclass
class Training:
    """All that changes while a run trains. What a snapshot must hold is in `state`."""

    run: Run
    config: Settings
    method: Method
    data: Unpaired
    engine: Engine
    clock: Clock
    meter: Meter = field(default_factory=Meter)
    epoch_meter: Meter = field(default_factory=Meter)
    plateau: Plateau = field(default_factory=Plateau)
    watch: Stopwatch = field(default_factory=Stopwatch)

    def state(self, log: Log) -> dict[str, Any]:
        return {
            "method": self.method.training_state(),
            "clock": asdict(self.clock),
            "meter": asdict(self.meter),
            "epoch_meter": asdict(self.epoch_meter),
            "plateau": asdict(self.plateau),
            "log": log.position(),
        }

    def load_state(self, state: dict[str, Any], log: Log) -> None:
        self.method.load_training_state(state["method"])
        self.clock = Clock(**state["clock"])
        self.meter = Meter(**state["meter"])
        self.epoch_meter = Meter(**state["epoch_meter"])
        self.plateau = Plateau(**state["plateau"])
        log.rewind(state["log"])

    @property
    def finished(self) -> bool:
        return self.config.span.reached(self.clock)


def loop(training: Training, log: Log, watcher: Watcher) -> None:
    t, c, method = training, training.config, training.method
    log.begin()
    every = {name: c.interval(f"{name}_every") for name in ("log", "preview", "snapshot", "latest")}
    half_life = images_of(Duration.parse(c.ema, "ema"), t) if c.ema else 0.0
    generator_losses = Meter() if c.lr_policy == "plateau" else None
    batches = t.data.batches(t.clock.images)
    began = time.perf_counter() - t.clock.seconds
    t.watch = Stopwatch()
    saved_at = -1

    with stop_asked_for() as stopping:
        while not t.finished:
            before, start = t.clock.copy(), time.perf_counter()
            batch = t.engine.place_batch(next(batches))
            ready = time.perf_counter()

            seed_step(c.seed, t.clock.iterations)
            spans = (c.span, c.decay_span, Duration.parse(c.decay_every, "decay-every"))
            factor = rate_factor(c.lr_policy, t.clock, *spans, t.plateau)
            method.set_rate(factor)
            with t.engine.autocast():
                losses = method.step(batch)
            if half_life:
                reach = min(half_life, (t.clock.images + c.batch_size) * EMA_RAMP)
                method.update_averages(0.5 ** (c.batch_size / max(reach, 1e-8)))
            t.meter.add(losses)

            end = time.perf_counter()
            t.clock.tick(c.batch_size, 0.0)
            t.clock.seconds = end - began
            t.watch.data += ready - start
            t.watch.step += end - ready
            t.watch.images += c.batch_size
            t.watch.steps += 1

            if generator_losses is not None:
                t.epoch_meter.add(losses)
                if Duration(1, "ep").passed_between(before, t.clock):
                    means = t.epoch_meter.means()
                    t.plateau.epoch_ended(
                        sum(v for name, v in means.items() if not name.startswith("D"))
                    )
                    t.epoch_meter.clear()
            if every["log"].passed_between(before, t.clock):
                write_log(t, log, factor, watcher)
            if every["preview"].passed_between(before, t.clock):
                preview(t, log)
            numbered = every["snapshot"].passed_between(before, t.clock)
            latest = every["latest"].passed_between(before, t.clock)
            if numbered or latest or stopping.is_set():
                snapshot(t, log)
                saved_at = t.clock.images
            if numbered:
                keep_latest_as(t.run, t.clock.label)
                drop_old(t.run, c.keep)
            watcher.stepped(t)
            if stopping.is_set() and not t.finished:
                log.close()
                write_report(t.run.path)
                raise Interrupted(str(t.run.path))

    if saved_at != t.clock.images:
        snapshot(t, log)
    preview(t, log)
    log.close()
    write_report(t.run.path)


def images_of(span: Duration, training: Training) -> float:
    """A span in images; spans of time have none.

    Raises:
        InputError: the span is one of time, which would make the average depend on the machine.
    """
    sizes = {"ep": training.clock.epoch_size, "it": training.config.batch_size, "kimg": 1000}
    if span.unit not in sizes:
        raise InputError(f"--ema {span}: wants ep, it or kimg, not time")
    return span.amount * sizes[span.unit]


def write_log(training: Training, log: Log, factor: float, watcher: Watcher) -> None:
    t = training
    t.engine.wait()
    skipped = {
        name: int(t.method.get_buffer(f"skipped_{name}").item()) for name in t.method.optimizers
    }
    entry = {
        "images": t.clock.images,
        "iterations": t.clock.iterations,
        "epoch": round(t.clock.epoch, 6),
        "lr": next(iter(t.method.optimizers.values())).param_groups[0]["lr"],
        "losses": t.meter.means(),
        "skipped": sum(skipped.values()),
        "diagnosis": [],
        "time": t.watch.report(t.clock.seconds),
    }
    log.write(entry, (t.clock.images - 1) % t.clock.epoch_size + 1)
    t.meter.clear()
    t.watch = Stopwatch()
    watcher.logged(t, entry)
    for name in t.method.optimizers:
        streak = int(t.method.get_buffer(f"streak_{name}").item())
        if streak >= MAX_SKIPPED_IN_A_ROW:
            raise Diverged(
                f"{t.run.path}: the gradients of player {name} have not been finite for {streak} "
                "steps in a row; the last snapshot is good. Try a lower --lr, another "
                "--objective, or look for flat pictures with `ganvas data check`"
            )


def preview(training: Training, log: Log) -> None:
    """Write the fixed pictures as the networks turn them now."""
    t = training
    batch = t.engine.place_batch(t.data.fixed(t.config.previews))
    t.method.eval()
    with t.engine.autocast():
        pictures = t.method.preview(batch)
    t.method.train()
    image = write_sample(t.run.samples, t.clock, pictures)
    log.picture(image, t.clock)


def snapshot(training: Training, log: Log) -> None:
    t = training
    t.engine.wait()
    description = describe_model(t.method, t.clock)
    write_latest(t.run, t.method.state_dict(), description, t.state(log))


@contextmanager
def stop_asked_for() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C stops at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def ask(number: int, frame: object) -> None:
        if event.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        event.set()

    old = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def forecast(training: Training, seconds_here: float, fraction_at_start: float) -> float:
    """Seconds left, from the part of the training that was done in `seconds_here`."""
    done = training.config.span.fraction(training.clock)
    gained = done - fraction_at_start
    return math.inf if gained <= 0 else seconds_here * (1 - done) / gained
