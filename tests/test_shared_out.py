"""Several processes that translate and judge: the work is shared out, and ends as one would."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from making import write_unpaired
from together import together

import ganvas
from ganvas.cli import main
from ganvas.engine import Processes
from ganvas.errors import InputError
from ganvas.evaluation import own
from ganvas.inference.flow import Asked
from ganvas.inference.jobs import Job
from ganvas.pictures import Picture


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_unpaired(tmp_path_factory.mktemp("pictures") / "unpaired")


def test_pictures_to_translate_are_shared_out(tiny_run, pictures, tmp_path):
    said, out, alone = tmp_path / "said", tmp_path / "out", tmp_path / "alone"
    command = ["translate", str(tiny_run), str(pictures / "trainA"), "--device", "cpu", "--out"]
    assert together(2, main, [*command, str(out)], said=said) == [0, 0], said.read_text()
    assert main([*command, str(alone)]) == 0
    found = {path.name: path.read_bytes() for path in out.iterdir()}
    assert found == {path.name: path.read_bytes() for path in alone.iterdir()}
    assert said.read_text().count(f"{len(found)} pictures in") == 1


def test_a_picture_that_one_process_cannot_use_is_told_once_before_any_is_translated(
    tiny_run, pictures, tmp_path
):
    said, out, folder = tmp_path / "said", tmp_path / "out", tmp_path / "in"
    shutil.copytree(pictures / "trainA", folder)
    (folder / "zz.png").write_text("no picture")
    command = ["translate", str(tiny_run), str(folder), "--device", "cpu", "--out", str(out)]
    assert together(2, main, command, said=said) == [2, 2]
    assert said.read_text().count("zz.png: is text and no picture") == 1
    assert not out.exists()
    assert together(2, main, [*command, "--max-bad", "1"], said=said) == [0, 0]
    assert said.read_text().count("left out:") == 1


def of_own_machine(run: Path, folders: Path, out: Path) -> int:
    """Where each process has a folder of its own at that place."""
    os.chdir(folders / os.environ["RANK"])
    return main(["translate", str(run), "in", "--device", "cpu", "--out", str(out)])


def test_processes_that_see_different_pictures_are_refused(tiny_run, pictures, tmp_path):
    for index in "01":
        shutil.copytree(pictures / "trainA", tmp_path / index / "in")
    next((tmp_path / "1" / "in").iterdir()).unlink()
    said, out = tmp_path / "said", tmp_path / "out"
    assert together(2, of_own_machine, tiny_run, tmp_path, out, said=said) == [2, 2]
    assert said.read_text().count("the processes see different pictures") == 1
    assert not out.exists()


def test_a_fault_in_one_share_ends_all_and_is_told_once(tiny_run, pictures, tmp_path, monkeypatch):
    said, out = tmp_path / "said", tmp_path / "out"
    write = Asked.write

    def spoilt(self: Asked, job: Job, picture: Picture) -> None:
        if job.source.name == last.name:
            raise InputError(f"{job.source}: the disk is full")
        write(self, job, picture)

    last = sorted((pictures / "trainA").iterdir())[-1]
    monkeypatch.setattr(Asked, "write", spoilt)
    command = ["translate", str(tiny_run), str(pictures / "trainA"), "--device", "cpu", "--out"]
    assert together(2, main, [*command, str(out)], said=said) == [2, 2]
    assert said.read_text().count("the disk is full") == 1
    assert "another process" not in said.read_text()
    assert len(list(out.iterdir())) == len(list((pictures / "trainA").iterdir())) - 1


def shared(out: Path, bad: int | None) -> int:
    """Square so many numbers: which this process did, and what it learnt."""
    processes, did = Processes.join(), []

    def squared(n: int) -> int:
        if n == bad:
            raise InputError(f"{n} is bad")
        did.append(n)
        return n * n

    try:
        found = list(processes.shared_out(partial(squared, n) for n in range(5)))
    except InputError as error:
        found = str(error)
    (out / f"{processes.index}.json").write_text(json.dumps([did, found]))
    return 0


@pytest.mark.parametrize("bad", [None, 3])
def test_each_piece_of_work_is_done_once_and_told_in_order(bad, tmp_path):
    assert together(2, shared, tmp_path, bad, said=tmp_path / "said") == [0, 0]
    one, two = (json.loads((tmp_path / f"{n}.json").read_text()) for n in range(2))
    if bad is None:
        assert one == [[0, 2, 4], [0, 1, 4, 9, 16]]
        assert two == [[1, 3], []]
    else:
        assert one == [[0, 2], "3 is bad"]
        assert two == [[1], "3 is bad"]


def dealt_out_unlike(out: Path, unreadable: bool) -> int:
    """One process cannot read a picture that work is made of, or has fewer."""
    processes = Processes.join()

    def pieces() -> Iterator[Callable[[], int]]:
        for n in range(4):
            if n == 2 and not processes.first:
                if unreadable:
                    raise InputError("2.png: cannot be read")
                return
            yield lambda: 1

    try:
        found = str(list(processes.shared_out(pieces())))
    except InputError as error:
        found = str(error)
    (out / str(processes.index)).write_text(found)
    return 0


@pytest.mark.parametrize("unreadable", [True, False])
def test_work_that_differs_or_cannot_be_made_is_told_to_all(unreadable, tmp_path):
    assert together(2, dealt_out_unlike, tmp_path, unreadable, said=tmp_path / "said") == [0, 0]
    told = [(tmp_path / str(n)).read_text() for n in range(2)]
    wanted = "2.png: cannot be read" if unreadable else "processes have different work to do"
    assert all(text.startswith(wanted) for text in told)


def judged_of_own_machine(run: Path, folders: Path) -> int:
    os.chdir(folders / os.environ["RANK"])
    return main(["evaluate", str(run), "--data", "in", "--device", "cpu", "--metrics", "swd"])


def test_processes_that_see_different_pictures_to_judge_by_are_refused(
    tiny_run_copy, pictures, tmp_path
):
    for n in range(2):
        shutil.copytree(pictures, tmp_path / str(n) / "in")
    changed = next((tmp_path / "1" / "in" / "testA").iterdir())
    shutil.copy(next((pictures / "trainB").iterdir()), changed)
    said = tmp_path / "said"
    statuses = together(2, judged_of_own_machine, tiny_run_copy, tmp_path, said=said)
    assert statuses == [2, 2], said.read_text()
    assert "processes see different pictures to judge by" in said.read_text()


OF_NOISE = "fd,kd,coverage,ms-ssim,swd,pl-zend"
OF_PICTURES = "fd,swd,cycle,l1,ssim"


@pytest.fixture
def judged(request, tiny_run_copy: Path, pictures: Path, tmp_path: Path) -> list[str]:
    """The words of an evaluation, of pictures from noise or of translations."""
    if request.param == OF_PICTURES:
        return [str(tiny_run_copy), "--data", str(pictures), "--paired"]
    data = str(pictures / "trainA")
    small: dict[str, Any] = {"size": 16, "ngf": 4, "ndf": 4, "nz": 4, "batch_size": 4}
    small |= {"duration": "1it", "tensorboard": False, "device": "cpu", "quiet": True}
    return [str(ganvas.train("dcgan", data=data, out=tmp_path / "dcgan", **small).path)]


@pytest.mark.parametrize(
    ("judged", "metrics"),
    [(metrics, metrics) for metrics in (OF_NOISE, OF_PICTURES)],
    indirect=["judged"],
)
def test_an_evaluation_by_two_processes_finds_what_one_does(judged, metrics, tmp_path, monkeypatch):
    monkeypatch.setattr("ganvas.evaluation.evaluate.AT_ONCE", 3)
    said, one, two = (tmp_path / name for name in ("said", "one.json", "two.json"))
    command = ["evaluate", *judged, "--metrics", metrics, "--count", "8", "--device", "cpu"]
    command += ["--extractor", "random", "--json"]
    assert main([*command, str(one)]) == 0
    assert together(2, main, [*command, str(two)], said=said) == [0, 0], said.read_text()
    rows = [json.loads(path.read_text()) for path in (one, two)]
    values = [{(r["key"], r["direction"]): r["value"] for r in found} for found in rows]
    assert {key for key, _ in values[0]} == set(metrics.split(","))
    assert values[1] == pytest.approx(values[0], rel=1e-5)
    assert rows[1][0]["provenance"]["device"].endswith("2 processes")
    assert len(Path(judged[0], "metrics.jsonl").read_text().splitlines()) == 2 * len(values[0])


def test_an_extractor_is_trained_by_one_process_for_all(
    tiny_run_copy, pictures, tmp_path, monkeypatch
):
    monkeypatch.setattr(own, "STEPS", 2)
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path / "cache"))
    said = tmp_path / "said"
    command = ["evaluate", str(tiny_run_copy), "--metrics", "fd", "--count", "8", "--device", "cpu"]
    assert together(2, main, command, said=said) == [0, 0], said.read_text()
    assert said.read_text().count("training an extractor") == 1
    assert len(list((tmp_path / "cache" / "extractors").iterdir())) == 1
