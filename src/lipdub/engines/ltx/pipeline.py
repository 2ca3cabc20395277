"""Dub-It from files to pictures: the clip in, the same clip saying something else out.

Two stages. At half size picture and sound are made together from noise, beside the source clip as reference; the
picture is then doubled and made again at full size, with the sound frozen. If the user brings the new voice, its
sound is frozen in both stages and the picture follows it; the user's own samples leave as they came.

Every step is a method that can be called by itself with what the step before it gave.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel

from lipdub.engines.ltx import video_pixels, sampler, audio_latents, text_encoder, tiling, tokens
from lipdub.engines.ltx.checkpoint import (
    ON_CPU,
    Module,
    CheckpointModules,
    WeightPlacement,
    read_checkpoint,
    read_upsampler,
)
from lipdub.engines.ltx.weights_folder import LtxFiles
from lipdub.engines.ltx.lora import fuse, read_lora
from lipdub.engines.ltx.video_pixels import Frames
from lipdub.engines.ltx.sampler import Context, DenoisingInputs
from lipdub.engines.ltx.tokens import SPATIAL, TEMPORAL, AudioLatent, Tokens, VideoLatent
from lipdub.engines.ltx.prompt_cache import PromptCache, check_state_count
from lipdub.errors import OptionError
from lipdub.timeline.sound import Sound

StepCallback = Callable[[int, int, int], None]
"""Told (stage, steps done, steps of the stage)."""


@dataclass(frozen=True, eq=False)
class SourceVideo:
    """Frames of the source at a constant ``rate`` (frames per second, exact)."""

    frames: Frames
    rate: Fraction


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """``height`` and ``width`` of what is made, in pixels, multiples of 64. ``reference_strength`` 0..1: how firmly
    the source's picture is held to (less lets the reference drift). ``watch`` is told of the progress."""

    height: int = 1024
    width: int = 1536
    reference_strength: float = 1.0
    watch: StepCallback | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class GenerationSize:
    """The sizes of one run: ``frames`` (8 k + 1) at ``rate``, ``height`` x ``width`` pixels."""

    frames: int
    rate: Fraction
    height: int
    width: int
    reference_strength: float = 1.0

    @classmethod
    def of(cls, video: SourceVideo, options: PipelineOptions) -> "GenerationSize":
        """As many frames as can be made of the footage. Raises ``OptionError`` for what cannot be made at all."""
        height, width, strength = options.height, options.width, options.reference_strength
        if min(height, width) < 64 or height % 64 or width % 64:
            raise OptionError(f"{width} x {height} pixels are not multiples of 64")
        if not 0 <= strength <= 1:
            raise OptionError(f"reference strength {strength} is not between 0 and 1")
        if len(video.frames) == 0 or video.rate <= 0:
            raise OptionError("there are no frames to dub")
        frames = (len(video.frames) - 1) // TEMPORAL * TEMPORAL + 1
        if frames == 1 and height == width == 64:
            raise OptionError("fewer than nine frames of 64 x 64 pixels are too little to make anything of")
        return cls(frames, video.rate, height, width, strength)

    @property
    def audio_latents(self) -> int:
        """Audio latents beside the frames."""
        return tokens.audio_latent_count(self.frames, self.rate)

    def halved(self) -> "GenerationSize":
        """The same at half height and width."""
        return GenerationSize(self.frames, self.rate, self.height // 2, self.width // 2, self.reference_strength)

    def grid(self) -> tokens.LatentGrid:
        """Latent frames, rows and columns."""
        return self.frames // TEMPORAL + 1, self.height // SPATIAL, self.width // SPATIAL


@dataclass(frozen=True, eq=False)
class PipelineOutput:
    """What was made: ``frames`` (the first 8 k + 1 of the source's), their ``audio_latents``, and the normalised latents.

    ``audio_latents`` is the user's own if it was given.
    """

    frames: Frames
    rate: Fraction
    audio_latents: Sound
    video_latent: VideoLatent
    audio_latent: AudioLatent


@dataclass(frozen=True, slots=True)
class MemoryOptions:
    """How memory is used: the ``tiles`` of the video VAE, and whether everything but the transformer lies ``aside`` on
    the CPU and comes to the transformer's device for its work alone."""

    tiles: tiling.TileSize = field(default_factory=tiling.TileSize)
    aside: bool = False


class LipDubPipeline:
    """The networks, and the steps of a dub. Same inputs and generator, same result."""

    def __init__(
        self,
        parts: CheckpointModules,
        upsampler: LTX2LatentUpsamplerModel,
        text_encoder: text_encoder.TextEncoder | PromptCache | None,
        downscale: int = 1,
        room: MemoryOptions | None = None,
    ) -> None:
        """``parts`` with the LoRA already at work; ``downscale`` is the LoRA's. Without a ``text_encoder`` prompts
        must come encoded."""
        self.parts, self.upsampler, self.text_encoder = parts, upsampler, text_encoder
        self.downscale, self.room = downscale, room or MemoryOptions()

    @classmethod
    def from_files(
        cls, files: LtxFiles, placement: WeightPlacement = ON_CPU, words: WeightPlacement | None = None
    ) -> "LipDubPipeline":
        """Read everything and fuse the LoRA. ``words`` is where the text encoder goes, if not with the rest.

        Raises ``WeightsError`` for a file that is missing or does not fit.
        """
        lora = read_lora(files.lora)
        encoder = text_encoder.read_text_encoder(files.text_encoder, words or placement)
        parts = read_checkpoint(files.checkpoint, encoder.width, placement)
        assert parts.connectors is not None
        check_state_count(files, parts.connectors, encoder.layers)
        fuse(parts.transformer, lora)
        return cls(parts, read_upsampler(files.upsampler, placement), encoder, lora.downscale)

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
        """Dub ``video``, whose whole source sound is ``audio``, to say what ``prompt`` says.

        ``dub`` is the new voice if the user brings it, from the first frame on. ``generator`` draws the noise (seed 0
        if None). ``options`` are the fields of ``PipelineOptions``: ``height``, ``width``, ``reference_strength``, ``watch``.
        Raises ``OptionError`` for sizes that cannot be made.
        """
        chosen = PipelineOptions(**options)
        setting = GenerationSize.of(video, chosen)
        generator = torch.Generator().manual_seed(0) if generator is None else generator
        context = self.context(prompt)
        features = self.audio_latent(audio)
        own = None if dub is None else audio_latents.fit_length(self.audio_latent(dub), setting.audio_latents)

        half = setting.halved()
        scene = self.first_scene(half, context, (self.video_reference(video, half), features), own)
        made, spoken = self.run(scene, 1, generator, chosen.watch)
        small = tokens.unpack_video(made, half.grid())
        voice = tokens.unpack_audio(spoken, features.shape[3])

        scene = self.second_scene(
            setting, context, (self.upsampled(small), voice), self.video_reference(video, setting)
        )
        made, _ = self.run(scene, 2, generator, chosen.watch)
        large = tokens.unpack_video(made, setting.grid())
        shown = np.concatenate([video_pixels.as_bytes(run) for run in self.pictures(large)])
        return PipelineOutput(shown, video.rate, self.sound(voice) if dub is None else dub, large, voice)

    @property
    def device(self) -> torch.device:
        """Where the transformer is."""
        return self.parts.transformer.device

    @property
    def dtype(self) -> torch.dtype:
        """Of the tokens: the transformer's."""
        return self.parts.transformer.dtype

    def learn(self, prompts: Iterable[str]) -> None:
        """These prompts will come: a text encoder that has to be read for them is read once for all."""
        if isinstance(self.text_encoder, PromptCache):
            self.text_encoder.learn(prompts)

    def context(self, prompt: str | Context) -> Context:
        """The prompt as the transformer reads it; one that is encoded already is passed through."""
        if not isinstance(prompt, str):
            return prompt
        if isinstance(self.text_encoder, PromptCache):
            video, audio = self.text_encoder.context(prompt)
        elif self.text_encoder is None or self.parts.connectors is None:
            raise OptionError("a prompt in words needs the text encoder, which was not loaded")
        else:
            video, audio = text_encoder.encode_prompt(self.text_encoder, self.parts.connectors, prompt)
        return video.to(self.device, self.dtype), audio.to(self.device, self.dtype)

    def audio_latent(self, wave: Sound) -> AudioLatent:
        """The normalised latent of a whole sound, 25 frames a second."""
        mel = audio_latents.mel_of_sound(wave)
        with self._here(self.parts.audio_vae) as vae:
            return audio_latents.encode(vae, mel).to(self.device, self.dtype)

    def video_reference(self, video: SourceVideo, setting: GenerationSize) -> VideoLatent:
        """The normalised latent of the source at ``setting``'s size, smaller by the LoRA's factor."""
        height, width = setting.height // self.downscale, setting.width // self.downscale
        if min(height, width) < SPATIAL:
            raise OptionError(f"{setting.width} x {setting.height} pixels are too small for this LoRA's references")
        fitted = video_pixels.fit_frames(video.frames[: setting.frames], height, width)
        with self._here(self.parts.video_vae) as vae:
            return tiling.encode(vae, fitted, self.room.tiles.encoding).to(self.device, self.dtype)

    def first_scene(
        self,
        setting: GenerationSize,
        context: Context,
        references: tuple[VideoLatent, AudioLatent],
        own: AudioLatent | None = None,
    ) -> DenoisingInputs:
        """Stage 1: picture and sound from nothing, beside the source's (video, audio); or beside ``own`` sound."""
        video, audio = references
        empty = torch.zeros(1, video.shape[1], *setting.grid(), device=self.device, dtype=self.dtype)
        if own is None:
            silence = torch.zeros(1, audio.shape[1], setting.audio_latents, audio.shape[3]).to(audio)
            sounds = self._audio(silence, audio, frozen=False)
        else:
            sounds = self._audio(own, audio, frozen=True)
        return DenoisingInputs(self._video(setting, empty, video), sounds, context)

    def second_scene(
        self, setting: GenerationSize, context: Context, made: tuple[VideoLatent, AudioLatent], reference: VideoLatent
    ) -> DenoisingInputs:
        """Stage 2: from the doubled picture on, the sound of stage 1 frozen and its own reference."""
        video, audio = made
        return DenoisingInputs(self._video(setting, video, reference), self._audio(audio, audio, frozen=True), context)

    def _video(self, setting: GenerationSize, latent: VideoLatent, reference: VideoLatent) -> tokens.TokenSequence:
        places = tokens.video_positions(tokens.latent_grid(latent), setting.rate)
        seen = tokens.video_positions(tokens.latent_grid(reference), setting.rate, self.downscale)
        target = tokens.target_sequence(tokens.pack_video(latent), places.to(self.device))
        shown = tokens.pack_video(reference)
        return target.joined(tokens.reference_sequence(shown, seen.to(self.device), setting.reference_strength))

    def _audio(self, latent: AudioLatent, reference: AudioLatent, frozen: bool) -> tokens.TokenSequence:
        places = tokens.audio_positions(latent.shape[2])
        before = tokens.shift_before_zero(tokens.audio_positions(reference.shape[2]))
        target = tokens.target_sequence(tokens.pack_audio(latent), places.to(self.device), frozen)
        return target.joined(tokens.reference_sequence(tokens.pack_audio(reference), before.to(self.device)))

    def run(
        self, scene: DenoisingInputs, stage: int, generator: torch.Generator, watch: StepCallback | None = None
    ) -> tuple[Tokens, Tokens]:
        """Draw noise for the picture, then for the sound (needed or not), and denoise; target tokens of both."""
        sigmas = {1: sampler.STAGE_1_SIGMAS, 2: sampler.STAGE_2_SIGMAS}[stage]
        start = (
            scene.video.noised(self._noise(scene.video, generator), sigmas[0]),
            scene.audio.noised(self._noise(scene.audio, generator), sigmas[0]),
        )
        step = None if watch is None else lambda done, total: watch(stage, done, total)
        return sampler.denoise(self.parts.transformer, scene, start, sigmas, step)

    def _noise(self, sequence: tokens.TokenSequence, generator: torch.Generator) -> Tokens:
        shape = sequence.latent.shape
        return torch.randn(shape, generator=generator, device=generator.device, dtype=self.dtype).to(self.device)

    def upsampled(self, latent: VideoLatent) -> VideoLatent:
        """The latent at twice the height and width."""
        with self._here(self.upsampler) as upsampler, self._here(self.parts.video_vae) as vae:
            return tiling.upsample(vae, upsampler, latent)

    def pictures(self, latent: VideoLatent) -> Iterator[tiling.Pixels]:
        """The pixels of a latent in runs of frames, from the first to the last; memory does not grow with it."""
        height, width = latent.shape[3] * SPATIAL, latent.shape[4] * SPATIAL
        with self._here(self.parts.video_vae) as vae:
            yield from tiling.decode(vae, latent, tiling.Tiling.of(height, width, self.room.tiles))

    def audio_latents(self, latent: AudioLatent) -> Sound:
        """The voice that was made, stereo at 48 kHz."""
        with self._here(self.parts.audio_vae) as vae:
            mel = audio_latents.decode(vae, latent)
        with self._here(self.parts.vocoder) as vocoder:
            return audio_latents.vocode(vocoder, mel)

    @contextmanager
    def _here(self, module: Module) -> Iterator[Module]:
        """``module`` on the transformer's device, for as long as it is needed if it lies aside."""
        if not self.room.aside:
            yield module
            return
        module.to(self.device)
        try:
            yield module
        finally:
            module.to("cpu")
