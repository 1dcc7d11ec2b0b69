"""Figures of a bench: for every row what it makes of the same pictures, and all rows side by side.

python benchmarks/bench_figures.py bench/cyclegan-paper-sample-streets docs/images/streets
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ganvas.bench.plan import slug
from ganvas.inference.side_by_side import Column, Sheet, Wanted, side_by_side
from ganvas.runs.directory import Run

GAP, HEAD = 2, 14
SHORT = {"Feature loss": "Feature", " cycle": "", "/ALI": ""}


def sheets_of(bench: Path, count: int, paired: bool) -> list[Sheet]:
    """A sheet for each direction, of the runs of the first seed."""
    told = json.loads((bench / "bench.json").read_text())
    rows = {slug(row): row for table in told["tables"] for row in table["rows"]}
    runs = []
    for name in told["trainings"]:
        row = rows.get(name.removesuffix("-seed0").removesuffix("-atob").removesuffix("-btoa"))
        snapshot = Run(bench / "runs" / name).snapshot()
        if name.endswith("-seed0") and row and snapshot:
            runs.append((row, snapshot))
    return side_by_side(runs, Wanted(most=count, device="cpu", paired=paired)).sheets


def strip(columns: Sequence[Column], scale: int) -> Image.Image:
    """Pictures of a column as a row, one column below another."""
    across, (width, height) = len(columns[0].pictures), columns[0].pictures[0].size
    w, h = width * scale, height * scale
    whole = Image.new("RGB", (across * (w + GAP) - GAP, len(columns) * (h + GAP) - GAP), "white")
    for i, column in enumerate(columns):
        for j, picture in enumerate(column.pictures):
            large = picture.convert("RGB").resize((w, h), Image.Resampling.NEAREST)
            whole.paste(large, (j * (w + GAP), i * (h + GAP)))
    return whole


def beside(sheet: Sheet, count: int) -> Image.Image:
    """The first pictures of all columns, named above."""
    columns = [column._replace(pictures=column.pictures[:count]) for column in sheet.columns]
    width, height = columns[0].pictures[0].size
    whole = Image.new(
        "RGB",
        (len(columns) * (width + GAP) - GAP, HEAD + count * (height + GAP) - GAP),
        "white",
    )
    pen, font = ImageDraw.Draw(whole), ImageFont.load_default(9)
    for i, column in enumerate(columns):
        name = column.title
        for long, short in SHORT.items():
            name = name.replace(long, short)
        pen.text((i * (width + GAP), 1), name, "black", font)
        for j, picture in enumerate(column.pictures):
            place = (i * (width + GAP), HEAD + j * (height + GAP))
            whole.paste(picture.convert("RGB"), place)
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bench", type=Path)
    parser.add_argument("out", type=Path, help="the beginning of the files' names")
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--paired", action="store_true", help="equal names belong together")
    given = parser.parse_args()
    sheets = sheets_of(given.bench, given.count, given.paired)
    rows = list(dict.fromkeys(c.title for sheet in sheets for c in sheet.columns))
    for row in rows:
        columns = []
        for sheet in sheets:
            found = [column for column in sheet.columns if column.title == row]
            if found and not row.startswith("Real "):
                columns += [sheet.columns[0], found[0]]
        if columns:
            strip(columns, given.scale).save(f"{given.out}-{slug(row)}.jpg", quality=92)
    for sheet in sheets:
        way = sheet.title.replace(" → ", "to")
        beside(sheet, min(given.count, 3)).save(f"{given.out}-{way}.jpg", quality=92)


if __name__ == "__main__":
    main()
