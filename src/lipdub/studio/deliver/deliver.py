"""The stage ``deliver``: the speech is checked, the report is made, and all files appear under their names."""

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from lipdub.disk.os_errors import cause_of
from lipdub.disk.publish import PendingFile
from lipdub.edit.frame_table import frame_table
from lipdub.errors import OutputError
from lipdub.media.embedded_timecode import embedded_timecode
from lipdub.process.memory import give_back_memory
from lipdub.review.page import PageFrames, page
from lipdub.review.report import Report
from lipdub.studio.deliver.asr_check import AsrCheck, check_words
from lipdub.studio.deliver.credentials import lost_credentials, sign_film
from lipdub.studio.deliver.report import Outcome, make_report
from lipdub.studio.dub_plan import DubPlan
from lipdub.studio.film import Film
from lipdub.studio.film_work import FilmWork
from lipdub.studio.final_subtitles import subtitle_file
from lipdub.studio.job import Job
from lipdub.studio.session import Session
from lipdub.timeline.clip import Clip


def deliver(work: FilmWork, film: Film, session: Session) -> Report:
    """Publish the film, its report, its review page and its subtitles, all together, and return the report.

    Raises ``InputError`` if an input was changed during the work, and ``OutputError`` if the files cannot be
    published; then none of them stands under its name.
    """
    job, plan, check = work.job, work.plan, AsrCheck()
    give_back_memory()  # of rendering, before a recogniser is loaded
    if job.speech.asr_check and not plan.speech.brought:
        check = check_words(plan.speech, plan.features.features, job.speech.recogniser, session)
    part, signed = _pending(job, film, session), ()
    if job.options.credentials:
        with session.clock.stage("sign"):
            signed = sign_film(work, part, film.mixed, session.outputs)
    with session.clock.stage("deliver"):
        report = make_report(Outcome(job, plan, work.patches, film, check), session)
        notes = (*report.notes, *signed)
        warnings = (*report.warnings, *lost_credentials(job), *session.store.notes)
        report = replace(report, notes=notes, warnings=warnings)
    session.inputs.check_unchanged()
    frames = None if job.names.page is None else _page_frames(job.clip, part.path)
    _publish(job, plan, report, film, frames, session)
    return report


def _pending(job: Job, film: Film, session: Session) -> PendingFile:
    """The film where it is being written beside its place; it is copied there if it was assembled elsewhere."""
    part = session.outputs.pending(film.path)
    if part is None:
        part = session.outputs.part(job.names.film)
        shutil.copyfile(film.path, part.path)
    return part


def _page_frames(clip: Clip, film: Path) -> PageFrames:
    """When the frames of a clip's file and those of the ``film`` of the clip are shown."""
    rate = clip.rate if clip.filmed is None else clip.filmed.rate
    return PageFrames(
        frame_table(clip.file_times, clip.start, rate, embedded_timecode(clip.path)),
        frame_table(clip.times, clip.start, clip.rate, embedded_timecode(film)),
    )


def _publish(job: Job, plan: DubPlan, report: Report, film: Film, frames: PageFrames | None, session: Session) -> None:
    """Write what goes beside the film, and give all files their names, the film last."""
    names, outputs = job.names, session.outputs
    outputs.part(names.report).write_text(report.to_json() + "\n")
    if names.page is not None and frames is not None:
        outputs.part(names.page).write_text(page(report, names.page.parent, frames))
    if names.subtitles is not None and plan.speech.lines:
        outputs.part(names.subtitles).write_text(subtitle_file(plan.speech, job.clip, job.speech.subtitles))
    _make_folders(names.stems)
    for made, target in zip(film.stems, names.stems, strict=False):
        shutil.copyfile(made, outputs.part(target).path)
    outputs.publish()


def _make_folders(files: Iterable[Path]) -> None:
    """The folders of ``files``, where they are missing. Raises ``OutputError``."""
    for folder in {file.parent for file in files}:
        try:
            folder.mkdir(exist_ok=True)
        except OSError as refused:
            cause = cause_of(refused)
            raise OutputError(f"cannot be made: {cause.what}", file=folder, remedy=cause.remedy) from refused
