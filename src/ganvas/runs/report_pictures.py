"""What the report shows of previews: the newest one cut into its pictures, and the film."""

import base64
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

Row = dict[str, Any]
Rungs = Sequence[tuple[int, int]]
Pictures = Sequence[Path] | Sequence[Image.Image]

FRAMES = 60
PREVIEW_ROWS = 8
SHEET_CELLS = 64
# In bytes of the page, so that with the rest it stays below 15 MB; then the largest width and
# JPEG quality to try, in this order, until the pictures fit.
FILM = 9_500_000, ((1600, 88), (1280, 88), (960, 85), (640, 82), (320, 70))
CELLS = 3_500_000, ((512, 92), (384, 90), (256, 88), (128, 85), (96, 70))
LOSSLESS_BYTES = 64_000
# In CSS pixels: what is inside one of two cards side by side, and between pictures in it.
CARD, GAP = 546, 3
LARGEST_CELL = 256


class Preview(NamedTuple):
    """One preview grid; `columns` is empty where the file does not say what it shows."""

    image: Image.Image
    columns: list[str]
    rows: int
    across: int

    @property
    def is_sheet(self) -> bool:
        """Whether all its cells are of one kind, without inputs beside them."""
        return len(self.columns) == 1

    def cells(self, rows: int) -> list[Image.Image]:
        """The pictures of the first rows, row by row."""
        width, height = self.image.width // self.across, self.image.height // self.rows
        corners = [(x * width, y * height) for y in range(rows) for x in range(self.across)]
        return [self.image.crop((x, y, x + width, y + height)) for x, y in corners]


def show_pictures(run: Path, missing: list[str]) -> Row:
    """All that the page needs to show; what is not there is added to `missing`.

    `directions` are rows of inputs and what was made of them, `sheets` pictures made from noise
    and real ones: of a run there is one or the other.
    """
    newest, film = _newest_and_film(sorted((run / "samples").glob("*.png")), missing)
    sheets = _sheets(run / "reals.png", newest, missing) if newest and newest.is_sheet else []
    directions = _directions(newest) if newest and newest.columns and not sheets else []
    return {"newest": newest, "film": film, "directions": directions, "sheets": sheets}


def _images_shown(path: Path) -> int | None:
    kimg = re.match(r"(\d+(?:\.\d+)?)kimg", path.name)
    return round(float(kimg[1]) * 1000) if kimg else None


def _open(path: Path) -> Preview | None:
    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
            columns, said = str(file.info.get("columns", "")).split(), file.info
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    numbers = (
        str(said.get(key, default)) for key, default in (("rows", ""), ("across", len(columns)))
    )
    rows, across = (int(number) if number.isdecimal() else 0 for number in numbers)
    fits = rows and across and not image.width % across and not image.height % rows
    if not columns or not fits or len(columns) not in (1, across):
        columns, rows, across = [], 1, 1
    return Preview(image, columns, rows, across)


def _newest_and_film(paths: list[Path], missing: list[str]) -> tuple[Preview | None, list[Row]]:
    """The newest preview, and the film: previews picked evenly, the first and last included."""
    if len(paths) > FRAMES:
        paths = [paths[round(i * (len(paths) - 1) / (FRAMES - 1))] for i in range(FRAMES)]
    sources = dict(zip(paths, that_fit(*FILM, paths), strict=True))
    film = [{"images": _images_shown(path), "src": src} for path, src in sources.items() if src]
    if not film:
        missing.append("There are no previews yet, so there are no pictures and no film.")
    if bad := [path.name for path, src in sources.items() if not src]:
        missing.append(f"Previews that cannot be read, left out here: {', '.join(bad)}.")
    return next(filter(None, map(_open, reversed(paths))), None), film


def _directions(preview: Preview) -> list[Row]:
    """The cells of a preview by direction: real pictures and what was made from them."""
    columns, count = preview.columns, len(preview.columns)
    made = [not name.startswith("real") for name in columns]
    starts = [0]
    for i in range(1, count):
        if not made[i] and any(made[starts[-1] : i]) and any(made[i:]):
            starts.append(i)
    shown = min(preview.rows, PREVIEW_ROWS)
    sources = that_fit(*CELLS, preview.cells(shown))
    directions: list[Row] = []
    for start, end in zip(starts, [*starts[1:], count], strict=True):
        rows = [sources[y * count + start : y * count + end] for y in range(shown)]
        directions.append({"columns": columns[start:end], "start": start, "rows": rows})
    return directions


def _sheets(path: Path, newest: Preview, missing: list[str]) -> list[Row]:
    """Real pictures, where they are there, and the newest generated ones."""
    reals = _open(path)
    if reals is None or not reals.is_sheet:
        missing.append(f"{path.name} is missing or cannot be read: no real pictures beside these.")
        reals = None
    sheets = [sheet for sheet in (reals, newest) if sheet]
    cells = [_filled(sheet) for sheet in sheets]
    sources = iter(that_fit(*CELLS, [cell for few in cells for cell in few[:SHEET_CELLS]]))
    return [
        {
            "name": sheet.columns[0],
            "all": len(few),
            "cells": [next(sources) for _ in few[:SHEET_CELLS]],
            "size": few[0].size,
        }
        | _layout(sheet, few)
        for sheet, few in zip(sheets, cells, strict=True)
    ]


def _layout(sheet: Preview, cells: list[Image.Image]) -> Row:
    """Cells in a row of the page and the width of one: small pictures at whole multiples of
    theirs, so that each of their pixels stays a square."""
    across = min(sheet.across, 8) if len(cells) > SHEET_CELLS else sheet.across
    width, room = cells[0].width, (CARD + GAP) // across - GAP
    room = min(room, LARGEST_CELL)
    return {"across": across, "cell": max(room, 1) if width > room else room // width * width}


def _filled(sheet: Preview) -> list[Image.Image]:
    """The pictures of a sheet, without the white that fills its last row."""
    cells = sheet.cells(sheet.rows)
    least = (sheet.rows - 1) * sheet.across + 1
    while len(cells) > least and cells[-1].getextrema() == ((255, 255),) * 3:
        cells.pop()
    return cells


def that_fit(budget: int, rungs: Rungs, pictures: Pictures) -> list[str]:
    """The pictures as data URIs, at the first rung at which a few of them promise to fit."""
    few = pictures[:: len(pictures) // 6 + 1]
    # Base64 makes four bytes of three.
    lossless = min(LOSSLESS_BYTES, budget * 3 // 4 // max(len(pictures), 1))
    for width, quality in rungs:
        size = sum(len(_data_uri(picture, width, quality, lossless)) for picture in few)
        if size * len(pictures) <= budget * len(few):
            return [_data_uri(picture, width, quality, lossless) for picture in pictures]
    return [_data_uri(picture, *rungs[-1], lossless) for picture in pictures]


def _data_uri(picture: Path | Image.Image, width: int, quality: int, lossless: int) -> str:
    """A PNG where that takes no more bytes than `lossless`, else a JPEG; empty where there is a
    file that cannot be read."""
    image = picture if isinstance(picture, Image.Image) else getattr(_open(picture), "image", None)
    if image is None:
        return ""
    if image.width > width or image.height > 2 * width:
        image = image.copy()
        image.thumbnail((width, 2 * width), Image.Resampling.LANCZOS, reducing_gap=2)
    file, kind = io.BytesIO(), "png"
    if image.width * image.height <= 512 * 512:
        image.save(file, "PNG")
    if not 0 < file.tell() <= lossless:
        file, kind = io.BytesIO(), "jpeg"
        image.save(file, "JPEG", quality=quality, subsampling=0)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
