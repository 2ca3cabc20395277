"""Several languages of one clip: analysed once, dubbed one after the other, and one report over all."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lipdub.disk.os_errors import cause_of
from lipdub.disk.publish import write_text
from lipdub.disk.temporary_folder import temporary_folder
from lipdub.errors import OptionError, OutputError
from lipdub.media.encoder import CONTAINERS
from lipdub.review.report import Report
from lipdub.studio.caller import Caller
from lipdub.studio.dub import dub_in
from lipdub.studio.job import DubRequest
from lipdub.studio.language_names import language_in_name
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.studio.session import open_session
from lipdub.studio.tools import Tools


@dataclass(frozen=True)
class LanguagesReport:
    """The reports of all dubs of a ``source``, in the order in which they were asked for."""

    source: Path
    reports: tuple[Report, ...]

    def write(self, folder: Path) -> None:
        """Write the summary to ``folder``. Raises ``OutputError``."""
        write_text(folder / f"{self.source.stem}.languages.json", self.to_json() + "\n")

    def to_json(self) -> str:
        """A summary as JSON: each film, its own report, and its warnings."""
        dubs = [
            {
                "language": report.speech.language if report.speech else "",
                "film": report.output.path.name,
                "frames": report.output.frames,
                "cues": len(report.cues),
                "seconds_changed": round(float(report.seconds_changed), 3),
                "passthrough": len(report.passthrough),
                "warnings": list(report.warnings),
                "notes": list(report.notes),
            }
            for report in self.reports
        ]
        return json.dumps({"source": self.source.name, "dubs": dubs}, indent=1, ensure_ascii=False)


def dub_languages(
    source: Path,
    output: Path,
    languages: Sequence[SpeechOptions],
    options: DubOptions = DubOptions(),
    caller: Caller = Caller(),
) -> LanguagesReport:
    """Dub ``source`` into several ``languages``. The films go into the folder ``output``: ``talk.es.mp4`` and so on,
    each with its report, and ``talk.languages.json`` over all.

    The clip is analysed once, and models are loaded once. Raises what ``dub`` raises; the films that were finished
    before stay.
    """
    requests = []
    for speech in languages:
        target = output_for(output, source, _language(speech), several=True)
        requests.append(DubRequest(source, target, None, speech, options))
    targets = [request.output for request in requests]
    twice = next((target for target in targets if targets.count(target) > 1), None)
    if twice is not None:
        raise OptionError("two dubs would have the same name", file=twice, remedy="Name each script by its language")
    make_folder(output)
    report = LanguagesReport(source, tuple(_dubs(requests, options, caller)))
    report.write(output)
    return report


def _dubs(requests: Sequence[DubRequest], options: DubOptions, caller: Caller) -> Iterator[Report]:
    """One dub after the other, with the same tools and the same kept work."""
    tools = Tools(options, caller.ask_download)
    with temporary_folder("languages") as folder:
        for request in requests:
            with open_session(options, caller.listener, tools=tools, unkept=folder) as session:
                yield dub_in(session, request, caller)


def make_folder(output: Path) -> None:
    """Make the folder in which several films go. Raises ``OutputError``."""
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as refused:
        cause = cause_of(refused)
        raise OutputError(f"cannot be made: {cause.what}", file=output, remedy=cause.remedy) from refused


def output_for(output: Path, source: Path, language: str, *, several: bool) -> Path:
    """Where the film of a language goes: ``output`` itself, or, for several, a file in that folder."""
    if not several:
        return output
    if not language:
        raise OptionError(
            "the language of one of the dubs is not known", remedy="Put it into the script's name: talk.es.srt"
        )
    return output / f"{source.stem}.{language}{source.suffix if source.suffix.lower() in CONTAINERS else '.mp4'}"


def _language(speech: SpeechOptions) -> str:
    return speech.to or ("" if speech.script is None else language_in_name(speech.script))
