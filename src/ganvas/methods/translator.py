"""Methods that turn pictures of one domain into pictures of the other."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from ganvas.errors import InputError
from ganvas.methods.adversarial import Adversarial, AdversarialSettings
from ganvas.methods.base import AnyPicture, Direction
from ganvas.networks.init import Init
from ganvas.networks.norms import Norm
from ganvas.networks.patchgan import (
    PatchDiscriminator,
    PixelDiscriminator,
    smallest_patched,
)
from ganvas.networks.resnet import Antialias, ResnetGenerator
from ganvas.networks.unet import UnetGenerator
from ganvas.pictures import check_depth, from_unit, split_alpha, to_image, to_uint8, to_unit


@dataclass(kw_only=True)
class TranslatorSettings(AdversarialSettings):
    """Translating networks"""

    direction: Direction = "AtoB"
    """Which domain plays the paper's X, what is translated: with BtoA, B is X and A is Y."""
    generator: Literal["resnet", "unet"] = "resnet"
    """Architecture of generators: resnet (CycleGAN, appendix 7.2), unet (pix2pix, appendix 6.1)."""
    n_blocks: int = 9
    """Residual blocks of a resnet (CycleGAN: 9 at 256, 6 at 128)."""
    n_downs: int = 8
    """Halvings of a unet: 8 is the reference's unet_256, 7 its unet_128."""
    antialias: Antialias = "none"
    """Where a resnet halves and doubles with a filter in place of a strided convolution: none,
    down, up, both (CUT's generators: both)."""
    ngf: int = 64
    """Channels of the generators' first layer."""
    dropout: bool = False
    """Dropout in the generators."""
    discriminator: Literal["patch", "pixel"] = "patch"
    """Architecture of discriminators: overlapping patches, or single pixels."""
    n_layers: int = 3
    """Layers of a patch discriminator; 3 judges 70x70 pixels (the reference's basic)."""
    ndf: int = 64
    """Channels of the discriminators' first layer."""
    norm: Norm = "instance"
    """Normalisation in all networks."""
    init_type: Init = "normal"
    """How initial weights are drawn."""
    init_gain: float = 0.02
    """Standard deviation of normal, factor of xavier and orthogonal."""
    channels_A: int | None = None
    """1 takes the pictures of A as grey, 3 as RGB. Left out: as they are."""
    channels_B: int | None = None
    """1 takes the pictures of B as grey, 3 as RGB. Left out: as they are."""
    beta1: float = 0.5
    """Adam's decay of the first moment (pix2pix, section 3.3; CycleGAN's code)."""
    beta2: float = 0.999
    """Adam's decay of the second moment (as beta1)."""

    def check(self) -> None:
        super().check()
        for name in ("n_blocks", "n_layers", "ngf", "ndf"):
            self.at_least(name, 1)
        self.at_least("n_downs", 5)
        self.above_zero("init_gain")
        if self.antialias != "none" and self.generator != "resnet":
            raise InputError(f"--antialias {self.antialias}: is for --generator resnet only")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"--{name} {getattr(self, name):g}: must be from 0 to below 1")
        for name in ("channels_A", "channels_B"):
            if getattr(self, name) not in (None, 1, 3):
                raise InputError(f"--{name.replace('_', '-')}: must be 1 (grey) or 3 (RGB)")
        if self.preprocess not in ("none", "scale_width"):
            self.check_size(*self.width_height, f"--size {self.size}")

    def check_size(self, width: int, height: int, what: str) -> None:
        step = self.stride
        if width % step or height % step:
            near = "x".join(str(max(round(n / step), 1) * step) for n in (width, height))
            raise InputError(
                f"{what}: a {self.generator} generator wants multiples of {step}; "
                f"the nearest is {near}"
            )
        judged = 1 if self.discriminator == "pixel" else smallest_patched(self.n_layers)
        least = max(self.smallest_translated, judged)
        if min(width, height) < least:
            raise InputError(
                f"{what}: is too small for these networks, which want at least {least} pixels each "
                "way; take a larger size, or fewer --n-layers or --n-downs"
            )

    def channels_of(self, domain: str) -> int | None:
        return self.channels_A if domain == "A" else self.channels_B

    def shaped_by(self, player: str) -> tuple[str, ...]:
        if player == "G":
            own = ("n_downs",) if self.generator == "unet" else ("n_blocks", "antialias")
            return ("generator", *own, "ngf", "norm")
        own = ("n_layers",) if self.discriminator == "patch" else ()
        return ("discriminator", *own, "ndf", "norm")

    @property
    def x_and_y(self) -> tuple[str, str]:
        """The domains that play the paper's X and Y."""
        return ("A", "B") if self.direction == "AtoB" else ("B", "A")

    @property
    def stride(self) -> int:
        return 2**self.n_downs if self.generator == "unet" else ResnetGenerator.stride

    @property
    def smallest_translated(self) -> int:
        """The least height and width that the generators take."""
        return 2**self.n_downs if self.generator == "unet" else ResnetGenerator.smallest

    def make_generator(self, x: int, y: int) -> nn.Module:
        """From pictures of x channels to pictures of y."""
        if self.generator == "unet":
            return UnetGenerator(x, y, self.ngf, self.n_downs, self.norm, self.dropout)
        return ResnetGenerator(
            x, y, self.ngf, self.n_blocks, self.norm, self.dropout, self.antialias
        )

    def make_discriminator(self, channels: int) -> nn.Module:
        if self.discriminator == "pixel":
            return PixelDiscriminator(channels, self.ndf, self.norm)
        return PatchDiscriminator(channels, self.ndf, self.n_layers, self.norm)


class Translator(Adversarial):
    """A method that turns a picture of one domain into a picture of the other."""

    shows_real = True

    def translator(self, direction: Direction) -> nn.Module:
        """The network for that direction, in the words of the data's folders."""
        raise NotImplementedError  # pragma: no cover

    @property
    def smallest(self) -> int:
        """The least height and width that the translators take."""
        return 1

    @torch.no_grad()
    def translate(self, picture: AnyPicture, direction: Direction = "AtoB") -> AnyPicture:
        """Translate a PIL picture, a uint8 array (H, W) or (H, W, C), or a tensor (N, C, H, W)
        in [-1, 1]; the answer is of the same kind and size.

        Any size: the picture is padded to the network's stride by reflection and cropped back.
        Alpha is carried over.

        Raises:
            InputError: the direction, or the picture's kind, depth or channels do not fit.
        """
        if direction not in ("AtoB", "BtoA"):
            raise InputError(f"--direction {direction}: must be AtoB or BtoA")
        if isinstance(picture, Tensor):
            return self.translate_tensor(picture, direction)
        if isinstance(picture, np.ndarray):
            if (
                picture.dtype != np.uint8
                or not picture.size
                or picture.shape[2:] not in ((), (1,), (3,), (4,))
            ):
                raise InputError(
                    f"array of {picture.dtype} {picture.shape}: wants uint8 (H, W) or (H, W, C), "
                    "or a float tensor (N, C, H, W) in [-1, 1]"
                )
            squeezed = picture[:, :, 0] if picture.shape[2:] == (1,) else picture
            answer = np.asarray(self.translate(Image.fromarray(squeezed), direction))
            return answer[:, :, None] if picture.ndim == 3 and answer.ndim == 2 else answer
        if not isinstance(picture, Image.Image):
            raise InputError(
                f"{type(picture).__name__}: wants a PIL picture, a uint8 array or a float tensor; "
                "open files with PIL.Image.open, or use `ganvas translate`"
            )
        check_depth(picture, getattr(picture, "filename", "") or "picture")
        flat, alpha = split_alpha(picture)
        pixels = to_uint8(flat, self.channels[direction[0]])
        x = to_unit(pixels)[None].to(next(self.parameters()).device)
        answer = to_image(from_unit(self.translate_tensor(x, direction)[0]))
        if alpha is not None:
            answer.putalpha(alpha)
        return answer

    def translate_tensor(self, x: Tensor, direction: Direction) -> Tensor:
        wanted = self.channels[direction[0]]
        if x.ndim != 4 or x.shape[1] != wanted or not x.is_floating_point():
            raise InputError(
                f"tensor of {x.dtype} {tuple(x.shape)}: wants floats (N, {wanted}, H, W) in [-1, 1]"
            )
        if x.numel() and not x.abs().max() <= 1.001:
            raise InputError("tensor with values outside [-1, 1]: scale it, as in x / 127.5 - 1")
        height, width = x.shape[2:]
        stride, least = self.config.stride, self.smallest
        x = pad_to(x, *(padded(length, stride, least) for length in (height, width)))
        y = self.translator(direction)(x.float())[:, :, :height, :width]
        if not y.isfinite().all():
            raise InputError(
                "the network's answer is not finite: its training has diverged; take an earlier "
                "snapshot"
            )
        return y.to(x.dtype)


def padded(length: int, stride: int, smallest: int) -> int:
    """The least multiple of the stride that is not below the length or the smallest."""
    return max(-(-length // stride) * stride, -(-smallest // stride) * stride)


def pad_to(x: Tensor, height: int, width: int) -> Tensor:
    """Extend (N, C, H, W) below and to the right by reflection; by the last pixel where the
    picture is too small to be reflected."""
    for below, right in ((height - x.shape[2], 0), (0, width - x.shape[3])):
        if below or right:
            fits = below < x.shape[2] and right < x.shape[3]
            x = functional.pad(x, (0, right, 0, below), "reflect" if fits else "replicate")
    return x
