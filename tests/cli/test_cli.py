"""The command line: help loads nothing heavy, and every bad input gives one line and an exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("av", "cv2", "numpy", "onnxruntime", "ai_edge_litert", "scipy", "torch", "diffusers", "ray")


def lipdub(*args: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LIPDUB_CACHE": str(home), "NO_COLOR": "1", "COLUMNS": "100"}
    command = [sys.executable, "-m", "lipdub", *args]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL, check=False
    )


@pytest.mark.parametrize("args", [["--help"], ["dub", "--help"], ["batch", "-h"], ["speak", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(args: list[str]) -> None:
    code = (
        f"import sys; sys.argv[1:] = {args!r}\nfrom lipdub.cli.main import main\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        f"assert not [m for m in {HEAVY!r} if m in sys.modules], [m for m in {HEAVY!r} if m in sys.modules]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_package_loads_nothing_heavy_and_knows_its_names() -> None:
    code = (
        f"import lipdub, sys; assert not [m for m in {HEAVY!r} if m in sys.modules]\n"
        "assert all(hasattr(lipdub, name) for name in lipdub.__all__)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    import wave

    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("hello")
    with wave.open(str(tmp_path / "talk.wav"), "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        sound.writeframes(b"\0\0" * 16000)
    return tmp_path


@pytest.mark.parametrize(
    ("clip", "audio", "output", "code", "says"),
    [
        ("none.mp4", "talk.wav", "o.mp4", 2, "there is no such file"),
        ("empty.mp4", "talk.wav", "o.mp4", 2, "empty.mp4: is empty"),
        ("text.mp4", "talk.wav", "o.mp4", 2, "text.mp4: is not a sound or video file"),
        ("talk.wav", "talk.wav", "o.mp4", 2, "talk.wav: has no picture"),
    ],
)
def test_bad_input_is_one_line_and_a_code(
    files: Path, clip: str, audio: str, output: str, code: int, says: str
) -> None:
    done = lipdub("dub", str(files / clip), "--audio", str(files / audio), "-o", str(files / output), home=files)
    assert done.returncode == code
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (files / output).exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "nothing says what shall be said"),
        (["--line", "Hola"], "language is not known"),
        (["--script", "a.srt", "--audio", "b.wav"], "exclude each other"),
        (["--to", "es", "--engine-option", "fast", "--dry-run"], "no engine option"),
    ],
)
def test_contradictory_options_are_refused(files: Path, options: list[str], says: str) -> None:
    done = lipdub("dub", str(clip_of(files)), "-o", str(files / "o.mp4"), "--consent", *options, home=files)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def clip_of(folder: Path) -> Path:
    import av
    import numpy as np

    with av.open(str(folder / "clip.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return folder / "clip.mp4"


def test_an_unknown_face_is_refused_with_advice(files: Path) -> None:
    done = lipdub("dub", "x.mp4", "--audio", "y.wav", "-o", "z.mp4", "--face", "somebody", home=files)
    assert done.returncode == 2
    assert "left, right, largest" in done.stderr


def test_lists_are_json_where_asked(files: Path) -> None:
    models = json.loads(lipdub("weights", "list", "--json", home=files).stdout)
    assert {"face-landmarks", "face-detector", "voice-activity", "whisper-base"} <= {m["name"] for m in models}
    assert all(m["licence"] for m in models)
    engines = json.loads(lipdub("engines", "--json", home=files).stdout)
    assert "exemplar" in {e["name"] for e in engines}


def test_the_doctor_prints_brackets_literally(files: Path) -> None:
    shown = lipdub("doctor", home=files).stdout
    assert "lipdub[kokoro]" in shown or "rjieba missing" not in " ".join(shown.replace("│", " ").split())


def test_the_doctor_lists_what_is_installed(files: Path) -> None:
    found = json.loads(lipdub("doctor", "--json", home=files).stdout)
    assert "libx264" in found["encoders"]
    assert found["packages"]["av"]
    assert found["licences"]["numpy"] != "not stated"
    assert found["licences"]["model kokoro"] == "Apache-2.0"
    assert "nanotts" in found["voices"]
    assert found["engine ltx"], "what the engine would do here, or what it lacks"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["dub", "clip.mp4", "--crf", "abc", "-o", "o.mp4"], "--crf"),
        (["dub", "clip.mp4"], "--output"),
        (["dub"], "--output"),
        (["nonsense"], "nonsense"),
        (["dub", "clip.mp4", "-o", "o.mp4", "--no-such-option"], "--no-such-option"),
        (["speak", "a.srt", "-o", "a.wav", "--duration-fit", "loosely"], "loosely"),
    ],
)
def test_an_unknown_command_or_option_is_one_line(tmp_path: Path, args: list[str], says: str) -> None:
    done = lipdub(*args, home=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.startswith("lipdub: ")
    assert len(done.stderr.splitlines()) == 1
