"""The schedule of a training that grows, against the published one."""

from dataclasses import replace
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganvas.data.sampler import EndlessBatches
from ganvas.errors import InputError
from ganvas.methods.growing import TICKS, table
from ganvas.methods.stylegan import Config

# kimg: lod, resolution, batch size, rate, length of a tick in kimg
SCHEDULES = {
    64: {
        0: (3.0, 8, 128, 0.001, 140),
        599: (3.0, 8, 128, 0.001, 140),
        600: (3.0, 8, 128, 0.001, 140),
        601: (3 - 1 / 600, 16, 128, 0.001, 120),
        900: (2.5, 16, 128, 0.001, 120),
        1200: (2.0, 16, 128, 0.001, 120),
        1800: (2.0, 16, 128, 0.001, 120),
        2100: (1.5, 32, 64, 0.001, 100),
        2400: (1.0, 32, 64, 0.001, 100),
        3300: (0.5, 64, 32, 0.001, 80),
        3600: (0.0, 64, 32, 0.001, 80),
        20000: (0.0, 64, 32, 0.001, 80),
    },
    1024: {
        0: (7.0, 8, 128, 0.001, 140),
        900: (6.5, 16, 128, 0.001, 120),
        3300: (4.5, 64, 32, 0.001, 80),
        5000: (3.0, 128, 16, 0.0015, 60),
        5700: (2.5, 256, 8, 0.002, 40),
        6900: (1.5, 512, 4, 0.003, 30),
        7800: (1.0, 512, 4, 0.003, 30),
        8100: (0.5, 1024, 4, 0.003, 20),
        8400: (0.0, 1024, 4, 0.003, 20),
    },
}


@pytest.mark.parametrize(
    ("size", "kimg", "row"),
    [(size, kimg, row) for size, rows in SCHEDULES.items() for kimg, row in rows.items()],
)
def test_the_published_schedule(size, kimg, row):
    c, images = Config(size=str(size)), kimg * 1000
    lod, resolution, batch_size, rate, tick = row
    assert c.lod_at(images) == pytest.approx(lod, rel=1e-6)
    assert c.resolution_at(images) == resolution
    assert c.batch_size_at(images) == batch_size
    assert c.rates_at(images) == {"G": rate, "D": rate}
    (length,) = [n for start, end, n in c.tick_lengths() if start <= images < end]
    assert length == tick * 1000


@pytest.mark.parametrize(("size", "kimg"), [(1024, 8400), (512, 7200), (256, 6000), (64, 3600)])
def test_the_full_size_is_faded_in_when_it_was(size, kimg):
    c = Config(size=str(size))
    assert c.lod_at(kimg * 1000) == 0
    assert c.lod_at(kimg * 1000 - 1000) > 0


SMALL = Config(
    size="32",
    lod_initial_resolution=4,
    lod_training_kimg=0.05,
    lod_transition_kimg=0.07,
    minibatch_dict="4:7,8:5,16:3,32:2",
    tick_kimg_dict="4:0.02,8:0.009,16:0.03",
    tick_kimg=0.013,
)


CHANGES = [{}, {"lod_transition_kimg": 0.0}, {"lod_training_kimg": 0.0}, {"structure": "fixed"}]


@pytest.mark.parametrize("changes", CHANGES)
@given(images=st.integers(1, 700))
def test_steps_are_counted_as_they_are_done(changes, images):
    c, shown, steps = replace(SMALL, **changes), 0, 0
    while shown < images:
        shown, steps = shown + c.batch_size_at(shown), steps + 1
    assert c.steps_to(images) == steps


@pytest.mark.parametrize("changes", [{}, {"lod_transition_kimg": 0.0}, {"lod_training_kimg": 0.0}])
def test_ticks_end_as_in_the_published_loop(changes):
    """A tick ends as soon as it is as long as those of the resolution of that moment."""
    c = replace(SMALL, **changes)
    lengths = table(c.tick_kimg_dict, "tick_kimg_dict")
    ticks = began = 0
    for images in range(1, 600):
        kimg = lengths.get(c.resolution_at(images), c.tick_kimg)
        if images >= began + round(kimg * 1000):
            ticks, began = ticks + 1, images
        assert c.ticks_at(images) == ticks, images


def test_ticks_without_growing_are_all_alike():
    c = Config(size="64", structure="fixed")
    assert [c.ticks_at(kimg * 1000) for kimg in (0, 79, 80, 159, 160)] == [0, 0, 1, 1, 2]
    assert c.lod_at(0) == 0


@given(st.integers(0, 5), st.integers(0, 40))
def test_batches_of_changing_size_follow_from_where_they_begin(skipped, more):
    """So that a training that is resumed between any two of them goes on with the same ones."""
    whole = list(islice(EndlessBatches(SMALL.batch_size_at, 0), skipped + more + 1))
    start = whole[skipped][0]
    assert list(islice(EndlessBatches(SMALL.batch_size_at, start), more + 1)) == whole[skipped:]
    assert [k for batch in whole for k in batch] == list(range(whole[-1][-1] + 1))


def test_every_resolution_has_its_batch_size():
    batches = list(islice(EndlessBatches(SMALL.batch_size_at, 0), 200))
    assert {len(batch) for batch in batches} == {7, 5, 3, 2}


def test_ones_own_batch_size_and_rate_hold_at_all_resolutions():
    c = Config(size="256", batch_size=6, lr=0.0007, lr_D=0.002)
    for kimg in (0, 3000, 9000):
        assert c.batch_size_at(kimg * 1000) == 6
        assert c.rates_at(kimg * 1000) == {"G": 0.0007, "D": 0.002}
    c = Config(size="256", batch_size=6, minibatch_dict="8:9", lr=0.0007, lr_dict="256:0.1")
    assert (c.batch_size_at(0), c.batch_size_at(9_000_000)) == (9, 6)
    assert c.rates_at(9_000_000) == {"G": 0.1, "D": 0.1}
    assert Config(size="256", lr_dict_D="256:3").rates_at(9_000_000) == {"G": 0.002, "D": 3}


def test_rates_rise_where_they_are_told_to():
    c = Config(size="64", lr_rampup_kimg=10)
    assert [c.rates_at(images)["G"] for images in (0, 5000, 20_000)] == [0, 0.0005, 0.001]


def test_rectangles_grow_by_the_square_that_is_doubled_as_often():
    c = Config(size="80x48", lod_initial_resolution=16)
    assert c.pyramid.base == (3, 5)
    assert c.resolution_at(0) == 16
    assert c.resolution_at(10_000_000) == 64


def test_a_training_that_starts_above_its_size_does_not_grow():
    assert Config(size="16", lod_initial_resolution=64).lod_at(0) == 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"size": "50"}, "--size 50: wants a small size doubled"),
        ({"size": "34x32"}, "--size 34x32"),
        ({"size": "7"}, "--size 7"),
        ({"lod_initial_resolution": 12}, "--lod-initial-resolution 12: wants a power of two"),
        ({"lod_training_kimg": 0, "lod_transition_kimg": 0}, "take --structure fixed"),
        ({"lod_training_kimg": -1}, "--lod-training-kimg -1"),
        ({"tick_kimg": 0}, "--tick-kimg 0"),
        ({"minibatch_dict": "8:1.5"}, "--minibatch-dict 8:1.5: batches are whole numbers"),
        ({"minibatch_dict": "8"}, "--minibatch-dict 8: wants RESOLUTION:NUMBER"),
        ({"lr_dict": "7:0.1"}, "--lr-dict 7:0.1"),
        ({"lr_dict_D": "8:0"}, "--lr-dict-D 8:0"),
        ({"tick_kimg_dict": "8:a"}, "--tick-kimg-dict 8:a"),
        ({"structure": "linear"}, "--structure linear: must be one of growing, fixed, skip"),
        ({"duration": "9tick"}, "--duration 9tick: is not counted in ticks"),
    ],
)
def test_what_cannot_be_is_refused(settings, said):
    with pytest.raises(InputError) as error:
        Config.from_mapping(settings)
    assert said in str(error.value)


def test_tables_are_read_as_they_are_written():
    assert table(" 8:1e-3, 16 : 2 ", "x") == {8: 0.001, 16: 2.0}
    assert table("none", "x") == {}
    assert table(TICKS, "x")[512] == 30
