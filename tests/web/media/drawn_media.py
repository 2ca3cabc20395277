"""A project that was never made, whose media can be played: a source, a film, a take with speech, a picture."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from media_files import Extra, make_video

from lipdub.edit.edit_rate import edit_rate
from lipdub.media.probe import open_clip
from lipdub.studio.plan.fitted_speech import RATE
from lipdub.studio.project.project_folder import ProjectFolder
from lipdub.studio.project.takes import LineTakes
from lipdub.timeline.film_record import FilmRecord
from lipdub.timeline.language_plan import LanguagePlan, PlannedLine
from lipdub.timeline.lines import Line
from lipdub.timeline.project import InputFile, Project
from lipdub.timeline.take import LineRecipe, LineVoice
from lipdub.timeline.time import Span

SPOKEN = np.sin(np.arange(RATE // 2) / 20).astype(np.float32) * 0.5
"""The speech of the take."""

_SLOT = Span(Fraction(0), Fraction(1))


@dataclass(frozen=True)
class DrawnMedia:
    """The project in the folder ``path``, its ``source``, and its ``film`` in Spanish."""

    path: Path
    source: Path
    film: Path


def drawn_media(folder: Path, suffix: str = ".mp4") -> DrawnMedia:
    """The project ``talk`` in the ``folder`` of a studio; its source has the ending ``suffix``."""
    place = folder / "talk"
    (place / "films").mkdir(parents=True)
    extra, known = Extra(sound_seconds=1.0), ProjectFolder(place / "talk.lipdub")
    source = make_video(place / f"talk{suffix}", extra, count=50)
    film = make_video(place / "films" / "talk.es.mp4", extra, count=50)
    with known.editing():
        named = Project(InputFile(source, "0" * 64), 50, languages=("es", "fr"), start=Fraction(0))
        known.save(named)
        lines = tuple(PlannedLine(Line("Hola.", _SLOT, language, id="1")) for language in named.languages)
        for line in lines:
            known.save_plan(LanguagePlan(line.line.language, (line,)), Fraction(0))
    record_film(known, film)
    (known.path / "people").mkdir()
    (known.path / "people" / "1.jpg").write_bytes(b"\xff\xd8 a picture \xff\xd9")
    np.save(folder / "voice.npy", SPOKEN)
    take = LineTakes(known, "es").to_make("1", LineRecipe("Hola.", _SLOT))
    take.keep_voice(LineVoice(folder / "voice.npy", _SLOT, _SLOT, "Hola."))
    assert take.finish(()) is not None
    return DrawnMedia(known.path, source, film)


def record_film(known: ProjectFolder, film: Path) -> None:
    """Write down that ``film`` is the last film in Spanish."""
    clip = open_clip(film)
    rate = edit_rate(clip.times, clip.rate)
    first, length = clip.span.start, clip.span.duration
    count = len(clip)
    record = FilmRecord(film, film.stat().st_size, rate.rate, rate.constant, count, count, length, count, first, length)
    known.film("es").parent.mkdir(exist_ok=True)
    record.save(known.film("es"))
