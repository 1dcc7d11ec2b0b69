"""The segmentation network learns from real pairs, once: it is kept, and known by its hash."""

import hashlib
import json
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor
from torch.nn import functional

from ganvas.clock import Clock, Duration
from ganvas.data.layouts import Pair
from ganvas.data.sampler import plain_draw
from ganvas.errors import InputError
from ganvas.evaluation.files import cache_folder
from ganvas.evaluation.palette import VOID
from ganvas.evaluation.segmentation.network import SegmentationNetwork, shrink_for
from ganvas.evaluation.segmentation.pairs import LabelPairs, fingerprint_of, spread_over
from ganvas.pictures import to_unit
from ganvas.runs.files import replace_folder, write_flushed

WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"
FORMAT = 1
"""Counted up when a network of the same settings would come out otherwise."""
SHOWN = 12
"""Digits of the hash that people are shown."""


@dataclass(frozen=True)
class SegmentationSettings:
    """How the segmentation network is built and trained.

    Raises:
        InputError: the duration is none, or a number is too small.
    """

    duration: str = "500it"
    """As a training's: 500it, 20ep, or 3min, which differs from machine to machine."""
    width: int = 16
    """Channels of the first layer."""
    batch_size: int = 8
    lr: float = 0.003
    """Where the cosine begins; it ends at 0."""
    balance: float = 0.25
    """A class weighs in the loss as its share of the pixels to the minus this: 0 weighs all pixels
    alike, 1 all classes."""
    flip: bool = True
    """Mirror every second pair at random."""
    max_pairs: int = 2000
    """Pairs to learn from, spread over all."""
    seed: int = 0

    def __post_init__(self) -> None:
        Duration.parse(self.duration)
        for name, least in (("width", 1), ("batch_size", 1), ("max_pairs", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(f"segmentation network: {name} must be at least {least}")
        if not self.lr > 0 or not self.balance >= 0:
            raise InputError("segmentation network: lr must be above 0, balance at least 0")


@dataclass
class TrainedNetwork:
    """A segmentation network with what is known of its training."""

    network: SegmentationNetwork
    hash: str
    """SHA-256 of its weights file."""
    described: dict[str, Any]
    """pairs, iterations, seconds, settings, palette, size, channels, data: plain values."""

    @property
    def told(self) -> str:
        """`segmentation network @1a2b3c4d5e6f, trained on 220 pairs in 500 steps`."""
        d = self.described
        return (
            f"segmentation network @{self.hash[:SHOWN]}, trained on {d['pairs']} pairs in "
            f"{d['iterations']} steps"
        )


def network_for(
    pairs: LabelPairs,
    settings: SegmentationSettings,
    *,
    device: torch.device | str = "cpu",
    cache: Path | None = None,
    on_progress: Callable[[float], object] | None = None,
) -> TrainedNetwork:
    """The network that these pairs and settings give: taken from the cache where it has been
    trained before, else trained and put there. A cache that cannot be written to is done without.

    Args:
        cache: a folder; left out, `segmentation` in ganvas's folder in the user's cache.
        on_progress: told which part of the training is done, 0 to 1.

    Raises:
        InputError: there are no pairs to learn from, or one cannot be read.
    """
    if not pairs.train:
        raise InputError(f"--data {pairs.source}: has no training pairs for a segmentation network")
    chosen = spread_over(pairs.train, settings.max_pairs)
    wanted: dict[str, Any] = {
        "format": FORMAT,
        "data": fingerprint_of(chosen),
        "pairs": len(chosen),
        "labels": pairs.labels,
        "palette": {k: v for k, v in pairs.palette.described().items() if k != "origin"},
        "preparation": asdict(pairs.preparation),
        "scale": pairs.scales[pairs.photos].described(),
        "settings": asdict(settings),
    }
    wanted = plain(wanted)
    key = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
    folder = (cache or default_cache()) / key[:32]
    if (kept := load_network(folder, wanted)) is not None:
        kept.network.to(device)
        return kept
    network, done = train_network(pairs, chosen, settings, device, on_progress)
    weights = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    content = save_safetensors(weights)
    found = hashlib.sha256(content).hexdigest()
    described = wanted | done | {"shrink": network.shrink, "hash": found}
    keep(folder, content, described)
    return TrainedNetwork(network, found, described)


def plain(values: Any) -> Any:
    """As they are read back from JSON."""
    return json.loads(json.dumps(values))


def default_cache() -> Path:
    """In the folder for what can be made again."""
    return cache_folder() / "segmentation"


def load_network(folder: Path, wanted: dict[str, Any]) -> TrainedNetwork | None:
    """The network kept there, whole and of just that making; None where there is no such."""
    try:
        described = json.loads((folder / DESCRIPTION).read_text())
        content = (folder / WEIGHTS).read_bytes()
        if hashlib.sha256(content).hexdigest() != described["hash"]:
            return None
        if any(described[name] != value for name, value in wanted.items()):
            return None
        network = built(described)
        network.load_state_dict(load_safetensors(content))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError):
        return None
    return TrainedNetwork(network.eval(), described["hash"], described)


def built(described: dict[str, Any]) -> SegmentationNetwork:
    return SegmentationNetwork(
        described["scale"]["channels"],
        len(described["palette"]["colours"]),
        described["settings"]["width"],
        described["shrink"],
    )


def keep(folder: Path, content: bytes, described: dict[str, Any]) -> None:
    """Put weights and description there whole, or nothing where that cannot be."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder.parent))
    except OSError:
        return
    try:
        write_flushed(beside / WEIGHTS, content)
        write_flushed(beside / DESCRIPTION, json.dumps(described, indent=1))
        replace_folder(beside, folder)
    except OSError:
        shutil.rmtree(beside, ignore_errors=True)


def train_network(
    pairs: LabelPairs,
    chosen: Sequence[Pair],
    settings: SegmentationSettings,
    device: torch.device | str,
    on_progress: Callable[[float], object] | None = None,
) -> tuple[SegmentationNetwork, dict[str, Any]]:
    """A network that learnt from the chosen pairs, ready for use, and how long that took. Nothing
    but pairs, settings and the device decide it, and no chance elsewhere is disturbed."""
    examples = [pairs.read_training(pair) for pair in chosen]
    window = crop_for(pairs, examples)
    classes = len(pairs.palette.colours)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = SegmentationNetwork(
            pairs.scales[pairs.photos].channels, classes, settings.width, shrink_for(window)
        )
    network.to(device).train()
    weight = class_weights([truth for _, truth in examples], classes, settings.balance).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.lr, weight_decay=0.01)
    clock, span, began = Clock(len(examples)), Duration.parse(settings.duration), time.monotonic()
    with torch.enable_grad():
        for photos, truths in batches(examples, window, settings):
            for group in optimizer.param_groups:
                group["lr"] = settings.lr * (1 + math.cos(math.pi * span.fraction(clock))) / 2
            scores = network(to_unit(photos.to(device)))
            loss = weighted_loss(scores, truths.to(device).long(), weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            clock.tick(len(photos))
            clock.seconds = time.monotonic() - began
            if on_progress is not None:
                on_progress(span.fraction(clock))
            if span.reached(clock):
                break
    done = {"iterations": clock.iterations, "seconds": round(clock.seconds, 1)}
    return network.requires_grad_(False).eval(), done


def crop_for(pairs: LabelPairs, examples: Sequence[tuple[Tensor, Tensor]]) -> tuple[int, int]:
    """Width and height of what the network sees of a picture in one step: the translators' size;
    where these see pictures whole, what all have."""
    if pairs.preparation.crops:
        return pairs.preparation.size
    width, height = (min(truth.shape[axis] for _, truth in examples) for axis in (1, 0))
    return width, height


def batches(
    examples: Sequence[tuple[Tensor, Tensor]],
    window: tuple[int, int],
    settings: SegmentationSettings,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Photos (N, C, h, w) and classes (N, h, w), without end: photo and label map of a pair with
    the same crop and flip, and all that is drawn follows from the seed and the place."""
    width, height = window
    k = 0
    while True:
        photos, truths = [], []
        for _ in range(settings.batch_size):
            draw = plain_draw(settings.seed, k, len(examples), serial=False, flip=settings.flip)
            photo, truth = examples[draw.index]
            h, w = truth.shape
            top, left = int(draw.top * (h - height + 1)), int(draw.left * (w - width + 1))
            rows, columns = slice(top, top + height), slice(left, left + width)
            photo, truth = photo[:, rows, columns], truth[rows, columns]
            photos.append(photo.flip(2) if draw.flip else photo)
            truths.append(truth.flip(1) if draw.flip else truth)
            k += 1
        yield torch.stack(photos), torch.stack(truths)


def class_weights(truths: Sequence[Tensor], classes: int, balance: float) -> Tensor:
    """(classes,): each class's share of the pixels to the minus `balance`, 1 on average over
    pixels; those without pixels 0."""
    counts = torch.zeros(VOID + 1, dtype=torch.float64)
    for truth in truths:
        counts += torch.bincount(truth.flatten().int(), minlength=VOID + 1)
    shares = counts[:classes] / counts[:classes].sum().clamp(min=1)
    weights = torch.where(shares > 0, shares.clamp(min=1e-12) ** -balance, 0)
    return (weights / (weights * shares).sum().clamp(min=1e-12)).float()


def weighted_loss(scores: Tensor, truths: Tensor, weight: Tensor) -> Tensor:
    """Cross entropy, mean over pixels that are not void, of which a batch may have none."""
    losses = functional.cross_entropy(scores, truths, weight, ignore_index=VOID, reduction="sum")
    return losses / (truths != VOID).sum().clamp(min=1)
