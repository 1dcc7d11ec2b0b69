"""Files that evaluation keeps for the next time, and their hashes."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor

from ganvas.runs.files import write_whole


def cache_folder() -> Path:
    """Where what can be made again is kept: $GANVAS_CACHE, else $XDG_CACHE_HOME/ganvas, else
    ~/.cache/ganvas."""
    if own := os.environ.get("GANVAS_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "ganvas"


def kept(place: Path) -> dict[str, Tensor] | None:
    """The tensors of a file, or None where there is none that can be read."""
    try:
        return load_safetensors(place.read_bytes())
    except (OSError, SafetensorError):
        return None


def keep(place: Path, tensors: Mapping[str, Tensor]) -> bool:
    """Write tensors for the next time; whether that was possible."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, save_safetensors({k: t.cpu().contiguous() for k, t in tensors.items()}))
    except OSError:
        return False
    return True


def digest_of(*words: object) -> str:
    """SHA-256 of these, as text."""
    return hashlib.sha256("\0".join(map(str, words)).encode()).hexdigest()


def digest_of_file(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_tensors(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, shapes and values."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def first_line(error: Exception) -> str:
    """What an error of a library says, or its kind where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
