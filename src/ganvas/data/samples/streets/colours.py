"""Classes, their colours on label maps, and what things are made of. Colours are in [0, 1]."""

from collections.abc import Sequence

import numpy as np

Array = np.ndarray
Real = Array | float
Colour = tuple[float, float, float]
Box = tuple[slice, slice]  # rows and columns of a picture

PALETTE: dict[str, tuple[int, int, int]] = {
    "sky": (70, 150, 255),
    "building": (220, 70, 50),
    "window": (255, 230, 60),
    "road": (110, 50, 150),
    "pavement": (240, 110, 230),
    "tree": (40, 170, 70),
    "car": (10, 20, 90),
}
SKY, BUILDING, WINDOW, ROAD, PAVEMENT, TREE, CAR = range(len(PALETTE))

WALLS: tuple[Colour, ...] = (
    (0.60, 0.34, 0.27), (0.52, 0.40, 0.32), (0.84, 0.77, 0.63), (0.62, 0.62, 0.62),
    (0.80, 0.65, 0.42), (0.78, 0.61, 0.55), (0.86, 0.85, 0.82), (0.50, 0.56, 0.64),
    (0.56, 0.57, 0.48), (0.62, 0.70, 0.63), (0.68, 0.42, 0.33), (0.44, 0.43, 0.43),
)  # fmt: skip
AWNINGS = ((0.62, 0.16, 0.15), (0.16, 0.36, 0.25), (0.18, 0.25, 0.46), (0.80, 0.72, 0.55))
PAINTS: tuple[Colour, ...] = (
    (0.75, 0.12, 0.11), (0.13, 0.25, 0.56), (0.88, 0.88, 0.87), (0.14, 0.14, 0.15),
    (0.58, 0.60, 0.62), (0.86, 0.68, 0.16), (0.16, 0.36, 0.24), (0.36, 0.55, 0.70),
)  # fmt: skip
LEAVES = ((0.30, 0.46, 0.16), (0.22, 0.40, 0.17), (0.38, 0.47, 0.20))
AUTUMN = ((0.72, 0.45, 0.13), (0.62, 0.28, 0.12), (0.58, 0.52, 0.18))
SLATE, BARK, TYRE, GLASS = (0.30, 0.31, 0.34), (0.34, 0.27, 0.21), (0.07,) * 3, (0.10, 0.13, 0.17)
ASPHALT, PAVING, KERB, MARKING = (0.35, 0.35, 0.36), (0.60, 0.58, 0.55), (0.72,) * 3, (0.9,) * 3
SNOW, LAMPLIGHT = (0.95, 0.96, 1.0), (1.0, 0.82, 0.48)
HEADLIGHT, TAILLIGHT = (1.0, 0.97, 0.88), (0.80, 0.06, 0.05)

LEFT, RIGHT, ACROSS = range(3)  # rows of buildings: along the street, and across its end
ROW = 16  # buildings in a row
SMALLEST = 1.8 / 64  # windows that come out smaller than this are wall in the labels
TILE = 512  # side of the noise textures in texels


def rgb(colour: Sequence[float] | Sequence[Colour]) -> Array:
    return np.array(colour, np.float32)[..., None, None]


def unit(values: Real) -> Array:
    return np.minimum(np.maximum(values, 0), 1)


def mix(base: Array, colour: Real, alpha: Real) -> Array:
    return base + alpha * (colour - base)
