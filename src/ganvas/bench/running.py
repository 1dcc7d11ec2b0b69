"""Many jobs, each in a process of its own, so many at a time."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ganvas.bench.folder import Folder
from ganvas.bench.jobs import Job, Say
from ganvas.errors import DONE, INPUT_AT_FAULT, INTERRUPTED

POLL_SECONDS = 0.2
LAST_LINES = 4000
"""Bytes of a log that are looked at for what went wrong."""


@dataclass
class Outcome:
    """What became of jobs, by their names."""

    trained: list[str] = field(default_factory=list)
    """Done in this call."""
    known: list[str] = field(default_factory=list)
    """Done before."""
    failed: dict[str, str] = field(default_factory=dict)
    """Why, in a sentence."""

    @property
    def count(self) -> int:
        return len(self.trained) + len(self.known) + len(self.failed)


def run_all(folder: Folder, jobs: Sequence[Job], at_once: int, say: Say) -> Outcome:
    """Train and judge all jobs that are not done. One that fails stops no other.

    Raises:
        KeyboardInterrupt: it was stopped; each training under way has written a snapshot.
    """
    outcome = Outcome(known=[job.name for job in jobs if folder.is_done(job)])
    waiting = [job for job in jobs if job.name not in outcome.known]
    if outcome.known:
        say(f"{len(outcome.known)} of {trainings(len(jobs))} there already")
    running: dict[subprocess.Popen[bytes], tuple[Job, float]] = {}
    count = len(waiting)
    with told_to_stop():
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    job = waiting.pop(0)
                    say(f"{job.name}: begins; {folder.log(job)} has what it prints")
                    running[begun(folder, job)] = (job, time.monotonic())
                ended = [process for process in running if process.poll() is not None]
                for process in ended:
                    job, since = running.pop(process)
                    let_go(process)
                    note(folder, job, process.returncode, outcome)
                    place = len(outcome.trained) + len(outcome.failed)
                    say(f"[{place}/{count}] {told(job, outcome, time.monotonic() - since)}")
                if not ended:
                    time.sleep(POLL_SECONDS)
        finally:
            stop(list(running))
    return outcome


def trainings(count: int) -> str:
    return f"{count} training{'s' * (count != 1)}"


def begun(folder: Folder, job: Job) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ganvas.bench.work", str(folder.path), job.name]
    # A session of its own: Ctrl-C reaches it through `stop` alone, and once. Its input stays open
    # for as long as we are there, however we end, and it ends with that.
    with open(folder.log(job), "ab") as log:
        return subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )


def note(folder: Folder, job: Job, status: int, outcome: Outcome) -> None:
    if status == DONE:
        outcome.trained.append(job.name)
        return
    log = folder.log(job)
    last = log.read_bytes()[-LAST_LINES:].decode("utf-8", "replace").strip().splitlines() or [""]
    if status == INPUT_AT_FAULT:
        outcome.failed[job.name] = last[-1]
    elif status == INTERRUPTED:
        outcome.failed[job.name] = "was interrupted"
    elif status < 0:
        outcome.failed[job.name] = f"was ended by signal {-status}; {log} has what it printed"
    else:
        outcome.failed[job.name] = f"{last[-1]} ({log} has what it printed)"


def told(job: Job, outcome: Outcome, seconds: float) -> str:
    took = f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
    if job.name in outcome.failed:
        return f"{job.name}: failed after {took}: {outcome.failed[job.name]}"
    return f"{job.name}: trained and judged in {took}"


def stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask them to end as Ctrl-C would, and wait until they have written their snapshots."""
    for process in processes:
        let_go(process)
    for process in processes:
        process.wait()


def let_go(process: subprocess.Popen[bytes]) -> None:
    """Close its input, at which it ends if it has not yet."""
    if process.stdin is not None:
        process.stdin.close()


@contextmanager
def told_to_stop() -> Iterator[None]:
    """SIGTERM, and a terminal that is closed, stop as Ctrl-C does, which is heard also in what a
    shell began in the background, deaf to it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)  # nohup has it ignored
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
