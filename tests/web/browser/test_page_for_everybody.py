"""The page by keyboard alone, for screen readers, in every width, language and colour, and when things go wrong."""

import re
from pathlib import Path
from typing import Any

import pytest
from driving import until
from windows import MEDIUM, NARROW, WIDE, ready

pytestmark = pytest.mark.browser

MUST_HAVE_NAMES = {
    "button", "link", "textbox", "searchbox", "combobox", "checkbox", "radio", "slider", "tab", "spinbutton", "dialog",
    "grid", "row", "img", "image", "progressbar", "region", "tablist",
}  # fmt: skip


CONTRAST = """() => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const rgba = colour => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const part = v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = c => c.slice(0, 3).reduce((sum, v, i) => sum + [.2126, .7152, .0722][i] * part(v / 255), 0);
  const behind = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      layers.push(rgba(getComputedStyle(e).backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const elsewhere = '.unseen, .stage, .mouths, :disabled, script, noscript';
  const bad = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = texts.nextNode());) {
    const element = node.parentElement, text = node.textContent.trim(), style = getComputedStyle(element);
    if (!text || !element.checkVisibility({ visibilityProperty: true }) || element.closest(elsewhere)) continue;
    const back = behind(element), front = over(rgba(style.color), back);
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x), size = parseFloat(style.fontSize);
    const need = size >= 24 || (size >= 18.5 && style.fontWeight >= 700) ? 3 : 4.5;
    if ((a + .05) / (b + .05) < need) bad.push(`${text.slice(0, 30)} ${((a + .05) / (b + .05)).toFixed(2)}`);
  }
  return bad;
}"""


def nameless(page: Any) -> list[str]:
    """What a screen reader would meet without a name."""
    client = page.context.new_cdp_session(page)
    nodes = client.send("Accessibility.getFullAXTree")["nodes"]
    found = []
    for node in nodes:
        role = node.get("role", {}).get("value", "")
        if not node.get("ignored") and role in MUST_HAVE_NAMES and not node.get("name", {}).get("value", "").strip():
            found.append(role + " " + str(node.get("properties", ""))[:80])
    return found


def contrast(page: Any) -> list[str]:
    """Texts whose colour differs too little from what is behind them (WCAG 2: 4.5, or 3 for large ones)."""
    return page.evaluate(CONTRAST)


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", [WIDE, MEDIUM, NARROW], ids=["wide", "medium", "narrow"])
def test_everything_has_a_name_and_contrast_and_fits(studio: Any, size: tuple[int, int], scheme: str) -> None:
    page = studio.open("talk/es", size, color_scheme=scheme)
    ready(page)
    for place in ("lines", "line"):
        if size != WIDE:
            page.click(f".panes button:nth-child({1 if place == 'lines' else 2})")
        assert nameless(page) == []
        assert contrast(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    assert nameless(page) == []
    assert contrast(page) == []
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="detached")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_first_screen_has_names_and_contrast(studio: Any, scheme: str) -> None:
    page = studio.open(size=NARROW, color_scheme=scheme)
    page.wait_for_selector(".card")
    assert nameless(page) == []
    assert contrast(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_from_the_list_to_a_new_take_by_keyboard(studio: Any) -> None:
    page = studio.open()
    page.wait_for_selector(".card")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('aria-label')") == "Bread, a talk":
            break
    page.keyboard.press("Enter")
    ready(page)
    page.keyboard.press("Shift+ArrowDown")
    until(page, "document.querySelector('.row.selected').dataset.line === '3'")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+a")
    page.keyboard.type("Paciencia, harina y calor.")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    assert page.input_value("#dub-text") == "Necesitan paciencia, harina y una cocina cálida."
    page.keyboard.press("Control+a")
    page.keyboard.type("Paciencia, harina y calor.")
    page.keyboard.press("Shift+Tab")
    until(page, "document.querySelector('.row.is-stale[data-line=\"3\"]') !== null")
    page.keyboard.press("r")
    until(page, "document.querySelector('.row.is-stale[data-line=\"3\"]') === null")
    assert studio.mock.projects["talk"].dubs["es"].line("3")["takes"] == 2


def test_focus_moves_with_the_selection_and_only_one_row_is_a_stop(studio: Any) -> None:
    page = studio.open("talk/es")
    ready(page)
    page.locator(".row").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    until(page, "document.activeElement.dataset.line === '3'")
    assert page.locator(".row[tabindex='0']").count() == 1
    assert page.locator(".block[tabindex='0']").count() == 1


@pytest.mark.parametrize("tongue", ["es", "fr", "de", "ja", "zh"])
def test_the_page_speaks_the_language_of_the_browser(studio: Any, tongue: str) -> None:
    page = studio.open("talk/es", locale=tongue)
    ready(page)
    assert page.get_attribute("html", "lang") == tongue
    assert "Redo" not in page.inner_text(".bar")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not re.search(r"\{\w+\}", page.inner_text("body"))


def test_language_and_colours_are_kept(studio: Any) -> None:
    page = studio.open("talk/es", color_scheme="light")
    ready(page)
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Dark").click()
    until(page, "getComputedStyle(document.body).backgroundColor === 'rgb(14, 16, 19)'")
    page.get_by_label("Language of this page").select_option("de")
    page.get_by_role("button", name="Ausgeben").wait_for()
    page.reload()
    page.get_by_role("button", name="Ausgeben").wait_for()
    until(page, "getComputedStyle(document.body).backgroundColor === 'rgb(14, 16, 19)'")


def test_texts_of_other_directions_run_their_way(studio: Any) -> None:
    studio.mock.projects["talk"].dubs["es"].line("1")["text"] = "صباح الخير جميعًا."
    page = studio.open("talk/es")
    page.wait_for_selector(".row")
    direction = "getComputedStyle(document.querySelector('.row[data-line=\"1\"] .of-dub')).direction"
    assert page.evaluate(direction) == "rtl"


def test_two_windows_that_change_one_line(studio: Any) -> None:
    first, second = studio.open("talk/es"), studio.open("talk/es")
    for page in (first, second):
        ready(page)
        page.locator(".row[data-line='2']").click()
    second.keyboard.press("Enter")
    second.keyboard.press("Control+a")
    second.keyboard.type("En la segunda.", delay=5)
    first.keyboard.press("Enter")
    first.keyboard.press("Control+a")
    first.keyboard.type("En la primera.")
    first.keyboard.press("Tab")
    told = second.get_by_role("alert")
    told.wait_for()
    assert "En la primera." in told.inner_text()
    line = studio.mock.projects["talk"].dubs["es"].line("2")
    assert line["text"] == "En la primera."
    second.get_by_role("button", name="Keep mine").click()
    until(first, "document.querySelector('.row[data-line=\"2\"] .of-dub').textContent === 'En la segunda.'")
    assert line["text"] == "En la segunda."


def test_a_change_that_meets_a_newer_one_asks(studio: Any) -> None:
    studio.allowed.append("412")
    page = studio.open("talk/es")
    ready(page)
    page.locator(".row[data-line='3']").click()
    dub = studio.mock.projects["talk"].dubs["es"]
    dub.apply([{"op": "set", "segment": "1", "fields": {"note": "from elsewhere"}}])
    page.keyboard.press(".")
    until(page, "document.querySelector('.nudge output').textContent === '+10 ms'")
    page.wait_for_timeout(200)
    assert dub.line("3")["offset"] == 0.01, "another line was changed: nobody needs to be asked"
    dub.apply([{"op": "set", "segment": "3", "fields": {"offset": 0.5}}])
    page.keyboard.press(".")
    dialog = page.get_by_role("dialog", name="Changed in another window")
    dialog.get_by_role("button", name="Take theirs").click()
    until(page, "document.querySelector('.nudge output').textContent === '+500 ms'")
    assert dub.line("3")["offset"] == 0.5


def test_a_refused_edit_says_why_and_is_taken_back(studio: Any) -> None:
    studio.allowed.append("422")
    page = studio.open("talk/es")
    ready(page)
    page.locator(".row[data-line='3']").click()
    page.fill("#line-end", "0:01.000")
    page.keyboard.press("Enter")
    page.get_by_text("end: is not after start.").first.wait_for()
    until(page, "document.querySelector('#line-end').value === '0:06.300'")


def test_a_file_becomes_a_project_only_with_consent(studio: Any, tmp_path: Path) -> None:
    film, script = tmp_path / "my_talk.mp4", tmp_path / "my_talk.fr.srt"
    film.write_bytes(bytes(9_000_000))
    script.write_text("1\n00:00:01,000 --> 00:00:02,000\nBonjour.\n", "utf-8")
    page = studio.open()
    page.wait_for_selector(".card")
    page.set_input_files("input[type=file]", film)
    dialog = page.get_by_role("dialog", name="New project")
    assert dialog.get_by_label("Name", exact=True).input_value() == "my talk"
    dialog.locator("input[type=file]").set_input_files(script)
    begin = dialog.get_by_role("button", name="Begin")
    assert begin.is_disabled()
    dialog.get_by_label("Dub into").select_option("fr")
    dialog.get_by_role("checkbox").check()
    begin.click()
    page.wait_for_selector(".row")
    assert page.title().startswith("my talk")
    sent = [kept["got"] for kept in studio.mock.uploads.values()]
    assert sent == [film.stat().st_size, script.stat().st_size]
    asked = next(body for what, _, body in studio.mock.seen if what == "create")
    assert asked == {"upload_id": "u1", "name": "my talk", "to": "fr", "consent": True, "script": "u2"}


def test_the_demo_is_made_and_opened(studio: Any) -> None:
    page = studio.open()
    page.get_by_role("button", name="Try the demo").click()
    until(page, "location.hash === '#/demo'")
    until(page, "document.querySelectorAll('.row').length === 2")


def test_it_says_that_the_studio_is_gone_and_goes_on_when_it_is_back(browser: Any, media: Any) -> None:
    from mock_studio import Mock, served
    from windows import Studio

    mock = Mock(*media, wait=0.05)
    with served(mock) as address:
        studio = Studio(
            mock, address, browser, allowed=["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED", "ERR_EMPTY"]
        )
        page = studio.open("talk/es")
        ready(page)
    page.get_by_text("The studio does not answer.").first.wait_for()
    mock.projects["talk"].dubs["es"].apply([{"op": "set", "segment": "1", "fields": {"text": "De vuelta."}}])
    with served(mock, int(address.rsplit(":", 1)[1])):
        page.locator(".away").wait_for(state="detached", timeout=15_000)
        until(page, "document.querySelector('.row[data-line=\"1\"] .of-dub').textContent === 'De vuelta.'")
        studio.close()


def test_a_page_that_nobody_sees_gives_its_connections_back(studio: Any) -> None:
    page = studio.open()
    page.clock.install()
    page.goto(f"{studio.address}/#/talk/es")
    page.wait_for_selector(".block")
    until(page, "document.querySelector('.stage .film').readyState > 1")
    hide = "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
    hide += " document.dispatchEvent(new Event('visibilitychange')); }"
    page.evaluate(hide, True)
    page.clock.run_for(31_000)
    assert page.evaluate("[...document.querySelectorAll('.stage video')].map(v => v.getAttribute('src'))") == [
        None,
        None,
    ]
    studio.mock.projects["talk"].dubs["es"].apply([{"op": "set", "segment": "1", "fields": {"text": "Entretanto."}}])
    page.evaluate(hide, False)
    page.clock.run_for(1000)
    until(page, "document.querySelector('.row[data-line=\"1\"] .of-dub').textContent === 'Entretanto.'")
    until(page, "document.querySelector('.stage .film').readyState > 1")


def test_a_picture_that_is_being_prepared_leaves_the_lines(studio: Any) -> None:
    media, ready_now = studio.mock.media, []

    def shown(request: Any) -> Any:
        if request.method == "POST":
            return studio.mock.start("view", "talk", "", lambda: ready_now.append(True), 8)
        answer = media(request)
        if not ready_now:
            answer.body = answer.body.replace(b'"ready":true', b'"ready":false')
            answer.headers["content-length"] = str(len(answer.body))
        return answer

    studio.mock.media, studio.mock.wait = shown, 0.15
    page = studio.open("talk/es")
    page.get_by_text("The picture is being prepared").wait_for()
    page.locator(".row[data-line='2']").click()
    page.keyboard.press("y")
    page.locator(".row.is-accepted[data-line='2']").wait_for()
    ready(page)
    page.get_by_text("The picture is being prepared").wait_for(state="detached")


def test_a_project_that_cannot_be_used_says_why(studio: Any) -> None:
    shown = studio.mock.shown
    source = {"name": "talk.mp4", "exists": False, "duration": None, "width": None, "height": None, "rate": None}
    problem = {"title": "Newer", "detail": "It was written by a newer lipdub.", "remedy": "Install the newest one."}
    broken = {"status": "failed", "languages": [], "people": [], "source": source, "problem": problem}
    studio.mock.shown = lambda project: shown(project) | (broken if project.id == "talk" else {})
    page = studio.open()
    page.get_by_text("It was written by a newer lipdub.").click()
    page.get_by_text("It was written by a newer lipdub. Install the newest one.").wait_for()


def test_a_source_that_is_gone_leaves_the_lines(studio: Any) -> None:
    shown = studio.mock.shown
    studio.mock.shown = lambda project: shown(project) | {"source": shown(project)["source"] | {"exists": False}}
    page = studio.open("talk/es")
    page.get_by_text("is not where it was").wait_for()
    assert page.locator(".row").count() == 8
