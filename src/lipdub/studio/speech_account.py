"""What the report tells of the speech of a dub."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from lipdub.review.report import SpeechReport
from lipdub.studio.dub_plan import DubSpeech
from lipdub.timeline.model_used import ModelUsed


def speech_account(
    speech: DubSpeech,
    helpers: Iterable[ModelUsed] = (),
    metrics: Mapping[str, float] = MappingProxyType({}),
    notes: Iterable[str] = (),
) -> SpeechReport:
    """What is said, by which voices, and how it measured, with further models, metrics and notes."""
    return SpeechReport(
        language=speech.language,
        lines=speech.said,
        voices=speech.voices,
        models=tuple(dict.fromkeys((*speech.helpers, *helpers))),
        metrics={**speech.metrics, **metrics},
        notes=tuple(dict.fromkeys((*speech.notes, *notes))),
    )
