"""The preset `auto`: settings by the pictures' size and by the memory that is free."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import noise

import ganvas
from ganvas import auto
from ganvas.errors import InputError
from ganvas.methods.stylegan import Config
from ganvas.training import settings_of

SMALL: dict[str, Any] = {
    "preset": "auto",
    "size": 16,
    "nz": 4,
    "nw": 4,
    "mapping_fmaps": 4,
    "fmap_max": 4,
    "device": "cpu",
}
GIB = 2**30


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for i in range(5):
        noise(i, 70, 90, 3).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def said() -> list[str]:
    return []


def free(monkeypatch: pytest.MonkeyPatch, count: float) -> None:
    """Let so many bytes of memory be free."""
    monkeypatch.setattr(auto, "free_on", lambda device: count)


@pytest.mark.parametrize(
    ("side", "batch", "gamma", "ema", "lr", "fmap_base"),
    [
        (128, 32, 0.1024, "10kimg", 0.0025, 8192),
        (256, 16, 0.8192, "5kimg", 0.0025, 8192),
        (512, 8, 6.5536, "2.5kimg", 0.0025, 16384),
        (1024, 4, 52.4288, "1.25kimg", 0.002, 16384),
    ],
)
def test_the_rule_is_the_published_one_for_one_gpu(side, batch, gamma, ema, lr, fmap_base):
    rule = Config.suits(side, side)
    found = [rule[n] for n in ("batch_size", "r1_gamma", "ema", "lr", "fmap_base", "mbstd_group")]
    assert found == [batch, pytest.approx(gamma), ema, lr, fmap_base, 4]
    assert (rule["mapping_layers"], rule["ema_rampup"]) == (2, 0.05)


@given(
    st.tuples(st.integers(3, 8), st.integers(3, 8), st.integers(1, 7)),
    st.none() | st.integers(1, 100),
)
def test_the_rule_holds_for_any_size_and_batch(base, batch_size):
    width, height = base[0] * 2 ** base[2], base[1] * 2 ** base[2]
    config = Config.from_mapping({"preset": "auto"} | Config.suits(width, height, batch_size))
    assert config.width_height == (width, height)
    assert config.batch_size_at(0) == config.batch_size == batch_size or batch_size is None
    assert config.r1_gamma * config.batch_size == pytest.approx(0.0002 * width * height, abs=1e-3)
    assert config.lod_at(0) == 0


def test_a_size_left_out_is_one_that_the_pictures_fill(pictures, said, monkeypatch):
    free(monkeypatch, 100 * GIB)
    settings = {n: v for n, v in SMALL.items() if n != "size"}
    config = settings_of("stylegan", settings | {"data": pictures}, said.append)
    assert config.size == "64"
    assert "--size 64" in said[0]


def test_what_is_given_wins(pictures, said, monkeypatch):
    free(monkeypatch, 100 * GIB)
    asked = SMALL | {"data": pictures, "r1_gamma": 7, "batch_size": 6, "structure": "fixed"}
    config = settings_of("stylegan", asked, said.append)
    assert isinstance(config, Config)
    assert (config.size, config.r1_gamma, config.structure) == ("16", 7, "fixed")
    assert (config.batch_size, config.ema) == (6, "1.875kimg")
    assert "--batch-size 6, as given" in said[0]


def test_a_batch_that_memory_does_not_hold_is_halved_and_the_rest_follows(
    pictures, said, monkeypatch
):
    settings = SMALL | {"data": pictures}
    free(monkeypatch, 100 * GIB)
    whole = settings_of("stylegan", settings)
    assert isinstance(whole, Config)
    batches = set()
    for bytes_free in (4e6, 2e6, 1e6, 5e5):
        free(monkeypatch, bytes_free)
        config = settings_of("stylegan", settings, said.append)
        assert isinstance(config, Config)
        assert config.batch_size * config.r1_gamma == pytest.approx(0.0002 * 256)
        assert config.ema == f"{config.batch_size * 10 / 32:g}kimg"
        batches.add(config.batch_size)
    assert whole.batch_size == 32
    assert batches < {32, 16, 8, 4, 2, 1}
    assert len(batches) > 1
    assert any("since 32 would take an estimated" in text for text in said)


def test_where_not_even_one_picture_fits_it_is_said(pictures, said, monkeypatch):
    free(monkeypatch, 10)
    config = settings_of("stylegan", SMALL | {"data": pictures}, said.append)
    assert config.batch_size == 1
    assert "a smaller --size takes less" in said[-1]


def test_a_run_keeps_what_was_picked_and_is_resumed_without_it(pictures, tmp_path, monkeypatch):
    free(monkeypatch, 100 * GIB)
    settings = SMALL | {"data": pictures, "threads": 1, "tensorboard": False, "previews": 2}
    settings |= {"batch_size": 2, "duration": "2it", "out": tmp_path / "run"}
    run = ganvas.train("stylegan", quiet=True, **settings)
    kept = run.record["settings"]
    rule = Config.suits(16, 16, 2)
    assert {n: kept[n] for n in rule if n != "size"} == {n: rule[n] for n in rule if n != "size"}

    def refuse(*args):
        raise AssertionError("picked again")

    monkeypatch.setattr("ganvas.auto.looked_at", refuse)
    ganvas.resume(run, duration="3it", quiet=True)
    # Nor does a training by that run's settings pick anything.
    settings_of("stylegan", kept)


def test_weights_to_begin_with_say_their_own_shape(pictures, tmp_path, monkeypatch, said):
    free(monkeypatch, 100 * GIB)
    shape = {"mapping_layers": 1, "structure": "fixed"}
    settings = SMALL | {"data": pictures, "threads": 1, "tensorboard": False, "previews": 2}
    settings |= {"batch_size": 2, "duration": "1it", "out": tmp_path / "run"}
    run = ganvas.train("stylegan", quiet=True, **settings | shape)
    again = {"preset": "auto", "data": pictures, "init": run.path, "device": "cpu"}
    config = settings_of("stylegan", again, said.append)
    assert isinstance(config, Config)
    assert (config.mapping_layers, config.structure, config.size) == (1, "fixed", "16")
    assert config.batch_size == 32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "nowhere"}, "nowhere"),
        ({"batch_size": 0}, "--batch-size 0"),
        ({"batch_size": "many"}, "--batch-size many"),
        ({"size": "big"}, "--size big"),
        ({"size": 17}, "wants a small size"),
    ],
)
def test_settings_that_cannot_be_are_refused(pictures, changes, message):
    with pytest.raises(InputError, match=message):
        settings_of("stylegan", SMALL | {"data": pictures} | changes)


def test_a_method_without_such_a_rule_says_what_it_has():
    with pytest.raises(InputError, match="preset"):
        settings_of("dcgan", {"preset": "auto", "data": "sample:shapes"})
