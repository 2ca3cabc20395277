"""A voice and an engine that take little time, for a project that is reviewed; as a program: a film that is killed.

python review_stand_in.py CACHE PROJECT OUTPUT
"""

import sys
from pathlib import Path

import pytest

import lipdub
from lipdub.demo.speech_assets import load_speech
from lipdub.engines.fake import FakeEngine
from lipdub.engines.find import find
from lipdub.errors import MissingExtra
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.words_to_sound.seam import ModelCard, VoiceReference

GIVEN = lipdub.DubOptions(
    speech_features="light", consent=True, face=("largest",), engine="fake", page=False, workers=1, overwrite=True
)
PLAIN = lipdub.ProjectOptions(GIVEN, lipdub.SpeechOptions(asr_check=False, subtitles="none"))
SPOKEN: list[str] = []


class Counting:
    """A voice that says every text with recorded syllables, more for longer texts, and writes down what it said."""

    card = ModelCard("counting", "Apache-2.0")

    def speak(self, line: Line, pace: float = 1.0, reference: VoiceReference | None = None) -> Sound:
        SPOKEN.append(line.text)
        voice = load_speech("es").sound
        first, rate = voice.rate // 2, voice.rate
        count = round(len(line.text) * rate / 20 / pace)
        return Sound(voice.samples[:, first : first + count], rate)


def missing(detail: str) -> None:
    """There is no separator."""
    raise MissingExtra("it is not installed")


def put_in_place(patch: pytest.MonkeyPatch, cache: Path) -> None:
    """Work is kept in ``cache``; the voice and the engine are those of this module."""
    patch.setattr("lipdub.studio.assemble.music_effects.bed_separator", missing)
    patch.setattr("lipdub.studio.session.default_root", lambda: cache)
    patch.setattr("lipdub.words_to_sound.voices.assign.voice_named", lambda text: Counting())
    patch.setattr("lipdub.studio.tools.find", lambda name, setup: FakeEngine() if name == "fake" else find(name))


if __name__ == "__main__":
    put_in_place(pytest.MonkeyPatch(), Path(sys.argv[1]))
    project = lipdub.open_project(sys.argv[2], caller=lipdub.Caller(lambda stage, done, _: print(stage, flush=True)))
    project.render("es", sys.argv[3], PLAIN)
