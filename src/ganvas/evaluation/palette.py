"""Palettes: which colours of a label map mean which classes, and label maps read back by them."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganvas.data.samples.streets import PALETTE as STREETS
from ganvas.errors import InputError, did_you_mean

Colour = tuple[int, int, int]
VOID = 255
"""The class of pixels that are not scored."""
MOST = 254
"""Classes that a palette may have, so that uint8 holds them and VOID."""
VOID_NAMES = ("void", "ignore", "unlabeled", "unlabelled")


@dataclass(frozen=True)
class Palette:
    """The colours (RGB) of classes, in order: a class is its place in them.

    Raises:
        InputError: fewer than 2 classes or more than 254, a colour twice, or none of 8 bits.
    """

    colours: tuple[Colour, ...]
    names: tuple[str, ...] = ()
    """One for each colour; left out, the colours as `#0000aa`."""
    void: tuple[Colour, ...] = ()
    """Colours of pixels that belong to no class that is scored."""
    origin: str = "given"
    """Where it is from, as provenance says it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", self.names or tuple(map(hex_of, self.colours)))
        every = (*self.colours, *self.void)
        if not 2 <= len(self.colours) <= MOST:
            raise InputError(f"palette: colours of classes: {len(self.colours)}; wants 2 to {MOST}")
        if len(self.names) != len(self.colours) or len(set(self.names)) != len(self.names):
            raise InputError("palette: wants a name of its own for each class")
        if bad := [c for c in every if len(c) != 3 or not all(0 <= v <= 255 for v in c)]:
            raise InputError(f"palette: {bad[0]} is no colour; wants red, green, blue, each 0-255")
        if twice := [c for i, c in enumerate(every) if c in every[:i]]:
            raise InputError(f"palette: the colour {','.join(map(str, twice[0]))} is there twice")

    def classes(self, values: np.ndarray) -> np.ndarray:
        """The class of each pixel of uint8 (H, W, 3), or (H, W, 1) as grey, by its nearest colour
        (Euclidean, RGB): uint8 (H, W), VOID where a void colour is nearest."""
        table = np.array((*self.colours, *self.void), np.float32)
        found = np.empty(values.shape[:2], np.uint8)
        for row, pixels in zip(found, values, strict=True):
            # |x - c|^2 less |x|^2: whole numbers below 2^24, which float32 holds exactly.
            x = np.broadcast_to(pixels, (len(pixels), 3)).astype(np.float32)
            row[:] = ((table**2).sum(1) - 2 * (x @ table.T)).argmin(1).clip(max=VOID)
        found[found >= len(self.colours)] = VOID
        return found

    def share_near(self, values: np.ndarray, within: int) -> float:
        """The part of all pixels (..., 3) that lie, in each channel, within so much of a colour."""
        pixels = np.broadcast_to(values, (*values.shape[:-1], 3)).reshape(-1, 3).astype(np.int16)
        near = np.zeros(len(pixels), bool)
        for colour in (*self.colours, *self.void):
            near |= np.abs(pixels - np.array(colour, np.int16)).max(1) <= within
        return float(near.mean())

    def paint(self, classes: np.ndarray) -> np.ndarray:
        """Classes (H, W) as a label map, uint8 (H, W, 3); VOID as the first void colour."""
        table = np.zeros((VOID + 1, 3), np.uint8)
        table[: len(self.colours)] = self.colours
        if self.void:
            table[VOID] = self.void[0]
        return table[classes]

    def reversed(self) -> "Palette":
        """With red and blue exchanged: what a palette is that was read in the wrong order."""
        swapped = [tuple((b, g, r) for r, g, b in colours) for colours in (self.colours, self.void)]
        return Palette(swapped[0], self.names, swapped[1], self.origin)

    def described(self) -> dict[str, Any]:
        """For provenance: plain lists and text."""
        return {k: list(map(_plain, v)) if k != "origin" else v for k, v in asdict(self).items()}


def _plain(value: str | Colour) -> str | list[int]:
    return value if isinstance(value, str) else list(value)


def hex_of(colour: Colour) -> str:
    return "#" + "".join(f"{value:02x}" for value in colour)


CMP_FACADES: dict[str, Colour] = {
    "background": (0, 0, 170), "facade": (0, 0, 255), "window": (0, 85, 255),
    "door": (0, 170, 255), "cornice": (0, 255, 255), "sill": (85, 255, 170),
    "balcony": (170, 255, 85), "blind": (255, 255, 0), "deco": (255, 170, 0),
    "molding": (255, 85, 0), "pillar": (255, 0, 0), "shop": (170, 0, 0),
}  # fmt: skip
CITYSCAPES: dict[str, Colour] = {
    "road": (128, 64, 128), "sidewalk": (244, 35, 232), "building": (70, 70, 70),
    "wall": (102, 102, 156), "fence": (190, 153, 153), "pole": (153, 153, 153),
    "traffic light": (250, 170, 30), "traffic sign": (220, 220, 0),
    "vegetation": (107, 142, 35), "terrain": (152, 251, 152), "sky": (70, 130, 180),
    "person": (220, 20, 60), "rider": (255, 0, 0), "car": (0, 0, 142), "truck": (0, 0, 70),
    "bus": (0, 60, 100), "train": (0, 80, 100), "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
}  # fmt: skip
CITYSCAPES_VOID: tuple[Colour, ...] = (
    (0, 0, 0), (111, 74, 0), (81, 0, 81), (250, 170, 160), (230, 150, 140), (180, 165, 180),
    (150, 100, 100), (150, 120, 90), (0, 0, 90), (0, 0, 110),
)  # fmt: skip
KNOWN: dict[str, Palette] = {
    "streets": Palette(tuple(STREETS.values()), tuple(STREETS), origin="streets"),
    "cmp-facades": Palette(tuple(CMP_FACADES.values()), tuple(CMP_FACADES), origin="cmp-facades"),
    "cityscapes": Palette(
        tuple(CITYSCAPES.values()), tuple(CITYSCAPES), CITYSCAPES_VOID, origin="cityscapes"
    ),
}


def read_palette(text: str) -> Palette:
    """A palette from what an option says: a known name, a file, or `0,0,170;0,0,255;...`.

    A file has lines `name r g b`, where `#` begins a comment, or JSON: `{"name": [r, g, b]}`, or a
    list of `[r, g, b]`. Names such as void, as often as wanted, are of colours that are not scored.

    Raises:
        InputError: it is none of these.
    """
    if text in KNOWN:
        return KNOWN[text]
    path = Path(text).expanduser()
    if not path.is_file():
        if re.fullmatch(r"[\d,;\s]+", text):
            rows = [part.replace(",", " ").split() for part in text.split(";") if part.strip()]
            return palette_of([("", row) for row in rows], f"--palette {text}")
        names = ", ".join(KNOWN)
        raise InputError(
            f"--palette {text}: is neither a file, nor a list such as 0,0,170;0,0,255, nor one of "
            f"{names}{did_you_mean(text, list(KNOWN))}"
        )
    try:
        content = path.read_text()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"--palette {text}: cannot be read as text") from None
    where = f"--palette {text}"
    if content.lstrip().startswith(("{", "[")):
        return palette_of(rows_of_json(content, where), where)
    rows = []
    for number, line in enumerate(content.splitlines(), 1):
        if words := re.sub(r"(^|\s)#.*", "", line).split():
            if len(words) < 3:
                raise InputError(f"{where}, line {number}: wants `name r g b`")
            rows.append((" ".join(words[:-3]), words[-3:]))
    return palette_of(rows, where)


def rows_of_json(content: str, where: str) -> list[tuple[str, Any]]:
    """(name, colour) of each entry; a name may have several colours."""
    try:
        found = json.loads(content)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: is not JSON ({error})") from None
    if isinstance(found, list):
        return [("", colour) for colour in found]
    rows = []
    for name, value in found.items():
        several = isinstance(value, list) and all(isinstance(v, list) for v in value)
        rows += [(name, colour) for colour in (value if several else [value])]
    return rows


def palette_of(rows: Sequence[tuple[str, Any]], where: str) -> Palette:
    """A palette of names, which may be empty, and colours; `where` they stand is for errors."""
    named: list[tuple[str, Colour]] = []
    void: list[Colour] = []
    for name, numbers in rows:
        try:
            red, green, blue = (int(number) for number in numbers)
        except (TypeError, ValueError):
            told = " ".join(map(str, numbers)) if isinstance(numbers, list) else numbers
            raise InputError(
                f"{where}: '{name or told}' wants a colour of three whole numbers, red, green and "
                "blue, each 0-255"
            ) from None
        colour = (red, green, blue)
        if name.lower() in VOID_NAMES:
            void.append(colour)
        else:
            named.append((name or hex_of(colour), colour))
    names, colours = (tuple(column) for column in zip(*named, strict=True)) if named else ((), ())
    try:
        return Palette(colours, names, tuple(void), origin="given")
    except InputError as error:
        raise InputError(f"{where}: {str(error).removeprefix('palette: ')}") from None
