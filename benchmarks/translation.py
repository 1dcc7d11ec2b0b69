"""Folders of pictures through a CycleGAN's generator: `ganvas translate` beside the usual way, one
picture after the other.

Pictures are those of the folder that GANVAS_PICTURES names, brought to size, or drawn."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import transforms

from benchmarks.tables import Case, Options, Table, gib, ratios, with_spread
from benchmarks.training import load_into, made, weights_of
from benchmarks.turns import Measured, Side, Turn, alternate
from benchmarks.yardstick.cyclegan import Resnet
from ganvas.data.samples import write_sample
from ganvas.data.sources import files_below, is_picture
from ganvas.engine import Engine
from ganvas.inference.flow import Asked, translate_all
from ganvas.inference.jobs import plan, results_of, usable
from ganvas.methods.translator import Translator

PICTURES = "GANVAS_PICTURES"
HEAD = ("a folder", "ganvas, pictures/s", "yardstick, pictures/s", "times as fast")
MEMORY = ("ganvas, GiB", "yardstick, GiB")


@dataclass(frozen=True)
class Folder:
    """So many pictures of one size, and the network that translates them."""

    size: int
    count: int
    settings: Mapping[str, Any]
    what: str
    rounds: int = 5


FOLDERS = {
    "translation-64": Folder(
        64, 32, {"size": 64, "ngf": 32, "n_blocks": 6}, "64x64, 6 blocks, width 32"
    ),
    "translation-256": Folder(256, 8, {"size": 256}, "256x256, 9 blocks, width 64"),
    "translation-1024": Folder(1024, 2, {"size": 256}, "1024x1024, 9 blocks, width 64", rounds=3),
}


def measured(folder: Folder) -> Case:
    def case(options: Options) -> Iterator[Table]:
        with tempfile.TemporaryDirectory() as name:
            inputs, weights = Path(name, "inputs"), Path(name, "weights.safetensors")
            write_pictures(inputs, folder.size, folder.count)
            save_file(weights_of(made("cyclegan", folder.settings)), weights)
            given = {
                "settings": dict(folder.settings),
                "weights": weights,
                "inputs": inputs,
                "device": options.device,
            }
            sides = [Side("ganvas", ours, given), Side("yardstick", theirs, given)]
            rounds = options.rounds or folder.rounds
            found = alternate(sides, rounds, threads=options.threads)
        yield row(folder, found)

    case.__doc__ = f"Translation of a folder, {folder.what}."
    return case


def row(folder: Folder, found: Mapping[str, Measured]) -> Table:
    a, b = found["ganvas"], found["yardstick"]
    rates = [with_spread([folder.count / s for s in m.seconds]) for m in (a, b)]
    cells = [folder.what, *rates, with_spread(ratios(b, a), "{:.2f}"), gib(a), gib(b)]
    figures = {name: {"seconds": m.seconds, "peak": m.peak} for name, m in found.items()}
    return Table("Translation", (*HEAD, *MEMORY), [cells], {folder.what: figures})


def write_pictures(inputs: Path, size: int, count: int) -> None:
    """So many JPEG files of one size."""
    inputs.mkdir()
    with ExitStack() as stack:
        if (source := os.environ.get(PICTURES)) is None:
            source = stack.enter_context(tempfile.TemporaryDirectory())
            write_sample("shapes", Path(source, "shapes"), (128, 128), count)
        names = [name for name in files_below(Path(source)) if is_picture(name)]
        for n in range(count):
            with Image.open(Path(source, names[n % len(names)])) as image:
                resized = image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC)
            resized.save(inputs / f"{n:04}.jpg", quality=95)


def into_new_folders(translate: Callable[[Path], object]) -> Turn:
    def turn() -> None:
        with tempfile.TemporaryDirectory() as out:
            _ = translate(Path(out))

    return turn


def ours(settings: Mapping[str, Any], weights: Path, inputs: Path, device: str) -> Turn:
    """What `ganvas translate --format png` does once the run is loaded."""
    method = made("cyclegan", settings)
    assert isinstance(method, Translator)
    load_into(method, method.networks(), weights)
    method = Engine.start(device).place(method.requires_grad_(False).eval())

    def translate(out: Path) -> None:
        jobs, _ = usable(plan([str(inputs)], out, results_of(method, "AtoB"), format="png"))
        for _ in translate_all(Asked(method, "AtoB"), jobs):
            pass

    return into_new_folders(translate)


def theirs(settings: Mapping[str, Any], weights: Path, inputs: Path, device: str) -> Turn:
    """Read, resize, normalise, ask the network, round off, write; then the next one."""
    method: Any = made("cyclegan", settings)
    network = Resnet(3, 3, method.config.ngf, method.config.n_blocks).eval()
    load_into(network, {"G_A": network}, weights)
    network.to(device)
    with Image.open(next(inputs.iterdir())) as first:
        size = [first.height, first.width]

    prepare: Any = transforms.Compose(
        [
            transforms.Resize(size, transforms.InterpolationMode.BICUBIC),
            transforms.ToTensor(),
            transforms.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )

    @torch.no_grad()
    def translate(out: Path) -> None:
        for path in sorted(inputs.iterdir()):
            with Image.open(path) as file:
                image = file.convert("RGB")
            y = network(prepare(image)[None].to(device))[0].cpu().float().numpy()
            values = (np.transpose(y, (1, 2, 0)) + 1) / 2 * 255
            Image.fromarray(values.astype(np.uint8)).save(out / f"{path.stem}.png")

    return into_new_folders(translate)


CASES = {name: measured(folder) for name, folder in FOLDERS.items()}
