"""A mix that is encoded in pieces, which are kept: only those near a changed line are mixed and encoded again.

The file name of a piece is a digest of everything that its packets are made from: the dub's samples and the spans of
speech near it, the clip and what is laid under the dub, the levels of the mix, and the encoder. The parts of a mix that
are computed alone equal those of a mix that is computed as a whole, bit for bit.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from lipdub.compose.mix.mixer import MixInputs, MixPlan, blocks_behind, render_ranges
from lipdub.compose.mix.room_tone import RoomTone
from lipdub.compose.mix.stems import BLOCK_SAMPLES, Block, stem_blocks
from lipdub.errors import OutputError
from lipdub.media.sound_encoding import SoundEncoding
from lipdub.media.sound_piece_file import SUFFIX, PiecedSound, read_piece, write_piece
from lipdub.media.sound_pieces import PieceGrid, encode_piece
from lipdub.studio.store import key

VERSION = 1
"""Raise when the same piece gets other packets."""

_HIGHEST = np.float32(1 - 2**-23)
"""The highest sample: encoders take -1..1, and lossless files of the mix hold no more."""


@dataclass(frozen=True, eq=False)
class PiecedMix:
    """The mix of ``inputs`` by ``plan``, encoded as ``how`` says into files in ``folder``.

    ``background`` names the content of the stems below the dub.
    """

    inputs: MixInputs
    plan: MixPlan
    how: SoundEncoding
    background: str
    folder: Path

    def made(self, tell: Callable[[str], None]) -> PiecedSound:
        """The encoded mix; what is in the folder already is not made again. ``tell`` takes a line about each damaged
        piece.

        Raises ``OutputError`` if the disk refuses, and what reading the stems raises.
        """
        where = self.inputs.mix_format
        encoder = self.how.open()
        grid = PieceGrid(encoder.frame_size, where.rate, where.samples)
        files = tuple(self.folder / name for name in self._names(grid))
        missing = [number for number, file in enumerate(files) if not self._at_hand(file, tell)]
        for number, samples in self._mixed(grid, missing):
            first, last = number == 0, number == grid.count - 1
            frames = self._frames(samples, grid.fed(number)[0], grid.size)
            self.folder.mkdir(parents=True, exist_ok=True)
            write_piece(files[number], encode_piece(frames, self.how.open(), first=first, last=last))
        return PiecedSound(self.how, Fraction(where.samples, where.rate), files)

    def _at_hand(self, file: Path, tell: Callable[[str], None]) -> bool:
        """True if a piece is there and intact; a damaged one is removed."""
        if not file.is_file():
            return False
        try:
            read_piece(file, self.how.rate)
        except OutputError:
            tell(f"{file}: this part of the sound was damaged and is made again")
            file.unlink(missing_ok=True)
            return False
        return True

    def _names(self, grid: PieceGrid) -> Iterator[str]:
        """The file names of all pieces."""
        where, plan = self.inputs.mix_format, self.plan
        below = self.inputs.background is not None
        levels = (plan.report.dub_gain, plan.report.gain, plan.highest_db, _tone_digest(plan.tone) if below else "")
        versions = (av.library_versions["libavcodec"], np.__version__)
        base = key(VERSION, self.background, where, levels, self.how, versions)
        blocks = [hashlib.sha256(block.tobytes()).hexdigest() for block in stem_blocks(self.inputs.dub, where)]
        for number in range(grid.count):
            fed = grid.fed(number)
            behind = blocks_behind(where, *fed)
            span = behind.start * BLOCK_SAMPLES, behind.stop * BLOCK_SAMPLES
            ducked = plan.duck_source.within(*span), plan.duck_under_dub.within(*span)
            made_from = key(base, fed, number == grid.count - 1, blocks[behind.start : behind.stop], ducked)
            yield f"{number:06d}-{made_from}{SUFFIX}"

    def _mixed(self, grid: PieceGrid, numbers: list[int]) -> Iterator[tuple[int, Block]]:
        """(Number, samples) of each of the pieces with these ``numbers``. Only few are in memory at once."""
        waiting = [(number, *grid.fed(number)) for number in numbers]
        held: dict[int, list[Block]] = {number: [] for number in numbers}
        for at, block in render_ranges(self.inputs, self.plan, [(first, stop) for _, first, stop in waiting]):
            end = at + block.shape[1]
            for number, first, stop in waiting:
                if first >= end:
                    break
                if stop > at:
                    held[number].append(block[:, max(0, first - at) : stop - at])
            while waiting and waiting[0][2] <= end:
                number = waiting.pop(0)[0]
                yield number, np.concatenate(held.pop(number), 1)

    def _frames(self, samples: Block, first: int, size: int) -> Iterator[av.AudioFrame]:
        """``samples``, whose first one has the number ``first`` in the mix, in frames for the encoder."""
        where, planar = self.inputs.mix_format, self.how.format.endswith("p")
        begin = round(where.start * where.rate) + first
        for at in range(0, samples.shape[1], size):
            part = np.clip(samples[:, at : at + size], -1, _HIGHEST)
            part = np.ascontiguousarray(part if planar else part.T.reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(part, self.how.format, self.how.layout)
            frame.sample_rate, frame.pts, frame.time_base = where.rate, begin + at, Fraction(1, where.rate)
            yield frame


def _tone_digest(tone: RoomTone | None) -> str:
    if tone is None:
        return ""
    return key(hashlib.sha256(tone.powers.tobytes()).hexdigest(), tone.powers.shape, tone.seed)
