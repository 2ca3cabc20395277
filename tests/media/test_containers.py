"""Every container that is offered takes a picture, a dub track and embedded subtitles."""

import sys
from fractions import Fraction
from pathlib import Path

import av
import pytest

from lipdub.media.encoder import CONTAINERS
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.media.write import WriteOptions, write_clip
from lipdub.timeline.time import Span

sys.path.insert(0, str(Path(__file__).parent))
from media_files import make_video, make_wav


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_every_suffix_takes_picture_dub_track_and_subtitles(tmp_path: Path, suffix: str) -> None:
    clip = open_clip(make_video(tmp_path / "a.mov", count=6))
    captions = ((Span(Fraction(0), Fraction(1, 10)), "Hola."),)
    options = WriteOptions(captions=captions)
    written = write_clip(clip, read_frames(clip), make_wav(tmp_path / "b.wav"), tmp_path / f"out{suffix}", options)
    assert written.frames == 6
    with av.open(str(written.path)) as out:
        assert sorted(stream.type for stream in out.streams) == ["audio", "subtitle", "video"]
