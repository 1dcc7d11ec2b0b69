"""Ill trainings are recognised by their pictures, healthy ones are left in peace."""

import torch

from ganvas.doctor import diagnose


def pictures(seed: int) -> torch.Tensor:
    return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def preview(fake: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"real_A": pictures(0), "fake_B": fake, "rec_A": pictures(0), "real_B": pictures(1)}


def test_translations_that_resemble_their_inputs_a_little_are_healthy():
    assert diagnose(preview(0.4 * pictures(0) + 0.6 * pictures(2))) == []


def test_one_picture_for_all_inputs_is_a_collapse():
    (sentence,) = diagnose(preview(pictures(2)[:1].expand(4, -1, -1, -1)))
    assert sentence.startswith("A -> B: all inputs give nearly the same picture")


def test_negatives_are_an_inversion():
    (sentence,) = diagnose(preview(-0.9 * pictures(0)))
    assert "changed places" in sentence


def test_copies_are_said():
    (sentence,) = diagnose(preview(pictures(0) * 0.99))
    assert "copies of their inputs" in sentence


def test_both_directions_are_looked_at():
    both = preview(pictures(2)) | {"real_B": pictures(1), "fake_A": -pictures(1)}
    (sentence,) = diagnose(both)
    assert sentence.startswith("B -> A")


def test_two_pictures_are_too_few_to_judge():
    few = {name: p[:2] for name, p in preview(pictures(0)).items()}
    assert diagnose(few) == []
