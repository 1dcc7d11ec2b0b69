"""Methods that make pictures from noise."""

from collections.abc import Iterable, Sequence
from operator import index

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganvas.errors import InputError, did_you_mean
from ganvas.methods.adversarial import Adversarial
from ganvas.methods.base import Batch
from ganvas.pictures import Picture, to_pil

AT_ONCE = 16


class Generator(Adversarial):
    """A method that turns latents z ~ N(0, I) into pictures, of a class where it was trained so.

    A subclass gives `nz` and `synthesise`.
    """

    domains = ("pictures",)
    data = "pictures"
    nz: int
    """Numbers in a latent."""

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
        parts = [None] * -(-len(z) // at_once) if labels is None else labels.split(at_once)
        x = torch.cat(
            [self.synthesise(*few) for few in zip(z.split(at_once), parts, strict=True)]
        ).float()
        if not x.isfinite().all():
            raise InputError(
                "the network's answer is not finite: its training has diverged; take an earlier "
                "snapshot"
            )
        return x

    @torch.inference_mode()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        """The pictures of seeds 0, 1, 2 ...: the same latents every time."""
        seeds, device = range(self.config.previews), next(self.parameters()).device
        # In full precision, as `generate` makes them.
        with torch.autocast(device.type, enabled=False):
            return {"fake": self.synthesise(self.latents(seeds), self.labels(seeds))}


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
