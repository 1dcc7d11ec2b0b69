"""What participants have answered: one file a study, a line an answer, and what it comes to."""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganvas.errors import InputError
from ganvas.evaluation.study.intervals import LEVEL, interval
from ganvas.evaluation.study.protocol import Protocol, allowed_misses
from ganvas.runs.files import write_whole
from ganvas.runs.reading import mapping

Row = dict[str, Any]
FOLDER, SUMMARY, METRICS = "study", "summary.json", "metrics.jsonl"
MOST_MISSED = 0.25
FORMAT = 1
NOT_IDENTITY = ("date", "versions")
"""What may differ between two sittings of one study."""


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


class Answers:
    """RUN/study/NAME.jsonl: first what the study is, then participants and their answers.

    The name follows from all that answers depend on: weights, direction, pictures, protocol. So a
    study that is opened again as it was goes on in its file, and any other has one of its own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        rows = read_rows(path)
        if not rows or rows[0].get("format") != FORMAT:
            raise InputError(f"{path}: is no study's answers of format {FORMAT}")
        self.about, self.rows = rows[0], rows[1:]

    @classmethod
    def open(cls, run: Path, about: Row) -> "Answers":
        """The file for a study that is `about` this, begun where it is not there."""
        told = {key: value for key, value in about.items() if key not in NOT_IDENTITY}
        text = json.dumps(told, sort_keys=True)
        name = (
            f"{about['direction'] or 'generated'}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        )
        path = run / FOLDER / f"{name}.jsonl"
        if not path.exists():
            head = {"study": name, "format": FORMAT, **about}
            try:
                path.parent.mkdir(exist_ok=True)
                write_whole(path, json.dumps(head) + "\n")
            except OSError as error:
                raise InputError(f"{path}: cannot be written ({error.strerror})") from None
        answers = cls(path)
        answers.end_line()
        return answers

    @classmethod
    def all(cls, run: Path) -> "list[Answers]":
        """Every study of a run."""
        return [cls(path) for path in sorted((run / FOLDER).glob("*.jsonl"))]

    @property
    def name(self) -> str:
        return self.about["study"]

    @property
    def protocol(self) -> Protocol:
        return Protocol(**self.about["protocol"])

    @property
    def participants(self) -> int:
        """How many have begun."""
        return 1 + max((row.get("participant", -1) for row in self.rows), default=-1)

    def append(self, row: Row) -> None:
        """One more line, on the disk when this returns: a kill loses nothing that was answered."""
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.rows.append(row)

    def end_line(self) -> None:
        """End a line that a kill cut short, so that the next one stands alone."""
        if not self.path.read_bytes().endswith(b"\n"):
            with open(self.path, "a") as file:
                file.write("\n")


def read_rows(path: Path) -> list[Row]:
    """The lines of a file that can be read; what a kill cut short is none."""
    rows: list[Row] = []
    for line in path.read_text("utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


@dataclass(frozen=True)
class Participant:
    """One person's answers."""

    number: int
    name: str
    answers: Sequence[Row]
    finished: bool
    attentive: bool
    """Missed no more catch trials than are allowed."""

    def of_kind(self, kind: str) -> list[Row]:
        return [row for row in self.answers if row["kind"] == kind]

    @property
    def fooled(self) -> int:
        """Scored trials in which the generated picture was taken for the real one."""
        return sum(not row["right"] for row in self.of_kind("scored"))

    @property
    def missed(self) -> int:
        """Catch trials answered wrong."""
        return sum(not row["right"] for row in self.of_kind("catch"))

    @property
    def said_first(self) -> int:
        """Scored trials answered with the first picture: half of them where nobody leans."""
        return sum(row["answer"] == "first" for row in self.of_kind("scored"))

    @property
    def state(self) -> str:
        if not self.finished:
            return "unfinished"
        return "finished" if self.attentive else "inattentive"


@dataclass(frozen=True)
class Tally:
    """What a study comes to."""

    about: Row
    participants: list[Participant]
    keep_inattentive: bool = False
    max_missed: float = MOST_MISSED
    counted: list[Participant] = field(init=False)
    """Those that the score is made of."""

    def __post_init__(self) -> None:
        counted = [
            p for p in self.participants if p.finished and (p.attentive or self.keep_inattentive)
        ]
        object.__setattr__(self, "counted", counted)

    @property
    def trials(self) -> int:
        return self.about["protocol"]["trials"]

    @property
    def fooled(self) -> int:
        return sum(p.fooled for p in self.counted)

    def result(self) -> Row:
        """`value`, `low` and `high` in percent, and the interval's name; None before anyone has
        finished."""
        if not self.counted:
            return {"value": None, "low": None, "high": None, "interval": None}
        (low, high), name = interval([p.fooled for p in self.counted], self.trials)
        share = self.fooled / (self.trials * len(self.counted))
        percent = {"value": share, "low": low, "high": high}
        return {key: round(100 * x, 2) for key, x in percent.items()} | {"interval": name}

    def metric(self) -> Row:
        """The line for metrics.jsonl, of the form that all have."""
        states = [p.state for p in self.participants]
        result, about = self.result(), self.about
        copied = ("study", "split", "weights", "weights_sha256", "snapshot", "versions")
        copied += ("truncation", "pairing")
        counting = {"max_missed": self.max_missed, "keep_inattentive": self.keep_inattentive}
        interval = result.pop("interval")
        return {
            "date": now(),
            "images": about["images"],
            "key": "fooled",
            "metric": "fooled",
            **result,
            "better": "higher",
            "error": None,
            "direction": about["direction"],
            "details": {
                "unit": "%",
                "interval": interval,
                "level": LEVEL,
                "participants": len(self.counted),
                "inattentive": states.count("inattentive"),
                "unfinished": states.count("unfinished"),
                "trials": self.trials * len(self.counted),
                "fooled": self.fooled,
            },
            "notes": [],
            "provenance": {key: about[key] for key in copied}
            | {"real": about["pictures"]["real"], "fake": about["pictures"]["generated"]}
            | {"preparation": "{}x{}".format(*about["size"])}
            | {"data": {"source": about["data"], "fingerprint": about["pictures_sha256"]}}
            | {"protocol": about["protocol"] | counting},
        }


def checked_share(max_missed: float) -> float:
    """Raises InputError where it is no share."""
    if not 0 <= max_missed <= 1:
        raise InputError(f"--max-missed {max_missed:g}: is a share, from 0 to 1")
    return max_missed


def tally(
    answers: Answers, max_missed: float = MOST_MISSED, keep_inattentive: bool = False
) -> Tally:
    """Participants who missed more than that share of their catch trials do not count, unless they
    are kept; those who have not finished never do."""
    names = {r["participant"]: r.get("name", "") for r in answers.rows if "trial" not in r}
    given: dict[int, dict[int, Row]] = {number: {} for number in names}
    for row in answers.rows:
        if "trial" in row:
            given.setdefault(row["participant"], {}).setdefault(row["trial"], row)
    protocol = answers.protocol
    allowed = allowed_misses(protocol.catch, max_missed)
    people = []
    for number, by_trial in sorted(given.items()):
        rows = [by_trial[trial] for trial in sorted(by_trial)]
        missed = sum(row["kind"] == "catch" and not row["right"] for row in rows)
        finished = len(rows) == protocol.length
        people.append(Participant(number, names.get(number, ""), rows, finished, missed <= allowed))
    return Tally(answers.about, people, keep_inattentive, max_missed)


def write_summary(
    run: Path, max_missed: float = MOST_MISSED, keep_inattentive: bool = False
) -> list[Tally]:
    """RUN/study/summary.json: every study's result so far."""
    tallies = [tally(answers, max_missed, keep_inattentive) for answers in Answers.all(run)]
    text = json.dumps([tally.metric() for tally in tallies], indent=1)
    write_whole(run / FOLDER / SUMMARY, text + "\n")
    return tallies


def summarise(run: Path, max_missed: float = MOST_MISSED, keep_inattentive: bool = False) -> str:
    """Write what a run's studies come to into it: the same as a table.

    Raises:
        InputError: it has none.
    """
    if not Answers.all(run):
        raise InputError(f"{run}: has no study yet; `ganvas study {run}` holds one")
    tallies = write_summary(run, max_missed, keep_inattentive)
    write_metrics(run, tallies)
    return "\n\n".join("\n".join(table(tally)) for tally in tallies)


def write_metrics(run: Path, tallies: Iterable[Tally]) -> None:
    """Append a line to RUN/metrics.jsonl for each study with a result that is not there yet."""
    path = run / METRICS
    rows = read_rows(path) if path.exists() else []
    for metric in (tally.metric() for tally in tallies):
        name = metric["provenance"]["study"]
        same = (r for r in reversed(rows) if mapping(r, "provenance").get("study") == name)
        last = next(same, {})
        if metric["value"] is not None and without_date(last) != without_date(metric):
            whole = not path.exists() or path.read_bytes()[-1:] in (b"", b"\n")
            with open(path, "a", encoding="utf-8") as file:
                file.write(("" if whole else "\n") + json.dumps(metric) + "\n")


def without_date(metric: Mapping[str, Any]) -> Row:
    return {key: value for key, value in metric.items() if key != "date"}


def table(tally: Tally) -> list[str]:
    """What to print of a study: a line a participant, and the result."""
    protocol, about = tally.about["protocol"], tally.about
    of = f" {about['direction']}" if about["direction"] else ""
    lines = [
        f"{about['study']}:{of} {about['method']}, snapshot {about['snapshot']} "
        f"({about['images']:,} images), weights {about['weights']}, {about['split']} pictures"
    ]
    if tally.participants:
        lines.append(f"  {'participant':<20} {'fooled':>9} {'said first':>11} {'missed':>7}  state")
    for p in tally.participants:
        scored, catch = len(p.of_kind("scored")), len(p.of_kind("catch"))
        fooled, first, missed = f"{p.fooled} / {scored}", f"{p.said_first} / {scored}", p.missed
        name = f"{p.number + 1} {p.name}".strip()[:20]
        lines.append(f"  {name:<20} {fooled:>9} {first:>11} {f'{missed} / {catch}':>7}  {p.state}")
    people, out = len(tally.counted), len(tally.participants) - len(tally.counted)
    left_out = f", {out} left out" if out else ""
    if not people:
        return [*lines, f"  nobody counts yet{left_out}: no result"]
    found = tally.result()
    who = f"{people} participant{'s' * (people > 1)} of {protocol['trials']} trials"
    return [
        *lines,
        f"  fooled: {found['value']:.1f} %, 95 % interval {found['low']:.1f} to "
        f"{found['high']:.1f} % ({who}{left_out})",
        f"  interval: {found['interval']}",
    ]
