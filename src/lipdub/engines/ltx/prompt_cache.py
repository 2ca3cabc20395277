"""Encodes each prompt once, and stores its context in a folder.

The text encoder is half as big as the transformer and is needed for a second or two. So all prompts of a clip are
encoded together, before the transformer is read, and the text encoder is freed. Their contexts (12.6 MB each in
bfloat16) are stored under names made from the prompt and from the files that encoded it. If all contexts are stored
already, the text encoder is not read at all.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from diffusers.pipelines.ltx2.connectors import LTX2TextConnectors
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from lipdub.disk.publish import atomic_output
from lipdub.engines.ltx.checkpoint import read_modules
from lipdub.engines.ltx.checkpoint_digest import add_samples
from lipdub.engines.ltx.layered_encoder import PROMPTS_AT_ONCE
from lipdub.engines.ltx.placement import TextEncoderPlacement, WeightPlacement
from lipdub.engines.ltx.safetensors_header import SafetensorsHeader
from lipdub.engines.ltx.sampler import Context
from lipdub.engines.ltx.text_encoder import TextEncoder, TextEncoderFiles, connect, encode_prompt, read_text_encoder
from lipdub.engines.ltx.weights_folder import LtxFiles, text_encoder_shape
from lipdub.errors import WeightsError
from lipdub.process.memory import give_back_memory
from lipdub.weights import log

_DIGEST = "sha256"


class PromptCache:
    """The contexts of prompts, in memory and in ``folder`` (None: in memory only)."""

    def __init__(self, files: LtxFiles, placement: TextEncoderPlacement, folder: Path | None = None) -> None:
        """Contexts made with ``files``. ``placement`` may be changed between calls."""
        self.files, self.placement, self.folder = files, placement, folder
        self._contexts: dict[str, Context] = {}
        self._digest = ""

    def prepare(self, prompts: Iterable[str]) -> None:
        """Read or make the contexts of ``prompts``. The text encoder is read only if a context is missing.

        Raises ``WeightsError`` if the text encoder has to be read and cannot be.
        """
        needed = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._contexts]
        for prompt in needed:
            if (context := self._stored(prompt)) is not None:
                self._contexts[prompt] = context
        new = [prompt for prompt in needed if prompt not in self._contexts]
        if new:
            for prompt, context in zip(new, _encode_prompts(self.files, self.placement, new), strict=True):
                self._contexts[prompt] = context
                self._store(prompt, context)
            _free_memory()

    def context(self, prompt: str) -> Context:
        """The context of ``prompt``, on the CPU. Raises as ``prepare`` does."""
        self.prepare([prompt])
        return self._contexts[prompt]

    def _path(self, folder: Path, prompt: str) -> Path:
        if not self._digest:
            self._digest = files_digest(self.files)
        name = f"{self._digest}|{self.placement.dtype}|{prompt.strip()}"
        return folder / f"{hashlib.sha256(name.encode()).hexdigest()}.safetensors"

    def _stored(self, prompt: str) -> Context | None:
        if self.folder is None:
            return None
        path = self._path(self.folder, prompt)
        try:
            with safe_open(path, "pt") as file:
                digest = (file.metadata() or {}).get(_DIGEST)
            both = load_file(path)
            if digest == _context_digest(both):
                return both["video"], both["audio"]
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, KeyError):
            pass
        log(f"{path}: what was kept there is damaged and is made again")
        return None

    def _store(self, prompt: str, context: Context) -> None:
        """Write ``context``; the file appears under its name when it is complete."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        both = {"video": context[0].contiguous(), "audio": context[1].contiguous()}
        with atomic_output(self._path(self.folder, prompt), overwrite=True) as part:
            save_file(both, part, {_DIGEST: _context_digest(both)})


def _context_digest(both: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of the bytes of a context's two tensors, in hexadecimal."""
    digest = hashlib.sha256()
    for name in ("video", "audio"):
        digest.update(both[name].contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _encode_prompts(files: LtxFiles, placement: TextEncoderPlacement, prompts: list[str]) -> list[Context]:
    """Read the text encoder and the connectors, encode ``prompts``, and release both."""
    if placement.offload:
        groups = (prompts[i : i + PROMPTS_AT_ONCE] for i in range(0, len(prompts), PROMPTS_AT_ONCE))
        return [context for group in groups for context in _encode_layered(files, placement, group)]
    encoder, connectors = read_encoder(files, placement)
    contexts = (encode_prompt(encoder, connectors, prompt) for prompt in prompts)
    return [(video.cpu(), audio.cpu()) for video, audio in contexts]


def _encode_layered(files: LtxFiles, placement: TextEncoderPlacement, prompts: list[str]) -> list[Context]:
    """Encode ``prompts`` with layers that are read one by one; the connectors are read when the layers are freed."""
    whole = WeightPlacement(placement.device, placement.dtype)
    check_encoder(files)
    states = list(TextEncoderFiles(files.text_encoder, whole).layered_states(prompts))
    connectors = read_connectors(files, placement)
    contexts = []
    while states:
        video, audio = connect(connectors, *states.pop(0))
        contexts.append((video.cpu(), audio.cpu()))
    return contexts


def read_encoder(files: LtxFiles, placement: TextEncoderPlacement) -> tuple[TextEncoder, LTX2TextConnectors]:
    """The whole text encoder and the connectors that belong to it.

    Raises ``WeightsError`` if they cannot be read or do not belong together.
    """
    check_encoder(files)
    connectors = read_connectors(files, placement)
    return read_text_encoder(files.text_encoder, WeightPlacement(placement.device, placement.dtype)), connectors


def read_connectors(files: LtxFiles, placement: TextEncoderPlacement) -> LTX2TextConnectors:
    """The connectors, on the device. Raises ``WeightsError``."""
    _, width, _ = text_encoder_shape(files.text_encoder)
    whole = WeightPlacement(placement.device, placement.dtype)
    connectors = read_modules(files.checkpoint, ["connectors"], width, whole)["connectors"]
    assert isinstance(connectors, LTX2TextConnectors)
    return connectors


def check_encoder(files: LtxFiles) -> None:
    """Raise ``WeightsError`` unless the connectors take as many hidden states as the text encoder gives."""
    _, width, states = text_encoder_shape(files.text_encoder)
    shapes = SafetensorsHeader.of(files.checkpoint).shapes
    stacked = next((shape[1] for name, shape in shapes.items() if name.endswith("video_aggregate_embed.weight")), 0)
    if stacked != width * states:
        why = f"it gives {states} hidden states and the checkpoint wants {stacked // width}"
        raise WeightsError(f"another text encoder than the checkpoint's: {why}", file=files.text_encoder)


def _free_memory() -> None:
    """Free released modules at once: hooks make reference cycles, which only the garbage collector removes."""
    give_back_memory()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def files_digest(files: LtxFiles) -> str:
    """A digest of the files that decide about contexts: the text encoder's and the checkpoint.

    Of each file its size and 16 samples of 64 KiB, from its start to its end, are read, so that it takes no time.
    """
    digest = hashlib.sha256()
    for path in [*sorted(p for p in files.text_encoder.iterdir() if p.is_file()), files.checkpoint]:
        digest.update(f"{path.name if path != files.checkpoint else ''}|".encode())
        add_samples(digest, path)
    return digest.hexdigest()
