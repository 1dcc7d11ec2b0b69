"""How near to float64 the gradients of a step are, ganvas's and the yardstick's.

One seed says little: where rounding puts a value on the other side of a ReLU's or an absolute
value's corner, its gradient jumps, and such a jump is larger than all the rest of the rounding.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.tables import Options, Table, with_spread
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
Errors = tuple[float, list[float]]
"""Of a whole gradient, and of each parameter's."""
CASES = {"cyclegan-64": 5, "cyclegan-128": 3, "dcgan": 3}
"""How many seeds are looked at, where nothing else is said."""
RATE = 1e-12
"""The learning rate: DCGAN's D moves before G is asked, and Adam's first step goes by the signs of
gradients, so that rounding would be seen in G's as what it makes of D and not of G."""
NOTHING = 1e-10
"""A parameter whose exact gradient is less, as a part of its network's, has none: biases in front
of a norm."""


def accuracy(options: Options) -> Iterator[Table]:
    """Relative errors of steps' gradients against float64, beside the yardstick's."""
    torch.set_num_threads(options.threads)
    for name, seeds in CASES.items():
        training = TRAININGS[name]
        found: dict[tuple[str, str], list[Errors]] = {}
        for seed in range(options.rounds or seeds):
            settings = {**training.with_options(options), "seed": seed, "lr": RATE}
            for key, error in compared(training.method, settings, options):
                found.setdefault(key, []).append(error)
        yield table(f"{training.what}, {options.rounds or seeds} seeds", found)


def compared(
    method: str, settings: Mapping[str, Any], options: Options
) -> Iterator[tuple[tuple[str, str], Errors]]:
    """(network, side), and how far its gradients are from float64, for one seed."""
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.safetensors"
        save_file(weights_of(made(method, settings)), weights)
        exact = of_yardstick(method, settings, weights, options, torch.float64)
        sides = {
            "ganvas": of_ganvas(method, settings, weights, options),
            "yardstick": of_yardstick(method, settings, weights, options, torch.float32),
        }
    for network, wanted in exact.items():
        for side, gradients in sides.items():
            yield (network, side), errors(gradients[network], wanted)


def of_ganvas(
    method: str, settings: Mapping[str, Any], weights: Path, options: Options
) -> Gradients:
    given = {**settings, **options.settings, "device": options.device}
    network = made(method, {**given, "precision": options.precision})
    c: Any = network.config
    engine = Engine.start(c.device, c.precision)
    load_into(network, network.networks(), weights)
    network = engine.place(network)
    if c.compile:
        engine.compile(network.compilable())
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
    stepped = kept_gradients(network)
    network.step({name: x.to(options.device, dtype) for name, x in batch.items()})
    return {
        name: {key: stepped[p].double() for key, p in each.named_parameters()}
        for name, each in networks.items()
    }


def kept_gradients(network: torch.nn.Module) -> dict[torch.nn.Parameter, Tensor]:
    """Those that optimisers will have gone by: what is left behind a step may have been added to,
    as DCGAN's G adds to D's."""
    kept: dict[torch.nn.Parameter, Tensor] = {}

    def keep(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        for group in optimizer.param_groups:
            kept.update(
                {
                    p: torch.zeros_like(p) if p.grad is None else p.grad.clone()
                    for p in group["params"]
                }
            )

    for value in vars(network).values():
        if isinstance(value, torch.optim.Optimizer):
            value.register_step_pre_hook(keep)
    return kept


def gradients(networks: Mapping[str, torch.nn.Module]) -> Gradients:
    """Those of the step that has been taken; of a parameter without one zeros."""
    return {
        name: {
            key: torch.zeros_like(p, dtype=torch.float64) if p.grad is None else p.grad.double()
            for key, p in network.named_parameters()
        }
        for name, network in networks.items()
    }


def table(what: str, found: Mapping[tuple[str, str], Sequence[Errors]]) -> Table:
    rows, figures = [], {}
    for (network, side), seeds in found.items():
        columns = zip(*((whole, median(each), max(each)) for whole, each in seeds), strict=True)
        rows.append((network, side, *(with_spread(column, "{:.1e}") for column in columns)))
        figures[f"{network} {side}"] = [{"whole": w, "parameters": each} for w, each in seeds]
    head = ("network", "side", "whole gradient", "median of parameters", "worst parameter")
    return Table(f"Relative errors of gradients: {what}", head, rows, figures)


def errors(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Errors:
    """|found - wanted| / |wanted| of all parameters together, and of each that has a gradient."""
    lengths = {key: float(x.norm()) for key, x in wanted.items()}
    apart = {key: float((found[key] - x).norm()) for key, x in wanted.items()}
    length = torch.tensor([*lengths.values()]).norm().item()
    whole = torch.tensor([*apart.values()]).norm().item() / length
    return whole, [apart[k] / x for k, x in lengths.items() if x > NOTHING * length]
