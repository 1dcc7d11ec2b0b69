"""What several processes tell one another in a step, beside what the step computes: `python
benchmarks/bytes_averaged.py`. Nothing is computed: methods take their steps on tensors that have
shapes and no values. `docs/scaling.md` says what the columns are; the hardware is assumed here.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import flop_registry

from ganvas.clock import Clock
from ganvas.engine import buckets
from ganvas.memory import Copies, Tally, no_values
from ganvas.methods import METHODS, method_class
from ganvas.methods.adversarial import AdversarialSettings

PUBLISHED: dict[str, list[dict[str, Any]]] = {
    "stargan": [{"labels": 5}],
    "stylegan": [
        {"preset": "paper256", "at": 10000, "minibatch_dict": "none"},
        {"preset": "paper1024", "at": 10000, "minibatch_dict": "none"},
    ],
    "r3gan": [
        {"preset": "ffhq64", "batch_size": 32},
        {"preset": "ffhq256", "batch_size": 32},
        {"preset": "imagenet64", "batch_size": 64, "labels": 1000},
    ],
}
"""Where defaults do not say all: the kimg behind which a step is looked at, the number of classes
or domains, and batches of one GPU where the published ones are of several."""

PEAK, REACHED = 989e12, 0.4
"""FLOP/s of an H100 or H200 in dense bf16, and the part of them that a step is taken to reach."""
WITHIN = 450e9
"""Bytes a second, each way, between the GPUs of a node: NVLink 4."""
NETWORKS = {"8x400": 8 * 50e9, "100": 12.5e9, "10": 1.25e9}
"""Bytes a second, each way, of a node, by the Gb/s of what it is connected by."""
HOP_WITHIN, HOPS = 2e-6, {"8x400": 5e-6, "100": 20e-6, "10": 50e-6}
"""Seconds until a neighbour has heard, in a node and out of it."""
GPUS_A_NODE = 8


@dataclass(frozen=True)
class Step:
    """The mean of a period of steps, of one process."""

    label: str
    batch: int
    gradients: float
    """Bytes of gradients that are averaged, and of labels that are gathered."""
    more: float
    """Bytes that are averaged beside them: losses, vitals, running statistics."""
    messages: float
    """Averagings, each of which waits for the slowest."""
    flops: float
    backward: float
    """The part of the FLOPs that backward passes, in which gradients come to be, take."""

    @property
    def seconds(self) -> float:
        return self.flops / (PEAK * REACHED)


class Flops(Tally):
    """Counts them, by torch's formulas. torch's own counter does not go with penalties."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = super().__torch_dispatch__(func, types, args, kwargs)
        operation = func.overloadpacket
        if operation is torch.ops.aten.convolution_backward:
            self.total += backward_flops(*args)
        elif operation in flop_registry:
            self.total += flop_registry[operation](*args, **(kwargs or {}), out_val=result)
        return result


def backward_flops(grad: Tensor, x: Tensor, w: Tensor, *rest: Any) -> int:
    """Of a convolution: those of the forward pass for each gradient that is asked for. torch's
    formula forgets groups."""
    transposed, mask = rest[4], rest[7]
    places = (x if transposed else grad).shape[2:].numel()
    return 2 * len(grad) * places * w.numel() * sum(mask[:2])


def step_of(name: str, **given: Any) -> Step:
    """A method's step at these settings, behind its warm-up."""
    at, labels = given.pop("at", 0), given.pop("labels", 0)
    kind = method_class(name)
    preset = kind.Config.presets.get(given.get("preset", ""), {})
    config = kind.Config.from_mapping(preset | given)
    assert isinstance(config, AdversarialSettings)
    clock = Clock(1)
    clock.images = at * 1000
    count, (width, height) = config.batch_size_at(clock.images), config.width_height
    classes = [f"class {k}" for k in range(labels)]
    domains = kind.domains or tuple(classes)
    told, loop, backward = [], [], 0
    with no_values(), Flops() as counter:
        with Copies():
            method = kind(config, dict.fromkeys(domains, 3), classes)
        method.plan(clock)
        shape = (count, 3, height, width)
        batch = {domain: torch.empty(shape) for domain in domains}
        if classes and "pictures" in batch:
            batch["labels"] = torch.zeros(count, dtype=torch.long)
        method.even_out = told.append

        def joined(x: Tensor) -> Tensor:
            told.append([x])
            return x

        method.joined = joined
        descend = method.descend

        def counted(player: str, loss: Tensor | None = None) -> None:
            nonlocal backward
            before = counter.total
            descend(player, loss)
            backward += counter.total - before

        method.descend = counted
        method.stand_at(method.warmup_steps)
        steps = max(config.pace.numerator, config.pace.denominator)
        begun = counter.total
        for _ in range(steps):
            losses = method.step(batch)
            loop.append([*losses.values(), *method.vitals.values(), *method.running_statistics()])
        flops = counter.total - begun
        # One more of the loop's own, about when to stop.
        messages = sum(len(list(buckets(few))) for few in (*told, *loop)) + steps
    return Step(
        f"{given.get('preset', '')} {name} {width}x{height}".lstrip(),
        count,
        sum(t.nbytes for few in told for t in few) / steps,
        sum(t.nbytes for few in loop for t in few) / steps,
        messages / steps,
        flops / steps,
        backward / flops,
    )


def averaging(step: Step, gpus: int, network: str) -> float:
    """Seconds that all averagings of a step take, one behind the other: a ring in each node, and
    between nodes a ring for what is large and a tree for what is small."""
    inside, nodes = min(gpus, GPUS_A_NODE), ceil(gpus / GPUS_A_NODE)
    size = step.gradients + step.more
    seconds = ring(inside) * size / WITHIN + ring(nodes) * size / NETWORKS[network]
    hops = 2 * (inside - 1) * HOP_WITHIN + 2 * ceil(log2(nodes)) * HOPS[network]
    return seconds + step.messages * hops


def ring(count: int) -> float:
    """How often each byte leaves each of them."""
    return 2 * (count - 1) / count


def efficiency(step: Step, gpus: int, network: str) -> tuple[float, float]:
    """The part of the time in which GPUs compute, with batches that grow with them: as it is, and
    with averaging that hides behind backward passes as far as these are long."""
    alone, more = step.seconds, averaging(step, gpus, network)
    hidden = min(more, step.backward * alone)
    return alone / (alone + more), alone / (alone + more - hidden)


def all_steps(names: Sequence[str]) -> Iterator[Step]:
    for name in names:
        for given in PUBLISHED.get(name, [{}]):
            yield step_of(name, **given)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("methods", nargs="*", default=list(METHODS))
    steps = list(all_steps(parser.parse_args().methods))
    print("| | pictures | MB averaged | messages | GFLOP | backward | ms | GB/s for 90 % |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for s in steps:
        enough = 2 * (s.gradients + s.more) / (s.seconds / 9) / 1e9
        print(
            f"| {s.label} | {s.batch} | {(s.gradients + s.more) / 1e6:.1f} | {s.messages:.1f} | "
            f"{s.flops / 1e9:,.0f} | {s.backward:.2f} | {s.seconds * 1e3:.2f} | {enough:,.0f} |"
        )
    places = [(8, "8x400"), *((n, network) for n in (64, 512) for network in NETWORKS)]
    print("\n| |", " | ".join(f"{n}, {network}" if n > 8 else str(n) for n, network in places), "|")
    print("| --- |", " | ".join("---" for _ in places), "|")
    for s in steps:
        found = [efficiency(s, *place) for place in places]
        shown = [f"{100 * now:.0f}, {100 * overlapped:.0f}" for now, overlapped in found]
        print(f"| {s.label} |", " | ".join(shown), "|")


if __name__ == "__main__":
    main()
