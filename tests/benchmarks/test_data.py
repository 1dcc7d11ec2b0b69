"""Both sides of the data benches make the same float batch of a picture."""

import random

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.data import transformed
from ganvas.data.prepare import Preparation
from ganvas.pictures import from_pil, to_unit


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_reference_s_transforms_give_what_a_training_is_given(monkeypatch, mirrored):
    values = np.random.default_rng(0).integers(0, 256, (300, 280, 3), np.uint8)
    monkeypatch.setattr(random, "randrange", lambda stop: stop // 2)
    monkeypatch.setattr(random, "random", lambda: 0.25 if mirrored else 0.75)
    image = Image.fromarray(values)
    whole = Preparation("resize_and_crop", (256, 256), (286, 286), 4).training(from_pil(image), 3)
    ours = to_unit(torch.from_numpy(whole[15:271, 15:271].transpose(2, 0, 1).copy()))
    torch.testing.assert_close(
        transformed(image), ours.flip(2) if mirrored else ours, rtol=0, atol=1e-6
    )
