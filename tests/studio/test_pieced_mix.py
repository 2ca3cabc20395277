"""A mix in pieces: a changed line costs the pieces near it, and the bytes do not depend on what was kept."""

import shutil
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipdub.compose.mix.mixer import MixInputs, MixLevels, MixOptions, MixPlan, plan_mix, plan_mix_again
from lipdub.compose.mix.stems import MixFormat, Stem
from lipdub.media.sound_blocks import SoundFormat
from lipdub.media.sound_encoding import pieced_encoding
from lipdub.media.sound_piece_file import PiecedSound
from lipdub.studio.assemble.pieced_mix import PiecedMix
from lipdub.timeline.time import Span

sys.path.insert(0, str(Path(__file__).parent.parent / "compose"))
from mix_sounds import NAMES, babble, mix_format, noise, stem

SECONDS, LINES = 41.7, 20
SPANS = tuple(Span(Fraction(2 * k, 1), Fraction(2 * k, 1) + Fraction(3, 2)) for k in range(LINES))


class Scene:
    """A programme of twenty lines, and a dub for it."""

    def __init__(self, channels: int, loudness: str) -> None:
        self.where: MixFormat = mix_format(SECONDS, 16000, channels)
        filmed = noise(self.where.samples, channels, 0.002) + babble(self.where, SPANS, 0.05, channels)
        self.source: Stem = stem(filmed)
        self.options = MixOptions(loudness=loudness)
        self.dub = babble(self.where, SPANS, 0.1, 1, seed=1)
        self.plan: MixPlan = plan_mix(self.inputs(SPANS, self.dub), self.options)

    def inputs(self, spans: tuple[Span, ...], dub: np.ndarray) -> MixInputs:
        return MixInputs(self.where, stem(dub), spans, self.source, SPANS)

    def changed(self, line: int) -> tuple[MixInputs, MixPlan]:
        """The scene with another take of a line, which is shorter."""
        spans = list(SPANS)
        spans[line] = Span(SPANS[line].start, SPANS[line].start + Fraction(9, 10))
        dub = self.dub.copy()
        first, stop = self.where.ranges([SPANS[line]])[0]
        dub[:, first:stop] = 0
        dub += babble(self.where, (spans[line],), 0.15, 1, seed=3)
        inputs = self.inputs(tuple(spans), dub)
        return inputs, plan_mix_again(inputs, self.options, MixLevels.of(self.plan))

    def mix(self, inputs: MixInputs, plan: MixPlan, folder: Path, background: str = "clip") -> PiecedMix:
        how = pieced_encoding("mp4", SoundFormat(16000, NAMES[len(self.where.channels)]))
        assert how is not None
        return PiecedMix(inputs, plan, how, background, folder)


@pytest.fixture(scope="module", params=[(2, "-16"), (6, "source")], ids=str)
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene(*request.param)


@pytest.fixture(scope="module")
def mixed(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the finished pieces of the scene's mix; tests copy it."""
    folder = tmp_path_factory.mktemp("mixed")
    scene.mix(scene.inputs(SPANS, scene.dub), scene.plan, folder).made(nobody)
    return folder


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to))


def nobody(line: str) -> None:
    raise AssertionError(line)


def content(sound: PiecedSound) -> list[tuple[str, bytes]]:
    return [(file.name, file.read_bytes()) for file in sound.files]


def test_another_take_costs_the_pieces_near_it(scene: Scene, mixed: Path, tmp_path: Path) -> None:
    kept = copied(mixed, tmp_path / "kept")
    first = scene.mix(scene.inputs(SPANS, scene.dub), scene.plan, kept).made(nobody)
    assert len(first.files) == 11
    assert first.length == Fraction(scene.where.samples, scene.where.rate)
    before = {file: file.stat().st_mtime_ns for file in first.files}
    inputs, plan = scene.changed(10)
    second = scene.mix(inputs, plan, kept).made(nobody)
    made = [number for number, file in enumerate(second.files) if file not in before]
    assert 1 <= len(made) <= 4
    assert 5 in made  # it begins at 20.5 s
    assert all(file.stat().st_mtime_ns == before[file] for file in set(second.files) & set(before))
    alone = scene.mix(inputs, plan, tmp_path / "alone").made(nobody)
    assert content(alone) == content(second)
    packets = [[(p.pts, bytes(p)) for p in sound.packets()] for sound in (first, second)]
    differ = [pts for (pts, a), (_, b) in zip(*packets, strict=True) if a != b]
    assert differ
    assert 15 * 16000 < min(differ) < max(differ) < 29 * 16000


def test_a_mix_at_the_levels_of_the_first_is_the_first(scene: Scene, mixed: Path, tmp_path: Path) -> None:
    inputs = scene.inputs(SPANS, scene.dub)
    first = scene.mix(inputs, scene.plan, mixed).made(nobody)
    again = plan_mix_again(inputs, scene.options, MixLevels.of(scene.plan))
    assert content(scene.mix(inputs, again, tmp_path / "again").made(nobody)) == content(first)


def test_damaged_and_half_written_pieces_are_made_again(scene: Scene, mixed: Path, tmp_path: Path) -> None:
    mix = scene.mix(scene.inputs(SPANS, scene.dub), scene.plan, copied(mixed, tmp_path / "kept"))
    first = mix.made(nobody)
    expected = content(first)
    damaged, half, gone = first.files[2], first.files[4], first.files[7]
    damaged.write_bytes(damaged.read_bytes()[:-9] + b"altered..")
    half.rename(half.with_name(f"{half.stem}.part{half.suffix}"))
    gone.unlink()
    told: list[str] = []
    assert content(mix.made(told.append)) == expected
    assert len(told) == 1
    assert str(damaged) in told[0]
    assert "damaged" in told[0]


@pytest.mark.parametrize("scene", [(1, "source")], ids=str, indirect=True)
def test_another_mix_has_other_names(scene: Scene, tmp_path: Path) -> None:
    inputs, plan = scene.inputs(SPANS, scene.dub), scene.plan
    usual = scene.mix(inputs, plan, tmp_path)
    louder = replace(plan, report=replace(plan.report, dub_gain=plan.report.dub_gain + 1))
    raised = replace(plan, report=replace(plan.report, gain=plan.report.gain + 1))
    limited = replace(plan, highest_db=plan.highest_db - 1)
    opus = pieced_encoding("webm", SoundFormat(48000, scene.where.channels))
    assert opus is not None
    others = [
        scene.mix(inputs, louder, tmp_path),
        scene.mix(inputs, raised, tmp_path),
        scene.mix(inputs, limited, tmp_path),
        scene.mix(inputs, plan, tmp_path, background="another clip"),
        replace(usual, how=replace(usual.how, options={"b": "64000"})),
    ]
    names = [file.name for mix in (usual, *others) for file in mix.made(nobody).files]
    assert len(set(names)) == len(names)
