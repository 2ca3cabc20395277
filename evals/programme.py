"""A programme with known truth: people who come back, a narrator, listeners; and a check of what lipdub finds in it.

    python -m evals.programme build CLIPS OUT [--minutes 4] [--seed 1] [--people d22,d21,d03] [--narrator da02,d12]
    python -m evals.programme check OUT/programme.json [--script es] [--json found.json]

``build`` cuts the talking clips of CLIPS (a clip is known by the begin of its name) into shots and writes
``programme.mp4`` (H.264 720p25, closed GOPs, a key frame at every cut; AAC), ``programme.json`` (the truth) and
``programme.es.srt``, ``.fr.srt``, ``.de.srt``. Shots are: ``single`` (a person talks; size, place and light vary),
``listener`` (a person in silence while the voice of the shot before goes on), ``narrated`` (no face, the narrator's
voice), ``silent`` (a person, no voice) and ``two`` (two people side by side, one talks).

``check`` analyses the programme and compares:

    people        found (and how many there are)      purity      frames of a found person that are one person's
    complete      frames of a person in the largest found person of it
    right         speech of people in view that is given to their face, of all such speech
    wrong s       seconds of speech given to a face that is not the speaker's: "listener", "narrated" and so on
    names         speaker names of the script, each with the person whom it was found to be
    cast          the same script without names: lines with their speaker's voice, and how many voices there are
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from evals.programme_cast import cast_scores
from lipdub import weights
from lipdub.acoustics.voice_activity import VoiceActivity
from lipdub.disk.identity import content_digest
from lipdub.engines.fake import FakeEngine
from lipdub.faces.active_speaker import FaceSelector
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.media.sound_read import read_sound
from lipdub.studio.analyse.analyse import analyse
from lipdub.studio.analysis import Analysis
from lipdub.studio.job import Job, OutputNames
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.studio.plan.speakers import SpeakersFound, find_speakers, other_voice_reason, speaking_spans
from lipdub.studio.session import Session, open_session
from lipdub.timeline.clip import Clip
from lipdub.timeline.picture import Window
from lipdub.timeline.runs import true_runs
from lipdub.timeline.time import Span, timecode, total_duration
from lipdub.words_to_sound.script.read import read_script

SIZE, RATE, SOUND_RATE = (1280, 720), 25, 48000
PAUSE, SHORTEST = 0.4, 0.4
"""Seconds of silence that end a line, and of the shortest line."""

SENTENCES = {
    "es": "Hoy vamos a hablar de lo que pasó ayer en la ciudad y de lo que todavía no sabe nadie en este lugar".split(),
    "fr": "Nous allons parler de ce qui est arrivé hier dans la ville et de ce que personne ne sait encore ici".split(),
    "de": "Wir sprechen heute davon was gestern in der Stadt geschehen ist und was bis jetzt noch niemand weiß".split(),
}


@dataclass(frozen=True, eq=False)
class Actor:
    """One person of the programme: a talking clip, its sound (48 kHz, mono), and when its voice is heard."""

    name: str
    clip: Clip
    sound: np.ndarray
    spoken: tuple[tuple[float, float], ...]

    def pause(self) -> tuple[int, int]:
        """The longest silent stretch, in frames of 25 a second."""
        edges = [0.0, *(edge for span in self.spoken for edge in span), float(self.clip.span.duration)]
        gaps = [(edges[i + 1] - edges[i], edges[i]) for i in range(0, len(edges), 2)]
        length, start = max(gaps)
        return round((start + 0.1 * length) * RATE), max(round((start + 0.9 * length) * RATE), round(start * RATE) + 2)


@dataclass(frozen=True, slots=True)
class ShownFace:
    """A face of a shot: whose, and where in the picture (left, top, right, bottom)."""

    person: str
    window: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class TrueShot:
    """A shot of the programme: its frames, what it is, and who is in it."""

    first: int
    stop: int
    kind: str
    faces: tuple[ShownFace, ...] = ()


@dataclass(frozen=True, slots=True)
class TrueSpeech:
    """Somebody's voice, in seconds of the programme."""

    name: str
    start: float
    end: float


@dataclass(eq=False)
class Programme:
    """What was built so far."""

    shots: list[TrueShot] = field(default_factory=list)
    speech: list[TrueSpeech] = field(default_factory=list)
    sound: list[np.ndarray] = field(default_factory=list)

    @property
    def frames(self) -> int:
        """Frames so far."""
        return self.shots[-1].stop if self.shots else 0

    def add(self, kind: str, count: int, faces: Sequence[ShownFace], voice: tuple[Actor, int] | None) -> None:
        """Add a shot of ``count`` frames; ``voice`` is who is heard, and from which frame of the clip."""
        first = self.frames
        self.shots.append(TrueShot(first, first + count, kind, tuple(faces)))
        samples = np.zeros(count * SOUND_RATE // RATE, np.float32)
        if voice is not None:
            actor, begin = voice
            piece = actor.sound[begin * SOUND_RATE // RATE :][: len(samples)]
            samples[: len(piece)] = piece
            for a, b in actor.spoken:
                start, end = max(a, begin / RATE), min(b, (begin + count) / RATE)
                if end - start > SHORTEST / 2:
                    shift = (first - begin) / RATE
                    self.speech.append(TrueSpeech(actor.name, round(start + shift, 3), round(end + shift, 3)))
        self.sound.append(samples)


def actor(name: str, path: Path, sound: Path | None = None) -> Actor:
    """The actor whose picture is ``path`` and whose voice is that of ``sound`` (by default of ``path``)."""
    clip = open_clip(path)
    heard = read_sound(sound or path, rate=SOUND_RATE, mono=True)
    samples = heard.samples[0]
    if sound is None:
        early = round(float(clip.times.whole.start - heard.start) * SOUND_RATE)
        samples = samples[early:] if early >= 0 else np.pad(samples, (-early, 0))
    samples = (0.12 * samples / max(float(np.sqrt(np.mean(samples**2))), 1e-6)).clip(-0.99, 0.99)
    activity = VoiceActivity(weights.resolve("voice-activity"))
    probability = activity.probabilities(np.ascontiguousarray(samples[::3]))
    loud = cv2.dilate((probability > 0.5).astype(np.uint8)[None], np.ones((1, round(PAUSE * 50)), np.uint8))[0]
    kept = cv2.erode(loud[None], np.ones((1, round(PAUSE * 50)), np.uint8))[0]
    runs = ((a / 50, b / 50) for a, b in true_runs(kept > 0))
    return Actor(name, clip, samples.astype(np.float32), tuple((a, b) for a, b in runs if b - a >= SHORTEST))


@dataclass(frozen=True, slots=True)
class Framing:
    """How a face is shown: where its square goes, and the light."""

    window: tuple[int, int, int, int]
    gain: float
    warmth: float

    @classmethod
    def drawn(cls, draw: np.random.Generator, half: int | None = None) -> "Framing":
        """A random framing in the whole picture, or in its left (0) or right (1) half."""
        width, height = SIZE
        room = width if half is None else width // 2
        side = int(draw.uniform(0.55, 1.0) * min(room, height))
        left = int(draw.uniform(0, room - side)) + (0 if half in (None, 0) else room)
        top = int(draw.uniform(0, height - side))
        return cls(
            (left, top, left + side, top + side), float(draw.uniform(0.6, 1.25)), float(draw.uniform(-0.12, 0.12))
        )


class Pictures:
    """Frames of clips at 25 a second, decoded once for each shot."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip

    def read(self, numbers: Sequence[int]) -> Iterator[np.ndarray]:
        """RGB of the pictures at ``numbers`` / 25 seconds after the clip's begin; its last one after its end."""
        clip, wanted = self._clip, [min(self._index(n), len(self._clip) - 1) for n in numbers]
        first, last, held = min(wanted), max(wanted), {}
        for frame in read_frames(clip, first, last + 1):
            if frame.index in wanted:
                held[frame.index] = frame.rgb(Window(0, 0, *clip.size))
        yield from (held[index] for index in wanted)

    def _index(self, number: int) -> int:
        return self._clip.times.at(self._clip.times.whole.start + Fraction(number, RATE))


def drawn_face(rgb: np.ndarray, framing: Framing, canvas: np.ndarray) -> None:
    """Draw the middle square of ``rgb`` into ``canvas`` as ``framing`` says."""
    left, top, right, bottom = framing.window
    height, width = rgb.shape[:2]
    side = min(height, width)
    x = (width - side) // 2
    square = cv2.resize(rgb[:side, x : x + side], (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    light = framing.gain * np.array([1 + framing.warmth, 1, 1 - framing.warmth])
    canvas[top:bottom, left:right] = np.clip(square * light, 0, 255).astype(np.uint8)


def swaying(first: int, stop: int, count: int) -> list[int]:
    """``count`` frame numbers that go to and fro between ``first`` and ``stop``."""
    there = list(range(first, stop))
    both = there + there[-2:0:-1]
    return [both[i % len(both)] for i in range(count)]


@dataclass(eq=False)
class Director:
    """Decides the shots of a programme and draws their frames."""

    actors: Sequence[Actor]
    narrator: Actor
    draw: np.random.Generator
    made: Programme = field(default_factory=Programme)
    at: Counter[str] = field(default_factory=Counter)

    def frames(self, count: int) -> Iterator[tuple[np.ndarray, bool]]:
        """At least ``count`` frames, each with whether a shot begins with it."""
        kinds = ["single", "listener", "single", "two", "narrated", "single", "listener", "silent"]
        number = 0
        while self.made.frames < count:
            kind = kinds[number % len(kinds)] if number < len(kinds) else str(self.draw.choice(kinds))
            number += 1
            yield from ((picture, i == 0) for i, picture in enumerate(getattr(self, f"_{kind}")()))

    def _taken(self, actor: Actor, count: int) -> tuple[int, int]:
        """The next ``count`` frames of an actor's clip: first and count; from the begin again at its end."""
        whole = int(min(actor.clip.span.duration, Fraction(len(actor.sound), SOUND_RATE)) * RATE)
        first = self.at[actor.name]
        if first + count > whole:
            first, count = 0, min(count, whole)
        self.at[actor.name] = first + count
        return first, count

    def _background(self) -> np.ndarray:
        colour = self.draw.integers(40, 200, 3)
        ramp = np.linspace(0.6, 1.0, SIZE[0])[None, :, None] * np.linspace(1.0, 0.7, SIZE[1])[:, None, None]
        noise = cv2.resize(
            self.draw.integers(0, 60, (9, 16, 3)).astype(np.float32), SIZE, interpolation=cv2.INTER_CUBIC
        )
        return np.clip(colour * ramp + noise, 0, 255).astype(np.uint8)

    def _shots_of(self, faces: Sequence[tuple[Actor, Framing, Sequence[int]]]) -> Iterator[np.ndarray]:
        background = self._background()
        streams = [Pictures(actor.clip).read(numbers) for actor, _, numbers in faces]
        for pictures in zip(*streams, strict=True):
            canvas = background.copy()
            for picture, (_, framing, _) in zip(pictures, faces, strict=True):
                drawn_face(picture, framing, canvas)
            yield canvas

    def _seconds(self, least: float, most: float) -> int:
        return int(self.draw.uniform(least, most) * RATE)

    def _single(self) -> Iterator[np.ndarray]:
        speaker = self.actors[int(self.draw.integers(len(self.actors)))]
        first, count = self._taken(speaker, self._seconds(2, 6))
        framing = Framing.drawn(self.draw)
        self.made.add("single", count, [ShownFace(speaker.name, framing.window)], (speaker, first))
        yield from self._shots_of([(speaker, framing, range(first, first + count))])

    def _listener(self) -> Iterator[np.ndarray]:
        one, other = self.draw.permutation(len(self.actors))[:2]
        speaker, listener = self.actors[one], self.actors[other]
        first, count = self._taken(speaker, self._seconds(1.6, 3.5))
        framing = Framing.drawn(self.draw)
        self.made.add("listener", count, [ShownFace(listener.name, framing.window)], (speaker, first))
        yield from self._shots_of([(listener, framing, swaying(*listener.pause(), count))])

    def _silent(self) -> Iterator[np.ndarray]:
        person = self.actors[int(self.draw.integers(len(self.actors)))]
        count, framing = self._seconds(1.5, 2.5), Framing.drawn(self.draw)
        self.made.add("silent", count, [ShownFace(person.name, framing.window)], None)
        yield from self._shots_of([(person, framing, swaying(*person.pause(), count))])

    def _two(self) -> Iterator[np.ndarray]:
        one, other = self.draw.permutation(len(self.actors))[:2]
        speaker, listener = self.actors[one], self.actors[other]
        first, count = self._taken(speaker, self._seconds(2.5, 5))
        side = int(self.draw.integers(2))
        left, right = Framing.drawn(self.draw, side), Framing.drawn(self.draw, 1 - side)
        faces = [ShownFace(speaker.name, left.window), ShownFace(listener.name, right.window)]
        self.made.add("two", count, faces, (speaker, first))
        quiet = swaying(*listener.pause(), count)
        yield from self._shots_of([(speaker, left, range(first, first + count)), (listener, right, quiet)])

    def _narrated(self) -> Iterator[np.ndarray]:
        first, count = self._taken(self.narrator, self._seconds(3, 5))
        self.made.add("narrated", count, [], (self.narrator, first))
        start = int(self.draw.integers(200))
        for picture in Pictures(self.narrator.clip).read([(start + i) % 200 for i in range(count)]):
            yield cv2.resize(picture, SIZE, interpolation=cv2.INTER_CUBIC)


def write_film(path: Path, director: Director, count: int) -> None:
    """Draw and encode the frames, then the sound."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        video.options = {"preset": "veryfast", "crf": "18", "g": "50", "forced-idr": "1", "x264-params": "open-gop=0"}
        sound = container.add_stream("aac", rate=SOUND_RATE, layout="mono")
        for number, (picture, cut) in enumerate(director.frames(count)):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts = number
            frame.pict_type = av.video.frame.PictureType.I if cut else av.video.frame.PictureType.NONE
            container.mux(video.encode(frame))
        container.mux(video.encode())
        samples = np.concatenate(director.made.sound)
        for at in range(0, len(samples), 1024):
            block = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None, at : at + 1024]), "fltp", "mono")
            block.rate, block.pts = SOUND_RATE, at
            container.mux(sound.encode(block))
        container.mux(sound.encode())


def srt(speech: Sequence[TrueSpeech], language: str) -> str:
    """A script in which every stretch of speech is a line with its speaker's name."""
    words, rows, at = SENTENCES[language], [], 0
    for number, line in enumerate(speech, 1):
        text, wanted = "", max(6, round(14 * (line.end - line.start)))
        while len(text) < wanted:
            text, at = f"{text} {words[at % len(words)]}", at + 1
        when = (f"{timecode(Fraction(str(t))):0>12}".replace(".", ",") for t in (line.start, line.end))
        rows.append(f"{number}\n{' --> '.join(when)}\n{line.name}: {text.strip().capitalize()}.\n")
    return "\n".join(rows)


def build(clips: Path, out: Path, minutes: float, seed: int, people: Sequence[str], narrator: Sequence[str]) -> None:
    """Build the programme, its truth and its scripts into ``out``."""

    def named(start: str) -> Path:
        return next(path for path in sorted(clips.iterdir()) if path.name.startswith(f"{start}_"))

    names = ["Anton", "Bruno", "Carlo", "Dora", "Elsa", "Frida"]
    actors = [actor(name, named(start)) for name, start in zip(names, people, strict=False)]
    voice, pictures = narrator
    director = Director(actors, actor("Narrator", named(pictures), named(voice)), np.random.default_rng(seed))
    out.mkdir(parents=True, exist_ok=True)
    write_film(out / "programme.mp4", director, round(minutes * 60 * RATE))
    made = director.made
    speech = sorted(made.speech, key=lambda line: line.start)
    for language in SENTENCES:
        (out / f"programme.{language}.srt").write_text(srt(speech, language), "utf-8")
    truth = {"film": "programme.mp4", "shots": [asdict(s) for s in made.shots], "speech": [asdict(s) for s in speech]}
    (out / "programme.json").write_text(json.dumps(truth, indent=1), "utf-8")
    print(f"{made.frames} frames, {len(made.shots)} shots, {len(speech)} lines: {out / 'programme.mp4'}")


@dataclass(frozen=True, eq=False)
class Truth:
    """What ``build`` wrote."""

    film: Path
    shots: tuple[TrueShot, ...]
    speech: tuple[TrueSpeech, ...]

    @classmethod
    def read(cls, path: Path) -> "Truth":
        """From ``programme.json``."""
        read = json.loads(path.read_text("utf-8"))
        shots = (
            TrueShot(s["first"], s["stop"], s["kind"], tuple(ShownFace(**face) for face in s["faces"]))
            for s in read["shots"]
        )
        return cls(path.parent / read["film"], tuple(shots), tuple(TrueSpeech(**s) for s in read["speech"]))

    def shot(self, frame: int) -> TrueShot:
        """The shot of a frame."""
        return next(shot for shot in self.shots if shot.first <= frame < shot.stop)


def whose(truth: Truth, analysis: Analysis) -> dict[int, str]:
    """Who each track really shows ("": nobody of the cast), by where it is in the middle of its frames."""
    found = {}
    for face in analysis.faces:
        track = face.track
        shot, row = truth.shot(track.first + len(track) // 2), int(np.argmax(track.presence))
        x, y = track.landmarks.read(row, row + 1)[0, :, :2].mean(0)
        inside = [f.person for f in shot.faces if f.window[0] <= x < f.window[2] and f.window[1] <= y < f.window[3]]
        found[track.id] = inside[0] if inside else ""
    return found


def people_scores(analysis: Analysis, really: Mapping[int, str]) -> dict[str, Any]:
    """How well the found people are the real ones."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for face in analysis.faces:
        table[analysis.person_of(face.id).id][really[face.id]] += len(face.track)
    names = {name for counts in table.values() for name in counts if name}
    total = sum(sum(counts.values()) for counts in table.values())
    whole = {name: sum(counts[name] for counts in table.values()) for name in names}
    return {
        "people": len(table),
        "really": len(names),
        "purity": sum(max(counts.values()) for counts in table.values()) / max(1, total),
        "complete": sum(max(c[name] for c in table.values()) for name in names) / max(1, sum(whole.values())),
        "table": {person: dict(counts) for person, counts in table.items()},
    }


def speech_scores(truth: Truth, clip: Clip, really: Mapping[int, str], given: Mapping) -> dict[str, Any]:
    """How much of the speech was given to the right face, and to which wrong ones; ``given`` are spans by track."""
    wrong: Counter[str] = Counter()
    right, there = 0.0, 0.0
    for line in truth.speech:
        span = Span(Fraction(str(line.start)), Fraction(str(line.end)))
        for shot in truth.shots:
            part = clip.times.span(shot.first, shot.stop).intersection(span)
            if part is None:
                continue
            if shot.kind in ("single", "two"):
                there += float(part.duration)
            for track, spans in given.items():
                shared = float(total_duration(p for s in spans if (p := s.intersection(part)) is not None))
                if really[track] == line.name and shot.kind in ("single", "two"):
                    right += shared
                else:
                    wrong[shot.kind] += shared
    seconds = {kind: round(value, 2) for kind, value in wrong.items() if value}
    return {"right": right / max(there, 1e-6), "wrong s": seconds, "speech in view s": round(there, 1)}


def check(path: Path, script: str) -> dict[str, Any]:
    """Analyse the programme, find who speaks, and compare with the truth."""
    truth = Truth.read(path)
    with open_session(DubOptions()) as session:
        vars(session.tools)["engine"] = FakeEngine()
        analysis, job = _analysed(truth.film, session)
        lines = read_script(path.with_name(f"programme.{script}.srt")).lines if script else ()
        found = find_speakers(job.clip, analysis, session.tools.prior, job.selectors, lines)
        told = scores(truth, job.clip, analysis, found, _given(job.clip, analysis, found, session))
        return told | {"cast": cast_scores(lines, job, analysis, session)} if lines else told


def scores(truth: Truth, clip: Clip, analysis: Analysis, found: SpeakersFound, given: Mapping) -> dict[str, Any]:
    """All figures of ``check``."""
    really = whose(truth, analysis)
    table = people_scores(analysis, really)
    main = {person: max(counts, key=lambda name: counts[name]) for person, counts in table["table"].items()}
    names = {name: main.get(person, person) or "off screen" for name, person in found.people_of_names.items()}
    speech = speech_scores(truth, clip, really, given)
    return {"shots": len(analysis.shots), **table, **speech, "names": names, "notes": list(found.notes)}


def _analysed(film: Path, session: Session) -> tuple[Analysis, Job]:
    clip, digest = open_clip(film), content_digest(film)
    names, selectors = OutputNames(film, film), (FaceSelector("auto"),)
    job = Job(clip, digest, None, SpeechOptions(), session.options, names, selectors, None, {})
    return analyse(job, session), job


def _given(clip: Clip, analysis: Analysis, found: SpeakersFound, session: Session) -> dict[int, tuple[Span, ...]]:
    """When each face is given words: while it speaks, unless the voice cannot be its own."""
    voice = None if analysis.sound is None else analysis.sound.features
    out = {}
    for face in analysis.faces:
        refused = other_voice_reason(clip, face, voice, session.tools.prior, found)
        out[face.id] = () if refused else speaking_spans(clip, face, found.assignment)
    return out


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m evals.programme", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("build")
    one.add_argument("clips", type=Path)
    one.add_argument("out", type=Path)
    one.add_argument("--minutes", type=float, default=4)
    one.add_argument("--seed", type=int, default=1)
    one.add_argument("--people", default="d22,d21,d03")
    one.add_argument("--narrator", default="da02,d12", help="a voice, and the clip that is seen meanwhile")
    two = commands.add_parser("check")
    two.add_argument("truth", type=Path)
    two.add_argument("--script", default="", help="also use the script of this language, e.g. es")
    two.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if asked.command == "build":
        cast, narrator = asked.people.split(","), asked.narrator.split(",")
        build(asked.clips, asked.out, asked.minutes, asked.seed, cast, narrator)
        return
    found = check(asked.truth, asked.script)
    print("\n".join(f"{name:16} {value}" for name, value in found.items()))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
