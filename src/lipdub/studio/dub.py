"""A clip and a dub track in, a lip-synced clip out. Read ``dub`` and you have read the product."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2

from lipdub import __version__, weights
from lipdub.engines.find import find
from lipdub.errors import NoSound, NothingToDub, OutputError
from lipdub.faces.choose import FaceChoice, parse_face
from lipdub.faces.eye import LandmarkEye
from lipdub.faces.nets import FaceFinder
from lipdub.media.listen import sound
from lipdub.media.probe import open_clip, probe
from lipdub.media.read import Damage, prefetched
from lipdub.media.write import WriteOptions, Written, check_output, write
from lipdub.review.page import write_page_beside
from lipdub.review.report import Report, beside
from lipdub.speech.prior import Prior
from lipdub.studio.account import Circumstances, Outcome, account
from lipdub.studio.cast import Audible, Cast, cast
from lipdub.studio.consent import AskPeople, ensure_consent, granted_by_caller
from lipdub.studio.hearing import Hearing, open_ears
from lipdub.studio.options import DubOptions
from lipdub.studio.progress import Clock, Listener, silent
from lipdub.studio.stage import Audit, Script, performed
from lipdub.studio.store import Store, content_digest, default_root, key
from lipdub.studio.study import VERSION as STUDY_VERSION
from lipdub.studio.study import ClipStudy, Crew, frames_ahead, open_study, study_clip
from lipdub.timeline.clip import Clip
from lipdub.timeline.sound import Heard
from lipdub.timeline.time import timecode

SLACK = Fraction(1, 20)
"""Seconds by which a dub may miss the picture's length without a word about it."""


@dataclass(frozen=True)
class Caller:
    """Who asked for the dub: how to tell them of progress, how to ask them, and what to note beside their consent."""

    listener: Listener = silent
    ask_people: AskPeople = granted_by_caller
    ask_download: weights.Consent | None = None
    why: str = ""


@dataclass(frozen=True, eq=False)
class Order:
    """A dub that can be done: everything given was looked at, nothing was made yet."""

    clip: Clip
    track: Path
    output: Path
    options: DubOptions
    choice: FaceChoice


def dub(
    source: str | Path,
    *,
    audio: str | Path,
    output: str | Path,
    options: DubOptions = DubOptions(),
    caller: Caller = Caller(),
) -> Report:
    """Make the people in ``source`` say what ``audio`` says, and write ``output`` and its report beside it.

    To call this states that the people in the footage agreed (see ``Caller.ask_people`` to ask instead).
    Raises a ``LipdubError``; then nothing stands under the output's name.
    """
    clock = Clock(caller.listener)
    with clock.stage("check"):
        order = check(Path(source), Path(audio), Path(output), options)
        digest = content_digest(order.clip.path)
        consent = ensure_consent(order.clip.path, digest, options.consent, caller.ask_people, caller.why)
        crew = _gather_crew(options, caller)
    with _workroom(options) as store, TemporaryDirectory(prefix="lipdub-") as scratch, _one_thread_each():
        hearing = open_ears(options.hearing, store, caller.ask_download)
        source_heard, dub_heard, study = _study_and_hear(order, digest, crew, hearing, store, clock)
        with clock.stage("cast"):
            prior = Prior.load(options.prior)
            track = sound(order.track) if "sound" in crew.engine.limits.needs else None
            audible = Audible(prior, source_heard, dub_heard, track)
            roles = cast(order.clip, study, audible, order.choice)
        if not roles.parts:
            raise _nothing(order, study, roles)
        audit = Audit(Path(scratch), LandmarkEye(crew.finder, thorough=False))
        with clock.stage("perform"):
            damage = Damage()
            written = _perform(order, Script(order.clip, study.shots, roles.parts), audit, damage, clock)
        with clock.stage("judge"):
            outcome = Outcome(order.clip, roles, audible, audit, written, damage)
            report = account(outcome, Circumstances(order.track, options, hearing.why, consent, clock))
    report.write_beside(order.output)
    if options.page:
        write_page_beside(report, order.output)
    return report


def check(source: Path, audio: Path, output: Path, options: DubOptions) -> Order:
    """Look at everything given before any work is done. Raises ``InputError`` or ``OutputError``."""
    choice = parse_face(options.face)
    clip = open_clip(source)
    if not probe(audio).has_sound:
        raise NoSound("there is no sound in it", file=audio, remedy="Give the file that holds the dub track")
    check_output(source, output, _write_options(options))
    for companion in (beside(output, ".report.json"), beside(output, ".review.html")):
        if companion.exists() and not options.overwrite:
            raise OutputError("this file exists already", file=companion, remedy="Move it away, or add --overwrite")
    return Order(clip, audio, output, options, choice)


def plan(source: Path, audio: Path, output: Path, options: DubOptions) -> list[str]:
    """What a dub would do, in lines; nothing is made or fetched. Raises as ``check`` does."""
    order = check(source, audio, output, options)
    clip, track = order.clip, probe(audio)
    over = track.duration - clip.span.duration
    fits = "as long as the picture"
    if over > SLACK:
        fits = f"{float(over):.2f} s longer than the picture: its end would be cut"
    elif over < -SLACK:
        fits = f"{float(-over):.2f} s shorter than the picture: the mouth would rest"
    wanted = [m for m in weights.catalogue() if m.bytes < weights.SMALL and weights.present(m.name) is None]
    rate = f"{float(clip.rate):.3f}".rstrip("0").rstrip(".")
    return [
        f"{source}: {len(clip)} frames, {clip.size[0]}x{clip.size[1]}, {rate} frames/s, {timecode(clip.span.duration)}",
        f"{audio}: {timecode(track.duration)}, {fits}",
        f"engine {options.engine}, face {options.face}, output {output}",
        *(f"would fetch {m.name}: {m.bytes / 1e6:.1f} MB, licence {m.licence}" for m in wanted),
    ]


def _gather_crew(options: DubOptions, caller: Caller) -> Crew:
    landmarks = weights.resolve("face-landmarks", caller.ask_download)
    detector = weights.resolve("face-detector", caller.ask_download)
    return Crew(FaceFinder(landmarks, detector), find(options.engine))


@contextmanager
def _workroom(options: DubOptions) -> Iterator[Store]:
    """Where work is kept: for the next dub of this clip, or only as long as this one lasts."""
    if options.reuse:
        yield Store(default_root())
        return
    with TemporaryDirectory(prefix="lipdub-work-") as folder:
        yield Store(Path(folder))


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """OpenCV works in the thread that calls it: decoding, drawing and encoding already keep every core busy."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _study_and_hear(
    order: Order, digest: str, crew: Crew, hearing: Hearing, store: Store, clock: Clock
) -> tuple[Heard | None, Heard, ClipStudy]:
    """Listen to the source and the dub while the picture is studied."""
    with ThreadPoolExecutor(1, "lipdub-ears") as ears:
        clip = order.clip
        source = ears.submit(hearing.hear, clip.path, digest) if clip.has_sound else None
        track = ears.submit(hearing.hear, order.track, content_digest(order.track), clip.start)
        with clock.stage("study"):
            name = f"study-{key(STUDY_VERSION, digest, __version__, crew.engine.name)}"
            folder = store.folder(name, lambda partial: study_clip(clip, crew, partial, clock))
            study = open_study(clip, crew, folder)
        with clock.stage("hear"):
            return (source.result() if source else None), track.result(), study


def _perform(order: Order, script: Script, audit: Audit, damage: Damage, clock: Clock) -> Written:
    frames = prefetched(performed(frames_ahead(order.clip, damage), script, audit))
    counted = clock.counted("perform", frames, len(order.clip))
    return write(order.clip, counted, order.track, order.output, _write_options(order.options))


def _write_options(options: DubOptions) -> WriteOptions:
    return WriteOptions(
        codec=options.codec,
        crf=options.crf,
        preset=options.preset,
        hardware=options.hardware,
        keep_original_audio=options.keep_original_audio,
        overwrite=options.overwrite,
        metadata={"synthetic_media": "AI-dubbed: the lips and the voice were changed with lipdub"},
        language=options.language,
    )


def _nothing(order: Order, study: ClipStudy, roles: Cast) -> NothingToDub:
    """Why no face can be dubbed, in one sentence."""
    if not study.subjects:
        return NothingToDub(
            "no face was found in the picture, so there is nothing to dub",
            file=order.clip.path,
            remedy="Check that the right video stream and clip were given",
        )
    why = "; ".join(sorted({a.reason for a in roles.left_alone})) or "no face speaks"
    return NothingToDub(
        f"no mouth may be changed ({why})",
        file=order.clip.path,
        remedy="To dub a face all the same, name it: --face largest, left, right or X,Y@TIME",
    )
