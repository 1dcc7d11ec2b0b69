"""What is kept of a set of pictures that is seen batch by batch."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ganvas.evaluation.extractors import Answer, Extractor
from ganvas.evaluation.sliced_wasserstein import patches
from ganvas.pictures import from_unit, to_unit
from ganvas.scales import Scale

PATCHES = 16
"""Of each picture and level."""
FEW = 256
"""Pictures that are kept whole."""


@dataclass(frozen=True)
class Look:
    """What a look at a few pictures gave, on the CPU."""

    count: int
    answers: dict[str, Answer]
    pictures: Tensor | None
    """(N, C, H, W) in [-1, 1], where patches are cut out of them or some are kept."""


class Gallery:
    """Features by each extractor, patches, and the first few pictures."""

    def __init__(
        self, extractors: Mapping[str, Extractor], wants_patches: bool, wants_few: bool
    ) -> None:
        self.extractors, self.wants_patches, self.wants_few = extractors, wants_patches, wants_few
        self.chance = torch.Generator().manual_seed(0)
        self.found: dict[str, list[Tensor]] = {name: [] for name in extractors}
        self.answers: dict[str, list[Tensor]] = {name: [] for name in extractors}
        self.known: set[str] = set()
        self.cut: list[list[Tensor]] = []
        self.kept: list[Tensor] = []
        self.labels: list[Tensor] = []
        self.count = 0

    def know(self, name: str, features: Tensor) -> None:
        """The features (N, d) by that extractor are known from before."""
        self.found[name], self.count = [features], len(features)
        self.known.add(name)

    @property
    def complete(self) -> bool:
        """Whether there is nothing to see pictures for."""
        whole = self.known == self.extractors.keys()
        return whole and not self.wants_patches and not self.wants_few

    def see(self, x: Tensor, labels: Tensor | None = None) -> None:
        """Take in pictures (N, C, H, W) in [-1, 1]."""
        self.take(self.look(x), labels)

    @torch.no_grad()
    def look(self, x: Tensor) -> Look:
        """What there is to take in of pictures; another process may do so."""
        names = self.extractors.keys() - self.known
        answers = {name: self.extractors[name](x) for name in names}
        pictures = x.cpu() if self.wants_patches or self.wants_few else None
        return Look(len(x), answers, pictures)

    def take(self, look: Look, labels: Tensor | None = None) -> None:
        for name, answer in look.answers.items():
            self.found[name].append(answer.features)
            if answer.logits is not None:
                self.answers[name].append(answer.logits)
        x = look.pictures
        if x is not None and self.wants_patches:
            levels = patches(x, PATCHES, self.chance)
            self.cut += [[] for _ in range(len(levels) - len(self.cut))]
            for kept, level in zip(self.cut, levels, strict=False):
                kept.append(level)
        if x is not None and self.wants_few and (room := FEW - sum(map(len, self.kept))) > 0:
            self.kept.append(x[:room])
            if labels is not None:
                self.labels.append(labels[:room].cpu())
        if not self.known:
            self.count += look.count

    def features(self, name: str) -> Tensor:
        """(N, d)"""
        return torch.cat(self.found[name])

    def logits(self, name: str) -> Tensor:
        """(N, classes)"""
        return torch.cat(self.answers[name])

    def patches(self) -> list[Tensor]:
        """Of each level, the finest first: (N, C, 7, 7)."""
        return [torch.cat(level) for level in self.cut]

    def few(self) -> tuple[Tensor, Tensor | None]:
        """The first pictures (n, C, H, W) in [0, 1], and their labels where they have such."""
        return (torch.cat(self.kept) + 1) / 2, torch.cat(self.labels) if self.labels else None


def quantised(x: Tensor, scale: Scale) -> Tensor:
    """Pictures (N, C, H, W) as they come back from a file of the run's own type, in [-1, 1]: what
    is judged is what a user would get."""
    if scale.is_bytes:
        return to_unit(from_unit(x))
    if scale.dtype.startswith("float"):
        return x.float().clamp(-1, 1)
    return torch.stack([scale.unit(scale.values(picture)) for picture in x]).to(x.device)
