"""Small healthy files from which broken ones are made: clips in a dozen containers, sounds, scripts, and the rest."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import av
import cv2
import numpy as np

from lipdub.demo.speech_assets import load_speech
from lipdub.process.scheduling import usual_scheduling
from lipdub.sound_to_mouth.prior import Prior
from lipdub.timeline.project import InputFile, Project

FRAMES, SIDE, RATE = 12, 144, 25


@dataclass(frozen=True)
class Seed:
    """A healthy file ``name`` and the ``part`` it plays in a command: clip, sound, script, glossary, prior, project."""

    name: str
    part: str


@dataclass(frozen=True)
class Kind:
    """How a clip is coded: container by the name's ending, picture, pixel format, sound."""

    name: str
    picture: str
    pixels: str = "yuv420p"
    sound: str | None = "aac"
    subtitles: str | None = None


CLIPS = (
    Kind("a.mp4", "libx264", subtitles="mov_text"),
    Kind("b.mov", "prores_ks", "yuv422p10le", "pcm_s16le"),
    Kind("c.mkv", "libx264", sound="libopus", subtitles="subrip"),
    Kind("d.webm", "libvpx-vp9", sound="libopus"),
    Kind("e.avi", "mpeg4", sound="libmp3lame"),
    Kind("f.mpg", "mpeg2video", sound="mp2"),
    Kind("g.ts", "libx264"),
    Kind("h.flv", "flv1", sound="libmp3lame"),
    Kind("i.mp4", "libx265"),
    Kind("j.mkv", "ffv1", "yuv444p", "flac"),
    Kind("k.wmv", "wmv2", sound="libmp3lame"),
    Kind("l.mov", "mjpeg", "yuvj420p", None),
    Kind("m.mkv", "libsvtav1", sound=None),
    Kind("n.3gp", "h263", sound=None),
)
SOUNDS = (
    ("a.wav", "pcm_s16le"), ("b.flac", "flac"), ("c.mp3", "libmp3lame"), ("d.m4a", "aac"), ("e.ogg", "libopus"),
    ("f.aiff", "pcm_s16be"), ("g.mka", "pcm_f32le"), ("h.ac3", "ac3"),
)  # fmt: skip

TEXTS = {
    "a.es.srt": "1\n00:00:00,000 --> 00:00:00,300\n<i>Hola</i> a todos.\n\n"
    "2\n00:00:00,300 --> 00:00:00,450\nAna: Sí.\n",
    "b.es.vtt": "WEBVTT\n\nNOTE a\n\n00:00.000 --> 00:00.400\n<v Ana>Hola.\n",
    "c.es.ass": "[Script Info]\n[Events]\n"
    "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    "Dialogue: 0,0:00:00.00,0:00:00.40,Default,Ana,0,0,0,,{\\i1}Hola\\Nsí.\n",
    "d.es.json": '{"lines": [{"start": "0", "end": "2/5", "text": "Hola.", "words": [{"start": 0, "end": 0.4, "text": '
    '"Hola."}]}]}',
    "e.es.txt": "Hola a todos.\nSí.\n",
}


def make_seeds(folder: Path) -> list[Seed]:
    """Write every seed to ``folder``."""
    seeds = []
    for kind in CLIPS:
        make_clip(folder / kind.name, kind)
        seeds.append(Seed(kind.name, "clip"))
    for name, codec in SOUNDS:
        make_sound(folder / f"sound-{name}", codec)
        seeds.append(Seed(f"sound-{name}", "sound"))
    for name, text in TEXTS.items():
        (folder / name).write_text(text, encoding="utf-8")
        seeds.append(Seed(name, "script"))
    (folder / "terms.csv").write_text("term,rendering\nHello,Hola\n")
    Prior.load().save(folder / "mine.npz")
    Project(InputFile(Path("a.mp4"), "0" * 64), FRAMES).save(folder / "a.json")
    return [*seeds, Seed("terms.csv", "glossary"), Seed("mine.npz", "prior"), Seed("a.json", "project")]


def _faces() -> Iterator[np.ndarray]:
    data = np.frombuffer((files("lipdub.demo") / "assets" / "portrait.jpg").read_bytes(), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert picture is not None
    face = cv2.resize(picture[..., ::-1], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    for index in range(FRAMES):
        yield np.ascontiguousarray(np.roll(face, index % 3, axis=1))


def make_clip(path: Path, kind: Kind) -> None:
    """A face that sways for half a second and speaks, and, where there is a place for it, a subtitle."""
    with av.open(str(path), "w") as out:
        picture = out.add_stream(kind.picture, rate=RATE)
        picture.width, picture.height = (176, 144) if kind.picture == "h263" else (SIDE, SIDE)
        picture.pix_fmt = kind.pixels
        if kind.picture == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "0")
        if kind.picture == "libx265":
            picture.options = {"x265-params": "log-level=none"}
        sound = out.add_stream(kind.sound, rate=48000, layout="mono") if kind.sound else None
        text = out.add_mux_stream(kind.subtitles) if kind.subtitles else None
        for rgb in _faces():
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(
                format=kind.pixels, width=picture.width, height=picture.height
            )
            with usual_scheduling():
                out.mux(picture.encode(frame))
        out.mux(picture.encode(None))
        if sound is not None:
            _speak(out, sound)
        if text is not None:
            packet = av.Packet(b"\0\4Hola" if kind.subtitles == "mov_text" else b"Hola")
            packet.stream, packet.time_base = text, Fraction(1, 1000)
            packet.pts, packet.dts, packet.duration = 0, 0, 300
            out.mux_one(packet)


def _speak(out, stream) -> None:
    """Half a second of the demo's voice."""
    rate, voice = 48000, load_speech("es")
    first = round(voice.phrases[0][0].start * rate)
    samples = np.ascontiguousarray(voice.sound.samples[:, first : first + rate * FRAMES // RATE])
    frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    context = stream.codec_context
    if not context.is_open:
        context.open()
    resampler = av.AudioResampler(context.format, "mono", rate, context.frame_size or 1024)
    for part in (*resampler.resample(frame), *resampler.resample(None)):
        out.mux(stream.encode(part))
    out.mux(stream.encode(None))


def make_sound(path: Path, codec: str) -> None:
    """Half a second of speech."""
    with av.open(str(path), "w") as out:
        _speak(out, out.add_stream(codec, rate=48000, layout="mono"))


Damage = Callable[[bytes, np.random.Generator], bytes]


def damages() -> dict[str, Damage]:
    """Ways to break a file, by name; each changes bytes as its random numbers say."""

    def place(data: bytes, random: np.random.Generator) -> tuple[int, int]:
        start = int(random.integers(0, max(len(data), 1)))
        return start, min(len(data), start + int(random.integers(1, max(2, len(data) // 4))))

    def cut(data: bytes, random: np.random.Generator) -> bytes:
        return data[: place(data, random)[0]]

    def flipped(data: bytes, random: np.random.Generator) -> bytes:
        out = bytearray(data)
        for at in random.integers(0, max(len(data), 1), int(random.integers(1, 20))):
            if out:
                out[int(at)] ^= 1 << int(random.integers(0, 8))
        return bytes(out)

    def head_flipped(data: bytes, random: np.random.Generator) -> bytes:
        return flipped(data[:256], random) + data[256:]

    def tail_flipped(data: bytes, random: np.random.Generator) -> bytes:
        return data[:-1500] + flipped(data[-1500:], random)

    def zeroed(data: bytes, random: np.random.Generator) -> bytes:
        start, stop = place(data, random)
        return data[:start] + bytes(stop - start) + data[stop:]

    def noise(data: bytes, random: np.random.Generator) -> bytes:
        start, stop = place(data, random)
        return data[:start] + random.bytes(stop - start) + data[stop:]

    def doubled(data: bytes, random: np.random.Generator) -> bytes:
        start, stop = place(data, random)
        return data[:stop] + data[start:]

    def removed(data: bytes, random: np.random.Generator) -> bytes:
        start, stop = place(data, random)
        return data[:start] + data[stop:]

    def large_numbers(data: bytes, random: np.random.Generator) -> bytes:
        out = bytearray(data)
        for at in random.integers(0, max(len(data) - 8, 1), int(random.integers(1, 4))):
            out[int(at) : int(at) + 4] = b"\xff\xff\xff\xff" if random.random() < 0.5 else b"\x7f\xff\xff\xff"
        return bytes(out)

    def joined(data: bytes, random: np.random.Generator) -> bytes:
        return data + data[: place(data, random)[1]]

    every = (cut, flipped, head_flipped, tail_flipped, zeroed, noise, doubled, removed, large_numbers, joined)
    return {way.__name__: way for way in every}
