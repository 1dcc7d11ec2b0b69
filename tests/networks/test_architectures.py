"""Networks: counts, keys, sizes, and gradients that are right in every memory format."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from ganvas.methods.dcgan import DiscriminatorNetwork
from ganvas.networks.init import init_weights
from ganvas.networks.norms import InstanceNorm2d
from ganvas.networks.patchgan import PatchDiscriminator, PixelDiscriminator, smallest_patched
from ganvas.networks.resampling import BlurDown, BlurUp
from ganvas.networks.resnet import ResnetGenerator
from ganvas.networks.stargan import StarGenerator, Towards
from ganvas.networks.unet import UnetGenerator

FULL_SIZE = {
    "resnet_9blocks": lambda: ResnetGenerator(n_blocks=9),
    "resnet_6blocks": lambda: ResnetGenerator(n_blocks=6),
    "unet_256": lambda: UnetGenerator(n_downs=8, norm="batch"),
    "unet_128": lambda: UnetGenerator(n_downs=7, norm="batch"),
    "basic_instance": PatchDiscriminator,
    "basic_6ch_batch": lambda: PatchDiscriminator(6, norm="batch"),
    "pixel_instance": PixelDiscriminator,
}
SMALL = {
    "resnet": lambda norm: ResnetGenerator(3, 2, 4, n_blocks=1, norm=norm),
    "resnet, anti-aliased": lambda norm: ResnetGenerator(
        3, 2, 4, n_blocks=1, norm=norm, antialias="both"
    ),
    "unet": lambda norm: UnetGenerator(3, 2, 2, n_downs=5, norm=norm),
    "patch": lambda norm: PatchDiscriminator(3, 4, n_layers=2, norm=norm),
    "patch, anti-aliased": lambda norm: PatchDiscriminator(
        3, 4, n_layers=2, norm=norm, antialias=True
    ),
    "pixel": lambda norm: PixelDiscriminator(3, 4, norm=norm),
    "stargan": lambda _: Towards(StarGenerator(3, 2, 4, n_blocks=1), 1, 2),
    "dcgan": lambda norm: DiscriminatorNetwork(4, 3, (32, 32), norm),
    "dcgan with layer norm": lambda _: DiscriminatorNetwork(4, 3, (32, 32), "layer"),
}


@pytest.mark.parametrize("name", FULL_SIZE)
def test_full_size_networks_have_the_published_number_of_parameters(name: str, shared: Path):
    wanted = json.loads((shared / "golden" / "parameter_counts.json").read_text())
    with torch.device("meta"):
        network = FULL_SIZE[name]()
    assert sum(p.numel() for p in network.parameters()) == wanted[name]


def test_dropout_moves_the_second_convolution_of_a_block_by_one_place():
    with torch.device("meta"):
        plain, dropping = ResnetGenerator(n_blocks=1), ResnetGenerator(n_blocks=1, dropout=True)
    assert "model.10.conv_block.5.weight" in plain.state_dict()
    assert "model.10.conv_block.6.weight" in dropping.state_dict()


def test_a_unet_answers_as_the_reference_whose_weights_it_takes(shared: Path):
    """Step 0 of the pix2pix trace: L1 and both scores' losses, the discriminator going first."""
    folder = shared / "golden" / "pix2pix_unet128"
    trace = json.loads((folder / "trace.json").read_text())
    tensors = load_file(folder / "tensors.safetensors")
    c = trace["config"]
    G = UnetGenerator(c["input_nc"], c["output_nc"], c["ngf"], 7, "batch")
    D = PatchDiscriminator(c["input_nc"] + c["output_nc"], c["ndf"], 3, "batch")
    G.load_state_dict(load_file(folder / "initial_G.safetensors"))
    D.load_state_dict(load_file(folder / "initial_D.safetensors"))
    x, y = tensors["real_A"][0], tensors["real_B"][0]
    with torch.no_grad():
        fake = G(x)
        l1 = 100 * (fake - y).abs().mean()
        scores = D(torch.cat([x, fake], 1)), D(torch.cat([x, y], 1))
        D_fake, D_real = nn.functional.softplus(scores[0]), nn.functional.softplus(-scores[1])
    wanted = trace["losses"][0]
    assert l1.item() == pytest.approx(wanted["G_L1"], rel=1e-4)
    assert D_fake.mean().item() == pytest.approx(wanted["D_fake"], rel=1e-4)
    assert D_real.mean().item() == pytest.approx(wanted["D_real"], rel=1e-4)


@pytest.mark.parametrize("antialias", ["none", "down", "up", "both"])
@pytest.mark.parametrize("shape", [(8, 8), (64, 32), (36, 44)])
def test_a_resnet_keeps_the_size_of_pictures_that_fit_its_stride(shape, antialias):
    network = ResnetGenerator(3, 1, 4, n_blocks=1, antialias=antialias)
    assert network(torch.zeros(1, 3, *shape)).shape == (1, 1, *shape)


@pytest.mark.parametrize("n_layers", [1, 2, 3, 4])
def test_the_smallest_size_that_a_patch_discriminator_claims_gives_a_score(n_layers: int):
    network = PatchDiscriminator(3, 2, n_layers)
    size = smallest_patched(n_layers)
    assert network(torch.rand(1, 3, size, size)).numel() == 1


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_gradients_agree_with_contiguous_float64(name, norm, batch, form, dtype):
    """`F.instance_norm` fails this: silently wrong for batch 1 in channels_last on the CPU."""
    torch.manual_seed(0)
    network = SMALL[name](norm)
    init_weights(network, gain=0.2)
    x = torch.randn(batch, 3, 32, 32, dtype=torch.float64)
    exact = gradients(network, x, torch.contiguous_format, torch.float64)
    found = gradients(network, x, form, dtype)
    if dtype is torch.bfloat16:
        # 8 bits of mantissa through a dozen layers: the direction must hold, as a whole.
        a, b = (torch.cat([g.flatten() for g in grads.values()]) for grads in (exact, found))
        assert torch.cosine_similarity(a, b, dim=0) > 0.95
        return
    tolerance = {torch.float64: 1e-9, torch.float32: 1e-3}[dtype]
    for key, wanted in exact.items():
        if wanted.norm() < 1e-6 * max(g.norm() for g in exact.values()):
            continue  # a bias in front of a norm: zero but for rounding
        error = (found[key] - wanted).norm() / wanted.norm()
        assert error < tolerance, (key, float(error))


def gradients(network: nn.Module, x: torch.Tensor, form, dtype) -> dict[str, torch.Tensor]:
    """Of a fixed weighing of the outputs, by parameter; bfloat16 means autocast over float32."""
    half = dtype is torch.bfloat16
    network.to(torch.float32 if half else dtype).to(memory_format=form)
    x = x.to(torch.float32 if half else dtype).to(memory_format=form)
    network.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        out = network(x)
    weights = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).reshape(out.shape)
    out.double().mul(weights.sin()).sum().backward()
    return {
        name: p.grad.double().clone()
        for name, p in network.named_parameters()
        if p.grad is not None
    }


def test_the_instance_norm_is_right_between_convolutions_with_batch_one():
    """The case by which `F.instance_norm` was caught, in float64."""

    def first_gradient(form: torch.memory_format) -> torch.Tensor:
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1), InstanceNorm2d(8), nn.Conv2d(8, 8, 3, padding=1)
        ).double()
        network.to(memory_format=form)
        network(torch.randn(1, 8, 12, 12).double().to(memory_format=form)).square().sum().backward()
        gradient = network[0].weight.grad
        assert isinstance(gradient, torch.Tensor)
        return gradient

    torch.testing.assert_close(
        first_gradient(torch.channels_last), first_gradient(torch.contiguous_format)
    )


@pytest.mark.parametrize("name", ["normal", "xavier", "kaiming", "orthogonal"])
def test_initial_weights_have_the_spread_that_their_name_says(name):
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 64, 3)
    init_weights(conv, name, 0.02)
    fan = 64 * 9
    wanted = {
        "normal": 0.02,
        "xavier": 0.02 * (2 / (fan + fan)) ** 0.5,
        "kaiming": (2 / fan) ** 0.5,
        "orthogonal": 0.02 / fan**0.5,
    }[name]
    assert conv.weight.std().item() == pytest.approx(wanted, rel=0.03)
    assert conv.bias is not None
    assert conv.bias.abs().max() == 0


def test_a_filter_that_halves_keeps_what_is_even_and_takes_out_what_would_fold():
    x = torch.linspace(-1, 1, 16).expand(1, 2, 16, 16)
    ramp = BlurDown(2)(x)
    assert ramp.shape == (1, 2, 8, 8)
    # 1 2 1 around every second pixel of a ramp is that pixel; the first is reflected.
    torch.testing.assert_close(ramp[..., 1:], x[..., ::2, 2::2])
    checkers = torch.ones(1, 2, 16, 16)
    checkers[..., ::2] = -1
    torch.testing.assert_close(BlurDown(2)(checkers), torch.zeros(1, 2, 8, 8))


def test_a_filter_that_doubles_is_linear_between_pixels():
    x = torch.arange(4.0).expand(1, 3, 4, 4)
    # 1 3 3 1 over a row of zeros in between: 3/4 of the nearer pixel and 1/4 of the other.
    wanted = torch.tensor([0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0])
    torch.testing.assert_close(BlurUp(3)(x), wanted.expand(1, 3, 8, 8))
    assert BlurUp(3)(torch.ones(2, 3, 5, 7)).eq(1).all()
