"""A dub track that is longer or shorter than the picture: refused, or the picture is made as long."""

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import lipdub
from lipdub.demo.media_files import write_synthetic_clip, write_wave
from lipdub.demo.speech_assets import load_speech
from lipdub.errors import OptionError
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.studio.job import DubRequest
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.studio.preflight.dry_run import dry_run
from lipdub.studio.preflight.fit_picture import fit_picture
from lipdub.studio.preflight.preflight import check_request
from lipdub.studio.tools import Tools
from lipdub.timeline.sound import Sound

RATE = Fraction(30000, 1001)
FRAMES = 30


def wave(path: Path, seconds: Fraction) -> Path:
    """The beginning of a Spanish sentence."""
    voice = load_speech("es").sound
    first = voice.rate // 2
    write_wave(path, Sound(voice.samples[:, first : first + round(seconds * voice.rate)], voice.rate))
    return path


def drawn(picture: int) -> np.ndarray:
    """A picture that no other one looks like."""
    return np.random.default_rng(picture).integers(0, 256, (6, 8, 3), np.uint8).repeat(16, 0).repeat(16, 1)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 frames of one shot and 10 of another, with sound."""
    path = tmp_path_factory.mktemp("source") / "clip.mp4"
    pictures = [np.roll(drawn(0), i % 3, 1) for i in range(20)] + [np.roll(drawn(1), i % 3, 1) for i in range(10)]
    write_synthetic_clip(path, pictures, RATE, load_speech("en").sound)
    return path


def asked(source: Path, dub: Path | None, speech: SpeechOptions = SpeechOptions(), **options: object) -> DubRequest:
    return DubRequest(source, source.with_name("out.mp4"), dub, speech, DubOptions(**options))  # type: ignore[arg-type]


def check(request: DubRequest):
    return check_request(request, Tools(request.options))


def test_a_dub_of_another_length_can_be_refused(source: Path, tmp_path: Path) -> None:
    long, short = wave(tmp_path / "long.wav", Fraction(3, 2)), wave(tmp_path / "short.wav", Fraction(1, 2))
    with pytest.raises(OptionError, match=r"0\.499 s longer than the picture.*--if-longer hold") as told:
        check(asked(source, long, if_longer="refuse"))
    assert told.value.file == long
    with pytest.raises(OptionError, match=r"0\.501 s shorter than the picture.*--if-shorter rest"):
        check(asked(source, short, if_shorter="refuse"))
    assert check(asked(source, short, if_longer="refuse")).length is None
    assert check(asked(source, long, if_shorter="refuse")).length is None


@pytest.mark.parametrize(
    ("options", "speech", "told"),
    [
        ({"if_longer": "slow", "keep_original_audio": True}, SpeechOptions(), "--keep-original-audio exclude"),
        ({"if_longer": "slow"}, SpeechOptions(mix=True), "--mix exclude each other"),
    ],
)
def test_sound_that_would_not_fit_a_slowed_picture_is_refused(
    source: Path, tmp_path: Path, options: dict, speech: SpeechOptions, told: str
) -> None:
    with pytest.raises(OptionError, match=told):
        check(asked(source, wave(tmp_path / "a.wav", Fraction(3, 2)), speech, **options))


def test_speech_that_is_made_here_has_no_length_of_its_own(source: Path) -> None:
    with pytest.raises(OptionError, match="--if-longer bounce is for a finished dub track"):
        check(asked(source, None, SpeechOptions(line="Hola", to="es"), if_longer="bounce"))
    with pytest.raises(OptionError, match="--if-shorter cut is for a finished dub track"):
        check(asked(source, None, SpeechOptions(line="Hola", to="es"), if_shorter="cut"))


def test_what_cannot_be_fitted_in_a_project_is_refused(source: Path, tmp_path: Path) -> None:
    dub = wave(tmp_path / "a.wav", Fraction(1, 2))
    project = lipdub.open_project(tmp_path / "talk.lipdub", source)
    with pytest.raises(OptionError, match="--if-shorter cut does not work in a project"):
        project.plan(dub, lipdub.ProjectOptions(DubOptions(if_shorter="cut", consent=True)))
    speech = SpeechOptions(line="Hola", to="es")
    for how in ("hold", "slow"):
        with pytest.raises(OptionError, match=f"--if-longer {how} works in a project for finished dub tracks only"):
            project.plan(given=lipdub.ProjectOptions(DubOptions(if_longer=how, consent=True), speech))
    assert not list((tmp_path / "talk.lipdub").rglob("*.json"))


def test_less_than_a_frame_does_not_count(source: Path, tmp_path: Path) -> None:
    clip = open_clip(source)
    for differ in (Fraction(-1, 32), Fraction(0), Fraction(1, 32)):
        dub = wave(tmp_path / "a.wav", clip.span.duration + differ)
        for how in ("hold", "bounce", "slow", "refuse"):
            same, change = fit_picture(clip, dub, DubOptions(if_longer=how, if_shorter="refuse"))
            assert (same, change) == (clip, None)
    _, change = fit_picture(
        clip, wave(tmp_path / "b.wav", clip.span.duration + Fraction(1, 29)), DubOptions(if_longer="hold")
    )
    assert change is not None
    assert change.frames == 2


def test_the_end_bounces_within_its_last_shot(source: Path, tmp_path: Path) -> None:
    clip = open_clip(source)
    longer, change = fit_picture(clip, wave(tmp_path / "a.wav", Fraction(2)), DubOptions(if_longer="bounce"))
    assert longer.filmed is not None
    assert change is not None
    assert change.frames == len(longer) - FRAMES == 30
    assert sorted(set(longer.filmed.order[FRAMES:].tolist())) == list(range(20, 30))
    little, _ = fit_picture(clip, wave(tmp_path / "b.wav", Fraction(11, 10)), DubOptions(if_longer="bounce"))
    assert little.filmed is not None
    assert little.filmed.order[FRAMES:].tolist() == [28, 27, 26]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "0.50 s longer than the picture: its end would be cut"),
        (
            {"if_longer": "hold"},
            "0.499 s longer than the picture: the last frame would be held, 15 frames would",
        ),
        ({"if_longer": "bounce"}, "forwards, 15 frames would be added"),
        ({"if_longer": "slow"}, "would be shown 1.4985 times as slowly"),
    ],
)
def test_a_dry_run_tells_what_would_be_done(source: Path, tmp_path: Path, options: dict, told: str) -> None:
    dub = wave(tmp_path / "a.wav", Fraction(3, 2))
    lines = dry_run(asked(source, dub, **options))
    assert any(told in line for line in lines), lines
    assert any(f"{FRAMES} frames" in line for line in lines)
    short = dry_run(asked(source, wave(tmp_path / "b.wav", Fraction(1, 2)), if_shorter="cut"))
    assert any("15 frames would be cut from the end" in line for line in short), short


@pytest.mark.parametrize(
    ("how", "frames"), [({"if_longer": "hold"}, 60), ({"if_longer": "bounce"}, 60), ({"if_longer": "slow"}, 40)]
)
@pytest.mark.usefixtures("models")
def test_lips_follow_the_dub_to_its_end(
    tmp_path: Path, portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch, how: dict, frames: int
) -> None:
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "work")
    clip, output = tmp_path / "clip.mp4", tmp_path / "out.mp4"
    write_synthetic_clip(clip, [np.roll(portrait, (i % 5) - 2, axis=1) for i in range(40)], RATE)
    dub = wave(tmp_path / "dub.wav", Fraction(2))
    options = lipdub.DubOptions(speech_features="light", consent=True, **how)
    report = lipdub.dub(clip, audio=dub, output=output, options=options)
    film = open_clip(output)
    assert len(film) == report.output.frames == frames
    assert report.source.frames == 40
    assert abs(film.span.end - 2) < 1 / RATE
    assert abs(report.output.duration - 2) < 1 / RATE
    with av.open(str(output)) as file:
        sound = file.streams.audio[0]
        assert sound.duration is not None
        assert sound.time_base is not None
        assert abs(sound.duration * sound.time_base - film.span.end) < 1 / RATE + Fraction(1024, 44100)
    planned, _ = fit_picture(open_clip(clip), dub, options)
    changes = [
        np.abs(ours.planes[0].astype(int) - theirs.planes[0])[200:300, 130:270].mean()
        for ours, theirs in zip(read_frames(film), read_frames(planned), strict=True)
    ]
    assert np.mean(np.array(changes[-20:]) > 2) > 0.5, "lips move at the end, too"
    saved = json.loads((tmp_path / "out.report.json").read_text())
    assert saved["length"]["kind"] == how["if_longer"]
    assert saved["length"]["frames"] == frames - 40
    assert saved["notes"][0].startswith("the dub is 0.66")
    assert not any("cut" in told for told in saved["warnings"])
    page = (tmp_path / "out.review.html").read_text()
    table = json.loads(page.partition('id="data">')[2].partition("</script>")[0])["frames"]["film"]
    assert sum(entry[1] if isinstance(entry, list) else 1 for entry in table["steps"]) == frames
    assert "the dub is 0.66" in page


@pytest.mark.usefixtures("models")
def test_a_held_picture_can_be_mixed_and_keeps_the_sound_of_the_clip(
    tmp_path: Path, portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "work")
    clip, output = tmp_path / "clip.mp4", tmp_path / "out.mp4"
    pictures = [np.roll(portrait, (i % 5) - 2, axis=1) for i in range(30)]
    write_synthetic_clip(clip, pictures, RATE, load_speech("en").sound)
    options = lipdub.DubOptions(
        speech_features="light", consent=True, if_longer="hold", keep_original_audio=True, face=("largest",)
    )
    speech, dub = lipdub.SpeechOptions(mix=True), wave(tmp_path / "d.wav", Fraction(2))
    report = lipdub.dub(clip, audio=dub, output=output, speech=speech, options=options)
    with av.open(str(output)) as file:
        assert len(file.streams.audio) == 2
    assert abs(report.dub_track.duration - report.output.duration) < 1 / RATE
    assert report.output.frames == 60
