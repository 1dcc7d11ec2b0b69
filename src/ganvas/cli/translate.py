"""`ganvas translate RUN INPUT... --out DIR`."""

import time
from pathlib import Path
from typing import Literal


def translate(
    run: Path,
    /,
    *inputs: str,
    out: Path,
    direction: Literal["AtoB", "BtoA"] = "AtoB",
    device: str = "auto",
    max_bad: int = 0,
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
        AtoB makes pictures like those in trainB out of pictures like those in trainA.
    device
        cpu, cuda, mps; auto takes the fastest that is there.
    max_bad
        Leave out up to so many pictures that cannot be read, and say which.
    """
    from rich.progress import track

    from ganvas.errors import InputError
    from ganvas.inference.load import load
    from ganvas.inference.translate import plan, translate_all

    if not inputs:
        raise InputError("translate: name at least one picture, folder or glob after the run")
    jobs = plan(list(inputs), out)
    method = load(run, device)
    started, left_out = time.perf_counter(), []
    results = translate_all(method, jobs, direction, max_bad)
    for _, problem in track(results, "translating", total=len(jobs), transient=True):
        if problem:
            left_out.append(problem)
    for problem in left_out:
        print(f"left out: {problem}")
    seconds = time.perf_counter() - started
    print(f"{len(jobs) - len(left_out)} pictures in {seconds:.1f} s, in {out}")
