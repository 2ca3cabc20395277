"""Speech recognition by Whisper, run by faster-whisper.

Only sound with voice activity is recognised, so that silence and noise give no words. Whisper: A. Radford et al.,
"Robust speech recognition via large-scale weak supervision", 2022 (MIT). Its word times come from attention and include
the pauses around words; each word is cut to the speech that it lies in.
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
from lipdub.acoustics.level import gain_to_level, row_levels
from lipdub.acoustics.speech_spans import SpeechSpanOptions, activity_spans
from lipdub.acoustics.voice_activity import VoiceActivity
from lipdub.disk.identity import file_stamps
from lipdub.errors import MachineError, MissingExtra, OptionError, WeightsError
from lipdub.plugins import package_version
from lipdub.timeline.language import primary
from lipdub.timeline.lines import Word
from lipdub.timeline.sound import ANALYSIS_RATE, Sound
from lipdub.timeline.time import Span, merge_spans
from lipdub.words_to_sound.script.orthography import uses_spaces
from lipdub.words_to_sound.seam import ModelCard, Transcript

_VERSION = 1  # raise when the same sound gives other words
_SPEECH = SpeechSpanOptions(padding=Fraction(1, 5))
_TOGETHER = Fraction(2)  # seconds of silence that two spans of speech in one window may have between them
_WINDOW = Fraction(28)  # seconds of a group of spans; Whisper's window is 30
_SHORTEST_WORD = Fraction(1, 50)
_REPEATS = 2.4  # compression ratio above which Whisper's authors regard a text as a loop
_NO_LOOP = 5  # words in a row that may not occur twice when a loop is recognised again
_UNCERTAIN, _CANDIDATES = 0.6, 3  # below this probability of a language, so many languages are tried
_STRAY = Fraction(3, 10)  # seconds that a word may lie outside of all speech
_TOKENS = (20, 20)  # the limit of tokens in a window: a constant, and a number per second
_MOST_TOKENS = 440  # Whisper's text has 448 tokens, of which the prompt takes a few
_BCP_47 = {"jw": "jv"}  # Whisper's language codes that differ from BCP 47


@dataclass(frozen=True, slots=True)
class WhisperOptions:
    """``device`` is ``cpu`` or ``cuda``, ``beam`` the beam size, ``threads`` the number of CPU threads (0: up to 4)."""

    device: str = "cpu"
    beam: int = 5
    threads: int = 0


def make(detail: str) -> "WhisperRecogniser":
    """The recogniser ``whisper:detail``, where ``detail`` is a folder of CTranslate2 files, a model name of
    faster-whisper, or "" (whisper-base); ``@cuda`` at its end runs it on the graphics card.

    Raises ``MissingExtra``, ``OptionError`` or ``WeightsError``.
    """
    which, device = detail.strip(), "cpu"
    for known in ("cpu", "cuda"):
        if which.endswith(f"@{known}"):
            which, device = which.removesuffix(f"@{known}"), known
    faster_whisper_module()
    model = which or str(weights.resolve("whisper-base"))
    return WhisperRecogniser(model, weights.resolve("voice-activity"), WhisperOptions(device))


def faster_whisper_module() -> Any:
    """The module ``faster_whisper``. Raises ``MissingExtra`` if it is not installed."""
    with MissingExtra.guard("hear", "recognising speech"):
        import faster_whisper
    return faster_whisper


class WhisperRecogniser:
    """Recognises words in sound of some minutes. The same sound gives the same words."""

    def __init__(self, model: str, voice_activity: Path, options: WhisperOptions = WhisperOptions()) -> None:
        """``model`` is a folder or a model name of faster-whisper, ``voice_activity`` Silero's ONNX file.

        Raises ``MissingExtra``, ``OptionError`` for an unknown name, ``WeightsError`` for files that cannot be used,
        ``MachineError`` for ``cuda`` without a graphics card.
        """
        self._name, self._options = Path(model).name, options
        self._voice = VoiceActivity(voice_activity)
        self._folder = _model_folder(model, options)

    def fingerprint(self) -> tuple[object, ...]:
        """All that the words depend on: versions, options, and the model's files by name, size and time."""
        packages = package_version("faster-whisper"), package_version("ctranslate2")
        files = file_stamps(self._folder.iterdir()) if self._folder.is_dir() else ()
        options = self._options.device, self._options.beam
        return (_VERSION, packages, options, self._name, files, weights.identity("voice-activity"))

    @cached_property
    def _model(self) -> Any:
        """The model, loaded when it is first used, which takes seconds and as much memory as its files."""
        return _loaded_model(self._folder, self._options)

    @cached_property
    def _codes(self) -> frozenset[str]:
        return frozenset(map(str, self._model.supported_languages))

    @property
    def card(self) -> ModelCard:
        """What the report says about it. This loads the model, which knows its languages."""
        known = self._name in (*faster_whisper_module().available_models(), "whisper-base")
        languages = tuple(sorted(_BCP_47.get(code, code) for code in self._codes))
        return ModelCard(f"whisper ({self._name})", "MIT" if known else "not stated", languages)

    def transcribe(self, sound: Sound, language: str = "") -> Transcript:
        """The words of mono 16 kHz ``sound``; no words and confidence 0 if nobody speaks in it.

        Raises ``OptionError`` for a ``language`` that the model does not know.
        """
        assert (sound.rate, sound.samples.shape[0]) == (ANALYSIS_RATE, 1), (
            "speech is recognised in mono sound at 16 kHz"
        )
        code = self._code(language)
        samples = np.ascontiguousarray(sound.samples[0])
        gain = gain_to_level(row_levels(samples))
        speech = self._speech(samples, gain)
        if not speech:
            return Transcript((), language, 0.0)
        level = (samples * np.float32(gain)).astype(np.float32)
        confidence = 1.0
        if not code:
            code, confidence = self._language(level, speech)
        words = self._words(level, speech, code)
        if not words:
            return Transcript((), language, 0.0)
        placed = tuple(Word(w.text, w.span.shifted(sound.start), w.confidence) for w in words)
        return Transcript(placed, language or _BCP_47.get(code, code), confidence)

    def _code(self, language: str) -> str:
        code = next((known for known, tag in _BCP_47.items() if tag == primary(language)), primary(language))
        if code and code not in self._codes:
            raise OptionError(
                f"{self.card.name} does not know the language '{language}'",
                remedy=f"It knows {', '.join(self.card.languages)}",
            )
        return code

    def _speech(self, samples: np.ndarray, gain: float) -> tuple[Span, ...]:
        if gain == 0.0:
            return ()
        return activity_spans(self._voice.probabilities(samples, gain), Fraction(0), _SPEECH)

    def _language(self, level: np.ndarray, speech: Sequence[Span]) -> tuple[str, float]:
        """The language of the speech (without pauses) and its probability.

        If no language is likely, it is the one of the likeliest three whose words have the highest confidence.
        """
        if len(self._codes) == 1:
            return next(iter(self._codes)), 1.0
        voice = np.concatenate([level[_sample(s.start) : _sample(s.end)] for s in speech])
        code, probability, languages = self._model.detect_language(voice, language_detection_segments=4)
        if probability < _UNCERTAIN:
            first = group_spans(speech)[:1]
            candidates = [candidate for candidate, _ in languages[:_CANDIDATES]]
            code = max(candidates, key=lambda candidate: _mean_confidence(self._words(level, first, candidate)))
            probability = dict(languages)[code]
        return code, min(max(float(probability), 0.0), 1.0)

    def _words(self, level: np.ndarray, speech: Sequence[Span], code: str) -> tuple[Word, ...]:
        segments = [segment for group in group_spans(speech) for segment in self._group(level, group, code)]
        return without_overlaps(
            snap_to_speech(join_tokens(segments, code), speech), Fraction(len(level), ANALYSIS_RATE)
        )

    def _group(self, level: np.ndarray, group: Span, code: str) -> list[list[Any]]:
        """faster-whisper's words of one group of spans, by segments.

        Where a segment is a loop, the group is recognised again, and segments that are still loops are left out: a
        second or less at the end of a window may give a hundred words.
        """
        window = level[_sample(group.start) : _sample(group.end)]  # whisper computes features of all that it is given
        segments = list(self._read(window, code, 0))
        if any(s.compression_ratio > _REPEATS for s in segments):
            segments = [s for s in self._read(window, code, _NO_LOOP) if s.compression_ratio <= _REPEATS]
        return [[_moved(token, float(group.start)) for token in segment.words or ()] for segment in segments]

    def _read(self, window: np.ndarray, code: str, no_repeat: int) -> Iterator[Any]:
        segments, _ = self._model.transcribe(
            window,
            language=code,
            beam_size=self._options.beam,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
            no_repeat_ngram_size=no_repeat,
            max_new_tokens=max_tokens(Fraction(len(window), ANALYSIS_RATE)),
        )
        return segments


class _TimedToken(NamedTuple):
    """A word as faster-whisper gives it, which may be a part of one; in seconds of the whole sound."""

    start: float
    end: float
    word: str
    probability: float


def _graphics_cards() -> int:
    """How many graphics cards CTranslate2, which faster-whisper is built on, can use."""
    import ctranslate2

    return ctranslate2.get_cuda_device_count()


def _moved(token: Any, by: float) -> _TimedToken:
    return _TimedToken(token.start + by, token.end + by, token.word, token.probability)


def _model_folder(model: str, options: WhisperOptions) -> Path:
    """The folder of ``model``, which is not loaded yet; it is downloaded only if ``LIPDUB_DOWNLOAD`` allows that."""
    faster_whisper = faster_whisper_module()
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


def _loaded_model(folder: Path, options: WhisperOptions) -> Any:
    try:
        return faster_whisper_module().WhisperModel(
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


def _mean_confidence(words: Sequence[Word]) -> float:
    return sum(w.confidence for w in words) / max(len(words), 1)


def _sample(instant: Fraction) -> int:
    return round(instant * ANALYSIS_RATE)


def group_spans(speech: Sequence[Span]) -> tuple[Span, ...]:
    """Spans of speech with at most 2 s of silence between them, joined up to the length of Whisper's window."""
    groups: list[Span] = []
    for span in speech:
        near = bool(groups) and span.start - groups[-1].end <= _TOGETHER
        if near and span.end - groups[-1].start <= _WINDOW:
            groups[-1] = Span(groups[-1].start, span.end)
        else:
            groups.append(span)
    return tuple(groups)


def max_tokens(seconds: Fraction) -> int:
    """The limit of tokens for ``seconds`` of sound: more than anybody says, and not more than the model has room
    for."""
    return min(_TOKENS[0] + round(_TOKENS[1] * min(seconds, _WINDOW)), _MOST_TOKENS)


def join_tokens(segments: Iterable[Iterable[Any]], code: str) -> list[Word]:
    """faster-whisper's words, given by segments, as ``Word`` values.

    A token that follows without a space is joined to the word before it (if the language ``code`` uses spaces), and so
    are punctuation marks that stand alone.
    """
    words: list[Word] = []
    for segment in segments:
        for place, token in enumerate(segment):
            text = str(token.word).strip()
            inside = place > 0 and uses_spaces(code) and not str(token.word).startswith(" ")
            start, end = _milliseconds(token.start), _milliseconds(token.end)
            word = Word(text, Span(start, max(start, end)), min(max(float(token.probability), 0.0), 1.0))
            if words and text and (inside or not _has_letters(text)):
                words[-1] = _joined(words[-1], word, " " if text[0] in "-–—&" and not inside else "")
            elif _has_letters(text):
                words.append(word)
    return words


def _has_letters(text: str) -> bool:
    """True if ``text`` has a letter or a digit."""
    return any(c.isalnum() for c in text)


def _joined(word: Word, more: Word, gap: str) -> Word:
    if not _has_letters(more.text):
        return Word(word.text + gap + more.text, word.span, word.confidence)
    span = Span(word.span.start, max(word.span.end, more.span.end))
    return Word(word.text + gap + more.text, span, min(word.confidence, more.confidence))


def _milliseconds(seconds: Real) -> Fraction:
    return Fraction(round(float(seconds) * 1000), 1000)


def snap_to_speech(words: Sequence[Word], speech: Sequence[Span]) -> list[Word]:
    """Each word cut to the span of speech in which most of it lies. Words more than 0.3 s away from all speech are
    dropped."""
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


def without_overlaps(words: Sequence[Word], end: Fraction) -> tuple[Word, ...]:
    """``words`` moved so that they are in order of time, do not overlap and end by ``end``; each lasts at least 20 ms
    if there is room."""
    out: list[Word] = []
    for word in words:
        before = out[-1].span.end if out else Fraction(0)
        start = min(max(word.span.start, before), end)
        out.append(Word(word.text, Span(start, min(max(word.span.end, start + _SHORTEST_WORD), end)), word.confidence))
    return tuple(out)
