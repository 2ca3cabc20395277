"""Options of ``lipdub train prepare``. The command line shows the fields and their docstrings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lipdub.errors import OptionError


@dataclass(frozen=True)
class PrepareOptions:
    """How pairs are made of footage, and what is made of them."""

    size: int = 768
    """Pairs show the head in about size x size pixels, a multiple of 64, as the engine ltx shows it to the model."""

    frames: int = 121
    """Frames of a pair at most, 8 k + 1."""

    shortest: int = 49
    """Frames of a pair at least."""

    other: Literal["auto", "clips", "voice"] = "auto"
    """What is said in the reference. clips: the speech of another clip, of the same person where there is one; voice:
    sentences of another language, spoken by --voice; auto: another clip of the same person, else a voice."""

    voice: tuple[str, ...] = ()
    """Voice that speaks them, as in 'lipdub dub'."""

    language: str = ""
    """Language spoken in the footage; detected if not given. A script beside a clip (talk.en.srt) goes before."""

    recogniser: str = "whisper"
    """Recogniser that writes down what is said, where no script does."""

    who: str = "A person"
    """The speaker as seen, for the captions."""

    validation: float = 0.1
    """Part of the pairs that is kept for validation, 0 to 0.5; no person is on both sides."""

    speech_features: Literal["best", "light"] = "best"
    """Speech features that measure sync, as in 'lipdub dub'."""

    workers: int = 0
    """Processes that make the references; 0: as many as there are cores."""

    weights: Path | None = None
    """Folder with LTX-2.3 and its text encoder: latents are made too. Without it they are not."""

    checkpoint: Path | None = None
    """Checkpoint that makes them, if the folder holds several or it lies elsewhere."""

    device: str = "auto"
    """Where they are made: cuda, cuda:1, cpu."""

    overwrite: bool = False
    """Replace latents that another checkpoint made."""

    consent: bool = False
    """State that the people in the footage agreed; without it you are asked once per clip."""

    def check(self) -> None:
        """Raise ``OptionError`` for values that mean nothing."""
        if self.size < 64 or self.size % 64:
            raise OptionError(f"--size {self.size} is no multiple of 64")
        if self.frames < 9 or self.frames % 8 != 1:
            raise OptionError(f"--frames {self.frames} is not 8 k + 1", remedy="Give 9, 17, ... 121, ...")
        if not 9 <= self.shortest <= self.frames:
            raise OptionError(f"--shortest {self.shortest} is not between 9 and --frames")
        if not 0 <= self.validation <= 0.5:
            raise OptionError(f"--validation {self.validation} is not between 0 and 0.5")
        if self.checkpoint is not None and self.weights is None:
            raise OptionError("--checkpoint needs --weights", remedy="Name the folder with the text encoder, too")

    @property
    def of_pairs(self) -> dict[str, object]:
        """What the pairs of one folder must have in common."""
        names = ("size", "frames", "shortest", "other", "language", "who")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class PairLimits:
    """Which pairs are left out, by what was measured on them."""

    least_sync: float = 0.2
    """Sync score of picture and sound to be learnt, -1 to 1, from which a pair is used."""

    least_closures: float = 0.5
    """Part of the closed lips (p, b, m) of that sound that its picture must show."""

    least_changed: float = 0.3
    """Part of the frames in which the reference must have another mouth; else a model learns to copy it."""

    most_flicker: float = 1.6
    """How restless the reference's mouth may be, 1 being that of the filmed one."""

    most_seam: float = 1.6
    """How strong edges around the reference's lips may be, 1 being those of the filmed ones."""

    most_distance: float = 0.47
    """How far the face of the reference may be from that of the picture (distance of embeddings)."""

    def fault(self, metrics: Mapping[str, float]) -> str:
        """Why a pair with these ``metrics`` is left out; "" if it is used. What was not measured is no reason."""
        least = {"sync": self.least_sync, "closures": self.least_closures, "changed": self.least_changed}
        most = {"flicker": self.most_flicker, "seam": self.most_seam, "distance": self.most_distance}
        for name, limit in least.items():
            if metrics.get(name, limit) < limit:
                return f"{_MEANING[name]}: {metrics[name]:.2f}, below {limit:g}"
        for name, limit in most.items():
            if metrics.get(name, limit) > limit:
                return f"{_MEANING[name]}: {metrics[name]:.2f}, above {limit:g}"
        return ""


_MEANING = {
    "sync": "mouth and voice do not agree",
    "closures": "lips are open where they should close",
    "changed": "the reference has the same mouth",
    "flicker": "the reference's mouth flickers",
    "seam": "the reference's mouth has visible edges",
    "distance": "the reference's face is another one",
}
