"""What is true of CoGAN alone."""

import copy
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

import ganvas
from ganvas.cli import main
from ganvas.clock import Duration
from ganvas.errors import InputError
from ganvas.inference.export import export
from ganvas.methods.cogan import CoGAN, Config

SMALL: dict[str, Any] = {
    "size": 16,
    "ngf": 4,
    "ndf": 4,
    "nz": 5,
    "batch_size": 2,
    "search_steps": 2,
    "search_starts": 2,
}


def make(channels: tuple[int, int] = (3, 3), **changes) -> CoGAN:
    torch.manual_seed(0)
    return CoGAN(Config.from_mapping(SMALL | changes), dict(zip("AB", channels, strict=True)))


def batch_of(channels: tuple[int, int] = (3, 3), count: int = 3):
    return {
        domain: torch.rand(count, c, 16, 16) * 2 - 1
        for domain, c in zip("AB", channels, strict=True)
    }


def count(*networks: nn.Module) -> int:
    return sum(p.numel() for network in networks for p in network.parameters())


def parameters(*networks: nn.Module) -> list[nn.Parameter]:
    return [p for network in networks for p in network.parameters()]


def test_the_defaults_are_those_of_the_code():
    c = Config()
    assert (c.nz, c.batch_size, c.objective) == (100, 64, "vanilla")
    assert (c.lr, c.beta1, c.beta2, c.weight_decay) == (2e-4, 0.5, 0.999, 5e-4)
    assert (c.own_G, c.own_D, c.lr_policy, c.d_steps) == (1, 1, "constant", "1")
    assert (c.size, c.ngf, c.ndf) == ("128", 32, 32)


def test_at_128_layers_are_those_of_the_network_for_faces():
    with torch.device("meta"):
        method = CoGAN(Config(), {"A": 3, "B": 3})
    # A bias for each channel and one number for each PReLU.
    wide = [1024, 512, 256, 128, 64, 32]
    doublings = sum(16 * a * b + b + 1 for a, b in pairwise(wide))
    assert count(method.shared_G) == 16 * 100 * 1024 + 1024 + 1 + doublings == 12_814_310
    assert count(method.G_A) == count(method.G_B) == 9 * 32 * 3 + 3 == 867
    kernels = [25, 25, 9, 9, 9]
    halvings = sum(
        k * a * b + a + 1 for k, a, b in zip(kernels, wide[-2::-1], wide[:0:-1], strict=True)
    )
    assert count(method.D_A) == count(method.D_B) == 25 * 3 * 32 + 32 + 1 == 2_433
    together = 4 * 1024 * 2048 + 2048 + 1 + 2048 + 1
    assert count(method.shared_D) == halvings + together == 14_843_847


def test_what_is_shared_is_there_once():
    method = make()
    tensors = [p.data_ptr() for p in method.state_dict().values()]
    assert len(tensors) == len(set(tensors))
    assert list(method.networks()) == ["shared_G", "G_A", "G_B", "D_A", "D_B", "shared_D"]
    for player in ("G", "D"):
        (group,) = method.optimizers[player].param_groups
        assert len({id(p) for p in group["params"]}) == len(group["params"])
        assert len(group["params"]) == len(parameters(*method.players[player]))


def adam(*networks: nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam(parameters(*networks), lr=0.01, betas=(0.5, 0.999), weight_decay=0.1)


def test_a_step_is_what_the_formulas_say():
    method = make(lr=0.01, weight_decay=0.1)
    names = ("shared_G", "G_A", "G_B", "D_A", "D_B", "shared_D")
    g, g_1, g_2, h_1, h_2, h = copy.deepcopy([method.get_submodule(name) for name in names])
    discriminators, generators = adam(h_1, h_2, h), adam(g, g_1, g_2)
    batch = batch_of()
    torch.manual_seed(3)
    losses = method.step(batch)

    torch.manual_seed(3)
    z, z_ = torch.randn(3, 5, 1, 1), torch.randn(3, 5, 1, 1)
    entropy = F.binary_cross_entropy_with_logits
    with torch.no_grad():
        fake_1, fake_2 = g_1(g(z)), g_2(g(z))
    one, none = torch.ones(3, 1, 1, 1), torch.zeros(3, 1, 1, 1)
    of_1 = entropy(h(h_1(batch["A"])), one) + entropy(h(h_1(fake_1)), none)
    of_2 = entropy(h(h_2(batch["B"])), one) + entropy(h(h_2(fake_2)), none)
    (0.5 * (of_1 + of_2)).backward()
    torch.testing.assert_close(losses["D_A"], of_1.detach())
    torch.testing.assert_close(losses["D_B"], of_2.detach())
    mine = parameters(method.D_A, method.D_B, method.shared_D)
    for p, q in zip(mine, parameters(h_1, h_2, h), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-4, atol=1e-7)
    discriminators.step()
    for p, q in zip(mine, parameters(h_1, h_2, h), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-4)

    for_1, for_2 = entropy(h(h_1(g_1(g(z_)))), one), entropy(h(h_2(g_2(g(z_)))), one)
    (0.5 * (for_1 + for_2)).backward()
    torch.testing.assert_close(losses["G_A"], for_1.detach())
    torch.testing.assert_close(losses["G_B"], for_2.detach())
    mine = parameters(method.shared_G, method.G_A, method.G_B)
    for p, q in zip(mine, parameters(g, g_1, g_2), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-3, atol=1e-6)
    generators.step()
    for p, q in zip(mine, parameters(g, g_1, g_2), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("size", "own_G", "own_D"), [("16", 1, 1), ("48x32", 2, 2), ("20x12", 3, 3)]
)
def test_any_doubled_size_and_any_sharing(size, own_G, own_D):
    method = make((1, 4), size=size, own_G=own_G, own_D=own_D)
    width, height = method.config.width_height
    maps = method.shared_G(torch.randn(2, 5, 1, 1))
    pictures = method.G_A(maps), method.G_B(maps)
    assert [p.shape for p in pictures] == [(2, 1, height, width), (2, 4, height, width)]
    scores = (
        method.shared_D(D(p)) for D, p in zip((method.D_A, method.D_B), pictures, strict=True)
    )
    assert all(s.shape == (2, 1, 1, 1) for s in scores)
    assert len(method.G_A) == own_G
    assert len(method.D_A) == own_D


def pair(method: CoGAN, seed: int = 0, count: int = 2) -> tuple[Tensor, Tensor]:
    z = torch.randn(count, 5, 1, 1, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        maps = method.shared_G(z)
        return method.G_A(maps), method.G_B(maps)


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_the_search_finds_the_latent_of_a_picture_that_has_one(direction):
    method = make(search_steps=150, search_starts=4, own_G=2).eval()
    a, b = pair(method)
    x, y = (a, b) if direction == "AtoB" else (b, a)
    answer = method.translate(x, direction)
    other = pair(method, seed=9)["AB".index(direction[-1])]
    assert (answer - y).square().mean() < 0.05 * (answer - other).square().mean()
    assert all(p.grad is None for p in method.parameters())


def test_more_steps_and_starts_come_nearer():
    x, found = torch.rand(2, 3, 16, 16) * 2 - 1, []
    for steps, starts in ((1, 1), (30, 1), (30, 6)):
        method = make(search_steps=steps, search_starts=starts).eval()
        search = method.search("AtoB")
        found.append(float((search.render(search.find(x), x)[0] - x).square().mean().detach()))
    assert found[0] > found[1] >= found[2]


def test_a_translation_depends_on_its_picture_alone_and_on_no_context():
    method = make(search_steps=8).eval()
    x = torch.rand(3, 3, 16, 16) * 2 - 1
    torch.manual_seed(1)
    together = method.translate(x)
    torch.manual_seed(2)
    alone = torch.cat([method.translate(one[None]) for one in x])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)
    with torch.inference_mode():
        assert method.translate(x.clone()).equal(together)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert method.search("AtoB").find(x).equal(method.search("AtoB").find(x))
        assert method.search("AtoB").find(x).dtype == torch.float32


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_other_sizes_and_channels_come_back_as_they_were(direction):
    method = make((1, 3), direction=direction).eval()
    assert method.translate(torch.zeros(1, 1, 40, 33), "AtoB").shape == (1, 3, 40, 33)
    assert method.translate(torch.zeros(1, 3, 5, 16), "BtoA").shape == (1, 1, 5, 16)
    method.train()
    assert all(loss.isfinite() for loss in method.step(batch_of((1, 3))).values())
    first = "A" if direction == "AtoB" else "B"
    assert method.G_A[-1][0].out_channels == method.channels[first]  # pyright: ignore


def test_previews_show_translations_what_was_found_and_pairs_that_stay():
    method, batch = make().eval(), batch_of()
    shown, again = method.preview(batch), method.preview(batch)
    names = ["real_A", "fake_B", "rec_A", "real_B", "fake_A", "rec_B", "pair_A", "pair_B"]
    assert list(shown) == names
    assert all(again[name].equal(x) for name, x in shown.items())
    assert shown["fake_B"].equal(method.translate(batch["A"]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 130}, r"^--size 130: wants a small size doubled"),
        ({"own_G": 4}, r"^--own-G 4: must be at most 3 at --size 16"),
        ({"own_D": 5}, r"^--own-D 5: must be at most 4 at --size 16"),
        ({"search_lr": 0}, r"^--search-lr 0: must be above 0"),
        ({"search_starts": 0}, r"^--search-starts 0: must be at least 1"),
        ({"preprocess": "none"}, r"^--preprocess none: keeps pictures of different sizes"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        Config.from_mapping({"size": 16} | changes)


def test_it_says_that_it_searches_and_goes_neither_in_tiles_nor_into_other_formats(
    tmp_path: Path, capsys
):
    for part, colour in (("trainA", (220, 40, 40)), ("trainB", (40, 40, 220))):
        (tmp_path / part).mkdir()
        for i in range(2):
            Image.new("RGB", (16, 16), colour).save(tmp_path / part / f"{i}.png")
    run = ganvas.train(
        "cogan",
        **SMALL,
        data=tmp_path,
        out=tmp_path / "run",
        duration="2it",
        tensorboard=False,
        device="cpu",
        threads=1,
    )
    assert "to translate is to search for each picture's latent" in capsys.readouterr().out
    out, inputs = tmp_path / "out", [str(run.path), str(tmp_path / "trainA"), "--device", "cpu"]
    assert main(["translate", *inputs, "--out", str(out)]) == 0
    with Image.open(out / "0.png") as answer:
        assert answer.size == (16, 16)
    other = str(tmp_path / "other")
    assert main(["translate", *inputs, "--out", other, "--tile", "16"]) == 2
    assert "--tile 16: cogan translates by a search" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"^--format onnx: cogan translates by a search"):
        export(run.path, tmp_path / "x.onnx", format="onnx")
    with pytest.raises(InputError, match=r"^--format safetensors: cogan translates by a search"):
        export(run.path, tmp_path / "x", format="safetensors")


def test_a_single_picture_goes_by_its_own_statistics():
    method = make(batch_size=1)
    z = torch.randn(3, 5, 1, 1)
    with torch.no_grad():
        alone = torch.cat([copy.deepcopy(method).train().shared_G(one[None]) for one in z])
        torch.testing.assert_close(method.eval().shared_G(z), alone, rtol=1e-4, atol=1e-5)


def test_previews_which_search_too_come_seldom_unless_it_is_said_how_often():
    config = Config.from_mapping({"duration": "100ep"})
    assert config.interval("preview_every") == config.span * (1 / 10)
    assert config.interval("snapshot_every") == config.span * (1 / 40)
    often = Config.from_mapping({"duration": "100ep", "preview_every": "3it"})
    assert often.interval("preview_every") == Duration.parse("3it")
