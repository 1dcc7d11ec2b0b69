"""What is true of StarGAN alone."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from making import noise
from PIL import Image
from torch import Tensor

import ganvas
from ganvas.cli import main
from ganvas.data.opening import open_training_set
from ganvas.errors import InputError
from ganvas.losses.penalties import gradient_penalty
from ganvas.methods.stargan import Config, StarGAN, shuffled
from ganvas.networks.norms import InstanceNorm2d
from ganvas.networks.stargan import StarDiscriminator, StarGenerator
from ganvas.runs.describe import parameters

SMALL = {"size": 16, "ngf": 4, "ndf": 4, "n_blocks": 1, "n_layers": 2, "batch_size": 4}
HAIR = ("black", "blond", "brown")
GROUND = {"blue": (0, 0, 255), "green": (0, 128, 0), "red": (255, 0, 0)}
FAST: dict[str, Any] = {"tensorboard": False, "device": "cpu", "threads": 1}


def make(channels: int = 3, classes: tuple[str, ...] = HAIR, **changes) -> StarGAN:
    torch.manual_seed(0)
    return StarGAN(Config.from_mapping(SMALL | changes), {"pictures": channels}, classes)


def batch_of(channels: int = 3, count: int = 4) -> dict[str, Tensor]:
    x = torch.rand(count, channels, 16, 16) * 2 - 1
    return {"pictures": x, "labels": torch.arange(count) % len(HAIR)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four noisy pictures of each of three colours, which the folders name."""
    folder = tmp_path_factory.mktemp("colours")
    for place, colour in enumerate(GROUND):
        (folder / colour).mkdir()
        for i in range(4):
            picture = Image.new("RGB", (16, 16), colour)
            picture.paste(noise(10 * place + i, 8, 8, 3), (4, 4))
            picture.save(folder / colour / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("stargan") / "run"
    settings = SMALL | FAST | {"duration": "6it", "d_steps": 2, "previews": 2}
    return ganvas.train("stargan", data=folder, out=out, quiet=True, **settings).path


# What the paper and its code say


def test_the_defaults_are_those_of_the_paper_and_its_code():
    c = Config()
    assert (c.objective, c.gp, c.gp_target, c.d_steps) == ("wgan", 10, 1, "5")
    assert (c.lambda_cls, c.lambda_rec, c.lr, c.beta1, c.beta2) == (1, 10, 1e-4, 0.5, 0.999)
    assert (c.ngf, c.ndf, c.n_blocks, c.halvings) == (64, 64, 6, 6)
    assert (c.size, c.batch_size, c.duration, c.lr_policy) == ("128", 16, "200000it", "linear")
    assert c.decay_span.amount == 100_000


def test_the_networks_have_as_many_parameters_as_the_code_prints():
    """For five domains at 128 pixels."""
    assert parameters(StarGenerator(3, 5)) == 8_430_528
    assert parameters(StarDiscriminator(3, 5, (128, 128))) == 44_762_048


def test_the_networks_keys_and_shapes_are_those_of_the_code():
    G, D = StarGenerator(3, 5).state_dict(), StarDiscriminator(3, 5, (128, 128)).state_dict()
    assert G["main.0.weight"].shape == (64, 8, 7, 7)
    assert G["main.6.weight"].shape == (256, 128, 4, 4)
    assert G["main.9.main.0.weight"].shape == G["main.14.main.3.weight"].shape == (256, 256, 3, 3)
    assert G["main.15.weight"].shape == (256, 128, 4, 4)
    assert G["main.21.weight"].shape == (3, 64, 7, 7)
    assert D["main.10.weight"].shape == (2048, 1024, 4, 4)
    assert D["conv1.weight"].shape == (1, 2048, 3, 3)
    assert D["conv2.weight"].shape == (5, 2048, 2, 2)
    assert not [key for key in (*G, *D) if "running" in key]


def test_d_scores_patches_and_names_the_domain_of_the_whole():
    src, cls = StarDiscriminator(3, 5, (64, 128), 2, 5).both(torch.zeros(2, 3, 64, 128))
    assert src.shape == (2, 1, 2, 4)
    assert cls.shape == (2, 5)


@pytest.mark.parametrize(
    ("size", "halvings"),
    [("256", 6), ("128", 6), ("64", 5), ("32", 4), ("16", 3), ("8", 2), ("36x100", 4)],
)
def test_a_small_size_is_halved_less_often(size, halvings):
    c = Config.from_mapping({"size": size})
    assert c.halvings == halvings
    width, height = c.width_height
    D = StarDiscriminator(1, 2, (height, width), 2, c.halvings)
    assert D.both(torch.zeros(1, 1, height, width))[1].shape == (1, 2)


# One step, computed by hand


def instance_normed(x: Tensor, layer: InstanceNorm2d) -> Tensor:
    assert layer.weight is not None
    assert layer.bias is not None
    mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), correction=0, keepdim=True)
    scale, shift = layer.weight[:, None, None], layer.bias[:, None, None]
    return (x - mean) / (variance + 1e-5).sqrt() * scale + shift


def G_by_hand(G: Any, x: Tensor, domain: Tensor) -> Tensor:
    """Layer by layer, as table 4 has them; one residual block."""
    m = list(G.main)
    planes = torch.zeros(len(x), len(HAIR), *x.shape[2:]).double()
    for row, place in enumerate(domain):
        planes[row, place] = 1
    h = F.relu(instance_normed(F.conv2d(torch.cat([x, planes], 1), m[0].weight, padding=3), m[1]))
    for at in (3, 6):
        h = F.relu(instance_normed(F.conv2d(h, m[at].weight, None, 2, 1), m[at + 1]))
    block = m[9].main
    f = F.relu(instance_normed(F.conv2d(h, block[0].weight, padding=1), block[1]))
    h = h + instance_normed(F.conv2d(f, block[3].weight, padding=1), block[4])
    for at in (10, 13):
        h = F.relu(instance_normed(F.conv_transpose2d(h, m[at].weight, None, 2, 1), m[at + 1]))
    return torch.tanh(F.conv2d(h, m[16].weight, padding=3))


def D_by_hand(D: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """The scores' mean for each picture, and the log of the probability of each domain."""
    h = x
    for conv in (D.main[0], D.main[2]):
        h = F.conv2d(h, conv.weight, conv.bias, 2, 1)
        h = torch.maximum(h, 0.01 * h)
    score = F.conv2d(h, D.conv1.weight, padding=1).mean((1, 2, 3))
    logits = torch.einsum("nchw,kchw->nk", h, D.conv2.weight)
    return score, logits - logits.exp().sum(1, keepdim=True).log()


def assert_gradients(network: torch.nn.Module, loss: Tensor, found: dict[str, Tensor]) -> None:
    names, weights = zip(*network.named_parameters(), strict=True)
    for name, wanted in zip(names, torch.autograd.grad(loss, weights), strict=True):
        torch.testing.assert_close(found[name], wanted, rtol=1e-6, atol=1e-10)


def test_a_step_is_that_of_the_equations():
    method, batch = make(d_steps="1", lr=0.01, gp_at="real"), batch_of()
    for network in (method.G, method.D):
        network.double()
    x, origin = batch["pictures"].double(), batch["labels"]
    before = copy.deepcopy(method)
    torch.manual_seed(3)
    losses = method.step({"pictures": x, "labels": origin})
    torch.manual_seed(3)
    target = origin[torch.randperm(4)]
    assert not target.equal(origin)
    rows = torch.arange(4)

    # eq. 5 with eq. 8, with lambda_gp (|grad D_src| - 1)^2 at real pictures, for no chance
    G, D = before.G, before.D
    x_ = G_by_hand(G, x, target)
    real, named = D_by_hand(D, x.requires_grad_())
    fake, _ = D_by_hand(D, x_.detach())
    (slope,) = torch.autograd.grad(real.sum(), x, create_graph=True)
    terms = {
        "D_real": -real.mean(),
        "D_fake": fake.mean(),
        "D_cls": -named[rows, origin].mean(),
        "D_gp": 10 * (slope.square().sum((1, 2, 3)).sqrt() - 1).square().mean(),
    }
    for name, value in terms.items():
        torch.testing.assert_close(losses[name], value.detach(), rtol=1e-6, atol=1e-9)
    found = {n: p.grad for n, p in method.D.named_parameters() if p.grad is not None}
    assert_gradients(D, torch.stack(list(terms.values())).sum(), found)

    # eq. 6, with D as its step has left it
    score, named = D_by_hand(method.D, x_)
    terms = {
        "G_GAN": -score.mean(),
        "G_cls": -named[rows, target].mean(),
        "G_rec": 10 * (G_by_hand(G, x_, origin) - x).abs().mean(),
    }
    for name, value in terms.items():
        torch.testing.assert_close(losses[name], value.detach(), rtol=1e-6, atol=1e-9)
    found = {n: p.grad for n, p in method.G.named_parameters() if p.grad is not None}
    assert_gradients(G, torch.stack(list(terms.values())).sum(), found)
    # Adam's first step is of lr in each weight, against its gradient's sign.
    for new, old in zip(method.G.parameters(), G.parameters(), strict=True):
        assert new.grad is not None
        clear = new.grad.abs() > 1e-4
        moved = (new - old).detach()[clear]
        torch.testing.assert_close(moved, -0.01 * new.grad[clear].sign(), rtol=1e-3, atol=0)


def test_the_penalty_of_the_code_is_ours_with_a_target_of_one_part_in_patches():
    """There gradients are of the sum over patches, here of their mean."""
    method, x = make().double(), batch_of()["pictures"].double().requires_grad_()
    scores = method.D(x)
    patches = scores[0].numel()
    (slope,) = torch.autograd.grad(scores.sum(), x)
    theirs = (slope.flatten(1).norm(dim=1) - 1).square().mean()
    ours = gradient_penalty(method.D, x, x, 1 / patches, "real")
    assert patches == 16
    torch.testing.assert_close(ours.detach(), theirs)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"gp": 0}, ["G_GAN", "G_cls", "G_rec", "D_real", "D_fake", "D_cls"]),
        ({}, ["G_GAN", "G_cls", "G_rec", "D_real", "D_fake", "D_cls", "D_gp"]),
        ({"gp": 0, "objective": "rpgan"}, ["G_GAN", "G_cls", "G_rec", "D", "D_cls"]),
    ],
)
def test_losses_bear_these_names_in_this_order(changes, names):
    assert list(make(d_steps="1", **changes).step(batch_of())) == names


def test_the_generator_moves_in_every_fifth_step():
    method = make()
    for _ in range(10):
        method.step(batch_of())
    assert method.descents == {"G": 2, "D": 10}


def test_targets_are_the_batchs_own_domains_in_an_order_of_chance():
    labels = torch.tensor([0, 0, 0, 1, 2, 2])
    torch.manual_seed(0)
    found = torch.stack([shuffled(labels) for _ in range(200)])
    assert found.sort(1).values.eq(labels).all()
    assert len({tuple(row.tolist()) for row in found}) > 40


def test_weights_of_zero_leave_out_the_naming_and_the_way_back():
    losses = make(d_steps="1", lambda_cls=0, lambda_rec=0).step(batch_of())
    assert losses["D_cls"] == losses["G_cls"] == losses["G_rec"] == 0


# In use


def test_a_target_makes_a_difference_and_another_one_another():
    method = make().eval()
    x = batch_of()["pictures"]
    answers = [method.translate(x, colour) for colour in HAIR]
    assert all(y.shape == x.shape for y in answers)
    assert not torch.allclose(answers[0], answers[1], atol=1e-4)
    assert not torch.allclose(answers[1], answers[2], atol=1e-4)


def test_a_picture_is_translated_alike_while_training_and_in_use():
    """What running statistics, which the code keeps and never goes by, would spoil."""
    method, x = make(), batch_of()["pictures"]
    method.step(batch_of())
    with torch.no_grad():
        training = method.translator("blond")(x)
        method.eval()
        torch.testing.assert_close(method.translator("blond")(x), training)
        torch.testing.assert_close(method.translator("blond")(x[:1]), training[:1])


def test_directions_are_the_names_of_the_targets():
    method = make()
    assert method.directions == method.ways == HAIR
    assert method.ends("blond") == ("pictures", "pictures")


def test_any_size_is_translated_and_comes_back_so():
    method = make().eval()
    for height, width in ((7, 9), (16, 16), (31, 45)):
        x = torch.zeros(1, 3, height, width)
        assert method.translate(x, "brown").shape == x.shape


def test_grey_pictures_stay_grey():
    method = make(channels=1)
    method.step(batch_of(channels=1))
    assert method.translate(Image.new("L", (16, 16)), direction="brown").mode == "L"


def test_previews_show_a_picture_and_its_translation_into_every_domain():
    batch = batch_of()
    shown = make(classes=("a cat", "dog", "emu")).eval().preview(batch)
    assert list(shown) == ["real", "fake_a_cat", "fake_dog", "fake_emu"]
    assert shown["real"].equal(batch["pictures"])


@pytest.mark.parametrize(
    ("direction", "message"),
    [
        (None, r"^--direction: say which .*, of black, blond, brown, as in --direction black$"),
        ("blonde", r"^--direction blonde: there is no such domain \(did you mean 'blond'\?\); the"),
        ("AtoB", r"^--direction AtoB: there is no such domain; there are black, blond, brown$"),
    ],
)
def test_a_target_that_is_not_there_is_refused(direction, message):
    with pytest.raises(InputError, match=message):
        make().translate(batch_of()["pictures"], direction)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 30}, r"^--size 30: stargan wants multiples of 4; the nearest is 32x32"),
        ({"size": 4}, r"^--size 4: is too small .* at least 8 pixels"),
        ({"n_layers": 5}, r"^--size 16: is too small .* at least 32 .* or fewer --n-layers"),
        ({"preprocess": "none"}, r"^--preprocess none: keeps pictures of different sizes"),
        ({"lambda_rec": -1}, r"^--lambda-rec -1.0: must be at least 0"),
        ({"n_layers": 0}, r"^--n-layers 0: must be at least 1"),
        ({"batch_size": 1}, r"^--batch-size 1: .* of one picture always its own; take 2 or more"),
    ],
)
def test_settings_that_no_training_can_have_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        Config.from_mapping(SMALL | changes)


def test_pictures_of_one_domain_are_refused(tmp_path: Path, folder: Path, unpaired_folder: Path):
    with pytest.raises(InputError, match=r"^stargan: wants a folder of pictures for each domain"):
        make(classes=())
    for i in range(2):
        noise(i, 16, 16, 3).save(tmp_path / f"{i}.png")
    for source, looks in ((folder / "red", "unlabelled"), (unpaired_folder, "unpaired")):
        config = Config.from_mapping(SMALL | {"data": source})
        with pytest.raises(InputError, match=rf"looks {looks} .* wants a folder for each domain"):
            open_training_set("domains", config)


# Whole runs


def test_files_are_translated_by_either_name_of_the_option(run: Path, folder: Path, tmp_path: Path):
    method = ganvas.load(run)
    for option in ("--direction", "--to"):
        out = tmp_path / option.strip("-")
        given = [str(run), str(folder / "red"), "--out", str(out), option, "blue"]
        assert main(["translate", *given]) == 0
        for i in range(4):
            wanted = method.translate(Image.open(folder / "red" / f"{i}.png"), direction="blue")
            assert Image.open(out / f"{i}.png").tobytes() == wanted.tobytes()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "say which domain to translate into, of blue, green, red"),
        (["--to", "gren"], "there is no such domain (did you mean 'green'?)"),
        (["--to", "red", "--side-by-side"], "--side-by-side: is for A and B; leave it out"),
    ],
)
def test_what_cannot_be_translated_is_said(run, folder, tmp_path, capsys, more, said):
    inputs = [str(run), str(folder / "red"), "--out", str(tmp_path / "out")]
    assert main(["translate", *inputs, *more]) == 2
    assert said in capsys.readouterr().err


def test_tiles_give_what_the_whole_gives(run: Path, tmp_path: Path):
    noise(5, 70, 90, 3).save(tmp_path / "large.png")
    answers = []
    for more in ([], ["--tile", "24"]):
        out = tmp_path / f"out{len(more)}"
        picture = str(tmp_path / "large.png")
        assert main(["translate", str(run), picture, "--out", str(out), "--to", "red", *more]) == 0
        answers.append(torch.tensor(list(Image.open(out / "large.png").tobytes())).int())
    assert (answers[0] - answers[1]).abs().max() <= 1


def test_every_domain_is_judged_by_its_own_pictures(run: Path, folder: Path):
    results = ganvas.evaluate(run, count=12, metrics=["swd", "cycle", "identity"])
    assert [(r.key, r.direction) for r in results[:3]] == [
        ("swd", "blue"),
        ("cycle", "blue"),
        ("identity", "blue"),
    ]
    assert [r.direction for r in results[::3]] == ["blue", "green", "red"]
    assert all((r.provenance["real"], r.provenance["fake"]) == (4, 8) for r in results[::3])
    # Identity by hand, through the public face.
    method = ganvas.load(run)
    apart = []
    for path in sorted((folder / "green").glob("*.png")):
        x = torch.tensor(list(Image.open(path).tobytes())).float().view(1, 16, 16, 3) / 127.5 - 1
        x = x.permute(0, 3, 1, 2)
        apart.append((method.translate(x, "green") - x).abs().mean() / 2)
    assert results[5].value == pytest.approx(float(torch.stack(apart).mean()), rel=1e-3)


def test_what_is_about_two_domains_is_refused(run: Path, capsys):
    for argv in (
        ["evaluate", str(run), "--metrics", "class-iou"],
        ["evaluate", str(run), "--paired"],
        ["study", str(run)],
    ):
        assert main(argv) == 2
    said = capsys.readouterr().err
    assert "--metrics class-iou: is for label maps A and photos B" in said
    assert "--paired: is for two domains, A and B; leave it out for stargan" in said
    assert "study: stargan translates between many domains" in said


def test_one_domain_is_exported_with_its_label_inside(run: Path, tmp_path: Path, capsys):
    pytest.importorskip("onnxruntime")
    with pytest.raises(InputError, match=r"^--direction: say which domain to translate into"):
        ganvas.export(run, out=tmp_path / "star.onnx")
    done = ganvas.export(run, out=tmp_path / "star.onnx", direction="red")
    assert done.directions == ("red",)
    assert done.difference is not None
    assert done.difference < 1e-4


def test_plain_weights_come_with_a_card_that_names_all_domains(run: Path, tmp_path: Path):
    done = ganvas.export(run, out=tmp_path / "star", format="safetensors")
    assert done.directions == ("blue", "green", "red")
    card = (tmp_path / "star" / "README.md").read_text()
    assert 'direction="green").save("green.png")' in card
    assert (tmp_path / "star" / "G.safetensors").is_file()


def test_a_training_on_colours_learns_them(folder: Path, tmp_path: Path):
    """A picture on blue ground becomes one on red, and one on green."""
    settings = SMALL | FAST | {"ngf": 16, "ndf": 8, "batch_size": 6, "lr": 0.002, "d_steps": 1}
    easy = {"objective": "lsgan", "gp": 0, "lambda_cls": 3, "duration": "200it"}
    run = ganvas.train("stargan", data=folder, out=tmp_path / "run", quiet=True, **settings, **easy)
    method = ganvas.load(run)
    given = Image.open(folder / "blue" / "0.png")
    for wanted in ("red", "green"):
        found = torch.tensor(method.translate(given, direction=wanted).getpixel((1, 8)))
        apart = {name: (found - torch.tensor(rgb)).square().sum() for name, rgb in GROUND.items()}
        assert min(apart, key=apart.__getitem__) == wanted
