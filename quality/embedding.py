"""Each question's vector by the shipped model, computed once and kept in a file for the next run."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.embedders.onnx import OnnxEmbedder
from gateway.errors import TextUnfit

DIMENSIONS = 384
SAVED_EVERY = 20_000
"""Texts after which the file is written, so that a run that is broken off has not been in vain."""


class Vectors:
    """Text -> unit vector (float32), None for a text that the model cannot read (it is looked up by its exact words only)."""

    def __init__(self, found: dict[bytes, NDArray[np.float32]]) -> None:
        self._found = found

    def get(self, text: str) -> NDArray[np.float32] | None:
        vector = self._found[_key(text)]
        return vector if vector.any() else None

    @property
    def width(self) -> int:
        return DIMENSIONS

    def similarity(self, text_a: str, text_b: str) -> float:
        """Cosine; -1 where one of the two has no vector."""
        a, b = self.get(text_a), self.get(text_b)
        return -1.0 if a is None or b is None else float(a @ b)


def embed_all(texts: Iterable[str], cache: Path, console: Console) -> Vectors:
    """Vectors of all the texts; those in `cache` are not computed again. Another model begins a new cache."""
    return asyncio.run(_embed_all(dict.fromkeys(texts), cache, console))


async def _embed_all(texts: dict[str, None], cache: Path, console: Console) -> Vectors:
    embedder = OnnxEmbedder()
    await embedder.open()
    try:
        found = _read(cache, embedder.identity)
        missing = [text for text in texts if _key(text) not in found]
        if missing:
            with _progress(console) as progress:
                task = progress.add_task("embedding", total=len(missing))
                for number, text in enumerate(missing, start=1):
                    found[_key(text)] = await _vector(embedder, text)
                    progress.advance(task)
                    if number % SAVED_EVERY == 0:
                        _write(cache, embedder.identity, found)
            _write(cache, embedder.identity, found)
    finally:
        await embedder.close()
    return Vectors(found)


async def _vector(embedder: OnnxEmbedder, text: str) -> NDArray[np.float32]:
    try:
        return np.frombuffer(await embedder.embed(text), dtype="<f4")
    except TextUnfit:
        return np.zeros(DIMENSIONS, dtype=np.float32)


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


def _read(cache: Path, identity: str) -> dict[bytes, NDArray[np.float32]]:
    if not cache.exists():
        return {}
    with np.load(cache, allow_pickle=False) as kept:
        if str(kept["identity"]) != identity:
            return {}
        keys, vectors = kept["keys"], kept["vectors"]
        return {row.tobytes(): vector for row, vector in zip(keys, vectors, strict=True)}


def _write(cache: Path, identity: str, found: dict[bytes, NDArray[np.float32]]) -> None:
    keys = np.frombuffer(b"".join(found), dtype=np.uint8).reshape(len(found), -1)
    cache.parent.mkdir(parents=True, exist_ok=True)
    partial = cache.with_suffix(".part.npz")
    np.savez(partial, identity=np.array(identity), keys=keys, vectors=np.stack(list(found.values())))
    partial.replace(cache)
