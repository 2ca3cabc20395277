"""The takes of lines: every attempt at a line has a folder of its own, which is complete when it holds ``take.json``.

An attempt that was interrupted is gone on with: what of it is finished is not made again.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, unquote

from lipdub.disk.atomic import remove_partial, written_beside
from lipdub.disk.identity import content_digest
from lipdub.disk.json_text import parse_json
from lipdub.disk.manifest import MANIFEST_NAME, altered_files, find_damage, write_manifest
from lipdub.errors import InputError
from lipdub.studio.cue_folder import CueFolders
from lipdub.studio.project.project_folder import ProjectFolder, told_as_output
from lipdub.timeline.cue import Cue
from lipdub.timeline.packed import packed, unpacked
from lipdub.timeline.take import LineRecipe, LineVoice, Take
from lipdub.timeline.time import Span

_TAKE, _RECIPE, _VOICE, _VOICED, _CUES = "take.json", "recipe.json", "voice.npy", "voice.json", "cues"
_DIGEST = "sha256"
Told = TypeVar("Told")


@dataclass(frozen=True)
class TakeFolder:
    """The folder of take ``number`` of a ``line``."""

    path: Path
    line: str
    number: int

    @property
    def cues(self) -> CueFolders:
        """Where its cues are rendered."""
        return CueFolders(self.path / _CUES, reels=True)

    def begin(self, recipe: LineRecipe) -> None:
        """Make the folder, and write down what the take is made from. Raises ``OutputError``."""
        with told_as_output(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            _write(self.path / _RECIPE, packed(recipe))

    @property
    def recipe(self) -> LineRecipe | None:
        """What the take is made from; None if that cannot be read."""
        return _read(LineRecipe, self.path / _RECIPE)

    def keep_voice(self, voice: LineVoice) -> None:
        """Copy the speech of a take into its folder. Raises ``OutputError``."""
        with told_as_output(self.path):
            with written_beside(self.path / _VOICE) as partial:
                shutil.copyfile(voice.file, partial)
            told = {**packed(replace(voice, file=Path(_VOICE))), _DIGEST: content_digest(self.path / _VOICE)}
            _write(self.path / _VOICED, told)

    @property
    def voice(self) -> LineVoice | None:
        """The speech of the take; None if there is none, or none yet, or if it is damaged."""
        try:
            told = parse_json((self.path / _VOICED).read_text("utf-8"))
            digest = told.pop(_DIGEST)
            voice = unpacked(LineVoice, told)
            voice = replace(voice, file=self.path / voice.file)
            return voice if content_digest(voice.file) == digest else None
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def finish(self, cues: tuple[Cue, ...], planned: Span | None = None) -> Take | None:
        """Complete the take, whose ``cues`` were rendered; None if one of them was not. ``planned`` is the time that
        belongs to the line by the plan. Raises ``OutputError``."""
        made = [self.cues.finished(cue.id) for cue in cues]
        recipe = self.recipe
        patches = tuple(each for each in made if each is not None)
        if recipe is None or len(patches) < len(cues):
            return None
        now = datetime.now(UTC).isoformat(timespec="seconds")
        take = Take(self.line, self.number, recipe, self.voice, patches, now, planned)
        inside = tuple(replace(p, reel=_below(p.reel, self.path), shapes=_below(p.shapes, self.path)) for p in patches)
        voice = take.voice and replace(take.voice, file=Path(_VOICE))
        with told_as_output(self.path):
            (self.path / _TAKE).unlink(missing_ok=True)
            remove_partial(self.path)
            write_manifest(self.path)
            _write(self.path / _TAKE, packed(replace(take, patches=inside, voice=voice)))
        return take

    def keep_planned(self, planned: Span) -> None:
        """Write down that the complete take is used for a plan by which that time belongs to the line. Raises
        ``OutputError``."""
        told = self.told
        if told is not None and told.planned != planned:
            with told_as_output(self.path):
                _write(self.path / _TAKE, packed(replace(told, planned=planned)))

    @property
    def take(self) -> Take | None:
        """The complete take; None if it is not complete, or its files are damaged or gone."""
        take = self.there
        return take if take is not None and not self._altered() else None

    @property
    def there(self) -> Take | None:
        """The complete take, if its files are there; their content is not looked at. None if it is not complete."""
        take = _placed(str(self.path))
        return take if take is not None and files_are_there(take) else None

    @property
    def told(self) -> Take | None:
        """The complete take as it was written down, with paths below its folder; its files are not looked at. None if
        it is not complete."""
        found = _told(str(self.path))
        return None if found is None else found[0]

    @property
    def damage(self) -> str:
        """What is wrong with a take that was complete, as the end of a sentence; "" if nothing is."""
        if not (self.path / _TAKE).exists() or self.take is not None:
            return ""
        return self._altered() or "files of it are damaged or missing"

    def forget_damaged(self) -> None:
        """Remove files that were complete and are damaged now, so that they are made again. Raises ``OutputError``."""
        with told_as_output(self.path):
            for file in altered_files(self.path):
                file.unlink(missing_ok=True)

    def _altered(self) -> str:
        """How the files differ from the list that was made of them. Reels hold checksums of their own, which are looked
        at when they are used."""
        return find_damage(self.path, grows=True, unread=".reel") if (self.path / MANIFEST_NAME).exists() else ""


@dataclass(frozen=True)
class LineTakes:
    """All takes of the lines of one language of a project."""

    folder: ProjectFolder
    language: str

    @property
    def lines(self) -> frozenset[str]:
        """The ids of all lines that ever had a take, or one that was begun."""
        where = self.folder.takes(self.language)
        return frozenset(unquote(entry.name) for entry in where.iterdir()) if where.is_dir() else frozenset()

    def all(self, line: str) -> tuple[TakeFolder, ...]:
        """The folders of the takes of a line, by number, complete or not."""
        where = self.folder.line(self.language, line)
        try:
            with os.scandir(where) as entries:
                numbers = sorted(int(entry.name) for entry in entries if entry.name.isdecimal() and entry.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            return ()
        return tuple(TakeFolder(where / str(number), line, number) for number in numbers)

    def complete(self, line: str) -> tuple[Take, ...]:
        """The complete takes of a line, by number."""
        return tuple(take for folder in self.all(line) if (take := folder.take) is not None)

    def folder_of(self, line: str, number: int) -> TakeFolder:
        """The folder of take ``number`` of a line, which need not be there."""
        return TakeFolder(self.folder.line(self.language, line) / str(number), line, number)

    def told(self, line: str) -> tuple[Take, ...]:
        """The complete takes of a line as they were written down, by number; whether their files are there is not
        looked at (``files_are_there``)."""
        return self.told_of([line])[line]

    def told_of(self, lines: Iterable[str]) -> dict[str, tuple[Take, ...]]:
        """The same for many lines, by line id."""
        every = str(self.folder.takes(self.language))
        return {line: tuple(_told_in(f"{every}/{quote(line, safe='')}")) for line in lines}

    def there(self, line: str) -> tuple[Take, ...]:
        """The complete takes of a line whose files are there, by number; the files are not read."""
        return tuple(take for take in self.told(line) if files_are_there(take))

    def numbered(self, line: str, number: int) -> Take:
        """Take ``number`` of a line. Raises ``InputError`` if there is none."""
        complete = self.complete(line)
        found = next((take for take in complete if take.number == number), None)
        if found is None:
            have = ", ".join(str(take.number) for take in complete) or "none"
            raise InputError(
                f"line {line} has no take {number} (complete takes: {have})",
                file=self.folder.path,
                remedy=f"See them: lipdub takes {self.folder.path} --line {line}",
            )
        return found

    def to_make(self, line: str, recipe: LineRecipe, *, anew: bool = False) -> TakeFolder:
        """The folder in which a take with ``recipe`` is made: one that was begun with the same recipe and not
        completed, else a new one. ``anew``: only a new one, or the last one if it was not completed."""
        every = self.all(line)
        begun = [folder for folder in every if folder.take is None and folder.recipe == recipe]
        if begun and (not anew or begun[-1] == every[-1]):
            begun[-1].forget_damaged()
            return begun[-1]
        number = every[-1].number + 1 if every else 1
        made = self.folder_of(line, number)
        made.begin(recipe)
        return made


def files_are_there(take: Take) -> bool:
    """True if the files of a take are there; they are not read."""
    files = [file for p in take.patches for file in (p.reel, p.shapes)] + [take.voice and take.voice.file]
    return all(file is None or os.path.isfile(file) for file in files)


def _told(folder: str) -> tuple[Take, Take] | None:
    """The complete take in a folder as it was written down, and with the paths of its files; None if there is none."""
    file = f"{folder}/{_TAKE}"
    try:
        state = os.stat(file)
    except OSError:
        return None
    return _read_take(file, state.st_mtime_ns, state.st_size, state.st_ino)


def _told_in(where: str) -> Iterator[Take]:
    """The takes of a line in its folder."""
    try:
        numbers = sorted(int(name) for name in os.listdir(where) if name.isdecimal())
    except OSError:
        return
    for number in numbers:
        if (take := _placed(f"{where}/{number}")) is not None:
            yield take


def _placed(folder: str) -> Take | None:
    found = _told(folder)
    return None if found is None else found[1]


@lru_cache(maxsize=8192)
def _read_take(file: str, *state: int) -> tuple[Take, Take] | None:
    """The take in a file that is in a ``state``: what was read once is not read again while nothing changes."""
    told, folder = _read(Take, Path(file)), Path(file).parent
    if told is None:
        return None
    patches = tuple(
        replace(p, reel=p.reel and folder / p.reel, shapes=p.shapes and folder / p.shapes) for p in told.patches
    )
    voice = told.voice and replace(told.voice, file=folder / told.voice.file)
    return told, replace(told, patches=patches, voice=voice)


def _below(file: Path | None, folder: Path) -> Path | None:
    return None if file is None else file.relative_to(folder)


def _write(file: Path, told: object) -> None:
    with written_beside(file) as partial:
        partial.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _read(kind: type[Told], file: Path) -> Told | None:
    """A value of ``kind`` that was written to ``file``; None if it cannot be read."""
    try:
        return unpacked(kind, parse_json(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
