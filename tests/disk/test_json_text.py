"""JSON in rows is what the standard library writes."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lipdub.disk.json_text import json_rows

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)


@given(VALUES)
def test_rows_are_those_of_the_standard_library(value: Any) -> None:
    assert json_rows(value) == json.dumps(value, indent=1, ensure_ascii=False)
