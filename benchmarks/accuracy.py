"""How near to float64 the gradients of a CycleGAN step are, ganvas's and the yardstick's."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.tables import Options, Table
from benchmarks.training import (
    TRAININGS,
    load_into,
    made,
    networks_of,
    pictures,
    weights_of,
    yardstick_of,
)
from ganvas.engine import Engine, seed_step
from ganvas.pictures import to_unit

Gradients = dict[str, dict[str, Tensor]]
"""By network and by parameter, in float64."""
CASES = ("cyclegan-64", "cyclegan-128")
NOTHING = 1e-10
"""A parameter whose exact gradient is less, as a part of its network's, has none: biases in front
of a norm."""


def accuracy(options: Options) -> Iterator[Table]:
    """Relative errors of a CycleGAN step's gradients against float64, beside the yardstick's."""
    torch.set_num_threads(options.threads)
    for name in CASES:
        training = TRAININGS[name]
        settings = training.with_options(options)
        with tempfile.TemporaryDirectory() as folder:
            weights = Path(folder) / "weights.safetensors"
            save_file(weights_of(made(training.method, settings)), weights)
            exact = of_yardstick(training.method, settings, weights, options, torch.float64)
            sides = {
                "ganvas": of_ganvas(training.method, settings, weights, options),
                "yardstick": of_yardstick(
                    training.method, settings, weights, options, torch.float32
                ),
            }
        yield table(training.what, sides, exact)


def of_ganvas(
    method: str, settings: Mapping[str, Any], weights: Path, options: Options
) -> Gradients:
    given = {**settings, **options.settings, "device": options.device}
    network = made(method, {**given, "precision": options.precision})
    c: Any = network.config
    engine = Engine.start(c.device, c.precision)
    load_into(network, network.networks(), weights)
    network = engine.place(network)
    seed_step(c.seed, 0)
    with engine.autocast():
        network.step(engine.place_batch(pictures(method, c)))
    return gradients(network.networks())


def of_yardstick(
    method: str,
    settings: Mapping[str, Any],
    weights: Path,
    options: Options,
    dtype: torch.dtype,
) -> Gradients:
    config: Any = made(method, settings).config
    network = yardstick_of(method, config)
    networks = networks_of(network, method)
    load_into(network, networks, weights)
    network.to(options.device, dtype)
    seed_step(config.seed, 0)
    batch = {name: to_unit(x) for name, x in pictures(method, config).items()}
    network.step({name: x.to(options.device, dtype) for name, x in batch.items()})
    return gradients(networks)


def gradients(networks: Mapping[str, torch.nn.Module]) -> Gradients:
    """Those of the step that has been taken; of a parameter without one zeros."""
    return {
        name: {
            key: torch.zeros_like(p, dtype=torch.float64) if p.grad is None else p.grad.double()
            for key, p in network.named_parameters()
        }
        for name, network in networks.items()
    }


def table(what: str, sides: Mapping[str, Gradients], exact: Gradients) -> Table:
    rows, figures = [], {}
    for network, wanted in exact.items():
        for side, found in sides.items():
            whole, each = errors(found[network], wanted)
            rows.append((network, side, *(f"{x:.1e}" for x in (whole, median(each), max(each)))))
            figures[f"{network} {side}"] = {"whole": whole, "parameters": each}
    head = ("network", "side", "whole gradient", "median of parameters", "worst parameter")
    return Table(f"Relative errors of gradients: {what}", head, rows, figures)


def errors(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> tuple[float, list[float]]:
    """|found - wanted| / |wanted| of all parameters together, and of each that has a gradient."""
    lengths = {key: float(x.norm()) for key, x in wanted.items()}
    apart = {key: float((found[key] - x).norm()) for key, x in wanted.items()}
    length = torch.tensor([*lengths.values()]).norm().item()
    whole = torch.tensor([*apart.values()]).norm().item() / length
    return whole, [apart[k] / x for k, x in lengths.items() if x > NOTHING * length]
