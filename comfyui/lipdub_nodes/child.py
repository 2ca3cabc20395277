"""The process that does the work: it runs in the environment that has lipdub, and knows nothing of ComfyUI.

Standard input: one line, the request as JSON; then nothing, until it closes, which cancels the work. Standard output:
one JSON object a line: ``{"stage", "done", "total"}`` as the work goes on, and last ``{"result": {...}}`` or
``{"error": {"kind", "message"}}``, where kind is "lipdub" (the message is for the user), "missing" or "bug".

A request has ``kind`` and

    plan   project, source, speech, options, made_from            -> plan
    film   the same, and plan (None or an edited one), output, sound     -> plan, film, report, page, rate
    redo   project, source, plan, line, change, take, output, sound, options -> the same

``project`` is the folder, ``source`` the video; ``speech`` has script, dub (an array in a file, and its rate, or None)
and what else ``SpeechOptions`` takes; ``options`` is what ``DubOptions`` takes. ``made_from`` tells whether the plan
that is there was made from the same things. ``sound`` is where the sound of the film is written as an array.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

_LINE = ("id", "start", "end", "text", "speaker", "person", "voice", "offset", "engine", "seed", "leave", "take")
"""What is known of a line in a plan; a plan that nodes hand on has more, for people to read."""

_BLOCK = 1 << 20
"""Samples that are held in memory at once."""

_PATHS = ("script", "weights")

Tell = Callable[[dict[str, Any]], None]


class _Lifeline:
    """Cancels the work when standard input closes."""

    def __init__(self) -> None:
        self.closed = False
        threading.Thread(target=self._watch, name="lifeline", daemon=True).start()

    def _watch(self) -> None:
        while os.read(0, 4096):  # not through sys.stdin, whose lock would be held when the process ends
            pass
        self.closed = True
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        else:
            signal.raise_signal(signal.SIGINT)


def main() -> int:
    """Do one request. Returns the exit code."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is not an answer
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def tell(line: dict[str, Any]) -> None:
        answers.write(json.dumps(line) + "\n")
        answers.flush()

    request = json.loads(sys.stdin.buffer.readline())
    lifeline = _Lifeline()
    try:
        tell(_answer(request, tell))
    except (KeyboardInterrupt, BrokenPipeError):
        if not lifeline.closed:
            raise
        return 130
    return 0


def _answer(request: dict[str, Any], tell: Tell) -> dict[str, Any]:
    try:
        import lipdub
    except ImportError as missing:
        return {"error": {"kind": "missing", "message": str(missing)}}
    try:
        return {"result": _Work(request, tell).done()}
    except lipdub.LipdubError as error:
        return {"error": {"kind": "lipdub", "message": str(error)}}
    except Exception as bug:
        traceback.print_exc()
        where = traceback.extract_tb(bug.__traceback__)[-1]
        message = f"{type(bug).__name__}: {bug} ({Path(where.filename).name}, line {where.lineno})."
        return {"error": {"kind": "bug", "message": message}}


class _Work:
    """One request on one project."""

    def __init__(self, request: dict[str, Any], tell: Tell) -> None:
        import lipdub

        def listener(stage: str, done: int, total: int) -> None:
            tell({"stage": stage, "done": done, "total": total})

        self.request = request
        self.folder = Path(request["project"])
        self.source = Path(request["source"])
        caller = lipdub.Caller(listener=listener, why="stated in a ComfyUI workflow")
        self.project = lipdub.open_project(self.folder, source=self.source, caller=caller)

    def done(self) -> dict[str, Any]:
        """The result."""
        kind = self.request["kind"]
        if kind == "plan":
            return {"plan": self._told_plan(self._planned())}
        if kind == "film":
            return self._film(self._with_given_plan() if self.request["plan"] else self._planned())
        return self._redone()

    def _given(self, *, planning: bool) -> Any:
        """The options of the request. The words and the language belong to planning: later the plan has them."""
        import lipdub

        speech = {**self.request.get("speech", {})}
        speech.pop("dub", None)
        if not planning:
            speech.pop("script", None)
            speech.pop("to", None)
        options = self.request["options"]
        return lipdub.ProjectOptions(
            lipdub.DubOptions(**_typed(options)),
            lipdub.SpeechOptions(**_typed(speech)),
            named=frozenset({*options, *speech}),  # what a node says holds, even if it is the default
        )

    def _planned(self) -> str:
        """The language, of which the plan is there: it is made where it is missing, or was made from other things.

        A plan that was made from the same things stays as it is, with what somebody edited in it.
        """
        language, made_from = self.request["language"], self.request["made_from"]
        if self._current().get(language) == made_from and language in self._languages():
            if not self._as_made(made_from).exists():
                self._keep_as_made(language, made_from)
            return language
        if self._as_made(made_from).exists():
            return self._restored(_read_json(self._as_made(made_from)), made_from)
        audio = self._dub_track()
        plan = self.project.plan(audio, self._given(planning=True), overwrite=True)
        self._keep_as_made(plan.language, made_from)
        self._is_current(plan.language, made_from)
        return plan.language

    def _languages(self) -> tuple[str, ...]:
        return self.project.project.languages if self.project.folder.exists else ()

    def _as_made(self, made_from: str) -> Path:
        """The plan that was made from these things, as it was before anybody edited it."""
        return self.folder.parent / "plans" / f"{made_from}.json"

    def _keep_as_made(self, language: str, made_from: str) -> None:
        self._as_made(made_from).parent.mkdir(exist_ok=True)
        _write_json(self._as_made(made_from), _read_json(self.project.folder.plan(language)))

    def _current(self) -> dict[str, str]:
        """From what the plan of each language in the project was made."""
        try:
            return dict(_read_json(self.folder.parent / "made_from.json"))
        except (OSError, ValueError, TypeError):
            return {}

    def _is_current(self, language: str, made_from: str) -> None:
        _write_json(self.folder.parent / "made_from.json", {**self._current(), language: made_from})

    def _with_given_plan(self) -> str:
        """The language, after the given plan became that of the project: its lines, as they may have been edited, and
        everything else as it was made. The project may have got another plan since; takes are found by their recipes.
        """
        import lipdub

        given = self.request["plan"]
        try:
            told = _read_json(self._as_made(given["made_from"]))
        except (OSError, ValueError) as gone:
            raise lipdub.LipdubError(
                "this plan is not in the project any more",
                file=self.folder,
                remedy="Run the node that makes the plan again",
            ) from gone
        told["lines"] = [{name: line[name] for name in _LINE if name in line} for line in given["lines"]]
        return self._restored(told, given["made_from"])

    def _restored(self, told: dict[str, Any], made_from: str) -> str:
        """The language of the plan ``told``, after it was written into the project."""
        import lipdub
        from lipdub.errors import InputError
        from lipdub.media.probe import container_start
        from lipdub.studio.project.plan_file import read_plan

        zero, folder = container_start(self.project.source), self.project.folder
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "plan.json"
            _write_json(file, told)
            try:
                plan = read_plan(file, zero)
            except InputError as wrong:
                raise lipdub.LipdubError(f"the plan: {wrong.what}", remedy="Mend it in the plan") from wrong
        with folder.locked():
            if not folder.plan(plan.language).exists() or folder.load_plan(plan.language, zero) != plan:
                folder.save_plan(plan, zero)
            self._is_current(plan.language, made_from)
        return plan.language

    def _dub_track(self) -> Path | None:
        """The finished dub track as a file, which stays beside the project."""
        dub = self.request["speech"].get("dub")
        if not dub:
            return None
        import numpy as np

        from lipdub.media.sound_blocks import SoundFormat
        from lipdub.media.sound_write import write_sound

        samples = np.load(dub["array"], mmap_mode="r")
        blocks = (np.array(samples[:, at : at + _BLOCK]) for at in range(0, samples.shape[1], _BLOCK))
        wav = Path(dub["wav"])
        wav.parent.mkdir(parents=True, exist_ok=True)
        write_sound(wav, blocks, SoundFormat(dub["rate"], ("FC",) if len(samples) == 1 else ("FL", "FR")))
        return wav

    def _film(self, language: str) -> dict[str, Any]:
        film = Path(self.request["output"])
        self.project.render(language, film, self._given(planning=False))
        return self._told_film(language, film)

    def _redone(self) -> dict[str, Any]:
        import lipdub
        from lipdub.studio.project.status import fits_plan

        language, line = self._with_given_plan(), self.request["line"]
        film, take = Path(self.request["output"]), self.request["take"]
        if take:
            self.project.choose(language, line, take)
            return self._film(language)
        change = {name: value for name, value in self.request["change"].items() if value is not None}
        if "offset" in change:
            change["offset"] = Fraction(change["offset"])
        asked = lipdub.LineChange(**change)
        planned = self.project.language_plan(language).planned(line)
        wanted = None if planned is None else asked.applied(planned)
        made = [] if wanted is None else [t for t in self.project.takes(language, line) if fits_plan(wanted, t)]
        if made and wanted is not None:
            # made before, perhaps before ComfyUI was started: it is chosen, not made again
            self.project.choose(language, line, made[-1].number)
            return self._film(language)
        self.project.redo(language, line, asked, self._given(planning=False), film)
        return self._told_film(language, film)

    def _told_film(self, language: str, film: Path) -> dict[str, Any]:
        """What is told of a finished film, and its sound as an array."""
        report = film.with_suffix(".report.json")
        page = film.with_suffix(".review.html")
        return {
            "plan": self._told_plan(language),
            "film": str(film),
            "report": report.read_text("utf-8") if report.exists() else "{}",
            "page": str(page) if page.exists() else "",
            "rate": self._sound_of(film),
        }

    def _sound_of(self, film: Path) -> int:
        """Write the sound of the film as an array; its rate, or 0 if there is none."""
        from lipdub.errors import NoSound
        from lipdub.media.sound_read import read_sound_chunks

        try:
            return _write_array(Path(self.request["sound"]), read_sound_chunks(film))
        except NoSound:
            return 0

    def _told_plan(self, language: str) -> dict[str, Any]:
        """The plan as people and the next node read it."""
        told = _read_json(self.project.folder.plan(language))
        states = {
            line.planned.line.id: line
            for each in self.project.status().languages
            if each.language == language
            for line in each.lines
        }
        for line in told["lines"]:
            line["state"] = states[line["id"]].state
            line["takes"] = states[line["id"]].takes
            line["source_text"] = told["originals"].get(line["id"], "")
        return {
            "language": language,
            "made_from": self._current()[language],
            "lines": [{"number": number, **line} for number, line in enumerate(told["lines"], 1)],
            "left_as_filmed": told["left_as_filmed"],
            "notes": told["notes"],
        }


def _write_array(file: Path, chunks: Iterator[Any]) -> int:
    """Write sound that comes in chunks as one array (channels, samples) of floats; returns its rate. A long sound is
    never whole in memory: each channel goes to a file of its own first."""
    import numpy as np

    rate = count = 0
    with ExitStack() as opened:
        channels: list[Any] = []
        for chunk in chunks:
            rate, count = chunk.rate, count + chunk.samples.shape[1]
            if not channels:
                channels = [opened.enter_context(tempfile.TemporaryFile(dir=file.parent)) for _ in chunk.samples]
            for channel, samples in zip(channels, chunk.samples, strict=True):
                channel.write(np.ascontiguousarray(samples, "<f4").tobytes())
        with file.open("wb") as out:
            shape = {"descr": "<f4", "fortran_order": False, "shape": (len(channels), count)}
            np.lib.format.write_array_header_1_0(out, shape)
            for channel in channels:
                channel.seek(0)
                shutil.copyfileobj(channel, out)
    return rate


def _typed(given: dict[str, Any]) -> dict[str, Any]:
    """Options from JSON: lists become tuples, and names of files become paths."""
    out: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, list):
            value = tuple(value)
        elif name in _PATHS and value:
            value = Path(value)
        out[name] = value
    return out


def _read_json(file: Path) -> Any:
    return json.loads(file.read_text("utf-8"))


def _write_json(file: Path, content: Any) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}")
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False), "utf-8")
    os.replace(part, file)


if __name__ == "__main__":
    sys.exit(main())
