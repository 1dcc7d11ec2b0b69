"""The preset `auto`: settings by the size of the pictures and by the memory that is free.

What suits a size is the method's to say (`Settings.suits`); what memory holds is found out here.
"""

from collections.abc import Callable
from typing import Any

from ganvas.config import option_name, pair_of_numbers
from ganvas.data.layouts import recognise
from ganvas.data.sources import open_source
from ganvas.data.suggest import typical_side
from ganvas.data.survey import Seen, look_at_all
from ganvas.engine import Engine
from ganvas.errors import InputError
from ganvas.memory import free_on, step_memory
from ganvas.methods.base import Method

AUTO = "auto"
LOOKED_AT = 64
"""Pictures that are read to learn what sizes there are."""
LARGEST, SMALLEST = 256, 32
"""The sizes between which it picks one."""
PARTS = {"cuda": (0.8, "four fifths"), "cpu": (1 / 3, "a third")}
"""How much of the memory that is free a step may take by its estimate. A CPU's libraries take up to
twice as much as is estimated."""
GIB = 2**30


def picked(
    kind: type[Method], given: dict[str, Any], said: Callable[[str], object]
) -> dict[str, Any]:
    """The settings that the method's rule has for these pictures, with the batch halved until
    memory holds its step, or with the batch given. None where all are given.

    Raises:
        InputError: there are no pictures, or a value given cannot be.
    """
    if not kind.Config.suits(LARGEST, LARGEST).keys() - given.keys():
        return {}
    seen, classes = looked_at(str(given.get("data", "")))
    if "size" in given:
        width, height = pair_of_numbers(str(given["size"]), "size")
    else:
        width = height = size_for(seen)
        said(f"--preset auto: --size {width}, the largest of 32, 64, 128 and 256 that they fill")
    channels = max(s.channels for s in seen)
    classes = classes if given.get("conditional") else ()
    device = Engine.start(str(given.get("device", "auto"))).device
    part, spoken = PARTS.get(device.type, PARTS["cpu"])
    free = free_on(device)

    def trial(batch: int | None) -> tuple[dict[str, Any], float]:
        """Settings for that batch, and the bytes that a step with them takes."""
        settings = kind.Config.suits(width, height, batch)
        config = kind.Config.from_mapping({"preset": AUTO} | settings | given)
        each = {domain: config.channels_of(domain) or channels for domain in kind.domains}
        return settings, float(step_memory(kind, config, each, classes))

    asked = given.get("batch_size")
    settings, need = trial(None if asked is None else whole(asked))
    first, wanted = settings["batch_size"], need
    while asked is None and need > part * free and settings["batch_size"] > 1:
        settings, need = trial(settings["batch_size"] // 2)
    batch = settings["batch_size"]
    of = f"{free / GIB:.1f} GiB free"
    why = f"takes an estimated {need / GIB:.1f} GiB of {of}"
    if batch < first:
        why = (
            f"since {first} would take an estimated {wanted / GIB:.1f} GiB, more than {spoken} of "
            f"{of}"
        )
    elif asked is not None:
        why = f"as given; it {why}"
    follow = " ".join(
        f"--{option_name(n)} {settings[n]}" for n in ("r1_gamma", "ema") if n not in given
    )
    said(f"--preset auto: --batch-size {batch}, {why}; it brings {follow or 'nothing more'}")
    if need > part * free:
        said(
            f"--batch-size {batch}: takes an estimated {need / GIB:.1f} GiB, more than {spoken} of "
            f"{of}; a smaller --size takes less"
        )
    return settings


def looked_at(source: str) -> tuple[list[Seen], tuple[str, ...]]:
    """Some of the pictures, spread over all, and the names of their classes.

    Raises:
        InputError: none of them can be used.
    """
    # A built-in set is drawn at any size.
    entries = open_source(source, (64, 64))
    layout = recognise(entries)
    some = list(entries)[:: max(1, len(entries) // LOOKED_AT)]
    seen = [s for s in look_at_all(some) if not s.problem]
    if not seen:
        raise InputError(f"--data {source}: none of {len(some)} pictures looked at can be used")
    return seen, tuple(layout.parts) if layout.kind == "labelled" else ()


def size_for(seen: list[Seen]) -> int:
    """The largest power of two that most pictures fill, within bounds."""
    side = max(typical_side([s.size for s in seen], LARGEST), SMALLEST)
    return 2 ** (side.bit_length() - 1)


def whole(batch: Any) -> int:
    """The batch size given.

    Raises:
        InputError: it is no such number.
    """
    try:
        count = int(batch)
    except (TypeError, ValueError):
        count = 0
    if count < 1:
        raise InputError(f"--batch-size {batch}: must be a whole number from 1 on")
    return count
