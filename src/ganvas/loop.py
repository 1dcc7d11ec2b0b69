"""The loop: batch -> step -> average -> log -> preview -> snapshot. It knows no method."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from ganvas.clock import Clock, Duration
from ganvas.config import Settings
from ganvas.data.training_set import TrainingSet
from ganvas.doctor import diagnose_numbers, diagnose_pictures, remember, row_of, variety_of
from ganvas.engine import Engine, seed_step
from ganvas.errors import Diverged, InputError
from ganvas.judging import Judging, Standing
from ganvas.methods.base import Method
from ganvas.runs.describe import describe_model
from ganvas.runs.directory import Run
from ganvas.runs.lines import Place
from ganvas.runs.log import Log, Meter, Stopwatch
from ganvas.runs.report import write_report
from ganvas.runs.samples import write_sample
from ganvas.runs.snapshots import drop_old, keep_latest_as, write_latest
from ganvas.schedules import Plateau, Schedule

STATE_FORMAT = 2
"""Of what state.pt holds; counted up when that changes."""
MAX_SKIPPED_IN_A_ROW = 20
CHILDHOOD, CHILDHOOD_IMAGES = 0.1, 1000
"""The part of a training, and the images, in which only skipped steps are a reason to worry."""


class Watcher(Protocol):
    """Who looks on while a training runs: the command line's progress bar, or nobody."""

    def reading(self, pictures: int) -> Callable[[], object]:
        """Pictures are about to be read; the answer is called once for each."""
        ...

    def beginning(self, training: "Training") -> None: ...

    def stepped(self, training: "Training") -> None: ...

    def logged(self, training: "Training", entry: dict[str, Any]) -> None: ...

    def said(self, text: str) -> None: ...

    def shown(self, line: str) -> None:
        """A line of what a dry run found."""
        ...


class Nobody:
    def reading(self, pictures: int) -> Callable[[], object]:
        return lambda: None

    def beginning(self, training: "Training") -> None: ...

    def stepped(self, training: "Training") -> None: ...

    def logged(self, training: "Training", entry: dict[str, Any]) -> None: ...

    def said(self, text: str) -> None: ...

    def shown(self, line: str) -> None: ...


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop, and a snapshot was written."""


@dataclass
class Training:
    """All that changes while a run trains. What a snapshot must hold is in `state`."""

    run: Run
    config: Settings
    method: Method
    data: TrainingSet
    engine: Engine
    clock: Clock
    schedule: Schedule
    meter: Meter = field(default_factory=Meter)
    vitals: Meter = field(default_factory=Meter)
    watch: Stopwatch = field(default_factory=Stopwatch)
    diagnosis: list[str] = field(default_factory=list)
    """What the last preview gave reason to say."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """What the doctor remembers of the last few log lines."""
    most_varied: float = 0.0
    """The greatest variety that pictures made from noise have had."""
    judging: Judging | None = None
    """What --eval-every asks for."""
    origin: dict[str, Any] | None = None
    """Of the weights that it began with: files and networks, for the record."""

    def state(self, log: Log, pools: Sequence[Mapping[str, Tensor]] = ()) -> dict[str, Any]:
        """`pools` are those of all processes, where there are several."""
        count = self.engine.processes.count
        several = {"processes": count, "pools": list(pools)} if count > 1 else {}
        return several | {
            "format": STATE_FORMAT,
            "method": self.method.training_state(),
            "clock": asdict(self.clock),
            "meter": asdict(self.meter),
            "vitals": asdict(self.vitals),
            "watch": asdict(self.watch),
            "plateau": asdict(self.schedule.plateau),
            "diagnosis": self.diagnosis,
            "history": self.history,
            "most_varied": self.most_varied,
            "standing": asdict(self.judging.standing) if self.judging else {},
            "log": log.position(),
        }

    def load_state(self, state: dict[str, Any], log: Log) -> None:
        """Go back to that state.

        Raises:
            InputError: another version of ganvas wrote it, with other contents.
        """
        if state.get("format") != STATE_FORMAT:
            raise InputError(
                f"{self.run.path}: was trained by another version of ganvas, whose state this one "
                "cannot go on from exactly; its snapshots can still be used"
            )
        self.method.load_training_state(state["method"])
        self.load_pools(state.get("pools") or [self.method.pools()])
        # Snapshots from before batches could change do not say how large the last one was.
        self.clock = Clock(**{"latest": self.config.batch_size} | state["clock"])
        self.meter = Meter(**state["meter"]).to(self.engine.device)
        self.vitals = Meter(**state["vitals"]).to(self.engine.device)
        self.watch = Stopwatch(**state["watch"])
        self.schedule.plateau = Plateau(**state["plateau"])
        self.diagnosis, self.history = state["diagnosis"], state["history"]
        self.most_varied = state["most_varied"]
        if self.judging:
            # Snapshots from before there were evaluations do not say.
            self.judging.standing = Standing(**state.get("standing", {}))
        if self.engine.processes.first:
            log.rewind(state["log"])

    def load_pools(self, pools: Sequence[Mapping[str, Tensor]]) -> None:
        """Take this process's own, of those of all; dealt out anew where there are not as many."""
        processes, own = self.engine.processes, pools[0]
        if len(pools) == processes.count:
            own = pools[processes.index]
        elif own:
            # In turn, so that each gets as old ones as every other.
            held = {name: [image for pool in pools for image in pool[name]] for name in own}
            dealt = {name: x[processes.index :: processes.count] for name, x in held.items()}
            own = {name: torch.stack(x) if x else own[name][:0] for name, x in dealt.items()}
        with processes.share(processes.count):
            self.method.load_pools(own)

    @property
    def young(self) -> bool:
        """Whether it is too early to worry."""
        done = self.config.span.fraction(self.clock)
        if self.method.steps <= self.method.warmup_steps:
            return True
        return done < CHILDHOOD or self.clock.images < CHILDHOOD_IMAGES

    @property
    def finished(self) -> bool:
        return self.config.span.reached(self.clock) or bool(self.judging and self.judging.stalled)


def loop(training: Training, log: Log, watcher: Watcher) -> None:
    """Train to the end, or until asked to stop."""
    t, c = training, training.config
    every = {name: c.interval(f"{name}_every") for name in ("log", "preview", "snapshot", "latest")}
    judging = t.judging
    if judging:
        every["eval"] = c.interval("eval_every")
    ema = None if c.ema is None else Duration.parse(c.ema, "ema")
    processes = t.engine.processes
    place, on_gpu = (processes.index, processes.count), t.engine.device.type == "cuda"
    batches = t.data.batches(t.clock.images, place, pinned=on_gpu)
    began = time.perf_counter() - t.clock.seconds
    saved, begun = False, t.clock.iterations

    with stop_asked_for() as stopping:
        while not t.finished:
            before, size = t.clock.copy(), c.batch_size_at(t.clock.images)
            with t.watch.waiting():
                batch = t.engine.place_batch(next(batches))

            with t.watch.stepping(size):
                seed_step(c.seed, t.clock.iterations)
                t.method.plan(t.clock)
                t.method.set_rate(t.schedule.factor(t.clock))
                first = t.engine.first_step(t.clock.iterations == begun)
                with t.engine.autocast(), processes.share(size), first:
                    losses = t.method.step(batch)
                seen = [*losses.values(), *t.method.vitals.values()]
                processes.average(seen + t.method.running_statistics())
                t.clock.tick(size)
                t.clock.ticks = c.ticks_at(t.clock.images)
                if ema:
                    t.method.update_averages(0.5 ** (size / half_life_images(ema, t)))
                t.schedule.saw(losses, before, t.clock)
                t.meter.add(losses)
                t.vitals.add(t.method.vitals)
            seconds = time.perf_counter() - began
            stop, t.clock.seconds = processes.agree(stopping.is_set(), seconds)

            # In this order, so that a line has what the pictures of the same step say.
            if every["preview"].passed_between(before, t.clock):
                preview(t, log)
            if every["log"].passed_between(before, t.clock):
                write_log(t, log, watcher)
            numbered = every["snapshot"].passed_between(before, t.clock)
            latest = every["latest"].passed_between(before, t.clock)
            # While steps are being skipped, the last good snapshot is worth more than this one.
            best = (
                judging is not None
                and every["eval"].passed_between(before, t.clock)
                and refuse_if_diverged(t) == 0
                and judging.evaluate(t.method, t.run, t.clock)
            )
            saved = stop or best or ((numbered or latest) and refuse_if_diverged(t) == 0)
            if saved:
                snapshot(t, log)
                processes.first_does(partial(name_latest, t, numbered, bool(best)))
            watcher.stepped(t)
            if stop and not t.finished:
                preview(t, log)
                finish(t, log)
                raise Interrupted(str(t.run.path))

    refuse_if_diverged(t)
    # The snapshot comes first: a longer duration goes on from it, without this last log line.
    if not saved:
        snapshot(t, log)
    preview(t, log)
    if t.meter.sums:
        write_log(t, log, watcher)
    finish(t, log)


def half_life_images(ema: Duration, training: Training) -> float:
    """The half-life of the average in images, for the step that was just done."""
    clock = training.clock
    sizes = {"ep": clock.epoch_size, "it": clock.latest, "kimg": 1000}
    return training.config.half_life_at(ema.amount * sizes[ema.unit], clock)


def write_log(training: Training, log: Log, watcher: Watcher) -> None:
    t, c = training, training.config
    with t.watch.stepping(images=0, steps=0):
        t.engine.wait()
    vitals = t.vitals.means()
    skipped, skipped_at = t.method.skipped_steps(), t.method.skipped_at()
    row = row_of(vitals, t.clock.iterations, t.young, skipped, skipped_at)
    t.history = remember(t.history, row)
    entry = {
        "images": t.clock.images,
        "iterations": t.clock.iterations,
        "epoch": round(t.clock.epoch, 6),
        "lr": t.method.optimizers["G"].param_groups[0]["lr"],
        "batch_size": t.clock.latest,
        "tick": t.clock.ticks,
        **t.method.progress(),
        "losses": t.meter.means(),
        "vitals": vitals,
        "skipped": skipped,
        "skipped_at": skipped_at,
        "diagnosis": t.diagnosis + diagnose_numbers(t.history, c),
        "time": t.watch.report(t.clock.seconds) | {"memory": t.engine.memory()},
    }
    place = Place.of(t.clock, t.clock.latest, c.span)
    t.engine.processes.first_does(lambda: log.write(entry, place))
    t.meter.clear()
    t.vitals.clear()
    t.watch = Stopwatch(since=t.clock.seconds)
    watcher.logged(t, entry)
    refuse_if_diverged(t)


def refuse_if_diverged(training: Training) -> int:
    """How many steps in a row have been skipped up to now.

    Raises:
        Diverged: so many that the networks will not recover.
    """
    t = training
    streaks = t.method.skipped_in_a_row()
    player = max(streaks, key=lambda name: streaks[name])
    if streaks[player] >= MAX_SKIPPED_IN_A_ROW:
        t.engine.processes.first_does(lambda: write_report(t.run.path))
        found = t.run.snapshot()
        good = "the last snapshot is good" if found else "there is no snapshot from before"
        raise Diverged(
            f"{t.run.path}: the gradients of player {player} have not been finite for "
            f"{streaks[player]} steps in a row; {good}. Try a lower --lr or another --objective, "
            "and look for flat pictures with `ganvas data check`"
        )
    return streaks[player]


def preview(training: Training, log: Log) -> None:
    """Write the fixed pictures as the networks turn them now."""
    t = training
    seen = t.engine.processes.first_does(lambda: previewed(t, log))
    t.most_varied, t.diagnosis = seen


def previewed(training: Training, log: Log) -> tuple[float, list[str]]:
    """Do that: the greatest variety so far, and what there is reason to say."""
    t = training
    batch = t.engine.place_batch(t.data.fixed)
    t.method.eval()
    with t.engine.autocast():
        pictures = t.method.preview(batch)
    t.method.train()
    real = {} if t.method.shows_real else {f"real_{name}": x for name, x in batch.items()}
    most_varied = max(t.most_varied, variety_of(pictures | real) or 0.0)
    seen = (pictures | real, t.config, t.clock.images, most_varied)
    diagnosis = [] if t.young else diagnose_pictures(*seen)
    image = write_sample(t.run.samples, t.clock, pictures)
    log.picture(image, t.clock)
    return most_varied, diagnosis


def snapshot(training: Training, log: Log) -> None:
    t = training
    t.engine.wait()
    processes, own = t.engine.processes, t.method.pools()
    pools = processes.gathered({name: x.cpu() for name, x in own.items()}) if own else []

    def write() -> None:
        description = describe_model(t.method, t.clock)
        write_latest(t.run, t.method.state_dict(), description, t.state(log, pools))

    processes.first_does(write)


def name_latest(training: Training, numbered: bool, best: bool) -> None:
    """Give snapshots/latest its other names: that of the clock, those of the best."""
    t = training
    if t.judging and best:
        t.judging.keep(t.run, t.clock)
    if numbered:
        keep_latest_as(t.run, t.clock.label)
        drop_old(t.run, t.config.keep)


def finish(training: Training, log: Log) -> None:
    """The end of a session: all processes leave when the last word is written."""

    def write() -> None:
        log.close()
        write_report(training.run.path)

    training.engine.processes.first_does(write)


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
