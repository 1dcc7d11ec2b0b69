"""Seconds and memory of one training step: `python benchmarks/step.py cyclegan --size 256`.

Options after the method are settings, as for `ganvas train`; pictures are noise.
"""

import argparse
import platform
import resource
import statistics
import time

import torch

from ganvas.engine import Engine, seed_step
from ganvas.methods import method_class


def measure(method: str, settings: dict[str, str], steps: int, warm_up: int) -> None:
    kind = method_class(method)
    config = kind.Config.from_mapping(settings)
    engine = Engine.start(config.device, config.precision, config.threads)
    torch.manual_seed(config.seed)
    network = engine.place(kind(config, dict.fromkeys(kind.domains, 3)))
    width, height = config.width_height
    shape = (config.batch_size, 3, height, width)
    batch = {d: torch.randint(0, 256, shape, dtype=torch.uint8) for d in kind.domains}

    seconds = []
    for i in range(warm_up + steps):
        start = time.perf_counter()
        seed_step(config.seed, i)
        with engine.autocast():
            network.step(engine.place_batch(batch))
        engine.wait()
        seconds.append(time.perf_counter() - start)
    seconds = seconds[warm_up:]

    print(f"{method} {width}x{height}, batch {config.batch_size}, {settings}")
    print(f"{engine.description}, {platform.machine()}, {config.precision}")
    print(f"torch {torch.__version__}")
    spread = f"{min(seconds):.3f} to {max(seconds):.3f}"
    print(f"seconds a step: median {statistics.median(seconds):.3f} ({spread}, {steps} steps)")
    if engine.device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(engine.device)
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"peak memory: {peak / 2**30:.2f} GiB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("method")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=1)
    given, rest = parser.parse_known_args()
    names = [word.removeprefix("--") for word in rest[::2]]
    measure(given.method, dict(zip(names, rest[1::2], strict=True)), given.steps, given.warm_up)
