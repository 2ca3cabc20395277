"""How long a cut takes to export: it must not depend on the film, and grow no faster than the number of lines.

    python benchmarks/export.py [--lines 250,1000] [--takes 2] [--profile] [--command]

Makes projects of so many lines, each with as many takes and 2.5 s of a film that is never opened, and writes their cut
as each kind of timeline, three times. Prints the median seconds of processor time, and the ratio to the first number of
lines; with --command those of the whole command ``lipdub export``, too, with all that it loads.
"""

import argparse
import cProfile
import json
import pstats
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import aaf2  # noqa: F401  (loaded before anything is timed)
import av
import numpy as np
import opentimelineio

from lipdub.edit.write_timeline import TYPES
from lipdub.studio.options import TimelineOptions
from lipdub.studio.project.export_timeline import ExportedProject, export_timeline
from lipdub.studio.project.project_folder import ProjectFolder
from lipdub.timeline.cue import Cue
from lipdub.timeline.film_record import ChangedMouth, FilmRecord
from lipdub.timeline.language_plan import LanguagePlan, PlannedLine
from lipdub.timeline.lines import Line
from lipdub.timeline.packed import packed
from lipdub.timeline.project import InputFile, NamedPerson, Project
from lipdub.timeline.take import CuePatches, LineRecipe, LineVoice, Take
from lipdub.timeline.time import Span

RATE = Fraction(24000, 1001)
SLOT = Fraction(5, 2)
"""Seconds from line to line."""


def made_project(folder: Path, lines: int, takes: int) -> ExportedProject:
    """A project of ``lines`` lines with ``takes`` takes each, whose film shows the last ones."""
    place, film = ProjectFolder(folder / "film.lipdub"), folder / "film.es.mp4"
    source = folder / "film.mp4"
    _write_picture(source)
    film.write_bytes(b"never opened")
    planned = tuple(_line(number, takes) for number in range(1, lines + 1))
    project = Project(InputFile(source, "0" * 64), round(lines * SLOT * RATE), (NamedPerson("1", "Ana"),))
    place.path.mkdir()
    place.save(Project(project.source, project.frames, project.people, languages=("es",)))
    plan = LanguagePlan("es", planned)
    place.save_plan(plan, Fraction(0))
    for line in planned:
        for number in range(1, takes + 1):
            where = place.line("es", line.line.id) / str(number)
            where.mkdir(parents=True)
            (where / "take.json").write_text(json.dumps(packed(_take(line, number))), "utf-8")
    place.film("es").parent.mkdir()
    frames = round(lines * SLOT * RATE)
    FilmRecord(
        film=film,
        size=film.stat().st_size,
        rate=RATE,
        constant=True,
        frames=frames,
        source_frames=frames,
        source_length=frames / RATE,
        own_frames=frames,
        first=Fraction(0),
        length=frames / RATE,
        timecode="01:00:00:00",
        film_timecode="01:00:00:00",
        shape=(1920, 1080),
        takes={line.line.id: takes for line in planned},
        changed=tuple(_changed(line.line) for line in planned),
    ).save(place.film("es"))
    return ExportedProject(place, project, source, plan)


def _write_picture(file: Path) -> None:
    """A film of one frame: of the source, only where its clock begins is read."""
    with av.open(str(file), "w") as out:
        stream = out.add_stream("mpeg4", rate=RATE)
        stream.width = stream.height = 64
        out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        out.mux(stream.encode(None))


def _line(number: int, take: int) -> PlannedLine:
    span = Span((number - 1) * SLOT + Fraction(1, 5), number * SLOT - Fraction(1, 2))
    text = f"Esta es la línea número {number}, ni corta ni larga."
    return PlannedLine(Line(text, span, "es", id=str(number)), "1", take=take)


def _changed(line: Line) -> ChangedMouth:
    return ChangedMouth(line.id, (line.span,), ((round(line.span.start * RATE), round(line.span.end * RATE)),))


def _take(planned: PlannedLine, number: int) -> Take:
    line = planned.line
    recipe = LineRecipe(line.text, line.span, "1", engine="exemplar:0123456789ab")
    voice = LineVoice(Path("voice.npy"), line.span, line.span, line.text)
    cue = Cue(line.span, 0, line, line.id, "1", line.id)
    scores = {"sync_score": 0.8, "closures_requested": 2.0, "closures_found": 2.0}
    patches = CuePatches(cue, 0, 40, Path("cues/1.reel"), 40, metrics=scores, changed=(line.span,))
    return Take(line.id, number, recipe, voice, (patches,), "2026-11-29T00:00:00+00:00")


def main() -> None:
    """Print the seconds of every kind of timeline for every number of lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", default="250,1000")
    parser.add_argument("--takes", type=int, default=2)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--command", action="store_true")
    args = parser.parse_args()
    print(f"OpenTimelineIO {opentimelineio.__version__}, {args.takes} takes for each line, medians of three")
    first: dict[str, float] = {}
    for lines in map(int, args.lines.split(",")):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            work = made_project(folder, lines, args.takes)
            for ending in TYPES:
                spent = statistics.median(_seconds(work, folder / f"cut{ending}") for _ in range(3))
                ratio = spent / first.setdefault(ending, spent)
                size = (folder / f"cut{ending}").stat().st_size / 1e6
                whole = f"  command {_command_seconds(work, folder / f'cut{ending}'):5.2f} s" if args.command else ""
                print(f"{lines:6} lines {ending:6} {spent:6.2f} s  x {ratio:4.1f}  {size:6.2f} MB{whole}")
            if args.profile:
                run = cProfile.Profile()
                run.runcall(_seconds, work, folder / "cut.otio")
                pstats.Stats(run).sort_stats("cumulative").print_stats(25)


def _seconds(work: ExportedProject, file: Path) -> float:
    begun = time.process_time()
    export_timeline(work, (file,), TimelineOptions(overwrite=True))
    return time.process_time() - begun


def _command_seconds(work: ExportedProject, file: Path) -> float:
    """Processor seconds of the command, the median of three."""
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        arguments = ["export", str(work.folder.path), "-o", str(file), "--overwrite"]
        subprocess.run([sys.executable, "-m", "lipdub", *arguments], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return statistics.median(spent)


if __name__ == "__main__":
    main()
