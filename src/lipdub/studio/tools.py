"""The models and programs of one process, each made once, from its name and the options, when it is first needed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

from lipdub import weights
from lipdub.engines.find import find
from lipdub.engines.seam import Engine, EngineSetup
from lipdub.errors import OptionError, WeightsError
from lipdub.faces.identity import FaceIdentifier
from lipdub.faces.landmarker import FaceLandmarker
from lipdub.plugins import package_version
from lipdub.sound_to_mouth.analyser import SpeechAnalyser
from lipdub.sound_to_mouth.encoder import IDENTITY as ENCODER_IDENTITY
from lipdub.sound_to_mouth.encoder import SpeechEncoder
from lipdub.sound_to_mouth.prior import Prior
from lipdub.studio.options import DubOptions, VoiceLikeness
from lipdub.timeline.lines import Line
from lipdub.words_to_sound.seam import Recogniser, Translator, Voice, recogniser_named, translator_named
from lipdub.words_to_sound.voices import assign
from lipdub.words_to_sound.voices.assign import AssignedVoice, SpeakerPitch
from lipdub.words_to_sound.voices.choose import voices_for
from lipdub.words_to_sound.voices.speaker_embedding import MODEL as SPEAKER_MODEL
from lipdub.words_to_sound.voices.speaker_embedding import read_network

Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class ChosenAnalyser:
    """The analyser that makes speech features here: with the speech encoder (``detailed``) or without it, and then
    ``why``, as a clause."""

    analyser: SpeechAnalyser
    detailed: bool
    why: str = ""

    @property
    def identity(self) -> tuple[object, ...]:
        """What changes when the features do: the models that make them, by digest or version."""
        encoder = (ENCODER_IDENTITY,) if self.detailed else ()
        return ("hama", package_version("hama"), weights.identity("voice-activity"), *encoder)


@dataclass(frozen=True, eq=False)
class ChosenIdentifier:
    """What tells which faces are one person: the model in ``folder``; or None, and then ``why``, as a clause."""

    folder: Path | None
    why: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        """What changes when its answers do."""
        return () if self.folder is None else weights.identity("face-identity")

    @cached_property
    def identifier(self) -> FaceIdentifier | None:
        """The network, loaded when it is first needed. Raises ``WeightsError``."""
        return None if self.folder is None else FaceIdentifier(self.folder)


@dataclass(eq=False)
class Tools:
    """What the stages work with. ``ask_download`` is asked before a model is downloaded."""

    options: DubOptions
    ask_download: weights.AskDownload | None = None
    _made: dict[tuple[str, str], Any] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def setup(self) -> EngineSetup:
        """What the user tells the engine. Raises ``OptionError`` for an engine option that is not KEY=VALUE."""
        return engine_setup(self.options)

    @cached_property
    def engine(self) -> Engine:
        """The mouth engine. Raises what ``engines.find.find`` raises."""
        return find(self.options.engine, self.setup)

    @cached_property
    def engine_speaks(self) -> bool:
        """Whether the engine can say the lines itself."""
        return self.engine.limits.speaks

    @cached_property
    def landmarker(self) -> FaceLandmarker:
        """Finds faces and their landmarks. One thread at a time. Raises ``WeightsError``."""
        landmarks = weights.resolve("face-landmarks", self.ask_download)
        return FaceLandmarker(landmarks, weights.resolve("face-detector", self.ask_download))

    @cached_property
    def identifier(self) -> ChosenIdentifier:
        """Tells which faces are one person, if its model can be had."""
        return choose_identifier(self.ask_download)

    @cached_property
    def prior(self) -> Prior:
        """The speech-to-mouth prior: the user's own, or the one in the package. Raises ``WeightsError``."""
        return Prior.load(self.options.prior)

    @cached_property
    def analyser(self) -> ChosenAnalyser:
        """The analyser of speech that the options ask for. Raises ``WeightsError``."""
        return choose_analyser(self.options.speech_features, self.ask_download)

    @cached_property
    def speaker_network(self) -> Path:
        """The file of the network that tells voices apart. Raises ``WeightsError``."""
        return weights.resolve(SPEAKER_MODEL, self.ask_download)

    def check_likeness(self, likeness: VoiceLikeness) -> None:
        """Raises ``WeightsError`` if voices cannot be made to resemble people as far as ``likeness`` asks."""
        if likeness == "full":
            read_network(self.speaker_network)

    def voices(
        self, lines: Sequence[Line], names: Sequence[str], pitch: SpeakerPitch | None = None
    ) -> dict[str, AssignedVoice]:
        """A voice for each speaker of ``lines``; ``names`` and ``pitch`` as for ``voices_for``, which tells what is
        raised."""
        return voices_for(lines, names, pitch, self._voice)

    def recogniser(self, name: str) -> Recogniser:
        """The recogniser of this name. Raises what ``recogniser_named`` raises."""
        return self._once("recogniser", name, lambda: recogniser_named(name))

    def translator(self, name: str, source: str, target: str) -> Translator:
        """The translator of this name, for lines in ``source`` to be said in ``target``. Raises what
        ``translator_named`` raises."""
        return self._once("translator", name, lambda: translator_named(name, source, target))

    def _voice(self, name: str) -> Voice:
        return self._once("voice", name, lambda: assign.voice_named(name))

    def _once(self, kind: str, name: str, make: Callable[[], Made]) -> Made:
        if (kind, name) not in self._made:
            self._made[kind, name] = make()
        return self._made[kind, name]


def engine_setup(options: DubOptions) -> EngineSetup:
    """What the user tells the engine. Raises ``OptionError`` for an engine option that is not KEY=VALUE."""
    values = {}
    for text in options.engine_option:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise OptionError(f"'{text}' is no engine option", remedy="Write KEY=VALUE, e.g. device=cuda")
        values[name.strip()] = value.strip()
    return EngineSetup(options.weights, values)


def choose_identifier(ask_download: weights.AskDownload | None) -> ChosenIdentifier:
    """What tells which faces are one person. If its model cannot be had, the faces stay apart."""
    try:
        return ChosenIdentifier(weights.resolve("face-identity", ask_download))
    except WeightsError as missing:
        return ChosenIdentifier(None, missing.what)


def choose_analyser(wish: Literal["best", "light"], ask_download: weights.AskDownload | None) -> ChosenAnalyser:
    """The analyser of speech, with the speech encoder ("best") or without it. Raises ``WeightsError``."""
    voice = weights.resolve("voice-activity", ask_download)
    if wish == "light":
        return ChosenAnalyser(SpeechAnalyser(voice), False, "--speech-features light was given")
    return ChosenAnalyser(SpeechAnalyser(voice, SpeechEncoder()), True)
