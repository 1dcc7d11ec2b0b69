"""Real pairs of a label map and a photo, as a training of translators sees them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from ganvas.config import Settings
from ganvas.data.bad import BadPicture
from ganvas.data.decode import decode_entry
from ganvas.data.held_out import HELD
from ganvas.data.layouts import Pair, found_in, recognise, split_off
from ganvas.data.paired import few, pairs_of
from ganvas.data.parts import to_tensor
from ganvas.data.prepare import NEAREST, Preparation
from ganvas.data.samples import sample_pairs
from ganvas.data.sources import Entry, open_source
from ganvas.data.survey import unequal
from ganvas.errors import InputError
from ganvas.evaluation.palette import Palette
from ganvas.evaluation.palette_finding import Domain, label_side
from ganvas.methods.base import Direction
from ganvas.pictures import Picture
from ganvas.scales import Scale

LOOKED_AT = 40
"""Pairs, spread over all, in which the label maps and their palette are looked for."""
DOMAINS: tuple[Domain, Domain] = ("A", "B")


@dataclass(frozen=True)
class TestPair:
    """A held-out pair at the size at which translations are judged. Pictures are (C, h, w)."""

    __test__ = False  # pytest takes it for a test otherwise

    label: Tensor
    photo: Tensor
    truth: np.ndarray
    """The class, or VOID, of each pixel: uint8 (h, w)."""


@dataclass(frozen=True)
class LabelPairs:
    """The pairs of a source, of which one side are label maps, and how they are read.

    `train` and `test` are entries; pixels are read when they are asked for.
    """

    source: str
    train: list[Pair]
    test: list[Pair]
    part: str
    """Where the held-out ones are from: test, val ..."""
    labels: Domain
    """The domain of the label maps: A or B."""
    palette: Palette
    preparation: Preparation
    scales: dict[str, Scale]
    notes: list[str] = field(default_factory=list)
    """What was left out."""

    @property
    def photos(self) -> Domain:
        """The domain of the photos."""
        return "B" if self.labels == "A" else "A"

    @property
    def to_photo(self) -> Direction:
        """The direction labels -> photo."""
        return "AtoB" if self.labels == "A" else "BtoA"

    def read_test(self, pair: Pair) -> TestPair:
        """One pair as previews have it: the whole at its size, or the middle."""
        pictures = read_pair(pair)
        seen = {
            domain: to_tensor(
                self.preparation.fixed(picture, self.scales[domain].channels), self.scales[domain]
            )
            for domain, picture in pictures.items()
        }
        truth = self.preparation.fixed(pictures[self.labels], 3, NEAREST)
        return TestPair(seen[self.labels], seen[self.photos], self.palette.classes(truth))

    def read_training(self, pair: Pair) -> tuple[Tensor, Tensor]:
        """The photo (C, h, w) and the classes, uint8 (h, w), from which crops are cut."""
        pictures = read_pair(pair)
        scale = self.scales[self.photos]
        photo = self.preparation.training(pictures[self.photos], scale.channels)
        truth = self.preparation.training(pictures[self.labels], 3, NEAREST)
        return to_tensor(photo, scale), torch.from_numpy(self.palette.classes(truth))


def read_pair(pair: Pair) -> dict[Domain, Picture]:
    """Both pictures of a pair.

    Raises:
        BadPicture: one cannot be read, or they differ in size.
    """
    pictures = dict(zip(DOMAINS, map(read, pair), strict=True))
    if problem := unequal([(e.name, pictures[d].size) for d, e in zip(DOMAINS, pair, strict=True)]):
        raise BadPicture(problem)
    return pictures


def read(entry: Entry) -> Picture:
    return decode_entry(entry, content_of(entry))


def content_of(entry: Entry) -> bytes:
    try:
        return entry.read()
    except (OSError, RuntimeError, KeyError) as error:
        raise BadPicture(f"{entry.name}: cannot be read ({error})") from None


def open_label_pairs(
    source: str,
    config: Settings,
    scales: dict[str, Scale],
    palette: Palette | None = None,
    labels: Domain | None = None,
) -> LabelPairs:
    """The pairs of a source, read as a run of these settings reads them.

    Args:
        palette: the classes' colours; left out, they are found in the pictures.
        labels: A or B, the domain of the label maps; left out, it follows from the colours.

    Raises:
        InputError: it has no pairs, none held out, or no label maps.
    """
    if config.colorizes:
        raise InputError(f"--data {source}: lightness and colour of pictures are no label maps")
    train, (part, test), notes = pairs_in(source, config)
    preparation = Preparation.of(config, config.stride)
    shown = spread_over(train or test, LOOKED_AT)
    looked_at: dict[Domain, list[np.ndarray]] = {}
    for i, domain in enumerate(DOMAINS):
        found = [bytes_of(pair[i], domain, labels) for pair in shown if labels in (None, domain)]
        if usable := [picture for picture in found if picture is not None]:
            looked_at[domain] = usable
    if not looked_at:
        raise InputError(
            f"--data {source}: holds no pictures of 8 bits, grey or RGB: no label maps"
        )
    side, colours = label_side(looked_at, palette, source, labels)
    return LabelPairs(source, train, test, part, side, colours, preparation, scales, notes)


def bytes_of(entry: Entry, domain: Domain, labels: Domain | None) -> np.ndarray | None:
    """A picture as uint8 (H, W, 3); None where it is of another kind and may be the photo."""
    picture = read(entry)
    if picture.dtype == np.uint8 and picture.channels in (1, 3):
        return picture.with_channels(3)
    if labels == domain:
        raise InputError(
            f"{entry.name}: is {picture.kind}, but label maps are pictures of 8 bits, grey or RGB"
        )
    return None


def pairs_in(source: str, config: Settings) -> tuple[list[Pair], tuple[str, list[Pair]], list[str]]:
    """The training pairs, those held out with the name of their part, and what belongs to none.

    Raises:
        InputError: none are held out.
    """
    if source.startswith("sample:"):
        open_source(source)  # says so where there is no such sample
        name, size = source.removeprefix("sample:"), config.load_width_height
        train: list[Pair] = [(a, b) for a, b in sample_pairs(name, "train", size)]
        test: list[Pair] = [(a, b) for a, b in sample_pairs(name, "test", size)]
        if not test:
            raise InputError(f"--data {source}: has no pairs; sample:streets has")
        return train, ("test", test), []
    layout = recognise(open_source(source))
    named = replace(config, data=source)
    if config.hold_out and source == config.data:
        kept, held = split_off(layout, config.hold_out, source)
        (train, _), (test, _) = (pairs_of(part, "train", named) for part in (kept, held))
        return train, (HELD, test), []
    train, alone = pairs_of(layout, "train", named)
    for part in ("test", "val", "valid", "validation"):
        test, others = pairs_of(layout, part, named)
        if test:
            lone = [(alone, "learnt from"), (others, "scored")]
            notes = [f"not {what}: {few(sentences)}" for sentences, what in lone if sentences]
            return train, (part, test), notes
    raise InputError(
        f"--data {source}: has no pairs that are held out ({found_in(layout)} pictures); put some "
        "into test/, or into testA/ and testB/ under equal names"
    )


def spread_over(pairs: Sequence[Pair], count: int) -> list[Pair]:
    """So many of them, evenly spread."""
    count = min(count, len(pairs))
    return [pairs[i * len(pairs) // count] for i in range(count)]


def fingerprint_of(pairs: Sequence[Pair]) -> str:
    """SHA-256 over the names and contents of these pairs' files."""
    digest = hashlib.sha256()
    for pair in pairs:
        for entry in pair:
            digest.update(entry.name.encode() + hashlib.sha256(content_of(entry)).digest())
    return digest.hexdigest()
