"""The faces of a clip found in parts, by this process or by others: the files are the same, and nothing stays."""

import itertools
import json
import os
import signal
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from lipdub.anatomy.motion import measure_motion
from lipdub.errors import MachineError
from lipdub.faces.visibility import VisibilityLimits, visibility
from lipdub.media.probe import open_clip
from lipdub.studio.analyse import faces_by_workers
from lipdub.studio.analyse.faces import find_faces, read_faces
from lipdub.studio.analyse.faces_by_workers import parts_of
from lipdub.studio.options import DubOptions
from lipdub.studio.sent_files import Reach
from lipdub.studio.session import Session, open_session
from lipdub.timeline.clip import Clip

SHOTS = (5, 9, 40, 3, 12, 6)
"""Frames of each shot."""

FACES = (1, 2, 1, 0, 1, 2)
"""Faces in each shot."""

CUTS = tuple(itertools.accumulate(SHOTS))
FRAMES = CUTS[-1]
RATE = Fraction(6)


@pytest.fixture(autouse=True)
def _two_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers share the short film of these tests."""
    monkeypatch.setattr(faces_by_workers, "LITTLE_FOR_TWO", 12)


@pytest.fixture(scope="module")
def film(models: None, portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A film of 12.5 seconds with six shots; the portrait sways before another wall in each of them."""
    return encoded(list(pictures(portrait)), tmp_path_factory.mktemp("film") / "film.mp4", "6")


def encoded(shown: Sequence[np.ndarray], path: Path, distance: str) -> Clip:
    """A film with key frames ``distance`` frames apart."""
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", RATE, options={"g": distance, "sc_threshold": "0", "crf": "20"})
        video.height, video.width = shown[0].shape[:2]
        video.pix_fmt = "yuv420p"
        for picture in shown:
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        file.mux(video.encode())
    return open_clip(path)


def pictures(portrait: np.ndarray):
    face = cv2.resize(portrait, (150, 150), interpolation=cv2.INTER_AREA)
    random = np.random.default_rng(4)
    for frames, faces in zip(SHOTS, FACES, strict=True):
        wall = cv2.resize(
            random.integers(0, 255, (6, 10, 3)).astype(np.uint8), (400, 200), interpolation=cv2.INTER_CUBIC
        )
        for i in range(frames):
            picture = wall.copy()
            for number in range(faces):
                left = 20 + 200 * number + i % 5
                picture[25:175, left : left + 150] = face
            yield picture


@pytest.fixture(scope="module")
def expected(film: Clip, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files that one process makes."""
    return found_in(film, [range(FRAMES)], tmp_path_factory.mktemp("one"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def found_in(film: Clip, parts: Sequence[range], folder: Path) -> dict[str, bytes]:
    """The files of ``film`` analysed in ``parts`` by one process, which calls the workers' function itself."""

    def at_once(clip: Clip, session: Session, folder: Path, parts: Sequence[range]) -> list:
        each = (faces_by_workers._find_in_worker(session, clip, folder, part, folder.parent / "seen") for part in parts)
        return [shot for shots in each for shot in shots]

    with pytest.MonkeyPatch.context() as patch, open_session(DubOptions(workers=1)) as session:
        patch.setattr("lipdub.studio.analyse.faces.parts_of", lambda clip, session: parts)
        patch.setattr("lipdub.studio.analyse.faces.find_in_workers", at_once)
        (folder / "found").mkdir()
        find_faces(film, session, folder / "found")
    return contents(folder / "found")


def test_every_shot_and_every_face_is_found(film: Clip, expected: dict[str, bytes], tmp_path: Path) -> None:
    index = json.loads(expected["index.json"])
    assert [stop for _, stop in index["shots"]] == list(CUTS)
    assert [[face["shot"][1] for face in index["faces"]].count(stop) for stop in CUTS] == list(FACES)
    assert [face["first"] for face in index["faces"]] == sorted(face["first"] for face in index["faces"])
    assert len({face["id"] for face in index["faces"]}) == sum(FACES)
    assert not any(name.startswith(f"shot-{CUTS[2]:08d}") for name in expected)


@pytest.mark.parametrize(
    "borders",
    [
        (CUTS[0],),
        (CUTS[1] - 1, CUTS[1] + 1),
        (CUTS[1] + 4, CUTS[1] + 9, CUTS[1] + 20, CUTS[2] - 1, CUTS[2]),
        (FRAMES - 1,),
    ],
    ids=["at a cut", "around a cut", "a shot over several parts", "the last frame"],
)
def test_the_files_do_not_depend_on_the_parts(
    film: Clip, expected: dict[str, bytes], borders: tuple[int, ...], tmp_path: Path
) -> None:
    parts = [range(first, stop) for first, stop in itertools.pairwise((0, *borders, FRAMES))]
    assert found_in(film, parts, tmp_path) == expected


def test_workers_make_the_same_files(film: Clip, expected: dict[str, bytes], tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    with open_session(DubOptions(workers=2), lambda *step: told.append(step)) as session:
        assert len(parts_of(film, session)) > 1
        find_faces(film, session, tmp_path)
        shots, faces = read_faces(film, tmp_path)
        assert session.clock.frames["analyse"] == FRAMES
        assert len(shots) == len(SHOTS)
        assert all(face.study.is_dir() and face.look is not None for face in faces)
    assert contents(tmp_path) == expected
    assert told[-1] == ("analyse", FRAMES, FRAMES)


def test_faces_are_read_as_they_were_measured(film: Clip, tmp_path: Path) -> None:
    with open_session(DubOptions(workers=1)) as session:
        find_faces(film, session, tmp_path)
        limits = session.tools.engine.limits
    _, faces = read_faces(film, tmp_path)
    assert len(faces) == sum(FACES)
    for face in faces:
        motion, kept = measure_motion(face.track), face.motion
        times = film.times.seconds()[face.track.first : face.track.stop]
        allowed = VisibilityLimits(limits.smallest_face, limits.largest_yaw, limits.occluders)
        seen = visibility(face.track, motion, times, allowed)
        for name in ("scale", "rotation", "shift"):
            np.testing.assert_array_equal(getattr(kept.poses, name), getattr(motion.poses, name))
        for name in ("ok", "shapes", "mean"):
            np.testing.assert_array_equal(getattr(kept, name), getattr(motion, name))
        np.testing.assert_array_equal(face.visibility.weight, seen.weight)
        np.testing.assert_array_equal(face.visibility.usable, seen.usable)
        assert face.visibility.reasons == seen.reasons


def test_short_clips_and_other_clocks_are_read_by_one_process(film: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_session(DubOptions(workers=2)) as session:
        with monkeypatch.context() as patch:
            patch.setattr(faces_by_workers, "LITTLE_FOR_TWO", 30)
            assert parts_of(film, session) == [range(FRAMES)]
        slow = Clip(**{**vars(film), "matched_by_order": True})
        quick = Clip(**{**vars(film), "rate": Fraction(30)})
        assert parts_of(slow, session) == parts_of(quick, session) == [range(FRAMES)]
        parts = parts_of(film, session)
        assert [i for part in parts for i in part] == list(range(FRAMES))
        assert all((part.start - faces_by_workers.AFTER_KEY) % 6 in (0, 4, 5) for part in parts[1:])
    with open_session(DubOptions(workers=1)) as session:
        assert parts_of(film, session) == [range(FRAMES)]


def test_a_film_without_key_frames_is_read_once(portrait: np.ndarray, tmp_path: Path) -> None:
    endless = encoded(list(pictures(portrait)), tmp_path / "endless.mp4", "1000")
    with open_session(DubOptions(workers=2)) as session:
        assert parts_of(endless, session) == [range(FRAMES)]


def process_of(session: Session) -> int:
    return os.getpid()


def ends_itself(session: Session, *_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_worker_that_is_killed(film: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces_by_workers, "_find_in_worker", ends_itself)
    with (
        open_session(DubOptions(workers=2)) as session,
        pytest.raises(MachineError, match=r"film\.mp4: the system ended a worker.* --workers 1"),
    ):
        find_faces(film, session, tmp_path)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="/proc")
def test_a_cancelled_analysis_leaves_no_process_and_no_file(film: Clip, tmp_path: Path) -> None:
    class Cancelled(Exception):
        pass

    def cancel(stage: str, done: int, total: int) -> None:
        if done:
            raise Cancelled

    with open_session(DubOptions(workers=2, reuse=False), cancel, unkept=tmp_path) as session:
        with session.workers(2, "", film.path) as submit:
            workers = {future.result() for future in [submit(process_of, Reach) for _ in range(8)]}
        assert all(map(is_alive, workers))
        with pytest.raises(Cancelled):
            session.store.folder("faces", lambda part: find_faces(film, session, part))
        assert not any(map(is_alive, workers))
        assert not [path for path in session.store.root.iterdir() if path.is_dir()]


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
