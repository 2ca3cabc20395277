"""A dub that says what it is: credentials signed last, and a label in its corner and span, from every door."""

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import lipdub
from lipdub.compose.label import Label
from lipdub.demo.media_files import write_synthetic_clip, write_wave
from lipdub.demo.speech_assets import load_speech
from lipdub.errors import InputError, OptionError, OutputError
from lipdub.media.mark import synthetic_mark
from lipdub.media.probe import open_clip, picture_facts
from lipdub.media.read import read_frames
from lipdub.review.report import Report
from lipdub.studio import dub as dub_module
from lipdub.studio import film_label as film_label_module
from lipdub.studio.dub_plan import DubSpeech
from lipdub.studio.film_label import film_label
from lipdub.studio.options import LabelOptions
from lipdub.studio.workers.divide import with_label
from lipdub.timeline.picture import Frame, PixelLayout
from lipdub.timeline.said_line import SaidLine
from lipdub.timeline.sound import Sound
from lipdub.timeline.time import Span

pytest.importorskip("c2pa", reason="content credentials need the extra credentials (c2pa-python)")
pytest.importorskip("cryptography", reason="content credentials need the extra credentials (cryptography)")


from lipdub.credentials.local_key import local_key
from lipdub.credentials.manifest import DubAccount
from lipdub.credentials.read import read_credentials
from lipdub.credentials.sign import sign_into
from lipdub.studio.deliver.credentials import is_translated

RATE = Fraction(25)
FACE, BLANK = 26, 60
PLAIN = lipdub.DubOptions(speech_features="light", consent=True, face=("largest",), page=False, workers=1)
LOSSLESS = replace(PLAIN, codec="ffv1")


@pytest.fixture(scope="module")
def clip(models: None, portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A portrait, and then two shots without a face, each with a GOP of its own; a dub track is beside it."""
    folder = tmp_path_factory.mktemp("disclosed")
    rows = np.linspace(40, 200, 256, dtype=np.uint8)[:, None, None]
    blank = np.ascontiguousarray(np.broadcast_to(rows, (256, 256, 3)))
    small = cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA)
    faces = [np.roll(small, (i % 5) - 2, axis=1) for i in range(FACE)]
    shots = [*[blank] * (BLANK // 2), *[255 - blank] * (BLANK // 2)]
    write_synthetic_clip(folder / "clip.mp4", [*faces, *shots], RATE)
    voice = load_speech("es").sound
    write_wave(folder / "dub.wav", Sound(voice.samples[:, voice.rate // 2 : voice.rate * 3 // 2], voice.rate))
    return folder / "clip.mp4"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings of the test's own, kept work of the module's, and no network."""
    kept = tmp_path_factory.getbasetemp() / "disclosure-work"
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: kept)
    monkeypatch.setenv("LIPDUB_CONFIG", str(tmp_path / "settings"))
    for name in ("LIPDUB_SIGN_KEY", "LIPDUB_SIGN_CERT"):
        monkeypatch.delenv(name, raising=False)

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("something asks the network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    return tmp_path


def dubbed(clip: Path, output: Path, options: lipdub.DubOptions) -> Report:
    return lipdub.dub(clip, audio=clip.with_name("dub.wav"), output=output, options=options)


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as source:
        return [bytes(packet) for packet in source.demux() if packet.size]


def pictures(path: Path) -> list[tuple[np.ndarray, ...]]:
    return [tuple(plane.copy() for plane in frame.planes) for frame in read_frames(open_clip(path))]


@pytest.mark.parametrize("name", ["signed.mp4", "signed.mkv"])
def test_signing_changes_no_packet_and_says_what_the_report_says(clip: Path, home: Path, name: str) -> None:
    plain = home / f"plain-{name}"
    dubbed(clip, plain, PLAIN)
    report = dubbed(clip, home / name, replace(PLAIN, credentials=True, language="es"))
    assert packets(plain) == packets(home / name)
    assert not any("bears content credentials" in warning for warning in report.warnings)
    beside = (home / name).with_suffix(".c2pa")
    assert beside.exists() == name.endswith("mkv")
    found = read_credentials(home / name)
    assert found is not None
    assert (found.state, found.beside) == ("untrusted", beside if beside.exists() else None)
    (one,) = found.credentials
    assert one.title == name
    assert [title for title, _, _ in one.ingredients] == ["clip.mp4", "dub.wav"]
    assert [action.name for action in one.actions] == ["opened", "placed", "edited", "dubbed"]
    edited, spoken = one.actions[2:]
    told = [span for cue in report.cues for span in cue.changed]
    assert float(edited.spans[0][0]) == pytest.approx(float(min(span.start for span in told)), abs=1e-6)
    assert float(edited.spans[-1][1]) == pytest.approx(float(max(span.end for span in told)), abs=1e-6)
    assert edited.source_type == "compositeWithTrainedAlgorithmicMedia"
    assert (spoken.source_type, "not known" in spoken.description) == ("", True)
    assert any("key of this machine" in note for note in report.notes)
    assert synthetic_mark(home / name).startswith("AI-dubbed")
    assert str(home).encode() not in (beside if beside.exists() else home / name).read_bytes(), "no paths"
    assert not [left for left in home.iterdir() if left.name.startswith(".lipdub")]


def test_the_credential_of_the_source_is_the_first_in_the_chain(clip: Path, home: Path) -> None:
    source = home / "camera.mp4"
    told = DubAccount("camera.mp4", "1", datetime(2026, 1, 2, tzinfo=UTC), sound="it was filmed")
    sign_into(clip, source, "video/mp4", told, local_key())
    options = replace(PLAIN, credentials=True)
    lipdub.dub(source, audio=clip.with_name("dub.wav"), output=home / "out.mp4", options=options)
    found = read_credentials(home / "out.mp4")
    assert found is not None
    assert [one.title for one in found.credentials] == ["out.mp4", "camera.mp4"]
    assert found.credentials[0].ingredients[0] == ("camera.mp4", "parentOf", found.credentials[1].id)
    assert (found.state, found.earlier) == ("untrusted", ())
    report = lipdub.dub(source, audio=clip.with_name("dub.wav"), output=home / "unsigned.mp4", options=PLAIN)
    assert any("the clip bears content credentials" in warning for warning in report.warnings)


@pytest.mark.parametrize(
    ("original", "source", "language", "expected"),
    [
        ("Hello.", "", "es", True),
        ("", "en", "es", True),
        ("", "en", "en-GB", False),
        ("", "en", "", False),
        ("", "", "es", False),
        ("Hola.", "", "es", False),  # it was kept as it is
    ],
)
def test_it_says_that_words_were_translated_only_if_they_were(
    original: str, source: str, language: str, expected: bool
) -> None:
    span = Span(Fraction(0), Fraction(1))
    speech = DubSpeech(Path("a.wav"), Path("a.srt"), said=(SaidLine(span, span, "Hola.", original),))
    assert is_translated(speech, source, language) == expected


def test_if_it_cannot_be_signed_nothing_appears(clip: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OutputError("the content credential cannot be made (a reason)")

    monkeypatch.setattr("lipdub.studio.deliver.credentials.sign_into", broken)
    with pytest.raises(OutputError, match="a reason"):
        dubbed(clip, home / "out.mp4", replace(PLAIN, credentials=True))
    assert [path.name for path in home.iterdir()] == ["settings"]


def no_work(*_: object, **__: object) -> None:
    raise AssertionError("work began")


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        (lambda o, f: replace(o, credentials=True, sign_key=f / "a", sign_cert=f / "b"), InputError, "cannot be read"),
        (lambda o, f: replace(o, credentials=True, sign_key=f / "a"), OptionError, "certificates are not given"),
        (lambda o, f: replace(o, sign_key=f / "a"), OptionError, "without --credentials"),
        (lambda o, f: replace(o, label="هذا"), OptionError, "cannot be drawn"),
        (lambda o, f: replace(o, label="long " * 30), OptionError, "too long for a picture"),
        (lambda o, f: replace(o, label_seconds=-1.0), OptionError, "is no time"),
        (lambda o, f: replace(o, label_corner="top-right"), OptionError, "no label to place"),
    ],
)
def test_what_cannot_be_made_is_refused_before_any_work(
    clip: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[lipdub.DubOptions, Path], lipdub.DubOptions],
    error: type[Exception],
    told: str,
) -> None:
    monkeypatch.setattr(dub_module, "analyse", no_work)
    with pytest.raises(error, match=told):
        dubbed(clip, home / "out.mp4", change(PLAIN, home))
    assert not list(home.glob("out*"))


def test_a_credential_beside_the_source_is_never_replaced(clip: Path, home: Path) -> None:
    source = home / "talk.mkv"
    source.write_bytes(clip.read_bytes())
    (home / "talk.c2pa").write_text("the camera's")
    options = replace(PLAIN, credentials=True, overwrite=True)
    with pytest.raises(OutputError, match="one of the inputs"):
        lipdub.dub(source, audio=clip.with_name("dub.wav"), output=home / "talk.webm", options=options)
    assert (home / "talk.c2pa").read_text() == "the camera's"


def test_a_credential_of_an_earlier_film_is_told(clip: Path, home: Path) -> None:
    (home / "out.c2pa").write_text("of another film")
    report = dubbed(clip, home / "out.mkv", PLAIN)
    assert any("out.c2pa is the credential of an earlier file" in note for note in report.notes)
    assert (home / "out.c2pa").read_text() == "of another film"


def test_a_label_is_seen_in_its_corner_and_span_and_all_else_stays(clip: Path, home: Path) -> None:
    dubbed(clip, home / "plain.mkv", LOSSLESS)
    report = dubbed(
        clip,
        home / "label.mkv",
        replace(LOSSLESS, label="KI-synchronisiert", label_corner="bottom-right", label_seconds=1.6),
    )
    assert report.output.frames == FACE + BLANK
    window = Label("KI-synchronisiert", "bottom-right", (256, 256)).window
    rows, columns = slice(window.top, window.bottom), slice(window.left, window.right)
    plain, labelled = pictures(home / "plain.mkv"), pictures(home / "label.mkv")
    for number, (before, after) in enumerate(zip(plain, labelled, strict=True)):
        luma = after[0].astype(int)
        if number < 40:
            assert np.abs(luma - before[0])[rows, columns].mean() > 20, f"frame {number} has it"
            assert luma[rows, columns].max() > 225
            luma[rows, columns] = before[0][rows, columns]
            half = (slice(window.top // 2, window.bottom // 2), slice(window.left // 2, window.right // 2))
            for one, other in zip(before[1:], after[1:], strict=True):
                other[half] = one[half]
                assert np.array_equal(one, other)
        else:
            assert all(np.array_equal(one, other) for one, other in zip(before[1:], after[1:], strict=True))
        assert np.array_equal(luma, before[0]), f"frame {number} is otherwise the same"


def test_outside_the_span_of_a_label_the_source_is_still_copied(clip: Path, home: Path) -> None:
    copied = []
    for number, (label, seconds) in enumerate(((False, 0.0), (True, 1.5), (True, 0.0))):
        report = dubbed(clip, home / f"{number}.mp4", replace(PLAIN, label=label, label_seconds=seconds))
        told = next((one for one in report.streams.copied if one.startswith("picture")), "picture: 0 of")
        copied.append(int(told.split(": ")[1].split()[0]))
    assert copied == [BLANK, BLANK // 2, 0]


def test_frames_with_a_label_alone_may_be_cut_anywhere(clip: Path) -> None:
    label = film_label(LabelOptions(label=True, label_seconds=0.4), open_clip(clip))
    assert label is not None
    assert label.frames == range(10)
    assert with_label([range(3, 6), range(6, 8), range(30, 40)], label) == [
        *(range(i, i + 1) for i in (0, 1, 2)),
        *(range(3, 6), range(6, 8)),
        *(range(i, i + 1) for i in (8, 9)),
        range(30, 40),
    ]
    assert with_label([range(3, 6)], None) == [range(3, 6)]


@pytest.mark.parametrize(("transfer", "white"), [(1, 1.0), (16, 0.58), (18, 0.75)])
def test_letters_are_as_bright_as_the_white_of_the_picture(
    clip: Path, monkeypatch: pytest.MonkeyPatch, transfer: int, white: float
) -> None:
    source = open_clip(clip)
    facts = picture_facts(source)
    colours = replace(facts.colours, transfer=transfer)
    monkeypatch.setattr(film_label_module, "picture_facts", lambda _: replace(facts, colours=colours))
    label = film_label(LabelOptions(label=True), source)
    assert label is not None
    black = np.zeros((256, 256), np.uint8)
    layout = PixelLayout("gray", 8, (1, 1), "bt709", True)
    frame = Frame(0, 0, (black,), layout, lambda box: np.zeros((box.height, box.width, 3), np.uint8))
    label.drawing(source).draw(frame)
    assert black.max() == pytest.approx(255 * white, abs=2)


def test_a_project_remembers_that_it_is_signed_but_no_key(clip: Path, home: Path) -> None:
    key = local_key()
    (home / "key.pem").write_bytes(key.private)
    (home / "chain.pem").write_bytes(key.chain)
    options = replace(PLAIN, credentials=True, sign_key=home / "key.pem", sign_cert=home / "chain.pem")
    speech = lipdub.SpeechOptions(line="Hola a todos.", to="es", asr_check=False, source_language="en")
    work = lipdub.open_project(home / "talk.lipdub", clip)
    work.render("es", home / "one.mp4", lipdub.ProjectOptions(options, speech))
    work.people(lipdub.ProjectOptions(replace(options, sign_key=home / "none.pem")))  # nothing is signed for that
    manifest = (home / "talk.lipdub" / "project.json").read_text()
    assert json.loads(manifest)["options"]["credentials"] is True
    for file in (path for path in (home / "talk.lipdub").rglob("*") if path.is_file()):
        content = file.read_bytes()
        assert b"PRIVATE KEY" not in content
        assert b"key.pem" not in content
    assert "key.pem" not in (home / "one.report.json").read_text()
    report = work.render("es", home / "two.mp4", lipdub.ProjectOptions(lipdub.DubOptions(page=False, workers=1)))
    assert any("key of this machine" in note for note in report.notes)
    for name in ("one.mp4", "two.mp4"):
        found = read_credentials(home / name)
        assert found is not None
        names = [action.name for action in found.credentials[0].actions]
        english = ["translated"] if name == "one.mp4" else []  # that the clip is in English was said for this one
        assert names == ["opened", "edited", "dubbed", *english]
        assert found.credentials[0].actions[2].source_type == "trainedAlgorithmicMedia"
    unsigned = lipdub.ProjectOptions(lipdub.DubOptions(page=False, workers=1), named=frozenset({"credentials"}))
    work.render("es", home / "three.mp4", unsigned)
    assert read_credentials(home / "three.mp4") is None
