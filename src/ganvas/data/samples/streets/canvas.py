"""Where a street is painted: pixels, planes in the street, edges and noise."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from ganvas.data.samples.streets.colours import SKY, Array, Box, Real, mix, unit
from ganvas.data.samples.streets.scene import TILE, Scene


class Canvas:
    """Classes (H, W), distances (H, W) and colours (3, H, W) of the picture being painted."""

    def __init__(self, scene: Scene, width: int, height: int) -> None:
        self.scene = scene
        self.pixel = 1 / height
        self.x = ((np.arange(width, dtype=np.float32) + 0.5) / height)[None, :]
        self.y = ((np.arange(height, dtype=np.float32) + 0.5) / height)[:, None]
        self.classes = np.full((height, width), SKY, np.uint8)
        self.distance = np.full((height, width), 150, np.float32)
        self.photo = np.empty((3, height, width), np.float32)

    def box(self, left: float, right: float, top: float, bottom: float) -> Box:
        """The pixels of a rectangle and one more around it; may be empty."""
        height, width = self.classes.shape
        rows = slice(max(0, int(top * height) - 1), max(0, int(bottom * height) + 2))
        columns = slice(max(0, int(left * height) - 1), max(0, int(right * height) + 2))
        return slice(*rows.indices(height)[:2]), slice(*columns.indices(width)[:2])

    def upright(self, left: float, right: float, height: float, z: float) -> Plane:
        """The plane across the view from x = `left` to `right`."""
        scene, metre = self.scene, self.scene.focal / z
        ends = scene.across(left, z), scene.across(right, z)
        box = self.box(*ends, scene.down(height, z), scene.down(0, z))
        u = (self.x[:, box[1]] - ends[0]) / metre
        v = scene.eye - (self.y[box[0]] - scene.horizon) / metre
        return Plane(box, u, v, self.pixel / metre, self.pixel / metre, z)

    def ground(self, box: Box) -> tuple[Array, Array]:
        """x (h, w) and z (h, 1) of the ground below the horizon."""
        below = np.maximum(self.y[box[0]] - self.scene.horizon, self.pixel / 4)
        z = self.scene.focal * self.scene.eye / below
        return (self.x[:, box[1]] - self.scene.vanishing_x) * z / self.scene.focal, z

    def paint(self, box: Box, alpha: Array, colour: Array, kind: Real, z: Real) -> None:
        """Covers (h, w) by `alpha` with (3, h, w) colours; half covered counts as this class."""
        view, most = self.photo[:, *box], alpha >= 0.5
        view += alpha * (colour - view)
        np.copyto(self.classes[box], np.asarray(kind, np.uint8), where=most)
        np.copyto(self.distance[box], np.asarray(z, np.float32), where=most)


class Plane(NamedTuple):
    """An upright plane where it is seen; arrays broadcast to the box's (h, w)."""

    box: Box
    u: Array  # metres along it
    v: Array  # metres above the ground
    pixel_u: Real  # size of a pixel in metres
    pixel_v: Real
    z: Real


def cover(inside: Array, pixel: Real) -> Array:
    """How much of a pixel an edge covers whose distance, positive inside, is given."""
    return unit(inside / pixel + 0.5)


def line(distance: Array, half: float, pixel: Real) -> Array:
    """Like cover for a line that may be thinner than a pixel."""
    return cover(half - np.abs(distance), pixel) * np.minimum(1, 2 * half / pixel)


@cache
def noise() -> tuple[Array, Array]:
    """Noise that wraps around, (TILE, TILE) in [0, 1]: of many scales, and of single texels."""
    rng = np.random.Generator(np.random.PCG64(0))
    soft = np.zeros((TILE, TILE))
    for octave in range(6):
        cells = 8 << octave
        lattice, at = rng.random((cells, cells)), np.arange(TILE) * cells / TILE
        low = np.floor(at).astype(int)
        high, part = (low + 1) % cells, (at - low) * (at - low) * (3 - 2 * (at - low))
        rows = mix(lattice[low], lattice[high], part[:, None])
        soft = soft / 0.6 + mix(rows[:, low], rows[:, high], part)
    soft = (soft - soft.min()) / (soft.max() - soft.min())
    return soft.astype(np.float32), rng.random((TILE, TILE), np.float32)


def soft(u: Array, v: Array, layer: int = 0) -> Array:
    """Noise of many scales, about 0.5 +- 0.15, at places in texels."""
    u, v = u + 8 * TILE, v + 8 * TILE  # above 0, where casting rounds all down
    return noise()[layer][v.astype(np.int32) & (TILE - 1), u.astype(np.int32) & (TILE - 1)]


def grain(u: Array, v: Array) -> Array:
    """A number in [0, 1) for each pair of whole numbers."""
    return soft(u, v, layer=1)
