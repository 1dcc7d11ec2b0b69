"""What is true of feature loss + GAN alone, CycleGAN's paper's baseline; test_vgg.py has its
features."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from kinds import in_float64
from making import noise
from torch import Tensor

import ganvas
from ganvas.errors import InputError
from ganvas.methods.featgan import RANDOM, Config, FeatGAN
from ganvas.networks.vgg import VggFeatures
from ganvas.weights.lending import lend

SMALL = {"size": 16, "ngf": 4, "ndf": 4, "n_blocks": 1, "n_layers": 1}
FAST = {"tensorboard": False, "device": "cpu", "threads": 1, "quiet": True}


def make(channels: tuple[int, int] = (3, 3), **changes) -> FeatGAN:
    torch.manual_seed(0)
    return FeatGAN(Config.from_mapping(SMALL | changes), dict(zip("AB", channels, strict=True)))


def batch_of(channels: tuple[int, int] = (3, 3), count: int = 2) -> dict[str, Tensor]:
    return {
        domain: torch.rand(count, c, 16, 16) * 2 - 1
        for domain, c in zip("AB", channels, strict=True)
    }


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with tensors of the names and shapes of VGG-16's, and some of its others."""
    torch.manual_seed(5)
    tensors = {key: torch.randn_like(t) * 0.02 for key, t in VggFeatures().state_dict().items()}
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    others = ("features.21.weight", "classifier.0.bias")
    torch.save(tensors | {key: torch.zeros(2) for key in others}, path)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for n, part in enumerate(("trainA", "trainB")):
        (tmp_path / "data" / part).mkdir(parents=True)
        for i in range(3):
            noise(3 * n + i, 16, 16, 3).save(tmp_path / "data" / part / f"{i}.png")
    return tmp_path / "data"


def test_the_defaults_are_cyclegans_with_the_codes_weight():
    c = Config()
    assert (c.generator, c.n_blocks, c.norm, c.dropout) == ("resnet", 9, "instance", False)
    assert (c.discriminator, c.n_layers, c.ngf, c.ndf) == ("patch", 3, 64, 64)
    assert (c.objective, c.pool_size, c.lambda_feature) == ("lsgan", 50, 10)
    assert (c.lr, c.beta1, c.features, c.feature_size) == (2e-4, 0.5, None, None)


def test_features_are_no_network_that_anyone_trains():
    method = FeatGAN(Config(), {"A": 3, "B": 3})
    counts = {n: sum(p.numel() for p in net.parameters()) for n, net in method.networks().items()}
    assert counts == {"G": 11_378_179, "D": 2_764_737}
    assert sum(t.numel() for t in method.phi.state_dict().values()) == 330_448
    method = make()
    before = deepcopy(method.phi.state_dict())
    method.step(batch_of())
    assert all(value.equal(before[key]) for key, value in method.phi.state_dict().items())


def test_a_step_is_that_of_the_formulas():
    """D first, at half, then G before the D that this has made: losses, gradients and weights."""
    method, batch = in_float64(make(), batch_of())
    method.phi.double()
    G, D, x, y = deepcopy(method.G), deepcopy(method.D), batch["A"], batch["B"]
    losses = method.step(batch)

    y_ = G(x)
    of_D = (((D(y) - 1) ** 2).mean() + (D(y_.detach()) ** 2).mean()) / 2
    adam = torch.optim.Adam(D.parameters(), lr=2e-4, betas=(0.5, 0.999))
    of_D.backward()
    adam.step()
    for ours, theirs in zip(method.D.parameters(), D.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)
        torch.testing.assert_close(ours, theirs)

    def phi(pictures: Tensor) -> Tensor:
        """Nine convolutions, each with a ReLU, and a pooling behind the 2nd, 4th and 7th."""
        kept = dict(method.phi.named_buffers())
        weights = [value for key, value in kept.items() if key.endswith("weight")]
        assert len(weights) == 9
        for n, weight in enumerate(weights):
            pictures = F.relu(F.conv2d(pictures, weight, padding=1))
            pictures = F.max_pool2d(pictures, 2) if n in (1, 3, 6) else pictures
        return pictures

    adversarial, kept = ((D(y_) - 1) ** 2).mean(), 10 * (phi(x) - phi(y_)).abs().mean()
    adam = torch.optim.Adam(G.parameters(), lr=2e-4, betas=(0.5, 0.999))
    (adversarial + kept).backward()
    adam.step()
    for ours, theirs in zip(method.G.parameters(), G.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)
        torch.testing.assert_close(ours, theirs)

    wanted = {"G_GAN": adversarial, "G_feature": kept, "D": of_D}
    assert list(losses) == list(wanted)
    for name, value in wanted.items():
        torch.testing.assert_close(losses[name], value.detach())


@pytest.mark.parametrize(
    ("changes", "size"),
    [({}, 16), ({"feature_size": 24}, 24), ({"features": "vgg.pth"}, 224)],
)
def test_pictures_come_to_the_features_at_a_size_of_their_own(changes, size):
    method, seen = make(**changes), []
    method.phi.features = torch.nn.Sequential()
    method.phi.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    x = batch_of()["A"]
    method.features(x)
    assert seen[0].shape == (2, 3, size, size)
    # Corners lie on corners.
    torch.testing.assert_close(seen[0][:, :, 0, -1], x[:, :, 0, -1])


def test_the_weight_of_the_features_holds_them_to_those_of_the_input():
    distances = {}
    for weight in (0.01, 100.0):
        method, batch = make(lambda_feature=weight, lr=0.003), batch_of()
        for _ in range(30):
            method.step(batch)
        with torch.no_grad():
            of_x, of_y = (method.features(p) for p in (batch["A"], method.G(batch["A"])))
        distances[weight] = float((of_x - of_y).abs().mean())
    assert distances[100.0] < 0.9 * distances[0.01]


def test_random_features_are_said_to_be_so(weights):
    method = make()
    assert method.fixed == {"phi": {"weights": RANDOM}}
    assert "not VGG's" in RANDOM
    assert any("random features, not VGG's" in note for note in method.notes)
    assert not any("random features" in note for note in make(features=str(weights)).notes)
    # VGG's are named only where VGG could see the pictures.
    assert "--features" in " ".join(make((1, 3)).notes)
    assert "--features" not in " ".join(make((4, 4)).notes)


def test_channels_may_be_any_that_features_can_see():
    for channels in ((5, 5), (1, 3), (2, 1)):
        losses = make(channels).step(batch_of(channels))
        assert all(loss.isfinite() for loss in losses.values())
    with pytest.raises(InputError, match="equal channels, or grey pictures, but A has 2 and B"):
        make((2, 3))
    with pytest.raises(InputError, match=r"--features f\.pth: VGG sees grey and RGB .* A has 5"):
        make((5, 5), features="f.pth")
    assert make((1, 3), features="f.pth").phi.channels == 3


def test_settings_out_of_range_are_refused():
    with pytest.raises(InputError, match="--lambda-feature 0: must be above 0"):
        Config.from_mapping({"lambda_feature": 0})
    with pytest.raises(InputError, match="--feature-size 7: must be at least 8"):
        Config.from_mapping({"feature_size": 7})


def test_a_files_weights_become_the_features(weights):
    method = make(features=str(weights))
    lend(method)
    held = torch.load(weights, weights_only=True)
    for key, value in method.phi.state_dict().items():
        assert value.equal(held[key])
    assert method.fixed["phi"]["file"] == str(weights)
    assert len(method.fixed["phi"]["sha256"]) == 64


def test_a_file_of_something_else_is_refused_with_what_is_missing(tmp_path):
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "cut.pth")
    with pytest.raises(InputError, match=r"--features .*cut.pth: does not .* \(17 differences\)"):
        lend(make(features=str(tmp_path / "cut.pth")))
    with pytest.raises(InputError, match=r"none.pth: there is no such file"):
        lend(make(features=str(tmp_path / "none.pth")))


def test_only_the_beginning_of_a_training_needs_the_file(weights, pictures, tmp_path):
    file = tmp_path / "mine.pth"
    file.write_bytes(weights.read_bytes())
    settings: dict[str, Any] = SMALL | FAST | {"data": pictures, "feature_size": 16}
    settings |= {"features": file, "duration": "2it"}
    run = ganvas.train("featgan", out=tmp_path / "run", **settings)
    known = run.record["provenance"]["fixed"]["phi"]
    assert known["file"] == str(file)
    held = torch.load(file, weights_only=True)
    file.unlink()
    ganvas.resume(run.path, duration="4it", quiet=True)
    method = ganvas.load(run)
    assert isinstance(method, FeatGAN)
    for key, value in method.phi.state_dict().items():
        assert value.equal(held[key])
    begun = ganvas.train(
        "featgan", out=tmp_path / "b", **settings | {"features": None, "init": run.path}
    )
    assert begun.record["provenance"]["fixed"] == {"phi": {"weights": RANDOM}}


def test_a_run_that_begins_anew_wants_the_same_file(weights, pictures, tmp_path):
    file = tmp_path / "mine.pth"
    file.write_bytes(weights.read_bytes())
    settings: dict[str, Any] = SMALL | FAST | {"data": pictures, "feature_size": 16}
    run = ganvas.train("featgan", out=tmp_path / "run", features=file, duration="2it", **settings)
    for snapshot in run.snapshots.iterdir():
        snapshot.rename(tmp_path / snapshot.name)
    other = {key: t + 1 for key, t in torch.load(weights, weights_only=True).items()}
    torch.save(other, file)
    with pytest.raises(InputError, match=r"--features .*: is not the file that this run was begun"):
        ganvas.resume(run.path, quiet=True)
