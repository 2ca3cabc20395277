"""The speech of a take as a file that browsers play."""

import wave
from pathlib import Path

import numpy as np

from lipdub.disk.os_errors import cause_of
from lipdub.errors import InputError
from lipdub.studio.plan.fitted_speech import RATE
from lipdub.studio.project.open_project import open_project
from lipdub.studio.project.takes import LineTakes, TakeFolder
from lipdub.timeline.take import Take
from lipdub.web.media.kept import kept_folder, kept_name, make_folder

VERSION = 1
"""Raise when other files are made of the same take."""

_WAVE, _BLOCK = "take.wav", 1 << 16


def take_sound(project: Path, language: str, line: str, number: int) -> Path | None:
    """A WAV file (mono, 48 kHz, 16 bits) with the speech of take ``number`` of a line of the project in the folder
    ``project``; None if there is no such take, or its speech is part of a dub track of the user's.

    ``language`` and ``line`` become part of a path only if the project has them. Raises ``InputError`` if there is no
    such project or plan, or if the speech cannot be read; ``OutputError`` if the file cannot be kept.
    """
    take = _take(project, language, line, number)
    if take is None or take.voice is None:
        return None
    voice = take.voice.file
    name = kept_name("take", voice, VERSION)
    folder = kept_folder(name)
    if folder is None or not (folder / _WAVE).is_file():
        folder = make_folder(name, voice, lambda part: _write(voice, part / _WAVE))
    return folder / _WAVE


def _take(project: Path, language: str, line: str, number: int) -> Take | None:
    """A complete take, its files where they are in the project now."""
    opened = open_project(project)
    if language not in opened.project.languages or opened.language_plan(language).planned(line) is None:
        return None
    folders = LineTakes(opened.folder, language).all(line)
    found: TakeFolder | None = next((folder for folder in folders if folder.number == number), None)
    return None if found is None else found.take


def _write(voice: Path, target: Path) -> None:
    try:
        samples = np.load(voice, mmap_mode="r")
    except (OSError, ValueError) as wrong:
        what = f"cannot be read: {cause_of(wrong).what}" if isinstance(wrong, OSError) else "is damaged"
        raise InputError(what, file=voice, remedy="Make the line again") from wrong
    with wave.open(str(target), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        for first in range(0, len(samples), _BLOCK):
            block = np.asarray(samples[first : first + _BLOCK], np.float32)
            out.writeframes(np.rint(np.clip(block, -1, 1) * 32767).astype("<i2").tobytes())
