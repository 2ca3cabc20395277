"""The clip's music and effects without its speech: given, or made once by a separator and kept.

If neither is named and the extra ``bed`` is installed, the separator ``bed`` is tried: its result is used if there is a
bed to speak of (``bed_level``), else the mix puts room tone where the clip speaks.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lipdub.disk.identity import command_file_stamps
from lipdub.errors import MissingExtra
from lipdub.media.sound_blocks import Block, SoundFormat, sound_blocks, sound_format
from lipdub.media.sound_write import write_sound
from lipdub.plugins import fingerprint_of
from lipdub.studio.assemble.bed_level import BedLevel
from lipdub.studio.options import SpeechOptions
from lipdub.studio.session import Session
from lipdub.studio.store import key
from lipdub.timeline.clip import Clip
from lipdub.timeline.retiming import SAME_CLOCK
from lipdub.timeline.time import Span
from lipdub.words_to_sound.bed import make as bed_separator
from lipdub.words_to_sound.seam import Separator, separator_named
from lipdub.words_to_sound.separate import NO_SEPARATOR, SeparationProgram, is_command

_VERSION = 3
_MEASURED = "bed.json"


@dataclass(frozen=True, slots=True)
class MusicAndEffects:
    """The stem's ``file``, a name for its content (``made_from``), and ``notes`` for the report.

    ``under_speech``: the file is the clip's own sound, whose speech was taken out, in the format and on the clock of
    the mix. Else it begins where players start the clip. ``file`` is None if room tone is better: the clip's own sound
    is used.
    """

    file: Path | None
    made_from: str
    notes: tuple[str, ...] = ()
    under_speech: bool = False


@dataclass(frozen=True, slots=True)
class FilmedSound:
    """The clip's own sound as the mix reads it: ``read`` gives its blocks in ``format``, on the clock of the mix; its
    ``speech`` is to be taken out (seconds from the first sample, sorted and disjoint)."""

    read: Callable[[], Iterable[Block]]
    format: SoundFormat
    speech: tuple[Span, ...]


def music_and_effects(
    clip: Clip, speech: SpeechOptions, filmed: FilmedSound | None, session: Session
) -> MusicAndEffects | None:
    """Music and effects to lay the dub over; None if there are none but the clip's own sound. Raises what the separator
    raises. ``filmed``: the clip's own sound (None: it has none)."""
    if speech.music_effects is not None:
        return MusicAndEffects(speech.music_effects, session.inputs.digest(speech.music_effects))
    if filmed is None or speech.separator == NO_SEPARATOR:
        return None
    if is_command(speech.separator):
        return _by_program(SeparationProgram.parse(speech.separator), speech.separator, clip, session)
    separator = default_separator(speech, clip) if not speech.separator else separator_named(speech.separator)
    if separator is None or not filmed.speech:
        return None
    return _by_plugin(separator, clip, filmed, session, tried=not speech.separator)


def default_separator(speech: SpeechOptions, clip: Clip) -> Separator | None:
    """The separator that is tried if none is named: ``bed``, if it is installed and the clip's own speech shall not be
    heard. A picture that is shown longer than its sound needs room tone."""
    named = speech.music_effects is not None or bool(speech.separator)
    if named or not speech.hides_speech or clip.clock != SAME_CLOCK or clip.own_frames != len(clip):
        return None
    try:
        return bed_separator("")
    except MissingExtra:
        return None


def _by_program(program: SeparationProgram, command: str, clip: Clip, session: Session) -> MusicAndEffects:
    def separate(folder: Path) -> None:
        source = session.scratch / "to-separate.wav"
        write_sound(
            source, sound_blocks(clip.path, start=clip.start, stream=clip.sound), sound_format(clip.path, clip.sound)
        )
        program.separate(source, folder).rename(folder / "stem")
        source.unlink()

    with session.clock.stage("separate"):
        made_by = (command, command_file_stamps(program.words))
        name = f"effects-{key(_VERSION, session.inputs.digest(clip.path), clip.start, clip.sound, made_by)}"
        folder = session.store.folder(name, separate)
    return MusicAndEffects(folder / "stem", name, (_taken_out(Path(program.words[0]).name),))


def _by_plugin(
    separator: Separator, clip: Clip, filmed: FilmedSound, session: Session, *, tried: bool
) -> MusicAndEffects:
    """The clip's sound without its speech. If it is only ``tried``, it must be worth it."""
    shape = filmed.format
    stem = "stem.flac" if len(shape.channels) <= 8 else "stem.wav"

    def separate(folder: Path) -> None:
        level = BedLevel(shape.rate, filmed.speech)
        take_out = partial(separator.without_speech, rate=shape.rate, speech=filmed.speech)
        write_sound(folder / stem, level.watched(filmed.read(), take_out), shape)
        if tried and not level.worth_keeping:
            (folder / stem).unlink()
        (folder / _MEASURED).write_text(json.dumps({"below_speech_db": level.below_speech}), encoding="utf-8")

    with session.clock.stage("separate"):
        made_from = (session.inputs.digest(clip.path), clip.start, clip.sound, clip.clock, shape, filmed.speech, tried)
        name = f"bed-{key(_VERSION, fingerprint_of(separator), *made_from)}"
        folder = session.store.folder(name, separate)
    below = float(json.loads((folder / _MEASURED).read_text(encoding="utf-8"))["below_speech_db"])
    if not (folder / stem).is_file():
        return MusicAndEffects(None, name, (_room_tone(separator, below),))
    return MusicAndEffects(folder / stem, name, (f"{_taken_out(separator.card.name)}; {_loud(below)}",), True)


def _taken_out(by: str) -> str:
    return f"{by} took the speech out of the clip's sound"


def _loud(below: float) -> str:
    return f"what is under it is {abs(below):.0f} dB {'softer' if below < 0 else 'louder'} than the speech was"


def _room_tone(separator: Separator, below: float) -> str:
    return (
        f"room tone is put where the clip speaks: what {separator.card.name} finds under the speech is too soft to be "
        f"kept ({below:.0f} dB of the speech, or heard in few moments only); --separator bed uses it all the same"
    )
