"""Inception's features, those of the FID: torch-fidelity's network, which equals the one in
TensorFlow that the papers used, with weights from a file that the user has."""

import io
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganvas.errors import InputError
from ganvas.evaluation.extractors import Answer
from ganvas.evaluation.files import cache_folder, digest_of_file, first_line
from ganvas.pictures import from_unit

KNOWN = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""SHA-256 of the weights of 2015-12-05, converted from the file of the FID's authors."""
NAMES = ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth")
"""What torch-fidelity and torchmetrics call that file, and pytorch-fid does."""
SOURCE = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/" + NAMES[0]
INSTALL = 'pip install "ganvas[metrics]"'
AT_ONCE = 32


class InceptionExtractor:
    """2048 features and 1008 logits of pictures with one channel or three, taken to 8 bits."""

    slow = True

    def __init__(self, path: Path) -> None:
        """Load the weights.

        Raises:
            InputError: torch-fidelity is not there, or the file is no such weights.
        """
        self.digest = digest_of_file(path)
        self.known = self.digest == KNOWN
        self.name = "inception" if self.known else f"inception@{self.digest[:8]}"
        self.network = network_with(path)
        self.about: dict[str, Any] = {
            "recipe": "InceptionV3 as torch-fidelity computes it",
            "file": str(path),
            "sha256": self.digest,
            "features": 2048,
            "resize": "299x299, bilinear as in TensorFlow 1, not antialiased",
        }

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Answer:
        if x.shape[1] not in (1, 3):
            raise InputError(
                f"--extractor inception: sees grey and RGB pictures, and these have {x.shape[1]} "
                "channels; take own"
            )
        self.network.to(x.device)
        pixels = from_unit(x).expand(-1, 3, -1, -1)
        parts = [self.network(part) for part in pixels.split(AT_ONCE)]
        features, logits = (torch.cat(found).cpu() for found in zip(*parts, strict=True))
        return Answer(features, logits)


def network_with(path: Path) -> Any:
    """torch-fidelity's network with these weights, read without running any pickled code."""
    try:
        with warnings.catch_warnings(action="ignore"):
            from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError:
        raise InputError(f"--inception {path}: wants torch-fidelity: {INSTALL}") from None
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
        buffer = io.BytesIO()
        torch.save(weights, buffer)
        buffer.seek(0)
        with warnings.catch_warnings(action="ignore"):
            # It would load the file itself, with whatever code is pickled in it.
            network = FeatureExtractorInceptionV3(
                "inception-v3-compat", ["2048", "logits_unbiased"], buffer
            )
    except Exception as error:
        # torch.load has no error of its own for what is no such file.
        raise InputError(
            f"--inception {path}: holds no weights of that network "
            f"({first_line(error)}); it is published at {SOURCE}"
        ) from None
    return network.eval().requires_grad_(False)


def find_inception(path: Path | str | None = None) -> Path | None:
    """The file of weights: the one that is named, or one in the usual caches; None where there is
    none.

    Raises:
        InputError: one is named and not there.
    """
    if path is not None:
        named = Path(path).expanduser()
        if not named.is_file():
            raise InputError(f"--inception {path}: there is no such file; {how_to_get()}")
        return named
    places = [folder / name for folder in weights_folders() for name in NAMES]
    return next((place for place in places if place.is_file()), None)


def weights_folders() -> list[Path]:
    """Where weights of other packages are usually kept: torch's hub, and ours."""
    return [Path(torch.hub.get_dir()) / "checkpoints", cache_folder()]


def how_to_get() -> str:
    return f"fetch {SOURCE} and name it with --inception"
