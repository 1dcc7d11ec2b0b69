"""From a network to its fields: each layer by its kind."""

from collections.abc import Callable
from typing import Any

from torch import nn

from ganvas.errors import InputError
from ganvas.inference.tiles.fields import (
    Added,
    Convolved,
    Field,
    Joined,
    Labelled,
    Normalised,
    Pointwise,
    Reflected,
    Repeated,
    Upconvolved,
    unpadded,
)
from ganvas.methods import discogan
from ganvas.networks import stargan
from ganvas.networks.convolution import Conv2d, ConvTranspose2d
from ganvas.networks.dropout import Dropout
from ganvas.networks.norms import BatchNorm2d, InstanceNorm2d
from ganvas.networks.resampling import BlurDown, BlurUp
from ganvas.networks.resnet import ResidualBlock, ResnetGenerator
from ganvas.networks.unet import Level, OutermostLevel, UnetGenerator


def field_of(layer: nn.Module, parent: Field) -> Field:
    """What that layer, or network, gives of the parent.

    Raises:
        InputError: nothing is known of how such a layer is computed in windows.
    """
    if type(layer) not in KINDS:
        raise InputError(
            f"--tile: a network with a layer of the kind {type(layer).__name__} cannot be computed "
            "in tiles; leave --tile out, and translate the picture whole"
        )
    return KINDS[type(layer)](layer, parent)


def one_after_the_other(layers: nn.Sequential, parent: Field) -> Field:
    for layer in layers:
        parent = field_of(layer, parent)
    return parent


def within(network: Any, parent: Field) -> Field:
    return field_of(network.model, parent)


def residual(block: ResidualBlock, parent: Field) -> Field:
    return Added(parent, field_of(block.conv_block, parent))


def zero_padded_residual(block: stargan.ResidualBlock, parent: Field) -> Field:
    return Added(parent, field_of(block.main, parent))


def towards(network: stargan.Towards, parent: Field) -> Field:
    return field_of(network.G.main, Labelled(parent, network.get_buffer("c")[0]))


def skipped_and_below(level: Level, parent: Field) -> Field:
    return Joined(parent, field_of(level.model, parent))


def instance_normed(norm: InstanceNorm2d, parent: Field) -> Field:
    return Normalised(parent, norm.eps, norm.weight, norm.bias)


def batch_normed(norm: BatchNorm2d, parent: Field) -> Field:
    if norm.own_statistics:
        return Normalised(parent, norm.eps, norm.weight, norm.bias)
    return Pointwise(norm, parent)


def convolved(conv: nn.Conv2d, parent: Field) -> Field:
    if conv.padding_mode == "reflect" and not isinstance(conv.padding, str):
        down, right = conv.padding
        return Convolved(unpadded(conv), Reflected(parent, right, right, down, down))
    refuse_odd_padding(conv)
    return Convolved(conv, parent)


def upconvolved(conv: nn.ConvTranspose2d, parent: Field) -> Field:
    refuse_odd_padding(conv)
    return Upconvolved(conv, parent)


def refuse_odd_padding(conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
    if conv.padding_mode != "zeros" or isinstance(conv.padding, str):
        raise InputError(
            f"--tile: a convolution that pads by {conv.padding_mode!r}, {conv.padding!r} cannot be "
            "computed in tiles; leave --tile out, and translate the picture whole"
        )


def mirrored_around(layer: nn.ReflectionPad2d, parent: Field) -> Field:
    return Reflected(parent, *layer.padding)


def blurred_down(layer: BlurDown, parent: Field) -> Field:
    count, size = parent.channels, layer.filt.shape[-1]
    conv = nn.Conv2d(count, count, size, 2, groups=count, bias=False, device="meta")
    conv.weight = nn.Parameter(layer.filt, requires_grad=False)
    return Convolved(conv, Reflected(parent, 1, 1, 1, 1))


def blurred_up(layer: BlurUp, parent: Field) -> Field:
    count, size = parent.channels, layer.filt.shape[-1]
    conv = nn.ConvTranspose2d(count, count, size, 2, 3, groups=count, bias=False, device="meta")
    conv.weight = nn.Parameter(layer.filt, requires_grad=False)
    return Upconvolved(conv, Repeated(parent, 1, 1, 1, 1))


def same(layer: nn.Module, parent: Field) -> Field:
    return parent


KINDS: dict[type[nn.Module], Callable[[Any, Field], Field]] = {
    ResnetGenerator: within,
    UnetGenerator: within,
    discogan.GeneratorNetwork: within,
    nn.Sequential: one_after_the_other,
    ResidualBlock: residual,
    stargan.ResidualBlock: zero_padded_residual,
    stargan.Towards: towards,
    Level: skipped_and_below,
    OutermostLevel: within,
    nn.Conv2d: convolved,
    Conv2d: convolved,
    nn.ConvTranspose2d: upconvolved,
    ConvTranspose2d: upconvolved,
    nn.ReflectionPad2d: mirrored_around,
    BlurDown: blurred_down,
    BlurUp: blurred_up,
    InstanceNorm2d: instance_normed,
    BatchNorm2d: batch_normed,
    nn.ReLU: Pointwise,
    nn.LeakyReLU: Pointwise,
    nn.Tanh: Pointwise,
    Dropout: same,
    nn.Identity: same,
}
"""How each kind of layer is made into a field; a new kind is a line here."""


def channels_in(network: nn.Module) -> int:
    """How many channels a network's pictures have."""
    if isinstance(network, stargan.Towards):
        return network.G.channels
    return next(m.in_channels for m in network.modules() if isinstance(m, nn.Conv2d))
