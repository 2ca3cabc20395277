"""Follow every face through a clip, one frame at a time, in flat memory.

A face is found by the detector, then followed by its own landmarks: the crop for the mesh comes from the last
frame's landmarks, moved on by half of the last step, and is taken again where that guess was off. The detector
looks again twice a second, for new faces, lost faces and drift. A track ends at a cut, or half a second after its
face was last seen.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from lipdub.anatomy.landmarks import EYE_LEFT, EYE_RIGHT, LANDMARK_COUNT
from lipdub.anatomy.thumbnail import THUMBNAIL_SIZE, thumbnail
from lipdub.faces.landmarker import FaceDetection, FaceLandmarker, FaceMesh, FaceRoi
from lipdub.timeline.clip import Shot
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.patch import FaceView
from lipdub.timeline.picture import Frame, Rgb, Window
from lipdub.timeline.spool import Spool

MIN_PRESENCE = 0.5
"""Presence below which a face counts as lost."""

_DETECTION_INTERVAL = 0.5  # seconds between detections
_SEARCH_INTERVAL = 0.12  # the same while a face is lost or none is followed
_LOST = 0.5  # seconds after which a lost face's track ends
_SHORTEST = 0.3  # seconds with a face; shorter tracks are dropped, unless they fill their shot
_SMALLEST = 8.0  # pixels between the eyes, median; smaller faces are dropped
_SAME = 0.3  # overlap (intersection over union) from which two boxes are one face
_HELD = 1.1  # side of the pixels kept at hand over that of the expected crop
_EXTRAPOLATION = 0.5  # part of the last step that the next crop is moved on by
_MAX_MISSES = 3  # detections in a row that may miss a followed face whose mesh is unsure
_UNSURE_PRESENCE = 0.9  # presence below which such a miss counts
_BLANK_FACE = np.full((LANDMARK_COUNT, 3), np.nan, np.float32)
_BLANK_THUMB = np.zeros((THUMBNAIL_SIZE[1], THUMBNAIL_SIZE[0], 3), np.uint8)

Box = tuple[float, float, float, float]


@dataclass(eq=False)
class _ActiveTrack:
    """A face being followed: what was kept so far, where to look next, and what this frame showed."""

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
    doubts: int = 0
    redness: list[float] = field(default_factory=list)
    presence: list[float] = field(default_factory=list)
    eyes: list[float] = field(default_factory=list)

    @property
    def box(self) -> Box:
        """Upright box of the face where it was last seen."""
        half = self.roi.side / 3
        return self.roi.x - half, self.roi.y - half, self.roi.x + half, self.roi.y + half

    def update(self, mesh: FaceMesh | None) -> None:
        """Note what this frame showed and where to look in the next."""
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
    """RGB of the window around a face, converted once for all who look there in one frame."""

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


class FaceTracker:
    """Sees the frames of a clip in order and keeps the tracks of its faces."""

    def __init__(
        self, folder: Path, size: tuple[int, int], finder: FaceLandmarker, most: int = 4, rate: Fraction = Fraction(25)
    ) -> None:
        """Tracks are spooled to files in ``folder``; ``size`` (width, height) is the display picture's.

        At most ``most`` faces are followed at once. ``rate``, frames per second, turns seconds into frames.
        """
        self._folder, self._size, self._finder, self._most = Path(folder), size, finder, most
        self._rate = float(rate)
        self._live: list[_ActiveTrack] = []
        self._ended: list[tuple[_ActiveTrack, int]] = []  # with the frame after the track's shot; 0 while that goes on
        self._ids = self._shot_first = self._stop = self._next_look = 0

    def track(self, frame: Frame, cut: bool) -> list[tuple[int, FaceView]]:
        """Track ids and looks of the faces in this frame; ``cut`` says that it begins a new shot.

        A face lost for a moment still gives a look, without landmarks: one look for each row of its track.
        """
        if cut:
            self._end_shot(frame.index)
        for live in self._live:
            self._follow(live, frame)
        self._part_doubles()
        if any(live.lost == 1 for live in self._live):
            self._next_look = frame.index
        if frame.index >= self._next_look:
            self._look_around(frame)
        views = [(live.id, self._keep(live, frame)) for live in self._live]
        for live in [live for live in self._live if live.lost >= self._frames(_LOST)]:
            self._end(live)
        for live in self._live:
            live.pixels = None
        self._stop = frame.index + 1
        return views

    def finish(self) -> list[FaceTrack]:
        """All tracks worth keeping, by their first frame. Call once, after the last frame."""
        self._end_shot(self._stop)
        tracks = []
        for live, shot_stop in self._ended:
            if self._worth(live, shot_stop):
                redness, presence = np.array(live.redness, np.float32), np.array(live.presence, np.float32)
                shot = Shot(live.shot_first, shot_stop)
                tracks.append(FaceTrack(live.id, shot, live.first, live.landmarks, live.thumbs, redness, presence))
            else:
                live.landmarks.path.unlink(missing_ok=True)
                live.thumbs.path.unlink(missing_ok=True)
        return sorted(tracks, key=lambda track: (track.first, track.id))

    def _frames(self, seconds: float) -> int:
        return max(1, round(seconds * self._rate))

    def _worth(self, live: _ActiveTrack, shot_stop: int) -> bool:
        """Long enough, or seen in most frames of a shot that is not longer itself; and large enough."""
        shot = shot_stop - live.shot_first
        enough = self._frames(_SHORTEST)
        if len(live.presence) == shot < enough:
            enough = shot // 2 + 1
        return len(live.eyes) >= enough and float(np.median(live.eyes)) >= _SMALLEST

    def _end_shot(self, stop: int) -> None:
        """The shot ends before frame ``stop``, and so do its tracks."""
        for live in list(self._live):
            self._end(live)
        self._ended = [(live, shot_stop or stop) for live, shot_stop in self._ended]
        self._shot_first = self._next_look = stop

    def _end(self, live: _ActiveTrack) -> None:
        live.landmarks.close()
        live.thumbs.close()
        self._live.remove(live)
        self._ended.append((live, 0))

    def _follow(self, live: _ActiveTrack, frame: Frame) -> None:
        live.pixels = _CachedWindow(frame.rgb, replace(live.roi, side=_HELD * live.roi.side).window(self._size))
        live.update(self._mesh(live.pixels, live.roi))

    def _mesh(self, pixels: Callable[[Window], Rgb], roi: FaceRoi) -> FaceMesh | None:
        """The face inside ``roi``, if one is there and looks like a face of about that size."""
        mesh = self._finder.refined_mesh(pixels, self._size, roi)
        if mesh is None or mesh.presence < MIN_PRESENCE:
            return None
        found = FaceRoi.around(mesh.landmarks)
        width, height = self._size
        inside = 0 <= found.x < width and 0 <= found.y < height
        close = abs(found.x - roi.x) + abs(found.y - roi.y) < 0.5 * roi.side and 0.5 < found.side / roi.side < 2
        return mesh if inside and close else None

    def _part_doubles(self) -> None:
        """Where two tracks sit on one face, the one that began later ends, and is forgotten if it is young."""
        for live in sorted(self._live, key=lambda live: (-live.first, -live.id)):
            if any(o is not live and intersection_over_union(o.box, live.box) > _SAME for o in self._live):
                if len(live.presence) < self._frames(2 * _DETECTION_INTERVAL):
                    live.eyes.clear()
                self._end(live)

    def _look_around(self, frame: Frame) -> None:
        """Detect faces: new ones get tracks, lost ones are taken up again, drifted ones are doubted."""
        unmatched = []
        seen: set[int] = set()
        for detection in self._finder.detect(frame):
            match = max(self._live, key=lambda live: intersection_over_union(live.box, detection.box), default=None)
            if match is None or match.id in seen or intersection_over_union(match.box, detection.box) < _SAME:
                unmatched.append(detection)
                continue
            seen.add(match.id)
            if match.lost:
                self._take_up(match, detection, frame)
        for detection in unmatched:
            self._start(detection, frame, seen)
        for live in list(self._live):
            self._doubt(live, live.id in seen)
        waiting = not self._live or any(live.lost for live in self._live)
        self._next_look = frame.index + self._frames(_SEARCH_INTERVAL if waiting else _DETECTION_INTERVAL)

    def _take_up(self, live: _ActiveTrack, detection: FaceDetection, frame: Frame) -> bool:
        """Follow a lost face on from where the detector sees it."""
        mesh = self._mesh(frame.rgb, detection.roi)
        if mesh is not None:
            live.update(mesh)
        return mesh is not None

    def _start(self, detection: FaceDetection, frame: Frame, seen: set[int]) -> None:
        """An unknown detection: a lost face that moved, or a new one."""
        for live in self._live:
            if live.lost and live.id not in seen and _may_be_same_face(live.roi, detection.roi):
                if self._take_up(live, detection, frame):
                    seen.add(live.id)
                return
        mesh = self._mesh(frame.rgb, detection.roi) if len(self._live) < self._most else None
        if mesh is None or any(intersection_over_union(live.box, detection.box) > _SAME for live in self._live):
            return
        live = self._new(detection.roi, frame.index)
        live.update(mesh)
        seen.add(live.id)

    def _new(self, roi: FaceRoi, first: int) -> _ActiveTrack:
        name = self._folder / f"face-{self._ids:04d}"
        paths = name.with_suffix(".landmarks"), name.with_suffix(".thumbs")
        for path in paths:  # what an interrupted run may have left
            path.unlink(missing_ok=True)
        landmarks, thumbs = (
            Spool(paths[0], (LANDMARK_COUNT, 3), np.float32),
            Spool(paths[1], _BLANK_THUMB.shape, np.uint8),
        )
        live = _ActiveTrack(self._ids, self._shot_first, first, landmarks, thumbs, roi)
        self._ids += 1
        self._live.append(live)
        return live

    def _doubt(self, live: _ActiveTrack, seen: bool) -> None:
        """End a track that the detector misses again and again while the mesh itself is unsure."""
        missed = not seen and live.mesh is not None and live.mesh.presence < _UNSURE_PRESENCE
        live.doubts = live.doubts + 1 if missed else 0
        if live.doubts >= _MAX_MISSES:
            self._end(live)

    def _keep(self, live: _ActiveTrack, frame: Frame) -> FaceView:
        """Write this frame's row of the track and return the look."""
        if live.mesh is None:
            live.landmarks.append(_BLANK_FACE)
            live.thumbs.append(_BLANK_THUMB)
            live.redness.append(float("nan"))
            live.presence.append(0.0)
            return FaceView(frame.index, self._size, None, frame.rgb)
        face = live.mesh.landmarks
        thumb = thumbnail(face, self._size, live.pixels or frame.rgb)
        live.landmarks.append(face)
        live.thumbs.append(thumb.picture)
        live.redness.append(thumb.redness)
        live.presence.append(live.mesh.presence)
        live.eyes.append(float(np.linalg.norm(face[EYE_LEFT] - face[EYE_RIGHT])))
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
