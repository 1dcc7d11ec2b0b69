"""Methods that make pictures of styles, which they make of latents: StyleGAN."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ganvas.methods.generator import AT_ONCE, Generator, in_parts
from ganvas.networks.stylegan import Noise

CUTOFF = 8
"""Layers whose styles are truncated where nothing else is said: those of 4x4 to 32x32."""


class Styled(Generator):
    """A generator in two parts: z -> a style w for each layer -> picture.

    A subclass gives `layers`, `styles`, `pictures_of`, `truncated` and `kept_noise`.
    """

    knows = frozenset({"truncation", "cutoff", "noise"})

    @property
    def layers(self) -> int:
        """Layers that take a style each."""
        raise NotImplementedError  # pragma: no cover

    def styles(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Latents (N, nz) and labels (N,) to the styles of all layers, (N, layers, nw), as they
        are before truncation."""
        raise NotImplementedError  # pragma: no cover

    def pictures_of(self, styles: Tensor, noise: Noise = "const") -> Tensor:
        """Styles (N, layers, nw) to pictures (N, C, H, W) of the full size."""
        raise NotImplementedError  # pragma: no cover

    def truncated(self, styles: Tensor, psi: float, cutoff: int) -> Tensor:
        """The first `cutoff` layers' styles psi times as far from their mean."""
        raise NotImplementedError  # pragma: no cover

    def kept_noise(self) -> list[Tensor]:
        """What `const` is for each layer, (1, 1, h, w)."""
        raise NotImplementedError  # pragma: no cover

    def synthesise(self, z: Tensor, labels: Tensor | None) -> Tensor:
        return self.pictures_of(self.styles_shown(z, labels), self.noise_shown(z))

    def styles_shown(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Styles, truncated as `use` says."""
        styles, look = self.styles(z, labels), self.look
        if look.truncation is None:
            return styles
        cutoff = CUTOFF if look.cutoff is None else look.cutoff
        return self.truncated(styles, look.truncation, cutoff)

    def noise_shown(self, z: Tensor) -> Noise:
        """Noise of the kind that `use` says."""
        mode = self.look.noise or "const"
        if mode != "random":
            return mode
        shapes = [(kept.shape[2], kept.shape[3]) for kept in self.kept_noise()]
        return noise_of(z, shapes)

    @torch.no_grad()
    def render_styles(
        self, styles: Tensor, noise: Noise = "const", at_once: int = AT_ONCE
    ) -> Tensor:
        """Styles (N, layers, nw) to pictures, a few at once, as `render` does of latents."""
        return in_parts(
            lambda few: self.pictures_of(styles[few], cut(noise, few)), len(styles), at_once
        )


def cut(noise: Noise, few: slice) -> Noise:
    """The noise of a few pictures out of maps for all."""
    return noise if isinstance(noise, str) else [m if len(m) == 1 else m[few] for m in noise]


def noise_of(z: Tensor, shapes: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Noise for each layer, (N, 1, h, w), that follows from each latent alone: the same seed gives
    the same picture, in whatever company."""
    rows = [np.random.RandomState(row.view(np.uint32)) for row in z.float().cpu().numpy()]
    maps = [np.stack([row.randn(1, *shape) for row in rows]) for shape in shapes]
    return [torch.from_numpy(m).float().to(z.device) for m in maps]
