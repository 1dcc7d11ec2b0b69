"""Both ways to translate a folder give the same pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from benchmarks import translation
from benchmarks.training import made, weights_of
from benchmarks.translation import Folder, ours, row, theirs, write_pictures
from benchmarks.turns import Measured

TINY = {"size": 32, "ngf": 4, "n_blocks": 1}


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    Image.linear_gradient("L").resize((50, 40)).save(folder / "a.png")
    Image.effect_noise((40, 50), 60).convert("RGB").save(folder / "b.png")
    monkeypatch.setenv(translation.PICTURES, str(folder))
    return folder


def test_both_sides_make_the_same_pictures(source, tmp_path, monkeypatch):
    write_pictures(tmp_path / "inputs", 32, 3)
    weights = tmp_path / "weights.safetensors"
    save_file(weights_of(made("cyclegan", TINY)), weights)
    found = []
    for side in (ours, theirs):
        # Folders that are there to be looked at afterwards.
        monkeypatch.setattr(translation, "into_new_folders", lambda translate: translate)
        out = tmp_path / side.__name__
        out.mkdir()
        side(TINY, weights, tmp_path / "inputs", "cpu")(out)  # pyright: ignore[reportCallIssue]
        found.append({p.name: pixels(p) for p in out.iterdir()})
    a, b = found
    assert sorted(a) == sorted(b) == ["0000.png", "0001.png", "0002.png"]
    for name in a:
        # The yardstick truncates, as the published code does.
        assert a[name].shape == (32, 32, 3)
        assert 0 <= (a[name] - b[name]).min() <= (a[name] - b[name]).max() <= 1


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def test_rates_are_of_pictures(source):
    folder = Folder(8, 6, {}, "a few")
    found = {"ganvas": Measured((2.0,), 2**30), "yardstick": Measured((3.0,), 2**29)}
    table = row(folder, found)
    assert list(table.rows[0]) == [
        *("a few", "3 (3 to 3)", "2 (2 to 2)", "1.50 (1.50 to 1.50)", "1.00", "0.50")
    ]
