"""StyleGAN's nine losses against their formulas, written out in float64 numpy."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganvas.losses import stylegan

RNG = np.random.default_rng(0)
SHAPE = (4, 2, 3, 3)
REAL, Z = RNG.uniform(-1, 1, SHAPE), RNG.uniform(-1, 1, SHAPE)
W, A, GAIN = 0.3 * RNG.normal(size=SHAPE[1:]), 0.8, 0.9
FAKE = GAIN * Z


class Generator(nn.Module):
    """G(z) = gain z."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(GAIN, dtype=torch.float64))

    def forward(self, z: Tensor) -> Tensor:
        return self.gain * z


class Discriminator(nn.Module):
    """D(x) = <w, x> + a |x|^2 / 2, whose gradient is w + a x. It keeps what it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(W))
        self.a = nn.Parameter(torch.tensor(A, dtype=torch.float64))
        self.seen: list[np.ndarray] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.detach().numpy())
        return (self.w * x + self.a * x.square() / 2).sum((1, 2, 3))[:, None]


def score(x: np.ndarray) -> np.ndarray:
    return (W * x + A * x**2 / 2).sum(axis=(1, 2, 3))


def slope(x: np.ndarray) -> np.ndarray:
    """Squared length of D's gradient at each picture."""
    return ((W + A * x) ** 2).sum(axis=(1, 2, 3))


def softplus(s: np.ndarray) -> np.ndarray:
    return np.log(1 + np.exp(s))


def wgan(epsilon: float) -> np.ndarray:
    return score(FAKE) - score(REAL) + epsilon * score(REAL) ** 2


def hinge() -> np.ndarray:
    return np.maximum(0, 1 + score(FAKE)) + np.maximum(0, 1 - score(REAL))


def logistic() -> np.ndarray:
    return softplus(score(FAKE)) + softplus(-score(REAL))


def pull(between: np.ndarray, weight: float, target: float) -> np.ndarray:
    return weight / target**2 * (np.sqrt(slope(between)) - target) ** 2


@pytest.fixture
def D() -> Discriminator:
    return Discriminator()


@pytest.fixture
def G() -> Generator:
    return Generator()


def between(D: Discriminator) -> np.ndarray:
    """What D saw that was neither real nor generated, but on the line between the two."""
    (x,) = (x for x in D.seen if not (np.allclose(x, REAL) or np.allclose(x, FAKE)))
    u = np.median(((x - REAL) / (FAKE - REAL)).reshape(4, -1), axis=1).reshape(4, 1, 1, 1)
    np.testing.assert_allclose(x, REAL + u * (FAKE - REAL))
    return x


def check(loss: Tensor, wanted: np.ndarray) -> None:
    assert loss.shape == ()
    assert loss.item() == pytest.approx(wanted.mean(), rel=1e-9)


@pytest.mark.parametrize(
    ("loss", "wanted", "slope_of_score"),
    [
        (stylegan.G_wgan, -score(FAKE), -np.ones(4)),
        (stylegan.G_logistic_saturating, -softplus(score(FAKE)), -1 / (1 + np.exp(-score(FAKE)))),
        (stylegan.G_logistic_nonsaturating, softplus(-score(FAKE)), -1 / (1 + np.exp(score(FAKE)))),
    ],
    ids=["G_wgan", "G_logistic_saturating", "G_logistic_nonsaturating"],
)
def test_generators_losses_are_their_formulas_and_reach_the_generator(
    D, G, loss, wanted, slope_of_score
):
    found = loss(D, G(torch.tensor(Z)))
    check(found, wanted)
    found.backward()
    by_gain = slope_of_score * ((W + A * FAKE) * Z).sum(axis=(1, 2, 3))
    assert G.gain.grad.item() == pytest.approx(by_gain.mean(), rel=1e-9)


def test_D_wgan_is_its_formula(D):
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    check(stylegan.D_wgan(D, real, fake), wgan(0.001))
    check(stylegan.D_wgan(D, real, fake, wgan_epsilon=0.5), wgan(0.5))


def test_D_wgan_gp_is_its_formula(D):
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    loss = stylegan.D_wgan_gp(D, real, fake)
    check(loss, wgan(0.001) + pull(between(D), 10, 1))
    D.seen.clear()
    loss = stylegan.D_wgan_gp(D, real, fake, wgan_lambda=3.0, wgan_epsilon=0.5, wgan_target=2.0)
    check(loss, wgan(0.5) + pull(between(D), 3, 2))


def test_D_hinge_is_its_formula(D):
    check(stylegan.D_hinge(D, torch.tensor(REAL), torch.tensor(FAKE)), hinge())


def test_D_hinge_gp_is_its_formula(D):
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    loss = stylegan.D_hinge_gp(D, real, fake)
    check(loss, hinge() + pull(between(D), 10, 1))
    D.seen.clear()
    loss = stylegan.D_hinge_gp(D, real, fake, wgan_lambda=3.0, wgan_target=2.0)
    check(loss, hinge() + pull(between(D), 3, 2))


def test_D_logistic_is_its_formula(D):
    check(stylegan.D_logistic(D, torch.tensor(REAL), torch.tensor(FAKE)), logistic())


def test_D_logistic_simplegp_is_its_formula(D):
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    check(stylegan.D_logistic_simplegp(D, real, fake), logistic() + 10 / 2 * slope(REAL))
    loss = stylegan.D_logistic_simplegp(D, real, fake, r1_gamma=3.0, r2_gamma=0.5)
    check(loss, logistic() + 3 / 2 * slope(REAL) + 0.5 / 2 * slope(FAKE))


@pytest.mark.parametrize(("r1_gamma", "r2_gamma"), [(0.0, 0.0), (10.0, 0.0), (0.0, 10.0)])
def test_a_simple_penalty_of_no_weight_costs_nothing(D, r1_gamma, r2_gamma):
    stylegan.D_logistic_simplegp(D, torch.tensor(REAL), torch.tensor(FAKE), r1_gamma, r2_gamma)
    seen = [sum(np.array_equal(x, of) for x in D.seen) for of in (REAL, FAKE)]
    assert seen == [1 + (r1_gamma > 0), 1 + (r2_gamma > 0)]


@pytest.mark.parametrize(
    "loss",
    [
        stylegan.D_wgan,
        stylegan.D_wgan_gp,
        stylegan.D_hinge,
        stylegan.D_hinge_gp,
        stylegan.D_logistic,
        stylegan.D_logistic_simplegp,
    ],
)
def test_discriminators_losses_move_the_discriminator_and_not_the_generator(D, G, loss):
    loss(D, torch.tensor(REAL), G(torch.tensor(Z))).backward()
    assert D.w.grad.any()
    assert D.a.grad.any()
    assert G.gain.grad is None
