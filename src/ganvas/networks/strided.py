"""Convolutions 4x4 of stride 2, padded by 1, which halve pictures x (N, C, H, W) to y (N, K, h, w),
and transposed ones, which double y to x: forward as PyTorch does, backward by faster ways.

Between many channels by fewer multiplications (`winograd`): of padded x every second row and every
second column, four phases, are convolved with 2x2 of the kernel's values each; together that is a
convolution of 4 C channels with 2x2, for which F(4, 2) takes 25 products in place of 64. Where x
has few channels, it comes from y by a product of matrices whose columns are folded into a picture.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ganvas.networks.parts import Backward, Gradients, gradients_in_parts, spans
from ganvas.networks.winograd import Size, Tiles, tiles_of

M = 4
"""Of F(M, 2)."""
WIDE, MANY = 2**15, 2**11
"""Kernels (channels times channels) and pixels of y, of the whole batch, from which fewer
multiplications outweigh the transforms."""
WASTE = 1.25
"""They do not where tiles cover so many times y."""
MOST = 2**21
"""Values of x whose gradients are computed at once, which takes memory."""
CACHED = 2**18
"""Values that are transformed at once, so that they stay in a core's cache."""


class Way(NamedTuple):
    """How x, y and kernels w (K, C, 4, 4) belong together. Gradients are of so many pictures as
    `MOST` allows."""

    doubled: Callable[[Tensor, Tensor, Size], Tensor]
    """Of y and w, and how large x is to be: x."""
    halving: Backward
    """Of x, w, the gradient by y, and which are asked for: those by x and by w."""
    doubling: Backward
    """Of y, w, the gradient by x, and which are asked for: those by y and by w."""


class Halving(torch.autograd.Function):
    """x and w to y, with a bias."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, bias: Tensor | None, way: Way) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.way = way
        return F.conv2d(x, w, bias, 2, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (x, w), (by_y,), asked = ctx.saved_tensors, gradients, ctx.needs_input_grad
        # Gradients that are differentiated again are PyTorch's own.
        way = PLAIN if torch.is_grad_enabled() else ctx.way
        by_x, by_w = in_parts(way.halving, x, w, by_y, asked)
        return by_x, by_w, by_y.sum((0, 2, 3)) if asked[2] else None, None


class Doubling(torch.autograd.Function):
    """y and w to x of that size, with a bias."""

    @staticmethod
    def forward(
        ctx: Any, y: Tensor, w: Tensor, bias: Tensor | None, size: Size, way: Way
    ) -> Tensor:
        ctx.save_for_backward(y, w)
        ctx.way = way
        x = way.doubled(y, w, size)
        return x if bias is None else x.add_(bias[:, None, None])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (y, w), (by_x,), asked = ctx.saved_tensors, gradients, ctx.needs_input_grad
        way = PLAIN if torch.is_grad_enabled() else ctx.way
        by_y, by_w = in_parts(way.doubling, y, w, by_x, asked)
        return by_y, by_w, by_x.sum((0, 2, 3)) if asked[2] else None, None, None


def in_parts(
    gradients: Backward, given: Tensor, w: Tensor, by_answer: Tensor, asked: Sequence[bool]
) -> Gradients:
    most = MOST // max(given[0].numel(), by_answer[0].numel())
    return gradients_in_parts(gradients, given, w, by_answer, asked, most)


def plain_doubled(y: Tensor, w: Tensor, size: Size) -> Tensor:
    return F.conv_transpose2d(y, w, None, 2, 1, more_than_twice(y, size))


def plain_halving(x: Tensor, w: Tensor, by_y: Tensor, asked: Sequence[bool]) -> Gradients:
    return plain_gradients(x, w, by_y, asked, False, (0, 0))


def plain_doubling(y: Tensor, w: Tensor, by_x: Tensor, asked: Sequence[bool]) -> Gradients:
    height, width = by_x.shape[2:]
    return plain_gradients(y, w, by_x, asked, True, more_than_twice(y, (height, width)))


def plain_gradients(
    given: Tensor, w: Tensor, by_answer: Tensor, asked: Sequence[bool], transposed: bool, more: Size
) -> Gradients:
    mask = [asked[0], asked[1], False]
    shape = [2, 2], [1, 1], [1, 1], transposed, list(more), 1
    found = torch.ops.aten.convolution_backward(by_answer, given, w, None, *shape, mask)
    return found[0], found[1]


def more_than_twice(y: Tensor, size: Size) -> Size:
    """By how many rows and columns x is more than twice as large: PyTorch's output_padding."""
    return size[0] - 2 * y.shape[2], size[1] - 2 * y.shape[3]


def folded(y: Tensor, w: Tensor, size: Size) -> Tensor:
    """x from y, by so many pictures at once."""
    x = y.new_empty(len(y), w.shape[1], *size)
    kernels = w.flatten(1).t().contiguous()
    for few in spans(len(y), CACHED // (kernels.shape[0] * y[0, 0].numel())):
        x[few] = F.fold(kernels @ y[few].flatten(2), size, 4, 1, 1, 2)
    return x


def folded_halving(x: Tensor, w: Tensor, by_y: Tensor, asked: Sequence[bool]) -> Gradients:
    height, width = x.shape[2:]
    by_x = folded(by_y, w, (height, width)) if asked[0] else None
    return by_x, plain_halving(x, w, by_y, (False, asked[1]))[1]


def wide_halving(x: Tensor, w: Tensor, by_y: Tensor, asked: Sequence[bool]) -> Gradients:
    phases = Phases.of(by_y)
    products = phases.tiles.joined_back(by_y).mT
    by_x, by_w = None, None
    if asked[0]:
        by_x = phases.joined(phases.multiplied(products, w), torch.empty_like(x))
    if asked[1]:
        by_w = phases.by_kernels(phases.cut(x), products)
    return by_x, by_w


def wide_doubling(y: Tensor, w: Tensor, by_x: Tensor, asked: Sequence[bool]) -> Gradients:
    phases = Phases.of(y)
    values = phases.cut(by_x)
    by_y, by_w = None, None
    if asked[0]:
        products = phases.multiplied_back(values, w)
        by_y = phases.tiles.joined(products.mT, len(y), phases.size)
    if asked[1]:
        by_w = phases.by_kernels(values, phases.tiles.joined_back(y).mT)
    return by_y, by_w


class Phases(NamedTuple):
    """Pictures x in tiles (n * n, N * tiles, 4 C), the four phases side by side, which are halved
    to y in so many rows and columns of tiles (n * n, N * tiles, K)."""

    tiles: Tiles
    size: Size
    """Of y."""
    rows: int
    columns: int

    @classmethod
    def of(cls, y: Tensor) -> "Phases":
        tiles = tiles_of(M, 2, True, y.dtype)
        height, width = y.shape[2:]
        return cls(tiles, (height, width), *tiles.counts((height, width)))

    def multiplied(self, products: Tensor, w: Tensor) -> Tensor:
        """Products (n * n, N * tiles, K) times kernels: values (n * n, N * tiles, 4 C)."""
        values = self.tiles.scratch("values", *products.shape[:2], 4 * w.shape[1])
        for some, u in zip(values.chunk(4, 2), self.kernels(w), strict=True):
            torch.bmm(products, u, out=some)
        return values

    def multiplied_back(self, values: Tensor, w: Tensor) -> Tensor:
        """Values (n * n, N * tiles, 4 C) times kernels: products (n * n, N * tiles, K)."""
        products = self.tiles.scratch("products", *values.shape[:2], len(w)).zero_()
        for some, u in zip(values.chunk(4, 2), self.kernels(w), strict=True):
            products.baddbmm_(some, u.mT)
        return products

    def kernels(self, w: Tensor) -> Iterator[Tensor]:
        """Kernels (K, C, 4, 4) to transformed ones (n * n, K, C), phase by phase, each in the same
        memory."""
        for phase in phases_of(w):
            yield self.tiles.kernels(phase)

    def by_kernels(self, values: Tensor, products: Tensor) -> Tensor:
        """The gradient by kernels (K, C, 4, 4)."""
        channels, outputs = values.shape[2] // 4, products.shape[2]
        by_w = values.new_empty(outputs, channels, 4, 4)
        for some, phase in zip(values.chunk(4, 2), phases_of(by_w), strict=True):
            u = self.tiles.scratch("kernels", len(values), outputs, channels)
            phase.copy_(self.tiles.kernels_back(torch.bmm(products.mT, some, out=u)))
        return by_w

    def cut(self, x: Tensor) -> Tensor:
        """Pictures to transformed tiles (n * n, N * tiles, 4 C)."""
        n, channels = self.tiles.n, x.shape[1]
        values = self.tiles.scratch(
            "values", n * n, len(x) * self.rows * self.columns, 4 * channels
        )
        for few, some in self.parts(x, values):
            lying = self.lying(few)
            lying[:, 0], lying[:, few.shape[2] + 1 :] = 0, 0
            lying[:, :, 0], lying[:, :, few.shape[3] + 1 :] = 0, 0
            inside = lying[:, 1 : few.shape[2] + 1, 1 : few.shape[3] + 1]
            inside.copy_(few.permute(0, 2, 3, 1))
            tiles = self.places(lying, slice(0, n), slice(0, n))
            flat = self.tiles.scratch("tiles", *tiles.shape).copy_(tiles).flatten(0, 1).flatten(1)
            torch.mm(self.tiles.values, flat, out=some.flatten(1))
        return values

    def joined(self, values: Tensor, x: Tensor) -> Tensor:
        """The gradient by pictures from that by transformed tiles, written into x."""
        n = self.tiles.n
        for few, some in self.parts(x, values):
            lying = self.lying(few)
            shape = self.places(lying, slice(0, n), slice(0, n)).shape
            flat = self.tiles.transformed(self.tiles.values.t(), some.flatten(1), "tiles")
            tiles = flat.view(shape)
            # Tiles overlap: the last values of each are the first of the next.
            lying[:, -2:], lying[:, :, -2:] = 0, 0
            first, last = slice(0, M), slice(M, n)
            self.places(lying, first, first).copy_(tiles[first, first])
            for down, right in ((last, first), (first, last), (last, last)):
                self.places(lying, down, right).add_(tiles[down, right])
            inside = lying[:, 1 : few.shape[2] + 1, 1 : few.shape[3] + 1]
            few.copy_(inside.permute(0, 3, 1, 2))
        return x

    def parts(self, x: Tensor, values: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """So many pictures, and their tiles, as a core's cache holds."""
        tiles = self.rows * self.columns
        for few in spans(len(x), CACHED // (len(values) * tiles * values.shape[2])):
            yield x[few], values[:, few.start * tiles : few.stop * tiles]

    def lying(self, x: Tensor) -> Tensor:
        """Memory for padded pictures (N, height, width, C), as large as their tiles."""
        height, width = 2 * M * self.rows + 2, 2 * M * self.columns + 2
        return self.tiles.scratch("padded", len(x), height, width, x.shape[1])

    def places(self, lying: Tensor, down: slice, right: slice) -> Tensor:
        """Where in padded pictures those rows and columns of each tile lie: (rows of a tile, its
        columns, N, tiles in a column, in a row, phases' rows, phases' columns and channels)."""
        one, row, column, _ = lying.stride()
        shape = (down.stop - down.start, right.stop - right.start, len(lying))
        return lying.as_strided(
            (*shape, self.rows, self.columns, 2, 2 * lying.shape[3]),
            (2 * row, 2 * column, one, 2 * M * row, 2 * M * column, row, 1),
            2 * row * down.start + 2 * column * right.start + lying.storage_offset(),
        )


def phases_of(w: Tensor) -> list[Tensor]:
    """Views (K, C, 2, 2) of every second value of kernels (K, C, 4, 4)."""
    return [w[:, :, p::2, q::2] for p in (0, 1) for q in (0, 1)]


def covered(length: int) -> int:
    """How many pixels the tiles of so many cover."""
    return -(-length // M) * M


PLAIN = Way(plain_doubled, plain_halving, plain_doubling)
WIDE_WAY = Way(plain_doubled, wide_halving, wide_doubling)
THIN_WAY = Way(folded, folded_halving, plain_doubling)
