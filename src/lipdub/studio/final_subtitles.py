"""What is finally said, as subtitles beside the film and inside it."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from lipdub.studio.dub_plan import DubSpeech
from lipdub.studio.options import SpeechOptions
from lipdub.timeline.clip import Clip
from lipdub.timeline.time import Span
from lipdub.words_to_sound.script.subtitles import captions_for, captions_text


def subtitle_kind(audio: Path | None, speech: SpeechOptions) -> Literal["srt", "vtt", "ttml", "none"]:
    """Which subtitles will be written: none for a dub track, whose words are not known."""
    return "none" if audio is not None else speech.subtitles


def captions(said: DubSpeech, speech: SpeechOptions) -> tuple[tuple[Span, str], ...]:
    """Texts for a track in the film, on the clip's clock; none if they are not asked for."""
    if not speech.embed_subtitles:
        return ()
    return tuple((caption.span, "\n".join(caption.rows)) for caption in captions_for(said.lines))


def subtitle_file(said: DubSpeech, clip: Clip, kind: str) -> str:
    """The text of a subtitle file of ``kind`` ("srt", "vtt", "ttml"), counted from where players start ``clip``."""
    lines = [replace(line, span=line.span.shifted(-clip.start)) for line in said.lines]
    language = said.language or next((line.language for line in lines if line.language), "")
    return captions_text(captions_for(lines), f".{kind}", language)
