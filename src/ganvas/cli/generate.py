"""`ganvas generate RUN --seeds 0-15 --out DIR`."""

import time
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter

from ganvas.cli.formats import PictureFormat
from ganvas.cli.numbers import MaybeNumber, MaybeWhole, Whole

Noise = Literal["const", "random", "none"]
Format = Literal["gif", "mp4"] | PictureFormat
STYLES = Group("StyleGAN", sort_key=1)
FILMS = Group("Films", sort_key=2)
MIXING = Group("Style mixing (StyleGAN)", sort_key=3)


def generate(
    run: Path,
    /,
    *,
    out: Path,
    seeds: str | None = None,
    files: Annotated[str | None, Parameter(name="--from")] = None,
    label: Annotated[str | None, Parameter(name="--class")] = None,
    grid: bool = False,
    format: Format | None = None,
    device: str = "auto",
    batch_size: Whole = 16,
    truncation: Annotated[MaybeNumber, Parameter(group=STYLES)] = None,
    truncation_cutoff: Annotated[MaybeWhole, Parameter(group=STYLES)] = None,
    noise_mode: Annotated[Noise | None, Parameter(group=STYLES)] = None,
    interpolate: Annotated[MaybeWhole, Parameter(group=FILMS)] = None,
    interpolate_in: Annotated[Literal["z", "w"] | None, Parameter(group=FILMS)] = None,
    fps: Annotated[MaybeWhole, Parameter(group=FILMS)] = None,
    mix_rows: Annotated[str | None, Parameter(group=MIXING)] = None,
    mix_cols: Annotated[str | None, Parameter(group=MIXING)] = None,
    mix_styles: Annotated[str | None, Parameter(group=MIXING)] = None,
) -> None:
    """Make pictures from noise: the same picture for the same seed.

    Parameters
    ----------
    run
        A run directory, a snapshot in it, or a weights file.
    out
        The folder to write into: seed0000.png, seed0001.png ...
    seeds
        Numbers and ranges: 0-3,7,20-22. Left out: 0-15.
    files
        Instead of seeds, what `ganvas project` has found: a.npz,b.npz.
    label
        The class to show, by name; left out, each class in turn.
    truncation
        How far styles are from their mean, psi. 1 where left out; 0.7 is more regular and less
        varied.
    truncation_cutoff
        The layers that this holds for, from the coarsest on; 8 where left out.
    noise_mode
        const, the same for all pictures, where left out; random, another for each seed; none.
    grid
        All of them in one picture, grid.png.
    interpolate
        A film instead: so many frames from each to the next, and back to the first.
    interpolate_in
        z, an arc between latents, where left out; w, a straight line between styles (StyleGAN).
    mix_rows
        A grid, mixing.png, instead: seeds, or .npz files, on its left.
    mix_cols
        Seeds, or .npz files, above it.
    mix_styles
        The layers whose styles come from above: 0-3,7, or coarse (0-3: 4x4 and 8x8), middle (4-7:
        16x16 and 32x32), fine (8 on). Left out: coarse.
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

    from ganvas.bars import Watched
    from ganvas.errors import InputError
    from ganvas.inference.film import FPS, INSTALL, what_mp4_lacks
    from ganvas.inference.generate import generator_of, seeds_of
    from ganvas.inference.load import load
    from ganvas.inference.making import Making
    from ganvas.inference.styles import layers_of, styled
    from ganvas.inference.subjects import mixing_sources, subjects_of_files, subjects_of_seeds

    for option, value in (("interpolate", interpolate), ("batch-size", batch_size)):
        if value is not None and value < 1:
            raise InputError(f"--{option} {value}: must be at least 1")
    mixing = mix_rows is not None or mix_cols is not None
    check_films(interpolate, interpolate_in, fps, format, grid)
    check_sources(mixing, seeds, files, label, truncation)
    if mixing:
        check_mixing(mix_rows, mix_cols, interpolate, grid, format)
    elif mix_styles is not None:
        raise InputError(f"--mix-styles {mix_styles}: is for --mix-rows and --mix-cols; add these")
    shown = seeds_of("0-15" if seeds is None else seeds)
    if interpolate is not None and files is None and len(set(shown)) < 2:
        raise InputError("--seeds: a film goes from seed to seed and wants at least two")
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: is a file; name a folder to write into")
    method = generator_of(load(run, device)).use(truncation, truncation_cutoff, noise_mode)
    started = time.perf_counter()
    with Watched(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as progress:
        making = Making(out, batch_size, progress.track)
        if mix_rows is not None and mix_cols is not None:
            maker = styled(method, "mix-rows")
            layers = layers_of(mix_styles or "coarse", maker.layers)
            rows = mixing_sources(maker, mix_rows, "mix-rows", label)
            done, place = making.mixing(
                maker, rows, mixing_sources(maker, mix_cols, "mix-cols", label), layers
            )
        else:
            if files is not None:
                paths = [Path(part.strip()).expanduser() for part in files.split(",")]
                subjects = subjects_of_files(method, paths, interpolate_in)
            else:
                whole = grid or interpolate is not None
                some = shown if whole else list(dict.fromkeys(shown))
                subjects = subjects_of_seeds(method, some, label, interpolate_in or "z")
            if interpolate is not None:
                film = format if format == "gif" or format == "mp4" else None
                done, place = making.film(subjects, interpolate, film, FPS if fps is None else fps)
            elif grid:
                done, place = making.grid(subjects)
            else:
                done, place = making.files(subjects, method.scales["pictures"], format)
    print(f"{done} picture{'s' * (done != 1)} in {time.perf_counter() - started:.1f} s, in {place}")
    if place.suffix == ".gif" and format is None:
        print(f"a GIF, since {what_mp4_lacks()}; {INSTALL} makes it an MP4")


def check_films(
    interpolate: int | None, space: str | None, fps: int | None, format: str | None, grid: bool
) -> None:
    """Refuse what does not go together with a film, or without one."""
    from ganvas.errors import InputError

    film = format in ("gif", "mp4")
    given: dict[str, Any] = {"fps": fps, "format": format if film else None}
    for option, value in (given | {"interpolate-in": space}).items():
        if value is not None and interpolate is None:
            raise InputError(f"--{option} {value}: is for films; --interpolate N makes one")
    if format is not None and not film and (grid or interpolate is not None):
        what = "a film" if interpolate is not None else "--grid, which is a PNG to look at"
        raise InputError(f"--format {format}: is not for {what}; leave it out")
    if interpolate is not None and grid:
        raise InputError("--grid: is one picture, and --interpolate a film; leave one out")


def check_sources(
    mixing: bool, seeds: str | None, files: str | None, label: str | None, truncation: float | None
) -> None:
    """Refuse what does not go together in saying what pictures are made of."""
    from ganvas.errors import InputError

    if mixing:
        for option, value in (("seeds", seeds), ("from", files)):
            if value is not None:
                raise InputError(
                    f"--{option} {value}: --mix-rows and --mix-cols name what is mixed; leave it "
                    "out"
                )
    if files is None:
        return
    for option, value, why in (
        ("seeds", seeds, "name either"),
        ("class", label, "what is saved is taken as it is"),
        ("truncation", truncation, "what is saved is taken as it is"),
    ):
        if value is not None:
            raise InputError(f"--{option} {value}: does not go with --from; {why}")


def check_mixing(
    rows: str | None, columns: str | None, interpolate: int | None, grid: bool, format: str | None
) -> None:
    """Refuse half a mixing grid, and what does not go together with one."""
    from ganvas.errors import InputError

    if rows is None or columns is None:
        raise InputError("--mix-rows and --mix-cols: a mixing grid wants both")
    for option, given in (
        ("interpolate", interpolate is not None),
        ("grid", grid),
        ("format", format is not None),
    ):
        if given:
            raise InputError(
                f"--{option}: --mix-rows and --mix-cols make one picture, mixing.png; leave it out"
            )
