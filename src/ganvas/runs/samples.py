"""Previews by clock: one PNG of fixed pictures each time, which together make a film."""

import io
import math
from pathlib import Path

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from ganvas.clock import Clock
from ganvas.pictures import grid, to_unit
from ganvas.runs.files import write_whole


def write_sample(folder: Path, clock: Clock, pictures: dict[str, Tensor]) -> Image.Image:
    """Write samples/CLOCK.png: a row for each fixed input and a column for each name; of a
    single name a square of pictures.

    `pictures` are (N, C, H, W) in [-1, 1]. Text chunks of the PNG hold `columns` (the names),
    `rows`, `across` (cells in a row) and `clock` (images), so that others can take it apart.
    """
    folder.mkdir(exist_ok=True)
    return write_grid(folder / f"{clock.label}.png", pictures, clock=str(clock.images))


def write_reals(folder: Path, pictures: dict[str, Tensor]) -> None:
    """Write reals.png, pictures of the data to lay beside generated ones: uint8 (N, C, H, W)."""
    (real,) = pictures.values()
    write_grid(folder / "reals.png", {"real": to_unit(real)})


def write_grid(path: Path, pictures: dict[str, Tensor], **about: str) -> Image.Image:
    rows = min(len(p) for p in pictures.values())
    cells = fitted([[p[row] for p in pictures.values()] for row in range(rows)])
    if len(pictures) == 1:
        cells = square([cell for row in cells for cell in row])
    image = grid(cells)
    chunks = PngInfo()
    sizes = {"rows": str(len(cells)), "across": str(len(cells[0]))}
    for key, text in ({"columns": " ".join(pictures)} | sizes | about).items():
        chunks.add_text(key, text)
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=chunks)
    write_whole(path, file.getvalue())
    return image


def square(cells: list[Tensor]) -> list[list[Tensor]]:
    """Cells in as many rows as columns, or one row less; white where cells are missing."""
    across = math.ceil(math.sqrt(len(cells)))
    cells = cells + [torch.ones_like(cells[0])] * (-len(cells) % across)
    return [cells[at : at + across] for at in range(0, len(cells), across)]


def fitted(cells: list[list[Tensor]]) -> list[list[Tensor]]:
    """All cells at the size of the smallest, cut from the upper left: domains may differ."""
    height = min(p.shape[1] for row in cells for p in row)
    width = min(p.shape[2] for row in cells for p in row)
    return [[p[:, :height, :width] for p in row] for row in cells]
