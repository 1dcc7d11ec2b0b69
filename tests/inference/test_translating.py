"""Translation in Python: any kind of picture, any size, the same kind and size out."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ganvas.errors import InputError
from ganvas.methods.cyclegan import Config, CycleGAN
from ganvas.networks.resnet import ResnetGenerator


def small(channels=(3, 3), **changes) -> CycleGAN:
    torch.manual_seed(0)
    config = Config.from_mapping(
        {"size": 32, "ngf": 4, "ndf": 4, "n_blocks": 1, "lambda_identity": 0} | changes
    )
    return CycleGAN(config, dict(zip("AB", channels, strict=True))).eval()


METHOD = small()


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 60), st.integers(1, 60))
def test_any_size_comes_back_at_its_size(width, height):
    assert METHOD.translate(Image.new("RGB", (width, height), "red")).size == (width, height)


@pytest.mark.parametrize("size", [(1, 1), (33, 70), (5, 64)])
def test_a_unet_takes_any_size_too(size):
    method = small(generator="unet", n_downs=5)
    assert method.translate(Image.new("RGB", size)).size == size


def test_pictures_arrays_and_tensors_give_the_same_answer():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 28, 3), dtype=np.uint8)
    picture = METHOD.translate(Image.fromarray(pixels))
    array = METHOD.translate(pixels)
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    tensor = METHOD.translate(x)
    assert isinstance(picture, Image.Image)
    assert isinstance(array, np.ndarray)
    assert tensor.shape == x.shape
    assert np.array_equal(np.asarray(picture), array)
    rounded = ((tensor[0].permute(1, 2, 0) + 1) * 127.5).round().numpy().astype(np.uint8)
    assert np.array_equal(rounded, array)


def test_each_direction_has_its_own_network():
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    forth, back = METHOD.translate(x, "AtoB"), METHOD.translate(x, "BtoA")
    with torch.no_grad():
        torch.testing.assert_close(forth, METHOD.G_A(x))
        torch.testing.assert_close(back, METHOD.G_B(x))


def test_directions_are_those_of_the_folders_however_it_was_trained():
    method = small(direction="BtoA")
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(method.translate(x, "BtoA"), method.G_A(x))


def test_the_average_is_used_where_one_is_kept():
    method = small(ema="1kimg")
    for p in method.G_A.parameters():
        p.data.zero_()
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(method.translate(x), method.averages["G_A"](x))


def test_alpha_is_carried_over():
    picture = Image.new("RGBA", (20, 20), (200, 30, 30, 255))
    picture.putalpha(Image.linear_gradient("L").resize((20, 20)))
    answer = METHOD.translate(picture)
    assert answer.mode == "RGBA"
    assert answer.getchannel("A").tobytes() == picture.getchannel("A").tobytes()


def test_what_is_transparent_counts_as_white():
    clear = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    white = Image.new("RGB", (16, 16), "white")
    assert METHOD.translate(clear).convert("RGB").tobytes() == METHOD.translate(white).tobytes()


def test_channels_follow_the_domains():
    method = small(channels=(1, 3))
    assert method.translate(Image.new("L", (16, 16))).mode == "RGB"
    assert method.translate(Image.new("RGB", (16, 16)), "BtoA").mode == "L"
    assert method.translate(np.zeros((16, 16, 1), np.uint8)).shape == (16, 16, 3)
    assert method.translate(np.zeros((16, 16, 3), np.uint8), "BtoA").shape == (16, 16, 1)


def test_a_perfect_network_gives_the_picture_back_to_the_last_bit():
    method = small()

    class Same(ResnetGenerator):
        def forward(self, x):
            return x

    method.G_A = Same(3, 3, 4, 1)
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)[:, :, None].repeat(3, 2)
    assert np.array_equal(method.translate(pixels), pixels)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (torch.zeros(3, 8, 8), r"wants floats \(N, 3, H, W\)"),
        (torch.zeros(1, 1, 8, 8), r"wants floats \(N, 3, H, W\)"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "wants floats"),
        (torch.full((1, 3, 8, 8), 255.0), r"outside \[-1, 1\]"),
        (np.zeros((8, 8, 3), np.float32), "floats have no ends; convert them"),
        (np.zeros((8, 8, 3), bool), "wants integers or floats"),
        (np.zeros((8, 8, 5), np.uint8), "has 5 channels and not 3"),
        (Image.new("I;16", (8, 8)), "PIL has no pictures of uint16 with 3 channels"),
        (Image.new("F", (8, 8)), "floats have no ends; convert them"),
    ],
    ids=["3d", "grey", "uint8", "0-255", "floats", "bool", "five", "I;16", "F"],
)
def test_what_would_be_silently_wrong_is_refused(wrong, said):
    with pytest.raises(InputError, match=said):
        METHOD.translate(wrong)


def test_an_unknown_direction_is_refused():
    with pytest.raises(InputError, match="AtoB or BtoA"):
        METHOD.translate(Image.new("RGB", (8, 8)), "AtoC")  # pyright: ignore


def test_an_answer_that_is_not_finite_is_refused_and_not_black():
    method = small()
    for p in method.G_A.parameters():
        p.data.fill_(float("nan"))
    with pytest.raises(InputError, match="is not finite"):
        method.translate(Image.new("RGB", (8, 8)))


def test_other_floats_come_back_as_they_are():
    for dtype in (torch.float64, torch.float16):
        assert METHOD.translate(torch.zeros(1, 3, 8, 8, dtype=dtype)).dtype == dtype


@pytest.mark.parametrize("wrong", ["picture.png", None, [1, 2], np.zeros((0, 8, 3), np.uint8)])
def test_what_is_no_picture_is_refused(wrong):
    with pytest.raises(InputError, match="wants"):
        METHOD.translate(wrong)
