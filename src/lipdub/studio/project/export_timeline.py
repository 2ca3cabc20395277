"""The cut of a language as files for editing software, from what was written down when its film was made."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lipdub import __version__
from lipdub.disk.publish import Outputs, check_output_path
from lipdub.edit.cut_list import REST, CutList, EditLine, EditMedia, EditTake, cut, joined_spans
from lipdub.edit.edit_rate import usual_rate
from lipdub.edit.timecode import Timecode, parse_timecode, timecode_text
from lipdub.edit.write_timeline import check_rate, check_timeline_name, timeline_notes, write_timeline
from lipdub.errors import InputError, OptionError
from lipdub.media.probe import probe
from lipdub.studio.options import TimelineOptions
from lipdub.studio.project.line_flags import closure_counts
from lipdub.studio.project.project_folder import ProjectFolder, plan_name
from lipdub.studio.project.status import fits_plan, is_left, plan_now
from lipdub.studio.project.takes import LineTakes
from lipdub.timeline.film_record import FilmRecord
from lipdub.timeline.language_plan import LanguagePlan, PlannedLine
from lipdub.timeline.project import Project
from lipdub.timeline.take import Take
from lipdub.timeline.time import Span

_JOINED = Fraction(1, 2)
"""Seconds: pieces of one line that are no further apart become one clip."""


@dataclass(frozen=True)
class ExportedTimeline:
    """The ``cut`` that was written to ``files``, and ``notes``: what was decided, and what a file does not hold."""

    cut: CutList
    files: tuple[Path, ...]
    notes: tuple[str, ...]

    def summary(self) -> str:
        """One line about the cut."""
        made, start = self.cut, self.cut.source.start
        dubbed = sum(clip.dubbed for clip in made.clips)
        return (
            f"{made.frames:,} frames from {timecode_text(start.frames, made.rate, start.drop)}, {made.rate} a second, "
            f"{len(made.clips):,} clips ({dubbed:,} dubbed), {len(made.lines):,} lines"
        )


@dataclass(frozen=True)
class ExportedProject:
    """What a cut is made from: the project with its ``folder`` and ``source`` (where that is now), and the ``plan`` of
    the language."""

    folder: ProjectFolder
    project: Project
    source: Path
    plan: LanguagePlan


def export_timeline(
    work: ExportedProject, files: tuple[Path, ...], options: TimelineOptions = TimelineOptions()
) -> ExportedTimeline:
    """Write the cut of a language to ``files``, each in the format of its ending. Nothing is analysed or rendered.

    Raises ``OptionError`` for a format or rate that cannot be written, ``MissingExtra``, ``InputError`` if no film of
    the language was made or it is not found, and ``OutputError``; then no file appears.
    """
    if not files or len(set(files)) < len(files):
        raise OptionError("no file is named" if not files else "a file is named twice", remedy="Name each after -o")
    kinds = [check_timeline_name(file) for file in files]
    record = _load_record(work)
    film = _find_film(work, record, options)
    for file in files:
        check_output_path(file, (work.source, film), overwrite=options.overwrite)
    rate = _chosen_rate(record, options)
    for kind, file in zip(kinds, files, strict=True):
        check_rate(kind, rate, file)
    made, notes = _Cut(work, record, film, rate).made()
    with Outputs(options.overwrite) as outputs:
        for file in files:
            write_timeline(made, outputs.part(file).path, file)
        outputs.publish()
    lost = (note for file in files for note in timeline_notes(made, file))
    return ExportedTimeline(made, files, (*notes, *lost))


def _load_record(work: ExportedProject) -> FilmRecord:
    """What the film shows. Raises ``InputError`` if there is none, or none that can be cut together with its source."""
    file = work.folder.film(work.plan.language)
    if not file.exists():
        raise InputError(
            f"no film in '{plan_name(work.plan.language)}' was made yet, so there is nothing to cut in",
            file=work.folder.path,
            remedy=f"Make it: lipdub dub --project {work.folder.path} -o FILM",
        )
    record = FilmRecord.load(file)
    if record.own_frames < min(record.frames, record.source_frames):
        raise InputError(
            "the film shows its source more slowly, so its frames do not belong to those of the source one by one",
            file=record.film,
            remedy="Make it without --if-longer slow, or edit the film by itself",
        )
    return record


def _find_film(work: ExportedProject, record: FilmRecord, options: TimelineOptions) -> Path:
    """Where the film is now. Raises ``InputError`` if it is not there, or has another rate than was written down."""
    if options.film is not None:
        pictures = [stream for stream in probe(options.film).streams if stream.rate]
        if not any(abs(stream.rate / record.rate - 1) < Fraction(1, 2000) for stream in pictures if stream.rate):
            found = f"{pictures[0].rate} frames a second" if pictures else "no picture"
            raise InputError(
                f"it has {found}, and the film that was made has {record.rate}: their frames do not belong together",
                file=options.film,
                remedy="Give the film that lipdub made, or a copy of it at the same rate",
            )
        return options.film
    for place in (record.film, work.folder.path.absolute().parent / record.film.name):
        if place.is_file():
            return place
    raise InputError("the film is not there any more", file=record.film, remedy="Say where it is: --film FILE")


def _chosen_rate(record: FilmRecord, options: TimelineOptions) -> Fraction:
    """The rate of the timeline. Raises ``OptionError`` for one that would lose frames."""
    if not options.rate:
        return record.rate
    try:
        rate = usual_rate(options.rate)
    except ValueError as wrong:
        raise OptionError(f"--rate {options.rate}: {wrong}", remedy="Write 25 or 24000/1001") from wrong
    if record.constant and rate != record.rate:
        raise OptionError(
            f"--rate {options.rate}: the source has {record.rate} frames a second, and another rate loses frames",
            remedy="Leave --rate out, and let the editing program convert the timeline",
        )
    return rate


class _Cut:
    """Makes the cut of one film."""

    def __init__(self, work: ExportedProject, record: FilmRecord, film: Path, rate: Fraction) -> None:
        self._work, self._record, self._film, self._rate = work, record, film, rate
        self._notes: list[str] = []
        self._films = [film for film in record.earlier if film.film.is_file() and film.film.stat().st_size == film.size]
        self._length = record.frames if record.constant else round(record.length * rate)
        self._film_start = self._timecode(record.film_timecode)
        self._now = plan_now(work.plan, work.project, record.start)
        self._marks = work.folder.load_marks(work.plan.language).settled(work.plan)

    def made(self) -> tuple[CutList, tuple[str, ...]]:
        """The cut, and sentences on what was decided."""
        work, record = self._work, self._record
        frames = self._length
        filmed = record.source_frames if record.constant else round(record.source_length * self._rate)
        start = self._timecode(record.timecode)
        changed = dict(self._changed())
        dubbed = [(line, *piece) for line, pieces in changed.items() for piece in pieces]
        if frames > filmed:
            dubbed.append((REST, filmed, frames))
        lines = tuple(self._line(planned, changed) for planned in work.plan.lines)
        self._tell(lines, frames)
        made = CutList(
            title=f"{work.source.stem} {work.plan.language}".strip(),
            language=work.plan.language,
            rate=self._rate,
            source=EditMedia(work.source, filmed, start, record.has_sound),
            film=EditMedia(self._film, frames, self._film_start),
            clips=cut(frames, dubbed),
            lines=lines,
            variable=not record.constant,
            stems=tuple((name, path) for name, path in record.stems.items() if path.is_file()),
            sound_offset=record.first - record.start,
            size=(record.shape[0], record.shape[1]) if len(record.shape) == 2 else None,
            facts={
                "made_by": f"lipdub {__version__}",
                "project": work.folder.path.absolute().as_posix(),
                "source_sha256": work.project.source.sha256,
            },
        )
        return made, tuple(self._notes)

    def _timecode(self, text: str) -> Timecode:
        try:
            return parse_timecode(text, self._rate) if text else Timecode()
        except ValueError as wrong:
            self._note(f"the embedded timecode was not used, media begin at 0: {wrong}")
            return Timecode()

    def _note(self, note: str) -> None:
        if note not in self._notes:
            self._notes.append(note)

    def _changed(self) -> Iterator[tuple[str, list[tuple[int, int]]]]:
        """The frames in which each line changes a mouth, by line id."""
        by_line: dict[str, list[tuple[int, int]]] = {}
        for mouth in self._record.changed:
            pieces = by_line.setdefault(mouth.line, [])
            if self._record.constant:
                pieces += [(frames[0], frames[-1]) for frames in mouth.frames]
            else:
                pieces += [(inside.start, inside.stop) for inside in map(self._frames, mouth.spans)]
        for line, pieces in by_line.items():
            yield line, list(joined_spans(pieces, int(_JOINED * self._rate)))

    def _frames(self, span: Span) -> range:
        """The frames of the timeline that belong to ``span``: at least one."""
        first, stop = (round((instant - self._record.first) * self._rate) for instant in (span.start, span.end))
        return range(first, max(first + 1, stop))

    def _line(self, planned: PlannedLine, changed: Iterable[str]) -> EditLine:
        line, shown = planned.line, self._record.takes.get(planned.line.id, 0)
        takes = {take.number: take for take in _takes(self._work, line.id)}
        take = takes.get(shown)
        mark = self._marks.of(line.id)
        voice = None if take is None else take.voice
        span = line.span.shifted(planned.offset) if voice is None else voice.span
        return EditLine(
            id=line.id,
            frames=self._frames(span),
            text=line.text if voice is None else voice.text,
            person=_person(self._work.project, planned),
            verdict=self._verdict(planned, take, line.id in changed),
            take=0 if take is None else shown,
            takes=self._takes(line.id, takes.values(), take),
            review="" if mark.verdict == "unchecked" else mark.verdict,
            note=mark.note,
        )

    def _verdict(self, planned: PlannedLine, take: Take | None, seen: bool) -> str:
        """One of ``lipdub.edit.cut_list.VERDICTS``. ``seen``: a mouth is changed for the line."""
        if is_left(self._work.plan, planned, self._now.excluded):
            return "left as filmed"
        if take is None:
            return "not made"
        if planned.take != take.number or not fits_plan(planned, take, self._now):
            return "changed"
        if take.voice is not None and take.voice.missing:
            return "end cut"
        if not seen:
            return "voice only"
        found, wanted = closure_counts(take)
        return "closures missed" if found < wanted else "made"

    def _takes(self, line: str, takes: Iterable[Take], shown: Take | None) -> tuple[EditTake, ...]:
        folder = self._work.folder.line(self._work.plan.language, line).relative_to(self._work.folder.path)
        return tuple(
            EditTake(
                number=take.number,
                text=take.recipe.text if take.voice is None else take.voice.text,
                folder=folder / str(take.number),
                shown=take is shown,
                film=None if take is shown else self._earlier(take),
            )
            for take in takes
        )

    def _earlier(self, take: Take) -> EditMedia | None:
        """The newest earlier film that shows a take, with the same frames at the same timecodes as this one."""
        record = self._record
        for film in self._films:
            same = (film.frames, film.film_timecode) == (record.frames, record.film_timecode)
            if same and film.takes.get(take.line) == take.number:
                return EditMedia(film.film, self._length, self._film_start)
        return None

    def _tell(self, lines: Iterable[EditLine], frames: int) -> None:
        """Note what a person should know about this cut."""
        record, every = self._record, list(lines)
        if not record.constant:
            self._note(
                f"the source's frame rate varies: the timeline has {self._rate} frames a second, and each cut lies at "
                f"the nearest of them, up to {float(500 / self._rate):.0f} ms from the frame where the mouth changes. "
                "For cuts that are exact to the frame, convert the source to a constant rate before dubbing"
            )
        late = round((record.first - record.start) * self._rate)
        if late > 0:
            self._note(
                f"the picture begins {float(record.first - record.start):.3f} s after the sound, and the timeline with "
                f"it: if the editing program begins such files with their sound, media are {late} frames later in it"
            )
        if self._film.stat().st_size != record.size:
            self._note(f"{self._film.name} is not the file that was made: the cut is that of the film that was made")
        stale = [line.id for line in every if line.verdict in ("changed", "not made")]
        if stale:
            named = ", ".join(stale[:10]) + (f" and {len(stale) - 10:,} more" if len(stale) > 10 else "")
            self._note(
                f"the film does not show what the plan says in line {named}: make it again with "
                f"lipdub dub --project {self._work.folder.path} -o FILM"
            )
        outside = [line.id for line in every if line.frames.start >= frames or line.frames.stop <= 0]
        if outside:
            self._note(f"line {', '.join(outside[:10])} lies outside the picture: its marker is at the nearest frame")


def _takes(work: ExportedProject, line: str) -> list[Take]:
    """The complete takes of a line as they were written down."""
    folders = LineTakes(work.folder, work.plan.language).all(line)
    return [take for folder in folders if (take := folder.told) is not None]


def _person(project: Project, planned: PlannedLine) -> str:
    """The name of who says a line; else the name in the script, else "person 2"; "" for nobody who is known."""
    person = planned.person or ""
    named = project.settled(person).name if person else ""
    return named or planned.line.speaker or (f"person {person}" if person else "")
