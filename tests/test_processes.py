"""Several processes train as one would: each step's batch is dealt out, and its gradients are the
mean over all parts."""

import os
import signal
import subprocess
import sys
from itertools import chain, islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from killing import differences, everything, killed_when, read_log, wait_for
from kinds import batch_of, make
from making import write_unpaired
from together import free_port, start_together, together
from torch import Tensor, nn

import ganvas
from ganvas.cli import main
from ganvas.config import Settings
from ganvas.data.opening import open_training_set
from ganvas.data.sampler import EndlessBatches
from ganvas.engine import Engine, Processes, seed_step
from ganvas.errors import InputError
from ganvas.loop import Nobody
from ganvas.methods import METHODS, method_class
from ganvas.methods.base import Method
from ganvas.runs.directory import Run
from ganvas.training import dry_run, prepare, refuse_unequal_parts, settings_of

STEPS = 2
CASES: dict[str, dict[str, Any]] = {
    "bigan": {"dropout": True},
    "cogan": {},
    "cut": {"dropout": True, "flip_equivariance": True, "num_patches": 20},
    "cyclegan": {"dropout": True, "objective": "wgan", "gp": 10},
    "dcgan": {"conditional": True, "norm_D": "layer", "r1_gamma": 1},
    "discogan": {"lambda_fm": 0},
    "dualgan": {"size": 64, "n_downs": 6, "norm": "instance", "batch_size": 2},
    "fastcut": {"gp": 1},
    "featgan": {"d_steps": "2"},
    "pix2pix": {"size": 64, "n_downs": 6, "norm": "instance"},
    "r3gan": {"r1_gamma": 2, "r2_gamma": 2},
    "simgan": {"objective": "rpgan"},
    "stargan": {"objective": "wgan", "gp": 10},
    "stylegan": {"lod_initial_resolution": 4, "mbstd_group": 1, "r1_gamma": 10, "ema": "1kimg"},
}
"""Settings with chance of every kind, and nothing that looks at several pictures at once."""

FREE = ("first.epilogue.bias", "loss fm_A", "loss fm_B")
"""A bias that a norm takes out again, of whose gradient, rounding alone, Adam makes steps; and
losses of means over a batch."""


def without_batch_norms(method: Method) -> Method:
    """What is left is equal in each part; the rest is what --norm instance is for, and dcgan,
    cogan and discogan do not have."""
    for module in list(method.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    return method


def steps_of(name: str, processes: Processes) -> dict[str, Tensor]:
    """Weights, statistics and losses behind a few steps on batches of two."""
    method = without_batch_norms(make(method_class(name), **CASES[name]))
    for counter, value in list(method.named_buffers(recurse=False)):
        setattr(method, counter, value.float())  # as Adam wants what it is told of skipped steps
    method.even_out, method.joined = processes.average, processes.joined
    losses: dict[str, Tensor] = {}
    for step in range(STEPS):
        torch.manual_seed(100 + step)
        each = 2 // processes.count
        own = slice(processes.index * each, (processes.index + 1) * each)
        batch = {domain: x[own] for domain, x in batch_of(method, 2).items()}
        seed_step(7, step)
        with processes.share(2):
            losses = method.step(batch)
        processes.average([*losses.values(), *method.running_statistics()])
        method.update_averages(0.5)
    assert not method.skipped_steps()
    return method.state_dict() | {f"loss {name}": loss for name, loss in losses.items()}


def all_methods(out: Path | None = None) -> dict[str, dict[str, Tensor]]:
    """Of all methods in float64, where rounding cannot be taken for anything else."""
    torch.set_default_dtype(torch.float64)
    try:
        processes = Processes.join()
        found = {name: steps_of(name, processes) for name in METHODS}
    finally:
        torch.set_default_dtype(torch.float32)
    if out:
        torch.save(found, out / f"{processes.index}.pt")
    return found


@pytest.fixture(scope="module")
def by_two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, dict[str, Tensor]]]:
    """What each of two processes has at the end, and what a single one has."""
    out = tmp_path_factory.mktemp("steps")
    statuses = together(2, lambda: all_methods(out) and 0, said=out / "said")
    assert statuses == [0, 0], (out / "said").read_text()
    return [torch.load(out / f"{index}.pt") for index in range(2)] + [all_methods()]


@pytest.mark.parametrize("name", METHODS)
def test_two_processes_come_to_the_weights_of_one(name, by_two):
    first, second, alone = (found[name] for found in by_two)
    assert not differences(first, second)
    compared = [key for key in alone if not key.endswith(FREE)]
    apart = {key: float((first[key] - alone[key]).abs().max()) for key in compared}
    assert max(apart.values()) < 1e-8, max(apart, key=lambda key: apart[key])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_batch_is_dealt_out_in_its_order(count):
    sizes = [6, 12]

    def batch_size(k: int) -> int:
        return sizes[k >= 12]

    whole = list(islice(EndlessBatches(batch_size, 0), 5))
    parts = [islice(EndlessBatches(batch_size, 0, (i, count)), 5) for i in range(count)]
    assert [list(chain(*dealt)) for dealt in zip(*parts, strict=True)] == whole


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "data": str(folder),
        "size": 32,
        "load_size": 36,
        "ngf": 4,
        "ndf": 4,
        "n_blocks": 1,
        "n_layers": 2,
        "pool_size": 8,
        "batch_size": 2,
        "log_every": "3it",
        "preview_every": "5it",
        "previews": 2,
        "snapshot_every": "4it",
        "duration": "14it",
        "eval_every": "5it",
        "eval_metrics": "swd",
        "eval_count": 4,
        "hold_out": 4,
        "tensorboard": False,
        "device": "cpu",
        "threads": 1,
        "quiet": True,
        **more,
    }


def trained(out: Path, folder: Path, duration: str = "14it") -> int:
    ganvas.train("cyclegan", out=out, **settings(folder, duration=duration))
    return 0


def gone_on_with(run: Path) -> int:
    ganvas.resume(run, quiet=True)
    return 0


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_unpaired(tmp_path_factory.mktemp("pictures") / "unpaired")


@pytest.fixture(scope="module")
def never_stopped(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes; not to be changed."""
    folder = tmp_path_factory.mktemp("through")
    assert together(2, trained, folder / "run", pictures, said=folder / "said") == [0, 0]
    return folder / "run"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_stops_one_process_stops_all_and_resuming_is_exact(
    number, never_stopped, pictures, tmp_path
):
    run, said = tmp_path / "run", tmp_path / "said"
    command = [
        *("train", "cyclegan", "--out", str(run)),
        *(f"--{name.replace('_', '-')}={value}" for name, value in settings(pictures).items()),
    ]
    command = [word for word in command if not word.startswith(("--quiet", "--tensorboard"))]
    first, second = start_together(2, main, [*command, "--no-tensorboard"], said=said)
    there = run / "snapshots" / "000000.008kimg"
    ended = killed_when(second, there.exists, number)
    killed = number == signal.SIGKILL
    assert (ended, wait_for(first)) == ((-9, 2) if killed else (130, 130)), said.read_text()
    text = said.read_text()
    assert text.count("another process has ended" if killed else "stopped") == 1
    assert len(list(run.glob(".*.writing"))) == 0
    assert together(2, gone_on_with, run, said=said) == [0, 0], said.read_text()
    assert not differences(everything(run), everything(never_stopped))


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_another_number_of_processes_goes_on_and_says_so(
    before, after, never_stopped, pictures, tmp_path
):
    run, said = tmp_path / "run", tmp_path / "said"
    assert together(before, trained, run, pictures, "5it", said=said) == [0] * before
    held = everything(run)["state"]["method"]["buffers"]
    assert (
        together(after, main, ["resume", str(run), "--duration", "9it"], said=said) == [0] * after
    )
    assert said.read_text().count(f"note: trained in {before} process") == 1
    found = everything(run)
    assert found["clock"] == 18
    # Pictures that were held go on to be held, and there is room for eight in all.
    pools = found["state"].get("pools", [found["state"]["method"]["buffers"]])
    assert [len(pool["pool_x.images"]) for pool in pools] == ([8] if after == 1 else [4, 4])
    assert held["pool_x.images"].shape[1:] == pools[-1]["pool_x.images"].shape[1:]


def test_the_log_of_two_processes_is_that_of_one(never_stopped, pictures, tmp_path):
    trained(tmp_path / "run", pictures)
    one, two = (read_log(run / "log.jsonl")[0] for run in (tmp_path / "run", never_stopped))
    assert one["iterations"] == two["iterations"] == 3
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-3)
    assert two["lr"] == one["lr"]


def test_what_uses_a_run_is_left_to_the_first_process(monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert main(["methods", "dcgan"]) == 0
    assert capsys.readouterr().err == "ganvas: methods: left to the first of 2 processes\n"
    monkeypatch.setenv("RANK", "0")
    assert main(["methods", "dcgan"]) == 0
    assert "--batch-size" in capsys.readouterr().out


def keeps_pictures(config: Settings, free: float) -> int:
    """1 where a process that finds so much memory free keeps its pictures there."""
    with patch("ganvas.data.parts.free_memory", lambda: free):
        return int(prepare("dcgan", config, Nobody(), Run("run")).data.in_memory)


def test_processes_on_one_machine_share_its_memory(pictures, tmp_path):
    given = {"data": str(pictures / "trainA"), "size": 32, "batch_size": 2, "device": "cpu"}
    config = settings_of("dcgan", given)
    seen = open_training_set("pictures", config).parts["pictures"].seen
    taken = sum(s.pixels.nbytes for s in seen if s.pixels is not None)
    # A domain may have a quarter.
    free, said = 4 * 1.5 * taken, tmp_path / "said"
    assert together(1, keeps_pictures, config, free, said=said) == [1], said.read_text()
    assert together(2, keeps_pictures, config, free, said=said) == [0, 0], said.read_text()


def test_a_fault_is_told_once_by_all(tmp_path):
    said = tmp_path / "said"
    command = ["train", "dcgan", "--data", str(tmp_path / "nowhere"), "--device", "cpu"]
    assert together(2, main, command, said=said) == [2, 2]
    assert said.read_text().count("nowhere") == 1


def test_batches_that_cannot_be_dealt_out_are_refused():
    config = settings_of("stylegan", {"size": 32, "minibatch_dict": "4:8,8:6,16:4"})
    refuse_unequal_parts(config, 2)
    with pytest.raises(InputError, match=r"--batch-size 6: .* does not divide by 4; take 8"):
        refuse_unequal_parts(config, 4)


def test_a_dry_run_is_of_one_process(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match=r"--dry-run: .* 2 were started"):
        dry_run("dcgan", settings_of("dcgan", {"data": "sample:shapes"}), None)  # pyright: ignore


def test_processes_that_are_not_told_of_one_another_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="RANK and LOCAL_RANK and MASTER_ADDR and MASTER_PORT"):
        Processes.join()
    monkeypatch.setenv("RANK", "2")
    with pytest.raises(InputError, match="RANK=2 WORLD_SIZE=2"):
        Processes.join()


def test_what_uses_a_run_is_done_by_each_process_alone(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert Engine.start("cpu").processes == Processes()


def test_torchrun_trains_on_two_machines(pictures, tmp_path):
    """Where a process's rank and its rank on its machine differ; those on one machine, in the tests
    above, are told of one another as torchrun does it."""
    out, port = tmp_path / "run", str(free_port())
    command = [
        *("--nproc-per-node", "1", "--nnodes", "2", "--master-addr", "127.0.0.1"),
        *("--master-port", port, "-m", "ganvas", "train", "dcgan"),
        *("--data", str(pictures / "trainA"), "--out", str(out), "--device", "cpu"),
        *("--size", "16", "--ngf", "4", "--ndf", "4", "--nz", "4", "--batch-size", "4"),
        *("--duration", "2it", "--log-every", "1it", "--no-tensorboard"),
    ]
    sources = str(Path(ganvas.__file__).parents[1])
    agents = [
        subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", "--node-rank", str(node), *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": sources, "OMP_NUM_THREADS": "1"},
        )
        for node in range(2)
    ]
    said, faults = (list(texts) for texts in zip(*(a.communicate() for a in agents), strict=True))
    assert [agent.returncode for agent in agents] == [0, 0], faults
    assert [text.count("report:") for text in said] == [1, 0]
    assert "2 processes" in said[0]
    assert len(read_log(out / "log.jsonl")) == 2
    assert (out / "snapshots" / "latest" / "state.pt").is_file()
