"""A new project out of what was uploaded: everything is checked before anything is moved.

lipdub/talk/talk.mp4         the source
lipdub/talk/inputs/          scripts and dub tracks
lipdub/talk/talk.lipdub      made by the job that plans it
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lipdub.disk.atomic import remove_at_once
from lipdub.disk.os_errors import cause_of
from lipdub.errors import InputError, OutputError
from lipdub.studio.preflight.consent import STATEMENT
from lipdub.web.api.shapes import NewProject
from lipdub.web.places import SUFFIX
from lipdub.web.probe_apart import Kind
from lipdub.web.problems import Busy, TooMany, WrongField
from lipdub.web.project_list import ListedProject, slug
from lipdub.web.studio import Studio
from lipdub.web.uploads import Upload, file_name

INPUTS, FILMS = "inputs", "films"
SCRIPTS = (".srt", ".vtt", ".ass", ".ssa", ".json", ".txt")


@dataclass(frozen=True)
class MadeProject:
    """A new project, where its script or dub track is now, and the job that plans it (None: there is none)."""

    row: ListedProject
    inputs: dict[str, Path]
    job: Any


def make_project(studio: Studio, new: NewProject, *, plans: bool = True) -> MadeProject:
    """A new project; with ``plans`` a job plans it at once, if it is known in which language.

    Raises ``WrongField``, ``TooMany``, ``InputError`` for a file that cannot be used (its ``field`` names which), and
    ``OutputError``.
    """
    if not new.consent:
        raise WrongField(
            f"consent: it was not stated. Is this true? “{STATEMENT}”", "consent", remedy="If it is, send consent=true"
        )
    if (new.upload_id is None) == (new.path is None):
        raise WrongField("give either upload_id, or path", "upload_id")
    if new.script is not None and new.audio is not None:
        raise WrongField("give a script or a dub track (audio), not both", "audio")
    if len(studio.places.rows()) >= studio.limits.projects:
        raise TooMany(f"there are {studio.limits.projects} projects already", remedy="Remove some")
    with about("video"):
        video = _source(studio, new)
        facts = studio.sources.look(video if isinstance(video, Path) else video.file)
    script, audio = _script(studio, new.script), _audio(studio, new.audio)
    given = video.name
    name = " ".join((new.name or Path(given).stem).split()) or "project"
    consent = {"how": "stated in the studio", "when": datetime.now(UTC).isoformat(timespec="seconds")}
    with _new_folder(studio, slug(name)) as folder:
        source = video
        if isinstance(video, Upload):
            source = folder / _apart(file_name(given), folder.name)
            studio.uploads.take(video.id, source)
            studio.sources.keep(source, facts)
        assert isinstance(source, Path), "an upload has become one"
        inputs = {
            field: take_input(studio, folder, each) for field, each in (("script", script), ("audio", audio)) if each
        }
        path = folder / f"{folder.name}{SUFFIX}"
        row = studio.places.listed.add(path.absolute(), source.absolute(), name, consent, made=True)
    files = {name: str(file) for name, file in inputs.items()}
    job = studio.add_job("plan", row.id, new.to or "", files) if plans and (inputs or new.to) else None
    return MadeProject(row, inputs, job)


@dataclass(frozen=True)
class StudioAssets:
    """Makes projects for ``/v2``, whose caller has checked the consent."""

    studio: Studio

    def begin(self, video: Any, audio: Any | None) -> tuple[str, Path | None]:
        """A new project with the source ``video``, an upload or a path; returns its id, and where the dub track
        ``audio`` is now. Raises what ``make_project`` raises."""
        if audio is not None and audio.path:
            raise WrongField("input: the audio has to be uploaded", "input", remedy="Give its id as assetId")
        made = make_project(
            self.studio,
            NewProject(
                consent=True,
                upload_id=video.upload or None,
                path=video.path or None,
                audio=None if audio is None else audio.upload,
            ),
            plans=False,
        )
        return made.row.id, made.inputs.get("audio")


def take_input(studio: Studio, folder: Path, upload: Upload) -> Path:
    """Move a script or a dub track into the folder beside a project; returns where it is. Raises ``OutputError``."""
    inputs = folder / INPUTS
    try:
        inputs.mkdir(exist_ok=True)
    except OSError as refused:
        raise OutputError(f"cannot be written: {cause_of(refused).what}", file=inputs) from refused
    wanted = Path(upload.name)
    names = (wanted.name, *(f"{wanted.stem}-{n}{wanted.suffix}" for n in range(2, 1000)))
    target = next((inputs / name for name in names if not (inputs / name).exists()), None)
    if target is None:
        raise OutputError("there are a thousand files of this name already", file=inputs)
    studio.uploads.take(upload.id, target)
    return target.absolute()


def checked_input(studio: Studio, kind: Kind, id: str | None) -> Upload | None:
    """An upload that can be used as a script, or as a dub track (``kind`` "audio"); None if there is none. Raises
    ``WrongField``, ``InputError``."""
    return _script(studio, id) if kind == "script" else _audio(studio, id)


def remove_project(studio: Studio, row: ListedProject) -> None:
    """Remove what the studio made of a project: its folder, its source if it was uploaded, its films. Other files in
    that folder stay. Raises ``InputError`` for a project that the studio did not make, ``Busy`` while jobs work in
    it."""
    folder = row.path.parent
    if not row.made or folder.parent != studio.places.folder.absolute() or folder.is_symlink():
        raise InputError("the studio did not make this project", remedy="Remove its folder yourself")
    jobs = studio.jobs.jobs(row.id, limit=50)
    job = next((each for each in jobs if each.status in ("queued", "processing")), None)
    if job is not None:
        raise Busy("a job works in this project", job=job.shown(), remedy="Cancel it first")
    own = [row.path, folder / INPUTS, folder / FILMS]
    if row.source is not None and row.source.parent == folder:
        own.append(row.source)
    studio.places.listed.remove(row.id)
    studio.jobs.forget(row.id)
    try:
        for path in own:
            remove_at_once(path, ".removed-")
        if not any(folder.iterdir()):
            folder.rmdir()
    except OSError as refused:
        cause = cause_of(refused)
        raise OutputError(f"not all of it could be removed: {cause.what}", remedy=cause.remedy) from refused


@contextmanager
def about(field: str) -> Iterator[None]:
    """Errors of the block name the ``field`` of the request that they are about."""
    try:
        yield
    except InputError as wrong:
        if not getattr(wrong, "field", ""):
            wrong.field = field  # type: ignore[attr-defined]
        raise


def _source(studio: Studio, new: NewProject) -> Upload | Path:
    if new.upload_id is not None:
        return studio.uploads.finished(new.upload_id, "upload_id")
    assert new.path is not None, "one of them is given"
    path = Path(new.path)
    try:
        held = path.is_absolute() and studio.places.holds(path) and path.is_file()
    except (OSError, ValueError):
        held = False
    if not held:
        raise WrongField(
            "path: there is no such file beside the studio's projects", "path", remedy="Upload it: POST /v1/uploads"
        )
    if path.stat().st_size > studio.limits.upload_bytes:
        studio.uploads.check_size(path.stat().st_size)
    return path.resolve()


def _script(studio: Studio, id: str | None) -> Upload | None:
    if id is None:
        return None
    found = studio.uploads.finished(id, "script")
    with about("script"):
        if Path(found.name).suffix.lower() not in SCRIPTS:
            raise InputError(f"'{found.name}' is no script", remedy=f"Give one of {', '.join(SCRIPTS)}")
        with studio.uploads.named(id) as file:
            studio.sources.look(file, "script")
    return found


def _audio(studio: Studio, id: str | None) -> Upload | None:
    if id is None:
        return None
    found = studio.uploads.finished(id, "audio")
    with about("audio"):
        studio.sources.look(found.file, "audio")
    return found


@contextmanager
def _new_folder(studio: Studio, name: str) -> Iterator[Path]:
    """A new folder for a project, called ``name`` or so; it is removed if the block raises."""
    root = studio.places.folder.absolute()
    with studio.making, ExitStack() as undo:
        for number in range(1, 10_000):
            folder = root / (name if number == 1 else f"{name}-{number}")
            try:
                folder.mkdir()
                break
            except FileExistsError:
                continue
            except OSError as refused:
                cause = cause_of(refused)
                raise OutputError(f"cannot be made: {cause.what}", file=folder, remedy=cause.remedy) from refused
        else:
            raise OutputError("there are ten thousand projects of this name already", file=root / name)
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder
        undo.pop_all()


def _apart(name: str, folder: str) -> str:
    """``name``, unless other things of the project are called so."""
    taken = {INPUTS, FILMS, f"{folder}{SUFFIX}"}
    return f"source-{name}" if name.casefold() in {each.casefold() for each in taken} else name
