"""Subtitles as TTML: the text profile of IMSC 1.1 (W3C Recommendation, 8 November 2018), which broadcasters and
streaming services take."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from lipdub.timeline.time import Span

if TYPE_CHECKING:
    from ttconv.model import ContentDocument, P, Region

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped."""

_SAFE = 10
"""Percent of the picture that stay free on every side."""


def ttml_text(rows: Sequence[tuple[Span, Sequence[str]]], language: str) -> str:
    """Rows of text, each with the span in which they are shown, as an IMSC 1.1 document in ``language`` (BCP 47; "" if
    it is not known).

    Times count from the start of the film, as clock times to the millisecond. White on black, centred at the bottom of
    a region that keeps a tenth of the picture free on every side; a row that is written from right to left says so.
    """
    from ttconv.imsc.attributes import TimeExpressionSyntaxEnum
    from ttconv.imsc.config import ContentProfilesSignaling, IMSCWriterConfiguration
    from ttconv.imsc.designators import IMSC_11_TEXT_PROFILE_DESIGNATOR
    from ttconv.imsc.writer import from_model
    from ttconv.model import Body, ContentDocument, Div
    from ttconv.style_properties import GenericFontFamilyType, StyleProperties

    document = ContentDocument()
    document.set_lang(language)
    document.set_content_profiles({IMSC_11_TEXT_PROFILE_DESIGNATOR})
    body, all_captions = Body(document), Div(document)
    body.set_style(StyleProperties.FontFamily, (GenericFontFamilyType.proportionalSansSerif,))
    document.set_body(body)
    body.push_child(all_captions)
    region = _bottom_region(document)
    for span, shown in rows:
        caption = _caption(document, span, shown)
        if caption is not None:
            caption.set_region(region)
            all_captions.push_child(caption)
    how = IMSCWriterConfiguration(
        time_format=TimeExpressionSyntaxEnum.clock_time, profile_signaling=ContentProfilesSignaling.CONTENT_PROFILES
    )
    text = io.BytesIO()
    from_model(document, how).write(text, encoding="utf-8", xml_declaration=True)
    return f"{text.getvalue().decode()}\n"


def _bottom_region(document: ContentDocument) -> Region:
    """The region in which captions are shown, at its bottom and only while there are some."""
    from ttconv import style_properties as styles
    from ttconv.model import Region

    region, names = Region("bottom", document), styles.StyleProperties
    inside, size = (styles.LengthType(value, styles.LengthType.Units.pct) for value in (_SAFE, 100 - 2 * _SAFE))
    region.set_style(names.Origin, styles.CoordinateType(x=inside, y=inside))
    region.set_style(names.Extent, styles.ExtentType(height=size, width=size))
    region.set_style(names.DisplayAlign, styles.DisplayAlignType.after)
    region.set_style(names.TextAlign, styles.TextAlignType.center)
    region.set_style(names.ShowBackground, styles.ShowBackgroundType.whenActive)
    document.put_region(region)
    return region


def _caption(document: ContentDocument, span: Span, rows: Sequence[str]) -> P | None:
    """One caption as a paragraph; None if nothing of it is left to the millisecond."""
    from ttconv.model import Br, P, Text
    from ttconv.model import Span as TextSpan
    from ttconv.style_properties import DirectionType, NamedColors, StyleProperties

    begin, end = (Fraction(max(round(instant * 1000), 0), 1000) for instant in (span.start, span.end))
    shown = [text for row in rows if (text := _plain(row))]
    if begin >= end or not shown:
        return None
    caption = P(document)
    caption.set_begin(begin)
    caption.set_end(end)
    if right_to_left(" ".join(shown)):
        caption.set_style(StyleProperties.Direction, DirectionType.rtl)
    for number, text in enumerate(shown):
        if number:
            caption.push_child(Br(document))
        row = TextSpan(document)
        row.set_style(StyleProperties.BackgroundColor, NamedColors.black.value)
        row.push_child(Text(document, text))
        caption.push_child(row)
    return caption


def _plain(row: str) -> str:
    """``row`` without line ends, and without what XML cannot hold."""
    return " ".join(_NO_XML.sub(" ", row).split())


def right_to_left(text: str) -> bool:
    """Whether the first letter of ``text`` with a direction is written from right to left (Unicode Standard Annex 9,
    rules P2 and P3)."""
    strong = (kind for kind in map(unicodedata.bidirectional, text) if kind in ("L", "R", "AL"))
    return next(strong, "L") != "L"
