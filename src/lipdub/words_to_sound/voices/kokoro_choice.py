"""Which of Kokoro's voices a person gets, and how far it is moved to sound like the person.

Without an embedding of the person's voice: the voice whose pitch is nearest. With one: the voice, or the mean of two
styles, whose embedding is nearest and whose pitch is within reach. Then the pitch is moved to the person's, and the
formants half the way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import combinations

import numpy as np

from lipdub.errors import WeightsError
from lipdub.words_to_sound.voices.assign import VoiceTraits
from lipdub.words_to_sound.voices.kokoro_voices import PITCHES
from lipdub.words_to_sound.voices.pitch_and_formants import MOST_FORMANTS, MOST_SEMITONES
from lipdub.words_to_sound.voices.speaker_embedding import SIZE

WOMEN = 165.0
"""Hertz between the median pitches of men and of women."""

BLEND_GAIN = 0.04
"""By how much a mean of two styles must be nearer (cosine, as predicted from its parts) to a person than the best
single voice. Predictions are .03 too high in the mean; above this, another embedding found all means nearer, too."""

_MEANS = "ab"
"""The first letters of voices of which means are made: English, where they are understood as well as their parts. In
other languages this was not measured, but for those in ``MIXED``."""

_WOMENS_SPACING, _WEIGHT = 1120.0, 3.0  # hertz of the formants' spacing; how much its logarithm counts beside pitch's
_UNSURE = 0.1  # of the sum: if it is nearer to 0, an embedding may choose a voice of either sex
_LEAST_SEMITONES, _LEAST_FORMANTS = 0.3, 0.015  # smaller moves are left out: they are not heard
_FORMANT_SHARE = 0.5  # of the way to the person's formants: a spacing that is measured is wrong by up to 5 %
_PITCH_COST = 0.02  # of the cosine, for each semitone that is left when the pitch was moved as far as it may be
_APART = 2.0  # semitones between two people who have to share a voice


@dataclass(frozen=True, slots=True)
class Resemblance:
    """A voice by ``name`` (with "+": the mean of several styles), its pitch moved by ``semitones``, the frequencies
    of its formants multiplied by ``formants``."""

    name: str
    semitones: float = 0.0
    formants: float = 1.0

    @property
    def key(self) -> str:
        """Name and pitch, by which two people's voices are told apart."""
        return f"{self.name} {self.semitones:+.1f}"

    @property
    def described(self) -> str:
        """The name and the moves, for the report."""
        moves = [f"pitch {self.semitones:+.1f} semitones"] if self.semitones else []
        moves += [f"formants {100 * (self.formants - 1):+.0f} %"] if self.formants != 1 else []
        return ", ".join([self.name, *moves])


@dataclass(frozen=True, slots=True)
class KnownVoice:
    """How a voice sounds: its pitch and formants, and its embedding (256 numbers, length 1)."""

    traits: VoiceTraits
    embedding: np.ndarray


def nearest(names: Sequence[str], hertz: float, taken: Sequence[str] = ()) -> str:
    """The voice of a man below 165 Hz, else of a woman, if there is one, whose pitch is nearest to ``hertz``; one that
    is not ``taken``, as long as there is one."""
    return _nearest(_of_sex(names, hertz >= WOMEN), hertz, taken)


def most_alike(person: VoiceTraits, names: Sequence[str], taken: Sequence[str] = ()) -> Resemblance:
    """The one of ``names``, the voices of a language, that is most like ``person``, moved towards the person; not one
    that is ``taken`` (keys of ``Resemblance``), as long as there is one. If there is none, its pitch is at least two
    semitones away from those that have the same."""
    used = [key.rpartition(" ")[0] for key in taken]
    if person.embedding:
        name = _nearest_embedding(person, names, used)
    else:
        name = _nearest(_of_sex(names, womanly(person) >= 0), person.hertz, used)
    return moved_towards(person, name, [float(key.rpartition(" ")[2]) for key in taken if key.startswith(f"{name} ")])


def womanly(person: VoiceTraits) -> float:
    """Above 0 for the voice of a woman, below for a man's: by the pitch, and by the spacing of the formants, which is
    wide where the vocal tract is short."""
    spacing = _WEIGHT * np.log(person.spacing / _WOMENS_SPACING) if person.spacing else 0.0
    return float(np.log(person.hertz / WOMEN) + spacing)


def moved_towards(person: VoiceTraits, name: str, others: Sequence[float] = ()) -> Resemblance:
    """The voice ``name`` moved towards ``person``; ``others``: how many semitones it is moved for other people."""
    voice = sound_of(name).traits
    semitones = _within(12 * np.log2(person.hertz / voice.hertz), MOST_SEMITONES)
    near = [other for other in others if abs(other - semitones) < _APART]
    if near:
        free = np.arange(-MOST_SEMITONES, MOST_SEMITONES + 0.1, 0.5).tolist()
        semitones = max(free, key=lambda s: (min(_APART, *(abs(s - other) for other in others)), -abs(s - semitones)))
    formants = 1.0
    if person.spacing and voice.spacing:
        formants = 1 + _within((person.spacing / voice.spacing) ** _FORMANT_SHARE - 1, MOST_FORMANTS)
    return Resemblance(
        name,
        round(float(semitones), 1) if abs(semitones) >= _LEAST_SEMITONES else 0.0,
        round(formants, 2) if abs(formants - 1) >= _LEAST_FORMANTS else 1.0,
    )


def sound_of(name: str) -> KnownVoice:
    """How the voice ``name`` sounds. A mean of two styles that was not measured has the geometric mean of their pitches
    and spacings, and the direction of the mean of their embeddings: measured means have a cosine of .93 to .99 with
    that."""
    known = known_voices()
    if name in known:
        return known[name]
    parts = [known[part] for part in name.split("+")]
    hertz, spacing = (
        float(np.exp(np.mean(np.log(values))))
        for values in ([one.traits.hertz for one in parts], [one.traits.spacing for one in parts])
    )
    mean = np.mean([one.embedding for one in parts], axis=0)
    return KnownVoice(VoiceTraits(hertz, spacing), mean / np.linalg.norm(mean))


@cache
def known_voices() -> Mapping[str, KnownVoice]:
    """All voices, and the means that lipdub's list of voices has, by name, as measured on sentences that they spoke
    (``python -m evals.voice_table``)."""
    with (files("lipdub.words_to_sound.voices") / "kokoro_sounds.npz").open("rb") as file, np.load(file) as data:
        names, hertz, spacing = data["names"], data["hertz"], data["spacing"]
        embeddings = data["embeddings"].astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return {
        str(name): KnownVoice(VoiceTraits(float(hertz[i]), float(spacing[i])), embeddings[i])
        for i, name in enumerate(names)
    }


def _nearest(fitting: Sequence[str], hertz: float, taken: Sequence[str]) -> str:
    free = [n for n in fitting if n not in taken] or fitting
    return min(free, key=lambda n: abs(np.log(PITCHES[n] / hertz)))


def _nearest_embedding(person: VoiceTraits, names: Sequence[str], used: Sequence[str]) -> str:
    """The voice or the mean of two whose embedding is nearest to the person's."""
    sex = womanly(person)
    fitting = _of_sex(names, sex >= 0) if abs(sex) >= _UNSURE else [n for n in names if not n.endswith("_santa")]
    parts = {part for name in used for part in name.split("+")}
    in_means = {part for name in used if name not in names for part in name.split("+")}
    unused = [n for n in fitting if n not in used]
    free = [n for n in unused if n not in in_means] or unused or list(fitting)
    own = np.array(person.embedding, np.float32)
    if len(own) != SIZE:
        raise WeightsError(
            f"the embedding of a voice has {len(own)} numbers, those of kokoro's voices {SIZE}: it is of another model",
            remedy="Make it with the network that lipdub weights fetch speaker gives",
        )

    def likeness(name: str) -> float:
        voice = sound_of(name)
        left = max(0.0, abs(12 * np.log2(person.hertz / voice.traits.hertz)) - MOST_SEMITONES)
        return float(voice.embedding @ own) - _PITCH_COST * left

    best = max(free, key=likeness)
    single = [n for n in free if n not in parts and "+" not in n and not n.endswith("_santa")]
    pairs = [(a, b) for a, b in combinations(single, 2) if a[:2] == b[:2] and a[0] in _MEANS]
    means = [f"{a}+{b}" for a, b in pairs if f"{a}+{b}" not in names]
    mean = max(means, key=likeness, default=best)
    return mean if likeness(mean) > likeness(best) + BLEND_GAIN else best


def _of_sex(names: Sequence[str], woman: bool) -> Sequence[str]:
    return [n for n in names if n[1] == ("f" if woman else "m") and not n.endswith("_santa")] or names


def _within(value: float, most: float) -> float:
    return min(max(float(value), -most), most)
