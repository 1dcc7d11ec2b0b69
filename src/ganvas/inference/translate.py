"""A picture through a trained translator, whole or in tiles, and into a file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganvas.data.encode import encode
from ganvas.data.parts import free_memory
from ganvas.errors import InputError
from ganvas.inference.tiles.fitting import choose_tile
from ganvas.inference.tiles.tiled import translate_tiled
from ganvas.methods.base import Direction, Method
from ganvas.methods.translator import Translator
from ganvas.networks.untrained import kept_bytes
from ganvas.pictures import Picture
from ganvas.runs.files import write_whole


def tile_for(
    method: Translator, size: tuple[int, int], direction: Direction, at_once: int = 1
) -> int | None:
    """The tile for a picture of that width and height that does not fit into memory whole, with so
    many of them `at_once`; None where it does. Kernels that are kept for all of them count too."""
    if method.by_search:
        return None  # It is brought to the size of the training anyway.
    network = method.translator(direction)
    device, (width, height) = next(network.parameters()).device, size
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory()
    free -= 2 * kept_bytes(network)
    limits = {"stride": method.config.stride, "smallest": method.smallest}
    return choose_tile(network, (height, width), free / at_once, **limits)


def translate_picture(
    method: Translator,
    picture: Picture,
    direction: Direction,
    tile: int | None = None,
    depth: np.dtype | None = None,
    on_tile: Callable[[float], object] | None = None,
) -> Picture:
    """Translate a picture, in tiles of that size where one is given: the answer is the same, to
    rounding, with the memory of a tile.

    Raises:
        InputError: its channels or values do not fit.
    """
    if tile is None:
        return method.translate_picture(picture, direction, depth)
    width, height = picture.size
    done: list[Picture] = []

    def part(top: int, left: int, h: int, w: int) -> Picture:
        return picture.cut(left, top, left + w, top + h)

    def write(top: int, left: int, y: Tensor) -> None:
        h, w = y.shape[1:]
        answer = method.answer(y, part(top, left, h, w), direction, depth)
        if not done:
            done.append(answer.stretched(width, height))
        done[0].put(top, left, answer)

    translate_tiled(
        method.translator(direction),
        lambda *window: method.given(part(*window), direction),
        write,
        (height, width),
        tile=tile,
        stride=method.config.stride,
        smallest=method.smallest,
        progress=on_tile,
    )
    return done[0]


def translator_of(method: Method) -> Translator:
    """The method, if it translates.

    Raises:
        InputError: it makes pictures from noise.
    """
    if not isinstance(method, Translator):
        raise InputError(
            f"{method.name} makes pictures from noise and does not translate; `ganvas generate` "
            "uses it"
        )
    return method


def save(picture: Picture, target: Path) -> None:
    """Write in the format that the name says, as well as that format can."""
    content = encode(picture, target.suffix)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, content)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror})") from None
