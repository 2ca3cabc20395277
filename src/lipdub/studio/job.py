"""What is asked for, and the same once it was checked: values that can be pickled."""

from dataclasses import dataclass
from pathlib import Path

from lipdub.faces.active_speaker import FaceSelector
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.timeline.clip import Clip
from lipdub.timeline.clip_length import LengthChange
from lipdub.timeline.time import Span
from lipdub.words_to_sound.script.read import ScriptLines


@dataclass(frozen=True)
class InProject:
    """The project in which a dub is made: its ``folder``, which may be new, and the names of the options that hold
    whatever the project remembers."""

    folder: Path
    named: frozenset[str] = frozenset()


@dataclass(frozen=True)
class DubRequest:
    """A dub of ``source`` to ``output`` (None: no film is written): with the finished dub track ``audio``, or with what
    ``speech`` asks for. ``planned``: the lines come from the plan of a project. ``others`` are
    further files of the user that belong to the dub, such as the script of the plan. ``project``: where a batch keeps
    the work (None: in no project)."""

    source: Path
    output: Path | None
    audio: Path | None
    speech: SpeechOptions
    options: DubOptions
    planned: bool = False
    others: tuple[Path, ...] = ()
    project: InProject | None = None

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Every file that is read: none of them is written over, and none may change meanwhile. The clip is first."""
        speech = self.speech
        files = (self.source, self.audio, speech.script, speech.glossary, speech.music_effects, self.options.prior)
        keys = (self.options.sign_key, self.options.sign_cert)
        return tuple(path for path in (*files, *keys, *self.others) if path is not None)


STEMS = ("speech", "music-effects", "mix")
"""The parts of a film's sound, in the order of their files: the last one is the sum of the others."""


@dataclass(frozen=True)
class OutputNames:
    """Where the dubbed ``film``, its ``report``, its review ``page``, its ``subtitles`` and a content ``credential``
    beside it go (None: not written), and its sound in parts, one file for each of ``STEMS`` (empty: not written).

    ``notes`` say which name is not the usual one, and why.
    """

    film: Path
    report: Path
    page: Path | None = None
    subtitles: Path | None = None
    notes: tuple[str, ...] = ()
    stems: tuple[Path, ...] = ()
    credential: Path | None = None

    @property
    def every(self) -> tuple[Path, ...]:
        """All names, the film's first."""
        beside = (self.film, self.report, self.page, self.subtitles, self.credential)
        return (*(path for path in beside if path is not None), *self.stems)


NO_OUTPUT = OutputNames(Path(), Path())
"""The names of a job that writes no film."""


@dataclass(frozen=True, eq=False)
class Job:
    """A dub that can be done: everything that was given was looked at, and nothing was made yet.

    ``clip`` is the source, probed once, and ``digest`` the SHA-256 of its file. ``audio`` is the finished dub track, if
    there is one; else ``speech`` says what is to be said, and ``script`` holds the lines of its script, parsed once.
    ``consent`` is the record of who stated the consent of the people in the footage. In the ``excluded`` spans (clip
    time) everything stays as filmed. ``length`` is how the clip was made as long as the dub track (None: it was not).
    """

    clip: Clip
    digest: str
    audio: Path | None
    speech: SpeechOptions
    options: DubOptions
    names: OutputNames
    selectors: tuple[FaceSelector, ...]
    script: ScriptLines | None
    consent: dict[str, str]
    excluded: tuple[Span, ...] = ()
    length: LengthChange | None = None
