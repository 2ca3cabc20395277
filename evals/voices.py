"""The voices test: how well is the voice kokoro understood in each of its languages?

    python -m evals.voices [--only en,es] [--espeak] [--json voices.json]

The sentences of ``evals/voices_text`` (30 in each language, written for this test, without digits) are spoken and then
recognised by whisper-base. ``--espeak`` speaks them also from the phones of espeak-ng (GPL; package phonemizer with
espeakng-loader, not installed by lipdub), by the same network and the same voices.

errors    words (characters in ja and zh) that the recogniser has otherwise, of those in the sentences
sounds    Japanese in kana, Mandarin in pinyin with tones: what differs as it is read; りんご is the same as 林檎
rtf       seconds of computing for a second of speech, on one core
"""

import argparse
import json
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from lipdub import weights
from lipdub.timeline.sound import ANALYSIS_RATE
from lipdub.weights import kokoro_files
from lipdub.words_to_sound.phones.japanese import as_kana
from lipdub.words_to_sound.phones.lexicon import phones_of
from lipdub.words_to_sound.recognise.word_error_rate import edit_distance, tokens
from lipdub.words_to_sound.voices.kokoro_network import RATE, say
from lipdub.words_to_sound.voices.kokoro_voices import VOICES
from lipdub.words_to_sound.voices.speakable_text import speakable_text

TEXTS = Path(__file__).parent / "voices_text"
TAGS = {tag.split("-")[0]: tag for tag in VOICES if tag != "en-GB"}
_PROMPTS = {"hi": "यह हिन्दी है।", "zh": "以下是普通话的句子。"}
_ESPEAK = {"en": "en-us", "fr": "fr-fr", "pt": "pt-br", "zh": "cmn"}
_JOINED = {"a^ɪ": "I", "a^ʊ": "W", "e^ɪ": "A", "o^ʊ": "O", "ə^ʊ": "Q", "ɔ^ɪ": "Y", "t^ʃ": "ʧ", "d^ʒ": "ʤ", "t^s": "ʦ"}
_JOINED |= {"d^z": "ʣ", "s^s": "S", "^": "", "-": ""}

Phones = Callable[[str], str]


def judged(language: str, phones: Phones) -> dict[str, Any]:
    """The errors in the sentences of ``language``, spoken from what ``phones`` makes of them."""
    folder, tag = weights.resolve("kokoro"), TAGS[language]
    style = folder / f"{VOICES[tag][0]}.bin"
    wrong = total = 0
    seconds = spoken = 0.0
    heard = []
    sounds = [0, 0]
    for sentence in sentences(language):
        begun = time.process_time()
        sound = say(folder / kokoro_files.MODEL[0], [style], phones(sentence), 1.0)
        seconds += time.process_time() - begun
        spoken += len(sound) / RATE
        said = recognised(sound, language)
        wanted = tokens(sentence, language)
        found = edit_distance(wanted, tokens(said, language))
        wrong, total = wrong + found, total + len(wanted)
        if language in ("ja", "zh"):
            sounds = [a + b for a, b in zip(sounds, _sound_errors(sentence, said, language), strict=True)]
        if found:
            heard.append((sentence, said.strip(), found))
    row = {"language": language, "errors": round(wrong / total, 3), "of": total}
    if sounds[1]:
        row["sounds"] = round(sounds[0] / sounds[1], 3)
    return row | {"rtf": round(seconds / spoken, 2), "heard": heard}


def _sound_errors(sentence: str, said: str, language: str) -> tuple[int, int]:
    """How many kana or syllables of a sentence were heard otherwise, and how many it has."""
    wanted, found = (_as_read(text, language) for text in (sentence, said))
    return edit_distance(wanted, found), len(wanted)


def _as_read(text: str, language: str) -> list[str]:
    if language == "ja":
        return list(re.sub("[^ァ-ー]", "", as_kana(text)))
    from pypinyin import Style, lazy_pinyin

    return lazy_pinyin(re.sub("[^\u3400-\u9fff]", "", text), style=Style.TONE3)


def sentences(language: str) -> Sequence[str]:
    """The sentences of a language."""
    return (TEXTS / f"{language}.txt").read_text("utf-8").splitlines()


def recognised(samples: np.ndarray, language: str) -> str:
    """The words that whisper-base hears. Hindi is written in Devanagari only: else it is often Urdu or English."""
    sound = soxr.resample(samples, RATE, ANALYSIS_RATE).astype(np.float32)
    model, foreign = _recogniser()
    said, _ = model.transcribe(
        sound,
        language=language,
        beam_size=5,
        initial_prompt=_PROMPTS.get(language),
        condition_on_previous_text=False,
        suppress_tokens=[-1, *foreign] if language == "hi" else [-1],
    )
    return "".join(segment.text for segment in said)


_made: list[tuple[Any, list[int]]] = []


def _recogniser() -> tuple[Any, list[int]]:
    """The recogniser, and the numbers of its tokens with Latin or Arabic letters (as bytes of UTF-8)."""
    if not _made:
        from faster_whisper import WhisperModel

        model = WhisperModel(str(weights.resolve("whisper-base")), device="cpu", compute_type="int8", cpu_threads=1)
        words = model.hf_tokenizer.get_vocab()
        foreign = [
            number
            for word, number in words.items()
            if not word.startswith("<|") and any((c.isascii() and c.isalpha()) or c in "ØÙÚÛ" for c in word)
        ]
        _made.append((model, foreign))
    return _made[0]


def ours(language: str) -> Phones:
    """The product's own front end."""
    return lambda sentence: phones_of(speakable_text(sentence, language), TAGS[language], {})


def by_espeak(language: str) -> Phones:
    """espeak-ng, with its diphthongs and affricates as Kokoro's signs."""
    import espeakng_loader  # pyright: ignore[reportMissingImports]
    from phonemizer.backend import EspeakBackend  # pyright: ignore[reportMissingImports]
    from phonemizer.backend.espeak.wrapper import EspeakWrapper  # pyright: ignore[reportMissingImports]

    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    name = _ESPEAK.get(language, language)
    backend = EspeakBackend(name, preserve_punctuation=True, with_stress=True, tie="^", language_switch="remove-flags")

    def phones(sentence: str) -> str:
        said = backend.phonemize([sentence])[0].strip()
        for signs, sign in _JOINED.items():
            said = said.replace(signs, sign)
        return said

    return phones


def main() -> int:
    """Judge every language and print a table."""
    given = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    given.add_argument("--only", default=",".join(TAGS), help="languages, with commas")
    given.add_argument("--espeak", action="store_true", help="also from the phones of espeak-ng")
    given.add_argument("--json", type=Path, help="file for all results, with what was heard wrongly")
    asked = given.parse_args()
    rows = []
    for language in asked.only.split(","):
        for name, make in (("ours", ours), *((("espeak", by_espeak),) if asked.espeak else ())):
            row = judged(language, make(language)) | {"phones": name}
            rows.append(row)
            extra = f"  sounds {row['sounds']:.3f}" if "sounds" in row else ""
            print(
                f"{language}  {name:7} errors {row['errors']:.3f} of {row['of']}  rtf {row['rtf']:.2f}{extra}",
                flush=True,
            )
            if asked.json:
                asked.json.write_text(json.dumps(rows, ensure_ascii=False, indent=1), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
