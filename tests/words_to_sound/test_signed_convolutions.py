"""Convolutions with a sign give the same sums as those without."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipdub.disk.protobuf import field, fields
from lipdub.words_to_sound.voices import kokoro_network, signed_convolutions
from lipdub.words_to_sound.voices.signed_convolutions import convolution, exact_and_fast, with_signed_inputs

pytest.importorskip("onnxruntime")


def quantised_network(weights, zero, kind="uint8"):
    """Floats "x" (1, channels, places), quantised in the network, and a convolution by ``weights`` with ``zero``."""
    made = signed_convolutions._node("ConvInteger", ("q", "w", "z", "wz"), "y")
    first = b"".join(field(1, "x") + b"".join(field(2, name) for name in ("q", "s", "z")) + field(4, operator)
                     for operator in ("DynamicQuantizeLinear",))  # fmt: skip
    constants = [signed_convolutions._constant(n, np.asarray(v, np.uint8)) for n, v in (("w", weights), ("wz", zero))]
    if kind == "int8":
        constants = [c.replace(field(2, 2), field(2, 3), 1) for c in constants]
    graph = b"".join(field(1, node) for node in (first, made)) + field(2, "g")
    graph += b"".join(field(5, c) for c in constants)
    graph += field(11, signed_convolutions._value("x", 1, (1, weights.shape[1], "n")))
    for name, of in (("y", 6), ("s", 1)):
        graph += field(12, signed_convolutions._value(name, of, (1, "o", "m") if name == "y" else ()))
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 20))


def run(model, folder, x):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]).run(None, {"x": x})


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 255), st.integers(0, 2**32 - 1), st.floats(-3, 3))
def test_the_sums_are_the_same(tmp_path_factory, channels, taps, zero, seed, offset):
    if not exact_and_fast():
        pytest.skip("this processor has no exact product of bytes")
    random = np.random.default_rng(seed)
    weights = random.integers(0, 256, (32, channels, taps), np.uint8)
    file = tmp_path_factory.mktemp("net") / "net.onnx"
    file.write_bytes(quantised_network(weights, zero))
    x = (random.standard_normal((1, channels, 70)) + offset).astype(np.float32)
    network = with_signed_inputs(file)
    assert b"BitwiseXor" in network
    for before, after in zip(run(str(file), tmp_path_factory, x), run(network, file.parent, x), strict=True):
        np.testing.assert_array_equal(before, after)


def test_large_weights_stay_in_the_file(tmp_path):
    weights = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    file = tmp_path / "net.onnx"
    file.write_bytes(quantised_network(weights, 7))
    assert len(with_signed_inputs(file)) < weights.nbytes / 5


def test_weights_with_a_sign_and_inputs_from_elsewhere_are_left(tmp_path):
    weights = np.ones((8, 8, 1), np.uint8)
    for number, network in enumerate((quantised_network(weights, 1, "int8"), convolution(weights))):
        file = tmp_path / f"{number}.onnx"
        file.write_bytes(network)
        assert with_signed_inputs(file) == network


@pytest.mark.parametrize("content", [b"no network", field(7, b"\x0a\xff")])
def test_a_damaged_file_is_a_value_error(tmp_path, content):
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(ValueError, match=r"field|number"):
        with_signed_inputs(tmp_path / "net.onnx")


def test_machines_that_clip_or_have_no_such_operator_keep_the_network(monkeypatch):
    class Clips:
        def run(self, names, given):
            return [np.zeros((1, 64, 78), np.int32)]

    def refuses(model):
        raise RuntimeError("not implemented")

    monkeypatch.setattr(signed_convolutions.platform, "machine", lambda: "x86_64")
    for session in (lambda model: Clips(), refuses):
        monkeypatch.setattr(signed_convolutions, "_session", session)
        assert not exact_and_fast.__wrapped__()
    monkeypatch.setattr(signed_convolutions.platform, "machine", lambda: "arm64")
    assert not exact_and_fast.__wrapped__()


def test_both_ways_the_same_sound(monkeypatch, tmp_path):
    """The voice's session is made of the file or of the changed network, and both give the same samples."""
    from words_to_sound.tiny_kokoro import write_kokoro

    folder: Path = write_kokoro(tmp_path / "kokoro")
    sounds = []
    for fast in (False, True):
        kokoro_network._session.cache_clear()
        monkeypatch.setattr(kokoro_network, "exact_and_fast", lambda fast=fast: fast)
        sounds.append(kokoro_network.say(folder / "kokoro.onnx", [folder / "af_heart.bin"], "wˈʌn", 1.0))
    kokoro_network._session.cache_clear()
    assert np.array_equal(*sounds)
    assert len(list(fields((folder / "kokoro.onnx").read_bytes()))) >= 3
