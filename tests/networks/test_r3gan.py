"""R3GAN's networks against the paper's facts: counts, how weights begin, resampling, labels."""

from collections.abc import Mapping
from math import sqrt
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganvas.losses.penalties import input_gradients
from ganvas.methods.r3gan import Config
from ganvas.networks.r3gan import (
    DiscriminatorNetwork,
    Down,
    GeneratorNetwork,
    ResidualBlock,
    Stages,
    Up,
)

COUNTS = {
    "cifar10": (0, 20.73, 20.68),
    "ffhq64": (0, 22.43, 22.38),
    "ffhq256": (0, 23.06, 23.01),
    "imagenet64": (1000, 103.6, 107.2),
}
"""Classes, and millions of parameters of G and D, of the published networks."""
EXACT = {
    "tiny": (178_160, 170_096),
    "small": (2_954_624, 2_938_496),
    "cifar10": (20_732_160, 20_683_776),
    "ffhq64": (22_429_824, 22_381_440),
    "ffhq256": (23_057_952, 23_009_568),
    "imagenet32": (82_752_000, 82_655_232),
    "imagenet64": (103_408_128, 103_311_360),
}
"""As the docs have them, without classes."""


def counted(preset: str, classes: int) -> tuple[int, int]:
    config = Config.from_mapping({"preset": preset} | dict(Config.presets[preset]))
    with torch.device("meta"):
        pair = (
            GeneratorNetwork(config.stages, config.nz, 3, classes),
            DiscriminatorNetwork(config.stages, 3, classes),
        )
    G, D = (sum(p.numel() for p in network.parameters()) for network in pair)
    return G, D


def stages(base=(4, 4), widths=(8, 8, 4), blocks=2, expansion=2, group=4) -> Stages:
    return Stages(base, widths, blocks, expansion, group)


def changes(parameter: Tensor) -> bool:
    return parameter.grad is not None and bool(parameter.grad.any())


def awake(network: nn.Module) -> Any:
    """Away from how it begins, where blocks do nothing."""
    for p in network.parameters():
        p.data += 0.1 * torch.randn_like(p)
    return network


@pytest.mark.parametrize("preset", COUNTS)
def test_published_networks_have_the_published_number_of_parameters(preset: str):
    classes, *wanted = COUNTS[preset]
    digits = 2 if wanted[0] < 100 else 1
    assert [round(count / 1e6, digits) for count in counted(preset, classes)] == wanted


@pytest.mark.parametrize("preset", EXACT)
def test_presets_have_the_number_of_parameters_that_the_docs_say(preset: str):
    assert counted(preset, 0) == EXACT[preset]


def test_a_block_is_the_identity_at_first_and_learns_from_its_end():
    torch.manual_seed(0)
    block, x = ResidualBlock(8, 16, 4, 6), torch.randn(2, 8, 5, 5)
    assert torch.equal(block(x), x)
    block(x).square().sum().backward()
    moved = {name for name, p in block.named_parameters() if changes(p)}
    assert moved == {"reduce.weight"}


def test_networks_begin_as_changes_of_the_size_alone_with_finite_gradients():
    torch.manual_seed(0)
    G, D = GeneratorNetwork(stages(), 5, 3), DiscriminatorNetwork(stages(), 3)
    z = torch.randn(2, 5)
    x = G.basis * G.linear(z)[:, :, None, None]
    for layer in G.layers:
        x = layer(x) if isinstance(layer, Up) else x
    picture = G(z)
    torch.testing.assert_close(picture, G.to_rgb(x))
    D(picture).sum().backward()
    for network in (G, D):
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        assert all(g.isfinite().all() for g in gradients)
        assert sum(bool(g.any()) for g in gradients) > len(gradients) / 6


@pytest.mark.parametrize("depth", [1, 8, 81])
def test_weights_in_a_block_begin_smaller_the_more_blocks_there_are(depth: int):
    torch.manual_seed(0)
    block, gain = ResidualBlock(128, 256, 16, depth), sqrt(2 / 1.04) * depth**-0.25
    assert block.expand.weight.std().item() == pytest.approx(gain / sqrt(128), rel=0.02)
    assert block.mix.weight.std().item() == pytest.approx(gain / sqrt(16 * 9), rel=0.02)
    named = dict(block.named_parameters())
    assert not named["expand.bias"].any()
    assert not named["mix.bias"].any()


def test_the_number_of_blocks_that_counts_is_that_of_the_whole_network():
    torch.manual_seed(0)
    G = GeneratorNetwork(stages(widths=(64, 64, 64, 64), group=16), 5, 3)
    blocks = [layer for layer in G.layers if isinstance(layer, ResidualBlock)]
    assert len(blocks) == 8
    spread = torch.stack([block.expand.weight.std() for block in blocks]).mean().item()
    assert spread == pytest.approx(sqrt(2 / 1.04) * 8**-0.25 / sqrt(64), rel=0.02)


@pytest.mark.parametrize(("width", "groups"), [(64, 8), (32, 4), (8, 1), (12, 3), (10, 5)])
def test_groups_have_one_size_at_all_widths_or_what_divides_both(width: int, groups: int):
    block = stages(widths=(64, width), group=16).block(width)
    assert block.mix.groups == groups


def fir(x: Tensor, up: bool) -> Tensor:
    """The definition, pixel by pixel: [1, 3, 3, 1] each way over zeros in between, or over every
    second place."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype) / 8
    kernel = (taps[:, None] * taps).expand(x.shape[1], 1, 4, 4)
    if not up:
        return F.conv2d(x, kernel, stride=2, padding=1, groups=x.shape[1])
    between = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    between[..., ::2, ::2] = x
    return F.conv2d(F.pad(between, (2, 1, 2, 1)), 4 * kernel, groups=x.shape[1])


@pytest.mark.parametrize("up", [True, False])
def test_resampling_is_by_the_filter_wherever_the_channels_change(up: bool):
    torch.manual_seed(0)
    x = torch.randn(2, 4, 6, 10, dtype=torch.float64)
    for outputs in (4, 6):
        layer = (Up if up else Down)(4, outputs).double()
        wide = x if layer.conv is None else layer.conv(x)
        torch.testing.assert_close(layer(x), fir(wide, up))


@given(
    base=st.tuples(st.integers(3, 7), st.integers(3, 7)),
    doublings=st.integers(1, 3),
    channels=st.integers(1, 5),
    classes=st.integers(0, 3),
)
def test_pictures_of_any_base_channels_and_classes_are_made_and_judged(
    base, doublings, channels, classes
):
    torch.manual_seed(0)
    s = stages(base, (6, 5, 4, 3)[: doublings + 1], 1, 2, 4)
    G = awake(GeneratorNetwork(s, 5, channels, classes))
    D = awake(DiscriminatorNetwork(s, channels, classes))
    labels = torch.eye(3)[:2, :classes] if classes else None
    x = G(torch.randn(2, 5), labels)
    assert x.shape == (2, channels, base[0] * 2**doublings, base[1] * 2**doublings)
    scores = D(x, labels)
    assert scores.shape == (2, 1)
    assert scores.isfinite().all()


def test_a_label_lies_beside_the_latent_and_scores_are_projected_on_it():
    torch.manual_seed(0)
    G, D = GeneratorNetwork(stages(), 5, 3, 2), DiscriminatorNetwork(stages(), 3, 2)
    z, labels = torch.randn(2, 5), torch.eye(2)
    assert G.label is not None
    first = G.linear(torch.cat([z, G.label], 1))
    torch.testing.assert_close(G(z, labels), G.to_rgb(G.layers(G.basis * first[:, :, None, None])))
    x = torch.randn(2, 3, 16, 16)
    features = (D.layers(D.from_rgb(x)) * D.basis).sum((2, 3)) @ D.linear.weight.T
    assert D.label is not None
    wanted = torch.stack([features[n] @ D.label[n] for n in range(2)]) / sqrt(8)
    torch.testing.assert_close(D(x, labels), wanted[:, None])


def gradients(network: nn.Module, inputs: Mapping[str, Tensor], half: bool) -> dict[str, Tensor]:
    network.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        out = network(*inputs.values())
    weights = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).reshape(out.shape)
    out.double().mul(weights.sin()).sum().backward()
    named = network.named_parameters()
    return {name: p.grad.double().clone() for name, p in named if p.grad is not None}


@pytest.mark.parametrize("player", ["G", "D"])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_gradients_agree_with_contiguous_float64(player, batch, form, dtype):
    torch.manual_seed(0)
    made = {"G": GeneratorNetwork(stages(), 5, 3), "D": DiscriminatorNetwork(stages(), 3)}
    x = {"G": torch.randn(batch, 5), "D": torch.randn(batch, 3, 16, 16)}[player].double()
    network = awake(made[player]).double()
    exact = gradients(network, {"x": x}, False)
    half = dtype is torch.bfloat16
    network.to(torch.float32 if half else dtype).to(memory_format=form)
    x = x.to(torch.float32 if half else dtype)
    x = x.to(memory_format=form) if x.ndim == 4 else x
    found = gradients(network, {"x": x}, half)
    if half:
        a, b = (torch.cat([g.flatten() for g in grads.values()]) for grads in (exact, found))
        assert torch.cosine_similarity(a, b, dim=0) > 0.95
        return
    for key, wanted in exact.items():
        error = (found[key] - wanted).norm() / wanted.norm()
        assert error < {torch.float64: 1e-9, torch.float32: 1e-3}[dtype], key


def test_penalties_on_the_discriminator_are_differentiable_twice():
    """Also where its 3x3 convolutions have groups: against differences of the penalty itself."""
    torch.manual_seed(0)
    D = awake(DiscriminatorNetwork(stages(widths=(4, 4), group=2), 3)).double()
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)

    def penalty() -> Tensor:
        return input_gradients(D, x).square().sum()

    penalty().backward()
    for p in (D.from_rgb.weight, D.layers[0].mix.weight, D.layers[0].reduce.weight, D.basis):
        step = torch.randn_like(p)
        slope = (p.grad * step).sum().item()
        with torch.no_grad():
            p += 1e-6 * step
        above = penalty().item()
        with torch.no_grad():
            p -= 2e-6 * step
        assert (above - penalty().item()) / 2e-6 == pytest.approx(slope, rel=1e-4)
        with torch.no_grad():
            p += 1e-6 * step
