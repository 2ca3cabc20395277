"""A clip with two people, its dub and their peaks, for a browser to play."""

from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np

from lipdub.demo.media_files import write_synthetic_clip
from lipdub.timeline.sound import Sound

WIDTH, HEIGHT, RATE, SECONDS = 640, 360, Fraction(25), 16
SAMPLES = 48_000
FACES = {"1": (90, 70, 170), "2": (390, 80, 160)}
"""Left, top and size of each person's picture in the frame, in pixels."""


def portrait() -> np.ndarray:
    """The face of the portrait that ships with the package, RGB."""
    data = np.frombuffer((files("lipdub.demo") / "assets" / "portrait.jpg").read_bytes(), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


def _frame(number: int, dubbed: bool, faces: dict[str, np.ndarray]) -> np.ndarray:
    ramp = np.linspace(38, 82, WIDTH, dtype=np.float32)[None, :, None]
    frame = np.ascontiguousarray(
        np.broadcast_to(ramp * np.array([0.8, 0.95, 1.15], np.float32), (HEIGHT, WIDTH, 3)), np.uint8
    )
    for person, (left, top, size) in FACES.items():
        sway = round(4 * np.sin(number / 9 + int(person)))
        face = faces[person]
        frame[top : top + size, left + sway : left + sway + size] = face
        if dubbed:
            opened = round(4 + 4 * abs(np.sin(number / 3)))
            mouth = (left + sway + size * 47 // 100, top + size * 66 // 100)
            cv2.ellipse(frame, mouth, (size // 14, opened), 0, 0, 360, (92, 36, 40), -1, cv2.LINE_AA)
    for bit in range(10):
        colour = (235, 235, 235) if number >> bit & 1 else (20, 20, 20)
        cv2.rectangle(frame, (8 + bit * 12, HEIGHT - 14), (17 + bit * 12, HEIGHT - 6), colour, -1)
    return frame


def speech(spans: list[tuple[float, float]], pitch: float) -> Sound:
    """Bursts of a buzz in ``spans``, shaped like syllables."""
    time = np.arange(SECONDS * SAMPLES) / SAMPLES
    buzz = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in (1, 2, 3, 5))
    level = np.zeros_like(time)
    for start, end in spans:
        inside = (time >= start) & (time < end)
        fade = np.minimum(1, np.minimum(time - start, end - time) * 20)
        level[inside] = (fade * (0.55 + 0.45 * np.sin(2 * np.pi * 4.3 * (time - start)) ** 2))[inside]
    noise = np.random.default_rng(5).normal(0, 0.004, time.shape)
    return Sound((buzz * level * 0.22 + noise).astype(np.float32)[None], SAMPLES)


def write_clip(path: Path, spans: list[tuple[float, float]], *, dubbed: bool) -> bytes:
    """Write the clip, of 16 s at 25 frames per second, and give the peaks of its sound, int8 per 10 ms."""
    whole = portrait()
    faces = {p: cv2.resize(whole, (size, size), interpolation=cv2.INTER_AREA) for p, (_, _, size) in FACES.items()}
    faces["2"] = np.ascontiguousarray(faces["2"][:, ::-1])
    sound = speech(spans, 140 if dubbed else 115)
    frames = (_frame(n, dubbed, faces) for n in range(int(RATE * SECONDS)))
    write_synthetic_clip(path, frames, RATE, sound)
    blocks = sound.samples[0].reshape(-1, SAMPLES // 100)
    pairs = np.stack([blocks.min(1), blocks.max(1)], 1)
    return np.clip(np.round(pairs * 127), -127, 127).astype(np.int8).tobytes()


def person_picture(person: str) -> bytes:
    """A JPEG of a person's face."""
    face = cv2.resize(portrait(), (96, 96), interpolation=cv2.INTER_AREA)[..., ::-1]
    face = face if person == "1" else face[:, ::-1]
    return cv2.imencode(".jpg", np.ascontiguousarray(face))[1].tobytes()


def boxes_at(seconds: float) -> list[dict[str, object]]:
    """The face boxes of the frame at ``seconds``, as parts of the picture."""
    number, found = int(seconds * RATE), []
    for person, (left, top, size) in FACES.items():
        sway = round(4 * np.sin(number / 9 + int(person)))
        box = [
            (left + sway + size * 0.22) / WIDTH,
            (top + size * 0.12) / HEIGHT,
            size * 0.56 / WIDTH,
            size * 0.72 / HEIGHT,
        ]
        found.append({"person": person, "box": box})
    return found
