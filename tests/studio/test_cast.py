"""Between the passes: fades, what is heard while a face is shown, and what consent leaves behind."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.errors import OptionError
from lipdub.studio import cast
from lipdub.studio.consent import ensure_consent, granted_by_caller
from lipdub.timeline.lines import Line
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span


@given(st.lists(st.booleans(), min_size=1, max_size=80))
def test_a_fade_never_adds_and_keeps_the_middle(flags: list[bool]) -> None:
    asked = np.array(flags, np.float32)
    faded = cast._faded(asked)
    assert (faded <= asked).all()
    assert (faded >= 0).all()
    steps = np.abs(np.diff(faded))
    assert steps.max(initial=0) < 0.5
    for row in range(cast.RAMP, len(asked) - cast.RAMP):
        if asked[row - cast.RAMP : row + cast.RAMP + 1].all():
            assert faded[row] == 1


def test_the_ends_of_a_track_are_cuts_and_do_not_fade() -> None:
    assert cast._faded(np.ones(8, np.float32)).tolist() == [1] * 8


def test_speech_is_counted_only_while_the_face_is_shown() -> None:
    voiced = np.zeros(200, np.float32)
    voiced[50:150] = 1
    features = SpeechFeatures(Fraction(0), np.zeros((200, 17), np.float32), voiced, np.zeros((200, 3), np.float32))
    seconds = np.arange(100) / 25
    assert cast._speech_in(features, seconds, np.ones(100, bool)) == pytest.approx(2.0, abs=0.05)
    assert cast._speech_in(features, seconds, seconds < 2) == pytest.approx(1.0, abs=0.05)
    assert cast._speech_in(features, seconds, np.zeros(100, bool)) == 0


def test_lines_become_cues_with_ids_in_the_order_of_faces_and_time() -> None:
    def second(start: int) -> Span:
        return Span(Fraction(start), Fraction(start + 1))

    lines = [Line(text, second(start)) for text, start in (("late", 6), ("other", 3), ("early", 0), ("nobody", 9))]
    cues = cast.lines_on_faces(lines, {2: [second(0), second(6)], 1: [second(3)]})
    assert {face: [(cue.id, cue.line.text) for cue in some if cue.line] for face, some in cues.items()} == {
        1: [("c1", "other")],
        2: [("c2", "early"), ("c3", "late")],
    }


def test_consent_is_asked_once_per_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIPDUB_CACHE", str(tmp_path))
    asked: list[str] = []
    first = ensure_consent(Path("a.mp4"), "digest", False, asked.append)
    again = ensure_consent(Path("a.mp4"), "digest", False, asked.append)
    assert asked == ["a.mp4"]
    assert first == again
    assert first["how"] == "stated when asked"
    assert ensure_consent(Path("b.mp4"), "other", True, asked.append)["how"] == "stated by flag"
    assert ensure_consent(Path("c.mp4"), "third", False, granted_by_caller)["how"] == "by the caller"
    assert asked == ["a.mp4"]


def test_refused_consent_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIPDUB_CACHE", str(tmp_path))

    def refuse(clip: str) -> None:
        raise OptionError("no", file=clip)

    for _ in range(2):
        with pytest.raises(OptionError):
            ensure_consent(Path("a.mp4"), "digest", False, refuse)
