"""Train a small CycleGAN between label maps and pictures of streets, and look at what it does.

`make demo` runs this: the data is drawn on the spot, nothing is downloaded. With the default of
five minutes of training, the label maps become recognisable streets, and the other way round.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import ganvas
from ganvas.cli import main as command_line
from ganvas.evaluation.confusion import confusion_of, told
from ganvas.evaluation.palette import KNOWN
from ganvas.methods.cyclegan import CycleGAN
from ganvas.pictures import grid
from ganvas.scales import Scale

SIZE = 64
SETTINGS = {
    "--data": "sample:streets",
    "--size": f"{SIZE}",
    "--load-size": f"{SIZE}",
    "--generator": "resnet",
    "--n-blocks": "3",
    "--ngf": "16",
    "--ndf": "24",
    "--lambda-identity": "0",
    "--lr": "0.0005",
    "--batch-size": "1",
    "--ema": "0.5kimg",
    "--log-every": "250it",
    "--snapshot-every": "2min",
}


def demo(folder: Path, minutes: float, seed: int) -> None:
    run, data = folder / "run", folder / "streets"
    # The demo owns its folder, and only that: it is made anew each time.
    if folder.exists() and any(folder.iterdir()) and not (folder / ".made-by-the-demo").exists():
        raise SystemExit(f"demo: {folder} holds something else; choose another --out")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / ".made-by-the-demo").touch()

    ganvas_(["data", "sample", "streets", str(data), "--size", f"{SIZE}"])
    options = [word for pair in SETTINGS.items() for word in pair]
    ganvas_(
        [
            "train",
            "cyclegan",
            "--out",
            str(run),
            *options,
            "--seed",
            f"{seed}",
            "--duration",
            f"{minutes}min",
            "--preview-every",
            f"{minutes / 30:.4f}min",
        ]
    )
    for domain, direction in (("A", "AtoB"), ("B", "BtoA")):
        ganvas_(
            [
                "translate",
                str(run),
                str(data / f"test{domain}"),
                "--direction",
                direction,
                "--out",
                str(folder / direction),
            ]
        )

    truths = pictures_in(data / "testA")
    photos = pictures_in(data / "testB")
    untrained = ganvas.load(run / "snapshots" / "latest")
    assert isinstance(untrained, CycleGAN)
    torch.manual_seed(seed)
    untrained = CycleGAN(untrained.config, untrained.channels).eval()
    scores = {
        "translated": pictures_in(folder / "BtoA"),
        "copied input": photos,
        "untrained network": [untrained.translate(photo, "BtoA") for photo in photos],
    }
    shown = folder / "translations.png"
    contact_sheet(folder, data).save(shown)
    print(
        f"\nphoto -> labels by nearest class colour, {len(truths)} test pictures:\n"
        "pixel accuracy / class accuracy / class IoU"
    )
    palette = KNOWN["streets"]
    wanted = [palette.classes(np.asarray(truth)) for truth in truths]
    for name, pictures in scores.items():
        found = [palette.classes(np.asarray(picture)) for picture in pictures]
        pairs = list(zip(wanted, found, strict=True))
        print(f"  {name:<18} {told(confusion_of(pairs, len(palette.colours)).means())}")
    print(f"\nreport:        {run / 'report.html'}")
    print(f"translations:  {folder / 'AtoB'} and {folder / 'BtoA'}; side by side: {shown}")


def ganvas_(argv: list[str]) -> None:
    print("$ ganvas " + " ".join(argv), flush=True)
    if status := command_line(argv):
        raise SystemExit(status)


def pictures_in(folder: Path) -> list[Image.Image]:
    return [Image.open(path).convert("RGB") for path in sorted(folder.glob("*.png"))]


def contact_sheet(folder: Path, data: Path, columns: int = 8) -> Image.Image:
    """Rows: label maps, what became of them, photos, what became of those."""
    rows = [data / "testA", folder / "AtoB", data / "testB", folder / "BtoA"]
    colours = Scale(channels=3)
    cells = [[colours.unit(np.asarray(p)) for p in pictures_in(row)[:columns]] for row in rows]
    sheet = grid(cells)
    return sheet.resize((sheet.width * 2, sheet.height * 2), Image.Resampling.NEAREST)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder to write into")
    parser.add_argument("--minutes", type=float, default=5, help="minutes of training")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    demo(given.out, given.minutes, given.seed)
