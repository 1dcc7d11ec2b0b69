import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from measured import metric_row, write_metrics

from ganvas.runs.evaluations import Series, differences, names_within, read_series, with_error


def series_of(folder: Path, *rows: dict[str, Any]) -> list[Series]:
    write_metrics(folder, *rows)
    return read_series(folder / "metrics.jsonl", [])


def test_values_found_in_one_way_are_one_series_by_the_clock(tmp_path: Path) -> None:
    (series,) = series_of(tmp_path, metric_row(9, 2000), metric_row(5, 1000), metric_row(7, 3000))
    assert list(series.points) == [1000, 2000, 3000]
    assert series.last.value == 7
    assert series.best is not None
    assert (series.best.value, series.best.images) == (5, 1000)


@pytest.mark.parametrize(
    "change",
    [
        {"metric": "FD-own@99999999"},
        {"direction": "AtoB"},
        {"split": "train"},
        {"real": 100},
        {"fake": 100},
        {"weights": "as trained"},
        {"extractor": {"sha256": "0" * 64}},
        {"truncation": 0.7},
        {"preparation": "none"},
        {"data": {"source": "digits", "fingerprint": "cd" * 32}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_was_found_otherwise_is_never_joined(tmp_path: Path, change: dict[str, Any]) -> None:
    assert len(series_of(tmp_path, metric_row(1, 1000), metric_row(2, 2000, **change))) == 2


@pytest.mark.parametrize("change", [{"seed": 3}, {"device": "cuda"}, {"snapshot": "best"}])
def test_where_and_when_it_was_computed_does_not_matter(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    assert len(series_of(tmp_path, metric_row(1, 1000), metric_row(2, 2000, **change))) == 1


def test_the_best_follows_the_better_direction(tmp_path: Path) -> None:
    rows = [metric_row(value, 1000 * value) for value in (2, 5, 3)]
    best = {
        better: series_of(tmp_path, *({**row, "better": better} for row in rows))[0].best
        for better in ("lower", "higher", "")
    }
    assert [e and e.value for e in best.values()] == [2, 5, None]


def test_of_two_values_at_one_clock_the_later_one_counts(tmp_path: Path) -> None:
    (series,) = series_of(tmp_path, metric_row(1, 1000), metric_row(4, 1000), metric_row(2, 2000))
    assert [e.value for e in series.points.values()] == [4, 2]
    assert series.best is series.last


@pytest.mark.parametrize(
    "line", ["{", "7", "[]", '{"metric": "FD"}', '{"value": 3}', '{"metric": "FD", "value": NaN}']
)
def test_damaged_lines_are_left_out_and_counted(tmp_path: Path, line: str) -> None:
    path, missing = tmp_path / "metrics.jsonl", []
    path.write_text(json.dumps(metric_row(3)) + f"\n{line}\n")
    assert [s.last.value for s in read_series(path, missing)] == [3]
    assert missing == ["Cut off or damaged lines of metrics.jsonl, left out here: 1."]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(sorted({*metric_row(1), *metric_row(1)["provenance"]})),
)
def test_a_row_may_hold_anything(junk: Any, key: str) -> None:
    from ganvas.runs.evaluations import evaluation_of

    evaluation = evaluation_of(metric_row(3) | {key: junk})
    if key not in ("value", "metric"):
        assert evaluation is not None
        assert evaluation.shown()


def test_a_study_counts_though_it_has_no_provenance(tmp_path: Path) -> None:
    row = {"metric": "fooled", "value": 31.5, "low": 22.0, "high": 42.0, "better": "higher"}
    row |= {"split": "test", "images": 5000, "counts": {"real": 50, "generated": 40}}
    (series,) = series_of(tmp_path, row)
    assert series.last.shown() == "31.5 (22 to 42)"
    assert dict(series.essentials)["fake"] == "40"
    assert series.last.provenance == {"split": "test", "counts": row["counts"]}


def test_series_of_one_family_are_named_by_what_differs(tmp_path: Path) -> None:
    found = series_of(
        tmp_path,
        metric_row(1, direction="AtoB"),
        metric_row(1, direction="BtoA"),
        metric_row(1, direction="BtoA", fake=1000),
    )
    assert names_within(found[:2]) == ["AtoB", "BtoA"]
    assert names_within(found[1:]) == ["BtoA, generated 200", "BtoA, generated 1000"]
    assert names_within(found[:1]) == ["AtoB"]


def test_differences_are_said_in_words(tmp_path: Path) -> None:
    one, other = series_of(tmp_path, metric_row(1), metric_row(1, fake=1000, split="train"))
    assert differences(one, one) == []
    assert differences(one, other) == [
        "split: test and train",
        "count of generated pictures: 200 and 1000",
    ]


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (1.23456, 0.0346, "1.235 ± 0.035"),
        (1556.3, 310.4, "1556 ± 310"),
        (0.5, None, "0.5"),
        (0.0, 0.0, "0 ± 0"),
    ],
)
def test_a_value_has_as_many_digits_as_its_error_allows(value, error, shown) -> None:
    assert with_error(value, error) == shown
