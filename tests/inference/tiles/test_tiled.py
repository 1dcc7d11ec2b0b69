"""Translation in tiles: the answer of the whole picture, with the memory of a tile."""

import errno
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ganvas.errors import InputError
from ganvas.inference.tiles.fields import Span, Window
from ganvas.inference.tiles.tiled import Statistics, translate_tiled
from ganvas.methods import method_class
from ganvas.methods.translator import Translator, pad_to, padded
from ganvas.networks import convolution, untrained
from ganvas.networks.init import init_weights
from ganvas.networks.norms import use_own_statistics
from ganvas.networks.patchgan import PatchDiscriminator
from ganvas.networks.resnet import Antialias, ResnetGenerator
from ganvas.networks.unet import UnetGenerator

NORMS = ("instance", "batch", "own", "none")
HALO = 16


class Case:
    """A network with weights that let all of the picture be seen in the answer."""

    def __init__(
        self,
        kind: str = "resnet",
        norm: str = "instance",
        channels: tuple[int, int] = (3, 3),
        width: int = 4,
        depth: int = 2,
        dropout: bool = False,
        antialias: Antialias = "none",
    ) -> None:
        torch.manual_seed(0)
        named: Any = {"norm": "batch" if norm == "own" else norm, "dropout": dropout}
        if kind == "unet":
            self.network: nn.Module = UnetGenerator(*channels, width, depth + 3, **named)
            self.stride = self.smallest = 2 ** (depth + 3)
        else:
            named["antialias"] = antialias
            self.network = ResnetGenerator(*channels, width, depth, **named)
            self.stride, self.smallest = ResnetGenerator.stride, ResnetGenerator.smallest
        init_weights(self.network, "kaiming")
        for layer in self.network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean = torch.randn(layer.num_features) * 0.2
                layer.running_var = torch.rand(layer.num_features) * 2 + 0.5
        for name, parameter in self.network.named_parameters():
            if name.endswith("bias"):
                nn.init.normal_(parameter, 0.0, 0.1)
        if norm == "own":
            use_own_statistics(self.network)
        self.network.eval()

    @torch.no_grad()
    def whole(self, x: Tensor) -> Tensor:
        """The answer to (C, H, W) as `Translator.translate_tensor` gives it."""
        height, width = x.shape[1:]
        sides = (padded(length, self.stride, self.smallest) for length in (height, width))
        return self.network(pad_to(x[None], *sides))[0, :, :height, :width]

    def tiled(self, x: Tensor, tile: int, **more) -> Tensor:
        return in_tiles(self.network, x, tile, self.stride, self.smallest, **more)


def in_tiles(network, x, tile, stride, smallest, **more) -> Tensor:
    """The answer to (C, H, W), whose every pixel must be given exactly once."""
    height, width = x.shape[1:]
    parts: list[tuple[int, int, Tensor]] = []

    def read(top: int, left: int, h: int, w: int) -> Tensor:
        assert 0 <= top < top + h <= height
        assert 0 <= left < left + w <= width
        return x[:, top : top + h, left : left + w]

    def write(top: int, left: int, y: Tensor) -> None:
        parts.append((top, left, y))

    translate_tiled(
        network, read, write, (height, width), tile=tile, stride=stride, smallest=smallest, **more
    )
    answer = torch.zeros(parts[0][2].shape[0], height, width)
    given_to = torch.zeros(height, width)
    for top, left, y in parts:
        part = slice(top, top + y.shape[1]), slice(left, left + y.shape[2])
        answer[:, *part] = y
        given_to[part] += 1
    assert (given_to == 1).all()
    return answer


def picture(height: int, width: int, channels: int = 3) -> Tensor:
    """Waves and chance: dark on the left, bright on the right."""
    chance = torch.Generator().manual_seed(height * 1000 + width)
    x = torch.rand(channels, height, width, generator=chance) * 0.6 - 0.8
    return x + torch.linspace(0, 1, width)


def test_windows_go_by_fewer_multiplications_too(monkeypatch):
    calls, real = [], untrained.transformed
    monkeypatch.setattr(untrained, "transformed", lambda t, w: (calls.append(0), real(t, w))[1])
    for place in (untrained, convolution):
        monkeypatch.setattr(place, "WIDE", 16)
    case, x = Case(), picture(96, 90)
    found = case.tiled(x, 64)
    assert len(calls) == 4  # once for each convolution of the blocks, and never again
    case.network.double()
    torch.testing.assert_close(found.double(), case.whole(x.double()), rtol=0, atol=2e-5)


SIDES = st.one_of(st.integers(1, 90), st.sampled_from([1, 2, 31, 61, 97, 101, 127]))


@settings(max_examples=40)
@given(st.sampled_from(NORMS), SIDES, SIDES, st.sampled_from([16, 20, 32, 33, 64, 100]))
def test_a_resnet_in_tiles_gives_what_it_gives_of_the_whole(norm, height, width, tile):
    # One pixel makes a flat picture, of which instance norms see rounding only, whole or not.
    assume(height * width > 1)
    case, x = Case("resnet", norm), picture(height, width)
    torch.testing.assert_close(case.tiled(x, tile), case.whole(x), rtol=0, atol=1e-4)


@settings(max_examples=30)
@given(st.sampled_from(["down", "up", "both"]), st.sampled_from(NORMS), SIDES, SIDES)
def test_a_resnet_that_halves_and_doubles_with_filters_too(antialias, norm, height, width):
    assume(height * width > 1)
    case, x = Case("resnet", norm, antialias=antialias), picture(height, width)
    torch.testing.assert_close(case.tiled(x, 24), case.whole(x), rtol=0, atol=1e-4)


@settings(max_examples=40)
@given(st.sampled_from(NORMS), SIDES, SIDES, st.sampled_from([16, 20, 32, 33, 64, 100]))
def test_a_unet_in_tiles_gives_what_it_gives_of_the_whole(norm, height, width, tile):
    case, x = Case("unet", norm, depth=2), picture(height, width)
    torch.testing.assert_close(case.tiled(x, tile), case.whole(x), rtol=0, atol=1e-4)


@settings(max_examples=20)
@given(
    st.sampled_from(["resnet", "unet"]),
    st.sampled_from(NORMS),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.integers(1, 9),
    st.integers(2, 4),
    st.booleans(),
)
def test_any_channels_widths_and_depths_will_do(kind, norm, channels, width, depth, dropout):
    case = Case(kind, norm, channels, width, depth, dropout=dropout)
    x = picture(53, 71, channels[0])
    torch.testing.assert_close(case.tiled(x, 24), case.whole(x), rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["resnet", "unet"])
@pytest.mark.parametrize("memory", [0, 50_000, None])
def test_it_does_not_matter_where_fields_are_kept(kind, memory, tmp_path: Path):
    case, x = Case(kind, width=8), picture(89, 103)
    answer = case.tiled(x, 32, memory=memory, scratch=tmp_path)
    assert torch.equal(answer, case.tiled(x, 32, memory=float("inf")))


def test_the_answer_says_something_of_the_picture():
    # Otherwise all of the above would hold for networks that give a constant.
    for kind in ("resnet", "unet"):
        for norm in NORMS:
            y = Case(kind, norm).whole(picture(61, 97))
            assert y.std() > 0.02, (kind, norm)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("cyclegan", {"generator": "resnet"}),
        ("cyclegan", {"generator": "unet", "n_downs": 5}),
        ("discogan", {}),
        ("discogan", {"batch_size": 1}),
        ("dualgan", {"n_downs": 5}),
        ("pix2pix", {"n_downs": 5, "norm": "batch"}),
    ],
)
def test_methods_translate_the_same_in_tiles(name: str, changes: dict[str, object]):
    torch.manual_seed(0)
    kind = method_class(name)
    small = {"size": 32, "ngf": 4, "ndf": 4, "device": "cpu"}
    if name != "discogan":
        small |= {"n_blocks": 2, "n_layers": 2}
    method = kind(kind.Config.from_mapping(small | changes), {"A": 3, "B": 3}).eval()
    assert isinstance(method, Translator)
    x = picture(59, 83)
    answer = in_tiles(method.translator("AtoB"), x, 32, method.config.stride, method.smallest)
    torch.testing.assert_close(answer, method.translate(x[None])[0], rtol=0, atol=1e-4)


def test_statistics_are_those_of_the_whole_picture_where_tiles_alone_would_show():
    case = Case("resnet", width=8)
    x = picture(128, 128) * 0.1 + torch.where(torch.arange(128) < 64, -0.8, 0.8)
    whole = case.whole(x)
    alone = torch.zeros_like(whole)
    for top in range(0, 128, 32):
        for left in range(0, 128, 32):
            part = slice(top, top + 32), slice(left, left + 32)
            alone[:, *part] = case.whole(x[:, *part])
    assert (alone - whole).abs().max() > 0.1
    torch.testing.assert_close(case.tiled(x, 32), whole, rtol=0, atol=1e-4)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.sampled_from([0.0, 3.0, 1000.0]))
def test_statistics_do_not_depend_on_how_a_field_is_cut(widths, mean):
    chance = torch.Generator().manual_seed(sum(widths))
    x = torch.randn(1, 3, 7, sum(widths), generator=chance) + mean
    found = Statistics()
    for part in x.split(widths, dim=3):
        found.add(Window(Span(0, 7), Span(0, part.shape[3])), part)
    wanted_variance, wanted_mean = torch.var_mean(x.double(), (0, 2, 3), correction=0)
    torch.testing.assert_close(found.of_all(), (wanted_mean.float(), wanted_variance.float()))


@pytest.mark.parametrize("norm", ["instance", "none"])
@pytest.mark.parametrize("kind", ["resnet", "unet"])
def test_no_window_is_larger_than_a_tile_and_its_halo(kind, norm, monkeypatch):
    case, tile, seen = Case(kind, norm, width=8), 32, []

    def spy(original):
        def convolve(x: Tensor, *rest):
            seen.append(tuple(x.shape))
            return original(x, *rest)

        return convolve

    x = picture(301, 267)
    reads = []

    def read(top: int, left: int, h: int, w: int) -> Tensor:
        reads.append((h, w))
        return x[:, top : top + h, left : left + w]

    for name in ("conv2d", "conv_transpose2d"):
        monkeypatch.setattr(F, name, spy(getattr(F, name)))
    translate_tiled(
        case.network,
        read,
        lambda top, left, y: reads.append((y.shape[1], y.shape[2])),
        (301, 267),
        tile=tile,
        stride=case.stride,
        smallest=case.smallest,
    )
    assert max(side for shape in reads for side in shape) <= tile + HALO
    assert max(max(shape[2:]) for shape in seen) <= tile + HALO
    assert max(c * h * w for _, c, h, w in seen) <= 8 * (tile + HALO) ** 2


def test_a_tile_as_large_as_the_picture_is_read_once_for_each_pass():
    case, x, reads = Case("resnet"), picture(40, 44), []

    def read(top: int, left: int, h: int, w: int) -> Tensor:
        reads.append((top, left, h, w))
        return x

    translate_tiled(case.network, read, lambda *_: None, (40, 44), tile=200, stride=4, smallest=8)
    assert set(reads) == {(0, 0, 40, 44)}


def test_networks_deeper_than_python_may_recurse_are_no_matter():
    case, x = Case("resnet", width=1, depth=200), picture(17, 19)
    torch.testing.assert_close(case.tiled(x, 16), case.whole(x), rtol=0, atol=1e-3)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> list:
    """The scratch files that are made."""
    made, original = [], tempfile.TemporaryFile

    def make(*args, **options):
        made.append(original(*args, **options))
        return made[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", make)
    return made


def test_scratch_files_are_gone_afterwards(files: list, tmp_path: Path):
    Case().tiled(picture(50, 60), 16, memory=0, scratch=tmp_path)
    assert files
    assert all(file.closed for file in files)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_scratch_files_are_gone_when_it_is_broken_off(error, files: list, tmp_path: Path):
    case, x = Case(), picture(50, 60)

    def write(top: int, left: int, y: Tensor) -> None:
        raise error

    with pytest.raises(error):
        translate_tiled(
            case.network,
            lambda top, left, h, w: x[:, top : top + h, left : left + w],
            write,
            (50, 60),
            tile=16,
            stride=4,
            smallest=8,
            scratch=tmp_path,
            memory=0,
        )
    assert files
    assert all(file.closed for file in files)
    assert not list(tmp_path.iterdir())


def test_what_is_small_touches_no_disk(files: list):
    Case().tiled(picture(50, 60), 16, memory=2**30)
    assert not files


def test_a_field_is_let_go_when_nobody_reads_it_any_more(files: list, tmp_path: Path):
    case, x, open_at_once = Case(depth=6), picture(64, 64), []
    case.tiled(
        x,
        16,
        memory=0,
        scratch=tmp_path,
        progress=lambda part: open_at_once.append(sum(not file.closed for file in files)),
    )
    assert len(files) > 12
    assert max(open_at_once) <= 4


def test_a_disk_without_room_is_said_before_anything_is_computed(monkeypatch, tmp_path: Path):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=1000))
    told: list[float] = []
    with pytest.raises(InputError, match=r"TMPDIR") as found:
        Case().tiled(picture(50, 60), 16, memory=0, scratch=tmp_path, progress=told.append)
    assert str(tmp_path) in str(found.value)
    assert not told


def test_a_disk_that_fills_up_is_said(monkeypatch, tmp_path: Path):
    class Full:
        def seek(self, place: int) -> None: ...

        def write(self, row: memoryview) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None: ...

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: Full())
    with pytest.raises(InputError, match=r"No space left on device.*TMPDIR"):
        Case().tiled(picture(50, 60), 16, memory=0, scratch=tmp_path)


def test_a_scratch_folder_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(InputError, match="no folder for scratch files"):
        Case().tiled(picture(50, 60), 16, memory=0, scratch=tmp_path / "away")


def test_progress_goes_from_above_nothing_to_one():
    told: list[float] = []
    Case().tiled(picture(50, 60), 16, progress=told.append)
    assert told[0] > 0
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)


def test_networks_that_are_not_known_are_refused_with_the_layer_in_the_way():
    with pytest.raises(InputError, match=r"PatchDiscriminator.*leave --tile out"):
        in_tiles(PatchDiscriminator().eval(), picture(64, 64), 16, 1, 1)
    odd = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1, padding_mode="circular")).eval()
    with pytest.raises(InputError, match="circular"):
        in_tiles(odd, picture(64, 64), 16, 1, 1)


def test_networks_in_training_are_refused():
    with pytest.raises(InputError, match="training"):
        in_tiles(ResnetGenerator(3, 3, 2, 1, norm="batch"), picture(16, 16), 16, 4, 8)
    with pytest.raises(InputError, match="training"):
        in_tiles(ResnetGenerator(3, 3, 2, 1, dropout=True), picture(16, 16), 16, 4, 8)


def test_an_answer_that_is_not_finite_is_refused():
    case = Case()
    next(case.network.parameters()).data.fill_(float("nan"))
    with pytest.raises(InputError, match="not finite"):
        case.tiled(picture(16, 16), 16)


def test_a_reader_that_gives_another_shape_is_found_out():
    with pytest.raises(ValueError, match="was asked for"):
        translate_tiled(
            Case().network,
            lambda *window: torch.zeros(3, 5, 5),
            lambda *_: None,
            (16, 16),
            tile=16,
            stride=4,
            smallest=8,
        )


@pytest.mark.parametrize(("kernel", "stride", "padding", "more"), [(3, 2, 1, 1), (4, 2, 1, 0)])
def test_layers_alone_are_right_at_every_edge(kernel, stride, padding, more):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(2, 4, kernel, stride, padding, dilation=1),
        nn.ReflectionPad2d((1, 2, 3, 0)),
        nn.Conv2d(4, 4, (3, 5), padding=(2, 0), dilation=(2, 1), groups=2),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(4, 3, kernel, stride, padding, output_padding=more),
        nn.ConvTranspose2d(3, 2, 2, 3, output_padding=1),
        nn.Tanh(),
    ).eval()
    x = picture(37, 41, 2)
    with torch.no_grad():
        whole = network(x[None])[0]
    parts = torch.zeros_like(whole)

    def write(top: int, left: int, y: Tensor) -> None:
        parts[:, top : top + y.shape[1], left : left + y.shape[2]] = y

    translate_tiled(
        network,
        lambda top, left, h, w: x[:, top : top + h, left : left + w],
        write,
        (37, 41),
        tile=7,
        stride=1,
        smallest=1,
    )
    torch.testing.assert_close(parts[:, :37, :41], whole[:, :37, :41], rtol=0, atol=1e-5)
