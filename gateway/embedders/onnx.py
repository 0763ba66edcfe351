"""A local ONNX model under onnxruntime: the shipped one, a folder's, or a hub's.

One text at a time on one thread, one core: a quantised model gives the same text another vector in another batch, and
batches gain nothing on a CPU. Everything slow (imports, download, loading) happens on that thread, before the first text.
Tokens are counted before the model runs; a text beyond the window is TextUnfit, never cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gateway.embedders.folder import SHIPPED, ModelFolder, read_folder
from gateway.embedders.vector import NORMALISER, unit
from gateway.errors import EmbedError, TextUnfit
from gateway.inference.folder import find_folder
from gateway.inference.session import CHARACTERS_PER_TOKEN, inputs_of, open_model, unknown_token
from gateway.inference.worker import Worker

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


class OnnxEmbedder:
    """An embedder on one thread of this process.

    Args:
        model: `all-MiniLM-L6-v2` (shipped), a folder, or a hub id.
        window: most tokens of a text, special ones included; None: the model's own.
    """

    def __init__(self, *, model: str = "all-MiniLM-L6-v2", window: int | None = None) -> None:
        self._name = model
        self._window = window
        self._worker = Worker(f"onnx embedder {model!r}", EmbedError)
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
        self._unknown = unknown_token(folder.vocabulary, tokenizer)
        self._inputs = inputs_of(name, session, EmbedError)
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
    folder = read_folder(find_folder(name, EmbedError, SHIPPED), name, window)
    session, tokenizer = open_model(name, folder.graph, folder.tokenizer, EmbedError)
    return _Model(name, folder, tokenizer, session)


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
