"""A run: the folder, what lies where in it, and who may write to it."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import yaml

from ganvas.errors import InputError
from ganvas.runs.files import present_folder, write_whole

UNBEGUN = {".lock", ".config.yaml.writing"}
"""What a kill leaves of a run that had not begun."""


class Run:
    """A run directory. `path / "report.html"` is the page to read."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.named_anew: Callable[[], Path] | None = None
        """Another name to try, where the name was not given."""

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @classmethod
    def plan(cls, out: str | None, method: str, data: str = "") -> "Run":
        """A run that `make` will begin; without a name, the next number under runs/.

        Raises:
            InputError: it exists and is not empty: nothing is ever overwritten.
        """
        if not out:
            run = cls(next_name(Path("runs"), method, data))
            run.named_anew = lambda: next_name(Path("runs"), method, data)
            return run
        path = Path(out).expanduser()
        if path.exists() and (not path.is_dir() or {p.name for p in path.iterdir()} - UNBEGUN):
            goes_on = bool(data) and is_run(path)
            hint = f", or go on with it: `ganvas resume {path}`" if goes_on else ""
            raise InputError(f"--out {path}: exists and is not empty; choose another --out{hint}")
        return cls(path)

    def make(self) -> None:
        """Make the folder. A number that another run has taken meanwhile is counted up."""
        try:
            self.path.mkdir(parents=True, exist_ok=self.named_anew is None)
        except FileExistsError:
            if self.named_anew is None:
                raise InputError(f"--out {self.path}: is not a folder") from None
            self.path = self.named_anew()
            self.make()
        except OSError as error:
            raise InputError(f"--out {self.path}: cannot be made ({error.strerror})") from None

    @classmethod
    def open(cls, path: Path | str) -> "Run":
        """A run that is there.

        Raises:
            InputError: it is no run directory.
        """
        run = cls(Path(path).expanduser())
        if not run.path.exists():
            raise InputError(f"{path}: there is no such run directory")
        if not is_run(run.path):
            raise InputError(f"{path}: is no run directory (it has no config.yaml)")
        return run

    @property
    def record(self) -> dict[str, Any]:
        """What config.yaml says: method, settings, changed, provenance, networks."""
        try:
            record = yaml.safe_load((self.path / "config.yaml").read_text())
            if isinstance(record, dict) and {"method", "settings"} <= record.keys():
                return record
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            pass
        raise InputError(f"{self.path / 'config.yaml'}: is not a run's configuration")

    def write_record(self, record: dict[str, Any]) -> None:
        text = yaml.dump(record, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
        write_whole(self.path / "config.yaml", text)

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def snapshots(self) -> Path:
        return self.path / "snapshots"

    def snapshot(self, name: str = "latest") -> Path | None:
        """The folder of that snapshot, or None."""
        return present_folder(self.snapshots / name)

    def numbered_snapshots(self) -> list[Path]:
        """Snapshots by clock, oldest first."""
        if not self.snapshots.is_dir():
            return []
        return sorted(p for p in self.snapshots.iterdir() if re.fullmatch(r"\d.*kimg", p.name))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing to this run; a killed holder's lock is gone with it.

        Raises:
            InputError: another process trains in it.
        """
        with open(self.path / ".lock", "w") as file:
            if not lock(file):
                raise InputError(f"{self.path}: another process is training in it")
            yield


class Dumper(yaml.SafeDumper):
    """Long texts as blocks, so that the file reads well."""


Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def is_run(path: Path) -> bool:
    return (path / "config.yaml").is_file()


def next_name(root: Path, method: str, data: str) -> Path:
    """`runs/00003-cyclegan-horse2zebra`."""
    numbers = [int(p.name[:5]) for p in root.glob("[0-9]" * 5 + "-*")] if root.is_dir() else []
    name = re.sub(r"[^A-Za-z0-9_.]+", "-", Path(data.replace("sample:", "")).stem).strip("-")
    return root / f"{max(numbers, default=-1) + 1:05d}-{method}-{name or 'data'}"


def lock(file: IO[str]) -> bool:
    """Take the file's lock, or say that another process has it."""
    try:
        import fcntl
    except ImportError:  # Windows has no flock
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # pyright: ignore
        except OSError:
            return False
        return True
    try:
        # Not flock: its locks go on in forked workers, which outlive a killed trainer a little.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
