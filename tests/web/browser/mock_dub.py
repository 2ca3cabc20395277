"""A language of a project, as the API shows it, and the edits that the page may ask for."""

from copy import deepcopy
from typing import Any

TEXTS = [
    ("Good morning, everybody.", "Buenos días a todos."),
    ("Today we talk about bread.", "Hoy hablamos de pan."),
    ("You need patience, flour and a warm kitchen.", "Necesitan paciencia, harina y una cocina cálida."),
    ("And how long does it take?", "¿Y cuánto tiempo lleva?"),
    ("The dough rests for a whole night.", "La masa reposa toda la noche."),
    ("In the morning the oven is hot.", "Por la mañana el horno está caliente."),
    ("That smells wonderful!", "¡Eso huele de maravilla!"),
    ("Thank you, and goodbye.", "Gracias, y hasta la próxima."),
]
SPANS = [(0.4, 1.9), (2.2, 3.7), (4.0, 6.3), (6.6, 7.9), (8.2, 10.1), (10.4, 12.0), (12.3, 13.5), (13.8, 15.6)]


class Refused(Exception):
    """Becomes a problem document."""

    def __init__(self, status: int, title: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail, self.more = status, title, detail, more


def segment(number: int, start: float, end: float, texts: tuple[str, str], person: str | None) -> dict[str, Any]:
    """A line that was made and that nobody has looked at."""
    return {
        "id": str(number), "start": start, "end": end, "text": texts[1], "source_text": texts[0],
        "speaker": {"1": "Ana", "2": "Ben"}.get(person or "", ""), "person": person, "voice": "", "offset": 0.0,
        "engine": "", "seed": None, "leave": False, "take": 1, "takes": 1, "state": "made", "verdict": "unchecked",
        "note": "", "flags": [], "status": "fresh",
        "pace": {"rate": 1.04, "missing": 0, "said": {"start": start + 0.03, "end": end - 0.12}},
        "scores": {"sync": 7.1, "closures_found": 3, "closures_requested": 3, "word_errors": 0.0},
    }  # fmt: skip


def lines(count: int, seconds: float) -> list[dict[str, Any]]:
    """``count`` lines; the first eight are those of the clip, more are spread over ``seconds``."""
    if count <= len(SPANS):
        spans = SPANS[:count]
    else:
        step = seconds / count
        spans = [(round(n * step + 0.1, 3), round((n + 1) * step - 0.1, 3)) for n in range(count)]
    made = [
        segment(n + 1, a, b, TEXTS[n % len(TEXTS)], "2" if n % 8 in (3, 6) else "1") for n, (a, b) in enumerate(spans)
    ]
    for one in made[2::8]:
        one["flags"] = [{"kind": "closures", "text": "2 of 4 closures of the lips were found"}]
        one["scores"] |= {"closures_found": 2, "closures_requested": 4, "sync": 5.2}
    for one in made[4::8]:
        one["pace"] |= {"rate": 1.31, "missing": 0.24}
        one["flags"] = [
            {"kind": "fast", "text": "spoken 1.31 times as fast as usual"},
            {"kind": "end_cut", "text": "0.24 s of the end do not fit"},
        ]
    for one in made[5::8]:
        one |= {"state": "changed", "status": "stale"}
    for one in made[0::8]:
        one |= {"verdict": "accepted", "takes": 2, "take": 2}
    for one in made[7::8]:
        one |= {"person": "", "speaker": "Narrator"}
    return made


class Dub:
    """One language: its lines, its revision, and what undoes an edit."""

    def __init__(self, language: str, count: int = 8, seconds: float = 16) -> None:
        self.language, self.revision, self.next = language, 1, count + 1
        self.segments = lines(count, seconds)
        self.left = [
            {"start": 3.75, "end": 3.98, "why": "nobody speaks", "person": "1"},
            {"start": 0.0, "end": 6.4, "why": "this person listens", "person": "2"},
            {"start": 13.6, "end": 16.0, "why": "the face is turned away", "person": "2"},
        ]
        self.film: dict[str, Any] | None = {"name": f"talk.{language}.mp4", "made": "2026-11-29T12:00:00Z", "url": "#"}
        self.takes: dict[str, list[dict[str, Any]]] = {}

    def line(self, ident: str) -> dict[str, Any]:
        for one in self.segments:
            if one["id"] == ident:
                return one
        raise Refused(404, "There is no such line", f"line {ident} is not in the plan")

    def check(self, revision: str | None) -> None:
        if revision is not None and revision.strip('"') != str(self.revision):
            raise Refused(
                412, "Changed in another window", "the plan was changed meanwhile", revision=str(self.revision)
            )

    def apply(self, edits: list[dict[str, Any]]) -> dict[str, Any]:
        """Do all edits or none, and say what undoes them, in the order in which they are to be done."""
        before, undo, changed, removed = deepcopy(self.segments), [], [], []
        try:
            for edit in edits:
                back, touched, gone = getattr(self, "_" + edit["op"])(edit)
                undo[:0] = back
                changed += touched
                removed += gone
        except Refused:
            self.segments = before
            raise
        self.segments.sort(key=lambda one: one["start"])
        self.revision += 1
        shown = [deepcopy(one) for one in self.segments if one["id"] in changed]
        return {"revision": str(self.revision), "segments": shown, "removed": removed, "undo": undo}

    def _set(self, edit: dict[str, Any]) -> tuple[list, list, list]:
        line = self.line(edit["segment"])
        fields = edit["fields"]
        if not fields.get("text", "x").strip():
            raise Refused(422, "A line needs text", "text: a line without words cannot be spoken", field="text")
        if fields.get("end", line["end"]) <= fields.get("start", line["start"]):
            raise Refused(422, "A line ends after it starts", "end: is not after start", field="end")
        back = {name: line[name] for name in fields}
        back |= {name: line[name] for name in ("verdict", "state", "status", "leave") if name not in back}
        line |= fields
        if not set(fields) <= {"verdict", "note", "state", "status"}:
            line |= {"status": "stale", "state": "changed"}
            line["verdict"] = fields.get("verdict", "unchecked")
        if "verdict" in fields and set(fields) <= {"verdict", "note"}:
            line["leave"] = fields["verdict"] == "rejected"
            line["state"] = "left" if line["leave"] else "made"
        if {"state", "status"} <= set(fields):
            line |= {"state": fields["state"], "status": fields["status"]}
        line["pace"]["said"] = {"start": line["start"] + line["offset"], "end": line["end"] + line["offset"] - 0.1}
        return [{"op": "set", "segment": line["id"], "fields": back}], [line["id"]], []

    def _split(self, edit: dict[str, Any]) -> tuple[list, list, list]:
        line = self.line(edit["segment"])
        if not line["start"] < edit["at"] < line["end"]:
            raise Refused(422, "The playhead is not in this line", "at: lies outside the line", field="at")
        words = line["text"].split()
        half = max(1, round(len(words) * (edit["at"] - line["start"]) / (line["end"] - line["start"])))
        first, second = edit.get("text") or [" ".join(words[:half]), " ".join(words[half:]) or "…"]
        new = deepcopy(line) | {"id": str(self.next), "start": edit["at"], "text": second, "take": None, "takes": 0}
        new |= {"state": "missing", "status": "stale", "verdict": "unchecked"}
        self.next += 1
        back = [
            {"op": "remove", "segment": new["id"]},
            {"op": "set", "segment": line["id"], "fields": {k: line[k] for k in ("end", "text", "state", "status")}},
        ]
        line |= {"end": edit["at"], "text": first, "status": "stale", "state": "changed"}
        self.segments.append(new)
        return back, [line["id"], new["id"]], []

    def _merge(self, edit: dict[str, Any]) -> tuple[list, list, list]:
        line, other = self.line(edit["segment"]), self.line(edit["with"])
        back = [
            {
                "op": "set",
                "segment": line["id"],
                "fields": {k: line[k] for k in ("start", "end", "text", "source_text")},
            },
            {"op": "insert", "segment": deepcopy(other)},
        ]
        first, second = sorted((line, other), key=lambda one: one["start"])
        line |= {
            "text": first["text"] + " " + second["text"],
            "source_text": first["source_text"] + " " + second["source_text"],
            "start": first["start"], "end": max(first["end"], second["end"]), "status": "stale", "state": "changed",
        }  # fmt: skip
        self.segments.remove(other)
        return back, [line["id"]], [other["id"]]

    def _insert(self, edit: dict[str, Any]) -> tuple[list, list, list]:
        new = segment(self.next, 0, 1, ("", ""), "1") | {
            "status": "stale",
            "state": "missing",
            "take": None,
            "takes": 0,
        }
        self.next += 1
        new |= edit["segment"]
        self.segments.append(new)
        return [{"op": "remove", "segment": new["id"]}], [new["id"]], []

    def _remove(self, edit: dict[str, Any]) -> tuple[list, list, list]:
        line = self.line(edit["segment"])
        self.segments.remove(line)
        return [{"op": "insert", "segment": line}], [], [line["id"]]

    def made_again(self, idents: list[str]) -> None:
        """What a redo leaves behind: a new take that is used."""
        for ident in idents:
            line = self.line(ident)
            line["takes"] += 1
            line |= {"take": line["takes"], "state": "made", "status": "fresh"}
        self.revision += 1

    def listed_takes(self, ident: str, audio: str) -> list[dict[str, Any]]:
        line = self.line(ident)
        recipe = {k: line[k] for k in ("text", "voice", "offset", "seed", "engine", "person")}
        return [
            {
                "number": n, "made": f"2026-11-29T12:0{n}:00Z", "recipe": recipe | {"seed": n - 1}, "audio": audio,
                "scores": {"sync": 6 + n / 2, "closures_found": 2 + n, "closures_requested": 4, "word_errors": 0.0},
                "chosen": n == line["take"],
            }
            for n in range(1, line["takes"] + 1)
        ]  # fmt: skip
