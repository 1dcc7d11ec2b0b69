"""A folder for a model hub: plain weights, what is needed to build the networks, a card."""

import inspect
import json
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import jinja2
from safetensors.torch import save as save_safetensors
from torch import nn

from ganvas.clock import Clock
from ganvas.config import MachineSettings, WatchSettings, option_name
from ganvas.errors import InputError
from ganvas.inference.exported import networks_in_use
from ganvas.methods.base import Direction, Method
from ganvas.methods.generator import Generator
from ganvas.methods.translator import Translator
from ganvas.runs.describe import parameters
from ganvas.runs.directory import Run, is_run
from ganvas.runs.files import write_whole
from ganvas.runs.snapshots import read_description
from ganvas.scales import Scale

CARD, CONFIG, SAMPLES = "README.md", "config.json", "samples.png"
OF_THE_MACHINE = {f.name for kind in (MachineSettings, WatchSettings) for f in fields(kind)}
PRIVATE = (OF_THE_MACHINE - {"seed", "precision"}) | {"data", "init", "cache", "max_bad"}
"""Settings that say nothing about the networks, and may say where somebody's files are."""

Used = dict[str, tuple[nn.Module, tuple[Direction, ...]]]
"""Networks by name, and the directions that each translates in."""


def write_card(
    method: Method, directions: tuple[Direction, ...], snapshot: Path, place: Path, title: str
) -> None:
    """Write the folder `place`: of each network that is used one safetensors file; config.json;
    README.md; samples.png where the run has previews.

    Only what the snapshot and its run say goes into the card.
    """
    description = read_description(snapshot)
    around = snapshot.resolve().parent.parent
    run = Run(around) if is_run(around) else None
    clock = Clock(**description["clock"])
    networks = used(method, directions)
    place.mkdir(parents=True)
    for name, (network, _) in networks.items():
        weights = {key: x.detach().contiguous() for key, x in network.state_dict().items()}
        write_whole(place / f"{name}.safetensors", save_safetensors(weights))
    write_whole(place / CONFIG, json.dumps(config_of(method, description, networks), indent=1))
    sample = newest_sample(run, clock) if run else None
    if sample:
        write_whole(place / SAMPLES, sample.read_bytes())
    facts = training_facts(method, run, clock)
    origin = "Trained with ganvas."
    if made_by(run).get("imported"):
        origin = "Trained by another project, and imported into ganvas."
    write_whole(place / CARD, text_of(method, networks, facts, title, origin, bool(sample)))


def used(method: Method, directions: tuple[Direction, ...]) -> Used:
    if isinstance(method, Translator):
        best = {method.best(name): name for name in method.networks()}
        found: Used = {}
        for way in directions:
            # The network itself, or what it is a part of, with its target fixed.
            network = next(m for m in method.translator(way).modules() if m in best)
            name = best[network]
            found[name] = (network, (*found.get(name, (network, ()))[1], way))
        return found
    in_use = networks_in_use(cast(Generator, method))
    return {name: (network, ()) for name, network in in_use.items()}


def config_of(method: Method, description: dict[str, Any], networks: Used) -> dict[str, Any]:
    """The content of config.json: what a snapshot's model.json says, of these networks alone.

    The weights are averages already where averages were kept, so that none is asked for.
    """
    settings = {k: v for k, v in description["settings"].items() if k not in PRIVATE}
    about = {k: description[k] for k in ("format", "method", "channels", "classes", "pictures")}
    return {
        **about,
        "ganvas": version("ganvas"),
        "settings": settings | {"ema": None},
        "clock": description["clock"],
        "networks": {name: parameters(network) for name, (network, _) in networks.items()},
        "directions": {
            name: ways[0] if len(ways) == 1 else list(ways)
            for name, (_, ways) in networks.items()
            if ways
        },
        "averages": [name for name in networks if name in method.averages],
    }


def newest_sample(run: Run, clock: Clock) -> Path | None:
    """The run's last preview that is not younger than the snapshot."""
    found = sorted(run.samples.glob("[0-9]*.png")) if run.samples.is_dir() else []
    return next((path for path in reversed(found) if path.stem <= clock.label), None)


def training_facts(method: Method, run: Run | None, clock: Clock) -> dict[str, str]:
    """Rows of the card's table on the training."""
    c, made = method.config, made_by(run)
    imported = made.get("imported", {})
    facts = {
        f"imported as {name}": f"`{Path(file['file']).name}`, SHA-256 `{file['sha256']}`"
        for name, file in imported.items()
    }
    if not imported:
        of = f" of {c.batch_size}" if clock.images == clock.iterations * c.batch_size else ""
        facts = {
            "pictures shown": f"{clock.images:,} ({clock.epoch:.4g} epochs, "
            f"{clock.iterations:,} steps{of})",
            "time": f"{clock.seconds / 60:,.1f} min",
            "size in training": "x".join(map(str, c.width_height)) + " pixels",
        }
    for domain, scale in method.scales.items():
        if not scale.is_bytes:
            facts[f"values of {domain}"] = f"{scale.dtype}; {scale.ends_told()} become -1 to 1"
    if c.data:
        facts["data"] = f"`{c.data if ':' in c.data else Path(c.data).name}`"
    if "init" in made:
        files = made["init"]["files"].items()
        facts["begun with"] = ", ".join(f"`{Path(f).name}`, SHA-256 `{sha}`" for f, sha in files)
    if "pictures" in made:
        facts["pictures"] = ", ".join(f"{n:,} in {part}" for part, n in made["pictures"].items())
    for part, digest in made.get("data_fingerprint", {}).items():
        facts[f"fingerprint of {part}"] = f"SHA-256 `{digest}`"
    if "device" in made:
        facts["device"] = made["device"]
    for package in ("ganvas", "torch"):
        if package in made:
            facts[package] = made[package]
    changed = [name for name in c.changed() if name not in PRIVATE]
    said = ", ".join(f"`{spelt(name, getattr(c, name))}`" for name in changed)
    return facts | {"settings not at their defaults": said or "none"}


def made_by(run: Run | None) -> dict[str, Any]:
    """What the run's record says of how it came to be."""
    try:
        return run.record["provenance"] if run else {}
    except InputError:
        return {}


def spelt(name: str, value: Any) -> str:
    """A setting as on the command line."""
    if isinstance(value, bool):
        return f"--{'' if value else 'no-'}{option_name(name)}"
    return f"--{option_name(name)} {value}"


def text_of(
    method: Method,
    networks: Used,
    facts: dict[str, str],
    title: str,
    origin: str,
    sample: bool,
) -> str:
    """The card: README.md, with the lines in front that hubs read."""
    loader = jinja2.PackageLoader("ganvas", "inference")
    page = jinja2.Environment(
        loader=loader,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    ).get_template("card.md.jinja")
    return page.render(
        title=title,
        origin=origin,
        method=method.name,
        about=" ".join(inspect.cleandoc(inspect.getmodule(type(method)).__doc__ or "").split()),
        translates=isinstance(method, Translator),
        published_keys=method.published_keys,
        sample=sample,
        pil=all(is_for_pil(scale) for scale in method.scales.values()),
        facts=facts,
        networks=[
            {
                "name": name,
                "makes": makes(method, ways),
                "directions": ways,
                "parameters": parameters(network),
                "weights": "averages" if name in method.averages else "of the last step",
            }
            for name, (network, ways) in networks.items()
        ],
    )


def is_for_pil(scale: Scale) -> bool:
    """Whether PIL has such pictures."""
    if scale.space:
        return True
    deep = scale.dtype != "uint8"
    return scale.channels in ((1,) if deep else (1, 3)) and scale.dtype in ("uint8", "uint16")


def makes(method: Method, directions: tuple[Direction, ...]) -> str:
    if not isinstance(method, Translator):
        (pictures,) = method.channels.values()
        return f"pictures of {pictures} channels from latents"
    source, target = method.ends(directions[0])
    named = ", ".join(f"`{way}`" for way in directions)
    if method.data == "domains":
        return f"pictures of a domain ({method.channels[target]} channels) from others, {named}"
    return (
        f"pictures of {target} ({method.channels[target]} channels) from pictures of {source} "
        f"({method.channels[source]} channels), {named}"
    )
