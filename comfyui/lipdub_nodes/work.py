"""What the nodes do, without their schemas: requests to lipdub's process, and what comes back from it."""

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import host
from .choices import AUTO, language_tag, refuse_programs
from .places import ProjectPlace, digest_of, file_digest, project_place, script_file, source_file
from .problems import LipdubError
from .run_child import run_child
from .sound import read_audio, silent_audio, write_audio
from .stage_progress import STEPS, StageProgress

CONSENT = (
    "Consent is not stated. lipdub dubs nobody who has not agreed: switch 'consent' on to state that the people in "
    "this video agreed to be dubbed, with voices that may be made to resemble theirs."
)

SHARES_GPU = frozenset({"exemplar"})
"""Engines that need no GPU: ComfyUI's models may stay there."""

_TOLD = frozenset({"number", "state", "takes", "source_text"})
"""What a plan tells of a line for people to read: it does not change what is made."""

_HANDED_ON = {"engine": str, "face": list, "seed": int, "weights": str, "engine_option": list}
"""Options of a dub that go from node to node with the plan, and their types."""


@dataclass(frozen=True)
class Film:
    """A finished film: its file, its sound (ComfyUI's AUDIO), its report as JSON, its review page ("": none) and its
    plan as JSON."""

    file: Path
    audio: dict[str, Any]
    report: str
    page: str
    plan: str


@dataclass(frozen=True)
class Words:
    """What is said: ``dub`` (AUDIO or None) or ``script`` ("": none), in which ``language`` (a choice of the list),
    with which voices, translated by ``translator`` from ``source_language``."""

    language: str
    dub: Any = None
    script: str = ""
    voice: str = AUTO
    more_voices: str = ""
    translator: str = ""
    source_language: str = ""

    @property
    def voices(self) -> list[str]:
        """Voices as after ``--voice``."""
        chosen = [] if self.voice in ("", AUTO) else [self.voice]
        return [*chosen, *_entries(self.more_voices, "\n")]


@dataclass(frozen=True)
class Picture:
    """Who is dubbed (``people``), and what renders the mouths."""

    engine: str = "exemplar"
    people: str = "auto"
    seed: int = 0
    weights: str = ""
    engine_options: str = ""

    def options(self, language: str) -> dict[str, Any]:
        """The options of a dub, as ``DubOptions`` takes them."""
        return {
            "engine": self.engine,
            "face": _entries(self.people, ";\n") or ["auto"],
            "seed": self.seed,
            "weights": self.weights.strip() or None,
            "engine_option": _entries(self.engine_options, "\n"),
            "language": language or None,
            "consent": True,
            "overwrite": True,
        }


def make_plan(video: Any, words: Words, picture: Picture, project: str) -> str:
    """The plan as JSON. Raises ``LipdubError``."""
    with _request(video, words, picture, project) as (request, place):
        return _plan_text(place, _done({**request, "kind": "plan"})["plan"], request)


def make_film(video: Any, words: Words, picture: Picture, project: str, plan: str) -> Film:
    """The film of what ``words`` say, or of a ``plan`` that was made before. Raises ``LipdubError``."""
    if not plan.strip():
        with _request(video, words, picture, project) as (request, place):
            return _film(place, {**request, "kind": "film", "plan": None}, picture.engine)
    if words.dub is not None or words.script.strip():
        raise LipdubError("A plan has its own words. Leave the inputs dub and script empty, or disconnect the plan.")
    given, place = read_plan(plan)
    request = {
        "kind": "film",
        "project": str(place.project),
        "source": str(source_file(video)),
        "language": given["language"],
        "plan": given,
        "speech": {"voice": words.voices, "translator": words.translator.strip()},
        "options": picture.options(given["language"]),
        "made_from": "",
    }
    refuse_programs(*words.voices, words.translator)
    return _film(place, request, picture.engine)


def redo_line(video: Any, plan: str, line: int, change: Mapping[str, Any], take: int) -> Film:
    """The film after line ``line`` of the plan (counted from 1) was made again with ``change``, or after its take
    ``take`` was chosen, if that is not 0. Values of the change that are None stay as they are. Raises
    ``LipdubError``."""
    given, place = read_plan(plan)
    if not 1 <= line <= len(given["lines"]):
        raise LipdubError(f"The plan has no line {line}. It has lines 1 to {len(given['lines'])}.")
    if take and any(value is not None for value in change.values()):
        raise LipdubError("A take is chosen as it is. Leave the other inputs as they are, or set take to 0.")
    refuse_programs(str(change.get("voice") or ""))
    request = {
        "kind": "redo",
        "project": str(place.project),
        "source": str(source_file(video)),
        "language": given["language"],
        "plan": given,
        "line": str(given["lines"][line - 1]["id"]),
        "change": dict(change),
        "take": take,
        "speech": {"translator": str(given.get("translator") or "")},
        "options": {**_options_of(given), "consent": True, "overwrite": True},
    }
    refuse_programs(request["speech"]["translator"])
    return _film(place, request, request["options"].get("engine", ""))


def read_plan(text: str) -> tuple[dict[str, Any], ProjectPlace]:
    """A plan from the output of a node, perhaps edited, and its project. Raises ``LipdubError``."""
    try:
        given = json.loads(text)
        name, lines = given["project"], given["lines"]
        texts = (name, given["language"], given["made_from"])
        known = all(isinstance(text, str) for text in texts) and isinstance(lines, list)
        if (
            not known
            or not name.strip()
            or not re.fullmatch(r"[0-9a-f]{64}", given["made_from"])
            or not all(isinstance(line, dict) and "id" in line for line in lines)
        ):
            raise ValueError("it lacks project, language, made_from or lines")
    except (ValueError, KeyError, TypeError) as wrong:
        raise LipdubError(
            f"The input plan is no plan ({wrong}). Connect it to the output plan of another lipdub node."
        ) from wrong
    place = project_place(name, Path())
    refuse_programs(*(str(line.get("voice") or "") for line in lines))
    if not (place.project / "project.json").is_file():
        raise LipdubError(f"The project '{name}' is not there any more. Run the node that makes the plan again.")
    return given, place


@contextmanager
def _request(video: Any, words: Words, picture: Picture, project: str) -> Iterator[tuple[dict[str, Any], ProjectPlace]]:
    """The part of a request that planning needs. A dub track lies in a temporary file while the block runs."""
    language = language_tag(words.language)
    if words.dub is not None and words.script.strip():
        raise LipdubError("There is a dub and a script. Disconnect the dub, or empty the script.")
    if words.dub is None and not language:
        raise LipdubError("The language is unknown, which only a dub track may have. Choose the language of the dub.")
    refuse_programs(*words.voices, words.translator)
    source = source_file(video)
    place = project_place(project, source)
    array = host.temporary_folder() / f"lipdub-{uuid.uuid4().hex}.npy"
    try:
        script = None if words.dub is not None else script_file(words.script, place)
        speech: dict[str, Any] = {"voice": words.voices, "translator": words.translator.strip()}
        speech["source_language"] = words.source_language.strip()
        dub = ""
        if words.dub is not None:
            rate = write_audio(words.dub, array)
            dub = file_digest(array)
            speech["dub"] = {"array": str(array), "rate": rate, "wav": str(place.home / "inputs" / f"{dub[:16]}.wav")}
        else:
            speech |= {"to": language, "script": None if script is None else str(script)}
        said = dub or (file_digest(script) if script else "")
        made_from = [said, language, *words.voices, words.translator, words.source_language, picture.people]
        request = {
            "project": str(place.project),
            "source": str(source),
            "language": language,
            "speech": speech,
            "options": picture.options(language),
            "made_from": digest_of(json.dumps(made_from).encode()),
        }
        yield request, place
    finally:
        array.unlink(missing_ok=True)


def _film(place: ProjectPlace, request: dict[str, Any], engine: str) -> Film:
    made_from = {name: value for name, value in request.items() if name not in ("project", "source")}
    if isinstance(made_from.get("speech"), dict):
        made_from["speech"] = {k: v for k, v in made_from["speech"].items() if k != "dub"}
    if made_from.get("plan"):
        lines = [{k: v for k, v in line.items() if k not in _TOLD} for line in made_from["plan"]["lines"]]
        made_from["plan"] = {"made_from": made_from["plan"]["made_from"], "lines": lines}
    film = place.film(request["language"], made_from, Path(request["source"]))
    array = host.temporary_folder() / f"lipdub-{uuid.uuid4().hex}.npy"
    if engine and engine not in SHARES_GPU:
        host.free_gpu()
    done = _done({**request, "output": str(film), "sound": str(array)})
    audio = read_audio(array, done["rate"]) if done["rate"] else silent_audio()
    return Film(Path(done["film"]), audio, done["report"], done["page"], _plan_text(place, done["plan"], request))


def _done(request: dict[str, Any]) -> dict[str, Any]:
    """What lipdub's process answers, while the node shows how far it is."""
    progress = StageProgress(host.progress_bar(STEPS), lambda stage: host.log.info("lipdub: %s", stage))
    done = run_child(request, progress.told, host.check_interrupted)
    progress.finished()
    return done


def _plan_text(place: ProjectPlace, plan: Mapping[str, Any], request: Mapping[str, Any]) -> str:
    """The plan as nodes hand it on, with the options that a line of it is made again with."""
    options = {name: request["options"][name] for name in _HANDED_ON if name in request["options"]}
    handed_on = {"project": place.name, "options": options, "translator": request["speech"].get("translator", "")}
    return json.dumps({**handed_on, **plan}, indent=1, ensure_ascii=False)


def _options_of(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a plan hands on, as far as they have the types of options."""
    given = plan.get("options")
    known = {name: given[name] for name in _HANDED_ON if name in given} if isinstance(given, dict) else {}
    return {name: value for name, value in known.items() if _is_option(_HANDED_ON[name], value)}


def _is_option(kind: type, value: Any) -> bool:
    if kind is list:
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    return type(value) is kind or (value is None and kind is str)


def _entries(text: str, separators: str) -> list[str]:
    """The entries of a text box: one a line, or between other ``separators``."""
    for each in separators:
        text = text.replace(each, "\n")
    return [entry.strip() for entry in text.split("\n") if entry.strip()]
