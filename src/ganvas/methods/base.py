"""What all methods share: players, descent, averages, state, and translation of pictures."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import get_total_norm
from torch.optim import Adam, Optimizer

from ganvas.config import Settings
from ganvas.errors import InputError
from ganvas.pictures import check_depth, from_unit, split_alpha, to_image, to_uint8, to_unit

Batch = Mapping[str, Tensor]
Direction = Literal["AtoB", "BtoA"]
AnyPicture = TypeVar("AnyPicture", Image.Image, np.ndarray, Tensor)


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """No gradients for these networks' parameters; gradients still pass through them."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)


class Method(nn.Module):
    """One GAN as published: networks, optimizers, averages and one training step.

    A subclass gives `Config`, `domains`, `step` and `preview`. Everything it owns lives in it as
    modules, buffers and optimizers, so that moving, saving and resuming cover all by
    construction: persistent state goes to `state_dict`, the rest to `training_state`.
    """

    name: ClassVar[str]
    Config: ClassVar[type[Settings]] = Settings
    domains: ClassVar[tuple[str, ...]]
    """The sets of pictures that a batch holds."""
    layouts: ClassVar[tuple[str, ...]]
    """The layouts of data that it trains on."""

    def __init__(self, config: Settings, channels: Mapping[str, int]) -> None:
        super().__init__()
        self.config = config
        self.channels = dict(channels)
        self.optimizers: dict[str, Optimizer] = {}
        self.averages = nn.ModuleDict()

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One training step on pictures (N, C, H, W) in [-1, 1]: its losses, as scalars.

        Names of discriminators' losses begin with D."""
        raise NotImplementedError  # pragma: no cover

    def preview(self, batch: Batch) -> dict[str, Tensor]:
        """What to look at while training: named pictures (N, C, H, W) in [-1, 1]."""
        raise NotImplementedError  # pragma: no cover

    def player(
        self, name: str, *networks: nn.Module, lr: float, betas: tuple[float, float]
    ) -> Adam:
        """One optimizer over these networks; `name` is how logs and state call it."""
        parameters = [p for network in networks for p in network.parameters()]
        optimizer = Adam(parameters, lr=lr, betas=betas, fused=True)
        for group in optimizer.param_groups:
            group["initial_lr"] = lr
        self.optimizers[name] = optimizer
        # Counted on the device, so that no step waits for the answer.
        self.register_buffer(f"skipped_{name}", torch.zeros(()), persistent=False)
        self.register_buffer(f"streak_{name}", torch.zeros(()), persistent=False)
        return optimizer

    def descend(self, player: str, loss: Tensor) -> None:
        """One step of that player's optimizer down the loss.

        Where a gradient is not finite, nothing moves and the step is counted as skipped.
        """
        optimizer = self.optimizers[player]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        gradients = [
            p.grad
            for group in optimizer.param_groups
            for p in group["params"]
            if p.grad is not None
        ]
        total = get_total_norm(gradients)
        bad = (~torch.isfinite(total)).float()
        # The fused step itself leaves everything as it is where this is 1.
        optimizer.found_inf = bad  # pyright: ignore[reportAttributeAccessIssue]
        optimizer.step()
        self.get_buffer(f"skipped_{player}").add_(bad)
        self.get_buffer(f"streak_{player}").add_(1).mul_(bad)
        # Autocast would go on with the weights of before the step.
        torch.clear_autocast_cache()

    def skipped_steps(self) -> int:
        """Steps, of all players, that a gradient which was not finite has cost."""
        return sum(int(self.get_buffer(f"skipped_{player}")) for player in self.optimizers)

    def skipped_in_a_row(self) -> dict[str, int]:
        """How many of each player's latest steps were skipped."""
        return {player: int(self.get_buffer(f"streak_{player}")) for player in self.optimizers}

    def average(self, **networks: nn.Module) -> None:
        """Keep an exponential moving average of these networks' weights."""
        for name, network in networks.items():
            self.averages[name] = deepcopy(network).requires_grad_(False)

    @torch.no_grad()
    def update_averages(self, beta: float) -> None:
        """Move each average by 1 - beta towards its network; buffers are copied."""
        for name, average in self.averages.items():
            network = self.get_submodule(name)
            torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]
                list(average.parameters()), list(network.parameters()), weight=1 - beta
            )
            for kept, current in zip(average.buffers(), network.buffers(), strict=True):
                kept.copy_(current)

    def best(self, name: str) -> nn.Module:
        """The network to use: its average where one is kept."""
        return self.averages[name] if name in self.averages else self.get_submodule(name)

    def set_rate(self, factor: float) -> None:
        """Every learning rate at `factor` times what it began with."""
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * factor

    def networks(self) -> dict[str, nn.Module]:
        """The networks by the names under which their weights are kept, averages left out."""
        return {
            name: module
            for name, module in self.named_children()
            if name != "averages" and any(True for _ in module.parameters())
        }

    def training_state(self) -> dict[str, Any]:
        """What `state_dict` leaves out and the next step needs: optimizers, pools, counters."""
        buffers = dict(self.named_transient_buffers())
        optimizers = {name: o.state_dict() for name, o in self.optimizers.items()}
        return {"optimizers": optimizers, "buffers": buffers}

    def load_training_state(self, state: dict[str, Any]) -> None:
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        for name, old in list(self.named_transient_buffers()):
            owner, _, leaf = name.rpartition(".")
            value = state["buffers"][name].to(old.device)
            setattr(self.get_submodule(owner), leaf, value)

    def named_transient_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Buffers that are no weights, by their full names."""
        for owner, module in self.named_modules():
            for leaf in sorted(module._non_persistent_buffers_set):
                yield f"{owner}.{leaf}" if owner else leaf, module.get_buffer(leaf)


class Translator(Method):
    """A method that turns a picture of one domain into a picture of the other."""

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
