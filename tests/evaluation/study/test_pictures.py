"""Real and generated pictures are made alike."""

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from making import noise
from PIL import Image
from torch import nn

from ganvas.data.samples import sample_entries
from ganvas.errors import InputError
from ganvas.evaluation.study.pictures import Pictures, Shown, direction_of, gather
from ganvas.methods import method_class
from ganvas.methods.base import Method
from ganvas.scales import LAB, scale_for

SMALL: dict[str, Any] = {"size": 32, "load_size": 40, "ngf": 2, "ndf": 2}


def method(name: str, channels: int = 3, classes: tuple[str, ...] = (), **settings: Any) -> Method:
    kind = method_class(name)
    config = kind.Config.from_mapping(SMALL | settings)
    made = kind(config, dict.fromkeys(kind.domains, channels), classes)
    return made.requires_grad_(False).eval()


def copying(name: str = "cyclegan", **settings: Any) -> Method:
    """A translator whose answer is its input."""
    made = method(name, **settings)
    made.translator = lambda direction: nn.Identity()  # pyright: ignore
    return made


def write(folder: Path, *parts: str, count: int = 3, size: tuple[int, ...] = (40, 40, 3)) -> Path:
    """In each part pictures of one name, which differ between parts."""
    for number, part in enumerate(parts):
        (folder / part).mkdir(parents=True)
        for i in range(count):
            noise(100 * number + i, *size).save(folder / part / f"{i}.png")
    return folder


def as_trained(path: Path) -> np.ndarray:
    """What the network sees of a picture at 32, without chance."""
    with Image.open(path) as picture:
        return np.asarray(picture.resize((32, 32), Image.Resampling.BICUBIC))


def test_held_out_pictures_are_taken_where_there_are_some(tmp_path: Path):
    folder = write(tmp_path, "trainA", "trainB", "testA", "testB")
    found = gather(copying(), str(folder), "AtoB", 9)
    assert (found.split, found.pairing, found.notes) == ("test", "random", [])
    assert [shown.name for shown in found.real] == [f"testB/{i}.png" for i in range(3)]
    assert [shown.name for shown in found.fake] == [f"testA/{i}.png" for i in range(3)]
    back = gather(copying(), str(folder), "BtoA", 9)
    assert back.real[0].name == "testA/0.png"


def test_pictures_that_were_trained_on_are_said_to_be(tmp_path: Path):
    found = gather(copying(), str(write(tmp_path, "trainA", "trainB")), "AtoB", 9)
    assert found.split == "train"
    assert "trained on" in found.notes[0]


def test_real_and_generated_pictures_go_the_same_way(tmp_path: Path):
    """A network that copies makes of a picture exactly what is shown of it as a real one."""
    folder = write(tmp_path, "trainA", "trainB", "testA", "testB")
    for shown in (real := gather(copying(), str(folder), "AtoB", 9)).real:
        assert np.array_equal(shown.pixels, as_trained(folder / shown.name))
    for shown in real.fake:
        assert np.array_equal(shown.pixels, as_trained(folder / shown.name))
    assert real.size == (32, 32)


def test_pairs_stand_at_equal_numbers(tmp_path: Path):
    folder = write(tmp_path, "trainA", "trainB", "testA", "testB", count=6)
    by_choice = gather(copying(), str(folder), "AtoB", 4, pairing="same")
    by_method = gather(copying("pix2pix", generator="resnet"), str(folder), "AtoB", 4)
    for found in (by_choice, by_method):
        assert found.pairing == "same"
        names = [(real.name[6:], fake.name[6:]) for real, fake in pairs(found)]
        assert len(names) == 4
        assert all(real == fake for real, fake in names)


def test_pairs_may_be_shown_against_any_real_picture(tmp_path: Path):
    folder = write(tmp_path, "trainA", "trainB", "testA", "testB")
    made = copying("pix2pix", generator="resnet")
    assert gather(made, str(folder), "AtoB", 9, pairing="random").pairing == "random"


def test_pictures_side_by_side_are_pairs(tmp_path: Path):
    folder = write(tmp_path, "train", "test", size=(40, 80, 3))
    found = gather(copying("pix2pix", generator="resnet"), str(folder), "AtoB", 9)
    assert (found.split, found.pairing) == ("test", "same")
    with Image.open(folder / "test/0.png") as both:
        half = both.crop((40, 0, 80, 40)).resize((32, 32), Image.Resampling.BICUBIC)
    assert np.array_equal(found.real[0].pixels, np.asarray(half))


def test_colorized_pictures_have_the_lightness_of_their_own(tmp_path: Path):
    folder = write(tmp_path, "train", "test", size=(32, 32, 3))
    settings = {"colorization": True, "generator": "resnet", "n_blocks": 1}
    made = method_class("pix2pix")
    config = made.Config.from_mapping(SMALL | settings)
    pix2pix = made(config, {"A": 1, "B": 2}).requires_grad_(False).eval()
    pix2pix.scales = {"A": LAB["lightness"], "B": LAB["chroma"]}
    found = gather(pix2pix, str(folder), "AtoB", 9)
    real, fake = found.real[0].pixels, found.fake[0].pixels
    assert np.abs(real.astype(int) - as_trained(folder / "test/0.png")).max() <= 1
    grey_real, grey_fake = (np.asarray(Image.fromarray(x).convert("L")) for x in (real, fake))
    assert np.corrcoef(grey_real.ravel(), grey_fake.ravel())[0, 1] > 0.8
    with pytest.raises(InputError, match="lightness"):
        gather(pix2pix, str(folder), "AtoB", 9, pairing="random")


def test_no_more_pictures_than_asked_for_and_the_same_for_the_same_seed(tmp_path: Path):
    folder = write(tmp_path, "trainA", "trainB", "testA", "testB", count=9)
    first, again, other = (gather(copying(), str(folder), "AtoB", 4, seed) for seed in (0, 0, 1))
    assert len(first.real) == len(first.fake) == 4
    assert first.fingerprint() == again.fingerprint()
    assert first.fingerprint() != other.fingerprint()


def test_seeds_stand_against_pictures_of_the_set(tmp_path: Path):
    folder = write(tmp_path, "train", "test", count=4)
    found = gather(method("dcgan", nz=4), str(folder), None, 6)
    assert (found.split, found.pairing) == ("test", "random")
    assert [shown.name for shown in found.fake] == [f"seed {i}" for i in range(6)]
    assert len(found.real) == 4
    assert found.size == (32, 32)


def test_by_class_a_generated_picture_stands_against_one_of_its_class(tmp_path: Path):
    folder = write(tmp_path, "cat", "dog", "owl")
    made = method("dcgan", classes=("cat", "dog"), conditional=True, nz=4)
    found = gather(made, str(folder), None, 9)
    assert found.pairing == "class"
    assert {real.name[:3] for real in found.real} == {"cat", "dog"}
    assert len(found.real) == len(found.fake) == 6
    for number, (real, fake) in enumerate(pairs(found)):
        own = made.generate([number], real.name[:3])[0]
        assert np.abs(np.asarray(own).astype(int) - fake.pixels).max() <= 1


def test_pictures_of_16_bits_are_shown_by_their_own_scale(tmp_path: Path):
    folder = tmp_path / "set"
    for part in ("trainA", "trainB"):
        (folder / part).mkdir(parents=True)
        ramp = np.linspace(100, 4095, 32 * 32).reshape(32, 32).astype(np.uint16)
        Image.fromarray(ramp).save(folder / part / "0.png")
    made = copying(channels=1)
    made.scales = dict.fromkeys("AB", scale_for("uint16", 1, [100], [4095], None))
    found = gather(made, str(folder), "AtoB", 9)
    assert (found.real[0].pixels.min(), found.real[0].pixels.max()) == (0, 255)
    assert np.array_equal(found.real[0].pixels, found.fake[0].pixels)


def test_pictures_of_many_sizes_are_cut_to_one(tmp_path: Path):
    folder = write(tmp_path, "trainA", "trainB", "testA", count=2)
    write(folder, "testB", count=2, size=(48, 36, 3))
    found = gather(copying(preprocess="none"), str(folder), "AtoB", 9)
    assert {shown.pixels.shape for shown in (*found.real, *found.fake)} == {(40, 36, 3)}
    assert "36x40" in found.notes[0]


def test_a_spoiled_picture_has_its_colours_and_nothing_of_what_it_shows(tmp_path: Path):
    pixels = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    pictures = Pictures([Shown("a", pixels)], [], "random", "test")
    spoiled = pictures.spoiled(0, Random(0))
    assert spoiled.shape == pixels.shape
    assert not np.array_equal(spoiled, pixels)
    assert sorted(map(tuple, spoiled.reshape(-1, 3))) == sorted(map(tuple, pixels.reshape(-1, 3)))
    assert np.array_equal(spoiled, pictures.spoiled(0, Random(0)))


def test_the_direction_that_was_learnt_is_taken():
    assert direction_of(method("cyclegan"), None) == "AtoB"
    assert direction_of(method("cyclegan"), "BtoA") == "BtoA"
    backwards = method("pix2pix", direction="BtoA", generator="resnet")
    assert direction_of(backwards, None) == "BtoA"
    with pytest.raises(InputError, match="has learnt BtoA only"):
        direction_of(backwards, "AtoB")
    assert direction_of(method("dcgan"), None) is None
    with pytest.raises(InputError, match="from noise"):
        direction_of(method("dcgan"), "AtoB")


def test_sources_that_lack_what_is_wanted_are_refused(tmp_path: Path):
    one = str(write(tmp_path / "one", "cat", "dog"))
    with pytest.raises(InputError, match="testA/ and testB/"):
        gather(copying(), one, "AtoB", 9)
    with pytest.raises(InputError, match="looks labelled"):
        gather(copying("pix2pix", generator="resnet"), one, "AtoB", 9)
    with pytest.raises(InputError, match="no picture in it lies in a folder"):
        gather(method("dcgan", classes=("a", "b"), conditional=True), one, None, 9)
    with pytest.raises(InputError, match="have no inputs"):
        gather(method("dcgan"), one, None, 9, pairing="same")
    apart = write(tmp_path / "apart", "testA", count=1)
    write(apart, "trainA", "trainB", count=1)
    (apart / "trainB/0.png").rename(apart / "trainB/x.png")
    with pytest.raises(InputError, match="there are no pairs"):
        gather(copying(), str(apart), "AtoB", 9, pairing="same")


def test_a_built_in_set_has_its_test_part():
    found = gather(copying(), "sample:streets", "AtoB", 2)
    assert found.split == "test"
    assert {shown.name[:5] for shown in found.real} == {"testB"}
    assert any(e.name == found.real[0].name for e in sample_entries("streets", (40, 40)))


def pairs(found: Pictures) -> list[tuple[Shown, Shown]]:
    return list(zip(found.real, found.fake, strict=True))
