"""The settings of every picture encoder: our defaults, and what a user may choose."""

import os
from dataclasses import dataclass

from lipdub.errors import OptionError
from lipdub.media.probe import PictureFacts
from lipdub.media.side_data import hdr10_av1_settings

_X26 = tuple("ultrafast superfast veryfast faster fast medium slow slower veryslow placebo".split())

_PRORES_PROFILES = {"proxy": "proxy", "lt": "lt", "standard": "standard", "hq": "hq", "4444": "4444", "xq": "4444xq"}


@dataclass(frozen=True, slots=True)
class AllowedSettings:
    """What a user may choose for an encoder: ``crf`` (lowest, highest; None: it has none) and ``presets``."""

    crf: tuple[int, int] | None
    presets: tuple[str, ...]
    """Names or numbers, in their order; empty where the encoder has none."""

    @property
    def presets_in_words(self) -> str:
        """``"ultrafast, ... , placebo"`` or ``"a number from -1 to 13"``."""
        if self.presets[0].lstrip("-").isdigit():
            return f"a number from {self.presets[0]} to {self.presets[-1]}"
        return f"one of: {', '.join(self.presets)}"


ALLOWED_SETTINGS = {
    "h264": AllowedSettings((0, 51), _X26),
    "hevc": AllowedSettings((0, 51), _X26),
    "vp9": AllowedSettings((0, 63), tuple(str(n) for n in range(-8, 9))),
    "av1": AllowedSettings((0, 63), tuple(str(n) for n in range(-1, 14))),
    "prores": AllowedSettings(None, ()),
    "ffv1": AllowedSettings(None, ()),
}
"""Picture codec -> what may be chosen. Sources: the option lists of x264, x265, libvpx and SVT-AV1 in FFmpeg."""


def check_encoder_settings(codec: str, crf: int | None, preset: str | None) -> None:
    """Raise ``OptionError``, which names the allowed values, if the encoder of ``codec`` does not take ``crf`` or
    ``preset``."""
    choice = ALLOWED_SETTINGS[codec]
    if crf is not None:
        if choice.crf is None:
            raise OptionError(f"{codec} takes no crf: its quality is fixed", remedy="Remove --crf.")
        low, high = choice.crf
        if not low <= crf <= high:
            what = f"crf {crf} is out of range for {codec}"
            raise OptionError(what, remedy=f"Give a number from {low} (best) to {high} (smallest).")
    if preset is not None:
        if not choice.presets:
            raise OptionError(f"{codec} takes no preset", remedy="Remove --preset.")
        if preset not in choice.presets:
            what = f"'{preset}' is not a preset of {codec}"
            raise OptionError(what, remedy=f"Give {choice.presets_in_words}.")


def default_settings(encoder: str, facts: PictureFacts, crf: int | None, preset: str | None) -> dict[str, str]:
    """Settings that are visually lossless and fast enough; ``crf`` and ``preset`` are used if given."""
    threads = {"threads": "auto"}
    match encoder:
        case "libx264" | "libx264rgb":
            quality = {"crf": str(16 if crf is None else crf), "preset": preset or "superfast", **threads}
            # superfast with the macroblock tree: veryfast's size and 1 dB less (50 dB) in 60 % of its time
            return quality if preset else quality | {"x264-params": "mbtree=1:rc-lookahead=10"}
        case "libx265":
            return {"crf": str(16 if crf is None else crf), "preset": preset or "veryfast", **quiet_settings(encoder)}
        case "libvpx-vp9":
            speed = {"deadline": "good", "cpu-used": preset or "5", "row-mt": "1", "tile-columns": "2"}
            return {"crf": str(18 if crf is None else crf), "b": "0", **speed, **threads}
        case "libsvtav1":
            own = ":".join(["tune=0", *hdr10_av1_settings(facts)])
            quality = {"crf": str(20 if crf is None else crf), "preset": preset or "8", "svtav1-params": own}
            return quality | quiet_settings(encoder)
        case "prores_ks":
            words = (facts.profile or "hq").lower().split()
            known = [_PRORES_PROFILES[word] for word in words if word in _PRORES_PROFILES]
            fourfours = "444" in facts.pixel_format
            profile = known[-1] if known else ("4444" if fourfours else "hq")
            return {"profile": profile, "vendor": "apl0", **threads}
    return threads


def quiet_settings(encoder: str) -> dict[str, str]:
    """Settings that keep encoders from writing to the terminal themselves; their errors are still returned."""
    if encoder == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "0")
    return {"x265-params": "log-level=none"} if encoder == "libx265" else {}


def reproducible_settings(encoder: str, settings: dict[str, str]) -> dict[str, str]:
    """``settings`` with which the packets depend on the frames alone: a fixed number of threads, whatever the machine
    has, no code that only some processors take, and GOPs that refer to no other.

    The number of threads changes the packets of x264 and x265; those of SVT-AV1, ProRes and FFV1 were the same with any
    number. With four, x264 is as fast as with its automatic choice, and 7 % slower than with one if every core has a
    worker.
    """
    match encoder:
        case "libx264" | "libx264rgb":
            return settings | {"threads": "4", **_more(settings, "x264-params", "cpu-independent=1")}
        case "libx265":
            return settings | _more(settings, "x265-params", "frame-threads=2:pools=4:open-gop=0")
        case "libvpx-vp9":
            return settings | {"threads": "4"}
    return settings


def _more(settings: dict[str, str], key: str, added: str) -> dict[str, str]:
    return {key: ":".join(filter(None, (settings.get(key), added)))}
