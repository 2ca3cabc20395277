"""A real Chromium shows exactly the frame that was asked for: in the studio, of files and of proxies, and in the review
page, of films that play at a varying rate and of slowed ones, too. The frames carry their number in the picture."""

import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from browser_page import BrowserPage, browser_page
from media_files import Extra, make_video

from lipdub.edit.frame_table import frame_table as table_of
from lipdub.media.embedded_timecode import embedded_timecode
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.review.page import PageFrames, page
from lipdub.review.report import MediaFile, Recipe, Report
from lipdub.timeline.clip import Clip
from lipdub.timeline.clip_length import LengthChange, slowed
from lipdub.timeline.picture import Window
from lipdub.web.media.frames import frame_table
from lipdub.web.media.view import make_view, view_of

pytestmark = pytest.mark.browser

REORDERED = (("crf", "20"), ("preset", "medium"), ("bf", "3"), ("g", "100"))
IN_ORDER = (("crf", "20"), ("preset", "medium"), ("bf", "0"), ("g", "100"))
COUNT, SEEKS = 240, 80
EVERY = Fraction(1, 90000)


def varying(count: int, seed: int = 1) -> tuple[int, ...]:
    """Time stamps of frames that last 17 to 133 ms."""
    steps = random.Random(seed).choices([1500, 3000, 3003, 4500, 6000, 12000], k=count)
    return tuple(np.cumsum([0, *steps[:-1]]).tolist())


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserPage]:
    with browser_page(tmp_path_factory.mktemp("clips")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def no_errors(shown: BrowserPage) -> Iterator[None]:
    yield
    told, shown.errors[:] = list(shown.errors), []
    assert told == []


def some(count: int, of: int, seed: int = 7) -> list[int]:
    return [random.Random(seed + n).randrange(of) for n in range(count)]


def wrong(seeks: list[list[float]]) -> list[tuple[float, float, float]]:
    """What differs among [wanted, told, shown in the picture]."""
    return [(wanted, told, seen) for wanted, told, seen, _ in seeks if not wanted == told == seen]


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(60000, 1001)])
def test_frames_that_last_equally_long(shown: BrowserPage, rate: Fraction) -> None:
    clip = shown.folder / f"{float(rate):.3f}.mp4"
    make_video(clip, Extra(sound_seconds=2.0), rate=rate, count=COUNT, size=(160, 96), options=REORDERED)
    view = make_view(clip)
    assert not view.proxied, view.why
    shown.open(clip, frame_table(clip).told())
    assert wrong(shown.seeks(some(SEEKS, COUNT))) == []
    assert wrong(shown.seeks([0, 0, COUNT - 1, COUNT - 1, 1])) == []


@pytest.mark.parametrize("options", [REORDERED, IN_ORDER])
def test_frames_that_last_differently(shown: BrowserPage, options: tuple[tuple[str, str], ...]) -> None:
    clip = shown.folder / f"varying {options[2][1]}.mp4"
    make_video(clip, rate=Fraction(25), pts=varying(COUNT), time_base=EVERY, size=(160, 96), options=options)
    view = make_view(clip)
    assert view.proxied == (options == REORDERED)
    played = shown.folder / f"view of {clip.name}"
    shutil.copyfile(view.file, played)
    shown.open(played, frame_table(clip).told())
    assert wrong(shown.seeks(some(SEEKS, COUNT))) == []


def test_a_copied_picture(shown: BrowserPage) -> None:
    clip = shown.folder / "copied.mkv"
    extra = Extra(sound_seconds=2.0, sound_codec="libopus")
    make_video(clip, extra, rate=Fraction(24000, 1001), count=COUNT, size=(160, 96), options=REORDERED)
    view = make_view(clip)
    assert (view.proxied, view.why) == (True, "is a matroska file")
    played = shown.folder / "copied.mp4"
    shutil.copyfile(view.file, played)
    shown.open(played, frame_table(clip).told())
    assert wrong(shown.seeks(some(SEEKS, COUNT))) == []


def test_frames_that_no_seek_shows_are_played_up_to(shown: BrowserPage) -> None:
    clip = shown.folder / "out of order.mp4"
    make_video(clip, rate=Fraction(25), pts=varying(COUNT, 3), time_base=EVERY, size=(160, 96), options=REORDERED)
    shown.open(clip, frame_table(clip).told_short())
    assert wrong(shown.seeks(some(24, COUNT))) == []


def test_frames_while_playing(shown: BrowserPage) -> None:
    clip = shown.folder / "playing.mp4"
    make_video(clip, rate=Fraction(25), pts=varying(COUNT), time_base=EVERY, size=(160, 96), options=IN_ORDER)
    shown.open(clip, frame_table(clip).told())
    seen = shown.play(1.0)
    assert len(seen) > 3
    # The next picture may be there already when the pixels are read.
    assert all(0 <= picture - frame <= 1 for frame, picture, _ in seen)


def test_a_clock_that_does_not_begin_at_zero(shown: BrowserPage) -> None:
    clip = shown.folder / "late.mp4"
    late = tuple(range(512 * 25, 512 * 125, 512))
    make_video(clip, rate=Fraction(25), pts=late, size=(160, 96), options=REORDERED)
    shown.open(clip, frame_table(clip).told_short())
    assert wrong(shown.seeks(some(20, 100))) == []


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("turned left", {"rotation": 1}),
        ("turned right", {"rotation": 3}),
        ("upside down", {"rotation": 2}),
        ("wide pixels", {"pixel_aspect": Fraction(4, 3)}),
    ],
)
def test_pictures_are_shown_upright(shown: BrowserPage, name: str, changes: dict[str, Any]) -> None:
    clip = make_video(shown.folder / f"{name}.mp4", count=8, size=(320, 192), **changes)
    make_view(clip)
    view = view_of(clip)
    assert view is not None
    assert not view.proxied
    size = shown.open(clip, frame_table(clip).told())[:2]
    shown.seeks([4])
    known = open_clip(clip)
    assert tuple(size) == known.size
    picture = next(read_frames(known, 4, 5)).rgb(Window(0, 0, *known.size))
    expected = cv2.resize(picture, (16, 16), interpolation=cv2.INTER_AREA).astype(int).ravel()
    assert np.abs(np.array(shown.small()) - expected).mean() < 8


def review(folder: Path, source: Clip, film: Clip, length: LengthChange | None = None) -> str:
    """The name of a review page in ``folder`` on two clips."""

    def told(clip: Clip) -> MediaFile:
        return MediaFile(clip.path, clip.times.whole.duration, len(clip), clip.start)

    report = Report(
        source=told(source),
        dub_track=MediaFile(folder / "track.wav", Fraction(1)),
        output=told(film),
        recipe=Recipe("0", "fake", 0, "prior", "none"),
        cues=(),
        passthrough=(),
        length=length,
    )
    tables = (table_of(c.times, c.start, c.rate, embedded_timecode(c.path)) for c in (source, film))
    name = f"{film.path.stem}.html"
    (folder / name).write_text(page(report, folder, PageFrames(*tables)), "utf-8")
    return name


READ = """async () => {
  await Promise.all([dubbed, source].map(settled));
  const canvas = document.createElement("canvas"), context = canvas.getContext("2d", { willReadFrequently: true });
  const number = video => {
    const [w, h] = [video.videoWidth, video.videoHeight];
    Object.assign(canvas, { width: w, height: h });
    context.drawImage(video, 0, 0, w, h);
    const bright = bit => context.getImageData(Math.round((bit + 0.5) * w / 8), Math.round(h / 8), 1, 1).data[1] > 125;
    return [0, 1, 2, 3, 4, 5, 6, 7].reduce((sum, bit) => sum + (bright(bit) << bit), 0);
  };
  return [number(dubbed), number(source), document.getElementById("clock").textContent];
}"""
"""The numbers in the pictures of the film and of the source in a review page, when both are settled, and its clock."""


@pytest.fixture
def opened(shown: BrowserPage) -> Iterator[Any]:
    """Opens a review page of the folder in a page of its own."""
    pages = []

    def open_page(name: str) -> Any:
        pages.append(shown.page.context.new_page())
        pages[-1].on("pageerror", lambda error: shown.errors.append(str(error)))
        pages[-1].goto(f"{shown.address}/files/{name}")
        pages[-1].wait_for_function("dubbed.readyState > 1 && source.readyState > 1")
        return pages[-1]

    yield open_page
    for one in pages:
        one.close()


@pytest.mark.parametrize("options", [REORDERED, IN_ORDER])
def test_the_review_page_steps_by_the_frames_of_the_film(
    shown: BrowserPage, opened: Any, options: tuple[tuple[str, str], ...]
) -> None:
    changes: dict[str, Any] = {"pts": varying(60, 5), "time_base": EVERY, "size": (160, 96), "options": options}
    source, film = (
        open_clip(make_video(shown.folder / f"{name} {options[2][1]}.mp4", rate=Fraction(25), **changes))
        for name in ("stepped source", "stepped film")
    )
    window = opened(review(shown.folder, source, film))
    window.keyboard.press("ArrowRight")
    for frame in range(1, 16):
        film_shows, source_shows, clock = window.evaluate(READ)
        assert (film_shows, source_shows) == (frame, frame)
        assert f"frame {frame} of 60" in clock
        window.keyboard.press("ArrowRight")
    for _ in range(3):
        window.keyboard.press("ArrowLeft")
    assert window.evaluate(READ)[:2] == [13, 13]
    window.evaluate("seek(1e6)")
    assert window.evaluate(READ)[:2] == [59, 59]
    window.evaluate(f"seek({float(film.times.instant(31))})")
    assert window.evaluate(READ)[:2] == [31, 31]


def test_the_review_page_of_a_slowed_film_shows_the_frame_that_was_filmed_then(shown: BrowserPage, opened: Any) -> None:
    source = open_clip(
        make_video(shown.folder / "slow source.mp4", rate=Fraction(25), count=60, size=(160, 96), options=REORDERED)
    )
    longer = slowed(source, source.span.end * Fraction(3, 2))
    change = LengthChange("slow", Fraction(6, 5), slower=Fraction(3, 2), clock=longer.clock)
    at = [int(longer.times.instant(i) * 90000) for i in range(len(longer))]
    film = make_video(
        shown.folder / "slow film.mp4",
        rate=Fraction(25),
        pts=tuple(at),
        time_base=EVERY,
        size=(160, 96),
        options=IN_ORDER,
    )
    assert len(longer) == 60
    window = opened(review(shown.folder, source, open_clip(film), change))
    for frame in some(12, 60):
        window.evaluate(f"showFrame({frame})")
        film_shows, source_shows, clock = window.evaluate(READ)
        assert (film_shows, source_shows) == (frame, frame)
        assert f"frame {frame} of 60" in clock


def test_the_review_page_plays_and_stops_at_the_frame_that_it_tells(shown: BrowserPage, opened: Any) -> None:
    clip = make_video(
        shown.folder / "played.mp4", pts=varying(120, 9), time_base=EVERY, size=(160, 96), options=IN_ORDER
    )
    known = open_clip(clip)
    window = opened(review(shown.folder, known, known))
    for _ in range(3):
        before = window.evaluate("playedFrame")
        window.keyboard.press(" ")
        window.wait_for_function(f"playing() && playedFrame > {before} + 2")
        window.keyboard.press(" ")
        window.wait_for_function("dubbed.paused")
        film_shows, source_shows, clock = window.evaluate(READ)
        assert film_shows == source_shows > before
        assert f"frame {film_shows} of 120" in clock


def test_the_review_page_tells_timecodes(shown: BrowserPage, opened: Any) -> None:
    extra = Extra(metadata=(("timecode", "00:00:59;20"),))
    clip = make_video(shown.folder / "timecode.mp4", extra, rate=Fraction(30000, 1001), count=20, size=(160, 96))
    known = open_clip(clip)
    assert embedded_timecode(clip) == "00:00:59;20"
    window = opened(review(shown.folder, known, replace(known)))
    window.evaluate("showFrame(9)")
    assert window.evaluate(READ)[2].endswith("frame 9 of 20  00:00:59;29")
    window.keyboard.press("ArrowRight")
    assert window.evaluate(READ)[2].endswith("frame 10 of 20  00:01:00;02")


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(60000, 1001), Fraction(25), Fraction(24000, 1001)])
def test_timecodes_are_those_of_the_edit_room(shown: BrowserPage, rate: Fraction) -> None:
    from lipdub.edit.timecode import may_drop, parse_timecode, timecode_text

    drop = may_drop(rate)
    first = "00:08:59;10" if drop else "23:59:50:10"
    start = parse_timecode(first, rate).frames
    told = {"unit": [rate.denominator, rate.numerator], "first": 0, "steps": [[1, 40000]], "rate": str(rate)}
    told |= {"timecode": first, "drop": drop, "constant": True}
    wanted = [0, 1, 20, 50, *some(60, 40000), 39999]
    got = shown.page.evaluate(
        "([told, wanted]) => { const t = frames.tableOf(told); return wanted.map(n => frames.timecodeOf(t, n)); }",
        [json.loads(json.dumps(told)), wanted],
    )
    assert got == [timecode_text(start + n, rate, drop) for n in wanted]
