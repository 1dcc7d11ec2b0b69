"""`ganvas compare`: the tables, the JSON, and the page with the same inputs through each run."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import browser_page
from making import noise
from measured import metric_row, write_metrics
from PIL import Image
from runs.test_report import Page

import ganvas
from ganvas.cli import main
from ganvas.inference.side_by_side import Wanted, side_by_side

SMALL: dict[str, Any] = {"ngf": 4, "ndf": 4, "threads": 1, "device": "cpu", "tensorboard": False}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_run: Path) -> Path:
    """Runs: two seeds of a cyclegan, a pix2pix and two dcgans."""
    here = tmp_path_factory.mktemp("compared")
    shutil.copytree(tiny_run, here / "cycle0")
    shutil.copytree(tiny_run, here / "cycle1")
    config = here / "cycle1" / "config.yaml"
    config.write_text(config.read_text().replace("\n  seed: 0\n", "\n  seed: 1\n"))
    for part, count in (("train", 3), ("test", 2)):
        (here / "pairs" / part).mkdir(parents=True)
        for i in range(count):
            noise(i, 64, 128, 3).save(here / "pairs" / part / f"{i}.png")
    ganvas.train(
        "pix2pix", data=here / "pairs", out=here / "pairs-run", size=64, generator="resnet",
        n_blocks=1, duration="2it", previews=1, quiet=True, **SMALL,
    )  # fmt: skip
    for seed in range(2):
        ganvas.train(
            "dcgan", data="sample:shapes", out=here / f"noise{seed}", size=16, max_pictures=20,
            batch_size=10, duration="4it", log_every="1it", previews=4, seed=seed, quiet=True,
            **SMALL,
        )  # fmt: skip
    for name, values in (("noise0", (9.0, 5.0)), ("noise1", (8.0, 7.0))):
        rows = [metric_row(v, x, error=0.5) for v, x in zip(values, (20, 40), strict=True)]
        write_metrics(here / name, *rows)
    return here


@pytest.fixture(autouse=True)
def within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(place: Path, *words: str) -> int:
    return main(["compare", *(str(place / w) if (place / w).exists() else w for w in words)])


def test_tables_say_what_differs_and_the_page_lies_here(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(place, "noise0", "noise1") == 0
    said = capsys.readouterr().out
    for words in ("noise0", "Settings that differ", "seed", "5.00 ± 0.50", "2 seeds", "6.0 ± 1.4"):
        assert words in said
    assert "lr " not in said
    assert [path.name for path in tmp_path.iterdir()] == ["compare.html"]


def test_the_page_needs_nothing_else_and_shows_equal_seeds(place: Path, tmp_path: Path) -> None:
    assert run(place, "noise0", "noise1", "--seeds", "3,5", "--out", "page.html") == 0
    page = Page(tmp_path / "page.html")
    targets = [a[key] or "" for _, a in page.elements for key in ("src", "href") if key in a]
    assert all(target.startswith(("data:", "#")) for target in targets)
    assert [image["alt"] for image in page.of("img")] == [
        f"seed {seed}: noise{n}" for seed in (3, 5) for n in range(2)
    ]
    assert page.charts()["FD-own@1a2b3c4d"] == ["noise0", "noise1"]
    assert page.charts()["G"] == ["noise0", "noise1"]
    assert "2 of them differ in their seeds only (noise0, noise1)" in page.text


def test_translators_get_the_same_test_pictures_in_each_direction(place: Path) -> None:
    runs = [(n, place / n / "snapshots" / "latest") for n in ("cycle0", "cycle1")]
    shown = side_by_side(runs, Wanted(most=1))
    assert [sheet.title for sheet in shown.sheets] == ["A → B", "B → A"]
    for sheet in shown.sheets:
        assert [column.title for column in sheet.columns][1:] == ["cycle0", "cycle1"]
        assert len(sheet.rows) == 1
        assert sheet.rows[0].startswith("test")
        # The weights are the same, and so is the input.
        first, second = (column.pictures[0] for column in sheet.columns[1:])
        assert first.tobytes() == second.tobytes()
        assert first.size == sheet.columns[0].pictures[0].size
    assert shown.notes == []


def test_the_true_answer_stands_last_where_there_are_pairs(place: Path) -> None:
    shown = side_by_side([("p", place / "pairs-run")], Wanted())
    (sheet,) = shown.sheets
    assert [column.title for column in sheet.columns] == ["Real A", "p", "Real B"]
    names = [Path(name).stem for name in sheet.rows]
    for name, picture in zip(names, sheet.columns[2].pictures, strict=True):
        whole = Image.open(place / "pairs" / "test" / f"{name}.png")
        assert picture.tobytes() == whole.crop((64, 0, 128, 64)).tobytes()


def test_inputs_go_through_whole_and_as_translate_makes_them(place: Path, tmp_path: Path) -> None:
    noise(7, 50, 44, 3).save(tmp_path / "x.png")
    wanted = Wanted(files=[tmp_path / "x.png"], direction="BtoA")
    (sheet,) = side_by_side([("c", place / "cycle0")], wanted).sheets
    made = sheet.columns[1].pictures[0]
    assert sheet.title == "B → A"
    assert made.size == (44, 50)
    answer = ganvas.load(place / "cycle0", "cpu").translate(Image.open(tmp_path / "x.png"), "BtoA")
    assert made.tobytes() == answer.tobytes()


def test_what_a_run_cannot_show_is_left_out_and_said(place: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "five.npy", np.zeros((40, 40, 5), np.uint8))
    words = ("--inputs", str(tmp_path / "five.npy"))
    assert run(place, "cycle0", "noise0", *words, "--seeds", "0") == 0
    page = Page(tmp_path / "compare.html")
    assert "cycle0: not in these pictures" in page.text
    assert [image["alt"] for image in page.of("img")] == ["seed 0: noise0"]
    assert "noise0 was trained on other pictures than cycle0" in page.text


def test_json_is_all_and_writes_no_page_unasked(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(place, "noise0", "noise1", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == ganvas.compare([place / "noise0", place / "noise1"])
    assert list(tmp_path.iterdir()) == []
    assert run(place, "noise0", "noise1", "--json", "--out", "there", "--count", "0") == 0
    assert json.loads(capsys.readouterr().out) == told
    assert (tmp_path / "there" / "compare.html").is_file()


def test_a_page_is_overwritten_only_when_asked(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "compare.html"
    page.write_text("mine")
    assert run(place, "noise0", "noise1", "--count", "0") == 2
    assert "compare.html: exists and is not overwritten" in capsys.readouterr().err
    assert page.read_text() == "mine"
    assert run(place, "noise0", "noise1", "--count", "0", "--overwrite") == 0
    assert "side by side" in page.read_text()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("noise0",), "name at least two runs"),
        (("noise0", "nowhere"), "nowhere: there is no such run or snapshot"),
        (("noise0", "noise0"), "is the same as"),
        (("noise0", "noise1", "--seeds", "x"), "--seeds x: wants numbers"),
        (("noise0", "noise1", "--seeds", "0-99"), "--seeds 0-99: are more than 64"),
        (("noise0", "noise1", "--count", "-1"), "--count -1: must be at least 0"),
        (("cycle0", "noise1", "--inputs", "nowhere"), "there is no such file, folder or match"),
    ],
)
def test_input_at_fault_is_one_sentence_and_writes_nothing(
    place: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    sentence: str,
) -> None:
    assert run(place, *words) == 2
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_page_works_in_a_browser(place: Path, tmp_path: Path) -> None:
    run(place, "noise0", "noise1", "cycle0", "cycle1")
    with browser_page() as page:
        page.goto((tmp_path / "compare.html").as_uri())
        chart = page.locator(".chart[data-panel='FD-own@1a2b3c4d']")
        assert chart.locator("circle.best").count() == 2
        before = chart.locator("path.line").first.get_attribute("d")
        page.locator("#axis label", has_text="time").click()
        assert chart.locator("path.line").count() == 2
        assert chart.locator("path.line").first.get_attribute("d") != before
        page.locator(".directions img").first.click()
        assert page.locator("#closer h3").text_content() == "Equal seeds, seed 0"
        assert page.locator("#closer figure").count() == 2
        page.keyboard.press("ArrowRight")
        assert page.locator("#closer h3").text_content() == "Equal seeds, seed 1"


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_the_window(place: Path, tmp_path: Path, width: int) -> None:
    run(place, "noise0", "noise1", "cycle0", "cycle1")
    with browser_page(width=width) as page:
        page.goto((tmp_path / "compare.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_inputs_are_refused_where_nothing_translates(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = place / "pairs" / "test" / "0.png"
    assert run(place, "noise0", "noise1", "--inputs", str(picture)) == 2
    assert "none of these runs translates" in capsys.readouterr().err
