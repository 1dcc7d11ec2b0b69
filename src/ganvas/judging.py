"""Judging while training: now and then by the same real pictures; the best networks are kept, and
a training that finds nothing better may end."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from ganvas.clock import Clock
from ganvas.config import Settings
from ganvas.engine import ALONE, Processes
from ganvas.errors import InputError
from ganvas.evaluation import results as rows
from ganvas.evaluation.choosing import Options
from ganvas.evaluation.evaluate import Judge
from ganvas.evaluation.metrics import METRICS
from ganvas.evaluation.results import Result
from ganvas.methods.base import Method
from ganvas.runs.directory import Run
from ganvas.runs.files import write_whole
from ganvas.runs.snapshots import keep_latest_as

BEST = "best"
USUAL = "kd"
"""The metric that says which networks are the best, where that is measured and no other named."""
TRAINING = "training"
Say = Callable[[str], object]


@dataclass
class Standing:
    """What the evaluations of a training have come to; a part of its state."""

    best: float | None = None
    at: int = 0
    """Images shown by then."""
    since: int = 0
    """Evaluations in a row that were not better."""
    kept: dict[str, float] = field(default_factory=dict)
    """The best networks, by the label of their clock, and their values; the best first."""


class Judging:
    """The evaluations that --eval-every asks for."""

    def __init__(
        self,
        method: Method,
        config: Settings,
        say: Say = lambda text: None,
        processes: Processes = ALONE,
    ) -> None:
        """Several processes judge together; the first writes down what was found."""
        self.config, self.say, self.processes = config, say, processes
        self.by, self.standing = "", Standing()
        self.first: list[Result] = []
        names = None if config.eval_metrics is None else config.eval_metrics.split(",")
        options = Options(metrics=names, count=config.eval_count, inception=config.inception)
        try:
            self.judge = Judge(method, None, options, say, processes)
        except InputError as error:
            raise InputError(str(error).replace("--metrics", "--eval-metrics")) from None
        keys = self.judge.choice.keys
        able = [key for key in keys if METRICS[key].better]
        wanted = config.best_by or (USUAL if USUAL in keys else next(iter(able), keys[0]))
        if wanted not in able:
            why = "neither more nor less of it is better" if wanted in keys else "is not measured"
            raise InputError(
                f"--best-by {wanted}: {why}; there are {', '.join(able)} (--eval-metrics)"
            )
        self.by = wanted

    def begin(self, method: Method, clock: Clock) -> None:
        """Judge the networks before their first step: where curves begin, and the proof that all
        that is needed is there.

        Raises:
            InputError: it is not.
        """
        self.first = self.judge(method, {"images": clock.images, "when": TRAINING})
        self.value_of(self.first)

    def write_first(self, run: Run, clock: Clock) -> None:
        """Write down what was found before the first step; it stands as the best for now."""
        rows.append(self.first, run.path / "metrics.jsonl")
        self.enter(self.value_of(self.first), clock)

    def value_of(self, found: Sequence[Result]) -> float:
        """The value by which networks are the best; of both directions the mean.

        Raises:
            InputError: it could not be measured.
        """
        keys = [result.key for result in found if result.better]
        if self.by not in keys:
            if self.config.best_by or not keys:
                raise InputError(f"--best-by {self.by}: cannot be measured of so few pictures")
            self.by = keys[0]
        return fmean(result.value for result in found if result.key == self.by)

    def evaluate(self, method: Method, run: Run, clock: Clock) -> bool:
        """Judge the networks and write down what was found; whether they are to be kept, as ones
        of the best."""
        try:
            found = self.judge(method, {"images": clock.images, "when": TRAINING})
        except InputError as error:
            self.say(f"evaluation: {error}")
            self.standing.since += 1
            return False

        def entered() -> Standing:
            rows.append(found, run.path / "metrics.jsonl")
            better = self.enter(self.value_of(found), clock)
            self.say(self.sentence(found, better, clock))
            return self.standing

        self.standing = self.processes.first_does(entered)
        return clock.label in self.standing.kept

    def enter(self, value: float, clock: Clock) -> bool:
        """Rank a value; whether it is the best."""
        standing = self.standing
        better = standing.best is None or self.before(value, standing.best)
        standing.since = 0 if better else standing.since + 1
        if better:
            standing.best, standing.at = value, clock.images
        ranked = sorted(
            (standing.kept | {clock.label: value}).items(),
            key=lambda item: item[1] if METRICS[self.by].better == "lower" else -item[1],
        )
        standing.kept = dict(ranked[: self.config.keep_best])
        return better

    def before(self, value: float, other: float) -> bool:
        """Whether a value is better than another."""
        return value < other if METRICS[self.by].better == "lower" else value > other

    def sentence(self, found: Sequence[Result], better: bool, clock: Clock) -> str:
        """What the metric says by which networks are the best."""
        ways = [(f" {r.direction}" if r.direction else "", r) for r in found if r.key == self.by]
        told = ", ".join(f"{r.metric}{way} {r.shown()}" for way, r in ways)
        best, at = self.standing.best, self.standing.at / 1000
        last = "the best so far" if better else f"the best was {best:.4g} at {at:g} kimg"
        return f"evaluation at {clock.images / 1000:g} kimg: {told}, {last}"

    def keep(self, run: Run, clock: Clock) -> None:
        """Give snapshots/latest, if it is one of the best, its names; drop those that are not any
        more."""
        names = list(self.standing.kept)
        if clock.label not in names:
            return
        if clock.label == names[0]:
            keep_latest_as(run, BEST)
        if self.config.keep_best > 1:
            keep_latest_as(run, f"{BEST}-{clock.label}")
        for old in run.snapshots.glob(f"{BEST}-*"):
            if old.name.removeprefix(f"{BEST}-") not in names:
                shutil.rmtree(old, ignore_errors=True)

    @property
    def stalled(self) -> bool:
        """Whether --patience is at an end."""
        return 0 < self.config.patience <= self.standing.since


def rewind(run: Run, images: int) -> None:
    """Drop what a training's evaluations found behind so many images: they will be found again.
    What `ganvas evaluate` added stays."""
    path = run.path / "metrics.jsonl"
    if not path.is_file():
        return
    lines = path.read_text("utf-8").splitlines()
    kept = [line for line in lines if not of_training_behind(line, images)]
    if len(kept) < len(lines) or not path.read_text("utf-8").endswith("\n"):
        write_whole(path, "".join(f"{line}\n" for line in kept))


def of_training_behind(line: str, images: int) -> bool:
    try:
        row: dict[str, Any] = json.loads(line)
        return row["provenance"]["when"] == TRAINING and row["images"] > images
    except (ValueError, KeyError, TypeError):
        return False
