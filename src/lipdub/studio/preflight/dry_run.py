"""What a dub would do, in sentences: for ``--dry-run``."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from lipdub import weights
from lipdub.media.dub_track import dub_length
from lipdub.studio.film_label import film_label
from lipdub.studio.job import DubRequest
from lipdub.studio.options import SpeechOptions
from lipdub.studio.preflight.preflight import CheckedRequest, check_request
from lipdub.studio.preflight.request_checks import known_lines
from lipdub.studio.tools import Tools
from lipdub.timeline.clip import Clip
from lipdub.timeline.language import same_language
from lipdub.timeline.time import timecode
from lipdub.words_to_sound.http_service import redacted
from lipdub.words_to_sound.script.read import ScriptLines

SLACK = Fraction(1, 20)
"""Seconds by which a dub may miss the picture's length without a word about it."""


_LONG_LINES = {
    "hold": "the picture would be held at their ends",
    "slow": "the picture would be slowed during them",
    "refuse": "nothing would be made",
}
"""What would be done with lines that do not fit, where it is not the usual thing."""


def dry_run(request: DubRequest) -> list[str]:
    """What a dub would do, in lines. Nothing is made or fetched. Raises what ``check_request`` raises."""
    tools = Tools(request.options)
    checked = check_request(request, tools)
    clip, options = checked.clip.as_filmed(), request.options
    wanted = [m for m in weights.catalogue() if m.bytes < weights.SMALL and weights.present(m.name) is None]
    rate = f"{float(clip.rate):.3f}".rstrip("0").rstrip(".")
    faces = " and ".join(selector.text for selector in checked.selectors)
    size = f"{clip.size[0]}x{clip.size[1]}"
    return [
        f"{request.source}: {len(clip)} frames, {size}, {rate} frames/s, {timecode(clip.span.duration)}",
        *_speech(checked, request, tools),
        f"engine {options.engine}, face {faces}, output {request.output}",
        *_disclosed(checked, request),
        *(f"look at this: {doubt}" for doubt in clip.warnings),
        *(f"would fetch {m.name}: {m.bytes / 1e6:.1f} MB, licence {m.licence}" for m in wanted),
    ]


def _disclosed(checked: CheckedRequest, request: DubRequest) -> Iterator[str]:
    """What would tell that the film is dubbed, beside the mark in its metadata."""
    label = film_label(request.options, checked.clip)
    if label is not None:
        yield f"label '{label.text}', {label.corner}, in {len(label.frames)} of {len(checked.clip)} frames"
    if request.options.credentials:
        beside = "" if checked.names.credential is None else f", in {checked.names.credential}"
        yield f"would be signed with content credentials{beside}"


def _speech(checked: CheckedRequest, request: DubRequest, tools: Tools) -> list[str]:
    if request.audio is not None:
        return [_length_of(request.audio, checked)]
    told = planned_speech(checked.clip, request.speech, checked.script, tools)
    long = _LONG_LINES.get(request.options.if_longer)
    return [*told, f"lines that are too long for their time, known when they are spoken: {long}"] if long else told


def _length_of(audio: Path, checked: CheckedRequest) -> str:
    """How a dub track's length fits the picture's, and what would be done about it, as a sentence."""
    clip, length, fits = checked.clip.as_filmed(), dub_length(audio), "as long as the picture"
    over = clip.start + length - clip.span.end
    if checked.length is not None:
        fits = checked.length.sentence(would=True)
    elif over > SLACK:
        fits = f"{float(over):.2f} s longer than the picture: its end would be cut"
    elif over < -SLACK:
        fits = f"{float(-over):.2f} s shorter than the picture: the mouth would rest"
    return f"{audio}: {timecode(length)}, {fits}"


def planned_speech(clip: Clip, speech: SpeechOptions, script: ScriptLines | None, tools: Tools) -> list[str]:
    """What would be said, in sentences."""
    if tools.engine_speaks and not speech.voice:
        by = "the engine"
    else:
        voices = tools.voices(known_lines(clip, speech, script), speech.voice)
        by = ", ".join({voice.voice.card.name: None for voice in voices.values()})
    if speech.line:
        return [f"one line in '{speech.to}', said by {by}: {speech.line.strip()}"]
    if script is None:
        way = (
            f"translated by {redacted(speech.translator)}" if speech.translator else "not translated (no --translator)"
        )
        return [f"the clip's own words, transcribed by {speech.recogniser}, {way}, said in '{speech.to}' by {by}"]
    count, source = len(script.lines), script.lines[0].language
    told = f"{count} line{'s' if count > 1 else ''} in '{source}'"
    way = f", translated by {redacted(speech.translator)}" if speech.to and not same_language(source, speech.to) else ""
    return [f"{speech.script}: {told}{way}, said in '{speech.to or source}' by {by}", *script.notes]
