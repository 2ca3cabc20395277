"""The Dub-It pipeline: a source clip in, the same clip saying something else out.

Stage 1 works at half the width and height: picture and sound are denoised together from noise, with the source clip as
reference tokens. Then the picture is upsampled by two and denoised again at full size (stage 2), with the sound frozen.
If the user brings the new voice, that sound is frozen in both stages and the picture follows it; the user's own samples
are returned unchanged.

Each step is a method that can be called alone with what the step before it returned.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import torch
from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel

from lipdub.engines.ltx import audio_latents, sampler, tiling, tokens, video_pixels
from lipdub.engines.ltx.checkpoint import CheckpointModules, Module
from lipdub.engines.ltx.generation import GenerationSize, MemoryOptions, PipelineOptions, SourceVideo, StepCallback
from lipdub.engines.ltx.prompt_cache import PromptCache
from lipdub.engines.ltx.sampler import Context, DenoisingInputs
from lipdub.engines.ltx.text_encoder import TextEncoder, encode_prompt
from lipdub.engines.ltx.tiles import Tiling
from lipdub.engines.ltx.tokens import SPATIAL, AudioLatent, Tokens, VideoLatent
from lipdub.engines.ltx.video_pixels import Frames, Pixels
from lipdub.errors import OptionError
from lipdub.timeline.sound import Sound


@dataclass(frozen=True, eq=False)
class PipelineOutput:
    """``frames`` (for the first 8 k + 1 of the source's) at ``rate``, their ``sound``, and the normalised latents.

    ``sound`` is the user's own sound if it was given.
    """

    frames: Frames
    rate: Fraction
    sound: Sound
    video_latent: VideoLatent
    audio_latent: AudioLatent


class LipDubPipeline:
    """The networks, and the steps of a dub. The same inputs and generator give the same result.

    ``working`` says what was at work last, and ``streamed`` whether the transformer's blocks are streamed.
    """

    def __init__(
        self,
        modules: CheckpointModules,
        upsampler: LTX2LatentUpsamplerModel,
        text_encoder: TextEncoder | PromptCache | None,
        downscale: int = 1,
        memory: MemoryOptions | None = None,
    ) -> None:
        """``modules`` with the LoRA applied, and the ``downscale`` factor of that LoRA. Without a ``text_encoder``,
        prompts must be given as contexts."""
        self.modules, self.upsampler, self.text_encoder = modules, upsampler, text_encoder
        self.downscale, self.memory = downscale, memory or MemoryOptions()
        self.working: Literal["", "video VAE", "transformer", "other"] = ""
        self.streamed = False

    @torch.no_grad()
    def __call__(
        self,
        video: SourceVideo,
        audio: Sound,
        prompt: str | Context,
        *,
        dub: Sound | None = None,
        generator: torch.Generator | None = None,
        **options: Any,
    ) -> PipelineOutput:
        """Dub ``video``, whose whole sound is ``audio``, so that it says what ``prompt`` says.

        ``dub``: the new voice from the first frame on, if the user brings it. ``generator`` draws the noise (seed 0
        if None). ``options``: the fields of ``PipelineOptions``. Raises ``OptionError`` for impossible sizes.
        """
        chosen = PipelineOptions(**options)
        size = GenerationSize.of(video, chosen)
        generator = torch.Generator().manual_seed(0) if generator is None else generator
        context = self.context(prompt)
        source_audio = self.encode_audio(audio)
        own = None if dub is None else audio_latents.fit_length(self.encode_audio(dub), size.audio_latents)

        half = size.halved()
        inputs = self.stage_1_inputs(half, context, (self.video_reference(video, half), source_audio), own)
        video_tokens, audio_tokens = self.run_stage(inputs, 1, generator, chosen.on_step)
        small = tokens.unpack_video(video_tokens, half.latent_grid())
        voice = tokens.unpack_audio(audio_tokens, source_audio.shape[3])

        generated = self.upsample(small), voice
        inputs = self.stage_2_inputs(size, context, generated, self.video_reference(video, size))
        video_tokens, _ = self.run_stage(inputs, 2, generator, chosen.on_step)
        large = tokens.unpack_video(video_tokens, size.latent_grid())
        frames = np.concatenate([video_pixels.to_bytes(part) for part in self.decode_video(large)])
        return PipelineOutput(frames, video.rate, self.decode_audio(voice) if dub is None else dub, large, voice)

    def others(self) -> list[torch.nn.Module]:
        """The networks besides the transformer (and the text encoder)."""
        modules = self.modules
        return [modules.video_vae, modules.audio_vae, modules.vocoder, self.upsampler]

    @property
    def device(self) -> torch.device:
        """The device of the transformer."""
        return self.modules.transformer.device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the tokens, which is the transformer's."""
        return self.modules.transformer.dtype

    def prepare_prompts(self, prompts: Iterable[str]) -> None:
        """Encode ``prompts`` in advance, so that a text encoder that must be read is read once for all of them."""
        if isinstance(self.text_encoder, PromptCache):
            self.text_encoder.prepare(prompts)

    def context(self, prompt: str | Context) -> Context:
        """The prompt as the transformer reads it; a context is returned as it is.

        Raises ``OptionError`` for a prompt in words if there is no text encoder.
        """
        if not isinstance(prompt, str):
            return prompt
        if isinstance(self.text_encoder, PromptCache):
            video, audio = self.text_encoder.context(prompt)
        elif self.text_encoder is None or self.modules.connectors is None:
            raise OptionError("a prompt in words needs the text encoder, which was not loaded")
        else:
            video, audio = encode_prompt(self.text_encoder, self.modules.connectors, prompt)
        return video.to(self.device, self.dtype), audio.to(self.device, self.dtype)

    def encode_audio(self, sound: Sound) -> AudioLatent:
        """The normalised latent of a whole sound, 25 latent frames a second."""
        mel = audio_latents.mel_of_sound(sound)
        with self._on_device(self.modules.audio_vae) as vae:
            return audio_latents.encode(vae, mel).to(self.device, self.dtype)

    def video_reference(self, video: SourceVideo, size: GenerationSize) -> VideoLatent:
        """The normalised latent of the source at ``size``, smaller by the LoRA's factor ``downscale``."""
        height, width = size.height // self.downscale, size.width // self.downscale
        if min(height, width) < SPATIAL:
            raise OptionError(f"{size.width} x {size.height} pixels are too small for this LoRA's references")
        pixels = video_pixels.fit_frames(video.frames[: size.frames], height, width)
        with self._on_device(self.modules.video_vae) as vae:
            return tiling.encode(vae, pixels, self.memory.tiles.encoding).to(self.device, self.dtype)

    def stage_1_inputs(
        self,
        size: GenerationSize,
        context: Context,
        references: tuple[VideoLatent, AudioLatent],
        own: AudioLatent | None = None,
    ) -> DenoisingInputs:
        """Stage 1: an empty picture, and an empty sound or the frozen sound ``own``, with the source's latents (video,
        audio) as references."""
        video, audio = references
        empty = torch.zeros(1, video.shape[1], *size.latent_grid(), device=self.device, dtype=self.dtype)
        if own is None:
            silence = torch.zeros(1, audio.shape[1], size.audio_latents, audio.shape[3]).to(audio)
            audio_sequence = self._audio_sequence(silence, audio, frozen=False)
        else:
            audio_sequence = self._audio_sequence(own, audio, frozen=True)
        return DenoisingInputs(self._video_sequence(size, empty, video), audio_sequence, context)

    def stage_2_inputs(
        self,
        size: GenerationSize,
        context: Context,
        generated: tuple[VideoLatent, AudioLatent],
        reference: VideoLatent,
    ) -> DenoisingInputs:
        """Stage 2: the upsampled picture, and the sound of stage 1, which is frozen and its own reference."""
        video, audio = generated
        audio_sequence = self._audio_sequence(audio, audio, frozen=True)
        return DenoisingInputs(self._video_sequence(size, video, reference), audio_sequence, context)

    def _video_sequence(
        self, size: GenerationSize, latent: VideoLatent, reference: VideoLatent
    ) -> tokens.TokenSequence:
        positions = tokens.video_positions(tokens.latent_grid(latent), size.rate)
        reference_positions = tokens.video_positions(tokens.latent_grid(reference), size.rate, self.downscale)
        target = tokens.target_sequence(tokens.pack_video(latent), positions.to(self.device))
        packed = tokens.pack_video(reference)
        return target.joined(
            tokens.reference_sequence(packed, reference_positions.to(self.device), size.reference_strength)
        )

    def _audio_sequence(self, latent: AudioLatent, reference: AudioLatent, frozen: bool) -> tokens.TokenSequence:
        positions = tokens.audio_positions(latent.shape[2])
        before = tokens.shift_before_zero(tokens.audio_positions(reference.shape[2]))
        target = tokens.target_sequence(tokens.pack_audio(latent), positions.to(self.device), frozen)
        return target.joined(tokens.reference_sequence(tokens.pack_audio(reference), before.to(self.device)))

    def run_stage(
        self,
        inputs: DenoisingInputs,
        stage: int,
        generator: torch.Generator,
        on_step: StepCallback | None = None,
    ) -> tuple[Tokens, Tokens]:
        """Draw noise for the picture, then for the sound (even if it is frozen), and denoise.

        Returns the target tokens (video, audio).
        """
        self.working = "transformer"
        sigmas = {1: sampler.STAGE_1_SIGMAS, 2: sampler.STAGE_2_SIGMAS}[stage]
        start = (
            inputs.video.noised(self._noise(inputs.video, generator), sigmas[0]),
            inputs.audio.noised(self._noise(inputs.audio, generator), sigmas[0]),
        )
        step = None if on_step is None else lambda done, total: on_step(stage, done, total)
        return sampler.denoise(self.modules.transformer, inputs, start, sigmas, step)

    def _noise(self, sequence: tokens.TokenSequence, generator: torch.Generator) -> Tokens:
        shape = sequence.latent.shape
        return torch.randn(shape, generator=generator, device=generator.device, dtype=self.dtype).to(self.device)

    def upsample(self, latent: VideoLatent) -> VideoLatent:
        """The latent at twice the height and width."""
        with self._on_device(self.upsampler) as upsampler, self._on_device(self.modules.video_vae) as vae:
            return tiling.upsample(vae, upsampler, latent)

    def decode_video(self, latent: VideoLatent) -> Iterator[Pixels]:
        """The pixels of a latent, in groups of frames in order; memory does not grow with the number of frames."""
        height, width = latent.shape[3] * SPATIAL, latent.shape[4] * SPATIAL
        with self._on_device(self.modules.video_vae) as vae:
            yield from tiling.decode(vae, latent, Tiling.of(height, width, self.memory.tiles))

    def decode_audio(self, latent: AudioLatent) -> Sound:
        """The sound of a latent, stereo at 48 kHz."""
        with self._on_device(self.modules.audio_vae) as vae:
            mel = audio_latents.decode(vae, latent)
        with self._on_device(self.modules.vocoder) as vocoder:
            return audio_latents.vocode(vocoder, mel)

    @contextmanager
    def _on_device(self, module: Module) -> Iterator[Module]:
        """``module`` on the transformer's device; afterwards it is moved back to the CPU if ``memory.offload``."""
        self.working = "video VAE" if module is self.modules.video_vae else "other"
        if not self.memory.offload:
            yield module
            return
        module.to(self.device)
        try:
            yield module
        finally:
            module.to("cpu")
