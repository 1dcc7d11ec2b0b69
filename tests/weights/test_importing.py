"""`ganvas import`: files of other projects become runs, recognised by name and tensor."""

import io
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import noise
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

import ganvas
from ganvas.cli import main
from ganvas.errors import InputError
from ganvas.methods.cut import PatchMLPs
from ganvas.methods.dcgan import DCGAN, DiscriminatorNetwork, GeneratorNetwork
from ganvas.networks.patchgan import PatchDiscriminator, PixelDiscriminator
from ganvas.networks.resnet import ResnetGenerator
from ganvas.networks.unet import UnetGenerator
from ganvas.runs.directory import Run
from ganvas.weights.files import plain, read_weights
from ganvas.weights.importing import import_weights
from ganvas.weights.recognise import recognise

NETWORKS = ("G_A", "G_B", "D_A", "D_B")


def imported(files: list[Path], out: Path, **options: Any) -> Run:
    return import_weights(files, out, **options).run


def saved(folder: Path, **networks: nn.Module | dict[str, torch.Tensor]) -> list[Path]:
    """`latest_net_NAME.pth` for each, as the reference saves them."""
    paths = []
    for name, network in networks.items():
        weights = network.state_dict() if isinstance(network, nn.Module) else network
        paths.append(folder / f"latest_net_{name}.pth")
        torch.save(weights, paths[-1])
    return paths


def small_resnet(**changes: Any) -> ResnetGenerator:
    settings: dict[str, Any] = {"width": 4, "n_blocks": 2}
    return ResnetGenerator(**settings | changes)


def description(run: Run) -> dict[str, Any]:
    return json.loads((run.snapshots / "latest" / "model.json").read_text())


@pytest.fixture
def references_files(shared: Path) -> list[Path]:
    return sorted((shared / "golden" / "cyclegan_lsgan").glob("latest_net_*.pth"))


def test_the_references_four_files_answer_as_it_does_with_no_option_given(
    references_files, shared, tmp_path
):
    assert main(["import", *map(str, references_files), "--out", str(tmp_path / "run")]) == 0
    method = ganvas.load(tmp_path / "run", device="cpu")
    tensors = load_file(shared / "golden" / "cyclegan_lsgan" / "tensors.safetensors")
    x, y = tensors["real_A"][0], tensors["real_B"][0]
    G_A, G_B, D_A, D_B = (method.get_submodule(name) for name in NETWORKS)
    answers = {"fake_B": G_A(x), "fake_A": G_B(y), "rec_A": G_B(G_A(x)), "rec_B": G_A(G_B(y))}
    answers |= {"pred_real_B": D_A(y), "pred_real_A": D_B(x)}
    for name, answer in answers.items():
        torch.testing.assert_close(answer, tensors[name], rtol=1e-4, atol=1e-5)
    settings = Run(tmp_path / "run").record["settings"]
    shown = {name: settings[name] for name in ("generator", "n_blocks", "ngf", "ndf", "norm")}
    assert shown == {"generator": "resnet", "n_blocks": 6, "ngf": 8, "ndf": 8, "norm": "instance"}


@pytest.mark.parametrize(
    "folder", ["cyclegan_lsgan", "cyclegan_vanilla_gray", "pix2pix_unet128", "dcgan"]
)
def test_trained_weights_arrive_unchanged_as_safetensors_too(folder, shared, tmp_path):
    files = sorted((shared / "golden" / folder).glob("final_*.safetensors"))
    run = imported(files, tmp_path / "run")
    assert run.record["method"] == folder.partition("_")[0]
    kept = load_file(run.snapshots / "latest" / "model.safetensors")
    for file in files:
        name = file.stem.removeprefix("final_")
        for key, tensor in load_file(file).items():
            assert torch.equal(kept.pop(f"{name}.{key}"), tensor)
    assert not kept
    assert ganvas.load(run, device="cpu").networks().keys() == description(run)["networks"].keys()


def test_channels_are_those_of_the_files(shared, tmp_path):
    files = sorted((shared / "golden" / "cyclegan_vanilla_gray").glob("final_*.safetensors"))
    assert ganvas.load(imported(files, tmp_path / "ab")).channels == {"A": 1, "B": 3}
    ba = imported(files, tmp_path / "ba", direction="BtoA")
    assert ganvas.load(ba).channels == {"A": 3, "B": 1}


def test_the_order_of_files_means_nothing(references_files, tmp_path):
    weights = []
    for n, files in enumerate(itertools.islice(itertools.permutations(references_files), 0, 24, 7)):
        run = imported(list(files), tmp_path / str(n))
        weights.append(load_file(run.snapshots / "latest" / "model.safetensors"))
    for other in weights[1:]:
        assert all(torch.equal(other[key], value) for key, value in weights[0].items())


def test_a_trained_pix2pix_normalises_each_picture_by_itself_as_the_reference_does(
    shared, tmp_path
):
    folder = shared / "golden" / "pix2pix_unet128"
    method = ganvas.load(imported(sorted(folder.glob("final_*")), tmp_path / "run"), device="cpu")
    network = UnetGenerator(3, 3, 4, 7, "batch")
    network.load_state_dict(load_file(folder / "final_G.safetensors"))
    x = load_file(folder / "tensors.safetensors")["real_A"][0][:1].clamp(-1, 1)
    with torch.no_grad():
        # In training mode, where the reference leaves a network that it uses.
        torch.testing.assert_close(method.translate(x), network(x), rtol=1e-4, atol=1e-5)


def test_a_tutorials_generator_makes_the_pictures_that_it_made(shared, tmp_path):
    folder = shared / "golden" / "dcgan"
    method = ganvas.load(imported([folder / "final_G.safetensors"], tmp_path / "run"), device="cpu")
    assert isinstance(method, DCGAN)
    network = GeneratorNetwork(100, 8, 3, (64, 64)).eval()
    network.load_state_dict(load_file(folder / "final_G.safetensors"))
    with torch.no_grad():
        wanted = network(method.latents(range(3)))
    torch.testing.assert_close(method.generate_tensor(range(3)), wanted)
    assert description(Run(tmp_path / "run"))["networks"].keys() == {"G"}


WIDTHS, CHANNELS, NORMS = st.integers(1, 6), st.integers(1, 5), ("instance", "batch", "none")


@given(
    x=CHANNELS,
    y=CHANNELS,
    width=WIDTHS,
    n_blocks=st.integers(1, 11),
    norm=st.sampled_from(NORMS),
    dropout=st.booleans(),
    antialias=st.sampled_from(["none", "down", "up", "both"]),
)
def test_every_resnet_is_recognised(x, y, width, n_blocks, norm, dropout, antialias):
    network = ResnetGenerator(x, y, width, n_blocks, norm, dropout, antialias)
    found = recognise(Path("G.pth"), plain(network.state_dict()))
    assert (found.player, found.takes, found.gives) == ("G", x, y)
    wanted = {"ngf": width, "n_blocks": n_blocks, "norm": norm, "dropout": dropout}
    assert found.settings == wanted | {"generator": "resnet", "antialias": antialias}


@given(x=CHANNELS, y=CHANNELS, width=WIDTHS, n_downs=st.integers(5, 9), norm=st.sampled_from(NORMS))
def test_every_unet_is_recognised(x, y, width, n_downs, norm):
    network = UnetGenerator(x, y, width, n_downs, norm)
    found = recognise(Path("G.pth"), plain(network.state_dict()))
    assert (found.player, found.takes, found.gives) == ("G", x, y)
    assert found.settings == {"generator": "unet", "ngf": width, "n_downs": n_downs, "norm": norm}


@given(
    x=CHANNELS,
    width=WIDTHS,
    n_layers=st.integers(1, 6),
    norm=st.sampled_from(NORMS),
    antialias=st.booleans(),
)
def test_every_discriminator_of_translators_is_recognised(x, width, n_layers, norm, antialias):
    patches = PatchDiscriminator(x, width, n_layers, norm, antialias)
    found = recognise(Path("D.pth"), plain(patches.state_dict()))
    assert (found.player, found.takes) == ("D", x)
    wanted = {"discriminator": "patch", "ndf": width, "n_layers": n_layers, "norm": norm}
    assert found.settings == wanted | ({"antialias_D": True} if antialias else {})
    pixels = PixelDiscriminator(x, width, norm)
    found = recognise(Path("D.pth"), plain(pixels.state_dict()))
    assert found.settings == {"discriminator": "pixel", "ndf": width, "norm": norm}


@given(
    channels=st.sampled_from([1, 3]),
    width=WIDTHS,
    nz=st.integers(1, 9),
    size=st.tuples(st.integers(4, 7), st.integers(4, 9), st.integers(2, 5)),
    norm=st.sampled_from(["batch", "layer"]),
)
def test_a_dcgan_of_any_size_that_was_doubled_is_recognised(channels, width, nz, size, norm):
    h, w, doublings = size
    height, wide = h * 2**doublings, w * 2**doublings
    said = f"{wide}" if height == wide else f"{wide}x{height}"
    G = GeneratorNetwork(nz, width, channels, (height, wide))
    D = DiscriminatorNetwork(width, channels, (height, wide), norm)
    found = recognise(Path("a.pth"), plain(G.state_dict()))
    assert (found.player, found.gives) == ("G", channels)
    assert found.settings == {"nz": nz, "ngf": width, "size": said}
    found = recognise(Path("a.pth"), plain(D.state_dict()))
    assert (found.player, found.takes) == ("D", channels)
    assert found.settings == {"ndf": width, "size": said, "norm_D": norm}


def test_a_size_that_tensors_do_not_tell_is_said_by_an_option(tmp_path):
    odd = GeneratorNetwork(5, 4, 1, (19, 17))
    files = saved(tmp_path, G=odd)
    method = ganvas.load(imported(files, tmp_path / "run", size="17x19"), device="cpu")
    assert isinstance(method, DCGAN)
    assert method.generate_tensor([0]).shape == (1, 1, 19, 17)
    with pytest.raises(InputError, match=r"latest_net_G.pth: does not fit --size 64 \("):
        imported(files, tmp_path / "other", size=64)


@pytest.mark.parametrize(
    "wrapper", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."]
)
def test_what_wrappers_put_in_front_of_keys_is_taken_off(wrapper, tmp_path):
    network = small_resnet()
    files = saved(tmp_path, G={f"{wrapper}{k}": t for k, t in network.state_dict().items()})
    method = ganvas.load(imported(files, tmp_path / "run"), device="cpu")
    x = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(method.translate(x), network(x))


def test_statistics_that_old_instance_norms_kept_are_dropped(tmp_path):
    network = small_resnet()
    weights = dict(network.state_dict())
    for layer in ("model.2", "model.10.conv_block.2", "model.10.conv_block.6"):
        weights |= {f"{layer}.running_mean": torch.ones(4), f"{layer}.running_var": torch.ones(4)}
        weights[f"{layer}.num_batches_tracked"] = torch.tensor(7)
    read = read_weights(saved(tmp_path, G=weights)[0])
    assert read.keys() == network.state_dict().keys()
    assert recognise(Path("G.pth"), read).settings["norm"] == "instance"


def test_statistics_of_batch_norms_are_kept_and_a_missing_count_is_made_good(tmp_path):
    network = small_resnet(norm="batch")
    old = {k: t for k, t in network.state_dict().items() if "num_batches" not in k}
    read = read_weights(saved(tmp_path, G=old)[0])
    assert read.keys() == network.state_dict().keys()
    assert torch.equal(read["model.2.running_var"], torch.ones(4))


def test_half_precision_becomes_single(tmp_path):
    files = saved(tmp_path, G=small_resnet().half())
    run = imported(files, tmp_path / "run")
    kept = load_file(run.snapshots / "latest" / "model.safetensors")
    assert {t.dtype for t in kept.values()} == {torch.float32}


def test_a_generator_alone_translates_one_way_and_nothing_is_made_up(tmp_path, capsys):
    files = saved(tmp_path, G_B=small_resnet())
    run = imported(files, tmp_path / "run")
    assert description(run)["networks"].keys() == {"G_B"}
    assert {k.split(".")[0] for k in load_file(run.snapshots / "latest" / "model.safetensors")} == {
        "G_B"
    }
    method = ganvas.load(run, device="cpu")
    assert method.networks().keys() == {"G_B"}
    assert method.translate(torch.zeros(1, 3, 9, 9), "BtoA").shape == (1, 3, 9, 9)
    (tmp_path / "in").mkdir()
    noise(0, 20, 24, 3).save(tmp_path / "in" / "1.png")
    command = ["translate", str(run.path), str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    assert main(command) == 2
    assert "--direction AtoB: this run was imported without G_A" in capsys.readouterr().err
    assert main([*command, "--direction", "BtoA"]) == 0
    assert (tmp_path / "out" / "1.png").is_file()


def test_a_network_that_is_not_there_is_not_used_by_its_name_either(tmp_path):
    method = ganvas.load(imported(saved(tmp_path, G_A=small_resnet()), tmp_path / "run"))
    with pytest.raises(InputError, match=r"G_B: is not there, .* there is G_A"):
        method.best("G_B")


CASES: dict[str, tuple[dict[str, Any], str, set[str]]] = {
    "a resnet alone": ({"G": small_resnet}, "cyclegan", {"G_A"}),
    "a unet alone": ({"G": lambda: UnetGenerator(width=2, n_downs=5)}, "pix2pix", {"G"}),
    "a resnet and a judge of pairs": (
        {"G": small_resnet, "D": lambda: PatchDiscriminator(6, 4)},
        "pix2pix",
        {"G", "D"},
    ),
    "a resnet and a judge of pictures": (
        {"G": small_resnet, "D": lambda: PatchDiscriminator(3, 4)},
        "cyclegan",
        {"G_A", "D_A"},
    ),
    "a unet by CycleGAN's name": (
        {"G_A": lambda: UnetGenerator(width=2, n_downs=5)},
        "cyclegan",
        {"G_A"},
    ),
    "both directions": ({"G_A": small_resnet, "G_B": small_resnet}, "cyclegan", {"G_A", "G_B"}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_method_follows_from_names_and_tensors(case, tmp_path):
    networks, method, names = CASES[case]
    files = saved(tmp_path, **{name: make() for name, make in networks.items()})
    run = imported(files, tmp_path / "run")
    assert run.record["method"] == method
    assert description(run)["networks"].keys() == names


def test_a_generator_of_two_channels_from_one_colours_pictures(tmp_path, capsys):
    G, D = UnetGenerator(1, 2, 2, 5, "batch"), PatchDiscriminator(3, 4, norm="batch")
    files = saved(tmp_path, G=G, D=D)
    run = imported(files, tmp_path / "run")
    assert run.record["settings"]["colorization"] is True
    method = ganvas.load(run, device="cpu")
    picture = noise(0, 40, 36, 3)
    answer = method.translate(picture)
    assert (answer.mode, answer.size) == ("RGB", picture.size)
    with torch.no_grad():
        method.get_parameter("G.model.model.3.bias").fill_(-20)
    # ab of -110: as green and as blue as it gets.
    r, g, b = np.asarray(method.translate(Image.new("RGB", (32, 32), "grey")))[9, 9]
    assert r < g < b
    with pytest.raises(InputError, match="which is pix2pix --colorization here"):
        imported(files[:1], tmp_path / "other", method="cyclegan")


def test_what_is_no_more_than_a_rule_is_said_and_an_option_overrides_it(tmp_path, capsys):
    (file,) = saved(tmp_path, G=small_resnet())
    command = ["import", str(file), "--out", str(tmp_path / "a")]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "a resnet is taken for cyclegan's; --method pix2pix takes it for the other's" in printed
    assert "G_A takes pictures of A and makes such of B, as --direction is left out" in printed
    command = ["import", str(file), "--out", str(tmp_path / "b"), "--method", "pix2pix"]
    assert main([*command, "--direction", "BtoA", "--size", "128"]) == 0
    assert "is taken for" not in capsys.readouterr().out
    record = Run(tmp_path / "b").record
    assert record["method"] == "pix2pix"
    assert (record["settings"]["direction"], record["settings"]["size"]) == ("BtoA", "128")


@pytest.mark.parametrize("name", ["netG_epoch_24", "G", "final_G", "200_net_G", "generator", "x.G"])
def test_names_that_people_give_a_generator_are_understood(name, tmp_path):
    path = tmp_path / f"{name}.pth"
    torch.save(small_resnet().state_dict(), path)
    assert description(imported([path], tmp_path / "run"))["networks"].keys() == {"G_A"}


def test_the_record_says_which_files_it_is_from(tmp_path):
    (file,) = saved(tmp_path, G=small_resnet())
    import hashlib

    provenance = imported([file], tmp_path / "run").record["provenance"]
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert provenance["imported"] == {"G_A": {"file": str(file), "sha256": digest}}


def test_such_a_run_has_a_report_and_is_not_resumed(tmp_path, capsys):
    run = imported(saved(tmp_path, G=small_resnet()), tmp_path / "run")
    assert main(["report", str(run.path)]) == 0
    assert "G_A" in (run.path / "report.html").read_text()
    capsys.readouterr()
    assert main(["resume", str(run.path)]) == 2
    said = capsys.readouterr().err
    assert "was imported and holds weights, but no training to resume" in said
    assert f"`ganvas train cyclegan --init {run.path}`" in said


def archive_of(*names: str) -> bytes:
    import zipfile

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return file.getvalue()


def as_file(content: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "a web page": (b"\n<!DOCTYPE html><html>not found</html>", "is a web page that was saved"),
    "text": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is text and holds no"),
    "noise": (b"\0\1\2" * 99, "is no file that torch.save or safetensors wrote"),
    "cut off": (as_file(nn.Conv2d(3, 3, 3).state_dict())[:900], "is damaged, cut off"),
    "TorchScript": (archive_of("net/code/a.py", "net/constants.pkl"), "is TorchScript"),
    "a pickled module": (as_file(nn.Conv2d(3, 3, 3)), "Python objects (torch.nn.modules.conv.Con"),
    "a list": (as_file([torch.zeros(3)]), "holds a list and not the weights of a network"),
    "nothing": (as_file({}), "holds no tensors"),
    "a whole training": (
        as_file({"netG": {"main.0.weight": torch.zeros(3)}, "epoch": 3}),
        "holds more than the weights of one network (netG, epoch)",
    ),
    "a run's networks": (as_file({"G_A.model.1.weight": torch.zeros(1)}), "holds a ganvas run's"),
    "another network": (
        as_file(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 3, 3)).state_dict()),
        "is of no network that ganvas knows (it begins with 0.weight (8, 3, 3, 3), 0.bias (8,)",
    ),
    "values that are not finite": (
        as_file({"model.1.weight": torch.full((4, 3, 7, 7), torch.nan)}),
        "model.1.weight has values that are not finite",
    ),
    "a part of CUT's F": (
        as_file({"mlp_0.0.weight": torch.ones(4, 4)}),
        "looks like a network F of CUT, 1 MLP of 4 units, but is none (3 differences): ",
    ),
    "CUT's F alone": (
        as_file(PatchMLPs([3, 8], 4).state_dict()),
        "is a network F of CUT, 2 MLPs of 4 units, and there is no generator with it",
    ),
    "instance norms with weights": (
        as_file(small_resnet().state_dict() | {"model.2.weight": torch.ones(4)}),
        "has instance norms with weights of their own",
    ),
    "a tensor too many": (
        as_file(small_resnet().state_dict() | {"model.99.weight": torch.ones(4)}),
        "looks like a resnet generator of 2 blocks",
    ),
    "a discriminator alone": (
        as_file(PatchDiscriminator(3, 4).state_dict()),
        "and there is no generator with it",
    ),
    "a critic whose norm cannot be seen": (
        as_file(DiscriminatorNetwork(4, 3, (32, 32), "none").state_dict()),
        "with instance norm or with none, which its tensors do not tell",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_what_is_no_weights_file_of_a_known_network_is_refused_in_a_sentence(
    case, tmp_path, capsys
):
    content, said = BAD_FILES[case]
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    assert main(["import", str(path), "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"ganvas: {path}: ")
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("end", range(0, 3000, 331))
def test_a_file_that_was_cut_off_anywhere_is_refused(end, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(as_file(small_resnet(width=1, n_blocks=1).state_dict())[:end])
    with pytest.raises(InputError, match=r"is empty|is damaged, cut off"):
        read_weights(path)


def test_a_safetensors_file_that_is_damaged_is_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file(small_resnet().state_dict(), path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="is damaged, cut off, or no weights file"):
        read_weights(path)


def refused(files: list[Path], out: Path, **options: Any) -> str:
    with pytest.raises(InputError) as error:
        import_weights(files, out, **options)
    assert not out.exists()
    return str(error.value)


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    G, out = small_resnet(), tmp_path / "run"
    pair = saved(tmp_path, G=G, G_A=G)
    assert "both are G_A; name one of them, or rename them" in refused(pair, out)
    wider = saved(tmp_path, G_A=G, G_B=small_resnet(width=6))
    assert "--ngf 4 in the one and 6 in the other" in refused(wider, out)
    channels = saved(tmp_path, G_A=small_resnet(in_channels=1), D_A=PatchDiscriminator(1, 4))
    assert "do not belong together by their channels" in refused(channels, out)
    mixed = saved(tmp_path, G=G, D=DiscriminatorNetwork(4, 3, (32, 32), "batch"))
    assert "the files are of different methods" in refused(mixed, out)
    norms = saved(tmp_path, G=G, D=PatchDiscriminator(3, 4, norm="batch"))
    assert "--norm" in refused(norms, out)
    named = saved(tmp_path, D=G)
    assert "is named as a D and holds a resnet generator" in refused(named, out)


def test_options_that_do_not_fit_the_files_are_refused(tmp_path):
    G, out = saved(tmp_path, G=small_resnet()), tmp_path / "run"
    assert "which dcgan does not have; cut, cyclegan, fastcut, pix2pix do" in refused(
        G, out, method="dcgan"
    )
    assert "there is no method 'cycle_gan'" in refused(G, out, method="cycle_gan")
    assert "--direction up" in refused(G, out, direction="up")
    assert "multiples of 4" in refused(G, out, size=250)
    assert "there is no such file" in refused([tmp_path / "no.pth"], out)
    assert "is a folder; name the files" in refused([tmp_path], out)
    dcgan = saved(tmp_path, G=GeneratorNetwork(5, 4, 3, (16, 16)))
    assert "--direction BtoA: dcgan makes" in refused(dcgan, out, direction="BtoA")
    assert "which pix2pix does not have; dcgan does" in refused(dcgan, out, method="pix2pix")
    pair = saved(tmp_path, G_A=small_resnet(), G_B=small_resnet())
    assert "is named as one of CycleGAN's" in refused(pair, out, method="pix2pix")


def test_an_existing_run_is_not_written_over(tiny_run, tmp_path, capsys):
    (file,) = saved(tmp_path, G=small_resnet())
    assert main(["import", str(file), "--out", str(tiny_run)]) == 2
    assert "exists and is not empty" in capsys.readouterr().err
