"""VIDEO as a file, scripts, and one bar for all stages."""

import io as byte_streams
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comfyui.tests.conftest import SCRIPT, Pack
from comfyui.tests.fake_comfy import VideoFromElsewhere, VideoFromFile
from hypothesis import given
from hypothesis import strategies as st


class Older(VideoFromFile):
    """A version of ComfyUI that trims and does not tell: it has only private names for it."""

    get_active_trim_window = property()  # type: ignore[assignment]

    def __init__(self, file: str, start_time: float) -> None:
        super().__init__(file)
        self._VideoFromFile__start_time = start_time


def test_a_video_in_a_file_goes_by_its_path(pack: Pack, talk: Path) -> None:
    """Nothing is copied; frames are not asked for (the fake would fail)."""
    places = pack.module("places")
    assert places.source_file(VideoFromFile(str(talk))) == talk
    assert places.source_file(Older(str(talk), 0.0)) == talk
    assert not (pack.comfy.base / "output" / "lipdub").exists()


@pytest.mark.parametrize(
    "made",
    [
        lambda talk: VideoFromFile(byte_streams.BytesIO(talk.read_bytes())),
        lambda talk: VideoFromFile(str(talk), start_time=1.0),
        lambda talk: VideoFromFile(str(talk), duration=1.0),
        lambda talk: Older(str(talk), 0.5),
        VideoFromElsewhere,
    ],
)
def test_other_videos_are_written_by_comfyui_once(pack: Pack, talk: Path, made: Any) -> None:
    """In memory, trimmed, or from frames: the same content becomes the same file."""
    places = pack.module("places")
    first, second = places.source_file(made(talk)), places.source_file(made(talk))
    assert first == second
    assert first.name == "video.mp4"
    assert [p.name for p in (pack.comfy.base / "output" / "lipdub" / "videos").iterdir()] == [first.parent.name]


def test_a_video_that_cannot_be_written(pack: Pack) -> None:
    """One sentence, and no part of a file stays."""

    class Broken(VideoFromElsewhere):
        def save_to(self, path: str) -> None:
            Path(path).write_bytes(b"half")
            raise ValueError("no frames")

    with pytest.raises(pack.module("problems").LipdubError, match=r"no frames.*Load Video"):
        pack.module("places").source_file(Broken(Path("x")))
    assert not list((pack.comfy.base / "output" / "lipdub" / "videos").iterdir())


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        (SCRIPT, ".srt"),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nHola.", ".vtt"),
        ("[Script Info]\nTitle: x", ".ass"),
        ('[{"text": "Hola."}]', ".json"),
        ("Hola a todos.\nAdiós.", ".txt"),
        ("Read talk.srt", ".srt-file"),
    ],
)
def test_kinds_of_scripts(pack: Pack, text: str, suffix: str) -> None:
    """A text is kept under its kind; what looks like the name of a file is one."""
    places = pack.module("places")
    place = places.ProjectPlace("p")
    if suffix == ".srt-file":
        with pytest.raises(pack.module("problems").LipdubError, match="There is no script"):
            places.script_file(text, place)
        return
    file = places.script_file(text, place)
    assert file.suffix == suffix
    assert file == places.script_file(f"\n{text}\n", place)


def test_a_script_of_the_input_folder(pack: Pack) -> None:
    """Also in a folder of it; a link out of it is refused."""
    places, folder = pack.module("places"), pack.comfy.base / "input"
    (folder / "sub").mkdir()
    (folder / "sub" / "a.srt").write_text(SCRIPT, "utf-8")
    assert places.script_file("sub/a.srt", places.ProjectPlace("p")) == (folder / "sub" / "a.srt").resolve()
    (folder / "link.srt").symlink_to(pack.comfy.base / "elsewhere.srt")
    with pytest.raises(pack.module("problems").LipdubError, match="outside"):
        places.script_file("link.srt", places.ProjectPlace("p"))
    assert places.script_file("  \n", places.ProjectPlace("p")) is None


@given(st.lists(st.tuples(st.sampled_from(["preflight", "render", "mix", "a new one"]), st.integers(0, 9))))
def test_the_bar_never_goes_back(told: list[tuple[str, int]]) -> None:
    """Whatever stages come in whatever order."""
    from comfyui.lipdub_nodes.stage_progress import _SHARES, STEPS, StageProgress

    assert sum(_SHARES.values()) == STEPS
    shown: list[int] = []
    names: list[str] = []
    progress = StageProgress(shown.append, names.append)
    for stage, done in told:
        progress.told(stage, done, 5)
    progress.finished()
    assert shown == sorted(set(shown))
    assert shown[-1] == STEPS
    assert len(names) == len({stage for stage, _ in told})


def test_the_stages_of_the_bar_are_those_of_lipdub() -> None:
    """A stage that is renamed there would stop moving the bar here."""
    from comfyui.lipdub_nodes.stage_progress import _SHARES

    from lipdub.cli.screen import STAGES

    assert set(_SHARES) <= set(STAGES)


def test_sound_goes_there_and_back(pack: Pack, tmp_path: Path) -> None:
    """A tensor on a device, with a history, in half precision; and back as a map of the file."""
    torch = pytest.importorskip("torch")
    sound = pack.module("sound")
    wave = torch.linspace(-1, 1, 20, requires_grad=True).reshape(1, 2, 10).half()
    assert sound.write_audio({"waveform": wave, "sample_rate": 48_000}, tmp_path / "a.npy") == 48_000
    back = sound.read_audio(tmp_path / "a.npy", 48_000)
    assert back["waveform"].shape == (1, 2, 10)
    assert back["waveform"].dtype == torch.float32
    np.testing.assert_allclose(back["waveform"].numpy(), wave.detach().float().numpy(), atol=1e-3)
    assert sound.silent_audio()["waveform"].shape == (1, 2, 1)


def test_options_of_the_command_line_become_inputs(pack: Pack) -> None:
    """Those that a node has; others stay."""
    told = pack.module("problems").in_node_words
    assert told("Name it: --face largest, or --engine-option device=cpu. See --overwrite.") == (
        "Name it: the input people largest, or the input engine_options device=cpu. See --overwrite."
    )
    assert told("a--voice --voices") == "a--voice --voices"


def test_folders_come_from_comfyui(pack: Pack) -> None:
    """The temporary one is made where ComfyUI has not yet."""
    host = pack.module("host")
    (pack.comfy.base / "temp").rmdir()
    assert host.temporary_folder().is_dir()
    assert host.video_from_file(Path("a.mp4")).file == "a.mp4"
