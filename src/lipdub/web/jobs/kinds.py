"""What a job of each kind does: it opens the project and calls it, as any Python program may.

The request of a job holds names and plain values; files in it are paths on this machine, which the API has checked. An
option that would start a program of the caller's choice is refused here, whoever asks.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lipdub.errors import InputError, OptionError, OutputError
from lipdub.studio.progress import Listener
from lipdub.studio.project.edits import SetLine
from lipdub.studio.project.line_change import LineChange
from lipdub.web.jobs.job import QUICK, Job
from lipdub.web.jobs.worker import JobWaits
from lipdub.web.places import Places

if TYPE_CHECKING:
    from lipdub.studio.project.hear_line import HeardLine
    from lipdub.studio.project.open_project import OpenProject, ProjectOptions

OPTIONS = frozenset(
    {
        *("engine", "speech_features", "face", "from_", "until", "skip", "if_longer", "if_shorter", "seed"),
        *("codec", "crf", "preset", "keep_original_audio", "language", "label", "label_corner", "label_seconds"),
        *("voice", "voice_likeness", "duration_fit", "source_language", "recogniser", "translator", "separator"),
        *("line", "loudness", "duck", "mix", "asr_check", "subtitles", "embed_subtitles", "credentials"),
    }
)
"""The options of a dub that a job may name: none that is a path, or a setting of an engine."""

TIMELINES = ("otio", "edl", "xml", "aaf")
"""Formats of ``export`` for editing software."""

SUBTITLES = ("srt", "vtt", "ttml")

_DEMO: Mapping[str, Any] = {"options": {"separator": "none", "asr_check": False}}
"""The demo has no music, and shall be there soon."""

_STATED = "consent was stated in the studio"
_HAS_ARGUMENTS = ("voice", "translator", "separator", "recogniser", "engine")


@dataclass(frozen=True)
class JobKinds:
    """Does jobs in the projects that ``places`` knows, with ``workers`` processes each (0: as many as there are cores).
    ``tell`` is told of projects that changed."""

    tell: Callable[[str, Mapping[str, Any]], None]
    places: Places
    workers: int = 0

    def run(self, job: Job, listener: Listener) -> Mapping[str, Any]:
        """Do ``job`` and return its result. Raises ``JobWaits`` while somebody else works in the project, what
        ``listener`` raises, and what the work raises."""
        if job.kind == "demo":
            return self._demo(job, listener)
        do = {
            "plan": self._plan,
            "redo": self._redo,
            "render": self._render,
            "hear": self._hear,
            "view": self._view,
            "export": self._export,
        }[job.kind]
        row = self.places.row(job.project)
        with self._opened(row.path, row.source, listener, alone=job.kind not in QUICK) as project:
            result = do(job, project, listener)
            if job.kind in ("plan", "redo", "render"):
                self._told_of(job.project, str(result.get("language", job.language)), project)
        return result

    @contextmanager
    def _opened(
        self, path: Path, source: Path | None, listener: Listener, why: str = _STATED, *, alone: bool = True
    ) -> "Iterator[OpenProject]":
        """The project at ``path``; ``source`` is the clip of a new one. Raises ``JobWaits`` if somebody else works in
        it, for work that must be ``alone`` or finds that it must."""
        import lipdub

        new = not (path / "project.json").exists()
        project = lipdub.open_project(path, source if new else None, lipdub.Caller(listener, why=why))
        if alone:
            _check_free(project)
        try:
            yield project
        except OutputError:
            _check_free(project)  # somebody began to work in it at the same moment
            raise

    def _plan(self, job: Job, project: "OpenProject", listener: Listener) -> dict[str, Any]:
        asked = job.request
        given, audio = self._given(asked, job.language), _path(asked, "audio")
        if job.attempts > 1 and not asked.get("overwrite") and _has_plan(project, job.language):
            plan = project.language_plan(job.language)  # a run that was killed had just written it
        else:
            plan = project.plan(audio, given, overwrite=bool(asked.get("overwrite")))
        return {"language": plan.language, "lines": len(plan.lines)}

    def _redo(self, job: Job, project: "OpenProject", listener: Listener) -> dict[str, Any]:
        asked, language = job.request, job.language
        given = self._given(asked)
        film = film_place(project, language) if asked.get("film") else None
        stale = asked["segments"] == "stale"
        lines = list(project.stale(language).lines if stale else asked["segments"])
        if fields := changed_fields(asked.get("changes") or {}):
            project.edit(language, [SetLine(line, fields) for line in lines])
        # after a worker died, what it had finished is not made once more
        left = [line for line in lines if stale or not made_since(project, language, line, job)]
        if left:
            project.redo_lines(language, left, given, film, anew=not stale)
        elif film is not None:
            project.render(language, film, given)
        plan = project.language_plan(language)
        takes = {line: found.take for line in lines if (found := plan.planned(line)) is not None}
        return {"language": language, "segments": lines, "takes": takes, **_film_result(job, film)}

    def _render(self, job: Job, project: "OpenProject", listener: Listener) -> dict[str, Any]:
        asked, film = job.request, film_place(project, job.language)
        given, audio = (
            self._given(asked, "" if _has_plan(project, job.language) else job.language),
            _path(asked, "audio"),
        )
        report = project.render(job.language, film, given, audio)
        seconds = round(float(report.output.duration), 6)
        told = {"warnings": list(report.warnings), "cues": len(report.cues), "seconds": seconds}
        return {"language": job.language, **told, **_film_result(job, film)}

    def _hear(self, job: Job, project: "OpenProject", listener: Listener) -> dict[str, Any]:
        asked = job.request
        change = LineChange(**changed_fields({name: asked.get(name) for name in ("text", "voice", "offset")}))
        heard = project.hear(job.language, str(asked["segment"]), change, self._given({}))
        return {"language": job.language, "segment": str(asked["segment"]), **heard_result(job, heard, project.zero)}

    def _view(self, job: Job, project: "OpenProject", listener: Listener) -> dict[str, Any]:
        from lipdub.web.media.project_media import make_project_media

        made = make_project_media(project.folder.path, listener)
        return {"made": [*(["source"] if made.source is not None else []), *made.films]}

    def _export(self, job: Job, project: "OpenProject", listener: Listener) -> dict[str, Any]:
        from lipdub.studio.options import TimelineOptions

        kind, language = str(job.request["format"]), job.language
        film = film_place(project, language)
        if kind in TIMELINES:
            file = film.with_suffix(f".{kind}")
            file.parent.mkdir(parents=True, exist_ok=True)
            project.export(language, file, options=TimelineOptions(overwrite=True))
        elif kind in ("film", "report", *SUBTITLES):
            options = {"subtitles": kind} if kind in SUBTITLES else {}
            project.render(language, film, self._given({"options": options}))
            file = {"film": film, "report": film.with_name(f"{film.stem}.report.json")}.get(
                kind, film.with_name(f"{film.stem}.{kind}")
            )
        else:
            raise OptionError(
                f"there is no export '{kind}'", remedy=f"Choose one of film, report, {', '.join(TIMELINES)}"
            )
        return {"language": language, "format": kind, "url": f"/v1/jobs/{job.id}/file", "_file": str(file)}

    def _demo(self, job: Job, listener: Listener) -> dict[str, Any]:
        from lipdub.demo.make import CONSENT_NOTE, make_demo_clip
        from lipdub.studio.caller import Caller

        folder = self.places.folder / "demo"
        clip, script = make_demo_clip(folder, Caller(listener))
        path = (folder / "demo.lipdub").absolute()
        with self._opened(path, clip, listener, CONSENT_NOTE) as project:
            film = film_place(project, "es")
            fresh = not _has_plan(project, "es")
            given = self._given({**_DEMO, "script": str(script) if fresh else ""}, "es" if fresh else "")
            project.render("es", film, given)
            id = next((row.id for row in self.places.rows() if row.path == path), "demo")
            self._told_of(id, "es", project)
        return {"project": id, "language": "es", **_film_result(job, film)}

    def _given(self, asked: Mapping[str, Any], language: str = "") -> "ProjectOptions":
        """The options of one run. Raises ``OptionError`` for those that cannot be set here."""
        from lipdub.studio.options import DubOptions, SpeechOptions
        from lipdub.studio.project.remembered_options import ProjectOptions

        named = checked_options(asked.get("options") or {})
        dub = DubOptions(workers=self.workers, overwrite=True, page=False)
        speech = SpeechOptions(script=_path(asked, "script"), to=language, line=str(asked.get("line", "")))
        dub = replace(dub, **{name: value for name, value in named.items() if _has(dub, name)})
        speech = replace(speech, **{name: value for name, value in named.items() if _has(speech, name)})
        if _path(asked, "audio") is not None:
            dub, speech = replace(dub, language=dub.language or language or None), replace(speech, to="")
        return ProjectOptions(dub, speech, frozenset(named))

    def _told_of(self, id: str, language: str, project: "OpenProject") -> None:
        """Tell those who listen that a language changed."""
        self.tell("project", {"project": id, "language": language, "revision": project.reviewed(language).revision})


def checked_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options from outside as the options' classes have them. Raises ``OptionError`` for one that a job may not set, or
    a value of another type."""
    import msgspec

    from lipdub.studio.options import DubOptions, SpeechOptions

    types = {f.name: (cls, f.name) for cls in (DubOptions, SpeechOptions) for f in fields(cls)}
    out = {}
    for name, value in options.items():
        if name not in OPTIONS or name not in types:
            raise OptionError(
                f"options: '{str(name)[:40]}' cannot be set here", remedy=f"Known: {', '.join(sorted(OPTIONS))}"
            )
        cls, field = types[name]
        try:
            out[name] = getattr(msgspec.convert({field: value}, cls, strict=True), field)
        except (msgspec.ValidationError, TypeError, ValueError) as wrong:
            raise OptionError(f"options: '{name}' has a value that does not fit") from wrong
        if name in _HAS_ARGUMENTS:
            for text in out[name] if isinstance(out[name], tuple) else (out[name],):
                check_starts_nothing(name, text)
    return out


def check_starts_nothing(name: str, text: str) -> None:
    """Raise ``OptionError`` if ``text``, a voice, translator, separator and so on, would start a program that it
    names."""
    plain = text.rpartition("=")[2] if name == "voice" else text
    starts = plain.partition(":")[0].strip() == "command" or (name == "separator" and plain not in ("", "bed", "none"))
    if starts:
        raise OptionError(
            f"{name}: a program cannot be named here",
            remedy="Name it on the command line, when the project is begun; it is remembered",
        )


def changed_fields(change: Mapping[str, Any]) -> dict[str, Any]:
    """What is changed about lines before they are made: the fields of ``LineChange``, without those that are None.

    Raises ``OptionError`` for a field that is not known.
    """
    known = {f.name for f in fields(LineChange)}
    wrong = next((name for name in change if name not in known), None)
    if wrong is not None:
        raise OptionError(
            f"changes: there is no field '{str(wrong)[:40]}'", remedy=f"Known: {', '.join(sorted(known))}"
        )
    values = {name: value for name, value in change.items() if value is not None}
    if "offset" in values:
        values["offset"] = Fraction(str(values["offset"]))
    for name in ("voice", "engine"):
        if name in values:
            check_starts_nothing(name, str(values[name]))
    return values


def heard_result(job: Job, heard: "HeardLine", zero: Fraction) -> dict[str, Any]:
    """The result of a job ``hear``: seconds count from where players start the source, which plans call ``zero``."""
    return {
        "audio": f"/v1/jobs/{job.id}/file",
        "start": round(float(heard.span.start - zero), 6),
        "end": round(float(heard.span.end - zero), 6),
        "rate": round(float(heard.rate), 4),
        "missing": round(float(heard.missing), 4),
        "_file": str(heard.file),
    }


def made_since(project: "OpenProject", language: str, line: str, job: Job) -> bool:
    """True if a take of ``line`` was made since ``job`` was begun first."""
    if job.attempts < 2:
        return False
    made = [datetime.fromisoformat(take.made) for take in project.takes(language, line) if take.made]
    return any(each.timestamp() >= job.started for each in made)


def film_place(project: "OpenProject", language: str) -> Path:
    """Where the film of a language is written: ``films/NAME.LANGUAGE.mp4`` beside the project. A file of that name
    which is not a film of this project is not replaced: then another name is taken."""
    from lipdub.media.encoder import CONTAINERS
    from lipdub.studio.project.project_folder import plan_name

    path, recorded = project.folder.path.absolute(), films_of(project).get(language)
    folder, suffix = path.parent / "films", project.source.suffix.lower()
    suffix = suffix if suffix in CONTAINERS else ".mp4"
    stem = f"{path.stem}.{plan_name(language)}"
    if recorded is not None and recorded.parent == folder:
        return recorded
    folder.mkdir(parents=True, exist_ok=True)
    names = (stem, *(f"{stem}.{number}" for number in range(2, 100)))
    free = next((name for name in names if not (folder / f"{name}{suffix}").exists()), None)
    if free is None:
        raise OutputError("too many files of that name are there", file=folder / f"{stem}{suffix}")
    return folder / f"{free}{suffix}"


def films_of(project: "OpenProject") -> dict[str, Path]:
    """The last film of each language, if it is there."""
    from lipdub.timeline.film_record import FilmRecord

    out = {}
    for language in project.project.languages if project.folder.exists else ():
        file = project.folder.film(language)
        try:
            film = FilmRecord.load(file).film if file.exists() else None
        except InputError:
            continue
        if film is not None and film.is_file():
            out[language] = film
    return out


def _film_result(job: Job, film: Path | None) -> dict[str, Any]:
    return {} if film is None else {"film": f"/v1/jobs/{job.id}/file", "_file": str(film)}


def _check_free(project: "OpenProject") -> None:
    """Raise ``JobWaits`` if another run works in the project."""
    if project.folder.is_worked_in:
        raise JobWaits("another run of lipdub works in this project")
    try:
        project.folder.check_no_shard_works()
    except OutputError as works:
        raise JobWaits(works.what) from works


def _has_plan(project: "OpenProject", language: str) -> bool:
    return project.folder.exists and language in project.project.languages


def _has(options: object, name: str) -> bool:
    return any(f.name == name for f in fields(options))  # type: ignore[arg-type]


def _path(asked: Mapping[str, Any], name: str) -> Path | None:
    return Path(asked[name]) if asked.get(name) else None
