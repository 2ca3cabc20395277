"""The commands of a project: plan, status, people, redo, takes, choose, export.

They import what they need when they run."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from lipdub.cli.renamed import with_new_names
from lipdub.cli.screen import note, progress, stdout
from lipdub.errors import OptionError
from lipdub.studio.options import DubOptions, SpeechMakingOptions, SpeechOptions, TimelineOptions
from lipdub.timeline.time import parse_instant

if TYPE_CHECKING:
    from lipdub.review.report import Report
    from lipdub.studio.project.open_project import OpenProject
    from lipdub.studio.project.project_on_disk import ProjectOnDisk
    from lipdub.timeline.take import Take


@dataclass(frozen=True)
class LanguagesOptions(SpeechMakingOptions):
    """What is said, in one language or in several, and how."""

    script: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative=())] = ()
    """Script to speak: SRT, VTT, ASS, JSON or plain text, in the language of --to (or of its name: talk.en.srt).
    Several scripts are several languages."""

    to: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative=())] = ()
    """Language of the dub, e.g. es; several for several dubs. Without a script the clip is transcribed and
    translated."""

    def each(self) -> tuple[SpeechOptions, ...]:
        """The options of each language. Raises ``OptionError`` for several scripts together with --to."""
        from dataclasses import fields

        shared = {f.name: getattr(self, f.name) for f in fields(SpeechMakingOptions)}
        if len(self.script) > 1 and self.to:
            what = "--to cannot be given together with several scripts"
            raise OptionError(what, remedy="Put each script's language into its name: talk.es.srt")
        if len(self.script) > 1:
            return tuple(SpeechOptions(**shared, script=script) for script in self.script)
        script = self.script[0] if self.script else None
        return tuple(SpeechOptions(**shared, script=script, to=to) for to in self.to or ("",))


def named_options(arguments: Sequence[str] | None = None) -> frozenset[str]:
    """The options that a command line names (``arguments`` without the program; None: that of this process), as fields
    of the options' classes: ``if_longer`` for ``--if-longer cut``, ``asr_check`` for ``--no-asr-check``.

    An option that is named holds even at its default, whatever a project remembers.
    """
    words = with_new_names(sys.argv[1:] if arguments is None else arguments).arguments
    flags = [word[2:].partition("=")[0] for word in words if word.startswith("--")]
    return frozenset(flag.removeprefix("no-").replace("-", "_") for flag in flags)


def register(app: App) -> None:
    """Add the commands of a project to ``app``."""
    for command in (plan, status, people, redo, takes, choose, export):
        app.command(command)


@contextmanager
def opened(project: Path, clip: Path | None = None, *, quiet: bool = False) -> Iterator["OpenProject"]:
    """The project in the folder ``project``; progress is shown while the block runs."""
    import lipdub
    from lipdub.cli.consent import ask_download, ask_people

    with progress(quiet=quiet) as listener:
        yield lipdub.open_project(project, clip, lipdub.Caller(listener, ask_people, ask_download))


def on_disk(project: Path) -> "ProjectOnDisk":
    """The project in the folder ``project``, for what its files tell; what analyses and renders is not loaded."""
    from lipdub.studio.caller import Caller
    from lipdub.studio.project.project_folder import ProjectFolder
    from lipdub.studio.project.project_on_disk import ProjectOnDisk

    found = ProjectOnDisk(ProjectFolder(project), None, Caller())
    found.folder.load()
    return found


def plan(
    clip: Path,
    /,
    *,
    project: Path,
    audio: Path | None = None,
    speech: Annotated[LanguagesOptions, Parameter(name="*")] = LanguagesOptions(),
    options: Annotated[DubOptions, Parameter(name="*")] = DubOptions(),
) -> int:
    """Plan a dub: who is seen, what is said by whom and when, and what stays as filmed. Nothing is spoken or rendered.

    Parameters
    ----------
    clip
        Video of people talking.
    project
        Folder of the project, e.g. film.lipdub; it is made if it is not there.
    audio
        Finished dub track.
    """
    from lipdub.cli.project_tables import plan_table
    from lipdub.studio.project.open_project import ProjectOptions

    with opened(project, clip) as work:
        for one in speech.each():
            made = work.plan(audio, ProjectOptions(options, one, named_options()), overwrite=options.overwrite)
            file = work.folder.plan(made.language)
            for row in plan_table(made, file):
                stdout.print(row, soft_wrap=True)
    return 0


def status(project: Path, /, *, to: str = "", json: bool = False) -> int:
    """Show what a project holds: lines that are made, missing or changed, in every language.

    Parameters
    ----------
    project
        Folder of the project.
    to
        Show the lines of this language one by one.
    json
        Print JSON instead of a table.
    """
    from lipdub.cli.project_tables import status_json, status_rows

    found = on_disk(project).status()
    if json:
        stdout.out(status_json(found))
    else:
        for row in status_rows(found, to):
            stdout.print(row, soft_wrap=True)
    return 0


def people(
    project: Path,
    /,
    *,
    name: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    same: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    apart: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    seen: str = "",
) -> int:
    """Show who is seen in a project, give people names, and settle who is the same person and who is not.

    Parameters
    ----------
    project
        Folder of the project.
    name
        ID=NAME, e.g. 2=Ana; may be repeated.
    same
        ID,ID: these are one person, e.g. 2,5; may be repeated.
    apart
        ID@TIME: whoever is seen as this person then is somebody else, e.g. 3@0:01:20, or 3@0:01:20,0:02:05 for several
        shots of that one; may be repeated. --same joins them again.
    seen
        ID: show every time at which this person is seen, not only the first ones.
    """
    from lipdub.cli.project_tables import people_rows
    from lipdub.media.probe import container_start

    with opened(project) as work:
        zero = container_start(work.source)
        for text in apart:
            who, instants = parse_apart(text)
            part = work.part_person(who, [instant + zero for instant in instants])
            note(f"--apart {text}: this is person {part} now; --same {who},{part} joins them again")
        known = {person.id for person in work.people()}
        if seen:
            _check_person(seen, known, True, f"--seen {seen}", "ID, e.g. 2")
        for text in name:
            who, equals, called = text.partition("=")
            _check_person(who, known, bool(equals) and bool(called.strip()), f"--name {text}", "ID=NAME, e.g. 2=Ana")
            work.name_person(who.strip(), called.strip())
        for text in same:
            ids = [part.strip() for part in text.split(",")]
            for who in ids:
                _check_person(who, known, len(ids) > 1, f"--same {text}", "ID,ID, e.g. 2,5")
            work.same_person(ids[0], tuple(ids[1:]))
        for row in people_rows(work.people(), zero, seen.strip()):
            stdout.print(row, soft_wrap=True)
    return 0


def parse_apart(text: str) -> tuple[str, tuple[Fraction, ...]]:
    """The person and the instants (s) of ``3@0:01:20`` or ``3@80,125``. Raises ``OptionError``."""
    who, _, when = text.partition("@")
    try:
        instants = tuple(parse_instant(part) for part in when.split(","))
    except ValueError as wrong:
        raise OptionError(f"--apart {text}: {wrong}", remedy="Write ID@TIME, e.g. 3@0:01:20") from wrong
    if not who.strip():
        raise OptionError(f"--apart {text} names no person", remedy="Write ID@TIME, e.g. 3@0:01:20")
    return who.strip(), instants


def _check_person(person: str, known: set[str], well_formed: bool, option: str, usual: str) -> None:
    if not well_formed:
        raise OptionError(f"{option} cannot be read", remedy=f"Write {usual}")
    if person.strip() not in known:
        have = ", ".join(sorted(known, key=lambda one: (len(one), one))) or "nobody"
        raise OptionError(f"{option}: there is no person '{person.strip()}' (people: {have})")


@dataclass(frozen=True)
class LineChangeOptions:
    """What is changed about a line before it is made again."""

    text: str | None = None
    """What is said instead."""

    voice: str | None = None
    """Voice that speaks the line, e.g. nanotts:es-ES."""

    seed: int | None = None
    """Random seed of the engine for this line, 0 or more."""

    offset: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    """Move the speech: -40ms is earlier, 0.1s later."""

    engine: str | None = None
    """Engine that renders this line."""

    person: str | None = None
    """Id or name of the person who says the line; empty for somebody off screen."""


@dataclass(frozen=True)
class FilmOptions:
    """Where the film is written, if it is written at once."""

    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None
    """Write the film with this take, too."""

    overwrite: bool = False
    """Replace an output that exists."""


def redo(
    project: Path,
    /,
    *,
    line: str,
    to: str = "",
    change: Annotated[LineChangeOptions, Parameter(name="*")] = LineChangeOptions(),
    film: Annotated[FilmOptions, Parameter(name="*")] = FilmOptions(),
) -> int:
    """Make a new take of one line, and use it. All other lines stay as they are.

    Parameters
    ----------
    project
        Folder of the project.
    line
        Id of the line, as in the plan.
    to
        Language, if the project has several.
    """
    from lipdub.cli.project_tables import take_rows
    from lipdub.studio.project.line_change import LineChange
    from lipdub.studio.project.open_project import ProjectOptions

    moved = None if change.offset is None else parse_offset(change.offset)
    with opened(project) as work:
        who = None if change.person is None else _person_id(work, change.person)
        changes = LineChange(change.text, change.voice, change.seed, moved, change.engine, who)
        made = work.redo(to, line, changes, ProjectOptions(DubOptions(overwrite=film.overwrite)), film.output)
        every = work.takes(to, line)
    for row in take_rows(every, made.number):
        stdout.print(row, soft_wrap=True)
    if made.voice is not None and made.voice.missing:
        note(
            f"What line {line} says is {float(made.voice.missing):.2f} s too long for its time: its end is cut. Say "
            "less, or move its start and the line after it in the plan"
        )
    _not_written(project, film)
    return 0


def _not_written(project: Path, film: FilmOptions) -> None:
    if film.output is None:
        note(f"The film is not written yet: lipdub dub --project {project} -o OUTPUT")


def _person_id(work: "OpenProject", person: str) -> str:
    """The id of the person who has this id or name; "" stays. Raises ``OptionError`` if there is none."""
    people = work.people()
    found = next((one.id for one in people if person and person in (one.id, one.name)), None)
    if found is None and person:
        have = ", ".join(one.name or one.id for one in people)
        raise OptionError(f"--person: there is no '{person}' (people: {have})")
    return found or ""


def parse_offset(text: str) -> Fraction:
    """Seconds from ``-40ms``, ``0.1s`` or ``-0.04``. Raises ``OptionError``."""
    plain = text.strip().lower()
    for ending, unit in (("ms", Fraction(1, 1000)), ("s", Fraction(1)), ("", Fraction(1))):
        if plain.endswith(ending):
            try:
                return Fraction(plain.removesuffix(ending).strip()) * unit
            except (ValueError, ZeroDivisionError):
                break
    raise OptionError(f"--offset {text} is no time", remedy="Write -40ms or 0.1s")


def takes(project: Path, /, *, line: str, to: str = "") -> int:
    """Show the takes of a line: what was said, by which voice and engine, and how it measured.

    Parameters
    ----------
    project
        Folder of the project.
    line
        Id of the line, as in the plan.
    to
        Language, if the project has several.
    """
    from lipdub.cli.project_tables import take_rows

    work = on_disk(project)
    every: Sequence[Take] = work.takes(to, line)
    planned = work.language_plan(to).planned(line)
    for row in take_rows(every, planned.take if planned else 0):
        stdout.print(row, soft_wrap=True)
    return 0


def choose(
    project: Path,
    /,
    *,
    line: str,
    take: int,
    to: str = "",
    film: Annotated[FilmOptions, Parameter(name="*")] = FilmOptions(),
) -> int:
    """Use another take of a line.

    Parameters
    ----------
    project
        Folder of the project.
    line
        Id of the line, as in the plan.
    take
        Number of the take, as 'lipdub takes' shows it.
    to
        Language, if the project has several.
    """
    from lipdub.cli.project_tables import take_rows
    from lipdub.studio.project.open_project import ProjectOptions

    with opened(project) as work:
        work.choose(to, line, take)
        every = work.takes(to, line)
        if film.output is not None:
            work.render(to, film.output, ProjectOptions(DubOptions(overwrite=film.overwrite)))
    for row in take_rows(every, take):
        stdout.print(row, soft_wrap=True)
    _not_written(project, film)
    return 0


def export(
    project: Path,
    /,
    *,
    output: Annotated[tuple[Path, ...], Parameter(name=["--output", "-o", "--otio"], negative=())],
    to: str = "",
    options: Annotated[TimelineOptions, Parameter(name="*")] = TimelineOptions(),
) -> int:
    """Write the cut of the last film of a project for editing software; nothing is rendered (needs the extra edit).

    Parameters
    ----------
    project
        Folder of the project.
    output
        The timeline; its extension selects the format: .otio (OpenTimelineIO), .edl (CMX 3600), .xml (Final Cut Pro 7)
        or .aaf. May be repeated.
    to
        Language, if the project has several.
    """
    made = on_disk(project).export(to, *output, options=options)
    for file in made.files:
        stdout.print(f"{file}: {made.summary()}", soft_wrap=True)
    for text in made.notes:
        note(text)
    return 0


@dataclass(frozen=True)
class DubFiles:
    """The files of a dub."""

    output: Annotated[Path, Parameter(name=["--output", "-o"])]
    """The dubbed clip; its extension selects the container. For several languages a folder."""

    audio: Path | None = None
    """Finished dub track: any audio file; it starts where the clip starts."""

    project: Path | None = None
    """Folder of a project, e.g. film.lipdub: what is made is kept there, and only what is missing is made."""


@dataclass(frozen=True)
class DubSources:
    """What a dub is made from: the ``clip``, a finished dub track ``audio``, or what each of ``languages`` says."""

    clip: Path | None
    audio: Path | None
    languages: tuple[SpeechOptions, ...]


def dub_project(project: Path, sources: DubSources, output: Path, options: DubOptions) -> "list[Report]":
    """Render every language that was asked for, of a project that may be new. Several go into the folder ``output``."""
    from lipdub.studio.languages import LanguagesReport, make_folder, output_for
    from lipdub.studio.project.open_project import ProjectOptions, language_of

    reports, several = [], len(sources.languages) > 1
    with opened(project, sources.clip) as work:
        for speech in sources.languages:
            one = ProjectOptions(options, speech, named_options())
            language = language_of(sources.audio, one)
            target = output_for(output, sources.clip or work.source, language, several=several)
            if several:
                make_folder(output)
            reports.append(work.render(speech.to, target, one, sources.audio))
        if several:
            LanguagesReport(sources.clip or work.source, tuple(reports)).write(output)
    return reports
