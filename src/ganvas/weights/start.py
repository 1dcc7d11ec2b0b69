"""What a training begins from: the weights of a run, of a snapshot, or of another project."""

import glob
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from torch import Tensor

from ganvas.config import Settings, coerce, default_of, option_name, pair_of_numbers
from ganvas.errors import InputError
from ganvas.methods import method_class
from ganvas.methods.base import Method
from ganvas.networks.resnet import placed_as
from ganvas.runs.directory import is_run
from ganvas.runs.snapshots import (
    DESCRIPTION,
    WEIGHTS,
    differences,
    read_description,
    read_tensors,
    scales_in,
    snapshot_folder,
)
from ganvas.scales import Scale
from ganvas.weights.assign import BASELINES, TRANSLATORS, assign
from ganvas.weights.files import fingerprint

Told = TypeVar("Told")
SECOND_NAMES = {
    "cut": "G",
    "cyclegan": "G_A",
    "fastcut": "G",
    "featgan": "G",
    "pix2pix": "G",
    "simgan": "G",
}
"""What a generator that is all there is becomes in another method."""


@dataclass(frozen=True)
class Start:
    """Trained networks by the names that the new training has for them."""

    source: str
    networks: dict[str, dict[str, Tensor]]
    shape: dict[str, Any]
    """Settings that made these networks: a training that begins from them has the same."""
    habits: dict[str, Any]
    """Settings that go on as they were where none are given, but may be others."""
    channels: dict[str, int]
    """Of x and y, the roles that domains play, or of each domain."""
    classes: tuple[str, ...]
    files: list[Path]
    scales: dict[str, Scale] = field(default_factory=dict)
    """By the same names, how values became [-1, 1], where that is known."""
    averaged: list[str] = field(default_factory=list)
    """Networks whose averages stand for them."""
    remarks: list[str] = field(default_factory=list)
    """What was concluded from no more than a rule."""

    def missing(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if name not in self.networks]

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return "snapshot" if self.files[0].name == WEIGHTS else "weights"

    def notes(self, method: Method) -> list[str]:
        """What a training takes from here, and what it does not."""
        defaults = {field.name: default_of(field) for field in fields(method.config)}
        shape = {n: v for n, v in self.shape.items() if str(v) != str(defaults[n])}
        taken = " ".join(option_said(name, value) for name, value in shape.items())
        averages = f", by the averages of {', '.join(self.averaged)}" if self.averaged else ""
        has = f"; as there, it has {taken}" if taken else ""
        begun = ", ".join(name for name in method.networks() if name in self.networks)
        found = [*self.remarks, f"--init {self.source}: begins with its {begun}{averages}{has}"]
        if missing := self.missing(method.networks()):
            found.append(f"--init names no {', '.join(missing)}: begun by chance")
        here, domains = by_role(method.config, method.scales), domains_of(method.config)
        for role, scale in self.scales.items():
            if role in here and here[role] != scale:
                option = f"--range-{domains[role]}" if role in domains else "--range"
                found.append(
                    f"{option}: {ends_said(here[role])} become -1 and 1 here, {ends_said(scale)} "
                    f"in the {self.place}"
                )
        return found

    @property
    def provenance(self) -> dict[str, Any]:
        """For the record: which files, with their SHA-256, and what was taken from them."""
        return {
            "files": {str(file.absolute()): fingerprint(file) for file in self.files},
            "networks": list(self.networks),
            "averages": self.averaged,
        }


def read_start(source: str, method: str) -> Start:
    """What `--init SOURCE` names: a run or a snapshot of the same method, or weights files of
    other projects, several with commas between, or by a pattern.

    Raises:
        InputError: it is not there, cannot be read, or is of another method.
    """
    paths = named_by(source)
    if len(paths) == 1 and is_own(paths[0]):
        return of_snapshot(source, snapshot_folder(paths[0]), method)
    assigned = assign(paths, method)
    names, found = assigned.networks, assigned.settings
    config = assigned.config({})
    shape = {name: getattr(config, name) for name in shaping(config, names)}
    # A size that is not a whole doubling of the first layer's has the same tensors.
    habits = {name: found[name] for name in ("dropout", "size") if name in found}
    shape.pop("size", None)
    networks = {name: network.weights for name, network in names.items()}
    files = [network.path for network in names.values()]
    return Start(source, networks, shape, habits, assigned.roles, (), files, remarks=assigned.notes)


def located_start(source: str) -> str:
    """The source by absolute paths."""
    return ",".join(str(path.absolute()) for path in named_by(source))


def named_by(source: str) -> list[Path]:
    """The paths that the text names."""
    whole = Path(source).expanduser()
    if whole.exists():
        return [whole]
    found: list[Path] = []
    for part in filter(None, map(str.strip, source.split(","))):
        path = Path(part).expanduser()
        matches = [path] if path.exists() else sorted(map(Path, glob.glob(str(path))))
        if not matches:
            raise InputError(f"--init {source}: there is no such run, snapshot or weights file")
        found += matches
    if not found:
        raise InputError(f"--init {source}: names nothing; give a run or a weights file")
    return found


def is_own(path: Path) -> bool:
    """Whether it is a run or a snapshot of ganvas."""
    beside = path.is_file() and (path.parent / DESCRIPTION).is_file() and path.name == WEIGHTS
    return beside or is_run(path) or (path / DESCRIPTION).is_file()


def of_snapshot(source: str, folder: Path, method: str) -> Start:
    """The snapshot's networks, averages in place of those that they were kept of."""
    description = read_description(folder)
    config = method_class(description["method"]).Config.from_mapping(
        description["settings"], str(folder / DESCRIPTION)
    )
    networks: dict[str, dict[str, Tensor]] = {name: {} for name in description["networks"]}
    averages: dict[str, dict[str, Tensor]] = {}
    for key, tensor in read_tensors(folder / WEIGHTS).items():
        if not tensor.isfinite().all():
            raise InputError(
                f"--init {source}: {key} has values that are not finite: that training had "
                "diverged; take an earlier snapshot"
            )
        own = key.removeprefix("averages.")
        name, _, rest = own.partition(".")
        if name not in networks:
            continue  # one that no one trains
        (networks if own == key else averages).setdefault(name, {})[rest] = tensor
    networks |= averages
    shape = {name: getattr(config, name) for name in shaping(config, networks)}
    habits = {n: getattr(config, n) for n in ("direction", "dropout") if hasattr(config, n)}
    channels = by_role(config, description["channels"])
    if description["method"] != method:
        networks, channels = of_another(source, description, method, networks, channels)
        habits.pop("direction", None)
    classes = tuple(description.get("classes", ()))
    scales = by_role(config, scales_in(description))
    files = [folder / WEIGHTS]
    if description["method"] != method:
        known = method_class(method).Config.__dataclass_fields__
        shape = {name: value for name, value in shape.items() if name in known}
        return Start(source, networks, shape, habits, channels, classes, files)
    return Start(
        source, networks, shape, habits, channels, classes, files, scales, sorted(averages)
    )


def of_another(
    source: str,
    description: Mapping[str, Any],
    method: str,
    networks: dict[str, dict[str, Tensor]],
    channels: dict[str, int],
) -> tuple[dict[str, dict[str, Tensor]], dict[str, int]]:
    """The networks of another method as this one's: of one that translates, a generator alone.

    Raises:
        InputError: there is more, or another kind of it.
    """
    theirs, (name, *more) = description["method"], networks
    if more or {theirs, method} - {*TRANSLATORS, *BASELINES} or not name.startswith("G"):
        raise InputError(
            f"--init {source}: is of {theirs} and this is {method}; it must be of the same method, "
            "or a translating generator alone"
        )
    if name == "G_B":
        channels = {"x": channels["y"], "y": channels["x"]}
    return {SECOND_NAMES[method]: networks[name]}, channels


def domains_of(config: Settings) -> dict[str, str]:
    """Which domains play x and y; none where there are no roles."""
    direction = getattr(config, "direction", None)
    return {"x": direction[0], "y": direction[-1]} if direction else {}


def by_role(config: Settings, told: Mapping[str, Told]) -> dict[str, Told]:
    """What is told of each domain, of x and y, whichever domains these are; as it is where there
    are no roles."""
    domains = domains_of(config)
    if not domains:
        return dict(told)
    return {role: told[domain] for role, domain in domains.items() if domain in told}


def ends_said(scale: Scale) -> str:
    if scale.by_type:
        return f"the ends of {scale.dtype}"
    shown = (f"{a:g}:{b:g}" for a, b in zip(scale.low, scale.high, strict=True))
    return ",".join(dict.fromkeys(shown))


def shaping(config: Settings, networks: Iterable[str]) -> list[str]:
    """The settings that say how these networks are built."""
    players = sorted({name[0] for name in networks}, reverse=True)
    return list(dict.fromkeys(name for p in players for name in config.shaped_by(p)))


def taken_over(start: Start, method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings to take from what the training begins with, where none are given.

    Raises:
        InputError: those that are given are others, and networks built by them would not fit.
    """
    types = get_type_hints(method_class(method).Config)
    known = {n: coerce(given[n], types[n], n) for n in start.shape if given.get(n) is not None}
    refuse_differences(start, known)
    return start.habits | start.shape


def refuse_differences(start: Start, here: Mapping[str, Any]) -> None:
    """Raise InputError where a setting is not what the networks were built by."""
    others = [
        f"{option_said(name, here[name])} here, {said(value)} in the {start.place}"
        for name, value in start.shape.items()
        if name in here and comparable(name, here[name]) != comparable(name, value)
    ]
    if others:
        raise InputError(
            f"--init {start.source}: does not fit this training: {'; '.join(others)}; give what it "
            "has, or leave these options out"
        )


def comparable(name: str, value: Any) -> Any:
    return pair_of_numbers(value, name) if name == "size" else value


def option_said(name: str, value: Any) -> str:
    """A setting as the command line has it."""
    if isinstance(value, bool):
        return f"--{'' if value else 'no-'}{option_name(name)}"
    return f"--{option_name(name)} {value}"


def said(value: Any) -> str:
    return str(value) if not isinstance(value, bool) else "on" if value else "off"


def begin_with(method: Method, start: Start) -> None:
    """Put the trained weights into a method's networks, and into their averages.

    Raises:
        InputError: they do not fit: with the settings or the tensors that differ.
    """
    refuse_differences(start, {name: getattr(method.config, name) for name in start.shape})
    here = by_role(method.config, method.channels)
    domains = domains_of(method.config)
    for role, channels in start.channels.items():
        if here.get(role) != channels:
            domain = domains.get(role, "")
            raise InputError(
                f"--init {start.source}: does not fit this training: pictures"
                f"{f' of {domain}' if domain else ''} have {here.get(role)} channels here, "
                f"{channels} in the {start.place}"
                + f"; take --channels{f'-{domain}' if domain else ''} {channels}"
                * ({here.get(role), channels} == {1, 3})
            )
    if start.classes != method.classes:
        ours, theirs = (", ".join(c) or "none" for c in (method.classes, start.classes))
        raise InputError(
            f"--init {start.source}: does not fit this training: classes {ours} here, {theirs} "
            f"in the {start.place}; give the same class folders"
        )
    networks = method.networks()
    for name, weights in start.networks.items():
        if name not in networks:
            raise InputError(
                f"--init {start.source}: has a network {name}, and {method.name} has only "
                f"{', '.join(networks)}"
            )
        own = networks[name].state_dict()
        weights = placed_as(own, weights)
        if differing := differences(own, weights):
            size = start.habits.get("size", method.config.size)
            of = f", which is of --size {size}," if size != method.config.size else ""
            raise InputError(f"--init {start.source}: {name}{of} does not fit {differing}")
        networks[name].load_state_dict(weights)
        if name in method.averages:
            method.averages[name].load_state_dict(weights)
