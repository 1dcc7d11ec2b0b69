"""The pictures of a study: real ones and generated ones, made alike."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from random import Random
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from ganvas.data.decode import decode_entry
from ganvas.data.held_out import HELD
from ganvas.data.layouts import Layout, one_domain, recognise, split_off
from ganvas.data.paired import pairs_of
from ganvas.data.parts import to_tensor
from ganvas.data.prepare import Preparation
from ganvas.data.sources import Entry, open_source
from ganvas.errors import InputError
from ganvas.methods.base import Direction, Method
from ganvas.methods.generator import AT_ONCE, Generator
from ganvas.methods.pix2pix import coloured
from ganvas.methods.translator import Translator
from ganvas.pictures import as_rgb, from_unit, to_unit

Anything = TypeVar("Anything")
Pairing = Literal["same", "random"]
Watch = Callable[[Iterable[Tensor], float], Iterable[Tensor]]
TRAINED_ON = (
    "the data has no test or val part: real pictures, and inputs of translations, are those that "
    "were trained on"
)
HELD_OUT = ("test", "val", "valid", "validation")


@dataclass(frozen=True)
class Shown:
    """A picture as it is shown, and what it is called in the record."""

    name: str
    pixels: np.ndarray
    """uint8 (H, W, 3)."""


@dataclass(frozen=True)
class Pictures:
    """All pictures of a study, of one size."""

    real: list[Shown]
    fake: list[Shown]
    pairing: Literal["same", "class", "random"]
    """What the generated picture of a number has in common with the real one of that number: its
    input, its class, or nothing."""
    split: str
    """The part of the data that the real ones, and the inputs of translations, are from."""
    notes: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether pictures of equal numbers are shown together."""
        return self.pairing != "random"

    def fingerprint(self) -> str:
        """SHA-256 over all names, and over what the real pictures show. Generated ones differ by
        rounding from machine to machine; the weights stand for them."""
        known = hashlib.sha256()
        for shown in self.real:
            known.update(f"{shown.name}\0".encode() + shown.pixels.tobytes())
        known.update("\0".join(shown.name for shown in self.fake).encode())
        return known.hexdigest()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.real[0].pixels.shape[1], self.real[0].pixels.shape[0]

    def spoiled(self, real: int, chance: Random) -> np.ndarray:
        """A real picture with its pixels in random order: its colours, and nothing of what it
        shows."""
        pixels = self.real[real].pixels
        order = np.random.default_rng(chance.getrandbits(64)).permutation(pixels.size // 3)
        return pixels.reshape(-1, 3)[order].reshape(pixels.shape)


def direction_of(method: Method, wanted: Direction | None) -> Direction | None:
    """The direction to judge: the one that was learnt where there is one, of two AtoB. None for
    pictures from noise.

    Raises:
        InputError: it has not learnt the one wanted, or makes pictures from noise.
    """
    if not isinstance(method, Translator):
        if wanted is not None:
            raise InputError(
                f"--direction {wanted}: {method.name} makes pictures from noise; leave it out"
            )
        return None
    if method.data == "domains":
        raise InputError(
            f"study: {method.name} translates between many domains, and a study asks about two, A "
            "and B, or about pictures from noise; judge it with `ganvas evaluate`"
        )
    if wanted is not None:
        method.translator(method.way(wanted))
        return wanted
    if method.directions:
        return method.directions[0]
    raise InputError(f"this {method.name} was imported without a generator and makes no pictures")


def gather(
    method: Method,
    source: str,
    direction: Direction | None,
    count: int,
    seed: int = 0,
    pairing: Pairing | None = None,
    watch: Watch = lambda made, count: made,
) -> Pictures:
    """Up to `count` real pictures of a source, and up to as many generated ones: translations of
    its inputs, or of seeds 0, 1, 2 ... The source's held-out part is taken where it has one.

    Real pictures and inputs are brought to the training's size as previews are, without chance;
    both real and generated ones then go through the network's range [-1, 1] to 8 bits.

    Raises:
        InputError: the source lacks pictures that are wanted, or they cannot be used.
    """
    layout = recognise(open_source(source, method.config.load_width_height))
    held = method.config.hold_out if source == method.config.data else 0
    if held:
        _, layout = split_off(layout, held, source)
    if isinstance(method, Translator):
        assert direction is not None
        found = translated(method, layout, source, direction, count, seed, pairing, watch)
    else:
        assert isinstance(method, Generator)
        if pairing is not None:
            raise InputError(
                f"--pairing {pairing}: pictures from noise have no inputs; leave it out"
            )
        found = generated(method, layout, source, count, seed, watch)
    if held:
        return replace(found, split=HELD)
    if found.split == "train":
        found.notes.append(TRAINED_ON)
    return found


def translated(
    method: Translator,
    layout: Layout,
    source: str,
    direction: Direction,
    count: int,
    seed: int,
    pairing: Pairing | None,
    watch: Watch,
) -> Pictures:
    x, y = method.ends(direction)
    in_pairs = method.data == "paired" or layout.kind == "paired"
    same = in_pairs if pairing is None else pairing == "same"
    if method.config.colorizes and not same:
        raise InputError(
            "--pairing random: a colorization's colours belong to one picture's lightness; leave "
            "it out"
        )
    chance = Random(f"{seed} pictures")
    if same or in_pairs:
        split, pairs = pairs_held_out(method, layout, source)
        rows = [(pair["AB".index(x)], pair["AB".index(y)]) for pair in some(pairs, count, chance)]
        inputs, reals = [row[0] for row in rows], [row[1] for row in rows]
    else:
        split, (inputs, reals) = domains_held_out(layout, source, x, y)
        inputs, reals = some(inputs, count, chance), some(reals, count, chance)
    device = next(method.parameters()).device
    paths = [entry.name for entry in reals], [entry.name for entry in inputs]

    def in_colour(values: Tensor, entry: Entry) -> Tensor:
        """Of colorization's colour channels the picture, with its input's lightness."""
        if method.scales[y].space != "chroma":
            return values
        return coloured(prepared(method, entry, x)[None], values[None])[0]

    def made() -> Iterator[Tensor]:
        for entry in inputs:
            given = prepared(method, entry, x)
            answer = method.translate_tensor(given[None].to(device), direction)[0].cpu()
            yield in_colour(answer, entry)
        for real, given in zip(reals, inputs if same else reals, strict=True):
            yield in_colour(prepared(method, real, y), given)

    found = [pixels_of(x) for x in watch(made(), len(inputs) + len(reals))]
    fakes, truths = found[: len(inputs)], found[len(inputs) :]
    return together(
        truths, fakes, paths, "same" if same else "random", split, method.scales[y].channels
    )


def generated(
    method: Generator, layout: Layout, source: str, count: int, seed: int, watch: Watch
) -> Pictures:
    split, by_class = one_domain_held_out(layout, source)
    classes = {entry.name: name for name, entries in by_class.items() for entry in entries}
    entries = [entry for found in by_class.values() for entry in found]
    if method.conditional:
        entries = [entry for entry in entries if classes[entry.name] in method.classes]
        if not entries:
            raise InputError(
                f"--data {source}: no picture in it lies in a folder of a class that was learnt "
                f"({', '.join(method.classes)})"
            )
    entries = some(entries, count, Random(f"{seed} pictures"))
    # By class each generated picture goes with a real one of its own class.
    seeds = list(range(len(entries) if method.conditional else count))
    known = [method.classes.index(classes[e.name]) for e in entries if method.conditional]
    device = next(method.parameters()).device

    def made() -> Iterator[Tensor]:
        for at in range(0, len(seeds), AT_ONCE):
            few = seeds[at : at + AT_ONCE]
            labels = torch.tensor(known[at : at + AT_ONCE], device=device) if known else None
            yield from method.render(method.latents(few), labels).cpu()
        for entry in entries:
            yield prepared(method, entry, "pictures")

    found = [pixels_of(x) for x in watch(made(), len(seeds) + len(entries))]
    paths = [entry.name for entry in entries], [f"seed {number}" for number in seeds]
    channels, pairing = method.scales["pictures"].channels, "class" if known else "random"
    fakes, truths = found[: len(seeds)], found[len(seeds) :]
    return together(truths, fakes, paths, pairing, split, channels)


def prepared(method: Method, entry: Entry, domain: str) -> Tensor:
    """A picture as the network takes or makes it, (C, H, W) in [-1, 1]: at the training's size,
    the middle, without chance.

    Raises:
        InputError: it cannot be read or is of another kind.
    """
    scale, config = method.scales[domain], method.config
    preparation = Preparation.of(config, config.stride)
    picture = decode_entry(entry, entry.read())
    try:
        values = preparation.fixed(picture, scale.channels)
        return to_unit(to_tensor(values, scale))
    except InputError as error:
        raise InputError(f"{entry.name}: {error}") from None


def together(
    reals: Sequence[np.ndarray],
    fakes: Sequence[np.ndarray],
    names: tuple[Sequence[str], Sequence[str]],
    pairing: Literal["same", "class", "random"],
    split: str,
    channels: int,
) -> Pictures:
    """Pictures, all cut to the middle that all have, with their names."""
    sizes = {pixels.shape[:2] for pixels in (*reals, *fakes)}
    height, width = (min(size[axis] for size in sizes) for axis in (0, 1))
    notes = []
    if len(sizes) > 1:
        notes.append(f"pictures differ in size: of each the middle {width}x{height} is shown")
    if channels not in (1, 3):
        notes.append(
            f"of {channels} channels only the first {3 if channels > 3 else 1} can be seen"
        )

    def shown(pictures: Sequence[np.ndarray], called: Sequence[str]) -> list[Shown]:
        return [
            Shown(name, middle(pixels, height, width))
            for name, pixels in zip(called, pictures, strict=True)
        ]

    return Pictures(shown(reals, names[0]), shown(fakes, names[1]), pairing, split, notes)


def pixels_of(x: Tensor) -> np.ndarray:
    """(C, H, W) in [-1, 1] to uint8 (H, W, 3)."""
    return from_unit(as_rgb(x)).permute(1, 2, 0).contiguous().numpy()


def middle(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return np.ascontiguousarray(pixels[top : top + height, left : left + width])


def pairs_held_out(
    method: Translator, layout: Layout, source: str
) -> tuple[str, list[tuple[Entry, Entry]]]:
    if layout.kind == "labelled":
        raise InputError(
            f"--data {source}: looks labelled, and holds no pairs; `ganvas data check {source}` "
            "says more"
        )
    for part in (*HELD_OUT, "train"):
        pairs, _ = pairs_of(layout, part, method.config)
        if pairs:
            return part, pairs
    raise InputError(
        f"--data {source}: there are no pairs (pictures of one name in testA/ and testB/); take "
        "--pairing random"
    )


def domains_held_out(
    layout: Layout, source: str, x: str, y: str
) -> tuple[str, tuple[list[Entry], list[Entry]]]:
    for part in (*HELD_OUT, "train"):
        inputs, reals = layout.part(f"{part}{x}"), layout.part(f"{part}{y}")
        if inputs and reals:
            return part, (inputs, reals)
    raise InputError(
        f"--data {source}: wants pictures in test{x}/ and test{y}/, or in train{x}/ and train{y}/; "
        f"`ganvas data check {source}` says what is there"
    )


def one_domain_held_out(layout: Layout, source: str) -> tuple[str, dict[str, list[Entry]]]:
    if layout.kind == "paired":
        for part in HELD_OUT:
            if entries := layout.part(part):
                return part, by_folder(layout, entries)
    return "train", one_domain(layout, source)


def by_folder(layout: Layout, entries: list[Entry]) -> dict[str, list[Entry]]:
    """The pictures of one part by the folder in it."""
    above = len(PurePosixPath(layout.prefix).parts) + 1
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        inner = PurePosixPath(entry.name).parts[above:]
        found.setdefault(inner[0] if len(inner) > 1 else "", []).append(entry)
    return found


def some(found: Sequence[Anything], count: int, chance: Random) -> list[Anything]:
    """So many of them at most, by chance, in their own order."""
    if len(found) <= count:
        return list(found)
    return [found[i] for i in sorted(chance.sample(range(len(found)), count))]
