"""What this chip does at most: products of large matrices, measured in turn with the rest."""

import torch
from torch import Tensor

from benchmarks.tables import Options
from benchmarks.turns import Measured, Side, Turn

SIZES = {"cpu": 4096, "cuda": 8192}
GPU_PRODUCTS = 20
"""In a turn on a GPU, where one is too short to be measured."""


def product(size: int, dtype: torch.dtype, device: str, times: int) -> Turn:
    """Square matrices times one another; on a GPU those of float32 in TF32."""
    if device.startswith("cuda"):
        torch.backends.cuda.matmul.allow_tf32 = True
    a, b = torch.randn(2, size, size, device=device).to(dtype)
    out = torch.empty_like(a)

    def turn() -> Tensor:
        for _ in range(times):
            torch.mm(a, b, out=out)
        return out

    return turn


def peaks(options: Options) -> list[Side]:
    """By precision: fp32 always, bf16 where ganvas computes in it."""
    kind = options.device.partition(":")[0]
    given = {"size": SIZES.get(kind, 4096), "device": options.device}
    given |= {"times": GPU_PRODUCTS if kind == "cuda" else 1}
    found = [Side("fp32", product, {**given, "dtype": torch.float32})]
    if options.precision == "bf16":
        found.append(Side("bf16", product, {**given, "dtype": torch.bfloat16}))
    return found


def best(found: Measured, side: Side) -> float:
    """Operations a second, multiplications and additions, in the fastest turn."""
    size, times = side.arguments["size"], side.arguments["times"]
    return 2 * size**3 * times / min(found.seconds)
