"""A local ONNX model under onnxruntime: the shipped one, a folder's, or a hub's.

One text at a time on one thread, one core: a quantised model gives the same text another vector in another batch, and
batches gain nothing on a CPU. Everything slow (imports, download, loading) happens on that thread, before the first text.
Tokens are counted before the model runs; a text beyond the window is TextUnfit, never cut.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from gateway.embedders.folder import ModelFolder, find_folder, read_folder
from gateway.embedders.vector import NORMALISER, unit
from gateway.embedders.worker import Worker
from gateway.errors import EmbedError, TextUnfit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from tokenizers import Encoding, Tokenizer

    from gateway.core.messages import Vector

POOLED = ("embedding", "sentence_embedding")
POOLINGS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    # One text at a time has no padding, so there is no mask to apply.
    "mean": lambda states: states.mean(axis=0, dtype=np.float64),
    "cls": lambda states: states[0],
}
CHARACTERS_PER_TOKEN = 16
"""No text that anybody means has more on average: a longer one is told too long without tokenizing megabytes of it."""


class OnnxEmbedder:
    """An embedder on one thread of this process.

    Args:
        model: `all-MiniLM-L6-v2` (shipped), a folder, or a hub id.
        window: most tokens of a text, special ones included; None: the model's own.
    """

    def __init__(self, *, model: str = "all-MiniLM-L6-v2", window: int | None = None) -> None:
        self._name = model
        self._window = window
        self._worker = Worker(f"onnx embedder {model!r}")
        self._model: _Model | None = None

    @property
    def identity(self) -> str:
        """Known once open: the model's files are part of it. Raises EmbedError before."""
        if self._model is None:
            raise EmbedError(f"onnx embedder {self._name!r} is not open")
        return f"onnx:{self._model.checksum}:{NORMALISER}"

    @property
    def dimensions(self) -> int | None:
        return self._model.dimensions if self._model else None

    async def open(self) -> None:
        """Load the model. Raises EmbedError, naming the model and what to do; may be tried again."""
        await self._worker.run(OnnxEmbedder._loaded, self)

    async def embed(self, text: str) -> Vector:
        """Raises TextUnfit beyond the window or the vocabulary, else EmbedError."""
        return await self._worker.run(self._embed, text)

    async def ping(self) -> None:
        await self.open()

    async def close(self) -> None:
        await self._worker.close()
        self._model = None

    def _embed(self, text: str) -> Vector:
        return self._loaded().embed(text)

    def _loaded(self) -> _Model:
        if self._model is None:
            self._model = _load(self._name, self._window)
        return self._model


class _Model:
    """A loaded session and its tokenizer. Used by one thread."""

    def __init__(self, name: str, folder: ModelFolder, tokenizer: Tokenizer, session: Any) -> None:
        self._name = name
        self._folder = folder
        self._tokenizer = tokenizer
        self._session = session
        self._unknown = _unknown(folder, tokenizer)
        self._inputs = {entry.name: _integers(name, entry.name, entry.type) for entry in session.get_inputs()}
        self._output, self._pool = _output(name, folder, session)
        self.checksum = folder.checksum
        self.dimensions: int | None = None
        self.dimensions = len(self._run(tokenizer.encode("ping"))) // 4  # also the warm-up: a first run is the slowest

    def embed(self, text: str) -> Vector:
        if len(text) > self._folder.window * CHARACTERS_PER_TOKEN:
            raise self._too_long()
        said = self._folder.prompt + text
        encoding = self._tokenizer.encode(said.lower() if self._folder.lower_case else said)
        if len(encoding.ids) > self._folder.window:
            raise self._too_long()
        if self._unknown in encoding.ids:
            # All unknown words are one token: to this model, two questions in Thai may be the same question.
            raise TextUnfit(f"the text has words that model {self._name!r} does not know")
        return self._run(encoding)

    def _run(self, encoding: Encoding) -> Vector:
        columns = {
            "input_ids": encoding.ids,
            "attention_mask": encoding.attention_mask,
            "token_type_ids": encoding.type_ids,
        }
        feed = {name: np.array([columns[name]], dtype=integer) for name, integer in self._inputs.items()}
        try:
            answer = self._session.run([self._output], feed)[0][0]
        except Exception as trouble:  # onnxruntime's errors have no root of their own
            raise EmbedError(f"model {self._name!r} failed: {type(trouble).__name__}") from None
        return unit(self._pool(answer), self.dimensions)

    def _too_long(self) -> TextUnfit:
        return TextUnfit(f"the text has more than the {self._folder.window} tokens of model {self._name!r}")


def _load(name: str, window: int | None) -> _Model:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it would report to its makers, and write below HOME for that
    import onnxruntime  # type: ignore[import-untyped, unused-ignore]
    from tokenizers import Tokenizer

    folder = read_folder(find_folder(name), name, window)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False  # the arena keeps what the longest text needed; without it no slower, measured
    options.enable_mem_pattern = False  # plans are kept for each length of text ever seen
    options.log_severity_level = 3
    try:
        tokenizer = Tokenizer.from_file(str(folder.tokenizer))
        session = onnxruntime.InferenceSession(str(folder.graph), options, providers=["CPUExecutionProvider"])
    except Exception as trouble:  # both raise bare Exceptions
        raise EmbedError(f"model {name!r} cannot be loaded: {trouble}") from trouble
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return _Model(name, folder, tokenizer, session)


def _unknown(folder: ModelFolder, tokenizer: Tokenizer) -> int | None:
    vocabulary = folder.vocabulary
    unknown = vocabulary.unk_id
    if unknown is None and vocabulary.unk_token is not None:
        unknown = tokenizer.token_to_id(vocabulary.unk_token)
    # Some byte-level tokenizers name their end-of-text token here, which every text has and no unknown word gets.
    return None if unknown in tokenizer.encode("").ids else unknown


def _integers(model: str, name: str, kind: str) -> type[np.integer[Any]]:
    known: dict[str, type[np.integer[Any]]] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
    if name not in {"input_ids", "attention_mask", "token_type_ids"} or kind not in known:
        raise EmbedError(f"model {model!r} wants an input {name!r} of {kind}, which is not a text model's")
    return known[kind]


def _output(model: str, folder: ModelFolder, session: Any) -> tuple[str, Callable[[NDArray[Any]], NDArray[Any]]]:
    """Which output to take, and how to make one vector of it: as it is, or pooled over tokens."""
    shapes = {entry.name: entry.shape for entry in session.get_outputs()}
    wanted = (folder.output,) if folder.output else POOLED
    name = next((name for name in wanted if name in shapes), None) or next(iter(shapes))
    if folder.output and name != folder.output:
        raise EmbedError(f"model {model!r} has no output {folder.output!r}; it has {', '.join(shapes)}")
    if len(shapes[name]) == 2:
        return name, lambda vector: vector
    if folder.beyond:
        raise EmbedError(
            f"model {model!r} has layers behind its graph ({', '.join(folder.beyond)}): use `type: sentence-transformers`"
        )
    if folder.pooling not in POOLINGS:
        raise EmbedError(
            f"model {model!r} pools by {folder.pooling!r}, which is not known here: use `type: sentence-transformers`"
        )
    return name, POOLINGS[folder.pooling]
