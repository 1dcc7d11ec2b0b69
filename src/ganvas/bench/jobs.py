"""The trainings that a bench consists of: one for each row, source and seed, and of a method that
learns one direction one for each direction."""

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ganvas.bench.checks import check_tables, checked
from ganvas.bench.plan import Plan, Row, slug
from ganvas.config import Settings, option_name
from ganvas.data.sources import located, open_source
from ganvas.errors import InputError, did_you_mean
from ganvas.methods import method_class
from ganvas.methods.translator import Translator
from ganvas.training import settings_of

Say = Callable[[str], object]
LONGEST_NAME = 150
"""Characters of a run directory's name."""


@dataclass(frozen=True)
class Job:
    """One training and its evaluation."""

    name: str
    """Of its run directory."""
    row: str
    data: str
    """The bench's source: rows of one source are compared."""
    seed: int
    method: str
    given: Mapping[str, Any]
    """The settings, but for `out`."""
    judged: Mapping[str, Any]
    """Options of its evaluation."""

    def told(self) -> dict[str, Any]:
        """What makes it this job: plain values."""
        return {"method": self.method, "given": dict(self.given), "judged": dict(self.judged)}

    def command(self, run: Path) -> str:
        """The same training as a command."""
        words = ["ganvas", "train", self.method]
        for name, value in self.given.items():
            option = option_name(name)
            if isinstance(value, bool):
                words.append(f"--{option}" if value else f"--no-{option}")
            elif value is not None:  # none is what is left out
                words += [f"--{option}", str(value)]
        return shlex.join([*words, "--out", str(run)])


def jobs_of(plan: Plan, machine: Mapping[str, Any], say: Say = lambda text: None) -> list[Job]:
    """All trainings, those of the first seed first. `machine` are settings that change no result.
    What a row's method has no option for is `said`.

    Raises:
        InputError: a row's settings are such that nothing can be trained.
    """
    if not plan.data:
        raise InputError("--data: is missing; name a folder, a zip or sample:NAME to compare on")
    known = {f.name for row in plan.rows for f in fields(method_class(row.method).Config)}
    elsewhere = [name for each in plan.special.values() for name in each.settings]
    for name in (*plan.settings, *plan.said, *elsewhere):
        if name not in known:
            near = did_you_mean(name, sorted(known))
            raise InputError(f"settings: {name}: no method of these rows has it{near}")
    check_tables(plan)
    jobs: list[Job] = []
    for seed in plan.seeds:
        for data in plan.data:
            for row in plan.rows:
                quietly = say if seed == plan.seeds[0] else lambda text: None
                jobs += jobs_of_row(plan, row, data, seed, machine, quietly)
    refuse_names(jobs)
    return jobs


def refuse_names(jobs: Iterable[Job]) -> None:
    """Raises InputError: two jobs would have one run directory, or none could have that name."""
    known: dict[str, Job] = {}
    for job in jobs:
        if len(job.name) > LONGEST_NAME:
            raise InputError(
                f"row {job.row} on {job.data}: its run directory would have a name of "
                f"{len(job.name)} characters; give it a shorter one"
            )
        if other := known.get(job.name):
            both = f"{other.row} on {other.data} and {job.row} on {job.data}"
            raise InputError(f"{both}: would both be the run {job.name}; give one another name")
        known[job.name] = job


def check_sources(jobs: Iterable[Job]) -> None:
    """Raises InputError: pictures of one are not there."""
    for source in dict.fromkeys(str(job.given["data"]) for job in jobs):
        open_source(source)


def judged_on(plan: Plan, data: str) -> dict[str, Any]:
    """Options of evaluations on a source.

    Raises:
        InputError: no evaluation can have them.
    """
    special = plan.special.get(data)
    own = special.judged if special else {}
    return checked({**plan.judged, **own, "metrics": list(plan.computed)})


def jobs_of_row(
    plan: Plan, row: Row, data: str, seed: int, machine: Mapping[str, Any], say: Say
) -> list[Job]:
    kind = method_class(row.method)
    given = given_to(plan, row, data, say)
    translates = issubclass(kind, Translator) and kind.data != "domains"
    one_way = issubclass(kind, Translator) and kind.one_way
    unfit = {"paired"} if not translates else set()
    unfit |= {"palette"} if not issubclass(kind, Translator) else set()
    judged = {name: item for name, item in judged_on(plan, data).items() if name not in unfit}
    if translates and len(plan.directions) == 1:
        judged["direction"] = plan.directions[0]
    jobs = []
    for way in plan.directions if one_way else (None,):
        own = given | dict(machine) | {"seed": seed} | ({"direction": way} if way else {})
        try:
            settings_of(row.method, own)
        except InputError as error:
            raise InputError(f"row {row.name}: {error}") from None
        parts = [row.name, *([data] if len(plan.data) > 1 else []), *([way] if way else [])]
        name = f"{slug(' '.join(parts))}-seed{seed}"
        jobs.append(Job(name, row.name, data, seed, row.method, own, judged))
    return jobs


def given_to(plan: Plan, row: Row, data: str, say: Say) -> dict[str, Any]:
    """The settings of a row on a source: those of all rows, as far as its method has them, then
    those for this source, then its own, then its own for this source; the command line's over
    all."""
    config: type[Settings] = method_class(row.method).Config
    has = {field.name for field in fields(config)}
    special = plan.special.get(data)
    common = dict(plan.settings) | dict(special.settings if special else {})
    common |= plan.said
    if unknown := [name for name in common if name not in has]:
        options = ", ".join(f"--{option_name(name)}" for name in unknown)
        say(f"{row.name}: {row.method} has no {options}; it keeps to its own")
    own = dict(row.settings)
    source = row.data or data
    if special and row.name in special.rows:
        own |= special.rows[row.name]
        source = str(own.pop("data", source))
    given = {name: value for name, value in common.items() if name in has} | own
    given |= {name: value for name, value in plan.said.items() if name in has}
    return {"data": located(source)} | given
