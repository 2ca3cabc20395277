"""Voices of servers that imitate the person in the clip: ``vllm-omni``, ``chatterbox`` and ``gpt-sovits``.

Each has a protocol of its own, a row of ``PROTOCOLS``; the facts are from the servers' public documentation and code.
Each line is sent with a few seconds of that person's speech: consent to the dub must cover that. The key is that in
``LIPDUB_VOICE_KEY``, or ``OPENAI_API_KEY`` (over https or to this machine only).
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from lipdub.disk.temporary_folder import temporary_folder
from lipdub.errors import OptionError, ServiceError
from lipdub.timeline.language import primary
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.words_to_sound.http_service import (
    HttpStatusError,
    RetryPolicy,
    ServiceAddress,
    parse_address,
    post_file,
    post_json,
    redacted,
    service_key,
)
from lipdub.words_to_sound.seam import ModelCard, VoiceReference
from lipdub.words_to_sound.voices.server import not_spoken
from lipdub.words_to_sound.voices.speakable_text import require_speakable
from lipdub.words_to_sound.voices.trim_and_level import trim_and_level
from lipdub.words_to_sound.voices.wav import read_wav, write_wav

_VERSION = 1  # raise when the same line sounds different
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class CloneRequest:
    """What is to be said, and like whom: ``text`` in ``language`` (BCP 47) at ``pace`` (1: natural), the reference as a
    WAV file ``sample``, and what is said in it (``sample_text``, "" if not known, in ``sample_language``)."""

    text: str
    language: str
    pace: float
    sample: bytes
    sample_text: str
    sample_language: str


@dataclass(frozen=True, slots=True)
class CloningProtocol:
    """How one kind of server is asked. ``ask`` sends a request and returns the answer, a WAV file.

    The server speaks ``languages`` (primary subtags; empty: depends on its model) and takes references of at most
    ``longest`` seconds. ``paced``: it can change the pace. ``reads_files``: the reference is given as a file, so the
    server must be on this machine.
    """

    ask: Callable[["CloningServerVoice", CloneRequest], bytes]
    longest: float
    languages: tuple[str, ...] = ()
    paced: bool = True
    reads_files: bool = False


@dataclass(frozen=True, slots=True)
class CloningServerVoice:
    """The voice of the server of the kind ``name`` (a key of ``PROTOCOLS``) at ``where``; ``model`` is its name of a
    model ("": the one it has). ``key`` ("": none) is sent to it. ``retry`` says how often a request is tried."""

    name: str
    where: ServiceAddress
    model: str = ""
    key: str = ""
    retry: RetryPolicy = field(default=RetryPolicy())

    def __repr__(self) -> str:
        return f"CloningServerVoice({self.name!r}, {redacted(self.detail)!r})"

    @property
    def protocol(self) -> CloningProtocol:
        """How it is asked."""
        return PROTOCOLS[self.name]

    @property
    def card(self) -> ModelCard:
        """What the report says about it. Its licence depends on its model and is not known."""
        return ModelCard(self.name, "not stated", self.protocol.languages, self.where.local)

    @property
    def detail(self) -> str:
        """The text from which this voice is made."""
        return f"{self.where.url}#{self.model}" if self.model else self.where.url

    def fingerprint(self) -> tuple[object, ...]:
        """What its sound depends on, as far as that is known: kind, address and model."""
        return (_VERSION, self.name, self.detail)

    @property
    def needs_reference(self) -> bool:
        """True: it has no voice of its own."""
        return True

    @property
    def wants_reference_text(self) -> bool:
        """True: most models imitate better if they know what is said in the reference."""
        return True

    def check_ready(self) -> None:
        """Raises ``OptionError`` if the server would have to read files of this machine and is elsewhere."""
        if self.protocol.reads_files and not self.where.local:
            raise OptionError(
                f"{self.name} reads references as files, so it must be here; {redacted(self.where.url)} is elsewhere",
                remedy="Run the server here, or use a voice that sends references (vllm-omni, chatterbox)",
            )

    def speak(self, line: Line, pace: float = 1.0, reference: VoiceReference | None = None) -> Sound:
        """``line`` in the voice of ``reference``, at the server's sample rate.

        Raises ``OptionError`` without a reference, for a language that the server does not speak and a text with
        nothing to say, and ``ServiceError``, which names the server and the line, after three tries.
        """
        protocol, text = self.protocol, require_speakable(line.text, line.language)
        if protocol.languages and primary(line.language) not in protocol.languages:
            raise OptionError(
                f"{self.name} does not speak '{line.language}'",
                at=line.span.start,
                remedy=f"It speaks {', '.join(protocol.languages)}",
            )
        if reference is None:
            raise OptionError(f"{self.name} imitates a person, and there is no sound of the speaker")
        asked = CloneRequest(
            *(text, line.language, pace if protocol.paced else 1.0),
            *(_sample(reference.sound, protocol.longest), reference.text, reference.language),
        )
        try:
            return trim_and_level(*read_wav(protocol.ask(self, asked), redacted(self.where.url)))
        except ServiceError as failed:
            raise not_spoken(line, failed) from failed

    def post(self, path: str, body: dict[str, object]) -> bytes:
        """The server's answer to ``body`` (JSON). Raises ``ServiceError``."""
        return post_json(self.where.under(path), body, self.key, self.retry)

    def with_retry(self, retry: RetryPolicy) -> "CloningServerVoice":
        """The same voice with another ``retry``."""
        return replace(self, retry=retry)


def vllm_omni(detail: str = "") -> CloningServerVoice:
    """The voice ``vllm-omni:URL`` or ``vllm-omni:URL#MODEL``. Raises ``OptionError`` if that is no address."""
    return _made("vllm-omni", detail)


def chatterbox(detail: str = "") -> CloningServerVoice:
    """The voice ``chatterbox:URL``. Raises ``OptionError`` if that is no address."""
    return _made("chatterbox", detail)


def gpt_sovits(detail: str = "") -> CloningServerVoice:
    """The voice ``gpt-sovits:URL``. Raises ``OptionError`` if that is no address."""
    return _made("gpt-sovits", detail)


def _made(name: str, detail: str) -> CloningServerVoice:
    where = parse_address(detail, f"{name} server")
    return CloningServerVoice(name, where, next(iter(where.names), ""), service_key("LIPDUB_VOICE_KEY", where))


def _sample(sound: Sound, longest: float) -> bytes:
    """The WAV file of ``sound``; if it is longer than ``longest`` seconds, as much is cut off both ends."""
    samples = sound.samples[0]
    more = max(0, samples.shape[0] - int(longest * sound.rate))
    return write_wav(np.ascontiguousarray(samples[more // 2 : samples.shape[0] - (more - more // 2)]), sound.rate)


def _ask_vllm_omni(voice: CloningServerVoice, asked: CloneRequest) -> bytes:
    """vLLM-Omni's ``/v1/audio/speech`` with a reference; without its text, only the voice's timbre is taken (Qwen3-TTS
    calls that ``x_vector_only_mode``). The language is left to the model: many refuse to be told."""
    body: dict[str, object] = {
        "input": asked.text,
        "response_format": "wav",
        "ref_audio": "data:audio/wav;base64," + base64.b64encode(asked.sample).decode(),
        **({"model": voice.model} if voice.model else {}),
        **({"ref_text": asked.sample_text} if asked.sample_text else {"x_vector_only_mode": True}),
    }
    return voice.post("/v1/audio/speech", body)


def _ask_chatterbox(voice: CloningServerVoice, asked: CloneRequest) -> bytes:
    """Chatterbox-TTS-Server's ``/tts``. It knows references by file name; one that it does not have is uploaded."""
    name = f"lipdub-{hashlib.sha256(asked.sample).hexdigest()[:24]}.wav"
    body: dict[str, object] = {
        "text": asked.text,
        "voice_mode": "clone",
        "reference_audio_filename": name,
        "output_format": "wav",
        "language": primary(asked.language),
    }
    try:
        return voice.post("/tts", body)
    except HttpStatusError as missing:
        if missing.status != _NOT_FOUND:
            raise
    post_file(voice.where.under("/upload_reference"), "files", name, asked.sample, voice.key, voice.retry)
    return voice.post("/tts", body)


def _ask_gpt_sovits(voice: CloningServerVoice, asked: CloneRequest) -> bytes:
    """GPT-SoVITS's ``api_v2.py``, ``/tts``. What is said in a reference is of use to it in its own languages only."""
    known = bool(asked.sample_text) and primary(asked.sample_language) in _SOVITS_LANGUAGES
    with temporary_folder("voice") as folder:
        sample = folder / "reference.wav"
        sample.write_bytes(asked.sample)
        body: dict[str, object] = {
            "text": asked.text,
            "text_lang": primary(asked.language),
            "ref_audio_path": str(sample),
            "prompt_text": asked.sample_text if known else "",
            "prompt_lang": primary(asked.sample_language) if known else "auto",
            "speed_factor": round(asked.pace, 3),
            "media_type": "wav",
            "streaming_mode": False,
        }
        return voice.post("/tts", body)


_SOVITS_LANGUAGES = ("en", "ja", "ko", "yue", "zh")

PROTOCOLS = {
    "vllm-omni": CloningProtocol(_ask_vllm_omni, longest=30.0, paced=False),
    "chatterbox": CloningProtocol(_ask_chatterbox, longest=30.0, paced=False),
    "gpt-sovits": CloningProtocol(_ask_gpt_sovits, longest=9.99, languages=_SOVITS_LANGUAGES, reads_files=True),
}
"""The kinds of servers, by name. The pace that vLLM-Omni and Chatterbox-TTS-Server offer is a time-stretch of finished
speech, which lipdub does itself."""
