"""Counts memory: the weights in the files, and what a forward pass, the video VAE and the text encoder need with them.

The formulas are fitted to traces: the modules of the full size ran on torch's meta device, which computes shapes and no
numbers, and the bytes of all tensors alive at once were summed. ``tests/engines/ltx/test_memory_counts.py`` repeats the
traces. Kernels' own work space and gaps of the allocator come on top; ``memory`` adds a gigabyte for these.
"""

from dataclasses import dataclass

from lipdub.engines.ltx.generation import GenerationSize
from lipdub.engines.ltx.layered_encoder import PROMPTS_AT_ONCE
from lipdub.engines.ltx.safetensors_header import SafetensorsHeader
from lipdub.engines.ltx.tensor_names import locate_tensor
from lipdub.engines.ltx.text_tensors import PROMPT_TOKENS, text_tensors
from lipdub.engines.ltx.tiles import TileSize
from lipdub.engines.ltx.weights_folder import LtxFiles


@dataclass(frozen=True, slots=True)
class WeightCounts:
    """Numbers of weights: in the ``transformer``, in ``others`` (both VAEs, vocoder, upsampler), and in the
    ``text_encoder`` with its connectors. ``width``: channels of a video token in the transformer.

    ``blocks``: the number of blocks in the transformer, and ``block`` the weights in one. ``connectors``: weights in
    the connectors. ``stacked``: numbers of all hidden states of one word. Zeros: as in LTX-2.3 and Gemma-3-12B.
    """

    transformer: int
    others: int
    text_encoder: int
    width: int
    block: int = 0
    blocks: int = 48
    connectors: int = 0
    stacked: int = 3840 * 49

    @property
    def block_weights(self) -> int:
        """Weights in one block."""
        return self.block or self.transformer // 50

    @property
    def connector_weights(self) -> int:
        """Weights in the connectors."""
        return self.connectors or self.text_encoder // 5

    @property
    def prompt_states(self) -> int:
        """Numbers of the hidden states of one prompt."""
        return PROMPT_TOKENS * self.stacked

    def block_bytes(self, exact: bool) -> int:
        """Bytes of one block, in bfloat16 or in 8 bits."""
        return self.block_weights * (2 if exact else 1)

    def transformer_bytes(self, exact: bool) -> int:
        """Bytes of the transformer: what is outside the blocks is never in 8 bits."""
        rest = self.transformer - self.blocks * self.block_weights
        return 2 * rest + self.blocks * self.block_bytes(exact)

    def streamed_bytes(self, exact: bool) -> int:
        """Bytes of the transformer on the device while its blocks are streamed: all but these, and two of them."""
        rest = self.transformer - self.blocks * self.block_weights
        return 2 * rest + 2 * self.block_bytes(exact)

    def layered_host_bytes(self, connectors: bool) -> int:
        """Main memory for encoding prompts layer by layer: a layer, the states of all, and those of one stacked.

        ``connectors``: the connectors are in main memory too.
        """
        layer = (self.text_encoder - self.connector_weights) // 40
        return 2 * (layer + (PROMPTS_AT_ONCE + 1) * self.prompt_states + connectors * self.connector_weights)


def count_weights(files: LtxFiles) -> WeightCounts:
    """The numbers of weights in ``files``, from their headers. Raises ``WeightsError`` if they cannot be read."""
    header = SafetensorsHeader.of(files.checkpoint)
    counted: dict[str, int] = {}
    blocks: dict[str, int] = {}
    for name in header.shapes:
        location = locate_tensor(name)
        if location is None:
            continue
        part, short = location
        counted[part] = counted.get(part, 0) + header.size_of(name)
        if part == "transformer" and short.startswith("transformer_blocks."):
            number = short.split(".")[1]
            blocks[number] = blocks.get(number, 0) + header.size_of(name)
    encoder = sum(header.size_of(stored) for header, stored in text_tensors(files.text_encoder).values())
    connectors = counted.get("connectors", 0)
    shapes = header.shapes.items()
    return WeightCounts(
        transformer=counted.get("transformer", 0),
        others=sum(counted.get(part, 0) for part in ("video_vae", "audio_vae", "vocoder"))
        + SafetensorsHeader.of(files.upsampler).total_size(),
        text_encoder=encoder + connectors,
        width=next((shape[0] for name, shape in shapes if name.endswith(".patchify_proj.weight")), 4096),
        block=max(blocks.values(), default=0),
        blocks=len(blocks),
        connectors=connectors,
        stacked=next((shape[1] for name, shape in shapes if name.endswith("video_aggregate_embed.weight")), 3840 * 49),
    )


_TOKEN_BYTES = 89
"""For each channel of a token: 44 numbers in bfloat16 are alive at once (modulations, feed-forward, q k v).

Alone they give 6.72 GB at 768 x 768 x 121 (traced: 6.71), and 7.19 GB at 896 x 704 x 121 (traced: 7.17).
"""

_ROTARY_BYTES = 6
"""For each channel of a token: cosines and sines in float32, of half the channels for attention in the picture, and
of a quarter for that to the sound. With them: 7.17 GB at 768 x 768 x 121 (traced: 7.17), 7.67 at 896 x 704 (7.66)."""

_DECODER_CELL = 1122
"""For each 4 x 4 pixels of a tile's frames: 9 tensors of 64 channels in bfloat16."""

_DECODER_PIXEL = 27
"""For each pixel of the frames that are put together: three colours in float32, twice while frames are joined."""

_ENCODER_CELL = 1300
"""For each 4 x 4 pixels of a tile's frames. Traced tiles of 768 pixels and 80 frames: decoded 4.68 GB, encoded 3.75 GB;
512 pixels: 2.84 and 1.67; 512 pixels and 48 frames: 1.90 and 1.13."""

_CELL = 4
"""Pixels along each side that the video VAE joins in its first step."""


def forward_bytes(width: int, size: GenerationSize) -> int:
    """Bytes that one forward pass needs besides the weights, in bfloat16, with a reference as large as the target."""
    frames, rows, columns = size.latent_grid()
    return 2 * frames * rows * columns * width * (_TOKEN_BYTES + _ROTARY_BYTES)


def decoder_bytes(tiles: TileSize, size: GenerationSize) -> int:
    """Bytes that decoding one tile needs besides the weights, with the frames that it is added to."""
    frames, overlap = tiles.frames
    together = min(frames + overlap, size.frames) * size.height * size.width
    return _cells(tiles, size, 0) * _DECODER_CELL + together * _DECODER_PIXEL


def encoder_bytes(tiles: TileSize, size: GenerationSize) -> int:
    """Bytes that encoding one tile needs besides the weights. The frames are in main memory."""
    return _cells(tiles, size, 4) * _ENCODER_CELL


def _cells(tiles: TileSize, size: GenerationSize, lead: int) -> int:
    """The number of 4 x 4 pixels in the frames of a tile, ``lead`` frames more than it shows."""
    frames = min(tiles.frames[0] + lead, size.frames)
    return frames * (min(tiles.side, size.height) // _CELL) * (min(tiles.side, size.width) // _CELL)


def codec_bytes(tiles: TileSize, size: GenerationSize) -> int:
    """Bytes that the video VAE needs besides its weights for one tile, to decode or to encode it."""
    return max(decoder_bytes(tiles, size), encoder_bytes(tiles, size))
