"""The engine with a fake model that returns the frames it is given: every patch must nearly equal what was filmed."""

import shutil
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from conformance import digest, studied
from drawn import FIRST, Drawn

from lipdub.engines.ltx import packages
from lipdub.engines.ltx.engine import LtxEngine, make
from lipdub.engines.ltx.fake_model import FakeWindowModel
from lipdub.engines.ltx.options import LtxOptions
from lipdub.engines.ltx.window_model import GeneratedWindow, WindowRequest
from lipdub.engines.seam import EngineSetup, ExpectingStudy, Guide, SpeakingStudy
from lipdub.errors import MachineError, MissingExtra, OptionError, WeightsError
from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.cue import Cue
from lipdub.timeline.lines import Line
from lipdub.timeline.patch import FaceView, Passthrough, Patch
from lipdub.timeline.sound import Sound
from lipdub.timeline.time import Span

SMALL = LtxOptions(size=192, frames=25, overlap=8)
NOISE = 24
"""Largest difference by resampling the pixel noise of the drawn clip twice; the mean difference is far less."""


def steady(rate, frames):
    """Times of all frames of a clip whose drawn track has ``frames``."""
    base = Fraction(1, 90_000)
    pts = np.array([round(i / rate / base) for i in range(FIRST + frames)])
    return FrameTimes(pts, base, round(1 / rate / base))


def cue_of(times, first, stop, text=""):
    """A cue over rows ``[first, stop)`` of a drawn track."""
    span = times.span(FIRST + first, FIRST + stop)
    return Cue(span, 1, Line(text, span, "es") if text else None)


def tone(times, rate=16_000):
    """A sound as long as the clip whose samples rise steadily, so that each shows its time."""
    count = round(times.whole.end * rate)
    return Sound(np.linspace(-1, 1, count, dtype=np.float32)[None], rate)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return Drawn(tmp_path_factory.mktemp("drawn"), frames=60, side=200, lost=frozenset({30}))


@pytest.fixture
def model():
    return FakeWindowModel()


@pytest.fixture
def study(clip, model, tmp_path):
    return studied(LtxEngine(SMALL, loader=lambda prompts: model), clip, tmp_path / "study")[0]


def rendered(study, guide, clip):
    return list(study.render(guide, clip.views()))


def patches(answers):
    return [a for a in answers if isinstance(a, Patch)]


def difference(answers):
    """Mean and largest difference from what was filmed."""
    differ = [np.abs(a.pixels.astype(int) - a.base) for a in patches(answers)]
    return max(float(d.mean()) for d in differ), max(int(d.max()) for d in differ)


def test_unchanged_frames_of_the_model_are_put_where_they_were(study, clip, model):
    times = steady(Fraction(25), 60)
    answers = rendered(study, Guide(None, tone(times), None, (cue_of(times, 5, 55),), times), clip)
    assert len(patches(answers)) == 49
    mean, most = difference(answers)
    assert mean < 1
    assert most <= NOISE
    assert {len(request.frames) for request in model.requests} == {25}
    assert all(request.frames.shape[1:] == (192, 192, 3) for request in model.requests)
    assert len({request.seed for request in model.requests}) == len(model.requests)
    assert all(isinstance(a, Passthrough) for a in (*answers[:5], *answers[55:]))
    assert [a.reason for a in answers if isinstance(a, Passthrough) and a.reason] == ["the face was lost"]


class PaintingModel(FakeWindowModel):
    """Paints every window in one grey level: dark and bright windows in turn."""

    def __call__(self, request: WindowRequest) -> GeneratedWindow:
        output = super().__call__(request)
        level = 40 + 150 * ((len(self.requests) - 1) % 2)
        return GeneratedWindow(np.full_like(request.frames, level), output.voice)


def test_only_the_lower_face_changes(clip, tmp_path):
    study = studied(LtxEngine(SMALL, loader=lambda prompts: PaintingModel()), clip, tmp_path)[0]
    times = steady(Fraction(25), 60)
    guide = Guide(None, tone(times), None, (cue_of(times, 0, 25),), times)
    for answer in patches(rendered(study, guide, clip)):
        points = clip.landmarks(answer.index - FIRST)
        rows, columns = np.nonzero(answer.mask)
        unit = np.linalg.norm(points[33] - points[263])
        assert rows.min() + answer.window.top >= points[2, 1] - 0.15 * unit
        assert rows.max() + answer.window.top <= points[152, 1] + 0.5 * unit
        assert columns.min() + answer.window.left >= points[172, 0] - 0.15 * unit
        assert columns.max() + answer.window.left <= points[397, 0] + 0.15 * unit
        changed = (answer.pixels != answer.base).any(-1)
        assert np.array_equal(changed, answer.mask > 0)
        lips = points[[61, 291, 0, 17]].astype(int)[:, :2] - [answer.window.left, answer.window.top]
        assert all(answer.mask[y, x] for x, y in lips)


def test_windows_are_joined_without_a_jump(clip, tmp_path):
    engine = LtxEngine(LtxOptions(size=192, frames=25, overlap=8), loader=lambda prompts: PaintingModel())
    study = studied(engine, clip, tmp_path)[0]
    times = steady(Fraction(25), 60)
    answers = rendered(study, Guide(None, tone(times), None, (cue_of(times, 0, 29),), times), clip)
    levels = []
    for answer in patches(answers):
        x, y = clip.landmarks(answer.index - FIRST)[[13, 14], :2].mean(0).astype(int)
        levels.append(float(answer.pixels[y - answer.window.top, x - answer.window.left].mean()))
    inner = np.array(levels[6:])
    assert inner.max() - inner.min() > 80
    assert np.abs(np.diff(inner)).max() < 0.35 * (inner.max() - inner.min())


def test_the_weight_of_a_trajectory_blends_with_the_filmed_picture(study, clip, model):
    class WhiteModel(FakeWindowModel):
        def __call__(self, request):
            return GeneratedWindow(np.full_like(request.frames, 255), super().__call__(request).voice)

    study.resources = replace(study.resources, load_model=lambda prompts: WhiteModel())
    sound = tone(steady(Fraction(25), 60))
    whole = patches(rendered(study, Guide(clip.other_trajectory(), sound), clip))[3]
    half = patches(rendered(study, Guide(clip.other_trajectory(0.5), sound), clip))[3]
    assert whole.window == half.window
    mixed = whole.base + (whole.pixels.astype(float) - whole.base) / 2
    assert np.abs(half.pixels - mixed).max() <= 1


@pytest.mark.parametrize("rate", [Fraction(60), Fraction(60_000, 1001), Fraction(12), Fraction(24_000, 1001)])
def test_the_model_gets_the_true_rate_and_every_frame_an_answer(rate, study, clip, model):
    times = steady(rate, 60)
    answers = rendered(study, Guide(None, tone(times), tone(times), (cue_of(times, 0, 60),), times), clip)
    assert len(patches(answers)) == 59
    assert difference(answers)[0] < 5
    assert abs(model.requests[0].rate - (rate / 2 if rate > 32 else rate)) < Fraction(1, 100)
    assert max(len(request.frames) for request in model.requests) <= 25


def test_a_variable_rate_becomes_constant_and_every_frame_gets_an_answer(study, clip, model):
    steps = np.random.default_rng(4).choice([33, 34, 67, 100, 20], FIRST + 60)
    times = FrameTimes(np.concatenate([[0], np.cumsum(steps)[:-1]]), Fraction(1, 1000), 33)
    answers = rendered(study, Guide(None, tone(times), None, (cue_of(times, 0, 60),), times), clip)
    assert [a.index for a in answers] == [FIRST + i for i in range(60)]
    assert len(patches(answers)) == 59
    assert difference(answers)[0] < 4
    assert {request.rate for request in model.requests} <= {Fraction(1000, 33), Fraction(1000, 34)}


def test_the_model_gets_the_sounds_of_its_window_only(study, clip, model):
    times = steady(Fraction(25), 60)
    dub, source = tone(times), tone(times, 48_000)
    rendered(study, Guide(None, dub, source, (cue_of(times, 10, 50),), times), clip)
    first = model.requests[0]
    assert first.dub_sound is not None
    start, seconds = times.instant(FIRST + 10), Fraction(len(first.frames), 25)
    assert first.dub_sound.samples.shape[1] == round(seconds * 16_000)
    assert first.dub_sound.samples[0, 0] == dub.samples[0, round(start * 16_000)]
    assert first.source_sound.samples[0, 0] == source.samples[0, round(start * 48_000)]
    assert first.dub_sound.start == start


def test_three_frames_are_padded_and_a_missing_source_sound_is_silence(study, clip, model):
    times = steady(Fraction(25), 60)
    answers = rendered(study, Guide(None, tone(times), None, (cue_of(times, 20, 23),), times), clip)
    assert len(patches(answers)) == 3
    (request,) = model.requests
    assert len(request.frames) == 9
    assert np.array_equal(request.frames[3], request.frames[8])
    assert not request.source_sound.samples.any()


@pytest.mark.parametrize(
    ("size", "shift"), [((200, 113), (75, -30)), ((97, 160), (-80, 0)), ((131, 131), (-30, 0)), ((71, 71), (-65, -85))]
)
def test_odd_picture_sizes_and_faces_at_the_border(size, shift, clip, model, tmp_path):
    """The drawn clip, cropped and moved: parts of the face lie outside."""
    engine = LtxEngine(LtxOptions(size=128, frames=25, overlap=8), loader=lambda prompts: model)
    seen = _MovedClip(tmp_path / "track", frames=12, side=200, size=size, shift=shift)
    study, _ = studied(engine, seen, tmp_path / "study")
    answers = rendered(study, Guide(None, tone(steady(Fraction(25), 12)), None, (), None), seen)
    assert all(isinstance(a, Passthrough) for a in answers)
    times = steady(Fraction(25), 12)
    answers = rendered(study, Guide(None, tone(times), None, (cue_of(times, 0, 12),), times), seen)
    assert patches(answers)
    assert difference(answers)[0] < 3
    for answer in patches(answers):
        assert answer.window.clipped(size) == answer.window


class _MovedClip(Drawn):
    def __init__(self, folder, frames, side, size, shift):
        super().__init__(folder, frames, side)
        object.__setattr__(self, "cut", (size, shift))

    def landmarks(self, row):
        return super().landmarks(row) + np.array([*self.cut[1], 0], np.float32)

    def see(self, row):
        size, shift = self.cut
        whole = super().picture(row)
        columns = np.clip(np.arange(size[0]) - shift[0], 0, 199)
        rows = np.clip(np.arange(size[1]) - shift[1], 0, 199)
        picture = whole[rows][:, columns]

        def pixels(window):
            assert window.clipped(size) == window
            return picture[window.top : window.bottom, window.left : window.right].copy()

        return FaceView(FIRST + row, size, self.landmarks(row), pixels)


def test_a_mouth_outside_the_picture_stays_as_filmed(model, tmp_path):
    engine = LtxEngine(LtxOptions(size=128, frames=25, overlap=8), loader=lambda prompts: model)
    seen = _MovedClip(tmp_path / "track", frames=3, side=200, size=(131, 131), shift=(0, 60))
    study, _ = studied(engine, seen, tmp_path / "study")
    times = steady(Fraction(25), 3)
    answers = rendered(study, Guide(None, tone(times), None, (cue_of(times, 0, 3),), times), seen)
    assert [a.reason for a in answers] == ["the mouth is outside the picture"] * 3


def spoken_guide(times, *texts):
    """Lines one after the other over the track, with a pause between; their cues are c1, c2, ..."""
    each = 60 // len(texts)
    cues = (cue_of(times, i * each, (i + 1) * each - 6, text) for i, text in enumerate(texts))
    return Guide(cues=tuple(replace(cue, id=f"c{i}") for i, cue in enumerate(cues, start=1)), times=times)


def test_lines_are_spoken_with_silence_between_them(study, clip, model):
    times = steady(Fraction(25), 60)
    guide = spoken_guide(times, "Hola a todos", "¿Qué tal?")
    assert isinstance(study, SpeakingStudy)
    voice = study.speak(guide, clip.views())
    assert (voice.rate, voice.start) == (48_000, guide.cues[0].span.start)
    assert voice.span.end == pytest.approx(guide.cues[-1].span.end)
    assert all(request.dub_sound is None for request in model.requests)
    assert model.prompts == tuple(dict.fromkeys(request.prompt for request in model.requests))
    assert any('in Spanish, saying: "¿Qué tal?"' in prompt for prompt in model.prompts)
    pause = Span(guide.cues[0].span.end, guide.cues[1].span.start)
    silent = voice.samples[:, round((pause.start - voice.start) * 48_000) : round((pause.end - voice.start) * 48_000)]
    assert silent.size > 1000
    assert not silent.any()


def test_cues_in_its_own_voice_show_what_was_spoken_whatever_the_dub_sound_is(study, clip, model):
    times = steady(Fraction(25), 60)
    guide = spoken_guide(times, "Hola a todos", "¿Qué tal?")
    voice = study.speak(guide, clip.views())
    requests = len(model.requests)
    mute = rendered(study, guide, clip)
    low = Sound(voice.samples.mean(0, keepdims=True)[:, ::3] * np.float32(0.5), 16_000, voice.start)
    own = replace(guide, own_voice=frozenset({"c1", "c2"}))
    for sound in (voice, low, tone(times)):
        assert digest(rendered(study, replace(own, dub_sound=sound), clip)) == digest(mute)
    assert np.array_equal(study.speak(guide, clip.views()).samples, voice.samples)
    assert len(model.requests) == requests
    study.speak(replace(guide, seed=1), clip.views())
    assert len(model.requests) > requests


def test_cues_that_are_not_in_its_own_voice_follow_the_dub_sound(study, clip, model):
    times = steady(Fraction(25), 60)
    guide = spoken_guide(times, "Hola a todos", "¿Qué tal?")
    voice = study.speak(guide, clip.views())
    requests = len(model.requests)
    rendered(study, replace(guide, dub_sound=voice), clip)
    assert len(model.requests) == 2 * requests
    assert all(request.dub_sound is not None for request in model.requests[requests:])
    rendered(study, replace(guide, dub_sound=tone(times), own_voice=frozenset({"c2", "c9"})), clip)
    assert len(model.requests) == 2 * requests + requests // 2
    second = guide.cues[1].span.start
    last = [request.dub_sound for request in model.requests[2 * requests :]]
    assert all(sound is not None and sound.start < second for sound in last)


def test_an_empty_id_is_no_ones_own_voice(study, clip, model):
    times = steady(Fraction(25), 60)
    guide = Guide(cues=(cue_of(times, 0, 54, "Hola"),), times=times)
    study.speak(guide, clip.views())
    rendered(study, replace(guide, dub_sound=tone(times), own_voice=frozenset({""})), clip)
    assert model.requests[-1].dub_sound is not None


def test_a_spoken_cue_that_is_no_longer_stored_is_generated_again(study, clip, model):
    times = steady(Fraction(25), 60)
    guide = spoken_guide(times, "Hola a todos", "¿Qué tal?")
    voice = study.speak(guide, clip.views())
    requests = len(model.requests)
    own = replace(guide, dub_sound=voice, own_voice=frozenset({"c1", "c2"}))
    before = digest(rendered(study, own, clip))
    shutil.rmtree(study.folder / "takes")
    assert digest(rendered(study, own, clip)) == before
    assert len(model.requests) == 2 * requests
    assert all(request.dub_sound is None for request in model.requests)


def test_a_line_that_was_not_spoken_before_is_spoken_while_rendering(study, clip, model):
    times = steady(Fraction(25), 60)
    guide = spoken_guide(times, "Hola")
    answers = rendered(study, guide, clip)
    assert len(patches(answers)) == 53
    assert all(request.dub_sound is None for request in model.requests)
    asked = len(model.requests)
    voice = study.speak(guide, clip.views())
    assert voice.samples.any()
    assert len(model.requests) == asked


def test_a_long_line_is_divided_between_windows(study, clip, model):
    times = steady(Fraction(25), 60)
    study.speak(spoken_guide(times, "Uno dos tres. Cuatro cinco seis."), clip.views())
    said = [request.prompt for request in model.requests]
    assert len(said) > 1
    assert "Uno" in said[0]
    assert "seis" in said[-1]
    assert "Uno" not in said[-1]


def test_lines_that_cannot_be_said_are_refused_before_anything_is_generated(study, clip, model):
    times = steady(Fraction(25), 60)
    with pytest.raises(OptionError, match="takes about"):
        study.speak(spoken_guide(times, "palabras " * 20), clip.views())
    with pytest.raises(OptionError, match="no words"):
        study.speak(spoken_guide(times, "Hola", " "), clip.views())
    with pytest.raises(OptionError, match="no line to speak"):
        study.speak(Guide(None, None, None, (cue_of(times, 0, 20),), times), clip.views())
    assert not model.requests


def test_a_line_outside_the_track_has_a_voice_and_no_picture(study, clip, model):
    times = steady(Fraction(25), 60)
    span = Span(Fraction(1), Fraction(2))
    guide = Guide(None, None, None, (Cue(span, 1, Line("Hola", span, "es")), cue_of(times, 10, 40, "Adiós")), times)
    voice = study.speak(guide, clip.views())
    assert voice.start == 1
    assert voice.samples[:, :40_000].any()
    assert [a.index for a in patches(rendered(study, guide, clip))] == [FIRST + i for i in range(10, 40) if i != 30]


def test_an_interrupted_run_leaves_no_files(study, clip, model):
    times = steady(Fraction(25), 60)
    guide = Guide(None, tone(times), None, (cue_of(times, 0, 60),), times)
    answers = study.render(guide, clip.views())
    next(answers)
    answers.close()
    assert not list((study.folder / "takes").iterdir())
    part = list(study.render(guide, clip.views(0, 12)))
    assert len(patches(part)) == 12
    late = list(study.render(guide, clip.views(45)))
    assert len(patches(late)) == 15
    assert not list((study.folder / "takes").iterdir())
    assert difference(part)[0] < 1
    assert difference(late)[0] < 1
    whole = rendered(study, guide, clip)
    assert len(list((study.folder / "takes").iterdir())) == 1
    assert digest(list(study.render(guide, clip.views(20, 30)))) == digest(whole[20:30])


def test_redetected_landmarks_tell_how_far_the_chin_comes_down(clip, model, tmp_path):
    def lowered(picture, near):
        down = near.copy()
        down[[152, 148, 377, 175], 1] += 0.3 * np.linalg.norm(near[33] - near[263])
        return down

    times = steady(Fraction(25), 60)
    guide = Guide(None, tone(times), None, (cue_of(times, 0, 20),), times)
    bottoms = []
    for number, redetect in enumerate([lambda picture, near: near, lowered]):
        engine = LtxEngine(SMALL, loader=lambda prompts: model)
        studied(engine, clip, tmp_path / str(number))
        study = engine.study(tmp_path / str(number), redetect)
        bottoms.append(patches(rendered(study, guide, clip))[10].window.bottom)
    assert bottoms[1] - bottoms[0] > 5


class DriftingModel(FakeWindowModel):
    """Shifts its frames by a few pixels, more and more."""

    def __call__(self, request):
        output = super().__call__(request)
        shift = [np.roll(frame, (1 + i // 12, 2), (0, 1)) for i, frame in enumerate(request.frames)]
        return GeneratedWindow(np.stack(shift), output.voice)


def test_a_head_that_the_model_moved_is_moved_back(clip, tmp_path):
    times = steady(Fraction(25), 60)
    guide = Guide(None, tone(times), None, (cue_of(times, 0, 25),), times)
    drifting = DriftingModel()
    engine = LtxEngine(SMALL, loader=lambda prompts: drifting)
    study = studied(engine, clip, tmp_path)[0]
    moved = difference(rendered(study, guide, clip))[0]
    assert moved > 3

    def redetect(picture, near):
        """Detects where the model moved the picture."""
        shown = drifting.requests[-1].frames
        for i, frame in enumerate(shown):
            down = 1 + i // 12
            if np.array_equal(picture, frame):
                return near
            if np.array_equal(picture, np.roll(frame, (down, 2), (0, 1))):
                return near + np.array([2, down, 0], np.float32)
        return None

    put_back = difference(rendered(engine.study(tmp_path, redetect), replace(guide, seed=1), clip))[0]
    assert put_back < 1.6


def test_the_report_mentions_a_small_face(clip, model, tmp_path):
    _, facts = studied(LtxEngine(LtxOptions(size=1024), loader=lambda prompts: model), clip, tmp_path)
    assert facts.figures["eye_distance"] == pytest.approx(66, abs=1)
    assert any("enlarged 3.9 times" in note for note in facts.notes)


def test_making_the_engine_imports_no_torch_and_planning_its_memory_no_networks():
    code = (
        "import sys; from lipdub.engines.ltx.engine import make; from lipdub.engines.seam import EngineSetup\n"
        "engine = make(EngineSetup(None, {'device': 'cuda'})); assert engine.name == 'ltx' and engine.limits.speaks\n"
        "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)\n"
        "assert engine.diagnose()\n"
        "assert not {'diffusers', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_torch_the_error_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"The LTX engine needs the package 'torch'.*lipdub\[ltx\]"):
        make(EngineSetup()).study(tmp_path)
    assert "needs the package 'torch'" in make(EngineSetup()).diagnose()[0]


def test_a_package_that_is_too_old_is_named_by_what_it_lacks(monkeypatch):
    monkeypatch.setitem(packages.PACKAGES, "jaxtyping", "networks/of_tomorrow")
    with pytest.raises(ModuleNotFoundError, match=r"jaxtyping\.networks\.of_tomorrow"):
        packages.check_packages()


def test_missing_gpu_weights_and_options_are_refused_at_once(monkeypatch, tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("diffusers")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(MachineError, match=r"needs a GPU.*--engine exemplar works here now"):
        make(EngineSetup()).study(tmp_path / "a")
    with pytest.raises(MachineError, match="CUDA"):
        make(EngineSetup(Path("x"), {"device": "cuda"})).study(tmp_path / "a")
    with pytest.raises(WeightsError, match=r"does not know where its weights are.*--weights FOLDER"):
        make(EngineSetup(None, {"device": "cpu"})).study(tmp_path / "a")
    with pytest.raises(WeightsError, match="no such folder"):
        make(EngineSetup(tmp_path / "none", {"device": "cpu"})).study(tmp_path / "a")
    with pytest.raises(OptionError):
        make(EngineSetup(None, {"vram": "8"}))


class WholeWindowModel(FakeWindowModel):
    """A model all of whose frames depend on all frames that it is given."""

    def __call__(self, request: WindowRequest) -> GeneratedWindow:
        made = super().__call__(request)
        sums = request.frames.reshape(len(request.frames), -1).sum(1, dtype=np.int64)
        return replace(made, frames=made.frames // 2 + np.uint8((sums * np.arange(1, len(sums) + 1)).sum() % 97))


@pytest.mark.parametrize("rows", [(28, 33), (36, 38), (0, 4), (55, 60)])
def test_answers_depend_only_on_the_views_that_the_engine_asks_for(clip, tmp_path, rows):
    times = steady(25, 60)
    guide = Guide(None, tone(times), None, (cue_of(times, 0, 60),), times)
    engine = LtxEngine(SMALL, loader=lambda prompts: WholeWindowModel())
    first, stop = max(0, rows[0] - engine.limits.context), min(60, rows[1] + engine.limits.context)
    whole = list(studied(engine, clip, tmp_path / "whole")[0].render(guide, clip.views()))
    part = list(studied(engine, clip, tmp_path / "part")[0].render(guide, clip.views(first, stop)))
    assert digest(part[rows[0] - first : rows[1] - first]) == digest(whole[rows[0] : rows[1]])
    assert any(isinstance(answer, Patch) for answer in whole[rows[0] : rows[1]])


def test_prompts_of_all_faces_are_encoded_together(clip, tmp_path):
    """Two faces that are announced: the model is loaded once, with the prompts of both; nothing is asked for later."""
    loaded, later = [], []

    class WatchedModel(FakeWindowModel):
        def prepare_prompts(self, prompts):
            later.extend(set(prompts) - set(loaded[0]))

    watched = WatchedModel()

    def load(prompts):
        loaded.append(prompts)
        return watched

    engine = LtxEngine(SMALL, loader=load)
    times = steady(Fraction(25), 60)
    faces = [studied(engine, clip, tmp_path / name)[0] for name in ("one", "two")]
    guides = [spoken_guide(times, "Hola a todos"), spoken_guide(times, "¿Qué tal?", "Bien")]
    for study, guide in zip(faces, guides, strict=True):
        assert isinstance(study, ExpectingStudy)
        study.expect(guide)
    for study, guide in zip(faces, guides, strict=True):
        study.speak(guide, clip.views())
    assert len(loaded) == 1
    assert set(loaded[0]) == {request.prompt for request in watched.requests}
    assert later == []
    faces[0].expect(guides[0])
    faces[0].speak(guides[0], clip.views())
    assert engine._expected == {}, "what is stored needs no prompt"


def test_attention_and_compilation_are_options():
    engine = make(EngineSetup(options={"attention": "flash", "compile": "true"}))
    assert (engine._options.attention, engine._options.compile) == ("flash", True)
    assert make(EngineSetup(options={"compile": "no"}))._options == LtxOptions()
    with pytest.raises(OptionError, match="compile is true or false, not 'perhaps'"):
        make(EngineSetup(options={"compile": "perhaps"}))
