"""Workers on a Ray cluster of two nodes on this machine make the bytes of local ones, also if a node is lost."""

from pathlib import Path

import pytest

import lipdub
from lipdub.errors import MachineError, OptionError
from lipdub.plugins import package_version
from lipdub.studio.processes import AskedWorkers
from lipdub.studio.workers.attempts import MOST, Attempts

needs_ray = pytest.mark.skipif(not package_version("ray"), reason="the extra ray is not installed")
GIVEN = lipdub.DubOptions(speech_features="light", consent=True, page=False, overwrite=True, workers=2)
SPEECH = lipdub.SpeechOptions(asr_check=False, subtitles="none", voice=("nanotts",), to="es")


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (0, AskedWorkers()),
        (3, AskedWorkers(3)),
        ("4", AskedWorkers(4)),
        ("ray", AskedWorkers(ray="")),
        ("ray:10.0.0.1:6379", AskedWorkers(ray="10.0.0.1:6379")),
        ("ray:auto", AskedWorkers(ray="auto")),
    ],
)
def test_workers_are_asked_for_by_number_or_by_cluster(text: int | str, asked: AskedWorkers) -> None:
    assert AskedWorkers.parse(text) == asked


@pytest.mark.parametrize("text", ["-1", "many", "rays", "", "²"])
def test_what_asks_for_no_workers_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="--workers"):
        AskedWorkers.parse(text)


def test_a_part_that_ends_its_worker_again_and_again_is_given_up(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path / "attempts")
    for _ in range(MOST):
        attempts.begin("1.segment", "a part")
        attempts.begin("2.segment", "another part")
        attempts.finish("2.segment")
    with pytest.raises(MachineError, match="a part ended its worker 3 times"):
        attempts.begin("1.segment", "a part")
    attempts.begin("2.segment", "another part")
    attempts.forget()
    attempts.begin("1.segment", "a part")
