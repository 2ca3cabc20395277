"""Values of the language as JSON: exact, and wrong ones are refused by the name of their field."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipdub.timeline.cue import Cue, PassthroughSpan
from lipdub.timeline.lines import Line, Word
from lipdub.timeline.packed import packed, unpacked
from lipdub.timeline.take import CuePatches, LineRecipe, LineVoice, Take
from lipdub.timeline.time import Span

text = st.text(max_size=8)
finite = st.floats(allow_nan=False, allow_infinity=False)
times = st.fractions(-100, 10**6, max_denominator=90_000)
spans = st.builds(lambda a, b: Span(min(a, b), max(a, b)), times, times)
files = st.text("abc ü/.", min_size=1, max_size=9).map(Path)
words = st.builds(Word, text, spans, finite)
lines = st.builds(Line, text, spans, text, text, st.lists(words, max_size=2).map(tuple), text)
cues = st.builds(Cue, spans, st.integers(0, 9), st.none() | lines, text, text, text)
left = st.lists(st.builds(PassthroughSpan, spans, text, st.none() | st.integers(0, 9)), max_size=2).map(tuple)
patches = st.builds(
    CuePatches,
    cue=cues,
    first=st.integers(0, 99),
    stop=st.integers(100, 200),
    reel=st.none() | files,
    frames=st.integers(0),
    passthrough=left,
    metrics=st.dictionaries(text, finite, max_size=3),
    seconds=finite,
    shapes=st.none() | files,
)
recipes = st.builds(LineRecipe, text, spans, text, text, text, times, text, st.integers(0))
voices = st.builds(LineVoice, files, spans, spans, text, finite, times, text, text)
takes = st.builds(
    Take, text, st.integers(1), recipes, st.none() | voices, st.lists(patches, max_size=2).map(tuple), text
)


@pytest.mark.filterwarnings("ignore:Do not use the `random` module")  # the type checks draw which items they look at
@settings(max_examples=40)
@given(takes)
def test_a_take_is_the_same_after_it_was_written(take: Take) -> None:
    assert unpacked(Take, json.loads(json.dumps(packed(take)))) == take


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"span": {"start": "1/0", "end": "2/1"}}, "span.start: '1/0' is not a fraction"),
        ({"span": {"start": "3/1", "end": "2/1"}}, "before it starts"),
        ({"span": {"start": 0.5, "end": "2/1"}}, "span.start: 0.5 is not a Fraction"),
        ({"face": "0"}, "face: '0' is not a int"),
        ({"surprise": 1}, "a cue has the fields"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, object], says: str) -> None:
    right = {"span": {"start": "1001/30000", "end": "2/1"}, "face": 0}
    assert unpacked(Cue, right).id == ""
    with pytest.raises(ValueError, match=says):
        unpacked(Cue, {**right, **change})
