"""Methods that turn pictures of one domain into pictures of another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from ganvas.colour import lab_to_rgb, rgb_to_lab
from ganvas.errors import InputError
from ganvas.methods.adversarial import Adversarial, AdversarialSettings
from ganvas.methods.base import AnyPicture, Batch, Direction, TwoWay
from ganvas.networks.init import Init
from ganvas.networks.norms import Norm
from ganvas.networks.patchgan import (
    PatchDiscriminator,
    PixelDiscriminator,
    smallest_patched,
)
from ganvas.networks.resnet import Antialias, ResnetGenerator
from ganvas.networks.unet import UnetGenerator
from ganvas.pictures import (
    Picture,
    as_rgb_shares,
    from_array,
    from_pil,
    from_shares,
    to_pil,
    with_alpha_of,
)
from ganvas.scales import outside_said, range_of


@dataclass(kw_only=True)
class TranslationSettings(AdversarialSettings):
    """Translation"""

    direction: TwoWay = "AtoB"
    """Which domain plays the paper's X, what is translated: with BtoA, B is X and A is Y."""
    ngf: int = 64
    """Channels of the generators' first layer."""
    ndf: int = 64
    """Channels of the discriminators' first layer."""
    channels_A: int | None = None
    """1 takes the pictures of A as grey, 3 as RGB; of others it must be what they have. Left out:
    as they are."""
    channels_B: int | None = None
    """As channels-A, for B."""
    range_A: str | None = None
    """Values of A that become -1 and 1: LOW:HIGH such as 0:4095, for each channel where they
    differ (0:4095,-1:1); measured; type, the ends of an integer type. Left out: type for 8 bits,
    else measured."""
    range_B: str | None = None
    """As range-A, for B."""
    beta1: float = 0.5
    """Adam's decay of the first moment (pix2pix, section 3.3; CycleGAN's code)."""
    beta2: float = 0.999
    """Adam's decay of the second moment (as beta1)."""

    def check(self) -> None:
        super().check()
        for name in ("ngf", "ndf"):
            self.at_least(name, 1)
        for name in ("beta1", "beta2"):
            self.below_one(name)
        for domain in "AB":
            if self.channels_of(domain) is not None:
                self.at_least(f"channels_{domain}", 1)
            if (text := self.range_of(domain)) is not None:
                range_of(text, f"range-{domain}")

    def check_crop(self) -> None:
        """Refuse a --size that the networks cannot train on, where pictures are brought to it."""
        if self.preprocess not in ("none", "scale_width"):
            self.check_size(*self.width_height, f"--size {self.size}")

    def channels_of(self, domain: str) -> int | None:
        return self.channels_A if domain == "A" else self.channels_B

    def range_of(self, domain: str) -> str | None:
        return self.range_A if domain == "A" else self.range_B

    @property
    def x_and_y(self) -> tuple[str, str]:
        """The domains that play the paper's X and Y."""
        return ("A", "B") if self.direction == "AtoB" else ("B", "A")

    @property
    def smallest_translated(self) -> int:
        """The least height and width that the generators take."""
        return self.stride


@dataclass(kw_only=True)
class TranslatorSettings(TranslationSettings):
    """Translating networks"""

    generator: Literal["resnet", "unet"] = "resnet"
    """Architecture of generators: resnet (CycleGAN, appendix 7.2), unet (pix2pix, appendix 6.1)."""
    n_blocks: int = 9
    """Residual blocks of a resnet (CycleGAN: 9 at 256, 6 at 128)."""
    n_downs: int = 8
    """Halvings of a unet: 8 is the reference's unet_256, 7 its unet_128."""
    antialias: Antialias = "none"
    """Where a resnet halves and doubles with a filter in place of a strided convolution: none,
    down, up, both (CUT's generators: both)."""
    dropout: bool = False
    """Dropout in the generators."""
    discriminator: Literal["patch", "pixel"] = "patch"
    """Architecture of discriminators: overlapping patches, or single pixels."""
    n_layers: int = 3
    """Layers of a patch discriminator; 3 judges 70x70 pixels (the reference's basic)."""
    norm: Norm = "instance"
    """Normalisation in all networks."""
    init_type: Init = "normal"
    """How initial weights are drawn."""
    init_gain: float = 0.02
    """Standard deviation of normal, factor of xavier and orthogonal."""

    def check(self) -> None:
        super().check()
        for name in ("n_blocks", "n_layers"):
            self.at_least(name, 1)
        self.at_least("n_downs", 5)
        self.above_zero("init_gain")
        if self.antialias != "none" and self.generator != "resnet":
            raise InputError(f"--antialias {self.antialias}: is for --generator resnet only")
        self.check_crop()

    def check_size(self, width: int, height: int, what: str) -> None:
        step = self.stride
        if width % step or height % step:
            near = "x".join(str(max(round(n / step), 1) * step) for n in (width, height))
            fewer = [n for n in range(5, self.n_downs) if not (width % 2**n or height % 2**n)]
            unet = self.generator == "unet"
            hint = f", or --n-downs {max(fewer)} for this size" if unet and fewer else ""
            raise InputError(
                f"{what}: a {self.generator} generator wants multiples of {step}; "
                f"the nearest is {near}{hint}"
            )
        judged = 1 if self.discriminator == "pixel" else smallest_patched(self.n_layers)
        least = max(self.smallest_translated, judged)
        if min(width, height) < least:
            raise InputError(
                f"{what}: is too small for these networks, which want at least {least} pixels each "
                "way; take a larger size, or fewer --n-layers or --n-downs"
            )

    def shaped_by(self, player: str) -> tuple[str, ...]:
        if player == "G":
            own = ("n_downs",) if self.generator == "unet" else ("n_blocks", "antialias")
            return ("generator", *own, "ngf", "norm")
        own = ("n_layers",) if self.discriminator == "patch" else ()
        return ("discriminator", *own, "ndf", "norm")

    @property
    def idle(self) -> dict[str, str]:
        found = super().idle
        if self.generator == "unet":
            found["n_blocks"] = "--generator is unet, which has no such blocks"
        else:
            found["n_downs"] = f"--generator is {self.generator}, which halves twice"
        if self.discriminator == "pixel":
            found["n_layers"] = "--discriminator is pixel"
        if self.init_type == "kaiming" and self.norm != "batch":
            found["init_gain"] = "--init-type is kaiming"
        return found

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
    """A method that turns a picture of one domain into a picture of another."""

    shows_real = True
    one_way: ClassVar[bool] = False
    """Whether a training learns one direction, that of its settings, and not both."""
    by_search: ClassVar[bool] = False
    """Whether `translator` searches for its answer, and is no network by itself."""

    def translator(self, direction: Direction) -> nn.Module:
        """The network for that direction, in the words of the data's folders.

        Raises:
            InputError: there is no such direction, or it was not learnt.
        """
        raise NotImplementedError  # pragma: no cover

    @property
    def ways(self) -> tuple[Direction, ...]:
        """The directions that there are, learnt or not."""
        return ("AtoB", "BtoA")

    @property
    def notes(self) -> list[str]:
        c, found = self.config, super().notes
        if isinstance(c, TranslatorSettings) and c.generator == "unet":
            none = ["--n-downs 5: so small a unet has no layer with dropout"]
            found = [*(none if c.dropout and c.n_downs == 5 else []), *found]
        return found

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions that it translates in."""
        found = []
        for way in self.ways:
            try:
                self.translator(way)
            except InputError:
                continue
            found.append(way)
        return tuple(found)

    def ends(self, direction: Direction) -> tuple[str, str]:
        """The domains of the input and of the answer."""
        return direction[0], direction[-1]

    def way(self, wanted: Direction | None, left_out: Direction = "AtoB") -> Direction:
        """The direction that is wanted; where none is said, `left_out`.

        Raises:
            InputError: there is no such direction, or it must be said.
        """
        found = left_out if wanted is None else wanted
        if found not in self.ways:
            raise InputError(f"--direction {found}: must be {' or '.join(self.ways)}")
        return found

    @property
    def smallest(self) -> int:
        """The least height and width that the translators take."""
        return self.config.smallest_translated

    @torch.no_grad()
    def translate(self, picture: AnyPicture, direction: Direction | None = None) -> AnyPicture:
        """Translate a PIL picture, an array (H, W) or (H, W, C) of integers or floats as files
        have them, or a tensor (N, C, H, W) in [-1, 1]; the answer is of the same kind and size.

        Any size: the picture is padded to the network's stride by reflection and cropped back.
        Alpha is carried over. Values are scaled as those that the run was trained on. Left out,
        `direction` is AtoB; where there are many domains, it must be said.

        Raises:
            InputError: the direction, or the picture's kind, depth or channels do not fit.
        """
        way = self.way(direction)
        if isinstance(picture, Tensor):
            return self.translate_tensor(picture, way)
        if isinstance(picture, np.ndarray):
            given = from_array(picture, self.channels[self.ends(way)[0]])
            found = self.translate_picture(given, way).flat("channel")
            return found[:, :, 0] if picture.ndim == 2 and found.shape[2] == 1 else found
        if not isinstance(picture, Image.Image):
            raise InputError(
                f"{type(picture).__name__}: wants a PIL picture, an array or a float tensor; "
                "open files with PIL.Image.open, or use `ganvas translate`"
            )
        return to_pil(self.translate_picture(from_pil(picture), way))

    @torch.no_grad()
    def translate_picture(
        self, picture: Picture, direction: Direction, dtype: np.dtype | None = None
    ) -> Picture:
        """Translate a picture as `data.decode` reads it, into one of that type; left out, as
        `Scale.type_for` says.

        Raises:
            InputError: its channels or values do not fit.
        """
        self.cut_off(picture, direction)
        x = self.given(picture, direction)[None].to(next(self.parameters()).device)
        return self.answer(self.translate_tensor(x, direction)[0], picture, direction, dtype)

    def cut_off(self, picture: Picture, direction: Direction) -> str:
        """What to say of a picture's values that are cut off; empty where none are.

        Raises:
            InputError: most would be.
        """
        scale = self.scales[self.ends(direction)[0]]
        if scale.by_type or scale.space:
            return ""
        return outside_said(scale, picture.with_channels(scale.channels, self.config.alpha))

    def given(self, picture: Picture, direction: Direction) -> Tensor:
        """A picture as float32 (C, H, W) in [-1, 1]."""
        scale, alpha = self.scales[self.ends(direction)[0]], self.config.alpha
        if scale.space == "lightness":
            return scale.unit(rgb_to_lab(as_rgb_shares(picture))[:, :, :1])
        return scale.unit(picture.with_channels(scale.channels, alpha))

    def answer(
        self,
        y: Tensor,
        picture: Picture,
        direction: Direction,
        dtype: np.dtype | None = None,
    ) -> Picture:
        """What the network makes of a picture, (C, H, W) in [-1, 1], as a picture of the same
        kind, with its alpha."""
        scale = self.scales[self.ends(direction)[1]]
        if scale.space == "chroma":
            lightness = rgb_to_lab(as_rgb_shares(picture))[:, :, :1]
            shares = lab_to_rgb(np.concatenate([lightness, scale.values(y)], 2))
            return with_alpha_of(picture, from_shares(shares, dtype or picture.dtype))
        values = scale.values(y, dtype or picture.dtype)
        if self.config.alpha == "channel" and scale.channels in (2, 4):
            return replace(picture, values=values[:, :, :-1], alpha=values[:, :, -1], mode="")
        return with_alpha_of(picture, values)

    def translate_tensor(self, x: Tensor, direction: Direction) -> Tensor:
        wanted = self.channels[self.ends(direction)[0]]
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


class OneWay(Translator):
    """A translator by its generator G, which learns one direction."""

    one_way = True

    def __init__(
        self, config: TranslatorSettings, channels: Mapping[str, int], classes: Sequence[str] = ()
    ) -> None:
        super().__init__(config, channels, classes)
        self.settings = config

    @torch.inference_mode()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        X, Y = self.settings.x_and_y
        return {f"real_{X}": batch[X], f"fake_{Y}": self.best("G")(batch[X]), f"real_{Y}": batch[Y]}

    def translator(self, direction: Direction) -> nn.Module:
        learnt = self.settings.direction
        if direction != learnt:
            raise InputError(
                f"--direction {direction}: this run has learnt {learnt} only, as {self.name} "
                f"learns one direction; take --direction {learnt}"
            )
        return self.best("G")


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
