"""The README says what is there: inputs, outputs, files, variables; and its commands do what they say."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from comfyui.tests.conftest import PACK, Pack

README = (PACK / "README.md").read_text("utf-8")


def _rows(text: str) -> set[str]:
    """The names in the first column of tables."""
    cells = re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_all_inputs_and_outputs_are_described(pack: Pack) -> None:
    """Each once, under its node."""
    dub, redo = README.split("**Redo a line**")
    schema = pack.nodes["LipdubDub"].define_schema()
    assert _rows(dub) == {s.id for s in schema.inputs} | {s.more["display_name"] for s in schema.outputs}
    assert _rows(redo) == {s.id for s in pack.nodes["LipdubRedoLine"].define_schema().inputs}
    for node in pack.nodes.values():
        shown = node.define_schema()
        assert f"**{shown.display_name}** (`{shown.node_id}`)" in README


def test_what_it_names_is_there(pack: Pack) -> None:
    """Files and environment variables."""
    assert (PACK / "example_workflows" / "lipdub_dub.json").is_file()
    choices = (PACK / "lipdub_nodes" / "choices.py").read_text("utf-8")
    for variable in set(re.findall(r"LIPDUB_\w+", README)):
        assert variable in choices


def _commands() -> list[str]:
    return re.findall(r"^    (\S.*)$", README, re.MULTILINE)


def test_the_commands_are_those_that_were_tried() -> None:
    """Whoever changes them tries them again: the first two need a network, the last one ComfyUI."""
    assert [shlex.split(command)[0] for command in _commands()] == [
        "python3",
        "~/lipdub-env/bin/pip",
        "cp",
        "LIPDUB_PYTHON=~/lipdub-env/bin/python",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="a command of a shell")
def test_the_copied_folder_holds_the_nodes(tmp_path: Path) -> None:
    """The README's own command, in a home folder of its own."""
    command = next(each for each in _commands() if each.startswith("cp "))
    (tmp_path / "ComfyUI" / "custom_nodes").mkdir(parents=True)
    subprocess.run(
        command, shell=True, check=True, cwd=PACK.parent, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    )
    copied = tmp_path / "ComfyUI" / "custom_nodes" / "lipdub-nodes"
    assert {"__init__.py", "pyproject.toml", "LICENSE", "README.md", "lipdub_nodes"} <= {
        p.name for p in copied.iterdir()
    }
