"""The segmentation score of translators whose answers are known."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from farms import FARM, QUICK, SIDE, Painter, farm, labels_of, pairs_of_farms, photo_of, write_farms
from PIL import Image

from ganvas.errors import InputError
from ganvas.evaluation.palette import Palette
from ganvas.evaluation.segmentation.learning import TrainedNetwork, network_for
from ganvas.evaluation.segmentation.scores import SegmentationScorer, segmentation_scores
from ganvas.scales import Scale

MEASURES = ("pixel_accuracy", "class_accuracy", "class_iou")


@pytest.fixture(scope="module")
def trained(farms: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedNetwork:
    return network_for(pairs_of_farms(farms), QUICK, cache=tmp_path_factory.mktemp("networks"))


def noise(picture: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, picture.shape)


def swapped(function: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda picture: function(picture)[:, :, ::-1]


def test_photos_painted_from_labels_score_near_the_real_ones(farms: Path, trained: TrainedNetwork):
    found = segmentation_scores(Painter(photo_of), str(farms), "BtoA", network=trained)
    assert found["pixel_accuracy"] > 0.9
    assert all(found[name] > found["upper_bound"][name] - 0.05 for name in MEASURES)


def test_copies_of_labels_and_noise_score_low(farms: Path, trained: TrainedNetwork):
    good = segmentation_scores(Painter(photo_of), str(farms), "BtoA", network=trained)
    for function in (noise, lambda labels: labels // 8 + 100):
        bad = segmentation_scores(Painter(function), str(farms), "BtoA", network=trained)
        assert bad["class_iou"] < good["class_iou"] / 2
        assert bad["upper_bound"] == good["upper_bound"]


def test_labels_made_from_photos_are_scored_by_the_nearest_colour(farms: Path):
    found = segmentation_scores(Painter(labels_of), str(farms), "AtoB")
    assert found["pixel_accuracy"] > 0.9
    assert found["upper_bound"] == {"pixel_accuracy": 1, "class_accuracy": 1, "class_iou": 1}
    assert found["chance"]["pixel_accuracy"] < 0.8
    assert found["provenance"]["judge"] == "nearest class colour"
    assert found["provenance"]["network"] is None


def test_true_labels_score_one_and_those_with_red_and_blue_exchanged_do_not(farms: Path):
    pairs = pairs_of_farms(farms)
    scorer = SegmentationScorer(pairs)
    truths = [test.label for test in scorer.tests]
    assert scorer.scores_of(truths, "AtoB")["class_iou"] == 1
    exchanged = scorer.scores_of([truth.flip(0) for truth in truths], "AtoB")
    assert exchanged["class_iou"] < 0.5
    translated = scorer.scores(Painter(swapped(labels_of)), "AtoB")
    assert translated["class_iou"] < scorer.scores(Painter(labels_of), "AtoB")["class_iou"] / 2


def test_a_score_says_where_it_is_from(farms: Path, trained: TrainedNetwork):
    found = segmentation_scores(Painter(photo_of), str(farms), "BtoA", network=trained)
    source = found["provenance"]
    assert source["task"] == "labels -> photo"
    assert (source["part"], source["pictures"], source["compared_at"]) == ("test", 8, "32x32")
    assert source["judge"] == trained.told
    assert source["network"]["hash"] == trained.hash
    assert source["palette"]["colours"] == [list(c) for c in pairs_of_farms(farms).palette.colours]
    assert found["notes"] == ["8 test pairs are few: the scores are rough"]
    assert json.loads(json.dumps(found)) == found


def test_the_classes_are_scored_one_by_one(farms: Path, tmp_path: Path):
    palette = Palette((*FARM.colours, (255, 255, 255)), (*FARM.names, "snow"))
    blind = Painter(lambda photo: np.full_like(photo, 0) + np.array(FARM.colours[0], np.uint8))
    found = segmentation_scores(blind, str(farms), "AtoB", palette)
    assert list(found["per_class"]) == [*FARM.names, "snow"]
    assert found["per_class"]["field"]["accuracy"] == 1
    assert found["per_class"]["roof"]["accuracy"] == 0
    assert found["per_class"]["snow"] == {"accuracy": None, "iou": None, "pixels": 0}
    assert found["provenance"]["absent_classes"] == ["snow"]
    assert found["class_accuracy"] == pytest.approx(1 / 3)


def test_answers_are_judged_as_the_files_that_they_would_be(farms: Path):
    """Half a step off a value of 8 bits is that value."""
    scorer = SegmentationScorer(pairs_of_farms(farms))
    answers = [Scale(3).unit(t.label.permute(1, 2, 0).numpy()) + 0.4 / 127.5 for t in scorer.tests]
    assert scorer.scores_of(answers, "AtoB")["pixel_accuracy"] == 1


def test_the_network_can_be_trained_on_the_way(farms: Path):
    steps: list[tuple[str, float]] = []
    found = segmentation_scores(
        Painter(photo_of), str(farms), "BtoA", network=QUICK, watch=lambda *s: steps.append(s)
    )
    assert found["pixel_accuracy"] > 0.9
    told = [what for what, _ in steps]
    assert {"training the segmentation network", "translating", "judging"} <= set(told)
    assert all(0 <= part <= 1 for _, part in steps)


def test_pairs_that_are_none_are_said(tmp_path: Path):
    """Every photo stands beside the label map of another: the test pairs alone are right."""
    folder = write_farms(tmp_path / "set")
    files = sorted((folder / "train").iterdir())
    pictures = [np.asarray(Image.open(file)) for file in files]
    for file, photo, labels in zip(files, pictures, pictures[1:] + pictures[:1], strict=True):
        mixed = np.hstack([photo[:, :SIDE], labels[:, SIDE:]])
        Image.fromarray(mixed).save(file)
    found = segmentation_scores(Painter(photo_of), str(folder), "BtoA", network=QUICK)
    assert any("check that the training pairs are pairs" in note for note in found["notes"])


def test_photos_are_not_judged_without_a_network(farms: Path):
    with pytest.raises(InputError, match="a segmentation network; give one"):
        SegmentationScorer(pairs_of_farms(farms)).scores(Painter(photo_of), "BtoA")


def test_a_network_of_other_classes_is_refused(farms: Path, trained: TrainedNetwork):
    more = Palette((*FARM.colours, (255, 255, 255)))
    with pytest.raises(InputError, match=r"knows 3 classes .* here are 4"):
        segmentation_scores(Painter(photo_of), str(farms), "BtoA", more, trained)


def test_a_network_of_the_same_classes_in_other_colours_is_refused(
    farms: Path, trained: TrainedNetwork
):
    with pytest.raises(InputError, match="or of other colours; train one for these pairs"):
        segmentation_scores(
            Painter(photo_of), str(farms), "BtoA", Palette(FARM.colours[::-1]), trained
        )


def test_a_network_that_was_trained_at_another_size_is_said(farms: Path, trained: TrainedNetwork):
    larger = Painter(photo_of, size=64, load_size=64)
    found = segmentation_scores(larger, str(farms), "BtoA", network=trained)
    assert any("another size or preparation (32x32" in note for note in found["notes"])


def test_pictures_without_a_partner_are_said(farms: Path, tmp_path: Path):
    for part, names in (("trainA", "ab"), ("trainB", "a"), ("testA", "cd"), ("testB", "c")):
        (tmp_path / part).mkdir()
        for seed, name in enumerate(names):
            picture = farm(seed)[part[-1] == "A"]
            Image.fromarray(picture).save(tmp_path / part / f"{name}.png")
    notes = segmentation_scores(Painter(labels_of), str(tmp_path), "AtoB")["notes"]
    assert "not learnt from: trainA/b.png: no picture in trainB has that name" in notes
    assert "not scored: testA/d.png: no picture in testB has that name" in notes


def test_a_direction_that_is_none_is_refused(farms: Path):
    with pytest.raises(InputError, match="must be AtoB or BtoA"):
        SegmentationScorer(pairs_of_farms(farms)).scores(Painter(photo_of), "AtoA")  # pyright: ignore


def test_grey_answers_have_no_classes_of_colour(farms: Path):
    painter = Painter(labels_of)
    painter.scales["B"] = Scale(1)
    with pytest.raises(InputError, match="B, the label maps, as uint8 with 1 channel"):
        segmentation_scores(painter, str(farms), "AtoB")
