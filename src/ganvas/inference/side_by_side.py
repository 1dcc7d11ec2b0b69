"""The same inputs through several runs: pictures to look at."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganvas.colour import lab_to_rgb
from ganvas.data.decode import decode_entry
from ganvas.data.held_out import Reader, Split, open_splits
from ganvas.data.sources import FileEntry
from ganvas.errors import InputError
from ganvas.inference.generate import as_image
from ganvas.inference.load import load
from ganvas.inference.translate import tile_for, translate_picture
from ganvas.methods.base import Direction
from ganvas.methods.generator import Generator
from ganvas.methods.translator import Translator
from ganvas.networks.untrained import kept_kernels
from ganvas.pictures import Picture, as_rgb_shares, from_shares, to_unit


class Column(NamedTuple):
    title: str
    about: str
    pictures: list[Image.Image]


class Sheet(NamedTuple):
    """Rows of inputs, and of each run a column of what it makes of them."""

    title: str
    about: str
    rows: list[str]
    columns: list[Column]


class Shown(NamedTuple):
    """All sheets, and why some pictures are not there."""

    sheets: list[Sheet]
    notes: list[str]


class Wanted(NamedTuple):
    """Which pictures."""

    seeds: Sequence[int] = range(8)
    files: Sequence[Path] = ()
    """To translate, whole; without any, pictures of the first run's data."""
    direction: Direction | None = None
    """Left out: all that are learnt; of `files` the first of them."""
    most: int = 6
    """Pictures of the data to translate."""
    device: str = "auto"
    paired: bool = False
    """Unpaired pictures of equal names belong together."""


def side_by_side(runs: Iterable[tuple[str, Path]], wanted: Wanted) -> Shown:
    """Put the same inputs through each run, which is a name and a snapshot's folder.

    What a run cannot do is left out, and said in `notes`."""
    made: list[Column] = []
    inputs: Inputs | None = None
    answers: dict[Direction, list[Column]] = {}
    ends: dict[Direction, tuple[str, str]] = {}
    notes: list[str] = []
    latents: dict[str, int] = {}
    files = wanted.files
    for name, folder in runs:
        try:
            method = load(folder, wanted.device)
            if isinstance(method, Generator):
                made.append(Column(name, about_classes(method), generated(method, wanted.seeds)))
                latents[name] = method.nz
                continue
            assert isinstance(method, Translator)
            if inputs is None:
                inputs = FromFiles(files) if files else FromData(name, method, wanted)
            for way in directions_of(method, wanted.direction):
                column = Column(name, "", inputs.through(method, way))
                answers.setdefault(way, []).append(column)
                ends.setdefault(way, method.ends(way))
        except InputError as error:
            notes.append(f"{name}: not in these pictures: {error}")
    if files and wanted.direction is None:
        answers = dict(list(answers.items())[:1])
    if len(set(latents.values())) > 1:
        sizes = ", ".join(f"{name} {nz}" for name, nz in latents.items())
        notes.append(f"equal seeds are equal latents only where these are equally long ({sizes})")
    sheets = [
        sheet_of(inputs, way, ends[way], columns) for way, columns in answers.items() if inputs
    ]
    if made:
        rows = [f"seed {seed}" for seed in wanted.seeds]
        sheets.insert(0, Sheet("Equal seeds", "what each run makes of the same noise", rows, made))
    return Shown(sheets, notes)


def sheet_of(
    inputs: "Inputs", way: Direction, ends: tuple[str, str], columns: list[Column]
) -> Sheet:
    X, Y = ends
    real = [Column(f"Real {X}", "the input", inputs.real(X))]
    if inputs.paired:
        columns = [*columns, Column(f"Real {Y}", "the true answer", inputs.real(Y))]
    title = f"{X} → {way if X == Y else Y}"
    return Sheet(title, inputs.about, inputs.names(X), real + columns)


def directions_of(method: Translator, wanted: Direction | None) -> list[Direction]:
    """Those that it has learnt.

    Raises:
        InputError: the one that is wanted is none of them.
    """
    if wanted is not None:
        method.translator(method.way(wanted))
        return [wanted]
    return list(method.directions)


def generated(method: Generator, seeds: Sequence[int]) -> list[Image.Image]:
    return [as_image(x) for x in method.generate_tensor(seeds).cpu()]


def about_classes(method: Generator) -> str:
    return f"{len(method.classes)} classes in turn" if method.conditional else ""


class Inputs:
    """Pictures that several translators are given."""

    about: str
    paired = False

    def names(self, domain: str) -> list[str]:
        raise NotImplementedError  # pragma: no cover

    def real(self, domain: str) -> list[Image.Image]:
        """The inputs themselves."""
        raise NotImplementedError  # pragma: no cover

    def through(self, method: Translator, way: Direction) -> list[Image.Image]:
        """What it makes of them.

        Raises:
            InputError: they do not fit.
        """
        raise NotImplementedError  # pragma: no cover


class FromData(Inputs):
    """The first pictures of a run's held-out part, which each run sees at its own size."""

    def __init__(self, name: str, method: Translator, wanted: Wanted) -> None:
        splits = open_splits(method.config, method.data, wanted.paired)
        self.split: Split = splits.get().first(wanted.most)
        self.paired, self.first = self.split.paired, method
        kept = {
            "train": "that it was trained on",
            "val": "of its validation part",
            "held-out": "that it was not trained on; another run may have been",
        }.get(self.split.name, "of its test part")
        self.about = f"pictures of {name}'s data, {kept}; each run sees them at its own size"
        self.seen = {d: self.read(method, d) for d in method.domains}

    def read(self, method: Translator, domain: str) -> list[Tensor]:
        """float32 (C, H, W) in [-1, 1], prepared as that run prepares them."""
        reader = Reader(method.config, method.scales)
        return [to_unit(reader.read(domain, entry)) for entry in self.split.entries[domain]]

    def names(self, domain: str) -> list[str]:
        return [entry.name for entry in self.split.entries[domain]]

    def real(self, domain: str) -> list[Image.Image]:
        seen = self.seen[domain]
        if self.first.scales[domain].space == "chroma":
            return [coloured(self.first, x, y) for x, y in zip(self.seen["A"], seen, strict=True)]
        return [as_image(x) for x in seen]

    def through(self, method: Translator, way: Direction) -> list[Image.Image]:
        X, Y = method.ends(way)
        if X not in self.split.entries:
            raise InputError(
                f"wants pictures of {X}, and {self.about.partition(',')[0]} has "
                f"{' and '.join(self.split.entries)}; name some with --inputs"
            )
        xs = self.seen[X] if method is self.first else self.read(method, X)
        device, found = next(method.parameters()).device, []
        for x in xs:
            with torch.no_grad():
                y = method.translate_tensor(x[None].to(device), way)[0].cpu()
            chroma = method.scales[Y].space == "chroma"
            found.append(coloured(method, x, y) if chroma else as_image(y))
        return found


class FromFiles(Inputs):
    """Files, whole, as `ganvas translate` takes them."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files, self.about = files, "the pictures of --inputs, whole"

    def pictures(self) -> Iterator[Picture]:
        for path in self.files:
            entry = FileEntry(Path(), str(path))
            yield decode_entry(entry, entry.read())

    def names(self, domain: str) -> list[str]:
        return [path.name for path in self.files]

    def real(self, domain: str) -> list[Image.Image]:
        return [to_look_at(picture) for picture in self.pictures()]

    def through(self, method: Translator, way: Direction) -> list[Image.Image]:
        with torch.no_grad(), kept_kernels(method):
            return [self.translated(picture, method, way) for picture in self.pictures()]

    def translated(self, picture: Picture, method: Translator, way: Direction) -> Image.Image:
        tile = tile_for(method, picture.size, way)
        answer = translate_picture(method, picture, way, tile)
        scale = method.scales[method.ends(way)[1]]
        if scale.space or (answer.dtype == np.uint8 and answer.channels in (1, 3)):
            return to_look_at(answer)
        return as_image(scale.unit(answer.values))


def coloured(method: Translator, x: Tensor, y: Tensor) -> Image.Image:
    """Lightness and chroma (C, H, W) in [-1, 1] as one picture."""
    lab = np.concatenate([method.scales[d].values(z) for d, z in (("A", x), ("B", y))], 2)
    return Image.fromarray(from_shares(lab_to_rgb(lab), np.dtype("uint8")))


def to_look_at(picture: Picture) -> Image.Image:
    """A file's picture with 8 bits, over white; of other channels than a colour's the first, from
    the least of its values to the greatest."""
    try:
        shares = as_rgb_shares(picture)
    except InputError:
        plane = picture.values[:, :, :1].astype(np.float64)
        low, high = plane.min(), plane.max()
        shares = ((plane - low) / ((high - low) or 1)).repeat(3, 2)
    return Image.fromarray(from_shares(shares, np.dtype("uint8")))
