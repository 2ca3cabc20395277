"""What a user may choose about a dub."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class DubOptions:
    """Choices for one dub; every one has a default that suits most clips."""

    engine: str = "exemplar"
    """Who makes the mouths; ``lipdub engines`` lists them."""

    weights: Path | None = None
    """Folder with the engine's models, if it needs any."""

    engine_option: tuple[str, ...] = ()
    """KEY=VALUE, the engine's own, e.g. device=cuda; may be repeated."""

    face: str = "auto"
    """Whose mouth: auto (who speaks), left, right, largest, or X,Y@TIME (a point in the picture at a time)."""

    hearing: Literal["auto", "best", "light"] = "auto"
    """best: with the whisper encoder (145 MB, fetched if allowed); light: without; auto: with it if it is there."""

    audio_stream: int | None = None
    """Which sound of the clip is its own, counted from 0; by default the one that players play."""

    seed: int = 0
    """Same seed, same bytes."""

    prior: Path | None = None
    """Speech-to-mouth prior trained on your own footage (python -m lipdub.train.prior)."""

    codec: str | None = None
    """Encoder of the picture; by default the source's own kind, visually lossless."""

    crf: int | None = None
    """Quality of the picture; lower is better and larger."""

    preset: str | None = None
    """Speed of the encoder, in its own words."""

    hardware: bool = False
    """Use a hardware encoder if there is one."""

    keep_original_audio: bool = False
    """Keep the old sound as a second track."""

    language: str | None = None
    """Language tag of the dub track, e.g. es."""

    overwrite: bool = False
    """Replace an output that exists."""

    page: bool = True
    """Write a review page (HTML) beside the output."""

    reuse: bool = True
    """Keep the study of the clip, so that the next dub of it starts at once."""

    consent: bool = False
    """You have the consent of the people in the footage; asked once per clip otherwise."""


@dataclass(frozen=True)
class VoiceOptions:
    """Who speaks, and how speech is brought to its time."""

    voice: tuple[str, ...] = ()
    """Who speaks: NAME, NAME:DETAIL or SPEAKER=NAME:DETAIL, e.g. nanotts:es-ES; may be repeated."""

    fit: Literal["audio", "none"] = "audio"
    """audio: speech is moved and gently stretched to where the clip speaks; none: as spoken, at its line's start."""


@dataclass(frozen=True)
class SpeechOptions(VoiceOptions):
    """What shall be said, by whom, and how it is mixed: for dubs without a finished dub track."""

    script: Path | None = None
    """What is said: SRT, VTT, ASS, JSON or plain text, in the language of --to (or of its name: talk.en.srt)."""

    line: str = ""
    """What is said, as one sentence or more, instead of a script."""

    to: str = ""
    """Language of the dub, e.g. es. Without a script the clip is heard and translated."""

    source_language: str = ""
    """Language that is spoken in the clip; found out if not given."""

    recogniser: str = "whisper"
    """Who hears the clip's words, if they are needed, and the dub's, to check them."""

    translator: str = ""
    """Who translates: openai:URL#MODEL (any such server, local ones too), argos, or another that is installed."""

    glossary: Path | None = None
    """How terms are rendered: CSV, TSV or JSON with term and rendering."""

    music_effects: Path | None = None
    """The clip's music and effects without its speech, if you have them; else the clip's own sound is ducked."""

    separator: str = ""
    """A program that takes the speech out of the clip's sound, e.g. demucs --two-stems vocals -o {folder} {input}."""

    loudness: str = "broadcast"
    """broadcast: -23 LUFS (EBU R 128); web: -16; loud: -14; a number of LUFS; source: speech as loud as the clip's and
    all else as it is; none: as it comes."""

    hush: float = -60.0
    """dB by which the clip's own speech is lowered: -60 hides it and lays the room's own tone in its place; -18 leaves
    it to be heard beneath, as voice-overs do."""

    mix: bool = False
    """Mix a dub track given by --audio over the clip's music and effects, too; else it stays untouched."""

    proof: bool = True
    """Hear the finished speech again and compare it with the words (needs the recogniser; slow for long clips)."""

    subtitles: Literal["srt", "vtt", "none"] = "srt"
    """Write what is said as subtitles beside the output."""

    embed_subtitles: bool = False
    """Put what is said into the output as a text track, too."""
