"""The example workflow against the schemas of the nodes: what ComfyUI's page would make of it."""

import json
import re
from typing import Any

import pytest
from comfyui.tests.conftest import PACK, Pack
from comfyui.tests.fake_comfy import Slot

FILE = PACK / "example_workflows" / "lipdub_dub.json"

OTHERS = {
    "LoadVideo": ([], ["VIDEO"]),
    "SaveVideo": (["VIDEO"], []),
    "PreviewAny": (["*"], []),
}
"""Inputs and outputs of ComfyUI's own nodes, without widgets."""


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    return json.loads(FILE.read_text("utf-8"))


def _is_widget(slot: Slot) -> bool:
    return slot.io_type not in ("VIDEO", "AUDIO") and not slot.more.get("force_input")


def test_it_has_what_version_0_4_asks_for(workflow: dict[str, Any]) -> None:
    """The fields of the format, ids that are counted, links that name what they join."""
    assert workflow["version"] == 0.4
    assert {"last_node_id", "last_link_id", "nodes", "links", "groups", "config", "extra"} <= workflow.keys()
    nodes = {node["id"]: node for node in workflow["nodes"]}
    assert len(nodes) == len(workflow["nodes"])
    assert workflow["last_node_id"] == max(nodes)
    assert workflow["last_link_id"] == max(link[0] for link in workflow["links"])
    for number, source, output, target, slot, kind in workflow["links"]:
        assert number in nodes[source]["outputs"][output]["links"]
        assert nodes[target]["inputs"][slot]["link"] == number
        assert kind in (nodes[source]["outputs"][output]["type"], "*")
    joined = [slot["link"] for node in nodes.values() for slot in node["inputs"] if slot["link"] is not None]
    assert sorted(joined) == sorted(link[0] for link in workflow["links"])
    for node in nodes.values():
        assert {"id", "type", "pos", "size", "flags", "order", "mode", "properties"} <= node.keys()
    assert not re.search(r"/(tmp|home|Users|root)/", FILE.read_text("utf-8"))


def test_its_nodes_are_those_of_the_pack(pack: Pack, workflow: dict[str, Any]) -> None:
    """Inputs, outputs and the values of all widgets, in the order of the schemas."""
    used = {node["type"] for node in workflow["nodes"]}
    assert used - OTHERS.keys() == {"LipdubDub", "LipdubRedoLine"}
    for node in workflow["nodes"]:
        if node["type"] in OTHERS:
            inputs, outputs = OTHERS[node["type"]]
            assert [slot["type"] for slot in node["inputs"] if "widget" not in slot] == inputs
            assert [slot["type"] for slot in node["outputs"]] == outputs
            continue
        schema = pack.nodes[node["type"]].define_schema()
        ordered = sorted(schema.inputs, key=lambda slot: slot.optional)
        widgets = [slot for slot in ordered if _is_widget(slot)]
        assert {(s["name"], s["type"]) for s in node["inputs"]} == {(s.id, s.io_type) for s in ordered}
        assert [s["name"] for s in node["inputs"] if "widget" in s] == [s.id for s in widgets]
        assert [(s["name"], s["type"]) for s in node["outputs"]] == [
            (s.more["display_name"], s.io_type) for s in schema.outputs
        ]
        assert len(node["widgets_values"]) == len(widgets)
        for slot, value in zip(widgets, node["widgets_values"], strict=True):
            assert type(value) in (type(slot.more["default"]), int if slot.io_type == "FLOAT" else str), slot.id
            if slot.io_type == "COMBO":
                assert value in slot.more["options"]


def test_it_states_no_consent(workflow: dict[str, Any]) -> None:
    """Only who loads it can."""
    dub = next(node for node in workflow["nodes"] if node["type"] == "LipdubDub")
    names = [slot["name"] for slot in dub["inputs"] if "widget" in slot]
    assert dub["widgets_values"][names.index("consent")] is False


def test_a_line_is_made_again_only_when_somebody_switches_that_on(workflow: dict[str, Any]) -> None:
    """The second part is muted (mode 2)."""
    modes = {node["type"]: node["mode"] for node in workflow["nodes"] if node["type"].startswith("Lipdub")}
    assert modes == {"LipdubDub": 0, "LipdubRedoLine": 2}
