"""The sound of the finished film: the user's own dub track as it came, or a mix of the dub's speech over the clip's
sound.

``scipy.signal``, which mixing needs, costs every start a second: it is imported where something is mixed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lipdub.acoustics.speech_spans import speech_spans
from lipdub.media.output_options import container_for
from lipdub.media.probe import probe
from lipdub.media.sound_blocks import Block, SoundFormat, sound_blocks, sound_format
from lipdub.media.sound_encoding import pieced_encoding
from lipdub.media.sound_piece_file import PiecedSound
from lipdub.media.sound_retiming import retimed_blocks, sound_parts
from lipdub.media.sound_write import write_sound
from lipdub.studio.assemble.music_effects import FilmedSound, music_and_effects
from lipdub.studio.dub_plan import DubPlan
from lipdub.studio.job import Job
from lipdub.studio.session import Session
from lipdub.studio.store import key
from lipdub.studio.track_features import whole_of
from lipdub.timeline.clip import Clip
from lipdub.timeline.time import Span, merge_spans

if TYPE_CHECKING:
    from lipdub.compose.mix.mixer import MixLevels
    from lipdub.compose.mix.stems import Stem

RATE = 48_000
"""Samples per second of a mix whose clip has no sound, or sound of a low rate."""

CLEAR = 32_000
"""Samples per second below which a clip's sound dulls voices: its mix gets ``RATE``."""

SHORT = Fraction(1, 2)
"""Seconds by which given music may end early or late without a word about it."""


_PLAIN = frozenset({".mp4", ".m4v", ".mov"})
"""Containers that get a mix as WAV: few players know FLAC in mp4, and mov holds none; it becomes AAC or PCM there."""


@dataclass(frozen=True)
class Soundtrack:
    """The ``track`` that is written into the film: a file, or a mix that is encoded already. Of a mix: its ``levels``
    (LUFS, LU and dBTP, named), ``notes`` for the report, and ``mix_levels``, by which a later mix sounds the same.
    ``stems`` are its parts, if they were asked for."""

    track: Path | PiecedSound
    mixed: bool = False
    levels: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    mix_levels: MixLevels | None = None
    stems: tuple[Path, ...] = ()

    @property
    def length(self) -> Fraction:
        """Seconds of the track. Raises what ``probe`` raises."""
        return self.track.length if isinstance(self.track, PiecedSound) else probe(self.track).duration


def _undisturbed() -> None:
    """Nothing is asked for while sound is read."""


@dataclass(frozen=True)
class SoundWork:
    """How a mix is made. Its pieces are kept in ``folder``, if its codec is one that is encoded in pieces (None: it
    becomes a file of the session). ``go_on`` is called before every block of sound that is read; what it raises ends
    the work."""

    folder: Path | None = None
    go_on: Callable[[], None] = _undisturbed


def make_soundtrack(job: Job, plan: DubPlan, session: Session, work: SoundWork = SoundWork()) -> Soundtrack:
    """The user's own dub track, untouched, unless it is to be mixed; else the mix.

    Raises what the separator raises, and ``OutputError`` if the disk refuses.
    """
    speech = plan.speech
    if speech.brought and not job.speech.mix:
        return Soundtrack(speech.track)
    spans = speech_spans(plan.features.features) if speech.brought else tuple(line.span for line in speech.lines)
    return _mix(job, plan, spans, session, work)


def _mix(job: Job, plan: DubPlan, spans: Sequence[Span], session: Session, work: SoundWork) -> Soundtrack:
    """The mix of the dub's speech, which is heard in ``spans``, and the clip's sound."""
    from lipdub.compose.mix.mixer import MixInputs, MixLevels, plan_mix, plan_mix_again, render_mix
    from lipdub.studio.assemble.pieced_mix import PiecedMix
    from lipdub.studio.assemble.stem_files import write_stems
    from lipdub.studio.mix_options import mix_options

    clip, stems = job.clip, Stems(job.clip, work.go_on)
    source = stems.of(clip.path, clip.start, clip.sound) if clip.has_sound else None
    filmed = None if source is None else FilmedSound(source.open, stems.shape, stems.since_start(plan.source_speech))
    effects = music_and_effects(clip, job.speech, filmed, session)
    bed = effects is not None and effects.under_speech
    below = None if effects is None or effects.file is None else stems.of(effects.file, retimed=not bed)
    parts = MixInputs(
        stems.canvas,
        stems.of(plan.speech.track, retimed=False),
        tuple(spans),
        source,
        plan.source_speech,
        below,
        bed,
    )
    with session.clock.stage("mix"):
        options, before = mix_options(job.speech), plan.mix_levels
        planned_mix = plan_mix(parts, options) if before is None else plan_mix_again(parts, options, before)
        shape = stems.shape
        how = None if work.folder is None else pieced_encoding(container_for(job.names.film), shape)
        if how is not None and work.folder is not None:
            made_from = key(job.digest, clip.start, clip.sound, clip.clock, effects and effects.made_from)
            track = PiecedMix(parts, planned_mix, how, made_from, work.folder).made(session.store.tell)
        else:
            plain = job.names.film.suffix.lower() in _PLAIN or len(shape.channels) > 8
            track = session.scratch / ("mix.wav" if plain else "mix.flac")
            write_sound(track, render_mix(parts, planned_mix), shape)
        apart = write_stems(parts, planned_mix, shape, session.scratch) if job.names.stems else ()
    report = planned_mix.report
    notes = report.notes
    if effects is not None:
        brought = None if effects.under_speech else effects.file
        whole = Fraction(parts.mix_format.samples, shape.rate)
        notes = (*notes, *_length_notes(brought, clip, whole), *effects.notes)
    if apart:
        notes = (*notes, f"the sound in parts: {' + '.join(path.name for path in job.names.stems[:-1])} are the mix")
    found = {
        "loudness": report.result.integrated,
        "loudness_range": report.result.loudness_range,
        "true_peak": report.result.true_peak,
    }
    measured = {name: value for name, value in found.items() if value is not None}
    return Soundtrack(track, True, measured, notes, MixLevels.of(planned_mix), apart)


class Stems:
    """The sounds of a mix for ``clip``, in the format of the clip's own sound."""

    def __init__(self, clip: Clip, go_on: Callable[[], None]) -> None:
        from lipdub.compose.mix.stems import MixFormat

        shape = sound_format(clip.path, clip.sound) if clip.has_sound else SoundFormat(RATE, ("FL", "FR"))
        self.shape = shape if shape.rate >= CLEAR else replace(shape, rate=RATE)
        self.canvas = MixFormat.for_span(whole_of(clip), self.shape.rate, shape.channels)
        filmed = Span(clip.start, max(clip.start, clip.file_times.whole.end))
        self._parts = sound_parts(clip.clock.pieces(filmed), clip.start, self.shape.rate)
        self._go_on = go_on

    def of(self, path: Path, start: Fraction = Fraction(0), stream: int | None = None, *, retimed: bool = True) -> Stem:
        """The sound of a file (its stream ``stream``), whose instant ``start`` is the first of the mix. It waits while
        the picture stands still and is stretched with it, if it is to be ``retimed``."""
        from lipdub.compose.mix.stems import Stem
        from lipdub.words_to_sound.duration_fit.time_stretch import time_stretch

        stretch = partial(time_stretch, rate=self.canvas.rate)

        def blocks() -> Iterator[Block]:
            read = sound_blocks(path, rate=self.canvas.rate, start=start, stream=stream)
            for block in retimed_blocks(read, self._parts if retimed else (), stretch):
                self._go_on()
                yield block

        return Stem(sound_format(path, stream).channels, blocks)

    def since_start(self, spans: Sequence[Span]) -> tuple[Span, ...]:
        """``spans`` of clip time in seconds from the first sample of the mix, sorted and disjoint."""
        begin = self.canvas.start
        return merge_spans(Span(max(s.start, begin) - begin, s.end - begin) for s in spans if s.end > begin)


def _length_notes(brought: Path | None, clip: Clip, whole: Fraction) -> tuple[str, ...]:
    """Whether the music and effects in the file ``brought`` (None: there is none), on the clock of ``clip``, are as
    long as the ``whole`` mix (s)."""
    if brought is None:
        return ()
    length = clip.instant(clip.start + probe(brought).duration) - clip.start
    if abs(length - whole) <= SHORT:
        return ()
    what = "shorter than the clip: silence follows them" if length < whole else "longer than the clip: their end is cut"
    return (f"the music and effects are {float(abs(length - whole)):.1f} s {what}",)
