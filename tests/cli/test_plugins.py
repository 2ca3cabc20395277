"""A broken plugin is reported, and everything else works."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ENGINES = {"gone": 6, "worse": 2, "leaves": 2, "raises": 2, "strange": 2}


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    """A folder for PYTHONPATH that holds an installed package with broken plugins."""
    folder = tmp_path_factory.mktemp("plugins")
    info = folder / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[lipdub.engines]\ngone = no_such_module:make\nworse = worse_plugin:make\nleaves = leaving_plugin:make\n"
        "raises = late_plugin:make\nstrange = late_plugin:strange\n"
        "[lipdub.voices]\nworsevoice = worse_plugin:make\nlatevoice = late_plugin:make\n"
    )
    (folder / "worse_plugin.py").write_text("raise ValueError('first row\\nsecond row')")
    (folder / "leaving_plugin.py").write_text("raise SystemExit(3)")
    (folder / "late_plugin.py").write_text("def make(given): raise KeyError('x')\ndef strange(given): return 5\n")
    return folder


def lipdub(path: Path, *args: str) -> subprocess.CompletedProcess[str]:
    where = os.pathsep.join([str(path), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    environment = {**os.environ, "PYTHONPATH": where, "NO_COLOR": "1", "LIPDUB_CACHE": str(path / "cache")}
    command = [sys.executable, "-m", "lipdub", *args]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_engines_lists_broken_engines_with_the_reason(path):
    done = lipdub(path, "engines", "--json")
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert done.returncode == 0
    assert rows["exemplar"]["smallest_face_px"] > 0
    assert {name for name, row in rows.items() if "broken" in row} == set(ENGINES)
    assert "first row second row" in rows["worse"]["broken"]
    table = lipdub(path, "engines")
    assert table.returncode == 0
    assert "exemplar" in table.stdout
    assert "broken" in table.stdout


@pytest.mark.slow
def test_the_doctor_names_broken_plugins(path):
    done = lipdub(path, "doctor", "--json")
    found = json.loads(done.stdout)
    assert "exemplar" in found["engines"]
    assert "worse (broken)" in found["engines"]
    assert "worsevoice (broken)" in found["voices"]
    assert any("worsevoice" in line for line in found["broken"])
    assert "KeyError" in found["engine raises"][0]


@pytest.mark.parametrize("name", ENGINES)
def test_a_broken_engine_is_one_line(path, tmp_path, name):
    from lipdub.engines.find import find
    from lipdub.errors import LipdubError

    code = (
        "from lipdub.engines.find import find\nfrom lipdub.process.exit_codes import run_program\n"
        f"run_program(lambda: find({name!r}) and 0)"
    )
    where = os.pathsep.join([str(path), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": where},
        check=False,
    )
    assert done.returncode == ENGINES[name]
    assert f"'{name}'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    with pytest.raises(LipdubError, match="no engine called"):
        find(name)


def test_a_broken_voice_is_one_line(path, tmp_path):
    (tmp_path / "a.es.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\nHola a todos.\n")
    for voice in ("worsevoice", "latevoice"):
        done = lipdub(path, "speak", str(tmp_path / "a.es.srt"), "-o", str(tmp_path / "a.wav"), "--voice", voice)
        assert done.returncode == 2
        assert f"the voice '{voice}' is broken" in done.stderr
        assert len(done.stderr.splitlines()) == 1
