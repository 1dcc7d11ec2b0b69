"""Weights files of any project as plain tensors: read without running code, or refused."""

import hashlib
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from ganvas.errors import InputError

WRAPPERS = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put in front of every key."""
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
OWN_NETWORKS = re.compile(r"(averages\.)?(G|D|G_A|G_B|D_A|D_B|shared_G|shared_D)\.")
SAVE = "save network.state_dict() of one network there"


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of one network by the names of its layers, in float32 on the CPU.

    Wrappers' prefixes are taken off. Running statistics of instance norms, which old versions
    kept and no one uses, are left out; batch norms without a count get one.

    Raises:
        InputError: the file is not there, is damaged, or holds something else.
    """
    content = read_content(path)
    weights = plain(tensors_of(content, path))
    if bad := [key for key, tensor in weights.items() if not tensor.isfinite().all()]:
        raise InputError(
            f"{path}: {bad[0]} has values that are not finite: that training had diverged; take an "
            "earlier file"
        )
    return weights


def fingerprint(path: Path) -> str:
    """SHA-256 of the file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_content(path: Path) -> Any:
    """Whatever the file holds, as far as it can be read without running code of it."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name the files in it that hold weights")
    try:
        with open(path, "rb") as file:
            head = file.read(512)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if not head:
        raise InputError(f"{path}: is empty; copy or download it again")
    if re.match(rb"\s*<(!doctype|html|\?xml)", head.lower()):
        raise InputError(f"{path}: is a web page that was saved under this name; download it again")
    if path.suffix == ".safetensors":
        try:
            return load_safetensors(path.read_bytes())
        except SafetensorError as error:
            raise damaged(path, error) from None
    if re.fullmatch(rb"[\t\n\r -~]*", head):
        raise InputError(f"{path}: is text and holds no weights; copy or download it again")
    if is_torchscript(path):
        raise InputError(f"{path}: is TorchScript, which is code beside weights; {SAVE}")
    try:
        with warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch.load has no error of its own: zip, pickle, end of file and runtime errors.
        found = re.search(r"GLOBAL (\S+)", str(error))
        if found:
            raise InputError(
                f"{path}: holds Python objects ({found[1]}) and not weights alone, and reading "
                f"these would run code; {SAVE}"
            ) from None
        if head[:2] not in (b"PK", b"\x80\x02"):
            raise InputError(
                f"{path}: is no file that torch.save or safetensors wrote; name the weights (.pth, "
                ".safetensors)"
            ) from None
        raise InputError(
            f"{path}: is damaged, cut off, or holds something else than weights; copy or download "
            f"it again, or {SAVE}"
        ) from None


def damaged(path: Path, error: Exception) -> InputError:
    reason = " ".join((str(error).splitlines() or [type(error).__name__])[0].split())
    return InputError(
        f"{path}: is damaged, cut off, or no weights file ({reason[:120]}); copy or download it "
        "again"
    )


def is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


def tensors_of(content: Any, path: Path) -> dict[str, Tensor]:
    """The content, if it is names with tensors and nothing else."""
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: holds a {type(content).__name__} and not the weights of a network; {SAVE}"
        )
    if not content:
        raise InputError(f"{path}: holds no tensors; {SAVE}")
    others = [key for key, value in content.items() if not isinstance(value, Tensor)]
    if others:
        listed = ", ".join(map(str, content))
        raise InputError(
            f"{path}: holds more than the weights of one network ({listed[:100]}); {SAVE}"
        )
    odd = [
        key
        for key, tensor in content.items()
        if not tensor.is_floating_point() and not str(key).endswith("num_batches_tracked")
    ]
    if odd:
        raise InputError(
            f"{path}: {odd[0]} holds {str(content[odd[0]].dtype).removeprefix('torch.')} and no "
            f"weights; {SAVE}"
        )
    if any(not isinstance(key, str) for key in content):
        raise InputError(f"{path}: has tensors without names; {SAVE}")
    if not all(tensor.numel() for tensor in content.values()):
        raise InputError(f"{path}: has tensors without a single number; {SAVE}")
    if all(OWN_NETWORKS.match(key) for key in content):
        raise InputError(
            f"{path}: holds a ganvas run's networks; name the folder that it lies in, with "
            "model.json beside it, where a run is wanted"
        )
    return content


def plain(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without wrappers and leftovers, in float32."""
    while found := [w for w in WRAPPERS if all(key.startswith(w) for key in weights)]:
        weights = {key.removeprefix(found[0]): tensor for key, tensor in weights.items()}
    layers = {key.rpartition(".")[0] for key in weights if key.endswith("running_mean")}
    without = {layer for layer in layers if f"{layer}.weight" not in weights}
    unused = {f"{layer}.{name}" for layer in without for name in STATISTICS}
    kept = {key: tensor for key, tensor in weights.items() if key not in unused}
    for layer in sorted(layers - without):
        kept.setdefault(f"{layer}.num_batches_tracked", torch.tensor(0))
    return {key: t.float() if t.is_floating_point() else t for key, t in kept.items()}
