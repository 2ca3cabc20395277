"""``server``: a voice that asks a server with ``POST /v1/audio/speech``, on this machine or elsewhere.

The answer is requested as WAV. A server that refuses the pace (some take none below 1) is asked again without it. The
key is that in ``LIPDUB_VOICE_KEY`` or ``OPENAI_API_KEY``; the latter is only sent over https or to this machine.
"""

from dataclasses import dataclass, field, replace

from lipdub.errors import ServiceError
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.words_to_sound.http_service import (
    HttpStatusError,
    RetryPolicy,
    ServiceAddress,
    parse_address,
    post_json,
    redacted,
    service_key,
)
from lipdub.words_to_sound.seam import ModelCard, VoiceReference
from lipdub.words_to_sound.voices.speakable_text import require_speakable
from lipdub.words_to_sound.voices.trim_and_level import trim_and_level
from lipdub.words_to_sound.voices.wav import read_wav

PATH = "/v1/audio/speech"
_MODEL, _VOICE = "tts-1", "alloy"
_VERSION = 1  # raise when the same line sounds different
_SLOWEST, _FASTEST = 0.25, 4.0  # the paces that servers of this kind accept


_REFUSED = (400, 422)  # HTTP statuses for values that a server does not take


def make(detail: str = "") -> "ServerVoice":
    """The voice at the address ``detail``: ``URL``, ``URL#MODEL`` or ``URL#MODEL,VOICE``.

    Raises ``OptionError`` if it is no address.
    """
    where = parse_address(detail, "voice server")
    model, voice = (*where.names, "", "")[:2]
    return ServerVoice(where, model or _MODEL, voice or _VOICE, service_key("LIPDUB_VOICE_KEY", where))


@dataclass(frozen=True, slots=True)
class ServerVoice:
    """The ``voice`` of ``model``, as the server at ``where`` names them; ``key`` ("": none) is sent to it. ``retry``
    says how often a request is tried."""

    where: ServiceAddress
    model: str = _MODEL
    voice: str = _VOICE
    key: str = ""
    retry: RetryPolicy = field(default=RetryPolicy())

    def __repr__(self) -> str:
        return f"ServerVoice({redacted(self.detail)!r})"

    @property
    def card(self) -> ModelCard:
        """What the report says about it; its languages are not known."""
        return ModelCard("server", "not stated", (), self.where.local)

    @property
    def detail(self) -> str:
        """The text from which ``make`` makes this voice."""
        return f"{self.where.url}#{self.model},{self.voice}"

    def fingerprint(self) -> tuple[object, ...]:
        """What its sound depends on, as far as that is known: the address, the model and the voice."""
        return (_VERSION, self.detail)

    def speak(self, line: Line, pace: float = 1.0, reference: VoiceReference | None = None) -> Sound:
        """``line`` at the server's sample rate. ``reference`` is not used, as the interface cannot send one.

        Raises ``ServiceError``, which names the server and the line, after three tries.
        """
        body: dict[str, object] = {
            "model": self.model,
            "voice": self.voice,
            "input": require_speakable(line.text, line.language),
            "response_format": "wav",
        }
        if abs(pace - 1) >= 0.005:
            body["speed"] = round(min(max(pace, _SLOWEST), _FASTEST), 3)
        url = self.where.under(PATH)
        try:
            return trim_and_level(*read_wav(self._answer(url, body), redacted(url)))
        except ServiceError as failed:
            raise not_spoken(line, failed) from failed

    def _answer(self, url: str, body: dict[str, object]) -> bytes:
        try:
            return post_json(url, body, self.key, self.retry)
        except HttpStatusError as refused:
            if refused.status not in _REFUSED:
                raise
            if body.pop("speed", None) is not None:
                return self._answer(url, body)
            refused.remedy = refused.remedy or "Model and voice can be named: server:URL#MODEL,VOICE"
            raise

    def with_retry(self, retry: RetryPolicy) -> "ServerVoice":
        """The same voice with another ``retry``."""
        return replace(self, retry=retry)


def not_spoken(line: Line, failed: ServiceError) -> ServiceError:
    """The error for ``line``, whose request ``failed``, with the line's time."""
    what = f"the line '{line.text.strip()[:40]}' was not spoken: {failed.what}"
    return ServiceError(what, at=line.span.start, remedy=failed.remedy)
