"""The schedule of a training that grows: size, batch, rates and ticks by the images shown
(Karras et al. 2018, appendix A; the published code of Karras et al. 2019 has the tables).

Tables go by resolution: 4 * 2^k where a picture is the smallest one doubled k times, which is its
side where it is a square of a power of two.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor
from typing import ClassVar

import numpy as np

from ganvas.config import HAIR, Stage, option_name
from ganvas.errors import InputError
from ganvas.methods.generator import DoubledSizes, GeneratorSettings
from ganvas.networks.stylegan import Pyramid, Structure, halvings

Table = dict[int, float]
"""A number for each resolution that has one of its own."""
FIRST = 4
"""The resolution of the smallest stage."""
BATCH_SIZES = "4:128,8:128,16:128,32:64,64:32,128:16,256:8,512:4"
RATES = "128:0.0015,256:0.002,512:0.003,1024:0.003"
TICKS = "4:160,8:140,16:120,32:100,64:80,128:60,256:40,512:30,1024:20"


@dataclass(kw_only=True)
class GrowingSettings(DoubledSizes, GeneratorSettings):
    """Growing, and what goes by resolution"""

    structure: Structure = "growing"
    """growing starts with small pictures and doubles them, as the paper does; fixed has the whole
    size from the start; skip too, with the pictures of all sizes added up and judged."""
    lod_initial_resolution: int = 8
    """The resolution that growing starts with."""
    lod_training_kimg: float = 600.0
    """How long each resolution trains before the next one is faded in, in thousands of images."""
    lod_transition_kimg: float = 600.0
    """How long the fading takes."""
    reset_opt_for_new_lod: bool = True
    """Forget Adam's moments where fading begins and ends."""
    minibatch_dict: str | None = None
    """The batch size at resolutions: 8:128,16:64; none; others have --batch-size. Left out: the
    published table for one GPU (4 to 16:128, 32:64, 64:32, 128:16, 256:8, 512:4), and none where
    --batch-size is another than 4."""
    lr_dict: str | None = None
    """The learning rate at resolutions, as 128:0.0015; none; others have --lr. Left out: the
    published table (128:0.0015, 256:0.002, 512 and 1024:0.003), and none where --lr is another than
    0.001."""
    lr_dict_D: str | None = None
    """The same for the discriminator, beside --lr-D. Left out: that of --lr-dict, and none where
    there is an --lr-D."""
    lr_rampup_kimg: float = 0.0
    """Thousands of images over which the rates rise from 0."""
    tick_kimg: float = 160.0
    """The length of a tick, in thousands of images."""
    tick_kimg_dict: str = TICKS
    """The length of a tick at resolutions; none: --tick-kimg at all."""
    batch_size: int = 4
    lr: float = 0.001

    has_ticks: ClassVar[bool] = True

    def check(self) -> None:
        super().check()
        for name in ("lod_training_kimg", "lod_transition_kimg", "lr_rampup_kimg"):
            self.at_least(name, 0)
        self.above_zero("tick_kimg")
        at = self.lod_initial_resolution
        if at < FIRST or at.bit_count() != 1:
            raise InputError(
                f"--lod-initial-resolution {at}: wants a power of two from {FIRST} on, such as 8"
            )
        if self.grows and not sum(self.phase):
            raise InputError(
                "--lod-training-kimg 0 with --lod-transition-kimg 0: it would never grow; take "
                "--structure fixed"
            )
        _ = self.tables  # refuses what is no table
        if any(size % 1 for size in self.tables["minibatch_dict"].values()):
            raise InputError(f"--minibatch-dict {self.minibatch_dict}: batches are whole numbers")
        self.check_size(*self.width_height, f"--size {self.size}")

    @property
    def grows(self) -> bool:
        return self.structure == "growing"

    @property
    def phase(self) -> tuple[int, int]:
        """Images for which a resolution trains, and for which the next one is faded in."""
        return round(self.lod_training_kimg * 1000), round(self.lod_transition_kimg * 1000)

    @property
    def pyramid(self) -> Pyramid:
        """The stages of --size; channels are the method's to add."""
        width, height = self.width_height
        return Pyramid(*halvings((height, width)))

    @property
    def tables(self) -> dict[str, Table]:
        """The numbers by resolution of each option that has such."""
        defaults = type(self).__dataclass_fields__
        published = self.batch_size == defaults["batch_size"].default
        batches = BATCH_SIZES if published else "none"
        rates = RATES if self.lr == defaults["lr"].default else "none"
        rates = rates if self.lr_dict is None else self.lr_dict
        rates_D = rates if self.lr_D is None else "none"
        texts = {
            "minibatch_dict": batches if self.minibatch_dict is None else self.minibatch_dict,
            "lr_dict": rates,
            "lr_dict_D": rates_D if self.lr_dict_D is None else self.lr_dict_D,
            "tick_kimg_dict": self.tick_kimg_dict,
        }
        return {name: table(text, name) for name, text in texts.items()}

    def lod_at(self, images: int) -> float:
        """The level of detail behind so many images, as a float32."""
        if not self.grows:
            return 0.0
        training, transition = self.phase
        phases, done = divmod(images, training + transition)
        lod = self.first_lod - phases - (max(done - training, 0) / transition if transition else 0)
        return float(np.float32(max(lod, 0.0)))

    @property
    def first_lod(self) -> int:
        """That of --lod-initial-resolution."""
        return max(self.pyramid.last - (self.lod_initial_resolution // FIRST).bit_length() + 1, 0)

    def resolution_at(self, images: int) -> int:
        return FIRST * 2 ** (self.pyramid.last - floor(self.lod_at(images)))

    def batch_size_at(self, images: int) -> int:
        return int(self.tables["minibatch_dict"].get(self.resolution_at(images), self.batch_size))

    def rates_at(self, images: int) -> dict[str, float]:
        """The learning rate of each player."""
        at, tables, ramp = self.resolution_at(images), self.tables, self.lr_rampup_kimg * 1000
        risen = min(images / ramp, 1.0) if ramp else 1.0
        rates = {"G": ("lr_dict", self.lr), "D": ("lr_dict_D", self.rate_D)}
        return {name: tables[of].get(at, base) * risen for name, (of, base) in rates.items()}

    def ticks_at(self, images: int) -> int:
        """How many ticks have ended. One ends when it is as long as those of the resolution that
        the training has reached by then."""
        count = began = 0
        for start, end, length in self.tick_lengths():
            first, last = max(began + length, start), min(images, end - 1)
            if last >= first:
                count += (more := (last - first) // length + 1)
                began = first + (more - 1) * length
            if images < end:
                return count
        return count  # pragma: no cover  (the last end is beyond all)

    def tick_lengths(self) -> Iterator[tuple[int, int, int]]:
        """(first image, image behind the last, images of a tick) for each resolution in turn."""
        for start, end, resolution in self.reached():
            kimg = self.tables["tick_kimg_dict"].get(resolution, self.tick_kimg)
            yield start, end, max(round(kimg * 1000), 1)

    def steps_to(self, images: float) -> int:
        steps = done = 0
        for start, end, _ in self.reached():
            size = self.batch_size_at(start)
            more = max(ceil((min(images, end) - done) / size - HAIR), 0)
            steps, done = steps + more, done + more * size
        return steps

    @property
    def stages(self) -> list[Stage]:
        training, transition = self.phase
        found, (width, height) = [], self.width_height
        for n, (start, _, resolution) in enumerate(self.reached()):
            part = FIRST * 2**self.pyramid.last // resolution
            size = width // part, height // part
            name = f"{size[0]}x{size[1]}"
            if n and transition:
                found.append(Stage(f"{name}, fading in", start, size))
            found.append(Stage(name, n * (training + transition), size))
        return found

    def reached(self) -> Iterator[tuple[int, int, int]]:
        """(first image, image behind the last, resolution) for each resolution in turn."""
        (training, transition), start = self.phase, 0
        phases = self.first_lod if self.grows else 0
        for n in range(phases + 1):
            # Fading begins behind the image with which training ends.
            end = n * (training + transition) + training + bool(transition)
            end = 2**62 if n == phases else end
            yield start, end, FIRST * 2 ** (self.pyramid.last - phases + n)
            start = end


@lru_cache(maxsize=64)
def table(text: str, name: str) -> Table:
    """`8:128,16:64` as numbers by resolution; `none` has none.

    Raises:
        InputError: it is no such table.
    """
    if text.strip() in ("none", ""):
        return {}
    found: Table = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,6})\s*:\s*(\d+\.?\d*(?:e-?\d+)?|\.\d+)\s*", part)
        if match is None or int(match[1]).bit_count() != 1 or not float(match[2]) > 0:
            raise InputError(
                f"--{option_name(name)} {text}: wants RESOLUTION:NUMBER, the resolution a power of "
                "two and the number above 0, with commas between, such as 8:128,16:64; or none"
            )
        found[int(match[1])] = float(match[2])
    return found
