"""A pair model as an ONNX graph and a `tokenizer.json`, without torch.

Candidates run together where that changes nothing: measured with five of 25 tokens on one core, 19 ms instead of 27 in
fp32. Most quantised models do give a pair another score in another batch; that is tried out when the model is opened, and
such a one takes a pair at a time. Tokens are counted before the model runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from gateway.errors import VerifierError
from gateway.inference.folder import GRAPHS, TokenizerFile, find_graph, narrowed, read_json, stated_window
from gateway.inference.session import inputs_of, may_fit, open_model, unknown_token

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from tokenizers import Encoding, Tokenizer


class _Config(msgspec.Struct):
    """`config.json`, as far as it concerns a pair model."""

    id2label: dict[str, str] = {}
    model_type: str = ""
    pad_token_id: int | None = None
    max_position_embeddings: int | None = None


PROBES = (("a", "b"), ("how do i get there", "what is it"), ("one", "two of them and some more words than before"))
"""Of different lengths, so that padding is needed."""
ALIKE = 1e-4


class OnnxPairs:
    """A loaded session and its tokenizer. Used by one thread."""

    def __init__(
        self, name: str, config: _Config, window: int, tokenizer: Tokenizer, session: Any, unknown: int | None
    ):
        self._name = name
        self._window = window
        self._tokenizer = tokenizer
        self._session = session
        self._unknown = unknown
        self._inputs = inputs_of(name, session, VerifierError)
        self._output = _output(name, session)
        self._padding = config.pad_token_id or 0
        self._together = self._may_batch()
        self.labels = tuple(label for _, label in sorted(config.id2label.items(), key=lambda item: int(item[0])))

    def outputs(self, pairs: Sequence[tuple[str, str]]) -> list[list[float] | None]:
        encodings = [self._encode(pair) for pair in pairs]
        fitting = [encoding for encoding in encodings if encoding is not None]
        batches = [fitting] if self._together and fitting else [[encoding] for encoding in fitting]
        rows = iter([row for batch in batches for row in self._run(batch)])
        return [None if encoding is None else next(rows) for encoding in encodings]

    def _encode(self, pair: tuple[str, str]) -> Encoding | None:
        if not may_fit(pair, self._window):
            return None
        encoding = self._tokenizer.encode(*pair)
        if len(encoding.ids) > self._window or self._unknown in encoding.ids:
            return None
        return encoding

    def _run(self, encodings: Sequence[Encoding]) -> list[list[float]]:
        longest = max(len(encoding.ids) for encoding in encodings)

        def column(of: Callable[[Encoding], list[int]], padding: int, integer: type[np.integer[Any]]) -> NDArray[Any]:
            rows = [of(encoding) for encoding in encodings]
            return np.array([row + [padding] * (longest - len(row)) for row in rows], dtype=integer)

        columns: dict[str, tuple[Callable[[Encoding], list[int]], int]] = {
            "input_ids": (lambda encoding: encoding.ids, self._padding),
            "attention_mask": (lambda encoding: encoding.attention_mask, 0),
            "token_type_ids": (lambda encoding: encoding.type_ids, 0),
        }
        feed = {name: column(*columns[name], integer) for name, integer in self._inputs.items()}
        try:
            rows = self._session.run([self._output], feed)[0]
        except Exception as trouble:  # onnxruntime's errors have no root of their own
            raise VerifierError(f"model {self._name!r} failed: {type(trouble).__name__}") from None
        return [[float(value) for value in np.atleast_1d(row)] for row in rows]

    def _may_batch(self) -> bool:
        """Does a pair get the same output beside others as alone?"""
        if "attention_mask" not in self._inputs:
            return False
        encodings = [self._tokenizer.encode(*pair) for pair in PROBES]
        alone = [self._run([encoding])[0] for encoding in encodings]
        return bool(np.allclose(self._run(encodings), alone, rtol=ALIKE, atol=ALIKE))


def load(name: str, folder: Path, window: int | None, threads: int) -> OnnxPairs:
    """The model in `folder`. Blocks. Raises VerifierError."""
    graph = find_graph(folder)
    tokens = read_json(folder / "tokenizer.json", TokenizerFile, VerifierError)
    if graph is None or tokens is None:
        raise VerifierError(f"model {name!r}: its folder needs {' or '.join(GRAPHS)}, and tokenizer.json")
    config = read_json(folder / "config.json", _Config, VerifierError) or _Config()
    session, tokenizer = open_model(name, graph, folder / "tokenizer.json", VerifierError, threads)
    if tokenizer.num_special_tokens_to_add(True) <= tokenizer.num_special_tokens_to_add(False):
        raise VerifierError(
            f"model {name!r}: its tokenizer.json puts nothing between the two texts of a pair: use `backend: torch`"
        )
    most = narrowed(name, _window(folder, config), window, VerifierError)
    return OnnxPairs(name, config, most, tokenizer, session, unknown_token(tokens.model, tokenizer))


def _window(folder: Path, config: _Config) -> int | None:
    window = stated_window(folder, VerifierError)
    if window is not None and "roberta" in config.model_type and config.max_position_embeddings is not None:
        # Its positions begin behind that of the padding.
        window = min(window, config.max_position_embeddings - (config.pad_token_id or 0) - 1)
    return window


def _output(name: str, session: Any) -> str:
    """`logits`, as exporters call it, or the only output."""
    shapes = {entry.name: entry.shape for entry in session.get_outputs()}
    found = "logits" if "logits" in shapes else next(iter(shapes))
    if len(shapes[found]) > 2 or ("logits" not in shapes and len(shapes) > 1):
        raise VerifierError(f"model {name!r} is no pair model: its graph gives {', '.join(shapes)}, and no `logits`")
    return found
