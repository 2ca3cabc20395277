"""How large the kept work may become: LIPDUB_CACHE_SIZE, or what ``lipdub cache limit`` wrote, or 6 GiB."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_config_path

from lipdub.disk.json_text import parse_json
from lipdub.disk.publish import write_text
from lipdub.errors import InputError, OptionError, OutputError

VARIABLE = "LIPDUB_CACHE_SIZE"
USUAL = 6 * 1024**3

_NAME = "cache_size"
_UNITS = {"": 1, "B": 1, **{f"{u}B": 1000**n for n, u in enumerate("KMGT", 1)}}
_UNITS |= {u.removesuffix("B"): size for u, size in _UNITS.items() if len(u) == 2}
_UNITS |= {f"{u}IB": 1024**n for n, u in enumerate("KMGT", 1)}


@dataclass(frozen=True, slots=True)
class CacheSize:
    """The most ``bytes`` that kept work may take, and where that is set (``source``)."""

    bytes: int
    source: str


def settings_file() -> Path:
    """The file of the user's settings, in the system's folder for them."""
    return user_config_path("lipdub", appauthor=False) / "settings.json"


def cache_size() -> CacheSize:
    """How large the kept work may become. Raises ``OptionError`` or ``InputError`` if the setting cannot be read."""
    given = os.environ.get(VARIABLE, "").strip()
    if given:
        return CacheSize(parse_size(given, VARIABLE), VARIABLE)
    size = _settings().get(_NAME)
    if size is None:
        return CacheSize(USUAL, "the default")
    if type(size) is not int or size <= 0:
        raise _damaged(f"{_NAME} is no size in bytes")
    return CacheSize(size, str(settings_file()))


def set_cache_size(size: int) -> None:
    """Write down that kept work may take ``size`` bytes. Raises ``InputError`` or ``OutputError``."""
    file, told = settings_file(), {**_settings(), _NAME: size}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as refused:
        raise OutputError(f"cannot be made: {refused.strerror or refused}", file=file.parent) from refused
    write_text(file, json.dumps(told, indent=1) + "\n")


def parse_size(text: str, of: str) -> int:
    """Bytes from 20GB, 500 MB, 6GiB or plain bytes. Raises ``OptionError``, which names what the size is ``of``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text.strip())
    size = round(float(found[1]) * _UNITS.get(found[2].upper(), 0)) if found else 0
    if size <= 0:
        raise OptionError(f"{of}: '{text}' is no size", remedy="Write, for example, 20GB")
    return size


def size_text(size: int) -> str:
    """Bytes as text, e.g. 1.2 GB."""
    for unit, name in ((1000**3, "GB"), (1000**2, "MB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size / 1000:.0f} kB"


def _settings() -> dict[str, object]:
    file = settings_file()
    try:
        told = parse_json(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as refused:
        raise InputError(f"cannot be read: {refused.strerror or refused}", file=file) from refused
    except (ValueError, RecursionError) as wrong:
        raise _damaged(f"it is not JSON ({wrong})") from wrong
    if not isinstance(told, dict):
        raise _damaged("it is not a JSON object")
    return told


def _damaged(why: str) -> InputError:
    remedy = "Remove it, and set the limit again: lipdub cache limit 20GB"
    return InputError(f"the settings are damaged: {why}", file=settings_file(), remedy=remedy)
