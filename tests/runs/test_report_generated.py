"""The report of a run that makes pictures from noise."""

import json
import re
import shutil
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from browsing import browser_page
from PIL import Image, ImageDraw, PngImagePlugin
from runs.test_report import Page, report

from ganvas.runs.report import write_report

LOSSES = {"D": 0.5, "D(x)": 0.9, "D(G(z))_1": 0.1, "G": 4.0, "D(G(z))_2": 0.05}
VITALS = {"D real": 3.0, "D fake": -3.0, "D order": 0.75, "D gradient": 7.0, "G gradient": 33.0}


def colour(number: int, shade: int) -> tuple[int, int, int]:
    return number * 3, shade, 255 - number * 3


def about(name: str, rows: int, across: int) -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    for key, value in {"columns": name, "rows": rows, "across": across}.items():
        chunks.add_text(key, str(value))
    return chunks


def write_square(
    path: Path, shown: int = 64, across: int = 8, cell: int = 16, shade: int = 0, name: str = "fake"
) -> None:
    """Pictures each of one colour, all different; white where there are none."""
    rows = -(-shown // across)
    image = Image.new("RGB", (across * cell, rows * cell), "white")
    draw = ImageDraw.Draw(image)
    for i in range(shown):
        x, y = i % across * cell, i // across * cell
        draw.rectangle((x, y, x + cell - 1, y + cell - 1), colour(i, shade))
    path.parent.mkdir(exist_ok=True)
    image.save(path, pnginfo=about(name, rows, across))


def write_log(run: Path, **changes: object) -> None:
    time = {"seconds": 10.0, "pictures_per_second": 64.0, "data_share": 0.01, "step_seconds": 1.0}
    row = {"images": 640, "iterations": 10, "epoch": 0.32, "lr": 0.0002, "losses": LOSSES}
    row |= {"vitals": VITALS, "skipped": 0, "skipped_at": {}, "diagnosis": [], "time": time}
    (run / "log.jsonl").write_text(json.dumps(row | changes) + "\n")


def write_config(run: Path, pictures: dict[str, int], classes: list[str], **settings: int) -> None:
    provenance = {"pictures": pictures, "channels": {"pictures": 1}, "classes": classes}
    networks = {name: {"parameters": 1000, "layers": "Conv()"} for name in "GD"}
    config = {"method": "dcgan", "settings": {"data": "digits", "size": "16"} | settings}
    config |= {"changed": ["data"], "provenance": provenance, "networks": networks}
    (run / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    run = tmp_path / "digits"
    (run / "snapshots" / "latest").mkdir(parents=True)
    write_config(run, {str(n): 200 for n in range(10)}, [])
    write_log(run)
    write_square(run / "reals.png", shade=200, name="real")
    for kimg in range(3):
        write_square(run / "samples" / f"{kimg:06d}.000kimg.png", shade=kimg)
    return run


def squares(page: Page) -> dict[str, list[str]]:
    """What stands in each square: by its heading, the descriptions of its pictures."""
    found: dict[str, list[str]] = {}
    for figure in re.findall(r'<figure class="card" data-sheet=.*?</figure>', page.source, re.S):
        title = re.findall(r"<h3>(.*?)</h3>", figure)[0]
        found[title] = re.findall(r'alt="(.*?)"', figure)
    return found


def pixel(page: Page, alt: str) -> tuple[int, ...]:
    source = next(image["src"] for image in page.of("img") if image.get("alt") == alt) or ""
    with Image.open(BytesIO(b64decode(source.split(",")[1]))) as image:
        assert image.size == (16, 16)
        value = image.convert("RGB").getpixel((8, 8))
    assert isinstance(value, tuple)
    return value


def test_real_pictures_stand_beside_the_newest_generated_ones(run: Path) -> None:
    page = report(run)
    assert squares(page) == {
        "Real": [f"Real picture {n}" for n in range(1, 65)],
        "Fake": [f"Seed {n}" for n in range(64)],
    }
    assert pixel(page, "Real picture 1") == colour(0, 200)
    assert pixel(page, "Seed 0") == colour(0, 2)
    assert pixel(page, "Seed 19") == colour(19, 2)
    assert "64 fixed latents at 2 kimg" in page.text
    assert "Real of the data" in page.text
    assert "Fake seeds 0 to 63" in page.text


def test_the_film_shows_the_same_latents(run: Path) -> None:
    page = report(run)
    assert [frame["images"] for frame in page.data["film"]] == [0, 1000, 2000]
    assert "The same latents from the first preview to the last, 3 pictures" in page.text
    assert page.data["grid"] == [8, 8]


def test_white_that_fills_a_square_is_no_picture(run: Path) -> None:
    write_square(run / "reals.png", shown=5, across=3, name="real")
    write_square(run / "samples" / "000003.000kimg.png", shown=10, across=4)
    assert {name: len(alts) for name, alts in squares(report(run)).items()} == {
        "Real": 5,
        "Fake": 10,
    }


@pytest.mark.parametrize("broken", [b"", b"\x89PNG\r\n", None])
def test_without_real_pictures_the_generated_ones_stand_alone_and_it_is_said(
    run: Path, broken: bytes | None
) -> None:
    (run / "reals.png").unlink()
    if broken is not None:
        (run / "reals.png").write_bytes(broken)
    page = report(run)
    assert list(squares(page)) == ["Fake"]
    assert "Real beside fake" not in page.text
    assert "Generated pictures" in page.text
    assert "reals.png is missing or cannot be read" in page.text


def test_a_translation_run_is_not_asked_for_real_pictures_of_its_own(run: Path) -> None:
    shutil.rmtree(run / "samples")
    (run / "reals.png").unlink()
    write_square(run / "samples" / "000000.000kimg.png", 4, 2, name="real_A fake_B")
    page = report(run)
    assert squares(page) == {}
    assert "reals.png" not in page.text
    assert [part["title"] for part in page.data["parts"]] == ["A → B"]


def test_small_pictures_are_enlarged_by_whole_numbers_and_stay_crisp(run: Path) -> None:
    def cell(size: int) -> tuple[int, bool]:
        for path in [run / "reals.png", *(run / "samples").glob("*.png")]:
            write_square(path, cell=size, name="real" if path.name == "reals.png" else "fake")
        page = report(run)
        widths = {int(n) for n in re.findall(r"--cell: (\d+)px", page.source)}
        images = [image for image in page.of("img") if image.get("alt", "") == "Seed 0"]
        return widths.pop(), images[0].get("class") == "pixels"

    assert cell(16) == (64, True)
    assert cell(28) == (56, True)
    assert cell(64) == (64, True)
    assert cell(128) == (65, False)


def test_of_very_many_pictures_the_first_are_shown(run: Path) -> None:
    write_square(run / "samples" / "000003.000kimg.png", shown=80, across=10)
    page = report(run)
    assert len(squares(page)["Fake"]) == 64
    assert "seeds 0 to 63, the first 64 of 80" in page.text


def test_probabilities_and_losses_have_charts_of_their_own(run: Path) -> None:
    write_log(run, losses=LOSSES | {"D_gp": 0.1, "D_r1": 0.2})
    charts = report(run).charts()
    assert charts["Adversarial losses"] == ["D", "G"]
    assert charts["Scores, as probabilities of being real"] == ["D(x)", "D(G(z))_1", "D(G(z))_2"]
    assert charts["Penalties"] == ["D_gp", "D_r1"]
    assert charts["How often discriminators are right"] == ["D"]
    assert charts["Gradient norms"] == ["D", "G"]
    assert "Other losses" not in charts


def test_probabilities_and_the_order_of_scores_are_drawn_from_0_to_1(run: Path) -> None:
    bounds = {panel["title"]: panel["bounds"] for panel in report(run).data["panels"]}
    assert {title for title, pair in bounds.items() if pair == [0, 1]} == {
        "Scores, as probabilities of being real",
        "How often discriminators are right",
    }
    assert bounds["Adversarial losses"] is None


def test_a_player_has_one_colour_in_all_charts(run: Path) -> None:
    panels = {panel["title"]: panel["curves"] for panel in report(run).data["panels"]}
    losses = {curve["name"]: curve["tone"] for curve in panels["Adversarial losses"]}
    gradients = {curve["name"]: curve["tone"] for curve in panels["Gradient norms"]}
    assert losses == gradients
    assert losses["D"] != losses["G"]
    assert panels["How often discriminators are right"][0]["tone"] == losses["D"]
    scores = [curve["tone"] for curve in panels["Mean scores"]]
    assert len(set(scores)) == 2


def test_the_headline_counts_the_pictures_of_all_folders(run: Path) -> None:
    text = report(run).text
    assert "dcgan on digits at 16 × 16" in text
    assert "Trained on 2,000 pictures for 0.32 epochs (640 pictures shown), in 10 s" in text


def test_the_headline_names_the_first_classes_and_how_many_there_are(run: Path) -> None:
    classes = [f"kind{n}" for n in range(30)]
    write_config(run, {"train": 300}, classes)
    page = report(run)
    words = "on 300 pictures of 30 classes (kind0, kind1, kind2, kind3, kind4, kind5 …) for"
    assert words in page.text
    assert "kind11 … and 18 more" in page.text
    assert "kind12" not in page.text


def test_the_headline_counts_no_more_pictures_than_were_asked_for(run: Path) -> None:
    write_config(run, {"pictures": 2000}, [], max_pictures=150)
    assert "Trained on 150 pictures for" in report(run).text


def test_the_headline_leaves_out_pictures_that_were_held_back(run: Path) -> None:
    write_config(run, {"train": 90, "val": 10}, [])
    assert "Trained on 90 pictures for" in report(run).text


@contextmanager
def in_browser(run: Path) -> Iterator[Any]:
    """The run's report as a browser shows it."""
    with browser_page() as page:
        page.goto(write_report(run).as_uri())
        yield page


def box(element: Any) -> dict[str, float]:
    found = element.bounding_box()
    assert found
    return found


def test_in_a_browser_a_line_passes_over_what_was_not_logged_and_breaks_at_what_was_not_finite(
    run: Path,
) -> None:
    rows: list[str] = []
    for i in range(1, 11):
        losses = {"D": None if i == 6 else 0.5} | ({"G": 2.0} if i % 3 else {})
        write_log(run, images=i * 64, losses=losses)
        rows.append((run / "log.jsonl").read_text())
    (run / "log.jsonl").write_text("".join(rows))
    with in_browser(run) as page:
        lines = page.locator('[data-panel="Adversarial losses"] path.line')
        d, g = (lines.nth(n).get_attribute("d") or "" for n in (0, 1))
    assert (d.count("M"), d.count("L")) == (2, 7)
    assert (g.count("M"), g.count("L")) == (1, 6)


def test_a_close_look_in_a_browser_shows_how_a_picture_came_to_be(run: Path) -> None:
    with in_browser(run) as page:
        figures = [page.locator(".sheets figure").nth(n) for n in (0, 1)]
        real, fake = (box(figure) for figure in figures)
        assert real["y"] == fake["y"]
        page.locator("[data-sheet=made] button").nth(19).click()
        dialog = page.locator("#closer")
        assert dialog.locator("h3").text_content() == "Seed 19"
        captions = [figure.text_content() for figure in dialog.locator("figcaption").all()]
        assert captions == ["0 kimg", "1 kimg", "2 kimg"]
        shot = page.screenshot(clip=box(dialog.locator(".window").nth(1)))
        with Image.open(BytesIO(shot)) as image:
            seen = image.convert("RGB").getpixel((image.width // 2, image.height // 2))
        assert isinstance(seen, tuple)
        assert all(abs(a - b) < 3 for a, b in zip(seen, colour(19, 1), strict=True))
        page.keyboard.press("ArrowRight")
        assert dialog.locator("h3").text_content() == "Seed 20"
        page.keyboard.press("Escape")
        page.locator("[data-sheet=real] button").nth(4).click()
        assert dialog.locator("figure").count() == 1
        page.keyboard.press("Escape")

        page.set_viewport_size({"width": 400, "height": 800})
        real, fake = (box(figure) for figure in figures)
        assert fake["y"] > real["y"] + real["height"]
        assert page.evaluate("document.documentElement.scrollWidth") == 400


def test_a_page_of_large_noisy_pictures_stays_small(run: Path) -> None:
    for path, name in [(run / "reals.png", "real"), (run / "samples" / "3kimg.png", "fake")]:
        noise = Image.merge("RGB", [Image.effect_noise((1024, 1024), 200) for _ in "RGB"])
        noise.save(path, pnginfo=about(name, 8, 8), compress_level=1)
    page = report(run)
    assert len(squares(page)["Fake"]) == 64
    pictures = [len(image["src"] or "") for image in page.of("img") if image.get("width")]
    assert len(pictures) == 128
    assert sum(pictures) < 3_600_000
