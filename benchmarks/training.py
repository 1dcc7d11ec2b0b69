"""Training steps of ganvas beside the yardsticks': the same pictures, and the same weights to
begin with."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.matmul import best, peaks
from benchmarks.tables import Options, Table, gib, on_gpu, processor_ratios, ratios, with_spread
from benchmarks.turns import Measured, Side, Turn, alternate
from benchmarks.yardstick.cyclegan import CycleGAN
from benchmarks.yardstick.dcgan import DCGAN
from benchmarks.yardstick.pix2pix import Pix2Pix
from benchmarks.yardstick.stylegan import StyleGAN
from ganvas.engine import Engine, seed_step
from ganvas.methods import method_class
from ganvas.methods.base import Method
from ganvas.pictures import to_unit

Yardstick = CycleGAN | DCGAN | Pix2Pix | StyleGAN
GPU_STEPS = 20
"""Steps in a turn on a GPU, where one is too short to be measured."""
WARM_UP = 2
"""Turns before those that are measured: the first makes what lasts, the second finds its memory."""
AVERAGE = 0.999
"""What averages keep at a step, where a method has such by default; how long it takes does not
depend on that."""


@dataclass(frozen=True)
class Training:
    """A method, and ganvas's settings of it, which are the yardstick's too."""

    method: str
    what: str
    """What sets this case apart, for its row."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    rounds: int = 5

    def with_options(self, options: Options) -> dict[str, Any]:
        batch = {} if options.batch_size is None else {"batch_size": options.batch_size}
        return {**self.settings, **batch}


SMALL_STYLEGAN = method_class("stylegan").Config.presets["small"]
TRAININGS = {
    "cyclegan-256": Training(
        "cyclegan", "CycleGAN, 256x256, 9 blocks, identity loss", {"size": 256}, rounds=3
    ),
    "cyclegan-128": Training(
        "cyclegan", "CycleGAN, 128x128, 6 blocks, identity loss", {"size": 128, "n_blocks": 6}
    ),
    "cyclegan-64": Training(
        "cyclegan",
        "CycleGAN, 64x64, 6 blocks, width 32, identity loss",
        {"size": 64, "n_blocks": 6, "ngf": 32, "ndf": 32, "batch_size": 4},
        rounds=15,
    ),
    "pix2pix": Training("pix2pix", "pix2pix, 256x256, U-Net of 8 levels", {"size": 256}, rounds=9),
    "dcgan": Training("dcgan", "DCGAN, 64x64", {"size": 64, "batch_size": 128}),
    "stylegan": Training(
        "stylegan",
        "StyleGAN, 64x64, channels of the preset small, R1, average",
        {**SMALL_STYLEGAN, "structure": "fixed", "batch_size": 8},
    ),
}


def yardstick_of(method: str, config: Any) -> Yardstick:
    """The yardstick with ganvas's settings."""
    c = config
    rates = {"lr": c.lr, "betas": (c.beta1, c.beta2)}
    match method:
        case "cyclegan":
            lambdas = {n: getattr(c, n) for n in ("lambda_A", "lambda_B", "lambda_identity")}
            widths = {"ngf": c.ngf, "ndf": c.ndf, "n_blocks": c.n_blocks, "n_layers": c.n_layers}
            return CycleGAN(**widths, **lambdas, pool_size=c.pool_size, **rates)
        case "pix2pix":
            widths = {"ngf": c.ngf, "ndf": c.ndf, "n_downs": c.n_downs, "n_layers": c.n_layers}
            return Pix2Pix(**widths, dropout=c.dropout, lambda_L1=c.lambda_L1, **rates)
        case "dcgan":
            return DCGAN(nz=c.nz, ngf=c.ngf, ndf=c.ndf, **rates)
        case _:
            mapping = ("nz", "nw", "mapping_layers", "mapping_fmaps", "style_mixing_prob")
            names = (*mapping, "fmap_base", "fmap_max", "mbstd_group", "r1_gamma")
            same = {name: getattr(c, name) for name in names}
            return StyleGAN(size=c.width_height[0], **same, **rates)


def made(method: str, settings: Mapping[str, Any]) -> Method:
    """ganvas's method, with weights from its seed."""
    kind = method_class(method)
    config = kind.Config.from_mapping(dict(settings))
    torch.manual_seed(config.seed)
    return kind(config, dict.fromkeys(kind.domains, 3))


def pictures(method: str, config: Any) -> dict[str, Tensor]:
    """A batch of noise, uint8 (N, 3, H, W) for each domain."""
    width, height = config.width_height
    chance = torch.Generator().manual_seed(config.seed)
    shape = (config.batch_size, 3, height, width)
    return {
        domain: torch.randint(0, 256, shape, dtype=torch.uint8, generator=chance)
        for domain in method_class(method).domains
    }


def weights_of(method: Method) -> dict[str, Tensor]:
    """Those of all networks, with their names in front."""
    return {
        f"{name}.{key}": value.contiguous()
        for name, network in method.networks().items()
        for key, value in network.state_dict().items()
    }


def load_into(method: nn.Module, networks: Mapping[str, nn.Module], weights: Path) -> None:
    """Give networks the weights of that file, of which they may leave some out."""
    told = load_file(weights)
    for name, network in networks.items():
        network.load_state_dict({key: told[f"{name}.{key}"] for key in network.state_dict()})
    if isinstance(method, StyleGAN):
        method.averaged.load_state_dict(method.G.state_dict())


def ours(
    method: str, settings: Mapping[str, Any], weights: Path, options: Options, steps: int = 1
) -> Turn:
    """Steps of ganvas, as a training takes them."""
    given = {**settings, **options.settings, "device": options.device}
    network = made(method, {**given, "precision": options.precision})
    c: Any = network.config
    engine = Engine.start(c.device, c.precision)
    engine.tune()
    load_into(network, network.networks(), weights)
    network = engine.place(network)
    if c.compile:
        engine.compile(network.compilable())
    batch, done = pictures(method, c), 0

    def turn() -> dict[str, Tensor]:
        nonlocal done
        losses = {}
        for _ in range(steps):
            seed_step(c.seed, done)
            with engine.autocast(), engine.first_step(done == 0):
                losses = network.step(engine.place_batch(batch))
            if c.ema:
                network.update_averages(AVERAGE)
            done += 1
        return losses

    return turn


def theirs(
    method: str, settings: Mapping[str, Any], weights: Path, options: Options, steps: int = 1
) -> Turn:
    """Steps of the yardstick. On a GPU in TF32, and with cuDNN's choice of the fastest kernels."""
    config: Any = method_class(method).Config.from_mapping(dict(settings))
    if on_gpu(options):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    network = yardstick_of(method, config)
    load_into(network, networks_of(network, method), weights)
    network.to(options.device)
    batch = {name: to_unit(x) for name, x in pictures(method, config).items()}
    done = 0

    def turn() -> dict[str, Tensor]:
        nonlocal done
        losses = {}
        for _ in range(steps):
            seed_step(config.seed, done)
            losses = network.step({name: x.to(options.device) for name, x in batch.items()})
            done += 1
        return losses

    return turn


def networks_of(yardstick: Yardstick, method: str) -> dict[str, nn.Module]:
    names = ("G_A", "G_B", "D_A", "D_B") if method == "cyclegan" else ("G", "D")
    return {name: yardstick.get_submodule(name) for name in names}


class Unwatched(nullcontext[None]):
    """All modules together."""

    parents = frozenset({"Global"})


def flops(method: str, settings: Mapping[str, Any]) -> int:
    """Floating-point operations of the yardstick's step, multiplications and additions, of
    convolutions and products of matrices. Counted, not computed."""
    config: Any = method_class(method).Config.from_mapping(dict(settings))
    width, height = config.width_height
    with torch.device("meta"):
        network = yardstick_of(method, config)
        domains = method_class(method).domains
        batch = {domain: torch.empty(config.batch_size, 3, height, width) for domain in domains}
    counter = FlopCounterMode(display=False)
    # Its sums by module want hooks that refuse a gradient by an input, such as R1's.
    counter.mod_tracker = Unwatched()  # pyright: ignore[reportAttributeAccessIssue]
    with counter:
        network.step(batch)
    return counter.get_total_flops()


HEAD = (
    "training step",
    "batch",
    "ganvas, s",
    "yardstick, s",
    "times as fast",
    "by processor time",
    "ganvas, GiB",
    "yardstick, GiB",
    "TFLOP",
    "matrix peak, TFLOP/s",
    "ganvas at",
    "yardstick at",
)


def measured(training: Training, options: Options) -> Table:
    """One row: both sides in turn, and the matrix products that are this chip's measure."""
    settings, steps = training.with_options(options), GPU_STEPS if on_gpu(options) else 1
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.safetensors"
        first = made(training.method, settings)
        save_file(weights_of(first), weights)
        given = {"method": training.method, "settings": settings, "weights": weights}
        given |= {"options": options, "steps": steps}
        sides = [Side("ganvas", ours, given), Side("yardstick", theirs, given)]
        products = peaks(options)
        rounds = options.rounds or training.rounds
        found = alternate([*sides, *products], rounds, WARM_UP, options.threads)
    work = flops(training.method, settings)
    rates = {side.name: best(found[side.name], side) for side in products}
    return row(training.what, first.config.batch_size, found, work, rates, steps, options)


def row(
    what: str,
    batch_size: int,
    found: Mapping[str, Measured],
    work: int,
    rates: Mapping[str, float],
    steps: int,
    options: Options,
) -> Table:
    a, b = found["ganvas"], found["yardstick"]
    peak_of = {"ganvas": rates[options.precision], "yardstick": rates["fp32"]}
    shares = {name: work * steps / found[name].median / peak_of[name] for name in peak_of}
    cells = [
        what,
        str(batch_size),
        with_spread([s / steps for s in a.seconds]),
        with_spread([s / steps for s in b.seconds]),
        with_spread(ratios(b, a), "{:.2f}"),
        "" if on_gpu(options) else with_spread(processor_ratios(b, a), "{:.2f}"),
        gib(a),
        gib(b),
        f"{work / 1e12:.3g}",
        ", ".join(f"{name} {rate / 1e12:.3g}" for name, rate in rates.items()),
        f"{shares['ganvas']:.0%}",
        f"{shares['yardstick']:.0%}",
    ]
    figures = {
        "seconds": {name: [s / steps for s in found[name].seconds] for name in peak_of},
        "processor_seconds": {name: [s / steps for s in found[name].processor] for name in peak_of},
        "peak_bytes": {name: found[name].peak for name in peak_of},
        "flop": work,
        "flop_per_second": dict(rates),
        "shares": shares,
    }
    return Table("Training", HEAD, [cells], {what: figures})


def case(training: Training) -> Callable[[Options], Iterator[Table]]:
    def measure(options: Options) -> Iterator[Table]:
        yield measured(training, options)

    measure.__doc__ = f"Step of {training.what}, beside the yardstick's."
    return measure


CASES = {name: case(training) for name, training in TRAININGS.items()}
