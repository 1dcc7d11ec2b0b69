"""Previews by clock: one PNG of fixed pictures each time, which together make a film."""

import io
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from ganvas.clock import Clock
from ganvas.pictures import grid
from ganvas.runs.files import write_whole


def write_sample(folder: Path, clock: Clock, pictures: dict[str, Tensor]) -> Image.Image:
    """Write samples/CLOCK.png: a row for each fixed input, a column for each name.

    `pictures` are (N, C, H, W) in [-1, 1]. Text chunks of the PNG hold `columns`, `rows` and
    `clock` (images), so that others can take the grid apart.
    """
    rows = min(len(p) for p in pictures.values())
    cells = fitted([[p[row] for p in pictures.values()] for row in range(rows)])
    image = grid(cells)
    about = PngInfo()
    about.add_text("columns", " ".join(pictures))
    about.add_text("rows", str(rows))
    about.add_text("clock", str(clock.images))
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=about)
    folder.mkdir(exist_ok=True)
    write_whole(folder / f"{clock.label}.png", file.getvalue())
    return image


def fitted(cells: list[list[Tensor]]) -> list[list[Tensor]]:
    """All cells at the size of the smallest, cut from the upper left: domains may differ."""
    height = min(p.shape[1] for row in cells for p in row)
    width = min(p.shape[2] for row in cells for p in row)
    return [[p[:, :height, :width] for p in row] for row in cells]
