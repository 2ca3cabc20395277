"""Finds the published files of LTX-2.3 and Dub-It in a folder by their contents, and says what is wrong with others.

Four items are needed: the distilled checkpoint, the x2 upsampler of latents, the text encoder's folder and the Dub-It
LoRA. Only headers are read, so a folder of 74 GB is scanned in a moment. File names decide only where contents cannot:
between two files that both fit, and against files whose names say that they are something else.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lipdub.disk.json_text import parse_json
from lipdub.engines.ltx.published import CHECKPOINT, LTX, UPSAMPLER, PublishedFile
from lipdub.engines.ltx.safetensors_header import SafetensorsHeader
from lipdub.engines.ltx.tensor_names import diffusers_name
from lipdub.errors import WeightsError
from lipdub.weights import Say, log

DEPTH = 4
"""How many levels of folders are searched."""

FileKind = Literal["checkpoint", "upsampler", "text encoder", "lora", "other"]


@dataclass(frozen=True, slots=True)
class LtxFiles:
    """The published files of LTX-2.3 and Dub-It; ``text_encoder`` is a folder."""

    checkpoint: Path
    upsampler: Path
    text_encoder: Path
    lora: Path


@dataclass(frozen=True, eq=False)
class FoundFile:
    """A file or folder of a ``kind``; ``fault`` says why it cannot be used ("" if it can)."""

    path: Path
    kind: FileKind
    fault: str = ""
    header: SafetensorsHeader | None = None


def find_files(folder: Path, lora: str = "", say: Say = log) -> LtxFiles:
    """The files of LTX-2.3 and Dub-It in ``folder``, up to four levels deep.

    ``lora``: the file name of the LoRA, if several fit. Without it, one with Dub-It in its name is preferred, then the
    first by name. Of several checkpoints or upsamplers, the latest published one is preferred. A choice between several
    files is reported through ``say``. Raises ``WeightsError`` with what is
    missing, its source, size and licence, and what was found instead.
    """
    if not folder.is_dir():
        raise WeightsError("there is no such folder of LTX-2.3 files", file=folder, remedy=_WHERE)
    finds = scan_folder(folder)
    checkpoint = _best(finds, "checkpoint", _rank_checkpoint, say)
    if checkpoint is not None and checkpoint.header is not None:
        finds = [_checked_fit(find, checkpoint.header) for find in finds]
    if lora:
        finds = [find for find in finds if find.kind != "lora" or find.path.name == lora]
    upsampler = _best(finds, "upsampler", _rank_upsampler, say)
    encoder = _best(finds, "text encoder", _by_name, say)
    adapter = _best(finds, "lora", _rank_lora, say)
    if checkpoint is None or upsampler is None or encoder is None or adapter is None:
        chosen = (checkpoint, upsampler, encoder, adapter)
        raise _missing_files(folder, [needed for needed, find in zip(LTX, chosen, strict=True) if find is None], finds)
    if not _is_dubit(adapter.path.name):
        say(f"{adapter.path.name} fits LTX-2.3 and is taken for the Dub-It LoRA, though its name does not say so")
    return LtxFiles(checkpoint.path, upsampler.path, encoder.path, adapter.path)


def scan_folder(folder: Path) -> list[FoundFile]:
    """All model files and text encoders in ``folder``, in order of path; whether they fit together is not checked."""
    finds, encoders = [], []
    for place, inner, names in os.walk(folder, followlinks=True):
        here = Path(place)
        inner[:] = sorted(n for n in inner if not n.startswith(".")) if _depth(folder, here) < DEPTH else []
        if (find := _text_encoder(here)) is not None:
            encoders.append(find)
            inner[:] = []
            continue
        finds += [_file(here / name) for name in sorted(names) if name.endswith((".safetensors", ".gguf"))]
    return finds + encoders


def _depth(folder: Path, inner: Path) -> int:
    return len(inner.relative_to(folder).parts)


def _file(path: Path) -> FoundFile:
    """Classify a single file by its header."""
    if path.suffix == ".gguf":
        return FoundFile(path, "other", "a GGUF file, which is not read here")
    try:
        header = SafetensorsHeader.of(path)
    except WeightsError as error:
        return FoundFile(path, "other", error.what)
    shapes = header.shapes
    if any(part in name for name in shapes for part in (".lora_A.", ".lora_B.", ".lora_down.", ".lora_up.")):
        return FoundFile(path, "lora", header=header)
    if "initial_conv.weight" in shapes:
        return FoundFile(path, "upsampler", _upsampler_fault(header), header)
    if any(".transformer_blocks." in f".{name}" and "connector" not in name for name in shapes):
        return FoundFile(path, "checkpoint", _checkpoint_fault(header), header)
    if any("embed_tokens." in name for name in shapes):
        return FoundFile(
            path, "other", "a text encoder in one file; its folder with configuration and tokenizer is needed"
        )
    return FoundFile(path, "other", _part_fault(header), header)


def ltx_version(header: SafetensorsHeader) -> str:
    """The version of a checkpoint: ``"2.3"``, or what its metadata say, or what its tensors show.

    Only 2.5 has embeddings of key frames, or no bias in the feed-forward layers of the picture; only 2.0 does not
    modulate the prompt.
    """
    version = str(header.metadata.get("model_version", ""))
    if version:
        return "2.3" if version.startswith("2.3") else version
    names = header.shapes
    if any("keyframes_abs_pos_embedding" in name for name in names):
        return "2.5"
    if not any("prompt_adaln" in name for name in names):
        return "2.0"
    return "2.3" if any(name.endswith(".transformer_blocks.0.ff.net.2.bias") for name in names) else "2.5"


def _checkpoint_fault(header: SafetensorsHeader) -> str:
    which = ltx_version(header)
    if which.startswith("2.5"):
        return "LTX-2.5 files: not supported yet, Dub-It runs on LTX-2.3"
    if which != "2.3":
        return f"a checkpoint of LTX {which}, Dub-It runs on LTX-2.3"
    lacking = [p.rstrip(".") for p in ("vae.", "audio_vae.", "vocoder.") if not header.total_size(p)]
    if lacking:
        return f"a transformer without {' and '.join(lacking)}; the checkpoint in one file is needed"
    kept = {name: dtype for name, dtype in header.dtypes.items() if not name.endswith(".comfy_quant")}
    wrong = {dtype for dtype in kept.values() if dtype not in ("BF16", "F16", "F32", "F8_E4M3")}
    if wrong:
        return f"its weights are {', '.join(sorted(wrong))}; the one in BF16 is needed; it is reduced in memory"
    name = header.path.name.lower()
    if "dev" in name and "distilled" not in name:
        return "its name says that it is not distilled; Dub-It's schedule needs the distilled checkpoint"
    return ""


def _upsampler_fault(header: SafetensorsHeader) -> str:
    try:
        config = header.config()
    except WeightsError as error:
        return error.what
    if config.get("spatial_scale", 2.0) != 2.0 or config.get("temporal_upsample", False):
        return "an upsampler that does not double height and width alone"
    return ""


def _part_fault(header: SafetensorsHeader) -> str:
    """Why a file is none of the needed files."""
    version = str(header.metadata.get("model_version", ""))
    if version.startswith("2.5") or "ltx-2.5" in header.path.name.lower():
        return "LTX-2.5 files: not supported yet, Dub-It runs on LTX-2.3"
    if any(part in name for name in header.shapes for part in ("vae", "encoder.", "decoder.", "vocoder")):
        return "one part of a model; the checkpoint in one file is needed"
    return "not a file of LTX-2.3"


def _text_encoder(folder: Path) -> FoundFile | None:
    """The text encoder in ``folder``, complete or not; None if there is none."""
    try:
        kind, width, states = text_encoder_shape(folder)
    except WeightsError:
        return None
    if kind != "gemma3":
        return FoundFile(folder, "text encoder", f"a text encoder of the kind {kind}; LTX-2.3 reads Gemma 3 (gemma3)")
    return FoundFile(
        folder, "text encoder", _encoder_fault(folder), SafetensorsHeader(folder, {}, {"": (width, states)}, {})
    )


def text_encoder_shape(folder: Path) -> tuple[str, int, int]:
    """(model type, width of a hidden state, hidden states per token) of a text encoder, from its ``config.json``.

    Raises ``WeightsError`` if the file is missing or does not say these.
    """
    try:
        config = parse_json((folder / "config.json").read_text(encoding="utf-8"))
        text = config.get("text_config", config)
        return str(config["model_type"]), int(text["hidden_size"]), int(text["num_hidden_layers"]) + 1
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError("no text encoder here: config.json is missing or says nothing", file=folder) from error


def _encoder_fault(folder: Path) -> str:
    index = folder / "model.safetensors.index.json"
    try:
        named = set(parse_json(index.read_text(encoding="utf-8"))["weight_map"].values()) if index.is_file() else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{index.name} cannot be read"
    shards = sorted(named) if named else sorted(p.name for p in folder.glob("*.safetensors"))
    lacking = [name for name in shards if not (folder / name).is_file()]
    if not shards:
        return "it has no weights (*.safetensors)"
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model")):
        lacking.append("tokenizer.json")
    if lacking:
        return f"it lacks {', '.join(lacking)}"
    for name in shards:
        try:
            SafetensorsHeader.of(folder / name)
        except WeightsError as error:
            return f"{name}: {error.what}"
    return ""


def _checked_fit(find: FoundFile, checkpoint: SafetensorsHeader) -> FoundFile:
    """``find``, with a fault if it does not fit the checkpoint."""
    if find.fault or find.header is None:
        return find
    if find.kind == "lora":
        return FoundFile(find.path, "lora", _lora_fault(find.header, checkpoint), find.header)
    stacked = next((s[1] for n, s in checkpoint.shapes.items() if n.endswith("video_aggregate_embed.weight")), 0)
    if find.kind == "text encoder" and stacked:
        width, layers = find.header.shapes[""]
        if width * layers != stacked:
            sizes = f"{layers} hidden states {width} wide, and the checkpoint reads {stacked} numbers a word"
            return FoundFile(find.path, find.kind, f"another text encoder than the checkpoint's: {sizes}", find.header)
    return find


def _lora_fault(lora: SafetensorsHeader, checkpoint: SafetensorsHeader) -> str:
    """Why a LoRA does not fit the transformer of ``checkpoint``, or is not Dub-It, which changes the sound too; or
    ""."""
    own = {
        diffusers_name("transformer", name.removeprefix(_TRANSFORMER_PREFIX)): shape
        for name, shape in checkpoint.shapes.items()
        if name.startswith(_TRANSFORMER_PREFIX)
    }
    modules = {name.rsplit(".lora_", 1)[0] for name in lora.shapes if ".lora_" in name}
    wrong = []
    for module in sorted(modules):
        ours = diffusers_name("transformer", module.removeprefix("diffusion_model.").removeprefix("transformer.") + ".")
        a, b = (lora.shapes.get(f"{module}.lora_{half}.weight", ()) for half in "AB")
        if len(a) != 2 or len(b) != 2 or own.get(f"{ours}weight") != (b[0], a[1]):
            wrong.append(module)
    if wrong:
        misfits = f"{len(wrong)} of its {len(modules)} layers do not fit, {wrong[0]} the first"
        return f"a LoRA for another model: {misfits}"
    if not any("audio" in module for module in modules):
        return "a LoRA for the picture alone; Dub-It changes the sound too"
    if any(word in lora.path.name.lower() for word in ("distilled", "upscaler", "control", "camera")):
        return "its name says that it is for another task"
    return ""


_TRANSFORMER_PREFIX = "model.diffusion_model."


def _is_dubit(name: str) -> bool:
    return any(word in name.lower().replace("_", "-") for word in ("dubit", "dub-it", "lipdub", "lip-dub"))


FileRank = tuple[int, str]
"""Orders files that all fit: the smallest is preferred."""


def _rank_lora(find: FoundFile) -> FileRank:
    return int(not _is_dubit(find.path.name)), find.path.name


def _rank_checkpoint(find: FoundFile) -> FileRank:
    return _published_rank(find, CHECKPOINT) + int("distilled" not in find.path.name.lower()), find.path.name


def _rank_upsampler(find: FoundFile) -> FileRank:
    return _published_rank(find, UPSAMPLER), find.path.name


def _published_rank(find: FoundFile, published: PublishedFile) -> int:
    """The place of a file's name among the published names, the latest being 0; after them all for another name."""
    names = published.names
    return names.index(find.path.name) if find.path.name in names else len(names)


def _by_name(find: FoundFile) -> FileRank:
    return 0, find.path.name


def _best(finds: list[FoundFile], kind: FileKind, rank: Callable[[FoundFile], FileRank], say: Say) -> FoundFile | None:
    """The best usable file of ``kind``, or None; if others would fit too, ``say`` is called."""
    usable = sorted((find for find in finds if find.kind == kind and not find.fault), key=rank)
    if len(usable) > 1:
        others = ", ".join(find.path.name for find in usable[1:])
        say(f"{usable[0].path.name} is taken for the {_TITLES[kind]}; {others} would fit too")
    return usable[0] if usable else None


_TITLES = {"checkpoint": "checkpoint", "upsampler": "upsampler", "text encoder": "text encoder", "lora": "LoRA"}
_WHERE = "docs/ltx.md says what to download, what to accept and where to put it."


def _missing_files(folder: Path, missing: list[PublishedFile], finds: list[FoundFile]) -> WeightsError:
    """The error that lists what is missing, with size and licence, and unusable files that were found."""
    listed = "; ".join(published.summary for published in missing)
    unfit = [f"{find.path.relative_to(folder)}: {find.fault}" for find in finds if find.fault]
    if not finds:
        instead = ". No model file was found there"
    elif unfit:
        more = f"; and {len(unfit) - _SHOWN} more" if len(unfit) > _SHOWN else ""
        instead = f". Found instead: {'; '.join(unfit[:_SHOWN])}{more}"
    else:
        instead = ""
    return WeightsError(
        f"{len(missing)} of the 4 parts of LTX-2.3 Dub-It missing: {listed}{instead}", file=folder, remedy=_WHERE
    )


_SHOWN = 5
