"""Methods that make pictures from noise."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from operator import index
from typing import ClassVar, Literal, Self, get_args

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ganvas.config import Preprocess
from ganvas.errors import InputError, did_you_mean
from ganvas.methods.adversarial import Adversarial, AdversarialSettings
from ganvas.methods.base import Batch
from ganvas.networks.stylegan import LEAST_BASE, MOST_BASE, halvings
from ganvas.pictures import Picture, to_pil
from ganvas.scales import range_of
from ganvas.schedules import Policy

AT_ONCE = 16
NOT_FINITE = (
    "the network's answer is not finite: its training has diverged; take an earlier snapshot"
)
NoiseMode = Literal["random", "const", "none"]


@dataclass(frozen=True)
class Look:
    """How pictures are made of latents, where a method has such choices."""

    truncation: float | None = None
    """How far styles are from their mean: psi, 1 being as far as drawn. None: 1."""
    cutoff: int | None = None
    """The layers for which that holds, counted from the coarsest. None: the method's own."""
    noise: NoiseMode | None = None
    """random follows from each latent, const is the same for all, none is none. None: const."""


@dataclass(kw_only=True)
class GeneratorSettings(AdversarialSettings):
    """Pictures to make"""

    channels: int | None = None
    """1 takes pictures as grey, 3 as RGB; of others it must be what they have. Left out: as they
    are."""
    range: str | None = None
    """Values that become -1 and 1: LOW:HIGH such as 0:4095, for each channel where they differ
    (0:4095,-1:1); measured; type, the ends of an integer type. Left out: type for 8 bits, else
    measured."""
    conditional: bool = False
    """Learn the classes that the folders name (Mirza and Osindero 2014)."""
    preprocess: Preprocess = "center_crop"
    lr_policy: Policy = "constant"

    def check(self) -> None:
        super().check()
        if self.channels is not None:
            self.at_least("channels", 1)
        if self.range is not None:
            range_of(self.range, "range")
        if self.preprocess in ("none", "scale_width"):
            raise InputError(
                f"--preprocess {self.preprocess}: keeps pictures of different sizes, but a "
                "generator makes one; take center_crop"
            )

    def channels_of(self, domain: str) -> int | None:
        return self.channels

    def range_of(self, domain: str) -> str | None:
        return self.range


class DoubledSizes:
    """Settings of networks that begin with a small size and double it."""

    def check_size(self, width: int, height: int, what: str) -> None:
        base, doublings = halvings((height, width))
        if not doublings or not LEAST_BASE <= min(base) <= MOST_BASE:
            raise InputError(
                f"{what}: wants a small size doubled again and again, such as 64 (4 doubled four "
                "times), 80x48 (5x3) or 96 (3)"
            )

    @property
    def size_step(self) -> int:
        return 32


class Generator(Adversarial):
    """A method that turns latents z ~ N(0, I) into pictures, of a class where it was trained so.

    A subclass gives `nz` and `synthesise`.
    """

    domains = ("pictures",)
    data = "pictures"
    nz: int
    """Numbers in a latent."""
    knows: ClassVar[frozenset[str]] = frozenset()
    """The parts of a `Look` that it has."""
    look = Look()
    """How it makes pictures: see `use`."""

    def __init__(
        self, config: GeneratorSettings, channels: Mapping[str, int], classes: Sequence[str] = ()
    ) -> None:
        super().__init__(config, channels, classes if config.conditional else ())
        if config.conditional and not classes:
            raise InputError(
                "--conditional: wants a folder for each class with all its pictures in it, and no "
                "picture beside these folders; `ganvas data check` says what is there"
            )
        self.unused_classes = 0 if config.conditional else len(classes)

    @property
    def notes(self) -> list[str]:
        if not self.unused_classes:
            return super().notes
        return [
            f"{self.unused_classes} class folders: their names are not used; --conditional learns "
            "them",
            *super().notes,
        ]

    def one_hot(self, labels: Tensor | None) -> Tensor | None:
        """Labels (N,) as (N, classes); None where no classes are learnt."""
        if not self.conditional or labels is None:
            return None
        return F.one_hot(labels, len(self.classes)).float()

    def use(
        self,
        truncation: float | None = None,
        cutoff: int | None = None,
        noise: NoiseMode | None = None,
    ) -> Self:
        """Make pictures so from now on: `Look` says what each is.

        Raises:
            InputError: the method has none of that, or there is no such value.
        """
        given = {"truncation": truncation, "cutoff": cutoff, "noise": noise}
        options = {"truncation": "truncation", "cutoff": "truncation-cutoff", "noise": "noise-mode"}
        for name, value in given.items():
            if value is not None and name not in self.knows:
                raise InputError(f"--{options[name]} {value}: {self.name} has none; leave it out")
        if noise is not None and noise not in get_args(NoiseMode):
            raise InputError(f"--noise-mode {noise}: must be one of random, const, none")
        if truncation is not None and not isfinite(truncation):
            raise InputError(f"--truncation {truncation}: must be a number, such as 0.7")
        if cutoff is not None and cutoff < 0:
            raise InputError(f"--truncation-cutoff {cutoff}: must be at least 0")
        if cutoff is not None and truncation is None:
            raise InputError(
                f"--truncation-cutoff {cutoff}: is without effect; add --truncation 0.7"
            )
        self.look = Look(truncation, cutoff, noise)
        return self

    def synthesise(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Latents (N, nz) and labels (N,) to pictures (N, C, H, W) in [-1, 1], by the averaged
        network where an average is kept. Labels are None where the method knows no classes."""
        raise NotImplementedError  # pragma: no cover

    @property
    def conditional(self) -> bool:
        """Whether pictures are asked for by class."""
        return bool(self.classes)

    def latents(self, seeds: Iterable[int]) -> Tensor:
        """One latent a seed, (N, nz): each follows from its seed alone.

        By NumPy's frozen generator, as in StyleGAN: the same in every version and on every
        device, and none of the latents that training draws.
        """
        rows = [np.random.RandomState(seed).randn(self.nz) for seed in seeds]
        z = torch.from_numpy(np.stack(rows)).float()
        return z.to(next(self.parameters()).device)

    def labels(self, seeds: Sequence[int], label: str | None = None) -> Tensor | None:
        """One label a seed, (N,): of the named class, or of each class in turn.

        Raises:
            InputError: there is no such class, or the method knows none.
        """
        if not self.conditional:
            if label is not None:
                raise InputError(
                    f"--class {label}: this run was trained without classes; train one with "
                    "--conditional on class folders"
                )
            return None
        if label is not None and label not in self.classes:
            raise InputError(
                f"--class {label}: there is no such class{did_you_mean(label, list(self.classes))};"
                f" there are {', '.join(self.classes)}"
            )
        picked = [self.classes.index(label) if label else s % len(self.classes) for s in seeds]
        return torch.tensor(picked, device=next(self.parameters()).device)

    @torch.no_grad()
    def generate(
        self, seeds: Iterable[int] = range(16), label: str | None = None
    ) -> list[Image.Image]:
        """A picture for each seed, always the same for the same seed, however many are asked for.

        `label` names a class; left out, seed s of a class-conditional run shows class s modulo
        the number of classes.

        Raises:
            InputError: there is no such class, or PIL has no such pictures (`generate_arrays`
                gives those).
        """
        return [to_pil(Picture(values)) for values in self.generate_arrays(seeds, label)]

    def generate_arrays(
        self, seeds: Iterable[int] = range(16), label: str | None = None
    ) -> list[np.ndarray]:
        """As `generate`, but as arrays (H, W, C), of the type and range of the pictures that were
        trained on."""
        scale = self.scales["pictures"]
        return [scale.values(x) for x in self.generate_tensor(seeds, label)]

    @torch.no_grad()
    def generate_tensor(self, seeds: Iterable[int] = range(16), label: str | None = None) -> Tensor:
        """As `generate`, but as a tensor (N, C, H, W) in [-1, 1].

        Raises:
            InputError: there is no such class, or the network's answer is not finite.
        """
        seeds = checked(seeds)
        return self.render(self.latents(seeds), self.labels(seeds, label))

    @torch.no_grad()
    def render(self, z: Tensor, labels: Tensor | None, at_once: int = AT_ONCE) -> Tensor:
        """Latents (N, nz) to pictures, a few at once."""

        def made(few: slice) -> Tensor:
            return self.synthesise(z[few], None if labels is None else labels[few])

        return in_parts(made, len(z), at_once)

    @torch.inference_mode()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        """The pictures of seeds 0, 1, 2 ...: the same latents every time."""
        seeds, device = range(self.config.previews), next(self.parameters()).device
        # In full precision, as `generate` makes them.
        with torch.autocast(device.type, enabled=False):
            return {"fake": self.synthesise(self.latents(seeds), self.labels(seeds))}


def in_parts(made: Callable[[slice], Tensor], count: int, at_once: int) -> Tensor:
    """So many pictures, a few at once.

    Raises:
        InputError: the network's answer is not finite.
    """
    starts = range(0, count, at_once)
    x = torch.cat([made(slice(start, start + at_once)) for start in starts]).float()
    if not x.isfinite().all():
        raise InputError(NOT_FINITE)
    return x


def checked(seeds: Iterable[int]) -> list[int]:
    """The seeds, at least one, each from 0 to below 2^32.

    Raises:
        InputError: they are not.
    """
    found: list[int] = []
    try:
        given = list(seeds)
        found = [index(s) for s in given]
        whole = all(
            0 <= s < 2**32 and not isinstance(g, bool) for s, g in zip(found, given, strict=True)
        )
    except TypeError:
        whole = False
    if not whole or not found:
        raise InputError(
            f"seeds {seeds}: wants whole numbers from 0 to below 2^32, at least one, such as "
            "range(16)"
        )
    return found
