"""The exemplar engine: re-uses the mouths that the clip itself shows. Needs no GPU and no training.

While the track streams by, it keeps small crops of the mouth. To perform, it picks for every frame a filmed mouth
of nearly the wanted shape (in long natural stretches), warps it to the exact shape and pose, matches its colour,
and lets the filmed jaw follow.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

from lipdub.anatomy.motion import FaceMotion
from lipdub.engines.exemplar import exemplar_plan as planning
from lipdub.engines.exemplar import stored_study as records
from lipdub.engines.exemplar import build_study as studying
from lipdub.engines.exemplar.closure_check import ClosureCheck
from lipdub.engines.exemplar.library import Crop, CropReader, CropCollector
from lipdub.engines.exemplar.exemplar_plan import LOST, NO_EXEMPLAR, TURNED, ExemplarPlan
from lipdub.engines.exemplar.stored_study import StoredStudy
from lipdub.engines.exemplar.frame_renderer import WeightedExemplar, FrameTarget, FrameRenderer
from lipdub.engines.exemplar.shape_model import pooled_digest
from lipdub.engines.seam import EngineLimits, EngineSetup, Guide, Redetect, StudyFacts
from lipdub.errors import OptionError
from lipdub.timeline.patch import FaceView, Passthrough, Patch
from lipdub.timeline.picture import Window

VERSION = 1
"""Raise when the same pictures give another study."""

_OFF_PICTURE = "the mouth is outside the picture"


@cache
def _thread_pools() -> ThreadpoolController:
    return ThreadpoolController()


@dataclass(frozen=True, slots=True)
class ExemplarOptions:
    """How the exemplar engine works.

    ``library``: how many frames of a shot may lend their mouth (a crop of each lies on disk while it works).
    ``cavity``: paint the inside of the mouth for a face that never opens it (a still picture, for example).
    ``check_closures``: look at closed lips again after drawing them, and correct them once.
    """

    library: int = 1500
    cavity: bool = True
    check_closures: bool = True


class ExemplarEngine:
    """Makes studies that re-use a shot's own mouths. Deterministic; the guide's seed is not needed."""

    name = "exemplar"
    limits = EngineLimits(smallest_face=20.0, largest_yaw=35.0, needs=frozenset({"path"}))

    def __init__(self, options: ExemplarOptions = ExemplarOptions()) -> None:
        """With ``options``."""
        self._options = options

    def fingerprint(self) -> tuple[object, ...]:
        """What a study depends on: versions, options, and the pooled mouth shapes that come with the package."""
        return (VERSION, records.VERSION, self._options, pooled_digest())

    def study(self, folder: Path, eye: Redetect | None = None) -> "ExemplarStudy":
        """A new study in an empty or absent ``folder``, or the finished one that lies there."""
        return ExemplarStudy(Path(folder), self._options, eye)


@dataclass(eq=False)
class ExemplarStudy:
    """One face in one shot, in its own ``folder``."""

    folder: Path
    options: ExemplarOptions
    eye: Redetect | None
    _shelf: CropCollector | None = field(default=None, repr=False)

    def see(self, view: FaceView) -> None:
        """Keep the mouth of one frame, if its face was found."""
        if self._shelf is None:
            self._shelf = CropCollector(self.folder / "crops", self.options.library)
        self._shelf.add(view)

    def finish(self, motion: FaceMotion, usable: np.ndarray) -> StudyFacts:
        """Write what ``perform`` needs; ``usable`` (frames,) bool: frames that may lend their mouth."""
        shelf = self._shelf or CropCollector(self.folder / "crops", self.options.library)
        shelf.reduce(self.options.library)
        with _thread_pools().limit(limits=1, user_api="blas"):
            record = studying.build_study(self.folder, shelf, motion, usable)
        self._shelf = None
        return studying.study_facts(record, self.options.cavity)

    def render(self, guide: Guide, views: Iterable[FaceView]) -> Iterator[Patch | Passthrough]:
        """One answer per look. ``guide.path`` has a row for every frame of the track; numbers of a shape that
        are NaN are filled in by what is likely given the others."""
        assert guide.path is not None, "the exemplar engine follows a mouth path"
        record = records.load_study(self.folder)
        assert len(guide.path) == len(record.geometry), "the path has one row per frame of the track"
        with _thread_pools().limit(limits=1, user_api="blas"):
            plan = planning.plan(guide.path, record, record.library, self.options.cavity)
        stage = _ExemplarTrackRenderer(record, plan, CropReader(self.folder / "crops"), self.eye if self.options.check_closures else None)
        for view in views:
            with _thread_pools().limit(limits=1, user_api="blas"):
                answer = stage.answer(view)
            yield answer


class _ExemplarTrackRenderer:
    """Answers looks, one at a time."""

    def __init__(self, record: StoredStudy, plan: ExemplarPlan, crops: CropReader, eye: Redetect | None) -> None:
        self._record, self._plan, self._crops = record, plan, crops
        self._renderer = FrameRenderer(record.geometry, record.basis)
        self._check = ClosureCheck(record.geometry, eye) if eye is not None else None

    def answer(self, view: FaceView) -> Patch | Passthrough:
        plan, row = self._plan, view.index - self._record.first
        reason = self._why_not(row)
        if reason is not None:
            return Passthrough(view.index, reason)
        order = FrameTarget(row, plan.shapes[row], float(plan.weight[row]), self._exemplars(row), 0.0, plan.cavity)
        made = self._renderer.render(order, view)
        if made is None:
            return Passthrough(view.index, _OFF_PICTURE)
        if self._check is not None:
            better = self._check.corrected(order, view, made)
            made = (better and self._renderer.render(better, view)) or made
        return made

    def _why_not(self, row: int) -> str | None:
        """Why a row stays as filmed ("" if nothing is asked), or None."""
        plan = self._plan
        if not self._record.geometry.ok[row]:
            return LOST
        if plan.weight[row] <= 0:
            return TURNED if plan.turned[row] and self._record.library.rows.size else ""
        if plan.choice.first[row] < 0:
            return NO_EXEMPLAR
        return "" if plan.same[row] else None

    def _exemplars(self, row: int) -> tuple[WeightedExemplar, ...]:
        choice, share = self._plan.choice, float(self._plan.choice.share[row])
        main = self._exemplar(int(choice.first[row]), 1 - share)
        return (main, self._exemplar(int(choice.second[row]), share)) if choice.second[row] >= 0 else (main,)

    def _exemplar(self, which: int, share: float) -> WeightedExemplar:
        library = self._record.library
        row = int(library.rows[which])
        left, top, right, bottom = (int(x) for x in library.boxes[which])
        crop = Crop(self._crops.read(row + self._record.first), Window(left, top, right, bottom))
        return WeightedExemplar(row, crop, share)


def make(setup: EngineSetup) -> ExemplarEngine:
    """The engine as the command line makes it: it needs no weights and has no options there."""
    if setup.options:
        raise OptionError(f"the exemplar engine has no option '{next(iter(setup.options))}'")
    return ExemplarEngine()
