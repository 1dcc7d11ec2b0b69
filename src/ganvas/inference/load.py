"""A trained method from a run, a snapshot or a weights file."""

from pathlib import Path

from ganvas.engine import Engine
from ganvas.methods import method_class
from ganvas.methods.base import Method
from ganvas.runs.snapshots import (
    DESCRIPTION,
    WEIGHTS,
    load_weights,
    read_description,
    scales_in,
    snapshot_folder,
)


def load(path: Path | str, device: str = "auto", together: bool = False) -> Method:
    """A trained method, ready for use: `load("runs/00000-...").translate(picture)`.

    `path` is a run directory (its newest snapshot), a snapshot, or a snapshot's weights file.
    `together` with other processes that were started, each has its own device.

    Raises:
        InputError: there is nothing there that can be loaded, or the other processes are not there.
    """
    folder = snapshot_folder(Path(path).expanduser())
    description = read_description(folder)
    kind = method_class(description["method"])
    config = kind.Config.from_mapping(description["settings"], str(folder / DESCRIPTION))
    method = kind(config, description["channels"], description.get("classes", ()))
    method.scales |= scales_in(description)
    # What was imported may lack networks; these are left out rather than made up.
    method.drop(*(method.networks().keys() - description["networks"]))
    load_weights(method, folder / WEIGHTS)
    method.requires_grad_(False).eval()
    return Engine.start(device, together=together).place(method)
