"""What an exported file computes: a network between values as they stand in picture files."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganvas.methods.base import Direction, Method
from ganvas.methods.generator import Generator
from ganvas.methods.translator import Translator, padded
from ganvas.networks.norms import BatchNorm2d, InstanceNorm2d

LARGE_ENOUGH = 32


@dataclass(frozen=True)
class Subject:
    """A network to export, and what is needed to hold the file against it."""

    module: "Translation | Generation"
    inputs: dict[str, dict[int, str]]
    """The inputs by name, and of each the axes of any length by theirs."""
    output: str
    traced: tuple[Tensor, ...]
    """The inputs to trace with, of no size at which an axis could be taken for another."""
    trials: list[tuple[Tensor, ...]]
    """Inputs to check with, of other sizes."""
    truth: Callable[..., Tensor]
    """What the method itself makes of inputs, in [-1, 1]."""
    about: dict[str, Any]
    """What the file says of itself."""

    @property
    def axes(self) -> dict[int, str]:
        """The axes of the output that are of any length: those of the first input."""
        return next(iter(self.inputs.values()))


def scale_of(method: Method, domain: str) -> tuple[list[float], list[float]]:
    """The values in files that are -1 and 1 for the networks, of each channel of a domain."""
    low, high = method.scales[domain].ends()
    return low.astype(float).tolist(), high.astype(float).tolist()


def translating(method: Translator, direction: Direction) -> Subject:
    """A translator: pictures (N, C, H, W) to pictures (N, C', H, W), of any size.

    Raises:
        InputError: the method has not learnt that direction.
    """
    X, Y = method.ends(direction)
    source, target = scale_of(method, X), scale_of(method, Y)
    module = Translation(method, direction, Scale(*source), Scale(*target))
    width, height = method.config.width_height
    n = padded(LARGE_ENOUGH, module.stride, module.smallest)
    shapes = [(1, height, width), (1, n, n), (3, n + 1, n - 1), (2, n // 2 + 1, 2 * n - 3)]
    chance = torch.Generator().manual_seed(0)

    def pictures(count: int, height: int, width: int) -> tuple[Tensor]:
        x = torch.rand(count, len(source[0]), height, width, generator=chance) * 2 - 1
        return (module.source.from_unit(x),)

    return Subject(
        module.eval(),
        {"pictures": {0: "batch", 2: "height", 3: "width"}},
        "translated",
        pictures(2, 2 * n + 1, 3 * n + 2),
        [pictures(*shape) for shape in dict.fromkeys(shapes)],
        lambda x: method.translate_tensor(module.source.to_unit(x), direction),
        {
            "ganvas": version("ganvas"),
            "method": method.name,
            "direction": direction,
            "channels": {d: method.channels[d] for d in (X, Y)},
            "dtype": {d: method.scales[d].dtype for d in (X, Y)},
            "space": {d: method.scales[d].space for d in (X, Y)},
            "low": {X: source[0], Y: target[0]},
            "high": {X: source[1], Y: target[1]},
            "stride": module.stride,
        },
    )


def generating(method: Generator) -> Subject:
    """A generator: latents (N, nz), and labels (N,) where it knows classes, to pictures."""
    scale = scale_of(method, "pictures")
    kind = np.dtype(method.scales["pictures"].dtype)
    limits = (np.iinfo(kind).min, np.iinfo(kind).max) if kind.kind in "ui" else None
    module = Generation(lean(method), Scale(*scale, limits))
    axes = {0: "batch"}
    chance = torch.Generator().manual_seed(0)

    def inputs(count: int) -> tuple[Tensor, ...]:
        z = torch.randn(count, method.nz, generator=chance)
        if not method.conditional:
            return (z,)
        return z, torch.randint(len(method.classes), (count,), generator=chance)

    return Subject(
        module.eval(),
        {"z": axes} | ({"labels": axes} if method.conditional else {}),
        "pictures",
        inputs(2),
        [inputs(1), inputs(3), inputs(5)],
        lambda z, labels=None: module.target.unbounded(
            module.target.from_unit(method.render(z, labels))
        ),
        {
            "ganvas": version("ganvas"),
            "method": method.name,
            "nz": method.nz,
            "classes": list(method.classes),
            "channels": dict(method.channels),
            "dtype": {"pictures": method.scales["pictures"].dtype},
            "low": {"pictures": scale[0]},
            "high": {"pictures": scale[1]},
        },
    )


class Scale(nn.Module):
    """Between values as in files, `low` to `high` of each channel, and [-1, 1]; (N, C, H, W).

    `limits` are what a file's integers can hold: networks may answer beyond [-1, 1].
    """

    def __init__(
        self, low: list[float], high: list[float], limits: tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        self.limits = limits
        least, most = (torch.tensor(values)[:, None, None] for values in (low, high))
        self.register_buffer("least", least)
        self.register_buffer("reach", (most - least) / 2)

    def to_unit(self, values: Tensor) -> Tensor:
        return self.unbounded(values).clamp(-1, 1)

    def unbounded(self, values: Tensor) -> Tensor:
        return (values - self.get_buffer("least")) / self.get_buffer("reach") - 1

    def from_unit(self, x: Tensor) -> Tensor:
        values = (x + 1) * self.get_buffer("reach") + self.get_buffer("least")
        return values if self.limits is None else values.clamp(*self.limits)


class Translation(nn.Module):
    """Pictures (N, C, H, W) with values as in files to translated ones, of the same height and
    width: what `Translator.translate` does with a picture, rounding left out."""

    def __init__(
        self, method: Translator, direction: Direction, source: Scale, target: Scale
    ) -> None:
        super().__init__()
        self.network = portable(deepcopy(method.translator(direction)))
        self.stride, self.smallest = method.config.stride, method.smallest
        self.source, self.target = source, target

    def forward(self, pictures: Tensor) -> Tensor:
        height, width = pictures.shape[2:]
        x = self.source.to_unit(pictures)
        x = x.index_select(2, extension(height, self.stride, self.smallest, x.device))
        x = x.index_select(3, extension(width, self.stride, self.smallest, x.device))
        return self.target.from_unit(self.network(x)[:, :, :height, :width])


class Generation(nn.Module):
    """Latents (N, nz) and labels (N,) to pictures (N, C, H, W) with values as in files: what
    `Generator.generate` makes, rounding left out."""

    def __init__(self, method: Generator, target: Scale) -> None:
        super().__init__()
        self.method, self.target = method, target

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.target.from_unit(self.method.synthesise(z, labels))


def extension(length: int, stride: int, smallest: int, device: torch.device) -> Tensor:
    """The rows (or columns) that `pad_to` makes `padded` many of: by reflection, or by the last
    one where there are too few to be reflected.

    As indices, computed without a branch: lengths are unknown while a graph is traced, and no
    graph has a padding that turns from one mode to the other. Divisions are of positive numbers,
    for ONNX rounds those of negative ones towards zero.
    """
    whole = (length + stride - 1) // stride * stride
    least = padded(1, stride, smallest)
    size = torch.sym_max(whole, least) if least > stride else whole
    row = torch.arange(size, device=device)
    reflects = torch.full_like(row, size) < 2 * length
    return torch.minimum(row, torch.where(reflects, 2 * length - 2 - row, length - 1))


def portable(network: nn.Module) -> nn.Module:
    """The network with norms in the one form that exporters know for any batch, height and width:
    ours by batch norm over one axis of all planes, and by group norm, would fix them."""
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, InstanceNorm2d):
                affine = layer.weight is not None
                norm = nn.InstanceNorm2d(layer.channels, layer.eps, affine=affine)
                norm.register_parameter("weight", layer.weight)
                norm.register_parameter("bias", layer.bias)
                setattr(parent, name, norm)
            elif isinstance(layer, BatchNorm2d) and layer.own_statistics:
                norm = nn.InstanceNorm2d(layer.num_features, layer.eps, affine=layer.affine)
                norm.weight, norm.bias = layer.weight, layer.bias
                setattr(parent, name, norm)
    return network


def lean(method: Generator) -> Generator:
    """A copy of the method with nothing in it but what pictures are made with."""
    used = {id(network) for network in networks_in_use(method).values()}
    parts = (*method.networks().values(), *method.averages.values())
    # deepcopy takes what the memo holds for the copy of what has that id.
    memo: dict[int, Any] = {id(part): nn.Identity() for part in parts if id(part) not in used}
    copy = deepcopy(method, memo | {id(method.optimizers): {}, id(method.players): {}})
    for name in list(copy._non_persistent_buffers_set):
        delattr(copy, name)
    portable(copy)
    return copy


@torch.no_grad()
def networks_in_use(method: Generator) -> dict[str, nn.Module]:
    """The networks, or their averages, that pictures are made with, by name: those that are
    called when one is."""
    best = {name: method.best(name) for name in method.networks()}
    called: set[nn.Module] = set()
    hooks = [
        network.register_forward_pre_hook(lambda module, _: called.add(module))
        for network in best.values()
    ]
    try:
        method.synthesise(method.latents([0]), method.labels([0]))
    finally:
        for hook in hooks:
            hook.remove()
    return {name: network for name, network in best.items() if network in called}
