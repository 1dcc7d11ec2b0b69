"""What the terminal, or a notebook, shows while a training runs."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn
from rich.text import Text

from ganvas.config import option_name
from ganvas.engine import place_among
from ganvas.loop import Interrupted, Training, forecast
from ganvas.runs.describe import parameters
from ganvas.runs.lines import LINES, Place

REFRESH_SECONDS = 0.2


class Watched(Progress):
    """Progress on a terminal; not even an empty line where nobody watches."""

    def __init__(
        self, *columns: ProgressColumn, console: Console | None = None, shown: bool = True
    ) -> None:
        console = console or Console(stderr=True)
        watched = shown and console.is_terminal
        super().__init__(*columns, console=console, transient=True, disable=not watched)


class Bar:
    """A progress bar with pictures per second, data-wait share and time left."""

    def __init__(self) -> None:
        # Of several processes the first speaks for all.
        quiet = place_among()[0] > 0
        self.console = Console(highlight=False, soft_wrap=True, quiet=quiet)
        self.progress = Watched(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}"),
            console=self.console,
        )
        self.task = self.progress.add_task("", total=None, visible=False, text="")
        self.began, self.began_at, self.drawn = 0.0, 0.0, 0.0

    def __enter__(self) -> "Bar":
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def say(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style=style))

    def said(self, text: str) -> None:
        self.say(f"note: {text}", "yellow")

    def shown(self, line: str) -> None:
        self.say(line)

    def reading(self, pictures: int) -> Callable[[], object]:
        self.progress.update(
            self.task, description="reading pictures", total=pictures, visible=True
        )
        return lambda: self.progress.advance(self.task)

    def beginning(self, training: Training) -> None:
        for line in summary(training):
            self.say(line)
        self.began, self.began_at = (
            time.perf_counter(),
            training.config.span.fraction(training.clock),
        )
        self.progress.reset(self.task, total=100, description="training", visible=True)

    def stepped(self, training: Training) -> None:
        now = time.perf_counter()
        if now - self.drawn < REFRESH_SECONDS:
            return
        self.drawn = now
        watch, clock = training.watch, training.clock
        report = watch.report(clock.seconds)
        left = forecast(training, now - self.began, self.began_at)
        text = (
            f"epoch {clock.epoch:.2f}  {report['pictures_per_second']:.1f} pictures/s  "
            f"data {report['data_share']:.0%}  left {spoken(left)}"
        )
        done = training.config.span.fraction(clock) * 100
        self.progress.update(self.task, completed=int(done), text=text)

    def logged(self, training: Training, entry: dict[str, Any]) -> None:
        left = forecast(training, time.perf_counter() - self.began, self.began_at)
        timing, c = entry["time"], training.config
        losses = "  ".join(f"{name} {value:.3f}" for name, value in entry["losses"].items())
        line = f"epoch {entry['epoch']:.2f}  {losses}"
        if (dialect := training.method.dialect) != "cyclegan":
            place = Place.of(training.clock, training.clock.latest, c.span)
            line = LINES[dialect](entry, place).replace("\t", "  ")
        self.say(
            f"[{c.span.fraction(training.clock):4.0%}] {line}  | "
            f"{timing['pictures_per_second']:.1f}/s  data {timing['data_share']:.0%}  "
            f"left {spoken(left)}"
        )
        for sentence in entry["diagnosis"]:
            self.said(sentence)


def summary(training: Training) -> Iterator[str]:
    """Every option with its value (changed ones marked), data counts, parameter counts."""
    config, data = training.config, training.data
    changed = set(config.changed())
    yield "---------------- options ----------------"
    for name, value in asdict(config).items():
        mark = "   <- changed" if name in changed else ""
        yield f"{option_name(name):>22}: {value}{mark}"
    yield "---------------- data -------------------"
    for domain, part in data.parts.items():
        names = {1: "grey", 3: "RGB"} if part.scale.is_bytes else {}
        kind = names.get(part.channels, f"{part.scale.dtype} x {part.channels}")
        yield f"{data.name_of(domain):>22}: {len(part.seen)} pictures, {kind}"
    if data.classes:
        names = ", ".join(data.classes[:8]) + (" ..." if len(data.classes) > 8 else "")
        yield f"{'classes':>22}: {len(data.classes)} ({names})"
    for name, count in data.layout.counts.items():
        if not name.startswith("train") and name not in data.classes and name != "pictures":
            yield f"{name:>22}: {count} pictures"
    yield f"{'kept in memory':>22}: {'yes' if data.in_memory else 'no, decoded each time'}"
    yield f"{'one epoch':>22}: {data.epoch_size} pictures"
    yield "---------------- networks ---------------"
    for name, network in training.method.networks().items():
        yield f"{name:>22}: {parameters(network):,} parameters"
    together = sum(map(parameters, training.method.networks().values()))
    yield f"{'together':>22}: {together:,} parameters"
    yield f"{'device':>22}: {training.engine.description}, {training.engine.precision}"
    yield f"{'run':>22}: {training.run.path}"
    if training.clock.images:
        yield f"{'goes on from':>22}: epoch {training.clock.epoch:.3f}, {training.clock.label}"


def spoken(seconds: float) -> str:
    """`1:02:03`, or `?` where it is not known."""
    if seconds == float("inf"):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@contextmanager
def stopped_well(bar: Bar) -> Iterator[None]:
    """Say where an interrupted run can be gone on with."""
    try:
        yield
    except Interrupted as stop:
        bar.progress.stop()
        raise KeyboardInterrupt(
            f"ganvas: stopped, and a snapshot was written; `ganvas resume {stop.args[0]}` goes on"
        ) from None
