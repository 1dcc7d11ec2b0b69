"""Which latent or style makes a picture: projection, after Karras et al. 2020, "Analyzing and
Improving the Image Quality of StyleGAN", appendix D."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from math import cos, inf, isfinite, pi
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganvas.data.prepare import Preparation
from ganvas.errors import InputError
from ganvas.inference.distances import Loss, default_loss, distance_to
from ganvas.inference.saved import Saved, as_bytes
from ganvas.inference.spaces import InW, Space, space_of
from ganvas.losses.perceptual import noise_regularity
from ganvas.methods.generator import NOT_FINITE, Generator
from ganvas.pictures import Picture, to_pil
from ganvas.runs.files import write_whole
from ganvas.scales import Scale, outside_said

RISE, FALL = 0.05, 0.25
"""The first and the last part of the steps, over which the rate rises and falls."""
NOISE, NOISY = 0.05, 0.75
"""Noise on the code as a part of its deviation, and the part of the steps that have it."""
ALPHA = 1e5
"""The weight of the regularity of noise maps."""


@dataclass(frozen=True)
class Aim:
    """How to project."""

    space: Space | None = None
    """z: one latent. w: one style for all layers. w+: a style for each layer. None: w, or z where
    the method has no styles."""
    loss: Loss | None = None
    """See `distance_to`. None: perceptual, or pixel where the run has no discriminator."""
    steps: int = 1000
    lr: float = 0.1
    seed: int = 0
    """All chance follows from it."""
    fit_noise: bool = False
    """Whether the noise of each layer is fitted too."""
    lpips_weights: str | None = None

    def __post_init__(self) -> None:
        for name, value, kind in (("in", self.space, Space), ("loss", self.loss, Loss)):
            if value is not None and value not in get_args(kind):
                raise InputError(f"--{name} {value}: must be one of {', '.join(get_args(kind))}")
        if self.steps < 1:
            raise InputError(f"--steps {self.steps}: must be at least 1")
        if not 0 < self.lr < inf:
            raise InputError(f"--lr {self.lr:g}: must be above 0")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"--seed {self.seed}: must be from 0 to below 2^32")


@dataclass
class Projection:
    """What a picture was projected to. All tensors are on the CPU."""

    aim: Aim
    """With what was left open."""
    scale: Scale
    saved: Saved
    """The latent or the style that was found, and fitted noise."""
    target: Tensor
    """What was aimed at, (C, H, W) in [-1, 1]."""
    tensor: Tensor
    """The picture of what was found, (C, H, W)."""
    losses: list[float]
    """Those of the steps, with noise on the code; and of what was found, without."""
    path: list[Tensor] = field(repr=False)
    """Latents (nz,) or styles (layers or 1, nw): before each step, and at last."""

    @property
    def code(self) -> Tensor:
        """The latent (1, nz), or the styles (1, layers, nw)."""
        return self.saved.code

    @property
    def array(self) -> np.ndarray:
        """The picture (H, W, C), of the type and range of the pictures that were trained on."""
        return self.scale.values(self.tensor)

    @property
    def picture(self) -> Image.Image:
        """The picture as PIL has it.

        Raises:
            InputError: PIL has no such pictures; `array` has them.
        """
        return to_pil(Picture(self.array))

    def save(self, path: Path | str, **about: Any) -> None:
        """Write the code as .npz, for `ganvas generate --from`.

        Raises:
            InputError: it cannot be written.
        """
        told = asdict(self.aim) | {"lpips_weights": None} | about
        try:
            write_whole(Path(path), as_bytes(self.saved, self.losses, told))
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from None


def project(
    method: Generator,
    target: Tensor,
    aim: Aim,
    label: str | None = None,
    on_step: Callable[[float], object] = lambda loss: None,
) -> Projection:
    """Find the code whose picture is nearest to the target (C, H, W), in [-1, 1].

    `label` names a class where the run has classes; left out, it is the first. `on_step` is told
    the loss of each step.

    Raises:
        InputError: the method has no such space, loss or class, or its answer is not finite.
    """
    device = next(method.parameters()).device
    labels = method.labels([0], label)
    x = target.to(device)[None]
    space = space_of(method, aim.space, labels, aim.seed)
    if aim.fit_noise and not isinstance(space, InW):
        raise InputError("--fit-noise: goes with styles, --in w or w+; leave it out")
    loss_name = aim.loss or default_loss(method)
    distance = distance_to(method, x, labels, loss_name, aim.lpips_weights)
    chance = torch.Generator().manual_seed(aim.seed)
    w = space.start(distance)
    noise = []
    if isinstance(space, InW) and aim.fit_noise:
        noise = [n.clone().requires_grad_(True) for n in space.method.kept_noise()]
    optimizer = torch.optim.Adam([w.requires_grad_(True), *noise], lr=aim.lr)
    losses, path = [], []
    for step in range(aim.steps):
        t = (step + 0.5) / aim.steps
        optimizer.param_groups[0]["lr"] = aim.lr * rate_at(t)
        # w~ = w + N(0, 0.05 sigma_w t^2)
        drawn = torch.randn(w.shape, generator=chance).to(device)
        w_ = w + NOISE * space.deviation * noise_at(t) * drawn
        # L = D(x, g(w~, n)) + alpha sum L_ij
        image = distance(space.picture(w_, noise))
        loss = image + ALPHA * noise_regularity(noise) if noise else image
        path.append(w.detach()[0].cpu().clone())
        losses.append(checked(image))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            space.hold(w)
            for n in noise:
                n.sub_(n.mean()).mul_(n.square().mean().rsqrt())
        on_step(losses[-1])
    with torch.no_grad():
        made = space.picture(w, noise)
        losses.append(checked(distance(made)))
    path.append(w.detach()[0].cpu())
    found, maps = space.whole(w.detach()).cpu().contiguous(), [n.detach().cpu() for n in noise]
    if space.space == "z":
        saved = Saved("z", found, None if labels is None else int(labels[0]))
    else:
        saved = Saved("w", found, None, maps)
    return Projection(
        aim=replace(aim, space=space.space, loss=loss_name),
        scale=method.scales["pictures"],
        saved=saved,
        target=target.cpu(),
        tensor=made[0].float().cpu(),
        losses=losses,
        path=path,
    )


def rate_at(t: float) -> float:
    """The rate as a part of the highest, as t goes from 0 to 1: up in a line, down in a cosine."""
    return min(1.0, t / RISE) * (0.5 - 0.5 * cos(pi * min(1.0, (1 - t) / FALL)))


def noise_at(t: float) -> float:
    """The noise on the code as a part of that at the beginning."""
    return max(0.0, 1 - t / NOISY) ** 2


def checked(loss: Tensor) -> float:
    value = loss.item()
    if not isfinite(value):
        raise InputError(NOT_FINITE)
    return value


def prepared(method: Generator, picture: Picture) -> tuple[Tensor, list[str]]:
    """A picture as the run's pictures were prepared for training, without chance: (C, H, W) in
    [-1, 1]; and what that has done to it.

    Raises:
        InputError: its channels or values do not fit.
    """
    scale, way = method.scales["pictures"], Preparation.of(method.config, method.config.stride)
    notes = [changed(way, picture.size)]
    own = picture.with_channels(scale.channels, way.alpha)
    notes.append(outside_said(scale, own))
    values = way.fixed(picture, scale.channels)
    if scale.by_type and values.dtype != own.dtype:
        # Resizing made floats of them, which have no ends of their own.
        low, high = scale.ends(own.dtype)
        scale = replace(scale, low=tuple(map(float, low)), high=tuple(map(float, high)))
    return scale.unit(values), [note for note in notes if note]


def changed(way: Preparation, size: tuple[int, int]) -> str:
    """What preparing a picture of that size does to it; empty where it stays as it is."""
    told, wanted = f"{size[0]}x{size[1]}", f"{way.size[0]}x{way.size[1]}"
    if size == way.size and way.load_size == way.size:
        return ""
    if way.preprocess != "center_crop":
        return f"is {told} and brought to {wanted} by --preprocess {way.preprocess}"
    left, upper, right, lower = way.middle_box(size)
    middle = round(right - left), round(lower - upper)
    if middle == size:
        return f"is {told} and scaled to {wanted}"
    return f"is {told}: its middle, {middle[0]}x{middle[1]}, is taken and scaled to {wanted}"
