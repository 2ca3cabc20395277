"""The sound of a film in parts, as other programs mix it: speech, music and effects, and both."""

from pathlib import Path

from lipdub.compose.mix.mixer import MixInputs, MixPlan, render_stems
from lipdub.media.sound_blocks import SoundFormat
from lipdub.media.sound_write import write_sounds
from lipdub.studio.job import STEMS


def write_stems(inputs: MixInputs, plan: MixPlan, shape: SoundFormat, folder: Path) -> tuple[Path, ...]:
    """Files (WAV, 24 bits) in ``folder`` with the parts of a mix, one for each of ``STEMS``: each as long as the mix,
    to the sample, and with its gain and limiter, so that the first two are the third when they are added.

    Raises ``OutputError`` if the disk refuses, and what reading the inputs raises.
    """
    files = tuple(folder / f"stem-{part}.wav" for part in STEMS)
    write_sounds(files, render_stems(inputs, plan), shape)
    return files
