"""Methods that turn pictures of one domain into pictures of the other."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from ganvas.errors import InputError
from ganvas.methods.adversarial import Adversarial
from ganvas.methods.base import AnyPicture, Direction
from ganvas.pictures import check_depth, from_unit, split_alpha, to_image, to_uint8, to_unit


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
