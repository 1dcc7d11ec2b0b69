"""`ganvas data check SOURCE` and `ganvas data sample NAME DIR`; `download` is in its own file."""

from pathlib import Path

from cyclopts import App

from ganvas.cli.numbers import MaybeWhole, Whole

app = App(name="data", help="Look at picture sets, write built-in ones, fetch published ones.")
app.command(
    "ganvas.cli.download:download",
    name="download",
    help="Fetch a published set, or an archive at any address, into a folder.",
)


@app.command
def check(source: str, /, *, size: str | None = None) -> None:
    """Say what is there, what is wrong with it, and what to train on it.

    Parameters
    ----------
    source
        A folder, a zip, or sample:NAME.
    size
        What the network shall see, N or WxH: smaller pictures are named. Left out: the default of
        the method that fits.
    """
    from rich.progress import TextColumn

    from ganvas.bars import Watched
    from ganvas.config import pair_of_numbers
    from ganvas.data.check import check as check_source
    from ganvas.methods import METHODS, method_class

    methods = {name: method_class(name) for name in METHODS}
    wanted = None if size is None else pair_of_numbers(size, "size")
    with Watched(TextColumn("reading pictures: {task.completed}")) as progress:
        task = progress.add_task("", total=None)
        found = check_source(source, wanted, lambda: progress.advance(task), methods)
    print("\n".join(found.lines()))


@app.command
def sample(
    name: str,
    folder: Path,
    /,
    *,
    size: str | None = None,
    count: MaybeWhole = None,
    seed: Whole = 0,
) -> None:
    """Write a built-in sample set as PNG files.

    Parameters
    ----------
    name
        Which one: streets (label maps and pictures, for translation without pairs), street-pairs
        (both side by side, for translation from pairs) or shapes (five classes, for pictures from
        noise).
    folder
        Where to write a folder for each part (trainA, trainB, testA, testB; train, test) or each
        class; must be new or empty.
    size
        N or WxH of the pictures; left out: 128 for streets, 128 for street-pairs, 64 for
        shapes.
    count
        Pictures in each training part or class; left out: 400.
    seed
        Another seed, other pictures.
    """
    from ganvas.config import pair_of_numbers
    from ganvas.data.samples import SAMPLES, write_sample
    from ganvas.errors import InputError, did_you_mean

    if name not in SAMPLES:
        hint = did_you_mean(name, list(SAMPLES))
        raise InputError(f"there is no sample {name!r}{hint}; there is {', '.join(SAMPLES)}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: exists and is not empty; choose another folder")
    wanted = SAMPLES[name].size if size is None else pair_of_numbers(size, "size")
    written = write_sample(name, folder, wanted, count, seed)
    print(f"{written} pictures in {folder}")
