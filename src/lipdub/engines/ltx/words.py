"""Prompts to contexts, each once: the text encoder is read, used and freed, and what it told is kept in a folder.

The text encoder is as big as half the transformer and is needed for a second or two. So all prompts of a clip are
encoded at once, before the transformer is read, and their contexts (12.6 MB each in bfloat16) are kept under a name
made from the prompt and from the files that encoded it. If all are there, the text encoder is not read at all.
"""

import gc
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.hooks.group_offloading import apply_group_offloading
from diffusers.pipelines.ltx2.connectors import LTX2TextConnectors
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from lipdub.disk.publish import atomic_output
from lipdub.engines.ltx import text
from lipdub.engines.ltx.checkpoint import Placement, read_parts
from lipdub.engines.ltx.folder import Files, text_shape
from lipdub.engines.ltx.sampler import Context
from lipdub.errors import WeightsError
from lipdub.weights import log

_SAMPLES, _SAMPLE = 16, 1 << 16
_DIGEST = "sha256"


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the text encoder works: on ``device`` in ``dtype``; ``offload`` streams it there layer by layer, from the
    host's memory, instead of putting it there whole."""

    device: str = "cpu"
    dtype: torch.dtype = torch.bfloat16
    offload: bool = False


class Words:
    """The contexts of prompts, kept in memory for the session and in the folder ``kept`` for ever (None: nowhere)."""

    def __init__(self, files: Files, desk: Desk, kept: Path | None = None) -> None:
        self.files, self.desk, self.kept = files, desk, kept
        self._known: dict[str, Context] = {}
        self._digest = ""

    def learn(self, prompts: Iterable[str]) -> None:
        """Make sure of the contexts of ``prompts``; the text encoder is read if one is neither known nor kept.

        Raises ``WeightsError`` if the text encoder has to be read and cannot be.
        """
        wanted = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._known]
        for prompt in wanted:
            if (context := self._found(prompt)) is not None:
                self._known[prompt] = context
        new = [prompt for prompt in wanted if prompt not in self._known]
        if new:
            for prompt, context in zip(new, _encoded(self.files, self.desk, new), strict=True):
                self._known[prompt] = context
                self._keep(prompt, context)
            _swept()

    def context(self, prompt: str) -> Context:
        """The context of ``prompt``, on the CPU."""
        self.learn([prompt])
        return self._known[prompt]

    def _path(self, kept: Path, prompt: str) -> Path:
        if not self._digest:
            self._digest = digest(self.files)
        told = f"{self._digest}|{self.desk.dtype}|{prompt.strip()}"
        return kept / f"{hashlib.sha256(told.encode()).hexdigest()}.safetensors"

    def _found(self, prompt: str) -> Context | None:
        if self.kept is None:
            return None
        path = self._path(self.kept, prompt)
        try:
            with safe_open(path, "pt") as file:
                told = (file.metadata() or {}).get(_DIGEST)
            both = load_file(path)
            if told == _digest_of(both):
                return both["video"], both["audio"]
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, KeyError):
            pass
        log(f"{path}: what was kept there is damaged and is made again")
        return None

    def _keep(self, prompt: str, context: Context) -> None:
        """Write it under its name when it is whole, and not before."""
        if self.kept is None:
            return
        self.kept.mkdir(parents=True, exist_ok=True)
        both = {"video": context[0].contiguous(), "audio": context[1].contiguous()}
        with atomic_output(self._path(self.kept, prompt), overwrite=True) as part:
            save_file(both, part, {_DIGEST: _digest_of(both)})


def _digest_of(both: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of the bytes of two contexts, in hex."""
    told = hashlib.sha256()
    for name in ("video", "audio"):
        told.update(both[name].contiguous().view(torch.uint8).numpy().tobytes())
    return told.hexdigest()


def _encoded(files: Files, desk: Desk, prompts: list[str]) -> list[Context]:
    """Read the text encoder and the connectors, encode, and let go of both."""
    encoder, connectors = read_encoder(files, desk)
    made = (text.encode(encoder, connectors, prompt) for prompt in prompts)
    return [(video.cpu(), audio.cpu()) for video, audio in made]


def read_encoder(files: Files, desk: Desk) -> tuple[text.TextEncoder, LTX2TextConnectors]:
    """The text encoder and the connectors that belong to it, at ``desk``.

    Raises ``WeightsError`` if they cannot be read or do not belong together.
    """
    whole = Placement(desk.device, desk.dtype)
    _, width, states = text_shape(files.text_encoder)
    module = read_parts(files.checkpoint, ["connectors"], width, whole)["connectors"]
    assert isinstance(module, LTX2TextConnectors)
    check_depth(files, module, states)
    encoder = text.read_text_encoder(files.text_encoder, Placement("cpu", desk.dtype) if desk.offload else whole)
    if desk.offload:
        _streamed(encoder.model, desk.device)
        encoder = text.TextEncoder(encoder.tokenizer, encoder.model, torch.device(desk.device))
    return encoder, module


def check_depth(files: Files, connectors: LTX2TextConnectors, states: int) -> None:
    """Raise ``WeightsError`` unless the connectors want as many hidden ``states`` as the text encoder gives."""
    wanted = connectors.config["text_proj_in_factor"]
    if wanted != states:
        told = f"it gives {states} hidden states and the checkpoint wants {wanted}"
        raise WeightsError(f"another text encoder than the checkpoint's: {told}", file=files.text_encoder)


def _streamed(model: torch.nn.Module, device: str) -> None:
    """Layer by layer from the host's memory to ``device`` and back, ahead of the work where the device can."""
    apply_group_offloading(
        model,
        onload_device=torch.device(device),
        offload_device=torch.device("cpu"),
        offload_type="leaf_level",
        use_stream=device.startswith("cuda"),
    )


def _swept() -> None:
    """Give back what was let go of: hooks tie modules into circles that only the collector unties."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def digest(files: Files) -> str:
    """Of what decides about contexts: the text encoder's files and the checkpoint. Of big files their size, both ends
    and samples between are read, so that it takes no time."""
    told = hashlib.sha256()
    for path in [*sorted(p for p in files.text_encoder.iterdir() if p.is_file()), files.checkpoint]:
        size = path.stat().st_size
        told.update(f"{path.name if path != files.checkpoint else ''}|{size}|".encode())
        with path.open("rb") as file:
            for i in range(_SAMPLES):
                file.seek(max(0, size - _SAMPLE) * i // (_SAMPLES - 1))
                told.update(file.read(_SAMPLE))
    return told.hexdigest()
