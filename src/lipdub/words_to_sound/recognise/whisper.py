"""Words by Whisper, run by faster-whisper: only where somebody speaks, so that silence and noise give no words.

Whisper: A. Radford et al., "Robust speech recognition via large-scale weak supervision", 2022 (MIT). Its word times
come from attention and swallow the pauses around words; each word is brought back to the speech it lies in.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lipdub import weights
from lipdub.acoustics.level import gain_to_level, loudness
from lipdub.acoustics.speech_spans import SpeechSpanOptions, voiced_spans
from lipdub.acoustics.voice_activity import VoiceActivity
from lipdub.disk.identity import file_stamps
from lipdub.errors import MachineError, MissingExtra, OptionError, WeightsError
from lipdub.plugins import package_version
from lipdub.timeline.language import primary
from lipdub.timeline.lines import Word
from lipdub.timeline.sound import ANALYSIS_RATE, Sound
from lipdub.timeline.time import Span, merge_spans
from lipdub.words_to_sound.script.writing import spaced
from lipdub.words_to_sound.seam import Card, Recognised

_VERSION = 1  # raise when the same sound gives other words
_SPEECH = SpeechSpanOptions(padding=Fraction(1, 5))
_TOGETHER = Fraction(2)  # seconds of silence that two stretches of speech may have between them in one window
_WINDOW = Fraction(28)  # seconds of a group of stretches; Whisper sees 30
_SHORTEST_WORD = Fraction(1, 50)
_REPEATS = 2.4  # compression above which Whisper's authors take a text for a loop
_NO_LOOP = 5  # words in a row that may not come twice when a loop is heard again
_OPEN, _RIVALS = 0.6, 3  # below this probability of a language, so many are tried
_STRAY = Fraction(3, 10)  # seconds a word may lie outside of all speech
_TOKENS = (20, 20)  # the most of them in a window: so many, and so many more each second
_PLACES = 440  # Whisper's text has 448 places, of which the prompt takes a few
_OWN = {"jw": "jv"}  # Whisper's codes that are no BCP 47 tags


@dataclass(frozen=True, slots=True)
class WhisperOptions:
    """``device`` is ``cpu`` or ``cuda``; ``beam`` how many readings are weighed; ``threads`` 0 means up to four."""

    device: str = "cpu"
    beam: int = 5
    threads: int = 0


def make(detail: str) -> "WhisperRecogniser":
    """The recogniser ``whisper[:detail]``: a folder of CTranslate2 files or a faster-whisper name ("": whisper-base).

    ``@cuda`` after it runs it on the graphics card. Raises ``MissingExtra``, ``OptionError`` or ``WeightsError``.
    """
    which, device = detail.strip(), "cpu"
    for known in ("cpu", "cuda"):
        if which.endswith(f"@{known}"):
            which, device = which.removesuffix(f"@{known}"), known
    package()
    model = which or str(weights.resolve("whisper-base"))
    return WhisperRecogniser(model, weights.resolve("voice-activity"), WhisperOptions(device))


def package() -> Any:
    """The module ``faster_whisper``. Raises ``MissingExtra`` if it is not installed."""
    with MissingExtra.guard("hear", "recognising speech"):
        import faster_whisper
    return faster_whisper


class WhisperRecogniser:
    """Hears the words of sound of some minutes. The same sound gives the same words."""

    def __init__(self, model: str, voice_activity: Path, options: WhisperOptions = WhisperOptions()) -> None:
        """``model``: a folder, or a name known to faster-whisper; ``voice_activity``: Silero's ONNX file.

        Raises ``MissingExtra``, ``OptionError`` for an unknown name, ``WeightsError`` for files that cannot be used,
        ``MachineError`` without a graphics card for ``cuda``.
        """
        self._name, self._options = Path(model).name, options
        self._voice = VoiceActivity(voice_activity)
        self._folder = _found(model, options)

    def fingerprint(self) -> tuple[object, ...]:
        """What its words depend on: versions, options, and the model's files by name, size and time."""
        packages = package_version("faster-whisper"), package_version("ctranslate2")
        files = file_stamps(self._folder.iterdir()) if self._folder.is_dir() else ()
        options = self._options.device, self._options.beam
        return (_VERSION, packages, options, self._name, files, weights.identity("voice-activity"))

    @cached_property
    def _model(self) -> Any:
        """The model, loaded when it is first needed: that takes seconds and its size in memory."""
        return _opened(self._folder, self._options)

    @cached_property
    def _codes(self) -> frozenset[str]:
        return frozenset(map(str, self._model.supported_languages))

    @property
    def card(self) -> Card:
        """Who it is. Loads the model, which knows its languages."""
        known = self._name in (*package().available_models(), "whisper-base")
        languages = tuple(sorted(_OWN.get(code, code) for code in self._codes))
        return Card(f"whisper ({self._name})", "MIT" if known else "not stated", languages)

    def hear(self, sound: Sound, language: str = "") -> Recognised:
        """The words of mono 16 kHz ``sound``; no words, and no confidence, where nobody speaks.

        Raises ``OptionError`` for a ``language`` that the model does not know.
        """
        assert (sound.rate, sound.samples.shape[0]) == (ANALYSIS_RATE, 1), "words are heard in mono sound at 16 kHz"
        code = self._code(language)
        samples = np.ascontiguousarray(sound.samples[0])
        gain = gain_to_level(loudness(samples))
        speech = self._speech(samples, gain)
        if not speech:
            return Recognised((), language, 0.0)
        level = (samples * np.float32(gain)).astype(np.float32)
        sure = 1.0
        if not code:
            code, sure = self._language(level, speech)
        words = self._words(level, speech, code)
        if not words:
            return Recognised((), language, 0.0)
        placed = tuple(Word(w.text, w.span.shifted(sound.start), w.confidence) for w in words)
        return Recognised(placed, language or _OWN.get(code, code), sure)

    def _code(self, language: str) -> str:
        code = next((own for own, tag in _OWN.items() if tag == primary(language)), primary(language))
        if code and code not in self._codes:
            raise OptionError(
                f"{self.card.name} does not know the language '{language}'",
                remedy=f"It knows {', '.join(self.card.languages)}",
            )
        return code

    def _speech(self, samples: np.ndarray, gain: float) -> tuple[Span, ...]:
        if gain == 0.0:
            return ()
        return voiced_spans(self._voice.probabilities(samples, gain), Fraction(0), _SPEECH)

    def _language(self, level: np.ndarray, speech: Sequence[Span]) -> tuple[str, float]:
        """The language of the speech alone, without its pauses; where that is open, the one whose words are surest."""
        if len(self._codes) == 1:
            return next(iter(self._codes)), 1.0
        code, sure, chances = self._model.detect_language(_only(level, speech), language_detection_segments=4)
        if sure < _OPEN:
            first = grouped(speech)[:1]
            rivals = [rival for rival, _ in chances[:_RIVALS]]
            code = max(rivals, key=lambda rival: _sureness(self._words(level, first, rival)))
            sure = dict(chances)[code]
        return code, min(max(float(sure), 0.0), 1.0)

    def _words(self, level: np.ndarray, speech: Sequence[Span], code: str) -> tuple[Word, ...]:
        features = [segment for group in grouped(speech) for segment in self._group(level, group, code)]
        return in_order(within_speech(glued(features, code), speech), Fraction(len(level), ANALYSIS_RATE))

    def _group(self, level: np.ndarray, group: Span, code: str) -> list[list[Any]]:
        """faster-whisper's words of one group of stretches, by segments; what runs in circles is read again, and left
        out if it still does: a second or less at the end of a window may give a hundred words."""
        window = level[_sample(group.start) : _sample(group.end)]  # only this much: all it is given becomes features
        segments = list(self._read(window, code, 0))
        if any(s.compression_ratio > _REPEATS for s in segments):
            segments = [s for s in self._read(window, code, _NO_LOOP) if s.compression_ratio <= _REPEATS]
        return [[_moved(piece, float(group.start)) for piece in segment.words or ()] for segment in segments]

    def _read(self, window: np.ndarray, code: str, no_repeat: int) -> Iterator[Any]:
        segments, _ = self._model.transcribe(
            window,
            language=code,
            beam_size=self._options.beam,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
            no_repeat_ngram_size=no_repeat,
            max_new_tokens=most_tokens(Fraction(len(window), ANALYSIS_RATE)),
        )
        return segments


class _Piece(NamedTuple):
    """A word as faster-whisper gives it, in seconds of the whole sound."""

    start: float
    end: float
    word: str
    probability: float


def _graphics_cards() -> int:
    """How many graphics cards CTranslate2, which faster-whisper is built on, can use."""
    import ctranslate2

    return ctranslate2.get_cuda_device_count()


def _moved(piece: Any, by: float) -> _Piece:
    return _Piece(piece.start + by, piece.end + by, piece.word, piece.probability)


def _found(model: str, options: WhisperOptions) -> Path:
    """The folder of ``model``, looked at but not loaded; fetched only if that was allowed."""
    faster_whisper = package()
    folder = Path(model).expanduser()
    if folder.is_dir():
        lacking = [name for name in ("model.bin", "tokenizer.json", "config.json") if not (folder / name).is_file()]
        if lacking:
            raise WeightsError(
                f"the folder lacks {', '.join(lacking)}",
                file=folder,
                remedy="Give a folder with a Whisper model in CTranslate2's format",
            )
    elif model not in faster_whisper.available_models():
        raise OptionError(
            f"there is neither a folder nor a Whisper model called '{model}'",
            remedy=f"Models are: {', '.join(faster_whisper.available_models())}",
        )
    if options.device == "cuda" and _graphics_cards() == 0:
        raise MachineError("no graphics card is found for the recogniser", remedy="Leave out '@cuda'")
    if folder.is_dir():
        return folder
    may_fetch = os.environ.get("LIPDUB_DOWNLOAD") == "all"
    try:
        return Path(faster_whisper.download_model(model, local_files_only=not may_fetch))
    except Exception as broken:  # the hub's client and its network have no common base
        why = f"could not be fetched ({str(broken)[:200]})" if may_fetch else "is not on this machine"
        raise WeightsError(
            f"the Whisper model '{model}' {why}",
            remedy="Give a folder that holds it; LIPDUB_DOWNLOAD=all lets named models (MIT, 75 MB to 3 GB) be fetched",
        ) from broken


def _opened(folder: Path, options: WhisperOptions) -> Any:
    try:
        return package().WhisperModel(
            str(folder),
            device=options.device,
            compute_type="int8_float32" if options.device == "cpu" else "float16",
            cpu_threads=options.threads or min(4, os.cpu_count() or 1),
        )
    except Exception as broken:  # CTranslate2 and tokenizers have no common base
        raise WeightsError(
            f"the Whisper model cannot be opened ({str(broken)[:200]})",
            file=folder,
            remedy="Fetch it again, or give another folder",
        ) from broken


def _only(level: np.ndarray, speech: Sequence[Span]) -> np.ndarray:
    return np.concatenate([level[_sample(s.start) : _sample(s.end)] for s in speech])


def _sureness(words: Sequence[Word]) -> float:
    return sum(w.confidence for w in words) / max(len(words), 1)


def _sample(instant: Fraction) -> int:
    return round(instant * ANALYSIS_RATE)


def grouped(speech: Sequence[Span]) -> tuple[Span, ...]:
    """Stretches of speech with little silence between them put together, as long as Whisper can see them at once."""
    groups: list[Span] = []
    for span in speech:
        near = bool(groups) and span.start - groups[-1].end <= _TOGETHER
        if near and span.end - groups[-1].start <= _WINDOW:
            groups[-1] = Span(groups[-1].start, span.end)
        else:
            groups.append(span)
    return tuple(groups)


def most_tokens(seconds: Fraction) -> int:
    """How many tokens so much sound may have: no talker needs more, and the model has no room for more."""
    return min(_TOKENS[0] + round(_TOKENS[1] * min(seconds, _WINDOW)), _PLACES)


def glued(segments: Iterable[Iterable[Any]], code: str) -> list[Word]:
    """faster-whisper's words, segment by segment, as ours: what follows the word before without a space is put to it
    (where the language ``code`` has spaces), and so are marks that stand alone."""
    words: list[Word] = []
    for segment in segments:
        for place, piece in enumerate(segment):
            text, inside = str(piece.word).strip(), place > 0 and spaced(code) and not str(piece.word).startswith(" ")
            start, end = _milliseconds(piece.start), _milliseconds(piece.end)
            word = Word(text, Span(start, max(start, end)), min(max(float(piece.probability), 0.0), 1.0))
            if words and text and (inside or not _says(text)):
                words[-1] = _put_to(words[-1], word, " " if text[0] in "-–—&" and not inside else "")
            elif _says(text):
                words.append(word)
    return words


def _says(text: str) -> bool:
    return any(c.isalnum() for c in text)


def _put_to(word: Word, more: Word, gap: str) -> Word:
    if not _says(more.text):
        return Word(word.text + gap + more.text, word.span, word.confidence)
    span = Span(word.span.start, max(word.span.end, more.span.end))
    return Word(word.text + gap + more.text, span, min(word.confidence, more.confidence))


def _milliseconds(seconds: Real) -> Fraction:
    return Fraction(round(float(seconds) * 1000), 1000)


def within_speech(words: Sequence[Word], speech: Sequence[Span]) -> list[Word]:
    """Words brought to the stretch of speech that most of them lies in; those far from all speech are dropped."""
    stretches = merge_spans(speech)
    out = []
    for word in words:
        shares = [(s.intersection(word.span), s) for s in stretches if s.overlaps(word.span)]
        inside = [part for part, _ in shares if part is not None]
        if inside:
            out.append(Word(word.text, max(inside, key=lambda s: (s.duration, s.start)), word.confidence))
        elif any(s.widened(_STRAY).overlaps(word.span.widened(Fraction(1, 1000))) for s in stretches):
            out.append(word)
    return out


def in_order(words: Sequence[Word], end: Fraction) -> tuple[Word, ...]:
    """Words that neither overlap nor go back in time nor pass ``end``, each at least 20 ms long where there is room."""
    out: list[Word] = []
    for word in words:
        before = out[-1].span.end if out else Fraction(0)
        start = min(max(word.span.start, before), end)
        out.append(Word(word.text, Span(start, min(max(word.span.end, start + _SHORTEST_WORD), end)), word.confidence))
    return tuple(out)
