"""Which metrics and extractors an evaluation has: those asked for, or those that need nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganvas.errors import InputError, did_you_mean
from ganvas.evaluation import inception, perceptual
from ganvas.evaluation.extractors import Extractor, random_extractor
from ganvas.evaluation.inception import InceptionExtractor, find_inception
from ganvas.evaluation.metrics import METRICS, Metric, chosen
from ganvas.evaluation.own import from_file
from ganvas.evaluation.paths import Styled
from ganvas.evaluation.perceptual import Lpips, find_backbone
from ganvas.methods.base import Direction, Method
from ganvas.methods.generator import Generator
from ganvas.methods.translator import Translator

OF_SETS = ("features", "logits", "patches", "few")
GENERATED = ("fd", "kd", "precision", "recall", "density", "coverage", "swd", "ms-ssim")
TRANSLATED = ("fd", "kd", "swd", "cycle", "identity")
PAIRED = ("l1", "psnr", "ssim")
CLASSES = ("pixel-accuracy", "class-accuracy", "class-iou")
EXTRACTORS = ("own", "random", "inception")


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to judge. What is left out is chosen by the method's kind."""

    metrics: Sequence[str] | None = None
    """Names in METRICS."""
    count: int = 1000
    """Pictures to generate, and the most of each kind that are looked at."""
    split: str | None = None
    """test, val or train; left out, the first of these that there is."""
    extractor: str = "own"
    """own, random, inception, or a file that an own one was kept in."""
    inception: Path | str | None = None
    """The file of Inception's weights; left out, one in the usual caches."""
    direction: Direction | None = None
    """Left out: all that were learnt."""
    paired: bool = False
    """Pictures of A and B with equal names belong together."""
    palette: str | None = None
    """Of the classes in label maps: a file, a list, or a known one. Left out, it is found."""
    truncation: float | None = None
    seed: int = 0
    skip_unfit: bool = False
    """Leave out metrics that were asked for and cannot be had, and say so, in place of refusing."""

    def __post_init__(self) -> None:
        if self.count < 4:
            raise InputError(f"--count {self.count}: must be at least 4")
        if not 0 <= self.seed <= 4000:
            raise InputError(f"--seed {self.seed}: must be from 0 to 4000")


@dataclass(frozen=True)
class Choice:
    """What will be measured, and sentences on what will not."""

    keys: list[str]
    said: list[str]
    directions: list[Direction]
    """None of a method that makes pictures from noise."""

    def needs(self, *kinds: str) -> list[str]:
        """The metrics that look at one of these."""
        return [key for key in self.keys if METRICS[key].needs in kinds]


def choose(method: Method, options: Options, paired: bool) -> Choice:
    """The metrics to compute.

    Raises:
        InputError: one that was asked for cannot be had.
    """
    directions = directions_of(method, options.direction)
    if options.truncation is not None and isinstance(method, Translator):
        raise InputError(f"--truncation {options.truncation:g}: {method.name} has none")
    if options.palette is not None and not isinstance(method, Translator):
        raise InputError(
            f"--palette {options.palette}: is for what translates label maps, and {method.name} "
            "makes pictures from noise"
        )
    if options.paired and not directions:
        raise InputError(f"--paired: is for what translates; leave it out for {method.name}")
    if options.paired and method.data == "domains":
        raise InputError(f"--paired: is for two domains, A and B; leave it out for {method.name}")
    if options.metrics is not None:
        keys = chosen(options.metrics)
        unfit = {
            key: reason
            for key in keys
            if (reason := obstacle(key, method, directions, paired, options))
        }
        if unfit and not options.skip_unfit:
            key, reason = next(iter(unfit.items()))
            raise InputError(f"--metrics {key}: {reason}")
        said = [f"{key}: left out, for it {reason}" for key, reason in unfit.items()]
        return Choice([key for key in keys if key not in unfit], said, directions)
    wanted = list(GENERATED if isinstance(method, Generator) else TRANSLATED)
    if paired and isinstance(method, Translator):
        wanted = [*PAIRED, "lpips", *wanted]
    if options.palette is not None:
        wanted = [*CLASSES, *wanted]
    if options.inception is not None or options.extractor == "inception":
        wanted = ["fid", "kid", *(key for key in wanted if key not in ("fd", "kd"))]
    said, keys = [], []
    for key in wanted:
        if not (reason := obstacle(key, method, directions, paired, options)):
            keys.append(key)
        elif METRICS[key].by:
            said.append(f"{key}: left out, for it {reason}")
    if "fid" not in keys:
        found = find_inception()
        reason = f"--inception {found} adds them" if found else inception.how_to_get()
        said.append(f"FID and KID: left out, for they take Inception's features; {reason}")
    return Choice(keys, said, directions)


def directions_of(method: Method, wanted: Direction | None) -> list[Direction]:
    """The ways that a method translates.

    Raises:
        InputError: it does not that way.
    """
    if not isinstance(method, Translator):
        if wanted is not None:
            raise InputError(
                f"--direction {wanted}: {method.name} makes pictures from noise; leave it out"
            )
        return []
    if wanted is not None:
        method.translator(method.way(wanted))
        return [wanted]
    return list(method.directions)


def obstacle(
    key: str, method: Method, directions: Sequence[Direction], paired: bool, options: Options
) -> str:
    """Why a metric cannot be had; empty where it can."""
    metric, needs = METRICS[key], METRICS[key].needs
    translates = isinstance(method, Translator)
    if needs in ("pairs", "cycle", "identity", "classes") and not translates:
        return f"is for what translates, and {method.name} makes pictures from noise"
    if needs in ("paths", "few") and translates:
        return f"is for pictures made from noise, and {method.name} translates"
    if needs == "paths" and "-w" in key and not isinstance(method, Styled):
        return f"goes by styles, and {method.name} has none; take {key.replace('-w', '-z')}"
    if needs == "pairs" and not paired:
        return "wants pairs; where equal names in A and B belong together, add --paired"
    if isinstance(method, Translator):
        both = set(method.directions) == set(method.ways)
        if needs == "classes" and method.data == "domains":
            return f"is for label maps A and photos B, and {method.name} knows no such domains"
        if needs == "cycle" and not both:
            return f"wants both directions, and this {method.name} has learnt one"
        if needs == "identity" and len(set(method.channels.values())) > 1:
            return "wants A and B with equal channels"
        if needs == "identity" and not both:
            return f"says nothing of {method.name}, which is shown no pictures of its target"
    return missing_weights(metric, options)


def missing_weights(metric: Metric, options: Options) -> str:
    """Which file of weights a metric wants, where there is none; empty where all are there."""
    if metric.by == "inception" and find_inception(options.inception) is None:
        return f"wants Inception's weights; {inception.how_to_get()}"
    if metric.by == "lpips" and find_backbone() is None:
        return f"wants the weights of VGG16; {perceptual.how_to_get()}"
    return ""


def extractors_for(
    keys: Sequence[str], options: Options, channels: int, size: tuple[int, int],
    own: Callable[[], Extractor],
) -> dict[str, Extractor]:  # fmt: skip
    """The extractors that these metrics look through, by what the table calls them: chosen and
    inception.

    Raises:
        InputError: there is none of that name.
    """
    found: dict[str, Extractor] = {}
    by = {METRICS[key].by for key in keys}
    if "chosen" in by:
        found["chosen"] = extractor_named(options, channels, size, own)
    if "inception" in by:
        taken = found.get("chosen")
        known = isinstance(taken, InceptionExtractor)
        found["inception"] = taken if taken and known else inception_of(options)
    return found


def extractor_named(
    options: Options, channels: int, size: tuple[int, int], own: Callable[[], Extractor]
) -> Extractor:
    name = options.extractor
    if name == "own":
        return own()
    if name == "random":
        return random_extractor(channels, size)
    if name == "inception":
        return inception_of(options)
    path = Path(name).expanduser()
    if not path.is_file():
        near = did_you_mean(name, list(EXTRACTORS))
        raise InputError(
            f"--extractor {name}: there is no such file; take {', '.join(EXTRACTORS)}{near}"
        )
    if (found := from_file(path)) is None:
        raise InputError(f"--extractor {name}: is no file that an own extractor was kept in")
    return found


def inception_of(options: Options) -> InceptionExtractor:
    place = find_inception(options.inception)
    if place is None:
        raise InputError(f"--extractor inception: has no weights; {inception.how_to_get()}")
    return InceptionExtractor(place)


def lpips_of(keys: Sequence[str]) -> Lpips | None:
    """LPIPS on VGG16, where a metric wants it."""
    place = find_backbone() if any(METRICS[key].by == "lpips" for key in keys) else None
    return Lpips(place) if place else None
