"""What goes into the API and comes out of it. The same types check requests and make the API's document.

Times are numbers of seconds, rounded to a microsecond, from the instant at which players start the source. In requests,
a field that is left out changes nothing.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Seconds = Annotated[float, Meta(ge=-100_000.0, le=200_000.0, description="Seconds from where players start the source")]
Length = Annotated[float, Meta(ge=0.0, le=200_000.0, description="Seconds")]
Shift = Annotated[float, Meta(ge=-600.0, le=600.0, description="Seconds; later if positive")]
Text = Annotated[str, Meta(max_length=5000)]
Name = Annotated[str, Meta(max_length=200)]
Id = Annotated[str, Meta(min_length=1, max_length=200)]
Whole = Annotated[int, Meta(ge=0, le=2**53)]
Verdict = Literal["accepted", "rejected", "unchecked"]
State = Literal["made", "missing", "changed", "left"]


class Given(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Part of a request: fields that are not known are refused."""


class Told(Struct, frozen=True, kw_only=True):
    """Part of an answer."""


class Range(Given, frozen=True):
    """A part of the source."""

    start: Seconds
    end: Seconds


class Source(Told, frozen=True):
    """The clip of a project. Facts are null until it was looked at."""

    name: str
    exists: bool
    duration: float | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    rate: str | None = None
    digest: str = ""


class Counts(Told, frozen=True):
    """How many lines are in each state."""

    made: int = 0
    missing: int = 0
    changed: int = 0
    left: int = 0


class Film(Told, frozen=True):
    """The last film of a language."""

    url: str
    name: str
    made: str
    bytes: int


class LanguageSummary(Told, frozen=True):
    """One language of a project. ``revision`` changes with every edit of the plan or of the marks."""

    language: str
    status: str
    revision: str
    counts: Counts
    film: Film | None = None


class PersonShown(Told, frozen=True):
    """Somebody who is seen in the source, and when. ``lane`` is the place of the person on the time line."""

    id: str
    name: str
    picture: str | None = None
    spans: list[Range] = []
    lane: int = 0


class JobError(Told, frozen=True):
    """Why a job failed."""

    title: str
    detail: str
    remedy: str = ""


class Progress(Told, frozen=True):
    """How far a job is: ``done`` of ``total`` in its ``stage``."""

    stage: str
    done: float
    total: float


class JobShown(Told, frozen=True):
    """A piece of work in the queue."""

    id: str
    kind: str
    project: str
    language: str
    status: Literal["queued", "processing", "completed", "failed", "cancelled"]
    progress: Progress | None = None
    created: str | None = None
    started: str | None = None
    ended: str | None = None
    attempts: int = 0
    error: JobError | None = None
    result: dict[str, Any] | None = None


class ProjectShown(Told, frozen=True):
    """A project."""

    id: str
    name: str
    status: Literal["empty", "queued", "processing", "ready", "failed"]
    source: Source
    languages: list[LanguageSummary]
    people: list[PersonShown]
    ranges: list[Range]
    consent: bool
    removable: bool
    job: Any = None
    problem: Any = None


class ProjectList(Told, frozen=True):
    """A page of projects."""

    data: list[ProjectShown]
    next_cursor: str | None = None


class NewProject(Given, frozen=True):
    """A new project: its source is a finished upload, or a file that lies beside the studio's projects. With a script,
    a dub track (``audio``) or ``to`` it is planned at once. ``consent``: the people in it agreed to be dubbed."""

    consent: bool = False
    upload_id: Id | None = None
    path: Annotated[str, Meta(max_length=4096)] | None = None
    script: Id | None = None
    audio: Id | None = None
    to: Name | None = None
    name: Name | None = None


class ProjectMade(Told, frozen=True):
    """A project that was made, and the job that plans it, if there is one."""

    project: ProjectShown
    job: Any = None


class ProjectChange(Given, frozen=True):
    """What is changed about a project."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]


class SpeechChoices(Given, frozen=True):
    """How a language is made. ``translator`` and ``recogniser`` are names of plugins, for a language without a script
    or a dub track."""

    source_language: Name = ""
    translator: Name = ""
    recogniser: Name = ""
    voices: list[Name] = []
    engine: Name = ""
    seed: Whole = 0


class NewLanguage(Given, frozen=True):
    """A language to plan: from a ``script`` or a finished dub track (``audio``), both ids of uploads, or by translating
    what is said in the source."""

    language: Annotated[str, Meta(max_length=35)] = ""
    script: Id | None = None
    audio: Id | None = None
    translate: bool = False
    overwrite: bool = False
    options: SpeechChoices = SpeechChoices()


class Flag(Told, frozen=True):
    """Something that a reviewer should look at."""

    kind: str
    text: str


class Pace(Told, frozen=True):
    """How the speech fits its time: stretched by ``rate``, ``missing`` seconds cut off, heard in ``said``."""

    rate: float
    missing: float
    said: Range | None


class Scores(Told, frozen=True):
    """What was measured on the take that is used."""

    sync: float | None = None
    closures_found: float | None = None
    closures_requested: float | None = None
    word_errors: float | None = None


class Segment(Told, frozen=True):
    """A line of a language."""

    id: str
    start: float
    end: float
    text: str
    source_text: str
    speaker: str
    person: str | None
    voice: str
    offset: float
    engine: str
    seed: int | None
    leave: bool
    take: int
    takes: int
    state: State
    verdict: Verdict
    note: str
    flags: list[Flag]
    pace: Pace | None
    scores: Scores
    status: Literal["fresh", "stale", "queued", "running", "failed", "kept"]


class SegmentList(Told, frozen=True):
    """Lines of a language."""

    data: list[Segment]
    next_cursor: str | None = None
    revision: str = ""


class LeftAsFilmed(Told, frozen=True):
    """A part that stays as filmed, and why."""

    start: float
    end: float
    why: str
    person: str | None = None


class LanguageShown(Told, frozen=True):
    """A language with all its lines."""

    language: str
    status: str
    revision: str
    source_language: str
    segments: list[Segment]
    left_as_filmed: list[LeftAsFilmed]
    shots: list[Range]
    notes: list[str]
    track: str | None
    film: Film | None


class SegmentChange(Given, frozen=True):
    """What is changed about a line. A ``verdict`` "rejected" leaves the line as filmed."""

    text: Text | UnsetType = UNSET
    start: Seconds | UnsetType = UNSET
    end: Seconds | UnsetType = UNSET
    offset: Shift | UnsetType = UNSET
    voice: Name | UnsetType = UNSET
    speaker: Name | UnsetType = UNSET
    source_text: Text | UnsetType = UNSET
    person: Name | UnsetType | None = UNSET
    leave: bool | UnsetType = UNSET
    seed: Whole | UnsetType | None = UNSET
    engine: Name | UnsetType = UNSET
    note: Text | UnsetType = UNSET
    verdict: Verdict | UnsetType = UNSET


class OneSegmentChange(SegmentChange, frozen=True):
    """What is changed about a line, and the ``revision`` that it is based on (or the header If-Match)."""

    revision: Annotated[str, Meta(max_length=200)] | None = None


class NewSegment(Given, frozen=True):
    """A line that is put in. ``id`` is only given to undo a removal."""

    start: Seconds
    end: Seconds
    text: Text
    id: Id | None = None
    speaker: Name = ""
    person: Name | None = None
    voice: Name = ""
    offset: Shift = 0.0
    engine: Name = ""
    seed: Whole | None = None
    leave: bool = False
    take: Whole = 0
    note: Text = ""
    verdict: Verdict = "unchecked"
    source_text: Text = ""


class SetEdit(Given, frozen=True, tag_field="op", tag="set"):
    """Change fields of a line."""

    segment: Id
    fields: SegmentChange


class SplitEdit(Given, frozen=True, tag_field="op", tag="split"):
    """Make two lines of one."""

    segment: Id
    at: Seconds
    text: tuple[Text, Text] | None = None


class MergeEdit(Given, frozen=True, tag_field="op", tag="merge", rename={"other": "with"}):
    """Make one line of two; the first one's id stays."""

    segment: Id
    other: Id


class InsertEdit(Given, frozen=True, tag_field="op", tag="insert"):
    """Put a line in."""

    segment: NewSegment


class RemoveEdit(Given, frozen=True, tag_field="op", tag="remove"):
    """Take a line out."""

    segment: Id


class RangesEdit(Given, frozen=True, tag_field="op", tag="ranges"):
    """Set the parts of the source in which nobody is dubbed."""

    ranges: Annotated[list[Range], Meta(max_length=500)]


AnyEdit = SetEdit | SplitEdit | MergeEdit | InsertEdit | RemoveEdit | RangesEdit


class Edits(Given, frozen=True):
    """Edits that are made together, or not at all."""

    edits: Annotated[list[AnyEdit], Meta(min_length=1, max_length=1000)]
    revision: Annotated[str, Meta(max_length=200)] | None = None


class SegmentEdited(Told, frozen=True):
    """A line after it was changed, and the edits that take the change back."""

    segment: Segment
    revision: str
    undo: list[AnyEdit]


class Edited(Told, frozen=True):
    """What edits changed, and the edits that take it back."""

    revision: str
    segments: list[Segment]
    removed: list[str]
    undo: list[AnyEdit]


class RangeList(Told, frozen=True):
    """The parts of the source in which nobody is dubbed."""

    data: list[Range]


class PersonName(Given, frozen=True):
    """What a person is called."""

    name: Annotated[str, Meta(max_length=200)]


class SamePeople(Given, frozen=True):
    """People who are the same person as this one."""

    others: Annotated[list[Id], Meta(min_length=1, max_length=100)]


class PeopleList(Told, frozen=True):
    """Everybody who is seen."""

    data: list[PersonShown]
    next_cursor: str | None = None


class NewUpload(Given, frozen=True):
    """A file that will be sent in parts."""

    name: Annotated[str, Meta(max_length=4096)]
    size: Annotated[int, Meta(ge=1)]


class UploadShown(Told, frozen=True):
    """A file that is being sent: ``offset`` bytes of ``size`` are here."""

    id: str
    name: str
    size: int
    offset: int
    complete: bool


class LimitsShown(Told, frozen=True):
    """What is taken at most."""

    upload_bytes: int
    uploads: int
    seconds: float
    projects: int
    queued_jobs: int
    body_bytes: int


class VoiceShown(Told, frozen=True):
    """A voice that can be chosen."""

    name: str
    label: str
    languages: list[str]


class StatusShown(Told, frozen=True):
    """The studio itself."""

    version: str
    jobs: dict[str, int]
    limits: LimitsShown
    languages_of_page: list[str]
    voices: list[VoiceShown]
    engines: list[str]
    consent_statement: str
