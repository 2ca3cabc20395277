"""The demo's story with quick stand-ins for its long parts, and the parts that are its own."""

from fractions import Fraction
from itertools import repeat
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

from lipdub.cli import demo as door
from lipdub.demo import make as demo
from lipdub.demo import speech_assets as demo_voice
from lipdub.demo.media_files import write_animation, write_synthetic_clip, write_wave
from lipdub.demo.speech_assets import RATE, DemoSpeech, DemoText, load_speech, normalised, synthesise
from lipdub.errors import MissingExtra, OutputError
from lipdub.review.report import MediaFile, Recipe, Report
from lipdub.studio.caller import granted_by_caller
from lipdub.studio.preflight.consent import ensure_consent
from lipdub.timeline.sound import Sound
from lipdub.timeline.time import Span

ASSETS = Path(demo.__file__).parent / "assets"


def tone(seconds: float, level: float = 0.1) -> np.ndarray:
    return (level * np.sin(np.arange(round(seconds * RATE)) * 0.03)).astype(np.float32)


def said(text: str = "¡Sí, mañana!") -> DemoSpeech:
    return DemoSpeech(Sound(tone(0.6)[None], RATE), ((Span(Fraction("0.2"), Fraction("0.5")), text),))


def pictures(count: int, size: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    return [np.full((size[1], size[0], 3), (200, 40 + 4 * i, 90), np.uint8) for i in range(count)]


def a_report(path: Path) -> Report:
    media = MediaFile(path, Fraction(1), 15)
    return Report(media, media, media, Recipe("0", "exemplar", 0, "p", "h"))


def striped() -> np.ndarray:
    return np.repeat((np.arange(64) % 16 < 8)[None, :, None] * np.uint8(200), 48, 0).repeat(3, 2)


def test_a_clip_holds_its_pictures_and_sound(tmp_path):
    path, rate = tmp_path / "a.mp4", Fraction(30000, 1001)
    write_synthetic_clip(path, pictures(12), rate, Sound(tone(0.4)[None], RATE), "drawn")
    with av.open(str(path)) as clip:
        assert clip.metadata["synthetic_media"] == "drawn"
        shown = list(clip.decode(video=0))
        assert [frame.pts * frame.time_base for frame in shown] == [i / rate for i in range(12)]
        for index, frame in enumerate(shown):
            assert np.abs(frame.to_ndarray(format="rgb24").mean((0, 1)) - [200, 40 + 4 * index, 90]).max() < 4
    with av.open(str(path)) as clip:
        length = sum(frame.samples for frame in clip.decode(audio=0))
    assert abs(length / RATE - 0.4) < 0.05
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_a_clip_that_fails_leaves_nothing(tmp_path):
    def broken():
        yield from pictures(2)
        raise OSError("no more")

    with pytest.raises(OutputError):
        write_synthetic_clip(tmp_path / "a.mp4", broken(), Fraction(25))
    with pytest.raises(OutputError):
        write_synthetic_clip(tmp_path / "missing" / "a.mp4", pictures(1), Fraction(25))
    assert not list(tmp_path.iterdir())


def test_an_animation_is_a_webp_that_moves(tmp_path):
    moving = [np.roll(striped(), 5 * i, axis=1) for i in range(4)]
    write_animation(tmp_path / "a.webp", moving, Fraction(10))
    data = (tmp_path / "a.webp").read_bytes()
    assert data[:4] == b"RIFF"
    assert data[8:12] == b"WEBP"
    assert data.count(b"ANMF") == 4


def test_voices_are_normalised():
    for level in (0.01, 0.2):
        loud = normalised(np.concatenate([np.zeros(RATE, np.float32), tone(2, level), np.zeros(RATE, np.float32)]))
        assert abs(np.sqrt((loud[RATE : 3 * RATE] ** 2).mean()) - demo_voice._LEVEL) < 0.02
        assert np.abs(loud).max() < 0.9
    assert not normalised(np.zeros(100, np.float32)).any()


def test_texts_are_synthesised_with_the_time_of_each_phrase():
    pytest.importorskip("py_nanotts")
    words = synthesise(DemoText("en-US", 1.2, ("Hello there.", "How are you?")))
    assert words.sound.rate == RATE
    (first, _), (second, _) = words.phrases
    assert 0 < first.start < first.end < second.start < second.end < words.sound.span.end


@pytest.mark.parametrize("language", ["en", "es"])
def test_recordings_ship(language):
    words = load_speech(language)
    assert words.sound.samples.shape[0] == 1
    assert 5 < words.sound.span.duration < 10
    assert len(words.phrases) == 4
    for span, _ in words.phrases:
        first, stop = round(span.start * RATE), round(span.end * RATE)
        assert np.sqrt((words.sound.samples[0, first:stop] ** 2).mean()) > 0.03
    assert sum(len(p.read_bytes()) for p in ASSETS.iterdir()) < 250_000


def test_recording_needs_the_voices_and_keeps_their_times(tmp_path, monkeypatch):
    monkeypatch.setattr(demo_voice, "synthesise", lambda script: said(script.phrases[0]))
    demo_voice.write_assets(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"voice.en.opus", "voice.es.opus", "voices.json"}
    assert "¡Hola!" in (tmp_path / "voices.json").read_text("utf-8")


def test_without_voices_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "py_nanotts", None)
    with pytest.raises(MissingExtra, match=r"lipdub\[voices\]"):
        synthesise(DemoText("en-US", 1.0, ("Hello.",)))


@pytest.mark.parametrize(("accents", "shown"), [(True, "¡Sí, mañana!"), (False, "Si, manana!")])
def test_captions_come_on_time_in_letters_that_can_be_drawn(monkeypatch, accents, shown):
    monkeypatch.setattr(demo, "_ACCENTS", accents)
    assert demo._caption(said(), Fraction("0.1")) == ""
    assert demo._caption(said(), Fraction("0.3")) == shown


def test_consent_is_noted_with_its_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("LIPDUB_CACHE", str(tmp_path))
    clip = tmp_path / "a.mp4"
    noted = ensure_consent(clip, "ab", False, granted_by_caller, demo.CONSENT_NOTE)
    assert (noted["how"], noted["why"]) == ("by the caller", demo.CONSENT_NOTE)
    assert "why" not in ensure_consent(clip, "cd", True, granted_by_caller)


def test_the_portrait_is_small_and_square():
    assert len(demo._packaged()) < 150_000
    assert demo._picture().shape == (720, 720, 3)


def test_both_clips_are_shown_beside_each_other(tmp_path):
    for name, count in (("en", 5), ("es", 5)):
        write_synthetic_clip(tmp_path / f"{name}.mp4", pictures(count), Fraction(25))
    screens = list(demo.side_by_side(tmp_path / "en.mp4", tmp_path / "es.mp4", said(), said()))
    assert len(screens) == 5
    left, right = screens[0][:640, :640], screens[0][:640, -640:]
    assert np.abs(left.astype(int) - right).mean() < 2
    assert screens[0].shape[0] % 2 == 0 == screens[0].shape[1] % 2


def test_the_demo_speaks_with_the_natural_voice_where_it_is_the_default(monkeypatch):
    spoken = []

    class Voice:
        def speak(self, line):
            spoken.append((line.text, line.language))
            return Sound(tone(0.5)[None, ::2].copy(), 24_000)

    monkeypatch.setattr(demo_voice, "voice_named", lambda name: Voice())
    monkeypatch.setenv("LIPDUB_VOICE", "kokoro")
    english, spanish, names = demo_voice.demo_speech()
    assert names == "kokoro (af_heart and ef_dora)"
    assert spoken[0] == ("Hello! A moment ago,", "en-US")
    assert spoken[-1] == ("y mis labios siguen cada palabra.", "es-ES")
    assert [phrase for _, phrase in spanish.phrases] == list(demo_voice.SPANISH.phrases)
    assert english.sound.rate == RATE
    assert english.phrases[0][0].start == Fraction(2, 5)


def test_the_demo_speaks_with_its_recordings_else(monkeypatch):
    monkeypatch.setenv("LIPDUB_VOICE", "nanotts")
    english, spanish, names = demo_voice.demo_speech()
    assert np.array_equal(english.sound.samples, load_speech("en").sound.samples)
    assert spanish.phrases == load_speech("es").phrases
    assert "recordings" in names


@pytest.fixture
def quick(monkeypatch) -> list[dict]:
    """The demo with its long parts replaced; the list collects what ``dub`` was asked."""
    asked: list[dict] = []

    def dub(source, *, audio, output, options, caller):
        asked.append({"audio": Path(audio), "options": options, "caller": caller})
        Path(output).write_bytes(Path(source).read_bytes())
        return a_report(Path(source))

    small = cv2.resize(demo._picture(), (64, 64))
    monkeypatch.setattr(demo, "dub", dub)
    monkeypatch.setattr(demo, "demo_speech", lambda: (said(), said(), "a hum"))
    monkeypatch.setattr(demo.weights, "resolve", lambda name, consent: Path(name))
    monkeypatch.setattr(demo, "FaceLandmarker", lambda landmarks, detector: None)
    monkeypatch.setattr(demo, "portrait_landmarks", lambda picture, finder, file: None)
    monkeypatch.setattr(demo, "track_features", lambda track, session: SimpleNamespace(features=None))
    monkeypatch.setattr(
        demo, "talking_portrait", lambda picture, face, prior, features, idle: repeat(small, idle.frames)
    )
    return asked


def test_the_demo_command(quick, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("lipdub.review.report.summary_table", lambda report: "")
    folder = tmp_path / "new" / "folder"
    assert door.run_demo(folder, overwrite=False, as_json=False) == 0
    names = {"portrait.jpg", "portrait.en.mp4", "portrait.es.wav", "portrait.es.mp4", "side-by-side.mp4"}
    assert {path.name for path in folder.iterdir()} == names
    (asked,) = quick
    assert asked["audio"] == folder / "portrait.es.wav"
    assert asked["options"].language == "es"
    assert not asked["options"].consent
    assert asked["caller"].why == demo.CONSENT_NOTE
    assert asked["caller"].ask_people is granted_by_caller
    assert "side-by-side.mp4" in capsys.readouterr().out.replace("\n", "")
    with pytest.raises(OutputError, match="overwrite"):
        demo.make_demo(folder)
    assert door.run_demo(folder, overwrite=True, as_json=True) == 0
    assert '"spanish"' in capsys.readouterr().out


def test_the_clip_and_the_script_of_a_project_are_made_once(quick, tmp_path):
    clip, script = demo.make_demo_clip(tmp_path / "demo")
    assert {path.name for path in (tmp_path / "demo").iterdir()} == {"portrait.jpg", clip.name, script.name}
    assert script.read_text("utf-8") == "1\n00:00:00,200 --> 00:00:00,500\n¡Sí, mañana!\n"
    before = clip.stat().st_mtime_ns
    assert demo.make_demo_clip(tmp_path / "demo") == (clip, script)
    assert clip.stat().st_mtime_ns == before


def test_a_folder_that_cannot_be_made_is_said(quick, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        demo.make_demo(tmp_path / "file" / "folder")


def test_a_wave_is_written_whole(tmp_path):
    write_wave(tmp_path / "a.wav", Sound(tone(0.1)[None], RATE))
    with av.open(str(tmp_path / "a.wav")) as file:
        assert sum(frame.samples for frame in file.decode(audio=0)) == round(0.1 * RATE)
