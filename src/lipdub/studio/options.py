"""Options of a dub. The command line shows the fields and their docstrings as ``--options`` and help texts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

VoiceLikeness = Literal["off", "pitch", "full"]
"""How much a voice is made to resemble the person in the clip."""

_HIDDEN = -40.0
"""Ducking (dB) below which the clip's own speech cannot be heard: room tone takes its place."""


@dataclass(frozen=True)
class AudioStreamOptions:
    """Which sound of the clip is its own."""

    audio_stream: int | None = None
    """Audio stream of the clip that is its own sound, counted from 0; by default the one that players play."""


@dataclass(frozen=True)
class OverwriteOptions:
    """What may become of files that exist."""

    overwrite: bool = False
    """Replace an output that exists."""


@dataclass(frozen=True)
class TimelineOptions(OverwriteOptions):
    """Options of a timeline for editing software."""

    film: Path | None = None
    """Where the film is now, if it was moved."""

    rate: str = ""
    """Frames a second of the timeline, e.g. 24000/1001: by default that of the source, which only for a source of
    varying rate may be another."""


@dataclass(frozen=True)
class CredentialOptions:
    """Content credentials (C2PA): a signed record in the output of what was changed in it."""

    credentials: bool = False
    """Sign the output with content credentials (C2PA), which say what was changed, when and by whom (extra
    credentials). They are embedded in mp4 and mov, and lie beside mkv and webm (.c2pa)."""

    sign_key: Path | None = None
    """Private key (PEM) that signs; by default that of LIPDUB_SIGN_KEY, else one that this machine makes for itself:
    nobody vouches for it, and readers say so."""

    sign_cert: Path | None = None
    """Certificates (PEM) of the key, the signer's own first; by default those of LIPDUB_SIGN_CERT."""


@dataclass(frozen=True)
class LabelOptions:
    """A label in the picture that says what it is."""

    label: str | bool = False
    """Draw a label into the picture: TEXT, or without one "AI-dubbed"."""

    label_corner: Literal["top-left", "top-right", "bottom-left", "bottom-right"] = "top-left"
    """Corner of the picture in which the label is."""

    label_seconds: float = 0.0
    """Seconds from the start for which the label is seen; 0: as long as the film. The rest stays without it."""


@dataclass(frozen=True)
class DubOptions(LabelOptions, CredentialOptions, AudioStreamOptions, OverwriteOptions):
    """Options of one dub: engine, picture, files. The defaults suit most clips."""

    engine: str = "exemplar"
    """Engine that renders the mouths; ``lipdub engines`` lists them."""

    weights: Path | None = None
    """Folder with the model files of the engine, if it needs any."""

    engine_option: tuple[str, ...] = ()
    """KEY=VALUE, an option of the engine itself, e.g. device=cuda; may be repeated."""

    face: tuple[str, ...] = ("auto",)
    """Person to dub, in all shots: auto (whoever speaks), left, right, largest, X,Y@TIME (a pixel of the picture at a
    time), or the number of a person; may be repeated."""

    speech_features: Literal["best", "light"] = "best"
    """Speech features that the lips follow. best: phones and the speech encoder; light: phones
    alone, a little quicker, and less close."""

    from_: str = ""
    """Time (h:mm:ss.mmm) before which everything stays as filmed."""

    until: str = ""
    """Time from which on everything stays as filmed."""

    skip: tuple[str, ...] = ()
    """START-END, a part that stays as filmed, e.g. 0:22-0:25; may be repeated."""

    if_longer: Literal["cut", "hold", "bounce", "slow", "refuse"] = "cut"
    """If the dub track is longer than the picture. cut: it ends with the picture; hold: the last frame is shown until
    the dub ends; bounce: the end of the picture plays backwards and forwards; slow: the whole picture is shown more
    slowly; refuse: nothing is made. Where a script is spoken, for each line that does not fit its time: cut: its end is
    left out; hold: the picture stands still after it; slow: the picture is shown more slowly during it; refuse."""

    if_shorter: Literal["rest", "cut", "refuse"] = "rest"
    """If the dub track is shorter than the picture. rest: the mouths rest; cut: the film ends with the dub; refuse:
    nothing is made."""

    seed: int = 0
    """Random seed, 0 or more; the same seed gives the same bytes."""

    prior: Path | None = None
    """Speech-to-mouth prior trained on your own footage (lipdub train prior)."""

    codec: str | None = None
    """Video codec of the output; by default the codec of the source, visually lossless."""

    crf: int | None = None
    """Quality of the picture (constant rate factor); lower is better and gives a larger file."""

    preset: str | None = None
    """Speed preset of the encoder, e.g. slow; docs/files.md lists the values of each codec."""

    hardware: bool = False
    """Use a hardware encoder if there is one."""

    keep_original_audio: bool = False
    """Keep the sound of the clip as a second audio track."""

    language: str | None = None
    """Language tag of the dub track, e.g. es."""

    page: bool = True
    """Write a review page (HTML) beside the output."""

    reuse: bool = True
    """Keep the analysis of the clip in the cache, so that the next dub of the clip need not repeat it."""

    workers: int | str = 0
    """Number of processes that make the film, each on another part of it; 0: as many as there are cores. ray or
    ray:HOST:PORT: the cores of a Ray cluster (extra ray)."""

    shared_store: str = ""
    """URL of a store through which files pass to the workers of a Ray cluster whose machines share no disk, e.g.
    s3://BUCKET/FOLDER (with the package s3fs), gs://, sftp:// or file:///FOLDER."""

    consent: bool = False
    """State that the people in the footage agreed to be dubbed, with voices that are made to resemble theirs; without
    it you are asked once per clip."""


@dataclass(frozen=True)
class VoiceOptions:
    """Options of the voices, and of how their speech is fitted to the time of each line."""

    voice: tuple[str, ...] = ()
    """Voice that speaks the lines: NAME, NAME:DETAIL or SPEAKER=NAME:DETAIL, e.g. nanotts:es-ES; may be repeated."""

    voice_likeness: VoiceLikeness = "pitch"
    """How much the voice kokoro is made to resemble the person in the clip. off: the voice whose pitch is nearest;
    pitch: its pitch and formants are moved a little towards the person's, too; full: the voice, or the mean of two, is
    chosen by timbre (fetch its network first: lipdub weights fetch speaker)."""

    duration_fit: Literal["audio", "none"] = "audio"
    """audio: move and time-stretch the speech to where the clip speaks; none: natural pace, from the start of each
    line."""


@dataclass(frozen=True)
class SourceLanguageOptions:
    """The language from which a dub is made."""

    source_language: str = ""
    """Language spoken in the clip, or that of a script to be translated; found out if not given."""


@dataclass(frozen=True)
class RecogniserOptions(SourceLanguageOptions):
    """Options of the transcription of a clip."""

    recogniser: str = "whisper"
    """Speech recogniser: it transcribes the clip where that is needed, and the dub for the ASR check."""


@dataclass(frozen=True)
class TranslatorOptions(SourceLanguageOptions):
    """Options of the translation of lines."""

    translator: str = ""
    """Translator: openai:URL#MODEL (any such server, local ones too), argos, command:PROGRAM, or another that is
    installed."""

    glossary: Path | None = None
    """How terms are translated: CSV, TSV or JSON with term and rendering."""


@dataclass(frozen=True)
class SpeakOptions(CredentialOptions, VoiceOptions):
    """Options of speech without a picture: voices, the language of the script, and what tells that it is synthetic."""

    to: str = ""
    """Language of the script, e.g. es, where its name does not tell it (talk.es.srt does)."""

    consent: bool = False
    """State that the people in the clip agreed to be imitated; without it you are asked, if a voice imitates them."""

    notice: str | bool = False
    """Say a notice before the speech: TEXT, or without one that the voice was made by artificial intelligence."""


@dataclass(frozen=True)
class SpeechMakingOptions(VoiceOptions, TranslatorOptions, RecogniserOptions):
    """Options of how speech is made here, whatever its language: text, translation, voices, mix and subtitles."""

    line: str = ""
    """Text to speak instead of a script: one sentence or more."""

    music_effects: Path | None = None
    """Music and effects (M&E) of the clip without its speech; without them the clip's own sound is ducked."""

    separator: str = ""
    """What removes the speech from the clip's sound: bed (extra bed; tried by default if it is installed), none, or a
    program, e.g. demucs --two-stems vocals -o {folder} {input}."""

    loudness: str = "broadcast"
    """Loudness of the mix. broadcast: -23 LUFS (EBU R 128); web: -16; loud: -14; a number of LUFS; source: speech as
    loud as that of the clip, everything else unchanged; none: not adjusted."""

    duck: float = -60.0
    """Gain in dB (0 or less) for the clip's own speech under the dub. -60 removes it and puts room tone in its place;
    -18 leaves it audible, as in a voice-over."""

    mix: bool = False
    """Mix a dub track given by --audio with the clip's music and effects, too; without it the track is not changed."""

    asr_check: bool = True
    """Transcribe the finished speech and report its word error rate (needs the recogniser; slow for long clips)."""

    subtitles: Literal["srt", "vtt", "ttml", "none"] = "srt"
    """Write subtitles of the spoken lines beside the output: SubRip, WebVTT, or TTML (IMSC 1.1 text profile)."""

    stems: Path | None = None
    """Folder for the sound in parts, WAV files as long as the film: speech, music and effects, and the mix, which is
    their sum. For a dub track given by --audio with --mix."""

    embed_subtitles: bool = False
    """Put the subtitles into the output as a text track, too."""

    @property
    def hides_speech(self) -> bool:
        """True if the clip's own speech is lowered so far that it cannot be heard: something takes its place."""
        return self.duck < _HIDDEN


@dataclass(frozen=True)
class SpeechOptions(SpeechMakingOptions):
    """Options of a dub whose speech is made here: what is said, in which language, and how."""

    script: Path | None = None
    """Script to speak: SRT, VTT, ASS, JSON or plain text, in the language of --to (or of its name: talk.en.srt)."""

    to: str = ""
    """Language of the dub, e.g. es. Without a script the clip is transcribed and translated."""
