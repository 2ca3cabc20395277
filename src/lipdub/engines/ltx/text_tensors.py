"""Where the tensors of the text encoder lie in its files, read from their headers (``text_encoder`` reads them)."""

import re
from pathlib import Path

from lipdub.disk.json_text import parse_json
from lipdub.engines.ltx.safetensors_header import SafetensorsHeader
from lipdub.errors import WeightsError

PROMPT_TOKENS = 1024
"""Tokens of every prompt: shorter ones are padded on the left, longer ones cut on the right."""

_TEXT = re.compile(r"^(?:model\.)?(?:language_model\.)?(?:model\.)?((?:embed_tokens|layers|norm)\..+)$")
"""Names of the text model's tensors, in published files of several versions of transformers."""


def text_tensors(folder: Path) -> dict[str, tuple[SafetensorsHeader, str]]:
    """By transformers' name of each tensor of the text model: the header of its file, and its name there."""
    index = folder / "model.safetensors.index.json"
    try:
        names = set(parse_json(index.read_text(encoding="utf-8"))["weight_map"].values()) if index.is_file() else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError("the list of its files cannot be read", file=index) from error
    paths = sorted(folder / name for name in names) if names else sorted(folder.glob("*.safetensors"))
    if not paths:
        raise WeightsError("the text encoder cannot be read (it has no weights, *.safetensors)", file=folder)
    headers = [SafetensorsHeader.of(path) for path in paths]
    return {match[1]: (header, name) for header in headers for name in header.shapes if (match := _TEXT.match(name))}
