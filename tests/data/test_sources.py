"""Sources: folders, zips and samples; which files count as pictures, and which layout they have."""

import io
import pickle
import zipfile
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import write_unpaired
from PIL import Image

from ganvas.config import Settings
from ganvas.data.decode import decode
from ganvas.data.layouts import recognise, require_domains, taken_apart
from ganvas.data.samples import SAMPLES
from ganvas.data.sources import SUFFIXES, FileEntry, files_in, is_picture, open_source
from ganvas.data.survey import look
from ganvas.data.unpaired import Unpaired
from ganvas.errors import InputError


def png(colour: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "PNG")
    return file.getvalue()


def write(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png())
    return folder


def zipped(folder: Path, archive: Path) -> Path:
    with ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, path.relative_to(folder))
    return archive


def names(source: object) -> list[str]:
    return [entry.name for entry in open_source(str(source))]


def layout_of(*names: str):
    return recognise([FileEntry(Path(), name) for name in sorted(names)])


# What is found


def test_a_folder_holds_its_pictures_sorted_with_those_of_folders_in_it(tmp_path):
    write(tmp_path, "trainB/2.png", "trainA/10.png", "trainA/deep/er/1.png", "trainA/1.png")
    wanted = ["trainA/1.png", "trainA/10.png", "trainA/deep/er/1.png", "trainB/2.png"]
    assert names(tmp_path) == wanted


def test_a_zip_holds_the_same_pictures_as_the_folder(tmp_path):
    folder = write(tmp_path / "set", "trainA/1.png", "trainB/2.png", "trainA/deep/3.png")
    archive = zipped(folder, tmp_path / "set.zip")
    assert names(archive) == names(folder)
    for one, other in zip(open_source(str(archive)), open_source(str(folder)), strict=True):
        assert one.read() == other.read()


def test_an_entry_of_a_zip_can_be_sent_to_another_process(tmp_path):
    archive = zipped(write(tmp_path / "set", "a/1.png"), tmp_path / "set.zip")
    entry = pickle.loads(pickle.dumps(open_source(str(archive))[0]))
    assert entry.read() == png()


def test_a_folder_whose_name_ends_like_a_picture_is_none(tmp_path):
    folder = write(tmp_path / "set", "album.png/1.png")
    assert names(folder) == ["album.png/1.png"]
    assert names(zipped(folder, tmp_path / "set.zip")) == ["album.png/1.png"]


@pytest.mark.parametrize(
    "name",
    [".hidden.png", "trainA/._1.png", "__MACOSX/trainA/1.png", ".git/1.png", "1.gif", "1", "a.txt"],
)
def test_hidden_files_resource_forks_and_other_endings_are_no_pictures(tmp_path, name):
    folder = write(tmp_path / "set", name, "trainA/good.png")
    assert names(folder) == ["trainA/good.png"]
    assert names(zipped(folder, tmp_path / "set.zip")) == ["trainA/good.png"]


def test_a_hidden_folder_above_the_source_does_not_matter(tmp_path):
    assert names(write(tmp_path / ".cache" / "set", "1.png")) == ["1.png"]


@given(st.sampled_from(sorted(SUFFIXES)), st.data())
def test_endings_count_in_any_case(suffix, data):
    cased = "".join(data.draw(st.sampled_from([c.lower(), c.upper()])) for c in suffix)
    assert is_picture(f"trainA/1{cased}")


def test_upper_case_endings_are_read(tmp_path):
    (entry,) = open_source(str(write(tmp_path, "1.PNG")))
    assert decode(entry.read(), entry.name).size == (8, 8)


def test_links_are_followed_but_never_in_a_circle(tmp_path):
    write(tmp_path, "elsewhere/1.png", "set/trainA/0.png")
    (tmp_path / "set" / "trainB").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "trainA" / "again").symlink_to(tmp_path / "set")
    assert names(tmp_path / "set") == ["trainA/0.png", "trainB/1.png"]


def test_a_sample_is_drawn_at_the_size_that_is_asked_for():
    entries = open_source("sample:streets", (48, 32))
    assert decode(entries[0].read(), "x").size == (48, 32)
    assert len(entries) == sum(SAMPLES["streets"].parts.values())


def test_a_sample_below_its_smallest_size_is_drawn_larger():
    assert decode(open_source("sample:streets", (8, 40))[0].read(), "x").size == (32, 40)


def test_all_files_can_be_listed_pictures_or_not(tmp_path):
    write(tmp_path / "set", "1.png", "readme.txt")
    assert files_in(str(tmp_path / "set")) == ["1.png", "readme.txt"]
    assert files_in("sample:streets") == []


# What is refused


def refused(source: object) -> str:
    with pytest.raises(InputError) as caught:
        open_source(str(source))
    return str(caught.value)


def test_a_missing_source_is_named(tmp_path):
    place = tmp_path / "nowhere"
    assert refused(place) == f"--data {place}: there is no such folder or zip"
    assert (
        refused("")
        == "--data: is missing; give a folder, a zip, or sample:streets, sample:street-pairs or "
        "sample:shapes"
    )


def test_a_file_that_is_no_zip_is_named(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"no zip")
    assert "is neither a folder nor a whole zip" in refused(tmp_path / "x.zip")
    whole = zipped(write(tmp_path / "set", "1.png"), tmp_path / "y.zip").read_bytes()
    (tmp_path / "half.zip").write_bytes(whole[: len(whole) // 2])
    assert "is neither a folder nor a whole zip" in refused(tmp_path / "half.zip")


def test_a_source_without_pictures_is_named_with_the_endings_that_count(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "readme.txt").write_text("no picture")
    assert "holds no pictures" in refused(tmp_path / "set")
    assert ".jpeg .jpg" in refused(zipped(tmp_path / "set", tmp_path / "set.zip"))


def test_a_misspelt_sample_is_answered_with_the_right_one():
    assert "did you mean 'streets'?" in refused("sample:street")


def test_a_folder_that_cannot_be_read_is_said_and_not_passed_over(tmp_path, monkeypatch):
    def walk(root, onerror, followlinks):
        onerror(PermissionError(13, "Permission denied", f"{root}/trainB"))
        return iter(())

    monkeypatch.setattr("ganvas.data.sources.os.walk", walk)
    assert refused(tmp_path) == f"{tmp_path}/trainB: cannot be read (Permission denied)"


@pytest.mark.parametrize("damage", ["content", "encrypted"])
def test_a_damaged_file_in_a_zip_is_a_problem_of_that_file_alone(tmp_path, damage):
    archive = zipped(write(tmp_path / "set", "1.png", "2.png"), tmp_path / f"{damage}.zip")
    content = bytearray(archive.read_bytes())
    if damage == "content":
        content[40] ^= 255
    else:
        for place in (content.index(b"PK\3\4") + 6, content.index(b"PK\1\2") + 8):
            content[place] |= 1
    archive.write_bytes(content)
    first, second = (look(entry) for entry in open_source(str(archive)))
    assert first.problem.startswith("1.png: cannot be read (")
    assert not second.problem


def test_a_dead_link_is_a_problem_of_that_file_alone(tmp_path):
    (tmp_path / "1.png").symlink_to(tmp_path / "gone.png")
    (entry,) = open_source(str(tmp_path))
    assert look(entry).problem == "1.png: cannot be read (No such file or directory)"


# Layouts


def test_folders_of_domains_are_unpaired():
    layout = layout_of("trainA/1.png", "trainB/1.png", "trainB/2.png", "testA/1.png")
    assert layout.kind == "unpaired"
    assert layout.counts == {"testA": 1, "trainA": 1, "trainB": 2}


def test_folders_of_domains_are_recognised_below_a_common_folder_and_in_any_case():
    layout = layout_of("horse2zebra/TRAINA/1.png", "horse2zebra/Trainb/1.png")
    assert layout.kind == "unpaired"
    assert layout.counts == {"trainA": 1, "trainB": 1}
    assert layout.prefix == "horse2zebra"


def test_two_spellings_of_one_folder_are_one_part_and_nothing_is_lost():
    layout = layout_of("TrainA/1.png", "trainA/2.png", "trainB/1.png")
    assert layout.counts == {"trainA": 2, "trainB": 1}
    assert layout_of("Train/1.png", "train/2.png").counts == {"train": 2}


def test_train_a_alone_is_unpaired_and_b_is_what_is_missed():
    layout = layout_of("trainA/1.png", "trainA/2.png")
    assert layout.kind == "unpaired"
    with pytest.raises(InputError, match=r"no pictures in trainB/ \(found trainA: 2\)$"):
        require_domains(layout, ["A", "B"], "set")


def test_splits_are_paired():
    layout = layout_of("train/1.jpg", "val/1.jpg", "test/1.jpg")
    assert layout.kind == "paired"
    assert layout_of("facades/train/1.jpg").kind == "paired"


def test_other_folders_are_classes():
    layout = layout_of("set/cat/1.png", "set/dog/1.png", "set/dog/2.png")
    assert layout.kind == "labelled"
    assert layout.counts == {"cat": 1, "dog": 2}


@pytest.mark.parametrize("files", [("1.png", "2.png"), ("a/1.png",), ("1.png", "a/2.png")])
def test_loose_pictures_are_unlabelled(files):
    layout = layout_of(*files)
    assert layout.kind == "unlabelled"
    assert layout.counts == {"pictures": len(files)}


def test_a_layout_that_a_method_does_not_take_is_said_with_the_folders_it_wants():
    layout = layout_of("train/1.png", "val/1.png")
    wanted = r"^--data set: looks paired .*wants the folders trainA/ and trainB/; `ganvas data"
    with pytest.raises(InputError, match=wanted):
        require_domains(layout, ["A", "B"], "set")


def test_a_zip_trains_like_its_folder(tmp_path):
    folder = write_unpaired(tmp_path / "set")
    archive = zipped(folder, tmp_path / "set.zip")
    sets = [
        Unpaired(Settings(size="16"), recognise(open_source(str(source))))
        for source in (folder, archive)
    ]
    assert sets[0].fingerprints == sets[1].fingerprints
    assert all(sets[0][3][domain].equal(sets[1][3][domain]) for domain in "AB")


def test_pairs_that_are_taken_apart_lose_none_of_their_folders(tmp_path: Path):
    """val/ and valid/ are two names of one part."""
    names = ("train/a.png", "val/b.png", "valid/c.png", "test/d.png")
    layout = recognise(open_source(str(write(tmp_path, *names))))
    assert taken_apart(layout).counts == {
        "trainA": 1, "trainB": 1, "valA": 2, "valB": 2, "testA": 1, "testB": 1
    }  # fmt: skip
