"""The checks for a first GPU run here on the CPU with tiny networks; that shows only that they run."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def check(monkeypatch, capsys):
    """Runs one check: (exit code, printed lines)."""
    if not (BENCHMARKS / "ltx.py").is_file():
        pytest.skip("the benchmarks are not here")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    import ltx

    yield lambda *arguments: (ltx.main(arguments), capsys.readouterr().out.splitlines())
    for name in set(sys.modules) - before:
        if name == "ltx" or name.startswith("ltx_"):
            del sys.modules[name]


@pytest.mark.slow
def test_a_plan_is_compared_with_the_recordings(check):
    code, lines = check("parity", "--only", "all from main memory")
    assert "only shows that this runs" in lines[0]
    assert len([line for line in lines if "float32 all from main memory: " in line and "bound 1e-04" in line]) == 2
    assert lines[-1] == "parity on cpu: 2 dubs, 0 beyond their bounds"
    assert code == 0


def test_a_plan_that_is_not_exact_or_not_there_gives_exit_code_1(check, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import ltx_parity

    monkeypatch.setattr(ltx_parity, "EXACT", 0.0)
    monkeypatch.setattr(ltx_parity, "_run", lambda plan, *rest: (1e-3, 0.0))
    code, lines = check("parity", "--only", "float32 streamed")
    assert code == 1
    assert lines[-1] == "parity on cpu: 2 dubs, 2 beyond their bounds"
    assert check("parity", "--only", "no such plan")[0] == 1


def test_peaks_are_measured_beside_what_is_counted(check):
    code, lines = check("peaks", "--tiny")
    assert code == 0
    assert any(line.startswith("forward 128 x 128 x 17: ") and "counted" in line for line in lines)
    assert [line for line in lines if "decode" in line and "encode" in line and "counted" in line]


@pytest.mark.parametrize("more", [(), ("--fp8",)])
def test_streaming_is_measured(check, more):
    code, lines = check("stream", "--tiny", *more)
    assert code == 0
    assert "in main memory; setting up streaming took" in lines[1]
    assert "all weights in that time" in lines[2]


def test_the_text_encoder_is_measured(check):
    code, lines = check("encoder", "--tiny")
    assert code == 0
    assert lines[-1].startswith("released: main memory from")


@pytest.mark.slow
def test_a_whole_window_is_timed(check):
    code, lines = check("speed", "--tiny", "--runs", "1")
    assert code == 0
    assert any(line.startswith("window 128 x 128, 17 frames: ") for line in lines)
    assert any("its floor" in line for line in lines)


def test_nothing_is_begun_when_the_time_is_over(check):
    code, lines = check("first", "--minutes", "0")
    assert code == 0
    assert [line.removeprefix("== ") for line in lines[::2]] == ["parity", "peaks", "stream", "encoder", "speed"]
    assert lines[1::2] == ["no time is left"] * 5
