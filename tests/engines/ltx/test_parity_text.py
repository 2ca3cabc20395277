"""The context of a prompt equals the recording."""

# ruff: noqa: E402

import json
import shutil
from fractions import Fraction

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from lipdub.engines.ltx import text_encoder
from lipdub.engines.ltx.prompt import language_name, prompt_for
from lipdub.errors import OptionError
from lipdub.timeline.lines import Line
from lipdub.timeline.time import Span

DS1, DS2 = "lora_ds1.safetensors", "lora_ds2.safetensors"
CASES = ["a_dubit_ds1_25fps", "b_dubit_ds2_ntsc"]


def _line(words: str, language: str = "") -> Line:
    return Line(words, Span(Fraction(3, 2), Fraction(4)), language)


@pytest.mark.parametrize("name", CASES)
def test_tokens_equal_the_recording(name, case, pipes):
    settings = case(name).settings
    ids, mask = pipes(DS1).text_encoder.tokens(settings["prompt"])
    assert ids.shape == mask.shape == (1, 1024)
    assert ids[mask == 1].tolist() == settings["derived"]["token_ids"]
    assert (mask[0].diff() >= 0).all(), "padding is on the left"
    assert (ids[mask == 0] == 0).all()


@pytest.mark.parametrize("name", CASES)
def test_the_context_equals_the_recording(name, case, pipes, far):
    recorded = case(name)
    video, audio = pipes(DS1).context(recorded.settings["prompt"])
    assert far(video, recorded["prompt.video"]) < 1e-5
    assert far(audio, recorded["prompt.audio"]) < 1e-5


def test_bos_is_added_if_the_tokenizer_adds_none(files, tmp_path, case, pipes, exact, far):
    folder = shutil.copytree(files / "gemma", tmp_path / "gemma")
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["post_processor"] = None
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    encoder = text_encoder.read_text_encoder(folder, exact)
    recorded = case(CASES[0])
    assert encoder.tokenizer("a")["input_ids"] == [7], "this tokenizer adds no BOS"
    ids, mask = encoder.tokens(recorded.settings["prompt"])
    assert ids[mask == 1].tolist() == recorded.settings["derived"]["token_ids"]
    video, _ = text_encoder.encode_prompt(encoder, pipes(DS1).modules.connectors, recorded.settings["prompt"])
    assert far(video, recorded["prompt.video"]) < 1e-5


def test_a_long_text_is_cut_at_the_end_and_keeps_bos(pipes):
    ids, mask = pipes(DS1).text_encoder.tokens("abc" * 1000)
    assert mask.all()
    assert ids[0, :4].tolist() == [2, 7, 8, 9]


def test_an_empty_text_is_bos_alone(pipes):
    ids, mask = pipes(DS1).text_encoder.tokens("  ")
    assert ids[mask == 1].tolist() == [2]
    assert all(context.isfinite().all() for context in pipes(DS1).context(""))


def test_a_prompt_has_speaker_language_and_words():
    assert prompt_for(_line("Hola,\n ¿qué tal?", "es-MX"), "A woman") == (
        'A woman is speaking in Spanish, saying: "Hola, ¿qué tal?"'
    )
    assert prompt_for(_line('he said "no"', "en")) == "A person is speaking in English, saying: \"he said 'no'\""
    assert prompt_for(_line("mi dispiace", "qqq")) == 'A person is speaking, saying: "mi dispiace"'
    assert language_name("de_AT") == "German"
    with pytest.raises(OptionError, match=r"no words .*1\.500 s"):
        prompt_for(_line("  \n"))
