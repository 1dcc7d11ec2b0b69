"""Convolutions by the way that is fastest on this device, and keeps least."""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganvas.networks import strided, untrained
from ganvas.networks.parts import Backward, Gradients, gradients_in_parts, spans
from ganvas.networks.winograd import WIDE, Tiles, tiles_of

MANY = 1024
"""Pixels, of the whole batch, from which fewer multiplications outweigh the transforms."""
FEW = 24**2
"""Pixels of one picture from which they do so where kernels are kept transformed."""
SMALL = 24
"""Pixels of a row below which channels lie side by side."""
BAND = 2**14
"""Pixels that are convolved at once by fewer multiplications, which takes memory."""
THIN = 4
"""Channels up to which a large kernel leaves most of a vector unit idle."""
LARGE = 5
"""The least kernel for which that is mended."""
BACKWARD = {3: 4, 4: 3}
"""By the kernel's size the m of F(m, r) that a backward takes."""


class Way(NamedTuple):
    """How pictures x (N, C, H, W), with what is around them, are convolved with w (K, C, r, r), at
    stride 1."""

    answer: Callable[[Tensor, Tensor], Tensor]
    """Of x and w: (N, K, h, w)."""
    gradients: Backward
    """Of x, w, the gradient by answers, and which are asked for: those by x and by w."""


class Conv2d(nn.Conv2d):
    """As `nn.Conv2d`, to rounding; on the CPU in float32 faster, and what is around a picture is
    not kept for the backward.

    Wide 3x3 convolutions go by F(2, 3), and gradients of wide 3x3 and 4x4 ones by
    F(4, 3) and F(3, 4), see `winograd`. Going forward precision matters: ReLUs and absolute values
    have gradients that jump where rounding flips a sign. Backward is linear, rounding goes in once,
    and larger tiles do. So gradients of a whole CycleGAN are as near to float64 as by definition
    (docs/benchmarks.md). Large kernels with few channels on one side go by rows. Of 4x4 ones that
    halve a picture see `strided`. Where nothing is learnt, larger tiles do forward too, and answers
    are channels_last, see `untrained`.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not torch.is_grad_enabled() and is_ours(input):
            return self.untrained(input.contiguous(memory_format=torch.channels_last))
        if is_ours(input) and halves(self) and input.shape[1] == self.in_channels:
            halving = strided_way(len(input), self.weight, input.shape[2] // 2, input.shape[3] // 2)
            if halving is not None:
                answer = strided.Halving.apply(input, self.weight, self.bias, halving)
                assert isinstance(answer, Tensor)
                return answer
        way = self.way(input) if is_ours(input) and self.is_plain else None
        if way is None:
            return super().forward(input)
        mirrored, p = self.padding_mode == "reflect", int(self.padding[0])
        answer = Convolution.apply(input, self.weight, self.bias, p, mirrored, way)
        assert isinstance(answer, Tensor)
        return answer

    def untrained(self, x: Tensor) -> Tensor:
        """The answer to a channels_last batch (N, C, H, W), channels_last too."""
        way = self.way(x) if self.is_plain else None
        p, mirrored = int(self.padding[0]) if way else 0, self.padding_mode == "reflect"
        if p < min(self.kernel_size[0], *x.shape[2:]):
            if way is WIDE_WAY:
                return untrained.wide(x, self.weight, self.bias, p, mirrored)
            if way is THIN_OUT:
                return untrained.thin(x, as_rows(self.weight), self.bias, p, mirrored)
        return super().forward(x)

    def way(self, x: Tensor) -> Way | None:
        """How a batch (N, C, H, W) is convolved; None: as PyTorch does. Where nothing is learnt it
        does not depend on how many pictures there are."""
        r, narrow = self.kernel_size[0], min(self.in_channels, self.out_channels)
        if x.shape[1] != self.in_channels or min(x.shape[2:]) + 2 * int(self.padding[0]) < r:
            return None  # PyTorch says what is wrong
        pixels = x.shape[2] * x.shape[3]
        if torch.is_grad_enabled():
            many = len(x) * pixels >= MANY
        else:
            many = pixels >= (FEW if untrained.is_there(self.weight) else MANY)
        if r in BACKWARD and narrow >= WIDE and many:
            return WIDE_WAY
        if r >= LARGE and narrow <= THIN:
            return THIN_OUT if self.out_channels <= THIN else THIN_IN
        return PLAIN if self.padding_mode == "reflect" else None

    @property
    def is_plain(self) -> bool:
        """Whether it is square, of stride 1, whole, and pads alike on all sides."""
        whole = self.stride == self.dilation == (1, 1) and self.groups == 1
        alike = self.kernel_size[0] == self.kernel_size[1] and self.padding[0] == self.padding[-1]
        told = self.padding_mode in ("zeros", "reflect") and not isinstance(self.padding, str)
        return whole and alike and told


class ConvTranspose2d(nn.ConvTranspose2d):
    """As `nn.ConvTranspose2d`, to rounding; on the CPU in float32 4x4 ones that double a picture
    are faster, see `strided`."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        told = output_size is None and input.shape[1] == self.in_channels
        if is_ours(input) and halves(self) and told:
            height, width = input.shape[2:]
            way = strided_way(len(input), self.weight, height, width)
            if way is not None:
                more = self.output_padding
                size = (2 * height + int(more[0]), 2 * width + int(more[1]))
                answer = strided.Doubling.apply(input, self.weight, self.bias, size, way)
                assert isinstance(answer, Tensor)
                return answer
        return super().forward(input, output_size)


def halves(layer: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    """Whether it halves pictures by 4x4, or doubles them, with a pixel of zeros around."""
    shape = (layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.groups)
    return shape == ((4, 4), (2, 2), (1, 1), (1, 1), 1) and layer.padding_mode == "zeros"


def strided_way(count: int, w: Tensor, height: int, width: int) -> strided.Way | None:
    """How so many pictures are halved to that size, or doubled from it, by kernels (K, C, 4, 4);
    None: as PyTorch does."""
    small, large = w.shape[:2]
    pixels = count * height * width
    if large <= THIN < small and pixels:
        return strided.THIN_WAY
    covered = count * strided.covered(height) * strided.covered(width)
    many = pixels >= strided.MANY and covered <= strided.WASTE * pixels
    if min(small, large) >= WIDE and small * large >= strided.WIDE and many:
        return strided.WIDE_WAY
    return strided.PLAIN if 4 * large * pixels > strided.MOST else None


counted_as_pytorchs = ContextVar("counted_as_pytorchs", default=False)
"""Whether memory is counted of a training that takes PyTorch's own: on a GPU, say."""


def is_ours(x: Tensor) -> bool:
    """Whether a batch (N, C, H, W) is computed here and now, on the CPU and in float32."""
    if counted_as_pytorchs.get():
        return False
    here = x.device.type == "cpu" and x.dtype == torch.float32 and x.ndim == 4
    told = torch.compiler.is_compiling() or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    return here and not told and not torch.is_autocast_enabled("cpu")


class Convolution(torch.autograd.Function):
    """x (N, C, H, W), with so many zeros or mirrored pixels around it, by w (K, C, r, r)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, w: Tensor, bias: Tensor | None, padding: int, mirrored: bool, way: Way
    ) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.padding, ctx.mirrored, ctx.way = padding, mirrored, way
        y = way.answer(padded(x, padding, mirrored), w)
        return y if bias is None else y.add_(bias[:, None, None])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (x, w), (y,), asked = ctx.saved_tensors, gradients, ctx.needs_input_grad
        around = (ctx.padding, ctx.mirrored)
        # Gradients that are differentiated again are PyTorch's own.
        way = PLAIN if torch.is_grad_enabled() else ctx.way
        by_x, by_w = way.gradients(padded(x, *around), w, y, asked)
        by_x = None if by_x is None else cut_off(by_x, x, *around)
        return by_x, by_w, y.sum((0, 2, 3)) if asked[2] else None, None, None, None


def padded(x: Tensor, padding: int, mirrored: bool) -> Tensor:
    if not padding:
        return x
    return F.pad(x, (padding,) * 4, mode="reflect" if mirrored else "constant")


def cut_off(by_padded: Tensor, x: Tensor, padding: int, mirrored: bool) -> Tensor:
    """The gradient by x from that by padded x."""
    if not padding:
        return by_padded
    if mirrored:
        return torch.ops.aten.reflection_pad2d_backward(by_padded, x, (padding,) * 4)
    return by_padded[:, :, padding:-padding, padding:-padding].contiguous()


def plain_gradients(x: Tensor, w: Tensor, y: Tensor, asked: Sequence[bool]) -> Gradients:
    one, none = [1, 1], [0, 0]
    mask = [asked[0], asked[1], False]
    found = torch.ops.aten.convolution_backward(y, x, w, None, one, none, one, False, none, 1, mask)
    return found[0], found[1]


def tiles_for(m: int, x: Tensor, w: Tensor) -> Tiles:
    return tiles_of(m, w.shape[-1], x.shape[-1] < SMALL, x.dtype)


def wide_answer(x: Tensor, w: Tensor) -> Tensor:
    return in_bands(tiles_for(2, x, w), x, w) if w.shape[-1] == 3 else F.conv2d(x, w)


def in_bands(tiles: Tiles, x: Tensor, w: Tensor) -> Tensor:
    """The answer, by so many rows at once."""
    height, width = tiles.answers(x.shape)
    rows = max(BAND // (len(x) * width) // tiles.m, 1) * tiles.m
    if rows >= height:
        return tiles.convolved(x, w)
    y = x.new_empty(len(x), len(w), height, width)
    for band in spans(height, rows):
        y[:, :, band] = tiles.convolved(x[:, :, band.start : band.stop + tiles.r - 1], w)
    return y


def wide_gradients(x: Tensor, w: Tensor, y: Tensor, asked: Sequence[bool]) -> Gradients:
    most = BAND // (y.shape[2] * y.shape[3])
    return gradients_in_parts(gradients_by_tiles, x, w, y, asked, most)


def gradients_by_tiles(x: Tensor, w: Tensor, y: Tensor, asked: Sequence[bool]) -> Gradients:
    tiles = tiles_for(BACKWARD[w.shape[-1]], x, w)
    products = tiles.joined_back(y)
    by_x = tiles.by_pictures(products, w, x.shape) if asked[0] else None
    return by_x, tiles.by_kernels(x, products) if asked[1] else None


def by_rows(x: Tensor, w: Tensor) -> Tensor:
    """The answer as a sum over the kernel's rows: each row convolved with all rows of the pictures,
    and then the sum of these answers, each shifted to its place."""
    outputs, _, r, _ = w.shape
    rows = F.conv2d(x, as_rows(w)).unflatten(1, (r, outputs))
    height = x.shape[2] - r + 1
    y = rows[:, 0, :, :height].clone(memory_format=torch.contiguous_format)
    for i in range(1, r):
        y += rows[:, i, :, i : i + height]
    return y


def as_rows(w: Tensor) -> Tensor:
    """Kernels (K, C, r, r) as kernels of one row, (r * K, C, 1, r)."""
    return w.permute(2, 0, 1, 3).flatten(0, 1)[:, :, None]


def gradients_by_rows(x: Tensor, w: Tensor, y: Tensor, asked: Sequence[bool]) -> Gradients:
    (outputs, inputs, r, _), (count, _, height, width) = w.shape, y.shape
    rows = y.new_zeros(count, r, outputs, height + r - 1, width)
    for i in range(r):
        rows[:, i, :, i : i + height] = y
    by_x, by_w = plain_gradients(x, as_rows(w), rows.flatten(1, 2), asked)
    if by_w is not None:
        by_w = by_w.view(r, outputs, inputs, r).permute(1, 2, 0, 3).contiguous()
    return by_x, by_w


def pictures_by_rows(x: Tensor, w: Tensor, y: Tensor, asked: Sequence[bool]) -> Gradients:
    """The gradient by pictures is a convolution whose answers are few."""
    by_x, p = None, w.shape[-1] - 1
    if asked[0]:
        by_x = by_rows(F.pad(y, (p, p, p, p)), w.flip(2, 3).transpose(0, 1))
    return by_x, plain_gradients(x, w, y, (False, asked[1]))[1]


PLAIN = Way(F.conv2d, plain_gradients)
WIDE_WAY = Way(wide_answer, wide_gradients)
THIN_OUT = Way(by_rows, gradients_by_rows)
THIN_IN = Way(F.conv2d, pictures_by_rows)
