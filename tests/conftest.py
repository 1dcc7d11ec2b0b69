"""Fixtures that several tests share: small picture sets, and a tiny trained run."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from making import write_unpaired

import ganvas

# The machine is shared: how long one example takes says nothing.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session", autouse=True)
def own_caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test looks into the user's caches, nor leaves anything there."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("GANVAS_CACHE", "TORCH_HOME"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name)))
        yield


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
