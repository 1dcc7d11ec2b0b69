"""What would fail after the trainings, found before them: how rows are judged, and in which
directions tables are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

from ganvas.bench.plan import TO_LABELS, TO_PHOTO, WAYS, Plan
from ganvas.config import coerce
from ganvas.data.held_out import PARTS
from ganvas.errors import InputError, did_you_mean
from ganvas.evaluation.choosing import CLASSES, EXTRACTORS, Options, missing_weights
from ganvas.evaluation.metrics import METRICS
from ganvas.evaluation.palette import read_palette
from ganvas.methods import method_class
from ganvas.methods.translator import Translator


def checked(judged: Mapping[str, Any]) -> dict[str, Any]:
    """Options of an evaluation as their types want them, without those that are null.

    Raises:
        InputError: no evaluation can have them.
    """
    kinds = get_type_hints(Options)
    try:
        given = {
            name: value if name == "metrics" else coerce(value, kinds[name], name)
            for name, value in judged.items()
            if value is not None
        }
        options = Options(**given)
        if options.split is not None and options.split not in PARTS:
            raise InputError(f"--split {options.split}: must be {' or '.join(PARTS)}")
        if options.palette is not None:
            read_palette(options.palette)
        named = options.extractor in EXTRACTORS
        if not named and not Path(options.extractor).expanduser().is_file():
            near = did_you_mean(options.extractor, list(EXTRACTORS))
            raise InputError(
                f"--extractor {options.extractor}: there is no such file; take "
                f"{', '.join(EXTRACTORS)}{near}"
            )
        for key in options.metrics or ():
            if reason := missing_weights(METRICS[key], options):
                raise InputError(f"--metrics {key}: {reason}")
    except InputError as error:
        raise InputError(f"judged: {error}") from None
    return given


def check_tables(plan: Plan) -> None:
    """Raises InputError: a table is in a direction that there is not, or in one that cannot be
    known."""
    kinds = [method_class(row.method) for row in plan.rows]
    named = any(issubclass(kind, Translator) and kind.data == "domains" for kind in kinds)
    for table in plan.tables:
        direction = table.direction
        words = (TO_PHOTO, TO_LABELS)
        if direction is not None and not named and direction not in (*WAYS, *words):
            near = did_you_mean(direction, [*WAYS, *words])
            raise InputError(
                f"{table.title}: direction: {direction}: must be {', '.join((*WAYS, *words))}{near}"
            )
        if direction in words and plan.labels is None and not set(CLASSES) & set(plan.computed):
            raise InputError(
                f"{table.title}: direction: {direction}: no classes are scored that would tell "
                "where the label maps are; say --labels A or --labels B"
            )
