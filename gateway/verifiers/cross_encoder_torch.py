"""A pair model as sentence-transformers' CrossEncoder: needs the `sentence-transformers` extra, which brings torch.

The library cuts long pairs without a word, so tokens are counted before, with its own tokenizer; and it puts a head of
random weights on a model that has none, so what the files say of themselves is looked at.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.errors import VerifierError
from gateway.inference.folder import UNLIMITED, narrowed
from gateway.inference.session import may_fit

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAD = "ForSequenceClassification"
WEIGHTS = ("*.safetensors", "*.bin")


class TorchPairs:
    """A loaded CrossEncoder. Used by one thread."""

    def __init__(self, name: str, model: Any, window: int | None) -> None:
        own = model.max_seq_length
        self._name = name
        self._model = model.eval()
        self._tokenizer = model.tokenizer
        self._window = narrowed(name, own if own is not None and own < UNLIMITED else None, window, VerifierError)
        self._unknown = self._unknown_token()
        names = getattr(model.config, "id2label", None) or {}
        self.labels = tuple(str(names[place]) for place in sorted(names))

    def outputs(self, pairs: Sequence[tuple[str, str]]) -> list[list[float] | None]:
        import torch  # type: ignore[import-not-found, unused-ignore]

        fitting = [place for place, pair in enumerate(pairs) if self._fits(pair)]
        found: list[list[float] | None] = [None] * len(pairs)
        if not fitting:
            return found
        try:
            rows = self._model.predict(
                [pairs[place] for place in fitting],
                batch_size=len(fitting),
                activation_fn=torch.nn.Identity(),
                show_progress_bar=False,
                convert_to_numpy=True,
            )
        except Exception as trouble:  # torch raises RuntimeError, models of the hub what they like
            raise VerifierError(f"model {self._name!r} failed: {type(trouble).__name__}") from None
        for place, row in zip(fitting, rows.reshape(len(fitting), -1).tolist(), strict=True):
            found[place] = row
        return found

    def _fits(self, pair: tuple[str, str]) -> bool:
        if not may_fit(pair, self._window):
            return False
        ids = self._tokens(*pair)
        return len(ids) <= self._window and (self._unknown is None or self._unknown not in ids)

    def _tokens(self, first: str, second: str) -> list[int]:
        ids: list[int] = self._tokenizer(first, second, truncation=False, verbose=False)["input_ids"]
        return ids

    def _unknown_token(self) -> int | None:
        unknown: int | None = getattr(self._tokenizer, "unk_token_id", None)
        # Some byte-level tokenizers name their end-of-text token here, which every text has and no unknown word gets.
        return None if unknown in self._tokens("", "") else unknown


def load(name: str, device: str, window: int | None, threads: int) -> TorchPairs:
    """The model on `device`. Blocks. Raises VerifierError."""
    try:
        import torch  # type: ignore[import-not-found, unused-ignore]
        from sentence_transformers import CrossEncoder  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise VerifierError(
            f"model {name!r} has no ONNX graph, and without one it needs the sentence-transformers extra: "
            "pip install 'semgate[sentence-transformers]'"
        ) from None
    folder = Path(name).expanduser()
    if folder.is_dir() and not any(file for kind in WEIGHTS for file in folder.glob(kind)):
        raise VerifierError(
            f"model {name!r}: there is no model in this folder, neither an ONNX graph nor torch's weights"
        )
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(threads)
    try:
        model = CrossEncoder(str(folder) if folder.is_dir() else name, device=device)
        _check_head(name, model)
        return TorchPairs(name, model, window)
    except VerifierError:
        raise
    except Exception as trouble:  # torch's, the hub's and the file system's errors: all mean the same here
        raise VerifierError(
            f"model {name!r} cannot be loaded on {device!r} ({type(trouble).__name__}): "
            "check the name, the device and the network, or name a folder"
        ) from trouble


def _check_head(name: str, model: Any) -> None:
    kind, stored = type(model.model).__name__, getattr(model.config, "architectures", None) or []
    if kind.endswith(HEAD) and stored and not any(each.endswith(HEAD) for each in stored):
        raise VerifierError(f"model {name!r} is no pair model: its weights are of {', '.join(stored)}, without a head")
