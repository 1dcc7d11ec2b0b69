"""How much memory a step takes, counted without taking it."""

from typing import Any

import pytest
import torch
from torch import nn

from ganvas.memory import Peak, step_memory
from ganvas.methods.base import Method
from ganvas.methods.cyclegan import Config as CycleGANConfig
from ganvas.methods.cyclegan import CycleGAN
from ganvas.methods.dcgan import DCGAN, Config
from ganvas.methods.stylegan import Config as StyleGANConfig
from ganvas.methods.stylegan import StyleGAN
from ganvas.networks.convolution import WIDE, Conv2d

RGB = {"pictures": 3}
SMALL: dict[str, Any] = {"size": 16, "ngf": 4, "ndf": 4, "nz": 4}


def needed(**changes: Any) -> int:
    return step_memory(DCGAN, Config.from_mapping(SMALL | changes), RGB)


class Line(Method):
    """The smallest of methods: y = W x, of 1000 numbers."""

    domains = ("pictures",)

    def __init__(self, config, channels, classes=()):
        super().__init__(config, channels, classes)
        self.G = nn.Linear(1000, 1, bias=False)
        self.player("G", self.G, lr=1.0, betas=(0.0, 0.5))

    def step(self, batch):
        loss = self.G(batch["pictures"].flatten(1)).sum()
        if loss.item() > -1 and bool((loss < 1).item()) is False:
            self.descend("G", loss)
        return {"G": loss.detach()}


def test_all_that_a_step_holds_is_counted():
    config = Line.Config.from_mapping({"size": "50x20", "batch_size": 3})
    found = step_memory(Line, config, {"pictures": 1})
    # Weights, gradient and two moments; the batch; and a few single numbers.
    assert 0 <= found - 4 * (4 * 1000 + 3 * 1000) < 1000


def test_a_penalty_takes_more():
    assert needed(r1_gamma=1) > needed()


def test_a_player_that_moves_seldom_counts_as_well():
    assert needed(d_steps="5") >= needed()


def test_more_than_any_machine_has_can_be_counted():
    assert needed(batch_size=10**8) > 2**40


def test_a_stage_of_a_training_that_grows_takes_what_its_size_does():
    small = {"size": 32, "fmap_max": 4, "nz": 4, "nw": 4, "mapping_layers": 1, "batch_size": 8}
    config = StyleGANConfig.from_mapping(small)
    first, last = (step_memory(StyleGAN, config, RGB, images=n) for n in (0, 10**8))
    assert first < last


def test_what_a_process_takes_is_seen_where_the_system_tells():
    if Peak(torch.device("cpu")).read() is None:
        pytest.skip("this system does not tell")
    # The system may take other pages from a large process meanwhile, which hides what is new.
    for _ in range(8):
        peak = Peak(torch.device("cpu"))
        x = torch.ones(2**25)
        del x
        found = peak.read()
        if found is not None and found >= 2**25 * 4 * 0.9:
            break
    else:
        pytest.fail("134 million bytes were taken, and never seen")


def test_what_was_counted_leaves_no_values_out_for_what_is_computed():
    config = CycleGANConfig(size="128", ngf=WIDE // 4, ndf=4, n_blocks=1)
    told = step_memory(CycleGAN, config, {"A": 3, "B": 3})
    conv, x = Conv2d(WIDE, WIDE, 3, padding=1, bias=False), torch.rand(1, WIDE, 32, 32)
    torch.testing.assert_close(conv(x), torch.conv2d(x, conv.weight, padding=1))
    assert step_memory(CycleGAN, config, {"A": 3, "B": 3}) == told


def test_activations_that_are_computed_again_take_less():
    changes = {"size": "64", "n_blocks": 4, "ngf": 8, "ndf": 4, "batch_size": 4}
    whole, less = (
        step_memory(
            CycleGAN,
            CycleGANConfig.from_mapping(changes | {"checkpoint_activations": told}),
            {"A": 3, "B": 3},
        )
        for told in (False, True)
    )
    assert less < 0.75 * whole  # weights, gradients and moments stay as they are
