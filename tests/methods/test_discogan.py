"""What is true of DiscoGAN alone."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ganvas
from ganvas.errors import InputError
from ganvas.methods.discogan import Config, DiscoGAN, feature_matching

SMALL = {"size": 32, "ngf": 4, "ndf": 4, "batch_size": 2, "d_steps": "1"}


def make(channels: tuple[int, int] = (3, 3), **changes) -> DiscoGAN:
    torch.manual_seed(0)
    return DiscoGAN(Config.from_mapping(SMALL | changes), dict(zip("AB", channels, strict=True)))


def batch_of(
    channels: tuple[int, int] = (3, 3), count: int = 3, size: tuple[int, int] = (32, 32)
) -> dict[str, Tensor]:
    return {
        domain: torch.rand(count, c, *size) * 2 - 1
        for domain, c in zip("AB", channels, strict=True)
    }


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_the_defaults_are_those_of_the_code():
    c = Config()
    assert (c.size, c.batch_size, c.ngf, c.ndf, c.halvings) == ("64", 64, 64, 64, 4)
    assert (c.starting_rate, c.default_rate, c.gan_curriculum) == (0.01, 0.5, 10000)
    assert (c.lambda_gan, c.lambda_fm, c.objective) == (0.1, 0.9, "vanilla")
    assert (c.lr, c.beta1, c.beta2, c.weight_decay) == (2e-4, 0.5, 0.999, 1e-5)
    assert (c.d_steps, c.lr_policy, c.flip) == ("1/2", "constant", False)


def test_the_published_networks_have_as_many_parameters():
    method = DiscoGAN(Config(), {"A": 3, "B": 3})
    # 4x4 kernels: pictures, 64, 128, 256, 512 channels and back; two numbers a normed channel.
    down = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512) + 2 * (128 + 256 + 512)
    up = 16 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 3) + 2 * (256 + 128 + 64)
    assert count(method.G_A) == count(method.G_B) == down + up == 5_513_856
    assert count(method.D_A) == count(method.D_B) == down + 16 * 512 == 2_765_568


@pytest.mark.parametrize(
    ("size", "core", "scores"),
    [
        ((64, 64), (4, 4), (1, 1)),
        ((32, 32), (4, 4), (1, 1)),
        ((96, 128), (6, 8), (3, 5)),
        ((128, 128), (4, 4), (1, 1)),
        ((40, 72), (5, 9), (2, 6)),
    ],
)
def test_depth_follows_the_size(size, core, scores):
    height, width = size
    method = make(size=f"{width}x{height}", ngf=2, ndf=2).eval()
    seen = []
    middle = method.G_A.model[3 * method.config.halvings - 1 - 1]
    hook = middle.register_forward_hook(lambda *given: seen.append(given[2].shape[2:]))
    x = torch.zeros(1, 3, height, width)
    with torch.no_grad():
        assert method.G_A(x).shape == x.shape
        assert method.D_A(x).shape == (1, 1, *scores)
    hook.remove()
    assert seen == [core]


def adam(*networks: nn.Module) -> torch.optim.Adam:
    parameters = [p for network in networks for p in network.parameters()]
    return torch.optim.Adam(parameters, lr=0.01, betas=(0.5, 0.999), weight_decay=0.1)


@pytest.mark.parametrize("curriculum", [0, 1])
def test_a_step_is_what_the_formulas_say(curriculum):
    method = make(lr=0.01, weight_decay=0.1, gan_curriculum=curriculum)
    rate = (0.5, 0.01)[curriculum]
    G_AB, G_BA, D_B, D_A = copy.deepcopy([method.G_A, method.G_B, method.D_A, method.D_B])
    batch = batch_of()
    x_A, x_B = batch["A"], batch["B"]
    losses = method.step(batch)

    entropy, ones, zeros = F.binary_cross_entropy_with_logits, torch.ones, torch.zeros
    with torch.no_grad():
        x_AB, x_BA = G_AB(x_A), G_BA(x_B)
    one, none = ones(3, 1, 1, 1), zeros(3, 1, 1, 1)
    L_D_B = 0.5 * entropy(D_B(x_B), one) + 0.5 * entropy(D_B(x_AB), none)
    L_D_A = 0.5 * entropy(D_A(x_A), one) + 0.5 * entropy(D_A(x_BA), none)
    discriminators, generators = adam(D_B, D_A), adam(G_AB, G_BA)
    (L_D_A + L_D_B).backward()
    torch.testing.assert_close(losses["D_A"], L_D_B.detach())
    torch.testing.assert_close(losses["D_B"], L_D_A.detach())
    same_gradients([method.D_A, method.D_B], [D_B, D_A])
    discriminators.step()
    same_weights([method.D_A, method.D_B], [D_B, D_A])

    def layers(D: Any, x: Tensor) -> list[Tensor]:
        x, found = F.leaky_relu(D.first[0](x), 0.2), []
        for convolution, norm, _ in D.layers:
            x = F.leaky_relu(norm(convolution(x)), 0.2)
            found.append(x)
        return found

    def apart(real: list[Tensor], fake: list[Tensor]) -> Tensor:
        return sum(  # pyright: ignore[reportReturnType]
            ((r.mean(0) - f.mean(0)) ** 2).mean() for r, f in zip(real, fake, strict=True)
        )

    x_AB, x_BA = G_AB(x_A), G_BA(x_B)
    gan_B, gan_A = entropy(D_B(x_AB), one), entropy(D_A(x_BA), one)
    fm_B, fm_A = (
        apart(layers(D, x), layers(D, f)) for D, x, f in ((D_B, x_B, x_AB), (D_A, x_A, x_BA))
    )
    recon_A = F.mse_loss((G_BA(x_AB) + 1) / 2, (x_A + 1) / 2)
    recon_B = F.mse_loss((G_AB(x_BA) + 1) / 2, (x_B + 1) / 2)
    L_G_AB = (gan_B * 0.1 + fm_B * 0.9) * (1 - rate) + recon_A * rate
    L_G_BA = (gan_A * 0.1 + fm_A * 0.9) * (1 - rate) + recon_B * rate
    generators.zero_grad()
    (L_G_AB + L_G_BA).backward()
    wanted = {"G_A": gan_B, "G_B": gan_A, "fm_A": fm_B, "fm_B": fm_A}
    wanted |= {"recon_A": recon_A, "recon_B": recon_B}
    for name, loss in wanted.items():
        torch.testing.assert_close(losses[name], loss.detach(), msg=name)
    same_gradients([method.G_A, method.G_B], [G_AB, G_BA])
    generators.step()
    same_weights([method.G_A, method.G_B], [G_AB, G_BA])


def same_gradients(found: list[nn.Module], wanted: list[nn.Module]) -> None:
    for a, b in zip(parameters(found), parameters(wanted), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-7)


def same_weights(found: list[nn.Module], wanted: list[nn.Module]) -> None:
    for a, b in zip(parameters(found), parameters(wanted), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def parameters(networks: list[nn.Module]) -> list[nn.Parameter]:
    return [p for network in networks for p in network.parameters()]


def test_the_rate_follows_the_curriculum_which_a_warmup_does_not_shorten():
    method = make(gan_curriculum=2)
    method.warmup_steps = 1
    rates = []
    for _ in range(5):
        rates.append(method.progress()["rate"])
        method.step(batch_of())
    assert rates == [0.01, 0.01, 0.01, 0.5, 0.5]
    (note,) = make(gan_curriculum=0, starting_rate=0.1).notes
    assert note == "--starting-rate: without effect, for --gan-curriculum is 0"


def test_at_equal_mean_features_nothing_is_to_be_matched():
    real = torch.rand(4, 2, 3, 3)
    assert feature_matching([real, real], [real.flip(0), real]) < 1e-12
    shifted = feature_matching([real, real], [real + 2, real + 1])
    torch.testing.assert_close(shifted, torch.tensor(5.0))


def test_weights_decay():
    """In a step without a gradient of its own, by Adam's rate towards zero."""
    for decay in (0.0, 0.1):
        method = make(weight_decay=decay)
        before = copy.deepcopy(method.G_A.state_dict())
        method.descend("G", sum(0 * p.sum() for p in method.G_A.parameters()))  # pyright: ignore[reportArgumentType]
        moved = [not torch.equal(before[n], p) for n, p in method.G_A.named_parameters()]
        assert any(moved) == (decay > 0)


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_channels_may_differ_and_both_directions_are_learnt(direction):
    method = make((1, 3), direction=direction)
    losses = method.step(batch_of((1, 3)))
    assert all(loss.isfinite() for loss in losses.values())
    method.eval()
    assert method.translate(torch.zeros(1, 1, 40, 33), "AtoB").shape == (1, 3, 40, 33)
    assert method.translate(torch.zeros(1, 3, 8, 70), "BtoA").shape == (1, 1, 8, 70)


def test_a_single_picture_goes_by_its_own_statistics():
    method = make(batch_size=1).eval()
    assert any("--batch-size 1" in note for note in method.notes)
    assert not make().notes
    with torch.no_grad():
        x = batch_of()["A"]
        alone = torch.cat([copy.deepcopy(method.G_A).train()(one[None]) for one in x])
        torch.testing.assert_close(method.G_A(x), alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 16}, r"^--size 16: discogan wants at least 32 pixels each way"),
        ({"size": 100}, r"^--size 100: .* multiples of 8; take one of 32, such as 96x96"),
        ({"starting_rate": 2}, r"^--starting-rate 2: must be from 0 to 1"),
        ({"lambda_fm": -1}, r"^--lambda-fm -1.0: must be at least 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        Config.from_mapping(changes)


def test_features_of_pictures_of_other_sizes_are_not_compared():
    c = Config.from_mapping({"preprocess": "none", "batch_size": 1})
    c.check_whole({(64, 64)})
    with pytest.raises(InputError, match=r"^--lambda-fm 0.9: compares features"):
        c.check_whole({(64, 64), (64, 80)})


def test_without_their_weight_features_are_left_out_and_sizes_may_differ():
    method = make(lambda_fm=0, preprocess="none", batch_size=1)
    x_A, x_B = torch.rand(1, 3, 32, 64) * 2 - 1, torch.rand(1, 3, 64, 32) * 2 - 1
    losses = method.step({"A": x_A, "B": x_B})
    assert list(losses) == ["G_A", "G_B", "recon_A", "recon_B", "D_A", "D_B"]
    assert all(loss.isfinite() for loss in losses.values())
    assert method.skipped_steps() == 0


def test_it_learns_colours_through_the_public_face(tmp_path):
    from PIL import Image

    for part, colour in (("trainA", (220, 40, 40)), ("trainB", (40, 40, 220))):
        (tmp_path / part).mkdir()
        for i in range(4):
            shade = tuple(min(c + 8 * i, 255) for c in colour)
            Image.new("RGB", (32, 32), shade).save(tmp_path / part / f"{i}.png")
    run = ganvas.train(
        "discogan",
        **SMALL | {"batch_size": 4, "gan_curriculum": 0, "default_rate": 0.1},
        data=tmp_path,
        out=tmp_path / "run",
        lr=0.01,
        duration="30it",
        preview_every="1000it",
        snapshot_every="1000it",
        tensorboard=False,
        device="cpu",
        threads=1,
        quiet=True,
    )
    answer = ganvas.load(run).translate(Image.new("RGB", (40, 30), (225, 45, 45)))
    red, _, blue = np.asarray(answer).mean((0, 1))
    assert answer.size == (40, 30)
    assert blue > red + 60
