"""The mix: the dub as loud as the speech it replaces, over music and effects, at the loudness that is asked for.

Where a music-and-effects stem is given, it is what the dub is laid over. Else the source itself is: its speech is
hushed and the room's own tone put in its place; it is lowered a little under the dub; elsewhere it stays, sample for
sample. All is done in passes over blocks, so three hours of 5.1 need no more memory than three seconds.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from lipdub.compose.mix.duck import DuckEnvelope, DuckGain, lower_gain
from lipdub.compose.mix.limiter import LIMITER_MARGIN, LimiterStats, TruePeakMeter, limit_peaks
from lipdub.compose.mix.loudness import LoudnessLevels, LoudnessMeter
from lipdub.compose.mix.room_tone import RoomTone, RoomToneEstimator, scaled_tone
from lipdub.compose.mix.stems import Block, MixFormat, Stem, stem_blocks
from lipdub.errors import OptionError
from lipdub.timeline.time import Span

LOUDNESS_PRESETS = {"broadcast": -23.0, "web": -16.0, "loud": -14.0}
"""LUFS: EBU R 128; the upper end of AES TD1004 for streams (-20 to -16); where large video sites begin to turn down."""

MIN_SECONDS = 3
"""Seconds a programme must have to be brought to a loudness: the short-term window of EBU Tech 3341."""

_MAX_DUB_GAIN = 24.0
_MAX_RAISE = 30.0
_CLOSE, _NEAR = 0.05, 0.5
_TRIES = 4

_DUCK_SOURCE_SPEECH = DuckEnvelope(
    -60.0, Fraction(6, 100), Fraction(25, 100), Fraction(8, 100), Fraction(18, 100), Fraction(4, 10)
)
_DUCK_UNDER_DUB = DuckEnvelope(
    -6.0, Fraction(15, 100), Fraction(5, 10), Fraction(5, 100), Fraction(1, 10), Fraction(8, 10)
)


@dataclass(frozen=True)
class MixOptions:
    """How to mix.

    ``loudness``: ``source`` (only the dub is levelled, to the speech it replaces; nothing else is changed), ``none``
    (no level is changed), a preset (``broadcast`` -23 LUFS, ``web`` -16, ``loud`` -14) or a number of LUFS.
    ``ceiling_db`` is the highest true peak (dBTP) of a mix that is brought to a loudness; one that is not may be as
    high as what it is made of. ``dialogue_db`` makes the dub louder than the speech it replaces.
    ``hush`` is for the source's speech, ``under`` for the source beneath the dub; ``room_tone`` fills what is hushed.
    """

    loudness: str = "source"
    ceiling_db: float = -1.0
    dialogue_db: float = 0.0
    duck_source: DuckEnvelope = _DUCK_SOURCE_SPEECH
    duck_under_dub: DuckEnvelope = _DUCK_UNDER_DUB
    room_tone: bool = True
    seed: int = 0

    @property
    def target_lufs(self) -> float | None:
        """LUFS to be reached, or None. Raises ``OptionError`` for a word or a number that means no loudness."""
        if self.loudness in ("source", "none"):
            return None
        try:
            aim = LOUDNESS_PRESETS[self.loudness] if self.loudness in LOUDNESS_PRESETS else float(self.loudness)
        except ValueError:
            aim = 0.0
        if not -60 <= aim <= -5:
            words = ", ".join(("source", "none", *LOUDNESS_PRESETS))
            raise OptionError(f"'{self.loudness}' is no loudness", remedy=f"Use one of {words}, or LUFS like -18.")
        return aim


@dataclass(frozen=True, eq=False)
class MixInputs:
    """What is mixed, on one ``canvas``. All spans are on the clip's clock.

    ``dub`` and when it speaks; ``source``, the clip's own sound (None: it has none), and the ``source_speech`` that
    the dub replaces; ``effects``: music and effects without speech, given or separated, used instead of the source.
    """

    canvas: MixFormat
    dub: Stem
    dub_speech: tuple[Span, ...]
    source: Stem | None = None
    source_speech: tuple[Span, ...] = ()
    music_effects: Stem | None = None

    @property
    def background(self) -> Stem | None:
        """What the dub is laid over."""
        return self.source if self.music_effects is None else self.music_effects

    @property
    def ducks_source_speech(self) -> bool:
        """True if the bed is the source, with speech that must go."""
        return self.music_effects is None and self.source is not None and bool(self.source_speech)


@dataclass(frozen=True)
class MixReport:
    """What was measured and done. Loudness in LUFS, gains in dB; None: not measurable.

    ``result`` are the levels of the mix, ``source_dialogue`` and ``dub_dialogue`` those of speech before,
    ``dub_gain`` and ``gain`` what the dub and then the whole were changed by; ``limited_by`` the deepest reduction of
    the limiter, at ``limited_share`` 0..1 of all samples. ``hushed`` and ``lowered`` seconds of the source; the room
    tone's level ``tone_db`` (dB of full scale, RMS of a channel).
    """

    result: LoudnessLevels
    source_dialogue: float | None
    dub_dialogue: float | None
    dub_gain: float
    gain: float = 0.0
    limited_by: float = 0.0
    limited_share: float = 0.0
    source_ducked: Fraction = Fraction(0)
    ducked_under_dub: Fraction = Fraction(0)
    tone_db: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class MixPlan:
    """All that was decided. ``report`` tells it; ``ceiling_db`` is None where nothing needs to be held back."""

    report: MixReport
    duck_source: DuckGain
    duck_under_dub: DuckGain
    tone: RoomTone | None
    ceiling_db: float | None = None


def plan_mix(parts: MixInputs, options: MixOptions) -> MixPlan:
    """Listen to all ``parts``, choose levels and room tone, and rehearse the mix until its loudness is right.

    Reads every stem two to six times. Raises ``OptionError`` for a loudness that is none.
    """
    aim = options.target_lufs
    features = _StemMeasurements(parts, options.seed)
    gain, notes = _dub_gain(features, options)
    notes += _background_notes(parts, features)
    report = MixReport(LoudnessLevels(None, None, None), features.source_dialogue, features.dub_dialogue, gain)
    hush = DuckGain(parts.source_speech if parts.ducks_source_speech else (), options.duck_source, parts.canvas)
    under = DuckGain(parts.dub_speech if parts.music_effects is None else (), options.duck_under_dub, parts.canvas)
    tone = (
        features.tone
        if options.room_tone and features.tone is not None and features.tone.level_db is not None
        else None
    )
    bed = parts.background is not None
    report = replace(
        report,
        source_ducked=hush.seconds,
        ducked_under_dub=under.seconds if bed else Fraction(0),
        tone_db=tone.level_db if tone else None,
        notes=tuple(notes),
    )
    plan = MixPlan(report, hush, under, tone)
    ceiling = (
        options.ceiling_db if aim is not None else max(options.ceiling_db, features.highest(options) + LIMITER_MARGIN)
    )
    return _with_target_loudness(parts, plan, aim, ceiling)


def render_mix(parts: MixInputs, plan: MixPlan) -> Iterator[Block]:
    """The mix of ``parts``, in the channels of their canvas and exactly as long; the same bytes every time."""
    return _final_blocks(parts, plan, LimiterStats())


class _StemMeasurements:
    """What is learnt from the stems before they are mixed."""

    def __init__(self, parts: MixInputs, seed: int) -> None:
        canvas = parts.canvas
        # One voice in the middle is as loud as alone, and quicker to hear.
        alone = replace(canvas, channels=("FC",)) if len(parts.dub.channels) == 1 else canvas
        dub, self._dub_peak = _measure(stem_blocks(parts.dub, alone), alone)
        self.dub_dialogue = dub.integrated_within(parts.dub_speech, canvas.start)
        self.source_dialogue: float | None = None
        self.tone: RoomTone | None = None
        self._bed_peak: float | None = None
        if parts.source is not None:
            learner = RoomToneEstimator(parts.source_speech, canvas) if parts.ducks_source_speech else None
            source, self._bed_peak = _measure(stem_blocks(parts.source, canvas), canvas, learner)
            self.source_dialogue = source.integrated_within(parts.source_speech, canvas.start)
            self.tone = learner.estimate(seed) if learner else None
        if parts.music_effects is not None:
            self._bed_peak = _measure(stem_blocks(parts.music_effects, canvas), canvas)[1]

    def highest(self, options: MixOptions) -> float:
        """The true peak (dBTP) of what the mix is made of, as far as it came so."""
        peaks = [self._bed_peak, self._dub_peak if options.loudness == "none" or self._bed_peak is None else None]
        return max((peak for peak in peaks if peak is not None), default=-np.inf)


def _measure(
    blocks: Iterable[Block], canvas: MixFormat, learner: RoomToneEstimator | None = None
) -> tuple[LoudnessMeter, float | None]:
    """A meter, and a true peak, of ``blocks``; ``learner`` hears them too."""
    meter, peak = LoudnessMeter(canvas.rate, canvas.channels), TruePeakMeter(len(canvas.channels))
    for block in blocks:
        meter.add(block)
        peak.add(block)
        if learner is not None:
            learner.add(block)
    return meter, peak.true_peak()


def _dub_gain(features: _StemMeasurements, options: MixOptions) -> tuple[float, list[str]]:
    """What makes the dub as loud as the speech it replaces, in dB."""
    if options.loudness == "none":
        return 0.0, []
    if features.source_dialogue is None or features.dub_dialogue is None:
        return options.dialogue_db, ["the dub kept its level: there was no speech of the source to compare it with"]
    wish = features.source_dialogue - features.dub_dialogue + options.dialogue_db
    gain = float(np.clip(wish, -_MAX_DUB_GAIN, _MAX_DUB_GAIN))
    far = f"the dub was changed by {gain:+.0f} dB; the speech it replaces is still {wish - gain:+.0f} dB away"
    return gain, [far] if gain != wish else []


def _background_notes(parts: MixInputs, features: _StemMeasurements) -> list[str]:
    """What the user should know of the bed."""
    if parts.background is None:
        return ["the source has no sound: the mix is the dub alone"]
    if parts.music_effects is None and not parts.source_speech:
        return ["no speech was heard in the source: it was only lowered under the dub"]
    if features.tone is not None and not features.tone.pauses:
        told = "the source never pauses: its room tone was learnt from its quietest moments"
        return [f"{told}; music under its speech is lost, unless you give it (--music-effects, --separator)"]
    return []


def _with_target_loudness(parts: MixInputs, plan: MixPlan, aim: float | None, ceiling: float) -> MixPlan:
    """``plan`` with the gain that reaches ``aim`` (LUFS), and with a limiter if peaks would exceed ``ceiling``."""
    canvas = parts.canvas
    meter, peak = _measure(_dub_over_background(parts, plan), canvas)
    raw = LoudnessLevels(meter.integrated(), meter.loudness_range(), peak)
    gain, notes = _gain(raw, aim, Fraction(canvas.samples, canvas.rate))
    plan = _with_gain(plan, gain, notes)
    if raw.true_peak is None or raw.true_peak + gain <= ceiling - LIMITER_MARGIN:
        level = None if raw.integrated is None else raw.integrated + gain
        loud = None if raw.true_peak is None else raw.true_peak + gain
        return replace(plan, report=replace(plan.report, result=LoudnessLevels(level, raw.loudness_range, loud)))
    last = plan = replace(plan, ceiling_db=ceiling)
    for _ in range(_TRIES):
        done = LimiterStats()
        meter, peak = _measure(_final_blocks(parts, plan, done), canvas)
        result = LoudnessLevels(meter.integrated(), meter.loudness_range(), peak)
        share = done.samples / max(canvas.samples, 1)
        report = replace(plan.report, result=result, limited_by=done.max_reduction_db, limited_share=share)
        plan = replace(plan, report=report)
        if aim is None or notes or result.integrated is None or abs(aim - result.integrated) <= _CLOSE:
            return plan
        last, plan = plan, _with_gain(plan, plan.report.gain + aim - result.integrated, [])
    reached = last.report.result.integrated
    if aim is None or reached is None or abs(aim - reached) <= _NEAR:
        return last
    return _with_gain(last, last.report.gain, [f"peaks allow no more than {reached:.1f} LUFS"])


def _gain(raw: LoudnessLevels, aim: float | None, seconds: Fraction) -> tuple[float, list[str]]:
    if aim is None:
        return 0.0, []
    if seconds < MIN_SECONDS or raw.integrated is None:
        why = "shorter than 3 s" if seconds < MIN_SECONDS else "silent"
        return 0.0, [f"the mix is {why}: its loudness was left as it is"]
    gain = aim - raw.integrated
    if gain > _MAX_RAISE:
        return _MAX_RAISE, [f"the mix was raised by {_MAX_RAISE:.0f} dB only, not by {gain:.0f}: it is nearly silent"]
    return gain, []


def _with_gain(plan: MixPlan, gain: float, notes: list[str]) -> MixPlan:
    return replace(plan, report=replace(plan.report, gain=gain, notes=(*plan.report.notes, *notes)))


def _final_blocks(parts: MixInputs, plan: MixPlan, done: LimiterStats) -> Iterator[Block]:
    """Summed, brought to its loudness, its peaks held back; ``done`` tells how much."""
    blocks = _amplified(_dub_over_background(parts, plan), plan.report.gain)
    if plan.ceiling_db is None:
        return blocks
    return limit_peaks(blocks, parts.canvas.rate, plan.ceiling_db, done)


def _dub_over_background(parts: MixInputs, plan: MixPlan) -> Iterator[Block]:
    """The dub at its level, over the bed."""
    dub = _amplified(stem_blocks(parts.dub, parts.canvas), plan.report.dub_gain)
    if parts.background is None:
        yield from dub
        return
    for speech, below in zip(dub, render_background(parts, plan), strict=True):
        yield speech + below


def render_background(parts: MixInputs, plan: MixPlan) -> Iterator[Block]:
    """What lies under the dub: music and effects as they are, or the source, hushed and lowered where it must be."""
    assert parts.background is not None
    first = 0
    for block in stem_blocks(parts.background, parts.canvas):
        stop = first + block.shape[1]
        hush = plan.duck_source.gain(first, stop)
        gain = lower_gain(hush, plan.duck_under_dub.gain(first, stop))
        if gain is not None:
            block = (block * gain).astype(np.float32)
        if hush is not None and plan.tone is not None:
            # Two noises that know nothing of each other add by power.
            block = block + scaled_tone(plan.tone, first, np.sqrt(1 - hush**2))
        yield block
        first = stop


def _amplified(blocks: Iterable[Block], gain: float) -> Iterator[Block]:
    """``blocks`` by ``gain`` dB; by 0 dB, the same samples."""
    factor = np.float32(10 ** (gain / 20))
    for block in blocks:
        yield block * factor if gain else block
