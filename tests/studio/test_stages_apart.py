"""Every stage in a process of its own, with pickled values between them, gives the film of one call."""

import pickle
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import lipdub
from lipdub.demo.media_files import write_synthetic_clip, write_wave
from lipdub.demo.speech_assets import load_speech
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.studio.caller import Caller
from lipdub.studio.cue_folder import CueFolders
from lipdub.studio.deliver.deliver import deliver
from lipdub.studio.film_work import FilmFolders
from lipdub.studio.job import DubRequest
from lipdub.studio.options import SpeechOptions
from lipdub.studio.preflight.preflight import preflight
from lipdub.studio.session import Session, open_session
from lipdub.studio.workers.divide import divide
from lipdub.timeline.sound import Sound

STAGE = """
import pickle, sys
from pathlib import Path
from lipdub.studio.analyse.analyse import analyse
from lipdub.studio.assemble.assemble import assemble
from lipdub.studio.plan.plan_dub import plan_dub
from lipdub.studio.session import reopened
from lipdub.studio.workers.segment_run import make_run

def rendered(work, numbers, session):
    return list(make_run(work, numbers, session))

spec, name, given = pickle.loads(Path(sys.argv[1]).read_bytes())
stages = {"analyse": analyse, "plan": plan_dub, "render": rendered, "assemble": assemble}
with reopened(spec) as session:
    Path(sys.argv[2]).write_bytes(pickle.dumps(stages[name](*given, session)))
"""


def apart(name: str, session: Session, folder: Path, *given: object) -> object:
    """What the stage ``name`` makes of ``given``, in a new process."""
    asked, made = folder / f"{name}.asked", folder / f"{name}.made"
    asked.write_bytes(pickle.dumps((session.spec, name, given)))
    subprocess.run([sys.executable, "-c", STAGE, str(asked), str(made)], check=True)
    return pickle.loads(made.read_bytes())


def pictures(path: Path) -> list[bytes]:
    return [b"".join(plane.tobytes() for plane in frame.planes) for frame in read_frames(open_clip(path))]


@pytest.fixture
def request_of(models: None, portrait: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DubRequest:
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "work")
    rows = np.linspace(40, 200, 400, dtype=np.uint8)[:, None, None]
    blank = np.ascontiguousarray(np.broadcast_to(rows, portrait.shape))
    swaying = [np.roll(portrait, (i % 5) - 2, axis=1) for i in range(70)]
    write_synthetic_clip(tmp_path / "clip.mp4", [*swaying, *[blank] * 14, *swaying], Fraction(25))
    voice = load_speech("es").sound
    words = voice.samples[:, voice.rate // 2 : voice.rate * 5 // 2]
    write_wave(tmp_path / "dub.wav", Sound(np.tile(words, 3), voice.rate))
    options = lipdub.DubOptions(speech_features="light", consent=True, face=("largest",), page=False)
    return DubRequest(tmp_path / "clip.mp4", tmp_path / "apart.mp4", tmp_path / "dub.wav", SpeechOptions(), options)


def test_stages_in_processes_of_their_own_make_the_film_of_one_call(request_of: DubRequest, tmp_path: Path) -> None:
    asked, folder = request_of, tmp_path / "values"
    folder.mkdir()
    with open_session(asked.options) as session:
        job = preflight(asked, Caller(), session)
        analysis = apart("analyse", session, folder, job)
        plan = apart("plan", session, folder, job, analysis)
        folders = FilmFolders(CueFolders(folder / "cues", reels=True), folder / "segments", folder / "sound")
        work = divide(job, plan, folders)
        numbers = work.missing
        assert len(numbers) > 1
        for number in reversed(numbers):  # each by itself, the last one first
            assert apart("render", session, folder, work, [number]) == [number]
        assert not work.missing
        film = apart("assemble", session, folder, work)
        report = deliver(work, film, session)
    one = replace(asked, output=tmp_path / "one.mp4")
    expected = lipdub.dub(one.source, output=one.output, audio=one.audio, options=one.options)
    assert (tmp_path / "apart.mp4").read_bytes() == (tmp_path / "one.mp4").read_bytes()
    assert pictures(tmp_path / "one.mp4") != pictures(asked.source)
    assert report.faces == expected.faces
    assert report.cues == expected.cues
    assert len(report.faces) == 2
    assert all(made.reel is not None and made.reel.stat().st_size > 100 for made in work.patches)


def test_values_between_stages_know_people_cues_and_takes_by_id(request_of: DubRequest, tmp_path: Path) -> None:
    folder = tmp_path / "values"
    folder.mkdir()
    with open_session(request_of.options) as session:
        job = preflight(request_of, Caller(), session)
        analysis = apart("analyse", session, folder, job)
        plan = apart("plan", session, folder, job, analysis)
    assert [(person.id, len(person.tracks)) for person in analysis.people] == [("1", 2)]
    cues = [cue for face in plan.faces for cue in face.cues]
    assert len({cue.id for cue in cues}) == len(cues)
    lines = {line.id: line for line in plan.lines}
    assert all(cue.line_id in lines for cue in cues)
    assert {cue.person for cue in cues} == {"1"}
    assert len({cue.face for cue in cues}) == 2
    assert {analysis.person_of(cue.face).id for cue in cues} == {"1"}
