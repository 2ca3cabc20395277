"""Pairs from footage: a model shall make what was filmed, and the reference is a dub of it by the exemplar engine.

So what is learnt is always real: a filmed mouth with the sound that was recorded with it. The reference is the same
picture with another mouth, which says the speech of another clip, or sentences that a voice speaks.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from lipdub.disk.json_text import parse_json
from lipdub.disk.publish import write_text
from lipdub.engines.ltx.head_crop import HeadCrop, crop_frame, plan_head_crop
from lipdub.engines.ltx.prompt import prompt_for
from lipdub.engines.ltx.sound_window import cut_sound
from lipdub.engines.ltx.studied_track import StudiedTrack
from lipdub.errors import InputError, MissingExtra, NothingToDub, OptionError, WeightsError
from lipdub.faces.person_groups import SAME
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.media.sound_read import read_sound
from lipdub.studio.analyse.analyse import analyse
from lipdub.studio.analysis import Analysis
from lipdub.studio.caller import Caller
from lipdub.studio.dub import dub
from lipdub.studio.job import NO_OUTPUT, Job
from lipdub.studio.language_names import language_in_name
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.studio.plan.lines import recognised_lines
from lipdub.studio.preflight.consent import ensure_consent
from lipdub.studio.session import Session, open_session
from lipdub.studio.tools import Tools
from lipdub.studio.track_features import own_track
from lipdub.timeline.clip import Clip
from lipdub.timeline.lines import Line
from lipdub.timeline.patch import FaceView
from lipdub.timeline.picture import Rgb
from lipdub.train.footage_windows import PairWindow, choose_windows, spoken_parts
from lipdub.train.other_words import other_language, other_lines
from lipdub.train.pair_columns import TrainingPair
from lipdub.train.pair_media import write_pictures, write_stereo
from lipdub.train.prepare_options import PrepareOptions
from lipdub.words_to_sound.script.read import ReadOptions, read_script
from lipdub.words_to_sound.script.write import write_script

_SUFFIXES = frozenset({".mp4", ".m4v", ".mpg", ".mpeg", ".mov", ".mkv", ".webm", ".avi"})
_SCRIPTS = (".srt", ".vtt", ".ass", ".json")


@dataclass(frozen=True)
class FootagePair:
    """One pair of a clip: its ``id``, ``caption``, the ``person`` that it shows (as the analysis of the clip numbers
    them), and when it ``start``s in the clip (s)."""

    id: str
    caption: str
    person: str
    start: float


@dataclass(frozen=True)
class FootageRecord:
    """What was made of a clip: ``pairs``, and why other parts are ``left_out``.

    ``consent``: who stated it and how. ``other``: what the references say, and ``same_person`` whether with the voice
    of the person who is seen. ``embedding``: that of the face that is seen most (empty: it is not known).
    """

    clip: str
    digest: str
    consent: dict[str, str]
    language: str = ""
    other: str = ""
    same_person: bool = False
    pairs: tuple[FootagePair, ...] = ()
    left_out: tuple[str, ...] = ()
    embedding: tuple[float, ...] = ()

    @classmethod
    def read(cls, path: Path) -> "FootageRecord | None":
        """What ``write`` wrote; None if there is none, or it is damaged: then it is made again."""
        try:
            told = parse_json(path.read_text("utf-8"))
            told["pairs"] = tuple(FootagePair(**pair) for pair in told["pairs"])
            told["left_out"], told["embedding"] = tuple(told["left_out"]), tuple(told["embedding"])
            return cls(**told)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, path: Path) -> None:
        """Write it as JSON. Raises ``OutputError``."""
        write_text(path, json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")


@dataclass(frozen=True, eq=False)
class _Footage:
    """A clip that is read: its ``digest``, the ``consent``, and the ``embedding`` of the face seen most (None: not
    known)."""

    clip: Clip
    digest: str
    consent: dict[str, str]
    embedding: Float32[np.ndarray, "128"] | None = None


@dataclass(eq=False)
class FootagePairs:
    """Makes the pairs of clips in ``folder``. A clip that is finished there is not looked at again."""

    folder: Path
    options: PrepareOptions
    caller: Caller
    _tools: Tools = field(init=False)

    def __post_init__(self) -> None:
        self._tools = Tools(self._dub_options, self.caller.ask_download)

    @property
    def _dub_options(self) -> DubOptions:
        chosen = self.options
        return DubOptions(speech_features=chosen.speech_features, workers=chosen.workers, page=False)

    def make(self, paths: Sequence[Path], told: Callable[[int, int], None]) -> list[FootageRecord]:
        """A record of every clip; ``told`` is called with (clips done, all clips).

        Raises ``InputError`` if a file changes meanwhile, ``OutputError`` if something cannot be written, and what
        ``caller.ask_people`` raises.
        """
        footage = [self._look(path) for path in paths]
        out = []
        for number, one in enumerate(footage):
            told(number, len(footage))
            if isinstance(one, FootageRecord):
                out.append(one)
                continue
            record = self._made(one, footage, number)
            record.write(self._record(one.digest))
            out.append(record)
        told(len(footage), len(footage))
        return out

    def pairs(self, record: FootageRecord) -> Iterator[TrainingPair]:
        """The pairs of a record, with their files."""
        for pair in record.pairs:
            video, audio, reference, other = self._files(pair.id)
            yield TrainingPair(pair.id, video, audio, pair.caption, reference, other, source=record.clip)

    def _record(self, digest: str) -> Path:
        return self.folder / "clips" / f"{digest[:16]}.json"

    def _files(self, pair: str) -> tuple[Path, Path, Path, Path]:
        media = self.folder / "media"
        kinds = (".mp4", ".wav", ".reference.mp4", ".reference.wav")
        return tuple(media / f"{pair}{kind}" for kind in kinds)  # type: ignore[return-value]

    @contextmanager
    def _open(self) -> Iterator[Session]:
        with open_session(self._dub_options, self.caller.listener, tools=self._tools) as session:
            yield session

    def _look(self, path: Path) -> FootageRecord | _Footage:
        """What was made of the clip before, or the clip and who is in it."""
        with self._open() as session:
            digest = session.inputs.digest(path)
            done = FootageRecord.read(self._record(digest))
            if done is not None and all(file.is_file() for pair in done.pairs for file in self._files(pair.id)):
                return done
            consent = ensure_consent(
                path, f"training-{digest}", self.options.consent, self.caller.ask_people, self.caller.why
            )
            try:
                clip = open_clip(path)
                found = analyse(_job(clip, digest, consent, self._dub_options), session)
            except InputError as unreadable:
                record = FootageRecord(str(path), digest, consent, left_out=(unreadable.what,))
                record.write(self._record(digest))
                return record
            return _Footage(clip, digest, consent, _main_embedding(found))

    def _made(self, one: _Footage, every: Sequence[FootageRecord | _Footage], number: int) -> FootageRecord:
        """Make the pairs of a clip."""
        record = FootageRecord(str(one.clip.path), one.digest, one.consent)
        if one.embedding is not None:
            record = replace(record, embedding=tuple(map(float, one.embedding)))
        if not one.clip.has_sound:
            return replace(record, left_out=("it has no sound",))
        with self._open() as session:
            analysis = analyse(_job(one.clip, one.digest, one.consent, self._dub_options), session)
            try:
                lines, language = self._lines(one.clip, analysis, session)
            except InputError as silent:
                return replace(record, left_out=(silent.what,))
            lengths = (self.options.shortest, self.options.frames)
            windows, left_out = choose_windows(one.clip, analysis, spoken_parts(lines), lengths)
            record = replace(record, language=language, left_out=tuple(left_out))
            if not windows:
                return record
            other, same = self._other_clip(one, every, number)
            film = self.folder / "work" / f"{one.digest[:16]}.mp4"
            try:
                said = self._dub(one.clip, film, other, (lines, language, number))
            except (NothingToDub, InputError) as undubbed:
                return replace(record, left_out=(*record.left_out, f"the reference could not be made: {undubbed.what}"))
            pairs = tuple(self._cut(one, film, analysis, window, language) for window in windows)
            _remove_work(film)
        return replace(record, other=said, same_person=same, pairs=pairs)

    def _lines(self, clip: Clip, analysis: Analysis, session: Session) -> tuple[Sequence[Line], str]:
        """(What is said in the clip, the language). Raises ``InputError`` if no words are found."""
        script = _script_beside(clip.path)
        if script is not None:
            language = language_in_name(script) or self.options.language
            if not language:
                raise OptionError("the script's language is not known", file=script, remedy="Name it with --language")
            read = read_script(script, ReadOptions(language, clip.start, clip.span.end))
            if not read.timed:
                raise OptionError("this script has no times", file=script, remedy="Give SRT, VTT, ASS or JSON")
            return read.lines, language
        assert analysis.sound is not None
        found = recognised_lines(
            own_track(clip), analysis.sound.features, self.options.recogniser, self.options.language, session
        )
        return found.lines, found.language

    def _other_clip(
        self, one: _Footage, every: Sequence[FootageRecord | _Footage], number: int
    ) -> tuple[Path | None, bool]:
        """(A clip whose speech the references say, None for a voice; whether the person in it is the same)."""
        if self.options.other == "voice":
            return None, False
        later = [*every[number + 1 :], *every[:number]]
        for other in later:
            if _same_person(one.embedding, other) and (path := _speaking(other)) is not None:
                return path, True
        if self.options.other == "auto":
            return None, False
        path = next((found for other in later if (found := _speaking(other)) is not None), None)
        if path is None:
            raise OptionError("there is no other clip whose speech could be taken", remedy="Use --other voice")
        return path, False

    def _dub(self, clip: Clip, film: Path, other: Path | None, said: tuple[Sequence[Line], str, int]) -> str:
        """Write ``film``, in which the clip says something else, unless it is there; returns what, for the record."""
        lines, language, number = said
        tag = other_language(language)
        name = f"speech of {other}" if other is not None else f"sentences in '{tag}' by a voice"
        if film.is_file():
            return name
        speech, script = SpeechOptions(), film.with_name(f"{film.stem}.{tag}.srt")
        if other is None:
            write_script(script, other_lines(lines, tag, number), overwrite=True)
            speech = SpeechOptions(
                script=script, to=tag, voice=self.options.voice, asr_check=False, subtitles="none", loudness="source"
            )
        try:
            self._dubbed(clip.path, film, other, speech)
        except (MissingExtra, WeightsError, OptionError) as voiceless:
            if other is None:
                voiceless.remedy = f"{voiceless.remedy} Or use the speech of other clips: --other clips".strip()
            raise
        return name

    def _dubbed(self, clip: Path, film: Path, other: Path | None, speech: SpeechOptions) -> None:
        """Dub whoever speaks; if that cannot be told (there is too little speech, say), the largest face."""
        caller = replace(self.caller, ask_people=_stated)
        try:
            dub(clip, audio=other, output=film, speech=speech, options=self._dub_options, caller=caller)
        except NothingToDub:
            largest = replace(self._dub_options, face=("largest",))
            dub(clip, audio=other, output=film, speech=speech, options=largest, caller=caller)

    def _cut(self, one: _Footage, film: Path, analysis: Analysis, window: PairWindow, language: str) -> FootagePair:
        """Write the four files of a pair, those that are not there yet."""
        clip, grid, face = one.clip, window.grid, window.face
        first = int(grid.frames[0])
        pair = f"{re.sub(r'[^A-Za-z0-9]+', '-', clip.path.stem)[:40].strip('-')}-{one.digest[:8]}-{first:06d}"
        rows = range(first - face.track.first, int(grid.frames[-1]) + 1 - face.track.first)
        track = StudiedTrack.of(face.motion, face.visibility.usable, clip.size)
        crop = plan_head_crop(track, rows, grid.rate, self.options.size)
        dubbed = open_clip(film)
        assert len(dubbed) == len(clip), "a dub has the frames of its source"
        video, audio, reference, other = self._files(pair)
        for path, pictures in ((video, clip), (reference, dubbed)):
            if not path.is_file():
                write_pictures(path, _crops(pictures, window, crop), grid.rate)
        for path, source, stream in ((audio, clip.path, clip.sound), (other, film, None)):
            if not path.is_file():
                write_stereo(path, cut_sound(read_sound(source, stream=stream), window.span))
        caption = prompt_for(Line(window.text, window.span, language), self.options.who)
        person = f"{one.digest[:16]}:{analysis.person_of(face.id).id}"
        return FootagePair(pair, caption, person, float(window.span.start))


def find_clips(folder: Path) -> list[Path]:
    """The video files in ``folder`` and below, in order of name; hidden ones are left out."""
    every = (path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())
    return sorted(path for path in every if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def _stated(clip: str) -> None:
    """The consent was stated for the training, which includes the dubs that it needs."""


def _job(clip: Clip, digest: str, consent: dict[str, str], options: DubOptions) -> Job:
    """A job for the analysis alone."""
    return Job(clip, digest, None, SpeechOptions(), options, NO_OUTPUT, (), None, consent)


def _main_embedding(analysis: Analysis) -> Float32[np.ndarray, "128"] | None:
    """The embedding of the longest face whose embedding is known."""
    known = [face for face in analysis.faces if face.look is not None and face.look.embedding is not None]
    longest = max(known, key=lambda face: len(face.track), default=None)
    return None if longest is None or longest.look is None else longest.look.embedding


def _same_person(embedding: Float32[np.ndarray, "128"] | None, other: FootageRecord | _Footage) -> bool:
    if embedding is None or other.embedding is None or len(other.embedding) != len(embedding):
        return False
    return float(np.linalg.norm(embedding - np.array(other.embedding))) <= SAME


def _speaking(other: FootageRecord | _Footage) -> Path | None:
    """The clip, if it is there and has sound."""
    if isinstance(other, _Footage):
        return other.clip.path if other.clip.has_sound else None
    path = Path(other.clip)
    return path if other.pairs and path.is_file() else None


def _script_beside(clip: Path) -> Path | None:
    """A script with the clip's name, such as talk.en.srt for talk.mp4."""
    names = (path for path in clip.parent.iterdir() if path.suffix.lower() in _SCRIPTS)
    return next((path for path in sorted(names) if path.name.rsplit(".", 2)[0] == clip.stem), None)


def _remove_work(film: Path) -> None:
    for path in film.parent.glob(f"{film.stem}.*"):
        path.unlink(missing_ok=True)


def _crops(clip: Clip, window: PairWindow, crop: HeadCrop) -> Iterator[Rgb]:
    """The crop at each instant of the window; a frame may be shown more than once, or not at all."""
    wanted = [int(index) for index in window.grid.frames]
    at = 0
    for frame in read_frames(clip, wanted[0], wanted[-1] + 1):
        made: Rgb | None = None
        while at < len(wanted) and wanted[at] == frame.index:
            if made is None:
                view = FaceView(frame.index, clip.size, None, frame.rgb)
                made = crop_frame(view, frame.index - window.face.track.first, crop)
            yield made
            at += 1
