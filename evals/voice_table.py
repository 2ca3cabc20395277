"""How each of Kokoro's voices sounds, as the table ``words_to_sound/voices/kokoro_sounds.npz``.

    python -m evals.voice_table OUT.npz [--said FOLDER]

Every voice, and every mean of two that lipdub uses, says six sentences of ``evals/voices_text`` in its language. The
table holds their median pitch, the spacing of their formants and the embedding of their voice (``lipdub
weights fetch speaker``). ``--said`` keeps what was spoken, so that it goes on where it was interrupted.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soxr

from evals.likeness import spoken
from lipdub import weights
from lipdub.disk.temporary_folder import temporary_folder_in
from lipdub.timeline.sound import ANALYSIS_RATE
from lipdub.words_to_sound.voices.kokoro_network import RATE
from lipdub.words_to_sound.voices.kokoro_voices import MIXED, VOICES
from lipdub.words_to_sound.voices.pitch import median_pitch
from lipdub.words_to_sound.voices.speaker_embedding import MODEL, embed
from lipdub.words_to_sound.voices.vocal_tract import formant_spacing

COUNT = 6
"""Sentences that a voice says."""


def every_voice() -> Iterator[tuple[str, str]]:
    """Language and name of all voices and means."""
    for tag, names in VOICES.items():
        for name in (*names, *MIXED.get(tag, ())):
            yield tag, name


def spoken_at_16_khz(tag: str, name: str, said: Path) -> np.ndarray:
    """The first sentences of a language, by one voice; kept in the folder ``said``."""
    pieces = [soxr.resample(piece, RATE, ANALYSIS_RATE) for piece in spoken(tag, name, said, COUNT)]
    return np.concatenate(pieces).astype(np.float32)


def main() -> int:
    """Make the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--said", type=Path)
    asked = parser.parse_args()
    names, hertz, spacing, embeddings = [], [], [], []
    network = weights.resolve(MODEL)
    with temporary_folder_in(asked.out.parent, ".said-") as temporary:
        said = asked.said or temporary
        said.mkdir(exist_ok=True)
        for tag, name in every_voice():
            speech = spoken_at_16_khz(tag, name, said)
            names.append(name)
            hertz.append(round(median_pitch(speech) or 0))
            spacing.append(round(formant_spacing(speech) or 0))
            embeddings.append(embed(network, speech))
            print(f"{tag} {name}: {hertz[-1]} Hz, formants every {spacing[-1]} Hz", flush=True)
    np.savez_compressed(
        asked.out,
        names=np.array(names),
        hertz=np.array(hertz, np.int16),
        spacing=np.array(spacing, np.int16),
        embeddings=np.array(embeddings, np.float16),
        model=np.array(weights.identity(MODEL)),
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
