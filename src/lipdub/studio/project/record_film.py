"""What a film shows is written down when it is made, so that exporting a cut reads a few small files only."""

from contextlib import suppress

from lipdub.edit.edit_rate import edit_rate
from lipdub.errors import InputError
from lipdub.media.embedded_timecode import embedded_timecode
from lipdub.review.report import RenderedCue, Report
from lipdub.studio.job import STEMS, Job
from lipdub.studio.project.make_takes import LanguageWork, PlannedTakes
from lipdub.studio.project.project_folder import told_as_output
from lipdub.timeline.clip import Clip
from lipdub.timeline.film_record import ChangedMouth, FilmRecord


def write_film_record(work: LanguageWork, takes: PlannedTakes, report: Report) -> None:
    """Keep in the project what the film of ``report``, which was published, shows. Raises ``OutputError``."""
    numbers = {line: take.number for line, take in work.have.items() if line not in takes.making}
    numbers |= {line: folder.number for line, folder in takes.making.items() if folder.told is not None}
    file = work.folder.film(work.plan.language)
    with told_as_output(file):
        record = _record(work.job, report, numbers)
        file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists():
        with suppress(InputError):  # a damaged record is replaced
            record = record.following(FilmRecord.load(file))
    record.save(file)


def _changed(cue: RenderedCue, clip: Clip) -> ChangedMouth:
    inside = [clip.times.within(span) for span in cue.changed]
    return ChangedMouth(cue.cue.line_id, cue.changed, tuple((frames.start, frames.stop) for frames in inside))


def _record(job: Job, report: Report, takes: dict[str, int]) -> FilmRecord:
    clip, film = job.clip, report.output.path.absolute()
    rate = edit_rate(clip.times, clip.rate)
    return FilmRecord(
        film=film,
        size=film.stat().st_size,
        rate=rate.rate,
        constant=rate.constant,
        frames=len(clip),
        source_frames=len(clip.file_times),
        source_length=clip.file_times.whole.duration,
        own_frames=clip.own_frames,
        first=clip.span.start,
        length=clip.span.duration,
        start=clip.start,
        timecode=embedded_timecode(clip.path),
        film_timecode=embedded_timecode(film),
        shape=clip.size,
        has_sound=clip.has_sound,
        takes=takes,
        stems={name: file.absolute() for name, file in zip(STEMS, job.names.stems, strict=False) if file.is_file()},
        word_errors={} if report.speech is None else dict(report.speech.word_errors),
        timings={one.stage: one.seconds for one in report.timings},
        changed=tuple(_changed(cue, clip) for cue in report.cues if cue.changed),
    )
