"""Errors that the user sees in ComfyUI: one or two sentences, which say what to do."""

import re

_INPUTS = {
    "--audio": "the input dub",
    "--script": "the input script",
    "--line": "the input script",
    "--to": "the input language",
    "--language": "the input language",
    "--face": "the input people",
    "--voice": "the input voice",
    "--engine-option": "the input engine_options",
    "--engine": "the input engine",
    "--weights": "the input weights",
    "--seed": "the input seed",
    "--translator": "the input translator",
    "--source-language": "the input source_language",
    "--text": "the input text",
    "--consent": "the input consent",
    "--project": "the input project",
    "--offset": "the input offset",
}


class LipdubError(Exception):
    """What lipdub or the node cannot do. The message names the cause and the remedy."""


def in_node_words(message: str) -> str:
    """A message of lipdub with its command-line options as inputs of a node: ``--face largest`` becomes ``the input
    people``, with the value after it. Options that no node has stay as they are."""
    names = "|".join(sorted(map(re.escape, _INPUTS), key=len, reverse=True))
    return re.sub(rf"(?<![\w-])({names})(?![\w-])", lambda found: _INPUTS[found[1]], message)
