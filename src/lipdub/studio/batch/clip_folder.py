"""A folder of clips as a jobs file: each clip is dubbed to every dub track and script that is named after it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lipdub.disk.os_errors import cause_of
from lipdub.errors import InputError
from lipdub.studio.batch.rows import Cell, Problem, Row, Rows
from lipdub.studio.language_names import language_in_name

CLIPS = frozenset(".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .ts .mts .m2ts .mxf .wmv .flv .ogv".split())
TRACKS = frozenset(".wav .flac .mp3 .m4a .aac .ogg .opus .aif .aiff .ac3 .mka .wma".split())
SCRIPTS = frozenset(".srt .vtt .ass .ssa".split())
SCRIPTS_BY_LANGUAGE = frozenset(".json .txt".split())
"""Such files lie in folders for other reasons, too: they are scripts if their names end in a language."""


def read_clip_folder(folder: Path, *, alone: bool) -> Rows:
    """The jobs of a ``folder``: for ``talk.mp4`` one with each of ``talk.es.wav``, ``talk.fr.srt``, ``talk.wav``, in
    the order of their names. Folders in it are not looked at.

    ``alone``: a clip with nothing beside it is a job, too (its words come from an option for all jobs); else it is
    noted. Raises ``InputError`` if the folder cannot be read or holds no job.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as refused:
        cause = cause_of(refused)
        raise InputError(f"cannot be read: {cause.what}", file=folder, remedy=cause.remedy) from refused
    beside, problems = _beside(files)
    clips = [path for path in files if path.suffix.lower() in CLIPS]
    jobs = [cells for clip in clips for cells in _jobs_of(clip, beside[clip], alone)]
    rows = tuple(Row(number, cells) for number, cells in enumerate(jobs, 1))
    notes = tuple(
        f"{clip.name}: no dub track and no script is named after it; it is left out"
        for clip in clips
        if not beside[clip] and not alone
    )
    if not rows and not problems:
        remedy = "Put talk.es.wav or talk.es.srt beside talk.mp4, or say for all what they say: --to, --line"
        raise InputError("there is no job in this folder", file=folder, remedy=remedy)
    return Rows(rows, tuple(problems), split=False, notes=notes, unit="job")


@dataclass(frozen=True)
class _Beside:
    """What lies beside a clip: a dub track or a script, and its ``language`` ("": its name does not tell)."""

    path: Path
    language: str
    is_track: bool


def _beside(files: Sequence[Path]) -> tuple[Mapping[Path, list[_Beside]], list[Problem]]:
    """The tracks and scripts of each clip, and those that may belong to two clips."""
    found: dict[Path, list[_Beside]] = defaultdict(list)
    problems = []
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        if path.suffix.lower() in CLIPS:
            by_stem[path.stem].append(path)
    for path in files:
        language, kind = language_in_name(path), path.suffix.lower()
        if kind not in TRACKS | SCRIPTS and not (kind in SCRIPTS_BY_LANGUAGE and language):
            continue
        stems = {path.stem} | ({path.stem.rpartition(".")[0]} if language else set())
        clips = [clip for stem in sorted(stems) for clip in by_stem.get(stem, ())]
        if len(clips) > 1:
            which = " or ".join(clip.name for clip in clips)
            problems.append(
                Problem(0, "", f"{path.name} may belong to {which}; move one of them, or write a jobs file")
            )
        elif clips:
            found[clips[0]].append(_Beside(path, language, kind in TRACKS))
    return found, problems


def _jobs_of(clip: Path, beside: Sequence[_Beside], alone: bool) -> list[dict[str, Cell]]:
    if not beside:
        return [{"source": clip.name}] if alone else []
    return [
        {"source": clip.name, "audio": one.path.name, "language": one.language}
        if one.is_track
        else {"source": clip.name, "script": one.path.name}
        for one in beside
    ]
