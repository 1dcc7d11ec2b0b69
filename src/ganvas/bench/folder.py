"""What a bench leaves: a folder of runs, of what each was asked to be, and the tables."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganvas.bench.jobs import Job
from ganvas.errors import InputError
from ganvas.evaluation.compare import MACHINERY
from ganvas.runs.directory import Run, is_run, lock
from ganvas.runs.files import write_whole


class Folder:
    """BENCH/runs/NAME is the run of a job, BENCH/jobs/NAME.json what it was asked to be,
    BENCH/done/NAME.json that it is trained and judged, BENCH/logs/NAME.txt what it has printed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, job: Job) -> Path:
        return self.path / "runs" / job.name

    def asked(self, job: Job) -> Path:
        return self.path / "jobs" / f"{job.name}.json"

    def done(self, job: Job) -> Path:
        return self.path / "done" / f"{job.name}.json"

    def log(self, job: Job) -> Path:
        return self.path / "logs" / f"{job.name}.txt"

    def make(self) -> None:
        """Raises InputError: it cannot be made, or is another thing."""
        strange = self.path.is_dir() and any(self.path.iterdir())
        if strange and not (self.path / "jobs").is_dir():
            raise InputError(f"--out {self.path}: exists and is no bench; choose another --out")
        try:
            # jobs/ first, by which a folder is known for a bench if a kill comes here.
            for name in ("jobs", "runs", "done", "logs"):
                (self.path / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--out {self.path}: cannot be made ({error.strerror})") from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other benches out; a killed one's lock is gone with it.

        Raises:
            InputError: another one is at work.
        """
        with open(self.path / "jobs" / ".lock", "w") as file:
            if not lock(file):
                raise InputError(f"{self.path}: another bench is at work in it; wait for its end")
            yield

    def ask(self, jobs: Sequence[Job]) -> None:
        """Write down what each job is.

        Raises:
            InputError: one was begun as another training. Nothing is then changed.
        """
        for job in jobs:
            before = read(self.asked(job))
            if before is not None and is_run(self.run(job)):
                refuse_other(self.run(job), before, job)
        for job in jobs:
            write_whole(self.asked(job), json.dumps(job.told(), indent=1) + "\n")

    def is_done(self, job: Job) -> bool:
        """Whether it is trained, and judged as it would be now."""
        found = read(self.done(job))
        return (
            found is not None
            and lasting(found) == lasting(job.told())
            and found["judged"] == json.loads(json.dumps(job.told()["judged"]))
            and is_run(self.run(job))
            and Run(self.run(job)).snapshot() is not None
        )


def read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return (
        found if isinstance(found, dict) and {"method", "given", "judged"} <= found.keys() else None
    )


def lasting(told: dict[str, Any]) -> dict[str, Any]:
    """What a training is, without what changes no result."""
    given = {k: v for k, v in told["given"].items() if k not in MACHINERY}
    return json.loads(json.dumps({"method": told["method"], "given": given}, default=str))


def refuse_other(run: Path, before: dict[str, Any], job: Job) -> None:
    was, now = lasting(before), lasting(job.told())
    if was == now:
        return
    if was["method"] != now["method"]:
        apart = f"method {was['method']}, and now {now['method']}"
    else:
        a, b = was["given"], now["given"]
        name = next(n for n in {**a, **b} if a.get(n) != b.get(n))
        apart = f"{name} {a.get(name, 'left out')}, and now {b.get(name, 'left out')}"
    raise InputError(
        f"{run}: was begun as another training ({apart}); give another --out, or remove it to "
        "train it anew"
    )
