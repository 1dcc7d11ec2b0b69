"""Codes in files: the latents or styles that a projection has found, for NumPy alone to read."""

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from ganvas.errors import InputError
from ganvas.methods.generator import Generator
from ganvas.methods.styled import Styled


@dataclass(frozen=True)
class Saved:
    """What pictures are made of, on the CPU."""

    kind: Literal["z", "w"]
    code: Tensor
    """Latents z (N, nz), or styles w (N, layers, nw)."""
    label: int | None = None
    """The class of latents, where there are classes."""
    noise: list[Tensor] = field(default_factory=list)
    """(1, 1, h, w) for each layer; empty where noise was not fitted."""


def as_bytes(saved: Saved, losses: list[float], about: dict[str, Any]) -> bytes:
    """The content of an .npz: `w` or `z`, `noise_00` ..., `label`, `losses`, and `about`, which is
    JSON."""
    arrays = {saved.kind: saved.code.numpy(), "losses": np.array(losses)}
    arrays |= {f"noise_{n:02d}": x.numpy() for n, x in enumerate(saved.noise)}
    arrays |= {} if saved.label is None else {"label": np.array(saved.label)}
    file = io.BytesIO()
    np.savez(file, about=np.array(json.dumps(about)), **arrays)  # pyright: ignore[reportArgumentType]
    return file.getvalue()


def read_saved(path: Path, method: Generator) -> Saved:
    """What was saved, if this method can make pictures of it.

    Raises:
        InputError: the file cannot be read, holds no code, or one of another network.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, BadZipFile, EOFError, AttributeError):
        arrays = {}
    if "w" in arrays:
        return saved_styles(path, arrays, method)
    if "z" in arrays:
        return saved_latents(path, arrays, method)
    raise InputError(f"{path}: holds no styles w and no latents z, as ganvas project writes")


def saved_latents(path: Path, arrays: dict[str, np.ndarray], method: Generator) -> Saved:
    code = as_tensor(path, "z", arrays)
    check_shape(path, "z", code, (method.nz,))
    label = int(arrays["label"]) if "label" in arrays else None
    known = range(len(method.classes)) if method.conditional else [None]
    if label not in known:
        raise InputError(f"{path}: was projected with other classes than this run's")
    return Saved("z", code, label)


def saved_styles(path: Path, arrays: dict[str, np.ndarray], method: Generator) -> Saved:
    if not isinstance(method, Styled):
        raise InputError(f"{path}: holds styles, and {method.name} has none")
    code = as_tensor(path, "w", arrays)
    own = method.styles(method.latents([0]), method.labels([0]))
    check_shape(path, "w", code, tuple(own.shape[1:]))
    maps = sorted(key for key in arrays if key.startswith("noise_"))
    noise = [as_tensor(path, key, arrays) for key in maps]
    if noise and [n.shape for n in noise] != [kept.shape for kept in method.kept_noise()]:
        raise InputError(f"{path}: its noise is not of the sizes of this run's layers")
    return Saved("w", code, None, noise)


def as_tensor(path: Path, name: str, arrays: dict[str, np.ndarray]) -> Tensor:
    values = arrays[name]
    if values.dtype.kind != "f" or not np.isfinite(values).all():
        raise InputError(f"{path}: its {name} are not finite floats")
    return torch.from_numpy(values.astype(np.float32))


def check_shape(path: Path, name: str, code: Tensor, wanted: tuple[int, ...]) -> None:
    if code.ndim != len(wanted) + 1 or tuple(code.shape[1:]) != wanted or not len(code):
        told = ", ".join(["N", *map(str, wanted)])
        raise InputError(
            f"{path}: its {name} are of shape {tuple(code.shape)}, and this run wants ({told})"
        )
