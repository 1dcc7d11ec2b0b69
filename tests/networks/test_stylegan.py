"""StyleGAN's networks against the paper's facts: counts, equivalences, growing, what begins how."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ganvas.losses.penalties import input_gradients
from ganvas.networks.equalized import (
    EqualizedConv2d,
    EqualizedLinear,
    blur,
    downscaled,
    minibatch_deviation,
    pixel_norm,
    upscaled,
)
from ganvas.networks.stylegan import (
    DiscriminatorNetwork,
    GeneratorNetwork,
    Mapping,
    Pyramid,
    Structure,
    halvings,
)

COUNTS = {
    ("growing", 32): (22_841_356, 20_726_785),
    ("growing", 64): (25_137_935, 22_498_049),
    ("growing", 128): (25_843_858, 22_941_313),
    ("growing", 256): (26_086_229, 23_052_353),
    ("growing", 512): (26_179_768, 23_080_225),
    ("growing", 1024): (26_219_627, 23_087_249),
    ("fixed", 64): (25_131_779, 22_489_857),
    ("fixed", 128): (25_836_931, 22_932_097),
    ("fixed", 256): (26_078_915, 23_042_625),
    ("fixed", 1024): (26_212_019, 23_077_137),
}
"""Of the published networks, for RGB without classes; README's of G at 1024 is among them."""


def pair(
    size: tuple[int, int] = (16, 16),
    structure: Structure = "growing",
    width: int = 8,
    channels: int = 3,
    classes: int = 0,
) -> tuple[GeneratorNetwork, DiscriminatorNetwork]:
    """Small networks that chance has moved away from how they begin."""
    torch.manual_seed(0)
    pyramid = Pyramid(*halvings(size), fmap_max=width)
    G = GeneratorNetwork(pyramid, Mapping(8, 8, classes, 2, 8, 0.01), 8, channels, structure)
    D = DiscriminatorNetwork(pyramid, channels, structure, classes, 4)
    for network in (G, D):
        for p in network.parameters():
            p.data += 0.1 * torch.randn_like(p)
    return G, D


def parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("structure", "size"), COUNTS)
def test_networks_have_the_published_number_of_parameters(structure: Structure, size: int):
    with torch.device("meta"):
        pyramid = Pyramid(*halvings((size, size)))
        mapping = Mapping(512, 512, 0, 8, 512, 0.01)
        G = GeneratorNetwork(pyramid, mapping, 512, 3, structure)
        D = DiscriminatorNetwork(pyramid, 3, structure, 0, 4)
    assert (parameters(G), parameters(D)) == COUNTS[structure, size]
    assert parameters(G.mapping) == 2_101_248
    assert pyramid.layers == 2 * int(math.log2(size)) - 2


def test_fixed_noise_at_1024_is_as_large_as_published():
    pyramid = Pyramid(*halvings((1024, 1024)))
    assert sum(math.prod(pyramid.size(layer // 2)) for layer in range(pyramid.layers)) == 2_796_192


@pytest.mark.parametrize(
    ("size", "base", "doublings"),
    [((64, 64), (4, 4), 4), ((80, 48), (5, 3), 4), ((96, 64), (6, 4), 4), ((96, 96), (3, 3), 5)],
)
def test_a_size_is_a_small_one_doubled(size, base, doublings):
    assert halvings(size) == (base, doublings)


# Up and down


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 6), st.integers(1, 6))
def test_enlarging_convolutions_equal_the_plain_form(inputs, outputs, h, w):
    conv = EqualizedConv2d(inputs, outputs, resample="up")
    assert conv.bias is not None
    conv.bias.data.normal_()
    x = torch.randn(2, inputs, h, w)
    plain = F.conv2d(upscaled(x), conv.weight * conv.scale, conv.bias, padding=1)
    torch.testing.assert_close(conv(x), plain, rtol=1e-4, atol=1e-4)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 6), st.integers(1, 6))
def test_shrinking_convolutions_equal_the_plain_form(inputs, outputs, h, w):
    conv = EqualizedConv2d(inputs, outputs, resample="down")
    assert conv.bias is not None
    conv.bias.data.normal_()
    x = torch.randn(2, inputs, 2 * h, 2 * w)
    plain = downscaled(F.conv2d(x, conv.weight * conv.scale, conv.bias, padding=1))
    torch.testing.assert_close(conv(x), plain, rtol=1e-4, atol=1e-4)


def test_an_enlarging_convolution_without_its_flip_would_be_another():
    conv = EqualizedConv2d(2, 2, resample="up", bias=False)
    x, plain = torch.randn(1, 2, 4, 4), torch.empty(0)
    plain = conv(x)
    conv.weight.data = conv.weight.data.flip(2, 3)
    assert (conv(x) - plain).abs().max() > 0.1


def test_the_blur_is_a_binomial_with_zeros_around():
    x = torch.randn(2, 3, 5, 7)
    tap = torch.tensor([1.0, 2.0, 1.0])
    kernel = (tap[:, None] * tap / 16).expand(3, 1, 3, 3)
    torch.testing.assert_close(blur(x), F.conv2d(x, kernel, padding=1, groups=3))


# Layers


def test_a_layer_is_scaled_when_it_is_used():
    torch.manual_seed(0)
    layer = EqualizedLinear(400, 300, lr_mul=0.01)
    assert abs(float(layer.weight.detach().std()) - 100) < 1
    x = torch.randn(2000, 400)
    out = layer(x)
    assert abs(float(out.detach().std()) - math.sqrt(2)) < 0.05
    layer.bias.data.fill_(1.0)
    torch.testing.assert_close(layer(x), out + 0.01)
    plain = EqualizedLinear(400, 300, gain=1)(x).detach()
    assert abs(float(plain.std()) - 1) < 0.05


def test_latents_are_normalised_together_with_their_labels_vector():
    mapping = Mapping(6, 5, 2, 1, 5, 0.01)
    assert mapping.label is not None
    z, labels = torch.randn(3, 6), F.one_hot(torch.tensor([0, 1, 1]), 2).float()
    x = torch.cat([z, mapping.label[[0, 1, 1]]], 1)
    torch.testing.assert_close(x / (x**2).mean(1, keepdim=True).sqrt(), pixel_norm(x))
    torch.testing.assert_close(
        mapping(z, labels), F.leaky_relu(mapping.layers[0](pixel_norm(x)), 0.2)
    )
    assert not torch.allclose(mapping(z, labels), mapping(z, labels.flip(1)))


@pytest.mark.parametrize(("batch", "size"), [(8, 4), (4, 4), (3, 3), (6, 3), (1, 1), (5, 1)])
def test_the_deviation_is_that_within_groups(batch: int, size: int):
    x = torch.randn(batch, 2, 3, 3)
    out = minibatch_deviation(x, 4)
    assert torch.equal(out[:, :2], x)
    for n in range(batch):
        group = x[n % (batch // size) :: batch // size]
        assert len(group) == size
        wanted = ((group - group.mean(0)).square().mean(0) + 1e-8).sqrt().mean()
        torch.testing.assert_close(out[n, 2], wanted.expand(3, 3))


def test_styles_shift_and_scale_around_one():
    """x (s + 1) + b: without a style, the normalised content is passed on."""
    G, _ = pair()
    epilogue = G.epilogue(1)
    for p in epilogue.style.parameters():
        p.data.zero_()
    out = epilogue(torch.randn(2, 8, 4, 4), torch.randn(2, 8), None)
    torch.testing.assert_close(out.mean((2, 3)), torch.zeros(2, 8), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.var((2, 3), unbiased=False), torch.ones(2, 8))
    epilogue.style.bias.data[:8] = 1.0
    epilogue.style.bias.data[8:] = 3.0
    x, noise = torch.randn(2, 8, 4, 4), torch.randn(2, 1, 4, 4)
    plain = F.leaky_relu(
        x + noise * epilogue.noise_weight[:, None, None] + epilogue.bias[:, None, None], 0.2
    )
    wanted = 2 * F.instance_norm(plain, eps=1e-8) + 3
    torch.testing.assert_close(epilogue(x, torch.randn(2, 8), noise), wanted, rtol=1e-4, atol=1e-4)


def test_a_network_begins_with_a_constant_and_without_noise_and_has_finite_gradients():
    torch.manual_seed(0)
    pyramid = Pyramid(*halvings((16, 16)), fmap_max=8)
    G = GeneratorNetwork(pyramid, Mapping(8, 8, 0, 2, 8, 0.01), 8, 3, "growing")
    D = DiscriminatorNetwork(pyramid, 3, "growing", 0, 4)
    assert torch.equal(G.first.constant, torch.ones(1, 8, 4, 4))
    w = G.mapping(torch.randn(4, 8))
    # Its norm leaves nothing of what is the same all over: only the style's shift is left.
    first = G.first(w, G.noise_of(0, w, "random"))
    shift = G.first.epilogue.style(w)[:, 8:, None, None].expand_as(first)
    torch.testing.assert_close(first, shift)
    x_ = G(w)
    assert torch.equal(x_, G(w, "none"))
    loss = F.softplus(-D(x_)).sum() + input_gradients(D, x_).square().sum()
    loss.backward()
    found = [p.grad for n in (G, D) for p in n.parameters() if p.grad is not None]
    assert all(gradient.isfinite().all() for gradient in found)
    norms = torch.linalg.vector_norm(input_gradients(D, torch.randn(4, 3, 16, 16)), dim=(1, 2, 3))
    assert norms.isfinite().all()
    assert (norms > 0).all()


# Growing


def full(G: GeneratorNetwork, w: Tensor, lod: float) -> Tensor:
    """The picture at that level of detail, enlarged to the whole size."""
    G.set_lod(lod)
    x = G(w, "const").detach()
    assert x.shape[2:] == G.pyramid.size(G.pyramid.stage(lod))
    return upscaled(x, G.pyramid.size(G.pyramid.last)[0] // x.shape[2])


@pytest.mark.parametrize("lod", [1, 2])
def test_pictures_do_not_jump_where_a_size_begins_and_ends(lod: int):
    G, D = pair()
    w = torch.randn(2, 8)
    there, sides = full(G, w, lod), [lod - 1e-4] + ([lod + 1e-4] if lod < 2 else [])
    for near in sides:
        torch.testing.assert_close(full(G, w, near), there, rtol=0, atol=2e-2)
        assert not torch.equal(full(G, w, near), there)
    # Nor do scores.
    x = upscaled(torch.randn(4, 3, 4, 4), 4)
    scores = []
    for at in (lod, *sides):
        D.set_lod(at)
        scores.append(D(x).detach())
    for score in scores[1:]:
        torch.testing.assert_close(score, scores[0], rtol=0, atol=2e-2)


@given(st.floats(0, 1, exclude_max=True, width=32))
def test_in_between_a_picture_is_faded(fade: float):
    G, _ = pair()
    w = torch.randn(2, 8)
    above, below = full(G, w, 0), full(G, w, 1)
    torch.testing.assert_close(full(G, w, fade), torch.lerp(above, below, fade))


@pytest.mark.parametrize("lod", [0, 1, 2])
def test_squared_gradients_by_enlarged_pictures_are_a_part_of_those_by_small_ones(lod: int):
    """R1's hidden scale: (r / R)^2."""
    _, D = pair()
    D = D.double()
    D.set_lod(lod)
    part = 0.5**lod
    x = torch.randn(4, 3, *D.pyramid.size(D.stage), dtype=torch.float64)
    large = input_gradients(D, upscaled(x, 2**lod)).square().sum((1, 2, 3))
    small = input_gradients(D, x).square().sum((1, 2, 3))
    torch.testing.assert_close(large, part**2 * small)
    scaled = input_gradients(D, x, part).square().sum((1, 2, 3))
    torch.testing.assert_close(scaled, large)


@pytest.mark.parametrize("structure", ["growing", "fixed", "skip"])
@pytest.mark.parametrize("size", [(16, 16), (12, 20), (48, 80)])
@pytest.mark.parametrize("channels", [1, 5])
def test_any_base_size_and_number_of_channels(structure: Structure, size, channels: int):
    G, D = pair(size, structure, 4, channels)
    x = G(torch.randn(2, 8))
    assert x.shape == (2, channels, *size)
    assert D(x).shape == (2, 1)


def test_pictures_of_all_sizes_are_added_up_and_judged_with_skips():
    G, D = pair(structure="skip")
    w = torch.randn(1, 8)
    before, x = G(w, "const"), torch.randn(4, 3, 16, 16)
    bias = G.to_rgb["0"].bias
    assert isinstance(bias, torch.nn.Parameter)
    bias.data += 1.0
    torch.testing.assert_close(G(w, "const"), before + 1)
    score, smallest = D(x), D.from_rgb["0"].weight
    assert isinstance(smallest, torch.nn.Parameter)
    smallest.data += 1.0
    assert not torch.allclose(D(x), score)


def test_the_score_is_that_of_the_pictures_class():
    _, D = pair(classes=3)
    x = torch.randn(4, 3, 16, 16)
    every = D(x)
    assert every.shape == (4, 3)
    labels = torch.tensor([2, 0, 1, 2])
    own = D(x, F.one_hot(labels, 3).float())
    torch.testing.assert_close(own, every.gather(1, labels[:, None]))


def test_the_level_of_detail_comes_with_the_weights():
    G, _ = pair()
    G.set_lod(1.25)
    other, _ = pair()
    other.load_state_dict(G.state_dict())
    assert other.lod == 1.25
    assert other(torch.randn(1, 8)).shape == (1, 3, 8, 8)


# Styles and noise


def test_truncation_moves_the_first_styles_towards_their_mean():
    G, _ = pair()
    G.w_avg.normal_()
    styles = torch.randn(2, G.pyramid.layers, 8)
    short = G.truncated(styles, 0.7, 2)
    torch.testing.assert_close(short[:, :2], G.w_avg + 0.7 * (styles[:, :2] - G.w_avg))
    assert torch.equal(short[:, 2:], styles[:, 2:])
    assert torch.equal(G.truncated(styles, 1.0, 8), styles)


def test_the_mean_style_follows_what_is_drawn_by_its_beta():
    G, _ = pair()
    target = torch.randn(8)
    for _ in range(10):
        G.track(target.expand(4, 8), 0.995)
    torch.testing.assert_close(G.w_avg, target * (1 - 0.995**10))


def test_noise_is_drawn_kept_left_out_or_given():
    G, _ = pair()
    w = torch.randn(2, 8)
    assert not torch.equal(G(w), G(w))
    assert torch.equal(G(w, "const"), G(w, "const"))
    assert not torch.equal(G(w, "const"), G(w, "none"))
    kept = [G.epilogue(layer).noise for layer in range(G.pyramid.layers)]
    assert torch.equal(G(w, kept), G(w, "const"))
    assert [tuple(n.shape[2:]) for n in kept] == G.noise_shapes()


def test_each_layer_has_a_style_of_its_own():
    G, _ = pair()
    styles = torch.randn(1, G.pyramid.layers, 8)
    before = G(styles, "none")
    for layer in range(G.pyramid.layers):
        changed = styles.clone()
        changed[:, layer] += 1
        assert not torch.allclose(G(changed, "none"), before), layer
    same = torch.randn(1, 8)
    assert torch.equal(G(same, "none"), G(same[:, None].expand(-1, G.pyramid.layers, -1), "none"))


# Numbers


def gradients(
    network: GeneratorNetwork | DiscriminatorNetwork,
    x: Tensor,
    form: torch.memory_format,
    dtype: torch.dtype,
) -> dict[str, Tensor]:
    """Of a fixed weighing of the answers, by parameter; bfloat16 means autocast over float32."""
    half = dtype is torch.bfloat16
    dtype = torch.float32 if half else dtype
    network.to(dtype).to(memory_format=form)
    x = x.to(dtype).to(memory_format=form) if x.ndim == 4 else x.to(dtype)
    network.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        out = network(x, "const") if isinstance(network, GeneratorNetwork) else network(x)
    # All of one sign: scores of noise are nearly alike, and their differences would be rounding.
    weights = torch.linspace(1, 2, out.numel(), dtype=torch.float64).reshape(out.shape)
    out.double().mul(weights).sum().backward()
    return {
        name: p.grad.double().clone()
        for name, p in network.named_parameters()
        if p.grad is not None
    }


@pytest.mark.parametrize("player", ["G", "D"])
@pytest.mark.parametrize("lod", [0, 0.5])
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_gradients_agree_with_contiguous_float64(player, lod, batch, form, dtype):
    network = dict(zip("GD", pair(), strict=True))[player]
    network.set_lod(lod)
    inputs = {"G": (batch, 8), "D": (batch, 3, 16, 16)}[player]
    x = torch.randn(*inputs, dtype=torch.float64)
    exact = gradients(network, x, torch.contiguous_format, torch.float64)
    found = gradients(network, x, form, dtype)
    assert exact.keys() == found.keys()
    a, b = (torch.cat([g.flatten() for g in grads.values()]) for grads in (exact, found))
    if dtype is torch.bfloat16:
        assert torch.cosine_similarity(a, b, dim=0) > 0.95
        return
    error = (a - b).norm() / a.norm()
    assert error < {torch.float64: 1e-9, torch.float32: 1e-3}[dtype]
