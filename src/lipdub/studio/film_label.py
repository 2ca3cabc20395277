"""The visible label of a film: what it says, and in which frames it is seen."""

from dataclasses import dataclass
from fractions import Fraction

from lipdub.compose.label import DRAWING, Corner, Label
from lipdub.errors import OptionError
from lipdub.media.probe import picture_facts
from lipdub.studio.options import LabelOptions
from lipdub.timeline.clip import Clip
from lipdub.timeline.time import Span

USUAL_LABEL = "AI-dubbed"
"""What a label says if nothing else is asked for."""

_REFERENCE_WHITE = {16: 0.58, 18: 0.75}
"""Transfer characteristics after ITU-T H.273 (PQ, HLG) -> signal level of reference white (ITU-R BT.2408): the white of
other pictures would dazzle there."""


@dataclass(frozen=True)
class FilmLabel:
    """The ``text`` that is seen in a ``corner`` in ``frames`` of a film. It can be pickled."""

    text: str
    corner: Corner
    frames: range

    @property
    def identity(self) -> tuple[object, ...]:
        """What changes when the label looks otherwise or is seen in other frames."""
        return (DRAWING, self.text, self.corner, self.frames.start, self.frames.stop)

    def in_frames(self, first: int, stop: int) -> bool:
        """Whether it is seen in one of the frames ``[first, stop)``."""
        return self.frames.start < stop and self.frames.stop > first

    def drawing(self, clip: Clip) -> Label:
        """What draws it into frames of ``clip``. Raises ``OptionError`` if it does not fit."""
        return Label(self.text, self.corner, clip.size, _REFERENCE_WHITE.get(picture_facts(clip).colours.transfer, 1.0))

    def span(self, clip: Clip) -> Span:
        """When it is seen, on the clip's clock."""
        return clip.times.span(self.frames.start, self.frames.stop)


def film_label(options: LabelOptions, clip: Clip) -> FilmLabel | None:
    """The label that ``options`` ask for in the film of ``clip``; None if they ask for none."""
    if options.label is False:
        return None
    text = USUAL_LABEL if options.label is True else options.label
    seconds = Fraction(str(options.label_seconds))
    begin = clip.span.start
    frames = clip.times.within(Span(begin, begin + seconds)) if seconds else range(len(clip))
    return FilmLabel(text, options.label_corner, frames)


def check_label(options: LabelOptions, clip: Clip) -> None:
    """Refuse a label that cannot be drawn, or options without effect. Raises ``OptionError``."""
    if not 0 <= options.label_seconds < float("inf"):
        raise OptionError(f"--label-seconds {options.label_seconds} is no time", remedy="Give 0 (all) or more")
    label = film_label(options, clip)
    if label is not None:
        label.drawing(clip)
        return
    usual = LabelOptions()
    if (options.label_corner, options.label_seconds) != (usual.label_corner, usual.label_seconds):
        raise OptionError("there is no label to place", remedy="Add --label, or leave out the options of the label")
