"""``lipdub hear``, ``adapt`` and ``speak``: the steps of a dub's sound, each by itself."""

from pathlib import Path

from lipdub.cli.consent import ask_download
from lipdub.cli.screen import note, progress, stdout
from lipdub.studio.options import VoiceOptions
from lipdub.studio.plan.lines import DubLines
from lipdub.studio.sound_steps import StepCaller, speak, transcribe, translate


def run_hear(
    clip: Path, output: Path, language: str, recogniser: str, *, audio_stream: int | None, overwrite: bool
) -> int:
    """Hear a clip's words; the exit code is 0. Raises ``LipdubError``."""
    with progress() as listener:
        words = transcribe(
            clip, output, language, recogniser, StepCaller(listener, ask_download, overwrite), audio_stream
        )
    return _told(words, output)


def run_adapt(script: Path, to: str, translator: str, output: Path, glossary: Path | None, *, overwrite: bool) -> int:
    """Translate a script; the exit code is 0. Raises ``LipdubError``."""
    with progress() as listener:
        words = translate(script, output, to, translator, glossary, StepCaller(listener, ask_download, overwrite))
    return _told(words, output)


def run_speak(
    script: Path,
    output: Path,
    clip: Path | None,
    voices: VoiceOptions,
    *,
    audio_stream: int | None,
    overwrite: bool,
) -> int:
    """Speak a script; the exit code is 0. Raises ``LipdubError``."""
    from lipdub.review.report import speech_summary

    with progress() as listener:
        account = speak(script, output, clip, voices, StepCaller(listener, ask_download, overwrite), audio_stream)
    for line in (f"{output}:", *speech_summary(account), *account.notes):
        stdout.print(line, soft_wrap=True)
    return 0


def _told(words: DubLines, output: Path) -> int:
    told = f"{output}: {len(words.lines)} line{'s' if len(words.lines) > 1 else ''} in '{words.language}'"
    stdout.print(told, soft_wrap=True)
    for line in words.notes:
        note(line)
    return 0
