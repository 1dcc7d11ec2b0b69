"""Convolutions by the way that is fastest on this device."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganvas.networks.winograd import Tiles, tiles_of

WIDE = 128
"""Channels, on both sides, from which gradients by fewer multiplications outweigh the transforms."""
WIDER = 192
"""Channels from which answers by F(2, 3) do."""
MANY = 1024
"""Pixels, of the whole batch, from which they do."""
SMALL = 24
"""Pixels of a row below which channels lie side by side."""
THIN = 4
"""Channels up to which a large kernel leaves most of a vector unit idle."""
LARGE = 5
"""The least kernel for which that is mended."""
BACKWARD = {3: 4, 4: 3}
"""By the kernel's size the m of F(m, r) that a backward takes."""


class Conv2d(nn.Conv2d):
    """As `nn.Conv2d`, to rounding, and faster on the CPU in float32.

    The widest 3x3 convolutions by F(2, 3), and the gradients of wide 3x3 and 4x4 ones by F(4, 3) and
    F(3, 4). Going forward precision matters: ReLUs and absolute values have gradients that jump
    where rounding flips a sign. Backward is linear, rounding goes in once, and larger tiles do. So
    gradients of a whole CycleGAN are as near to float64 as by definition (docs/benchmarks.md).

    Large kernels with few channels on one side go by rows: a kernel of one row with a row's answers
    as channels, whose shifted sum is the answer.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not (self.is_plain and is_ours(input)):
            return super().forward(input)
        r, p = self.kernel_size[0], int(self.padding[0])
        if r in BACKWARD and min(self.in_channels, self.out_channels) >= WIDE:
            if input.numel() >= MANY * self.in_channels:
                return with_bias(Wide.apply(input, self.weight, p), self.bias)
        elif r >= LARGE and min(self.in_channels, self.out_channels) <= THIN:
            x = F.pad(input, (p, p, p, p)) if p else input
            way = ThinOut if self.out_channels <= THIN else ThinIn
            return with_bias(way.apply(x, self.weight), self.bias)
        return super().forward(input)

    @property
    def is_plain(self) -> bool:
        """Whether it is square, of stride 1, whole, and pads alike with zeros."""
        whole = self.stride == self.dilation == (1, 1) and self.groups == 1
        alike = self.kernel_size[0] == self.kernel_size[1] and self.padding[0] == self.padding[-1]
        zeros = self.padding_mode == "zeros" and not isinstance(self.padding, str)
        return whole and alike and zeros


def is_ours(x: Tensor) -> bool:
    """Whether a batch (N, C, H, W) is computed here and now, on the CPU and in float32."""
    here = x.device.type == "cpu" and x.dtype == torch.float32 and x.ndim == 4
    told = torch.compiler.is_compiling() or torch.jit.is_tracing()
    return here and not told and not torch.is_autocast_enabled("cpu")


def with_bias(y: Any, bias: Tensor | None) -> Tensor:
    return y if bias is None else y + bias[:, None, None]


class Wide(torch.autograd.Function):
    """x (N, C, H, W) with so many zeros around it by w (K, C, r, r)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, padding: int) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.padding = padding
        if w.shape[-1] == 3 and min(w.shape[:2]) >= WIDER:
            return tiles_of(2, 3, padding, x.shape[-1] < SMALL, x.dtype).convolved(x, w)
        return F.conv2d(x, w, padding=padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (x, w), (y,), asked = ctx.saved_tensors, gradients, ctx.needs_input_grad[:2]
        if torch.is_grad_enabled():
            return *by_definition(x, w, y, asked, ctx.padding), None
        r: int = w.shape[-1]
        tiles: Tiles = tiles_of(BACKWARD[r], r, ctx.padding, x.shape[-1] < SMALL, x.dtype)
        products = tiles.joined_back(y)
        by_x = tiles.by_pictures(products, w, x.shape) if asked[0] else None
        by_w = tiles.by_kernels(x, products) if asked[1] else None
        return by_x, by_w, None


class ThinOut(torch.autograd.Function):
    """x (N, C, H, W) by w (K, C, r, r) with few K."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        return by_rows(x, w)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (x, w), (y,), asked = ctx.saved_tensors, gradients, ctx.needs_input_grad
        if torch.is_grad_enabled():
            return by_definition(x, w, y, asked)
        (outputs, inputs, r, _), (count, _, height, width) = w.shape, y.shape
        rows = y.new_zeros(count, r, outputs, height + r - 1, width)
        for i in range(r):
            rows[:, i, :, i : i + height] = y
        by_x, by_w = gradients_of(x, as_rows(w), rows.flatten(1, 2), asked)
        if by_w is not None:
            by_w = by_w.view(r, outputs, inputs, r).permute(1, 2, 0, 3).contiguous()
        return by_x, by_w


class ThinIn(torch.autograd.Function):
    """x (N, C, H, W) with few C by w (K, C, r, r)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        return F.conv2d(x, w)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (x, w), (y,), asked = ctx.saved_tensors, gradients, ctx.needs_input_grad
        if torch.is_grad_enabled():
            return by_definition(x, w, y, asked)
        p = w.shape[-1] - 1
        around = F.pad(y, (p, p, p, p)) if asked[0] else None
        by_x = None if around is None else by_rows(around, w.flip(2, 3).transpose(0, 1))
        return by_x, gradients_of(x, w, y, (False, asked[1]))[1]


def by_rows(x: Tensor, w: Tensor) -> Tensor:
    """The convolution as a sum of its kernel's rows: one of each row for all pictures' rows, and
    then the sum of the answers, each shifted to its place."""
    outputs, _, r, _ = w.shape
    rows = F.conv2d(x, as_rows(w)).view(len(x), r, outputs, x.shape[2], -1)
    height = x.shape[2] - r + 1
    y = rows[:, 0, :, :height].clone(memory_format=torch.contiguous_format)
    for i in range(1, r):
        y += rows[:, i, :, i : i + height]
    return y


def as_rows(w: Tensor) -> Tensor:
    """Kernels (K, C, r, r) as kernels of one row, (r * K, C, 1, r)."""
    return w.permute(2, 0, 1, 3).flatten(0, 1)[:, :, None]


def gradients_of(
    x: Tensor, w: Tensor, y: Tensor, asked: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients by pictures and by kernels, where they are asked for, from that by answers."""
    one, none = [1, 1], [0, 0]
    mask = [asked[0], asked[1], False]
    found = torch.ops.aten.convolution_backward(y, x, w, None, one, none, one, False, none, 1, mask)
    return found[0], found[1]


def by_definition(
    x: Tensor, w: Tensor, y: Tensor, asked: Sequence[bool], padding: int = 0
) -> tuple[Tensor | None, ...]:
    """The gradients that are asked for, to be differentiated again."""
    inputs = [t for t, wanted in zip((x, w), asked, strict=True) if wanted]
    answers = F.conv2d(x, w, padding=padding)
    found = iter(torch.autograd.grad(answers, inputs, y, create_graph=True))
    return tuple(next(found) if wanted else None for wanted in asked)
