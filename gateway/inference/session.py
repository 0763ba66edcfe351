"""An ONNX graph under onnxruntime and its tokenizer, opened the same way for every model: few threads, little memory, and
nothing cut or padded.

Blocks, and is used by one thread. Whoever asks names the error class of its trouble.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tokenizers import Tokenizer

    from gateway.errors import CacheTrouble
    from gateway.inference.folder import Vocabulary

CHARACTERS_PER_TOKEN = 16
"""No text that anybody means has more on average: a longer one is told too long without tokenizing megabytes of it."""
INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
INTEGERS: dict[str, type[np.integer[Any]]] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


def open_model(
    name: str, graph: Path, tokenizer: Path, trouble: type[CacheTrouble], threads: int = 1
) -> tuple[Any, Tokenizer]:
    """The session and the tokenizer of model `name`. Raises `trouble`."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it would report to its makers, and write below HOME for that
    import onnxruntime  # type: ignore[import-untyped, unused-ignore]
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False  # the arena keeps what the longest text needed; without it no slower, measured
    options.enable_mem_pattern = False  # plans are kept for each length of text ever seen
    options.log_severity_level = 3
    try:
        opened = Tokenizer.from_file(str(tokenizer))
        session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # both raise bare Exceptions
        raise trouble(f"model {name!r} cannot be loaded: {error}") from error
    opened.no_truncation()
    opened.no_padding()
    return session, opened


def inputs_of(name: str, session: Any, trouble: type[CacheTrouble]) -> dict[str, type[np.integer[Any]]]:
    """The graph's inputs and their integer types. Raises `trouble` where one is not a text model's."""
    for entry in session.get_inputs():
        if entry.name not in INPUTS or entry.type not in INTEGERS:
            raise trouble(f"model {name!r} wants an input {entry.name!r} of {entry.type}, which is not a text model's")
    return {entry.name: INTEGERS[entry.type] for entry in session.get_inputs()}


def unknown_token(vocabulary: Vocabulary, tokenizer: Tokenizer) -> int | None:
    """The token of all words that the model does not know; None where it can spell any."""
    unknown = vocabulary.unk_id
    if unknown is None and vocabulary.unk_token is not None:
        unknown = tokenizer.token_to_id(vocabulary.unk_token)
    # Some byte-level tokenizers name their end-of-text token here, which every text has and no unknown word gets.
    return None if unknown in tokenizer.encode("").ids else unknown


def may_fit(texts: Iterable[str], window: int) -> bool:
    """Are they worth counting tokens: not far too long, and Unicode (no tokenizer takes a lone surrogate)?"""
    whole = "".join(texts)
    if len(whole) > window * CHARACTERS_PER_TOKEN:
        return False
    try:
        whole.encode()
    except UnicodeEncodeError:
        return False
    return True
