"""Steps of one process beside those of two that train together, at the same whole batch."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from benchmarks.tables import Options, Table, ratios, with_spread
from benchmarks.turns import Side, Turn, alternate
from ganvas.engine import Engine, seed_step
from ganvas.errors import InputError
from ganvas.methods import method_class

ROUNDS = 10
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "DCGAN, 64x64, batch 128": ("dcgan", {"batch_size": 128}),
    "CycleGAN, 64x64, 6 blocks of width 32, batch 4": (
        "cyclegan",
        {"size": 64, "n_blocks": 6, "ngf": 32, "ndf": 32, "batch_size": 4},
    ),
}


def stepping(
    method: str, settings: Mapping[str, Any], threads: int, averaged: bool = True
) -> tuple[Engine, Turn]:
    """One step, as the loop takes it, of this process among those that were started; `averaged`
    is whether they tell one another of gradients."""
    kind = method_class(method)
    config = kind.Config.from_mapping(dict(settings))
    engine = Engine.start(config.device, config.precision, threads, together=True)
    processes = engine.processes
    torch.manual_seed(config.seed)
    network = engine.place(kind(config, dict.fromkeys(kind.domains, 3)))
    if averaged:
        network.even_out, network.joined = processes.average, processes.joined
    width, height = config.width_height
    shape = (config.batch_size // processes.count, 3, height, width)
    batch = {d: torch.randint(0, 256, shape, dtype=torch.uint8) for d in kind.domains}

    def turn() -> None:
        # Nobody begins before all have been asked for the step.
        _ = processes.agree(False, 0.0)
        seed_step(config.seed, network.steps)
        with engine.autocast(), processes.share(config.batch_size):
            losses = network.step(engine.place_batch(batch))
        if averaged:
            processes.average([*losses.values(), *network.running_statistics()])
        _ = processes.agree(False, 0.0)

    return engine, turn


def alone(**arguments: Any) -> Turn:
    return stepping(**arguments)[1]


def with_another(**arguments: Any) -> Turn:
    """The first of two processes: it starts the other, which does as many steps."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    there = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ |= there | {"RANK": "0", "LOCAL_RANK": "0"}
    subprocess.Popen(
        [sys.executable, "-m", "benchmarks.processes", json.dumps(arguments)],
        env=os.environ | {"RANK": "1", "LOCAL_RANK": "1"},
    )
    return stepping(**arguments)[1]


def keep_up(arguments: str) -> None:
    """The life of the other process: it ends with the first."""
    _, turn = stepping(**json.loads(arguments))
    try:
        while True:
            _ = turn()
    except InputError:
        os._exit(0)


def scaling(options: Options) -> Iterator[Table]:
    """Steps of one process and of two, at the same whole batch."""
    n = options.threads
    more = {"device": options.device, "precision": options.precision}
    for title, (method, settings) in CASES.items():
        given = {"method": method, "settings": settings | more, "threads": n}
        sides = [
            Side(f"1 process, threads: {n}", alone, given),
            Side(f"1 process, threads: {2 * n}", alone, given | {"threads": 2 * n}),
            Side(f"2 processes, threads of each: {n}", with_another, given),
            Side("the same, averaging nothing", with_another, given | {"averaged": False}),
        ]
        found = alternate(sides, options.rounds or ROUNDS, threads=n)
        one = found[sides[0].name]
        rows = [
            (name, with_spread(m.seconds), with_spread(ratios(one, m), "{:.2f}"))
            for name, m in found.items()
        ]
        head = ("", "seconds a step, median (least to most)", "as fast as the first")
        yield Table(title, head, rows, {name: m.seconds for name, m in found.items()})


if __name__ == "__main__":
    keep_up(sys.argv[1])
