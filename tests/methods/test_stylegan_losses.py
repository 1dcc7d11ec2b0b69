"""StyleGAN's nine losses by our options, which docs/objectives.md names beside each."""

import re
import shlex
from pathlib import Path

import pytest
import torch

from ganvas.losses import stylegan, total
from ganvas.methods.dcgan import DCGAN, Config

DOCS = Path(__file__).parents[2] / "docs" / "objectives.md"
NINE = (
    "G_wgan",
    "D_wgan",
    "D_wgan_gp",
    "D_hinge",
    "D_hinge_gp",
    "G_logistic_saturating",
    "G_logistic_nonsaturating",
    "D_logistic",
    "D_logistic_simplegp",
)


def options_in_the_docs(name: str) -> dict[str, str]:
    """The options in the table's row of that loss."""
    (row,) = [line for line in DOCS.read_text().splitlines() if line.startswith(f"| `{name}` |")]
    words = [w for span in re.findall(r"`(--[^`]*)`", row) for w in shlex.split(span)]
    return {
        k.removeprefix("--").replace("-", "_"): v
        for k, v in zip(words[::2], words[1::2], strict=True)
    }


@pytest.mark.parametrize("name", NINE)
def test_the_options_in_the_docs_are_the_loss_of_that_name(name):
    torch.manual_seed(0)
    config = Config.from_mapping({"size": 16, "ngf": 4, "ndf": 4} | options_in_the_docs(name))
    method = DCGAN(config, {"pictures": 3})
    x, x_ = (torch.rand(4, 3, 16, 16) * 2 - 1 for _ in range(2))
    D = method.D
    torch.manual_seed(1)
    if name.startswith("G"):
        ours = method.generator_loss(D(x_), lambda: D(x))
        theirs = getattr(stylegan, name)(D, x_)
    else:
        loss = method.discriminator_loss("D", D(x), D(x_))
        ours = loss + total({"none": torch.zeros(()), **method.penalties(D, x, x_)})
        torch.manual_seed(1)
        theirs = getattr(stylegan, name)(D, x, x_)
    torch.testing.assert_close(ours, theirs)
