"""`--init`: a training begins with trained networks, and lets new discriminators warm up first."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from making import noise, write_unpaired
from safetensors.torch import load_file

import ganvas
from ganvas.cli import main
from ganvas.clock import Clock
from ganvas.errors import InputError
from ganvas.loop import Training
from ganvas.methods.cyclegan import Config
from ganvas.methods.dcgan import DiscriminatorNetwork, GeneratorNetwork
from ganvas.networks.patchgan import PatchDiscriminator
from ganvas.networks.resnet import ResnetGenerator
from ganvas.networks.unet import UnetGenerator
from ganvas.runs.directory import Run

QUICK: dict[str, Any] = {
    "size": 32,
    "duration": "4it",
    "log_every": "1it",
    "previews": 2,
    "tensorboard": False,
    "device": "cpu",
    "threads": 1,
}
SMALL = {"ngf": 4, "ndf": 4, "n_blocks": 1, "n_layers": 2}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_unpaired(tmp_path / "data")


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    (tmp_path / "pairs" / "train").mkdir(parents=True)
    for i in range(4):
        noise(i, 40, 80, 3).save(tmp_path / "pairs" / "train" / f"{i}.png")
    return tmp_path / "pairs"


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    for name in ("cat", "dog"):
        (tmp_path / "classes" / name).mkdir(parents=True)
        for i in range(3):
            noise(i, 32, 32, 3).save(tmp_path / "classes" / name / f"{i}.png")
    return tmp_path / "classes"


def train(method: str, data: Path, out: Path, **settings: Any) -> Run:
    whole: dict[str, Any] = QUICK | {"data": data, "out": out} | settings
    return ganvas.train(method, **whole)


def begun(method: str, data: Path, out: Path, **settings: Any) -> dict[str, torch.Tensor]:
    """The weights that a training begins with."""
    run = train(method, data, out, **{"duration": "1it", "lr": 1e-30} | settings)
    return load_file(run.snapshots / "latest" / "model.safetensors")


def weights_of(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.snapshots / "latest" / "model.safetensors")


def saved(folder: Path, **networks: torch.nn.Module) -> list[Path]:
    files = [folder / f"latest_net_{name}.pth" for name in networks]
    for file, network in zip(files, networks.values(), strict=True):
        torch.save(network.state_dict(), file)
    return files


def small_resnet(**changes: Any) -> ResnetGenerator:
    settings: dict[str, Any] = {"width": 4, "n_blocks": 2}
    return ResnetGenerator(**settings | changes)


def assert_holds(weights: dict[str, torch.Tensor], **networks: torch.nn.Module) -> None:
    for name, network in networks.items():
        for key, value in network.state_dict().items():
            torch.testing.assert_close(weights[f"{name}.{key}"], value, msg=f"{name}.{key}")


def test_a_training_begins_with_a_run_and_takes_its_architecture(data, tmp_path, capsys):
    source = train("cyclegan", data, tmp_path / "source", **SMALL, norm="batch", lr=0.01)
    capsys.readouterr()
    weights = begun("cyclegan", data, tmp_path / "run", init=source, lambda_A=3, size=36)
    kept = weights_of(source)
    assert weights.keys() == kept.keys()
    for key in kept:
        if "running" not in key and "num_batches" not in key:
            torch.testing.assert_close(weights[key], kept[key])
    settings = Run(tmp_path / "run").record["settings"]
    wanted = SMALL | {"norm": "batch", "lambda_A": 3, "size": "36", "warmup": None}
    assert {name: settings[name] for name in wanted} == wanted
    said = capsys.readouterr().out
    assert "begins with its G_A, G_B, D_A, D_B; as there, it has --n-blocks 1 --ngf 4" in said
    assert "--warmup" not in said.replace("warmup:", "")


@pytest.mark.parametrize("named", ["run", "snapshot", "weights"])
def test_a_run_may_be_named_by_its_folder_a_snapshot_or_weights(named, data, tiny_run, tmp_path):
    snapshot = tiny_run / "snapshots" / "latest"
    init = {"run": tiny_run, "snapshot": snapshot, "weights": snapshot / "model.safetensors"}[named]
    weights = begun("cyclegan", data, tmp_path / "run", init=init)
    for key, value in weights_of(Run(tiny_run)).items():
        torch.testing.assert_close(weights[key], value)


def test_a_new_training_has_its_own_clock_and_optimizers(data, tiny_run, tmp_path):
    run = train("cyclegan", data, tmp_path / "run", init=tiny_run, duration="1it")
    state = torch.load(run.snapshots / "latest" / "state.pt", weights_only=True)
    assert state["clock"]["images"] == state["clock"]["iterations"] == 1
    steps = [float(p["step"]) for p in state["method"]["optimizers"]["G"]["state"].values()]
    assert set(steps) == {1.0}


def test_averages_stand_for_the_networks_that_they_were_kept_of(data, tmp_path, capsys):
    source = train("cyclegan", data, tmp_path / "source", **SMALL, ema="1kimg", lr=0.01)
    kept = weights_of(source)
    capsys.readouterr()
    weights = begun("cyclegan", data, tmp_path / "run", init=source, ema="0.1kimg")
    assert "by the averages of G_A, G_B" in capsys.readouterr().out
    for key in (key for key in kept if key.startswith("averages.")):
        torch.testing.assert_close(weights[key.removeprefix("averages.")], kept[key])
        torch.testing.assert_close(weights[key], kept[key])
    assert not torch.equal(kept["averages.G_A.model.1.weight"], kept["G_A.model.1.weight"])


def test_all_four_of_the_references_files_begin_a_training(shared, data, tmp_path):
    folder = shared / "golden" / "cyclegan_lsgan"
    weights = begun("cyclegan", data, tmp_path / "run", init=f"{folder}/latest_net_*.pth")
    for name in ("G_A", "G_B", "D_A", "D_B"):
        wanted = load_file(folder / f"initial_{name}.safetensors")
        for key, value in wanted.items():
            torch.testing.assert_close(weights[f"{name}.{key}"], value)
    record = Run(tmp_path / "run").record
    assert record["settings"]["n_blocks"] == 6
    assert record["settings"]["warmup"] is None
    assert len(record["provenance"]["init"]["files"]) == 4


def test_files_are_taken_as_a_list_too(data, tmp_path):
    networks = {"G_A": small_resnet(), "G_B": small_resnet()}
    files = saved(tmp_path, **networks)
    assert_holds(begun("cyclegan", data, tmp_path / "run", init=files, ndf=4), **networks)


def steps_of(run: Run) -> list[dict[str, Any]]:
    lines = (run.path / "log.jsonl").read_text().splitlines()
    return [json.loads(line)["losses"] for line in lines]


def moving(losses: dict[str, Any]) -> set[str]:
    return {name[0] for name in losses if name[0] in "GD"}


@pytest.mark.parametrize("method", ["cyclegan", "pix2pix"])
@pytest.mark.parametrize("kind", ["resnet", "unet"])
def test_a_generator_alone_fits_each_translator_and_its_judges_warm_up(
    method, kind, data, pairs, tmp_path, capsys
):
    G = small_resnet() if kind == "resnet" else UnetGenerator(width=2, n_downs=5)
    (file,) = saved(tmp_path, G=G)
    source = pairs if method == "pix2pix" else data
    settings = {"init": file, "ndf": 4, "duration": "40it"}
    settings |= {"preview_every": "40it", "snapshot_every": "40it"}
    run = train(method, source, tmp_path / "run", **settings)
    assert [moving(losses) for losses in steps_of(run)][:6] == [{"D"}] * 4 + [{"G", "D"}] * 2
    assert run.record["settings"]["warmup"] == "4it"
    name = "G" if method == "pix2pix" else "G_A"
    assert_holds(begun(method, source, tmp_path / "begun", init=file, warmup=0), **{name: G})
    said = capsys.readouterr().out
    assert "--warmup 4it: for the first 4 steps only discriminators learn" in said
    others = "D" if method == "pix2pix" else "G_B, D_A, D_B"
    assert f"--init names no {others}: begun by chance" in said


def test_an_imported_generator_alone_begins_another_method_too(pairs, tmp_path):
    G = small_resnet()
    run = ganvas.import_weights(saved(tmp_path, G_B=G), tmp_path / "imported")
    weights = begun("pix2pix", pairs, tmp_path / "run", init=run, ndf=4, warmup=0)
    assert_holds(weights, G=G)


def test_a_tutorials_networks_begin_a_dcgan(classes, tmp_path):
    G = GeneratorNetwork(7, 4, 3, (32, 32))
    D = DiscriminatorNetwork(4, 3, (32, 32), "batch")
    files = saved(tmp_path, G=G, D=D)
    settings: dict[str, Any] = {name: value for name, value in QUICK.items() if name != "size"}
    settings |= {"data": classes, "out": tmp_path / "run", "init": files, "batch_size": 2}
    run = ganvas.train("dcgan", **settings | {"duration": "1it", "lr": 1e-30})
    weights = {k: v for k, v in weights_of(run).items() if k.endswith("0.weight")}
    torch.testing.assert_close(weights["G.main.0.weight"], G.state_dict()["main.0.weight"])
    settings = run.record["settings"]
    assert (settings["nz"], settings["ngf"], settings["size"]) == (7, 4, "32")


def test_the_warmup_may_be_another_or_none(data, tiny_run, tmp_path):
    run = train("cyclegan", data, tmp_path / "a", init=tiny_run, warmup="0.5ep")
    assert [moving(losses) for losses in steps_of(run)] == [{"D"}] * 3 + [{"G", "D"}]
    (file,) = saved(tmp_path, G=small_resnet())
    run = train("cyclegan", data, tmp_path / "b", init=file, ndf=4, warmup="0it")
    assert [moving(losses) for losses in steps_of(run)] == [{"G", "D"}] * 4


@pytest.mark.parametrize(("steps", "young"), [(1200, True), (1201, False)])
def test_the_doctor_does_not_worry_while_discriminators_warm_up(tiny_run, tmp_path, steps, young):
    method = ganvas.load(tiny_run, device="cpu")
    method.steps, method.warmup_steps = steps, 1200
    config, clock = Config(duration="4000it"), Clock(10, images=1300, iterations=1300)
    nothing: Any = None
    training = Training(Run(tmp_path), config, method, nothing, nothing, clock, config.schedule)
    assert training.young is young


def test_a_warmup_needs_no_init(data, tmp_path):
    run = train("cyclegan", data, tmp_path / "run", **SMALL, warmup="2it")
    assert [moving(losses) for losses in steps_of(run)] == [{"D"}] * 2 + [{"G", "D"}] * 2


@pytest.mark.parametrize("here", [True, False])
def test_dropout_may_begin_or_end(here, data, tmp_path):
    (file,) = saved(tmp_path, G_A=small_resnet(dropout=not here, norm="batch"))
    weights = begun("cyclegan", data, tmp_path / "run", init=file, ndf=4, dropout=here, warmup=0)
    kept = torch.load(file, weights_only=True)
    ours, theirs = (6, 5) if here else (5, 6)
    torch.testing.assert_close(
        weights[f"G_A.model.10.conv_block.{ours}.weight"],
        kept[f"model.10.conv_block.{theirs}.weight"],
    )
    assert Run(tmp_path / "run").record["settings"]["dropout"] is here


def test_dropout_and_direction_go_on_as_they_were_where_nothing_is_said(data, tmp_path):
    source = train("cyclegan", data, tmp_path / "source", **SMALL, dropout=True, direction="BtoA")
    settings = train("cyclegan", data, tmp_path / "run", init=source).record["settings"]
    assert (settings["dropout"], settings["direction"]) == (True, "BtoA")
    other = train("cyclegan", data, tmp_path / "other", init=source, direction="AtoB")
    assert other.record["settings"]["direction"] == "AtoB"


def test_other_values_than_the_snapshots_are_said(data, tiny_run, tmp_path, capsys):
    train("cyclegan", data, tmp_path / "run", init=tiny_run, range_A="0:200")
    said = capsys.readouterr().out
    assert "--range-A: 0:200 become -1 and 1 here, the ends of uint8 in the snapshot" in said
    assert "--range-B: " not in said


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    quick = ["--size", "32", "--duration", "4it", "--device", "cpu", "--threads", "1"]
    assert main([str(word) for word in ("train", *words, *quick)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_settings_that_do_not_fit_are_listed_together(data, tiny_run, tmp_path, capsys):
    words = ("cyclegan", "--data", data, "--init", tiny_run, "--out", tmp_path / "run")
    said = refused(capsys, *words, "--ngf", 64, "--norm", "batch", "--n-blocks", 9)
    assert f"--init {tiny_run}: does not fit this training: " in said
    for part in ("--ngf 64 here, 4 in the snapshot", "--norm batch here, instance in the"):
        assert part in said
    assert "--n-blocks 9 here, 1 in the snapshot; " in said
    said = refused(capsys, *words, "--generator", "unet", "--n-downs", 5)
    assert "--generator unet here, resnet in the snapshot" in said
    assert not (tmp_path / "run").exists()


def test_channels_that_do_not_fit_are_said_by_their_domain(data, tiny_run, tmp_path, capsys):
    words = ("cyclegan", "--data", data, "--init", tiny_run, "--out", tmp_path / "run")
    said = refused(capsys, *words, "--channels-A", 1, "--lambda-identity", 0)
    assert "pictures of A have 1 channels here, 3 in the snapshot; take --channels-A 3" in said


def test_classes_that_do_not_fit_are_said(classes, tmp_path, capsys):
    small = {"ngf": 4, "ndf": 4, "nz": 4, "batch_size": 2}
    source = train("dcgan", classes, tmp_path / "source", **small, conditional=True)
    capsys.readouterr()
    words = ("dcgan", "--data", classes, "--batch-size", 2, "--out", tmp_path / "run", "--init")
    said = refused(capsys, *words, source.path, "--no-conditional")
    assert "--no-conditional here, on in the snapshot" in said
    (classes / "dog").rename(classes / "emu")
    said = refused(capsys, *words, source.path)
    assert "classes cat, emu here, cat, dog in the snapshot" in said
    said = refused(capsys, *words, source.path, "--nz", 9)
    assert "--nz 9 here, 4 in the snapshot" in said


def test_what_cannot_be_begun_with_is_refused(data, pairs, tiny_run, tmp_path, capsys):
    words = ("cyclegan", "--data", data, "--out", tmp_path / "run", "--init")
    assert "there is no such run, snapshot or weights file" in refused(capsys, *words, "nowhere")
    assert "names nothing" in refused(capsys, *words, ",")
    other = ("pix2pix", "--data", pairs, "--out", tmp_path / "run", "--init", tiny_run)
    assert "is of cyclegan and this is pix2pix; it must be" in refused(capsys, *other)
    dcgan = saved(tmp_path, G=GeneratorNetwork(7, 4, 3, (32, 32)))
    assert "which cyclegan does not have; dcgan does" in refused(capsys, *words, dcgan[0])
    judge = saved(tmp_path, D=PatchDiscriminator(3, 4))
    assert "there is no generator with it" in refused(capsys, *words, judge[0])
    (file,) = saved(tmp_path, G=small_resnet())
    said = refused(capsys, *words, file, "--warmup", "4it")
    assert "--warmup 4it: is as long as --duration 4it" in said
    assert "--warmup soon: wants a number" in refused(capsys, *words, file, "--warmup", "soon")
    assert "time differs by machine" in refused(capsys, *words, file, "--warmup", "2min")
    assert not (tmp_path / "run").exists()


def test_a_snapshot_that_diverged_is_refused(data, tiny_run_copy, tmp_path):
    from safetensors.torch import save_file

    path = tiny_run_copy / "snapshots" / "latest" / "model.safetensors"
    weights = load_file(path)
    weights["G_A.model.1.bias"][0] = torch.nan
    save_file(weights, path)
    with pytest.raises(InputError, match=r"G_A.model.1.bias has values that are not finite"):
        train("cyclegan", data, tmp_path / "new", init=tiny_run_copy)


def test_a_size_of_a_dcgan_that_does_not_fit_is_said(classes, tmp_path, capsys):
    (file,) = saved(tmp_path, G=GeneratorNetwork(7, 4, 3, (64, 64)))
    words = ("dcgan", "--data", classes, "--batch-size", 2, "--out", tmp_path / "run")
    said = refused(capsys, *words, "--init", file)
    assert "G, which is of --size 64, does not fit (" in said


def test_the_run_can_be_resumed_when_its_source_is_gone(data, tiny_run_copy, tmp_path):
    run = train("cyclegan", data, tmp_path / "new", init=tiny_run_copy)
    shutil.rmtree(tiny_run_copy)
    ganvas.resume(run, duration="5it")
    assert run.record["settings"]["init"] == str(tiny_run_copy)


def test_a_rehearsal_says_what_does_not_fit_and_writes_nothing(data, tiny_run, tmp_path, capsys):
    words = ["cyclegan", "--data", data, "--init", tiny_run, "--out", tmp_path / "run"]
    words += ["--dry-run", "--size", 32, "--duration", "4it", "--device", "cpu"]
    assert main([str(word) for word in ("train", *words)]) == 0
    assert "begins with its G_A, G_B, D_A, D_B" in capsys.readouterr().out
    assert main([str(word) for word in ("train", *words, "--ngf", 6)]) == 2
    assert "--ngf 6 here, 4 in the snapshot" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_killed_run_whose_source_has_changed_is_not_begun_with_another(
    data, tiny_run_copy, tmp_path
):
    run = train("cyclegan", data, tmp_path / "new", init=tiny_run_copy)
    shutil.rmtree(run.snapshots)
    other = train("cyclegan", data, tmp_path / "other", **SMALL, seed=5)
    shutil.rmtree(tiny_run_copy)
    shutil.copytree(other.path, tiny_run_copy)
    with pytest.raises(InputError, match="is not what this run was begun with"):
        ganvas.resume(run)
