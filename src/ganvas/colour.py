"""sRGB and CIE L*a*b* (D65), as in IEC 61966-2-1 and CIE 15."""

import numpy as np

TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE = TO_XYZ.sum(1)
"""D65, by the matrix itself: so grey has neither a nor b."""
BEND = 6 / 29


def rgb_to_lab(rgb: np.ndarray) -> np.ndarray:
    """(..., 3) in [0, 1] to L in [0, 100], a and b, float64."""
    straight = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = straight @ TO_XYZ.T / WHITE
    f = np.where(xyz > BEND**3, np.cbrt(xyz), xyz / (3 * BEND**2) + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def lab_to_rgb(lab: np.ndarray) -> np.ndarray:
    """L, a and b (..., 3) to sRGB in [0, 1]; colours that sRGB lacks are cut off."""
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], -1)
    xyz = np.where(f > BEND, f**3, 3 * BEND**2 * (f - 4 / 29)) * WHITE
    straight = (xyz @ np.linalg.inv(TO_XYZ).T).clip(0, 1)
    return np.where(
        straight > 0.0031308, 1.055 * straight ** (1 / 2.4) - 0.055, 12.92 * straight
    ).clip(0, 1)
