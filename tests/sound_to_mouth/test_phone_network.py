from importlib.resources import files

import numpy as np
import pytest
from hama.asr import ASRModel

from lipdub.sound_to_mouth import phones
from lipdub.sound_to_mouth.phone_network import PhoneNetwork
from lipdub.sound_to_mouth.phones import PhoneAnalyser


def content() -> bytes:
    return (files("hama.assets") / "asr_waveform.hama").read_bytes()


@pytest.mark.parametrize("samples", [4800, 16159, 30001])
def test_it_gives_what_hamas_own_engine_gives(samples: int) -> None:
    random = np.random.default_rng(samples)
    sound = (np.convolve(random.normal(size=samples + 8), np.ones(9), "valid") * 0.03).astype(np.float32)
    feeds = {"waveform": sound[None], "waveform_lengths": np.array([samples])}
    (own,) = ASRModel().session.run(["log_probs"], feeds)
    ours = PhoneNetwork.shipped().log_probabilities(sound)
    assert ours.shape == own[0].shape
    assert np.abs(np.exp(ours) - np.exp(own[0])).max() < 0.01
    np.testing.assert_allclose(np.exp(ours).sum(1), 1, atol=1e-4)


@pytest.mark.parametrize("change", [b"no network", content()[:5000], content().replace(b"proj.bias", b"grow.bias")])
def test_another_network_is_refused(change: bytes) -> None:
    with pytest.raises(ValueError, match="network"):
        PhoneNetwork(change)


def test_a_network_that_is_not_known_is_run_by_hama(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = np.random.default_rng(0).normal(size=16000).astype(np.float32) * np.float32(0.05)
    known = PhoneAnalyser().posteriors(sound)
    monkeypatch.setattr(phones, "_known_network", lambda: None)
    own = PhoneAnalyser().posteriors(sound)
    assert not np.array_equal(own, known)
    np.testing.assert_allclose(own, known, atol=0.01)
