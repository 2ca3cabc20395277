"""Speech that is made while the picture is analysed."""

import threading
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.studio.conftest import Talk

import lipdub
from lipdub.demo.media_files import write_synthetic_clip
from lipdub.demo.speech_assets import load_speech
from lipdub.errors import NothingToDub
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.words_to_sound.seam import ModelCard, VoiceReference

LIGHT = lipdub.DubOptions(
    speech_features="light", consent=True, reuse=False, page=False, workers=1, face=("largest",), engine="fake"
)
pytestmark = pytest.mark.usefixtures("fake_engine")


@dataclass
class Watched:
    """A recorded phrase that notes in which thread it speaks; ``local`` False: a service."""

    local: bool
    threads: list[str] = field(default_factory=list)

    @property
    def card(self) -> ModelCard:
        return ModelCard("watched", "Apache-2.0", local=self.local)

    def speak(self, line: Line, pace: float = 1.0, reference: VoiceReference | None = None) -> Sound:
        self.threads.append(threading.current_thread().name)
        voice = load_speech("es")
        span, _ = voice.phrases[0]
        rate = voice.sound.rate
        return Sound(voice.sound.samples[:, round(span.start * rate) : round(span.end * rate)], rate)


def dubbed(clip: Path, script: Path, output: Path, options: lipdub.DubOptions = LIGHT) -> bytes:
    speech = lipdub.SpeechOptions(script=script, to="es", asr_check=False, subtitles="none")
    lipdub.dub(clip, output=output, speech=speech, options=options)
    return output.read_bytes()


def test_a_voice_of_this_machine_speaks_beside_and_a_service_afterwards(
    talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    films = []
    for local in (True, False):
        voice = Watched(local)
        monkeypatch.setattr("lipdub.words_to_sound.voices.assign.voice_named", lambda text, voice=voice: voice)
        films.append(dubbed(talk.clip, talk.script, tmp_path / f"{local}.mp4"))
        assert {name.startswith("lipdub-sound") for name in voice.threads} == {local}
    assert films[0] == films[1]


def test_a_service_is_not_asked_where_there_is_no_face(
    talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice = Watched(local=False)
    monkeypatch.setattr("lipdub.words_to_sound.voices.assign.voice_named", lambda text: voice)
    write_synthetic_clip(tmp_path / "empty.mp4", [np.full((128, 128, 3), 90, np.uint8)] * 160, Fraction(25))
    with pytest.raises(NothingToDub):
        dubbed(tmp_path / "empty.mp4", talk.script, tmp_path / "out.mp4")
    assert not voice.threads


@dataclass(frozen=True)
class Chorus:
    """A voice of this machine that can be several people, and notes which one says what."""

    said: dict[str, set[int]]
    index: int = 0

    @property
    def card(self) -> ModelCard:
        return ModelCard("chorus", "Apache-2.0")

    def member(self, index: int) -> "Chorus":
        return Chorus(self.said, index)

    def speak(self, line: Line, pace: float = 1.0, reference: VoiceReference | None = None) -> Sound:
        self.said.setdefault(line.text, set()).add(self.index)
        return Watched(local=True).speak(line)


def test_lines_that_are_spoken_ahead_are_spoken_anew_where_several_people_are_seen_to_say_them(
    talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: dict[str, set[int]] = {}
    monkeypatch.setattr("lipdub.words_to_sound.voices.assign.voice_named", lambda text: Chorus(said))
    monkeypatch.setattr(
        "lipdub.studio.plan.plan_dub.cast_by_sight",
        lambda job, analysis, found, timed, choices, session: {
            line.id: f"person {1 + int(line.id) % 2}" for line in timed
        },
    )
    speech = lipdub.SpeechOptions(script=talk.script, to="es", asr_check=False, subtitles="none")
    report = lipdub.dub(talk.clip, output=tmp_path / "out.mp4", speech=speech, options=LIGHT)
    assert report.speech is not None
    assert [line.speaker for line in report.speech.lines] == ["person 2", "person 1"] * 3
    assert any("6 lines name no speaker" in note for note in report.speech.notes)
    assert [sorted(said[line.text]) for line in report.speech.lines] == [[0], [0, 1]] * 3
