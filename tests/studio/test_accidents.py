"""Accidents on projects: each is one sentence that names the file and what to do, and the next run goes on."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

import lipdub
from lipdub.demo.speech_assets import load_speech
from lipdub.engines.fake import FakeEngine
from lipdub.engines.find import find
from lipdub.errors import InputError, LipdubError, MachineError, OutputError
from lipdub.studio.project.open_project import OpenProject
from lipdub.studio.session import Session
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.words_to_sound.seam import ModelCard, VoiceReference

GIVEN = lipdub.DubOptions(speech_features="light", consent=True, engine="fake", page=False, workers=1, overwrite=True)
SPEECH = lipdub.SpeechOptions(asr_check=False, subtitles="none")
PLAIN = lipdub.ProjectOptions(GIVEN, SPEECH)


class Recording:
    """A voice that says every text with recorded syllables, more for longer texts."""

    card = ModelCard("recording", "Apache-2.0")

    def speak(self, line: Line, pace: float = 1.0, reference: VoiceReference | None = None) -> Sound:
        voice = load_speech("es")
        span, rate = voice.phrases[0][0], voice.sound.rate
        stop = min(span.start + Fraction(len(line.text), 25), span.end)
        return Sound(voice.sound.samples[:, round(span.start * rate) : round(stop * rate)], rate)


@dataclass(frozen=True)
class Made:
    """A project whose Spanish is made, its film, and the folder of kept work."""

    home: Path
    cache: Path

    @property
    def folder(self) -> Path:
        return self.home / "talk.lipdub"

    @property
    def film(self) -> bytes:
        return (self.home / "one.mp4").read_bytes()

    def parts(self, pattern: str) -> list[Path]:
        return sorted(self.folder.rglob(pattern))

    def again(self) -> lipdub.Report:
        """The film of the project is written once more, and is the same."""
        report = self.open().render("es", self.home / "two.mp4", PLAIN)
        assert (self.home / "two.mp4").read_bytes() == self.film
        return report

    def open(self) -> OpenProject:
        return lipdub.open_project(self.folder)


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of kept work, which the tests of this module share; the fake engine and the recorded voice."""
    cache = tmp_path_factory.getbasetemp() / "accidents-work"
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: cache)
    monkeypatch.setattr("lipdub.words_to_sound.voices.assign.voice_named", lambda text: Recording())
    monkeypatch.setattr("lipdub.studio.tools.find", lambda name, setup: FakeEngine() if name == "fake" else find(name))
    return cache


@pytest.fixture
def made(talk, usual: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A copy of a project that was made once."""
    first = tmp_path_factory.getbasetemp() / "accidents-made"
    if not (first / "one.mp4").exists():
        first.mkdir(exist_ok=True)
        speech = lipdub.SpeechOptions(script=talk.script, to="es", asr_check=False, subtitles="none")
        project = lipdub.open_project(first / "talk.lipdub", talk.clip)
        project.render("", first / "one.mp4", lipdub.ProjectOptions(GIVEN, speech))
    shutil.copytree(first, tmp_path / "home")
    return Made(tmp_path / "home", usual)


def truncated(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def flipped(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0x10
    file.write_bytes(bytes(data))


def emptied(file: Path) -> None:
    os.truncate(file, 0)


DAMAGES = (truncated, flipped, emptied)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda d: d.__name__)
class TestDamage:
    """Whatever is damaged in a project is made again, and the report says so."""

    def test_a_segment(self, made: Made, damage: Callable[[Path], None]) -> None:
        file = made.parts("*.segment")[0]
        damage(file)
        report = made.again()
        assert any(file.name in line and "damaged" in line for line in report.warnings)

    def test_a_voice(self, made: Made, damage: Callable[[Path], None]) -> None:
        damage(made.parts("voice.npy")[1])
        report = made.again()
        assert any("takes/es/2/1" in line and "voice.npy" in line for line in report.warnings)

    @pytest.mark.parametrize("name", ["take.json", "patches.json", "shapes.npy", "voice.json", "manifest.json"])
    def test_another_file_of_a_take(self, made: Made, damage: Callable[[Path], None], name: str) -> None:
        damage(made.parts(name)[1])
        shutil.rmtree(made.folder / "segments")
        made.again()

    def test_a_reel(self, made: Made, damage: Callable[[Path], None]) -> None:
        """Its checksums are looked at when it is used: then the run ends, and the next one makes it again."""
        reel = made.parts("*.reel")[1]
        with zipfile.ZipFile(reel) as archive:
            entries = archive.infolist()
        if damage is flipped:
            middle, data = entries[len(entries) // 2], bytearray(reel.read_bytes())
            data[middle.header_offset + 30 + len(middle.filename) + 2] ^= 0x10
            reel.write_bytes(bytes(data))
        else:
            damage(reel)
        shutil.rmtree(made.folder / "segments")
        if damage is flipped:
            with pytest.raises(InputError, match=r"patches\.reel: these patches are damaged at .* Run it again"):
                made.again()
        made.again()

    def test_the_levels_of_the_mix(self, made: Made, damage: Callable[[Path], None]) -> None:
        damage(made.parts("*.mix.npz")[0])
        made.again()

    @pytest.mark.parametrize("name", ["project.json", "plans/es.json"])
    def test_what_only_the_user_can_mend(self, made: Made, damage: Callable[[Path], None], name: str) -> None:
        file = made.parts(name)[0]
        whole = file.read_bytes()
        file.write_bytes(b"\xff" + whole) if damage is flipped else damage(file)
        with pytest.raises(InputError, match=rf"{name}: .*damaged.* [A-Z]"):
            made.again()
        file.write_bytes(whole)
        made.again()


def test_a_cue_that_is_rendered_again_is_not_taken_for_finished(made: Made) -> None:
    """A run that is stopped in the middle of a reel leaves one that can be opened, without its last frames."""
    told = made.parts("patches.json")[0]
    (told.parent / "patches.reel").unlink()
    shutil.rmtree(made.folder / "segments")

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "render":
            raise KeyboardInterrupt

    caller = lipdub.Caller(stop)
    with pytest.raises(KeyboardInterrupt):
        lipdub.open_project(made.folder, caller=caller).render("es", made.home / "two.mp4", PLAIN)
    made.again()


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("what", "named"),
    [
        ("zipfile.ZipFile.writestr", r"patches\.reel"),
        ("lipdub.media.segment_file.SegmentFileWriter.write", r"\.segment"),
        ("lipdub.studio.project.takes.shutil.copyfile", r"takes/es/\d/1"),
    ],
)
def test_a_full_disk(made: Made, monkeypatch: pytest.MonkeyPatch, what: str, named: str) -> None:
    """In whichever file: it is named, nothing is half written, and the next run goes on."""
    shutil.rmtree(made.folder / "segments")
    shutil.rmtree(made.folder / "takes")
    with monkeypatch.context() as patch:
        patch.setattr(what, full)
        with pytest.raises((OSError, OutputError)) as told:
            made.again()
    error = told.value
    name = error.file if isinstance(error, LipdubError) else error.filename
    assert re.search(named, str(name)), str(error)
    assert not (made.home / "two.mp4").exists()
    assert not [path for path in made.home.rglob("*") if ".part" in path.name or path.name.startswith(".")]
    made.again()


def test_a_full_disk_of_a_project_is_not_blamed_on_temporary_files(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(made.folder / "segments")
    shutil.rmtree(made.folder / "takes")
    monkeypatch.setattr("zipfile.ZipFile.writestr", full)
    with pytest.raises(OSError, match="No space left") as told:
        made.again()
    assert str(told.value.filename).startswith(str(made.folder))


def test_kept_work_that_is_removed_during_a_run(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(made.folder / "segments")
    shutil.rmtree(made.folder / "takes")

    def gone(*_: object, **__: object) -> Iterator[int]:
        shutil.rmtree(made.cache)
        raise FileNotFoundError(errno.ENOENT, "No such file", str(made.cache / "faces-1" / "index.json"))

    with monkeypatch.context() as patch:
        patch.setattr("lipdub.studio.workers.pool.make_run", gone)
        with pytest.raises(OutputError, match=r"work: working files were removed while.* Run it again"):
            made.again()
    made.again()


def ends_itself(session: Session, *_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_worker_that_is_killed(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(made.folder / "segments")
    (made.folder / "segments" / "es").mkdir(parents=True)
    left = made.folder / "segments" / "es" / "00000000-0.part.segment"
    left.touch()
    with monkeypatch.context() as patch:
        patch.setattr("lipdub.studio.workers.pool._run_in_worker", ends_itself)
        patch.setattr("lipdub.studio.workers.pool.FEW_SECONDS", 0)
        many = lipdub.ProjectOptions(lipdub.DubOptions(**{**vars(GIVEN), "workers": 2}), SPEECH)
        with pytest.raises(MachineError, match=r"the system ended a worker.* --workers 1"):
            made.open().render("es", made.home / "two.mp4", many)
    assert not left.exists()
    made.again()


PARENT = """
import os, sys, time
from lipdub.studio.processes import WorkerPool
with WorkerPool() as pool, pool.tasks(2) as submit:
    each = [submit(os.getpid) for _ in range(8)]
    print(*{future.result() for future in each}, flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="/proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(number: int) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert parent.stdout is not None
    workers = [int(word) for word in parent.stdout.readline().split()]
    assert workers
    os.kill(parent.pid, number)
    parent.communicate()
    until = time.monotonic() + 20
    while any(map(lives, workers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(lives, workers))


def lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
