"""The levels of the first mix of a language in a file, so that later mixes sound the same where nothing changed.

``scipy.signal``, which mixing needs, costs every start a second: it is imported where a mix is written or read.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lipdub.disk.atomic import written_beside
from lipdub.disk.json_text import parse_json
from lipdub.timeline.packed import packed, unpacked

if TYPE_CHECKING:
    from lipdub.compose.mix.mixer import MixLevels

VERSION = 1


def write_levels(file: Path, levels: MixLevels, identity: str) -> None:
    """Write ``levels`` at once and whole. ``identity`` names what they depend on. Raises ``OSError``."""
    tone = levels.tone
    told = {
        "version": VERSION,
        "identity": identity,
        "report": packed(levels.report),
        "highest_db": levels.highest_db,
        "tone": None
        if tone is None
        else {"rate": tone.bands.rate, "level_db": tone.level_db, "pauses": tone.pauses, "seed": tone.seed},
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(file) as partial:
        powers = np.zeros(0, np.complex64) if tone is None else tone.powers
        np.savez(partial, told=json.dumps(told), powers=powers)


def read_levels(file: Path, identity: str) -> MixLevels | None:
    """The levels in ``file``; None if it is not there, is damaged, or belongs to another ``identity``."""
    if not file.is_file():
        return None
    from lipdub.compose.mix.mixer import MixLevels, MixReport
    from lipdub.compose.mix.room_tone import FrequencyBands, RoomTone

    try:
        with file.open("rb") as opened, np.load(opened) as arrays:
            told, powers = parse_json(str(arrays["told"])), arrays["powers"]
        if told["version"] != VERSION or told["identity"] != identity:
            return None
        tone = told["tone"]
        made = (
            None
            if tone is None
            else RoomTone(FrequencyBands(tone["rate"]), powers, tone["level_db"], tone["pauses"], tone["seed"])
        )
        return MixLevels(unpacked(MixReport, told["report"]), made, float(told["highest_db"]))
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile):
        return None
