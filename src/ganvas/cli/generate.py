"""`ganvas generate RUN --seeds 0-15 --out DIR`."""

import time
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ganvas.cli.formats import PictureFormat
from ganvas.cli.numbers import MaybeNumber, MaybeWhole, Whole

Noise = Literal["const", "random", "none"]
Format = Literal["gif", "mp4"] | PictureFormat


def generate(
    run: Path,
    /,
    *,
    out: Path,
    seeds: str = "0-15",
    label: Annotated[str | None, Parameter(name="--class")] = None,
    truncation: MaybeNumber = None,
    truncation_cutoff: MaybeWhole = None,
    noise_mode: Noise | None = None,
    grid: bool = False,
    interpolate: MaybeWhole = None,
    format: Format | None = None,
    fps: MaybeWhole = None,
    device: str = "auto",
    batch_size: Whole = 16,
) -> None:
    """Make pictures from noise: the same picture for the same seed.

    Parameters
    ----------
    run
        A run directory, a snapshot in it, or a weights file.
    out
        The folder to write into: seed0000.png, seed0001.png ...
    seeds
        Numbers and ranges: 0-3,7,20-22.
    label
        The class to show, by name; left out, each class in turn.
    truncation
        StyleGAN: how far styles are from their mean, psi. 1 where left out; 0.7 is more regular
        and less varied.
    truncation_cutoff
        StyleGAN: the layers that this holds for, from the coarsest on; 8 where left out.
    noise_mode
        StyleGAN: const, the same for all pictures, where left out; random, another for each seed;
        none.
    grid
        All of them in one picture, grid.png.
    interpolate
        A film instead: so many frames from each seed to the next, and back to the first.
    format
        Of pictures: png, or tif where that does not hold them. Of the film: mp4 where the package
        av is there (extra `video`), else gif.
    fps
        Frames of the film a second; 30 where left out.
    device
        cpu, cuda, mps; auto takes the fastest that is there.
    batch_size
        Pictures computed at once.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

    from ganvas.errors import InputError
    from ganvas.inference.film import FPS, INSTALL, what_mp4_lacks
    from ganvas.inference.generate import Making, generator_of, seeds_of
    from ganvas.inference.load import load
    from ganvas.progress import Watched

    shown = seeds_of(seeds)
    for option, value in (("interpolate", interpolate), ("batch-size", batch_size)):
        if value is not None and value < 1:
            raise InputError(f"--{option} {value}: must be at least 1")
    if fps is not None and interpolate is None:
        raise InputError(f"--fps {fps}: is for films; --interpolate N makes one")
    film = format if format == "gif" or format == "mp4" else None
    if film is not None and interpolate is None:
        raise InputError(f"--format {format}: is for films; --interpolate N makes one")
    if format is not None and film is None and (grid or interpolate is not None):
        what = "a film" if interpolate is not None else "--grid, which is a PNG to look at"
        raise InputError(f"--format {format}: is not for {what}; leave it out")
    if interpolate is not None and grid:
        raise InputError("--grid: is one picture, and --interpolate a film; leave one out")
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: is a file; name a folder to write into")
    method = generator_of(load(run, device)).use(truncation, truncation_cutoff, noise_mode)
    started = time.perf_counter()
    with Watched(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as progress:
        making = Making(method, shown, out, label, batch_size, progress.track, format)
        if interpolate is not None:
            done, place = making.film(interpolate, film, FPS if fps is None else fps)
        else:
            done, place = making.grid() if grid else making.files()
    print(f"{done} picture{'s' * (done != 1)} in {time.perf_counter() - started:.1f} s, in {place}")
    if place.suffix == ".gif" and format is None:
        print(f"a GIF, since {what_mp4_lacks()}; {INSTALL} makes it an MP4")
