"""How metrics agree with their reference libraries and closed forms, the largest relative
difference over 20 draws each: `python benchmarks/metrics.py`. With a run, also how long it takes to
judge it once and again: `python benchmarks/metrics.py RUN`.
"""

import argparse
import resource
import time
from collections import defaultdict
from typing import Any

import numpy as np
import pytorch_msssim
import torch
import torch.nn.functional as F
from scipy.stats import wasserstein_distance
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

import ganvas
from ganvas.evaluation.choosing import Options
from ganvas.evaluation.evaluate import Judge
from ganvas.evaluation.frechet import frechet_distance
from ganvas.evaluation.inception_score import inception_score
from ganvas.evaluation.kernel import kernel_distance
from ganvas.evaluation.pairs import psnr
from ganvas.evaluation.prdc import precision_recall
from ganvas.evaluation.sliced_wasserstein import wasserstein
from ganvas.evaluation.ssim import ms_ssim, ssim

DRAWS, COUNT = 20, 500
chance = torch.Generator().manual_seed(0)
worst: dict[str, float] = defaultdict(float)


def note(name: str, found: float, expected: Any) -> None:
    difference = abs(found - float(expected)) / max(abs(float(expected)), 1e-30)
    worst[name] = max(worst[name], difference)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=chance, dtype=torch.float64)


def features(count: int, width: int, shift: float) -> Tensor:
    return normal(count, width) @ normal(width, width) / width**0.5 + shift


def with_variances(variances: Tensor, shift: float) -> Tensor:
    """Features whose unbiased covariance is exactly diagonal."""
    x = normal(300, len(variances))
    x = x - x.mean(0)
    root = torch.linalg.inv(torch.linalg.cholesky(x.T @ x / 299))
    return x @ root.T * variances.sqrt() + shift


def of_features(draw: int) -> None:
    count, other, width = np.random.RandomState(draw).randint([60, 60, 4], [400, 400, 50]).tolist()
    x, y = features(count, width, 0), features(other, width, 0.2)
    few = min(count, other)
    a, b = (fid_features_to_statistics(z) for z in (x, y))
    told = fid_statistics_to_metric(a, b, False)["frechet_inception_distance"]
    note("Frechet, torch-fidelity", frechet_distance(x, y), told)
    u, v = (torch.rand(width, generator=chance).double() + 0.1 for _ in range(2))
    expected = (u.sqrt() - v.sqrt()).square().sum() + width * 0.25
    note(
        "Frechet, closed form",
        frechet_distance(with_variances(u, 0), with_variances(v, 0.5)),
        expected,
    )
    x, y = x[:few], y[:few]
    kid = kid_features_to_metric(x, y, kid_subsets=1, kid_subset_size=few, verbose=False)
    note("kernel, torch-fidelity", kernel_distance(x, y)[0], kid["kernel_inception_distance_mean"])
    x, y = x.float(), y.float()
    told = prc_features_to_metric(y, x, verbose=False)
    precision, recall = precision_recall(x, y)
    note("precision, torch-fidelity", precision, told["precision"])
    note("recall, torch-fidelity", recall, told["recall"])
    logits = 2 * normal(count, 20)
    told = isc_features_to_metric(logits)["inception_score_mean"]
    note("Inception score, torch-fidelity", inception_score(logits)[0], told)
    p, q = normal(1, count), normal(1, other)
    note(
        "Wasserstein on the line, SciPy",
        float(wasserstein(p, q)),
        wasserstein_distance(p[0], q[0]),
    )


def of_pictures() -> None:
    x = F.avg_pool2d(torch.rand(1, 3, 192, 208, generator=chance).double(), 3, 1, 1)
    y = (x + 0.1 * normal(*x.shape)).clamp(0, 1)
    told: Any = structural_similarity(
        x[0].numpy(),
        y[0].numpy(),
        channel_axis=0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1,
    )
    note("SSIM, scikit-image", float(ssim(x, y)), told)
    told = peak_signal_noise_ratio(x[0].numpy(), y[0].numpy(), data_range=1)
    note("PSNR, scikit-image", float(psnr(x, y)), told)
    told = pytorch_msssim.ms_ssim(x, y, data_range=1)
    note("MS-SSIM, pytorch-msssim", float(ms_ssim(x, y)), told)


def seconds(run: str) -> None:
    """Wall-clock and processor time of judging by 500 pictures with the metrics of default."""
    method = ganvas.load(run, "cpu")
    judge = Judge(method, None, Options(count=COUNT))
    for name in ("the first time", "again"):
        wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
        judge(method)
        used = resource.getrusage(resource.RUSAGE_SELF).ru_utime - before
        print(f"| {name} | {time.perf_counter() - wall:.1f} s | {used:.1f} s |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", nargs="?", help="a trained run, to see how long judging takes")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for draw in range(DRAWS):
        of_features(draw)
        of_pictures()
    print("| metric, reference | largest relative difference |\n| --- | --- |")
    for name, difference in worst.items():
        print(f"| {name} | {difference:.1e} |")
    if given.run:
        print("\n| judging | wall | CPU |\n| --- | --- | --- |")
        seconds(given.run)


if __name__ == "__main__":
    main()
