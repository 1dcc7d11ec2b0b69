"""Settings shared by all methods: plain values, typed, checked once, in and out as YAML.

A method's `Config` extends `Settings` with the paper's own. Every class here is a group of the
command line's help, and the text under a field is that option's help.
"""

import ast
import inspect
import math
import re
import textwrap
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    Self,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import yaml

from ganvas.clock import Clock, Duration
from ganvas.errors import InputError, did_you_mean
from ganvas.schedules import Policy, Schedule

MAX_THREADS = 1024
HAIR = 1e-9
"""Of a step: what rounding may add to a whole number of them."""
Preprocess = Literal[
    "resize_and_crop", "crop", "scale_width", "scale_width_and_crop", "center_crop", "none"
]


class Stage(NamedTuple):
    """A part of a training, all of whose steps are on pictures of one size, as many each."""

    name: str
    first: int
    """Images shown before it."""
    size: tuple[int, int]
    """Width and height that the networks work at."""


@dataclass(kw_only=True)
class PictureSettings:
    """Pictures"""

    data: str = ""
    """Folder, zip, or sample:NAME with the pictures to train on."""
    size: str = "256"
    """What the network sees: N or WxH, in pixels."""
    load_size: str | None = None
    """Size that pictures are resized to before the crop: N or WxH.
    Left out: 286/256 of the size, with center_crop the size itself."""
    preprocess: Preprocess = "resize_and_crop"
    """How pictures come to size. center_crop scales until they cover it and takes the middle;
    scale_width keeps the shape, none only rounds to the network's stride: both want batch size 1
    unless all pictures are alike."""
    resizing: Literal["pillow", "torch"] = "pillow"
    """Whose bicubic filter brings RGB of 8 bits to size: torch's is four times as fast, and 1 value
    in 250 (up to 1 in 7 of pictures higher than wide) is a level off. center_crop takes pillow's.
    """
    alpha: Literal["white", "black", "channel"] = "white"
    """What becomes of alpha: laid over white or black, or one channel more for the networks."""
    flip: bool = True
    """Mirror every second picture at random."""
    serial_batches: bool = False
    """Take pictures in the order of their names (A and B at the same place): no shuffling."""
    max_pictures: int | None = None
    """Use only the first so many pictures of each domain; where they lie in class folders, of all
    classes in turn."""
    hold_out: int = 0
    """Keep so many pictures of each domain out of training, to judge by them: always the same."""
    max_bad: int = 0
    """Skip up to so many unreadable pictures of a domain, or pairs, and say which; one more stops
    the training before it begins."""
    cache: Literal["auto", "memory", "none"] = "auto"
    """Keep decoded pictures in memory; auto does so when they fit into half of what is free."""


@dataclass(kw_only=True)
class BeginningSettings:
    """Beginning"""

    init: str | None = None
    """Begin with trained weights: a run, a snapshot, or weights files of other projects, several
    with commas between or by a pattern in quotes. Left out: with weights drawn by chance."""
    warmup: str | None = None
    """How long only discriminators learn at first, such as 500it or 1ep; 0: not at all.
    Left out: 500it, at most a tenth of the duration, where --init has no discriminators, else 0."""


@dataclass(kw_only=True)
class ScheduleSettings:
    """Length and learning rate"""

    batch_size: int = 1
    """Pictures of each domain in one step."""
    duration: str = "200ep"
    """How long to train: 200ep, 50000it, 25000kimg, 90min or 2h."""
    lr_policy: Policy = "linear"
    """What the learning rate does: linear (constant, then down to zero), step (a tenth every
    decay-every), plateau (a fifth when an epoch's loss stops falling), cosine, constant."""
    decay: str | None = None
    """The part at the end in which linear lowers the rate. Left out: half of the duration."""
    decay_every: str = "50ep"
    """The period of the step policy."""
    ema: str | None = None
    """Half-life of an exponential moving average of the generators' weights, such as 10kimg;
    previews and results then use it. Left out: none is kept."""
    ema_rampup: float = 0.05
    """That half-life is at most this part of the images seen so far (Karras et al. 2020, ADA); 0:
    it is the whole from the start."""


@dataclass(kw_only=True)
class WatchSettings:
    """Log, previews and snapshots"""

    out: str | None = None
    """The run directory to make. Left out: runs/00000-METHOD-DATA, counted up."""
    log_every: str = "100it"
    """A line in log.jsonl, loss_log.txt and TensorBoard."""
    preview_every: str | None = None
    """A grid of fixed pictures in samples/. Left out: a fortieth of the duration."""
    previews: int = 4
    """Fixed inputs in that grid."""
    snapshot_every: str | None = None
    """A numbered snapshot in snapshots/. Left out: a fortieth of the duration."""
    latest_every: str = "10min"
    """How often snapshots/latest is renewed in between."""
    keep: int = 5
    """Numbered snapshots to keep, the newest ones; 0 keeps all."""
    tensorboard: bool = True
    """Write TensorBoard events, where the tensorboard package is installed."""


@dataclass(kw_only=True)
class EvaluationSettings:
    """Evaluation while training"""

    eval_every: str | None = None
    """Judge the networks by real pictures: lines in metrics.jsonl, and the best networks so far in
    snapshots/best. Left out: never."""
    eval_metrics: str | None = None
    """What to measure, with commas between, by the names of `ganvas evaluate`. Left out: all that
    fit and need no download."""
    eval_count: int = 500
    """Pictures to generate for it, and the most of the real ones to look at."""
    best_by: str | None = None
    """The metric by which networks are the best so far; of both directions, by their mean. Left
    out: kd, or the first of --eval-metrics."""
    keep_best: int = 1
    """How many of the best to keep: snapshots/best, and where that is more than one, the next ones
    as best-TIME."""
    inception: str | None = None
    """The file of Inception's weights, for fid, kid and is. Left out: looked for where other
    packages keep it."""
    patience: int = 0
    """End the training when so many evaluations in a row have found nothing better; 0: do not."""


@dataclass(kw_only=True)
class MachineSettings:
    """Machine"""

    seed: int = 0
    """Initial weights, order, pairing, crops and noise all follow from it."""
    device: str = "auto"
    """cpu, cuda, cuda:1, mps; auto takes the fastest that is there."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16 computes convolutions in bfloat16; norms and losses stay in float32."""
    compile: bool = False
    """Train with networks that torch.compile has made, where no penalty on gradients goes through
    them: minutes before the first steps."""
    checkpoint_activations: bool = False
    """Keep of what networks compute only a part for the backward, and compute the rest again there:
    less memory, the same numbers, more time."""
    workers: int | None = None
    """Processes that decode pictures when these do not fit into memory. Left out: up to 4."""
    threads: int | None = None
    """Threads of the CPU to compute with. Left out: torch decides."""


@dataclass(kw_only=True)
class Settings(
    MachineSettings,
    EvaluationSettings,
    WatchSettings,
    ScheduleSettings,
    BeginningSettings,
    PictureSettings,
):
    """Everything that every method's training needs to know."""

    has_ticks: ClassVar[bool] = False
    """Whether there are ticks: intervals whose length goes by what is trained (`ticks_at`)."""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Settings that go together, by the name that `preset` gives where a method has that."""

    def __post_init__(self) -> None:
        types = get_type_hints(type(self))
        for field in fields(self):
            value = coerce(getattr(self, field.name), types[field.name], field.name)
            setattr(self, field.name, value)
        self.check()

    def check(self) -> None:
        """Refuse values that no training can have.

        Raises:
            InputError: names the option and the mend.
        """
        spans = ("duration", "decay_every", "log_every", "latest_every")
        left_out = ("decay", "ema", "preview_every", "snapshot_every", "eval_every")
        for name in (*spans, *left_out):
            if (text := getattr(self, name)) is not None:
                Duration.parse(text, option_name(name))
        counted = {n: getattr(self, n) for n in ("duration", "decay", "decay_every", "ema")}
        for name, span in (counted | {"warmup": self.warmup_span}).items():
            if span is not None and Duration.parse(str(span)).unit == "tick":
                raise InputError(
                    f"--{option_name(name)} {span}: is not counted in ticks; take kimg"
                )
        for name in ("log_every", "latest_every", "preview_every", "snapshot_every", "eval_every"):
            text = getattr(self, name)
            if text and not self.has_ticks and Duration.parse(text).unit == "tick":
                raise InputError(
                    f"--{option_name(name)} {text}: this method has no ticks; take kimg"
                )
        for name, span in (("ema", self.ema), ("warmup", self.warmup_span)):
            if span is not None and Duration.parse(str(span)).is_time:
                raise InputError(f"--{name} {span}: wants ep, it or kimg; time differs by machine")
        pair_of_numbers(self.size, "size")
        if self.load_size is not None:
            pair_of_numbers(self.load_size, "load_size")
        small = any(a < b for a, b in zip(self.load_width_height, self.width_height, strict=True))
        if small and self.preprocess in ("resize_and_crop", "center_crop"):
            raise InputError(f"--load-size {self.load_size}: must not be below --size {self.size}")
        for name, least in (
            ("batch_size", 1),
            ("previews", 1),
            ("keep", 0),
            ("max_bad", 0),
            ("hold_out", 0),
        ):
            self.at_least(name, least)
        for name, least in (("eval_count", 4), ("keep_best", 1), ("patience", 0)):
            self.at_least(name, least)
        self.at_least("ema_rampup", 0)
        for name in ("workers", "threads", "max_pictures"):
            if getattr(self, name) is not None:
                self.at_least(name, 0 if name == "workers" else 1)
        if self.threads is not None and self.threads > MAX_THREADS:
            raise InputError(f"--threads {self.threads}: must be at most {MAX_THREADS}")
        if self.eval_every is None:
            wanted = {"eval_metrics", "eval_count", "best_by", "keep_best", "patience"}
            wanted.add("inception")
            if idle := wanted & set(self.changed()):
                raise InputError(
                    f"--{option_name(min(idle))}: wants --eval-every too, such as --eval-every "
                    "10kimg"
                )
        if self.compile and self.checkpoint_activations:
            raise InputError(
                "--compile: decides itself what is computed again in the backward; leave out "
                "--checkpoint-activations, or --compile"
            )
        if not 0 <= self.seed < 2**32:
            raise InputError(f"--seed {self.seed}: must be from 0 to below 2^32")
        if self.decay is not None and self.decay_span.unit != self.span.unit:
            raise InputError(f"--decay {self.decay}: wants the unit of --duration {self.duration}")
        if self.decay is not None and self.decay_span.amount > self.span.amount:
            raise InputError(f"--decay {self.decay}: is longer than --duration {self.duration}")

    def check_size(self, width: int, height: int, what: str) -> None:
        """Raise InputError where the networks cannot train on that size; `what` has it."""

    def check_whole(self, sizes: set[tuple[int, int]]) -> None:
        """Raise InputError where the networks cannot train on pictures of these sizes, (width,
        height), which they see whole."""

    def at_least(self, name: str, least: float) -> None:
        if getattr(self, name) < least:
            raise InputError(
                f"--{option_name(name)} {getattr(self, name)}: must be at least {least:g}"
            )

    def below_one(self, name: str) -> None:
        if not 0 <= getattr(self, name) < 1:
            raise InputError(
                f"--{option_name(name)} {getattr(self, name):g}: must be from 0 to below 1"
            )

    def above_zero(self, name: str) -> None:
        if getattr(self, name) <= 0:
            raise InputError(f"--{option_name(name)} {getattr(self, name):g}: must be above 0")

    def shaped_by(self, player: str) -> tuple[str, ...]:
        """The settings that say how the networks of a player, G or D, are built: with others,
        trained weights do not fit."""
        return ()

    def channels_of(self, domain: str) -> int | None:
        """How many channels that domain's pictures are taken with; None: as they are."""
        return None

    def range_of(self, domain: str) -> str | None:
        """Which of that domain's values become -1 and 1; None: 8 bits by their type, others as
        measured."""
        return None

    @property
    def colorizes(self) -> bool:
        """Whether colour pictures are taken for pairs of lightness and colour."""
        return False

    @property
    def stride(self) -> int:
        """What widths and heights must be multiples of for these networks."""
        return 1

    @property
    def smallest_translated(self) -> int:
        """The least height and width that networks which translate take."""
        return 1

    def batch_size_at(self, images: int) -> int:
        """Pictures of each domain in the step behind so many images."""
        return self.batch_size

    def steps_to(self, images: float) -> int:
        """How many steps, from the beginning, show so many images."""
        return math.ceil(images / self.batch_size - HAIR)

    def ticks_at(self, images: int) -> int:
        """How many ticks have ended behind so many images; without ticks always 0."""
        return 0

    def half_life_at(self, whole: float, clock: Clock) -> float:
        """The half-life of the average, in images, in the step behind which the clock stands:
        `whole` is what --ema says."""
        return min(whole, clock.images * self.ema_rampup) if self.ema_rampup else whole

    @property
    def stages(self) -> list[Stage]:
        """The parts of the training, from the beginning."""
        return [Stage("training", 0, self.width_height)]

    @classmethod
    def suits(cls, width: int, height: int, batch_size: int | None = None) -> dict[str, Any]:
        """The settings of the preset `auto` for pictures of that size, by the method's own rule;
        with that batch, or the largest that the rule has. None where there is no such preset."""
        return {}

    @property
    def size_step(self) -> int:
        """What a size that is suggested should be a multiple of."""
        return self.stride

    @property
    def span(self) -> Duration:
        return Duration.parse(self.duration)

    @property
    def warmup_span(self) -> Duration | None:
        """How long only discriminators learn at first; None where they do not."""
        if self.warmup is None or re.fullmatch(r"0+(\.0*)?(ep|it|kimg)?", self.warmup.strip()):
            return None
        return Duration.parse(self.warmup, "warmup")

    @property
    def decay_span(self) -> Duration:
        return Duration.parse(self.decay, "decay") if self.decay else self.span * 0.5

    def interval(self, name: str) -> Duration:
        """The interval of that setting; a fortieth of the duration where it was left out."""
        text = getattr(self, name)
        return Duration.parse(text, option_name(name)) if text else self.span * (1 / 40)

    @property
    def schedule(self) -> Schedule:
        return Schedule(
            self.lr_policy, self.span, self.decay_span, Duration.parse(self.decay_every)
        )

    @property
    def width_height(self) -> tuple[int, int]:
        return pair_of_numbers(self.size, "size")

    @property
    def load_width_height(self) -> tuple[int, int]:
        """What pictures are resized to; where that is below the size, crops enlarge it."""
        if self.load_size is not None:
            return pair_of_numbers(self.load_size, "load_size")
        width, height = self.width_height
        if self.preprocess == "center_crop":
            return width, height
        return (round(width * 286 / 256), round(height * 286 / 256))

    def changed(self) -> list[str]:
        """Names of the settings that are not at their defaults."""
        return [f.name for f in fields(self) if getattr(self, f.name) != default_of(f)]

    @classmethod
    def from_mapping(cls, mapping: dict[str, Any], source: str = "") -> Self:
        """From names (hyphens or underscores) to values, as YAML or Python gives them.

        Raises:
            InputError: an unknown name or a value of the wrong kind, named with its source.
        """
        known = [f.name for f in fields(cls)]
        values = {str(key).replace("-", "_"): value for key, value in mapping.items()}
        try:
            for name in values:
                if name not in known:
                    raise InputError(f"there is no setting {name!r}{did_you_mean(name, known)}")
            return cls(**values)
        except InputError as error:
            raise InputError(f"{source}: {error}" if source else str(error)) from None


def default_of(field: Field[Any]) -> Any:
    return None if field.default is MISSING else field.default


def option_name(field_name: str) -> str:
    """`lambda_A` -> `lambda-A`."""
    return field_name.replace("_", "-")


def pair_of_numbers(text: str, name: str) -> tuple[int, int]:
    """Read `256` or `256x192` as (width, height)."""
    match = re.fullmatch(r"(\d+)(?:[xX](\d+))?", text.strip())
    if match is None or int(match[1]) < 1 or int(match[2] or match[1]) < 1:
        raise InputError(
            f"--{option_name(name)} {text}: wants N or WxH in pixels, such as 256 or 256x192"
        )
    return int(match[1]), int(match[2] or match[1])


def coerce(value: Any, kind: Any, name: str) -> Any:
    """Bring a value from YAML, Python or the command line to the field's type.

    Needed because YAML reads `1e-4` as text and `256` as a number, and Python callers pass paths.
    """
    option = f"--{option_name(name)} {value}"
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        options = [k for k in get_args(kind) if k is not NoneType]
        return None if value is None else coerce(value, options[0], name)
    if origin is Literal:
        choices = [str(choice) for choice in get_args(kind)]
        if str(value) not in choices:
            raise InputError(
                f"{option}: must be one of {', '.join(choices)}{did_you_mean(str(value), choices)}"
            )
        return str(value)
    if kind is bool:
        if isinstance(value, bool):
            return value
        raise InputError(f"{option}: must be true or false")
    if kind in (int, float):
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if isinstance(value, bool) or not math.isfinite(number) or (kind is int and number % 1):
            raise InputError(f"{option}: must be a {'whole ' if kind is int else ''}number")
        # Not through float where it is whole already: large seeds would lose their last digits.
        return value if isinstance(value, kind) else kind(number)
    if isinstance(value, str | int | float | Path) and not isinstance(value, bool):
        return str(value)
    raise InputError(f"{option}: must be text")


@dataclass(frozen=True)
class Option:
    """One setting, as help and documentation show it."""

    name: str
    kind: Any
    default: Any
    help: str
    group: str


@cache
def options_of(config: type[Settings]) -> tuple[Option, ...]:
    """Every setting of a method: the method's own first, then the shared groups."""
    types = get_type_hints(config)
    defaults = {f.name: default_of(f) for f in fields(config)}
    found: dict[str, Option] = {}
    for owner in config.__mro__:
        if owner is Settings or not hasattr(owner, "__dataclass_fields__"):
            continue
        for name, text in field_texts(owner).items():
            if name not in found:
                group = inspect.cleandoc(owner.__doc__ or owner.__name__).splitlines()[0]
                found[name] = Option(name, types[name], defaults[name], text, group)
    # A method may set another default for a shared setting without telling its text again.
    order = [owner.__doc__ for owner in reversed(Settings.__mro__)]
    own = [o for o in found.values() if o.group not in order]
    shared = [o for o in found.values() if o.group in order]
    return (*own, *sorted(shared, key=lambda o: order.index(o.group)))


def field_texts(owner: type) -> dict[str, str]:
    """The docstring that stands under each field of a class."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    texts = {}
    for statement, following in pairwise(body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            match following:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    texts[statement.target.id] = " ".join(inspect.cleandoc(text).split())
    return texts


def read_settings_file(path: Path) -> dict[str, Any]:
    """The settings in a YAML file: a run's config.yaml, or plain `name: value` lines.

    Raises:
        InputError: no such file, or not a mapping.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise InputError(f"--config {path}: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"--config {path}: is not YAML ({' '.join(str(error).split())})") from None
    if isinstance(content, dict) and isinstance(content.get("settings"), dict):
        content = content["settings"]
    if not isinstance(content, dict):
        raise InputError(f"--config {path}: wants lines of the form `name: value`")
    return content
