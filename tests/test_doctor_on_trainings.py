"""The doctor on real trainings, tiny ones: those broken in a way are told so, healthy ones nothing.

Each is long enough to be judged: 1000 images, a tenth of its duration, and 100 steps from then on.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killing import differences, everything, read_log
from PIL import Image

import ganvas
from ganvas import training
from ganvas.loop import Nobody
from ganvas.methods.dcgan import DCGAN, Config

Array = np.ndarray
Train = Callable[..., list[dict[str, Any]]]

QUICK: dict[str, Any] = {
    "log_every": "10it",
    "preview_every": "20it",
    "snapshot_every": "1000it",
    "tensorboard": False,
    "device": "cpu",
    "threads": 1,
    "quiet": True,
}
DCGANS: dict[str, Any] = {
    "size": 16,
    "ngf": 4,
    "ndf": 4,
    "batch_size": 32,
    "duration": "160it",
    "previews": 32,
}
CYCLEGANS: dict[str, Any] = {
    "size": 32,
    "load_size": 32,
    "batch_size": 10,
    "duration": "120it",
    "lr": 0.002,
    "lr_policy": "constant",
    "generator": "unet",
    "n_downs": 5,
    "ngf": 4,
    "ndf": 4,
    "n_layers": 1,
}


# Made pictures


def write(folder: Path, count: int, draw: Callable[[np.random.Generator], Array]) -> Path:
    """So many PNG files of what `draw` makes, in [0, 1]."""
    folder.mkdir(parents=True)
    for i in range(count):
        picture = draw(np.random.default_rng([i, *folder.name.encode()]))
        Image.fromarray((255 * picture.clip(0, 1)).astype(np.uint8)).save(folder / f"{i}.png")
    return folder


def disc(rng: np.random.Generator) -> Array:
    """A bright disc on a dark ground, (16, 16, 3)."""
    y, x = np.mgrid[:16, :16] / 16
    (a, b), radius = rng.uniform(0.3, 0.7, 2), rng.uniform(0.15, 0.3)
    inside = np.hypot(x - a, y - b) < radius
    return np.where(inside[..., None], rng.uniform(0.5, 1, 3), rng.uniform(0, 0.4, 3))


def plain(rng: np.random.Generator) -> Array:
    return np.full((16, 16, 3), rng.uniform(0, 1, 3))


def clouds(rng: np.random.Generator) -> Array:
    """Bright clouds on a dark ground, (32, 32)."""
    y, x = np.mgrid[:32, :32] / 32
    picture = np.full((32, 32), rng.uniform(0.1, 0.2))
    for _ in range(3):
        (a, b), width = rng.uniform(0.15, 0.85, 2), rng.uniform(0.1, 0.2)
        cover = np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * width**2))
        picture = picture * (1 - cover) + rng.uniform(0.6, 1) * cover
    return picture


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write(folder / "discs", 64, disc)
    write(folder / "plain", 64, plain)
    for pair, other in {"clouds": clouds, "negatives": lambda rng: 1 - clouds(rng)}.items():
        write(folder / pair / "trainA", 32, clouds)
        write(folder / pair / "trainB", 32, other)
    return folder


@pytest.fixture
def dcgan(data: Path, tmp_path: Path) -> Train:
    """Train a tiny DCGAN with some settings changed: its log."""

    def trained(pictures: str = "discs", **changes: Any) -> list[dict[str, Any]]:
        settings: dict[str, Any] = (
            QUICK | DCGANS | {"data": data / pictures, "out": tmp_path / "run"} | changes
        )
        return read_log(ganvas.train("dcgan", **settings).path / "log.jsonl")

    return trained


@pytest.fixture
def cyclegan(data: Path, tmp_path: Path) -> Train:
    """Train a tiny CycleGAN with some settings changed: its log."""

    def trained(pictures: str, **changes: Any) -> list[dict[str, Any]]:
        source = pictures if ":" in pictures else data / pictures
        settings: dict[str, Any] = (
            QUICK | CYCLEGANS | {"data": source, "out": tmp_path / "run"} | changes
        )
        return read_log(ganvas.train("cyclegan", **settings).path / "log.jsonl")

    return trained


def said(log: list[dict[str, Any]]) -> list[str]:
    """Every sentence once."""
    return list(dict.fromkeys(sentence for line in log for sentence in line["diagnosis"]))


def lasting(log: list[dict[str, Any]], words: str) -> bool:
    """Whether a sentence with these words stands in each of the last three lines."""
    return all(any(words in s for s in line["diagnosis"]) for line in log[-3:])


# Healthy


@pytest.mark.parametrize(
    ("objective", "changes"),
    [
        ("lsgan", {}),
        ("vanilla", {}),
        ("hinge", {}),
        ("rpgan", {"r1_gamma": 1, "norm_D": "none"}),
        ("wgan", {"gp": 10, "norm_D": "layer", "d_steps": 2}),
    ],
)
def test_healthy_dcgans_are_left_in_peace(dcgan: Train, objective: str, changes: dict):
    assert said(dcgan(objective=objective, **changes)) == []


@pytest.mark.parametrize(
    "changes", [{}, {"objective": "hinge", "discriminator": "pixel", "seed": 1}]
)
def test_healthy_cyclegans_are_left_in_peace(cyclegan: Train, changes: dict):
    larger = {"batch_size": 25, "duration": "150it", "max_pictures": 32}
    assert said(cyclegan("sample:streets", **larger | changes)) == []


# Discriminators


@pytest.mark.parametrize(
    "objective", ["lsgan", "vanilla", "vanilla-saturating", "hinge", "rpgan", "wgan"]
)
def test_a_discriminator_that_learns_much_faster_wins(dcgan: Train, objective: str):
    log = dcgan(objective=objective, lr=1e-6, lr_D=0.02)
    assert lasting(log, "D runs away" if objective == "wgan" else "D wins")
    assert all(not line["diagnosis"] for line in log if line["images"] < 1000)


@pytest.mark.parametrize("changes", [{"objective": "lsgan"}, {"gp": 10, "norm_D": "layer"}])
def test_a_discriminator_that_learns_much_slower_loses(dcgan: Train, changes: dict):
    assert lasting(dcgan(lr=0.002, lr_D=1e-7, **changes), "D loses")


# Generators


def test_a_generator_that_steps_too_far_collapses(dcgan: Train):
    log = dcgan("plain", lr=0.1, lr_D=0.005)
    assert lasting(log, "variety")
    assert all("(collapse)" in sentence for sentence in log[-1]["diagnosis"])


def test_one_latent_number_gives_duplicates(dcgan: Train):
    log = dcgan("plain", nz=1, lr=0.005, ngf=8, ndf=8)
    assert lasting(log, "of the generated pictures are nearly the same as another one")


# Translators


def test_much_identity_loss_gives_copies(cyclegan: Train):
    log = cyclegan("clouds", lambda_identity=50, norm="none", lr=0.003)
    assert any(
        "A -> B: translations are copies of their inputs" in sentence for sentence in said(log)
    )


def test_negatives_of_the_inputs_are_told(cyclegan: Train):
    assert lasting(cyclegan("negatives", lambda_identity=0), "light and dark have changed")


def test_translators_that_step_too_far_give_one_picture_for_all(cyclegan: Train):
    log = cyclegan("clouds", lr=1, norm="none")
    assert lasting(log, "all inputs give nearly the same picture")


# Steps that were skipped


def test_a_poisoned_step_is_named_in_the_next_line_and_no_longer(dcgan: Train, monkeypatch):
    step = DCGAN.step

    def poisoned(self, batch):
        bad = self.steps in (13, 15)
        return step(self, {"pictures": batch["pictures"] * float("nan")} if bad else batch)

    monkeypatch.setattr(DCGAN, "step", poisoned)
    log = dcgan(duration="40it")
    assert [line["iterations"] for line in log if line["diagnosis"]] == [20]
    (sentence,) = said(log)
    assert sentence.startswith(
        "2 steps were skipped since the last log line: gradients of D (last in step 16) were not "
        "finite; if this goes on, try a lower --lr"
    )


# Resume


ILL = {"lr": 0.005, "lr_D": 0.05, "nz": 1, "snapshot_every": "34it"}


class Accident(Nobody):
    """Something ends the training in the middle, after a snapshot and more."""

    def stepped(self, training) -> None:
        if training.clock.iterations == 115:
            raise RuntimeError("accident")


def test_a_resumed_training_is_told_the_same(data: Path, tmp_path: Path):
    settings: dict[str, Any] = QUICK | DCGANS | ILL | {"data": str(data / "plain")}
    del settings["quiet"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    training.train("dcgan", Config(**settings, out=str(whole)))
    with pytest.raises(RuntimeError, match="accident"):
        training.train("dcgan", Config(**settings, out=str(parts)), Accident())
    ganvas.resume(parts, quiet=True)
    assert len(said(read_log(whole / "log.jsonl"))) > 1
    assert differences(everything(whole), everything(parts)) == []
