"""What ComfyUI sees of the nodes, and what they refuse before lipdub is started."""

import json
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from comfyui.tests.conftest import PACK, Pack
from comfyui.tests.fake_comfy import FakeComfy, VideoFromFile

NODES = ("LipdubDub", "LipdubPlan", "LipdubRedoLine")


def plan_of(project: str, *lines: dict[str, str]) -> str:
    """A plan as nodes hand it on."""
    return json.dumps({"project": project, "language": "es", "made_from": "0" * 64, "lines": lines})


@pytest.fixture
def never(pack: Pack) -> Pack:
    """The pack, in which a test fails that starts lipdub."""

    def started(*given: Any, **named: Any) -> Any:
        pytest.fail("lipdub was started")

    vars(pack.module("work"))["run_child"] = started
    return pack


@pytest.fixture
def clip(tmp_path: Path) -> VideoFromFile:
    """A video whose content nobody looks at."""
    file = tmp_path / "my clip.mp4"
    file.write_bytes(bytes(range(256)) * 10)
    return VideoFromFile(str(file))


def test_the_entry_point_alone_names_the_nodes(pack: Pack) -> None:
    """ComfyUI prefers NODE_CLASS_MAPPINGS where both are there, so there is none."""
    assert tuple(pack.nodes) == NODES
    assert not hasattr(sys.modules[pack.name], "NODE_CLASS_MAPPINGS")


def test_inputs_and_outputs(pack: Pack) -> None:
    """Names and types that workflows rely on: to change one breaks the workflows of others."""
    schemas = {name: node.define_schema() for name, node in pack.nodes.items()}
    described = {
        name: (" ".join(f"{s.id}:{s.io_type}" for s in schema.inputs), [s.io_type for s in schema.outputs])
        for name, schema in schemas.items()
    }
    common = (
        "video:VIDEO consent:BOOLEAN language:COMBO voice:COMBO engine:COMBO people:STRING seed:INT dub:AUDIO "
        "script:STRING more_voices:STRING translator:STRING source_language:STRING weights:STRING "
        "engine_options:STRING project:STRING"
    )
    film = ["VIDEO", "AUDIO", "STRING", "STRING", "STRING"]
    assert described["LipdubDub"] == (f"{common} plan:STRING", film)
    assert described["LipdubPlan"] == (common, ["STRING"])
    assert described["LipdubRedoLine"][0] == (
        "video:VIDEO plan:STRING line:INT text:STRING voice:COMBO offset:FLOAT seed:INT take:INT"
    )
    for schema in schemas.values():
        assert schema.is_output_node
        assert all(slot.more.get("tooltip") for slot in (*schema.inputs, *schema.outputs))
        for slot in schema.inputs:
            if slot.io_type == "COMBO":
                assert slot.more["default"] in slot.more["options"]
            if slot.id == "seed":
                assert slot.more["control_after_generate"] is False, "a new seed each time would make all work anew"


def test_consent_is_asked_for(never: Pack, clip: VideoFromFile) -> None:
    """It is off by default, required, says what it means, and is checked before and while the node runs."""
    for name in ("LipdubDub", "LipdubPlan"):
        node = never.nodes[name]
        consent = next(slot for slot in node.define_schema().inputs if slot.id == "consent")
        assert consent.more["default"] is False
        assert not consent.optional
        assert "agreed to be dubbed" in consent.more["tooltip"]
        assert "agreed to be dubbed" in node.validate_inputs(consent=False)
        assert node.validate_inputs(consent=True) is True
        assert node.validate_inputs(consent=None) is True, "another node gives it"
        for value in (False, None, 1, "yes"):
            with pytest.raises(never.module("problems").LipdubError, match="agreed to be dubbed"):
                never.run(name, video=clip, consent=value, script="Hola.")


def test_languages_are_tags_that_lipdub_knows(pack: Pack) -> None:
    """Each once."""
    from lipdub.studio.language_names import check_language

    choices = pack.module("choices")
    tags = [choices.language_tag(choice) for choice in choices.languages()]
    assert tags[0] == ""
    assert len(set(tags)) == len(tags)
    for tag in tags:
        check_language(tag, "language")


def test_voices_and_engines_of_the_lists_are_those_of_lipdub(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are found by metadata, in this Python and in that of LIPDUB_PYTHON."""
    from lipdub.engines.find import ENGINES
    from lipdub.words_to_sound.seam import VOICES

    choices = pack.module("choices")
    for chosen in ("", sys.executable):
        monkeypatch.setenv("LIPDUB_PYTHON", chosen)
        assert set(choices.engines()) == set(ENGINES.names())
        names = {voice.partition(":")[0] for voice in choices.voices()} - {"auto"}
        assert names | choices._NEED_DETAIL == set(VOICES.names())
    monkeypatch.setenv("LIPDUB_PYTHON", "/nowhere/bin/python")
    assert "exemplar" in choices.engines()
    for voice in choices._VOICES:
        VOICES.create(*voice.partition(":")[::2])


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"language": "unknown", "script": "Hola."}, "Choose the language"),
        ({"script": "missing.srt"}, "There is no script"),
        ({"script": "../secret.txt"}, "outside ComfyUI's input folder"),
        ({"script": "/etc/passwd.txt"}, "outside ComfyUI's input folder"),
        ({"script": "Hola.", "project": "../other"}, "no name for a project"),
        ({"script": "Hola.", "project": ".hidden"}, "no name for a project"),
        ({"script": "Hola.", "more_voices": "ANA=server:http://x\ncommand:rm -rf"}, "not allowed here"),
        ({"script": "Hola.", "more_voices": "ANA= command:x"}, "not allowed here"),
        ({"translator": "command:x"}, "not allowed here"),
        ({"dub": {"waveform": np.zeros((1, 1, 5)), "sample_rate": 8000}, "script": "Hola."}, "a dub and a script"),
        ({"dub": {"waveform": np.zeros((2, 1, 5)), "sample_rate": 8000}}, "holds 2 sounds"),
        ({"dub": {"waveform": np.zeros((1, 6, 5)), "sample_rate": 8000}}, "6 channels"),
        ({"dub": {"waveform": np.zeros((1, 1, 0)), "sample_rate": 8000}}, "is empty"),
        ({"dub": {"waveform": np.full((1, 1, 9), np.nan), "sample_rate": 8000}}, "no numbers"),
        ({"dub": {"samples": 3}}, "is no sound"),
        ({"plan": "{}"}, "is no plan"),
        ({"plan": "nonsense"}, "is no plan"),
        ({"plan": plan_of("p").replace("0", "/")}, "is no plan"),
        ({"plan": plan_of("gone")}, "not there any more"),
        ({"plan": plan_of("../x")}, "no name for a project"),
        (
            {"plan": plan_of("p", {"id": "1", "voice": "command:x"})},
            "not allowed here",
        ),
    ],
)
def test_what_cannot_be_is_told_at_once(never: Pack, clip: VideoFromFile, inputs: dict[str, Any], told: str) -> None:
    """Each in one or two sentences that say what to do; nothing is left in the temporary folder."""
    with pytest.raises(never.module("problems").LipdubError, match=told) as refused:
        never.run("LipdubDub", **{"video": clip, "consent": True, "language": "es Spanish", **inputs})
    assert str(refused.value).count(". ") >= 1
    assert not list((never.comfy.base / "temp").iterdir())


def test_programs_are_run_if_whoever_started_comfyui_allows_it(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    """By an environment variable, not by anything in a workflow."""
    monkeypatch.setenv("LIPDUB_COMFYUI_COMMANDS", "1")
    pack.module("choices").refuse_programs("command:say")


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"line": 3}, "lines 1 to 2"),
        ({"line": 1, "take": 2, "text": "Hola."}, "A take is chosen as it is"),
        ({"line": 1, "voice": "command:x"}, "not allowed here"),
    ],
)
def test_a_line_that_cannot_be_made_again(never: Pack, clip: VideoFromFile, inputs: dict[str, Any], told: str) -> None:
    """Told before lipdub is started."""
    project = never.comfy.base / "output" / "lipdub" / "p" / "p.lipdub"
    project.mkdir(parents=True)
    (project / "project.json").write_text("{}")
    plan = plan_of("p", {"id": "a"}, {"id": "b"})
    with pytest.raises(never.module("problems").LipdubError, match=told):
        never.run("LipdubRedoLine", **{"video": clip, "plan": plan, **inputs})


def asked(pack: Pack, answer: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The requests that go to lipdub's process from now on."""
    requests: list[dict[str, Any]] = []
    plan = {"language": "es", "lines": [], "left_as_filmed": [], "notes": []}

    def run(request: dict[str, Any], *rest: Any) -> dict[str, Any]:
        if "sound" in request:
            np.save(request["sound"], np.zeros((1, 10), np.float32))
        requests.append(json.loads(json.dumps(request)))
        film = {"film": request.get("output"), "report": "{}", "page": "", "rate": 48_000, "plan": plan}
        return answer or film

    vars(pack.module("work"))["run_child"] = run
    return requests


def test_what_is_asked_of_lipdub(pack: Pack, clip: VideoFromFile) -> None:
    """Every input arrives under lipdub's own name."""
    pytest.importorskip("torch")
    requests = asked(pack)
    pack.run(
        "LipdubDub",
        video=clip,
        consent=True,
        language="pt-BR Portuguese (Brazil)",
        voice="nanotts",
        more_voices="ANA=kokoro:ef_dora\n\n",
        people="left; 320,200@0:01",
        engine="ltx",
        engine_options="device=cuda:1\n",
        weights="/models/ltx",
        seed=3,
        script="Olá.\n",
        project="film one",
    )
    (request,) = requests
    assert request["options"] == {
        "engine": "ltx",
        "face": ["left", "320,200@0:01"],
        "seed": 3,
        "weights": "/models/ltx",
        "engine_option": ["device=cuda:1"],
        "language": "pt-BR",
        "consent": True,
        "overwrite": True,
    }
    assert request["speech"]["voice"] == ["nanotts", "ANA=kokoro:ef_dora"]
    assert Path(request["speech"]["script"]).read_text("utf-8") == "Olá.\n"
    assert request["source"] == clip.file
    assert request["project"].endswith("output/lipdub/film one/film one.lipdub")
    assert pack.comfy.freed == 1, "another process needs the GPU now"


def test_a_line_is_made_again_with_the_options_of_the_node_before(pack: Pack, clip: VideoFromFile) -> None:
    """They go with the plan; what is no option is left out."""
    pytest.importorskip("torch")
    requests = asked(pack)
    project = pack.comfy.base / "output" / "lipdub" / "p" / "p.lipdub"
    project.mkdir(parents=True)
    (project / "project.json").write_text("{}")
    plan = json.loads(plan_of("p", {"id": "a"}))
    options = {"engine": "ltx", "face": ["left"], "seed": True, "weights": None, "codec": "x", "engine_option": [1]}
    pack.run("LipdubRedoLine", video=clip, plan=json.dumps({**plan, "options": options}), seed=4)
    pack.run("LipdubRedoLine", video=clip, plan=json.dumps({**plan, "options": 3}), voice="nanotts", offset=-0.04)
    told = {**plan, "lines": [{"id": "a", "state": "made", "takes": 7}]}
    pack.run("LipdubRedoLine", video=clip, plan=json.dumps(told), voice="nanotts", offset=-0.04)
    assert requests[2]["output"] == requests[1]["output"], "what is only told makes no other film"
    base = {"consent": True, "overwrite": True}
    assert requests[0]["options"] == {"engine": "ltx", "face": ["left"], "weights": None, **base}
    assert requests[0]["change"] == {"text": None, "voice": None, "offset": None, "seed": 4}
    assert requests[0]["line"] == "a"
    assert requests[1]["options"] == base
    assert requests[1]["change"] == {"text": None, "voice": "nanotts", "offset": "-0.040", "seed": None}
    assert pack.comfy.freed == 1


def test_the_same_inputs_give_the_same_file_and_others_another(pack: Pack, clip: VideoFromFile) -> None:
    """So a film that another node still holds is not replaced by something else."""
    pytest.importorskip("torch")
    requests = asked(pack)
    for seed in (1, 1, 2):
        pack.run("LipdubDub", video=clip, consent=True, language="es Spanish", script="Hola.", seed=seed)
    first, same, other = (request["output"] for request in requests)
    assert first == same != other
    assert re.fullmatch(r"my-clip-[0-9a-f]{8}-es-[0-9a-f]{8}\.mp4", Path(first).name)
    assert pack.comfy.freed == 0


def test_a_script_file_that_changes_makes_the_node_run_again(pack: Pack) -> None:
    """ComfyUI compares fingerprints, with linked inputs as None."""
    file = pack.comfy.base / "input" / "a.srt"
    node = pack.nodes["LipdubDub"]
    file.write_text("one", "utf-8")
    one = node.fingerprint_inputs(video=None, script="a.srt", consent=True)
    assert one == node.fingerprint_inputs(video=None, script="a.srt", consent=True) != ""
    file.write_text("two", "utf-8")
    assert node.fingerprint_inputs(video=None, script="a.srt", consent=True) != one
    assert node.fingerprint_inputs(video=None, script=None, consent=True) == ""


def test_the_project_file_says_what_the_registry_wants() -> None:
    """No "ComfyUI" in the name, an SPDX licence, a version of three numbers; the licence is that of the repository."""
    told = tomllib.loads((PACK / "pyproject.toml").read_text("utf-8"))
    project = told["project"]
    assert re.fullmatch(r"[a-z][a-z0-9-]*", project["name"])
    assert "comfyui" not in project["name"]
    assert project["license"] == "Apache-2.0"
    assert re.fullmatch(r"\d+\.\d+\.\d+", project["version"])
    assert {"PublisherId", "DisplayName", "Icon"} <= told["tool"]["comfy"].keys()
    assert "Repository" in project["urls"]
    assert (PACK / "LICENSE").read_bytes() == (PACK.parent / "LICENSE").read_bytes()


def test_an_older_api_is_used_where_the_pinned_one_is_missing(
    comfy: FakeComfy, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """``comfy_api.latest`` is in every version that knows nodes of this kind."""
    pinned: ModuleType = sys.modules["comfy_api.v0_0_2"]
    monkeypatch.setitem(sys.modules, "comfy_api.latest", pinned)
    monkeypatch.setitem(sys.modules, "comfy_api.v0_0_2", None)
    assert tuple(request.getfixturevalue("pack").nodes) == NODES
