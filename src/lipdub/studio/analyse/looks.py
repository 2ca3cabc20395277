"""The best views of all faces in files: one array file with what they say about whose faces these are, and a JPEG of
each face."""

import json
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from lipdub.faces.best_views import BestViews, FaceAppearance
from lipdub.faces.identity import EMBEDDING, FaceIdentifier
from lipdub.studio.analysis import FaceLook
from lipdub.timeline.patch import FaceView
from lipdub.timeline.people import FaceSample
from lipdub.timeline.picture import Window

_LIST, _EMBEDDINGS = "looks.json", "looks.npy"
_JPEG_QUALITY = 88


class LookFiles:
    """Takes the views of all faces, frame by frame, and writes what the best ones say into a folder."""

    def __init__(self, folder: Path, identifier: FaceIdentifier | None) -> None:
        """``folder`` is where the files go; without an ``identifier`` faces are not recognised."""
        self._folder, self._best = folder, BestViews(identifier)
        self._entries: dict[int, dict] = {}
        self._embeddings: dict[int, np.ndarray] = {}

    def see(self, seen: Iterable[tuple[int, FaceView]]) -> None:
        """Take the views of one frame, by track id."""
        for track, appearance in self._best.see(seen):
            self._keep(track, appearance)

    def finish(self, tracks: Iterable[int]) -> None:
        """Write the list of all looks of ``tracks``; what was kept of other tracks is removed. Call once."""
        for track, appearance in self._best.finish():
            self._keep(track, appearance)
        kept = sorted(self._entries.keys() & set(tracks))
        for track in self._entries.keys() - set(kept):
            _portrait_file(self._folder, track).unlink(missing_ok=True)
        blank = np.full(EMBEDDING, np.nan, np.float32)
        rows = [self._embeddings.get(track, blank) for track in kept]
        np.save(self._folder / _EMBEDDINGS, np.stack(rows) if rows else np.zeros((0, EMBEDDING), np.float32))
        (self._folder / _LIST).write_text(json.dumps([self._entries[track] for track in kept]), "utf-8")

    def _keep(self, track: int, found: FaceAppearance) -> None:
        window = found.window
        self._entries[track] = {
            "track": track,
            "frame": found.frame,
            "window": [window.left, window.top, window.right, window.bottom],
            "value": found.value,
            "spread": found.spread,
            "why": found.why,
        }
        if found.embedding is not None:
            self._embeddings[track] = found.embedding
        bgr = cv2.cvtColor(found.portrait, cv2.COLOR_RGB2BGR)
        done, coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if done:
            _portrait_file(self._folder, track).write_bytes(coded.tobytes())


def read_looks(folder: Path) -> dict[int, FaceLook]:
    """What ``LookFiles`` wrote to ``folder``, by track id."""
    entries = json.loads((folder / _LIST).read_text("utf-8"))
    return {
        entry["track"]: FaceLook(
            embedding=None if np.isnan(embedding[0]) else embedding,
            why=entry["why"],
            sample=FaceSample(entry["track"], entry["frame"], Window(*entry["window"])),
            portrait=_portrait_file(folder, entry["track"]),
            value=entry["value"],
        )
        for entry, embedding in zip(entries, np.load(folder / _EMBEDDINGS), strict=True)
    }


def _portrait_file(folder: Path, track: int) -> Path:
    return folder / f"portrait-{track}.jpg"
