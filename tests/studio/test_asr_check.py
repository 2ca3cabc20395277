"""The ASR check hears the lines that were spoken in this run, where they are, and nothing else."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipdub.media.sound_blocks import SoundFormat
from lipdub.media.sound_write import write_sound
from lipdub.studio.deliver.asr_check import AsrCheck, check_words
from lipdub.studio.dub_plan import DubSpeech
from lipdub.studio.session import open_session
from lipdub.timeline.lines import Line, Word
from lipdub.timeline.sound import Sound
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span
from lipdub.words_to_sound.seam import ModelCard, Recogniser, Transcript

RATE, START = 48_000, Fraction(7, 2)
"""Players start the clip at ``START``."""


class Listening:
    """A recogniser that hears one word, and remembers how loud the sounds were."""

    card = ModelCard("listening", "MIT")

    def __init__(self) -> None:
        self.heard: set[float] = set()

    def transcribe(self, sound: Sound, language: str = "") -> Transcript:
        level, samples = np.unique(sound.samples[0].round(2), return_counts=True)
        self.heard |= {round(float(each), 2) for each in level[samples > sound.rate]} - {0.0}
        return Transcript((Word("dos", sound.span, 1.0),), language, 1.0)


@pytest.mark.parametrize(("new", "levels", "rate"), [(None, {0.2, 0.4, 0.6}, 2 / 3), (frozenset({"2"}), {0.4}, 0.0)])
def test_only_new_lines_are_heard_where_they_are(
    new: frozenset[str] | None, levels: set[float], rate: float, tmp_path: Path
) -> None:
    recogniser = Listening()
    check = checked(recogniser, new, tmp_path)
    assert not check.notes
    assert recogniser.heard == levels
    assert check.metrics["word_error_rate"] == pytest.approx(rate)
    assert check.lines == {
        line: error for line, error in {"1": 1, "2": 0, "3": 1}.items() if new is None or line in new
    }


def checked(recogniser: Recogniser, new: frozenset[str] | None, tmp_path: Path) -> AsrCheck:
    """The check of three lines of two seconds, "uno", "dos" and "tres", each of another level."""
    lines = tuple(
        Line(text, Span(START + 4 * k + 1, START + 4 * k + 3), "es", id=str(k + 1))
        for k, text in enumerate(("uno", "dos", "tres"))
    )
    seconds = np.arange(12 * RATE) / RATE
    sound = np.where((seconds % 4 >= 1) & (seconds % 4 < 3), 0.2 * (1 + seconds // 4), 0).astype(np.float32)
    write_sound(tmp_path / "dialogue.flac", [sound[None]], SoundFormat(RATE, ("FC",)))
    rows = np.arange(600) / 50
    active = ((rows % 4 >= 1) & (rows % 4 < 3)).astype(np.float32)
    features = SpeechFeatures(START, np.zeros((600, 17), np.float32), active, np.zeros((600, 3), np.float32))
    speech = DubSpeech(tmp_path / "dialogue.flac", tmp_path / "script.srt", lines=lines, new=new)
    with open_session() as session:
        session.tools._made["recogniser", "listening"] = recogniser
        return check_words(speech, features, "listening", session)


def test_nothing_is_heard_where_nothing_is_new(tmp_path: Path) -> None:
    features = SpeechFeatures(
        START, np.zeros((0, 17), np.float32), np.zeros(0, np.float32), np.zeros((0, 3), np.float32)
    )
    speech = DubSpeech(tmp_path / "none.flac", tmp_path / "script.srt", lines=(), new=frozenset())
    with open_session() as session:
        assert not check_words(speech, features, "nobody", session).metrics


class Careless:
    """A recogniser that hears nothing but the first line in long sounds, and every line that is alone."""

    card = ModelCard("careless", "MIT")

    def transcribe(self, sound: Sound, language: str = "") -> Transcript:
        level, samples = np.unique(sound.samples[0].round(1), return_counts=True)
        loudest = [round(float(each), 1) for each in level[samples > sound.rate] if each > 0.1]
        word = {0.2: "uno", 0.4: "dos", 0.6: "tres"}[loudest[0]]
        middle = sound.span.start + Fraction(3, 2)
        return Transcript((Word(word, Span(middle, middle + Fraction(1, 10)), 1.0),), language, 1.0)


def test_lines_that_a_long_sound_hides_are_heard_again_by_themselves(tmp_path: Path) -> None:
    check = checked(Careless(), None, tmp_path)
    assert check.metrics["word_error_rate"] == 0
