"""Progress on a terminal, for commands that do without PyTorch too."""

from rich.console import Console
from rich.progress import Progress, ProgressColumn


class Watched(Progress):
    """Progress on a terminal; not even an empty line where nobody watches."""

    def __init__(
        self, *columns: ProgressColumn, console: Console | None = None, shown: bool = True
    ) -> None:
        console = console or Console(stderr=True)
        watched = shown and console.is_terminal
        super().__init__(*columns, console=console, transient=True, disable=not watched)
