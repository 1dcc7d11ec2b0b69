"""What a seed decides: the hour, the weather, the street, its buildings, trees and cars.

Lengths are metres (x to the right, z ahead), places on the picture are fractions of its height.
Only operations that IEEE 754 rounds exactly (no sin, exp, BLAS or sums) reach the pixels, so that
a seed gives the same bytes on every platform.
"""

from collections.abc import Sequence
from copy import copy
from math import sqrt
from typing import NamedTuple, Self

import numpy as np

from ganvas.data.samples.streets.colours import (
    AUTUMN,
    AWNINGS,
    LEAVES,
    PAINTS,
    ROW,
    TILE,
    WALLS,
    Array,
    Colour,
    Real,
    rgb,
)


class Hour(NamedTuple):
    """Light at a time of day; `sun_height` is the tangent of its elevation."""

    zenith: Colour
    horizon: Colour
    sun: Colour
    ambient: Colour
    sun_height: float
    lit_windows: float  # share of them
    clouds: tuple[float, float]


NOON = Hour((0.30, 0.52, 0.84), (0.78, 0.88, 0.96), (0.60, 0.56, 0.48), (0.56, 0.59, 0.64),
            sun_height=1.3, lit_windows=0.02, clouds=(0.25, 0.6))  # fmt: skip
OVERCAST = Hour((0.60, 0.63, 0.67), (0.84, 0.86, 0.88), (0.10, 0.10, 0.10), (0.76, 0.78, 0.80),
                sun_height=2.0, lit_windows=0.10, clouds=(0.6, 0.9))  # fmt: skip
GOLDEN = Hour((0.44, 0.56, 0.78), (1.00, 0.80, 0.56), (0.80, 0.53, 0.24), (0.48, 0.46, 0.50),
              sun_height=0.5, lit_windows=0.15, clouds=(0.3, 0.6))  # fmt: skip
DUSK = Hour((0.20, 0.24, 0.46), (0.90, 0.60, 0.50), (0.05, 0.04, 0.04), (0.42, 0.41, 0.52),
            sun_height=0.3, lit_windows=0.50, clouds=(0.3, 0.6))  # fmt: skip
HOURS = (NOON,) * 10 + (OVERCAST,) * 3 + (GOLDEN,) * 5 + (DUSK,) * 2
WEATHER = ("clear",) * 11 + ("haze",) * 3 + ("rain",) * 3 + ("snow",) * 3


def between(rng: np.random.Generator, low: float, high: float) -> float:
    # not rng.uniform: compiled code may fuse its multiplication and addition into one rounding
    return low + (high - low) * rng.random()


def tinge(rng: np.random.Generator, colours: Sequence[Colour]) -> Array:
    colour = rgb(colours[int(rng.integers(len(colours)))])
    return colour + 0.08 * (rng.random(colour.shape, np.float32) - 0.5)


class Buildings:
    """The rows of buildings: arrays are (n,), colours (3, n); start and end run along the wall."""

    def __init__(self, rng: np.random.Generator) -> None:
        lots = rng.random((12, 3 * ROW), np.float32)
        self.storey = 2.9 + 0.8 * lots[0]
        self.bay = 2.5 + 1.3 * lots[1]
        self.roof = np.where(lots[2] < 0.4, 1.2 + 2.5 * lots[2], 0.5)  # cornice or mansard
        self.height = (2 + np.floor(between(rng, 2, 5) * lots[3])) * self.storey + self.roof
        self.pane_width = 0.42 + 0.2 * lots[4]  # of the bay
        self.pane_height = 0.45 + 0.17 * lots[5]  # of the storey
        self.shop = lots[6] < 0.45  # whether the ground floor has shop windows
        self.brick = np.maximum(0, lots[7] - 0.3)  # strength of the joints
        self.wall = np.array(WALLS, np.float32)[(len(WALLS) * lots[8]).astype(int)].T
        self.wall += 0.1 * (rng.random(self.wall.shape, np.float32) - 0.5)
        self.awning = np.array(AWNINGS, np.float32)[(len(AWNINGS) * lots[9]).astype(int)].T
        length = self.bay * (2 + np.floor(4 * lots[10]))
        steps = (length + np.where(lots[11] < 0.25, 3 + 16 * lots[11], 0)).reshape(3, ROW)
        first = np.array([[1], [1], [-60]]) - 8 * lots[9].reshape(3, ROW)[:, :1]
        self.start = (first + np.cumsum(steps, axis=1) - steps).ravel().astype(np.float32)
        self.end = self.start + length

    def take(self, index: Array) -> Self:
        """The buildings at `index`, an array of any shape."""
        taken = copy(self)
        vars(taken).update({name: values[..., index] for name, values in vars(self).items()})
        return taken


class Tree:
    """A tree on the pavement."""

    def __init__(self, rng: np.random.Generator, x: float, z: float, leaves: Array) -> None:
        self.x, self.z, self.leaves = x, z, leaves
        self.height = between(rng, 4.2, 8)
        self.radius = self.height * between(rng, 0.2, 0.34)
        self.lump = between(rng, 0, TILE)  # where in the noise its outline lies


class Car:
    """A car or van along the road; z is that of the end that faces us."""

    def __init__(self, rng: np.random.Generator, x: float, z: float, oncoming: bool) -> None:
        van = rng.random() < 0.2
        self.x, self.z, self.oncoming = x + between(rng, -0.2, 0.2), z, oncoming
        self.half, self.length = between(rng, 0.87, 0.97), between(rng, 4, 5)
        self.height = between(rng, 2.0, 2.5) if van else between(rng, 1.45, 1.7)
        self.bonnet = 0.04 if van else between(rng, 0.10, 0.17)  # of the length, at either end
        self.paint = tinge(rng, PAINTS)


class Scene:
    """All that a seed decides at any size; `aspect` is the picture's width / height."""

    def __init__(self, rng: np.random.Generator, aspect: float) -> None:
        self.weather = WEATHER[int(rng.integers(len(WEATHER)))]
        self.hour = HOURS[int(rng.integers(len(HOURS)))]
        if self.weather == "rain" and self.hour is not DUSK:
            self.hour = OVERCAST
        self.sun = (between(rng, -1, 1), self.hour.sun_height, between(rng, -1, 0.6))  # x, y, z
        self.clouds = between(rng, *self.hour.clouds)
        self.haze = between(rng, *((0.006, 0.016) if self.weather == "haze" else (0.0005, 0.003)))
        self.drift = between(rng, 0, TILE)  # where in the noise this scene lies
        self.focal = between(rng, 0.62, 0.85) * sqrt(min(max(aspect, 0.5), 2))
        self.vanishing_x = between(rng, 0.15, 0.85) * aspect
        self.horizon = between(rng, 0.48, 0.64)
        self.eye = between(rng, 1.4, 1.8)
        middle, half = between(rng, -1.4, 1.4), between(rng, 3.0, 4.2)
        left, right = self.road = middle - half, middle + half  # x of its edges
        self.walls = left - between(rng, 2.0, 3.4), right + between(rng, 2.0, 3.4)  # x of rows
        self.closing = between(rng, *((26, 46) if rng.random() < 0.6 else (70, 130)))  # z of a row
        self.corner = self.closing - between(rng, 10.5, 13)  # z where the rows along it end
        self.zebra = between(rng, 5, 12) if rng.random() < 0.35 else -9.0
        self.buildings = Buildings(rng)
        self.things: list[Tree | Car] = []
        foliage = AUTUMN if rng.random() < 0.15 else LEAVES
        for x, presence in ((left - 0.9, rng.random()), (right + 0.9, rng.random())):
            z = between(rng, 6, 14)
            while z < min(self.corner, 45):
                if rng.random() < presence:
                    self.things.append(Tree(rng, x, z, tinge(rng, foliage)))
                z += between(rng, 6, 13)
        lanes = left + 1.1, middle - half / 2, middle + half / 2, right - 1.1
        z = between(rng, 4.5, 9)
        for _ in range(int(rng.integers(1, 5))):
            lane = int(rng.integers(4))
            if z < max(self.corner, 10):
                self.things.append(Car(rng, lanes[lane], z, oncoming=lane < 2))
            z += between(rng, 5.2, 8)

    def across(self, x: float, z: float) -> float:
        """Where on the picture, from the left, a place in the street is."""
        return self.vanishing_x + self.focal * x / z

    def down(self, height: float, z: float) -> float:
        """Where on the picture, from the top, a height above the ground is."""
        return self.horizon + self.focal * (self.eye - height) / z

    def sunshine(self, axis: int, sign: int = 1) -> float:
        """How much of the sun a surface gets that faces right (0), up (1) or ahead (2)."""
        side, up, ahead = self.sun
        return max(0.0, sign * self.sun[axis]) / sqrt(side * side + up * up + ahead * ahead)

    def lit(self, sun: Real) -> Array:
        """(3, ...) light on surfaces that get this much of the sun."""
        return rgb(self.hour.ambient) + rgb(self.hour.sun) * sun
