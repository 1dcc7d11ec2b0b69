"""`ganvas data check`: what is there, what is wrong with it, and a command that trains on it."""

import shlex
import shutil
from pathlib import Path
from zipfile import ZipFile
from zlib import crc32

import numpy as np
import pytest
from making import noise
from PIL import Image

from ganvas.cli import main
from ganvas.data.check import Findings, check
from ganvas.data.samples import write_sample
from ganvas.errors import InputError
from ganvas.methods import METHODS, method_class

METHOD_CLASSES = {name: method_class(name) for name in METHODS}


def look_at(source: object, size: tuple[int, int] = (256, 256)) -> Findings:
    return check(str(source), size, methods=METHOD_CLASSES)


def fill(folder: Path, part: str, count: int, *shape: int) -> Path:
    """Add pictures of that shape, all different."""
    (folder / part).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        name = f"{part}/{i}-{'x'.join(map(str, shape))}.png"
        noise(crc32(name.encode()), *shape).save(folder / name)
    return folder


def unpaired(folder: Path, *shapes: tuple[int, ...]) -> Path:
    for part in ("trainA", "trainB"):
        for shape in shapes:
            fill(folder, part, 2, *shape)
    return folder


def suggestion(findings: Findings) -> str:
    (line,) = (s for s in findings.suggestions if s.startswith("ganvas train cyclegan"))
    return line


def size_of(findings: Findings) -> str:
    words = shlex.split(suggestion(findings))
    return words[words.index("--size") + 1]


# As a whole


def test_a_sound_set_has_no_problems(unpaired_folder, capsys):
    assert main(["data", "check", str(unpaired_folder), "--size", "40"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = printed.out.splitlines()
    assert lines[:9] == [
        f"{unpaired_folder}: unpaired, 15 pictures",
        "",
        "  part    pictures  width x height  mode",
        "  testA          2  40x40           RGB",
        "  testB          2  40x40           RGB",
        "  trainA         6  40x40           RGB",
        "  trainB         5  40x40           RGB",
        "",
        "nothing is wrong with it",
    ]
    assert f"  ganvas train cyclegan --data {unpaired_folder} --size 40" in lines


def test_what_is_suggested_can_be_trained(unpaired_folder, tmp_path, capsys):
    (unpaired_folder / "trainA" / "broken.png").write_bytes(b"no picture")
    for path in (unpaired_folder / "trainB").iterdir():
        Image.open(path).convert("L").save(path)
    command = shlex.split(suggestion(look_at(unpaired_folder)))
    assert command[0] == "ganvas"
    assert {"--lambda-identity", "--max-bad"} <= set(command)
    tiny = ["--ngf=4", "--ndf=4", "--n-blocks=1", "--device=cpu", "--threads=1", "--dry-run"]
    assert main([*command[1:], *tiny, "--out", str(tmp_path / "run")]) == 0


def test_problems_leave_the_exit_status_alone_but_a_missing_source_does_not(tmp_path, capsys):
    (fill(tmp_path, "trainA", 1, 9, 9) / "trainA" / "bad.png").write_bytes(b"")
    assert main(["data", "check", str(tmp_path)]) == 0
    assert "  ! trainA/bad.png: is empty (0 bytes)" in capsys.readouterr().out.splitlines()
    assert main(["data", "check", str(tmp_path / "nowhere")]) == 2


def test_a_source_without_pictures_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no pictures"):
        look_at(tmp_path)


def test_a_zip_is_checked_like_its_folder(tmp_path):
    folder = unpaired(tmp_path / "set", (20, 30, 3))
    with ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in folder.rglob("*.png"):
            archive.write(path, path.relative_to(folder))
    found, zipped = look_at(folder), look_at(tmp_path / "set.zip")
    text, of_zip = "\n".join(found.lines()), "\n".join(zipped.lines())
    assert of_zip.replace("set.zip", "set") == text


def test_a_sample_is_checked_and_is_sound(monkeypatch):
    from ganvas.data import sources

    few = sources.sample_entries
    monkeypatch.setattr(sources, "sample_entries", lambda name, size: few(name, size, 3))
    found = look_at("sample:streets")
    assert not found.problems
    assert not [note for note in found.notes if "smaller" in note]
    assert suggestion(found) == "ganvas train cyclegan --data sample:streets --size 128"


def test_every_picture_is_told_as_it_is_read(unpaired_folder):
    count = []
    check(str(unpaired_folder), (32, 32), lambda: count.append(1))
    assert len(count) == 15


def test_many_classes_do_not_flood_the_screen(tmp_path):
    for i in range(30):
        fill(tmp_path, f"class{i:02}", 1, 9, 9)
    lines = look_at(tmp_path).lines()
    assert len(lines) < 40
    assert "  and 10 more" in lines


# Problems


def test_what_cannot_be_read_is_named_with_its_reason(tmp_path):
    folder = unpaired(tmp_path, (20, 20, 3))
    (folder / "trainA" / "page.jpg").write_text("<html>")
    (folder / "trainB" / "deep.pgm").write_bytes(b"P5 2 1 65535\nabcd")
    found = look_at(folder)
    assert found.problems[0] == "trainA/page.jpg: is text and no picture that can be read"
    assert found.problems[1].startswith("trainB/deep.pgm: has 16 bits a channel, which")
    assert "--max-bad 1" in suggestion(found)


def test_equal_files_are_named_within_a_part_and_between_training_and_test(tmp_path):
    folder = fill(unpaired(tmp_path, (20, 20, 3)), "testA", 1, 20, 20, 3)
    for copy in ("trainA/copy.png", "testA/copy.png"):
        shutil.copy(folder / "trainA" / "0-20x20x3.png", folder / copy)
    assert sorted(look_at(folder).problems) == [
        "testA shares 1 picture with trainA, so that it tests what was trained on "
        "(testA/copy.png = trainA/0-20x20x3.png)",
        "trainA holds 1 picture more than once (trainA/0-20x20x3.png = trainA/copy.png)",
    ]


def test_of_many_equal_files_the_first_few_are_named(tmp_path):
    folder = fill(tmp_path, "trainA", 9, 9, 9)
    shutil.copytree(folder / "trainA", folder / "testA")
    (problem,) = look_at(folder).problems
    assert problem.startswith("testA shares 9 pictures with trainA")
    assert problem.endswith("and 6 more)")


def test_flat_pictures_are_named(tmp_path):
    folder = unpaired(tmp_path, (20, 20, 3))
    Image.new("RGB", (20, 20), "teal").save(folder / "trainA" / "flat.png")
    (problem,) = look_at(folder).problems
    assert problem == "trainA: 1 of 3 pictures is of one flat colour (trainA/flat.png)"


def test_pictures_outside_of_the_parts_are_named(tmp_path):
    folder = unpaired(tmp_path, (20, 20, 3))
    noise(1, 9, 9).save(folder / "logo.png")
    (problem,) = look_at(folder).problems
    assert "1 picture lies outside of trainA, trainB" in problem
    assert "logo.png" in problem


# Notes


def notes(folder: Path, size: tuple[int, int] = (20, 20)) -> str:
    return "\n".join(look_at(folder, size).notes)


def test_sizes_and_modes_are_counted(tmp_path):
    folder = fill(fill(tmp_path, "trainA", 3, 20, 30, 3), "trainA", 1, 50, 40, 4)
    row = next(line for line in look_at(folder).lines() if line.startswith("  trainA"))
    assert row.split(maxsplit=2) == [
        "trainA",
        "4",
        "30x20 to 40x50, mostly 30x20 (3)  RGB 3, RGBA 1",
    ]


def test_what_decoding_changes_is_said(tmp_path):
    folder = unpaired(tmp_path, (20, 20, 3))
    noise(1, 20, 20).save(folder / "trainA" / "grey.png")
    noise(1, 20, 20, 4).save(folder / "trainB" / "clear.png")
    assert "trainA: 1 of 3 pictures is grey, repeated to RGB (trainA/grey.png)" in notes(folder)
    assert "trainB: 1 of 3 pictures is not opaque, laid over white" in notes(folder)


def test_small_pictures_are_counted_against_the_size_that_is_asked_for(tmp_path):
    folder = unpaired(tmp_path, (20, 20, 3), (40, 40, 3))
    assert "smaller" not in notes(folder, (20, 20))
    assert "4 of 8 pictures are smaller than 30x30 and would be enlarged" in notes(folder, (30, 30))
    assert "all 8 pictures are smaller than 20x41" in notes(folder, (20, 41))


def test_few_pictures_are_warned_of(tmp_path):
    assert "trainA: 2 pictures; with fewer than 100, networks learn by heart" in notes(
        unpaired(tmp_path / "few", (8, 8, 3))
    )
    many = fill(fill(tmp_path / "many", "trainA", 100, 4, 4, 3), "trainB", 100, 4, 4, 3)
    assert "by heart" not in notes(many)


def test_pictures_of_different_shapes_are_said_to_be_squeezed(tmp_path):
    assert "width / height goes from 0.50 to 1.50" in notes(
        unpaired(tmp_path / "mixed", (20, 30, 3), (40, 20, 3))
    )
    assert "width / height" not in notes(unpaired(tmp_path / "alike", (20, 30, 3), (40, 60, 3)))


def test_files_left_aside_are_counted_by_their_endings(tmp_path):
    folder = unpaired(tmp_path, (20, 20, 3))
    for name in ("a.gif", "b.gif", "trainA/c.HEIC", "LICENSE", ".DS_Store"):
        (folder / name).write_bytes(b"x")
    assert "left aside, since pictures do not end so: 2 .gif, 1 without ending, 1 .heic" in notes(
        folder
    )


# Suggestions


@pytest.mark.parametrize(
    ("shapes", "size"),
    [
        ([(40, 40)], "40"),
        ([(43, 43)], "40"),
        ([(300, 300)], "256"),
        ([(40, 60)], "60x40"),
        ([(80, 40), (160, 80)], "60x120"),
        ([(300, 600)], "512x256"),
        ([(40, 60), (60, 40)], "40"),
        ([(10, 12)], "40x32"),
        ([(40, 400)], "40"),
    ],
)
def test_the_size_follows_from_the_typical_smaller_side_and_a_shared_shape(tmp_path, shapes, size):
    assert size_of(look_at(unpaired(tmp_path, *[(*shape, 3) for shape in shapes]))) == size


def test_a_smaller_size_that_is_asked_for_bounds_the_suggestion(tmp_path):
    assert size_of(look_at(unpaired(tmp_path, (90, 90, 3)), (64, 64))) == "64"


def test_grey_and_colour_are_suggested_without_the_identity_loss(tmp_path):
    found = look_at(fill(fill(tmp_path, "trainA", 2, 40, 40), "trainB", 2, 40, 40, 3))
    assert suggestion(found).endswith("--lambda-identity 0")
    assert any("only trainA is grey; --channels-A 3" in line for line in found.suggestions)


def test_methods_that_want_equal_channels_are_suggested_so(tmp_path):
    found = look_at(fill(fill(tmp_path, "trainA", 2, 40, 40), "trainB", 2, 40, 40, 3))
    (line,) = (s for s in found.suggestions if s.startswith("ganvas train fastcut"))
    assert line.endswith("--channels-A 3 --channels-B 3")
    shutil.rmtree(tmp_path / "trainA")
    (tmp_path / "trainA").mkdir()
    np.save(tmp_path / "trainA" / "0.npy", np.arange(8000, dtype=np.uint8).reshape(40, 40, 5))
    wanted = "cut wants as many channels in all parts, but trainA has 5 and trainB has 3"
    assert wanted in look_at(tmp_path).suggestions


def test_a_source_with_a_blank_in_its_name_is_quoted(tmp_path):
    folder = unpaired(tmp_path / "two words", (40, 40, 3))
    assert shlex.split(suggestion(look_at(folder)))[4] == str(folder)


def test_a_missing_domain_is_asked_for(tmp_path):
    lines = look_at(fill(tmp_path, "trainA", 2, 20, 20, 3)).suggestions
    assert "cyclegan wants pictures in trainB/ first" in lines
    assert all(line.endswith(" wants pictures in trainB/ first") for line in lines)


def test_pictures_of_which_none_can_be_read_get_no_command(tmp_path):
    for part in ("trainA", "trainB"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "1.png").write_bytes(b"")
    assert look_at(tmp_path).suggestions == ["none of the training pictures can be used"]


def test_a_layout_without_a_method_is_said_plainly(tmp_path):
    folder = fill(fill(tmp_path, "cat", 2, 20, 20, 3), "dog", 2, 20, 20, 3)
    found = check(str(folder), (20, 20), methods={"cyclegan": method_class("cyclegan")})
    (line,) = found.suggestions
    assert line.startswith("no method here trains on labelled pictures yet: cyclegan wants unp")


def test_noise_methods_are_suggested_for_one_domain(tmp_path):
    folder = fill(fill(tmp_path / "set", "cat", 2, 40, 40, 3), "dog", 2, 40, 40, 3)
    first, *reasons = look_at(folder).suggestions
    assert first == f"ganvas train dcgan --data {folder} --size 40 --duration 1000ep"
    assert "--conditional learns the 2 classes" in reasons[-1]
    split = fill(fill(tmp_path / "split", "train", 2, 40, 40, 3), "test", 2, 40, 40, 3)
    wanted = f"ganvas train dcgan --data {split} --size 40 --duration 1000ep"
    assert look_at(split).suggestions[0] == wanted


def test_only_a_method_for_pairs_is_suggested_for_pairs_side_by_side(tmp_path):
    folder = fill(tmp_path, "train", 2, 64, 128, 3)
    line, reason, others = look_at(folder).suggestions
    assert line == f"ganvas train pix2pix --data {folder} --n-downs 6 --size 64"
    assert "all are twice as wide as high" in reason
    assert others.startswith("  without their pairs, from the halves, learn cyclegan, cut")
    found = check(str(folder), methods={"dcgan": method_class("dcgan")})
    assert found.suggestions[0].startswith("no method here trains on paired pictures yet")


def test_the_suggestion_for_pairs_can_be_trained(tmp_path, capsys):
    folder = fill(tmp_path / "set", "train", 2, 40, 80, 3)
    command = shlex.split(look_at(folder).suggestions[0])
    tiny = ["--ngf=4", "--ndf=4", "--n-layers=2", "--device=cpu", "--threads=1", "--dry-run"]
    assert main([*command[1:], *tiny]) == 0


def test_loose_pictures_may_be_pairs_too(tmp_path):
    lines = look_at(fill(tmp_path, ".", 2, 64, 128)).suggestions
    commands = [line.split()[2] for line in lines if line.startswith("ganvas train")]
    assert commands == ["pix2pix", "dcgan", "stylegan", "r3gan"]


def test_folders_of_equal_names_may_be_pairs_and_it_is_said_who_would_be_left_out(tmp_path):
    for part, count in (("trainA", 4), ("trainB", 3)):
        fill(tmp_path, part, count, 64, 64, 3)
    text = notes(tmp_path)
    assert "trainA and trainB share 3 names; as pairs, 1 picture would have no partner" in text
    assert "trainA/3-64x64x3.png: no picture in trainB has that name" in text
    assert not [s for s in look_at(tmp_path).suggestions if "pix2pix" in s]
    (tmp_path / "trainA" / "3-64x64x3.png").unlink()
    lines = look_at(tmp_path).suggestions
    place = next(i for i, line in enumerate(lines) if "train pix2pix" in line)
    line, reason = lines[place : place + 2]
    assert line == f"ganvas train pix2pix --data {tmp_path} --n-downs 6 --size 64"
    assert "trainA and trainB share all 3" in reason


def test_small_halves_are_counted_at_their_own_size(tmp_path):
    folder = fill(tmp_path, "train", 2, 64, 128, 3)
    assert "smaller" not in notes(folder, (64, 64))
    assert "all 2 pictures are smaller than 100x64" in notes(folder, (100, 64))


def test_pairs_are_told_from_pictures_that_are_none(tmp_path):
    folder = fill(tmp_path, "train", 2, 20, 40, 3)
    assert "all pictures are twice as wide as high" in notes(folder)
    fill(folder, "train", 1, 20, 20, 3)
    assert "1 of 3 pictures are not twice as wide as high" in notes(folder)


def test_a_written_sample_is_what_the_check_says_it_is(tmp_path):
    write_sample("streets", tmp_path / "set", (48, 32), count=8)
    found = look_at(tmp_path / "set")
    assert found.layout.counts == {"testA": 1, "testB": 1, "trainA": 8, "trainB": 8}
    assert size_of(found) == "48x32"


@pytest.mark.parametrize("side", [30, 64, 100, 200, 300, 480])
def test_sizes_that_are_suggested_are_such_as_every_method_takes(tmp_path, side):
    lines = look_at(fill(tmp_path, ".", 2, side, side)).suggestions
    for words in (line.split() for line in lines if line.startswith("ganvas train")):
        given = dict(zip(words[3::2], words[4::2], strict=True))
        settings = {name.removeprefix("--"): value for name, value in given.items()}
        method_class(words[2]).Config.from_mapping(settings)


def test_baselines_train_on_it_and_are_not_suggested(unpaired_folder):
    baselines = {name for name, kind in METHOD_CLASSES.items() if kind.baseline}
    assert {"bigan", "cogan", "featgan", "simgan"} == baselines
    said = "\n".join(look_at(unpaired_folder).suggestions)
    assert "ganvas train cyclegan" in said
    assert not [name for name in baselines if f"train {name} " in said]
