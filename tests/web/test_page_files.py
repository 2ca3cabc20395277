"""What the page's files promise: sizes, words in each language, nothing from elsewhere, licences of vendored files."""

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from lipdub.web.page_files import FRAMES

PAGE = Path(str(files("lipdub.web"))) / "page"
MODULES = sorted([FRAMES, *(file for file in PAGE.rglob("*.js") if file.parent.name != "vendor")])
TONGUES = sorted(file.stem for file in (PAGE / "words").glob("*.js") if file.stem != "en")

_ENTRY = re.compile(r"^  (\w+): (.*),$", re.MULTILINE)
_HOLE = re.compile(r"\{(\w+)\}")


def words(tongue: str) -> dict[str, str]:
    return dict(_ENTRY.findall((PAGE / "words" / f"{tongue}.js").read_text("utf-8")))


def asked() -> Iterator[str]:
    """The sentences that the modules ask for by their whole name."""
    for module in MODULES:
        yield from re.findall(r'\bt\("(\w+[^_"])"', module.read_text("utf-8"))
        if module.name == "keys.js":
            yield from re.findall(r'"(keys?_\w+)"', module.read_text("utf-8"))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_modules_are_small(module: Path) -> None:
    lines = module.read_text("utf-8").splitlines()
    assert len(lines) <= 500
    start = None
    for number, line in enumerate(lines):
        if re.match(r"(export )?(async )?function ", line):
            start = number
        elif line == "}" and start is not None:
            assert number - start < 60, f"{module.name}:{start + 1}"
            start = None


def test_every_sentence_that_is_asked_for_is_there() -> None:
    known = words("en")
    assert len(known) > 200
    assert sorted(set(asked()) - set(known)) == []


def test_there_are_six_languages() -> None:
    assert TONGUES == ["de", "es", "fr", "ja", "zh"]


@pytest.mark.parametrize("tongue", TONGUES)
def test_other_languages_have_the_same_sentences_with_the_same_holes(tongue: str) -> None:
    english, other = words("en"), words(tongue)
    assert sorted(english.keys() ^ other.keys()) == []
    for name, text in english.items():
        assert set(_HOLE.findall(text)) == set(_HOLE.findall(other[name])), name


def test_nothing_comes_from_elsewhere_and_nothing_is_inline() -> None:
    page = (PAGE / "index.html").read_text("utf-8")
    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    for file in [*MODULES, *PAGE.glob("*.css"), PAGE / "index.html"]:
        text = file.read_text("utf-8")
        assert not re.search(r"https?:(?!//www\.w3\.org)", text), file.name
        assert not re.search(r"\beval\(|new Function|innerHTML|dangerouslySetInnerHTML|document\.write", text), (
            file.name
        )


def test_all_modules_are_asked_for_at_once() -> None:
    asked = set(re.findall(r'(?:modulepreload" href|src)="([\w./-]+\.js)"', (PAGE / "index.html").read_text("utf-8")))
    known = {module.name for module in MODULES if module.parent in (PAGE, FRAMES.parent)}
    assert asked == known | {"vendor/preact-htm.js", "words/en.js"}


def test_what_is_vendored_has_its_licences() -> None:
    vendor = PAGE / "vendor"
    assert "Apache License" in (vendor / "htm.LICENSE.txt").read_text("utf-8")
    assert "The MIT License" in (vendor / "preact.LICENSE.txt").read_text("utf-8")
    assert (vendor / "preact-htm.js").stat().st_size < 16_000
