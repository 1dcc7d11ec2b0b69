"""R3GAN: what is true of its step, its schedule and its use alone."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganvas.clock import Clock
from ganvas.errors import InputError
from ganvas.losses.penalties import r1, r2
from ganvas.methods.r3gan import R3GAN, Config
from ganvas.networks.r3gan import DiscriminatorNetwork

SMALL: dict[str, Any] = {
    "size": "16",
    "widths": "8,8,4",
    "n_blocks": 1,
    "cardinality": 2,
    "nz": 5,
    "duration": "1kimg",
}


def make(**changes: Any) -> R3GAN:
    """Small, and away from where it begins, where blocks do nothing."""
    torch.manual_seed(0)
    config = Config.from_mapping(SMALL | changes)
    method = R3GAN(config, {"pictures": 3}, ("cat", "dog") if config.conditional else ())
    for p in (*method.G.parameters(), *method.D.parameters()):
        p.data += 0.1 * torch.randn_like(p)
    return method


def batch(count: int = 4, size: tuple[int, int] = (16, 16)) -> dict[str, Tensor]:
    return {"pictures": torch.rand(count, 3, *size) * 2 - 1, "labels": torch.arange(count) % 2}


class Weighed(DiscriminatorNetwork):
    """A discriminator whose score is a weighing of the pixels: its gradients are the weights."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.weight = nn.Parameter(torch.linspace(-0.1, 0.1, 3 * 16 * 16))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return (x.flatten(1) @ self.weight)[:, None]


def test_a_step_by_hand():
    """With a linear D, R1 and R2 are both gamma/2 |w|^2, and all gradients can be written down."""
    method, x = make(r1_gamma=3, r2_gamma=5, beta1=0, lr=0.01), batch()["pictures"]
    method.D = D = Weighed()
    del method.skipped_D, method.streak_D, method.skipped_at_D
    method.player("D", D, lr=0.01, betas=(0.0, 0.9))
    w, G = D.weight.detach().double().clone(), copy.deepcopy(method.G)
    torch.manual_seed(1)
    x_ = G(torch.randn(4, 5)).detach().double().flatten(1)
    again = G(torch.randn(4, 5))
    real = x.double().flatten(1)
    margins = (real - x_) @ w

    torch.manual_seed(1)
    found = method.step({"pictures": x})
    assert found["D"].item() == pytest.approx(torch.log1p((-margins).exp()).mean().item())
    assert found["D_r1"].item() == pytest.approx(3 / 2 * float(w @ w), rel=1e-5)
    assert found["D_r2"].item() == pytest.approx(5 / 2 * float(w @ w), rel=1e-5)
    # d/dw softplus(-m) = -sigmoid(-m) dm/dw, and of the penalties (3 + 5) w.
    slope = -(torch.sigmoid(-margins)[:, None] * (real - x_)).mean(0) + 8 * w
    gradient = D.weight.grad
    assert gradient is not None
    torch.testing.assert_close(gradient.double(), slope, rtol=1e-4, atol=1e-7)
    # Adam's first step with beta1 = 0 is lr times the sign; then G goes down softplus(-(f - r)).
    moved = D.weight.detach().double()
    torch.testing.assert_close(moved, w - 0.01 * slope.sign(), rtol=0, atol=1e-5)
    margins = again.flatten(1).double() @ moved - real @ moved
    assert found["G"].item() == pytest.approx(torch.log1p((-margins).exp()).mean().item())
    torch.log1p((-margins).exp()).mean().backward()
    torch.testing.assert_close(method.G.basis.grad, G.basis.grad, rtol=1e-4, atol=1e-7)


def test_both_penalties_reach_the_gradients_in_every_step():
    method = make(r1_gamma=3, r2_gamma=5)
    for n in range(3):
        x, before = batch()["pictures"], copy.deepcopy(method)
        torch.manual_seed(n)
        found = method.step({"pictures": x})
        torch.manual_seed(n)
        x_ = before.drawn(4, None).detach()
        torch.testing.assert_close(found["D_r1"], 3 * r1(before.D, x).detach())
        torch.testing.assert_close(found["D_r2"], 5 * r2(before.D, x_).detach())
        loss = nn.functional.softplus(before.D(x_) - before.D(x)).mean()
        (loss + 3 * r1(before.D, x) + 5 * r2(before.D, x_)).backward()
        for ours, wanted in zip(method.D.parameters(), before.D.parameters(), strict=True):
            torch.testing.assert_close(ours.grad, wanted.grad, rtol=1e-3, atol=1e-6)


def rates_and_betas(method: R3GAN) -> list[tuple[float, tuple[float, float]]]:
    return [
        (o.param_groups[0]["lr"], tuple(o.param_groups[0]["betas"]))
        for o in method.optimizers.values()
    ]


def test_the_schedule_reaches_the_optimizers_and_the_penalties():
    method, x = make(r1_gamma=3, r2_gamma=5, lr=0.004, lr_D=0.008), batch()
    method.plan(Clock(100, images=500))
    method.set_rate(0.5)
    assert rates_and_betas(method) == [
        (pytest.approx(0.00125), (0, pytest.approx(0.945))),
        (pytest.approx(0.0025), (0, pytest.approx(0.945))),
    ]
    before = copy.deepcopy(method)
    found = method.step(x)
    wanted = (0.3 + 2.7 / 2) * r1(before.D, x["pictures"]).detach()
    torch.testing.assert_close(found["D_r1"], wanted)
    assert method.progress() == {"beta2": 0.945, "r1_gamma": 1.65, "r2_gamma": 2.75}


def test_what_a_log_line_tells_is_there_right_after_a_state_is_loaded():
    first, second = make(), make()
    first.plan(Clock(100, images=700))
    first.step(batch())
    second.load_training_state(copy.deepcopy(first.training_state()))
    assert second.progress() == first.progress() != make().progress()


def test_a_penalty_that_ends_at_zero_is_not_computed_any_more():
    method = make(r1_gamma=1, r1_gamma_end=0, r2_gamma=1)
    method.plan(Clock(100, images=1000))
    found = method.step(batch())
    assert "D_r1" not in found
    assert found["D_r2"] > 0


@pytest.mark.parametrize(
    ("size", "base"), [("16", (4, 4)), ("20x12", (3, 5)), ("48x80", (5, 3)), ("96", (3, 3))]
)
def test_any_small_size_doubled_trains_and_makes_pictures_of_its_size(size, base):
    method = make(size=size, widths="4")
    width, height = method.config.width_height
    assert method.G.basis.shape[1:] == method.D.basis.shape[1:] == base
    assert all(loss.isfinite() for loss in method.step(batch(2, (height, width))).values())
    assert method.generate_tensor([0, 1]).shape == (2, 3, height, width)


def test_classes_are_learnt_by_both_and_asked_for_by_name():
    method = make(conditional=True)
    losses = method.step(batch())
    assert all(loss.isfinite() for loss in losses.values())
    for label in (method.G.label, method.D.label):
        assert label is not None
        assert label.grad is not None
        assert label.grad.any()
    cat, dog = (method.generate_tensor([7], name) for name in ("cat", "dog"))
    assert not torch.equal(cat, dog)
    assert torch.equal(method.generate_tensor([6, 7])[1:], dog)  # seed 7 modulo 2 classes


def test_what_each_discriminator_is_told_of_labels_is_those_of_its_pictures():
    method, x = make(conditional=True, d_steps="1/2"), batch()
    before = copy.deepcopy(method)
    torch.manual_seed(1)
    found = method.step(x)
    torch.manual_seed(1)
    y = before.one_hot(x["labels"])
    margins = before.D(before.drawn(4, y), y) - before.D(x["pictures"], y)
    torch.testing.assert_close(found["G"], nn.functional.softplus(-margins).mean().detach())


@pytest.mark.parametrize(
    ("size", "widths", "wanted"),
    [
        ("32", "768,768,768,768", [768] * 4),
        ("256", "768,768,768,768", [768] * 4 + [384, 192, 96]),
        ("64", "8", [8, 4, 2, 1, 1]),
        ("16", " 8, 16,8 , 4,2", [8, 16, 8]),
    ],
)
def test_widths_go_on_by_halves(size, widths, wanted):
    config = Config.from_mapping({"size": size, "widths": widths})
    assert list(config.network_stages.widths) == wanted


@pytest.mark.parametrize(
    ("changes", "group"),
    [({}, 16), ({"cardinality": 96}, 16), ({"cardinality": 48}, 32), ({"widths": "40,20"}, 16)],
)
def test_groups_have_sixteen_channels_unless_their_number_is_given(changes, group):
    assert Config.from_mapping(changes).network_stages.group == group


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"widths": "8,many"}, "--widths 8,many: wants whole numbers above 0"),
        ({"widths": "8,0"}, "--widths 8,0: wants whole numbers above 0"),
        ({"widths": ""}, "--widths : wants whole numbers above 0"),
        ({"cardinality": 5}, "--cardinality 5: must divide 16, the most channels"),
        ({"cardinality": 0}, "--cardinality 0: must be at least 1"),
        ({"n_blocks": 0}, "--n-blocks 0: must be at least 1"),
        ({"expansion": 0}, "--expansion 0: must be at least 1"),
        ({"nz": 0}, "--nz 0: must be at least 1"),
        ({"beta1": 1}, "--beta1 1: must be from 0 to below 1"),
        ({"size": "31"}, "--size 31: wants a small size doubled again and again"),
        ({"size": "32x4"}, "--size 32x4: wants a small size doubled again and again"),
    ],
)
def test_networks_that_cannot_be_are_refused(changes, told):
    with pytest.raises(InputError, match=f"^{told}"):
        Config.from_mapping(SMALL | changes)


def test_training_brings_generated_pictures_towards_the_real_ones():
    """All real pictures are of one colour, and so are those that are generated in the end."""
    method = make(
        ema=None, size="12", widths="8,8", lr=0.003, r1_gamma=1, r2_gamma=1, duration="150it"
    )
    colour = torch.tensor([0.6, -0.4, 0.1])[:, None, None]
    x = {"pictures": colour.expand(8, 3, 12, 12)}
    far = (method.generate_tensor(range(8)) - colour).abs().mean().item()
    losses = {}
    for n in range(150):
        torch.manual_seed(n)
        method.plan(Clock(100, images=8 * n, iterations=n))
        method.set_rate(1)
        losses = method.step(x)
    assert all(math.isfinite(loss) for loss in losses.values())
    assert (method.generate_tensor(range(8)) - colour).abs().mean().item() < far / 4


def test_the_average_follows_the_schedule_and_nothing_else():
    with pytest.raises(InputError, match=r"^--ema-rampup 0.05: is without effect"):
        Config.from_mapping({"ema_rampup": 0.05})
