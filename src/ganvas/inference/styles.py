"""Pictures of styles: of seeds or saved ones, mixed with one another, and the way between them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import torch
from torch import Tensor

from ganvas.errors import InputError
from ganvas.inference.saved import Saved
from ganvas.methods.generator import AT_ONCE, Generator
from ganvas.methods.styled import Styled

RANGES = {"coarse": range(0, 4), "middle": range(4, 8), "fine": range(8, 1000)}
"""Layers of 4x4 and 8x8, of 16x16 and 32x32, and of what is larger (Karras et al. 2019, section
3.1)."""


@dataclass(frozen=True)
class Style:
    """What one picture is made of, on the method's device."""

    w: Tensor
    """(layers, nw)."""
    noise: list[Tensor] | None = None
    """(1, h, w) for each layer; None: as the method is told."""


def styled(method: Generator, option: str) -> Styled:
    """The method, if it has styles.

    Raises:
        InputError: it has none.
    """
    if not isinstance(method, Styled):
        raise InputError(f"--{option}: {method.name} has no styles; leave it out")
    return method


@torch.no_grad()
def styles_of_seeds(method: Styled, seeds: Sequence[int], labels: Tensor | None) -> list[Style]:
    """The styles of seeds, truncated, and with noise, as the method is told."""
    found = []
    for n, seed in enumerate(seeds):
        z = method.latents([seed])
        w = method.styles_shown(z, None if labels is None else labels[n : n + 1])
        noise = method.noise_shown(z)
        found.append(Style(w[0], None if isinstance(noise, str) else [m[0] for m in noise]))
    return found


def styles_of_saved(method: Styled, saved: Saved) -> list[Style]:
    """Saved styles as they are, never truncated; with the noise that was fitted, unless the method
    is told of another."""
    device = next(method.parameters()).device
    w = saved.code.to(device)
    if saved.kind == "z":
        labels = None if saved.label is None else torch.full([len(w)], saved.label, device=device)
        with torch.no_grad():
            w = method.styles(w, labels)
    if method.look.noise == "random":
        raise InputError(
            "--noise-mode random: follows from seeds, and what is saved has none; take const"
        )
    own = saved.noise and method.look.noise is None
    return [Style(one, [m[0].to(device) for m in saved.noise] if own else None) for one in w]


@dataclass(frozen=True)
class Styles:
    """Subjects of pictures that are given as styles."""

    method: Styled
    names: list[str]
    styles: list[Style] = field(repr=False)

    def pictures(self, at_once: int = AT_ONCE) -> Iterator[Tensor]:
        return rendered(self.method, iter(self.styles), at_once)

    def film(self, steps: int, at_once: int = AT_ONCE) -> Iterator[Tensor]:
        """`steps` frames from each to the next, in a straight line, and back to the first."""
        return rendered(self.method, self.way(steps), at_once)

    def way(self, steps: int) -> Iterator[Style]:
        following = [*self.styles[1:], self.styles[0]]
        for a, b in zip(self.styles, following, strict=True):
            ends = zip(maps_of(self.method, a), maps_of(self.method, b), strict=True)
            pairs = list(ends) if a.noise or b.noise else []
            for t in (step / steps for step in range(steps)):
                noise = [torch.lerp(one, other, t) for one, other in pairs]
                yield Style(torch.lerp(a.w, b.w, t), noise or None)


def maps_of(method: Styled, style: Style) -> list[Tensor]:
    """The noise of a style for each layer, (1, h, w)."""
    return style.noise or [kept[0] for kept in method.kept_noise()]


def rendered(method: Styled, styles: Iterator[Style], at_once: int) -> Iterator[Tensor]:
    """Pictures (C, H, W) in [-1, 1]; `at_once` are computed together and held."""
    while few := list(islice(styles, at_once)):
        noise = method.look.noise or "const"
        if any(style.noise for style in few):
            maps = [maps_of(method, style) for style in few]
            noise = [torch.stack(layer) for layer in zip(*maps, strict=True)]
        assert noise != "random"
        yield from method.render_styles(torch.stack([s.w for s in few]), noise, at_once)


def mixed(rows: list[Style], columns: list[Style], layers: Sequence[int]) -> list[Style]:
    """A grid row by row: each row's style, with those layers taken from the column. Noise is the
    row's. (Karras et al. 2019, figure 3.)"""
    found = []
    for row in rows:
        for column in columns:
            w = row.w.clone()
            w[list(layers)] = column.w[list(layers)]
            found.append(replace(row, w=w))
    return found


def mixing_grid(
    method: Styled, rows: list[Style], columns: list[Style], layers: Sequence[int], at_once: int
) -> tuple[int, Iterator[Tensor]]:
    """How many pictures a mixing grid has, and all in reading order but for the empty corner: the
    columns' own, then of each row its own and the mixed ones."""
    cells, across = mixed(rows, columns, layers), len(columns)
    order = list(columns)
    for n, row in enumerate(rows):
        order += [row, *cells[n * across : (n + 1) * across]]
    return len(order), rendered(method, iter(order), at_once)


def layers_of(text: str, count: int) -> list[int]:
    """`0-3,7`, or `coarse`, `middle`, `fine`, as layers of a network that has so many, in order.

    Raises:
        InputError: it says something else, or there are no such layers.
    """
    found: set[int] = set()
    for part in (p.strip() for p in text.split(",")):
        match = re.fullmatch(r"([0-9]{1,9})\s*(?:-\s*([0-9]{1,9}))?", part)
        if match is None and part not in RANGES:
            raise InputError(
                f"--mix-styles {text}: wants layers, such as 0-3 or 0-3,7, or coarse, middle, fine"
            )
        if match is None:
            first, last = RANGES[part][0], min(RANGES[part][-1], count - 1)
        else:
            first, last = int(match[1]), int(match[2] or match[1])
        if match is not None and last < first:
            raise InputError(f"--mix-styles {text}: {part} ends before it begins")
        if max(first, last) >= count:
            raise InputError(
                f"--mix-styles {text}: this run has the layers 0 to {count - 1}, and {part} "
                f"{'begins' if match is None else 'goes'} beyond"
            )
        found.update(range(first, last + 1))
    return sorted(found)
