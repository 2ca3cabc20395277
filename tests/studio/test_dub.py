"""From a clip and a dub track to a dubbed clip, end to end, on a portrait that ships with the package."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import lipdub
from lipdub import weights
from lipdub.demo.media_files import write_synthetic_clip, write_wave
from lipdub.demo.speech_assets import load_speech
from lipdub.errors import LipdubError, NothingToDub, OutputError, WeightsError
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.media.segments import SegmentPlan, encode_segment, write_segments
from lipdub.media.write import WriteResult
from lipdub.timeline.clip import Clip
from lipdub.timeline.lines import Line
from lipdub.timeline.picture import Frame
from lipdub.timeline.sound import Sound
from lipdub.words_to_sound.seam import ModelCard, VoiceReference

RATE = Fraction(30000, 1001)
FACE, BLANK = 22, 14
LIGHT = lipdub.DubOptions(speech_features="light", consent=True)


@dataclass(frozen=True)
class Case:
    """A clip of a portrait, a faceless shot, and the portrait again; and a dub for it."""

    clip: Path
    faceless: Path
    dub: Path


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    try:
        for model in ("face-landmarks", "face-detector", "voice-activity"):
            weights.resolve(model)
    except WeightsError as missing:
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp("case")
    data = np.frombuffer((files("lipdub.demo") / "assets" / "portrait.jpg").read_bytes(), np.uint8)
    face = cv2.resize(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], (400, 400), interpolation=cv2.INTER_AREA)
    rows = np.linspace(40, 200, 400, dtype=np.uint8)[:, None, None]
    blank = np.ascontiguousarray(np.broadcast_to(rows, (400, 400, 3)))
    swaying = [np.roll(face, (i % 5) - 2, axis=1) for i in range(FACE)]
    write_synthetic_clip(folder / "clip.mp4", [*swaying, *[blank] * BLANK, *swaying], RATE)
    write_synthetic_clip(folder / "faceless.mp4", [blank] * 8, RATE)
    voice = load_speech("es").sound
    write_wave(folder / "dub.wav", Sound(voice.samples[:, voice.rate // 2 : voice.rate * 5 // 2], voice.rate))
    return Case(folder / "clip.mp4", folder / "faceless.mp4", folder / "dub.wav")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kept work: what was found out about the clip in one test is not found out again in the next."""
    return tmp_path_factory.mktemp("dub-work")


@pytest.fixture
def home(tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the films of a test; models are found where they were."""
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: work)
    return tmp_path


def picture(path: Path) -> list[np.ndarray]:
    return [frame.planes[0].astype(int) for frame in read_frames(open_clip(path))]


def test_the_mouth_changes_and_all_else_stays(case: Case, home: Path) -> None:
    output = home / "out.mp4"
    report = lipdub.dub(case.clip, audio=case.dub, output=output, options=LIGHT)
    source, dubbed = open_clip(case.clip), open_clip(output)
    assert [dubbed.times.instant(i) for i in range(len(dubbed))] == [
        source.times.instant(i) for i in range(len(source))
    ]
    change = np.array([np.abs(a - b) for a, b in zip(picture(case.clip), picture(output), strict=True)])
    assert change[:, :150].mean() < 1.5, "eyes and hair stay"
    assert change[FACE : FACE + BLANK].max() < 12, "a shot without a face stays"
    lips = change[:, 200:300, 130:270].mean((1, 2))
    assert max(lips[:FACE].max(), lips[FACE + BLANK :].max()) > 3, "lips move"
    saved = json.loads((home / "out.report.json").read_text())
    assert saved["source"]["frames"] == 2 * FACE + BLANK
    told = [one for cue in saved["cues"] for one in cue["changed"]]
    seconds = sum(one["end"] - one["start"] for one in told)
    assert sum(cue["frames_changed"] for cue in saved["cues"]) == pytest.approx(seconds * float(source.rate), abs=0.1)
    changed = [bool((c > 2).any()) for c in change]
    assert 0 < seconds <= sum(changed) / float(source.rate) + 1e-3
    assert any("no face" in left["reason"] for left in saved["passthrough"])
    assert saved["recipe"]["speech_features"].startswith("light")
    assert (home / "out.review.html").exists()
    assert report.output.path == output


def test_the_same_order_gives_the_same_pictures_and_studies_once(
    case: Case, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: home / "work")
    drawn: dict[str, list[str]] = {}

    def recording(clip: Clip, plan: SegmentPlan, number: int, pictures: Iterable[Frame], path: Path) -> None:
        digests = drawn.setdefault(str(path.parent), [])

        def noted() -> Iterator[Frame]:
            for frame in pictures:
                digests.append(sha256(b"".join(plane.tobytes() for plane in frame.planes)).hexdigest())
                yield frame

        encode_segment(clip, plan, number, noted(), path)

    monkeypatch.setattr("lipdub.studio.workers.segment_run.encode_segment", recording)
    first = lipdub.dub(case.clip, audio=case.dub, output=home / "a.mp4", options=LIGHT)
    again = lipdub.dub(case.clip, audio=case.dub, output=home / "b.mp4", options=LIGHT)
    one, other = drawn.values()
    assert len(one) == 2 * FACE + BLANK
    assert one == other
    assert [t.frames for t in first.timings if t.stage == "analyse"] == [2 * FACE + BLANK]
    assert [t.frames for t in again.timings if t.stage == "analyse"] == [0]


def test_what_a_cut_off_clip_promises_is_in_the_report(case: Case, home: Path) -> None:
    whole, part = home / "whole.mp4", home / "part.mp4"
    with av.open(str(case.clip)) as read, av.open(str(whole), "w", container_options={"movflags": "faststart"}) as out:
        stream = out.add_stream_from_template(read.streams.video[0])
        for packet in (p for p in read.demux(video=0) if p.size):
            packet.stream = stream
            out.mux_one(packet)
    with av.open(str(whole)) as read:
        places = [packet.pos for packet in read.demux(video=0) if packet.size]
    part.write_bytes(whole.read_bytes()[: places[FACE]])
    count = len(open_clip(part))
    assert FACE - 3 < count <= FACE
    write_wave(home / "mute.wav", Sound(np.zeros((1, 16000), np.float32), 16000))
    options = replace(LIGHT, face=("largest",), page=False)
    with pytest.raises(LipdubError):  # nobody speaks in it: but it is read, and nothing is written
        lipdub.dub(part, audio=home / "mute.wav", output=home / "none.mp4", options=options)
    report = lipdub.dub(part, audio=case.dub, output=home / "out.mp4", options=options)
    told = [text for text in report.warnings if f"states {2 * FACE + BLANK} frames" in text]
    assert len(told) == 1
    assert f"{count} (" in told[0]
    assert len(open_clip(home / "out.mp4")) == count


def test_without_a_face_nothing_is_written(case: Case, home: Path) -> None:
    with pytest.raises(NothingToDub, match="no face"):
        lipdub.dub(case.faceless, audio=case.dub, output=home / "out.mp4", options=LIGHT)
    assert not list(home.glob("out*"))


def test_nothing_is_overwritten_unasked(case: Case, home: Path) -> None:
    (home / "out.report.json").write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        lipdub.dub(case.clip, audio=case.dub, output=home / "out.mp4", options=LIGHT)
    assert (home / "out.report.json").read_text() == "mine"


class Recording:
    """A voice that has one recorded phrase for everything."""

    card = ModelCard("recording", "Apache-2.0")

    def speak(self, line: Line, pace: float = 1.0, reference: VoiceReference | None = None) -> Sound:
        voice = load_speech("es")
        span, _ = voice.phrases[0]
        rate = voice.sound.rate
        return Sound(voice.sound.samples[:, round(span.start * rate) : round(span.end * rate)], rate)


def test_a_script_becomes_a_dub_with_subtitles(case: Case, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lipdub.words_to_sound.voices.assign.voice_named", lambda text: Recording())
    script = home / "talk.es.srt"
    script.write_text("1\n00:00:00,100 --> 00:00:00,900\nHola a todos.\n\n2\n00:00:01,100 --> 00:00:01,600\nAdiós.\n")
    speech = lipdub.SpeechOptions(script=script, to="es", recogniser="nobody", embed_subtitles=True)
    report = lipdub.dub(case.clip, output=home / "out.mkv", speech=speech, options=replace(LIGHT, face=("largest",)))
    assert report.speech is not None
    assert [line.text for line in report.speech.lines] == ["Hola a todos.", "Adiós."]
    assert any("nobody" in note for note in report.speech.notes), "it was not checked by ear, and that is said"
    assert "Hola a todos." in (home / "out.srt").read_text(encoding="utf-8")
    assert any(entry.startswith("subtitles") for entry in report.streams.encoded)
    assert report.cues
    assert len(open_clip(home / "out.mkv")) == 2 * FACE + BLANK
    for name in ("out.mkv", "out.report.json", "out.review.html"):
        (home / name).unlink()
    with pytest.raises(OutputError, match=r"out\.srt"):
        lipdub.dub(case.clip, output=home / "out.mkv", speech=speech, options=LIGHT)


def test_the_script_stays_as_it_is_and_subtitles_go_beside_it(
    case: Case, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lipdub.words_to_sound.voices.assign.voice_named", lambda text: Recording())
    script = home / "talk.es.srt"
    script.write_text("1\n00:00:00,100 --> 00:00:00,900\n<i>Hola</i> a todos.\n")
    before = script.read_bytes()
    speech = lipdub.SpeechOptions(script=script, to="es", asr_check=False)
    for overwrite in (False, True):
        options = replace(LIGHT, face=("largest",), overwrite=overwrite)
        report = lipdub.dub(case.clip, output=home / "talk.es.mp4", speech=speech, options=options)
        assert script.read_bytes() == before
        assert "Hola a todos." in (home / "talk.es.subtitles.srt").read_text(encoding="utf-8")
        assert any("talk.es.subtitles.srt" in note for note in report.notes)


def test_a_file_that_appears_during_the_run_is_not_replaced(
    case: Case, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(*args: object) -> WriteResult:
        (home / "out.report.json").write_text("mine")
        return write_segments(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("lipdub.studio.assemble.assemble.write_segments", slowly)
    with pytest.raises(OutputError, match=r"out\.report\.json"):
        lipdub.dub(case.clip, audio=case.dub, output=home / "out.mp4", options=LIGHT)
    assert {path.name for path in home.iterdir()} == {"out.report.json"}
    assert (home / "out.report.json").read_text() == "mine"


def test_the_film_does_not_stand_where_its_report_cannot(
    case: Case, home: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise OutputError("cannot be written: the disk is full", file=home / "out.report.json")

    monkeypatch.setattr("lipdub.studio.deliver.deliver.page", broken)
    with pytest.raises(OutputError, match="full"):
        lipdub.dub(case.clip, audio=case.dub, output=home / "out.mp4", options=LIGHT)
    assert list(home.iterdir()) == []
    monkeypatch.undo()
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: work)
    lipdub.dub(case.clip, audio=case.dub, output=home / "out.mp4", options=LIGHT)
    assert (home / "out.mp4").exists()


def test_dubs_of_one_stem_in_two_containers_have_a_report_each(case: Case, home: Path) -> None:
    lipdub.dub(case.clip, audio=case.dub, output=home / "o.mp4", options=LIGHT)
    lipdub.dub(case.clip, audio=case.dub, output=home / "o.mov", options=LIGHT)
    assert json.loads((home / "o.report.json").read_text())["output"]["path"].endswith("o.mp4")
    assert json.loads((home / "o.mov.report.json").read_text())["output"]["path"].endswith("o.mov")
