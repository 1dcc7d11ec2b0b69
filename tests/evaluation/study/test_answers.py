"""Answers, who counts, and what it comes to."""

import json
from pathlib import Path
from typing import Any

import pytest
from studying import SHORT, about

from ganvas.errors import InputError
from ganvas.evaluation.study.answers import Answers, summarise, tally, write_summary
from ganvas.evaluation.study.protocol import Trial, plan


def row(participant: int, at: int, trial: Trial, right: bool) -> dict[str, Any]:
    other = "second" if trial.right == "first" else "first"
    said = trial.right if right else other
    told = {"kind": trial.kind, "answer": said, "right": right}
    return {"participant": participant, "trial": at, **told}


def take_part(answers: Answers, fooled: int, missed: int = 0, stop: int = 99) -> None:
    """A participant who is fooled and inattentive so often, and goes away before trial `stop`."""
    number = answers.participants
    answers.append({"participant": number, "name": f"P{number}", "began": "now"})
    left = {"scored": fooled, "catch": missed, "practice": 0}
    for at, trial in enumerate(plan(SHORT, number, 12, 12, same=False)[:stop]):
        left[trial.kind] -= 1
        answers.append(row(number, at, trial, right=left[trial.kind] < 0))


def test_a_study_that_is_opened_again_as_it_was_goes_on_in_its_file(tmp_path: Path):
    first = Answers.open(tmp_path, about())
    take_part(first, 1)
    again = Answers.open(tmp_path, about(date="tomorrow", versions={"ganvas": "9"}))
    assert again.path == first.path
    assert again.participants == 1
    assert again.rows == first.rows
    other = Answers.open(tmp_path, about(weights_sha256="cd"))
    assert other.path != first.path
    assert other.participants == 0


def test_a_line_that_a_kill_cut_short_costs_no_other(tmp_path: Path):
    answers = Answers.open(tmp_path, about())
    take_part(answers, 2)
    whole = answers.path.read_text()
    answers.path.write_text(whole + '{"participant": 1, "na')
    again = Answers.open(tmp_path, about())
    assert again.rows == answers.rows
    take_part(again, 0)
    counted = tally(Answers(answers.path)).counted
    assert [participant.fooled for participant in counted] == [2, 0]


def test_who_is_fooled_is_counted_in_scored_trials_alone(tmp_path: Path):
    answers = Answers.open(tmp_path, about())
    take_part(answers, fooled=3)
    found = tally(answers)
    assert (found.fooled, found.trials) == (3, 4)
    result = found.result()
    assert result["value"] == 75
    assert (result["low"], result["high"]) == pytest.approx((30.06, 95.44), abs=0.01)


def test_who_misses_catch_trials_is_left_out_unless_kept(tmp_path: Path):
    answers = Answers.open(tmp_path, about())
    take_part(answers, 0)
    take_part(answers, 4, missed=1)
    assert [p.state for p in tally(answers).participants] == ["finished", "inattentive"]
    assert tally(answers).result()["value"] == 0
    assert tally(answers, keep_inattentive=True).result()["value"] == 50
    assert tally(answers, max_missed=0.5).result()["value"] == 50


def test_who_has_not_finished_is_not_counted(tmp_path: Path):
    answers = Answers.open(tmp_path, about())
    take_part(answers, 4, stop=5)
    found = tally(answers, keep_inattentive=True)
    assert [p.state for p in found.participants] == ["unfinished"]
    assert found.result()["value"] is None


def test_the_result_is_written_into_the_run_once_with_where_it_comes_from(tmp_path: Path):
    (tmp_path / "metrics.jsonl").write_text('{"metric": "fid", "value": 3}')
    answers = Answers.open(tmp_path, about())
    take_part(answers, 1)
    take_part(answers, 2, missed=2)
    take_part(answers, 2, stop=3)
    summarise(tmp_path)
    summarise(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [r["metric"] for r in rows] == ["fid", "fooled"]
    found = rows[1]
    assert (found["key"], found["value"], found["details"]["unit"]) == ("fooled", 25, "%")
    assert (found["provenance"]["split"], found["provenance"]["weights"]) == ("test", "average")
    assert (found["provenance"]["real"], found["provenance"]["fake"]) == (12, 12)
    assert found["low"] < 25 < found["high"]
    counted = {"participants": 1, "inattentive": 1, "unfinished": 1, "trials": 4, "fooled": 1}
    assert counted.items() <= found["details"].items()
    take_part(answers, 0)
    summarise(tmp_path)
    last = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    assert (last["value"], last["details"]["participants"]) == (12.5, 2)
    summary = json.loads((tmp_path / "study" / "summary.json").read_text())
    assert [s["value"] for s in summary] == [12.5]


def test_the_table_names_participants_and_the_interval(tmp_path: Path):
    answers = Answers.open(tmp_path, about())
    take_part(answers, 1)
    take_part(answers, 3)
    take_part(answers, 4, missed=2)
    text = summarise(tmp_path)
    assert "3 P2" in text
    assert "fooled: 50.0 %, 95 % interval" in text
    assert "2 participants of 4 trials, 1 left out" in text
    assert "effective number" in text


def test_a_result_without_participants_is_none(tmp_path: Path):
    Answers.open(tmp_path, about())
    assert "no result" in summarise(tmp_path)
    assert not (tmp_path / "metrics.jsonl").exists()
    assert write_summary(tmp_path)[0].result()["value"] is None


def test_a_run_without_a_study_says_so(tmp_path: Path):
    with pytest.raises(InputError, match="has no study yet"):
        summarise(tmp_path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "x.jsonl").write_text("[]\n")
    with pytest.raises(InputError, match=r"x\.jsonl"):
        Answers.all(tmp_path)
