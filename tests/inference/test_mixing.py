"""Styles in use: mixing grids, films through w, and pictures of saved styles."""

import shlex
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from styled_runs import styled_run

from ganvas.cli import main
from ganvas.errors import InputError
from ganvas.inference.load import load
from ganvas.inference.styles import layers_of
from ganvas.methods.styled import Styled
from ganvas.pictures import from_unit

SIDE = 16


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return styled_run(tmp_path_factory.mktemp("rgb"))


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return styled_run(tmp_path_factory.mktemp("pets"), channels=1, classes=("cats", "dogs"))


@pytest.fixture
def method(run: Path) -> Styled:
    return maker(run)


def maker(run: Path) -> Styled:
    found = load(run, "cpu")
    assert isinstance(found, Styled)
    return found


def generate(run: Path, out: Path, options: str) -> int:
    return main(["generate", str(run), "--out", str(out), "--device", "cpu", *shlex.split(options)])


def cells(path: Path) -> np.ndarray:
    """(down, across, SIDE, SIDE, 3)."""
    with Image.open(path) as file:
        values = np.asarray(file.convert("RGB")).astype(int)
    down, across = (length // SIDE for length in values.shape[:2])
    return values.reshape(down, SIDE, across, SIDE, 3).swapaxes(1, 2)


def shown(x: torch.Tensor) -> np.ndarray:
    return from_unit(x).permute(1, 2, 0).expand(-1, -1, 3).numpy().astype(int)


def saved(path: Path, w: torch.Tensor, **more: np.ndarray) -> Path:
    np.savez(path, allow_pickle=False, w=w.numpy(), **more)
    return path


# Mixing


def test_a_mixing_grid_has_sources_above_and_on_its_left(run, method, tmp_path, capsys):
    mix = "--mix-rows 0-1 --mix-cols 4,9,5 --mix-styles 1-2,5"
    assert generate(run, tmp_path, mix) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["mixing.png"]
    assert capsys.readouterr().out.startswith("11 pictures in ")
    found = cells(tmp_path / "mixing.png")
    assert found.shape[:2] == (3, 4)
    assert (found[0, 0] == 255).all()
    rows, columns = [0, 1], [4, 9, 5]
    for n, seed in enumerate(columns):
        assert abs(found[0, n + 1] - shown(method.generate_tensor([seed])[0])).max() <= 1
    for m, row in enumerate(rows):
        assert abs(found[m + 1, 0] - shown(method.generate_tensor([row])[0])).max() <= 1
        for n, column in enumerate(columns):
            w, other = (method.styles(method.latents([s]), None).clone() for s in (row, column))
            w[:, [1, 2, 5]] = other[:, [1, 2, 5]]
            expected = shown(method.render_styles(w)[0])
            assert abs(found[m + 1, n + 1] - expected).max() <= 1


def test_all_layers_of_the_column_make_the_column(run, tmp_path):
    assert generate(run, tmp_path, "--mix-rows 0-1 --mix-cols 2-3 --mix-styles 0-5") == 0
    found = cells(tmp_path / "mixing.png")
    assert abs(found[1:, 1:] - found[0, 1:]).max() <= 1
    assert abs(found[0, 1] - found[0, 2]).max() > 5


def test_without_a_word_the_coarse_styles_are_mixed(run, tmp_path):
    for out, styles in (
        ("left", ""),
        ("named", "--mix-styles coarse"),
        ("told", "--mix-styles 0-3"),
    ):
        assert generate(run, tmp_path / out, f"--mix-rows 0 --mix-cols 1 {styles}") == 0
    one, two, three = (
        (tmp_path / out / "mixing.png").read_bytes() for out in ("left", "named", "told")
    )
    assert one == two == three


def test_truncation_holds_for_what_is_mixed(run, tmp_path):
    assert generate(run, tmp_path, "--mix-rows 0 --mix-cols 1,2 --truncation 0") == 0
    found = cells(tmp_path / "mixing.png")
    for cell in (found[0, 1], found[0, 2], found[1, 0], found[1, 1], found[1, 2]):
        assert abs(cell - found[0, 1]).max() <= 1


def test_a_class_holds_for_what_is_mixed(pets, tmp_path):
    method = maker(pets)
    assert generate(pets, tmp_path, "--mix-rows 0 --mix-cols 1 --class dogs") == 0
    found = cells(tmp_path / "mixing.png")
    assert abs(found[1, 0] - shown(method.generate_tensor([0], "dogs")[0])).max() <= 1
    assert abs(found[1, 0] - shown(method.generate_tensor([0], "cats")[0])).max() > 5


def test_noise_of_a_mixture_is_the_rows(run, tmp_path):
    method = maker(run).use(noise="random")
    mix = "--mix-rows 3 --mix-cols 7 --mix-styles 0-5 --noise-mode random"
    assert generate(run, tmp_path, mix) == 0
    found = cells(tmp_path / "mixing.png")
    expected = method.render_styles(
        method.styles(method.latents([7]), None), method.noise_shown(method.latents([3]))
    )
    assert abs(found[1, 1] - shown(expected[0])).max() <= 1
    assert abs(found[0, 1] - shown(method.generate_tensor([7])[0])).max() <= 1


def test_saved_styles_are_mixed_with_those_of_seeds(run, method, tmp_path):
    w = method.styles(method.latents([3]), None).contiguous()
    file = saved(tmp_path / "three.npz", w)
    assert generate(run, tmp_path / "a", f"--mix-rows {file} --mix-cols 5") == 0
    assert generate(run, tmp_path / "b", "--mix-rows 3 --mix-cols 5") == 0
    one, other = (cells(tmp_path / out / "mixing.png") for out in ("a", "b"))
    assert abs(one - other).max() <= 1


@pytest.mark.parametrize(("dtype", "channels"), [("uint16", 1), ("uint16", 4)])
def test_deep_pictures_are_mixed_to_be_looked_at(tmp_path, dtype, channels):
    run = styled_run(tmp_path, dtype, channels)
    assert generate(run, tmp_path / "out", "--mix-rows 0-1 --mix-cols 2") == 0
    found, method = cells(tmp_path / "out" / "mixing.png"), maker(run)
    x = method.generate_tensor([2])[0]
    assert abs(found[0, 1] - shown(x[:3])).max() <= 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--mix-rows 0-3", "--mix-rows and --mix-cols: a mixing grid wants both"),
        ("--mix-styles 0-3", "--mix-styles 0-3: is for --mix-rows and --mix-cols"),
        ("--mix-rows 0 --mix-cols 1 --seeds 3", "--seeds 3: --mix-rows and --mix-cols name"),
        ("--mix-rows 0 --mix-cols 1 --grid", "--grid: --mix-rows and --mix-cols make one picture"),
        ("--mix-rows 0 --mix-cols 1 --format tif", "--format: --mix-rows and --mix-cols make"),
        ("--mix-rows 0 --mix-cols x", "--mix-cols x: wants numbers and ranges"),
        (
            "--mix-rows 0 --mix-cols 1 --mix-styles 4-9",
            "layers 0 to 5, and 4-9 goes beyond",
        ),
        (
            "--mix-rows 0 --mix-cols 1 --mix-styles fine",
            "layers 0 to 5, and fine begins beyond",
        ),
        ("--mix-rows 0 --mix-cols no.npz", "no.npz: cannot be read (No such file or directory)"),
        ("--interpolate-in w", "--interpolate-in w: is for films"),
        ("--interpolate 3 --interpolate-in w --noise-mode random", "--noise-mode random: follows"),
        ("--from a.npz --seeds 3", "--seeds 3: does not go with --from"),
        ("--from a.npz --truncation 0.5", "--truncation 0.5: does not go with --from"),
    ],
)
def test_what_cannot_be_is_refused(run, tmp_path, capsys, options, said):
    assert generate(run, tmp_path / "out", options) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_mixing_grid_is_not_written_over(run, tmp_path, capsys):
    (tmp_path / "mixing.png").write_bytes(b"mine")
    assert generate(run, tmp_path, "--mix-rows 0 --mix-cols 1") == 2
    assert "mixing.png exists and is not overwritten" in capsys.readouterr().err
    assert (tmp_path / "mixing.png").read_bytes() == b"mine"


# Layers


@given(st.integers(2, 18), st.data())
def test_ranges_of_layers_are_read_as_they_are_written(count, data):
    pairs = data.draw(
        st.lists(
            st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).map(sorted), min_size=1
        )
    )
    text = ",".join(f"{a}-{b}" if a < b else str(a) for a, b in pairs)
    assert layers_of(text, count) == sorted({n for a, b in pairs for n in range(a, b + 1)})


@given(st.integers(9, 20))
def test_coarse_middle_and_fine_are_all_layers(count):
    assert layers_of("coarse, middle,fine", count) == list(range(count))
    assert layers_of("coarse", count) == [0, 1, 2, 3]
    assert layers_of("middle", count) == [4, 5, 6, 7]
    assert layers_of("0,fine", count) == [0, *range(8, count)]


@given(st.text("0123456789-, cf", max_size=9))
def test_any_text_is_layers_or_refused(text):
    found = None
    with suppress(InputError):
        found = layers_of(text, 12)
    assert found is None or (found and set(found) <= set(range(12)))


# Films


def test_a_film_through_w_goes_straight_from_style_to_style(run, tmp_path):
    method = maker(run).use(truncation=0.5)
    film = "--seeds 4,0 --interpolate 4 --interpolate-in w --truncation 0.5"
    assert generate(run, tmp_path, film) == 0
    a, b = (method.styles_shown(method.latents([seed]), None) for seed in (4, 0))
    with av.open(str(tmp_path / "film.mp4")) as file:
        frames = [np.asarray(frame.to_image()) for frame in file.decode(video=0)]
    assert len(frames) == 8
    way = [torch.lerp(x, y, t / 4) for x, y in ((a, b), (b, a)) for t in range(4)]
    expected = np.stack([shown(method.render_styles(w)[0]) for w in way])
    for n, frame in enumerate(frames):
        errors = abs(frame[8::16, 8::16].astype(int) - expected).mean((1, 2, 3))
        # What goes there and back is the same at equal distances.
        assert errors[n] <= errors.min() + 1
        assert errors[n] < 8


def test_a_film_through_w_shows_one_class(pets, tmp_path):
    film = "--seeds 1,2 --interpolate 2 --interpolate-in w --format gif"
    assert generate(pets, tmp_path / "film", film) == 0
    method = maker(pets)
    with Image.open(tmp_path / "film" / "film.gif") as file:
        file.seek(2)
        frame = np.asarray(file.convert("RGB")).astype(int)
    assert abs(frame - shown(method.generate_tensor([2], "dogs")[0])).max() <= 1


# From files


def test_saved_styles_make_the_pictures_that_they_are_of(run, method, tmp_path):
    w = method.styles(method.latents([3, 8]), None).contiguous()
    both, one = saved(tmp_path / "two.npz", w), saved(tmp_path / "one.npz", w[1:])
    assert generate(run, tmp_path / "a", f"--from {both},{one}") == 0
    assert generate(run, tmp_path / "b", "--seeds 3,8") == 0
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == [
        "one.png",
        "two-0.png",
        "two-1.png",
    ]
    for name, seed in (("two-0", 3), ("two-1", 8), ("one", 8)):
        made, own = (cells(tmp_path / p) for p in (f"a/{name}.png", f"b/seed{seed:04d}.png"))
        assert abs(made - own).max() <= 1


def test_a_film_of_saved_styles_reaches_each(run, method, tmp_path):
    w = method.styles(method.latents([3, 8]), None).contiguous()
    file = saved(tmp_path / "two.npz", w)
    assert generate(run, tmp_path, f"--from {file} --interpolate 3 --format gif") == 0
    with Image.open(tmp_path / "film.gif") as film:
        assert getattr(film, "n_frames", 1) == 6
        film.seek(3)
        frame = np.asarray(film.convert("RGB")).astype(int)
    assert abs(frame - shown(method.generate_tensor([8])[0])).max() <= 1


def test_saved_noise_is_used_unless_another_is_asked_for(run, method, tmp_path):
    w = method.styles(method.latents([3]), None).contiguous()
    noise = [torch.randn_like(kept) for kept in method.kept_noise()]
    maps = {f"noise_{n:02d}": m.numpy() for n, m in enumerate(noise)}
    file = saved(tmp_path / "own.npz", w, **maps)
    assert generate(run, tmp_path / "a", f"--from {file}") == 0
    assert generate(run, tmp_path / "b", f"--from {file} --noise-mode const") == 0
    own, const = (cells(tmp_path / out / "own.png")[0, 0] for out in ("a", "b"))
    assert abs(own - shown(method.render_styles(w, noise)[0])).max() <= 1
    assert abs(const - shown(method.render_styles(w)[0])).max() <= 1
    assert (own != const).any()


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"w": np.zeros((1, 5, 8), np.float32)}, "(1, 5, 8), and this run wants (N, 6, 8)"),
        ({"w": np.zeros((6, 8), np.float32)}, "(6, 8), and this run wants (N, 6, 8)"),
        ({"w": np.full((1, 6, 8), np.nan)}, "its w are not finite floats"),
        ({"w": np.zeros((1, 6, 8), int)}, "its w are not finite floats"),
        ({"z": np.zeros((1, 9))}, "(1, 9), and this run wants (N, 8)"),
        ({"z": np.zeros((1, 8)), "label": np.array(1)}, "projected with other classes"),
        ({"losses": np.zeros(3)}, "holds no styles w and no latents z"),
        (
            {"w": np.zeros((1, 6, 8)), "noise_00": np.zeros((1, 1, 4, 4))},
            "its noise is not of the sizes of this run's layers",
        ),
    ],
)
def test_files_of_another_kind_are_refused(run, tmp_path, capsys, arrays, said):
    np.savez(tmp_path / "a.npz", **arrays)
    assert generate(run, tmp_path / "out", f"--from {tmp_path / 'a.npz'}") == 2
    assert said in capsys.readouterr().err


def test_a_file_that_is_no_archive_is_refused(run, tmp_path, capsys):
    for content in (b"", b"text", b"PK\x03\x04 and no more"):
        (tmp_path / "a.npz").write_bytes(content)
        assert generate(run, tmp_path / "out", f"--from {tmp_path / 'a.npz'}") == 2
        assert "holds no styles w and no latents z" in capsys.readouterr().err
