"""What every method must pass: descent moves whom it should, and nothing that is not finite."""

import copy
from typing import Any

import pytest
import torch
from kinds import CLASSES, OWN_VARIANTS, SMALL, batch_of, discriminators, input_of, judged, make
from torch import Tensor

from ganvas.losses.objectives import OBJECTIVES
from ganvas.losses.penalties import gradient_penalty, r1, r2
from ganvas.memory import step_memory
from ganvas.methods import METHODS, method_class
from ganvas.methods.adversarial import Adversarial

SHARED_VARIANTS: list[dict[str, Any]] = [
    {},
    {"ema": "1kimg"},
    {"objective": "lsgan", "real_label": 0.9, "fake_label": -1},
    {"objective": "vanilla", "real_label": 0.9},
    {"objective": "vanilla-saturating"},
    {"objective": "wgan", "clip": 0.01},
    {"objective": "wgan", "gp": 10, "drift": 0.001},
    {"objective": "hinge", "gp": 10, "gp_at": "real"},
    {"objective": "logistic", "r1_gamma": 10, "penalty_every": 2},
    {"objective": "logistic-saturating"},
    {"objective": "rpgan", "r1_gamma": 1, "r2_gamma": 1},
    {"lr_D": 0.001},
]
Tensors = list[Tensor]


@pytest.fixture(params=list(METHODS))
def kind(request: pytest.FixtureRequest):
    return method_class(request.param)


def step_of_D(method: Adversarial, batch: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensors]:
    """A step's losses, and what the discriminators' optimizer is given in it."""
    torch.manual_seed(1)
    losses = method.step(batch)
    parameters = [p for network in method.players["D"] for p in network.parameters()]
    return losses, [p.grad.clone() for p in parameters if p.grad is not None]


def test_what_a_step_takes_is_counted_and_grows_with_the_batch(kind):
    channels = dict.fromkeys(kind.domains, 3)
    config = {n: kind.Config.from_mapping(SMALL[kind.name] | {"batch_size": n}) for n in (2, 8)}
    few, many = (step_memory(kind, config[n], channels, CLASSES) for n in (2, 8))
    weights = sum(p.nbytes for p in make(kind).parameters())
    # Beside each weight its gradient and two moments.
    assert 4 * weights < few < many


def test_an_average_takes_memory(kind):
    channels = dict.fromkeys(kind.domains, 3)
    without, averaged = (
        step_memory(kind, kind.Config.from_mapping(SMALL[kind.name] | more), channels, CLASSES)
        for more in ({"ema": None}, {"ema": "1kimg"})
    )
    assert without < averaged


@pytest.mark.parametrize(("pace", "warmup"), [("1", 0), ("3", 4), ("1/3", 4), ("2/3", 0)])
def test_what_a_step_does_is_known_beforehand(kind, pace, warmup):
    trained = make(kind, d_steps=pace, r1_gamma=1, penalty_every=2)
    thrown = make(kind, d_steps=pace, r1_gamma=1, penalty_every=2)
    trained.warmup_steps = thrown.warmup_steps = warmup
    for step in range(9):
        before = dict(trained.descents)
        thrown.stand_at(step)
        assert (thrown.steps, thrown.descents) == (trained.steps, before)
        losses = trained.step(batch_of(trained))
        moved = frozenset(p for p in before if trained.descents[p] > before[p])
        penalised = any(name.endswith("_r1") for name in losses)
        assert trained.work_at(step) == (moved, penalised)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        pytest.param(name, changes, id=f"{name} {changes}")
        for name in METHODS
        for changes in SHARED_VARIANTS + OWN_VARIANTS[name]
    ],
)
def test_steps_are_finite_and_move_every_network(name, changes):
    method = make(method_class(name), **changes)
    before = copy.deepcopy(method.state_dict())
    for _ in range(2):
        losses = method.step(batch_of(method))
        assert all(loss.ndim == 0 and loss.isfinite() for loss in losses.values())
    after = method.state_dict()
    for network in method.networks():
        weights = [k for k in after if k.startswith(f"{network}.") and k.endswith("weight")]
        assert any(not torch.equal(before[k], after[k]) for k in weights), network
    assert not method.skipped_steps()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_penalty_reaches_the_discriminators_gradients(kind, objective):
    """The bug of every peer: WGAN-GP that runs without its penalty."""
    plain = make(kind, objective=objective)
    batch = batch_of(plain)
    _, without = step_of_D(plain, batch)
    for penalty in ("gp", "r1_gamma", "r2_gamma", "drift"):
        method = make(kind, objective=objective, **{penalty: 10})
        losses, with_it = step_of_D(method, batch)
        # A bias moves what a piecewise linear D says, and not its slope.
        weights = [(a, b) for a, b in zip(without, with_it, strict=True) if a.ndim > 1]
        moved = [not torch.allclose(a, b) for a, b in weights]
        assert sum(moved) > len(moved) / 2, penalty
        if penalty != "drift":  # a part of D's loss
            term = penalty.removesuffix("_gamma")
            assert all(losses[f"{D}_{term}"] > 0 for D in discriminators(method)), penalty
        assert not method.skipped_steps(), penalty


@pytest.mark.parametrize("penalty", ["gp", "r1_gamma", "r2_gamma"])
def test_penalties_are_float32_under_autocast(kind, penalty):
    """In value, and in what D's optimizer gets of it: nothing but the penalty is in this loss."""
    found = []
    for half in (False, True):
        method = make(kind, **{penalty: 10})
        D = getattr(method, discriminators(method)[0])
        x = input_of(D, method)
        torch.manual_seed(1)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            (term,) = method.penalties(D, x, -x).values()
            method.descend("D", term)
        found.append([term.detach(), *(p.grad for p in D.parameters() if p.grad is not None)])
    for a, b in zip(*found, strict=True):
        assert b.dtype == torch.float32
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def loss_of(name: str, losses: dict[str, Tensor]) -> Tensor:
    """A discriminator's loss, also where its parts are logged each by itself; without penalties.
    A generator's is named after it, or as the reference does."""
    # BiGAN's pairs that count as generated are those of E.
    for own in ("G_GAN", "E"):
        if name == "G" and own in losses:
            return losses[own]
    if name in losses:
        return losses[name]
    parts = (f"{name}_real", f"{name}_fake", f"{name}_drift")
    return torch.stack([losses[part] for part in parts if part in losses]).sum()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_each_discriminator_judges_its_own_pictures_by_the_objective(kind, objective):
    method = make(kind, objective=objective)
    batch, loss = batch_of(method), OBJECTIVES[objective].discriminator
    wanted = {
        name: part * loss(D(real), D(fake)).detach()
        for name, (D, real, fake, part) in judged(copy.deepcopy(method), batch).items()
    }
    torch.manual_seed(1)
    found = method.step(batch)
    for name, value in wanted.items():
        torch.testing.assert_close(loss_of(name, found), value)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_generators_are_judged_on_their_own_pictures(kind, objective):
    """With D standing still, so that the scores can be computed beside the step."""
    method = make(kind, objective=objective, d_steps="1/2")
    batch, loss = batch_of(method), OBJECTIVES[objective]
    wanted = {}
    for name, (D, real, fake, _) in judged(copy.deepcopy(method), batch).items():
        scores = (D(fake), D(real)) if loss.relativistic else (D(fake),)
        wanted[name.replace("D", "G")] = loss.generator(*scores).detach()
    torch.manual_seed(1)
    found = method.step(batch)
    assert not any(name.startswith("D_") or name == "D" for name in found)
    for name, value in wanted.items():
        torch.testing.assert_close(loss_of(name, found), value)


PENALTIES = {
    "r1": ({"r1_gamma": 3}, lambda D, x, x_: 3 * r1(D, x)),
    "r2": ({"r2_gamma": 3}, lambda D, x, x_: 3 * r2(D, x_)),
    "gp at real": (
        {"gp": 5, "gp_at": "real"},
        lambda D, x, x_: 5 * gradient_penalty(D, x, x_, 1, "real"),
    ),
    "gp at fake": (
        {"gp": 5, "gp_at": "fake", "gp_target": 2},
        lambda D, x, x_: 5 * gradient_penalty(D, x, x_, 2, "fake"),
    ),
}


@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_penalty_is_that_of_its_own_discriminator_and_pictures(kind, penalty):
    (settings, wanted), term = PENALTIES[penalty], penalty[:2]
    method = make(kind, **settings)
    batch = batch_of(method)
    seen = judged(copy.deepcopy(method), batch)
    torch.manual_seed(1)
    found = method.step(batch)
    for name, (D, real, fake, part) in seen.items():
        value = part * wanted(D, real, fake).detach()
        torch.testing.assert_close(found[f"{name}_{term}"], value, rtol=1e-4, atol=1e-7)


SQUARES = {
    "real label": ({"real_label": 0.9}, lambda r, f: ((r - 0.9) ** 2).mean() + (f**2).mean()),
    "fake label": ({"fake_label": -1}, lambda r, f: ((r - 1) ** 2).mean() + ((f + 1) ** 2).mean()),
    "drift": (
        {"drift": 0.5},
        lambda r, f: ((r - 1) ** 2).mean() + (f**2).mean() + 0.5 * (r**2).mean(),
    ),
}


@pytest.mark.parametrize("term", SQUARES)
def test_labels_and_drift_are_part_of_the_discriminators_loss(kind, term):
    settings, of = SQUARES[term]
    method = make(kind, objective="lsgan", **settings)
    batch = batch_of(method)
    seen = judged(copy.deepcopy(method), batch)
    torch.manual_seed(1)
    found = method.step(batch)
    for name, (D, real, fake, part) in seen.items():
        torch.testing.assert_close(loss_of(name, found), part * of(D(real), D(fake)).detach())


def test_the_generators_label_is_what_they_want_to_hear(kind):
    method = make(kind, objective="lsgan", generator_label=0.7, d_steps="1/2")
    batch = batch_of(method)
    seen = judged(copy.deepcopy(method), batch)
    torch.manual_seed(1)
    found = method.step(batch)
    for name, (D, _, fake, _) in seen.items():
        value = ((D(fake) - 0.7) ** 2).mean().detach()
        torch.testing.assert_close(loss_of(name.replace("D", "G"), found), value)


def test_each_player_has_a_rate_of_its_own_and_keeps_it_through_the_schedule(kind):
    method = make(kind, lr=0.001, lr_D=0.004)
    method.set_rate(0.5)
    rates = {name: o.param_groups[0]["lr"] for name, o in method.optimizers.items()}
    assert rates == {"G": 0.0005, "D": 0.002}


def test_a_lazy_penalty_comes_seldom_and_strong(kind):
    batch = batch_of(make(kind))
    always, lazy = make(kind, r1_gamma=10), make(kind, r1_gamma=10, penalty_every=3)
    seen = []
    for _ in range(4):
        torch.manual_seed(1)
        seen.append({k: v for k, v in lazy.step(batch).items() if k.endswith("_r1")})
    assert [bool(s) for s in seen] == [True, False, False, True]
    torch.manual_seed(1)
    for name, value in always.step(batch).items():
        if name.endswith("_r1"):
            torch.testing.assert_close(seen[0][name], 3 * value)


def test_weights_are_clipped_after_each_step(kind):
    method = make(kind, objective="wgan", clip=0.001)
    method.step(batch_of(method))
    parameters = [p for network in method.players["D"] for p in network.parameters()]
    assert max(float(p.detach().abs().max()) for p in parameters) <= 0.001 * (1 + 1e-6)


@pytest.mark.parametrize(
    ("d_steps", "moves"),
    [
        ("1", ["DG", "DG", "DG", "DG"]),
        ("2", ["D", "DG", "D", "DG"]),
        ("1/2", ["G", "DG", "G", "DG"]),
        ("0.5", ["G", "DG", "G", "DG"]),
        ("3/2", ["D", "DG", "DG", "D"]),
        ("4", ["D", "D", "D", "DG"]),
    ],
)
def test_players_take_turns_as_they_are_told(kind, d_steps, moves):
    method = make(kind, d_steps=d_steps)
    for wanted in moves:
        before = dict(method.descents)
        losses = method.step(batch_of(method))
        moved = {player for player, count in method.descents.items() if count > before[player]}
        assert moved == set(wanted)
        assert any(name.startswith("D_") or name == "D" for name in losses) == ("D" in wanted)
        assert any(name.startswith("G") for name in losses) == ("G" in wanted)


def test_generators_stand_still_to_the_bit_while_discriminators_warm_up(kind):
    method = make(kind, d_steps="1/2", ema="1kimg")
    method.warmup_steps = 2
    own = [n for n, module in method.networks().items() if module in method.players["G"]]

    def generators() -> dict[str, Tensor]:
        state = copy.deepcopy(method.state_dict())
        return {key: value for key, value in state.items() if key.split(".")[0] in own}

    before = generators()
    for _ in range(2):
        losses = method.step(batch_of(method))
        assert not any(name.startswith("G") for name in losses)
    assert all(torch.equal(value, before[key]) for key, value in generators().items())
    assert method.descents == {"G": 0, "D": 2}
    # Then the turns begin, as if from the first step.
    for wanted in ({"G": 1, "D": 2}, {"G": 2, "D": 3}):
        method.step(batch_of(method))
        assert method.descents == wanted
    moved = [key for key, value in generators().items() if not torch.equal(value, before[key])]
    statistics = [key for key in before if key.endswith("running_mean")]
    assert moved
    assert set(statistics) <= set(moved)


def test_the_doctor_is_given_what_it_looks_at(kind):
    method = make(kind)
    method.step(batch_of(method))
    for player in ("G", "D"):
        assert method.vitals[f"{player} gradient"] > 0
    for name in discriminators(method):
        assert 0 <= method.vitals[f"{name} order"] <= 1
        assert {f"{name} real", f"{name} fake"} <= method.vitals.keys()


def test_while_a_player_descends_the_others_stand_still(kind):
    method = make(kind)
    moved: dict[str, set[str]] = {}
    descend = method.descend

    def watched(player: str, loss: Tensor | None = None) -> None:
        before = copy.deepcopy(method.state_dict())
        descend(player, loss)
        after = method.state_dict()
        moved[player] = {k.split(".")[0] for k in after if not torch.equal(before[k], after[k])}

    method.descend = watched
    method.step(batch_of(method))
    players = list(moved)
    assert len(players) >= 2
    assert not moved[players[0]] & moved[players[1]]
    assert set.union(*moved.values()) == set(method.networks())


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_step_that_is_not_finite_changes_nothing_and_is_counted(kind, poison):
    method = make(kind)
    method.step(batch_of(method))
    weights = copy.deepcopy(method.state_dict())
    moments = copy.deepcopy(method.training_state()["optimizers"])
    bad = batch_of(method)
    bad[method.domains[0]][0, 0, 0, 0] = poison
    method.step(bad)
    skipped = [player for player, streak in method.skipped_in_a_row().items() if streak]
    assert method.skipped_steps() == len(skipped) >= 1
    assert method.skipped_at() == dict.fromkeys(skipped, 2)
    after = method.state_dict()
    assert all(value.isfinite().all() for value in after.values())
    for player in skipped:
        still = {id(p) for network in method.players[player] for p in network.parameters()}
        for key, parameter in method.named_parameters():
            assert id(parameter) not in still or torch.equal(after[key], weights[key]), key
        state = method.training_state()["optimizers"][player]
        for index, moment in state["state"].items():
            for name, value in moment.items():
                assert torch.equal(value, moments[player]["state"][index][name])
    counted = method.skipped_steps()
    method.step(batch_of(method))
    assert method.skipped_steps() == counted
    assert max(method.skipped_in_a_row().values()) == 0


def test_the_state_of_one_goes_into_another_and_both_go_on_alike(kind):
    first, second = (make(kind, d_steps="3/2", penalty_every=2, r1_gamma=1) for _ in range(2))
    for _ in range(3):
        first.step(batch_of(first))
    second.load_state_dict(first.state_dict())
    second.load_training_state(copy.deepcopy(first.training_state()))
    batch = batch_of(first)
    for method in (first, second):
        torch.manual_seed(7)
        method.step(batch)
    for key, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[key]), key


def test_an_average_moves_by_the_factor_it_is_given(kind):
    method = make(kind, ema="1kimg")
    name = next(iter(method.averages))
    start = next(method.averages[name].parameters()).clone()
    for p in method.get_submodule(name).parameters():
        p.data.add_(1.0)
    for _ in range(10):
        method.update_averages(0.5 ** (1 / 10))
    moved = next(method.averages[name].parameters()) - start
    rounding = max(1e-5, 1e-6 * float(start.abs().max()))  # some are stored as N(0, 100^2)
    torch.testing.assert_close(moved, torch.full_like(moved, 0.5), rtol=0, atol=rounding)


def test_bfloat16_trains_like_float32(kind):
    curves = []
    for half in (False, True):
        method, losses = make(kind, lr=0.001), []
        torch.manual_seed(1)
        batch = batch_of(method)
        for _ in range(12):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
                losses.append(sum(method.step(batch).values()))
        assert all(loss.dtype == torch.float32 for loss in losses)
        curves.append(torch.stack(losses))
    assert curves[0][-1] < curves[0][0]
    torch.testing.assert_close(curves[1], curves[0], rtol=0.1, atol=0.05)


def test_terms_that_are_gathered_are_descended_with_the_rest():
    def moved(gathered: bool) -> dict[str, Tensor]:
        method = make(method_class("cyclegan"))
        torch.manual_seed(1)
        x, G = batch_of(method)["A"], method.networks()["G_A"]
        terms = [G(x).square().mean(), G(-x).mean()]
        if gathered:
            method.gather("G", {"one": terms[0]})
            method.gather("G", {})
            method.gather("G", {"other": terms[1]})
            method.descend("G")
        else:
            method.descend("G", terms[0] + terms[1])
        assert method.descents["G"] == 1
        method.descend("G", G(x).mean())  # begins anew
        return {key: w for key, w in G.state_dict().items() if "weight" in key}

    for ours, theirs in zip(moved(True).values(), moved(False).values(), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("name", ["cyclegan", "dcgan"])
def test_a_step_that_is_broken_off_leaves_no_gradients_to_the_next(name, monkeypatch):
    """Also where its state is put back, and it is trained on."""

    def weights(broken: bool) -> dict[str, Tensor]:
        method = make(method_class(name))
        batch = batch_of(method)
        method.step(batch)
        kept = copy.deepcopy((method.state_dict(), method.training_state()))
        if broken:
            with monkeypatch.context() as patch:
                patch.setattr(method, "descend", broken_off)
                with pytest.raises(MemoryError):
                    method.step(batch)
            method.load_state_dict(kept[0])
            method.load_training_state(kept[1])
        torch.manual_seed(1)
        method.step(batch)
        return copy.deepcopy(method.state_dict())

    def broken_off(player: str, loss: Tensor | None = None) -> None:
        raise MemoryError

    whole, mended = weights(False), weights(True)
    assert all(torch.equal(whole[key], mended[key]) for key in whole)
