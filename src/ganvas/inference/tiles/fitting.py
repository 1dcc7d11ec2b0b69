"""Whether a picture fits into memory whole, and into tiles of which size to cut it if not."""

import torch
from torch import Tensor, nn

from ganvas.errors import InputError
from ganvas.inference.tiles.fields import Convolved, Field, PaddedPicture, Pointwise, Upconvolved
from ganvas.inference.tiles.held import FLOAT
from ganvas.inference.tiles.plan import in_order
from ganvas.inference.tiles.walk import channels_in, field_of
from ganvas.networks.convolution import Conv2d

SLACK = 1.35
"""What allocators leave lying, as measured: `python benchmarks/tiles.py --estimates`."""
FIRST_TILE, LAST_TILE = 512, 128


def untiled_bytes(
    network: nn.Module, size: tuple[int, int], *, stride: int, smallest: int
) -> float:
    """An estimate of the most memory that translating a picture of this size whole takes at a
    time, beyond the network itself. Within a factor of 1.5 on the CPU from 512x512 on.

    Args:
        size: height and width of the picture.
        stride: what the network wants height and width to be multiples of.
        smallest: the least height and width that it takes.

    Raises:
        InputError: the network has layers that are not known here.
    """
    picture = PaddedPicture(no_picture, channels_in(network), size, stride, smallest)
    order = in_order(field_of(network, picture))
    places = {field: place for place, field in enumerate(order)}
    last_read: dict[Field, int] = {}
    for field in order:
        for parent in field.parents:
            last_read[memory_of(parent)] = places[field]
    inside = any(isinstance(m, Conv2d) and is_here(m) for m in network.modules())
    most = 0
    for place, field in enumerate(order):
        alive = [f for f in order[: place + 1] if last_read.get(memory_of(f), place) >= place]
        values = sum(f.values for f in {memory_of(f) for f in alive})
        if isinstance(field, Convolved | Upconvolved):
            values += copied(field, inside)
        most = max(most, values)
    # The caller's picture, before it is padded.
    return (SLACK * most + picture.values) * FLOAT + largest_weight(network)


def choose_tile(
    network: nn.Module, size: tuple[int, int], free: float, *, stride: int, smallest: int
) -> int | None:
    """The `tile` for `translate_tiled`; none where the picture goes whole into half of the
    `free` bytes, or the network cannot be computed in tiles."""
    try:
        if untiled_bytes(network, size, stride=stride, smallest=smallest) <= free / 2:
            return None
    except InputError:
        return None
    tile = FIRST_TILE
    while tile > LAST_TILE:
        # A tile takes more than a picture of its size: halos, and windows of several layers.
        taken = 2 * untiled_bytes(network, (tile, tile), stride=stride, smallest=smallest)
        if taken <= free / 4:
            break
        tile //= 2
    return tile


def copied(field: Convolved | Upconvolved, inside: bool) -> int:
    """Values that are copied for a convolution; `inside`: where channels lie side by side."""
    # The library works on copies in an order of its own.
    return 0 if inside else field.values + sum(parent.values for parent in field.parents)


def is_here(conv: Conv2d) -> bool:
    return conv.weight.device.type == "cpu"


def memory_of(field: Field) -> Field:
    """The field whose memory this one's values lie in: its parent's where a layer works in
    place."""
    while isinstance(field, Pointwise) and getattr(field.layer, "inplace", False):
        field = field.parents[0]
    return field


def largest_weight(network: nn.Module) -> int:
    return max(p.numel() * p.element_size() for p in network.parameters())


def no_picture(*window: int) -> Tensor:
    return torch.empty(0)
