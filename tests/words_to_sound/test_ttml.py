"""TTML: what XML, TTML and the text profile of IMSC 1.1 ask for, and the same captions when it is read again."""

import re
from fractions import Fraction
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ttconv.imsc import reader
from ttconv.model import Br, P, Text
from ttconv.model import Span as TextSpan

from lipdub.timeline.lines import Line
from lipdub.timeline.time import Span
from lipdub.words_to_sound.script.subtitles import captions_for, captions_text
from lipdub.words_to_sound.script.ttml import right_to_left, ttml_text

F = Fraction
TT, TTP, TTS = (f"{{http://www.w3.org/ns/ttml{part}}}" for part in ("", "#parameter", "#styling"))
XML = "{http://www.w3.org/XML/1998/namespace}"
PERCENT = re.compile(r"(\d+)% (\d+)%")
CAPTIONS = st.lists(
    st.tuples(
        st.fractions(-1, 20000),
        st.fractions(0, 9),
        st.lists(st.text(max_size=20), min_size=1, max_size=2),
    ),
    max_size=4,
)


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text.encode())


def shown(text: str) -> list[tuple[Fraction, Fraction, list[str]]]:
    """(Begin, end, rows) of every caption, as another program reads them."""
    body = reader.to_model(ElementTree.ElementTree(parsed(text))).get_body()
    out = []
    for caption in (element for element in body.dfs_iterator() if isinstance(element, P)):
        rows = [""]
        for child in caption:
            if isinstance(child, Br):
                rows.append("")
            elif isinstance(child, TextSpan):
                rows[-1] += "".join(part.get_text() for part in child if isinstance(part, Text))
        out.append((caption.get_begin() or F(0), caption.get_end(), rows))
    return out


@given(CAPTIONS, st.sampled_from(["", "es", "pt-BR", "ar"]))
def test_any_text_is_a_document_that_says_the_same(drawn, language):
    rows = [(Span(start, start + length), lines) for start, length, lines in drawn]
    text = ttml_text(rows, language)
    root = parsed(text)
    assert root.get(f"{XML}lang") == language
    read = shown(text)
    kept = [
        (span, lines)
        for span, lines in rows
        if milliseconds(span)[0] < milliseconds(span)[1] and any(map(sayable, lines))
    ]
    assert [(begin * 1000, end * 1000) for begin, end, _ in read] == [milliseconds(span) for span, _ in kept]
    for (_, _, back), (_, lines) in zip(read, kept, strict=True):
        assert back == [sayable(line) for line in lines if sayable(line)]


def milliseconds(span: Span) -> tuple[int, int]:
    return max(0, round(span.start * 1000)), max(0, round(span.end * 1000))


def sayable(text: str) -> str:
    """``text`` without what XML 1.0 forbids: control characters, halves of surrogate pairs, U+FFFE and U+FFFF."""
    kept = (
        c if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff") else " "
        for c in text
    )
    return " ".join("".join(kept).split())


def test_it_is_a_document_of_the_text_profile():
    text = ttml_text([(Span(F(1, 3), F(2)), ("Ana & <Ben>", "two")), (Span(F(3), F(3601)), ("three",))], "es")
    assert text.startswith("<?xml version='1.0' encoding='utf-8'?>")
    root = parsed(text)
    assert root.tag == f"{TT}tt"
    assert root.get(f"{TTP}contentProfiles") == "http://www.w3.org/ns/ttml/profile/imsc1.1/text"
    regions = root.findall(f"{TT}head/{TT}layout/{TT}region")
    assert len(regions) == 1
    for region in regions:
        origin, extent = (PERCENT.fullmatch(region.get(f"{TTS}{name}", "")) for name in ("origin", "extent"))
        assert origin
        assert extent
        for at, size in zip(origin.groups(), extent.groups(), strict=True):
            assert 0 <= int(at) <= int(at) + int(size) <= 100
    body = root.find(f"{TT}body")
    assert body is not None
    assert body.get(f"{TTS}fontFamily") == "proportionalSansSerif", "the generic family, not one of that name"
    captions = list(root.iter(f"{TT}p"))
    assert {caption.get("region") for caption in captions} == {regions[0].get(f"{XML}id")}
    assert [(caption.get("begin"), caption.get("end")) for caption in captions] == [
        ("00:00:00.333", "00:00:02.000"),
        ("00:00:03.000", "01:00:01.000"),
    ]
    assert "Ana &amp; &lt;Ben&gt;" in text
    assert not {f"{TTP}frameRate", f"{TTP}cellResolution"} & set(root.keys()), "clock times need no rate"
    allowed = {f"{TT}{name}" for name in ("tt", "head", "layout", "region", "body", "div", "p", "span", "br")}
    assert {element.tag for element in root.iter()} <= allowed, "no pictures: it is the text profile"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("مرحبا بكم", True), ("- שלום", True), ("12 أكتوبر", True), ("Hola", False), ("123", False), ("OK، نعم", False)],
)
def test_direction_is_that_of_the_first_letter(text, wanted):
    assert right_to_left(text) == wanted
    (caption,) = parsed(ttml_text([(Span(F(0), F(1)), (text,))], "")).iter(f"{TT}p")
    assert caption.get(f"{TTS}direction") == ("rtl" if wanted else None)


def test_lines_become_captions_of_two_rows():
    line = Line("If you had told me before, I would have brought the umbrella.", Span(F(0), F(4)), "en")
    ((begin, end, rows),) = shown(captions_text(captions_for([line]), ".ttml", "en"))
    assert rows == ["If you had told me before,", "I would have brought the umbrella."]
    assert (begin, end) == (0, 4)
