"""Dubs of many windows: they go on after an interruption, join without jumps, encode a prompt once, and say how long
they take."""

import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from conformance import digest, studied
from drawn import FIRST, Drawn

from lipdub.engines.ltx.engine import LtxEngine
from lipdub.engines.ltx.fake_model import FakeWindowModel
from lipdub.engines.ltx.frame_grid import padded_length
from lipdub.engines.ltx.join import CrossFade, FrameBlock, WindowJoiner, join_voices
from lipdub.engines.ltx.options import LtxOptions
from lipdub.engines.ltx.pace import SAY_AGAIN, WindowPace, WindowSize, duration_text, frames_of_cue
from lipdub.engines.ltx.window_model import GeneratedWindow, WindowRequest
from lipdub.engines.ltx.window_store import KeptWindow, WindowStore
from lipdub.engines.seam import Guide, WorkForecast
from lipdub.errors import OutputError
from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.cue import Cue
from lipdub.timeline.lines import Line
from lipdub.timeline.patch import Patch
from lipdub.timeline.sound import Sound

FRAMES, WINDOWS = 60, 5
OPTIONS = LtxOptions(size=128, frames=17, overlap=5)
TIMES = FrameTimes(np.arange(FIRST + FRAMES), Fraction(1, 25), 1)


class Ended(BaseException):
    """The program was ended."""


class WholeWindowModel(FakeWindowModel):
    """A model all of whose frames depend on all frames, the sound and the seed; it ends the program at a window."""

    def __init__(self, ends_at: int = -1) -> None:
        super().__init__()
        self.ends_at = ends_at

    def __call__(self, request: WindowRequest) -> GeneratedWindow:
        if len(self.requests) == self.ends_at:
            raise Ended
        made = super().__call__(request)
        sums = request.frames.reshape(len(request.frames), -1).sum(1, dtype=np.int64)
        number = (sums * np.arange(1, len(sums) + 1)).sum() + request.seed
        if request.dub_sound is not None:
            number += int(np.abs(request.dub_sound.samples).sum() * 1e6)
        return replace(made, frames=made.frames // 2 + np.uint8(number % 97))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return Drawn(tmp_path_factory.mktemp("drawn"), frames=FRAMES, side=160)


def cue(first, stop, text=""):
    span = TIMES.span(FIRST + first, FIRST + stop)
    return Cue(span, 1, Line(text, span, "es") if text else None)


def followed(*cues):
    sound = Sound(np.linspace(-1, 1, round(TIMES.whole.end * 16_000), dtype=np.float32)[None], 16_000)
    return Guide(None, sound, sound, cues or (cue(0, FRAMES),), TIMES)


def spoken(text="Uno dos tres. Cuatro cinco seis."):
    return Guide(cues=(cue(0, FRAMES, text),), times=TIMES)


def opened(folder, model):
    """The study in ``folder``, finished by an earlier program."""
    return LtxEngine(OPTIONS, loader=lambda prompts: model).study(folder)


@pytest.fixture
def study(clip, tmp_path):
    """Makes a finished study in a folder."""
    return lambda name, model: studied(LtxEngine(OPTIONS, loader=lambda prompts: model), clip, tmp_path / name)[0]


@pytest.mark.parametrize("ends_at", [1, 3, WINDOWS - 1])
def test_finished_windows_of_an_interrupted_run_are_not_generated_again(ends_at, clip, study):
    whole = list(study("whole", WholeWindowModel()).render(followed(), clip.views()))
    interrupted = study("interrupted", WholeWindowModel(ends_at))
    with pytest.raises(Ended):
        list(interrupted.render(followed(), clip.views()))
    model = WholeWindowModel()
    assert digest(list(opened(interrupted.folder, model).render(followed(), clip.views()))) == digest(whole)
    assert len(model.requests) == WINDOWS - ends_at
    assert [path.name for path in (interrupted.folder / "takes").iterdir() if path.name.startswith(".")] == []
    assert not (interrupted.folder / "windows").exists(), "they are removed when the run is complete"
    again = WholeWindowModel()
    assert digest(list(opened(interrupted.folder, again).render(followed(), clip.views()))) == digest(whole)
    assert not again.requests


def test_an_interrupted_line_is_spoken_on(clip, study):
    whole = study("whole", WholeWindowModel()).speak(spoken(), clip.views())
    interrupted = study("interrupted", WholeWindowModel(3))
    with pytest.raises(Ended):
        interrupted.speak(spoken(), clip.views())
    model = WholeWindowModel()
    assert np.array_equal(opened(interrupted.folder, model).speak(spoken(), clip.views()).samples, whole.samples)
    assert len(model.requests) == WINDOWS - 3


def test_windows_of_another_seed_prompt_or_sound_are_not_used(clip, study):
    interrupted = study("interrupted", WholeWindowModel(4))
    with pytest.raises(Ended):
        interrupted.speak(spoken(), clip.views())
    for other in (replace(spoken(), seed=1), spoken("Otra cosa. Y mucho mejor."), followed()):
        model = WholeWindowModel()
        list(opened(interrupted.folder, model).render(other, clip.views()))
        assert len(model.requests) == WINDOWS


def test_windows_with_missing_views_are_not_kept(clip, study):
    part = study("part", WholeWindowModel())
    list(part.render(followed(), clip.views(0, 22)))
    kept = sorted(path.stem.rpartition("-")[2] for path in (part.folder / "windows").iterdir())
    assert kept == ["0000"], "of the second window only a part was seen"
    whole = list(study("whole", WholeWindowModel()).render(followed(), clip.views()))
    assert digest(list(part.render(followed(), clip.views()))) == digest(whole)


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty"])
def test_a_damaged_window_is_generated_again(damage, clip, study, caplog):
    whole = list(study("whole", WholeWindowModel()).render(followed(), clip.views()))
    interrupted = study("interrupted", WholeWindowModel(3))
    with pytest.raises(Ended):
        list(interrupted.render(followed(), clip.views()))
    (file,) = (interrupted.folder / "windows").glob("*-0001.npz")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes({"flipped": data, "cut": data[: len(data) // 2], "empty": b""}[damage])
    model = WholeWindowModel()
    assert digest(list(opened(interrupted.folder, model).render(followed(), clip.views()))) == digest(whole)
    assert len(model.requests) == WINDOWS - 2
    assert "damaged and is made again" in caplog.text


def test_a_full_disk_is_reported_when_a_window_is_kept(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    block = FrameBlock(0, np.zeros((2, 3, 4, 3), np.uint8), np.zeros(2, np.float32))
    with pytest.raises(OutputError, match="disk is full"):
        WindowStore(tmp_path / "windows").keep("key", 0, KeptWindow(block, None))
    assert list((tmp_path / "windows").iterdir()) == []


@pytest.mark.slow
def test_a_killed_dub_of_the_tiny_model_goes_on_with_the_same_bytes(files, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("diffusers")
    program = Path(__file__).with_name("killed_dub.py")
    environment = {**os.environ, "LIPDUB_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}

    def run(name, windows):
        command = [sys.executable, str(program), str(tmp_path / name), str(files), str(windows)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    killed = run("killed", 2)
    assert killed.returncode != 0, killed.stderr
    assert killed.stdout == ""
    assert len(list((tmp_path / "killed/study/windows").iterdir())) == 2
    whole, resumed = run("whole", -1), run("killed", -1)
    assert (whole.returncode, resumed.returncode) == (0, 0), whole.stderr + resumed.stderr
    (bytes_, count), (same, rest) = whole.stdout.split(), resumed.stdout.split()
    assert same == bytes_
    assert int(rest) == int(count) - 2 > 0


class PaintingModel(FakeWindowModel):
    """Paints every window in one grey level: dark and bright windows in turn; its voice is 1."""

    def __call__(self, request: WindowRequest) -> GeneratedWindow:
        output = super().__call__(request)
        level = 40 + 150 * ((len(self.requests) - 1) % 2)
        voice = Sound(np.ones_like(output.voice.samples), output.voice.rate)
        return GeneratedWindow(np.full_like(request.frames, level), voice)


def test_many_windows_join_without_a_jump_in_picture_and_voice(clip, study):
    painted = study("painted", PaintingModel())
    voice = painted.speak(spoken(), clip.views())
    assert np.abs(voice.samples[:, 100:-4000] - 1).max() < 1e-5, "the weights of the windows add up to 1"
    levels = []
    for answer in painted.render(spoken(), clip.views()):
        assert isinstance(answer, Patch)
        x, y = clip.landmarks(answer.index - FIRST)[[13, 14], :2].mean(0).astype(int)
        levels.append(float(answer.pixels[y - answer.window.top, x - answer.window.left].mean()))
    steps = np.abs(np.diff(levels))
    assert max(levels) - min(levels) > 80
    assert (steps > 5).sum() >= 2 * (WINDOWS - 1), "every join is seen"
    assert steps.max() < 0.5 * (max(levels) - min(levels))


def test_hundred_windows_join_into_one_sequence():
    length, overlap = 25, 8
    joiner, rng = WindowJoiner(), np.random.default_rng(0)
    starts = [i * (length - overlap) for i in range(100)]
    made = rng.integers(0, 256, 100)
    out, voices = [], []
    for i, start in enumerate(starts):
        frames = np.full((length, 4, 6, 3), made[i], np.uint8)
        until = starts[i + 1] if i + 1 < len(starts) else start + length
        out += [int(p[0, 0, 0]) for p, _ in joiner.add(FrameBlock(start, frames, np.ones(length, np.float32)), until)]
        voices.append((start, Sound(np.ones((2, length * 192), np.float32), 4800)))
    assert len(out) == starts[-1] + length
    assert len(joiner.fades) == 99
    for i, fade in enumerate(joiner.fades):
        assert starts[i + 1] <= fade.first < fade.stop <= starts[i] + length
        assert isinstance(fade, CrossFade)
    for i, (start, fade) in enumerate(zip(starts[1:-1], joiner.fades[:-1], strict=True), start=1):
        assert out[fade.stop] == made[i]
        between = sorted((int(made[i - 1]), int(made[i])))
        assert all(between[0] <= level <= between[1] for level in out[start : fade.stop])
    whole = join_voices(voices, joiner.fades, Fraction(25), len(out))
    assert np.abs(whole.samples - 1).max() < 1e-5


@pytest.mark.parametrize("overlap", [0, 1, 5, 6, 7])
def test_voices_of_windows_that_share_little_have_no_gap(overlap):
    joiner, voices = WindowJoiner(), []
    for start in range(0, 4 * (17 - overlap), 17 - overlap):
        block = FrameBlock(start, np.zeros((17, 4, 6, 3), np.uint8), np.ones(17, np.float32))
        list(joiner.add(block, start + 17 - overlap))
        voices.append((start, Sound(np.ones((1, 17 * 192), np.float32), 4800)))
    whole = join_voices(voices, joiner.fades, Fraction(25), 3 * (17 - overlap) + 17)
    assert np.abs(whole.samples - 1).max() < 1e-5


@pytest.mark.slow
def test_a_prompt_is_encoded_once_in_all_cues_and_runs(files, clip, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("diffusers")
    from lipdub.engines.ltx import prompt_cache
    from lipdub.engines.ltx.window_model import prepare_model

    encoded, encode = [], prompt_cache._encode_prompts
    monkeypatch.setattr(prompt_cache, "_encode_prompts", lambda *args: encoded.extend(args[-1]) or encode(*args))
    monkeypatch.setenv("LIPDUB_CACHE", str(tmp_path / "cache"))
    options = LtxOptions(device="cpu", size=64, frames=9, overlap=3)
    lines = ("Uno. Dos. Tres.", "Cuatro. Cinco.", "Uno. Dos. Tres.")
    cues = tuple(replace(cue(i * 13, i * 13 + 12, text), id=f"c{i}") for i, text in enumerate(lines))

    def dub(cues):
        prepared, asked = prepare_model(options, files), []

        def load(prompts):
            model = prepared.load(prompts)
            asked.append(model)
            return model

        study = studied(LtxEngine(options, loader=load), clip, tmp_path / f"study-{len(encoded)}")[0]
        for one in cues:  # as a film is rendered: a call for each cue
            list(study.render(replace(spoken(), cues=(one,)), clip.views()))
        assert len(asked) == 1

    dub(cues)
    assert len(encoded) == len(set(encoded))
    assert len(encoded) >= 3
    before = list(encoded)
    dub(cues[:1])
    assert encoded == before, "the contexts are kept"


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def timed():
    """A pace with a clock that stands still except in windows: (pace, lines, window of some seconds)."""
    clock, said = _Clock(), []
    pace = WindowPace(said.append, clock)

    def window(seconds, frames=121):
        with pace.window(WindowSize(frames, Fraction(25), 24)):
            clock.now += seconds

    return pace, said, window


def test_after_the_first_window_the_rest_is_estimated(timed):
    pace, said, window = timed
    pace.expect(121 * 11)
    window(97)
    cost = "the first window of 121 frames took 97.0 s (8 + 3 steps), 25.0 s for a second of film"
    assert said == [f"LTX: {cost}; about 16 minutes left"]
    window(30)
    assert pace.seconds_per_frame == pytest.approx(30 / 121), "the first window is slower, and counts no more"
    assert pace.seconds_left == pytest.approx(30 * 9)
    assert len(said) == 1
    window(SAY_AGAIN)
    assert said[1] == "LTX: about 22 minutes left"
    for _ in range(8):
        window(SAY_AGAIN)
    assert pace.frames_left == 0
    assert said[-1] != "LTX: about 0 seconds left"


def test_what_is_kept_shortens_the_rest(timed):
    pace, said, window = timed
    pace.expect(121 * 4)
    pace.skip(121 * 2)
    window(60)
    assert said[0].endswith("about 60 seconds left")
    pace.skip(1000)
    assert pace.frames_left == 0


def test_without_a_forecast_only_the_cost_is_said(timed):
    _, said, window = timed
    window(97)
    assert said[0].endswith("25.0 s for a second of film")


def test_a_window_that_fails_is_not_timed(timed):
    pace, said, _ = timed
    with pytest.raises(Ended), pace.window(WindowSize(9, Fraction(25), 3)):
        raise Ended
    assert (pace.seconds_per_frame, said) == (0, [])


def test_durations_are_said_in_words():
    assert [duration_text(s) for s in (0.2, 1.4, 40.0, 200.0, 9000.0)] == [
        "about 1 second",
        "about 1 second",
        "about 40 seconds",
        "about 3 minutes",
        "about 2.5 hours",
    ]


def test_the_frames_of_cues_are_known_before_they_are_rendered(clip, study, caplog):
    model = FakeWindowModel()
    engine = LtxEngine(OPTIONS, loader=lambda prompts: model)
    assert isinstance(engine, WorkForecast)
    made = study("study", model)
    made.resources = replace(made.resources, pace=engine._pace)
    cues = (cue(0, 30), cue(33, FRAMES))
    engine.expect(cues, TIMES)
    assert engine._pace.frames_left == sum(frames_of_cue(one, TIMES, OPTIONS) for one in cues)
    for one in cues:
        list(made.render(followed(one), clip.views()))
    assert sum(padded_length(len(r.frames)) for r in model.requests) == sum(
        frames_of_cue(one, TIMES, OPTIONS) for one in cues
    )
    assert engine._pace.frames_left == 0
    (line,) = [r.message for r in caplog.records if "the first window" in r.message]
    assert "left" in line
    engine.expect(cues, TIMES)
    list(made.render(followed(cues[0]), clip.views()))
    assert engine._pace.frames_left == frames_of_cue(cues[1], TIMES, OPTIONS), "what was kept is not expected any more"
