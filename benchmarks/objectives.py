"""Every objective with every method: `python benchmarks/objectives.py DATA` prints the table.

300 steps each, of a DCGAN on a folder of digits (mnist: 32x32) and of a CycleGAN on
`sample:streets` (64x64). Whether it trained: for the DCGAN the sliced Wasserstein distance of 512
generated pictures to 512 real ones, as a part of what an untrained network has (0 perfect, 1 as
untrained); for the CycleGAN the accuracy of photo -> labels by nearest class colour over 50 test
pictures (copying the photo scores 0.31). Then the doctor's last words.
"""

import argparse
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import torch

import ganvas
from ganvas.data.opening import open_training_set
from ganvas.evaluation.segmentation.scores import segmentation_scores
from ganvas.evaluation.sliced_wasserstein import sliced_wasserstein
from ganvas.methods import method_class
from ganvas.methods.generator import Generator
from ganvas.methods.translator import Translator
from ganvas.pictures import to_unit
from ganvas.runs.directory import Run

STEPS, PICTURES = 300, 512
ROWS: dict[str, dict[str, Any]] = {
    "lsgan": {"objective": "lsgan"},
    "vanilla": {"objective": "vanilla"},
    "vanilla, real label 0.9": {"objective": "vanilla", "real_label": 0.9},
    "vanilla-saturating": {"objective": "vanilla-saturating"},
    "vanilla, R1 10 every 16": {"objective": "vanilla", "r1_gamma": 10, "penalty_every": 16},
    "wgan, clip 0.01": {"objective": "wgan", "clip": 0.01},
    "wgan, gp 10, drift 0.001": {"objective": "wgan", "gp": 10, "drift": 0.001},
    "hinge": {"objective": "hinge"},
    "hinge, gp 10": {"objective": "hinge", "gp": 10},
    "logistic": {"objective": "logistic"},
    "logistic, R1 10": {"objective": "logistic", "r1_gamma": 10},
    "logistic-saturating": {"objective": "logistic-saturating"},
    "rpgan": {"objective": "rpgan"},
    "rpgan, R1 1, R2 1": {"objective": "rpgan", "r1_gamma": 1, "r2_gamma": 1},
}
SHARED = {"duration": f"{STEPS}it", "log_every": "20it", "preview_every": "50it", "device": "cpu"}
SHARED |= {"tensorboard": False, "latest_every": "1h", "snapshot_every": f"{STEPS}it"}
DCGAN = {"size": 32, "ngf": 32, "ndf": 32, "batch_size": 64}
CYCLEGAN = {"data": "sample:streets", "size": 64, "load_size": 64, "n_blocks": 3, "ngf": 16}
CYCLEGAN |= {"ndf": 24, "lambda_identity": 0, "lr": 0.0005, "lr_policy": "constant"}


def dcgan_score(run: Run) -> float:
    method = ganvas.load(run)
    assert isinstance(method, Generator)
    config = method.config
    data = open_training_set("pictures", config)
    picked = [data[k]["pictures"] for k in range(PICTURES)]
    real = to_unit(torch.stack(picked))
    torch.manual_seed(0)
    untrained = method_class("dcgan")(config, method.channels).eval()
    seeds = range(1000, 1000 + PICTURES)
    generated = [m.generate_tensor(seeds) for m in (method, untrained)]
    distances = [sliced_wasserstein(x, real, 256) for x in generated]
    return distances[0] / distances[1]


def cyclegan_score(run: Run) -> float:
    method = ganvas.load(run)
    assert isinstance(method, Translator)
    return segmentation_scores(method, "sample:streets", "BtoA")["pixel_accuracy"]


def last_words(run: Run) -> str:
    """What the doctor said, each thing once, by the words in front of its first figure."""
    lines = [json.loads(line) for line in (run.path / "log.jsonl").read_text().splitlines()]
    said = [re.split(r":|\d|;", text)[0].strip() for line in lines for text in line["diagnosis"]]
    return ", ".join(dict.fromkeys(said)) or "nothing"


def row(method: str, settings: dict[str, Any], folder: Path) -> str:
    out = folder / f"{method}-{len(list(folder.iterdir()))}"
    run = ganvas.train(method, quiet=True, out=out, **SHARED | settings)
    score = {"dcgan": dcgan_score, "cyclegan": cyclegan_score}[method](run)
    log = [json.loads(line) for line in (run.path / "log.jsonl").read_text().splitlines()]
    step = sum(line["time"]["step_seconds"] for line in log) / len(log)
    return f"{score:.3f} | {step * 1000:.0f} ms | {last_words(run)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", help="folder of digits, one channel")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="objectives that begin so")
    given = parser.parse_args()
    digits = DCGAN | {"data": given.data, "threads": given.threads}
    layered = digits | {"norm_D": "layer"}
    streets = CYCLEGAN | {"threads": given.threads}
    print("| method | objective | score | a step | the doctor |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name, settings in ROWS.items():
            if not name.startswith(given.only):
                continue
            own = layered if "gp" in settings else digits
            shown = f"{name}{', layer norm' if own is layered else ''}"
            print(f"| dcgan | {shown} | {row('dcgan', own | settings, Path(folder))} |", flush=True)
            line = row("cyclegan", streets | settings, Path(folder))
            print(f"| cyclegan | {name} | {line} |", flush=True)


if __name__ == "__main__":
    main()
