"""An extractor of the data's own: a small network that learns to tell what was done to a picture,
and of which class it is.

What generators get wrong is blur, grain, parts in wrong places, pictures laid over one another,
colours; a network that has learnt to see these in real pictures of the set has features that
show them. Turns, which can only be told by what a picture shows, bring in its content (Gidaris et
al. 2018), and so do classes where the folders name them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganvas.evaluation.extractors import (
    LARGE,
    SMALL,
    WIDTHS,
    SmallExtractor,
    SmallNetwork,
    side_for,
)
from ganvas.evaluation.files import cache_folder, digest_of, keep, kept

RECIPE = 1
"""Counted up when the training below changes."""
STEPS, BATCH, RATE = 200, 64, 2e-3
MOST = 2000
"""Pictures to learn from."""
Size = tuple[int, int]

Spoil = Callable[[Tensor, torch.Generator], Tensor]


def soft(x: Tensor, chance: torch.Generator) -> Tensor:
    return F.interpolate(F.avg_pool2d(x, 2), x.shape[2:], mode="bilinear")


def grainy(x: Tensor, chance: torch.Generator) -> Tensor:
    return x + 0.15 * torch.randn(x.shape, generator=chance).to(x)


def shuffled(x: Tensor, chance: torch.Generator) -> Tensor:
    """Cut into four strips, two of which change places."""
    parts = list(x.chunk(4, 2))
    i, j = torch.randperm(4, generator=chance)[:2].tolist()
    parts[i], parts[j] = parts[j], parts[i]
    return torch.cat(parts, 2)


def blended(x: Tensor, chance: torch.Generator) -> Tensor:
    return (x + x.roll(1, 0)) / 2


def tinted(x: Tensor, chance: torch.Generator) -> Tensor:
    """Each channel flatter or steeper, darker or lighter."""
    shape = (len(x), x.shape[1], 1, 1)
    gain = 1 + 0.6 * (torch.rand(shape, generator=chance).to(x) - 0.5)
    return x * gain + 0.4 * (torch.rand(shape, generator=chance).to(x) - 0.5)


SPOILS: tuple[Spoil, ...] = (lambda x, chance: x, soft, grainy, shuffled, blended, tinted)


class Task(NamedTuple):
    """What to learn from: pictures (N, C, side, side) in [-1, 1], labels (N,), and how many classes
    these name; 1: none."""

    pictures: Tensor
    labels: Tensor
    classes: int


def own_extractor(
    task: Callable[[int], Task], channels: int, fingerprint: str, size: Size, seed: int = 0
) -> SmallExtractor:
    """The extractor that learns from pictures of these channels: from a file where it has been
    trained before, else trained now, by `task`, which is told the side.

    `fingerprint` tells the pictures from others; `size` is their (width, height).
    """
    side = side_for(size)
    key = digest_of("own", RECIPE, fingerprint, side, channels, seed)
    place = cache_folder() / "extractors" / f"own-{key[:16]}.safetensors"
    if (found := from_file(place)) is None:
        learnt_from = task(side)
        # Layers draw their first weights from torch's generator, which belongs to the method.
        with torch.random.fork_rng(), torch.enable_grad():
            network = trained(SmallNetwork(channels, side), learnt_from, seed, STEPS)
        keep(place, network.state_dict())
        found = named(network, side, place)
    return found


def named(network: SmallNetwork, side: int, place: Path) -> SmallExtractor:
    recipe = f"trained on pictures of the data, by recipe {RECIPE}"
    return SmallExtractor(network, side, "own@{digest}", recipe=recipe, file=str(place))


def from_file(place: Path) -> SmallExtractor | None:
    """The extractor that a file of weights holds, or None where it holds none."""
    weights = kept(place) or {}
    blocks = len({key.split(".")[1] for key in weights if key.startswith("blocks.")})
    side = {len(WIDTHS): SMALL, len(WIDTHS) + 1: LARGE}.get(blocks)
    first = weights.get("blocks.0.0.weight")
    if side is None or first is None or first.ndim != 4:
        return None
    network = SmallNetwork(first.shape[1], side)
    try:
        network.load_state_dict(weights)
    except RuntimeError:
        return None
    return named(network, side, place)


def trained(network: SmallNetwork, task: Task, seed: int, steps: int) -> SmallNetwork:
    """Learn turns, spoils and classes, in float32 on the CPU, so that the same pictures give the
    same network."""
    chance = torch.Generator().manual_seed(seed)
    heads = nn.ModuleList(nn.Linear(network.width, n) for n in (4, len(SPOILS), task.classes))
    for layer in (*network.modules(), *heads):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            deviation = (2 / layer.weight[0].numel()) ** 0.5
            layer.weight.data.normal_(0, deviation, generator=chance)
        if isinstance(layer, nn.Linear):
            layer.bias.data.zero_()
    network.train()
    parameters = [*network.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(steps):
        chosen = torch.randint(len(task.pictures), (BATCH,), generator=chance)
        x, turns, spoils = spoilt(task.pictures[chosen], chance)
        seen = network.pooled(x)
        answers = [head(seen) for head in heads]
        truths = (turns, spoils, task.labels[chosen])
        loss = sum(F.cross_entropy(a, t) for a, t in zip(answers, truths, strict=True))
        optimizer.zero_grad()
        torch.as_tensor(loss).backward()
        optimizer.step()
        schedule.step()
    network.eval()
    with torch.no_grad():
        seen = torch.cat([network.pooled(x) for x in task.pictures.split(256)])
    network.shift.copy_(seen.mean(0))
    network.scale.copy_(seen.std(0).clamp(min=1e-4))
    return network


def spoilt(x: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures (N, C, s, s), each turned by a number of quarters and spoilt in one way: with these
    numbers."""
    flips = torch.rand(len(x), generator=chance) < 0.5
    x = torch.where(flips[:, None, None, None], x.flip(3), x)
    turns = torch.randint(4, (len(x),), generator=chance)
    spoils = torch.randint(len(SPOILS), (len(x),), generator=chance)
    for n, spoil in enumerate(SPOILS):
        here = (spoils == n).nonzero()[:, 0]
        if len(here):
            x[here] = spoil(x[here], chance)
    for n in range(1, 4):
        here = (turns == n).nonzero()[:, 0]
        x[here] = torch.rot90(x[here], n, (2, 3))
    return x, turns, spoils
