"""Pairs: both pictures of one thing, cut and flipped alike, or a sentence on what is none."""

import io
import shutil
from pathlib import Path

import pytest
import torch
from making import noise
from PIL import Image, ImageChops

from ganvas.config import Settings
from ganvas.data.held_out import open_splits
from ganvas.data.opening import open_training_set
from ganvas.data.paired import Paired
from ganvas.data.samples import sample_entries
from ganvas.errors import InputError


def opened(folder: Path, **settings) -> Paired:
    given = {"size": 8, "load_size": 8, "flip": False, "data": folder} | settings
    found = open_training_set("paired", Settings.from_mapping(given))
    assert isinstance(found, Paired)
    return found


def pair(seed: int, size: tuple[int, int] = (12, 12)) -> tuple[Image.Image, Image.Image]:
    """A picture and its negative, which resizing keeps: 255 together, wherever one looks."""
    a = noise(seed, *size[::-1], 3)
    return a, ImageChops.invert(a)


def beside(a: Image.Image, b: Image.Image) -> Image.Image:
    whole = Image.new(a.mode, (a.width + b.width, a.height))
    whole.paste(a, (0, 0))
    whole.paste(b, (a.width, 0))
    return whole


def sheets(folder: Path, **counts: int) -> Path:
    """So many pictures of A and B side by side in each part."""
    for number, (part, count) in enumerate(counts.items()):
        (folder / part).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            beside(*pair(100 * number + i)).save(folder / part / f"{i}.png")
    return folder


def folders(folder: Path, **counts: int) -> Path:
    """The same in two folders for each part."""
    for number, (part, count) in enumerate(counts.items()):
        for domain in "AB":
            (folder / f"{part}{domain}").mkdir(parents=True, exist_ok=True)
        for i in range(count):
            for domain, picture in zip("AB", pair(100 * number + i), strict=True):
                picture.save(folder / f"{part}{domain}" / f"{i}.png")
    return folder


def are_pairs(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether these are a picture and its negative, but for what resizing rounds."""
    return bool(((a.int() + b.int() - 255).abs() <= 1).all())


@pytest.fixture(params=[sheets, folders], ids=["side by side", "two folders"])
def write(request: pytest.FixtureRequest):
    return request.param


def test_a_is_the_left_half(tmp_path):
    data = opened(sheets(tmp_path, train=1), preprocess="none")
    a, b = pair(0)
    for domain, picture in (("A", a), ("B", b)):
        pixels = data[0][domain].permute(1, 2, 0).numpy()
        assert Image.fromarray(pixels).tobytes() == picture.tobytes()


@pytest.mark.parametrize("preprocess", ["resize_and_crop", "crop", "scale_width_and_crop"])
def test_both_of_a_pair_get_the_same_crop_and_flip(write, tmp_path, preprocess):
    settings = {"preprocess": preprocess, "load_size": 20, "flip": True}
    data = opened(write(tmp_path, train=4), **settings)
    samples = [data[k] for k in range(40)]
    assert all(are_pairs(sample["A"], sample["B"]) for sample in samples)
    assert len({sample["A"].numpy().tobytes() for sample in samples}) > 20


def test_a_sample_is_a_function_of_seed_and_number(write, tmp_path):
    folder = write(tmp_path, train=5)
    one, other, third = (opened(folder, load_size=20, seed=seed) for seed in (1, 1, 2))
    assert all(one[k][d].equal(other[k][d]) for k in range(12) for d in "AB")
    assert not all(one[k]["A"].equal(third[k]["A"]) for k in range(12))


def test_an_epoch_shows_every_pair_once(write, tmp_path):
    data = opened(write(tmp_path, train=5))
    assert data.epoch_size == 5
    for epoch in range(2):
        assert len({data[5 * epoch + i]["A"].numpy().tobytes() for i in range(5)}) == 5


def test_both_layouts_hold_the_same_pairs(tmp_path):
    one = opened(sheets(tmp_path / "one", train=3, test=2), load_size=20)
    other = opened(folders(tmp_path / "other", train=3, test=2), load_size=20)
    assert all(one[k][d].equal(other[k][d]) for k in range(9) for d in "AB")
    assert all(one.fixed[d].equal(other.fixed[d]) for d in "AB")


def test_memory_and_files_give_the_same_samples(write, tmp_path):
    folder = write(tmp_path, train=3)
    kept, read = (opened(folder, load_size=20, cache=cache) for cache in ("memory", "none"))
    assert kept.in_memory
    assert not read.in_memory
    assert all(kept[k][d].equal(read[k][d]) for k in range(9) for d in "AB")


def test_a_zip_trains_like_its_folder(write, tmp_path):
    folder = write(tmp_path / "set", train=3, test=1)
    archive = Path(shutil.make_archive(str(tmp_path / "zipped"), "zip", folder))
    one, other = opened(folder), opened(archive)
    assert one.fingerprints == other.fingerprints
    assert all(one[2][d].equal(other[2][d]) for d in "AB")


def test_previews_show_pairs_of_test_else_of_val_else_of_train(write, tmp_path):
    for name, counts in {
        "all": {"train": 3, "val": 2, "test": 1},
        "val": {"train": 3, "val": 2},
        "train": {"train": 3},
    }.items():
        data = opened(write(tmp_path / name, **counts))
        a, b = data.fixed["A"], data.fixed["B"]
        assert len(a) == len(b) == list(counts.values())[-1]
        assert all(map(are_pairs, a, b))


def test_loose_pictures_twice_as_wide_as_high_are_pairs(tmp_path):
    data = opened(sheets(tmp_path, **{".": 3}))
    assert data.epoch_size == 3
    assert are_pairs(data[0]["A"], data[0]["B"])
    noise(1, 12, 30, 3).save(tmp_path / "wide.png")
    with pytest.raises(InputError, match=r"1 of 4 pictures are not twice as wide .*\(wide.png\)"):
        opened(tmp_path)


def test_pairs_are_matched_by_name_whatever_the_ending_and_the_folders_below(tmp_path):
    for name in ("trainA/deep/1.png", "trainB/deep/1.jpg", "trainA/2.png", "trainB/2.PNG"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        noise(0, 12, 12, 3).save(tmp_path / name)
    data = opened(tmp_path)
    names = [[s.entry.name for s in data.parts[d].seen] for d in "AB"]
    assert names == [["trainA/2.png", "trainA/deep/1.png"], ["trainB/2.PNG", "trainB/deep/1.jpg"]]


def test_channels_are_each_domains_own(write, tmp_path):
    folder = write(tmp_path, train=2)
    data = opened(folder)
    assert data.channels == {"A": 3, "B": 3}
    for path in folder.rglob("*.png"):
        grey = Image.open(path).convert("L").convert("RGB")
        grey.save(path)
    assert opened(folder).channels == {"A": 3, "B": 3}
    if (folder / "trainA").exists():
        for path in (folder / "trainA").iterdir():
            Image.open(path).convert("L").save(path)
        data = opened(folder)
        assert data.channels == {"A": 1, "B": 3}
        assert data[0]["A"].shape == (1, 8, 8)


def test_the_fingerprint_is_that_of_both_pictures(write, tmp_path):
    folder = write(tmp_path, train=2)
    before = opened(folder).fingerprints
    assert len(before) == 2
    changed = sorted(folder.rglob("*.png"))[-1]
    ImageChops.invert(Image.open(changed)).save(changed)
    assert opened(folder).fingerprints != before


def test_a_limit_takes_the_first_pairs(write, tmp_path):
    data = opened(write(tmp_path, train=4), max_pictures=2)
    names = [Path(seen.entry.name).stem for d in "AB" for seen in data.parts[d].seen]
    assert names == ["0", "1", "0", "1"]


# What is no pair


def test_pictures_without_a_partner_are_refused_by_name(tmp_path):
    folder = folders(tmp_path, train=3)
    (folder / "trainB" / "1.png").unlink()
    noise(1, 12, 12, 3).save(folder / "trainB" / "x.png")
    with pytest.raises(InputError) as refused:
        opened(folder)
    assert "2 pictures belong to no pair (trainA/1.png: no picture in trainB has that name; " in (
        text := str(refused.value)
    )
    assert "trainB/x.png: no picture in trainA has that name); pairs are pictures of one" in text
    assert text.endswith("leave it out with --max-bad 2")
    data = opened(folder, max_bad=2)
    assert data.epoch_size == 2
    assert data.notes[0] == "left out trainA/1.png: no picture in trainB has that name"


def test_of_many_without_a_partner_the_first_few_are_named(tmp_path):
    folder = folders(tmp_path, train=20)
    for path in sorted((folder / "trainB").iterdir())[:9]:
        path.unlink()
    with pytest.raises(InputError, match=r"^--data \S+: 9 pictures belong .*; and 4 more\)"):
        opened(folder)


def test_two_pictures_of_one_name_leave_no_doubt(tmp_path):
    folder = folders(tmp_path, train=2)
    noise(1, 12, 12, 3).save(folder / "trainA" / "1.bmp")
    with pytest.raises(InputError, match=r"trainA/1.png: has the name of trainA/1.bmp"):
        opened(folder)


def test_folders_without_a_common_name_are_no_pairs(tmp_path):
    folder = folders(tmp_path, train=2)
    for path in (folder / "trainB").iterdir():
        path.rename(path.with_stem(f"b{path.stem}"))
    with pytest.raises(
        InputError, match=r"there are no pairs \(trainA/0.png: no picture in trainB"
    ):
        opened(folder, max_bad=9)


def test_test_pictures_without_a_partner_are_said_and_not_shown(tmp_path):
    folder = folders(tmp_path, train=2, test=3)
    (folder / "testA" / "0.png").unlink()
    data = opened(folder)
    assert len(data.fixed["A"]) == 2
    assert data.notes == [
        "not shown in previews: testB/0.png: no picture in testA has that name",
    ]


def test_the_two_of_a_pair_want_one_size(tmp_path):
    folder = folders(tmp_path, train=3)
    noise(0, 10, 12, 3).save(folder / "trainB" / "1.png")
    with pytest.raises(InputError, match=r"trainA/1.png is 12x12, trainB/1.png is 12x10: the pic"):
        opened(folder)
    data = opened(folder, max_bad=1)
    assert all(are_pairs(data[k]["A"], data[k]["B"]) for k in range(4))


@pytest.mark.parametrize(
    ("size", "why"),
    [
        ((23, 12), "is 23 pixels wide, which gives no two halves of one width"),
        ((12, 12), "is 12x12 and no wider than high, so not A and B side by side"),
    ],
)
def test_a_picture_without_two_equal_halves_is_named(tmp_path, size, why):
    folder = sheets(tmp_path, train=3)
    noise(0, *size[::-1], 3).save(folder / "train" / "bad.png")
    with pytest.raises(InputError) as refused:
        opened(folder)
    text = str(refused.value)
    assert text.startswith("1 of 4 pairs in train (A) and train (B) cannot be used: train/bad.png")
    assert why in text
    assert text.endswith("skip them with --max-bad 1")
    data = opened(folder, max_bad=1)
    assert data.epoch_size == 3
    assert data.notes == [f"skipped train/bad.png: {why}"]


def test_halves_that_are_no_squares_are_cut_all_the_same_and_said(tmp_path):
    folder = sheets(tmp_path, train=2)
    beside(*pair(7, (16, 12))).save(folder / "train" / "long.png")
    data = opened(folder)
    assert all(are_pairs(data[k]["A"], data[k]["B"]) for k in range(3))
    assert data.notes == [
        "train: 1 of 3 pictures is not twice as wide as high, and cut in the middle all the same "
        "(train/long.png)"
    ]


def test_an_unreadable_picture_takes_its_partner_along(write, tmp_path):
    folder = write(tmp_path, train=4, test=3)
    for part in ("train", "test"):
        bad = next(p for p in sorted(folder.rglob("*.png")) if p.parent.name.startswith(part))
        bad.write_bytes(b"")
    with pytest.raises(InputError, match=r"1 of 4 pairs in .*: train\S*/0.png: is empty"):
        opened(folder)
    data = opened(folder, max_bad=1)
    assert data.epoch_size == 3
    assert all(are_pairs(data[k]["A"], data[k]["B"]) for k in range(6))
    assert len(data.fixed["A"]) == 2
    assert all(map(are_pairs, data.fixed["A"], data.fixed["B"]))
    assert len(data.notes) == 1


def test_what_holds_no_pairs_is_refused_with_what_is_wanted(tmp_path):
    for name in ("cat/0.png", "dog/0.png"):
        (tmp_path / name).parent.mkdir()
        noise(0, 12, 24, 3).save(tmp_path / name)
    with pytest.raises(InputError, match=r"looks labelled .* side by side in train/, or the fold"):
        opened(tmp_path)
    with pytest.raises(InputError, match=r"sample:streets: equal names .* are no pairs"):
        opened(Path("sample:streets"), size=32, load_size=32)


def test_a_method_for_unpaired_pictures_learns_from_the_halves_of_pairs(tmp_path: Path):
    """Drawn independently, so that nothing tells which belong together."""
    folder = sheets(tmp_path / "set", train=6, test=2)
    config = Settings.from_mapping({"size": 8, "load_size": 8, "flip": False, "data": folder})
    found = open_training_set("unpaired", config)
    assert (found.epoch_size, list(found.fingerprints)) == (6, ["trainA", "trainB"])
    assert any("drawn independently" in note for note in found.notes)
    samples = [found[k] for k in range(12)]
    together = [are_pairs(sample["A"], sample["B"]) for sample in samples]
    assert not all(together)
    halves = opened(folder)
    for domain in "AB":
        known = [halves[k][domain] for k in range(6)]
        assert all(any(torch.equal(s[domain], x) for x in known) for s in samples)
    assert are_pairs(found.fixed["A"], found.fixed["B"])


def test_halves_of_pairs_are_held_out_together_and_judged_as_pairs(tmp_path: Path):
    folder = sheets(tmp_path / "set", train=6)
    config = Settings.from_mapping(
        {"size": 8, "load_size": 8, "flip": False, "data": folder, "hold_out": 2}
    )
    trained = open_training_set("unpaired", config)
    held = open_splits(config, "unpaired").get()
    assert (held.name, held.paired) == ("held-out", True)
    names = [entry.name for entry in held.entries["A"]]
    assert names == [entry.name for entry in held.entries["B"]]
    seen = {s.entry.name for part in trained.parts.values() for s in part.seen}
    assert len(seen) == 4
    assert not seen & set(names)


def test_the_street_pairs_show_the_streets_of_the_unpaired_set():
    pairs, streets = (
        {entry.name: entry for entry in sample_entries(name, (32, 32))}
        for name in ("street-pairs", "streets")
    )
    for part, a, b in (("test", "testA", "testB"), ("train", None, "trainB")):
        whole = Image.open(io.BytesIO(pairs[f"{part}/0007.png"].read()))
        assert whole.size == (64, 32)
        for half, name in enumerate((a, b)):
            if name is not None:
                alone = Image.open(io.BytesIO(streets[f"{name}/0007.png"].read()))
                cut = whole.crop((32 * half, 0, 32 * half + 32, 32))
                assert cut.tobytes() == alone.tobytes()
