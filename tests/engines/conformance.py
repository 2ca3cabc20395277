"""What every engine must do, as one suite: subclass ``Conformance`` and give an ``engine`` fixture."""

import gc
import hashlib
import shutil
import tracemalloc
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from drawn import FIRST, Drawn

from lipdub.anatomy.pose import Poses
from lipdub.engines.seam import Engine, Guide, PooledStudy, SpeakingStudy, Study, StudyFacts
from lipdub.errors import InputError
from lipdub.plugins import Fingerprinted, fingerprint_of
from lipdub.studio.store import key
from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.cue import Cue
from lipdub.timeline.lines import Line
from lipdub.timeline.mouth import MouthTrajectory
from lipdub.timeline.patch import Passthrough, Patch
from lipdub.timeline.sound import Sound

LOST = frozenset({17, 18})


def studied(engine: Engine, clip: Drawn, folder: Path) -> tuple[Study, StudyFacts]:
    """A finished study of ``clip``."""
    study = engine.study(folder)
    for view in clip.views():
        study.see(view)
    return study, study.finish(clip.motion, clip.motion.ok)


def digest(answers: "list[Patch | Passthrough]") -> str:
    """One number for all bytes of ``answers``."""
    sha = hashlib.sha256()
    for answer in answers:
        sha.update(str((answer.index, type(answer).__name__)).encode())
        if isinstance(answer, Patch):
            for array in (answer.base, answer.pixels, answer.mask):
                sha.update(np.ascontiguousarray(array).tobytes())
            sha.update(str(answer.window).encode())
    return sha.hexdigest()


@dataclass
class CountedViews:
    """Views that count how many were taken."""

    clip: Drawn
    taken: int = 0

    def __iter__(self):
        for view in self.clip.views():
            self.taken += 1
            yield view


class Conformance:
    """Subclasses provide the fixture ``engine``, of scope ``class``."""

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return tmp_path_factory.mktemp("conformance")

    @pytest.fixture(scope="class")
    @classmethod
    def clip(cls, folder: Path) -> Drawn:
        return Drawn(folder / "track", lost=LOST)

    @pytest.fixture(scope="class")
    @classmethod
    def study_and_facts(cls, engine: Engine, clip: Drawn, folder: Path) -> tuple[Study, StudyFacts]:
        return studied(engine, clip, folder / "study")

    @pytest.fixture(scope="class")
    @classmethod
    def study(cls, study_and_facts: tuple[Study, StudyFacts]) -> Study:
        return study_and_facts[0]

    @pytest.fixture(scope="class")
    @classmethod
    def answers(cls, study: Study, clip: Drawn) -> "list[Patch | Passthrough]":
        return list(study.render(Guide(clip.other_trajectory(), seed=3), clip.views()))

    def test_is_an_engine(self, engine: Engine, study: Study) -> None:
        assert isinstance(engine, Engine)
        assert isinstance(study, Study)
        assert engine.name

    def test_has_a_fingerprint_that_is_always_the_same(self, engine: Engine) -> None:
        """Studies are stored under a name made of the fingerprint, so it must be the same in every run."""
        assert isinstance(engine, Fingerprinted)
        first, again = key(fingerprint_of(engine)), key(fingerprint_of(engine))
        assert first == again

    def test_a_damaged_study_is_refused(self, engine: Engine, folder: Path, study: Study, clip: Drawn) -> None:
        copied = folder / "damaged"
        shutil.copytree(folder / "study", copied)
        for file in copied.glob("*.npz"):
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        with pytest.raises(InputError, match="damaged"):
            next(iter(engine.study(copied).render(Guide(clip.other_trajectory(), seed=3), clip.views())))

    def test_facts_are_fit_for_a_report(self, study_and_facts: tuple[Study, StudyFacts]) -> None:
        facts = study_and_facts[1]
        assert 0 <= facts.coverage <= 1
        assert all(note and note == note.strip() for note in facts.notes)
        assert all(np.isfinite(x) for x in facts.figures.values())

    def test_one_answer_for_each_view_in_order(self, answers, clip: Drawn) -> None:
        assert [a.index for a in answers] == [FIRST + row for row in range(clip.frames)]

    def test_views_are_taken_lazily(self, engine: Engine, study: Study, clip: Drawn) -> None:
        views = CountedViews(clip)
        for answered, _ in enumerate(study.render(Guide(clip.other_trajectory()), views), start=1):
            assert views.taken - answered <= engine.limits.lag

    def test_same_seed_same_bytes(self, study: Study, clip: Drawn, answers) -> None:
        again = list(study.render(Guide(clip.other_trajectory(), seed=3), clip.views()))
        assert digest(again) == digest(answers)

    def test_a_study_made_again_renders_the_same_bytes(
        self, engine: Engine, clip: Drawn, answers, tmp_path: Path
    ) -> None:
        other = studied(engine, clip, tmp_path / "again")[0]
        assert digest(list(other.render(Guide(clip.other_trajectory(), seed=3), clip.views()))) == digest(answers)

    def test_a_study_opened_again_renders_the_same_bytes(
        self, engine: Engine, study: Study, clip: Drawn, answers, folder: Path
    ) -> None:
        again = engine.study(folder / "study")
        assert digest(list(again.render(Guide(clip.other_trajectory(), seed=3), clip.views()))) == digest(answers)

    def test_another_trajectory_gives_patches(self, answers, clip: Drawn) -> None:
        made = [a for a in answers if isinstance(a, Patch) and a.mask.any()]
        assert len(made) > clip.frames / 2

    def test_weight_zero_leaves_frames_as_filmed(self, study: Study, clip: Drawn) -> None:
        for answer in study.render(Guide(clip.other_trajectory(weight=0)), clip.views()):
            assert isinstance(answer, Passthrough)
            assert answer.reason == "" or answer.index - FIRST in LOST

    def test_its_own_shapes_change_nothing(self, study: Study, clip: Drawn) -> None:
        for answer in study.render(Guide(clip.own_trajectory()), clip.views()):
            assert isinstance(answer, Passthrough) or np.array_equal(answer.pixels, answer.base)

    def test_lost_faces_stay_as_filmed_with_a_reason(self, answers) -> None:
        for answer in answers:
            if answer.index - FIRST in LOST:
                assert isinstance(answer, Passthrough)
                assert answer.reason

    def test_only_what_the_mask_says_changes(self, answers, clip: Drawn) -> None:
        size = (clip.side, clip.side)
        for answer in answers:
            if not isinstance(answer, Patch):
                continue
            window = answer.window
            assert window.clipped(size) == window
            assert answer.pixels.shape == answer.base.shape == (window.height, window.width, 3)
            assert answer.mask.shape == (window.height, window.width)
            assert answer.mask.min() >= 0
            assert answer.mask.max() <= 1
            assert np.array_equal(answer.base, clip.see(answer.index - FIRST).pixels(window))
            changed = (answer.pixels != answer.base).any(-1)
            assert not changed[answer.mask == 0].any()

    def test_views_may_start_late_and_stop_early(self, study: Study, clip: Drawn, answers) -> None:
        part = list(study.render(Guide(clip.other_trajectory(), seed=3), clip.views(10, 16)))
        assert digest(part) == digest(answers[10:16])

    def test_answers_do_not_depend_on_where_the_views_begin(
        self, engine: Engine, clip: Drawn, answers, tmp_path: Path
    ) -> None:
        """With as many views around as the engine asks for; in a folder of its own, where nothing was rendered yet."""
        study, _ = studied(engine, clip, tmp_path / "study")
        for a, b in ((10, 16), (25, 40)):
            first, stop = max(0, a - engine.limits.context), min(clip.frames, b + engine.limits.context)
            part = list(study.render(Guide(clip.other_trajectory(), seed=3), clip.views(first, stop)))
            assert digest(part[a - first : b - first]) == digest(answers[a:b])

    @pytest.fixture(scope="class")
    @classmethod
    def others(cls, engine: Engine, folder: Path) -> list[Path]:
        """Finished studies of the same face in two other shots, in which it opens its mouth wider."""
        folders = [folder / "other-1", folder / "other-2"]
        for number, where in enumerate(folders):
            clip = Drawn(folder / f"shot-{number}", frames=24, side=128, widest=0.24, first=500 + 100 * number)
            studied(engine, clip, where)
        return folders

    def test_the_order_of_the_studies_of_a_person_does_not_matter(
        self, engine: Engine, study: Study, others: list[Path], clip: Drawn, folder: Path
    ) -> None:
        guide = Guide(clip.other_trajectory(), seed=3)
        orders = (others, others[::-1], [others[1], folder / "study", others[0]])
        made = [
            digest(list(engine.study(folder / "study", same_person=some).render(guide, clip.views())))
            for some in orders
        ]
        assert made[0] == made[1] == made[2]

    def test_without_other_studies_of_the_person_nothing_changes(
        self, engine: Engine, study: Study, others: list[Path], clip: Drawn, folder: Path, answers
    ) -> None:
        for none in ([], [folder / "study"]):
            alone = engine.study(folder / "study", same_person=none)
            assert digest(list(alone.render(Guide(clip.other_trajectory(), seed=3), clip.views()))) == digest(answers)

    def test_a_damaged_study_of_the_same_person_is_refused_by_name(
        self, engine: Engine, study: Study, others: list[Path], clip: Drawn, folder: Path
    ) -> None:
        """By engines that use it."""
        copied = folder / "damaged-other"
        shutil.copytree(others[0], copied)
        for file in copied.glob("*.npz"):
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        opened = engine.study(folder / "study", same_person=[others[1], copied])
        if isinstance(opened, PooledStudy):
            with pytest.raises(InputError, match="damaged-other"):
                next(iter(opened.render(Guide(clip.other_trajectory(), seed=3), clip.views())))

    def test_facts_of_a_person_know_as_much_as_those_of_a_shot(
        self, engine: Engine, study_and_facts: tuple[Study, StudyFacts], others: list[Path], folder: Path
    ) -> None:
        opened, alone = engine.study(folder / "study", same_person=others), study_and_facts[1]
        if isinstance(opened, PooledStudy):
            facts = opened.pooled_facts()
            assert alone.coverage <= facts.coverage <= 1
            assert all(np.isfinite(x) for x in facts.figures.values())

    def test_studying_keeps_less_than_a_kilobyte_of_memory_per_frame(self, engine: Engine, tmp_path: Path) -> None:
        clip = Drawn(tmp_path / "long", frames=100, side=48)
        study = engine.study(tmp_path / "study")
        growth = _growth(study.see, clip, 64)
        assert growth < MAX_GROWTH, growth

    def test_rendering_keeps_less_than_a_kilobyte_of_memory_per_frame(self, engine: Engine, tmp_path: Path) -> None:
        clip = Drawn(tmp_path / "long", frames=100, side=48)
        study, _ = studied(engine, clip, tmp_path / "study")
        for _ in study.render(Guide(clip.other_trajectory()), clip.views()):
            pass  # what is loaded or compiled at its first use is not what is measured
        answers = study.render(Guide(clip.other_trajectory()), clip.views())
        growth = _growth(lambda _: next(answers), clip, 64)
        assert growth < MAX_GROWTH, growth

    def test_a_single_frame_can_be_studied(self, engine: Engine, tmp_path: Path) -> None:
        clip = Drawn(tmp_path / "still", frames=1)
        study, _ = studied(engine, clip, tmp_path / "study")
        shapes = clip.own_trajectory().shapes + np.array([[0.05, 0, 0, 0.03, 0, 0]], np.float32)
        trajectory = MouthTrajectory(shapes, np.ones(1, np.float32), np.zeros(1, np.float32))
        (answer,) = study.render(Guide(trajectory), clip.views())
        assert isinstance(answer, Patch)

    def test_a_face_that_was_never_found(self, engine: Engine, tmp_path: Path) -> None:
        clip = Drawn(tmp_path / "none", frames=4, lost=frozenset(range(4)))
        assert isinstance(clip.motion.poses, Poses)
        study, facts = studied(engine, clip, tmp_path / "study")
        assert 0 <= facts.coverage <= 1
        trajectory = MouthTrajectory(np.zeros((4, 6), np.float32), np.ones(4, np.float32), np.zeros(4, np.float32))
        for answer in study.render(Guide(trajectory), clip.views()):
            assert isinstance(answer, Passthrough)
            assert answer.reason

    def test_only_engines_that_say_so_speak(self, engine: Engine, study: Study) -> None:
        assert isinstance(study, SpeakingStudy) == engine.limits.speaks

    def test_a_cue_in_its_own_voice_shows_the_pictures_made_with_that_voice(
        self, engine: Engine, study: Study, clip: Drawn
    ) -> None:
        """Whatever the dub sound holds in the span of the cue; without ``own_voice`` the cue follows the dub sound."""
        if not isinstance(study, SpeakingStudy):
            return
        times = FrameTimes(np.arange(FIRST + clip.frames), Fraction(1, 25))
        span = times.span(FIRST + 3, FIRST + 20)
        guide = Guide(cues=(Cue(span, 1, Line("Hola", span, "es"), id="c1"),), times=times)
        voice = study.speak(guide, clip.views())
        assert voice.span == span
        assert np.isfinite(voice.samples).all()
        assert voice.samples.any()
        other = Sound(-voice.samples[:, ::-1].copy() / 2, voice.rate, voice.start)
        own = replace(guide, own_voice=frozenset({"c1"}))
        spoken = digest(list(study.render(guide, clip.views())))
        for sound in (voice, other):
            assert digest(list(study.render(replace(own, dub_sound=sound), clip.views()))) == spoken
        assert digest(list(study.render(replace(guide, dub_sound=other), clip.views()))) != spoken


MAX_GROWTH = 3 * 1024
"""Bytes that a frame may leave in memory: notes, caches that fill late. One of these small pictures is 7 kB."""


def _growth(step, clip: Drawn, settled: int) -> float:
    """The bytes that a call of ``step`` leaves in memory, on average, after ``settled`` calls (24 of them traced)."""
    before = 0
    try:
        for row, view in enumerate(clip.views()):
            if row == settled - 24:
                tracemalloc.start(5)
            if row == settled:
                before = _allocated()
            step(view)
        return (_allocated() - before) / (clip.frames - settled)
    finally:
        tracemalloc.stop()


def _allocated() -> int:
    """Bytes that the engines, or what they called, allocated and did not free; test runners have threads too."""
    gc.collect()
    ours = tracemalloc.Filter(True, "*lipdub*engines*", all_frames=True)
    return sum(stat.size for stat in tracemalloc.take_snapshot().filter_traces([ours]).statistics("filename"))
