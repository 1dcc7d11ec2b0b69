"""ganvas's convolutions beside PyTorch's, layer by layer: seconds, and errors against float64."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from benchmarks.tables import Options, Table, ratios, with_spread
from benchmarks.turns import Side, Turn, alternate
from ganvas.allocator import keep_freed
from ganvas.networks.convolution import Conv2d

ROUNDS = 9
TIMES = 5
"""Passes in a turn."""


@dataclass(frozen=True)
class Layer:
    where: str
    batch: int
    inputs: int
    outputs: int
    kernel: int
    padding: int
    mode: Literal["zeros", "reflect"]
    size: int

    def made(self, ours: bool) -> nn.Conv2d:
        kind = Conv2d if ours else nn.Conv2d
        torch.manual_seed(0)
        sizes = (self.inputs, self.outputs, self.kernel)
        return kind(*sizes, padding=self.padding, padding_mode=self.mode)

    def pictures(self) -> Tensor:
        torch.manual_seed(1)
        return torch.randn(self.batch, self.inputs, self.size, self.size).relu()


LAYERS = (
    Layer("block of a resnet, pictures of 256x256", 1, 256, 256, 3, 1, "reflect", 64),
    Layer("block of a resnet, pictures of 128x128", 1, 256, 256, 3, 1, "reflect", 32),
    Layer("block of width 32, four of 64x64", 4, 128, 128, 3, 1, "reflect", 16),
    Layer("last layer of a resnet, 256x256", 1, 64, 3, 7, 3, "reflect", 256),
    Layer("first layer of a resnet, 256x256", 1, 3, 64, 7, 0, "zeros", 262),
    Layer("PatchGAN's fourth layer, 256x256", 1, 256, 512, 4, 1, "zeros", 32),
)


def passes(layer: Layer, ours: bool, backward: bool) -> Turn:
    """Through one layer and, if asked for, back. Freed memory is kept on both sides."""
    keep_freed()
    conv, x = layer.made(ours), layer.pictures().requires_grad_()
    y = torch.ones_like(conv(x))
    leaves = [x, *conv.parameters()]

    def turn() -> None:
        for _ in range(TIMES):
            answer = conv(x)
            if backward:
                torch.autograd.grad(answer, leaves, y)

    return turn


def errors(layer: Layer) -> list[str]:
    """Relative errors of the answer, and of the gradients by pictures and by kernels."""
    found = [gradients(layer, ours, torch.float32) for ours in (True, False)]
    exact = gradients(layer, False, torch.float64)
    return [
        ", ".join(
            f"{float((a.double() - e).norm() / e.norm()):.1e}"
            for a, e in zip(answers, exact, strict=True)
        )
        for answers in found
    ]


def gradients(layer: Layer, ours: bool, dtype: torch.dtype) -> list[Tensor]:
    conv, x = layer.made(ours).to(dtype), layer.pictures().to(dtype).requires_grad_()
    y = conv(x)
    torch.manual_seed(2)
    by_y = torch.randn(y.shape, dtype=torch.float64).to(dtype)
    return [y.detach(), *torch.autograd.grad(y, [x, conv.weight], by_y)]


HEAD = (
    "layer",
    "forward, ms",
    "PyTorch's",
    "times as fast",
    "there and back, ms",
    "PyTorch's",
    "times as fast",
    "errors: answer, by pictures, by kernels",
    "PyTorch's",
)


def convolutions(options: Options) -> Iterator[Table]:
    """Layers of the published networks, forward and back, beside PyTorch's."""
    for layer in LAYERS:
        cells = []
        for backward in (False, True):
            given = {"layer": layer, "backward": backward}
            sides = [Side(str(ours), passes, {**given, "ours": ours}) for ours in (True, False)]
            found = alternate(sides, options.rounds or ROUNDS, threads=options.threads)
            ours, theirs = found["True"], found["False"]
            milliseconds = [[1000 * s / TIMES for s in side.seconds] for side in (ours, theirs)]
            cells += [f"{sorted(times)[len(times) // 2]:.3g}" for times in milliseconds]
            cells.append(with_spread(ratios(theirs, ours), "{:.2f}"))
        yield Table("Convolutions", HEAD, [[layer.where, *cells, *errors(layer)]])
