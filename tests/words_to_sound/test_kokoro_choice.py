"""Which of Kokoro's voices a person gets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub import weights
from lipdub.errors import WeightsError
from lipdub.words_to_sound.voices.assign import VoiceTraits
from lipdub.words_to_sound.voices.kokoro_choice import (
    BLEND_GAIN,
    known_voices,
    most_alike,
    moved_towards,
    nearest,
    sound_of,
    womanly,
)
from lipdub.words_to_sound.voices.kokoro_voices import MIXED, PITCHES, VOICES
from lipdub.words_to_sound.voices.pitch_and_formants import MOST_FORMANTS, MOST_SEMITONES

EVERY = {tag: (*names, *MIXED.get(tag, ())) for tag, names in VOICES.items()}


def embedding_of(*names: str) -> tuple[float, ...]:
    mean = np.mean([known_voices()[name].embedding for name in names], axis=0)
    return tuple(float(x) for x in mean / np.linalg.norm(mean))


def test_the_table_knows_every_voice() -> None:
    known = known_voices()
    for tag, names in EVERY.items():
        for name in names:
            assert known[name].traits.hertz == pytest.approx(PITCHES[name], rel=0.4), (tag, name)
            assert 850 < known[name].traits.spacing < 1400
    for one in known.values():
        assert float(one.embedding @ one.embedding) == pytest.approx(1, abs=1e-3)
    assert all(len(name.split("+")) <= 2 for name in known)


def test_the_table_was_made_with_the_network_that_is_fetched() -> None:
    from importlib.resources import files

    with (files("lipdub.words_to_sound.voices") / "kokoro_sounds.npz").open("rb") as file, np.load(file) as data:
        assert tuple(data["model"].tolist()) == weights.identity("speaker")


def test_the_sex_is_heard_by_pitch_and_formants() -> None:
    known = known_voices()
    right = [
        (womanly(known[name].traits) >= 0) == (name[1] == "f")
        for names in VOICES.values()
        for name in names
        if not name.endswith("_santa")
    ]
    by_pitch = [
        (known[name].traits.hertz >= 165) == (name[1] == "f")
        for names in VOICES.values()
        for name in names
        if not name.endswith("_santa")
    ]
    assert np.mean(right) > np.mean(by_pitch)
    assert np.mean(right) > 0.9
    assert womanly(VoiceTraits(180.0, 980.0)) < 0, "a young man"
    assert womanly(VoiceTraits(180.0)) > 0, "the formants are not known"
    assert most_alike(VoiceTraits(180.0, 980.0), EVERY["en-US"]).name[1] == "m"


def test_without_an_embedding_the_nearest_pitch_decides() -> None:
    for hertz in (95.0, 130.0, 210.0):
        for names in EVERY.values():
            assert most_alike(VoiceTraits(hertz), names).name == nearest(names, hertz)


@given(st.floats(70, 380), st.one_of(st.just(0.0), st.floats(700, 1500)), st.sampled_from(sorted(EVERY)))
def test_moves_are_limited_and_bring_the_voice_nearer(hertz: float, spacing: float, tag: str) -> None:
    made = most_alike(VoiceTraits(hertz, spacing), EVERY[tag])
    voice = known_voices()[made.name].traits
    assert abs(made.semitones) <= MOST_SEMITONES
    assert abs(made.formants - 1) <= MOST_FORMANTS + 1e-9
    before, after = (abs(np.log2(hertz / (voice.hertz * 2**s))) for s in (0.0, made.semitones / 12))
    assert after <= before + 0.005
    if spacing:
        assert abs(np.log(spacing / (voice.spacing * made.formants))) <= abs(np.log(spacing / voice.spacing)) + 0.006
    else:
        assert made.formants == 1


@given(
    st.lists(st.tuples(st.floats(80, 280), st.floats(900, 1250)), min_size=2, max_size=5),
    st.sampled_from(["es-ES", "fr-FR", "en-US"]),
)
def test_no_two_people_get_the_same(people: list[tuple[float, float]], tag: str) -> None:
    taken: list[str] = []
    for hertz, spacing in people:
        taken.append(most_alike(VoiceTraits(hertz, spacing), EVERY[tag], taken).key)
    if tag == "en-US":
        assert len({key.rpartition(" ")[0] for key in taken}) == len(people)
    assert len(set(taken[:4])) == len(taken[:4])


def test_people_who_share_a_voice_are_two_semitones_apart() -> None:
    men = [most_alike(VoiceTraits(150.0), EVERY["fr-FR"])]
    for _ in range(2):
        men.append(most_alike(VoiceTraits(150.0), EVERY["fr-FR"], [one.key for one in men]))
    assert {one.name for one in men} == {"im_nicola+ff_siwis"}
    moves = sorted(one.semitones for one in men)
    assert np.diff(moves).min() >= 2


@pytest.mark.parametrize("name", ["am_michael", "af_sky", "am_puck", "af_bella"])
def test_an_embedding_finds_its_voice(name: str) -> None:
    traits = known_voices()[name].traits
    person = VoiceTraits(traits.hertz, traits.spacing, embedding_of(name))
    made = most_alike(person, EVERY["en-US"])
    assert (made.name, made.semitones, made.formants) == (name, 0.0, 1.0)
    other = most_alike(person, EVERY["en-US"], [made.key])
    assert other.name != name
    assert name not in other.name.split("+")


def test_a_mean_is_chosen_only_where_it_is_nearer_and_free() -> None:
    known, chosen = known_voices(), []
    for mean in ("am_adam+am_liam", "af_heart+af_bella", "am_fenrir+am_onyx"):
        parts = mean.split("+")
        own = np.array(embedding_of(*parts))
        person = VoiceTraits(sound_of(mean).traits.hertz, 0.0, tuple(own.tolist()))
        best = max(EVERY["en-US"], key=lambda n: float(known[n].embedding @ own))
        made = most_alike(person, EVERY["en-US"])
        wanted = mean if 1 > float(known[best].embedding @ own) + BLEND_GAIN else best
        assert sorted(made.name.split("+")) == sorted(wanted.split("+"))
        chosen.append(made.name)
        taken = most_alike(person, EVERY["en-US"], [f"{parts[0]} +0.0"]).name
        assert parts[0] not in taken.split("+")
    assert any("+" in name for name in chosen)


def test_a_mean_that_was_not_measured_lies_between_its_parts() -> None:
    for name in ("am_adam+am_onyx", "af_heart+af_sky"):
        mean, parts = sound_of(name), [known_voices()[part] for part in name.split("+")]
        assert min(p.traits.hertz for p in parts) < mean.traits.hertz < max(p.traits.hertz for p in parts)
        assert float(mean.embedding @ mean.embedding) == pytest.approx(1, abs=1e-5)
        assert all(float(mean.embedding @ p.embedding) > float(parts[0].embedding @ parts[1].embedding) for p in parts)


def test_people_of_one_timbre_get_different_voices() -> None:
    traits = known_voices()["am_fenrir"].traits
    person, taken = VoiceTraits(traits.hertz, traits.spacing, embedding_of("am_fenrir", "am_onyx")), list[str]()
    for _ in range(5):
        taken.append(most_alike(person, EVERY["en-US"], taken).key)
    names = [key.rpartition(" ")[0] for key in taken]
    assert len(set(names)) == 5
    parts = [part for name in names[:4] for part in name.split("+")]
    assert len(set(parts)) == len(parts), "no style is in two people's voices as long as there are others"
    assert any("+" in name for name in names)
    assert all(part.startswith("am_") for part in parts)


def test_an_embedding_of_another_model_is_refused() -> None:
    with pytest.raises(WeightsError, match=r"192 numbers.*another model"):
        most_alike(VoiceTraits(120.0, 1000.0, (0.1,) * 192), EVERY["en-US"])


def test_two_who_share_a_voice_are_told_by_their_pitch() -> None:
    person = VoiceTraits(150.0)
    one = moved_towards(person, "im_nicola+ff_siwis")
    assert moved_towards(person, "im_nicola+ff_siwis", [one.semitones]).key != one.key
