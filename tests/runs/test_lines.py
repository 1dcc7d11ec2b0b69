"""Lines of losses as existing scripts parse them."""

import re

import pytest

from ganvas.clock import Clock, Duration
from ganvas.runs.lines import LINES, Place, spoken

TUTORIAL = re.compile(
    r"\[(\d+)/(\d+|\?)\]\[(\d+)/(\d+)\]\tLoss_D: (\S+)\tLoss_G: (\S+)\tD\(x\): (\S+)\t"
    r"D\(G\(z\)\): (\S+) / (\S+)(\t|$)"
)


def entry(**losses: float) -> dict:
    return {"losses": losses, "time": {"step_seconds": 0.5, "data_share": 0.0}}


def test_the_tutorials_line():
    losses = {"D": 2.0937, "D(x)": 0.5704, "D(G(z))_1": 0.668, "G": 5.2059, "D(G(z))_2": 0.009}
    place = Place.of(Clock(202_599, images=128, iterations=1), 128, Duration(5, "ep"))
    line = LINES["dcgan"](entry(**losses), place)
    wanted = "[0/5][0/1583]\tLoss_D: 2.0937\tLoss_G: 5.2059\tD(x): 0.5704\tD(G(z)): 0.6680 / 0.0090"
    assert line == wanted


def test_a_player_that_stood_still_and_penalties_leave_the_line_parseable():
    place = Place.of(Clock(100, images=150, iterations=3), 50, Duration(2, "min"))
    line = LINES["dcgan"](entry(**{"D": 1.0, "D_gp": 0.25, "D(x)": 0.5, "D(G(z))_1": 0.5}), place)
    found = TUTORIAL.match(line)
    assert found is not None
    assert found[2] == "?"
    assert found[6] == "-"
    assert line.endswith("D_gp: 0.2500")


def test_epochs_and_batches_are_counted_through():
    clock, places = Clock(5), []
    for _ in range(6):
        clock.tick(2)
        places.append(Place.of(clock, 2, Duration(6, "it")))
    seen = [(place.epoch, place.batch, place.images) for place in places]
    # 2, 4, 6, 8, 10, 12 pictures of epochs of five
    assert seen == [(1, 1, 2), (1, 2, 4), (2, 1, 1), (2, 2, 3), (2, 3, 5), (3, 1, 2)]
    assert {(place.epochs, place.batches) for place in places} == {(3, 3)}


def test_scores_that_are_no_probabilities_are_left_out():
    place = Place.of(Clock(100, images=50, iterations=1), 50, Duration(2, "ep"))
    line = LINES["dcgan"](entry(D=-1.0, G=2.0, D_gp=0.5), place)
    assert line == "[0/2][0/2]\tLoss_D: -1.0000\tLoss_G: 2.0000\tD_gp: 0.5000"


def test_the_tick_line():
    told: dict = {
        "tick": 12,
        "images": 1_560_200,
        "lod": 1.7,
        "batch_size": 64,
        "losses": {"D": 1.25, "G": 0.5},
        "time": {
            "seconds": 97_385.0,
            "pictures_per_second": 20.0,
            "busy": 6000.0,
            "maintenance": 12.34,
            "memory": 4.25,
        },
    }
    place = Place.of(Clock(100, images=1_560_200, iterations=9), 64, Duration(5, "kimg"))
    words = LINES["stylegan"](told, place).split()
    wanted = "tick 12 kimg 1560.2 lod 1.70 minibatch 64 time 1d 03h 03m sec/tick 6000.0 "
    wanted += "sec/kimg 50.00 maintenance 12.3 gpumem 4.2 D 1.250 G 0.500"
    assert words == wanted.split()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5.4, "5s"), (64, "1m 04s"), (3723, "1h 02m 03s"), (93_784, "1d 02h 03m")],
)
def test_time_as_the_tick_line_says_it(seconds, text):
    assert spoken(seconds) == text
