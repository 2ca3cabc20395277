"""The page of a project, driven as people do: play, step, edit, undo, hear, redo, choose, export."""

import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from driving import until

pytestmark = pytest.mark.browser

FRAME = ".readout .fr"


def frame_of(page: Any) -> int:
    return int(page.inner_text(FRAME))


def settled(page: Any) -> None:
    """Until no seek and no edit is under way."""
    until(page, "![...document.querySelectorAll('video')].some(v => v.seeking)")
    page.wait_for_timeout(120)


def row(page: Any, ident: str) -> Any:
    return page.locator(f".row[data-line='{ident}']")


def block(page: Any, ident: str) -> Any:
    return page.locator(f".block[data-line='{ident}']")


def line(studio: Any, ident: str) -> dict[str, Any]:
    return studio.mock.projects["talk"].dubs["es"].line(ident)


def saved(page: Any, studio: Any, of: Callable[[], Any], wanted: Any) -> None:
    """Waits until the studio has ``wanted``."""
    for _ in range(400):
        if of() == wanted:
            return
        page.wait_for_timeout(25)
    assert of() == wanted


def test_a_project_is_opened_from_the_list(studio: Any) -> None:
    page = studio.open()
    page.click("text=Bread, a talk")
    page.wait_for_selector(".row")
    assert page.locator(".row").count() == 8
    assert page.locator(".block").count() == 8
    assert page.locator(".head b").all_inner_texts() == ["Ana", "Ben", "Off screen"]
    assert page.title() == "Bread, a talk – lipdub"
    assert page.locator("[role=tab]").all_inner_texts()[0].startswith("Spanish")


def test_steps_and_seeks_show_the_frame_that_they_say(talk: Any, shown_frames: Any) -> None:
    chance = random.Random(4)
    for _ in range(3):
        talk.keyboard.press("ArrowRight")
    settled(talk)
    assert frame_of(talk) == 3
    assert shown_frames(talk) == [3, 3]
    talk.keyboard.press("Shift+ArrowRight")
    talk.keyboard.press("ArrowLeft")
    settled(talk)
    assert shown_frames(talk) == [12, 12]
    assert talk.inner_text(".readout .tc") == "10:00:00:12"
    box = talk.locator(".space").bounding_box()
    for _ in range(6):
        talk.mouse.click(box["x"] + chance.uniform(5, 1200), box["y"] + 12)
        settled(talk)
        assert shown_frames(talk) == [frame_of(talk)] * 2


def test_it_plays_both_together_and_stops(talk: Any, shown_frames: Any) -> None:
    talk.keyboard.press("Space")
    until(talk, "document.querySelector('video.film').currentTime > 0.6")
    film, source = talk.evaluate("[...document.querySelectorAll('video')].map(v => v.currentTime)")
    talk.keyboard.press("Space")
    assert abs(film - source) < 0.2
    assert talk.evaluate("[...document.querySelectorAll('video')].map(v => v.muted)") == [False, True]
    talk.keyboard.press("a")
    assert talk.evaluate("[...document.querySelectorAll('video')].map(v => v.muted)") == [True, False]
    settled(talk)
    assert talk.evaluate("[...document.querySelectorAll('video')].every(v => v.paused)")


def test_a_line_is_looped_with_two_seconds_around_it(talk: Any) -> None:
    row(talk, "2").click()
    talk.keyboard.press("/")
    until(talk, "document.querySelector('video.film').currentTime > 0.3")
    assert talk.get_attribute(".transport [aria-label^='Loop']", "aria-pressed") == "true"
    talk.evaluate("document.querySelector('video.film').currentTime = 5.68")
    until(talk, "document.querySelector('video.film').currentTime < 2")
    talk.keyboard.press("Space")


def test_views_and_speeds_have_keys(talk: Any) -> None:
    for key, mode in zip("12345", ("wipe", "side", "difference", "source", "dub"), strict=True):
        talk.keyboard.press(key)
        assert f"mode-{mode}" in talk.get_attribute(".stage", "class")
    talk.keyboard.press("[")
    assert talk.evaluate("document.querySelector('video.film').playbackRate") == 0.5
    talk.keyboard.press("1")
    slider = talk.get_by_role("slider", name="Position of the wipe")
    slider.focus()
    for _ in range(5):
        talk.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuenow") == "60"
    talk.keyboard.press("z")
    assert talk.locator(".mouths canvas").count() == 2
    until(talk, "[...document.querySelectorAll('.mouths canvas')].every(canvas => canvas.toDataURL().length > 9000)")


def test_a_text_is_written_undone_and_done_again(talk: Any, studio: Any) -> None:
    row(talk, "2").click()
    talk.keyboard.press("Enter")
    talk.keyboard.type(" Y de agua.")
    talk.keyboard.press("Tab")
    text = "Hoy hablamos de pan. Y de agua."
    saved(talk, studio, lambda: line(studio, "2")["text"], text)
    talk.wait_for_selector(".row.is-stale[data-line='2']")
    row(talk, "2").click()
    talk.keyboard.press("Control+z")
    saved(talk, studio, lambda: line(studio, "2")["text"], "Hoy hablamos de pan.")
    talk.keyboard.press("Control+Shift+Z")
    saved(talk, studio, lambda: line(studio, "2")["text"], text)


def test_an_unfinished_text_is_saved_by_itself_and_is_one_step_of_undo(talk: Any, studio: Any) -> None:
    row(talk, "2").click()
    talk.keyboard.press("e")
    talk.keyboard.type(" Uno")
    saved(talk, studio, lambda: line(studio, "2")["text"], "Hoy hablamos de pan. Uno")
    talk.keyboard.type(" dos")
    saved(talk, studio, lambda: line(studio, "2")["text"], "Hoy hablamos de pan. Uno dos")
    talk.click(".line-panel h2")
    talk.click("header [aria-label^='Undo']")
    saved(talk, studio, lambda: line(studio, "2")["text"], "Hoy hablamos de pan.")


def test_an_edge_is_dragged_and_snaps_to_speech(talk: Any, studio: Any) -> None:
    block(talk, "2").click()
    box = block(talk, "2").bounding_box()
    scale = box["width"] / 1.5
    x, y = box["x"] + box["width"] - 2, box["y"] + 15
    talk.mouse.move(x, y)
    talk.mouse.down()
    talk.mouse.move(x + 40, y, steps=4)
    talk.mouse.move(x + 0.3 * scale - 2, y, steps=4)
    assert talk.locator(".snap").count() == 1
    talk.mouse.up()
    saved(talk, studio, lambda: line(studio, "2")["end"], 4.0)
    assert line(studio, "2")["start"] == 2.2
    talk.keyboard.press("Control+z")
    saved(talk, studio, lambda: line(studio, "2")["end"], 3.7)


def test_a_whole_line_is_dragged_and_escape_takes_it_back(talk: Any, studio: Any) -> None:
    box = block(talk, "4").bounding_box()
    x, y = box["x"] + 40, box["y"] + 15
    for escape in (True, False):
        talk.mouse.move(x, y)
        talk.mouse.down()
        talk.keyboard.down("Alt")
        talk.mouse.move(x + 20, y, steps=3)
        talk.mouse.move(x + 31, y)
        if escape:
            talk.keyboard.press("Escape")
        talk.mouse.up()
        talk.keyboard.up("Alt")
        settled(talk)
        moved = line(studio, "4")["start"] - 6.6
        assert (moved == 0) if escape else (0.2 < moved < 0.7)
    assert line(studio, "4")["end"] - line(studio, "4")["start"] == pytest.approx(1.3)


def test_nudges_are_one_step_of_undo(talk: Any, studio: Any) -> None:
    row(talk, "3").click()
    for key in (".", ".", "Shift+.", ","):
        talk.keyboard.press(key)
    saved(talk, studio, lambda: round(line(studio, "3")["offset"], 3), 0.11)
    assert talk.inner_text(".nudge output") == "+110 ms"
    talk.keyboard.press("Control+z")
    saved(talk, studio, lambda: line(studio, "3")["offset"], 0)


def test_split_and_merge_at_the_playhead(talk: Any, studio: Any) -> None:
    row(talk, "3").click()
    settled(talk)
    talk.keyboard.press("s")
    talk.wait_for_selector(".toast.bad")
    for _ in range(3):
        talk.keyboard.press("Shift+ArrowRight")
    settled(talk)
    talk.keyboard.press("s")
    talk.wait_for_selector(".row[data-line='9']")
    assert line(studio, "3")["end"] == line(studio, "9")["start"] == pytest.approx(5.22, abs=0.03)
    talk.keyboard.press("m")
    row(talk, "9").wait_for(state="detached")
    assert line(studio, "3")["end"] == 6.3
    talk.keyboard.press("Control+z")
    row(talk, "9").wait_for()
    talk.keyboard.press("Control+z")
    row(talk, "9").wait_for(state="detached")
    assert line(studio, "3")["text"] == "Necesitan paciencia, harina y una cocina cálida."


def test_a_click_on_a_waveform_selects_the_line_there(talk: Any) -> None:
    space, five = talk.locator(".space").bounding_box(), block(talk, "5").bounding_box()
    talk.mouse.click(five["x"] + 30, space["y"] + space["height"] - 20)
    until(talk, "document.querySelector('.row.selected').dataset.line === '5'")


def test_ranges_are_excluded_by_marks(talk: Any, studio: Any) -> None:
    ranges = lambda: [(r["start"], r["end"]) for r in studio.mock.projects["talk"].ranges]  # noqa: E731
    row(talk, "2").click()
    settled(talk)
    talk.keyboard.press("i")
    talk.keyboard.press("Shift+ArrowRight")
    settled(talk)
    talk.keyboard.press("o")
    talk.keyboard.press("Shift+E")
    saved(talk, studio, lambda: [tuple(round(t, 1) for t in r) for r in ranges()], [(2.2, 2.6)])
    talk.wait_for_selector(".range")
    talk.keyboard.press("Control+z")
    saved(talk, studio, ranges, [])
    talk.locator(".range").wait_for(state="detached")


def test_a_face_gets_the_line(talk: Any, studio: Any) -> None:
    row(talk, "1").click()
    talk.keyboard.press("p")
    talk.get_by_role("button", name="Line 1 is said by Ben").click()
    saved(talk, studio, lambda: line(studio, "1")["person"], "2")
    talk.wait_for_selector(".face.says")


def test_verdicts_filters_and_notes(talk: Any, studio: Any) -> None:
    row(talk, "3").click()
    talk.keyboard.press("y")
    saved(talk, studio, lambda: line(studio, "3")["verdict"], "accepted")
    talk.keyboard.press("ArrowDown")
    talk.keyboard.press("n")
    saved(talk, studio, lambda: line(studio, "4")["leave"], True)
    talk.wait_for_selector(".block.is-left[data-line='4']")
    assert talk.get_attribute(".checked", "aria-label") == "3 of 8 checked"
    talk.click("text=Flagged")
    assert [r.get_attribute("data-line") for r in talk.locator(".row").all()] == ["5"]
    talk.click("text=All")
    talk.keyboard.press("t")
    talk.keyboard.type("Ask Ana")
    talk.keyboard.press("Escape")
    saved(talk, studio, lambda: line(studio, "4")["note"], "Ask Ana")
    talk.fill(".find", "ask ana")
    assert talk.locator(".row").count() == 1


def test_hearing_a_line_plays_it_with_the_picture(talk: Any, studio: Any) -> None:
    studio.mock.wait = 0.5
    row(talk, "3").click()
    talk.keyboard.press("h")
    talk.wait_for_selector(".actions button:has-text('Speaking')")
    until(
        talk, "document.querySelector('video.film').currentTime > 4.1 && !document.querySelector('video.film').paused"
    )
    assert talk.evaluate("[...document.querySelectorAll('video')].map(v => v.muted)") == [True, True]
    talk.keyboard.press("Space")
    settled(talk)
    assert talk.evaluate("document.querySelector('video.film').muted") is False


def test_stale_lines_are_made_again_after_their_cost_was_told(talk: Any, studio: Any) -> None:
    studio.mock.wait = 0.15
    talk.click("text=Redo 1 line")
    panel = talk.get_by_role("dialog", name="Redo 1 line")
    panel.get_by_text("This takes about 39 seconds.").wait_for()
    panel.get_by_role("button", name="Make 1 line again").click()
    talk.wait_for_selector(".making [role=progressbar]")
    talk.wait_for_selector(".all-made")
    assert ("redo", "talk", ["6"]) in studio.mock.seen
    assert line(studio, "6")["state"] == "made"
    assert "done" in talk.inner_text("#live")


def test_a_job_is_cancelled(talk: Any, studio: Any) -> None:
    studio.mock.wait = 0.3
    row(talk, "2").click()
    talk.keyboard.press("r")
    talk.click("[aria-label='1 job in work']")
    talk.locator(".panel.wide").get_by_role("button", name=re.compile("Cancel: Making")).click()
    talk.wait_for_selector(".job.is-cancelled")
    assert line(studio, "2")["takes"] == 1


def test_another_take_of_a_line_that_did_not_change_has_another_seed(talk: Any, studio: Any) -> None:
    row(talk, "1").click()
    talk.locator(".take").nth(1).wait_for()
    talk.get_by_role("button", name="Another take").click()
    talk.locator(".take").nth(2).wait_for()
    assert ("redo", "talk", ["1"]) in studio.mock.seen
    assert ("changes", "talk", {"seed": 2}) in studio.mock.seen


def test_takes_are_compared_and_chosen(talk: Any, studio: Any) -> None:
    row(talk, "1").click()
    takes = talk.locator(".take")
    takes.nth(1).wait_for()
    assert takes.count() == 2
    assert "in use" in takes.nth(1).inner_text()
    talk.get_by_role("button", name="Use take 1").click()
    saved(talk, studio, lambda: line(studio, "1")["take"], 1)
    talk.wait_for_selector(".take:first-child.chosen")


def test_an_export_is_downloaded(talk: Any, studio: Any) -> None:
    talk.get_by_role("button", name="Export").click()
    with talk.expect_download() as download:
        talk.get_by_role("button", name="OpenTimelineIO").click()
    assert download.value.url.endswith("/v1/files/token-of-the-export")
    assert ("export", "talk", "otio") in studio.mock.seen


def test_another_language_is_opened_and_added(talk: Any) -> None:
    talk.get_by_role("tab", name="French").click()
    until(talk, "document.querySelectorAll('.row').length === 5")
    talk.get_by_role("button", name="Add a language").click()
    dialog = talk.get_by_role("dialog", name="Add a language")
    dialog.get_by_text("Translate", exact=True).click()
    dialog.get_by_role("combobox").select_option("de")
    dialog.get_by_role("button", name="Add a language").click()
    talk.get_by_role("tab", name="German").click()
    until(talk, "document.querySelectorAll('.row').length === 6")


def test_a_script_that_is_html_stays_text(studio: Any) -> None:
    line(studio, "1")["text"] = "<img src=x onerror=alert(1)> & <b>"
    page = studio.open("talk/es")
    page.wait_for_selector(".row")
    assert row(page, "1").locator(".of-dub").inner_text() == "<img src=x onerror=alert(1)> & <b>"


def test_five_hundred_lines_are_not_five_hundred_elements(studio: Any) -> None:
    page = studio.open("long/es")
    page.wait_for_selector(".row")
    assert page.locator(".row").count() < 40
    assert page.get_attribute(".list", "aria-rowcount") == "500"
    page.locator(".row").first.click()
    page.locator(".list").evaluate("list => { list.scrollTop = 400 * 68; }")
    page.wait_for_selector(".row[data-line='402']")
    row(page, "402").click()
    page.wait_for_selector(".block.selected[data-line='402']")
    assert page.locator(".block").count() < 60
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")


def test_a_person_gets_a_name(talk: Any, studio: Any) -> None:
    talk.get_by_role("button", name="Ben: name, same person as …").click()
    dialog = talk.get_by_role("dialog", name="Ben")
    dialog.get_by_label("Name", exact=True).fill("Benno")
    dialog.get_by_role("button", name="Save").click()
    until(talk, "[...document.querySelectorAll('.head b')].map(b => b.textContent).join() === 'Ana,Benno,Off screen'")
    assert studio.mock.projects["talk"].names["2"] == "Benno"
