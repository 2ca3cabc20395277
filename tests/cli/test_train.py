"""``lipdub train prior`` and ``lipdub train shapes`` do what the modules behind them do."""

from pathlib import Path

import pytest

from lipdub.cli.main import app
from lipdub.cli.train import train_app
from lipdub.errors import OutputError
from lipdub.train.prior_options import TrainOptions


def test_the_options_of_the_prior_reach_its_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    monkeypatch.setattr("lipdub.cli.train_data.run_prior", lambda *values: given.append(values) or 0)
    app(
        ["train", "prior", str(tmp_path), "-o", "mine.npz", "--rights", "A", "--without", "x"],
        result_action="return_value",
    )
    assert given == [(tmp_path, Path("mine.npz"), TrainOptions(("A",), ("x",)))]


def test_shapes_are_never_written_over_a_clip(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"film")
    with pytest.raises(OutputError, match="one of the inputs"):
        train_app(["shapes", str(clip), "-o", str(clip), "--overwrite"], result_action="return_value")
    assert clip.read_bytes() == b"film"
