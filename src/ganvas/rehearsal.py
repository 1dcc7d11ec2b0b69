"""A dry run: what a training takes, in memory and in time, from a few of its steps."""

import time
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil, inf
from statistics import fmean

from torch import Tensor

from ganvas.config import HAIR, Settings, Stage
from ganvas.engine import seed_step
from ganvas.loop import Training, Watcher
from ganvas.memory import Peak, free_on, held_by, step_memory
from ganvas.methods.base import Method
from ganvas.runs.describe import parameters

ALL_SECONDS = 20.0
"""What measuring shall take, as long as steps are short."""
STEPS_EACH = 30
"""More are not measured of one kind."""
LOOKED_AT = 3000
"""Steps in a row, behind the warm-up, by which the shares of the kinds are counted."""
GIB = 2**30


@dataclass(frozen=True)
class Part:
    """The steps of a stage, and what they take."""

    name: str
    batch: int
    steps: int
    step_seconds: float
    """Of one step, on average over the kinds that the stage has."""

    @property
    def images(self) -> int:
        return self.steps * self.batch

    @property
    def seconds(self) -> float:
        return self.steps * self.step_seconds


@dataclass(frozen=True)
class Rehearsal:
    """What a dry run found. Memory is in bytes."""

    parameters: dict[str, int]
    estimated: int
    measured: int | None
    """The most that the steps took; None where the system does not tell."""
    free: float
    """Before them."""
    parts: list[Part]

    @property
    def seconds(self) -> float:
        return sum(part.seconds for part in self.parts)

    @property
    def images(self) -> int:
        return sum(part.images for part in self.parts)

    @property
    def steps(self) -> int:
        return sum(part.steps for part in self.parts)


def rehearse(training: Training, watcher: Watcher) -> Rehearsal:
    """Measure steps of every stage that the training has, and tell the watcher. The networks are
    not to be used afterwards."""
    t, c = training, training.config
    watcher.shown("---------------- dry run ----------------")
    watcher.shown("measuring steps; slow ones take a while")
    free, peak = free_on(t.engine.device), Peak(t.engine.device)
    parts, reached = [], []
    for stage, part in measured_parts(t):
        parts.append(part)
        reached.append(stage)
        each, whole = f"{part.step_seconds:.3g} s each", roughly(part.seconds)
        watcher.shown(f"{part.name:>22}: {part.steps:,} steps of {part.batch}, {each}: {whole}")
    measured = peak.read()
    if measured is not None and t.engine.device.type == "cpu":
        measured += held_by(t.method)  # which were there before
    largest = max(reached, key=lambda s: s.size[0] * s.size[1] * c.batch_size_at(s.first))
    kind, images = type(t.method), largest.first
    need = step_memory(kind, c, t.data.channels, t.method.classes, images)
    networks = {name: parameters(network) for name, network in t.method.networks().items()}
    found = Rehearsal(networks, need, measured, free, parts)
    for line in lines(t, found):
        watcher.shown(line)
    if need > free:
        watcher.said(
            "that is more memory than is free; a smaller --batch-size or --size takes less"
        )
    return found


def lines(training: Training, found: Rehearsal) -> Iterator[str]:
    t, c = training, training.config
    seen = "" if found.measured is None else f", {found.measured / GIB:.2f} GiB measured"
    where = t.engine.description
    yield (
        f"{'memory':>22}: {found.estimated / GIB:.2f} GiB estimated{seen}; "
        f"{found.free / GIB:.1f} GiB free"
    )
    if c.span.is_time:
        epochs = found.images / t.data.epoch_size
        said = f"about {found.images:,} images, {found.steps:,} steps, {epochs:.2g} epochs"
    else:
        said = f"about {roughly(found.seconds)}"
    yield f"{'--duration ' + c.duration:>22}: {said} on {where}"
    more = ", evaluations" if t.config.eval_every else ""
    yield f"{'left out':>22}: reading the pictures, previews, snapshots, the report{more}"
    yield "nothing was written"


def measured_parts(training: Training) -> Iterator[tuple[Stage, Part]]:
    """Each stage that the training comes to, measured."""
    t, c, span = training, training.config, training.config.span
    stages, limit = c.stages, Limit.of(c, t.data.epoch_size)
    images = steps = 0
    seconds = 0.0
    for stage, end in zip(stages, [*(s.first for s in stages[1:]), inf], strict=True):
        batch = c.batch_size_at(images)
        count = min((min(end, limit.images) - images) / batch, limit.steps - steps)
        if count <= HAIR or seconds >= limit.seconds:
            continue
        works = kinds_of_work(t.method, steps, count)
        share = ALL_SECONDS / len(stages) / len(works)
        t.clock.images, t.clock.iterations = images, steps
        t.method.plan(t.clock)
        each = mean_seconds(t, works, share)
        if span.is_time:
            count = min(count, (limit.seconds - seconds) / each)
        part = Part(stage.name, batch, ceil(count - HAIR), each)
        images, steps = images + part.images, steps + part.steps
        seconds += part.seconds
        yield stage, part


@dataclass(frozen=True)
class Limit:
    """Where a training ends; infinite where it does not go by that."""

    images: float = inf
    steps: float = inf
    seconds: float = inf

    @classmethod
    def of(cls, config: Settings, epoch_size: int) -> "Limit":
        amount, unit = config.span.amount, config.span.unit
        match unit:
            case "it":
                return cls(steps=amount)
            case "min" | "h":
                return cls(seconds=amount * {"min": 60, "h": 3600}[unit])
            case _:
                return cls(images=amount * {"ep": epoch_size, "kimg": 1000}[unit])


def kinds_of_work(method: Method, first: int, count: float) -> dict[Hashable, tuple[int, float]]:
    """For each kind of work in so many steps from the first on, a step that has it and its part of
    all."""
    warming = min(max(method.warmup_steps - first, 0), count)
    # Steps without end are as those that were looked at.
    rest = LOOKED_AT if count == inf else count - warming
    found: dict[Hashable, int] = {}
    weights: Counter[Hashable] = Counter()
    for start, steps in ((first, warming), (first + ceil(warming), rest)):
        few = min(ceil(steps - HAIR), LOOKED_AT)
        for step in range(start, start + few):
            work = method.work_at(step)
            found.setdefault(work, step)
            weights[work] += steps / few  # pyright: ignore[reportArgumentType]
    total = sum(weights.values())
    return {work: (step, weights[work] / total) for work, step in found.items()}


def mean_seconds(
    training: Training, works: Mapping[Hashable, tuple[int, float]], share: float
) -> float:
    """How long a step takes where the clock stands, on average over these kinds."""
    batches = training.data.batches(training.clock.images)
    return sum(part * seconds_of(training, batches, step, share) for step, part in works.values())


def seconds_of(
    training: Training, batches: Iterator[Mapping[str, Tensor]], step: int, share: float
) -> float:
    """How long a step of that kind takes with its data, on average over as many as fit into so many
    seconds. The first is left out where there are others, for it is slower."""
    t, taken = training, []
    while not taken or (sum(taken) < share and len(taken) <= STEPS_EACH):
        start = time.perf_counter()
        batch = t.engine.place_batch(next(batches))
        seed_step(t.config.seed, step + len(taken))
        t.method.stand_at(step)
        t.method.set_rate(t.schedule.factor(t.clock))
        with t.engine.autocast(), t.engine.first_step(not taken):
            t.method.step(batch)
        if t.config.ema:
            t.method.update_averages(0.999)
        t.engine.wait()
        taken.append(time.perf_counter() - start)
    return fmean(taken[1:] or taken)


def roughly(seconds: float) -> str:
    """`3 d 4 h`, `20 min`, `2 min 5 s`, `0.4 s`: as exactly as is worth saying."""
    if seconds < 59.5:
        return f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 10:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
