"""A clip and what shall be said in it in, a lip-synced clip out. Read ``dub`` and you have read the product."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import cv2

from lipdub import weights
from lipdub.disk.publish import Outputs, PendingFile
from lipdub.engines.find import find
from lipdub.engines.seam import EngineSetup
from lipdub.errors import NoSound, NothingToDub, OptionError
from lipdub.faces.active_speaker import FaceSelector, parse_face
from lipdub.faces.landmarker import FaceLandmarker
from lipdub.faces.redetect import LandmarkRedetector
from lipdub.media.probe import open_clip, probe
from lipdub.media.read import Damage, prefetched
from lipdub.media.write import WriteOptions, Written, check_output, write_into
from lipdub.review.page import page
from lipdub.review.report import Report
from lipdub.sound_to_mouth.prior import Prior
from lipdub.studio.account import Circumstances, Outcome, account
from lipdub.studio.beforehand import check_options, check_speech, planned_speech
from lipdub.studio.cast import Cast, cast
from lipdub.studio.consent import AskPeople, ensure_consent, granted_by_caller
from lipdub.studio.dialogue import Dialogue, brought, spoken
from lipdub.studio.engine_voice import Setting, spoken_by_engine
from lipdub.studio.inputs import Inputs
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.studio.outputs import OutputNames, output_names
from lipdub.studio.progress import Clock, Listener, silent
from lipdub.studio.room import Room, dub_track, open_room, own_track
from lipdub.studio.stage import Audit, Script, performed
from lipdub.studio.study import ClipStudy, Crew, frames_ahead, open_study, study_clip, study_name
from lipdub.studio.subtitles import captions_inside, subtitle_kind, subtitles_of
from lipdub.studio.words import Words, words_to_say
from lipdub.timeline.clip import Clip
from lipdub.timeline.picture import Frame
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import timecode

SLACK = Fraction(1, 20)
"""Seconds by which a dub may miss the picture's length without a word about it."""


@dataclass(frozen=True)
class Caller:
    """Who asked for the dub: how to tell them of progress, how to ask them, and what to note beside their consent."""

    listener: Listener = silent
    ask_people: AskPeople = granted_by_caller
    ask_download: weights.AskDownload | None = None
    why: str = ""


@dataclass(frozen=True, eq=False)
class Order:
    """A dub that can be done: everything given was looked at, nothing was made yet. ``audio`` is the finished dub
    track; without one ``speech`` says what is to be said. ``names`` are those of all files that will be made."""

    clip: Clip
    audio: Path | None
    speech: SpeechOptions
    names: OutputNames
    options: DubOptions
    choice: FaceSelector


def dub(
    source: str | Path,
    *,
    output: str | Path,
    audio: str | Path | None = None,
    speech: SpeechOptions = SpeechOptions(),
    options: DubOptions = DubOptions(),
    caller: Caller = Caller(),
) -> Report:
    """Make the people in ``source`` say what ``audio`` says, or what ``speech`` asks for, and write ``output`` and its
    report beside it.

    To call this states that the people in the footage agreed (see ``Caller.ask_people`` to ask instead).
    Raises a ``LipdubError``; then nothing stands under the output's name.
    """
    clock, inputs = Clock(caller.listener), Inputs()
    with clock.stage("check"):
        clip, track = Path(source), None if audio is None else Path(audio)
        inputs.watch(_given(clip, track, speech, options))
        order = check(clip, track, Path(output), speech, options)
        inputs.begin()
        digest = inputs.digest(order.clip.path)
        consent = ensure_consent(order.clip.path, digest, options.consent, caller.ask_people, caller.why)
        crew = _gather_crew(options, caller)
    film = order.names.film
    how = {"hearing": options.hearing, "reuse": options.reuse, "output": film, "inputs": inputs}
    opened = open_room(clock, caller.ask_download, **how)
    with opened as room, _one_thread_each(), Outputs(options.overwrite) as outputs:
        words = words_to_say(order.clip, speech, room) if order.audio is None else None
        study, source_heard = _study_and_hear(order, digest, crew, room)
        setting = Setting(order.clip, study, source_heard, order.choice, Prior.load(options.prior), options.seed)
        dialogue = _dialogue(order, words, crew, setting, room)
        with clock.stage("cast"):
            audible = setting.audible(dialogue, crew.engine, room)
            roles = cast(order.clip, study, audible, order.choice)
        if not roles.parts:
            raise _nothing(order, study, roles)
        audit = Audit(room.scratch, LandmarkRedetector(crew.finder, thorough=False))
        with clock.stage("perform"):
            damage = Damage()
            performing = performed(
                frames_ahead(order.clip, damage), Script(order.clip, study.shots, roles.parts), audit
            )
            written = _write(order, performing, dialogue, outputs.part(film), clock)
        with clock.stage("judge"):
            outcome = Outcome(order.clip, roles, audible, audit, written, damage)
            doubts = _doubts(order, room)
            report = account(outcome, Circumstances(dialogue, options, room.hearing.why, consent, clock, doubts))
            notes = (*report.notes, *order.names.notes)
            report = replace(report, notes=notes, warnings=(*report.warnings, *room.store.notes))
        inputs.check_unchanged()
        _publish(order, report, dialogue, outputs)
    return report


def check(source: Path, audio: Path | None, output: Path, speech: SpeechOptions, options: DubOptions) -> Order:
    """Look at everything given before any work is done. Raises ``InputError`` or ``OutputError``."""
    choice = parse_face(options.face)
    check_options(options)
    clip = open_clip(source, sound=options.audio_stream)
    check_speech(clip, audio, speech, find(options.engine, setup_of(options)).limits.speaks)
    if audio is not None and not probe(audio).has_sound:
        raise NoSound("there is no sound in it", file=audio, remedy="Give the file that holds the dub track")
    check_output(source, output, _write_options(options, speech))
    inputs = _given(source, audio, speech, options)
    names = output_names(output, inputs, page=options.page, subtitles=subtitle_kind(audio, speech))
    names.check(inputs, overwrite=options.overwrite)
    return Order(clip, audio, speech, names, options, choice)


def _given(source: Path, audio: Path | None, speech: SpeechOptions, options: DubOptions) -> list[Path]:
    """Every file that a dub reads: none of them is written over, and none may change meanwhile."""
    files = (source, audio, speech.script, speech.glossary, speech.music_effects, options.prior)
    return [path for path in files if path is not None]


def plan(source: Path, audio: Path | None, output: Path, speech: SpeechOptions, options: DubOptions) -> list[str]:
    """What a dub would do, in lines; nothing is made or fetched. Raises as ``check`` does."""
    order = check(source, audio, output, speech, options)
    clip = order.clip
    wanted = [m for m in weights.catalogue() if m.bytes < weights.SMALL and weights.present(m.name) is None]
    speaks = find(options.engine, setup_of(options)).limits.speaks
    rate = f"{float(clip.rate):.3f}".rstrip("0").rstrip(".")
    return [
        f"{source}: {len(clip)} frames, {clip.size[0]}x{clip.size[1]}, {rate} frames/s, {timecode(clip.span.duration)}",
        *([_length_of(audio, clip)] if audio is not None else planned_speech(clip, speech, speaks)),
        f"engine {options.engine}, face {options.face}, output {output}",
        *(f"look at this: {doubt}" for doubt in clip.warnings),
        *(f"would fetch {m.name}: {m.bytes / 1e6:.1f} MB, licence {m.licence}" for m in wanted),
    ]


def _length_of(audio: Path, clip: Clip) -> str:
    """How a dub track's length fits the picture's, as a sentence."""
    track = probe(audio)
    over, fits = track.duration - clip.span.duration, "as long as the picture"
    if over > SLACK:
        fits = f"{float(over):.2f} s longer than the picture: its end would be cut"
    elif over < -SLACK:
        fits = f"{float(-over):.2f} s shorter than the picture: the mouth would rest"
    return f"{audio}: {timecode(track.duration)}, {fits}"


def _gather_crew(options: DubOptions, caller: Caller) -> Crew:
    landmarks = weights.resolve("face-landmarks", caller.ask_download)
    detector = weights.resolve("face-detector", caller.ask_download)
    setup = setup_of(options)
    return Crew(FaceLandmarker(landmarks, detector), find(options.engine, setup), setup)


def setup_of(options: DubOptions) -> EngineSetup:
    """What the user tells the engine."""
    told = {}
    for text in options.engine_option:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise OptionError(f"'{text}' is no engine option", remedy="Write KEY=VALUE, e.g. device=cuda")
        told[name.strip()] = value.strip()
    return EngineSetup(options.weights, told)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """OpenCV works in the thread that calls it: decoding, drawing and encoding already keep every core busy."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _study_and_hear(order: Order, digest: str, crew: Crew, room: Room) -> tuple[ClipStudy, SpeechFeatures | None]:
    """Study the picture, and listen to the source and a given dub meanwhile."""
    with ThreadPoolExecutor(1, "lipdub-ears") as ears:
        clip, clock = order.clip, room.clock
        source = ears.submit(room.hearing.hear, own_track(clip), digest) if clip.has_sound else None
        given = ears.submit(room.hear_dub, order.audio, clip) if order.audio else None
        with clock.stage("study"):
            name = study_name(clip, digest, crew)
            folder = room.store.folder(name, lambda partial: study_clip(clip, crew, partial, clock), grows=True)
            study = open_study(clip, crew, folder)
        with clock.stage("hear"):
            if given:
                given.result()
            return study, (source.result() if source else None)


def _dialogue(order: Order, words: Words | None, crew: Crew, setting: Setting, room: Room) -> Dialogue:
    """The speech that lips will follow, and the track that will be heard."""
    if words is None:
        assert order.audio is not None
        return brought(order.clip, order.audio, order.speech, setting.features, room)
    if crew.engine.limits.speaks and not order.speech.voice:
        return spoken_by_engine(crew.engine, words, order.speech, setting, room)
    return spoken(order.clip, words, order.speech, setting.features, room)


def _write(order: Order, performing: Iterator[Frame], dialogue: Dialogue, film: PendingFile, clock: Clock) -> Written:
    counted = clock.counted("perform", prefetched(performing), len(order.clip))
    said_in = order.options.language or (dialogue.account.language if dialogue.account else "")
    captions = captions_inside(dialogue, order.speech)
    how = replace(_write_options(order.options, order.speech), captions=captions, language=said_in or None)
    return write_into(order.clip, counted, dialogue.track, film, how)


def _publish(order: Order, report: Report, dialogue: Dialogue, outputs: Outputs) -> None:
    """Write what goes beside the film, and give all files their names, the film last. Raises ``OutputError``."""
    names = order.names
    outputs.part(names.report).write_text(report.to_json() + "\n")
    if names.page is not None:
        outputs.part(names.page).write_text(page(report, names.page.parent))
    if names.subtitles is not None and dialogue.lines:
        outputs.part(names.subtitles).write_text(subtitles_of(dialogue, order.clip, order.speech.subtitles))
    outputs.publish()


def _write_options(options: DubOptions, speech: SpeechOptions) -> WriteOptions:
    return WriteOptions(
        codec=options.codec,
        crf=options.crf,
        preset=options.preset,
        hardware=options.hardware,
        keep_original_audio=options.keep_original_audio,
        overwrite=options.overwrite,
        metadata={"synthetic_media": "AI-dubbed: the lips and the voice were changed with lipdub"},
        language=options.language or speech.to or None,
    )


def _doubts(order: Order, room: Room) -> tuple[str, ...]:
    """What a person should know of the files that were given: what they promise and do not hold."""
    own = room.hearing.doubts(own_track(order.clip), "the clip's sound")
    given = () if order.audio is None else room.hearing.doubts(dub_track(order.audio, order.clip), "the dub track")
    return (*(f"the clip: {doubt}" for doubt in order.clip.warnings), *own, *given)


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
