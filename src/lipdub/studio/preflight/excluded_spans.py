"""The parts of a clip that stay as filmed because the user asked for it."""

from fractions import Fraction

from lipdub.errors import OptionError
from lipdub.studio.options import DubOptions
from lipdub.timeline.clip import Clip
from lipdub.timeline.time import Span, merge_spans, parse_time_or_fraction, timecode


def excluded_spans(clip: Clip, options: DubOptions) -> tuple[Span, ...]:
    """The spans of ``--from``, ``--until`` and ``--skip``, in clip time, sorted and disjoint. Times count from where
    players start the clip.

    Raises ``OptionError`` for what is no time, lies after the clip, or leaves nothing to be dubbed.
    """
    whole, spans = clip.span, []
    first = _instant(clip, options.from_, "--from") if options.from_ else whole.start
    last = _instant(clip, options.until, "--until") if options.until else whole.end
    if last <= first:
        raise OptionError(
            f"--until {options.until or timecode(last)} is not after --from {options.from_ or '0'}",
            remedy="Give a later time",
        )
    spans += [Span(whole.start, max(whole.start, first)), Span(min(last, whole.end), whole.end)]
    spans += [_skipped(clip, text) for text in options.skip]
    return merge_spans(spans)


def _skipped(clip: Clip, text: str) -> Span:
    start, dash, end = text.partition("-")
    if not dash:
        raise OptionError(f"--skip {text} is no part of the clip", remedy="Write START-END, for example 0:22-0:25")
    a, b = _instant(clip, start, "--skip"), _instant(clip, end, "--skip", beyond=True)
    if b <= a:
        raise OptionError(f"--skip {text} ends before it starts", remedy="Write START-END, for example 0:22-0:25")
    return Span(a, b)


def _instant(clip: Clip, text: str, option: str, *, beyond: bool = False) -> Fraction:
    try:
        found = parse_time_or_fraction(text) + clip.start
    except ValueError as wrong:
        raise OptionError(f"{option}: {wrong}", remedy="For example 0:22.5") from wrong
    if found >= clip.span.end and not beyond and option != "--until":
        length = timecode(clip.span.end - clip.start)
        raise OptionError(f"{option} {text} lies after the clip, which lasts {length}", file=clip.path)
    return found
