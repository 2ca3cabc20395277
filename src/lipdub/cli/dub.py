"""The command dub: one clip or a project, in one language or in several."""

from pathlib import Path

import lipdub
from lipdub.cli.consent import ask_download, ask_people
from lipdub.cli.project_commands import DubFiles, DubSources, LanguagesOptions, dub_project
from lipdub.cli.screen import ScreenOptions, progress, stdout
from lipdub.errors import OptionError
from lipdub.review.report import Report, summary_table
from lipdub.studio.job import DubRequest
from lipdub.studio.languages import dub_languages
from lipdub.studio.options import DubOptions
from lipdub.studio.preflight.dry_run import dry_run


def run_dub(
    clip: Path | None, files: DubFiles, speech: LanguagesOptions, options: DubOptions, screen: ScreenOptions
) -> int:
    """Run the command and show the report of every film."""
    languages = speech.each()
    if clip is None and files.project is None:
        raise OptionError("no clip is given", remedy="Write lipdub dub CLIP, or name a project with --project")
    if files.audio is not None and len(languages) > 1:
        raise OptionError("a dub track has one language, and several are given", remedy="Dub each language by itself")
    if screen.dry_run:
        if clip is None:
            raise OptionError("--dry-run needs the clip", remedy="See what a project holds with: lipdub status")
        for one in languages:
            for line in dry_run(DubRequest(clip, files.output, files.audio, one, options)):
                stdout.print(line, soft_wrap=True)
        return 0
    if files.project is not None:
        reports = dub_project(files.project, DubSources(clip, files.audio, languages), files.output, options)
    else:
        assert clip is not None
        reports = _dub_clip(clip, files, speech, options, screen)
    for report in reports:
        if screen.json:
            stdout.out(report.to_json())
        else:
            stdout.print(summary_table(report))
    return 0


def _dub_clip(
    clip: Path, files: DubFiles, speech: LanguagesOptions, options: DubOptions, screen: ScreenOptions
) -> list[Report]:
    languages = speech.each()
    with progress(quiet=screen.json) as listener:
        caller = lipdub.Caller(listener, ask_people, ask_download)
        if len(languages) > 1:
            return list(dub_languages(clip, files.output, languages, options, caller).reports)
        return [
            lipdub.dub(clip, audio=files.audio, output=files.output, speech=one, options=options, caller=caller)
            for one in languages
        ]
