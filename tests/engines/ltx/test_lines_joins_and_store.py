"""Lines and their windows, joins between windows, stored runs, options."""

import os
import shutil
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.engines.ltx.colour_match import add_plane, colour_planes
from lipdub.engines.ltx.join import CrossFade, FrameBlock, WindowJoiner, join_voices
from lipdub.engines.ltx.line_windows import check_duration, predict_duration, split_text, window_prompts
from lipdub.engines.ltx.options import LtxOptions, parse_options
from lipdub.engines.ltx.run_store import RunStore, run_key
from lipdub.engines.ltx.sound_window import cut_sound
from lipdub.errors import OptionError, OutputError
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.timeline.spool import Spool
from lipdub.timeline.time import Span


def line(text, seconds=2):
    return Line(text, Span(Fraction(1), Fraction(1 + seconds)), "es")


def test_the_duration_of_a_line_is_predicted_from_its_letters():
    assert predict_duration(line("a" * 26)) == pytest.approx(2)
    assert predict_duration(line("你" * 13)) == pytest.approx(3)
    assert predict_duration(line("  ")) == 0
    check_duration(line("Buenas tardes a todos."), 2.0)
    with pytest.raises(OptionError, match=r"takes about 6\.2 s to say and has 2\.0 s at 1\.000 s\. Shorten"):
        check_duration(line("x" * 80), 2.0)
    with pytest.raises(OptionError, match="no words"):
        check_duration(line(" "), 2.0)


def even(count, overlap=0.0):
    """``count`` extents of one length that reach ``overlap`` into each other."""
    return [(max(0.0, i / count - overlap), min(1.0, (i + 1) / count + overlap)) for i in range(count)]


def test_a_long_line_is_split_at_its_pauses():
    text = "We went to the market this morning, and there we bought bread. Then it rained."
    parts = split_text(text, [(0.0, 0.4), (0.4, 0.8), (0.8, 1.0)])
    assert parts == ("We went to the market this morning,", "and there we bought bread.", "Then it rained.")
    assert split_text("今天我们去市场。然后下雨了。", even(2)) == ("今天我们去市场。", "然后下雨了。")
    assert "".join(split_text("a", even(2))) == "a"


def test_windows_that_overlap_say_the_same_words_there():
    words = [f"word{i:02}" for i in range(30)]
    first, second = (part.split() for part in split_text(" ".join(words), even(2, 0.1)))
    assert first == words[:18]
    assert second == words[12:]


@given(st.lists(st.text("ab.,", min_size=1, max_size=9), max_size=30), st.integers(1, 8), st.floats(0.0, 0.1))
def test_no_word_is_lost_and_their_order_stays(words, count, overlap):
    words = [f"{i}{word}" for i, word in enumerate(words)]
    parts = split_text(" ".join(words), even(count, overlap))
    assert len(parts) == count
    said = [words.index(word) for part in parts for word in part.split()]
    assert sorted(set(said)) == list(range(len(words)))
    for part in parts:
        places = [words.index(word) for word in part.split()]
        assert places == list(range(places[0], places[0] + len(places))) if places else True
    if overlap == 0:
        assert said == sorted(set(said))


def test_prompts_say_who_what_and_in_which_language():
    options = LtxOptions(who="A woman")
    assert window_prompts(line("hola"), even(1), options) == ('A woman is speaking in Spanish, saying: "hola"',)
    assert window_prompts(None, even(2), options) == ("A woman is speaking.",) * 2
    assert window_prompts(line("hola"), [(0.0, 0.1), (0.1, 1.0)], options)[0] == "A woman is silent."
    assert window_prompts(line(" "), even(1), options) == ("A woman is speaking.",)
    own = LtxOptions(prompt="{who} sings {words} ({language})", who="He")
    assert window_prompts(line("la"), even(1), own) == ("He sings la (Spanish)",)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"sice": "5"}, "no option 'sice'.*It has device, size"),
        ({"size": "big"}, "size is a number, not 'big'"),
        ({"size": "100"}, "not a multiple of 64"),
        ({"frames": "100"}, "8 k \\+ 1 frames"),
        ({"frames": "25", "overlap": "12"}, "cannot overlap by 12. Choose 0 to 8"),
        ({"reference-strength": "1.2"}, "not between 0 and 1"),
        ({"device": "tpu"}, "no device 'tpu'"),
    ],
)
def test_wrong_options_are_refused(words, message):
    with pytest.raises(OptionError, match=message):
        parse_options(words)


def test_right_options_are_read():
    texts = {"device": "cuda:1", "size": "512", "reference-strength": "0.8", "who": "A man", "prompt": "Hi {words}"}
    assert parse_options(texts) == LtxOptions("cuda:1", 512, reference_strength=0.8, who="A man", prompt="Hi {words}")
    assert parse_options({}) == LtxOptions()


def stretch(start, values, reach=0.1):
    frames = np.broadcast_to(np.asarray(values, np.uint8)[:, None, None, None], (len(values), 4, 6, 3)).copy()
    return FrameBlock(start, frames, np.full(len(values), reach, np.float32))


@given(st.integers(-5, 40), st.integers(1, 30))
def test_weights_of_two_windows_add_up_to_one(first, length):
    fade = CrossFade(first, first + length)
    at = np.arange(-10.0, 80.0)
    share = fade.share(at)
    assert (np.diff(share) >= 0).all()
    assert share[at < first].max(initial=0) == 0
    assert share[at >= first + length].min() == 1
    assert np.allclose(share + fade.share(2 * first + length - 1 - at), 1)


def test_a_join_is_a_fade_without_a_jump_inside_the_overlap():
    joiner = WindowJoiner()
    out = [int(p[0, 0, 0]) for p, _ in joiner.add(stretch(0, [100] * 20), 12)]
    assert len(out) == 12
    settled = list(joiner.add(stretch(12, [160] * 20, 0.3), 32))
    out += [int(p[0, 0, 0]) for p, _ in settled]
    assert len(out) == 32
    assert (out[12], out[19]) == (100, 160)
    assert max(np.diff(out)) <= 60 * 0.3
    assert min(np.diff(out)) >= 0
    assert [round(r, 2) for _, r in settled[:2]] == [0.3, 0.3]


def test_windows_that_agree_join_into_themselves():
    values = np.arange(40) * 5 % 251
    joiner = WindowJoiner()
    out = [p for p, _ in joiner.add(stretch(0, values[:25]), 15)] + [
        p for p, _ in joiner.add(stretch(15, values[15:]), 40)
    ]
    assert [int(p[0, 0, 0]) for p in out] == values.tolist()


def test_the_fade_is_where_windows_differ_least():
    a, b = np.full(40, 100), np.full(40, 100)
    b[:16] = 180
    b[22:] = 180
    joiner = WindowJoiner()
    list(joiner.add(stretch(0, a), 8))
    list(joiner.add(stretch(8, b), 48))
    assert joiner.fades == [CrossFade(8 + 16, 8 + 22)]


def test_windows_without_overlap_are_joined_without_a_fade():
    joiner = WindowJoiner()
    out = list(joiner.add(stretch(0, [1] * 9), 9)) + list(joiner.add(stretch(9, [200] * 9), 18))
    assert [int(p[0, 0, 0]) for p, _ in out] == [1] * 9 + [200] * 9


def test_voices_fade_as_pictures_do_with_weights_that_add_up_to_one():
    ones = Sound(np.ones((2, 4800), np.float32), 4800)
    whole = join_voices([(0, ones), (18, ones)], [CrossFade(20, 24)], Fraction(25), 43)
    assert whole.samples.shape == (2, round(43 / 25 * 4800))
    assert np.abs(whole.samples[:, :8200] - 1).max() < 1e-5


def test_a_wrong_colour_is_corrected_and_nothing_else():
    rng = np.random.default_rng(1)
    filmed = rng.integers(60, 180, (7, 40, 50, 3)).astype(np.uint8)
    ramp = np.linspace(-6, 6, 50)[None, None, :, None]
    made = np.clip(filmed - np.array([10, -7, 3]) - ramp + 0.5, 0, 255).astype(np.uint8)
    made[:, 15:25, 20:30] = 0
    ring = np.ones((40, 50), np.float32)
    ring[10:30, 15:35] = 0
    shades = colour_planes(filmed, made, [ring] * 7)
    assert np.allclose(shades[..., 0], [10, -7, 3], atol=0.6)
    assert np.allclose(shades[..., 1], 6, atol=0.6)
    back = add_plane(made[3], shades[3])
    assert np.abs(back[:10].astype(int) - filmed[3, :10]).max() <= 2
    assert not colour_planes(filmed, made, [np.zeros_like(ring)] * 7).any()


def test_a_run_appears_under_its_name_when_it_is_complete(tmp_path):
    store, key = RunStore(tmp_path / "takes"), run_key({"a": 1})
    assert key != run_key({"a": 2})
    assert store.find(key) is None
    run = store.begin(key, (2, 3, 3))
    run.append(np.full((2, 3, 3), 7, np.uint8), 0.25)
    run.append(np.full((2, 3, 3), 9, np.uint8), 0.5)
    assert store.find(key) is None
    assert run.read(1)[0][0, 0, 0] == 9
    run.publish(store.path(key), Sound(np.ones((2, 5), np.float32), 48_000, Fraction(1, 3)))
    again = store.find(key)
    assert again is not None
    assert (len(again), len(run)) == (2, 2)
    assert again.read(0)[1] == 0.25
    voice = again.voice
    assert voice is not None
    assert (voice.rate, voice.start, voice.samples.shape) == (48_000, Fraction(1, 3), (2, 5))
    other = store.begin(key, (2, 3, 3))
    other.append(np.zeros((2, 3, 3), np.uint8), 0.0)
    other.publish(store.path(key), None)
    assert [path.name for path in (tmp_path / "takes").iterdir()] == [key]
    stale = tmp_path / "takes" / ".partial-of-a-run-that-was-killed"
    stale.mkdir()
    (stale / ".held-by-nobody").touch()
    os.utime(stale, (0, 0))
    living = store.begin("y", (2, 3, 3))
    os.utime(living.folder, (0, 0))
    third = store.begin("x", (2, 3, 3))
    third.discard()
    living.append(np.zeros((2, 3, 3), np.uint8), 0.0)
    living.publish(store.path("y"), None)
    assert sorted(path.name for path in (tmp_path / "takes").iterdir()) == sorted([key, "y"])


@pytest.mark.parametrize("file", ["take.json", "pictures.rgb", "reach.f32", "voice.npy", "manifest.json", ""])
@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_run_is_generated_again(tmp_path, caplog, file, damage):
    store = RunStore(tmp_path / "takes")

    def made():
        run = store.begin("x", (2, 3, 3))
        run.append(np.full((2, 3, 3), 7, np.uint8), 0.25)
        run.publish(store.path("x"), Sound(np.ones((2, 5), np.float32), 48_000, Fraction(1, 3)))

    made()
    place = store.path("x")
    if not file:
        shutil.rmtree(place)
        place.write_text("a file in its place")
    elif damage == "gone":
        (place / file).unlink()
    else:
        data = bytearray((place / file).read_bytes())
        data[len(data) // 2] ^= 1
        (place / file).write_bytes(data if damage == "flipped" else data[: len(data) // 2])
    assert store.find("x") is None
    assert "damaged and is made again" in caplog.text
    assert not place.exists()
    made()
    again = store.find("x")
    assert again is not None
    assert again.read(0)[1] == 0.25


def test_a_full_disk_is_reported(tmp_path, monkeypatch):
    run = RunStore(tmp_path / "takes").begin("x", (2, 3, 3))

    def full(self, row):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, "append", full)
    with pytest.raises(OutputError, match=r"cannot be kept there: the disk is full"):
        run.append(np.zeros((2, 3, 3), np.uint8), 0.0)


def test_sound_is_cut_to_the_sample_with_silence_beyond_its_ends():
    sound = Sound(np.arange(100, dtype=np.float32)[None], 100, Fraction(1))
    assert cut_sound(sound, Span(Fraction(3, 2), Fraction(16, 10))).samples.tolist() == [list(range(50, 60))]
    early = cut_sound(sound, Span(Fraction(9, 10), Fraction(11, 10)))
    assert early.samples[0].tolist() == [0] * 10 + list(range(10))
    assert early.start == Fraction(9, 10)
    late = cut_sound(sound, Span(Fraction(195, 100), Fraction(205, 100)))
    assert late.samples[0].tolist() == [95, 96, 97, 98, 99, 0, 0, 0, 0, 0]
    assert not cut_sound(sound, Span(Fraction(5), Fraction(6))).samples.any()
    assert cut_sound(None, Span(Fraction(5), Fraction(6))).samples.shape == (1, 16_000)
