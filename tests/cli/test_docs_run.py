"""Runs every command of the documents as it is written, in order, in a folder that holds what the documents assume."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from documented import DOCUMENTS, ROOT, Example, examples

import lipdub
from golden import make_checkpoint
from lipdub import weights
from lipdub.cli.main import app
from lipdub.demo import make as demo
from lipdub.demo.media_files import write_wave
from lipdub.demo.speech_assets import DemoSpeech, load_speech
from lipdub.engines.ltx.checkpoint_digest import checkpoint_digest
from lipdub.studio.caller import Caller
from lipdub.studio.progress import Clock
from lipdub.timeline.sound import Sound
from train.ltx_data import write_data
from words_to_sound.argos_package import package
from words_to_sound.servers import Answer, server

# Values of placeholders: (part of the command, placeholder) -> name in the reader's folder, or address of a server.
PLACEHOLDERS = {
    ("openai:", "http://localhost:11434/v1#MODEL"): "{server}/v1#a-model",
    ("lipdub train prior", "FOLDER"): "footage",
    ("--engine ltx", "FOLDER"): "tiny-ltx",
}

PROGRAMS = r"((?:LIPDUB_\w+=\S+ )?lipdub|python -m lipdub[\w.]*|pip install|\./test|curl)\b"

# Beginnings of commands that are not run here, and why.
NOT_RUN = {
    "lipdub train prepare": "latents take long without a GPU; tests/train/test_prepare.py makes small ones",
    "./test": "it is what runs this test",
    "lipdub studio": "it runs until it is stopped; see tests/web/test_studio_page.py",
    "LIPDUB_STUDIO_KEY=": "likewise",
    "curl ": "it asks a studio; see tests/web/test_studio_page.py",
    "import os, time, httpx": "likewise",
    "lipdub weights fetch ltx --to FOLDER": "74 GB, gated; tests/engines/ltx/test_hub.py fetches from a hub of our own",
    "pip install": "see test_every_extra_that_is_installed_exists and test_a_fresh_environment_makes_the_demo",
    "lipdub demo": "see test_a_fresh_environment_makes_the_demo",
    "from fractions import Fraction": "needs a GPU; tests/engines/ltx/test_parity_pipeline.py runs these calls without",
}

# Commands that this machine may be unable to run: the exit code and the error text that it then gives.
MAY_BE_REFUSED = {"--engine ltx": (7, "needs a GPU")}

# Documents whose dubs are heard again by Whisper (3 s each). For the others it is not there, as with a reader who has
# not fetched it, and that check is left out.
HEARD_AGAIN = {"README.md"}

SECONDS = 2.4

RECIPE = """
[base]
weights = "tiny-ltx"
[data]
folder = "pairs"
[lora]
rank = 4
alpha = 4
[run]
steps = 2
"""
ALL = [example for path in DOCUMENTS for example in examples(path)]


def skip_reason(text: str) -> str:
    """Why a command is not run here; "" if it is run."""
    return next((why for begins, why in NOT_RUN.items() if text.startswith(begins)), "")


def fill_placeholders(text: str, url: str) -> str:
    """``text`` with values for its placeholders; ``url`` is that of the test's server."""
    for (part, placeholder), value in PLACEHOLDERS.items():
        if part in text:
            text = text.replace(placeholder, value.replace("{server}", url))
    return text


def test_the_documents_and_their_examples_are_found():
    assert {"README.md", "architecture.md", "ltx.md", "projects.md", "speech.md"} <= {path.name for path in DOCUMENTS}
    assert len([e for e in ALL if e.document == "README.md"]) >= 15
    assert any(e.python for e in ALL if e.document == "README.md")
    assert all(any(part.startswith(begins) for e in ALL for part in e.parts) for begins in NOT_RUN), "all still needed"


def test_every_command_is_known_and_every_placeholder_has_a_value():
    for example in (e for e in ALL if not e.python):
        for part in map(str, example.parts):
            assert re.match(r"((?:LIPDUB_\w+=\S+ )?lipdub|python -m lipdub[\w.]*|pip install|\./test|curl)\b", part), (
                f"unknown: {example}"
            )
            filled = fill_placeholders(part, "http://localhost:1")
            assert skip_reason(part) or not re.search(r"\b(FOLDER|MODEL|URL|FILE|NAME)\b", filled), (
                f"no value: {example}"
            )


@pytest.mark.parametrize("example", [e for e in ALL if "lipdub " in e.text and not e.python], ids=str)
def test_every_option_exists(example: Example) -> None:
    for part in example.parts:
        if part.startswith("lipdub "):
            app.parse_args(shlex.split(part)[1:], exit_on_error=False, print_error=False)


@pytest.mark.parametrize("document", [path.name for path in DOCUMENTS])
def test_no_two_commands_write_the_same_file(document: str) -> None:
    written = [
        name
        for example in ALL
        if example.document == document and "--dry-run" not in example.text
        for name in re.findall(r"(?:\s-o|output=)\s*\"?([^\s\")]+)", example.text)
    ]
    assert len(written) == len(set(written)), written


def test_every_extra_that_is_installed_exists():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for part in (part for e in ALL for part in e.parts if part.startswith("pip install")):
        for wanted in shlex.split(part)[2:]:
            found = re.fullmatch(r"(?:\.|lipdub)(?:\[([\w,]+)\])?", wanted)
            assert found, f"{part}: {wanted} is not lipdub"
            assert set((found[1] or "dev").split(",")) <= set(extras), f"{part}: no such extra"


@dataclass
class Reader:
    """Somebody who follows a document: runs commands in ``folder``."""

    folder: Path
    environment: dict[str, str]
    url: str

    def run(self, command: str, example: Example) -> None:
        """Run ``command`` with a terminal that answers yes."""
        keyboard, terminal = os.openpty()
        os.write(keyboard, b"yes\n")
        try:
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self.folder,
                stdin=terminal,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=self.environment,
                check=False,
            )
        finally:
            os.close(keyboard)
            os.close(terminal)
        code, message = next((refusal for part, refusal in MAY_BE_REFUSED.items() if part in command), (0, ""))
        if message and done.returncode == 0:
            return  # this machine can run it
        assert done.returncode == code, f"{example}\n{done.stdout}"
        assert message in done.stdout

    def without_whisper(self) -> None:
        """Take Whisper away, and the network that it could come from."""
        models = Path(self.environment["LIPDUB_CACHE"]) / "weights"
        others = {path.name: path.resolve() for path in models.iterdir() if path.name != "whisper-base"}
        models.unlink()
        models.mkdir()
        for name, place in others.items():
            (models / name).symlink_to(place, target_is_directory=True)
        self.environment["LIPDUB_DOWNLOAD"] = "none"


def shortened(spoken: DemoSpeech) -> DemoSpeech:
    samples = spoken.sound.samples[:, : int(spoken.sound.rate * SECONDS)]
    return replace(spoken, sound=Sound(np.ascontiguousarray(samples), spoken.sound.rate, spoken.sound.start))


@pytest.fixture(scope="session")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clip of a face that talks for two seconds, and a dub track."""
    folder = tmp_path_factory.mktemp("talk")
    path = folder / "talk.mp4"
    demo._animate_portrait(
        folder / "portrait.jpg", shortened(load_speech("en")), int(SECONDS * 25), path, Clock(), Caller()
    )
    write_wave(folder / "talk.es.wav", shortened(load_speech("es")).sound)
    for language, words in (("es", "Hola a todos."), ("fr", "Bonjour à tous."), ("de", "Hallo zusammen.")):
        (folder / f"lines.{language}.srt").write_text(f"1\n00:00:00,300 --> 00:00:02,200\n{words}\n", "utf-8")
    return folder


def chat_answer(request: dict) -> bytes:
    """The answer of a chat server that translates every line to the same text."""
    lines = json.loads(request["messages"][1]["content"])["lines"]
    texts = json.dumps({"lines": [{"id": line["id"], "text": "Bonjour à tous."} for line in lines]})
    return json.dumps({"choices": [{"message": {"content": texts}}]}).encode()


@pytest.fixture
def reader(talk: Path, tmp_path: Path) -> Iterator[Reader]:
    """A folder with everything that the documents assume."""
    if weights.present("whisper-base") is None:
        pytest.skip("whisper-base is not here: ./test fetches it")
    folder, home, programs = tmp_path / "reader", tmp_path / "home", tmp_path / "bin"
    for made in (folder, home, programs, folder / "footage"):
        made.mkdir()
    for name, kept in (("talk.mp4", "talk.mp4"), ("clip.mp4", "talk.mp4"), ("x.wav", "talk.es.wav")):
        shutil.copy(talk / kept, folder / name)
    shutil.copy(talk / "lines.es.srt", folder / "talk.es.srt")
    for name in ("talk.es.wav", "lines.es.srt", "lines.fr.srt", "lines.de.srt"):
        shutil.copy(talk / name, folder / name)
    for name in ("one.mp4", "two.mp4"):
        shutil.copy(talk / "talk.mp4", folder / "footage" / name)
    layout = json.loads((ROOT / "tests/golden/layout.json").read_text(encoding="utf-8"))
    make_checkpoint.write(folder / "tiny-ltx", layout)
    write_data(folder / "pairs", checkpoint_digest(folder / "tiny-ltx" / "ckpt.safetensors"))
    (folder / "recipe.toml").write_text(RECIPE, "utf-8")
    package(tmp_path / "argos", "en", "fr", 1)
    batch = (ROOT / "docs" / "batch.md").read_text("utf-8")
    for name, language in (("jobs.csv", "csv"), ("more.jsonl", "jsonl")):
        shown = re.search(rf"^```{language}\n(.*?)^```", batch, re.MULTILINE | re.DOTALL)
        assert shown is not None, f"docs/batch.md shows no {language}"
        (folder / name).write_text(shown[1], "utf-8")
    pytest.importorskip("c2pa", reason="docs/disclosure.md needs the extra credentials")
    from credentials.keys import issue

    signer = issue(tmp_path / "keys")
    for name, made in (("studio-key", signer.key), ("studio-chain", signer.chain), ("authority", signer.root)):
        shutil.copy(made, folder / f"{name}.pem")
    (home / "weights").symlink_to(weights.cache_folder(), target_is_directory=True)
    for name, words in (("lipdub", f"{sys.executable} -m lipdub"), ("python", sys.executable)):
        (programs / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        (programs / name).chmod(0o755)
    where = [str(Path(lipdub.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, where)),
        "LIPDUB_CACHE": str(home),
        "LIPDUB_CONFIG": str(tmp_path / "settings"),
        "ARGOS_PACKAGES_DIR": str(tmp_path / "argos"),
        "NO_COLOR": "1",
    }
    with ExitStack() as stack:
        served = stack.enter_context(server([Answer(chat_answer)]))
        yield Reader(folder, environment, served.url)


@pytest.mark.slow
@pytest.mark.parametrize("document", sorted({e.document for e in ALL}))
def test_every_command_of_a_document_runs(reader: Reader, document: str) -> None:
    if document not in HEARD_AGAIN:
        reader.without_whisper()
    for example in (e for e in ALL if e.document == document):
        if example.python:
            if not skip_reason(example.text):
                reader.run(f"python -c {shlex.quote(example.text)}", example)
            continue
        for part in example.parts:
            if not skip_reason(part):
                reader.run(fill_placeholders(part, reader.url), example)
    left = {path.name for path in reader.folder.rglob("*") if path.name.startswith(".") or path.suffix == ".part"}
    assert left <= {".precomputed"}, "that is how the folder of latents is called"
    if document == "README.md":
        for name in ("talk.es.mp4", "spoken.es.srt", "spoken.es.report.json", "spoken.es.review.html", "edited.fr.mp4"):
            assert (reader.folder / name).stat().st_size > 0


@pytest.mark.slow
def test_a_fresh_environment_makes_the_demo(tmp_path: Path) -> None:
    """``pip install . && lipdub demo``, as the README has it, with what pip finds; needs a package index."""
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment |= {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "LIPDUB_CACHE": str(tmp_path / "home")}

    def run(*command: str, where: Path) -> "subprocess.CompletedProcess[str]":
        program = [str(programs / command[0]), *command[1:]]
        return subprocess.run(program, cwd=where, env=environment, capture_output=True, text=True, check=False)

    reached = run("python", "-m", "pip", "download", "-q", "--no-deps", "platformdirs", where=tmp_path)
    if reached.returncode:
        pytest.skip(f"no package index can be reached: {reached.stderr[-200:]}")
    done = run("pip", "install", "-q", ".", where=ROOT)
    assert done.returncode == 0, done.stderr
    done = run("lipdub", "demo", where=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "lipdub-demo" / "side-by-side.mp4").stat().st_size > 0
