"""A trained method from a run, a snapshot or a weights file."""

from pathlib import Path

from ganvas.engine import Engine
from ganvas.errors import InputError
from ganvas.methods import method_class
from ganvas.methods.base import Method
from ganvas.runs.directory import Run, is_run
from ganvas.runs.snapshots import DESCRIPTION, WEIGHTS, load_weights, read_description


def load(path: Path | str, device: str = "auto") -> Method:
    """A trained method, ready for use: `load("runs/00000-...").translate(picture)`.

    `path` is a run directory (its newest snapshot), a snapshot, or a snapshot's weights file.

    Raises:
        InputError: there is nothing there that can be loaded.
    """
    folder = snapshot_folder(Path(path).expanduser())
    description = read_description(folder)
    kind = method_class(description["method"])
    config = kind.Config.from_mapping(description["settings"], str(folder / DESCRIPTION))
    method = kind(config, description["channels"], description.get("classes", ()))
    # What was imported may lack networks; these are left out rather than made up.
    method.drop(*(method.networks().keys() - description["networks"]))
    load_weights(method, folder / WEIGHTS)
    method.requires_grad_(False).eval()
    return Engine.start(device).place(method)


def snapshot_folder(path: Path) -> Path:
    if path.is_file() and path.suffix == ".safetensors":
        path = path.parent
    if (path / DESCRIPTION).is_file():
        return path
    if is_run(path):
        found = Run(path).snapshot()
        if found is None:
            raise InputError(
                f"{path}: has no snapshot yet; go on with `ganvas resume {path}` until it has"
            )
        return found
    if not path.exists():
        raise InputError(f"{path}: there is no such run or snapshot")
    raise InputError(f"{path}: is neither a run directory nor a snapshot")
