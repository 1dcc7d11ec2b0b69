"""LPIPS: distances of deep features, weighed by what people said (Zhang et al. 2018), from the
lpips package, with the backbone's weights from a file that the user has."""

import warnings
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ganvas.errors import InputError
from ganvas.evaluation.files import digest_of_file, first_line
from ganvas.evaluation.inception import INSTALL, weights_folders

Backbone = Literal["vgg", "alex"]
FILES: dict[Backbone, str] = {"vgg": "vgg16-397923af.pth", "alex": "alexnet-owt-7be5be79.pth"}
"""What torchvision calls its weights; the digits begin their SHA-256."""
SOURCE = "https://download.pytorch.org/models/"
SMALLEST = {"vgg": 16, "alex": 64}


class Lpips:
    """The distance of pictures (N, C, H, W) in [-1, 1], of one channel or three: (N,)."""

    def __init__(self, path: Path, backbone: Backbone = "vgg") -> None:
        """Load the weights.

        Raises:
            InputError: the package is not there, or the file is no such weights.
        """
        self.digest, self.backbone = digest_of_file(path), backbone
        known = self.digest.startswith(FILES[backbone].rpartition("-")[2].removesuffix(".pth"))
        self.name = "LPIPS" if known else f"LPIPS-{backbone}@{self.digest[:8]}"
        self.network = network_with(path, backbone)
        self.about = {
            "recipe": f"lpips 0.1 on {backbone}",
            "file": str(path),
            "sha256": self.digest,
        }

    @torch.no_grad()
    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        if x.shape[1] not in (1, 3):
            raise InputError(f"lpips: sees grey and RGB pictures, not {x.shape[1]} channels")
        if min(x.shape[2:]) < SMALLEST[self.backbone]:
            raise InputError(f"lpips: wants at least {SMALLEST[self.backbone]} pixels each way")
        self.network.to(x.device)
        x, y = (a.float().expand(-1, 3, -1, -1) for a in (x, y))
        return self.network(x, y).flatten()


def network_with(path: Path, backbone: Backbone) -> Any:
    with warnings.catch_warnings(action="ignore"):
        try:
            import lpips
        except ImportError:
            raise InputError(f"lpips: is not installed: {INSTALL}") from None
        network = lpips.LPIPS(
            pretrained=False, net=backbone, pnet_rand=True, verbose=False, version="0.1"
        )
        linear = Path(lpips.__file__).parent / "weights" / "v0.1" / f"{backbone}.pth"
    try:
        lines, weights = (
            torch.load(file, map_location="cpu", weights_only=True) for file in (linear, path)
        )
        network.load_state_dict(lines, strict=False)
        for key, place in network.net.state_dict().items():
            place.copy_(weights["features." + key.partition(".")[2]])
    except Exception as error:
        raise InputError(
            f"{path}: holds no weights of {backbone} ({first_line(error)}); they are "
            f"published at {SOURCE}{FILES[backbone]}"
        ) from None
    return network.eval().requires_grad_(False)


def find_backbone(backbone: Backbone = "vgg") -> Path | None:
    """The file of weights in the usual caches."""
    places = [folder / FILES[backbone] for folder in weights_folders()]
    return next((place for place in places if place.is_file()), None)


def how_to_get(backbone: Backbone = "vgg") -> str:
    return f"fetch {SOURCE}{FILES[backbone]} into {weights_folders()[0]}"
