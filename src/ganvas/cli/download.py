"""`ganvas data download NAME DIR`."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ganvas.data.fetching import Patience, Watcher

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

PATIENCE = Patience()


def download(
    name: str | None = None,
    folder: Path | None = None,
    /,
    *,
    list_: Annotated[bool, Parameter(name="--list", negative="")] = False,
    mirror: Annotated[list[str] | None, Parameter(negative="")] = None,
    accept_changed: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Fetch a published set, or an archive at any address, into a folder.

    What an interrupted download has brought is kept beside the folder, and gone on with.

    Parameters
    ----------
    name
        Which one, as --list names it; or the http or https address of a zip or tar.gz.
    folder
        Where to unpack it; must be new or empty.
    list_
        Name the published sets, with their sizes and counts, and do nothing else.
    mirror
        Another address of the archive, tried before the set's own; may be given several times.
    accept_changed
        Take it though it is not what it was when it was first downloaded, by its SHA-256.
    """
    from ganvas.data.downloads import download as fetch
    from ganvas.data.downloads import listed, look_up, stem
    from ganvas.errors import InputError

    if list_ or name is None:
        print("\n".join(listed()))
        return
    if folder is None:
        look_up(name)
        raise InputError(
            f"DIR: is missing; name a folder to unpack into, as in `ganvas data download {name} "
            f"{stem(name)}`"
        )
    try:
        with ExitStack() as stack:
            shown = Shown(stack)
            done = fetch(name, folder, mirror or [], accept_changed, shown, PATIENCE)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("ganvas: stopped; the same command goes on where it was") from None
    print("\n".join(done.lines()))


class Shown(Watcher):
    """A bar with speed and time left, then a count of the files unpacked; notes between."""

    def __init__(self, stack: ExitStack) -> None:
        from rich.console import Console

        self.stack = stack
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.bars: dict[str, Progress] = {}

    def bar(self, name: str, *columns: "ProgressColumn") -> "Progress":
        """The bar of that name, made and started where it is not there yet; others end."""
        from ganvas.bars import Watched

        if name not in self.bars:
            for other in self.bars.values():
                other.stop()
            self.bars[name] = self.stack.enter_context(Watched(*columns, console=self.console))
            self.bars[name].add_task("", total=None)
        return self.bars[name]

    def said(self, sentence: str) -> None:
        from rich.text import Text

        self.console.print(Text(f"note: {sentence}", style="yellow"))

    def receiving(self, have: int, total: int | None) -> None:
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        bar = self.bar("transfer", *columns)
        bar.reset(bar.task_ids[0], completed=have, total=total)

    def received(self, count: int) -> None:
        bar = self.bars["transfer"]
        bar.advance(bar.task_ids[0], count)

    def unpacked(self, files: int) -> None:
        from rich.progress import TextColumn

        bar = self.bar("unpacking", TextColumn("unpacking: {task.completed} files"))
        bar.update(bar.task_ids[0], completed=files)
