"""Pictures and films from noise: `ganvas generate`, and what stands behind it."""

import math
import shlex
import sys
import weakref
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from making import noise
from PIL import Image

import ganvas
from ganvas.cli import main
from ganvas.errors import InputError
from ganvas.inference.film import enlarged, factor_of, write_film
from ganvas.inference.generate import as_image, generator_of, loop, pictures, seeds_of, slerp
from ganvas.inference.load import load
from ganvas.methods.dcgan import DCGAN
from ganvas.methods.generator import Generator

# At the usual rate two steps leave all pictures the same grey.
TINY: dict[str, Any] = {
    "size": 16,
    "ngf": 4,
    "ndf": 4,
    "nz": 8,
    "batch_size": 4,
    "duration": "2it",
    "lr": 0.2,
    "previews": 4,
    "tensorboard": False,
    "device": "cpu",
    "threads": 1,
    "quiet": True,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 16x16 RGB pictures without classes."""
    folder = tmp_path_factory.mktemp("dcgan")
    (folder / "data").mkdir()
    for i in range(8):
        noise(i, 16, 16, 3).save(folder / "data" / f"{i}.png")
    return ganvas.train("dcgan", data=folder / "data", out=folder / "run", **TINY).path


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class-conditional run of cats and dogs, in grey."""
    folder = tmp_path_factory.mktemp("pets")
    for part, name in enumerate(("cats", "dogs")):
        (folder / "data" / name).mkdir(parents=True)
        for i in range(4):
            noise(10 * part + i, 16, 16).save(folder / "data" / name / f"{i}.png")
    wanted = {"data": folder / "data", "out": folder / "run", "conditional": True}
    return ganvas.train("dcgan", **wanted, **TINY).path


@pytest.fixture(scope="module")
def method(run: Path) -> Generator:
    return generator_of(load(run))


def generate(run: Path, out: Path, options: str = "") -> int:
    return main(["generate", str(run), "--out", str(out), "--device", "cpu", *shlex.split(options)])


def pixels(picture: Image.Image | Path) -> np.ndarray:
    if isinstance(picture, Path):
        with Image.open(picture) as file:
            return np.asarray(file).astype(int)
    return np.asarray(picture).astype(int)


def apart(one: Image.Image | Path, other: Image.Image | Path) -> int:
    """The most by which two pictures differ, of 255."""
    return int(abs(pixels(one) - pixels(other)).max())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def gif_frames(path: Path) -> list[Image.Image]:
    with Image.open(path) as film:
        return [frame(film, n) for n in range(getattr(film, "n_frames", 1))]


def frame(film: Image.Image, n: int) -> Image.Image:
    film.seek(n)
    return film.convert("RGB")


def mp4_frames(path: Path) -> list[Image.Image]:
    with av.open(str(path)) as film:
        return [frame.to_image() for frame in film.decode(video=0)]


# Pictures


def test_there_is_a_file_a_seed(run, method, tmp_path, capsys):
    assert generate(run, tmp_path / "out", "--seeds 0-2,20,12345") == 0
    seeds = {0: "0000", 1: "0001", 2: "0002", 20: "0020", 12345: "12345"}
    assert names(tmp_path / "out") == sorted(f"seed{digits}.png" for digits in seeds.values())
    files = {seed: tmp_path / "out" / f"seed{digits}.png" for seed, digits in seeds.items()}
    for path, expected in zip(files.values(), method.generate(seeds), strict=True):
        assert apart(path, expected) <= 1
    assert apart(files[0], files[1]) > 20
    said = capsys.readouterr().out
    assert said.startswith("5 pictures in ")
    assert said.endswith(f" s, in {tmp_path / 'out'}\n")


def test_without_seeds_there_are_sixteen(run, tmp_path):
    assert generate(run, tmp_path) == 0
    assert names(tmp_path) == [f"seed{n:04d}.png" for n in range(16)]


def test_a_seed_named_twice_gives_one_file(run, tmp_path, capsys):
    assert generate(run, tmp_path, "--seeds 1-3,2,1") == 0
    assert len(names(tmp_path)) == 3
    assert capsys.readouterr().out.startswith("3 pictures")


def test_a_snapshot_or_its_weights_stand_for_the_run(run, tmp_path):
    snapshot = run / "snapshots" / "latest"
    for n, path in enumerate((run, snapshot, snapshot / "model.safetensors")):
        assert generate(path, tmp_path / str(n), "--seeds 5") == 0
        assert apart(tmp_path / str(n) / "seed0005.png", tmp_path / "0" / "seed0005.png") == 0


def test_a_folder_that_is_there_is_added_to(run, tmp_path):
    assert generate(run, tmp_path, "--seeds 0,1") == 0
    assert generate(run, tmp_path, "--seeds 2,3") == 0
    assert generate(run, tmp_path, "--grid") == 0
    assert len(names(tmp_path)) == 5


@pytest.mark.parametrize(
    ("seeds", "across", "down"), [("0-15", 4, 4), ("3,9,4", 2, 2), ("7", 1, 1)]
)
def test_a_grid_is_one_picture_of_all(run, method, tmp_path, seeds, across, down):
    assert generate(run, tmp_path, f"--grid --seeds {seeds}") == 0
    assert names(tmp_path) == ["grid.png"]
    with Image.open(tmp_path / "grid.png") as file:
        grid = file.convert("RGB")
    assert grid.size == (16 * across, 16 * down)
    for n, picture in enumerate(method.generate(seeds_of(seeds))):
        x, y = n % across * 16, n // across * 16
        assert apart(grid.crop((x, y, x + 16, y + 16)), picture) <= 1


def test_where_a_grid_has_no_more_pictures_it_is_white(run, tmp_path):
    assert generate(run, tmp_path, "--grid --seeds 0-2") == 0
    assert (pixels(tmp_path / "grid.png")[16:, 16:] == 255).all()


def test_a_class_is_shown_by_name(pets, tmp_path):
    for name in ("cats", "dogs"):
        assert generate(pets, tmp_path / name, f"--seeds 0-3 --class {name}") == 0
        assert names(tmp_path / name) == [f"seed{n:04d}.png" for n in range(4)]
        with Image.open(tmp_path / name / "seed0000.png") as picture:
            assert picture.mode == "L"
    assert apart(tmp_path / "cats" / "seed0000.png", tmp_path / "dogs" / "seed0000.png") > 20


def test_without_a_class_they_come_in_turn(pets, tmp_path):
    for name in ("cats", "dogs"):
        assert generate(pets, tmp_path / name, f"--seeds 4-7 --class {name}") == 0
    assert generate(pets, tmp_path / "all", "--seeds 4-7") == 0
    for seed, name in {4: "cats", 5: "dogs", 6: "cats", 7: "dogs"}.items():
        file = f"seed{seed:04d}.png"
        assert apart(tmp_path / "all" / file, tmp_path / name / file) <= 1


# The same seed, the same picture


@pytest.mark.parametrize("of", ["run", "pets"])
def test_pictures_do_not_depend_on_how_many_are_computed_at_once(of, request, tmp_path):
    path = request.getfixturevalue(of)
    for n in (1, 3, 8, 16):
        assert generate(path, tmp_path / str(n), f"--seeds 0-15 --batch-size {n}") == 0
        for name in names(tmp_path / "1"):
            # Convolutions round differently for other batches: see the test below.
            assert apart(tmp_path / str(n) / name, tmp_path / "1" / name) <= 1


@pytest.mark.parametrize("of", ["run", "pets"])
def test_the_numbers_behind_them_differ_by_rounding_at_most(of, request):
    method = generator_of(load(request.getfixturevalue(of)))
    z, labels = method.latents(range(16)), method.labels(range(16))
    single = method.render(z, labels, 1)
    assert single.std() > 0.1
    for n in (3, 8, 16):
        torch.testing.assert_close(method.render(z, labels, n), single, rtol=0, atol=1e-6)


def test_so_many_are_computed_at_once_and_no_more(run, method, tmp_path, monkeypatch):
    counts, synthesise = [], DCGAN.synthesise

    def counted(self, z, labels):
        counts.append(len(z))
        return synthesise(self, z, labels)

    monkeypatch.setattr(DCGAN, "synthesise", counted)
    assert generate(run, tmp_path, "--seeds 0-19 --batch-size 17") == 0
    assert counts == [17, 3]
    counts.clear()
    next(pictures(method, loop(method.latents([1, 2]), 9), None, 2))
    assert counts == [2]


def test_pictures_are_the_same_in_every_call_and_order(run, tmp_path):
    for name, seeds in (("a", "0-7"), ("b", "0-7"), ("back", "7,6,5,4,3,2,1,0"), ("few", "6,2")):
        assert generate(run, tmp_path / name, f"--seeds {seeds}") == 0
    for file in names(tmp_path / "few"):
        assert apart(tmp_path / "a" / file, tmp_path / "b" / file) == 0
        assert apart(tmp_path / "a" / file, tmp_path / "back" / file) <= 1
        assert apart(tmp_path / "a" / file, tmp_path / "few" / file) <= 1


# Films


def expected_frames(method: Generator, seeds: list[int], steps: int) -> list[Image.Image]:
    return [as_image(x) for x in pictures(method, loop(method.latents(seeds), steps), None, 4)]


def test_a_gif_has_so_many_frames_from_each_seed_to_the_next(run, method, tmp_path, capsys):
    assert generate(run, tmp_path, "--seeds 4,0,2 --interpolate 5 --format gif") == 0
    assert names(tmp_path) == ["film.gif"]
    frames = gif_frames(tmp_path / "film.gif")
    # Pictures of 256 pixels have 256 colours at most, so that this GIF is exact.
    for shown, expected in zip(frames, expected_frames(method, [4, 0, 2], 5), strict=True):
        assert apart(shown, expected) <= 1
    for shown, expected in zip(frames[::5], method.generate([4, 0, 2]), strict=True):
        assert apart(shown, expected) <= 1
    steps = [apart(one, other) for one, other in pairwise([*frames, frames[0]])]
    assert min(steps) > 1
    said = capsys.readouterr().out
    assert said.startswith("15 pictures in ")
    assert said.endswith(f"in {tmp_path / 'film.gif'}\n")


def test_an_mp4_has_so_many_frames_from_each_seed_to_the_next(run, method, tmp_path):
    assert generate(run, tmp_path, "--seeds 0-2 --interpolate 5 --fps 12") == 0
    assert names(tmp_path) == ["film.mp4"]
    expected = np.stack([pixels(picture) for picture in expected_frames(method, [0, 1, 2], 5)])
    frames = mp4_frames(tmp_path / "film.mp4")
    assert len(frames) == 15
    for n, shown in enumerate(frames):
        # The middles of the enlarged pixels; what is compressed is not exact.
        errors = abs(pixels(shown)[8::16, 8::16] - expected).mean((1, 2, 3))
        assert errors.argmin() == n
        assert errors[n] < 6


def test_an_mp4_is_one_that_browsers_play(run, tmp_path):
    assert generate(run, tmp_path, "--seeds 0,1 --interpolate 12 --fps 12 --format mp4") == 0
    with av.open(str(tmp_path / "film.mp4")) as film:
        stream = film.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.codec_context.width, stream.codec_context.height) == (256, 256)
        assert (stream.frames, stream.average_rate) == (24, 12)
        assert stream.duration is not None
        assert stream.time_base is not None
        assert stream.duration * stream.time_base == 2
    content = (tmp_path / "film.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_colours_of_an_mp4_are_those_of_the_pictures(tmp_path):
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 30, 90)]
    write_film(tmp_path / "film.mp4", (Image.new("RGB", (64, 64), c) for c in colours), 30)
    with av.open(str(tmp_path / "film.mp4")) as film:
        said = film.streams.video[0].codec_context
        assert (said.colorspace, said.color_primaries, said.color_trc) == (1, 1, 1)
    for shown, colour in zip(mp4_frames(tmp_path / "film.mp4"), colours, strict=True):
        assert abs(pixels(shown) - np.array(colour)).max() <= 3


@pytest.mark.parametrize("fps", [1, 7, 30, 50])
def test_a_gif_loops_and_keeps_its_pace(tmp_path, fps):
    write_film(tmp_path / "film.gif", (noise(n, 9, 5, 3) for n in range(fps)), fps)
    delays = []
    with Image.open(tmp_path / "film.gif") as film:
        assert film.size == (5, 9)
        assert film.info["loop"] == 0
        for n in range(getattr(film, "n_frames", 1)):
            film.seek(n)
            delays.append(film.info["duration"])
    assert len(delays) == fps
    assert sum(delays) == 1000
    assert max(delays) - min(delays) <= 10


@pytest.mark.parametrize("shape", [(1, 1), (3, 300), (40, 24, 3), (40, 24)])
def test_frames_of_a_gif_come_back_as_they_were(tmp_path, shape):
    # Of colours only so many as a GIF has; grey has no more anyway.
    coarse = 64 if len(shape) == 3 else 1
    given = [Image.fromarray(np.asarray(noise(n, *shape)) // coarse * coarse) for n in (1, 2, 2, 3)]
    write_film(tmp_path / "film.gif", iter(given), 10)
    frames = gif_frames(tmp_path / "film.gif")
    assert len(frames) == 4
    assert [apart(f, p.convert("RGB")) for f, p in zip(frames, given, strict=True)] == [0] * 4


def test_many_colours_are_brought_to_256_that_are_near(tmp_path):
    ramp = np.add.outer(np.arange(64) * 2, np.arange(64) * 2)
    picture = Image.fromarray(np.stack([ramp, 255 - ramp, ramp // 2], 2).astype(np.uint8))
    write_film(tmp_path / "film.gif", [picture, picture], 10)
    assert abs(pixels(gif_frames(tmp_path / "film.gif")[1]) - pixels(picture)).mean() < 4


@settings(deadline=None)
@given(st.integers(1, 2000), st.integers(1, 2000))
def test_pictures_of_an_mp4_are_enlarged_to_even_sides(width, height):
    factor = factor_of((width, height))
    assert width * factor % 2 == height * factor % 2 == 0
    assert max(width, height) * factor >= 256
    assert max(width, height) * (factor - 2) < 256  # no larger than it has to be


def test_enlarging_makes_squares_of_pixels():
    picture = noise(0, 20, 13, 3)
    large = pixels(enlarged(picture))
    assert large.shape == (280, 182, 3)
    assert (large == pixels(picture).repeat(14, 0).repeat(14, 1)).all()


def test_odd_sizes_make_an_mp4_too(tmp_path):
    write_film(tmp_path / "film.mp4", (noise(n, 33, 257) for n in range(3)), 24)
    assert [frame.size for frame in mp4_frames(tmp_path / "film.mp4")] == [(514, 66)] * 3


def test_a_film_shows_one_class(pets, tmp_path):
    method = generator_of(load(pets))
    assert generate(pets, tmp_path / "a", "--seeds 1,2 --interpolate 3 --format gif") == 0
    options = "--seeds 1,2 --interpolate 3 --format gif --class cats"
    assert generate(pets, tmp_path / "b", options) == 0
    for folder, name in (("a", "dogs"), ("b", "cats")):
        frames = gif_frames(tmp_path / folder / "film.gif")
        for n, picture in enumerate(method.generate([1, 2], name)):
            assert apart(frames[3 * n], picture.convert("RGB")) <= 1


def test_without_av_a_film_is_a_gif_and_that_is_said(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "av", None)
    assert generate(run, tmp_path, "--seeds 0,1 --interpolate 2") == 0
    assert names(tmp_path) == ["film.gif"]
    assert 'the package av is not there; pip install "ganvas[video]"' in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["gif", "mp4"])
def test_a_film_has_its_name_only_when_it_is_whole(tmp_path, kind):
    target = tmp_path / f"film.{kind}"

    def frames() -> Iterator[Image.Image]:
        yield noise(0, 16, 16, 3)
        assert not target.exists()
        yield noise(1, 16, 16, 3)
        assert not target.exists()

    write_film(target, frames(), 30)
    assert names(tmp_path) == [target.name]


@pytest.mark.parametrize("kind", ["gif", "mp4"])
def test_a_film_that_is_stopped_leaves_nothing(tmp_path, kind):
    def frames() -> Iterator[Image.Image]:
        yield noise(0, 16, 16, 3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_film(tmp_path / f"film.{kind}", frames(), 30)
    assert not names(tmp_path)


@pytest.mark.parametrize("kind", ["gif", "mp4"])
def test_frames_of_a_film_are_not_kept(tmp_path, kind):
    kept: list[weakref.ref[Image.Image]] = []

    def frames() -> Iterator[Image.Image]:
        for n in range(40):
            picture = noise(n, 16, 16, 3)
            kept.append(weakref.ref(picture))
            yield picture
            assert sum(ref() is not None for ref in kept) <= 3

    write_film(tmp_path / f"film.{kind}", frames(), 30)
    assert len(kept) == 40


# From seed to seed


def test_a_loop_goes_by_every_latent_and_closes():
    z = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    way = torch.stack(list(loop(z, 4)))
    assert way.shape == (12, 8)
    assert torch.equal(way[::4], z)
    elsewhere = torch.stack(list(loop(z.roll(-1, 0), 4)))
    assert torch.equal(way.roll(-4, 0), elsewhere)
    closing = torch.stack([slerp(z[2], z[0], t / 4) for t in range(4)])
    assert torch.equal(way[8:], closing)


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(2, 64))
def test_it_turns_evenly_and_keeps_away_from_the_origin(seed, nz):
    a, b = torch.randn(2, nz, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    # Of one length: then so are all between, where a straight line would pass nearer.
    b = b / b.norm() * a.norm()
    way = torch.stack([slerp(a, b, t / 8) for t in range(9)])
    torch.testing.assert_close(way[0], a)
    torch.testing.assert_close(way[-1], b)
    torch.testing.assert_close(way.norm(dim=1), a.norm().expand(9))
    turns = torch.nn.functional.cosine_similarity(way[:-1], way[1:], dim=1).clamp(-1, 1).acos()
    torch.testing.assert_close(turns, turns[:1].expand(8), rtol=1e-3, atol=1e-6)


def test_between_seeds_latents_stay_where_gaussians_lie():
    z = torch.randn(2, 512, generator=torch.Generator().manual_seed(0))
    middle, straight = slerp(z[0], z[1], 0.5), z.mean(0)
    assert middle.norm() / math.sqrt(512) == pytest.approx(1, abs=0.1)
    assert straight.norm() / math.sqrt(512) == pytest.approx(math.sqrt(0.5), abs=0.1)


@pytest.mark.parametrize("sign", [1, -2], ids=["the same direction", "the opposite one"])
@pytest.mark.parametrize("nz", [1, 8])
def test_where_there_is_no_arc_the_way_is_straight(nz, sign):
    a = torch.randn(nz, generator=torch.Generator().manual_seed(3))
    for t in (0.0, 0.25, 1.0):
        torch.testing.assert_close(slerp(a, sign * a, t), a * (1 + (sign - 1) * t))


# What is refused


def test_seeds_are_numbers_and_ranges():
    assert seeds_of("0-3,7,20-22") == [0, 1, 2, 3, 7, 20, 21, 22]
    assert seeds_of("3") == [3]
    assert seeds_of(" 5 - 6, 1 ,5") == [5, 6, 1, 5]
    assert seeds_of(str(2**32 - 1)) == [2**32 - 1]


BAD_SEEDS = {
    "": "wants numbers and ranges, such as 0-15 or 0-3,7,20",
    "a": "wants numbers and ranges",
    "-3": "wants numbers and ranges",
    "1.5": "wants numbers and ranges",
    "3-": "wants numbers and ranges",
    "0-3,": "wants numbers and ranges",
    "0-3-5": "wants numbers and ranges",
    "0..3": "wants numbers and ranges",
    "²": "wants numbers and ranges",
    "5-3": "5-3 ends before it begins",
    str(2**32): "seeds go up to 2^32 - 1",
    "0-1000000": "are more than 1,000,000; take them in several calls",
    "0-4000000000": "are more than 1,000,000; take them in several calls",
}


@pytest.mark.parametrize("seeds", BAD_SEEDS)
def test_other_seeds_are_refused(seeds):
    with pytest.raises(InputError) as refusal:
        seeds_of(seeds)
    assert f"--seeds {seeds}: {BAD_SEEDS[seeds]}" in str(refusal.value)


REFUSED = {
    "--seeds 0-": "--seeds 0-: wants numbers and ranges",
    "--seeds -1": "--seeds -1: wants numbers and ranges",
    "--class cats": "--class cats: this run was trained without classes",
    "--batch-size 0": "--batch-size 0: must be at least 1",
    "--batch-size 1.5": "--batch-size 1.5: must be a whole number",
    "--interpolate 0": "--interpolate 0: must be at least 1",
    "--interpolate 3 --grid": "--grid: is one picture, and --interpolate a film; leave one out",
    "--interpolate 3 --seeds 4": "--seeds: a film goes from seed to seed and wants at least two",
    "--interpolate 3 --seeds 4,4": "--seeds: a film goes from seed to seed and wants at least two",
    "--interpolate 3 --fps 0": "--fps 0: ",
    "--interpolate 3 --fps 241": "--fps 241: ",
    "--interpolate 3 --format gif --fps 51": "--fps 51: a gif wants 1 to 50, or take --format mp4",
    "--interpolate 3 --format avi": "avi",
    "--format gif": "--format gif: is for films; --interpolate N makes one",
    "--fps 30": "--fps 30: is for films; --interpolate N makes one",
    "--device abacus": "--device abacus: is not there",
}


@pytest.mark.parametrize("options", REFUSED)
def test_what_cannot_be_is_refused_before_anything_is_written(run, tmp_path, capsys, options):
    out = tmp_path / "out"
    assert main(["generate", str(run), "--out", str(out), *shlex.split(options)]) == 2
    said = capsys.readouterr()
    assert REFUSED[options] in said.err
    assert said.err.startswith("ganvas: ")
    assert said.err.count("\n") == 1
    assert not said.out
    assert not out.exists()


def test_an_unknown_class_is_refused(pets, tmp_path, capsys):
    for more in ("", " --grid", " --interpolate 2"):
        assert generate(pets, tmp_path / "out", f"--class dog{more}") == 2
        assert "(did you mean 'dogs'?); there are cats, dogs" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("seed0003.png", "--seeds 0-5"),
        ("grid.png", "--grid"),
        ("film.gif", "--interpolate 2 --format gif"),
        ("film.mp4", "--interpolate 2 --format mp4"),
    ],
)
def test_nothing_is_overwritten(run, tmp_path, capsys, name, options):
    (tmp_path / name).write_text("mine")
    assert generate(run, tmp_path, options) == 2
    assert f"{tmp_path / name} exists and is not overwritten; choose" in capsys.readouterr().err
    assert names(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_out_must_be_a_folder(run, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert generate(run, tmp_path / "file") == 2
    assert "is a file; name a folder to write into" in capsys.readouterr().err
    assert generate(run, tmp_path / "file" / "below") == 2
    assert "cannot be made" in capsys.readouterr().err


def test_what_translates_is_refused(tiny_run, tmp_path, capsys):
    assert generate(tiny_run, tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "cyclegan makes pictures from pictures and not from noise; `ganvas translate`" in said
    assert not (tmp_path / "out").exists()


def test_mp4_without_av_is_refused_and_says_how_to_install_it(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "av", None)
    assert generate(run, tmp_path / "out", "--interpolate 2 --format mp4") == 2
    assert 'pip install "ganvas[video]", or take --format gif' in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_mp4_is_refused_where_av_has_no_encoder(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(av, "codecs_available", {"h264"})
    assert generate(run, tmp_path / "out", "--interpolate 2 --format mp4") == 2
    assert "the package av was built without libx264" in capsys.readouterr().err


@pytest.mark.parametrize("options", ["--seeds 0-3", "--grid", "--interpolate 2"])
def test_a_network_that_has_diverged_writes_nothing(run, tmp_path, monkeypatch, capsys, options):
    def diverged(self, z, labels):
        return torch.full((len(z), 3, 16, 16), math.nan)

    monkeypatch.setattr(DCGAN, "synthesise", diverged)
    assert generate(run, tmp_path / "out", options) == 2
    assert "is not finite" in capsys.readouterr().err
    assert not names(tmp_path / "out")


@pytest.mark.parametrize("kind", ["gif", "mp4"])
def test_a_film_that_cannot_be_written_is_said_plainly(tmp_path, kind):
    target = tmp_path / "gone" / f"film.{kind}"
    with pytest.raises(InputError, match=r"film\.\w+: cannot be written \(No such file"):
        write_film(target, [noise(0, 16, 16, 3)], 30)
