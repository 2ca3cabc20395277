"""The mix of a dub: speech over what is left of the clip's sound, in a file.

Only imported where something is mixed: it brings ``scipy.signal``, which costs every start a second.
"""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import isfinite
from pathlib import Path

from lipdub.compose.mix.mixer import MixInputs, MixOptions, MixReport, plan_mix, render_mix
from lipdub.compose.mix.stems import MixFormat, Stem
from lipdub.errors import OptionError
from lipdub.media.probe import probe
from lipdub.media.sound_blocks import SoundFormat, sound_blocks, sound_format
from lipdub.media.sound_write import write_sound
from lipdub.studio.effects import effects_of
from lipdub.studio.options import SpeechOptions
from lipdub.studio.room import Room, whole_of
from lipdub.studio.voicing import RATE
from lipdub.timeline.clip import Clip
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.aims import source_windows


def mix(
    clip: Clip, dub: tuple[Path, Sequence[Span]], speech: SpeechOptions, features: SpeechFeatures | None, room: Room
) -> tuple[Path, MixReport]:
    """The mix of a dub (its file, and when it speaks) and the clip's sound, in a file; and what was measured."""
    track, spans = dub
    shape = sound_format(clip.path, clip.sound) if clip.has_sound else SoundFormat(RATE, ("FL", "FR"))
    shape = shape if shape.rate >= CLEAR else replace(shape, rate=RATE)
    canvas = MixFormat.for_span(whole_of(clip), shape.rate, shape.channels)
    source = _stem(clip.path, canvas, clip.start, clip.sound) if clip.has_sound else None
    found = effects_of(clip, speech, room)
    effects = None if found is None else _stem(found.file, canvas)
    source_speech = source_windows(features) if features is not None else ()
    parts = MixInputs(canvas, _stem(track, canvas), tuple(spans), source, source_speech, effects)
    with room.clock.stage("mix"):
        plan = plan_mix(parts, mix_options(speech))
        path = room.scratch / (room.mix_name if len(shape.channels) <= 8 else "mix.wav")
        write_sound(path, render_mix(parts, plan), shape)
    report = replace(plan.report, notes=(*plan.report.notes, *_stem_doubts(speech, canvas)))
    if found is not None and found.by:
        report = replace(report, notes=(*report.notes, f"{found.by} took the speech out of the clip's sound"))
    return path, report


CLEAR = 32_000
"""Samples per second below which a clip's sound dulls voices: its mix gets ``RATE``."""

SHORT = Fraction(1, 2)
"""Seconds by which given music may end early or late without a word about it."""


def _stem_doubts(speech: SpeechOptions, canvas: MixFormat) -> tuple[str, ...]:
    """What a person should know of the music and effects that were given."""
    if speech.music_effects is None:
        return ()
    length, whole = probe(speech.music_effects).duration, Fraction(canvas.samples, canvas.rate)
    if abs(length - whole) <= SHORT:
        return ()
    what = "shorter than the clip: silence follows them" if length < whole else "longer than the clip: their end is cut"
    return (f"the music and effects are {float(abs(length - whole)):.1f} s {what}",)


HIDDEN = -40.0
"""dB below which the clip's own speech is not to be heard: room tone takes its place."""


def mix_options(speech: SpeechOptions) -> MixOptions:
    """How to mix. Raises ``OptionError`` for a loudness that is none, or if the clip's own speech would get louder."""
    if not isfinite(speech.hush):
        raise OptionError(f"--hush {speech.hush:g} is no number of dB", remedy="Try -60 or -18")
    if speech.hush > 0:
        raise OptionError(f"--hush {speech.hush:g} would make the clip's own speech louder", remedy="Try -60 or -18")
    plain = MixOptions(loudness=speech.loudness)
    _ = plain.target_lufs
    return replace(plain, duck_source=replace(plain.duck_source, depth_db=speech.hush), room_tone=speech.hush < HIDDEN)


def _stem(path: Path, canvas: MixFormat, start: Fraction = Fraction(0), stream: int | None = None) -> Stem:
    """The sound of a file (its stream ``stream``), whose instant ``start`` is the canvas' first."""
    channels = sound_format(path, stream).channels
    return Stem(channels, lambda: sound_blocks(path, rate=canvas.rate, start=start, stream=stream))


def levels(report: MixReport) -> dict[str, float]:
    """What of the mix is a number: LUFS, LU and dBTP."""
    found = {
        "loudness": report.result.integrated,
        "loudness_range": report.result.loudness_range,
        "true_peak": report.result.true_peak,
    }
    return {name: value for name, value in found.items() if value is not None}
