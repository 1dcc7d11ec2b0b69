"""Meters: means of what was there, wherever it was computed."""

import torch

from ganvas.runs.log import Meter


def test_a_mean_is_over_the_steps_that_had_the_scalar():
    meter = Meter()
    for step in range(4):
        scalars = {"D": torch.tensor(float(step))}
        meter.add(scalars | ({"G": torch.tensor(1.0)} if step == 3 else {}))
    assert meter.means() == {"D": 1.5, "G": 1.0}
    meter.clear()
    assert meter.means() == {}


def test_sums_that_were_saved_go_where_the_next_scalars_come_from():
    meter = Meter({"D_r1": torch.tensor(1.0)}, {"D_r1": 1}).to(torch.device("meta"))
    meter.add({"D": torch.zeros((), device="meta")})
    assert {total.device.type for total in meter.sums.values()} == {"meta"}
