"""The exemplar engine: it re-uses the mouths that the clip itself shows. It needs no GPU and no training.

In the first pass it stores small crops of the mouth. To render, it chooses for every frame a filmed mouth of nearly the
wanted shape (preferably long runs of consecutive frames), warps it to the exact shape and pose, matches its colour, and
warps the filmed skin so that the jaw follows.
"""

import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lipdub.anatomy.motion import FaceMotion
from lipdub.engines.exemplar import stored_study
from lipdub.engines.exemplar.build_study import build_study, study_facts
from lipdub.engines.exemplar.closure_check import ClosureCheck
from lipdub.engines.exemplar.crop_collector import CropCollector, DiskBudget
from lipdub.engines.exemplar.crop_file import CropReader
from lipdub.engines.exemplar.exemplar_plan import LARGEST_YAW, LOST, NO_EXEMPLAR, TURNED, ExemplarPlan, plan_track
from lipdub.engines.exemplar.frame_renderer import FrameRenderer, FrameTarget, WeightedExemplar
from lipdub.engines.exemplar.opened_studies import OpenedStudies
from lipdub.engines.exemplar.shape_model import pooled_digest
from lipdub.engines.exemplar.stored_study import StoredStudy
from lipdub.engines.seam import EngineLimits, EngineSetup, Guide, Redetect, StudyFacts
from lipdub.errors import OptionError
from lipdub.process.blas_threads import one_blas_thread
from lipdub.timeline.patch import FaceView, Passthrough, Patch

VERSION = 2
"""Raise it when the same pictures give another study."""

_OFF_PICTURE = "the mouth is outside the picture"


@dataclass(frozen=True, slots=True)
class ExemplarOptions:
    """The options of the exemplar engine.

    ``library``: the number of frames of a shot whose mouth is stored (a crop of each on disk), and the number of mouths
    of a person's other shots that are looked at. ``disk``: bytes that the crops of all studies of a clip may take, each
    shot as large a part of them as its part of the clip; where more would be stored, the largest studies are thinned
    out.
    ``cavity``: paint the inside of the mouth for a face that never opens it (a still picture, for example).
    ``check_closures``: measure closed lips in the rendered frame, and correct them once.
    """

    library: int = 1500
    disk: int = 2_000_000_000
    cavity: bool = True
    check_closures: bool = True


class ExemplarEngine:
    """Makes studies that re-use the mouths of a shot. It is deterministic and ignores ``Guide.seed``."""

    name = "exemplar"
    limits = EngineLimits(smallest_face=20.0, largest_yaw=LARGEST_YAW, needs=frozenset({"trajectory"}), occluders=True)

    def __init__(self, options: ExemplarOptions = ExemplarOptions()) -> None:
        """An engine with ``options``."""
        self._options = options
        self._opened = OpenedStudies()
        self._budgets: weakref.WeakValueDictionary[Path, DiskBudget] = weakref.WeakValueDictionary()

    def fingerprint(self) -> tuple[object, ...]:
        """What a study depends on: versions, options, and the pooled mouth shapes in the package."""
        return (VERSION, stored_study.VERSION, self._options, pooled_digest())

    def study(
        self, folder: Path, redetect: Redetect | None = None, same_person: Sequence[Path] = ()
    ) -> "ExemplarStudy":
        """A new study if ``folder`` is empty or absent, or the finished one that is in it.

        With ``same_person``, ``render`` chooses among the mouths of all these studies. New studies in one folder share
        the bytes that ``ExemplarOptions.disk`` allows, or what ``limit_disk`` leaves of them.
        """
        folder = Path(folder)
        budget = self._budgets.setdefault(folder.parent, DiskBudget(self._options.disk))
        return ExemplarStudy(folder, self._options, redetect, tuple(same_person), self._opened, budget)

    def limit_disk(self, folder: Path, share: float) -> None:
        """Reduce the new studies in ``folder`` until they fit ``share`` (0..1) of ``ExemplarOptions.disk``."""
        budget = self._budgets.get(Path(folder))
        if budget is not None:
            budget.limit_to(int(share * self._options.disk))


@dataclass(eq=False)
class ExemplarStudy:
    """One face in one shot, stored in ``folder``; the other shots of the person are in ``same_person``."""

    folder: Path
    options: ExemplarOptions
    redetect: Redetect | None
    same_person: tuple[Path, ...]
    opened: OpenedStudies
    budget: DiskBudget
    _collector: CropCollector | None = field(default=None, repr=False)

    def see(self, view: FaceView) -> None:
        """Store the mouth of one frame, if its face was found."""
        if self._collector is None:
            self._collector = CropCollector(self.folder, self.options.library, self.budget)
        self._collector.add(view)

    def finish(self, motion: FaceMotion, usable: np.ndarray) -> StudyFacts:
        """Write what ``render`` needs; ``usable`` (frames,) bool: frames whose mouths may be used."""
        collector = self._collector or CropCollector(self.folder, self.options.library, self.budget)
        collector.reduce(self.options.library)
        with one_blas_thread():
            study = build_study(self.folder, collector, motion, usable)
        self._collector = None
        return study_facts(study.library, self.options.cavity)

    def pooled_facts(self) -> StudyFacts:
        """Notes and figures for the report, with the mouths of the person's other shots."""
        return study_facts(self._open().library, self.options.cavity)

    def render(self, guide: Guide, views: Iterable[FaceView]) -> Iterator[Patch | Passthrough]:
        """One answer per view. ``guide.trajectory`` has one row per frame of the track; numbers of a shape that are NaN
        are replaced by their expected values given the others."""
        assert guide.trajectory is not None, "the exemplar engine needs a mouth trajectory"
        with one_blas_thread():
            study = self._open()
            assert len(guide.trajectory) == len(study.geometry), "the trajectory has one row per frame of the track"
            plan = plan_track(guide.trajectory, study, self.options.cavity)
        redetect = self.redetect if self.options.check_closures else None
        renderer = _ExemplarTrackRenderer(study, plan, CropReader(), redetect)
        for view in views:
            with one_blas_thread():
                answer = renderer.answer(view)
            yield answer

    def _open(self) -> StoredStudy:
        return self.opened.open(self.folder, self.same_person, self.options.library)


class _ExemplarTrackRenderer:
    """Answers the views of a track, one at a time."""

    def __init__(self, study: StoredStudy, plan: ExemplarPlan, crops: CropReader, redetect: Redetect | None) -> None:
        self._study, self._plan, self._crops = study, plan, crops
        self._renderer = FrameRenderer(study.geometry, study.basis)
        self._check = ClosureCheck(study.geometry, redetect) if redetect is not None else None
        self._last: FrameTarget | None = None

    def answer(self, view: FaceView) -> Patch | Passthrough:
        plan, row = self._plan, int(self._plan.source[view.index - self._study.first])
        reason = self._passthrough_reason(row)
        if reason is not None:
            return Passthrough(view.index, reason)
        if self._last is not None and self._last.row == row:  # the film repeats the picture: so does the mouth
            patch = self._renderer.render(self._last, view)
            return patch or Passthrough(view.index, _OFF_PICTURE)
        target = FrameTarget(
            row,
            plan.shapes[row],
            float(plan.weight[row]),
            self._exemplars(row),
            cavity=plan.cavity,
            calm=bool(plan.choice.calm[row]),
        )
        landmarks = self._renderer.landmark_targets(target)
        patch = self._renderer.render(target, view, landmarks)
        if patch is None:
            return Passthrough(view.index, _OFF_PICTURE)
        if self._check is not None:
            corrected = self._check.corrected(target, view, patch, landmarks.goal - landmarks.now)
            patch = (corrected and self._renderer.render(corrected, view, landmarks)) or patch
            target = corrected or target
        self._last = target
        return patch

    def _passthrough_reason(self, row: int) -> str | None:
        """Why a row stays as filmed ("": no change is wanted), or None if it is rendered."""
        plan = self._plan
        if not self._study.geometry.ok[row]:
            return LOST
        if plan.weight[row] <= 0:
            return TURNED if plan.turned[row] and self._study.library.rows.size else ""
        if plan.choice.first[row] < 0:
            return NO_EXEMPLAR
        return "" if plan.unchanged[row] else None

    def _exemplars(self, row: int) -> tuple[WeightedExemplar, ...]:
        choice, share = self._plan.choice, float(self._plan.choice.share[row])
        main = self._exemplar(int(choice.first[row]), row, 1 - share)
        return (main, self._exemplar(int(choice.second[row]), row, share)) if choice.second[row] >= 0 else (main,)

    def _exemplar(self, which: int, row: int, share: float) -> WeightedExemplar:
        unit = self._study.geometry.unit(row)
        return WeightedExemplar(self._study.library.mouth(which, self._crops, unit), share)


def make(setup: EngineSetup) -> ExemplarEngine:
    """The engine for the entry point. It needs no weights and takes no options; raises ``OptionError`` for one."""
    if setup.options:
        raise OptionError(f"the exemplar engine has no option '{next(iter(setup.options))}'")
    return ExemplarEngine()
