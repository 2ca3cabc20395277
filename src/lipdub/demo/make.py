"""What ``lipdub demo`` does: a portrait speaks English and is then dubbed into Spanish.

It needs nothing but this package and its small models: picture and voices ship with it (see NOTICE). ``python -m
lipdub.demo.make --readme docs`` makes the animation that the README shows.
"""

import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib.resources import files
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from lipdub import weights
from lipdub.demo.idle_motion import IdleMotionOptions
from lipdub.demo.media_files import write_animation, write_synthetic_clip, write_wave
from lipdub.demo.speech_assets import DemoSpeech, demo_speech
from lipdub.demo.talking_portrait import portrait_landmarks, talking_portrait
from lipdub.disk.publish import atomic_output, write_text
from lipdub.disk.temporary_folder import temporary_folder
from lipdub.errors import OutputError
from lipdub.faces.landmarker import FaceLandmarker
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.review.report import Report
from lipdub.sound_to_mouth.prior import Prior
from lipdub.studio.caller import Caller
from lipdub.studio.dub import dub
from lipdub.studio.options import DubOptions
from lipdub.studio.progress import Clock
from lipdub.studio.session import open_session
from lipdub.studio.track_features import SoundTrack, track_features
from lipdub.timeline.picture import Rgb, Window
from lipdub.timeline.time import Span, timecode

RATE = Fraction(25)
SEED = 3
_PANEL, _GAP, _FOOT = (
    640,
    16,
    112,
)  # multiples of 16 pixels in all: encoders do not always fill incomplete blocks in the same way
_FONT = cv2.FONT_HERSHEY_DUPLEX
_WHITE, _PALE = (245.0, 245.0, 245.0), (170.0, 175.0, 180.0)
_ACCENTS = int(cv2.__version__.split(".")[0]) >= 5  # older fonts of OpenCV have ASCII only

SYNTHETIC_NOTICE = "AI-animated portrait with a synthetic voice: the person shown never said this"
"""Text for every viewer, below the comparison and in the metadata of the clips."""

CONSENT_NOTE = "the demo's own animation of a portrait in the public domain; the person shown was not asked"
"""The report's text about consent."""


@dataclass(frozen=True, eq=False)
class Demo:
    """The files of a demo, its report, the ``seconds`` that each step took, and the ``voices`` that speak."""

    portrait: Path
    english: Path
    voice: Path
    spanish: Path
    side_by_side: Path
    report: Report
    seconds: dict[str, float]
    voices: str


def make_demo(folder: Path, *, overwrite: bool = False, caller: Caller = Caller()) -> Demo:
    """Make a portrait, a clip of it speaking English, its Spanish dub, and both side by side, in ``folder``.

    Raises ``OutputError`` if an earlier demo is there and may not be replaced.
    """
    portrait, english, voice, spanish, both = _outputs(folder, overwrite)
    clock = Clock(caller.listener)
    with clock.stage("voices"):
        said, dubbed, voices = demo_speech()
        with atomic_output(portrait, overwrite=overwrite) as part:
            part.write_bytes(_packaged())
        write_wave(voice, dubbed.sound, overwrite=overwrite)
    with clock.stage("portrait"):
        _animate_portrait(portrait, said, max(_frames(said), _frames(dubbed)), english, clock, caller)
    options = DubOptions(overwrite=overwrite, language="es", reuse=False)
    report = dub(english, audio=voice, output=spanish, options=options, caller=replace(caller, why=CONSENT_NOTE))
    with clock.stage("compare"):
        pictures = clock.counted("compare", side_by_side(english, spanish, said, dubbed), len(open_clip(english)))
        write_synthetic_clip(both, pictures, RATE, dubbed.sound, SYNTHETIC_NOTICE, overwrite=overwrite)
    return Demo(portrait, english, voice, spanish, both, report, clock.seconds, voices)


def make_demo_clip(folder: Path, caller: Caller = Caller()) -> tuple[Path, Path]:
    """Make what a project of the demo begins with, in ``folder``: the clip of the portrait that speaks English, and a
    Spanish script for it. What is there already stays. Returns both files. Raises ``OutputError``."""
    portrait, clip, *_ = _outputs(folder, overwrite=True)
    script = folder / "portrait.es.srt"
    if clip.exists() and script.exists():
        return clip, script
    clock = Clock(caller.listener)
    with clock.stage("voices"):
        said, dubbed, _ = demo_speech()
        with atomic_output(portrait, overwrite=True) as part:
            part.write_bytes(_packaged())
    with clock.stage("portrait"):
        _animate_portrait(portrait, said, max(_frames(said), _frames(dubbed)), clip, clock, caller)
    rows = zip(said.phrases, dubbed.phrases, strict=True)
    cues = (f"{n}\n{_stamp(s)} --> {_stamp(e)}\n{text}\n" for n, ((s, e), text) in enumerate(map(_row, rows), 1))
    write_text(script, "\n".join(cues), overwrite=True)
    return clip, script


def _row(phrases: tuple[tuple[Span, str], tuple[Span, str]]) -> tuple[tuple[Fraction, Fraction], str]:
    """When the clip says a phrase, and what the dub says then."""
    (span, _), (_, text) = phrases
    return (span.start, span.end), text


def _stamp(instant: Fraction) -> str:
    """``h:mm:ss,mmm`` as SubRip has it."""
    return f"0{timecode(instant)}".replace(".", ",")


def _outputs(folder: Path, overwrite: bool) -> list[Path]:
    names = ("portrait.jpg", "portrait.en.mp4", "portrait.es.wav", "portrait.es.mp4", "side-by-side.mp4")
    paths = [folder / name for name in names]
    there = next((path for path in paths if path.exists()), None)
    if there is not None and not overwrite:
        raise OutputError("an earlier demo is here", file=there, remedy="Name another folder, or add --overwrite")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as refused:
        raise OutputError(f"the folder cannot be made ({refused.strerror})", file=folder) from refused
    return paths


def _packaged() -> bytes:
    return (files("lipdub.demo") / "assets" / "portrait.jpg").read_bytes()


def _picture() -> Rgb:
    coded = np.frombuffer(_packaged(), np.uint8)
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.ascontiguousarray(decoded[..., ::-1])


def _frames(spoken: DemoSpeech) -> int:
    return int(spoken.sound.span.duration * RATE) + 1


def _animate_portrait(portrait: Path, said: DemoSpeech, count: int, path: Path, clock: Clock, caller: Caller) -> None:
    """Write the clip at ``path``: the portrait says ``said`` in ``count`` frames."""
    picture = _picture()
    landmarks = weights.resolve("face-landmarks", caller.ask_download)
    finder = FaceLandmarker(landmarks, weights.resolve("face-detector", caller.ask_download))
    with temporary_folder("demo") as scratch:
        words = scratch / "said.wav"
        write_wave(words, said.sound)
        with open_session(DubOptions(reuse=False), ask_download=caller.ask_download) as session:
            features = track_features(SoundTrack(words), session).features
    moving = talking_portrait(
        picture,
        portrait_landmarks(picture, finder, portrait),
        Prior.load(),
        features,
        IdleMotionOptions(count, RATE, SEED),
    )
    write_synthetic_clip(path, clock.counted("portrait", moving, count), RATE, said.sound, SYNTHETIC_NOTICE)


def side_by_side(english: Path, spanish: Path, said: DemoSpeech, dubbed: DemoSpeech) -> Iterator[Rgb]:
    """The frames of two clips beside each other, each with a title and captions, and a notice below."""
    titles = "English: a portrait brought to life", "Spanish: dubbed by lipdub"
    panels = (0, _PANEL + _GAP), titles, (said, dubbed)
    for left, right in zip(_panels(english), _panels(spanish), strict=True):
        index, rows = left[0], _PANEL + _FOOT
        screen = np.full((rows, 2 * _PANEL + _GAP, 3), 24, np.uint8)
        for column, title, words, (_, picture) in zip(*panels, (left, right), strict=True):
            screen[:_PANEL, column : column + _PANEL] = picture
            _centred(screen, title, column, _PANEL + 28, _PALE, 0.7)
            _centred(screen, _caption(words, index / RATE), column, _PANEL + 64, _WHITE, 0.9)
        _centred(screen, SYNTHETIC_NOTICE, (_PANEL + _GAP) // 2, rows - 16, _PALE, 0.65)
        yield screen


def _panels(path: Path) -> Iterator[tuple[int, Rgb]]:
    clip = open_clip(path)
    for frame in read_frames(clip):
        picture = frame.rgb(Window(0, 0, *clip.size))
        yield frame.index, np.asarray(cv2.resize(picture, (_PANEL, _PANEL), interpolation=cv2.INTER_AREA))


def _caption(words: DemoSpeech, instant: Fraction) -> str:
    """The phrase that is being said, in the letters that the font has."""
    phrase = next((phrase for span, phrase in reversed(words.phrases) if span.start <= instant), "")
    if _ACCENTS:
        return phrase
    plain = unicodedata.normalize("NFKD", phrase)
    return "".join(letter for letter in plain if letter.isascii())


def _centred(screen: Rgb, text: str, left: int, base: int, colour: tuple[float, float, float], size: float) -> None:
    (width, _), _ = cv2.getTextSize(text, _FONT, size, 1)
    cv2.putText(screen, text, (left + (_PANEL - width) // 2, base), _FONT, size, colour, 1, cv2.LINE_AA)


def make_readme_picture(folder: Path, every: int = 2, width: int = 640) -> Path:
    """``demo.webp`` in ``folder``: the demo side by side, small, without sound."""
    with temporary_folder("demo") as scratch:
        demo = make_demo(scratch)
        clip = open_clip(demo.side_by_side)
        height = round(clip.size[1] * width / clip.size[0]) // 2 * 2

        def small() -> Iterator[Rgb]:
            for frame in islice(read_frames(clip), 0, None, every):
                picture = frame.rgb(Window(0, 0, *clip.size))
                yield np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))

        folder.mkdir(parents=True, exist_ok=True)
        write_animation(folder / "demo.webp", small(), RATE / every, quality=74)
    return folder / "demo.webp"


if __name__ == "__main__":
    assert sys.argv[1:-1] == ["--readme"], "usage: python -m lipdub.demo.make --readme FOLDER"
    print(make_readme_picture(Path(sys.argv[2])))
