"""Which method, and which of its networks, files of other projects are.

The rules, in this order; an option overrides what is concluded:
- a name with G_A, G_B, D_A or D_B says which of CycleGAN's networks it is;
- a discriminator that takes as many channels as the generator takes and gives is pix2pix's, which
  sees pairs;
- an anti-aliased discriminator is CUT's, and so is a generator that is anti-aliased in both
  places and has no letter, or comes with F;
- a unet alone is pix2pix's generator, any other resnet alone CycleGAN's G_A;
- generators and discriminators that begin with noise are DCGAN's.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ganvas.config import Settings, option_name
from ganvas.errors import InputError
from ganvas.methods import method_class
from ganvas.methods.base import Direction
from ganvas.networks.patchgan import smallest_patched
from ganvas.weights.files import read_weights
from ganvas.weights.recognise import Network, recognise

NAMED = re.compile(r"(?<![A-Za-z])(?:net_?)?([GD])(?:_?([AB]))?(?![A-Za-z0-9])")
TRANSLATORS = ("cut", "cyclegan", "fastcut", "pix2pix")
CONTRASTIVE = ("cut", "fastcut")
BASELINES = ("featgan", "simgan")
"""A generator and a discriminator of its pictures: no files are taken for these unasked."""


@dataclass(frozen=True)
class Assigned:
    """Networks of a method, as files of other projects hold them."""

    method: str
    networks: dict[str, Network]
    """By the method's names: G_A, D ..."""
    roles: dict[str, int]
    """Channels of the method's X and Y, or of its pictures."""
    notes: list[str] = field(default_factory=list)
    """What was concluded from no more than a rule."""

    @property
    def settings(self) -> dict[str, Any]:
        """What the tensors say of the method's settings.

        Raises:
            InputError: two files say different things.
        """
        found: dict[str, Any] = {}
        said_by: dict[str, Network] = {}
        for network in self.networks.values():
            for name, value in network.settings.items():
                if found.setdefault(name, value) != value:
                    other = said_by[name]
                    raise InputError(
                        f"{other.path} and {network.path}: are no networks of one training: "
                        f"--{option_name(name)} {found[name]} in the one and {value} in the other; "
                        "take them in separate calls"
                    )
                said_by.setdefault(name, network)
        return found

    def channels(self, direction: Direction) -> dict[str, int]:
        """Channels by domain, where X is translated in that direction."""
        if "pictures" in self.roles:
            return self.roles
        x, y = direction[0], direction[-1]
        return dict(sorted({x: self.roles["x"], y: self.roles["y"]}.items()))

    def config(self, given: dict[str, Any]) -> Settings:
        """The method's settings: those given, those that the tensors show, else its defaults.

        Raises:
            InputError: they do not fit one another.
        """
        settings = self.settings | given
        if "pictures" not in self.roles:
            settings.setdefault("size", str(least_size(settings)))
            if self.method == "cyclegan" and self.roles["x"] != self.roles["y"]:
                settings.setdefault("lambda_identity", 0)
            if self.method in CONTRASTIVE and "D" in self.networks:
                settings.setdefault("antialias_D", False)
        return method_class(self.method).Config.from_mapping(settings)


def least_size(settings: dict[str, Any]) -> int:
    """256, or the least size from there on that the networks can train on."""
    stride = 2 ** settings["n_downs"] if settings.get("generator") == "unet" else 4
    least = max(256, smallest_patched(settings.get("n_layers", 1)))
    return -(-least // stride) * stride


def assign(files: Sequence[Path], method: str | None = None) -> Assigned:
    """Read the files and say what they are; `method` overrides the rules.

    Raises:
        InputError: one cannot be read or is of no known network, two are the same, or they do not
            belong together.
    """
    found = [recognise(path, read_weights(path)) for path in dict.fromkeys(files)]
    found.sort(key=lambda network: (network.player, str(network.path)))
    for network in found:
        named = NAMED.search(network.path.stem)
        if named and named[1] != network.player:
            raise InputError(
                f"{network.path}: is named as a {named[1]} and holds a {network.about}; rename it"
            )
    found = [coloured(network) for network in found]
    if not any(network.player == "G" for network in found):
        raise InputError(
            f"{found[0].path}: is a {found[0].about}, and there is no generator with it; name the "
            "generator's file too"
        )
    if len({network.kind for network in found}) > 1:
        listed = "; ".join(f"{network.path} is a {network.about}" for network in found)
        raise InputError(f"the files are of different methods: {listed}; take them in two calls")
    if found[0].kind == "noise":
        return as_dcgan(found, method)
    chosen = method or method_of(found)
    if chosen not in (*TRANSLATORS, *BASELINES):
        raise InputError(
            f"{found[-1].path}: is a {found[-1].about}, which {chosen} does not have; "
            f"{', '.join(TRANSLATORS)} do"
        )
    if chosen not in CONTRASTIVE and (own := [network for network in found if of_cut(network)]):
        raise InputError(
            f"{own[0].path}: is a {own[0].about}, which {chosen} does not have; "
            f"{' and '.join(CONTRASTIVE)} do"
        )
    if chosen != "pix2pix" and any("colorization" in network.settings for network in found):
        raise InputError(
            f"{found[-1].path}: makes two channels of one, as the reference's colorization, which "
            "is pix2pix --colorization here"
        )
    notes = [] if method else rule_of(found, chosen)
    if chosen in CONTRASTIVE:
        return as_cut(found, chosen, notes)
    return as_cyclegan(found, notes) if chosen == "cyclegan" else as_one_way(found, chosen, notes)


def coloured(network: Network) -> Network:
    """With the setting that it paints colours, where it makes two channels of one."""
    if (network.player, network.takes, network.gives) != ("G", 1, 2):
        return network
    return replace(network, settings=network.settings | {"colorization": True})


def of_cut(network: Network) -> bool:
    """Whether CUT alone has such a network."""
    return network.player == "F" or "antialias_D" in network.settings


def letter_of(network: Network) -> str | None:
    """The letter in the name: A of latest_net_G_A."""
    named = NAMED.search(network.path.stem)
    return named[2] if named else None


def method_of(found: list[Network]) -> str:
    generators = [network for network in found if network.player == "G"]
    discriminators = [network for network in found if network.player == "D"]
    if "colorization" in generators[0].settings:
        return "pix2pix"
    if any(map(of_cut, found)):
        return "cut"
    if any(map(letter_of, found)) or len(generators) > 1:
        return "cyclegan"
    G = generators[0]
    if G.settings.get("antialias") == "both" and G.takes == G.gives and not discriminators:
        return "cut"
    pairs = generators[0].takes + generators[0].gives
    if discriminators:
        return "pix2pix" if discriminators[0].takes == pairs else "cyclegan"
    return "pix2pix" if generators[0].settings["generator"] == "unet" else "cyclegan"


def rule_of(found: list[Network], method: str) -> list[str]:
    """The sentence on a method that neither names nor a discriminator have told."""
    if "colorization" in found[-1].settings:
        return [
            f"{found[-1].path.name} makes two channels of one: it is taken for the reference's "
            "colorization, from L to a and b of CIE L*a*b*"
        ]
    if len(found) > 1 or letter_of(found[0]):
        return []
    kind = found[0].settings["generator"]
    if method == "cut":
        kind = f"{kind} anti-aliased in both places"
    return [
        f"{found[0].path.name} alone does not tell its method: a {kind} is taken for {method}'s; "
        f"--method {'pix2pix' if method == 'cyclegan' else 'cyclegan'} takes it for the other's"
    ]


def as_dcgan(found: list[Network], method: str | None) -> Assigned:
    if method not in (None, "dcgan"):
        raise InputError(
            f"{found[-1].path}: is a {found[-1].about}, which {method} does not have; dcgan does"
        )
    networks = by_name(found, lambda network: network.player)
    depth = {n.gives if n.player == "G" else n.takes for n in networks.values()}
    if len(depth) > 1:
        raise apart(networks["G"], networks["D"])
    return Assigned("dcgan", networks, {"pictures": depth.pop()})


def as_cut(found: list[Network], method: str, notes: list[str]) -> Assigned:
    networks = by_name(found, lambda network: network.player)
    G = networks["G"]
    if G.takes != G.gives:
        raise InputError(f"{G.path}: is a {G}, and {method} wants equal ones")
    for network in networks.values():
        if network.takes != G.takes:
            raise apart(G, network)
    return Assigned(method, networks, {"x": G.takes, "y": G.gives}, notes)


def as_one_way(found: list[Network], method: str, notes: list[str]) -> Assigned:
    lettered = [network for network in found if letter_of(network)]
    if len(found) > 1 and lettered:
        raise InputError(
            f"{lettered[0].path}: is named as one of CycleGAN's networks, and {method} has one G "
            "and one D; name one of them alone, or rename them"
        )
    networks = by_name(found, lambda network: network.player)
    G = networks["G"]
    judged = G.takes + G.gives if method == "pix2pix" else G.gives
    if "D" in networks and networks["D"].takes != judged:
        raise apart(G, networks["D"])
    return Assigned(method, networks, {"x": G.takes, "y": G.gives}, notes)


def as_cyclegan(found: list[Network], notes: list[str]) -> Assigned:
    def name(network: Network) -> str:
        return f"{network.player}_{letter_of(network) or 'A'}"

    networks = by_name(found, name)
    x, y = (
        (networks["G_A"].takes, networks["G_A"].gives)
        if "G_A" in networks
        else (networks["G_B"].gives, networks["G_B"].takes)
    )
    wanted = {"G_A": (x, y), "G_B": (y, x), "D_A": (y, 1), "D_B": (x, 1)}
    for key, network in networks.items():
        if (network.takes, network.gives) != wanted[key]:
            raise apart(networks.get("G_A", networks.get("G_B", network)), network)
    unnamed = [n for n in networks.values() if not letter_of(n) and len(found) > 1]
    notes = notes + [
        f"{n.path.name}: is taken for {name(n)}, for lack of a letter" for n in unnamed
    ]
    return Assigned("cyclegan", networks, {"x": x, "y": y}, notes)


def by_name(found: list[Network], name: Callable[[Network], str]) -> dict[str, Network]:
    """The networks by what they are.

    Raises:
        InputError: two are the same.
    """
    networks: dict[str, Network] = {}
    for network in found:
        other = networks.setdefault(name(network), network)
        if other is not network:
            raise InputError(
                f"{other.path} and {network.path}: both are {name(network)}; name one of them, or "
                "rename them so that they end in G_A, G_B, D_A or D_B"
            )
    return networks


def apart(one: Network, other: Network) -> InputError:
    return InputError(
        f"{one.path} ({one}) and {other.path} ({other}): do not belong together by their channels; "
        "take them in separate calls"
    )
