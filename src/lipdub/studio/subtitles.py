"""What is finally said, as subtitles."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from lipdub.studio.dialogue import Dialogue
from lipdub.studio.options import SpeechOptions
from lipdub.timeline.clip import Clip
from lipdub.timeline.time import Span
from lipdub.words_to_sound.script.subtitles import captions_for, captions_text


def subtitle_kind(audio: Path | None, speech: SpeechOptions) -> Literal["srt", "vtt", "none"]:
    """Which subtitles will be written: none for a dub track, whose words are not known."""
    return "none" if audio is not None else speech.subtitles


def captions_inside(dialogue: Dialogue, speech: SpeechOptions) -> tuple[tuple[Span, str], ...]:
    """Texts for a track in the output, on the clip's clock; none if they are not wished for."""
    if not speech.embed_subtitles:
        return ()
    return tuple((caption.span, "\n".join(caption.rows)) for caption in captions_for(dialogue.lines))


def subtitles_of(dialogue: Dialogue, clip: Clip, kind: str) -> str:
    """The text of a subtitle file of ``kind`` ("srt", "vtt"), counted from where players start ``clip``."""
    lines = [replace(line, span=line.span.shifted(-clip.start)) for line in dialogue.lines]
    return captions_text(captions_for(lines), f".{kind}")
