"""A whole dub while its inputs change under it, its cache is damaged, or its disk is full."""

import errno
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest

import lipdub
from lipdub import weights
from lipdub.demo.media_files import write_synthetic_clip, write_wave
from lipdub.demo.speech_assets import load_speech
from lipdub.errors import InputError, OutputError, WeightsError
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.studio import sound_steps
from lipdub.studio.analyse import analyse
from lipdub.studio.plan import plan_dub
from lipdub.studio.plan.lines import DubLines
from lipdub.studio.preflight import preflight
from lipdub.timeline.sound import Sound
from lipdub.timeline.spool import Spool
from lipdub.words_to_sound.fake import FakeRecogniser

FRAMES = 12
CHANGED = "was changed while it was being read"
OPTIONS = lipdub.DubOptions(speech_features="light", consent=True, overwrite=True, page=False)


@dataclass(frozen=True)
class Case:
    """Two clips of the same portrait, one of them mirrored, and a dub."""

    clip: bytes
    other: bytes
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
    face = cv2.resize(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], (320, 320), interpolation=cv2.INTER_AREA)
    for name, picture in (("clip.mp4", face), ("other.mp4", face[:, ::-1])):
        write_synthetic_clip(
            folder / name, [np.roll(picture, (i % 5) - 2, axis=1) for i in range(FRAMES)], Fraction(25)
        )
    voice = load_speech("es").sound
    write_wave(folder / "dub.wav", Sound(voice.samples[:, voice.rate // 2 : voice.rate], voice.rate))
    return Case((folder / "clip.mp4").read_bytes(), (folder / "other.mp4").read_bytes(), folder / "dub.wav")


@dataclass(frozen=True)
class Home:
    """A folder with a clip and a dub that may be changed, and a cache of its own."""

    folder: Path

    @property
    def clip(self) -> Path:
        return self.folder / "clip.mp4"

    @property
    def sound(self) -> Path:
        return self.folder / "dub.wav"

    @property
    def kept(self) -> list[str]:
        return sorted(p.name.split("-")[0] for p in (self.folder / "work").iterdir() if not p.name.startswith("."))

    def dub(self, name: str = "out.mp4") -> lipdub.Report:
        options = OPTIONS
        return lipdub.dub(self.clip, audio=self.sound, output=self.folder / name, options=options)

    def pictures(self, name: str = "out.mp4") -> str:
        planes = (plane.tobytes() for frame in read_frames(open_clip(self.folder / name)) for plane in frame.planes)
        return sha256(b"".join(planes)).hexdigest()


@pytest.fixture
def home(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "work")
    (tmp_path / "clip.mp4").write_bytes(case.clip)
    (tmp_path / "dub.wav").write_bytes(case.dub.read_bytes())
    for name in ("clip.mp4", "dub.wav"):
        os.utime(tmp_path / name, (1, 1))
    return Home(tmp_path)


@pytest.fixture(scope="module")
def expected(case: Case, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The pictures of an undisturbed dub."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("expected")
        patch.setattr("lipdub.studio.session.default_root", lambda: folder / "work")
        (folder / "clip.mp4").write_bytes(case.clip)
        (folder / "dub.wav").write_bytes(case.dub.read_bytes())
        Home(folder).dub()
        return Home(folder).pictures()


PLACES = {"check_request": preflight, "find_faces": analyse, "plan_faces": plan_dub}
"""In which module a dub calls each function."""


def before(monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[], object]) -> None:
    """Let ``change`` happen just before the dub calls ``name``."""
    module = PLACES[name]
    real = getattr(module, name)

    def changed(*args: object, **more: object) -> object:
        change()
        return real(*args, **more)

    monkeypatch.setattr(module, name, changed)


@pytest.mark.parametrize(
    ("stage", "kept"),
    [("check_request", []), ("find_faces", ["features"]), ("plan_faces", ["features", "faces"])],
    ids=lambda x: str(x),
)
def test_a_clip_that_changes_is_neither_dubbed_nor_remembered(
    case: Case, home: Home, expected: str, monkeypatch: pytest.MonkeyPatch, stage: str, kept: list[str]
) -> None:
    before(monkeypatch, stage, lambda: home.clip.write_bytes(case.other))
    with pytest.raises(InputError, match=CHANGED) as told:
        home.dub()
    assert told.value.file == home.clip
    assert not list(home.folder.glob("out*"))
    assert set(home.kept if (home.folder / "work").exists() else []) <= set(kept)
    monkeypatch.undo()
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: home.folder / "work")
    home.clip.write_bytes(case.clip)
    home.dub()
    assert home.pictures() == expected


def test_a_dub_track_that_changes_is_named(case: Case, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = home.sound.read_bytes()[:-2] + b"\1\1"
    before(monkeypatch, "plan_faces", lambda: home.sound.write_bytes(changed))
    with pytest.raises(InputError, match=rf"dub\.wav: {CHANGED}"):
        home.dub()
    assert not list(home.folder.glob("out*"))


def test_a_damaged_cache_gives_the_same_dub_and_a_word_about_it(home: Home, expected: str) -> None:
    home.dub()
    assert home.pictures() == expected
    study = next((home.folder / "work").glob("faces-*"))
    for file in (next(study.rglob("study.npz")), next(study.rglob("face*.npz")), study / "index.json"):
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(bytes(data))
    next((home.folder / "work").glob("features-*/features.npz")).unlink()
    report = home.dub("again.mp4")
    assert home.pictures("again.mp4") == expected
    assert [t.frames for t in report.timings if t.stage == "analyse"] == [FRAMES]
    told = json.loads((home.folder / "again.report.json").read_text())["warnings"]
    assert len([line for line in told if "is damaged and is made again" in line]) == 2
    third = home.dub("third.mp4")
    assert [t.frames for t in third.timings if t.stage == "analyse"] == [0]
    assert not any("damaged" in line for line in third.warnings)


@pytest.mark.parametrize(
    ("place", "remedy"), [("again", "TMPDIR"), ("landmarks", "LIPDUB_CACHE"), ("thumbs", "LIPDUB_CACHE")]
)
def test_a_full_disk_is_told_as_such(home: Home, monkeypatch: pytest.MonkeyPatch, place: str, remedy: str) -> None:
    real = Spool.append

    def full(self: Spool, row: np.ndarray) -> None:
        if place in self.path.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, row)

    monkeypatch.setattr(Spool, "append", full)
    with pytest.raises(OutputError, match=rf"cannot be kept there: the disk is full.*{remedy}"):
        home.dub()
    assert not list(home.folder.glob("out*"))
    assert "faces" not in home.kept or place == "again"


def test_a_clip_that_goes_away_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    before(monkeypatch, "find_faces", lambda: home.clip.unlink())
    with pytest.raises(InputError, match=r"clip\.mp4"):
        home.dub()
    assert not list(home.folder.glob("out*"))


def test_words_of_a_sound_that_changed_are_not_written(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def features(*_: object) -> DubLines:
        home.sound.write_bytes(home.sound.read_bytes()[:-2] + b"\1\1")
        return DubLines((), "en", home.sound)

    monkeypatch.setattr("lipdub.studio.tools.recogniser_named", lambda text: FakeRecogniser(()))
    monkeypatch.setattr(sound_steps, "recognised_lines", features)
    with pytest.raises(InputError, match=rf"dub\.wav: {CHANGED}"):
        sound_steps.transcribe(home.sound, home.folder / "out.srt")
    assert not (home.folder / "out.srt").exists()
