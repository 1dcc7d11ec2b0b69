"""The report of a run: one page that needs no network, no other file and no ganvas."""

import json
import math
import re
import statistics
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from ganvas.runs.curves import curves_of
from ganvas.runs.evaluations import Evaluation, Series, read_series
from ganvas.runs.page import rendered
from ganvas.runs.reading import Row, mapping, number, numbers, read_config, read_log
from ganvas.runs.report_pictures import show_pictures

CLASSES_NAMED = 6
COUNTED = {"real": "real", "fake": "generated"}
ARROWS = {"lower": "↓", "higher": "↑"}
USUAL = "kd"
"""By what snapshots/best is kept, where it is measured and no other metric is named."""


def write_report(run: Path) -> Path:
    """Write `RUN/report.html` from whatever the run holds so far and return its path.

    What is missing or cut off (settings, log, previews, snapshots) is said on the page.
    Raises NotADirectoryError where `run` is no folder.
    """
    run = Path(run)
    if not run.is_dir():
        raise NotADirectoryError(f"{run} is no run directory")
    page = rendered("report.html.jinja", _contents(run))
    beside = run / "report.html.tmp"
    beside.write_text(page, encoding="utf-8", errors="replace")
    return beside.replace(run / "report.html")


def _contents(run: Path) -> Row:
    missing: list[str] = []
    log = read_log(run / "log.jsonl", missing)
    config = read_config(run / "config.yaml", missing)
    pictures = show_pictures(run, missing)
    snapshots = sorted(path.name for path in (run / "snapshots").glob("[!.]*/"))
    if not snapshots:
        missing.append("No snapshot yet, so there is nothing to resume or to use.")
    series = read_series(run / "metrics.jsonl", missing)
    last = log[-1] if log else None
    return pictures | {
        "run_name": run.resolve().name,
        "config": config,
        "trained_on": _trained_on(config),
        "missing": missing,
        "log_lines": len(log),
        "now": {key: number(last, key) for key in ("images", "iterations", "epoch")},
        "seconds": number(last, "time", "seconds"),
        "speed": _speed(log),
        "skipped": _skipped(log),
        "skipped_at": _skipped_at(log),
        "not_finite": _not_finite(log),
        "diagnosis": _diagnosis(log),
        "curves": curves_of(log, series),
        "metrics": [_told(each) for each in series],
        "best": _best(run, config, series),
        "snapshots": snapshots,
        "written": datetime.now().astimezone().isoformat(" ", "seconds"),
    }


def _told(series: Series) -> Row:
    """A line of the metrics, as the page has it."""
    return {
        "metric": series.metric,
        "direction": series.direction,
        "better": series.better,
        "arrow": ARROWS.get(series.better, ""),
        "count": len(series.evaluations),
        "last": _with_origin(series.last),
        "best": _with_origin(series.best) if series.best else None,
        "of": list(_of_what(series)),
    }


def _with_origin(evaluation: Evaluation) -> Row:
    origin = {"date": evaluation.date} if evaluation.date else {}
    return {
        "shown": evaluation.shown(),
        "images": evaluation.images,
        "notes": evaluation.notes,
        "origin": origin | (evaluation.provenance or {}) | (evaluation.details or {}),
    }


def _of_what(series: Series) -> Iterator[str]:
    """In short, what its values are of."""
    of = dict(series.essentials)
    counts = [f"{of[key]} {word}" for key, word in COUNTED.items() if of[key] not in ("", "0")]
    if counts:
        yield " and ".join(counts) + " pictures"
    if of["split"]:
        yield f"split {of['split']}"
    if series.weights:
        yield f"weights {series.weights}"
    if of["truncation"] not in ("", "1"):
        yield f"truncation {of['truncation']}"


def _best(run: Path, config: Row, series: Sequence[Series]) -> Row | None:
    """Of snapshots/best, where there is one, the values that it was kept for, of each direction;
    None where they are not known."""
    try:
        model = json.loads((run / "snapshots" / "best" / "model.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    images = number(model, "clock", "images")
    there = [(s, e) for s in series if images is not None and (e := s.points.get(images))]
    # A training keeps it by its own evaluations; later ones may have looked at more pictures.
    own = [(s, e) for s, e in there if (e.provenance or {}).get("when") == "training"] or there
    keys = [s.key for s, _ in own]
    by = config["settings"].get("best_by") or (USUAL if USUAL in keys else keys[0] if keys else "")
    values = [(s, e) for s, e in own if by in (s.key, s.metric)]
    if not values:
        return None
    shown = ", ".join(f"{s.direction} {e.shown()}".strip() for s, e in values)
    return {"metric": values[0][0].metric, "images": images, "shown": shown}


def _trained_on(config: Row) -> str:
    """How many pictures of what, in words; empty where the record does not say."""
    settings, provenance = config["settings"], config["provenance"]
    counts = {str(part): n for part, n in mapping(provenance, "pictures").items()}
    counts = {part: n for part, n in counts.items() if isinstance(n, int)}
    splits = [re.fullmatch(r"(train|val|test)([A-Z]?)", part) for part in counts]
    if all(splits):
        domains = {part[5:]: n for part, n in counts.items() if part.startswith("train")}
    else:  # folders of one domain: classes, or all pictures together
        domains = {"": sum(counts.values())}
    most = settings.get("max_pictures")
    most = most if isinstance(most, int) else math.inf
    amounts = {domain: f"{min(n, most):,} pictures" for domain, n in domains.items() if n}
    words = " and ".join(n + (f" of {domain}" if domain else "") for domain, n in amounts.items())
    classes = provenance.get("classes")
    if not words or not isinstance(classes, list) or not classes:
        return words
    named = ", ".join(map(str, classes[:CLASSES_NAMED]))
    named += " …" if len(classes) > CLASSES_NAMED else ""
    return f"{words} of {len(classes):,} class{'es' if len(classes) > 1 else ''} ({named})"


def _speed(log: Sequence[Row]) -> Row:
    """Of each timing the median, the least, the greatest and the last value."""
    keys = ("pictures_per_second", "data_share", "step_seconds")
    values = {key: numbers(log, "time", key) for key in keys}
    return {k: (statistics.median(v), min(v), max(v), v[-1]) for k, v in values.items() if v}


def _skipped(log: Sequence[Row]) -> float:
    """Steps skipped in all: the log counts them up, also over resumes."""
    return max([0, *numbers(log, "skipped")])


def _skipped_at(log: Sequence[Row]) -> list[tuple[str, int]]:
    """Each player that has skipped a step, and the last one that it skipped; the latest first."""
    last = mapping(log[-1], "skipped_at") if log else {}
    found = {player: step for player in last if (step := number(last, player)) is not None}
    return sorted(((p, int(step)) for p, step in found.items()), key=lambda item: -item[1])


def _not_finite(log: Sequence[Row]) -> dict[str, int]:
    """Per loss, in how many lines of the log it was not finite."""
    losses = [mapping(row, "losses") for row in log]
    bad = [name for row in losses for name in row if number(row, name) is None]
    return {name: bad.count(name) for name in sorted(set(bad))}


def _diagnosis(log: Sequence[Row]) -> list[Row]:
    """Every remark once, with its latest figures, the latest first; `current` where the last line
    still has it."""
    remarks: dict[str, Row] = {}
    for row in log:
        sentences = row.get("diagnosis")
        for text in map(str, sentences if isinstance(sentences, list) else []):
            without_figures = re.sub(r"\d[\d.,]*", "#", text)
            remark = remarks.setdefault(without_figures, {"first": row["images"]})
            remark |= {"text": text, "last": row["images"], "current": row is log[-1]}
    return sorted(remarks.values(), key=lambda remark: -remark["last"])
