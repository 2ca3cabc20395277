"""Embeddings of voices, with a network of random numbers in a file as the real one has it."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from lipdub import weights
from lipdub.errors import WeightsError
from lipdub.weights.model_list import catalogue
from lipdub.words_to_sound.voices import speaker_embedding
from lipdub.words_to_sound.voices.speaker_embedding import MODEL, SIZE, embed, read_network
from words_to_sound.vowels import vowel


def random_network(file: Path, seed: int = 0) -> Path:
    rng, content = np.random.default_rng(seed), bytearray(5_702_000)
    for start, shape in speaker_embedding._ARRAYS.values():
        values = rng.normal(0, 0.2, shape).astype("<f4").tobytes()
        content[start : start + len(values)] = values
    file.write_bytes(bytes(content))
    return file


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_network(tmp_path_factory.mktemp("network") / "voice_encoder.pt")


def test_an_embedding_has_length_one_and_depends_on_the_voice(network: Path) -> None:
    man, woman = vowel(110.0, 980.0, 2.5), vowel(220.0, 1150.0, 2.5)
    one, other = embed(network, man), embed(network, woman)
    assert one is not None
    assert other is not None
    assert one.shape == (SIZE,)
    assert (one >= 0).all()
    assert float(one @ one) == pytest.approx(1, abs=1e-5)
    assert float(one @ other) < 0.9999
    assert np.array_equal(one, embed(network, man))


def test_neither_the_level_nor_silence_counts(network: Path) -> None:
    voice = vowel(130.0, 1000.0, 2.4)
    plain, quiet = embed(network, voice), embed(network, voice * np.float32(0.05))
    pause = np.zeros(14_400, np.float32)
    heard = speaker_embedding.spoken_parts(np.concatenate([pause, voice, pause]))
    assert plain is not None
    assert quiet is not None
    assert float(plain @ quiet) > 0.99
    assert 0 <= len(heard) - len(voice) <= 8 * 480


def test_short_or_silent_sound_has_none(network: Path) -> None:
    for sound in (np.zeros(0, np.float32), np.zeros(48_000, np.float32), vowel(130.0, 1000.0, 1.2)):
        assert embed(network, sound) is None


def test_the_layers_are_those_of_torch(network: Path) -> None:
    torch = pytest.importorskip("torch")
    arrays = read_network(network).arrays
    layers = torch.nn.LSTM(40, SIZE, 3, batch_first=True)
    with torch.no_grad():
        for n in range(3):
            for name, ours in (("weight_ih", "input"), ("weight_hh", "state")):
                getattr(layers, f"{name}_l{n}").copy_(torch.tensor(arrays[f"{ours} {n}"]))
            for name, ours in (("bias_ih", "input bias"), ("bias_hh", "state bias")):
                getattr(layers, f"{name}_l{n}").copy_(torch.tensor(arrays[f"{ours} {n}"]))
        mels = np.random.default_rng(1).random((3, 20, 40)).astype(np.float32)
        last = layers(torch.tensor(mels))[1][0][-1].numpy()
    wanted = np.maximum(last @ arrays["linear"].T + arrays["linear bias"], 0)
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    assert np.abs(read_network(network).embedded(mels) - wanted).max() < 1e-4


def test_another_or_a_damaged_file_is_refused(tmp_path: Path, network: Path) -> None:
    short = tmp_path / "short.pt"
    short.write_bytes(network.read_bytes()[:1_000_000])
    damaged = tmp_path / "damaged.pt"
    content = bytearray(network.read_bytes())
    content[300_000:300_400] = b"\x7f" * 400
    damaged.write_bytes(bytes(content))
    for file in (short, damaged):
        with pytest.raises(WeightsError, match=r"not the network that tells voices apart.*weights fetch speaker"):
            embed(file, vowel(130.0, 1000.0, 2.0))
    with pytest.raises(WeightsError, match="cannot be read"):
        read_network(tmp_path / "missing.pt")


def test_the_list_of_models_has_it() -> None:
    entry = next(entry for entry in catalogue() if entry.name == MODEL)
    assert entry.licence == "Apache-2.0"
    assert weights.identity(MODEL) == (entry.files[0].sha256,)
    ends = [start + 4 * int(np.prod(shape)) for start, shape in speaker_embedding._ARRAYS.values()]
    assert max(ends) <= entry.files[0].bytes


@pytest.mark.skipif(weights.present(MODEL) is None, reason="the network is not on this machine")
def test_the_real_network_is_read() -> None:
    file = weights.present(MODEL)
    assert file is not None
    assert hashlib.sha256(file.read_bytes()).hexdigest() == weights.identity(MODEL)[0]
    made = embed(file, vowel(130.0, 1000.0, 3.0))
    assert made is not None
    assert np.count_nonzero(made) > 20
