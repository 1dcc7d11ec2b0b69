"""A training, through the public face: what it writes, says and refuses."""

import errno
import json
import re
import subprocess
import sys
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from killing import read_log
from PIL import Image
from safetensors.torch import load_file, save_file

import ganvas
from ganvas.cli import main
from ganvas.errors import InputError
from ganvas.runs import snapshots


@pytest.fixture
def train(tiny_settings: dict, unpaired_folder: Path, tmp_path: Path):
    """Train a tiny CycleGAN into tmp_path/run with some settings changed."""

    def trained(**changes) -> Path:
        settings: dict[str, Any] = {"data": unpaired_folder, "out": tmp_path / "run"} | changes
        return ganvas.train("cyclegan", **tiny_settings | settings).path

    return trained


def test_a_run_holds_what_the_design_promises(train):
    run = train(duration="2ep", log_every="1it", snapshot_every="1ep", preview_every="1ep")
    for name in ("config.yaml", "log.jsonl", "loss_log.txt", "report.html"):
        assert (run / name).stat().st_size > 0
    latest = run / "snapshots" / "latest"
    assert {p.name for p in latest.iterdir()} == {"model.safetensors", "model.json", "state.pt"}
    assert len(list((run / "samples").glob("*kimg.png"))) >= 3


def test_a_run_names_the_versions_that_what_it_saw_depends_on(tiny_run: Path):
    known = ganvas.Run(tiny_run).record["provenance"]
    wanted = {"ganvas", "pillow"}
    assert {name: known[name] for name in wanted} == {name: version(name) for name in wanted}


def test_every_setting_is_written_and_can_be_trained_from_again(train, tmp_path, capsys):
    run = train(lambda_A=7.0, size="32x36")
    again = tmp_path / "again"
    argv = ["train", "cyclegan", "--config", str(run / "config.yaml"), "--out", str(again)]
    assert main(argv) == 0
    first, second = ganvas.Run(run).record, ganvas.Run(again).record
    assert first["settings"]["lambda_A"] == 7.0
    assert first["settings"] | {"out": ""} == second["settings"] | {"out": ""}
    for name, weights in load_file(run / "snapshots/latest/model.safetensors").items():
        same = load_file(again / "snapshots/latest/model.safetensors")[name]
        assert torch.equal(weights, same)


def test_the_log_counts_and_averages(train):
    even = {"batch_size": 2, "lr_policy": "constant"}
    run = train(duration="6it", log_every="3it", **even)
    lines = read_log(run / "log.jsonl")
    assert [line["images"] for line in lines] == [6, 12]
    names = ["D_A", "G_A", "cycle_A", "idt_A", "D_B", "G_B", "cycle_B", "idt_B"]
    assert list(lines[0]["losses"]) == names
    single = train(duration="3it", log_every="1it", out=run.parent / "each", **even)
    means = {
        name: sum(line["losses"][name] for line in read_log(single / "log.jsonl")) / 3
        for name in names
    }
    assert lines[0]["losses"] == pytest.approx(means, rel=1e-5)


def test_loss_log_is_in_the_format_that_scripts_parse(train):
    run = train(duration="2ep", log_every="1it")
    header, *lines = (run / "loss_log.txt").read_text().splitlines()
    assert header.startswith("================ Training Loss (")
    for line in lines:
        assert re.match(r"\(epoch: \d+, iters: \d+, time: \d+\.\d{3}, data: \d+\.\d{3}\) ", line)
        assert dict(re.findall(r"(\w+): (-?\d+\.\d{3}) ", line.split(") ")[1])).keys() >= {"D_A"}
    epochs = [int(re.findall(r"epoch: (\d+)", line)[0]) for line in lines]
    assert set(epochs) == {1, 2}


def test_tensorboard_reads_the_losses(train):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = train(duration="4it", log_every="2it", tensorboard=True)
    events = EventAccumulator(str(run)).Reload()
    wanted = [line["losses"]["cycle_A"] for line in read_log(run / "log.jsonl")]
    assert [e.value for e in events.Scalars("loss/cycle_A")] == pytest.approx(wanted)
    assert "preview" in events.Tags()["images"]


def test_only_the_newest_numbered_snapshots_are_kept(train):
    run = train(duration="7it", snapshot_every="1it", keep=2)
    names = [p.name for p in ganvas.Run(run).numbered_snapshots()]
    assert names == ["000000.006kimg", "000000.007kimg"]


def test_there_is_always_a_final_snapshot(train):
    """The reference leaves none after one epoch of a small set."""
    run = train(duration="1it", snapshot_every="50ep")
    description = json.loads((run / "snapshots/latest/model.json").read_text())
    assert description["clock"]["images"] == 1


def test_previews_show_the_same_inputs_every_time(train):
    run = train(duration="4it", preview_every="2it", previews=2)
    frames = [Image.open(p) for p in sorted((run / "samples").glob("*.png"))]
    assert [f.info["clock"] for f in frames] == ["0", "2", "4"]
    columns = frames[0].info["columns"].split()
    assert columns == ["real_A", "fake_B", "rec_A", "idt_B", "real_B", "fake_A", "rec_B", "idt_A"]
    width, height = frames[0].width // len(columns), frames[0].height // 2
    real = [frame.crop((0, 0, width, 2 * height)).tobytes() for frame in frames]
    fake = [frame.crop((width, 0, 2 * width, 2 * height)).tobytes() for frame in frames]
    assert len(set(real)) == 1
    assert len(set(fake)) == 3


def test_minutes_end_a_training_too(train):
    run = train(duration="0.02min", log_every="1it", ema="0.01kimg")
    lines = read_log(run / "log.jsonl")
    assert lines[-1]["time"]["seconds"] >= 1.2
    # On a machine that is busy elsewhere the first step may be the last.
    assert all(line["time"]["seconds"] < 1.2 for line in lines[:-1])
    assert all(later["lr"] <= line["lr"] for line, later in pairwise(lines))


def test_a_training_learns(train, tmp_path):
    """On gradients of a few colours the cycle closes, a little, within some tiny steps."""
    for part, colours in (("trainA", ("red", "navy")), ("trainB", ("lime", "white"))):
        (tmp_path / "data" / part).mkdir(parents=True)
        for colour in colours:
            ramp = Image.linear_gradient("L").resize((32, 32))
            flat = Image.new("RGB", (32, 32), colour)
            picture = Image.composite(flat, Image.new("RGB", (32, 32)), ramp)
            picture.save(tmp_path / "data" / part / f"{colour}.png")
    rare = {"preview_every": "60it", "snapshot_every": "60it"}
    run = train(data=tmp_path / "data", duration="60it", log_every="15it", lr=0.004, **rare)
    lines = read_log(run / "log.jsonl")
    first, last = (line["losses"]["cycle_A"] + line["losses"]["cycle_B"] for line in lines[::3])
    assert last < 0.8 * first


def test_the_papers_x_may_be_the_other_folder(train, tmp_path):
    forth = ganvas.load(train(duration="3it"))
    back = ganvas.load(train(duration="3it", direction="BtoA", out=tmp_path / "back"))
    picture = Image.new("RGB", (32, 32), "orange")
    assert forth.translate(picture, "AtoB").size == back.translate(picture, "AtoB").size


def test_grey_and_colour_train_together(train, tmp_path):
    data = tmp_path / "grey2colour"
    for part, mode in (("trainA", "L"), ("trainB", "RGB")):
        (data / part).mkdir(parents=True)
        for i in range(2):
            Image.radial_gradient("L").rotate(40 * i).convert(mode).save(data / part / f"{i}.png")
    method = ganvas.load(train(data=data, lambda_identity=0, duration="2it"))
    assert method.channels == {"A": 1, "B": 3}
    assert method.translate(Image.new("L", (20, 20))).mode == "RGB"


def test_a_training_that_diverges_stops_and_says_so(train, tmp_path):
    with pytest.raises(InputError, match="have not been finite for"):
        train(duration="200it", log_every="10it", lr=1e30)
    assert (tmp_path / "run" / "log.jsonl").exists()
    assert all("NaN" not in line for line in (tmp_path / "run/log.jsonl").read_text().splitlines())


def test_a_training_that_diverges_keeps_its_good_snapshots(train, tmp_path):
    run = train(duration="4it", snapshot_every="2it", lr_policy="constant")
    config = ganvas.Run(run).record
    config["settings"] |= {"lr": 1e30, "latest_every": "1it"}
    ganvas.Run(run).write_record(config)
    state = torch.load(run / "snapshots/latest/state.pt", weights_only=True)
    for optimizer in state["method"]["optimizers"].values():
        optimizer["param_groups"][0]["initial_lr"] = 1e30
    torch.save(state, run / "snapshots/latest/state.pt")
    with pytest.raises(InputError, match="the last snapshot is good"):
        ganvas.resume(run, duration="60it")
    good = ganvas.Run(run).numbered_snapshots()[:2]
    assert [p.name for p in good] == ["000000.002kimg", "000000.004kimg"]


def test_another_training_that_began_meanwhile_is_not_overwritten(train, tmp_path, monkeypatch):
    from ganvas import training

    prepared = training.prepare

    def slowly(*arguments):
        result = prepared(*arguments)
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "config.yaml").write_text("of another")
        return result

    monkeypatch.setattr(training, "prepare", slowly)
    with pytest.raises(InputError, match="another training has begun there"):
        train()
    assert (tmp_path / "run" / "config.yaml").read_text() == "of another"


def test_runs_without_a_name_are_counted_up(train, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [train(out=None, duration="1it").name for _ in range(2)]
    assert names == ["00000-cyclegan-pictures", "00001-cyclegan-pictures"]


def test_whole_pictures_that_are_too_small_are_said_before_training(train, tmp_path):
    data = tmp_path / "small"
    for part in ("trainA", "trainB"):
        (data / part).mkdir(parents=True)
        Image.new("RGB", (8, 40)).save(data / part / "thin.png")
    with pytest.raises(InputError, match=r"trainA/thin.png \(8x40 .*too small"):
        train(data=data, preprocess="none")
    assert not (tmp_path / "run").exists()


def test_a_picture_that_vanishes_while_training_is_named(train, unpaired_folder, tmp_path):
    from ganvas import progress

    gone = unpaired_folder / "trainA"

    class Vandal(progress.Bar):
        def stepped(self, training):
            gone.rename(tmp_path / "elsewhere") if gone.exists() else None

    from ganvas import training
    from ganvas.methods.cyclegan import Config

    settings = {"size": 32, "ngf": 4, "ndf": 4, "n_blocks": 1, "n_layers": 2, "duration": "9it"}
    for workers in (0, 1):
        out = tmp_path / f"run{workers}"
        config = Config.from_mapping(
            settings | {"data": unpaired_folder, "out": out, "cache": "none", "workers": workers}
        )
        with pytest.raises(InputError, match=r"^trainA/\d.png: can no longer be read") as error:
            training.train("cyclegan", config, Vandal())
        assert "Traceback" not in str(error.value)
        (tmp_path / "elsewhere").rename(gone)


def test_a_process_ends_whoever_keeps_the_error_of_a_worker(unpaired_folder, tmp_path):
    """The error holds the workers' iterator, and these heed no signal."""
    program = f"""
import shutil
from ganvas import progress, training
from ganvas.errors import InputError
from ganvas.methods.cyclegan import Config

class Vandal(progress.Bar):
    def stepped(self, training):
        shutil.rmtree({str(unpaired_folder / "trainA")!r}, ignore_errors=True)

config = Config(data={str(unpaired_folder)!r}, out={str(tmp_path / "run")!r}, size="32", ngf=4,
    ndf=4, n_blocks=1, n_layers=2, duration="9it", cache="none", workers=1, threads=1)
try:
    training.train("cyclegan", config, Vandal())
except InputError as error:
    kept = error
"""
    done = subprocess.run([sys.executable, "-c", program], timeout=120, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_a_full_disk_is_said_and_the_last_snapshot_stays(train, tmp_path, monkeypatch):
    written = snapshots.write_flushed
    calls = []

    def full_at_the_fifth(path: Path, content: bytes) -> None:
        calls.append(path)
        if len(calls) == 5:
            path.write_bytes(content[:10] if isinstance(content, bytes) else b"")
            raise OSError(errno.ENOSPC, "No space left on device")
        written(path, content)

    monkeypatch.setattr(snapshots, "write_flushed", full_at_the_fifth)
    with pytest.raises(InputError, match="the disk is full; the last snapshot is good"):
        train(duration="6it", snapshot_every="2it")
    monkeypatch.undo()
    assert json.loads((tmp_path / "run/snapshots/latest/model.json").read_text())
    ganvas.load(tmp_path / "run")
    ganvas.resume(tmp_path / "run")


def test_a_dry_run_writes_nothing(tiny_settings, unpaired_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "tiny.yaml"
    lines = [f"{k}: {v}" for k, v in tiny_settings.items() if not isinstance(v, bool)]
    config.write_text("\n".join(lines))
    argv = ["train", "cyclegan", "--data", str(unpaired_folder), "--config", str(config)]
    before = sorted(tmp_path.rglob("*"))
    assert main([*argv, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "nothing was written" in said
    assert "parameters" in said
    assert sorted(tmp_path.rglob("*")) == before


def test_at_the_start_every_option_is_printed_and_changed_ones_are_marked(
    tiny_run: Path, tmp_path, capsys
):
    record = ganvas.Run(tiny_run).record
    argv = ["train", "cyclegan", "--config", str(tiny_run / "config.yaml")]
    assert main([*argv, "--out", str(tmp_path / "r"), "--duration", "1it"]) == 0
    said = capsys.readouterr().out
    for name in record["settings"]:
        assert re.search(rf"^ *{name.replace('_', '-')}: ", said, re.MULTILINE), name
    assert re.search(r"lambda-A: 10.0$", said, re.MULTILINE)
    assert re.search(r"ngf: \d+ +<- changed$", said, re.MULTILINE)
    assert re.search(r"G_A: [\d,]+ parameters", said)
    assert re.search(r"trainA: 6 pictures, RGB", said)


def test_weights_of_another_shape_are_refused_with_the_difference(train):
    latest = train(duration="1it") / "snapshots" / "latest"
    weights = load_file(latest / "model.safetensors")
    weights["G_A.model.1.weight"] = torch.zeros(5, 3, 7, 7)
    weights["stranger"] = torch.zeros(1)
    del weights["G_B.model.1.bias"]
    save_file(weights, latest / "model.safetensors")
    with pytest.raises(InputError) as error:
        ganvas.load(latest)
    assert "3 differences" in str(error.value)
    assert "G_A.model.1.weight is (5, 3, 7, 7) and not (4, 3, 7, 7)" in str(error.value)


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_a_damaged_snapshot_is_said(train, name):
    latest = train(duration="1it") / "snapshots" / "latest"
    (latest / name).write_bytes((latest / name).read_bytes()[:100])
    with pytest.raises(InputError, match=f"{name}.*cannot be read"):
        ganvas.load(latest)


def test_a_damaged_state_is_said_when_resuming(train):
    run = train(duration="1it")
    state = run / "snapshots" / "latest" / "state.pt"
    state.write_bytes(state.read_bytes()[:200])
    with pytest.raises(InputError, match=r"state\.pt: cannot be read"):
        ganvas.resume(run, duration="2it")


def test_nothing_in_a_run_needs_pickled_code(train):
    run = train(duration="1it", ema="1kimg")
    torch.load(run / "snapshots/latest/state.pt", weights_only=True)


def test_weights_bear_the_keys_of_the_reference(train):
    run = train(duration="1it")
    keys = load_file(run / "snapshots/latest/model.safetensors").keys()
    assert {k.split(".")[0] for k in keys} == {"G_A", "G_B", "D_A", "D_B"}
    assert "G_A.model.10.conv_block.1.weight" in keys
