"""Layers where nothing is learnt, on the CPU: channels lie side by side, what is worked on is small
enough for the processor's caches, and kernels are transformed once for many pictures."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganvas.networks.parts import each, spans
from ganvas.networks.scratch import scratch
from ganvas.networks.winograd import WIDE, Tiles, tiles_of

FORMS = {3: 4, 4: 3}
"""By the kernel's size r the m of F(m, r)."""
SIDE = 6
"""m + r - 1 of both."""
STRIP = 2**19
"""Values of tiles that are transformed at once."""
CHUNK = 256
"""Tiles that are multiplied at once: enough for a matrix product to be quick."""
SMALL = 2**16
"""Values of a picture up to which it is normalised together with others of its batch."""
BLOCK = 2**18
"""Values that are normalised at once."""


@dataclass
class Kept:
    """A layer's kernels, transformed when they are first asked for."""

    weight: Tensor
    users: int = 0
    lock: Lock = field(default_factory=Lock)
    version: int = -1
    kernels: Tensor | None = None

    def get(self, tiles: Tiles) -> Tensor:
        with self.lock:
            if self.kernels is None or self.version != self.weight._version:
                self.version = self.weight._version
                self.kernels = transformed(tiles, self.weight).contiguous()
            return self.kernels


kept: dict[int, Kept] = {}
"""By the identity of weights, which lives as long as what is kept of them."""
entering = Lock()


@contextmanager
def kept_kernels(network: nn.Module) -> Iterator[None]:
    """Keep transformed kernels of wide convolutions for all pictures that go through this network
    meanwhile, in all threads. Of weights that are changed in place they are made anew.

    They take 4 times the memory of wide 3x3 weights, see `kept_bytes`.
    """
    weights = [layer.weight for layer in network.modules() if is_wide(layer)]
    with entering:
        for w in weights:
            kept.setdefault(id(w), Kept(w)).users += 1
    try:
        yield
    finally:
        with entering:
            for w in weights:
                one = kept[id(w)]
                one.users -= 1
                if not one.users:
                    del kept[id(w)]


def kept_bytes(network: nn.Module) -> int:
    """The memory that kernels of this network which are to be kept, but are not made yet, take at
    most."""
    kernels = {id(w) for w in network.parameters()}
    with entering:
        found = [one.weight for key, one in kept.items() if key in kernels and one.kernels is None]
    return sum(w.element_size() * w[:, :, 0, 0].numel() * SIDE**2 for w in found)


def is_wide(layer: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Whether its kernels may be transformed, and what changes in them is counted."""
    if not isinstance(layer, nn.Conv2d):
        return False
    w, r = layer.weight, layer.kernel_size[0]
    whole = layer.stride == layer.dilation == (1, 1) and layer.groups == 1
    form = layer.kernel_size == (r, r) and r in FORMS and min(w.shape[:2]) >= WIDE
    here = w.device.type == "cpu" and w.dtype == torch.float32 and not w.is_inference()
    # What is made of other parameters at each look is another one each time.
    return whole and form and here and isinstance(w, nn.Parameter)


def is_there(w: Tensor) -> bool:
    """Whether kernels of these weights are kept just now."""
    return id(w) in kept


def transformed(tiles: Tiles, w: Tensor) -> Tensor:
    """Kernels (K, C, r, r) to transformed ones (n * n, C, K)."""
    return tiles.kernels(w).mT


def kernels_of(tiles: Tiles, w: Tensor) -> Tensor:
    one = kept.get(id(w))
    return transformed(tiles, w) if one is None else one.get(tiles)


class Strip(NamedTuple):
    """Some rows of tiles of a picture of a batch."""

    picture: int
    top: int
    """The first row of tiles."""
    rows: int


@dataclass(frozen=True)
class Wide:
    """A convolution of x (N, C, H, W) by kernels w (K, C, r, r) by fewer multiplications."""

    tiles: Tiles
    x: Tensor
    """(N, H, W, C)"""
    padding: int
    mirrored: bool

    @property
    def answers(self) -> tuple[int, int]:
        over = 2 * self.padding - self.tiles.r + 1
        return self.x.shape[1] + over, self.x.shape[2] + over

    @property
    def counts(self) -> tuple[int, int]:
        return self.tiles.counts(self.answers)

    def chunks(self) -> Iterator[list[Strip]]:
        """All tiles, by so many as are multiplied at once."""
        rows, columns = self.counts
        high = max(min(STRIP // (self.tiles.n**2 * columns * self.x.shape[3]), CHUNK // columns), 1)
        chunk: list[Strip] = []
        for picture in range(len(self.x)):
            for top in range(0, rows, high):
                strip = Strip(picture, top, min(high, rows - top))
                if chunk and (sum(s.rows for s in chunk) + strip.rows) * columns > CHUNK:
                    yield chunk
                    chunk = []
                chunk.append(strip)
        yield chunk

    def cut(self, strip: Strip, into: Tensor) -> None:
        """Transformed tiles of a strip, (n * n, tiles * C)."""
        tiles, over = self.tiles, self.tiles.r - 1
        n, m = tiles.n, tiles.m
        high, wide = (count * m + over for count in (strip.rows, self.counts[1]))
        around = (self.padding, self.mirrored)
        values = surrounded(self.x[strip.picture], strip.top * m, high, wide, *around)
        row, column, channel = values.stride()
        shape = (n, n, strip.rows, self.counts[1], values.shape[2])
        steps = (row, column, m * row, m * column, channel)
        flat = scratch("tiles", shape, values.dtype).copy_(values.as_strided(shape, steps))
        torch.mm(tiles.values, flat.view(n * n, -1), out=into)

    def join(self, strip: Strip, products: Tensor, y: Tensor) -> None:
        """Products of a strip (n * n, tiles * K) to its rows of the answer y (N, h, w, K)."""
        m, (height, width), columns = self.tiles.m, self.answers, self.counts[1]
        flat = scratch("tiles", (m * m, products.shape[1]), products.dtype)
        torch.mm(self.tiles.answer, products, out=flat)
        found = flat.unflatten(1, (strip.rows, columns, -1)).unflatten(0, (m, m))
        found = found.permute(2, 0, 3, 1, 4)
        top = strip.top * m
        rows = y[strip.picture, top : top + strip.rows * m]
        if len(rows) == strip.rows * m and width == columns * m:
            rows.view(found.shape).copy_(found)
            return
        whole = scratch("strip", found.shape, found.dtype).copy_(found)
        rows.copy_(whole.flatten(2, 3).flatten(0, 1)[: height - top, :width])

    def convolved(self, w: Tensor, bias: Tensor | None) -> Tensor:
        """The answer (N, h, w, K)."""
        kernels, columns, n = kernels_of(self.tiles, w), self.counts[1], self.tiles.n
        _, inputs, outputs = kernels.shape
        y = self.x.new_empty(len(self.x), *self.answers, outputs)
        for chunk in each(self.chunks()):
            counts = [strip.rows * columns for strip in chunk]
            values = scratch("values", (n * n, sum(counts) * inputs), y.dtype)
            cuts = values.split([c * inputs for c in counts], 1)
            for strip, part in zip(chunk, cuts, strict=True):
                self.cut(strip, part)
            products = scratch("products", (n * n, sum(counts) * outputs), y.dtype)
            torch.bmm(
                values.unflatten(1, (-1, inputs)), kernels, out=products.unflatten(1, (-1, outputs))
            )
            if bias is not None:
                # The value at the point (1, 1) goes once into every answer.
                products[n + 1].view(-1, outputs).add_(bias)
            cuts = products.split([c * outputs for c in counts], 1)
            for strip, part in zip(chunk, cuts, strict=True):
                self.join(strip, part, y)
        return y


def wide(x: Tensor, w: Tensor, bias: Tensor | None, padding: int, mirrored: bool) -> Tensor:
    """x (N, C, H, W), with so many zeros or mirrored pixels around it, by w (K, C, r, r).

    Pictures of a CycleGAN are 2e-5 from those in float64, of values from -1 to 1, where by
    definition they are 7e-6.
    """
    r = w.shape[-1]
    inside = x.permute(0, 2, 3, 1).contiguous()
    y = Wide(tiles_of(FORMS[r], r, True, x.dtype), inside, padding, mirrored).convolved(w, bias)
    return y.permute(0, 3, 1, 2)


def thin(x: Tensor, rows: Tensor, bias: Tensor | None, padding: int, mirrored: bool) -> Tensor:
    """Few answers (N, K, h, w), contiguous, to x (N, C, H, W) with so many zeros or mirrored pixels
    around it. By kernels of one row (r * K, C, 1, r): each row of pixels goes into r rows of
    answers, and is seen once."""
    r, x = rows.shape[-1], x.permute(0, 2, 3, 1)
    height, width = (length + 2 * padding for length in x.shape[1:3])
    y = x.new_zeros(len(x), len(rows) // r, height - r + 1, width - r + 1)
    for picture in each(range(len(x))):
        answer = y[picture]
        for strip in spans(height, STRIP // (width * x.shape[3])):
            top, high = strip.start, strip.stop - strip.start
            values = surrounded(x[picture], top, high, width, padding, mirrored)
            found = F.conv2d(values[None].permute(0, 3, 1, 2), rows)[0].unflatten(0, (r, -1))
            for i, part in enumerate(found):
                begin, end = max(top - i, 0), min(strip.stop - i, answer.shape[1])
                if begin < end:
                    answer[:, begin:end] += part[:, begin + i - top : end + i - top]
    return y if bias is None else y.add_(bias[:, None, None])


def surrounded(
    x: Tensor, top: int, rows: int, columns: int, padding: int, mirrored: bool
) -> Tensor:
    """Some rows of a picture (H, W, C) with so many zeros or mirrored pixels around it, `top` being
    counted from the first of these, and so many columns; zero where there is nothing. In scratch
    memory."""
    (height, width, channels), p, above = x.shape, padding, top - padding
    values = scratch("strip", (rows, columns, channels), x.dtype)
    inside = range(min(max(above, 0), height), max(min(above + rows, height), 0))
    middle = values[:, p : p + width]
    if inside:
        middle[inside.start - above : inside.stop - above] = x[inside.start : inside.stop]
    for row in range(above, above + rows):
        if row in inside:
            continue
        if mirrored and row < height + p:
            middle[row - above] = x[-row if row < 0 else 2 * (height - 1) - row]
        else:
            middle[row - above] = 0
    for i in range(p):
        left, right = values[:, p - 1 - i], values[:, p + width + i]
        if mirrored:
            left.copy_(values[:, p + 1 + i])
            right.copy_(values[:, p + width - 2 - i])
        else:
            left.zero_()
            right.zero_()
    values[:, width + 2 * p :] = 0
    return values


def is_untrained(x: Tensor) -> bool:
    """Whether a batch (N, C, H, W) came from such layers, and goes to no backward."""
    inside = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    told = torch.compiler.is_compiling() or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    return not torch.is_grad_enabled() and inside and x.dtype == torch.float32 and not told


def normalised(x: Tensor, eps: float) -> Tensor:
    """Each channel of each picture (N, C, H, W) less its mean, over its deviation. Means and
    squares are of values less about their mean, by blocks, so that nothing cancels."""
    if x[0].numel() <= SMALL:  # whatever goes along with it in a batch
        y = x - x.mean((2, 3), keepdim=True)
        y -= y.mean((2, 3), keepdim=True)
        return y.mul_(y.square().mean((2, 3), keepdim=True).add_(eps).rsqrt_())
    y = torch.empty_like(x, memory_format=torch.channels_last)
    given, answers = (batch.permute(0, 2, 3, 1).flatten(1, 2) for batch in (x, y))
    for picture in each(range(len(x))):
        normalise(given[picture], eps, answers[picture])
    return y


def normalise(x: Tensor, eps: float, into: Tensor) -> None:
    """The same of pixels (H * W, C)."""
    blocks = list(spans(len(x), BLOCK // x.shape[1]))
    about = x[blocks[0]].mean(0)
    sums = torch.zeros(2, len(blocks), x.shape[1], dtype=torch.float64)
    for block, of in zip(blocks, sums.unbind(1), strict=True):
        apart = torch.sub(x[block], about, out=into[block])
        of[0] = apart.sum(0)
        of[1] = torch.mul(apart, apart, out=scratch("strip", apart.shape, x.dtype)).sum(0)
    mean, squares = sums.sum(1) / len(x)
    scale = (squares - mean**2).clamp_(min=0).add_(eps).rsqrt_()
    shift, scale = (-mean * scale).to(x.dtype), scale.to(x.dtype)
    for block in blocks:
        torch.addcmul(shift, into[block], scale, out=into[block])
