"""--checkpoint-activations: less is kept for the backward, and nothing else changes."""

from collections.abc import Callable
from copy import deepcopy
from threading import Thread

import pytest
import torch
from kinds import SMALL, batch_of, make
from torch import Tensor, nn

from ganvas import chance
from ganvas.engine import seed_step
from ganvas.methods import METHODS, method_class
from ganvas.methods.base import Method, frozen
from ganvas.networks.checkpointing import keep_inputs_only
from ganvas.networks.dropout import Dropout
from ganvas.networks.norms import BatchNorm2d, hold_statistics

VARIANTS = [
    *((name, {}) for name in SMALL),
    ("cyclegan", {"norm": "batch", "dropout": True, "d_steps": "2"}),
    ("cyclegan", {"generator": "unet", "n_downs": 5, "ngf": 2}),
    ("cyclegan", {"gp": 10, "r1_gamma": 1, "r2_gamma": 1}),
    ("pix2pix", {"norm": "batch", "dropout": True, "gp": 10}),
    ("dcgan", {"r1_gamma": 5, "norm_D": "layer"}),
    ("stylegan", {"r1_gamma": 10, "lod_initial_resolution": 4}),
    ("stylegan", {"structure": "skip", "r1_gamma": 10}),
    ("r3gan", {"r1_gamma": 2, "r2_gamma": 2}),
]


def trained(name: str, changes: dict, keep_less: bool) -> tuple[Method, list[dict]]:
    method = make(method_class(name), checkpoint_activations=keep_less, **changes)
    torch.manual_seed(1)
    batch, losses = batch_of(method), []
    for step in range(2):
        seed_step(0, step)
        losses.append(method.step(batch))
    return method, losses


def test_every_method_is_tried():
    assert SMALL.keys() == METHODS.keys()


@pytest.mark.parametrize(("name", "changes"), VARIANTS, ids=str)
def test_a_training_that_keeps_less_has_the_same_numbers(name, changes):
    whole, its = trained(name, changes, False)
    less, those = trained(name, changes, True)
    assert its == those
    a, b = whole.state_dict(), less.state_dict()
    assert list(a) == list(b)
    torch.testing.assert_close(b, a, rtol=0, atol=0)
    assert str(less.training_state()) == str(whole.training_state())


def network(p: float = 0.0) -> nn.Sequential:
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 4, 3), BatchNorm2d(4), nn.ReLU(True), nn.Linear(6, 6), Dropout(p))
    return nn.Sequential(*layers)


def gradients(G: nn.Module, x: Tensor, backward: Callable[[Tensor], object]) -> list[Tensor]:
    torch.manual_seed(1)
    with chance.dealt(1, 2, len(x)):
        y = G(x)
    backward(y.square().sum())
    return [p.grad for p in G.parameters() if p.grad is not None]


def in_a_thread_of_its_own(loss: Tensor) -> None:
    thread = Thread(target=loss.backward)
    thread.start()
    thread.join()


def test_a_backward_in_another_thread_has_the_same_part_of_the_batch():
    x = torch.rand(2, 3, 8, 8)
    expected = gradients(network(0.5), x, Tensor.backward)
    G = network(0.5)
    keep_inputs_only([G])
    assert all(map(torch.equal, gradients(G, x, in_a_thread_of_its_own), expected))


def test_who_learns_is_decided_by_the_call_and_not_by_the_backward():
    D = network()
    keep_inputs_only([D])
    x = torch.rand(2, 3, 8, 8, requires_grad=True)
    with frozen(D):
        y = D(x)
    y.square().sum().backward()
    assert x.grad is not None
    assert x.grad.any()
    assert all(p.grad is None and p.requires_grad for p in D.parameters())


def test_statistics_that_are_held_stay_held():
    G = network()
    keep_inputs_only([G])
    hold_statistics([G], held=True)
    gradients(G, torch.rand(2, 3, 8, 8), Tensor.backward)
    norm = G[1]
    assert isinstance(norm, BatchNorm2d)
    assert norm.held
    assert norm.num_batches_tracked == 0


def test_a_copy_computes_with_its_own_weights():
    G = network()
    keep_inputs_only([G])
    copy = deepcopy(G)
    with torch.no_grad():
        for p in copy.parameters():
            p.zero_()
    assert not copy(torch.rand(2, 3, 8, 8)).any()


def test_a_snapshot_of_such_a_training_loads_into_a_plain_one():
    less, whole = trained("pix2pix", {}, True)[0], make(method_class("pix2pix"))
    whole.load_state_dict(less.state_dict())
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    assert torch.equal(whole.eval().translate(x), less.eval().translate(x))
