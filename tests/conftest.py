"""Fixtures that several tests share: small picture sets, and a tiny trained run."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ganvas

SHARED = Path(__file__).parents[2] / "shared"
COUNTS = {"trainA": 6, "trainB": 5, "testA": 2, "testB": 2}


def pixels(seed: int, *shape: int) -> np.ndarray:
    """Chance as uint8, such as (40, 40, 3); the same for the same seed."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write_unpaired(folder: Path) -> Path:
    for part, (name, count) in enumerate(COUNTS.items()):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(pixels(100 * part + i, 40, 40, 3)).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture
def unpaired_folder(tmp_path: Path) -> Path:
    """trainA, trainB, testA and testB with 6, 5, 2 and 2 coloured 40x40 PNG files."""
    return write_unpaired(tmp_path / "pictures")


@pytest.fixture(scope="session")
def tiny_settings() -> dict[str, Any]:
    """Settings, but for `data` and `out`, of a training that takes a fraction of a second."""
    return {
        "size": 32,
        "ngf": 4,
        "ndf": 4,
        "n_blocks": 1,
        "n_layers": 2,
        "duration": "2it",
        "previews": 2,
        "tensorboard": False,
        "device": "cpu",
        "threads": 1,
    }


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory, tiny_settings: dict[str, Any]) -> Path:
    """The directory of a finished run of two iterations, to read only: `tiny_run_copy` may be
    changed."""
    folder = tmp_path_factory.mktemp("tiny")
    data = write_unpaired(folder / "pictures")
    return ganvas.train("cyclegan", **tiny_settings, data=data, out=folder / "run").path


@pytest.fixture
def tiny_run_copy(tiny_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of files too large for the repository."""
    if not SHARED.is_dir():
        stop: Callable[[str], Any] = pytest.fail if os.environ.get("CI") else pytest.skip
        stop(f"{SHARED} is not here: this test needs files that are too large for the repository")
    return SHARED
