"""`ganvas translate RUN INPUT... --out DIR`."""

import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Literal

from ganvas.cli.directions import Direction
from ganvas.cli.formats import PictureFormat
from ganvas.cli.numbers import MaybeWhole, Whole


def translate(
    run: Path,
    /,
    *inputs: str,
    out: Path,
    direction: Direction = None,
    side_by_side: bool = False,
    format: PictureFormat | None = None,
    depth: Literal["8", "16"] | None = None,
    alpha: Literal["keep", "drop"] = "keep",
    tile: MaybeWhole = None,
    overlap: MaybeWhole = None,
    device: str = "auto",
    max_bad: Whole = 0,
    skip_existing: bool = False,
) -> None:
    """Translate pictures: the same size, depth and format out as in.

    Parameters
    ----------
    run
        A run directory, a snapshot in it, or a weights file.
    inputs
        Files, folders (with their subfolders) and globs: all pictures in them.
    out
        The folder to write into; names and subfolders are kept.
    direction
        AtoB makes pictures like those in trainB out of pictures like those in trainA, and is what
        is done where this is left out. Of many domains it is the one to translate into.
    side_by_side
        The inputs show A and B side by side: translate the half that the direction begins with.
    format
        What to write. Left out: the input's own format, or the nearest that holds the result.
    depth
        Bits of the result's values. Left out: as many as the input's.
    alpha
        keep gives the result its input's alpha; drop leaves it out.
    tile
        Translate in windows of so many pixels a side, for pictures larger than memory; the result
        is the same. Left out: only where a picture would not fit.
    overlap
        Not needed: tiles overlap by what each layer sees, so that none shows.
    device
        cpu, cuda, mps; auto takes the fastest that is there.
    max_bad
        Leave out up to so many pictures that cannot be read, and say which.
    skip_existing
        Leave out pictures whose results are there: goes on with a call that was stopped.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

    from ganvas.bars import Watched
    from ganvas.engine import Processes
    from ganvas.errors import InputError
    from ganvas.inference.flow import Asked, translate_all
    from ganvas.inference.jobs import depth_of, misfit, plan, results_of, usable
    from ganvas.inference.load import load
    from ganvas.inference.translate import translator_of

    if not inputs:
        raise InputError("translate: name at least one picture, folder or glob after the run")
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: is a file; name a folder to write into")
    if tile is not None and tile < 1:
        raise InputError(f"--tile {tile}: must be at least 1")
    processes = Processes.join()
    if overlap is not None and processes.first:
        print("--overlap: left aside; tiles overlap by what each layer sees, so that none shows")
    method = translator_of(load(run, device, together=True))
    way = method.way(direction)
    method.translator(way)
    if side_by_side and method.data == "domains":
        raise InputError(f"--side-by-side: is for A and B; leave it out for {method.name}")
    results = results_of(method, way)
    kind = depth_of(depth, results)
    jobs = plan(list(inputs), out, results, skip_existing, format, kind)
    half = ("A" if way == "AtoB" else "B") if side_by_side else None
    fits = partial(misfit, method, way, depth=kind)
    jobs, bad = usable(jobs, max_bad, half, fits, processes)
    share = jobs[processes.index :: processes.count]
    asked = Asked(method, way, half, alpha == "keep", tile, kind)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    started = time.perf_counter()
    with Watched(*columns, shown=processes.first) as progress:
        say = partial(progress.console.print, markup=False, highlight=False, soft_wrap=True)
        tiles = progress.add_task("", total=100, visible=False)

        def on_tile(part: float) -> None:
            progress.update(tiles, completed=round(100 * part), visible=part < 1)

        with closing(translate_all(asked, share, say, on_tile)) as found:
            done = sum(1 for _ in progress.track(found, len(share)))
    everywhere = sum(processes.gathered(done))
    if not processes.first:
        return
    for problem in bad.values():
        print(f"left out: {problem}")
    seconds = time.perf_counter() - started
    print(f"{everywhere} picture{'s' * (everywhere != 1)} in {seconds:.1f} s, in {out}")
