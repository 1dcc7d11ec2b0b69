"""Convolutions by faster ways are convolutions."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ganvas.networks import convolution
from ganvas.networks.convolution import (
    PLAIN,
    THIN,
    THIN_IN,
    THIN_OUT,
    WIDE,
    WIDE_WAY,
    Conv2d,
    Convolution,
)
from ganvas.networks.winograd import tiles_of

FORMS = [(2, 3), (4, 3), (3, 4)]
FAST = {
    "wide 3x3": (WIDE, WIDE, 3, 0, 34),
    "wide 3x3, padded": (WIDE, WIDE + 1, 3, 1, 33),
    "wide 4x4": (WIDE, WIDE, 4, 1, 33),
    "few outputs": (8, THIN, 7, 0, 20),
    "few outputs, padded": (8, 3, 7, 3, 21),
    "few inputs": (3, 8, 7, 0, 20),
    "one channel": (1, 1, 5, 2, 11),
}
"""Inputs, outputs, kernel, padding, size."""
MODES = ("zeros", "reflect")


def drawn(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize(("m", "r"), FORMS)
@settings(deadline=None, max_examples=25)
@given(
    count=st.integers(1, 3),
    inputs=st.integers(1, 4),
    outputs=st.integers(1, 4),
    height=st.integers(5, 14),
    width=st.integers(5, 14),
    inside=st.booleans(),
)
def test_fewer_multiplications_give_the_same_answer(
    m, r, count, inputs, outputs, height, width, inside
):
    x, w = drawn(count, inputs, height, width), drawn(outputs, inputs, r, r)
    tiles = tiles_of(m, r, inside, torch.float64)
    y = F.conv2d(x, w)
    by_y = torch.randn_like(y)
    by_x, by_w = torch.autograd.grad(y, (x, w), by_y)
    x, w = x.detach(), w.detach()
    torch.testing.assert_close(tiles.convolved(x, w), y.detach())
    products = tiles.joined_back(by_y)
    torch.testing.assert_close(tiles.by_pictures(products, w, x.shape), by_x)
    torch.testing.assert_close(tiles.by_kernels(x, products), by_w)


@pytest.mark.parametrize(("m", "r"), FORMS)
def test_products_are_as_few_as_promised(m, r):
    tiles = tiles_of(m, r)
    assert tiles.values.shape == (tiles.n**2, tiles.n**2)
    assert tiles.n**2 / m**2 == {(2, 3): 4, (4, 3): 2.25, (3, 4): 4}[m, r]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("inputs", "outputs", "r", "padding", "size"), FAST.values(), ids=FAST)
def test_the_faster_way_is_taken_and_gives_the_same(inputs, outputs, r, padding, size, mode):
    torch.manual_seed(0)
    conv = Conv2d(inputs, outputs, r, padding=padding, padding_mode=mode)
    x = drawn(1, inputs, size, size, dtype=torch.float32)
    assert conv.way(x) not in (None, PLAIN)
    y = conv(x)
    by_y = torch.randn_like(y)
    found = torch.autograd.grad(y, [x, *conv.parameters()], by_y)
    exact = nn.Conv2d(inputs, outputs, r, padding=padding, padding_mode=mode).double()
    exact.load_state_dict(conv.state_dict())
    xd = x.detach().double().requires_grad_()
    yd = exact(xd)
    wanted = torch.autograd.grad(yd, [xd, *exact.parameters()], by_y.double())
    for ours, theirs in zip((y, *found), (yd, *wanted), strict=True):
        error = (ours.double() - theirs).norm() / theirs.norm()
        assert error < 3e-6
    assert y.is_contiguous()
    with torch.no_grad():
        untrained = conv(x)
    assert (untrained.double() - yd).norm() / yd.norm() < 3e-6


def test_what_mirrors_keeps_its_input_alone():
    conv, x = Conv2d(8, 8, 3, padding=1, padding_mode="reflect"), torch.randn(1, 8, 9, 9)
    kept: list[Tensor] = []

    def keep(saved: Tensor) -> Tensor:
        kept.append(saved)
        return saved

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
        y = conv(x)
    assert {saved.data_ptr() for saved in kept} == {x.data_ptr(), conv.weight.data_ptr()}
    torch.testing.assert_close(y, nn.Conv2d.forward(conv, x))


def test_what_is_not_asked_for_is_not_computed():
    torch.manual_seed(0)
    for inputs, outputs, r, padding, size in FAST.values():
        conv = Conv2d(inputs, outputs, r, padding=padding).requires_grad_(False)
        x = drawn(1, inputs, size, size, dtype=torch.float32)
        (by_x,) = torch.autograd.grad(conv(x).square().sum(), x)
        assert by_x.abs().sum() > 0
        assert conv.weight.grad is None
        conv.requires_grad_(True)
        conv(x.detach()).square().sum().backward()
        assert conv.weight.grad is not None


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(
    ("way", "shapes"),
    [
        (PLAIN, ((1, 2, 5, 5), (2, 2, 3, 3))),
        (WIDE_WAY, ((1, 2, 5, 5), (2, 2, 3, 3))),
        (THIN_OUT, ((1, 2, 6, 6), (1, 2, 5, 5))),
        (THIN_IN, ((1, 1, 6, 6), (2, 1, 5, 5))),
    ],
    ids=["plain", "wide", "few outputs", "few inputs"],
)
def test_gradients_can_be_differentiated_again(way, shapes, mirrored):
    """As penalties on gradients want."""

    def convolved(x: Tensor, w: Tensor, bias: Tensor) -> Any:
        return Convolution.apply(x, w, bias, 1, mirrored, way)

    leaves = (*(drawn(*shape) for shape in shapes), drawn(shapes[1][0]))
    assert torch.autograd.gradcheck(convolved, leaves)
    assert torch.autograd.gradgradcheck(convolved, leaves)


@pytest.mark.parametrize(
    "conv",
    [
        Conv2d(WIDE, WIDE, 3, stride=2),
        Conv2d(WIDE, WIDE, 3, groups=2),
        Conv2d(WIDE, WIDE, 3, dilation=2),
        Conv2d(WIDE, WIDE, 3, padding="same"),
        Conv2d(WIDE, WIDE, (3, 1)),
        Conv2d(WIDE, WIDE, 3, padding=1, padding_mode="circular"),
        Conv2d(WIDE, WIDE - 1, 3),
    ],
    ids=str,
)
def test_other_convolutions_are_as_they_were(conv):
    x = torch.randn(1, WIDE, 34, 34)
    assert torch.equal(conv(x), nn.Conv2d.forward(conv, x))


def test_in_float64_and_in_bfloat16_it_is_torchs_own():
    conv, x = Conv2d(WIDE, WIDE, 3), torch.randn(1, WIDE, 34, 34)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(conv(x), nn.Conv2d.forward(conv, x))
    assert torch.equal(conv.double()(x.double()), nn.Conv2d.forward(conv, x.double()))


def test_large_batches_and_large_pictures_are_convolved_part_by_part(monkeypatch):
    monkeypatch.setattr(convolution, "BAND", 300)
    torch.manual_seed(0)
    conv = Conv2d(WIDE, WIDE, 3, padding=1, padding_mode="reflect")
    x = drawn(2, WIDE, 30, 26, dtype=torch.float32)
    y = conv(x)
    found = torch.autograd.grad(y.square().sum(), [x, conv.weight])
    wanted = nn.Conv2d.forward(conv, x)
    exact = torch.autograd.grad(wanted.square().sum(), [x, conv.weight])
    torch.testing.assert_close(y, wanted, rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(found, exact, strict=True):
        assert (ours - theirs).norm() / theirs.norm() < 3e-6
    with torch.no_grad():
        torch.testing.assert_close(conv(x), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, WIDE, 2, 600), (1, WIDE - 1, 40, 40)])
def test_what_cannot_be_convolved_is_said_by_pytorch(shape):
    conv, x = Conv2d(WIDE, WIDE, 3), torch.randn(*shape)
    with pytest.raises(RuntimeError) as ours:
        conv(x)
    with pytest.raises(RuntimeError) as theirs:
        nn.Conv2d.forward(conv, x)
    assert str(ours.value) == str(theirs.value)
