"""`sample:shapes`: a coloured shape with a texture on a calm ground, in five classes."""

from collections.abc import Callable

import numpy as np

Array = np.ndarray

SMALLEST = 16
YELLOW = 1.83  # the hue in OKLab that looks brown unless it is bright

# OKLab to the cube roots of the cones' answers, and these to linear RGB (Ottosson 2020).
TO_CONES = np.array(
    [[0.3963377774, 0.2158037573], [-0.1055613458, -0.0638541728], [-0.0894841775, -1.2914855480]]
)
TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def draw(kind: str, index: int, seed: int, width: int, height: int) -> Array:
    """A picture of the class `kind`: (height, width, 3) uint8.

    Equal numbers, 0 or more, draw the same shape at every size, 16 or more, in the units of its
    shorter side; no picture depends on another.
    """
    if min(index, seed) < 0 or min(width, height) < SMALLEST:
        raise ValueError(
            f"shapes need numbers from 0 and {SMALLEST}x{SMALLEST} pixels: "
            f"{index}, {seed}, {width}x{height}"
        )
    rng = np.random.Generator(np.random.PCG64([seed, list(OUTLINES).index(kind), index]))
    pixel = 1 / min(width, height)
    x = (np.arange(width) + 0.5 - width / 2) * pixel - rng.uniform(-0.035, 0.035)
    y = (np.arange(height)[:, None] + 0.5 - height / 2) * pixel - rng.uniform(-0.035, 0.035)
    u, v = turned(x, y, rng.uniform(-0.2, 0.2))

    radius = rng.uniform(0.32, 0.44)
    inside = OUTLINES[kind](u / radius, v / radius) * radius
    texture = TEXTURES[rng.integers(len(TEXTURES))]
    pattern = texture(u, v, rng.uniform(0.15, 0.19), pixel)
    ink, second, ground = colours(rng)

    light = 1 - 0.25 * (x + y)
    shadow = 0.22 * np.exp(np.minimum(inside, 0) / 0.05)
    slope = 0.12 * turned(x, y, rng.uniform(0, 2 * np.pi))[0]
    body = mix(ink, second, pattern[..., None]) * light[..., None]
    back = ground * (1 + slope - shadow)[..., None]
    picture = mix(back, body, cover(inside, pixel)[..., None])
    return (255 * unit(picture) + 0.5).astype(np.uint8)


# Outlines: how far inside a place is, of a shape that reaches about 1 from its middle


def circle(u: Array, v: Array) -> Array:
    return 1 - np.hypot(u, v)


def square(u: Array, v: Array) -> Array:
    return pointed(u, v, tips=4, first=np.pi / 4, tip=0.98, valley=0.98 * np.cos(np.pi / 4))


def triangle(u: Array, v: Array) -> Array:
    return pointed(u, v - 0.18, tips=3, first=0, tip=1, valley=0.5)


def star(u: Array, v: Array) -> Array:
    return pointed(u, v - 0.05, tips=5, first=0, tip=0.98, valley=0.44)


def ring(u: Array, v: Array) -> Array:
    return 0.26 - np.abs(np.hypot(u, v) - 0.74)


def pointed(u: Array, v: Array, tips: int, first: float, tip: float, valley: float) -> Array:
    """An outline going to and fro between `tip` and `valley` from the middle, a little rounded.

    `first` is one tip's angle from upright. All half tips are folded onto one: a single edge.
    """
    rounded, half = 0.07, np.pi / tips
    angle = np.abs((np.arctan2(u, -v) - first + half) % (2 * half) - half)
    distance = np.hypot(u, v)
    along, aside = distance * np.cos(angle) - tip, distance * np.sin(angle)
    edge = valley * np.cos(half) - tip, valley * np.sin(half)
    nearest = unit((along * edge[0] + aside * edge[1]) / (edge[0] ** 2 + edge[1] ** 2))
    far = np.hypot(along - nearest * edge[0], aside - nearest * edge[1])
    return np.copysign(far, aside * edge[0] - along * edge[1]) + rounded


OUTLINES: dict[str, Callable[[Array, Array], Array]] = {
    "circle": circle,
    "square": square,
    "triangle": triangle,
    "star": star,
    "ring": ring,
}
PARTS = dict.fromkeys(OUTLINES, 400)


# Textures: the second tone's share, in [0, 1], at a place in the turned shape


def plain(u: Array, v: Array, period: float, pixel: float) -> Array:
    return unit(0.5 + 1.1 * v)


def stripes(u: Array, v: Array, period: float, pixel: float) -> Array:
    return cover(period / 4 - from_multiple(turned(u, v, np.pi / 4)[0], period), pixel)


def checks(u: Array, v: Array, period: float, pixel: float) -> Array:
    columns = cover(period / 2 - from_multiple(u, 2 * period), pixel)
    rows = cover(period / 2 - from_multiple(v, 2 * period), pixel)
    return columns + rows - 2 * columns * rows


def dots(u: Array, v: Array, period: float, pixel: float) -> Array:
    u, v = turned(u, v, np.pi / 4)
    far = np.hypot(from_multiple(u, period), from_multiple(v, period))
    return cover(0.3 * period - far, pixel)


TEXTURES = (plain, stripes, checks, dots)


# Colours


def colours(rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """The shape's two tones of one hue, and a muted ground, darker than both or lighter."""
    hue, any_hue = rng.uniform(0, 2 * np.pi, 2)
    yellow = max(0, np.cos(hue - YELLOW))
    if rng.random() < 0.65 - yellow:
        lightness = rng.uniform(0.60, 0.68)
        second = colour(lightness - 0.2, 0.17, hue)
        return colour(lightness, 0.21, hue), second, colour(0.93, 0.03, any_hue)
    lightness = rng.uniform(0.66, 0.72) + 0.12 * yellow
    second = colour(min(lightness + 0.2, 0.96), 0.1, hue)
    return colour(lightness, 0.21, hue), second, colour(0.3, 0.03, any_hue)


def colour(lightness: float, chroma: float, hue: float) -> Array:
    """(3,) RGB in [0, 1] of a colour in OKLab, where equal lightness looks equally light."""
    ab = chroma * np.array([np.cos(hue), np.sin(hue)])
    linear = unit(TO_RGB @ (lightness + TO_CONES @ ab) ** 3)
    return np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)


# Arithmetic


def turned(x: Array, y: Array, angle: float) -> tuple[Array, Array]:
    cos, sin = np.cos(angle), np.sin(angle)
    return x * cos + y * sin, y * cos - x * sin


def from_multiple(at: Array, period: float) -> Array:
    """The distance to the nearest multiple of a period."""
    return np.abs((at + period / 2) % period - period / 2)


def cover(inside: Array, pixel: float) -> Array:
    """How much of a pixel an edge covers whose distance, positive inside, is given."""
    return unit(inside / pixel + 0.5)


def mix(base: Array, other: Array, share: Array) -> Array:
    return base + share * (other - base)


def unit(values: Array) -> Array:
    return np.clip(values, 0, 1)
