"""Files of CUT and FastCUT become runs of cut, and trainings begin with them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from making import noise
from torch import nn

import ganvas
from ganvas.errors import InputError
from ganvas.methods.cut import PatchMLPs
from ganvas.networks.patchgan import PatchDiscriminator
from ganvas.networks.resnet import ResnetGenerator
from ganvas.runs.directory import Run
from ganvas.weights.importing import import_weights

TINY: dict[str, Any] = {
    "size": 16,
    "n_layers": 1,
    "duration": "1it",
    "warmup": "0",
    "tensorboard": False,
    "device": "cpu",
    "threads": 1,
    "quiet": True,
}


def resnet(antialias: Any = "both", **changes: Any) -> ResnetGenerator:
    return ResnetGenerator(**{"width": 4, "n_blocks": 5, "antialias": antialias} | changes)


def judge(antialias: bool = True, channels: int = 3) -> PatchDiscriminator:
    return PatchDiscriminator(channels, 4, 1, antialias=antialias)


def mlps() -> PatchMLPs:
    return PatchMLPs([3, 8, 16, 16, 16], 6)


def saved(folder: Path, **networks: nn.Module) -> list[Path]:
    """`latest_net_NAME.pth` for each, as the published code saves them."""
    paths = [folder / f"latest_net_{name}.pth" for name in networks]
    for path, network in zip(paths, networks.values(), strict=True):
        torch.save(network.state_dict(), path)
    return paths


def imported(files: list[Path], out: Path, **options: Any) -> Run:
    return import_weights(files, out, **options).run


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for part in ("trainA", "trainB"):
        (tmp_path / "pictures" / part).mkdir(parents=True)
        for i in range(2):
            noise(i, 16, 16, 3).save(tmp_path / "pictures" / part / f"{i}.png")
    return tmp_path / "pictures"


def test_all_three_networks_are_taken_in_and_a_training_begins_with_them(tmp_path, pictures):
    G, D, F = resnet(), judge(), mlps()
    run = imported(saved(tmp_path, G=G, D=D, F=F), tmp_path / "run")
    assert run.record["method"] == "cut"
    settings = run.record["settings"]
    assert (settings["antialias"], settings["antialias_D"], settings["netF_nc"]) == (
        "both",
        True,
        6,
    )
    assert settings["nce_layers"] == "0,4,8,12,16"
    method = ganvas.load(run)
    for name, network in (("G", G), ("D", D), ("F", F)):
        for key, value in network.state_dict().items():
            assert method.get_submodule(name).state_dict()[key].equal(value)
    out = tmp_path / "on"
    on = ganvas.train("cut", data=pictures, out=out, init=str(run.path), lr=1e-9, **TINY)
    begun = ganvas.load(on)
    for name, network in (("G", G), ("D", D), ("F", F)):
        for key, value in network.state_dict().items():
            torch.testing.assert_close(begun.get_submodule(name).state_dict()[key], value)


def test_an_anti_aliased_generator_alone_is_cuts_and_translates(tmp_path):
    done = import_weights(saved(tmp_path, G=resnet()), tmp_path / "run")
    assert done.run.record["method"] == "cut"
    assert any("anti-aliased in both places is taken for cut's" in note for note in done.notes)
    picture = noise(3, 18, 22, 3)
    assert ganvas.load(done.run).translate(picture).size == picture.size


def test_which_method_files_are_of(tmp_path):
    cases: list[tuple[dict[str, nn.Module], dict[str, Any], str]] = [
        ({"G": resnet(), "F": mlps()}, {}, "cut"),
        ({"G": resnet("none"), "D": judge()}, {}, "cut"),
        ({"G": resnet("none", n_blocks=7), "F": mlps()}, {}, "cut"),
        ({"G": resnet("none"), "D": judge(False)}, {"method": "fastcut"}, "fastcut"),
        ({"G": resnet("none")}, {}, "cyclegan"),
        ({"G": resnet(out_channels=1)}, {}, "cyclegan"),
        ({"G_A": resnet()}, {}, "cyclegan"),
        ({"G": resnet()}, {"method": "cyclegan"}, "cyclegan"),
    ]
    for i, (networks, options, method) in enumerate(cases):
        folder = tmp_path / str(i)
        folder.mkdir()
        run = imported(saved(folder, **networks), folder / "run", **options)
        assert run.record["method"] == method, i
        if "D" in networks:
            smooth = run.record["settings"]["antialias_D"]
            assert smooth == any("filt" in key for key in networks["D"].state_dict())


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    cases: list[tuple[dict[str, nn.Module], dict[str, Any], str]] = [
        ({"G": resnet(), "D": judge(channels=6)}, {}, "do not belong together by their channels"),
        ({"G": resnet(out_channels=1)}, {"method": "cut"}, "3 -> 1 channels, and cut wants equal"),
        ({"G": resnet(), "D": judge()}, {"method": "cyclegan"}, "which cyclegan does not have"),
        ({"G": resnet(), "F": mlps()}, {"method": "pix2pix"}, "which pix2pix does not have"),
        ({"G": resnet(width=8), "F": mlps()}, {}, "does not fit"),
        ({"G": resnet(n_blocks=2), "F": mlps()}, {}, "--nce-layers 0,4,8,12,16: wants"),
    ]
    for i, (networks, options, said) in enumerate(cases):
        folder = tmp_path / str(i)
        folder.mkdir()
        with pytest.raises(InputError, match=said):
            imported(saved(folder, **networks), folder / "run", **options)
        assert not (folder / "run").exists()


def test_a_training_begins_with_a_cyclegans_generator(tmp_path, pictures):
    G = resnet("none")
    (file,) = saved(tmp_path, G_A=G)
    file = file.rename(tmp_path / "latest_net_G.pth")
    run = ganvas.train("cut", data=pictures, out=tmp_path / "on", init=str(file), lr=1e-9, **TINY)
    method = ganvas.load(run)
    assert run.record["settings"]["antialias"] == "none"
    for key, value in G.state_dict().items():
        torch.testing.assert_close(method.get_submodule("G").state_dict()[key], value)
