"""An exported translator in onnxruntime against the same in PyTorch, on the CPU, turn by turn:
`python benchmarks/export.py --rounds 7`.

Both take and give pictures with values 0 to 255. The networks are CycleGAN's, with the weights
that a training begins with; pictures are noise. Needs the extra `onnx`.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import torch
from torch import Tensor

from ganvas.inference.export import quiet, write_onnx
from ganvas.inference.exported import Subject, translating
from ganvas.methods.cyclegan import Config, CycleGAN

NETWORKS = {
    "resnet_9blocks, width 64": {"n_blocks": 9, "ngf": 64},
    "resnet, 3 blocks, width 16": {"n_blocks": 3, "ngf": 16},
}
SIZES, THREADS = (256, 64), (1, 2)


def network_of(settings: dict[str, int]) -> Subject:
    torch.manual_seed(0)
    method = CycleGAN(Config.from_mapping(settings), {"A": 3, "B": 3})
    return translating(method.requires_grad_(False).eval(), "AtoB")


def by_onnxruntime(place: Path, threads: int) -> Callable[[Tensor], Tensor]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    session = onnxruntime.InferenceSession(place, options, providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(None, {"pictures": x.numpy()})[0])


def by_pytorch(subject: Subject) -> Callable[[Tensor], Tensor]:
    back = subject.module.target.from_unit
    return lambda x: back(subject.truth(x))


def seconds(call: Callable[[Tensor], Tensor], x: Tensor) -> float:
    start = time.perf_counter()
    call(x)
    return time.perf_counter() - start


def shown(times: list[float]) -> str:
    low, middle, high = (
        f"{1000 * t:.1f}" for t in (min(times), statistics.median(times), max(times))
    )
    return f"{middle} ({low} to {high})"


@torch.no_grad()
def main(rounds: int) -> None:
    print(f"torch {torch.__version__}, onnxruntime {onnxruntime.__version__}, {rounds} rounds")
    print(
        "| network | size | threads | PyTorch, ms | onnxruntime, ms | times as fast | differs by |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, settings in NETWORKS.items():
        subject = network_of(settings)
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "network.onnx"
            with quiet():
                write_onnx(subject, place)
            for size in SIZES:
                x = torch.randint(256, (1, 3, size, size)).float()
                for threads in THREADS:
                    torch.set_num_threads(threads)
                    ours, theirs = by_pytorch(subject), by_onnxruntime(place, threads)
                    apart = float((ours(x) - theirs(x)).abs().max()) / 127.5
                    times = [(seconds(ours, x), seconds(theirs, x)) for _ in range(rounds)]
                    a, b = (list(column) for column in zip(*times, strict=True))
                    ratio = statistics.median(a) / statistics.median(b)
                    print(
                        f"| {name} | {size}x{size} | {threads} | {shown(a)} | {shown(b)} | "
                        f"{ratio:.2f} | {apart:.1e} |",
                        flush=True,
                    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--rounds", type=int, default=7)
    main(parser.parse_args().rounds)
