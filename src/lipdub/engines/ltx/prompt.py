"""Writes the prompt for Dub-It: who speaks which language, and the words in their own script."""

from lipdub.errors import OptionError
from lipdub.timeline.language import primary
from lipdub.timeline.lines import Line

_LANGUAGES = {
    "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech", "da": "Danish",
    "de": "German", "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian", "fa": "Persian",
    "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian",
    "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian",
    "ms": "Malay", "nb": "Norwegian", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese",
    "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "sr": "Serbian", "sv": "Swedish",
    "ta": "Tamil", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese",
    "zh": "Chinese",
}  # fmt: skip


def language_name(tag: str) -> str:
    """The English name of a BCP 47 language tag (``es-MX`` is Spanish), or "" if it is not known."""
    return _LANGUAGES.get(primary(tag), "")


def prompt_for(line: Line, who: str = "A person") -> str:
    """``A woman is speaking in Spanish, saying: "..."``.

    ``who`` describes the speaker as seen (``"A woman"``). A language without a known name is left out. Raises
    ``OptionError`` if the line has no words.
    """
    words = " ".join(line.text.split()).replace('"', "'")
    if not words:
        raise OptionError("the line has no words to say", at=line.span.start)
    language = language_name(line.language)
    inserted = f" in {language}" if language else ""
    return f'{who} is speaking{inserted}, saying: "{words}"'
