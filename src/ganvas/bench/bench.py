"""A bench from beginning to end: everything checked, then trained, then laid side by side."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ganvas.bench.folder import Folder
from ganvas.bench.jobs import Job, Say, check_sources, jobs_of
from ganvas.bench.markdown import markdown
from ganvas.bench.page import write_page
from ganvas.bench.plan import Plan
from ganvas.bench.results import Found, Scores
from ganvas.bench.running import Outcome, run_all, trainings
from ganvas.clock import Duration
from ganvas.runs.files import write_whole

MINUTES = {"min": 1, "h": 60}
TABLES, VALUES = "bench.md", "bench.json"


@dataclass(frozen=True)
class Machine:
    """What changes no result."""

    jobs: int = 1
    device: str = "auto"
    threads: int | None = None

    @property
    def settings(self) -> dict[str, Any]:
        shared = max(1, (os.cpu_count() or 1) // self.jobs) if self.jobs > 1 else None
        threads = shared if self.threads is None else self.threads
        return {"device": self.device} | ({} if threads is None else {"threads": threads})


@dataclass(frozen=True)
class Done:
    """A bench as far as it has come."""

    folder: Path
    outcome: Outcome
    found: list[Found]
    text: str
    """The tables as Markdown."""


def bench(
    plan: Plan,
    out: Path,
    machine: Machine | None = None,
    say: Say = lambda text: None,
    pictures: int = 6,
    only: Sequence[str] = (),
) -> Done:
    """Train and judge all that is not done yet, or of it the rows of these names alone, and write
    the tables and the page of all rows anew.

    Raises:
        InputError: the plan, the data or the folder do not allow it; nothing is then trained.
        KeyboardInterrupt: it was stopped. The same again goes on.
    """
    machine = machine or Machine()
    folder = Folder(out)
    rows = plan.named(only)
    jobs = jobs_of(plan, machine.settings, say)
    chosen = [job for job in jobs if job.row in rows]
    check_sources([job for job in chosen if not folder.is_done(job)])
    folder.make()
    with folder.locked():
        folder.ask(chosen)
        waiting = [job for job in chosen if not folder.is_done(job)]
        at_once = min(machine.jobs, max(1, len(waiting)))
        say(f"{trainings(len(chosen))}, {at_once} at a time{forecast(waiting, at_once)}")
        outcome = run_all(folder, chosen, machine.jobs, say)
        return write_down(plan, folder, jobs, outcome, pictures, machine.device, say)


def forecast(jobs: list[Job], at_once: int) -> str:
    """How long it will take, where the trainings' lengths are times."""
    spans = [Duration.parse(str(job.given.get("duration", "1ep"))) for job in jobs]
    if not jobs or not all(span.is_time for span in spans):
        return ""
    minutes = sum(span.amount * MINUTES[span.unit] for span in spans) / at_once
    return f", about {minutes:.0f} min and what judging takes"


def write_down(
    plan: Plan,
    folder: Folder,
    jobs: list[Job],
    outcome: Outcome,
    pictures: int,
    device: str,
    say: Say,
) -> Done:
    """The tables and the page of what is there."""
    finished = {job.name: folder.run(job) for job in jobs if folder.is_done(job)}
    scores = Scores.read(plan, jobs, finished)
    found = scores.tables()
    text = markdown(scores, found, outcome.failed)
    write_whole(folder.path / TABLES, text)
    told = {
        "title": plan.title,
        "ganvas": version("ganvas"),
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "seeds": list(plan.seeds),
        "data": list(plan.data),
        "trainings": {job.name: job.told() for job in jobs},
        "failed": outcome.failed,
        "tables": [told_of(each) for each in found],
    }
    write_whole(folder.path / VALUES, json.dumps(told, indent=1) + "\n")
    write_page(folder, jobs, scores, found, outcome.failed, pictures, device, say)
    return Done(folder.path, outcome, found, text)


def told_of(found: Found) -> dict[str, Any]:
    """A table as plain data."""
    table = found.table
    return {
        "title": table.title,
        "data": found.data,
        "direction": found.direction or None,
        "metrics": list(table.metrics),
        "names": list(found.names),
        "rows": {
            row: [
                {
                    "mean": cell.mean,
                    "spread": cell.spread,
                    "values": {str(score.seed): score.evaluation.value for score in cell.scores},
                    "comparable": cell.comparable,
                }
                for cell in cells
            ]
            for row, cells in found.cells.items()
        },
        "bounds": {title: list(values) for title, values in found.bounds.items()},
        "published": None
        if table.published is None
        else asdict(table.published) | {"unconfirmed": sorted(table.published.unconfirmed)},
        "agreement": list(found.agreement),
    }
