"""Convolutions with fewer multiplications: Lavin and Gray 2016, "Fast Algorithms for Convolutional
Neural Networks", after Winograd 1980.

F(m x m, r x r) computes m x m answers of a kernel r x r from a tile of n x n values, n = m + r - 1,
with n * n products in place of m * m * r * r:  Y = A^T [(G w G^T) * (B^T d B)] A,  summed over
channels, so that tiles become n * n matrix products. Both transforms are matrix products too.

What it costs in precision (float32, 256 channels, relative error of the answer): 1.7e-7 by
definition, 3e-7 by F(2, 3), 1.3e-6 by F(4, 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from ganvas.networks.scratch import only_counted, scratch

Size = tuple[int, int]
WIDE = 128
"""Channels, on both sides, from which fewer multiplications outweigh the transforms."""
POINTS = (0, 1, -1, 2, Fraction(-1, 2))
"""Where polynomials are evaluated, beside infinity: those of least error (Barabasz et al. 2020,
"Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks")."""


@dataclass(frozen=True)
class Tiles:
    """F(m x m, r x r) of convolutions of pictures (N, C, H, W) by kernels (K, C, r, r); m is r - 1
    at least.

    The matrices are for tiles that are laid out as vectors: `values` (n * n, n * n), `kernel`
    (n * n, r * r) and `answer` (m * m, n * n) are B^T, G and A^T, each times itself. With
    `channels_inside` a tile's channels lie side by side in memory, which is quicker for small
    pictures, and else its neighbours.
    """

    m: int
    r: int
    channels_inside: bool
    values: Tensor
    kernel: Tensor
    answer: Tensor

    @property
    def n(self) -> int:
        return self.m + self.r - 1

    def answers(self, shape: Sequence[int]) -> Size:
        """Height and width of the answer to pictures of that shape."""
        height, width = (length - self.r + 1 for length in shape[2:])
        return height, width

    def counts(self, answers: Sequence[int]) -> Size:
        """How many tiles cover answers of that (height, width)."""
        return -(-answers[0] // self.m), -(-answers[1] // self.m)

    def convolved(self, x: Tensor, w: Tensor) -> Tensor:
        """The answers (N, K, h, w)."""
        products = self.multiplied(self.kernels(w), self.cut(x), "products")
        return self.joined(products, len(x), self.answers(x.shape))

    def by_pictures(self, products: Tensor, w: Tensor, shape: Sequence[int]) -> Tensor:
        """The gradient by pictures of that shape from that by products."""
        return self.cut_back(self.multiplied(self.kernels(w).mT, products, "values"), shape)

    def by_kernels(self, x: Tensor, products: Tensor) -> Tensor:
        """The gradient by kernels from that by products, of pictures x."""
        values = self.cut(x)
        u = self.scratch("kernels", len(values), products.shape[1], values.shape[1])
        return self.kernels_back(torch.bmm(products, values.mT, out=u))

    def kernels(self, w: Tensor) -> Tensor:
        """Kernels to transformed ones (n * n, K, C)."""
        u = self.scratch("kernels", self.n**2, w.shape[0] * w.shape[1])
        return torch.mm(self.kernel, w.reshape(-1, self.r**2).t(), out=u).view(-1, *w.shape[:2])

    def kernels_back(self, u: Tensor) -> Tensor:
        """The gradient by kernels from that by transformed ones."""
        return (self.kernel.t() @ u.flatten(1)).t().reshape(*u.shape[1:], self.r, self.r)

    def cut(self, x: Tensor) -> Tensor:
        """Pictures to transformed tiles (n * n, C, N * tiles)."""
        n, m, counts = self.n, self.m, self.counts(self.answers(x.shape))
        down, right = (
            count * m + self.r - 1 - length
            for count, length in zip(counts, x.shape[2:], strict=True)
        )
        x = self.laid_out(x)
        if down or right:
            x = F.pad(x, (0, right, 0, down))
        one, channel, row, column = x.stride()
        tiles = x.as_strided(
            (n, n, x.shape[1], len(x), *counts),
            (row, column, channel, one, m * row, m * column),
        )
        flat = self.transformed(self.values, self.flat(tiles), "values")
        return self.matrices(flat, x.shape[1])

    def cut_back(self, tiles: Tensor, shape: Sequence[int]) -> Tensor:
        """The gradient by pictures of that shape from that by transformed tiles."""
        m, over, (count, channels) = self.m, self.r - 1, shape[:2]
        rows, columns = counts = self.counts(self.answers(shape))
        flat = self.transformed(self.values.t(), self.flat_matrices(tiles), "tiles")
        d = self.spread(flat, self.n, channels, count, counts).permute(3, 2, 4, 0, 5, 1)
        if self.channels_inside:
            x = self.scratch("sums", count, rows + 1, m, columns + 1, m, channels).movedim(5, 1)
        else:
            x = self.scratch("sums", count, channels, rows + 1, m, columns + 1, m)
        # Tiles overlap: the last values of each are the first of the next.
        x.zero_()
        x[:, :, :rows, :, :columns] = d[:, :, :, :m, :, :m]
        x[:, :, 1:, :over, :columns] += d[:, :, :, m:, :, :m]
        x[:, :, :rows, :, 1:, :over] += d[:, :, :, :m, :, m:]
        x[:, :, 1:, :over, 1:, :over] += d[:, :, :, m:, :, m:]
        x = x.flatten(4, 5).flatten(2, 3)
        return x[:, :, : shape[2], : shape[3]].clone(memory_format=torch.contiguous_format)

    def joined(self, products: Tensor, count: int, answers: Size) -> Tensor:
        """Products (n * n, K, N * tiles) to answers (N, K, h, w) of that size."""
        m, (rows, columns), channels = self.m, self.counts(answers), products.shape[1]
        flat = self.transformed(self.answer, self.flat_matrices(products), "tiles")
        tiles = self.spread(flat, m, channels, count, (rows, columns))
        if self.channels_inside:
            y = self.scratch("sums", count, rows, m, columns, m, channels)
            y.copy_(tiles.permute(3, 4, 0, 5, 1, 2))
            y = y.flatten(3, 4).flatten(1, 2).movedim(3, 1)
        else:
            y = products.new_empty(count, channels, rows, m, columns, m)
            y.copy_(tiles.permute(3, 2, 4, 0, 5, 1))
            y = y.flatten(4, 5).flatten(2, 3)
        return y[:, :, : answers[0], : answers[1]].contiguous()

    def joined_back(self, y: Tensor) -> Tensor:
        """The gradient by products from that by answers."""
        m, (height, width) = self.m, y.shape[2:]
        rows, columns = self.counts((height, width))
        y = self.laid_out(y)
        if (rows * m, columns * m) != (height, width):
            y = F.pad(y, (0, columns * m - width, 0, rows * m - height))
        tiles = y.unflatten(3, (columns, m)).unflatten(2, (rows, m)).permute(3, 5, 1, 0, 2, 4)
        flat = self.transformed(self.answer.t(), self.flat(tiles), "products")
        return self.matrices(flat, y.shape[1])

    def scratch(self, name: str, *shape: int) -> Tensor:
        return scratch(name, shape, self.values.dtype)

    def transformed(self, matrix: Tensor, flat: Tensor, name: str) -> Tensor:
        """Tiles as vectors, all transformed, in the scratch memory of that name."""
        return torch.mm(matrix, flat, out=self.scratch(name, len(matrix), flat.shape[1]))

    def laid_out(self, x: Tensor) -> Tensor:
        inside, outside = torch.channels_last, torch.contiguous_format
        return x.contiguous(memory_format=inside if self.channels_inside else outside)

    def flat(self, tiles: Tensor) -> Tensor:
        """Tiles (side, side, C, N, rows, columns), each as a vector: (side * side, all others)."""
        tiles = tiles.movedim(2, 5) if self.channels_inside else tiles
        return self.scratch("tiles", *tiles.shape).copy_(tiles).flatten(0, 1).flatten(1)

    def spread(self, flat: Tensor, side: int, channels: int, count: int, counts: Size) -> Tensor:
        """Such vectors as tiles (side, side, C, N, rows, columns) again."""
        if self.channels_inside:
            return flat.view(side, side, count, *counts, channels).movedim(5, 2)
        return flat.view(side, side, channels, count, *counts)

    def matrices(self, flat: Tensor, channels: int) -> Tensor:
        """Such vectors as matrices (side * side, C, N * tiles)."""
        if self.channels_inside:
            return flat.view(len(flat), -1, channels).mT
        return flat.view(len(flat), channels, -1)

    def flat_matrices(self, matrices: Tensor) -> Tensor:
        """Such matrices as vectors again."""
        return (matrices.mT if self.channels_inside else matrices).flatten(1)

    def multiplied(self, a: Tensor, b: Tensor, name: str) -> Tensor:
        """The products of matrices that act on channels with such matrices, in the scratch memory
        of that name."""
        channels, count = a.shape[1], b.shape[2]
        if self.channels_inside:
            return torch.bmm(b.mT, a.mT, out=self.scratch(name, len(a), count, channels)).mT
        return torch.bmm(a, b, out=self.scratch(name, len(a), channels, count))


def tiles_of(
    m: int, r: int, channels_inside: bool = False, dtype: torch.dtype = torch.float32
) -> Tiles:
    """F(m, r), for m + r up to 7."""
    make = new_tiles if only_counted() else kept_tiles
    return make(m, r, channels_inside, dtype)


def new_tiles(m: int, r: int, channels_inside: bool, dtype: torch.dtype) -> Tiles:
    points = [Fraction(p) for p in POINTS[: m + r - 2]]
    assert len(points) == m + r - 2

    def twice(matrix: Matrix) -> Tensor:
        one = torch.tensor([[float(x) for x in row] for row in matrix], dtype=torch.float64)
        return torch.kron(one, one).to(dtype)

    values, kernel, answer = map(twice, toom_cook(points, m, r))
    return Tiles(m, r, channels_inside, values, kernel, answer)


kept_tiles = cache(new_tiles)


Matrix = list[list[Fraction]]


def toom_cook(points: Sequence[Fraction], m: int, r: int) -> tuple[Matrix, Matrix, Matrix]:
    """B^T (n, n), G (n, r) and A^T (m, n) of F(m, r), by n - 1 points and infinity: m answers of a
    kernel of r values are the transpose of a product of polynomials, which is known by its values
    at n points."""

    def product(roots: Sequence[Fraction]) -> list[Fraction]:
        """The coefficients of the polynomial with these roots, the lowest first."""
        found = [Fraction(1)]
        for root in roots:
            low, high = [*found, Fraction(0)], [Fraction(0), *found]
            found = [b - root * a for a, b in zip(low, high, strict=True)]
        return found

    def powers(count: int) -> Matrix:
        """The first powers of each point, and the last power of infinity."""
        return [[p**k for k in range(count)] for p in points] + [
            [Fraction(int(k == count - 1)) for k in range(count)]
        ]

    values, kernel = [], powers(r)
    for i, point in enumerate(points):
        others = [*points[:i], *points[i + 1 :]]
        values.append([*product(others), Fraction(0)])
        scale = Fraction(1)
        for other in others:
            scale *= point - other
        kernel[i] = [x / scale for x in kernel[i]]
    values.append(product(points))
    return values, kernel, [list(row) for row in zip(*powers(m), strict=True)]
