"""Normalisation layers by name, and the instance norm that is right in every memory format."""

from collections.abc import Callable, Iterable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganvas.networks.untrained import is_untrained, normalised

Norm = Literal["instance", "batch", "none"]
CriticNorm = Literal["batch", "layer", "instance", "none"]


class InstanceNorm2d(nn.Module):
    """Instance normalisation without running statistics, (N, C, H, W); `affine` gives each channel
    a scale and a shift to learn.

    Ulyanov et al. 2016, "Instance Normalization: The Missing Ingredient for Fast Stylization".
    Never by `F.instance_norm`: on the CPU with batch 1 its backward is silently wrong when the
    incoming gradient is channels_last (torch 2.13 and 2.14). By `group_norm`, which is right, and
    many times as fast going forward; on the CPU on contiguous values, for on channels_last ones it
    rounds ten times as much, and more the larger pictures are. Computed in float32 also under
    autocast.
    """

    def __init__(self, channels: int, eps: float = 1e-5, affine: bool = False) -> None:
        super().__init__()
        self.channels = channels
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype.itemsize < 4:
            x = x.float()
        if x.shape[2] * x.shape[3] == 1:
            raise ValueError("instance norm of a single pixel is 0 whatever it holds")
        if x.device.type == "cpu":
            if self.weight is None and is_untrained(x):
                return normalised(x, self.eps)
            x = x.contiguous()
            x = x - x.detach().mean((2, 3), keepdim=True)
        return F.group_norm(x, self.channels, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.channels}{', affine' * (self.weight is not None)}"


class Tracking:
    """What keeps running statistics while it trains."""

    held = False
    """Whether these stay as they are meanwhile."""


class BatchNorm2d(Tracking, nn.BatchNorm2d):
    """Batch normalisation whose running statistics take no values that are not finite.

    Otherwise a single step that went wrong, and is skipped, would spoil the network for use.
    """

    own_statistics = False
    """Whether, in evaluation mode, each picture is normalised by its own mean and variance, as a
    batch of one is in training, and not by the running ones."""

    def forward(self, input: Tensor) -> Tensor:
        if input.device.type == "cpu" and (self.training or self.own_statistics):
            # Where channels lie side by side PyTorch sums a hundred times less exactly.
            input = input.contiguous()
        if self.own_statistics and not self.training:
            return F.group_norm(input, self.num_features, self.weight, self.bias, self.eps)
        kept = (self.running_mean, self.running_var)
        if not self.training or kept[0] is None or kept[1] is None:
            return super().forward(input)
        # On copies: autograd keeps what it is given, and must not find it changed.
        mean, var = kept[0].clone(), kept[1].clone()
        momentum = 0.1 if self.momentum is None else self.momentum
        output = F.batch_norm(input, mean, var, self.weight, self.bias, True, momentum, self.eps)
        if self.held:
            return output
        with torch.no_grad():
            kept[0].copy_(torch.where(mean.isfinite(), mean, kept[0]))
            kept[1].copy_(torch.where(var.isfinite(), var, kept[1]))
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
        return output


def use_own_statistics(network: nn.Module) -> None:
    """Let all batch norms of a network go by each picture's own statistics when it is in use."""
    for layer in network.modules():
        if isinstance(layer, BatchNorm2d):
            layer.own_statistics = True


def hold_statistics(networks: Iterable[nn.Module], held: bool) -> None:
    """Let the running statistics of these networks stand still, or move again."""
    for network in networks:
        for layer in network.modules():
            if isinstance(layer, Tracking):
                layer.held = held


def layer_norm(channels: int) -> nn.Module:
    """Layer normalisation over (C, H, W) with a scale and a shift for each channel
    (Ba et al. 2016), as critics of WGAN-GP have it."""
    return nn.GroupNorm(1, channels)


def norm_layer(name: Norm | CriticNorm) -> Callable[[int], nn.Module]:
    """The layer that normalises `channels` channels: affine for batch and layer, not for
    instance."""
    layers: dict[str, Callable[[int], nn.Module]] = {
        "instance": InstanceNorm2d,
        "batch": BatchNorm2d,
        "layer": layer_norm,
        "none": lambda channels: nn.Identity(),
    }
    return layers[name]


def needs_bias(name: Norm) -> bool:
    """Whether a convolution in front of the norm has a bias in the published networks.

    Only in front of an instance norm: batch norm brings its own, and the reference gives
    none to `none` either (pytorch-CycleGAN-and-pix2pix, `use_bias`).
    """
    return name == "instance"
