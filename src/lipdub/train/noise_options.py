"""How noise is drawn in training."""

from dataclasses import dataclass

from lipdub.errors import OptionError


@dataclass(frozen=True, slots=True)
class NoiseOptions:
    """How noise is drawn.

    ``shift``: mean of the logit of a noise level (Esser et al., Scaling Rectified Flow Transformers, 2024: logit-normal
    sampling; ``exp(shift)`` is their shift of time); ``"auto"``: by the number of tokens, from 0.95 at 1024 to 2.05 at
    4096. ``spread``: its standard deviation. ``shared``: sound and picture have the same noise level.
    ``first_frame``: the probability that the first picture is given without noise.
    """

    shift: float | str = "auto"
    spread: float = 1.0
    shared: bool = True
    first_frame: float = 0.1

    def __post_init__(self) -> None:
        if isinstance(self.shift, str) and self.shift != "auto":
            raise OptionError(f"noise.shift is '{self.shift}'", remedy='Give a number, or "auto"')
        if self.spread <= 0:
            raise OptionError(f"noise.spread {self.spread:g} is not above 0")
        if not 0 <= self.first_frame <= 1:
            raise OptionError(f"noise.first_frame {self.first_frame:g} is no probability")
