"""Where a model's files are (a folder, or a hub's, downloaded once), and what those say that every text model shares.

Blocks. Whoever asks names the error class of its trouble: what a file lacks is then told as an embedder's or a verifier's.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from gateway.errors import CacheTrouble

HUB_FILES = ["*.json", "1_Pooling/*.json", "model.onnx*", "onnx/model.onnx*"]
GRAPHS = ("model.onnx", "onnx/model.onnx")
UNLIMITED = 1_000_000
"""Tokenizer configs write 10**30 where nobody set a length."""


class Vocabulary(msgspec.Struct, frozen=True):
    """What the tokenizer puts where its vocabulary has no word: a token or an id, both None where it can spell anything."""

    unk_token: str | None = None
    unk_id: int | None = None


class TokenizerFile(msgspec.Struct, frozen=True):
    """`tokenizer.json`."""

    model: Vocabulary


class _TokenizerConfig(msgspec.Struct):
    model_max_length: float | None = None


class _Config(msgspec.Struct):
    max_position_embeddings: int | None = None


Read = TypeVar("Read")


def find_folder(model: str, trouble: type[CacheTrouble], shipped: Path | None = None) -> Path:
    """The folder of `model`: below `shipped`, a local path, or a hub id (its JSON files and its ONNX graph are downloaded
    once, into the hub's cache). Raises `trouble`, naming the model and what to do."""
    if shipped is not None and (shipped / model / "model.onnx").is_file():
        return shipped / model
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    if model.startswith(("/", ".", "~")):
        raise trouble(f"model {model!r}: there is no such folder")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import huggingface_hub

    try:
        return Path(huggingface_hub.snapshot_download(model, allow_patterns=HUB_FILES))
    except Exception as error:  # its errors, its HTTP client's and the file system's: all mean the same here
        raise trouble(
            f"model {model!r} is {'neither shipped nor' if shipped else 'not'} a folder, and the hub did not give it "
            f"({type(error).__name__}): check the name and the network, or download it and name its folder"
        ) from error


def find_graph(path: Path, graphs: tuple[str, ...] = GRAPHS) -> Path | None:
    """The ONNX graph of a model's folder, where it has one."""
    return next((path / file for file in graphs if (path / file).is_file()), None)


def read_json(path: Path, kind: type[Read], trouble: type[CacheTrouble]) -> Read | None:
    """The file, None where there is none. Raises `trouble` where it is not what it should be."""
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise trouble(f"model file {path.name!r} cannot be read: {error}") from error


def stated_window(path: Path, trouble: type[CacheTrouble]) -> int | None:
    """Most tokens of a text, as the tokenizer's or the network's own settings have it."""
    tokenizer = read_json(path / "tokenizer_config.json", _TokenizerConfig, trouble)
    config = read_json(path / "config.json", _Config, trouble)
    length = tokenizer.model_max_length if tokenizer else None
    said = [
        int(length) if length and length < UNLIMITED else None,
        config.max_position_embeddings if config else None,
    ]
    return min((tokens for tokens in said if tokens), default=None)


def narrowed(name: str, most: int | None, wanted: int | None, trouble: type[CacheTrouble]) -> int:
    """The window that a setting asks for, within the model's own. Raises `trouble` where it is wider, or neither is known."""
    if most is None:
        if wanted is None:
            raise trouble(f"model {name!r} does not say how many tokens a text may have: set `window`")
        return wanted
    if wanted is not None and wanted > most:
        raise trouble(f"model {name!r} takes at most {most} tokens: `window: {wanted}` is too much")
    return wanted or most
