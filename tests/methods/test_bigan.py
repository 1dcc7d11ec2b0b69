"""What is true of BiGAN/ALI alone, as CycleGAN's paper has it for a baseline."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from kinds import in_float64
from torch import Tensor

from ganvas.errors import InputError
from ganvas.losses.objectives import OBJECTIVES
from ganvas.methods.bigan import BiGAN, Config, mirrored

SMALL = {"size": 16, "ngf": 4, "ndf": 4, "n_blocks": 1, "n_layers": 1}


def make(channels: tuple[int, int] = (3, 3), **changes) -> BiGAN:
    torch.manual_seed(0)
    return BiGAN(Config.from_mapping(SMALL | changes), dict(zip("AB", channels, strict=True)))


def batch_of(channels: tuple[int, int] = (3, 3), count: int = 2) -> dict[str, Tensor]:
    return {
        domain: torch.rand(count, c, 16, 16) * 2 - 1
        for domain, c in zip("AB", channels, strict=True)
    }


def test_the_defaults_are_cyclegans():
    c = Config()
    assert (c.generator, c.n_blocks, c.norm, c.dropout) == ("resnet", 9, "instance", False)
    assert (c.discriminator, c.n_layers, c.ngf, c.ndf) == ("patch", 3, 64, 64)
    assert (c.objective, c.pool_size, c.lr, c.beta1) == ("lsgan", 50, 2e-4, 0.5)


def test_its_networks_are_two_generators_and_a_discriminator_of_six_channels():
    method = BiGAN(Config(), {"A": 3, "B": 3})
    counts = {n: sum(p.numel() for p in net.parameters()) for n, net in method.networks().items()}
    # Three channels more in D's first layer: 3 * 64 * 4 * 4.
    assert counts == {"G": 11_378_179, "E": 11_378_179, "D": 2_764_737 + 3072}


def test_a_step_is_that_of_the_formulas_with_an_optimizer_for_each_network():
    """As in CycleGAN's code, which has three; ours has G and E in one, of the losses' sum."""
    method, batch = in_float64(make(), batch_of())
    G, E, D = (deepcopy(net) for net in (method.G, method.E, method.D))
    x, y = batch["A"], batch["B"]
    losses = method.step(batch)
    adam = {n: torch.optim.Adam(n.parameters(), lr=2e-4, betas=(0.5, 0.999)) for n in (G, E, D)}

    def descend(network: torch.nn.Module, loss: Tensor) -> None:
        adam[network].zero_grad()
        loss.backward(retain_graph=True, inputs=list(network.parameters()))
        adam[network].step()

    pair_G, pair_E = torch.cat([x, G(x)], 1), torch.cat([E(y), y], 1)
    of_D = (((D(pair_G.detach()) - 1) ** 2).mean() + (D(pair_E.detach()) ** 2).mean()) / 2
    descend(D, of_D)
    of_G = (D(pair_G) ** 2).mean()
    of_E = ((D(pair_E) - 1) ** 2).mean()
    descend(G, of_G)
    descend(E, of_E)

    for ours, theirs in ((method.G, G), (method.E, E), (method.D, D)):
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a.grad, b.grad)
            torch.testing.assert_close(a, b)
    wanted = {"G": of_G, "E": of_E, "D": of_D}
    assert list(losses) == list(wanted)
    for name, value in wanted.items():
        torch.testing.assert_close(losses[name], value.detach())


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_each_generator_pulls_scores_of_its_pairs_to_the_other_side(objective):
    """To D, G's pairs are the real ones: G pulls their scores down; E pulls those of its up."""
    # Squares pull to their label from both sides: it is put out of reach.
    label: dict[str, Any] = {"generator_label": 9} if objective == "lsgan" else {}
    method, seen = make(objective=objective, d_steps="1/2", **label), []

    def keep(module: torch.nn.Module, given: tuple[Tensor, ...], scores: Tensor) -> None:
        scores.retain_grad()
        seen.append(scores)

    method.D.register_forward_hook(keep)
    method.step(batch_of())
    of_G, of_E = (scores.grad for scores in seen)
    assert of_G is not None
    assert of_E is not None
    assert (of_G > 0).all()
    assert (of_E < 0).all()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_game_is_the_same_when_the_two_kinds_of_pairs_change_places(objective):
    """Mirrored, D's loss is its own; so what G wants of mirrored scores is what E wants."""
    c = Config.from_mapping(SMALL | {"objective": objective})
    chance = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(2, 1, 3, 3, generator=chance) for _ in "rf")
    judge = OBJECTIVES[objective].discriminator
    torch.testing.assert_close(judge(mirrored(fake, c), mirrored(real, c)), judge(real, fake))


def test_labels_of_least_squares_change_places():
    c = Config.from_mapping(SMALL | {"real_label": 1, "fake_label": -1, "generator_label": 0})
    assert mirrored(torch.tensor([1.0, -1.0, 0.0]), c).tolist() == [-1.0, 1.0, 0.0]
    method = make(real_label=0.9, fake_label=0.1, generator_label=0.8, d_steps="1/2")
    batch = batch_of()
    with torch.no_grad():
        x, y = batch["A"], batch["B"]
        r = method.D(torch.cat([x, method.G(x)], 1))
        f = method.D(torch.cat([method.E(y), y], 1))
    losses = method.step(batch)
    # c is 0.1 short of b for E, so that it is 0.1 short of a for G.
    torch.testing.assert_close(losses["G"], ((r - 0.2) ** 2).mean())
    torch.testing.assert_close(losses["E"], ((f - 0.8) ** 2).mean())


def test_halves_are_mirrored_in_float32():
    """1 - s of a small s is 1 in bfloat16, and G would learn nothing of it."""
    score = torch.tensor([0.001], dtype=torch.bfloat16)
    found = mirrored(score, Config.from_mapping(SMALL | {"objective": "lsgan"}))
    torch.testing.assert_close(found, 1 - score.float())


def test_scores_that_are_compared_move_each_generator_once():
    method, batch = in_float64(make(objective="rpgan", d_steps="1/2"), batch_of())
    x, y = batch["A"], batch["B"]
    r = method.D(torch.cat([x, method.G(x)], 1))
    f = method.D(torch.cat([method.E(y), y], 1))
    loss = torch.nn.functional.softplus(r - f).mean()
    weights = [*method.G.parameters(), *method.E.parameters()]
    wanted = torch.autograd.grad(loss, weights)
    losses = method.step(batch)
    torch.testing.assert_close(losses["G"], loss.detach())
    torch.testing.assert_close(losses["E"], loss.detach())
    for parameter, gradient in zip(weights, wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_each_kind_of_pairs_has_a_history_of_its_own():
    method, batch = make(pool_size=3), batch_of()
    with torch.no_grad():
        of_G = torch.cat([batch["A"], method.G(batch["A"])], 1)
        of_E = torch.cat([method.E(batch["B"]), batch["B"]], 1)
    method.step(batch)
    torch.testing.assert_close(method.pool_G.images, of_G)
    torch.testing.assert_close(method.pool_E.images, of_E)


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_both_directions_are_learnt_with_unequal_channels_too(direction):
    method = make((1, 4), direction=direction)
    assert all(loss.isfinite() for loss in method.step(batch_of((1, 4))).values())
    method.eval()
    batch = batch_of((1, 4))
    assert method.translate(batch["A"][:, :, :15, :9], "AtoB").shape == (2, 4, 15, 9)
    assert method.translate(batch["B"], "BtoA").shape == (2, 1, 16, 16)
    assert method.translator(direction) is method.G
    x, y = direction[0], direction[-1]
    assert list(method.preview(batch)) == [f"real_{x}", f"fake_{y}", f"real_{y}", f"fake_{x}"]


def test_a_history_below_zero_is_refused():
    with pytest.raises(InputError, match="--pool-size -1: must be at least 0"):
        Config.from_mapping({"pool_size": -1})
