"""What pictures are to be made of: seeds and saved codes, as latents or as styles."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, overload

import torch
from torch import Tensor

from ganvas.errors import InputError
from ganvas.inference.generate import loop, pictures, seeds_of
from ganvas.inference.saved import read_saved
from ganvas.inference.styles import Style, Styles, styled, styles_of_saved, styles_of_seeds
from ganvas.methods.generator import AT_ONCE, Generator


class OfSeeds(Sequence[Tensor]):
    """The latents (nz,) of seeds, each made when it is asked for."""

    def __init__(self, method: Generator, seeds: Sequence[int]) -> None:
        self.method, self.seeds = method, seeds

    def __len__(self) -> int:
        return len(self.seeds)

    @overload
    def __getitem__(self, index: int) -> Tensor: ...
    @overload
    def __getitem__(self, index: slice) -> "OfSeeds": ...
    def __getitem__(self, index: int | slice) -> "Tensor | OfSeeds":
        if isinstance(index, slice):
            return OfSeeds(self.method, self.seeds[index])
        return self.method.latents([self.seeds[index]])[0]


@dataclass(frozen=True)
class Latents:
    """Subjects that are given as latents, with a label for each where there are classes."""

    method: Generator
    names: list[str]
    rows: Sequence[Tensor]
    labels: Tensor | None

    def pictures(self, at_once: int = AT_ONCE) -> Iterator[Tensor]:
        return pictures(self.method, self.rows, self.labels, at_once)

    def film(self, steps: int, at_once: int = AT_ONCE) -> Iterator[Tensor]:
        """An arc from each to the next, all of the class of the first."""
        count = steps * len(self.rows)
        labels = None if self.labels is None else self.labels[:1].expand(count)
        way = loop(torch.stack(list(self.rows)), steps)
        return pictures(self.method, way, labels, at_once)


def subjects_of_seeds(
    method: Generator, seeds: list[int], label: str | None = None, space: Literal["z", "w"] = "z"
) -> Latents | Styles:
    """Seeds as latents, or as styles to go between in w: then all of the class of the first.

    Raises:
        InputError: there is no such class, or the method has no styles.
    """
    labels, names = method.labels(seeds, label), [f"seed{seed:04d}" for seed in seeds]
    if space == "z":
        return Latents(method, names, OfSeeds(method, seeds), labels)
    maker = styled(method, "interpolate-in w")
    if maker.look.noise == "random":
        raise InputError(
            "--noise-mode random: follows from latents, and a way through w has none; take const"
        )
    labels = None if labels is None else labels[:1].expand(len(seeds))
    return Styles(maker, names, styles_of_seeds(maker, seeds, labels))


def subjects_of_files(
    method: Generator, paths: Sequence[Path], space: Literal["z", "w"] | None = None
) -> Latents | Styles:
    """What `ganvas project` has saved: latents, if all files hold latents and `space` is not w,
    else styles.

    Raises:
        InputError: a file cannot be read or is of another network, two have one name, or there are
            no latents where they are wanted.
    """
    found = [read_saved(path, method) for path in paths]
    names = [
        path.stem if len(saved.code) == 1 else f"{path.stem}-{n}"
        for path, saved in zip(paths, found, strict=True)
        for n in range(len(saved.code))
    ]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"--from: two would both be written as {twice[0]}; rename one's file")
    if space != "w" and all(saved.kind == "z" for saved in found):
        device = next(method.parameters()).device
        rows = torch.cat([saved.code for saved in found]).to(device).unbind()
        labels = [saved.label for saved in found for _ in saved.code]
        y = torch.tensor(labels, device=device) if method.conditional else None
        return Latents(method, names, rows, y)
    if space == "z":
        raise InputError("--interpolate-in z: what --from names holds styles; take w")
    maker = styled(method, "interpolate-in w")
    return Styles(maker, names, [s for saved in found for s in styles_of_saved(maker, saved)])


def mixing_sources(
    method: Generator, text: str, option: str, label: str | None = None
) -> list[Style]:
    """`0-3,face.npz`: styles of seeds, and saved ones.

    Raises:
        InputError: it says something else, or a file cannot be used.
    """
    maker, found = styled(method, option), []
    for part in text.split(","):
        if part.strip().endswith(".npz"):
            found += styles_of_saved(maker, read_saved(Path(part.strip()), method))
            continue
        seeds = seeds_of(part, option)
        found += styles_of_seeds(maker, seeds, method.labels(seeds, label))
    return found
