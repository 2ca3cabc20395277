"""One line is spoken, without a mouth: to hear it before it is made."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from lipdub.disk.identity import content_digest
from lipdub.errors import InputError, OptionError
from lipdub.media.sound_blocks import Block, SoundFormat, sound_blocks, sound_format
from lipdub.media.sound_write import write_sound
from lipdub.studio.plan.dub_speech import voiced_lines
from lipdub.studio.plan.fitted_speech import RATE
from lipdub.studio.plan.plan_dub import cast_lines
from lipdub.studio.plan.plan_speech import complete_lines
from lipdub.studio.project.make_takes import LanguageWork, given_lines
from lipdub.studio.session import Session, open_session
from lipdub.studio.store import key
from lipdub.timeline.project import InputFile
from lipdub.timeline.spoken_lines import PlacedLine
from lipdub.timeline.take import LineVoice
from lipdub.timeline.time import Span

_FILE = "line.flac"
_MARGIN = Fraction(1, 10)
"""Seconds of a dub track before and after a line that are heard with it."""


@dataclass(frozen=True)
class HeardLine:
    """The speech of one line in ``file`` (.flac, which browsers play), in the folder of kept work.

    It is heard in ``span``, where the source says the line in ``source_span`` (s, on the plan's clock). ``rate`` is the
    time-stretch, and ``missing`` how many seconds of its end do not fit. ``text`` is what is said.
    """

    file: Path
    span: Span
    source_span: Span
    rate: float = 1.0
    missing: Fraction = Fraction(0)
    text: str = ""


def hear_line(work: LanguageWork, line: str, session: Session) -> HeardLine:
    """Speak a line (by id) of ``work`` as it will be spoken when it is made. The session keeps what the voice said.

    Raises ``OptionError`` if the engine speaks the line itself, or it cannot be said, and what voices raise.
    """
    job = work.job
    if line not in work.recipes:
        raise OptionError(f"line {line} is left as filmed: it is not said", remedy="Unset leave, or move it")
    if session.tools.engine_speaks and not job.speech.voice:
        raise OptionError(
            f"the engine {session.tools.engine.name} speaks line {line} itself, when it is made",
            remedy="Name a voice to hear it before",
        )
    given = complete_lines(job, work.analysis, session, given_lines(work, session, {line: None}))
    given, _ = cast_lines(job, work.analysis, given, session)
    assert given.lines is not None, "they were given"
    voiced = voiced_lines(job, given.lines, work.analysis, session, given.choices)
    placed = next((one for one in voiced.lines if one.line.id == line), None)
    if placed is None:
        why = "; ".join(voiced.notes) or "the voice cannot say it"
        raise OptionError(f"line {line} is not said: {why}", remedy="Change its text or its voice")
    return _placed(placed)


def _placed(placed: PlacedLine) -> HeardLine:
    samples = np.ascontiguousarray(placed.sound.samples, np.float32)
    rate = placed.sound.rate

    def write(file: Path) -> None:
        write_sound(file, [samples], SoundFormat(rate, ("FC",)))

    file = _kept(key("placed", rate, samples.shape, _digest(samples)), write)
    return HeardLine(file, placed.span, placed.source_span, placed.rate, placed.missing, placed.line.text)


def _digest(samples: np.ndarray) -> str:
    return hashlib.sha256(samples.tobytes()).hexdigest()


def hear_take(voice: LineVoice) -> HeardLine:
    """The speech of a take that was made. Raises ``InputError`` if its file is damaged."""

    def write(file: Path) -> None:
        try:
            samples = np.load(voice.file).astype(np.float32)
        except (OSError, ValueError) as wrong:
            raise InputError("the speech of this take is damaged", file=voice.file, remedy="Make it again") from wrong
        write_sound(file, [samples.reshape(1, -1)], SoundFormat(RATE, ("FC",)))

    file = _kept(key("take", content_digest(voice.file)), write)
    return HeardLine(file, voice.span, voice.source_span, voice.rate, voice.missing, voice.text)


def hear_track(track: InputFile, span: Span, zero: Fraction) -> HeardLine:
    """The part of a finished dub track, which begins at ``zero``, that belongs to a line in ``span`` (s, on the plan's
    clock), and a little around it. Raises ``InputError`` if it cannot be read."""
    heard = Span(max(zero, span.start - _MARGIN), span.end + _MARGIN)
    if not track.path.is_file():
        raise InputError("the dub track is not there any more", file=track.path, remedy="Put it back, or give another")
    state = track.path.stat()

    def write(file: Path) -> None:
        made = sound_format(track.path)
        count = round(heard.duration * made.rate)
        write_sound(file, _first(sound_blocks(track.path, start=heard.start - zero), count), made)

    seen = key("track", track.path.absolute(), state.st_size, state.st_mtime_ns, heard.start - zero, heard.duration)
    return HeardLine(_kept(seen, write), heard, span)


def _first(blocks: Iterator[Block], count: int) -> Iterator[Block]:
    """The first ``count`` samples of ``blocks``."""
    for block in blocks:
        yield block[:, :count]
        count -= block.shape[1]
        if count <= 0:
            return


def _kept(name: str, write: Callable[[Path], object]) -> Path:
    """The file that ``write(file)`` writes, in the folder of kept work."""

    def make(folder: Path) -> None:
        write(folder / _FILE)

    with open_session() as session:
        return session.store.folder(f"heard-{name}", make) / _FILE
