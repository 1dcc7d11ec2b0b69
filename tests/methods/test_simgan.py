"""What is true of SimGAN alone, as CycleGAN's paper has it for a baseline."""

from copy import deepcopy

import pytest
import torch
from kinds import in_float64
from making import noise
from torch import Tensor

import ganvas
from ganvas.errors import InputError
from ganvas.methods.simgan import Config, SimGAN

SMALL = {"size": 16, "ngf": 4, "ndf": 4, "n_blocks": 1, "n_layers": 1}


def make(channels: tuple[int, int] = (3, 3), **changes) -> SimGAN:
    torch.manual_seed(0)
    return SimGAN(Config.from_mapping(SMALL | changes), dict(zip("AB", channels, strict=True)))


def batch_of(channels: tuple[int, int] = (3, 3), count: int = 2) -> dict[str, Tensor]:
    return {
        domain: torch.rand(count, c, 16, 16) * 2 - 1
        for domain, c in zip("AB", channels, strict=True)
    }


def test_the_defaults_are_cyclegans_with_one_weight():
    c = Config()
    assert (c.generator, c.n_blocks, c.norm, c.dropout) == ("resnet", 9, "instance", False)
    assert (c.discriminator, c.n_layers, c.ngf, c.ndf) == ("patch", 3, 64, 64)
    assert (c.objective, c.pool_size, c.lambda_reg) == ("lsgan", 50, 10)
    assert (c.lr, c.beta1, c.beta2, c.batch_size, c.duration) == (2e-4, 0.5, 0.999, 1, "200ep")


def test_its_networks_are_one_generator_and_one_discriminator_of_cyclegans():
    method = SimGAN(Config(), {"A": 3, "B": 3})
    counts = {n: sum(p.numel() for p in net.parameters()) for n, net in method.networks().items()}
    assert counts == {"G": 11_378_179, "D": 2_764_737}


def test_a_step_is_that_of_the_formulas():
    """D first, at half, then G before the D that this has made: losses, gradients and weights."""
    method, batch = in_float64(make(), batch_of())
    G, D, x, y = deepcopy(method.G), deepcopy(method.D), batch["A"], batch["B"]
    losses = method.step(batch)

    y_ = G(x)
    of_D = (((D(y) - 1) ** 2).mean() + (D(y_.detach()) ** 2).mean()) / 2
    adam = torch.optim.Adam(D.parameters(), lr=2e-4, betas=(0.5, 0.999))
    of_D.backward()
    adam.step()
    for ours, theirs in zip(method.D.parameters(), D.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)
        torch.testing.assert_close(ours, theirs)

    adversarial, kept = ((D(y_) - 1) ** 2).mean(), 10 * (x - y_).abs().mean()
    adam = torch.optim.Adam(G.parameters(), lr=2e-4, betas=(0.5, 0.999))
    (adversarial + kept).backward()
    adam.step()
    for ours, theirs in zip(method.G.parameters(), G.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)
        torch.testing.assert_close(ours, theirs)

    wanted = {"G_GAN": adversarial, "G_reg": kept, "D": of_D}
    assert list(losses) == list(wanted)
    for name, value in wanted.items():
        torch.testing.assert_close(losses[name], value.detach())


def test_d_judges_pictures_of_earlier_steps_too():
    method, seen = make(pool_size=2), []
    method.D.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    torch.manual_seed(3)
    made = []
    for _ in range(6):
        batch = batch_of()
        with torch.no_grad():
            made += list(method.G(batch["A"]))
        method.step(batch)
    judged = [picture for shown in seen[1::3] for picture in shown]
    now = [any(torch.equal(a, b) for b in judged) for a in made]
    earlier = [not torch.equal(a, b) for a, b in zip(judged, made, strict=True)]
    assert any(earlier)
    assert sum(now) < len(made)


def test_the_weight_of_the_regularisation_holds_pictures_to_their_inputs():
    distances = {}
    for weight in (0.0, 100.0):
        method = make(lambda_reg=weight, lr=0.003)
        batch = batch_of()
        for _ in range(30):
            method.step(batch)
        with torch.no_grad():
            distances[weight] = float((method.G(batch["A"]) - batch["A"]).abs().mean())
    assert distances[100.0] < distances[0.0] - 0.1


def test_without_a_weight_there_is_no_such_term():
    assert list(make(lambda_reg=0).step(batch_of())) == ["G_GAN", "D"]


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_it_learns_one_direction(direction):
    method = make(direction=direction).eval()
    x, other = batch_of()["A"], "BtoA" if direction == "AtoB" else "AtoB"
    assert method.translate(x[:, :, :15, :9], direction).shape == (2, 3, 15, 9)
    with pytest.raises(InputError, match=rf"^--direction {other}: .* learnt {direction} only"):
        method.translate(x, other)
    assert next(iter(method.preview(batch_of()))) == f"real_{direction[0]}"


def test_unequal_channels_want_no_regularisation():
    with pytest.raises(InputError, match=r"--lambda-reg 10: .* equal channels, but A has 1 and B"):
        make((1, 3))
    method = make((1, 3), lambda_reg=0)
    assert all(loss.isfinite() for loss in method.step(batch_of((1, 3))).values())
    assert method.translate(batch_of((1, 3))["A"]).shape[1] == 3


def test_settings_below_zero_are_refused():
    for name in ("lambda_reg", "pool_size"):
        with pytest.raises(InputError, match=f"--{name.replace('_', '-')} -1.*: must be at least"):
            Config.from_mapping({name: -1})


def test_it_begins_with_networks_of_other_projects(tmp_path):
    for n, part in enumerate(("trainA", "trainB")):
        (tmp_path / "data" / part).mkdir(parents=True)
        for i in range(2):
            noise(2 * n + i, 16, 16, 3).save(tmp_path / "data" / part / f"{i}.png")
    begun = make()
    files = {name: tmp_path / f"latest_net_{name}.pth" for name in "GD"}
    for name, file in files.items():
        torch.save(begun.get_submodule(name).state_dict(), file)
    run = ganvas.train(
        "simgan",
        init=",".join(map(str, files.values())),
        data=tmp_path / "data",
        out=tmp_path / "run",
        size=16,
        lr=1e-9,
        duration="2it",
        tensorboard=False,
        device="cpu",
        threads=1,
        quiet=True,
    )
    for key, value in ganvas.load(run).state_dict().items():
        torch.testing.assert_close(value, begun.state_dict()[key], rtol=0, atol=1e-6)
