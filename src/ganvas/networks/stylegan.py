"""StyleGAN's networks: Karras, Laine and Aila 2019, "A Style-Based Generator Architecture for
Generative Adversarial Networks", with the progressive growing of Karras et al. 2018.

A network works at one size of a `Pyramid`, by its `lod`, the level of detail: 0 is the whole size,
each whole number above halves it, and a fraction fades from one size to the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ganvas import chance
from ganvas.networks.equalized import (
    EPSILON,
    EqualizedConv2d,
    EqualizedLinear,
    Resample,
    blur,
    downscaled,
    lrelu,
    minibatch_deviation,
    pixel_norm,
    upscaled,
)
from ganvas.networks.norms import InstanceNorm2d, Tracking

Structure = Literal["growing", "fixed", "skip"]
"""growing: the paper's. fixed: the whole size from the start, one layer to and from pixels. skip:
the same with pictures of all sizes added up, and taken in (Karras et al. 2020, figure 7 b)."""
NoiseMode = Literal["random", "const", "none"]
Noise = NoiseMode | Sequence[Tensor]
"""Drawn anew for each picture, always that of the network's buffers, none; or a map (N or 1, 1, h,
w) for each layer."""
LEAST_BASE, MOST_BASE = 3, 15


@dataclass(frozen=True)
class Pyramid:
    """Sizes and channels from the smallest stage, 0, to the whole picture, `last`."""

    base: tuple[int, int]
    """(height, width) of stage 0."""
    last: int
    """How often that is doubled."""
    fmap_base: int = 8192
    fmap_max: int = 512

    def size(self, stage: int) -> tuple[int, int]:
        """(height, width)."""
        return self.base[0] * 2**stage, self.base[1] * 2**stage

    def channels(self, stage: int) -> int:
        """min(fmap_base / 2^(stage + 1), fmap_max): half as many with each doubling. Stage -1 is
        that of the discriminator's dense layer."""
        return max(1, min(self.fmap_base // 2 ** (stage + 1), self.fmap_max))

    def stage(self, lod: float) -> int:
        """The stage that networks work at."""
        return self.last - floor(lod)

    @property
    def layers(self) -> int:
        """Style inputs: two a stage."""
        return 2 * (self.last + 1)


def halvings(size: tuple[int, int]) -> tuple[tuple[int, int], int]:
    """The smallest stage of that size, (height, width) either way, and how often it is doubled:
    halved while both sides are even and the shorter one stays at 3 or more."""
    count = 0
    while not size[0] % 2 and not size[1] % 2 and min(size) // 2 >= LEAST_BASE:
        size, count = (size[0] // 2, size[1] // 2), count + 1
    return size, count


class Leveled(nn.Module):
    """A network with a level of detail, kept with its weights."""

    kept_lod: Tensor

    def __init__(self, pyramid: Pyramid) -> None:
        super().__init__()
        self.pyramid = pyramid
        self.register_buffer("kept_lod", torch.zeros(()))
        # Read from the buffer only when weights are loaded, so that no step waits for a device.
        self.lod = 0.0
        self.register_load_state_dict_post_hook(read_lod)

    def set_lod(self, lod: float) -> None:
        """0 to `last`; of float32, as the weights' file keeps it."""
        self.kept_lod.fill_(lod)
        self.lod = lod

    @property
    def stage(self) -> int:
        return self.pyramid.stage(self.lod)

    @property
    def fade(self) -> float:
        """How much of the stage below is still in the picture: 0 to below 1."""
        return self.lod - floor(self.lod)


def read_lod(network: nn.Module, keys: Any) -> None:
    assert isinstance(network, Leveled)
    network.lod = float(network.kept_lod)


class Mapping(nn.Module):
    """Latents z (N, nz), and one-hot labels (N, classes), to styles w (N, nw).

    Labels become a vector as long as z, laid beside it; the two are normalised together.
    """

    def __init__(
        self, nz: int, nw: int, classes: int, layers: int, width: int, lr_mul: float
    ) -> None:
        super().__init__()
        self.label = nn.Parameter(torch.randn(classes, nz)) if classes else None
        widths = [2 * nz if classes else nz, *[width] * (layers - 1), nw]
        self.layers = nn.ModuleList(
            EqualizedLinear(widths[n], widths[n + 1], lr_mul=lr_mul) for n in range(layers)
        )

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.label is not None and labels is not None:
            z = torch.cat([z, labels @ self.label], 1)
        w = pixel_norm(z)
        for layer in self.layers:
            w = lrelu(layer(w))
        return w


class Epilogue(nn.Module):
    """What follows a convolution: noise, bias, leaky ReLU, instance norm, style  (figure 1 b).

    y = (s + 1) norm(x) + b, of which s and b follow from w: adaptive instance norm (eq. 1), with
    scales that begin around 1.
    """

    noise: Tensor

    def __init__(self, channels: int, nw: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.noise_weight = nn.Parameter(torch.zeros(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.norm = InstanceNorm2d(channels, EPSILON)
        self.style = EqualizedLinear(nw, 2 * channels, gain=1)
        self.register_buffer("noise", torch.randn(1, 1, *size))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        if noise is not None:
            x = x + noise * self.noise_weight[:, None, None]
        x = self.norm(lrelu(x + self.bias[:, None, None]))
        scale, shift = self.style(w)[:, :, None, None].chunk(2, 1)
        return torch.addcmul(shift, x, scale + 1)


class SynthesisLayer(nn.Module):
    """A convolution, a blur where it enlarges, and the epilogue."""

    def __init__(self, inputs: int, outputs: int, nw: int, size: tuple[int, int], up: bool) -> None:
        super().__init__()
        resample: Resample | None = "up" if up else None
        self.conv = EqualizedConv2d(inputs, outputs, bias=False, resample=resample)
        self.epilogue = Epilogue(outputs, nw, size)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        x = self.conv(x)
        return self.epilogue(blur(x) if self.conv.resample else x, w, noise)


class ConstantLayer(nn.Module):
    """The learned constant, which all pictures begin with, and its epilogue."""

    def __init__(self, channels: int, nw: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.ones(1, channels, *size))
        self.epilogue = Epilogue(channels, nw, size)

    def forward(self, w: Tensor, noise: Tensor | None) -> Tensor:
        return self.epilogue(self.constant.expand(w.shape[0], -1, -1, -1), w, noise)


class GeneratorNetwork(Tracking, Leveled):
    """Styles (N, layers, nw), or w (N, nw) for all layers, to pictures (N, C, h, w) of the stage
    that `lod` says; trained into [-1, 1], and not held there.

    `mapping` makes w of latents, `w_avg` (nw,) is its running mean.
    """

    w_avg: Tensor

    def __init__(
        self, pyramid: Pyramid, mapping: Mapping, nw: int, channels: int, structure: Structure
    ) -> None:
        super().__init__(pyramid)
        p, self.structure = pyramid, structure
        self.mapping = mapping
        self.register_buffer("w_avg", torch.zeros(nw))
        self.first = ConstantLayer(p.channels(0), nw, p.size(0))
        self.layers = nn.ModuleList()
        for layer in range(1, p.layers):
            stage, up = layer // 2, not layer % 2
            before = p.channels(stage - 1) if up else p.channels(stage)
            self.layers.append(SynthesisLayer(before, p.channels(stage), nw, p.size(stage), up))
        self.to_rgb = nn.ModuleDict(
            {str(n): EqualizedConv2d(p.channels(n), channels, 1, 1) for n in seen(p, structure)}
        )

    def forward(self, w: Tensor, noise: Noise = "random") -> Tensor:
        styles = w[:, None].expand(-1, self.pyramid.layers, -1) if w.ndim == 2 else w
        top, fade = self.stage, self.fade
        x = self.first(styles[:, 0], self.noise_of(0, styles, noise))
        picture = below = None
        for layer in range(1, 2 * (top + 1)):
            x = self.layers[layer - 1](x, styles[:, layer], self.noise_of(layer, styles, noise))
            if not layer % 2:
                continue  # a stage has two layers
            stage = layer // 2
            if self.structure == "skip":
                rgb = self.to_rgb[str(stage)](x)
                picture = rgb if picture is None else upscaled(picture) + rgb
            elif stage == top:
                picture = self.to_rgb[str(stage)](x)
            elif stage == top - 1 and fade:
                below = self.to_rgb[str(stage)](x)
        assert picture is not None
        return picture if below is None else torch.lerp(picture, upscaled(below), fade)

    @property
    def segments(self) -> list[nn.Module]:
        """What keeps its inputs by itself: the layers."""
        return [self.first, *self.layers]

    def noise_of(self, layer: int, styles: Tensor, noise: Noise) -> Tensor | None:
        """The noise of a layer, (N or 1, 1, h, w)."""
        if not isinstance(noise, str):
            return noise[layer]
        kept = self.epilogue(layer).noise
        if noise == "random":
            return chance.randn(len(styles), *kept.shape[1:], device=kept.device)
        return kept if noise == "const" else None

    def epilogue(self, layer: int) -> Epilogue:
        owner = self.first if layer == 0 else self.layers[layer - 1]
        assert isinstance(owner, ConstantLayer | SynthesisLayer)
        return owner.epilogue

    def noise_shapes(self) -> list[tuple[int, int]]:
        """(h, w) of each layer's noise."""
        return [self.pyramid.size(layer // 2) for layer in range(self.pyramid.layers)]

    @torch.no_grad()
    def track(self, w: Tensor, beta: float) -> None:
        """Move `w_avg` by 1 - beta towards the mean of w (N, nw), unless it is held."""
        if not self.held:
            self.w_avg.lerp_(w.detach().mean(0).to(self.w_avg), 1 - beta)

    def truncated(self, styles: Tensor, psi: float, cutoff: int) -> Tensor:
        """The first `cutoff` of styles (N, layers, nw) at w_avg + psi (w - w_avg)  (appendix B)."""
        moved = torch.lerp(self.w_avg.to(styles), styles[:, :cutoff], psi)
        return torch.cat([moved, styles[:, cutoff:]], 1)


class DiscriminatorBlock(nn.Module):
    """Features of one stage to those of the stage below."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = EqualizedConv2d(inputs, inputs)
        self.down = EqualizedConv2d(inputs, outputs, resample="down")

    def forward(self, x: Tensor) -> Tensor:
        return lrelu(self.down(blur(lrelu(self.conv(x)))))


class DiscriminatorNetwork(Leveled):
    """Pictures (N, C, H, W), of the stage that `lod` says or larger, and one-hot labels
    (N, classes), to raw scores (N, 1).

    Larger ones are brought to that stage by the means of squares. With classes, the last layer has
    a score for each, and that of the picture's own is taken.
    """

    def __init__(
        self, pyramid: Pyramid, channels: int, structure: Structure, classes: int, group: int
    ) -> None:
        super().__init__(pyramid)
        p, self.structure, self.group = pyramid, structure, group
        self.from_rgb = nn.ModuleDict(
            {str(n): EqualizedConv2d(channels, p.channels(n), 1) for n in seen(p, structure)}
        )
        self.blocks = nn.ModuleList(
            DiscriminatorBlock(p.channels(n), p.channels(n - 1)) for n in range(1, p.last + 1)
        )
        last, area = p.channels(0), p.base[0] * p.base[1]
        self.conv = EqualizedConv2d(last + (group > 1), last)
        self.dense = EqualizedLinear(last * area, p.channels(-1))
        self.score = EqualizedLinear(p.channels(-1), max(classes, 1), gain=1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        top, fade = self.stage, self.fade
        picture = downscaled(x, x.shape[2] // self.pyramid.size(top)[0])
        x = self.features(picture, top)
        for stage in range(top, 0, -1):
            x = self.blocks[stage - 1](x)
            if self.structure == "skip":
                picture = downscaled(picture)
                x = x + self.features(picture, stage - 1)
            elif stage == top and fade:
                x = torch.lerp(x, self.features(downscaled(picture), stage - 1), fade)
        x = minibatch_deviation(x, self.group) if self.group > 1 else x
        x = lrelu(self.conv(x))
        scores = self.score(lrelu(self.dense(x.flatten(1))))
        return scores if labels is None else (scores * labels).sum(1, keepdim=True)

    @property
    def segments(self) -> list[nn.Module]:
        """What keeps its inputs by itself: the blocks."""
        return list(self.blocks)

    def features(self, picture: Tensor, stage: int) -> Tensor:
        return lrelu(self.from_rgb[str(stage)](picture))


def seen(pyramid: Pyramid, structure: Structure) -> range:
    """The stages whose pictures are made and looked at."""
    return range(pyramid.last if structure == "fixed" else 0, pyramid.last + 1)
