"""The study's page, with real clicks and keys in a browser."""

from pathlib import Path
from typing import Any

from browsing import browser_page
from studying import SHORT, held

from ganvas.evaluation.study.answers import Answers
from ganvas.evaluation.study.protocol import Protocol, plan

ASKED = "#trial:not([hidden]) #stage[data-shows=ask]"


def trials_of(run: Path) -> list[dict[str, Any]]:
    return [row for row in Answers.all(run)[0].rows if "trial" in row]


def right_keys(number: int, protocol: Protocol = SHORT) -> list[str]:
    """What to press to be right in every trial."""
    return ["1" if t.real_first else "2" for t in plan(protocol, number, 12, 12, same=False)]


def appears(page: Any, selector: str) -> None:
    # Not wait_for_function: the page forbids evaluated code.
    page.wait_for_selector(selector, state="attached")


def test_a_whole_session_by_keyboard_alone(tmp_path: Path):
    keys = right_keys(0)
    with held(tmp_path) as server, browser_page() as page:
        page.goto(server.url)
        appears(page, "#name:focus")
        page.keyboard.type("Ann")
        page.keyboard.press("Enter")
        for at, key in enumerate(keys):
            if at == SHORT.practice:
                appears(page, "#go-on:focus")
                assert page.text_content("#pause-title") == "The practice is over"
                page.keyboard.press("Enter")
            appears(page, ASKED)
            wrong = "2" if key == "1" else "1"
            # Wrong in the first practice trial; by an arrow in the second.
            arrow = {"1": "ArrowLeft", "2": "ArrowRight"}[key]
            page.keyboard.press([wrong, arrow][at] if at < 2 else key)
            if at < SHORT.practice:
                appears(page, "#stage[data-shows=feedback] #next:focus")
                verdict = page.text_content("#verdict") or ""
                assert verdict.startswith("✗ Wrong" if at == 0 else "✓ Right")
                page.keyboard.press("Enter")
        appears(page, "#thanks:not([hidden])")
        assert "0 of 4 generated pictures" in (page.text_content("#result") or "")
    rows = trials_of(tmp_path)
    assert [row["right"] for row in rows] == [False] + [True] * (SHORT.length - 1)
    assert all(row["reaction_ms"] > 0 and row["looks"] == 1 for row in rows)
    assert not any(row["early"] for row in rows)


def test_a_whole_session_by_clicks_on_a_phone(tmp_path: Path):
    with held(tmp_path) as server, browser_page(360, 640) as page:
        page.goto(server.url)
        page.click("#welcome button")
        for at in range(SHORT.length):
            if at == SHORT.practice:
                page.click("#go-on")
            appears(page, ASKED)
            assert page.text_content("#count") in (
                f"Practice {at + 1} of 2",
                f"Pair {at - 1} of 6",
            )
            assert page.evaluate("document.documentElement.scrollWidth") == 360
            page.click("#say-first" if at % 2 else "#say-second")
            if at < SHORT.practice:
                page.click("#next")
        appears(page, "#thanks:not([hidden])")
        page.click("#another")
        appears(page, "#welcome:not([hidden])")
    assert [row["answer"] for row in trials_of(tmp_path)] == ["second", "first"] * 4


def test_each_picture_is_shown_alone_in_its_turn_for_its_time(tmp_path: Path):
    protocol = Protocol(trials=2, practice=0, catch=0, seconds=1)
    with held(tmp_path, protocol) as server, browser_page() as page:
        page.goto(server.url)
        page.click("#welcome button")
        for shown, hidden in (("first", "second"), ("second", "first")):
            appears(page, f"#stage[data-shows={shown}]")
            assert page.is_visible(f"#{shown}")
            assert not page.is_visible(f"#{hidden}")
            assert not page.is_visible("#say-first")
            # Too soon: no question is asked yet.
            page.keyboard.press("1")
        appears(page, ASKED)
        assert not page.is_visible("#first")
        assert not page.is_visible("#second")
        page.keyboard.press("2")
        appears(page, "#stage[data-shows=first]")
    (row,) = trials_of(tmp_path)
    assert row["answer"] == "second"
    # In whole frames, of which a browser on a busy machine may leave some out: never less.
    assert all(shown > 980 for shown in row["shown_ms"])


def test_a_page_that_is_loaded_again_goes_on(tmp_path: Path):
    with held(tmp_path) as server, browser_page() as page:
        page.goto(server.url)
        page.click("#welcome button")
        appears(page, ASKED)
        page.keyboard.press("1")
        appears(page, "#stage[data-shows=feedback]")
        page.reload()
        appears(page, "#pause:not([hidden])")
        assert page.text_content("#pause-text") == f"1 of {SHORT.length} pairs are done."
        page.keyboard.press("Enter")
        appears(page, ASKED)
        assert page.text_content("#count") == "Practice 2 of 2"


def test_a_session_that_the_server_has_forgotten_begins_anew(tmp_path: Path):
    with held(tmp_path) as server, browser_page(expected="404") as page:
        page.goto(server.url)
        page.click("#welcome button")
        appears(page, ASKED)
        assert server.study
        server.study.sessions.clear()
        page.keyboard.press("1")
        appears(page, "#problem:not([hidden])")
        assert "there is no such session" in (page.text_content("#why") or "")
        page.click("#again")
        appears(page, "#welcome:not([hidden])")


def test_an_answer_that_did_not_arrive_can_be_sent_again(tmp_path: Path):
    with held(tmp_path) as server, browser_page(expected="ERR_INTERNET_DISCONNECTED") as page:
        page.goto(server.url)
        page.click("#welcome button")
        appears(page, ASKED)
        page.context.set_offline(True)
        page.keyboard.press("2")
        appears(page, "#problem:not([hidden])")
        assert "cannot be reached" in (page.text_content("#why") or "")
        assert trials_of(tmp_path) == []
        page.context.set_offline(False)
        page.keyboard.press("Enter")
        appears(page, "#stage[data-shows=feedback]")
    assert [row["answer"] for row in trials_of(tmp_path)] == ["second"]
