"""What a training's numbers and pictures say about its health: sentences with what to try.

Numbers are looked at when a line is logged (`diagnose_numbers`), pictures when a preview is drawn
(`diagnose_pictures`). Thresholds lie between what healthy trainings have shown and what trainings
broken on purpose have: docs/doctor.md has the figures.
"""

import math
import re
from dataclasses import fields
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ganvas.config import Settings, option_name

Row = dict[str, Any]
"""What is remembered of a log line: a method's vitals, and what `row_of` adds."""

LINES, STEPS = 3, 100
"""Log lines that must agree before scores are a reason to say something, and the steps that they
must cover. Players of healthy trainings overtake each other for shorter than that."""
ALWAYS = 0.999
"""Part of the pairs in which a discriminator that has won scores the real picture higher. Healthy
ones do so too for a while: `SURE` must be reached as well."""
SURE = {
    "lsgan": 0.99,
    "vanilla": 14.0,
    "vanilla-saturating": 10.0,
    "logistic": 14.0,
    "logistic-saturating": 10.0,
    "hinge": 2.0,
    "rpgan": 8.0,
}
"""How far apart, on average, the scores of a discriminator that has won are; with lsgan as a part
of the distance of its labels. Over three lines healthy DCGANs stayed below 0.97 (lsgan), 12.5
(vanilla), 5.5 (rpgan); where generators could not learn it was 0.997, 16, 9.6. At 10 a saturating
generator has 0.7 % of its gradient left. Hinge asks for no more than 2: there `IDLE` must be
reached too."""
IDLE = 0.01
"""Gradient of discriminators, as a part of the generators', below which they have nothing left to
learn: with hinge it was 0.003 and less then, 0.04 and more where generators still learnt."""
FOOLED = 0.3
"""The greatest part of the pairs in which a discriminator that is losing scores the real picture
higher. It guesses at 0.5, where the end of all training is; over three lines healthy ones came down
to 0.47 (CycleGAN with wgan), those too slow for their generator to 0.09 and less."""
ALIKE = 0.1
"""Variety of generated pictures, as a part of that of real ones, below which they are all alike.
Translations of healthy CycleGANs had more than 0.4."""
INFANCY = 100_000
"""Images for which pictures made from noise may be all alike: DCGANs that did well in the end began
with a variety of 0.04 to 0.1, for up to 30,000 images."""
DEAD = 0.01
"""Variety below which generators are dead, after `STEPS` steps: all others had 0.03 and more."""
GROWN, LOST = 0.5, 0.5
"""Pictures from noise whose variety was `GROWN` once, and is now below `LOST` of the most it was,
have collapsed. Healthy ones kept 0.7 of it; one that had not grown fell from 0.45 to 0.22, and
recovered."""
SHAPED = 0.3
"""Variety below which pictures from noise are not yet like anything, and so like each other."""
DUPLICATE, DUPLICATES = 0.1, 0.25
"""Duplicates are pictures nearer to another one than this part of what real ones are, by their
median; this part of a batch is too many. Healthy batches that were `SHAPED` had less than a tenth,
those from a single latent number nothing else."""
INVERTED = -0.5
"""Correlation of the brightness of translations with that of their inputs below which dark and
light have changed places. Healthy ones had 0.06 and more, inverted ones -0.95."""
COPIED = 0.05
"""Mean difference, of a range of 2, below which translations are their inputs: 6 of 255 levels.
Healthy ones had 0.3 and more."""
ENOUGH, CROWD, MOST = 3, 16, 128
"""Pictures from which on something can be said, from which on duplicates can be counted, and how
many are looked at."""


# Numbers


class Scores(NamedTuple):
    """A discriminator's in one log line: their means, and how often a real one is the higher."""

    real: float
    fake: float
    order: float
    idle: bool
    """Whether discriminators had nothing left to learn."""

    @classmethod
    def of(cls, name: str, row: Row) -> "Scores":
        """Those of that discriminator; where it did not move, it has none that compare."""
        real, fake, order = (row.get(f"{name} {of}", math.nan) for of in ("real", "fake", "order"))
        D, G = row.get("D gradient", math.nan), row.get("G gradient", math.nan)
        return cls(real, fake, order, D <= IDLE * G)


def row_of(
    vitals: dict[str, float], iterations: int, young: bool, skipped: int, skipped_at: dict[str, int]
) -> Row:
    """What to remember of a log line: its vitals, whether it was too early to worry, how many steps
    were skipped up to then, and the last one of each player."""
    own = {"iterations": iterations, "young": young, "skipped": skipped, "skipped_at": skipped_at}
    return vitals | own


def remember(rows: list[Row], row: Row) -> list[Row]:
    """The last few log lines with one more: as few as `LINES` and `STEPS` ask for."""
    rows = [*rows, row]
    while len(rows) > LINES and row["iterations"] - rows[1]["iterations"] >= STEPS:
        rows = rows[1:]
    return rows


def diagnose_numbers(rows: list[Row], config: Settings) -> list[str]:
    """Sentences on the last log lines, as `remember` keeps them."""
    found = on_skipped(rows, config)
    steps = rows[-1]["iterations"] - rows[0]["iterations"]
    if len(rows) < LINES or steps < STEPS or any(row["young"] for row in rows):
        return found
    for name in (key.removesuffix(" order") for key in rows[-1] if key.endswith(" order")):
        lines = [Scores.of(name, row) for row in rows]
        found += on_winning(name, lines, config) or on_losing(name, lines, config)
    return found


def on_skipped(rows: list[Row], config: Settings) -> list[str]:
    """Steps skipped since the log line before."""
    row, before = rows[-1], rows[-2] if len(rows) > 1 else {"iterations": 0, "skipped": 0}
    last = {p: step for p, step in row["skipped_at"].items() if step > before["iterations"]}
    if not last:
        return []
    count = row["skipped"] - before["skipped"]
    steps = "1 step was" if count == 1 else f"{count} steps were"
    players = " and of ".join(f"{player} (last in step {step})" for player, step in last.items())
    tips = ideas(
        config,
        "--precision fp32" if config.precision == "bf16" else "",
        "a lower --lr",
        "another --objective",
    )
    return [
        f"{steps} skipped since the last log line: gradients of {players} were not finite; if this "
        f"goes on, {tips}"
    ]


def on_winning(name: str, lines: list[Scores], config: Settings) -> list[str]:
    """A discriminator so sure that generators learn nothing from it; with wgan, whose scores never
    are, one that nothing holds."""
    kind, apart = objective(config), sum(s.real - s.fake for s in lines) / len(lines)
    if not apart >= sure(config):
        return []
    if kind == "wgan":
        return [
            f"{name} runs away: it scores real pictures {number(apart)} above generated ones, more "
            "than one whose slope is bounded could at this size; "
            f"{ideas(config, penalty(config, 'gp'), '--clip 0.01')}"
        ]
    if not all(s.order >= ALWAYS and (s.idle or kind != "hinge") for s in lines):
        return []
    plain = kind.removesuffix("-saturating")
    tips = ideas(
        config,
        f"--objective {plain}" if plain != kind else "",
        "--d-steps 1" if getattr(config, "pace", 1) > 1 else "",
        balanced(config, faster=False),
        "" if getattr(config, "r1_gamma", 0) else penalty(config, "r1-gamma"),
    )
    return [
        f"{name} wins: it scores real pictures above generated ones in {percent(lines[-1].order)} "
        f"of all pairs, by {number(apart)} on average, and generators learn next to nothing from "
        f"it; {tips}"
    ]


def on_losing(name: str, lines: list[Scores], config: Settings) -> list[str]:
    """A discriminator that takes generated pictures for the real ones."""
    if not all(s.order <= FOOLED for s in lines):
        return []
    pace = getattr(config, "pace", 1)
    tips = ideas(
        config,
        f"--d-steps {1 if pace < 1 else 2 * pace}",
        balanced(config, faster=True),
    )
    return [
        f"{name} loses: it scores real pictures above generated ones in only "
        f"{percent(lines[-1].order)} of all pairs, worse than guessing, and misleads generators; "
        f"{tips}"
    ]


def sure(config: Settings) -> float:
    """How far apart mean scores must be for a discriminator to have won, by its objective."""
    name, (width, height) = objective(config), config.width_height
    real, fake = getattr(config, "real_label", 1.0), getattr(config, "fake_label", 0.0)
    if name == "wgan":
        # No slope of 1 gives more to pictures that differ by half of the range everywhere.
        return getattr(config, "gp_target", 1.0) * math.sqrt(3 * width * height)
    if name == "lsgan":
        return SURE[name] * (real - fake)
    if name.startswith("vanilla"):
        # With soft labels the best scores are not far out: the labels' own logits.
        return min(SURE[name] / 2, logit(real)) + min(SURE[name] / 2, -logit(fake))
    return SURE.get(name, math.inf)


# Pictures


def diagnose_pictures(
    pictures: dict[str, Tensor], config: Settings, images: int, most: float = 0.0
) -> list[str]:
    """Sentences on a preview: pictures (N, C, H, W) in [-1, 1] by name.

    A pair `real_X`, `fake_Y` that follow each other are inputs and their translations. `fake` and
    `real_pictures` are those made from noise and real ones to compare them with; `images` is how
    long the training has lasted, `most` the most variety that they have had (see `variety_of`).
    """
    found = on_noise(pictures, config, images, most)
    for name, following in pairwise(pictures):
        if re.match(r"real_", name) and re.match(r"fake_", following):
            source, target = name.removeprefix("real_"), following.removeprefix("fake_")
            real = pictures.get(f"real_{target}")
            way = f"{source} -> {target}"
            found += on_translation(way, pictures[name], pictures[following], real, config)
    return found


def variety_of(pictures: dict[str, Tensor]) -> float | None:
    """How much pictures from noise differ from one another, as a part of what real ones do; None
    where there are none, or too few to say."""
    fake, real = pictures.get("fake"), pictures.get("real_pictures")
    if fake is None or real is None or min(len(fake), len(real)) < ENOUGH or not variety(real):
        return None
    return variety(fake) / variety(real)


def on_noise(pictures: dict[str, Tensor], config: Settings, images: int, most: float) -> list[str]:
    """What is wrong with pictures made from noise."""
    if (now := variety_of(pictures)) is None:
        return []
    fake, real = pictures["fake"][:MOST], pictures["real_pictures"][:MOST]
    tips = ideas(
        config,
        f"--nz 100 (now {getattr(config, 'nz', 0)})" if getattr(config, "nz", 100) < CROWD else "",
        "" if getattr(config, "r1_gamma", 0) else penalty(config, "r1-gamma"),
        "a lower --lr",
        "another --objective",
    )
    # More than real ones have, as wild colours of a beginning do, is nothing to lose.
    if most >= GROWN and now < LOST * min(most, 1.0):
        return [
            f"generated pictures have lost their variety: {percent(now)} of what real ones have, "
            f"after {percent(most)} (collapse); earlier snapshots are still good, for a new "
            f"training {tips}"
        ]
    dead = now < DEAD and images >= STEPS * config.batch_size
    if dead or (now < ALIKE and images >= INFANCY):
        return [
            f"generated pictures are all nearly the same: they have {percent(now)} of the variety "
            f"of real ones (collapse); {tips}"
        ]
    if now >= SHAPED and min(len(fake), len(real)) >= CROWD:
        usual = nearest(real).median()
        share = float((nearest(fake) < DUPLICATE * usual).float().mean())
        real_share = float((nearest(real) < DUPLICATE * usual).float().mean())
        if share - real_share >= DUPLICATES:
            return [
                f"{percent(share)} of the generated pictures are nearly the same as another one "
                f"(partial collapse); {tips}"
            ]
    return []


def on_translation(
    way: str, x: Tensor, y: Tensor, real: Tensor | None, config: Settings
) -> list[str]:
    """What is wrong with translations `y` of inputs `x`, beside `real` pictures of the target."""
    if len(x) < ENOUGH:
        return []
    # Inputs that hardly differ may give translations that hardly do.
    least = min(variety(x), variety(x if real is None else real))
    if variety(y) < ALIKE * least:
        larger = (
            "larger --lambda-A and --lambda-B",
            "a larger --lambda-L1",
            "a larger --lambda-reg",
            "a larger --lambda-feature",
        )
        tips = ideas(config, *larger, "a lower --lr")
        return [
            f"{way}: all inputs give nearly the same picture ({percent(variety(y) / least)} of the "
            f"variety of real ones: collapse); earlier snapshots are still good, for a new "
            f"training {tips}"
        ]
    if x.shape[2:] != y.shape[2:]:
        return []
    # Of pairs the truth is known, and may itself be a copy or a negative; of others it is neither.
    truth = [real] if real is not None and real.shape == y.shape else []
    identity = getattr(config, "lambda_identity", 0.0)
    if (distance := apart(x, y)) < COPIED and not any(apart(x, t) < COPIED for t in truth):
        tips = ideas(
            config,
            f"a lower --lambda-identity (now {identity:g})" if identity else "",
            "smaller --lambda-A and --lambda-B",
            "a smaller --lambda-reg",
            "a smaller --lambda-feature",
            "more time",
        )
        return [
            f"{way}: translations are copies of their inputs (they differ by "
            f"{percent(distance / 2)} of the range); {tips}"
        ]
    if (alike := likeness(x, y)) < INVERTED and not any(likeness(x, t) < INVERTED for t in truth):
        tips = ideas(
            config,
            "another --seed",
            f"a larger --lambda-identity (now {identity:g})" if x.shape == y.shape else "",
        )
        return [
            f"{way}: light and dark have changed places (colour inversion: brightness correlates "
            f"with that of inputs by {alike:.1f}), which seldom mends itself; start again, {tips}"
        ]
    return []


def variety(pictures: Tensor) -> float:
    """How much pictures differ from one another: the mean standard deviation of a pixel."""
    return float(pictures.float().std(0).mean())


def nearest(pictures: Tensor) -> Tensor:
    """Each picture's distance to the one nearest to it, (N,)."""
    flat = pictures.float().flatten(1)
    # The quicker way by a product of matrices is not exact where pictures are nearly the same.
    apart = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")
    return apart.fill_diagonal_(math.inf).amin(1)


def apart(a: Tensor, b: Tensor) -> float:
    """The mean difference of pixels; of brightness where the channels differ."""
    a, b = (a, b) if a.shape == b.shape else (grey(a), grey(b))
    return float((a.float() - b.float()).abs().mean())


def likeness(a: Tensor, b: Tensor) -> float:
    """The mean over pictures of the correlation of their brightness."""
    a, b = ((p - p.mean((1, 2, 3), keepdim=True)).flatten(1) for p in map(grey, (a, b)))
    return float(torch.cosine_similarity(a, b).mean())


def grey(pictures: Tensor) -> Tensor:
    return pictures.float().mean(1, keepdim=True)


# Sentences


def ideas(config: Settings, *things: str) -> str:
    """`try this, that or another`: those things whose options the method has."""
    able = {option_name(field.name) for field in fields(config)}
    kept = [thing for thing in things if thing and able.issuperset(options_in(thing))]
    *first, last = kept or ["another --seed"]
    return f"try {', '.join(first)}{' or ' if first else ''}{last}"


def options_in(text: str) -> list[str]:
    """The names of the options that it speaks of."""
    return re.findall(r"--([A-Za-z][\w-]*)", text)


def objective(config: Settings) -> str:
    return getattr(config, "objective", "")


def balanced(config: Settings, faster: bool) -> str:
    """Learning rates for discriminators that shall learn faster, or slower, than they do."""
    lr, rate = getattr(config, "lr", 0.0), getattr(config, "rate_D", 0.0)
    if rate != lr and (rate < lr) == faster:
        return f"equal --lr and --lr-D (now {lr:g} and {rate:g})"
    return f"--lr-D {rate * 2 if faster else rate / 4:g} (now {rate:g})"


def penalty(config: Settings, name: str) -> str:
    """That penalty at its paper's weight, which wants discriminators without batch norm."""
    batch = getattr(config, "norm_D", "") == "batch"
    return f"--{name} 10" + (" with --norm-D layer" if batch else "")


def logit(label: float) -> float:
    """The raw score whose sigmoid is that label."""
    if not 0 < label < 1:
        return math.inf if label >= 1 else -math.inf
    return math.log(label / (1 - label))


def percent(part: float) -> str:
    return f"{100 * part:.2g} %" if part < 0.995 else f"{100 * part:.0f} %"


def number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"
