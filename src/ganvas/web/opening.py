"""From a run to a study that can be held."""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ganvas.data.sources import located
from ganvas.errors import InputError
from ganvas.evaluation.study.answers import FOLDER, Answers, Row, now
from ganvas.evaluation.study.pictures import Pairing, Pictures, Watch, direction_of, gather
from ganvas.evaluation.study.protocol import Protocol
from ganvas.inference.load import load
from ganvas.methods.base import Direction
from ganvas.methods.generator import Generator
from ganvas.runs.directory import is_run, lock
from ganvas.runs.snapshots import WEIGHTS, read_description, snapshot_folder


@dataclass(frozen=True)
class Choice:
    """Which pictures are judged. What is left out follows from the run."""

    direction: Direction | None = None
    data: str | None = None
    pairing: Pairing | None = None
    truncation: float | None = None
    pictures: int = 200
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.pictures < 1:
            raise InputError(f"--pictures {self.pictures}: must be at least 1")


def run_of(path: Path) -> Path:
    """The run directory that a path names, or in which the snapshot that it names lies.

    Raises:
        InputError: there is none.
    """
    path = path.expanduser()
    if is_run(path):
        return path
    run = snapshot_folder(path).absolute().parents[1]
    if not is_run(run):
        raise InputError(f"{path}: lies in no run directory, where answers could be stored")
    return run


def open_study(
    path: Path,
    protocol: Protocol,
    choice: Choice | None = None,
    watch: Watch = lambda made, count: made,
) -> tuple[Answers, Pictures]:
    """Make a study's pictures with a run's network, and begin or go on with its file of answers.

    Raises:
        InputError: the run, or the data, do not allow it.
    """
    run, folder, choice = run_of(path), snapshot_folder(path.expanduser()), choice or Choice()
    description = read_description(folder)
    method = load(folder, choice.device)
    direction = direction_of(method, choice.direction)
    if isinstance(method, Generator):
        method.use(choice.truncation)
    elif choice.truncation is not None:
        raise InputError(f"--truncation {choice.truncation}: {method.name} has none; leave it out")
    source = choice.data or method.config.data
    pictures = gather(
        method, source, direction, choice.pictures, protocol.seed, choice.pairing, watch
    )
    about: Row = {
        "method": method.name,
        "direction": direction,
        "truncation": choice.truncation,
        "snapshot": folder.name,
        "images": description["clock"]["images"],
        "weights": "average" if len(method.averages) else "as trained",
        "weights_sha256": hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest(),
        "data": located(source),
        "split": pictures.split,
        "pairing": pictures.pairing,
        "pictures": {"real": len(pictures.real), "generated": len(pictures.fake)},
        "pictures_sha256": pictures.fingerprint(),
        "size": list(pictures.size),
        "protocol": protocol.described(),
        "date": now(),
        "versions": {
            "ganvas": version("ganvas"),
            "torch": version("torch"),
            "python": sys.version.split()[0],
        },
    }
    return Answers.open(run, about), pictures


@contextmanager
def alone(run: Path) -> Iterator[None]:
    """No second server adds to a run's answers.

    Raises:
        InputError: one does already.
    """
    place = run / FOLDER / ".lock"
    try:
        place.parent.mkdir(exist_ok=True)
        place.touch()
    except OSError as error:
        raise InputError(f"{place.parent}: cannot be written ({error.strerror})") from None
    with open(place, "w") as file:
        if not lock(file):
            raise InputError(f"{run}: another `ganvas study` is open on it; end that one first")
        yield
