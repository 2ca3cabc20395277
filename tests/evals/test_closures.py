"""The second eye, and how it judges closed lips."""

import numpy as np
import pytest
from evals.bench import NotFit
from evals.closures import shares, threshold
from evals.second_eye import _network

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(0)


def test_a_threshold_parts_shut_from_open_lips():
    own = np.r_[np.zeros(20), np.full(20, 0.1), np.full(10, 0.03)]
    seen = own * 0.8 + 0.02
    assert 0.02 <= threshold(seen, own) < 0.1
    with pytest.raises(NotFit):
        threshold(seen[:22], own[:22])


def test_shares_of_closures():
    asked = np.array([0.1, 0.0, 0.0, 0.1, 0.0, 0.1, 0.1, np.nan])
    seen = np.array([0.1, 0.2, 0.01, 0.1, 0.2, 0.01, np.nan, 0.0])
    found = shares(asked, seen, 0.05)
    assert (found.asked, found.shut) == (2, 0.5)
    assert found.false == pytest.approx(1 / 3)
    assert np.isnan(shares(np.full(8, 0.03), seen, 0.05).shut)


def random_arrays() -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for number, (before, after) in enumerate(((3, 32), (32, 64), (64, 128), (128, 256))):
        for layer in range(4):
            name, came = f"dense{number}/conv{layer}", before if layer == 0 else after
            if (number, layer) == (0, 0):
                arrays[f"{name}/filters"] = RNG.normal(0, 0.2, (3, 3, came, after)).astype(np.float32)
            else:
                arrays[f"{name}/depthwise_filter"] = RNG.normal(0, 0.3, (3, 3, came, 1)).astype(np.float32)
                arrays[f"{name}/pointwise_filter"] = RNG.normal(0, came**-0.5, (1, 1, came, after)).astype(np.float32)
            arrays[f"{name}/bias"] = RNG.normal(0, 0.1, after).astype(np.float32)
    arrays["fc/weights"] = RNG.normal(0, 0.1, (256, 136)).astype(np.float32)
    arrays["fc/bias"] = RNG.normal(0, 0.1, 136).astype(np.float32)
    return arrays


def by_torch(arrays: dict[str, np.ndarray], picture: np.ndarray) -> np.ndarray:
    """face-api's FaceLandmark68Net, layer by layer."""
    nn, given = torch.nn.functional, {name: torch.from_numpy(array) for name, array in arrays.items()}

    def separable(x, name: str, stride: int):
        x = nn.pad(x, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1))
        x = nn.conv2d(x, given[f"{name}/depthwise_filter"].permute(2, 3, 0, 1), stride=stride, groups=x.shape[1])
        return nn.conv2d(x, given[f"{name}/pointwise_filter"].permute(3, 2, 0, 1), given[f"{name}/bias"])

    x = torch.from_numpy(picture)
    for number in range(4):
        name = f"dense{number}"
        if number == 0:
            kernel = given[f"{name}/conv0/filters"].permute(3, 2, 0, 1)
            one = nn.conv2d(nn.pad(x, (0, 1, 0, 1)), kernel, given[f"{name}/conv0/bias"], stride=2)
        else:
            one = separable(x, f"{name}/conv0", 2)
        one = nn.relu(one)
        two = separable(one, f"{name}/conv1", 1)
        three = separable(nn.relu(one + two), f"{name}/conv2", 1)
        four = separable(nn.relu(one + two + three), f"{name}/conv3", 1)
        x = nn.relu(one + two + three + four)
    x = nn.avg_pool2d(x, 7, 2).flatten(1)
    return (x @ given["fc/weights"] + given["fc/bias"]).numpy()


def test_the_network_of_the_second_eye_is_face_apis():
    import onnxruntime

    arrays, picture = random_arrays(), RNG.normal(0, 1, (2, 3, 112, 112)).astype(np.float32)
    session = onnxruntime.InferenceSession(_network(arrays), providers=["CPUExecutionProvider"])
    answer = np.asarray(session.run(None, {"input": picture})[0])
    wanted = by_torch(arrays, picture)
    assert np.abs(answer - wanted).max() < 1e-3 * np.abs(wanted).max()
