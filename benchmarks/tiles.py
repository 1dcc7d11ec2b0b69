"""Memory and seconds of pictures that go whole through a resnet, and in tiles:
`python benchmarks/tiles.py --width 16 --sizes 1024 2048`.

Each measurement is a process of its own, whole and in tiles in turn. Memory is what the process
takes at most beyond what it takes before it begins; processor time, that of tiles over that of the
whole, says more than seconds where others use the machine; `apart` is the largest difference of
the answers in [-1, 1]. The picture is made up window by window, and
the answers lie in files, so that neither hides what the network needs; whole fields between the
layers lie in files too, unless --memory says how much of them may not. `--estimates` prints
instead what `ganvas.inference.tiles.fitting` expects, beside what is.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ganvas.data.parts import free_memory
from ganvas.inference.tiles.fitting import untiled_bytes
from ganvas.inference.tiles.tiled import translate_tiled
from ganvas.networks.resnet import ResnetGenerator
from ganvas.networks.unet import UnetGenerator

GIB = 2**30
KEYS = ("bytes", "seconds", "processor")
ANSWER = np.float32


def network_of(kind: str, width: int) -> tuple[nn.Module, int, int]:
    """The network, its stride, and the least size that it takes."""
    torch.manual_seed(0)
    if kind == "unet":
        return UnetGenerator(3, 3, width).eval(), 256, 256
    return ResnetGenerator(3, 3, width).eval(), ResnetGenerator.stride, ResnetGenerator.smallest


def made_up(top: int, left: int, height: int, width: int) -> Tensor:
    """That window of an endless picture: waves of all lengths, brighter to the right."""
    y = torch.arange(top, top + height, dtype=torch.float64)[:, None]
    x = torch.arange(left, left + width, dtype=torch.float64)[None]
    planes = [
        0.4 * torch.sin(y * x * (i + 1) / 5000) + 0.3 * torch.sin((x + i * y) / 700) + x / 40000
        for i in range(3)
    ]
    return torch.stack(planes).clamp(-1, 1).float()


def measure(
    how: str, kind: str, width: int, size: int, tile: int, memory: float, out: Path
) -> None:
    """Translate in this process; print its seconds and bytes as JSON."""
    torch.set_num_threads(1)
    network, stride, smallest = network_of(kind, width)
    with torch.no_grad():
        network(torch.zeros(1, 3, 256, 256))
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew
    with out.open("wb") as file:

        def write(top: int, left: int, y: Tensor) -> None:
            for i, row in enumerate(y.permute(1, 2, 0).numpy().astype(ANSWER)):
                file.seek(((top + i) * size + left) * row.shape[-1] * row.itemsize)
                file.write(row.tobytes())

        start, computed = time.perf_counter(), time.process_time()
        if how == "whole":
            with torch.no_grad():
                y = network(made_up(0, 0, size, size)[None])[0]
            ended, used = time.perf_counter(), time.process_time()
            bytes_at_most = resident("VmHWM") - before
            for top in range(0, size, 64):
                write(top, 0, y[:, top : top + 64])
        else:
            translate_tiled(
                network,
                made_up,
                write,
                (size, size),
                tile=tile,
                stride=stride,
                smallest=smallest,
                memory=memory,
                scratch=out.parent,
            )
            ended, used = time.perf_counter(), time.process_time()
            bytes_at_most = resident("VmHWM") - before
    found = {"seconds": ended - start, "processor": used - computed, "bytes": bytes_at_most}
    print(json.dumps(found))


def resident(key: str) -> int:
    """Bytes, as the system (Linux) counts them: VmRSS now, VmHWM at most."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    raise SystemExit("this measures on Linux only")


def in_a_process(how: str, given: argparse.Namespace, size: int, out: Path) -> dict[str, float]:
    words = ["--one", how, "--kind", given.kind, "--width", str(given.width), "--out", str(out)]
    words += ["--tile", str(given.tile), "--memory", str(given.memory), "--sizes", str(size)]
    done = subprocess.run(
        [sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def compare(given: argparse.Namespace, size: int, folder: Path) -> None:
    """One row of the table."""
    network, stride, smallest = network_of(given.kind, given.width)
    expected = untiled_bytes(network, (size, size), stride=stride, smallest=smallest)
    fits = expected < min(given.most * GIB, free_memory() * 0.8)
    found: dict[str, list[dict[str, float]]] = {"whole": [], "tiles": []}
    for _ in range(given.rounds):
        for how in ("whole", "tiles") if fits else ("tiles",):
            found[how].append(in_a_process(how, given, size, folder / how))
    medians = {
        how: [statistics.median(row[key] for row in rows) for key in KEYS]
        for how, rows in found.items()
        if rows
    }
    tiled, seconds, processor = medians["tiles"]
    if fits:
        whole, whole_seconds, whole_processor = medians["whole"]
        difference = largest_difference(folder / "whole", folder / "tiles", size)
        cells = [f"{whole / GIB:.2f}", f"{tiled / GIB:.2f}", f"{whole_seconds:.1f}"]
        cells += [f"{seconds:.1f}", f"{processor / whole_processor:.2f}", f"{difference:.0e}"]
    else:
        cells = [f"would be {expected / GIB:.0f}", f"{tiled / GIB:.2f}", "", f"{seconds:.1f}"]
        cells += ["", ""]
    print("| " + " | ".join([f"{size}x{size}", *cells]) + " |", flush=True)


def largest_difference(one: Path, other: Path, size: int) -> float:
    planes = [np.memmap(path, ANSWER, "r", shape=(size, size, 3)) for path in (one, other)]
    rows = (slice(top, top + 256) for top in range(0, size, 256))
    return max(float(np.abs(planes[0][part] - planes[1][part]).max()) for part in rows)


def estimates(given: argparse.Namespace, folder: Path) -> None:
    for size in given.sizes:
        network, stride, smallest = network_of(given.kind, given.width)
        expected = untiled_bytes(network, (size, size), stride=stride, smallest=smallest)
        found = in_a_process("whole", given, size, folder / "whole")["bytes"]
        print(
            f"{given.kind} width {given.width} {size}x{size}: expected {expected / GIB:.2f} GiB, "
            f"found {found / GIB:.2f}: {expected / found:.2f} times",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--kind", choices=("resnet", "unet"), default="resnet")
    parser.add_argument("--width", type=int, default=64, help="channels of the first layer")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024])
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=float, default=0.0, help="bytes of fields in memory")
    parser.add_argument("--most", type=float, default=20.0, help="GiB that whole pictures may take")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--estimates", action="store_true")
    parser.add_argument("--one", choices=("whole", "tiles"), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        size, memory = given.sizes[0], given.memory
        measure(given.one, given.kind, given.width, size, given.tile, memory, given.out)
        return
    with tempfile.TemporaryDirectory(dir=given.scratch) as folder:
        if given.estimates:
            return estimates(given, Path(folder))
        print(f"{given.kind}, width {given.width}, tile {given.tile}, torch {torch.__version__}")
        print(
            "| picture | GiB whole | in tiles | seconds whole | in tiles | processor time | apart |"
        )
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for size in given.sizes:
            compare(given, size, Path(folder))


if __name__ == "__main__":
    main()
