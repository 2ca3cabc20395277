"""``lipdub doctor`` and ``lipdub engines``: what this machine can do, and what is missing for what."""

import json
import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.table import Table

from lipdub import __version__, weights
from lipdub.cli.screen import note, stdout
from lipdub.engines.find import ENGINES, find, names
from lipdub.engines.seam import EngineDiagnostics, EngineSetup
from lipdub.errors import LipdubError
from lipdub.plugins import Kind, reason_of
from lipdub.studio.store import default_root
from lipdub.words_to_sound.seam import RECOGNISERS, TRANSLATORS, VOICES

KINDS = (ENGINES, RECOGNISERS, TRANSLATORS, VOICES)
"""What others may add."""

NEEDED = ("av", "numpy", "scipy", "opencv-python-headless", "ai-edge-litert", "onnxruntime", "hama", "soxr")
OPTIONAL = {
    "faster-whisper": "hear",
    "py-nanotts": "voices",
    "kokoro-onnx": "kokoro",
    "ctranslate2": "argos",
    "torch": "ltx",
}
ENCODERS = ("libx264", "libx265", "libvpx-vp9", "libsvtav1", "prores_ks")
HARDWARE = ("h264_nvenc", "h264_videotoolbox", "h264_qsv", "h264_vaapi", "h264_amf")


def run_doctor(weights_folder: Path | None, *, as_json: bool) -> int:
    """Print the examination; exit code 0 if a dub would run, 1 if something needed is missing."""
    found = examine(weights_folder)
    if as_json:
        stdout.out(json.dumps(found, indent=1))
        return 0 if not found["advice"] else 1
    table = Table("what", "found", show_header=False)
    for name, value in found.items():
        if name != "advice":
            text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
            text = "\n".join(value) or "none" if isinstance(value, list) else text
            table.add_row(name, text)
    stdout.print(table)
    for line in found["advice"] or ["Everything a dub needs is here."]:
        note(line)
    return 1 if found["advice"] else 0


def examine(weights_folder: Path | None = None) -> dict:
    """Everything the doctor looks at; ``advice`` lists what keeps a dub from running. ``weights_folder`` is looked
    into for engines that need weights of their own."""
    packages = {name: _version(name) for name in NEEDED}
    models = {m.name: "here" if weights.present(m.name) else f"{m.bytes / 1e6:.0f} MB" for m in weights.catalogue()}
    root = default_root()
    free = shutil.disk_usage(_existing(root)).free
    advice = [f"The package {name} is missing: reinstall lipdub." for name, v in packages.items() if not v]
    if free < 2e9:
        advice.append(f"Only {free / 1e9:.1f} GB are free at {root}; a study of a clip may need 1 GB.")
    return {
        "lipdub": __version__,
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "packages": packages,
        "optional": {name: _version(name) or f"missing (lipdub[{extra}])" for name, extra in OPTIONAL.items()},
        "models": models,
        "encoders": ", ".join(_usable(ENCODERS)),
        "hardware encoders": ", ".join(_usable(HARDWARE)) or "none",
        **{f"{kind.called}s": _listed(kind) for kind in KINDS},
        **_examined(EngineSetup(weights_folder)),
        "broken": [reason for kind in KINDS[1:] for reason in kind.broken().values()],
        "work kept in": f"{root} ({_size(root) / 1e6:.0f} MB used, {free / 1e9:.1f} GB free)",
        "advice": advice,
    }


def _listed(kind: Kind) -> str:
    """The names of what is installed; those that cannot be loaded are marked."""
    broken = kind.broken()
    return ", ".join(f"{name} (broken)" if name in broken else name for name in kind.names())


def _examined(setup: EngineSetup) -> dict[str, list[str]]:
    """What engines say of this machine; of a broken one, what is wrong with it."""
    found = {}
    for name in names():
        try:
            engine = find(name, setup)
            if isinstance(engine, EngineDiagnostics):
                found[f"engine {name}"] = engine.diagnose()
        except LipdubError as refused:
            found[f"engine {name}"] = [str(refused)]
        except Exception as broken:
            found[f"engine {name}"] = [f"it is broken ({reason_of(broken)})"]
    return found


def _row(name: str) -> dict[str, Any]:
    """What is known of an engine; ``broken`` says why, if it cannot be used."""
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
        return {"name": name, "broken": f"the engine '{name}' is broken ({reason_of(broken)})"}


def run_engines(*, as_json: bool) -> int:
    """Print every engine that is installed; one that is broken is listed with the reason."""
    rows = [_row(name) for name in names()]
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


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _usable(names: tuple[str, ...]) -> list[str]:
    """Those encoders that open here; a hardware encoder may be built in and have no hardware."""
    from lipdub.media.write import encoder_opens

    return [name for name in names if encoder_opens(name)]


def _existing(path: Path) -> Path:
    return next(p for p in (path, *path.parents) if p.exists())


def _size(root: Path) -> int:
    return sum(f.stat().st_size for f in root.rglob("*") if f.is_file()) if root.exists() else 0
