"""Pictures larger than memory through a translator, window by window, as if they went whole.

Instance norms go by the mean and variance of the whole picture, so nothing shows where windows met:
the answer is that of the network on the whole picture, to rounding.
"""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from ganvas.data.parts import free_memory
from ganvas.errors import InputError
from ganvas.inference.tiles.fields import PaddedPicture, Reader, Span, Window
from ganvas.inference.tiles.held import InMemory, Keep, OnDisk
from ganvas.inference.tiles.plan import Pass, most_on_disk, passes_to, windows_of
from ganvas.inference.tiles.walk import channels_in, field_of
from ganvas.networks.untrained import kept_kernels

Writer = Callable[[int, int, Tensor], None]
"""(top, left, float32 (C, h, w) in [-1, 1])"""
OF_FREE_MEMORY = 16
"""One part in so many of the memory that is free may hold fields."""


@torch.no_grad()
def translate_tiled(
    network: nn.Module,
    read: Reader,
    write: Writer,
    size: tuple[int, int],
    *,
    tile: int,
    stride: int,
    smallest: int,
    scratch: Path | None = None,
    progress: Callable[[float], object] | None = None,
    memory: float | None = None,
) -> None:
    """What `Translator.translate_tensor` gives for a picture, with the memory of a tile.

    Whole fields between the layers lie in files without a name: at most 192 bytes for each pixel of
    the picture with the published resnet, 128 with the unet. Small ones lie in memory. The picture
    is read once to three times.

    Args:
        network: in evaluation mode, on any device; its windows are computed there.
        read: `read(top, left, height, width)` gives that part of the picture, on any device,
            float32 (C, height, width) in [-1, 1]; parts are asked for again, and overlap.
        write: `write(top, left, y)` takes the answer, float32 (C', h, w) in [-1, 1] on the CPU, in
            parts that do not overlap, row by row of windows.
        size: height and width of the picture.
        tile: the side of windows, in pixels of the picture.
        stride: what the network wants height and width to be multiples of.
        smallest: the least height and width that it takes.
        scratch: the folder for files; the system's own if left out, which TMPDIR names.
        progress: told, window by window, which part of the arithmetic is done: 1 at last.
        memory: bytes of fields that may lie in memory; a sixteenth of what is free if left out.

    Raises:
        InputError: the network has layers that are not known here, the disk has no room for the
            fields, or the answer is not finite.
    """
    if tile < 1 or min(size) < 1:
        raise InputError(f"--tile {tile}, picture {size[1]}x{size[0]}: must be at least 1 pixel")
    if any(m.training for m in network.modules() if isinstance(m, nn.Dropout | nn.BatchNorm2d)):
        raise InputError("the network is in training mode; call its .eval() to use it")
    device = next(network.parameters()).device
    picture = PaddedPicture(read, channels_in(network), size, stride, smallest, device)
    output = field_of(network, picture)
    if memory is None:
        memory = free_memory() / OF_FREE_MEMORY
    passes = passes_to(output, tile, memory)
    folder = Path(tempfile.gettempdir()) if scratch is None else scratch
    check_room(folder, most_on_disk(passes), size)

    total = sum(walk.cost for walk in passes)
    done = 0.0
    with ExitStack() as open_ones:
        open_ones.enter_context(kept_kernels(network))
        for walk in passes:
            field, keep, statistics = walk.field, keeper(walk, device, folder), Statistics()
            takers: list[Callable[[Window, Tensor], None]] = []
            if keep:
                open_ones.callback(keep.close)
                takers.append(keep.write)
            if walk.norms:
                takers.append(statistics.add)
            if field is output:
                takers.append(partial(give, write))
            # What the picture was padded with is computed no more at last.
            area = Window(Span(0, size[0]), Span(0, size[1])) if field is output else field.whole
            for window in windows_of(area, walk.side):
                hand_out(window, field.compute(window), takers)
                done += walk.cost * window.area / area.area
                if progress:
                    progress(min(done / total, 1.0))
            for norm in walk.norms:
                norm.mean, norm.variance = (s.to(device) for s in statistics.of_all())
            field.held = keep
            for old in walk.done_with:
                if old.held:
                    old.held.close()


def check_room(folder: Path, wanted: int, size: tuple[int, int]) -> None:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise InputError(f"{folder}: is no folder for scratch files ({error.strerror})") from None
    if wanted > free:
        raise InputError(
            f"{folder}: has {free / 2**30:.1f} GiB left, and the tiles of a picture of "
            f"{size[1]}x{size[0]} need {wanted / 2**30:.1f} GiB there for the time; make room, or "
            "let TMPDIR name a folder on a larger disk"
        )


def keeper(walk: Pass, device: torch.device, folder: Path) -> Keep | None:
    if walk.keep == "disk":
        return OnDisk(walk.field, device, folder)
    return InMemory(walk.field, device) if walk.keep else None


def hand_out(
    window: Window, values: Tensor, takers: list[Callable[[Window, Tensor], None]]
) -> None:
    """In a function of its own, so that a window is forgotten before the next one is computed."""
    for take in takers:
        take(window, values)


def give(write: Writer, window: Window, values: Tensor) -> None:
    if not values.isfinite().all():
        raise InputError(
            "the network's answer is not finite: its training has diverged; take an earlier "
            "snapshot"
        )
    write(window.rows.start, window.columns.start, values[0].contiguous().cpu())


class Statistics:
    """Mean and variance of each channel, of windows as they come.

    Chan, Golub and LeVeque 1983, "Algorithms for Computing the Sample Variance": exact however the
    field is cut. Each window about its own mean, the merging in float64.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.squares = torch.zeros((), dtype=torch.float64)

    def add(self, window: Window, x: Tensor) -> None:
        """Take in (1, C, h, w), wherever it lies."""
        count = window.area
        about = x.mean((0, 2, 3))
        apart = x - about[:, None, None]
        # The mean in float32 is a little off, by this.
        off = apart.mean((0, 2, 3)).cpu().double()
        squares = (apart.square_().mean((0, 2, 3)).cpu().double() - off**2) * count
        difference = about.cpu().double() + off - self.mean
        both = self.count + count
        self.mean = self.mean + difference * (count / both)
        self.squares = self.squares + squares + difference**2 * (self.count * count / both)
        self.count = both

    def of_all(self) -> tuple[Tensor, Tensor]:
        """Mean and variance (C,), float32."""
        return self.mean.float(), (self.squares / self.count).clamp(min=0).float()
