"""Finds the shell commands and Python snippets in the documents: blocks that are fenced or indented by four."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_SHELL = frozenset({"sh", "bash", "shell", "console", "zsh"})
_FENCED = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:\A|(?<=\n\n))(?:(?: {4}|\t)[^\n]*\n|\n(?= {4}\S))+")


@dataclass(frozen=True)
class Example:
    """The ``text`` of one shell command (several, if joined by &&) or of one Python snippet, in ``document``."""

    document: str
    text: str
    python: bool = False

    def __str__(self) -> str:
        return f"{self.document}: {self.text.splitlines()[0]}"

    @property
    def parts(self) -> list[str]:
        """The commands that are joined by &&."""
        return [part.strip() for part in self.text.split("&&")]


def examples(path: Path) -> list[Example]:
    """All examples of the document ``path``, in order."""
    text, blocks = path.read_text(encoding="utf-8"), []
    for found in _FENCED.finditer(text):
        language = found[1].lower()
        if language in _SHELL or language == "python":
            blocks.append((found.start(), found[2], language == "python"))
    unfenced = _FENCED.sub(lambda found: re.sub(r"[^\n]", "x", found[0]), text)
    for found in _INDENTED.finditer(unfenced):
        body = re.sub(r"(?m)^(?: {4}|\t)", "", found[0]).strip("\n")
        blocks.append((found.start(), body, body.startswith(("import ", "from "))))
    return [example for _, body, python in sorted(blocks) for example in _split(path.name, body, python)]


def _split(document: str, body: str, python: bool) -> Iterator[Example]:
    if python:
        yield Example(document, body, python=True)
        return
    for line in body.replace("\\\n", " ").splitlines():
        command = re.sub(r"(^|\s)#\s.*$", "", line).strip().removeprefix("$ ")
        if command:
            yield Example(document, " ".join(command.split()))
