"""Pictures of one domain: whatever folders they lie in, with labels where folders name classes."""

from collections import Counter
from pathlib import Path

import pytest
from making import noise, write_unpaired

from ganvas.config import Settings
from ganvas.data.layouts import recognise
from ganvas.data.one_domain import OneDomain
from ganvas.data.opening import open_training_set
from ganvas.data.sources import open_source
from ganvas.errors import InputError


def fill(folder: Path, *counts: tuple[str, int]) -> Path:
    """So many pictures in each of these folders."""
    for seed, (name, count) in enumerate(counts):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            noise(100 * seed + i, 12, 12, 3).save(folder / name / f"{i:02}.png")
    return folder


def opened(folder: Path, **settings) -> OneDomain:
    config = Settings.from_mapping({"size": 8, "data": folder, "load_size": 8} | settings)
    found = open_training_set("pictures", config)
    assert isinstance(found, OneDomain)
    return found


def test_loose_pictures_have_no_classes(tmp_path):
    data = opened(fill(tmp_path, (".", 3)))
    assert data.classes == ()
    assert data.epoch_size == 3
    assert data[0].keys() == {"pictures"}


def test_a_single_folder_is_no_class(tmp_path):
    assert opened(fill(tmp_path, ("img_align_celeba", 3))).classes == ()


def test_class_folders_give_labels(tmp_path):
    data = opened(fill(tmp_path, ("cat", 2), ("dog", 3)))
    assert data.classes == ("cat", "dog")
    labels = Counter(int(data[k]["labels"]) for k in range(5))
    assert labels == {0: 2, 1: 3}


def test_a_picture_bears_the_label_of_its_own_folder(tmp_path):
    data = opened(
        fill(tmp_path, ("cat", 4), ("dog", 4)), flip=False, preprocess="none", batch_size=1
    )
    seen = data.parts["pictures"].seen
    for k in range(8):
        sample = data[k]
        (index,) = [
            i
            for i, s in enumerate(seen)
            if s.pixels is not None and s.pixels.equal(sample["pictures"])
        ]
        assert seen[index].entry.name.startswith(data.classes[int(sample["labels"])])


def test_of_train_val_and_test_only_train_is_taken(tmp_path):
    folder = fill(tmp_path, ("train/cat", 2), ("train/dog", 2), ("test/cat", 5))
    data = opened(folder)
    assert data.classes == ("cat", "dog")
    assert data.epoch_size == 4


def test_loose_pictures_in_train_have_no_classes(tmp_path):
    assert opened(fill(tmp_path, ("train", 2), ("val", 2))).classes == ()


def test_folders_above_the_classes_do_not_matter(tmp_path):
    folder = fill(tmp_path, ("set/inner/cat", 2), ("set/inner/dog", 2))
    assert opened(folder).classes == ("cat", "dog")


def test_an_epoch_shows_every_picture_once(tmp_path):
    data = opened(fill(tmp_path, ("cat", 3), ("dog", 4)))
    for epoch in range(2):
        shown = [data[7 * epoch + i]["pictures"].sum().item() for i in range(7)]
        assert len(set(shown)) > 5
    labels = [int(data[k]["labels"]) for k in range(7)]
    assert sorted(labels) == [0] * 3 + [1] * 4


def test_a_limit_takes_as_many_of_each_class(tmp_path):
    data = opened(fill(tmp_path, ("ant", 1), ("cat", 9), ("dog", 9)), max_pictures=7)
    assert Counter(data.labels) == {0: 1, 1: 3, 2: 3}


def test_a_zip_trains_like_its_folder(tmp_path):
    import shutil

    folder = fill(tmp_path / "set", ("cat", 2), ("dog", 2))
    archive = Path(shutil.make_archive(str(tmp_path / "zipped"), "zip", folder))
    one, other = opened(folder), opened(archive)
    assert one.fingerprints == other.fingerprints
    assert one.classes == other.classes
    assert all(one[3][key].equal(other[3][key]) for key in ("pictures", "labels"))


def test_two_domains_are_refused_with_the_way_out(tmp_path):
    write_unpaired(tmp_path / "set")
    with pytest.raises(InputError, match=r"holds two domains .* --data .*set/trainA$"):
        opened(tmp_path / "set")


def test_the_sample_of_shapes_is_labelled():
    layout = recognise(open_source("sample:shapes", (16, 16)))
    assert layout.kind == "labelled"
    assert set(layout.parts) == {"circle", "square", "triangle", "star", "ring"}


def test_a_class_without_a_picture_to_train_on_is_left_out_and_named(tmp_path):
    folder = fill(tmp_path, ("ant", 2), ("bee", 2), ("cat", 2))
    for path in (folder / "bee").iterdir():
        path.write_bytes(b"torn")
    data = opened(folder, max_bad=2)
    assert data.classes == ("ant", "cat")
    assert Counter(data.labels) == {0: 2, 1: 2}
    assert "left out: bee" in data.notes[0]


def test_a_picture_beside_class_folders_is_named(tmp_path):
    data = opened(fill(tmp_path, ("cat", 2), ("dog", 2), (".", 1)))
    assert data.classes == ()
    assert data.notes[0].startswith("00.png lies beside folders")
    assert not opened(fill(tmp_path / "one", ("cat", 2), (".", 1))).notes


def test_pairs_side_by_side_are_said(tmp_path):
    (tmp_path / "train").mkdir()
    noise(0, 10, 20, 3).save(tmp_path / "train" / "1.png")
    assert any("as pairs side by side are" in note for note in opened(tmp_path).notes)
