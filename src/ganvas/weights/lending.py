"""Weights from files for networks that a method uses and does not train."""

from pathlib import Path
from typing import Any

from ganvas.config import option_name
from ganvas.errors import InputError
from ganvas.methods.base import Method
from ganvas.runs.snapshots import differences
from ganvas.weights.files import fingerprint, read_weights


def lend(method: Method) -> None:
    """Put the weights of the files that its settings name into the networks that a method borrows,
    and tell them in `method.fixed`. What else the files hold is left out.

    Raises:
        InputError: a file cannot be read, or holds other weights.
    """
    for name, setting in method.borrowed.items():
        if (text := getattr(method.config, setting)) is None:
            continue
        path, network = Path(text).expanduser(), method.get_submodule(name)
        own, weights = network.state_dict(), read_weights(path)
        kept = {key: weights[key] for key in own if key in weights}
        if said := differences(own, kept):
            raise InputError(
                f"--{option_name(setting)} {text}: does not have the layers that {method.name} "
                f"wants of it {said}"
            )
        network.load_state_dict(kept)
        method.fixed[name] = {"file": str(path.absolute()), "sha256": fingerprint(path)}


def refuse_others(method: Method, record: dict[str, Any]) -> None:
    """Raise InputError where those weights are not the ones that a run was begun with."""
    known = record.get("provenance", {}).get("fixed", {})
    for name, here in method.fixed.items():
        if here.get("sha256") != known.get(name, {}).get("sha256"):
            setting = method.borrowed[name]
            raise InputError(
                f"--{option_name(setting)} {getattr(method.config, setting)}: is not the file that "
                "this run was begun with, and there is no snapshot yet; begin a new run"
            )
