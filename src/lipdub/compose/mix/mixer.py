"""The mix: the dub, as loud as the speech that it replaces, over a background, at the requested loudness.

The background is the music-and-effects stem if there is one. Else it is the source: its speech is ducked and replaced
by room tone, and it is lowered a little under the dub; elsewhere it stays the same, sample for sample. Everything is
computed in passes over blocks, so three hours of 5.1 need no more memory than three seconds.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import dropwhile, islice
from math import ceil

import numpy as np

from lipdub.compose.mix.duck import DuckEnvelope, DuckGain, lower_gain
from lipdub.compose.mix.limiter import LIMITER_MARGIN, LimiterStats, TruePeakMeter, limit_peaks, limiter_memory
from lipdub.compose.mix.loudness import LoudnessLevels, LoudnessMeter
from lipdub.compose.mix.room_tone import RoomTone, RoomToneEstimator, scaled_tone
from lipdub.compose.mix.stems import BLOCK_SAMPLES, Block, MixFormat, Stem, stem_blocks
from lipdub.errors import OptionError
from lipdub.timeline.time import Span

LOUDNESS_PRESETS = {"broadcast": -23.0, "web": -16.0, "loud": -14.0}
"""LUFS: EBU R 128; the upper end of AES TD1004 for streams (-20 to -16); where large video sites begin to lower the
level."""

MIN_SECONDS = 3
"""Seconds that a mix must last to be brought to a loudness: the short-term window of EBU Tech 3341."""

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


StemBlocks = Iterable[tuple[int, Block, Block | None]]
"""(Number of its first sample, the dub, the background or None) of blocks."""


@dataclass(frozen=True)
class MixOptions:
    """How to mix.

    ``loudness``: ``source`` (only the dub's level is changed, to that of the speech it replaces), ``none`` (no level is
    changed), a preset (``broadcast`` -23 LUFS, ``web`` -16, ``loud`` -14) or a number of LUFS. ``ceiling_db`` is the
    highest true peak (dBTP) of a mix that is brought to a loudness; other mixes may peak as high as their inputs.
    ``dialogue_db`` makes the dub louder than the speech it replaces. ``duck_source`` is how the source's speech is
    ducked, ``duck_under_dub`` how the source is lowered under the dub; ``room_tone`` fills where the source's speech
    was.
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
        """The loudness to be reached (LUFS), or None. Raises ``OptionError`` for a word or number that is no
        loudness."""
        if self.loudness in ("source", "none"):
            return None
        try:
            target = LOUDNESS_PRESETS[self.loudness] if self.loudness in LOUDNESS_PRESETS else float(self.loudness)
        except ValueError:
            target = 0.0
        if not -60 <= target <= -5:
            names = ", ".join(("source", "none", *LOUDNESS_PRESETS))
            raise OptionError(f"'{self.loudness}' is not a loudness", remedy=f"Use one of {names}, or LUFS like -18.")
        return target


@dataclass(frozen=True, eq=False)
class MixInputs:
    """What is mixed, all in ``mix_format``. Spans are in clip time.

    ``dub`` and when it speaks; ``source``, the clip's own sound (None: it has none), and ``source_speech``, the speech
    that the dub replaces; ``music_effects``: the music-and-effects stem, given or separated, used instead of the
    source. ``bed``: that stem is the source, only without its speech, of which a little may be left: it is lowered
    under the dub, as the source would be, and where the source spoke.
    """

    mix_format: MixFormat
    dub: Stem
    dub_speech: tuple[Span, ...]
    source: Stem | None = None
    source_speech: tuple[Span, ...] = ()
    music_effects: Stem | None = None
    bed: bool = False

    @property
    def background(self) -> Stem | None:
        """The sound under the dub."""
        return self.source if self.music_effects is None else self.music_effects

    @property
    def ducks_source_speech(self) -> bool:
        """True if the background is the source and has speech that must be removed."""
        return self.music_effects is None and self.source is not None and bool(self.source_speech)


@dataclass(frozen=True)
class MixReport:
    """What was measured and done. Loudness in LUFS, gains in dB; None: cannot be measured.

    ``result`` are the levels of the mix, ``source_dialogue`` and ``dub_dialogue`` those of the speech before mixing.
    ``dub_gain`` is the gain of the dub, ``gain`` that of the whole mix. ``limited_by`` is the largest reduction by the
    limiter, which acts on ``limited_share`` (0..1) of all samples. ``source_ducked`` and ``ducked_under_dub`` are
    seconds of the source; ``tone_db`` is the level of the room tone (dB of full scale, RMS of a channel).
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
    """All decisions about a mix. ``ceiling_db`` is None if no limiter is needed; ``highest_db`` is the true peak (dBTP)
    that the mix may have."""

    report: MixReport
    duck_source: DuckGain
    duck_under_dub: DuckGain
    tone: RoomTone | None
    ceiling_db: float | None = None
    highest_db: float = 0.0


@dataclass(frozen=True, eq=False)
class MixLevels:
    """The levels of a mix, by which a changed mix sounds the same where nothing changed: see ``plan_mix_again``."""

    report: MixReport
    tone: RoomTone | None
    highest_db: float

    @classmethod
    def of(cls, plan: MixPlan) -> "MixLevels":
        """Those of a mix."""
        return cls(plan.report, plan.tone, plan.highest_db)


def plan_mix(inputs: MixInputs, options: MixOptions) -> MixPlan:
    """Measure all ``inputs``, choose levels and room tone, and compute the mix until its loudness is right.

    Reads every stem two to six times. Raises ``OptionError`` for an invalid loudness.
    """
    target = options.target_lufs
    measured = _StemMeasurements(inputs, options.seed)
    gain, notes = _dub_gain(measured, options)
    notes += _background_notes(inputs, measured)
    report = MixReport(LoudnessLevels(None, None, None), measured.source_dialogue, measured.dub_dialogue, gain)
    tone = (
        measured.tone
        if options.room_tone and measured.tone is not None and measured.tone.level_db is not None
        else None
    )
    plan = _with_ducking(inputs, options, replace(report, notes=tuple(notes)), tone)
    ceiling = (
        options.ceiling_db
        if target is not None
        else max(options.ceiling_db, measured.highest(options) + LIMITER_MARGIN)
    )
    return _with_target_loudness(inputs, replace(plan, highest_db=ceiling), target, ceiling)


def plan_mix_again(inputs: MixInputs, options: MixOptions, levels: MixLevels) -> MixPlan:
    """The mix of changed ``inputs`` at the levels of an earlier mix: where the inputs are the same, so is every sample.

    Nothing is measured, but for the room tone where the earlier mix had none. Peaks are limited to what was allowed
    before.
    """
    tone = levels.tone
    if tone is None and options.room_tone and inputs.ducks_source_speech:
        tone = _measured_tone(inputs, options.seed)
    plan = _with_ducking(inputs, options, levels.report, tone)
    return replace(plan, ceiling_db=levels.highest_db, highest_db=levels.highest_db)


def _measured_tone(inputs: MixInputs, seed: int) -> RoomTone | None:
    """The room tone of the source; None if it is silent."""
    assert inputs.source is not None
    estimator = RoomToneEstimator(inputs.source_speech, inputs.mix_format)
    for block in stem_blocks(inputs.source, inputs.mix_format):
        estimator.add(block)
    tone = estimator.estimate(seed)
    return None if tone.level_db is None else tone


def _with_ducking(inputs: MixInputs, options: MixOptions, report: MixReport, tone: RoomTone | None) -> MixPlan:
    """A plan with the gains of the source under speech."""
    source_speech = inputs.source_speech if inputs.ducks_source_speech else ()
    dub_speech = inputs.dub_speech if inputs.music_effects is None else ()
    if inputs.bed:
        dub_speech = (*inputs.dub_speech, *inputs.source_speech)
    duck_source = DuckGain(source_speech, options.duck_source, inputs.mix_format)
    duck_dub = DuckGain(dub_speech, options.duck_under_dub, inputs.mix_format)
    report = replace(
        report,
        source_ducked=duck_source.seconds,
        ducked_under_dub=duck_dub.seconds if inputs.background is not None else Fraction(0),
        tone_db=tone.level_db if tone else None,
    )
    return MixPlan(report, duck_source, duck_dub, tone)


def render_mix(inputs: MixInputs, plan: MixPlan) -> Iterator[Block]:
    """The mix of ``inputs`` in its format, exactly as long; the same bytes every time."""
    return _final_blocks(inputs, plan, LimiterStats())


def blocks_behind(mix_format: MixFormat, first: int, stop: int) -> range:
    """The numbers of the blocks of the stems on which the samples [first, stop) of a mix depend."""
    before, whole = ceil(limiter_memory(mix_format.rate) / BLOCK_SAMPLES), -(-mix_format.samples // BLOCK_SAMPLES)
    return range(max(0, first // BLOCK_SAMPLES - before), min(whole, -(-stop // BLOCK_SAMPLES) + 1))


def render_ranges(inputs: MixInputs, plan: MixPlan, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, Block]]:
    """Parts of the mix that hold the samples of ``ranges`` (sorted by their starts, half-open), each with the number of
    its first sample; some samples around them, too. They equal those of ``render_mix``, bit for bit.

    The stems are read up to the last range only, and nothing is computed between ranges.
    """
    stems, where = _stems(inputs), inputs.mix_format
    for first, stop in _joined_ranges(ranges, lambda r: blocks_behind(where, *r)):
        behind = blocks_behind(where, first, stop)
        at = behind.start * BLOCK_SAMPLES
        pairs = islice(dropwhile(lambda pair, at=at: pair[0] < at, stems), len(behind))
        for block in _final_blocks(inputs, plan, LimiterStats(), pairs):
            if at < stop and at + block.shape[1] > first:
                yield at, block
            at += block.shape[1]


def _joined_ranges(
    ranges: Iterable[tuple[int, int]], behind: Callable[[tuple[int, int]], range]
) -> Iterator[tuple[int, int]]:
    """``ranges`` of samples, joined where the blocks ``behind`` them touch."""
    joined: tuple[int, int] | None = None
    for each in ranges:
        if joined is not None and behind(each).start > behind(joined).stop:
            yield joined
            joined = None
        joined = each if joined is None else (joined[0], max(joined[1], each[1]))
    if joined is not None:
        yield joined


def _stems(inputs: MixInputs) -> Iterator[tuple[int, Block, Block | None]]:
    """(Number of its first sample, the dub, the background or None) of every block."""
    below = None if inputs.background is None else stem_blocks(inputs.background, inputs.mix_format)
    first = 0
    for dub in stem_blocks(inputs.dub, inputs.mix_format):
        yield first, dub, None if below is None else next(below)
        first += dub.shape[1]


class _StemMeasurements:
    """What is measured in the stems before they are mixed."""

    def __init__(self, inputs: MixInputs, seed: int) -> None:
        mix_format = inputs.mix_format
        # A mono voice in the centre is as loud as by itself, and quicker to measure.
        dub_format = replace(mix_format, channels=("FC",)) if len(inputs.dub.channels) == 1 else mix_format
        dub, self._dub_peak = _measure(stem_blocks(inputs.dub, dub_format), dub_format)
        self.dub_dialogue = dub.integrated_within(inputs.dub_speech, mix_format.start)
        self.source_dialogue: float | None = None
        self.tone: RoomTone | None = None
        self._background_peak: float | None = None
        if inputs.source is not None:
            estimator = RoomToneEstimator(inputs.source_speech, mix_format) if inputs.ducks_source_speech else None
            source, self._background_peak = _measure(stem_blocks(inputs.source, mix_format), mix_format, estimator)
            self.source_dialogue = source.integrated_within(inputs.source_speech, mix_format.start)
            self.tone = estimator.estimate(seed) if estimator else None
        if inputs.music_effects is not None:
            self._background_peak = _measure(stem_blocks(inputs.music_effects, mix_format), mix_format)[1]

    def highest(self, options: MixOptions) -> float:
        """The highest true peak (dBTP) of the inputs whose level is not changed."""
        peaks = [
            self._background_peak,
            self._dub_peak if options.loudness == "none" or self._background_peak is None else None,
        ]
        return max((peak for peak in peaks if peak is not None), default=-np.inf)


def _measure(
    blocks: Iterable[Block], mix_format: MixFormat, estimator: RoomToneEstimator | None = None
) -> tuple[LoudnessMeter, float | None]:
    """A loudness meter and the true peak of ``blocks``; ``estimator`` gets the blocks too."""
    meter, peak = LoudnessMeter(mix_format.rate, mix_format.channels), TruePeakMeter(len(mix_format.channels))
    for block in blocks:
        meter.add(block)
        peak.add(block)
        if estimator is not None:
            estimator.add(block)
    return meter, peak.true_peak()


def _dub_gain(measured: _StemMeasurements, options: MixOptions) -> tuple[float, list[str]]:
    """The gain (dB) that makes the dub as loud as the speech it replaces."""
    if options.loudness == "none":
        return 0.0, []
    if measured.source_dialogue is None or measured.dub_dialogue is None:
        return options.dialogue_db, ["the dub kept its level: there was no speech of the source to compare it with"]
    wanted = measured.source_dialogue - measured.dub_dialogue + options.dialogue_db
    gain = float(np.clip(wanted, -_MAX_DUB_GAIN, _MAX_DUB_GAIN))
    note = f"the dub was changed by {gain:+.0f} dB; the speech it replaces is still {wanted - gain:+.0f} dB away"
    return gain, [note] if gain != wanted else []


def _background_notes(inputs: MixInputs, measured: _StemMeasurements) -> list[str]:
    """Notes for the user about the background."""
    if inputs.background is None:
        return ["the source has no sound: the mix is the dub alone"]
    if inputs.music_effects is None and not inputs.source_speech:
        return ["no speech was found in the source: it was only lowered under the dub"]
    if measured.tone is not None and not measured.tone.pauses:
        note = "the source never pauses: its room tone was taken from its quietest moments"
        return [f"{note}; music under its speech is lost, unless you give it (--music-effects, --separator)"]
    return []


def _with_target_loudness(inputs: MixInputs, plan: MixPlan, target: float | None, ceiling: float) -> MixPlan:
    """``plan`` with the gain that reaches ``target`` (LUFS), and with a limiter if peaks would exceed ``ceiling``."""
    mix_format = inputs.mix_format
    meter, peak = _measure(_dub_over_background(plan, _stems(inputs)), mix_format)
    raw = LoudnessLevels(meter.integrated(), meter.loudness_range(), peak)
    gain, notes = _gain(raw, target, Fraction(mix_format.samples, mix_format.rate))
    plan = _with_gain(plan, gain, notes)
    if raw.true_peak is None or raw.true_peak + gain <= ceiling - LIMITER_MARGIN:
        level = None if raw.integrated is None else raw.integrated + gain
        loud = None if raw.true_peak is None else raw.true_peak + gain
        return replace(plan, report=replace(plan.report, result=LoudnessLevels(level, raw.loudness_range, loud)))
    last = plan = replace(plan, ceiling_db=ceiling)
    for _ in range(_TRIES):
        stats = LimiterStats()
        meter, peak = _measure(_final_blocks(inputs, plan, stats), mix_format)
        result = LoudnessLevels(meter.integrated(), meter.loudness_range(), peak)
        share = stats.samples / max(mix_format.samples, 1)
        report = replace(plan.report, result=result, limited_by=stats.max_reduction_db, limited_share=share)
        plan = replace(plan, report=report)
        if target is None or notes or result.integrated is None or abs(target - result.integrated) <= _CLOSE:
            return plan
        last, plan = plan, _with_gain(plan, plan.report.gain + target - result.integrated, [])
    reached = last.report.result.integrated
    if target is None or reached is None or abs(target - reached) <= _NEAR:
        return last
    return _with_gain(last, last.report.gain, [f"peaks allow no more than {reached:.1f} LUFS"])


def _gain(raw: LoudnessLevels, target: float | None, seconds: Fraction) -> tuple[float, list[str]]:
    if target is None:
        return 0.0, []
    if seconds < MIN_SECONDS or raw.integrated is None:
        why = "shorter than 3 s" if seconds < MIN_SECONDS else "silent"
        return 0.0, [f"the mix is {why}: its loudness was left as it is"]
    gain = target - raw.integrated
    if gain > _MAX_RAISE:
        return _MAX_RAISE, [f"the mix was raised by {_MAX_RAISE:.0f} dB only, not by {gain:.0f}: it is nearly silent"]
    return gain, []


def _with_gain(plan: MixPlan, gain: float, notes: list[str]) -> MixPlan:
    return replace(plan, report=replace(plan.report, gain=gain, notes=(*plan.report.notes, *notes)))


def _final_blocks(
    inputs: MixInputs,
    plan: MixPlan,
    stats: LimiterStats,
    stems: Iterable[tuple[int, Block, Block | None]] | None = None,
) -> Iterator[Block]:
    """The sum at its loudness, with limited peaks; ``stats`` gets what the limiter did. ``stems``: some blocks, as
    ``_stems`` gives them (None: all)."""
    blocks = _amplified(_dub_over_background(plan, _stems(inputs) if stems is None else stems), plan.report.gain)
    if plan.ceiling_db is None:
        return blocks
    return limit_peaks(blocks, inputs.mix_format.rate, plan.ceiling_db, stats)


def _dub_over_background(plan: MixPlan, stems: StemBlocks) -> Iterator[Block]:
    """The dub at its level, over the background."""
    for first, dub, below in stems:
        dub = _amplified_block(dub, plan.report.dub_gain)
        yield dub if below is None else dub + _background_block(below, first, plan)


def render_stems(inputs: MixInputs, plan: MixPlan) -> Iterator[tuple[Block, Block, Block]]:
    """The mix in parts: (the dub, the background, the mix) in blocks. The mix equals that of ``render_mix``, bit for
    bit, and the dub and the background have its gain, its limiter's too: they are the mix when they are added, up to
    rounding. Without a background that is silent."""
    channels = len(inputs.mix_format.channels)
    blocks = _amplified(_mix_and_parts(inputs, plan), plan.report.gain)
    if plan.ceiling_db is not None:
        blocks = limit_peaks(blocks, inputs.mix_format.rate, plan.ceiling_db, LimiterStats(), channels)
    for block in blocks:
        yield block[channels : 2 * channels], block[2 * channels :], block[:channels]


def _mix_and_parts(inputs: MixInputs, plan: MixPlan) -> Iterator[Block]:
    """The channels of the mix, of the dub and of the background, before the gain of the mix."""
    for first, dub, below in _stems(inputs):
        dub = _amplified_block(dub, plan.report.dub_gain)
        under = np.zeros_like(dub) if below is None else _background_block(below, first, plan)
        yield np.concatenate([dub if below is None else dub + under, dub, under])


def render_background(inputs: MixInputs, plan: MixPlan) -> Iterator[Block]:
    """The background: music and effects as they are, or the source with its speech ducked and lowered under the dub."""
    assert inputs.background is not None
    first = 0
    for block in stem_blocks(inputs.background, inputs.mix_format):
        yield _background_block(block, first, plan)
        first += block.shape[1]


def _background_block(block: Block, first: int, plan: MixPlan) -> Block:
    """The background in a block whose first sample has the number ``first``."""
    stop = first + block.shape[1]
    duck = plan.duck_source.gain(first, stop)
    gain = lower_gain(duck, plan.duck_under_dub.gain(first, stop))
    if gain is not None:
        block = (block * gain).astype(np.float32)
    if duck is not None and plan.tone is not None:
        # Uncorrelated noises add by power.
        block = block + scaled_tone(plan.tone, first, np.sqrt(1 - duck**2))
    return block


def _amplified(blocks: Iterable[Block], gain: float) -> Iterator[Block]:
    """``blocks`` with a gain in dB; with 0 dB the same samples."""
    for block in blocks:
        yield _amplified_block(block, gain)


def _amplified_block(block: Block, gain: float) -> Block:
    return block * np.float32(10 ** (gain / 20)) if gain else block
