"""Lines of losses as existing scripts parse them."""

import re

from ganvas.clock import Clock, Duration
from ganvas.runs.lines import LINES, Place

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
