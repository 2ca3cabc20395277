"""What one run of the pipeline generates: the source, the options, the sizes, and how memory is saved."""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from lipdub.engines.ltx.tiles import TileSize
from lipdub.engines.ltx.tokens import SPATIAL, TEMPORAL, LatentGrid, audio_latent_count
from lipdub.engines.ltx.video_pixels import Frames
from lipdub.errors import OptionError

StepCallback = Callable[[int, int, int], None]
"""Called with (stage, steps done, steps of the stage) after each denoising step."""


@dataclass(frozen=True, eq=False)
class SourceVideo:
    """RGB ``frames`` of the source at a constant ``rate`` (frames per second, exact)."""

    frames: Frames
    rate: Fraction


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """``height`` and ``width`` of the result in pixels, multiples of 64. ``reference_strength`` 0..1: how strongly the
    source's picture is kept (below 1 the reference tokens are denoised too). ``on_step`` is called after each step."""

    height: int = 1024
    width: int = 1536
    reference_strength: float = 1.0
    on_step: StepCallback | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class GenerationSize:
    """The sizes of one run of the pipeline: ``frames`` (8 k + 1) at ``rate``, of ``height`` x ``width`` pixels."""

    frames: int
    rate: Fraction
    height: int
    width: int
    reference_strength: float = 1.0

    @classmethod
    def of(cls, video: SourceVideo, options: PipelineOptions) -> "GenerationSize":
        """As many frames as can be generated for ``video``. Raises ``OptionError`` for impossible sizes."""
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
        """The number of audio latents beside the frames."""
        return audio_latent_count(self.frames, self.rate)

    def halved(self) -> "GenerationSize":
        """The same at half the height and width."""
        return GenerationSize(self.frames, self.rate, self.height // 2, self.width // 2, self.reference_strength)

    def latent_grid(self) -> LatentGrid:
        """Frames, rows and columns of the video latent."""
        return self.frames // TEMPORAL + 1, self.height // SPATIAL, self.width // SPATIAL


@dataclass(frozen=True, slots=True)
class MemoryOptions:
    """``tiles``: the tile size of the video VAE. ``offload``: everything but the transformer is kept on the CPU, and
    moved to the transformer's device only while it is used."""

    tiles: TileSize = field(default_factory=TileSize)
    offload: bool = False
