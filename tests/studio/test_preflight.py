"""Whatever is wrong with an order of speech is told before any work is done."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipdub.demo.media_files import write_synthetic_clip
from lipdub.demo.speech_assets import load_speech
from lipdub.errors import InputError, LipdubError, NoSound, OptionError
from lipdub.media.probe import open_clip
from lipdub.studio import tools
from lipdub.studio.job import DubRequest
from lipdub.studio.language_names import check_language, language_in_name
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.studio.preflight import request_checks
from lipdub.studio.preflight.dry_run import planned_speech
from lipdub.studio.preflight.preflight import check_request
from lipdub.studio.tools import Tools
from lipdub.timeline.clip import Clip
from lipdub.words_to_sound.script.read import ReadOptions, read_script
from lipdub.words_to_sound.seam import ModelCard


def making(engine_speaks: bool = False) -> Tools:
    """Tools with an engine that speaks, or one that does not."""
    made = Tools(DubOptions())
    vars(made)["engine_speaks"] = engine_speaks
    return made


def check_speech(clip: Clip, audio: Path | None, speech: SpeechOptions, engine_speaks: bool = False):
    return request_checks.check_speech(clip, audio, speech, making(engine_speaks))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    path = tmp_path_factory.mktemp("clip") / "talk.mp4"
    write_synthetic_clip(path, [np.full((48, 64, 3), 90, np.uint8)] * 25, Fraction(25), load_speech("en").sound)
    return open_clip(path)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "talk.es.srt"
    path.write_text("1\n00:00:00,100 --> 00:00:00,500\nANNA: Hola.\n\n2\n00:00:00,500 --> 00:00:00,900\nBEN: Sí.\n")
    return path


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"loudness": "deafening"}, "not a loudness"),
        ({"loudness": "nan"}, "not a loudness"),
        ({"duck": 3.0}, "louder"),
        ({"duck": float("nan")}, "no number of dB"),
        ({"duck": -float("inf")}, "no number of dB"),
        ({"translator": "argos"}, "Name the language of the dub with --to"),
        ({"to": "es", "translator": "argos"}, "in 'es' already, so --translator does nothing"),
        ({"to": "es-MX", "translator": "argos"}, "in 'es-MX' already, so --translator does nothing"),
        ({"to": "es", "translator": "argos", "source_language": "en"}, "in 'es' already"),
        ({"music_effects": Path("nowhere.wav")}, "no such file"),
        ({"voice": ("nobody",)}, "no voice called"),
        ({"voice": ("EVA=nanotts",)}, "ANNA, BEN"),
        ({"voice": ("nanotts", "nanotts:es-ES")}, "both for all speakers"),
        ({"voice": ("ANNA=nanotts", "anna=nanotts:es-ES")}, "two voices"),
        ({"voice": ("ANNA=nanotts:de-DE",)}, "not 'es'"),
        ({"voice": ("command:no-such-program-here {out}",)}, "not installed"),
        ({"to": "ja"}, "no translator is named"),
        ({"to": "fr", "translator": "babel"}, "no translator called"),
        ({"to": "fr", "translator": "openai:nowhere"}, "no address"),
        ({"to": "fr", "translator": "openai:http://localhost:1", "glossary": Path("no.csv")}, "cannot be read"),
        ({"to": "Spanish"}, "no language tag"),
        ({"to": "spa"}, "Write --to es"),
        ({"to": "jp"}, "Write --to ja"),
    ],
)
def test_a_wrong_option_is_told_at_once(clip: Clip, script: Path, wrong: dict, told: str) -> None:
    with pytest.raises(InputError, match=told):
        check_speech(clip, None, SpeechOptions(script=script, **wrong))


def test_what_is_right_passes(clip: Clip, script: Path) -> None:
    check_speech(clip, None, SpeechOptions(script=script, to="es-MX", loudness="-18.5", duck=-18.0))
    check_speech(clip, None, SpeechOptions(script=script, voice=("anna=nanotts:es-ES", "nanotts")))
    check_speech(clip, None, SpeechOptions(line="Guten Tag", to="de"))
    check_speech(clip, Path("dub.wav"), SpeechOptions())


def test_a_language_that_no_voice_speaks_names_the_way_out(clip: Clip) -> None:
    with pytest.raises(OptionError, match=r"nanotts speaks .* not 'ja'.*--voice server:URL"):
        check_speech(clip, None, SpeechOptions(line="こんにちは", to="ja"))
    check_speech(clip, None, SpeechOptions(line="こんにちは", to="ja"), engine_speaks=True)


def test_letters_that_the_voice_cannot_read_are_told(clip: Clip) -> None:
    with pytest.raises(OptionError, match="cannot read any of the lines"):
        check_speech(clip, None, SpeechOptions(line="привет", to="es"))
    with pytest.raises(OptionError, match="nothing to say"):
        check_speech(clip, None, SpeechOptions(line=" !!! ", to="es"))


def test_what_has_no_effect_beside_a_dub_track_is_refused(clip: Clip, tmp_path: Path) -> None:
    for idle in ({"voice": ("nanotts",)}, {"translator": "argos"}, {"embed_subtitles": True}):
        with pytest.raises(OptionError, match="does nothing with --audio"):
            check_speech(clip, Path("dub.wav"), SpeechOptions(**idle))
    with pytest.raises(OptionError, match="--mix"):
        check_speech(clip, Path("dub.wav"), SpeechOptions(music_effects=tmp_path / "me.wav"))
    with pytest.raises(OptionError, match=r"--stems does nothing with --audio, which stays untouched\. Add --mix"):
        check_speech(clip, Path("dub.wav"), SpeechOptions(stems=tmp_path / "stems"))


def test_a_mute_clip_cannot_be_heard(tmp_path: Path) -> None:
    write_synthetic_clip(tmp_path / "mute.mp4", [np.full((48, 64, 3), 90, np.uint8)] * 5, Fraction(25))
    with pytest.raises(NoSound, match="no sound"):
        check_speech(open_clip(tmp_path / "mute.mp4"), None, SpeechOptions(to="es", translator="argos"))
    like = SpeechOptions(line="Hola", to="es", voice=("command:cp {reference} {out}",))
    with pytest.raises(OptionError, match="no clip with sound"):
        check_speech(open_clip(tmp_path / "mute.mp4"), None, like)


def test_a_plan_tells_who_says_what(clip: Clip, script: Path) -> None:
    speech = SpeechOptions(script=script)
    (told,) = planned_speech(clip, speech, check_speech(clip, None, speech), making())
    assert told.endswith("2 lines in 'es', said in 'es' by nanotts")
    speech = SpeechOptions(script=script, to="ja", translator="argos")
    (told,) = planned_speech(clip, speech, read_script(script, ReadOptions("es")), making(engine_speaks=True))
    assert "translated by argos, said in 'ja' by the engine" in told


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        *(("talk.es.srt", "es"), ("talk.pt-BR.vtt", "pt-BR"), ("talk.zh_Hant.srt", "zh-Hant"), ("a.spa.srt", "es")),
        *(("talk.srt", ""), ("a.b.c.json", ""), ("talk.raw.srt", ""), ("talk.es-final.srt", ""), ("es.srt", "")),
    ],
)
def test_a_scripts_name_may_tell_its_language(name: str, tag: str) -> None:
    assert language_in_name(Path(name)) == tag


def test_language_tags_are_what_bcp_47_says() -> None:
    for tag in ("", "es", "pt-BR", "zh-Hans-CN", "fil", "yue", "es-419"):
        check_language(tag, "--to")
    for wrong in ("e", "spanish", "es_", "xx", "es/mx", "12"):
        with pytest.raises(OptionError, match="no language tag"):
            check_language(wrong, "--to")


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("words.srt", {"to": "es", "translator": "argos"}, "nothing tells that the script is not in 'es'"),
        ("words.srt", {"to": "es", "translator": "argos"}, r"--source-language en, or words\.en\.srt"),
        ("words.srt", {"to": "es", "source_language": "es", "translator": "argos"}, "--translator does nothing"),
        ("words.srt", {"to": "es", "source_language": "en"}, "no translator is named"),
        ("words.srt", {"source_language": "es", "translator": "argos"}, "Name the language of the dub with --to"),
        ("words.en.srt", {"to": "es"}, "no translator is named"),
        ("words.json", {"to": "es", "translator": "argos"}, "--translator does nothing"),
    ],
)
def test_a_translator_beside_a_script_is_used_or_refused(clip, tmp_path, name, options, told):
    path = tmp_path / name
    if name.endswith("json"):
        path.write_text('{"lines": [{"start": "0", "end": "1/2", "text": "Hola.", "language": "es-AR"}]}')
    else:
        path.write_text("1\n00:00:00,100 --> 00:00:00,500\nHello there.\n")
    with pytest.raises(OptionError, match=told):
        check_speech(clip, None, SpeechOptions(script=path, **options))


def test_a_translator_is_used_where_the_option_tells_the_scripts_language(clip, tmp_path, monkeypatch):
    (tmp_path / "words.srt").write_text("1\n00:00:00,100 --> 00:00:00,500\nHello there.\n")
    ready = []

    class Pair:
        card = ModelCard("pair", "MIT")

        def translate(self, requests, language):
            return ["Hola." for _ in requests]

        def check_pair(self, source, target):
            ready.append((source, target))

    monkeypatch.setattr(tools, "translator_named", lambda text, source, target: Pair())
    options = SpeechOptions(script=tmp_path / "words.srt", to="es", source_language="en", translator="pair")
    check_speech(clip, None, options)
    assert ready == [("en", "es")]


def test_a_line_is_not_translated_and_says_so(clip):
    with pytest.raises(OptionError, match="said as it is"):
        check_speech(clip, None, SpeechOptions(line="Hola", to="es", translator="argos"))
    path = clip.path.with_name("terms.csv")
    path.write_text("a,b\n")
    with pytest.raises(OptionError, match="--glossary does nothing"):
        check_speech(clip, None, SpeechOptions(line="Hola", to="es", glossary=path))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"language": "Spanish"}, "--language: 'Spanish' is no language tag"),
        ({"language": "es\n"}, "no language tag"),
        ({"seed": -1}, "below 0"),
        ({"crf": -1}, "no quality"),
        ({"crf": 64}, "no quality"),
        ({"prior": Path("nowhere.npz")}, "nowhere.npz: the mouth shape prior cannot be read"),
    ],
)
def test_a_wrong_option_of_the_dub_is_told_before_the_clip_is_opened(wrong, told):
    asked = DubOptions(**wrong)
    request = DubRequest(Path("no clip.mp4"), Path("out.mp4"), Path("no.wav"), SpeechOptions(), asked)
    with pytest.raises(LipdubError, match=told):
        check_request(request, Tools(asked))
