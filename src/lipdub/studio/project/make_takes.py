"""What a plan of a project is missing is made: speech and mouths of lines that have no take, and then the film.

Lines with a take that still fits the plan are not made again, whatever changes around them.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from lipdub.errors import InputError, NothingToDub
from lipdub.media.read import prefetch, read_frames
from lipdub.plugins import fingerprint_of
from lipdub.studio.analysis import Analysis
from lipdub.studio.cue_folder import CueFolders
from lipdub.studio.dub_plan import DubPlan, KeptLine, LineChoices, PlannedCue
from lipdub.studio.film_work import FilmFolders, FilmWork
from lipdub.studio.job import Job
from lipdub.studio.plan.line_slots import slots_by_person, timed_lines
from lipdub.studio.plan.plan_dub import plan_dub
from lipdub.studio.plan.plan_speech import GivenLines
from lipdub.studio.project.make_plan import dub_lines
from lipdub.studio.project.merge_plans import merge_plans
from lipdub.studio.project.people import people_by_name
from lipdub.studio.project.planned_slots import planned_slots
from lipdub.studio.project.project_folder import ProjectFolder
from lipdub.studio.project.ranges import begins_in
from lipdub.studio.project.sound_digests import slot_digests
from lipdub.studio.project.takes import LineTakes, TakeFolder
from lipdub.studio.render.render import CueRenderer
from lipdub.studio.session import Session
from lipdub.studio.store import key
from lipdub.timeline.language_plan import LanguagePlan
from lipdub.timeline.lines import Line
from lipdub.timeline.take import LineRecipe, LineVoice, Take
from lipdub.timeline.time import Span, shared_spans


@dataclass(frozen=True, eq=False)
class LanguageWork:
    """The dub of a project's source in one language, in one run: the ``plan``, and for every line the
    ``recipe`` of the take that it needs, and the take with that recipe, if there is one (``have``). ``timed`` are the
    lines with the spans in which the source says them, ``names`` the ids of people by name, ``slots`` the
    time that belongs to each line. ``begun`` is the plan as it was on the disk when the run began (None: ``plan``)."""

    folder: ProjectFolder
    plan: LanguagePlan
    job: Job
    analysis: Analysis
    timed: tuple[Line, ...]
    recipes: Mapping[str, LineRecipe]
    have: Mapping[str, Take]
    names: Mapping[str, str] = field(default_factory=dict)
    slots: Mapping[str, Span] = field(default_factory=dict)
    begun: LanguagePlan | None = None

    @property
    def takes(self) -> LineTakes:
        """All takes of the language."""
        return LineTakes(self.folder, self.plan.language)

    @property
    def missing(self) -> tuple[str, ...]:
        """The ids of the lines that need a take, in order of time."""
        return tuple(line for line in self.recipes if line not in self.have)


@dataclass(frozen=True, eq=False)
class PlannedTakes:
    """The ``plan`` of a dub, its cues that change frames (``planned``), and the folders in which takes are made, by
    line id (``making``)."""

    plan: DubPlan
    making: dict[str, TakeFolder]
    planned: tuple[PlannedCue, ...]

    def cues_of(self, line: str) -> list[PlannedCue]:
        """The cues of a line that change frames."""
        return [planned for planned in self.planned if planned.cue.line_id == line]


def language_work(
    folder: ProjectFolder, plan: LanguagePlan, job: Job, analysis: Analysis, session: Session
) -> LanguageWork:
    """What is there and what is missing of one language.

    Raises ``InputError`` if a line is said by somebody who is not there, and what reading the dub track raises.
    """
    names = people_by_name(folder)
    plan = _with_people(plan, analysis, names, folder.plan(plan.language))
    source = None if analysis.sound is None else analysis.sound.features
    lines = [planned.line for planned in plan.lines]
    timed = timed_lines(lines, source if plan.track is None else None)
    people = {planned.line.id: planned.person for planned in plan.lines if planned.person is not None}
    slots = slots_by_person(timed, people, job.clip.span)
    digests = slot_digests(job, slots) if job.audio is not None else {}
    engine = engine_name(job, session)
    takes = LineTakes(folder, plan.language)
    recipes, have = {}, {}
    for planned in plan.lines:
        line = planned.line.id
        if planned.leave or (plan.track is None and begins_in(planned, job.excluded)):
            continue
        recipe = planned.recipe(slots[line].span, digests.get(line, ""), engine, job.options.seed)
        recipes[line] = replace(recipe, excluded=shared_spans([recipe.slot], job.excluded))
        fitting = []
        for made in takes.all(line):
            take = made.take
            if take is not None and take.recipe == recipes[line]:
                fitting.append(take)
            elif take is None and (why := made.damage):
                session.store.tell(f"{made.path}: this take is damaged and is made again if needed ({why})")
        chosen = next((take for take in fitting if take.number == planned.take), None)
        if chosen is not None or fitting:
            have[line] = chosen or fitting[-1]
    spans = {line: slot.span for line, slot in slots.items()}
    return LanguageWork(folder, plan, job, analysis, timed, recipes, have, names, spans)


def _with_people(plan: LanguagePlan, analysis: Analysis, names: Mapping[str, str], file: Path) -> LanguagePlan:
    """The plan with the ids of people where it has names. Raises ``InputError`` for somebody who is not there."""
    known = {person.id: person.name for person in analysis.people}
    lines = []
    for planned in plan.lines:
        person = planned.person
        if person and person not in known:
            if names.get(person) not in known:
                have = ", ".join(f"{id_} ({name})" if name else id_ for id_, name in known.items()) or "none"
                raise InputError(
                    f"line {planned.line.id}: person: there is no person '{person}' in the source (people: {have})",
                    file=file,
                    remedy="Mend it in the file; see who is there: lipdub people PROJECT",
                )
            planned = replace(planned, person=names[person])
        lines.append(planned)
    return replace(plan, lines=tuple(lines))


def engine_name(job: Job, session: Session) -> str:
    """The engine of a run with its version, options and weights, as recipes name it, and how the picture was made
    longer, because the same frames then show something else."""
    engine, length = session.tools.engine, job.length
    longer = () if length is None else (length.kind, length.slower)
    return f"{engine.name}:{key(fingerprint_of(engine), sorted(job.options.engine_option), *longer)[:12]}"


def plan_takes(
    work: LanguageWork, session: Session, wanted: Collection[str], anew: Collection[str] = ()
) -> PlannedTakes:
    """The plan in which the ``wanted`` lines (by id) are spoken, and all others that have a take are kept. Lines of
    ``anew`` get a new take even if they have one with the same recipe.

    Raises what ``plan_dub`` raises, and ``OutputError`` if takes cannot be written.
    """
    made = [line for line in work.recipes if line in wanted]
    making = {line: work.takes.to_make(line, work.recipes[line], anew=line in anew) for line in made}
    given = given_lines(work, session, {line: folder.voice for line, folder in making.items()})
    plan = plan_dub(work.job, work.analysis, session, given)
    for line, folder in making.items():
        voice = plan.speech.line_voices.get(line)
        if voice is not None and folder.voice is None:
            folder.keep_voice(voice)
    return PlannedTakes(plan, making, plan.cues(work.job.clip))


def given_lines(work: LanguageWork, session: Session, made: Mapping[str, LineVoice | None]) -> GivenLines:
    """The lines that are ``made`` in this run (by id, with their speech if they have any already), those that have a
    take, and what was decided for single ones."""
    kept = {line: take for line, take in work.have.items() if line not in made}
    lines = dub_lines(work.job, work.plan, session)
    lines = replace(lines, lines=tuple(line for line in lines.lines if line.id in kept or line.id in made))
    return GivenLines(lines, _choices(work, kept, made), work.timed)


def _choices(work: LanguageWork, kept: Mapping[str, Take], made: Mapping[str, LineVoice | None]) -> LineChoices:
    """What was decided for single lines. The speech of takes that were begun before is kept, too."""
    lines = {planned.line.id: planned for planned in work.plan.lines}
    stay = {line: KeptLine(lines[line].line, t.voice, tuple(p.cue for p in t.patches)) for line, t in kept.items()}
    for line, voice in made.items():
        if voice is not None:
            stay[line] = KeptLine(lines[line].line, voice, None)
    later = (line for line in work.timed if line.id in work.recipes and line.id not in stay and line.id not in made)
    return LineChoices(
        later=tuple(later),
        kept=stay,
        voices={line: p.voice for line, p in lines.items() if p.voice},
        offsets={line: p.offset for line, p in lines.items() if p.offset},
        people={line: p.person for line, p in lines.items() if p.person is not None},
        seeds={line: p.seed for line, p in lines.items() if p.seed is not None},
        excluded=tuple(work.slots[line] for line, p in lines.items() if p.leave),
        names=work.names,
    )


def render_lines(work: LanguageWork, takes: PlannedTakes, session: Session) -> None:
    """Render the cues of the lines that are made into their reels, without a film. Raises what rendering raises."""
    clip = work.job.clip
    folders = film_folders(work, takes, session)
    renderer = CueRenderer(work.job, takes.plan, folders.cues, session)
    cues = [p for p in takes.planned if p.cue.line_id in takes.making and folders.cues.finished(p.cue.id) is None]
    with session.clock.stage("render"):
        for done, planned in enumerate(cues, 1):
            first, stop = planned.frames.start, planned.frames.stop
            needed = renderer.needed(first, stop)
            for _ in renderer.patched(first, stop, prefetch(read_frames(clip, needed.start, needed.stop))):
                pass
            session.clock.tell("render", done, len(cues))


def finish_takes(work: LanguageWork, takes: PlannedTakes) -> LanguagePlan:
    """Complete the takes whose cues are all rendered, and choose them: the plan with their numbers, which is saved.

    What was edited in the plan while the run worked stays (``merge_plans``). Raises ``OutputError``, and ``InputError``
    if the plan on the disk cannot be used any more.
    """
    numbers = {line: take.number for line, take in work.have.items() if line not in takes.making}
    slots = planned_slots(work.plan, work.folder.load())
    for line, number in numbers.items():
        work.takes.folder_of(line, number).keep_planned(slots[line])
    for line, folder in takes.making.items():
        take = folder.take or folder.finish(tuple(planned.cue for planned in takes.cues_of(line)), slots[line])
        if take is not None:
            numbers[line] = take.number
    lines = tuple(replace(p, take=numbers.get(p.line.id, p.take)) for p in work.plan.lines)
    return save_ended(work.folder, work.begun or work.plan, replace(work.plan, lines=lines), work.job.clip.start)


def save_ended(folder: ProjectFolder, begun: LanguagePlan, ended: LanguagePlan, zero: Fraction) -> LanguagePlan:
    """Save what a run made of the plan ``begun``, into the plan as it is on the disk now, which is returned. Raises
    what ``finish_takes`` raises."""
    with folder.editing():
        now = folder.load_plan(ended.language, zero) if folder.plan(ended.language).exists() else begun
        plan = merge_plans(begun, ended, now)
        if plan != now:
            folder.save_plan(plan, zero)
        return plan


def film_folders(work: LanguageWork, takes: PlannedTakes, session: Session) -> FilmFolders:
    """Where the cues of all lines are kept, and names that change when their patches do."""
    engine = engine_name(work.job, session)
    resting = work.folder.resting(work.plan.language) / key(engine, work.job.options.seed)[:12]
    folders: dict[str, Path] = {}
    names: dict[str, str] = {}
    numbers = {line: take.number for line, take in work.have.items()}
    numbers |= {line: folder.number for line, folder in takes.making.items()}
    for planned in takes.planned:
        line, cue = planned.cue.line_id, planned.cue.id
        if line in numbers:
            take = work.folder.line(work.plan.language, line) / str(numbers[line])
            folders[cue], names[cue] = take / "cues" / cue, f"{line}/{numbers[line]}"
        else:
            names[cue] = f"resting/{engine}"
    cues = CueFolders(resting, reels=True, folders=folders)
    language = work.plan.language
    return FilmFolders(cues, work.folder.segments(language), work.folder.sound(language), names)


def check_something_to_do(work: LanguageWork, takes: PlannedTakes) -> None:
    """Raise ``NothingToDub`` if no mouth changes in the whole film."""
    if not takes.planned:
        raise NothingToDub(
            "no mouth may be changed in this project",
            file=work.job.clip.path,
            remedy=f"See who says what: {work.folder.plan(work.plan.language)}",
        )


def remove_old_segments(film: FilmWork) -> None:
    """Remove encoded segments of earlier films that this one does not use. What cannot be removed stays."""
    used = {name.split(".")[0] for name in film.names}
    for file in film.folder.glob("*.*"):
        if file.name.split(".")[0] not in used:
            with suppress(OSError):
                file.unlink(missing_ok=True)
