"""What makes features: names that say what they are, files that are checked, networks that see."""

from pathlib import Path
from typing import Any

import lpips
import pytest
import torch
import torch_fidelity
from torch import Tensor, nn
from torch.utils.data import Dataset
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from ganvas.data.decode import decode
from ganvas.data.samples import sample_entries
from ganvas.errors import InputError
from ganvas.evaluation import inception, own, perceptual
from ganvas.evaluation.extractors import SmallExtractor, SmallNetwork, random_extractor
from ganvas.evaluation.frechet import frechet_distance
from ganvas.evaluation.inception import InceptionExtractor, find_inception
from ganvas.evaluation.inception_score import inception_score
from ganvas.evaluation.kernel import kernel_distance
from ganvas.evaluation.metrics import METRICS, name_on
from ganvas.evaluation.own import Task, from_file, own_extractor, trained
from ganvas.evaluation.perceptual import Lpips
from ganvas.pictures import to_unit


def drawn(seed: int, *shape: int) -> Tensor:
    """Bytes by chance."""
    chance = torch.Generator().manual_seed(seed)
    return torch.randint(256, shape, generator=chance, dtype=torch.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of Inception by chance, as a file of the published form."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda *a: None)
        empty = tmp_path_factory.mktemp("inception") / "empty.pth"
        torch.save({}, empty)
        torch.manual_seed(0)
        network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(empty))
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    path = empty.with_name("weights.pth")
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def seen_by(weights: Path) -> InceptionExtractor:
    return InceptionExtractor(weights)


class Pictures(Dataset[Tensor]):
    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, i: int) -> Tensor:
        return self.pixels[i]


# Inception


@pytest.mark.filterwarnings("ignore")
def test_from_pictures_to_scores_it_is_what_torch_fidelity_says(weights, seen_by):
    real, fake = drawn(0, 4, 3, 20, 24), drawn(1, 4, 3, 20, 24) // 2
    told = torch_fidelity.calculate_metrics(
        input1=Pictures(fake),
        input2=Pictures(real),
        fid=True,
        kid=True,
        isc=True,
        isc_splits=2,
        kid_subsets=1,
        kid_subset_size=4,
        feature_extractor_weights_path=str(weights),
        cuda=False,
        cache=False,
        verbose=False,
        batch_size=4,
    )
    x, y = seen_by(to_unit(real)), seen_by(to_unit(fake))
    found = frechet_distance(x.features, y.features)
    assert found == pytest.approx(told["frechet_inception_distance"], rel=1e-4)
    found, _ = kernel_distance(x.features, y.features)
    assert found == pytest.approx(told["kernel_inception_distance_mean"], rel=1e-3)
    assert y.logits is not None
    found, _ = inception_score(y.logits, splits=2)
    assert found == pytest.approx(told["inception_score_mean"], rel=1e-6)


def test_only_the_known_file_gives_published_names(weights, seen_by, monkeypatch):
    other = seen_by
    assert name_on(METRICS["fid"], other.name) == f"FD-inception@{other.digest[:8]}"
    monkeypatch.setattr(inception, "KNOWN", other.digest)
    known = InceptionExtractor(weights)
    assert name_on(METRICS["fid"], known.name) == "FID"
    assert name_on(METRICS["kd"], known.name) == "KID"
    assert name_on(METRICS["precision"], known.name) == "precision-inception"
    assert name_on(METRICS["fd"], "own@1a2b3c4d") == "FD-own@1a2b3c4d"


def test_grey_pictures_are_seen_as_grey_and_others_are_refused(seen_by):
    grey = to_unit(drawn(0, 1, 1, 16, 16))
    repeated = seen_by(grey.expand(-1, 3, -1, -1)).features
    assert torch.equal(seen_by(grey).features, repeated)
    with pytest.raises(InputError, match="5 channels"):
        seen_by(torch.zeros(1, 5, 16, 16))


def test_weights_are_found_where_other_packages_keep_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert find_inception() is None
    place = tmp_path / "hub" / "checkpoints" / "pt_inception-2015-12-05-6726825d.pth"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"")
    assert find_inception() == place


@pytest.mark.parametrize("content", [b"", b"no weights", {"a": torch.zeros(2)}])
def test_a_file_that_holds_no_such_weights_is_refused(content, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(InputError, match="holds no weights of that network"):
        InceptionExtractor(path)


def test_code_in_a_file_of_weights_does_not_run(tmp_path):
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (tmp_path / "sprung").touch, ()

    torch.save({"a": Trap()}, tmp_path / "weights.pth")
    with pytest.raises(InputError, match="holds no weights"):
        InceptionExtractor(tmp_path / "weights.pth")
    assert not (tmp_path / "sprung").exists()


# LPIPS


@pytest.mark.filterwarnings("ignore")
def test_lpips_is_what_the_lpips_package_says(tmp_path):
    torch.manual_seed(0)
    theirs = lpips.LPIPS(pretrained=False, pnet_rand=True, net="alex", verbose=False)
    linear = Path(lpips.__file__).parent / "weights/v0.1/alex.pth"
    theirs.load_state_dict(torch.load(linear, "cpu", weights_only=True), strict=False)
    state = {
        "features." + key.partition(".")[2]: value for key, value in theirs.net.state_dict().items()
    }
    path = tmp_path / "alex.pth"
    torch.save(state, path)
    ours = Lpips(path, "alex")
    x, y = (to_unit(drawn(seed, 2, 3, 64, 64)) for seed in (0, 1))
    assert torch.allclose(ours(x, y), theirs(x, y).flatten(), rtol=1e-6)
    assert ours(x, x).tolist() == [0, 0]
    assert ours.name.startswith("LPIPS-alex@")
    with pytest.raises(InputError, match="at least 64 pixels"):
        ours(x[:, :, :32], y[:, :, :32])


def test_a_missing_backbone_is_told_with_its_address(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert perceptual.find_backbone() is None
    assert "vgg16-397923af.pth" in perceptual.how_to_get()


# Networks of ours


def shapes(parts: slice) -> Tensor:
    """Pictures of sample:shapes in [-1, 1]."""
    entries = list(sample_entries("shapes", (32, 32), 40))[parts]
    values = [torch.tensor(decode(e.read(), e.name).values) for e in entries]
    return to_unit(torch.stack(values).permute(0, 3, 1, 2))


@pytest.fixture(scope="module")
def learnt() -> SmallExtractor:
    task = Task(shapes(slice(0, None, 2)), torch.zeros(100, dtype=torch.long), 1)
    with torch.random.fork_rng():
        return SmallExtractor(trained(SmallNetwork(3, 32), task, 0, 60), 32, "own@{digest}")


def test_an_own_extractor_sees_what_is_spoilt(learnt):
    real, held = shapes(slice(0, None, 2)), shapes(slice(1, None, 2))
    x = learnt(real).features

    def distance(pictures: Tensor) -> tuple[float, float]:
        return kernel_distance(x, learnt(pictures).features)

    near, error = distance(held)
    assert abs(near) < 3 * error
    noisy = held + 0.15 * torch.randn(held.shape, generator=torch.Generator().manual_seed(0))
    soft = nn.functional.interpolate(nn.functional.avg_pool2d(held, 2), 32, mode="bilinear")
    for spoilt in (noisy, soft, (held + held.roll(1, 0)) / 2):
        far, error = distance(spoilt)
        assert far > 2 * error


def test_its_features_have_no_mean_and_deviation_one_over_what_it_learnt(learnt):
    x = learnt(shapes(slice(0, None, 2))).features
    assert x.mean(0).abs().max() < 1e-4
    assert x.std(0).median() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("channels", "size"), [(1, 16), (3, 28), (5, 200)])
def test_pictures_of_any_channels_and_size_have_features(channels, size):
    extractor = random_extractor(channels, (size, size + 4))
    x = torch.rand(2, channels, size, size + 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = extractor(x).features
    assert found.shape == (2, 192)
    assert (found[0] - found[1]).abs().max() > 0
    with pytest.raises(InputError, match="channels"):
        extractor(x[:, :1].repeat(1, channels + 1, 1, 1))


def test_random_weights_follow_from_their_seed_alone():
    torch.manual_seed(1)
    a = random_extractor(3, (32, 32), 7)
    torch.manual_seed(2)
    b, c = random_extractor(3, (32, 32), 7), random_extractor(3, (32, 32), 8)
    assert a.digest == b.digest != c.digest
    assert (a.name, c.name) == ("random@seed7", "random@seed8")


def test_an_own_extractor_is_trained_once_and_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path))
    monkeypatch.setattr(own, "STEPS", 2)
    asked = []

    def task(side: int) -> Task:
        asked.append(side)
        return Task(to_unit(drawn(0, 70, 1, side, side)), torch.zeros(70, dtype=torch.long), 1)

    before = torch.random.get_rng_state()
    first = own_extractor(task, 1, "these", (28, 28))
    assert torch.equal(before, torch.random.get_rng_state())
    again = own_extractor(task, 1, "these", (28, 28))
    assert asked == [32]
    assert first.digest == again.digest
    assert first.name == f"own@{first.digest[:8]}"
    other = own_extractor(task, 1, "others", (28, 28))
    assert asked == [32, 32]
    assert other.digest == first.digest  # the same pictures give the same network
    found = from_file(Path(first.about["file"]))
    assert found is not None
    assert found.digest == first.digest


def test_a_file_that_holds_no_extractor_is_none(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"torn")
    assert from_file(tmp_path / "a.safetensors") is None
    assert from_file(tmp_path / "nowhere.safetensors") is None
