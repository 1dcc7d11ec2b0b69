"""Small trainings of every method, to be stopped, killed and resumed."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from PIL import Image

import ganvas
from ganvas import loop
from ganvas.cli import main
from ganvas.errors import INTERRUPTED
from ganvas.methods import method_class

SHARED: dict[str, Any] = {
    "batch_size": 2,
    "duration": "9ep",
    "ema": "0.02kimg",
    "log_every": "3it",
    "preview_every": "7it",
    "previews": 2,
    "snapshot_every": "5it",
    "keep": 2,
    "tensorboard": False,
    "device": "cpu",
    "threads": 1,
}
OWN: dict[str, dict[str, Any]] = {
    "bigan": {
        "size": 32,
        "load_size": 36,
        "ngf": 4,
        "ndf": 4,
        "n_blocks": 1,
        "n_layers": 2,
        "pool_size": 3,
        "d_steps": "3/2",
    },
    "cogan": {
        "size": 16,
        "ngf": 4,
        "ndf": 4,
        "nz": 4,
        "own_G": 2,
        "d_steps": "2/3",
        "search_steps": 2,
        "search_starts": 2,
    },
    "cut": {
        "size": 32,
        "load_size": 36,
        "ngf": 4,
        "ndf": 4,
        "n_blocks": 1,
        "n_layers": 2,
        "netF_nc": 8,
        "num_patches": 20,
        "d_steps": "3/2",
    },
    "cyclegan": {
        "size": 32,
        "load_size": 36,
        "ngf": 4,
        "ndf": 4,
        "n_blocks": 1,
        "n_layers": 2,
        "pool_size": 3,
    },
    "dcgan": {
        "size": 16,
        "ngf": 4,
        "ndf": 4,
        "nz": 4,
        "flip": True,
        "conditional": True,
        "r1_gamma": 1,
        "penalty_every": 2,
        "d_steps": "3/2",
        "eval_every": "4it",
        "eval_metrics": "swd",
        "eval_count": 4,
        "keep_best": 2,
    },
    "discogan": {
        "size": 32,
        "load_size": 36,
        "ngf": 4,
        "ndf": 4,
        "gan_curriculum": 8,
    },
    "dualgan": {
        "size": 64,
        "load_size": 68,
        "ngf": 4,
        "ndf": 4,
        "n_downs": 6,
        "n_layers": 2,
        "d_steps": "3/2",
    },
    "fastcut": {
        "size": 32,
        "load_size": 36,
        "ngf": 4,
        "ndf": 4,
        "n_blocks": 1,
        "n_layers": 2,
        "netF_nc": 8,
        "direction": "BtoA",
        "gp": 1,
    },
    "featgan": {
        "size": 32,
        "load_size": 36,
        "ngf": 4,
        "ndf": 4,
        "n_blocks": 1,
        "n_layers": 2,
        "pool_size": 3,
        "d_steps": "1/2",
    },
    "pix2pix": {
        "size": 64,
        "load_size": 68,
        "ngf": 4,
        "ndf": 4,
        "n_downs": 6,
        "n_layers": 2,
        "direction": "BtoA",
        "d_steps": "2/3",
        "gp": 1,
    },
    "r3gan": {
        "size": 16,
        "widths": "4,4",
        "n_blocks": 1,
        "cardinality": 2,
        "nz": 4,
        "conditional": True,
        "anneal": "0.031kimg",
        "penalty_every": 2,
        "d_steps": "3/2",
    },
    "simgan": {
        "size": 32,
        "load_size": 36,
        "ngf": 4,
        "ndf": 4,
        "n_blocks": 1,
        "n_layers": 2,
        "pool_size": 3,
        "direction": "BtoA",
    },
    "stargan": {
        "size": 16,
        "ngf": 4,
        "ndf": 4,
        "n_blocks": 1,
        "n_layers": 2,
        "flip": True,
        "d_steps": "3/2",
        "penalty_every": 2,
        "eval_every": "4it",
        "eval_metrics": "swd",
        "eval_count": 4,
    },
    "stylegan": {
        "size": 16,
        "lod_initial_resolution": 4,
        "lod_training_kimg": 0.009,
        "lod_transition_kimg": 0.011,
        "minibatch_dict": "4:3,8:2,16:1",
        "lr_dict": "16:0.002",
        "tick_kimg_dict": "4:0.005,8:0.004",
        "tick_kimg": 0.003,
        "preview_every": "2tick",
        "fmap_max": 4,
        "nz": 4,
        "nw": 4,
        "mapping_layers": 2,
        "mapping_fmaps": 4,
        "conditional": True,
        "r1_gamma": 1,
        "penalty_every": 2,
    },
}
"""Five pictures in batches of two: epochs end in mid-batch, the pool is full after two steps; the
turns of players and of penalties do not fall together with log lines and snapshots. StyleGAN grows
twice in these steps, and is stopped in the midst of fading too: batch and rate change at size 8 and
16, and optimizers begin anew where fading begins and ends. R3GAN's schedule ends in mid-training.
DCGAN is judged while it trains."""
FEW = ("cyclegan", "dcgan", "dualgan", "stylegan")
"""Whose state is of different kinds: histories of pictures and four networks; evaluations and the
best networks; RMSProp; growing, optimizers that begin anew, buffers of the method's own."""
FOLDERS = {"unpaired": "", "paired": "pairs", "pictures": "classes", "domains": "classes"}


def write_pictures(folder: Path) -> Path:
    """Of every kind of training set, in the folders of FOLDERS."""
    chance = np.random.default_rng(0)
    for part, count in (("trainA", 5), ("trainB", 4), ("testA", 2), ("testB", 2)):
        (folder / part).mkdir()
        for i in range(count):
            pixels = chance.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / part / f"{i}.png")
    classes = folder / "classes"
    for name, part in (("cat", "trainA"), ("dog", "testA")):
        (classes / name).mkdir(parents=True)
        for i, path in enumerate(sorted((folder / part).glob("*.png"))[:3]):
            (classes / name / f"{i}.png").write_bytes(path.read_bytes())
    (folder / "pairs" / "train").mkdir(parents=True)
    for i in range(5):
        pixels = chance.integers(0, 256, (40, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "pairs" / "train" / f"{i}.png")
    return folder


def options_of(method: str, data: Path, out: Path, **changes: Any) -> dict[str, Any]:
    data = data / FOLDERS[method_class(method).data]
    return SHARED | OWN[method] | {"data": str(data), "out": out} | changes


def train(method: str, data: Path, out: Path, **changes: Any) -> int:
    """In a small part of the time of the command line, which reads its options each time anew."""
    try:
        ganvas.train(method, quiet=True, **options_of(method, data, out, **changes))
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def command(method: str, data: Path, out: Path) -> int:
    argv = ["train", method]
    for name, value in options_of(method, data, out).items():
        option = name.replace("_", "-")
        switch = {True: [f"--{option}"], False: [f"--no-{option}"]}
        argv += switch[value] if isinstance(value, bool) else [f"--{option}", str(value)]
    return main(argv)


def resume(run: Path) -> int:
    try:
        ganvas.resume(run, quiet=True)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def resume_by_command(run: Path) -> int:
    return main(["resume", str(run)])


def at_step(step: int, number: int, work: Callable[..., int], *arguments: Any) -> int:
    """Do `work`, and send this process the signal when so many steps are done."""
    seed = loop.seed_step

    def seed_or_signal(run_seed: int, done: int) -> None:
        if done == step:
            signal.raise_signal(number)
        seed(run_seed, done)

    with patch("ganvas.loop.seed_step", seed_or_signal):
        return work(*arguments)
