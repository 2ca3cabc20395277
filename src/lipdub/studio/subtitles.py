"""What is finally said, as subtitles beside the dub."""

from dataclasses import replace
from pathlib import Path

from lipdub.review.report import beside
from lipdub.speech.script.subtitles import subtitles, write_subtitles
from lipdub.studio.dialogue import Dialogue
from lipdub.studio.options import SpeechOptions
from lipdub.timeline.clip import Clip
from lipdub.timeline.time import Span


def subtitle_endings(audio: Path | None, speech: SpeechOptions) -> list[str]:
    """How the names of the subtitles end that will be written: none for a dub track whose words are not known."""
    return [] if audio is not None or speech.subtitles == "none" else [f".{speech.subtitles}"]


def captions_inside(dialogue: Dialogue, speech: SpeechOptions) -> tuple[tuple[Span, str], ...]:
    """Texts for a track in the output, on the clip's clock; none if they are not wished for."""
    if not speech.embed_subtitles:
        return ()
    return tuple((caption.span, "\n".join(caption.rows)) for caption in subtitles(dialogue.lines))


def write_subtitles_beside(dialogue: Dialogue, clip: Clip, output: Path, speech: SpeechOptions) -> None:
    """Write them, if the words are known and they are wished for. Raises ``OutputError``."""
    if not dialogue.lines or speech.subtitles == "none":
        return
    # Players count from where they start the clip.
    lines = [replace(line, span=line.span.shifted(-clip.start)) for line in dialogue.lines]
    # Whether they may be replaced was checked before any work was done.
    write_subtitles(beside(output, f".{speech.subtitles}"), subtitles(lines), overwrite=True)
