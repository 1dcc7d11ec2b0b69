"""The segmentation score of a run that turns label maps into photos, or photos into label maps.

python benchmarks/segmentation.py runs/facades
python benchmarks/segmentation.py runs/facades --data facades --palette cmp-facades --classes

For each direction that the run has, the papers' three numbers: of its translations, of the real
answers (what can be reached), of the real answers to other inputs (chance), of copied inputs and of
noise. The network that judges photos is trained on the first call, and kept.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, get_args

import torch

import ganvas
from ganvas.data.sources import located
from ganvas.errors import InputError
from ganvas.evaluation.confusion import told
from ganvas.evaluation.palette import KNOWN, read_palette
from ganvas.evaluation.segmentation.learning import SegmentationSettings, network_for
from ganvas.evaluation.segmentation.pairs import open_label_pairs
from ganvas.evaluation.segmentation.scores import SegmentationScorer
from ganvas.methods.base import Direction
from ganvas.methods.translator import Translator
from ganvas.runs.directory import Run


def scores(given: argparse.Namespace) -> list[dict[str, Any]]:
    method = ganvas.load(given.run, device=given.device)
    if not isinstance(method, Translator):
        raise InputError(f"{given.run}: {method.name} makes pictures from noise")
    data = given.data or located(Run.open(given.run).record["settings"]["data"])
    palette = read_palette(given.palette) if given.palette else None
    pairs = open_label_pairs(data, method.config, method.scales, palette, given.labels)
    print(f"label maps: {pairs.labels}; palette: {pairs.palette.origin}", flush=True)
    directions = [d for d in get_args(Direction) if has(method, d)]
    network = None
    if pairs.to_photo in directions:
        began = time.monotonic()
        settings = SegmentationSettings(duration=given.duration, seed=given.seed)
        network = network_for(
            pairs, settings, device=next(method.parameters()).device, on_progress=shown
        )
        took = network.described["seconds"]
        print(f"{network.told}; its training took {took} s, here {time.monotonic() - began:.0f} s")
    scorer = SegmentationScorer(pairs, network)
    found = []
    for direction in directions:
        found.append(scorer.scores(method, direction))
        source = found[-1]["provenance"]
        inputs = scorer.labels_or_photos(direction, given=True)
        chance = torch.Generator().manual_seed(0)
        noise = [torch.rand(x.shape, generator=chance) * 2 - 1 for x in inputs]
        rows = {
            "translations": found[-1],
            "real answers": found[-1]["upper_bound"],
            "real answers to other inputs": found[-1]["chance"],
            "copied inputs": scorer.scores_of(inputs, direction),
            "noise": scorer.scores_of(noise, direction),
        }
        print(
            f"\n{source['task']} ({direction}), {source['pictures']} pairs of {source['part']} at "
            f"{source['compared_at']}, by {source['judge']}\n"
            "pixel accuracy / class accuracy / class IoU"
        )
        for name, row in rows.items():
            print(f"  {name:<29} {told(row) if row else 'no: sizes differ'}")
        for name, one in found[-1]["per_class"].items() if given.classes else ():
            figures = "not in these pictures"
            if one["pixels"]:
                figures = f"accuracy {one['accuracy']:.3f}  IoU {one['iou']:.3f}"
            print(f"  {name:<20} {one['pixels']:>9} pixels  {figures}")
        for note in found[-1]["notes"]:
            print(f"note: {note}")
    return found


def has(method: Translator, direction: Direction) -> bool:
    try:
        method.translator(direction)
    except InputError:
        return False
    return True


def shown(part: float) -> None:
    if sys.stderr.isatty():
        print(f"\rtraining the segmentation network: {part:4.0%}", end="", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", help="pairs, some held out; left out, the run's own")
    parser.add_argument("--palette", help=f"a file, a list, or one of {', '.join(KNOWN)}")
    parser.add_argument("--labels", choices=["A", "B"], help="the side of the label maps")
    parser.add_argument("--duration", default=SegmentationSettings.duration, help="of the network")
    parser.add_argument("--seed", type=int, default=0, help="of the network")
    parser.add_argument("--classes", action="store_true", help="each class by itself too")
    parser.add_argument("--json", type=Path, help="write all of it there")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    try:
        found = scores(given)
    except InputError as error:
        raise SystemExit(f"segmentation: {error}") from None
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
