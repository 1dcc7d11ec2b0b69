"""The page that shows runs side by side: it needs no network, no other file and no ganvas."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from PIL import Image

from ganvas.runs.page import rendered
from ganvas.runs.reading import Row
from ganvas.runs.report_pictures import CELLS, that_fit

SMALL = 64
"""Pictures of no more pixels a side are enlarged with square pixels."""


def write_comparison(
    place: Path,
    comparison: Row,
    curves: Row,
    tones: Mapping[str, int],
    sheets: Sequence[Row] = (),
    notes: Sequence[str] = (),
) -> Path:
    """Write the page and return where it is.

    `comparison` is what `Comparison.told` gives, `curves` its charts,
    `tones` the colour of each run in them. A sheet has a `title`,
    `about`, names of `rows`, and `columns` of `title`, `about` and `pictures` (PIL); `notes` say
    what is not shown of pictures.
    """
    contents = comparison | {
        "curves": curves,
        "tones": tones,
        "longest_log": max(len(curve["images"]) for curve in comparison["curves"].values()),
        "sheets": [shown(sheet, len(sheets)) for sheet in sheets],
        "notes_on_pictures": notes,
        "written": datetime.now().astimezone().isoformat(" ", "seconds"),
    }
    beside = place.with_name(f"{place.name}.tmp")
    beside.write_text(rendered("compare.html.jinja", contents), "utf-8", errors="replace")
    return beside.replace(place)


def shown(sheet: Row, sheets: int) -> Row:
    """A sheet whose pictures are data URIs."""
    pictures: list[Image.Image] = [p for column in sheet["columns"] for p in column["pictures"]]
    budget, rungs = CELLS
    sources = iter(that_fit(2 * budget // sheets, rungs, pictures))
    columns = [
        {**column, "cells": [next(sources) for _ in column["pictures"]]}
        for column in sheet["columns"]
    ]
    width = max((picture.width for picture in pictures), default=1)
    return {**sheet, "columns": columns, "width": width, "pixels": width <= SMALL}
