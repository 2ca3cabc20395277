"""The parts of the proof that training teaches dubbing; the proof itself takes minutes: python -m evals.ltx_learns."""

# ruff: noqa: E402

import pytest

torch = pytest.importorskip("torch")
for package in ("diffusers", "transformers", "peft", "accelerate"):
    pytest.importorskip(package)

from evals import ltx_learns as learns
from lipdub.train.noise_levels import step_generator


@pytest.fixture(scope="module")
def world():
    torch.set_num_threads(1)
    return learns.DrawnWorld()


def test_the_stand_in_for_the_vae_keeps_unseen_pictures_and_the_measure_sees_the_mouth(world):
    drawn = step_generator("test")
    people, speech = learns.draw_people(8, drawn), learns.draw_speech(8, drawn)
    frames = learns.draw_frames(people, speech)
    again = world.vae.decode(world.vae.encode(frames))
    assert -10 * ((again - frames) / 2).square().mean().log10() > 32
    assert learns.correlation(learns.opening(again, people), learns.at_frames(speech)) > 0.97
    voices = torch.cosine_similarity(world.voice_of(world.sound(people, speech)), people.voice)
    assert voices.min() > 0.5


def test_a_step_of_base_and_lora_and_all_scores(world):
    scores, pictures = learns.prove(1, 1, rank=2)
    assert scores["before"].keys() == scores["after"].keys() == {
        "follows", "shuffled", "background", "source", "stand_in", "silence", "voice", "own_sound"
    }  # fmt: skip
    assert abs(scores["before"]["follows"]) < 0.5
    assert len(pictures) == 2
