"""The clip's own sound beside a slowed picture: it is analysed, and given to engines, as slow as the picture."""

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipdub.media.probe import open_clip
from lipdub.media.sound_read import read_sound
from lipdub.studio.face_views import source_sound
from lipdub.studio.options import DubOptions
from lipdub.studio.session import open_session
from lipdub.studio.track_features import clip_features
from lipdub.timeline.clip_length import slowed

sys.path.insert(0, str(Path(__file__).parents[1] / "media"))
from media_files import Extra, make_video

LATE = Fraction(1, 5)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    extra = Extra(sound_seconds=2.0, sound_start=LATE, sound_codec="pcm_s16le")
    return make_video(tmp_path_factory.mktemp("clip") / "a.mov", extra, count=60)


def test_an_engine_hears_the_clip_as_slow_as_it_sees_it(source: Path) -> None:
    clip = open_clip(source)
    slow = slowed(clip, clip.span.end * Fraction(5, 4))
    before, after = read_sound(source), source_sound(slow)
    assert after is not None
    assert after.start == clip.start + (before.start - clip.start) * Fraction(5, 4)
    assert after.samples.shape == (1, round(before.samples.shape[1] * Fraction(5, 4)))
    same = source_sound(clip)
    assert same is not None
    assert np.array_equal(same.samples, before.samples)


@pytest.mark.usefixtures("models")
def test_features_of_the_clip_are_stretched(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "work")
    clip = open_clip(source)
    slow = slowed(clip, clip.span.end * 2)
    with open_session(DubOptions(speech_features="light")) as session:
        plain, stretched = clip_features(clip, session).features, clip_features(slow, session).features
    assert len(stretched) == 2 * len(plain)
    assert stretched.start == clip.start + (plain.start - clip.start) * 2
    for name in ("phone_posteriors", "voice_activity", "energy"):
        own, longer = getattr(plain, name), getattr(stretched, name)
        assert longer.dtype == own.dtype
        assert np.array_equal(longer[::2], own)
        assert np.allclose(longer[1:-1:2], (own[:-1] + own[1:]) / 2, atol=1e-6)
