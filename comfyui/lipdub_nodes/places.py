"""Where files lie: all of a project in one folder of ComfyUI's output folder.

output/lipdub/NAME/
  NAME.lipdub/       lipdub's project: plans, takes, people
  inputs/            scripts and dub tracks of nodes, by their content
  plans/             plans as they were made, by what they were made from
  films/             films with report, review page and subtitles, by what they were made from
output/lipdub/videos/    videos that came without a file of their own, by their content
"""

import hashlib
import json
import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import host
from .problems import LipdubError

_ENDS = 1 << 20
"""How much of the beginning and of the end of a video its short name depends on, in bytes."""

_SCRIPTS = (".srt", ".vtt", ".ass", ".ssa", ".json", ".txt")
_FILMS = (".mp4", ".mov", ".mkv", ".webm")


@dataclass(frozen=True)
class ProjectPlace:
    """The folder of the project ``name``."""

    name: str

    @property
    def home(self) -> Path:
        """Everything of this project."""
        return host.output_folder() / "lipdub" / self.name

    @property
    def project(self) -> Path:
        """lipdub's project."""
        return self.home / f"{self.name}.lipdub"

    def film(self, language: str, made_from: Mapping[str, Any], source: Path) -> Path:
        """The film that is made from ``made_from``: the same file for the same things. Its container is that of the
        ``source`` where lipdub writes it, else mp4."""
        suffix = source.suffix.lower() if source.suffix.lower() in _FILMS else ".mp4"
        key = digest_of(json.dumps(made_from, sort_keys=True).encode())[:8]
        folder = self.home / "films"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{self.name}-{language or 'dub'}-{key}{suffix}"

    def keep_input(self, content: bytes, suffix: str) -> Path:
        """A file with ``content``, which stays, because the project refers to it."""
        folder = self.home / "inputs"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{digest_of(content)[:16]}{suffix}"
        if not file.exists():
            _publish(content, file)
        return file


def project_place(name: str, source: Path) -> ProjectPlace:
    """The project of that name; without one, a project for this ``source``, named after it.

    Raises ``LipdubError`` for a name that is more than the name of a folder.
    """
    name = name.strip()
    if not name:
        return ProjectPlace(f"{_plain(source.stem)}-{_content_key(source)}")
    if not re.fullmatch(r"[\w-][\w .-]{0,79}", name) or name.endswith((".", " ")):
        raise LipdubError(f"'{name[:80]}' is no name for a project. Use letters, digits, spaces, dots and dashes.")
    return ProjectPlace(name)


def source_file(video: Any) -> Path:
    """The file of a VIDEO. Frames are never asked for.

    A video that was trimmed, or lies in memory, is written to a file by ComfyUI first. Raises ``LipdubError`` if that
    fails.
    """
    if not _makes_its_own_stream(video):
        source = video.get_stream_source()
        if isinstance(source, str | os.PathLike) and not _is_trimmed(video):
            return Path(source)
    return _written(video)


def script_file(text: str, place: ProjectPlace) -> Path | None:
    """The script of a node as a file: the text itself, or, if it is the name of a file, that file of ComfyUI's input
    folder; None if it is empty.

    Raises ``LipdubError`` if there is no such file, or if it lies elsewhere.
    """
    text = text.strip()
    if not text:
        return None
    if "\n" not in text and text.lower().endswith(_SCRIPTS):
        return _file_of_inputs(text)
    return place.keep_input(f"{text}\n".encode(), _script_suffix(text))


def named_script(text: str) -> Path | None:
    """The file that the input script names, if it names one that is there."""
    try:
        return _file_of_inputs(text.strip()) if text.strip().lower().endswith(_SCRIPTS) and "\n" not in text else None
    except LipdubError:
        return None


def digest_of(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _digest(file)


def _digest(file: Any) -> str:
    made = hashlib.sha256()
    while block := file.read(_ENDS):
        made.update(block)
    return made.hexdigest()


def _makes_its_own_stream(video: Any) -> bool:
    """True if the class has only the stream of ComfyUI's base class, which encodes everything into memory."""
    return getattr(type(video).get_stream_source, "__qualname__", "") == "VideoInput.get_stream_source"


def _is_trimmed(video: Any) -> bool:
    """True if the VIDEO is only a part of its file."""
    if hasattr(video, "get_active_trim_window"):
        return any(video.get_active_trim_window())
    # versions that trim and do not tell
    return any(getattr(video, f"_VideoFromFile__{name}", 0) for name in ("start_time", "duration"))


def _written(video: Any) -> Path:
    folder = host.output_folder() / "lipdub" / "videos"
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{uuid.uuid4().hex}.mp4"
    try:
        video.save_to(str(part))
        file = folder / file_digest(part)[:16] / "video.mp4"
        file.parent.mkdir(exist_ok=True)
        os.replace(part, file)
    except (OSError, ValueError) as failed:
        raise LipdubError(
            f"ComfyUI could not write the input video to a file ({failed}). Connect a Load Video node instead."
        ) from failed
    finally:
        part.unlink(missing_ok=True)
    host.log.info("lipdub: the video came without a file of its own and was written to %s", file)
    return file


def _file_of_inputs(name: str) -> Path:
    folder = host.input_folder().resolve()
    file = (folder / name).resolve()
    if not file.is_relative_to(folder):
        raise LipdubError(f"The script '{name[:80]}' lies outside ComfyUI's input folder. Copy it to {folder}.")
    if not file.is_file():
        raise LipdubError(f"There is no script '{name[:80]}' in {folder}. Copy it there, or paste its text.")
    return file


def _script_suffix(text: str) -> str:
    """What kind of script a text is."""
    if text.startswith("WEBVTT"):
        return ".vtt"
    if text.startswith("[Script Info]") or "\nDialogue:" in text:
        return ".ass"
    if text[0] in "[{":
        return ".json"
    return ".srt" if re.search(r"\d:\d\d[,.]\d+\s*-->", text) else ".txt"


def _content_key(source: Path) -> str:
    """Eight hexadecimal digits of the size, the beginning and the end of a file: enough to tell videos apart."""
    try:
        with source.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            made = hashlib.sha256(str(size).encode() + file.read(_ENDS))
            file.seek(max(0, size - _ENDS))
            made.update(file.read(_ENDS))
    except OSError as refused:
        raise LipdubError(f"{source}: the video cannot be read ({refused.strerror}). Load it again.") from refused
    return made.hexdigest()[:8]


def _plain(name: str) -> str:
    """A file's name without what cannot stand in the name of a project."""
    return re.sub(r"[^\w-]+", "-", name).strip("-")[:40] or "video"


def _publish(content: bytes, file: Path) -> None:
    part = file.with_name(f".{uuid.uuid4().hex}")
    part.write_bytes(content)
    os.replace(part, file)
