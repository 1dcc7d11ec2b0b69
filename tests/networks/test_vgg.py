"""VGG's features: the layers of the published network, fixed."""

import torch
from torchvision.models import vgg

from ganvas.networks.vgg import MEAN, STD, VggFeatures


def published() -> torch.nn.Sequential:
    """torchvision's vgg16 up to relu4_2, with weights by chance."""
    torch.manual_seed(1)
    return vgg.make_layers(vgg.cfgs["D"], batch_norm=False)[:21].requires_grad_(False)


def test_layers_keys_and_shapes_are_the_published_ones():
    with torch.device("meta"):
        theirs = {f"features.{key}": t.shape for key, t in published().state_dict().items()}
    own = VggFeatures().state_dict()
    assert {key: tensor.shape for key, tensor in own.items()} == theirs
    assert sum(t.numel() for t in own.values()) == 5_275_456


def test_with_the_published_weights_it_answers_what_the_published_network_does():
    theirs, own = published(), VggFeatures()
    own.load_state_dict({f"features.{key}": t for key, t in theirs.state_dict().items()})
    x = torch.rand(2, 3, 32, 24) * 2 - 1
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    answer = own(x)
    assert answer.shape == (2, 512, 4, 3)
    torch.testing.assert_close(answer, theirs(((x + 1) / 2 - mean) / std))


def test_it_is_fixed_and_lets_gradients_through():
    features, x = VggFeatures(3, (4, 8, 8, 8)), torch.rand(1, 3, 16, 16, requires_grad=True)
    features(x).sum().backward()
    assert not list(features.parameters())
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_random_weights_are_always_the_same_ones_and_take_no_chance_from_others():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = VggFeatures(2, (4, 8, 8, 8)).state_dict()
    assert torch.get_rng_state().equal(before)
    torch.manual_seed(2)
    second = VggFeatures(2, (4, 8, 8, 8)).state_dict()
    assert all(second[key].equal(value) for key, value in first.items())


def test_random_features_are_as_large_as_pictures():
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    size = VggFeatures(3, (16, 32, 64, 128), normalises=False)(x).square().mean().sqrt()
    assert 0.3 < float(size) < 3


def test_a_grey_picture_is_one_of_equal_channels():
    features, x = VggFeatures(3, (4, 8, 8, 8)), torch.rand(1, 1, 16, 16)
    torch.testing.assert_close(features(x), features(x.repeat(1, 3, 1, 1)))
