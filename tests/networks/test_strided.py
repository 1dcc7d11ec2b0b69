"""Convolutions that halve pictures, and those that double them, have the gradients they should."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ganvas.networks import strided
from ganvas.networks.convolution import Conv2d, ConvTranspose2d, strided_way
from ganvas.networks.strided import PLAIN, THIN_WAY, WIDE_WAY, Doubling, Halving

WAYS = {"plain": PLAIN, "wide": WIDE_WAY, "thin": THIN_WAY}
LAYERS = {
    "wide": (WIDE_WAY, 128, 256, 33, (8, 8)),
    "wide, odd": (WIDE_WAY, 130, 257, 9, (15, 16)),
    "thin": (THIN_WAY, 3, 8, 2, (7, 10)),
    "grey": (THIN_WAY, 1, 5, 1, (1, 1)),
    "part by part": (PLAIN, 64, 8, 5, (42, 42)),
}
"""How, channels of the larger and of the smaller pictures, pictures, the smaller ones' size."""


def drawn(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@settings(deadline=None, max_examples=25)
@given(
    count=st.integers(1, 5),
    large=st.integers(1, 4),
    small=st.integers(1, 4),
    height=st.integers(2, 19),
    width=st.integers(2, 19),
    cached=st.sampled_from([1, 900, strided.CACHED]),
    most=st.sampled_from([1, 700, strided.MOST]),
)
def test_gradients_are_those_of_pytorch(way, count, large, small, height, width, cached, most):
    x, w = drawn(count, large, height, width), drawn(small, large, 4, 4)
    y = F.conv2d(x, w, None, 2, 1)
    by_y, size = torch.randn_like(y), (height, width)
    halved = torch.autograd.grad(y, (x, w), by_y)
    z = drawn(*y.shape)
    more = strided.more_than_twice(z, size)
    doubled = F.conv_transpose2d(z, w, None, 2, 1, more)
    by_x = torch.randn_like(x)
    wanted = torch.autograd.grad(doubled, (z, w), by_x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strided, "CACHED", cached)
        patch.setattr(strided, "MOST", most)
        found: Any = Halving.apply(x, w, None, way)
        torch.testing.assert_close(torch.autograd.grad(found, (x, w), by_y), halved)
        found = Doubling.apply(z, w, None, size, way)
        torch.testing.assert_close(found, doubled)
        torch.testing.assert_close(torch.autograd.grad(found, (z, w), by_x), wanted)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_gradients_can_be_differentiated_again(way):
    """As penalties on gradients want."""

    def halved(x: Tensor, w: Tensor, bias: Tensor) -> Any:
        return Halving.apply(x, w, bias, way)

    def doubled(y: Tensor, w: Tensor, bias: Tensor) -> Any:
        return Doubling.apply(y, w, bias, (5, 4), way)

    w = drawn(2, 3, 4, 4)
    for function, leaves in (
        (halved, (drawn(2, 3, 5, 4), w, drawn(2))),
        (doubled, (drawn(2, 2, 2, 2), w, drawn(3))),
    ):
        assert torch.autograd.gradcheck(function, leaves)
        assert torch.autograd.gradgradcheck(function, leaves)


@pytest.mark.parametrize(("way", "large", "small", "count", "size"), LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("more", [(0, 0), (1, 0)], ids=["even", "odd"])
def test_layers_take_the_faster_way_to_the_same(way, large, small, count, size, more):
    torch.manual_seed(0)
    halving = Conv2d(large, small, 4, 2, 1)
    doubling = ConvTranspose2d(small, large, 4, 2, 1, more)
    assert strided_way(count, halving.weight, *size) is way
    x = (count, large, 2 * size[0] + more[0], 2 * size[1] + more[1])
    for layer, shape in ((halving, x), (doubling, (count, small, *size))):
        given = drawn(*shape, dtype=torch.float32)
        answer = layer(given)
        assert (
            type(answer.grad_fn).__name__
            == f"{'Halving' if layer is halving else 'Doubling'}Backward"
        )
        by_answer = torch.randn_like(answer)
        found = torch.autograd.grad(answer, [given, *layer.parameters()], by_answer)
        exact = torch_twin(layer).double()
        known = given.detach().double().requires_grad_()
        wanted_answer = exact(known)
        wanted = torch.autograd.grad(
            wanted_answer, [known, *exact.parameters()], by_answer.double()
        )
        for ours, theirs in zip((answer, *found), (wanted_answer, *wanted), strict=True):
            assert (ours.double() - theirs).norm() / theirs.norm() < 3e-6


def torch_twin(layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Module:
    """PyTorch's own layer with the same weights."""
    shape = (layer.in_channels, layer.out_channels, 4, 2, 1)
    if isinstance(layer, nn.ConvTranspose2d):
        down, right = layer.output_padding
        twin = nn.ConvTranspose2d(*shape, (down, right))
    else:
        twin = nn.Conv2d(*shape)
    twin.load_state_dict(layer.state_dict())
    return twin


def test_what_is_not_asked_for_is_not_computed():
    for large, small, count, size in ((128, 256, 33, 8), (3, 8, 2, 7)):
        for layer, channels, side in (
            (Conv2d(large, small, 4, 2, 1), large, 2 * size),
            (ConvTranspose2d(small, large, 4, 2, 1), small, size),
        ):
            layer.requires_grad_(False)
            given = drawn(count, channels, side, side, dtype=torch.float32)
            (found,) = torch.autograd.grad(layer(given).square().sum(), given)
            assert found.abs().sum() > 0
            assert layer.weight.grad is None
            layer.requires_grad_(True)
            layer(given.detach()).square().sum().backward()
            assert layer.weight.grad is not None


@pytest.mark.parametrize(
    "layer",
    [
        Conv2d(3, 8, 4, 2, 0),
        Conv2d(3, 8, 4, 2, 1, padding_mode="reflect"),
        Conv2d(3, 9, 4, 2, 1, groups=3),
        Conv2d(3, 8, (4, 3), 2, 1),
        Conv2d(3, 8, 4, (2, 1), 1),
        ConvTranspose2d(3, 2, 4, 1, 1),
        ConvTranspose2d(3, 2, 3, 2, 1),
        ConvTranspose2d(3, 3, 4, 2, 1, groups=3),
        ConvTranspose2d(3, 2, 4, 2, 1, dilation=2),
    ],
    ids=str,
)
def test_other_layers_are_as_they_were(layer):
    x = torch.randn(1, 3, 9, 8)
    assert torch.equal(layer(x), type(layer).__bases__[0].forward(layer, x))


def test_a_size_can_be_asked_for():
    layer, y = ConvTranspose2d(8, 3, 4, 2, 1), torch.randn(1, 8, 5, 5)
    assert layer(y, output_size=[11, 10]).shape == (1, 3, 11, 10)
    assert layer(y).shape == (1, 3, 10, 10)


@pytest.mark.parametrize("layer", [Conv2d(3, 8, 4, 2, 1), ConvTranspose2d(8, 3, 4, 2, 1)], ids=str)
@pytest.mark.parametrize("shape", [(1, 5, 8, 8), (1, 3, 1, 1), (0, 3, 8, 8), (0, 8, 4, 4)])
def test_what_cannot_be_convolved_is_pytorchs(layer, shape):
    x = torch.randn(*shape)
    ours, theirs = (
        outcome(forward, layer, x)
        for forward in (nn.Module.__call__, type(layer).__bases__[0].forward)
    )
    assert ours == theirs


def outcome(forward: Any, layer: nn.Module, x: Tensor) -> Any:
    """What it answers, or says is wrong."""
    try:
        return forward(layer, x).tolist()
    except RuntimeError as error:
        return str(error)
