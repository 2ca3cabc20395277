"""Lines that are longer than their time: the picture waits for them, or is slowed during them."""

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Literal

import av
import numpy as np
import pytest

import lipdub
from lipdub.compose.mix.stems import stem_blocks
from lipdub.demo.media_files import write_synthetic_clip, write_wave
from lipdub.demo.speech_assets import load_speech
from lipdub.errors import OptionError
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.media.sound_read import read_sound
from lipdub.studio.assemble.soundtrack import Stems
from lipdub.studio.caller import Caller
from lipdub.studio.face_views import source_sound
from lipdub.studio.job import DubRequest
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.studio.plan.longer_lines import fitted_to_lines
from lipdub.studio.preflight.dry_run import dry_run
from lipdub.studio.preflight.preflight import preflight
from lipdub.studio.session import open_session
from lipdub.studio.track_features import clip_features
from lipdub.timeline.clip_length import paused, slowed_during
from lipdub.timeline.retiming import AddedTime
from lipdub.timeline.sound import Sound
from lipdub.timeline.time import Span
from lipdub.words_to_sound.fake import FakeVoice

RATE = Fraction(25)
LONG = "una frase que es demasiado larga para el tiempo que tiene en esta imagen tan breve y tan muda"
SCRIPT = f"1\n00:00:00,300 --> 00:00:01,200\n{LONG}\n\n2\n00:00:01,600 --> 00:00:02,300\nHola.\n"
OPTIONS = DubOptions(speech_features="light", consent=True, face=("largest",), if_longer="hold")


FAKE = replace(OPTIONS, engine="fake", workers=1)
"""Where it does not matter what mouths look like."""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kept work: what was found out about the clip of one test is not found out again for the next."""
    return tmp_path_factory.mktemp("longer-work")


@pytest.fixture(autouse=True)
def home(work: Path, fake_engine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: work)
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
    cut = lipdub.dub(clip, output=tmp_path / "cut.mp4", speech=speech, options=replace(FAKE, if_longer="cut"))
    held = lipdub.dub(clip, output=tmp_path / "held.mp4", speech=speech, options=FAKE)
    assert cut.speech is not None
    assert held.speech is not None
    before, after = cut.speech.lines, held.speech.lines
    assert before[0].rate == 1.35
    missing = before[0].missing / Fraction(135, 100)
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
def test_the_picture_is_slowed_while_a_line_is_said(clip: Path, speech: SpeechOptions, tmp_path: Path) -> None:
    options = replace(OPTIONS, if_longer="slow", workers=1)
    slow = lipdub.dub(clip, output=tmp_path / "slow.mp4", speech=speech, options=options)
    cut = lipdub.dub(clip, output=tmp_path / "cut.mp4", speech=speech, options=replace(FAKE, if_longer="cut"))
    assert slow.speech is not None
    assert cut.speech is not None
    assert [line.missing for line in slow.speech.lines] == [0, 0]
    before, length = cut.speech.lines, slow.length
    assert length is not None
    assert (length.kind, length.lines, length.frames) == ("slow", 1, 0)
    begin, end = length.clock.points
    assert begin.file == begin.clip >= before[0].source_span.start
    assert end.file <= before[0].span.end
    added = end.clip - end.file
    needed = before[0].missing / Fraction(135, 100)
    assert needed < added < needed + Fraction(1, 25)
    assert slow.speech.lines[0].rate > 1.25, "the picture is not slower than it needs to be"
    film, own = open_clip(tmp_path / "slow.mp4"), open_clip(clip)
    assert len(film) == slow.output.frames == 60
    assert film.span.end == slow.output.duration == own.span.end + added
    first, stop = own.times.at(begin.file), own.times.at(end.file)
    expected = [length.clock.instant(i / RATE) for i in range(60)]
    assert [film.times.instant(i) for i in range(first + 1)] == expected[: first + 1]
    assert [film.times.instant(i) for i in range(stop, 60)] == expected[stop:]
    assert all(0 <= expected[i] - film.times.instant(i) < own.times.time_base for i in range(60))
    changes = [
        np.abs(ours.planes[0].astype(int) - theirs.planes[0])[200:300, 130:270].mean()
        for ours, theirs in zip(read_frames(film), read_frames(own), strict=True)
    ]
    assert np.mean(np.array(changes[first:stop]) > 2) > 0.5, "the lips move during the whole line"
    saved = json.loads((tmp_path / "slow.report.json").read_text())
    assert "1 line is " in saved["notes"][0]
    assert f"the picture is shown {float(length.slower):.4f} times as slowly during it" in saved["notes"][0]
    last = (tmp_path / "slow.srt").read_text().strip().split("\n\n")[-1]
    said = slow.speech.lines[1].span
    assert abs(float(last.split("\n")[1][6:12].replace(",", ".")) - float(said.start)) < 0.002
    assert abs(said.start - before[1].span.start - added) < Fraction(1, 20)
    page = (tmp_path / "slow.review.html").read_text()
    assert f'"clock": {{"points": [[{float(begin.clip)}, {float(begin.file)}]' in page
    (tmp_path / "again").mkdir()
    again = lipdub.dub(
        clip, output=tmp_path / "again" / "slow.mp4", speech=speech, options=replace(options, workers=2, reuse=False)
    )
    assert again.length == length
    assert (tmp_path / "again" / "slow.mp4").read_bytes() == (tmp_path / "slow.mp4").read_bytes()


def begun_later(source: Path, path: Path, later: Fraction) -> Path:
    """A copy of a file whose picture begins ``later`` seconds after its sound."""
    with av.open(str(source)) as own, av.open(str(path), "w") as out:
        copies = {stream.index: out.add_stream_from_template(stream) for stream in own.streams}
        for packet in own.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "video":
                packet.dts += round(later / packet.time_base)
                packet.pts = (packet.pts or 0) + round(later / packet.time_base)
            packet.stream = copies[packet.stream.index]
            out.mux(packet)
    return path


@pytest.mark.usefixtures("models")
def test_a_slowed_line_goes_over_a_cut_in_a_picture_that_begins_late(
    portrait: np.ndarray, speech: SpeechOptions, tmp_path: Path
) -> None:
    rate = Fraction(30000, 1001)
    sides = [portrait if i < 24 else portrait[:, ::-1] for i in range(70)]
    pictures = [np.roll(side, (i % 5) - 2, axis=1) for i, side in enumerate(sides)]
    write_synthetic_clip(tmp_path / "plain.mp4", pictures, rate, load_speech("en").sound)
    clip = open_clip(begun_later(tmp_path / "plain.mp4", tmp_path / "late.mp4", Fraction(1, 5)))
    assert clip.span.start == Fraction(1, 5)
    assert clip.start == 0
    report = lipdub.dub(clip.path, output=tmp_path / "out.mp4", speech=speech, options=replace(FAKE, if_longer="slow"))
    assert report.length is not None
    assert report.speech is not None
    assert [line.missing for line in report.speech.lines] == [0, 0]
    begin, end = report.length.clock.points
    cut = clip.times.instant(24)
    assert begin.file < cut < end.file
    film = open_clip(tmp_path / "out.mp4")
    assert len(film) == len(clip) == 70
    for index in range(len(clip)):
        assert (
            0 <= report.length.clock.instant(clip.times.instant(index)) - film.times.instant(index) < Fraction(1, 9999)
        )
    changed = [rendered.cue.span for rendered in report.cues]
    assert any(span.start < report.length.clock.instant(cut) for span in changed)
    assert any(span.end > report.length.clock.instant(cut) for span in changed)
    same = [
        np.abs(one.planes[0].astype(int) - other.planes[0])[:60].mean()
        for one, other in zip(read_frames(film), read_frames(clip), strict=True)
    ]
    assert max(same) < 3, "every frame is shown once, in its order"


@pytest.mark.usefixtures("models")
def test_every_line_gets_its_time(clip: Path, tmp_path: Path) -> None:
    """Lines that touch, overlap, come out of order, and end with the clip."""
    script = (
        f"1\n00:00:01,500 --> 00:00:02,400\n{LONG}\n\n2\n00:00:00,200 --> 00:00:00,800\n{LONG}\n\n"
        f"3\n00:00:00,800 --> 00:00:01,500\n{LONG}\n"
    )
    (tmp_path / "all.es.srt").write_text(script)
    speech = SpeechOptions(script=tmp_path / "all.es.srt", to="es", asr_check=False)
    for how in ("slow", "hold"):
        options = replace(OPTIONS, if_longer=how)
        with open_session(options) as session:
            request = DubRequest(clip, tmp_path / "out.mp4", None, speech, options)
            job, ahead = fitted_to_lines(preflight(request, Caller(), session), session)
            assert ahead.planned is not None
            said = ahead.planned.speech.said
            assert [line.missing for line in said] == [0, 0, 0]
            assert job.length is not None
            assert job.length.lines == 3
            assert said[-1].span.end <= job.clip.span.end
            assert all(one.span.end <= other.span.start for one, other in pairwise(said))


@pytest.mark.usefixtures("models")
def test_nothing_changes_where_all_lines_fit(clip: Path, speech: SpeechOptions, tmp_path: Path) -> None:
    assert speech.script is not None
    speech.script.write_text(SCRIPT.replace(LONG, "Hola a todos."))
    report = lipdub.dub(clip, output=tmp_path / "out.mp4", speech=speech, options=FAKE)
    assert report.length is None
    assert report.output.frames == 60


@pytest.mark.parametrize(
    ("how", "told", "sound"),
    [
        ("hold", "the picture would be held at their ends", "the sound of the clip does not stand still"),
        ("slow", "the picture would be slowed during them", "the sound of the clip is not slowed"),
    ],
)
def test_what_would_be_done_is_told_before(
    clip: Path, speech: SpeechOptions, tmp_path: Path, how: Literal["hold", "slow"], told: str, sound: str
) -> None:
    options = replace(OPTIONS, if_longer=how)
    lines = dry_run(DubRequest(clip, tmp_path / "out.mp4", None, speech, options))
    assert any(told in line for line in lines)
    with pytest.raises(OptionError, match=f"--if-longer {how} and --keep-original-audio exclude each other.*{sound}"):
        dry_run(DubRequest(clip, tmp_path / "out.mp4", None, speech, replace(options, keep_original_audio=True)))
    with pytest.raises(OptionError, match="--if-longer bounce is for a finished dub track"):
        dry_run(DubRequest(clip, tmp_path / "out.mp4", None, speech, replace(OPTIONS, if_longer="bounce")))


@pytest.mark.usefixtures("models")
def test_the_clips_own_sound_waits_with_the_picture(clip: Path) -> None:
    own = open_clip(clip)
    still = paused(own, [AddedTime(Span(Fraction(1), Fraction(1)), Fraction(1))])
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


@pytest.mark.usefixtures("models")
def test_the_clips_own_sound_is_slowed_with_the_picture(clip: Path) -> None:
    own = open_clip(clip)
    slow = slowed_during(own, [AddedTime(Span(Fraction(1), Fraction(2)), Fraction(1, 2))])
    heard, plain = source_sound(slow), source_sound(own)
    assert heard is not None
    assert plain is not None
    rate = heard.rate
    assert np.array_equal(heard.samples[:, :rate], plain.samples[:, :rate])
    assert np.array_equal(heard.samples[:, rate * 5 // 2 :], plain.samples[:, 2 * rate :])
    inside, same = heard.samples[0, rate : rate * 5 // 2], plain.samples[0, rate : 2 * rate]
    loud = [np.sqrt(np.square(part).mean()) for part in (*np.split(inside[: 10 * (len(inside) // 10)], 10),)]
    was = [np.sqrt(np.square(part).mean()) for part in (*np.split(same[: 10 * (len(same) // 10)], 10),)]
    assert np.corrcoef(loud, was)[0, 1] > 0.9
    with open_session(DubOptions(speech_features="light")) as session:
        filmed, slowed = clip_features(own, session).features, clip_features(slow, session).features
    assert len(slowed) == len(filmed) + 25
    rows = [round((at - filmed.start) * 50) for at in (Fraction(1), Fraction(2))]
    steps = np.arange(rows[0], rows[1] - 1)
    within = rows[0] + (steps - rows[0]) * 3 // 2
    even = (steps - rows[0]) % 2 == 0
    assert np.allclose(slowed.voice_activity[within[even]], filmed.voice_activity[steps[even]], atol=1e-5)
    assert np.allclose(slowed.voice_activity[rows[1] + 26 :], filmed.voice_activity[rows[1] + 1 :], atol=1e-5)


@pytest.mark.parametrize("how", [paused, slowed_during])
def test_music_and_effects_stay_with_the_picture(clip: Path, tmp_path: Path, how: Callable) -> None:
    """Clicks of a file of effects are heard when the frames are shown at which they were recorded."""
    own, rate = open_clip(clip), 48_000
    longer = how(own, [AddedTime(Span(Fraction(4, 5), Fraction(8, 5)), Fraction(1, 2))])
    samples = np.zeros((1, 12 * rate // 5), np.float32)
    clicks = [Fraction(k, 10) + Fraction(1, 50) for k in range(24)]
    for at in clicks:
        samples[0, round(at * rate) : round(at * rate) + 48] = 0.5
    write_wave(tmp_path / "effects.wav", Sound(samples, rate))
    stems = Stems(longer, lambda: None)
    stem = np.concatenate(list(stem_blocks(stems.of(tmp_path / "effects.wav"), stems.canvas)), axis=1)[0]
    assert len(stem) == int(longer.span.duration * stems.canvas.rate)
    for at in clicks:
        near = round((longer.instant(at) - Fraction(1, 50)) * stems.canvas.rate)
        part = np.abs(stem[near : near + stems.canvas.rate // 25])
        found = Fraction(near + int(part.argmax()), stems.canvas.rate)
        slow = how is slowed_during and Fraction(4, 5) <= at < Fraction(8, 5)
        assert part.max() > 0.1
        assert abs(found - longer.instant(at)) < (Fraction(1, 100) if slow else Fraction(1, 500))
    dub = np.concatenate(list(stem_blocks(stems.of(clip, retimed=False), stems.canvas)), axis=1)[0]
    assert np.array_equal(dub[: rate // 10], read_sound(clip, rate=stems.canvas.rate).samples[0, : rate // 10])
