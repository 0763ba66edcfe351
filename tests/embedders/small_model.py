"""A model of ten words that looks their vectors up in a table: a real graph beside a real tokenizer, and its use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from gateway.embedders.onnx import OnnxEmbedder

T = TypeVar("T")
WORDS = ["[UNK]", "[CLS]", "[SEP]", "red", "green", "blue", "query", ":", "the", "of"]
TABLE = np.random.default_rng(3).normal(size=(len(WORDS), 8)).astype(np.float32)


def using(embedder: OnnxEmbedder, scenario: Callable[[OnnxEmbedder], Coroutine[Any, Any, T]]) -> T:
    async def run() -> T:
        try:
            return await scenario(embedder)
        finally:
            await embedder.close()

    return asyncio.run(run())


def embed(embedder: OnnxEmbedder, *texts: str) -> list[np.ndarray]:
    async def scenario(opened: OnnxEmbedder) -> list[np.ndarray]:
        return [np.frombuffer(await opened.embed(text), "<f4") for text in texts]

    return using(embedder, scenario)


def protobuf(*fields: tuple[int, int | bytes | str]) -> bytes:
    """A protobuf message of (number, varint | bytes | text | message) fields: enough to write an ONNX graph."""

    def varint(value: int) -> bytes:
        out = b""
        while value > 127:
            out, value = out + bytes([value & 127 | 128]), value >> 7
        return out + bytes([value])

    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            raw = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(raw)) + raw
    return out


def tensor_type(name: str, kind: int, *shape: str | int) -> bytes:
    dims = [(1, protobuf((2, dim) if isinstance(dim, str) else (1, dim))) for dim in shape]
    return protobuf((1, name), (2, protobuf((1, protobuf((1, kind), (2, protobuf(*dims)))))))


def write_model(
    folder: Path,
    *,
    graph: str = "model.onnx",
    table: np.ndarray = TABLE,
    inputs: tuple[str, ...] = ("input_ids",),
    output: str = "last_hidden_state",
    integers: int = 7,
    special: bool = True,
) -> Path:
    """A model that looks its tokens' vectors up in a table: a real graph for onnxruntime, and a real tokenizer."""
    path = folder / graph
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = table.shape
    weights = protobuf((1, rows), (1, columns), (2, 1), (8, "table"), (9, table.astype("<f4").tobytes()))
    node = protobuf((1, "table"), (1, inputs[0]), (2, output), (4, "Gather"))
    body = [(1, node), (2, "lookup"), (5, weights)]
    body += [(11, tensor_type(name, integers, "batch", "tokens")) for name in inputs]
    body += [(12, tensor_type(output, 1, "batch", "tokens", columns))]
    path.write_bytes(protobuf((1, 8), (7, protobuf(*body)), (8, protobuf((1, ""), (2, 13)))))
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if special:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
        )
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=32)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text('{"max_position_embeddings": 12}')
    return folder


def mean(*words: str) -> np.ndarray:
    pooled = TABLE[[WORDS.index(word) for word in words]].mean(axis=0)
    return pooled / np.linalg.norm(pooled)
