"""The tiny set, and a cache of its own for each test."""

from pathlib import Path

import pytest
from farms import write_farms


@pytest.fixture(scope="session")
def farms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 training and 8 test pairs, to read only."""
    return write_farms(tmp_path_factory.mktemp("farms") / "set")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "segmentation"
