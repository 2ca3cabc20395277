"""The test with several shots: a face in a short shot, alone and with what the person shows in the other shots.

    python -m evals.half FOLDER --shots [--priors FOLDER] [--json shots.json]

Of each clip a film is made: its first seconds as one short shot, then two longer shots of the same person, one of them
enlarged, one of them darker, with a shot of the next clip in between. The end of the clip is in none of them. The short
shot is dubbed with the sound of that end, three times: by itself; with the speaker model of the person; and with the
mouths of the person, too. The numbers are those of the half test; nothing is encoded.

    error   mean difference of the re-found aperture from the requested one (eye distances)
    r       correlation of the re-found aperture with the true one        asked   of the requested one with the true one
    swing   standard deviation of the re-found over that of the true      p b m   closures found shut over asked for
    sharp   fine detail of the lips over the source's (median)            seam    edges in the skin around, likewise
    flick   frame-to-frame change of the mouth over that of the source    off     of the re-found aperture from the true
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from evals.bench import Bench, NotFit, Row, analysed, clips_in, later, watching
from evals.scores import correlation, flicker, lip_zone, mouth_crop, seam, sharpness
from lipdub.anatomy.landmarks import RIGID
from lipdub.anatomy.motion import measure_motion
from lipdub.anatomy.pose import fit_pose
from lipdub.anatomy.shape import mouth_shape
from lipdub.engines.seam import Engine, Guide
from lipdub.faces.redetect import LandmarkRedetector
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.media.sound_read import read_sound
from lipdub.review.closures import closures
from lipdub.sound_to_mouth.mouth_trajectory import calibrate, predict_mouth
from lipdub.sound_to_mouth.prior import Prior
from lipdub.sound_to_mouth.speaker_model import SourceSpeech, learn_speaker
from lipdub.sound_to_mouth.sync import find_sync
from lipdub.studio.analysis import Analysis, FaceAnalysis
from lipdub.studio.face_views import face_view
from lipdub.timeline.clip import Clip
from lipdub.timeline.mouth import AP, MouthTrajectory
from lipdub.timeline.patch import FaceView, Passthrough, Patch, patched
from lipdub.timeline.picture import Window, window_around
from lipdub.timeline.speech_features import SpeechFeatures

_SHORT = 2.0
"""Seconds of the short shot."""

_RATE = 48_000


@dataclass(frozen=True, slots=True)
class Piece:
    """Frames ``first`` to ``stop`` of ``clip``, enlarged by ``zoom`` about the middle, brightness times ``gain``."""

    clip: Clip
    first: int
    stop: int
    zoom: float = 1.0
    gain: float = 1.0


def film_of(clip: Clip, other: Clip, path: Path) -> tuple[Clip, int]:
    """Write a film of several shots to ``path``; also returns the first frame of ``clip`` that is in none of them.

    Raises ``NotFit`` if the clip is too short.
    """
    rate = len(clip) / float(clip.span.duration)
    short = round(_SHORT * rate)
    hidden = max(len(clip) - 2 * short, round(len(clip) * 0.6))
    middle = (short + hidden) // 2
    if middle - short < rate or len(clip) - hidden < short // 2:
        raise NotFit("too short to be cut into shots")
    between = round(1.2 * len(other) / float(other.span.duration))
    away = Piece(other, 0, min(between, len(other)))
    shots = [
        Piece(clip, 0, short),
        away,
        Piece(clip, short, middle, zoom=1.3),
        away,
        Piece(clip, middle, hidden, gain=0.8),
    ]
    _write(path, shots, clip.size, Fraction(rate).limit_denominator(1001))
    return open_clip(path), hidden


def _write(path: Path, pieces: Sequence[Piece], size: tuple[int, int], rate: Fraction) -> None:
    """Write ``pieces`` one after the other, with their sound, at a constant ``rate``."""
    width, height = (side // 2 * 2 for side in size)
    with av.open(str(path), "w") as file:
        picture = file.add_stream("libx264", rate=rate, options={"crf": "12", "preset": "veryfast"})
        picture.width, picture.height, picture.pix_fmt = width, height, "yuv420p"
        sound = file.add_stream("aac", rate=_RATE, layout="mono")
        for frame in (f for piece in pieces for f in _pictures(piece, (width, height))):
            file.mux(picture.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        file.mux(picture.encode(None))
        samples = np.concatenate([_samples(piece, rate) for piece in pieces])
        block = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), "fltp", layout="mono")
        block.sample_rate = _RATE
        file.mux(sound.encode(block))
        file.mux(sound.encode(None))


def _pictures(piece: Piece, size: tuple[int, int]) -> Iterator[np.ndarray]:
    for frame in read_frames(piece.clip, piece.first, piece.stop):
        w, h = piece.clip.size
        dx, dy = round(w * (1 - 1 / piece.zoom) / 2), round(h * (1 - 1 / piece.zoom) / 2)
        rgb = cv2.resize(frame.rgb(Window(dx, dy, w - dx, h - dy)), size, interpolation=cv2.INTER_CUBIC)
        yield np.clip(rgb * piece.gain, 0, 255).astype(np.uint8)


def _samples(piece: Piece, rate: Fraction) -> np.ndarray:
    """The sound of a piece, as long as its frames are at ``rate``."""
    count = round((piece.stop - piece.first) / rate * _RATE)
    sound = read_sound(piece.clip.path, rate=_RATE, mono=True, stream=piece.clip.sound)
    begin = round((piece.clip.times.instant(piece.first) - sound.start) * _RATE)
    some = sound.samples[0][max(begin, 0) : max(begin, 0) + count]
    return np.pad(some, (0, count - len(some)))


@dataclass(frozen=True, eq=False)
class Short:
    """The short shot: its ``face``, the other ``tracks`` of the person, the shapes that are ``true`` for the dub
    (rows, 6), and the ``dub``'s features on the film's clock."""

    film: Clip
    face: FaceAnalysis
    tracks: tuple[FaceAnalysis, ...]
    true: np.ndarray
    dub: SpeechFeatures


def rows_of(bench: Bench, path: Path, other: Path, scratch: Path) -> list[Row]:
    """Three rows for one clip. Raises ``NotFit`` if the face is not found in all shots."""
    clip, engine = open_clip(path), bench.tools.engine
    bench = replace(bench, session=watching(bench, scratch / "session")[0])  # whose inputs go with the scratch folder
    film, hidden = film_of(clip, open_clip(other), scratch / "film.mp4")
    prior, whole = bench.prior(path), analysed(bench, clip, scratch / "whole")
    analysis = analysed(bench, film, scratch / "faces")
    short = _short(bench, (clip, film), (whole, analysis), hidden)
    voice = bench.features(film.path)
    sources = _sources(film, short.tracks, voice, prior)
    mine = [i for i, face in enumerate(short.tracks) if face.id == short.face.id]
    alone = _trajectory(prior, _sources(film, [short.tracks[i] for i in mine], voice, prior), 0, short.dub)
    person = _trajectory(prior, sources, mine[0], short.dub)
    others = tuple(face.study for face in short.tracks if face.id != short.face.id)
    trials = (("alone", alone, ()), ("speaker", person, ()), ("and mouths", person, others))
    return [{"with": name, **_judged((bench, engine), short, path_, pool)} for name, path_, pool in trials]


def _short(bench: Bench, clips: tuple[Clip, Clip], found: tuple[Analysis, Analysis], hidden: int) -> Short:
    (clip, film), (whole, analysis) = clips, found
    largest = max(whole.faces, key=lambda f: len(f.track), default=None)
    first = next((f for f in analysis.faces if f.track.first == 0), None)
    if first is None or largest is None:
        raise NotFit("no face in the short shot")
    shots = {face.track.shot for face in analysis.faces}
    ordered = sorted(shots, key=lambda s: s.first)
    faces = tuple(
        max((f for f in analysis.faces if f.track.shot == shot), key=lambda f: len(f.track)) for shot in ordered[::2]
    )
    if len(ordered) != 5:
        raise NotFit(f"{len(ordered)} shots with a face were found, not 5")
    truth = measure_motion(largest.track, first.motion.mean)
    seconds, own = first.seconds(film), largest.seconds(clip)
    away = float(clip.times.instant(hidden)) - float(seconds[0])
    ok = truth.ok
    true = np.stack([np.interp(seconds + away, own[ok], truth.shapes[ok, k], right=np.nan) for k in range(6)], 1)
    dub = later(bench.features(clip.path), -Fraction(away).limit_denominator(10**6))
    return Short(film, first, faces, true, dub)


def _sources(film: Clip, faces: Sequence[FaceAnalysis], voice: SpeechFeatures, prior: Prior) -> list[SourceSpeech]:
    """The tracks of one person, with the sync that all of them together show."""
    seconds = [face.seconds(film) for face in faces]
    ok = [face.motion.ok & face.visibility.usable for face in faces]
    shapes = [face.motion.shapes for face in faces]
    sync = find_sync(prior, voice, np.concatenate(seconds), np.concatenate(shapes), np.concatenate(ok))
    return [
        SourceSpeech(voice, sync, s, o, face.learnable, t)
        for face, s, o, t in zip(faces, shapes, ok, seconds, strict=True)
    ]


def _trajectory(prior: Prior, sources: Sequence[SourceSpeech], number: int, dub: SpeechFeatures) -> MouthTrajectory:
    model = learn_speaker(prior, sources, prior.kind(dub))
    calibration = calibrate(prior, model, dub, [source.seconds for source in sources])
    return predict_mouth(prior, model.of_track(number), dub, sources[number].seconds, calibration).trajectory


def _judged(tools: tuple[Bench, Engine], short: Short, path: MouthTrajectory, others: Sequence[Path]) -> Row:
    redetect = LandmarkRedetector(tools[0].tools.landmarker)
    study = tools[1].study(short.face.study, redetect, others)
    again = np.full((len(path), 6), np.nan)
    sharp, seams, made, filmed = [], [], [], []
    for view, answer in _rendered(short, study.render(Guide(path), _views(short))):
        row = view.index - short.face.track.first
        near = view.landmarks
        if near is None:
            continue
        window = window_around(near, view.size)
        picture = patched(view, answer, window) if isinstance(answer, Patch) else view.pixels(window)
        found = redetect(picture, near - np.array([window.left, window.top, 0], np.float32))
        if found is not None:
            mean = short.face.motion.mean
            fitted = fit_pose(np.asarray(found, np.float64)[None, RIGID], mean[RIGID])
            again[row] = mouth_shape(fitted.unproject(0, np.asarray(found, np.float64)))
        if isinstance(answer, Patch) and found is not None:
            lips = np.asarray(found) + np.array([window.left, window.top, 0])
            zone = lip_zone(lips, float(short.face.motion.poses.scale[row]), answer.window)
            sharp.append(sharpness(answer.pixels, answer.base, zone))
            seams.append(seam(answer.pixels, answer.base, zone))
            made.append(_crop(short, row, view, answer))
        filmed.append(_crop(short, row, view, None))
    asked, met = closures(again[:, AP], path.closed)
    both = np.isfinite(again[:, AP]) & np.isfinite(short.true[:, AP])
    return {
        "frames": len(path),
        "error": float(np.nanmean(np.abs(again[:, AP] - path.shapes[:, AP]))),
        "r": correlation(again[:, AP], short.true[:, AP]),
        "asked": correlation(path.shapes[:, AP].astype(float), short.true[:, AP]),
        "off": float(np.nanmean(np.abs(again[:, AP] - short.true[:, AP]))),
        "swing": float(again[both, AP].std() / short.true[both, AP].std()),
        "p b m": f"{met}/{asked}",
        "sharp": float(np.nanmedian(sharp)) if sharp else float("nan"),
        "seam": float(np.nanmedian(seams)) if seams else float("nan"),
        "flick": flicker(np.array(made), np.array(filmed)) if len(made) > 1 else float("nan"),
    }


def _views(short: Short) -> Iterator[FaceView]:
    track = short.face.track
    for frame in read_frames(short.film, track.first, track.stop):
        yield face_view(frame, track, short.film.size, short.face.visibility.occluders)


def _rendered(short: Short, answers: Iterator[Patch | Passthrough]) -> Iterator[tuple[FaceView, Patch | Passthrough]]:
    yield from zip(_views(short), answers, strict=True)


def _crop(short: Short, row: int, view: FaceView, patch: Patch | None) -> np.ndarray:
    def pixels(window: Window) -> np.ndarray:
        return view.pixels(window) if patch is None else patched(view, patch, window)

    crop = mouth_crop(short.face.motion, row, view.size, pixels)
    assert crop is not None, "the face was found"
    return crop


def several_shots(folder: Path) -> Callable[[Bench, Path, Path], list[Row]]:
    """``rows_of``, with a shot of the next clip of ``folder`` between the shots of each."""
    clips = clips_in(folder)
    following = dict(zip(clips, [*clips[1:], *clips[:1]], strict=True))
    return lambda bench, path, scratch: rows_of(bench, path, following[path], scratch)
