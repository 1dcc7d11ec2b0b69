"""Train in a process of its own, so that it can be killed; and compare what runs leave."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch

# Optimizers import this when they are made, in seconds: before the forks, once for all of them.
import torch._dynamo
from safetensors.torch import load_file

import ganvas.training  # noqa: F401  (as above)
from ganvas.runs.directory import Run
from ganvas.runs.page import templates
from ganvas.runs.snapshots import load_state

# Compiled once before the forks, too, and not in each child anew.
for _name in templates().list_templates(extensions=["jinja"]):
    templates().get_template(_name)


def in_a_process(work, *arguments: Any) -> int:
    """Fork, do `work` in the child, and return the child's id. Far quicker than a new Python."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        torch.set_num_threads(1)
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
            os.dup2(nowhere.fileno(), sys.stderr.fileno())
        status = work(*arguments) or 0
    finally:
        os._exit(status)


def wait_for(child: int) -> int:
    """The child's exit status; minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_when(child: int, due, number: int = signal.SIGKILL, seconds: float = 60) -> int:
    """Send the signal as soon as `due()` holds; the child's exit status."""
    give_up = time.monotonic() + seconds
    while not due() and time.monotonic() < give_up:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.0005)
    os.kill(child, number)
    return wait_for(child)


def read_log(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def without_time(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in entry.items() if name != "time"} for entry in entries]


def untimed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for row in rows:
        del row["date"], row["provenance"]["seconds"]
    return rows


def everything(run: Path) -> dict[str, Any]:
    """All that a run's end holds, but for times: weights, averages, optimizers, pools, log."""
    latest = Run(run).snapshot()
    assert latest is not None
    state = load_state(latest)
    state["clock"].pop("seconds")
    for name in ("log", "watch"):
        state.pop(name)
    settings = Run(run).record["settings"]
    settings.pop("out")
    kept = {p.name: load_file(p / "model.safetensors") for p in (run / "snapshots").glob("best*")}
    metrics = run / "metrics.jsonl"
    return {
        "kept": kept,
        "metrics": untimed(read_log(metrics)) if metrics.is_file() else [],
        "weights": load_file(latest / "model.safetensors"),
        "state": state,
        "log": without_time(read_log(run / "log.jsonl")),
        "samples": {p.name: p.read_bytes() for p in sorted((run / "samples").glob("*.png"))},
        "settings": settings,
        "clock": json.loads((latest / "model.json").read_text())["clock"]["images"],
    }


def differences(a: Any, b: Any, where: str = "") -> list[str]:
    """Where two nests of dicts, lists and tensors are not equal to the bit."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        same = a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b)
        return [] if same else [where]
    if isinstance(a, dict) and isinstance(b, dict):
        found = [f"{where}/{key} is in one only" for key in a.keys() ^ b.keys()]
        for key in a.keys() & b.keys():
            found += differences(a[key], b[key], f"{where}/{key}")
        return found
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        if len(a) != len(b):
            return [f"{where}: {len(a)} and {len(b)} items"]
        return [d for i in range(len(a)) for d in differences(a[i], b[i], f"{where}/{i}")]
    return [] if a == b else [f"{where}: {str(a)[:60]} and {str(b)[:60]}"]
