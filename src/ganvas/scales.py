"""How the values of a domain's pictures become numbers in [-1, 1], and numbers values again."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import Tensor

from ganvas.errors import InputError
from ganvas.pictures import TYPES, as_type

Space = Literal["", "lightness", "chroma"]
MOST_OUTSIDE = 0.5
"""Where more than this part of a picture's values is cut off, they are of another kind."""
FURTHEST = 2**12
"""Floats so many times further from 0 than from one another keep 12 bits of float32's 24."""
WIDEST = 2**24
"""float32 tells whole numbers apart up to this one."""


@dataclass(frozen=True)
class Scale:
    """One domain's channels, the type of its values, and what of them becomes -1 and 1.

    Without `low` and `high` the type's own ends do, 0 and 255 of 8 bits, and of a picture of
    another integer type the ends of that.
    """

    channels: int
    dtype: str = "uint8"
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    space: Space = ""
    """Which part of a colour the channels are, where they are not the file's own."""

    @property
    def by_type(self) -> bool:
        return not self.low

    @property
    def is_bytes(self) -> bool:
        """Whether uint8 holds such pictures whole, so that they can be kept and moved so."""
        return self.by_type and self.dtype == "uint8"

    def ends(self, dtype: np.dtype | str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """What becomes -1, and what becomes 1, for each channel, float64 (C,).

        `dtype` is the type of the values at hand; left out, that of the training.

        Raises:
            InputError: the ends are a type's own, and floats have none.
        """
        if not self.by_type:
            return np.array(self.low), np.array(self.high)
        kind = np.dtype(dtype or self.dtype)
        if kind.kind == "f":
            raise InputError(
                f"values of {kind}: this run was trained on {self.dtype}, from one end of it to "
                "the other, and floats have no ends; convert them to integers first"
            )
        limits = np.iinfo(kind)
        return np.full(self.channels, limits.min), np.full(self.channels, limits.max)

    def ends_told(self) -> str:
        """`0 to 4095`, or the first few channels' where they differ."""
        ends = [f"{a:g} to {b:g}" for a, b in zip(*self.ends(), strict=True)]
        if len(set(ends)) == 1:
            return ends[0]
        return ", ".join(ends[:4]) + " ..." * (len(ends) > 4)

    def unit(self, values: np.ndarray) -> Tensor:
        """Values (H, W, C) to float32 (C, H, W) in [-1, 1]; what lies outside is cut off."""
        low, high = self.ends(values.dtype)
        wide = np.float32 if values.dtype.itemsize <= 2 else np.float64
        half = ((high - low) / 2).astype(wide)
        x = (values.astype(wide) - low.astype(wide)) / half - 1
        planes = np.ascontiguousarray(x.transpose(2, 0, 1), dtype=np.float32)
        return torch.from_numpy(planes.clip(-1, 1))

    def values(self, x: Tensor, dtype: np.dtype | str | None = None) -> np.ndarray:
        """float (C, H, W) in [-1, 1] to values (H, W, C): integers of that type rounded to the
        nearest."""
        kind = self.type_for(dtype)
        low, high = self.ends(kind)
        y = x.detach().cpu().permute(1, 2, 0).double().numpy()
        return as_type(low + (y + 1) * ((high - low) / 2), kind)

    def type_for(self, given: np.dtype | str | None) -> np.dtype:
        """The type of an answer to a picture of that type: the picture's own where the ends
        follow the type, else the one that the values were trained in."""
        kind = np.dtype(given or self.dtype)
        return kind if self.by_type and kind.kind in "ui" else np.dtype(self.dtype)

    def outside(self, values: np.ndarray) -> float:
        """The part of these values (H, W, C), from 0 to 1, that is cut off."""
        low, high = self.ends(values.dtype)
        return float(np.mean((values < low) | (values > high)))

    def described(self) -> dict[str, Any]:
        """For model.json."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_description(cls, content: Mapping[str, Any]) -> Self:
        lists = {name: tuple(content.get(name, ())) for name in ("low", "high")}
        return cls(content["channels"], content["dtype"], **lists, space=content.get("space", ""))


LAB = {
    "lightness": Scale(1, "float32", (0.0,), (100.0,), "lightness"),
    "chroma": Scale(2, "float32", (-110.0, -110.0), (110.0, 110.0), "chroma"),
}
"""The reference's scaling of colorization: L / 50 - 1 and ab / 110."""


Ends = tuple[tuple[float, ...], tuple[float, ...]]


def range_of(text: str, option: str) -> Literal["type", "measured"] | Ends:
    """`type`, `measured`, or the ends in `0:4095` or, for each channel, `0:4095,-1:1`.

    Raises:
        InputError: it is none of these.
    """
    if text == "type" or text == "measured":
        return text
    try:
        pairs = [tuple(map(float, part.split(":"))) for part in text.split(",")]
        low, high = zip(*((a, b) for a, b in pairs), strict=True)
    except ValueError:
        low, high = (1.0,), (0.0,)
    if not all(-np.inf < a < b < np.inf for a, b in zip(low, high, strict=True)):
        raise InputError(
            f"--{option} {text}: wants type, measured, or LOW:HIGH such as 0:4095, for each "
            "channel where they differ, as in 0:4095,-1:1"
        )
    return low, high


def scale_for(
    dtype: str, channels: int, low: Sequence[float], high: Sequence[float], given: str | None
) -> Scale:
    """The scale of pictures whose values go, channel by channel, from `low` to `high`. `given` is
    what the settings say of it; left out, uint8 goes by its type and all else is measured.

    Raises:
        InputError: what is given does not fit these pictures.
    """
    chosen = range_of(given or ("type" if dtype == "uint8" else "measured"), "range")
    if dtype not in TYPES:
        raise InputError(f"values of {dtype} are no picture's")
    integer = np.dtype(dtype).kind in "ui"
    if chosen == "type" and not integer:
        raise InputError(
            f"range type: floats ({dtype}) have no range of their own; take measured, or LOW:HIGH"
        )
    if chosen == "type":
        limits = np.iinfo(dtype)
        low, high, found = [float(limits.min)], [float(limits.max)], Scale(channels, dtype)
    else:
        if chosen != "measured":
            low, high = chosen[0], chosen[1]
        if len(low) not in (1, channels):
            raise InputError(
                f"range {given}: gives {len(low)} channels their ends, but the pictures have "
                f"{channels}"
            )
        low, high = (tuple(map(float, ends)) * (channels // len(ends)) for ends in (low, high))
        # A channel that is flat has no extent: its value becomes -1.
        high = tuple(b if b > a else a + 1 for a, b in zip(low, high, strict=True))
        found = Scale(channels, dtype, low, high)
    furthest = max(map(abs, (*low, *high)))
    if integer and furthest > WIDEST:
        raise InputError(
            f"{dtype} values up to {furthest:.0f}: networks compute in float32, which tells apart "
            "no more than 2^24 steps; scale them down"
        )
    for a, b in zip(low, high, strict=True):
        # A flat channel, of extent 1, has nothing to tell apart.
        if dtype == "float64" and b - a != 1 and max(abs(a), abs(b)) > (b - a) * FURTHEST:
            raise InputError(
                f"{dtype} values from {a:.9g} to {b:.9g}: lie so far from 0 that float32, in which "
                "networks compute, tells few of them apart; subtract what they have in common"
            )
    return found


def default_scales(channels: Mapping[str, int]) -> dict[str, Scale]:
    """8 bits in every domain."""
    return {domain: Scale(count) for domain, count in channels.items()}


def outside_said(scale: Scale, values: np.ndarray) -> str:
    """What to say of a picture's values (H, W, C) that lie where no training picture's did; empty
    where all lie within, or the scale follows the type.

    Raises:
        InputError: most do, so that they must mean something else.
    """
    if scale.by_type or scale.space:
        return ""
    (low, high), part = scale.ends(), scale.outside(values)
    if not part and values.dtype == scale.dtype:
        return ""
    if not part:
        return (
            f"its values are {values.dtype}, and those that the run was trained on {scale.dtype}, "
            f"{min(low):g} to {max(high):g}: equal values are taken to mean the same"
        )
    told = (
        f"{100 * part:.3g} % of its values lie outside of {min(low):g} to {max(high):g}, what the "
        "run was trained on"
    )
    if part > MOST_OUTSIDE:
        raise InputError(
            f"{told} ({scale.dtype}): bring them to the values of those pictures first"
        )
    return f"{told}, and are cut off"
