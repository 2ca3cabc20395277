"""What is kept under speech: the separator ``bed`` against room tone, on mixes whose parts are known.

    python -m evals.beds SPEECH... [--json beds.json]

SPEECH are files with clean speech (no music, hardly any noise). Thirteen mixes are made: music and street sound that is
computed (``evals.bed_sounds``), 0 to 15 dB below the speech, with a second and a half of it alone at both ends. Judged
within the speech only:

    bed      SI-SDR (dB) of the bed that the separator leaves, against the true one
    tone     the same for room tone, which the mix uses without a separator
    none     the same for the sound as it is, with its speech
    left     speech that is left in the bed, in dB of the speech in the mix: its share in the bed by least squares, in
             pieces of .37 kHz and .17 s
    mixed    the same in the mix, where the bed is lowered by 6 dB under speech
    below    level of what was left, in dB of what was taken away: what the rule looks at
    kept     whether the rule keeps the bed

Behind them the same for the speech alone: there the rule should choose room tone.
"""

import argparse
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.signal import stft

from evals.bed_sounds import BEDS, RATE
from lipdub import weights
from lipdub.acoustics.level import gain_to_level, row_levels
from lipdub.acoustics.speech_spans import activity_spans
from lipdub.acoustics.voice_activity import VoiceActivity
from lipdub.compose.mix.room_tone import RoomToneEstimator
from lipdub.compose.mix.stems import MixFormat
from lipdub.media.sound_read import read_sound
from lipdub.studio.assemble.bed_level import BedLevel
from lipdub.timeline.sound import ANALYSIS_RATE, Sound
from lipdub.timeline.time import Span
from lipdub.words_to_sound.seam import Separator, separator_named

MIXES = (
    ("chords", 0), ("drums", 0), ("street", 0), ("engine", 0), ("band", 5), ("engine", 5), ("arpeggio", 5),
    ("street", 10), ("band", 10), ("chords", 10), ("arpeggio", 15), ("engine", 15), ("drums", 15),
)  # fmt: skip
"""Bed, and by how many dB the speech is louder."""

_ALONE = 3 * RATE // 2  # samples of the bed alone, before and after the speech
_MOST = 8 * RATE  # samples of speech in a mix
_LEVEL = 0.05  # RMS of speech
_LOWERED = -6.0  # dB, by the mix
_WINDOW = 2048


class Mix(NamedTuple):
    """A mix of ``speech`` and ``bed`` (samples,) at ``RATE``."""

    name: str
    speech: np.ndarray
    bed: np.ndarray


def mixes(files: list[Path]) -> Iterator[Mix]:
    """Those of ``MIXES``, and then the speech of every file alone."""
    voices = [(file.stem, _levelled(read_sound(file, mono=True))) for file in files]
    for number, (name, below) in enumerate(MIXES):
        voice, speech = voices[number * 5 % len(voices)]
        around = np.pad(speech, _ALONE)
        bed = BEDS[name](len(around), np.random.default_rng(number))
        bed = bed / np.sqrt((bed**2).mean()) * _LEVEL * 10 ** (-below / 20)
        yield Mix(f"{name} {below} dB, {voice[:4]}", around, bed.astype(np.float32))
    for voice, speech in voices:
        around = np.pad(speech, _ALONE)
        yield Mix(f"nothing, {voice[:4]}", around, np.zeros_like(around))


def _levelled(sound: Sound) -> np.ndarray:
    """At most eight seconds of speech at ``RATE``, whose active parts have the level ``_LEVEL``."""
    import soxr

    samples = soxr.resample(sound.samples[0], sound.rate, RATE)[:_MOST]
    power = (samples[: len(samples) // 960 * 960].reshape(-1, 960).astype(float) ** 2).mean(1)
    active = power[power > 0.01 * np.percentile(power, 95)]
    return (samples / np.sqrt(active.mean()) * _LEVEL).astype(np.float32)


def judge(mix: Mix, separator: Separator, activity: VoiceActivity) -> dict[str, float | str | bool]:
    """One row."""
    sound = mix.speech + mix.bed
    spans = _speech_spans(sound, activity)
    level = BedLevel(RATE, spans)
    left = level.watched([sound[None]], lambda blocks: separator.without_speech(blocks, RATE, spans))
    bed = np.concatenate(list(left), 1)[0]
    where = MixFormat(RATE, ("FC",), Fraction(0), len(sound))
    estimator = RoomToneEstimator(spans, where)
    estimator.add(sound[None])
    tone = estimator.estimate().samples(0, len(sound))[0]
    inside = slice(_ALONE, len(sound) - _ALONE)
    row: dict[str, float | str | bool] = {"mix": mix.name}
    if mix.bed.any():
        row["bed"], row["tone"], row["none"] = (si_sdr(s[inside], mix.bed[inside]) for s in (bed, tone, sound))
    row["left"] = speech_left(bed[inside], mix.speech[inside], mix.bed[inside])
    row["mixed"] = float(row["left"]) + _LOWERED
    row["below"], row["kept"] = level.below_speech, level.worth_keeping
    return row


def _speech_spans(sound: np.ndarray, activity: VoiceActivity) -> tuple[Span, ...]:
    import soxr

    samples = soxr.resample(sound, RATE, ANALYSIS_RATE)
    probabilities = activity.probabilities(samples, gain_to_level(row_levels(samples)))
    return activity_spans(probabilities, Fraction(0))


def si_sdr(made: np.ndarray, true: np.ndarray) -> float:
    """Scale-invariant ratio of signal to distortion in dB (J. Le Roux et al., ICASSP 2019)."""
    made, true = made.astype(float), true.astype(float)
    scale = made @ true / (true @ true)
    return 10 * float(np.log10(scale**2 * (true @ true) / ((made - scale * true) ** 2).sum()))


def speech_left(made: np.ndarray, speech: np.ndarray, bed: np.ndarray) -> float:
    """Energy of ``speech`` that is in ``made``, in dB of its energy: in every piece of the spectrogram ``made`` is
    taken for a sum of ``speech`` and ``bed``, each times a complex number, by least squares."""
    spectra = [stft(x, RATE, nperseg=_WINDOW, noverlap=_WINDOW * 3 // 4)[2] for x in (speech, bed, made)]
    found = whole = 0.0
    for line in range(0, spectra[0].shape[0], 16):
        for frame in range(0, spectra[0].shape[1], 16):
            a, b, y = (s[line : line + 16, frame : frame + 16].ravel() for s in spectra)
            products = np.array([[np.vdot(a, a), np.vdot(a, b)], [np.vdot(b, a), np.vdot(b, b)]]) + 1e-12 * np.eye(2)
            share = np.linalg.solve(products, [np.vdot(a, y), np.vdot(b, y)])[0]
            energy = np.vdot(a, a).real
            found, whole = found + abs(share) ** 2 * energy, whole + energy
    return 10 * float(np.log10(found / whole + 1e-12))


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("speech", type=Path, nargs="+")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    separator, activity = separator_named("bed"), VoiceActivity(weights.resolve("voice-activity"))
    rows = []
    for mix in mixes(given.speech):
        rows.append(judge(mix, separator, activity))
        print(
            "  ".join(f"{k} {v:.1f}" if isinstance(v, float) else f"{k} {v}" for k, v in rows[-1].items()), flush=True
        )
    with_bed = [row for row in rows if "bed" in row]
    for name in ("bed", "tone", "none", "left", "mixed"):
        values = [float(row[name]) for row in with_bed]
        print(f"{name}: mean {np.mean(values):.1f}, least {min(values):.1f}, most {max(values):.1f}")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
