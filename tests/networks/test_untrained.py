"""Layers where nothing is learnt give what they give where something is, to rounding."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ganvas.networks import untrained
from ganvas.networks.convolution import FEW, Conv2d, ConvTranspose2d, as_rows
from ganvas.networks.norms import InstanceNorm2d
from ganvas.networks.resnet import ResnetGenerator
from ganvas.networks.unet import UnetGenerator
from ganvas.networks.untrained import kept, kept_bytes, kept_kernels, thin, wide
from ganvas.networks.winograd import WIDE

LAST = torch.channels_last


def inside(*shape: int) -> Tensor:
    return torch.randn(*shape).to(memory_format=LAST)


def apart(found: Tensor, exact: Tensor) -> float:
    return float((found.double() - exact).norm() / exact.norm())


@settings(deadline=None, max_examples=40)
@given(
    count=st.integers(1, 3),
    r=st.sampled_from([3, 4]),
    height=st.integers(4, 23),
    width=st.integers(4, 23),
    padding=st.integers(0, 2),
    mirrored=st.booleans(),
    strip=st.sampled_from([1, 1000, untrained.STRIP]),
    chunk=st.sampled_from([1, 7, untrained.CHUNK]),
)
def test_wide_convolutions_are_convolutions(
    count, r, height, width, padding, mirrored, strip, chunk
):
    mode = "reflect" if mirrored else "zeros"
    conv = nn.Conv2d(3, 5, r, padding=padding, padding_mode=mode)
    x = inside(count, 3, height, width)
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(untrained, "STRIP", strip)
        patch.setattr(untrained, "CHUNK", chunk)
        y = wide(x, conv.weight, conv.bias, padding, mirrored)
        assert y.is_contiguous(memory_format=LAST)
        assert apart(y, conv.double()(x.double())) < 1e-5


@settings(deadline=None, max_examples=25)
@given(
    count=st.integers(1, 2),
    r=st.sampled_from([5, 7]),
    height=st.integers(7, 20),
    width=st.integers(7, 20),
    padding=st.integers(0, 4),
    mirrored=st.booleans(),
    strip=st.sampled_from([1, 100, untrained.STRIP]),
)
def test_few_answers_are_those_of_convolutions(count, r, height, width, padding, mirrored, strip):
    mode = "reflect" if mirrored else "zeros"
    conv = nn.Conv2d(4, 2, r, padding=padding, padding_mode=mode)
    x = inside(count, 4, height, width)
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(untrained, "STRIP", strip)
        y = thin(x, as_rows(conv.weight), conv.bias, padding, mirrored)
        assert y.is_contiguous()
        assert apart(y, conv.double()(x.double())) < 1e-5


@pytest.mark.parametrize(
    "conv",
    [
        Conv2d(WIDE, WIDE, 3, padding=1, padding_mode="reflect"),
        Conv2d(WIDE, WIDE, 4),
        Conv2d(8, 3, 7, padding=3, padding_mode="reflect"),
        Conv2d(8, 3, 7, bias=False),
        Conv2d(3, 8, 7),
        Conv2d(4, 8, 3, stride=2, padding=1),
        Conv2d(4, 8, 3, padding="same"),
        Conv2d(4, 8, 3, padding=1, padding_mode="circular"),
    ],
    ids=str,
)
def test_every_convolution_answers_as_it_does_with_gradients(conv):
    x = torch.randn(2, conv.in_channels, 24, 24)
    with torch.no_grad():
        y = conv(x)
        exact = conv.double()(x.double())
    conv.float()
    assert apart(y, exact) < 1e-5
    assert apart(conv(x).detach(), exact) < 1e-5


@pytest.mark.parametrize("block", [2**13, untrained.BLOCK])
@pytest.mark.parametrize("shape", [(2, 8, 5, 7), (1, 3, 300, 301), (2, 40, 70, 50)])
def test_norms_are_as_precise_as_on_contiguous_values(shape, block, monkeypatch):
    monkeypatch.setattr(untrained, "BLOCK", block)
    norm = InstanceNorm2d(shape[1])
    x = inside(*shape) * 0.1 + torch.arange(float(shape[1]))[:, None, None]
    with torch.no_grad():
        y, exact = norm(x), norm(x.double())
        assert y.is_contiguous(memory_format=LAST)
        assert (y - exact).abs().max() < 2 * (norm(x.contiguous()) - exact).abs().max() + 1e-6


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("kind", [ResnetGenerator, UnetGenerator])
def test_pictures_of_whole_networks_are_those_of_float64(kind, norm):
    torch.manual_seed(0)
    network = kind(3, 3, 32, 2 if kind is ResnetGenerator else 6, norm).eval()
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad(), kept_kernels(network):
        found = network(x)
        exact = network.double()(x.double())
    assert (found - exact).abs().max() < 2e-5


def test_a_picture_goes_the_same_way_whatever_goes_along_with_it(monkeypatch):
    calls, side = made_each_time(monkeypatch), int(FEW**0.5) - 1
    monkeypatch.setattr(untrained, "SMALL", 8 * FEW)
    monkeypatch.setattr(untrained, "CHUNK", 5)
    conv, norm = Conv2d(WIDE, WIDE, 3, padding=1), InstanceNorm2d(8)
    with torch.no_grad(), kept_kernels(conv):
        conv(inside(5, WIDE, side, side))  # 1,125 pixels
        assert not calls
        for layer, x in ((norm, inside(3, 8, side, side)), (conv, inside(3, WIDE, 26, 26))):
            alone = torch.cat([layer(one) for one in x.split(1)])
            torch.testing.assert_close(layer(x), alone, rtol=0, atol=0)


def made_each_time(monkeypatch) -> list[int]:
    """A list that grows with each transformation of kernels."""
    calls, real = [], untrained.transformed
    monkeypatch.setattr(untrained, "transformed", lambda t, w: (calls.append(0), real(t, w))[1])
    return calls


def test_kernels_are_transformed_once_for_all_threads(monkeypatch):
    calls, conv, x = made_each_time(monkeypatch), Conv2d(WIDE, WIDE, 3), inside(1, WIDE, 26, 26)

    def ask(_: int) -> Tensor:
        with torch.no_grad():
            return conv(x)

    with kept_kernels(nn.Sequential(conv)), ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(8)))
    assert len(calls) == 1
    assert all(torch.equal(y, answers[0]) for y in answers)
    assert not kept


@pytest.mark.parametrize("meanwhile", [True, False])
def test_changed_weights_are_seen(meanwhile):
    conv, x = Conv2d(WIDE, WIDE, 3, bias=False), inside(1, WIDE, 34, 34)
    with torch.no_grad():
        with kept_kernels(conv):
            before = conv(x)
            with nullcontext() if meanwhile else kept_kernels(conv):
                conv.weight.mul_(2)
                after = conv(x)
        assert torch.equal(after, 2 * before)
        conv.load_state_dict({"weight": conv.weight / 4})
        assert torch.equal(conv(x), before / 2)


def test_kernels_are_kept_as_long_as_anybody_needs_them(monkeypatch):
    calls, conv, x = made_each_time(monkeypatch), Conv2d(WIDE, WIDE, 3), inside(1, WIDE, 34, 34)
    with torch.no_grad():
        with kept_kernels(conv):
            with kept_kernels(conv):
                conv(x)
            conv(x)
            assert len(calls) == 1
        conv(x)
    assert len(calls) == 2


def test_small_pictures_go_by_fewer_multiplications_where_kernels_are_kept(monkeypatch):
    calls, conv = made_each_time(monkeypatch), Conv2d(WIDE, WIDE, 3, padding=1)
    side = int(FEW**0.5)
    with torch.no_grad():
        conv(inside(1, WIDE, side, side))
        assert not calls
        with kept_kernels(conv):
            conv(inside(1, WIDE, side, side - 1))
            assert not calls
            conv(inside(1, WIDE, side, side))
    assert calls


def test_what_kernels_will_take_is_known():
    others = [
        Conv2d(WIDE, WIDE - 1, 3),
        Conv2d(8, 8, 4),
        Conv2d(WIDE, WIDE, 4, 2, 1),
        Conv2d(WIDE, WIDE, 3, groups=2),
        ConvTranspose2d(WIDE, WIDE, 4, 2, 1),
    ]
    network = nn.Sequential(Conv2d(WIDE, WIDE, 3), *others)
    assert kept_bytes(network) == 0
    with torch.no_grad(), kept_kernels(network):
        assert kept_bytes(network) == 36 * WIDE * WIDE * 4
        network[0](inside(1, WIDE, 34, 34))
        assert kept_bytes(network) == 0
        (one,) = kept.values()
        assert one.kernels is not None
        assert one.kernels.numel() == 36 * WIDE * WIDE
