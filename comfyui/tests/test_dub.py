"""The nodes with the real lipdub in its own process: plan, dub, redo, and what SaveVideo makes of the film."""

import hashlib
import io as byte_streams
import json
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from comfyui.tests.conftest import SCRIPT, Pack
from comfyui.tests.fake_comfy import VideoFromElsewhere, VideoFromFile, remux

from lipdub.demo.speech_assets import load_speech

torch = pytest.importorskip("torch")

SPANISH = {"consent": True, "language": "es Spanish", "project": "talk"}


def packets(file: Path) -> list[tuple[int, Any, Any, str]]:
    """Stream, time stamps in seconds and content of all packets of a file."""
    with av.open(str(file)) as opened:
        return [
            (packet.stream.index, packet.pts * packet.time_base, packet.dts * packet.time_base, digest(bytes(packet)))
            for packet in opened.demux()
            if packet.dts is not None and packet.pts is not None
        ]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def frames(file: Path) -> list[str]:
    """The decoded pictures of a file, as digests."""
    with av.open(str(file)) as opened:
        return [digest(frame.to_ndarray().tobytes()) for frame in opened.decode(video=0)]


def test_a_script_is_planned_dubbed_and_one_line_made_again(real: Pack, talk: Path, tmp_path: Path) -> None:
    """The three nodes one after the other, as in a workflow."""
    source = VideoFromFile(str(talk))
    (planned,) = real.run("LipdubPlan", video=source, script=SCRIPT, **SPANISH)
    plan = json.loads(planned)
    assert [(line["number"], line["text"], line["state"]) for line in plan["lines"]] == [
        (1, "Buenos días.", "missing"),
        (2, "Muchas gracias.", "missing"),
    ]
    assert (plan["project"], plan["language"]) == ("talk", "es")

    plan["lines"][1]["text"] = "Gracias."  # edited by somebody before the film is made
    video, audio, report, page, after = real.run("LipdubDub", video=source, plan=json.dumps(plan), **SPANISH)
    film = Path(video.get_stream_source())
    assert film.is_relative_to(real.comfy.base / "output" / "lipdub" / "talk" / "films")
    assert [line["text"] for line in json.loads(after)["lines"]] == ["Buenos días.", "Gracias."]
    assert {line["state"] for line in json.loads(after)["lines"]} == {"made"}
    assert json.loads(report)["cues"]
    assert Path(page).is_file()
    assert len(frames(film)) == 75
    assert audio["waveform"].shape[0] == 1
    assert audio["waveform"].dtype == torch.float32
    assert audio["waveform"].shape[2] / audio["sample_rate"] == pytest.approx(3.0, abs=0.1)
    assert float(audio["waveform"].abs().max()) > 0.01
    values = [value for value, _ in real.comfy.bars]
    assert values[-1] == 1000
    assert len({value for value in values if 0 < value < 1000}) > 5

    saved = tmp_path / "saved.mp4"
    remux(str(film), str(saved))
    assert packets(saved) == packets(film)
    assert frames(saved) == frames(film)

    assert json.loads(after)["options"]["face"] == ["auto"]
    manifest = film.parents[1] / "talk.lipdub" / "project.json"
    remembered = json.loads(manifest.read_text("utf-8"))
    remembered["options"]["face"] = ["9"]  # somebody began it with a person who is not there
    manifest.write_text(json.dumps(remembered), "utf-8")
    again = {"video": source, "plan": after, "line": 2, "text": "Muchas gracias."}
    second, _, _, _, redone = real.run("LipdubRedoLine", **again)
    other = Path(second.get_stream_source())
    assert other != film
    assert [line["take"] for line in json.loads(redone)["lines"]] == [1, 2]
    assert frames(other)[:20] == frames(film)[:20], "the first line stays, picture by picture"

    first_time = frames(other)
    _, _, _, _, repeated = real.run("LipdubRedoLine", **again)
    assert [line["takes"] for line in json.loads(repeated)["lines"]] == [1, 2], "it is not made a second time"
    assert frames(other) == first_time

    back, _, _, _, chosen = real.run("LipdubRedoLine", video=source, plan=redone, line=2, take=1)
    assert [line["take"] for line in json.loads(chosen)["lines"]] == [1, 1]
    assert frames(Path(back.get_stream_source())) == frames(film)


def test_a_dub_track_from_a_tensor_is_heard_in_the_film(real: Pack, talk: Path) -> None:
    """AUDIO goes into the film; a video in memory becomes a file once."""
    speech = load_speech("es").sound
    said = speech.samples[:, : 3 * speech.rate]
    audio = {"waveform": torch.from_numpy(np.concatenate([said, said])[None]), "sample_rate": speech.rate}
    video = VideoFromFile(byte_streams.BytesIO(talk.read_bytes()))
    given = {"video": video, "dub": audio, "consent": True, "language": "unknown", "people": "largest"}
    made, sound, _, _, plan = real.run("LipdubDub", **given)
    assert json.loads(plan)["language"] == ""
    heard = sound["waveform"][0].numpy()
    assert (sound["sample_rate"], len(heard)) == (speech.rate, 2)
    length = min(heard.shape[1], said.shape[1])
    assert np.corrcoef(heard[0, :length], said[0, :length])[0, 1] > 0.95, "encoded, in place"
    assert Path(made.get_stream_source()).is_file()
    written = list((real.comfy.base / "output" / "lipdub" / "videos").iterdir())
    assert len(written) == 1
    assert not list((real.comfy.base / "temp").glob("*.part"))


def test_what_lipdub_refuses_is_one_sentence_in_words_of_the_node(real: Pack, talk: Path, tmp_path: Path) -> None:
    """No option of the command line, no trace."""
    problem = real.module("problems").LipdubError
    source = VideoFromFile(str(talk))
    with pytest.raises(problem, match=r"nobody in the clip is called '9'\. The people are: 1\.$"):
        real.run("LipdubDub", video=source, script="Hola.", people="9", **SPANISH)
    with pytest.raises(problem, match=r"the input translator|the input script"):
        real.run("LipdubDub", video=source, **SPANISH)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(problem, match=r"broken\.mp4"):
        real.run("LipdubDub", video=VideoFromFile(str(broken)), script="Hola.", consent=True, language="es Spanish")


def test_cancel_stops_the_work_and_what_is_finished_is_kept(
    real: Pack, talk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exception of ComfyUI passes, no process stays, and the next run goes on."""
    started = []

    def pressed() -> bool:
        return bool(real.comfy.bars and real.comfy.bars[-1][0] > 20)

    real.comfy.interrupted = pressed
    child = real.module("run_child")
    start = child._started

    def watched(*given: Any) -> Any:
        started.append(start(*given))
        return started[-1]

    monkeypatch.setattr(child, "_started", watched)
    source = VideoFromFile(str(talk))
    with pytest.raises(BaseException, match=r"^$") as stopped:
        real.run("LipdubDub", video=source, script=SCRIPT, **SPANISH)
    assert type(stopped.value).__name__ == "InterruptProcessingException"
    assert [process.poll() is None for process in started] == [False]
    assert not list((real.comfy.base / "output" / "lipdub" / "talk").glob("films/*"))
    real.comfy.interrupted = lambda: False
    video, *_ = real.run("LipdubDub", video=source, script=SCRIPT, **SPANISH)
    assert Path(video.get_stream_source()).is_file()


def test_another_script_makes_another_plan_and_the_same_one_none(real: Pack, talk: Path) -> None:
    """A plan that somebody edited in its file stays, as long as the words of the node stay."""
    source = VideoFromElsewhere(talk)
    given = {"video": source, **SPANISH}
    (first,) = real.run("LipdubPlan", script=SCRIPT, **given)
    file = real.comfy.base / "output" / "lipdub" / "talk" / "talk.lipdub" / "plans" / "es.json"
    edited = json.loads(file.read_text("utf-8"))
    edited["lines"][0]["text"] = "Buenas."
    file.write_text(json.dumps(edited), "utf-8")
    for kept_plan in (file.parents[2] / "plans").iterdir():
        kept_plan.unlink()  # somebody tidied up
    (same,) = real.run("LipdubPlan", script=SCRIPT, **given)
    assert json.loads(same)["lines"][0]["text"] == "Buenas."
    (other,) = real.run("LipdubPlan", script="Hola.", **given)
    assert [line["text"] for line in json.loads(other)["lines"]] == ["Hola."]

    # A node that ComfyUI did not run again still holds the first plan, and one after it works with that.
    again = {"video": source, "plan": first, "line": 2, "text": "Gracias."}
    _, _, _, _, redone = real.run("LipdubRedoLine", **again)
    assert [(line["text"], line["takes"]) for line in json.loads(redone)["lines"]] == [
        ("Buenos días.", 1),
        ("Gracias.", 1),
    ]
    (back,) = real.run("LipdubPlan", script="Hola.", **given)
    assert [line["text"] for line in json.loads(back)["lines"]] == ["Hola."]


def test_a_bad_edit_of_a_plan_leaves_the_project_as_it_is(real: Pack, talk: Path) -> None:
    """The line and the field are named."""
    source = VideoFromFile(str(talk))
    (planned,) = real.run("LipdubPlan", video=source, script=SCRIPT, **SPANISH)
    file = real.comfy.base / "output" / "lipdub" / "talk" / "talk.lipdub" / "plans" / "es.json"
    before = file.read_text("utf-8")
    plan = json.loads(planned)
    plan["lines"][0]["end"] = "0:00:00.100"
    problem = real.module("problems").LipdubError
    with pytest.raises(problem, match=r"^the plan: line 1: end: 0:00:00\.100 is not after its start"):
        real.run("LipdubDub", video=source, plan=json.dumps(plan), **SPANISH)
    assert file.read_text("utf-8") == before
    with pytest.raises(problem, match="not in the project any more"):
        real.run("LipdubDub", video=source, plan=json.dumps({**plan, "made_from": "0" * 64}), **SPANISH)


def test_nothing_heavy_is_imported_by_the_nodes(pack: Pack) -> None:
    """ComfyUI's process gets neither lipdub nor its libraries from the pack."""
    import subprocess

    code = (
        "import sys, types, pathlib\n"
        "from comfyui.tests.fake_comfy import FakeComfy\n"
        "import tempfile\n"
        "FakeComfy(pathlib.Path(tempfile.mkdtemp())).install(lambda n, m: sys.modules.__setitem__(n, m))\n"
        "before = set(sys.modules)\n"
        "import asyncio, comfyui\n"
        "nodes = asyncio.run(asyncio.run(comfyui.comfy_entrypoint()).get_node_list())\n"
        "[each.define_schema() for each in nodes]\n"
        "loaded = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(loaded & {'lipdub', 'torch', 'onnxruntime', 'cv2', 'scipy', 'ai_edge_litert'}))\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
