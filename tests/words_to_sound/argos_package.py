"""A tiny Argos package for tests, with the real file format and random weights."""

import json
from pathlib import Path

import numpy as np
import pytest

WORDS = "good morning how are you today my friend i am fine thanks and see you soon buenos dias amigo mio"


def package(folder: Path, source: str, target: str, seed: int) -> Path:
    """A tiny Argos package: SentencePiece trained on a few words, a transformer of random weights."""
    specs = pytest.importorskip("ctranslate2").specs
    spm = pytest.importorskip("sentencepiece")
    here = folder / f"translate-{source}_{target}-1_0"
    here.mkdir(parents=True)
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter([WORDS, WORDS.title(), "., ?!"] * 4),
        model_prefix=str(here / "sentencepiece"),
        vocab_size=60,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    pieces = spm.SentencePieceProcessor(model_file=str(here / "sentencepiece.model"))
    words = ["<blank>", "<unk>", "<s>", "</s>", *(pieces.id_to_piece(i) for i in range(3, len(pieces)))]
    spec = specs.TransformerSpec.from_config(1, 2)
    random = np.random.default_rng(seed)
    _filled(spec, random, len(words))
    spec.register_source_vocabulary(words)
    spec.register_target_vocabulary(words)
    spec.config.bos_token, spec.config.eos_token, spec.config.unk_token = "<s>", "</s>", "<unk>"
    spec.validate()
    (here / "model").mkdir()
    spec.save(str(here / "model"))
    (here / "metadata.json").write_text(json.dumps({"from_code": source, "to_code": target, "package_version": "1.0"}))
    return here


def _filled(spec, random, words, width=8):
    def linear(layer, rows, columns):
        layer.weight = (0.5 * random.standard_normal((rows, columns))).astype(np.float32)
        layer.bias = np.zeros(rows, np.float32)

    def norm(layer):
        layer.gamma, layer.beta = np.ones(width, np.float32), np.zeros(width, np.float32)

    for side in (spec.encoder, spec.decoder):
        embeddings = side.embeddings[0] if isinstance(side.embeddings, list) else side.embeddings
        embeddings.weight = random.standard_normal((words, width)).astype(np.float32)
        norm(side.layer_norm)
        for layer in side.layer:
            norm(layer.self_attention.layer_norm)
            linear(layer.self_attention.linear[0], 3 * width, width)
            linear(layer.self_attention.linear[1], width, width)
            norm(layer.ffn.layer_norm)
            linear(layer.ffn.linear_0, 2 * width, width)
            linear(layer.ffn.linear_1, width, 2 * width)
    for layer in spec.decoder.layer:
        norm(layer.attention.layer_norm)
        linear(layer.attention.linear[0], width, width)
        linear(layer.attention.linear[1], 2 * width, width)
        linear(layer.attention.linear[2], width, width)
    linear(spec.decoder.projection, words, width)
