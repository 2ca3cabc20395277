"""Track every face through a clip, one frame at a time, in constant memory.

A face is found by the detector and then followed by its landmarks: the crop for the mesh comes from the last frame's
landmarks, moved on by half of the last step, and is corrected where that guess was wrong. The detector runs twice a
second, to find new faces, lost faces and drift. A track ends at a cut, or half a second after its face was last seen.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from lipdub.anatomy.landmarks import EYE_LEFT, EYE_RIGHT, LANDMARK_COUNT
from lipdub.anatomy.thumbnail import THUMBNAIL_SIZE, thumbnail
from lipdub.faces.landmarker import FaceDetection, FaceLandmarker, FaceMesh, FaceRoi
from lipdub.faces.picture_change import PictureChange
from lipdub.timeline.clip import Shot
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.patch import FaceView
from lipdub.timeline.picture import Frame, Rgb, Window, window_around
from lipdub.timeline.spool import Spool

MIN_PRESENCE = 0.5
"""Presence below which a face counts as lost."""

_DETECTION_INTERVAL = 0.5  # seconds between two runs of the detector
_SEARCH_INTERVAL = 0.12  # the same while a face is lost or none is tracked
_LOST = 0.5  # seconds after which a lost face's track ends
_SHORTEST = 0.3  # seconds with a face; shorter tracks are dropped, unless they fill their shot
_SMALLEST = 8.0  # pixels between the eyes, median; smaller faces are dropped
_SAME = 0.3  # overlap (intersection over union) from which two boxes are one face
_CACHE_MARGIN = 1.1  # side of the cached window over that of the expected crop
_EXTRAPOLATION = 0.5  # part of the last step by which the next crop is moved on
_MAX_MISSES = 3  # runs of the detector in a row that may miss a tracked face whose mesh is unsure
_UNSURE_PRESENCE = 0.9  # presence below which such a miss counts
_BLANK_FACE = np.full((LANDMARK_COUNT, 3), np.nan, np.float32)
_BLANK_THUMB = np.zeros((THUMBNAIL_SIZE[1], THUMBNAIL_SIZE[0], 3), np.uint8)

Box = tuple[float, float, float, float]


@dataclass(eq=False)
class _ActiveTrack:
    """A face that is being tracked: its data so far, where the next frame's crop is, and what this frame showed."""

    id: int
    shot_first: int
    first: int
    landmarks: Spool
    thumbs: Spool
    roi: FaceRoi
    mesh: FaceMesh | None = None
    pixels: Callable[[Window], Rgb] | None = None
    last: FaceRoi | None = None
    lost: int = 0
    misses: int = 0
    redness: list[float] = field(default_factory=list)
    presence: list[float] = field(default_factory=list)
    eyes: list[float] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)

    @property
    def box(self) -> Box:
        """Axis-aligned box of the face where it was last seen."""
        half = self.roi.side / 3
        return self.roi.x - half, self.roi.y - half, self.roi.x + half, self.roi.y + half

    def update(self, mesh: FaceMesh | None) -> None:
        """Set what this frame showed, and the crop for the next frame."""
        self.mesh = mesh
        if mesh is None:
            self.lost, self.last = self.lost + 1, None
            return
        now = FaceRoi.around(mesh.landmarks)
        before = self.last or now
        self.roi = replace(
            now, x=now.x + _EXTRAPOLATION * (now.x - before.x), y=now.y + _EXTRAPOLATION * (now.y - before.y)
        )
        self.last, self.lost = now, 0


class _CachedWindow:
    """RGB of the window around a face, converted once per frame for all who read it."""

    def __init__(self, pixels: Callable[[Window], Rgb], window: Window) -> None:
        self._pixels, self._window = pixels, window
        self._rgb: Rgb | None = None

    def __call__(self, window: Window) -> Rgb:
        if not self._window.contains(window):
            return self._pixels(window)
        if self._rgb is None:
            self._rgb = self._pixels(self._window)
        top, left = window.top - self._window.top, window.left - self._window.left
        return self._rgb[top : top + window.height, left : left + window.width]


@dataclass(frozen=True, eq=False)
class TrackedFrame:
    """What one frame showed: the tracks with a row for it, by id, and their views; and tracks that have no more
    rows."""

    views: list[tuple[int, FaceView]]
    rows: list[tuple[_ActiveTrack, FaceView, Callable[[Window], Rgb]]]
    ended: list[_ActiveTrack]


class FaceTracker:
    """Takes the frames of a clip in order and keeps the tracks of its faces.

    ``track`` does all that a frame needs. It is ``follow`` and then ``write``, which may run in two threads: thumbnails
    are made while the next frame is looked at.
    """

    def __init__(
        self, folder: Path, size: tuple[int, int], finder: FaceLandmarker, most: int = 4, rate: Fraction = Fraction(25)
    ) -> None:
        """Tracks are written to files in ``folder``; ``size`` (width, height) is the display picture's.

        At most ``most`` faces are tracked at once. ``rate`` (frames per second) turns seconds into frames.
        """
        self._folder, self._size, self._finder, self._most = Path(folder), size, finder, most
        self._rate = float(rate)
        self._change = PictureChange()
        self._active: list[_ActiveTrack] = []
        self._ended: list[tuple[_ActiveTrack, int]] = []  # with the frame after the track's shot; 0 while that goes on
        self._just_ended: list[_ActiveTrack] = []
        self._ids = self._shot_first = self._stop = self._next_detection = 0

    @property
    def started(self) -> int:
        """How many tracks were started: all ids are below."""
        return self._ids

    def track(self, frame: Frame, cut: bool) -> list[tuple[int, FaceView]]:
        """Track ids and views of the faces in this frame; ``cut``: it begins a new shot.

        A face that is lost for a moment still gives a view, without landmarks: one view for each row of its track.
        """
        tracked = self.follow(frame, cut)
        self.write(tracked)
        return tracked.views

    def follow(self, frame: Frame, cut: bool) -> TrackedFrame:
        """Find the faces of this frame; ``cut``: it begins a new shot. What is found must be given to ``write``."""
        if cut:
            self._end_shot(frame.index)
        self._change.see(frame)
        for track in self._active:
            self._follow(track, frame)
        self._end_duplicates()
        if any(track.lost == 1 for track in self._active):
            self._next_detection = frame.index
        if frame.index >= self._next_detection:
            self._run_detector(frame)
        rows = [(track, self._add_row(track, frame), track.pixels or frame.rgb) for track in self._active]
        for track in [track for track in self._active if track.lost >= self._frames(_LOST)]:
            self._end(track)
        for track in self._active:
            track.pixels = None
        self._stop = frame.index + 1
        ended, self._just_ended = self._just_ended, []
        return TrackedFrame([(track.id, view) for track, view, _ in rows], rows, ended)

    def write(self, tracked: TrackedFrame) -> None:
        """Make the thumbnails of the frame that was followed, in the order of frames."""
        for track, view, pixels in tracked.rows:
            if view.landmarks is None:
                track.thumbs.append(_BLANK_THUMB)
                track.redness.append(float("nan"))
                continue
            thumb = thumbnail(view.landmarks, self._size, pixels)
            track.thumbs.append(thumb.picture)
            track.redness.append(thumb.redness)
        for track in tracked.ended:
            track.thumbs.close()

    def finish(self) -> list[FaceTrack]:
        """All tracks worth keeping, by their first frame. Call once, after the last frame."""
        self._end_shot(self._stop)
        for track in self._just_ended:
            track.thumbs.close()
        tracks = []
        for track, shot_stop in self._ended:
            if self._is_worth_keeping(track, shot_stop):
                redness, presence = np.array(track.redness, np.float32), np.array(track.presence, np.float32)
                shot, changes = Shot(track.shot_first, shot_stop), np.array(track.changes, np.float32)
                spools = track.landmarks, track.thumbs
                tracks.append(FaceTrack(track.id, shot, track.first, *spools, redness, presence, changes))
            else:
                track.landmarks.path.unlink(missing_ok=True)
                track.thumbs.path.unlink(missing_ok=True)
        return sorted(tracks, key=lambda track: (track.first, track.id))

    def _frames(self, seconds: float) -> int:
        return max(1, round(seconds * self._rate))

    def _is_worth_keeping(self, track: _ActiveTrack, shot_stop: int) -> bool:
        """True if the track is long enough, or seen in most frames of a short shot; and large enough."""
        shot = shot_stop - track.shot_first
        enough = self._frames(_SHORTEST)
        if len(track.presence) == shot < enough:
            enough = shot // 2 + 1
        return len(track.eyes) >= enough and float(np.median(track.eyes)) >= _SMALLEST

    def _end_shot(self, stop: int) -> None:
        """End the shot before frame ``stop``, and all its tracks."""
        for track in list(self._active):
            self._end(track)
        self._ended = [(track, shot_stop or stop) for track, shot_stop in self._ended]
        self._shot_first = self._next_detection = stop

    def _end(self, track: _ActiveTrack) -> None:
        track.landmarks.close()
        self._active.remove(track)
        self._ended.append((track, 0))
        self._just_ended.append(track)

    def _follow(self, track: _ActiveTrack, frame: Frame) -> None:
        track.pixels = _CachedWindow(
            frame.rgb, replace(track.roi, side=_CACHE_MARGIN * track.roi.side).window(self._size)
        )
        track.update(self._mesh(track.pixels, track.roi))

    def _mesh(self, pixels: Callable[[Window], Rgb], roi: FaceRoi) -> FaceMesh | None:
        """The face inside ``roi``, if there is one and it is near that size and place."""
        mesh = self._finder.refined_mesh(pixels, self._size, roi)
        if mesh is None or mesh.presence < MIN_PRESENCE:
            return None
        found = FaceRoi.around(mesh.landmarks)
        width, height = self._size
        inside = 0 <= found.x < width and 0 <= found.y < height
        close = abs(found.x - roi.x) + abs(found.y - roi.y) < 0.5 * roi.side and 0.5 < found.side / roi.side < 2
        return mesh if inside and close else None

    def _end_duplicates(self) -> None:
        """If two tracks are on one face, end the one that began later, and drop it if it is short."""
        for track in sorted(self._active, key=lambda track: (-track.first, -track.id)):
            if any(o is not track and intersection_over_union(o.box, track.box) > _SAME for o in self._active):
                if len(track.presence) < self._frames(2 * _DETECTION_INTERVAL):
                    track.eyes.clear()
                self._end(track)

    def _run_detector(self, frame: Frame) -> None:
        """Run the detector: start tracks of new faces, resume lost ones, check those that it misses."""
        unmatched = []
        seen: set[int] = set()
        for detection in self._finder.detect(frame):
            match = max(self._active, key=lambda track: intersection_over_union(track.box, detection.box), default=None)
            if match is None or match.id in seen or intersection_over_union(match.box, detection.box) < _SAME:
                unmatched.append(detection)
                continue
            seen.add(match.id)
            if match.lost:
                self._resume(match, detection, frame)
        for detection in unmatched:
            self._start(detection, frame, seen)
        for track in list(self._active):
            self._end_if_missed(track, track.id in seen)
        waiting = not self._active or any(track.lost for track in self._active)
        self._next_detection = frame.index + self._frames(_SEARCH_INTERVAL if waiting else _DETECTION_INTERVAL)

    def _resume(self, track: _ActiveTrack, detection: FaceDetection, frame: Frame) -> bool:
        """Resume a lost track where the detector sees its face."""
        mesh = self._mesh(frame.rgb, detection.roi)
        if mesh is not None:
            track.update(mesh)
        return mesh is not None

    def _start(self, detection: FaceDetection, frame: Frame, seen: set[int]) -> None:
        """Start a track for an unmatched detection, or resume a lost track whose face moved there."""
        for track in self._active:
            if track.lost and track.id not in seen and _may_be_same_face(track.roi, detection.roi):
                if self._resume(track, detection, frame):
                    seen.add(track.id)
                return
        mesh = self._mesh(frame.rgb, detection.roi) if len(self._active) < self._most else None
        if mesh is None or any(intersection_over_union(track.box, detection.box) > _SAME for track in self._active):
            return
        track = self._new(detection.roi, frame.index)
        track.update(mesh)
        seen.add(track.id)

    def _new(self, roi: FaceRoi, first: int) -> _ActiveTrack:
        name = self._folder / f"face-{self._ids:04d}"
        paths = name.with_suffix(".landmarks"), name.with_suffix(".thumbs")
        for path in paths:  # files of an interrupted run
            path.unlink(missing_ok=True)
        landmarks, thumbs = (
            Spool(paths[0], (LANDMARK_COUNT, 3), np.float32),
            Spool(paths[1], _BLANK_THUMB.shape, np.uint8),
        )
        track = _ActiveTrack(self._ids, self._shot_first, first, landmarks, thumbs, roi)
        self._ids += 1
        self._active.append(track)
        return track

    def _end_if_missed(self, track: _ActiveTrack, seen: bool) -> None:
        """End a track that the detector misses several times in a row while its mesh is unsure."""
        missed = not seen and track.mesh is not None and track.mesh.presence < _UNSURE_PRESENCE
        track.misses = track.misses + 1 if missed else 0
        if track.misses >= _MAX_MISSES:
            self._end(track)

    def _add_row(self, track: _ActiveTrack, frame: Frame) -> FaceView:
        """Add this frame's row to the track, without its thumbnail, and return its view."""
        face = None if track.mesh is None else track.mesh.landmarks
        track.landmarks.append(_BLANK_FACE if face is None else face)
        track.presence.append(0.0 if track.mesh is None else track.mesh.presence)
        changes = np.nan if face is None else self._change.within(window_around(face, self._size))
        track.changes.append(changes if len(track.changes) else np.nan)
        if face is not None:
            track.eyes.append(float(np.linalg.norm(face[EYE_LEFT] - face[EYE_RIGHT])))
        return FaceView(frame.index, self._size, face, frame.rgb)


def intersection_over_union(a: Box, b: Box) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    area = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return width * height / (area - width * height)


def _may_be_same_face(lost: FaceRoi, found: FaceRoi) -> bool:
    """True if a face lost at ``lost`` may be the one seen at ``found`` a moment later."""
    near = abs(lost.x - found.x) + abs(lost.y - found.y) < lost.side
    return near and 0.6 < found.side / lost.side < 1.7
