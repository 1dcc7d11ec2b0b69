"""`ganvas compare RUN RUN ...`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.cli.directions import Direction
from ganvas.cli.numbers import Whole

if TYPE_CHECKING:
    from ganvas.evaluation.compare import Comparison

PAGE, MOST_SEEDS, WIDEST = "compare.html", 64, 1000


def compare(
    *runs: Path,
    out: Path | None = None,
    overwrite: bool = False,
    json: bool = False,
    inputs: list[str] | None = None,
    direction: Direction = None,
    seeds: str = "0-7",
    count: Whole = 6,
    device: str = "auto",
) -> None:
    """Show runs side by side: a table here, and a page with curves and pictures.

    Parameters
    ----------
    runs
        Run directories, or snapshots in them such as RUN/snapshots/best.
    out
        The page, or the folder to write it into. Left out: compare.html in the current folder.
    overwrite
        Write over a page that is there.
    json
        Print everything as JSON instead of the table; the page is then written only with --out.
    inputs
        Of runs that translate: files, folders or globs to put through each, whole. Left out:
        pictures of the first run's data, the test part where there is one.
    direction
        Of runs that translate. Left out: all that are learnt; of --inputs the first of them.
    seeds
        Of runs that make pictures from noise: numbers and ranges, such as 0-3,7.
    count
        Pictures to translate at most; 0 puts none through any run, and makes none of noise.
    device
        cpu, cuda, mps; auto takes the fastest that is there.
    """
    from ganvas.cli.comparison_table import tables_of
    from ganvas.errors import InputError
    from ganvas.evaluation.compare import compare as read
    from ganvas.inference.generate import seeds_of
    from ganvas.inference.jobs import pictures_in
    from ganvas.inference.side_by_side import Wanted

    if count < 0:
        raise InputError(f"--count {count}: must be at least 0")
    shown = seeds_of(seeds)
    if len(shown) > MOST_SEEDS:
        raise InputError(f"--seeds {seeds}: are more than {MOST_SEEDS}, too many to look at")
    place = None if json and out is None else page_at(out, overwrite)
    files = [path for text in inputs or () for path, _ in pictures_in(text)][:count]
    comparison = read(runs)
    if files and not any(translates(side.config.get("method")) for side in comparison.sides):
        raise InputError(
            f"--inputs {files[0]}: none of these runs translates pictures; leave it out"
        )
    wanted = Wanted(shown, files, direction, count, device)
    if json:
        from json import dumps

        print(dumps(comparison.told(), indent=1))
    else:
        from rich.console import Console

        # In a file lines are as long as they are.
        console = Console(width=None if sys.stdout.isatty() else WIDEST)
        console.print(tables_of(comparison.told()))
    if place is not None:
        write_page(place, comparison, wanted)
        if not json:
            print(f"page: {place}")


def translates(method: object) -> bool:
    from ganvas.methods import METHODS, method_class
    from ganvas.methods.translator import Translator

    return method in METHODS and issubclass(method_class(str(method)), Translator)


def page_at(out: Path | None, overwrite: bool) -> Path:
    """Where the page goes.

    Raises:
        InputError: something is there, or it is no place for a page.
    """
    from ganvas.errors import InputError

    place = Path(PAGE) if out is None else out.expanduser()
    if place.is_dir() or place.suffix.lower() not in (".html", ".htm"):
        place = place / PAGE
    if place.exists() and not overwrite:
        raise InputError(
            f"--out {place}: exists and is not overwritten; choose another --out, or add "
            "--overwrite"
        )
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {place}: cannot be written ({error.strerror})") from None
    return place


def write_page(place: Path, comparison: "Comparison", wanted: Any) -> None:
    from ganvas.errors import InputError
    from ganvas.inference.side_by_side import Shown, side_by_side
    from ganvas.runs.comparison_page import write_comparison

    sides = [(side.name, side.snapshot) for side in comparison.sides if side.snapshot is not None]
    shown = side_by_side(sides, wanted) if wanted.most else Shown([], [])
    sheets = [
        sheet._asdict() | {"columns": [c._asdict() for c in sheet.columns]}
        for sheet in shown.sheets
    ]
    try:
        write_comparison(
            place, comparison.told(), comparison.curves(), comparison.tones(), sheets, shown.notes
        )
    except OSError as error:
        raise InputError(f"--out {place}: cannot be written ({error.strerror})") from None
