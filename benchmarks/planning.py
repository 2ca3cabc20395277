"""How long planning takes for many face tracks: it must grow with their number, not faster.

    python benchmarks/planning.py [--tracks 750,1500,3000] [--profile]

Makes clips of which a shot every 2.4 s shows a face (five people take turns and every second one talks), with an hour
of speech features for 1,500 shots, and plans a dub of each: speakers, cues, trajectories, what stays as filmed. The
features are made up; no model is needed. Prints seconds of processor time, and the ratio to the first size beside that
of the tracks.
"""

import argparse
import cProfile
import pstats
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from lipdub.anatomy.motion import FaceMotion
from lipdub.anatomy.pose import Poses
from lipdub.engines.seam import StudyFacts
from lipdub.faces.active_speaker import FaceSelector
from lipdub.faces.visibility import Visibility
from lipdub.media.sound_damage import SoundDamage
from lipdub.sound_to_mouth.prior import Prior
from lipdub.studio.analysis import Analysis, FaceAnalysis
from lipdub.studio.plan.face_plans import FollowedSpeech, plan_faces
from lipdub.studio.plan.speakers import find_speakers
from lipdub.studio.track_features import TrackFeatures
from lipdub.timeline.clip import Clip, FrameTimes, Shot
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.lines import Line
from lipdub.timeline.people import Person
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.spool import Spool
from lipdub.timeline.time import Span

FRAMES = 60
"""Frames of a shot, at 25 a second."""

PEOPLE = 5
REST = np.array([0.08, 0.0, 0.7, 0.1, 0.0, 0.1])
"""A mouth shape at rest."""


def made_analysis(tracks: int, folder: Path, prior: Prior) -> tuple[Clip, Analysis]:
    """A clip of ``tracks`` shots and what would be known of it."""
    draw, frames = np.random.default_rng(0), tracks * FRAMES
    times = FrameTimes(np.arange(frames), Fraction(1, 25), 1)
    clip = Clip(folder / "clip.mp4", times, (1280, 720), Fraction(25), True)
    shots = tuple(Shot(i * FRAMES, (i + 1) * FRAMES) for i in range(tracks))
    spools = Spool(folder / "l", (478, 3), np.float32), Spool(folder / "t", (32, 40, 3), np.uint8)
    voice = made_features(frames, 1)
    said = prior.predict(voice, times.seconds()).reshape(tracks, FRAMES, 6)
    shapes = [0.05 * (said[i] if i % 2 else 0) + draw.normal(0, 0.002, (FRAMES, 6)) + REST for i in range(tracks)]
    faces = tuple(_face(shot, own, spools, folder) for shot, own in zip(shots, shapes, strict=True))
    people = tuple(Person(str(p + 1), tracks=tuple(range(p, tracks, PEOPLE))) for p in range(PEOPLE))
    return clip, Analysis(shots, faces, people, TrackFeatures(voice, SoundDamage()))


def _face(shot: Shot, shapes: np.ndarray, spools: tuple[Spool, Spool], folder: Path) -> FaceAnalysis:
    ok, one = np.ones(FRAMES, bool), np.ones(FRAMES, np.float32)
    track = FaceTrack(shot.first // FRAMES, shot, shot.first, *spools, one * 10, one)
    poses = Poses(np.full(FRAMES, 80.0), np.tile(np.eye(3), (FRAMES, 1, 1)), np.zeros((FRAMES, 3)))
    motion = FaceMotion(track, ok, poses, shapes, np.zeros((478, 3)))
    return FaceAnalysis(track, motion, Visibility(one, ok, ()), folder, StudyFacts(1.0), ok)


def made_features(frames: int, seed: int) -> SpeechFeatures:
    """Made-up features of ``frames`` frames: two seconds of speech, then one of silence."""
    draw, rows = np.random.default_rng(seed), frames * 2
    spoken = ((np.arange(rows) // 50) % 3 < 2).astype(np.float32)
    phones = draw.dirichlet(np.ones(17), rows).astype(np.float32)
    energy = draw.normal(0, 1, (rows, 3)).astype(np.float32) + spoken[:, None]
    return SpeechFeatures(Fraction(0), phones, spoken * 0.98 + 0.01, energy)


def made_lines(frames: int) -> tuple[Line, ...]:
    """A line for each shot in which the mouth moves, of the person who is seen."""
    shots = range(1, frames // FRAMES, 2)
    spans = (Span(Fraction(i * FRAMES, 25), Fraction((i + 1) * FRAMES - 5, 25)) for i in shots)
    return tuple(
        Line("words", span, "es", f"P{i % PEOPLE + 1}", id=str(i)) for i, span in zip(shots, spans, strict=True)
    )


def planned(tracks: int, profiler: cProfile.Profile | None) -> float:
    """Seconds of processor time that planning of ``tracks`` tracks takes."""
    with tempfile.TemporaryDirectory() as folder:
        prior = Prior.load(None)
        clip, analysis = made_analysis(tracks, Path(folder), prior)
        dub, lines, auto = made_features(len(clip), 2), made_lines(len(clip)), [FaceSelector("auto")]
        begin = time.process_time()
        if profiler is not None:
            profiler.enable()
        plans = plan_faces(clip, analysis, FollowedSpeech(dub), prior, auto)
        named = time.process_time()
        find_speakers(clip, analysis, prior, auto, lines)
        if profiler is not None:
            profiler.disable()
        print(f"{len(plans.faces)} faces follow the dub; speakers with a script: {time.process_time() - named:.1f} s")
        return named - begin


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tracks", default="750,1500,3000")
    parser.add_argument("--profile", action="store_true", help="show where the time goes at the largest size")
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.tracks.split(",")]
    first = 0.0
    for size in sizes:
        profiler = cProfile.Profile() if asked.profile and size == sizes[-1] else None
        seconds = planned(size, profiler)
        first = first or seconds
        more, longer = size / sizes[0], seconds / first
        print(f"{size:6} tracks {seconds:8.1f} s   {longer:5.2f} times for {more:5.2f} times the tracks", flush=True)
        if profiler is not None:
            pstats.Stats(profiler).sort_stats("tottime").print_stats(45)


if __name__ == "__main__":
    main()
