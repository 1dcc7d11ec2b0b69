"""How far a picture is from the one that a projection aims at."""

import warnings
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganvas.errors import InputError
from ganvas.losses.perceptual import feature_distance, features, pixel_distance, pyramid
from ganvas.methods.generator import Generator

Loss = Literal["perceptual", "pixel", "lpips"]
Distance = Callable[[Tensor], Tensor]
"""Of a picture (1, C, H, W) in [-1, 1], a scalar."""

INSTALL = 'pip install "ganvas[metrics]"'
LARGEST, SMALLEST = 256, 32
"""LPIPS sees pictures no larger (Karras et al. 2020, appendix D) and no smaller than that."""


def distance_to(
    method: Generator,
    x: Tensor,
    labels: Tensor | None,
    loss: Loss,
    lpips_weights: str | Path | None = None,
) -> Distance:
    """How far pictures are from x (1, C, H, W).

    perceptual is the distance of the features of the run's own discriminator, which knows its kind
    of pictures at any depth, plus that of pixels.

    Raises:
        InputError: the run has no discriminator, or LPIPS cannot be had or does not see such
            pictures.
    """
    D = method.networks().get("D")
    if lpips_weights is not None and loss != "lpips":
        raise InputError(f"--lpips-weights {lpips_weights}: is for --loss lpips; add that")
    if loss == "lpips":
        return lpips_distance(x, lpips_weights)
    if loss == "perceptual" and D is None:
        raise InputError("--loss perceptual: this run has no discriminator; take pixel")
    by_size = list(pyramid(x))

    def pixel(y: Tensor) -> Tensor:
        return pixel_distance(list(pyramid(y)), by_size)

    if D is None or loss == "pixel":
        return pixel
    seeing = partial(D, labels=method.one_hot(labels))
    with torch.no_grad():
        seen = features(seeing, D, x)
    return lambda y: feature_distance(features(seeing, D, y), seen) + pixel(y)


def default_loss(method: Generator) -> Loss:
    return "perceptual" if "D" in method.networks() else "pixel"


def lpips_distance(x: Tensor, weights: str | Path | None) -> Distance:
    if weights is None:
        raise InputError(
            "--loss lpips: wants the weights of torchvision's VGG16; fetch "
            "https://download.pytorch.org/models/vgg16-397923af.pth and name the file with "
            "--lpips-weights"
        )
    if x.shape[1] not in (1, 3):
        raise InputError(
            f"--loss lpips: sees grey and RGB, and this run's pictures have {x.shape[1]} "
            "channels; take perceptual"
        )
    network = lpips_network(weights).to(x.device)
    return lambda y: network(as_lpips_sees(y), as_lpips_sees(x)).sum()


def as_lpips_sees(x: Tensor) -> Tensor:
    """RGB, of at most 256 pixels and at least 32 on the shorter side."""
    x, side = x.expand(-1, 3, -1, -1), min(x.shape[2:])
    if side >= 2 * LARGEST:
        return F.avg_pool2d(x, side // LARGEST)
    return F.interpolate(x, scale_factor=-(-SMALLEST // side)) if side < SMALLEST else x


def lpips_network(weights: str | Path) -> nn.Module:
    """LPIPS 0.1 (Zhang et al. 2018) on VGG16, whose weights are those in this file.

    Raises:
        InputError: the package is missing, or the file is not those weights.
    """
    try:
        lpips: Any = import_module("lpips")
    except ImportError:
        raise InputError(f"--loss lpips: the package lpips is not there; {INSTALL}") from None
    kept = vgg_weights(Path(weights))
    with warnings.catch_warnings():  # of torchvision, whose old words it speaks
        warnings.simplefilter("ignore")
        network = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False)
    own = network.net.state_dict()
    # slice1.0.weight is features.0.weight, slice2.5.weight is features.5.weight ...
    names = {key: f"features.{key.partition('.')[2]}" for key in own}
    missing = [name for name in names.values() if name not in kept]
    if missing:
        raise InputError(
            f"--lpips-weights {weights}: lacks {missing[0]}, so it is not the state dict of "
            "torchvision's vgg16"
        )
    if unlike := [n for k, n in names.items() if getattr(kept[n], "shape", None) != own[k].shape]:
        raise InputError(
            f"--lpips-weights {weights}: its {unlike[0]} has another shape than torchvision's vgg16"
        )
    network.net.load_state_dict({key: kept[name] for key, name in names.items()})
    return network.requires_grad_(False).eval()


def vgg_weights(path: Path) -> dict[str, Any]:
    try:
        kept = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(
            f"--lpips-weights {path}: cannot be read ({error.strerror or error})"
        ) from None
    except Exception:  # what the unpickler meets in a damaged file, it raises
        raise InputError(
            f"--lpips-weights {path}: is not the state dict of torchvision's vgg16"
        ) from None
    return kept if isinstance(kept, dict) else {}
