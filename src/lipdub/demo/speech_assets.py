"""The demo's two recordings, which ship with the package, so that the demo needs no voice.

Where the voice kokoro is on the machine, it says the texts instead (``demo_speech``). The recordings were spoken by
py-nanotts (the Pico voices, Apache-2.0). ``python -m lipdub.demo.speech_assets FOLDER`` makes them again with the extra
``voices``. The synthesiser does not say a text in the same way twice; recordings stay the same.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import soxr
from jaxtyping import Float32

from lipdub.demo.media_files import write_opus
from lipdub.errors import MissingExtra
from lipdub.media.sound_read import read_sound
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.timeline.time import Span
from lipdub.words_to_sound.voices.assign import voice_named
from lipdub.words_to_sound.voices.choose import NATURAL_VOICE, default_voice

RATE = 48_000
"""Samples per second of the demo's voices."""

_PICO_RATE = 16_000
_LEAD, _LONG, _SHORT = 0.4, 0.45, 0.18  # silence before, after sentences, after clauses: seconds
_LEVEL = 10 ** (-15 / 20)  # RMS of speech; for these voices it is -16 LUFS
_PEAK = 10 ** (-1.0 / 20)


@dataclass(frozen=True, slots=True)
class DemoText:
    """A text in one language: the synthesiser's ``voice``, its ``speed``, ``phrases`` that are shown as captions, and
    the voice of kokoro that says it where it is there (``natural``)."""

    voice: str
    speed: float
    phrases: tuple[str, ...]
    natural: str = ""


ENGLISH = DemoText(
    "en-US",
    1.1,
    (
        "Hello! A moment ago,",
        "I was a still picture.",
        "Now I can speak any language,",
        "and my lips follow every word.",
    ),
    "af_heart",
)
SPANISH = DemoText(
    "es-ES",
    1.1,
    (
        "¡Hola! Hace un momento,",
        "yo era una foto.",
        "Ahora hablo cualquier idioma,",
        "y mis labios siguen cada palabra.",
    ),
    "ef_dora",
)


@dataclass(frozen=True, eq=False)
class DemoSpeech:
    """A text as ``sound``, and when each of its phrases is said: (span, phrase)."""

    sound: Sound
    phrases: tuple[tuple[Span, str], ...]


def demo_speech() -> tuple[DemoSpeech, DemoSpeech, str]:
    """What the demo says in English and in Spanish, and who says it: kokoro where it is the default voice, else the
    recordings. Raises what the voice raises."""
    lines = [Line(text.phrases[0], Span(Fraction(0), Fraction(1)), text.voice) for text in (ENGLISH, SPANISH)]
    if default_voice(lines) != NATURAL_VOICE:
        return load_speech("en"), load_speech("es"), "nanotts (recordings that come with lipdub)"
    names = f"{NATURAL_VOICE} ({ENGLISH.natural} and {SPANISH.natural})"
    return _spoken(ENGLISH), _spoken(SPANISH), names


def _spoken(text: DemoText) -> DemoSpeech:
    """``text`` said by kokoro."""

    def said(phrase: str) -> np.ndarray:
        voice = voice_named(f"{NATURAL_VOICE}:{text.natural}")
        sound = voice.speak(Line(phrase, Span(Fraction(0), Fraction(1)), text.voice))
        return soxr.resample(sound.samples[0], sound.rate, _PICO_RATE).astype(np.float32)

    return _laid_out(text, said)


def load_speech(language: str) -> DemoSpeech:
    """The recording in ``language`` (en or es): mono at 48 kHz."""
    assets = files("lipdub.demo") / "assets"
    times = json.loads((assets / "voices.json").read_text("utf-8"))[language]
    with as_file(assets / f"voice.{language}.opus") as path:
        sound = read_sound(path, rate=RATE, mono=True)
    phrases = tuple((Span(Fraction(start), Fraction(end)), phrase) for start, end, phrase in times)
    return DemoSpeech(Sound(sound.samples, RATE), phrases)


def write_assets(folder: Path) -> None:
    """Synthesise both texts and write the recordings, and the times of their phrases, to ``folder``."""
    times = {}
    for language, text in (("en", ENGLISH), ("es", SPANISH)):
        speech = synthesise(text)
        write_opus(folder / f"voice.{language}.opus", speech.sound)
        times[language] = [(str(span.start), str(span.end), phrase) for span, phrase in speech.phrases]
    (folder / "voices.json").write_text(json.dumps(times, ensure_ascii=False, indent=1) + "\n", "utf-8")


def synthesise(text: DemoText) -> DemoSpeech:
    """``text`` as mono sound at 48 kHz with normalised loudness and some silence at both ends.

    Raises ``MissingExtra`` if the voices are not installed.
    """
    with MissingExtra.guard("voices", "The demo's voice"):
        from py_nanotts import NanoTTS

    def said(phrase: str) -> np.ndarray:
        # Louder than this the synthesiser clips.
        raw = NanoTTS().speak(phrase, voice=text.voice, speed=text.speed, volume=0.3)
        return np.frombuffer(raw, "<i2").astype(np.float32) / 32768

    return _laid_out(text, said)


def _laid_out(text: DemoText, said: Callable[[str], np.ndarray]) -> DemoSpeech:
    """The phrases of ``text``, as ``said`` gives them (mono, 16 kHz), one after the other with pauses."""
    pieces, phrases = [np.zeros(round(_LEAD * _PICO_RATE), np.float32)], []
    for phrase in text.phrases:
        voice = _trimmed(said(phrase))
        start = sum(map(len, pieces))
        phrases.append((Span(Fraction(start, _PICO_RATE), Fraction(start + len(voice), _PICO_RATE)), phrase))
        pause = _LONG if phrase[-1] in ".!?" else _SHORT
        pieces += [voice, np.zeros(round(pause * _PICO_RATE), np.float32)]
    samples = soxr.resample(np.concatenate(pieces), _PICO_RATE, RATE).astype(np.float32)
    return DemoSpeech(Sound(normalised(samples)[None], RATE), tuple(phrases))


def _trimmed(voice: np.ndarray) -> np.ndarray:
    loud = np.flatnonzero(np.abs(voice) > 0.004)
    return voice[loud[0] : loud[-1] + 1] if len(loud) else voice


def normalised(voice: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, " samples"]:
    """``voice`` (48 kHz) with normalised loudness: the RMS of the blocks with speech (gate 10 dB below their mean, as
    in ITU-R BS.1770, but unweighted) at -15 dB, peaks at most -1 dB."""
    block = RATE * 2 // 5
    padded = np.pad(voice, (0, -len(voice) % block)).reshape(-1, block)
    power = (padded.astype(np.float64) ** 2).mean(1)
    speaking = power[power > 0.1 * power.mean()] if power.any() else power
    if not power.any():
        return voice
    gain = min(_LEVEL / float(np.sqrt(speaking.mean())), _PEAK / float(np.abs(voice).max()))
    return voice * np.float32(gain)


if __name__ == "__main__":
    write_assets(Path(sys.argv[1]))
