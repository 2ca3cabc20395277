"""Lines that are longer than their time: the picture waits for them."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import lipdub
from lipdub.demo.media_files import write_synthetic_clip
from lipdub.demo.speech_assets import load_speech
from lipdub.errors import OptionError
from lipdub.media.probe import open_clip
from lipdub.media.sound_read import read_sound
from lipdub.studio.face_views import source_sound
from lipdub.studio.job import DubRequest
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.studio.preflight.dry_run import dry_run
from lipdub.studio.session import open_session
from lipdub.studio.track_features import clip_features
from lipdub.timeline.clip import Pause
from lipdub.timeline.clip_length import paused
from lipdub.words_to_sound.fake import FakeVoice

RATE = Fraction(25)
LONG = "una frase que es demasiado larga para el tiempo que tiene en esta imagen tan breve y tan muda"
SCRIPT = f"1\n00:00:00,300 --> 00:00:01,200\n{LONG}\n\n2\n00:00:01,600 --> 00:00:02,300\nHola.\n"
OPTIONS = DubOptions(speech_features="light", consent=True, face=("largest",), if_longer="hold")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "work")
    monkeypatch.setattr("lipdub.words_to_sound.voices.assign.voice_named", lambda text: FakeVoice())


@pytest.fixture
def clip(tmp_path: Path, portrait: np.ndarray) -> Path:
    """A portrait for 2.4 s, with the demo's English voice."""
    path = tmp_path / "clip.mp4"
    write_synthetic_clip(
        path, [np.roll(portrait, (i % 5) - 2, axis=1) for i in range(60)], RATE, load_speech("en").sound
    )
    return path


@pytest.fixture
def speech(tmp_path: Path) -> SpeechOptions:
    (tmp_path / "talk.es.srt").write_text(SCRIPT)
    return SpeechOptions(script=tmp_path / "talk.es.srt", to="es", asr_check=False)


@pytest.mark.usefixtures("models")
def test_the_picture_is_held_until_a_line_is_said(clip: Path, speech: SpeechOptions, tmp_path: Path) -> None:
    cut = lipdub.dub(clip, output=tmp_path / "cut.mp4", speech=speech, options=replace(OPTIONS, if_longer="cut"))
    held = lipdub.dub(clip, output=tmp_path / "held.mp4", speech=speech, options=OPTIONS)
    assert cut.speech is not None
    assert held.speech is not None
    before, after = cut.speech.lines, held.speech.lines
    missing = before[0].missing
    assert missing > 1
    assert [line.missing for line in after] == [0, 0]
    assert held.length is not None
    assert held.length.kind == "pause"
    assert held.length.lines == 1
    added = Fraction(held.length.frames, 25)
    assert missing <= added < missing + Fraction(1, 10)
    assert held.output.frames == 60 + held.length.frames
    assert held.source.frames == 60
    assert abs((after[1].span.start - before[1].span.start) - added) < Fraction(1, 10)
    film = open_clip(tmp_path / "held.mp4")
    assert [film.times.instant(i) for i in range(len(film))] == [i / RATE for i in range(held.output.frames)]
    with av.open(str(tmp_path / "held.mp4")) as file:
        sound = file.streams.audio[0]
        assert sound.duration is not None
        assert sound.time_base is not None
        assert abs(sound.duration * sound.time_base - film.span.end) < 1 / RATE
    saved = json.loads((tmp_path / "held.report.json").read_text())
    assert "1 line is " in saved["notes"][0]
    assert "the picture is held after it" in saved["notes"][0]
    last = (tmp_path / "held.srt").read_text().strip().split("\n\n")[-1]
    assert abs(float(last.split("\n")[1][6:12].replace(",", ".")) - float(after[1].span.start)) < 0.002
    heard = read_sound(tmp_path / "held.mp4")
    tail = heard.samples[:, round(Fraction(17, 10) * heard.rate) : round(Fraction(2) * heard.rate)]
    assert np.abs(tail).max() > 1e-3, "the line goes on while the picture is held"


@pytest.mark.usefixtures("models")
def test_nothing_changes_where_all_lines_fit(clip: Path, speech: SpeechOptions, tmp_path: Path) -> None:
    assert speech.script is not None
    speech.script.write_text(SCRIPT.replace(LONG, "Hola a todos."))
    report = lipdub.dub(clip, output=tmp_path / "out.mp4", speech=speech, options=OPTIONS)
    assert report.length is None
    assert report.output.frames == 60


def test_what_would_be_done_is_told_before(clip: Path, speech: SpeechOptions, tmp_path: Path) -> None:
    lines = dry_run(DubRequest(clip, tmp_path / "out.mp4", None, speech, OPTIONS))
    assert any("the picture would be held at their ends" in line for line in lines)
    with pytest.raises(OptionError, match="--keep-original-audio exclude each other where a script is spoken"):
        dry_run(DubRequest(clip, tmp_path / "out.mp4", None, speech, replace(OPTIONS, keep_original_audio=True)))
    for how in ("slow", "bounce"):
        with pytest.raises(OptionError, match=f"--if-longer {how} is for a finished dub track"):
            dry_run(DubRequest(clip, tmp_path / "out.mp4", None, speech, replace(OPTIONS, if_longer=how)))


@pytest.mark.usefixtures("models")
def test_the_clips_own_sound_waits_with_the_picture(clip: Path) -> None:
    own = open_clip(clip)
    still = paused(own, [Pause(Fraction(1), Fraction(1))])
    heard, plain = source_sound(still), source_sound(own)
    assert heard is not None
    assert plain is not None
    rate = heard.rate
    assert not heard.samples[:, rate : 2 * rate].any()
    assert np.array_equal(heard.samples[:, :rate], plain.samples[:, :rate])
    assert np.array_equal(heard.samples[:, 2 * rate :], plain.samples[:, rate:])
    with open_session(DubOptions(speech_features="light")) as session:
        filmed, waiting = clip_features(own, session).features, clip_features(still, session).features
    assert len(waiting) == len(filmed) + 50
    first = round((1 - filmed.start) * 50)
    assert not waiting.voice_activity[first + 1 : first + 49].any()
    assert np.allclose(waiting.voice_activity[first + 51 :], filmed.voice_activity[first + 1 :], atol=1e-5)
