"""What the report tells of the speech of a dub."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from lipdub.review.report import SpeechReport
from lipdub.studio.dub_plan import DubSpeech
from lipdub.timeline.model_used import ModelUsed


def speech_account(
    speech: DubSpeech,
    helpers: Iterable[ModelUsed] = (),
    figures: Mapping[str, float] = MappingProxyType({}),
    notes: Iterable[str] = (),
) -> SpeechReport:
    """What is said, by which voices, and how it measured, with further helpers, figures and notes."""
    return SpeechReport(
        language=speech.language,
        lines=speech.said,
        voices=speech.voices,
        helpers=tuple(dict.fromkeys((*speech.helpers, *helpers))),
        figures={**speech.figures, **figures},
        notes=tuple(dict.fromkeys((*speech.notes, *notes))),
    )
