"""What all methods share: players, descent, averages, state."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import Adam, Optimizer, RMSprop

from ganvas.clock import Clock
from ganvas.config import Settings
from ganvas.errors import InputError
from ganvas.losses import total
from ganvas.networks.checkpointing import keep_inputs_only
from ganvas.networks.norms import Tracking
from ganvas.networks.pool import ImagePool
from ganvas.scales import default_scales

Batch = Mapping[str, Tensor]
Direction = str
"""AtoB or BtoA; of a method with many domains the name of the target."""
TwoWay = Literal["AtoB", "BtoA"]
AnyPicture = TypeVar("AnyPicture", Image.Image, np.ndarray, Tensor)
DataKind = Literal["unpaired", "paired", "pictures", "domains"]


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


def as_they_are(tensors: Sequence[Tensor]) -> None:
    """What a step that is given the whole batch has to average over its parts: nothing."""


def whole(x: Tensor) -> Tensor:
    return x


def parameters_of(networks: Iterable[nn.Module]) -> list[nn.Parameter]:
    return [p for network in networks for p in network.parameters()]


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
    data: ClassVar[DataKind]
    """What it trains on: unpaired or paired pictures of two domains, pictures of one, or pictures
    in a folder for each of many."""
    shows_real: ClassVar[bool] = False
    """Whether previews show real pictures too."""
    dialect: ClassVar[Literal["cyclegan", "dcgan", "stylegan"]]
    """Whose way of writing a line of losses its users know."""
    baseline: ClassVar[bool] = False
    """Whether it is here for others to be compared with, and not suggested for a user's data."""
    borrowed: ClassVar[Mapping[str, str]] = {}
    """Networks that no one trains, with weights from a file, kept in buffers and in snapshots: by
    the network's name the setting that names the file. Without one they are as they are made."""
    published_keys: ClassVar[bool] = True
    """Whether networks' state dicts have the keys of the published code."""

    def __init__(
        self, config: Settings, channels: Mapping[str, int], classes: Sequence[str] = ()
    ) -> None:
        """`channels` of each domain, and the names of the classes where pictures have labels."""
        super().__init__()
        self.config = config
        self.channels, self.classes = dict(channels), tuple(classes)
        self.scales = default_scales(channels)
        """How each domain's values become [-1, 1]: 8 bits, unless it is told otherwise."""
        self.optimizers: dict[str, Optimizer] = {}
        self.players: dict[str, tuple[nn.Module, ...]] = {}
        self.averages = nn.ModuleDict()
        self.fixed: dict[str, dict[str, str]] = {}
        """Of each network that no one trains, what its weights are and where they come from."""
        self.steps = 0
        """Steps begun so far."""
        self.warmup_steps = 0
        """So many steps at the beginning move discriminators only, while generators stand still."""
        self.descents: dict[str, int] = {}
        """How often each player has descended."""
        self.gathering: set[str] = set()
        """The players with gradients of a part of the loss that they are about to descend."""
        self.vitals: dict[str, Tensor] = {}
        """What the doctor looks at: scalars of the last step, not waited for."""

        self.even_out: Callable[[Sequence[Tensor]], None] = as_they_are
        """Where steps are given a part of the batch: makes tensors their mean over all parts."""
        self.joined: Callable[[Tensor], Tensor] = whole
        """Where they are: of this part's values (N, ...) those of all parts, in their order."""

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One training step on pictures (N, C, H, W) in [-1, 1]: its losses, as scalars.

        Names of discriminators' losses begin with D. A player that does not move has none."""
        raise NotImplementedError  # pragma: no cover

    def preview(self, batch: Batch) -> dict[str, Tensor]:
        """What to look at while training: named pictures (N, C, H, W) in [-1, 1]."""
        raise NotImplementedError  # pragma: no cover

    def translate(self, picture: AnyPicture, direction: Direction | None = None) -> AnyPicture:
        """Turn a picture of one domain into one of another: see `Translator`."""
        raise InputError(f"{self.name} makes pictures from noise: use generate")

    def generate(
        self, seeds: Iterable[int] = range(16), label: str | None = None
    ) -> list[Image.Image]:
        """Make a picture for each seed: see `Generator`."""
        raise InputError(f"{self.name} makes pictures from pictures: use translate")

    @property
    def notes(self) -> list[str]:
        """What a user should know before the training begins."""
        return []

    def player(
        self,
        name: str,
        *networks: nn.Module,
        lr: float,
        betas: tuple[float, float],
        weight_decay: float = 0.0,
    ) -> Adam:
        """One Adam over these networks; `name` is how logs and state call it. `weight_decay` is a
        part of the gradient, as Adam first had it."""
        weights = parameters_of(networks)
        optimizer = Adam(weights, lr=lr, betas=betas, weight_decay=weight_decay, fused=True)
        self.enlist(name, networks, optimizer, lr)
        return optimizer

    def rmsprop_player(self, name: str, *networks: nn.Module, lr: float, alpha: float) -> RMSprop:
        """One RMSProp over these networks, whose mean square decays by alpha a step."""
        optimizer = RMSprop(parameters_of(networks), lr=lr, alpha=alpha)
        self.enlist(name, networks, optimizer, lr)
        return optimizer

    def enlist(
        self, name: str, networks: tuple[nn.Module, ...], optimizer: Optimizer, lr: float
    ) -> None:
        for group in optimizer.param_groups:
            group["initial_lr"] = lr
        self.optimizers[name], self.players[name] = optimizer, networks
        if self.config.checkpoint_activations:
            keep_inputs_only(networks)
        # Counted on the device, so that no step waits for the answer.
        for count in ("skipped", "streak", "skipped_at"):
            self.register_buffer(f"{count}_{name}", torch.zeros(()), persistent=False)
        self.descents[name] = 0

    def gather(self, player: str, terms: Mapping[str, Tensor]) -> None:
        """Take the gradients of some terms of the loss that this player is about to descend, before
        the others are computed: what they were computed from is let go."""
        if player not in self.gathering:
            self.optimizers[player].zero_grad(set_to_none=True)
            self.gathering.add(player)
        # Out of autocast: inside it the second backward of a penalty would round to halves.
        if terms:
            loss = total(terms)
            with torch.autocast(loss.device.type, enabled=False):
                loss.backward()

    def descend(self, player: str, loss: Tensor | None = None) -> None:
        """One step of that player's optimizer down the loss and what was gathered of it.

        Where a gradient is not finite, in whichever part of the batch, nothing moves and the step
        is counted as skipped.
        """
        optimizer = self.optimizers[player]
        self.gather(player, {} if loss is None else {player: loss})
        self.gathering.discard(player)
        gradients = [
            p.grad
            for group in optimizer.param_groups
            for p in group["params"]
            if p.grad is not None
        ]
        self.even_out(gradients)
        norm = get_total_norm(gradients)
        bad = (~torch.isfinite(norm)).float()
        if isinstance(optimizer, RMSprop):
            # It has no fused step: this one waits for the device.
            if not bad:
                optimizer.step()
        else:
            # The fused step itself leaves everything as it is where this is 1.
            optimizer.found_inf = bad  # pyright: ignore[reportAttributeAccessIssue]
            optimizer.step()
        self.get_buffer(f"skipped_{player}").add_(bad)
        self.get_buffer(f"streak_{player}").add_(1).mul_(bad)
        self.get_buffer(f"skipped_at_{player}").lerp_(bad * self.steps, bad)
        self.vitals[f"{player} gradient"] = norm.detach()
        self.descents[player] += 1
        # Autocast would go on with the weights of before the step.
        torch.clear_autocast_cache()

    def skipped_steps(self) -> int:
        """Steps, of all players, that a gradient which was not finite has cost."""
        return sum(int(self.get_buffer(f"skipped_{player}")) for player in self.optimizers)

    def skipped_at(self) -> dict[str, int]:
        """The last step that each player skipped; players that skipped none are left out."""
        last = {player: int(self.get_buffer(f"skipped_at_{player}")) for player in self.optimizers}
        return {player: step for player, step in last.items() if step}

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

    def drop(self, *names: str) -> None:
        """Take networks out that there are no weights of. Such a method can be used, as far as
        what is left goes, and not trained."""
        for name in names:
            delattr(self, name)
            if name in self.averages:
                del self.averages[name]

    def best(self, name: str) -> nn.Module:
        """The network to use: its average where one is kept.

        Raises:
            InputError: it has been dropped.
        """
        if name not in self._modules:
            raise InputError(
                f"{name}: is not there, for this {self.name} was imported without it; there is "
                f"{', '.join(self.networks())}"
            )
        return self.averages[name] if name in self.averages else self.get_submodule(name)

    def work_at(self, step: int) -> Hashable:
        """What the step behind so many others has to do: steps of equal work, on equal pictures,
        take equally long."""
        return None

    def stand_at(self, step: int) -> None:
        """Count as behind so many steps: the next one does the work of `work_at(step)`."""
        self.steps = step

    def plan(self, clock: Clock) -> None:
        """Get ready for the step that the clock stands before: what a schedule of the method's own
        changes, its networks' size or the rates that `set_rate` goes by. It must follow from the
        clock and from what snapshots keep, so that resuming is exact."""

    def progress(self) -> dict[str, float]:
        """What a log line tells of the method's own schedule, by name."""
        return {}

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

    def compilable(self) -> list[nn.Module]:
        """The networks that torch.compile can take, which has no double backward."""
        return [network for networks in self.players.values() for network in networks]

    def training_state(self) -> dict[str, Any]:
        """What `state_dict` leaves out and the next step needs: optimizers, pools, counters."""
        buffers = dict(self.named_transient_buffers())
        optimizers = {name: o.state_dict() for name, o in self.optimizers.items()}
        counts = {"steps": self.steps, "descents": dict(self.descents)}
        return {"optimizers": optimizers, "buffers": buffers, "counts": counts}

    def load_training_state(self, state: dict[str, Any]) -> None:
        self.steps, self.descents = state["counts"]["steps"], dict(state["counts"]["descents"])
        self.gathering.clear()
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        for name, old in list(self.named_transient_buffers()):
            owner, _, leaf = name.rpartition(".")
            value = state["buffers"][name].to(old.device)
            setattr(self.get_submodule(owner), leaf, value)

    def pools(self) -> dict[str, Tensor]:
        """Of the transient buffers those that are each part's own: histories of pictures."""
        pools = {n: m for n, m in self.named_modules() if isinstance(m, ImagePool)}
        return {f"{name}.images": pool.images for name, pool in pools.items()}

    def load_pools(self, pools: Mapping[str, Tensor]) -> None:
        """Hold these pictures in place of those that are held, as many as there is room for."""
        for name, images in pools.items():
            pool = self.get_submodule(name.removesuffix(".images"))
            assert isinstance(pool, ImagePool)
            pool.images = images[: pool.held].to(pool.images)

    def running_statistics(self) -> list[Tensor]:
        """What networks keep of the pictures that they have seen."""
        modules = [m for network in self.networks().values() for m in network.modules()]
        keepers = [m for m in modules if isinstance(m, Tracking)]
        buffers = [b for keeper in keepers for b in keeper.buffers(recurse=False)]
        return [b for b in buffers if b.is_floating_point()]

    def named_transient_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Buffers that are no weights, by their full names."""
        for owner, module in self.named_modules():
            for leaf in sorted(module._non_persistent_buffers_set):
                yield f"{owner}.{leaf}" if owner else leaf, module.get_buffer(leaf)
