import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lipdub.acoustics.chunks import HOP, overlapping_chunks, padded, rows_of


@given(st.integers(0, 400_000), st.integers(20, 600), st.integers(0, 9))
def test_kept_rows_put_end_to_end_are_all_rows(samples, longest, trim):
    row = 0
    for piece in overlapping_chunks(samples, longest, trim):
        assert piece.first % HOP == 0
        assert piece.first // HOP + piece.keep == row
        assert 0 < rows_of(piece.stop - piece.first) <= longest
        row += piece.until - piece.keep
        inner = piece.stop < samples
        assert rows_of(piece.stop - piece.first) - piece.until == (trim if inner else 0)
    assert row == rows_of(samples)


@given(st.integers(-40, 60), st.integers(0, 40))
def test_padding_is_zeros_where_there_is_no_sound(first, length):
    sound = np.arange(1, 21, dtype=np.float32)
    cut = padded(sound, first, first + length)
    expected = [sound[i] if 0 <= i < 20 else 0 for i in range(first, first + length)]
    assert cut.tolist() == expected
