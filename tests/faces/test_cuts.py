"""Cuts are found at their frame; flashes, fades, pans and noise are none."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from synthetic_faces import frame_of

from lipdub.faces.cuts import CutDetector

NOISE = np.random.default_rng(5)


def scene(seed: int, size: tuple[int, int] = (200, 120)) -> np.ndarray:
    """A picture of blurred coloured shapes (height, width, 3) float."""
    random = np.random.default_rng(seed)
    picture = random.uniform(0, 255, (size[1] // 8, size[0] // 8, 3)).astype(np.float32)
    return cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)


def cuts_in(pictures: Sequence[np.ndarray]) -> list[int]:
    finder = CutDetector()
    frames = (frame_of(np.clip(p, 0, 255).astype(np.uint8), i) for i, p in enumerate(pictures))
    return [frame.index for frame in frames if finder.starts_shot(frame)]


def grainy(picture: np.ndarray) -> np.ndarray:
    return picture + NOISE.normal(0, 3, picture.shape)


def test_every_cut_at_its_frame() -> None:
    pictures = [grainy(scene(shot)) for shot in (1, 2, 3) for _ in range(10)]
    assert cuts_in(pictures) == [10, 20]


@pytest.mark.parametrize("bars", [(0, 60), (30, 0)])
def test_black_bars_hide_no_cut(bars: tuple[int, int]) -> None:
    """Two shots of one studio: the same background, another head; the edges of the bars stay the same."""
    rows, columns = bars

    def barred(seed: int) -> np.ndarray:
        inner = 140 + 0.3 * scene(seed, (200 - 2 * columns, 120 - 2 * rows))
        return np.pad(inner, ((rows, rows), (columns, columns), (0, 0)))

    assert cuts_in([grainy(barred(shot)) for shot in (1, 2) for _ in range(8)]) == [8]


def test_a_shot_of_one_frame() -> None:
    assert cuts_in([scene(s) for s in [1] * 5 + [2] + [3] * 5]) == [5, 6]


PICTURES = {
    "1": scene(1),
    "2": scene(2),
    "3": scene(3),
    "l": np.clip(scene(1) + 70, 0, 255),
    "-": np.zeros((120, 200, 3)),
}
"""By the letters of a film: three shots, the first one in other light, and a blank frame."""


@given(
    st.lists(
        st.sampled_from(["1", "2", "11", "1" * 14, "2" * 20, "3", "l", "1l" * 7, "12" * 8, "-", "-----"]), max_size=6
    )
)
@example(["1l" * 8, "2" * 9, "l" * 9, "2"])
def test_a_settled_detector_knows_what_was_before(parts: list[str]) -> None:
    """Whatever the film, from wherever it is read: once settled, the cuts are those of a whole reading."""
    film = [frame_of(PICTURES[letter].astype(np.uint8), i) for i, letter in enumerate("".join(parts))]
    whole = CutDetector()
    expected = [whole.starts_shot(frame) for frame in film]
    for first in range(1, len(film), 9):
        later = CutDetector(at_start=False)
        for frame in film[first : first + 50]:
            sure = later.settled
            answer = later.starts_shot(frame)
            assert not sure or answer == expected[frame.index]


def test_a_detector_is_settled_soon_but_not_in_fast_motion_or_black() -> None:
    def settled(film: str) -> list[bool]:
        finder, known = CutDetector(at_start=False), []
        for i, letter in enumerate(film):
            finder.starts_shot(frame_of(PICTURES[letter].astype(np.uint8), i))
            known.append(finder.settled)
        return known

    assert settled("1" * 20).index(True) == 12
    assert not any(settled("12" * 20))
    assert not any(settled("-" * 40))
    assert settled("1" + "-" * 40 + "2")[-1]


def test_upright_pictures() -> None:
    assert cuts_in([scene(s, (120, 200)) for s in [1] * 5 + [2] * 5]) == [5]


@pytest.mark.parametrize("strength", [60, 1000])
def test_a_flash_is_no_cut(strength: float) -> None:
    pictures = [grainy(scene(1)) for _ in range(20)]
    for i in (9, 10):
        pictures[i] = pictures[i] + strength
    assert cuts_in(pictures) == []


def test_a_fade_out_and_in_again_is_no_cut() -> None:
    level = np.concatenate([np.linspace(1, 0, 12), np.zeros(5), np.linspace(0, 1, 12)])
    assert cuts_in([scene(1) * v for v in level]) == []


def test_a_fade_through_black_to_another_scene_is_one_cut() -> None:
    level = np.linspace(0, 1, 12)
    pictures = [scene(1) * v for v in level[::-1]] + [scene(2) * 0] * 5 + [scene(2) * v for v in level]
    found = cuts_in(pictures)
    assert len(found) == 1
    assert 12 <= found[0] <= 20


def test_a_pan_and_a_shaking_camera_are_no_cuts() -> None:
    wide = scene(4, (800, 120))
    assert cuts_in([wide[:, 8 * i : 8 * i + 200] for i in range(60)]) == []
    shake = np.random.default_rng(1).integers(0, 14, 60)
    assert cuts_in([wide[:, s : s + 200] for s in shake]) == []


def test_black_from_the_start_is_no_cut() -> None:
    assert cuts_in([scene(1) * 0] * 5 + [scene(1)] * 5) == []
