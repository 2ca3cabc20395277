"""Makes the latents of all pairs that are used, those that are not on the disk yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lipdub.engines.ltx.memory import detect_device
from lipdub.media.sound_read import read_sound
from lipdub.train.pair_columns import TrainingPair
from lipdub.train.pair_encoder import PairEncoder, find_training_files
from lipdub.train.pair_measure import PairMeasurement
from lipdub.train.pair_media import read_mask, read_pictures
from lipdub.train.person_split import PersonSplit
from lipdub.train.precomputed import LatentKind, LatentsMarker, PrecomputedFolder, check_replaceable
from lipdub.train.prepare_options import PrepareOptions


@dataclass(frozen=True, eq=False)
class LatentMaker:
    """Makes latents in the folder ``root`` with ``encoder``."""

    root: Path
    encoder: PairEncoder

    @classmethod
    def of(cls, root: Path, options: PrepareOptions) -> "LatentMaker":
        """That of ``options``. Raises ``WeightsError`` for missing files, ``MachineError`` for a device that is not
        there, and ``OutputError`` if the folder holds latents of another checkpoint that may not be replaced."""
        assert options.weights is not None
        files = find_training_files(options.weights, options.checkpoint)
        encoder = PairEncoder(files, detect_device(options.device).device)
        check_replaceable(root, encoder.digest, overwrite=options.overwrite)
        return cls(root, encoder)

    def __call__(
        self,
        pairs: Sequence[TrainingPair],
        measured: Mapping[str, PairMeasurement],
        about: tuple[PersonSplit, Mapping[str, Any]],
    ) -> int:
        """Make what is missing, and write what is known ``about`` the pairs: their sides and the data card. Returns how
        many pairs have latents. Raises ``OutputError`` and ``WeightsError``."""
        split, card = about
        digest = self.encoder.digest
        store = PrecomputedFolder(self.root, digest)
        there = LatentsMarker.read(self.root)
        texts = self.encoder.text_digest
        same = there is not None and there.checkpoint == digest and there.text_encoder == texts
        store.remove_others(frozenset(pair.id for pair in pairs) if same else frozenset())
        sides = {pair.id: split.sides[pair.id] for pair in pairs}
        LatentsMarker(digest, texts, sides, {pair.id: pair.caption for pair in pairs}, card).write(self.root)
        self._captions(store, pairs)
        for pair in pairs:
            self._pair(store, pair, measured[pair.id])
        return len(pairs)

    def _captions(self, store: PrecomputedFolder, pairs: Sequence[TrainingPair]) -> None:
        missing = [pair for pair in pairs if not store.holds("conditions", pair.id)]
        if missing:
            made = self.encoder.captions([pair.caption for pair in missing])
            for pair, values in zip(missing, made, strict=True):
                store.write("conditions", pair.id, values)

    def _pair(self, store: PrecomputedFolder, pair: TrainingPair, measured: PairMeasurement) -> None:
        """Everything but the caption; the file in ``latents`` is the last."""
        frames, rate, encoder = measured.frames, measured.rate, self.encoder
        mask = pair.video_mask or self.root / "media" / f"{pair.id}.mask.mp4"

        def picture(path: Path) -> dict[str, Any]:
            return encoder.picture(read_pictures(path, frames), rate)

        def sound(path: Path, whole: bool) -> dict[str, Any]:
            return encoder.sound(read_sound(path), frames, rate, whole=whole)

        makers: dict[LatentKind, Any] = {
            "reference_latents": lambda: picture(pair.reference_video),
            "audio_latents": lambda: sound(pair.audio, False),
            "reference_audio_latents": lambda: encoder.sound(
                read_sound(pair.reference_audio), frames, rate, whole=True
            ),
            "video_masks": lambda: encoder.mask(read_mask(mask, frames)),
            "latents": lambda: picture(pair.video),
        }
        for kind, make in makers.items():
            if not store.holds(kind, pair.id):
                store.write(kind, pair.id, make())
