"""What a step tells other processes is counted from the step itself."""

import pytest

from benchmarks.bytes_averaged import averaging, efficiency, ring, step_of
from ganvas.methods import method_class

SMALL = {"size": 32, "ngf": 4, "ndf": 4, "n_blocks": 1, "batch_size": 2}


def weights(method, player):
    return sum(p.nbytes for network in method.players[player] for p in network.parameters())


def made(name, **settings):
    kind = method_class(name)
    return kind(kind.Config(**settings), dict.fromkeys(kind.domains, 3))


def test_a_step_averages_the_gradients_of_all_that_move():
    settings = {"size": "16", "ngf": 4, "ndf": 4}
    method = made("dcgan", **settings)
    found = step_of("dcgan", **settings)
    assert found.gradients == weights(method, "D") + weights(method, "G")
    assert 0 < found.more < found.gradients


def test_a_generator_that_moves_in_every_other_step_counts_half():
    every, other = (step_of("dcgan", size=16, ngf=4, ndf=4, d_steps=n) for n in ("1", "2"))
    G = weights(made("dcgan", size="16", ngf=4, ndf=4), "G")
    assert every.gradients - other.gradients == G / 2
    assert other.flops < every.flops


def test_a_penalty_costs_flops_and_tells_no_more():
    plain, penalised = (step_of("cyclegan", **SMALL, r1_gamma=g) for g in (0, 1))
    assert penalised.gradients == plain.gradients
    assert penalised.flops > 1.05 * plain.flops


def test_groups_save_in_a_convolutions_backward_too():
    few, many = (
        step_of("r3gan", size=8, widths="32,32", cardinality=n, n_blocks=1, batch_size=2)
        for n in (1, 16)
    )
    assert few.flops / many.flops > 4


def test_hiding_averages_helps_and_more_gpus_do_not():
    step = step_of("cyclegan", **SMALL)
    assert [ring(n) for n in (1, 2)] == [0, 1]
    assert averaging(step, 1, "10") == 0
    assert averaging(step, 8, "10") < averaging(step, 64, "10") < averaging(step, 512, "10")
    now, hidden = efficiency(step, 64, "100")
    assert now == pytest.approx(step.seconds / (step.seconds + averaging(step, 64, "100")))
    assert now < hidden <= 1
