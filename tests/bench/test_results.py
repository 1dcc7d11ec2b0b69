"""Values of runs in tables: mean and spread over seeds, what may be compared, whose order it is."""

from pathlib import Path
from typing import Any

import pytest
from measured import write_metrics

from ganvas.bench.jobs import jobs_of
from ganvas.bench.markdown import markdown
from ganvas.bench.plan import Plan
from ganvas.bench.reading import plan_of
from ganvas.bench.results import Found, Scores

ROWS = {
    "Ours": {"method": "cyclegan"},
    "Theirs": {"method": "bigan"},
    "Old": {"method": "discogan"},
}


def row(value: float, key: str = "pixel-accuracy", direction: str = "AtoB", **more: Any) -> dict:
    origin = {"split": "test", "real": 50, "fake": 50, "data": {"fingerprint": "abc"}}
    origin |= more.pop("provenance", {})
    return {
        "date": "2026-01-01T00:00:00+0000",
        "images": 100,
        "key": key,
        "metric": key,
        "value": value,
        "better": "higher",
        "direction": direction,
        "details": {},
        "notes": [],
        "provenance": origin,
    } | more


def plan(**changes: Any) -> Plan:
    given: dict[str, Any] = {"data": "sample:streets", "rows": ROWS, "metrics": ["pixel-accuracy"]}
    return plan_of(given | {"seeds": 2} | changes, "own.yaml")


def scores(of: Plan, place: Path, rows: dict[str, list[dict]]) -> Scores:
    """Of runs that have these lines in their metrics.jsonl."""
    runs = {}
    for name, lines in rows.items():
        runs[name] = place / name
        runs[name].mkdir(parents=True)
        write_metrics(runs[name], *lines)
    return Scores.read(of, jobs_of(of, {}), runs)


def only_table(found: Scores) -> Found:
    (table,) = found.tables()
    return table


def test_a_cell_has_the_mean_over_seeds_and_their_spread(tmp_path: Path):
    of = plan()
    values = {"ours-seed0": 0.5, "ours-seed1": 0.7, "theirs-seed0": 0.4}
    found = only_table(scores(of, tmp_path, {name: [row(v)] for name, v in values.items()}))
    (ours,), (theirs,), (old,) = (found.cells[name] for name in ROWS)
    assert (ours.mean, ours.spread) == (pytest.approx(0.6), pytest.approx(0.1414, abs=1e-4))
    assert ours.shown() == "0.60 ± 0.14"
    assert theirs.shown() == "0.4 (n = 1)"
    assert (old.mean, old.shown()) == (None, "–")
    assert found.direction == "AtoB"


def test_the_newest_evaluation_of_the_finished_training_counts(tmp_path: Path):
    lines = [
        row(0.1),
        row(0.9, date="2026-01-03T00:00:00+0000", provenance={"when": "training"}),
        row(0.3, date="2026-01-02T00:00:00+0000"),
    ]
    found = only_table(scores(plan(seeds=1), tmp_path, {"ours-seed0": lines}))
    assert found.cells["Ours"][0].mean == 0.3


def test_values_found_in_another_way_are_marked_and_win_nothing(tmp_path: Path):
    other: dict[str, Any] = {"provenance": {"data": {"fingerprint": "other"}}}
    rows = {"ours-seed0": [row(0.5)], "theirs-seed0": [row(0.6)], "old-seed0": [row(0.9, **other)]}
    found = scores(plan(seeds=1), tmp_path, rows)
    table = only_table(found)
    assert [table.cells[name][0].comparable for name in ROWS] == [True, True, False]
    text = markdown(found, [table], {})
    assert "| Old | 0.9 ‡ |" in text
    assert "pixel-accuracy: ‡ was found in another way" in text


def test_what_an_earlier_snapshot_scores_later_is_not_the_rows(tmp_path: Path):
    lines = [
        row(0.3),
        row(0.9, images=50, date="2026-01-02T00:00:00+0000", provenance={"real": 20}),
    ]
    found = only_table(scores(plan(seeds=1), tmp_path, {"ours-seed0": lines}))
    assert found.cells["Ours"][0].mean == 0.3


def test_seeds_that_agree_have_a_spread_of_nothing(tmp_path: Path):
    rows = {"ours-seed0": [row(0.5)], "ours-seed1": [row(0.5)]}
    found = only_table(scores(plan(), tmp_path, rows))
    assert found.cells["Ours"][0].shown() == "0.5 ± 0"


def test_a_table_that_names_no_direction_is_there_for_each(tmp_path: Path):
    lines = [row(0.5), row(0.6, direction="BtoA")]
    of = plan(seeds=1, tables=[{"title": "T"}])
    found = scores(of, tmp_path, {"ours-seed0": lines}).tables()
    assert [(t.table.title, t.direction, t.cells["Ours"][0].mean) for t in found] == [
        ("T, AtoB", "AtoB", 0.5), ("T, BtoA", "BtoA", 0.6)
    ]  # fmt: skip


def test_names_break_no_table(tmp_path: Path):
    of = plan(seeds=1, rows={"a|b\nc": {"method": "cyclegan"}})
    found = scores(of, tmp_path, {"a-b-c-seed0": [row(0.5)]})
    assert "| a\\|b c | 0.5 |" in markdown(found, found.tables(), {})


@pytest.mark.parametrize(("labels", "direction"), [("A", "AtoB"), ("B", "BtoA")])
def test_directions_in_words_follow_from_which_side_the_label_maps_are(
    tmp_path: Path, labels: str, direction: str
):
    task: dict[str, Any] = {"provenance": {"task": "labels -> photo"}}
    back: dict[str, Any] = {"provenance": {"task": "photo -> labels"}}
    other = "BtoA" if direction == "AtoB" else "AtoB"
    lines = [row(0.5, direction=direction, **task), row(0.8, direction=other, **back)]
    tables = [{"direction": "labels-to-photo"}, {"direction": "photo-to-labels"}]
    found = scores(plan(seeds=1, tables=tables), tmp_path, {"ours-seed0": lines}).tables()
    assert [table.direction for table in found] == [direction, other]
    assert [table.cells["Ours"][0].mean for table in found] == [0.5, 0.8]
    of = plan(seeds=1, tables=tables, labels="B" if labels == "A" else "A")
    (tmp_path / "otherwise").mkdir()
    told = scores(of, tmp_path / "otherwise", {"ours-seed0": lines}).tables()
    assert [table.direction for table in told] == [direction, other]


def test_where_label_maps_are_is_not_guessed(tmp_path: Path):
    """Of the maps of pix2pix, the first domain are the photos."""
    tables = [{"title": "People", "direction": "labels-to-photo", "metrics": ["fooled"]}]
    rows = {"ours-seed0": [row(21.5, "fooled"), row(3, "fooled", "BtoA")]}
    (tmp_path / "said").mkdir()
    found = scores(plan(seeds=1, tables=tables), tmp_path, rows)
    assert "say `--labels A` or `--labels B`" in markdown(found, found.tables(), {})
    said = scores(plan(seeds=1, tables=tables, labels="B"), tmp_path / "said", rows)
    assert "| Ours | 3 |" in markdown(said, said.tables(), {})


def published(**values: Any) -> list[dict[str, Any]]:
    about = {"of": "Some set", "values": {k: [v] for k, v in values.items()}}
    return [{"title": "T", "direction": "AtoB", "published": about}]


def test_the_order_is_laid_beside_the_papers(tmp_path: Path):
    of = plan(tables=published(Ours=0.5, Theirs="0.3 ± 0.1", Old=0.4))
    rows = {
        "ours-seed0": [row(0.9)], "ours-seed1": [row(0.92)],
        "theirs-seed0": [row(0.7)], "theirs-seed1": [row(0.71)],
        "old-seed0": [row(0.2)], "old-seed1": [row(0.21)],
    }  # fmt: skip
    (sentence,) = only_table(scores(of, tmp_path, rows)).agreement
    assert sentence == (
        "pixel-accuracy: 2 of 3 pairs of rows stand as published, 1 the other way round: "
        "Theirs above Old"
    )


def test_differences_within_the_spread_agree_with_nobody(tmp_path: Path):
    of = plan(tables=published(Ours=0.5, Theirs=0.3))
    rows = {
        "ours-seed0": [row(0.5)], "ours-seed1": [row(0.6)],
        "theirs-seed0": [row(0.55)], "theirs-seed1": [row(0.7)],
    }  # fmt: skip
    (sentence,) = only_table(scores(of, tmp_path, rows)).agreement
    assert sentence == (
        "pixel-accuracy: 0 of 1 pairs of rows stand as published, 1 within their spreads"
    )


def test_values_that_may_not_be_compared_are_in_no_order(tmp_path: Path):
    of = plan(seeds=1, tables=published(Ours=0.5, Theirs=0.3, Old=0.4))
    other: dict[str, Any] = {"provenance": {"data": {"fingerprint": "other"}}}
    rows = {"ours-seed0": [row(0.9)], "theirs-seed0": [row(0.7)], "old-seed0": [row(0.2, **other)]}
    (sentence,) = only_table(scores(of, tmp_path, rows)).agreement
    assert sentence == (
        "pixel-accuracy: 1 of 1 pairs of rows stand as published "
        "(of one seed each: nothing says how far chance goes)"
    )


def test_where_lower_is_better_the_order_is_turned(tmp_path: Path):
    of = plan(seeds=1, metrics=["kd"], tables=published(Ours=1, Theirs=2))
    rows = {"ours-seed0": [row(3, "kd", better="lower")]}
    rows["theirs-seed0"] = [row(5, "kd", better="lower")]
    (sentence,) = only_table(scores(of, tmp_path, rows)).agreement
    assert sentence.startswith("kd: 1 of 1 pairs of rows stand as published")


def test_what_real_answers_score_stands_below(tmp_path: Path):
    lines = [row(0.5, details={"upper bound": 0.9, "chance": 0.4})]
    found = scores(plan(seeds=1), tmp_path, {"ours-seed0": lines})
    text = markdown(found, found.tables(), {"old-seed0": "it broke"})
    assert "| *Real answers* | 0.9 |" in text
    assert "| *Real answers to other inputs* | 0.4 |" in text
    assert "- old-seed0: it broke" in text


def test_a_table_of_studies_is_filled_where_they_were_held(tmp_path: Path):
    tables = [{"title": "People", "direction": "AtoB", "metrics": ["fooled"]}]
    of = plan(seeds=1, tables=tables)
    assert of.computed == ("pixel-accuracy",)
    without = scores(of, tmp_path, {"theirs-seed0": [row(0.5)]})
    assert "No study was held yet: `ganvas study RUN`" in markdown(without, without.tables(), {})
    held = scores(of, tmp_path, {"ours-seed0": [row(21.5, "fooled")]})
    assert "| Ours | 21.5 |" in markdown(held, held.tables(), {})
    people = row(21.5, "fooled", low=15.0, high=30.0)
    counted = scores(of, tmp_path / "people", {"ours-seed0": [people]})
    assert "| Ours | 21.5 (15 to 30) |" in markdown(counted, counted.tables(), {})
