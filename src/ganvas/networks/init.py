"""Initial weights by name."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

Init = Literal["normal", "xavier", "kaiming", "orthogonal"]


def init_weights(network: nn.Module, name: Init = "normal", gain: float = 0.02) -> None:
    """Draw every convolution's and linear layer's weight anew, with zero biases, in place.

    `normal`: N(0, gain^2); `xavier`: Glorot normal scaled by gain; `kaiming`: He normal, fan in;
    `orthogonal` scaled by gain. Batch norms get N(1, gain^2) and zero.
    """
    draws: dict[str, Callable[[Tensor], object]] = {
        "normal": lambda w: nn.init.normal_(w, 0.0, gain),
        "xavier": lambda w: nn.init.xavier_normal_(w, gain=gain),
        "kaiming": lambda w: nn.init.kaiming_normal_(w, a=0, mode="fan_in"),
        "orthogonal": lambda w: nn.init.orthogonal_(w, gain=gain),
    }
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            draws[name](layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, gain)
            nn.init.zeros_(layer.bias)
