"""What a run and a snapshot say of themselves."""

import platform
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from typing import Any, ClassVar, Protocol

import torch
from torch import nn

from ganvas.clock import Clock
from ganvas.config import Settings
from ganvas.scales import Scale


class Describable(Protocol):
    """What is described: a method, seen without knowing its room."""

    name: ClassVar[str]
    config: Settings
    channels: dict[str, int]
    scales: dict[str, Scale]
    classes: tuple[str, ...]
    averages: nn.ModuleDict
    fixed: dict[str, dict[str, str]]

    def networks(self) -> dict[str, nn.Module]: ...


class Pictures(Protocol):
    @property
    def fingerprints(self) -> dict[str, str]: ...

    @property
    def layout(self) -> Any: ...


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def describe_run(
    method: str,
    config: Settings,
    network: Describable,
    data: Pictures,
    device: str,
    origin: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of config.yaml; `origin` says what weights it began with."""
    about = {
        "device": device,
        "data_fingerprint": data.fingerprints,
        "pictures": data.layout.counts,
    }
    if origin is not None:
        about["init"] = origin
    if network.fixed:
        about["fixed"] = network.fixed
    return record_of(method, config, network, about)


def describe_import(
    method: str, config: Settings, network: Describable, files: dict[str, dict[str, str]]
) -> dict[str, Any]:
    """The content of config.yaml where weights of other projects were taken in: of each network
    the file and its SHA-256."""
    return record_of(method, config, network, {"imported": files})


def record_of(
    method: str, config: Settings, network: Describable, about: dict[str, Any]
) -> dict[str, Any]:
    return {
        "method": method,
        "settings": asdict(config),
        "changed": config.changed(),
        "provenance": {
            "ganvas": version("ganvas"),
            "torch": str(torch.__version__),
            "python": platform.python_version(),
            # Its resizing, and so what a training sees, is not alike in all versions.
            "pillow": version("pillow"),
            "platform": platform.platform(),
            "command": " ".join(sys.argv),
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            **about,
            "channels": network.channels,
            "values": {domain: scale.described() for domain, scale in network.scales.items()},
            "classes": list(network.classes),
        },
        "networks": {
            name: {"parameters": parameters(module), "layers": str(module)}
            for name, module in network.networks().items()
        },
    }


def describe_model(method: Describable, clock: Clock) -> dict[str, Any]:
    """The content of model.json: enough to build the networks and to use them rightly."""
    return {
        "format": 1,
        "ganvas": version("ganvas"),
        "torch": str(torch.__version__),
        "method": method.name,
        "settings": asdict(method.config),
        "channels": method.channels,
        "classes": list(method.classes),
        "pictures": {domain: scale.described() for domain, scale in method.scales.items()},
        "clock": asdict(clock),
        "networks": {name: parameters(module) for name, module in method.networks().items()},
        "averages": sorted(method.averages),
    }
