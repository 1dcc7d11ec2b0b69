"""A palette found in label maps: the few colours that nearly all of their pixels have.

Files without loss have few colours, exactly. JPEG blurs them at edges and shifts them elsewhere by
a few units: there the colours are the centres of dense places among pixels that are like their
neighbours.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from ganvas.errors import InputError
from ganvas.evaluation.palette import KNOWN, MOST, Colour, Palette

Domain = Literal["A", "B"]
CALM = 12
"""Neighbours that differ by no more lie within one area, and not on an edge."""
RADIUS = 24
"""How far from a colour, in each channel, noise leads."""
LEAST = 0.0005
"""Of the calm pixels a class has at least this part; thinner ones are not found."""
APART = 8
"""Colours of files without loss differ by this much, or they are shades of fewer."""
MOST_DENSE = 32
"""More dense places than this are no palette but a picture's colours."""
COVERED = 0.95
"""So many of the calm pixels must lie within the radius of a colour that was found ..."""
TIGHT = 6.0
"""... and no further from it than this on average: photographs have 10 and more."""
CALM_SHARE = 0.25
"""Of all pixels so many must be calm: noise has few that are, and those by chance."""
ENOUGH = 400_000
"""Calm pixels that are looked at."""
GIVEN_WITHIN = 32
"""A label map's pixels lie so near to the colours of a palette that is given ..."""
GIVEN_SHARE = 0.9
"""... but for this part at most that does not."""
BIN = 8


def palette_in(pictures: Sequence[np.ndarray]) -> Palette | None:
    """The palette of these pictures, uint8 (H, W, 3), or None where they are no label maps.

    A palette that is known by name is recognised, and then has all of its classes.
    """
    calm = np.concatenate([calm_pixels(picture) for picture in pictures])
    if len(calm) <= CALM_SHARE * sum(p.shape[0] * p.shape[1] for p in pictures):
        return None
    calm = calm[:: -(-len(calm) // ENOUGH)]
    for known in KNOWN.values():
        if consist_of(calm, known) and 2 * seen(calm, known) >= len(known.colours):
            return known
    found, counts = counted_colours(calm)
    colours = exact_colours(found, counts) or dense_colours(found, counts)
    if len(colours) < 2:
        return None
    palette = Palette(tuple(colours), origin=f"found in {len(pictures)} label pictures")
    return palette if consist_of(calm, palette) else None


def calm_pixels(picture: np.ndarray) -> np.ndarray:
    """(n, 3): pixels whose right, lower and diagonal neighbours are nearly the same."""
    v = np.broadcast_to(picture, (*picture.shape[:2], 3)).astype(np.int16)
    block = np.stack([v[:-1, :-1], v[1:, :-1], v[:-1, 1:], v[1:, 1:]])
    return v[:-1, :-1][(block.max(0) - block.min(0)).max(-1) <= CALM].astype(np.uint8)


def counted_colours(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The colours (n, 3) of these pixels, and how many have each."""
    packed = pixels.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1])
    found, counts = np.unique(packed, return_counts=True)
    return np.stack([found >> 16, found >> 8 & 255, found & 255], 1), counts


def exact_colours(found: np.ndarray, counts: np.ndarray) -> list[Colour]:
    """The colours of files without loss, most frequent first; none where there are too many."""
    many = counts >= LEAST * counts.sum()
    if counts[many].sum() < 0.99 * counts.sum() or many.sum() > MOST:
        return []
    colours = found[many][np.argsort(-counts[many], kind="stable")]
    apart = np.abs(colours[:, None] - colours).max(-1)
    if apart[~np.eye(len(colours), dtype=bool)].min(initial=255) < APART:
        return []
    return [as_colour(c) for c in colours]


def dense_colours(found: np.ndarray, counts: np.ndarray) -> list[Colour]:
    """Centres of dense places among colours, the densest first; none where there is no end of
    them."""
    left, total = found.astype(np.int16), counts.sum()
    centres: list[Colour] = []
    while len(left):
        centre = densest(left, counts)
        near = np.abs(left - centre).max(1) <= RADIUS
        for _ in range(2):
            centre = np.average(left[near], axis=0, weights=counts[near])
            near = np.abs(left - centre).max(1) <= RADIUS
        if counts[near].sum() < LEAST * total:
            break
        if len(centres) == MOST_DENSE:
            return []
        centres.append(as_colour(np.rint(centre)))
        left, counts = left[~near], counts[~near]
    return centres


def densest(colours: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The middle of the fullest bin, with the bins around it."""
    side = 256 // BIN
    histogram = np.zeros((side + 2,) * 3)
    np.add.at(histogram, tuple((colours // BIN + 1).T), counts)
    for axis in range(3):
        histogram = histogram + np.roll(histogram, 1, axis) + np.roll(histogram, -1, axis)
    inner = histogram[1:-1, 1:-1, 1:-1]
    return np.array(np.unravel_index(inner.argmax(), inner.shape)) * BIN + BIN / 2


def consist_of(calm: np.ndarray, palette: Palette) -> bool:
    """Whether these pixels have the palette's colours, but for noise."""
    if palette.share_near(calm, RADIUS) < COVERED:
        return False
    table = np.array((*palette.colours, *palette.void), np.int16)
    apart = np.full(len(calm), 255, np.int16)
    for colour in table:
        np.minimum(apart, np.abs(calm.astype(np.int16) - colour).max(1), out=apart)
    return bool(apart.mean() <= TIGHT)


def seen(calm: np.ndarray, palette: Palette) -> int:
    """How many of its classes these pixels have."""
    counts = np.bincount(palette.classes(calm[None])[0], minlength=len(palette.colours))
    return int((counts[: len(palette.colours)] >= LEAST * len(calm)).sum())


def as_colour(values: np.ndarray) -> Colour:
    red, green, blue = (int(v) for v in values)
    return red, green, blue


def label_side(
    pictures: Mapping[Domain, Sequence[np.ndarray]],
    palette: Palette | None,
    source: str,
    labels: Domain | None = None,
) -> tuple[Domain, Palette]:
    """Which domain holds the label maps, and their palette. `pictures` are some of each domain,
    uint8 (H, W, 3). A palette that is given is only looked for, and so is `labels`, its domain.

    Raises:
        InputError: neither domain's pictures, or not those of `labels`, have few colours, or those
            of the palette; or both have.
    """
    asked: list[Domain] = [labels] if labels else list(pictures)
    if palette is None:
        found: list[tuple[Domain, Palette]] = []
        for domain in asked:
            if colours := palette_in(pictures[domain]):
                found.append((domain, colours))
        if len(found) == 1:
            return found[0]
        if found:
            raise InputError(
                f"--data {source}: the pictures of {' and '.join(asked)} both look like label "
                "maps; say which are with --labels A or --labels B"
            )
        raise InputError(
            f"--data {source}: found no palette, for the pictures of {' and of '.join(asked)} do "
            "not consist of a few colours; give the colours of the classes with --palette"
        )
    domain: Domain = max(asked, key=lambda d: mean_share(palette, pictures[d]))
    share = mean_share(palette, pictures[domain])
    if share >= GIVEN_SHARE:
        return domain, palette
    best = f"{100 * share:.0f} % of the pixels of {domain}"
    swapped = max(mean_share(palette.reversed(), pictures[d]) for d in asked)
    hint = "; its red and blue seem to be exchanged" if swapped >= GIVEN_SHARE else ""
    raise InputError(
        f"--palette: only {best} in --data {source} have one of its colours, or nearly{hint}; give "
        "the colours of all classes as red, green, blue, and those not to be scored as void"
    )


def mean_share(palette: Palette, pictures: Sequence[np.ndarray]) -> float:
    return float(np.mean([palette.share_near(picture, GIVEN_WITHIN) for picture in pictures]))
