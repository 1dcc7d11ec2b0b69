"""Weights of other projects as a run: usable at once, and to begin a training from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganvas.clock import Clock
from ganvas.config import Settings
from ganvas.errors import InputError
from ganvas.methods import method_class
from ganvas.methods.base import Direction, Method, TwoWay
from ganvas.runs.describe import describe_import, describe_model
from ganvas.runs.directory import Run
from ganvas.runs.report import write_report
from ganvas.runs.snapshots import differences, write_latest
from ganvas.scales import LAB
from ganvas.weights.assign import Assigned, assign
from ganvas.weights.files import fingerprint


@dataclass(frozen=True)
class Imported:
    """The run that was made, and what there is to say of it."""

    run: Run
    networks: dict[str, str]
    """Of each network, file and architecture in words."""
    notes: list[str]
    """What the tensors do not tell, and what was taken for it."""

    def lines(self) -> list[str]:
        networks = [f"{name:>4}: {about}" for name, about in self.networks.items()]
        return networks + [f"note: {note}" for note in self.notes]


def import_weights(
    files: Sequence[Path | str],
    out: Path | str,
    method: str | None = None,
    direction: TwoWay | None = None,
    size: str | int | None = None,
) -> Imported:
    """Make a run of generators, and discriminators where they are there, of
    pytorch-CycleGAN-and-pix2pix, of CUT or of PyTorch's DCGAN tutorial.

    Left out, `method` follows from names and tensors, `direction` is AtoB, and `size` 256, or
    what a DCGAN's tensors show. The order of the files means nothing.

    Raises:
        InputError: a file cannot be read or recognised, they do not belong together, or the run
            directory is not empty.
    """
    if not files:
        raise InputError("import: name at least one weights file")
    if method is not None:
        method_class(method)
    run = Run.plan(str(out), "", "")
    assigned = assign([Path(file).expanduser() for file in files], method)
    given: dict[str, Any] = {"direction": direction, "size": size}
    given = {name: value for name, value in given.items() if value is not None}
    if assigned.method == "dcgan" and direction is not None:
        raise InputError(f"--direction {direction}: dcgan makes pictures from noise; leave it out")
    config = assigned.config(given)
    network = built(assigned, config)
    sources = {
        name: {"file": str(found.path.absolute()), "sha256": fingerprint(found.path)}
        for name, found in assigned.networks.items()
    }
    run.make()
    with run.locked():
        write_latest(run, network.state_dict(), describe_model(network, Clock(1)), None)
        # The record last: it makes the folder a run.
        run.write_record(describe_import(assigned.method, config, network, sources))
        write_report(run.path)
    networks = {
        name: f"{assigned.networks[name].path.name}: a {assigned.networks[name]}"
        for name in network.networks()
    }
    return Imported(run, networks, [*assigned.notes, *notes_of(network, config, given)])


def built(assigned: Assigned, config: Settings) -> Method:
    """The method with these networks and no other.

    Raises:
        InputError: the tensors do not fit what an option says.
    """
    kind = method_class(assigned.method)
    direction: Direction = getattr(config, "direction", "AtoB")
    method = kind(config, assigned.channels(direction))
    if config.colorizes:
        method.scales = {"A": LAB["lightness"], "B": LAB["chroma"]}
    method.drop(*(method.networks().keys() - assigned.networks))
    for name, found in assigned.networks.items():
        network = method.get_submodule(name)
        if said := differences(network.state_dict(), found.weights):
            raise InputError(f"{found.path}: does not fit --size {config.size} {said}")
        network.load_state_dict(found.weights)
    return method


def notes_of(method: Method, config: Settings, given: dict[str, Any]) -> list[str]:
    """What is not to be seen in tensors, and what is taken for it."""
    if method.name == "dcgan":
        return []
    G = next(name for name in method.networks() if name.startswith("G"))
    found = []
    if "direction" not in given and not config.colorizes:
        what = (
            "takes pictures of B and makes such of A"
            if G == "G_B"
            else ("takes pictures of A and makes such of B")
        )
        found.append(f"{G} {what}, as --direction is left out; --direction BtoA says the reverse")
    if "size" not in given:
        found.append(
            f"--size {config.size} is written down for trainings, as tensors do not tell; any size "
            "can be translated"
        )
    if getattr(config, "generator", "") == "unet":
        state = "on" if getattr(config, "dropout", False) else "off"
        found.append(
            f"dropout is {state} for trainings, as {method.name}'s default: a unet's tensors do "
            "not tell"
        )
    if getattr(config, "norm", "") == "batch":
        own = "each picture's own statistics, as the reference does in use"
        running = "running statistics, as the reference does with --eval"
        found.append(
            "batch norms go by "
            f"{own if getattr(config, 'own_statistics', False) else running}; dropout is off in use"
        )
    return found
