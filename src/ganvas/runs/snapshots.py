"""Snapshots: all that is needed to go on exactly, or to use the result, in one folder."""

import io
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor, nn

from ganvas.errors import InputError
from ganvas.runs.directory import Run, is_run
from ganvas.runs.files import replace_folder, write_flushed
from ganvas.scales import Scale

WEIGHTS, DESCRIPTION, STATE = "model.safetensors", "model.json", "state.pt"


def write_latest(
    run: Run,
    weights: dict[str, Tensor],
    description: dict[str, Any],
    state: dict[str, Any] | None,
) -> Path:
    """Write snapshots/latest whole: beside, then renamed into place. Without a state it can be
    used, and not gone on from."""
    place, beside = run.snapshots / "latest", run.snapshots / ".latest.writing"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    # Serialised first, so that a full disk shows as such and not as some library's error.
    on_cpu = {key: tensor.detach().cpu().contiguous() for key, tensor in weights.items()}
    buffer = io.BytesIO()
    if state is not None:
        torch.save(state, buffer)
    try:
        write_flushed(beside / WEIGHTS, save_safetensors(on_cpu))
        write_flushed(beside / DESCRIPTION, json.dumps(description, indent=1))
        if state is not None:
            write_flushed(beside / STATE, buffer.getvalue())
    except OSError:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    replace_folder(beside, place)
    return place


def keep_latest_as(run: Run, name: str) -> None:
    """Keep snapshots/latest under another name too: links, since its files never change."""
    latest, beside = run.snapshots / "latest", run.snapshots / f".{name}.writing"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    for file in latest.iterdir():
        try:
            os.link(file, beside / file.name)
        except OSError:  # a file system without links
            shutil.copy2(file, beside / file.name)
    replace_folder(beside, run.snapshots / name)


def clear_unfinished(run: Run) -> None:
    """Remove what a kill in the middle of a save left."""
    for left in run.snapshots.glob(".*.writing"):
        shutil.rmtree(left, ignore_errors=True)


def drop_old(run: Run, keep: int) -> None:
    """Keep only the newest numbered snapshots; 0 keeps all."""
    if keep > 0:
        for old in run.numbered_snapshots()[:-keep]:
            shutil.rmtree(old, ignore_errors=True)


def snapshot_folder(path: Path) -> Path:
    """The snapshot's folder that a run directory (its newest), a snapshot or its weights file
    names.

    Raises:
        InputError: there is none.
    """
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
    more = "; `ganvas import` makes a run of another project's weights" if path.is_file() else ""
    raise InputError(f"{path}: is neither a run directory nor a snapshot{more}")


def read_description(folder: Path) -> dict[str, Any]:
    """What a snapshot says of itself.

    Raises:
        InputError: it does not.
    """
    path = folder / DESCRIPTION
    try:
        description = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    if not isinstance(description, dict) or description.get("format") != 1:
        raise InputError(f"{path}: is no snapshot's description of format 1")
    return description


def scales_in(description: dict[str, Any]) -> dict[str, Scale]:
    """How each domain's values become [-1, 1]; those that are not told are of 8 bits."""
    told = description.get("pictures", {})
    return {
        domain: Scale.from_description(told[domain])
        for domain in description["channels"]
        if domain in told
    }


def load_weights(method: nn.Module, path: Path) -> None:
    """Load weights strictly.

    Raises:
        InputError: unreadable, or of another shape: with the first differences.
    """
    weights = read_tensors(path)
    if said := differences(method.state_dict(), weights):
        raise InputError(f"{path}: does not fit the model beside it {said}")
    method.load_state_dict(weights)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return load_safetensors(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None


def differences(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> str:
    """How weights differ in names and shapes from those wanted, in words; empty if they do not."""
    found = [
        f"{key} is {tuple(weights[key].shape)} and not {tuple(own[key].shape)}"
        for key in own
        if key in weights and weights[key].shape != own[key].shape
    ]
    found += [f"{key} is missing" for key in own if key not in weights]
    found += [f"{key} is not wanted" for key in weights if key not in own]
    listed = "; ".join(found[:4]) + ("; ..." if len(found) > 4 else "")
    return f"({len(found)} difference{'s' * (len(found) > 1)}): {listed}" if found else ""


def load_state(folder: Path) -> dict[str, Any]:
    """The training state, read without running any pickled code.

    Raises:
        InputError: it is missing or damaged.
    """
    path = folder / STATE
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch.load has no error of its own for a damaged file: zip, pickle and runtime errors.
        raise InputError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from None
