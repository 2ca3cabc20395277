"""Does training teach dubbing? A tiny LTX learns it from drawn talking faces, and is asked about faces, sounds and
voices that it has not met.

    python -m evals.ltx_learns [--base-steps 1500] [--lora-steps 6000] [--json learns.json] [--pictures learns.png]

The transformer has the architecture of LTX-2.3 (diffusers' class, gated attention, modulated text, split RoPE) with few
and narrow layers, and random weights. Loss, noise, references, LoRA layers, optimiser and denoising are those of the
product: ``training_loss``, ``draw_noise``, ``add_lora``, ``make_optimiser``, ``sampler.denoise``.

**Stand-ins.** The video VAE is replaced by a linear one: each cell of 8 frames x 8 x 8 pixels (the first: 1 frame) is
projected on its principal components over drawn clips. The audio latent is drawn, not encoded: a voice is a fixed
vector, loudness moves the latent along one direction. The text is the same for all: only the sound tells what is said.

1. *Base*: talking faces, and sound that is not theirs: a lamp behind them shines with it. No references. Trained from
   scratch, all weights. It knows faces, voices, and that sound can be seen, and nothing of dubbing.
2. *LoRA*: pairs. The same face and voice as reference, with another mouth and other sound. Base frozen.

Then, for unseen faces and sounds, before and after the LoRA:

    follows     correlation of the mouth's opening with the truth, sound given and frozen (and, ``shuffled``, with the
                opening of another clip)
    background  PSNR in dB outside the mouth against the reference as the stand-in for the VAE keeps it
    source      the same against the drawn reference itself; ``stand_in``: what the stand-in alone would give
    silence     mean opening at a silent track over that of the speaking ones
    voice       cosine of the generated voice with the reference's, unseen voice, sound generated
    own_sound   correlation of the mouth with the sound that is generated with it
"""

import argparse
import json
import time
from dataclasses import dataclass
from fractions import Fraction
from math import log10
from pathlib import Path

import numpy as np
import torch
from diffusers.models.transformers.transformer_ltx2 import LTX2VideoTransformer3DModel
from torch import Tensor

from lipdub.engines.ltx import tokens
from lipdub.engines.ltx.sampler import DenoisingInputs, denoise
from lipdub.train.lora_model import LoraModel, add_lora
from lipdub.train.noise_levels import draw_noise, step_generator
from lipdub.train.noise_options import NoiseOptions
from lipdub.train.training_loss import TrainingSample, training_loss
from lipdub.train.training_recipe import LoraOptions, OptimiserOptions
from lipdub.train.training_run import make_optimiser, rate_share

RATE = Fraction(25)
CELL, CELLS = 8, 3
SIDE = CELL * CELLS
LATENTS = 3
FRAMES = (LATENTS - 1) * 8 + 1
SOUND = tokens.audio_latent_count(FRAMES, RATE)
CHANNELS, VOICE, BINS = 24, 4, 4
WORDS, WIDTH, AUDIO_WIDTH = 5, 64, 32
SIGMAS = tuple(float(x) for x in np.linspace(1, 0, 13))


@dataclass(frozen=True, eq=False)
class Person:
    """How a face looks and a voice sounds, for a batch of clips: numbers by name, and voices (batch, 16)."""

    look: dict[str, Tensor]
    voice: Tensor


def draw_people(count: int, generator: torch.Generator) -> Person:
    """Faces and voices at random."""

    def between(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    look = {
        "x": between(10.5, 13.5), "y": between(10.5, 12.5), "skin": between(0.55, 0.9), "dark": between(0.0, 0.25),
        "slope": between(-1, 1), "tilt": between(-1, 1), "wide": between(6.5, 8.0),
    }  # fmt: skip
    return Person(look, torch.randn(count, VOICE * BINS, generator=generator))


def draw_speech(count: int, generator: torch.Generator) -> Tensor:
    """Loudness 0..1 of each audio latent (batch, SOUND): some syllables, some pauses."""
    steps = torch.rand(count, WORDS, generator=generator)
    steps = steps * (torch.rand(count, WORDS, generator=generator) > 0.25)
    return torch.nn.functional.interpolate(steps[:, None], SOUND, mode="linear", align_corners=True)[:, 0]


def draw_frames(people: Person, speech: Tensor, lamp: Tensor | None = None) -> Tensor:
    """Grey pictures (batch, frames, SIDE, SIDE) in -1..1; the mouth opens as far as the speech is loud, and a lamp
    behind the face shines as far as ``lamp`` (like ``speech``) is (None: not at all)."""
    open_ = at_frames(speech)
    y, x = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="ij")
    look = {name: value[:, None, None, None] for name, value in people.look.items()}

    def ellipse(cx: Tensor, cy: Tensor, rx: Tensor | float, ry: Tensor | float) -> Tensor:
        far = (((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2).clamp(min=1e-6).sqrt()
        return torch.sigmoid((1 - far) * 8)

    back = 0.35 + 0.25 * (look["slope"] * (x - 12) + look["tilt"] * (y - 12)) / 12
    face = ellipse(look["x"], look["y"], look["wide"], 9.5)
    if lamp is not None:
        back = back + 0.3 * at_frames(lamp)[:, :, None, None]
    picture = back + (look["skin"] - back) * face
    for side in (-1, 1):
        eye = ellipse(look["x"] + 2.8 * side, look["y"] - 3, 1.2, 1.0)
        picture = picture + (look["dark"] - picture) * eye
    tall = 0.5 + 2.6 * open_[:, :, None, None]
    mouth = ellipse(look["x"], look["y"] + 4, 2.8, tall)
    picture = picture + (look["dark"] - picture) * mouth
    return picture.expand(-1, FRAMES, -1, -1) * 2 - 1


def at_frames(speech: Tensor) -> Tensor:
    """Loudness (batch, SOUND) at each picture (batch, FRAMES)."""
    return torch.nn.functional.interpolate(speech[:, None], FRAMES, mode="linear", align_corners=True)[:, 0]


def mouth_box(people: Person) -> Tensor:
    """True (batch, SIDE, SIDE) where the mouth may be."""
    y, x = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="ij")
    cx, cy = (people.look[name][:, None, None] for name in "xy")
    return ((x - cx).abs() < 4.5) & ((y - cy - 4).abs() < 4.5)


def opening(frames: Tensor, people: Person) -> Tensor:
    """How dark the mouth's column is in each picture (batch, frames): grows with the opening."""
    y, x = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="ij")
    cx, cy = (people.look[name][:, None, None] for name in "xy")
    column = ((x - cx).abs() < 1.6) & ((y - cy - 4).abs() < 3.6)
    skin = (people.look["skin"] * 2 - 1)[:, None, None, None]
    return ((skin - frames) * column[:, None]).sum((2, 3)) / column.sum((1, 2))[:, None]


class LinearVae:
    """The stand-in for the video VAE: principal components of the cells of drawn clips, scaled so that their mean
    variance is one."""

    def __init__(self, frames: Tensor) -> None:
        """Fitted to ``frames`` (clips, FRAMES, SIDE, SIDE)."""
        self._parts = []
        for cells in self._cells(frames):
            flat = cells.flatten(0, -2)
            mean = flat.mean(0)
            power, basis = torch.linalg.eigh((flat - mean).T @ (flat - mean) / len(flat))
            scale = power.flip(0)[:CHANNELS].clamp(min=0).mean().sqrt()
            self._parts.append((mean, basis.flip(1)[:, :CHANNELS].T, scale))

    def _cells(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """The first picture's cells (clips, 1, rows, columns, 64), and those of the others (.., 512)."""
        grid = frames.unfold(2, CELL, CELL).unfold(3, CELL, CELL)
        first = grid[:, :1].flatten(4)
        rest = grid[:, 1:].unflatten(1, (LATENTS - 1, 8)).permute(0, 1, 3, 4, 2, 5, 6).flatten(4)
        return first, rest

    def encode(self, frames: Tensor) -> Tensor:
        """(clips, CHANNELS, LATENTS, CELLS, CELLS)."""
        made = [
            (cells - mean) @ basis.T / scale
            for cells, (mean, basis, scale) in zip(self._cells(frames), self._parts, strict=True)
        ]
        return torch.cat(made, 1).permute(0, 4, 1, 2, 3)

    def decode(self, latent: Tensor) -> Tensor:
        """The pictures of a latent."""
        values = latent.permute(0, 2, 3, 4, 1)
        (mean, basis, scale), (mean8, basis8, scale8) = self._parts
        first = (values[:, :1] * scale) @ basis + mean
        rest = (values[:, 1:] * scale8) @ basis8 + mean8
        first = first.unflatten(4, (CELL, CELL)).permute(0, 1, 2, 4, 3, 5).flatten(4).flatten(2, 3)
        rest = rest.unflatten(4, (8, CELL, CELL)).permute(0, 1, 4, 2, 5, 3, 6).flatten(1, 2)
        return torch.cat([first, rest.flatten(4).flatten(2, 3)], 1)


class DrawnWorld:
    """Makes samples: latents of drawn clips and voices."""

    def __init__(self) -> None:
        """Everything fixed is drawn here: VAE, direction of loudness, and the text."""
        drawn = step_generator("world")
        self.vae = LinearVae(draw_frames(draw_people(200, drawn), draw_speech(200, drawn), draw_speech(200, drawn)))
        direction = torch.randn(VOICE * BINS, generator=drawn)
        self.direction = direction / direction.norm()
        self.text = torch.randn(1, WORDS, WIDTH, generator=drawn)

    def sound(self, people: Person, speech: Tensor) -> Tensor:
        """Audio latents (batch, VOICE, SOUND, BINS)."""
        own = people.voice - (people.voice @ self.direction)[:, None] * self.direction
        latent = own[:, None] + (speech * 8 - 3)[..., None] * self.direction
        return latent.unflatten(2, (VOICE, BINS)).transpose(1, 2)

    def voice_of(self, latent: Tensor) -> Tensor:
        """The voice (batch, 16) that is heard in audio latents."""
        mean = latent.transpose(1, 2).flatten(2).mean(1)
        return mean - (mean @ self.direction)[:, None] * self.direction

    def context(self, count: int) -> tuple[Tensor, Tensor]:
        """The same text for all of ``count`` samples: only the sound can tell what is said."""
        video = self.text.expand(count, -1, -1)
        return video, video[..., :AUDIO_WIDTH].contiguous()

    def base_sample(self, count: int, generator: torch.Generator) -> TrainingSample:
        """Talking faces and speech that does not belong to them: a lamp shines with it. Without references."""
        people = draw_people(count, generator)
        shown, said = draw_speech(count, generator), draw_speech(count, generator)
        video, audio = self.vae.encode(draw_frames(people, shown, said)), self.sound(people, said)
        return TrainingSample(video, audio, video[:, :, :0], audio[:, :, :0], self.context(count), RATE)

    def pair(self, people: Person, before: Tensor, after: Tensor) -> TrainingSample:
        """The same people saying ``before`` (reference) and ``after`` (target)."""
        latents = [self.vae.encode(draw_frames(people, speech)) for speech in (after, before)]
        sounds = [self.sound(people, speech) for speech in (after, before)]
        return TrainingSample(latents[0], sounds[0], latents[1], sounds[1], self.context(len(after)), RATE)

    def lora_sample(self, count: int, generator: torch.Generator) -> TrainingSample:
        """A pair of new people, one in four silent."""
        people = draw_people(count, generator)
        before, after = draw_speech(count, generator), draw_speech(count, generator)
        silent = torch.rand(count, generator=generator) < 0.25
        return self.pair(people, before, after * (~silent)[:, None])


def make_transformer() -> LTX2VideoTransformer3DModel:
    """LTX-2.3's architecture, tiny, with random weights."""
    torch.manual_seed(0)
    return LTX2VideoTransformer3DModel(
        in_channels=CHANNELS, out_channels=CHANNELS, num_attention_heads=4, attention_head_dim=WIDTH // 4,
        cross_attention_dim=WIDTH, gated_attn=True, cross_attn_mod=True, audio_in_channels=VOICE * BINS,
        audio_out_channels=VOICE * BINS, audio_num_attention_heads=4, audio_attention_head_dim=AUDIO_WIDTH // 4,
        audio_cross_attention_dim=AUDIO_WIDTH, audio_gated_attn=True, audio_cross_attn_mod=True, num_layers=2,
        rope_type="split", rope_theta=64.0, pos_embed_max_pos=1, audio_pos_embed_max_pos=1, base_height=32 * CELLS,
        base_width=32 * CELLS, use_prompt_embeddings=False, perturbed_attn=True,
    )  # fmt: skip


NOISE = NoiseOptions(shift=0.0, spread=1.4, shared=False, first_frame=0.0)
"""Own levels for sound and picture, so that the model also knows a picture beside a sound without noise."""


def teach(model, parameters, sample, steps: int, options: OptimiserOptions, batch: int = 16) -> float:
    """Train ``parameters``; returns the mean loss of the last fifty steps. ``sample(batch, generator)`` makes data."""
    optimiser, last = make_optimiser(parameters, options), []
    for step in range(steps):
        generator = step_generator("teach", sample.__name__, step)
        made = sample(batch, generator)
        draw = draw_noise(made, NOISE, generator)
        clean = torch.rand(batch, generator=generator) < 0.35  # as where the sound is given
        draw.audio_sigma[clean] = 0.0
        loss = training_loss(model, made, draw)
        whole = (loss.video + loss.audio * (~clean)).mean()
        for parameter in parameters.values():
            parameter.grad = None
        whole.backward()
        torch.nn.utils.clip_grad_norm_(list(parameters.values()), options.clip)
        for group in optimiser.param_groups:
            group["lr"] = group["base"] * rate_share(step, steps, options)
        optimiser.step()
        last = [*last[-49:], whole.item()]
        if step % 50 == 49:
            print(f"  {sample.__name__} step {step + 1}: loss {sum(last) / len(last):.3f}", flush=True)
    return sum(last) / len(last)


def generate(model, sample: TrainingSample, seed: int, frozen: bool) -> tuple[Tensor, Tensor]:
    """Video and audio latents made for the sample's references and words; its sound is given if ``frozen``."""
    grid = tokens.latent_grid(sample.video)
    place, heard = tokens.video_positions(grid, RATE), tokens.audio_positions(SOUND)
    batch = len(sample.video)

    def many(positions: Tensor) -> Tensor:
        return positions.expand(batch, -1, -1, -1)

    video = tokens.target_sequence(torch.zeros_like(tokens.pack_video(sample.video)), many(place)).joined(
        tokens.reference_sequence(tokens.pack_video(sample.reference_video), many(place))
    )
    start = tokens.pack_audio(sample.audio)
    start = start if frozen else torch.zeros_like(start)
    audio = tokens.target_sequence(start, many(heard), frozen).joined(
        tokens.reference_sequence(tokens.pack_audio(sample.reference_audio), many(tokens.shift_before_zero(heard)))
    )
    drawn = step_generator("generate", seed)
    noise = [torch.randn(one.latent.shape, generator=drawn) for one in (video, audio)]
    inputs = DenoisingInputs(video, audio, sample.context)
    made = denoise(model, inputs, (video.noised(noise[0]), audio.noised(noise[1])), SIGMAS)
    return tokens.unpack_video(made[0], grid), tokens.unpack_audio(made[1], BINS)


def correlation(one: Tensor, other: Tensor) -> float:
    """The mean over clips of the correlation over time."""
    a, b = (x - x.mean(1, keepdim=True) for x in (one, other))
    return float(((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1)).clamp(min=1e-6)).mean())


def psnr(one: Tensor, other: Tensor, where: Tensor) -> float:
    """PSNR in dB of two pictures in -1..1, in the pixels ``where``."""
    return -10 * log10(max(float(((one - other)[where] / 2).square().mean()), 1e-9))


def measure(model, world: DrawnWorld, pictures: list | None = None) -> dict[str, float]:
    """The scores, on people and speech that were never drawn in training."""
    model.eval()
    drawn, count = step_generator("unseen"), 16
    people = draw_people(count, drawn)
    before, after = draw_speech(count, drawn), draw_speech(count, drawn)
    sample = world.pair(people, before, after)
    made = world.vae.decode(generate(model, sample, 1, frozen=True)[0])
    truth, source = (draw_frames(people, speech) for speech in (after, before))
    quiet = world.pair(people, before, torch.zeros_like(after))
    closed = world.vae.decode(generate(model, quiet, 2, frozen=True)[0])
    spoken = generate(model, sample, 3, frozen=False)
    wide = opening(made, people)
    rest = opening(draw_frames(people, torch.zeros_like(after)), people).mean()
    outside = ~mouth_box(people)[:, None].expand_as(made)
    kept = world.vae.decode(world.vae.encode(source))
    voice, wanted = world.voice_of(spoken[1]), world.voice_of(sample.reference_audio)
    heard = (spoken[1].transpose(1, 2).flatten(2) @ world.direction + 3) / 8
    if pictures is not None:
        pictures.append((source, truth, made, closed))
    model.train()
    return {
        "follows": correlation(wide, opening(truth, people)),
        "shuffled": correlation(wide, opening(truth, people).roll(1, 0)),
        "background": psnr(made, kept, outside),
        "source": psnr(made, source, outside),
        "stand_in": psnr(kept, source, outside),
        "silence": float((opening(closed, people).mean() - rest) / (opening(truth, people).mean() - rest)),
        "voice": float(torch.cosine_similarity(voice, wanted).mean()),
        "own_sound": correlation(opening(world.vae.decode(spoken[0]), people), at_frames(heard)),
    }


def save_pictures(path: Path, rows: list) -> None:
    """Source, truth, made before and after, each a row of pictures of four people."""
    import cv2

    lines = []
    for person in range(4):
        source, truth, *_ = rows[0]
        shown = [source, truth, rows[0][2], rows[1][2], rows[1][3]]
        lines += [torch.cat(list(frames[person, ::3]), 1) for frames in shown]
    sheet = ((torch.cat(lines) + 1) * 127.5).clamp(0, 255).byte().numpy()
    cv2.imwrite(str(path), cv2.resize(sheet, None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST))


def prove(base_steps: int, lora_steps: int, rank: int = 16) -> tuple[dict[str, dict[str, float]], list]:
    """Train base and LoRA; returns the scores before and after, and pictures."""
    world, model, pictures = DrawnWorld(), make_transformer(), []
    began = time.monotonic()
    everything = dict(sorted(model.named_parameters()))
    plain = OptimiserOptions(2e-3, 2e-3, warmup=50, schedule="cosine")
    teach(model, everything, world.base_sample, base_steps, plain)
    add_lora(model, LoraOptions(rank, float(rank)), 1, torch.device("cpu"))
    before = measure(model, world, pictures)
    print("before the LoRA:", before, flush=True)
    lora = LoraModel(model, torch.device("cpu"), torch.float32).parameters()
    teach(model, lora, world.lora_sample, lora_steps, OptimiserOptions(3e-3, 3e-3, warmup=50, schedule="cosine"))
    after = measure(model, world, pictures)
    print("after the LoRA: ", after, flush=True)
    return {"before": before, "after": after, "run": {"seconds": time.monotonic() - began}}, pictures


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-steps", type=int, default=1500)
    parser.add_argument("--lora-steps", type=int, default=6000)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--pictures", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)  # more threads take longer for networks of this size
    scores, pictures = prove(chosen.base_steps, chosen.lora_steps, chosen.rank)
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(scores, indent=1), encoding="utf-8")
    if chosen.pictures is not None:
        save_pictures(chosen.pictures, pictures)


if __name__ == "__main__":
    main()
