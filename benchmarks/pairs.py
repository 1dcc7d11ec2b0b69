"""|y - G(x)| on held-out pairs, for every snapshot of a run that learnt from pairs.

python benchmarks/pairs.py runs/facades facades
"""

import argparse
from pathlib import Path

import torch

import ganvas
from ganvas.data.opening import open_training_set
from ganvas.data.paired import Paired
from ganvas.data.training_set import decode_row
from ganvas.methods.pix2pix import Pix2Pix
from ganvas.pictures import to_unit
from ganvas.runs.snapshots import read_description


def mean_distance(snapshot: Path, data: Paired) -> float:
    """Mean |y - G(x)| over the held-out pairs, in a range of 2."""
    method = ganvas.load(snapshot, device="cpu")
    assert isinstance(method, Pix2Pix)
    x_domain, y_domain = method.config.x_and_y
    apart = []
    for pair in data.held_out:
        pictures = zip("AB", decode_row(pair), pair, strict=True)
        fixed = {d: to_unit(data.fixed_tensor(d, p, e))[None] for d, p, e in pictures}
        answer = method.translate(fixed[x_domain], method.config.direction)
        apart.append((answer - fixed[y_domain]).abs().mean())
    return float(torch.stack(apart).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", help="where the pairs are, with a test part")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    settings = dict(ganvas.load(given.run, device="cpu").config.__dict__) | {"data": given.data}
    data = open_training_set("paired", Pix2Pix.Config.from_mapping(settings))
    assert isinstance(data, Paired)
    print("| minutes | epochs | mean distance |\n| --- | --- | --- |")
    for snapshot in sorted((given.run / "snapshots").glob("*kimg")):
        clock = read_description(snapshot)["clock"]
        epochs = clock["images"] / clock["epoch_size"]
        distance = mean_distance(snapshot, data)
        print(f"| {clock['seconds'] / 60:.0f} | {epochs:.0f} | {distance:.3f} |", flush=True)


if __name__ == "__main__":
    main()
