"""Subtitles inside the film: every container, read back."""

import sys
from fractions import Fraction
from pathlib import Path

import av
import pytest

from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.media.write import WriteOptions, write_clip
from lipdub.timeline.time import Span

sys.path.insert(0, str(Path(__file__).parent))
from media_files import make_video, make_wav

CAPTIONS = (
    (Span(Fraction(0), Fraction(1, 4)), "¡Hola!\n¿Qué tal?"),
    (Span(Fraction(2, 5), Fraction(3, 5)), "أهلا"),
)


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mp4", "mov_text"), (".mov", "mov_text"), (".mkv", "srt"), (".webm", "webvtt")]
)
def test_captions_are_shown_at_their_times(tmp_path: Path, suffix: str, codec: str) -> None:
    clip = open_clip(make_video(tmp_path / "in.mp4"))
    dub = make_wav(tmp_path / "dub.wav")
    output = tmp_path / f"out{suffix}"
    written = write_clip(clip, read_frames(clip), dub, output, WriteOptions(captions=CAPTIONS, language="es"))
    assert any(entry.startswith("subtitles") for entry in written.encoded)
    with av.open(str(output)) as film:
        (stream,) = film.streams.subtitles
        assert stream.codec_context.name == codec
        assert stream.language == "spa"
        packets = [p for p in film.demux(stream) if p.pts is not None and p.size > 2]
        skipped = 2 if codec == "mov_text" else 0
        told = [(p.pts * p.time_base, p.duration * p.time_base, bytes(p)[skipped:].decode()) for p in packets]
    assert told == [(span.start, span.duration, text) for span, text in CAPTIONS]
    assert len(open_clip(output)) == len(clip)


def test_without_captions_there_is_no_track(tmp_path: Path) -> None:
    clip = open_clip(make_video(tmp_path / "in.mp4"))
    write_clip(clip, read_frames(clip), None, tmp_path / "out.mp4", WriteOptions())
    with av.open(str(tmp_path / "out.mp4")) as film:
        assert not film.streams.subtitles
