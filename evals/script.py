"""The script test: every line of a translated script is spoken, fitted and mixed; does it sound like a dub?

    python -m evals.script FOLDER --scripts FOLDER [--only d03] [--json script.json]

For the clip ``d03_webcam.mp4`` the scripts ``d03.es.srt``, ``d03.fr.srt``, ... are taken. The sound path of the product
makes the track; it is then judged from the finished file, by the means of ``evals.ears``.

Words   wer       of the speech, heard again            plain     of the same voices, neither paced nor stretched
        rate      least, median, largest stretching     paced     lines said at another pace, of those requested
        lost s    seconds cut off                       jump dB   largest step of level between neighbouring lines
        cents     largest shift of pitch of a line      min/min   minutes of work for a minute of film
        Hz        median pitch of the clip's voice and of the dub's
Time    said so   median |onset error|, ms, as the report has it (against the aims)
        level ms  median and 90 % of |onset error| of every phrase after a pause, by level    found     of how many
        vad ms    the same by the voice activity model, in the mix                            late ms   median, signed
        hole s    the source speaks and the dub does not           over s    the other way round
        drift ms  last minute's median of "late" less the first's, by level (long clips)
Sound   left dB   the clip's own speech, beneath the dub           room dB   made tone over the own, both against speech
        LUFS      of broadcast, web, loud, by FFmpeg               dBTP      the highest of the three
        click     sharpest bend at a line's edge (ears.click)      length    samples too many or too few
"""

import resource
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from evals import ears
from evals.bench import Row, arguments, clips_in, show, tabulated
from evals.ears import Samples
from lipdub import weights
from lipdub.acoustics.level import gain_to_level, row_levels
from lipdub.acoustics.voice_activity import VoiceActivity
from lipdub.faces.active_speaker import FaceSelector
from lipdub.media.probe import open_clip
from lipdub.media.sound_blocks import sound_format
from lipdub.media.sound_damage import SoundDamage
from lipdub.media.sound_read import read_sound
from lipdub.studio.assemble.soundtrack import Soundtrack, make_soundtrack
from lipdub.studio.deliver.asr_check import check_words
from lipdub.studio.dub_plan import DubPlan, DubSpeech
from lipdub.studio.job import Job, OutputNames
from lipdub.studio.language_names import language_in_name
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.studio.plan.dub_speech import VoicedLines, brought_speech, write_speech, written_speech
from lipdub.studio.plan.fitted_speech import RATE, FittedSpeech
from lipdub.studio.plan.lines import lines_to_say
from lipdub.studio.plan.speaker_pitch import speaker_pitch
from lipdub.studio.preflight.request_checks import check_speech
from lipdub.studio.session import Session, open_session
from lipdub.studio.track_features import TrackFeatures, clip_features, dub_features
from lipdub.timeline.clip import Clip
from lipdub.timeline.said_line import SaidLine
from lipdub.timeline.sound import ANALYSIS_RATE
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.spoken_lines import PlacedLine, SpokenLine
from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.phrases import measure_line
from lipdub.words_to_sound.duration_fit.plan import plan_fit
from lipdub.words_to_sound.duration_fit.respeak import respeak_requests
from lipdub.words_to_sound.duration_fit.source_timing import source_phrases, source_timings, source_windows
from lipdub.words_to_sound.script.read import ScriptLines
from lipdub.words_to_sound.voices.choose import voices_for
from lipdub.words_to_sound.voices.speak import speak_line

AIMS = {"broadcast": -23.0, "web": -16.0, "loud": -14.0}
"""LUFS that the words mean, written down again: EBU R 128, and what platforms ask for."""

BREATH = 0.25
"""Seconds of silence after which an onset counts."""

MINUTE = 60.0

SOME = 40
"""Lines of a long script that are looked at one by one."""

_NOBODY = -75.0  # dB of full scale: the speech track is silent


@dataclass(frozen=True, eq=False)
class Track:
    """What is judged: the ``speech`` that was made for ``clip``, its ``mix``, and lines as their voices spoke them."""

    clip: Clip
    speech: DubSpeech
    mix: Soundtrack
    fitted: FittedSpeech
    natural: tuple[SpokenLine, ...]
    features: SpeechFeatures
    session: Session

    @property
    def lines(self) -> tuple[SaidLine, ...]:
        """What was said."""
        return self.speech.said


@dataclass(frozen=True, eq=False)
class Three:
    """Three sounds of one length at ``rate``, mono: the finished ``mix``, the speech in it, the clip's own sound."""

    mix: Samples
    dub: Samples
    source: Samples
    rate: int

    @classmethod
    def of(cls, track: Track) -> "Three":
        """Read from files."""
        rate = sound_format(track.clip.path).rate
        mix, dub = _samples(_file(track.mix), rate), _samples(track.speech.track, rate)
        source = _samples(track.clip.path, rate, min(track.clip.start, track.clip.span.end))
        same = [np.pad(x, (0, max(0, len(mix) - len(x))))[: len(mix)] for x in (dub, source)]
        return cls(mix, same[0], same[1], rate)


def _file(mix: Soundtrack) -> Path:
    """The file of a mix that is not made in pieces."""
    assert isinstance(mix.track, Path)
    return mix.track


def _samples(path: Path, rate: int, start: Fraction = Fraction(0)) -> Samples:
    features = read_sound(path, rate=rate, mono=True)
    at, samples = round((features.start - start) * rate), features.samples[0].astype(np.float64)
    return np.pad(samples, (at, 0)) if at >= 0 else samples[-at:]


def judged(path: Path, script: Path, scratch: Path) -> Row:
    """One row: ``script`` in the mouth of ``path``. ``scratch`` is not needed: the session has its own."""
    clip = open_clip(path)
    with open_session() as session:
        track = _made(clip, script, session)
        work = sum(session.clock.seconds.get(stage, 0.0) for stage in ("speak", "duration fit", "mix"))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        three = Three.of(track)
        row = {"language": track.speech.language, **_words(track, three), **_time(track, three), **_sound(track, three)}
    return {**row, "min/min": work / float(clip.span.duration), "MiB": memory}


def _made(clip: Clip, script: Path, session: Session) -> Track:
    """The product's own path from a script to a mix."""
    speech = SpeechOptions(script=script, to=language_in_name(script))
    job = _job(clip, speech, check_speech(clip, None, speech, session.tools))
    sound = clip_features(clip, session)
    windows = source_phrases(sound.features)
    lines = lines_to_say(clip, speech, job.script, sound.features, session)
    voices = voices_for(lines.lines, speech.voice, speaker_pitch(clip, lines.lines, windows, session))
    fitted = FittedSpeech(lines, voices, session)
    natural = tuple(speak_line(line, voices[line.speaker], 1.0, session.store.folder) for line in fitted.lines)
    voiced = VoicedLines(fitted.placed(windows, clip.span), fitted.models, fitted.notes)
    made = written_speech(job, lines, voiced, session)
    return Track(clip, made, _mixed(job, made, sound, session), fitted, natural, sound.features, session)


def _job(clip: Clip, speech: SpeechOptions, script: ScriptLines | None) -> Job:
    names, selectors = OutputNames(Path("out.mkv"), Path("out.report.json")), (FaceSelector("auto"),)
    return Job(clip, "", None, speech, DubOptions(), names, selectors, script, {})


def _mixed(job: Job, speech: DubSpeech, source: TrackFeatures, session: Session) -> Soundtrack:
    """The mix of ``speech`` over the clip's sound."""
    dub = dub_features(speech.track, job.clip, session)
    plan = DubPlan(speech, dub, (), (), (), source_speech=source_windows(source.features))
    return make_soundtrack(job, plan, session)


def _words(track: Track, three: Three) -> Row:
    rates = [line.rate for line in track.lines]
    lines = [measure_line(line) for line in track.natural]
    timings = source_timings([line.line for line in lines], source_phrases(track.features))
    requests = respeak_requests(plan_fit(lines, timings, track.clip.span.end), lines)
    granted = sum(track.fitted.paces[request.index] != 1 for request in requests)
    levels, cents = _lines_heard(track)
    return {
        "wer": _word_errors(track.speech, track),
        "plain": _plain_wer(track),
        "rate": f"{min(rates):.2f} {float(np.median(rates)):.2f} {max(rates):.2f}",
        "paced": f"{granted}/{len(requests)}",
        "lost s": float(sum(line.missing for line in track.lines)),
        "jump dB": max((abs(a - b) for a, b in pairwise(levels)), default=0.0),
        "cents": max((c for c in cents if c == c), default=float("nan")),
        "Hz": f"{_pitch_within(three.source, three.rate):.0f} {_pitch_within(three.dub, three.rate):.0f}",
    }


def _lines_heard(track: Track) -> tuple[list[float], list[float]]:
    """Of every line, its level and how far its pitch is from that of the voice's own, in cents."""
    guide = _samples(track.speech.track, RATE)
    levels, cents = [], []
    for line, own in list(zip(track.lines, _in_time(track), strict=True))[:SOME]:
        begin = round((line.span.start - min(track.clip.start, track.clip.span.end)) * RATE)
        cut = guide[max(0, begin) : begin + round(line.span.duration * RATE)]
        levels.append(ears.speech_level(cut, RATE))
        was, now = ears.pitch(own.sound.samples[0].astype(np.float64), own.sound.rate), ears.pitch(cut, RATE)
        cents.append(abs(1200 * float(np.log2(now / was))))
    return levels, cents


def _pitch_within(samples: Samples, rate: int, seconds: int = 30) -> float:
    return ears.pitch(samples[: seconds * rate], rate)


def _in_time(track: Track) -> list[SpokenLine]:
    """The natural lines in the order in which lines were placed."""
    left, out = list(track.natural), []
    for line in track.lines:
        own = next(n for n in left if n.line.text == line.text and n.line.speaker == line.speaker)
        left.remove(own)
        out.append(own)
    return out


def _plain_wer(track: Track) -> float:
    """Word error rate of the voices as they speak, one line after the other."""
    at, placed = track.clip.start, []
    for own in track.natural[:SOME]:
        placed.append(PlacedLine(own.line, replace(own.sound, start=at), 1.0, Span(at, at)))
        at = placed[-1].span.end + Fraction(3, 10)
    path, own = track.session.scratch / "plain.flac", tuple(each.line for each in track.natural[:SOME])
    write_speech(path, lambda: iter(placed), Span(track.clip.start, at))
    return _word_errors(DubSpeech(path, path, lines=own), track)


def _word_errors(speech: DubSpeech, track: Track) -> float:
    """Word error rate of ``speech``, by whisper-base."""
    features = dub_features(speech.track, track.clip, track.session).features
    return check_words(speech, features, "whisper", track.session).metrics.get("word_error_rate", float("nan"))


def _time(track: Track, three: Three) -> Row:
    ours, theirs = (ears.spoken(ears.level(x, three.rate)) for x in (three.mix, three.source))
    true = ears.onsets(theirs, BREATH)
    late = ears.late(true, ears.onsets(ours, 0.1))
    by_voice = ears.late(_onsets(source_windows(track.features)), _onsets(_windows_of_mix(track)))
    length = float(track.clip.span.duration)
    first, last = late[true < MINUTE], late[true > length - MINUTE]
    drift = {"drift ms": 1000 * float(np.nanmedian(last) - np.nanmedian(first))} if length > 3 * MINUTE else {}
    return {
        "said so": 1000 * track.speech.metrics.get("median_onset_error", float("nan")),
        "level ms": _middle(late),
        "found": f"{np.isfinite(late).sum()}/{len(late)}",
        "vad ms": _middle(by_voice),
        "late ms": 1000 * float(np.nanmedian(late)) if np.isfinite(late).any() else float("nan"),
        "speech s": ears.seconds_of(theirs),
        "hole s": ears.seconds_of(theirs & ~ours),
        "over s": ears.seconds_of(ours & ~theirs),
        **drift,
    }


def _middle(late: Samples) -> str:
    known = 1000 * np.abs(late[np.isfinite(late)])
    return "{:.0f} {:.0f}".format(*np.percentile(known, [50, 90])) if len(known) else ""


def _windows_of_mix(track: Track) -> tuple[Span, ...]:
    features = read_sound(_file(track.mix), rate=ANALYSIS_RATE, mono=True)
    samples = np.ascontiguousarray(features.samples[0])
    voiced = VoiceActivity(weights.resolve("voice-activity")).probabilities(samples, gain_to_level(row_levels(samples)))
    none = np.zeros((len(voiced), 20), np.float32)
    return source_windows(
        SpeechFeatures(min(track.clip.start, track.clip.span.end), none[:, :17], voiced, none[:, 17:])
    )


def _onsets(windows: tuple[Span, ...]) -> Samples:
    apart = [w.start for before, w in pairwise(windows) if w.start - before.end >= BREATH]
    return np.array([float(start) for start in (*(w.start for w in windows[:1]), *apart)])


def _sound(track: Track, three: Three) -> Row:
    begin = min(track.clip.start, track.clip.span.end)
    expected = int(track.clip.span.end * three.rate - begin * three.rate)
    edges = [t - begin for line in track.lines for t in (line.span.start, line.span.end)]
    features = [ears.loudness(_file(track.mix))]
    clicks = ears.click(three.mix, three.rate, edges)
    row = {**_beneath(track, three), "click": clicks, "length": len(three.mix) - expected}
    for name in ("web", "loud"):
        speech = SpeechOptions(mix=True, loudness=name)
        source = TrackFeatures(track.features, SoundDamage())
        again = _mixed(_job(track.clip, speech, None), brought_speech(track.speech.track, ""), source, track.session)
        features.append(ears.loudness(_file(again)))
    off = [abs(found.integrated - aim) for found, aim in zip(features, AIMS.values(), strict=True)]
    return {
        **row,
        "LUFS": " ".join(f"{found.integrated:.1f}" for found in features),
        "off LU": max(off),
        "dBTP": max(found.true_peak for found in features),
    }


def _beneath(track: Track, three: Three) -> Row:
    """What is left of the clip's speech beneath the dub, and how the room tone compares with the room."""
    begin = min(track.clip.start, track.clip.span.end)
    clock = np.arange(int(len(three.mix) / three.rate / ears.STEP)) * ears.STEP + float(begin)
    speaks = _inside(clock, source_windows(track.features))
    dubbed = ears.level(three.dub, three.rate)[: len(clock)] > _NOBODY
    rows = ears.samples_of(speaks, len(three.mix), three.rate)
    left = _beneath_dub(three, rows) if rows.any() else float("nan")
    # Where the source speaks and the dub does not, the tone is alone. As the room is to speech, so it should be.
    tone = ears.floor_of(three.mix, three.rate, speaks & ~ears.grown(dubbed, 0.1))
    room = ears.floor_of(three.source, three.rate, ~ears.grown(speaks, 0.15))
    loud, own_loud = (ears.speech_level(x, three.rate) for x in (three.mix, three.source))
    return {"left dB": left, "room dB": (tone - loud) - (room - own_loud)}


def _beneath_dub(three: Three, rows: np.ndarray) -> float:
    """Decibels of what is left of the clip's own sound in ``rows`` (samples), against the dub there."""
    dub, own = ears.remains(three.mix, (three.dub, three.source), rows)
    loud, left = abs(dub) * _rms(three.dub[rows]), abs(own) * _rms(three.source[rows])
    return 20 * float(np.log10(max(left, 1e-9) / max(loud, 1e-9)))


def _inside(clock: np.ndarray, spans: tuple[Span, ...]) -> np.ndarray:
    out = np.zeros(len(clock), bool)
    for span in spans:
        out |= (clock >= float(span.start)) & (clock < float(span.end))
    return out


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0


TABLES = {
    "words": ("wer", "plain", "rate", "paced", "lost s", "jump dB", "cents", "Hz", "min/min", "MiB"),
    "time": ("said so", "level ms", "found", "vad ms", "late ms", "speech s", "hole s", "over s", "drift ms"),
    "sound": ("left dB", "room dB", "LUFS", "off LU", "dBTP", "click", "length"),
}


def main() -> int:
    """Judge every clip with every script that is named after it, and print three tables."""
    given = arguments(str(__doc__).splitlines()[0], scripts="folder of scripts: d03.es.srt for d03_*.mp4")
    starts = tuple(given.only.split(","))
    jobs = [
        (script.stem, partial(judged, clip, script))
        for clip in clips_in(given.folder)
        if clip.name.startswith(starts)
        for script in sorted((given.scripts or given.folder).glob(f"{clip.stem.split('_')[0]}.*.srt"))
    ]
    rows = tabulated(jobs, given.json)
    for what, names in TABLES.items():
        show([{k: v for k, v in r.items() if k in ("clip", "left out", *names)} for r in rows], f"Script test: {what}")
    return 0 if rows else 1


if __name__ == "__main__":
    raise SystemExit(main())
