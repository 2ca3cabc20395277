"""Finds the published files of LTX-2.3 and Dub-It in a folder, by what is in them, and says precisely what is wrong.

Four things are wanted: the distilled checkpoint, the x2 upsampler of latents, the text encoder's folder and the
Dub-It LoRA. Only headers are read, so a folder of 66 GB is known in a moment. Names decide only where contents
cannot: between two files that both fit, and against files whose names say that they are something else.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lipdub.disk.json_text import parse_json
from lipdub.engines.ltx.header import Header
from lipdub.engines.ltx.names import rename
from lipdub.engines.ltx.published import LTX, Published
from lipdub.errors import WeightsError
from lipdub.weights import Say, log

DEPTH = 4
"""How many folders deep the files may lie."""

Kind = Literal["checkpoint", "upsampler", "text encoder", "lora", "other"]


@dataclass(frozen=True, slots=True)
class Files:
    """The published files of LTX-2.3 and Dub-It; ``text_encoder`` is a folder."""

    checkpoint: Path
    upsampler: Path
    text_encoder: Path
    lora: Path


@dataclass(frozen=True, eq=False)
class Find:
    """One file or folder: what ``kind`` it is, and in ``fault`` why it cannot be used (nothing if it can)."""

    path: Path
    kind: Kind
    fault: str = ""
    header: Header | None = None


def find_files(folder: Path, lora: str = "", say: Say = log) -> Files:
    """The files of LTX-2.3 and Dub-It in ``folder`` or up to four folders deep in it.

    ``lora`` is the file name of the LoRA if several fit; without it the one that is called after Dub-It is taken, or
    the first by name, and the choice is said. Raises ``WeightsError``: what is missing, where it is to be had, how
    big it is and under which licence, and what was found instead.
    """
    if not folder.is_dir():
        raise WeightsError("there is no such folder of LTX-2.3 files", file=folder, remedy=_WHERE)
    finds = look_through(folder)
    checkpoint = _one(finds, "checkpoint", _rank_checkpoint, say)
    if checkpoint is not None and checkpoint.header is not None:
        finds = [_fitted(find, checkpoint.header) for find in finds]
    if lora:
        finds = [find for find in finds if find.kind != "lora" or find.path.name == lora]
    upsampler = _one(finds, "upsampler", _by_name, say)
    encoder = _one(finds, "text encoder", _by_name, say)
    adapter = _one(finds, "lora", _rank_lora, say)
    if checkpoint is None or upsampler is None or encoder is None or adapter is None:
        chosen = (checkpoint, upsampler, encoder, adapter)
        raise _missing(folder, [wanted for wanted, find in zip(LTX, chosen, strict=True) if find is None], finds)
    if not _is_dubit(adapter.path.name):
        say(f"{adapter.path.name} fits LTX-2.3 and is taken for the Dub-It LoRA, though its name does not say so")
    return Files(checkpoint.path, upsampler.path, encoder.path, adapter.path)


def look_through(folder: Path) -> list[Find]:
    """Every model file and text encoder in ``folder``, sorted by path, each by itself: fits are not looked at."""
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


def _file(path: Path) -> Find:
    """What a single file is."""
    if path.suffix == ".gguf":
        return Find(path, "other", "a GGUF file, which is not read here")
    try:
        header = Header.of(path)
    except WeightsError as error:
        return Find(path, "other", error.what)
    shapes = header.shapes
    if any(part in name for name in shapes for part in (".lora_A.", ".lora_B.", ".lora_down.", ".lora_up.")):
        return Find(path, "lora", header=header)
    if "initial_conv.weight" in shapes:
        return Find(path, "upsampler", _upsampler_fault(header), header)
    if any(".transformer_blocks." in f".{name}" and "connector" not in name for name in shapes):
        return Find(path, "checkpoint", _checkpoint_fault(header), header)
    if any("embed_tokens." in name for name in shapes):
        return Find(path, "other", "a text encoder in one file; its folder with configuration and tokenizer is wanted")
    return Find(path, "other", _part_fault(header), header)


def generation(header: Header) -> str:
    """Which LTX-2 the checkpoint of ``header`` is: ``"2.3"``, or what the file calls itself, or what its tensors
    tell (only 2.5 marks key frames or has no bias in the picture's feed-forward, only 2.0 does not modulate the
    prompt)."""
    told = str(header.metadata.get("model_version", ""))
    if told:
        return "2.3" if told.startswith("2.3") else told
    names = header.shapes
    if any("keyframes_abs_pos_embedding" in name for name in names):
        return "2.5"
    if not any("prompt_adaln" in name for name in names):
        return "2.0"
    return "2.3" if any(name.endswith(".transformer_blocks.0.ff.net.2.bias") for name in names) else "2.5"


def _checkpoint_fault(header: Header) -> str:
    which = generation(header)
    if which.startswith("2.5"):
        return "LTX-2.5 files: not supported yet, Dub-It runs on LTX-2.3"
    if which != "2.3":
        return f"a checkpoint of LTX {which}, Dub-It runs on LTX-2.3"
    lacking = [p.rstrip(".") for p in ("vae.", "audio_vae.", "vocoder.") if not header.numbers(p)]
    if lacking:
        return f"a transformer without {' and '.join(lacking)}; the checkpoint in one file is wanted"
    small = {kind for kind in header.kinds.values() if kind not in ("BF16", "F16", "F32")}
    if small:
        return f"its weights are {', '.join(sorted(small))}; the one in BF16 is wanted, it is made smaller in memory"
    name = header.path.name.lower()
    if "dev" in name and "distilled" not in name:
        return "its name says that it is not distilled; Dub-It's schedule needs the distilled checkpoint"
    return ""


def _upsampler_fault(header: Header) -> str:
    try:
        config = header.config()
    except WeightsError as error:
        return error.what
    if config.get("spatial_scale", 2.0) != 2.0 or config.get("temporal_upsample", False):
        return "an upsampler that does not double height and width alone"
    return ""


def _part_fault(header: Header) -> str:
    """Why a file that is nothing that is wanted is not it."""
    version = str(header.metadata.get("model_version", ""))
    if version.startswith("2.5") or "ltx-2.5" in header.path.name.lower():
        return "LTX-2.5 files: not supported yet, Dub-It runs on LTX-2.3"
    if any(part in name for name in header.shapes for part in ("vae", "encoder.", "decoder.", "vocoder")):
        return "one part of a model; the checkpoint in one file is wanted"
    return "not a file of LTX-2.3"


def _text_encoder(folder: Path) -> Find | None:
    """The text encoder if ``folder`` is one's, whole or not."""
    try:
        kind, width, states = text_shape(folder)
    except WeightsError:
        return None
    if kind != "gemma3":
        return Find(folder, "text encoder", f"a text encoder of the kind {kind}; LTX-2.3 reads Gemma 3 (gemma3)")
    return Find(folder, "text encoder", _encoder_fault(folder), Header(folder, {}, {"": (width, states)}, {}))


def text_shape(folder: Path) -> tuple[str, int, int]:
    """(kind, width of a hidden state, hidden states of a word) of the text encoder in ``folder``, from its settings.

    Raises ``WeightsError`` if they are not there or say nothing of the sort.
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
            Header.of(folder / name)
        except WeightsError as error:
            return f"{name}: {error.what}"
    return ""


def _fitted(find: Find, checkpoint: Header) -> Find:
    """``find``, with a fault if it does not go with the checkpoint."""
    if find.fault or find.header is None:
        return find
    if find.kind == "lora":
        return Find(find.path, "lora", _lora_fault(find.header, checkpoint), find.header)
    stacked = next((s[1] for n, s in checkpoint.shapes.items() if n.endswith("video_aggregate_embed.weight")), 0)
    if find.kind == "text encoder" and stacked:
        width, layers = find.header.shapes[""]
        if width * layers != stacked:
            told = f"{layers} hidden states {width} wide, and the checkpoint reads {stacked} numbers a word"
            return Find(find.path, find.kind, f"another text encoder than the checkpoint's: {told}", find.header)
    return find


def _lora_fault(lora: Header, checkpoint: Header) -> str:
    """Why a LoRA is not one for the transformer of ``checkpoint``, or not Dub-It: that changes the sound too."""
    own = {
        rename("transformer", name.removeprefix(_WITHIN)): shape
        for name, shape in checkpoint.shapes.items()
        if name.startswith(_WITHIN)
    }
    modules = {name.rsplit(".lora_", 1)[0] for name in lora.shapes if ".lora_" in name}
    wrong = []
    for module in sorted(modules):
        ours = rename("transformer", module.removeprefix("diffusion_model.").removeprefix("transformer.") + ".")
        a, b = (lora.shapes.get(f"{module}.lora_{half}.weight", ()) for half in "AB")
        if len(a) != 2 or len(b) != 2 or own.get(f"{ours}weight") != (b[0], a[1]):
            wrong.append(module)
    if wrong:
        told = f"{len(wrong)} of its {len(modules)} layers do not fit, {wrong[0]} the first"
        return f"a LoRA for another model: {told}"
    if not any("audio" in module for module in modules):
        return "a LoRA for the picture alone; Dub-It changes the sound too"
    if any(word in lora.path.name.lower() for word in ("distilled", "upscaler", "control", "camera")):
        return "its name says that it is for another task"
    return ""


_WITHIN = "model.diffusion_model."


def _is_dubit(name: str) -> bool:
    return any(word in name.lower().replace("_", "-") for word in ("dubit", "dub-it", "lipdub", "lip-dub"))


def _rank_lora(find: Find) -> tuple[bool, str]:
    return not _is_dubit(find.path.name), find.path.name


def _rank_checkpoint(find: Find) -> tuple[bool, str]:
    return "distilled" not in find.path.name.lower(), find.path.name


def _by_name(find: Find) -> tuple[bool, str]:
    return False, find.path.name


def _one(finds: list[Find], kind: Kind, rank: Callable[[Find], tuple[bool, str]], say: Say) -> Find | None:
    """The best of the usable finds of ``kind``, saying so if others would do as well."""
    usable = sorted((find for find in finds if find.kind == kind and not find.fault), key=rank)
    if len(usable) > 1:
        others = ", ".join(find.path.name for find in usable[1:])
        say(f"{usable[0].path.name} is taken for the {_TITLES[kind]}; {others} would fit too")
    return usable[0] if usable else None


_TITLES = {"checkpoint": "checkpoint", "upsampler": "upsampler", "text encoder": "text encoder", "lora": "LoRA"}
_WHERE = "docs/ltx.md tells what to download, what to accept and where to put it."


def _missing(folder: Path, wanted: list[Published], finds: list[Find]) -> WeightsError:
    """What is wanted, with size and licence, and what was found that does not serve."""
    listed = "; ".join(published.summary for published in wanted)
    unfit = [f"{find.path.relative_to(folder)}: {find.fault}" for find in finds if find.fault]
    if not finds:
        told = ". No model file was found there"
    elif unfit:
        more = f"; and {len(unfit) - _SHOWN} more" if len(unfit) > _SHOWN else ""
        told = f". Found instead: {'; '.join(unfit[:_SHOWN])}{more}"
    else:
        told = ""
    return WeightsError(
        f"{len(wanted)} of the 4 parts of LTX-2.3 Dub-It missing: {listed}{told}", file=folder, remedy=_WHERE
    )


_SHOWN = 5
