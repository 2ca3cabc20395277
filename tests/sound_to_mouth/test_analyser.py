"""Speech features. Tests that need model files are skipped if those are not installed (``lipdub weights fetch``)."""

from fractions import Fraction

import numpy as np
import pytest

from lipdub import weights
from lipdub.acoustics.speech_spans import speech_spans
from lipdub.acoustics.voice_activity import VoiceActivity
from lipdub.errors import WeightsError
from lipdub.sound_to_mouth import encoder, phones
from lipdub.sound_to_mouth.analyser import SpeechAnalyser
from lipdub.sound_to_mouth.encoder import EncoderBasis, SpeechEncoder, log_mel, mel_bands
from lipdub.sound_to_mouth.mouth_trajectory import closure_times
from lipdub.sound_to_mouth.phones import BLANK, PhoneAnalyser
from lipdub.timeline.samples import SampleFile
from sound_to_mouth.sample_speech import sound, spoken

VOICE = weights.present("voice-activity", lambda line: None)
needs_voice = pytest.mark.skipif(VOICE is None, reason="voice activity weights are not here")


@pytest.fixture(scope="module")
def analyser() -> SpeechAnalyser:
    return SpeechAnalyser(VOICE, None)


def test_phones_are_posteriors_and_lips_close_where_they_must():
    samples = spoken("papa papa")
    features = PhoneAnalyser().posteriors(samples)
    assert features.shape == (-(-len(samples) // 320), 17)
    assert ((features >= 0) & (features <= 1)).all()
    assert features.sum(1).max() < 1.001
    assert (features[:, 0] > 0.3).sum() >= 3


def test_phones_in_chunks_equal_phones_at_once(monkeypatch):
    samples = spoken()
    whole = PhoneAnalyser().posteriors(samples)
    monkeypatch.setattr(phones, "_LONGEST", 170)
    parts = PhoneAnalyser().posteriors(samples)
    assert np.corrcoef(whole.ravel(), parts.ravel())[0, 1] > 0.98
    assert np.abs(whole - parts).mean() < 0.01


@pytest.mark.parametrize("samples", [0, 1, 100, 320, 5000])
def test_the_shortest_sounds(samples):
    tone = (0.1 * np.sin(np.arange(samples) * 0.2)).astype(np.float32)
    assert len(PhoneAnalyser(1).posteriors(tone)) == -(-samples // 320)


@needs_voice
@pytest.mark.parametrize("samples", [0, 1, 100, 320, 33333])
def test_the_features_of_silence(analyser, samples):
    features = analyser.analyse(sound(np.zeros(samples, np.float32), Fraction(7, 3)))
    assert features.start == Fraction(7, 3)
    assert len(features) == -(-samples // 320)
    assert not features.voice_activity.any()
    assert (features.phone_posteriors[:, BLANK] == 1).all()
    assert speech_spans(features) == ()
    assert len(closure_times(features)) == 0


@needs_voice
def test_sound_in_a_file_gives_the_same_features_to_the_bit(tmp_path):
    analyser = SpeechAnalyser(VOICE, SpeechEncoder())
    samples = np.tile(spoken(), 3)
    file = SampleFile(tmp_path / "samples")
    for first in range(0, len(samples), 7919):
        file.append(samples[first : first + 7919])
    held, read = analyser.analyse(sound(samples, Fraction(1, 3))), analyser.analyse_samples(file, Fraction(1, 3))
    file.close()
    assert read.start == held.start
    for name in ("phone_posteriors", "voice_activity", "energy", "encoder_features"):
        np.testing.assert_array_equal(getattr(read, name), getattr(held, name))


@needs_voice
def test_volume_does_not_matter(analyser):
    samples = spoken()
    loud, soft = analyser.analyse(sound(samples)), analyser.analyse(sound(samples * 0.05))
    assert np.abs(loud.phone_posteriors - soft.phone_posteriors).mean() < 0.002
    assert np.abs(loud.voice_activity - soft.voice_activity).mean() < 0.01


@needs_voice
def test_speech_among_silence_is_found_where_it_is(analyser):
    samples = spoken()
    features = analyser.analyse(sound(np.pad(samples, (48_000, 32_000)), Fraction(10)))
    spans = speech_spans(features)
    assert float(spans[0].start) == pytest.approx(13, abs=0.35)
    assert float(spans[-1].end) == pytest.approx(13 + len(samples) / 16000, abs=0.35)


@needs_voice
def test_noise_and_music_are_not_speech(analyser):
    rng = np.random.default_rng(0)
    t = np.arange(64_000) / 16_000
    music = sum(np.sin(2 * np.pi * f * t) * np.exp(-2 * (t % 0.5)) for f in (262, 330, 392)) * 0.1
    for noise in (0.1 * rng.standard_normal(64_000), music):
        assert analyser.analyse(sound(noise.astype(np.float32))).voice_activity.mean() < 0.1


def test_encoder_features_in_chunks_equal_those_at_once(monkeypatch):
    samples = spoken()
    model = SpeechEncoder()
    whole = model.project(samples)
    assert whole.shape == (-(-len(samples) // 320), 128)
    assert 0.3 < whole.std() < 3
    np.testing.assert_allclose(EncoderBasis.shipped().project(model.rows(samples)), whole, atol=1e-4)
    monkeypatch.setattr(encoder, "_LONGEST", 200)
    assert np.corrcoef(whole.ravel(), model.project(samples).ravel())[0, 1] > 0.85
    monkeypatch.undo()
    elsewhere = EncoderBasis.shipped().project(model.rows(samples, place=120))
    assert np.corrcoef(whole.ravel(), elsewhere.ravel())[0, 1] > 0.85


@needs_voice
def test_encoder_features_are_there_only_with_an_encoder(analyser):
    samples = spoken()[:32_000]
    assert analyser.analyse(sound(samples)).encoder_features is None
    features = SpeechAnalyser(VOICE, SpeechEncoder()).analyse(sound(samples))
    assert features.encoder_features.shape == (len(features), 128)


@needs_voice
def test_a_wrong_model_file_is_refused_in_words(tmp_path):
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="voice activity"):
        VoiceActivity(wrong)


def test_mel_bands_are_those_of_slaney():
    bands = mel_bands()
    assert bands.shape == (80, 201)
    assert bands.max() == pytest.approx(0.0259, abs=1e-3)  # the published 80-band table's largest weight
    peaks = bands.argmax(1) * 40.0
    assert (np.diff(peaks) >= 0).all()
    assert peaks[-1] > 7_500


def test_log_mel_has_a_column_per_ten_milliseconds():
    tone = np.sin(np.arange(16_000) * 2 * np.pi * 1000 / 16_000).astype(np.float32) * 0.1
    picture = log_mel(tone)
    assert picture.shape == (80, 98)
    loudest = picture.mean(1).argmax()
    assert abs(mel_bands()[loudest].argmax() * 40 - 1000) <= 40
