"""A bench's file: what it may say, which of its settings wins, and what is wrong with it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ganvas.bench.bench import forecast
from ganvas.bench.jobs import Job, check_sources, jobs_of
from ganvas.bench.plan import BUILT_IN, Plan, figure_in, slug
from ganvas.bench.reading import plan_of, read_plan
from ganvas.cli.bench import settings_said
from ganvas.errors import InputError
from ganvas.evaluation import choosing

ROOT = Path(__file__).parents[2]
SMALL: dict[str, Any] = {
    "data": "sample:streets",
    "rows": {"Ours": {"method": "cyclegan"}, "Pairs": {"method": "pix2pix", "lr": 0.001}},
    "metrics": ["kd"],
}


def plan(**changes: Any) -> Plan:
    return plan_of(SMALL | changes, "own.yaml")


def jobs(of: Plan, machine: Mapping[str, Any] | None = None) -> dict[str, Job]:
    return {job.name: job for job in jobs_of(of, machine or {})}


def test_the_papers_bench_is_complete_and_every_row_can_be_trained():
    built_in = read_plan("cyclegan-paper")
    assert BUILT_IN == ("cyclegan-paper",)
    assert [table.title[:7] for table in built_in.tables] == [
        "Table 1", "Table 1", "Table 2", "Table 3", "Table 4", "Table 5"
    ]  # fmt: skip
    for data in ("sample:streets", "facades"):
        found = jobs(replace(built_in, data=(data,), seeds=(0, 1)))
        assert {job.row for job in found.values()} == {row.name for row in built_in.rows}
        assert {job.seed for job in found.values()} == {0, 1}


@pytest.mark.parametrize(
    "recipe", sorted((ROOT / "recipes" / "bench").glob("*.yaml")), ids=lambda path: path.stem
)
def test_the_recipes_benches_can_be_trained(recipe: Path):
    of = read_plan(str(recipe))
    found = jobs(replace(of, data=("elsewhere",)))
    assert {job.row for job in found.values()} == {row.name for row in of.rows}


def test_the_docs_bench_can_be_trained():
    text = (ROOT / "docs" / "bench.md").read_text("utf-8")
    (told,) = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    of = plan_of(yaml.safe_load(told), "docs/bench.md")
    assert {job.row for job in jobs(of).values()} == {row.name for row in of.rows}


def test_the_papers_figures_are_those_of_its_tables():
    """The full model's rows, which the reference report has confirmed by two sources."""
    tables = read_plan("cyclegan-paper").tables
    figures = {t.title: t.published.values for t in tables if t.published}
    assert figures["Table 2: labels to photos"]["CycleGAN"] == ["0.52", "0.17", "0.11"]
    assert figures["Table 3: photos to labels"]["pix2pix"] == ["0.85", "0.40", "0.32"]
    assert figures["Table 4: ablations, labels to photos"]["GAN alone"] == ["0.51", "0.11", "0.08"]
    assert figures["Table 5: ablations, photos to labels"]["CycleGAN"] == ["0.58", "0.22", "0.16"]


def test_figures_of_the_paper_that_were_not_checked_are_marked():
    """As the reference report has them: of Table 1 what is after ±, of Tables 2, 4 and 5 rows."""
    told = {t.title[:7]: t.published.unconfirmed for t in read_plan("cyclegan-paper").tables
            if t.published}  # fmt: skip
    assert told == {
        "Table 1": {"CoGAN", "BiGAN/ALI", "SimGAN", "Feature loss + GAN"},
        "Table 2": {"BiGAN/ALI", "SimGAN", "Feature loss + GAN"},
        "Table 3": set(),
        "Table 4": {"Cycle alone", "GAN + forward cycle", "GAN + backward cycle"},
        "Table 5": {"Cycle alone", "GAN + forward cycle", "GAN + backward cycle"},
    }


def test_a_method_of_one_direction_is_trained_once_for_each():
    found = jobs(plan(seeds=2))
    assert list(found) == [
        "ours-seed0", "pairs-atob-seed0", "pairs-btoa-seed0",
        "ours-seed1", "pairs-atob-seed1", "pairs-btoa-seed1",
    ]  # fmt: skip
    assert found["pairs-btoa-seed1"].given["direction"] == "BtoA"
    assert "direction" not in found["ours-seed0"].given


def test_what_is_said_nearer_to_a_row_wins_and_the_command_line_over_all():
    of = plan(
        duration="3it",
        settings={"lr": 0.1, "ngf": 8, "size": 256},
        **{
            "for": {
                "sample:streets": {
                    "settings": {"ngf": 16},
                    "rows": {"Pairs": {"data": "sample:street-pairs", "ndf": 2}},
                }
            }
        },
    )
    found = jobs(of)["pairs-atob-seed0"].given
    assert (found["lr"], found["ngf"], found["ndf"], found["size"]) == (0.001, 16, 2, 256)
    assert (found["data"], found["duration"]) == ("sample:street-pairs", "3it")
    assert jobs(of)["ours-seed0"].given["data"] == "sample:streets"
    told = jobs(replace(of, said={"ngf": 4, "lr": 0.5, "duration": "9it"}))["pairs-atob-seed0"]
    assert (told.given["ngf"], told.given["lr"], told.given["duration"]) == (4, 0.5, "9it")
    elsewhere = jobs(replace(of, data=("facades",)))["pairs-atob-seed0"].given
    assert (elsewhere["ngf"], elsewhere["data"]) == (8, str(Path("facades").absolute()))


def test_a_setting_that_some_methods_lack_is_said_and_one_that_all_lack_is_refused():
    said: list[str] = []
    jobs_of(plan(settings={"lambda_identity": 0}, seeds=2), {}, said.append)
    assert said == ["Pairs: pix2pix has no --lambda-identity; it keeps to its own"]
    with pytest.raises(InputError, match=r"settings: nggf: no method of these rows has it.*ngf"):
        jobs_of(plan(settings={"nggf": 3}), {})


@pytest.mark.parametrize(
    ("duration", "at_once", "told"),
    [("4min", 1, "about 12 min"), ("2h", 2, "about 180 min"), ("3ep", 1, "")],
)
def test_how_long_it_will_take_is_told_where_lengths_are_times(duration, at_once, told):
    assert told in forecast(list(jobs(plan(duration=duration)).values()), at_once)
    assert bool(told) == bool(forecast(list(jobs(plan(duration=duration)).values()), at_once))


def test_a_job_says_the_command_that_trains_the_same():
    of = plan(rows={"Pairs": {"method": "pix2pix", "dropout": False}})
    job = jobs(of, {"threads": 1})["pairs-atob-seed0"]
    assert job.command(Path("runs/x")) == (
        "ganvas train pix2pix --data sample:streets --no-dropout --threads 1 --seed 0 "
        "--direction AtoB --out runs/x"
    )
    spaced = replace(job, given={"data": "my pictures", "flip": True, "ema": None})
    assert spaced.command(Path("my runs")) == (
        "ganvas train pix2pix --data 'my pictures' --flip --out 'my runs'"
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"rows": {}}, "rows: there are none"),
        ({"rows": {"x": {"method": "cyclgan"}}}, "rows: x: there is no method 'cyclgan'.*cyclegan"),
        ({"rows": {"x": {"lr": 1}}}, "rows: x: method: is missing"),
        ({"rows": {"x": {"method": "cyclegan", "seed": 1}}}, "rows: x: seed: cannot be set here"),
        ({"rows": {"a b": {"method": "cyclegan"}, "A-B": {"method": "cut"}}}, "the same name"),
        ({"metrics": ["fdd"]}, "metrics: there is no metric 'fdd'.*fd"),
        ({"metrics": []}, "metrics: there are none"),
        ({"seeds": 0}, "seeds: 0: wants how many"),
        ({"labels": "C"}, "labels: C: must be A or B"),
        ({"metric": ["kd"]}, "there is no 'metric' here.*metrics"),
        ({"judged": {"metrics": "kd"}}, "judged: there is no 'metrics' here"),
        ({"tables": [{"rows": ["Our"]}]}, "tables: 1: rows: there is no row 'Our'.*Ours"),
        (
            {"tables": [{"published": {"of": "x", "values": {"Ours": [1, 2]}}}]},
            "published: values: Ours: wants 1 numbers, for kd",
        ),
        ({"tables": [{"published": {"values": {}}}]}, "published: of: is missing"),
        ({"for": {"x": {"rows": {"Theirs": {}}}}}, "for: x: rows: there is no row 'Theirs'"),
        ({"for": {"x": {"rows": {"Ours": {"out": "y"}}}}}, "rows: Ours: out: cannot be set here"),
        ({"for": {"x": {"rows": {"Ours": {"seed": 3}}}}}, "rows: Ours: seed: cannot be set here"),
        ({"settings": {"data": "other"}}, "settings: data: cannot be set here"),
        ({"settings": {"device": "cpu"}}, "settings: device: cannot be set here; say --device"),
        ({"rows": {"x": {"method": ["cut"]}}}, "rows: x: there is no method"),
        (
            {"tables": [{"published": {"of": "x", "values": {"Ours": ["1,234"]}}}]},
            "published: values: Ours: wants 1 numbers, for kd",
        ),
        (
            {"tables": [{"published": {"of": "x", "unconfirmed": ["Ours"]}}]},
            "published: unconfirmed: there are no values of 'Ours'",
        ),
    ],
)
def test_a_file_that_says_what_no_bench_can_be_gets_one_sentence(changes, sentence):
    with pytest.raises(InputError, match=rf"^own.yaml: .*{sentence}"):
        plan(**changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"judged": {"count": "many"}}, "judged: --count many: must be a whole number"),
        ({"judged": {"count": 1}}, "judged: --count 1: must be at least 4"),
        ({"judged": {"split": "tset"}}, "judged: --split tset: must be test or"),
        ({"judged": {"palette": "rainbow"}}, "judged: --palette rainbow: is neither a file"),
        ({"judged": {"extractor": "oWn"}}, "judged: --extractor oWn: there is no such file.*own"),
        (
            {"for": {"sample:streets": {"judged": {"paired": 1}}}},
            "judged: --paired 1: must be true or false",
        ),
        ({"tables": [{"direction": "AtoC"}]}, "tables: 1: direction: AtoC: must be AtoB, BtoA"),
        (
            {"tables": [{"direction": "labels-to-photo"}]},
            "no classes are scored that would tell where the label maps are; say --labels",
        ),
        (
            {"for": {"elsewhere": {"settings": {"nggf": 3}}}},
            "settings: nggf: no method of these rows has it.*ngf",
        ),
        (
            {"rows": {"P": {"method": "pix2pix"}, "P AtoB": {"method": "cyclegan"}}},
            "P on sample:streets and P AtoB on sample:streets: would both be the run p-atob-seed0",
        ),
        ({"data": ["a/b", "a-b"]}, "Ours on a/b and Ours on a-b: would both be the run"),
        ({"rows": {"x" * 300: {"method": "cut"}}}, "a name of 311 characters"),
    ],
)
def test_what_would_fail_after_the_trainings_is_refused_before_them(changes, sentence):
    with pytest.raises(InputError, match=sentence):
        jobs_of(plan(**changes), {})


def test_weights_that_a_metric_wants_are_missed_before_anything_is_trained(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(choosing, "find_inception", lambda place=None: None)
    with pytest.raises(InputError, match=r"judged: --metrics fid: wants Inception's weights"):
        jobs_of(plan(metrics=["kd", "fid"]), {})


def test_pictures_that_are_not_there_are_missed_before_anything_is_trained(tmp_path: Path):
    jobs = jobs_of(plan(data=str(tmp_path / "nowhere")), {})
    with pytest.raises(InputError, match=r"nowhere: there is no such folder or zip"):
        check_sources(jobs)
    check_sources(jobs_of(plan(), {}))


def test_options_of_judging_are_taken_as_the_command_line_would():
    job = jobs(plan(judged={"count": "140", "split": None}))["ours-seed0"]
    assert job.judged == {"count": 140, "metrics": ["kd"]}


def test_options_of_judging_are_those_that_a_row_can_have():
    rows = {name: {"method": name} for name in ("cyclegan", "stargan", "dcgan")}
    found = jobs(plan(rows=rows, judged={"paired": True, "palette": "cityscapes", "seed": 3}))
    assert {name: set(job.judged) - {"metrics"} for name, job in found.items()} == {
        "cyclegan-seed0": {"paired", "palette", "seed"},
        "stargan-seed0": {"palette", "seed"},
        "dcgan-seed0": {"seed"},
    }


def test_a_source_that_is_named_twice_is_one():
    assert list(jobs(plan(data=["sample:streets", "sample:streets"]))) == [
        "ours-seed0", "pairs-atob-seed0", "pairs-btoa-seed0"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "figure"),
    [("26.8 ± 2.8", 26.8), (".40", 0.4), ("1e-05", 1e-5), ("-3", -3), ("5.", 5), ("40%", 40)],
)
def test_a_published_figure_is_read_whole(text: str, figure: float):
    assert figure_in(text) == figure


def test_a_rows_option_is_checked_before_anything_is_trained():
    of = plan(rows={"x": {"method": "cyclegan", "n_blocks": 0}})
    with pytest.raises(InputError, match=r"^row x: --n-blocks 0: must be at least 1"):
        jobs_of(of, {})


def test_files_that_are_none_are_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"nowhere.yaml: is no built-in bench \(cyclegan-paper\)"):
        read_plan("nowhere.yaml")
    (tmp_path / "x.yaml").write_text("rows: [")
    with pytest.raises(InputError, match=r"x.yaml: is not YAML"):
        read_plan(str(tmp_path / "x.yaml"))
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(SMALL))
    assert read_plan(str(tmp_path / "x.yaml")).title == "x"


def test_files_that_extend_one_another_are_refused(tmp_path: Path):
    for name, base in (("a", "b.yaml"), ("b", "./a.yaml"), ("c", "./c.yaml")):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({"extends": base}))
    for name in "ac":
        with pytest.raises(InputError, match=r"is this file itself, or extends it"):
            read_plan(str(tmp_path / f"{name}.yaml"))
    (tmp_path / "c.yaml").write_text("extends: [cyclegan-paper]")
    with pytest.raises(InputError, match=r"extends: \['cyclegan-paper'\]: wants the name of one"):
        read_plan(str(tmp_path / "c.yaml"))
    (tmp_path / "c.yaml").write_text("title: 2020-13-45")
    with pytest.raises(InputError, match=r"c.yaml: is not YAML \(month must be in 1..12\)"):
        read_plan(str(tmp_path / "c.yaml"))


def test_a_setting_of_the_command_line_is_a_value():
    assert settings_said(["ngf=8"], "3it", None) == {"ngf": 8, "duration": "3it"}
    with pytest.raises(InputError, match=r"--set ngf=\[: \[ is no value"):
        settings_said(["ngf=["], None, None)
    with pytest.raises(InputError, match=r"--set: data: cannot be set here"):
        settings_said(["data=elsewhere"], None, None)


def test_rows_are_chosen_by_name_however_it_is_written():
    built_in = read_plan("cyclegan-paper")
    assert built_in.named(["bigan-ali", "CycleGAN"]) == ["BiGAN/ALI", "CycleGAN"]
    assert built_in.named([]) == [row.name for row in built_in.rows]
    with pytest.raises(InputError, match=r"--only CycleGANN: there is no such row.*CycleGAN"):
        built_in.named(["CycleGANN"])


@pytest.mark.parametrize("name", ["BiGAN/ALI", "GAN + forward cycle", "Ünï", "/"])
def test_a_row_has_a_name_that_a_file_can_have(name):
    assert slug(name)
    assert not set(slug(name)) - set("abcdefghijklmnopqrstuvwxyz0123456789-")
