"""What is true of CUT and FastCUT alone."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from making import noise
from torch import Tensor, nn

import ganvas
from ganvas.cli import main
from ganvas.cli.spellings import accept_reference_spellings
from ganvas.errors import InputError
from ganvas.methods import method_class
from ganvas.methods.cut import CUT, Config, FastConfig, FastCUT, PatchMLPs
from ganvas.networks.patchgan import PatchDiscriminator
from ganvas.networks.resampling import BlurDown
from ganvas.networks.resnet import ResnetGenerator

SMALL = {
    "size": 16,
    "ngf": 4,
    "ndf": 4,
    "n_blocks": 1,
    "n_layers": 1,
    "netF_nc": 16,
    "init_gain": 0.5,
    "num_patches": 9,
}


def make(kind: type[CUT] = CUT, channels: tuple[int, int] = (3, 3), **changes) -> CUT:
    torch.manual_seed(0)
    config = kind.Config.from_mapping(SMALL | changes)
    assert isinstance(config, Config)
    return kind(config, dict(zip("AB", channels, strict=True)))


def batch_of(count: int = 2, size: int = 16) -> dict[str, Tensor]:
    torch.manual_seed(3)
    return {domain: torch.rand(count, 3, size, size) * 2 - 1 for domain in "AB"}


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_the_defaults_are_the_published_ones():
    c = Config()
    assert (c.lambda_GAN, c.lambda_NCE, c.nce_idt, c.flip_equivariance) == (1, 1, True, False)
    assert (c.nce_T, c.num_patches, c.netF_nc) == (0.07, 256, 256)
    assert (c.generator, c.n_blocks, c.antialias, c.antialias_D) == ("resnet", 9, "both", True)
    assert (c.discriminator, c.n_layers, c.ngf, c.ndf, c.norm) == ("patch", 3, 64, 64, "instance")
    assert (c.objective, c.lr, c.beta1, c.beta2) == ("lsgan", 2e-4, 0.5, 0.999)
    assert (c.init_type, c.init_gain, c.batch_size, c.dropout) == ("xavier", 0.02, 1, False)
    assert (c.size, c.load_width_height) == ("256", (286, 286))
    assert (str(c.span), str(c.decay_span)) == ("400ep", "200ep")


def test_fastcut_is_another_setting_of_it():
    c, cut = FastConfig(), Config()
    assert (c.lambda_NCE, c.nce_idt, c.flip_equivariance) == (10, False, True)
    assert (str(c.span), str(c.decay_span)) == ("200ep", "50ep")
    others = {"lambda_NCE", "nce_idt", "flip_equivariance", "duration", "decay"}
    assert all(
        getattr(c, name) == getattr(cut, name)
        for name in cut.__dataclass_fields__
        if name not in others
    )
    assert str(FastConfig(duration="8h").decay_span) == "2h"
    assert str(FastConfig(duration="40ep", decay="5ep").decay_span) == "5ep"


def test_networks_have_the_published_sizes():
    with torch.device("meta"):
        method = CUT(Config(), {"A": 3, "B": 3})
    assert count(method.G) == 11_378_179
    assert count(method.D) == 2_764_737
    # Five MLPs of two layers, of 3, 128, 256, 256, 256 channels.
    mlps = sum(c * 256 + 256 + 256 * 256 + 256 for c in (3, 128, 256, 256, 256))
    assert count(method.F) == mlps == 560_384
    assert method.layers == [0, 4, 8, 12, 16]
    keys = list(method.F.state_dict())
    assert keys[:4] == ["mlp_0.0.weight", "mlp_0.0.bias", "mlp_0.2.weight", "mlp_0.2.bias"]
    convolutions = [key for key in method.D.state_dict() if key.endswith("weight")]
    assert convolutions == [f"model.{place}.weight" for place in (0, 3, 7, 11, 14)]


@pytest.mark.parametrize(
    ("settings", "layers"),
    [
        ({"n_blocks": 6}, [0, 4, 8, 12, 16]),
        ({"n_blocks": 3}, [0, 4, 8, 12, 14]),
        ({"n_blocks": 1}, [0, 4, 8, 12]),
        ({"antialias": "none", "n_blocks": 9}, [0, 4, 7, 10, 14]),
        ({"antialias": "down", "n_blocks": 9}, [0, 4, 8, 12, 16]),
        ({"nce_layers": "0, 4,8,12"}, [0, 4, 8, 12]),
    ],
)
def test_features_are_taken_where_the_encoders_parts_begin(settings, layers):
    method = make(**settings)
    assert method.layers == layers
    found = method.G.features(torch.zeros(1, 3, 16, 16), layers)
    assert [f.shape[1] for f in found] == method.G.widths(layers)


def test_features_are_those_that_the_generator_itself_passes_through():
    method, x = make(n_blocks=2), batch_of()["A"]
    layers = list(range(14))
    with torch.no_grad():
        found = method.G.features(x, layers)
        assert found[0].equal(F.pad(x, (3, 3, 3, 3), "reflect"))
        y = found[-1]
        for layer in method.G.model[14:]:
            y = layer(y)
        assert y.equal(method.G(x))
        assert found[2].equal(found[3])  # a norm whose ReLU works in place
        assert found[3].min() == 0
        assert method.G.features(x, [4, 13])[0].equal(found[4])


def unit(x: Tensor) -> Tensor:
    return x / (x.pow(2).sum(-1, keepdim=True).sqrt() + 1e-7)


def sampled(method: CUT, feature: Tensor, mlp: int, places: Tensor) -> Tensor:
    """Features at these places, (N, S, C), through their MLP, by nothing but its weights."""
    w = {k: v for k, v in method.F.named_parameters() if k.startswith(f"mlp_{mlp}.")}
    x = feature.permute(0, 2, 3, 1).flatten(1, 2)[:, places]
    hidden = (x @ w[f"mlp_{mlp}.0.weight"].T + w[f"mlp_{mlp}.0.bias"]).relu()
    return unit(hidden @ w[f"mlp_{mlp}.2.weight"].T + w[f"mlp_{mlp}.2.bias"])


def encoded(G: ResnetGenerator, x: Tensor) -> list[Tensor]:
    """Layers 0, 4, 8 and 12 of an anti-aliased resnet of one block, layer by layer."""
    W = G.state_dict(keep_vars=True)

    def conv(h: Tensor, layer: str, padding: int = 0) -> Tensor:
        return F.conv2d(h, W[f"model.{layer}.weight"], W[f"model.{layer}.bias"], padding=padding)

    def framed(h: Tensor, width: int = 1) -> Tensor:
        return F.pad(h, (width,) * 4, "reflect")

    found = [framed(x, 3)]
    h = F.instance_norm(conv(found[0], "1")).relu()
    for place in (4, 8):
        found.append(conv(h, f"{place}", padding=1))
        h = framed(F.instance_norm(found[-1]).relu())
        h = F.conv2d(h, W[f"model.{place + 3}.filt"], stride=2, groups=h.shape[1])
    r = F.instance_norm(conv(framed(h), "12.conv_block.1")).relu()
    return [*found, h + F.instance_norm(conv(framed(r), "12.conv_block.5"))]


def nce_by_hand(method: CUT, x: Tensor, y_: Tensor, places: list[Tensor], flip: bool) -> Tensor:
    """The mean over layers, pictures and places of the cross entropy of eq. 2."""
    losses = []
    of_x, of_y_ = encoded(method.G, x), encoded(method.G, y_)
    for i, at in enumerate(places):
        k = sampled(method, of_x[i], i, at).detach()
        q = sampled(method, of_y_[i].flip(3) if flip else of_y_[i], i, at)
        for n in range(len(x)):
            for s in range(len(at)):
                alike = (k[n] @ q[n, s]) / 0.07
                losses.append(alike.logsumexp(0) - alike[s])
        assert len(losses) == (i + 1) * len(x) * len(at)
    return torch.stack(losses).mean()


STEPS: dict[str, tuple[type[CUT], bool]] = {
    "cut": (CUT, False),
    "fastcut": (FastCUT, False),
    "fastcut, mirrored": (FastCUT, True),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_the_papers(name, monkeypatch):
    """D first, at half of its two squares; then G and the MLPs, with D as that has left it."""
    kind, flip = STEPS[name]
    method, other = make(kind), make(kind)
    batch = batch_of()
    x, y = batch["A"], batch["B"]
    weight, identity = (1, True) if kind is CUT else (10, False)

    # Which places are drawn is recorded, and whether the step is mirrored is given.
    drawn: list[Tensor] = []
    randperm = torch.randperm

    def recorded(n: int, **options: Any) -> Tensor:
        drawn.append(randperm(n, **options))
        return drawn[-1]

    monkeypatch.setattr(torch, "randperm", recorded)
    monkeypatch.setattr(method, "mirrored", lambda: flip)
    losses = method.step(batch)
    places = [at[:9] for at in drawn]
    assert [len(at) for at in drawn] == [22 * 22, 16 * 16, 8 * 8, 4 * 4] * (1 + identity)

    made = other.G(torch.cat([x, y]).flip(3) if flip else torch.cat([x, y]))
    y_, idt = made[:2], made[2:]
    real, fake = (other.D(y) - 1).square().mean(), other.D(y_.detach()).square().mean()
    ((real + fake) / 2).backward()
    for parameter, wanted in zip(method.D.parameters(), other.D.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, wanted.grad, rtol=1e-4, atol=1e-5)

    adversarial = (method.D(y_) - 1).square().mean()
    nce = weight * nce_by_hand(other, x, y_, places[:4], flip)
    whole = adversarial + nce
    if identity:
        nce_Y = weight * nce_by_hand(other, y, idt, places[4:], flip)
        whole = adversarial + (nce + nce_Y) / 2
        torch.testing.assert_close(losses["NCE_Y"], nce_Y.detach())
    wanted = {"G_GAN": adversarial, "NCE": nce, "G": whole, "D_real": real, "D_fake": fake}
    for key, value in wanted.items():
        torch.testing.assert_close(losses[key], value.detach(), rtol=1e-4, atol=1e-5)
    parameters = [*other.G.parameters(), *other.F.parameters()]
    found = [*method.G.parameters(), *method.F.parameters()]
    # What stands in the optimizer's hands is from before its step, so are these.
    gradients = torch.autograd.grad(whole, parameters)
    for parameter, gradient in zip(found, gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-3, atol=1e-4)


def test_the_weights_of_all_three_networks_move_by_adam_at_the_published_rate():
    method = make()
    before = [p.detach().clone() for p in method.parameters()]
    method.step(batch_of())
    for old, p in zip(before, method.parameters(), strict=True):
        assert p.grad is not None
        wanted = old - 2e-4 * p.grad / (p.grad.abs() + 1e-8)  # Adam's first step
        torch.testing.assert_close(p.detach(), wanted, rtol=0, atol=1e-6)


def test_gradients_reach_the_query_and_not_the_key():
    method, batch = make(), batch_of()
    x, y_ = batch["A"].requires_grad_(), batch["B"].requires_grad_()
    method.nce(x, y_).backward()
    assert x.grad is None
    assert y_.grad is not None
    assert y_.grad.abs().sum() > 0
    encoder = [method.G.get_parameter(f"model.{place}.weight").grad for place in (1, 4, 8)]
    assert all(g is not None and g.abs().sum() > 0 for g in encoder)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in method.F.parameters())
    assert method.G.get_parameter("model.22.weight").grad is None  # the decoder is not run


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_autocast_leaves_no_weight_without_gradient(norm):
    method = make(norm=norm)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        method.step(batch_of())
    trained = [*method.F.parameters(), *method.G.parameters()]
    assert all(p.grad is not None for p in trained)


def test_mirrored_features_are_compared_where_they_belong():
    """Of a picture and its mirror image all places agree, once the features are mirrored back."""
    method, x = make(antialias="none"), batch_of()["A"]
    method.layers = [0]
    method.F = PatchMLPs([3], 16)
    torch.manual_seed(1)
    straight = method.nce(x, x)
    torch.manual_seed(1)
    back = method.nce(x, x.flip(3), mirrored=True)
    torch.manual_seed(1)
    astray = method.nce(x, x.flip(3))
    torch.testing.assert_close(back, straight)
    assert astray > 1.2 * straight


def test_about_every_other_step_is_mirrored_and_none_of_cuts():
    torch.manual_seed(0)
    fast = [make(FastCUT).mirrored() for _ in range(3)]
    assert len(set(fast)) == 1  # it follows from the seed alone
    method = make(FastCUT)
    assert 70 < sum(method.mirrored() for _ in range(200)) < 130
    assert not any(make().mirrored() for _ in range(20))


def test_few_places_are_all_taken():
    method = make(num_patches=10_000)
    with torch.no_grad():
        assert method.nce(**dict(zip(("x", "y_"), batch_of().values(), strict=True))).isfinite()


@pytest.mark.parametrize(
    ("kind", "changes", "names"),
    [
        (CUT, {}, ["G_GAN", "D_real", "D_fake", "G", "NCE", "NCE_Y"]),
        (CUT, {"nce_idt": False}, ["G_GAN", "D_real", "D_fake", "G", "NCE"]),
        (FastCUT, {}, ["G_GAN", "D_real", "D_fake", "G", "NCE"]),
        (FastCUT, {"lambda_NCE": 0}, ["G_GAN", "D_real", "D_fake", "G"]),
        (CUT, {"objective": "rpgan", "gp": 10}, ["G_GAN", "D", "G", "NCE", "NCE_Y", "D_gp"]),
    ],
)
def test_losses_bear_the_published_names_in_their_order(kind, changes, names):
    assert list(make(kind, **changes).step(batch_of())) == names


def test_without_its_weights_a_loss_is_not_there():
    losses = make(lambda_GAN=0).step(batch_of())
    assert losses["G_GAN"] == 0
    torch.testing.assert_close(losses["G"], (losses["NCE"] + losses["NCE_Y"]) / 2)
    method = make(lambda_NCE=0)
    before = [p.clone() for p in method.F.parameters()]
    losses = method.step(batch_of())
    assert losses["G"].equal(losses["G_GAN"])
    assert all(a.equal(b) for a, b in zip(before, method.F.parameters(), strict=True))


def test_a_discriminator_that_halves_by_filters_judges_as_many_patches():
    plain, smooth = (PatchDiscriminator(3, 4, antialias=a) for a in (False, True))
    assert count(plain) == count(smooth)
    for height, width in ((64, 64), (50, 37), (24, 24)):
        x = torch.rand(1, 3, height, width)
        assert plain(x).shape == smooth(x).shape
    assert [isinstance(m, BlurDown) for m in smooth.model].count(True) == 3


def test_a_discriminators_score_moves_less_with_its_input():
    """What the filters are for: a picture moved by a pixel has nearly the same scores."""
    torch.manual_seed(0)
    plain, smooth = (PatchDiscriminator(3, 8, 3, "none", a) for a in (False, True))
    x = torch.randn(4, 3, 65, 65)
    one, other = x[..., :-1, :-1], x[..., :-1, 1:]
    with torch.no_grad():
        moved = [float((D(one) - D(other)).std() / D(one).std()) for D in (plain, smooth)]
    assert moved[1] < 0.8 * moved[0]


def test_previews_show_what_the_published_code_shows():
    batch = batch_of()
    shown = make(direction="BtoA").preview(batch)
    assert list(shown) == ["real_B", "fake_A", "real_A", "idt_A"]
    assert shown["real_B"].equal(batch["B"])
    assert list(make(FastCUT).preview(batch)) == ["real_A", "fake_B", "real_B"]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a unet": ({"generator": "unet", "n_downs": 5, "size": 32}, "--generator unet: PatchNCE"),
    "a layer behind the encoder": ({"nce_layers": "0,13"}, "--nce-layers 0,13: .* 0 to 12,"),
    "falling layers": ({"nce_layers": "4,0"}, "--nce-layers 4,0: wants rising numbers"),
    "a layer twice": ({"nce_layers": "4,4"}, "--nce-layers 4,4: wants rising numbers"),
    "words": ({"nce_layers": "all"}, "--nce-layers all: wants rising numbers"),
    "no temperature": ({"nce_T": 0}, "--nce-T 0: must be above 0"),
    "a place without negatives": ({"num_patches": 1}, "--num-patches 1: must be at least 2"),
    "no losses": ({"lambda_GAN": 0, "lambda_NCE": 0}, "--lambda-GAN 0: .* nothing to learn"),
    "a weight below none": ({"lambda_NCE": -1}, "--lambda-NCE -1.0: must be at least 0"),
}


@pytest.mark.parametrize("what", BAD)
def test_settings_that_cannot_be_are_refused(what):
    settings, sentence = BAD[what]
    with pytest.raises(InputError, match=f"^{sentence}"):
        make(**settings)


def test_what_is_without_effect_is_said():
    assert not make().notes
    (note,) = make(lambda_NCE=0, nce_T=0.1, nce_idt=False, flip_equivariance=True).notes
    found = "--nce-T and --nce-idt and --netF-nc and --num-patches: without effect, for"
    assert note == f"{found} --lambda-NCE is 0"
    (note,) = make(discriminator="pixel", antialias_D=False).notes
    assert note == "--antialias-D and --n-layers: without effect, for --discriminator is pixel"


def test_unequal_channels_are_refused():
    with pytest.raises(InputError, match=r"^fastcut: .* A has 1 and B has 3; give --channels-A"):
        make(FastCUT, (1, 3))


def test_methods_are_found_by_their_names():
    assert method_class("cut") is CUT
    assert method_class("fastcut") is FastCUT


def test_a_training_through_the_public_face_translates(tmp_path: Path):
    for part in ("trainA", "trainB"):
        (tmp_path / part).mkdir()
        for i in range(2):
            noise(i, 20, 20, 3).save(tmp_path / part / f"{i}.png")
    run = ganvas.train(
        "fastcut",
        **SMALL,
        data=tmp_path,
        out=tmp_path / "run",
        duration="2it",
        tensorboard=False,
        device="cpu",
        threads=1,
        quiet=True,
    )
    picture = noise(5, 19, 30, 3)
    assert ganvas.load(run).translate(picture).size == picture.size
    (line, *_) = (run.path / "loss_log.txt").read_text().splitlines()[-1:]
    assert "G_GAN: " in line
    assert "NCE: " in line


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--CUT_mode FastCUT", "--CUT_mode: is the method's name here: `ganvas train cut` or"),
        ("--netF sample", "--netF: only mlp_sample is there; leave it out"),
        ("--no_antialias", "--no_antialias: say --antialias up, or none"),
    ],
)
def test_what_cut_has_otherwise_gets_its_mend(words, sentence, capsys):
    assert main(["train", "cut", "--data", "sample:streets", *words.split()]) == 2
    assert sentence in capsys.readouterr().err


def test_options_that_are_on_or_off_are_taken_as_cuts_code_writes_them():
    given = ["train", "cut", "--nce_idt", "False", "--flip_equivariance", "True"]
    wanted = ["train", "cut", "--no-nce-idt", "--flip-equivariance"]
    assert accept_reference_spellings(given) == wanted
