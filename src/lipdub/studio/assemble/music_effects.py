"""The clip's music and effects without its speech: given, or made once by a separator and kept."""

from dataclasses import dataclass
from pathlib import Path

from lipdub.disk.identity import command_file_stamps
from lipdub.media.sound_blocks import sound_blocks, sound_format
from lipdub.media.sound_write import write_sound
from lipdub.studio.options import SpeechOptions
from lipdub.studio.session import Session
from lipdub.studio.store import key
from lipdub.timeline.clip import Clip
from lipdub.words_to_sound.separate import Separator

_VERSION = 2


@dataclass(frozen=True, slots=True)
class MusicAndEffects:
    """The stem's ``file``, a name for its content (``made_from``), and who made it ("": it was given)."""

    file: Path
    made_from: str
    by: str = ""


def music_and_effects(clip: Clip, speech: SpeechOptions, session: Session) -> MusicAndEffects | None:
    """Music and effects to lay the dub over, beginning where players start the clip; None if there are none but the
    clip's own sound. Raises what the separator raises."""
    if speech.music_effects is not None:
        return MusicAndEffects(speech.music_effects, session.inputs.digest(speech.music_effects))
    if not speech.separator or not clip.has_sound:
        return None
    separator = Separator.parse(speech.separator)

    def separate(folder: Path) -> None:
        source = session.scratch / "to-separate.wav"
        write_sound(
            source, sound_blocks(clip.path, start=clip.start, stream=clip.sound), sound_format(clip.path, clip.sound)
        )
        separator.separate(source, folder).rename(folder / "stem")
        source.unlink()

    with session.clock.stage("separate"):
        made_by = (speech.separator, command_file_stamps(separator.words))
        name = f"effects-{key(_VERSION, session.inputs.digest(clip.path), clip.start, clip.sound, made_by)}"
        folder = session.store.folder(name, separate)
    return MusicAndEffects(folder / "stem", name, Path(separator.words[0]).name)
