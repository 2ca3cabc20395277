"""The best views of all faces in files: one array file with what they say about whose faces these are, and a JPEG of
each face."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32

from lipdub.faces.best_views import BestViews, FaceAppearance
from lipdub.faces.identity import EMBEDDING, FaceIdentifier
from lipdub.studio.analysis import FaceLook
from lipdub.timeline.patch import FaceView
from lipdub.timeline.people import FaceSample
from lipdub.timeline.picture import Window

_LIST, _EMBEDDINGS = "looks.json", "looks.npy"
_JPEG_QUALITY = 88


@dataclass(frozen=True, eq=False)
class FoundLook:
    """What the best views of one face say: its ``embedding`` (128,) (None: it cannot be known), the ``portrait``, and
    ``entry``, everything else as it is written to the list of looks."""

    embedding: Float32[np.ndarray, "128"] | None
    portrait: Path
    entry: dict


class LookFiles:
    """Takes the views of the faces of a shot, frame by frame, and writes a portrait of each into a folder."""

    def __init__(self, folder: Path, identifier: FaceIdentifier | None) -> None:
        """``folder`` is where the portraits go; without an ``identifier`` faces are not recognised."""
        self._folder, self._best = folder, BestViews(identifier)
        self._found: dict[int, FoundLook] = {}

    def see(self, seen: Iterable[tuple[int, FaceView]]) -> None:
        """Take the views of one frame, by track id."""
        for track, appearance in self._best.see(seen):
            self._keep(track, appearance)

    def finish(self, tracks: Iterable[int]) -> dict[int, FoundLook]:
        """What was found of ``tracks``; what was kept of other tracks is removed. Call once."""
        for track, appearance in self._best.finish():
            self._keep(track, appearance)
        kept = self._found.keys() & set(tracks)
        for track in self._found.keys() - kept:
            self._found[track].portrait.unlink(missing_ok=True)
        return {track: self._found[track] for track in sorted(kept)}

    def _keep(self, track: int, found: FaceAppearance) -> None:
        window, portrait = found.window, self._folder / f"portrait-{track}.jpg"
        entry = {
            "frame": found.frame,
            "window": [window.left, window.top, window.right, window.bottom],
            "value": found.value,
            "spread": found.spread,
            "why": found.why,
        }
        self._found[track] = FoundLook(found.embedding, portrait, entry)
        bgr = cv2.cvtColor(found.portrait, cv2.COLOR_RGB2BGR)
        done, coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if done:
            portrait.parent.mkdir(parents=True, exist_ok=True)
            portrait.write_bytes(coded.tobytes())


def write_looks(folder: Path, looks: Mapping[int, FoundLook]) -> None:
    """Write the list of ``looks``, by track id, to ``folder``, below which the portraits are."""
    blank = np.full(EMBEDDING, np.nan, np.float32)
    rows = [blank if look.embedding is None else look.embedding for look in looks.values()]
    np.save(folder / _EMBEDDINGS, np.stack(rows) if rows else np.zeros((0, EMBEDDING), np.float32))
    entries = [
        {"track": track, **look.entry, "portrait": look.portrait.relative_to(folder).as_posix()}
        for track, look in looks.items()
    ]
    (folder / _LIST).write_text(json.dumps(entries), "utf-8")


def read_looks(folder: Path) -> dict[int, FaceLook]:
    """What ``write_looks`` wrote to ``folder``, by track id."""
    entries = json.loads((folder / _LIST).read_text("utf-8"))
    return {
        entry["track"]: FaceLook(
            embedding=None if np.isnan(embedding[0]) else embedding,
            why=entry["why"],
            sample=FaceSample(entry["track"], entry["frame"], Window(*entry["window"])),
            portrait=folder / entry["portrait"],
            value=entry["value"],
        )
        for entry, embedding in zip(entries, np.load(folder / _EMBEDDINGS), strict=True)
    }
