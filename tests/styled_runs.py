"""Small StyleGAN runs for tests of their use."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

import ganvas

TINY: dict[str, Any] = {
    "size": 16,
    "structure": "fixed",
    "fmap_max": 8,
    "nz": 8,
    "nw": 8,
    "mapping_layers": 2,
    "mapping_fmaps": 8,
    "minibatch_dict": "none",
    "lr_dict": "none",
    "lr_dict_D": "none",
    "batch_size": 4,
    "duration": "6it",
    # At the usual rate so few steps leave all pictures the same.
    "lr": 0.1,
    "ema": "0.001kimg",
    "previews": 4,
    "tensorboard": False,
    "device": "cpu",
    "threads": 1,
    "quiet": True,
}


def styled_run(
    folder: Path, dtype: str = "uint8", channels: int = 3, classes: tuple[str, ...] = ()
) -> Path:
    """A run of 16x16 pictures of that type."""
    chance = np.random.default_rng(0)
    top = np.iinfo(dtype).max
    for n in range(8):
        place = folder / "data" / (classes[n % len(classes)] if classes else "")
        place.mkdir(parents=True, exist_ok=True)
        ramp = np.linspace(0, top, 16)[:, None, None] * chance.random(channels)
        tifffile.imwrite(
            place / f"{n}.tif",
            np.broadcast_to(ramp, (16, 16, channels)).astype(dtype),
            photometric="rgb" if channels == 3 else "minisblack",
            planarconfig="contig" if channels > 1 else None,
        )
    wanted = TINY | {"conditional": bool(classes)}
    return ganvas.train("stylegan", data=folder / "data", out=folder / "run", **wanted).path
