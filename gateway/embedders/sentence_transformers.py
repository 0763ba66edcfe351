"""Any sentence-transformers model, by hub id or folder: needs the `sentence-transformers` extra, which brings torch.

Imported only on this embedder's own thread, when it opens: torch takes seconds and half a gigabyte. One text at a time, as
everywhere here. The library cuts long texts without a word, so tokens are counted before, with its own tokenizer and the
prompt in front, as it will do itself. Whether a model's own layers make unit vectors or not: all are made so here.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

from gateway.embedders.vector import NORMALISER, unit
from gateway.errors import EmbedError, TextUnfit
from gateway.inference.session import CHARACTERS_PER_TOKEN
from gateway.inference.worker import Worker

if TYPE_CHECKING:
    from gateway.core.messages import Vector


class SentenceTransformersEmbedder:
    """An embedder on one thread of this process, and one core unless `OMP_NUM_THREADS` says otherwise.

    Args:
        model: hub id or folder.
        device: torch's name of it.
        window: most tokens of a text, special ones included; None: the model's own.
        prompt: goes before every text; None: the model's own default prompt, where it has one.
        dimensions: so many of the first numbers are a text's vector, for models that were trained to be cut; None: all.
    """

    def __init__(
        self,
        *,
        model: str,
        device: str = "cpu",
        window: int | None = None,
        prompt: str | None = None,
        dimensions: int | None = None,
    ) -> None:
        self._name = model
        self._device = device
        self._window = window
        self._prompt = prompt
        self._cut = dimensions
        self._worker = Worker(f"sentence-transformers embedder {model!r}", EmbedError)
        self._model: _Model | None = None

    @property
    def identity(self) -> str:
        """Known once open: the weights are part of it. Raises EmbedError before."""
        if self._model is None:
            raise EmbedError(f"sentence-transformers embedder {self._name!r} is not open")
        return f"sentence-transformers:{self._model.checksum}:{NORMALISER}"

    @property
    def dimensions(self) -> int | None:
        return self._model.dimensions if self._model else None

    async def open(self) -> None:
        """Load the model. Raises EmbedError, naming the model and what to do; may be tried again."""
        await self._worker.run(SentenceTransformersEmbedder._loaded, self)

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
            self._model = _load(self._name, self._device, self._window, self._prompt, self._cut)
        return self._model


class _Model:
    """A loaded SentenceTransformer. Used by one thread."""

    def __init__(self, name: str, model: Any, window: int | None, prompt: str | None, cut: int | None) -> None:
        self._name = name
        self._model = model.eval()
        self._prompt = (model.prompts.get(model.default_prompt_name or "") or "") if prompt is None else prompt
        model.default_prompt_name = None  # it is given with each text: an empty one may stand in its place
        self._window = _window(name, model.max_seq_length, window)
        self._unknown = self._unknown_token()
        self.checksum = _checksum(model, self._prompt)
        self._cut: int | None = None
        self.dimensions: int | None = None
        whole = len(self._run("ping")) // 4
        if cut is not None and cut > whole:
            raise EmbedError(f"model {name!r} makes vectors of {whole} dimensions: `dimensions: {cut}` is too much")
        self._cut, self.dimensions = cut, cut or whole

    def embed(self, text: str) -> Vector:
        if self._window is not None and len(text) > self._window * CHARACTERS_PER_TOKEN:
            raise self._too_long()
        tokens = self._tokens(self._prompt + text)
        if self._window is not None and len(tokens) > self._window:
            raise self._too_long()
        if self._unknown is not None and self._unknown in tokens:
            # All unknown words are one token: to this model, two questions in Thai may be the same question.
            raise TextUnfit(f"the text has words that model {self._name!r} does not know")
        return self._run(text)

    def _run(self, text: str) -> Vector:
        try:
            values = self._model.encode(
                text, prompt=self._prompt or None, show_progress_bar=False, convert_to_numpy=True
            )[: self._cut]
        except Exception as trouble:  # torch raises RuntimeError, models of the hub what they like
            raise EmbedError(f"model {self._name!r} failed: {type(trouble).__name__}") from None
        return unit(values, self.dimensions)

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self._model.tokenizer(text, truncation=False, verbose=False)["input_ids"]
        return ids

    def _unknown_token(self) -> int | None:
        unknown: int | None = getattr(self._model.tokenizer, "unk_token_id", None)
        # Some byte-level tokenizers name their end-of-text token here, which every text has and no unknown word gets.
        return None if unknown in self._tokens("") else unknown

    def _too_long(self) -> TextUnfit:
        return TextUnfit(f"the text has more than the {self._window} tokens of model {self._name!r}")


def _load(name: str, device: str, window: int | None, prompt: str | None, cut: int | None) -> _Model:
    try:
        import torch  # type: ignore[import-not-found, unused-ignore]
        from sentence_transformers import (  # type: ignore[import-not-found, unused-ignore]
            SentenceTransformer,
        )
    except ImportError:
        raise EmbedError(
            f"model {name!r} needs the sentence-transformers extra: pip install 'semgate[sentence-transformers]'"
        ) from None
    if "OMP_NUM_THREADS" not in os.environ:
        # Measured on two cores: 7.0 ms with two threads, 7.6 with one, and 89 with two when the other core is busy.
        torch.set_num_threads(1)
    try:
        return _Model(name, SentenceTransformer(name, device=device), window, prompt, cut)
    except EmbedError:
        raise
    except Exception as trouble:  # torch's, the hub's and the file system's errors: all mean the same here
        raise EmbedError(
            f"model {name!r} cannot be loaded on {device!r} ({type(trouble).__name__}): "
            "check the name, the device and the network, or name a folder"
        ) from trouble


def _window(name: str, own: int | None, wanted: int | None) -> int | None:
    """None: a model without one, such as static word embeddings."""
    if own is not None and wanted is not None and wanted > own:
        raise EmbedError(f"model {name!r} takes at most {own} tokens: `window: {wanted}` is too much")
    return wanted or own


def _checksum(model: Any, prompt: str) -> str:
    """Of the weights themselves, and of what is made of them: the same for a hub id, a folder and a copy of it."""
    import torch  # type: ignore[import-not-found, unused-ignore]

    digest = hashlib.sha256(prompt.encode())
    for module in model:
        digest.update(f"|{type(module).__name__}:{_pooling(module)}".encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:32]


def _pooling(module: Any) -> str:
    """How tokens become one vector, where this is the layer that does it: the weights do not tell."""
    if not hasattr(module, "include_prompt"):
        return ""
    modes = getattr(module, "pooling_mode", None) or module.get_pooling_mode_str()  # since 5.3, and before
    return f"{modes if isinstance(modes, str) else '+'.join(modes)}:{module.include_prompt}"
