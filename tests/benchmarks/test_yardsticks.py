"""The yardsticks compute what the published implementations do: the recorded traces, and for
StyleGAN, of which there is none, what ours computes from the same weights and chance."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmarks.yardstick import cyclegan, dcgan, pix2pix, stylegan
from ganvas.methods.stylegan import Config, StyleGAN

FOLDER = Path(cyclegan.__file__).parent


def recorded(shared: Path, name: str) -> tuple[dict, dict[str, Tensor], Path]:
    folder = shared / "golden" / name
    trace = json.loads((folder / "trace.json").read_text())
    return trace, load_file(folder / "tensors.safetensors"), folder


def loaded(method: nn.Module, folder: Path, *names: str) -> None:
    for name in names:
        weights = load_file(folder / f"initial_{name}.safetensors")
        method.get_submodule(name).load_state_dict(weights)


def assert_losses(found: dict[str, Tensor], wanted: dict[str, float], step: int) -> None:
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        tolerance = 1e-4 if step == 0 else 1e-3
        assert found[name].item() == pytest.approx(value, rel=tolerance), (step, name)


def assert_ends(method: nn.Module, folder: Path, *names: str) -> None:
    """Nearly all weights and running statistics are those of the trace's end: where a gradient is
    rounding alone, Adam moves a weight in either direction."""
    for name in names:
        moved = method.get_submodule(name).state_dict()
        final = load_file(folder / f"final_{name}.safetensors")
        assert moved.keys() == final.keys()
        for key, value in final.items():
            if not key.endswith("bias"):
                near = torch.isclose(moved[key], value, rtol=1e-3, atol=2e-5).float().mean()
                assert near > 0.95, (name, key, float(near))


@pytest.mark.parametrize("name", ["cyclegan_lsgan", "cyclegan_vanilla_gray"])
def test_cyclegan_follows_the_trace(name: str, shared: Path):
    trace, tensors, folder = recorded(shared, name)
    c = trace["config"]
    method = cyclegan.CycleGAN(
        (c["input_nc"], c["output_nc"]),
        c["ngf"],
        c["ndf"],
        n_blocks=6,
        n_layers=c["n_layers_D"],
        lambda_A=c["lambda_A"],
        lambda_B=c["lambda_B"],
        lambda_identity=c["lambda_identity"],
        objective=c["gan_mode"],
        pool_size=c["pool_size"],
        lr=c["lr"],
        betas=(c["beta1"], c["beta2"]),
    )
    networks = ("G_A", "G_B", "D_A", "D_B")
    loaded(method, folder, *networks)
    for i, wanted in enumerate(trace["losses"]):
        losses = method.step({"A": tensors["real_A"][i], "B": tensors["real_B"][i]})
        assert_losses(losses, wanted, i)
    assert_ends(method, folder, *networks)


def test_pix2pix_follows_the_trace(shared: Path):
    trace, tensors, folder = recorded(shared, "pix2pix_unet128")
    c = trace["config"]
    method = pix2pix.Pix2Pix(
        ngf=c["ngf"],
        ndf=c["ndf"],
        n_downs=7,
        dropout=c["dropout"],
        lambda_L1=c["lambda_L1"],
        lr=c["lr"],
        betas=(c["beta1"], c["beta2"]),
    )
    loaded(method, folder, "G", "D")
    for i, wanted in enumerate(trace["losses"]):
        losses = method.step({"A": tensors["real_A"][i], "B": tensors["real_B"][i]})
        assert_losses(losses, wanted, i)
    assert_ends(method, folder, "G", "D")


def test_dcgan_follows_the_trace(shared: Path, monkeypatch: pytest.MonkeyPatch):
    trace, tensors, folder = recorded(shared, "dcgan")
    c = trace["config"]
    method = dcgan.DCGAN(c["nc"], c["nz"], c["ngf"], c["ndf"], c["lr"], (c["beta1"], c["beta2"]))
    loaded(method, folder, "G", "D")
    noise = iter(tensors["noise"])
    monkeypatch.setattr(dcgan.torch, "randn", lambda *size, device: next(noise).view(*size))
    for i, wanted in enumerate(trace["losses"]):
        assert_losses(method.step({"pictures": tensors["real"][i]}), wanted, i)
    assert_ends(method, folder, "G", "D")


def test_stylegan_computes_what_ours_does():
    """Losses of two steps, the gradients of each, and what they leave behind, in float64."""
    small: dict[str, Any] = {
        "nz": 8,
        "nw": 8,
        "mapping_layers": 2,
        "mapping_fmaps": 8,
        "fmap_base": 64,
    }
    config = Config.from_mapping(small | {"size": 16, "structure": "fixed", "fmap_max": 16})
    torch.manual_seed(0)
    ours = StyleGAN(config, {"pictures": 3})
    for network in (ours.G, ours.D, ours.averages):
        network.double()
    nn.init.normal_(ours.G.first.epilogue.noise_weight)  # it begins as 0, which hides the noise
    theirs = stylegan.StyleGAN(
        size=16, fmap_max=16, half_life=10_000, lr=config.lr, **small
    ).double()
    for name in ("G", "D"):
        network, weights = theirs.get_submodule(name), ours.get_submodule(name).state_dict()
        own = {key: weights[key] for key in network.state_dict()}
        assert {key.rpartition(".")[2] for key in weights.keys() - own.keys()} <= {
            "noise",
            "kept_lod",
        }
        network.load_state_dict(own)
    theirs.averaged.load_state_dict(theirs.G.state_dict())
    ours.averages["G"].load_state_dict(ours.G.state_dict())
    torch.set_default_dtype(torch.float64)
    try:
        for i in range(2):
            batch = {"pictures": torch.rand(8, 3, 16, 16) * 2 - 1}
            found = [in_step(method, batch, seed=i) for method in (ours, theirs)]
            torch.testing.assert_close(*found, rtol=1e-9, atol=1e-12)
            ours.update_averages(0.5 ** (8 / 10_000))
            averages = [dict(m.named_parameters()) for m in (ours.averages["G"], theirs.averaged)]
            torch.testing.assert_close(*averages, rtol=1e-9, atol=1e-12)
    finally:
        torch.set_default_dtype(torch.float32)


def in_step(
    method: StyleGAN | stylegan.StyleGAN, batch: dict[str, Tensor], seed: int
) -> dict[str, Tensor | None]:
    """A step's losses, and the gradients and statistics behind it."""
    torch.manual_seed(seed)
    kept: dict[str, Tensor | None] = {**method.step(batch)}
    kept["w_avg"] = method.G.w_avg.clone()
    for name, network in (("G", method.G), ("D", method.D)):
        kept |= {f"{name}.{key}": p.grad for key, p in network.named_parameters()}
    return kept


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_yardsticks_are_made_of_pytorch_alone(path: Path):
    nodes = list(ast.walk(ast.parse(path.read_text())))
    modules = [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    modules += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    assert modules or path.name == "__init__.py"
    assert not [name for name in modules if name.startswith("ganvas")]
