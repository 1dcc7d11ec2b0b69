"""Which network a file's tensors are of: its architecture, width, norm and channels.

Nothing is guessed: the network that the shapes speak of is built, and must have exactly these
tensors.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ganvas.errors import InputError
from ganvas.methods.cut import PatchMLPs
from ganvas.methods.dcgan import DiscriminatorNetwork, GeneratorNetwork
from ganvas.networks.patchgan import PatchDiscriminator, PixelDiscriminator
from ganvas.networks.resnet import Antialias, ResnetGenerator
from ganvas.networks.unet import UnetGenerator
from ganvas.runs.snapshots import differences

Weights = Mapping[str, Tensor]
PUBLISHED_LAYERS = "0,4,8,12,16"
"""Whose features CUT's code compares, whichever layers of G these are."""


@dataclass(frozen=True)
class Network:
    """A network that was recognised in a file."""

    path: Path
    weights: dict[str, Tensor]
    player: Literal["G", "D", "F"]
    """F: the MLPs of CUT, which learn with its G."""
    kind: Literal["translator", "noise"]
    settings: dict[str, Any]
    """What its tensors say of a method's settings."""
    takes: int
    """Channels in; of a generator from noise, how many numbers."""
    gives: int
    """Channels out; 1 of a discriminator."""
    about: str
    """The architecture in words."""

    def __str__(self) -> str:
        translates = self.kind == "translator" and self.player == "G"
        return self.about + (f", {self.takes} -> {self.gives} channels" if translates else "")


def recognise(path: Path, weights: dict[str, Tensor]) -> Network:
    """The network that these tensors are of.

    Raises:
        InputError: it is none that ganvas has, or its tensors are not all there.
    """
    for wanted, reader in READERS.items():
        if any(re.match(wanted, key) for key in weights):
            try:
                network, build = reader(path, weights)
            except (KeyError, IndexError, ValueError):
                raise unknown(path, weights) from None
            with torch.device("meta"):
                own = build().state_dict()
            if said := differences(own, weights):
                raise InputError(f"{path}: looks like a {network.about}, but is none {said}")
            return network
    raise unknown(path, weights)


def unknown(path: Path, weights: Weights) -> InputError:
    listed = ", ".join(f"{key} {tuple(t.shape)}" for key, t in list(weights.items())[:3])
    return InputError(
        f"{path}: is of no network that ganvas knows (it begins with {listed}); it imports the "
        "generators and discriminators of pytorch-CycleGAN-and-pix2pix and of PyTorch's DCGAN "
        "tutorial, and those and F of CUT"
    )


Reading = tuple[Network, Callable[[], nn.Module]]


def resnet(path: Path, weights: dict[str, Tensor]) -> Reading:
    """`model.1` is the first convolution, `model.N.conv_block` are the blocks."""
    blocks = sorted({int(key.split(".")[1]) for key in weights if ".conv_block." in key})
    convolutions = convolutions_of(weights)
    first, *_, last = convolutions.values()
    # Dropout moves the second convolution of a block from place 5 to 6.
    dropout = f"model.{blocks[0]}.conv_block.6" in convolutions
    filters = {t.shape[-1] for key, t in weights.items() if key.endswith(".filt")}
    places: dict[tuple[int, ...], Antialias]
    places = {(): "none", (3,): "down", (4,): "up", (3, 4): "both"}
    antialias = places[tuple(sorted(filters))]
    settings = {
        "generator": "resnet",
        "n_blocks": len(blocks),
        "ngf": first.shape[0],
        "norm": norm_of(path, weights, "model.1", "model.2"),
        "dropout": dropout,
        "antialias": antialias,
    }
    x, y, width = first.shape[1], last.shape[0], first.shape[0]
    of_cut = f", anti-aliased ({antialias})" if filters else ""
    dropping = ", dropout" if dropout else ""
    about = (
        f"resnet generator of {counted(len(blocks), 'block')}, {width} channels wide, "
        f"{normed(settings['norm'])}{dropping}{of_cut}"
    )
    network = Network(path, weights, "G", "translator", settings, x, y, about)
    return network, lambda: ResnetGenerator(
        x, y, width, len(blocks), settings["norm"], dropout, antialias
    )


def unet(path: Path, weights: dict[str, Tensor]) -> Reading:
    """`model.model.0` is the first convolution, `….model.1` the one of each further level."""
    first, last = weights["model.model.0.weight"], weights["model.model.3.weight"]
    downs = [layer for layer in convolutions_of(weights) if layer.endswith(".model.1")]
    n_downs, width = 1 + len(downs), first.shape[0]
    norm = norm_of(path, weights, "model.model.1.model.1", "model.model.1.model.2")
    settings = {"generator": "unet", "n_downs": n_downs, "ngf": width, "norm": norm}
    x, y = first.shape[1], last.shape[1]
    about = f"unet generator of {n_downs} halvings, {width} channels wide, {normed(norm)}"
    network = Network(path, weights, "G", "translator", settings, x, y, about)
    if n_downs < 5:
        raise unknown(path, weights)
    return network, lambda: UnetGenerator(x, y, width, n_downs, norm)


def patch(path: Path, weights: dict[str, Tensor]) -> Reading:
    """`model.0`, `model.2`, `model.5` … are the convolutions; `model.0`, `model.3`, `model.7` …
    where filters halve."""
    antialias = any(key.endswith(".filt") for key in weights)
    convolutions = convolutions_of(weights)
    first, n_layers = convolutions["model.0"], len(convolutions) - 2
    width, x = first.shape[:2]
    second = ("model.3", "model.4") if antialias else ("model.2", "model.3")
    norm = norm_of(path, weights, *second)
    settings = {"discriminator": "patch", "n_layers": n_layers, "ndf": width, "norm": norm}
    settings |= {"antialias_D": True} if antialias else {}
    about = (
        f"patch discriminator of {counted(n_layers, 'layer')}, {width} channels wide, "
        f"{normed(norm)}{', anti-aliased' * antialias}, of {counted(x, 'channel')}"
    )
    network = Network(path, weights, "D", "translator", settings, x, 1, about)
    return network, lambda: PatchDiscriminator(x, width, n_layers, norm, antialias)


def mlps(path: Path, weights: dict[str, Tensor]) -> Reading:
    """`mlp_0.0` and `mlp_0.2` are the layers of the first MLP, which takes the padded picture."""
    count = len({key.split(".")[0] for key in weights})
    widths = [weights[f"mlp_{i}.0.weight"].shape[1] for i in range(count)]
    units = weights["mlp_0.0.weight"].shape[0]
    about = f"network F of CUT, {counted(count, 'MLP')} of {units} units"
    settings: dict[str, Any] = {"netF_nc": units}
    settings |= {"nce_layers": PUBLISHED_LAYERS} if count == PUBLISHED_LAYERS.count(",") + 1 else {}
    network = Network(path, weights, "F", "translator", settings, widths[0], 1, about)
    return network, lambda: PatchMLPs(widths, units)


def pixel(path: Path, weights: dict[str, Tensor]) -> Reading:
    """`net.0`, `net.2` and `net.5` are the convolutions."""
    width, x = weights["net.0.weight"].shape[:2]
    norm = norm_of(path, weights, "net.2", "net.3")
    settings = {"discriminator": "pixel", "ndf": width, "norm": norm}
    about = (
        f"pixel discriminator, {width} channels wide, {normed(norm)}, of {counted(x, 'channel')}"
    )
    network = Network(path, weights, "D", "translator", settings, x, 1, about)
    return network, lambda: PixelDiscriminator(x, width, norm)


def dcgan(path: Path, weights: dict[str, Tensor]) -> Reading:
    """A generator has its second convolution in `main.3`, a discriminator in `main.2`."""
    convolutions = convolutions_of(weights)
    first, *_, last = convolutions.values()
    doublings = 2 ** (len(convolutions) - 1)
    if "main.3" in convolutions and "main.2" not in convolutions:
        (nz, _, h, w), (width, channels) = first.shape, last.shape[:2]
        size = (h * doublings, w * doublings)
        settings = {"nz": nz, "ngf": width, "size": size_said(size)}
        about = (
            f"DCGAN generator, {width} channels wide, of {nz} numbers, for pictures of size "
            f"{settings['size']}, of {counted(channels, 'channel')}"
        )
        network = Network(path, weights, "G", "noise", settings, nz, channels, about)
        return network, lambda: GeneratorNetwork(nz, width, channels, size)
    (width, channels), (h, w) = first.shape[:2], last.shape[2:]
    size = (h * doublings, w * doublings)
    norm = critic_norm_of(path, weights)
    settings = {"ndf": width, "norm_D": norm, "size": size_said(size)}
    about = (
        f"DCGAN discriminator, {width} channels wide, {normed(norm)}, for pictures of size "
        f"{settings['size']}, of {counted(channels, 'channel')}"
    )
    network = Network(path, weights, "D", "noise", settings, channels, 1, about)
    return network, lambda: DiscriminatorNetwork(width, channels, size, norm)


READERS: dict[str, Callable[[Path, dict[str, Tensor]], Reading]] = {
    r"model\.\d+\.conv_block\.": resnet,
    r"model\.model\.": unet,
    r"model\.0\.weight": patch,
    r"net\.0\.weight": pixel,
    r"main\.0\.weight": dcgan,
    r"mlp_0\.0\.weight": mlps,
}
"""What a key of each kind of network looks like, in the order in which they are tried."""


def convolutions_of(weights: Weights) -> dict[str, Tensor]:
    """Layers with weights of four dimensions, in the order of the file's numbering."""
    found = {
        key.removesuffix(".weight"): tensor
        for key, tensor in weights.items()
        if key.endswith(".weight") and tensor.ndim == 4
    }
    places = {layer: [int(n) for n in re.findall(r"\d+", layer)] for layer in found}
    return {layer: found[layer] for layer in sorted(found, key=lambda layer: places[layer])}


def norm_of(path: Path, weights: Weights, convolution: str, norm: str) -> Any:
    """By the published networks' rule: a batch norm has weights of its own, in front of an
    instance norm there is a bias, and with none there is neither."""
    if f"{norm}.weight" in weights and weights[f"{norm}.weight"].ndim == 1:
        if f"{norm}.running_mean" not in weights:
            raise InputError(
                f"{path}: has instance norms with weights of their own, as the Lua code and no "
                "network here; train anew, or convert it to batch or plain instance norms"
            )
        return "batch"
    return "instance" if f"{convolution}.bias" in weights else "none"


def critic_norm_of(path: Path, weights: Weights) -> Any:
    """The norm of a DCGAN's discriminator."""
    if "main.3.running_mean" in weights:
        return "batch"
    if "main.3.weight" in weights and weights["main.3.weight"].ndim == 1:
        return "layer"
    raise InputError(
        f"{path}: is a DCGAN discriminator with instance norm or with none, which its tensors do "
        "not tell; leave it out, and a training that goes on from the generator begins a new one"
    )


def normed(norm: str) -> str:
    return "no norm" if norm == "none" else f"{norm} norm"


def size_said(size: tuple[int, int]) -> str:
    """(height, width) as --size has it."""
    return f"{size[1]}" if size[0] == size[1] else f"{size[1]}x{size[0]}"


def counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"
