import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from browsing import browser_page
from measured import metric_row, write_metrics
from PIL import Image, PngImagePlugin

from ganvas.runs.curves import POINTS
from ganvas.runs.report import write_report
from ganvas.runs.report_pictures import FRAMES

COLUMNS = "real_A fake_B rec_A idt_B real_B fake_A rec_B idt_A"


def write_config(run: Path, **settings: object) -> None:
    config = {
        "method": "cyclegan",
        "settings": {"data": "sets/horses", "size": "32", "duration": "3ep", "flip": False}
        | {"lambda_A": 12.5, "seed": 12345}
        | settings,
        "changed": ["data", "size", "flip", "lambda_A"],
        "provenance": {"torch": "2.14.1", "pictures": {"trainA": 1067, "trainB": 1334}},
        "networks": {
            "G_A": {"parameters": 11378179, "layers": "Resnet(\n  (0): Conv2d<7>\n)"},
            "D_A": {"parameters": 2764737, "layers": "Patch()"},
        },
    }
    (run / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")


def line(images: int, **changes: object) -> str:
    losses = {"D_A": 0.25, "G_A": 0.5, "cycle_A": 1.5, "idt_A": 0.75}
    row = {"images": images, "iterations": images, "epoch": images / 1000, "lr": 0.0002}
    row |= {"losses": losses, "skipped": 0, "diagnosis": []}
    seconds = {"seconds": images / 20, "pictures_per_second": 20.0, "data_share": 0.01}
    return json.dumps(row | {"time": seconds | {"step_seconds": 0.05}} | changes) + "\n"


def write_preview(run: Path, images: int, columns: str = COLUMNS, cell: int = 32) -> None:
    count = len(columns.split()) or 8
    noise = Image.effect_noise((count * cell, 2 * cell), 80)
    chunks = PngImagePlugin.PngInfo()
    if columns:
        chunks.add_text("columns", columns)
        chunks.add_text("rows", "2")
        chunks.add_text("clock", str(images))
    name = f"{images // 1000:06d}.{images % 1000:03d}kimg.png"
    (run / "samples").mkdir(exist_ok=True)
    noise.convert("RGB").save(run / "samples" / name, pnginfo=chunks)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    run = tmp_path / "00007-cyclegan-horses"
    (run / "snapshots" / "latest").mkdir(parents=True)
    write_config(run)
    (run / "log.jsonl").write_text("".join(line(images) for images in range(100, 3001, 100)))
    for images in (0, 1500, 3000):
        write_preview(run, images)
    return run


class Page(HTMLParser):
    """The text that a reader sees, the elements, and the data for the script."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text("utf-8")
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(self.source)
        block = re.search(r'<script type="application/json".*?>(.*?)</script>', self.source, re.S)
        assert block
        self.data = json.loads(block[1], parse_constant=pytest.fail)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements[-1:] and self.elements[-1][0] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def curve(self, name: str) -> list[float | None]:
        return next(c["y"] for p in self.data["panels"] for c in p["curves"] if c["name"] == name)

    def charts(self) -> dict[str, list[str]]:
        """Of each chart, by its title, the names of its curves."""
        return {p["title"]: [c["name"] for c in p["curves"]] for p in self.data["panels"]}

    def gaps(self, name: str) -> list[int]:
        curves = [c for p in self.data["panels"] for c in p["curves"]]
        return next(c["gaps"] for c in curves if c["name"] == name)


def report(run: Path) -> Page:
    return Page(write_report(run))


def test_the_report_lies_in_the_run_and_nothing_is_left_beside_it(run: Path) -> None:
    before = {path.name for path in run.iterdir()}
    assert write_report(run) == run / "report.html"
    assert {path.name for path in run.iterdir()} - before == {"report.html"}


def test_the_page_needs_no_network_and_no_other_file(run: Path) -> None:
    page = report(run)
    targets = [a[key] or "" for _, a in page.elements for key in ("src", "href") if key in a]
    assert targets
    assert all(target.startswith(("data:", "#")) for target in targets)
    assert not re.search(r"https?://|@import|url\(", page.source)


def test_the_page_tells_what_was_trained_on_what_and_how_far(run: Path) -> None:
    text = report(run).text
    assert "cyclegan on horses at 32 × 32" in text
    assert "1,067 pictures of A and 1,334 pictures of B for 3 epochs (3,000 pictures shown)" in text
    assert "in 2 min 30 s" in text


def test_settings_are_shown_and_the_changed_ones_are_marked(run: Path) -> None:
    page = report(run)
    assert "lambda_A 12.5" in page.text
    assert "seed 12345" in page.text
    assert len([a for a in page.of("div") if a.get("class") == "changed"]) == 4
    assert "ganvas train cyclegan --data sets/horses --size 32 --no-flip" in page.text


def test_networks_are_shown_with_their_parameters_and_layers(run: Path) -> None:
    text = report(run).text
    for words in ("11,378,179 parameters", "2,764,737", "14,142,916", "14.1 M", "Conv2d<7>"):
        assert words in text


def test_the_newest_preview_is_cut_into_directions_with_headings_in_words(run: Path) -> None:
    page = report(run)
    assert [part["title"] for part in page.data["parts"]] == ["A → B", "B → A"]
    assert page.data["starts"] == [0, 4]
    alts = [image["alt"] for image in page.of("img")][:5]
    assert alts[:4] == [f"Input 1: {x}" for x in ("Real A", "Fake B", "Back to A", "Identity")]
    assert alts[4] == "Input 2: Real A"


@pytest.mark.parametrize("columns", ["real_A fake_B real_B", "real_A real_B fake_B"])
def test_a_true_answer_stays_beside_the_fake(run: Path, columns: str) -> None:
    write_preview(run, 4000, columns)
    assert [part["title"] for part in report(run).data["parts"]] == ["A → B"]


def test_previews_that_do_not_name_their_columns_are_shown_as_they_are(run: Path) -> None:
    shutil.rmtree(run / "samples")
    write_preview(run, 0, columns="")
    page = report(run)
    assert page.data["columns"] == []
    assert len(page.of("img")) == 1
    assert "begins with the second. The grid is shown as it is" in page.text


def test_the_film_holds_the_first_and_the_last_preview_and_has_a_most(run: Path) -> None:
    for images in range(0, 130_000, 1000):
        write_preview(run, images, cell=8)
    clocks = [frame["images"] for frame in report(run).data["film"]]
    assert len(clocks) == FRAMES
    assert (clocks[0], clocks[-1]) == (0, 129_000)
    assert clocks == sorted(set(clocks))


def test_large_previews_are_scaled_down_until_the_page_stays_small(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ganvas.runs.report_pictures.FILM", (100_000, ((256, 90), (128, 80), (64, 70)))
    )
    monkeypatch.setattr("ganvas.runs.report_pictures.CELLS", (100_000, ((128, 90), (32, 80))))
    for images in range(0, 10_000, 1000):
        write_preview(run, images, cell=128)
    page = report(run)
    assert sum(len(frame["src"]) for frame in page.data["film"]) < 120_000
    assert len(page.source) < 400_000


def test_long_logs_are_thinned_to_means_that_end_at_the_last_line(run: Path) -> None:
    count = 2 * POINTS + 7
    lines = [line(i, losses={"D_A": i % 3}) for i in range(1, count + 1)]
    (run / "log.jsonl").write_text("".join(lines))
    page = report(run)
    assert len(page.curve("D_A")) == len(page.data["axes"]["images"]) <= POINTS
    assert page.curve("D_A")[:2] == [1, 1]
    assert page.data["axes"]["images"][-1] == count
    assert "Each point is the mean of 3 lines" in page.text


def test_losses_that_are_not_finite_are_gaps_and_are_named(run: Path) -> None:
    bad = {"D_A": float("nan"), "G_A": float("inf"), "cycle_A": None, "idt_A": 1.0}
    with (run / "log.jsonl").open("a") as log:
        log.write(line(3100, losses=bad, skipped=2))
    page = report(run)
    assert [page.curve(name)[-1] for name in bad] == [None, None, None, 1.0]
    assert [page.gaps(name) for name in bad] == [[30], [30], [30], []]
    assert "G_A was not finite in 1 of 31 log lines" in page.text
    assert "2 steps skipped" in page.text


def test_a_loss_of_a_player_that_did_not_move_is_no_gap(run: Path) -> None:
    losses = [{"D_A": 1.0} | ({"G_A": 2.0} if i % 5 == 0 else {}) for i in range(1, 11)]
    lines = [line(100 * i, losses=each) for i, each in enumerate(losses, 1)]
    (run / "log.jsonl").write_text("".join(lines))
    page = report(run)
    assert [i for i, y in enumerate(page.curve("G_A")) if y is not None] == [4, 9]
    assert page.gaps("G_A") == []
    assert "not finite" not in page.text


def test_the_last_step_that_each_player_skipped_is_named(run: Path) -> None:
    with (run / "log.jsonl").open("a") as log:
        log.write(line(3100, skipped=3, skipped_at={"G": 900, "D": 1234}))
    assert "3 steps skipped (last: D in step 1,234, G in step 900), because" in report(run).text


def test_every_loss_and_figure_has_its_chart(run: Path) -> None:
    losses = {"D_A": 1.0, "G_A": 1.0, "cycle_A": 1.0, "idt_A": 1.0, "D_B": 1.0, "G_B": 1.0}
    losses |= {"D_A_gp": 1.0, "D_B_r1": 1.0, "G_L1": 1.0}
    vitals = {"G gradient": 3.0, "D_A real": 1.0, "D_A fake": -1.0, "D_A order": 0.9}
    vitals |= {"D_B real": 1.0, "D_B fake": -1.0, "D_B order": 0.7, "D gradient": 5.0, "odd": 1.0}
    (run / "log.jsonl").write_text(line(100, losses=losses, vitals=vitals))
    assert report(run).charts() == {
        "Adversarial losses": ["D_A", "D_B", "G_A", "G_B"],
        "Other losses": ["G_L1", "cycle_A", "idt_A"],
        "Penalties": ["D_A_gp", "D_B_r1"],
        "How often discriminators are right": ["D_A", "D_B"],
        "Mean scores": ["D_A real", "D_A fake", "D_B real", "D_B fake"],
        "Gradient norms": ["D", "G"],
        "Other figures": ["odd"],
        "Learning rate": ["learning rate"],
        "Pictures per second": ["pictures per second"],
    }


def test_cycle_and_identity_losses_are_called_so(run: Path) -> None:
    page = report(run)
    assert page.charts()["Cycle and identity losses"] == ["cycle_A", "idt_A"]
    assert "How often discriminators are right" not in page.text


def test_skipped_steps_are_the_count_that_the_log_ends_with(run: Path) -> None:
    counts = [0, 1, 1, 4]
    lines = [line(100 * i, skipped=count) for i, count in enumerate(counts, 1)]
    (run / "log.jsonl").write_text("".join(lines))
    assert "4 steps skipped" in report(run).text


def test_remarks_are_said_once_and_the_present_ones_before_the_past(run: Path) -> None:
    remarks = {1000: ["D is winning."], 1500: ["D is winning."], 3000: ["The colours are turned."]}
    lines = [line(i, diagnosis=remarks.get(i, [])) for i in range(500, 3001, 500)]
    (run / "log.jsonl").write_text("".join(lines))
    text = report(run).text
    assert text.count("D is winning.") == 1
    assert text.index("The colours are turned.") < text.index("no longer") < text.index("D is win")
    assert "1 kimg to 1.5 kimg" in text


def test_steps_logged_again_after_a_resume_take_the_place_of_the_old_ones(run: Path) -> None:
    with (run / "log.jsonl").open("a") as log:
        log.write(line(2500, lr=0.0001) + line(2600, lr=0.0001))
    page = report(run)
    assert page.data["axes"]["images"][-3:] == [2400, 2500, 2600]
    assert page.curve("learning rate")[-3:] == [0.0002, 0.0001, 0.0001]


@pytest.mark.parametrize("rest", ['{"images": 3100, "lo', '{"images"', "[1", "7", "\x00\x00"])
def test_a_last_line_that_is_cut_off_is_left_out_and_said(run: Path, rest: str) -> None:
    with (run / "log.jsonl").open("a") as log:
        log.write(rest)
    page = report(run)
    assert page.data["axes"]["images"][-1] == 3000
    assert "damaged lines of log.jsonl, left out here: 1." in page.text


def test_a_preview_that_is_half_written_is_left_out_and_said(run: Path) -> None:
    whole = (run / "samples" / "000003.000kimg.png").read_bytes()
    (run / "samples" / "000004.000kimg.png").write_bytes(whole[: len(whole) // 2])
    page = report(run)
    assert [frame["images"] for frame in page.data["film"]] == [0, 1500, 3000]
    assert "left out here: 000004.000kimg.png" in page.text


@pytest.mark.parametrize(
    ("piece", "sentence"),
    [
        ("config.yaml", "the settings are not known"),
        ("log.jsonl", "Nothing is logged yet"),
        ("samples", "There are no previews yet"),
        ("snapshots", "No snapshot yet"),
    ],
)
def test_a_missing_piece_is_said_and_the_rest_is_shown(
    run: Path, piece: str, sentence: str
) -> None:
    path = run / piece
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    page = report(run)
    assert sentence in page.text
    assert ("11,378,179" in page.text) == (piece != "config.yaml")
    assert bool(page.data["film"]) == (piece != "samples")
    assert bool(page.data["axes"]) == (piece != "log.jsonl")


def test_an_empty_folder_gives_a_page_that_says_what_it_lacks(tmp_path: Path) -> None:
    text = report(tmp_path).text
    assert all(words in text for words in ("Nothing is logged yet", "no previews", "No snapshot"))


@pytest.mark.parametrize("text", ["", "[]", "settings: {data: [", "changed: 3\nnetworks: [1]"])
def test_a_config_of_the_wrong_shape_does_no_harm(run: Path, text: str) -> None:
    (run / "config.yaml").write_text(text)
    assert report(run).data["film"]


def test_a_run_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="nowhere"):
        write_report(tmp_path / "nowhere")


def test_text_of_the_run_cannot_become_markup(run: Path) -> None:
    evil = "</script><script>alert(1)</script>"
    scripts = len(report(run).of("script"))
    write_config(run, data=f"x/{evil}", note=evil)
    with (run / "log.jsonl").open("a") as log:
        log.write(line(3100, losses={evil: 1.0}, diagnosis=[evil]))
    write_preview(run, 3100, f"real_{evil} fake_B")
    page = report(run)
    assert len(page.of("script")) == scripts
    assert "<script>alert" not in page.source
    assert page.curve(evil)[-1] == 1.0


def test_evaluations_are_a_table_where_there_are_any(run: Path) -> None:
    assert "Metrics" not in report(run).text
    write_metrics(run, metric_row(41.25, extractor={"recipe": "seen", "sha256": "ab12"}))
    text = report(run).text
    assert "FD-own@1a2b3c4d ↓ lower is better 41.25" in text
    assert "recipe seen, sha256 ab12" in text


def test_the_page_works_in_a_browser(run: Path) -> None:
    with browser_page() as page:
        page.goto(write_report(run).as_uri())

        page.locator("#slider").fill("1")
        assert page.text_content("#clock") == "1.5 kimg · epoch 1.50"
        page.keyboard.press("ArrowRight")
        assert page.text_content("#clock") == "3 kimg · epoch 3.00"

        curves = page.locator(".chart").first.locator("path.line")
        assert curves.count() == 2
        page.locator(".legend button").first.click()
        assert curves.count() == 1

        page.locator(".plot").first.scroll_into_view_if_needed()
        box = page.locator(".plot").first.bounding_box()
        assert box
        middle = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + 150, middle)
        page.mouse.down()
        page.mouse.move(box["x"] + 300, middle, steps=3)
        page.mouse.up()
        assert page.is_visible("#unzoom")
        page.locator("#axis label", has_text="epochs").click()
        page.mouse.move(box["x"] + 200, middle)
        assert "epoch" in (page.locator(".at-x").first.text_content() or "")
        page.mouse.dblclick(box["x"] + 200, middle)
        assert not page.is_visible("#unzoom")


def test_a_remark_whose_figures_change_is_one_remark(tmp_path: Path) -> None:
    lines = [
        {"images": 100 * i, "losses": {}, "diagnosis": [f"D wins: in 100 % of pairs, by {i}.5"]}
        for i in (1, 2, 3)
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = write_report(tmp_path).read_text()
    assert "by 3.5" in page
    assert "by 1.5" not in page


def test_a_metric_has_its_last_and_best_value_and_where_that_lies(run: Path) -> None:
    rows = [metric_row(value, images) for images, value in ((1000, 50.0), (2000, 30.0))]
    write_metrics(run, *rows, metric_row(40.0, 3000, error=1.5, notes=["few pictures"]))
    text = report(run).text
    assert "lower is better 40.0 ± 1.5 at 3 kimg 30 at 2 kimg 3 200 real and 200 gen" in text
    assert "Note: few pictures." in text
    assert "where the last value comes from" in text
    assert f"fingerprint {'ab' * 32}" in text


def test_a_metric_has_a_curve_with_a_mark_at_the_best(run: Path) -> None:
    rows = [metric_row(value, images) for images, value in ((1000, 50.0), (2050, 30.0))]
    write_metrics(run, *rows, metric_row(40.0, 3000, error=1.5))
    page = report(run)
    xs = page.data["axes"]["images"]
    assert 2050 in xs
    assert page.data["axes"]["epochs"][xs.index(2050)] == pytest.approx(2.05)
    panel = page.data["panels"][0]
    assert panel["title"] == "FD-own@1a2b3c4d"
    (curve,) = panel["curves"]
    points = {x: y for x, y in zip(xs, curve["y"], strict=True) if y is not None}
    assert points == {1000: 50.0, 2050: 30.0, 3000: 40.0}
    assert xs[curve["best"]] == 2050
    assert curve["errors"][xs.index(3000)] == 1.5
    # The curves of the log go on over the place that it lacks.
    assert page.curve("D_A")[xs.index(2050)] is None
    assert page.gaps("D_A") == []


def test_values_found_otherwise_are_lines_and_curves_of_their_own(run: Path) -> None:
    ways = [{"direction": "AtoB"}, {"direction": "BtoA"}, {"direction": "AtoB", "fake": 1000}]
    write_metrics(run, *(metric_row(5.0, x, **way) for way in ways for x in (1000, 2000)))
    page = report(run)
    names = ["AtoB, generated 200", "BtoA, generated 200", "AtoB, generated 1000"]
    assert page.charts()["FD-own@1a2b3c4d"] == names
    assert page.text.count("lower is better the") + page.text.count("lower is better 5 at") == 3


def test_one_evaluation_has_no_curve(run: Path) -> None:
    write_metrics(run, metric_row(5.0))
    assert "FD-own@1a2b3c4d" not in report(run).charts()


def test_evaluations_without_a_log_are_shown_with_their_curve(tmp_path: Path) -> None:
    write_metrics(tmp_path, metric_row(5.0, 1000), metric_row(4.0, 2000))
    page = report(tmp_path)
    assert page.data["axes"] == {"images": [1000, 2000]}
    assert page.charts() == {"FD-own@1a2b3c4d": [""]}


@pytest.mark.parametrize(("images", "shown"), [(2000, True), (1500, False)])
def test_the_best_snapshot_is_named_where_its_metric_is_known(
    run: Path, images: int, shown: bool
) -> None:
    write_metrics(run, metric_row(30.0, 2000), metric_row(40.0, 3000))
    best = run / "snapshots" / "best"
    best.mkdir()
    (best / "model.json").write_text(json.dumps({"clock": {"images": images}}))
    assert ("Best snapshot 2 kimg FD-own@1a2b3c4d 30" in report(run).text) == shown


def test_the_best_snapshot_is_told_by_what_the_training_kept_it_for(run: Path) -> None:
    ways = [{"key": "kd", "metric": "KD", "direction": way} for way in ("AtoB", "BtoA")]
    training = [
        metric_row(n + 2.0, 2000, when="training", fake=50, **w) for n, w in enumerate(ways)
    ]
    write_metrics(run, metric_row(9.0, 2000), *training, metric_row(7.0, 2000, **ways[0]))
    (run / "snapshots" / "best").mkdir()
    about = json.dumps({"clock": {"images": 2000}})
    (run / "snapshots" / "best" / "model.json").write_text(about)
    assert "Best snapshot 2 kimg KD AtoB 2, BtoA 3" in report(run).text
    write_config(run, best_by="fd")
    write_metrics(run, *training, metric_row(9.0, 2000, when="training"))
    assert "Best snapshot 2 kimg FD-own@1a2b3c4d 9" in report(run).text


def test_the_best_value_is_ringed_in_a_browser(run: Path) -> None:
    write_metrics(run, *(metric_row(v, x, error=2.0) for x, v in ((1000, 9.0), (2000, 5.0))))
    with browser_page() as page:
        page.goto(write_report(run).as_uri())
        chart = page.locator(".chart[data-panel='FD-own@1a2b3c4d']")
        assert chart.locator("circle.best title").text_content() == "best: 5"
        assert chart.locator("line.error").count() == 2
        page.locator("#metrics summary").click()
        assert page.locator("#metrics .origin").is_visible()
