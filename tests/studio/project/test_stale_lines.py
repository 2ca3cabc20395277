"""How long a redo takes is told from how long earlier takes and the last film took."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from drawn_project import planned_line

from lipdub.studio.project.stale_lines import stale_lines
from lipdub.studio.project.status import LanguageStatus, LineStatus
from lipdub.timeline.cue import Cue
from lipdub.timeline.film_record import FilmRecord
from lipdub.timeline.take import CuePatches, LineVoice, Take
from lipdub.timeline.time import Span

FILM = FilmRecord(
    Path("film.mp4"), 1, Fraction(25), True, 100, 100, Fraction(4), 100, Fraction(0), Fraction(4),
    timings={"preflight": 1.0, "analyse": 100.0, "render": 9.0, "engine": 4.0, "mix": 3.0, "assemble": 2.0},
)  # fmt: skip


def line(number: int, state: str, seconds: float = 0.0, engine: str = "exemplar") -> LineStatus:
    """A line of half a second; its take, where it has one, took the engine so many ``seconds``."""
    planned = planned_line(number)
    if state == "missing":
        return LineStatus(planned, state, None, 0)
    span = planned.line.span
    voice = LineVoice(Path("voice.npy"), Span(span.start, span.start + Fraction(1, 4)), span, planned.line.text)
    patches = (CuePatches(Cue(span, 0), 0, 5, seconds=seconds),)
    take = Take(planned.line.id, 1, planned.recipe(span, "", f"{engine}:1", 0), voice, patches)
    return LineStatus(planned, state, take, 1, fitting=(1,) if state == "made" else ())


def test_time_is_in_proportion_to_the_length_of_lines() -> None:
    left = replace(line(4, "missing"), state="left")
    status = LanguageStatus("es", (line(1, "made", 2.0), line(2, "changed", 4.0), line(3, "missing"), left), FILM)
    found = stale_lines(status)
    assert found.lines == ("2", "3")
    assert found.seconds == pytest.approx(12 * 0.5 * 2 + 1), "12 s of work for a second of speech"
    assert found.film_seconds == pytest.approx(3 + 2 + 5), "what of rendering was no work of the engine"


def test_each_engine_has_its_own_pace() -> None:
    slow = line(3, "missing")
    slow = replace(slow, planned=replace(slow.planned, engine="ltx"))
    status = LanguageStatus("es", (line(1, "made", 1.0), line(2, "made", 50.0, "ltx"), slow))
    assert stale_lines(status).seconds == pytest.approx(100)
    assert stale_lines(status).film_seconds is None


def test_nothing_is_told_before_anything_was_made() -> None:
    found = stale_lines(LanguageStatus("es", (line(1, "missing"), line(2, "missing"))))
    assert (found.lines, found.seconds, found.film_seconds) == (("1", "2"), None, None)


def test_lines_for_which_a_take_is_there_take_no_time() -> None:
    waiting = replace(line(1, "changed", 3.0), fitting=(2,))
    found = stale_lines(LanguageStatus("es", (waiting,), FILM))
    assert (found.lines, found.seconds) == (("1",), 0.0)
    assert found.film_seconds == pytest.approx(3 + 2 + 5 + 1)
