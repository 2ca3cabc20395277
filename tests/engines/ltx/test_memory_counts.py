"""What is counted without running anything, beside traces of the full size on torch's meta device."""

# ruff: noqa: E402

import weakref
from contextlib import ExitStack
from fractions import Fraction
from functools import partial

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from diffusers.models.transformers.transformer_ltx2 import LTX2VideoTransformer3DModel
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from lipdub.engines.ltx import transformer
from lipdub.engines.ltx.generation import GenerationSize
from lipdub.engines.ltx.memory_counts import codec_bytes, decoder_bytes, encoder_bytes, forward_bytes
from lipdub.engines.ltx.tiles import TileSize


def _size(width: int, height: int, frames: int = 121) -> GenerationSize:
    return GenerationSize(frames, Fraction(25), height, width)


@pytest.mark.parametrize(
    ("size", "gigabytes"),
    [
        (_size(768, 768), 7.17),
        (_size(896, 704), 7.67),
        (_size(512, 512), 3.19),
        (_size(1920, 1088), 25.4),
        (_size(768, 768, 57), 3.59),
    ],
)
def test_a_forward_pass_is_counted(size, gigabytes):
    assert forward_bytes(4096, size) / 1e9 == pytest.approx(gigabytes, rel=0.005)


@pytest.mark.parametrize(
    ("tiles", "decoded", "encoded"),
    [
        (TileSize(), 4.68, 3.75),
        (TileSize(512), 2.84, 1.67),
        (TileSize(512, (48, 16)), 1.90, 1.13),
    ],
)
def test_the_video_vae_is_counted_as_traced(tiles, decoded, encoded):
    size = _size(768, 768)
    assert 0.97 <= decoder_bytes(tiles, size) / 1e9 / decoded <= 1.12
    assert 0.97 <= encoder_bytes(tiles, size) / 1e9 / encoded <= 1.12
    assert codec_bytes(tiles, size) == max(decoder_bytes(tiles, size), encoder_bytes(tiles, size))


class _LiveBytes(TorchDispatchMode):
    """Counts the bytes of all tensors that are alive at once, but for those of ``model``."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self._weights = [tensor.untyped_storage() for tensor in [*model.parameters(), *model.buffers()]]
        self._sizes = {storage._cdata: 0 for storage in self._weights}
        self._now = self.peak = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple | list) else [made]:
            if isinstance(tensor, torch.Tensor):
                self._note(tensor.untyped_storage())
        return made

    def _note(self, storage) -> None:
        key = storage._cdata
        if key not in self._sizes:
            self._sizes[key] = storage.nbytes()
            self._now += storage.nbytes()
            self.peak = max(self.peak, self._now)
            weakref.finalize(storage, self._gone, key)

    def _gone(self, key: int) -> None:
        self._now -= self._sizes.pop(key)


class _FusedAttention(TorchFunctionMode):
    """Attention as fused kernels do it: nothing is held but the result."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.nn.functional.scaled_dot_product_attention:
            return torch.empty_like(args[0] if args else kwargs["query"])
        return func(*args, **(kwargs or {}))


@pytest.mark.slow
@pytest.mark.parametrize("size", [_size(768, 768), _size(896, 704)])
def test_a_traced_forward_pass_needs_what_is_counted(size):
    """Two blocks of the full width: memory does not grow with the number of blocks."""
    with torch.device("meta"):
        model = LTX2VideoTransformer3DModel(
            num_layers=2,
            gated_attn=True,
            cross_attn_mod=True,
            audio_gated_attn=True,
            audio_cross_attn_mod=True,
            rope_type="split",
            use_prompt_embeddings=False,
            perturbed_attn=True,
        ).bfloat16()
    model.requires_grad_(False)
    frames, rows, columns = size.latent_grid()
    counts = {"video": 2 * frames * rows * columns, "audio": 2 * size.audio_latents}
    empty = partial(torch.empty, device="meta")
    levels = {
        "video": (model.time_embed, model.av_cross_attn_video_scale_shift),
        "audio": (model.audio_time_embed, model.av_cross_attn_audio_scale_shift),
    }
    for modality, modules in levels.items():
        for module in modules:
            module.register_forward_pre_hook(partial(transformer._replace_timesteps, empty(2)))
            rows_of = empty(counts[modality], dtype=torch.long)
            module.register_forward_hook(partial(transformer._expand_rows, rows_of))
    with ExitStack() as modes:
        modes.enter_context(torch.no_grad())
        live = modes.enter_context(_LiveBytes(model))
        modes.enter_context(_FusedAttention())
        model(
            hidden_states=empty(1, counts["video"], 128, dtype=torch.bfloat16),
            audio_hidden_states=empty(1, counts["audio"], 128, dtype=torch.bfloat16),
            encoder_hidden_states=empty(1, 1024, 4096, dtype=torch.bfloat16),
            audio_encoder_hidden_states=empty(1, 1024, 2048, dtype=torch.bfloat16),
            timestep=empty(1, counts["video"]),
            audio_timestep=empty(1, counts["audio"]),
            sigma=empty(1),
            audio_sigma=empty(1),
            video_coords=empty(1, 3, counts["video"], 2),
            audio_coords=empty(1, 1, counts["audio"], 2),
            use_cross_timestep=False,
            return_dict=False,
        )
    assert live.peak == pytest.approx(forward_bytes(4096, size), rel=0.01)
