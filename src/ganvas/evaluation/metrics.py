"""Every metric: what it is called, what it needs, which way is better, and its formula's place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from ganvas.errors import InputError, did_you_mean
from ganvas.evaluation.frechet import frechet_distance
from ganvas.evaluation.gallery import Gallery
from ganvas.evaluation.inception_score import inception_score
from ganvas.evaluation.kernel import kernel_distance
from ganvas.evaluation.pairs import l1, psnr
from ganvas.evaluation.prdc import density_coverage, precision_recall
from ganvas.evaluation.results import Better
from ganvas.evaluation.sliced_wasserstein import patch_distance
from ganvas.evaluation.ssim import likeness, scales, ssim

Needs = Literal[
    "features", "logits", "patches", "few", "pairs", "cycle", "identity", "paths", "classes"
]
By = Literal["", "chosen", "inception", "lpips"]
PUBLISHED = 50_000
FEWEST = 50
DIRECTIONS = 256


@dataclass(frozen=True)
class Measured:
    value: float
    error: float | None = None
    details: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Metric:
    title: str
    better: Better
    needs: Needs
    compute: Callable[..., Any]
    """Of features, logits, patches and few: (real, fake, extractor's name) galleries to Measured.
    Of pairs, cycle and identity: (x, y) in [0, 1] to (N,). Of paths: see `paths.py`. Of classes:
    what `segmentation_scores` gives."""
    paper: str
    about: str
    by: By = ""
    """Whose features it looks at."""
    on_inception: str = ""
    """What it is called on the features of the known Inception, and on no others."""


def frechet(real: Gallery, fake: Gallery, by: str) -> Measured:
    x, y = real.features(by), fake.features(by)
    least, notes = min(len(x), len(y)), []
    if least <= x.shape[1]:
        notes.append(
            f"of {least} pictures, no more than the {x.shape[1]} features: the covariance is "
            "singular, and the value depends on the count; compare only values of equal counts"
        )
    elif by == "inception" and least < PUBLISHED:
        notes.append(f"published FIDs are of {PUBLISHED:,} pictures; fewer make it larger")
    return Measured(frechet_distance(x, y), notes=notes)


def kernel(real: Gallery, fake: Gallery, by: str) -> Measured:
    return Measured(*kernel_distance(real.features(by), fake.features(by)))


def manifolds(which: int, k: int, compute: Callable[[Tensor, Tensor, int], tuple[float, float]]):
    """Precision or recall, density or coverage, of as many pictures of each kind."""

    def measured(real: Gallery, fake: Gallery, by: str) -> Measured:
        x, y = real.features(by), fake.features(by)
        n = min(len(x), len(y))
        return Measured(compute(x[:n], y[:n], k)[which], details={"k": k, "of each": n})

    return measured


def score(real: Gallery, fake: Gallery, by: str) -> Measured:
    note = "means something for pictures of ImageNet's kinds only, such as CIFAR-10"
    return Measured(*inception_score(fake.logits(by)), details={"splits": 10}, notes=[note])


def swd(real: Gallery, fake: Gallery, by: str) -> Measured:
    x, y = real.patches(), fake.patches()
    if len(x) != len(y):
        raise ValueError("generated and real pictures are not of one size")
    levels = list(zip(x, y, strict=True))
    found = [1000 * patch_distance(x, y, DIRECTIONS) for x, y in levels]
    named = {f"level {n}, of 0 the finest": round(value, 4) for n, value in enumerate(found)}
    return Measured(sum(found) / len(found), details=named | {"directions": DIRECTIONS})


def alike(real: Gallery, fake: Gallery, by: str) -> Measured:
    x, labels = fake.few()
    of_fake, of_real = likeness(x, labels), likeness(*real.few())
    error = float(of_fake.std() / len(of_fake) ** 0.5)
    real_value = float(of_real.mean())
    notes = ["pictures are as varied as real ones where it equals the value of real pictures"]
    details = {"of real pictures": round(real_value, 5), "scales": scales(x.shape[2:])}
    return Measured(float(of_fake.mean()), error, details | {"pairs": len(of_fake)}, notes)


def mean(each: Tensor) -> Measured:
    """Of one number a picture, (N,): their mean, and its standard error."""
    each = each.double()
    error = float(each.std() / len(each) ** 0.5) if len(each) > 1 else None
    return Measured(float(each.mean()), error)


def seen(score: str) -> Callable[[dict[str, Any]], Measured]:
    """One of the three numbers of `segmentation_scores`, beside what can be reached and chance."""

    def measured(found: dict[str, Any]) -> Measured:
        chance = found["chance"] and found["chance"][score]
        details = {"upper bound": found["upper_bound"][score], "chance": chance}
        kind = {"class_accuracy": "accuracy", "class_iou": "iou"}.get(score)
        if kind:
            details |= {name: one[kind] for name, one in found["per_class"].items()}
        return Measured(found[score], details=details, notes=found["notes"])

    return measured


HEUSEL = "Heusel et al. 2017, GANs Trained by a Two Time-Scale Update Rule, eq. 6"
BINKOWSKI = "Binkowski et al. 2018, Demystifying MMD GANs, eq. 4"
KYNKAANNIEMI = "Kynkaanniemi et al. 2019, Improved Precision and Recall Metric"
NAEEM = "Naeem et al. 2020, Reliable Fidelity and Diversity Metrics, eq. 5"
KARRAS = "Karras et al. 2019, A Style-Based Generator Architecture, section 4.1"
ZHU = "Zhu et al. 2017, Unpaired Image-to-Image Translation"

METRICS: dict[str, Metric] = {
    "fid": Metric(
        "FD", "lower", "features", frechet, HEUSEL,
        "Frechet distance on Inception's features", "inception", "FID",
    ),
    "kid": Metric(
        "KD", "lower", "features", kernel, BINKOWSKI,
        "kernel distance on Inception's features", "inception", "KID",
    ),
    "is": Metric(
        "IS", "higher", "logits", score, "Salimans et al. 2016, Improved Techniques, section 4",
        "Inception score", "inception", "IS",
    ),
    "fd": Metric(
        "FD", "lower", "features", frechet, HEUSEL,
        "Frechet distance on the extractor's features", "chosen", "FID",
    ),
    "kd": Metric(
        "KD", "lower", "features", kernel, BINKOWSKI,
        "kernel distance on the extractor's features", "chosen", "KID",
    ),
    "precision": Metric(
        "precision", "higher", "features", manifolds(0, 3, precision_recall), KYNKAANNIEMI,
        "the part of generated pictures that lie among real ones", "chosen",
    ),
    "recall": Metric(
        "recall", "higher", "features", manifolds(1, 3, precision_recall), KYNKAANNIEMI,
        "the part of real pictures that lie among generated ones", "chosen",
    ),
    "density": Metric(
        "density", "higher", "features", manifolds(0, 5, density_coverage), NAEEM,
        "in how many real neighbourhoods a generated picture lies, by k", "chosen",
    ),
    "coverage": Metric(
        "coverage", "higher", "features", manifolds(1, 5, density_coverage), NAEEM,
        "the part of real pictures that have a generated one near by", "chosen",
    ),
    "swd": Metric(
        "SWD", "lower", "patches", swd, "Karras et al. 2018, Progressive Growing, section 5",
        "sliced Wasserstein distance of patches, times 1000",
    ),
    "ms-ssim": Metric(
        "MS-SSIM", "", "few", alike, "Odena et al. 2017, Auxiliary Classifier GANs, section 4",
        "how alike generated pictures are",
    ),
    "l1": Metric(
        "L1", "lower", "pairs", l1, "Isola et al. 2017, eq. 3",
        "mean absolute difference from the true picture, as a part of the range",
    ),
    "psnr": Metric(
        "PSNR", "higher", "pairs", psnr, "ISO/IEC 29170", "peak signal to noise, in dB"
    ),
    "ssim": Metric(
        "SSIM", "higher", "pairs", ssim, "Wang et al. 2004, Image Quality Assessment",
        "structural similarity to the true picture",
    ),
    "lpips": Metric(
        "LPIPS", "lower", "pairs", l1, "Zhang et al. 2018, The Unreasonable Effectiveness",
        "perceptual distance from the true picture", "lpips",
    ),
    "cycle": Metric(
        "cycle error", "lower", "cycle", l1, f"{ZHU}, eq. 2",
        "mean absolute difference of a picture from itself, there and back",
    ),
    "identity": Metric(
        "identity error", "lower", "identity", l1, f"{ZHU}, section 5.2",
        "mean absolute difference that a picture of the target domain is changed by",
    ),
}  # fmt: skip
for part, told in {
    "pixel_accuracy": "the part of all pixels that show their class",
    "class_accuracy": "the part of each class's pixels that show it, the mean over classes",
    "class_iou": "intersection over union of each class, the mean over classes",
}.items():
    METRICS[part.replace("_", "-")] = Metric(
        part.replace("_", " "), "higher", "classes", seen(part),
        "Long et al. 2015, Fully Convolutional Networks, section 5", told,
    )  # fmt: skip
for space, end in (("z", "full"), ("w", "full"), ("z", "end"), ("w", "end")):
    where = f"{'the whole way' if end == 'full' else 'ends of ways'} in {space}"
    METRICS[f"ppl-{space}{end}"] = Metric(
        f"PPL-{space}{end}", "lower", "paths", mean, KARRAS,
        f"perceptual path length, {where}, by LPIPS on VGG16", "lpips",
    )  # fmt: skip
    METRICS[f"pl-{space}{end}"] = Metric(
        f"PL-{space}{end}", "lower", "paths", mean, KARRAS,
        f"path length, {where}, by the extractor's features", "chosen",
    )  # fmt: skip


def chosen(names: Sequence[str]) -> list[str]:
    """Names of metrics, as they are asked for, each once.

    Raises:
        InputError: there is no such metric.
    """
    found = []
    for name in names:
        key = name.strip().lower().replace("_", "-")
        if key not in METRICS:
            raise InputError(
                f"--metrics {name}: there is no such metric{did_you_mean(key, list(METRICS))}; "
                f"there are {', '.join(METRICS)}"
            )
        found.append(key)
    if not found:
        raise InputError(f"--metrics: names none; there are {', '.join(METRICS)}")
    return list(dict.fromkeys(found))


def name_on(metric: Metric, extractor: str) -> str:
    """What a result is called: a published name only where all is as published."""
    if metric.by in ("", "lpips"):
        return metric.title
    if extractor == "inception" and metric.on_inception:
        return metric.on_inception
    return f"{metric.title}-{extractor}"


def on_few(real: int, fake: int) -> list[str]:
    least = min(real, fake)
    return [f"of {least} pictures only: chance is large"] if least < FEWEST else []
