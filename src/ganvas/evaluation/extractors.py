"""What makes features of pictures, and knows what it is: its name, its hash, its rules."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganvas.errors import InputError
from ganvas.evaluation.files import digest_of_tensors

SLOPE = 0.2
SMALL, LARGE = 32, 64
"""The sides that small networks see pictures at."""
WIDTHS = (16, 32, 64, 128)
USED = 2
"""The means of so many last blocks are the features."""


class Answer(NamedTuple):
    """Features (N, d) of pictures, and a classifier's logits (N, classes) where it has such."""

    features: Tensor
    logits: Tensor | None = None


class Extractor(Protocol):
    """Features of pictures (N, C, H, W) in [-1, 1], of any size."""

    @property
    def name(self) -> str:
        """What stands in a metric's name: `own@1a2b3c4d`; `inception` only of the known file."""
        ...

    @property
    def about(self) -> Mapping[str, Any]:
        """For the record: file or recipe, SHA-256, rules of resizing."""
        ...

    @property
    def slow(self) -> bool:
        """Whether the features of real pictures are worth keeping in a file."""
        ...

    def __call__(self, x: Tensor) -> Answer: ...


class SmallNetwork(nn.Module):
    """Pictures (N, C, side, side) to features (N, 192): convolutions with a halving after each but
    the last; the features are the means over the picture of the last two, brought to mean 0 and
    deviation 1 over the pictures it was trained on."""

    shift: Tensor
    scale: Tensor

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        widths = ((WIDTHS[0] // 2,) if side == LARGE else ()) + WIDTHS
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, 3, 1, 1, bias=False),
                nn.BatchNorm2d(after),
                nn.LeakyReLU(SLOPE),
            )
            for before, after in zip((channels, *widths[:-1]), widths, strict=True)
        )
        self.width = sum(widths[-USED:])
        self.register_buffer("shift", torch.zeros(self.width))
        self.register_buffer("scale", torch.ones(self.width))

    def pooled(self, x: Tensor) -> Tensor:
        """The means as they are, (N, width)."""
        means = []
        for block in self.blocks:
            x = block(x if not means else F.avg_pool2d(x, 2))
            means.append(x.mean((2, 3)))
        return torch.cat(means[-USED:], 1)

    def forward(self, x: Tensor) -> Tensor:
        return (self.pooled(x) - self.shift) / self.scale


def side_for(size: tuple[int, int]) -> int:
    """The side at which pictures of that width and height are seen."""
    return SMALL if max(size) <= SMALL else LARGE


def squared(x: Tensor, side: int) -> Tensor:
    """(N, C, H, W) as (N, C, side, side), bilinear and without aliasing; the shape is not kept."""
    if x.shape[2:] == (side, side):
        return x
    return F.interpolate(x, (side, side), mode="bilinear", antialias=True)


class SmallExtractor:
    """A small network of ours as an extractor."""

    slow = False

    def __init__(self, network: SmallNetwork, side: int, name: str, **about: Any) -> None:
        self.network, self.side = network.eval().requires_grad_(False), side
        self.digest = digest_of_tensors(network.state_dict())
        self.name = name.format(digest=self.digest[:8])
        self.about = {
            **about,
            "sha256": self.digest,
            "features": network.width,
            "resize": f"{side}x{side}, bilinear, antialiased",
        }

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Answer:
        wanted, found = self.network.blocks[0][0].in_channels, x.shape[1]  # pyright: ignore
        if wanted != found:
            raise InputError(
                f"--extractor: sees pictures of {wanted} channels, and these have {found}"
            )
        self.network.to(x.device)
        return Answer(self.network(squared(x.float(), self.side)).cpu())


def random_extractor(channels: int, size: tuple[int, int], seed: int = 0) -> SmallExtractor:
    """A network as it is before any training, its weights drawn by that seed: weak, but it needs
    no pictures and no file."""
    side, chance = side_for(size), torch.Generator().manual_seed(seed)
    network = SmallNetwork(channels, side)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            deviation = (2 / ((1 + SLOPE**2) * layer.weight[0].numel())) ** 0.5
            layer.weight.data.normal_(0, deviation, generator=chance)
    return SmallExtractor(network, side, f"random@seed{seed}", recipe="random weights", seed=seed)
