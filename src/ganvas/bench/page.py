"""A bench as one page: its tables, and the same inputs through every row."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ganvas.bench.folder import Folder
from ganvas.bench.jobs import Job, Say
from ganvas.bench.markdown import ARROWS, about, bound_shown, heading, notes, nothing
from ganvas.bench.results import Found, Scores
from ganvas.config import option_name
from ganvas.evaluation.compare import Side
from ganvas.inference.side_by_side import Shown, Wanted, side_by_side
from ganvas.runs.comparison_page import shown
from ganvas.runs.directory import Run
from ganvas.runs.files import write_whole
from ganvas.runs.page import rendered
from ganvas.runs.report_pictures import Row

PAGE = "bench.html"


def write_page(
    folder: Folder,
    jobs: Sequence[Job],
    scores: Scores,
    found: Sequence[Found],
    failed: Mapping[str, str],
    pictures: int,
    device: str,
    say: Say,
) -> None:
    """BENCH/bench.html, which needs no network and no other file."""
    plan = scores.plan
    finished = [job for job in jobs if job.name in scores.series]
    sheets: list[Row] = []
    notes_on_pictures: list[str] = []
    if pictures and finished:
        say("putting the same inputs through every row")
    for data in plan.data if pictures else ():
        mine = [job for job in finished if job.data == data and job.seed == plan.seeds[0]]
        paired = any(job.judged.get("paired") for job in mine)
        made = pictures_of(folder, mine, pictures, device, paired)
        where = f", {data}" if len(plan.data) > 1 else ""
        sheets += [
            sheet._asdict()
            | {"title": sheet.title + where, "columns": [c._asdict() for c in sheet.columns]}
            for sheet in made.sheets
        ]
        notes_on_pictures += made.notes
    contents = {
        "title": plan.title,
        "many": len(plan.seeds) > 1,
        "about": about(scores),
        "trained": len(finished),
        "wanted": len(jobs),
        "failed": dict(failed),
        "tables": [told(scores, each) for each in found],
        "sheets": [shown(sheet, len(sheets)) for sheet in sheets],
        "notes_on_pictures": notes_on_pictures,
        "runs": [run_told(folder, job) for job in finished],
        "folder": str(folder.path),
        "written": datetime.now().astimezone().isoformat(" ", "seconds"),
    }
    write_whole(folder.path / PAGE, rendered("bench.html.jinja", contents))


def pictures_of(
    folder: Folder, jobs: Sequence[Job], count: int, device: str, paired: bool
) -> Shown:
    snapshots = [(job.row, Run(folder.run(job)).snapshot()) for job in jobs]
    present = [(name, snapshot) for name, snapshot in snapshots if snapshot is not None]
    return side_by_side(present, Wanted(most=count, device=device, paired=paired))


def told(scores: Scores, found: Found) -> dict[str, Any]:
    published = found.table.published
    ahead = [best_of(found, i) for i in range(len(found.table.metrics))]
    lines: list[dict[str, Any]] = []
    for row, cells in found.cells.items():
        texts = published.values.get(row, ["–"] * len(cells)) if published else []
        mark = " †" if published and row in published.unconfirmed else ""
        lines.append(
            {
                "name": row,
                "cells": [
                    {"text": cell.shown(), "ahead": row == best}
                    for cell, best in zip(cells, ahead, strict=True)
                ],
                "published": [text + mark for text in texts],
            }
        )
    for title, values in found.bounds.items():
        cells = [{"text": bound_shown(value), "ahead": False} for value in values]
        lines.append({"name": title, "cells": cells, "published": [""] * len(cells), "bound": True})
    return {
        "heading": heading(scores.plan, found),
        "empty": nothing(found) if found.empty else "",
        "heads": [n + ARROWS[b] for n, b in zip(found.names, found.better, strict=True)],
        "metrics": found.table.metrics,
        "published": published is not None,
        "lines": lines,
        "notes": list(notes(found)),
    }


def best_of(found: Found, column: int) -> str | None:
    """The row with the best mean of that column, where one is better than all others."""
    sign = {"lower": -1, "higher": 1}.get(found.better[column])
    means = {
        row: sign * mean
        for row, cells in found.cells.items()
        if sign and cells[column].comparable and (mean := cells[column].mean) is not None
    }
    best = [row for row, mean in means.items() if mean == max(means.values())]
    return best[0] if len(best) == 1 and len(means) > 1 else None


def run_told(folder: Folder, job: Job) -> dict[str, Any]:
    side = Side.open(folder.run(job)).told()
    given = ", ".join(f"{option_name(name)} {value}" for name, value in job.given.items())
    return {
        "name": job.name,
        "method": job.method,
        "given": given,
        "parameters": side["parameters"],
        "images": side["images"],
        "seconds": side["seconds"],
    }
