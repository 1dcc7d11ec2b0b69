"""Layers as fields: what they give can be asked for in any window, and is computed from no more
of the picture than that window needs."""

from collections.abc import Callable, Sequence
from math import ceil
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganvas.methods.translator import padded

Reader = Callable[[int, int, int, int], Tensor]
"""(top, left, height, width) to float32 (C, height, width) in [-1, 1]."""


class Span(NamedTuple):
    """Rows, or columns, from `start` to before `stop`."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start


class Window(NamedTuple):
    rows: Span
    columns: Span

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows.length, self.columns.length

    @property
    def area(self) -> int:
        return self.rows.length * self.columns.length


class Held(Protocol):
    """Where a field's values are kept once they are computed."""

    def read(self, window: Window) -> Tensor: ...

    def close(self) -> None: ...


class Field:
    """What a layer gives: (1, channels, height, width), of which any window can be read.

    A kind of layer is a subclass with `needs`, the windows of its parents that a window of its own
    is computed from, and `make`, which computes it from them. Tensors that `make` is given are its
    own to change.
    """

    per_value = 0.0
    """Multiplications that one value takes."""

    def __init__(
        self,
        parents: Sequence["Field"],
        channels: int,
        height: int,
        width: int,
        scale: float = 0.0,
    ) -> None:
        """`scale`: pixels of the picture, along one side, for one here; the parent's if 0."""
        self.parents = tuple(parents)
        self.channels, self.height, self.width = channels, height, width
        self.scale = scale or self.parents[0].scale
        self.held: Held | None = None

    def needs(self, window: Window) -> tuple[Window, ...]:
        return (window,) * len(self.parents)

    def make(self, window: Window, *inputs: Tensor) -> Tensor:
        raise NotImplementedError  # pragma: no cover

    def read(self, window: Window) -> Tensor:
        """(1, channels, h, w) of that window, a tensor of the caller's own."""
        return self.held.read(window) if self.held else self.compute(window)

    def compute(self, window: Window) -> Tensor:
        wanted = zip(self.parents, self.needs(window), strict=True)
        return self.make(window, *(parent.read(part) for parent, part in wanted))

    @property
    def whole(self) -> Window:
        return Window(Span(0, self.height), Span(0, self.width))

    @property
    def values(self) -> int:
        return self.channels * self.height * self.width


class PaddedPicture(Field):
    """The picture, padded to the stride below and to the right as `pad_to` does it."""

    def __init__(
        self,
        reader: Reader,
        channels: int,
        size: tuple[int, int],
        stride: int = 1,
        smallest: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        height, width = (padded(length, stride, smallest) for length in size)
        super().__init__((), channels, height, width, scale=1.0)
        self.reader, self.size, self.device = reader, size, device

    def make(self, window: Window, *inputs: Tensor) -> Tensor:
        lengths = zip(window, self.size, (self.height, self.width), strict=True)
        indices = [extended(span, length, whole) for span, length, whole in lengths]
        (top, bottom), (left, right) = (bounds(index) for index in indices)
        x = self.reader(top, left, bottom - top, right - left)
        wanted = (self.channels, bottom - top, right - left)
        if tuple(x.shape) != wanted:
            raise ValueError(f"read gave {tuple(x.shape)} where {wanted} was asked for")
        x = x.to(self.device, torch.float32, copy=True)[None]
        return gathered(x.contiguous(memory_format=torch.channels_last), indices)


class Pointwise(Field):
    """A layer that looks at one pixel at a time."""

    def __init__(self, layer: nn.Module, parent: Field) -> None:
        super().__init__([parent], parent.channels, parent.height, parent.width)
        self.layer = layer

    def make(self, window: Window, *inputs: Tensor) -> Tensor:
        return self.layer(inputs[0])


class Labelled(Field):
    """The parent with planes behind its channels that have one value each."""

    def __init__(self, parent: Field, values: Tensor) -> None:
        channels = parent.channels + len(values)
        super().__init__([parent], channels, parent.height, parent.width)
        self.label = values

    def make(self, window: Window, *inputs: Tensor) -> Tensor:
        planes = self.label.to(inputs[0])[None, :, None, None].expand(-1, -1, *window.shape)
        return torch.cat([inputs[0], planes], 1)


class Normalised(Field):
    """A norm by the statistics of the whole picture, which somebody must gather first."""

    def __init__(
        self, parent: Field, eps: float, weight: Tensor | None = None, bias: Tensor | None = None
    ) -> None:
        super().__init__([parent], parent.channels, parent.height, parent.width)
        self.eps, self.weight, self.bias = eps, weight, bias
        self.mean: Tensor | None = None
        self.variance: Tensor | None = None

    def make(self, window: Window, *inputs: Tensor) -> Tensor:
        assert self.mean is not None
        statistics = (self.mean, self.variance, self.weight, self.bias)
        return F.batch_norm(inputs[0], *statistics, training=False, eps=self.eps)


class Reflected(Field):
    """The parent with `pad` pixels more on each side, mirrored at its outermost ones."""

    def __init__(self, parent: Field, left: int, right: int, top: int, bottom: int) -> None:
        height, width = parent.height + top + bottom, parent.width + left + right
        super().__init__([parent], parent.channels, height, width)
        self.before = (top, left)

    def indices(self, window: Window) -> list[Tensor]:
        parent = self.parents[0]
        lengths = zip(window, self.before, (parent.height, parent.width), strict=True)
        return [
            self.origin(torch.arange(span.start - before, span.stop - before), length)
            for span, before, length in lengths
        ]

    def origin(self, index: Tensor, length: int) -> Tensor:
        """Where rows or columns come from, in a parent of that length."""
        return mirrored(index, length)

    def needs(self, window: Window) -> tuple[Window, ...]:
        return (Window(*(bounds(index) for index in self.indices(window))),)

    def make(self, window: Window, *inputs: Tensor) -> Tensor:
        return gathered(inputs[0], self.indices(window))


class Repeated(Reflected):
    """The parent with `pad` pixels more on each side, all as its outermost ones."""

    def origin(self, index: Tensor, length: int) -> Tensor:
        return index.clamp(0, length - 1)


class Convolved(Field):
    """A convolution, with zeros around the parent as far as it pads."""

    def __init__(self, layer: nn.Conv2d, parent: Field) -> None:
        assert not isinstance(layer.padding, str)
        self.layer, self.pads = unpadded(layer), tuple(layer.padding)
        self.reaches = tuple(
            d * (k - 1) + 1 for d, k in zip(layer.dilation, layer.kernel_size, strict=True)
        )
        height, width = (
            (length + 2 * pad - reach) // stride + 1
            for length, pad, reach, stride in zip(
                (parent.height, parent.width), self.pads, self.reaches, layer.stride, strict=True
            )
        )
        scale = parent.scale * max(layer.stride)
        super().__init__([parent], layer.out_channels, height, width, scale)
        self.per_value = layer.weight[0].numel()

    def wanted(self, window: Window) -> list[Span]:
        """Rows and columns of the parent, also those that lie outside of it."""
        return [
            Span(span.start * stride - pad, (span.stop - 1) * stride - pad + reach)
            for span, stride, pad, reach in zip(
                window, self.layer.stride, self.pads, self.reaches, strict=True
            )
        ]

    def needs(self, window: Window) -> tuple[Window, ...]:
        lengths = (self.parents[0].height, self.parents[0].width)
        inside = (
            clipped(s, length) for s, length in zip(self.wanted(window), lengths, strict=True)
        )
        return (Window(*inside),)

    def make(self, window: Window, *inputs: Tensor) -> Tensor:
        rows, columns = self.wanted(window)
        inside = self.needs(window)[0]
        zeros = [
            inside.columns.start - columns.start,
            columns.stop - inside.columns.stop,
            inside.rows.start - rows.start,
            rows.stop - inside.rows.stop,
        ]
        x = F.pad(inputs[0], zeros) if any(zeros) else inputs[0]
        return self.layer(x)


class Upconvolved(Field):
    """A transposed convolution."""

    def __init__(self, layer: nn.ConvTranspose2d, parent: Field) -> None:
        assert not isinstance(layer.padding, str)
        self.layer, self.pads = layer, tuple(layer.padding)
        self.reaches = tuple(
            d * (k - 1) + 1 for d, k in zip(layer.dilation, layer.kernel_size, strict=True)
        )
        height, width = (
            (length - 1) * stride - 2 * pad + reach + more
            for length, stride, pad, reach, more in zip(
                (parent.height, parent.width),
                layer.stride,
                self.pads,
                self.reaches,
                layer.output_padding,
                strict=True,
            )
        )
        scale = parent.scale / max(layer.stride)
        super().__init__([parent], layer.out_channels, height, width, scale)
        taps = layer.kernel_size[0] * layer.kernel_size[1] / (layer.stride[0] * layer.stride[1])
        self.per_value = taps * layer.in_channels / layer.groups

    def needs(self, window: Window) -> tuple[Window, ...]:
        lengths = (self.parents[0].height, self.parents[0].width)
        sides = zip(window, lengths, self.layer.stride, self.pads, self.reaches, strict=True)
        # Pixel i of the parent falls on those from i * stride - pad, as many as the kernel reaches.
        touching = (
            clipped(
                Span(
                    min(
                        ceil((span.start + pad - reach + 1) / stride), (span.start + pad) // stride
                    ),
                    (span.stop - 1 + pad) // stride + 1,
                ),
                length,
            )
            for span, length, stride, pad, reach in sides
        )
        return (Window(*touching),)

    def make(self, window: Window, *inputs: Tensor) -> Tensor:
        layer, inside = self.layer, self.needs(window)[0]
        # Where the kernel is shorter than the stride, windows may end in its gaps.
        beyond = [stride - 1 for stride in layer.stride]
        y = F.conv_transpose2d(
            inputs[0],
            layer.weight,
            layer.bias,
            layer.stride,
            0,
            beyond,
            layer.groups,
            layer.dilation,
        )
        top, left = (
            span.start - (used.start * stride - pad)
            for span, used, stride, pad in zip(window, inside, layer.stride, self.pads, strict=True)
        )
        height, width = window.shape
        y = y[:, :, top : top + height, left : left + width]
        # Layers are slow on a part of something larger.
        return y.contiguous(memory_format=torch.channels_last)


class Added(Field):
    """The sum of two fields of one shape: a residual block's."""

    def __init__(self, one: Field, other: Field) -> None:
        super().__init__([one, other], one.channels, one.height, one.width)

    def make(self, window: Window, *inputs: Tensor) -> Tensor:
        return inputs[0] + inputs[1]


class Joined(Field):
    """The channels of two fields, one after the other: a unet's skip and what lies below."""

    def __init__(self, one: Field, other: Field) -> None:
        super().__init__([one, other], one.channels + other.channels, one.height, one.width)

    def make(self, window: Window, *inputs: Tensor) -> Tensor:
        return torch.cat(inputs, 1)


def unpadded(conv: nn.Conv2d) -> nn.Conv2d:
    """A convolution of the same kind with the same weights that pads nothing."""
    found = type(conv)(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,  # pyright: ignore[reportArgumentType]
        conv.stride,  # pyright: ignore[reportArgumentType]
        dilation=conv.dilation,  # pyright: ignore[reportArgumentType]
        groups=conv.groups,
        device="meta",
    )
    found.weight, found.bias = conv.weight, conv.bias
    return found


def clipped(span: Span, length: int) -> Span:
    """The part that lies in a field of that length; one pixel of it where there is none."""
    start = min(max(span.start, 0), length - 1)
    return Span(start, max(min(span.stop, length), start + 1))


def mirrored(index: Tensor, length: int) -> Tensor:
    """Indices outside of 0 to length - 1, reflected into it at its ends."""
    index = index.abs()
    return (length - 1) - (length - 1 - index).abs()


def extended(span: Span, length: int, whole: int) -> Tensor:
    """Where each pixel of a picture of this length, padded to `whole` as by `pad_to`, comes
    from."""
    index = torch.arange(span.start, span.stop)
    # Reflected once; too small a picture repeats its last pixel.
    return mirrored(index, length) if whole - length < length else index.clamp(max=length - 1)


def bounds(index: Tensor) -> Span:
    return Span(int(index.min()), int(index.max()) + 1)


def gathered(x: Tensor, indices: Sequence[Tensor]) -> Tensor:
    """Those rows and columns of x, (1, C, H, W), whose first ones are the indices' least."""
    pads = [mirrors(index, length) for index, length in zip(indices, x.shape[2:], strict=True)]
    rows, columns = pads
    if rows and columns:
        return framed(x, rows, columns) if any(rows + columns) else x
    for axis, index in zip((2, 3), indices, strict=True):
        x = x.index_select(axis, (index - index.min()).to(x.device))
    return x.contiguous(memory_format=torch.channels_last)


def framed(x: Tensor, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
    """As `F.pad` by reflection, which takes ten times as long in channels_last (torch 2.14)."""
    (top, bottom), (left, right), (n, c, height, width) = rows, columns, x.shape
    y = x.new_empty(n, c, height + top + bottom, width + left + right)
    y = y.contiguous(memory_format=torch.channels_last)
    y[:, :, top : top + height, left : left + width] = x
    for axis, (before, after), length in ((2, rows, height), (3, columns, width)):
        end = before + length
        for i in range(before):
            y.select(axis, i).copy_(y.select(axis, 2 * before - i))
        for i in range(after):
            y.select(axis, end + i).copy_(y.select(axis, end - 2 - i))
    return y


def mirrors(index: Tensor, length: int) -> tuple[int, int] | None:
    """How many pixels are mirrored in front of and behind the `length` others that these indices
    begin from; none where the indices are made in another way."""
    before = int(index.argmin())
    after = index.numel() - before - length
    if after < 0 or max(before, after) >= length:
        return None
    plain = mirrored(torch.arange(-before, length + after), length)
    return (before, after) if torch.equal(index - index.min(), plain) else None
