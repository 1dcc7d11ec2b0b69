"""Small methods of every kind, for what all of them must pass."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from ganvas.methods.adversarial import Adversarial
from ganvas.methods.base import Method
from ganvas.networks.r3gan import ResidualBlock

AnyMethod = TypeVar("AnyMethod", bound=Method)
SMALL = {
    "bigan": {"size": 32, "ngf": 4, "ndf": 4, "n_blocks": 1, "n_layers": 2},
    "cogan": {
        "size": 16,
        "ngf": 4,
        "ndf": 4,
        "nz": 5,
        "batch_size": 2,
        "search_steps": 2,
        "search_starts": 2,
    },
    "cut": {
        "size": 32,
        "ngf": 4,
        "ndf": 4,
        "n_blocks": 1,
        "n_layers": 2,
        "netF_nc": 32,
        "init_gain": 0.2,
    },
    "cyclegan": {"size": 32, "ngf": 4, "ndf": 4, "n_blocks": 1, "n_layers": 2},
    "dcgan": {"size": 16, "ngf": 4, "ndf": 4, "nz": 5},
    "discogan": {"size": 32, "ngf": 4, "ndf": 4, "batch_size": 2, "d_steps": "1"},
    "dualgan": {"size": 32, "ngf": 4, "ndf": 4, "n_downs": 5, "n_layers": 2, "d_steps": "1"},
    "fastcut": {
        "size": 32,
        "ngf": 4,
        "ndf": 4,
        "n_blocks": 1,
        "n_layers": 2,
        "netF_nc": 32,
        "init_gain": 0.2,
    },
    "featgan": {"size": 32, "ngf": 4, "ndf": 4, "n_blocks": 1, "n_layers": 2},
    "pix2pix": {"size": 32, "ngf": 4, "ndf": 4, "n_downs": 5, "n_layers": 2},
    "r3gan": {
        "size": 16,
        "widths": "8,8,4",
        "n_blocks": 1,
        "cardinality": 2,
        "nz": 5,
        "r1_gamma": 0,
        "r2_gamma": 0,
    },
    "simgan": {"size": 32, "ngf": 4, "ndf": 4, "n_blocks": 1, "n_layers": 2},
    "stargan": {
        "size": 32,
        "ngf": 4,
        "ndf": 4,
        "n_blocks": 1,
        "n_layers": 3,
        "objective": "lsgan",
        "gp": 0,
        "d_steps": "1",
    },
    "stylegan": {
        "size": 16,
        "lod_initial_resolution": 16,
        "fmap_max": 8,
        "nz": 8,
        "nw": 8,
        "mapping_layers": 2,
        "mapping_fmaps": 8,
        "r1_gamma": 0,
    },
}
"""Settings with which a step takes a moment."""
OWN_VARIANTS: dict[str, list[dict[str, Any]]] = {
    "bigan": [
        {"norm": "batch"},
        {"generator": "unet", "n_downs": 5, "ngf": 2},
        {"discriminator": "pixel"},
        {"direction": "BtoA"},
        {"pool_size": 0},
    ],
    "cogan": [
        {"size": "24x32"},
        {"own_G": 3, "own_D": 3},
        {"direction": "BtoA"},
        {"weight_decay": 0},
    ],
    "cut": [
        {"norm": "batch"},
        {"norm": "none"},
        {"discriminator": "pixel"},
        {"dropout": True},
        {"antialias": "none", "antialias_D": False},
        {"direction": "BtoA"},
        {"nce_idt": False, "flip_equivariance": True},
        {"flip_equivariance": True},
        {"nce_layers": "2,3,12", "num_patches": 7},
        {"n_blocks": 6},
    ],
    "cyclegan": [
        {"norm": "batch"},
        {"norm": "none"},
        {"generator": "unet", "n_downs": 5, "ngf": 2},
        {"discriminator": "pixel"},
        {"dropout": True},
        {"antialias": "both"},
        {"direction": "BtoA"},
        {"lambda_identity": 0, "pool_size": 0},
        {"lambda_A": 0},
        {"lambda_B": 0},
        {"lambda_GAN": 0},
    ],
    "dcgan": [
        {"size": "31x17"},
        {"size": 64},
        {"conditional": True},
        {"norm_D": "layer", "conditional": True, "objective": "wgan", "gp": 10},
        {"norm_D": "instance"},
        {"norm_D": "none"},
    ],
    "discogan": [
        {"size": "64x48"},
        {"direction": "BtoA"},
        {"batch_size": 1},
        {"gan_curriculum": 1},
        {"lambda_fm": 0, "weight_decay": 0},
    ],
    "dualgan": [
        {"size": 64, "n_downs": 6},
        {"batch_size": 2, "norm": "instance"},
        {"generator": "resnet", "n_blocks": 1},
        {"discriminator": "pixel", "dropout": False},
        {"direction": "BtoA"},
        {"clip": 0.1, "lambda_A": 0},
    ],
    "fastcut": [{"nce_idt": True}, {"norm": "batch"}],
    "featgan": [
        {"norm": "batch"},
        {"generator": "unet", "n_downs": 5, "ngf": 2},
        {"discriminator": "pixel"},
        {"direction": "BtoA"},
        {"feature_size": 24, "pool_size": 0},
    ],
    "pix2pix": [
        {"norm": "none"},
        {"size": 64, "n_downs": 6},
        {"size": 64, "norm": "instance"},
        {"generator": "resnet", "n_blocks": 1},
        {"discriminator": "pixel"},
        {"dropout": False},
        {"direction": "BtoA"},
        {"lambda_L1": 0},
    ],
    "r3gan": [
        {"r1_gamma": 2, "r2_gamma": 2},
        {"size": "20x12", "conditional": True},
        {"n_blocks": 2, "expansion": 1, "cardinality": 1},
        {"r1_gamma": 5, "r1_gamma_end": 0, "anneal": "1it"},
    ],
    "simgan": [
        {"norm": "batch"},
        {"generator": "unet", "n_downs": 5, "ngf": 2},
        {"discriminator": "pixel"},
        {"direction": "BtoA"},
        {"lambda_reg": 0, "pool_size": 0},
    ],
    "stargan": [
        {"objective": "wgan", "gp": 10},
        {"size": "20x36", "n_layers": 2},
        {"n_layers": None, "n_blocks": 2},
        {"lambda_cls": 0},
        {"lambda_rec": 0},
    ],
    "stylegan": [
        {"lod_initial_resolution": 4, "r1_gamma": 10},
        {"structure": "fixed"},
        {"structure": "skip"},
        {"size": "20x12", "conditional": True},
        {"style_mixing_prob": 1},
        {"mbstd_group": 1, "objective": "wgan", "gp": 10, "drift": 0.001},
    ],
}
"""Settings of a method's own that its step must bear."""
CLASSES = ("cat", "dog", "emu")


def make(kind, **changes) -> Adversarial:
    torch.manual_seed(0)
    config = kind.Config.from_mapping(SMALL[kind.name] | changes)
    method = kind(config, dict.fromkeys(kind.domains, 3), CLASSES)
    for block in method.modules():
        if isinstance(block, ResidualBlock):
            # It begins as the identity, and then only its last layer has a gradient.
            torch.nn.init.normal_(block.reduce.weight, 0, 0.1)
    return method


def batch_of(method: Method, count: int = 2) -> dict[str, Tensor]:
    size = method.config.width_height
    batch = {d: torch.rand(count, 3, *size[::-1]) * 2 - 1 for d in method.domains}
    return batch | {"labels": torch.arange(count) % len(CLASSES)}


def in_float64(method: AnyMethod, batch: dict[str, Tensor]) -> tuple[AnyMethod, dict[str, Tensor]]:
    """Both, so that what is computed by hand beside a step is equal to more than a few digits."""
    for network in method.networks().values():
        network.double()
    return method, {name: x.double() for name, x in batch.items()}


def discriminators(method: Method) -> list[str]:
    return [name for name in method.networks() if name.startswith("D")]


def input_of(D: torch.nn.Module, method: Method) -> Tensor:
    """What that discriminator could be shown: of as many channels as it takes."""
    channels = next(p.shape[1] for p in D.parameters() if p.ndim == 4)
    return torch.rand(2, channels, *method.config.width_height[::-1]) * 2 - 1


Judged = tuple[torch.nn.Module, Tensor, Tensor, float]
"""A discriminator, real pictures, generated ones, and which part of its loss is taken."""


def judged(method: Adversarial, batch: dict[str, Tensor]) -> dict[str, Judged]:
    """What each discriminator sees in this step. The chance is that of `torch.manual_seed(1)`."""
    torch.manual_seed(1)
    return JUDGED[method.name](method, batch)


def judged_in_pairs(method: Any, batch: dict[str, Tensor]) -> dict[str, Judged]:
    x, y = batch["A"], batch["B"]
    real, fake = (torch.cat([x, other], 1) for other in (y, method.G(x).detach()))
    return {"D": (method.D, real, fake, 1.0)}


def judged_as_two_kinds_of_pairs(method: Any, batch: dict[str, Tensor]) -> dict[str, Judged]:
    x, y = batch["A"], batch["B"]
    real, fake = torch.cat([x, method.G(x)], 1), torch.cat([method.E(y), y], 1)
    return {"D": (method.D, real.detach(), fake.detach(), 0.5)}


def judged_both_ways(method: Any, batch: dict[str, Tensor]) -> dict[str, Judged]:
    x, y = batch["A"], batch["B"]
    return {
        "D_A": (method.D_A, y, method.G_A(x).detach(), 0.5),
        "D_B": (method.D_B, x, method.G_B(y).detach(), 0.5),
    }


def judged_whole_both_ways(method: Any, batch: dict[str, Tensor]) -> dict[str, Judged]:
    seen = judged_both_ways(method, batch)
    return {name: (D, real, fake, 1.0) for name, (D, real, fake, _) in seen.items()}


def judged_mirrored_or_not(method: Any, batch: dict[str, Tensor]) -> dict[str, Judged]:
    x, y = batch["A"], batch["B"]
    y_ = method.G(x.flip(3) if method.mirrored() else x)
    return {"D": (method.D, y, y_.detach(), 1.0)}


def judged_one_way(method: Any, batch: dict[str, Tensor]) -> dict[str, Judged]:
    return {"D": (method.D, batch["B"], method.G(batch["A"]).detach(), 0.5)}


def judged_from_noise(method: Any, batch: dict[str, Tensor]) -> dict[str, Judged]:
    x = batch["pictures"]
    return {"D": (method.D, x, method.G(torch.randn(len(x), method.nz)).detach(), 1.0)}


def judged_as_drawn(method: Any, batch: dict[str, Tensor]) -> dict[str, Judged]:
    x = batch["pictures"]
    return {"D": (method.D, x, method.drawn(len(x), None).detach(), 1.0)}


def judged_among_domains(method: Any, batch: dict[str, Tensor]) -> dict[str, Judged]:
    x, labels = batch["pictures"], batch["labels"]
    c = torch.eye(len(CLASSES))[labels[torch.randperm(len(x))]]
    return {"D": (method.D, x, method.G(x, c).detach(), 1.0)}


def judged_coupled(method: Any, batch: dict[str, Tensor]) -> dict[str, Judged]:
    maps = method.shared_G(torch.randn(len(batch["A"]), method.config.nz, 1, 1))
    sides = (("A", method.D_A, method.G_A), ("B", method.D_B, method.G_B))
    return {
        f"D_{domain}": (torch.nn.Sequential(D, method.shared_D), batch[domain], G(maps).detach(), 1)
        for domain, D, G in sides
    }


JUDGED: dict[str, Callable[[Any, dict[str, Tensor]], dict[str, Judged]]] = {
    "bigan": judged_as_two_kinds_of_pairs,
    "cogan": judged_coupled,
    "cut": judged_mirrored_or_not,
    "cyclegan": judged_both_ways,
    "dcgan": judged_from_noise,
    "discogan": judged_both_ways,
    "dualgan": judged_whole_both_ways,
    "fastcut": judged_mirrored_or_not,
    "featgan": judged_one_way,
    "pix2pix": judged_in_pairs,
    "r3gan": judged_as_drawn,
    "simgan": judged_one_way,
    "stargan": judged_among_domains,
    "stylegan": judged_as_drawn,
}
