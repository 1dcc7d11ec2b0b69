"""Folders of pictures go through a translator several at a time, and come out as they would one by
one."""

import signal
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from killing import in_a_process, wait_for
from making import noise
from PIL import Image

from ganvas.data.decode import decode
from ganvas.errors import InputError
from ganvas.inference import flow
from ganvas.inference.flow import Asked, translate_all
from ganvas.inference.jobs import Job, plan, usable
from ganvas.inference.tiles.fitting import untiled_bytes
from ganvas.inference.translate import tile_for
from ganvas.methods.cyclegan import Config, CycleGAN
from ganvas.networks import convolution, untrained
from ganvas.networks.norms import InstanceNorm2d
from ganvas.networks.winograd import WIDE
from ganvas.scales import Scale

SIZES = [(20, 20), (20, 20), (33, 21), (20, 20), (64, 40), (64, 40), (64, 40), (8, 30)]


def method_of(**changes) -> CycleGAN:
    torch.manual_seed(0)
    settings = {"size": 32, "ngf": 4, "ndf": 4, "n_blocks": 1, "lambda_identity": 0} | changes
    method = CycleGAN(Config.from_mapping(settings), dict.fromkeys("AB", 3))
    return method.requires_grad_(False).eval()


METHOD = method_of()


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    folder = tmp_path / "in"
    folder.mkdir()
    for n, (width, height) in enumerate(SIZES):
        noise(n, height, width, 3).save(folder / f"{n}.png")
    return usable(plan([str(folder)], tmp_path / "out", Scale(3)))[0]


@pytest.fixture(params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def singly(job: Job, method: CycleGAN = METHOD) -> np.ndarray:
    return method.translate_picture(decode(job.source.read_bytes(), ""), "AtoB").values


def written(job: Job) -> np.ndarray:
    return np.asarray(Image.open(job.target))


def test_sizes_are_known_once_pictures_have_been_looked_at(jobs):
    assert [job.size for job in jobs] == SIZES


@pytest.mark.parametrize("small", [0, 1000, 2**18])
def test_pictures_come_out_in_order_as_they_would_singly(small, threads, jobs, monkeypatch):
    monkeypatch.setattr(flow, "SMALL", small)
    assert list(translate_all(Asked(METHOD, "AtoB"), jobs)) == jobs
    for job in jobs:
        assert np.abs(written(job).astype(int) - singly(job)).max() <= 1, job.source.name
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_pictures_of_one_size_as_one_batch_come_out_as_they_would_singly(norm, jobs):
    method, seen = method_of(norm=norm), []
    _ = method.G_A.register_forward_pre_hook(lambda module, x: seen.append(len(x[0])))
    assert list(translate_all(Asked(method, "AtoB"), jobs, at_once=2)) == jobs
    assert seen == [2, 1, 1, 2, 1, 1]
    for job in jobs:
        assert np.abs(written(job).astype(int) - singly(job, method)).max() <= 1


@pytest.mark.parametrize(("small", "at_once"), [(0, None), (2**18, None), (0, 4)])
def test_a_picture_at_fault_is_named_and_those_before_it_are_written(
    small, at_once, threads, jobs, monkeypatch
):
    monkeypatch.setattr(flow, "SMALL", small)
    method, given = method_of(), CycleGAN.given
    bad = decode(jobs[5].source.read_bytes(), "").values

    def spoilt(self, picture, direction):
        x = given(self, picture, direction)
        return x + 9 if np.array_equal(picture.values, bad) else x

    monkeypatch.setattr(CycleGAN, "given", spoilt)
    done: list[Job] = []
    with pytest.raises(InputError, match=r"5\.png: tensor with values outside"):
        done += translate_all(Asked(method, "AtoB"), jobs, at_once=at_once)
    assert all(job.target.exists() for job in jobs[:5])
    assert not jobs[5].target.exists()


def test_a_picture_that_has_gone_is_named(jobs):
    jobs[3].source.unlink()
    with pytest.raises(InputError, match=r"3\.png: cannot be read \(No such file"):
        _ = list(translate_all(Asked(METHOD, "AtoB"), jobs))


@pytest.mark.parametrize("small", [0, 2**18])
def test_no_more_is_under_way_than_memory_is_meant_to_hold(small, jobs, monkeypatch):
    monkeypatch.setattr(flow, "SMALL", small)
    monkeypatch.setattr(flow, "AHEAD", 64 * 40 + 1)
    lock, held, most = threading.Lock(), 0, 0
    read, write = Asked.read, Asked.write

    def counted(job: Job, sign: int) -> None:
        nonlocal held, most
        with lock:
            held += sign * job.size[0] * job.size[1]
            most = max(most, held)

    monkeypatch.setattr(Asked, "read", lambda self, job: (counted(job, 1), read(self, job))[1])
    monkeypatch.setattr(
        Asked, "write", lambda self, job, y: (write(self, job, y), counted(job, -1))[0]
    )
    assert list(translate_all(Asked(METHOD, "AtoB"), jobs)) == jobs
    assert held == 0
    assert most <= 64 * 40


def test_kernels_are_transformed_once_for_all_pictures(jobs, threads, monkeypatch):
    calls, real = [], untrained.transformed
    monkeypatch.setattr(untrained, "transformed", lambda t, w: (calls.append(0), real(t, w))[1])
    monkeypatch.setattr(untrained, "WIDE", 16)
    monkeypatch.setattr(convolution, "WIDE", 16)
    monkeypatch.setattr(convolution, "FEW", 50)
    before = np.stack([singly(job) for job in jobs[4:7]])
    assert not calls
    assert list(translate_all(Asked(METHOD, "AtoB"), jobs)) == jobs
    assert len(calls) == 2
    assert not untrained.kept
    assert np.abs(np.stack([written(job) for job in jobs[4:7]]).astype(int) - before).max() <= 1


def test_kernels_that_are_to_be_kept_are_part_of_what_must_fit(monkeypatch):
    method = method_of(ngf=WIDE // 4)
    need = 2 * untiled_bytes(method.G_A, (64, 64), stride=4, smallest=8)
    monkeypatch.setattr("ganvas.inference.translate.free_memory", lambda: need + 1)
    assert tile_for(method, (64, 64), "AtoB") is None
    with untrained.kept_kernels(method):
        assert tile_for(method, (64, 64), "AtoB") is not None


@pytest.mark.parametrize("small", [0, 2**18])
def test_closing_ends_it_and_leaves_nothing_behind(small, jobs, monkeypatch):
    monkeypatch.setattr(flow, "SMALL", small)
    before = threading.active_count()
    with closing(translate_all(Asked(METHOD, "AtoB"), jobs)) as found:
        assert next(found) == jobs[0]
    assert threading.active_count() == before
    assert not any(layer._forward_pre_hooks for layer in METHOD.modules())
    assert not list(jobs[0].target.parent.glob(".*"))


def test_an_interruption_is_heard_between_layers(jobs, monkeypatch):
    """In a layer of the first picture, so that whoever went on to the last would be noticed."""
    reached = threading.Event()
    passed = []

    def norm(self, x):
        passed.append(0)
        reached.set()
        assert stopped.wait(10)
        return x

    monkeypatch.setattr(InstanceNorm2d, "forward", norm)
    found = translate_all(Asked(METHOD, "AtoB"), jobs[:1])
    stopped = threading.Event()
    setter = flow.Crew.__exit__

    def ended(self, *error):
        self.stopped.set()
        stopped.set()
        setter(self, *error)

    monkeypatch.setattr(flow.Crew, "__exit__", ended)
    monkeypatch.setattr(flow.Crew, "end", interrupted_when(reached))
    with pytest.raises(KeyboardInterrupt):
        _ = next(found)
    assert len(passed) == 1
    assert not jobs[0].target.exists()


def interrupted_when(reached: threading.Event):
    def end(self, few):
        assert reached.wait(10)
        raise KeyboardInterrupt
        yield

    return end


def test_ctrl_c_ends_the_command_with_its_own_status(tiny_run, jobs, tmp_path):
    def interrupted() -> int:
        from ganvas.cli import main

        signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent may ignore it
        write = Asked.write

        def first_then_stop(self, job, picture):
            write(self, job, picture)
            signal.raise_signal(signal.SIGINT)

        Asked.write = first_then_stop
        return main(
            ["translate", str(tiny_run), str(jobs[0].source.parent), "--out", str(tmp_path / "o")]
        )

    assert wait_for(in_a_process(interrupted)) == 130
    assert (tmp_path / "o" / "0.png").exists()
    assert not list((tmp_path / "o").glob(".*"))
