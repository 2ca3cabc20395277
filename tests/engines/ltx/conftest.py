"""The tiny checkpoint in the published layout, and the recordings of the reference implementation.

Both come from ``tests/golden``: the weights are written by rule into a folder of the session, the recordings are
read. torch is imported inside the fixtures, so that without the ``ltx`` extra this file does no harm.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lipdub.timeline.sound import Sound

GOLDEN = Path(__file__).parents[2] / "golden"
A, B, C = "a_dubit_ds1_25fps", "b_dubit_ds2_ntsc", "c_own_dub_track"


@dataclass(frozen=True)
class RecordedCase:
    """One recorded run: its ``settings``, and the recorded tensors."""

    name: str
    settings: dict[str, Any]
    inputs: dict[str, Any]
    recorded: dict[str, Any] = field(repr=False)

    def __getitem__(self, name: str) -> Any:
        return self.recorded[name]

    @property
    def clip(self) -> dict[str, Any]:
        """The specification of the source clip."""
        return self.inputs[self.settings["input"]]

    @property
    def rate(self) -> Fraction:
        """Frames per second."""
        return Fraction(*self.clip["fps"])

    @property
    def downscale(self) -> int:
        """How much smaller the reference video is."""
        return 2 if self.settings["lora"].endswith("ds2.safetensors") else 1


@pytest.fixture(scope="session")
def files(ltx_files: Path) -> Path:
    """A folder with the checkpoint, the upsampler, two LoRAs and the text encoder."""
    return ltx_files


@pytest.fixture(scope="session")
def case(golden: SimpleNamespace) -> Callable[[str], RecordedCase]:
    """A recorded case by its name; case c has the prompt of case a."""
    torch = pytest.importorskip("safetensors.torch")
    read: dict[str, RecordedCase] = {}

    def case(name: str) -> RecordedCase:
        if name not in read:
            settings = golden.cases["cases"][name]
            recorded = torch.load_file(GOLDEN / f"{name}.safetensors")
            other = settings.get("derived", {}).get("prompt_tensors_in")
            if other:
                recorded |= {k: v for k, v in case(other).recorded.items() if k.startswith("prompt.")}
            read[name] = RecordedCase(name, settings, golden.cases["inputs"], recorded)
        return read[name]

    return case


@pytest.fixture(scope="session")
def frames(golden: SimpleNamespace) -> Callable[[dict], np.ndarray]:
    """The frames of a specification, checked against the digest it was recorded with."""

    def frames(spec: dict) -> np.ndarray:
        made = golden.inputs.frames(spec)
        if "sha256" in spec:
            assert hashlib.sha256(made.tobytes()).hexdigest()[:16] == spec["sha256"]["frames"]
        return made

    return frames


@pytest.fixture(scope="session")
def wave(golden: SimpleNamespace) -> Callable[[dict], Sound]:
    """The sound of a specification."""
    return lambda spec: Sound(golden.inputs.wave(spec["audio"]), spec["audio"]["rate"])


@pytest.fixture(scope="session")
def exact() -> Any:
    """Everything in float32 on the CPU, one thread, so that the recordings can be met."""
    torch = pytest.importorskip("torch")
    from lipdub.engines.ltx.placement import WeightPlacement

    torch.set_num_threads(1)
    return WeightPlacement("cpu", torch.float32)


@pytest.fixture(scope="session")
def whole_pipeline() -> Callable[[Any, Any], Any]:
    """Makes a pipeline of all files in memory at once, its text encoder included, the LoRA added while it is read."""
    from typing import get_args

    from lipdub.engines.ltx.checkpoint import CheckpointModules, read_modules, read_upsampler
    from lipdub.engines.ltx.lora import fuse_transform, read_lora
    from lipdub.engines.ltx.pipeline import LipDubPipeline
    from lipdub.engines.ltx.prompt_cache import check_encoder
    from lipdub.engines.ltx.tensor_names import ModuleName
    from lipdub.engines.ltx.text_encoder import read_text_encoder

    def make(files: Any, placement: Any) -> Any:
        lora, encoder = read_lora(files.lora), read_text_encoder(files.text_encoder, placement)
        names, fused = get_args(ModuleName), fuse_transform(lora)
        modules = CheckpointModules(**read_modules(files.checkpoint, names, encoder.width, placement, fused))
        check_encoder(files)
        return LipDubPipeline(modules, read_upsampler(files.upsampler, placement), encoder, lora.downscale)

    return make


@pytest.fixture(scope="session")
def pipes(files: Path, golden: SimpleNamespace, exact: Any, whole_pipeline: Callable) -> Callable[[str], Any]:
    """A pipeline with one of the two LoRAs, by the LoRA's file name; made once."""
    from lipdub.engines.ltx.weights_folder import LtxFiles

    made: dict[str, Any] = {}

    def pipe(lora: str) -> Any:
        if lora not in made:
            paths = LtxFiles(files / "ckpt.safetensors", files / "upsampler.safetensors", files / "gemma", files / lora)
            made[lora] = whole_pipeline(paths, exact)
        return made[lora]

    return pipe


@pytest.fixture(scope="session")
def far() -> Callable[[Any, Any], float]:
    """Relative distance ||a - b|| / ||b|| of what was computed from what was recorded."""
    torch = pytest.importorskip("torch")

    def far(a: Any, b: Any) -> float:
        a, b = torch.as_tensor(a), torch.as_tensor(b)
        assert a.shape == b.shape
        return ((a.double() - b.double()).norm() / b.double().norm()).item()

    return far


@pytest.fixture(scope="session")
def stage_inputs(pipes: Callable, case: Callable) -> Callable[[str, int], Any]:
    """The denoising inputs of a stage of a case, from the recorded latents alone."""
    from lipdub.engines.ltx import tokens
    from lipdub.engines.ltx.generation import GenerationSize

    def inputs(name: str, stage: int) -> Any:
        recorded = case(name)
        pipe = pipes(recorded.settings["lora"])
        whole = GenerationSize(
            recorded.settings["derived"]["num_frames"],
            recorded.rate,
            recorded.settings["height"],
            recorded.settings["width"],
            recorded.settings["strength"],
        )
        setting = whole.halved() if stage == 1 else whole
        context = recorded["prompt.video"], recorded["prompt.audio"]
        grid = setting.latent_grid()
        smaller = grid[0], grid[1] // recorded.downscale, grid[2] // recorded.downscale
        video = tokens.unpack_video(recorded[f"s{stage}.video.ref_tokens"], smaller)
        if stage == 2:
            return pipe.stage_2_inputs(setting, context, (recorded["upsampled"], recorded["s1.audio_latent"]), video)
        audio = recorded["ref.audio_latent"]
        return pipe.stage_1_inputs(setting, context, (video, audio), recorded.recorded.get("own.audio_latent"))

    return inputs
