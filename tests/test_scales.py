"""Scales: values to [-1, 1] and back, for every type."""

import json

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from ganvas.errors import InputError
from ganvas.pictures import Picture, from_unit, to_unit
from ganvas.scales import Scale, outside_said, range_of, scale_for

EVERY_BYTE = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)


def test_every_byte_becomes_what_the_reference_makes_of_it_and_comes_back():
    scale = Scale(1)
    x = scale.unit(EVERY_BYTE)
    assert torch.equal(x, to_unit(torch.from_numpy(EVERY_BYTE).permute(2, 0, 1)))
    assert np.array_equal(scale.values(x), EVERY_BYTE)


@given(st.floats(-1.5, 1.5))
def test_bytes_are_rounded_as_everywhere_else(value):
    level = (value + 1) * 127.5
    assume(abs(level % 1 - 0.5) > 1e-4)  # of a tie, rounding decides
    x = torch.full((1, 1, 1), value)
    assert Scale(1).values(x).item() == from_unit(x).item()


def test_every_16_bit_value_comes_back():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    for scale in (Scale(1, "uint16"), Scale(1, "uint16", (0.0,), (65535.0,))):
        x = scale.unit(values)
        assert (x.min(), x.max()) == (-1, 1)
        assert np.array_equal(scale.values(x, "uint16"), values)


@given(
    st.sampled_from(["uint8", "uint16", "int16", "int8", "int32", "uint32"]),
    st.integers(-(2**15), 2**15),
    st.integers(1, 2**16),
    st.integers(1, 5),
)
def test_measured_integers_come_back_exactly(dtype, least, extent, channels):
    limits = np.iinfo(dtype)
    low = min(max(least, limits.min), limits.max)
    high = min(low + extent, limits.max)
    values = np.random.default_rng(0).integers(low, high, (7, 5, channels), dtype, endpoint=True)
    ends = [[float(f(values[:, :, c])) for c in range(channels)] for f in (np.min, np.max)]
    scale = scale_for(dtype, channels, ends[0], ends[1], "measured")
    x = scale.unit(values)
    assert x.abs().max() <= 1
    assert np.array_equal(scale.values(x, dtype), values)


@given(
    st.sampled_from(["float32", "float64"]),
    st.floats(-1e6, 1e6),
    st.floats(1e-3, 1e6),
)
def test_measured_floats_come_back_to_rounding(dtype, low, extent):
    values = (low + extent * np.random.default_rng(0).random((6, 5, 2))).astype(dtype)
    ends = [list(map(float, f(values, axis=(0, 1)))) for f in (np.min, np.max)]
    # float64 that is further from 0 than float32 can tell apart is refused.
    assume(dtype == "float32" or (abs(low) + extent) < 2**11 * extent)
    scale = scale_for(dtype, 2, ends[0], ends[1], None)
    back = scale.values(scale.unit(values), dtype)
    assert back.dtype == dtype
    # A step of float32 in [-1, 1], and one of the type at the size of the values.
    step = 2**-24 * extent + np.finfo(dtype).eps * (abs(low) + extent)
    assert np.abs(back.astype(float) - values).max() <= 1.01 * step


def test_each_channel_has_its_own_ends():
    values = np.zeros((4, 4, 2), np.float32)
    values[..., 0], values[..., 1] = 5, np.linspace(-1, 3, 4)
    scale = scale_for("float32", 2, [5, -1], [5, 3], None)
    x = scale.unit(values)
    assert x[0].unique().tolist() == [-1]  # a flat channel
    assert (x[1].min(), x[1].max()) == (-1, 1)
    assert np.allclose(scale.values(x), values)


def test_8_bits_go_by_their_type_and_all_else_is_measured_unless_it_is_said():
    assert scale_for("uint8", 3, [9] * 3, [99] * 3, None) == Scale(3)
    assert scale_for("uint16", 1, [9], [99], None) == Scale(1, "uint16", (9.0,), (99.0,))
    assert scale_for("uint16", 1, [9], [99], "type") == Scale(1, "uint16")
    assert scale_for("uint8", 1, [9], [99], "measured").low == (9.0,)
    assert scale_for("float32", 2, [9, 9], [99, 99], "0:1") == Scale(
        2, "float32", (0.0, 0.0), (1.0, 1.0)
    )
    assert scale_for("float32", 2, [9, 9], [99, 99], "0:1,-2:3").high == (1.0, 3.0)


@pytest.mark.parametrize("text", ["", "7", "a:b", "3:1", "0:0", "0:inf", "nan:1", "0:1:2", "0:1,"])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(InputError, match=rf"^--range-A {text}: wants type, measured, or LOW:HIGH"):
        range_of(text, "range-A")


def test_floats_have_no_range_of_their_own():
    with pytest.raises(InputError, match=r"floats .float32. have no range of their own"):
        scale_for("float32", 1, [0], [1], "type")


def test_integers_that_float32_cannot_tell_apart_are_refused():
    with pytest.raises(InputError, match=r"tells apart no more than 2\^24 steps"):
        scale_for("uint32", 1, [0], [2.0**32], None)
    assert scale_for("uint32", 1, [0], [2.0**20], None).high == (2.0**20,)


def test_by_type_16_bits_pass_through_a_network_of_8_and_stay_16():
    scale = Scale(1)
    values = np.array([[[0], [65535], [32768]]], np.uint16)
    x = scale.unit(values)
    assert (x.min(), x.max()) == (-1, 1)
    assert np.array_equal(scale.values(x, "uint16"), values)


def test_what_lies_outside_is_cut_off_and_said():
    scale = Scale(1, "uint16", (0.0,), (4095.0,))
    picture = Picture(np.array([[[0], [4095], [5000], [65535]]], np.uint16))
    assert scale.unit(picture.values).flatten().tolist() == [-1, 1, 1, 1]
    assert outside_said(scale, picture.values).startswith(
        "50 % of its values lie outside of 0 to 4095"
    )
    assert not outside_said(scale, picture.values[:, :2])
    assert not outside_said(Scale(1), picture.values)
    with pytest.raises(InputError, match=r"^66.7 % .*uint16.: bring them to the values of those"):
        outside_said(scale, picture.values[:, 1:])


@given(
    st.integers(1, 32),
    st.sampled_from(["uint8", "uint16", "float32"]),
    st.sampled_from([None, "measured"]),
)
def test_a_scale_comes_back_from_its_description(channels, dtype, given_):
    scale = scale_for(dtype, channels, [0.1] * channels, [0.7] * channels, given_)
    told = json.loads(json.dumps(scale.described()))
    assert Scale.from_description(told) == scale
