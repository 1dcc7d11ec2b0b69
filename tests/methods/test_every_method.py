"""What every method must pass: descent moves whom it should, and nothing that is not finite."""

import copy

import pytest
import torch
from torch import Tensor

from ganvas.methods import METHODS, method_class
from ganvas.methods.base import Method

SMALL = {"cyclegan": {"size": 32, "ngf": 4, "ndf": 4, "n_blocks": 1, "n_layers": 2}}
VARIANTS = [
    {},
    {"objective": "vanilla"},
    {"norm": "batch"},
    {"norm": "none"},
    {"generator": "unet", "n_downs": 5, "ngf": 2},
    {"discriminator": "pixel"},
    {"dropout": True},
    {"ema": "1kimg"},
    {"direction": "BtoA"},
    {"lambda_identity": 0, "pool_size": 0},
]


@pytest.fixture(params=list(METHODS))
def kind(request: pytest.FixtureRequest):
    return method_class(request.param)


def make(kind, **changes) -> Method:
    torch.manual_seed(0)
    config = kind.Config.from_mapping(SMALL[kind.name] | changes)
    return kind(config, dict.fromkeys(kind.domains, 3))


def batch_of(method: Method, count: int = 2) -> dict[str, Tensor]:
    size = method.config.width_height
    return {d: torch.rand(count, 3, *size[::-1]) * 2 - 1 for d in method.domains}


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_steps_are_finite_and_move_every_network(kind, changes):
    method = make(kind, **changes)
    before = copy.deepcopy(method.state_dict())
    for _ in range(2):
        losses = method.step(batch_of(method))
        assert all(loss.ndim == 0 and loss.isfinite() for loss in losses.values())
    after = method.state_dict()
    for name in method.networks():
        weights = [k for k in after if k.startswith(f"{name}.") and k.endswith("weight")]
        assert any(not torch.equal(before[k], after[k]) for k in weights), name


def test_while_a_player_descends_the_others_stand_still(kind):
    method = make(kind)
    moved: dict[str, set[str]] = {}
    descend = method.descend

    def watched(player: str, loss: Tensor) -> None:
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
    assert method.skipped_steps() >= 1
    assert max(method.skipped_in_a_row().values()) == 1
    for key, value in method.state_dict().items():
        assert torch.equal(value, weights[key]), key
    for player, state in method.training_state()["optimizers"].items():
        for index, moment in state["state"].items():
            for name, value in moment.items():
                assert torch.equal(value, moments[player]["state"][index][name])
    counted = method.skipped_steps()
    method.step(batch_of(method))
    assert method.skipped_steps() == counted
    assert max(method.skipped_in_a_row().values()) == 0


def test_the_state_of_one_goes_into_another_and_both_go_on_alike(kind):
    first, second = make(kind, pool_size=3), make(kind, pool_size=3)
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


def test_an_average_has_the_half_life_it_is_given(kind):
    method = make(kind, ema="1kimg")
    name = next(iter(method.averages))
    start = next(method.averages[name].parameters()).clone()
    for p in method.get_submodule(name).parameters():
        p.data.add_(1.0)
    for _ in range(10):
        method.update_averages(0.5 ** (1 / 10))
    moved = next(method.averages[name].parameters()) - start
    torch.testing.assert_close(moved, torch.full_like(moved, 0.5))


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


def test_a_batch_is_as_good_as_its_pictures(kind):
    """Without a pool and batch statistics, losses of two pictures are the mean of one and one."""
    method = make(kind, pool_size=0)
    batch = batch_of(method)
    singles = []
    for i in range(2):
        torch.manual_seed(0)
        one = make(kind, pool_size=0)
        singles.append(one.step({d: x[i : i + 1] for d, x in batch.items()}))
    together = make(kind, pool_size=0).step(batch)
    for name in ("G_A", "cycle_A", "idt_B"):
        mean = (singles[0][name] + singles[1][name]) / 2
        torch.testing.assert_close(together[name], mean, rtol=1e-4, atol=1e-5)
