"""How a run begins and goes on: everything built and checked before anything is written."""

import errno
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ganvas.auto import AUTO, picked
from ganvas.clock import Clock, Duration
from ganvas.config import Settings, option_name
from ganvas.data.opening import open_training_set
from ganvas.data.parts import memory_shared
from ganvas.data.samples import suggested
from ganvas.data.sources import located
from ganvas.data.training_set import TrainingSet
from ganvas.engine import Engine, Processes, place_among
from ganvas.errors import InputError
from ganvas.judging import Judging, rewind
from ganvas.loop import Nobody, Training, Watcher, loop, preview
from ganvas.loop import snapshot as snapshot_now
from ganvas.methods import method_class
from ganvas.methods.base import Method
from ganvas.rehearsal import Rehearsal, rehearse
from ganvas.runs.describe import describe_run
from ganvas.runs.directory import Run, is_run
from ganvas.runs.log import Log
from ganvas.runs.samples import write_reals
from ganvas.runs.snapshots import (
    clear_unfinished,
    drop_old,
    keep_latest_as,
    load_state,
    load_weights,
)
from ganvas.weights.lending import lend, refuse_others
from ganvas.weights.start import (
    Start,
    begin_with,
    located_start,
    read_start,
    refuse_differences,
    taken_over,
)

FEW_STEPS = 300
WARMUP_STEPS = 500


def settings_of(
    method: str, given: dict[str, Any], said: Callable[[str], object] = lambda text: None
) -> Settings:
    """A method's settings: those given, else what the weights of --init were built by, else those
    of the preset, else for a built-in sample those that suit it. What the preset `auto` picked,
    and why, is `said`.

    Raises:
        InputError: an unknown name, or a value that no training can have, or with which the
            weights of --init do not fit.
    """
    kind = method_class(method)
    given = {name.replace("-", "_"): value for name, value in given.items()}
    fitting = suggested(str(given.get("data", "")), method)
    name = str((fitting | given).get("preset"))
    preset = dict(kind.Config.presets.get(name, {}))
    taken: dict[str, Any] = {}
    if given.get("init"):
        # A preset that was asked for by name is given as much as its settings would be.
        asked = preset | given if given.get("preset") else given
        taken = taken_over(read_start(str(given["init"]), method), method, asked)
    if name == AUTO:
        preset = picked(kind, taken | given, said)
    return kind.Config.from_mapping(fitting | preset | taken | given)


def train(method: str, config_as_given: Settings, watcher: Watcher | None = None) -> Run:
    """Train a method from the beginning, into a new run directory.

    Raises:
        InputError: the settings, the data or the run directory do not allow it.
        Interrupted: it was stopped; the run holds a snapshot and can be resumed.
    """
    processes = Processes.join()
    # What was measured here, as by the preset auto, may be otherwise elsewhere.
    config = processes.first_does(lambda: config_as_given)
    watcher = (watcher if processes.first else None) or Nobody()
    run = Run.plan(config.out, method, config.data)
    training = prepare(method, config, watcher, run)
    # Absolute in the record, so that the run can be resumed from any folder.
    config.data = located(config.data)
    config.init = located_start(config.init) if config.init else None
    for name in training.method.borrowed.values():
        if (file := getattr(config, name)) is not None:
            setattr(config, name, str(Path(file).expanduser().absolute()))

    def made() -> Path:
        run.make()
        return run.path

    with full_disk_said(run):
        run.path = processes.first_does(made)
        with held(run, processes):
            if processes.first_does(lambda: is_run(run.path)):
                raise InputError(f"--out {run.path}: another training has begun there meanwhile")
            begin(training, method, watcher)
    return run


def held(run: Run, processes: Processes) -> AbstractContextManager[None]:
    """The run's lock, which the first process holds for all."""
    return run.locked() if processes.first else nullcontext()


def begin(training: Training, method: str, watcher: Watcher) -> None:
    """The first session of a run: its record, the first preview, the loop."""
    t, where = training, training.engine.description
    log = Log(t.run.path, t.config.tensorboard, t.method.dialect)

    def write() -> None:
        t.run.write_record(describe_run(method, t.config, t.method, t.data, where, t.origin))
        watcher.beginning(t)
        log.begin(t.clock)

    t.engine.processes.first_does(write)
    first_pictures(t, log)
    keep_start(t, log)
    loop(t, log, watcher)


def keep_start(training: Training, log: Log) -> None:
    """A snapshot of what came from outside, which resuming shall not need any more; and of
    networks that are judged, which are the best so far."""
    t, processes = training, training.engine.processes
    if judging := t.judging:
        processes.first_does(lambda: judging.write_first(t.run, t.clock))
    lent = any("file" in about for about in t.method.fixed.values())
    if t.judging or t.origin is not None or lent:
        snapshot_now(t, log)
    if judging:
        processes.first_does(lambda: judging.keep(t.run, t.clock))


def first_pictures(training: Training, log: Log) -> None:
    """What the networks make before their first step, and the real pictures to lay beside it."""
    t = training
    if not t.method.shows_real:
        t.engine.processes.first_does(lambda: write_reals(t.run.path, t.data.fixed))
    preview(t, log)


def dry_run(method: str, config: Settings, watcher: Watcher) -> Rehearsal:
    """Build everything, take a few steps of each kind, and say what all would cost, writing
    nothing.

    Raises:
        InputError: as `train` would.
    """
    if (count := place_among()[1]) > 1:
        raise InputError(
            f"--dry-run: measures what one process does, and {count} were started; start one, with "
            "its part of --batch-size"
        )
    t = prepare(method, config, watcher, Run(config.out or "dry run"), rehearsed=True)
    watcher.beginning(t)
    return rehearse(t, watcher)


def resume(
    path: Path | str,
    duration: str | None = None,
    data: str | None = None,
    device: str | None = None,
    workers: int | None = None,
    watcher: Watcher | None = None,
    resume_kimg: float | None = None,
) -> Run:
    """Go on with a run exactly where its newest snapshot stands; from its beginning if a kill
    came before the first one. `duration` lengthens it; `data` says where its pictures are now;
    `resume_kimg` takes its clock for another, in thousands of images.

    Raises:
        InputError: it is no run, or its pictures are not those it was trained on.
    """
    processes = Processes.join()
    watcher = (watcher if processes.first else None) or Nobody()
    run = Run.open(path)
    record = run.record
    kind = method_class(record["method"])
    if "imported" in record.get("provenance", {}):
        raise InputError(
            f"{path}: was imported and holds weights, but no training to resume; begin one from "
            f"them with `ganvas train {record['method']} --init {path}`"
        )
    given = {"duration": duration, "data": data, "device": device, "workers": workers}
    given = {name: value for name, value in given.items() if value is not None}
    kind.Config.from_mapping(record["settings"], f"{run.path}/config.yaml")
    config = kind.Config.from_mapping(record["settings"] | given)
    with held(run, processes), full_disk_said(run):
        snapshot = run.snapshot()
        training = prepare(record["method"], config, watcher, run, fresh=snapshot is None)
        check_fingerprint(record, training.data, config.data)
        check_origin(record, training.origin, config.init)
        if snapshot is None:
            refuse_others(training.method, record)
        log = Log(run.path, config.tensorboard, kind.dialect)
        if snapshot is not None:
            load_weights(training.method, snapshot / "model.safetensors")
            state = load_state(snapshot)
            training.load_state(state, log)
            say_other_number(state.get("processes", 1), processes.count, watcher)
        stands = training.clock.images if snapshot else -1
        processes.refuse_unlike(
            stands,
            f"{run.path}: processes see different snapshots there; put the run where all machines "
            "see it",
        )

        def mend() -> None:
            if snapshot is not None:
                finish_saving(training)
            else:
                log.rewind({})
            rewind(run, stands)

        processes.first_does(mend)
        if training.judging and duration is not None:
            training.judging.standing.since = 0
        if resume_kimg is not None:
            assume(training, resume_kimg)
        if training.finished and duration is not None:
            raise InputError(
                f"--duration {duration}: the run has already trained for {training.clock.epoch:g} "
                "epochs, which is as long; give a longer one"
            )
        if training.finished:
            stalled = training.judging and training.judging.stalled
            why = f" by --patience {config.patience}" if stalled else ""
            watcher.said(f"this run is finished{why}; a longer --duration goes on with it")
        # The device is this machine's, not the run's.
        kept = {"duration": config.duration, "data": located(config.data)}
        record["settings"] |= kept

        def write() -> None:
            run.write_record(record)
            watcher.beginning(training)
            log.begin(training.clock)

        processes.first_does(write)
        if snapshot is None:
            first_pictures(training, log)
            keep_start(training, log)
        loop(training, log, watcher)
    return run


def say_other_number(before: int, now: int, watcher: Watcher) -> None:
    """Say what is no longer exact where a training goes on in another number of processes."""
    if before != now:
        watcher.said(
            f"trained in {before} process{'es' * (before > 1)} so far, and goes on in {now}: from "
            "here on it is not to the bit what it would have been; histories of generated pictures "
            "are dealt out anew, and batch norms see other parts of each batch"
        )


def assume(training: Training, kimg: float) -> None:
    """Let the training stand at so many thousands of images: its schedule goes on from there.

    Raises:
        InputError: no training stands there.
    """
    if not (math.isfinite(kimg) and kimg >= 0):
        raise InputError(f"--resume-kimg {kimg:g}: wants thousands of images, 0 or more")
    clock = training.clock
    clock.images = round(kimg * 1000)
    clock.ticks = training.config.ticks_at(clock.images)


def prepare(
    method: str,
    config: Settings,
    watcher: Watcher,
    run: Run,
    fresh: bool = True,
    rehearsed: bool = False,
) -> Training:
    """The training as it stands before its first step; nothing is written. Only a `fresh` one,
    which no snapshot stands for yet, looks at --init; one that is only rehearsed judges nothing.

    Raises:
        InputError: the device, the data or the networks do not allow it.
    """
    kind = method_class(method)
    if fitting := suggested(config.data, method):
        kept = {n: v for n, v in fitting.items() if str(getattr(config, n)) == str(v)}
        text = " ".join(
            f"--{option_name(n)}" if v is True else f"--{option_name(n)} {v}"
            for n, v in kept.items()
        )
        watcher.said(f"{config.data} comes with settings for what is left out: {text}")
    start = read_start(config.init, method) if fresh and config.init else None
    if start:
        refuse_differences(start, {name: getattr(config, name) for name in start.shape})
    engine = Engine.start(config.device, config.precision, config.threads, together=True)
    engine.tune()
    processes = engine.processes
    refuse_unequal_parts(config, processes.count)
    with memory_shared(processes.on_this_machine()):
        data = open_training_set(kind.data, config, watcher.reading)
    config.check_whole({size for _, size in data.whole_sizes()})
    for picture, size in data.whole_sizes():
        config.check_size(*size, f"{picture} ({size[0]}x{size[1]} after --preprocess)")
    for note in data.notes:
        watcher.said(note)
    torch.manual_seed(config.seed)
    network = engine.place(kind(config, data.channels, data.classes))
    network.scales = data.scales
    if fresh:
        lend(network)
    clock = Clock(data.epoch_size)
    if start:
        begin_with(network, start)
        # Where a schedule of the method's own stood with these weights is not where it begins.
        network.plan(clock)
        for note in start.notes(network):
            watcher.said(note)
    if (steps := steps_of(config.span, config, data.epoch_size)) < FEW_STEPS:
        each = config.batch_size_at(0)
        watcher.said(
            f"--duration {config.duration}: is {steps:.0f} steps of {each} pictures, few to learn "
            "from; give a longer one"
        )
    if config.decay and config.lr_policy != "linear":
        watcher.said(f"--decay: without effect, for --lr-policy is {config.lr_policy}")
    for note in network.notes:
        watcher.said(note)
    if processes.count > 1 and any(isinstance(m, nn.BatchNorm2d) for m in network.modules()):
        watcher.said(
            f"{processes.count} processes: each takes the statistics of its batch norms of its own "
            f"part of a batch, {config.batch_size_at(0) // processes.count} of "
            f"{config.batch_size_at(0)} pictures"
        )
    set_warmup(network, config, data.epoch_size, start, watcher)
    processes.refuse_unlike(
        data.fingerprints,
        f"--data {config.data}: processes see different pictures there; give all machines the same",
    )
    judging = None
    if config.eval_every:
        judging = Judging(network, config, watcher.said, processes)
    processes.begin_alike([*network.parameters(), *network.buffers()])
    if judging and fresh and not rehearsed:
        judging.begin(network, clock)
    network.even_out, network.joined = processes.average, processes.joined
    if config.compile:
        engine.compile(network.compilable())
    training = Training(run, config, network, data, engine, clock, config.schedule)
    training.judging, training.origin = judging, start.provenance if start else None
    return training


def refuse_unequal_parts(config: Settings, count: int) -> None:
    """Refuse batches that cannot be dealt out to so many processes.

    Raises:
        InputError: one cannot.
    """
    for size in sorted({config.batch_size_at(stage.first) for stage in config.stages}):
        if size % count:
            raise InputError(
                f"--batch-size {size}: is that of all {count} processes together, and does not "
                f"divide by {count}; take {-(-size // count) * count}, or another number of "
                "processes"
            )


def set_warmup(
    method: Method, config: Settings, epoch_size: int, start: Start | None, watcher: Watcher
) -> None:
    """Tell the method how many steps only discriminators learn, and say it where it is so.

    Raises:
        InputError: that is as long as the training.
    """
    steps = steps_of(config.span, config, epoch_size)
    if start and config.warmup is None:
        judges = [name for name, n in method.networks().items() if n in method.players.get("D", ())]
        if start.missing(judges):
            most = math.inf if config.span.is_time else steps // 10
            config.warmup = f"{int(min(WARMUP_STEPS, most))}it"
    if config.warmup_span is None:
        return
    method.warmup_steps = math.ceil(steps_of(config.warmup_span, config, epoch_size))
    if method.warmup_steps >= steps:
        raise InputError(
            f"--warmup {config.warmup}: is as long as --duration {config.duration}, and generators "
            "would learn nothing; give a shorter one"
        )
    watcher.said(
        f"--warmup {config.warmup}: for the first {method.warmup_steps} steps only discriminators "
        "learn, and generators stand still"
    )


def steps_of(span: Duration, config: Settings, epoch_size: int) -> float:
    """How many steps that span is, from the beginning; infinite where it is measured in time."""
    if span.is_time or span.unit == "it":
        return math.inf if span.is_time else span.amount
    return config.steps_to(span.amount * {"ep": epoch_size, "kimg": 1000}[span.unit])


def finish_saving(training: Training) -> None:
    """Do what a kill in the middle of a save left undone: the numbered copy of the snapshot."""
    t, every = training, training.config.interval("snapshot_every")
    clear_unfinished(t.run)
    before = t.clock.copy()
    before.images, before.iterations = before.images - before.latest, before.iterations - 1
    before.ticks = t.config.ticks_at(before.images)
    due = t.clock.iterations > 0 and not every.is_time and every.passed_between(before, t.clock)
    if due and (t.run.snapshots / "latest").is_dir():
        keep_latest_as(t.run, t.clock.label)
        drop_old(t.run, t.config.keep)
    if t.judging:
        t.judging.keep(t.run, t.clock)


def check_fingerprint(record: dict[str, Any], data: TrainingSet, source: str) -> None:
    """Refuse to go on with other pictures: it would be another training."""
    known = record.get("provenance", {}).get("data_fingerprint")
    changed = [
        part for part, digest in data.fingerprints.items() if (known or {}).get(part) != digest
    ]
    if known and changed:
        raise InputError(
            f"--data {source}: the pictures in {' and '.join(changed)} are not those that this run "
            "was trained on; put them back, or say where they are with --data"
        )


def check_origin(record: dict[str, Any], origin: dict[str, Any] | None, source: str | None) -> None:
    """Refuse to begin anew with other weights than those that the run began with."""
    known = record.get("provenance", {}).get("init")
    if origin is not None and known and origin["files"] != known["files"]:
        raise InputError(
            f"--init {source}: is not what this run was begun with, and there is no snapshot yet; "
            "begin a new run"
        )


@contextmanager
def full_disk_said(run: Run) -> Iterator[None]:
    """A full disk is the user's to mend."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        state = "the last snapshot is good" if run.snapshot() else "there is no snapshot yet"
        raise InputError(
            f"{run.path}: the disk is full; {state}. Make room, then `ganvas resume {run.path}`"
        ) from None
