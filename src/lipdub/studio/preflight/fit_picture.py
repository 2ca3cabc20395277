"""The length of the picture is fitted to a finished dub track that is longer or shorter: decided before any work."""

from fractions import Fraction
from pathlib import Path

from lipdub.errors import OptionError
from lipdub.media.dub_track import dub_length
from lipdub.media.read import read_frames
from lipdub.studio.job import DubRequest
from lipdub.studio.options import DubOptions
from lipdub.timeline.clip import Clip
from lipdub.timeline.clip_length import LengthChange, bounced, cut_short, held, slowed

LONGEST_BOUNCE = Fraction(10)
"""Seconds at the end of the picture that are played backwards at most."""

_ROUNDING = 2
"""Frames that are played backwards more than the time seems to need: the last one is not shown twice in a row."""

_MEMORY = 12
"""Frames before those that may bounce from which the cut detector knows how much the picture usually changes."""


def check_length_options(request: DubRequest) -> None:
    """Refuse options on the picture's length that mean nothing here. Raises ``OptionError``."""
    options = request.options
    given = _given(options)
    if not given:
        return
    project = request.planned or request.output is None
    if project and options.if_shorter == "cut":
        raise OptionError(
            "--if-shorter cut does not work in a project: its plans and people are those of the whole picture",
            remedy="Dub the clip without --project, or leave it out",
        )
    if request.audio is None:
        longer = options.if_longer in ("hold", "slow")
        if project and longer:
            raise OptionError(
                f"--if-longer {options.if_longer} works in a project for finished dub tracks only: a plan of lines "
                "that are spoken has the times of the source",
                remedy="Dub the clip without --project, or say less: lipdub redo PROJECT --line ID --text TEXT",
            )
        if longer and options.keep_original_audio:
            does = "does not stand still" if options.if_longer == "hold" else "is not slowed"
            raise OptionError(
                f"--if-longer {options.if_longer} and --keep-original-audio exclude each other where a script is "
                f"spoken: the sound of the clip {does} with the picture",
                remedy="Leave one of them out",
            )
        known = longer or options.if_longer in ("cut", "refuse")
        if known and options.if_shorter == "rest":
            return  # what does not fit is known when the lines were spoken
        if known:
            given = f"--if-shorter {options.if_shorter}"
        raise OptionError(
            f"{given} is for a finished dub track: speech that is made here is fitted to its time",
            remedy="Give the dub track with --audio, or leave it out",
        )
    if options.if_longer == "slow":
        sound = "--keep-original-audio" if options.keep_original_audio else "--mix" if request.speech.mix else ""
        if sound:
            raise OptionError(
                f"--if-longer slow and {sound} exclude each other: the sound of the clip is not slowed",
                remedy="Use --if-longer hold or bounce, or leave one of them out",
            )


def fit_picture(clip: Clip, audio: Path, options: DubOptions) -> tuple[Clip, LengthChange | None]:
    """``clip`` as long as the sound in ``audio``, as the options say, and how it was fitted (None: it was not changed).

    A difference of less than one frame does not count. All packets of ``audio`` are read; for a picture that bounces,
    its end is decoded to find the last cut. Raises ``OptionError`` if the options refuse the difference, and what
    reading the files raises.
    """
    if not _given(options):
        return clip, None
    length = dub_length(audio)
    until = clip.start + length
    differ = until - clip.span.end
    if abs(differ) < 1 / clip.rate:
        return clip, None
    wanted = options.if_longer if differ > 0 else options.if_shorter
    match wanted:
        case "refuse":
            raise _refusal(audio, differ)
        case "hold":
            fitted = held(clip, until)
        case "bounce":
            fitted = bounced(clip, until, _first_to_bounce(clip, differ))
        case "slow":
            fitted = slowed(clip, until)
            return fitted, LengthChange("slow", differ, slower=fitted.clock.slowest, clock=fitted.clock)
        case "cut" if differ < 0:
            fitted, wanted = cut_short(clip, until), "cut"
        case _:
            return clip, None
    added = len(fitted) - len(clip)
    return (fitted, LengthChange(wanted, differ, added)) if added else (clip, None)


def _given(options: DubOptions) -> str:
    """The option that asks for something else than usual, as written; "" if none does."""
    if options.if_longer != "cut":
        return f"--if-longer {options.if_longer}"
    return f"--if-shorter {options.if_shorter}" if options.if_shorter != "rest" else ""


def _refusal(audio: Path, differ: Fraction) -> OptionError:
    what = f"the dub track is {float(abs(differ)):.3f} s {'longer' if differ > 0 else 'shorter'} than the picture"
    if differ > 0:
        return OptionError(what, file=audio, remedy="Give --if-longer hold, bounce, slow or cut, or a shorter dub")
    return OptionError(what, file=audio, remedy="Give --if-shorter rest or cut, or a longer dub")


def _first_to_bounce(clip: Clip, seconds: Fraction) -> int:
    """The first frame that is played backwards to fill ``seconds``: about 10 s before the end at most, and in the last
    shot."""
    from lipdub.faces.cuts import CutDetector

    first = max(0, clip.times.at(clip.span.end - min(seconds, LONGEST_BOUNCE)) - _ROUNDING)
    detector = CutDetector()
    for frame in read_frames(clip, max(0, first - _MEMORY), shared=True):
        if detector.starts_shot(frame):
            first = max(first, frame.index)
    return first
