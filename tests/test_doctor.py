"""Ill trainings are recognised by their numbers and pictures, healthy ones are left in peace."""

from dataclasses import fields
from typing import Any

import pytest
import torch

from ganvas.config import option_name
from ganvas.doctor import (
    INFANCY,
    diagnose_numbers,
    diagnose_pictures,
    options_in,
    remember,
    row_of,
    variety_of,
)
from ganvas.losses.objectives import OBJECTIVES
from ganvas.methods import METHODS, method_class

Tensor = torch.Tensor


def settings(method: str = "dcgan", **changes: Any):
    return method_class(method).Config(**changes)


# Numbers


def rows(real: float, fake: float, order: float, count: int = 3, **more: Any) -> list[dict]:
    """Log lines, 50 steps apart, in all of which a discriminator D has these scores."""
    found: list[dict] = []
    for i in range(1, count + 1):
        vitals = {"D real": real, "D fake": fake, "D order": order}
        own = {"young": False, "skipped": 0, "skipped_at": {}} | more
        found = remember(found, row_of(vitals, 50 * i, **own))
    return found


WON = {
    "lsgan": (1.0, 0.0),
    "vanilla": (8.0, -8.0),
    "vanilla-saturating": (6.0, -6.0),
    "logistic": (8.0, -8.0),
    "logistic-saturating": (6.0, -6.0),
    "rpgan": (14.0, 4.0),
}
BUSY = {
    "lsgan": (0.97, 0.02),
    "vanilla": (6.5, -6.0),
    "vanilla-saturating": (3.0, -3.0),
    "logistic": (6.5, -6.0),
    "logistic-saturating": (3.0, -3.0),
    "hinge": (1.7, -1.7),
    "rpgan": (4.0, -1.5),
    "wgan": (3.0, -3.0),
}
"""Scores of healthy trainings when their discriminators were most sure."""


@pytest.mark.parametrize("objective", WON)
def test_a_discriminator_that_is_quite_sure_wins(objective: str):
    (sentence,) = diagnose_numbers(rows(*WON[objective], 1.0), settings(objective=objective))
    assert sentence.startswith("D wins: it scores real pictures above generated ones in 100 %")


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_one_that_tells_all_apart_but_by_less_is_healthy(objective: str):
    assert diagnose_numbers(rows(*BUSY[objective], 1.0), settings(objective=objective)) == []


def test_with_hinge_one_that_has_nothing_left_to_learn_wins():
    idle = [r | {"D gradient": 0.02, "G gradient": 30.0} for r in rows(1.9, -1.9, 1.0)]
    assert "wins" in diagnose_numbers(idle, settings(objective="hinge"))[0]
    busy = [r | {"D gradient": 1.2, "D real": 3.0, "D fake": -3.0} for r in idle]
    assert diagnose_numbers(busy, settings(objective="hinge")) == []
    assert diagnose_numbers(idle, settings(objective="vanilla")) == []


def test_one_that_is_wrong_now_and_then_has_not_won():
    assert diagnose_numbers(rows(9.0, -9.0, 0.99), settings()) == []


def test_what_is_sure_goes_by_the_labels():
    smooth = settings(real_label=0.9)
    assert "wins" in diagnose_numbers(rows(2.2, -7.5, 1.0), smooth)[0]
    assert diagnose_numbers(rows(1.5, -5.0, 1.0), smooth) == []
    wide = settings(objective="lsgan", real_label=2.0, fake_label=-2.0)
    assert diagnose_numbers(rows(1.0, 0.0, 1.0), wide) == []
    assert "wins" in diagnose_numbers(rows(2.0, -2.0, 1.0), wide)[0]


def test_with_wgan_only_scores_that_run_away_are_said():
    (sentence,) = diagnose_numbers(rows(99.0, -99.0, 1.0), settings(objective="wgan"))
    assert sentence.startswith("D runs away: it scores real pictures 198 above generated ones")
    assert sentence.endswith("try --gp 10 with --norm-D layer or --clip 0.01")
    low = settings(objective="wgan", gp=0.001, norm_D="layer")
    assert diagnose_numbers(rows(99.0, -99.0, 1.0), low)[0].endswith("try --gp 10 or --clip 0.01")


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_discriminator_that_is_fooled_loses(objective: str):
    (sentence,) = diagnose_numbers(rows(0.1, 0.6, 0.04), settings(objective=objective))
    assert sentence.startswith("D loses: it scores real pictures above generated ones in only 4 %")


@pytest.mark.parametrize("order", [0.45, 0.5, 0.6, 0.9])
def test_one_that_guesses_may_be_at_the_end_of_training(order: float):
    assert diagnose_numbers(rows(0.5, 0.5, order), settings()) == []


def test_scores_must_stay_so_for_lines_and_steps():
    assert diagnose_numbers(rows(8.0, -8.0, 1.0, count=2), settings()) == []
    mended = remember(rows(8.0, -8.0, 1.0), rows(1.0, -1.0, 0.9)[0] | {"iterations": 200})
    assert diagnose_numbers(mended, settings()) == []
    every_step = []
    for i in range(1, 151):
        every_step = remember(every_step, rows(8.0, -8.0, 1.0)[0] | {"iterations": i})
        assert bool(diagnose_numbers(every_step, settings())) == (i > 100)
    assert len(every_step) == 101


def test_a_young_training_is_left_in_peace():
    assert diagnose_numbers(rows(8.0, -8.0, 1.0, young=True), settings()) == []


def test_each_discriminator_is_looked_at():
    both = [r | {"D_A real": 1.0, "D_A fake": 0.0, "D_A order": 1.0} for r in rows(0, 1, 0.0)]
    first, second = diagnose_numbers(both, settings("cyclegan"))
    assert first.startswith("D loses")
    assert second.startswith("D_A wins")


@pytest.mark.parametrize("score", [float("nan"), None])
def test_scores_that_are_not_there_say_nothing(score: float | None):
    last = rows(8.0, -8.0, 1.0)
    last[1] = {k: v for k, v in last[1].items() if k != "D order"}
    last[1] |= {} if score is None else {"D order": score}
    assert diagnose_numbers(last, settings()) == []


def test_skipped_steps_are_said_once_even_of_a_young_training():
    good = rows(0.0, 0.0, 0.5, count=1, young=True)
    bad = good[-1] | {"iterations": 100, "skipped": 3, "skipped_at": {"D": 87}}
    (sentence,) = diagnose_numbers(remember(good, bad), settings())
    assert sentence.startswith(
        "3 steps were skipped since the last log line: gradients of D (last in step 87) were not "
        "finite; if this goes on, try a lower --lr"
    )
    after = remember([*good, bad], bad | {"iterations": 150})
    assert diagnose_numbers(after, settings()) == []


def test_skipped_steps_of_both_players_and_in_the_first_line():
    first = rows(0.0, 0.0, 0.5, count=1, skipped=2, skipped_at={"G": 7, "D": 7})
    (sentence,) = diagnose_numbers(first, settings(precision="bf16"))
    assert "gradients of G (last in step 7) and of D (last in step 7)" in sentence
    assert "try --precision fp32" in sentence


# Pictures made from noise


def pictures(seed: int, count: int = 4, channels: int = 3) -> Tensor:
    shape = (count, channels, 16, 16)
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def from_noise(fake: Tensor) -> dict[str, Tensor]:
    labels = torch.zeros(64, dtype=torch.long)
    return {"fake": fake, "real_pictures": pictures(1, 64), "real_labels": labels}


def said_of_noise(fake: Tensor, images: int = INFANCY, most: float = 0.0) -> list[str]:
    return diagnose_pictures(from_noise(fake), settings(), images, most)


def test_as_much_variety_as_real_pictures_have_is_healthy():
    assert said_of_noise(0.5 * pictures(2, 64)) == []
    assert variety_of(from_noise(0.5 * pictures(2, 64))) == pytest.approx(0.5, abs=0.02)


def test_pictures_that_are_all_alike_are_a_collapse_once_there_was_time_to_learn():
    alike = pictures(2, 1) * 0.9 + pictures(3, 64) * 0.05
    (sentence,) = said_of_noise(alike)
    assert sentence.startswith("generated pictures are all nearly the same: they have 5 % of")
    assert said_of_noise(alike, images=INFANCY - 1) == []


def test_a_dead_generator_is_said_soon():
    same = pictures(2, 1).expand(64, -1, -1, -1)
    (sentence,) = said_of_noise(same, images=100 * settings().batch_size)
    assert sentence.startswith("generated pictures are all nearly the same: they have 0 % of")
    assert said_of_noise(same, images=99 * settings().batch_size) == []


def test_lost_variety_is_a_collapse_at_any_time():
    less = pictures(2, 64) * 0.3
    (sentence,) = said_of_noise(less, images=5000, most=0.8)
    assert sentence.startswith("generated pictures have lost their variety: 30 % of what real")
    assert said_of_noise(less, images=5000, most=0.35) == []
    assert said_of_noise(pictures(2, 64) * 0.45, images=5000, most=0.8) == []


def test_near_duplicates_are_a_partial_collapse():
    few = pictures(2, 8).repeat_interleave(8, 0) + pictures(3, 64) * 0.01
    (sentence,) = said_of_noise(few, images=5000)
    assert sentence.startswith("100 % of the generated pictures are nearly the same as another")
    some = torch.cat([few[:8], pictures(4, 56)])
    assert said_of_noise(some, images=5000) == []


def test_duplicates_are_no_wonder_where_real_pictures_have_as_many():
    seen = from_noise(pictures(2, 8).repeat_interleave(8, 0))
    seen["real_pictures"] = torch.cat([pictures(3, 31), pictures(4, 11).repeat_interleave(3, 0)])
    assert diagnose_pictures(seen | {"fake": seen["real_pictures"]}, settings(), 5000) == []


def test_so_few_latent_numbers_that_pictures_must_repeat_are_named():
    seen = from_noise(pictures(2, 8).repeat_interleave(8, 0))
    (sentence,) = diagnose_pictures(seen, settings(nz=1), 5000)
    assert "try --nz 100 (now 1)" in sentence


def test_too_few_or_flat_real_pictures_say_nothing():
    flat = from_noise(pictures(2, 64)) | {"real_pictures": torch.zeros(64, 3, 16, 16)}
    assert diagnose_pictures(flat, settings(), INFANCY) == []
    few = {"fake": pictures(2, 1), "real_pictures": pictures(1, 1)}
    assert diagnose_pictures(few, settings(), INFANCY) == []


# Translations


def preview(fake: Tensor) -> dict[str, Tensor]:
    return {"real_A": pictures(0), "fake_B": fake, "rec_A": pictures(0), "real_B": pictures(1)}


def said_of_translations(seen: dict[str, Tensor], **changes: Any) -> list[str]:
    return diagnose_pictures(seen, settings("cyclegan", **changes), 5000)


def test_translations_that_resemble_their_inputs_a_little_are_healthy():
    assert said_of_translations(preview(0.4 * pictures(0) + 0.6 * pictures(2))) == []


def test_one_picture_for_all_inputs_is_a_collapse():
    (sentence,) = said_of_translations(preview(pictures(2)[:1].expand(4, -1, -1, -1)))
    assert sentence.startswith("A -> B: all inputs give nearly the same picture (0 %")


def test_inputs_that_hardly_differ_may_give_translations_that_hardly_do():
    seen = preview(pictures(2)[:1] + 0.01 * pictures(3))
    seen["real_A"] = pictures(4)[:1] + 0.01 * pictures(5)
    assert said_of_translations(seen) == []


def test_negatives_are_an_inversion():
    (sentence,) = said_of_translations(preview(-0.9 * pictures(0)))
    assert "changed places" in sentence
    assert "try another --seed or a larger --lambda-identity (now 0.5)" in sentence


def test_dark_translations_of_bright_pictures_are_no_inversion():
    bright, dark = 0.5 + 0.2 * pictures(0), -0.5 + 0.2 * pictures(0)
    assert said_of_translations(preview(dark) | {"real_A": bright}) == []


def test_copies_are_said():
    (sentence,) = said_of_translations(preview(pictures(0) * 0.99))
    assert "copies of their inputs" in sentence
    assert "a lower --lambda-identity (now 0.5)" in sentence
    (sentence,) = said_of_translations(preview(pictures(0) * 0.99), lambda_identity=0)
    assert "--lambda-identity" not in sentence


def test_other_colours_of_the_same_brightness_are_no_copies():
    assert said_of_translations(preview(pictures(0)[:, [1, 2, 0]])) == []


def test_grey_translations_of_colour_are_compared_by_brightness():
    grey = pictures(0).mean(1, keepdim=True)
    seen = preview(-grey) | {"real_B": pictures(1, channels=1)}
    (sentence,) = said_of_translations(seen)
    assert "changed places" in sentence
    assert "--lambda-identity" not in sentence


def test_of_pairs_that_are_negatives_or_copies_good_translations_are_so_too():
    for sign in (1, -1):
        seen = preview(0.99 * sign * pictures(0)) | {"real_B": sign * pictures(0)}
        assert said_of_translations(seen) == []


def test_both_directions_are_looked_at():
    both = preview(pictures(2)) | {"real_B": pictures(1), "fake_A": -pictures(1)}
    (sentence,) = said_of_translations(both)
    assert sentence.startswith("B -> A")


def test_two_pictures_are_too_few_to_judge():
    few = {name: p[:2] for name, p in preview(pictures(0)).items()}
    assert said_of_translations(few) == []


# What to try


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("method", METHODS)
def test_only_options_that_the_method_has_are_named(method: str, objective: str):
    able = {option_name(field.name) for field in fields(method_class(method).Config)}
    for changes in ({}, {"d_steps": "5", "lr_D": 0.1}, {"d_steps": "1/5", "lr_D": 0.1}):
        config = settings(method, objective=objective, **changes)
        idle = {"D gradient": 0.0, "G gradient": 1.0}
        won = [row | idle for row in rows(999.0, -999.0, 1.0, skipped_at={"D": 150})]
        said = diagnose_numbers(won, config)
        said += diagnose_numbers(rows(0.0, 1.0, 0.0), config)
        for fake in (pictures(0), -pictures(0), pictures(1)[:1].expand(4, -1, -1, -1)):
            said += diagnose_pictures(preview(fake), config, 5000)
        said += diagnose_pictures(from_noise(0.1 * pictures(2, 64)), config, 5000, most=0.9)
        assert len(said) == 7
        assert all("try " in sentence for sentence in said)
        assert able.issuperset(option for sentence in said for option in options_in(sentence))


def test_learning_rates_that_differ_the_wrong_way_are_to_be_equal():
    (sentence,) = diagnose_numbers(rows(0.0, 1.0, 0.0), settings(lr=0.002, lr_D=1e-6))
    assert sentence.endswith("try --d-steps 2 or equal --lr and --lr-D (now 0.002 and 1e-06)")
    (sentence,) = diagnose_numbers(rows(9.0, -9.0, 1.0), settings(r1_gamma=10, d_steps=5))
    assert sentence.endswith("try --d-steps 1 or --lr-D 5e-05 (now 0.0002)")
